//! A fitted fair regression as plain data: every point of the trade-off follows from it without another fit.
//!
//! The training groups differ in r *unfair directions*. A prediction is linear in r weights `c`, one per direction, each
//! in 0..=1: how far that direction is taken out.
//!
//! ```text
//! f(x) = plain(x) + c_1 step_1(x) + ... + c_r step_r(x)        c = 0: no constraint;  c = 1: mean parity
//! ```
//!
//! [`Dial`] turns one number into `c`, [`FairFit::point`] gives errors and gaps there in O(r^2) from sums over rows that
//! were made once, and [`Rows::predict`] gives the predictions themselves in O(n r).

mod digest;
mod words;

pub use digest::{Digest, Figures, GroupDigest, GroupFigures, Moments, ks};
pub use words::number;

use crate::experiment::fair::ColumnKind;
use serde::{Deserialize, Serialize};

/// Where on the trade-off: two ways from "no constraint" to "fully fair".
///
/// With one unfair direction (one attribute with two values) both are the same set of functions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dial {
    /// The share of every training gap that is removed, 0 to 1: `c_j = share`.
    Share(f64),
    /// A penalty on the squared unfair directions, 0 to infinity: `c_j = eta q_j / (1 + eta q_j)`. What the data supports
    /// well (large `q_j`) goes first.
    Penalty(f64),
}

/// The answer to `Question::Fair`: one table, one kernel, one constraint, and the whole trade-off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FairFit {
    /// Name of the experiment, or of the table.
    pub title: String,
    /// Column that is predicted.
    pub target: String,
    /// The kernel with its numbers: `RBF, gamma 0.1, lambda 1`.
    pub kernel: String,
    /// What is enforced, as a sentence.
    pub notion: String,
    /// How it was solved: `exact`, `500 landmarks`.
    pub route: String,
    /// The k combinations of sensitive values that occur, in the order of all `groups` below.
    pub groups: Vec<Group>,
    /// The sensitive columns, for one small picture each.
    pub attributes: Vec<Attribute>,
    /// The trade-off in sums: all training and test rows, however many there are.
    pub trade: TradeOff,
    /// The same from fits on parts of the training rows; `test` are the rows that were left out of each.
    pub folds: Vec<TradeOff>,
    /// Other methods on the same rows.
    pub rivals: Vec<Rival>,
    /// Rows to draw, at most [`MOST_ROWS`] of each part; not kept in files.
    #[serde(skip)]
    pub train: Rows,
    #[serde(skip)]
    pub test: Rows,
    /// The model's dependence on each feature, in the order of [`Rows::values`].
    pub features: Vec<Feature>,
    /// What is subtracted from the label of each group's training rows at full fairness, in units of the target (k).
    /// Fair regression is plain regression on labels changed by these constants.
    pub subtracted: Vec<f64>,
    /// Largest distance of a training group's mean from the overall mean at full fairness; 0 up to rounding.
    pub achieved: f64,
    /// What was left out, filled in or doubtful, as sentences; nothing is dropped silently.
    pub notes: Vec<String>,
    /// Seconds for reading, choosing hyper-parameters, fitting and everything else.
    pub seconds: [f64; 4],
}

/// More rows than these are not drawn one by one.
pub const MOST_ROWS: usize = 20_000;

/// One combination of sensitive values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// `white`, or `white, medIncome above 0.32`.
    pub name: String,
    /// Index of the value of each attribute.
    pub values: Vec<usize>,
}

/// One sensitive column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attribute {
    pub name: String,
    /// Names of its values; a column of numbers is cut into ranges.
    pub values: Vec<String>,
}

/// The curve in sums.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TradeOff {
    /// `q_j > 0` of each unfair direction, the best supported first (r): how much of it a regression with this ridge carries.
    pub support: Vec<f64>,
    pub train: Digest,
    pub test: Digest,
}

/// Errors and gaps at one point of the curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub train: Figures,
    pub test: Figures,
}

/// Another method, at one or several settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rival {
    /// Id of the method in the catalogue: `attribute-removed`.
    pub id: String,
    /// `Attribute removed`
    pub name: String,
    /// It must know the group of a person to predict.
    pub needs_group: bool,
    pub points: Vec<RivalPoint>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RivalPoint {
    /// The setting (`eta = 100`); empty where there is only one.
    pub label: String,
    pub train: Figures,
    pub test: Figures,
    /// Largest Kolmogorov-Smirnov distance between two groups' test predictions.
    pub test_ks: f64,
}

/// Rows of one part, one entry per row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// Row of the table, counted from 0 without the header.
    pub row: Vec<u32>,
    /// Index into [`FairFit::groups`].
    pub group: Vec<u32>,
    /// What is to be predicted, in units of the table.
    pub target: Vec<f64>,
    /// Predictions of the unconstrained regression.
    pub plain: Vec<f64>,
    /// The r steps.
    pub steps: Vec<Vec<f64>>,
    /// Feature values as read, row by row (rows x features): numbers, or the index of a level; NaN where missing.
    pub values: Vec<f32>,
}

/// How predictions depend on one feature: the mean prediction when it is set to a value for everybody.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    pub name: String,
    /// Names of the values of a column of text, in the order of `grid`; empty for numbers.
    pub levels: Vec<String>,
    /// The values that were tried, ascending (G); for text the indices of `levels`.
    pub grid: Vec<f64>,
    /// Mean prediction of the unconstrained regression (G).
    pub plain: Vec<f64>,
    /// The same of each step (r x G).
    pub steps: Vec<Vec<f64>>,
    /// Correlation over the training rows with what full fairness takes out of predictions, -1 to 1: how much the feature
    /// stands in for the group.
    pub proxy: f64,
    /// The column is one of the sensitive ones.
    pub sensitive: bool,
}

/// The answer to `Question::Table`: what a table holds, before anything is fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableCard {
    pub name: String,
    pub rows: usize,
    pub columns: Vec<ColumnCard>,
    /// What was found while reading, as sentences.
    pub notes: Vec<String>,
    /// A column that may be the target, and those that may be sensitive: guesses from names and cells.
    pub target: Option<String>,
    pub sensitive: Vec<String>,
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnCard {
    pub name: String,
    /// Nothing for texts with too many different values: they can only be left out.
    pub kind: Option<ColumnKind>,
    /// `number, 0 to 1; 1 empty`
    pub description: String,
    pub missing: usize,
    /// Values of a category, at most 64.
    pub values: Vec<String>,
}

impl Dial {
    /// The weights `c` (r) for directions with these supports.
    pub fn weights(self, support: &[f64]) -> Vec<f64> {
        match self {
            Dial::Share(share) => vec![share; support.len()],
            Dial::Penalty(eta) if eta.is_infinite() => vec![1.0; support.len()],
            Dial::Penalty(eta) => support.iter().map(|q| eta * q / (1.0 + eta * q)).collect(),
        }
    }

    /// The point at `position` of a slider, 0 to 1. For the penalty `position` is the weight of a direction with the
    /// middle support, so that the slider moves evenly along the curve.
    pub fn at(self, position: f64, support: &[f64]) -> Self {
        let position = position.clamp(0.0, 1.0);
        match self {
            Dial::Share(_) => Dial::Share(position),
            Dial::Penalty(_) if position >= 1.0 => Dial::Penalty(f64::INFINITY),
            Dial::Penalty(_) => Dial::Penalty(position / (1.0 - position) / middle(support)),
        }
    }

    /// The inverse of [`Dial::at`].
    pub fn position(self, support: &[f64]) -> f64 {
        match self {
            Dial::Share(share) => share,
            Dial::Penalty(eta) if eta.is_infinite() => 1.0,
            Dial::Penalty(eta) => eta * middle(support) / (1.0 + eta * middle(support)),
        }
    }
}

/// Geometric mean of what is positive; 1 where nothing is.
fn middle(support: &[f64]) -> f64 {
    let logs: Vec<f64> = support.iter().filter(|q| **q > 0.0).map(|q| q.ln()).collect();
    if logs.is_empty() { 1.0 } else { (logs.iter().sum::<f64>() / logs.len() as f64).exp() }
}

impl TradeOff {
    pub fn point(&self, dial: Dial) -> Point {
        let weights = dial.weights(&self.support);
        Point { train: self.train.at(&weights), test: self.test.at(&weights) }
    }
}

impl FairFit {
    /// Number of unfair directions r; 0 when the groups do not differ.
    pub fn directions(&self) -> usize {
        self.trade.support.len()
    }

    /// Errors and gaps on all training and test rows; O(k r^2).
    pub fn point(&self, dial: Dial) -> Point {
        self.trade.point(dial)
    }

    /// `count` points from no constraint to full fairness, along the kind of dial that is given.
    pub fn curve(&self, kind: Dial, count: usize) -> Vec<(Dial, Point)> {
        let last = count.saturating_sub(1).max(1) as f64;
        (0..count)
            .map(|index| {
                let dial = kind.at(index as f64 / last, &self.trade.support);
                (dial, self.point(dial))
            })
            .collect()
    }

    /// The dial at which the gap of the training rows is `gap`, or the nearest end; by bisection, since it falls all the
    /// way.
    pub fn dial_for_gap(&self, kind: Dial, gap: f64) -> Dial {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            if self.point(kind.at(middle, &self.trade.support)).train.gap > gap {
                low = middle;
            } else {
                high = middle;
            }
        }
        kind.at(0.5 * (low + high), &self.trade.support)
    }

    /// The groups of one attribute alone: for each of its values which of the k groups belong to it.
    pub fn groups_of(&self, attribute: usize) -> Vec<Vec<usize>> {
        let values = self.attributes.get(attribute).map_or(0, |attribute| attribute.values.len());
        let of = |value: usize| {
            let belongs = |group: &Group| group.values.get(attribute) == Some(&value);
            self.groups.iter().enumerate().filter(|(_, group)| belongs(group)).map(|(index, _)| index).collect()
        };
        (0..values).map(of).collect()
    }
}

impl Rows {
    pub fn len(&self) -> usize {
        self.row.len()
    }

    pub fn is_empty(&self) -> bool {
        self.row.is_empty()
    }

    /// Predictions at these weights, one per row; O(n r).
    pub fn predict(&self, weights: &[f64]) -> Vec<f64> {
        let mut predictions = self.plain.to_vec();
        add_steps(&mut predictions, &self.steps, weights);
        predictions
    }

    /// How far each prediction is from the unconstrained one at these weights.
    pub fn changes(&self, weights: &[f64]) -> Vec<f64> {
        let mut changes = vec![0.0; self.len()];
        add_steps(&mut changes, &self.steps, weights);
        changes
    }

    /// Largest Kolmogorov-Smirnov distance between two groups' distributions of `predictions` (one per row).
    ///
    /// Mean parity moves means together; it does not drive this to 0.
    pub fn ks(&self, predictions: &[f64]) -> f64 {
        ks(&self.group, predictions)
    }

    /// Feature values of one row, in the order of [`FairFit::features`].
    pub fn values_of(&self, index: usize) -> &[f32] {
        let width = self.values.len() / self.len().max(1);
        self.values.get(index * width..(index + 1) * width).unwrap_or_default()
    }
}

fn add_steps(values: &mut [f64], steps: &[Vec<f64>], weights: &[f64]) {
    for (step, weight) in steps.iter().zip(weights).filter(|(_, weight)| **weight != 0.0) {
        for (value, step) in values.iter_mut().zip(step) {
            *value += weight * step;
        }
    }
}

impl Feature {
    /// Mean prediction at each value of the grid (G), at these weights.
    pub fn at(&self, weights: &[f64]) -> Vec<f64> {
        let mut values = self.plain.clone();
        add_steps(&mut values, &self.steps, weights);
        values
    }

    /// How much the mean prediction varies over the grid, in units of the target.
    pub fn effect(&self, weights: &[f64]) -> f64 {
        let values = self.at(weights);
        let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), &v| (low.min(v), high.max(v)));
        if values.is_empty() { 0.0 } else { high - low }
    }

    /// Prediction at the end of the grid minus that at its beginning: the effect with its sign.
    pub fn trend(&self, weights: &[f64]) -> f64 {
        let values = self.at(weights);
        values.last().zip(values.first()).map_or(0.0, |(last, first)| last - first)
    }
}

#[cfg(test)]
mod tests;
