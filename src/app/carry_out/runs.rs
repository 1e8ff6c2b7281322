//! What is done to runs as a whole: finding, tagging, throwing away and back, comparing, taking as a new beginning.

use super::title_of;
use crate::app::command::Screen;
use crate::app::comparison::{CompareChange, MOST_COLUMNS};
use crate::app::config::Settings;
use crate::app::run_list::RunChange;
use crate::app::state::{Fetched, State};
use crate::app::words;
use crate::experiment::{Problem, Result, Spec, check};
use crate::run::RunFolder;
use crate::run::bin::Binned;
use crate::run::event::Rgba;
use crate::run::handle::Engine;
use crate::run::index::RunRow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Small pictures kept in memory, 36 kB each.
const MOST_THUMBNAILS: usize = 512;

impl State {
    /// The run that "this run" means: chosen in the list, or shown on Watch.
    pub fn run_at_hand(&self) -> Option<PathBuf> {
        match self.screen {
            Screen::Runs => self.runs.selected().map(|row| row.path.clone()),
            Screen::Watch | Screen::Audit => self.job.as_ref().filter(|job| !job.is_live())?.folder.clone(),
            _ => None,
        }
    }

    pub(super) fn change_runs(&mut self, change: RunChange, engine: &dyn Engine) {
        match change {
            RunChange::Filter(filter) => self.runs.set_filter(filter),
            RunChange::Select(run) => self.runs.selected = run,
            RunChange::Tags(run, tags) => {
                // The list follows at once; reading it again tells whether the file did.
                if let Some(row) = self.runs.get_mut(&run) {
                    row.tags.clone_from(&tags);
                }
                let archive = self.archive.clone();
                self.background.start("write tags", move || Fetched::RunEdited(archive.set_tags(&run, &tags)));
            }
            RunChange::Note(run, note) => {
                if let Some(row) = self.runs.get_mut(&run) {
                    row.note.clone_from(&note);
                }
                let archive = self.archive.clone();
                self.background.start("write note", move || Fetched::RunEdited(archive.set_note(&run, &note)));
            }
            RunChange::Thumbnail(file) => {
                if self.runs.thumbnails.len() >= MOST_THUMBNAILS {
                    // What is on the screen is asked for again at once.
                    self.runs.thumbnails.clear();
                }
                if self.runs.thumbnails.insert(file.clone(), None).is_none() {
                    let archive = self.archive.clone();
                    self.background.start("read thumbnail", move || {
                        let picture = archive.thumbnail(&file);
                        Fetched::Thumbnail(file, picture)
                    });
                }
            }
            RunChange::UseAsExperiment(run) => self.use_as_experiment(&run),
            RunChange::MoveToBin(run) => self.move_to_bin(run),
            RunChange::BringBack => self.bring_back(),
            RunChange::EmptyBin => {
                self.runs.confirm_empty = false;
                if let Some(runs) = self.runs_folder() {
                    let archive = self.archive.clone();
                    self.background.start("empty bin", move || Fetched::BinEmptied(archive.empty_bin(&runs)));
                }
            }
            RunChange::KeepBin => self.runs.confirm_empty = false,
            RunChange::TryAgain(run) => self.try_again(&run, engine),
            RunChange::GoOnIn(run, Some(into)) => self.go_on_in(run, into, engine),
            RunChange::GoOnIn(run, None) => self.choose_elsewhere(run),
        }
    }

    pub(super) fn on_listing(&mut self, listing: u64, found: Result<(Vec<RunRow>, usize)>) {
        if listing != self.runs.listing {
            return;
        }
        match found {
            Ok((rows, in_bin)) => {
                self.runs.set(rows);
                self.runs.in_bin = in_bin;
            }
            Err(problem) => {
                self.runs.known = true;
                self.notices.warning(problem);
            }
        }
    }

    pub(super) fn on_run_edited(&mut self, done: Result<()>) {
        if let Err(problem) = done {
            self.notices.problem(problem);
        }
        self.read_runs();
    }

    pub(super) fn on_thumbnail(&mut self, file: PathBuf, picture: Result<Rgba>) {
        match picture {
            Ok(rgba) => {
                self.runs.thumbnails.insert(file, Some(Arc::new(rgba)));
            }
            // The list is complete without it, and Watch tells what is wrong with the picture.
            Err(problem) => tracing::debug!("no thumbnail: {problem}"),
        }
    }

    pub(super) fn use_as_experiment(&mut self, run: &Path) {
        let spec = RunFolder::open(run).and_then(|folder| folder.read_spec());
        if let Ok(Spec::Fair(experiment)) = spec {
            return self.open_fair(*experiment);
        }
        match RunFolder::open(run).and_then(|folder| folder.experiment()).and_then(|spec| check::to_toml(&spec)) {
            Ok(text) => {
                self.draft.set_text(text);
                self.draft_moved();
                self.screen = Screen::Lab;
                let title = title_of(self.draft.experiment());
                self.notices.info(format!("The experiment of “{title}”. Change something, then start it."), self.now);
            }
            Err(problem) => self.notices.problem(problem),
        }
    }

    pub(super) fn move_to_bin(&mut self, run: PathBuf) {
        if self.live_job().is_some_and(|job| job.folder.as_deref() == Some(&run)) {
            let problem = Problem::bad_input("This run is being trained.").at(run.display());
            return self.notices.problem(problem.remedy("Stop it first, then move it to the bin."));
        }
        let archive = self.archive.clone();
        self.background.start("move to bin", move || Fetched::Binned(archive.throw_away(&run)));
    }

    pub(super) fn on_binned(&mut self, done: Result<Binned>) {
        match done {
            Ok(binned) => {
                let name = self.runs.get(&binned.from).map(|row| row.name.clone()).unwrap_or_default();
                if self.runs.selected.as_ref() == Some(&binned.from) {
                    self.runs.selected = None;
                }
                if self.live_job().is_none()
                    && self.job.as_ref().is_some_and(|job| job.folder.as_ref() == Some(&binned.from))
                {
                    self.job = None;
                }
                self.change_comparison(CompareChange::Forget(binned.from.clone()));
                self.runs.binned.push(binned);
                self.notices.info(format!("“{name}” is in the bin. Undo brings it back."), self.now);
            }
            Err(problem) => self.notices.problem(problem),
        }
        self.read_runs();
    }

    pub(super) fn bring_back(&mut self) {
        if let Some(binned) = self.runs.binned.pop() {
            let archive = self.archive.clone();
            self.background.start("bring run back", move || {
                let done = archive.bring_back(&binned);
                Fetched::BroughtBack(binned, done)
            });
        }
    }

    pub(super) fn on_brought_back(&mut self, binned: Binned, done: Result<()>) {
        match done {
            Ok(()) => self.notices.info("The run is back.", self.now),
            Err(problem) => {
                // It can be tried again.
                self.runs.binned.push(binned);
                self.notices.problem(problem);
            }
        }
        self.read_runs();
    }

    pub(super) fn on_bin_emptied(&mut self, done: Result<usize>) {
        match done {
            Ok(emptied) => {
                self.runs.binned.clear();
                self.notices.info(format!("The bin is empty: {} deleted.", words::runs(emptied)), self.now);
            }
            Err(problem) => self.notices.problem(problem),
        }
        self.read_runs();
    }

    pub(in crate::app) fn change_comparison(&mut self, change: CompareChange) {
        if let CompareChange::Note(column, note) = change {
            return self.note_picture(column, note);
        }
        if let CompareChange::Add(run) = &change
            && self.runs.get(run).is_some_and(RunRow::is_fair)
        {
            let problem = Problem::bad_input("A fair regression has no network to put beside others.");
            return self.notices.problem(problem.at(run.display()).remedy(
                "Open it on Fairness and pin a point there: other points and other methods are held against it.",
            ));
        }
        let added = match &change {
            CompareChange::Add(run) => Some(run.clone()),
            _ => None,
        };
        let is_new = self.comparison.change(change);
        let Some(run) = added else {
            return;
        };
        let count = self.comparison.columns().len();
        let said = match (is_new, count) {
            (true, 1) => "One run is in the comparison. Add another one to put beside it.".to_owned(),
            (true, _) => format!("{count} of {MOST_COLUMNS} runs are in the comparison; see them on Compare."),
            (false, MOST_COLUMNS) => format!("{MOST_COLUMNS} runs are the most. Remove one on Compare first."),
            (false, _) => "This run is in the comparison already.".to_owned(),
        };
        self.notices.info(said, self.now);
        if is_new {
            self.read_to_compare(run);
        }
    }

    /// Reads all compared runs again: they may have gone on meanwhile.
    pub(super) fn read_compared(&mut self) {
        let mut folders: Vec<_> = self.comparison.columns().iter().map(|column| column.run.clone()).collect();
        folders.sort();
        folders.dedup();
        folders.into_iter().for_each(|folder| self.read_to_compare(folder));
    }

    fn read_to_compare(&self, folder: PathBuf) {
        let archive = self.archive.clone();
        self.background.start("read run to compare", move || {
            let view = archive.load(&folder);
            Fetched::Compared(folder, Box::new(view))
        });
    }

    pub(super) fn set_settings(&mut self, settings: Settings) {
        let other_folder = settings.runs_folder != self.settings.runs_folder;
        self.settings = settings;
        self.settings_dirty = true;
        if other_folder {
            // The other folder has its own bin, and its disk its own free space.
            self.runs.binned.clear();
            self.findings = None;
            self.read_runs();
        }
    }

    pub(super) fn reset_settings(&mut self) {
        let before = self.settings.clone();
        self.set_settings(Settings::default());
        self.settings_before = Some(before);
        self.screen = Screen::Settings;
    }

    pub(super) fn undo_reset(&mut self) {
        if let Some(before) = self.settings_before.take() {
            self.set_settings(before);
        }
    }
}
