//! `polariscope plan SPEC`: what an attack will do to its training set, before anything is trained.

use super::run::read_spec;
use super::{Output, exit};
use crate::engine::{Library, planner};
use crate::experiment::{LabelMap, Result};
use crate::run::PoisonPlan;
use crate::run::poison_plan::label_map_words;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// The experiment as TOML.
    spec: PathBuf,
    /// Change a value: `--set poison.ratio=0.01`.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    output: Output,
}

/// Exit code 2 if the run would be refused.
pub fn plan(arguments: &Arguments) -> Result<i32> {
    let experiment = read_spec(&arguments.spec, &arguments.set)?;
    let plan = planner::plan(&experiment.to_toml()?, &mut Library::default())?;
    arguments.output.print(&plan, || text(&plan))?;
    for problem in &plan.problems {
        eprintln!("error: {problem}");
    }
    Ok(if plan.problems.is_empty() { exit::DONE } else { exit::BAD_INPUT })
}

fn text(plan: &PoisonPlan) -> String {
    let all: usize = plan.total.iter().sum();
    let map = plan.label_map.unwrap_or(LabelMap::AllToOne);
    let mut text = format!(
        "{}: {} of {all} training pictures ({:.3} %), {}\n",
        plan.attack,
        plan.budget,
        100.0 * plan.ratio,
        label_map_words(map)
    );
    for need in &plan.needs {
        text += &format!("{need}\n");
    }
    let width = plan.classes.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(5);
    text +=
        &format!("\n{:<width$}  {:>7}  {:>8}  {:>8}  label in training\n", "class", "total", "eligible", "poisoned");
    for (class, name) in plan.classes.iter().enumerate() {
        let poisoned = plan.poisoned.as_ref().map_or("open".to_owned(), |poisoned| poisoned[class].to_string());
        let label = plan.label_of[class].map_or("-", |label| plan.classes[label].as_str());
        let (total, eligible) = (plan.total[class], plan.eligible[class]);
        text += &format!("{name:<width$}  {total:>7}  {eligible:>8}  {poisoned:>8}  {label}\n");
    }
    text
}
