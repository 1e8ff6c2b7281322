//! What a lesson is: short steps that ask first, act on the program, and are ticked when the program stands as it should.

use super::scene::Scene;
use crate::experiment::{Problem, Result};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The lessons inside the program, in the order of the list.
const EMBEDDED: [&str; 12] = [
    include_str!("../../../assets/lessons/01-what-a-backdoor-is.toml"),
    include_str!("../../../assets/lessons/02-poisoning-ratio.toml"),
    include_str!("../../../assets/lessons/03-where-the-trigger-sits.toml"),
    include_str!("../../../assets/lessons/04-invisible-triggers.toml"),
    include_str!("../../../assets/lessons/05-clean-labels.toml"),
    include_str!("../../../assets/lessons/06-the-polarizer.toml"),
    include_str!("../../../assets/lessons/07-finding-a-trigger.toml"),
    include_str!("../../../assets/lessons/08-defending-while-training.toml"),
    include_str!("../../../assets/lessons/09-fair-predictions.toml"),
    include_str!("../../../assets/lessons/10-pruning.toml"),
    include_str!("../../../assets/lessons/11-looking-inside.toml"),
    include_str!("../../../assets/lessons/12-auditing.toml"),
];

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lesson {
    /// By this its hand-ins are told apart.
    pub id: String,
    pub title: String,
    /// One sentence for the list.
    pub about: String,
    pub minutes: u32,
    pub level: String,
    /// The experiment that its steps vary, as text; empty where they need none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub experiment: String,
    #[serde(rename = "step")]
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Paragraphs, separated by empty lines.
    pub text: String,
    /// Asked before anything is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guess: Option<Guess>,
    /// Buttons that act on the program.
    #[serde(default, rename = "do", skip_serializing_if = "Vec::is_empty")]
    pub deeds: Vec<Deed>,
    /// What ticks the step; without it reading is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<Scene>,
    /// Said when it is reached.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub after: String,
}

/// A question before the result; the answer stays beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guess {
    pub question: String,
    pub choices: Vec<String>,
    /// Index of the choice that comes true.
    pub right: usize,
}

/// A button: a command by its id, or a position of the window that it brings about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deed {
    pub label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    #[serde(default, skip_serializing_if = "Scene::is_empty")]
    pub set: Scene,
}

impl Lesson {
    /// Reads a lesson and checks what serde cannot.
    pub fn read(text: &str) -> Result<Self> {
        let lesson: Self = toml::from_str(text).map_err(|error| {
            Problem::bad_file("This lesson cannot be read.").because(error.message()).remedy("Ask whoever wrote it.")
        })?;
        lesson.check()?;
        Ok(lesson)
    }

    /// There is something to do, and every guess has its answer.
    pub fn check(&self) -> Result<()> {
        if self.steps.is_empty() {
            return Err(Problem::bad_file("This lesson has no steps."));
        }
        for (at, step) in self.steps.iter().enumerate() {
            if step.guess.as_ref().is_some_and(|guess| guess.right >= guess.choices.len()) {
                return Err(
                    Problem::bad_file("A guess in this lesson has no right answer.").at(format!("step {}", at + 1))
                );
            }
        }
        Ok(())
    }

    /// Everything that its steps set or look for.
    pub fn scenes(&self) -> impl Iterator<Item = &Scene> {
        self.steps.iter().flat_map(|step| step.deeds.iter().map(|deed| &deed.set).chain(&step.reached))
    }
}

/// The lessons inside the program; a test holds that all of them can be read.
pub fn embedded() -> Vec<Arc<Lesson>> {
    EMBEDDED.iter().filter_map(|text| Lesson::read(text).ok()).map(Arc::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::command::UserCommand;
    use crate::experiment::{check, patch};
    use std::collections::HashSet;

    #[test]
    fn every_lesson_is_whole_and_names_what_exists() {
        let mut ids = HashSet::new();
        for text in EMBEDDED {
            let lesson = Lesson::read(text).unwrap_or_else(|problem| panic!("{problem}: {text}"));
            assert!(ids.insert(lesson.id.clone()), "{} twice", lesson.id);
            assert!((1..=30).contains(&lesson.minutes) && lesson.steps.len() >= 3, "{}", lesson.id);
            for step in &lesson.steps {
                for command in step.deeds.iter().filter_map(|deed| deed.command.as_deref()) {
                    assert!(UserCommand::of_id(command).is_some(), "{}: no command {command}", lesson.id);
                }
                let does = |deed: &Deed| deed.command.is_some() || !deed.set.is_empty();
                assert!(step.deeds.iter().all(does), "{}: a button without effect", lesson.id);
                assert!(step.reached.as_ref().is_none_or(|scene| !scene.is_empty()), "{}", lesson.id);
            }
            let drafts = lesson.scenes().filter(|scene| !scene.draft.is_empty());
            for scene in drafts {
                let draft =
                    patch::apply(&lesson.experiment, &scene.draft).unwrap_or_else(|p| panic!("{}: {p}", lesson.id));
                check::parse(&draft, crate::catalogue::all()).unwrap_or_else(|p| panic!("{}: {p}", lesson.id));
            }
        }
        assert_eq!(embedded().len(), EMBEDDED.len());
    }

    #[test]
    fn a_guess_without_an_answer_is_refused() {
        let text = "id='x'\ntitle='x'\nabout='x'\nminutes=1\nlevel='first'\n[[step]]\ntext='x'\n\
                    guess={question='?',choices=['a'],right=1}\n";
        assert!(Lesson::read(text).unwrap_err().headline.contains("no right answer"));
        assert!(Lesson::read("id = 'x'").unwrap_err().headline.contains("cannot be read"));
    }
}
