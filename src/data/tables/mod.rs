//! Tables of numbers and categories: CSV and Parquet files, and two that are inside the program.
//!
//! What a column holds is guessed from its cells and can be corrected. Whatever cannot be used is told in a note or a
//! problem; no cell and no row is dropped in silence.

mod column;
mod csv;
mod embedded;
mod guess;
mod parquet;

pub use column::{Cells, Column, NO_LEVEL};
pub use embedded::{COMMUNITIES, LAW_SCHOOL};

use crate::experiment::{Code, Outcome, Problem, Result};
use crate::run::event::Report;
use crate::run::fair::{ColumnCard, TableCard};
use std::io::Read;
use std::path::Path;

/// A table in memory, column by column.
#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    pub rows: usize,
    /// What was found and done while reading, as sentences.
    pub notes: Vec<String>,
    /// BLAKE3 of all cells, in hexadecimal.
    pub hash: String,
}

/// Called every few thousand rows: may end the reading.
pub type Tick<'a> = &'a mut dyn FnMut() -> Outcome<()>;

/// More columns than these are no table.
const MOST_COLUMNS: usize = 10_000;

/// Opens an embedded table by its name, or a file.
///
/// # Errors
/// Missing and damaged files, other formats, wrong encodings, ragged rows, and tables that do not fit into memory.
pub fn open(source: &str, tick: Tick) -> Outcome<Table> {
    if let Some(bytes) = embedded::find(source) {
        let mut table = csv::read(flate2::read::GzDecoder::new(bytes), source, None, tick)?;
        table.name = embedded::title(source).to_owned();
        return Ok(table);
    }
    let path = Path::new(source);
    read_file(path, tick).map_err(|halt| match halt {
        crate::experiment::Halt::Problem(problem) => problem.at(path.display()).into(),
        halt => halt,
    })
}

/// Whether a file is named like a table in text, or has the name of an embedded one.
pub fn looks_like(path: &Path) -> bool {
    let name = path.to_string_lossy().to_lowercase();
    let is_text = [".csv", ".tsv", ".csv.gz", ".tsv.gz"].iter().any(|ending| name.ends_with(ending));
    (is_text && path.is_file()) || embedded::find(&name).is_some()
}

fn read_file(path: &Path, tick: Tick) -> Outcome<Table> {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let mut file = std::fs::File::open(path).map_err(|error| {
        let known = format!("Embedded tables are `{COMMUNITIES}` and `{LAW_SCHOOL}`.");
        Problem::io("open the table", path, &error).remedy(known)
    })?;
    let size = file.metadata().map_err(|error| Problem::io("open the table", path, &error))?;
    if size.is_dir() {
        let problem =
            Problem::bad_input("This is a folder, not a table.").remedy("Choose a CSV or Parquet file in it.");
        return Err(problem.into());
    }
    let mut start = [0; 8];
    let read = read_start(&mut file, &mut start).map_err(|error| Problem::io("read the table", path, &error))?;
    match &start[..read] {
        [] => Err(Problem::bad_file("This table is empty: the file has no bytes.").into()),
        [b'P', b'A', b'R', b'1', ..] => parquet::read(file, &name, tick),
        [b'P', b'K', 3, 4, ..] | [0xd0, 0xcf, 0x11, 0xe0, ..] => {
            let problem = Problem::bad_input("This is a workbook or an archive, not a table in text.");
            Err(problem.remedy("In the spreadsheet program save the sheet as CSV (UTF-8).").into())
        }
        [0x1f, 0x8b, ..] => csv::read(flate2::read::MultiGzDecoder::new(start[..read].chain(file)), &name, None, tick),
        _ => csv::read(start[..read].chain(file), &name, Some(size.len()), tick),
    }
}

/// Fills `start` as far as the file goes.
fn read_start(file: &mut std::fs::File, start: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < start.len() {
        match file.read(&mut start[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// Whether `needed` bytes may be used for a table.
fn check_memory(needed: u64, rows: u64) -> Result<()> {
    check_memory_against(super::sources::available_memory(), needed, rows)
}

fn check_memory_against(available: u64, needed: u64, rows: u64) -> Result<()> {
    if needed <= available / 2 {
        return Ok(());
    }
    let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
    Err(Problem::new(Code::OutOfMemory, "This table does not fit into memory.")
        .because(format!(
            "About {rows} rows need {}; {} are available, and half of that may be used for data.",
            gigabytes(needed),
            gigabytes(available)
        ))
        .remedy("Keep only the columns that matter, or fewer rows."))
}

impl Table {
    /// Joins columns of equal length into a table.
    fn of(name: &str, columns: Vec<Column>, mut notes: Vec<String>) -> Result<Self> {
        let rows = columns.first().map_or(0, Column::len);
        if rows == 0 {
            return Err(Problem::bad_file("This table has no rows.")
                .because(format!("It has {} columns and nothing below their names.", columns.len())));
        }
        if columns.len() < 2 {
            return Err(Problem::bad_file("This table has only one column.")
                .because(columns.first().map_or_else(String::new, |column| format!("It is called `{}`.", column.name)))
                .remedy("Cells may be separated by commas, semicolons, tabs or bars."));
        }
        notes.extend(columns.iter().filter_map(Column::note));
        let mut hasher = blake3::Hasher::new();
        columns.iter().for_each(|column| column.hash(&mut hasher));
        let hash = hasher.finalize().to_hex().to_string();
        Ok(Self { name: name.to_owned(), columns, rows, notes, hash })
    }

    /// Some rows of the table, in this order.
    #[must_use]
    pub fn pick(&self, rows: &[usize]) -> Self {
        let columns = self.columns.iter().map(|column| column.pick(rows)).collect();
        Self { columns, rows: rows.len(), ..self.clone() }
    }

    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The table as plain data, with guesses of what may be predicted and what may be sensitive.
    pub fn card(&self) -> TableCard {
        let columns: Vec<ColumnCard> = self.columns.iter().map(Column::card).collect();
        let sensitive: Vec<String> =
            columns.iter().filter(|column| guess::sensitive(column)).map(|column| column.name.clone()).collect();
        let target = guess::target(&columns, &sensitive);
        TableCard { name: self.name.clone(), rows: self.rows, columns, notes: self.notes.clone(), target, sensitive }
    }

    /// The table in words: what `polariscope inspect` says about it.
    pub fn report(&self) -> Report {
        let mut report = Report::new(format!("Table: {}", self.name));
        report.fact("rows", self.rows.to_string());
        report.fact("columns", self.columns.len().to_string());
        for column in &self.columns {
            report.fact(column.name.clone(), column.describe());
        }
        report.warnings.clone_from(&self.notes);
        report
    }
}

#[cfg(test)]
mod tests;
