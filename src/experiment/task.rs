//! A spec is an experiment on a network or a fair regression; `task` tells which.

use super::check;
use super::fair::{FAIR_REGRESSION, FairExperiment};
use super::located::{Located, Part};
use super::method::{Method, schema_of};
use super::problem::{Problem, Result};
use super::spec::Experiment;
use serde_json::Value;

/// A spec of either kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Spec {
    Backdoor(Box<Experiment>),
    Fair(Box<FairExperiment>),
}

impl Spec {
    /// Reads and checks a spec.
    pub fn parse(text: &str, methods: &[&'static Method]) -> Result<Self> {
        let located = Located::parse(text)?;
        match located.value()?.get("task") {
            None => check::parse(text, methods).map(|experiment| Spec::Backdoor(Box::new(experiment))),
            Some(Value::String(task)) if task == FAIR_REGRESSION => {
                check::parse_fair(text, methods).map(|experiment| Spec::Fair(Box::new(experiment)))
            }
            Some(_) => {
                let (place, excerpt) = located.show(&located.span("task", Part::Value));
                Err(Problem::bad_input("There is no such task.")
                    .at(place)
                    .because(excerpt)
                    .remedy(format!("Write `task = \"{FAIR_REGRESSION}\"`, or leave it out to train a network.")))
            }
        }
    }

    /// Reads a spec without the list of methods, as run folders do.
    pub fn read(text: &str) -> Result<Self> {
        let told = |error: &toml::de::Error| super::located::from_toml(text, error);
        if Located::parse(text)?.value()?.get("task").is_some() {
            return toml::from_str(text).map(|fair| Spec::Fair(Box::new(fair))).map_err(|error| told(&error));
        }
        toml::from_str(text).map(|experiment| Spec::Backdoor(Box::new(experiment))).map_err(|error| told(&error))
    }

    /// The same spec with every option of every method written out.
    pub fn resolve(&self, methods: &[&'static Method]) -> Self {
        match self {
            Spec::Backdoor(experiment) => Spec::Backdoor(Box::new(check::resolve(experiment, methods))),
            Spec::Fair(experiment) => Spec::Fair(Box::new(check::resolve_fair(experiment, methods))),
        }
    }

    pub fn to_toml(&self) -> Result<String> {
        match self {
            Spec::Backdoor(experiment) => check::to_toml(experiment),
            Spec::Fair(experiment) => check::to_toml(&**experiment),
        }
    }

    /// Eight hexadecimal digits that stand for a resolved spec, whatever its name.
    pub fn hash8(&self) -> String {
        let nameless = self.nameless();
        check::hash8_of(&nameless.to_toml().unwrap_or_else(|_| format!("{nameless:?}")))
    }

    pub fn name(&self) -> &str {
        match self {
            Spec::Backdoor(experiment) => &experiment.name,
            Spec::Fair(experiment) => &experiment.name,
        }
    }

    pub fn seed(&self) -> u64 {
        match self {
            Spec::Backdoor(experiment) => experiment.seed,
            Spec::Fair(experiment) => experiment.seed,
        }
    }

    /// Processor threads; 0 means all cores.
    pub fn threads(&self) -> usize {
        match self {
            Spec::Backdoor(experiment) => experiment.threads,
            Spec::Fair(experiment) => experiment.threads,
        }
    }

    /// The data set or table.
    pub fn data(&self) -> &str {
        match self {
            Spec::Backdoor(experiment) => &experiment.data.source,
            Spec::Fair(experiment) => &experiment.table.source,
        }
    }

    /// What learns: the id of the network, or the task where there is none.
    pub fn learner(&self) -> &str {
        match self {
            Spec::Backdoor(experiment) => &experiment.network.id,
            Spec::Fair(_) => FAIR_REGRESSION,
        }
    }

    /// The same spec without its name: two specs that do the same are equal then.
    #[must_use]
    pub fn nameless(&self) -> Self {
        let mut nameless = self.clone();
        match &mut nameless {
            Spec::Backdoor(experiment) => experiment.name.clear(),
            Spec::Fair(experiment) => experiment.name.clear(),
        }
        nameless
    }
}

/// The schema of the kind of spec that a text asks for.
pub(super) fn schema_for(value: &Value) -> Value {
    if value.get("task").is_some() { schema_of::<FairExperiment>() } else { schema_of::<Experiment>() }
}
