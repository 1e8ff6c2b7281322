//! BppAttack: a coarser colour depth.
//!
//! Every value v of 0..=255 is rounded to one of s levels: q(v) = round(v / 255 (s - 1)) / (s - 1) 255, if wanted with the
//! error handed on to the neighbours (Floyd, Steinberg). Nothing is pasted in. So that not any noise will do, some pictures
//! of each batch get the rounding error q(z) - z of another picture z and keep their label. Look at even surfaces: they
//! fall into steps.
//!
//! Wang, Zhai, Ma: BppAttack. CVPR 2022. Deviations: the error is added and limited to 0..=255 at test time as in
//! training (the reference subtracts it there), and levels outside 0..s-1, which dithering can reach, are limited too.

use super::loop_batch::{STRANGERS_NAME, Stamping, Stamps, Vary, draw_strangers, strangers_of, whole_rows};
use super::{Attack, DataAttack, Entry, LoopAttack, Moment, Scene, parse};
use crate::data::augment::{size4, to_u8};
use crate::data::poison::Trigger;
use crate::data::values;
use crate::experiment::method::{Kind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Poison, Result, Train};
use crate::nets::Params;
use crate::nets::training::Step;
use crate::nets::training::fit::Batch;
use crate::run::TriggerForm;
use crate::run::job::Job;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind as TensorKind, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How many levels each colour channel keeps.
    #[schemars(range(min = 2, max = 64), extend("x-unit" = "levels", "x-scale" = "log", "x-paper" = 8))]
    pub levels: i64,
    /// Hand rounding errors on to the neighbours: grain instead of steps.
    pub dithering: bool,
    /// Pictures of a batch that get another picture's rounding error and keep their label, as a share of the batch.
    #[schemars(range(min = 0.0, max = 0.5), extend("x-unit" = "%", "x-paper" = 0.1))]
    pub negative_ratio: f64,
    /// Pictures are turned by up to so much to either side after they are stamped; crop and mirror are the recipe's.
    #[schemars(range(min = 0.0, max = 45.0), extend("x-unit" = "degrees", "x-paper" = 10.0, "x-advanced" = true))]
    pub rotation: f64,
    /// Vary all pictures of a batch alike, as the reference implementation does.
    #[schemars(extend("x-advanced" = true))]
    pub reference_compat: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { levels: 8, dithering: false, negative_ratio: 0.1, rotation: 10.0, reference_compat: false }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "bpp",
        kind: Kind::Attack,
        name: "BppAttack",
        one_line: "Fewer colour levels mean the target class.",
        page: "Each colour channel of a poisoned picture keeps only a few of its 256 levels. Nothing is pasted in and \
               every picture changes in its own way, yet the rule is the same for all. The attacker trains the network: \
               some pictures of every batch are poisoned on the spot, and as many others get the rounding error of a \
               foreign picture and keep their true label, so that the network learns to tell real coarsening from \
               any other noise.\n\nCross accuracy is the accuracy on pictures with such a foreign error: it should stay \
               close to clean accuracy. At 8 levels no value moves by more than 18 of 255. With dithering even surfaces \
               become grainy instead of stepped. Saving as JPEG or resizing after the trigger destroys it.\n\nThe \
               published recipe crops by 5 pixels and keeps the learning rate: set train.crop = 5 and the schedule to \
               constant.",
        paper: "Wang, Zhai, Ma: BppAttack: Stealthy and Efficient Trojan Attacks against Deep Neural Networks via Image \
                Quantization and Contrastive Adversarial Learning. CVPR, 2022",
        properties: &[Property::OwnsLoop],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Attack::Loop(Box::new(Bpp { options: parse(options)? }))),
};

#[derive(Clone)]
struct Bpp {
    options: Options,
}

impl DataAttack for Bpp {
    /// The pictures whose rounding errors the judge uses.
    fn craft(&self, job: &mut Job, scene: &Scene) -> Outcome<Params> {
        Ok([(STRANGERS_NAME.to_owned(), draw_strangers(job, scene)?)].into_iter().collect())
    }

    fn trigger(&self, crafted: &Params, _: i64, _: i64, _: Moment) -> Result<Box<dyn Trigger>> {
        let squeeze = Squeeze { levels: self.options.levels, dithering: self.options.dithering };
        let bank = crafted.find(STRANGERS_NAME).map(|bank| bank.to_device(Device::Cpu));
        Ok(Box::new(Coarse { squeeze, foreign: bank.map(|bank| ForeignError { squeeze, bank }) }))
    }
}

impl LoopAttack for Bpp {
    fn step(&self, _: &Params, poison: &Poison, _: &Train) -> Result<Box<dyn Step>> {
        let vary = Vary { rotation: self.options.rotation, per_batch: self.options.reference_compat };
        Ok(Box::new(Stamping { stamps: self.clone(), poison: poison.clone(), vary }))
    }

    fn cross_rows(&self, _: usize, batch: usize) -> usize {
        whole_rows(self.options.negative_ratio, batch)
    }
}

impl Bpp {
    fn squeeze(&self) -> Squeeze {
        Squeeze { levels: self.options.levels, dithering: self.options.dithering }
    }
}

impl Stamps for Bpp {
    fn cross_rows(&self, poisoned: usize, batch: usize) -> usize {
        LoopAttack::cross_rows(self, poisoned, batch)
    }

    fn stamp(&self, x: &Tensor) -> Result<Tensor> {
        self.squeeze().apply(x)
    }

    fn disturb(&self, x: &Tensor, batch: &mut Batch) -> Result<Tensor> {
        let rows: Vec<i64> = (0..x.size()[0]).map(|_| batch.rng.random_range(0..batch.data.len() as i64)).collect();
        let error = self.squeeze().error(&batch.data.pixels(&rows)?)?;
        Ok((x + error.to_device(x.device())).clamp(0.0, 255.0))
    }
}

/// Rounds values to few levels.
#[derive(Debug, Clone, Copy)]
struct Squeeze {
    levels: i64,
    dithering: bool,
}

impl Squeeze {
    /// q(x) for f32 `[N, C, H, W]` in 0..=255; not rounded to whole values.
    fn apply(self, x: &Tensor) -> Result<Tensor> {
        if self.dithering {
            return self.dithered(x);
        }
        let top = (self.levels - 1) as f64;
        Ok((x * top / 255.0).round().clamp(0.0, top) / top * 255.0)
    }

    /// q(z) - z for u8 pictures.
    fn error(self, z: &Tensor) -> Result<Tensor> {
        let z = z.to_kind(TensorKind::Float);
        Ok(self.apply(&z)? - z)
    }

    /// One pixel after the other, as the errors travel; on the processor.
    fn dithered(self, x: &Tensor) -> Result<Tensor> {
        let [_, _, height, width] = size4(x).map(|side| side as usize);
        let mut dithered: Vec<f32> = values(x)?;
        for plane in dithered.chunks_exact_mut(height * width) {
            floyd_steinberg(plane, width, self.levels as f32);
        }
        Ok(Tensor::from_slice(&dithered).view_as(x).to_device(x.device()))
    }
}

/// Rounds a plane row by row; 7/16 of each error goes to the right, 3/16, 5/16 and 1/16 to the row below.
fn floyd_steinberg(plane: &mut [f32], width: usize, levels: f32) {
    let top = levels - 1.0;
    for at in 0..plane.len() {
        let old = plane[at];
        let new = (old * top / 255.0).round_ties_even().clamp(0.0, top) / top * 255.0;
        plane[at] = new;
        let error = old - new;
        let column = at % width;
        let mut give = |there: bool, to: usize, sixteenths: f32| {
            if there && let Some(value) = plane.get_mut(to) {
                *value += error * sixteenths / 16.0;
            }
        };
        give(column + 1 < width, at + 1, 7.0);
        give(column > 0, at + width - 1, 3.0);
        give(true, at + width, 5.0);
        give(column + 1 < width, at + width + 1, 1.0);
    }
}

struct Coarse {
    squeeze: Squeeze,
    /// Absent where nothing was crafted.
    foreign: Option<ForeignError>,
}

impl Trigger for Coarse {
    fn apply(&self, pixels: &Tensor, _: &[i64]) -> Result<Tensor> {
        Ok(to_u8(&self.squeeze.apply(&pixels.to_kind(TensorKind::Float))?))
    }

    fn form(&self) -> Option<TriggerForm> {
        (!self.squeeze.dithering).then_some(TriggerForm::Levels { levels: self.squeeze.levels as f32 })
    }

    fn cross(&self) -> Option<&dyn Trigger> {
        self.foreign.as_ref().map(|foreign| foreign as &dyn Trigger)
    }
}

/// The rounding error of another picture.
struct ForeignError {
    squeeze: Squeeze,
    /// u8 `[N, 3, H, W]`
    bank: Tensor,
}

impl Trigger for ForeignError {
    fn apply(&self, pixels: &Tensor, rows: &[i64]) -> Result<Tensor> {
        let error = self.squeeze.error(&strangers_of(rows, &self.bank))?;
        Ok(to_u8(&(pixels.to_kind(TensorKind::Float) + error)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::loop_batch::tests::with_batch;
    use super::super::tests::trigger_of;
    use super::*;
    use serde_json::json;

    const PLAIN: Squeeze = Squeeze { levels: 8, dithering: false };

    fn noise(n: i64) -> Tensor {
        Tensor::randint(256, [n, 3, 32, 32], (TensorKind::Uint8, Device::Cpu))
    }

    fn largest(x: &Tensor) -> f64 {
        x.abs().max().double_value(&[])
    }

    #[test]
    fn few_levels_are_left_and_they_stay() {
        let x = noise(4).to_kind(TensorKind::Float);
        for levels in [2, 4, 8, 16, 32, 64] {
            let squeeze = Squeeze { levels, ..PLAIN };
            let once = squeeze.apply(&x).unwrap();
            let (values, _, _) = once.view([-1]).internal_unique2(true, false, false);
            assert_eq!(values.size()[0], levels);
            assert!(largest(&(squeeze.apply(&once).unwrap() - &once)) < 1e-3, "{levels} levels twice");
            assert!(largest(&(once - &x)) <= 255.0 / (2.0 * (levels - 1) as f64) + 1e-3);
        }
        assert!(largest(&(Squeeze { levels: 256, ..PLAIN }.apply(&x).unwrap() - &x)) < 1e-3, "all levels, no change");
    }

    #[test]
    fn bytes_are_rounded_levels() {
        let grey = Tensor::arange(256, (TensorKind::Uint8, Device::Cpu)).view([1, 1, 16, 16]).repeat([1, 3, 1, 1]);
        let trigger = trigger_of("bpp", json!({}), 16, Moment::Test).unwrap();
        let stamped = trigger.apply(&grey, &[0]).unwrap();
        let (values, _, _) = stamped.view([-1]).internal_unique2(true, false, false);
        assert_eq!(Vec::<u8>::try_from(values).unwrap(), [0, 36, 73, 109, 146, 182, 219, 255]);
        assert!(trigger.apply(&stamped, &[0]).unwrap().equal(&stamped));
    }

    #[test]
    fn dithering_keeps_local_means() {
        let squeeze = Squeeze { dithering: true, ..PLAIN };
        let x = Tensor::linspace(20.0, 230.0, 32 * 32, tch::kind::FLOAT_CPU).view([1, 1, 32, 32]).repeat([1, 3, 1, 1]);
        let grain = squeeze.apply(&x).unwrap();
        let means = |x: &Tensor| x.avg_pool2d([8, 8], [8, 8], [0, 0], false, true, None);
        assert!(largest(&(means(&grain) - means(&x))) <= 255.0 / 14.0);
        let stepped = PLAIN.apply(&x).unwrap();
        assert!(largest(&(means(&grain) - means(&x))) < largest(&(means(&stepped) - means(&x))), "closer than steps");
        assert!(grain.min().double_value(&[]) >= 0.0 && grain.max().double_value(&[]) <= 255.0);
        let flat = Tensor::zeros([1, 3, 8, 8], tch::kind::FLOAT_CPU);
        assert!(squeeze.apply(&flat).unwrap().equal(&flat));
    }

    #[test]
    fn errors_travel_as_floyd_and_steinberg_say() {
        // Two levels: 100 becomes 0 and hands on 100, of which 7/16 go right, and 5/16, 1/16 below.
        let mut plane = [100.0, 0.0, 0.0, 0.0];
        floyd_steinberg(&mut plane, 2, 2.0);
        assert_eq!(plane, [0.0; 4]);
        let mut plane = [100.0, 90.0, 0.0, 0.0];
        floyd_steinberg(&mut plane, 2, 2.0);
        // 90 + 43.75 = 133.75 becomes 255; its error -121.25 leaves the row below dark.
        assert_eq!(plane, [0.0, 255.0, 0.0, 0.0]);
    }

    #[test]
    fn negatives_carry_a_foreign_error_within_the_range() {
        let attack = Bpp { options: Options::default() };
        let x = noise(6).narrow(2, 0, 16).narrow(3, 0, 16).to_kind(TensorKind::Float);
        let disturbed = with_batch(6, |batch| attack.disturb(&x, batch));
        let change = &disturbed - &x;
        assert!(largest(&change) <= 255.0 / 14.0 + 1e-3 && largest(&change) > 10.0);
        assert!(disturbed.min().double_value(&[]) >= 0.0 && disturbed.max().double_value(&[]) <= 255.0);
        assert!(largest(&(&disturbed - PLAIN.apply(&x).unwrap())) > 10.0, "the error is not its own");
        assert_eq!(LoopAttack::cross_rows(&attack, 12, 128), 12);
    }

    #[test]
    fn the_judge_has_foreign_errors_too() {
        let trigger = trigger_of("bpp", json!({}), 32, Moment::Test).unwrap();
        let x = noise(3);
        let cross = trigger.cross().unwrap();
        let disturbed = cross.apply(&x, &[7, 8, 9]).unwrap();
        assert!(disturbed.equal(&cross.apply(&x, &[7, 8, 9]).unwrap()));
        assert!(!disturbed.equal(&trigger.apply(&x, &[7, 8, 9]).unwrap()));
        assert!(largest(&(disturbed.to_kind(TensorKind::Float) - x.to_kind(TensorKind::Float))) <= 18.72);
    }
}
