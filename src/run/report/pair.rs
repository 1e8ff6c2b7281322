//! What people have decided, and an audit beside an earlier one: two columns, and the pictures that the models see
//! differently.

use super::sheet::{COLUMN, GAP, INK, LEFT, Sheet, Style, WEAK};
use super::{date, grouped};
use crate::experiment::audit;
use crate::run::folder::{RunFolder, name_of};
use crate::run::results::Results;
use crate::run::review::{Review, changed_rows};
use std::path::Path;

/// Width of the names at the left.
const NAME: f32 = 96.0;
/// Where two columns part.
const HALF: f32 = (COLUMN - NAME) * 0.5;

/// The decision in the words of whoever made it; without one it says so, and leaves room for a signature.
pub fn decision(sheet: &mut Sheet, review: &Review) {
    sheet.heading("Decision");
    if review.decision.trim().is_empty() {
        let none = Style { colour: WEAK, ..Style::BODY };
        return sheet.paragraph("Nobody has written down a decision.", none);
    }
    for line in review.decision.trim().lines() {
        sheet.paragraph(line, Style { size: 11.0, strong: false, colour: INK });
    }
}

/// This audit beside an earlier one. One whose folder cannot be read is named, and that is all.
pub fn columns(sheet: &mut Sheet, folder: &RunFolder, results: &Results, review: &Review, earlier: &Path) {
    sheet.heading("Beside the earlier audit");
    let read = RunFolder::open(earlier).and_then(|before| Ok((before.results()?.unwrap_or_default(), before)));
    let Ok((known, before)) = read else {
        let text = format!("The earlier audit, {}, cannot be read here.", name_of(earlier));
        return sheet.paragraph(&text, Style::BODY);
    };
    let when = |folder: &RunFolder| folder.status().map(|status| date(status.started)).unwrap_or_default();
    let strong = Style::STRONG;
    row(sheet, "", &when(&before), &when(folder), strong);
    sheet.rule();
    sheet.space(3.0);
    let mut line = |name: &str, of: fn(&Results) -> String| row(sheet, name, &of(&known), &of(results), Style::BODY);
    line("Model", model);
    line("BLAKE3", hash);
    line("Network", network);
    line("Accuracy", accuracy);
    let mut titles: Vec<(&str, &str)> = Vec::new();
    // The longer audit knows the order.
    let (long, short) = match known.checks.len() > results.checks.len() {
        true => (&known, results),
        false => (results, &known),
    };
    for found in long.checks.iter().chain(&short.checks) {
        if !titles.iter().any(|(id, _)| *id == found.check) {
            titles.push((&found.check, &found.title));
        }
    }
    for (id, title) in titles {
        let said = |results: &Results| {
            let found = results.checks.iter().find(|found| found.check == id);
            found.map_or_else(
                || "was not run".to_owned(),
                |found| format!("{}: {}", found.verdict.words(), found.headline),
            )
        };
        row(sheet, title, &said(&known), &said(results), Style::BODY);
    }
    sheet.rule();
    sheet.space(6.0);
    if let Some(difference) = &review.difference {
        sheet.paragraph(difference, Style::BODY);
    }
    if let (Some(first), Some(second)) = (known.rows.first(), results.rows.first()) {
        let points = 100.0 * (second.scores.acc - first.scores.acc);
        let points = format!("{points:+.1}").replace('-', "\u{2212}");
        sheet.paragraph(&format!("Normal accuracy: {points} points."), Style::BODY);
    }
    if let Some(changed) = answers(&before, folder, &known, results) {
        sheet.paragraph(&changed, Style::BODY);
    }
    if !review.notes.is_empty() {
        sheet.space(6.0);
        sheet.paragraph("Notes on pictures that the two models see differently", Style::STRONG);
        let notes = review.notes.iter();
        let facts: Vec<_> = notes
            .map(|note| (format!("Picture {}", note.row), format!("{}: “{}”", note.picture, note.text.trim())))
            .collect();
        sheet.facts(&facts);
    }
}

/// One line of two columns, as high as the longer one.
fn row(sheet: &mut Sheet, name: &str, before: &str, now: &str, style: Style) {
    let width = HALF - GAP;
    let lines = |text: &str| sheet.letters(style.strong).lines(text, style.size, width).len();
    let height = lines(before).max(lines(now)).max(1) as f32 * style.line();
    sheet.need(height);
    let y = sheet.y;
    for (at, text) in [before, now].into_iter().enumerate() {
        sheet.y = y;
        sheet.paragraph_at(LEFT + NAME + at as f32 * HALF, width, text, style);
    }
    let name = sheet.letters(false).cut(name, style.size, NAME - GAP);
    sheet.put(LEFT, y, name, Style { colour: WEAK, strong: false, ..style });
    sheet.y = y + height + 3.0;
}

fn model(results: &Results) -> String {
    let file = results.subject.as_ref().and_then(|subject| subject.file.as_deref());
    file.map_or_else(|| "trained in the run".to_owned(), audit::file_name)
}

/// The beginning, enough to tell two files apart; the whole is on the cover.
fn hash(results: &Results) -> String {
    let hash = results.subject.as_ref().and_then(|subject| subject.hash.as_deref());
    hash.map_or_else(|| "none".to_owned(), |hash| hash.chars().take(16).collect::<String>() + "…")
}

fn network(results: &Results) -> String {
    let Some(subject) = &results.subject else { return "not recorded".to_owned() };
    let inserted = match subject.inserted.as_slice() {
        [] => String::new(),
        some => format!(", with {}", some.join(", ")),
    };
    format!("{}{inserted}", subject.network)
}

fn accuracy(results: &Results) -> String {
    results.rows.first().map_or_else(|| "not measured".to_owned(), |row| format!("{:.1} %", 100.0 * row.scores.acc))
}

/// How many pictures get another answer, where both audits looked at the same ones and wrote their answers down.
fn answers(before: &RunFolder, now: &RunFolder, known: &Results, results: &Results) -> Option<String> {
    let data =
        |results: &Results| results.subject.as_ref().map(|subject| (subject.data_hash.clone(), subject.part.clone()));
    let same = data(known)? == data(results)? && before.experiment().ok()?.seed == now.experiment().ok()?.seed;
    let (first, second) = (before.answers().ok()?, now.answers().ok()?);
    let changed = changed_rows(&first, &second).filter(|_| same)?.len() as u64;
    let verb = if changed == 1 { "gets" } else { "get" };
    Some(format!("{} of {} pictures {verb} another answer.", grouped(changed), grouped(second.len() as u64)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{audited, texts};
    use super::*;
    use crate::run::review::PictureNote;

    #[test]
    fn a_report_beside_an_earlier_audit_has_two_columns_and_the_decision() {
        let place = tempfile::tempdir().unwrap();
        let (first, second) = (audited(&place.path().join("first")), audited(&place.path().join("second")));
        first.write_json(RunFolder::ANSWERS, &[1, 2, 3]).unwrap();
        second.write_json(RunFolder::ANSWERS, &[1, 0, 3]).unwrap();
        let subject = crate::run::Subject { data_hash: "11ab".into(), ..Default::default() };
        for run in [&first, &second] {
            let results = Results { subject: Some(subject.clone()), ..run.results().unwrap().unwrap() };
            run.set_results(&results).unwrap();
        }
        let note =
            PictureNote { row: 1, picture: "Shirt, Coat before, Shirt now".into(), text: "it is a shirt".into() };
        let review = Review {
            decision: "Accepted for the test bench.".into(),
            earlier: Some(first.path.clone()),
            difference: Some("Same architecture, 0.4 % of the weights differ.".into()),
            notes: vec![note],
        };
        second.set_review(&review).unwrap();
        let results = second.results().unwrap().unwrap();
        let mut sheet = Sheet::new();
        decision(&mut sheet, &review);
        columns(&mut sheet, &second, &results, &review, &first.path);
        let said = texts(&sheet).join(" ");
        for words in [
            "Accepted for the test bench.",
            "0.4 % of the weights",
            "1 of 3 pictures gets another answer.",
            "it is a shirt",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert_eq!(said.matches("suspicious:").count(), 2, "once in each column: {said}");
        let file = place.path().join("report.pdf");
        super::super::write(&super::super::Audited::of(&second.path), &file).unwrap();
        assert!(std::fs::read(&file).unwrap().starts_with(b"%PDF-"));
    }

    #[test]
    fn an_earlier_audit_that_is_gone_is_named() {
        let place = tempfile::tempdir().unwrap();
        let run = audited(&place.path().join("run"));
        let mut sheet = Sheet::new();
        decision(&mut sheet, &Review::default());
        columns(&mut sheet, &run, &Results::default(), &Review::default(), &place.path().join("audit-of-march"));
        let said = texts(&sheet).join(" ");
        assert!(said.contains("audit-of-march, cannot be read here.") && said.contains("Nobody has written"), "{said}");
    }
}
