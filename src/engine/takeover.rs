//! A training that another run beside this one has already done is taken over instead of being done again.
//!
//! The same data, network, recipe, attack, seed and machine make the same weights bit for bit, so that trying one more
//! defense on an attacked model must not cost another training. What is taken over looks as if this run had been stopped
//! behind its training and gone on with.

use super::glimpse;
use super::runner::Machine;
use super::work::weights_name;
use crate::attacks::input_aware::MASK_PHASE;
use crate::attacks::workshop::CRAFTING;
use crate::attacks::{selection, surrogate};
use crate::experiment::{Defender, Experiment, Pick, Poison, Problem, Result, Spec};
use crate::nets::Model;
use crate::run::atomic::write_atomic;
use crate::run::folder::{RunFolder, name_of};
use crate::run::job::Job;
use crate::run::moments;
use crate::run::results::{ResultRow, Results};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// What must be equal for a training to be the same one.
pub struct Training<'a> {
    pub experiment: &'a Experiment,
    /// `attack` or `clean`.
    pub phase: &'a str,
    /// Of the data set as it was read.
    pub data_hash: &'a str,
}

impl Training<'_> {
    /// Looks through the runs beside `folder`, which has done nothing yet. Whatever cannot be read there is passed over.
    pub fn take_over(&self, job: &mut Job, folder: &RunFolder) -> Result<Option<Results>> {
        // Whoever asks for nothing but the training wants to see it.
        if self.experiment.defense.is_empty() && self.experiment.check.is_empty() {
            return Ok(None);
        }
        let Some((other, row)) = self.done_elsewhere(folder) else { return Ok(None) };
        for file in [RunFolder::PLAN, "trigger.safetensors"] {
            if other.file(file).is_file() {
                copy(&other.file(file), &folder.file(file))?;
            }
        }
        let ours = [selection::PHASE, MASK_PHASE, surrogate::PHASE, CRAFTING, self.phase];
        for point in other.points()?.iter().filter(|point| ours.contains(&point.phase.as_str())) {
            job.metrics(&point.phase, point.epoch, &[(&point.metric, point.value)])?;
        }
        if let Some(confusion) = other.confusions()?.into_iter().find(|confusion| confusion.phase == self.phase) {
            glimpse::keep(folder, confusion)?;
        }
        for moment in moments::load(&other.path).iter().filter(|moment| moment.confusion.phase == self.phase) {
            moments::append(&folder.path, moment)?;
        }
        for image in other.images()?.iter().filter(|image| image.file == format!("watched-{}.png", self.phase)) {
            if let Ok(png) = fs::read(other.file("images").join(&image.file)) {
                job.save_image(&image.file, &image.caption, &png)?;
            }
        }
        job.note(format!("{}: taken over from {}, where the same was trained", self.phase, name_of(&other.path)));
        let mut results = Results::default();
        results.push(row);
        // The weights come last: they say that the training is over.
        let weights = weights_name(self.phase);
        copy(&other.weights(&weights), &folder.weights(&weights))?;
        folder.set_results(&results)?;
        Ok(Some(results))
    }

    /// A run with the same training, and the row of what it trained.
    fn done_elsewhere(&self, folder: &RunFolder) -> Option<(RunFolder, ResultRow)> {
        let (ours, machine) = (training_of(self.experiment), folder.read_json::<Machine>("machine.json").ok()?);
        let same = |path: &PathBuf| -> Option<(RunFolder, ResultRow)> {
            let other = RunFolder::open(path).ok()?;
            let Ok(Spec::Backdoor(experiment)) = other.read_spec() else { return None };
            // The very same run again is wanted anew, to compare.
            if training_of(&experiment) != ours
                || behind(&experiment) == behind(self.experiment)
                || other.read_json::<Machine>("machine.json").ok()? != machine
                || other.read_json::<Value>("data.json").ok()?["card"]["hash"] != self.data_hash
            {
                return None;
            }
            let row = other.results().ok()??.rows.into_iter().next()?;
            let whole = row.method.is_empty() && row.note.is_empty();
            (whole && Model::open(&other.weights(&weights_name(self.phase)), 0).is_ok()).then_some((other, row))
        };
        let mut paths: Vec<PathBuf> =
            fs::read_dir(folder.path.parent()?).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.retain(|path| *path != folder.path);
        paths.sort();
        paths.iter().find_map(same)
    }
}

/// What follows behind the training.
fn behind(experiment: &Experiment) -> (&[Pick], &[Pick], &Defender) {
    (&experiment.defense, &experiment.check, &experiment.defender)
}

/// The part of an experiment that decides what its first model is.
fn training_of(experiment: &Experiment) -> Experiment {
    Experiment {
        name: String::new(),
        defense: Vec::new(),
        check: Vec::new(),
        defender: Defender::default(),
        poison: if experiment.attack.is_some() { experiment.poison.clone() } else { Poison::default() },
        ..experiment.clone()
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).map_err(|error| Problem::io("read a file of the run", from, &error))?;
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|error| Problem::io("make a folder in the run", folder, &error))?;
    }
    write_atomic(to, &bytes)
}
