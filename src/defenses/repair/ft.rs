//! FT: plain fine-tuning on clean pictures, the baseline that every other repair must beat.
//!
//! Ordinary training goes on with the clean set. Weights that serve only the trigger get no signal and are worn down by
//! weight decay, fresh batch statistics and forgetting. Works when the backdoor is shallow. Recipe of BackdoorBench,
//! with the cosine ending where the training ends.

use crate::defenses::{DefenderData, Defense, Entry, Repair, parse};
use crate::experiment::method::{Kind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Precision, Schedule, Train};
use crate::nets::training::fit::{AfterEpoch, Fit, Round, fit};
use crate::nets::{Mode, Model};
use crate::run::job::Job;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How often the clean set is seen.
    #[schemars(range(min = 1, max = 500), extend("x-unit" = "epochs", "x-paper" = 100))]
    pub epochs: usize,
    #[schemars(range(min = 0.00001, max = 1.0), extend("x-scale" = "log", "x-paper" = 0.01))]
    pub learning_rate: f64,
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
    pub part: Part,
}

/// Which weights move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    All,
    /// The last layer only (linear probe).
    Head,
    /// Batch normalisation only: scale, shift and statistics.
    BatchNorm,
    /// All weights, but the running statistics stay.
    FrozenStatistics,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            epochs: 100,
            learning_rate: 0.01,
            batch: 256,
            momentum: 0.9,
            weight_decay: 5e-4,
            crop: 4,
            flip: true,
            part: Part::All,
        }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "ft",
        kind: Kind::Repair,
        name: "Fine-tuning (FT)",
        one_line: "Goes on training with a few clean pictures: the baseline of every repair.",
        page: "Ordinary training continues on the clean set. It removes shallow backdoors (published: BadNets at 10 % \
               from 95 % to 1.5 % attack success) and leaves entangled ones in place (Blended: 96 %). \"Removed\" only \
               means \"not expressed\": such models can often be attacked again cheaply.",
        paper: "baseline of BackdoorBench (Wu et al., NeurIPS 2022 Datasets and Benchmarks)",
        properties: &[Property::NeedsClean, Property::NeedsGradients],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Defense::Repair(Box::new(FineTuning { options: parse(options)? }))),
};

pub struct FineTuning {
    pub options: Options,
}

impl Repair for FineTuning {
    fn epochs(&self) -> usize {
        self.options.epochs
    }

    fn repair(
        &self,
        job: &mut Job,
        phase: &str,
        mut model: Model,
        data: &DefenderData,
        after_epoch: &mut AfterEpoch,
    ) -> Outcome<Model> {
        let o = &self.options;
        let train = Train {
            epochs: o.epochs,
            batch: o.batch,
            learning_rate: o.learning_rate,
            momentum: o.momentum,
            weight_decay: o.weight_decay,
            schedule: Schedule::Cosine,
            precision: Precision::Auto,
            crop: o.crop,
            flip: o.flip,
        };
        let head = model.network.sites().last().map_or("", |site| site.name.trim_end_matches("in")).to_owned();
        let trains = |name: &str| match o.part {
            Part::All | Part::FrozenStatistics => true,
            Part::Head => name.starts_with(&head),
            // Batch normalisation has weights of one dimension and no bias-carrying convolution stands beside it.
            Part::BatchNorm => name.contains("bn") && !name.starts_with(&head),
        };
        let mode = match o.part {
            Part::All | Part::BatchNorm => Mode::Train,
            Part::Head => Mode::Eval,
            Part::FrozenStatistics => Mode::BatchStatistics,
        };
        let options =
            Fit { phase, train: &train, kind: data.kind, mode, trains: &trains, drop_last: false, round: Round::ONLY };
        fit(job, &mut model, data.clean, &options, after_epoch)?;
        Ok(model)
    }
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

    fn tuned(options: Options) -> (Model, Model) {
        let before = model();
        let after = tuned_from(&before, options);
        (before, after)
    }

    fn tuned_from(before: &Model, options: Options) -> Model {
        let folder = tempfile::tempdir().unwrap();
        let mut job = Job::detached(folder.path(), 1);
        let clean = striped(60);
        let data = DefenderData::new(&clean, tch::Kind::Float);
        let repair = FineTuning { options };
        repair.repair(&mut job, "ft", before.deep_clone(), &data, &mut |_, _, _| Ok(())).unwrap()
    }

    fn changed(before: &Model, after: &Model) -> Vec<String> {
        let same = |name: &str| before.params.get(name).unwrap().equal(after.params.get(name).unwrap());
        before.params.names().filter(|name| !same(name)).map(str::to_owned).collect()
    }

    #[test]
    fn each_part_moves_only_its_own_weights() {
        let options = Options { epochs: 1, batch: 32, crop: 0, ..Options::default() };
        let (before, after) = tuned(Options { part: Part::Head, ..options.clone() });
        assert_eq!(changed(&before, &after), ["linear.weight", "linear.bias"]);
        let (before, after) = tuned(Options { part: Part::BatchNorm, ..options.clone() });
        let names = changed(&before, &after);
        assert!(!names.is_empty() && names.iter().all(|name| name.contains("bn")), "{names:?}");
        let (before, after) = tuned(Options { part: Part::FrozenStatistics, ..options.clone() });
        let names = changed(&before, &after);
        assert!(names.iter().all(|name| !name.contains("running")) && names.iter().any(|name| name == "conv1.weight"));
        let (before, after) = tuned(options);
        assert!(changed(&before, &after).iter().any(|name| name.contains("running_mean")));
    }

    #[test]
    fn the_same_seed_gives_the_same_model() {
        let options = Options { epochs: 2, batch: 16, ..Options::default() };
        // One start for both: libtorch draws first weights from one generator, which other tests use meanwhile.
        let before = model();
        let (first, second) = (tuned_from(&before, options.clone()), tuned_from(&before, options));
        assert_eq!(first.params.hash().unwrap(), second.params.hash().unwrap());
    }
}
