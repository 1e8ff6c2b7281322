//! Choosing the kernel's width and the ridge constant: cross-validated error of the plain regression.
//!
//! Both are then kept for the whole trade-off, so that it compares like with like. The choice is made on a sample; since
//! doubling all rows and lambda leaves the function as it is, lambda is scaled to the number of rows.

use super::kernel::{Kernel, median_heuristic};
use super::linalg::{REAL, cholesky, solve};
use crate::experiment::Outcome;
use crate::experiment::fair::{FairModel, KernelKind};
use crate::run::job::Job;
use rand::seq::{SliceRandom, index};
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

/// Rows on which the choice is made.
const SAMPLE: usize = 400;
const LAMBDAS: [f64; 7] = [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2];
/// Around the usual bandwidth; the best one's neighbours are tried afterwards.
const COARSE: [f64; 5] = [1.0 / 16.0, 0.25, 1.0, 4.0, 16.0];

/// What was chosen, and how.
pub struct Choice {
    pub kernel: Kernel,
    pub lambda: f64,
    /// Nothing where both were given.
    pub note: Option<String>,
}

/// Chooses what the spec leaves open, on centred labels `y` (n x 1).
pub fn choose(job: &mut Job, model: &FairModel, x: &Tensor, y: &Tensor, rng: &mut ChaCha8Rng) -> Outcome<Choice> {
    let n = x.size()[0] as usize;
    if let (Some(gamma), Some(lambda)) =
        (model.gamma.or((model.kernel == KernelKind::Linear).then_some(1.0)), model.lambda)
    {
        return Ok(Choice { kernel: Kernel::of(model, gamma), lambda, note: None });
    }
    let size = SAMPLE.min(n);
    let rows: Vec<i64> = index::sample(rng, n, size).into_iter().map(|row| row as i64).collect();
    let rows = Tensor::from_slice(&rows);
    let (x, y) = (x.index_select(0, &rows), y.index_select(0, &rows));
    let scale = n as f64 / size as f64;
    let folds = Folds::draw(size, model.folds.max(2), rng);
    let lambdas: Vec<f64> = model.lambda.map_or(LAMBDAS.to_vec(), |lambda| vec![lambda / scale]);
    let gammas: Vec<f64> = match (model.gamma, model.kernel) {
        (Some(gamma), _) => vec![gamma],
        (None, KernelKind::Linear) => vec![1.0],
        (None, kind) => {
            let usual = median_heuristic(kind, &x);
            COARSE.iter().map(|factor| usual * factor).collect()
        }
    };
    let mut best: Option<(f64, f64, f64)> = None;
    let mut tried = 0;
    let mut try_all = |job: &mut Job, gammas: &[f64], best: &mut Option<(f64, f64, f64)>| -> Outcome<()> {
        for &gamma in gammas {
            job.tick()?;
            let gram = Kernel::of(model, gamma).gram(&x, &x);
            for &lambda in &lambdas {
                tried += 1;
                let error = folds.error(&gram, &y, lambda)?;
                if error.is_finite() && best.is_none_or(|(known, ..)| error < known) {
                    *best = Some((error, gamma, lambda));
                }
            }
        }
        Ok(())
    };
    try_all(job, &gammas, &mut best)?;
    if let (Some((_, gamma, _)), true) = (best, gammas.len() > 1) {
        try_all(job, &[0.5 * gamma, 2.0 * gamma], &mut best)?;
    }
    let (error, gamma, lambda) = best.unwrap_or((f64::NAN, gammas[0], lambdas[0]));
    let (kernel, lambda) = (Kernel::of(model, gamma), lambda * scale);
    let note = format!(
        "Chosen by {}-fold cross-validation among {tried} pairs on {size} training rows: {}, lambda {} (typical error {}).",
        folds.parts.len(),
        kernel.describe(),
        crate::run::fair::number(lambda),
        crate::run::fair::number(error.sqrt())
    );
    Ok(Choice { kernel, lambda, note: Some(note) })
}

/// Rows of a sample in parts.
pub struct Folds {
    pub parts: Vec<Vec<usize>>,
}

impl Folds {
    pub fn draw(n: usize, count: usize, rng: &mut ChaCha8Rng) -> Self {
        let mut rows: Vec<usize> = (0..n).collect();
        rows.shuffle(rng);
        let mut parts = vec![Vec::new(); count.clamp(1, n.max(1))];
        let count = parts.len();
        rows.into_iter().enumerate().for_each(|(index, row)| parts[index % count].push(row));
        parts.iter_mut().for_each(|part| part.sort_unstable());
        Self { parts }
    }

    /// Rows outside and inside part `index`.
    pub fn split(&self, index: usize) -> (Vec<usize>, Vec<usize>) {
        let rest = self.parts.iter().enumerate().filter(|(other, _)| *other != index).flat_map(|(_, part)| part);
        let mut rest: Vec<usize> = rest.copied().collect();
        rest.sort_unstable();
        (rest, self.parts[index].clone())
    }

    /// Mean squared error of kernel ridge regression on the rows left out.
    fn error(&self, gram: &Tensor, y: &Tensor, lambda: f64) -> Outcome<f64> {
        let tensor = |rows: &[usize]| Tensor::from_slice(&rows.iter().map(|&row| row as i64).collect::<Vec<_>>());
        let mut sum = 0.0;
        for index in 0..self.parts.len() {
            let (inside, outside) = self.split(index);
            let (inside, outside) = (tensor(&inside), tensor(&outside));
            let of_inside = gram.index_select(1, &inside);
            let k = of_inside.index_select(0, &inside);
            let n = k.size()[0];
            let labels = y.index_select(0, &inside);
            let mean = labels.mean(Kind::Double);
            let weights = solve(&cholesky(&(k + Tensor::eye(n, REAL) * lambda))?, &(labels - &mean));
            let predictions = of_inside.index_select(0, &outside).matmul(&weights) + &mean;
            sum += (predictions - y.index_select(0, &outside)).square().sum(Kind::Double).double_value(&[]);
        }
        Ok(sum / y.size()[0] as f64)
    }
}
