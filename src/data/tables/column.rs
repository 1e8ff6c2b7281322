//! One column: cells as they come, and what they turn out to be.

use crate::experiment::fair::ColumnKind;
use crate::experiment::{Problem, Result};
use crate::run::fair::ColumnCard;
use std::collections::HashMap;

/// More different texts than these are names or identifiers, not categories.
const MOST_LEVELS: usize = 4096;

/// Up to this share of texts among numbers is dirt; more make the column a category.
const DIRT: f64 = 0.05;

/// A missing cell of a category.
pub const NO_LEVEL: u32 = u32::MAX;

#[derive(Debug, Clone, PartialEq)]
pub enum Cells {
    /// NaN where a cell is empty or no number; may hold infinities.
    Numbers(Vec<f64>),
    /// Index of each row's text in `names`, which are sorted; [`NO_LEVEL`] where a cell is empty.
    Levels { codes: Vec<u32>, names: Vec<String> },
    /// Too many different texts to be told apart: only counted.
    Texts(usize),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    pub name: String,
    pub cells: Cells,
    /// Empty cells.
    pub missing: usize,
    /// Cells of a column of numbers that are neither empty nor a number: how many, the first one and its row.
    pub odd: Option<(usize, String, usize)>,
}

/// Whether a cell says that there is nothing.
fn is_missing(text: &str) -> bool {
    matches!(text, "" | "?" | "." | "-")
        || ["na", "n/a", "nan", "null", "none"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Collects the cells of a column one by one.
#[derive(Debug)]
pub(super) struct Builder {
    name: String,
    /// NaN where there is no number.
    numbers: Vec<f64>,
    codes: Vec<u32>,
    levels: HashMap<String, u32>,
    /// Bytes of the texts in `levels`.
    spelled: usize,
    rows: usize,
    missing: usize,
    texts: usize,
    first_text: Option<(String, usize)>,
    /// Too many different cells for categories.
    many: bool,
    /// Too many different cells, and no numbers: nothing is kept.
    free: bool,
}

impl Builder {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            numbers: Vec::new(),
            codes: Vec::new(),
            levels: HashMap::new(),
            spelled: 0,
            rows: 0,
            missing: 0,
            texts: 0,
            first_text: None,
            many: false,
            free: false,
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        let text = text.trim();
        if is_missing(text) {
            return self.nothing();
        }
        let number = text.parse::<f64>().ok();
        if number.is_none() {
            self.texts += 1;
            self.first_text.get_or_insert_with(|| (text.chars().take(40).collect(), self.rows));
        }
        let before = self.levels.len();
        self.push(number.unwrap_or(f64::NAN), |levels| match levels.get(text) {
            Some(&code) => code,
            None => {
                let code = levels.len() as u32;
                levels.insert(text.to_owned(), code);
                code
            }
        });
        if self.levels.len() > before {
            self.spelled += text.len();
        }
    }

    pub(super) fn number(&mut self, number: f64) {
        if number.is_nan() {
            return self.nothing();
        }
        self.push(number, |levels| {
            let next = levels.len() as u32;
            *levels.entry(format!("{number}")).or_insert(next)
        });
    }

    pub(super) fn nothing(&mut self) {
        self.missing += 1;
        self.push(f64::NAN, |_| NO_LEVEL);
    }

    fn push(&mut self, number: f64, code: impl FnOnce(&mut HashMap<String, u32>) -> u32) {
        self.rows += 1;
        if !self.many {
            let code = code(&mut self.levels);
            self.codes.push(code);
            if self.levels.len() > MOST_LEVELS {
                self.many = true;
                (self.codes, self.levels, self.spelled) = (Vec::new(), HashMap::new(), 0);
                self.free = self.is_text();
            }
        }
        if self.free {
            self.numbers = Vec::new();
        } else {
            self.numbers.push(number);
        }
    }

    /// Texts are more than dirt so far.
    fn is_text(&self) -> bool {
        self.texts as f64 > DIRT * (self.rows - self.missing) as f64
    }

    /// Bytes in use now.
    pub(super) fn bytes(&self) -> usize {
        8 * self.numbers.capacity() + 4 * self.codes.capacity() + 64 * self.levels.capacity() + self.spelled
    }

    pub(super) fn finish(self) -> Column {
        let odd = self.first_text.clone().map(|(text, row)| (self.texts, text, row));
        let is_text = self.is_text();
        let (cells, odd) = if !is_text && !self.free {
            (Cells::Numbers(self.numbers), odd)
        } else if self.many {
            (Cells::Texts(self.rows), None)
        } else {
            (sorted(self.codes, self.levels), None)
        };
        Column { name: self.name, cells, missing: self.missing, odd }
    }
}

/// Levels in the order of their names, so that the order of rows does not matter.
fn sorted(mut codes: Vec<u32>, levels: HashMap<String, u32>) -> Cells {
    let mut names: Vec<(String, u32)> = levels.into_iter().collect();
    // Numbers sort as numbers, texts behind them.
    let key = |text: &str| text.parse::<f64>().unwrap_or(f64::INFINITY);
    names.sort_by(|(a, _), (b, _)| key(a).total_cmp(&key(b)).then_with(|| a.cmp(b)));
    let mut place = vec![0; names.len()];
    names.iter().enumerate().for_each(|(new, (_, old))| place[*old as usize] = new as u32);
    codes.iter_mut().filter(|code| **code != NO_LEVEL).for_each(|code| *code = place[*code as usize]);
    Cells::Levels { codes, names: names.into_iter().map(|(name, _)| name).collect() }
}

impl Column {
    pub fn len(&self) -> usize {
        match &self.cells {
            Cells::Numbers(numbers) => numbers.len(),
            Cells::Levels { codes, .. } => codes.len(),
            Cells::Texts(rows) => *rows,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is nothing in this row.
    pub fn is_missing(&self, row: usize) -> bool {
        match &self.cells {
            Cells::Numbers(numbers) => numbers[row].is_nan(),
            Cells::Levels { codes, .. } => codes[row] == NO_LEVEL,
            Cells::Texts(_) => false,
        }
    }

    /// Some rows of the column, in this order.
    pub fn pick(&self, rows: &[usize]) -> Self {
        let cells = match &self.cells {
            Cells::Numbers(numbers) => Cells::Numbers(rows.iter().map(|&row| numbers[row]).collect()),
            Cells::Levels { codes, names } => {
                Cells::Levels { codes: rows.iter().map(|&row| codes[row]).collect(), names: names.clone() }
            }
            Cells::Texts(_) => Cells::Texts(rows.len()),
        };
        let missing = rows.iter().filter(|&&row| self.is_missing(row)).count();
        Self { name: self.name.clone(), cells, missing, odd: None }
    }

    /// The column as another kind than was guessed.
    ///
    /// # Errors
    /// Texts that cannot be numbers, and numbers with too many different values to be categories.
    pub fn to_kind(&self, kind: ColumnKind) -> Result<Self> {
        let refuse = |why: String, remedy: &str| {
            Err(Problem::bad_input(format!("The column `{}` cannot be a {}.", self.name, words(kind)))
                .because(why)
                .remedy(remedy))
        };
        match (&self.cells, kind) {
            (Cells::Numbers(_), ColumnKind::Number) | (Cells::Levels { .. }, ColumnKind::Category) => Ok(self.clone()),
            (Cells::Texts(_), _) => refuse(self.describe(), "Leave it out, or put its values into fewer groups first."),
            (Cells::Levels { codes, names }, ColumnKind::Number) => {
                let values: Vec<f64> = names.iter().map(|name| name.parse().unwrap_or(f64::NAN)).collect();
                if values.iter().all(|value| value.is_nan()) {
                    let why = format!("None of its values is a number; the first one is `{}`.", names[0]);
                    return refuse(why, "Take it as a category.");
                }
                let numbers: Vec<f64> =
                    codes.iter().map(|&code| values.get(code as usize).copied().unwrap_or(f64::NAN)).collect();
                let bad = |code: &u32| values.get(*code as usize).is_some_and(|value| value.is_nan());
                let odd = codes.iter().position(bad).map(|row| {
                    let count = codes.iter().filter(|code| bad(code)).count();
                    (count, names[codes[row] as usize].clone(), row)
                });
                Ok(Self { cells: Cells::Numbers(numbers), odd, ..self.clone() })
            }
            (Cells::Numbers(numbers), ColumnKind::Category) => {
                let mut builder = Builder::new(self.name.clone());
                for &number in numbers {
                    builder.number(number);
                }
                if builder.many {
                    let why = format!("It has more than {MOST_LEVELS} different values.");
                    return refuse(why, "Take it as a number.");
                }
                let cells = sorted(builder.codes, builder.levels);
                Ok(Self { cells, ..self.clone() })
            }
        }
    }

    /// The column with one value against all others.
    pub fn against_rest(&self, value: &str) -> Result<Self> {
        let categories = self.to_kind(ColumnKind::Category)?;
        let Cells::Levels { codes, names } = &categories.cells else {
            return Err(Problem::internal("A category has no values."));
        };
        let Some(wanted) = names.iter().position(|name| name == value) else {
            let known = crate::experiment::nearest::list(names.iter().take(20).map(String::as_str));
            return Err(Problem::bad_input(format!("The column `{}` has no value `{value}`.", self.name))
                .remedy(format!("Its values: {known}.")));
        };
        let rest = format!("not {value}");
        // In the order of names, as everywhere.
        let value_first = value < rest.as_str();
        let code = |code: &u32| match *code {
            NO_LEVEL => NO_LEVEL,
            code => u32::from((code as usize == wanted) != value_first),
        };
        let codes = codes.iter().map(code).collect();
        let names = if value_first { vec![value.to_owned(), rest] } else { vec![rest, value.to_owned()] };
        Ok(Self { cells: Cells::Levels { codes, names }, ..categories })
    }

    /// One line about the column: `number, 0 to 1, 1 empty`.
    pub fn describe(&self) -> String {
        let what = match &self.cells {
            Cells::Numbers(numbers) => {
                let (low, high) = numbers
                    .iter()
                    .filter(|number| !number.is_nan())
                    .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &number| {
                        (low.min(number), high.max(number))
                    });
                if low > high {
                    "nothing but empty cells".to_owned()
                } else if low == high {
                    format!("number, always {low}")
                } else {
                    format!("number, {low} to {high}")
                }
            }
            Cells::Levels { names, .. } => {
                let shown: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
                let more = if names.len() > 5 { ", ..." } else { "" };
                format!("category, {} values: {}{more}", names.len(), shown.join(", "))
            }
            Cells::Texts(_) => format!("text, more than {MOST_LEVELS} different values"),
        };
        if self.missing == 0 { what } else { format!("{what}; {} empty", self.missing) }
    }

    pub(super) fn card(&self) -> ColumnCard {
        let (kind, values) = match &self.cells {
            Cells::Numbers(_) => (Some(ColumnKind::Number), Vec::new()),
            Cells::Levels { names, .. } => (Some(ColumnKind::Category), names.iter().take(64).cloned().collect()),
            Cells::Texts(_) => (None, Vec::new()),
        };
        ColumnCard { name: self.name.clone(), kind, description: self.describe(), missing: self.missing, values }
    }

    /// What is odd about the column, if anything.
    pub(super) fn note(&self) -> Option<String> {
        self.odd.as_ref().map(|(count, text, row)| {
            format!(
                "`{}` is a column of numbers, but {count} of its cells are not: the first is `{text}` in row {}. They count as empty.",
                self.name,
                row + 1
            )
        })
    }

    pub(super) fn hash(&self, hasher: &mut blake3::Hasher) {
        hasher.update(self.name.as_bytes());
        match &self.cells {
            Cells::Numbers(numbers) => numbers.iter().for_each(|number| {
                hasher.update(&number.to_bits().to_le_bytes());
            }),
            Cells::Levels { codes, names } => {
                codes.iter().for_each(|code| {
                    hasher.update(&code.to_le_bytes());
                });
                names.iter().for_each(|name| {
                    hasher.update(name.as_bytes());
                });
            }
            Cells::Texts(rows) => {
                hasher.update(&(*rows as u64).to_le_bytes());
            }
        }
    }
}

fn words(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Number => "number",
        ColumnKind::Category => "category",
    }
}
