//! The little linear algebra that is needed, by LAPACK through libtorch, in double precision on the processor.

use crate::experiment::{Code, Problem, Result};
use tch::{Device, Kind, Tensor};

pub const REAL: (Kind, Device) = (Kind::Double, Device::Cpu);

/// Directions whose eigenvalue is below this share of the largest are rounding.
pub const RANK_CUT: f64 = 1e-10;

/// A column vector (n x 1).
pub fn column(values: &[f64]) -> Tensor {
    Tensor::from_slice(values).view([-1, 1])
}

/// Any tensor as one long column.
pub fn column_of(tensor: &Tensor) -> Tensor {
    tensor.reshape([-1])
}

pub fn to_vec(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.reshape([-1]).to_kind(Kind::Double).contiguous();
    let mut values = vec![0.0; flat.numel()];
    flat.copy_data(&mut values, flat.numel());
    values
}

/// Lower factor of `matrix`, which must be symmetric and not negative; rounding is met with a little more on the diagonal.
///
/// # Errors
/// A matrix with numbers that are not finite.
pub fn cholesky(matrix: &Tensor) -> Result<Tensor> {
    let n = matrix.size()[0];
    let mean = matrix.trace().double_value(&[]) / n.max(1) as f64;
    let mut jitter = 0.0;
    // From nothing over 1e-12 of the mean eigenvalue up to a thousandth of it.
    for _ in 0..32 {
        let (factor, info) = if jitter == 0.0 {
            matrix.linalg_cholesky_ex(false, false)
        } else {
            (matrix + Tensor::eye(n, REAL) * jitter).linalg_cholesky_ex(false, false)
        };
        if info.int64_value(&[]) == 0 {
            return Ok(factor);
        }
        jitter = if jitter == 0.0 { 1e-12 * mean } else { 2.0 * jitter };
    }
    Err(Problem::new(Code::NotANumber, "The kernel matrix cannot be factorised.")
        .because("It holds numbers that are not finite, or values of very different size.")
        .remedy("Standardise the features, or choose a larger `model.lambda`."))
}

/// Solves `(L L^T) x = rhs`.
pub fn solve(factor: &Tensor, rhs: &Tensor) -> Tensor {
    rhs.cholesky_solve(factor, false)
}

/// Eigenvalues in falling order, and their vectors as columns, of a small symmetric matrix.
pub fn symmetric(matrix: &Tensor) -> (Vec<f64>, Tensor) {
    let even = (matrix + matrix.tr()) * 0.5;
    let (values, vectors) = even.linalg_eigh("L");
    (to_vec(&values.flip([0])), vectors.flip([1]))
}

/// How many of the falling `values` count, given the smallest that any may have.
pub fn rank(values: &[f64], floor: f64) -> i64 {
    let largest = values.first().copied().unwrap_or(0.0);
    values.iter().take_while(|&&value| value > RANK_CUT * largest && value > floor).count() as i64
}

/// `tensor` with each column divided by the matching value.
pub fn divide_columns(tensor: &Tensor, by: &[f64]) -> Tensor {
    tensor / Tensor::from_slice(by).view([1, -1])
}
