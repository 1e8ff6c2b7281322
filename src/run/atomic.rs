//! Files that are either whole or not there, and the check for free space before large ones.

use crate::experiment::{Code, Problem, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Files with this beginning are unfinished; a killed process may leave them behind.
pub const UNFINISHED: &str = ".unfinished-";

/// Writes a file beside its place, makes sure that it is on the disk, and renames it: a reader sees the old file or the
/// new one, never a part. Missing folders are created.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomic_with(path, |file| file.write_all(bytes))
}

/// Like [`write_atomic`] for contents that are written piece by piece.
pub fn write_atomic_with(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    replace(path, folder, write).map_err(|error| Problem::io("write a file", path, &error))
}

fn replace(path: &Path, folder: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)]
    {
        // Temporary files are private by default; what we write is as readable as any other file of the user.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut unfinished = builder.tempfile_in(folder)?;
    write(unfinished.as_file_mut())?;
    unfinished.as_file().sync_all()?;
    unfinished.persist(path).map_err(|failed| failed.error)?;
    // The new name is safe only when the folder is; where folders cannot be opened this is not needed.
    if let Ok(folder) = File::open(folder) {
        drop(folder.sync_all());
    }
    Ok(())
}

/// Adds bytes at the end of a file, in one write; the file and its folder are created when missing.
pub fn append(path: &Path, bytes: &[u8]) -> Result<()> {
    let add = || -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        OpenOptions::new().create(true).append(true).open(path)?.write_all(bytes)
    };
    add().map_err(|error| Problem::io("add to a file", path, &error))
}

/// Fails when the disk of `folder` (which need not exist yet) has less than `bytes` free.
pub fn ensure_space(folder: &Path, bytes: u64) -> Result<()> {
    let existing = folder.ancestors().find(|ancestor| ancestor.is_dir()).unwrap_or(Path::new("."));
    match fs4::available_space(existing) {
        Ok(free) if free < bytes => Err(Problem::new(Code::DiskFull, "There is not enough free space on the disk.")
            .at(folder.display())
            .because(format!("{} are needed, {} are free.", size_in_words(bytes), size_in_words(free)))
            .remedy("Free some space or choose another folder with --out, then repeat with --resume.")),
        Ok(_) => Ok(()),
        // Some file systems do not tell; then the write itself has to.
        Err(_) => Ok(()),
    }
}

/// "1.5 GB".
pub fn size_in_words(bytes: u64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < units.len() {
        size /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{size:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/status.json");
        write_atomic(&path, b"one").unwrap();
        write_atomic(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_failed_write_keeps_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.bin");
        write_atomic(&path, b"good").unwrap();
        let problem = write_atomic_with(&path, |file| {
            file.write_all(b"half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        })
        .unwrap_err();
        assert_eq!(problem.code, Code::DiskFull);
        assert_eq!(fs::read(&path).unwrap(), b"good");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn files_are_readable_like_any_other() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        write_atomic(&folder.path().join("ours"), b"").unwrap();
        fs::write(folder.path().join("plain"), b"").unwrap();
        let mode = |name| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode("ours"), mode("plain"));
    }

    #[test]
    fn a_file_in_the_way_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), b"").unwrap();
        let path = folder.path().join("file/status.json");
        assert!(write_atomic(&path, b"").unwrap_err().place.unwrap().contains("status.json"));
        assert!(append(&path, b"").is_err());
    }

    #[test]
    fn lines_are_added() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/log.jsonl");
        append(&path, b"a\n").unwrap();
        append(&path, b"b\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"a\nb\n");
    }

    #[test]
    fn space_is_checked_where_the_folder_will_be() {
        let folder = tempfile::tempdir().unwrap();
        let planned = folder.path().join("runs/new");
        ensure_space(&planned, 1).unwrap();
        let problem = ensure_space(&planned, u64::MAX).unwrap_err();
        assert_eq!(problem.code, Code::DiskFull);
        assert!(problem.remedy[0].contains("--out"));
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(size_in_words(999), "999 bytes");
        assert_eq!(size_in_words(1_500_000_000), "1.5 GB");
        assert_eq!(size_in_words(u64::MAX), "18446744.1 TB");
    }
}
