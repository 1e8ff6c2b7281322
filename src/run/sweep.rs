//! A sweep on its way to the engine: every variant with its checked spec and the folder of its run, by which a finished
//! one is recognised. Window and command line plan by the same rule.

pub mod summary;

use super::RunFolder;
use super::event::RunRequest;
use super::folder::folder_name_of;
use crate::experiment::sweep::{Sweep, Variant};
use crate::experiment::{Method, Result, Spec};
use std::path::{Path, PathBuf};

/// A run of a sweep, before or after it has run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub variant: Variant,
    /// The experiment as TOML.
    pub spec: String,
    pub folder: PathBuf,
}

impl Planned {
    /// Starts the run, or goes on with what is in its folder.
    pub fn request(&self) -> RunRequest {
        let resume = RunFolder::open(&self.folder).is_ok();
        RunRequest { spec: self.spec.clone(), folder: Some(self.folder.clone()), resume }
    }

    /// The experiment with all its defaults, by which its folder is compared.
    pub fn resolved(&self, methods: &[&'static Method]) -> Result<String> {
        Spec::parse(&self.spec, methods)?.resolve(methods).to_toml()
    }
}

/// All runs with their checked specs, in folders below `runs`: a mistake in any of them is told before the first one
/// starts. `read` makes the spec of a variant from its settings.
pub fn plan(
    sweep: &Sweep,
    runs: &Path,
    methods: &[&'static Method],
    read: impl Fn(&[String]) -> Result<Spec>,
) -> Result<Vec<Planned>> {
    let planned = |variant: Variant| -> Result<Planned> {
        let spec = read(&variant.set).map_err(|problem| problem.because(variant.name.clone()))?;
        let folder = runs.join(folder_name_of(&spec.resolve(methods)));
        Ok(Planned { spec: spec.to_toml()?, folder, variant })
    };
    sweep.variants()?.into_iter().map(planned).collect()
}
