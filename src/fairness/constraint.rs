//! What must not be correlated with predictions, as the columns of D.

use super::frame::{AttributeCodes, Frame};
use super::kernel::{Kernel, median_heuristic};
use super::linalg::{column, divide_columns, symmetric};
use crate::experiment::fair::{Constraint, KernelKind};
use crate::experiment::{Code, Problem, Result};
use tch::{Kind, Tensor};

/// Numbers in D; beyond, groups or rows are too many.
const MOST_CELLS: usize = 1 << 28;

/// Landmarks on the axis of a number, and directions that are kept of it.
const SMOOTH_LANDMARKS: usize = 40;
const SMOOTH_DIRECTIONS: i64 = 8;
/// Directions that carry less than this share of the kernel's variance are rounding or noise.
const SMOOTH_SHARE: f64 = 1e-3;

/// D (n x c) for these rows of a frame: `D^T f` are the gaps that shall vanish.
///
/// # Errors
/// More groups than can be held for so many rows.
pub fn matrix(frame: &Frame, rows: &[usize], constraint: Constraint) -> Result<Tensor> {
    match constraint {
        Constraint::MeanParity => {
            let groups: Vec<u32> = rows.iter().map(|&row| frame.group[row]).collect();
            indicators(&groups, frame.groups.len())
        }
        Constraint::Marginal => {
            let parts: Result<Vec<Tensor>> = frame.codes.iter().map(|codes| values(codes, rows)).collect();
            Ok(Tensor::cat(&parts?, 1))
        }
        Constraint::Covariance => {
            let parts: Result<Vec<Tensor>> = frame
                .codes
                .iter()
                .map(|codes| match &codes.numbers {
                    Some(numbers) => Ok(centred(&pick(numbers, rows))),
                    None => values(codes, rows),
                })
                .collect();
            Ok(Tensor::cat(&parts?, 1))
        }
        Constraint::Smooth => {
            let parts: Result<Vec<Tensor>> = frame
                .codes
                .iter()
                .map(|codes| match &codes.numbers {
                    Some(numbers) if !codes.two_valued => Ok(smooth(&pick(numbers, rows))),
                    _ => values(codes, rows),
                })
                .collect();
            Ok(Tensor::cat(&parts?, 1))
        }
    }
}

/// In words for the screen and for tables.
pub fn describe(constraint: Constraint) -> &'static str {
    match constraint {
        Constraint::MeanParity => "The mean prediction is the same in every group.",
        Constraint::Marginal => {
            "For each attribute the mean prediction is the same for all its values; combinations may differ."
        }
        Constraint::Covariance => "Predictions have no covariance with any sensitive attribute.",
        Constraint::Smooth => "Predictions are uncorrelated with every smooth function of each sensitive attribute.",
    }
}

fn pick(numbers: &[f64], rows: &[usize]) -> Vec<f64> {
    rows.iter().map(|&row| numbers[row]).collect()
}

fn values(codes: &AttributeCodes, rows: &[usize]) -> Result<Tensor> {
    let values: Vec<u32> = rows.iter().map(|&row| codes.values[row]).collect();
    indicators(&values, codes.count)
}

/// Columns `1_g / n_g - 1 / n`, one for each group that has rows.
pub fn indicators(groups: &[u32], k: usize) -> Result<Tensor> {
    let n = groups.len();
    if n.saturating_mul(k) > MOST_CELLS {
        return Err(Problem::new(Code::OutOfMemory, "There are too many groups for so many rows.")
            .because(format!("{k} groups in {n} training rows."))
            .remedy("Join small groups with `table.join_below`, or name fewer sensitive columns."));
    }
    let mut counts = vec![0usize; k];
    groups.iter().for_each(|&group| counts[group as usize] += 1);
    let present: Vec<usize> = (0..k).filter(|&group| counts[group] > 0).collect();
    let mut place = vec![usize::MAX; k];
    present.iter().enumerate().for_each(|(index, &group)| place[group] = index);
    let c = present.len();
    let mut cells = vec![-1.0 / n.max(1) as f64; n * c];
    for (row, &group) in groups.iter().enumerate() {
        cells[row * c + place[group as usize]] += 1.0 / counts[group as usize] as f64;
    }
    Ok(Tensor::from_slice(&cells).view([n as i64, c as i64]))
}

/// A number less its mean, divided by n and by its standard deviation.
fn centred(numbers: &[f64]) -> Tensor {
    let n = numbers.len().max(1) as f64;
    let mean = numbers.iter().sum::<f64>() / n;
    let sd = (numbers.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    let scale = if sd > 0.0 { 1.0 / (n * sd) } else { 0.0 };
    column(&numbers.iter().map(|v| (v - mean) * scale).collect::<Vec<_>>())
}

/// Leading directions of H K_S H for an RBF kernel on one number, by landmarks along its axis.
fn smooth(numbers: &[f64]) -> Tensor {
    let n = numbers.len().max(1) as f64;
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted[index * (sorted.len() - 1) / (SMOOTH_LANDMARKS - 1)];
    let mut places: Vec<f64> = (0..SMOOTH_LANDMARKS).map(at).collect();
    places.dedup();
    let (s, z) = (column(numbers), column(&places));
    let kernel = Kernel { kind: KernelKind::Rbf, gamma: median_heuristic(KernelKind::Rbf, &z), degree: 1 };
    let (values, vectors) = symmetric(&kernel.gram(&z, &z));
    let keep = super::linalg::rank(&values, 0.0);
    let roots: Vec<f64> = values[..keep as usize].iter().map(|value| value.sqrt()).collect();
    let features = kernel.gram(&s, &z).matmul(&divide_columns(&vectors.narrow(1, 0, keep), &roots));
    let features = &features - features.mean_dim(&[0i64][..], true, Kind::Double);
    let (variances, directions) = symmetric(&features.tr().matmul(&features));
    let all: f64 = variances.iter().sum();
    let kept = variances.iter().take_while(|&&variance| variance > SMOOTH_SHARE * all).count() as i64;
    features.matmul(&directions.narrow(1, 0, kept.clamp(1, SMOOTH_DIRECTIONS))) / n
}
