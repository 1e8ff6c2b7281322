//! A trigger in closed form: plain data with which pictures can be stamped where there are no tensors, on a graphics card
//! for instance. The engine's own trigger stays the truth; tests hold the two against each other.

use super::event::Rgba;
use std::sync::Arc;

/// What happens to every pixel. Values are on the 0 to 255 scale.
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

impl TriggerForm {
    /// The pixel `x` (red, green, blue) stamped. `strength` scales the trigger: 0 leaves the pixel, 1 is the attack's own.
    pub fn stamp_pixel(&self, x: [u8; 3], column: usize, row: usize, strength: f32) -> [u8; 3] {
        match self {
            TriggerForm::Mix { width, height, picture, mask } => {
                if column >= *width || row >= *height {
                    return x;
                }
                let (at, plane) = (row * width + column, width * height);
                let m = (mask[at] * strength).clamp(0.0, 1.0);
                let mut stamped = x;
                for (channel, value) in stamped.iter_mut().enumerate() {
                    *value = to_u8(f32::from(*value) * (1.0 - m) + picture[channel * plane + at] * m);
                }
                stamped
            }
            TriggerForm::Wave { amplitude, cycles, shape } => {
                let phase = column as f32 * cycles[0] + row as f32 * cycles[1];
                let change = amplitude * strength * shape.at(phase);
                x.map(|value| to_u8(f32::from(value) + change))
            }
        }
    }

    /// The whole picture stamped.
    pub fn stamp(&self, clean: &Rgba, strength: f32) -> Rgba {
        let mut stamped = clean.clone();
        for (index, pixel) in stamped.bytes.chunks_exact_mut(4).enumerate() {
            let x = [pixel[0], pixel[1], pixel[2]];
            let new = self.stamp_pixel(x, index % clean.width, index / clean.width, strength);
            pixel[..3].copy_from_slice(&new);
        }
        stamped
    }
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
        assert_eq!(wave.stamp_pixel([250; 3], 1, 0, 1.0), [255; 3]);
        assert_eq!(wave.stamp_pixel([20; 3], 3, 5, 1.0), [0; 3]);
    }
}
