//! `polariscope predict`: a fitted fair regression on new rows.

use super::Output;
use crate::engine::fair;
use crate::experiment::{Problem, Result};
use crate::run::atomic::write_atomic;
use crate::run::fair::{Dial, number};
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// The model: a safetensors file, or the folder of the run that fitted it.
    #[arg(long)]
    model: PathBuf,
    /// The rows: a CSV or Parquet file with the columns that the model was fitted on; the target may be missing.
    #[arg(long)]
    table: String,
    /// The file to write: one line for each row, `row,prediction`.
    #[arg(long)]
    out: PathBuf,
    /// The share of the gap between groups that is removed, 0 to 1; by default the point that was kept with the model,
    /// else 1.
    #[arg(long)]
    removed: Option<f64>,
    #[command(flatten)]
    output: Output,
}

pub fn predict(arguments: &Arguments) -> Result<()> {
    if let Some(share) = arguments.removed.filter(|share| !(0.0..=1.0).contains(share)) {
        return Err(Problem::bad_input("A share must be between 0 and 1.")
            .at("--removed")
            .because(format!("It is {share}."))
            .remedy("0 leaves the gap as it is, 1 closes it."));
    }
    let (made, dial) = fair::predict(&arguments.model, &arguments.table, arguments.removed.map(Dial::Share))?;
    let mut text = String::from("row,prediction\n");
    for (row, value) in made.values.iter().enumerate() {
        // A String takes every text.
        let _ = writeln!(text, "{},{value}", row + 1);
    }
    write_atomic(&arguments.out, text.as_bytes())?;
    let place = match dial {
        Dial::Share(share) => format!("{:.0} % of the gap removed", 100.0 * share),
        Dial::Penalty(eta) => format!("penalty {}", number(eta)),
    };
    let value = json!({
        "out": arguments.out, "rows": made.values.len(), "target": made.target, "dial": dial, "rmse": made.rmse,
        "notes": made.notes,
    });
    arguments.output.print(&value, || {
        let mut text = format!("{} predictions of {}, {place}\n", made.values.len(), made.target);
        if let Some(rmse) = made.rmse {
            text += &format!("typical error {}, by the targets in the table\n", number(rmse));
        }
        made.notes.iter().for_each(|note| text += &format!("note: {note}\n"));
        text + &format!("written to {}\n", arguments.out.display())
    })
}
