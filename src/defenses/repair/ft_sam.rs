//! FT-SAM: fine-tuning that looks for flat ground, with steps that grow with the weights.
//!
//! Neurons that carry a backdoor have large weights, and plain fine-tuning hardly touches them: on clean pictures the loss
//! is already low there. Sharpness-aware minimisation asks for weights around which the loss stays low too,
//!
//! ```text
//! min over w of max over |e / |w|| <= rho of L(w + e),    e* = rho w^2 g / || |w| g ||,    g = grad L(w)
//! ```
//!
//! with the norm taken over all weights together. The neighbourhood is wide where weights are large, so that large weights
//! get large gradients and shrink. Look at ASR beside that of plain fine-tuning, and at the learning rate under it.
//!
//! Zhu, Wei, Shen, Fan, Wu: Enhancing Fine-Tuning Based Backdoor Defense with Sharpness-Aware Minimization. ICCV 2023.
//! Smoothed labels and the learning rate that swings once every 200 steps are the reference code's; rho is the paper's.

use super::passes::{CleanBatch, Learner, Means, Passes, convolutions};
use crate::data::{Augment, pictures, values};
use crate::defenses::{DefenderData, Defense, Entry, Repair, parse};
use crate::experiment::method::{Kind as MethodKind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Result};
use crate::nets::model::forward;
use crate::nets::training::fit::AfterEpoch;
use crate::nets::training::{Optimiser, Sgd};
use crate::nets::{Mode, Model, Params, Pass};
use crate::run::job::Job;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind, Reduction, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How often the clean set is seen.
    #[schemars(range(min = 1, max = 500), extend("x-unit" = "epochs", "x-paper" = 100))]
    pub epochs: usize,
    /// Radius of the neighbourhood in which the loss must stay low. The paper has 2 on CIFAR-10, 8 on GTSRB and Tiny
    /// ImageNet; 0 is plain fine-tuning.
    #[schemars(range(min = 0.0, max = 20.0), extend("x-paper" = 2.0))]
    pub rho: f64,
    /// The neighbourhood grows with each weight; without it, it is a ball.
    pub adaptive: bool,
    /// Share of the target that goes to the wrong classes.
    #[schemars(range(min = 0.0, max = 0.5), extend("x-paper" = 0.1))]
    pub label_smoothing: f64,
    #[schemars(range(min = 0.00001, max = 1.0), extend("x-scale" = "log", "x-paper" = 0.01))]
    pub learning_rate: f64,
    pub schedule: Course,
    /// Pictures per step.
    #[schemars(range(min = 2, max = 4096), extend("x-paper" = 256, "x-advanced" = true))]
    pub batch: usize,
    #[schemars(range(min = 0.0, max = 0.999), extend("x-paper" = 0.9, "x-advanced" = true))]
    pub momentum: f64,
    #[schemars(range(min = 0.0, max = 0.1), extend("x-scale" = "log", "x-paper" = 0.0005, "x-advanced" = true))]
    pub weight_decay: f64,
    /// Random crop border.
    #[schemars(range(min = 0, max = 16), extend("x-unit" = "px", "x-paper" = 4, "x-advanced" = true))]
    pub crop: usize,
    /// Mirror every second picture.
    #[schemars(extend("x-advanced" = true))]
    pub flip: bool,
}

/// Course of the learning rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Course {
    /// Falls to zero within 100 steps, rises again within the next 100, and so on: the reference's.
    Swinging,
    /// Falls along half a cosine and is zero at the end.
    Cosine,
}

/// Steps from the top of the swinging course to its bottom.
const HALF_SWING: f64 = 100.0;

impl Course {
    /// `step` of `steps`, counted from 0.
    fn at(self, base: f64, step: usize, steps: usize) -> f64 {
        let half = match self {
            Course::Swinging => HALF_SWING,
            Course::Cosine => steps.max(1) as f64,
        };
        0.5 * base * (1.0 + (std::f64::consts::PI * step as f64 / half).cos())
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            epochs: 100,
            rho: 2.0,
            adaptive: true,
            label_smoothing: 0.1,
            learning_rate: 0.01,
            schedule: Course::Swinging,
            batch: 256,
            momentum: 0.9,
            weight_decay: 5e-4,
            crop: 4,
            flip: true,
        }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "ft-sam",
        kind: MethodKind::Repair,
        name: "FT-SAM",
        one_line: "Fine-tuning that shrinks the large weights in which backdoors live.",
        page: "Plain fine-tuning often leaves a backdoor alone: clean pictures are already classified well, so nothing \
               pushes the weights that carry it. Those weights tend to be large. FT-SAM first steps to the worst point \
               in a neighbourhood that grows with each weight, takes the gradient there, and applies it at the old \
               place: large weights feel a strong push and shrink.\n\nCompare its ASR with that of the fine-tuning \
               control. rho sets how far it looks: 0 is plain fine-tuning, more removes faster and costs accuracy \
               sooner. The reference's learning rate swings: it falls to zero in 100 steps and rises again.",
        paper: "Zhu, Wei, Shen, Fan, Wu: Enhancing Fine-Tuning Based Backdoor Defense with Sharpness-Aware \
                Minimization. ICCV, 2023",
        properties: &[Property::NeedsClean, Property::NeedsGradients],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Defense::Repair(Box::new(FtSam { options: parse(options)? }))),
};

struct FtSam {
    options: Options,
}

impl Repair for FtSam {
    fn epochs(&self) -> usize {
        self.options.epochs
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
        let augment = Augment { crop: o.crop as i64, flip: o.flip };
        let passes = Passes { phase, epochs: o.epochs, batch: o.batch, augment, learning_rate: o.learning_rate };
        let device = model.params.device();
        let before = norms(&model.params)?;
        let mut climber = Climber::new(o, model, data.kind);
        passes.run(job, data, device, &mut climber, after_epoch)?;
        let changes = changes(&before, &norms(&climber.model.params)?);
        let least = changes.iter().copied().reduce(f32::min);
        let most = changes.iter().copied().reduce(f32::max);
        if let (Some(least), Some(most)) = (least, most) {
            let caption = format!(
                "How much lighter or heavier each filter of the last convolution has become, the heaviest first: {:+.1} % to \
                 {:+.1} %",
                100.0 * least,
                100.0 * most
            );
            pictures::keep(job, phase, &caption, pictures::bars(&changes, |_| false))?;
        }
        Ok(climber.model)
    }
}

/// Length of each filter of the last convolution: that is where a backdoor is heavy.
fn norms(params: &Params) -> Result<Vec<f32>> {
    let Some((_, weight)) = convolutions(params).last() else { return Ok(Vec::new()) };
    values(&weight.detach().flatten(1, -1).norm_scalaropt_dim(2.0, [1i64].as_slice(), false))
}

/// By which share of itself each length has changed, the longest before first.
fn changes(before: &[f32], after: &[f32]) -> Vec<f32> {
    let mut pairs: Vec<(f32, f32)> = before.iter().copied().zip(after.iter().copied()).collect();
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    pairs.into_iter().map(|(before, after)| (after - before) / before.max(1e-12)).collect()
}

struct Climber<'a> {
    options: &'a Options,
    /// Shares memory with `live`.
    model: Model,
    live: Params,
    sgd: Sgd,
    kind: Kind,
}

impl<'a> Climber<'a> {
    fn new(options: &'a Options, model: Model, kind: Kind) -> Self {
        let (sgd, live) = Sgd::new(&model.params, &|_| true, options.momentum, options.weight_decay);
        Self { options, model, live, sgd, kind }
    }

    fn loss(&self, params: &Params, batch: &CleanBatch, mode: Mode) -> Result<Tensor> {
        let network = &*self.model.network;
        let x = batch.x(network.input());
        let logits = forward(network, params, &self.model.plugs, &x, &mut Pass::new(mode, self.kind))?;
        // All of the smoothed share goes to wrong classes; libtorch's own share includes the right one.
        let classes = network.input().classes as f64;
        let smoothing = self.options.label_smoothing * classes / (classes - 1.0);
        Ok(logits.cross_entropy_loss(&batch.labels, None::<Tensor>, Reduction::Mean, -100, smoothing))
    }

    /// The weights at the worst place nearby, as fresh leaves beside the buffers of `live`.
    fn worst(&self, gradients: &[Tensor]) -> Params {
        tch::no_grad(|| {
            let scale = |w: &Tensor| if self.options.adaptive { w.abs() } else { w.ones_like() };
            let weights: Vec<(&str, &Tensor)> = self.live.trainable().collect();
            let mut square = 0.0;
            for ((_, w), g) in weights.iter().zip(gradients) {
                square += (scale(w) * g).square().sum(Kind::Double).double_value(&[]);
            }
            let factor = self.options.rho / (square.sqrt() + 1e-12);
            let moved = weights.iter().zip(gradients).map(|((name, w), g)| {
                let place: Tensor = *w + scale(w).square() * g * factor;
                ((*name).to_owned(), place.detach().set_requires_grad(true))
            });
            self.live.with(moved.collect::<Vec<_>>())
        })
    }
}

impl Learner for Climber<'_> {
    fn learn(&mut self, _: &mut Job, batch: &CleanBatch, means: &mut Means) -> Outcome<()> {
        let o = self.options;
        let loss = self.loss(&self.live, batch, Mode::Train)?;
        let leaves: Vec<Tensor> = self.sgd.leaves().collect();
        let gradients = Tensor::run_backward(&[&loss], &leaves, false, false);
        // Statistics belong to the weights that stay, so the second pass leaves them alone.
        let worst = self.worst(&gradients);
        let loss_there = self.loss(&worst, batch, Mode::BatchStatistics)?;
        let leaves: Vec<Tensor> = worst.trainable().map(|(_, leaf)| leaf.shallow_clone()).collect();
        let gradients = Tensor::run_backward(&[&loss_there], &leaves, false, false);
        let rate = o.schedule.at(o.learning_rate, batch.step, batch.steps);
        self.sgd.apply(gradients, rate);
        let (here, there) = (loss.double_value(&[]), loss_there.double_value(&[]));
        means.add(&[("loss", here), ("loss-nearby", there), ("learning-rate", rate)], batch.len());
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
    use crate::defenses::repair::ft;

    fn quick() -> Options {
        Options { epochs: 3, batch: 20, crop: 0, flip: false, ..Options::default() }
    }

    fn batch() -> CleanBatch {
        let pixels = Tensor::linspace(0.0, 1.0, 6 * 3 * 8 * 8, tch::kind::FLOAT_CPU).view([6, 3, 8, 8]);
        let labels = Tensor::from_slice(&[0i64, 1, 2, 3, 4, 5]);
        CleanBatch { pixels, labels, epoch: 0, step: 0, steps: 1 }
    }

    fn gradients(climber: &Climber, params: &Params) -> Vec<Tensor> {
        let loss = climber.loss(params, &batch(), Mode::BatchStatistics).unwrap();
        let leaves: Vec<Tensor> = params.trainable().map(|(_, leaf)| leaf.shallow_clone()).collect();
        Tensor::run_backward(&[&loss], &leaves, false, false)
    }

    #[test]
    fn the_worst_place_lies_on_the_edge_of_the_neighbourhood_and_is_worse() {
        for (adaptive, rho) in [(true, 0.05), (false, 0.05)] {
            let options = Options { rho, adaptive, ..quick() };
            let climber = Climber::new(&options, small_model(), Kind::Float);
            let worst = climber.worst(&gradients(&climber, &climber.live));
            let mut square = 0.0;
            for ((_, w), (_, there)) in climber.live.trainable().zip(worst.trainable()) {
                let step = (there - w).detach().to_kind(Kind::Double);
                let unit = if adaptive { step / w.detach().abs().clamp_min(1e-30) } else { step };
                square += unit.square().sum(Kind::Double).double_value(&[]);
            }
            assert!((square.sqrt() / rho - 1.0).abs() < 1e-3, "adaptive {adaptive}: {}", square.sqrt());
            let at = |params: &Params| climber.loss(params, &batch(), Mode::BatchStatistics).unwrap().double_value(&[]);
            assert!(at(&worst) > at(&climber.live));
        }
    }

    #[test]
    fn the_heaviest_filter_stands_first() {
        assert_eq!(changes(&[1.0, 4.0, 2.0], &[2.0, 1.0, 2.0]), [-0.75, 0.0, 1.0]);
        assert_eq!(norms(&small_model().params).unwrap().len(), 16);
    }

    #[test]
    fn on_a_quadratic_the_step_has_its_closed_form() {
        // L = 1/2 sum a w^2: e = rho a w^3 / sqrt(sum a^2 w^4).
        let options = Options { rho: 2.0, ..quick() };
        let mut climber = Climber::new(&options, small_model(), Kind::Float);
        climber.live = [("w".to_owned(), Tensor::from_slice(&[1.0f64, -2.0, 0.5]))].into_iter().collect();
        let (a, w): ([f64; 3], [f64; 3]) = ([3.0, 1.0, 2.0], [1.0, -2.0, 0.5]);
        let gradient = Tensor::from_slice(&[a[0] * w[0], a[1] * w[1], a[2] * w[2]]);
        let worst = climber.worst(&[gradient]);
        let norm = (0..3).map(|i| (a[i] * w[i] * w[i]).powi(2)).sum::<f64>().sqrt();
        for i in 0..3 {
            let wanted = w[i] + 2.0 * a[i] * w[i].powi(3) / norm;
            assert!((worst.get("w").unwrap().double_value(&[i as i64]) - wanted).abs() < 1e-9);
        }
    }

    #[test]
    fn without_a_neighbourhood_it_is_plain_fine_tuning() {
        let before = small_model();
        let options =
            Options { rho: 0.0, label_smoothing: 0.0, schedule: Course::Cosine, epochs: 1, batch: 60, ..quick() };
        let flat = repaired(&FtSam { options }, &before);
        let plain = ft::Options { epochs: 1, batch: 60, crop: 0, flip: false, ..ft::Options::default() };
        let plain = repaired(&ft::FineTuning { options: plain }, &before);
        // The second pass normalises with the batch as the first does, so one step is the same step.
        for (name, tensor) in plain.params.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked")) {
            let gap = (tensor - flat.params.get(name).unwrap()).abs().max().double_value(&[]);
            assert!(gap < 1e-5, "{name}: {gap}");
        }
    }

    #[test]
    fn statistics_move_once_a_step_and_all_weights_learn() {
        let before = small_model();
        let after = repaired(&FtSam { options: Options { epochs: 1, batch: 60, ..quick() } }, &before);
        let names = changed(&before, &after);
        assert!(names.iter().any(|name| name == "conv1.weight") && names.iter().any(|name| name.contains("bn")));
        let steps = after.params.iter().filter(|(name, _)| name.ends_with("num_batches_tracked"));
        assert!(steps.map(|(_, count)| count.int64_value(&[])).all(|count| count == 1));
    }

    #[test]
    fn the_reference_learning_rate_swings() {
        for (step, wanted) in [(0, 0.01), (50, 0.005), (100, 0.0), (150, 0.005), (200, 0.01)] {
            assert!((Course::Swinging.at(0.01, step, 1000) - wanted).abs() < 1e-12);
        }
        assert!(Course::Cosine.at(0.01, 1000, 1000) < 1e-12);
    }

    #[test]
    fn it_goes_on_after_a_stop() {
        goes_on_where_it_stopped(&FtSam { options: quick() });
    }
}
