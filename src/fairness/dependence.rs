//! How predictions depend on each feature: the mean prediction when a feature is set to one value for everybody.
//!
//! Linear in the weights of the trade-off like every prediction, so that one pass serves all of its points.

use super::frame::Frame;
use super::linalg::to_vec;
use super::solve::Solution;
use crate::experiment::Outcome;
use crate::run::fair::Feature;
use crate::run::job::Job;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use tch::Kind;

/// Training rows over which is averaged.
const ROWS: usize = 32;
/// Values of a number that are tried: evenly spaced among those of the training rows.
const GRID: usize = 7;

/// Dependence on every feature; `mean` is that of the target, `changes` and `train` are fair minus plain predictions of the
/// training rows.
pub fn all(
    job: &mut Job,
    frame: &Frame,
    solution: &Solution,
    mean: f64,
    changes: &[f64],
    rng: &mut ChaCha8Rng,
) -> Outcome<Vec<Feature>> {
    let size = ROWS.min(frame.train.len());
    let rows: Vec<usize> = index::sample(rng, frame.train.len(), size).into_iter().map(|at| frame.train[at]).collect();
    let base = frame.rows_of(&rows);
    let mut features = Vec::with_capacity(frame.features.len());
    for feature in &frame.features {
        job.tick()?;
        let mut values: Vec<f64> =
            frame.train.iter().map(|&row| f64::from(feature.raw[row])).filter(|value| !value.is_nan()).collect();
        let grid: Vec<f64> = if feature.levels.is_empty() {
            values.sort_by(f64::total_cmp);
            let mut grid: Vec<f64> = (0..GRID).map(|step| values[step * (values.len() - 1) / (GRID - 1)]).collect();
            grid.dedup();
            grid
        } else {
            (0..feature.levels.len()).map(|level| level as f64).collect()
        };
        let (width, g) = (feature.width as i64, grid.len() as i64);
        let everybody = base.repeat([g, 1]);
        let encoded: Vec<f64> = grid.iter().flat_map(|&value| feature.encode(value).repeat(size)).collect();
        everybody
            .narrow(1, feature.at as i64, width)
            .copy_(&tch::Tensor::from_slice(&encoded).view([g * size as i64, width]));
        let predictions = solution.predict(&everybody);
        let means = predictions.view([g, size as i64, -1]).mean_dim(&[1i64][..], false, Kind::Double);
        let terms = means.size()[1];
        let column = |term: i64| to_vec(&means.select(1, term));
        features.push(Feature {
            name: feature.name.clone(),
            levels: feature.levels.clone(),
            plain: column(0).into_iter().map(|value| value + mean).collect(),
            steps: (1..terms).map(column).collect(),
            grid,
            proxy: proxy(frame, feature.at, feature.width, changes),
            sensitive: feature.sensitive,
        });
    }
    Ok(features)
}

/// Correlation of a feature with what is taken out of the training predictions; of several columns the strongest.
fn proxy(frame: &Frame, at: usize, width: usize, changes: &[f64]) -> f64 {
    let rows: Vec<i64> = frame.train.iter().map(|&row| row as i64).collect();
    let columns = frame.x.narrow(1, at as i64, width as i64).index_select(0, &tch::Tensor::from_slice(&rows));
    (0..width as i64)
        .map(|column| correlation(&to_vec(&columns.select(1, column)), changes))
        .max_by(|a, b| a.abs().total_cmp(&b.abs()))
        .map_or(0.0, |strongest| -strongest)
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().max(1) as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(a, b)| f(a - mean_a, b - mean_b)).sum::<f64>();
    let scale = (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt();
    if scale > 0.0 { sum(&|a, b| a * b) / scale } else { 0.0 }
}
