//! A training or a defense that another run beside this one has already done is taken over instead of being done again.
//!
//! The same data, network, recipe, attack, seed and machine make the same weights bit for bit, so that trying one more
//! defense on an attacked model must cost neither another training nor once more what has been tried before. What is taken
//! over looks as if this run had been stopped behind it and gone on with.

use super::glimpse;
use super::phases::phases;
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
use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

/// What must be equal for a training to be the same one.
pub struct Training<'a> {
    experiment: &'a Experiment,
    /// `attack` or `clean`.
    phase: &'a str,
    /// Of the data set as it was read.
    data_hash: &'a str,
    /// Runs beside this one that have done the same training, looked for once.
    beside: OnceCell<Vec<(RunFolder, Experiment)>>,
}

impl<'a> Training<'a> {
    pub fn new(experiment: &'a Experiment, phase: &'a str, data_hash: &'a str) -> Self {
        Self { experiment, phase, data_hash, beside: OnceCell::new() }
    }

    /// Looks through the runs beside `folder`, which has done nothing yet. Whatever cannot be read there is passed over.
    pub fn take_over(&self, job: &mut Job, folder: &RunFolder) -> Result<Option<Results>> {
        // Whoever asks for nothing but the training wants to see it.
        if self.experiment.defense.is_empty() && self.experiment.check.is_empty() {
            return Ok(None);
        }
        let Some((other, row)) = self.trained_elsewhere(folder) else { return Ok(None) };
        for file in [RunFolder::PLAN, "trigger.safetensors"] {
            if other.file(file).is_file() {
                copy(&other.file(file), &folder.file(file))?;
            }
        }
        let ours = [selection::PHASE, MASK_PHASE, surrogate::PHASE, CRAFTING, self.phase];
        let watched = format!("watched-{}", self.phase);
        copy_phase(job, other, folder, self.phase, |phase| ours.contains(&phase), |image| image == watched)?;
        let mut results = Results::default();
        results.push(row);
        folder.set_results(&results)?;
        Ok(Some(results))
    }

    /// The row of a defense that another run has already applied to the same model, in the same phase, with the same options
    /// and the same clean pictures.
    pub fn take_over_defense(
        &self,
        job: &mut Job,
        folder: &RunFolder,
        phase: &str,
        pick: &Pick,
    ) -> Result<Option<ResultRow>> {
        let found = self.beside(folder).iter().find_map(|(other, experiment)| {
            let same = |(id, theirs): &(String, Pick)| id == phase && theirs == pick;
            let phases = phases(experiment);
            // Runs write every option out. One that is missing there is younger than the run, which did without it.
            if phases.defenses.iter().any(|(id, written)| id == phase && written != pick) {
                return None;
            }
            if experiment.defender.clean_ratio != self.experiment.defender.clean_ratio
                || !phases.applied(experiment).ok()?.iter().any(same)
            {
                return None;
            }
            let weights = other.weights(&weights_name(phase));
            let name = weights.file_name()?;
            let row = other.results().ok()??.rows.into_iter().find(|row| {
                row.note.is_empty() && row.weights.as_ref().is_some_and(|file| file.file_name() == Some(name))
            })?;
            let ids: Vec<String> = phases.ids().map(str::to_owned).collect();
            Model::open(&weights, 0).is_ok().then_some((other, row, ids))
        });
        let Some((other, row, ids)) = found else { return Ok(None) };
        // `npd-2.png` belongs to the phase `npd-2`, not to `npd`.
        let owner = |image: &str| {
            let belongs = |id: &&String| {
                image.strip_prefix(id.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
            };
            ids.iter().filter(belongs).max_by_key(|id| id.len()).is_some_and(|id| id == phase)
        };
        let watched = format!("watched-{phase}");
        let inner = format!("{phase}/");
        copy_phase(
            job,
            other,
            folder,
            phase,
            |of| of == phase || of.starts_with(&inner),
            |image| image == watched || owner(image),
        )?;
        Ok(Some(row))
    }

    /// Runs beside `folder` with the same training on the same machine. Whatever cannot be read there is passed over.
    fn beside(&self, folder: &RunFolder) -> &[(RunFolder, Experiment)] {
        self.beside.get_or_init(|| {
            let (ours, machine) = (training_of(self.experiment), folder.read_json::<Machine>("machine.json").ok());
            let parent = folder.path.parent().and_then(|parent| fs::read_dir(parent).ok());
            let mut paths: Vec<PathBuf> =
                parent.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect();
            paths.retain(|path| *path != folder.path);
            paths.sort();
            let same = |path: PathBuf| {
                let other = RunFolder::open(&path).ok()?;
                let Ok(Spec::Backdoor(experiment)) = other.read_spec() else { return None };
                // The very same run again is wanted anew, to compare.
                let wanted = training_of(&experiment) == ours
                    && behind(&experiment) != behind(self.experiment)
                    && other.read_json::<Machine>("machine.json").ok() == machine
                    && other.read_json::<Value>("data.json").ok()?["card"]["hash"] == self.data_hash;
                wanted.then_some((other, *experiment))
            };
            paths.into_iter().filter_map(same).collect()
        })
    }

    /// A run with the same training, and the row of what it trained.
    fn trained_elsewhere(&self, folder: &RunFolder) -> Option<(&RunFolder, ResultRow)> {
        self.beside(folder).iter().find_map(|(other, _)| {
            let row = other.results().ok()??.rows.into_iter().next()?;
            let whole = row.method.is_empty() && row.note.is_empty();
            (whole && Model::open(&other.weights(&weights_name(self.phase)), 0).is_ok()).then_some((other, row))
        })
    }
}

/// Copies what a finished phase has left: metrics of the phases that `belongs` names, what the model took for what, its
/// moments, the pictures whose names (without `.png`) `shows` knows, and the weights.
fn copy_phase(
    job: &mut Job,
    other: &RunFolder,
    folder: &RunFolder,
    phase: &str,
    belongs: impl Fn(&str) -> bool,
    shows: impl Fn(&str) -> bool,
) -> Result<()> {
    for point in other.points()?.iter().filter(|point| belongs(&point.phase)) {
        job.metrics(&point.phase, point.epoch, &[(&point.metric, point.value)])?;
    }
    if let Some(confusion) = other.confusions()?.into_iter().find(|confusion| confusion.phase == phase) {
        glimpse::keep(folder, confusion)?;
    }
    for moment in moments::load(&other.path).iter().filter(|moment| moment.confusion.phase == phase) {
        moments::append(&folder.path, moment)?;
    }
    for image in other.images()?.iter().filter(|image| shows(image.file.trim_end_matches(".png"))) {
        if let Ok(png) = fs::read(other.file("images").join(&image.file)) {
            job.save_image(&image.file, &image.caption, &png)?;
        }
    }
    job.note(format!("{phase}: taken over from {}, where the same was done", name_of(&other.path)));
    // The weights come last: they say that the phase is over.
    let weights = weights_name(phase);
    copy(&other.weights(&weights), &folder.weights(&weights))
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
