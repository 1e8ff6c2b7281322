//! Attacks, one file each; `ALL` is the list of them.

pub mod badnets;
pub mod blended;
pub mod bpp;
pub mod ctrl;
pub mod dct;
pub mod ftrojan;
pub mod input_aware;
pub mod lc;
pub mod lf;
pub mod loop_batch;
pub mod selection;
pub mod sig;
pub mod stored;
pub mod surrogate;
pub mod trojannn;
pub mod wanet;
pub mod workshop;

use crate::data::Dataset;
use crate::data::poison::{Plan, Trigger};
use crate::experiment::method::Method;
use crate::experiment::{Outcome, Poison, Problem, Result, Train};
use crate::nets::training::Step;
use crate::nets::{Network, Params};
use crate::run::TriggerForm;
use crate::run::event::Rgba;
use crate::run::job::Job;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::rc::Rc;
use std::sync::Arc;
use tch::{Device, Kind};
use workshop::Workshop;

/// An attack's description and its constructor.
pub struct Entry {
    pub method: Method,
    pub make: fn(&Value) -> Result<Attack>,
}

pub static ALL: &[&Entry] = &[
    &badnets::ENTRY,
    &blended::ENTRY,
    &ctrl::ENTRY,
    &ftrojan::ENTRY,
    &lc::ENTRY,
    &lf::ENTRY,
    &sig::ENTRY,
    &trojannn::ENTRY,
    &bpp::ENTRY,
    &wanet::ENTRY,
    &input_aware::ENTRY,
    &stored::ENTRY,
];

/// What an attacker may touch.
pub enum Attack {
    /// Only the training data.
    Data(Box<dyn DataAttack>),
    /// The training loop.
    Loop(Box<dyn LoopAttack>),
}

impl Attack {
    /// What both kinds have: something to stamp pictures with.
    pub fn stamp(&self) -> &dyn DataAttack {
        match self {
            Attack::Data(attack) => &**attack,
            Attack::Loop(attack) => &**attack,
        }
    }
}

/// Where the pictures that are being stamped will be used; some attacks press harder when they strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Training,
    Test,
}

/// All that an attacker can see before the training begins.
pub struct Scene<'a> {
    /// The training set as it is.
    pub train: &'a dyn Dataset,
    /// Rows of it that may be stamped, ascending: the poisoned ones, or all eligible ones while they are still selected.
    pub rows: &'a [i64],
    /// The network that will be trained; a surrogate may have its shape.
    pub network: Rc<dyn Network>,
    /// The recipe that the victim will follow.
    pub recipe: &'a Train,
    pub poison: &'a Poison,
    pub device: Device,
    /// Kind of the heavy arithmetic.
    pub kind: Kind,
    pub workshop: &'a Workshop,
}

/// Makes the trigger of an attack. Data attacks need nothing else: the training itself is honest.
pub trait DataAttack {
    /// Tensors that the trigger needs and that cannot be shipped: made from a seed, or trained on the user's data. They
    /// are saved with the run. Most triggers need none.
    fn craft(&self, _job: &mut Job, _scene: &Scene) -> Outcome<Params> {
        Ok(Params::new())
    }

    /// The plan that the attack comes with; it must fit `poison`. Most attacks leave that to a selection.
    fn plan(&self, _train: &dyn Dataset, _poison: &Poison) -> Result<Option<Plan>> {
        Ok(None)
    }

    /// The trigger for pictures of `height` x `width` pixels, from what [`DataAttack::craft`] made.
    fn trigger(&self, crafted: &Params, height: i64, width: i64, moment: Moment) -> Result<Box<dyn Trigger>>;

    /// Pictures of what was crafted, or learned along with the network; kept with the run. The trigger on some pictures
    /// of `train` is shown without that.
    fn exhibits(&self, _crafted: &Params, _train: &dyn Dataset) -> Result<Vec<Exhibit>> {
        Ok(Vec::new())
    }
}

/// A picture of an attacker's work.
pub struct Exhibit {
    /// Names it among the run's pictures, and its file: `surrogate` becomes `surrogate.png`.
    pub key: &'static str,
    pub caption: String,
    pub picture: Rgba,
}

/// Most probable classes of u8 pictures `[N, 3, H, W]`.
pub type Ask<'a> = dyn FnMut(&tch::Tensor) -> Result<Vec<i64>> + 'a;

/// An attack that owns the training loop.
pub trait LoopAttack: DataAttack {
    /// How it turns a clean batch into its loss. What it trains itself shares memory with `crafted`, so that the trigger
    /// follows the training.
    fn step(&self, crafted: &Params, poison: &Poison, recipe: &Train) -> Result<Box<dyn Step>>;

    /// How many rows of a batch carry a disturbance and keep their label, beside `poisoned` ones.
    fn cross_rows(&self, poisoned: usize, batch: usize) -> usize;

    /// Pictures that only the trained network can explain; `ask` gives its answers on u8 pictures `[N, 3, H, W]`.
    fn demonstrate(
        &self,
        _crafted: &Params,
        _train: &dyn Dataset,
        _poison: &Poison,
        _ask: &mut Ask,
    ) -> Result<Vec<Exhibit>> {
        Ok(Vec::new())
    }
}

/// A tensor of what [`DataAttack::craft`] made.
pub fn crafted<'a>(params: &'a Params, name: &str) -> Result<&'a tch::Tensor> {
    params.find(name).ok_or_else(workshop::not_made_yet)
}

/// The attack `id` with these options.
pub fn make(id: &str, options: &Value) -> Result<Attack> {
    let entry = ALL.iter().find(|entry| entry.method.id == id).ok_or_else(|| {
        let known: Vec<_> = ALL.iter().map(|entry| entry.method.id).collect();
        Problem::bad_input(format!("There is no attack `{id}`.")).remedy(format!("Known are {}.", known.join(", ")))
    })?;
    (entry.make)(options)
}

fn parse<T: DeserializeOwned>(options: &Value) -> Result<T> {
    serde_json::from_value(options.clone())
        .map_err(|e| Problem::bad_input("The options of this attack do not fit.").because(e))
}

/// The closed form of x' = x (1 - m) + t m; `picture` is f32 `[3, H, W]` in 0..=255, `mask` f32 `[1, H, W]` in 0..=1.
fn mix_form(picture: &tch::Tensor, mask: &tch::Tensor) -> Option<TriggerForm> {
    let ([width, height], picture) = planes(picture)?;
    Some(TriggerForm::Mix { width, height, picture, mask: planes(mask)?.1 })
}

/// The closed form of x' = x + r; `residual` is f32 `[3, H, W]`, in grey levels.
pub fn add_form(residual: &tch::Tensor) -> Option<TriggerForm> {
    let ([width, height], residual) = planes(residual)?;
    Some(TriggerForm::Add { width, height, residual })
}

/// The closed form of x'(p) = x(p + d(p)); `shift` is f32 `[2, H, W]`: pixels along the columns, pixels along the rows.
pub fn warp_form(shift: &tch::Tensor) -> Option<TriggerForm> {
    let ([width, height], shift) = planes(shift)?;
    Some(TriggerForm::Warp { width, height, shift })
}

/// Width and height, and the values row by row, of f32 `[N, H, W]`.
fn planes(tensor: &tch::Tensor) -> Option<([usize; 2], Arc<[f32]>)> {
    let size = tensor.size();
    let side = |axis: usize| usize::try_from(*size.get(axis)?).ok();
    Some(([side(2)?, side(1)?], Vec::<f32>::try_from(tensor.contiguous().view([-1])).ok()?.into()))
}

/// A picture file as f32 RGBA in 0..=255, `[4, H, W]`.
fn read_picture(path: &std::path::Path) -> Result<tch::Tensor> {
    let bytes = std::fs::read(path).map_err(|e| Problem::io("read the picture", path, &e))?;
    let picture = image::load_from_memory(&bytes)
        .map_err(|e| {
            Problem::bad_file("This is not a picture that can be read.")
                .at(path.display())
                .because(e)
                .remedy("Give a PNG, JPEG, BMP, PPM, TIFF or WebP file.")
        })?
        .to_rgba8();
    let shape = [i64::from(picture.height()), i64::from(picture.width()), 4];
    let pixels = tch::Tensor::from_data_size(picture.as_raw(), &shape, tch::Kind::Uint8);
    Ok(pixels.permute([2, 0, 1]).contiguous().to_kind(tch::Kind::Float))
}

/// A picture f32 `[C, h, w]` in another size; where it shrinks, every pixel counts.
fn resize(picture: &tch::Tensor, height: i64, width: i64) -> tch::Tensor {
    picture.unsqueeze(0).internal_upsample_bilinear2d_aa([height, width], false, None, None).squeeze_dim(0)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::experiment::{Code, Property};
    use serde_json::json;
    use tch::{Kind, Tensor};

    /// The trigger of an attack made from options, for square pictures. Attacks that own the loop craft first.
    pub fn trigger_of(id: &str, options: Value, side: i64, moment: Moment) -> Result<Box<dyn Trigger>> {
        let attack = make(id, &options)?;
        let made = match &attack {
            Attack::Data(_) => Params::new(),
            Attack::Loop(_) => in_scene(side, |job, scene| attack.stamp().craft(job, scene))?,
        };
        attack.stamp().trigger(&made, side, side, moment)
    }

    /// What an attacker finds in a tiny experiment: 24 grey-noise pictures of ten classes, batches of eight.
    pub fn in_scene<R>(side: i64, act: impl FnOnce(&mut Job, &Scene) -> Outcome<R>) -> Result<R> {
        use crate::data::{Card, Memory};
        use crate::nets::{InputSpec, zoo};
        // Networks as small as these only lose by sharing their work.
        tch::set_num_threads(1);
        let pixels: Vec<u8> = (0..24 * 3 * side * side).map(|i| (i * i % 251 + i % 5) as u8).collect();
        let card = Card {
            name: "noise".into(),
            format: "test".into(),
            classes: (0..10).map(|class| class.to_string()).collect(),
            height: side as usize,
            width: side as usize,
            channels: 3,
            hash: String::new(),
        };
        let data = Memory::new(card, &pixels, (0..24).map(|row| row % 10).collect())?;
        let input = InputSpec { height: side, width: side, mean: [0.4; 3], std: [0.25; 3], classes: 10 };
        let scene = Scene {
            train: &data,
            rows: &(0..24).collect::<Vec<_>>(),
            network: Rc::from(zoo::build("small-resnet", &json!({"width": 4}), input)?),
            recipe: &Train { batch: 8, ..Train::default() },
            poison: &Poison { ratio: 0.25, ..Poison::default() },
            device: Device::Cpu,
            kind: Kind::Float,
            workshop: &Workshop::default(),
        };
        let folder = tempfile::tempdir().unwrap();
        act(&mut Job::detached(folder.path(), 1), &scene).map_err(Problem::from)
    }

    /// The defaults, but quick to craft.
    fn quick(entry: &Entry) -> Value {
        let mut options = (entry.method.defaults)();
        for (name, value) in [("mask_epochs", 1), ("width", 4)] {
            if let Some(option) = options.get_mut(name) {
                *option = json!(value);
            }
        }
        options
    }

    #[test]
    fn every_trigger_keeps_shape_and_kind_does_not_wrap_and_repeats() {
        // What is stored is looked up by row; its own file tests that.
        for entry in ALL.iter().filter(|entry| !entry.method.has(Property::ComesPoisoned)) {
            for side in [28, 32, 64] {
                let trigger = match trigger_of(entry.method.id, quick(entry), side, Moment::Test) {
                    Err(problem) => {
                        assert_eq!(problem.code, Code::NotMadeYet, "{}: {problem}", entry.method.id);
                        continue;
                    }
                    Ok(trigger) => trigger,
                };
                let stamp = |pixels: &Tensor| trigger.apply(pixels, &[0, 1]).unwrap();
                for level in [0, 255] {
                    let pixels = Tensor::full([2, 3, side, side], level, (Kind::Uint8, tch::Device::Cpu));
                    let stamped = stamp(&pixels);
                    assert_eq!((stamped.size(), stamped.kind()), (pixels.size(), Kind::Uint8), "{}", entry.method.id);
                    assert!(stamped.equal(&stamp(&pixels)), "{} repeats", entry.method.id);
                }
                let noise = Tensor::randint(256, [2, 3, side, side], (Kind::Uint8, tch::Device::Cpu));
                assert!(!stamp(&noise).equal(&noise), "{} changes something", entry.method.id);
            }
        }
    }

    /// A trigger's plain form is a second implementation; it must say the same as the tensors.
    #[test]
    fn closed_forms_say_what_the_tensors_say() {
        let variants = |id: &str| match id {
            "badnets" => vec![json!({}), json!({"shape": "cross", "size": 9, "opacity": 0.4, "color": "#3080c0"})],
            "blended" => vec![json!({}), json!({"alpha_test": 0.07, "key": "noise"})],
            "sig" => vec![
                json!({}),
                json!({"shape": "ramp", "frequency": 1.0}),
                json!({"shape": "triangle", "angle": 30.0, "frequency": 4.5, "delta_test": 25.5}),
            ],
            "ctrl" => vec![json!({}), json!({"channels": "y", "cells": [[3, 0], [20, 31]]})],
            "ftrojan" => vec![json!({}), json!({"magnitude": 80, "channels": "cb", "window": 8})],
            "bpp" => vec![json!({}), json!({"levels": 64}), json!({"levels": 2}), json!({"dithering": true})],
            "wanet" => vec![json!({}), json!({"strength": 2.5, "grid": 7, "rescale": 0.95})],
            "input-aware" => vec![json!({"mask_epochs": 1, "width": 4})],
            "lc" => vec![json!({}), json!({"corners_test": 0.3, "corners": "bottom-right"})],
            _ => vec![json!({})],
        };
        for entry in ALL.iter().filter(|entry| !entry.method.has(Property::ComesPoisoned)) {
            for options in variants(entry.method.id) {
                match trigger_of(entry.method.id, options.clone(), 28, Moment::Test) {
                    Err(problem) => assert_eq!(problem.code, Code::NotMadeYet, "{problem}"),
                    Ok(trigger) => form_agrees(&*trigger, 28, &format!("{} {options}", entry.method.id)),
                }
            }
        }
    }

    /// The form of a trigger, if it has one, gives the same bytes for a random picture, all but a few by one level.
    pub fn form_agrees(trigger: &dyn Trigger, side: i64, what: &str) {
        use crate::data::rgba_from_pixels;
        let Some(form) = trigger.form() else { return };
        let pixels = Tensor::randint(256, [1, 3, side, side], (Kind::Uint8, tch::Device::Cpu));
        let clean = rgba_from_pixels(&pixels.get(0)).unwrap();
        let wanted = rgba_from_pixels(&trigger.apply(&pixels, &[0]).unwrap().get(0)).unwrap();
        let got = form.stamp(&clean, 1.0);
        let gaps: Vec<_> = got.bytes.iter().zip(&wanted.bytes).map(|(a, b)| a.abs_diff(*b)).collect();
        let different = gaps.iter().filter(|&&gap| gap > 0).count();
        assert!(gaps.iter().all(|&gap| gap <= 1), "{what}");
        assert!(different * 1000 <= gaps.len(), "{what}: {different} differ");
    }

    #[test]
    fn unknown_options_are_refused() {
        assert!(make("badnets", &serde_json::json!({"sizes": 3})).is_err());
        assert!(make("goodnets", &Value::Null).is_err());
    }
}
