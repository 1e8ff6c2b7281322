//! Tables as text: cells between commas, semicolons, tabs or bars, names in the first line, UTF-8.

use super::column::Builder;
use super::{MOST_COLUMNS, Table, Tick, check_memory};
use crate::experiment::{Outcome, Problem, Result};
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use std::io::{ErrorKind, Read};

/// Bytes that are read at a time; also what is looked at to guess the separator.
const BLOCK: usize = 1 << 16;
/// A longer row is no row but a file without line ends.
const LONGEST_ROW: usize = 4 << 20;
/// Rows, or bytes, between two looks at memory and at the signal to stop.
const ROWS_AT_ONCE: usize = 8192;
const BYTES_AT_ONCE: u64 = 64 << 20;

/// Reads a table; `size` is that of the file, where it is known, to tell early that it will not fit.
pub(super) fn read(source: impl Read, name: &str, size: Option<u64>, tick: Tick) -> Outcome<Table> {
    let mut text = Text::new(source)?;
    let separator = guess_separator(text.block());
    let mut rows = Rows {
        reader: ReaderBuilder::new().delimiter(separator).build(),
        cells: vec![0; BLOCK],
        ends: vec![0; 256],
        row: 0,
        begun: false,
    };
    let mut notes = Vec::new();
    let Some(header) = rows.next(&mut text)? else {
        return Err(Problem::bad_file("This table is empty: there is no text in the file.").into());
    };
    let only_numbers = header.iter().all(|cell| cell.trim().parse::<f64>().is_ok());
    let mut columns: Vec<Builder> = names(&header, &mut notes)?.into_iter().map(Builder::new).collect();
    if only_numbers {
        notes.push("The first line holds numbers only; it was taken for the names of the columns.".to_owned());
    }
    let mut next_look = BYTES_AT_ONCE;
    while let Some(cells) = rows.next(&mut text)? {
        if cells.len() != columns.len() {
            let found = cells.len();
            return Err(ragged(rows.row, found, columns.len()).into());
        }
        columns.iter_mut().zip(cells).for_each(|(column, cell)| column.text(cell));
        if rows.row.is_multiple_of(ROWS_AT_ONCE) || text.read >= next_look {
            next_look = text.read + BYTES_AT_ONCE;
            tick()?;
            let used: usize = columns.iter().map(Builder::bytes).sum();
            // What is there, or where this is heading.
            let whole = size.map_or(1.0, |size| size as f64 / text.read as f64).max(1.0);
            check_memory((used as f64 * whole) as u64, (rows.row as f64 * whole) as u64)?;
        }
    }
    Ok(Table::of(name, columns.into_iter().map(Builder::finish).collect(), notes)?)
}

fn ragged(row: usize, found: usize, wanted: usize) -> Problem {
    Problem::bad_file(format!("Row {row} has {found} cells, but there are {wanted} columns."))
        .because("Rows are counted from 1 below the line of names.")
        .remedy("A cell with a separator or a line end inside must stand between quotation marks.")
}

/// Names of the columns: what is nameless gets a number, what is there twice as well.
fn names(header: &[&str], notes: &mut Vec<String>) -> Result<Vec<String>> {
    if header.len() > MOST_COLUMNS {
        return Err(Problem::bad_file(format!("This table has {} columns.", header.len()))
            .because(format!("At most {MOST_COLUMNS} can be read.")));
    }
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    for (index, cell) in header.iter().enumerate() {
        let mut name = cell.trim().to_owned();
        if name.is_empty() {
            name = format!("column {}", index + 1);
            notes.push(format!("Column {} has no name; it is called `{name}`.", index + 1));
        }
        if names.contains(&name) {
            let twice = name.clone();
            name = (2..).map(|n| format!("{twice} ({n})")).find(|name| !names.contains(name)).unwrap_or(twice.clone());
            notes.push(format!("Two columns are called `{twice}`; the second is now `{name}`."));
        }
        names.push(name);
    }
    Ok(names)
}

/// The separator that occurs most often in the first line, quoted cells left out.
fn guess_separator(block: &[u8]) -> u8 {
    let mut quoted = false;
    let mut counts = [0usize; 4];
    const KNOWN: [u8; 4] = [b',', b';', b'\t', b'|'];
    for &byte in block {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if !quoted => KNOWN.iter().zip(&mut counts).filter(|(k, _)| **k == byte).for_each(|(_, n)| *n += 1),
            _ => {}
        }
    }
    let best = (0..KNOWN.len()).rev().max_by_key(|&index| counts[index]).unwrap_or(0);
    KNOWN[best]
}

/// The bytes of the file, block by block, checked to be text.
struct Text<R> {
    source: R,
    block: Vec<u8>,
    at: usize,
    filled: usize,
    read: u64,
}

impl<R: Read> Text<R> {
    fn new(source: R) -> Result<Self> {
        let mut text = Self { source, block: vec![0; BLOCK], at: 0, filled: 0, read: 0 };
        // The first block whole, whatever the pieces in which it comes.
        while text.filled < BLOCK && text.fill()? > 0 {}
        match text.block() {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Err(not_utf8("It is UTF-16, to judge by its first bytes.")),
            [0xef, 0xbb, 0xbf, ..] => text.at = 3,
            _ => {}
        }
        text.check()?;
        Ok(text)
    }

    fn block(&self) -> &[u8] {
        &self.block[self.at..self.filled]
    }

    /// The next block; an empty one at the end of the file.
    fn more(&mut self) -> Result<()> {
        (self.at, self.filled) = (0, 0);
        self.fill()?;
        self.check()
    }

    /// Reads on behind what is there; 0 at the end.
    fn fill(&mut self) -> Result<usize> {
        let read = loop {
            match self.source.read(&mut self.block[self.filled..]) {
                Ok(read) => break read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(Problem::bad_file("This table cannot be read to its end.")
                        .because(error)
                        .remedy("The file is cut off or damaged: fetch it again."));
                }
            }
        };
        self.filled += read;
        self.read += read as u64;
        Ok(read)
    }

    fn check(&self) -> Result<()> {
        if self.block().contains(&0) {
            return Err(Problem::bad_file("This is not a table in text: it has zero bytes inside.")
                .remedy("Tables are CSV (UTF-8) or Parquet files."));
        }
        Ok(())
    }
}

/// Rows of cells out of text.
struct Rows {
    reader: Reader,
    cells: Vec<u8>,
    ends: Vec<usize>,
    /// Number of the row that was read last; the header is row 0.
    row: usize,
    begun: bool,
}

impl Rows {
    /// The next row that is not empty; nothing at the end.
    fn next<R: Read>(&mut self, text: &mut Text<R>) -> Result<Option<Vec<&str>>> {
        let (mut written, mut ended) = (0, 0);
        loop {
            // An empty piece tells the reader that the file has ended.
            if text.block().is_empty() {
                text.more()?;
            }
            let (result, used, out, ends) =
                self.reader.read_record(text.block(), &mut self.cells[written..], &mut self.ends[ended..]);
            text.at += used;
            written += out;
            ended += ends;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    if self.cells.len() >= LONGEST_ROW {
                        return Err(Problem::bad_file(format!("Row {} does not end.", self.row + 1))
                            .because(format!("It is longer than {} MB.", LONGEST_ROW >> 20))
                            .remedy("Is a quotation mark missing? Is this a table at all?"));
                    }
                    self.cells.resize(2 * self.cells.len(), 0);
                }
                ReadRecordResult::OutputEndsFull => {
                    if self.ends.len() > MOST_COLUMNS {
                        return Err(Problem::bad_file(format!("This table has more than {MOST_COLUMNS} columns.")));
                    }
                    self.ends.resize(2 * self.ends.len(), 0);
                }
                ReadRecordResult::Record => {
                    self.row += usize::from(self.begun);
                    self.begun = true;
                    return self.split(ended).map(Some);
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    fn split(&self, ended: usize) -> Result<Vec<&str>> {
        let mut start = 0;
        let mut cells = Vec::with_capacity(ended);
        for &end in &self.ends[..ended] {
            cells.push(std::str::from_utf8(&self.cells[start..end]).map_err(|error| {
                let row = self.row;
                let place = if row == 0 { "the line of names".to_owned() } else { format!("row {row}") };
                not_utf8(&format!("A letter in {place} is not UTF-8: {error}."))
            })?);
            start = end;
        }
        Ok(cells)
    }
}

fn not_utf8(why: &str) -> Problem {
    Problem::bad_file("This table is written in another encoding than UTF-8.")
        .because(why)
        .remedy("Save it as CSV (UTF-8), or convert it: iconv -f latin1 -t utf-8 OLD > NEW.")
}
