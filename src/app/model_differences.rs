//! What tells models from those that were audited before, as the engine has counted it.

use super::desk::{Desk, Purpose};
use crate::experiment::{Problem, Result};
use crate::run::ModelDifference;
use crate::run::event::{Answer, Question};
use crate::run::handle::Engine;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// By the places of both models: folders of runs, files, or names of what is built in.
#[derive(Debug, Default)]
pub struct ModelDifferences {
    known: HashMap<(PathBuf, PathBuf), Result<ModelDifference>>,
}

impl ModelDifferences {
    pub fn between(&self, before: &Path, after: &Path) -> Option<&Result<ModelDifference>> {
        self.known.get(&(before.to_owned(), after.to_owned()))
    }

    /// The difference in a sentence, or why there is none; nothing while it is being counted.
    pub fn sentence(&self, before: &Path, after: &Path) -> Option<String> {
        self.between(before, after).map(|known| match known {
            Ok(difference) => difference.sentence(),
            Err(problem) => problem.headline.clone(),
        })
    }

    /// Asks unless it is known or being counted; false when the engine takes no questions now.
    pub(super) fn ask(&self, desk: &mut Desk, engine: &dyn Engine, before: &Path, after: &Path) -> bool {
        let (before, after) = (before.to_owned(), after.to_owned());
        let purpose = Purpose::Difference(before.clone(), after.clone());
        self.between(&before, &after).is_some()
            || desk.is_waiting(&purpose)
            || desk.ask(engine, purpose, Question::Difference { before, after })
    }

    pub(super) fn on_answer(&mut self, before: PathBuf, after: PathBuf, answer: Result<Answer>) {
        let known = answer.and_then(|answer| match answer {
            Answer::Difference(difference) => Ok(*difference),
            _ => Err(Problem::internal("The engine answered something else than was asked.")),
        });
        self.known.insert((before, after), known);
    }

    /// Another file may lie at this place now.
    pub(super) fn forget(&mut self, place: &Path) {
        self.known.retain(|(before, after), _| before != place && after != place);
    }
}
