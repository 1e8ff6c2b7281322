//! The mean of the target for everybody: perfectly fair, and useless. The reference line of the error.

use super::{Candidate, Entry};
use crate::experiment::method::{Kind, Method, defaults_of, schema_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "constant",
        kind: Kind::FairRival,
        name: "Constant",
        one_line: "Everybody gets the mean of the target.",
        page: "The fairest prediction that there is, and one that knows nothing about anybody. A method whose error comes \
               near to it pays for fairness with everything that it knew.",
        paper: "The usual reference; compared with in Wei et al.: Mean Parity Fair Regression in RKHS. AISTATS 2023",
        properties: &[],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    needs_group: false,
    fit: |_, setting, _| {
        let (train, test) = (setting.frame.train.len(), setting.frame.test.len());
        Ok(Candidate::only((vec![setting.mean; train], vec![setting.mean; test])))
    },
};
