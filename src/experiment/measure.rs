//! What methods watch in themselves while they work: terms of their loss, shares of pictures, lengths. [`super::metric`] holds
//! what a judge says of every model alike.

use Amount::{Plain, Share, Term};

/// What a measure is measured in, and what it is drawn together with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// A share of pictures, 0 to 1.
    Share,
    /// A term of the loss.
    Term,
    /// Of its own kind.
    Plain,
}

/// One thing that a method watches.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// The name in files: `loss-shared`.
    pub id: &'static str,
    pub name: &'static str,
    pub amount: Amount,
    /// One sentence: what it is.
    pub is: &'static str,
}

/// The measure of this name; nothing for metrics that every training has.
pub fn find(id: &str) -> Option<&'static Measure> {
    ALL.iter().find(|measure| measure.id == id)
}

const fn measure(id: &'static str, name: &'static str, amount: Amount, is: &'static str) -> Measure {
    Measure { id, name, amount, is }
}

static ALL: [Measure; 29] = [
    measure("fooled-repaired", "Repaired", Share, "Perturbed pictures that fool the model under repair."),
    measure("fooled-delivered", "Delivered", Share, "Perturbed pictures that fool the model as it was delivered."),
    measure("fooled-both", "Both", Share, "Perturbed pictures that fool both models."),
    measure("fooled-alike", "Shared", Share, "Perturbed pictures that fool both models into the same class."),
    measure("perturbation-hits", "Hits", Share, "Perturbed pictures that get the class which the search aimed at."),
    measure("clean-accuracy", "Clean set", Share, "Pictures of the defender's clean set that get their true class."),
    measure("overlap", "Kept", Share, "Pictures to be poisoned that stayed chosen in this round."),
    measure("density", "Covered", Share, "Pixels that the mask of the trigger covers."),
    measure("loss-clean", "Clean", Term, "On clean pictures."),
    measure("loss-shared", "Shared", Term, "How probable the class is into which the delivered model is fooled."),
    measure("loss-keep", "Keep", Term, "Perturbed pictures should get the answer of the clean ones."),
    measure("loss-wrong", "Wrong", Term, "How probable the best wrong class of perturbed pictures is."),
    measure("loss-target", "Aim", Term, "How probable the class is at which the perturbation aimed."),
    measure("loss-attention-1", "Attention 1", Term, "Distance from the teacher's attention, earliest stage."),
    measure("loss-attention-2", "Attention 2", Term, "Distance from the teacher's attention, middle stage."),
    measure("loss-attention-3", "Attention 3", Term, "Distance from the teacher's attention, last stage."),
    measure("loss-nearby", "Nearby", Term, "At the worst weights in the neighbourhood."),
    measure("loss-worst", "Worst", Term, "Under the worst small change of the neurons."),
    measure(
        "surrogate-loss",
        "Surrogate",
        Term,
        "Of the attacker's own network, on the pictures that are made harder.",
    ),
    measure("gradient-length", "Length of the gradient", Plain, "Over all weights together."),
    measure("perturbation-length", "Length of the perturbation", Plain, "The mean over the pictures."),
    measure("classes-searched", "Classes still searched", Plain, "The search for the others has ended."),
    measure("smallest-mask", "Smallest mask", Plain, "In pixels: the class that needs the smallest patch."),
    measure("median-mask", "Median mask", Plain, "In pixels: what a usual class needs."),
    measure("pruned-channels", "Channels switched off", Plain, "Over all layers."),
    measure("activation", "Activation", Plain, "Of the neuron that the trigger is to excite."),
    measure("mean-score", "Mean score", Plain, "Of all pictures that could be poisoned."),
    measure("score-before", "Score before", Plain, "Of the pictures that were chosen until now."),
    measure("score-after", "Score after", Plain, "Of the pictures that are chosen from now on."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::metric;

    #[test]
    fn names_are_told_apart_and_are_no_metrics() {
        for (index, measure) in ALL.iter().enumerate() {
            assert!(ALL[..index].iter().all(|other| other.id != measure.id), "{}", measure.id);
            assert!(metric::find(measure.id).is_none(), "{}", measure.id);
            assert!(measure.is.ends_with('.'), "{}", measure.id);
        }
    }
}
