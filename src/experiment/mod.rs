//! What to do, as data: the experiment's spec, its checks, what a method description is, metric definitions, problems.

pub mod audit;
pub mod check;
pub mod fair;
pub mod located;
pub mod measure;
pub mod method;
pub mod metric;
pub mod nearest;
pub mod patch;
pub mod problem;
pub mod schema;
pub mod spec;
pub mod sweep;
pub mod task;

pub use fair::FairExperiment;
pub use method::{Kind, Method, Property};
pub use metric::Scores;
pub use problem::{Code, Halt, Outcome, Problem, Result};
pub use schema::OptionProblem;
pub use spec::{Defender, DeviceChoice, Experiment, LabelMap, Pick, Poison, Precision, Schedule, Train};
pub use task::Spec;
