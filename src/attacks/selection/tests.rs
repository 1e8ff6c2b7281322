//! Learned selections on tiny data, with a surrogate of a few thousand weights.

use super::*;
use crate::attacks::workshop::Workshop;
use crate::data::poison::Plan;
use crate::data::tests::striped;
use crate::data::{Dataset, Memory};
use crate::experiment::{Halt, LabelMap, Poison, Train};
use crate::nets::{InputSpec, zoo};
use crate::run::job::{Cells, Signal, Sink, Wish};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use tch::{Device, Kind};

/// A white corner, except on rows that `spares` names.
struct Corner {
    spares: fn(i64) -> bool,
}

impl Trigger for Corner {
    fn apply(&self, pixels: &Tensor, rows: &[i64]) -> Result<Tensor> {
        let stamped = pixels.copy();
        for (at, &row) in rows.iter().enumerate() {
            if !(self.spares)(row) {
                let _ = stamped.get(at as i64).narrow(1, 4, 4).narrow(2, 4, 4).fill_(255);
            }
        }
        Ok(stamped)
    }
}

const EVERYWHERE: Corner = Corner { spares: |_| false };

/// Chooses `budget` of the eligible rows of `data`.
fn choose_with(
    job: &mut Job,
    data: &Memory,
    poison: &Poison,
    pick: (&str, Value),
    budget: usize,
    trigger: &Corner,
) -> Outcome<Chosen> {
    tch::set_num_threads(1);
    let rows = Plan::eligible(poison, data.labels(), 10).unwrap();
    let input = InputSpec { height: 8, width: 8, mean: [0.3; 3], std: [0.25; 3], classes: 10 };
    let network = Rc::from(zoo::build("small-resnet", &json!({"width": 4}), input).unwrap());
    let recipe = Train { crop: 0, flip: false, ..Train::default() };
    let workshop = Workshop::default();
    let scene = Scene {
        train: data,
        rows: &rows,
        network,
        recipe: &recipe,
        poison,
        device: Device::Cpu,
        kind: Kind::Float,
        workshop: &workshop,
    };
    let selection = make(pick.0, &pick.1).unwrap();
    assert_eq!(selection.score().is_some(), pick.0 != "random");
    selection.select(job, &scene, budget, Some(trigger))
}

fn choose(data: &Memory, poison: &Poison, pick: (&str, Value), budget: usize) -> Chosen {
    let folder = tempfile::tempdir().unwrap();
    let mut job = Job::detached(folder.path(), 5);
    choose_with(&mut job, data, poison, pick, budget, &EVERYWHERE).unwrap()
}

fn all_to_one() -> Poison {
    Poison { exclude_target: true, ..Poison::default() }
}

fn per_class(chosen: &Chosen, data: &Memory) -> BTreeMap<i64, usize> {
    let mut counts = BTreeMap::new();
    for &row in &chosen.rows {
        *counts.entry(data.labels()[row as usize]).or_default() += 1;
    }
    counts
}

fn quick_lps() -> Value {
    json!({"rounds": 2, "epochs": 1, "batch": 32, "learning_rate": 0.02})
}

fn quick_fus() -> Value {
    json!({"rounds": 2, "epochs": 2, "batch": 32, "learning_rate": 0.02})
}

#[test]
fn every_selection_keeps_the_budget_without_duplicates_and_repeats() {
    let data = striped(200);
    for pick in
        [("random", json!({})), ("random", json!({"per_class": true})), ("lps", quick_lps()), ("fus", quick_fus())]
    {
        for budget in [7, 20] {
            let chosen = choose(&data, &all_to_one(), pick.clone(), budget);
            assert_eq!(chosen.rows.iter().collect::<BTreeSet<_>>().len(), budget, "{pick:?}");
            assert!(!per_class(&chosen, &data).contains_key(&0), "{pick:?} leaves the target class alone");
            let again = choose(&data, &all_to_one(), pick.clone(), budget);
            assert_eq!(chosen.rows, again.rows, "{pick:?} repeats");
        }
    }
}

#[test]
fn quotas_differ_by_one_at_most() {
    let data = striped(200);
    for pick in [("lps", quick_lps()), ("random", json!({"per_class": true}))] {
        let counts = per_class(&choose(&data, &all_to_one(), pick.clone(), 20), &data);
        assert_eq!(counts.len(), 9, "{pick:?}");
        assert!(counts.values().all(|&count| count == 2 || count == 3), "{pick:?} {counts:?}");
    }
}

#[test]
fn the_label_map_decides_who_is_a_candidate() {
    let data = striped(200);
    let clean = Poison { label_map: Some(LabelMap::CleanLabel), target: 3, ..Poison::default() };
    let everywhere = Poison { label_map: Some(LabelMap::AllToAll), ..Poison::default() };
    for pick in [("lps", quick_lps()), ("fus", quick_fus())] {
        assert_eq!(per_class(&choose(&data, &clean, pick.clone(), 11), &data), [(3, 11)].into());
        let chosen = choose(&data, &everywhere, pick.clone(), 10);
        assert_eq!(chosen.rows.len(), 10);
        if pick.0 == "lps" {
            assert_eq!(per_class(&chosen, &data).len(), 10, "every class gives one");
        }
    }
}

#[test]
fn without_rounds_the_choice_is_random() {
    let data = striped(200);
    let lps = choose(&data, &all_to_one(), ("lps", json!({"rounds": 0})), 18);
    assert!(per_class(&lps, &data).values().all(|&count| count == 2));
    assert!(lps.scores.is_empty() && lps.all.is_empty(), "nothing was judged");
    let fus = choose(&data, &all_to_one(), ("fus", json!({"rounds": 0})), 18);
    assert_eq!((fus.rows.len(), fus.scores.len()), (18, 0));
    // Nothing is kept: all is drawn anew.
    let forgetful = json!({"rounds": 1, "epochs": 2, "keep": 0.0, "batch": 32});
    let drawn = choose(&data, &all_to_one(), ("fus", forgetful), 18);
    assert!(drawn.scores.iter().all(|score| score.is_nan()));
}

/// Half of the candidates have nothing to learn the target from: they stay hard for as long as one likes.
#[test]
fn lps_finds_the_pictures_on_which_the_trigger_fails() {
    let data = striped(400);
    let hidden = Corner { spares: |row| row / 10 % 2 == 0 };
    let folder = tempfile::tempdir().unwrap();
    let mut job = Job::detached(folder.path(), 5);
    let options = json!({"rounds": 6, "epochs": 4, "batch": 32, "learning_rate": 0.02});
    let chosen = choose_with(&mut job, &data, &all_to_one(), ("lps", options), 36, &hidden).unwrap();
    let hard = chosen.rows.iter().filter(|&&row| (hidden.spares)(row)).count();
    assert!(hard * 10 >= chosen.rows.len() * 8, "{hard} of {}", chosen.rows.len());
    assert!(chosen.scores.windows(2).all(|pair| pair[0] >= pair[1]), "hardest first");
    assert_eq!(chosen.all.len(), 360);
}

/// A job that stops itself after so many batches.
fn stopping(folder: &Path, after: usize) -> Job {
    let (events, _) = crossbeam_channel::bounded(1);
    let signal = Signal::default();
    let sink = Sink { events, waker: Arc::new(|| {}) };
    let cells = Arc::new(Cells::default());
    let mut job = Job::new(crate::run::event::JobId(1), folder, 5, sink, signal.clone(), cells).unwrap();
    let mut ticks = 0;
    job.on_tick(Box::new(move || {
        ticks += 1;
        if ticks == after {
            signal.set(Wish::Stop);
        }
    }));
    job
}

#[test]
fn a_stopped_selection_goes_on_to_the_same_choice() {
    let data = striped(200);
    let poison = all_to_one();
    for pick in [
        ("lps", json!({"rounds": 3, "epochs": 2, "batch": 32})),
        ("fus", json!({"rounds": 3, "epochs": 2, "batch": 32})),
    ] {
        let whole = choose(&data, &poison, pick.clone(), 18);
        // In the middle of a round, and just behind the end of one.
        for after in [12, 16, 20, 26, 34] {
            let folder = tempfile::tempdir().unwrap();
            let halted =
                choose_with(&mut stopping(folder.path(), after), &data, &poison, pick.clone(), 18, &EVERYWHERE);
            assert_eq!(halted.err(), Some(Halt::Asked), "{pick:?} after {after}");
            let mut job = Job::detached(folder.path(), 5);
            let resumed = choose_with(&mut job, &data, &poison, pick.clone(), 18, &EVERYWHERE).unwrap();
            assert_eq!(resumed.rows, whole.rows, "{pick:?} after {after}");
            assert_eq!(resumed.all, whole.all, "{pick:?} after {after}");
        }
    }
}

#[test]
fn the_inner_step_never_lowers_the_objective() {
    let data = striped(200);
    let folder = tempfile::tempdir().unwrap();
    let mut job = stopping(folder.path(), usize::MAX);
    let options = json!({"rounds": 4, "epochs": 1, "batch": 32, "score": "difference"});
    choose_with(&mut job, &data, &all_to_one(), ("lps", options), 18, &EVERYWHERE).unwrap();
    drop(job);
    let points = crate::run::journal::load(&folder.path().join("metrics.jsonl")).unwrap();
    let values = |metric: &str| -> Vec<f64> {
        points.iter().filter(|point| point.phase == PHASE && point.metric == metric).map(|point| point.value).collect()
    };
    let (before, after) = (values("score-before"), values("score-after"));
    assert_eq!((before.len(), after.len()), (4, 4));
    assert!(before.iter().zip(&after).all(|(before, after)| after >= before));
    assert!(values("overlap").iter().all(|share| (0.0..=1.0).contains(share)));
    let losses = values("loss");
    assert!(losses.last() < losses.first(), "the surrogate learns all the while: {losses:?}");
}

#[test]
fn a_choice_survives_its_file() {
    let chosen = Chosen { rows: vec![4, 1], scores: vec![2.5, f32::NAN], all: vec![0.5, 2.5] };
    let back = Chosen::from_params(&chosen.to_params()).unwrap();
    assert_eq!((back.rows, back.scores[0], back.all), (chosen.rows, 2.5, chosen.all));
    assert!(back.scores[1].is_nan());
}
