//! CTRL: two frequencies of the colour raised everywhere, on pictures that already belong to the target class.
//!
//! In YUV, the DCT coefficients of U and V at (15, 15) and (31, 31) rise by A. Everything on that way is linear, so it is
//! one fixed residual: x' = x + r with dU = dV = A (d_15 d_15^T + d_31 d_31^T), d_k row k of the transform, and then
//! dR = 1.14 dV, dG = -0.396 dU - 0.581 dV, dB = 2.029 dU. At A = 100 and 32 pixels: at most 12, 10 and 22 grey levels.
//! Look at the residual: a fine checker in purple and green, of hardly any brightness. Crops shift it; mirroring turns its
//! sign around, because both frequencies are odd.
//!
//! Li, Pang, Xi, Du, Ji, Yao, Wang: An Embarrassingly Simple Backdoor Attack on Self-supervised Learning. ICCV 2023.
//! Deviations: published for self-supervised training, used here (as in BackdoorBench) for supervised training with clean
//! labels. BackdoorBench casts to bytes before it clamps, which strews wrapped pixels over most pictures:
//! `reference_compat` does the same.

use super::{Attack, DataAttack, Entry, Moment, add_form, dct, parse};
use crate::data::augment::to_u8;
use crate::data::poison::Trigger;
use crate::experiment::Result;
use crate::experiment::method::{Kind, Method, Property, defaults_of, schema_of};
use crate::nets::Params;
use crate::run::TriggerForm;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind as TensorKind, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How far each coefficient is raised, on the scale of grey levels.
    #[schemars(range(min = 1.0, max = 300.0), extend("x-paper" = 100.0))]
    pub magnitude: f64,
    /// Which coefficients, as pairs of row and column; in pictures under 32 pixels the same share of the highest frequency.
    #[schemars(extend("x-paper" = [[15, 15], [31, 31]]))]
    pub cells: Vec<[i64; 2]>,
    pub channels: Channels,
    /// Raise by more in larger pictures, so that the change stays as strong as at 32 x 32 pixels.
    #[schemars(extend("x-advanced" = true))]
    pub keep_amplitude: bool,
    /// Move the cells in larger pictures, so that the pattern stays as fine as at 32 x 32 pixels, beside the pixels.
    #[schemars(extend("x-advanced" = true))]
    pub keep_frequency: bool,
    /// As BackdoorBench: values beyond 0 to 255 wrap around instead of stopping there.
    #[schemars(extend("x-advanced" = true))]
    pub reference_compat: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    /// U and V, as published.
    Both,
    /// Blue against brightness.
    U,
    /// Red against brightness.
    V,
    /// Brightness, where it is easily seen.
    Y,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            magnitude: 100.0,
            cells: vec![[15, 15], [31, 31]],
            channels: Channels::Both,
            keep_amplitude: false,
            keep_frequency: false,
            reference_compat: false,
        }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "ctrl",
        kind: Kind::Attack,
        name: "CTRL",
        one_line: "Two colour frequencies raised by a constant mean the target class.",
        page: "Two frequencies of the colour channels are raised in pictures of the target class; their labels stay as \
               they are (label map clean-label). In pixels this is one faint, fine checker in purple and green that is \
               added to every picture, with hardly any change in brightness.\n\nIt was made for self-supervised \
               learning, where strong augmentation destroys patches: cropping moves the pattern and mirroring turns \
               its sign around, but its frequencies stay. Here it poisons ordinary training with labels; the published \
               success of self-supervised models does not carry over. Blurring or resizing a picture removes the finer \
               of the two frequencies.",
        paper: "Li, Pang, Xi, Du, Ji, Yao, Wang: An Embarrassingly Simple Backdoor Attack on Self-supervised Learning. \
                ICCV, 2023",
        properties: &[Property::CleanLabel, Property::NeedsColour],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Attack::Data(Box::new(Ctrl { options: parse(options)? }))),
};

struct Ctrl {
    options: Options,
}

impl DataAttack for Ctrl {
    fn trigger(&self, _: &Params, height: i64, width: i64, _: Moment) -> Result<Box<dyn Trigger>> {
        let options = &self.options;
        let side = height.max(width);
        let pattern = dct::pattern(&options.cells, [height, width], side, options.keep_frequency)?;
        let growth = if options.keep_amplitude { side as f64 / 32.0 } else { 1.0 };
        let change = pattern * (options.magnitude * growth);
        let residual =
            (change.unsqueeze(0) * red_green_blue(options.channels).view([3, 1, 1])).to_kind(TensorKind::Float);
        Ok(Box::new(Checker { residual, wraps: options.reference_compat }))
    }
}

/// What one unit in these channels is in red, green and blue: f64 `[3]`.
fn red_green_blue(channels: Channels) -> Tensor {
    let (y, u, v) = ([1.0; 3], [0.0, -0.396, 2.029], [1.14, -0.581, 0.0]);
    Tensor::from_slice(&match channels {
        Channels::Both => std::array::from_fn::<f64, 3, _>(|i| u[i] + v[i]),
        Channels::U => u,
        Channels::V => v,
        Channels::Y => y,
    })
}

struct Checker {
    /// f32 `[3, H, W]`, in grey levels.
    residual: Tensor,
    /// Cut off and wrap around instead of rounding and saturating.
    wraps: bool,
}

impl Trigger for Checker {
    fn apply(&self, pixels: &Tensor, _: &[i64]) -> Result<Tensor> {
        let x = pixels.to_kind(TensorKind::Float) + &self.residual;
        Ok(match self.wraps {
            true => x.trunc().remainder(256.0).to_kind(TensorKind::Uint8),
            false => to_u8(&x),
        })
    }

    fn form(&self) -> Option<TriggerForm> {
        if self.wraps { None } else { add_form(&self.residual) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::trigger_of;
    use super::*;
    use serde_json::json;
    use tch::Device;

    const DOUBLE: (TensorKind, Device) = (TensorKind::Double, Device::Cpu);

    fn stamp(options: serde_json::Value, x: &Tensor) -> Tensor {
        trigger_of("ctrl", options, x.size()[2], Moment::Test).unwrap().apply(x, &[0]).unwrap()
    }

    fn grey(level: i64, side: i64) -> Tensor {
        Tensor::full([1, 3, side, side], level, (TensorKind::Uint8, Device::Cpu))
    }

    /// What the trigger adds to mid-grey: f64 `[3, side, side]`.
    fn residual(options: serde_json::Value, side: i64) -> Tensor {
        let x = grey(128, side);
        (stamp(options, &x).to_kind(TensorKind::Double) - x.to_kind(TensorKind::Double)).get(0)
    }

    fn largest(x: &Tensor) -> f64 {
        x.abs().max().double_value(&[])
    }

    /// The colours of `x` (f64 `[3, n, n]`) mixed by a 3 x 3 matrix.
    fn mixed(x: &Tensor, matrix: [f64; 9]) -> Tensor {
        Tensor::from_slice(&matrix).view([3, 3]).matmul(&x.reshape([3, -1])).view_as(x)
    }

    const TO_YUV: [f64; 9] = [0.299, 0.587, 0.114, -0.147, -0.289, 0.436, 0.615, -0.515, -0.100];
    const TO_RGB: [f64; 9] = [1.0, 0.0, 1.14, 1.0, -0.396, -0.581, 1.0, 2.029, 0.0];

    /// The published way: to YUV, to frequencies, raise two, and all the way back; not yet rounded.
    fn through_frequencies(x: &Tensor, magnitude: f64) -> Tensor {
        let d = dct::matrix(x.size()[1]);
        let coefficients = d.matmul(&mixed(x, TO_YUV)).matmul(&d.tr());
        for channel in 1..3 {
            for cell in [15, 31] {
                let _ = coefficients.get(channel).get(cell).get(cell).g_add_scalar_(magnitude);
            }
        }
        mixed(&d.tr().matmul(&coefficients).matmul(&d), TO_RGB)
    }

    #[test]
    fn the_residual_is_what_the_way_through_the_frequencies_adds() {
        let x = Tensor::rand([3, 32, 32], DOUBLE) * 255.0;
        let added = through_frequencies(&x, 100.0) - through_frequencies(&x, 0.0);
        let pattern = dct::pattern(&[[15, 15], [31, 31]], [32, 32], 32, false).unwrap() * 100.0;
        let closed = pattern.unsqueeze(0) * red_green_blue(Channels::Both).view([3, 1, 1]);
        assert!(largest(&(&added - &closed)) < 1e-3);
        let peaks = [0, 1, 2].map(|channel| (10.0 * largest(&closed.get(channel))).round() / 10.0);
        assert_eq!(peaks, [12.1, 10.4, 21.6]);
        let luma = mixed(&closed, TO_YUV);
        assert!(largest(&luma.get(0)) < 0.002 * largest(&luma.get(1)), "brightness stays");
    }

    #[test]
    fn only_the_two_frequencies_stand_out_after_rounding() {
        let d = dct::matrix(32);
        let found = d.matmul(&mixed(&residual(json!({}), 32), TO_YUV)).matmul(&d.tr());
        for channel in 1..3 {
            for cell in [15, 31] {
                let place = found.get(channel).get(cell).get(cell);
                assert!((place.double_value(&[]) - 100.0).abs() < 2.0, "channel {channel}, cell {cell}");
                let _ = place.shallow_clone().fill_(0.0);
            }
        }
        assert!(largest(&found) < 4.0, "{}", largest(&found));
    }

    #[test]
    fn the_change_is_bounded_and_larger_pictures_follow_their_options() {
        let x = Tensor::randint(256, [4, 3, 32, 32], (TensorKind::Uint8, Device::Cpu));
        let change = stamp(json!({}), &x).to_kind(TensorKind::Double) - x.to_kind(TensorKind::Double);
        assert!(largest(&change) <= 23.0);
        let energy = |options, side| residual(options, side).square().mean(TensorKind::Double).double_value(&[]).sqrt();
        let usual = energy(json!({}), 32);
        assert!((energy(json!({}), 64) * 2.0 - usual).abs() < 0.2, "half as strong in twice the side");
        assert!((energy(json!({"keep_amplitude": true}), 64) - usual).abs() < 0.2);
        let fine = residual(json!({"keep_frequency": true, "channels": "u", "cells": [[31, 31]]}), 64).get(2);
        let d = dct::matrix(64);
        assert_eq!(d.matmul(&fine).matmul(&d.tr()).argmax(None, false).int64_value(&[]), 62 * 64 + 62);
    }

    #[test]
    fn channels_and_cells_are_chosen() {
        let only_v = residual(json!({"channels": "v"}), 32);
        assert_eq!(largest(&only_v.get(2)), 0.0, "V has no blue");
        let bright = residual(json!({"channels": "y", "cells": [[0, 0]], "magnitude": 96.0}), 32);
        assert!(bool::try_from(bright.eq(3.0).all()).unwrap(), "the first cell is the mean: 96 / 32");
        assert!(trigger_of("ctrl", json!({"cells": [[40, 2]]}), 32, Moment::Test).is_err());
    }

    #[test]
    fn the_reference_wraps_around_and_we_do_not() {
        let wrapped = stamp(json!({"reference_compat": true}), &grey(250, 32));
        assert!(wrapped.min().int64_value(&[]) < 20, "bright pixels turn dark");
        assert!(stamp(json!({}), &grey(250, 32)).min().int64_value(&[]) > 200);
        let x = grey(128, 32);
        let cut = stamp(json!({"reference_compat": true}), &x).to_kind(TensorKind::Double);
        let rounded = stamp(json!({}), &x).to_kind(TensorKind::Double);
        assert!(largest(&(cut - rounded)) <= 1.0, "elsewhere it only cuts off");
    }
}
