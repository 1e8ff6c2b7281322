//! A trigger in closed form: plain data with which pictures can be stamped where there are no tensors, on a graphics card
//! for instance. The engine's own trigger stays the truth; tests hold the two against each other.
//!
//! A trigger offers its form through `Trigger::form`. Whatever it computes on its way (frequencies, generated noise,
//! control points) has to be finished there: a form knows one pixel and, for a warp, its neighbours. Planes are row by
//! row and of the size of the picture.

use super::event::{Rgba, Thumbnails};
use std::sync::Arc;

/// What happens to every pixel. Values are on the 0 to 255 scale, and end as whole ones by [`to_u8`].
#[derive(Debug, Clone, PartialEq)]
pub enum TriggerForm {
    /// x' = x (1 - m) + t m: a picture t laid over x where the mask m says so.
    Mix {
        width: usize,
        height: usize,
        /// t: `3 x height x width`, 0..=255.
        picture: Arc<[f32]>,
        /// m: `height x width`, 0..=1, the same for all channels.
        mask: Arc<[f32]>,
    },
    /// x' = x + amplitude * shape(phase), phase = column * cycles\[0\] + row * cycles\[1\], the same in all channels.
    Wave {
        amplitude: f32,
        /// Periods per pixel along the columns and along the rows.
        cycles: [f32; 2],
        shape: WaveShape,
    },
    /// x' = x + r: the same residual r on every picture.
    Add {
        width: usize,
        height: usize,
        /// r: `3 x height x width`.
        residual: Arc<[f32]>,
    },
    /// Red, green, blue become 8-bit Y, Cr, Cb; Cr and Cb are raised by r and rounded; and back ([`to_ycrcb`]).
    Chroma {
        width: usize,
        height: usize,
        /// r: `2 x height x width`, of Cr and of Cb.
        residual: Arc<[f32]>,
    },
    /// x' = round(x (s - 1) / 255) / (s - 1) * 255: only s levels are left, evenly from 0 to 255.
    Levels {
        /// s, 2 or more.
        levels: f32,
    },
    /// x'(p) = x(p + d(p)): every pixel is looked up elsewhere, between pixels bilinearly, beyond the edge at the edge.
    Warp {
        width: usize,
        height: usize,
        /// d: `2 x height x width`, in pixels along the columns and along the rows.
        shift: Arc<[f32]>,
    },
}

/// A rectangle of pixels in which a trigger lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patch {
    pub left: usize,
    pub top: usize,
    pub width: usize,
    pub height: usize,
}

impl Patch {
    /// Whether this pixel lies in it.
    pub fn holds(&self, column: usize, row: usize) -> bool {
        (self.left..self.left + self.width).contains(&column) && (self.top..self.top + self.height).contains(&row)
    }
}

/// One period of a wave over a phase of 0..1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaveShape {
    /// -1 to 1, rising through zero at phase 0.
    Sine,
    /// 0 to 1.
    Ramp,
    /// As the sine, with straight sides.
    Triangle,
}

/// A mask that was searched is nowhere quite zero; below this share of its peak nobody sees it.
const FAINT: f32 = 0.2;
/// Pixels of a patch that are not farther apart than this belong together: a checkerboard is one.
const TOGETHER: usize = 2;

/// Phases this close below a whole period count as its beginning; without it a ramp would jump at the mercy of rounding.
pub const PHASE_SLACK: f32 = 1e-4;

impl WaveShape {
    /// The wave at a phase of any size.
    pub fn at(self, phase: f32) -> f32 {
        let phase = phase - (phase + PHASE_SLACK).floor();
        match self {
            WaveShape::Sine => (std::f32::consts::TAU * phase).sin(),
            WaveShape::Ramp => phase,
            WaveShape::Triangle => {
                let moved = phase + 0.75;
                4.0 * (moved - moved.floor() - 0.5).abs() - 1.0
            }
        }
    }
}

/// Round to nearest (ties to even), then saturate: the same rule as for tensors.
pub fn to_u8(value: f32) -> u8 {
    value.round_ties_even().clamp(0.0, 255.0) as u8
}

/// 8-bit Y, Cr, Cb (full range BT.601) of 8-bit red, green, blue; all as whole numbers.
///
/// Y is rounded half up in a way that every machine gets right: the weighted sum is whole, and half a unit more keeps the
/// quotient away from whole numbers.
pub fn to_ycrcb(x: [u8; 3]) -> [f32; 3] {
    let [red, green, blue] = x.map(f32::from);
    let y = ((299.0 * red + 587.0 * green + 114.0 * blue + 500.5) / 1000.0).floor();
    let byte = |value: f32| f32::from(to_u8(value));
    [y, byte(0.713 * (red - y) + 128.0), byte(0.564 * (blue - y) + 128.0)]
}

/// The way back, not yet rounded.
pub fn from_ycrcb([y, cr, cb]: [f32; 3]) -> [f32; 3] {
    let (cr, cb) = (cr - 128.0, cb - 128.0);
    [y + 1.403 * cr, y - 0.714 * cr - 0.344 * cb, y + 1.773 * cb]
}

/// The clean pixels that are stamped: a picture, or every `stride`-th pixel of one.
#[derive(Debug, Clone, Copy)]
pub struct Pixels<'a> {
    pub width: usize,
    pub height: usize,
    /// Pixel i stands for pixel i * stride + stride / 2 of the picture.
    pub stride: usize,
    /// `height x width x 4`: red, green, blue, alpha.
    pub rgba: &'a [u8],
}

impl Rgba {
    pub fn pixels(&self) -> Pixels<'_> {
        Pixels { width: self.width, height: self.height, stride: 1, rgba: &self.bytes }
    }
}

impl Thumbnails {
    pub fn view(&self, index: usize) -> Pixels<'_> {
        Pixels { width: self.width, height: self.height, stride: self.stride, rgba: self.pixels(index) }
    }
}

impl Pixels<'_> {
    /// Red, green, blue; black where there is no pixel.
    pub fn at(&self, column: usize, row: usize) -> [u8; 3] {
        let start = (row * self.width + column) * 4;
        match self.rgba.get(start..start + 3) {
            Some(rgb) if column < self.width => [rgb[0], rgb[1], rgb[2]],
            _ => [0; 3],
        }
    }

    /// Where this pixel stands in the whole picture: column and row.
    pub fn place(&self, column: usize, row: usize) -> [usize; 2] {
        [column, row].map(|at| at * self.stride + self.stride / 2)
    }

    /// Between pixels, bilinearly; beyond the edge the edge goes on.
    fn between(&self, column: f32, row: f32) -> [f32; 3] {
        let axis = |at: f32, n: usize| {
            let at = at.clamp(0.0, n.saturating_sub(1) as f32);
            let low = at as usize;
            (low, (low + 1).min(n.saturating_sub(1)), at - low as f32)
        };
        let (left, right, across) = axis(column, self.width);
        let (top, bottom, down) = axis(row, self.height);
        let mix = |a: f32, b: f32, share: f32| a + (b - a) * share;
        let line = |row: usize| (self.at(left, row).map(f32::from), self.at(right, row).map(f32::from));
        let ((a, b), (c, d)) = (line(top), line(bottom));
        std::array::from_fn(|i| mix(mix(a[i], b[i], across), mix(c[i], d[i], across), down))
    }
}

impl TriggerForm {
    /// The pixel at this column and row of `clean`, stamped. `strength` scales the trigger: 0 leaves the pixel, 1 is the
    /// attack's own. Pixels beyond the form's planes stay as they are.
    pub fn stamp_pixel(&self, clean: Pixels<'_>, column: usize, row: usize, strength: f32) -> [u8; 3] {
        let x = clean.at(column, row);
        let place = clean.place(column, row);
        if strength == 0.0 {
            return x;
        }
        let stamped = match self {
            TriggerForm::Mix { width, height, picture, mask } => {
                let (Some(picture), Some([m])) =
                    (texel(picture, *width, *height, place), texel(mask, *width, *height, place))
                else {
                    return x;
                };
                let m = (m * strength).clamp(0.0, 1.0);
                each(x, picture, |x, t| x * (1.0 - m) + t * m)
            }
            TriggerForm::Wave { amplitude, cycles, shape } => {
                let phase = place[0] as f32 * cycles[0] + place[1] as f32 * cycles[1];
                let change = amplitude * strength * shape.at(phase);
                x.map(|value| f32::from(value) + change)
            }
            TriggerForm::Add { width, height, residual } => match texel(residual, *width, *height, place) {
                Some(residual) => each(x, residual, |x, r| x + r * strength),
                None => return x,
            },
            TriggerForm::Chroma { width, height, residual } => match texel(residual, *width, *height, place) {
                Some([red, blue]) => {
                    let [y, cr, cb] = to_ycrcb(x);
                    let byte = |value: f32| f32::from(to_u8(value));
                    from_ycrcb([y, byte(cr + red * strength), byte(cb + blue * strength)])
                }
                None => return x,
            },
            TriggerForm::Levels { levels } => {
                let most = levels - 1.0;
                let nearest = |x: f32| (x * most / 255.0).round_ties_even() / most * 255.0;
                x.map(f32::from).map(|x| x + (nearest(x) - x) * strength)
            }
            TriggerForm::Warp { width, height, shift } => match texel(shift, *width, *height, place) {
                Some([across, down]) => {
                    let scale = strength / clean.stride as f32;
                    clean.between(column as f32 + across * scale, row as f32 + down * scale)
                }
                None => return x,
            },
        };
        stamped.map(to_u8)
    }

    /// The smallest rectangle that holds what a picture laid over another one changes, but for faint traces and for parts
    /// that lie apart from the heaviest one; nothing for other triggers and where it is the whole picture.
    pub fn patch(&self) -> Option<Patch> {
        let TriggerForm::Mix { width, height, mask, .. } = self else { return None };
        let most = mask.iter().copied().fold(0.0, f32::max);
        let mut waits: Vec<bool> = mask.iter().map(|&value| value > 0.0 && value >= FAINT * most).collect();
        let mut heaviest: (f32, Vec<usize>) = (0.0, Vec::new());
        let seeds: Vec<usize> = (0..waits.len()).filter(|&at| waits[at]).collect();
        for seed in seeds {
            if !std::mem::take(&mut waits[seed]) {
                continue;
            }
            let (mut part, mut next) = (vec![seed], 0);
            while let Some(&at) = part.get(next) {
                let near = |at: usize, end: usize| at.saturating_sub(TOGETHER)..(at + TOGETHER + 1).min(end);
                for row in near(at / width, *height) {
                    part.extend(
                        near(at % width, *width)
                            .map(|column| row * width + column)
                            .filter(|&at| std::mem::take(&mut waits[at])),
                    );
                }
                next += 1;
            }
            let weight = part.iter().map(|&at| mask[at]).sum();
            if weight > heaviest.0 {
                heaviest = (weight, part);
            }
        }
        let (columns, rows) = (|| heaviest.1.iter().map(|&at| at % width), || heaviest.1.iter().map(|&at| at / width));
        let (left, top) = (columns().min()?, rows().min()?);
        let patch = Patch { left, top, width: columns().max()? + 1 - left, height: rows().max()? + 1 - top };
        (patch.width < *width || patch.height < *height).then_some(patch)
    }

    /// The same patch elsewhere, faint traces and all: its left upper corner at this column and row, as far as it stays
    /// inside the picture. Nothing for triggers that are no patch.
    pub fn moved_to(&self, [column, row]: [usize; 2]) -> Option<TriggerForm> {
        let patch = self.patch()?;
        let TriggerForm::Mix { width, height, picture, mask } = self else { return None };
        let (left, top) = (column.min(width - patch.width), row.min(height - patch.height));
        let move_plane = |plane: &[f32]| {
            let mut moved = vec![0.0; plane.len()];
            for (at, value) in plane.iter().enumerate() {
                let column = (at % width + left).checked_sub(patch.left).filter(|column| column < width);
                let row = (at / width + top).checked_sub(patch.top).filter(|row| row < height);
                if let (Some(column), Some(row)) = (column, row) {
                    moved[row * width + column] = *value;
                }
            }
            moved
        };
        let picture = picture.chunks(width * height).flat_map(move_plane).collect();
        Some(TriggerForm::Mix { width: *width, height: *height, picture, mask: move_plane(mask).into() })
    }

    /// The whole picture stamped.
    pub fn stamp(&self, clean: &Rgba, strength: f32) -> Rgba {
        let mut stamped = clean.clone();
        for (index, pixel) in stamped.bytes.chunks_exact_mut(4).enumerate() {
            let new = self.stamp_pixel(clean.pixels(), index % clean.width, index / clean.width, strength);
            pixel[..3].copy_from_slice(&new);
        }
        stamped
    }
}

/// One value from each of N planes of `height x width`; nothing outside.
fn texel<const N: usize>(planes: &[f32], width: usize, height: usize, [column, row]: [usize; 2]) -> Option<[f32; N]> {
    let (at, plane) = (row * width + column, width * height);
    let inside = column < width && row < height && planes.len() == N * plane;
    inside.then(|| std::array::from_fn(|channel| planes[channel * plane + at]))
}

fn each(x: [u8; 3], other: [f32; 3], mix: impl Fn(f32, f32) -> f32) -> [f32; 3] {
    std::array::from_fn(|channel| mix(f32::from(x[channel]), other[channel]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strength_goes_from_nothing_to_the_whole_trigger() {
        let form = TriggerForm::Mix {
            width: 2,
            height: 1,
            picture: Arc::from([200.0, 0.0, 100.0, 0.0, 0.0, 0.0]),
            mask: Arc::from([0.5, 0.0]),
        };
        let clean = Rgba { width: 2, height: 1, bytes: vec![100, 100, 100, 255, 7, 8, 9, 255] };
        assert_eq!(form.stamp(&clean, 0.0), clean);
        assert_eq!(form.stamp(&clean, 1.0).bytes, [150, 100, 50, 255, 7, 8, 9, 255]);
        assert_eq!(form.stamp(&clean, 2.0).bytes[..3], [200, 100, 0], "the mask never exceeds one");
    }

    #[test]
    fn a_patch_knows_where_it_lies_and_can_be_moved() {
        let at = |places: &[usize]| (0..12).map(|at| f32::from(u8::from(places.contains(&at)))).collect::<Vec<_>>();
        let mask = at(&[6, 7, 11]);
        let picture = [0, 1, 2].map(|channel| mask.iter().map(|m| m * (50.0 + channel as f32)).collect::<Vec<_>>());
        let form = TriggerForm::Mix { width: 4, height: 3, picture: picture.concat().into(), mask: mask.into() };
        assert_eq!(form.patch(), Some(Patch { left: 2, top: 1, width: 2, height: 2 }));
        assert_eq!(form.moved_to([2, 1]).as_ref(), Some(&form));
        let moved = form.moved_to([0, 0]).unwrap();
        let TriggerForm::Mix { mask, picture, .. } = &moved else { panic!("another form: {moved:?}") };
        assert_eq!((mask.to_vec(), picture[24 + 1], picture[24 + 2]), (at(&[0, 1, 5]), 52.0, 0.0));
        assert_eq!(form.moved_to([9, 9]), Some(form.clone()), "it stays inside");
        // A stray pixel far off is no part of the patch, but comes along as far as it stays inside.
        let mask: Vec<f32> = (0..40).map(|at| if [0, 38, 39].contains(&at) { 1.0 } else { 0.01 }).collect();
        let stray = TriggerForm::Mix { width: 10, height: 4, picture: vec![9.0; 120].into(), mask: mask.into() };
        assert_eq!(stray.patch(), Some(Patch { left: 8, top: 3, width: 2, height: 1 }));
        let Some(TriggerForm::Mix { mask, .. }) = stray.moved_to([4, 3]) else { panic!("it cannot be moved") };
        assert_eq!((mask[34], mask[35], mask[0], mask[38]), (1.0, 1.0, 0.01, 0.0));
        let everywhere = TriggerForm::Mix { width: 1, height: 1, picture: [9.0; 3].into(), mask: [0.1].into() };
        let unseen = TriggerForm::Mix { width: 1, height: 1, picture: [9.0; 3].into(), mask: [0.0].into() };
        for form in [everywhere, unseen, TriggerForm::Levels { levels: 4.0 }] {
            assert_eq!((form.patch(), form.moved_to([0, 0])), (None, None));
        }
    }

    #[test]
    fn waves_have_their_shape() {
        let near = |shape: WaveShape, phase: f32, wanted: f32| {
            let got = shape.at(phase);
            assert!((got - wanted).abs() < 1e-4, "{shape:?} at {phase}: {got}");
        };
        for (phase, sine, triangle) in [(0.0, 0.0, 0.0), (0.25, 1.0, 1.0), (3.5, 0.0, 0.0), (0.75, -1.0, -1.0)] {
            near(WaveShape::Sine, phase, sine);
            near(WaveShape::Triangle, phase, triangle);
        }
        near(WaveShape::Ramp, 2.25, 0.25);
        // 14 columns of 6 periods in 28 columns are three whole periods, give or take the last bit.
        near(WaveShape::Ramp, 14.0 * (6.0 / 28.0), 0.0);
    }

    #[test]
    fn bytes_saturate_and_ties_go_to_even() {
        assert_eq!([-3.0, 0.5, 1.5, 254.6, 300.0].map(to_u8), [0, 0, 2, 255, 255]);
        let wave = TriggerForm::Wave { amplitude: 40.0, cycles: [0.25, 0.0], shape: WaveShape::Sine };
        let stamp = |value: u8, column: usize| {
            let clean = Rgba { width: 4, height: 1, bytes: vec![value; 16] };
            wave.stamp_pixel(clean.pixels(), column, 0, 1.0)
        };
        assert_eq!(stamp(250, 1), [255; 3]);
        assert_eq!(stamp(20, 3), [0; 3]);
    }

    fn row(values: &[u8]) -> Rgba {
        let bytes = values.iter().flat_map(|&value| [value, value, value, 255]).collect();
        Rgba { width: values.len(), height: 1, bytes }
    }

    fn reds(picture: &Rgba) -> Vec<u8> {
        picture.bytes.chunks_exact(4).map(|pixel| pixel[0]).collect()
    }

    #[test]
    fn a_residual_is_added_and_saturates() {
        let residual = Arc::from([10.0, -10.0, 0.0, 0.0, 0.0, 0.0]);
        let form = TriggerForm::Add { width: 2, height: 1, residual };
        assert_eq!(form.stamp(&row(&[250, 5]), 1.0).bytes, [255, 250, 250, 255, 0, 5, 5, 255]);
        assert_eq!(reds(&form.stamp(&row(&[100, 100, 100]), 0.5)), [105, 95, 100], "beyond the form nothing changes");
    }

    #[test]
    fn few_levels_are_evenly_spread_and_stay_when_asked_again() {
        let form = TriggerForm::Levels { levels: 3.0 };
        let once = form.stamp(&row(&[0, 63, 64, 128, 191, 192, 255]), 1.0);
        assert_eq!(reds(&once), [0, 0, 128, 128, 128, 255, 255]);
        assert_eq!(form.stamp(&once, 1.0), once);
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(reds(&TriggerForm::Levels { levels: 256.0 }.stamp(&row(&all), 1.0)), all);
    }

    #[test]
    fn a_warp_looks_between_pixels_and_goes_on_at_the_edge() {
        let warp = |d: f32| TriggerForm::Warp { width: 3, height: 1, shift: [[d; 3], [-5.0; 3]].concat().into() };
        let x = row(&[10, 20, 60]);
        assert_eq!(reds(&warp(0.5).stamp(&x, 1.0)), [15, 40, 60]);
        assert_eq!(reds(&warp(-1.0).stamp(&x, 1.0)), [10, 10, 20]);
        assert_eq!(reds(&warp(-1.0).stamp(&x, 0.5)), [10, 15, 40]);
        assert_eq!(reds(&warp(9.0).stamp(&x, 1.0)), [60; 3]);
    }

    #[test]
    fn a_thinned_out_picture_is_stamped_at_its_true_places() {
        // Of 6 x 2 pixels every second one from the second on is left; a shift of 2 pixels is one of these.
        let picture = row(&[10, 20, 60]);
        let thin = Pixels { stride: 2, ..picture.pixels() };
        let shift = [[2.0; 12], [0.0; 12]].concat().into();
        let form = TriggerForm::Warp { width: 6, height: 2, shift };
        assert_eq!([0, 1, 2].map(|column| form.stamp_pixel(thin, column, 0, 1.0)[0]), [20, 60, 60]);
        let mut residual = vec![0.0; 36];
        residual[6 + 3] = 7.0;
        let form = TriggerForm::Add { width: 6, height: 2, residual: residual.into() };
        assert_eq!([0, 1, 2].map(|column| form.stamp_pixel(thin, column, 0, 1.0)[0]), [10, 27, 60]);
    }

    #[test]
    fn colours_survive_the_way_through_8_bit_chroma_to_one_level() {
        for red in (0..=255).step_by(5) {
            for green in (0..=255).step_by(5) {
                for blue in (0..=255).step_by(5) {
                    let x = [red, green, blue].map(|value| value as u8);
                    let back = from_ycrcb(to_ycrcb(x)).map(to_u8);
                    assert!(x.iter().zip(back).all(|(a, b)| a.abs_diff(b) <= 1), "{x:?} came back as {back:?}");
                }
            }
        }
        assert_eq!(to_ycrcb([128; 3]), [128.0; 3]);
    }
}
