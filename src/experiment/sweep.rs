//! A sweep: one experiment, varied. Every combination is an experiment of its own with a run folder of its own, so that an
//! interrupted sweep goes on where it stopped.
//!
//! ```toml
//! base = "cifar10-wrn-attack.toml"    # beside the sweep's file; or the experiment itself under [experiment]
//!
//! [vary]                              # every value with every other
//! seed = [1, 2, 3]
//!
//! [[case]]                            # and each with every case
//! name = "SIG, 5 %"
//! set = ["attack.id=sig", "poison.ratio=0.05"]
//! ```

use super::problem::{Problem, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// More runs than anybody waits for; a slip of the keyboard should not fill a disk.
const MOST_RUNS: usize = 10_000;

/// What a sweep's file says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// The experiment that is varied; relative to the sweep's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<PathBuf>,
    /// Settings by path, with the values that they take in turn.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vary: BTreeMap<String, Vec<toml::Value>>,
    /// Groups of settings that belong together.
    #[serde(default, rename = "case", skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<Case>,
    /// The experiment itself, where there is no `base`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<toml::Table>,
}

/// What is varied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    File(PathBuf),
    /// As TOML.
    Text(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    /// Settings as after `--set`: `poison.ratio=0.05`.
    pub set: Vec<String>,
}

/// One run of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// What makes it different: `SIG, 5 %, seed 2`.
    pub name: String,
    /// The same without the seed: what runs that repeat each other have in common.
    pub case: String,
    /// Settings as after `--set`.
    pub set: Vec<String>,
}

impl Sweep {
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Problem::io("read the sweep", path, &e))?;
        Self::parse(&text).map_err(|problem| problem.at(path.display()))
    }

    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Problem::bad_input("This is not a sweep.")
                .because(why)
                .remedy("A sweep names a base experiment, values under [vary] and, if wanted, cases under [[case]].")
        };
        let sweep: Self = toml::from_str(text).map_err(|error| wrong(error.message()))?;
        match (&sweep.base, &sweep.experiment) {
            (None, None) => Err(wrong("It has neither `base` nor [experiment].")),
            (Some(_), Some(_)) => Err(wrong("It has both `base` and [experiment].")),
            _ => Ok(sweep),
        }
    }

    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|error| Problem::internal("This sweep cannot be written.").because(error))
    }

    /// What the sweep in the file `path` varies.
    pub fn base_of(&self, path: &Path) -> Result<Base> {
        match (&self.base, &self.experiment) {
            (Some(base), _) => Ok(Base::File(path.parent().unwrap_or_else(|| Path::new("")).join(base))),
            (None, experiment) => {
                let text = toml::to_string(&experiment.clone().unwrap_or_default());
                let text = text.map_err(|error| Problem::internal("This sweep cannot be written.").because(error))?;
                Ok(Base::Text(text))
            }
        }
    }

    /// The same sweep with its experiment in it, so that it no longer needs the file that lies beside `path`.
    pub fn carrying(mut self, path: &Path) -> Result<Self> {
        if let Base::File(base) = self.base_of(path)? {
            let text = std::fs::read_to_string(&base)
                .map_err(|e| Problem::io("read the experiment of the sweep", &base, &e))?;
            let read = toml::from_str(&text);
            self.experiment = Some(read.map_err(|error| {
                Problem::bad_input("The experiment of the sweep cannot be read.")
                    .at(base.display())
                    .because(error.message())
            })?);
            self.base = None;
        }
        Ok(self)
    }

    /// All runs, case by case; of the varied settings the last one changes fastest.
    pub fn variants(&self) -> Result<Vec<Variant>> {
        let case = |name: &str, set: &[String]| Variant { name: name.into(), case: name.into(), set: set.to_vec() };
        let mut variants: Vec<Variant> = match self.cases.as_slice() {
            [] => vec![case("", &[])],
            cases => cases.iter().map(|one| case(&one.name, &one.set)).collect(),
        };
        for (path, values) in &self.vary {
            if values.is_empty() {
                return Err(Problem::bad_input(format!("`{path}` has no values to vary over."))
                    .at(format!("vary.{path}"))
                    .remedy("Give at least one value in the list."));
            }
            if variants.len().saturating_mul(values.len()) > MOST_RUNS {
                return Err(Problem::bad_input(format!("This sweep has more than {MOST_RUNS} runs."))
                    .at(format!("vary.{path}"))
                    .remedy("Vary fewer settings at once."));
            }
            let short = path.rsplit('.').next().unwrap_or(path);
            // A list of one is the same for all runs: it tells none of them apart, unless there is nothing else to tell.
            let tells = values.len() > 1 || (self.cases.is_empty() && self.vary.values().all(|list| list.len() == 1));
            let varied = |variant: &Variant| -> Vec<Variant> {
                let with = |value: &toml::Value| {
                    let said = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    let told = |name: &str| {
                        let comma = if name.is_empty() { "" } else { ", " };
                        format!("{name}{comma}{} {said}", short.replace('_', " "))
                    };
                    let name = if tells { told(&variant.name) } else { variant.name.clone() };
                    let repeats = path == "seed" || !tells;
                    let case = if repeats { variant.case.clone() } else { told(&variant.case) };
                    let set = variant.set.iter().cloned().chain([format!("{path}={value}")]).collect();
                    Variant { name, case, set }
                };
                values.iter().map(with).collect()
            };
            variants = variants.iter().flat_map(varied).collect();
        }
        Ok(variants)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(text: &str) -> Sweep {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn every_value_meets_every_other_and_every_case() {
        let sweep = sweep(
            "base = 'b.toml'\n[vary]\nseed = [1, 2]\n'poison.ratio' = [0.01]\n\
             [[case]]\nname = 'SIG'\nset = ['attack.id=sig']\n[[case]]\nname = 'LF'\nset = ['attack.id=lf']\n",
        );
        let variants = sweep.variants().unwrap();
        let names: Vec<&str> = variants.iter().map(|variant| variant.name.as_str()).collect();
        assert_eq!(names, ["SIG, seed 1", "SIG, seed 2", "LF, seed 1", "LF, seed 2"], "the ratio is the same for all");
        let cases: Vec<&str> = variants.iter().map(|variant| variant.case.as_str()).collect();
        assert_eq!(cases, ["SIG", "SIG", "LF", "LF"], "seeds repeat a case");
        assert_eq!(variants[1].set, ["attack.id=sig", "poison.ratio=0.01", "seed=2"]);
        assert_eq!(sweep.base_of(Path::new("a/s.toml")).unwrap(), Base::File("a/b.toml".into()));
    }

    #[test]
    fn a_sweep_of_nothing_is_its_base_and_an_empty_list_is_refused() {
        let alone = sweep("base = 'b.toml'").variants().unwrap();
        assert_eq!(alone, [Variant { name: String::new(), case: String::new(), set: Vec::new() }]);
        let problem = sweep("base = 'b.toml'\n[vary]\nseed = []").variants().unwrap_err();
        assert!(problem.headline.contains("no values"));
        let many: Vec<String> = (0..101).map(|n| n.to_string()).collect();
        let list = many.join(", ");
        let text = format!("base = 'b.toml'\n[vary]\nseed = [{list}]\n'train.epochs' = [{list}]");
        assert!(sweep(&text).variants().unwrap_err().headline.contains("more than"));
    }

    #[test]
    fn a_sweep_may_carry_its_experiment() {
        let text = "[vary]\nseed = [1, 2]\n[experiment]\nname = 'x'\n[experiment.data]\nsource = 'y'\n";
        let sweep = Sweep::parse(text).unwrap();
        let Base::Text(base) = sweep.base_of(Path::new("s.toml")).unwrap() else { panic!("{sweep:?}") };
        assert!(base.contains("name = \"x\"") && base.contains("[data]"), "{base}");
        assert_eq!(Sweep::parse(&sweep.to_toml().unwrap()).unwrap(), sweep);
        assert_eq!(sweep.clone().carrying(Path::new("s.toml")).unwrap(), sweep, "there is nothing to read");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("b.toml"), "name = 'x'\n[data]\nsource = 'y'\n").unwrap();
        let beside = Sweep::parse("base = 'b.toml'\n[vary]\nseed = [1, 2]\n").unwrap();
        assert_eq!(beside.clone().carrying(&folder.path().join("s.toml")).unwrap(), sweep);
        assert!(beside.carrying(Path::new("/nowhere/s.toml")).is_err());
        for wrong in ["[vary]\nseed = [1]", "base = 'b'\n[experiment]\nname = 'x'", "base = ["] {
            assert!(Sweep::parse(wrong).unwrap_err().headline.contains("not a sweep"), "{wrong}");
        }
    }

    #[test]
    fn words_and_numbers_become_settings() {
        let sweep = sweep("base = 'b.toml'\n[vary]\n'attack.id' = ['lf', 'sig']\n");
        let variants = sweep.variants().unwrap();
        assert_eq!((variants[1].name.as_str(), variants[1].set[0].as_str()), ("id sig", "attack.id=\"sig\""));
    }
}
