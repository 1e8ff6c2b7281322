//! Fair regression: questions of the window and runs of the command line.

use super::library::Library;
use crate::catalogue;
use crate::data::tables;
use crate::experiment::fair::FAIR_REGRESSION;
use crate::experiment::{FairExperiment, Outcome, Problem, Result, Spec};
use crate::fairness::model::{FairWeights, Predictions};
use crate::fairness::{self, Fitted};
use crate::run::event::{Answer, Report};
use crate::run::fair::{Dial, FairFit, Point, TableCard, number};
use crate::run::folder::RunFolder;
use crate::run::job::Job;
use crate::run::results::{FairRow, Results};
use crate::run::{atomic, journal};
use serde::Serialize;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// The phase in journal and curves.
const PHASE: &str = "mean-parity";
/// What the model is called in a run folder.
const WEIGHTS: &str = "fair";

/// The fit that was asked for last, with its weights.
pub struct LastFit {
    experiment: FairExperiment,
    fit: Arc<FairFit>,
    weights: FairWeights,
}

/// What was fitted: enough to repeat it.
#[derive(Serialize)]
struct TableRecord<'a> {
    table: &'a str,
    /// BLAKE3 of all cells.
    hash: &'a str,
    rows: usize,
    train_rows: usize,
    test_rows: usize,
    groups: Vec<&'a str>,
    notes: &'a [String],
}

/// Fits the regression of a spec; the same one is not fitted twice.
pub fn answer(spec: &str, library: &Rc<RefCell<Library>>) -> Result<Answer> {
    let experiment = parse(spec)?;
    fitted(&experiment, library)?;
    match &library.borrow().fair {
        Some(last) => Ok(Answer::Fair(Arc::clone(&last.fit))),
        None => Err(Problem::internal("The fit is gone.")),
    }
}

/// Writes the model of a spec.
pub fn keep(spec: &str, dial: Dial, path: &Path, library: &Rc<RefCell<Library>>) -> Result<Answer> {
    let experiment = parse(spec)?;
    fitted(&experiment, library)?;
    if let Some(last) = &library.borrow().fair {
        last.weights.save(path, Some(dial))?;
    }
    Ok(Answer::KeepFair(path.to_owned()))
}

/// What is in a table.
pub fn table(source: &str) -> Result<TableCard> {
    Ok(tables::open(source, &mut || Ok(()))?.card())
}

/// Predictions of a fitted model, a file or the folder of the run that fitted it, for a table. Without a dial they are
/// those of the point that was kept with the model, else those of full fairness; which one it was is told.
///
/// # Errors
/// Files that are no fair regression, bad tables, and rows that the model cannot predict from.
pub fn predict(model: &Path, table: &str, dial: Option<Dial>) -> Result<(Predictions, Dial)> {
    let file = if model.is_dir() { RunFolder::open(model)?.weights(WEIGHTS) } else { model.to_owned() };
    let weights = FairWeights::open(&file)?;
    let dial = dial.or(weights.kept).unwrap_or(Dial::Share(1.0));
    let table = tables::open(table, &mut || Ok(()))?;
    Ok((weights.predict(&table, dial)?, dial))
}

fn parse(spec: &str) -> Result<FairExperiment> {
    let methods = catalogue::all();
    match Spec::parse(spec, methods)?.resolve(methods) {
        Spec::Fair(experiment) => Ok(*experiment),
        Spec::Backdoor(_) => Err(Problem::bad_input("This experiment trains a network; it is no fair regression.")
            .remedy("A fair regression begins with task = \"fair-regression\".")),
    }
}

fn fitted(experiment: &FairExperiment, library: &Rc<RefCell<Library>>) -> Result<()> {
    if library.borrow().fair.as_ref().is_some_and(|last| last.experiment == *experiment) {
        return Ok(());
    }
    let mut job = Job::detached(Path::new(""), experiment.seed);
    let (_, Fitted { fit, weights }) = read_and_fit(&mut job, experiment)?;
    let last = LastFit { experiment: experiment.clone(), fit: Arc::new(fit), weights };
    library.borrow_mut().fair = Some(last);
    Ok(())
}

fn read_and_fit(job: &mut Job, experiment: &FairExperiment) -> Outcome<(tables::Table, Fitted)> {
    let begin = Instant::now();
    let table = tables::open(&experiment.table.source, &mut || job.tick())?;
    let reading = begin.elapsed().as_secs_f64();
    let mut fitted = fairness::fit(job, experiment, &table)?;
    fitted.fit.seconds[0] = reading;
    Ok((table, fitted))
}

/// Takes back what an interrupted run wrote: it is done again from the beginning.
pub fn forget(folder: &RunFolder) -> Result<()> {
    journal::truncate_after(&folder.journal(), PHASE, -1.0)
}

/// Runs a fair regression into its folder: journal, curve, model, table of results.
pub fn run(job: &mut Job, experiment: &FairExperiment, folder: &RunFolder) -> Outcome<()> {
    job.phase(PHASE, 0, 1);
    let (table, Fitted { fit, weights }) = read_and_fit(job, experiment)?;
    for note in &fit.notes {
        job.note(note.clone());
    }
    let record = TableRecord {
        table: &table.name,
        hash: &table.hash,
        rows: table.rows,
        train_rows: fit.trade.train.rows(),
        test_rows: fit.trade.test.rows(),
        groups: fit.groups.iter().map(|group| group.name.as_str()).collect(),
        notes: &fit.notes,
    };
    folder.write_json("data.json", &record)?;
    let curve = fit.curve(Dial::Share(0.0), experiment.model.points);
    for (dial, point) in &curve {
        let removed = 100.0 * dial.position(&fit.trade.support);
        job.metrics(PHASE, removed, &values(point))?;
    }
    folder.write_json("fair.json", &fit)?;
    job.artifact("fair.json", "the trade-off in sums, features and rivals");
    atomic::write_atomic(&folder.file("curve.csv"), fit.to_csv(experiment.model.points).as_bytes())?;
    job.artifact("curve.csv", "the points of both curves and the rivals");
    let path = folder.weights(WEIGHTS);
    weights.save(&path, None)?;
    job.artifact("weights/fair.safetensors", "the fitted model at every point of the trade-off");
    folder.set_results(&Results { fair: rows(&fit), ..Results::default() })?;
    Ok(())
}

fn values(point: &Point) -> [(&'static str, f64); 6] {
    [
        ("train_rmse", point.train.rmse()),
        ("test_rmse", point.test.rmse()),
        ("train_gap", point.train.gap),
        ("test_gap", point.test.gap),
        ("train_smd", point.train.smd),
        ("test_smd", point.test.smd),
    ]
}

/// The table of results: ends and middle of the curve, then the rivals.
fn rows(fit: &FairFit) -> Vec<FairRow> {
    let own = [("no constraint", 0.0), ("half of the gap", 0.5), ("fully fair", 1.0)];
    let mut rows: Vec<FairRow> = own
        .into_iter()
        .map(|(title, share)| {
            let point = fit.point(Dial::Share(share));
            FairRow { method: PHASE.to_owned(), ..FairRow::of(title, &point.train, &point.test) }
        })
        .collect();
    for rival in &fit.rivals {
        for point in &rival.points {
            let title =
                if point.label.is_empty() { rival.name.clone() } else { format!("{}, {}", rival.name, point.label) };
            rows.push(FairRow {
                method: rival.id.clone(),
                needs_group: rival.needs_group,
                ..FairRow::of(&title, &point.train, &point.test)
            });
        }
    }
    rows
}

/// A finished or begun run in facts.
pub fn inspect_run(folder: &RunFolder, experiment: &FairExperiment) -> Result<Report> {
    let mut report = Report::new(format!("Run: {}", experiment.name));
    report.fact("state", folder.state()?.to_string());
    report.fact("task", FAIR_REGRESSION);
    report.fact("table", experiment.table.source.clone());
    report.fact("target", experiment.table.target.clone());
    report.fact("sensitive", experiment.table.sensitive.join(", "));
    for row in folder.results()?.unwrap_or_default().fair {
        let of = |value: Option<f64>| value.map_or("none".into(), number);
        report.fact(row.title, format!("test error {}, test gap {}", of(row.test_rmse), of(row.test_gap)));
    }
    Ok(report)
}
