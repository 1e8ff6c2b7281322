//! Playing a recorded run again.

use crate::app::command::Screen;
use crate::app::job::JobView;
use crate::app::replay::{Replay, ReplayChange};
use crate::app::state::State;
use std::path::{Path, PathBuf};

/// Whether there is a course to play.
pub(super) fn can_replay(job: &JobView) -> bool {
    !job.is_live() && job.curves.end() > 0.0
}

impl State {
    pub fn replay(&self) -> Option<&Replay> {
        self.job.as_ref()?.replay.as_ref()
    }

    pub(super) fn change_replay(&mut self, change: ReplayChange) {
        self.with_replay(|replay, whole| match change {
            ReplayChange::Begin => Replay::of(whole),
            ReplayChange::Leave => None,
            change => replay.map(|mut replay| {
                replay.change(change, whole);
                replay
            }),
        });
    }

    pub(super) fn turn_replay(&mut self, by: f64) {
        self.with_replay(|replay, whole| {
            replay.map(|mut replay| {
                replay.turn(by, whole);
                replay
            })
        });
    }

    /// Lets time pass; true while a replay is playing.
    pub(in crate::app) fn tend_replay(&mut self) -> bool {
        let now = self.now;
        let mut plays = false;
        self.with_replay(|replay, whole| {
            replay.map(|mut replay| {
                plays = replay.tick(now, whole);
                replay
            })
        });
        plays
    }

    /// A replay reads the run that it belongs to.
    fn with_replay(&mut self, make: impl FnOnce(Option<Replay>, &JobView) -> Option<Replay>) {
        if let Some(job) = &mut self.job {
            let replay = job.replay.take();
            job.replay = make(replay, job);
        }
    }

    /// A run that was dropped or chosen as a folder: it is listed, wherever it lies, and played.
    pub(super) fn open_recorded(&mut self, folder: &Path) {
        let listed = self.runs.get(folder).is_some() || self.guests.iter().any(|guest| guest == folder);
        let elsewhere = self.runs_folder().is_none_or(|runs| folder.parent() != Some(&runs));
        if elsewhere && !listed {
            self.guests.push(folder.to_owned());
            self.read_runs();
        }
        self.play_when_read = Some(folder.to_owned());
        self.open_run(folder.to_owned());
    }

    /// The runs that lie in this folder, where there is more than one.
    pub(super) fn runs_within(&self, folder: &Path) -> Option<Vec<PathBuf>> {
        let entries = std::fs::read_dir(folder).ok()?;
        let mut runs: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        runs.retain(|path| path.is_dir() && self.archive.is_run(path));
        runs.sort();
        (runs.len() > 1).then_some(runs)
    }

    pub(super) fn take_run(&mut self, job: JobView) {
        let play = self.play_when_read.take().is_some_and(|folder| job.folder == Some(folder));
        // An audit of a delivered model has no training that could be played.
        let play = play && (can_replay(&job) || !job.is_audit());
        if job.is_audit() && !play {
            self.audit.choosing = false;
            if self.screen == Screen::Watch {
                self.screen = Screen::Audit;
            }
        }
        self.job = Some(job);
        if play && self.screen == Screen::Watch {
            self.change_replay(ReplayChange::Begin);
        }
    }
}
