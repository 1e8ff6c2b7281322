//! Which pictures to poison: success depends on the choice, not only on the count. `ALL` is the list of selections.

pub mod random;

use super::{Scene, parse};
use crate::data::Trigger;
use crate::experiment::method::Method;
use crate::experiment::{Outcome, Problem, Result};
use crate::run::job::Job;
use serde_json::Value;

/// A selection's description and its constructor.
pub struct Entry {
    pub method: Method,
    pub make: fn(&Value) -> Result<Box<dyn Selection>>,
}

pub static ALL: &[&Entry] = &[&random::ENTRY];

/// Chooses the poisoned pictures of a data attack.
pub trait Selection {
    /// Whether it looks at the trigger; if not, only the chosen pictures are stamped while a trigger is made.
    fn learns(&self) -> bool;

    /// Chooses exactly `budget` rows out of `scene.rows`, all different. `classes` is the number of classes. `trigger` is
    /// there for selections that learn.
    fn select(&self, job: &mut Job, scene: &Scene, budget: usize, trigger: Option<&dyn Trigger>) -> Outcome<Vec<i64>>;
}

/// The selection `id` with these options.
pub fn make(id: &str, options: &Value) -> Result<Box<dyn Selection>> {
    let entry = ALL.iter().find(|entry| entry.method.id == id).ok_or_else(|| {
        let known: Vec<_> = ALL.iter().map(|entry| entry.method.id).collect();
        Problem::bad_input(format!("There is no selection `{id}`.")).remedy(format!("Known are {}.", known.join(", ")))
    })?;
    (entry.make)(options)
}
