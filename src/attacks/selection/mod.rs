//! Which pictures to poison: success depends on the choice, not only on the count. `ALL` is the list of selections.
//!
//! Poison replaces: a chosen picture is stamped where it stands, and nothing is appended.

mod exhibits;
pub mod fus;
pub mod lps;
mod quota;
pub mod random;
mod stamped;

use super::{Scene, parse};
use crate::data::Trigger;
use crate::experiment::method::Method;
use crate::experiment::{Outcome, Poison, Problem, Result};
use crate::nets::Params;
use crate::run::job::Job;
use serde_json::Value;
use tch::Tensor;

/// A selection's description and its constructor.
pub struct Entry {
    pub method: Method,
    pub make: fn(&Value) -> Result<Box<dyn Selection>>,
}

pub static ALL: &[&Entry] = &[&random::ENTRY, &fus::ENTRY, &lps::ENTRY];

/// Phase of the surrogate's training in the journal, in random streams and in the resume point.
pub const PHASE: &str = "selection";

/// Chooses the poisoned pictures of a data attack.
pub trait Selection {
    /// What its scores count, such as `loss with the trigger`; nothing for selections that do not look at the pictures.
    /// Those that look need the trigger; for the others only the chosen pictures are stamped while a trigger is made.
    fn score(&self) -> Option<&'static str>;

    /// Who may be chosen: for a selection that looks, a picture of the target class has nothing to learn from a label that
    /// it has already.
    fn pool(&self, poison: &Poison) -> Poison {
        Poison { exclude_target: poison.exclude_target || self.score().is_some(), ..poison.clone() }
    }

    /// Chooses exactly `budget` rows out of `scene.rows`, all different. `trigger` is there for selections that look.
    fn select(&self, job: &mut Job, scene: &Scene, budget: usize, trigger: Option<&dyn Trigger>) -> Outcome<Chosen>;
}

/// What a selection chose, and why.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chosen {
    /// The most wanted first, where the selection has an opinion.
    pub rows: Vec<i64>,
    /// Score of each of `rows`, NaN where it has none; empty for selections that do not look.
    pub scores: Vec<f32>,
    /// Scores of all pictures that were judged, in no particular order.
    pub all: Vec<f32>,
}

impl Chosen {
    /// As tensors, to be kept in a file.
    pub fn to_params(&self) -> Params {
        let tensors = [
            ("rows", Tensor::from_slice(&self.rows)),
            ("scores", Tensor::from_slice(&self.scores)),
            ("all", Tensor::from_slice(&self.all)),
        ];
        tensors.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect()
    }

    pub fn from_params(params: &Params) -> Result<Self> {
        let scores = |name: &str| -> Result<Vec<f32>> { Vec::try_from(params.get(name)?).map_err(unreadable) };
        Ok(Self {
            rows: Vec::try_from(params.get("rows")?).map_err(unreadable)?,
            scores: scores("scores")?,
            all: scores("all")?,
        })
    }
}

fn unreadable(error: tch::TchError) -> Problem {
    Problem::bad_file("A selection of pictures cannot be read back.").because(error)
}

/// The selection `id` with these options.
pub fn make(id: &str, options: &Value) -> Result<Box<dyn Selection>> {
    let entry = ALL.iter().find(|entry| entry.method.id == id).ok_or_else(|| {
        let known: Vec<_> = ALL.iter().map(|entry| entry.method.id).collect();
        Problem::bad_input(format!("There is no selection `{id}`.")).remedy(format!("Known are {}.", known.join(", ")))
    })?;
    (entry.make)(options)
}

/// A selection that looks was asked before there was a trigger.
fn blind() -> Problem {
    Problem::internal("Pictures were to be selected before their trigger was made.")
}

#[cfg(test)]
mod tests;
