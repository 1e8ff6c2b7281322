//! The trigger bench: what lies on it, what the engine still owes, and what a helper thread is working out.

use super::desk::Purpose;
use super::picture::{Stamp, Study};
use super::state::{Fetched, State};
use crate::experiment::spec::DataChoice;
use crate::experiment::{Code, Problem};
use crate::run::event::{self, Question, Thumbnails};
use crate::run::handle::Engine;

/// A full queue of the engine is tried again after this many seconds.
const RETRY: f64 = 0.2;

#[derive(Debug)]
pub struct Bench {
    /// The picture and the trigger that are shown.
    pub shown: Option<event::Bench>,
    pub stamp: Stamp,
    pub thumbnails: Option<Thumbnails>,
    /// Why the newest draft cannot be shown.
    pub problem: Option<Problem>,
    /// The picture that is wanted.
    pub row: usize,
    /// The trigger as the attacker uses it on the finished model.
    pub strike: bool,
    /// 1 is the attack's own strength.
    pub strength: f32,
    study: Option<Study>,
    /// The newest question: revision of the draft, picture, moment.
    asked: Option<(u64, usize, bool)>,
    /// The data of the thumbnails.
    asked_data: Option<(DataChoice, u64)>,
    /// Rises with every answer.
    answers: u64,
    /// What the newest study is about: answer, strength, border of the crop.
    studied: Option<(u64, u32, usize)>,
    studying: bool,
}

impl Default for Bench {
    fn default() -> Self {
        Self {
            shown: None,
            stamp: Stamp::Nothing,
            thumbnails: None,
            problem: None,
            row: 0,
            strike: false,
            strength: 1.0,
            study: None,
            asked: None,
            asked_data: None,
            answers: 0,
            studied: None,
            studying: false,
        }
    }
}

impl Bench {
    pub fn show(&mut self, shown: event::Bench) {
        self.stamp = Stamp::of(&shown);
        // There may be fewer pictures than were asked for.
        if self.asked.is_some_and(|(_, row, _)| row == self.row) {
            self.row = shown.row;
        }
        self.shown = Some(shown);
        self.problem = None;
        self.answers += 1;
    }

    /// The newest draft cannot be shown. A mistake leaves what was there before it; a trigger that is not made yet, or an
    /// attack that is refused altogether, must not look like another one.
    pub fn fail(&mut self, problem: Problem) {
        if problem.code == Code::NotMadeYet || problem.place.as_deref() == Some("attack.id") {
            self.shown = None;
            self.stamp = Stamp::Nothing;
        }
        self.problem = Some(problem);
    }

    /// Asks again after a while in which the trigger may have been made.
    pub fn look_again(&mut self) {
        if self.problem.as_ref().is_some_and(|problem| problem.code == Code::NotMadeYet) {
            self.asked = None;
        }
    }

    pub fn study(&mut self, study: Study) {
        self.studying = false;
        self.study = Some(study);
    }

    /// Figures of the picture, perhaps of a moment ago while a slider moves.
    pub fn figures(&self) -> Option<&Study> {
        self.study.as_ref()
    }
}

impl State {
    /// Asks for what the bench shows next, one question at a time: while a slider moves, the newest draft follows the
    /// answer to the one before. Returns when to try again, in seconds.
    pub(super) fn tend_bench(&mut self, engine: &dyn Engine) -> Option<f64> {
        let data = self.draft.experiment().data.clone();
        // Without a subset the seed changes no picture.
        let whole = data.train_rows == 0 && data.test_rows == 0;
        let data = (data, if whole { 0 } else { self.draft.experiment().seed });
        let mut retry = None;
        if self.bench.asked_data.as_ref() != Some(&data) {
            let question = Question::Thumbnails { spec: self.draft.text().to_owned() };
            if self.desk.ask(engine, Purpose::Thumbnails, question) {
                self.bench.thumbnails = None;
                self.bench.asked_data = Some(data);
            } else {
                retry = Some(RETRY);
            }
        }
        let wanted = (self.draft.revision(), self.bench.row, self.bench.strike);
        if self.bench.asked != Some(wanted) && !self.desk.is_waiting(&Purpose::Bench) {
            let spec = self.draft.text().to_owned();
            let question = Question::Bench { spec, row: self.bench.row, strike: self.bench.strike };
            if self.desk.ask(engine, Purpose::Bench, question) {
                self.bench.asked = Some(wanted);
            } else {
                retry = Some(RETRY);
            }
        }
        self.start_study();
        retry
    }

    /// Figures and spectra of what is shown, on a helper thread, one study at a time.
    fn start_study(&mut self) {
        let border = self.draft.experiment().train.crop;
        let bench = &mut self.bench;
        let wanted = (bench.answers, bench.strength.to_bits(), border);
        if bench.studying || bench.studied == Some(wanted) {
            return;
        }
        if let Some(shown) = &bench.shown {
            let (clean, stamp, strength) = (shown.clean.clone(), bench.stamp.clone(), bench.strength);
            bench.studied = Some(wanted);
            bench.studying = true;
            self.background.start("study a picture", move || {
                Fetched::Study(Box::new(Study::of(&clean, &stamp, strength, border)))
            });
        }
    }
}
