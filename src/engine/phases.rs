//! The phases of a run, in their order.

use crate::catalogue;
use crate::defenses::repair::ft;
use crate::defenses::{self, Defense};
use crate::experiment::{Experiment, Kind as MethodKind, Pick, Problem, Property, Result};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

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
    Phases {
        preparation,
        training: if experiment.attack.is_some() { "attack" } else { "clean" },
        finished: finished(experiment),
        checks: numbered(&experiment.check),
        control,
        defenses: numbered(&experiment.defense),
    }
}

/// Whether the network comes trained.
pub(super) fn finished(experiment: &Experiment) -> bool {
    let network = catalogue::find(&experiment.network.id, |kind| kind == MethodKind::Network);
    network.is_some_and(|method| method.has(Property::Finished))
}

impl Phases {
    pub fn count(&self) -> usize {
        self.before_defenses() + usize::from(self.control) + self.defenses.len()
    }

    /// Phases before the first defense.
    pub fn before_defenses(&self) -> usize {
        usize::from(self.preparation) + 1 + self.checks.len()
    }

    /// What tells a defense apart from others of its kind in the same run: `radius 2, site head.in`; nothing where it is
    /// the only one.
    pub fn apart(&self, pick: &Pick) -> String {
        let same: Vec<&Pick> =
            self.defenses.iter().map(|(_, other)| other).filter(|other| other.id == pick.id).collect();
        let defaults =
            catalogue::find(&pick.id, MethodKind::is_defense).map(|method| (method.defaults)()).unwrap_or_default();
        let value = |pick: &Pick, name: &str| pick.options.get(name).unwrap_or(&defaults[name]).clone();
        let names: BTreeSet<&String> = same.iter().flat_map(|other| other.options.keys()).collect();
        let differing =
            names.into_iter().filter(|name| same.iter().any(|other| value(other, name) != value(pick, name)));
        differing
            .map(|name| match value(pick, name) {
                Value::String(text) => format!("{name} {text}"),
                other => format!("{name} {other}"),
            })
            .collect::<Vec<String>>()
            .join(", ")
    }

    /// Every defense by its phase and with all its options. First comes the control, plain fine-tuning with as many passes as
    /// the longest repair.
    pub fn applied(&self, experiment: &Experiment) -> Result<Vec<(String, Pick)>> {
        let mut budget = 0;
        let mut applied = Vec::new();
        for (id, pick) in &self.defenses {
            if let Defense::Repair(repair) = defenses::make(&pick.id, &Value::Object(pick.options.clone()))? {
                budget = budget.max(repair.epochs());
            }
            applied.push((id.clone(), with_defaults(pick)));
        }
        if self.control {
            let (crop, flip) = (experiment.train.crop, experiment.train.flip);
            let options = serde_json::to_value(ft::Options { epochs: budget, crop, flip, ..ft::Options::default() });
            let Ok(Value::Object(options)) = options else {
                return Err(Problem::internal("The control has no options."));
            };
            applied.insert(0, (CONTROL.into(), Pick { id: ft::ENTRY.method.id.into(), options }));
        }
        Ok(applied)
    }

    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let control = self.control.then_some(CONTROL);
        let picked = self.checks.iter().chain(&self.defenses).map(|(id, _)| id.as_str());
        [self.training].into_iter().chain(control).chain(picked)
    }
}

/// A defense with every option that it has.
fn with_defaults(pick: &Pick) -> Pick {
    let defaults = catalogue::find(&pick.id, MethodKind::is_defense).map(|method| (method.defaults)());
    let mut options = match defaults {
        Some(Value::Object(defaults)) => defaults,
        _ => Map::new(),
    };
    options.extend(pick.options.clone());
    Pick { id: pick.id.clone(), options }
}

pub(super) const CONTROL: &str = "ft-control";
pub(super) const PREPARATION: &str = "preparation";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defenses_of_one_kind_are_told_apart_by_what_differs() {
        let text = "
            [data]
            source = 'fashion-mini'
            [network]
            id = 'small-resnet'
            [[defense]]
            id = 'npd'
            options = { epochs = 20, radius = 2.0, layer = 'only-conv' }
            [[defense]]
            id = 'npd'
            options = { epochs = 20 }
            [[defense]]
            id = 'clp'
        ";
        let phases = phases(&toml::from_str(text).unwrap());
        let apart: Vec<String> = phases.defenses.iter().map(|(_, pick)| phases.apart(pick)).collect();
        assert_eq!(apart, ["layer only-conv, radius 2.0", "layer conv-bn, radius 3.0", ""]);
        let ids: Vec<&str> = phases.defenses.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["npd", "npd-2", "clp"]);
    }
}
