//! A lesson that is being taken.

use super::lesson::{Guess, Lesson, Step};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Where a lesson inside the program stands, between two starts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LessonMemory {
    /// Id of the open lesson; empty where none is.
    pub open: String,
    pub step: usize,
    /// One for each step; -1 where nothing was guessed.
    pub guesses: Vec<i64>,
    pub reached: Vec<bool>,
    /// Ids of lessons that were taken to their end.
    pub done: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Course {
    pub lesson: Arc<Lesson>,
    /// The step that is open.
    pub step: usize,
    /// What was guessed at each step.
    guesses: Vec<Option<usize>>,
    /// Which steps have been reached; what was reached once stays so.
    reached: Vec<bool>,
}

impl Course {
    pub fn new(lesson: Arc<Lesson>) -> Self {
        let steps = lesson.steps.len();
        let mut course = Self { lesson, step: 0, guesses: vec![None; steps], reached: vec![false; steps] };
        course.read();
        course
    }

    /// As it was left, as far as that fits the lesson.
    pub fn remembered(lesson: Arc<Lesson>, memory: &LessonMemory) -> Self {
        let mut course = Self::new(lesson);
        for (guess, kept) in course.guesses.iter_mut().zip(&memory.guesses) {
            *guess = usize::try_from(*kept).ok();
        }
        for (reached, kept) in course.reached.iter_mut().zip(&memory.reached) {
            *reached |= *kept;
        }
        course.go_to(memory.step);
        course
    }

    pub fn memory(&self) -> LessonMemory {
        LessonMemory {
            open: self.lesson.id.clone(),
            step: self.step,
            guesses: self.guesses.iter().map(|guess| guess.map_or(-1, |choice| choice as i64)).collect(),
            reached: self.reached.clone(),
            done: Vec::new(),
        }
    }

    pub fn now(&self) -> Option<&Step> {
        self.lesson.steps.get(self.step)
    }

    pub fn guessed(&self, step: usize) -> Option<usize> {
        self.guesses.get(step).copied().flatten()
    }

    pub fn is_reached(&self, step: usize) -> bool {
        self.reached.get(step).is_some_and(|reached| *reached)
    }

    pub fn reached(&self) -> usize {
        self.reached.iter().filter(|reached| **reached).count()
    }

    pub fn is_done(&self) -> bool {
        self.reached.iter().all(|reached| *reached)
    }

    /// The result may be seen: whoever has not guessed yet is asked first.
    pub fn may_look(&self) -> bool {
        self.now().is_none_or(|step| step.guess.is_none() || self.guessed(self.step).is_some())
    }

    /// A guess can be changed until its result is there.
    pub fn guess(&mut self, choice: usize) {
        let choices = self.now().and_then(|step| step.guess.as_ref()).map_or(0, |guess| guess.choices.len());
        if choice < choices && !self.is_reached(self.step) {
            self.guesses[self.step] = Some(choice);
            self.read();
        }
    }

    pub fn go_to(&mut self, step: usize) {
        self.step = step.min(self.lesson.steps.len().saturating_sub(1));
        self.read();
    }

    pub fn has_next(&self) -> bool {
        self.step + 1 < self.lesson.steps.len()
    }

    /// A step without a position to reach is done when it is read, and its guess made.
    fn read(&mut self) {
        if self.now().is_some_and(|step| step.reached.is_none()) && self.may_look() {
            self.tick();
        }
    }

    /// The window stands as the open step wants it.
    pub fn tick(&mut self) {
        if let Some(reached) = self.reached.get_mut(self.step) {
            *reached = true;
        }
    }

    /// Whether the open step waits for something.
    pub fn waits(&self) -> bool {
        !self.is_reached(self.step) && self.may_look() && self.now().is_some_and(|step| step.reached.is_some())
    }

    /// Every guess that was made: step, question, choice.
    pub fn made(&self) -> impl Iterator<Item = (usize, &Guess, usize)> {
        let steps = self.lesson.steps.iter().zip(&self.guesses).enumerate();
        steps.filter_map(|(at, (step, choice))| Some((at, step.guess.as_ref()?, (*choice)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course() -> Course {
        let text = "id='x'\ntitle='x'\nabout='x'\nminutes=1\nlevel='first'\n[[step]]\ntext='read'\n[[step]]\ntext='do'\n\
                    guess={question='?',choices=['a','b'],right=1}\nreached={sticker=true}\n";
        Course::new(Arc::new(Lesson::read(text).unwrap()))
    }

    #[test]
    fn a_step_is_guessed_first_then_reached_and_then_stays() {
        let mut course = course();
        assert!(course.is_reached(0), "the first step only wants to be read");
        course.go_to(7);
        assert_eq!((course.step, course.has_next(), course.waits()), (1, false, false));
        course.guess(5);
        assert_eq!(course.guessed(1), None);
        course.guess(0);
        course.guess(1);
        assert!(course.waits() && !course.is_done());
        course.tick();
        course.guess(0);
        assert_eq!(course.guessed(1), Some(1), "the guess stays beside the result");
        assert!(course.is_done() && course.reached() == 2 && course.made().count() == 1);
        let again = Course::remembered(course.lesson.clone(), &course.memory());
        assert_eq!((again.memory(), again.is_done()), (course.memory(), true));
    }
}
