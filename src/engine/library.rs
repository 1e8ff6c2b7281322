//! Data sets, triggers and demo models that jobs and questions share, loaded once.

use super::polarizer::Bench;
use crate::attacks::{self, Attack, Moment};
use crate::data::sources::{self, SourceChoice};
use crate::data::{Split, Trigger};
use crate::experiment::spec::DataChoice;
use crate::experiment::{Outcome, Pick, Result};
use crate::run::job::Job;
use serde_json::Value;
use std::rc::Rc;

/// Keeps the data set and the polarizer that were used last.
#[derive(Default)]
pub struct Library {
    last: Option<(DataChoice, u64, Rc<Split>)>,
    pub(super) bench: Option<Rc<Bench>>,
}

impl Library {
    /// The training and test part of a source, cut to the wanted number of rows.
    pub fn data(&mut self, choice: &DataChoice, seed: u64) -> Result<Rc<Split>> {
        // Without a subset the seed does not matter.
        let seed = if choice.train_rows == 0 && choice.test_rows == 0 { 0 } else { seed };
        if let Some((known, of_seed, split)) = &self.last
            && known == choice
            && *of_seed == seed
        {
            return Ok(Rc::clone(split));
        }
        // Two data sets at once could be too much.
        self.last = None;
        let split = sources::open(&choice.source, &SourceChoice { side: choice.side })?;
        let split = Rc::new(Split {
            train: sources::subset(split.train, choice.train_rows, seed)?,
            test: sources::subset(split.test, choice.test_rows, seed)?,
        });
        self.last = Some((choice.clone(), seed, Rc::clone(&split)));
        Ok(split)
    }
}

/// The trigger of an attack for pictures of this size.
pub fn trigger_from(job: &mut Job, pick: &Pick, height: i64, width: i64, moment: Moment) -> Outcome<Box<dyn Trigger>> {
    let Attack::Data(attack) = attacks::make(&pick.id, &Value::Object(pick.options.clone()))?;
    attack.trigger(job, height, width, moment)
}
