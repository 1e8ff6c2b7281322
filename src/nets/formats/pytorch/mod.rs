//! Files of `torch.save`, read without Python: weights, the facts beside them, and BackdoorBench's bookkeeping.

pub mod backdoorbench;
mod legacy;
mod state_dict;
mod tensors;
pub mod write;
mod zip;

use super::{Checkpoint, Container};
use crate::data::pickle::{self, Value, numpy::Number};
use crate::experiment::{Problem, Result};
use crate::nets::Params;
use std::collections::BTreeMap;
use tensors::{Found, Reader};

/// Longest text that counts as a fact, and most members of a list that does.
const FACT_CHARS: usize = 200;
const FACT_MEMBERS: usize = 8;
/// Most lines about what was not read.
const MAX_SKIPPED: usize = 40;
/// How many of the file's top-level keys are looked at for facts.
const MAX_KEYS: usize = 2000;

/// Where the data of tensors are.
pub trait Storages {
    /// The bytes of a storage.
    fn storage(&mut self, key: &str) -> Result<&[u8]>;
}

/// A bare pickle has no storages beside it.
struct Nowhere;

impl Storages for Nowhere {
    fn storage(&mut self, key: &str) -> Result<&[u8]> {
        Err(Problem::bad_file("The data of a tensor are not in this file.")
            .because(format!("A pickle refers to storage {key:?} outside of itself.")))
    }
}

/// Reads a file of one of the PyTorch containers that hold plain weights.
///
/// # Errors
/// Damaged and hostile files, and files without any weights.
pub(super) fn read(bytes: &[u8], container: Container) -> Result<Checkpoint> {
    let (root, storages): (Value, Box<dyn Storages + '_>) = match container {
        Container::TorchZip => {
            let mut archive = zip::Archive::open(bytes)?;
            let pickle = archive.pickle()?;
            (pickle::parse(&pickle)?.0, Box::new(archive))
        }
        Container::TorchLegacy => {
            let legacy = legacy::Legacy::open(bytes)?;
            (legacy.root.clone(), Box::new(legacy))
        }
        Container::PlainPickle => (pickle::parse(bytes)?.0, Box::new(Nowhere)),
        other => return Err(Problem::internal(format!("{} is not read here.", other.name()))),
    };
    let mut reader = Reader::new(storages, bytes.len());
    let mut skipped = Vec::new();

    let (chosen_key, flat) = state_dict::choose(&root)?;
    let params = read_params(flat, &mut reader, &mut skipped)?;
    if params.is_empty() {
        return Err(no_weights(&root, &skipped));
    }
    let mut facts = Vec::new();
    // Without a chosen key the dictionary is the weights: only what is no tensor is a fact.
    for (key, value) in root.pairs().unwrap_or_default().iter().take(MAX_KEYS) {
        let name = state_dict::name_of(key);
        if Some(name.as_str()) == chosen_key || (chosen_key.is_none() && tensors::is_tensor(value)) {
            continue;
        }
        match fact(value, &mut reader) {
            Some(text) => facts.push((name, text)),
            None if matches!(value, Value::None) => {}
            None if chosen_key.is_none() && !state_dict::is_training_state(&name) => {}
            None if matches!(name.as_str(), "bd_train" | "bd_test") => {}
            None => skipped.push(format!("{name}: {}", value.describe())),
        }
    }
    let backdoorbench =
        backdoorbench::is_attack_result(&root).then(|| backdoorbench::read(&root, &mut reader, &mut skipped));
    if skipped.len() > MAX_SKIPPED {
        let more = skipped.len() - MAX_SKIPPED;
        skipped.truncate(MAX_SKIPPED);
        skipped.push(format!("and {more} more"));
    }
    Ok(Checkpoint {
        container,
        params,
        facts,
        chosen_key: chosen_key.map(str::to_owned),
        skipped,
        backdoorbench,
        metadata: BTreeMap::new(),
    })
}

fn read_params(flat: state_dict::Flat, reader: &mut Reader, skipped: &mut Vec<String>) -> Result<Params> {
    let (mut names, mut tensors) = (Vec::new(), Vec::new());
    for (name, value) in &flat.tensors {
        match reader.read(value).map_err(|problem| problem.because(format!("The tensor is `{name}`.")))? {
            Found::Tensor(raw) => {
                names.push(name.clone());
                tensors.push(raw.tensor()?);
            }
            Found::Unsupported(why) => skipped.push(format!("{name}: {why}")),
        }
    }
    state_dict::strip_prefixes(&mut names);
    // Facts are listed elsewhere; objects inside of the weights are worth a line.
    let inner = flat.other.into_iter().filter(|(name, what)| name.contains('.') && what.starts_with("an object"));
    skipped.extend(inner.map(|(name, what)| format!("{name}: {what}")));
    state_dict::apply_masks(names.into_iter().zip(tensors).collect())
}

/// A plain value in words; `None` when it is not plain or too long.
fn fact(value: &Value, reader: &mut Reader) -> Option<String> {
    if let Some(text) = value.text() {
        return (text.len() <= FACT_CHARS).then(|| text.to_owned());
    }
    if let Some(members) = value.items() {
        if members.is_empty() || members.len() > FACT_MEMBERS || members.iter().any(|member| member.items().is_some()) {
            return None;
        }
        let members: Option<Vec<String>> = members.iter().map(|member| fact(member, reader)).collect();
        return members.map(|members| members.join(", "));
    }
    reader.number(value).map(|number| match number {
        Number::Bool(bool) => bool.to_string(),
        Number::Int(int) => int.to_string(),
        Number::Float(float) => float.to_string(),
    })
}

fn no_weights(root: &Value, skipped: &[String]) -> Problem {
    let mut problem = Problem::bad_file("There are no weights in this file.")
        .because(format!("It holds {}.", root.describe()))
        .remedy("Save `model.state_dict()` with torch.save, or open it as data if it is a data set.");
    if let Some(pairs) = root.pairs() {
        let keys: Vec<String> = pairs.iter().take(12).map(|(key, _)| state_dict::name_of(key)).collect();
        problem = problem.because(format!("Its keys: {}", keys.join(", ")));
    }
    skipped.iter().take(5).fold(problem, |problem, line| problem.because(line))
}
