//! The container of `torch.save` before PyTorch 1.6: five pickles back to back, then raw data.

use super::Storages;
use super::tensors::storage_of;
use crate::data::pickle::{self, Value};
use crate::experiment::{Problem, Result};
use std::collections::HashMap;
use std::ops::Range;

pub struct Legacy<'a> {
    file: &'a [u8],
    /// What was saved.
    pub root: Value,
    /// Where the data of each storage lie.
    storages: HashMap<String, Range<usize>>,
}

impl<'a> Legacy<'a> {
    /// `file` begins with the magic number's pickle.
    pub fn open(file: &'a [u8]) -> Result<Self> {
        let mut at = 0;
        let mut next = || -> Result<pickle::Parsed> {
            let parsed = pickle::parse_with_ids(file.get(at..).unwrap_or_default())?;
            at += parsed.consumed;
            Ok(parsed)
        };
        next()?; // the magic number
        if next()?.value.int() != Some(1001) {
            return Err(damaged("it has an unknown version"));
        }
        if matches!(next()?.value.get("little_endian"), Some(Value::Bool(false))) {
            return Err(Problem::bad_file("These weights were written on a big-endian machine.")
                .remedy("Save them again as safetensors."));
        }
        let saved = next()?;
        let keys = next()?.value;

        // The raw data do not tell their element type; only the references to them do.
        let mut widths = HashMap::new();
        for id in &saved.persistent {
            if let Some(storage) = storage_of(id) {
                widths.insert(storage.key, storage.width);
            }
        }
        let mut storages = HashMap::new();
        for key in keys.items().ok_or_else(|| damaged("the list of its storages is missing"))? {
            let key = key.text().ok_or_else(|| damaged("a storage has no name"))?;
            let count = file.get(at..).and_then(|rest| rest.first_chunk::<8>()).map(|count| i64::from_le_bytes(*count));
            let len = count
                .and_then(|count| usize::try_from(count).ok())
                .zip(widths.get(key))
                .and_then(|(count, width)| count.checked_mul(*width));
            let range = len.and_then(|len| Some(at + 8..(at + 8).checked_add(len)?));
            let range = range.filter(|range| range.end <= file.len());
            let range = range.ok_or_else(|| damaged(format!("the data of storage {key:?} are not complete")))?;
            at = range.end;
            storages.insert(key.to_owned(), range);
        }
        Ok(Self { file, root: saved.value, storages })
    }
}

impl Storages for Legacy<'_> {
    fn storage(&mut self, key: &str) -> Result<&[u8]> {
        let range = self.storages.get(key).cloned();
        range
            .and_then(|range| self.file.get(range))
            .ok_or_else(|| damaged(format!("the data of storage {key:?} are missing")))
    }
}

fn damaged(why: impl std::fmt::Display) -> Problem {
    Problem::bad_file("This PyTorch checkpoint is cut off or damaged.")
        .because(format!("In the format of PyTorch before 1.6: {why}."))
        .remedy("Copy or download the file again.")
}
