//! Keeps what an attacker made at a cost: a surrogate's weights, an optimised pattern. It is found again by everything
//! that it depends on, so that the next run, or a look before the run, need not make it anew.

use crate::experiment::{Code, Outcome, Problem, Result};
use crate::nets::Params;
use crate::nets::formats::safetensors;
use crate::run::job::Job;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The phase in metrics while something is made.
pub const CRAFTING: &str = "crafting";

/// A folder of finished pieces, and whether missing ones may be made now.
#[derive(Debug, Clone, Default)]
pub struct Workshop {
    folder: Option<PathBuf>,
    only_looks: bool,
}

impl Workshop {
    /// Finished pieces lie in `folder`; without one nothing is kept.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, only_looks: false }
    }

    /// Takes what is there and makes nothing: for questions that must be answered at once.
    #[must_use]
    pub fn only_look(self) -> Self {
        Self { only_looks: true, ..self }
    }

    /// Nothing may be made now.
    pub fn only_looks(&self) -> bool {
        self.only_looks
    }

    /// The piece called `what` that depends on `key` and nothing else. `make` may take long; it should tick.
    pub fn piece(
        &self,
        job: &mut Job,
        what: &str,
        key: &impl Serialize,
        make: impl FnOnce(&mut Job) -> Outcome<Params>,
    ) -> Outcome<Params> {
        let path = match &self.folder {
            Some(folder) => Some(folder.join(format!("{what}-{}.safetensors", hash(key)?))),
            None => None,
        };
        // A damaged piece is made again.
        if let Some((params, _)) = path.as_ref().and_then(|path| safetensors::read(path).ok()) {
            job.note(format!("{what}: already made"));
            return Ok(params);
        }
        if self.only_looks {
            return Err(not_made_yet().into());
        }
        let params = make(job)?;
        if let Some(path) = path
            && let Err(problem) = safetensors::write(&path, &params, &BTreeMap::new())
        {
            // The run goes on without it; the next one has to make it again.
            job.warn(problem);
        }
        Ok(params)
    }
}

/// Said wherever a trigger is wanted that only a run can make.
pub fn not_made_yet() -> Problem {
    Problem::new(Code::NotMadeYet, "This trigger is made when the experiment runs, and that has not happened yet.")
        .remedy("Start the experiment: the trigger is made first and then shown.")
}

fn hash(key: &impl Serialize) -> Result<String> {
    let text = serde_json::to_vec(key).map_err(|e| Problem::internal("Cannot name a finished piece.").because(e))?;
    Ok(blake3::hash(&text).to_hex().chars().take(16).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Tensor;

    #[test]
    fn a_piece_is_made_once_for_each_key() {
        let folder = tempfile::tempdir().unwrap();
        let mut job = Job::detached(folder.path(), 1);
        let workshop = Workshop::new(Some(folder.path().to_owned()));
        let mut made = 0;
        let mut piece = |workshop: &Workshop, key: &str| {
            workshop.piece(&mut job, "pattern", &key, |_| {
                made += 1;
                Ok([("v".to_owned(), Tensor::from_slice(&[made as f32]))].into_iter().collect())
            })
        };
        let value = |params: Params| params.get("v").unwrap().double_value(&[0]);
        assert!(piece(&workshop.clone().only_look(), "a").is_err(), "nothing is made while looking");
        assert_eq!(value(piece(&workshop, "a").unwrap()), 1.0);
        assert_eq!(value(piece(&workshop, "b").unwrap()), 2.0);
        assert_eq!(value(piece(&workshop.clone().only_look(), "a").unwrap()), 1.0);
        assert_eq!(value(piece(&Workshop::default(), "a").unwrap()), 3.0, "without a folder nothing is kept");
    }
}
