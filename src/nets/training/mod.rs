//! Training: stochastic gradient descent over named parameters, schedules, and the one loop that all methods share.

pub mod adam;
pub mod fit;
pub mod resume;
pub mod schedule;
pub mod sgd;

pub use adam::{Adam, Betas};
pub use fit::{Fit, Round, Step, fit, fit_with};
pub use resume::ResumePoint;
pub use sgd::Sgd;

use super::Params;
use crate::experiment::Result;

/// What moves parameters and remembers how it did.
pub trait Optimiser {
    /// What it remembers, under names that no parameter has: for a resume point.
    fn state(&self) -> Params;

    /// # Errors
    /// The state is that of other parameters.
    fn restore(&mut self, state: &Params) -> Result<()>;
}
