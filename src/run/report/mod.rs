//! The findings of an audit as a document: what was checked, what was found, how strong that is, what it would miss.

pub mod letters;
mod pair;
mod pdf;
mod sheet;

use super::atomic::write_atomic;
use super::checked::{CheckResult, Subject, Table, Verdict, conclusion};
use super::event::Rgba;
use super::folder::RunFolder;
use super::results::{Results, time_in_words};
use super::review::Review;
use crate::experiment::{Experiment, Problem, Result, audit, check};
use serde_json::Value;
use sheet::{COLUMN, Colour, GAP, INK, LEFT, Mark, RULE, Sheet, Style, WEAK};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a report is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audited {
    /// The folder of a run with checks.
    pub run: PathBuf,
    /// The earlier audit beside it; without one that which its people or its experiment name.
    pub earlier: Option<PathBuf>,
    /// What tells the two models apart, in a sentence, where that is known.
    pub difference: Option<String>,
}

impl Audited {
    pub fn of(run: impl Into<PathBuf>) -> Self {
        Self { run: run.into(), ..Self::default() }
    }
}

/// Writes the report of a run with checks: as a PDF where the name says so, else as a folder with the PDF, the findings
/// as JSON, the experiment and all pictures. Returns what was written.
///
/// # Errors
/// The run has no findings, cannot be read, or the place cannot be written.
pub fn write(audited: &Audited, out: &Path) -> Result<PathBuf> {
    let folder = RunFolder::open(&audited.run)?;
    let results = folder.results()?.unwrap_or_default();
    if results.checks.is_empty() {
        return Err(Problem::bad_input("This run has no findings to report.")
            .at(audited.run.display())
            .remedy("A report is made of an audit, or of a run with [[check]] in its experiment."));
    }
    let mut review = folder.review()?;
    review.earlier = audited.earlier.clone().or(review.earlier);
    review.difference = audited.difference.clone().or(review.difference);
    let document = compose(&folder, &results, &review)?;
    if out.extension().is_some_and(|kind| kind.eq_ignore_ascii_case("pdf")) {
        write_atomic(out, &document)?;
        return Ok(out.to_owned());
    }
    fs::create_dir_all(out).map_err(|error| Problem::io("make the folder of the report", out, &error))?;
    write_atomic(&out.join("report.pdf"), &document)?;
    let findings = serde_json::to_vec_pretty(&results)
        .map_err(|error| Problem::internal("The findings cannot be written as JSON.").because(error))?;
    write_atomic(&out.join("findings.json"), &findings)?;
    write_atomic(&out.join("spec.toml"), folder.spec()?.as_bytes())?;
    for picture in results.checks.iter().flat_map(|check| &check.pictures) {
        let from = folder.file("images").join(&picture.file);
        let bytes = fs::read(&from).map_err(|error| Problem::io("read a picture of the run", &from, &error))?;
        write_atomic(&out.join(&picture.file), &bytes)?;
    }
    Ok(out.to_owned())
}

/// The document of a run as PDF bytes.
fn compose(folder: &RunFolder, results: &Results, review: &Review) -> Result<Vec<u8>> {
    let experiment = folder.experiment()?;
    let mut sheet = Sheet::new();
    let subject = results.subject.clone().unwrap_or_default();
    cover(&mut sheet, folder, &experiment, &subject, &results.checks);
    pair::decision(&mut sheet, review);
    if let Some(earlier) = review.earlier.as_deref().or_else(|| audit::earlier_of(&experiment)) {
        pair::columns(&mut sheet, folder, results, review, earlier);
    }
    for (number, check) in results.checks.iter().enumerate() {
        finding(&mut sheet, folder, number + 1, check);
    }
    limits(&mut sheet, folder, &results.checks);
    footers(&mut sheet, &experiment);
    pdf::document(&title(&experiment), &sheet.pages)
}

fn title(experiment: &Experiment) -> String {
    if experiment.name.is_empty() { "Audit of a model".to_owned() } else { experiment.name.clone() }
}

/// Dark enough for letters; the sign beside it says the same without colour.
fn colour(verdict: Verdict) -> Colour {
    match verdict {
        Verdict::Clear => [0x00, 0x66, 0x4b],
        Verdict::Suspicious => [0xb0, 0x48, 0x00],
        Verdict::CannotTell => [0x5b, 0x60, 0x69],
    }
}

fn ground(verdict: Verdict) -> Colour {
    match verdict {
        Verdict::Clear => [0xe4, 0xf3, 0xee],
        Verdict::Suspicious => [0xfd, 0xec, 0xe0],
        Verdict::CannotTell => [0xee, 0xf0, 0xf3],
    }
}

/// The worst that was found; an audit in which nothing can tell says so.
fn overall(checks: &[CheckResult]) -> Verdict {
    let any = |verdict: Verdict| checks.iter().any(|check| check.verdict == verdict);
    match (any(Verdict::Suspicious), any(Verdict::Clear)) {
        (true, _) => Verdict::Suspicious,
        (false, true) => Verdict::Clear,
        _ => Verdict::CannotTell,
    }
}

/// A triangle, a circle or a square, `side` points high.
fn sign(sheet: &mut Sheet, x: f32, y: f32, side: f32, verdict: Verdict) {
    let half = side * 0.5;
    let points = match verdict {
        Verdict::Suspicious => vec![[x + half, y], [x + side, y + side], [x, y + side]],
        Verdict::Clear => {
            let round = |step: usize| {
                let angle = step as f32 * std::f32::consts::TAU / 32.0;
                [x + half + half * angle.cos(), y + half + half * angle.sin()]
            };
            (0..32).map(round).collect()
        }
        Verdict::CannotTell => {
            let inset = side * 0.06;
            vec![
                [x + inset, y + inset],
                [x + side - inset, y + inset],
                [x + side - inset, y + side - inset],
                [x + inset, y + side - inset],
            ]
        }
    };
    sheet.mark(Mark::Polygon { points, colour: colour(verdict) });
}

/// Title, the sentence that it comes to, one line for each check, and what was checked.
fn cover(sheet: &mut Sheet, folder: &RunFolder, experiment: &Experiment, subject: &Subject, checks: &[CheckResult]) {
    sheet.paragraph("Polariscope · audit report", Style { size: 9.5, strong: false, colour: WEAK });
    sheet.space(10.0);
    sheet.paragraph(&title(experiment), Style { size: 25.0, strong: true, colour: INK });
    let when = folder.status().map(|status| date(status.started)).unwrap_or_default();
    sheet.paragraph(&when, Style { size: 11.0, strong: false, colour: WEAK });
    sheet.space(14.0);

    let verdict = overall(checks);
    let style = Style { size: 12.5, strong: true, colour: INK };
    let said = conclusion(checks);
    let lines = sheet.letters(true).lines(&said, style.size, COLUMN - 56.0);
    let height = lines.len() as f32 * style.line() + 22.0;
    let y = sheet.y;
    sheet.mark(Mark::Fill { x: LEFT, y, width: COLUMN, height, colour: ground(verdict) });
    sheet.mark(Mark::Fill { x: LEFT, y, width: 4.0, height, colour: colour(verdict) });
    sign(sheet, LEFT + 16.0, y + 13.0, 13.0, verdict);
    for (at, line) in lines.into_iter().enumerate() {
        sheet.put(LEFT + 40.0, y + 11.0 + at as f32 * style.line(), line, style);
    }
    sheet.y += height + 16.0;

    for check in checks {
        let y = sheet.y;
        sign(sheet, LEFT, y + 1.5, 9.0, check.verdict);
        let word = Style { colour: colour(check.verdict), ..Style::STRONG };
        sheet.put(LEFT + 18.0, y, check.verdict.words(), word);
        sheet.put(LEFT + 98.0, y, check.title.clone(), Style::STRONG);
        sheet.paragraph_at(LEFT + 210.0, COLUMN - 210.0, &check.headline, Style::BODY);
        sheet.space(5.0);
    }

    sheet.heading("What was checked");
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: String| facts.push((name.to_owned(), value));
    match &subject.file {
        Some(file) => fact("Model", audit::file_name(file)),
        None => fact("Model", "trained in this run".to_owned()),
    }
    if let Some(hash) = &subject.hash {
        fact("BLAKE3 of the file", hash.clone());
    }
    fact("Network", subject.network.clone());
    fact("Numbers in it", grouped(subject.weights));
    if !subject.inserted.is_empty() {
        fact("Inserted layers", subject.inserted.join(", "));
    }
    fact("Pictures", format!("{}: {}, {}", subject.data, grouped(subject.pictures as u64), subject.part));
    fact("BLAKE3 of the pictures", subject.data_hash.clone());
    fact("Seed", experiment.seed.to_string());
    sheet.facts(&facts);
}

fn finding(sheet: &mut Sheet, folder: &RunFolder, number: usize, check: &CheckResult) {
    sheet.space(10.0);
    sheet.need(150.0);
    sheet.rule();
    sheet.space(14.0);
    let y = sheet.y;
    sign(sheet, LEFT, y + 3.0, 11.0, check.verdict);
    let heading = Style { size: 15.0, strong: true, colour: INK };
    let words = format!("{number}. {}", check.title);
    let width = sheet.letters(true).width(&words, heading.size);
    sheet.put(LEFT + 20.0, y, words, heading);
    let verdict = Style { colour: colour(check.verdict), ..heading };
    sheet.put(LEFT + 20.0 + width + GAP, y, check.verdict.words(), verdict);
    sheet.y += heading.line() + 4.0;
    sheet.paragraph(&check.headline, Style { size: 11.0, ..Style::STRONG });
    sheet.space(6.0);
    sheet.facts(&check.evidence);
    sheet.space(4.0);
    for saved in &check.pictures {
        match picture(&folder.file("images").join(&saved.file)) {
            Some(rgba) => sheet.picture(&rgba, &saved.caption, 150.0),
            None => sheet.paragraph(&format!("{} cannot be read.", saved.file), Style::SMALL),
        }
    }
    if let Some(shown) = &check.table {
        table(sheet, shown);
    }
    sheet.space(6.0);
    let seconds = format!("It took {}.", time_in_words(check.seconds));
    for (name, text) in [
        ("How strong this is", format!("{} {seconds}", check.strength)),
        ("What it would miss", format!("It would miss {}.", check.misses)),
    ] {
        sheet.need(40.0);
        sheet.paragraph(name, Style::STRONG);
        sheet.paragraph(&text, Style::BODY);
        sheet.space(4.0);
    }
}

/// A line for each class or layer, with a bar at the right; what stands out has a ground and a sign of its own.
fn table(sheet: &mut Sheet, table: &Table) {
    const BAR: f32 = 90.0;
    let style = Style { size: 9.0, ..Style::BODY };
    let widths = widths(sheet, table, style, COLUMN - BAR - GAP);
    let edge = |column: usize| LEFT + widths[..column].iter().sum::<f32>();
    let line = style.line() + 3.0;
    let head = |sheet: &mut Sheet| {
        let style = Style { colour: WEAK, ..style };
        let mut lines = 1;
        let y = sheet.y;
        for (column, name) in table.head.iter().enumerate() {
            let wrapped = sheet.letters(false).lines(name, style.size, widths[column] - 8.0);
            lines = lines.max(wrapped.len());
            for (at, words) in wrapped.into_iter().enumerate() {
                sheet.put(edge(column) + 4.0, y + at as f32 * style.line(), words, style);
            }
        }
        sheet.y += lines as f32 * style.line() + 3.0;
        sheet.rule();
        sheet.y += 2.0;
    };
    sheet.need(line * table.rows.len().min(8) as f32 + 30.0);
    head(sheet);
    for row in &table.rows {
        let page = sheet.pages.len();
        sheet.need(line);
        if sheet.pages.len() > page {
            head(sheet);
        }
        let y = sheet.y;
        let verdict = Verdict::Suspicious;
        if row.stands_out {
            sheet.mark(Mark::Fill { x: LEFT, y, width: COLUMN, height: line, colour: ground(verdict) });
        }
        let style = Style { strong: row.stands_out, ..style };
        for (column, cell) in row.cells.iter().enumerate().take(widths.len()) {
            let room = widths.get(column).copied().unwrap_or_default() - 8.0;
            let cell = sheet.letters(style.strong).cut(cell, style.size, room);
            sheet.put(edge(column) + 4.0, y + 1.5, cell, style);
        }
        let bar = Mark::Fill {
            x: LEFT + COLUMN - BAR,
            y: y + 4.0,
            width: (BAR * row.bar.clamp(0.0, 1.0) as f32).max(1.0),
            height: line - 8.0,
            colour: if row.stands_out { colour(verdict) } else { [0x8f, 0xa9, 0xc4] },
        };
        sheet.mark(bar);
        sheet.y += line;
    }
    sheet.rule();
    sheet.space(3.0);
    if let Some(name) = table.head.get(table.bars) {
        sheet.paragraph(&format!("Bars: {name}."), Style::SMALL);
    }
}

/// Widths of the columns, together `room`: each as wide as what is in it, and no wider than it must be.
fn widths(sheet: &Sheet, table: &Table, style: Style, room: f32) -> Vec<f32> {
    let letters = sheet.letters(true);
    let natural = |(column, name): (usize, &String)| {
        let cells = table.rows.iter().filter_map(|row| row.cells.get(column));
        let words = name.split_whitespace().map(|word| letters.width(word, style.size));
        cells.map(|cell| letters.width(cell, style.size)).chain(words).fold(0.0, f32::max) + 12.0
    };
    let natural: Vec<f32> = table.head.iter().enumerate().map(natural).collect();
    let sum: f32 = natural.iter().sum::<f32>().max(1.0);
    let spare = ((room - sum) / natural.len().max(1) as f32).max(0.0);
    natural.iter().map(|width| width * (room / sum).min(1.0) + spare).collect()
}

/// What the whole does and does not say, and how to make it again.
fn limits(sheet: &mut Sheet, folder: &RunFolder, checks: &[CheckResult]) {
    sheet.heading("How to read this");
    sheet.paragraph(
        "No check can show that a model has no backdoor. “Clear” means that a check could see and found nothing; \
         “suspicious” means that something stands out, and a person should look at the evidence; “cannot tell” means that \
         the check could not see enough, or that what it sees proves nothing.",
        Style::BODY,
    );
    sheet.space(4.0);
    for check in checks {
        sheet.paragraph(&format!("{} would miss {}.", check.title, check.misses), Style::BODY);
        sheet.space(2.0);
    }
    sheet.heading("How it was made");
    let machine: Value = folder.read_json("machine.json").unwrap_or_default();
    let of_machine = |name: &str| match &machine[name] {
        Value::String(text) => text.clone(),
        Value::Null => "not recorded".to_owned(),
        other => other.to_string(),
    };
    let spec = folder.spec().unwrap_or_default();
    let facts = [
        ("Polariscope", of_machine("program")),
        ("libtorch", of_machine("libtorch")),
        ("System", of_machine("system")),
        (
            "Computed on",
            format!("{}, {}, {} threads", of_machine("device"), of_machine("arithmetic"), of_machine("threads")),
        ),
        ("Again with", "polariscope run spec.toml, with the experiment below".to_owned()),
    ];
    sheet.facts(&facts.map(|(name, value)| (name.to_owned(), value)));
    sheet.space(8.0);
    columns(sheet, spec.lines().filter(|line| !line.trim().is_empty()));
}

/// Short lines in three columns.
fn columns<'a>(sheet: &mut Sheet, lines: impl Iterator<Item = &'a str>) {
    const COLUMNS: usize = 3;
    let lines: Vec<&str> = lines.collect();
    let style = Style::SMALL;
    let width = (COLUMN - GAP * (COLUMNS - 1) as f32) / COLUMNS as f32;
    let each = lines.len().div_ceil(COLUMNS).max(1);
    for rows in 0..each {
        sheet.need(style.line());
        let y = sheet.y;
        for column in 0..COLUMNS {
            if let Some(line) = lines.get(column * each + rows) {
                let line = sheet.letters(false).cut(line, style.size, width);
                sheet.put(LEFT + column as f32 * (width + GAP), y, line, style);
            }
        }
        sheet.y += style.line();
    }
}

/// Which experiment it is and which page, at the bottom of every page.
fn footers(sheet: &mut Sheet, experiment: &Experiment) {
    let count = sheet.pages.len();
    let name = format!("{} · experiment {}", title(experiment), check::hash8(experiment));
    let name = sheet.letters(false).cut(&name, Style::SMALL.size, COLUMN - 70.0);
    for at in 0..count {
        let page = format!("{} of {count}", at + 1);
        let right = LEFT + COLUMN - sheet.letters(false).width(&page, Style::SMALL.size);
        let y = sheet::HEIGHT - 40.0;
        let text = |x, text| Mark::Text { x, y, text, style: Style::SMALL };
        let rule = Mark::Fill { x: LEFT, y: y - 14.0, width: COLUMN, height: 0.5, colour: RULE };
        sheet.pages[at].extend([rule, text(LEFT, name.clone()), text(right, page)]);
    }
}

fn picture(path: &Path) -> Option<Arc<Rgba>> {
    let picture = image::ImageReader::open(path).ok()?.with_guessed_format().ok()?.decode().ok()?.into_rgba8();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    Some(Arc::new(Rgba { width, height, bytes: picture.into_raw() }))
}

/// `14 March 2026`, in universal time.
pub fn date(seconds: u64) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    // Days since 1 March of year 0, in eras of 400 years: the leap day then comes last.
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 2 } else { from_march - 10 };
    let year = era * 400 + year_of_era + u64::from(month < 2);
    format!("{day} {} {year}", MONTHS[month as usize])
}

/// `11,171,146`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
