//! `polariscope eval`: any model on any data set, with or without a known trigger.

use super::Output;
use crate::engine::evaluation::{Evaluation, TriggerSource, evaluate};
use crate::experiment::metric::MAPPED_BACK;
use crate::experiment::{DeviceChoice, Precision, Result};
use crate::run::results::percent;
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Arguments {
    /// The model: safetensors, a PyTorch checkpoint or TorchScript.
    #[arg(long)]
    model: PathBuf,
    /// The data set: a file or folder of a known format, or `fashion-mini`. Its test part is used.
    #[arg(long)]
    data: String,
    /// The trigger: a run folder, an exported poisoned set, a TOML with [attack] and [poison], or a picture of the patch.
    #[arg(long)]
    trigger: Option<PathBuf>,
    /// Target class of a trigger given as a picture.
    #[arg(long, default_value_t = 0)]
    target: i64,
    /// Subtracted from pixels in 0..1, per channel: `0.49,0.48,0.45`; by default told by the model.
    #[arg(long, value_delimiter = ',', num_args = 3, allow_hyphen_values = true)]
    mean: Option<Vec<f64>>,
    /// Then divided by, per channel.
    #[arg(long, value_delimiter = ',', num_args = 3)]
    std: Option<Vec<f64>>,
    /// auto, cpu, cuda or cuda:N.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    #[command(flatten)]
    output: Output,
}

pub fn eval(arguments: &Arguments) -> Result<()> {
    let trigger = arguments.trigger.as_ref().map(|path| TriggerSource { path: path.clone(), target: arguments.target });
    let three = |values: &Option<Vec<f64>>| values.as_deref().and_then(|values| <[f64; 3]>::try_from(values).ok());
    let evaluation = Evaluation {
        model: arguments.model.clone(),
        data: arguments.data.clone(),
        trigger,
        mean: three(&arguments.mean),
        std: three(&arguments.std),
        device: arguments.device,
        precision: Precision::F32,
    };
    let report = evaluate(&evaluation)?;
    let s = report.scores;
    let value = json!({
        "network": report.network, "data": report.data, "input": report.input, "acc": s.acc, "asr": s.asr, "ra": s.ra,
        "cross": s.cross, "rar": s.rar, "rar_floor": s.rar_floor,
        "clean_count": s.clean_count, "triggered_count": s.triggered_count, "seconds": report.seconds,
    });
    arguments.output.print(&value, || {
        let mut text = format!("{} on {}\ninput {}\n", report.network, report.data, report.input);
        text += &format!("ACC {} % of {} test pictures\n", percent(Some(s.acc)), s.clean_count);
        if s.asr.is_some() {
            let (asr, ra) = (percent(s.asr), percent(s.ra));
            text += &format!("ASR {asr} %, RA {ra} % of {} stamped pictures\n", s.triggered_count);
        }
        if s.cross.is_some() {
            text += &format!("Cross accuracy {} % of {} disturbed pictures\n", percent(s.cross), s.clean_count);
        }
        if s.rar.is_some() {
            let (rar, floor) = (percent(s.rar), percent(s.rar_floor));
            text += &format!("RAR {rar} %, of a perfect model {floor} %\n{MAPPED_BACK}\n");
        }
        text
    })
}
