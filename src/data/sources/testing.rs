//! What tests of several readers share.

use super::{SourceChoice, open};
use crate::data::{Card, Memory};
use crate::experiment::Problem;
use proptest::prelude::*;
use std::path::Path;

/// The problem that opening a path ends with.
pub fn problem(path: &Path) -> Problem {
    match open(&path.to_string_lossy(), &SourceChoice::default()) {
        Ok(_) => panic!("{} opened without a problem", path.display()),
        Err(problem) => problem,
    }
}

/// A data set in memory from `[N, channels, height, width]` pixels.
pub fn memory(channels: usize, height: usize, width: usize, pixels: &[u8], labels: &[i64]) -> Memory {
    let classes = (0..=labels.iter().copied().max().unwrap_or(0)).map(|i| i.to_string()).collect();
    let (name, format, hash) = ("toy".to_owned(), "toy".to_owned(), String::new());
    Memory::new(Card { name, format, classes, height, width, channels, hash }, pixels, labels.to_vec()).unwrap()
}

/// A change to a file: bytes overwritten, then the end cut off.
#[derive(Debug, Clone)]
pub struct Damage {
    writes: Vec<(f64, u8)>,
    keep: f64,
}

impl Damage {
    pub fn apply(&self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        for &(place, value) in &self.writes {
            let index = (place * good.len() as f64) as usize;
            bytes[index] ^= value;
        }
        bytes.truncate((self.keep * good.len() as f64) as usize);
        bytes
    }
}

pub fn damage() -> impl Strategy<Value = Damage> {
    let writes = proptest::collection::vec((0.0..1.0f64, any::<u8>()), 0..4);
    let keep = prop_oneof![3 => Just(1.0), 1 => 0.0..1.0f64];
    (writes, keep).prop_map(|(writes, keep)| Damage { writes, keep })
}
