//! Other ways to fairer predictions, on the same rows and with the same kernel: points beside the curve. One file each.

pub mod constant;
pub mod group_loss;
pub mod group_shift;
pub mod kernel_penalty;
pub mod removed;
pub mod residualised;
pub mod ridge;

use super::Setting;
use crate::experiment::{Method, Outcome, Problem, Result};
use crate::run::job::Job;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A rival: its description and how it predicts.
pub struct Entry {
    pub method: Method,
    /// It must know the group of a person to predict.
    pub needs_group: bool,
    /// Predictions at one or several settings; none where it does not apply.
    pub fit: fn(&mut Job, &Setting, &Value) -> Outcome<Vec<Candidate>>,
}

/// Predictions of a rival.
pub struct Candidate {
    /// The setting, as `eta = 100`; empty where there is only one.
    pub label: String,
    /// In the order of the frame's training and test rows, in units of the target.
    pub train: Vec<f64>,
    pub test: Vec<f64>,
}

impl Candidate {
    fn only((train, test): (Vec<f64>, Vec<f64>)) -> Vec<Self> {
        vec![Self { label: String::new(), train, test }]
    }
}

/// All rivals, in the order of tables.
pub static ALL: [&Entry; 7] = [
    &constant::ENTRY,
    &ridge::ENTRY,
    &removed::ENTRY,
    &residualised::ENTRY,
    &group_shift::ENTRY,
    &kernel_penalty::ENTRY,
    &group_loss::ENTRY,
];

pub fn find(id: &str) -> Result<&'static Entry> {
    ALL.into_iter()
        .find(|entry| entry.method.id == id)
        .ok_or_else(|| Problem::bad_input(format!("There is no rival `{id}`.")))
}

fn parse<T: DeserializeOwned>(options: &Value) -> Result<T> {
    serde_json::from_value(options.clone())
        .map_err(|error| Problem::bad_input("The options of a rival cannot be read.").because(error))
}
