//! Every feature is replaced by what the group does not tell about it: x - mean of the group + mean of all.

use super::{Candidate, Entry};
use crate::experiment::method::{Kind, Method, defaults_of, schema_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::Tensor;

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "residualised",
        kind: Kind::FairRival,
        name: "Residualised",
        one_line: "Each feature is regressed on the group, and only the rest is used.",
        page: "After this, no feature differs between groups on average, so no weighted sum of them does. Products and \
               curves still may: with a kernel that is not linear a gap remains. Group means come from the training rows, \
               and the group of a person must be known to predict.",
        paper: "Komiyama, Takeda, Honda, Shimao: Nonconvex Optimization for Regression with Fairness Constraints. ICML 2018 \
                (its first step)",
        properties: &[],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    needs_group: true,
    fit: |job, setting, _| {
        let frame = setting.frame;
        let k = frame.groups.len() as i64;
        let d = frame.x.size()[1];
        let index = |rows: &[usize]| Tensor::from_slice(&rows.iter().map(|&row| row as i64).collect::<Vec<_>>());
        let groups = Tensor::from_slice(&frame.group.iter().map(|&group| i64::from(group)).collect::<Vec<_>>());
        let rows = index(&frame.train);
        let (x, of) = (frame.x.index_select(0, &rows), groups.index_select(0, &rows));
        let sums = Tensor::zeros([k, d], crate::fairness::linalg::REAL).index_add(0, &of, &x);
        let ones = Tensor::ones([x.size()[0], 1], crate::fairness::linalg::REAL);
        let counts = Tensor::zeros([k, 1], crate::fairness::linalg::REAL).index_add(0, &of, &ones);
        let overall = x.mean_dim(&[0i64][..], true, tch::Kind::Double);
        // A group without training rows keeps its features.
        let means = (sums + &overall * counts.eq(0.0)) / counts.clamp_min(1.0);
        setting.regress(job, &(&frame.x - means.index_select(0, &groups) + overall)).map(Candidate::only)
    },
};
