//! What was done: events on their way to the fronts, and the run folder on disk.

pub mod atomic;
pub mod event;
pub mod handle;
pub mod job;
pub mod journal;
