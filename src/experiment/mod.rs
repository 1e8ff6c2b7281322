//! What to do, as data: the experiment's spec, its checks, what a method description is, metric definitions, problems.

pub mod method;
pub mod problem;
pub mod spec;

pub use method::{Kind, Method};
pub use problem::{Code, Halt, Outcome, Problem, Result};
pub use spec::{DeviceChoice, Experiment, LabelMap, Pick, Poison, Precision, Schedule, Train};
