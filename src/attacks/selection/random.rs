//! Random selection: every eligible picture is as good as any other. The baseline of the others.
//!
//! With `per_class` each class gives the same number of pictures, as learned selections do it: the fair comparison.

use super::quota::hardest_of_each_class;
use super::{Chosen, Entry, Scene, Selection, parse};
use crate::data::Trigger;
use crate::experiment::Outcome;
use crate::experiment::method::{Kind, Method, defaults_of, schema_of};
use crate::run::job::Job;
use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    fn score(&self) -> Option<&'static str> {
        None
    }

    fn select(&self, job: &mut Job, scene: &Scene, budget: usize, _: Option<&dyn Trigger>) -> Outcome<Chosen> {
        let mut rng = job.rng("poison");
        let rows = if self.options.per_class {
            let labels = scene.train.labels();
            let classes: Vec<i64> = scene.rows.iter().map(|&row| labels[row as usize]).collect();
            let places = hardest_of_each_class(&vec![0.0; classes.len()], &classes, budget, &mut rng);
            places.into_iter().map(|place| scene.rows[place]).collect()
        } else {
            let mut rows = scene.rows.to_vec();
            rows.shuffle(&mut rng);
            rows.truncate(budget);
            rows
        };
        Ok(Chosen { rows, ..Chosen::default() })
    }
}
