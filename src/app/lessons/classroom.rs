//! The classroom as part of the window's state.

use super::course::{Course, LessonMemory};
use super::hand_in::{HandIn, HandInColumn, HandIns, Outcome};
use super::lesson::{Lesson, embedded};
use super::pack::{Pack, Prepare};
use crate::app::command::UserCommand;
use crate::app::state::State;
use std::collections::HashSet;
use std::sync::Arc;

/// What the Lessons screen shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tab {
    #[default]
    Lessons,
    Prepare,
    HandIns,
}

impl Tab {
    pub const ALL: [Tab; 3] = [Tab::Lessons, Tab::Prepare, Tab::HandIns];

    pub fn name(self) -> &'static str {
        match self {
            Tab::Lessons => "Take a lesson",
            Tab::Prepare => "Prepare for class",
            Tab::HandIns => "Hand-ins",
        }
    }

    pub fn explanation(self) -> &'static str {
        match self {
            Tab::Lessons => "Short lessons beside the program: guess first, then try",
            Tab::Prepare => "One file with which all windows of a class begin alike",
            Tab::HandIns => "What students saved, as a table",
        }
    }
}

/// What can be done in the classroom.
#[derive(Debug, Clone)]
pub enum LessonChange {
    /// Index in the list.
    Take(usize),
    Step(usize),
    Guess(usize),
    Tab(Tab),
    /// What a student writes.
    Name(String),
    Answer(String),
    Notes(String),
    Prepare(Box<Prepare>),
    SavePack,
    /// Opens the pack here, as students will see it.
    TryPack,
    /// Everything that the pack leaves out, or the pack's window again.
    ShowEverything(bool),
    /// Back to a window of one's own.
    LeavePack,
    Sort(HandInColumn),
    ClearHandIns,
}

#[derive(Debug, Default)]
pub struct Classroom {
    pub lessons: Vec<Arc<Lesson>>,
    /// Ids of lessons that were taken to their end.
    pub done: HashSet<String>,
    pub course: Option<Course>,
    pub pack: Option<Pack>,
    hidden: HashSet<UserCommand>,
    hidden_fields: HashSet<String>,
    pub show_everything: bool,
    pub tab: Tab,
    pub prepare: Prepare,
    pub hand_ins: HandIns,
    pub name: String,
    pub answer: String,
    pub notes: String,
}

impl Classroom {
    /// As it was left.
    pub fn remembered(memory: &LessonMemory) -> Self {
        let lessons = embedded();
        let open = lessons.iter().find(|lesson| lesson.id == memory.open).cloned();
        let course = open.map(|lesson| Course::remembered(lesson, memory));
        Self { lessons, course, done: memory.done.iter().cloned().collect(), ..Self::default() }
    }

    /// A pack is not remembered: its file opens it again.
    pub fn memory(&self) -> LessonMemory {
        let open = self.course.as_ref().filter(|_| self.pack.is_none()).map(Course::memory).unwrap_or_default();
        let mut done: Vec<_> = self.done.iter().cloned().collect();
        done.sort();
        LessonMemory { done, ..open }
    }

    /// Whether the pack that is open leaves this out.
    pub fn hides(&self, command: UserCommand) -> bool {
        !self.show_everything && self.hidden.contains(&command)
    }

    /// The same for a setting of the Lab, by its path.
    pub fn hides_field(&self, path: &str) -> bool {
        !self.show_everything && self.hidden_fields.contains(path)
    }

    /// Some settings of the Lab are left out, so there must be no other way to them.
    pub fn hides_fields(&self) -> bool {
        !self.show_everything && !self.hidden_fields.is_empty()
    }

    pub fn take(&mut self, lesson: Arc<Lesson>) {
        self.course = Some(Course::new(lesson));
    }

    pub fn open(&mut self, pack: Pack) {
        self.hidden = pack.hidden();
        self.hidden_fields = pack.hidden_fields.iter().cloned().collect();
        self.show_everything = false;
        self.course = pack.lesson.clone().map(|lesson| Course::new(Arc::new(lesson)));
        self.answer.clear();
        self.pack = Some(pack);
    }

    pub fn leave(&mut self) {
        self.hidden.clear();
        self.hidden_fields.clear();
        self.pack = None;
        self.show_everything = false;
    }

    /// The pack as it is prepared, with the Lab's experiment.
    pub fn prepared(&self, experiment: &str) -> Pack {
        self.prepare.pack(&self.lessons, experiment)
    }

    pub fn question(&self) -> &str {
        self.pack.as_ref().map_or("", |pack| &pack.question)
    }
}

impl State {
    /// What a student would hand in now.
    pub fn work(&self) -> HandIn {
        let room = &self.classroom;
        let lesson = room.course.as_ref().map(HandIn::of_course).unwrap_or_default();
        HandIn {
            name: room.name.trim().to_owned(),
            answer: room.answer.clone(),
            question: room.question().to_owned(),
            notes: room.notes.clone(),
            seed: self.draft.experiment().seed,
            class_seed: room.pack.as_ref().and_then(Pack::seed),
            experiment: self.draft.text().to_owned(),
            result: self.job.as_ref().and_then(Outcome::of),
            ..lesson
        }
    }
}
