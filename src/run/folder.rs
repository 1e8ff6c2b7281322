//! The run folder: the truth about a run. The index and the window only read it.
//!
//! ```text
//! <runs>/<slug>-<hash8>/
//!   spec.toml       the experiment, every default written out
//!   status.json     state, phase, process, times, problem
//!   machine.json    program, libtorch, device, threads
//!   metrics.jsonl   the journal of metric points
//!   log.jsonl       what the program had to say
//!   data.json       data card, hash, split
//!   plan.json       which training pictures are poisoned
//!   poisoned-set/   the poisoned pictures, where they were exported here
//!   weights/        models as safetensors
//!   trigger.safetensors  what the trigger was made of, for attacks that make it
//!   resume/         resume points
//!   patches/        patches that checks have found, as safetensors
//!   images/         pictures, listed in index.json
//!   results.json    the final table
//!   answers.json    of an audit: the class that the model gave each picture
//!   review.json     what people have decided about an audit, and their notes on pictures
//!   fair.json       of a fair regression: the trade-off in sums, features, rivals
//!   curve.csv       the same curve in points
//!   tags.json       words that people put on the run
//!   note.md         what people wrote about it
//!   lock.json       who writes here now
//! ```

use super::atomic::{UNFINISHED, write_atomic};
use super::event::{Confusion, MetricPoint};
use super::journal;
use super::lock::{self, Lock};
use super::process::Presence;
use super::results::Results;
use super::review::Review;
use super::status::{State, Status};
use crate::experiment::{Experiment, Problem, Result, Spec, check};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A run folder; if it was created or taken up for writing, it is ours until this is dropped.
#[derive(Debug)]
pub struct RunFolder {
    pub path: PathBuf,
    _lock: Option<Lock>,
}

/// What an experiment finds where its run folder shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing that would be lost.
    Fresh,
    /// The same experiment, not finished.
    Begun,
    /// The same experiment with its results.
    Finished,
}

/// A picture of a run, as listed in `images/index.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedImage {
    /// Name inside `images/`.
    pub file: String,
    pub caption: String,
}

/// Where runs go by default: `$POLARISCOPE_RUNS`, else the user's data folder.
pub fn runs_folder() -> Result<PathBuf> {
    place_for(std::env::var_os("POLARISCOPE_RUNS"), |dirs| dirs.data_local_dir().join("runs")).ok_or_else(|| {
        Problem::bad_input("There is no home folder for runs.")
            .remedy("Choose a folder with --out, or set POLARISCOPE_RUNS.")
    })
}

/// Where finished pieces lie that several runs can use: `$POLARISCOPE_CACHE`, else the user's cache folder.
pub fn cache_folder() -> Option<PathBuf> {
    place_for(std::env::var_os("POLARISCOPE_CACHE"), |dirs| dirs.cache_dir().to_owned())
}

/// A folder given by the environment, else one of the user's folders for this program.
pub(super) fn place_for(
    given: Option<OsString>,
    usual: impl FnOnce(&directories::ProjectDirs) -> PathBuf,
) -> Option<PathBuf> {
    match given.filter(|path| !path.is_empty()) {
        Some(path) => Some(PathBuf::from(path)),
        None => directories::ProjectDirs::from("", "", "polariscope").map(|dirs| usual(&dirs)),
    }
}

/// `<slug>-<hash8>` of a resolved experiment: the same experiment finds its own folder again.
pub fn folder_name(resolved: &Experiment) -> String {
    folder_name_of(&Spec::Backdoor(Box::new(resolved.clone())))
}

/// The same for a spec of any task.
pub fn folder_name_of(resolved: &Spec) -> String {
    format!("{}-{}", check::slug(resolved.name()), resolved.hash8())
}

/// The last part of a run folder's path, by which people know it.
pub fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

impl RunFolder {
    /// The class that an audited model gave each picture.
    pub const ANSWERS: &str = "answers.json";
    /// The poison plan.
    pub const PLAN: &str = "plan.json";
    /// What the model said after every epoch; see [`super::moments`].
    pub const MOMENTS: &str = "moments.jsonl";
    /// The pictures that were watched meanwhile.
    pub const MOMENT_SHEETS: &str = "moments";
    /// Where its poisoned set is exported to by default.
    pub const POISONED: &str = "poisoned-set";

    /// Makes a new run folder for a resolved experiment and takes it for writing.
    ///
    /// Refuses a folder with another experiment, with anything that is not a run, or with work that this experiment has
    /// already done there.
    pub fn create(path: &Path, spec: &str) -> Result<Self> {
        let problem = match look(path, spec)? {
            Found::Fresh => return Self::take(path, spec),
            Found::Finished => {
                Problem::bad_input("This experiment is already finished in this folder; its results are there.")
                    .remedy(format!("Look at them with `polariscope show {}`.", path.display()))
                    .remedy("Change `seed` for another run, or choose another --out.")
            }
            Found::Begun => Problem::bad_input("This experiment was begun in this folder and is not finished.")
                .remedy("Continue it with --resume, or choose another --out."),
        };
        Err(problem.at(path.display()))
    }

    /// Takes a folder for writing whatever this experiment has already done there, and says what that is.
    pub fn resume(path: &Path, spec: &str) -> Result<(Self, Found)> {
        let found = look(path, spec)?;
        Ok((Self::take(path, spec)?, found))
    }

    /// Opens a run to look at.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.join("spec.toml").is_file() {
            let problem = Problem::bad_input("This folder does not hold a run.").at(path.display());
            return Err(if path.is_dir() {
                problem.because("There is no spec.toml in it.")
            } else {
                problem.because("There is no such folder.").remedy("See all runs with `polariscope list`.")
            });
        }
        Ok(Self { path: path.to_owned(), _lock: None })
    }

    fn take(path: &Path, spec: &str) -> Result<Self> {
        fs::create_dir_all(path).map_err(|error| Problem::io("make the run folder", path, &error))?;
        let lock = Lock::take(path)?;
        let folder = Self { path: path.to_owned(), _lock: Some(lock) };
        // Somebody may have been here between the look and the lock.
        if look(path, spec)? == Found::Fresh {
            write_atomic(&folder.file("spec.toml"), spec.as_bytes())?;
            folder.set_status(&Status::now(State::Queued))?;
        }
        Ok(folder)
    }

    /// A file or folder inside the run folder.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// `weights/<name>.safetensors`
    pub fn weights(&self, name: &str) -> PathBuf {
        self.path.join("weights").join(format!("{name}.safetensors"))
    }

    /// What the attack's trigger was made of.
    pub fn trigger(&self) -> PathBuf {
        self.file("trigger.safetensors")
    }

    pub fn resume_folder(&self) -> PathBuf {
        self.path.join("resume")
    }

    pub fn journal(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    pub fn spec(&self) -> Result<String> {
        let path = self.file("spec.toml");
        fs::read_to_string(&path).map_err(|error| Problem::io("read the experiment", &path, &error))
    }

    /// The experiment, without the checks that need the list of methods.
    pub fn experiment(&self) -> Result<Experiment> {
        match self.read_spec()? {
            Spec::Backdoor(experiment) => Ok(*experiment),
            Spec::Fair(_) => Err(Problem::bad_input("This run is a fair regression; it has no network.")
                .at(self.path.display())
                .remedy("Open it on the Fairness screen, or with `polariscope show`.")),
        }
    }

    /// The spec of this run, whatever its task, without the checks that need the list of methods.
    pub fn read_spec(&self) -> Result<Spec> {
        Spec::read(&self.spec()?).map_err(|problem| problem.at(self.file("spec.toml").display()))
    }

    pub fn status(&self) -> Result<Status> {
        self.read_json("status.json")
    }

    pub fn set_status(&self, status: &Status) -> Result<()> {
        self.write_json("status.json", status)
    }

    /// The state as it is: a run whose process is gone is interrupted, whatever it wrote last.
    pub fn state(&self) -> Result<State> {
        let status = self.status()?;
        if !status.state.is_active() {
            return Ok(status.state);
        }
        Ok(match lock::owner(&self.path) {
            // Who works holds the lock.
            Ok(None) => State::Interrupted,
            Ok(Some(owner)) if owner.presence() == Presence::Gone => State::Interrupted,
            Ok(Some(_)) => status.state,
            Err(_) => status.true_state(),
        })
    }

    pub fn points(&self) -> Result<Vec<MetricPoint>> {
        journal::load(&self.journal())
    }

    /// `None` as long as there are no results.
    pub fn results(&self) -> Result<Option<Results>> {
        self.read_json_if_there("results.json")
    }

    pub fn set_results(&self, results: &Results) -> Result<()> {
        self.write_json("results.json", results)
    }

    pub fn images(&self) -> Result<Vec<SavedImage>> {
        Ok(self.read_json_if_there("images/index.json")?.unwrap_or_default())
    }

    /// What the models of this run take for what; the newest entry of each phase.
    pub fn confusions(&self) -> Result<Vec<Confusion>> {
        Ok(self.read_json_if_there("confusion.json")?.unwrap_or_default())
    }

    pub fn tags(&self) -> Result<Vec<String>> {
        Ok(self.read_json_if_there("tags.json")?.unwrap_or_default())
    }

    pub fn set_tags(&self, tags: &[String]) -> Result<()> {
        self.write_json("tags.json", &tags)
    }

    /// The class that the model gave each picture of an audit; empty where no check has asked about all of them.
    pub fn answers(&self) -> Result<Vec<u16>> {
        Ok(self.read_json_if_there(Self::ANSWERS)?.unwrap_or_default())
    }

    /// What people have decided about the audit.
    pub fn review(&self) -> Result<Review> {
        Ok(self.read_json_if_there("review.json")?.unwrap_or_default())
    }

    pub fn set_review(&self, review: &Review) -> Result<()> {
        self.write_json("review.json", review)
    }

    /// What people wrote about the run; empty where nobody did.
    pub fn note(&self) -> Result<String> {
        let path = self.file("note.md");
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            result => result.map_err(|error| Problem::io("read the note of this run", &path, &error)),
        }
    }

    /// An empty note removes the file.
    pub fn set_note(&self, note: &str) -> Result<()> {
        let path = self.file("note.md");
        if !note.trim().is_empty() {
            return write_atomic(&path, note.as_bytes());
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Problem::io("remove the note of this run", &path, &error))
            }
            _ => Ok(()),
        }
    }

    /// Writes any plain value as a JSON file, as a whole or not at all.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let path = self.file(name);
        let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| {
            Problem::internal("A file of the run cannot be written.").at(path.display()).because(error)
        })?;
        bytes.push(b'\n');
        write_atomic(&path, &bytes)
    }

    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let path = self.file(name);
        let bytes = fs::read(&path).map_err(|error| Problem::io("read a file of the run", &path, &error))?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Problem::bad_file("A file of the run is damaged or from another version.").at(path.display()).because(error)
        })
    }

    fn read_json_if_there<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        if self.file(name).exists() { self.read_json(name).map(Some) } else { Ok(None) }
    }

    /// Throws the run away: what a run folder holds is removed, what somebody else put there stays.
    pub fn discard(self) -> Result<()> {
        // Windows does not remove what is open.
        drop(self._lock);
        let ours =
            entries(&self.path)?.into_iter().filter(|name| KNOWN.contains(&name.as_str()) || is_unfinished(name));
        let remove = |path: &Path| if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        for name in ours {
            let path = self.path.join(name);
            remove(&path).map_err(|error| Problem::io("remove a file of the run", &path, &error))?;
        }
        match fs::remove_dir(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                Err(Problem::io("remove the run folder", &self.path, &error))
            }
            _ => Ok(()),
        }
    }
}

/// Everything that this program puts into a run folder.
const KNOWN: [&str; 24] = [
    "spec.toml",
    "status.json",
    "machine.json",
    "metrics.jsonl",
    "log.jsonl",
    "data.json",
    RunFolder::PLAN,
    RunFolder::POISONED,
    "weights",
    "trigger.safetensors",
    "resume",
    "patches",
    "images",
    "results.json",
    RunFolder::ANSWERS,
    "review.json",
    "confusion.json",
    RunFolder::MOMENTS,
    RunFolder::MOMENT_SHEETS,
    "fair.json",
    "curve.csv",
    "tags.json",
    "note.md",
    lock::FILE,
];

/// Whether anything in a folder was written by this program; an empty folder counts, there is nothing to lose.
pub(super) fn holds_run_files(path: &Path) -> Result<bool> {
    let names = entries(path)?;
    Ok(names.is_empty() || names.iter().any(|name| KNOWN.contains(&name.as_str())))
}

/// What the experiment finds at `path`; fails when the place is taken by something else.
pub fn look(path: &Path, spec: &str) -> Result<Found> {
    if !path.exists() {
        return Ok(Found::Fresh);
    }
    let names = entries(path)?;
    if !names.iter().any(|name| name == "spec.toml") {
        return match names.iter().find(|name| *name != lock::FILE && !is_unfinished(name)) {
            None => Ok(Found::Fresh),
            Some(stranger) => Err(Problem::bad_input("This folder holds files that are not a run.")
                .at(path.display())
                .because(format!("For example: {stranger}"))
                .remedy("Choose another --out.")),
        };
    }
    let folder = RunFolder { path: path.to_owned(), _lock: None };
    if !same_experiment(&folder.spec()?, spec) {
        return Err(Problem::bad_input("This folder holds another experiment.")
            .at(path.display())
            .remedy("Choose another --out."));
    }
    Ok(match folder.status() {
        Ok(status) if status.state == State::Done => Found::Finished,
        // A start that failed before its first step, for want of a device for example, leaves nothing to keep.
        _ if ["metrics.jsonl", "weights", "resume"].iter().all(|name| is_empty(&path.join(name))) => Found::Fresh,
        _ => Found::Begun,
    })
}

fn same_experiment(one: &str, other: &str) -> bool {
    let nameless = |text: &str| Spec::read(text).map(|spec| spec.nameless());
    one == other || matches!((nameless(one), nameless(other)), (Ok(one), Ok(other)) if one == other)
}

fn entries(path: &Path) -> Result<Vec<String>> {
    let list = || -> io::Result<Vec<String>> {
        fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    };
    list().map_err(|error| Problem::io("look into the folder", path, &error))
}

fn is_unfinished(name: &str) -> bool {
    name.starts_with(UNFINISHED)
}

fn is_empty(path: &Path) -> bool {
    if path.is_dir() {
        fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
    } else {
        fs::metadata(path).map_or(true, |file| file.len() == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Code, Scores};
    use crate::run::journal::Journal;
    use crate::run::process::{Owner, tests::gone};
    use crate::run::results::ResultRow;

    const SPEC: &str = "name = 'First'\nseed = 1\n[data]\nsource = 'fashion-mini'\n[network]\nid = 'small-resnet'\n";

    fn begun(path: &Path) -> RunFolder {
        let folder = RunFolder::create(path, SPEC).unwrap();
        folder.set_status(&Status::now(State::Running)).unwrap();
        let point = MetricPoint { phase: "attack".into(), metric: "acc".into(), epoch: 1.0, value: 0.5 };
        Journal::open(&folder.journal()).unwrap().append(&[point]).unwrap();
        folder
    }

    #[test]
    fn a_new_run_can_be_read_back() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("deep/run");
        let folder = begun(&path);
        assert_eq!(folder.state().unwrap(), State::Running);
        folder.set_tags(&["lecture".into()]).unwrap();
        folder.set_note("Look at the curve.").unwrap();
        assert_eq!(folder.note().unwrap(), "Look at the curve.");
        folder.set_note(" ").unwrap();
        assert_eq!((folder.note().unwrap(), path.join("note.md").exists()), (String::new(), false));
        assert_eq!(folder.results().unwrap(), None);
        let row = ResultRow {
            title: "no defense".into(),
            scores: Scores { acc: 0.5, ..Scores::default() },
            ..ResultRow::default()
        };
        folder.set_results(&Results { rows: vec![row], ..Results::default() }).unwrap();

        let other = RunFolder::open(&path).unwrap();
        assert_eq!(other.experiment().unwrap().name, "First");
        assert_eq!(other.points().unwrap().len(), 1);
        assert_eq!(other.tags().unwrap(), ["lecture"]);
        assert_eq!(other.results().unwrap().unwrap().rows[0].scores.acc, 0.5);
        assert_eq!(other.images().unwrap(), []);
        assert!(other.weights("attacked").ends_with("weights/attacked.safetensors"));
    }

    #[test]
    fn folders_with_something_else_are_refused() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("thesis.tex"), "").unwrap();
        let problem = RunFolder::create(place.path(), SPEC).unwrap_err();
        assert_eq!(problem.headline, "This folder holds files that are not a run.");
        assert_eq!(problem.remedy, ["Choose another --out."]);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing was written");

        let run = place.path().join("run");
        drop(begun(&run));
        let problem = RunFolder::resume(&run, &SPEC.replace("seed = 1", "seed = 2")).unwrap_err();
        assert_eq!(problem.headline, "This folder holds another experiment.");
        assert!(RunFolder::create(&place.path().join("thesis.tex"), SPEC).is_err());
        assert!(RunFolder::open(place.path()).is_err());
    }

    #[test]
    fn work_that_was_done_is_not_overwritten() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("run");
        let folder = begun(&path);
        let problem = RunFolder::create(&path, SPEC).unwrap_err();
        assert!(problem.remedy[0].contains("--resume"), "{problem}");
        assert_eq!(
            RunFolder::resume(&path, SPEC).unwrap_err().headline,
            "Another process is working in this run folder."
        );
        drop(folder);

        let renamed = SPEC.replace("First", "Second");
        let (folder, found) = RunFolder::resume(&path, &renamed).unwrap();
        assert_eq!(found, Found::Begun);
        assert_eq!(folder.points().unwrap().len(), 1);
        folder.set_status(&Status::now(State::Running).ended(State::Done, None)).unwrap();
        drop(folder);
        assert_eq!(RunFolder::resume(&path, SPEC).unwrap().1, Found::Finished);
        let problem = RunFolder::create(&path, SPEC).unwrap_err();
        assert!(problem.headline.contains("already finished") && problem.remedy[1].contains("--out"), "{problem}");
    }

    #[test]
    fn a_start_that_came_to_nothing_may_be_repeated() {
        let place = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(place.path(), SPEC).unwrap();
        let problem = Problem::new(Code::DeviceMissing, "There is no CUDA device.");
        folder.set_status(&Status::now(State::Running).ended(State::Failed, Some(problem))).unwrap();
        drop(folder);
        drop(RunFolder::create(place.path(), SPEC).unwrap());
    }

    #[test]
    fn a_killed_run_is_interrupted() {
        let place = tempfile::tempdir().unwrap();
        let folder = begun(place.path());
        let owner = gone();
        fs::write(folder.file(lock::FILE), serde_json::to_vec(&owner).unwrap()).unwrap();
        assert_eq!(folder.state().unwrap(), State::Interrupted);
        let elsewhere = Owner { host: "node-17".into(), ..owner };
        fs::write(folder.file(lock::FILE), serde_json::to_vec(&elsewhere).unwrap()).unwrap();
        assert_eq!(folder.state().unwrap(), State::Running);
        drop(folder);
        // The lock was given back without a last word in the status.
        assert_eq!(RunFolder::open(place.path()).unwrap().state().unwrap(), State::Interrupted);
        drop(RunFolder::resume(place.path(), SPEC).unwrap());
    }

    #[test]
    fn damaged_files_are_problems() {
        let place = tempfile::tempdir().unwrap();
        drop(begun(place.path()));
        for (name, bytes) in [
            ("status.json", &b"{"[..]),
            ("results.json", b"[]"),
            ("images/index.json", b"\xff"),
            ("spec.toml", b"seed = x"),
        ] {
            let path = place.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let folder = RunFolder::open(place.path()).unwrap();
        assert_eq!(folder.state().unwrap_err().code, Code::BadFile);
        assert!(folder.results().is_err() && folder.images().is_err() && folder.experiment().is_err());
    }

    #[test]
    fn discarding_spares_what_is_not_ours() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("run");
        begun(&path).discard().unwrap();
        assert!(!path.exists());

        let folder = begun(&path);
        fs::write(path.join("notes.txt"), "mine").unwrap();
        folder.discard().unwrap();
        assert_eq!(entries(&path).unwrap(), ["notes.txt"]);
    }

    #[test]
    fn places_come_from_the_environment_first() {
        let usual = |_: &directories::ProjectDirs| PathBuf::from("/usual");
        assert_eq!(place_for(Some("/mine".into()), usual), Some(PathBuf::from("/mine")));
        assert_ne!(place_for(Some("".into()), usual), Some(PathBuf::new()));
        let spec = Spec::read(SPEC).unwrap();
        assert!(folder_name_of(&spec).starts_with("first-"));
        assert_eq!(folder_name_of(&spec).len(), "first-".len() + 8);
    }
}
