//! The command line: the same hall through the other door. Results go to stdout, progress and problems to stderr.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is where the program talks to a terminal")]

mod audit;
mod doctor;
mod eval;
mod export;
mod methods;
mod plan;
mod predict;
mod progress;
mod report;
mod run;
mod runs;
mod sweep;

use crate::experiment::{Code, Problem, Result};
use clap::{Parser, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Exit codes: 0 done, 2 bad input, 3 stopped and kept, 4 failed, 5 device missing.
pub mod exit {
    pub const DONE: i32 = 0;
    pub const BAD_INPUT: i32 = 2;
    pub const STOPPED: i32 = 3;
}

#[derive(Parser)]
#[command(name = "polariscope", version, about = "Plant, see, detect and remove backdoors in neural networks")]
#[command(after_help = "Without a command the window opens. Exit codes: 0 done, 2 bad input, 3 stopped and kept, \
                        4 failed, 5 device missing.")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// A spec, run folder, model, data set or lesson pack to open in the window.
    path: Option<PathBuf>,
    /// Start training the opened spec at once, in the window.
    #[arg(long, requires = "path")]
    train: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Run an experiment.
    Run(run::Arguments),
    /// Run an experiment many times with something varied; finished runs are not run again.
    Sweep(sweep::Arguments),
    /// Say what an experiment will poison, before anything is trained.
    Plan(plan::Arguments),
    /// List all methods, or explain one.
    Methods {
        id: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Say what is in a checkpoint, data set or run folder.
    Inspect {
        path: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// Measure a model on a data set, and its backdoor if the trigger is known.
    Eval(eval::Arguments),
    /// Look for a backdoor in a model that somebody delivered.
    Audit(audit::Arguments),
    /// Write the findings of an audit as a document.
    Report(report::Arguments),
    /// Predict with a fitted fair regression, for every row of a table.
    Predict(predict::Arguments),
    /// Write the poisoned set of a run as a folder of pictures with a table.
    ExportPoison(export::Arguments),
    /// List the runs.
    List {
        /// Folder of runs; by default the user's.
        runs: Option<PathBuf>,
        #[command(flatten)]
        output: Output,
    },
    /// Show one run: state, settings, results.
    Show {
        /// The run folder, or a part of its name.
        run: PathBuf,
        #[command(flatten)]
        output: Output,
    },
    /// Say what was found on this machine and what is missing.
    Doctor {
        #[command(flatten)]
        output: Output,
    },
}

#[derive(clap::Args, Clone, Copy)]
struct Output {
    /// Print one JSON object as the last line of stdout.
    #[arg(long)]
    json: bool,
}

impl Output {
    /// Prints one JSON object, or text for people.
    fn print(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        if self.json {
            let line = serde_json::to_string(value)
                .map_err(|e| Problem::internal("The answer cannot be written as JSON.").because(e))?;
            println!("{line}");
        } else {
            println!("{}", text().trim_end());
        }
        Ok(())
    }
}

/// What `main` shall do next.
pub enum Door {
    /// Open the window, perhaps with something in it that is trained at once.
    Window { path: Option<PathBuf>, train: bool },
    /// The work is done; leave with this code.
    Leave(i32),
}

/// Reads the arguments, does what they say and returns the exit code, or asks for the window.
pub fn main() -> Door {
    start_log();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return Door::Leave(if error.use_stderr() { exit::BAD_INPUT } else { exit::DONE });
        }
    };
    let Some(command) = arguments.command else { return window_on(arguments.path, arguments.train) };
    let wants_json = std::env::args().any(|argument| argument == "--json");
    Door::Leave(match dispatch(command) {
        Ok(code) => code,
        Err(problem) => tell(&problem, wants_json),
    })
}

/// The window, if there is something to open in it.
fn window_on(path: Option<PathBuf>, train: bool) -> Door {
    match path {
        Some(path) if !path.exists() => {
            let problem = Problem::new(Code::MissingFile, "There is no such command, file or folder.");
            Door::Leave(tell(&problem.at(path.display()).remedy("See the commands with `polariscope --help`."), false))
        }
        path => Door::Window { path, train },
    }
}

fn dispatch(command: Command) -> Result<i32> {
    match command {
        Command::Run(arguments) => return run::run(&arguments),
        Command::Sweep(arguments) => return sweep::sweep(&arguments),
        Command::Plan(arguments) => return plan::plan(&arguments),
        Command::Methods { id, output } => methods::methods(id.as_deref(), output)?,
        Command::Inspect { path, output } => {
            let report = crate::engine::inspect(&path)?;
            output.print(&report, || runs::report_text(&report))?;
        }
        Command::ExportPoison(arguments) => return export::export(&arguments),
        Command::Audit(arguments) => return audit::audit(&arguments),
        Command::Report(arguments) => report::report(&arguments)?,
        Command::Eval(arguments) => eval::eval(&arguments)?,
        Command::Predict(arguments) => predict::predict(&arguments)?,
        Command::List { runs, output } => runs::list(runs.as_deref(), output)?,
        Command::Show { run, output } => runs::show(&run, output)?,
        Command::Doctor { output } => return doctor::doctor(output),
    }
    Ok(exit::DONE)
}

/// Prints a problem and returns its exit code.
pub fn tell(problem: &Problem, as_json: bool) -> i32 {
    eprintln!("error: {problem}");
    if as_json {
        println!("{}", json!({ "problem": problem }));
    }
    problem.code.exit_code()
}

/// Log lines go to stderr: warnings only, unless `POLARISCOPE_LOG` asks for more.
fn start_log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("POLARISCOPE_LOG").unwrap_or_else(|_unset| EnvFilter::new("off"));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// A JSON object of name and value pairs.
fn object(pairs: impl IntoIterator<Item = (String, Value)>) -> Value {
    Value::Object(pairs.into_iter().collect())
}
