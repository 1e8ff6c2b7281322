//! The built-in demo: a backdoored small model and its polarized twin, trained by this program from `spec.toml`.

use crate::catalogue;
use crate::experiment::{Experiment, Result, check};
use crate::nets::{Model, formats};

const SPEC: &str = include_str!("../../assets/demo/spec.toml");
const ATTACKED: &[u8] = include_bytes!("../../assets/demo/attacked.safetensors");
const POLARIZED: &[u8] = include_bytes!("../../assets/demo/npd.safetensors");

/// The demo's experiment and its models: backdoored, then repaired.
pub fn load() -> Result<(Experiment, Vec<(String, Model)>)> {
    let methods = catalogue::all();
    let experiment = check::resolve(&check::parse(SPEC, methods)?, methods);
    let model = |bytes: &[u8]| Model::from_checkpoint(formats::read_bytes(bytes)?, 0);
    Ok((
        experiment,
        vec![("backdoored".into(), model(ATTACKED)?), ("repaired by a polarizer".into(), model(POLARIZED)?)],
    ))
}
