//! The phases of a run, in their order.

use crate::catalogue;
use crate::defenses::repair::ft;
use crate::experiment::{Experiment, Kind as MethodKind, Pick, Property};

/// Ids of the phases: the attacker's preparation, the training, the checks, the control, the defenses.
pub(super) struct Phases {
    /// The attacker trains something first.
    pub preparation: bool,
    pub training: &'static str,
    /// The model comes trained.
    pub finished: bool,
    pub checks: Vec<(String, Pick)>,
    pub control: bool,
    pub defenses: Vec<(String, Pick)>,
}

/// Picks by names of their own: the second of a kind is `npd-2`.
fn numbered(picks: &[Pick]) -> Vec<(String, Pick)> {
    let mut all: Vec<(String, Pick)> = Vec::new();
    for pick in picks {
        let before = all.iter().filter(|(_, other)| other.id == pick.id).count();
        let id = if before == 0 { pick.id.clone() } else { format!("{}-{}", pick.id, before + 1) };
        all.push((id, pick.clone()));
    }
    all
}

pub(super) fn phases(experiment: &Experiment) -> Phases {
    let repairs = |kind| kind == MethodKind::Repair;
    let control = experiment.attack.is_some()
        && experiment.defender.control
        && experiment.defense.iter().any(|pick| catalogue::find(&pick.id, repairs).is_some())
        && experiment.defense.iter().all(|pick| pick.id != ft::ENTRY.method.id);
    let attack =
        experiment.attack.as_ref().and_then(|pick| catalogue::find(&pick.id, |kind| kind == MethodKind::Attack));
    let selection =
        experiment.selection.as_ref().and_then(|pick| catalogue::find(&pick.id, |kind| kind == MethodKind::Selection));
    let preparation = [attack, selection].into_iter().flatten().any(|method| method.has(Property::Surrogate));
    let network = catalogue::find(&experiment.network.id, |kind| kind == MethodKind::Network);
    Phases {
        preparation,
        training: if experiment.attack.is_some() { "attack" } else { "clean" },
        finished: network.is_some_and(|method| method.has(Property::Finished)),
        checks: numbered(&experiment.check),
        control,
        defenses: numbered(&experiment.defense),
    }
}

impl Phases {
    pub fn count(&self) -> usize {
        self.before_defenses() + usize::from(self.control) + self.defenses.len()
    }

    /// Phases before the first defense.
    pub fn before_defenses(&self) -> usize {
        usize::from(self.preparation) + 1 + self.checks.len()
    }

    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let control = self.control.then_some(CONTROL);
        let picked = self.checks.iter().chain(&self.defenses).map(|(id, _)| id.as_str());
        [self.training].into_iter().chain(control).chain(picked)
    }
}

pub(super) const CONTROL: &str = "ft-control";
pub(super) const PREPARATION: &str = "preparation";
