//! NPD, the neural polarizer: one small linear layer, put in front of a late convolution of the frozen network, learns
//! to let class evidence through and to block the trigger.
//!
//! In each step every clean picture x of class y gets a small targeted perturbation d towards its runner-up class t
//! (|d|2 <= rho, found by sign steps on the polarized network), x' = clip(x + d). The layer g then minimises
//!
//! ```text
//! l1 CE(f_g(x), y) + l2 CE(f_g(x'), yhat) - l3 log(1 - s_u(x')) - l4 log(1 - s_t(x'))
//! ```
//!
//! with yhat = argmax f_g(x), s the probabilities and u the most probable class of x' other than y. What to look at:
//! the matrix minus the identity, and the channels that it dims.
//!
//! Zhu, Wei, Zha, Wu: Neural Polarizer: A Lightweight and Effective Backdoor Defense via Purifying Poisoned Features.
//! NeurIPS 2023. Where paper and reference code differ this follows the code: 1x1 convolution with batch normalisation,
//! and a warm-up whose real effect is that the running statistics become those of the features.

use super::passes::{CleanBatch, Learner, Means, Passes, Perturbed};
use crate::data::{Augment, pictures};
use crate::defenses::{DefenderData, Defense, Entry, Repair, parse};
use crate::experiment::method::{Kind as MethodKind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Problem, Result, Schedule};
use crate::nets::plug::{Layer, Plug, PlugHook};
use crate::nets::training::fit::AfterEpoch;
use crate::nets::training::schedule::LearningRate;
use crate::nets::training::{Optimiser, Sgd};
use crate::nets::{Mode, Model, Network, Params, Pass};
use crate::run::job::Job;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind, Reduction, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Passes over the clean set after the warm-up.
    #[schemars(range(min = 1, max = 500), extend("x-unit" = "epochs", "x-paper" = 50))]
    pub epochs: usize,
    /// Passes in which only the statistics of the layer settle; a layer without batch normalisation has none.
    #[schemars(range(min = 0, max = 50), extend("x-unit" = "epochs", "x-paper" = 5))]
    pub warm_up: usize,
    /// Longest perturbation of a picture, L2 over pixels in 0..1.
    #[schemars(range(min = 0.1, max = 20.0), extend("x-paper" = 3.0))]
    pub radius: f64,
    /// Weight of the loss on clean pictures.
    #[schemars(range(min = 0.0, max = 10.0), extend("x-paper" = 1.0))]
    pub lambda_clean: f64,
    /// Weight of keeping the prediction under perturbation.
    #[schemars(range(min = 0.0, max = 10.0), extend("x-paper" = 0.4))]
    pub lambda_keep: f64,
    /// Weight of pressing down the strongest wrong class.
    #[schemars(range(min = 0.0, max = 10.0), extend("x-paper" = 0.4))]
    pub lambda_wrong: f64,
    /// Weight of pressing down the class that the perturbation aimed at.
    #[schemars(range(min = 0.0, max = 10.0), extend("x-paper" = 0.4))]
    pub lambda_target: f64,
    /// The layer's place: a site of the network, or `auto` for the input of the first convolution of the last block.
    #[schemars(extend("x-widget" = "site"))]
    pub site: String,
    pub layer: Layer,
    /// Steps of the perturbation.
    #[schemars(range(min = 1, max = 50), extend("x-paper" = 2, "x-advanced" = true))]
    pub inner_steps: usize,
    /// Length of a sign step, per pixel value in 0..1.
    #[schemars(range(min = 0.001, max = 1.0), extend("x-paper" = 0.1, "x-advanced" = true))]
    pub inner_step: f64,
    /// Shape of a step. `sign` is the reference's; `gradient` is the textbook step for an L2 ball and puts the change
    /// where it counts, which suits small networks and small triggers.
    #[schemars(extend("x-advanced" = true))]
    pub inner_direction: Direction,
    /// Oracle: perturbations aim at the attacker's class and not at each picture's runner-up. No defender knows it; the row is
    /// marked.
    #[schemars(extend("x-advanced" = true))]
    pub oracle_target: bool,
    /// No further step once this share of a batch is fooled.
    #[schemars(range(min = 0.0, max = 1.0), extend("x-paper" = 0.6, "x-advanced" = true))]
    pub enough: f64,
    #[schemars(range(min = 0.00001, max = 1.0), extend("x-scale" = "log", "x-paper" = 0.01, "x-advanced" = true))]
    pub learning_rate: f64,
    /// Course of the learning rate; the reference keeps it constant, a falling one gives back some accuracy.
    #[schemars(extend("x-paper" = "constant", "x-advanced" = true))]
    pub schedule: Schedule,
    /// Pictures per step.
    #[schemars(range(min = 2, max = 4096), extend("x-paper" = 128, "x-advanced" = true))]
    pub batch: usize,
}

/// How a gradient becomes a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Every value moves by `inner_step`.
    Sign,
    /// Along the gradient; all steps together reach one and a half times the radius.
    Gradient,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            epochs: 50,
            warm_up: 5,
            radius: 3.0,
            lambda_clean: 1.0,
            lambda_keep: 0.4,
            lambda_wrong: 0.4,
            lambda_target: 0.4,
            site: "auto".into(),
            layer: Layer::ConvBn,
            inner_steps: 2,
            inner_step: 0.1,
            inner_direction: Direction::Sign,
            oracle_target: false,
            enough: 0.6,
            learning_rate: 0.01,
            schedule: Schedule::Constant,
            batch: 128,
        }
    }
}

impl Options {
    /// Passes of the warm-up, for layers that have statistics.
    fn warm_up(&self) -> usize {
        if self.layer == Layer::ConvBn { self.warm_up } else { 0 }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "npd",
        kind: MethodKind::Repair,
        name: "Neural polarizer (NPD)",
        one_line: "One inserted linear layer filters the trigger out of the features.",
        page: "A finished network stays as it is, bit for bit. One 1x1 convolution in front of a late convolution is \
               trained on a small clean set, against perturbations that push every picture towards its runner-up \
               class. A trigger is such a push, so the layer learns to dim the directions in which it lives, as a \
               polarizer dims light of one orientation.\n\nLook at the matrix minus the identity and at the channels \
               that differ most between clean and stamped pictures.",
        paper: "Zhu, Wei, Zha, Wu: Neural Polarizer: A Lightweight and Effective Backdoor Defense via Purifying \
                Poisoned Features. NeurIPS 2023 (arXiv 2306.16697)",
        properties: &[Property::NeedsClean, Property::NeedsSites, Property::NeedsGradients],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Defense::Repair(Box::new(NeuralPolarizer { options: parse(options)? }))),
};

/// The warm-up only settles statistics; its learning rate is the reference's.
const WARM_UP_RATE: f64 = 1e-4;
const MOMENTUM: f64 = 0.9;
const WEIGHT_DECAY: f64 = 5e-4;

struct NeuralPolarizer {
    options: Options,
}

impl Repair for NeuralPolarizer {
    fn epochs(&self) -> usize {
        self.options.warm_up() + self.options.epochs
    }

    fn asks_oracle(&self) -> bool {
        self.options.oracle_target
    }

    fn check(&self, network: &dyn Network) -> Result<()> {
        place(network, &self.options.site).map(|_| ())
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
        let (site, channels) = place(&*model.network, &o.site)?;
        job.note(format!("{phase}: polarizer with {channels} channels at {site}"));
        let device = model.params.device();
        let mut trainee = Trainee::new(o, phase, model, &site, channels, data.kind);
        if o.oracle_target {
            let target = data.ask()?.target().ok_or_else(|| {
                Problem::bad_input("The attack of this run has no one class that perturbations could aim at.")
                    .at("defense.options.oracle_target")
                    .remedy("Switch the oracle off, or attack all-to-one.")
            })?;
            trainee.target = Some(target);
        }
        let epochs = trainee.warm_up + o.epochs;
        let learning_rate = o.learning_rate;
        let passes = Passes { phase, epochs, batch: o.batch, augment: Augment::NONE, learning_rate };
        passes.run(job, data, device, &mut trainee, after_epoch)?;
        trainee.plug.params = trainee.plug.params.requires_grad(&|_| false);
        Ok(trainee.model())
    }
}

/// A polarizer that learns in a network that does not.
struct Trainee<'a> {
    options: &'a Options,
    /// Epochs of the warm-up.
    warm_up: usize,
    /// As it was delivered, frozen.
    delivered: Model,
    plug: Plug,
    warm: Sgd,
    sgd: Sgd,
    rate: LearningRate,
    kind: Kind,
    /// The attacker's class, for a defender who knows it.
    target: Option<i64>,
    phase: &'a str,
    /// Of the latest batch.
    shown: Option<Perturbed>,
}

impl<'a> Trainee<'a> {
    fn new(options: &'a Options, phase: &'a str, mut delivered: Model, site: &str, channels: i64, kind: Kind) -> Self {
        let mut plug = Plug::identity(site, options.layer, channels);
        let params = plug.params.to_device(delivered.params.device());
        delivered.params = delivered.params.requires_grad(&|_| false);
        let (warm, live) = Sgd::new(&params, &|_| true, 0.0, 0.0);
        let sgd = Sgd::over(&live, &|_| true, MOMENTUM, WEIGHT_DECAY);
        plug.params = live;
        let warm_up = options.warm_up();
        let rate = LearningRate::new(options.schedule, options.learning_rate, options.epochs);
        Self { options, warm_up, delivered, plug, warm, sgd, rate, kind, target: None, phase, shown: None }
    }
}

impl Learner for Trainee<'_> {
    fn learn(&mut self, _: &mut Job, batch: &CleanBatch, means: &mut Means) -> Outcome<()> {
        let polarized = Polarized { model: &self.delivered, plug: &self.plug, kind: self.kind };
        let epoch = batch.epoch;
        let loss = if epoch < self.warm_up {
            let loss = polarized.logits(&batch.pixels, Mode::Train)?.cross_entropy_for_logits(&batch.labels);
            self.warm.step(&loss, WARM_UP_RATE);
            loss
        } else {
            let (loss, shown) = self.options.loss(&polarized, &batch.pixels, &batch.labels, self.target, means)?;
            self.shown = Some(shown);
            self.sgd.step(&loss, self.rate.at((epoch - self.warm_up) as f64));
            loss
        };
        means.add(&[("loss", loss.double_value(&[]))], batch.len());
        Ok(())
    }

    fn epoch_ended(&mut self, job: &mut Job, epoch: usize) -> Outcome<()> {
        let Some(shown) = self.shown.take() else { return Ok(()) };
        let caption = format!(
            "Pass {}: pictures, the push towards another class on grey, and both together. Orange: the push succeeds",
            epoch + 1
        );
        Ok(pictures::keep(job, &format!("{}-pushed", self.phase), &caption, shown.sheet()?)?)
    }

    fn model(&self) -> Model {
        let mut model = self.delivered.clone();
        model.plugs.push(self.plug.clone());
        model
    }

    fn moving(&mut self) -> (&Params, &mut dyn Optimiser) {
        (&self.plug.params, &mut self.sgd)
    }
}

/// The site to use and its channels.
fn place(network: &dyn Network, wanted: &str) -> Result<(String, i64)> {
    let sites = network.sites();
    let site = if wanted == "auto" {
        sites.iter().rfind(|site| site.name.ends_with(".conv1.in"))
    } else {
        sites.iter().find(|site| site.name == wanted)
    };
    site.map(|site| (site.name.clone(), site.channels)).ok_or_else(|| {
        let problem = Problem::bad_input(format!("This network has no site `{wanted}` for a polarizer."))
            .at("defense.options.site");
        if sites.is_empty() {
            return problem.because("It shows none of its insides.").remedy("Use a network of the zoo.");
        }
        let known: Vec<_> =
            sites.iter().map(|site| site.name.as_str()).filter(|name| name.ends_with(".conv1.in")).collect();
        problem.remedy(format!("Choose one of {}.", known.join(", ")))
    })
}

/// The frozen network with the polarizer in it.
struct Polarized<'a> {
    model: &'a Model,
    plug: &'a Plug,
    kind: Kind,
}

impl Polarized<'_> {
    /// Logits for pixels in 0..=1. `mode` is the polarizer's; the network always uses its running statistics.
    fn logits(&self, pixels: &Tensor, mode: Mode) -> Result<Tensor> {
        let x = crate::nets::layers::channels_last(&self.model.network.input().normalise(pixels));
        let mut hook = PlugHook { plugs: std::slice::from_ref(self.plug), mode, next: None };
        self.model.forward(&x, &mut Pass::new(Mode::Eval, self.kind).hooked(&mut hook))
    }
}

impl Options {
    /// The loss of one batch: `pixels` f32 `[N, 3, H, W]` in 0..=1, `y` their labels. Perturbations aim at `target`, at the
    /// runner-up where it is the true class or not known; some of them come along.
    fn loss(
        &self,
        polarized: &Polarized,
        pixels: &Tensor,
        y: &Tensor,
        target: Option<i64>,
        means: &mut Means,
    ) -> Result<(Tensor, Perturbed)> {
        let clean = polarized.logits(pixels, Mode::Eval)?;
        let predicted = clean.detach().argmax(1, false);
        // Minus infinity, not a large negative number: other logits may be lower than any number chosen here.
        let runner_up = without(&clean.detach(), y).argmax(1, false);
        let aim = match target {
            Some(class) => runner_up.where_self(&y.eq(class), &y.full_like(class)),
            None => runner_up,
        };
        let adversarial = self.perturb(polarized, pixels, &aim)?;
        let logits = polarized.logits(&adversarial, Mode::Eval)?;
        let probability = logits.softmax(1, Kind::Float);
        let wrong = without(&logits.detach(), y).argmax(1, false);
        let hit = logits.detach().argmax(1, false).eq_tensor(&aim);
        let length = lengths(&(&adversarial - pixels));
        let terms = [
            ("loss-clean", self.lambda_clean, clean.cross_entropy_for_logits(y)),
            ("loss-keep", self.lambda_keep, logits.cross_entropy_for_logits(&predicted)),
            ("loss-wrong", self.lambda_wrong, push_down(&probability, &wrong)),
            ("loss-target", self.lambda_target, push_down(&probability, &aim)),
        ];
        let mut values: Vec<(&'static str, f64)> =
            terms.iter().map(|(name, weight, term)| (*name, weight * term.double_value(&[]))).collect();
        values.push(("perturbation-hits", hit.to_kind(Kind::Float).mean(Kind::Float).double_value(&[])));
        values.push(("perturbation-length", length.mean(Kind::Float).double_value(&[])));
        means.add(&values, y.size()[0] as usize);
        let weighted: Vec<Tensor> = terms.into_iter().map(|(_, weight, term)| term * weight).collect();
        let shown = Perturbed::first(pixels, &adversarial, &hit);
        Ok((Tensor::stack(&weighted, 0).sum(Kind::Float), shown))
    }

    /// Pushes every picture towards `target` by at most `radius`; the result is detached and lies in 0..=1.
    fn perturb(&self, polarized: &Polarized, pixels: &Tensor, target: &Tensor) -> Result<Tensor> {
        let mut d = pixels.zeros_like();
        for step in 0..self.inner_steps {
            let leaf = d.detach().set_requires_grad(true);
            let logits = polarized.logits(&(pixels + &leaf).clamp(0.0, 1.0), Mode::Eval)?;
            // The pictures of the step before are judged here, which saves a forward pass a step.
            let fooled = logits.detach().argmax(1, false).eq_tensor(target).to_kind(Kind::Float).mean(Kind::Float);
            if step > 0 && fooled.double_value(&[]) > self.enough {
                break;
            }
            let each = logits.cross_entropy_loss(target, None::<Tensor>, Reduction::None, -100, 0.0);
            let loss = each.clamp(-80.0, 80.0).mean(Kind::Float);
            // Gradients for the perturbation only: nothing gathers in the polarizer.
            let gradient = &Tensor::run_backward(&[&loss], &[&leaf], false, false)[0];
            let change = match self.inner_direction {
                Direction::Sign => gradient.sign() * self.inner_step,
                Direction::Gradient => {
                    gradient / lengths(gradient).clamp_min(1e-12) * (1.5 * self.radius / self.inner_steps as f64)
                }
            };
            d = project(&(leaf.detach() - change), self.radius);
        }
        Ok((pixels + d).clamp(0.0, 1.0).detach())
    }
}

/// Logits with the class `y` of each row taken out of the running.
fn without(logits: &Tensor, y: &Tensor) -> Tensor {
    logits.scatter_value(1, &y.unsqueeze(1), f64::NEG_INFINITY)
}

/// Mean of -log(1 - p) for one class of each row, kept finite at p = 1 as the reference does.
fn push_down(probability: &Tensor, class: &Tensor) -> Tensor {
    let p = probability.gather(1, &class.unsqueeze(1), false);
    -(1.0001f64 - p + 1e-12f64).log().mean(Kind::Float)
}

/// Shortens each picture's perturbation to at most `radius` (L2).
fn project(d: &Tensor, radius: f64) -> Tensor {
    d * (lengths(d).clamp_min(1e-12).reciprocal() * radius).clamp_max(1.0)
}

/// L2 length of each picture of a batch, `[N, 1, 1, 1]`.
fn lengths(d: &Tensor) -> Tensor {
    d.flatten(1, -1).norm_scalaropt_dim(2.0, [1i64].as_slice(), false).view([-1, 1, 1, 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tests::striped;
    use crate::nets::{InputSpec, zoo};
    use std::rc::Rc;

    fn model() -> Model {
        let input = InputSpec { height: 8, width: 8, mean: [0.4; 3], std: [0.3; 3], classes: 10 };
        let network = zoo::build("small-resnet", &serde_json::json!({"width": 4}), input).unwrap();
        let params = network.initial(3).unwrap();
        Model::new(Rc::from(network), params)
    }

    fn polarize(options: Options, model: &Model) -> (Model, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let mut job = Job::detached(folder.path(), 1);
        let clean = striped(60);
        let data = DefenderData::new(&clean, Kind::Float);
        let mut statistics = Vec::new();
        let repair = NeuralPolarizer { options };
        let repaired = repair
            .repair(&mut job, "npd", model.deep_clone(), &data, &mut |_, _, model| {
                let mean = model.plugs[0].params.get("bn.running_mean").unwrap();
                statistics.push(format!("{:?}", Vec::<f32>::try_from(mean).unwrap()));
                Ok(())
            })
            .unwrap();
        (repaired, statistics)
    }

    #[test]
    fn the_network_stays_bit_for_bit_and_only_the_polarizer_learns() {
        let before = model();
        let (after, statistics) = polarize(Options { epochs: 3, warm_up: 2, batch: 20, ..Options::default() }, &before);
        assert_eq!(before.params.hash().unwrap(), after.params.hash().unwrap());
        let plug = &after.plugs[0];
        assert_eq!(plug.site, "layer3.1.conv1.in");
        let matrix = plug.params.get("conv.weight").unwrap().squeeze();
        assert!(!matrix.equal(&Tensor::eye(16, tch::kind::FLOAT_CPU)));
        // Statistics settle in the warm-up and never move after it.
        assert_ne!(statistics[0], statistics[1]);
        assert!(statistics[1..].iter().all(|mean| mean == &statistics[1]));
    }

    #[test]
    fn perturbations_stay_within_the_radius_and_the_picture() {
        let model = model();
        let plug = Plug::identity("layer3.1.conv1.in", Layer::ConvBn, 16);
        let polarized = Polarized { model: &model, plug: &plug, kind: Kind::Float };
        let pixels = Tensor::rand([6, 3, 8, 8], tch::kind::FLOAT_CPU);
        let target = Tensor::from_slice(&[1i64, 2, 3, 4, 5, 6]);
        for radius in [0.5, 3.0] {
            let options = Options { radius, inner_steps: 4, enough: 1.0, ..Options::default() };
            let gradient = Options { inner_direction: Direction::Gradient, ..options.clone() };
            let nearer = gradient.perturb(&polarized, &pixels, &target).unwrap();
            assert!(lengths(&(nearer - &pixels)).max().double_value(&[]) <= radius + 1e-5);
            let x = options.perturb(&polarized, &pixels, &target).unwrap();
            assert!(!x.requires_grad());
            assert!(x.min().double_value(&[]) >= 0.0 && x.max().double_value(&[]) <= 1.0);
            let length = lengths(&(&x - &pixels));
            assert!(length.max().double_value(&[]) <= radius + 1e-5);
            assert!(length.min().double_value(&[]) > 0.0);
        }
    }

    #[test]
    fn terms_have_the_values_of_the_specification() {
        let probability = Tensor::from_slice(&[1.0f32, 0.0]).view([1, 2]);
        let at = |class: i64| push_down(&probability, &Tensor::from_slice(&[class])).double_value(&[]);
        assert!((at(0) - 9.2103).abs() < 1e-2);
        assert!((at(1) + 1e-4).abs() < 1e-5);
        let logits = Tensor::from_slice(&[-50.0f32, -20.0, -40.0]).view([1, 3]);
        let runner_up = without(&logits, &Tensor::from_slice(&[1i64])).argmax(1, false);
        assert_eq!(runner_up.int64_value(&[0]), 2);
    }

    #[test]
    fn an_unknown_site_is_refused_with_the_known_ones() {
        let problem = place(&*model().network, "layer9").unwrap_err();
        assert!(problem.remedy[0].contains("layer3.1.conv1.in"));
    }
}
