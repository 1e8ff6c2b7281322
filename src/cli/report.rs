//! `polariscope report RUN`: the findings of an audit as a document.

use super::Output;
use super::runs::find;
use crate::experiment::Result;
use crate::run::report;
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// The folder of a run with checks, or a part of its name.
    run: PathBuf,
    /// A PDF file; any other name becomes a folder with the PDF, the findings as JSON, the experiment and all pictures.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    output: Output,
}

pub fn report(arguments: &Arguments) -> Result<()> {
    let written = report::write(&find(&arguments.run)?, &arguments.out)?;
    arguments.output.print(&json!({ "report": written }), || format!("written to {}", written.display()))
}
