//! The final table of a run: `results.json`, as text and as CSV.

use super::checked::{self, CheckResult, Subject};
use super::fair::Figures;
use crate::experiment::Scores;
use crate::experiment::metric::MAPPED_BACK;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::path::PathBuf;

/// What all models of a run reached; the first row is the model before any defense.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Results {
    pub rows: Vec<ResultRow>,
    /// Of a fair regression, whose models have no accuracy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fair: Vec<FairRow>,
    /// What was found in the model before any defense, in the order of the checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckResult>,
    /// Which model the checks looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
}

/// One point of a fair regression or of a rival, in units of the target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FairRow {
    /// `fully fair`, `Group shift`.
    pub title: String,
    /// Id of the method.
    pub method: String,
    pub train_rmse: f64,
    /// Largest group mean of the predictions minus the smallest.
    pub train_gap: f64,
    /// Absent without test rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_rmse: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_gap: Option<f64>,
    /// Standard deviation of the test gap that chance alone gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_gap_noise: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_smd: Option<f64>,
    /// It must know the group of a person to predict.
    #[serde(default)]
    pub needs_group: bool,
}

impl FairRow {
    pub fn of(title: &str, train: &Figures, test: &Figures) -> Self {
        let tested = |value: f64| (test.rows > 0).then_some(value);
        Self {
            title: title.to_owned(),
            train_rmse: train.rmse(),
            train_gap: train.gap,
            test_rmse: tested(test.rmse()),
            test_gap: tested(test.gap),
            test_gap_noise: tested(test.gap_noise),
            test_smd: tested(test.smd),
            ..Self::default()
        }
    }
}

/// The note on a model whose training was stopped; such a row is made again when the run goes on.
pub const STOPPED_EARLY: &str = "stopped early";

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ResultRow {
    /// `no defense`, `NPD`.
    pub title: String,
    /// What tells it apart from others of its kind in the same run: `radius 2.0, site head.in`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Id of the method, empty for the model before any defense.
    #[serde(default)]
    pub method: String,
    pub scores: Scores,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub der: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rir: Option<f64>,
    /// Working time, pauses excluded.
    pub seconds: f64,
    /// The model, relative to the run folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// Something was chosen by looking at test accuracy or ASR, which no defender can.
    #[serde(default)]
    pub oracle: bool,
    /// Plain fine-tuning with the same budget, to compare with.
    #[serde(default)]
    pub control: bool,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl ResultRow {
    /// `NPD (radius 2.0, site head.in)`: no other row of the run has this name.
    pub fn name(&self) -> String {
        if self.variant.is_empty() { self.title.clone() } else { format!("{} ({})", self.title, self.variant) }
    }
}

impl Results {
    /// Adds a row; DER and RIR follow from the first row.
    pub fn push(&mut self, mut row: ResultRow) {
        if let Some(before) = self.rows.first() {
            row.der = row.scores.der_from(&before.scores);
            row.rir = row.scores.rir_from(&before.scores);
        }
        self.rows.push(row);
    }

    /// An aligned table for terminals, rates in percent. Marks are explained below it.
    pub fn to_text(&self) -> String {
        if !self.fair.is_empty() {
            return self.fair_to_text();
        }
        let mut head = vec!["", "ACC %", "ASR %", "RA %"];
        // Few attacks have a disturbance to be right about.
        let with_cross = self.rows.iter().any(|row| row.scores.cross.is_some());
        head.extend(with_cross.then_some("Cross %"));
        // Only models that map their answers back have it.
        let with_rar = self.rows.iter().any(|row| row.scores.rar.is_some());
        head.extend(with_rar.then_some("RAR %"));
        head.extend(["DER %", "time"]);
        let body = self.rows.iter().map(|row| {
            let mark = match (row.oracle, row.control) {
                (true, _) => " *",
                (_, true) => " +",
                _ => "",
            };
            let scores = &row.scores;
            let mut cells = vec![format!("{}{mark}", row.name().replace(char::is_control, " "))];
            cells.extend([Some(scores.acc), scores.asr, scores.ra].map(percent));
            cells.extend(with_cross.then(|| percent(scores.cross)));
            cells.extend(with_rar.then(|| percent(scores.rar)));
            cells.extend([percent(row.der), time_in_words(row.seconds)]);
            cells
        });
        let head = head.into_iter().map(str::to_owned).collect();
        let mut text = aligned(&std::iter::once(head).chain(body).collect::<Vec<_>>());
        if self.rows.iter().any(|row| row.oracle) {
            text.push_str("* oracle: something was chosen by looking at test accuracy or ASR\n");
        }
        if self.rows.iter().any(|row| row.control && !row.oracle) {
            text.push_str("+ control: plain fine-tuning with the same budget\n");
        }
        for row in self.rows.iter().filter(|row| row.scores.rar.is_some()) {
            let (rar, floor) = (percent(row.scores.rar), percent(row.scores.rar_floor));
            let _ = writeln!(text, "{}: RAR {rar} %, of a perfect model {floor} %", row.name());
        }
        if with_rar {
            let _ = writeln!(text, "{MAPPED_BACK}");
        }
        for row in self.rows.iter().filter(|row| !row.note.is_empty()) {
            let _ = writeln!(text, "{}: {}", row.name(), row.note);
        }
        text + &checked::to_text(&self.checks)
    }

    /// All fields as CSV; rates are shares in 0..=1, what is unknown is empty.
    pub fn to_csv(&self) -> String {
        let mut text = String::from(
            "title,variant,method,acc,asr,ra,cross,rar,rar_floor,der,rir,seconds,clean_count,triggered_count,oracle,control,weights,note\n",
        );
        for row in &self.rows {
            let share = |value: Option<f64>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
            let cells = [
                row.title.clone(),
                row.variant.clone(),
                row.method.clone(),
                share(Some(row.scores.acc)),
                share(row.scores.asr),
                share(row.scores.ra),
                share(row.scores.cross),
                share(row.scores.rar),
                share(row.scores.rar_floor),
                share(row.der),
                share(row.rir),
                format!("{:.3}", row.seconds),
                row.scores.clean_count.to_string(),
                row.scores.triggered_count.to_string(),
                row.oracle.to_string(),
                row.control.to_string(),
                row.weights.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
                row.note.clone(),
            ];
            text.push_str(&cells.map(|cell| quoted(&cell)).join(","));
            text.push('\n');
        }
        text
    }
}

impl Results {
    /// The rows of the table, whichever task they belong to.
    pub fn to_json(&self) -> serde_json::Value {
        if self.fair.is_empty() { serde_json::json!(self.rows) } else { serde_json::json!(self.fair) }
    }

    fn fair_to_text(&self) -> String {
        let head = ["", "test error", "test gap", "by chance", "train error", "train gap"];
        let head = head.map(str::to_owned).to_vec();
        let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.5}"));
        let body = self.fair.iter().map(|row| {
            let mark = if row.needs_group { " +" } else { "" };
            vec![
                format!("{}{mark}", row.title.replace(char::is_control, " ")),
                cell(row.test_rmse),
                cell(row.test_gap),
                cell(row.test_gap_noise),
                cell(Some(row.train_rmse)),
                cell(Some(row.train_gap)),
            ]
        });
        let mut text = aligned(&std::iter::once(head).chain(body).collect::<Vec<_>>());
        text.push_str(
            "error: root mean square; gap: largest group mean minus smallest; by chance: its standard deviation\n",
        );
        if self.fair.iter().any(|row| row.needs_group) {
            text.push_str("+ must know the group of a person to predict\n");
        }
        text
    }
}

/// The first column to the left, the others to the right.
pub(super) fn aligned(table: &[Vec<String>]) -> String {
    let columns = table.iter().map(Vec::len).min().unwrap_or(0);
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in table.iter().filter(|row| !row.is_empty()) {
        let mut line = format!("{:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            // Writing into a String cannot fail.
            let _ = write!(line, "  {cell:>width$}");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `96.10`, or `-` where there is no value.
pub fn percent(share: Option<f64>) -> String {
    // 96.095 has no exact binary form; the nudge makes such halves go up, as people round.
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.2}", (share * 1e4 + 1e-6).round() / 100.0))
}

/// `8.3 s`, `2 min 05 s`, `1 h 02 min`.
pub fn time_in_words(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "-".to_owned();
    }
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    if whole < 3600 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else {
        format!("{} h {:02} min", whole / 3600, whole % 3600 / 60)
    }
}

/// A cell as CSV wants it.
pub fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(title: &str, acc: f64, asr: f64, ra: f64, seconds: f64) -> ResultRow {
        let scores = Scores {
            acc,
            asr: Some(asr),
            ra: Some(ra),
            clean_count: 10_000,
            triggered_count: 9_000,
            ..Scores::default()
        };
        ResultRow { title: title.into(), scores, seconds, ..ResultRow::default() }
    }

    fn published() -> Results {
        let mut results = Results::default();
        results.push(row("no defense", 0.9132, 0.9503, 0.0467, 3720.0));
        results.push(ResultRow { control: true, method: "ft".into(), ..row("FT", 0.8996, 0.0148, 0.8939, 125.0) });
        results.push(ResultRow {
            oracle: true,
            note: "by, \"ASR\"".into(),
            ..row("ANP", 0.8417, 0.0073, 0.8404, 8.26)
        });
        results
    }

    #[test]
    fn the_table_is_aligned() {
        let expected = [
            "            ACC %  ASR %   RA %  DER %        time",
            "no defense  91.32  95.03   4.67      -  1 h 02 min",
            "FT +        89.96   1.48  89.39  96.10  2 min 05 s",
            "ANP *       84.17   0.73  84.04  93.58       8.3 s",
            "* oracle: something was chosen by looking at test accuracy or ASR",
            "+ control: plain fine-tuning with the same budget",
            "ANP: by, \"ASR\"",
            "",
        ];
        assert_eq!(published().to_text(), expected.join("\n"));
    }

    #[test]
    fn rows_without_a_trigger_show_gaps() {
        let mut results = Results::default();
        let scores = Scores { acc: 0.9, clean_count: 10, ..Scores::default() };
        results.push(ResultRow { title: "clean".into(), scores, ..ResultRow::default() });
        assert!(
            results.to_text().lines().nth(1).unwrap().contains("90.00      -     -      -"),
            "{}",
            results.to_text()
        );
    }

    #[test]
    fn cross_accuracy_has_a_column_where_it_was_measured() {
        assert!(!published().to_text().contains("Cross"));
        let mut results = published();
        results.rows[0].scores.cross = Some(0.9012);
        let text = results.to_text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "            ACC %  ASR %   RA %  Cross %  DER %        time");
        assert_eq!(lines[1], "no defense  91.32  95.03   4.67    90.12      -  1 h 02 min");
        assert_eq!(lines[2], "FT +        89.96   1.48  89.39        -  96.10  2 min 05 s");
    }

    #[test]
    fn where_labels_are_mapped_back_the_table_warns_of_asr() {
        let mut results = published();
        assert!(!results.to_text().contains("RAR"));
        let scores = Scores { rar: Some(0.722), rar_floor: Some(0.116), ..row("", 0.521, 0.055, 0.224, 1.0).scores };
        results.push(ResultRow { title: "PDB".into(), scores, ..ResultRow::default() });
        let text = results.to_text();
        assert!(text.contains("   RA %  RAR %  DER %"), "{text}");
        assert!(text.contains("PDB: RAR 72.20 %, of a perfect model 11.60 %"), "{text}");
        assert!(text.contains("a low ASR and its DER say nothing"), "{text}");
        assert!(results.to_csv().contains(",0.722000,0.116000,"));
    }

    #[test]
    fn rows_of_one_method_are_told_apart() {
        let twin = |variant: &str| ResultRow { title: "NPD".into(), variant: variant.into(), ..ResultRow::default() };
        let results =
            Results { rows: vec![twin("radius 2.0"), twin("radius 3.0, site head.in")], ..Results::default() };
        let text = results.to_text();
        assert!(text.contains("NPD (radius 2.0) ") && text.contains("NPD (radius 3.0, site head.in) "), "{text}");
        assert!(results.to_csv().contains("\nNPD,\"radius 3.0, site head.in\",,0.0"), "{}", results.to_csv());
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        let text = published().to_csv();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[2], "FT,,ft,0.899600,0.014800,0.893900,,,,0.960950,0.916800,125.000,10000,9000,false,true,,");
        assert!(lines[3].ends_with("true,false,,\"by, \"\"ASR\"\"\""), "{}", lines[3]);
    }

    #[test]
    fn results_survive_a_round_trip() {
        let text = serde_json::to_string(&published()).unwrap();
        assert_eq!(serde_json::from_str::<Results>(&text).unwrap().to_csv(), published().to_csv());
    }

    #[test]
    fn times_read_well() {
        assert_eq!(time_in_words(0.04), "0.0 s");
        assert_eq!(time_in_words(59.96), "1 min 00 s");
        assert_eq!(time_in_words(3599.6), "1 h 00 min");
        assert_eq!(time_in_words(f64::NAN), "-");
    }
}
