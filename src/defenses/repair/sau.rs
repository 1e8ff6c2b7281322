//! SAU: unlearns adversarial examples that the repaired and the delivered model share.
//!
//! A stamped picture fools the delivered model h_bd. It goes on fooling the repaired model h into the same class as long as
//! the backdoor lives in both. So every step looks for shared adversarial examples x' = x + d, |d|max <= eps, which both
//! models take for the same wrong class, and then changes h until it answers rightly or at least differently:
//!
//! ```text
//! inner:  min over d of beta1 A + beta2 S     A: minus the cross-entropy of what is not fooled yet
//!                                             S: Jensen-Shannon divergence of h and h_bd where they do not share yet
//! outer:  min over h of l1 CE(h(x), y) + l2 CE(h(x'), y) - l3 log(1 - h(x')_c),   c = the class that h_bd errs into
//! ```
//!
//! Look at the four shares of fooled pictures: h, h_bd, both, shared. RA tells whether "differently" is also "rightly".
//!
//! Wei, Zhang, Zha, Wu: Shared Adversarial Unlearning: Backdoor Mitigation by Unlearning Shared Adversarial Examples.
//! NeurIPS 2023. Follows the reference code: perturbations are not clamped to the picture's range (an option clamps).

use super::passes::{CleanBatch, Learner, Means, Passes, Perturbed};
use crate::data::{Augment, pictures};
use crate::defenses::{DefenderData, Defense, Entry, Repair, parse};
use crate::experiment::method::{Kind as MethodKind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Result};
use crate::nets::layers::channels_last;
use crate::nets::model::forward;
use crate::nets::training::fit::AfterEpoch;
use crate::nets::training::{Adam, Betas, Optimiser};
use crate::nets::{Mode, Model, Params, Pass};
use crate::run::job::Job;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Reduction, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How often the clean set is seen.
    #[schemars(range(min = 1, max = 500), extend("x-unit" = "rounds", "x-paper" = 100))]
    pub rounds: usize,
    /// Largest change of a pixel value in 0..1.
    #[schemars(range(min = 0.005, max = 1.0), extend("x-paper" = 0.2))]
    pub epsilon: f64,
    /// Steps of the search for shared examples.
    #[schemars(range(min = 1, max = 50), extend("x-unit" = "steps", "x-paper" = 5))]
    pub inner_steps: usize,
    /// Length of a step of the search; as large as epsilon it tries three levels only.
    #[schemars(range(min = 0.001, max = 1.0), extend("x-paper" = 0.2, "x-advanced" = true))]
    pub inner_step: f64,
    pub start: Start,
    /// Weight of fooling each model, in the search.
    #[schemars(range(min = 0.0, max = 10.0), extend("x-paper" = 0.01, "x-advanced" = true))]
    pub beta_fool: f64,
    /// Weight of fooling both alike, in the search.
    #[schemars(range(min = 0.0, max = 10.0), extend("x-paper" = 1.0, "x-advanced" = true))]
    pub beta_share: f64,
    /// Weight of the loss on clean pictures.
    #[schemars(range(min = 0.0, max = 10.0), extend("x-paper" = 1.0))]
    pub lambda_clean: f64,
    /// Weight of the loss on perturbed pictures: adversarial training, which the paper leaves out.
    #[schemars(range(min = 0.0, max = 10.0), extend("x-paper" = 0.0))]
    pub lambda_adversarial: f64,
    /// Weight of unlearning what is shared.
    #[schemars(range(min = 0.0, max = 10.0), extend("x-paper" = 1.0))]
    pub lambda_shared: f64,
    #[schemars(range(min = 0.000001, max = 0.1), extend("x-scale" = "log", "x-paper" = 0.0001))]
    pub learning_rate: f64,
    /// Pictures per step.
    #[schemars(range(min = 2, max = 4096), extend("x-paper" = 256, "x-advanced" = true))]
    pub batch: usize,
    /// Statistics of batch normalisation learn too: less ASR, less ACC.
    #[schemars(extend("x-advanced" = true))]
    pub train_statistics: bool,
    /// Keeps perturbed pictures within the range of real ones.
    #[schemars(extend("x-advanced" = true))]
    pub clamp: bool,
}

/// Where the search for a perturbation begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Every value as bright as allowed: the reference's.
    Brightest,
    Darkest,
    /// No change.
    Zero,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rounds: 100,
            epsilon: 0.2,
            inner_steps: 5,
            inner_step: 0.2,
            start: Start::Brightest,
            beta_fool: 0.01,
            beta_share: 1.0,
            lambda_clean: 1.0,
            lambda_adversarial: 0.0,
            lambda_shared: 1.0,
            learning_rate: 1e-4,
            batch: 256,
            train_statistics: false,
            clamp: false,
        }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "sau",
        kind: MethodKind::Repair,
        name: "SAU",
        one_line: "Unlearns adversarial examples that the repaired and the delivered model share.",
        page: "A trigger is an adversarial example that the delivered model was trained to have. SAU keeps a frozen copy \
               of that model and looks for small perturbations that push both models into the same wrong class. Then it \
               changes the repaired model until it classifies them rightly, or at least not as the delivered model \
               does.\n\nNothing is assumed about the trigger's shape, so sample-specific ones are covered. Watch the \
               share of pictures that both models get wrong in the same way: it must fall. A low ASR with a low RA means \
               that stamped pictures are still misclassified, only differently.",
        paper: "Wei, Zhang, Zha, Wu: Shared Adversarial Unlearning: Backdoor Mitigation by Unlearning Shared \
                Adversarial Examples. NeurIPS, 2023 (arXiv 2307.10562)",
        properties: &[Property::NeedsClean, Property::NeedsGradients],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Defense::Repair(Box::new(Sau { options: parse(options)? }))),
};

struct Sau {
    options: Options,
}

impl Repair for Sau {
    fn epochs(&self) -> usize {
        self.options.rounds
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
        let passes =
            Passes { phase, epochs: o.rounds, batch: o.batch, augment: Augment::NONE, learning_rate: o.learning_rate };
        let device = model.params.device();
        let mut unlearner = Unlearner::new(o, phase, model, data.kind);
        passes.run(job, data, device, &mut unlearner, after_epoch)?;
        Ok(unlearner.model)
    }
}

struct Unlearner<'a> {
    options: &'a Options,
    phase: &'a str,
    /// The delivered model, frozen.
    delivered: Model,
    /// Shares memory with `live`.
    model: Model,
    live: Params,
    adam: Adam,
    kind: Kind,
    /// How often the delivered model (down) and the repaired one (across) took a perturbed picture for which class in this
    /// round, where both were fooled: f32 `[K, K]`.
    alike: Tensor,
    /// The first pictures of the latest batch.
    shown: Option<Perturbed>,
}

/// What a perturbed batch does to both models, bool `[N]` each.
struct Fooled {
    ours: Tensor,
    delivered: Tensor,
    shared: Tensor,
}

impl Fooled {
    /// `ours` and `theirs` are logits of the perturbed pictures, `o` and `t` the answers to the clean ones.
    fn new(ours: &Tensor, theirs: &Tensor, o: &Tensor, t: &Tensor) -> Self {
        let (a, b) = (ours.argmax(1, false), theirs.argmax(1, false));
        let (fooled, fooled_too) = (a.ne_tensor(o), b.ne_tensor(t));
        let shared = fooled.logical_and(&fooled_too).logical_and(&a.eq_tensor(&b));
        Self { ours: fooled, delivered: fooled_too, shared }
    }
}

impl<'a> Unlearner<'a> {
    fn new(options: &'a Options, phase: &'a str, model: Model, kind: Kind) -> Self {
        let delivered = model.deep_clone();
        let live = model.params.requires_grad(&|_| true);
        let adam = Adam::over(&live, Betas { amsgrad: true, ..Betas::default() });
        let alike = no_answers(&model);
        Self { options, phase, delivered, model, live, adam, kind, alike, shown: None }
    }

    fn ours(&self, params: &Params, pixels: &Tensor, mode: Mode) -> Result<Tensor> {
        let network = &*self.model.network;
        let x = channels_last(&network.input().normalise(pixels));
        forward(network, params, &self.model.plugs, &x, &mut Pass::new(mode, self.kind))
    }

    fn theirs(&self, pixels: &Tensor) -> Result<Tensor> {
        let x = channels_last(&self.delivered.network.input().normalise(pixels));
        self.delivered.forward(&x, &mut Pass::new(Mode::Eval, self.kind))
    }

    /// Perturbed pictures that fool both models alike, as far as the search gets.
    fn shared_examples(&self, pixels: &Tensor, labels: &Tensor, o: &Tensor, t: &Tensor) -> Result<Tensor> {
        let options = self.options;
        let frozen = self.live.requires_grad(&|_| false);
        let count = labels.size()[0] as f64;
        let start = match options.start {
            Start::Brightest => options.epsilon,
            Start::Darkest => -options.epsilon,
            Start::Zero => 0.0,
        };
        let mut d = pixels.full_like(start);
        for _ in 0..options.inner_steps {
            let leaf = d.detach().set_requires_grad(true);
            let perturbed = self.within(&(pixels + &leaf));
            let (ours, theirs) = (self.ours(&frozen, &perturbed, Mode::Eval)?, self.theirs(&perturbed)?);
            let fooled = Fooled::new(&ours.detach(), &theirs.detach(), o, t);
            let not_yet =
                |mask: &Tensor, each: Tensor| (each * mask.logical_not().to_kind(Kind::Float)).sum(Kind::Float);
            let each = |logits: &Tensor| logits.cross_entropy_loss(labels, None::<Tensor>, Reduction::None, -100, 0.0);
            let fool = not_yet(&fooled.ours, each(&ours)) + not_yet(&fooled.delivered, each(&theirs));
            let share = not_yet(&fooled.shared, divergence(&ours, &theirs));
            let loss: Tensor = fool * (-0.5 * options.beta_fool / count) + share * (options.beta_share / count);
            let gradient = &Tensor::run_backward(&[&loss], &[&leaf], false, false)[0];
            d = (leaf.detach() - gradient.sign() * options.inner_step).clamp(-options.epsilon, options.epsilon);
            // The masks are those from before the step, as in the reference.
            if bool::try_from(fooled.shared.all()).unwrap_or(false) {
                break;
            }
        }
        Ok(self.within(&(pixels + d)).detach())
    }

    fn within(&self, pixels: &Tensor) -> Tensor {
        if self.options.clamp { pixels.clamp(0.0, 1.0) } else { pixels.shallow_clone() }
    }
}

/// A count for each pair of classes.
fn no_answers(model: &Model) -> Tensor {
    let classes = model.network.input().classes;
    Tensor::zeros([classes, classes], (Kind::Float, Device::Cpu))
}

/// Jensen-Shannon divergence of each row's probabilities, natural logarithm: `[N]`.
fn divergence(a: &Tensor, b: &Tensor) -> Tensor {
    let (p, q) = (a.softmax(1, Kind::Float).clamp_min(1e-8), b.softmax(1, Kind::Float).clamp_min(1e-8));
    let m: Tensor = (&p + &q) * 0.5;
    let gain = |p: &Tensor| (p * (p.log() - m.log())).sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
    (gain(&p) + gain(&q)) * 0.5
}

/// Minus the logarithm of "not class `c`" over the rows of `mask`, divided by all rows. The reference's bounds keep it
/// finite; where the class has less than 0.1 % already there is nothing left to push.
fn unlearn(logits: &Tensor, c: &Tensor, mask: &Tensor) -> Tensor {
    let p = logits.softmax(1, Kind::Float);
    let of_c = p.gather(1, &c.unsqueeze(1), false).squeeze_dim(1);
    let others = p.sum_dim_intlist([1i64].as_slice(), false, Kind::Float) - &of_c;
    let each: Tensor =
        -((others.clamp_max(0.999) + 1e-6).log() + (of_c.clamp_min(0.001) * -1.0 + (1.0 + 1e-6)).log()) * 0.5;
    (each * mask.to_kind(Kind::Float)).sum(Kind::Float) / logits.size()[0] as f64
}

fn share(mask: &Tensor) -> f64 {
    mask.to_kind(Kind::Float).mean(Kind::Float).double_value(&[])
}

impl Learner for Unlearner<'_> {
    fn learn(&mut self, _: &mut Job, batch: &CleanBatch, means: &mut Means) -> Outcome<()> {
        let o = self.options;
        let (pixels, labels) = (&batch.pixels, &batch.labels);
        let (ours, theirs) = tch::no_grad(|| -> Result<(Tensor, Tensor)> {
            let ours = self.ours(&self.live, pixels, Mode::Eval)?.argmax(1, false);
            Ok((ours, self.theirs(pixels)?.argmax(1, false)))
        })?;
        let perturbed = self.shared_examples(pixels, labels, &ours, &theirs)?;

        let mode = if o.train_statistics { Mode::Train } else { Mode::Eval };
        let logits = self.ours(&self.live, &Tensor::cat(&[pixels, &perturbed], 0), mode)?;
        let count = labels.size()[0];
        let (clean, adversarial) = (logits.narrow(0, 0, count), logits.narrow(0, count, count));
        let delivered = tch::no_grad(|| self.theirs(&perturbed))?;
        let wrong = delivered.argmax(1, false);
        let pushed = wrong.ne_tensor(labels).logical_and(&wrong.ne_tensor(&theirs));
        let loss_clean = clean.cross_entropy_for_logits(labels);
        let loss_shared = unlearn(&adversarial, &wrong, &pushed);
        let mut loss = &loss_clean * o.lambda_clean + &loss_shared * o.lambda_shared;
        if o.lambda_adversarial > 0.0 {
            loss += adversarial.cross_entropy_for_logits(labels) * o.lambda_adversarial;
        }
        self.adam.step(&loss, o.learning_rate);

        let fooled = Fooled::new(&adversarial.detach(), &delivered, &ours, &theirs);
        let both = fooled.ours.logical_and(&fooled.delivered).to_kind(Kind::Float).unsqueeze(1);
        let one_hot = |classes: &Tensor| classes.one_hot(self.alike.size()[0]).to_kind(Kind::Float);
        let answers = adversarial.detach().argmax(1, false);
        self.alike += (one_hot(&wrong) * both).transpose(0, 1).matmul(&one_hot(&answers)).to_device(Device::Cpu);
        self.shown = Some(Perturbed::first(pixels, &perturbed, &fooled.shared));
        let values = [
            ("loss", loss.double_value(&[])),
            ("loss-clean", loss_clean.double_value(&[])),
            ("loss-shared", loss_shared.double_value(&[])),
            ("fooled-repaired", share(&fooled.ours)),
            ("fooled-delivered", share(&fooled.delivered)),
            ("fooled-both", share(&fooled.ours.logical_and(&fooled.delivered))),
            ("fooled-alike", share(&fooled.shared)),
        ];
        means.add(&values, batch.len());
        Ok(())
    }

    fn epoch_ended(&mut self, job: &mut Job, epoch: usize) -> Outcome<()> {
        let Some(shown) = self.shown.take() else { return Ok(()) };
        let (phase, round) = (self.phase, epoch + 1);
        let caption = format!(
            "Round {round}: pictures, what is added (grey is nothing), and both together. Orange: this fools both models \
             into the same class"
        );
        pictures::keep(job, phase, &caption, shown.sheet()?)?;

        let alike = std::mem::replace(&mut self.alike, no_answers(&self.model));
        if alike.size()[0] <= pictures::MOST_CLASSES {
            // The first round stays, so that the last can be laid beside it.
            let key = if epoch == 0 { format!("{phase}-alike-first") } else { format!("{phase}-alike") };
            let caption = format!(
                "Round {round}: what perturbed pictures are taken for where both models are fooled, by the delivered one \
                 (down) and by the repaired one (across). The diagonal is what they share"
            );
            pictures::keep(job, &key, &caption, pictures::heat_map(&alike)?)?;
        }
        Ok(())
    }

    fn model(&self) -> Model {
        self.model.clone()
    }

    fn moving(&mut self) -> (&Params, &mut dyn Optimiser) {
        (&self.live, &mut self.adam)
    }
}

#[cfg(test)]
mod tests {
    use super::super::passes::tests::{changed, goes_on_where_it_stopped, repaired, small_model};
    use super::*;

    fn quick() -> Options {
        Options { rounds: 2, batch: 30, learning_rate: 1e-3, ..Options::default() }
    }

    fn pixels() -> (Tensor, Tensor) {
        let pixels = Tensor::linspace(0.0, 1.0, 6 * 3 * 8 * 8, tch::kind::FLOAT_CPU).view([6, 3, 8, 8]);
        (pixels, Tensor::from_slice(&[0i64, 1, 2, 3, 4, 5]))
    }

    #[test]
    fn divergence_lies_between_nothing_and_ln_2() {
        let a = Tensor::from_slice(&[40.0f32, 0.0, 0.0, 1.0, 2.0, 3.0]).view([2, 3]);
        let b = Tensor::from_slice(&[0.0f32, 40.0, 0.0, 1.0, 2.0, 3.0]).view([2, 3]);
        let there = divergence(&a, &b);
        assert!((there.double_value(&[0]) - std::f64::consts::LN_2).abs() < 1e-5);
        assert!(there.double_value(&[1]).abs() < 1e-6);
        assert!((there - divergence(&b, &a)).abs().max().double_value(&[]) < 1e-7);
    }

    #[test]
    fn only_examples_that_fool_the_delivered_model_are_unlearned_and_only_while_there_is_something() {
        let logits = Tensor::from_slice(&[3.0f32, 0.0, 0.0, 3.0, 0.0, 0.0, -20.0, 0.0, 0.0]).view([3, 3]);
        let logits = logits.set_requires_grad(true);
        let mask = Tensor::from_slice(&[true, false, true]);
        let loss = unlearn(&logits, &Tensor::zeros([3], (Kind::Int64, Device::Cpu)), &mask);
        let gradient = &Tensor::run_backward(&[&loss], &[&logits], false, false)[0];
        let strength = |row: i64| gradient.get(row).abs().sum(Kind::Float).double_value(&[]);
        assert!(strength(0) > 0.01 && gradient.double_value(&[0, 0]) > 0.0, "class 0 is pushed down");
        assert_eq!((strength(1), strength(2)), (0.0, 0.0));
    }

    #[test]
    fn in_the_first_step_both_models_agree_and_perturbations_keep_to_three_levels() {
        let options = quick();
        let unlearner = Unlearner::new(&options, "test", small_model(), Kind::Float);
        let (pixels, labels) = pixels();
        let ours = unlearner.ours(&unlearner.live, &pixels, Mode::Eval).unwrap().detach();
        let theirs = unlearner.theirs(&pixels).unwrap();
        assert!(ours.equal(&theirs));
        assert!(divergence(&ours, &theirs).abs().max().double_value(&[]) < 1e-7);
        let answers = ours.argmax(1, false);
        let perturbed = unlearner.shared_examples(&pixels, &labels, &answers, &answers).unwrap();
        let levels = ((perturbed - pixels) / options.epsilon).round();
        let off = (&levels - levels.clamp(-1.0, 1.0)).abs().max().double_value(&[]);
        assert!(off < 1e-4);
        assert!(levels.min().double_value(&[]) < 0.5, "the search moves away from its start");
    }

    /// In the first step both models are the same, so whatever fools both fools them alike.
    #[test]
    fn what_identical_models_are_fooled_into_stands_on_the_diagonal() {
        let options = quick();
        let mut unlearner = Unlearner::new(&options, "test", small_model(), Kind::Float);
        let (pixels, labels) = pixels();
        let batch = CleanBatch { pixels, labels, epoch: 0, step: 0, steps: 2 };
        let folder = tempfile::tempdir().unwrap();
        let mut means = Means::default();
        unlearner.learn(&mut Job::detached(folder.path(), 1), &batch, &mut means).unwrap();
        let shared = means.finish().iter().find(|(name, _)| *name == "fooled-alike").unwrap().1 * 6.0;
        let alike = &unlearner.alike;
        assert!(alike.diag(0).sum(Kind::Float).double_value(&[]) > 0.5, "nothing was found");
        assert!((alike.sum(Kind::Float).double_value(&[]) - shared).abs() < 1e-5, "{alike}");
        assert!((alike.diag(0).sum(Kind::Float).double_value(&[]) - shared).abs() < 1e-5, "{alike}");
        assert!(unlearner.shown.unwrap().sheet().unwrap().width > 6 * 8);
    }

    #[test]
    fn statistics_stay_unless_asked_for_and_clean_loss_alone_is_plain_adam() {
        let before = small_model();
        let after = repaired(&Sau { options: quick() }, &before);
        let names = changed(&before, &after);
        assert!(names.iter().all(|name| !name.contains("running")) && names.contains(&"conv1.weight".to_owned()));
        let moving = repaired(&Sau { options: Options { train_statistics: true, ..quick() } }, &before);
        assert!(changed(&before, &moving).iter().any(|name| name.contains("running")));
    }

    #[test]
    fn it_goes_on_after_a_stop() {
        goes_on_where_it_stopped(&Sau { options: quick() });
    }
}
