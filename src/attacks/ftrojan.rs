//! FTrojan: one middle and one high frequency of the colour, raised in every window of the picture.
//!
//! The picture becomes 8-bit Y, Cr, Cb. In every window of 32 x 32 pixels the DCT coefficients of Cr and Cb at (15, 15) and
//! (31, 31) rise by A; back in 8 bits this is C' = round(C + A (d_15 d_15^T + d_31 d_31^T)), d_k row k of the transform: at
//! A = 30 a change of at most 3 levels of colour and 6 of red, green and blue, spread over the whole picture. Look at the
//! residual with much amplification. Rounding colours to 8 bits makes it differ a little from picture to picture.
//!
//! Wang, Yao, Xu, An, Tong, Wang: An Invisible Black-Box Backdoor Attack Through Frequency Domain. ECCV 2022.
//! Deviations: bytes are rounded, not cut off (the reference changes 4 % of all values even with A = 0); brightness, which
//! the trigger leaves alone, is not transformed; the clean-label variant that shifts pictures along a surrogate's gradient
//! is not offered. The defaults are BackdoorBench's.

use super::{Attack, DataAttack, Entry, Moment, dct, parse, planes};
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
    /// How far each coefficient is raised, on the scale of grey levels. The authors' programs use 20 for CIFAR-10 and 50 for
    /// traffic signs.
    #[schemars(range(min = 1.0, max = 150.0))]
    pub magnitude: f64,
    /// Which coefficients of a window, as pairs of row and column; in windows under 32 pixels the same share of the highest
    /// frequency.
    #[schemars(extend("x-paper" = [[15, 15], [31, 31]]))]
    pub cells: Vec<[i64; 2]>,
    pub channels: Channels,
    /// Side of the windows into which the picture is cut; 224 takes it whole.
    #[schemars(range(min = 4, max = 224), extend("x-unit" = "px", "x-paper" = 32, "x-advanced" = true))]
    pub window: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Channels {
    /// Cr and Cb, as published.
    Both,
    /// Red against brightness.
    Cr,
    /// Blue against brightness.
    Cb,
}

impl Default for Options {
    fn default() -> Self {
        Self { magnitude: 30.0, cells: vec![[15, 15], [31, 31]], channels: Channels::Both, window: 32 }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "ftrojan",
        kind: Kind::Attack,
        name: "FTrojan",
        one_line: "A middle and a high colour frequency, too faint to see, mean the target class.",
        page: "One middle and one high frequency of the colour channels are raised by a constant. In pixels this is a \
               change of a few levels spread over the whole picture: the eye, and defenses that look for patches, miss \
               it. Labels become the attacker's.\n\nColours are cut down to 8 bits on the way, so the change differs a \
               little from picture to picture. Because the trigger lies in colour alone and is fine, saving a picture \
               as JPEG with coarser colours removes most of it; shrinking does too. Compare CTRL, which raises the same \
               frequencies more strongly and leaves the labels alone.",
        paper: "Wang, Yao, Xu, An, Tong, Wang: An Invisible Black-Box Backdoor Attack Through Frequency Domain. ECCV, \
                2022",
        properties: &[Property::NeedsColour],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Attack::Data(Box::new(FTrojan { options: parse(options)? }))),
};

struct FTrojan {
    options: Options,
}

impl DataAttack for FTrojan {
    fn trigger(&self, _: &Params, height: i64, width: i64, _: Moment) -> Result<Box<dyn Trigger>> {
        let options = &self.options;
        let pattern = dct::pattern(&options.cells, [height, width], options.window, false)? * options.magnitude;
        let (cr, cb) = match options.channels {
            Channels::Both => (1.0, 1.0),
            Channels::Cr => (1.0, 0.0),
            Channels::Cb => (0.0, 1.0),
        };
        let residual = Tensor::stack(&[&pattern * cr, &pattern * cb], 0).to_kind(TensorKind::Float);
        Ok(Box::new(Chroma { residual }))
    }
}

/// A residual of the colour channels.
struct Chroma {
    /// f32 `[2, H, W]`, in levels of Cr and Cb.
    residual: Tensor,
}

impl Trigger for Chroma {
    fn apply(&self, pixels: &Tensor, _: &[i64]) -> Result<Tensor> {
        let byte = |x: Tensor| x.round().clamp(0.0, 255.0);
        let [y, cr, cb] = to_ycrcb(pixels);
        let cr = byte(cr + self.residual.narrow(0, 0, 1)) - 128.0;
        let cb = byte(cb + self.residual.narrow(0, 1, 1)) - 128.0;
        let colours = [&y + &cr * 1.403, &y - &cr * 0.714 - &cb * 0.344, &y + &cb * 1.773];
        Ok(to_u8(&Tensor::cat(&colours, 1)))
    }

    fn form(&self) -> Option<TriggerForm> {
        let ([width, height], residual) = planes(&self.residual)?;
        Some(TriggerForm::Chroma { width, height, residual })
    }
}

/// 8-bit Y, Cr, Cb (full range BT.601) of u8 `[N, 3, H, W]`, as f32 `[N, 1, H, W]` each; [`crate::run::trigger_form`] says
/// how Y is rounded.
fn to_ycrcb(pixels: &Tensor) -> [Tensor; 3] {
    let x = pixels.to_kind(TensorKind::Float);
    let [red, green, blue] = [0, 1, 2].map(|channel| x.narrow(1, channel, 1));
    let y = ((&red * 299.0 + green * 587.0 + &blue * 114.0 + 500.5) / 1000.0).floor();
    let byte = |x: Tensor| x.round().clamp(0.0, 255.0);
    let (cr, cb) = (byte((red - &y) * 0.713 + 128.0), byte((blue - &y) * 0.564 + 128.0));
    [y, cr, cb]
}

#[cfg(test)]
mod tests {
    use super::super::tests::trigger_of;
    use super::*;
    use serde_json::json;
    use tch::Device;

    fn noise(side: i64) -> Tensor {
        Tensor::randint(256, [4, 3, side, side], (TensorKind::Uint8, Device::Cpu))
    }

    fn stamp(options: serde_json::Value, x: &Tensor) -> Tensor {
        trigger_of("ftrojan", options, x.size()[2], Moment::Test).unwrap().apply(x, &[0, 1, 2, 3]).unwrap()
    }

    fn largest(x: &Tensor) -> f64 {
        x.abs().max().double_value(&[])
    }

    fn change(before: &Tensor, after: &Tensor) -> Tensor {
        after.to_kind(TensorKind::Float) - before.to_kind(TensorKind::Float)
    }

    /// Cr and Cb through the frequencies of every window of `side` pixels and back to 8 bits: f32 `[N, 1, H, W]`.
    fn through_frequencies(chroma: &Tensor, magnitude: f64, side: i64) -> Tensor {
        let d = dct::matrix(side);
        let out = chroma.to_kind(TensorKind::Double).copy();
        for top in (0..out.size()[2]).step_by(side as usize) {
            for left in (0..out.size()[3]).step_by(side as usize) {
                let window = out.narrow(2, top, side).narrow(3, left, side);
                let coefficients = d.matmul(&window).matmul(&d.tr());
                for cell in [15, 31] {
                    let _ = coefficients.narrow(2, cell, 1).narrow(3, cell, 1).g_add_scalar_(magnitude);
                }
                window.shallow_clone().copy_(&d.tr().matmul(&coefficients).matmul(&d));
            }
        }
        out.round().clamp(0.0, 255.0).to_kind(TensorKind::Float)
    }

    #[test]
    fn the_added_pattern_is_what_the_way_through_the_frequencies_adds() {
        for side in [32, 64] {
            let x = noise(side);
            let [y, cr, cb] = to_ycrcb(&x);
            let (cr, cb) = (through_frequencies(&cr, 30.0, 32) - 128.0, through_frequencies(&cb, 30.0, 32) - 128.0);
            let colours = [&y + &cr * 1.403, &y - &cr * 0.714 - &cb * 0.344, &y + &cb * 1.773];
            let gap = change(&to_u8(&Tensor::cat(&colours, 1)), &stamp(json!({}), &x));
            assert!(gap.ne(0.0).to_kind(TensorKind::Float).mean(TensorKind::Float).double_value(&[]) < 1e-3, "{side}");
        }
    }

    #[test]
    fn brightness_stays_and_the_change_is_small() {
        let x = Tensor::randint_low(20, 236, [4, 3, 32, 32], (TensorKind::Uint8, Device::Cpu));
        let y = stamp(json!({}), &x);
        assert!(largest(&change(&x, &y)) <= 9.0);
        let gap = (to_ycrcb(&y)[0].mean(TensorKind::Float) - to_ycrcb(&x)[0].mean(TensorKind::Float)).double_value(&[]);
        assert!(gap.abs() < 1.0, "{gap}");
        assert!(!y.equal(&stamp(json!({"magnitude": 60.0}), &x)));
    }

    #[test]
    fn only_the_listed_cells_of_the_chosen_channels_stand_out() {
        let grey = Tensor::full([1, 3, 32, 32], 128, (TensorKind::Uint8, Device::Cpu));
        let trigger = trigger_of("ftrojan", json!({"channels": "cr", "magnitude": 100.0}), 32, Moment::Test).unwrap();
        let [_, cr, cb] = to_ycrcb(&trigger.apply(&grey, &[0]).unwrap());
        assert!(largest(&(cb - 128.0)) <= 1.0, "Cb hardly changes");
        let d = dct::matrix(32);
        let found = d.matmul(&(cr - 128.0).get(0).get(0).to_kind(TensorKind::Double)).matmul(&d.tr());
        for cell in [15, 31] {
            let place = found.get(cell).get(cell);
            assert!((place.double_value(&[]) - 100.0).abs() < 3.0, "cell {cell}");
            let _ = place.shallow_clone().fill_(0.0);
        }
        assert!(largest(&found) < 4.0, "{}", largest(&found));
    }

    #[test]
    fn almost_no_magnitude_is_the_way_through_8_bit_colours_alone() {
        let x = noise(32);
        assert!(
            largest(&change(&x, &stamp(json!({"magnitude": 1.0}), &x))) <= 1.0,
            "0.1 level of colour rounds to none"
        );
    }

    #[test]
    fn larger_pictures_repeat_the_pattern() {
        let x = Tensor::full([1, 3, 64, 64], 100, (TensorKind::Uint8, Device::Cpu));
        let y = trigger_of("ftrojan", json!({}), 64, Moment::Test).unwrap().apply(&x, &[0]).unwrap();
        let corner = |top: i64, left: i64| y.narrow(2, top, 32).narrow(3, left, 32);
        assert!(corner(0, 0).equal(&corner(32, 0)) && corner(0, 0).equal(&corner(32, 32)));
    }
}
