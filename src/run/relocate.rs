//! A run goes on in another folder, where there is room: it is copied whole, then taken away from where it was.

use super::atomic::UNFINISHED;
use super::folder::{RunFolder, name_of};
use super::lock;
use crate::experiment::{Problem, Result};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Moves a run into the folder `into`, where it keeps its name, and says where it lies now.
///
/// Nothing is taken away before everything has arrived: where there is no room either, the run stays as it was. Refuses a
/// run that a process works on, and a place that is taken.
pub fn relocate(run: &Path, into: &Path) -> Result<PathBuf> {
    let old = RunFolder::open(run)?;
    if lock::is_held(run) {
        return Err(Problem::bad_input("A process is working on this run.")
            .at(run.display())
            .remedy("Stop it first, then choose another folder."));
    }
    let name = name_of(run);
    let to = into.join(&name);
    if to.exists() {
        return Err(Problem::bad_input("In that folder there is already something of this name.")
            .at(to.display())
            .remedy("Choose a folder on another disk."));
    }
    fs::create_dir_all(into).map_err(|error| Problem::io("make this folder", into, &error))?;
    // On the same disk nothing has to be copied; that helps where only the folder was full.
    if fs::rename(run, &to).is_ok() {
        return Ok(to);
    }
    let side = into.join(format!("{UNFINISHED}{name}"));
    let copied = copy_whole(run, &side).and_then(|()| fs::rename(&side, &to));
    if let Err(error) = copied {
        // What has arrived so far would only fill the other disk.
        let _ = fs::remove_dir_all(&side);
        return Err(Problem::io("copy the run into that folder", into, &error));
    }
    if let Err(problem) = old.discard() {
        tracing::warn!("the run lies in both places now: {problem}");
    }
    Ok(to)
}

/// Everything but the lock, which belongs to the place, and what a killed process left unfinished.
fn copy_whole(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == lock::FILE || name.to_string_lossy().starts_with(UNFINISHED) {
            continue;
        }
        let (here, there) = (entry.path(), to.join(&name));
        if entry.file_type()?.is_dir() {
            copy_whole(&here, &there)?;
        } else {
            fs::copy(&here, &there)?;
            fs::File::open(&there)?.sync_all()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Found;

    const SPEC: &str = "name = 'First'\n[data]\nsource = 'fashion-mini'\n[network]\nid = 'small-resnet'\n";

    /// A run that has saved a point to continue from.
    fn begun(path: &Path) {
        drop(RunFolder::create(path, SPEC).unwrap());
        fs::create_dir(path.join("resume")).unwrap();
        fs::write(path.join("resume/attack.safetensors"), [1, 2, 3]).unwrap();
        fs::write(path.join(format!("{UNFINISHED}x")), "half").unwrap();
    }

    #[test]
    fn a_run_goes_on_in_the_other_folder() {
        let place = tempfile::tempdir().unwrap();
        let (run, other) = (place.path().join("runs/first"), place.path().join("stick/deep"));
        begun(&run);
        let moved = relocate(&run, &other).unwrap();
        assert_eq!(moved, other.join("first"));
        assert!(!run.exists());
        let (folder, found) = RunFolder::resume(&moved, SPEC).unwrap();
        assert_eq!(found, Found::Begun);
        assert_eq!(fs::read(folder.file("resume/attack.safetensors")).unwrap(), [1, 2, 3]);
        let problem = relocate(&moved, place.path()).unwrap_err();
        assert!(problem.headline.contains("working on this run"), "{problem}");
    }

    #[test]
    fn a_copy_holds_everything_but_locks_and_pieces() {
        let place = tempfile::tempdir().unwrap();
        let (run, copy) = (place.path().join("first"), place.path().join("copy"));
        begun(&run);
        copy_whole(&run, &copy).unwrap();
        let mut names: Vec<_> = fs::read_dir(&copy).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["resume", "spec.toml", "status.json"]);
        assert_eq!(fs::read(copy.join("resume/attack.safetensors")).unwrap(), [1, 2, 3]);
    }

    #[test]
    fn a_run_that_cannot_go_there_stays() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path().join("first");
        begun(&run);
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(relocate(&run, &file).is_err());
        let problem = relocate(&run, place.path()).unwrap_err();
        assert!(problem.headline.contains("already something"), "{problem}");
        assert!(relocate(&place.path().join("nothing"), &file).is_err());
        assert!(run.join("resume/attack.safetensors").exists());
    }
}
