//! Fair regression: time and memory of the whole trade-off, and of a step of the dragged point.
//!
//! `cargo xtask bench fairness`; `cargo xtask bench fairness-2000` stops at 2,000 rows. Rows are made up: 20 features, two
//! groups that differ in half of them. Every size is fitted with a curve of 50 points; the figures of a line are for all of
//! it, reading a file left out. Each is measured in a process of its own: memory that one size gave back to the allocator,
//! but the allocator not to the system, would hide what the next one needs.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and may fail loudly")]

use polariscope::data::tables::{Cells, Column, Table};
use polariscope::experiment::fair::{FairExperiment, Solver};
use polariscope::fairness;
use polariscope::run::fair::Dial;
use polariscope::run::job::Job;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const FEATURES: usize = 20;
const POINTS: usize = 50;
const EXACT: [usize; 5] = [500, 1_000, 2_000, 5_000, 10_000];
const APPROXIMATE: [usize; 2] = [100_000, 1_000_000];
/// Tells a process which size and solver to measure, as `500 exact`.
const ONE: &str = "POLARISCOPE_BENCH_FAIRNESS";

fn main() {
    if let Ok(one) = std::env::var(ONE) {
        let (rows, solver) = one.split_once(' ').unwrap();
        return measure(rows.parse().unwrap(), serde_json::from_value(solver.into()).unwrap());
    }
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    let most = match filter.strip_prefix("fairness-").map(str::parse) {
        Some(Ok(most)) => most,
        _ if "fairness".contains(&filter) => usize::MAX,
        _ => return,
    };
    println!("threads: {}; training rows, seconds, and megabytes above what was in use before", tch::get_num_threads());
    println!(
        "{:>9}  {:<14} {:>8} {:>8} {:>8} {:>8} {:>7}",
        "rows", "solver", "solve", "curve", "the rest", "memory", "growth"
    );
    let mut before: Option<(usize, Solver, f64)> = None;
    for (rows, solver) in EXACT
        .into_iter()
        .map(|rows| (rows, Solver::Exact))
        .chain(APPROXIMATE.into_iter().map(|rows| (rows, Solver::Landmarks)))
        .chain(APPROXIMATE.into_iter().map(|rows| (rows, Solver::Fourier)))
        .filter(|(rows, _)| *rows <= most)
    {
        let seconds = in_own_process(rows, solver);
        // The exponent p of time ~ rows^p between neighbours in the list.
        if let Some((fewer, of, faster)) = before
            && of == solver
        {
            println!("{:>6.2}", (seconds / faster).ln() / (rows as f64 / fewer as f64).ln());
        } else {
            println!();
        }
        before = Some((rows, solver, seconds));
    }
    if most >= 5_000 {
        drag(5_000);
    }
}

/// Measures one line in a process of its own, prints it and returns the seconds of the solution.
fn in_own_process(rows: usize, solver: Solver) -> f64 {
    let name = format!("{solver:?}").to_lowercase();
    let one = Command::new(std::env::current_exe().unwrap()).env(ONE, format!("{rows} {name}")).output().unwrap();
    assert!(one.status.success(), "{}", String::from_utf8_lossy(&one.stderr));
    let line = String::from_utf8(one.stdout).unwrap();
    print!("{}", line.trim_end_matches('\n'));
    line.split_whitespace().nth(2).unwrap().parse().unwrap()
}

/// Prints one line of the table.
fn measure(rows: usize, solver: Solver) {
    let (experiment, table) = (experiment(solver), table(rows * 5 / 4));
    reset_peak();
    let own = memory("VmRSS:");
    let begin = Instant::now();
    let fit = fairness::fit(&mut Job::detached(Path::new(""), 1), &experiment, &table).unwrap().fit;
    let whole = begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    black_box(fit.curve(Dial::Share(0.0), POINTS));
    let curve = begin.elapsed().as_secs_f64();
    assert!(fit.achieved < 1e-8, "not fair: {}", fit.achieved);
    let name = format!("{solver:?}").to_lowercase();
    let memory = memory("VmHWM:").saturating_sub(own) as f64 / 1e3;
    let solve = fit.seconds[2];
    println!("{rows:>9}  {name:<14} {solve:>8.3} {curve:>8.6} {:>8.3} {memory:>8.0} ", whole - solve);
}

/// What a step of the dragged point computes: errors and gaps, all predictions, their distances, features.
fn drag(rows: usize) {
    let fit = fairness::fit(&mut Job::detached(Path::new(""), 1), &experiment(Solver::Exact), &table(rows * 5 / 4))
        .unwrap()
        .fit;
    let mut times: Vec<f64> = (0..200)
        .map(|step| {
            let begin = Instant::now();
            let dial = Dial::Share(f64::from(step) / 199.0);
            let weights = dial.weights(&fit.trade.support);
            black_box(fit.point(dial));
            for rows in [&fit.train, &fit.test] {
                let predictions = rows.predict(&weights);
                black_box(rows.ks(&predictions));
                black_box(rows.changes(&weights));
            }
            fit.features.iter().for_each(|feature| {
                black_box(feature.at(&weights));
            });
            begin.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("a step of the dragged point, {rows} training rows: p50 {:.3} ms, p99 {:.3} ms", times[100], times[198]);
}

fn experiment(solver: Solver) -> FairExperiment {
    let mut experiment = FairExperiment::of("made up", "y", &["group".to_owned()]);
    experiment.model.solver = solver;
    (experiment.model.gamma, experiment.model.lambda) = (Some(0.02), Some(1.0));
    experiment.model.folds = 0;
    experiment.rival = Some(Vec::new());
    experiment
}

fn table(rows: usize) -> Table {
    let mut rng = ChaCha8Rng::seed_from_u64(rows as u64);
    let group: Vec<u32> = (0..rows).map(|_| u32::from(rng.random::<f64>() < 0.3)).collect();
    let mut y = vec![0.0; rows];
    let mut columns: Vec<Column> = Vec::new();
    let mut add = |name: String, cells: Cells| columns.push(Column { name, cells, missing: 0, odd: None });
    for feature in 0..FEATURES {
        let shift = if feature % 2 == 0 { 0.5 } else { 0.0 };
        let values: Vec<f64> = group.iter().map(|&g| rng.random::<f64>() * 2.0 - 1.0 + shift * f64::from(g)).collect();
        y.iter_mut().zip(&values).for_each(|(y, value)| *y += (value * (1.0 + feature as f64 / 5.0)).sin());
        add(format!("x{feature}"), Cells::Numbers(values));
    }
    add("group".into(), Cells::Levels { codes: group, names: vec!["a".into(), "b".into()] });
    add("y".into(), Cells::Numbers(y));
    Table { name: "made up".into(), columns, rows, notes: Vec::new(), hash: String::new() }
}

/// A line of `/proc/self/status` in kilobytes; 0 where there is none.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|text| text.strip_prefix(line));
    found.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// Lets the kernel forget the peak so far.
fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
