//! What the checks of a run look at.

use crate::data::{Card, Dataset, Split, balanced_rows};
use crate::experiment::{self, Experiment, Problem, Result};
use crate::nets::difference::{network_words, plug_words};
use crate::nets::zoo::checkpoint;
use crate::nets::{Model, formats};
use crate::run::RunFolder;
use crate::run::checked::Subject;
use crate::run::job::Job;
use std::path::Path;
use std::rc::Rc;
use tch::Tensor;

/// The pictures that checks see, and which part of the data that is.
///
/// The test part: nothing was trained on it, and a check changes nothing. Where a source was one part, and the model came
/// finished, there is no reason to leave out any of it; `most` (0: all) then counts for the whole.
pub fn pictures(data: &Rc<Split>, finished: bool, most: usize, job: &Job) -> (Chosen, &'static str) {
    if !finished || !data.from_one {
        return (Chosen::test_part(data), "the test part");
    }
    let labels: Vec<i64> = [&data.train, &data.test].iter().flat_map(|part| part.labels.iter().copied()).collect();
    if most == 0 || most >= labels.len() {
        return (Chosen::new(data, (0..labels.len() as i64).collect()), "all pictures");
    }
    let classes = data.train.card().classes.len();
    let rows = balanced_rows(&labels, classes, (most / classes).max(1), &mut job.rng("audit/pictures"));
    (Chosen::new(data, rows), "drawn from all pictures")
}

/// Some pictures of both parts of a source; the rows of the test part follow those of the training part.
pub struct Chosen {
    data: Rc<Split>,
    rows: Vec<i64>,
    labels: Vec<i64>,
}

impl Chosen {
    fn new(data: &Rc<Split>, rows: Vec<i64>) -> Self {
        let border = data.train.len();
        let label = |&row: &i64| match (row as usize).checked_sub(border) {
            Some(row) => data.test.labels[row],
            None => data.train.labels[row as usize],
        };
        Self { labels: rows.iter().map(label).collect(), data: Rc::clone(data), rows }
    }

    pub fn test_part(data: &Rc<Split>) -> Self {
        let border = data.train.len() as i64;
        Self::new(data, (border..border + data.test.len() as i64).collect())
    }
}

impl Dataset for Chosen {
    fn card(&self) -> &Card {
        self.data.train.card()
    }

    fn labels(&self) -> &[i64] {
        &self.labels
    }

    fn pixels(&self, rows: &[i64]) -> Result<Tensor> {
        let border = self.data.train.len() as i64;
        let below: Vec<i64> = rows.iter().map(|&row| self.rows[row as usize]).collect();
        let (of_train, of_test): (Vec<i64>, Vec<i64>) = below.iter().partition(|&&row| row < border);
        if of_test.is_empty() {
            return self.data.train.pixels(&of_train);
        }
        let of_test: Vec<i64> = of_test.iter().map(|row| row - border).collect();
        let of_test = self.data.test.pixels(&of_test)?;
        if of_train.is_empty() {
            return Ok(of_test);
        }
        let both = Tensor::cat(&[self.data.train.pixels(&of_train)?, of_test], 0);
        // Where each picture has come to lie: those of the training part first, each part in the order asked for.
        let (mut train, mut test) = (0..of_train.len() as i64, of_train.len() as i64..);
        let order: Vec<i64> =
            below.iter().filter_map(|&row| if row < border { train.next() } else { test.next() }).collect();
        Ok(both.index_select(0, &Tensor::from_slice(&order)))
    }
}

/// The model that the checks of a finished run have looked at, with its title. The run keeps a copy, so that it is there
/// when the file that was delivered is not; a module without weights is only in its own file.
pub fn model(folder: &RunFolder, experiment: &Experiment, data: &Split) -> Result<(String, Model)> {
    let row = folder.results()?.unwrap_or_default().rows.into_iter().find(|row| row.method.is_empty());
    let row = row.ok_or_else(|| {
        Problem::bad_input("This run has not come to its model.").at(folder.path.display()).remedy("Finish it first.")
    })?;
    let kept = row.weights.as_ref().map(|weights| Model::open(&folder.file(weights), 0));
    let model = match kept {
        Some(Ok(model)) => model,
        failed => match experiment::audit::model_of(experiment) {
            Some(file) => Model::open(Path::new(file), data.test.card().height as i64)?,
            None => failed.unwrap_or_else(|| Err(Problem::bad_input("This run has kept no model.")))?,
        },
    };
    Ok((row.title, model))
}

/// Which model it is and on which pictures it is checked.
pub fn subject(experiment: &Experiment, model: &Model, pictures: &dyn Dataset, part: &str) -> Result<Subject> {
    let file = (experiment.network.id == checkpoint::ID)
        .then(|| experiment.network.options.get("file").and_then(|file| file.as_str()).unwrap_or_default().to_owned());
    let hash = match &file {
        Some(file) => Some(blake3::hash(&formats::whole_file(Path::new(file))?).to_hex().to_string()),
        None => None,
    };
    let card = pictures.card();
    Ok(Subject {
        file,
        hash,
        network: network_words(model),
        weights: model.params.count() as u64,
        inserted: model.plugs.iter().map(plug_words).collect(),
        polarized: model.plugs.iter().any(|plug| plug.kind.is_polarizer()),
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
        let data = Rc::new(Split { train: striped(20), test: striped(10), from_one: true });
        let job = Job::detached(Path::new(""), 1);
        let (all, part) = pictures(&data, true, 0, &job);
        assert_eq!((all.len(), part), (30, "all pictures"));
        assert_eq!(all.labels()[20..], *data.test.labels());
        let rows = all.pixels(&[25, 3]).unwrap();
        assert!(rows.get(0).equal(&data.test.pixels(&[5]).unwrap().get(0)));
        assert!(rows.get(1).equal(&data.train.pixels(&[3]).unwrap().get(0)));
        let mixed = all.pixels(&[29, 0, 20, 19, 21]).unwrap();
        for (at, row) in [29, 0, 20, 19, 21].into_iter().enumerate() {
            assert!(mixed.get(at as i64).equal(&all.pixels(&[row]).unwrap().get(0)), "row {row}");
        }
        let (some, _) = pictures(&data, true, 20, &job);
        assert!(
            some.len() == 20 && (0..10).all(|class| some.labels().iter().filter(|&&label| label == class).count() == 2)
        );
        // What this program trains has seen the training part.
        let (test, _) = pictures(&data, false, 0, &job);
        assert!(
            test.labels() == data.test.labels() && test.pixels(&[4]).unwrap().equal(&data.test.pixels(&[4]).unwrap())
        );
    }
}
