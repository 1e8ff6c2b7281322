//! Checkpoint formats, one file each. Content decides, never the extension; nothing in a file is ever executed.
//!
//! | file | what |
//! |---|---|
//! | `sniff` | which container it is, or what else it is |
//! | `safetensors` | our own format for weights, read and written |
//! | `pytorch` | `torch.save` files of all ages, BackdoorBench results; current ones are written too |
//! | `embedded` | the models inside the program |
//! | `recognise` | which network the weights were made for |
//!
//! Pickles are read by `data::pickle`, which data sources use too.

pub mod embedded;
mod pytorch;
pub mod recognise;
pub mod safetensors;
mod sniff;

pub use pytorch::backdoorbench::{BackdoorBenchResult, PoisonedEntry, PoisonedPicture, PoisonedSet};
pub use pytorch::write::TorchFile;
pub use recognise::{Recognised, recognise};
pub use sniff::{Container, sniff};

use crate::experiment::{Problem, Result};
use crate::nets::Params;
use std::collections::BTreeMap;
use std::path::Path;

/// Larger files are refused: they are read into memory as a whole.
const MAX_FILE: u64 = 8 << 30;

/// What a checkpoint file holds.
#[derive(Debug)]
pub struct Checkpoint {
    pub container: Container,
    /// The weights, on the processor, in the order of the file; wrapper prefixes (`module.`, ...) are taken off.
    pub params: Params,
    /// Plain values beside the weights: epoch, best accuracy, model name, number of classes, ...
    pub facts: Vec<(String, String)>,
    /// The key of the file's dictionary under which the weights were found; `None`: the file is the weights.
    pub chosen_key: Option<String>,
    /// What is in the file but was not read, one line each.
    pub skipped: Vec<String>,
    /// The poison bookkeeping, when this is a BackdoorBench `attack_result.pt`.
    pub backdoorbench: Option<BackdoorBenchResult>,
    /// Text metadata of a safetensors file.
    pub metadata: BTreeMap<String, String>,
}

/// Reads a checkpoint, whatever its container.
///
/// # Errors
/// Files that are missing, too large, damaged, hostile, or not checkpoints; the problem names the file.
/// TorchScript programs are refused here: [`sniff`] tells them apart.
pub fn read(path: &Path) -> Result<Checkpoint> {
    read_bytes(&whole_file(path)?).map_err(|problem| problem.at(path.display()))
}

/// Like [`read`], from memory.
pub fn read_bytes(bytes: &[u8]) -> Result<Checkpoint> {
    match sniff(bytes)? {
        Container::Safetensors => {
            let (params, metadata) = safetensors::read_bytes(bytes)?;
            Ok(Checkpoint {
                container: Container::Safetensors,
                params,
                facts: Vec::new(),
                chosen_key: None,
                skipped: Vec::new(),
                backdoorbench: None,
                metadata,
            })
        }
        Container::TorchScript => Err(Problem::bad_input("This file is a TorchScript program, not plain weights.")
            .because("It holds the code of the network beside its weights.")
            .remedy("Measure it with `polariscope eval`, or save `model.state_dict()` with torch.save.")),
        Container::TorchTar => Err(Problem::bad_file("This file was written by PyTorch before version 0.1.10.")
            .because("Its container, a tar archive of 2016, is not supported.")
            .remedy("Open it in a current PyTorch and save it again with torch.save.")),
        container => pytorch::read(bytes, container),
    }
}

/// The bytes of a file or of an embedded model, unless it is too large to be a checkpoint.
pub fn whole_file(path: &Path) -> Result<Vec<u8>> {
    if let Some(bytes) = embedded::model(path) {
        return Ok(bytes.to_vec());
    }
    let failed = |error| Problem::io("read this file", path, &error);
    let len = std::fs::metadata(path).map_err(failed)?.len();
    if len > MAX_FILE {
        return Err(Problem::bad_input("This file is too large to be read.").at(path.display()).because(format!(
            "It has {:.1} GB; the limit is {} GB.",
            len as f64 / 1e9,
            MAX_FILE >> 30
        )));
    }
    std::fs::read(path).map_err(failed)
}

/// How much memory a file may make us use beyond its own size: strided tensors may repeat elements and archives
/// may be compressed, but only within reason.
#[derive(Debug)]
struct Budget {
    left: usize,
}

impl Budget {
    fn for_file(len: usize) -> Self {
        Self { left: len.saturating_mul(8).saturating_add(64 << 20) }
    }

    fn charge(&mut self, bytes: usize) -> Result<()> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Problem::bad_file("This file unpacks to far more than its size. It is refused.")
                .because(format!("{bytes} more bytes are asked for."))),
        }
    }
}
