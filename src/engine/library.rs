//! Data sets, triggers and demo models that jobs and questions share, loaded once.

use super::attacker::{Attacker, Victim};
use super::polarizer::Bench;
use super::stage::{Stage, Version};
use crate::attacks::Moment;
use crate::attacks::workshop::Workshop;
use crate::data::sources::{self, SourceChoice};
use crate::data::{Dataset, Split, Trigger};
use crate::experiment::spec::DataChoice;
use crate::experiment::{Experiment, Pick, Problem, Result};
use crate::nets::{InputSpec, device, zoo};
use crate::run::folder::{RunFolder, cache_folder};
use crate::run::job::Job;
use serde_json::Value;
use std::path::Path;
use std::rc::Rc;

/// Keeps the data set, the polarizer and the scene that were used last.
#[derive(Default)]
pub struct Library {
    last: Option<(DataChoice, u64, Rc<Split>)>,
    pub(super) bench: Option<Rc<Bench>>,
    pub(super) stage: Option<(Version, Rc<Stage>)>,
    pub(super) fair: Option<super::fair::LastFit>,
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
        (self.last, self.stage) = (None, None);
        let split = sources::open(&choice.source, &SourceChoice { side: choice.side })?;
        let split = Rc::new(Split {
            train: sources::subset(split.train, choice.train_rows, seed)?,
            test: sources::subset(split.test, choice.test_rows, seed)?,
            from_one: split.from_one,
        });
        self.last = Some((choice.clone(), seed, Rc::clone(&split)));
        Ok(split)
    }
}

/// The trigger with which a run's model is judged; the built-in demo's when `folder` is empty.
pub fn trigger_of(folder: &Path, pick: &Pick, height: i64, width: i64) -> Result<Box<dyn Trigger>> {
    let attacker = if folder.as_os_str().is_empty() {
        Attacker::plain(pick, height, width)?
    } else {
        Attacker::of_run(&RunFolder::open(folder)?, pick, height, width)?
    };
    attacker.trigger(Moment::Test)
}

/// What the attacker of an experiment that has not run finds.
pub fn victim_of<'a>(experiment: &Experiment, split: &'a Split) -> Result<Victim<'a>> {
    let card = split.train.card();
    let (mean, std) = sources::statistics(&split.train);
    let (height, width) = (card.height as i64, card.width as i64);
    let input = InputSpec { height, width, mean, std, classes: card.classes.len() as i64 };
    let options = Value::Object(experiment.network.options.clone());
    let network = Rc::from(zoo::build(&experiment.network.id, &options, input)?);
    let device = device::choose(experiment.device)?;
    // What was made depends on the arithmetic.
    Ok(Victim { train: &split.train, network, device, kind: device::kind(experiment.train.precision, device) })
}

/// The attacker of an experiment that has not run, with whatever was crafted before.
pub fn attacker_of(experiment: &Experiment, split: &Split) -> Result<Option<Attacker>> {
    let mut job = Job::detached(Path::new(""), experiment.seed);
    let workshop = Workshop::new(cache_folder()).only_look();
    Attacker::prepare(&mut job, experiment, victim_of(experiment, split)?, &workshop, None).map_err(Problem::from)
}
