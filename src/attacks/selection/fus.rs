//! FUS, filtering and updating: the pictures whose backdoor a network forgets most often while it learns.
//!
//! A forgetting event is an epoch in which a poisoned picture goes to the target and the next one in which it does not.
//! Each round trains a fresh surrogate on the poisoned set, keeps the share a of the pictures with the most events and
//! fills the rest up at random; after N rounds what is left matters most.
//!
//! Xia, Li, Zhang, Li: Data-Efficient Backdoor Attacks. IJCAI 2022. The published code never stamps the first poisoned
//! picture, may fill up with pictures that were kept, and breaks ties by position: here all are stamped, none comes
//! twice, and ties are broken at random. A poisoned picture replaces the clean one, where the code appends it, and the
//! surrogate has the victim's shape, where the paper has VGG-16.
//!
//! Look at the mean score from round to round: it rises as pictures that are forgotten often gather.

use super::quota::hardest;
use super::stamped::Stamped;
use super::{Chosen, Entry, PHASE, Scene, Selection, parse};
use crate::data::{Trigger, values};
use crate::experiment::method::{Kind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Result, Schedule, Train};
use crate::nets::training::ResumePoint;
use crate::nets::training::fit::{Batch, Fit, Forward, Round, Step, fit_with};
use crate::nets::{Mode, Params};
use crate::run::job::Job;
use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tch::Tensor;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Surrogates that are trained one after another; 0 leaves the random pictures of the beginning.
    #[schemars(range(min = 0, max = 50), extend("x-paper" = 10))]
    pub rounds: usize,
    /// How long each surrogate learns.
    #[schemars(range(min = 2, max = 200), extend("x-unit" = "epochs", "x-paper" = 70))]
    pub epochs: usize,
    /// Share of the pictures that is kept from round to round.
    #[schemars(range(min = 0.0, max = 1.0), extend("x-paper" = 0.5))]
    pub keep: f64,
    /// Learning rate of the surrogates; a tenth of it after half of the epochs, and again after four fifths.
    #[schemars(range(min = 0.0001, max = 1.0), extend("x-scale" = "log", "x-paper" = 0.01, "x-advanced" = true))]
    pub learning_rate: f64,
    /// Pictures per step of a surrogate.
    #[schemars(range(min = 2, max = 4096), extend("x-paper" = 256, "x-advanced" = true))]
    pub batch: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounds: 10, epochs: 70, keep: 0.5, learning_rate: 0.01, batch: 256 }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "fus",
        kind: Kind::Selection,
        name: "FUS",
        one_line: "Poisons what surrogate networks learn and forget again most often.",
        page: "Filtering and updating: a surrogate network is trained on a poisoned set, and for each poisoned picture \
               the program notes after which epochs its backdoor works. A picture that is learned and forgotten again \
               matters for the backdoor; one that is learned once and kept could be left out. The most forgotten half \
               stays, the rest is drawn anew, and a fresh surrogate begins.\n\nThis costs as many trainings as there \
               are rounds; LPS needs one. The paper reaches the same attack success with 47 to 75 % of the pictures \
               that a random selection needs. The last round's newcomers have not been judged.",
        paper: "Xia, Li, Zhang, Li: Data-Efficient Backdoor Attacks. IJCAI, 2022",
        properties: &[Property::Surrogate],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Box::new(Fus { options: parse(options)? })),
};

struct Fus {
    options: Options,
}

impl Selection for Fus {
    fn score(&self) -> Option<&'static str> {
        Some("forgetting events")
    }

    fn select(&self, job: &mut Job, scene: &Scene, budget: usize, trigger: Option<&dyn Trigger>) -> Outcome<Chosen> {
        let options = &self.options;
        let stamped = Stamped::make(job, scene, trigger.ok_or_else(super::blind)?)?;
        let train = Train {
            epochs: options.epochs,
            batch: options.batch,
            learning_rate: options.learning_rate,
            schedule: Schedule::TwoSteps,
            ..scene.recipe.clone()
        };
        let mut diary = Diary::new(fill(Vec::new(), &stamped, budget, job, "start"), &stamped, options.epochs);
        let mut chosen = Chosen { rows: stamped.rows(&diary.places), ..Chosen::default() };
        let mut first = 0;
        if let Some((epoch, state, _)) = ResumePoint::of(job, PHASE).peek::<Vec<f64>>()
            && diary.restore(&state).is_ok()
        {
            first = epoch / options.epochs;
            // A round that was trained to its end is only to be judged.
            if epoch.is_multiple_of(options.epochs) {
                (diary, chosen) = self.filter(job, diary, first - 1)?;
            }
        }
        for round in first..options.rounds {
            let fit = Fit {
                phase: PHASE,
                train: &train,
                kind: scene.kind,
                mode: Mode::Train,
                trains: &|_| true,
                drop_last: false,
                round: Round { index: round, of: options.rounds },
            };
            let mut model = stamped.surrogate(&mut job.rng(&format!("selection/weights/{round}")))?;
            let overlay = stamped.overlay(&diary.places);
            fit_with(job, &mut model, &overlay, &fit, &mut diary, &mut |_, _, _| Ok(()))?;
            (diary, chosen) = self.filter(job, diary, round)?;
        }
        Ok(chosen)
    }
}

impl Fus {
    /// Keeps what was forgotten most often and fills up at random: the next round's diary, and what is chosen so far.
    fn filter<'a>(&self, job: &mut Job, diary: Diary<'a>, round: usize) -> Outcome<(Diary<'a>, Chosen)> {
        let events = diary.forgetting_events();
        let budget = diary.places.len();
        let wanted = (self.options.keep * budget as f64).floor() as usize;
        let order = hardest(&events, wanted, &mut job.rng(&format!("selection/filter/{round}")));
        let kept: Vec<usize> = order.iter().map(|&at| diary.places[at]).collect();
        let mean = |values: &mut dyn Iterator<Item = f32>| {
            let values: Vec<f32> = values.collect();
            f64::from(values.iter().sum::<f32>()) / values.len().max(1) as f64
        };
        let values = [
            ("overlap", kept.len() as f64 / budget as f64),
            ("mean-score", mean(&mut events.iter().copied())),
            ("score-after", mean(&mut order.iter().map(|&at| events[at]))),
        ];
        job.metrics(PHASE, ((round + 1) * self.options.epochs) as f64, &values)?;
        let mut scores: Vec<f32> = order.iter().map(|&at| events[at]).collect();
        scores.resize(budget, f32::NAN);
        let places = fill(kept, diary.stamped, budget, job, &format!("refill/{round}"));
        let chosen = Chosen { rows: diary.stamped.rows(&places), scores, all: events };
        Ok((Diary::new(places, diary.stamped, self.options.epochs), chosen))
    }
}

/// These candidates and as many others, drawn at random, as are missing.
fn fill(kept: Vec<usize>, stamped: &Stamped, budget: usize, job: &Job, stream: &str) -> Vec<usize> {
    let known: BTreeSet<usize> = kept.iter().copied().collect();
    let mut others: Vec<usize> = (0..stamped.len()).filter(|place| !known.contains(place)).collect();
    others.shuffle(&mut job.rng(&format!("selection/{stream}")));
    let mut places = kept;
    places.extend(others.into_iter().take(budget - known.len()));
    places
}

/// After which epochs the backdoor worked in which picture, as the training itself saw it.
struct Diary<'a> {
    stamped: &'a Stamped<'a>,
    /// Places of the poisoned candidates.
    places: Vec<usize>,
    /// Where a candidate stands in `places`.
    lines: Vec<Option<usize>>,
    epochs: usize,
    /// How many epochs of each picture are written.
    written: Vec<usize>,
    /// For each picture and epoch: 1 where it went where the attacker wants it.
    right: Vec<u8>,
}

impl<'a> Diary<'a> {
    fn new(places: Vec<usize>, stamped: &'a Stamped<'a>, epochs: usize) -> Self {
        let mut lines = vec![None; stamped.len()];
        for (line, &place) in places.iter().enumerate() {
            lines[place] = Some(line);
        }
        let count = places.len();
        Self { stamped, places, lines, epochs, written: vec![0; count], right: vec![0; count * epochs] }
    }

    fn note(&mut self, line: usize, right: bool) {
        if let Some(mark) = self.right.get_mut(line * self.epochs + self.written[line]) {
            *mark = u8::from(right);
            self.written[line] += 1;
        }
    }

    fn forgetting_events(&self) -> Vec<f32> {
        let line = |line: usize| &self.right[line * self.epochs..][..self.written[line]];
        (0..self.places.len()).map(|at| forgetting_events(line(at)) as f32).collect()
    }
}

/// How often a 1 is followed by a 0.
fn forgetting_events(right: &[u8]) -> usize {
    right.windows(2).filter(|pair| pair == &[1, 0]).count()
}

const PLACES: &str = "selection.places";
const WRITTEN: &str = "selection.written";
const RIGHT: &str = "selection.right";

impl Step for Diary<'_> {
    fn loss(&mut self, mut batch: Batch, forward: &mut Forward) -> Result<Tensor> {
        let x = batch.pictures()?;
        let logits = forward(&x)?;
        let answers: Vec<f32> = values(&logits.argmax(1, false).eq_tensor(&batch.labels))?;
        for (&row, right) in batch.rows.iter().zip(answers) {
            if let Some(line) = self.stamped.place(row).and_then(|place| self.lines[place]) {
                self.note(line, right > 0.5);
            }
        }
        Ok(logits.cross_entropy_for_logits(&batch.labels))
    }

    fn state(&self) -> Params {
        let whole = |values: &[usize]| Tensor::from_slice(&values.iter().map(|&v| v as i64).collect::<Vec<_>>());
        let tensors =
            [(PLACES, whole(&self.places)), (WRITTEN, whole(&self.written)), (RIGHT, Tensor::from_slice(&self.right))];
        tensors.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect()
    }

    fn restore(&mut self, state: &Params) -> Result<()> {
        let whole = |name: &str| -> Result<Vec<usize>> {
            let values = Vec::<i64>::try_from(state.get(name)?).map_err(super::unreadable)?;
            Ok(values.into_iter().map(|value| value as usize).collect())
        };
        let right = Vec::<u8>::try_from(state.get(RIGHT)?).map_err(super::unreadable)?;
        let restored = Self { written: whole(WRITTEN)?, right, ..Self::new(whole(PLACES)?, self.stamped, self.epochs) };
        *self = restored;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgetting_is_counted_as_in_the_paper() {
        assert_eq!(forgetting_events(&[1, 0, 1, 0]), 2);
        assert_eq!(forgetting_events(&[0, 0, 1, 1]), 0);
        assert_eq!(forgetting_events(&[1, 1, 1, 1]), 0);
        assert_eq!(forgetting_events(&[]), 0);
        for bits in 0u8..128 {
            let right: Vec<u8> = (0..7).map(|epoch| bits >> epoch & 1).collect();
            assert!(forgetting_events(&right) <= 3, "seven epochs hold three falls at most");
        }
    }
}
