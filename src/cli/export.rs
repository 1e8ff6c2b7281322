//! `polariscope export-poison RUN`: the poisoned set as a folder of pictures.

use super::run::{Terminal, read_spec};
use super::runs::find;
use super::{Output, exit};
use crate::experiment::Result;
use crate::run::event::{Command, Ending};
use crate::run::folder::{RunFolder, folder_name_of};
use crate::run::poisoned_set::{Extent, PoisonExport, PoisonSource, PoisonedSet};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Arguments {
    /// A run folder, a part of a run's name, or an experiment (.toml) that need not have run.
    run: PathBuf,
    /// The new folder; by default `poisoned-set` inside the run folder.
    #[arg(long)]
    out: Option<PathBuf>,
    /// All pictures, so that the folder stands alone, instead of the stamped ones and their clean twins.
    #[arg(long, conflicts_with = "test_only")]
    all: bool,
    /// Only the stamped test pictures: all that there is of attacks that own the training loop.
    #[arg(long)]
    test_only: bool,
    #[command(flatten)]
    output: Output,
}

pub fn export(arguments: &Arguments) -> Result<i32> {
    let (from, usual) = source(&arguments.run)?;
    let out = arguments.out.clone().unwrap_or(usual);
    let extent = match (arguments.all, arguments.test_only) {
        (true, _) => Extent::Everything,
        (_, true) => Extent::TestOnly,
        _ => Extent::Poison,
    };
    let mut terminal = Terminal::start()?;
    let request = PoisonExport { from, out: out.clone(), extent };
    let stopping = "Stopping; nothing is left behind. Once more leaves at once.";
    let ending = terminal.follow(stopping, |job| Command::ExportPoison { job, request: Box::new(request) }, |_| {})?;
    terminal.close(|| report(arguments.output, &out, &ending))
}

/// What to export and where to by default.
fn source(run: &Path) -> Result<(PoisonSource, PathBuf)> {
    if run.extension().is_some_and(|extension| extension == "toml") {
        let spec = read_spec(run, &[])?;
        let usual = PathBuf::from(format!("{}-{}", folder_name_of(&spec), RunFolder::POISONED));
        return Ok((PoisonSource::Spec(spec.to_toml()?), usual));
    }
    let run = find(run)?;
    let usual = run.join(RunFolder::POISONED);
    Ok((PoisonSource::Run(run), usual))
}

fn report(output: Output, out: &Path, ending: &Ending) -> Result<i32> {
    let (state, code, problem) = match ending {
        Ending::Done => ("done", exit::DONE, None),
        Ending::Stopped { .. } => ("stopped", exit::STOPPED, None),
        Ending::Failed(problem) => ("failed", problem.code.exit_code(), Some(problem)),
    };
    if let Some(problem) = problem {
        eprintln!("error: {problem}");
    }
    let set = if *ending == Ending::Done { Some(PoisonedSet::read(out)?) } else { None };
    let part = |rows: usize, stamped: usize| json!({ "rows": rows, "stamped": stamped });
    let value = json!({
        "state": state, "folder": out, "problem": problem,
        "train": set.as_ref().map(|set| part(set.train.rows, set.train.stamped)),
        "test": set.as_ref().map(|set| part(set.test.rows, set.test.stamped)),
    });
    if set.is_some() || output.json {
        output.print(&value, || set.as_ref().map(|set| text(set, out)).unwrap_or_default())?;
    }
    Ok(code)
}

fn text(set: &PoisonedSet, out: &Path) -> String {
    let mut text = format!("{}\nfolder    {}\ntable     {}", set.counts(), out.display(), PoisonedSet::MANIFEST);
    if set.extent != Extent::TestOnly {
        text += &format!("\ntrain     polariscope run {}", out.display());
    }
    text
}
