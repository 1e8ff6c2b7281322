//! Channels that amplify far more than their neighbours, from the weights alone.
//!
//! A small trigger must turn the answer around, so a channel that serves it may amplify unusually. How much a channel can
//! amplify follows from its convolution and its batch normalisation (see [`clp`]); channels more than `u` standard
//! deviations above the mean of their layer are counted. Clean networks have such channels as well, in similar numbers,
//! so that the count is evidence to look at and never a verdict. Measured: none stands out in the built-in backdoored
//! network (largest 2.2 deviations), in its repaired twin (2.2) or in one that was trained on clean pictures (2.9).
//!
//! Zheng, Tang, Li, Liu: Data-free Backdoor Removal Based on Channel Lipschitzness. ECCV 2022.

use super::{Check, Entry, Inspected, exhibit, parse};
use crate::data::pictures;
use crate::defenses::repair::clp::{self, Pairing};
use crate::experiment::Outcome;
use crate::experiment::method::{Kind as MethodKind, Method, Property, defaults_of, schema_of};
use crate::nets::Model;
use crate::run::checked::{CheckResult, Table, TableRow};
use crate::run::job::Job;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Standard deviations above the mean of its layer from which on a channel is counted.
    #[schemars(range(min = 0.0, max = 10.0), extend("x-paper" = 3.0))]
    pub u: f64,
    pub pairing: Pairing,
}

impl Default for Options {
    fn default() -> Self {
        Self { u: 3.0, pairing: Pairing::Exact }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "odd-channels",
        kind: MethodKind::Check,
        name: "Odd channels",
        one_line: "Channels that amplify far more than their neighbours; looks at the weights alone.",
        page: "How much a channel can amplify follows from its weights. A backdoor must turn the answer around with a \
               small trigger, so the channels that serve it may be unusually sensitive. They are counted in every layer; \
               that takes a second and no picture.\n\nThe count is never a verdict: networks that were trained on clean \
               pictures have such channels, too. It tells a person where to look, and what CLP would switch off.",
        paper: "Zheng, Tang, Li, Liu: Data-free Backdoor Removal Based on Channel Lipschitzness. ECCV, 2022",
        properties: &[Property::NeedsBatchNorm],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Box::new(OddChannels { options: parse(options)? })),
};

const MISSES: &str = "a backdoor that is spread over many channels, or whose attacker kept the weights small";

struct OddChannels {
    options: Options,
}

impl Check for OddChannels {
    fn look(&self, job: &mut Job, phase: &str, model: &Model, _: &Inspected) -> Outcome<CheckResult> {
        let o = &self.options;
        let norms = o.pairing.norms(&*model.network);
        if norms.is_empty() {
            let headline = "No convolutions with batch normalisation are known in this network.";
            return Ok(CheckResult::cannot_tell(headline, "Nothing was looked at.", MISSES));
        }
        job.work(0, norms.len() as u64, "layers");
        let (mut strips, mut rows) = (Vec::new(), Vec::new());
        let (mut odd, mut channels, mut layers) = (0, 0, 0);
        let mut largest = (f64::NEG_INFINITY, String::new());
        for norm in &norms {
            job.tick()?;
            let bounds = clp::bounds(&model.params, norm)?;
            let outliers = clp::outliers(&bounds, o.u).sum(Kind::Int64).int64_value(&[]);
            let size = bounds.size()[0];
            let most = deviations(&bounds);
            if most > largest.0 {
                largest = (most, norm.name.clone());
            }
            (odd, channels, layers) = (odd + outliers, channels + size, layers + i64::from(outliers > 0));
            let cells = vec![norm.name.clone(), size.to_string(), outliers.to_string(), format!("{most:.1}")];
            rows.push(TableRow { cells, bar: most, stands_out: outliers > 0 });
            strips.push(bounds);
            job.advance(0);
        }
        let scale = rows.iter().map(|row| row.bar).fold(o.u, f64::max).max(1e-9);
        rows.iter_mut().for_each(|row| row.bar = (row.bar / scale).clamp(0.0, 1.0));
        let picture = pictures::heat_map(&clp::sheet(&strips))?;
        let picture = exhibit(job, phase, clp::SHEET.to_owned(), picture)?;
        let head = ["layer", "channels", "outliers", "largest, in deviations"].map(str::to_owned).to_vec();
        let headline = match odd {
            0 => format!("No channel stands out; that proves nothing either way, in {channels} channels."),
            1 => "1 channel stands out; networks without a backdoor have such channels, too.".to_owned(),
            odd => format!("{odd} channels stand out; networks without a backdoor have such channels, too."),
        };
        Ok(CheckResult {
            headline,
            evidence: vec![
                ("outliers".to_owned(), format!("{odd} of {channels} channels, in {layers} of {} layers", norms.len())),
                ("largest".to_owned(), format!("{:.1} deviations above the mean, in {}", largest.0, largest.1)),
            ],
            table: Some(Table { head, rows, bars: 3 }),
            strength: format!(
                "Every channel of {} layers was bounded from its weights; nothing was run. A count alone does not tell a \
                 backdoored network from a clean one.",
                norms.len()
            ),
            misses: MISSES.to_owned(),
            pictures: vec![picture],
            ..CheckResult::default()
        })
    }
}

/// How far the largest bound lies above the mean, in standard deviations.
fn deviations(bounds: &Tensor) -> f64 {
    let spread = bounds.std(true).double_value(&[]);
    (bounds.max().double_value(&[]) - bounds.mean(Kind::Double).double_value(&[])) / spread.max(1e-12)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{looked, untrained};
    use super::*;
    use crate::run::checked::Verdict;
    use serde_json::json;

    #[test]
    fn a_loud_channel_is_counted_in_its_layer_and_accuses_nobody() {
        let quiet = untrained();
        let mut loud = quiet.deep_clone();
        let weight = loud.params.get("layer2.0.conv1.weight").unwrap().copy();
        let _ = weight.get(3).g_mul_scalar_(50.0);
        loud.params.insert("layer2.0.conv1.weight", weight);
        let options = json!({"u": 2.4});
        let rows = |found: &CheckResult| found.table.clone().unwrap().rows;
        let (before, after) =
            (looked("odd-channels", options.clone(), &quiet, 2), looked("odd-channels", options, &loud, 2));
        let stands_out = |found: &CheckResult| {
            rows(found).into_iter().find(|row| row.cells[0] == "layer2.0.bn2").unwrap().stands_out
        };
        assert!(!stands_out(&before) && stands_out(&after), "{after:?}");
        assert_eq!((before.verdict, after.verdict), (Verdict::CannotTell, Verdict::CannotTell));
    }
}
