//! Kernels between rows of numbers; everything in double precision on the processor.

use super::linalg::{column_of, to_vec};
use crate::experiment::fair::{FairModel, KernelKind};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use tch::{Kind, Tensor};

/// A kernel with its numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kernel {
    pub kind: KernelKind,
    /// Nothing to the linear kernel.
    pub gamma: f64,
    /// Of the polynomial kernel.
    pub degree: u32,
}

impl Kernel {
    pub fn of(model: &FairModel, gamma: f64) -> Self {
        Self { kind: model.kernel, gamma, degree: model.degree }
    }

    /// The kernel between rows of `x` (n x d) and of `z` (m x d): n x m.
    pub fn gram(&self, x: &Tensor, z: &Tensor) -> Tensor {
        match self.kind {
            KernelKind::Linear => x.matmul(&z.tr()) + 1.0,
            KernelKind::Polynomial => (x.matmul(&z.tr()) * self.gamma + 1.0).pow_tensor_scalar(i64::from(self.degree)),
            KernelKind::Rbf => (squared_distances(x, z) * -self.gamma).exp_(),
            KernelKind::Laplace => (Tensor::cdist(x, z, 1.0, None::<i64>) * -self.gamma).exp_(),
        }
    }

    /// In words: `RBF, gamma 0.1`.
    pub fn describe(&self) -> String {
        let gamma = crate::run::fair::number(self.gamma);
        match self.kind {
            KernelKind::Linear => "linear".to_owned(),
            KernelKind::Rbf => format!("RBF, gamma {gamma}"),
            KernelKind::Laplace => format!("Laplace, gamma {gamma}"),
            KernelKind::Polynomial => format!("polynomial of degree {}, gamma {gamma}", self.degree),
        }
    }

    /// Frequencies (d x m) and phases (m) of random Fourier features, whose products approximate this kernel:
    /// `sqrt(2 / m) cos(x W + b)`. Nothing for kernels that do not depend on distance alone.
    pub fn frequencies(&self, d: usize, m: usize, rng: &mut ChaCha8Rng) -> Option<(Tensor, Tensor)> {
        let draw: fn(&mut ChaCha8Rng) -> f64 = match self.kind {
            KernelKind::Rbf => |rng| rng.sample(StandardNormal),
            // The spectrum of a product of exponentials is a product of Cauchy densities.
            KernelKind::Laplace => |rng| (std::f64::consts::PI * (rng.random::<f64>() - 0.5)).tan(),
            KernelKind::Linear | KernelKind::Polynomial => return None,
        };
        let scale = if self.kind == KernelKind::Rbf { (2.0 * self.gamma).sqrt() } else { self.gamma };
        let frequencies: Vec<f64> = (0..d * m).map(|_| scale * draw(rng)).collect();
        let phases: Vec<f64> = (0..m).map(|_| std::f64::consts::TAU * rng.random::<f64>()).collect();
        Some((Tensor::from_slice(&frequencies).view([d as i64, m as i64]), Tensor::from_slice(&phases)))
    }
}

/// |x - z|² for all pairs of rows; never negative.
fn squared_distances(x: &Tensor, z: &Tensor) -> Tensor {
    // Distances do not depend on the origin, but rounding does.
    let origin = z.mean_dim(&[0i64][..], true, Kind::Double);
    let (x, z) = (x - &origin, z - &origin);
    let norms = |rows: &Tensor| (rows * rows).sum_dim_intlist(&[1i64][..], true, Kind::Double);
    let mut squares = x.matmul(&z.tr()) * -2.0;
    squares += norms(&x);
    squares += norms(&z).tr();
    squares.clamp_min_(0.0)
}

/// The usual bandwidth: one over the median (squared, for RBF) distance between rows of `x`; one over the number of
/// columns for the polynomial kernel.
pub fn median_heuristic(kind: KernelKind, x: &Tensor) -> f64 {
    const ENOUGH: i64 = 500;
    let rows = x.size()[0].min(ENOUGH);
    let x = x.narrow(0, 0, rows);
    let distances = match kind {
        KernelKind::Linear => return 1.0,
        KernelKind::Polynomial => return 1.0 / x.size()[1].max(1) as f64,
        KernelKind::Rbf => squared_distances(&x, &x),
        KernelKind::Laplace => Tensor::cdist(&x, &x, 1.0, None::<i64>),
    };
    let mut positive: Vec<f64> = to_vec(&column_of(&distances)).into_iter().filter(|d| *d > 1e-12).collect();
    positive.sort_by(f64::total_cmp);
    positive.get(positive.len() / 2).map_or(1.0, |median| 1.0 / median)
}
