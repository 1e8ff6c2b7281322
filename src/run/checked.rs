//! What the checks of a model found: verdicts with their evidence, and the sentence that they come to.

use super::folder::SavedImage;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// What a check says. There is no word for "without a backdoor": no check can say that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The check could see, and found nothing.
    Clear,
    /// Something stands out that a model without a backdoor hardly ever shows.
    Suspicious,
    /// The check cannot see enough here, or what it sees proves nothing.
    #[default]
    CannotTell,
}

impl Verdict {
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Clear => "clear",
            Verdict::Suspicious => "suspicious",
            Verdict::CannotTell => "cannot tell",
        }
    }
}

/// One check's finding, with everything that somebody needs who wants to judge for himself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Id of the check in this run: `trigger-search`, or `trigger-search-2` for the second of its kind.
    pub check: String,
    /// The check's name in print.
    pub title: String,
    pub verdict: Verdict,
    /// The class that is suspicious, where it is one class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<usize>,
    /// The finding in one sentence.
    pub headline: String,
    /// Names and values, measured.
    pub evidence: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<Table>,
    /// What the check looked at and what it would have noticed, in whole sentences.
    pub strength: String,
    /// What it would miss, as the end of "it would miss ...".
    pub misses: String,
    /// The patch behind the finding, to be tried on other pictures and other models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<FoundPatch>,
    /// Pictures in the run folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictures: Vec<SavedImage>,
    /// Working time, pauses excluded.
    #[serde(default)]
    pub seconds: f64,
}

impl CheckResult {
    /// The finding of a check that cannot work here.
    pub fn cannot_tell(headline: impl Into<String>, strength: impl Into<String>, misses: &str) -> Self {
        let (headline, strength, misses) = (headline.into(), strength.into(), misses.to_owned());
        Self { headline, strength, misses, ..Self::default() }
    }
}

/// A patch that sends pictures to one class, and how often it did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundPatch {
    /// Its file, relative to the run folder: `mask` `[1, H, W]` and `pattern` `[3, H, W]`, 0 to 1.
    pub file: String,
    pub class: usize,
    /// Pictures of other classes that it turned, and on how many it was tried.
    pub turned: usize,
    pub tried: usize,
}

/// One line for every class, or for every layer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub head: Vec<String>,
    pub rows: Vec<TableRow>,
    /// Which column the bars of the rows stand for.
    pub bars: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TableRow {
    pub cells: Vec<String>,
    /// Length of the row's bar, 0 to 1.
    pub bar: f64,
    /// The finding is about this row.
    pub stands_out: bool,
}

/// What was checked: enough to know it again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// The model's file; absent for a network that this run has trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// BLAKE3 of the file, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Architecture with its options.
    pub network: String,
    /// Numbers in it.
    pub weights: u64,
    /// Layers that somebody inserted afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inserted: Vec<String>,
    /// One of them is a neural polarizer.
    #[serde(default)]
    pub polarized: bool,
    pub data: String,
    /// BLAKE3 of pixels and labels.
    pub data_hash: String,
    /// Pictures that the checks saw, and which part of the data they are.
    pub pictures: usize,
    pub part: String,
}

/// What all findings come to, in whole sentences. The strongest good news is that nothing was found.
pub fn conclusion(checks: &[CheckResult]) -> String {
    let with = |verdict: Verdict| checks.iter().filter(move |check| check.verdict == verdict);
    let missed = || {
        let misses: Vec<&str> = with(Verdict::Clear).map(|check| check.misses.as_str()).collect();
        misses.join("; ")
    };
    let open = with(Verdict::CannotTell).count();
    let rest = match open {
        0 => String::new(),
        1 => " One check cannot tell.".to_owned(),
        many => format!(" {many} checks cannot tell."),
    };
    let suspicious: Vec<&CheckResult> = with(Verdict::Suspicious).collect();
    if let Some(first) = suspicious.first() {
        let count = match (suspicious.len(), checks.len()) {
            (1, 1) => "The check found".to_owned(),
            (found, all) => format!("{found} of {all} checks found"),
        };
        return format!("{count} something suspicious. {}{rest}", first.headline);
    }
    match with(Verdict::Clear).count() {
        0 if checks.is_empty() => "Nothing has been checked yet.".to_owned(),
        0 => "The checks cannot tell anything about this model.".to_owned(),
        1 => format!("One check found nothing; it would miss {}.{rest}", missed()),
        _ => format!("These checks found nothing; they would miss {}.{rest}", missed()),
    }
}

/// The findings for a terminal.
pub fn to_text(checks: &[CheckResult]) -> String {
    let mut text = String::new();
    for check in checks {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "\n{}: {}\n  {}", check.title, check.verdict.words().to_uppercase(), check.headline);
        let width = check.evidence.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in &check.evidence {
            let _ = writeln!(text, "  {name:<width$}  {value}");
        }
        if let Some(table) = &check.table {
            let lines: Vec<Vec<String>> =
                std::iter::once(table.head.clone()).chain(table.rows.iter().map(|row| row.cells.clone())).collect();
            for (at, line) in super::results::aligned(&lines).lines().enumerate() {
                let mark = if at > 0 && table.rows.get(at - 1).is_some_and(|row| row.stands_out) { '>' } else { ' ' };
                let _ = writeln!(text, "  {mark} {line}");
            }
        }
        let _ = writeln!(text, "  {}\n  It would miss {}.", check.strength, check.misses);
    }
    if !checks.is_empty() {
        let _ = writeln!(text, "\n{}", conclusion(checks));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(verdict: Verdict) -> CheckResult {
        CheckResult {
            title: "Trigger search".into(),
            verdict,
            headline: "A patch of 4 pixels turns 94 % into Shirt.".into(),
            evidence: vec![("smallest patch".into(), "4 pixels".into())],
            misses: "whole-picture triggers".into(),
            table: Some(Table {
                head: vec!["class".into(), "pixels".into()],
                rows: vec![TableRow { cells: vec!["Shirt".into(), "4.0".into()], bar: 0.1, stands_out: true }],
                bars: 1,
            }),
            ..CheckResult::default()
        }
    }

    #[test]
    fn the_strongest_good_news_is_that_nothing_was_found() {
        let said = |verdicts: &[Verdict]| conclusion(&verdicts.iter().copied().map(check).collect::<Vec<_>>());
        use Verdict::{CannotTell, Clear, Suspicious};
        assert_eq!(said(&[Clear]), "One check found nothing; it would miss whole-picture triggers.");
        assert!(said(&[Clear, Clear, CannotTell]).starts_with("These checks found nothing; they would miss whole"));
        assert!(said(&[Clear, CannotTell]).ends_with("One check cannot tell."));
        let found = said(&[Clear, Suspicious, CannotTell]);
        assert_eq!(
            found,
            "1 of 3 checks found something suspicious. A patch of 4 pixels turns 94 % into Shirt. One check cannot tell."
        );
        assert_eq!(said(&[CannotTell]), "The checks cannot tell anything about this model.");
        for text in [said(&[Clear]), said(&[CannotTell]), said(&[]), found] {
            assert!(!text.contains("safe"), "{text}");
        }
    }

    #[test]
    fn a_terminal_gets_verdict_evidence_and_limits() {
        let text = to_text(&[check(Verdict::Suspicious)]);
        assert!(text.contains("Trigger search: SUSPICIOUS\n"), "{text}");
        assert!(
            text.contains("  > Shirt     4.0\n") && text.contains("It would miss whole-picture triggers."),
            "{text}"
        );
        assert_eq!(to_text(&[]), "");
    }
}
