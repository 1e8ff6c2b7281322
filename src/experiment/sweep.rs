//! A sweep: one experiment, varied. Every combination is an experiment of its own with a run folder of its own, so that an
//! interrupted sweep goes on where it stopped.
//!
//! ```toml
//! base = "cifar10-wrn-attack.toml"    # beside the sweep's file
//!
//! [vary]                              # every value with every other
//! seed = [1, 2, 3]
//!
//! [[case]]                            # and each with every case
//! name = "SIG, 5 %"
//! set = ["attack.id=sig", "poison.ratio=0.05"]
//! ```

use super::problem::{Problem, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// More runs than anybody waits for; a slip of the keyboard should not fill a disk.
const MOST_RUNS: usize = 10_000;

/// What a sweep's file says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// The experiment that is varied; relative to the sweep's file.
    pub base: PathBuf,
    /// Settings by path, with the values that they take in turn.
    #[serde(default)]
    pub vary: BTreeMap<String, Vec<toml::Value>>,
    /// Groups of settings that belong together.
    #[serde(default, rename = "case")]
    pub cases: Vec<Case>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
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
    /// Settings as after `--set`.
    pub set: Vec<String>,
}

impl Sweep {
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| Problem::io("read the sweep", path, &e))?;
        toml::from_str(&text).map_err(|error| {
            Problem::bad_input("This is not a sweep.")
                .at(path.display())
                .because(error.message())
                .remedy("A sweep names a base experiment, values under [vary] and, if wanted, cases under [[case]].")
        })
    }

    /// The base experiment's file.
    pub fn base_of(&self, path: &Path) -> PathBuf {
        path.parent().unwrap_or_else(|| Path::new("")).join(&self.base)
    }

    /// All runs, case by case; of the varied settings the last one changes fastest.
    pub fn variants(&self) -> Result<Vec<Variant>> {
        let whole = Variant { name: String::new(), set: Vec::new() };
        let mut variants: Vec<Variant> = match self.cases.as_slice() {
            [] => vec![whole],
            cases => cases.iter().map(|case| Variant { name: case.name.clone(), set: case.set.clone() }).collect(),
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
            let varied = |variant: &Variant| -> Vec<Variant> {
                let with = |value: &toml::Value| {
                    let said = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    let comma = if variant.name.is_empty() { "" } else { ", " };
                    let name = format!("{}{comma}{} {said}", variant.name, short.replace('_', " "));
                    let set = variant.set.iter().cloned().chain([format!("{path}={value}")]).collect();
                    Variant { name, set }
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
        assert_eq!(
            names,
            ["SIG, ratio 0.01, seed 1", "SIG, ratio 0.01, seed 2", "LF, ratio 0.01, seed 1", "LF, ratio 0.01, seed 2"]
        );
        assert_eq!(variants[1].set, ["attack.id=sig", "poison.ratio=0.01", "seed=2"]);
        assert_eq!(sweep.base_of(Path::new("a/s.toml")), Path::new("a/b.toml"));
    }

    #[test]
    fn a_sweep_of_nothing_is_its_base_and_an_empty_list_is_refused() {
        let alone = sweep("base = 'b.toml'").variants().unwrap();
        assert_eq!(alone, [Variant { name: String::new(), set: Vec::new() }]);
        let problem = sweep("base = 'b.toml'\n[vary]\nseed = []").variants().unwrap_err();
        assert!(problem.headline.contains("no values"));
        let many: Vec<String> = (0..101).map(|n| n.to_string()).collect();
        let list = many.join(", ");
        let text = format!("base = 'b.toml'\n[vary]\nseed = [{list}]\n'train.epochs' = [{list}]");
        assert!(sweep(&text).variants().unwrap_err().headline.contains("more than"));
    }

    #[test]
    fn words_and_numbers_become_settings() {
        let sweep = sweep("base = 'b.toml'\n[vary]\n'attack.id' = ['lf', 'sig']\n");
        let variants = sweep.variants().unwrap();
        assert_eq!((variants[1].name.as_str(), variants[1].set[0].as_str()), ("id sig", "attack.id=\"sig\""));
    }
}
