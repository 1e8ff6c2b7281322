//! After training: defenses that change a finished model.

pub mod anp;
pub mod clp;
pub mod fp;
pub mod ft;
pub mod ft_sam;
pub mod i_bau;
pub mod nad;
pub mod nc;
pub mod npd;
mod passes;
pub mod sau;
pub mod tsbd;

use super::Entry;

/// The mission's methods first, then those that they are measured against.
pub static ALL: &[&Entry] = &[
    &npd::ENTRY,
    &sau::ENTRY,
    &ft_sam::ENTRY,
    &tsbd::ENTRY,
    &ft::ENTRY,
    &fp::ENTRY,
    &nad::ENTRY,
    &nc::ENTRY,
    &anp::ENTRY,
    &i_bau::ENTRY,
    &clp::ENTRY,
];
