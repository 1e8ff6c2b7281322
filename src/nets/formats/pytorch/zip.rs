//! The zip container of `torch.save` since PyTorch 1.6.

use super::Storages;
use crate::experiment::{Problem, Result};
use crate::nets::formats::Budget;
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{Cursor, Read};
use zip::{CompressionMethod, ZipArchive};

/// An archive `<root>/data.pkl`, `<root>/data/<key>`, ...; the root's name differs from writer to writer.
pub struct Archive<'a> {
    file: &'a [u8],
    zip: ZipArchive<Cursor<&'a [u8]>>,
    root: String,
    /// Entries that were unpacked and checked.
    ready: HashMap<String, Cow<'a, [u8]>>,
    budget: Budget,
}

impl<'a> Archive<'a> {
    pub fn open(file: &'a [u8]) -> Result<Self> {
        let zip = ZipArchive::new(Cursor::new(file)).map_err(|error| damaged("data.pkl", error))?;
        let root = zip
            .file_names_raw()
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .filter(|name| name == "data.pkl" || name.ends_with("/data.pkl"))
            .min_by_key(String::len)
            .map(|name| name[..name.len() - "data.pkl".len()].to_owned())
            .ok_or_else(|| Problem::bad_file("This zip archive is not a PyTorch checkpoint: it has no data.pkl."))?;
        let mut archive = Self { file, zip, root, ready: HashMap::new(), budget: Budget::for_file(file.len()) };
        let order = archive.root.clone() + "byteorder";
        if archive.zip.index_for_name(&order).is_some() && archive.entry("byteorder")?.trim_ascii() == b"big" {
            return Err(Problem::bad_file("These weights were written on a big-endian machine.")
                .remedy("Save them again as safetensors."));
        }
        Ok(archive)
    }

    /// The pickle with the structure of what was saved.
    pub fn pickle(&mut self) -> Result<Cow<'a, [u8]>> {
        self.entry("data.pkl")?;
        let name = self.root.clone() + "data.pkl";
        Ok(self.ready.remove(&name).unwrap_or_default())
    }

    fn entry(&mut self, name: &str) -> Result<&[u8]> {
        let name = format!("{}{name}", self.root);
        if !self.ready.contains_key(&name) {
            let content = self.unpack(&name)?;
            self.ready.insert(name.clone(), content);
        }
        Ok(self.ready.get(&name).map_or(&[], |content| &content[..]))
    }

    fn unpack(&mut self, name: &str) -> Result<Cow<'a, [u8]>> {
        let mut entry = self.zip.by_name(name).map_err(|error| damaged(name, error))?;
        let (size, crc) = (entry.size(), entry.crc32());
        if entry.compression() == CompressionMethod::Stored && !entry.encrypted() {
            // As `torch.save` writes it: the data are used where they are.
            let start = entry.data_start().and_then(|start| usize::try_from(start).ok());
            let end = start.and_then(|start| start.checked_add(usize::try_from(size).ok()?));
            let content = start.zip(end).and_then(|(start, end)| self.file.get(start..end));
            let content = content.ok_or_else(|| damaged(name, "it reaches beyond the end of the file"))?;
            // 0 stands for "not computed": PyTorch can be told to save that time.
            if crc != 0 && crc32(content) != crc {
                return Err(damaged(name, "its checksum is wrong"));
            }
            return Ok(Cow::Borrowed(content));
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        self.budget.charge(size)?;
        let mut content = Vec::with_capacity(size);
        let limit = (size as u64).saturating_add(1);
        entry.by_ref().take(limit).read_to_end(&mut content).map_err(|error| damaged(name, error))?;
        if content.len() != size {
            return Err(damaged(name, "its length is not what the archive says"));
        }
        Ok(Cow::Owned(content))
    }
}

impl Storages for Archive<'_> {
    fn storage(&mut self, key: &str) -> Result<&[u8]> {
        self.entry(&format!("data/{key}"))
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn damaged(entry: &str, why: impl std::fmt::Display) -> Problem {
    Problem::bad_file("This PyTorch checkpoint is cut off or damaged.")
        .because(format!("Entry `{entry}` of the zip archive: {why}."))
        .remedy("Copy or download the file again.")
}
