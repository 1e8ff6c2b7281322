//! What the checks of a run look at.

use crate::data::{Card, Dataset, Memory, Rows, Split, balanced_rows};
use crate::experiment::{Experiment, Result};
use crate::nets::zoo::checkpoint;
use crate::nets::{Model, formats};
use crate::run::checked::Subject;
use crate::run::job::Job;
use std::path::Path;
use tch::Tensor;

/// The pictures that checks see, and which part of the data that is.
///
/// The test part: nothing was trained on it, and a check changes nothing. Where a source was one part, and the model came
/// finished, there is no reason to leave out any of it; `most` (0: all) then counts for the whole.
pub fn pictures<'a>(data: &'a Split, finished: bool, most: usize, job: &Job) -> (Box<dyn Dataset + 'a>, &'static str) {
    if finished && data.from_one {
        let labels = joined(data);
        if most == 0 || most >= labels.len() {
            let rows = (0..labels.len() as i64).collect();
            return (Box::new(Together { first: &data.train, second: &data.test, rows, labels }), "all pictures");
        }
        let classes = data.train.card().classes.len();
        let rows = balanced_rows(&labels, classes, (most / classes).max(1), &mut job.rng("audit/pictures"));
        let labels = rows.iter().map(|&row: &i64| labels[row as usize]).collect();
        return (
            Box::new(Together { first: &data.train, second: &data.test, rows, labels }),
            "drawn from all pictures",
        );
    }
    (Box::new(Rows::new(&data.test, (0..data.test.len() as i64).collect())), "the test part")
}

fn joined(data: &Split) -> Vec<i64> {
    [&data.train, &data.test].into_iter().flat_map(|part| part.labels.iter().copied()).collect()
}

/// Some rows of two parts, one behind the other.
struct Together<'a> {
    first: &'a Memory,
    second: &'a Memory,
    rows: Vec<i64>,
    labels: Vec<i64>,
}

impl Dataset for Together<'_> {
    fn card(&self) -> &Card {
        self.first.card()
    }

    fn labels(&self) -> &[i64] {
        &self.labels
    }

    fn pixels(&self, rows: &[i64]) -> Result<Tensor> {
        let border = self.first.len() as i64;
        let one = |row: i64| match row < border {
            true => self.first.pixels(&[row]),
            false => self.second.pixels(&[row - border]),
        };
        let each = rows.iter().map(|&row| one(self.rows[row as usize])).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(&each, 0))
    }
}

/// Which model it is and on which pictures it is checked.
pub fn subject(experiment: &Experiment, model: &Model, pictures: &dyn Dataset, part: &str) -> Result<Subject> {
    let file = (experiment.network.id == checkpoint::ID)
        .then(|| experiment.network.options.get("file").and_then(|file| file.as_str()).unwrap_or_default().to_owned());
    let hash = match &file {
        Some(file) => Some(blake3::hash(&formats::whole_file(Path::new(file))?).to_hex().to_string()),
        None => None,
    };
    let architecture = model.network.architecture();
    let options = match &architecture.options {
        serde_json::Value::Object(options) if !options.is_empty() => {
            let each = options.iter().map(|(name, value)| format!("{name} {value}"));
            format!(", {}", each.collect::<Vec<_>>().join(", "))
        }
        _ => String::new(),
    };
    let card = pictures.card();
    Ok(Subject {
        file,
        hash,
        network: format!("{}{options}", architecture.id),
        weights: model.params.count() as u64,
        inserted: model.plugs.iter().map(|plug| format!("{} at {}", plug.kind.name(), plug.site)).collect(),
        data: card.name.clone(),
        data_hash: card.hash.clone(),
        pictures: pictures.len(),
        part: part.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tests::striped;

    #[test]
    fn a_source_of_one_part_is_seen_whole_by_checks_of_a_finished_model() {
        let data = Split { train: striped(20), test: striped(10), from_one: true };
        let job = Job::detached(Path::new(""), 1);
        let (all, part) = pictures(&data, true, 0, &job);
        assert_eq!((all.len(), part), (30, "all pictures"));
        assert_eq!(all.labels()[20..], *data.test.labels());
        let rows = all.pixels(&[25, 3]).unwrap();
        assert!(rows.get(0).equal(&data.test.pixels(&[5]).unwrap().get(0)));
        assert!(rows.get(1).equal(&data.train.pixels(&[3]).unwrap().get(0)));
        let (some, _) = pictures(&data, true, 20, &job);
        assert!(
            some.len() == 20 && (0..10).all(|class| some.labels().iter().filter(|&&label| label == class).count() == 2)
        );
        // What this program trains has seen the training part.
        assert_eq!(pictures(&data, false, 0, &job).0.len(), 10);
    }
}
