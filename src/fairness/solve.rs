//! The closed form: one factorisation, and the whole trade-off follows.
//!
//! With `D` (n x c) such that `D^T f` are the gaps that shall vanish, `M = D^T K D = U diag(l) U^T` and `A = D U l^(-1/2)`,
//! the functions `e_j = sum_i A_ij kappa(x_i, .)` are an orthonormal basis of the unfair directions. With
//! `S = (K + lambda I)^-1`:
//!
//! ```text
//! plain kernel ridge    w0 = S y
//! support               T = A^T K S A = V diag(q) V^T          q > 0
//! any point             w  = w0 - S A V diag(c_j / q_j) V^T A^T K w0
//! ```
//!
//! `c = 1` is mean parity, `c_j = eta q_j / (1 + eta q_j)` is the penalty `eta sum_j <f, e_j>^2`, and `c_j = alpha` keeps
//! the share `1 - alpha` of every gap (Wei, Liu, Li, Zha: Mean Parity Fair Regression in RKHS. AISTATS 2023; the last form
//! and the cheap one of the whole solution are worked out here). With explicit features the same stands in their space, where the
//! basis is an ordinary matrix `B = Phi^T D`.

use super::features::{self, Features, Products, ROWS_AT_ONCE, pieces};
use super::kernel::Kernel;
use super::linalg::{REAL, cholesky, divide_columns, rank, solve, symmetric, to_vec};
use crate::data::available_memory;
use crate::experiment::{Code, Outcome, Problem, Result};
use crate::run::job::Job;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

/// How functions are written down.
#[derive(Debug)]
pub enum Basis {
    /// The columns of x and a constant.
    Linear,
    /// Kernel functions around these rows (p x d).
    Centres(Kernel, Tensor),
    /// `sqrt(2 / p) cos(x W + b)`: frequencies (d x p) and phases (p).
    Fourier(Tensor, Tensor),
}

/// Plain regression and its steps to mean parity, as functions of x.
#[derive(Debug)]
pub struct Solution {
    pub basis: Basis,
    /// Weights of the basis functions (p x (1 + r)): plain, then each step.
    pub weights: Tensor,
    /// q (r), falling.
    pub support: Vec<f64>,
    /// Coefficients (c) of the columns of D: at full fairness `D coefficients` is subtracted from the labels.
    pub coefficients: Vec<f64>,
}

/// Which rows and functions a regression is written in.
#[derive(Debug)]
pub enum Route {
    /// Kernel functions around all training rows.
    Exact,
    /// The columns themselves; for the linear kernel.
    Linear,
    /// Kernel functions around these training rows.
    Landmarks(Vec<i64>),
    Fourier(Tensor, Tensor),
}

/// Fits centred labels `y` (n x 1) from `x` (n x d); `d` (n x c) are the constraints.
pub fn fit(
    job: &mut Job,
    kernel: Kernel,
    lambda: f64,
    route: Route,
    x: &Tensor,
    y: &Tensor,
    d: &Tensor,
) -> Outcome<Solution> {
    Ok(factorise(job, kernel, lambda, route, x, y, d)?.trade_off())
}

/// Plain regression, and for each of `etas` the step to the minimum of the same with `eta |D^T f|^2` added. The supports
/// are those of the steps' number only.
#[expect(clippy::too_many_arguments, reason = "a regression and its penalties")]
pub fn penalised(
    job: &mut Job,
    kernel: Kernel,
    lambda: f64,
    route: Route,
    x: &Tensor,
    y: &Tensor,
    d: &Tensor,
    etas: &[f64],
) -> Outcome<Solution> {
    Ok(factorise(job, kernel, lambda, route, x, y, d)?.penalised(etas))
}

fn factorise(
    job: &mut Job,
    kernel: Kernel,
    lambda: f64,
    route: Route,
    x: &Tensor,
    y: &Tensor,
    d: &Tensor,
) -> Outcome<Factorised> {
    match route {
        Route::Exact => exact(job, kernel, lambda, x, y, d),
        Route::Linear => linear(job, lambda, x, y, d),
        Route::Landmarks(rows) => {
            explicit(job, lambda, x, y, d, Features::around(kernel, x.index_select(0, &Tensor::from_slice(&rows))))
        }
        Route::Fourier(frequencies, phases) => {
            explicit(job, lambda, x, y, d, Features::Fourier { frequencies, phases })
        }
    }
}

/// What all ways of solving come to.
struct Half {
    /// Weights of the plain regression (p x 1).
    plain: Tensor,
    /// `S A` in the basis (p x r).
    solved: Tensor,
    /// (p x r): its transpose times weights gives the products of a function with the unfair directions.
    reading: Tensor,
    reduction: Reduction,
}

/// From the columns of D to orthonormal directions.
struct Reduction {
    /// `U l^(-1/2)` (c x r).
    map: Tensor,
    /// l (r): `|D^T f|^2 = sum_j l_j <f, e_j>^2`.
    values: Vec<f64>,
}

struct Factorised {
    half: Half,
    basis: Basis,
    /// From the space of the solution to the weights of the basis functions.
    lift: Option<Tensor>,
}

impl Factorised {
    fn trade_off(self) -> Solution {
        let half = &self.half;
        let (q, v) = symmetric(&half.reading.tr().matmul(&half.solved));
        // Every direction counts, however little the ridge leaves of it: a gap that is not removed is a broken promise.
        let r = q.iter().take_while(|&&value| value > 1e-15 * q[0]).count() as i64;
        let (support, v) = (q[..r as usize].to_vec(), v.narrow(1, 0, r));
        let products = to_vec(&v.tr().matmul(&half.reading.tr()).matmul(&half.plain));
        let shares: Vec<f64> = products.iter().zip(&support).map(|(product, q)| product / q).collect();
        let scale = Tensor::from_slice(&shares).view([1, -1]);
        let steps = -(half.solved.matmul(&v) * &scale);
        let coefficients = to_vec(&half.reduction.map.matmul(&v).matmul(&scale.tr()));
        self.solution(&steps, support, coefficients)
    }

    /// `w_eta - w0 = -S A (diag(1 / (eta l)) + T)^-1 A^T K w0`.
    fn penalised(self, etas: &[f64]) -> Solution {
        let half = &self.half;
        let t = half.reading.tr().matmul(&half.solved);
        let products = half.reading.tr().matmul(&half.plain);
        let steps: Vec<Tensor> = etas
            .iter()
            .map(|eta| {
                let ridge: Vec<f64> = half.reduction.values.iter().map(|value| 1.0 / (eta * value)).collect();
                let matrix = &t + Tensor::from_slice(&ridge).diag(0);
                -half.solved.matmul(&Tensor::linalg_solve(&matrix, &products, true))
            })
            .collect();
        self.solution(&Tensor::cat(&steps, 1), vec![1.0; etas.len()], Vec::new())
    }

    fn solution(self, steps: &Tensor, support: Vec<f64>, coefficients: Vec<f64>) -> Solution {
        let weights = Tensor::cat(&[&self.half.plain, steps], 1);
        let weights = self.lift.map_or(weights.shallow_clone(), |lift| lift.matmul(&weights));
        Solution { basis: self.basis, weights, support, coefficients }
    }
}

/// The directions that M = D^T K D supports; `scale` is the size that M could have.
fn reduction(m: &Tensor, scale: f64) -> Reduction {
    let (values, vectors) = symmetric(m);
    // Groups that the features cannot tell apart leave rounding only.
    let r = rank(&values, 1e-14 * scale);
    let values = values[..r as usize].to_vec();
    let roots: Vec<f64> = values.iter().map(|value| value.sqrt()).collect();
    Reduction { map: divide_columns(&vectors.narrow(1, 0, r), &roots), values }
}

fn exact(job: &mut Job, kernel: Kernel, lambda: f64, x: &Tensor, y: &Tensor, d: &Tensor) -> Outcome<Factorised> {
    let k = kernel.gram(x, x);
    job.tick()?;
    let n = x.size()[0];
    let kd = k.matmul(d);
    let weight = d.square().sum(Kind::Double).double_value(&[]) * k.trace().double_value(&[]) / n.max(1) as f64;
    let reduction = reduction(&d.tr().matmul(&kd), weight);
    let (a, reading) = (d.matmul(&reduction.map), kd.matmul(&reduction.map));
    let _ = k.diagonal(0, 0, 1).g_add_scalar_(lambda);
    let factor = cholesky(&k)?;
    drop(k);
    job.tick()?;
    let solved = solve(&factor, &Tensor::cat(&[y, &a], 1));
    let half = Half { plain: solved.narrow(1, 0, 1), solved: solved.narrow(1, 1, a.size()[1]), reading, reduction };
    Ok(Factorised { half, basis: Basis::Centres(kernel, x.shallow_clone()), lift: None })
}

/// The same in the space of explicit features, which are summed up a piece of the rows after the other.
fn explicit(job: &mut Job, lambda: f64, x: &Tensor, y: &Tensor, d: &Tensor, features: Features) -> Outcome<Factorised> {
    let half = summed(job, lambda, x, y, d, &features, ROWS_AT_ONCE)?;
    let (basis, lift) = match features {
        Features::Centres { kernel, centres, whiten } => (Basis::Centres(kernel, centres), Some(whiten)),
        Features::Fourier { frequencies, phases } => (Basis::Fourier(frequencies, phases), None),
        Features::Columns { .. } => (Basis::Linear, None),
    };
    Ok(Factorised { half, basis, lift })
}

fn summed(
    job: &mut Job,
    lambda: f64,
    x: &Tensor,
    y: &Tensor,
    d: &Tensor,
    features: &Features,
    rows_at_once: i64,
) -> Outcome<Half> {
    let Products { gram, others } = Products::of(job, features, x, &Tensor::cat(&[y, d], 1), rows_at_once)?;
    let (to_y, b) = (others.narrow(1, 0, 1), others.narrow(1, 1, d.size()[1]));
    let n = x.size()[0].max(1) as f64;
    let scale = d.square().sum(Kind::Double).double_value(&[]) * gram.trace().double_value(&[]) / n;
    let reduction = reduction(&b.tr().matmul(&b), scale);
    let reading = b.matmul(&reduction.map);
    let factor = cholesky(&(gram + Tensor::eye(features.count(), REAL) * lambda))?;
    let solved = solve(&factor, &Tensor::cat(&[&to_y, &reading], 1));
    let (plain, solved) = (solved.narrow(1, 0, 1), solved.narrow(1, 1, reading.size()[1]));
    Ok(Half { plain, solved, reading, reduction })
}

/// The linear kernel in the space of the columns, by orthogonal factors: with `lambda = 0` and columns that depend on each
/// other, normal equations would lose half of the digits.
fn linear(job: &mut Job, lambda: f64, x: &Tensor, y: &Tensor, d: &Tensor) -> Outcome<Factorised> {
    let (n, columns) = (x.size()[0], x.size()[1] + 1);
    let whole = |start: i64, rows: i64| {
        let ones = Tensor::ones([rows, 1], REAL);
        let parts = [x.narrow(0, start, rows), ones, y.narrow(0, start, rows), d.narrow(0, start, rows)];
        Tensor::cat(&parts, 1)
    };
    // The triangular factor of all rows, piece by piece.
    let width = columns + 1 + d.size()[1];
    let mut r = Tensor::zeros([0, width], REAL);
    for (start, rows) in pieces(n, ROWS_AT_ONCE) {
        job.tick()?;
        r = Tensor::linalg_qr(&Tensor::cat(&[r, whole(start, rows)], 0), "r").1;
    }
    let height = r.size()[0].min(columns);
    let top = r.narrow(0, 0, height);
    let (u, s, v) = top.narrow(1, 0, columns).svd(true, true);
    let s = to_vec(&s);
    let keep = rank(&s, 0.0) as usize;
    let (u, s, v) = (u.narrow(1, 0, keep as i64), &s[..keep], v.narrow(1, 0, keep as i64));
    let rotated = u.tr().matmul(&top.narrow(1, columns, width - columns));
    let row =
        |value: &dyn Fn(f64) -> f64| Tensor::from_slice(&s.iter().map(|&s| value(s)).collect::<Vec<_>>()).view([-1, 1]);
    let plain = rotated.narrow(1, 0, 1) * row(&|s| s / (s * s + lambda));
    let b = rotated.narrow(1, 1, d.size()[1]) * row(&|s| s);
    let largest = s.first().copied().unwrap_or(0.0);
    let scale = d.square().sum(Kind::Double).double_value(&[]) * largest * largest / n.max(1) as f64;
    let reduction = reduction(&b.tr().matmul(&b), scale);
    let reading = b.matmul(&reduction.map);
    let solved = &reading * row(&|s| 1.0 / (s * s + lambda));
    Ok(Factorised { half: Half { plain, solved, reading, reduction }, basis: Basis::Linear, lift: Some(v) })
}

impl Solution {
    /// Number of unfair directions.
    pub fn directions(&self) -> usize {
        self.support.len()
    }

    /// Plain prediction and steps of each row of `x`: n x (1 + r), without the mean of the target.
    pub fn predict(&self, x: &Tensor) -> Tensor {
        match &self.basis {
            Basis::Linear => {
                let d = x.size()[1];
                x.matmul(&self.weights.narrow(0, 0, d)) + self.weights.narrow(0, d, 1)
            }
            Basis::Centres(kernel, centres) => features::weighted(x, &self.weights, &|rows| kernel.gram(rows, centres)),
            Basis::Fourier(frequencies, phases) => features::weighted(x, &self.weights, &|rows| {
                let out = Tensor::empty([rows.size()[0], phases.size()[0]], REAL);
                features::fourier(rows, frequencies, phases, &out);
                out
            }),
        }
    }
}

/// `size` training rows, some of every group, so that no group is without functions of its own.
pub fn landmarks(groups: &[u32], size: usize, rng: &mut ChaCha8Rng) -> Vec<i64> {
    let n = groups.len();
    let k = groups.iter().max().map_or(0, |&last| last as usize + 1);
    let mut members: Vec<Vec<i64>> = vec![Vec::new(); k];
    groups.iter().enumerate().for_each(|(row, &group)| members[group as usize].push(row as i64));
    let mut chosen: Vec<i64> = Vec::with_capacity(size);
    for rows in members.iter().filter(|rows| !rows.is_empty()) {
        let share = (size * rows.len()).div_ceil(n.max(1)).max(size.div_ceil(20 * k.max(1))).min(rows.len());
        chosen.extend(index::sample(rng, rows.len(), share).into_iter().map(|index| rows[index]));
    }
    chosen.sort_unstable();
    chosen
}

/// Refuses an exact solution that would not fit into memory.
pub fn check_size(n: usize) -> Result<()> {
    // The kernel matrix, its factor, and a copy on the way.
    let needed = 24 * (n as u64) * (n as u64);
    if needed <= available_memory() / 2 {
        return Ok(());
    }
    Err(Problem::new(Code::OutOfMemory, "The exact solution does not fit into memory.")
        .because(format!("{n} training rows need {:.1} GB.", needed as f64 / 1e9))
        .remedy("Choose solver = \"landmarks\", or fewer rows with `table.rows`."))
}

#[cfg(test)]
mod tests;
