//! A run that found no room on the disk goes on: where it lies, or in another folder.

use crate::app::job::JobView;
use crate::app::state::{Fetched, State};
use crate::experiment::{Result, check};
use crate::run::event::RunRequest;
use crate::run::handle::Engine;
use crate::run::{folder, relocate};
use std::path::{Path, PathBuf};

impl State {
    /// Room was made.
    pub(super) fn try_again(&mut self, run: &Path, engine: &dyn Engine) {
        if run.join("spec.toml").is_file() {
            self.continue_run(run, engine);
        } else {
            self.begin_at(run.to_owned(), engine);
        }
    }

    /// Takes the run to another folder and goes on there.
    pub(super) fn go_on_in(&mut self, run: PathBuf, into: PathBuf, engine: &dyn Engine) {
        if self.live_job().is_some() {
            return self.notices.info("A training runs; continue this one when it has ended.", self.now);
        }
        // What could not even begin has left nothing to take along.
        if !run.join("spec.toml").is_file() {
            return self.begin_at(into.join(folder::name_of(&run)), engine);
        }
        self.notices.info("Taking the run to the other folder…", self.now);
        self.background.start("move run", move || {
            let moved = relocate::relocate(&run, &into);
            Fetched::Relocated(run, moved)
        });
    }

    pub(super) fn choose_elsewhere(&self, run: PathBuf) {
        self.background.start("file dialog", move || {
            let dialog = rfd::FileDialog::new().set_title("A folder with room for this run");
            Fetched::Elsewhere(run, dialog.pick_folder())
        });
    }

    pub(super) fn on_relocated(&mut self, from: &Path, to: Result<PathBuf>, engine: &dyn Engine) {
        let to = match to {
            Ok(to) => to,
            Err(problem) => return self.notices.problem(problem),
        };
        let runs = self.sweep.iter_mut().flat_map(|sweep| &mut sweep.runs);
        for run in runs.filter(|run| run.planned.folder == from) {
            run.planned.folder.clone_from(&to);
        }
        self.list_elsewhere(&to);
        self.continue_run(&to, engine);
    }

    /// Runs the experiment of Watch in this folder, from its beginning.
    fn begin_at(&mut self, folder: PathBuf, engine: &dyn Engine) {
        let Some(experiment) = self.job.as_ref().and_then(|job: &JobView| job.experiment.clone()) else {
            return;
        };
        self.list_elsewhere(&folder);
        let title = super::title_of(&experiment);
        match check::to_toml(&experiment) {
            Ok(spec) => self.send_start(RunRequest { spec, folder: Some(folder), resume: true }, title, engine),
            Err(problem) => self.notices.problem(problem),
        }
    }

    /// A run outside the folder of runs is listed with the others.
    fn list_elsewhere(&mut self, run: &Path) {
        let elsewhere = self.runs_folder().is_none_or(|runs| run.parent() != Some(&runs));
        if elsewhere && !self.guests.iter().any(|guest| guest == run) {
            self.guests.push(run.to_owned());
        }
        self.read_runs();
    }
}
