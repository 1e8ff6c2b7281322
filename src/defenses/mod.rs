//! Defenses along the model's life cycle; `ALL` is the list of them.

pub mod repair;
pub mod training;

use crate::data::Dataset;
use crate::experiment::method::{Method, Property};
use crate::experiment::{Outcome, Pick, Problem, Result, Train};
use crate::nets::training::fit::AfterEpoch;
use crate::nets::{Model, Network};
use crate::run::job::Job;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tch::Kind;

/// A defense's description and its constructor.
pub struct Entry {
    pub method: Method,
    pub make: fn(&Value) -> Result<Defense>,
}

/// All defenses in the order of the life cycle.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    training::ALL.iter().chain(repair::ALL).copied()
}

/// What a defense receives and may change follows from its moment in the life cycle.
pub enum Defense {
    Training(Box<dyn TrainingDefense>),
    Repair(Box<dyn Repair>),
}

/// Everything that a defender may see. The judge's test set, trigger and success rates are not in it, by type.
pub struct DefenderData<'a> {
    /// A small clean set, the same number of pictures of each class.
    pub clean: &'a dyn Dataset,
    /// Kind of the heavy arithmetic.
    pub kind: Kind,
    /// What no defender knows, for a repair that [asks](Repair::asks_oracle); nothing for all others.
    pub oracle: Option<&'a dyn Oracle>,
}

impl<'a> DefenderData<'a> {
    /// What an honest defender has.
    pub fn new(clean: &'a dyn Dataset, kind: Kind) -> Self {
        Self { clean, kind, oracle: None }
    }

    /// The oracle; an error in this program if it is asked by a repair that did not say so.
    fn ask(&self) -> Result<&'a dyn Oracle> {
        self.oracle.ok_or_else(|| Problem::internal("A defense asked the oracle without saying so beforehand."))
    }
}

/// Answers from the test set and from the attacker. Some reference codes choose by such answers, which no defender can; the
/// same choices are options here, off by default, and the rows that they lead to are marked.
pub trait Oracle {
    /// Accuracy on test pictures, and the attack's success on stamped ones where there is an attack; shares.
    fn scores(&self, job: &mut Job, model: &Model) -> Outcome<(f64, Option<f64>)>;

    /// The attacker's class, if there is one for all pictures.
    fn target(&self) -> Option<i64>;
}

/// What whoever trains the network may see. Nothing tells which pictures of the training set are poisoned, by type.
pub struct TrainingData<'a> {
    /// The training set as it was received.
    pub received: &'a dyn Dataset,
    /// A small clean set, the same number of pictures of each class.
    pub clean: &'a dyn Dataset,
    /// The recipe of the training without a defense.
    pub recipe: &'a Train,
    /// Kind of the heavy arithmetic.
    pub kind: Kind,
}

/// Trains a network on data that may be poisoned, in the place of plain training.
pub trait TrainingDefense {
    /// Turns `model`, which has fresh weights and no plugs, into the trained one. `phase` names random streams, metrics and
    /// resume points. `after_epoch` shows the state to the judge, who answers nothing.
    fn train(
        &self,
        job: &mut Job,
        phase: &str,
        model: Model,
        data: &TrainingData,
        after_epoch: &mut AfterEpoch,
    ) -> Outcome<Model>;
}

/// Takes a finished, suspicious model and returns a repaired one.
pub trait Repair {
    /// How many passes over the clean set it makes: the budget of the fine-tuning control.
    fn epochs(&self) -> usize;

    /// Whether these options have something chosen by what no defender knows.
    fn asks_oracle(&self) -> bool {
        false
    }

    /// Refuses a network that it cannot repair, before anything is trained.
    fn check(&self, _: &dyn Network) -> Result<()> {
        Ok(())
    }

    /// `phase` names random streams, metrics and resume points. `after_epoch` shows the state to the judge, who answers
    /// nothing.
    fn repair(
        &self,
        job: &mut Job,
        phase: &str,
        model: Model,
        data: &DefenderData,
        after_epoch: &mut AfterEpoch,
    ) -> Outcome<Model>;
}

/// The defense `id` with these options.
pub fn make(id: &str, options: &Value) -> Result<Defense> {
    (entry(id)?.make)(options)
}

fn entry(id: &str) -> Result<&'static Entry> {
    all().find(|entry| entry.method.id == id).ok_or_else(|| {
        let known: Vec<_> = all().map(|entry| entry.method.id).collect();
        Problem::bad_input(format!("There is no defense `{id}`.")).remedy(format!("Known are {}.", known.join(", ")))
    })
}

/// [`check`] for a defense as an experiment names it.
pub fn check_pick(pick: &Pick, network: &dyn Network) -> Result<()> {
    let entry = entry(&pick.id)?;
    check(&entry.method, &(entry.make)(&Value::Object(pick.options.clone()))?, network)
}

/// What every defense that cannot work on this network would be refused for, as it comes.
pub fn refusals(network: &dyn Network) -> Vec<(&'static str, Problem)> {
    let refused = |entry: &'static Entry| {
        let tried = (entry.make)(&(entry.method.defaults)()).and_then(|made| check(&entry.method, &made, network));
        Some((entry.method.id, tried.err()?))
    };
    all().filter_map(refused).collect()
}

/// Refuses a network on which a defense cannot work, before anything is trained.
pub fn check(method: &Method, defense: &Defense, network: &dyn Network) -> Result<()> {
    if method.has(Property::NeedsGradients) && !network.has_weights() {
        let id = &network.architecture().id;
        return Err(Problem::bad_input(format!("{} trains weights, and this network ({id}) shows none.", method.name))
            .at("defense.id")
            .remedy("Use a network of the zoo, or open the weights as a checkpoint."));
    }
    if let Some(plug) = network.plugs().first() {
        let headline = if plug.kind.is_polarizer() {
            "This model has been repaired by a neural polarizer already."
        } else {
            "This model has been trained with a defensive trigger already."
        };
        return Err(Problem::bad_input(headline)
            .at("defense.id")
            .remedy("Give the model as it was before the defense, or only check it."));
    }
    match defense {
        Defense::Repair(repair) => repair.check(network),
        Defense::Training(_) => Ok(()),
    }
}

fn parse<T: DeserializeOwned>(options: &Value) -> Result<T> {
    serde_json::from_value(options.clone())
        .map_err(|e| Problem::bad_input("The options of this defense do not fit.").because(e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Kind as MethodKind;
    use crate::nets::{Architecture, InputSpec, Params, Pass, Site, zoo};
    use tch::Tensor;

    /// A network that shows only what it is told to.
    struct Fake {
        architecture: Architecture,
        params: Params,
        sites: Vec<Site>,
    }

    impl Fake {
        fn new(id: &str, tensors: &[(&str, &[i64])], sites: &[&str]) -> Self {
            let input = InputSpec { height: 8, width: 8, mean: [0.5; 3], std: [0.25; 3], classes: 10 };
            let architecture = Architecture { id: id.into(), options: Value::Null, input };
            let ones = |shape: &[i64]| Tensor::ones(shape, tch::kind::FLOAT_CPU);
            let params = tensors.iter().map(|(name, shape)| ((*name).to_owned(), ones(shape))).collect();
            let sites = sites.iter().map(|name| Site { name: (*name).into(), channels: 4 }).collect();
            Self { architecture, params, sites }
        }
    }

    impl Network for Fake {
        fn forward(&self, _: &Params, x: &Tensor, _: &mut Pass) -> Result<Tensor> {
            Ok(x.zeros_like())
        }

        fn sites(&self) -> &[Site] {
            &self.sites
        }

        fn architecture(&self) -> &Architecture {
            &self.architecture
        }

        fn has_weights(&self) -> bool {
            !self.params.is_empty()
        }

        fn initial(&self, _: u64) -> Result<Params> {
            Ok(self.params.deep_clone())
        }
    }

    /// Ids of the defenses that refuse this network; each says what to do instead.
    fn refused_on(network: &dyn Network) -> Vec<&'static str> {
        let refused = refusals(network);
        assert!(refused.iter().all(|(_, problem)| !problem.remedy.is_empty()));
        refused.into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn every_defense_accepts_every_network_of_the_zoo() {
        for zoo in zoo::ALL {
            let input = InputSpec { height: 28, width: 28, mean: [0.5; 3], std: [0.25; 3], classes: 10 };
            let network = zoo::build(zoo.method.id, &(zoo.method.defaults)(), input).unwrap();
            assert_eq!(refused_on(&*network), Vec::<&str>::new(), "{}", zoo.method.id);
        }
    }

    #[test]
    fn a_module_that_shows_nothing_is_refused_by_name() {
        let input = InputSpec { height: 8, width: 8, mean: [0.0; 3], std: [1.0; 3], classes: 10 };
        let network = zoo::build("small-resnet", &serde_json::json!({"width": 4}), input.clone()).unwrap();
        let params = network.initial(1).unwrap();
        let x = Tensor::rand([1, 3, 8, 8], tch::kind::FLOAT_CPU);
        let mut forward = |inputs: &[Tensor]| vec![network.forward(&params, &inputs[0], &mut Pass::eval()).unwrap()];
        let traced = tch::CModule::create_by_tracing("net", "forward", &[x], &mut forward).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("net.pt");
        traced.save(&file).unwrap();
        let module = zoo::build("checkpoint", &serde_json::json!({"file": file}), input).unwrap();

        let changes_weights = |kind| matches!(kind, MethodKind::Training | MethodKind::Repair);
        let everyone: Vec<_> =
            all().filter(|entry| changes_weights(entry.method.kind)).map(|entry| entry.method.id).collect();
        let refused = refused_on(&*module);
        assert!(everyone.iter().all(|id| refused.contains(id)), "{refused:?}");
        let entry = all().find(|entry| entry.method.id == "sau").unwrap();
        let defense = (entry.make)(&(entry.method.defaults)()).unwrap();
        let problem = check(&entry.method, &defense, &*module).unwrap_err();
        assert!(problem.headline.ends_with("trains weights, and this network (torchscript) shows none."), "{problem}");
    }

    #[test]
    fn layer_normalisation_is_refused_by_those_who_need_batch_normalisation() {
        let tensors: [(&str, &[i64]); 6] = [
            ("stem.weight", &[4, 3, 4, 4]),
            ("stages.0.norm.weight", &[4]),
            ("stages.0.norm.bias", &[4]),
            ("stages.0.conv1.weight", &[4, 4, 3, 3]),
            ("head.weight", &[10, 4]),
            ("head.bias", &[10]),
        ];
        let network = Fake::new("convnext", &tensors, &["stages.0.conv1.in", "stages.0.out", "head.in"]);
        let refused = refused_on(&network);
        for id in ["anp", "clp"] {
            assert!(refused.contains(&id), "{refused:?}");
        }
        for id in ["ft", "sau", "ft-sam", "i-bau", "nc", "tsbd", "fp", "npd"] {
            assert!(!refused.contains(&id), "{refused:?}");
        }
    }

    #[test]
    fn no_defense_asks_the_oracle_unless_told_to() {
        let asks = |id: &str, options: Value| match make(id, &options).unwrap() {
            Defense::Repair(repair) => repair.asks_oracle(),
            Defense::Training(_) => false,
        };
        for entry in all() {
            let defaults = (entry.method.defaults)();
            assert!(!asks(entry.method.id, defaults.clone()), "{}", entry.method.id);
            for name in defaults.as_object().unwrap().keys().filter(|name| name.starts_with("oracle")) {
                assert!(
                    asks(entry.method.id, serde_json::json!({ name.as_str(): true })),
                    "{} {name}",
                    entry.method.id
                );
            }
        }
    }

    #[test]
    fn every_defense_says_what_it_needs() {
        for entry in all() {
            assert!(entry.method.kind.stage().is_some() && !entry.method.needs().is_empty(), "{}", entry.method.id);
        }
    }
}
