//! After training: defenses that change a finished model.

pub mod ft;
pub mod ft_sam;
pub mod npd;
mod passes;
pub mod sau;
pub mod tsbd;

use super::Entry;

pub static ALL: &[&Entry] = &[&ft::ENTRY, &ft_sam::ENTRY, &npd::ENTRY, &sau::ENTRY, &tsbd::ENTRY];
