//! ANP: prunes the neurons through which a small change of weights wakes the backdoor.
//!
//! A neuron is a channel of a batch normalisation. Each gets a mask value m in 0..=1, learned against the worst small
//! change of all neurons' scales and shifts at once:
//!
//! ```text
//! min over m of alpha L(gamma m) + (1 - alpha) max over |d|, |e| <= eps of L(gamma (m + d), beta (1 + e))
//! ```
//!
//! Channels whose mask falls to the threshold or below lose their scale, in the delivered model. Look at the sorted masks:
//! a backdoor shows as a small group far below the rest.
//!
//! Wu, Wang: Adversarial Neuron Pruning Purifies Backdoored Deep Models. NeurIPS 2021. The authors' mask rate 0.2 is used;
//! batches are drawn in passes, not with replacement. The threshold is fixed or chosen by clean accuracy, and by ASR, as the
//! reference code does it, only where that is asked for.

use super::passes::{CleanBatch, Learner, Means, Passes};
use crate::data::{Augment, pictures, values};
use crate::defenses::{DefenderData, Defense, Entry, Oracle, Repair, parse};
use crate::experiment::method::{Kind as MethodKind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Problem, Result};
use crate::nets::model::forward;
use crate::nets::training::fit::AfterEpoch;
use crate::nets::training::{Optimiser, Sgd};
use crate::nets::{Mode, Model, Network, Params, Pass};
use crate::run::job::Job;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Passes over the clean set; the authors' 2,000 steps are 100 passes over 2,500 pictures.
    #[schemars(range(min = 1, max = 2000), extend("x-unit" = "epochs", "x-paper" = 100))]
    pub epochs: usize,
    /// Largest change of a neuron, as a share of its scale and shift.
    #[schemars(range(min = 0.0, max = 2.0), extend("x-paper" = 0.4))]
    pub epsilon: f64,
    /// Weight of the loss without a change.
    #[schemars(range(min = 0.0, max = 1.0), extend("x-paper" = 0.2))]
    pub alpha: f64,
    /// Neurons with a mask value up to this are pruned; automatic is the largest value that costs at most three points of
    /// accuracy on the clean set.
    #[schemars(range(min = 0.0, max = 1.0), extend("x-paper" = 0.2))]
    pub threshold: Option<f64>,
    /// Oracle: the threshold with the lowest ASR that costs at most a tenth of the accuracy, both on test pictures, as the
    /// reference code chooses. No defender can; the row is marked.
    #[schemars(extend("x-advanced" = true))]
    pub oracle_threshold: bool,
    #[schemars(range(min = 0.0001, max = 2.0), extend("x-scale" = "log", "x-paper" = 0.2, "x-advanced" = true))]
    pub learning_rate: f64,
    /// Steps to the worst change.
    #[schemars(range(min = 1, max = 20), extend("x-unit" = "steps", "x-paper" = 1, "x-advanced" = true))]
    pub inner_steps: usize,
    /// Keeps the change within epsilon; both published codes let it reach twice as far.
    #[schemars(extend("x-advanced" = true))]
    pub project: bool,
    /// Pictures per step.
    #[schemars(range(min = 2, max = 4096), extend("x-paper" = 128, "x-advanced" = true))]
    pub batch: usize,
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
            epochs: 100,
            epsilon: 0.4,
            alpha: 0.2,
            threshold: Some(0.2),
            oracle_threshold: false,
            learning_rate: 0.2,
            inner_steps: 1,
            project: false,
            batch: 128,
            crop: 4,
            flip: true,
        }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "anp",
        kind: MethodKind::Repair,
        name: "ANP",
        one_line: "Prunes the neurons that a small change of weights turns towards the target class.",
        page: "Change the weights of a backdoored model a little, in the worst direction, and it answers the target class \
               even without the trigger: the neurons of the backdoor are sensitive. ANP learns one mask value for every \
               neuron that keeps the loss low under the worst change, and prunes those whose value falls towards \
               zero.\n\nThe threshold decides everything: look at the sorted mask values and at the accuracy that each \
               cut costs. Clean models have low mask values too, so something is always pruned.",
        paper: "Wu, Wang: Adversarial Neuron Pruning Purifies Backdoored Deep Models. NeurIPS, 2021",
        properties: &[Property::NeedsClean, Property::NeedsBatchNorm, Property::NeedsGradients],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Defense::Repair(Box::new(Anp { options: parse(options)? }))),
};

const MOMENTUM: f64 = 0.9;
/// Accuracy on the clean set that an automatic threshold may cost.
const MOST_DROP: f64 = 0.03;
/// Share of the test accuracy that the oracle's threshold may cost.
const ORACLE_DROP: f64 = 0.1;
/// Thresholds that are tried: 0, 0.05 and so on up to 0.9.
const TRIED: std::ops::RangeInclusive<u32> = 0..=18;

struct Anp {
    options: Options,
}

/// Batch normalisations by name: those that keep statistics.
fn norms(params: &Params) -> Vec<String> {
    params.names().filter_map(|name| name.strip_suffix(".running_mean")).map(str::to_owned).collect()
}

impl Repair for Anp {
    fn epochs(&self) -> usize {
        self.options.epochs
    }

    fn asks_oracle(&self) -> bool {
        self.options.oracle_threshold
    }

    fn check(&self, network: &dyn Network) -> Result<()> {
        if norms(&network.initial(0)?).is_empty() {
            return Err(Problem::bad_input("ANP prunes channels of batch normalisation, and this network has none.")
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
        let augment = Augment { crop: o.crop as i64, flip: o.flip };
        let passes = Passes { phase, epochs: o.epochs, batch: o.batch, augment, learning_rate: o.learning_rate };
        let device = model.params.device();
        let mut pruner = Pruner::new(o, model, data.kind, job.seed());
        passes.run(job, data, device, &mut pruner, after_epoch)?;

        let sorted = pruner.sorted_masks()?;
        let threshold = match o.threshold {
            _ if o.oracle_threshold => pruner.threshold_by_oracle(job, phase, data.ask()?)?,
            Some(threshold) => threshold,
            None => pruner.threshold_by_accuracy(job, phase, data)?,
        };
        let pruned = sorted.iter().filter(|&&mask| f64::from(mask) <= threshold).count();
        job.note(format!("{phase}: {pruned} of {} neurons have masks up to {threshold} and are pruned", sorted.len()));
        let picture = pictures::bars(&sorted, |index| index < pruned);
        pictures::keep(job, phase, "Mask values of all neurons, sorted. Orange: pruned", picture)?;
        Ok(pruner.pruned(threshold))
    }
}

struct Pruner<'a> {
    options: &'a Options,
    /// As delivered; its statistics never move.
    model: Model,
    norms: Vec<String>,
    /// Mask values under the names of the normalisations, f32 `[channels]`, leaves.
    masks: Params,
    sgd: Sgd,
    kind: Kind,
    rng: ChaCha8Rng,
}

impl<'a> Pruner<'a> {
    fn new(options: &'a Options, model: Model, kind: Kind, seed: u64) -> Self {
        let norms = norms(&model.params);
        let ones: Params = norms
            .iter()
            .filter_map(|name| Some((name.clone(), model.params.find(&format!("{name}.weight"))?.ones_like())))
            .collect();
        let (sgd, masks) = Sgd::new(&ones, &|_| true, MOMENTUM, 0.0);
        let model = Model { params: model.params.requires_grad(&|_| false), ..model };
        Self { options, model, norms, masks, sgd, kind, rng: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Cross-entropy with scales gamma (m + d) and shifts beta (1 + e); no noise is d = e = 0.
    fn loss(&self, batch: &CleanBatch, masks: &Params, noise: Option<&Params>) -> Result<Tensor> {
        let params = &self.model.params;
        let mut replaced = Vec::new();
        for name in &self.norms {
            let (scale, shift) = (format!("{name}.weight"), format!("{name}.bias"));
            let mask = masks.get(name)?;
            let gamma = params.get(&scale)?;
            let value = match noise {
                Some(noise) => {
                    replaced.push((shift.clone(), params.get(&shift)? * (noise.get(&shift)? + 1.0)));
                    gamma * (mask + noise.get(&scale)?)
                }
                None => gamma * mask,
            };
            replaced.push((scale, value));
        }
        let params = params.with(replaced);
        let network = &*self.model.network;
        let x = batch.x(network.input());
        // Statistics of the batch, while the delivered ones stay as they are.
        let mut pass = Pass::new(Mode::BatchStatistics, self.kind);
        let logits = forward(network, &params, &self.model.plugs, &x, &mut pass)?;
        Ok(logits.cross_entropy_for_logits(&batch.labels))
    }

    /// The worst change of all neurons that is found from a random start, detached.
    fn worst(&mut self, batch: &CleanBatch) -> Result<Params> {
        let o = self.options;
        let mut noise = Params::new();
        for name in &self.norms {
            for part in ["weight", "bias"] {
                let name = format!("{name}.{part}");
                let like = self.model.params.get(&name)?;
                let draw: Vec<f32> =
                    (0..like.numel()).map(|_| self.rng.random_range(-1.0f32..=1.0) * o.epsilon as f32).collect();
                noise.insert(name, Tensor::from_slice(&draw).to_device(like.device()));
            }
        }
        let frozen = self.masks.requires_grad(&|_| false);
        for _ in 0..o.inner_steps {
            let leaves = noise.requires_grad(&|_| true);
            let loss = self.loss(batch, &frozen, Some(&leaves))?;
            let list: Vec<Tensor> = leaves.iter().map(|(_, leaf)| leaf.shallow_clone()).collect();
            let gradients = Tensor::run_backward(&[&loss], &list, false, false);
            let moved = leaves.iter().zip(&gradients).map(|((name, leaf), gradient)| {
                let place = leaf.detach() + gradient.sign() * (o.epsilon / o.inner_steps as f64);
                let place = if o.project { place.clamp(-o.epsilon, o.epsilon) } else { place };
                (name.to_owned(), place)
            });
            noise = moved.collect();
        }
        Ok(noise)
    }

    fn sorted_masks(&self) -> Result<Vec<f32>> {
        let mut sorted = Vec::new();
        for (_, mask) in self.masks.iter() {
            sorted.extend(values::<f32>(mask)?);
        }
        sorted.sort_by(f32::total_cmp);
        Ok(sorted)
    }

    /// The delivered model without the scale of neurons whose mask is at most `threshold`; shifts stay.
    fn pruned(&self, threshold: f64) -> Model {
        let mut params = self.model.params.clone();
        for (name, mask) in self.masks.iter() {
            let scale = format!("{name}.weight");
            if let Some(weight) = self.model.params.find(&scale) {
                params.insert(scale, weight.masked_fill(&mask.detach().le(threshold), 0.0));
            }
        }
        Model { params: params.deep_clone(), ..self.model.clone() }
    }

    fn threshold_by_accuracy(&self, job: &mut Job, phase: &str, data: &DefenderData) -> Outcome<f64> {
        let before = accuracy(job, &self.model, data)?;
        let mut best = 0.0;
        for threshold in TRIED.map(|step| f64::from(step) * 0.05) {
            let after = accuracy(job, &self.pruned(threshold), data)?;
            job.metrics(&format!("{phase}/threshold"), threshold, &[("clean-accuracy", after)])?;
            if before - after > MOST_DROP {
                break;
            }
            best = threshold;
        }
        Ok(best)
    }

    fn threshold_by_oracle(&self, job: &mut Job, phase: &str, oracle: &dyn Oracle) -> Outcome<f64> {
        let (before, _) = oracle.scores(job, &self.model)?;
        let mut tried = Vec::new();
        for threshold in TRIED.map(|step| f64::from(step) * 0.05) {
            let (acc, asr) = oracle.scores(job, &self.pruned(threshold))?;
            let asr = asr.unwrap_or(0.0);
            job.metrics(&format!("{phase}/oracle"), threshold, &[("acc", acc), ("asr", asr)])?;
            tried.push((threshold, acc, asr));
        }
        Ok(chosen_by_oracle(before, &tried))
    }
}

/// The threshold with the lowest ASR among those that keep enough accuracy; of equal ones the smallest. `tried` has threshold,
/// accuracy and ASR.
fn chosen_by_oracle(before: f64, tried: &[(f64, f64, f64)]) -> f64 {
    let kept = tried.iter().filter(|(_, acc, _)| *acc >= (1.0 - ORACLE_DROP) * before);
    kept.min_by(|a, b| a.2.total_cmp(&b.2)).map_or(0.0, |(threshold, ..)| *threshold)
}

/// Share of the clean set that the model classifies rightly.
fn accuracy(job: &mut Job, model: &Model, data: &DefenderData) -> Outcome<f64> {
    let rows: Vec<i64> = (0..data.clean.len() as i64).collect();
    let labels = Tensor::from_slice(data.clean.labels());
    let mut right = 0;
    for rows in rows.chunks(256) {
        job.tick()?;
        let answers = model.predict(&data.clean.pixels(rows)?, data.kind)?.argmax(1, false).to_device(Device::Cpu);
        right +=
            answers.eq_tensor(&labels.index_select(0, &Tensor::from_slice(rows))).sum(Kind::Int64).int64_value(&[]);
    }
    Ok(right as f64 / rows.len() as f64)
}

impl Learner for Pruner<'_> {
    fn learn(&mut self, job: &mut Job, batch: &CleanBatch, means: &mut Means) -> Outcome<()> {
        let o = self.options;
        // One stream for each step, so that a resumed run draws what it would have drawn.
        self.rng = job.rng(&format!("anp/noise/{}", batch.step));
        let noise = self.worst(batch)?;
        let clean = self.loss(batch, &self.masks, None)?;
        let noisy = self.loss(batch, &self.masks, Some(&noise))?;
        let loss = &clean * o.alpha + &noisy * (1.0 - o.alpha);
        self.sgd.step(&loss, o.learning_rate);
        tch::no_grad(|| {
            for (_, mask) in self.masks.iter() {
                let _ = mask.shallow_clone().clamp_(0.0, 1.0);
            }
        });
        let values = [
            ("loss", loss.double_value(&[])),
            ("loss-clean", clean.double_value(&[])),
            ("loss-worst", noisy.double_value(&[])),
        ];
        means.add(&values, batch.len());
        Ok(())
    }

    fn model(&self) -> Model {
        self.pruned(self.options.threshold.unwrap_or(0.2))
    }

    fn moving(&mut self) -> (&Params, &mut dyn Optimiser) {
        (&self.masks, &mut self.sgd)
    }
}

#[cfg(test)]
mod tests {
    use super::super::passes::tests::{changed, goes_on_where_it_stopped, repaired, small_model};
    use super::*;

    fn quick() -> Options {
        Options { epochs: 2, batch: 20, crop: 0, flip: false, ..Options::default() }
    }

    fn batch() -> CleanBatch {
        let pixels = Tensor::linspace(0.0, 1.0, 6 * 3 * 8 * 8, tch::kind::FLOAT_CPU).view([6, 3, 8, 8]);
        CleanBatch { pixels, labels: Tensor::from_slice(&[0i64, 1, 2, 3, 4, 5]), epoch: 0, step: 0, steps: 1 }
    }

    #[test]
    fn the_change_found_is_worse_than_none_and_keeps_its_bound() {
        for project in [true, false] {
            let options = Options { project, epsilon: 0.1, ..quick() };
            let mut pruner = Pruner::new(&options, small_model(), Kind::Float, 1);
            let noise = pruner.worst(&batch()).unwrap();
            let largest = noise.iter().map(|(_, noise)| noise.abs().max().double_value(&[])).fold(0.0, f64::max);
            assert!(largest <= if project { 0.1 } else { 0.2 } + 1e-6);
            let loss = |noise| pruner.loss(&batch(), &pruner.masks, noise).unwrap().double_value(&[]);
            assert!(loss(Some(&noise)) > loss(None));
        }
    }

    #[test]
    fn masks_of_one_leave_the_model_alone_and_only_scales_are_pruned() {
        let options = quick();
        let before = small_model();
        let pruner = Pruner::new(&options, before.clone(), Kind::Float, 1);
        assert_eq!(pruner.pruned(0.9).params.hash().unwrap(), before.params.hash().unwrap());
        let mask = pruner.masks.get("layer1.0.bn1").unwrap();
        let _ = tch::no_grad(|| mask.get(2).fill_(0.1));
        let after = pruner.pruned(0.2);
        assert_eq!(changed(&before, &after), ["layer1.0.bn1.weight"]);
        assert!(pruner.sorted_masks().unwrap()[0] < 0.2);
    }

    #[test]
    fn masks_stay_between_nothing_and_all_and_the_delivered_weights_stay() {
        let before = small_model();
        let hash = before.params.hash().unwrap();
        let options = Options { learning_rate: 2.0, threshold: None, ..quick() };
        let after = repaired(&Anp { options }, &before);
        assert_eq!(before.params.hash().unwrap(), hash);
        assert!(changed(&before, &after).iter().all(|name| name.contains("bn") && name.ends_with("weight")));
    }

    #[test]
    fn the_oracle_takes_the_lowest_asr_that_accuracy_allows() {
        let tried = [(0.0, 0.9, 0.8), (0.1, 0.85, 0.3), (0.2, 0.82, 0.3), (0.3, 0.8, 0.0)];
        assert_eq!(chosen_by_oracle(0.9, &tried), 0.1);
        assert_eq!(chosen_by_oracle(0.88, &tried), 0.3);
    }

    #[test]
    fn it_goes_on_after_a_stop() {
        goes_on_where_it_stopped(&Anp { options: quick() });
    }
}
