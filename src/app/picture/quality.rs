//! How far a stamped picture is from its clean twin. Pixels are taken as 0 to 1, so the range L is 1.
//!
//! SSIM: Gaussian window of 11 x 11 with sigma 1.5, K1 = 0.01, K2 = 0.03, reflected at the edges, averaged over all pixels
//! and channels. Cutting the edges off, as some programs do, would nearly ignore a patch in a corner.

use crate::run::event::Rgba;

const RADIUS: usize = 5;
const SIGMA: f64 = 1.5;
const C1: f64 = 0.01 * 0.01;
const C2: f64 = 0.03 * 0.03;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Largest change of any value, in grey levels of 255.
    pub l_inf: u8,
    /// Root of the summed squared changes, on the 0 to 1 scale.
    pub l2: f64,
    /// Decibel; infinite for twins that are alike.
    pub psnr: f64,
    /// 1 for twins that are alike.
    pub ssim: f64,
    /// Pixels of which any channel changed.
    pub changed: usize,
    pub pixels: usize,
}

impl Quality {
    /// Both pictures must have the same size.
    pub fn of(clean: &Rgba, poisoned: &Rgba) -> Self {
        let pixels = clean.width * clean.height;
        let (mut l_inf, mut squares, mut changed) = (0, 0u64, 0);
        for (a, b) in clean.bytes.chunks_exact(4).zip(poisoned.bytes.chunks_exact(4)) {
            let change = |channel: usize| a[channel].abs_diff(b[channel]);
            let largest = change(0).max(change(1)).max(change(2));
            l_inf = l_inf.max(largest);
            changed += usize::from(largest > 0);
            squares += (0..3).map(|channel| u64::from(change(channel)).pow(2)).sum::<u64>();
        }
        let squares = squares as f64 / (255.0 * 255.0);
        let mse = squares / (3 * pixels.max(1)) as f64;
        let channel = |picture: &Rgba, channel: usize| -> Vec<f64> {
            picture.bytes.chunks_exact(4).map(|pixel| f64::from(pixel[channel]) / 255.0).collect()
        };
        let (width, height) = (clean.width, clean.height);
        let of_channel = |c: usize| ssim(&channel(clean, c), &channel(poisoned, c), width, height);
        Self {
            l_inf,
            l2: squares.sqrt(),
            psnr: -10.0 * mse.log10(),
            ssim: if changed == 0 { 1.0 } else { (0..3).map(of_channel).sum::<f64>() / 3.0 },
            changed,
            pixels,
        }
    }

    /// Share of the pixels that changed.
    pub fn share(&self) -> f64 {
        self.changed as f64 / self.pixels.max(1) as f64
    }
}

/// Mean structural similarity of two planes.
fn ssim(x: &[f64], y: &[f64], width: usize, height: usize) -> f64 {
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).collect::<Vec<f64>>();
    let blurred = |plane: &[f64]| blur(plane, width, height);
    let (mx, my) = (blurred(x), blurred(y));
    let (xx, yy, xy) = (blurred(&product(x, x)), blurred(&product(y, y)), blurred(&product(x, y)));
    let mut sum = 0.0;
    for i in 0..x.len() {
        let (vx, vy, cov) = (xx[i] - mx[i] * mx[i], yy[i] - my[i] * my[i], xy[i] - mx[i] * my[i]);
        let top = (2.0 * mx[i] * my[i] + C1) * (2.0 * cov + C2);
        sum += top / ((mx[i] * mx[i] + my[i] * my[i] + C1) * (vx + vy + C2));
    }
    sum / x.len().max(1) as f64
}

/// The Gaussian window over a plane, first along rows, then along columns.
fn blur(plane: &[f64], width: usize, height: usize) -> Vec<f64> {
    blur_lines(&blur_lines(plane, width), height)
}

/// The window along lines of `n` values; the result is transposed.
fn blur_lines(plane: &[f64], n: usize) -> Vec<f64> {
    if plane.is_empty() {
        return Vec::new();
    }
    let (weights, lines) = (window(), plane.len() / n);
    let places: Vec<usize> = (0..n + 2 * RADIUS).map(|shifted| reflect(shifted, n)).collect();
    let mut blurred = vec![0.0; plane.len()];
    let mut padded = vec![0.0; places.len()];
    for (line, values) in plane.chunks_exact(n).enumerate() {
        for (value, &place) in padded.iter_mut().zip(&places) {
            *value = values[place];
        }
        for (at, window) in padded.windows(weights.len()).enumerate() {
            blurred[at * lines + line] = window.iter().zip(&weights).map(|(value, weight)| value * weight).sum();
        }
    }
    blurred
}

fn window() -> [f64; 2 * RADIUS + 1] {
    let mut weights = [0.0; 2 * RADIUS + 1];
    for (k, weight) in weights.iter_mut().enumerate() {
        let distance = k as f64 - RADIUS as f64;
        *weight = (-distance * distance / (2.0 * SIGMA * SIGMA)).exp();
    }
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}

/// Place `shifted - RADIUS` of a line of `n` pixels that is mirrored at its first and last pixel.
fn reflect(shifted: usize, n: usize) -> usize {
    if n == 1 {
        return 0;
    }
    let period = 2 * (n - 1);
    let place = (shifted + period * RADIUS - RADIUS) % period;
    if place < n { place } else { period - place }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(width: usize, height: usize, seed: u32) -> Rgba {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let bytes = (0..width * height).flat_map(|_| [next(), next(), next(), 255]).collect();
        Rgba { width, height, bytes }
    }

    fn flat(width: usize, height: usize, level: u8) -> Rgba {
        let bytes = (0..width * height).flat_map(|_| [level, level, level, 255]).collect();
        Rgba { width, height, bytes }
    }

    #[test]
    fn twins_that_are_alike_are_perfect() {
        let x = noise(13, 9, 1);
        let quality = Quality::of(&x, &x);
        assert_eq!((quality.ssim, quality.psnr, quality.l2, quality.l_inf), (1.0, f64::INFINITY, 0.0, 0));
        assert_eq!((quality.changed, quality.pixels), (0, 117));
    }

    #[test]
    fn a_constant_offset_has_the_psnr_of_the_formula() {
        let quality = Quality::of(&flat(8, 8, 100), &flat(8, 8, 151));
        assert!((quality.psnr - -20.0 * (51.0f64 / 255.0).log10()).abs() < 1e-9);
        assert!((quality.l2 - 0.2 * (3.0 * 64.0f64).sqrt()).abs() < 1e-9);
        assert_eq!((quality.l_inf, quality.changed), (51, 64));
        // Flat pictures have no structure: what is left of SSIM is the term of the means.
        let (a, b) = (100.0 / 255.0, 151.0 / 255.0);
        let wanted = (2.0 * a * b + C1) / (a * a + b * b + C1);
        assert!((quality.ssim - wanted).abs() < 1e-9);
    }

    #[test]
    fn one_changed_pixel_counts_once() {
        let x = flat(32, 32, 128);
        let mut y = x.clone();
        y.bytes[4 * (5 * 32 + 7) + 1] = 255;
        let quality = Quality::of(&x, &y);
        assert_eq!((quality.changed, quality.l_inf), (1, 127));
        let mse = (127.0f64 / 255.0).powi(2) / (3.0 * 1024.0);
        assert!((quality.psnr - -10.0 * mse.log10()).abs() < 1e-9);
        assert!(quality.ssim < 1.0 && quality.ssim > 0.95);
    }

    #[test]
    fn similarity_is_symmetric_bounded_and_turns_with_the_pictures() {
        let (x, y) = (noise(16, 11, 3), noise(16, 11, 4));
        let forth = Quality::of(&x, &y).ssim;
        assert!((forth - Quality::of(&y, &x).ssim).abs() < 1e-12);
        assert!(forth < 0.3, "noise is like nothing: {forth}");
        let mirrored = |picture: &Rgba| {
            let rows = picture.bytes.chunks_exact(16 * 4);
            let bytes = rows.flat_map(|row| row.chunks_exact(4).rev().flatten().copied()).collect();
            Rgba { bytes, ..picture.clone() }
        };
        assert!((forth - Quality::of(&mirrored(&x), &mirrored(&y)).ssim).abs() < 1e-12);
    }

    #[test]
    fn the_edge_is_a_mirror() {
        let line: Vec<_> = (0..4 + 2 * RADIUS).map(|shifted| reflect(shifted, 4)).collect();
        assert_eq!(line, [1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2]);
        assert_eq!(reflect(3, 1), 0);
    }
}
