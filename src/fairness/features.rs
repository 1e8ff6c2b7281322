//! Explicit features of rows: made in pieces, summed up at once, and never held for all rows.
//!
//! A million rows with a thousand features would be 8 GB. What the closed form needs of them are products of features with
//! each other and with a few columns: m x m and m x k numbers.

use super::kernel::Kernel;
use super::linalg::{REAL, divide_columns, rank, symmetric};
use crate::experiment::Outcome;
use crate::run::job::Job;
use tch::Tensor;

/// Rows whose features are held at a time while products are summed up: enough for fast products.
pub const ROWS_AT_ONCE: i64 = 2048;
/// Numbers that are worked on at a time where each is touched often; they fit into the cache of a processor core.
const CELLS_AT_ONCE: i64 = 1 << 17;
/// Columns of a block where half of a matrix need not be computed.
const BLOCK: i64 = 256;

/// Features whose products are near a kernel.
#[derive(Debug)]
pub enum Features {
    /// Functions around landmarks (m x d), made orthonormal by a matrix (m x p) with nothing above its diagonal.
    Centres { kernel: Kernel, centres: Tensor, whiten: Tensor },
    /// `sqrt(2 / p) cos(x W + b)`: frequencies (d x p) and phases (p).
    Fourier { frequencies: Tensor, phases: Tensor },
    /// The columns themselves and a constant.
    Columns { width: i64 },
}

impl Features {
    pub fn around(kernel: Kernel, centres: Tensor) -> Self {
        let whiten = whitening(&kernel, &centres);
        Self::Centres { kernel, centres, whiten }
    }

    /// p
    pub fn count(&self) -> i64 {
        match self {
            Self::Centres { whiten, .. } => whiten.size()[1],
            Self::Fourier { phases, .. } => phases.size()[0],
            Self::Columns { width } => width + 1,
        }
    }

    /// Writes the features of rows `x` (n x d) into `out` (n x p).
    pub fn write(&self, x: &Tensor, out: &Tensor) {
        let widest = match self {
            Self::Centres { centres, .. } => centres.size()[0],
            _ => self.count(),
        };
        for (start, rows) in pieces(x.size()[0], CELLS_AT_ONCE / widest.max(1)) {
            self.write_piece(&x.narrow(0, start, rows), &out.narrow(0, start, rows));
        }
    }

    fn write_piece(&self, x: &Tensor, out: &Tensor) {
        match self {
            Self::Centres { kernel, centres, whiten } => {
                let values = kernel.gram(x, centres);
                let m = centres.size()[0];
                for (start, columns) in pieces(whiten.size()[1], BLOCK) {
                    let below = whiten.narrow(0, start, m - start).narrow(1, start, columns);
                    let _ = values.narrow(1, start, m - start).matmul_out(&out.narrow(1, start, columns), &below);
                }
            }
            Self::Fourier { frequencies, phases } => fourier(x, frequencies, phases, out),
            Self::Columns { width } => {
                out.narrow(1, 0, *width).copy_(x);
                let _ = out.narrow(1, *width, 1).fill_(1.0);
            }
        }
    }
}

/// `V s^(-1/2)` of the kernel between landmarks makes the functions around them orthonormal, and so does the same turned
/// by any rotation. Turned until nothing stands above the diagonal, it costs half of the multiplications.
fn whitening(kernel: &Kernel, centres: &Tensor) -> Tensor {
    let (values, vectors) = symmetric(&kernel.gram(centres, centres));
    let keep = rank(&values, 0.0);
    let roots: Vec<f64> = values[..keep as usize].iter().map(|value| value.sqrt()).collect();
    let whiten = divide_columns(&vectors.narrow(1, 0, keep), &roots);
    Tensor::linalg_qr(&whiten.tr(), "r").1.tr().contiguous()
}

/// Writes `sqrt(2 / p) cos(x W + b)` into `out` (n x p).
pub fn fourier(x: &Tensor, frequencies: &Tensor, phases: &Tensor, out: &Tensor) {
    let _ = phases.addmm_out(out, x, frequencies).cos_().g_mul_scalar_((2.0 / phases.size()[0].max(1) as f64).sqrt());
}

/// The basis functions that `piece` makes of rows, times weights (p x k), piece by piece: n x k for rows `x` (n x d).
pub fn weighted(x: &Tensor, weights: &Tensor, piece: &dyn Fn(&Tensor) -> Tensor) -> Tensor {
    let (n, p) = (x.size()[0], weights.size()[0]);
    // Room for all results is asked for first: kept one by one between short-lived large matrices, they would leave holes
    // in memory that nothing fits into.
    let all = Tensor::empty([n, weights.size()[1]], REAL);
    for (start, rows) in pieces(n, (CELLS_AT_ONCE / p.max(1)).max(16)) {
        let _ = piece(&x.narrow(0, start, rows)).matmul_out(&all.narrow(0, start, rows), weights);
    }
    all
}

/// Products of features, summed up over rows.
pub struct Products {
    /// `Phi^T Phi`: p x p.
    pub gram: Tensor,
    /// `Phi^T C` with other columns C of the same rows: p x k.
    pub others: Tensor,
}

impl Products {
    /// Of all rows `x` (n x d) with `others` (n x k), `rows_at_once` at a time.
    pub fn of(job: &mut Job, features: &Features, x: &Tensor, others: &Tensor, rows_at_once: i64) -> Outcome<Self> {
        let (n, p) = (x.size()[0], features.count());
        let gram = Tensor::zeros([p, p], REAL);
        let mut sums = Tensor::zeros([p, others.size()[1]], REAL);
        let room = Tensor::empty([rows_at_once.min(n), p], REAL);
        for (start, rows) in pieces(n, rows_at_once) {
            job.tick()?;
            let phi = room.narrow(0, 0, rows);
            features.write(&x.narrow(0, start, rows), &phi);
            // The lower half, in blocks.
            for (top, height) in pieces(p, BLOCK) {
                let block = phi.narrow(1, top, height).tr();
                let known = top + height;
                let _ = gram.narrow(0, top, height).narrow(1, 0, known).addmm_(&block, &phi.narrow(1, 0, known));
            }
            let _ = sums.addmm_(&phi.tr(), &others.narrow(0, start, rows));
        }
        let gram = gram.tril(0) + gram.tril(-1).tr();
        Ok(Self { gram, others: sums })
    }
}

/// Beginnings and lengths of at most `at_once` that cover `n`.
pub fn pieces(n: i64, at_once: i64) -> impl Iterator<Item = (i64, i64)> {
    let at_once = at_once.max(1);
    (0..n).step_by(at_once as usize).map(move |start| (start, at_once.min(n - start)))
}
