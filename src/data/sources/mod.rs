//! Where pictures come from: one file per format. What a file is, is told by its content, never by its name.
//!
//! Names are used for two things only: to tell training from test files, and to notice a damaged file among good ones.

mod cifar;
mod cifar_python;
mod embedded;
mod folder;
mod idx;
mod npy;
mod npz;
mod parquet;
mod part;
pub mod photo;
mod pictures;
mod poisoned;
mod report;
mod role;
mod sample;
mod sniff;
#[cfg(test)]
mod testing;

pub use embedded::FASHION_MINI;
pub(crate) use part::available_memory;
pub use poisoned::{open_poisoned, stored_pictures};
pub use sample::{statistics, subset};

use crate::data::Split;
use crate::experiment::problem::Code;
use crate::experiment::spec::DataChoice;
use crate::experiment::{Problem, Result};
use crate::run::PoisonedSet;
use crate::run::event::Report;
use part::Source;
use role::Role;
use sniff::Content;
use std::path::{Path, PathBuf};

/// How a source is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SourceChoice {
    /// Side in pixels to which all pictures are resized; 0 keeps the size of the first picture.
    pub side: usize,
}

impl From<&DataChoice> for SourceChoice {
    fn from(choice: &DataChoice) -> Self {
        Self { side: choice.side }
    }
}

/// Reads a data set: `fashion-mini`, or the path of a file or folder.
///
/// A source with one part only is split: the last sixth of each class, in source order, becomes the test set; its card's
/// name then ends with `(split 5:1)`.
///
/// # Errors
/// A missing path, an unknown or damaged format, or more data than fits into half of the available memory.
pub fn open(source: &str, choice: &SourceChoice) -> Result<Split> {
    let (split, notes) = open_with_notes(source, choice)?;
    for note in notes {
        tracing::warn!("{source}: {note}");
    }
    Ok(split)
}

/// The same, with what the user should know: pictures that were left out, values that were converted.
pub fn open_with_notes(source: &str, choice: &SourceChoice) -> Result<(Split, Vec<String>)> {
    if source == FASHION_MINI {
        return embedded::fashion_mini()?.finish(choice.side);
    }
    let path = Path::new(source);
    if !path.exists() {
        return Err(Problem::new(Code::MissingFile, "There is no data set at this path.")
            .at(path.display())
            .remedy(format!("Check the path, or use the built-in data set `{FASHION_MINI}`.")));
    }
    match find(path, choice.side)? {
        Some(found) => found.finish(choice.side).map_err(|problem| problem.at(path.display())),
        None => Err(not_recognised(path)?),
    }
}

/// What is in a data set; nothing when the path holds no data set of a known format.
///
/// # Errors
/// A data set that is damaged, or a file that cannot be anything: empty, a web page, a Git LFS pointer.
pub fn inspect(path: &Path) -> Result<Option<Report>> {
    if path == Path::new(FASHION_MINI) && !path.exists() {
        let (split, notes) = embedded::fashion_mini()?.finish(0)?;
        return Ok(Some(report::report(&split, notes)));
    }
    if PoisonedSet::lies_at(path) {
        return poisoned::report(path).map(Some);
    }
    let Some(found) = find(path, 0)? else {
        let useless = !path.is_dir() && sniff::sniff(path)?.is_useless();
        return if useless { Err(not_recognised(path)?) } else { Ok(None) };
    };
    let (split, notes) = found.finish(0).map_err(|problem| problem.at(path.display()))?;
    Ok(Some(report::report(&split, notes)))
}

/// Recognises what is at a path and reads it; nothing when it is no data set.
fn find(path: &Path, side: usize) -> Result<Option<Source>> {
    if path.is_dir() {
        if PoisonedSet::lies_at(path) {
            return poisoned::read(path).map(Some);
        }
        for folder in candidates(path)? {
            if let Some(source) = find_files(&folder, sniff::file_name(path), side)? {
                return Ok(Some(source));
            }
        }
        return folder::read(path, side);
    }
    Ok(match sniff::sniff(path)? {
        Content::IdxPictures | Content::IdxLabels => Some(idx::read_file(path)?),
        content @ Content::CifarBinary(_) => {
            let folder = path.parent().unwrap_or(Path::new("."));
            Some(cifar::read_files(folder, sniff::file_name(path), &[(path.to_owned(), content)])?)
        }
        Content::Parquet => Some(parquet::read_files(sniff::file_name(path), &[path.to_owned()], side)?),
        Content::Pickle => cifar_python::read_one(path)?,
        Content::Zip if npz::holds_arrays(path)? => Some(npz::read(path)?),
        _ => None,
    })
}

/// The folder itself, then folders inside it, where data files may lie: `MNIST/raw`, `data`, `cifar-10-batches-bin`.
fn candidates(root: &Path) -> Result<Vec<PathBuf>> {
    const MOST_FOLDERS: usize = 24;
    let mut found = vec![root.to_owned()];
    let mut level = vec![root.to_owned()];
    for _ in 0..2 {
        let mut below = Vec::new();
        for folder in &level {
            if found.len() + below.len() < MOST_FOLDERS {
                below.extend(sniff::entries(folder)?.into_iter().filter(|path| path.is_dir()));
            }
        }
        below.truncate(MOST_FOLDERS - found.len());
        found.extend(below.iter().cloned());
        level = below;
    }
    Ok(found)
}

/// Data files that lie directly in a folder, or in its sub-folders `train`, `test` and the like.
fn find_files(folder: &Path, name: String, side: usize) -> Result<Option<Source>> {
    let mut files = sniffed_files(folder)?;
    for part in folder::sub_folders(folder)?.into_iter().filter(|path| Role::of(&sniff::file_name(path)).is_some()) {
        files.extend(sniffed_files(&part)?);
    }
    let has = |wanted: fn(Content) -> bool| files.iter().any(|(_, content)| wanted(*content));
    let is_idx = |content| matches!(content, Content::IdxPictures | Content::IdxLabels);
    let is_cifar = |content| matches!(content, Content::CifarBinary(_));
    let is_parquet = |content| content == Content::Parquet;
    if has(is_idx) {
        refuse_impostors(&files, idx::looks_like, is_idx, "an IDX file")?;
        return idx::read_files(folder, name, &files).map(Some);
    }
    if has(is_cifar) {
        refuse_impostors(&files, cifar::looks_like, is_cifar, "a CIFAR batch")?;
        return cifar::read_files(folder, name, &files).map(Some);
    }
    if has(is_parquet) {
        refuse_impostors(&files, parquet::looks_like, is_parquet, "a Parquet file")?;
        let shards: Vec<PathBuf> = files.into_iter().filter(|(_, c)| is_parquet(*c)).map(|(path, _)| path).collect();
        return parquet::read_files(name, &shards, side).map(Some);
    }
    let pickles: Vec<PathBuf> =
        files.iter().filter(|(_, content)| *content == Content::Pickle).map(|(path, _)| path.clone()).collect();
    if let Some(source) = cifar_python::read_files(name, &pickles)? {
        refuse_impostors(&files, cifar_python::looks_like, |content| content == Content::Pickle, "a CIFAR batch")?;
        return Ok(Some(source));
    }
    for (path, content) in &files {
        // A damaged zip archive may have been anything, unless its name says more.
        let damaged_is_npz = path.extension().is_some_and(|extension| extension == "npz");
        if *content == Content::Zip && npz::holds_arrays(path).unwrap_or(damaged_is_npz) {
            return npz::read(path).map(Some);
        }
    }
    // Nothing is what its name says: better to tell than to look elsewhere.
    refuse_impostors(&files, idx::looks_like, is_idx, "an IDX file")?;
    refuse_impostors(&files, parquet::looks_like, is_parquet, "a Parquet file")?;
    Ok(None)
}

/// The files in a folder and what they hold; none for a folder of pictures.
fn sniffed_files(folder: &Path) -> Result<Vec<(PathBuf, Content)>> {
    let mut files = Vec::new();
    for path in sniff::entries(folder)?.into_iter().filter(|path| path.is_file()) {
        let content = sniff::sniff(&path)?;
        // There may be thousands more: one look tells.
        if content == Content::Picture && files.is_empty() {
            break;
        }
        files.push((path, content));
    }
    Ok(files)
}

/// A file that has the name of a data file but not its content would be missing from the data set without a word.
fn refuse_impostors(
    files: &[(PathBuf, Content)],
    looks_like: fn(&str) -> bool,
    is: fn(Content) -> bool,
    expected: &str,
) -> Result<()> {
    match files.iter().find(|(path, content)| looks_like(&sniff::file_name(path)) && !is(*content)) {
        Some((path, content)) => Err(content.instead_of(expected, path)),
        None => Ok(()),
    }
}

fn not_recognised(path: &Path) -> Result<Problem> {
    const KNOWN: &str = "Known are IDX (MNIST), CIFAR batches, Hugging Face Parquet, npz, and folders of pictures with one \
                         sub-folder for each class.";
    if path.is_dir() {
        let problem = Problem::bad_input("There is no data set of a known format in this folder.").at(path.display());
        return Ok(problem.remedy(KNOWN));
    }
    Ok(sniff::sniff(path)?.instead_of("a data set of pictures", path).remedy(KNOWN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Memory;

    fn counts(data: &Memory) -> Vec<usize> {
        (0..data.card.classes.len()).map(|class| data.labels.iter().filter(|&&l| l == class as i64).count()).collect()
    }

    /// A folder of real data beside the repository; tests that need it are skipped without it.
    fn real(name: &str) -> Option<PathBuf> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
        if !path.exists() {
            eprintln!("skipped: there is no {}", path.display());
            return None;
        }
        Some(path)
    }

    #[test]
    fn the_built_in_data_set_opens_and_is_inspected() {
        let split = open(FASHION_MINI, &SourceChoice::default()).unwrap();
        assert_eq!(counts(&split.train), [1000; 10]);
        assert_eq!(split.test.pixels.size(), [2000, 3, 28, 28]);
        let report = inspect(Path::new(FASHION_MINI)).unwrap().unwrap();
        assert!(report.facts.contains(&("test pictures per class".to_owned(), "200 each".to_owned())));
    }

    #[test]
    fn what_is_not_there_is_a_missing_file() {
        let problem = open("/no/such/place", &SourceChoice::default()).err().unwrap();
        assert_eq!(problem.code, Code::MissingFile);
        assert!(problem.remedy[0].contains(FASHION_MINI));
    }

    #[test]
    fn files_that_are_no_data_sets_are_told_by_their_content() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes, words) in [
            ("table.idx", &b"age,income\n3,4\n"[..], "CSV"),
            ("page.gz", b"<!DOCTYPE html><html></html>", "web page"),
            ("pointer.parquet", b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer"),
            ("nothing.npz", b"", "empty"),
            ("noise", &[7, 200, 13, 255], "unknown format"),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let problem = testing::problem(&path);
            assert_eq!(problem.code, Code::BadFile);
            assert!(problem.detail[0].contains(words), "{problem}");
        }
        assert!(inspect(&folder.path().join("table.idx")).unwrap().is_none());
        assert!(inspect(&folder.path().join("noise")).unwrap().is_none());
        assert!(inspect(&folder.path().join("nothing.npz")).is_err());
    }

    #[test]
    fn an_empty_folder_is_no_data_set() {
        let folder = tempfile::tempdir().unwrap();
        assert!(testing::problem(folder.path()).headline.contains("no data set"));
        assert!(inspect(folder.path()).unwrap().is_none());
    }

    #[test]
    fn real_cifar_10_parquet() {
        let Some(folder) = real("cifar10") else { return };
        let file = folder.join("test-00000-of-00001.parquet");
        let source = parquet::read_files("CIFAR-10".to_owned(), &[file], 0).unwrap();
        assert_eq!(
            source.classes,
            ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
        );
        assert!(source.notes.is_empty());
        let part = source.test.unwrap();
        let data = testing::memory(3, 32, 32, &part.pixels, &part.labels);
        assert_eq!(counts(&data), [1000; 10]);
        let (mean, std) = statistics(&data);
        let wanted = [0.4941, 0.4851, 0.4504, 0.2448, 0.2422, 0.2606];
        for (found, wanted) in mean.iter().chain(&std).zip(wanted) {
            assert!((found - wanted).abs() < 0.001, "{mean:?} {std:?}");
        }
    }

    #[test]
    fn real_fashion_mnist() {
        let Some(folder) = real("fashion-mnist") else { return };
        let split = open(&folder.to_string_lossy(), &SourceChoice::default()).unwrap();
        assert_eq!(counts(&split.train), [6000; 10]);
        assert_eq!(counts(&split.test), [1000; 10]);
        // The embedded rows are the first of each class.
        let mini = open(FASHION_MINI, &SourceChoice::default()).unwrap();
        assert_eq!(mini.test.pixels.narrow(0, 0, 100), split.test.pixels.narrow(0, 0, 100));
        assert_eq!(mini.test.labels[..100], split.test.labels[..100]);
    }
}
