//! Cells of Parquet columns, read page by page with the checks that the decoders rely on.

use crate::experiment::{Problem, Result};
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::RowGroupReader;
use parquet::schema::types::SchemaDescriptor;

pub(super) fn damaged(error: impl std::fmt::Display) -> Problem {
    Problem::bad_file("This Parquet file is cut off or damaged.")
        .because(error)
        .remedy("Download the file again and compare its size with the original.")
}

/// Hands pages on that say possible things about themselves: the decoders rely on it.
struct CheckedPages {
    pages: Box<dyn PageReader>,
    has_dictionary: bool,
}

impl CheckedPages {
    fn check(&mut self, page: Page) -> parquet::errors::Result<Page> {
        let complaint = match &page {
            // Memory is taken by the declared number of values.
            Page::DictionaryPage { buf, num_values, .. } if *num_values as usize > buf.len() => {
                format!("a dictionary of {num_values} values in {} bytes", buf.len())
            }
            Page::DictionaryPage { .. } => {
                self.has_dictionary = true;
                return Ok(page);
            }
            Page::DataPage { encoding, .. } | Page::DataPageV2 { encoding, .. } => {
                let needs_dictionary = matches!(encoding, Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY);
                if self.has_dictionary || !needs_dictionary {
                    return Ok(page);
                }
                "a page without its dictionary".to_owned()
            }
        };
        Err(ParquetError::General(complaint))
    }
}

impl Iterator for CheckedPages {
    type Item = parquet::errors::Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for CheckedPages {
    fn get_next_page(&mut self) -> parquet::errors::Result<Option<Page>> {
        self.pages.get_next_page()?.map(|page| self.check(page)).transpose()
    }

    fn peek_next_page(&mut self) -> parquet::errors::Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> parquet::errors::Result<()> {
        self.pages.skip_next_page()
    }
}

/// One column of one row group, read batch by batch; nulls stay in their place.
pub(super) struct Cells<T: DataType> {
    pub(super) reader: ColumnReaderImpl<T>,
    /// Definition level of a cell that is there.
    pub(super) full: i16,
}

impl<T: DataType> Cells<T> {
    pub(super) fn next(&mut self, most: usize) -> Result<Vec<Option<T::T>>> {
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let (rows, ..) = self.reader.read_records(most, Some(&mut levels), None, &mut values).map_err(damaged)?;
        if self.full == 0 {
            return Ok(values.into_iter().map(Some).collect());
        }
        let mut values = values.into_iter();
        Ok(levels.into_iter().take(rows).map(|level| if level == self.full { values.next() } else { None }).collect())
    }
}

/// The reader of one leaf column in one row group, and the definition level of a cell that is there.
pub(super) fn open(group: &dyn RowGroupReader, schema: &SchemaDescriptor, leaf: usize) -> Result<(ColumnReader, i16)> {
    let chunk = group.metadata().column(leaf);
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    if start < 0 || chunk.compressed_size() < 0 {
        return Err(damaged(format!("Column {leaf} starts at byte {start}.")));
    }
    let pages = group.get_column_page_reader(leaf).map_err(damaged)?;
    let pages = CheckedPages { pages, has_dictionary: false };
    let column = schema.column(leaf);
    let full = column.max_def_level();
    Ok((get_column_reader(column, Box::new(pages)), full))
}
