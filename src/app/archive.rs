//! Runs on disk as the window shows them.

use super::job::{JobView, ResultRow};
use crate::experiment::Result;
use std::path::{Path, PathBuf};

/// One line of the run list; rates are shares in 0..=1.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    pub folder: PathBuf,
    pub name: String,
    /// `done`, `stopped`, `failed`, `interrupted`, `running`.
    pub state: String,
    /// Seconds since 1970.
    pub started: u64,
    pub attack: String,
    /// The repair whose numbers stand under "after".
    pub repair: String,
    pub acc_before: Option<f64>,
    pub asr_before: Option<f64>,
    pub acc_after: Option<f64>,
    pub asr_after: Option<f64>,
}

impl RunRow {
    /// Whether the run can go on from its last saved point.
    pub fn can_continue(&self) -> bool {
        matches!(self.state.as_str(), "interrupted" | "stopped" | "failed")
    }
}

/// Reads runs; called on a helper thread, because folders may be many and disks slow.
pub trait Archive: Send + Sync {
    /// The folder in which run folders are made when the settings name none.
    fn default_folder(&self) -> PathBuf;

    /// All runs below a folder.
    fn list(&self, runs: &Path) -> Result<Vec<RunRow>>;

    /// A run as Watch shows it.
    fn load(&self, folder: &Path) -> Result<JobView>;

    /// The table of a finished run; empty when it has none yet.
    fn results(&self, folder: &Path) -> Result<Vec<ResultRow>>;

    /// Is this the folder of a run?
    fn is_run(&self, folder: &Path) -> bool;
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
            RunColumn::AccBefore => row.acc_before,
            RunColumn::AsrBefore => row.asr_before,
            RunColumn::AccAfter => row.acc_after,
            RunColumn::AsrAfter => row.asr_after,
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
                RunColumn::State => a.state.cmp(&b.state),
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
        RunRow {
            folder: name.into(),
            name: name.into(),
            state: "done".into(),
            started,
            attack: "badnets".into(),
            repair: "npd".into(),
            acc_before: None,
            asr_before: None,
            acc_after: None,
            asr_after,
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
