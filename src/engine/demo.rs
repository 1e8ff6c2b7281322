//! The built-in demo: a healthy small model, a backdoored one and its polarized twin, trained by this program from
//! `healthy.toml` and `spec.toml`.

use crate::catalogue;
use crate::experiment::{Experiment, Result, check};
use crate::nets::{Model, formats};

const SPEC: &str = include_str!("../../assets/demo/spec.toml");
const HEALTHY: &[u8] = include_bytes!("../../assets/demo/healthy.safetensors");
const ATTACKED: &[u8] = include_bytes!("../../assets/demo/attacked.safetensors");
const POLARIZED: &[u8] = include_bytes!("../../assets/demo/npd.safetensors");

/// The demo's experiment and its models: healthy, backdoored, repaired.
pub fn load() -> Result<(Experiment, Vec<(String, Model)>)> {
    let methods = catalogue::all();
    let experiment = check::resolve(&check::parse(SPEC, methods)?, methods);
    let model = |bytes: &[u8]| Model::from_checkpoint(formats::read_bytes(bytes)?, 0);
    Ok((
        experiment,
        vec![
            ("healthy".into(), model(HEALTHY)?),
            ("backdoored".into(), model(ATTACKED)?),
            ("repaired by a polarizer".into(), model(POLARIZED)?),
        ],
    ))
}
