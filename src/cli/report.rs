//! `polariscope report RUN`: the findings of an audit as a document.

use super::Output;
use super::runs::find;
use crate::experiment::Result;
use crate::run::report::{self, Audited};
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// The folder of a run with checks, or a part of its name.
    run: PathBuf,
    /// A PDF file; any other name becomes a folder with the PDF, the findings as JSON, the experiment and all pictures.
    #[arg(long)]
    out: PathBuf,
    /// Put this earlier audit beside it: its folder, or a part of its name.
    #[arg(long, value_name = "RUN")]
    beside: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

pub fn report(arguments: &Arguments) -> Result<()> {
    let earlier = arguments.beside.as_deref().map(find).transpose()?;
    let audited = Audited { earlier, ..Audited::of(find(&arguments.run)?) };
    let written = report::write(&audited, &arguments.out)?;
    arguments.output.print(&json!({ "report": written }), || format!("written to {}", written.display()))
}
