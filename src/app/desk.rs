//! Questions to the engine: who asked what, and which answer is still wanted. Newest wins.

use crate::experiment::FairExperiment;
use crate::run::event::{Command, HeatWish, Question, QuestionId, Scene};
use crate::run::handle::Engine;
use std::path::PathBuf;

/// What an answer is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Purpose {
    /// Pictures of the Lab's draft.
    Preview,
    /// What the draft's attack will do to its training set.
    Plan,
    /// Which defenses cannot work on the draft's network.
    Defenses,
    /// What the models of a stand say of its pictures.
    Predict(Scene),
    /// What they say of somebody's own picture.
    Photo(Scene, PathBuf),
    /// Where one of them looks.
    Heat(HeatWish),
    /// What the models of a run that is compared say.
    Compared(PathBuf),
    /// A file or folder that was dropped, chosen or typed.
    Inspect(PathBuf),
    /// The draft's trigger and a picture.
    Bench,
    /// The draft's test set in small.
    Thumbnails,
    /// The polarizer in the model of a scene.
    Polarizer(Scene),
    /// What the network says with that polarizer at this step of the dial.
    Dial(Scene, usize),
    /// The columns of a table.
    Table(String),
    /// The trade-off of this fair regression.
    Fair(Box<FairExperiment>),
    /// The fitted model as a file.
    Model(PathBuf),
    /// What lies at a place that is to be audited.
    Audit(String),
    /// What tells the second of two models from the first.
    Difference(PathBuf, PathBuf),
    /// What was found on this machine.
    Machine,
}

impl Purpose {
    /// A new question supersedes waiting ones that it makes pointless.
    fn supersedes(&self, older: &Purpose) -> bool {
        match self {
            Purpose::Photo(scene, _) => matches!(older, Purpose::Photo(other, _) if scene == other),
            Purpose::Heat(wish) => matches!(older, Purpose::Heat(other) if wish.scene == other.scene),
            Purpose::Polarizer(_) => matches!(older, Purpose::Polarizer(_)),
            Purpose::Table(_) => matches!(older, Purpose::Table(_)),
            Purpose::Fair(_) => matches!(older, Purpose::Fair(_)),
            _ => self == older,
        }
    }
}

#[derive(Debug, Default)]
pub struct Desk {
    next: u64,
    waiting: Vec<(QuestionId, Purpose)>,
}

impl Desk {
    /// Sends a question; false when the engine takes none now, so that the caller can try again.
    pub fn ask(&mut self, engine: &dyn Engine, purpose: Purpose, question: Question) -> bool {
        let id = QuestionId(self.next);
        if engine.send(Command::Ask(id, question)).is_err() {
            return false;
        }
        self.next += 1;
        self.waiting.retain(|(_, older)| !purpose.supersedes(older));
        self.waiting.push((id, purpose));
        true
    }

    /// Takes what an answer was for; nothing when a newer question has superseded it.
    pub fn take(&mut self, id: QuestionId) -> Option<Purpose> {
        let index = self.waiting.iter().position(|(waiting, _)| *waiting == id)?;
        Some(self.waiting.remove(index).1)
    }

    pub fn is_waiting(&self, purpose: &Purpose) -> bool {
        self.waiting.iter().any(|(_, waiting)| waiting == purpose)
    }

    /// A strength of the polarizer is being measured.
    pub fn is_turning(&self) -> bool {
        self.waiting.iter().any(|(_, waiting)| matches!(waiting, Purpose::Dial(..)))
    }

    /// A fair regression is being fitted.
    pub fn is_fitting(&self) -> bool {
        self.waiting.iter().any(|(_, waiting)| matches!(waiting, Purpose::Fair(_)))
    }

    /// A file that is being looked at.
    pub fn inspecting(&self) -> Option<&PathBuf> {
        self.waiting.iter().find_map(|(_, purpose)| match purpose {
            Purpose::Inspect(path) => Some(path),
            _ => None,
        })
    }
}
