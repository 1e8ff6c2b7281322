//! Checks of a delivered model; `ALL` is the list of them. A check looks, measures and changes nothing.

pub mod class_accuracy;
pub mod known_patch;
pub mod odd_channels;
pub mod patch;
pub mod trigger_search;

use crate::data::{Dataset, Trigger, balanced_rows, pictures, values};
use crate::experiment::method::{Method, Property};
use crate::experiment::{Outcome, Pick, Problem, Result};
use crate::nets::Model;
use crate::run::checked::CheckResult;
use crate::run::event::Rgba;
use crate::run::folder::SavedImage;
use crate::run::job::Job;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tch::{Kind, Tensor};

/// A check's description and its constructor.
pub struct Entry {
    pub method: Method,
    pub make: fn(&Value) -> Result<Box<dyn Check>>,
}

/// From the cheapest to the dearest.
pub static ALL: &[&Entry] =
    &[&class_accuracy::ENTRY, &known_patch::ENTRY, &odd_channels::ENTRY, &trigger_search::ENTRY];

/// Everything that a check may see beside the model. No trigger, no success rate, no training: by type.
pub struct Inspected<'a> {
    /// Pictures with their true labels.
    pub pictures: &'a dyn Dataset,
    /// Kind of the heavy arithmetic.
    pub kind: Kind,
}

/// Looks at a finished model.
pub trait Check {
    /// `phase` names random streams, metrics, resume points and pictures. The caller adds name and time to the finding.
    fn look(&self, job: &mut Job, phase: &str, model: &Model, data: &Inspected) -> Outcome<CheckResult>;
}

/// Makes a check as an experiment names it and lets it look; one that cannot work on this model says so as its finding.
pub fn look(job: &mut Job, phase: &str, pick: &Pick, model: &Model, data: &Inspected) -> Outcome<CheckResult> {
    let entry = ALL.iter().find(|entry| entry.method.id == pick.id).ok_or_else(|| {
        let known: Vec<_> = ALL.iter().map(|entry| entry.method.id).collect();
        Problem::bad_input(format!("There is no check `{}`.", pick.id))
            .remedy(format!("Known are {}.", known.join(", ")))
    })?;
    let check = (entry.make)(&Value::Object(pick.options.clone()))?;
    let begin = job.elapsed_s();
    let found = if entry.method.has(Property::NeedsGradients) && !model.network.has_weights() {
        let headline = "This model can only be asked; the check needs its weights.";
        CheckResult::cannot_tell(headline, "Nothing was looked at.", "everything in a model that shows no weights")
    } else {
        check.look(job, phase, model, data)?
    };
    let seconds = job.elapsed_s() - begin;
    Ok(CheckResult { check: phase.to_owned(), title: entry.method.name.to_owned(), seconds, ..found })
}

fn parse<T: DeserializeOwned>(options: &Value) -> Result<T> {
    serde_json::from_value(options.clone())
        .map_err(|e| Problem::bad_input("The options of this check do not fit.").because(e))
}

/// Pictures per forward pass.
const BATCH: usize = 256;

/// The class that the model gives each picture; `change` may stamp a batch first.
fn answers(
    job: &mut Job,
    model: &Model,
    data: &Inspected,
    rows: &[i64],
    change: impl Fn(Tensor) -> Result<Tensor>,
) -> Outcome<Vec<i64>> {
    let mut all = Vec::with_capacity(rows.len());
    for rows in rows.chunks(BATCH) {
        job.tick()?;
        let pixels = change(data.pictures.pixels(rows)?)?;
        let answers = model.predict(&pixels, data.kind)?.argmax(1, false);
        all.extend(values::<i64>(&answers)?);
        job.advance(rows.len());
    }
    Ok(all)
}

/// Pictures on which every patch is tried.
const TRIED: usize = 400;

/// The pictures on which the check of this name tries its patches; the same seed and data give the same ones.
fn tried_rows(job: &Job, check: &str, data: &Inspected) -> Vec<i64> {
    let k = data.pictures.card().classes.len();
    balanced_rows(data.pictures.labels(), k, (TRIED / k).max(2), &mut job.rng(&format!("{check}/tried")))
}

/// How many pictures of other classes a patch turns into `class`, and on how many of `rows` it was tried.
fn turned(
    job: &mut Job,
    model: &Model,
    data: &Inspected,
    rows: &[i64],
    class: usize,
    patch: &dyn Trigger,
) -> Outcome<(usize, usize)> {
    let labels = data.pictures.labels();
    let others: Vec<i64> = rows.iter().copied().filter(|&row| labels[row as usize] != class as i64).collect();
    let said = answers(job, model, data, &others, |pixels| patch.apply(&pixels, &[]))?;
    Ok((said.iter().filter(|&&said| said == class as i64).count(), others.len()))
}

/// Keeps a picture, and says how it is found again.
fn exhibit(job: &mut Job, key: &str, caption: String, picture: Rgba) -> Outcome<SavedImage> {
    pictures::keep(job, key, &caption, picture)?;
    Ok(SavedImage { file: format!("{key}.png"), caption })
}

/// `61.3 % (1226 of 2000)`.
fn rate(count: usize, of: usize) -> String {
    format!("{:.1} % ({count} of {of})", 100.0 * count as f64 / of.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tests::striped;
    use crate::nets::{InputSpec, zoo};
    use std::rc::Rc;

    pub fn input() -> InputSpec {
        InputSpec { height: 8, width: 8, mean: [0.0; 3], std: [1.0; 3], classes: 10 }
    }

    /// Looks at 10 x `per_class` easy pictures.
    pub fn looked(id: &str, options: Value, model: &Model, per_class: usize) -> CheckResult {
        let folder = tempfile::tempdir().unwrap();
        let mut job = Job::detached(folder.path(), 1);
        let pictures = striped(10 * per_class);
        let data = Inspected { pictures: &pictures, kind: Kind::Float };
        let options = options.as_object().unwrap().clone();
        let found = look(&mut job, id, &Pick { id: id.into(), options }, model, &data).unwrap();
        for picture in &found.pictures {
            assert!(folder.path().join("images").join(&picture.file).is_file(), "{}", picture.file);
        }
        found
    }

    pub fn untrained() -> Model {
        let network = zoo::build("small-resnet", &serde_json::json!({"width": 4}), input()).unwrap();
        let params = network.initial(1).unwrap();
        Model::new(Rc::from(network), params)
    }

    #[test]
    fn every_finding_says_what_it_saw_and_what_it_would_miss() {
        for entry in ALL {
            let found = looked(entry.method.id, serde_json::json!({}), &untrained(), 2);
            for text in [&found.check, &found.title, &found.headline, &found.strength, &found.misses] {
                assert!(!text.is_empty() && !text.to_lowercase().contains("safe"), "{}: {text:?}", entry.method.id);
            }
            assert!(found.headline.ends_with('.') && found.strength.ends_with('.') && !found.misses.ends_with('.'));
        }
    }

    #[test]
    fn an_unknown_check_is_refused_by_name() {
        let mut job = Job::detached(std::path::Path::new(""), 1);
        let pictures = striped(10);
        let data = Inspected { pictures: &pictures, kind: Kind::Float };
        let pick = Pick { id: "palm-reading".into(), options: Default::default() };
        let Err(crate::experiment::Halt::Problem(problem)) = look(&mut job, "x", &pick, &untrained(), &data) else {
            panic!("it looked");
        };
        assert!(problem.headline.contains("palm-reading"), "{problem}");
    }
}
