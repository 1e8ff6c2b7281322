//! What an attack will do to its training set, as far as it can be told before anything is trained.

use crate::experiment::{LabelMap, Problem};
use serde::Serialize;

/// Counts, labels and needs of an attack, and what it would be refused for.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PoisonPlan {
    /// The attack in print.
    pub attack: String,
    /// Names of the K classes, in label order.
    pub classes: Vec<String>,
    /// Training pictures of each class.
    pub total: Vec<usize>,
    /// How many of them may be poisoned.
    pub eligible: Vec<usize>,
    /// How many of them are poisoned; nothing where only the run will tell.
    pub poisoned: Option<Vec<usize>>,
    /// What a stamped picture of each class is labelled; nothing for classes that are not poisoned.
    pub label_of: Vec<Option<usize>>,
    pub label_map: Option<LabelMap>,
    /// How many training pictures are poisoned; for an attack that owns its loop, in one epoch and on average.
    pub budget: usize,
    /// The same as a share of the training set: what becomes of the ratio once whole pictures are counted.
    pub ratio: f64,
    /// What happens before and during the training, in sentences.
    pub needs: Vec<String>,
    /// Everything that the run would be refused for.
    pub problems: Vec<Problem>,
}

impl PoisonPlan {
    /// The label map as counts, K x K: true class down, trained label across. Poisoned pictures where they are known,
    /// else those that may be poisoned.
    pub fn matrix(&self) -> Vec<usize> {
        let k = self.classes.len();
        let counts = self.poisoned.as_ref().unwrap_or(&self.eligible);
        let mut matrix = vec![0; k * k];
        for (class, (&count, &label)) in counts.iter().zip(&self.label_of).enumerate() {
            if let Some(cell) = label.and_then(|label| matrix.get_mut(class * k + label)) {
                *cell = count;
            }
        }
        matrix
    }

    /// How many pictures get a label that is not theirs, where it is known.
    pub fn relabelled(&self) -> Option<usize> {
        let counts = self.poisoned.as_ref()?.iter().zip(&self.label_of).enumerate();
        Some(counts.filter(|(class, (_, label))| **label != Some(*class)).map(|(_, (&count, _))| count).sum())
    }
}

/// The name of a label map within a sentence.
pub fn label_map_words(map: LabelMap) -> &'static str {
    match map {
        LabelMap::AllToOne => "all to one",
        LabelMap::AllToAll => "all to all",
        LabelMap::CleanLabel => "clean label",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_has_poisoned_pictures_or_else_those_that_may_become_it() {
        let mut plan = PoisonPlan {
            classes: ["a", "b", "c"].map(String::from).to_vec(),
            eligible: vec![0, 5, 5],
            label_of: vec![None, Some(0), Some(0)],
            ..PoisonPlan::default()
        };
        assert_eq!((plan.matrix(), plan.relabelled()), (vec![0, 0, 0, 5, 0, 0, 5, 0, 0], None));
        plan.poisoned = Some(vec![0, 2, 1]);
        assert_eq!((plan.matrix(), plan.relabelled()), (vec![0, 0, 0, 2, 0, 0, 1, 0, 0], Some(3)));
        plan.label_of = vec![None, Some(1), Some(0)];
        assert_eq!(plan.relabelled(), Some(1), "a label that stays true is not changed");
    }
}
