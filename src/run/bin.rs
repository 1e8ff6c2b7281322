//! The bin: runs that were thrown away wait in `<runs>/.bin/` until it is emptied.

use super::folder::holds_run_files;
use super::lock;
use crate::experiment::{Problem, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Lies among the runs, so that moving there never copies; hidden, so that nobody takes it for a run.
const BIN: &str = ".bin";

/// A run in the bin, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binned {
    pub from: PathBuf,
    pub to: PathBuf,
}

/// Moves a run into the bin of its folder of runs.
///
/// Refuses a run that a process works on, and folders in which this program has never written.
pub fn throw_away(run: &Path) -> Result<Binned> {
    if lock::is_held(run) {
        return Err(Problem::bad_input("A process is working on this run.")
            .at(run.display())
            .remedy("Stop it first, then move the run to the bin."));
    }
    if !holds_run_files(run)? {
        return Err(Problem::bad_input("This folder does not hold a run, so it stays where it is.")
            .at(run.display())
            .remedy("Open the folder and move it by hand."));
    }
    let (Some(runs), Some(name)) = (run.parent(), run.file_name()) else {
        return Err(Problem::bad_input("A run that is the root of a disk cannot be moved.").at(run.display()));
    };
    let bin = runs.join(BIN);
    fs::create_dir_all(&bin).map_err(|error| Problem::io("make the bin", &bin, &error))?;
    let to = free_name(&bin, &name.to_string_lossy());
    fs::rename(run, &to).map_err(|error| Problem::io("move this run to the bin", run, &error))?;
    Ok(Binned { from: run.to_owned(), to })
}

/// Brings a run back to where it was.
pub fn bring_back(binned: &Binned) -> Result<()> {
    if binned.from.exists() {
        return Err(Problem::bad_input("The run cannot come back: its place is taken.")
            .at(binned.from.display())
            .remedy("Move away what is there now, then try again."));
    }
    fs::rename(&binned.to, &binned.from)
        .map_err(|error| Problem::io("bring this run back from the bin", &binned.to, &error))
}

/// How many runs lie in the bin of a folder of runs.
pub fn count(runs: &Path) -> usize {
    fs::read_dir(runs.join(BIN)).map_or(0, |entries| entries.flatten().count())
}

/// Deletes what is in the bin, for ever, and says how many runs that were.
pub fn empty(runs: &Path) -> Result<usize> {
    let bin = runs.join(BIN);
    let emptied = count(runs);
    match fs::remove_dir_all(&bin) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Problem::io("empty the bin", &bin, &error)),
        _ => Ok(emptied),
    }
}

/// The name itself, or with the first number that makes it new.
fn free_name(bin: &Path, name: &str) -> PathBuf {
    let plain = bin.join(name);
    if !plain.exists() {
        return plain;
    }
    let mut numbered = (2_u32..).map(|number| bin.join(format!("{name} ({number})")));
    numbered.find(|path| !path.exists()).unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Index, RunFolder, index::Filter};

    const SPEC: &str = "name = 'First'\n[data]\nsource = 'fashion-mini'\n[network]\nid = 'small-resnet'\n";

    fn run_at(path: &Path) {
        drop(RunFolder::create(path, SPEC).unwrap());
    }

    #[test]
    fn a_run_goes_to_the_bin_and_comes_back() {
        let runs = tempfile::tempdir().unwrap();
        let run = runs.path().join("first");
        run_at(&run);
        RunFolder::open(&run).unwrap().set_tags(&["keep".into()]).unwrap();
        let binned = throw_away(&run).unwrap();
        assert!(!run.exists());
        let mut index = Index::in_memory().unwrap();
        assert_eq!(index.rescan(runs.path()).unwrap(), 0, "the bin is no run");
        bring_back(&binned).unwrap();
        index.rescan(runs.path()).unwrap();
        assert_eq!(index.list(&Filter::default()).unwrap()[0].tags, ["keep"], "it came back with all it had");
    }

    #[test]
    fn names_do_not_collide_and_emptying_is_for_ever() {
        let runs = tempfile::tempdir().unwrap();
        let run = runs.path().join("first");
        run_at(&run);
        let one = throw_away(&run).unwrap();
        run_at(&run);
        let two = throw_away(&run).unwrap();
        assert_ne!(one.to, two.to);
        run_at(&run);
        assert!(bring_back(&one).unwrap_err().headline.contains("taken"));
        assert_eq!(count(runs.path()), 2);
        assert_eq!(empty(runs.path()).unwrap(), 2);
        assert_eq!((count(runs.path()), empty(runs.path()).unwrap()), (0, 0));
        assert!(run.exists(), "only the bin was emptied");
        assert!(bring_back(&two).is_err());
    }

    #[test]
    fn what_is_worked_on_or_is_not_ours_stays() {
        let runs = tempfile::tempdir().unwrap();
        let run = runs.path().join("first");
        let held = RunFolder::create(&run, SPEC).unwrap();
        assert!(throw_away(&run).unwrap_err().headline.contains("working"));
        drop(held);
        fs::remove_file(run.join("spec.toml")).unwrap();
        throw_away(&run).expect("a damaged run may go");
        let holiday = runs.path().join("holiday");
        fs::create_dir(&holiday).unwrap();
        fs::write(holiday.join("beach.jpg"), "sea").unwrap();
        assert!(throw_away(&holiday).is_err() && holiday.exists());
    }
}
