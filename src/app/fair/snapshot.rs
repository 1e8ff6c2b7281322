//! Everything that is shown at one point of the trade-off, from the closed form: no fit, no engine.

use super::course::Course;
use crate::run::fair::{Dial, Figures, GroupFigures, Point};

/// Steps of the scale on which densities are drawn.
pub const BINS: usize = 96;
/// Steps of the scale on which predictions are held against what came true.
const CALIBRATION: usize = 12;
/// Means of fewer rows say nothing.
const LEAST_ROWS: usize = 5;

#[derive(Debug, Clone)]
pub struct Snapshot {
    /// On the slider, 0 to 1.
    pub position: f64,
    pub dial: Dial,
    pub point: Point,
    /// How far each direction is taken out (r).
    pub weights: Vec<f64>,
    /// Largest Kolmogorov-Smirnov distance between two groups' predictions on the rows that are looked at.
    pub ks: f64,
    /// One per sensitive attribute.
    pub splits: Vec<Split>,
    /// Predictions of the people who are followed, in their order.
    pub people: Vec<f64>,
    /// How much the mean prediction differs between the ends of each feature, with its sign.
    pub trends: Vec<f64>,
}

/// One sensitive attribute at this point.
#[derive(Debug, Clone)]
pub struct Split {
    /// Merged over the other attributes, in the order of the attribute's values.
    pub figures: Figures,
    /// One density per drawn value, over the bins of the course.
    pub densities: Vec<Vec<f64>>,
    /// One list per drawn value: mean prediction, mean target and rows of those who were predicted alike.
    pub calibration: Vec<Vec<Calibration>>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    pub predicted: f64,
    pub target: f64,
    pub rows: usize,
}

impl Snapshot {
    /// O(n r) for n rows that are looked at.
    pub fn new(course: &Course, position: f64) -> Self {
        let dial = course.dial(position);
        let weights = dial.weights(&course.fit.trade.support);
        let point = course.fit.point(dial);
        let predictions = course.rows().predict(&weights);
        let split = |at: usize| Split {
            figures: course.figures(&point).merged(&course.attributes[at].groups),
            densities: densities(course, at, &predictions),
            calibration: calibration(course, at, &predictions),
        };
        Self {
            position,
            dial,
            ks: course.rows().ks(&predictions),
            splits: (0..course.attributes.len()).map(split).collect(),
            people: course
                .people
                .iter()
                .map(|person| predictions.get(person.index).copied().unwrap_or_default())
                .collect(),
            trends: course.fit.features.iter().map(|feature| feature.trend(&weights)).collect(),
            weights,
            point,
        }
    }
}

impl Split {
    /// Figures of one value of the attribute.
    pub fn value(&self, value: usize) -> GroupFigures {
        self.figures.groups.get(value).copied().unwrap_or_default()
    }
}

/// Which drawn value each row has; `usize::MAX` where it is not drawn.
fn drawn_of(course: &Course, attribute: usize) -> Vec<usize> {
    let attribute = &course.attributes[attribute];
    let place = |value: &usize| attribute.drawn.iter().position(|drawn| drawn == value).unwrap_or(usize::MAX);
    attribute.value_of.iter().map(place).collect()
}

/// Smoothed densities of predictions, one per drawn value; each has area 1 over the range of the course.
pub(super) fn densities(course: &Course, attribute: usize, predictions: &[f64]) -> Vec<Vec<f64>> {
    let drawn = drawn_of(course, attribute);
    let count = course.attributes[attribute].drawn.len();
    let [low, high] = course.range;
    let width = (high - low) / BINS as f64;
    let mut bins = vec![vec![0.0_f64; BINS]; count];
    let mut sums = vec![[0.0_f64; 3]; count];
    for (&group, &prediction) in course.rows().group.iter().zip(predictions) {
        let place = drawn.get(group as usize).copied().unwrap_or(usize::MAX);
        let Some((bins, sums)) = bins.get_mut(place).zip(sums.get_mut(place)) else {
            continue;
        };
        if !prediction.is_finite() {
            continue;
        }
        // A row's weight is shared between the two nearest bins, so that the curve moves evenly while dragging.
        let at = ((prediction - low) / width - 0.5).clamp(0.0, (BINS - 1) as f64);
        let (below, share) = (at as usize, at.fract());
        bins[below] += 1.0 - share;
        bins[(below + 1).min(BINS - 1)] += share;
        sums[0] += 1.0;
        sums[1] += prediction;
        sums[2] += prediction * prediction;
    }
    bins.iter().zip(&sums).map(|(bins, sums)| smooth(bins, sums, width)).collect()
}

/// A Gaussian over the bins, as wide as Silverman's rule says.
fn smooth(bins: &[f64], [n, sum, square]: &[f64; 3], width: f64) -> Vec<f64> {
    if *n < 1.0 {
        return vec![0.0; bins.len()];
    }
    let deviation = (square / n - (sum / n).powi(2)).max(0.0).sqrt();
    let sigma = (1.06 * deviation * n.powf(-0.2) / width).clamp(0.8, 8.0);
    let reach = (3.0 * sigma).ceil() as usize;
    let weights: Vec<f64> = (0..=reach).map(|at| (-0.5 * (at as f64 / sigma).powi(2)).exp()).collect();
    let whole = weights[0] + 2.0 * weights[1..].iter().sum::<f64>();
    let at = |place: usize| {
        let from = place.saturating_sub(reach);
        let near = bins.iter().enumerate().take(place + reach + 1).skip(from);
        near.map(|(other, count)| count * weights[place.abs_diff(other)]).sum::<f64>() / (whole * n * width)
    };
    (0..bins.len()).map(at).collect()
}

/// Means of prediction and target over rows that were predicted alike.
fn calibration(course: &Course, attribute: usize, predictions: &[f64]) -> Vec<Vec<Calibration>> {
    let drawn = drawn_of(course, attribute);
    let [low, high] = course.range;
    let mut sums = vec![[[0.0_f64; 3]; CALIBRATION]; course.attributes[attribute].drawn.len()];
    let rows = course.rows();
    for ((&group, &prediction), &target) in rows.group.iter().zip(predictions).zip(&rows.target) {
        let place = drawn.get(group as usize).copied().unwrap_or(usize::MAX);
        if let Some(sums) = sums.get_mut(place) {
            let bin = ((prediction - low) / (high - low) * CALIBRATION as f64).max(0.0) as usize;
            let sums = &mut sums[bin.min(CALIBRATION - 1)];
            sums[0] += prediction;
            sums[1] += target;
            sums[2] += 1.0;
        }
    }
    let means = |sums: &[[f64; 3]; CALIBRATION]| {
        let enough = sums.iter().filter(|[.., rows]| *rows >= LEAST_ROWS as f64);
        enough
            .map(|[predicted, target, rows]| Calibration {
                predicted: predicted / rows,
                target: target / rows,
                rows: *rows as usize,
            })
            .collect()
    };
    sums.iter().map(means).collect()
}
