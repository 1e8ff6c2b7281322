//! Resume points: what a phase had learned after its last whole epoch.

use crate::experiment::{Problem, Result};
use crate::nets::Params;
use crate::nets::formats::safetensors;
use crate::run::event::JobEvent;
use crate::run::job::Job;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The resume point of one phase, in `resume/<phase>.safetensors` of the run folder.
pub struct ResumePoint {
    path: PathBuf,
    phase: String,
}

impl ResumePoint {
    pub fn of(job: &Job, phase: &str) -> Self {
        Self { path: job.folder().join("resume").join(format!("{phase}.safetensors")), phase: phase.to_owned() }
    }

    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Epochs done, tensors and facts; nothing when there is none. One that cannot be read is as good as none: the
    /// phase then starts again.
    pub fn load<F: DeserializeOwned>(&self, job: &mut Job) -> Option<(usize, Params, F)> {
        self.load_after(job, 0)
    }

    /// The same, but only what lies beyond epoch `after`.
    pub fn load_after<F: DeserializeOwned>(&self, job: &mut Job, after: usize) -> Option<(usize, Params, F)> {
        if !self.path.exists() {
            return None;
        }
        let found = self.peek();
        match &found {
            Some((epoch, ..)) if *epoch <= after => return None,
            Some((epoch, ..)) => job.note(format!("{}: continues after epoch {epoch}", self.phase)),
            None => job.note(format!("{}: its resume point cannot be read, so it starts again", self.phase)),
        }
        found
    }

    /// What is there, without a word.
    pub fn peek<F: DeserializeOwned>(&self) -> Option<(usize, Params, F)> {
        let (state, texts) = safetensors::read(&self.path).ok()?;
        let epoch = texts.get("epoch")?.parse().ok()?;
        Some((epoch, state, serde_json::from_str(texts.get("facts")?).ok()?))
    }

    pub fn save(&self, job: &mut Job, epoch: usize, state: &Params, facts: &impl Serialize) -> Result<()> {
        let facts =
            serde_json::to_string(facts).map_err(|e| Problem::internal("Cannot write a resume point.").because(e))?;
        let texts = BTreeMap::from([("epoch".to_owned(), epoch.to_string()), ("facts".to_owned(), facts)]);
        safetensors::write(&self.path, state, &texts)?;
        job.send(JobEvent::Checkpoint { phase: self.phase.clone(), epoch });
        Ok(())
    }

    /// The phase has finished and its weights are saved. Left behind the file does no harm.
    pub fn remove(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Copies saved values into live tensors of the same names.
pub fn restore_into(live: &Params, state: &Params) -> Result<()> {
    tch::no_grad(|| {
        for (name, tensor) in live.iter() {
            tensor.shallow_clone().copy_(state.get(name)?);
        }
        Ok(())
    })
}
