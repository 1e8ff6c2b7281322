//! `polariscope list` and `polariscope show RUN`.

use super::Output;
use crate::experiment::{Problem, Result};
use crate::run::event::Report;
use crate::run::fair::number;
use crate::run::folder::{RunFolder, name_of, runs_folder};
use crate::run::index::{Filter, Index, RunRow};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub fn list(runs: Option<&Path>, output: Output) -> Result<()> {
    let folder = match runs {
        Some(path) => path.to_owned(),
        None => runs_folder()?,
    };
    let rows = scan(&folder)?;
    let values: Vec<Value> = rows.iter().map(row_json).collect();
    output.print(&json!({ "folder": folder, "runs": values }), || {
        if rows.is_empty() {
            return format!(
                "No runs in {} yet. Start one with `polariscope run assets/presets/quick-badnets-npd.toml`.",
                folder.display()
            );
        }
        rows.iter().map(row_text).collect::<Vec<_>>().join("\n")
    })
}

/// All runs below a folder, newest first.
fn scan(folder: &Path) -> Result<Vec<RunRow>> {
    // Where the user's cache cannot be written, an index in memory serves one listing just as well.
    let mut index = Index::open().or_else(|_unwritable| Index::in_memory())?;
    index.rescan(folder)?;
    index.list(&Filter { root: Some(folder.to_owned()), ..Filter::default() })
}

fn row_json(row: &RunRow) -> Value {
    json!({
        "path": row.path, "name": row.name, "state": row.state, "data": row.data, "network": row.network,
        "attack": row.attack, "defenses": row.defenses, "seed": row.seed, "started": row.started, "ended": row.ended,
        "trouble": row.trouble, "fair": row.fair,
    })
}

fn row_text(row: &RunRow) -> String {
    let state = row.state.map_or("unreadable".to_owned(), |state| state.to_string());
    let name = name_of(&row.path);
    if row.is_fair() {
        return format!("{state:<12} {name:<48} {:<16} {}", row.network, trade_off(row)).trim_end().to_owned();
    }
    format!(
        "{state:<12} {name:<48} {:<16} {:<10} {}",
        row.network,
        row.attack.as_deref().unwrap_or("clean"),
        row.defenses.join(", ")
    )
}

/// Where the trade-off of a fair regression leads, on rows that were not learnt from.
fn trade_off(row: &RunRow) -> String {
    let end = |title: &str| row.fair.iter().find(|point| point.title == title);
    let (Some(from), Some(to)) = (end("no constraint"), end("fully fair")) else { return String::new() };
    let way = |name: &str, from: Option<f64>, to: Option<f64>| {
        let (from, to) = from.zip(to)?;
        Some(format!("{name} {} to {}", number(from), number(to)))
    };
    let said = [way("gap", from.test_gap, to.test_gap), way("error", from.test_rmse, to.test_rmse)];
    said.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

pub fn show(run: &Path, output: Output) -> Result<()> {
    let folder = RunFolder::open(&find(run)?)?;
    let results = folder.results()?.unwrap_or_default();
    let state = folder.state()?;
    let status = folder.status().ok();
    let images = folder.images()?;
    let value = json!({
        "folder": folder.path, "state": state, "problem": status.as_ref().and_then(|s| s.problem.clone()),
        "spec": folder.spec()?, "results": results.to_json(),
        "checks": results.checks, "points": folder.points()?.len(),
        "images": images.iter().map(|image| json!({ "file": image.file, "caption": image.caption })).collect::<Vec<_>>(),
    });
    let spec = folder.spec()?;
    output.print(&value, || {
        let mut text = format!("{}\nstate {state}\n\n{}\n", folder.path.display(), results.to_text());
        if let Some(problem) = status.and_then(|status| status.problem) {
            text += &format!("\n{problem}\n");
        }
        for image in &images {
            text += &format!("\n{}: {}", Path::new("images").join(&image.file).display(), image.caption);
        }
        format!("{text}\n\n{spec}")
    })
}

/// A run folder by its path, or by a part of its name among the user's runs.
pub fn find(run: &Path) -> Result<PathBuf> {
    if run.join("spec.toml").is_file() {
        return Ok(run.to_owned());
    }
    let wanted = run.to_string_lossy();
    let folder = runs_folder()?;
    let mut hits: Vec<PathBuf> = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(&*wanted)))
        .collect();
    match (hits.pop(), hits.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => Err(Problem::bad_input(format!("Several runs have `{wanted}` in their name."))
            .remedy("Write more of the name; `polariscope list` shows all.")),
        (None, _) => Err(Problem::bad_input(format!("There is no run `{wanted}`."))
            .at(folder.display())
            .remedy("See all runs with `polariscope list`.")),
    }
}

pub fn report_text(report: &Report) -> String {
    let width = report.facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = format!("{}\n", report.title);
    for (name, value) in &report.facts {
        text += &format!("  {name:<width$}  {value}\n");
    }
    for warning in &report.warnings {
        text += &format!("  ! {warning}\n");
    }
    text
}
