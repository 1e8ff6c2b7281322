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
