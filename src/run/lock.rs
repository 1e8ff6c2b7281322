//! One writer per run folder: `lock.json` names the process that works there.
//!
//! The operating system's own lock goes away with its process; the written owner is for people, and for shared disks
//! whose locks do not reach other machines.

use super::process::{Owner, Presence};
use crate::experiment::{Problem, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

pub const FILE: &str = "lock.json";

/// Held while a process writes a run folder; given back when dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of a folder, or says who has it.
    pub fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let fail = |error: io::Error| Problem::io("lock the run folder", &path, &error);
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).map_err(fail)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(taken(&path, owner(folder).ok().flatten())),
            // A file system without locks: the written owner has to do.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(fail)?;
        match parse(&text) {
            Some(owner) if owner.presence() != Presence::Gone => return Err(taken(&path, Some(owner))),
            _ => {}
        }
        let mut lock = Self { file };
        lock.write_owner(&Owner::me()).map_err(fail)?;
        Ok(lock)
    }

    fn write_owner(&mut self, owner: &Owner) -> io::Result<()> {
        let text = serde_json::to_vec(owner)?;
        // The length comes last: a reader in between sees a damaged owner, not none.
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&text)?;
        self.file.set_len(text.len() as u64)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The file stays, empty: removing it could pull it from under a process that has just opened it.
        if let Err(error) = self.file.set_len(0) {
            tracing::warn!("the lock of a run folder could not be given back: {error}");
        }
    }
}

/// Who holds the lock of a folder; `None` when nobody does. Fails when it cannot be told.
pub fn owner(folder: &Path) -> io::Result<Option<Owner>> {
    let text = match std::fs::read_to_string(folder.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    if text.is_empty() {
        return Ok(None);
    }
    parse(&text).map(Some).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// Whether a process works in this folder, as far as can be told.
pub fn is_held(folder: &Path) -> bool {
    matches!(owner(folder), Ok(Some(owner)) if owner.presence() != Presence::Gone)
}

fn parse(text: &str) -> Option<Owner> {
    serde_json::from_str(text).ok()
}

fn taken(path: &Path, owner: Option<Owner>) -> Problem {
    let problem = Problem::bad_input("Another process is working in this run folder.").at(path.display());
    match owner {
        Some(owner) if owner.presence() == Presence::Elsewhere => problem
            .because(format!("Process {} on the machine {} holds it.", owner.pid, owner.host))
            .remedy("Wait for it, or choose another --out.")
            .remedy(format!("If that process does not run any more, delete {}.", path.display())),
        Some(owner) if owner.pid == std::process::id() => {
            problem.because("It is this program itself.").remedy("Wait for the other job, or choose another --out.")
        }
        Some(owner) => problem
            .because(format!("It is process {}.", owner.pid))
            .remedy("Wait for it, stop it, or choose another --out."),
        None => problem.remedy("Wait for it, or choose another --out."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::process::tests::gone;

    fn write(folder: &Path, owner: &Owner) {
        std::fs::write(folder.join(FILE), serde_json::to_vec(owner).unwrap()).unwrap();
    }

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(owner(folder.path()).unwrap(), None);
        let lock = Lock::take(folder.path()).unwrap();
        assert_eq!(owner(folder.path()).unwrap().unwrap().pid, std::process::id());
        let problem = Lock::take(folder.path()).unwrap_err();
        assert!(problem.remedy[0].contains("--out"), "{problem}");
        drop(lock);
        assert_eq!(owner(folder.path()).unwrap(), None);
        drop(Lock::take(folder.path()).unwrap());
    }

    #[test]
    fn a_lock_left_behind_is_recognised() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &gone());
        drop(Lock::take(folder.path()).unwrap());
    }

    #[test]
    fn a_lock_of_another_machine_is_respected() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &Owner { host: "node-17".into(), ..gone() });
        let problem = Lock::take(folder.path()).unwrap_err();
        assert!(problem.to_string().contains("node-17"), "{problem}");
        assert!(problem.remedy[1].contains("lock.json"), "{problem}");
        assert_eq!(owner(folder.path()).unwrap().unwrap().host, "node-17", "it is left as it was");
    }

    #[test]
    fn a_damaged_lock_is_not_an_owner() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "{\"host\"").unwrap();
        assert!(owner(folder.path()).is_err());
        drop(Lock::take(folder.path()).unwrap());
        assert_eq!(owner(folder.path()).unwrap(), None);
    }
}
