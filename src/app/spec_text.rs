//! The experiment as text: reading and checking, with the line on which a mistake stands.

use crate::experiment::{Experiment, Method, Problem, check};

/// What is wrong with the text, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct TextProblem {
    /// Counted from 1.
    pub line: Option<usize>,
    pub problem: Problem,
    /// The text can be read, but a value in it does not fit: forms can still show and mend it.
    pub readable: bool,
}

/// The experiment, and what is wrong with it; no experiment where the text cannot be read at all.
pub fn read(text: &str, methods: &[&'static Method]) -> (Option<Experiment>, Option<TextProblem>) {
    match check::parse(text, methods) {
        Ok(experiment) => (Some(experiment), None),
        Err(problem) => {
            let experiment: Option<Experiment> = toml::from_str(text).ok();
            let line = problem.place.as_deref().and_then(line_of);
            let problem = TextProblem { line, problem, readable: experiment.is_some() };
            (experiment, Some(problem))
        }
    }
}

/// The number in "line 3, column 7".
fn line_of(place: &str) -> Option<usize> {
    let digits: String = place.split("line ").nth(1)?.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "[data]\nsource = \"fashion-mini\"\n[network]\nid = \"small-resnet\"\n[train]\nepochs = 0\n";

    #[test]
    fn mistakes_have_lines_and_values_can_be_mended() {
        let networks = crate::catalogue::all();
        let id = networks[0].id;
        let spec = SPEC.replace("small-resnet", id);
        let (experiment, problem) = read(&spec, networks);
        let problem = problem.expect("zero epochs");
        assert_eq!((problem.line, problem.readable), (Some(6), true), "{problem:?}");
        assert_eq!(experiment.expect("readable").train.epochs, 0);

        let (experiment, problem) = read(&spec.replace("epochs = 0", "epochs = = 3"), networks);
        assert!(experiment.is_none());
        assert_eq!(problem.map(|problem| (problem.line, problem.readable)), Some((Some(6), false)));
        assert_eq!(read(&spec.replace("epochs = 0", "epochs = 3"), networks).1, None);
    }
}
