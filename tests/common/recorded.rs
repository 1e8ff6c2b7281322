//! Run folders as the engine leaves them, without an engine.

use super::{SPEC, glimpse, point, results};
use polariscope::run::{Journal, ResultRow, Results, State, Status, atomic, moments};
use std::path::Path;

/// Four epochs of an attack that wins from the third on, recorded in 40 seconds.
pub fn record(folder: &Path, name: &str) {
    let spec = SPEC.replace("Corner patch, repaired by a polarizer", name);
    let write = |file: &str, text: String| {
        atomic::write_atomic(&folder.join(file), text.as_bytes()).expect("a file of the run");
    };
    write("spec.toml", spec);
    let status = Status::now(State::Running).ended(State::Done, None);
    write("status.json", serde_json::to_string(&status).expect("json"));
    let mut journal = Journal::open(&folder.join("metrics.jsonl")).expect("a journal");
    for (epoch, acc, asr) in [(1.0, 0.4, 0.1), (2.0, 0.6, 0.2), (3.0, 0.8, 0.97), (4.0, 0.86, 0.99)] {
        for part in 1..=4 {
            let at = epoch - 1.0 + f64::from(part) / 4.0;
            journal.append(&[point("attack", "loss", at, 0.2 + 2.0 / (0.5 + at))]).expect("written");
        }
        let ra = (1.0 - asr) * acc;
        let rates =
            [("acc", acc), ("asr", asr), ("ra", ra)].map(|(metric, value)| point("attack", metric, epoch, value));
        journal.append(&rates).expect("written");
        moments::append(folder, &glimpse("attack", epoch, acc, asr, ra)).expect("written");
    }
    let weights = Some("weights/attacked.safetensors".into());
    let mut table = Results::default();
    table.push(ResultRow { seconds: 40.0, weights, ..results().remove(0) });
    write("results.json", serde_json::to_string(&table).expect("json"));
}
