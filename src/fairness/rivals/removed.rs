//! The sensitive columns are simply not used. Other columns that go along with them still speak for them.

use super::{Candidate, Entry};
use crate::experiment::method::{Kind, Method, defaults_of, schema_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::Tensor;

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "attribute-removed",
        kind: Kind::FairRival,
        name: "Attribute removed",
        one_line: "The same regression without the sensitive columns: fairness through unawareness.",
        page: "The first idea of most people, and the one that fails most often: other columns go along with the sensitive \
               ones and carry the difference on. Look at how little its point moves away from the unconstrained end.",
        paper: "Dwork, Hardt, Pitassi, Reingold, Zemel: Fairness through awareness. ITCS 2012 (which names its failure)",
        properties: &[],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    needs_group: false,
    fit: |job, setting, _| {
        let frame = setting.frame;
        let parts: Vec<Tensor> = frame
            .features
            .iter()
            .filter(|feature| !feature.sensitive)
            .map(|feature| frame.x.narrow(1, feature.at as i64, feature.width as i64))
            .collect();
        if parts.is_empty() {
            return Ok(Vec::new());
        }
        setting.regress(job, &Tensor::cat(&parts, 1)).map(Candidate::only)
    },
};
