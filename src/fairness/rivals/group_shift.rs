//! The plain predictions, moved so that all groups have one mean: f(x) - mean of the group + mean of all.

use super::{Candidate, Entry};
use crate::experiment::method::{Kind, Method, defaults_of, schema_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "group-shift",
        kind: Kind::FairRival,
        name: "Group shift",
        one_line: "One number per group is added to finished predictions.",
        page: "The simplest repair of a finished model. It reaches parity at the price of treating two persons differently \
               who are equal but for their group, and the group must be known whenever something is predicted. Compare its \
               error with the fair end of the curve, which needs no group.",
        paper: "Calders, Karim, Kamiran, Ali, Zhang: Controlling Attribute Effect in Linear Regression. ICDM 2013 (equal means)",
        properties: &[],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    needs_group: true,
    fit: |_, setting, _| {
        let frame = setting.frame;
        let k = frame.groups.len();
        let (mut sums, mut counts) = (vec![0.0; k], vec![0.0; k]);
        for (&row, prediction) in frame.train.iter().zip(&setting.plain_train) {
            sums[frame.group[row] as usize] += prediction;
            counts[frame.group[row] as usize] += 1.0;
        }
        let overall = sums.iter().sum::<f64>() / frame.train.len() as f64;
        let shift: Vec<f64> =
            sums.iter().zip(&counts).map(|(sum, n)| if *n > 0.0 { overall - sum / n } else { 0.0 }).collect();
        let moved = |rows: &[usize], plain: &[f64]| {
            rows.iter().zip(plain).map(|(&row, value)| value + shift[frame.group[row] as usize]).collect()
        };
        Ok(Candidate::only((moved(&frame.train, &setting.plain_train), moved(&frame.test, &setting.plain_test))))
    },
};
