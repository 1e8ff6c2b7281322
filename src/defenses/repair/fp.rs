//! FP, fine-pruning: switches off features that sleep on clean pictures, then fine-tunes the rest.
//!
//! The features in front of the last layer are ranked by their mean over clean pictures, and the sleepiest are cut off
//! until accuracy on held-back clean pictures has fallen by the tolerance. Then the rest is fine-tuned, in case an attacker
//! hid the backdoor among features that clean pictures use. Look at accuracy against the number of cut features.
//!
//! Liu, Dolan-Gavitt, Garg: Fine-Pruning: Defending Against Backdooring Attacks on Deep Neural Networks. RAID 2018.
//! Deviations from the reference code: it looks at the test set and keeps the cut that went too far; here a fifth of the
//! clean set decides unless the oracle is asked for, and the last cut that was good is kept.

use super::passes::{CleanBatch, Learner, Means, Passes};
use crate::data::{Augment, Dataset, Rows, pictures, values};
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
use tch::{Kind, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Accuracy that cutting may cost, as a share of what there was.
    #[schemars(range(min = 0.0, max = 0.9), extend("x-paper" = 0.1))]
    pub tolerance: f64,
    /// Oracle: accuracy on test pictures decides how much is cut, as in the reference code. No defender can; the row is
    /// marked.
    #[schemars(extend("x-advanced" = true))]
    pub oracle_cut: bool,
    pub rank: Rank,
    /// Passes over the clean set after the cut.
    #[schemars(range(min = 0, max = 500), extend("x-unit" = "epochs", "x-paper" = 100))]
    pub epochs: usize,
    #[schemars(range(min = 0.00001, max = 1.0), extend("x-scale" = "log", "x-paper" = 0.01))]
    pub learning_rate: f64,
    /// Pictures per step.
    #[schemars(range(min = 2, max = 4096), extend("x-paper" = 256, "x-advanced" = true))]
    pub batch: usize,
    #[schemars(range(min = 0.0, max = 0.1), extend("x-scale" = "log", "x-paper" = 0.0005, "x-advanced" = true))]
    pub weight_decay: f64,
    /// Random crop border.
    #[schemars(range(min = 0, max = 16), extend("x-unit" = "px", "x-paper" = 4, "x-advanced" = true))]
    pub crop: usize,
    /// Mirror every second picture.
    #[schemars(extend("x-advanced" = true))]
    pub flip: bool,
}

/// What makes a feature sleepy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rank {
    /// A small mean, as the reference has it.
    Mean,
    /// A small mean of its size, for features that can be negative.
    Size,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tolerance: 0.1,
            oracle_cut: false,
            rank: Rank::Mean,
            epochs: 100,
            learning_rate: 0.01,
            batch: 256,
            weight_decay: 5e-4,
            crop: 4,
            flip: true,
        }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "fp",
        kind: MethodKind::Repair,
        name: "Fine-pruning (FP)",
        one_line: "Cuts off features that sleep on clean pictures, then fine-tunes.",
        page: "Features that only the trigger uses sleep on clean pictures. They are ranked by their mean there, and the \
               sleepiest are cut off until accuracy on held-back clean pictures falls by the tolerance. Then the model \
               is fine-tuned.\n\nASR may rise before it falls while features are cut, and an attacker who knows the \
               defense hides the backdoor among features that clean pictures need. A low ASR with a low RA means that \
               stamped pictures are still misclassified, only differently.",
        paper: "Liu, Dolan-Gavitt, Garg: Fine-Pruning: Defending Against Backdooring Attacks on Deep Neural Networks. \
                RAID, 2018",
        properties: &[Property::NeedsClean, Property::NeedsSites, Property::NeedsGradients],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Defense::Repair(Box::new(FinePruning { options: parse(options)? }))),
};

const MOMENTUM: f64 = 0.9;

struct FinePruning {
    options: Options,
}

/// The weights of the last layer, whose input is the last site: `linear.weight`.
fn head(network: &dyn Network) -> Option<String> {
    let site = network.sites().last()?.name.strip_suffix(".in")?.to_owned();
    Some(format!("{site}.weight"))
}

impl Repair for FinePruning {
    fn epochs(&self) -> usize {
        self.options.epochs
    }

    fn asks_oracle(&self) -> bool {
        self.options.oracle_cut
    }

    fn check(&self, network: &dyn Network) -> Result<()> {
        head(network).map(|_| ()).ok_or_else(|| {
            Problem::bad_input("Fine-pruning cuts the features of the last layer, and this network does not show it.")
                .at("defense.id")
                .remedy("Use a network of the zoo.")
        })
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
        let name = head(&*model.network).ok_or_else(|| Problem::internal("The network has no last layer."))?;
        let (kept, cut) = self.cut(job, phase, &model, data, &name)?;
        job.note(format!("{phase}: {cut} of {} features are cut off", kept.size()[0]));
        let mut params = model.params.clone();
        let masked = params.get(&name)?.detach() * &kept;
        params.insert(name.clone(), masked);
        let model = Model { params, ..model };
        let augment = Augment { crop: o.crop as i64, flip: o.flip };
        let passes = Passes { phase, epochs: o.epochs, batch: o.batch, augment, learning_rate: o.learning_rate };
        let device = model.params.device();
        let mut tuner = Tuner::new(o, model, name, kept, data.kind);
        passes.run(job, data, device, &mut tuner, after_epoch)?;
        Ok(tuner.model)
    }
}

impl FinePruning {
    /// Which features stay (f32 `[features]`, 1 or 0) and how many do not.
    fn cut(
        &self,
        job: &mut Job,
        phase: &str,
        model: &Model,
        data: &DefenderData,
        name: &str,
    ) -> Outcome<(Tensor, i64)> {
        let device = model.params.device();
        let all = features(job, model, data.clean, data.kind)?;
        let rank = if self.options.rank == Rank::Size { all.abs() } else { all.shallow_clone() };
        let means = rank.mean_dim([0i64].as_slice(), false, Kind::Float);
        let order = means.argsort_stable(true, 0, false);
        // Every fifth picture decides; they stand class by class, so each class has its share.
        let held: Vec<i64> = (0..data.clean.len() as i64).step_by(5).collect();
        let held = Rows::new(data.clean, held);
        let rows: Vec<i64> = (0..data.clean.len() as i64).step_by(5).collect();
        let seen = all.index_select(0, &Tensor::from_slice(&rows).to_device(device));
        let labels = Tensor::from_slice(held.labels()).to_device(device);
        let weight = model.params.get(name)?;
        let bias = model.params.find(&name.replace(".weight", ".bias"));
        let accuracy = |job: &mut Job, kept: &Tensor| -> Outcome<f64> {
            if self.options.oracle_cut {
                let params = model.params.with([(name.to_owned(), weight * kept)]);
                return Ok(data.ask()?.scores(job, &Model { params, ..model.clone() })?.0);
            }
            let logits = seen.linear(&(weight * kept), bias);
            Ok(logits.argmax(1, false).eq_tensor(&labels).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]))
        };
        let count = weight.size()[1];
        let step = (count + 99) / 100;
        let whole = Tensor::ones([count], (Kind::Float, device));
        let before = accuracy(job, &whole)?;
        let measure = if self.options.oracle_cut { "acc" } else { "clean-accuracy" };
        let (mut kept, mut cut) = (whole.shallow_clone(), 0);
        let mut tried = 0;
        while tried < count {
            job.tick()?;
            let mask = whole.index_fill(0, &order.narrow(0, 0, tried), 0.0);
            let now = accuracy(job, &mask)?;
            job.metrics(&format!("{phase}/cut"), tried as f64, &[(measure, now)])?;
            let drop = before - now;
            if drop > 0.0 && drop >= self.options.tolerance * before {
                break;
            }
            (kept, cut) = (mask, tried);
            tried += step;
        }
        let caption = "How awake each feature is on clean pictures, sorted. Orange: cut off";
        let bars = pictures::bars(&values(&means.index_select(0, &order))?, |index| (index as i64) < cut);
        pictures::keep(job, phase, caption, bars)?;
        Ok((kept, cut))
    }
}

/// What reaches the last layer for every clean picture: f32 `[N, features]`.
fn features(job: &mut Job, model: &Model, data: &dyn Dataset, kind: Kind) -> Outcome<Tensor> {
    let site = model.network.sites().last().map(|site| site.name.clone()).unwrap_or_default();
    let rows: Vec<i64> = (0..data.len() as i64).collect();
    let mut parts = Vec::new();
    for rows in rows.chunks(256) {
        job.tick()?;
        let mut hook = |name: &str, x: &Tensor| -> Result<Option<Tensor>> {
            if name == site {
                parts.push(x.detach().to_kind(Kind::Float));
            }
            Ok(None)
        };
        let x = model.network.input().prepare(&data.pixels(rows)?, model.params.device())?;
        let mut pass = Pass::new(Mode::Eval, kind).hooked(&mut hook);
        let _ = tch::no_grad(|| model.forward(&x, &mut pass))?;
    }
    Ok(Tensor::cat(&parts, 0))
}

struct Tuner {
    rate: f64,
    epochs: usize,
    /// Shares memory with `live`.
    model: Model,
    live: Params,
    sgd: Sgd,
    /// Name of the last layer's weights and which of its columns live.
    head: String,
    kept: Tensor,
    kind: Kind,
}

impl Tuner {
    fn new(options: &Options, model: Model, head: String, kept: Tensor, kind: Kind) -> Self {
        let (sgd, live) = Sgd::new(&model.params, &|_| true, MOMENTUM, options.weight_decay);
        Self { rate: options.learning_rate, epochs: options.epochs, model, live, sgd, head, kept, kind }
    }
}

impl Learner for Tuner {
    fn learn(&mut self, _: &mut Job, batch: &CleanBatch, means: &mut Means) -> Outcome<()> {
        // The mask is part of the network here, so that cut columns get no gradient.
        let masked = self.live.get(&self.head)? * &self.kept;
        let params = self.live.with([(self.head.clone(), masked)]);
        let network = &*self.model.network;
        let x = batch.x(network.input());
        let mut pass = Pass::new(Mode::Train, self.kind);
        let loss = forward(network, &params, &self.model.plugs, &x, &mut pass)?.cross_entropy_for_logits(&batch.labels);
        let epoch = batch.step * self.epochs / batch.steps.max(1);
        let course = 0.5 * (1.0 + (std::f64::consts::PI * epoch as f64 / self.epochs as f64).cos());
        self.sgd.step(&loss, self.rate * course);
        means.add(&[("loss", loss.double_value(&[]))], batch.len());
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
        Options { epochs: 2, batch: 20, crop: 0, flip: false, ..Options::default() }
    }

    fn columns(model: &Model) -> Vec<f32> {
        let sums =
            model.params.get("linear.weight").unwrap().abs().sum_dim_intlist([0i64].as_slice(), false, Kind::Float);
        Vec::<f32>::try_from(sums).unwrap()
    }

    #[test]
    fn what_is_cut_stays_cut() {
        let before = small_model();
        let after = repaired(&FinePruning { options: Options { tolerance: 0.9, ..quick() } }, &before);
        let dead = columns(&after).iter().filter(|&&column| column == 0.0).count();
        assert!(dead > 0, "a network that knows nothing has nothing to lose");
        assert!(changed(&before, &after).contains(&"conv1.weight".to_owned()), "the rest is fine-tuned");
    }

    #[test]
    fn the_sleepiest_features_go_first() {
        let model = small_model();
        let folder = tempfile::tempdir().unwrap();
        let mut job = Job::detached(folder.path(), 1);
        let clean = crate::data::tests::striped(60);
        let data = DefenderData::new(&clean, Kind::Float);
        let pruning = FinePruning { options: Options { tolerance: 0.9, ..quick() } };
        let (kept, cut) = pruning.cut(&mut job, "fp", &model, &data, "linear.weight").unwrap();
        assert_eq!(kept.eq(0.0).sum(Kind::Int64).int64_value(&[]), cut);
        let means =
            features(&mut job, &model, &clean, Kind::Float).unwrap().mean_dim([0i64].as_slice(), false, Kind::Float);
        let of = |value: f64| Vec::<f32>::try_from(means.masked_select(&kept.eq(value))).unwrap();
        let most_cut = of(0.0).into_iter().fold(f32::MIN, f32::max);
        let least_kept = of(1.0).into_iter().fold(f32::MAX, f32::min);
        assert!(most_cut <= least_kept);
    }

    #[test]
    fn it_goes_on_after_a_stop() {
        goes_on_where_it_stopped(&FinePruning { options: quick() });
    }
}
