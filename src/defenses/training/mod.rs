//! During training: defenses that turn a training set which may be poisoned into a model that can be trusted.

pub mod pdb;

use super::Entry;

pub static ALL: &[&Entry] = &[&pdb::ENTRY];
