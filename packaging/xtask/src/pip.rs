//! Fetching Python wheels with pip, whole and checked; a wheel that is already there is not fetched again.

use crate::process::{Result, answer, find_program, run_talk, say};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The wheels that set-up takes on x86-64 Linux: file name, bytes, SHA-256. Others are checked by pip against its index.
const KNOWN: [(&str, u64, &str); 3] = [
    (
        "torch-2.11.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        530_604_548,
        "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a",
    ),
    (
        "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        2_243_632,
        "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
    ),
    (
        "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl",
        10_715_597,
        "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
    ),
];

/// One Python for all machines, so that everybody gets the same wheel.
const PYTHON_VERSION: &str = "3.11";

/// How pip is called here: as a module of Python, else as a program.
pub fn find() -> Option<Vec<String>> {
    let calls = [vec!["python3", "-m", "pip"], vec!["python", "-m", "pip"], vec!["pip3"], vec!["pip"]];
    // Python itself is needed as well, to unpack.
    python().ok()?;
    let works = |call: &Vec<&str>| answer(Command::new(call[0]).args(&call[1..]).arg("--version")).is_ok();
    calls.into_iter().find(works).map(|call| call.into_iter().map(String::from).collect())
}

fn python() -> Result<PathBuf> {
    let found = find_program("python3").or_else(|| find_program("python"));
    found.ok_or_else(|| "python3 is missing; install it and repeat.".into())
}

/// Runs a command of `wheel.py`.
pub fn script(args: &[&std::ffi::OsStr]) -> Result<String> {
    answer(Command::new(python()?).args(["-c", include_str!("wheel.py")]).args(args))
}

/// A folder of wheels, kept until all of them are unpacked.
pub struct Store {
    folder: PathBuf,
    pip: Vec<String>,
    /// A newer pip than the system's lies in the folder and is used.
    renewed: bool,
    /// pip goes on with a broken download where it stopped.
    resumes: bool,
}

impl Store {
    pub fn open(folder: &Path) -> Result<Store> {
        let pip = find().ok_or("python3 with pip is missing; install it and repeat.")?;
        // pip unpacks into the temporary folder, which is a small one in memory on some machines.
        remove(&folder.join("tmp"))?;
        create(&folder.join("tmp"))?;
        let mut store = Store { folder: folder.to_owned(), pip, renewed: false, resumes: false };
        store.renewed = store.newer().exists();
        store.resumes = store.can_resume();
        if !store.resumes {
            store.renewed = false;
            let install = ["install", "--quiet", "--upgrade", "--disable-pip-version-check", "--target"];
            let place = store.newer();
            // Only an improvement: where it cannot be had, the system's pip has to do.
            store.renewed = answer(store.pip()?.args(install).arg(place).arg("pip>=25.1")).is_ok();
            store.resumes = store.renewed && store.can_resume();
            store.renewed = store.resumes;
        }
        Ok(store)
    }

    fn newer(&self) -> PathBuf {
        self.folder.join("pip")
    }

    fn pip(&self) -> Result<Command> {
        let mut command;
        if self.renewed {
            command = Command::new(python()?);
            command.args(["-m", "pip"]).env("PYTHONPATH", self.newer());
        } else {
            command = Command::new(&self.pip[0]);
            command.args(&self.pip[1..]);
        }
        // Settings that make sense for installing would stop a plain download.
        command.env("TMPDIR", self.folder.join("tmp")).env("PIP_USER", "0").env("PIP_REQUIRE_VIRTUALENV", "0");
        Ok(command)
    }

    /// Since version 25.1.
    fn can_resume(&self) -> bool {
        let version = self.pip().and_then(|mut pip| answer(pip.arg("--version")));
        version.is_ok_and(|text| parse_version(&text) >= Some((25, 1)))
    }

    /// The wheel of one package, without its dependencies.
    pub fn wheel(&self, package: &str, version: &str) -> Result<PathBuf> {
        let start = format!("{}-{version}", package.replace('-', "_"));
        for path in wheels_in(&self.folder).into_iter().filter(|path| file_name(path).starts_with(&start)) {
            match check(&path) {
                Ok(()) => return Ok(path),
                Err(reason) => {
                    say(&format!("{} is fetched again: {reason}", file_name(&path)));
                    remove(&path)?;
                }
            }
        }
        say(&format!("fetching {package} {version}"));
        self.fetch(&format!("{package}=={version}"))
    }

    fn fetch(&self, requirement: &str) -> Result<PathBuf> {
        // Only whole and checked wheels get into the folder itself.
        let arriving = self.folder.join("arriving");
        remove(&arriving)?;
        create(&arriving)?;
        let mut pip = self.pip()?;
        pip.args(["download", "--no-deps", "--no-cache-dir", "--disable-pip-version-check", "--only-binary=:all:"]);
        pip.args(["--implementation", "cp", "--python-version", PYTHON_VERSION, "--retries", "10"]);
        if self.resumes {
            pip.args(["--resume-retries", "20"]);
        }
        run_talk(pip.arg("--dest").arg(&arriving).arg(requirement))
            .map_err(|_| format!("Cannot fetch {requirement}, see above. Repeating keeps what has already arrived."))?;
        let wheels = wheels_in(&arriving);
        let path = wheels.first().ok_or_else(|| format!("pip brought no wheel for {requirement}; repeat, please."))?;
        check(path).map_err(|reason| format!("{} arrived damaged: {reason}. Repeat, please.", file_name(path)))?;
        let place = self.folder.join(file_name(path));
        fs::rename(path, &place).map_err(|error| cannot("move", path, &error))?;
        Ok(place)
    }
}

/// Is the file whole, and the one that is expected under this name?
fn check(path: &Path) -> Result<()> {
    let known = KNOWN.iter().find(|(name, ..)| *name == file_name(path));
    let (size, sha256) = known.map_or((0, ""), |(_, size, sha256)| (*size, *sha256));
    script(&["check".as_ref(), path.as_ref(), size.to_string().as_ref(), sha256.as_ref()]).map(drop)
}

/// `pip 23.2.1 from ...` as `(23, 2)`.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split_whitespace().nth(1)?.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

fn wheels_in(folder: &Path) -> Vec<PathBuf> {
    let files = folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    files.filter(|path| path.extension() == Some("whl".as_ref())).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

pub fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| cannot("create", folder, &error))
}

/// Removes a file, a link or a whole folder; nothing there is fine.
pub fn remove(path: &Path) -> Result<()> {
    let outcome = match path.symlink_metadata() {
        Err(_) => Ok(()),
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    outcome.map_err(|error| cannot("remove", path, &error))
}

pub fn cannot(action: &str, path: &Path, error: &std::io::Error) -> String {
    format!("Cannot {action} {}: {error}.", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pip_versions_are_compared_as_numbers() {
        let resumes = |text: &str| parse_version(text) >= Some((25, 1));
        assert!(resumes("pip 25.1 from /usr/lib/python3/dist-packages/pip (python 3.13)"));
        assert!(resumes("pip 26.3.dev0 from somewhere"));
        assert!(!resumes("pip 9.0.1 from somewhere") && !resumes("pip 25.0.1 from somewhere"));
        assert!(!resumes("no pip here"));
    }
}
