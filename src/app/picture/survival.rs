//! What random crops leave of a trigger: all positions are counted, nothing is drawn by chance.

use crate::run::event::Rgba;

/// How training looks at a picture once: where the window of the crop stands, and whether it is mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Crop {
    /// Pixel (x, y) shows pixel (x, y) + `shift` of the picture; outside it is black.
    pub shift: [i32; 2],
    pub flip: bool,
}

/// Of the pixels that the trigger changes, how many a crop still shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Survival {
    border: usize,
    width: usize,
    height: usize,
    /// `sums[y][x]`: changed pixels above and left of (x, y); one row and one column larger than the picture.
    sums: Vec<u32>,
}

impl Survival {
    /// `border` pixels of black are added on each side before a window of the picture's size is cut out.
    pub fn of(clean: &Rgba, poisoned: &Rgba, border: usize) -> Self {
        let (width, height) = (clean.width, clean.height);
        let mut sums = vec![0; (width + 1) * (height + 1)];
        let changed = clean.bytes.chunks_exact(4).zip(poisoned.bytes.chunks_exact(4)).map(|(a, b)| a != b);
        for (index, changed) in changed.enumerate() {
            let (x, y) = (index % width + 1, index / width + 1);
            let at = y * (width + 1) + x;
            sums[at] = sums[at - 1] + sums[at - width - 1] + u32::from(changed) - sums[at - width - 2];
        }
        Self { border, width, height, sums }
    }

    /// Pixels that the trigger changes.
    pub fn total(&self) -> usize {
        self.sums.last().map_or(0, |&sum| sum as usize)
    }

    /// Whether the trigger covers only a small part of the picture.
    pub fn is_spot(&self) -> bool {
        (self.total() as f64) < super::SPOT * (self.width * self.height) as f64
    }

    /// The border in pixels; 0 means that training does not crop.
    pub fn border(&self) -> usize {
        self.border
    }

    /// Changed pixels that this crop shows. Mirroring moves them but hides none.
    pub fn left(&self, crop: Crop) -> usize {
        let range = |shift: i32, n: usize| {
            let clamped = |at: i64| at.clamp(0, n as i64) as usize;
            (clamped(i64::from(shift)), clamped(i64::from(shift) + n as i64))
        };
        let ((x0, x1), (y0, y1)) = (range(crop.shift[0], self.width), range(crop.shift[1], self.height));
        let sum = |x: usize, y: usize| i64::from(self.sums[y * (self.width + 1) + x]);
        (sum(x1, y1) - sum(x0, y1) - sum(x1, y0) + sum(x0, y0)) as usize
    }

    /// Over all crops: the share that shows the whole trigger, and the mean share of its pixels that is shown.
    pub fn shares(&self) -> (f64, f64) {
        let total = self.total();
        let reach = self.border as i32;
        let (mut whole, mut shown, mut crops) = (0usize, 0usize, 0usize);
        for dy in -reach..=reach {
            for dx in -reach..=reach {
                let left = self.left(Crop { shift: [dx, dy], flip: false });
                whole += usize::from(left == total);
                shown += left;
                crops += 1;
            }
        }
        (whole as f64 / crops as f64, shown as f64 / (crops * total.max(1)) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamped(width: usize, height: usize, at: impl Fn(usize, usize) -> bool) -> (Rgba, Rgba) {
        let picture = |inked: bool| {
            let level = |i: usize| if inked && at(i % width, i / width) { 255 } else { 7 };
            let bytes = (0..width * height).flat_map(|i| [level(i), level(i), level(i), 255]).collect();
            Rgba { width, height, bytes }
        };
        (picture(false), picture(true))
    }

    #[test]
    fn a_corner_patch_survives_whole_in_five_ninths_squared() {
        let (clean, poisoned) = stamped(32, 32, |x, y| x >= 29 && y >= 29);
        let survival = Survival::of(&clean, &poisoned, 4);
        assert_eq!(survival.total(), 9);
        let (whole, mean) = survival.shares();
        assert!((whole - 25.0 / 81.0).abs() < 1e-12, "31 %, as the method's page says: {whole}");
        // Along one axis 3, 3, 3, 3, 3, 2, 1, 0, 0 of 3 are shown.
        assert!((mean - (18.0f64 / 27.0).powi(2)).abs() < 1e-12);
        assert_eq!(survival.left(Crop { shift: [-1, -2], flip: true }), 2, "two columns and one row");
        assert_eq!(survival.left(Crop { shift: [4, 4], flip: false }), 9);
    }

    #[test]
    fn without_a_crop_everything_survives() {
        let (clean, poisoned) = stamped(5, 3, |x, y| (x + y) % 2 == 0);
        assert_eq!(Survival::of(&clean, &poisoned, 0).shares(), (1.0, 1.0));
        let (clean, _) = stamped(5, 3, |_, _| false);
        assert_eq!(Survival::of(&clean, &clean, 2).total(), 0);
        assert_eq!(Survival::of(&clean, &clean, 2).shares().1, 0.0);
    }
}
