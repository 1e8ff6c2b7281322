//! Random selection: every eligible picture is as good as any other. The baseline of the others.
//!
//! With `per_class` each class gives the same number of pictures, as learned selections do it: the fair comparison.

use super::{Entry, Scene, Selection, parse};
use crate::data::Trigger;
use crate::experiment::Outcome;
use crate::experiment::method::{Kind, Method, defaults_of, schema_of};
use crate::run::job::Job;
use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The same number of pictures from every class that gives any.
    pub per_class: bool,
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "random",
        kind: Kind::Selection,
        name: "Random",
        one_line: "Poisons pictures drawn at random.",
        page: "The poisoned pictures are drawn at random, without looking at them or at the trigger. This is what most \
               attacks do, and what the learned selections are measured against: give it the same pictures to draw \
               from and, with `per_class`, the same number for every class before you compare.",
        paper: "Baseline of Xia, Li, Zhang, Li: Data-Efficient Backdoor Attacks. IJCAI, 2022",
        properties: &[],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Box::new(Random { options: parse(options)? })),
};

struct Random {
    options: Options,
}

impl Selection for Random {
    fn learns(&self) -> bool {
        false
    }

    fn select(&self, job: &mut Job, scene: &Scene, budget: usize, _: Option<&dyn Trigger>) -> Outcome<Vec<i64>> {
        let mut rows = scene.rows.to_vec();
        rows.shuffle(&mut job.rng("poison"));
        if self.options.per_class {
            let labels = scene.train.labels();
            let mut by_class: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
            for row in rows {
                by_class.entry(labels[row as usize]).or_default().push(row);
            }
            // One from each class in turn: quotas differ by one at most, and small classes give what they have.
            let mut turns: Vec<_> = by_class.into_values().map(Vec::into_iter).collect();
            turns.shuffle(&mut job.rng("poison/classes"));
            rows = Vec::with_capacity(budget);
            while rows.len() < budget {
                let before = rows.len();
                rows.extend(turns.iter_mut().filter_map(Iterator::next));
                if rows.len() == before {
                    break;
                }
            }
        }
        rows.truncate(budget);
        Ok(rows)
    }
}
