//! What a student hands in: one small text file; and the table that a teacher sees of many.

use super::class_file::SCHEMA;
use super::course::Course;
use crate::app::export::Table;
use crate::app::export::number;
use crate::app::job::{JobView, best_repair};
use crate::experiment::{Problem, Result};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandIn {
    /// Always `hand-in`.
    pub polariscope: String,
    pub schema: u32,
    /// As the student wrote it, or nothing.
    #[serde(default)]
    pub name: String,
    /// Title of the lesson.
    #[serde(default)]
    pub lesson: String,
    #[serde(default)]
    pub steps: usize,
    #[serde(default)]
    pub reached: usize,
    /// Of the experiment in the Lab.
    #[serde(default)]
    pub seed: u64,
    /// With which the class began, where there was a pack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_seed: Option<u64>,
    /// The teacher's question and the answer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub question: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub answer: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// The experiment of the Lab.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub experiment: String,
    #[serde(default, rename = "guess", skip_serializing_if = "Vec::is_empty")]
    pub guesses: Vec<GuessMade>,
    /// The finished training on Watch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Outcome>,
}

impl Default for HandIn {
    fn default() -> Self {
        Self {
            polariscope: Self::KIND.to_owned(),
            schema: SCHEMA,
            name: String::new(),
            lesson: String::new(),
            steps: 0,
            reached: 0,
            seed: 0,
            class_seed: None,
            question: String::new(),
            answer: String::new(),
            notes: String::new(),
            experiment: String::new(),
            guesses: Vec::new(),
            result: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuessMade {
    /// Counted from 1.
    pub step: usize,
    pub question: String,
    pub guess: String,
    pub right: bool,
}

/// Rates of a training, before and after the repair that worked best; shares in 0..=1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    pub run: String,
    pub acc: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asr: Option<f64>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub repair: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired_acc: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired_asr: Option<f64>,
}

impl Outcome {
    /// Of a finished training; nothing while one runs.
    pub fn of(job: &JobView) -> Option<Self> {
        let first = job.results.first().filter(|_| !job.is_live())?;
        let best = best_repair(&job.results);
        Some(Self {
            run: job.title.clone(),
            acc: first.scores.acc,
            asr: first.scores.asr,
            repair: best.map(|(row, _)| row.name()).unwrap_or_default(),
            repaired_acc: best.map(|(row, _)| row.scores.acc),
            repaired_asr: best.map(|(_, asr)| asr),
        })
    }
}

impl HandIn {
    pub const KIND: &'static str = "hand-in";

    pub fn to_toml(&self) -> Result<String> {
        toml::to_string_pretty(self)
            .map_err(|error| Problem::internal("This work cannot be written as text.").because(error))
    }

    /// Notes down where a lesson stands.
    pub fn of_course(course: &Course) -> Self {
        let guesses = course.made().map(|(step, guess, choice)| GuessMade {
            step: step + 1,
            question: guess.question.clone(),
            guess: guess.choices.get(choice).cloned().unwrap_or_default(),
            right: choice == guess.right,
        });
        Self {
            lesson: course.lesson.title.clone(),
            steps: course.lesson.steps.len(),
            reached: course.reached(),
            guesses: guesses.collect(),
            ..Self::default()
        }
    }

    pub fn shown_name(&self) -> &str {
        if self.name.trim().is_empty() { "no name" } else { self.name.trim() }
    }

    pub fn right(&self) -> usize {
        self.guesses.iter().filter(|guess| guess.right).count()
    }

    /// Notes and the answer to the teacher's question in one line.
    pub fn note(&self) -> String {
        let parts = [&self.answer, &self.notes].map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
    }

    /// Accuracy after the best repair, or before any.
    pub fn acc(&self) -> Option<f64> {
        self.result.as_ref().map(|result| result.repaired_acc.unwrap_or(result.acc))
    }

    pub fn asr(&self) -> Option<f64> {
        self.result.as_ref().and_then(|result| result.repaired_asr.or(result.asr))
    }

    pub fn repair(&self) -> &str {
        self.result.as_ref().map_or("", |result| &result.repair)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HandInColumn {
    #[default]
    Name,
    Lesson,
    Guesses,
    Steps,
    Repair,
    Acc,
    Asr,
    Seed,
    Note,
}

impl HandInColumn {
    pub const ALL: [HandInColumn; 9] = [
        HandInColumn::Name,
        HandInColumn::Lesson,
        HandInColumn::Guesses,
        HandInColumn::Steps,
        HandInColumn::Repair,
        HandInColumn::Acc,
        HandInColumn::Asr,
        HandInColumn::Seed,
        HandInColumn::Note,
    ];

    pub fn title(self) -> &'static str {
        match self {
            HandInColumn::Name => "Name",
            HandInColumn::Lesson => "Lesson",
            HandInColumn::Guesses => "Guesses",
            HandInColumn::Steps => "Steps",
            HandInColumn::Repair => "Repair",
            HandInColumn::Acc => "ACC",
            HandInColumn::Asr => "ASR",
            HandInColumn::Seed => "Seed",
            HandInColumn::Note => "Note",
        }
    }

    pub fn explanation(self) -> &'static str {
        match self {
            HandInColumn::Name => "As it was typed, if it was",
            HandInColumn::Lesson => "What was taken",
            HandInColumn::Guesses => "How many guesses came true, of those that were made",
            HandInColumn::Steps => "How many steps were reached",
            HandInColumn::Repair => "The repair that worked best in the student's training",
            HandInColumn::Acc => "Accuracy on normal pictures after that repair, or of the attacked model without one",
            HandInColumn::Asr => "How often the trigger wins after that repair, or without one",
            HandInColumn::Seed => "Seed of the experiment; another one than the class's is marked",
            HandInColumn::Note => "Answer to your question, and notes",
        }
    }

    /// What rows are ordered by.
    fn compare(self, a: &HandIn, b: &HandIn) -> Ordering {
        let text = |a: &str, b: &str| a.to_lowercase().cmp(&b.to_lowercase());
        match self {
            HandInColumn::Name => text(&a.name, &b.name),
            HandInColumn::Lesson => text(&a.lesson, &b.lesson),
            HandInColumn::Guesses => a.right().cmp(&b.right()),
            HandInColumn::Steps => a.reached.cmp(&b.reached),
            HandInColumn::Repair => text(a.repair(), b.repair()),
            HandInColumn::Acc => rate(a.acc(), b.acc()),
            HandInColumn::Asr => rate(a.asr(), b.asr()),
            HandInColumn::Seed => a.seed.cmp(&b.seed),
            HandInColumn::Note => text(&a.note(), &b.note()),
        }
    }

    fn has_value(self, row: &HandIn) -> bool {
        match self {
            HandInColumn::Acc => row.acc().is_some(),
            HandInColumn::Asr => row.asr().is_some(),
            _ => true,
        }
    }
}

fn rate(a: Option<f64>, b: Option<f64>) -> Ordering {
    a.unwrap_or_default().total_cmp(&b.unwrap_or_default())
}

/// The table of hand-ins.
#[derive(Debug, Default)]
pub struct HandIns {
    rows: Vec<HandIn>,
    pub sort: HandInColumn,
    pub descending: bool,
}

impl HandIns {
    pub fn rows(&self) -> &[HandIn] {
        &self.rows
    }

    /// The same work twice is the same row.
    pub fn add(&mut self, work: HandIn) {
        if !self.rows.contains(&work) {
            self.rows.push(work);
            self.order();
        }
    }

    pub fn clear(&mut self) {
        self.rows.clear();
    }

    /// A second press on a column turns the order around.
    pub fn sort_by(&mut self, column: HandInColumn) {
        self.descending = self.sort == column && !self.descending;
        self.sort = column;
        self.order();
    }

    fn order(&mut self) {
        let (column, descending) = (self.sort, self.descending);
        self.rows.sort_by(|a, b| {
            // Rows without the number stay at the end.
            let known = (column.has_value(b), column.has_value(a));
            let order = column.compare(a, b);
            known.0.cmp(&known.1).then(if descending { order.reverse() } else { order })
        });
    }

    /// The seed of most.
    fn usual_seed(&self) -> Option<u64> {
        let count = |seed: u64| self.rows.iter().filter(|row| row.seed == seed).count();
        self.rows.iter().map(|row| row.seed).max_by_key(|seed| (count(*seed), std::cmp::Reverse(*seed)))
    }

    /// Whether a row began with another seed than its class, as the pack says or as most have it.
    pub fn other_seed(&self, row: &HandIn) -> bool {
        row.class_seed.or_else(|| self.usual_seed()).is_some_and(|seed| seed != row.seed)
    }

    pub fn table(&self) -> Table {
        let head = [
            "name",
            "lesson",
            "right guesses",
            "guesses",
            "steps reached",
            "steps",
            "repair",
            "acc",
            "asr",
            "seed",
            "other seed",
            "answer",
            "notes",
        ];
        let rows = self.rows.iter().map(|row| {
            vec![
                row.name.clone(),
                row.lesson.clone(),
                row.right().to_string(),
                row.guesses.len().to_string(),
                row.reached.to_string(),
                row.steps.to_string(),
                row.repair().to_owned(),
                number(row.acc()),
                number(row.asr()),
                row.seed.to_string(),
                if self.other_seed(row) { "yes" } else { "no" }.to_owned(),
                row.answer.clone(),
                row.notes.clone(),
            ]
        });
        Table::new(&head, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(name: &str, asr: Option<f64>, seed: u64) -> HandIn {
        let result = asr.map(|asr| Outcome { acc: 0.9, asr: Some(asr), ..Outcome::default() });
        HandIn { name: name.into(), result, seed, ..HandIn::default() }
    }

    #[test]
    fn the_table_sorts_marks_other_seeds_and_knows_its_rows() {
        let mut table = HandIns::default();
        for row in [work("Grace", Some(0.2), 7), work("ada", None, 7), work("Alan", Some(0.9), 8)] {
            table.add(row.clone());
            table.add(row);
        }
        let names = |table: &HandIns| table.rows().iter().map(|row| row.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&table), ["ada", "Alan", "Grace"]);
        table.sort_by(HandInColumn::Asr);
        assert_eq!(names(&table), ["Grace", "Alan", "ada"]);
        table.sort_by(HandInColumn::Asr);
        assert_eq!(names(&table), ["Alan", "Grace", "ada"], "what is unknown stays at the end");
        let other: Vec<bool> = table.rows().iter().map(|row| table.other_seed(row)).collect();
        assert_eq!(other, [true, false, false]);
        let with_pack = HandIn { class_seed: Some(8), ..work("Edsger", None, 8) };
        assert!(!table.other_seed(&with_pack), "the pack says which seed is the class's");
        assert!(table.table().csv().contains("Alan,,0,0,0,0,,0.900000,0.900000,8,yes,,"));
    }

    #[test]
    fn work_comes_back_from_its_file() {
        let result = Outcome { run: "Quick".into(), acc: 0.86, repaired_asr: Some(0.03), ..Outcome::default() };
        let guess = GuessMade { step: 2, question: "?".into(), guess: "the “same”".into(), right: false };
        let work = HandIn {
            guesses: vec![guess],
            result: Some(result),
            notes: "two\nlines".into(),
            experiment: "seed = 7\n".into(),
            ..HandIn::default()
        };
        assert_eq!(toml::from_str::<HandIn>(&work.to_toml().unwrap()).unwrap(), work);
        assert_eq!((work.shown_name(), work.note().as_str()), ("no name", "two lines"));
    }
}
