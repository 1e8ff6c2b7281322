//! Measuring any model on any data set, as `polariscope eval` and an auditor do.

use super::evaluate::Judge;
use super::library::trigger_of;
use crate::catalogue;
use crate::data::Dataset;
use crate::data::sources::{self, SourceChoice};
use crate::experiment::check;
use crate::experiment::{DeviceChoice, Pick, Poison, Precision, Problem, Result, Scores};
use crate::nets::zoo::torchscript::{self, TorchScript};
use crate::nets::{Model, Network, device, zoo};
use crate::run::PoisonedSet;
use crate::run::folder::RunFolder;
use serde_json::{Map, json};
use std::path::PathBuf;
use std::rc::Rc;

/// What to measure.
pub struct Evaluation {
    pub model: PathBuf,
    pub data: String,
    pub trigger: Option<TriggerSource>,
    /// Overrides of the model's input range.
    pub mean: Option<[f64; 3]>,
    pub std: Option<[f64; 3]>,
    pub device: DeviceChoice,
    pub precision: Precision,
}

/// A run folder, an exported poisoned set, a TOML with `[attack]` and `[poison]`, or a picture of the patch.
pub struct TriggerSource {
    pub path: PathBuf,
    /// Target class when only a picture is given.
    pub target: i64,
}

pub struct EvaluationReport {
    pub network: String,
    pub data: String,
    pub input: String,
    pub scores: Scores,
    pub seconds: f64,
}

pub fn evaluate(evaluation: &Evaluation) -> Result<EvaluationReport> {
    let begin = std::time::Instant::now();
    let device = device::choose(evaluation.device)?;
    let split = sources::open(&evaluation.data, &SourceChoice { side: 0 })?;
    let card = split.test.card();
    let model = Model::open(&evaluation.model, card.height as i64)?;
    let model = with_input(model, evaluation)?.to_device(device);
    let architecture = model.network.architecture();
    if architecture.input.classes != card.classes.len() as i64 {
        return Err(Problem::bad_input("The model and the data have different numbers of classes.")
            .because(format!("model {}, data {}", architecture.input.classes, card.classes.len()))
            .remedy("Choose the data set that the model was trained for."));
    }
    let stamp = evaluation.trigger.as_ref().map(attack_from).transpose()?;
    let trigger = match &stamp {
        None => None,
        Some((folder, pick, poison)) => {
            Some((trigger_of(folder, pick, card.height as i64, card.width as i64)?, poison))
        }
    };
    if let Some((_, poison)) = &trigger
        && !(0..card.classes.len() as i64).contains(&poison.target)
    {
        return Err(Problem::bad_input(format!("Target class {} does not exist.", poison.target))
            .remedy(format!("Choose 0 to {}.", card.classes.len() - 1)));
    }
    if let Some((trigger, _)) = &trigger {
        trigger.fits(&split.test)?;
    }
    let judge = Judge { test: &split.test, attack: trigger.as_ref().map(|(trigger, poison)| (&**trigger, *poison)) };
    let kind = device::kind(evaluation.precision, device);
    let scores = judge.scores(&model, kind, &mut || Ok(()))?;
    let input = &architecture.input;
    Ok(EvaluationReport {
        network: format!("{} {}", architecture.id, architecture.options),
        data: card.name.clone(),
        input: format!("{} x {}, mean {:?}, std {:?}", input.height, input.width, input.mean, input.std),
        scores,
        seconds: begin.elapsed().as_secs_f64(),
    })
}

/// The model with the input range that the user gave.
fn with_input(model: Model, evaluation: &Evaluation) -> Result<Model> {
    if evaluation.mean.is_none() && evaluation.std.is_none() {
        return Ok(model);
    }
    let architecture = model.network.architecture();
    let mut input = architecture.input.clone();
    input.mean = evaluation.mean.unwrap_or(input.mean);
    input.std = evaluation.std.unwrap_or(input.std);
    if input.std.iter().any(|std| *std <= 0.0) {
        return Err(Problem::bad_input("A standard deviation must be greater than 0.").at("--std"));
    }
    let network: Rc<dyn Network> = if architecture.id == torchscript::ID {
        Rc::new(TorchScript::open(&evaluation.model, input.height)?.with_input(input))
    } else {
        Rc::from(zoo::build(&architecture.id, &architecture.options, input)?)
    };
    Ok(Model { network, ..model })
}

/// The run folder (empty where there is none) and the attack behind a trigger, and whom it aims at.
fn attack_from(source: &TriggerSource) -> Result<(PathBuf, Pick, Poison)> {
    let path = &source.path;
    if PoisonedSet::lies_at(path) {
        let experiment = PoisonedSet::read(path)?.experiment;
        return Ok((PathBuf::new(), PoisonedSet::attack(path), experiment.poison));
    }
    if path.is_dir() {
        let experiment = RunFolder::open(path)?.experiment()?;
        let attack = experiment
            .attack
            .ok_or_else(|| Problem::bad_input("This run has no attack and so no trigger.").at(path.display()))?;
        return Ok((path.clone(), attack, experiment.poison));
    }
    let bytes = std::fs::read(path).map_err(|e| Problem::io("read the trigger", path, &e))?;
    if image::guess_format(&bytes).is_ok() {
        let options = Map::from_iter([("shape".to_owned(), json!("file")), ("file".to_owned(), json!(path))]);
        let poison = Poison { target: source.target, ..Poison::default() };
        return Ok((PathBuf::new(), Pick { id: "badnets".into(), options }, poison));
    }
    let text = String::from_utf8(bytes).map_err(|_binary| {
        Problem::bad_input("A trigger is a run folder, a TOML file or a picture; this is none of them.")
            .at(path.display())
    })?;
    // A trigger file is an experiment without data and network: both are filled in to check it like any other.
    let whole = format!("{text}\n[data]\nsource = \"fashion-mini\"\n[network]\nid = \"small-resnet\"\n");
    let methods = catalogue::all();
    let parsed = check::parse(&whole, methods)
        .or_else(|problem| check::parse(&text, methods).map_err(|_also_not_whole| problem))
        .map_err(|problem| problem.at(path.display()))?;
    let experiment = check::resolve(&parsed, methods);
    let attack = experiment.attack.ok_or_else(|| {
        Problem::bad_input("This file has no [attack].").at(path.display()).remedy("Name the attack and its options.")
    })?;
    Ok((PathBuf::new(), attack, experiment.poison))
}
