//! Runs on disk as the window shows them.

use super::job::{JobState, JobView, best_repair};
use crate::experiment::{Problem, Result, Scores};
use crate::run::event::{Ending, Glimpse, MetricPoint, Picture, Rgba};
use crate::run::index::{Filter, RunRow};
use crate::run::{Found, Index, ResultRow, RunFolder, State, folder};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whether a run can go on from its last saved point.
pub fn can_continue(row: &RunRow) -> bool {
    matches!(row.state, Some(State::Interrupted | State::Stopped | State::Failed))
}

/// The state in a word.
pub fn state_word(row: &RunRow) -> &'static str {
    row.state.map_or("unreadable", State::id)
}

/// What the model reached before any repair.
pub fn before(row: &RunRow) -> Option<&Scores> {
    row.results.first().map(|first| &first.scores)
}

/// What it reached after the repair that worked best.
pub fn after(row: &RunRow) -> Option<&Scores> {
    best_repair(&row.results).map(|(row, _)| &row.scores)
}

/// Reads runs; called on a helper thread, because folders may be many and disks slow.
pub trait Archive: Send + Sync {
    /// The folder in which run folders are made when the settings name none.
    fn default_folder(&self) -> Result<PathBuf>;

    /// All runs below a folder.
    fn list(&self, runs: &Path) -> Result<Vec<RunRow>>;

    /// A run as Watch shows it.
    fn load(&self, folder: &Path) -> Result<JobView>;

    /// The table of a finished run; empty when it has none yet.
    fn results(&self, folder: &Path) -> Result<Vec<ResultRow>>;

    /// The numbers that a run has reported so far.
    fn points(&self, folder: &Path) -> Result<Vec<MetricPoint>>;

    /// What a resolved experiment would find in this folder.
    fn look(&self, folder: &Path, spec: &str) -> Result<Found>;

    /// Is this the folder of a run?
    fn is_run(&self, folder: &Path) -> bool;
}

/// The runs of this user, on disk.
#[derive(Debug, Default)]
pub struct RunsOnDisk;

impl Archive for RunsOnDisk {
    fn default_folder(&self) -> Result<PathBuf> {
        folder::runs_folder()
    }

    fn list(&self, runs: &Path) -> Result<Vec<RunRow>> {
        let mut index = Index::open()?;
        index.rescan(runs)?;
        index.list(&Filter { root: Some(runs.to_owned()), ..Filter::default() })
    }

    fn load(&self, path: &Path) -> Result<JobView> {
        let run = RunFolder::open(path)?;
        let experiment = run.experiment()?;
        let mut job = JobView::new(None, super::carry_out::title_of(&experiment));
        job.folder = Some(path.to_owned());
        let problem = run.status()?.problem;
        job.state = JobState::Ended(match (run.state()?, problem) {
            (State::Done, _) => Ending::Done,
            (State::Failed, Some(problem)) => Ending::Failed(problem),
            _ => Ending::Stopped { kept: true },
        });
        run.points()?.iter().for_each(|point| job.curves.push(point));
        job.results = self.results(path)?;
        for confusion in run.confusions()? {
            job.glimpses.push(Arc::new(Glimpse { confusion, pictures: Vec::new() }));
        }
        for saved in run.images()? {
            // A picture that cannot be read must not hide the run.
            match read_picture(&run.file("images").join(&saved.file)) {
                Ok(rgba) => {
                    job.pictures.push(Picture { key: saved.file, caption: saved.caption, rgba: Arc::new(rgba) })
                }
                Err(problem) => job.warnings.push(problem),
            }
        }
        Ok(job)
    }

    fn results(&self, path: &Path) -> Result<Vec<ResultRow>> {
        Ok(RunFolder::open(path)?.results()?.unwrap_or_default().rows)
    }

    fn points(&self, path: &Path) -> Result<Vec<MetricPoint>> {
        RunFolder::open(path)?.points()
    }

    fn look(&self, path: &Path, spec: &str) -> Result<Found> {
        folder::look(path, spec)
    }

    fn is_run(&self, path: &Path) -> bool {
        RunFolder::open(path).is_ok()
    }
}

fn read_picture(path: &Path) -> Result<Rgba> {
    let picture = image::ImageReader::open(path)
        .and_then(|reader| reader.with_guessed_format())
        .map_err(|error| Problem::io("read this picture", path, &error))?
        .decode()
        .map_err(|error| Problem::bad_file("This picture cannot be read.").at(path.display()).because(error))?
        .into_rgba8();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    Ok(Rgba { width, height, bytes: picture.into_raw() })
}

/// The columns by which the list can be sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunColumn {
    Name,
    State,
    Started,
    AsrBefore,
    AsrAfter,
    AccBefore,
    AccAfter,
}

impl RunColumn {
    pub const ALL: [RunColumn; 7] = [
        RunColumn::Name,
        RunColumn::State,
        RunColumn::Started,
        RunColumn::AccBefore,
        RunColumn::AsrBefore,
        RunColumn::AccAfter,
        RunColumn::AsrAfter,
    ];

    pub fn title(self) -> &'static str {
        match self {
            RunColumn::Name => "Run",
            RunColumn::State => "State",
            RunColumn::Started => "Started",
            RunColumn::AccBefore => "ACC before",
            RunColumn::AsrBefore => "ASR before",
            RunColumn::AccAfter => "ACC after",
            RunColumn::AsrAfter => "ASR after",
        }
    }

    pub fn explanation(self) -> &'static str {
        match self {
            RunColumn::Name => "Title of the experiment",
            RunColumn::State => "How the run ended, or that it has not",
            RunColumn::Started => "When it was started",
            RunColumn::AccBefore => "Accuracy on normal pictures before the repair",
            RunColumn::AsrBefore => "How often the trigger won before the repair",
            RunColumn::AccAfter => "Accuracy on normal pictures after the repair",
            RunColumn::AsrAfter => "How often the trigger wins after the repair",
        }
    }

    fn value(self, row: &RunRow) -> Option<f64> {
        match self {
            RunColumn::AccBefore => before(row).map(|scores| scores.acc),
            RunColumn::AsrBefore => before(row).and_then(|scores| scores.asr),
            RunColumn::AccAfter => after(row).map(|scores| scores.acc),
            RunColumn::AsrAfter => after(row).and_then(|scores| scores.asr),
            RunColumn::Name | RunColumn::State | RunColumn::Started => None,
        }
    }
}

/// The run list with its order.
#[derive(Debug)]
pub struct RunList {
    pub rows: Vec<RunRow>,
    /// False until the folder was read once.
    pub known: bool,
    pub sort: RunColumn,
    pub descending: bool,
}

impl Default for RunList {
    fn default() -> Self {
        Self { rows: Vec::new(), known: false, sort: RunColumn::Started, descending: true }
    }
}

impl RunList {
    pub fn set(&mut self, rows: Vec<RunRow>) {
        (self.rows, self.known) = (rows, true);
        self.order();
    }

    /// A second click on a column turns the order around.
    pub fn sort_by(&mut self, column: RunColumn) {
        self.descending = if self.sort == column { !self.descending } else { column != RunColumn::Name };
        self.sort = column;
        self.order();
    }

    fn order(&mut self) {
        let (column, descending) = (self.sort, self.descending);
        self.rows.sort_by(|a, b| {
            let order = match column {
                RunColumn::Name => a.name.to_lowercase().cmp(&b.name.to_lowercase()),
                RunColumn::State => state_word(a).cmp(state_word(b)),
                RunColumn::Started => a.started.cmp(&b.started),
                _ => {
                    // Runs without the number stay at the end, whichever way the column is sorted.
                    let (a, b) = (column.value(a), column.value(b));
                    if a.is_none() || b.is_none() {
                        return a.is_none().cmp(&b.is_none());
                    }
                    a.partial_cmp(&b).unwrap_or(std::cmp::Ordering::Equal)
                }
            };
            if descending { order.reverse() } else { order }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, started: u64, asr_after: Option<f64>) -> RunRow {
        let result = |asr| ResultRow { scores: Scores { asr, ..Scores::default() }, ..ResultRow::default() };
        RunRow {
            path: name.into(),
            name: name.into(),
            hash: String::new(),
            state: Some(State::Done),
            data: String::new(),
            network: String::new(),
            attack: None,
            defenses: Vec::new(),
            seed: 0,
            started: Some(started),
            ended: None,
            trouble: None,
            tags: Vec::new(),
            results: vec![result(Some(1.0)), result(asr_after)],
        }
    }

    #[test]
    fn sorting_turns_around_and_keeps_gaps_last() {
        let mut list = RunList::default();
        list.set(vec![row("b", 1, Some(0.1)), row("A", 3, None), row("c", 2, Some(0.9))]);
        let names = |list: &RunList| list.rows.iter().map(|row| row.name.clone()).collect::<String>();
        assert_eq!(names(&list), "Acb", "newest first");
        list.sort_by(RunColumn::Name);
        assert_eq!(names(&list), "Abc");
        list.sort_by(RunColumn::AsrAfter);
        assert_eq!(names(&list), "cbA");
        list.sort_by(RunColumn::AsrAfter);
        assert_eq!(names(&list), "bcA");
    }
}
