//! The built-in demo: a healthy small model, a backdoored one and its polarized twin, trained by this program from
//! `healthy.toml` and `spec.toml`.

use crate::catalogue;
use crate::experiment::{Experiment, Result, check};
use crate::nets::Model;
use crate::nets::formats::embedded::{DEMO_BACKDOORED, DEMO_HEALTHY, DEMO_REPAIRED};
use std::path::Path;

const SPEC: &str = include_str!("../../assets/demo/spec.toml");

/// The demo's experiment and its models: healthy, backdoored, repaired.
pub fn load() -> Result<(Experiment, Vec<(String, Model)>)> {
    let methods = catalogue::all();
    let experiment = check::resolve(&check::parse(SPEC, methods)?, methods);
    let model = |name: &str| Model::open(Path::new(name), 0);
    Ok((
        experiment,
        vec![
            ("healthy".into(), model(DEMO_HEALTHY)?),
            ("backdoored".into(), model(DEMO_BACKDOORED)?),
            ("repaired by a polarizer".into(), model(DEMO_REPAIRED)?),
        ],
    ))
}
