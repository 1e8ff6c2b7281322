//! Defenses along the model's life cycle; `ALL` is the list of them.

pub mod repair;
pub mod training;

use crate::data::Dataset;
use crate::experiment::method::Method;
use crate::experiment::{Outcome, Problem, Result, Train};
use crate::nets::training::fit::AfterEpoch;
use crate::nets::{Model, Network};
use crate::run::job::Job;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tch::Kind;

/// A defense's description and its constructor.
pub struct Entry {
    pub method: Method,
    pub make: fn(&Value) -> Result<Defense>,
}

/// All defenses in the order of the life cycle.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    training::ALL.iter().chain(repair::ALL).copied()
}

/// What a defense receives and may change follows from its moment in the life cycle.
pub enum Defense {
    Training(Box<dyn TrainingDefense>),
    Repair(Box<dyn Repair>),
}

/// Everything that a defender may see. The judge's test set, trigger and success rates are not in it, by type.
pub struct DefenderData<'a> {
    /// A small clean set, the same number of pictures of each class.
    pub clean: &'a dyn Dataset,
    /// Kind of the heavy arithmetic.
    pub kind: Kind,
}

/// What whoever trains the network may see. Nothing tells which pictures of the training set are poisoned, by type.
pub struct TrainingData<'a> {
    /// The training set as it was received.
    pub received: &'a dyn Dataset,
    /// A small clean set, the same number of pictures of each class.
    pub clean: &'a dyn Dataset,
    /// The recipe of the training without a defense.
    pub recipe: &'a Train,
    /// Kind of the heavy arithmetic.
    pub kind: Kind,
}

/// Trains a network on data that may be poisoned, in the place of plain training.
pub trait TrainingDefense {
    /// Turns `model`, which has fresh weights and no plugs, into the trained one. `phase` names random streams, metrics and
    /// resume points. `after_epoch` shows the state to the judge, who answers nothing.
    fn train(
        &self,
        job: &mut Job,
        phase: &str,
        model: Model,
        data: &TrainingData,
        after_epoch: &mut AfterEpoch,
    ) -> Outcome<Model>;
}

/// Takes a finished, suspicious model and returns a repaired one.
pub trait Repair {
    /// How many passes over the clean set it makes: the budget of the fine-tuning control.
    fn epochs(&self) -> usize;

    /// Refuses a network that it cannot repair, before anything is trained.
    fn check(&self, _: &dyn Network) -> Result<()> {
        Ok(())
    }

    /// `phase` names random streams, metrics and resume points. `after_epoch` shows the state to the judge, who answers
    /// nothing.
    fn repair(
        &self,
        job: &mut Job,
        phase: &str,
        model: Model,
        data: &DefenderData,
        after_epoch: &mut AfterEpoch,
    ) -> Outcome<Model>;
}

/// The defense `id` with these options.
pub fn make(id: &str, options: &Value) -> Result<Defense> {
    let entry = all().find(|entry| entry.method.id == id).ok_or_else(|| {
        let known: Vec<_> = all().map(|entry| entry.method.id).collect();
        Problem::bad_input(format!("There is no defense `{id}`.")).remedy(format!("Known are {}.", known.join(", ")))
    })?;
    (entry.make)(options)
}

fn parse<T: DeserializeOwned>(options: &Value) -> Result<T> {
    serde_json::from_value(options.clone())
        .map_err(|e| Problem::bad_input("The options of this defense do not fit.").because(e))
}
