//! Answers to the window's questions, between two batches or while nothing runs.

use super::library::{Library, attacker_of, victim_of};
use super::{polarizer, stage};
use crate::attacks::Moment;
use crate::catalogue;
use crate::data::poison::map_label;
use crate::data::{Dataset, pictures, rgba_from_pixels, sources, tables};
use crate::defenses;
use crate::experiment::{Problem, Result, Spec, check};
use crate::nets::formats;
use crate::nets::formats::recognise;
use crate::nets::model::{guess_input, plug_kinds};
use crate::nets::plug::PlugKind;
use crate::run::event::{Answer, Preview, PreviewItem, Question, Refusal, Report};
use crate::run::folder::RunFolder;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

/// Answers one question; anything that goes wrong is an answer too.
pub fn answer(question: &Question, library: &Rc<RefCell<Library>>) -> Result<Answer> {
    match question {
        Question::Preview { spec, rows } => preview(spec, rows, library).map(Answer::Preview),
        Question::Plan { spec } => {
            super::planner::plan(spec, &mut library.borrow_mut()).map(|plan| Answer::Plan(Box::new(plan)))
        }
        Question::Defenses { spec } => refusals(spec, &mut library.borrow_mut()).map(Answer::Defenses),
        Question::Inspect { path } => inspect(path).map(Answer::Inspect),
        Question::Predict { scene, rows, place } => stage::predict(scene, rows, *place, library).map(Answer::Predict),
        Question::Photo { scene, path, place } => stage::photo(scene, path, *place, library).map(Answer::Photo),
        Question::Heat(wish) => stage::heat(wish, library).map(Answer::Heat),
        Question::Bench { spec, row, strike } => {
            super::bench::bench(spec, *row, *strike, library).map(|bench| Answer::Bench(Box::new(bench)))
        }
        Question::Thumbnails { spec } => super::bench::thumbnails(spec, library).map(Answer::Thumbnails),
        Question::Polarizer { scene, rows } => {
            polarizer::view(scene, rows, library).map(|view| Answer::Polarizer(Box::new(view)))
        }
        Question::Dial { scene, rows, strength } => polarizer::dial(scene, rows, *strength, library).map(Answer::Dial),
        Question::Fair { spec } => super::fair::answer(spec, library),
        Question::KeepFair { spec, dial, path } => super::fair::keep(spec, *dial, path, library),
        Question::Table { source } => super::fair::table(source).map(Answer::Table),
        Question::Difference { before, after } => super::difference::difference(before, after, library)
            .map(|difference| Answer::Difference(Box::new(difference))),
        Question::Machine { runs } => Ok(Answer::Machine(super::machine::findings(runs.as_deref()))),
    }
}

fn preview(spec: &str, rows: &[usize], library: &Rc<RefCell<Library>>) -> Result<Preview> {
    let methods = catalogue::all();
    let experiment = check::resolve(&check::parse(spec, methods)?, methods);
    let data = library.borrow_mut().data(&experiment.data, experiment.seed)?;
    let card = data.test.card();
    let Some(attacker) = attacker_of(&experiment, &data)? else {
        return Err(Problem::bad_input("There is no attack to show.").remedy("Choose an attack."));
    };
    // These are test pictures: where training pictures need something made for them, the strike may not.
    let trigger = attacker.trigger(Moment::Training).or_else(|_unmade| attacker.trigger(Moment::Test))?;
    let classes = card.classes.len() as i64;
    let poison = &experiment.poison;
    let mut items = Vec::new();
    for &row in rows.iter().filter(|&&row| row < data.test.len()) {
        let clean = data.test.pixels(&[row as i64])?;
        let poisoned = trigger.apply(&clean, &[row as i64])?;
        let (residual, amplification) = pictures::residual(&clean, &poisoned);
        let label = data.test.labels()[row];
        items.push(PreviewItem {
            row,
            label: label as usize,
            poisoned_label: map_label(poison.labels(), label, poison.target, classes) as usize,
            clean: Arc::new(rgba_from_pixels(&clean.get(0))?),
            poisoned: Arc::new(rgba_from_pixels(&poisoned.get(0))?),
            residual: Arc::new(rgba_from_pixels(&residual.get(0))?),
            amplification,
        });
    }
    Ok(Preview { items, classes: card.classes.clone(), rows: data.test.len() })
}

/// What each defense that cannot work on the experiment's network would be refused for.
fn refusals(spec: &str, library: &mut Library) -> Result<Vec<Refusal>> {
    let methods = catalogue::all();
    let experiment = check::resolve(&check::parse(spec, methods)?, methods);
    let data = library.data(&experiment.data, experiment.seed)?;
    let network = victim_of(&experiment, &data)?.network;
    let refused = defenses::refusals(&*network).into_iter();
    Ok(refused.map(|(id, problem)| Refusal { method: id.to_owned(), problem }).collect())
}

/// What is in a file or folder: a run, a data set or a checkpoint.
pub fn inspect(path: &Path) -> Result<Report> {
    if path.join("spec.toml").is_file() {
        return inspect_run(path);
    }
    if formats::embedded::knows(path) {
        return inspect_checkpoint(path);
    }
    if tables::looks_like(path) {
        return Ok(tables::open(&path.to_string_lossy(), &mut || Ok(()))?.report());
    }
    if let Some(report) = sources::inspect(path)? {
        return Ok(report);
    }
    if path.is_dir() {
        return Err(Problem::bad_input("There is no run, no data set and no model in this folder.").at(path.display()));
    }
    inspect_checkpoint(path)
}

fn inspect_run(path: &Path) -> Result<Report> {
    let folder = RunFolder::open(path)?;
    let experiment = match folder.read_spec()? {
        Spec::Backdoor(experiment) => *experiment,
        Spec::Fair(experiment) => return super::fair::inspect_run(&folder, &experiment),
    };
    let mut report = Report::new(format!("Run: {}", experiment.name));
    report.fact("state", folder.state()?.to_string());
    report.fact("data", experiment.data.source);
    report.fact("network", experiment.network.id);
    report.fact("attack", experiment.attack.map_or("none".into(), |pick| pick.id));
    for row in folder.results()?.unwrap_or_default().rows {
        let percent = |share: Option<f64>| share.map_or("none".into(), |share| format!("{:.2} %", 100.0 * share));
        let s = row.scores;
        report.fact(row.name(), format!("ACC {}, ASR {}", percent(Some(s.acc)), percent(s.asr)));
    }
    Ok(report)
}

fn inspect_checkpoint(path: &Path) -> Result<Report> {
    let bytes = formats::whole_file(path)?;
    if matches!(formats::sniff(&bytes), Ok(formats::Container::TorchScript)) {
        let mut report = Report::new("TorchScript module");
        report.fact("container", formats::Container::TorchScript.name());
        report.fact("use", "it can be measured with `polariscope eval`; it shows no insides");
        report.warnings.push("Measuring it runs the program that it brings, in libtorch's interpreter.".into());
        return Ok(report);
    }
    let checkpoint = formats::read_bytes(&bytes).map_err(|problem| problem.at(path.display()))?;
    let params = &checkpoint.params;
    let recognised = recognise::recognise(params);
    let mut report =
        Report::new(recognised.as_ref().map_or("Weights of an unknown network".into(), |r| r.name.clone()));
    report.fact("container", checkpoint.container.name());
    if let Some(r) = &recognised {
        report.fact("architecture", format!("{} {}", r.id, r.options));
        report.fact("classes", r.classes.to_string());
        if !r.in_zoo {
            report.warnings.push("This architecture can be looked into, but not run here.".into());
        }
    }
    report.fact("tensors", params.len().to_string());
    report.fact("weights", params.count().to_string());
    let own = checkpoint.metadata.contains_key("polariscope.architecture");
    if own {
        report.fact("made by", "Polariscope");
    } else {
        report.fact("input range", guess_input(params).0.describe());
    }
    if let Some(key) = &checkpoint.chosen_key {
        report.fact("weights found under", key.clone());
    }
    for kind in plug_kinds(&checkpoint.metadata) {
        let part = match kind {
            PlugKind::Polarizer(_) => "a neural polarizer is part of this model",
            PlugKind::Stamp => "a defensive trigger is stamped on every picture that comes in",
            PlugKind::Permute => "answers are mapped back to other classes when they go out",
        };
        report.fact("plug", part);
    }
    if checkpoint.metadata.get("polariscope.backdoored").is_some_and(|value| value == "true") {
        report.warnings.push("This model was backdoored on purpose.".into());
    }
    for (name, value) in &checkpoint.facts {
        report.fact(name.clone(), value.clone());
    }
    for skipped in &checkpoint.skipped {
        report.warnings.push(format!("Skipped, not needed and not executed: {skipped}"));
    }
    if let Some((name, first)) = params.iter().next() {
        report.fact("first tensor", format!("{name} {:?} {:?}", first.size(), first.kind()));
    }
    Ok(report)
}
