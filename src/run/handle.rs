//! The engine as its fronts see it.

use super::event::{Command, Event, JobId, Picture, Progress};
use crate::experiment::Result;
use std::time::Duration;

/// How the engine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// The worker has dropped its tensors and joined.
    Clean,
    /// The worker did not answer: leave without running C++ destructors (see `run::leave`).
    Forced,
}

/// A worker that runs jobs and answers questions. The real one is `engine::Worker`; tests use a scripted one.
pub trait Engine {
    /// Fails when the command queue is full or the worker is gone.
    fn send(&self, command: Command) -> Result<()>;

    /// Takes up to `most` waiting events; never blocks.
    fn drain(&mut self, most: usize) -> Vec<Event>;

    /// Waits for the next event, at most for `patience`.
    fn wait(&mut self, patience: Duration) -> Option<Event>;

    fn progress(&self, job: JobId) -> Option<Progress>;

    /// The newest pictures of a job, in the order in which their keys first appeared.
    fn pictures(&self, job: JobId) -> Vec<Picture>;

    /// Asks the worker to end and waits for it.
    fn shutdown(&mut self, patience: Duration) -> Shutdown;
}

/// Leaves the process at once, without running destructors: libtorch's static destructors crash beside a live worker.
pub fn leave(code: i32) -> ! {
    // SAFETY: `_exit` takes no pointers and does not return; files that matter were written and renamed before.
    #[expect(unsafe_code, reason = "std::process::exit would run C++ destructors")]
    unsafe {
        libc::_exit(code)
    }
}
