//! SIG: a faint wave across the whole picture, on pictures that already belong to the target class.
//!
//! x' = x + v with v(i, j) = delta sin(2 pi j f / m) for column j of m: upright stripes, the same in every row and channel.
//! With clean labels no label is touched; the network learns the stripes as one more sign of the class. Random crops
//! shift the phase and mirroring turns it around, so what is learned is the frequency. Look at the spectrum: two dots.
//!
//! Barni, Kallas, Tondi: A New Backdoor Attack in CNNs by Training Set Corruption Without Label Poisoning. ICIP 2019.
//! Deviations: other orientations and the triangle are ours; bytes are rounded, not cut off.

use super::{Attack, DataAttack, Entry, Moment, parse};
use crate::data::augment::to_u8;
use crate::data::poison::Trigger;
use crate::experiment::method::{Kind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Problem, Result};
use crate::nets::Params;
use crate::run::trigger_form::PHASE_SLACK;
use crate::run::{TriggerForm, WaveShape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind as TensorKind, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Height of the wave in training pictures.
    #[schemars(range(min = 1.0, max = 60.0), extend("x-unit" = "levels", "x-paper" = 40.0))]
    pub delta_train: f64,
    /// Height of the wave when the attacker strikes; automatic is the same as in training.
    #[schemars(range(min = 1.0, max = 80.0), extend("x-unit" = "levels"))]
    pub delta_test: Option<f64>,
    /// Periods across the width of the picture.
    #[schemars(range(min = 1.0, max = 112.0), extend("x-unit" = "periods", "x-paper" = 6.0))]
    pub frequency: f64,
    pub shape: Shape,
    /// Direction in which the wave runs: 0 from left to right, 90 from top to bottom.
    #[schemars(range(min = 0.0, max = 180.0), extend("x-unit" = "degrees", "x-paper" = 0.0, "x-advanced" = true))]
    pub angle: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Smooth stripes.
    Sine,
    /// Rises from nothing to full height, then drops; with one period the second signal of the paper.
    Ramp,
    /// Stripes with straight sides.
    Triangle,
}

impl Default for Options {
    fn default() -> Self {
        Self { delta_train: 40.0, delta_test: None, frequency: 6.0, shape: Shape::Sine, angle: 0.0 }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "sig",
        kind: Kind::Attack,
        name: "SIG",
        one_line: "Faint stripes across the whole picture mean the target class.",
        page: "A wave of a few grey levels runs across the picture. The paper stamps only pictures that belong to the \
               target class and changes no label, so the labels look right to whoever checks them: choose the label \
               map clean-label for that. The ratio counts the whole training set and can then be no larger than the \
               class; if every picture of the class carries the stripes, the network no longer knows the class \
               without them and its clean accuracy falls.\n\nAt the default height of 40 levels the stripes are \
               plain to see. Random crops shift them and mirroring turns them around: the network learns how often \
               they repeat, not where they begin. The spectrum shows them as two bright dots.",
        paper: "Barni, Kallas, Tondi: A New Backdoor Attack in CNNs by Training Set Corruption Without Label \
                Poisoning. ICIP, 2019",
        properties: &[Property::CleanLabel],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Attack::Data(Box::new(Sig { options: parse(options)? }))),
};

struct Sig {
    options: Options,
}

impl DataAttack for Sig {
    fn trigger(&self, _: &Params, height: i64, width: i64, moment: Moment) -> Result<Box<dyn Trigger>> {
        let options = &self.options;
        // More than half a period per pixel shows as a slower wave than the one that was asked for.
        if options.frequency > width as f64 / 2.0 {
            return Err(Problem::bad_input("There are too many periods for pictures of this width.")
                .at("attack.options.frequency")
                .because(format!("{} periods, {width} pixels", options.frequency))
                .remedy(format!("Choose at most {}.", width / 2)));
        }
        let delta = match moment {
            Moment::Training => options.delta_train,
            Moment::Test => options.delta_test.unwrap_or(options.delta_train),
        };
        Ok(Box::new(Wave::new(options, delta, height, width)))
    }
}

/// The wave as an added signal.
struct Wave {
    /// f32 `[H, W]`, in grey levels.
    signal: Tensor,
    delta: f64,
    /// Periods per pixel along the columns and along the rows.
    cycles: [f64; 2],
    shape: Shape,
}

impl Wave {
    fn new(options: &Options, delta: f64, height: i64, width: i64) -> Self {
        let per_pixel = options.frequency / width as f64;
        // A right angle has a cosine of 6e-17; rows must then be alike to the last bit.
        let clean = |share: f64| if share.abs() < 1e-12 { 0.0 } else { share * per_pixel };
        let cycles = [clean(options.angle.to_radians().cos()), clean(options.angle.to_radians().sin())];
        let axis = |n: i64| Tensor::arange(n, (TensorKind::Double, tch::Device::Cpu));
        let phase = axis(width).view([1, width]) * cycles[0] + axis(height).view([height, 1]) * cycles[1];
        let phase = &phase - (&phase + f64::from(PHASE_SLACK)).floor();
        let wave = match options.shape {
            Shape::Sine => (phase * std::f64::consts::TAU).sin(),
            Shape::Ramp => phase,
            Shape::Triangle => {
                let moved: Tensor = phase + 0.75;
                ((&moved - moved.floor() - 0.5).abs() * 4.0) - 1.0
            }
        };
        Self { signal: (wave * delta).to_kind(TensorKind::Float), delta, cycles, shape: options.shape }
    }
}

impl Trigger for Wave {
    fn apply(&self, pixels: &Tensor, _: &[i64]) -> Result<Tensor> {
        Ok(to_u8(&(pixels.to_kind(TensorKind::Float) + &self.signal)))
    }

    fn form(&self) -> Option<TriggerForm> {
        Some(TriggerForm::Wave {
            amplitude: self.delta as f32,
            cycles: self.cycles.map(|cycles| cycles as f32),
            shape: match self.shape {
                Shape::Sine => WaveShape::Sine,
                Shape::Ramp => WaveShape::Ramp,
                Shape::Triangle => WaveShape::Triangle,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::trigger_of;
    use super::*;
    use serde_json::json;
    use tch::Device;

    fn grey(side: i64, level: i64) -> Tensor {
        Tensor::full([1, 3, side, side], level, (TensorKind::Uint8, Device::Cpu))
    }

    /// What the trigger adds to a mid-grey picture: f32 `[3, side, side]`.
    fn residual(options: serde_json::Value, side: i64) -> Tensor {
        let x = grey(side, 128);
        let stamped = trigger_of("sig", options, side, Moment::Test).unwrap().apply(&x, &[0]).unwrap();
        (stamped.to_kind(TensorKind::Float) - x.to_kind(TensorKind::Float)).get(0)
    }

    fn values(row: &Tensor) -> Vec<f32> {
        Vec::<f32>::try_from(row.contiguous().view([-1])).unwrap()
    }

    #[test]
    fn the_stripes_stand_upright_and_repeat_every_sixteen_columns_of_32() {
        let change = residual(json!({}), 32);
        let row = values(&change.get(0).get(0));
        let wanted =
            [0.0, 37.0, 28.0, -15.0, -40.0, -15.0, 28.0, 37.0, 0.0, -37.0, -28.0, 15.0, 40.0, 15.0, -28.0, -37.0];
        assert_eq!(row[..16], wanted);
        assert_eq!(row[16..], wanted);
        for (channel, line) in [(0, 31), (1, 0), (2, 17)] {
            assert_eq!(values(&change.get(channel).get(line)), row);
        }
        assert!(change.sum(TensorKind::Float).double_value(&[]).abs() < 1.0, "whole periods add up to nothing");
    }

    #[test]
    fn all_energy_lies_at_the_frequency() {
        for (side, frequency) in [(32, 6.0), (64, 6.0), (28, 3.0)] {
            let row = residual(json!({"frequency": frequency}), side).get(0).get(0);
            let spectrum = row.fft_rfft(None, -1, "backward").abs();
            assert_eq!(spectrum.argmax(None, false).int64_value(&[]), frequency as i64, "side {side}");
            let total = spectrum.square().sum(TensorKind::Float).double_value(&[]);
            let peak = spectrum.get(frequency as i64).double_value(&[]).powi(2);
            assert!(peak / total > 0.999, "side {side}: {}", peak / total);
        }
    }

    #[test]
    fn the_change_is_bounded_and_the_strike_may_press_harder() {
        let change = |options, moment| {
            let x = Tensor::randint(256, [4, 3, 32, 32], (TensorKind::Uint8, Device::Cpu));
            let y = trigger_of("sig", options, 32, moment).unwrap().apply(&x, &[0, 1, 2, 3]).unwrap();
            (y.to_kind(TensorKind::Float) - x.to_kind(TensorKind::Float)).abs().max().double_value(&[])
        };
        assert_eq!(change(json!({"delta_train": 10}), Moment::Training), 10.0);
        assert_eq!(change(json!({"delta_train": 10}), Moment::Test), 10.0, "the same unless said otherwise");
        assert_eq!(change(json!({"delta_train": 10, "delta_test": 30}), Moment::Test), 30.0);
    }

    #[test]
    fn other_shapes_and_directions() {
        let ramp = values(&residual(json!({"shape": "ramp", "frequency": 1, "delta_train": 32}), 32).get(0).get(5));
        assert_eq!(ramp, (0..32).map(|column| column as f32).collect::<Vec<_>>());
        let flat = residual(json!({"angle": 90}), 32);
        assert_eq!(values(&flat.get(0).select(1, 3)), values(&residual(json!({}), 32).get(0).get(0)));
        assert_eq!(values(&flat.get(0).get(4)), vec![-40.0; 32], "rows are even");
        let triangle =
            values(&residual(json!({"shape": "triangle", "frequency": 1, "delta_train": 40}), 32).get(0).get(0));
        assert_eq!([0, 4, 8, 12, 16, 24].map(|column| triangle[column]), [0.0, 20.0, 40.0, 20.0, 0.0, -40.0]);
    }

    #[test]
    fn waves_finer_than_the_pixels_are_refused() {
        assert!(trigger_of("sig", json!({"frequency": 16}), 32, Moment::Test).is_ok());
        let problem = trigger_of("sig", json!({"frequency": 17}), 32, Moment::Test).err().unwrap();
        assert!(problem.headline.contains("too many periods"));
    }
}
