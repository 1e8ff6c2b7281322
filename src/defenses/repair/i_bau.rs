//! I-BAU: unlearns the worst perturbation that fits all pictures, and knows that it depends on the weights.
//!
//! The unknown trigger is taken as the worst universal perturbation d, and the weights w are changed so that it does not
//! work: min over w of max over d of CE(f_w(x + d), y). Because d follows w, the right gradient has an implicit part, found by
//! a few steps of a fixed-point iteration over Phi(d, w) = d - eta grad_d L_in(d, w):
//!
//! ```text
//! v = (dPhi/dd)^T v + dL_out/dd,    gradient = dL_out/dw + (dPhi/dw)^T v
//! ```
//!
//! Look at d, and at what the model answers under it: one tall bar is the target class.
//!
//! Zeng, Chen, Park, Mao, Jin, Jia: Adversarial Unlearning of Backdoors via Implicit Hypergradient. ICLR 2022. As in both
//! published codes d lives in the normalised space, is held by a penalty only, and disturbs a hundredth of a batch.

use super::passes::{CleanBatch, Learner, Means, Passes};
use crate::data::{Augment, pictures, rgba_from_pixels, values};
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
use tch::{Device, Kind, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How often a perturbation is found and unlearned.
    #[schemars(range(min = 1, max = 100), extend("x-unit" = "rounds", "x-paper" = 5))]
    pub rounds: usize,
    /// Steps of the fixed-point iteration; 0 leaves the implicit part out.
    #[schemars(range(min = 0, max = 50), extend("x-unit" = "steps", "x-paper" = 5))]
    pub fixed_point_steps: usize,
    #[schemars(range(min = 0.000001, max = 0.1), extend("x-scale" = "log", "x-paper" = 0.0001))]
    pub learning_rate: f64,
    /// Learning rate of the perturbation.
    #[schemars(range(min = 0.01, max = 100.0), extend("x-scale" = "log", "x-paper" = 10.0, "x-advanced" = true))]
    pub inner_rate: f64,
    /// Weight of the perturbation's squared length.
    #[schemars(range(min = 0.0, max = 1.0), extend("x-paper" = 0.001, "x-advanced" = true))]
    pub penalty: f64,
    /// Longest perturbation, L2 in the normalised space; automatic leaves it to the penalty.
    #[schemars(range(min = 0.1, max = 1000.0), extend("x-advanced" = true))]
    pub radius: Option<f64>,
    /// Step of Phi.
    #[schemars(range(min = 0.0001, max = 1.0), extend("x-scale" = "log", "x-paper" = 0.1, "x-advanced" = true))]
    pub eta: f64,
    /// Share of a batch that is perturbed while unlearning.
    #[schemars(range(min = 0.001, max = 1.0), extend("x-paper" = 0.01, "x-advanced" = true))]
    pub disturbed: f64,
    /// Pictures per step.
    #[schemars(range(min = 2, max = 4096), extend("x-paper" = 256, "x-advanced" = true))]
    pub batch: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rounds: 5,
            fixed_point_steps: 5,
            learning_rate: 1e-4,
            inner_rate: 10.0,
            penalty: 1e-3,
            radius: None,
            eta: 0.1,
            disturbed: 0.01,
            batch: 256,
        }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "i-bau",
        kind: MethodKind::Repair,
        name: "I-BAU",
        one_line: "Unlearns the worst perturbation that works on all pictures at once.",
        page: "A trigger is one change that works on every picture. I-BAU looks for the worst such change, then changes \
               the weights so that it works no more, and repeats. Because the worst change follows the weights, the \
               gradient has an implicit part, which is approximated with a few steps.\n\nFive rounds are enough, and \
               few clean pictures suffice. Triggers that differ from picture to picture or bend it are covered only by \
               chance. Look at the perturbation: it often resembles the trigger.",
        paper: "Zeng, Chen, Park, Mao, Jin, Jia: Adversarial Unlearning of Backdoors via Implicit Hypergradient. ICLR, \
                2022",
        properties: &[Property::NeedsClean, Property::NeedsGradients],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Defense::Repair(Box::new(IBau { options: parse(options)? }))),
};

struct IBau {
    options: Options,
}

impl Repair for IBau {
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
        let live = model.params.requires_grad(&|_| true);
        let adam = Adam::over(&live, Betas { amsgrad: true, ..Betas::default() });
        let mut unlearner = Unlearner { options: o, phase, data, model, live, adam, perturbation: Tensor::new() };
        passes.run(job, data, device, &mut unlearner, after_epoch)?;
        Ok(unlearner.model)
    }
}

struct Unlearner<'a> {
    options: &'a Options,
    phase: &'a str,
    data: &'a DefenderData<'a>,
    /// Shares memory with `live`.
    model: Model,
    live: Params,
    adam: Adam,
    /// The latest universal perturbation, f32 `[1, 3, H, W]`, normalised.
    perturbation: Tensor,
}

impl Unlearner<'_> {
    /// Logits in f32: second derivatives need it. Statistics stay.
    fn logits(&self, params: &Params, x: &Tensor) -> Result<Tensor> {
        let mut pass = Pass::new(Mode::Eval, Kind::Float);
        forward(&*self.model.network, params, &self.model.plugs, x, &mut pass)
    }

    /// Minus the loss under `d`, and the penalty: what the attacker minimises.
    fn inner_loss(&self, params: &Params, x: &Tensor, y: &Tensor, d: &Tensor) -> Result<Tensor> {
        let loss = self.logits(params, &(x + d))?.cross_entropy_for_logits(y);
        Ok(d.square().sum(Kind::Float) * self.options.penalty - loss)
    }

    /// One pass over the clean set up the loss of the model's own answers.
    fn find(&self, job: &mut Job) -> Outcome<Tensor> {
        let o = self.options;
        let frozen = self.live.requires_grad(&|_| false);
        let device = frozen.device();
        let input = self.model.network.input();
        let mut d = Tensor::zeros([1, 3, input.height, input.width], (Kind::Float, device));
        let rows: Vec<i64> = (0..self.data.clean.len() as i64).collect();
        for rows in rows.chunks(o.batch) {
            job.tick()?;
            let x = input.prepare(&self.data.clean.pixels(rows)?, device)?;
            let answers = tch::no_grad(|| self.logits(&frozen, &x))?.argmax(1, false);
            let leaf = d.detach().set_requires_grad(true);
            let loss = self.inner_loss(&frozen, &x, &answers, &leaf)?;
            let gradient = &Tensor::run_backward(&[&loss], &[&leaf], false, false)[0];
            d = leaf.detach() - gradient * o.inner_rate;
            if let Some(radius) = o.radius {
                let length = d.square().sum(Kind::Float).sqrt().double_value(&[]);
                if length > radius {
                    d *= radius / length;
                }
            }
        }
        Ok(d.detach())
    }

    fn show(&self, job: &mut Job, round: usize) -> Outcome<()> {
        let d = self.perturbation.get(0).to_device(Device::Cpu);
        let (low, high) = (d.min(), d.max());
        let stretched = ((&d - &low) / (high - low + 1e-12) * 255.0).to_kind(Kind::Uint8);
        let caption = format!("The worst perturbation for all pictures, round {round}, stretched to full range");
        pictures::keep(job, self.phase, &caption, rgba_from_pixels(&stretched)?)?;

        let input = self.model.network.input();
        let rows: Vec<i64> = (0..self.data.clean.len() as i64).collect();
        let mut counts = Tensor::zeros([input.classes], (Kind::Float, self.perturbation.device()));
        for rows in rows.chunks(self.options.batch) {
            job.tick()?;
            let x = input.prepare(&self.data.clean.pixels(rows)?, self.perturbation.device())? + &self.perturbation;
            let answers = tch::no_grad(|| self.logits(&self.live, &x))?.argmax(1, false);
            counts += answers.one_hot(input.classes).sum_dim_intlist([0i64].as_slice(), false, Kind::Float);
        }
        let counts = values(&counts)?;
        let names = &self.data.clean.card().classes;
        let most = (0..counts.len()).max_by(|&a, &b| f32::total_cmp(&counts[a], &counts[b])).unwrap_or_default();
        let caption = format!(
            "What the clean pictures are taken for under it, class by class: {:.0} % for {}",
            100.0 * counts[most] / rows.len().max(1) as f32,
            names.get(most).map_or("one class", String::as_str)
        );
        let bars = pictures::bars(&counts, |class| class == most);
        Ok(pictures::keep(job, &format!("{}-answers", self.phase), &caption, bars)?)
    }
}

/// The sum of `outputs` weighted with `v`, differentiated by `inputs`; what is not reached has a gradient of zero.
fn pull_back(outputs: &Tensor, v: &Tensor, inputs: &[Tensor]) -> Vec<Tensor> {
    let weighted = (outputs * v.detach()).sum(Kind::Float);
    let gradients = Tensor::run_backward(&[&weighted], inputs, true, false);
    gradients.into_iter().zip(inputs).map(|(g, input)| if g.defined() { g } else { input.zeros_like() }).collect()
}

/// The gradient of an outer loss by the weights, where `d` follows the weights through the fixed point of `phi`.
///
/// `direct` and `by_d` are the outer loss's own gradients. Ends early when the iteration stands still, and leaves the
/// implicit part out when it grows.
fn hypergradient(
    phi: &Tensor,
    d: &Tensor,
    weights: &[Tensor],
    direct: &[Tensor],
    by_d: &Tensor,
    steps: usize,
) -> Vec<Tensor> {
    if steps == 0 {
        return direct.iter().map(Tensor::shallow_clone).collect();
    }
    let mut v = by_d.zeros_like();
    let mut last = f64::INFINITY;
    for _ in 0..steps {
        let next = &pull_back(phi, &v, &[d.shallow_clone()])[0] + by_d;
        let change = (&next - &v).square().sum(Kind::Double).sqrt().double_value(&[]);
        if !change.is_finite() || change > 10.0 * last {
            return direct.iter().map(Tensor::shallow_clone).collect();
        }
        (v, last) = (next, change);
        if change < 1e-10 {
            break;
        }
    }
    pull_back(phi, &v, weights).into_iter().zip(direct).map(|(implicit, direct)| implicit + direct).collect()
}

impl Learner for Unlearner<'_> {
    fn learn(&mut self, job: &mut Job, batch: &CleanBatch, means: &mut Means) -> Outcome<()> {
        let o = self.options;
        let batches = batch.steps / o.rounds.max(1);
        if batch.step.is_multiple_of(batches.max(1)) || !self.perturbation.defined() {
            self.perturbation = self.find(job)?;
            self.show(job, batch.step / batches.max(1) + 1)?;
        }
        let d = self.perturbation.detach().set_requires_grad(true);
        let x = batch.x(self.model.network.input());
        let count = batch.len() as i64;
        let disturbed = ((o.disturbed * count as f64) as i64).clamp(1, count);
        // The batch was shuffled: its first rows are as random as any.
        let together = Tensor::cat(&[x.narrow(0, 0, disturbed) + &d, x.narrow(0, disturbed, count - disturbed)], 0);
        let outer = self.logits(&self.live, &channels_last(&together))?.cross_entropy_for_logits(&batch.labels);
        let weights = self.adam.leaves();
        let mut inputs = vec![d.shallow_clone()];
        inputs.extend(weights.iter().map(Tensor::shallow_clone));
        let mut gradients = Tensor::run_backward(&[&outer], &inputs, false, false);
        let direct = gradients.split_off(1);
        let by_d = gradients.swap_remove(0);

        let gradients = if o.fixed_point_steps == 0 {
            direct
        } else {
            let inner = self.inner_loss(&self.live, &x, &batch.labels, &d)?;
            let by = &Tensor::run_backward(&[&inner], &[&d], true, true)[0];
            let phi = &d - by * o.eta;
            hypergradient(&phi, &d, &weights, &direct, &by_d, o.fixed_point_steps)
        };
        self.adam.apply(gradients, o.learning_rate);
        let length = d.detach().square().sum(Kind::Float).sqrt().double_value(&[]);
        means.add(&[("loss", outer.double_value(&[])), ("perturbation-length", length)], batch.len());
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

    /// L_in = 1/2 d'Ad - d'Bw, L_out = c'd: the fixed point is d = A^-1 B w, so the gradient is c' A^-1 B.
    #[test]
    fn on_a_quadratic_the_gradient_is_the_analytic_one() {
        let options = (Kind::Double, Device::Cpu);
        let a = Tensor::from_slice(&[2.0f64, 0.3, 0.3, 1.0]).view([2, 2]);
        let b = Tensor::from_slice(&[1.0f64, -2.0, 0.5, 0.25, 3.0, -1.0]).view([2, 3]);
        let c = Tensor::from_slice(&[0.7f64, -1.1]);
        let d = Tensor::zeros([2], options).set_requires_grad(true);
        let w = Tensor::from_slice(&[0.2f64, 0.4, -0.3]).set_requires_grad(true);
        let inner = d.dot(&a.mv(&d)) * 0.5 - d.dot(&b.mv(&w));
        let by = &Tensor::run_backward(&[&inner], &[&d], true, true)[0];
        let phi = &d - by * 0.3;
        let direct = [Tensor::zeros([3], options)];
        let found = hypergradient(&phi, &d, &[w.shallow_clone()], &direct, &c, 200);
        let wanted = b.transpose(0, 1).mv(&a.inverse().mv(&c));
        assert!((&found[0] - wanted).abs().max().double_value(&[]) < 1e-6);
        let without = hypergradient(&phi, &d, &[w], &direct, &c, 0);
        assert_eq!(without[0].abs().max().double_value(&[]), 0.0);
    }

    /// The gradient through the network agrees with finite differences of w -> L_out(Phi(d, w), w) for one step.
    #[test]
    fn one_fixed_point_step_agrees_with_finite_differences() {
        let options = Options { eta: 0.5, ..quick() };
        let model = small_model();
        let live = model.params.requires_grad(&|_| true);
        let clean = crate::data::tests::striped(10);
        let data = DefenderData::new(&clean, Kind::Float);
        let adam = Adam::over(&live, Betas::default());
        let me =
            Unlearner { options: &options, phase: "t", data: &data, model, live, adam, perturbation: Tensor::new() };
        let x = Tensor::linspace(-1.0, 1.0, 4 * 3 * 8 * 8, tch::kind::FLOAT_CPU).view([4, 3, 8, 8]);
        let y = Tensor::from_slice(&[0i64, 3, 5, 7]);
        let start = Tensor::linspace(-0.2, 0.3, 3 * 8 * 8, tch::kind::FLOAT_CPU).view([1, 3, 8, 8]);
        // L_out(e) = sum of c e, linear in Phi.
        let c = Tensor::linspace(1.0, -1.0, 3 * 8 * 8, tch::kind::FLOAT_CPU).view([1, 3, 8, 8]);
        let phi_at = |params: &Params| {
            let d = start.detach().set_requires_grad(true);
            let inner = me.inner_loss(params, &x, &y, &d).unwrap();
            let by = &Tensor::run_backward(&[&inner], &[&d], true, true)[0];
            (&d - by * options.eta, d)
        };
        let weights = me.adam.leaves();
        let (phi, d) = phi_at(&me.live);
        let zeros: Vec<Tensor> = weights.iter().map(Tensor::zeros_like).collect();
        let found = hypergradient(&phi, &d, &weights, &zeros, &c, 1);
        let name = "linear.bias";
        let index = me.live.trainable().position(|(known, _)| known == name).unwrap();
        let value = |shift: f64| {
            let bias = me.live.get(name).unwrap().detach().copy();
            let _ = bias.get(3).g_add_scalar_(shift);
            let moved = me.live.with([(name.to_owned(), bias.set_requires_grad(true))]);
            (phi_at(&moved).0 * &c).sum(Kind::Double).double_value(&[])
        };
        let slope = (value(0.05) - value(-0.05)) / 0.1;
        let found = found[index].double_value(&[3]);
        assert!((found - slope).abs() < 0.02 * slope.abs().max(1e-3), "{found} against {slope}");
    }

    #[test]
    fn weights_learn_and_statistics_stay() {
        let before = small_model();
        let names = changed(&before, &repaired(&IBau { options: quick() }, &before));
        assert!(names.contains(&"conv1.weight".to_owned()) && names.iter().all(|name| !name.contains("running")));
    }

    #[test]
    fn it_goes_on_after_a_stop() {
        goes_on_where_it_stopped(&IBau { options: quick() });
    }
}
