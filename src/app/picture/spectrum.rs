//! The spectrum of a plane: which stripes it is made of, slow ones in the middle, fast ones at the edge.

use std::f64::consts::TAU;
use std::sync::Arc;

/// Larger planes are cut to their middle part; the transform takes the third power of the side.
const MOST: usize = 256;

/// log(1 + |DFT|), zero frequency at `(width / 2, height / 2)`, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    pub width: usize,
    pub height: usize,
    pub values: Arc<[f32]>,
}

/// The spectrum of `width x height` values, row by row.
pub fn spectrum(plane: &[f32], width: usize, height: usize) -> Spectrum {
    let (wide, tall) = (width.min(MOST), height.min(MOST));
    let (left, top) = ((width - wide) / 2, (height - tall) / 2);
    let mut values: Vec<[f64; 2]> = (top..top + tall)
        .flat_map(|row| plane[row * width + left..][..wide].iter().map(|&value| [f64::from(value), 0.0]))
        .collect();
    for row in values.chunks_exact_mut(wide.max(1)) {
        transform(row);
    }
    let mut column = vec![[0.0; 2]; tall];
    let mut shown = vec![0.0; wide * tall];
    for x in 0..wide {
        for (y, value) in column.iter_mut().enumerate() {
            *value = values[y * wide + x];
        }
        transform(&mut column);
        for (y, [re, im]) in column.iter().enumerate() {
            let (to_x, to_y) = ((x + wide / 2) % wide, (y + tall / 2) % tall);
            shown[to_y * wide + to_x] = (1.0 + re.hypot(*im)).ln() as f32;
        }
    }
    Spectrum { width: wide, height: tall, values: shown.into() }
}

/// The discrete Fourier transform of a line of complex numbers of any length, term by term.
fn transform(line: &mut [[f64; 2]]) {
    let n = line.len();
    let turns: Vec<[f64; 2]> = (0..n)
        .map(|k| {
            let (sin, cos) = (-TAU * k as f64 / n as f64).sin_cos();
            [cos, sin]
        })
        .collect();
    let input = line.to_vec();
    for (k, out) in line.iter_mut().enumerate() {
        let (mut re, mut im, mut turn) = (0.0, 0.0, 0);
        for [a, b] in &input {
            let [cos, sin] = turns[turn];
            re += a * cos - b * sin;
            im += a * sin + b * cos;
            turn = (turn + k) % n;
        }
        *out = [re, im];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_are_two_dots() {
        let (width, height) = (32, 20);
        let wave = |i: usize| 40.0 * (TAU * 6.0 * (i % width) as f64 / width as f64).sin() as f32;
        let plane: Vec<f32> = (0..width * height).map(wave).collect();
        let spectrum = spectrum(&plane, width, height);
        let bright: Vec<_> = (0..width * height).filter(|&i| spectrum.values[i] > 1.0).collect();
        assert_eq!(bright, [10 * width + 10, 10 * width + 22], "six to the left and six to the right of the middle");
        // Half of the amplitude times the number of pixels, at each dot.
        let wanted = (1.0 + 20.0 * (width * height) as f32).ln();
        assert!((spectrum.values[bright[0]] - wanted).abs() < 1e-4);
    }

    #[test]
    fn a_flat_plane_has_only_its_middle() {
        let spectrum = spectrum(&[2.0; 7 * 5], 7, 5);
        let middle = 2 * 7 + 3;
        assert!((spectrum.values[middle] - (1.0f32 + 70.0).ln()).abs() < 1e-5);
        assert!(spectrum.values.iter().enumerate().all(|(i, value)| i == middle || *value < 1e-6));
    }

    #[test]
    fn large_planes_are_cut() {
        let spectrum = spectrum(&vec![0.0; 300 * 4], 300, 4);
        assert_eq!((spectrum.width, spectrum.height, spectrum.values.len()), (256, 4, 1024));
    }
}
