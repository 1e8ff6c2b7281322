//! Fair regression in the window: which table, what was fitted, and where the point stands on its trade-off.

mod choice;
mod course;
mod snapshot;
pub mod words;

pub use choice::{EMBEDDED, lacks};
pub use course::{Attribute, Course, Part, Person, STEPS};
pub use snapshot::{BINS, Calibration, Snapshot, Split};

use super::command::Screen;
use super::desk::Purpose;
use super::export::ExportFetched;
use super::state::State;
use crate::experiment::fair::FairExperiment;
use crate::experiment::{Problem, Result, check};
use crate::run::event::{Answer, Question};
use crate::run::fair::{Dial, FairFit, TableCard};
use crate::run::handle::Engine;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An engine whose queue is full is asked again after this many seconds.
const PATIENCE: f64 = 0.2;

/// What can be asked for on the Fairness screen.
#[derive(Debug, Clone)]
pub enum FairChange {
    /// Another table: an embedded one by its name, or a path.
    Source(String),
    Experiment(Box<FairExperiment>),
    Fit,
    /// Where the point stands, 0 (no constraint) to 1 (fully fair).
    Position(f64),
    /// The point at which the training gap is this large.
    Gap(f64),
    /// Another way along the trade-off; the number of the dial means nothing.
    Kind(Dial),
    Part(Part),
    /// Keeps the point in sight while another one is looked at, or forgets it.
    Pin(bool),
    /// Writes the point into the experiment.
    Keep,
}

/// What is remembered between two starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FairMemory {
    pub kept: Option<Dial>,
    pub experiment: FairExperiment,
}

#[derive(Debug)]
pub struct Fairness {
    pub experiment: FairExperiment,
    pub table: Option<TableCard>,
    /// Why the table cannot be read, or nothing be fitted.
    pub problem: Option<Problem>,
    pub course: Option<Arc<Course>>,
    pub now: Option<Snapshot>,
    pub pinned: Option<Snapshot>,
    /// The chosen trade-off.
    pub kept: Option<Dial>,
    pub position: f64,
    pub kind: Dial,
    pub part: Part,
    /// What was fitted.
    fitted: Option<FairExperiment>,
    /// A fit was asked for and not sent yet.
    wanted: bool,
    /// Where the model is to be written, until the engine has been asked.
    save_to: Option<PathBuf>,
    asked_table: Option<String>,
    begun: bool,
}

impl Default for Fairness {
    fn default() -> Self {
        Self {
            experiment: choice::begin(EMBEDDED[0].0),
            table: None,
            problem: None,
            course: None,
            now: None,
            pinned: None,
            kept: None,
            // Half of the gap costs a quarter of the price: where the curve says most.
            position: 0.5,
            kind: Dial::Share(0.0),
            part: Part::Test,
            fitted: None,
            wanted: false,
            save_to: None,
            asked_table: None,
            begun: false,
        }
    }
}

impl Fairness {
    /// As it was left.
    pub fn remembered(memory: Option<FairMemory>) -> Self {
        let Some(FairMemory { kept, experiment }) = memory else {
            return Self::default();
        };
        let kind = kept.unwrap_or(Dial::Share(0.0));
        Self { experiment, kept, kind, ..Self::default() }
    }

    pub fn memory(&self) -> FairMemory {
        FairMemory { kept: self.kept, experiment: self.experiment.clone() }
    }

    /// Whether the choice differs from what is shown.
    pub fn is_stale(&self) -> bool {
        self.course.is_some() && self.fitted.as_ref() != Some(&self.experiment)
    }

    /// The kept point is the one that is shown.
    pub fn is_kept(&self) -> bool {
        self.kept.is_some() && self.kept == self.now.as_ref().map(|now| now.dial)
    }

    /// Where the kept point stands on the slider.
    pub fn kept_position(&self) -> Option<f64> {
        let course = self.course.as_ref()?;
        Some(self.kept?.position(&course.fit.trade.support))
    }

    fn show(&mut self, fit: Arc<FairFit>) {
        let course = Arc::new(Course::new(fit, self.part, self.kind));
        self.now = Some(Snapshot::new(&course, self.position));
        self.pinned = None;
        self.course = Some(course);
    }

    fn move_to(&mut self, position: f64) {
        self.position = if position.is_finite() { position.clamp(0.0, 1.0) } else { 0.0 };
        self.now = self.course.as_ref().map(|course| Snapshot::new(course, self.position));
    }

    /// The same fit seen in another way; the pinned point stays where it is.
    fn look_anew(&mut self) {
        if let Some(fit) = self.course.as_ref().map(|course| course.fit.clone()) {
            let pinned = self.pinned.as_ref().map(|pinned| pinned.dial.position(&fit.trade.support));
            self.show(fit);
            self.pinned = self.course.as_ref().zip(pinned).map(|(course, position)| Snapshot::new(course, position));
        }
    }

    fn choose_source(&mut self, source: &str) {
        let (part, kind) = (self.part, self.kind);
        *self = Self { experiment: choice::begin(source), part, kind, ..Self::default() };
    }
}

impl State {
    pub(super) fn change_fairness(&mut self, change: FairChange) {
        let fair = &mut self.fairness;
        match change {
            FairChange::Source(source) => fair.choose_source(source.trim()),
            FairChange::Experiment(experiment) => fair.experiment = *experiment,
            FairChange::Fit => fair.wanted = lacks(&fair.experiment).is_none(),
            FairChange::Position(position) => fair.move_to(position),
            FairChange::Gap(gap) => {
                if let Some(course) = &fair.course {
                    let dial = course.fit.dial_for_gap(fair.kind, gap);
                    fair.move_to(dial.position(&course.fit.trade.support));
                }
            }
            FairChange::Kind(kind) => {
                fair.kind = kind;
                fair.look_anew();
            }
            FairChange::Part(part) => {
                fair.part = part;
                fair.look_anew();
            }
            FairChange::Pin(pin) => fair.pinned = fair.now.clone().filter(|_| pin),
            FairChange::Keep => self.keep_point(),
        }
    }

    fn keep_point(&mut self) {
        let Some(now) = &self.fairness.now else {
            return;
        };
        self.fairness.kept = Some(now.dial);
        let said = format!("Kept: {}; it is marked on the curve.", words::place(now));
        self.notices.info(said, self.now);
    }

    /// Opens an experiment, or the one of a run, on the Fairness screen.
    pub(super) fn open_fair(&mut self, experiment: FairExperiment) {
        self.fairness = Fairness { experiment, ..Fairness::default() };
        self.screen = Screen::Fairness;
    }

    /// Opens a table on the Fairness screen.
    pub(super) fn open_table(&mut self, path: &Path) {
        self.fairness.choose_source(&path.display().to_string());
        self.screen = Screen::Fairness;
    }

    /// Asks for the columns of the table, and for the fit that is wanted; seconds until the next try when the engine
    /// takes no questions.
    pub(super) fn ask_about_fairness(&mut self, engine: &dyn Engine) -> Option<f64> {
        let fair = &mut self.fairness;
        let source = &fair.experiment.table.source;
        if !fair.begun {
            fair.begun = true;
            fair.wanted = lacks(&fair.experiment).is_none();
        }
        if fair.asked_table.as_ref() != Some(source) && !source.is_empty() {
            let question = Question::Table { source: source.clone() };
            if !self.desk.ask(engine, Purpose::Table(source.clone()), question) {
                return Some(PATIENCE);
            }
            fair.asked_table = Some(source.clone());
        }
        if fair.wanted {
            let spec = match check::to_toml(&fair.experiment) {
                Ok(spec) => spec,
                Err(problem) => {
                    (fair.problem, fair.wanted) = (Some(problem), false);
                    return None;
                }
            };
            if !self.desk.ask(engine, Purpose::Fair(Box::new(fair.experiment.clone())), Question::Fair { spec }) {
                return Some(PATIENCE);
            }
            (fair.wanted, fair.problem) = (false, None);
        }
        if let Some((path, now)) = fair.save_to.clone().zip(fair.now.as_ref()) {
            let fitted = fair.fitted.as_ref().unwrap_or(&fair.experiment);
            let spec = check::to_toml(fitted).unwrap_or_default();
            let question = Question::KeepFair { spec, dial: now.dial, path: path.clone() };
            if !self.desk.ask(engine, Purpose::Model(path), question) {
                return Some(PATIENCE);
            }
            fair.save_to = None;
        }
        None
    }

    /// The engine writes the model that is shown, at the point that is shown.
    pub(super) fn save_model(&mut self, path: PathBuf) {
        self.fairness.save_to = Some(path);
    }

    /// Takes an answer; one about another table than is looked at is dropped.
    pub(super) fn on_fairness_answer(&mut self, purpose: Purpose, answer: Result<Answer>) {
        let fair = &mut self.fairness;
        match (purpose, answer) {
            (Purpose::Table(source), _) if source != fair.experiment.table.source => {}
            (Purpose::Fair(experiment), _) if experiment.table.source != fair.experiment.table.source => {}
            (Purpose::Table(_), Ok(Answer::Table(card))) => {
                choice::adopt(&mut fair.experiment, &card);
                fair.table = Some(card);
            }
            (Purpose::Fair(experiment), Ok(Answer::Fair(fit))) => {
                fair.fitted = Some(*experiment);
                if let Some(kept) = fair.kept.filter(|_| fair.course.is_none()) {
                    fair.position = kept.position(&fit.trade.support);
                }
                fair.show(fit);
            }
            (Purpose::Model(path), answer) => {
                let saved = answer.map(|_| path);
                self.on_export(ExportFetched::Saved(saved));
            }
            (_, Err(problem)) => fair.problem = Some(problem),
            (purpose, Ok(_)) => tracing::warn!("the engine answered something else than was asked: {purpose:?}"),
        }
    }

    pub fn is_fitting(&self) -> bool {
        self.fairness.wanted || self.desk.is_fitting()
    }
}

#[cfg(test)]
mod tests;
