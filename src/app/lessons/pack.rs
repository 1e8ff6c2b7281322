//! A lesson pack: one text file with which thirty windows begin alike, and simpler than usual.

use super::class_file::SCHEMA;
use super::lesson::Lesson;
use super::scene::Scene;
use crate::app::command::{Screen, UserCommand};
use crate::experiment::{Problem, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// Always `lesson-pack`.
    pub polariscope: String,
    pub schema: u32,
    pub title: String,
    /// The teacher's own question, asked at the end.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub question: String,
    /// Ids of the commands that are left out; screens are the commands that go there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
    /// Paths of the Lab's settings that are left out: `train.epochs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden_fields: Vec<String>,
    /// The experiment of the Lab.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub experiment: String,
    /// How the window begins.
    #[serde(default)]
    pub start: Scene,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lesson: Option<Lesson>,
}

impl Pack {
    pub const KIND: &'static str = "lesson-pack";

    pub(super) fn checked(self) -> Result<Self> {
        if let Some(lesson) = &self.lesson {
            lesson.check()?;
        }
        Ok(self)
    }

    pub fn to_toml(&self) -> Result<String> {
        let text = toml::to_string_pretty(self)
            .map_err(|error| Problem::internal("This pack cannot be written as text.").because(error))?;
        Ok(format!("# A lesson for Polariscope. Open it with the program, or drop it on its window.\n{text}"))
    }

    /// The commands that it leaves out; names of other versions of this program are passed over.
    pub fn hidden(&self) -> HashSet<UserCommand> {
        self.hidden.iter().filter_map(|id| UserCommand::of_id(id)).collect()
    }

    /// Something is left out.
    pub fn simplifies(&self) -> bool {
        !self.hidden.is_empty() || !self.hidden_fields.is_empty()
    }

    /// The seed with which everybody begins.
    pub fn seed(&self) -> Option<u64> {
        let table: toml::Table = toml::from_str(&self.experiment).ok()?;
        table.get("seed").map_or(Some(0), |seed| u64::try_from(seed.as_integer()?).ok())
    }
}

/// What a teacher is about to hand out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prepare {
    /// Index in the list of lessons.
    pub lesson: Option<usize>,
    pub title: String,
    pub question: String,
    pub start: Screen,
    pub hidden: HashSet<UserCommand>,
    /// Paths of the Lab's settings.
    pub hidden_fields: BTreeSet<String>,
}

impl Prepare {
    /// What can be left out: not what a lesson is taken with, nor what everybody needs to find their way.
    pub fn choices() -> impl Iterator<Item = UserCommand> {
        use UserCommand as Is;
        let always = [
            Is::NextStep,
            Is::PreviousStep,
            Is::CloseLesson,
            Is::SaveWork,
            Is::NextPicture,
            Is::PreviousPicture,
            Is::Undo,
            Is::Redo,
            Is::ToggleProjector,
            Is::TogglePalette,
            Is::ToggleShortcuts,
        ];
        UserCommand::ALL.into_iter().filter(move |command| !always.contains(command))
    }

    /// What the lesson and the start cannot do without.
    pub fn needed(&self, lessons: &[Arc<Lesson>]) -> HashSet<UserCommand> {
        let mut needed = HashSet::from([UserCommand::Go(self.start)]);
        if let Some(lesson) = self.lesson.and_then(|at| lessons.get(at)) {
            for scene in lesson.scenes() {
                needed.extend(scene.screens().into_iter().map(UserCommand::Go));
                needed.extend(scene.commands());
            }
            let commands = lesson.steps.iter().flat_map(|step| &step.deeds).filter_map(|deed| deed.command.as_deref());
            needed.extend(commands.filter_map(UserCommand::of_id));
        }
        needed
    }

    /// The Lab's settings that the lesson changes, by their paths.
    pub fn needed_fields(&self, lessons: &[Arc<Lesson>]) -> HashSet<String> {
        let lesson = self.lesson.and_then(|at| lessons.get(at));
        let patches = lesson.into_iter().flat_map(|lesson| lesson.scenes()).flat_map(|scene| &scene.draft);
        patches.filter_map(|patch| Some(patch.split_once('=')?.0.trim().to_owned())).collect()
    }

    /// Leaves out all that the lesson can do without, of the Lab's settings those in `fields`.
    pub fn only_needed<'a>(&mut self, lessons: &[Arc<Lesson>], fields: impl IntoIterator<Item = &'a str>) {
        let needed = self.needed(lessons);
        self.hidden = Self::choices().filter(|command| !needed.contains(command)).collect();
        let needed = self.needed_fields(lessons);
        self.hidden_fields = fields.into_iter().filter(|path| !needed.contains(*path)).map(str::to_owned).collect();
    }

    /// The pack, with the experiment of the Lab.
    pub fn pack(&self, lessons: &[Arc<Lesson>], experiment: &str) -> Pack {
        let lesson = self.lesson.and_then(|at| lessons.get(at)).map(|lesson| (**lesson).clone());
        let title = match (self.title.trim(), &lesson) {
            ("", Some(lesson)) => lesson.title.clone(),
            ("", None) => "A lesson".to_owned(),
            (title, _) => title.to_owned(),
        };
        let needed = self.needed(lessons);
        let hidden = Self::choices().filter(|command| self.hidden.contains(command) && !needed.contains(command));
        let needed_fields = self.needed_fields(lessons);
        Pack {
            polariscope: Pack::KIND.to_owned(),
            schema: SCHEMA,
            title,
            question: self.question.trim().to_owned(),
            hidden: hidden.map(UserCommand::id).collect(),
            hidden_fields: self.hidden_fields.iter().filter(|path| !needed_fields.contains(*path)).cloned().collect(),
            experiment: experiment.to_owned(),
            start: Scene { screen: Some(self.start), ..Scene::default() },
            lesson,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::class_file::ClassFile;
    use super::super::lesson::embedded;
    use super::*;

    #[test]
    fn every_pack_comes_back_as_it_was() {
        let lessons = embedded();
        for lesson in 0..lessons.len() {
            let mut prepare = Prepare { lesson: Some(lesson), question: "Will it?\nWhy?".into(), ..Prepare::default() };
            prepare.only_needed(&lessons, ["poison.ratio", "train.epochs"]);
            let pack = prepare.pack(&lessons, "# the Lab's\nseed = 7\n");
            assert_eq!((pack.title.as_str(), pack.seed()), (lessons[lesson].title.as_str(), Some(7)));
            let text = pack.to_toml().unwrap();
            let Some(Ok(ClassFile::Pack(read))) = ClassFile::read(&text) else { panic!("{text}") };
            assert_eq!(*read, pack);
            assert_eq!(read.hidden(), prepare.hidden);
            assert!(read.simplifies() && read.hidden_fields.contains(&"train.epochs".to_owned()));
        }
    }

    #[test]
    fn settings_that_a_lesson_changes_stay() {
        let lessons = embedded();
        let ratio = lessons.iter().position(|lesson| lesson.id == "poisoning-ratio");
        let mut prepare = Prepare { lesson: ratio, ..Prepare::default() };
        prepare.only_needed(&lessons, ["poison.ratio", "poison.target"]);
        prepare.hidden_fields.insert("poison.ratio".to_owned());
        assert_eq!(prepare.pack(&lessons, "").hidden_fields, ["poison.target"]);
    }

    #[test]
    fn what_a_lesson_needs_stays() {
        let lessons = embedded();
        let mut prepare = Prepare { lesson: Some(0), ..Prepare::default() };
        prepare.hidden = Prepare::choices().collect();
        let hidden = prepare.pack(&lessons, "").hidden();
        for kept in [UserCommand::Go(Screen::Home), UserCommand::ToggleSticker, UserCommand::NextModel] {
            assert!(!hidden.contains(&kept), "{kept:?}");
        }
        for gone in [UserCommand::Go(Screen::Lab), UserCommand::Start, UserCommand::Go(Screen::Settings)] {
            assert!(hidden.contains(&gone), "{gone:?}");
        }
    }
}
