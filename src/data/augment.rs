//! Random crop and mirror for whole batches at once, on 8-bit tensors.

use rand::{Rng, RngExt};
use tch::{Kind, Tensor};

/// How training pictures are varied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Augment {
    /// Black border, in pixels, added before a random crop back to size.
    pub crop: i64,
    /// Mirror every second picture.
    pub flip: bool,
}

impl Augment {
    pub const NONE: Augment = Augment { crop: 0, flip: false };

    /// `pixels` is `[N, C, H, W]` of any kind; every picture gets its own offset and its own coin.
    pub fn apply(self, pixels: &Tensor, rng: &mut impl Rng) -> Tensor {
        if self == Self::NONE {
            return pixels.shallow_clone();
        }
        let [n, c, h, w] = size4(pixels);
        let border = self.crop;
        let (tall, wide) = (h + 2 * border, w + 2 * border);
        let mut draw = |most: i64| -> Tensor {
            let values: Vec<i64> = (0..n).map(|_| rng.random_range(0..=most)).collect();
            Tensor::from_slice(&values).view([n, 1, 1])
        };
        let (dy, dx) = (draw(2 * border), draw(2 * border));
        let mirrored = if self.flip { draw(1) } else { Tensor::zeros([n, 1, 1], tch::kind::INT64_CPU) };

        let y = Tensor::arange(h, tch::kind::INT64_CPU).view([1, h, 1]) + dy;
        let x = Tensor::arange(w, tch::kind::INT64_CPU).view([1, 1, w]);
        let x = &x + &mirrored * (w - 1 - &x * 2) + dx;
        let index = (y * wide + x).view([n, 1, h * w]).expand([n, c, h * w], false).to_device(pixels.device());
        let padded =
            if border > 0 { pixels.constant_pad_nd([border, border, border, border]) } else { pixels.shallow_clone() };
        padded.contiguous().view([n, c, tall * wide]).gather(2, &index, false).view([n, c, h, w])
    }
}

/// Looks every pixel of f32 `[N, C, H, W]` up at the nearest place of the old picture; 0 where there is none. `maps`, f32
/// `[N, 2, 3]`, lead from a place in the new picture to the old one; both run from -1 to 1.
pub fn look_up(x: &Tensor, maps: &Tensor) -> Tensor {
    // libtorch's numbers for ways of looking up, and for what lies outside.
    const NEAREST: i64 = 1;
    const ZEROS: i64 = 0;
    let grid = Tensor::affine_grid_generator(&maps.to_device(x.device()), size4(x), false);
    x.grid_sampler(&grid, NEAREST, ZEROS, false)
}

/// Every picture of f32 `[N, C, H, W]` turned around its middle by its own angle, in degrees; black comes in from outside.
pub fn turn(x: &Tensor, degrees: &[f64]) -> Tensor {
    let [n, _, height, width] = size4(x);
    let slant = width as f64 / height as f64;
    let map = |angle: &f64| {
        let (sin, cos) = angle.to_radians().sin_cos();
        [cos, -sin / slant, 0.0, sin * slant, cos, 0.0].map(|value| value as f32)
    };
    let values: Vec<f32> = degrees.iter().flat_map(map).collect();
    look_up(x, &Tensor::from_slice(&values).view([n, 2, 3]))
}

/// The four extents of a batch of pictures.
pub fn size4(pixels: &Tensor) -> [i64; 4] {
    let size = pixels.size();
    debug_assert_eq!(size.len(), 4, "pictures are [N, C, H, W]");
    [size[0], size[1], size[2], size[3]]
}

/// u8 pixels as f32 in 0..=1.
pub fn unit(pixels: &Tensor) -> Tensor {
    pixels.to_kind(Kind::Float) / 255.0
}

/// f32 on the 0..=255 scale to u8: round to nearest, then saturate (never wrap or truncate).
pub fn to_u8(x: &Tensor) -> Tensor {
    x.round().clamp(0.0, 255.0).to_kind(Kind::Uint8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn pictures() -> Tensor {
        Tensor::arange(4 * 3 * 5 * 6, tch::kind::INT64_CPU).remainder(251).to_kind(Kind::Uint8).view([4, 3, 5, 6])
    }

    #[test]
    fn every_output_is_a_shifted_perhaps_mirrored_copy() {
        let pixels = pictures();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let out = Augment { crop: 2, flip: true }.apply(&pixels, &mut rng);
        assert_eq!(out.size(), pixels.size());
        assert_eq!(out.kind(), Kind::Uint8);
        let padded = pixels.constant_pad_nd([2, 2, 2, 2]);
        for n in 0..4 {
            let fits = (0..=4).any(|dy| {
                (0..=4).any(|dx| {
                    let crop = padded.get(n).narrow(1, dy, 5).narrow(2, dx, 6);
                    out.get(n).equal(&crop) || out.get(n).equal(&crop.flip([2]))
                })
            });
            assert!(fits, "picture {n}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_batch_and_no_augmentation_changes_nothing() {
        let pixels = pictures();
        let augment = Augment { crop: 4, flip: true };
        let draw = |seed| augment.apply(&pixels, &mut ChaCha8Rng::seed_from_u64(seed));
        assert!(draw(1).equal(&draw(1)));
        assert!(!draw(1).equal(&draw(2)));
        assert!(Augment::NONE.apply(&pixels, &mut ChaCha8Rng::seed_from_u64(1)).equal(&pixels));
    }

    #[test]
    fn pictures_are_turned_each_by_its_own_angle() {
        let x = pictures().to_kind(Kind::Float).narrow(2, 0, 5).narrow(3, 0, 5).contiguous();
        let turned = turn(&x, &[0.0, 90.0, 180.0, 45.0]);
        assert!(turned.get(0).equal(&x.get(0)));
        let quarter = x.get(1).rot90(1, [1, 2]);
        assert!(turned.get(1).equal(&quarter) || turned.get(1).equal(&x.get(1).rot90(-1, [1, 2])));
        assert!(turned.get(2).equal(&x.get(2).rot90(2, [1, 2])));
        // The corners of an oblique picture come from outside.
        assert_eq!(turned.get(3).get(0).double_value(&[0, 0]), 0.0);
    }

    #[test]
    fn conversion_to_bytes_saturates() {
        let x = Tensor::from_slice(&[-3.0f32, 0.49, 0.51, 254.6, 300.0]);
        assert_eq!(Vec::<u8>::try_from(&to_u8(&x)).unwrap(), [0, 0, 1, 255, 255]);
    }
}
