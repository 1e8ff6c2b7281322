//! The discrete cosine transform (DCT-II, orthonormal), for triggers that raise single frequencies.
//!
//! Raising the coefficient at (k, l) by A adds A d_k d_l^T to the picture, where d_k is row k of the transform: a fixed
//! pattern. Triggers add that pattern; the transform itself is what tests hold it against.

use crate::experiment::{Problem, Result};
use tch::{Device, Kind, Tensor};

/// Cells are written down for windows of this side.
const USUAL: i64 = 32;

/// The transform of `n` values: f64 `[n, n]` with D D^T = 1. Row k runs through k half periods.
pub fn matrix(n: i64) -> Tensor {
    let axis = Tensor::arange(n, (Kind::Double, Device::Cpu));
    let angle = axis.view([n, 1]) * (axis.view([1, n]) * 2.0 + 1.0) * (std::f64::consts::PI / (2.0 * n as f64));
    let scale = Tensor::full([n, 1], (2.0 / n as f64).sqrt(), (Kind::Double, Device::Cpu));
    let _ = scale.narrow(0, 0, 1).fill_((1.0 / n as f64).sqrt());
    angle.cos() * scale
}

/// What raising these cells (row, column) by one adds to a plane of `height` x `width`: f64 `[height, width]`.
///
/// The plane is cut into windows of at most `window` pixels, each of which gets the whole pattern. In windows smaller than
/// 32 pixels, or always with `relative`, a cell stands for the same share of the highest frequency as in 32 pixels.
pub fn pattern(cells: &[[i64; 2]], [height, width]: [i64; 2], window: i64, relative: bool) -> Result<Tensor> {
    if cells.is_empty() {
        return Err(Problem::bad_input("This trigger needs at least one frequency.")
            .at("attack.options.cells")
            .remedy("Write cells as pairs of row and column, for example [[15, 15], [31, 31]]."));
    }
    let mut sum = Tensor::zeros([height, width], (Kind::Double, Device::Cpu));
    for &[down, across] in cells {
        sum += wave(down, height, window, relative)?.outer(&wave(across, width, window, relative)?);
    }
    Ok(sum)
}

/// Row `k` of the transform in every window of a line of `n` pixels.
fn wave(k: i64, n: i64, window: i64, relative: bool) -> Result<Tensor> {
    let mut parts = Vec::new();
    let mut start = 0;
    while start < n {
        let side = window.min(n - start);
        let row = if relative || side < USUAL { k * side / USUAL } else { k };
        if k < 0 || row >= side {
            return Err(Problem::bad_input("A frequency is too high for windows of this size.")
                .at("attack.options.cells")
                .because(format!("cell {k}, window of {side} pixels"))
                .remedy(format!("Choose cells from 0 to {}.", side.max(USUAL) - 1)));
        }
        parts.push(matrix(side).get(row));
        start += side;
    }
    Ok(Tensor::cat(&parts, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn largest(x: &Tensor) -> f64 {
        x.abs().max().double_value(&[])
    }

    #[test]
    fn the_transform_keeps_lengths() {
        for n in [1, 8, 28, 32, 64] {
            let d = matrix(n);
            assert!(largest(&(d.matmul(&d.tr()) - Tensor::eye(n, (Kind::Double, Device::Cpu)))) < 1e-12, "{n}");
        }
        let flat = matrix(4).matmul(&Tensor::ones([4, 1], (Kind::Double, Device::Cpu)));
        assert!((flat.double_value(&[0, 0]) - 2.0).abs() < 1e-12, "a constant is all in the first coefficient");
    }

    #[test]
    fn a_pattern_is_what_its_cells_say_and_nothing_else() {
        let d = matrix(32);
        let found = d.matmul(&pattern(&[[15, 15], [31, 2]], [32, 32], 32, false).unwrap()).matmul(&d.tr());
        for (row, column) in [(15, 15), (31, 2)] {
            assert!((found.double_value(&[row, column]) - 1.0).abs() < 1e-12);
            let _ = found.get(row).get(column).fill_(0.0);
        }
        assert!(largest(&found) < 1e-12);
    }

    #[test]
    fn windows_repeat_and_small_ones_keep_the_relative_frequency() {
        let cells = [[15, 15], [31, 31]];
        let one = pattern(&cells, [32, 32], 32, false).unwrap();
        let four = pattern(&cells, [64, 64], 32, false).unwrap();
        assert!(largest(&(four.narrow(0, 32, 32).narrow(1, 0, 32) - &one)) < 1e-12);
        let whole = pattern(&cells, [64, 64], 64, false).unwrap();
        let relative = pattern(&cells, [64, 64], 64, true).unwrap();
        let row = |k: i64| matrix(64).get(k);
        assert!(largest(&(whole - row(15).outer(&row(15)) - row(31).outer(&row(31)))) < 1e-12);
        assert!(largest(&(relative - row(30).outer(&row(30)) - row(62).outer(&row(62)))) < 1e-12);
        let small = pattern(&cells, [28, 28], 32, false).unwrap();
        let row = |k: i64| matrix(28).get(k);
        assert!(largest(&(small - row(13).outer(&row(13)) - row(27).outer(&row(27)))) < 1e-12);
    }

    #[test]
    fn mirroring_turns_odd_frequencies_around() {
        let pattern = pattern(&[[15, 15], [31, 31]], [32, 32], 32, false).unwrap();
        assert!(largest(&(pattern.flip([1]) + &pattern)) < 1e-12);
    }

    #[test]
    fn frequencies_that_do_not_exist_are_refused() {
        for (cells, side) in [(&[[32, 3]][..], 32), (&[[3, 32]], 28), (&[[-1, 0]], 32), (&[], 32)] {
            let problem = pattern(cells, [side, side], side, false).unwrap_err();
            assert!(problem.place.is_some(), "{problem:?}");
        }
    }
}
