//! Ridge regression on the columns themselves, without any constraint.

use super::{Candidate, Entry, parse};
use crate::experiment::fair::KernelKind;
use crate::experiment::method::{Kind, Method, defaults_of, schema_of};
use crate::fairness::kernel::Kernel;
use crate::fairness::solve::Route;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Ridge constant, as it is added to the kernel matrix.
    #[schemars(range(min = 0.0, max = 1_000_000.0), extend("x-scale" = "log"))]
    pub lambda: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { lambda: 1.0 }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "ridge",
        kind: Kind::FairRival,
        name: "Ridge",
        one_line: "A weighted sum of the columns, fitted for accuracy alone.",
        page: "What most people would fit first. With a kernel that is not linear, the distance between this point and the \
               unconstrained end of the curve is what the kernel is worth.",
        paper: "Hoerl and Kennard: Ridge Regression. Technometrics, 1970",
        properties: &[],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    needs_group: false,
    fit: |job, setting, options| {
        let options: Options = parse(options)?;
        let linear = Kernel { kind: KernelKind::Linear, gamma: 1.0, degree: 1 };
        let predictions = setting.regress_with(job, linear, options.lambda, Route::Linear, &setting.frame.x)?;
        Ok(Candidate::only(predictions))
    },
};
