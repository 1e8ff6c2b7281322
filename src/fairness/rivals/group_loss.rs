//! Bounded group loss by reduction: the error of the worst group is made as small as it can be.
//!
//! A game: one side fits a weighted regression, the other puts weight on groups with a large error (multiplicative weights).
//! The mean of all rounds' functions is the answer. It equalises errors, not means.

use super::{Candidate, Entry, parse};
use crate::experiment::Outcome;
use crate::experiment::fair::KernelKind;
use crate::experiment::method::{Kind, Method, defaults_of, schema_of};
use crate::fairness::Setting;
use crate::fairness::features::{Features, Products, ROWS_AT_ONCE, pieces};
use crate::fairness::linalg::{REAL, cholesky, solve, to_vec};
use crate::fairness::solve::landmarks;
use crate::run::job::Job;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind as Type, Tensor};

/// Functions in which the game is played; all groups have a matrix of this size.
const LANDMARKS: usize = 250;

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Rounds of the game.
    #[schemars(range(min = 1, max = 500))]
    pub rounds: usize,
    /// How strongly weight moves to groups with a large error.
    #[schemars(range(min = 0.01, max = 10.0), extend("x-scale" = "log"))]
    pub step: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounds: 30, step: 0.5 }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "group-loss",
        kind: Kind::FairRival,
        name: "Bounded group loss",
        one_line: "Weighted regressions until the worst group's error is as small as it can be.",
        page: "Another idea of fairness: nobody's group shall be predicted much worse than the others. A regression is fitted, \
               groups with a large error get more weight, and so on; the mean of all rounds is the answer. Means of groups may \
               stay apart, so expect its point near the unconstrained end, with errors of groups closer together. The game is \
               played with 250 landmarks.",
        paper: "Agarwal, Dudik, Wu: Fair Regression: Quantitative Definitions and Reduction-Based Algorithms. ICML 2019",
        properties: &[],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    needs_group: false,
    fit: |job, setting, options| play(job, setting, &parse(options)?),
};

fn play(job: &mut Job, setting: &Setting, options: &Options) -> Outcome<Vec<Candidate>> {
    let frame = setting.frame;
    let groups = frame.groups_of(&frame.train);
    let features = if setting.kernel.kind == KernelKind::Linear {
        Features::Columns { width: setting.x.size()[1] }
    } else {
        let rows = landmarks(&groups, LANDMARKS, &mut job.rng("group-loss"));
        Features::around(setting.kernel, setting.x.index_select(0, &Tensor::from_slice(&rows)))
    };
    let sums = sums_of_groups(job, &features, &setting.x, &setting.y, &groups, frame.groups.len())?;
    let m = features.count();
    let n = groups.len() as f64;
    let present: Vec<usize> = (0..sums.len()).filter(|&group| sums[group].rows > 0.0).collect();

    let mut scores = vec![0.0; sums.len()];
    let mut mean = Tensor::zeros([m, 1], REAL);
    let spread = setting.y.square().mean(Type::Double).double_value(&[]).max(f64::MIN_POSITIVE);
    for _ in 0..options.rounds {
        job.tick()?;
        let top = present.iter().map(|&group| scores[group]).fold(f64::MIN, f64::max);
        let total: f64 = present.iter().map(|&group| f64::exp(scores[group] - top)).sum();
        let mut gram = Tensor::eye(m, REAL) * setting.lambda;
        let mut to_y = Tensor::zeros([m, 1], REAL);
        for &group in &present {
            // A group's weight is shared by its rows.
            let weight = f64::exp(scores[group] - top) / total * n / sums[group].rows;
            gram += &sums[group].gram * weight;
            to_y += &sums[group].to_y * weight;
        }
        let weights = solve(&cholesky(&gram)?, &to_y);
        for &group in &present {
            scores[group] += options.step * sums[group].error(&weights) / spread;
        }
        mean += weights / options.rounds as f64;
    }
    let predict = |rows: &[usize]| {
        let x = frame.rows_of(rows);
        let mut predictions = Vec::with_capacity(rows.len());
        let room = Tensor::empty([ROWS_AT_ONCE.min(x.size()[0]), m], REAL);
        for (start, rows) in pieces(x.size()[0], ROWS_AT_ONCE) {
            let phi = room.narrow(0, 0, rows);
            features.write(&x.narrow(0, start, rows), &phi);
            predictions.extend(to_vec(&(phi.matmul(&mean) + setting.mean)));
        }
        predictions
    };
    Ok(Candidate::only((predict(&frame.train), predict(&frame.test))))
}

/// What a group adds to the normal equations.
struct Sums {
    rows: f64,
    gram: Tensor,
    to_y: Tensor,
    square: f64,
}

impl Sums {
    /// Mean squared error of the function with these weights in this group.
    fn error(&self, weights: &Tensor) -> f64 {
        let quadratic = weights.tr().matmul(&self.gram).matmul(weights).double_value(&[0, 0]);
        let linear = weights.tr().matmul(&self.to_y).double_value(&[0, 0]);
        ((quadratic - 2.0 * linear + self.square) / self.rows).max(0.0)
    }
}

fn sums_of_groups(
    job: &mut Job,
    features: &Features,
    x: &Tensor,
    y: &Tensor,
    groups: &[u32],
    k: usize,
) -> Outcome<Vec<Sums>> {
    let mut sums = Vec::with_capacity(k);
    for group in 0..k as u32 {
        let rows: Vec<i64> = (0..groups.len()).filter(|&row| groups[row] == group).map(|row| row as i64).collect();
        let of_group = Tensor::from_slice(&rows);
        let labels = y.index_select(0, &of_group);
        let products = Products::of(job, features, &x.index_select(0, &of_group), &labels, ROWS_AT_ONCE)?;
        let square = labels.square().sum(Type::Double).double_value(&[]);
        sums.push(Sums { rows: rows.len() as f64, gram: products.gram, to_y: products.others, square });
    }
    Ok(sums)
}
