//! Tables in Parquet: every leaf column of numbers, truth values or text.

use super::column::Builder;
use super::{MOST_COLUMNS, Table, Tick, check_memory};
use crate::data::pages::{self, Cells, damaged};
use crate::experiment::{Halt, Outcome, Problem, Result};
use parquet::basic::{ConvertedType, LogicalType};
use parquet::column::reader::ColumnReader;
use parquet::data_type::DataType;
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

const ROWS_AT_ONCE: usize = 8192;

pub(super) fn read(file: File, name: &str, tick: Tick) -> Outcome<Table> {
    // The decoders check most, but not all of what a damaged page may say by assertions.
    catch_unwind(AssertUnwindSafe(|| read_table(file, name, tick)))
        .unwrap_or_else(|_| Err(Halt::Problem(damaged("A page cannot be decoded."))))
}

fn read_table(file: File, name: &str, tick: Tick) -> Outcome<Table> {
    let file = SerializedFileReader::new(file).map_err(damaged)?;
    let metadata = file.metadata().file_metadata();
    let schema = metadata.schema_descr();
    if schema.num_columns() > MOST_COLUMNS {
        let problem = Problem::bad_file(format!("This table has {} columns.", schema.num_columns()));
        return Err(problem.because(format!("At most {MOST_COLUMNS} can be read.")).into());
    }
    let rows = u64::try_from(metadata.num_rows()).map_err(damaged)?;
    check_memory(rows.saturating_mul(12 * schema.num_columns() as u64), rows)?;
    let mut notes = Vec::new();
    let mut columns = Vec::new();
    for (leaf, column) in schema.columns().iter().enumerate() {
        if column.max_rep_level() > 0 {
            notes.push(format!("`{}` holds lists; it was left out.", column.path().string()));
            continue;
        }
        let mut builder = Builder::new(column.path().string());
        let mut known = true;
        for group in 0..file.num_row_groups() {
            tick()?;
            let group = file.get_row_group(group).map_err(damaged)?;
            known &= read_column(&*group, schema, leaf, column, &mut builder)?;
        }
        if known {
            columns.push(builder.finish());
        } else {
            notes.push(format!("`{}` holds neither numbers nor text; it was left out.", column.path().string()));
        }
    }
    if let Some(odd) = columns.iter().find(|column| column.len() as u64 != rows) {
        let found = format!("{rows} rows are promised, but `{}` has {}.", odd.name, odd.len());
        return Err(damaged(found).into());
    }
    Ok(Table::of(name, columns, notes)?)
}

/// Adds one row group's cells of one column; false where they are of a type that no table can use.
fn read_column(
    group: &dyn RowGroupReader,
    schema: &SchemaDescriptor,
    leaf: usize,
    column: &ColumnDescriptor,
    builder: &mut Builder,
) -> Result<bool> {
    let (reader, full) = pages::open(group, schema, leaf)?;
    let scale = match (column.logical_type_ref(), column.converted_type()) {
        (Some(LogicalType::Decimal { .. }), _) | (_, ConvertedType::DECIMAL) => 10f64.powi(-column.type_scale()),
        _ => 1.0,
    };
    match reader {
        ColumnReader::BoolColumnReader(reader) => {
            each(Cells { reader, full }, builder, |builder, flag| builder.text(if flag { "yes" } else { "no" }))
        }
        ColumnReader::Int32ColumnReader(reader) => {
            each(Cells { reader, full }, builder, |builder, number| builder.number(f64::from(number) * scale))
        }
        ColumnReader::Int64ColumnReader(reader) => {
            each(Cells { reader, full }, builder, |builder, number| builder.number(number as f64 * scale))
        }
        ColumnReader::FloatColumnReader(reader) => {
            each(Cells { reader, full }, builder, |builder, number| builder.number(f64::from(number)))
        }
        ColumnReader::DoubleColumnReader(reader) => {
            each(Cells { reader, full }, builder, |builder, number| builder.number(number))
        }
        ColumnReader::ByteArrayColumnReader(reader) => each(Cells { reader, full }, builder, |builder, bytes| {
            builder.text(&String::from_utf8_lossy(bytes.data()));
        }),
        ColumnReader::Int96ColumnReader(_) | ColumnReader::FixedLenByteArrayColumnReader(_) => return Ok(false),
    }?;
    Ok(true)
}

fn each<T: DataType>(
    mut cells: Cells<T>,
    builder: &mut Builder,
    mut add: impl FnMut(&mut Builder, T::T),
) -> Result<()> {
    loop {
        let batch = cells.next(ROWS_AT_ONCE)?;
        if batch.is_empty() {
            return Ok(());
        }
        for cell in batch {
            match cell {
                Some(cell) => add(builder, cell),
                None => builder.nothing(),
            }
        }
    }
}
