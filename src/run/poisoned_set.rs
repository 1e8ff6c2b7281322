//! A poisoned set in a folder, as plain data: what was asked for, what lies there, how to train on it again.
//!
//! ```text
//! poisoned-set.json                          what this is: [`PoisonedSet`]
//! manifest.csv                               a line for each picture (see `data::manifest`)
//! bd_train_dataset/<true label>/<row>.png    the stamped training pictures
//! bd_test_dataset/<true label>/<row>.png     the stamped test pictures, on which the attack is judged
//! cross_test_dataset/<true label>/<row>.png  disturbed test pictures that must not work, where the attack has them
//! clean_train_dataset/<true label>/<row>.png training pictures without the trigger: the twins of the stamped ones, or all
//! clean_test_dataset/<true label>/<row>.png  all test pictures without the trigger, where everything was exported
//! attack_result.pt                           model and bookkeeping for BackdoorBench, of finished runs on whole data sets
//! ```
//!
//! The tree is that of BackdoorBench's results. Rows count from 0 in the training or test set of the experiment, after
//! its subset was drawn.

use crate::experiment::{Code, Experiment, Pick, Problem, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// The stamped pictures, and the clean twins of those in the training set.
    #[default]
    Poison,
    /// All pictures, so that the folder stands alone.
    Everything,
    /// The stamped test pictures only.
    TestOnly,
}

/// Whose poisoned set it is.
#[derive(Debug, Clone)]
pub enum PoisonSource {
    /// A run, with what it has crafted and chosen.
    Run(PathBuf),
    /// An experiment that need not have run.
    Spec(String),
}

/// An order to write a poisoned set.
#[derive(Debug, Clone)]
pub struct PoisonExport {
    pub from: PoisonSource,
    /// The new folder.
    pub out: PathBuf,
    pub extent: Extent,
}

/// The training or the test part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartFacts {
    pub rows: usize,
    pub stamped: usize,
    /// BLAKE3 of the clean pixels and labels, as in the data card.
    pub hash: String,
}

/// `poisoned-set.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoisonedSet {
    pub format: u32,
    /// For whoever finds the folder.
    pub notice: String,
    /// Version of the program that wrote it.
    pub program: String,
    /// The data set that was poisoned.
    pub name: String,
    /// Names in label order.
    pub classes: Vec<String>,
    pub height: usize,
    pub width: usize,
    /// Colour channels of the clean pictures: 1 or 3.
    pub channels: usize,
    pub extent: Extent,
    pub train: PartFacts,
    pub test: PartFacts,
    /// The experiment that it belongs to, with every default written out.
    pub experiment: Experiment,
}

impl PoisonedSet {
    pub const FILE: &str = "poisoned-set.json";
    pub const MANIFEST: &str = "manifest.csv";
    pub const FORMAT: u32 = 1;
    pub const NOTICE: &str = "This data set was poisoned on purpose, for research and teaching. A network that is trained \
                              on it gets a backdoor.";
    /// The attack that takes its pictures from such a folder.
    pub const ATTACK: &str = "stored";

    /// Whether a poisoned set lies in this folder.
    pub fn lies_at(folder: &Path) -> bool {
        folder.join(Self::FILE).is_file()
    }

    /// Reads the description of a set.
    ///
    /// # Errors
    /// A missing or damaged file, or one of a newer version.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(Self::FILE);
        let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Problem::new(Code::MissingFile, "There is no poisoned set in this folder.")
                .at(folder.display())
                .because(format!("There is no {} in it.", Self::FILE))
                .remedy("Write one with `polariscope export-poison RUN`."),
            _ => Problem::io("read this poisoned set", &path, &error),
        })?;
        let damaged = |e: &dyn std::fmt::Display| {
            damaged("The description of this poisoned set is damaged.").at(path.display()).because(e)
        };
        let value: Value = serde_json::from_slice(&bytes).map_err(|e| damaged(&e))?;
        if value["format"].as_u64().is_some_and(|format| format > u64::from(Self::FORMAT)) {
            return Err(Problem::bad_input("This poisoned set was written by a newer version of Polariscope.")
                .at(path.display())
                .remedy("Update Polariscope."));
        }
        let set: Self = serde_json::from_value(value).map_err(|e| damaged(&e))?;
        let classes = set.classes.len() as i64;
        let sound = (0..classes).contains(&set.experiment.poison.target)
            && [1, 3].contains(&set.channels)
            && [set.height, set.width].iter().all(|side| (1..=1 << 14).contains(side));
        if sound { Ok(set) } else { Err(damaged(&"classes, target, channels and size do not fit each other")) }
    }

    /// The same experiment with its poison taken from `folder`, and its data too where all of them are there.
    pub fn retrain(&self, folder: &Path) -> Result<Experiment> {
        if self.extent == Extent::TestOnly {
            return Err(Problem::bad_input(
                "There are only stamped test pictures in this folder, nothing to train on.",
            )
            .at(folder.display())
            .remedy("Measure a model with it: `polariscope eval --trigger FOLDER`."));
        }
        let folder = std::path::absolute(folder).map_err(|error| Problem::io("find this folder", folder, &error))?;
        let mut again = self.experiment.clone();
        again.attack = Some(Self::attack(&folder));
        again.selection = None;
        if self.extent == Extent::Everything {
            again.data.source = folder.display().to_string();
            (again.data.train_rows, again.data.test_rows, again.data.side) = (0, 0, 0);
        }
        if !again.name.is_empty() {
            again.name += ", stored poison";
        }
        Ok(again)
    }

    /// The attack that stamps what lies in this folder.
    pub fn attack(folder: &Path) -> Pick {
        let options = Map::from_iter([("folder".to_owned(), json!(folder))]);
        Pick { id: Self::ATTACK.to_owned(), options }
    }

    /// The data that this set was made from, in words: what must be set to use it with its original.
    pub fn original(&self) -> String {
        let data = &self.experiment.data;
        let mut words = format!("data.source = \"{}\"", data.source);
        for (name, value) in [("train_rows", data.train_rows), ("test_rows", data.test_rows), ("side", data.side)] {
            if value > 0 {
                words += &format!(", data.{name} = {value}");
            }
        }
        if data.train_rows > 0 || data.test_rows > 0 {
            words += &format!(", seed = {}", self.experiment.seed);
        }
        words
    }

    /// `60 stamped training pictures of 600 and 180 stamped test pictures of 200`.
    pub fn counts(&self) -> String {
        let test = format!("{} stamped test pictures of {}", self.test.stamped, self.test.rows);
        match self.extent {
            Extent::TestOnly => test,
            _ => format!("{} stamped training pictures of {} and {test}", self.train.stamped, self.train.rows),
        }
    }
}

fn damaged(headline: &str) -> Problem {
    Problem::bad_file(headline).remedy("Export the set again.")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A set of 600 + 200 small grey pictures.
    pub fn set(extent: Extent) -> PoisonedSet {
        let experiment = "name = 'small'\nseed = 5\n[data]\nsource = 'fashion-mini'\ntrain_rows = 600\ntest_rows = 200\n\
                          [network]\nid = 'small-resnet'\n[attack]\nid = 'badnets'\n[selection]\nid = 'random'\n";
        PoisonedSet {
            format: PoisonedSet::FORMAT,
            notice: PoisonedSet::NOTICE.to_owned(),
            program: "0".to_owned(),
            name: "small".to_owned(),
            classes: (0..10).map(|class| class.to_string()).collect(),
            height: 28,
            width: 28,
            channels: 1,
            extent,
            train: PartFacts { rows: 600, stamped: 60, hash: "a".to_owned() },
            test: PartFacts { rows: 200, stamped: 180, hash: "b".to_owned() },
            experiment: toml::from_str(experiment).unwrap(),
        }
    }

    #[test]
    fn a_set_is_trained_on_with_its_original_unless_it_stands_alone() {
        let again = set(Extent::Poison).retrain(Path::new("/sets/one")).unwrap();
        assert_eq!((again.data.source.as_str(), again.data.train_rows, again.seed), ("fashion-mini", 600, 5));
        assert_eq!(again.attack.unwrap(), PoisonedSet::attack(Path::new("/sets/one")));
        assert!(again.selection.is_none());
        let alone = set(Extent::Everything).retrain(Path::new("/sets/one")).unwrap();
        assert_eq!((alone.data.source.as_str(), alone.data.train_rows), ("/sets/one", 0));
        let problem = set(Extent::TestOnly).retrain(Path::new("/sets/one")).unwrap_err();
        assert!(problem.headline.contains("only stamped test pictures"), "{problem}");
        assert_eq!(
            set(Extent::Poison).original(),
            "data.source = \"fashion-mini\", data.train_rows = 600, data.test_rows = 200, seed = 5"
        );
    }

    #[test]
    fn what_is_no_set_is_told_apart_from_what_is_damaged_or_newer() {
        let folder = tempfile::tempdir().unwrap();
        let read = || PoisonedSet::read(folder.path());
        assert_eq!(read().unwrap_err().code, Code::MissingFile);
        let write = |text: &str| std::fs::write(folder.path().join(PoisonedSet::FILE), text).unwrap();
        let whole = set(Extent::Poison);
        write(&serde_json::to_string(&whole).unwrap());
        assert_eq!(read().unwrap(), whole);
        for damaged in ["", "[]", "{\"format\": 1}", "nonsense"] {
            write(damaged);
            assert_eq!(read().unwrap_err().code, Code::BadFile, "{damaged}");
        }
        let mut far = whole;
        far.experiment.poison.target = 10;
        write(&serde_json::to_string(&far).unwrap());
        assert_eq!(read().unwrap_err().code, Code::BadFile);
        write("{\"format\": 2}");
        assert!(read().unwrap_err().headline.contains("newer"));
    }
}
