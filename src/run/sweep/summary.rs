//! What a sweep says as a whole: seeds put together, and what every defense does over all cases.

use super::Planned;
use crate::run::results::{ResultRow, Results, percent};
use std::fmt::Write;

/// Mean, smallest and largest of some rates.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    mean: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Option<Self> {
        let first = *values.first()?;
        let (sum, least, most) = values
            .iter()
            .fold((0.0, first, first), |(sum, least, most), &value| (sum + value, value.min(least), value.max(most)));
        Some(Self { mean: sum / values.len() as f64, least, most })
    }

    /// `97.1 (96.0 to 98.2)`, in percent; one value alone has no range.
    fn said(spread: Option<Self>) -> String {
        match spread {
            Some(Self { mean, least, most }) if least < most => {
                format!("{} ({} to {})", percent(Some(mean)), percent(Some(least)), percent(Some(most)))
            }
            spread => percent(spread.map(|spread| spread.mean)),
        }
    }
}

/// Runs that differ in nothing but their seed.
struct Case<'a> {
    name: String,
    runs: Vec<&'a Results>,
}

impl<'a> Case<'a> {
    /// In the order in which they come; a run without results belongs to none.
    fn all(runs: &[(&Planned, &'a Results)]) -> Vec<Self> {
        let mut cases: Vec<Self> = Vec::new();
        for (planned, results) in runs.iter().filter(|(_, results)| !results.rows.is_empty()) {
            let name = &planned.variant.case;
            match cases.iter_mut().find(|case| case.name == *name) {
                Some(case) => case.runs.push(results),
                None => cases.push(Self { name: name.clone(), runs: vec![results] }),
            }
        }
        cases
    }

    /// Rows of one model, run by run.
    fn rows(&self, title: &str) -> impl Iterator<Item = &'a ResultRow> {
        self.runs.iter().filter_map(move |run| row_of(run, title))
    }

    fn spread(&self, title: &str, of: impl Fn(&ResultRow) -> Option<f64>) -> Option<Spread> {
        Spread::of(&self.rows(title).filter_map(of).collect::<Vec<_>>())
    }
}

/// The row of a model; one that was stopped early does not count.
fn row_of<'a>(run: &'a Results, title: &str) -> Option<&'a ResultRow> {
    run.rows.iter().find(|row| row.name() == title && row.note.is_empty())
}

/// Models by title, in the order in which they come.
fn titles(cases: &[Case]) -> Vec<String> {
    let mut titles: Vec<String> = Vec::new();
    for row in cases.iter().flat_map(|case| &case.runs).flat_map(|run| &run.rows) {
        let title = row.name();
        if !titles.contains(&title) {
            titles.push(title);
        }
    }
    titles
}

/// Means and ranges over seeds, then what every defense does over all cases; empty where there is nothing to put together.
pub fn text(runs: &[(&Planned, &Results)]) -> String {
    let cases = Case::all(runs);
    let titles = titles(&cases);
    let mut text = String::new();
    if cases.iter().any(|case| case.runs.len() > 1) {
        let _ = writeln!(text, "\nmean over seeds (range)");
        let _ = writeln!(text, "{:<28} {:<32} {:>22} {:>22} {:>22} {:>22}", "", "", "ACC %", "ASR %", "RA %", "DER %");
        for case in &cases {
            for title in titles.iter().filter(|title| case.rows(title).next().is_some()) {
                let said = |of: fn(&ResultRow) -> Option<f64>| Spread::said(case.spread(title, of));
                let _ = writeln!(
                    text,
                    "{:<28} {title:<32} {:>22} {:>22} {:>22} {:>22}",
                    case.name,
                    said(|row| Some(row.scores.acc)),
                    said(|row| row.scores.asr),
                    said(|row| row.scores.ra),
                    said(|row| row.der)
                );
            }
        }
    }
    let defended = over_cases(&cases, &titles);
    if !defended.is_empty() {
        let _ = writeln!(text, "\nover all cases");
        let _ = writeln!(
            text,
            "{:<32} {:>5} {:>10} {:>10} {:>13} {:>16}  least DER at",
            "", "cases", "mean DER %", "least DER %", "mean ACC lost", "DER over control"
        );
        for line in defended {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

/// One line for each defense that has met more than one attack.
fn over_cases(cases: &[Case], titles: &[String]) -> Vec<String> {
    let control = cases.iter().flat_map(|case| &case.runs).flat_map(|run| &run.rows).find(|row| row.control);
    let der = |case: &Case, title: &str| case.spread(title, |row| row.der).map(|spread| spread.mean);
    let points = |share: f64| format!("{:.2}", 100.0 * share);
    let line = |title: &String| -> Option<String> {
        let ders: Vec<(&Case, f64)> = cases.iter().filter_map(|case| Some((case, der(case, title)?))).collect();
        let spread = Spread::of(&ders.iter().map(|(_, der)| *der).collect::<Vec<_>>()).filter(|_| ders.len() > 1)?;
        let (least, _) = ders.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
        let lost: Vec<f64> = ders.iter().filter_map(|(case, _)| lost_accuracy(case, title)).collect();
        let ahead = control.map(|control| {
            let differences: Vec<f64> =
                ders.iter().filter_map(|(case, value)| Some(value - der(case, &control.name())?)).collect();
            Spread::of(&differences).map_or_else(|| "-".to_owned(), |spread| points(spread.mean))
        });
        Some(format!(
            "{title:<32} {:>5} {:>10} {:>11} {:>13} {:>16}  {}",
            ders.len(),
            percent(Some(spread.mean)),
            percent(Some(spread.least)),
            Spread::of(&lost).map_or_else(|| "-".to_owned(), |spread| points(spread.mean)),
            ahead.unwrap_or_else(|| "-".to_owned()),
            least.name
        ))
    };
    titles.iter().filter_map(line).collect()
}

/// Mean accuracy that a model has lost against the first one of its run.
fn lost_accuracy(case: &Case, title: &str) -> Option<f64> {
    let lost = |run: &&Results| Some(run.rows.first()?.scores.acc - row_of(run, title)?.scores.acc);
    Spread::of(&case.runs.iter().filter_map(lost).collect::<Vec<_>>()).map(|spread| spread.mean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Scores;
    use crate::experiment::sweep::Variant;

    fn planned(name: &str, seed: u64) -> Planned {
        let (case, name) = (name.to_owned(), format!("{name}, seed {seed}"));
        let variant = Variant { name, case, set: vec![format!("seed={seed}")] };
        Planned { variant, spec: String::new(), folder: "x".into() }
    }

    /// The model before any defense, the control, and a defense.
    fn results(attacked: (f64, f64), control: (f64, f64), defended: (f64, f64)) -> Results {
        let mut results = Results::default();
        for (title, (acc, asr)) in [("no defense", attacked), ("Fine-tuning (FT)", control), ("NPD", defended)] {
            let scores = Scores { acc, asr: Some(asr), ra: Some(1.0 - asr), ..Scores::default() };
            results.push(ResultRow {
                title: title.into(),
                scores,
                control: title == "Fine-tuning (FT)",
                ..Default::default()
            });
        }
        results
    }

    #[test]
    fn seeds_are_put_together_and_defenses_compared_over_all_cases() {
        let runs = [
            (planned("BadNets", 1), results((0.9, 1.0), (0.9, 0.5), (0.88, 0.0))),
            (planned("BadNets", 2), results((0.9, 1.0), (0.9, 0.7), (0.86, 0.1))),
            (planned("SIG", 1), results((0.9, 0.8), (0.9, 0.8), (0.9, 0.4))),
            (planned("SIG", 2), Results::default()),
        ];
        let text = text(&runs.iter().map(|(planned, results)| (planned, results)).collect::<Vec<_>>());
        let line = |start: &str| {
            let squeezed = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
            squeezed.into_iter().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{start}: {text}"))
        };
        assert_eq!(
            line("BadNets NPD"),
            "BadNets NPD 87.00 (86.00 to 88.00) 5.00 (0.00 to 10.00) 95.00 (90.00 to 100.00) 96.00 (93.00 to 99.00)"
        );
        assert_eq!(line("SIG NPD"), "SIG NPD 90.00 40.00 60.00 70.00", "one seed has no range");
        // DER of the control: 75 and 65, so 70; and 50. ACC lost by NPD: 2 and 4, so 3; and 0.
        assert_eq!(line("Fine-tuning (FT) 2"), "Fine-tuning (FT) 2 60.00 50.00 0.00 0.00 SIG");
        assert_eq!(line("NPD 2"), "NPD 2 83.00 70.00 1.50 23.00 SIG");
    }

    #[test]
    fn where_nothing_can_be_put_together_nothing_is_said() {
        let alone = (planned("BadNets", 1), results((0.9, 1.0), (0.9, 0.5), (0.88, 0.0)));
        assert_eq!(text(&[(&alone.0, &alone.1)]), "");
        assert_eq!(text(&[]), "");
    }
}
