//! After training: defenses that change a finished model.

pub mod ft;
pub mod npd;

use super::Entry;

pub static ALL: &[&Entry] = &[&ft::ENTRY, &npd::ENTRY];
