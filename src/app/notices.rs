//! What the window tells unasked: problems stay until dismissed and equal ones are counted; information fades.

use crate::experiment::Problem;
use std::path::{Path, PathBuf};

/// Information stays this long, in seconds; longer where there is something to press.
const FADES_AFTER: f64 = 6.0;
const STAYS_TO_PRESS: f64 = 15.0;

#[derive(Debug, Clone, PartialEq)]
pub struct ProblemNotice {
    pub problem: Problem,
    /// How often it was reported.
    pub count: usize,
    /// Something still works; drawn in the tone of a warning.
    pub mild: bool,
}

#[derive(Debug, Default)]
pub struct Notices {
    problems: Vec<ProblemNotice>,
    info: Option<(String, f64)>,
    /// The folder that the information is about.
    folder: Option<PathBuf>,
}

impl Notices {
    pub fn problem(&mut self, problem: Problem) {
        self.push(problem, false);
    }

    pub fn warning(&mut self, problem: Problem) {
        self.push(problem, true);
    }

    fn push(&mut self, problem: Problem, mild: bool) {
        match self.problems.iter_mut().find(|notice| notice.problem == problem) {
            Some(notice) => notice.count += 1,
            None => self.problems.push(ProblemNotice { problem, count: 1, mild }),
        }
    }

    /// One quiet line; a newer one replaces it. `now` is the time of the window in seconds.
    pub fn info(&mut self, text: impl Into<String>, now: f64) {
        self.info_about(text, None, now);
    }

    /// The same about something that was put into a folder, which can be opened from there.
    pub fn info_about(&mut self, text: impl Into<String>, folder: Option<PathBuf>, now: f64) {
        let stays = if folder.is_some() { STAYS_TO_PRESS } else { FADES_AFTER };
        (self.info, self.folder) = (Some((text.into(), now + stays)), folder);
    }

    /// The folder that the current information is about.
    pub fn current_folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    pub fn problems(&self) -> &[ProblemNotice] {
        &self.problems
    }

    pub fn dismiss(&mut self, index: usize) {
        if index < self.problems.len() {
            self.problems.remove(index);
        }
    }

    /// The line to show now and how many seconds it has left.
    pub fn current_info(&self, now: f64) -> Option<(&str, f64)> {
        self.info.as_ref().filter(|(_, until)| *until > now).map(|(text, until)| (text.as_str(), until - now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_problems_are_counted_and_stay() {
        let mut notices = Notices::default();
        let full = Problem::new(crate::experiment::Code::DiskFull, "The disk is full.");
        for _ in 0..3 {
            notices.problem(full.clone());
        }
        notices.warning(Problem::bad_input("Something else."));
        assert_eq!(notices.problems().iter().map(|notice| notice.count).collect::<Vec<_>>(), [3, 1]);
        notices.dismiss(0);
        notices.dismiss(7);
        assert_eq!(notices.problems().len(), 1);
    }

    #[test]
    fn information_fades() {
        let mut notices = Notices::default();
        notices.info("Saved.", 10.0);
        assert_eq!(notices.current_info(12.0), Some(("Saved.", 4.0)));
        assert_eq!(notices.current_info(16.5), None);
    }
}
