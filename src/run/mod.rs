//! What was done: events on their way to the fronts, and the run folder on disk.

pub mod event;
pub mod handle;
