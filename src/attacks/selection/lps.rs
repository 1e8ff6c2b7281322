//! LPS: the pictures that a surrogate finds hardest, in a game of two.
//!
//! min over the surrogate, max over the mask m: mean of (1 - m_i) l(f(x_i), y_i) + m_i l(f(phi(x_i)), y_t), with a fixed
//! number of ones, evenly over the classes. The surrogate learns the set as it is poisoned now; then the mask moves to
//! the pictures whose backdoor it has learned worst, which is the exact maximum because the sum is linear in m. What is
//! hard leaves a backdoor that covers what is easy.
//!
//! Zhu, Zhang, Wei, Shen, Fan, Wu: Boosting Backdoor Attack with A Learnable Poisoning Sample Selection Strategy. 2023.
//! Its code is not public: rounds, epochs a round and the surrogate are this program's completion of the paper. The
//! surrogate has the victim's shape. A poisoned picture replaces the clean one.
//!
//! Look at the overlap from round to round (does the game settle?), and at the score before and after the mask moves.

use super::quota::{hardest, hardest_of_each_class};
use super::stamped::{Stamped, batch_of};
use super::{Chosen, Entry, PHASE, Scene, Selection, parse};
use crate::data::{Poisoned, Trigger, values};
use crate::experiment::method::{Kind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Result, Schedule, Train};
use crate::nets::training::fit::{Batch, Fit, Forward, Plain, Round, Step, fit_with};
use crate::nets::{Mode, Model, Params};
use crate::run::job::Job;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeSet;
use tch::Tensor;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How often the surrogate learns and the mask moves; 0 leaves the random mask of the beginning.
    #[schemars(range(min = 0, max = 100))]
    pub rounds: usize,
    /// How long the surrogate learns in each round.
    #[schemars(range(min = 1, max = 20), extend("x-unit" = "epochs"))]
    pub epochs: usize,
    /// The same number of pictures from every class.
    pub per_class: bool,
    pub score: Score,
    /// Learning rate of the surrogate.
    #[schemars(range(min = 0.0001, max = 1.0), extend("x-scale" = "log", "x-advanced" = true))]
    pub learning_rate: f64,
    /// Pictures per step of the surrogate.
    #[schemars(range(min = 2, max = 4096), extend("x-advanced" = true))]
    pub batch: usize,
}

/// What makes a picture hard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Score {
    /// The loss of the stamped picture.
    Stamped,
    /// The loss of the stamped picture minus that of the clean one: what the replacement changes.
    Difference,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounds: 15, epochs: 1, per_class: true, score: Score::Stamped, learning_rate: 0.01, batch: 128 }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "lps",
        kind: Kind::Selection,
        name: "LPS",
        one_line: "Poisons what a surrogate network finds hardest to learn.",
        page: "A surrogate network is trained on the poisoned set while the poison moves: after each round it goes to the \
               pictures of each class whose stamped copy the surrogate still gets wrong. Hard pictures leave a backdoor \
               that covers the easy ones, so that fewer are needed. The choice matters at low ratios; at 10 % all \
               selections reach the same.\n\nJudge a selection by a network that was trained afresh, never by the \
               surrogate, and over several seeds. Compare it with the random selection with `per_class` and with \
               pictures of the target class left alone. Hard pictures are also odd pictures, which filters by loss \
               find more easily.",
        paper: "Zhu, Zhang, Wei, Shen, Fan, Wu: Boosting Backdoor Attack with A Learnable Poisoning Sample Selection \
                Strategy. arXiv 2307.07328, 2023",
        properties: &[Property::Surrogate],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Box::new(Lps { options: parse(options)? })),
};

struct Lps {
    options: Options,
}

impl Selection for Lps {
    fn score(&self) -> Option<&'static str> {
        Some(match self.options.score {
            Score::Stamped => "loss with the trigger",
            Score::Difference => "loss with the trigger minus loss without",
        })
    }

    fn select(&self, job: &mut Job, scene: &Scene, budget: usize, trigger: Option<&dyn Trigger>) -> Outcome<Chosen> {
        let options = &self.options;
        let stamped = Stamped::make(job, scene, trigger.ok_or_else(super::blind)?)?;
        let train = Train {
            epochs: options.rounds * options.epochs,
            batch: options.batch,
            learning_rate: options.learning_rate,
            schedule: Schedule::Constant,
            ..scene.recipe.clone()
        };
        let fit = Fit {
            phase: PHASE,
            train: &train,
            kind: scene.kind,
            mode: Mode::Train,
            trains: &|_| true,
            drop_last: true,
            round: Round::ONLY,
        };
        let mask = self.highest(&stamped, &vec![0.0; stamped.len()], budget, job, "mask");
        let game = RefCell::new(Game { overlay: stamped.overlay(&mask), mask, scores: Vec::new(), stamped: &stamped });
        let mut model = stamped.surrogate(&mut job.rng("selection/weights"))?;
        let mut turn = |job: &mut Job, epoch: usize, model: &Model| {
            if epoch.is_multiple_of(options.epochs) {
                game.borrow_mut().move_mask(self, job, epoch, model)?;
            }
            Ok(())
        };
        fit_with(job, &mut model, scene.train, &fit, &mut Player(&game), &mut turn)?;
        let game = game.into_inner();
        Ok(Chosen { rows: stamped.rows(&game.mask), scores: game.scores_of_mask(), all: game.scores })
    }
}

impl Lps {
    /// The mask with the largest sum of scores.
    fn highest(&self, stamped: &Stamped, scores: &[f32], budget: usize, job: &Job, stream: &str) -> Vec<usize> {
        let mut rng = job.rng(&format!("selection/{stream}"));
        // Clean labels come from one class: there is nothing to even out.
        if self.options.per_class {
            hardest_of_each_class(scores, &stamped.classes, budget, &mut rng)
        } else {
            hardest(scores, budget, &mut rng)
        }
    }
}

/// Where the game stands.
struct Game<'a> {
    stamped: &'a Stamped<'a>,
    /// Places of the candidates that are poisoned now.
    mask: Vec<usize>,
    overlay: Poisoned<'a>,
    /// Scores of all candidates when the mask last moved.
    scores: Vec<f32>,
}

impl Game<'_> {
    /// The exact inner step: the mask goes where the surrogate is worst.
    fn move_mask(&mut self, lps: &Lps, job: &mut Job, epoch: usize, model: &Model) -> Outcome<()> {
        let mut scores = self.stamped.losses(job, model, false)?;
        if lps.options.score == Score::Difference {
            let clean = self.stamped.losses(job, model, true)?;
            scores.iter_mut().zip(clean).for_each(|(score, clean)| *score -= clean);
        }
        let before: BTreeSet<usize> = self.mask.iter().copied().collect();
        let was = mean(self.mask.iter().map(|&place| scores[place]));
        let mask = lps.highest(self.stamped, &scores, self.mask.len(), job, &format!("mask/{epoch}"));
        let stayed = mask.iter().filter(|place| before.contains(place)).count();
        let values = [
            ("overlap", stayed as f64 / mask.len() as f64),
            ("mean-score", mean(scores.iter().copied())),
            ("score-before", was),
            ("score-after", mean(mask.iter().map(|&place| scores[place]))),
        ];
        job.metrics(PHASE, epoch as f64, &values)?;
        self.set(mask, scores);
        Ok(())
    }

    fn set(&mut self, mask: Vec<usize>, scores: Vec<f32>) {
        self.overlay = self.stamped.overlay(&mask);
        (self.mask, self.scores) = (mask, scores);
    }

    fn scores_of_mask(&self) -> Vec<f32> {
        if self.scores.is_empty() { Vec::new() } else { self.mask.iter().map(|&place| self.scores[place]).collect() }
    }
}

fn mean(values: impl Iterator<Item = f32>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + f64::from(value), count + 1));
    sum / f64::from(count.max(1))
}

/// The surrogate's side: it learns the training set as the mask poisons it now.
struct Player<'g, 'a>(&'g RefCell<Game<'a>>);

const MASK: &str = "selection.mask";
const SCORES: &str = "selection.scores";

impl Step for Player<'_, '_> {
    fn loss(&mut self, batch: Batch, forward: &mut Forward) -> Result<Tensor> {
        let game = self.0.borrow();
        Plain.loss(batch_of(&game.overlay, batch), forward)
    }

    fn state(&self) -> Params {
        let game = self.0.borrow();
        let mask: Vec<i64> = game.mask.iter().map(|&place| place as i64).collect();
        let tensors = [(MASK, Tensor::from_slice(&mask)), (SCORES, Tensor::from_slice(&game.scores))];
        tensors.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect()
    }

    fn restore(&mut self, state: &Params) -> Result<()> {
        let mask: Vec<i64> = Vec::try_from(state.get(MASK)?).map_err(super::unreadable)?;
        let scores: Vec<f32> = values(state.get(SCORES)?)?;
        self.0.borrow_mut().set(mask.into_iter().map(|place| place as usize).collect(), scores);
        Ok(())
    }
}
