//! The text files of the classroom: a pack that a teacher hands out, and what students hand in.

use super::hand_in::HandIn;
use super::pack::Pack;
use crate::experiment::{Problem, Result};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// The newest version of both formats.
pub const SCHEMA: u32 = 1;

/// The setting that tells these files from experiments.
const KIND: &str = "polariscope";
/// Larger text files are not looked into when a folder is searched for hand-ins.
const LARGEST: u64 = 1 << 20;

#[derive(Debug)]
pub enum ClassFile {
    Pack(Box<Pack>),
    HandIn(Box<HandIn>),
}

impl ClassFile {
    /// Nothing where the text is no file of the classroom.
    pub fn read(text: &str) -> Option<Result<Self>> {
        let table: toml::Table = toml::from_str(text).ok()?;
        let kind = table.get(KIND)?.as_str()?.to_owned();
        let schema = table.get("schema").and_then(toml::Value::as_integer).unwrap_or(0);
        Some(match kind.as_str() {
            _ if schema > i64::from(SCHEMA) => Err(Problem::bad_file("This file was made by a newer Polariscope.")
                .because(format!("it has version {schema}, this program knows {SCHEMA}"))
                .remedy("Update Polariscope and open it again.")),
            Pack::KIND => typed(table).and_then(|pack: Pack| pack.checked()).map(|pack| Self::Pack(Box::new(pack))),
            HandIn::KIND => typed(table).map(|work| Self::HandIn(Box::new(work))),
            other => Err(Problem::bad_file(format!("“{other}” is no kind of file that this program knows."))
                .remedy("Known are lesson packs and hand-ins.")),
        })
    }
}

fn typed<T: DeserializeOwned>(table: toml::Table) -> Result<T> {
    table.try_into().map_err(|error: toml::de::Error| {
        Problem::bad_file("This file of the classroom is damaged.")
            .because(error.message())
            .remedy("Ask whoever gave it to you to save it again.")
    })
}

fn text_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_text = |path: &PathBuf| {
        // The ending first: a folder of pictures has many files, and asking each for its size takes time.
        path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"))
            && path.metadata().is_ok_and(|facts| facts.is_file() && facts.len() <= LARGEST)
    };
    let mut files: Vec<_> = entries.map(|entry| entry.path()).filter(is_text).collect();
    files.sort();
    files
}

fn read_hand_in(path: &Path) -> Option<Result<HandIn>> {
    match ClassFile::read(&std::fs::read_to_string(path).ok()?)? {
        Ok(ClassFile::HandIn(work)) => Some(Ok(*work)),
        Ok(ClassFile::Pack(_)) => None,
        Err(problem) => Some(Err(problem.at(path.display()))),
    }
}

/// Whether this is a folder with hand-ins in it.
pub fn holds_hand_ins(folder: &Path) -> bool {
    folder.is_dir() && text_files(folder).iter().any(|path| read_hand_in(path).is_some())
}

/// All hand-ins of a folder, in the order of their names.
pub fn read_hand_ins(folder: &Path) -> Vec<Result<HandIn>> {
    text_files(folder).iter().filter_map(|path| read_hand_in(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_texts_are_left_alone_and_strange_ones_told() {
        assert!(ClassFile::read("name = 'x'\n[data]\nsource = 'fashion-mini'").is_none());
        assert!(ClassFile::read("no toml at all").is_none());
        let said = |text: &str| ClassFile::read(text).unwrap().unwrap_err().to_string();
        assert!(said("polariscope = 'hand-in'\nschema = 99").contains("newer Polariscope"));
        assert!(said("polariscope = 'exam'\nschema = 1").contains("“exam”"));
        assert!(said("polariscope = 'hand-in'\nschema = 1\nseed = 'seven'").contains("damaged"));
        assert!(said("polariscope = 'lesson-pack'\nschema = 1\nlesson = 4").contains("damaged"));
    }

    #[test]
    fn a_folder_gives_its_hand_ins_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("notes.txt", "polariscope = 'hand-in'");
        write("spec.toml", "name = 'x'");
        assert!(!holds_hand_ins(folder.path()));
        let ada = HandIn { name: "Ada".into(), ..HandIn::default() };
        write("ada.toml", &ada.to_toml().unwrap());
        write("broken.toml", "polariscope = 'hand-in'\nschema = 1\nguess = 4");
        assert!(holds_hand_ins(folder.path()));
        let read = read_hand_ins(folder.path());
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].as_ref().unwrap(), &ada);
        assert!(read[1].as_ref().unwrap_err().place.as_ref().unwrap().contains("broken.toml"));
    }
}
