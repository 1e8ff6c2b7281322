//! `polariscope audit MODEL DATA`: what can be found in a model that somebody delivered.

use super::Output;
use super::run::{Terminal, report};
use super::runs::find;
use crate::catalogue;
use crate::experiment::audit::{audit as compose, try_patch_of};
use crate::experiment::{Code, Problem, Result, check};
use crate::run::event::RunRequest;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(after_help = "A suspicious model is a finding, not an error: the exit code is 0 then, too.")]
pub struct Arguments {
    /// The model: safetensors, a PyTorch checkpoint or TorchScript; `demo-healthy`, `demo-backdoored` and
    /// `demo-repaired` are built in.
    model: String,
    /// Pictures with labels: a file or folder of a known format, or `fashion-mini`.
    data: String,
    /// Change a value: `--set check.2.options.epochs=40`, `--set data.test_rows=500`.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Only this check; may be given several times.
    #[arg(long = "check", value_name = "ID")]
    check: Vec<String>,
    /// Try also the patch that this earlier audit has found: the folder of a run, or a part of its name.
    #[arg(long, value_name = "RUN")]
    after: Option<PathBuf>,
    /// The run folder; by default a folder of its own among the user's runs.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Continue an interrupted audit.
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    output: Output,
}

pub fn audit(arguments: &Arguments) -> Result<i32> {
    let methods = catalogue::all();
    let mut experiment = compose(&absolute(&arguments.model)?, &absolute(&arguments.data)?, methods);
    if !arguments.check.is_empty() {
        experiment.check = arguments
            .check
            .iter()
            .map(|id| crate::experiment::Pick { id: id.clone(), options: Default::default() })
            .collect();
    }
    if let Some(earlier) = &arguments.after {
        let earlier = find(earlier)?;
        let whole = std::path::absolute(&earlier).map_err(|error| Problem::io("find this path", &earlier, &error))?;
        try_patch_of(&mut experiment, &whole);
    }
    let spec = check::parse_patched(&check::to_toml(&experiment)?, &arguments.set, methods)?.to_toml()?;
    let mut terminal = Terminal::start()?;
    let request = RunRequest { spec, folder: arguments.out.clone(), resume: arguments.resume };
    let (folder, ending) = terminal.run(request)?;
    terminal.close(|| report(arguments.output, folder, &ending))
}

/// A path as it is from anywhere, so that the run can be repeated; the name of something built in stays as it is.
fn absolute(place: &str) -> Result<String> {
    let path = Path::new(place);
    if !path.exists() {
        // A name without a folder may be built in; the engine knows.
        let name = path.components().count() == 1 && path.extension().is_none();
        return match name {
            true => Ok(place.to_owned()),
            false => Err(Problem::new(Code::MissingFile, "There is nothing at this path.")
                .at(path.display())
                .remedy("Check the path; `demo-backdoored` and `fashion-mini` are built in.")),
        };
    }
    let whole = std::path::absolute(path).map_err(|error| Problem::io("find this path", path, &error))?;
    Ok(whole.display().to_string())
}
