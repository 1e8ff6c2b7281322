//! The experiment that is being built. Its text is the truth; forms read the last text without a mistake and write it anew.

use super::spec_text::{self, TextProblem};
use crate::experiment::{Experiment, Method, check};
use egui::util::undoer::{Settings as UndoSettings, Undoer};

#[derive(Debug)]
pub struct Draft {
    text: String,
    experiment: Experiment,
    problem: Option<TextProblem>,
    undoer: Undoer<String>,
    methods: &'static [&'static Method],
    /// Rises with every change.
    revision: u64,
}

impl Draft {
    /// `fallback` is used for the forms until `text` has no mistake.
    pub fn new(text: String, fallback: Experiment, methods: &'static [&'static Method]) -> Self {
        let settings = UndoSettings { stable_time: 0.4, ..UndoSettings::default() };
        let mut draft = Self {
            text: String::new(),
            experiment: fallback,
            problem: None,
            undoer: Undoer::with_settings(settings),
            methods,
            revision: 0,
        };
        draft.set_text(text);
        draft
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The last experiment that could be read.
    pub fn experiment(&self) -> &Experiment {
        &self.experiment
    }

    pub fn problem(&self) -> Option<&TextProblem> {
        self.problem.as_ref()
    }

    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn set_text(&mut self, text: String) {
        if text == self.text && self.revision > 0 {
            return;
        }
        self.text = text;
        self.revision += 1;
        let (experiment, problem) = spec_text::read(&self.text, self.methods);
        self.problem = problem;
        if let Some(experiment) = experiment {
            self.experiment = experiment;
        }
    }

    /// Replaces the experiment and writes its text.
    pub fn set_experiment(&mut self, experiment: &Experiment) {
        if let Ok(text) = check::to_toml(experiment) {
            self.set_text(text);
        }
    }

    /// The text of the last experiment that could be read.
    pub fn revert(&mut self) {
        self.set_experiment(&self.experiment.clone());
    }

    /// Lets undo points form; call once per frame with the time of the window in seconds.
    pub fn tend(&mut self, now: f64) {
        self.undoer.feed_state(now, &self.text);
    }

    pub fn can_undo(&self) -> bool {
        self.undoer.has_undo(&self.text)
    }

    pub fn can_redo(&self) -> bool {
        self.undoer.has_redo(&self.text)
    }

    pub fn undo(&mut self) {
        if let Some(text) = self.undoer.undo(&self.text).cloned() {
            self.set_text(text);
        }
    }

    pub fn redo(&mut self) {
        if let Some(text) = self.undoer.redo(&self.text).cloned() {
            self.set_text(text);
        }
    }
}
