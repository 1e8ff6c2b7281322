//! `polariscope sweep FILE`.

use super::run::{Terminal, read_spec};
use super::{Output, exit};
use crate::experiment::metric::MAPPED_BACK;
use crate::experiment::sweep::{Base, Sweep};
use crate::experiment::{Problem, Result, check};
use crate::run::atomic::write_atomic;
use crate::run::event::Ending;
use crate::run::folder::{RunFolder, name_of, runs_folder};
use crate::run::results::{FairRow, ResultRow, Results, percent, quoted, time_in_words};
use crate::run::sweep::{self, Planned};
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// What to vary, as TOML: a base experiment, [vary] and [[case]].
    sweep: PathBuf,
    /// Change a value of every run: `--set threads=1`.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// The folder that the run folders go to; by default the user's runs.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Only say which runs there would be.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
}

/// A run that is planned or over.
struct Run {
    planned: Planned,
    problem: Option<Problem>,
}

pub fn sweep(arguments: &Arguments) -> Result<i32> {
    let mut runs = plan(arguments)?;
    if arguments.dry_run {
        let names: Vec<_> =
            runs.iter().map(|run| json!({ "name": run.planned.variant.name, "folder": run.planned.folder })).collect();
        let text = || {
            let line = |run: &Run| format!("{:<48} {}", run.planned.variant.name, run.planned.folder.display());
            format!("{} runs\n{}", runs.len(), runs.iter().map(line).collect::<Vec<_>>().join("\n"))
        };
        arguments.output.print(&json!({ "runs": names }), text)?;
        return Ok(exit::DONE);
    }
    let mut terminal = Terminal::start()?;
    let count = runs.len();
    let mut stopped = false;
    for (index, run) in runs.iter_mut().enumerate() {
        eprintln!("\n({}/{count}) {}", index + 1, run.planned.variant.name);
        // A run that is there goes on where it stopped; a finished one tells its results.
        match terminal.run(run.planned.request())?.1 {
            Ending::Done => {}
            Ending::Stopped { .. } => {
                stopped = true;
                break;
            }
            // One run that cannot be made does not hold up the others.
            Ending::Failed(problem) => {
                eprintln!("error: {problem}");
                run.problem = Some(problem);
            }
        }
    }
    terminal.close(|| report(arguments, &runs, stopped))
}

/// All runs with their checked specs: a mistake in any of them is told before the first one starts.
fn plan(arguments: &Arguments) -> Result<Vec<Run>> {
    let sweep = Sweep::read(&arguments.sweep)?;
    let base = sweep.base_of(&arguments.sweep)?;
    let folder = match &arguments.out {
        Some(folder) => folder.clone(),
        None => runs_folder()?,
    };
    let methods = crate::catalogue::all();
    let read = |set: &[String]| {
        let patches: Vec<String> = set.iter().chain(&arguments.set).cloned().collect();
        match &base {
            Base::File(base) => read_spec(base, &patches),
            Base::Text(text) => check::parse_patched(text, &patches, methods),
        }
    };
    let planned = sweep::plan(&sweep, &folder, methods, read)?;
    Ok(planned.into_iter().map(|planned| Run { planned, problem: None }).collect())
}

fn report(arguments: &Arguments, runs: &[Run], stopped: bool) -> Result<i32> {
    let results = |run: &Run| -> Results {
        RunFolder::open(&run.planned.folder).and_then(|folder| folder.results()).ok().flatten().unwrap_or_default()
    };
    let all: Vec<(&Run, Results)> = runs.iter().map(|run| (run, results(run))).collect();
    if let Some(folder) = &arguments.out {
        write_atomic(&folder.join("sweep.csv"), csv(&all).as_bytes())?;
    }
    let value: Vec<_> = all
        .iter()
        .map(|(run, results)| {
            let problem = run.problem.as_ref();
            json!({ "name": run.planned.variant.name, "folder": run.planned.folder, "results": results.to_json(), "problem": problem })
        })
        .collect();
    let together = || {
        let runs: Vec<_> = all.iter().map(|(run, results)| (&run.planned, results)).collect();
        text(&all) + &sweep::summary::text(&runs)
    };
    arguments.output.print(&json!({ "runs": value, "stopped": stopped }), together)?;
    let failed = runs.iter().find_map(|run| run.problem.as_ref());
    Ok(match failed {
        _ if stopped => exit::STOPPED,
        Some(problem) => problem.code.exit_code(),
        None => exit::DONE,
    })
}

/// One line for each model of each run.
fn text(all: &[(&Run, Results)]) -> String {
    if is_fair(all) {
        return fair_text(all);
    }
    let mut text =
        format!("{:<40} {:<24} {:>7} {:>7} {:>7} {:>7} {:>14}\n", "", "", "ACC %", "ASR %", "RA %", "DER %", "time");
    // Only models that map their answers back have a residual attack rate.
    let mapped_back = all.iter().flat_map(|(_, results)| &results.rows).any(|row| row.scores.rar.is_some());
    for (run, results) in all {
        for row in &results.rows {
            let title = if row.control { format!("{} (control)", row.name()) } else { row.name() };
            let s = &row.scores;
            let _ = writeln!(
                text,
                "{:<40} {title:<24} {:>7} {:>7} {:>7} {:>7} {:>14}{}{}",
                run.planned.variant.name,
                percent(Some(s.acc)),
                percent(s.asr),
                percent(s.ra),
                percent(row.der),
                time_in_words(row.seconds),
                if row.note.is_empty() { "" } else { "  " },
                row.note
            );
            if s.rar.is_some() {
                let (rar, floor) = (percent(s.rar), percent(s.rar_floor));
                let _ = writeln!(
                    text,
                    "{:<40} {title:<24} RAR {rar} %, of a perfect model {floor} %",
                    run.planned.variant.name
                );
            }
        }
        if let Some(problem) = &run.problem {
            let _ = writeln!(text, "{:<40} failed: {}", run.planned.variant.name, problem.headline);
        }
    }
    if mapped_back {
        let _ = writeln!(text, "{MAPPED_BACK}");
    }
    text
}

/// All runs of a sweep share their task.
fn is_fair(all: &[(&Run, Results)]) -> bool {
    all.iter().any(|(_, results)| !results.fair.is_empty())
}

fn fair_text(all: &[(&Run, Results)]) -> String {
    let mut text = format!("{:<40} {:<36} {:>11} {:>11}\n", "", "", "test error", "test gap");
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.5}"));
    for (run, results) in all {
        for row in &results.fair {
            let (error, gap) = (number(row.test_rmse), number(row.test_gap));
            let _ = writeln!(text, "{:<40} {:<36} {error:>11} {gap:>11}", run.planned.variant.name, row.title);
        }
        if let Some(problem) = &run.problem {
            let _ = writeln!(text, "{:<40} failed: {}", run.planned.variant.name, problem.headline);
        }
    }
    text
}

/// One line for each model of each run, in full precision.
fn csv(all: &[(&Run, Results)]) -> String {
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    if is_fair(all) {
        const NAMES: &str = "title,method,needs_group,train_rmse,test_rmse,train_gap,test_gap,test_gap_noise";
        return lines(all, NAMES, |results| {
            let line = |row: &FairRow| {
                let cells = [
                    quoted(&row.title),
                    quoted(&row.method),
                    row.needs_group.to_string(),
                    row.train_rmse.to_string(),
                    number(row.test_rmse),
                    row.train_gap.to_string(),
                    number(row.test_gap),
                    number(row.test_gap_noise),
                ];
                cells.join(",")
            };
            results.fair.iter().map(line).collect()
        });
    }
    lines(all, "model,method,control,acc,asr,ra,rar,rar_floor,der,seconds,note", |results| {
        let line = |row: &ResultRow| {
            let cells = [
                quoted(&row.name()),
                quoted(&row.method),
                row.control.to_string(),
                row.scores.acc.to_string(),
                number(row.scores.asr),
                number(row.scores.ra),
                number(row.scores.rar),
                number(row.scores.rar_floor),
                number(row.der),
                row.seconds.to_string(),
                quoted(&row.note),
            ];
            cells.join(",")
        };
        results.rows.iter().map(line).collect()
    })
}

/// The lines of every run behind its name and folder.
fn lines(all: &[(&Run, Results)], names: &str, of: impl Fn(&Results) -> Vec<String>) -> String {
    let mut text = format!("run,folder,{names}\n");
    for (run, results) in all {
        for line in of(results) {
            let _ = writeln!(
                text,
                "{},{},{line}",
                quoted(&run.planned.variant.name),
                quoted(&name_of(&run.planned.folder))
            );
        }
    }
    text
}
