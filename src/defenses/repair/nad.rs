//! NAD: fine-tunes with a teacher that shows where to look.
//!
//! The teacher is a copy of the model that was fine-tuned for a short time, and so reacts less to the trigger. Then the
//! delivered model, the student, is fine-tuned with an extra loss that pulls its attention maps towards the teacher's:
//!
//! ```text
//! A(F) = sum over channels of F^2, divided by its length;    L = CE + sum over stages of beta |A(student) - A(teacher)|^2
//! ```
//!
//! Look at the attention maps of a stamped picture: the spot of the trigger fades. A teacher that still has the backdoor
//! passes it on; its ASR bounds what can be reached.
//!
//! Li, Lyu, Koren, Lyu, Li, Ma: Neural Attention Distillation: Erasing Backdoor Triggers from Deep Neural Networks. ICLR
//! 2021. The maps are taken behind the last three stages, as the authors do; the benchmark's third tap lies behind the
//! pooling, where every map is the same.

use super::ft;
use super::passes::{CleanBatch, Learner, Means, Passes};
use crate::data::augment::to_u8;
use crate::data::{Augment, pictures};
use crate::defenses::{DefenderData, Defense, Entry, Repair, parse};
use crate::experiment::method::{Kind as MethodKind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Problem, Result};
use crate::nets::model::forward;
use crate::nets::training::fit::AfterEpoch;
use crate::nets::training::{Optimiser, Sgd};
use crate::nets::{Mode, Model, Network, Params, Pass};
use crate::run::job::Job;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Passes of the student over the clean set.
    #[schemars(range(min = 1, max = 500), extend("x-unit" = "epochs", "x-paper" = 20))]
    pub epochs: usize,
    /// Passes of the teacher, before.
    #[schemars(range(min = 0, max = 500), extend("x-unit" = "epochs", "x-paper" = 10))]
    pub teacher_epochs: usize,
    /// Weight of the attention loss behind the earliest of the three stages.
    #[schemars(range(min = 0.0, max = 100_000.0), extend("x-paper" = 500.0))]
    pub beta_first: f64,
    #[schemars(range(min = 0.0, max = 100_000.0), extend("x-paper" = 1000.0))]
    pub beta_second: f64,
    #[schemars(range(min = 0.0, max = 100_000.0), extend("x-paper" = 1000.0))]
    pub beta_third: f64,
    /// Learning rate of the first two passes; then a tenth, after the last pass but one tenth a thousandth.
    #[schemars(range(min = 0.00001, max = 1.0), extend("x-scale" = "log", "x-paper" = 0.1))]
    pub learning_rate: f64,
    /// Pictures per step.
    #[schemars(range(min = 2, max = 4096), extend("x-paper" = 64, "x-advanced" = true))]
    pub batch: usize,
    #[schemars(range(min = 0.0, max = 0.1), extend("x-scale" = "log", "x-paper" = 0.0001, "x-advanced" = true))]
    pub weight_decay: f64,
    /// Random crop border.
    #[schemars(range(min = 0, max = 16), extend("x-unit" = "px", "x-paper" = 4, "x-advanced" = true))]
    pub crop: usize,
    /// Mirror every second picture.
    #[schemars(extend("x-advanced" = true))]
    pub flip: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            epochs: 20,
            teacher_epochs: 10,
            beta_first: 500.0,
            beta_second: 1000.0,
            beta_third: 1000.0,
            learning_rate: 0.1,
            batch: 64,
            weight_decay: 1e-4,
            crop: 4,
            flip: true,
        }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "nad",
        kind: MethodKind::Repair,
        name: "NAD",
        one_line: "Fine-tunes towards the attention of a copy that already forgets the trigger.",
        page: "A copy of the model is fine-tuned for a short time: the teacher. It reacts less to the trigger. Then the \
               delivered model is fine-tuned as well, and its attention (where in the picture its features are strong) \
               is pulled towards the teacher's after each of the last three stages.\n\nWhat the teacher has not \
               forgotten, the student keeps: on Blended and SSBA plain fine-tuning fails, and so does NAD.",
        paper: "Li, Lyu, Koren, Lyu, Li, Ma: Neural Attention Distillation: Erasing Backdoor Triggers from Deep Neural \
                Networks. ICLR, 2021",
        properties: &[Property::NeedsClean, Property::NeedsSites, Property::NeedsGradients],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Defense::Repair(Box::new(Nad { options: parse(options)? }))),
};

const MOMENTUM: f64 = 0.9;
/// Clean pictures whose attention is shown.
const SHOWN: usize = 6;

struct Nad {
    options: Options,
}

/// The sites behind the last three stages of a network: where the first part of a trunk's names changes.
fn stages(network: &dyn Network) -> Vec<String> {
    let trunk = network.trunk();
    let stage = |site: &str| site.split('.').next().map(str::to_owned);
    let mut ends: Vec<String> = Vec::new();
    // The first site is the stem's.
    for site in trunk.into_iter().skip(1) {
        match ends.last_mut() {
            Some(last) if stage(last) == stage(&site) => *last = site,
            _ => ends.push(site),
        }
    }
    ends.split_off(ends.len().saturating_sub(3))
}

impl Repair for Nad {
    fn epochs(&self) -> usize {
        self.options.epochs + self.options.teacher_epochs
    }

    fn check(&self, network: &dyn Network) -> Result<()> {
        if stages(network).is_empty() {
            return Err(Problem::bad_input("NAD compares features behind stages, and this network shows none.")
                .at("defense.id")
                .remedy("Use a network of the zoo."));
        }
        Ok(())
    }

    fn repair(
        &self,
        job: &mut Job,
        phase: &str,
        model: Model,
        data: &DefenderData,
        after_epoch: &mut AfterEpoch,
    ) -> Outcome<Model> {
        let o = &self.options;
        let teaching = ft::Options { epochs: o.teacher_epochs, crop: o.crop, flip: o.flip, ..ft::Options::default() };
        let mut teacher = model.deep_clone();
        if o.teacher_epochs > 0 {
            job.note(format!("{phase}: the teacher is fine-tuned first"));
            let tutor = ft::FineTuning { options: teaching };
            teacher = tutor.repair(job, &format!("{phase}/teacher"), teacher, data, &mut |_, _, _| Ok(()))?;
        }
        let augment = Augment { crop: o.crop as i64, flip: o.flip };
        let passes = Passes { phase, epochs: o.epochs, batch: o.batch, augment, learning_rate: o.learning_rate };
        let device = model.params.device();
        let clean = data.clean.pixels(&(0..data.clean.len().min(SHOWN) as i64).collect::<Vec<_>>())?;
        let of = |model: &Model| attention_pictures(model, &clean, data.kind);
        let delivered = of(&model)?;
        let mut student = Student::new(o, teacher, model, data.kind);
        passes.run(job, data, device, &mut student, after_epoch)?;

        let (teacher, own) = (of(&student.teacher)?, of(&student.model)?);
        let stages = delivered.into_iter().zip(teacher).zip(own).flat_map(|((a, b), c)| [a, b, c]);
        let rows: Vec<Tensor> = std::iter::once(clean.shallow_clone()).chain(stages).collect();
        let caption = "Clean pictures, and where features are strong behind each of the last stages: in the delivered \
                       model, in the teacher, in the student";
        pictures::keep(job, phase, caption, pictures::sheet(&rows, (64 / clean.size()[3]).max(1))?)?;
        Ok(student.model)
    }
}

struct Student<'a> {
    options: &'a Options,
    teacher: Model,
    /// Shares memory with `live`.
    model: Model,
    live: Params,
    sgd: Sgd,
    stages: Vec<String>,
    kind: Kind,
}

impl<'a> Student<'a> {
    fn new(options: &'a Options, teacher: Model, model: Model, kind: Kind) -> Self {
        let (sgd, live) = Sgd::new(&model.params, &|_| true, MOMENTUM, options.weight_decay);
        let stages = stages(&*model.network);
        let teacher = Model { params: teacher.params.requires_grad(&|_| false), ..teacher };
        Self { options, teacher, model, live, sgd, stages, kind }
    }

    /// Logits of the student as it is now, and its attention behind each stage.
    fn say(&self, batch: &CleanBatch, mode: Mode) -> Result<(Tensor, Vec<Tensor>)> {
        let x = batch.x(self.model.network.input());
        look(&self.model, &self.live, &self.stages, &x, mode, self.kind)
    }

    /// What the student is to come to: the teacher's attention.
    fn wanted(&self, batch: &CleanBatch) -> Result<Vec<Tensor>> {
        let x = batch.x(self.teacher.network.input());
        let teacher = &self.teacher;
        Ok(tch::no_grad(|| look(teacher, &teacher.params, &self.stages, &x, Mode::Eval, self.kind))?.1)
    }
}

/// Logits of the model with these weights in the place of its own, and the attention behind each of the stages.
fn look(
    model: &Model,
    params: &Params,
    stages: &[String],
    x: &Tensor,
    mode: Mode,
    kind: Kind,
) -> Result<(Tensor, Vec<Tensor>)> {
    let mut maps = Vec::new();
    let mut hook = |site: &str, features: &Tensor| -> Result<Option<Tensor>> {
        if stages.iter().any(|stage| stage == site) {
            maps.push(attention(features));
        }
        Ok(None)
    };
    let logits = forward(&*model.network, params, &model.plugs, x, &mut Pass::new(mode, kind).hooked(&mut hook))?;
    Ok((logits, maps))
}

/// Where features are strong behind each of the last three stages, as pictures: u8 `[N, 3, H, W]` each, in the size of the
/// pictures that come in (u8 `[N, 3, H, W]`); black is weak, white strong.
pub fn attention_pictures(model: &Model, pixels: &Tensor, kind: Kind) -> Result<Vec<Tensor>> {
    let x = model.network.input().prepare(pixels, model.params.device())?;
    let stages = stages(&*model.network);
    let (_, maps) = tch::no_grad(|| look(model, &model.params, &stages, &x, Mode::Eval, kind))?;
    let size = pixels.size();
    let picture = |map: Tensor| {
        let map = &map / (map.amax([1i64, 2].as_slice(), true) + 1e-12) * 255.0;
        let big = map.unsqueeze(1).upsample_nearest2d([size[2], size[3]].as_slice(), None, None);
        to_u8(&big.to_device(Device::Cpu)).expand([-1, 3, -1, -1], false)
    };
    Ok(maps.into_iter().map(picture).collect())
}

/// Sum of squares over the channels, divided by its length: f32 `[N, H, W]` from `[N, C, H, W]`.
fn attention(features: &Tensor) -> Tensor {
    let energy = features.to_kind(Kind::Float).square().sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
    let length = energy.square().sum_dim_intlist([1i64, 2].as_slice(), true, Kind::Float).sqrt() + 1e-6;
    energy / length
}

/// Learning rate in epoch `epoch` of `epochs`: high for two, then a tenth, in the last tenth a thousandth.
fn rate(base: f64, epoch: usize, epochs: usize) -> f64 {
    match epoch {
        0 | 1 => base,
        epoch if epoch * 10 < epochs * 9 => base / 10.0,
        _ => base / 1000.0,
    }
}

impl Learner for Student<'_> {
    fn learn(&mut self, _: &mut Job, batch: &CleanBatch, means: &mut Means) -> Outcome<()> {
        let o = self.options;
        let (logits, maps) = self.say(batch, Mode::Train)?;
        let wanted = self.wanted(batch)?;
        let clean = logits.cross_entropy_for_logits(&batch.labels);
        let mut loss = clean.shallow_clone();
        let mut gaps = Vec::new();
        // Fewer than three stages use the later weights.
        let betas = [o.beta_first, o.beta_second, o.beta_third];
        for ((map, wanted), beta) in maps.iter().zip(&wanted).zip(&betas[betas.len() - maps.len()..]) {
            let gap = (map - wanted).square().mean(Kind::Float) * *beta;
            gaps.push(gap.double_value(&[]));
            loss += gap;
        }
        let epoch = batch.step * o.epochs / batch.steps.max(1);
        self.sgd.step(&loss, rate(o.learning_rate, epoch, o.epochs));
        means.add(&[("loss", loss.double_value(&[])), ("loss-clean", clean.double_value(&[]))], batch.len());
        // One for each stage: one that stays at zero has nothing to teach.
        let names = ["loss-attention-1", "loss-attention-2", "loss-attention-3"];
        let values: Vec<(&'static str, f64)> = names.into_iter().zip(gaps).collect();
        means.add(&values, batch.len());
        Ok(())
    }

    fn model(&self) -> Model {
        self.model.clone()
    }

    fn moving(&mut self) -> (&Params, &mut dyn Optimiser) {
        (&self.live, &mut self.sgd)
    }
}

#[cfg(test)]
mod tests {
    use super::super::passes::tests::{changed, goes_on_where_it_stopped, repaired, small_model};
    use super::*;

    fn quick() -> Options {
        Options { epochs: 2, teacher_epochs: 1, batch: 20, crop: 0, flip: false, ..Options::default() }
    }

    #[test]
    fn attention_is_a_picture_of_the_size_of_the_picture() {
        let pixels = Tensor::randint(255, [2, 3, 8, 8], tch::kind::INT64_CPU).to_kind(Kind::Uint8);
        let maps = attention_pictures(&small_model(), &pixels, Kind::Float).unwrap();
        assert_eq!(maps.len(), 3);
        for map in maps {
            assert_eq!((map.size(), map.kind()), (pixels.size(), Kind::Uint8));
            let brightest = map.amax([1i64, 2, 3].as_slice(), false);
            assert!(brightest.eq(255).all().double_value(&[]) == 1.0, "{brightest}");
        }
    }

    #[test]
    fn attention_does_not_care_how_loud_features_are() {
        let x = Tensor::rand([2, 5, 4, 4], tch::kind::FLOAT_CPU);
        let gap = (attention(&x) - attention(&(&x * 7.0))).abs().max().double_value(&[]);
        assert!(gap < 1e-5, "{gap}");
        let length = attention(&x).square().sum_dim_intlist([1i64, 2].as_slice(), false, Kind::Float);
        assert!((length - 1.0).abs().max().double_value(&[]) < 1e-4);
    }

    #[test]
    fn maps_are_taken_behind_the_last_three_stages() {
        assert_eq!(stages(&*small_model().network), ["layer1.0.out", "layer2.0.out", "layer3.1.out"].map(String::from));
    }

    #[test]
    fn a_student_like_its_teacher_has_nothing_to_learn_from_it() {
        let options = quick();
        let model = small_model();
        let student = Student::new(&options, model.deep_clone(), model, Kind::Float);
        let pixels = Tensor::rand([4, 3, 8, 8], tch::kind::FLOAT_CPU);
        let batch = CleanBatch { pixels, labels: Tensor::from_slice(&[0i64, 1, 2, 3]), epoch: 0, step: 0, steps: 1 };
        let (_, ours) = student.say(&batch, Mode::Eval).unwrap();
        let theirs = student.wanted(&batch).unwrap();
        assert_eq!(ours.len(), 3);
        for (a, b) in ours.iter().zip(&theirs) {
            assert_eq!((a - b).abs().max().double_value(&[]), 0.0);
        }
    }

    #[test]
    fn the_student_learns_and_the_rate_falls() {
        let before = small_model();
        assert!(changed(&before, &repaired(&Nad { options: quick() }, &before)).contains(&"conv1.weight".to_owned()));
        assert_eq!([0, 1, 2, 17, 18, 19].map(|epoch| rate(0.1, epoch, 20)), [0.1, 0.1, 0.01, 0.01, 1e-4, 1e-4]);
    }

    #[test]
    fn it_goes_on_after_a_stop() {
        goes_on_where_it_stopped(&Nad { options: quick() });
    }
}
