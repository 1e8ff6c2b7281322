//! From a table to numbers: target, features, groups, training and test rows; every decision leaves a note.

use super::groups::{self, Grouping};
use super::linalg::REAL;
use crate::data::available_memory;
use crate::data::tables::{Cells, Column, NO_LEVEL, Table};
use crate::experiment::fair::{ColumnKind, Missing, TableChoice};
use crate::experiment::nearest::{list, nearest};
use crate::experiment::{Code, Problem, Result};
use crate::run::fair::{Attribute, Group};
use rand::seq::{SliceRandom, index};
use rand_chacha::ChaCha8Rng;
use tch::Tensor;

/// A category with more values gives no features: most of them would be of one or two rows.
const MOST_DUMMIES: usize = 64;
/// The value of empty cells of a category.
const EMPTY: &str = "(empty)";
/// Larger numbers are taken for mistakes: their powers leave the range of numbers.
const LARGEST: f64 = 1e30;
/// Groups with fewer training rows are worth a warning.
const FEW: usize = 10;

/// A table made ready for regression. Rows are those that are used, in the order of the table.
#[derive(Debug)]
pub struct Frame {
    pub title: String,
    pub target: String,
    /// Features, filled in and standardised: n x d.
    pub x: Tensor,
    /// n
    pub y: Vec<f64>,
    /// Index of the group of each row.
    pub group: Vec<u32>,
    pub groups: Vec<Group>,
    pub attributes: Vec<Attribute>,
    /// The same for each attribute alone.
    pub codes: Vec<AttributeCodes>,
    pub features: Vec<FrameFeature>,
    /// Row of the table, counted from 0.
    pub row: Vec<u32>,
    /// Indices of rows.
    pub train: Vec<usize>,
    pub test: Vec<usize>,
    pub notes: Vec<String>,
}

/// A sensitive attribute row by row.
#[derive(Debug, Clone)]
pub struct AttributeCodes {
    /// Index of the value.
    pub values: Vec<u32>,
    pub count: usize,
    /// As a number: the column itself, or 0 and 1 for two values; nothing for more than two names.
    pub numbers: Option<Vec<f64>>,
    pub two_valued: bool,
}

/// A column that is a feature, and where it stands in x.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FrameFeature {
    pub name: String,
    pub sensitive: bool,
    /// First column of x, and how many.
    pub at: usize,
    pub width: usize,
    /// Names of the values of a category: two values are one column of 0 and 1, more are one column each.
    pub levels: Vec<String>,
    /// Mean and standard deviation of each column of x, by which it was standardised (0 and 1 where it was not).
    pub scale: Vec<(f64, f64)>,
    /// What stands for an empty cell, before standardising.
    pub filled: f64,
    /// The cells as they were read, rounded, to be shown; NaN where empty.
    #[serde(skip)]
    pub raw: Vec<f32>,
}

impl FrameFeature {
    /// What stands for an empty cell: a number, or the index of a level.
    pub fn empty(&self) -> f64 {
        if self.levels.last().is_some_and(|level| level == EMPTY) {
            (self.levels.len() - 1) as f64
        } else {
            self.filled
        }
    }

    /// The columns of x for one value, which is a number or the index of a level.
    pub fn encode(&self, value: f64) -> Vec<f64> {
        let plain: Vec<f64> = if self.width == 1 {
            vec![value]
        } else {
            (0..self.width).map(|level| f64::from(u8::from(value == level as f64))).collect()
        };
        plain.iter().zip(&self.scale).map(|(value, (mean, sd))| (value - mean) / sd).collect()
    }
}

/// Which rows are for testing.
pub enum Split<'a> {
    /// This share of every group, drawn.
    Share(f64, &'a mut ChaCha8Rng),
    /// By the place of a row among those that are used; for comparison with published splits.
    Every(fn(usize) -> bool),
}

impl Frame {
    /// # Errors
    /// Columns that are not there or are of the wrong kind, infinities, a target without numbers, too few rows, too many
    /// groups.
    pub fn build(table: &Table, choice: &TableChoice, draw: &mut ChaCha8Rng, split: Split) -> Result<Self> {
        let mut notes = table.notes.clone();
        let target = column(table, choice, &choice.target, "table.target")?;
        let target = target.to_kind(ColumnKind::Number).map_err(|problem| problem.at("table.target"))?;
        let sensitive: Result<Vec<Column>> =
            choice.sensitive.iter().map(|name| column(table, choice, name, "table.sensitive")).collect();
        let sensitive = sensitive?;
        sensitive.iter().try_for_each(groups::check)?;
        let mut features = chosen(table, choice)?;
        features.retain(|column| usable(column, &mut notes));
        for column in std::iter::once(&target).chain(&features).chain(&sensitive) {
            refuse_infinite(column)?;
        }

        let rows = rows(table, choice, &target, &sensitive, &features, draw, &mut notes)?;
        let y: Vec<f64> = rows.iter().map(|&row| number(&target, row)).collect();
        let Grouping { groups, group, attributes, codes } = groups::of(&sensitive, choice, &rows, &mut notes)?;
        let (train, test) = split_rows(&group, groups.len(), split);
        if train.len() < 4 {
            return Err(Problem::bad_input("There are too few rows to fit anything.").because(format!(
                "{} rows can be used, {} of them for training.",
                rows.len(),
                train.len()
            )));
        }
        let mut grouping = Grouping { groups, group, attributes, codes };
        grouping.join_below(choice.join_below, &train, &mut notes);
        warn_small(&grouping, &train, &mut notes);
        let spread = train.iter().map(|&row| y[row]).fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
        if spread.0 >= spread.1 {
            return Err(Problem::bad_input(format!("The target `{}` is always {}.", choice.target, spread.0))
                .at("table.target")
                .remedy("Choose a column that varies."));
        }
        let Encoded { x, features } = encode(features, choice, &rows, &train, &mut notes)?;
        Ok(Self {
            title: table.name.clone(),
            target: choice.target.clone(),
            x,
            y,
            group: grouping.group,
            groups: grouping.groups,
            attributes: grouping.attributes,
            codes: grouping.codes,
            features,
            row: rows.iter().map(|&row| row as u32).collect(),
            train,
            test,
            notes,
        })
    }

    /// Rows of x: rows x d.
    pub fn rows_of(&self, rows: &[usize]) -> Tensor {
        let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        self.x.index_select(0, &Tensor::from_slice(&rows))
    }

    pub fn targets_of(&self, rows: &[usize]) -> Vec<f64> {
        rows.iter().map(|&row| self.y[row]).collect()
    }

    pub fn groups_of(&self, rows: &[usize]) -> Vec<u32> {
        rows.iter().map(|&row| self.group[row]).collect()
    }
}

/// A column as the spec wants it.
fn column(table: &Table, choice: &TableChoice, name: &str, place: &str) -> Result<Column> {
    let names = || table.columns.iter().map(|column| column.name.as_str());
    let found = table.column(name).ok_or_else(|| {
        let problem = Problem::bad_input(format!("The table has no column `{name}`.")).at(place);
        match nearest(name, names()) {
            Some(near) => problem.remedy(format!("Did you mean `{near}`?")),
            None => problem.remedy(format!("Its columns: {}.", list(names().take(30)))),
        }
    })?;
    let mut column = found.clone();
    if let Some(said) = choice.column(name) {
        if let Some(kind) = said.kind {
            column = column.to_kind(kind)?;
        }
        if let Some(value) = &said.against_rest {
            column = column.against_rest(value)?;
        }
    }
    Ok(column)
}

/// The columns that shall be features.
fn chosen(table: &Table, choice: &TableChoice) -> Result<Vec<Column>> {
    for name in choice.ignore.iter().chain(choice.column.iter().map(|column| &column.name)) {
        column(table, choice, name, "table")?;
    }
    let all = || table.columns.iter().map(|column| column.name.clone()).collect();
    let names: Vec<String> = if choice.features.is_empty() { all() } else { choice.features.clone() };
    names
        .iter()
        .filter(|name| **name != choice.target && !choice.ignore.contains(name))
        .filter(|name| choice.use_sensitive || !choice.sensitive.contains(name))
        .map(|name| column(table, choice, name, "table.features"))
        .collect()
}

/// Whether a column can be a feature; says why not.
fn usable(column: &Column, notes: &mut Vec<String>) -> bool {
    let why = match &column.cells {
        Cells::Texts(_) => "it has too many different texts, such as names or numbers of persons".to_owned(),
        Cells::Levels { names, .. } if names.len() > MOST_DUMMIES => {
            format!("it has {} different values, more than the {MOST_DUMMIES} that a category may have", names.len())
        }
        _ if column.missing == column.len() => "all of its cells are empty".to_owned(),
        _ => return true,
    };
    notes.push(format!("`{}` was left out: {why}.", column.name));
    false
}

/// Refuses infinities, and numbers of which not even the square can be computed.
pub(super) fn refuse_infinite(column: &Column) -> Result<()> {
    let Cells::Numbers(numbers) = &column.cells else { return Ok(()) };
    let huge = |number: &&f64| number.abs() > LARGEST;
    let Some(row) = numbers.iter().position(|number| huge(&number)) else { return Ok(()) };
    let count = numbers.iter().filter(huge).count();
    let what = if numbers.iter().any(|number| number.is_infinite()) { "infinite" } else { "absurdly large" };
    Err(Problem::bad_input(format!("The column `{}` holds {what} numbers.", column.name))
        .because(format!("There are {count}; the first one, {}, is in row {}.", numbers[row], row + 1))
        .remedy("Replace them in the file, or name the column under `table.ignore`."))
}

fn number(column: &Column, row: usize) -> f64 {
    match &column.cells {
        Cells::Numbers(numbers) => numbers[row],
        Cells::Levels { codes, .. } if codes[row] != NO_LEVEL => f64::from(codes[row]),
        Cells::Levels { .. } | Cells::Texts(_) => f64::NAN,
    }
}

/// Rows of the table that are used.
fn rows(
    table: &Table,
    choice: &TableChoice,
    target: &Column,
    sensitive: &[Column],
    features: &[Column],
    draw: &mut ChaCha8Rng,
    notes: &mut Vec<String>,
) -> Result<Vec<usize>> {
    let mut rows: Vec<usize> = (0..table.rows).collect();
    let mut drop = |columns: &[&Column], why: &str, rows: &mut Vec<usize>| {
        let before = rows.len();
        rows.retain(|&row| columns.iter().all(|column| !number(column, row).is_nan()));
        if rows.len() < before {
            notes.push(format!("{} rows were left out: {why}.", before - rows.len()));
        }
    };
    drop(&[target], &format!("their `{}` is empty", target.name), &mut rows);
    if rows.is_empty() {
        return Err(Problem::bad_input(format!(
            "The target `{}` has no numbers: all of its cells are empty.",
            target.name
        ))
        .at("table.target")
        .remedy("Choose another column."));
    }
    for column in sensitive {
        drop(&[column], &format!("without `{}` they belong to no group", column.name), &mut rows);
    }
    if choice.missing == Missing::DropRows {
        drop(&features.iter().collect::<Vec<_>>(), "one of their features is empty", &mut rows);
    }
    if rows.is_empty() {
        return Err(Problem::bad_input("No row has all the cells that are needed.")
            .remedy("Leave out columns that are often empty with `table.ignore`, or use missing = \"mean\"."));
    }
    if choice.rows > 0 && choice.rows < rows.len() {
        let mut kept: Vec<usize> =
            index::sample(draw, rows.len(), choice.rows).into_iter().map(|index| rows[index]).collect();
        kept.sort_unstable();
        notes.push(format!("{} of {} rows were drawn by the seed.", kept.len(), rows.len()));
        rows = kept;
    }
    Ok(rows)
}

/// Indices of training and test rows, ascending. Every group that has two rows or more is in both.
fn split_rows(group: &[u32], k: usize, split: Split) -> (Vec<usize>, Vec<usize>) {
    let mut is_test = vec![false; group.len()];
    match split {
        Split::Every(test) => is_test.iter_mut().enumerate().for_each(|(row, flag)| *flag = test(row)),
        Split::Share(share, rng) => {
            let mut members: Vec<Vec<usize>> = vec![Vec::new(); k];
            group.iter().enumerate().for_each(|(row, &group)| members[group as usize].push(row));
            for rows in &mut members {
                rows.shuffle(rng);
                let wanted = (share * rows.len() as f64).round() as usize;
                let least = usize::from(share > 0.0 && rows.len() > 1);
                let test = wanted.clamp(least, rows.len().saturating_sub(1).max(least));
                rows.iter().take(test).for_each(|&row| is_test[row] = true);
            }
        }
    }
    (0..group.len()).partition(|&row| !is_test[row])
}

fn warn_small(grouping: &Grouping, train: &[usize], notes: &mut Vec<String>) {
    let mut counts = vec![0usize; grouping.groups.len()];
    train.iter().for_each(|&row| counts[grouping.group[row] as usize] += 1);
    let small: Vec<String> = grouping
        .groups
        .iter()
        .zip(&counts)
        .filter(|(_, count)| **count < FEW)
        .map(|(group, count)| format!("{} ({count})", group.name))
        .collect();
    if !small.is_empty() {
        const MOST: usize = 12;
        let more = small.len().saturating_sub(MOST);
        let shown: Vec<String> =
            small.into_iter().take(MOST).chain((more > 0).then(|| format!("and {more} others"))).collect();
        notes.push(format!(
            "Groups with fewer than {FEW} training rows: {}. Parity is reached there by bending the prediction around \
             single persons; `table.join_below` joins such groups.",
            shown.join("; ")
        ));
    }
}

struct Encoded {
    x: Tensor,
    features: Vec<FrameFeature>,
}

/// Features as columns of numbers.
fn encode(
    columns: Vec<Column>,
    choice: &TableChoice,
    rows: &[usize],
    train: &[usize],
    notes: &mut Vec<String>,
) -> Result<Encoded> {
    let mut features: Vec<(FrameFeature, Column)> = Vec::with_capacity(columns.len());
    let (mut width, mut filled, mut constant) = (0, 0usize, Vec::new());
    for column in columns {
        let raw: Vec<f32> = rows.iter().map(|&row| number(&column, row) as f32).collect();
        let values = || train.iter().map(|&row| number(&column, rows[row])).filter(|value| !value.is_nan());
        let (low, high) = values().fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        if low >= high {
            constant.push(column.name);
            continue;
        }
        let missing = raw.iter().filter(|value| value.is_nan()).count();
        filled += missing;
        let (count, sum) = values().fold((0usize, 0.0), |(count, sum), value| (count + 1, sum + value));
        let mut levels = match &column.cells {
            Cells::Levels { names, .. } => names.clone(),
            _ => Vec::new(),
        };
        let fill = if choice.missing == Missing::Zero { 0.0 } else { sum / count.max(1) as f64 };
        if missing > 0 && !levels.is_empty() && choice.missing == Missing::Mean {
            levels.push(EMPTY.to_owned());
        }
        let columns = if levels.len() > 2 { levels.len() } else { 1 };
        let feature = FrameFeature {
            sensitive: choice.sensitive.contains(&column.name),
            name: column.name.clone(),
            at: width,
            width: columns,
            levels,
            scale: vec![(0.0, 1.0); columns],
            filled: fill,
            raw,
        };
        features.push((feature, column));
        width += columns;
    }
    if !constant.is_empty() {
        notes.push(format!(
            "Left out, because they are the same in every training row: {}.",
            list(constant.iter().take(20).map(String::as_str))
        ));
    }
    if features.is_empty() {
        return Err(Problem::bad_input("There is no column to predict from.")
            .because("Every column is the target, ignored, constant, empty, or text.")
            .at("table.features"));
    }
    if filled > 0 {
        let how = match choice.missing {
            Missing::Zero => "count as 0",
            Missing::Mean | Missing::DropRows => {
                "got the mean of the training rows, in categories a value of their own"
            }
        };
        notes.push(format!("{filled} empty cells {how}."));
    }
    check_size_against(available_memory(), rows.len(), width)?;
    let x = Tensor::empty([rows.len() as i64, width as i64], REAL);
    let mut finished = Vec::with_capacity(features.len());
    // Each column of the table is let go as soon as its numbers stand in x.
    for (mut feature, column) in features {
        for index in 0..feature.width {
            let level = (feature.width > 1).then_some(index as f64);
            let mut values: Vec<f64> = rows
                .iter()
                .map(|&row| match number(&column, row) {
                    value if value.is_nan() => feature.empty(),
                    value => value,
                })
                .map(|value| level.map_or(value, |level| f64::from(u8::from(value == level))))
                .collect();
            if choice.standardise {
                feature.scale[index] = standardise(&mut values, train);
            }
            x.select(1, (feature.at + index) as i64).copy_(&Tensor::from_slice(&values));
        }
        finished.push(feature);
    }
    Ok(Encoded { x, features: finished })
}

/// Refuses features that, with the copy that training takes, would fill more than half of the available memory.
pub(super) fn check_size_against(available: u64, rows: usize, width: usize) -> Result<()> {
    let needed = (rows as u64).saturating_mul(16 * width as u64);
    if needed <= available / 2 {
        return Ok(());
    }
    let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
    Err(Problem::new(Code::OutOfMemory, "There are too many features for so many rows.")
        .because(format!(
            "{rows} rows with {width} columns of numbers need {}; {} are available, and half of that may be used.",
            gigabytes(needed),
            gigabytes(available)
        ))
        .remedy("Name fewer columns under `table.features`, or use fewer rows with `table.rows`."))
}

/// Gives the training rows mean 0 and standard deviation 1; returns what was subtracted and divided by.
fn standardise(values: &mut [f64], train: &[usize]) -> (f64, f64) {
    let n = train.len() as f64;
    let mean = train.iter().map(|&row| values[row]).sum::<f64>() / n;
    let variance = train.iter().map(|&row| (values[row] - mean).powi(2)).sum::<f64>() / n;
    let sd = if variance > 0.0 { variance.sqrt() } else { 1.0 };
    values.iter_mut().for_each(|value| *value = (*value - mean) / sd);
    (mean, sd)
}
