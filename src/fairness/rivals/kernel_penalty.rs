//! Fair kernel learning: the covariance between prediction and attribute, in a kernel's space, costs something.
//!
//! w = (K + lambda I + (eta / n^2) H K_s H K)^-1 y, with K_s the kernel applied to the sensitive values. It shrinks the gap
//! but closes it only as eta grows without bound.

use super::{Candidate, Entry, parse};
use crate::experiment::Problem;
use crate::experiment::method::{Kind, Method, defaults_of, schema_of};
use crate::fairness::linalg::{column, rank, symmetric, to_vec};
use crate::fairness::solve;
use crate::run::fair::number;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind as Type, Tensor};

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Weights of the penalty, which is divided by the square of the number of rows; each gives one point.
    #[schemars(extend("x-paper" = [1000.0]))]
    pub eta: Vec<f64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { eta: vec![1e3, 1e5, 1e6, 1e7] }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "kernel-penalty",
        kind: Kind::FairRival,
        name: "Fair kernel learning",
        one_line: "The dependence between prediction and group is a penalty with a weight.",
        page: "Instead of forbidding the dependence on the group it makes it cost something. The right weight has to be found \
               by trying, and however large it is, a gap remains. Groups are the combinations of sensitive values; a number is \
               represented by the range that it falls into.",
        paper: "Perez-Suay, Laparra, Mateo-Garcia, Munoz-Mari, Gomez-Chova, Camps-Valls: Fair Kernel Learning. ECML PKDD 2017",
        properties: &[],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    needs_group: false,
    fit: |job, setting, options| {
        let options: Options = parse(options)?;
        if options.eta.iter().any(|eta| !eta.is_finite() || *eta <= 0.0) {
            return Err(Problem::bad_input("The weights of fair kernel learning must be above 0.").into());
        }
        let frame = setting.frame;
        // The groups as points: one column for each attribute, its values one apart.
        // Joined groups stand apart from all values.
        let place = |value: usize| if value == usize::MAX { -1.0 } else { value as f64 };
        let columns: Vec<Tensor> = (0..frame.attributes.len())
            .map(|attribute| {
                column(&frame.groups.iter().map(|group| place(group.values[attribute])).collect::<Vec<_>>())
            })
            .collect();
        let points = Tensor::cat(&columns, 1);
        let (values, vectors) = symmetric(&setting.kernel.gram(&points, &points));
        let keep = rank(&values, 0.0);
        let roots: Vec<f64> = values[..keep as usize].iter().map(|value| value.sqrt()).collect();
        let factor = vectors.narrow(1, 0, keep) * Tensor::from_slice(&roots).view([1, -1]);
        let groups: Vec<i64> = frame.train.iter().map(|&row| i64::from(frame.group[row])).collect();
        let rows = factor.index_select(0, &Tensor::from_slice(&groups));
        let d = (&rows - rows.mean_dim(&[0i64][..], true, Type::Double)) / frame.train.len() as f64;
        let route = setting.route(job)?;
        let (x, y) = (&setting.x, &setting.y);
        let solution = solve::penalised(job, setting.kernel, setting.lambda, route, x, y, &d, &options.eta)?;
        let train = solution.predict(&setting.x);
        let test = solution.predict(&frame.rows_of(&frame.test));
        let at = |predictions: &Tensor, index: usize| {
            to_vec(&(predictions.select(1, 0) + predictions.select(1, 1 + index as i64) + setting.mean))
        };
        let candidate = |(index, eta): (usize, &f64)| Candidate {
            label: format!("eta = {}", number(*eta)),
            train: at(&train, index),
            test: at(&test, index),
        };
        Ok(options.eta.iter().enumerate().map(candidate).collect())
    },
};
