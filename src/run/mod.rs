//! What was done: events on their way to the fronts, and the run folder on disk.

pub mod atomic;
pub mod bin;
pub mod checked;
pub mod event;
pub mod fair;
pub mod folder;
pub mod handle;
pub mod index;
pub mod job;
pub mod journal;
pub mod lock;
pub mod model_difference;
pub mod moments;
pub mod poison_plan;
pub mod poisoned_set;
pub mod polarizer;
pub mod process;
pub mod relocate;
pub mod report;
pub mod results;
pub mod review;
pub mod status;
pub mod sweep;
pub mod trigger_form;

pub use checked::{CheckResult, FoundPatch, Subject, Verdict};
pub use folder::{Found, RunFolder};
pub use index::Index;
pub use journal::Journal;
pub use model_difference::ModelDifference;
pub use poison_plan::PoisonPlan;
pub use poisoned_set::PoisonedSet;
pub use results::{FairRow, ResultRow, Results};
pub use review::Review;
pub use status::{State, Status};
pub use trigger_form::{Patch, TriggerForm, WaveShape};
