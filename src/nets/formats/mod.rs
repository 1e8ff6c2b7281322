//! Checkpoint formats, one file each.
pub mod recognise;
pub mod safetensors;
use crate::experiment::{Problem, Result};
use crate::nets::Params;
use std::collections::BTreeMap;
pub struct Checkpoint {
    pub params: Params,
    pub metadata: BTreeMap<String, String>,
}
pub fn read(path: &std::path::Path) -> Result<Checkpoint> {
    let (params, metadata) = safetensors::read(path)?;
    Ok(Checkpoint { params, metadata })
}
#[allow(dead_code)]
fn unused() -> Problem {
    Problem::internal("x")
}
