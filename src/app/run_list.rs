//! The list of runs as the window shows it: order, filter, what is chosen, and what went to the bin.

use super::archive::{after, before, state_word};
use crate::experiment::Scores;
use crate::run::bin::Binned;
use crate::run::event::Rgba;
use crate::run::index::RunRow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

    /// The rate in this column, where it is one.
    pub fn value(self, row: &RunRow) -> Option<f64> {
        match self {
            RunColumn::AccBefore => before(row).map(|scores| scores.acc),
            RunColumn::AsrBefore => before(row).and_then(|scores| scores.asr),
            RunColumn::AccAfter => after(row).map(|scores| scores.acc),
            RunColumn::AsrAfter => after(row).and_then(Scores::trigger_wins),
            RunColumn::Name | RunColumn::State | RunColumn::Started => None,
        }
    }
}

/// What can be done to the list, or to one run by its folder.
#[derive(Debug, Clone)]
pub enum RunChange {
    Filter(String),
    /// Opens the details of a run, or closes them.
    Select(Option<PathBuf>),
    Tags(PathBuf, Vec<String>),
    Note(PathBuf, String),
    /// Reads the small version of a picture.
    Thumbnail(PathBuf),
    UseAsExperiment(PathBuf),
    MoveToBin(PathBuf),
    /// The last run that went to the bin comes back.
    BringBack,
    EmptyBin,
    KeepBin,
    /// Goes on with a run that waits for room where it lies.
    TryAgain(PathBuf),
    /// Goes on with it in another folder; nothing asks for the folder.
    GoOnIn(PathBuf, Option<PathBuf>),
}

/// The run list with its order and filter.
#[derive(Debug)]
pub struct RunList {
    /// All runs in the chosen order, filtered or not.
    pub rows: Vec<RunRow>,
    /// Positions in `rows` of the runs that fit the filter.
    shown: Vec<usize>,
    /// False until the folder was read once.
    pub known: bool,
    pub sort: RunColumn,
    pub descending: bool,
    filter: String,
    /// The run whose details are open.
    pub selected: Option<PathBuf>,
    /// Small pictures by their file; `None` while one is being read or where it cannot be.
    pub thumbnails: HashMap<PathBuf, Option<Arc<Rgba>>>,
    /// Thrown away since the window was opened, the newest last.
    pub binned: Vec<Binned>,
    /// How many runs lie in the bin.
    pub in_bin: usize,
    /// Emptying the bin was asked for and waits for its one confirmation.
    pub confirm_empty: bool,
    /// Counts the listings that were asked for: an older one that comes late is out of date.
    pub listing: u64,
}

impl Default for RunList {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            shown: Vec::new(),
            known: false,
            sort: RunColumn::Started,
            descending: true,
            filter: String::new(),
            selected: None,
            thumbnails: HashMap::new(),
            binned: Vec::new(),
            in_bin: 0,
            confirm_empty: false,
            listing: 0,
        }
    }
}

impl RunList {
    pub fn set(&mut self, rows: Vec<RunRow>) {
        (self.rows, self.known) = (rows, true);
        self.order();
    }

    /// The runs that fit the filter, in the chosen order.
    pub fn shown(&self) -> impl ExactSizeIterator<Item = &RunRow> {
        self.shown.iter().map(|&at| &self.rows[at])
    }

    pub fn shown_at(&self, index: usize) -> Option<&RunRow> {
        self.shown.get(index).map(|&at| &self.rows[at])
    }

    pub fn get(&self, path: &Path) -> Option<&RunRow> {
        self.rows.iter().find(|row| row.path == path)
    }

    pub fn get_mut(&mut self, path: &Path) -> Option<&mut RunRow> {
        self.rows.iter_mut().find(|row| row.path == path)
    }

    /// The run whose details are open.
    pub fn selected(&self) -> Option<&RunRow> {
        self.get(self.selected.as_deref()?)
    }

    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// Shows only runs that contain every word of `filter`, in whatever they are known by.
    pub fn set_filter(&mut self, filter: String) {
        self.filter = filter;
        self.sift();
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
                    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
                }
            };
            if descending { order.reverse() } else { order }
        });
        self.sift();
    }

    fn sift(&mut self) {
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let fits = |row: &RunRow| {
            let known_by = known_by(row);
            words.iter().all(|word| known_by.contains(word))
        };
        self.shown = (0..self.rows.len()).filter(|&at| fits(&self.rows[at])).collect();
    }
}

/// Everything that a filter looks at, in lower case.
fn known_by(row: &RunRow) -> String {
    let mut words = vec![row.name.as_str(), state_word(row), &row.data, &row.network, &row.hash, &row.note];
    words.extend(row.attack.as_deref());
    words.extend(row.defenses.iter().map(String::as_str));
    words.extend(row.tags.iter().map(String::as_str));
    words.extend(row.trouble.as_deref());
    words.extend(row.model.as_deref());
    words.join("\n").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{ResultRow, State};

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
            note: String::new(),
            picture: None,
            results: vec![result(Some(1.0)), result(asr_after)],
            fair: Vec::new(),
            model: None,
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

    #[test]
    fn a_filter_needs_every_word_somewhere() {
        let mut list = RunList::default();
        let tagged = RunRow { tags: vec!["Lecture".into()], attack: Some("badnets".into()), ..row("Corner", 1, None) };
        let failed = RunRow { state: Some(State::Failed), defenses: vec!["npd".into()], ..row("Noise", 2, None) };
        list.set(vec![tagged, failed, RunRow { state: None, ..row("Broken", 3, None) }]);
        let names = |list: &RunList| list.shown().map(|row| row.name.clone()).collect::<Vec<_>>();
        for (filter, wanted) in [
            ("", &["Broken", "Noise", "Corner"][..]),
            ("lecture BADNETS", &["Corner"]),
            ("npd failed", &["Noise"]),
            ("unreadable", &["Broken"]),
            ("corner npd", &[]),
        ] {
            list.set_filter(filter.into());
            assert_eq!(names(&list), wanted, "{filter}");
        }
        list.set_filter("o".into());
        list.sort_by(RunColumn::Name);
        assert_eq!(names(&list), ["Broken", "Corner", "Noise"], "the filter stays when the order changes");
    }
}
