//! Judging a model: ACC on clean test pictures, ASR and RA on stamped ones. No defense can reach what is here.

use crate::data::{Dataset, Plan, Poisoned, Trigger, balanced_rows, values};
use crate::experiment::{Outcome, Poison, Scores};
use crate::nets::Model;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tch::Kind;

/// Pictures per forward pass; more does not make a processor faster.
const BATCH: usize = 256;

/// The judge's data: the test set and, if there was an attack, the trigger and the labels it aims at.
pub struct Judge<'a> {
    pub test: &'a dyn Dataset,
    pub attack: Option<(&'a dyn Trigger, &'a Poison)>,
}

/// One answer of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Row of the test set.
    pub row: i64,
    /// The true class.
    pub label: i64,
    /// The most probable class.
    pub answer: i64,
}

/// All that a model said, and what follows from it.
#[derive(Debug, Clone, Default)]
pub struct Judged {
    pub scores: Scores,
    pub clean: Vec<Said>,
    /// Stamped pictures; empty without an attack.
    pub stamped: Vec<Said>,
}

impl Judge<'_> {
    /// Scores on all test pictures. `tick` is called once per batch.
    pub fn scores(&self, model: &Model, kind: Kind, tick: &mut dyn FnMut() -> Outcome<()>) -> Outcome<Scores> {
        Ok(self.judge(model, kind, tick)?.scores)
    }

    /// Answers and scores on all test pictures. `tick` is called once per batch.
    pub fn judge(&self, model: &Model, kind: Kind, tick: &mut dyn FnMut() -> Outcome<()>) -> Outcome<Judged> {
        let every_row: Vec<i64> = (0..self.test.len() as i64).collect();
        self.judge_rows(model, &every_row, kind, tick)
    }

    /// Answers and scores on at most `most` test pictures, evenly over the classes: quick enough for every epoch.
    pub fn glance(
        &self,
        model: &Model,
        kind: Kind,
        most: usize,
        tick: &mut dyn FnMut() -> Outcome<()>,
    ) -> Outcome<Judged> {
        if self.test.len() <= most {
            return self.judge(model, kind, tick);
        }
        let classes = self.test.card().classes.len();
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let rows = balanced_rows(self.test.labels(), classes, most / classes, &mut rng);
        self.judge_rows(model, &rows, kind, tick)
    }

    /// What the model says of these rows, as they are or with the trigger on each of them.
    pub fn answers(&self, model: &Model, rows: &[i64], stamped: bool, kind: Kind) -> Outcome<Vec<i64>> {
        let pixels = self.test.pixels(rows)?;
        let pixels = match self.attack {
            Some((trigger, _)) if stamped => trigger.apply(&pixels, rows)?,
            _ => pixels,
        };
        Ok(values(&model.predict(&pixels, kind)?.argmax(1, false))?)
    }

    fn judge_rows(
        &self,
        model: &Model,
        rows: &[i64],
        kind: Kind,
        tick: &mut dyn FnMut() -> Outcome<()>,
    ) -> Outcome<Judged> {
        let test = self.test;
        let labels = test.labels();
        let clean = said(model, test, rows, labels, kind, tick)?;
        let right = share(&clean, |said| said.label);
        let mut scores = Scores { acc: right, clean_count: rows.len(), ..Scores::default() };
        let mut stamped = Vec::new();
        if let Some((trigger, poison)) = self.attack {
            let plan = Plan::judge(poison, labels, test.card().classes.len() as i64);
            let poisoned = Poisoned::new(test, &plan, trigger);
            // Rows are a subset in any order, the plan's are ascending.
            let rows: Vec<i64> = rows.iter().copied().filter(|row| plan.poisoned.binary_search(row).is_ok()).collect();
            stamped = said(model, &poisoned, &rows, labels, kind, tick)?;
            scores.asr = Some(share(&stamped, |said| poisoned.labels()[said.row as usize]));
            scores.ra = Some(share(&stamped, |said| said.label));
            scores.triggered_count = rows.len();
            if let Some(map) = model.label_map() {
                // Before mapping back the network said `map[answer]`.
                let aim = |row: i64| poisoned.labels()[row as usize];
                let share =
                    |class: fn(&Said) -> i64| share_of(&stamped, |said| map[class(said) as usize] == aim(said.row));
                scores.rar = Some(share(|said| said.answer));
                scores.rar_floor = Some(share(|said| said.label));
            }
        }
        if let Some(disturbance) = self.attack.and_then(|(trigger, _)| trigger.cross()) {
            let disturbed = said(model, &Poisoned::cross(test, disturbance), rows, labels, kind, tick)?;
            scores.cross = Some(share(&disturbed, |said| said.label));
        }
        Ok(Judged { scores, clean, stamped })
    }
}

/// ACC on `test`; with an attack also ASR and RA on its stamped copy (target class left out for all-to-one).
pub fn score(
    model: &Model,
    test: &dyn Dataset,
    attack: Option<(&dyn Trigger, &Poison)>,
    kind: Kind,
    tick: &mut dyn FnMut() -> Outcome<()>,
) -> Outcome<Scores> {
    Judge { test, attack }.scores(model, kind, tick)
}

/// The most probable class of each row of `data`, beside its true one.
fn said(
    model: &Model,
    data: &dyn Dataset,
    rows: &[i64],
    labels: &[i64],
    kind: Kind,
    tick: &mut dyn FnMut() -> Outcome<()>,
) -> Outcome<Vec<Said>> {
    let mut answers = Vec::with_capacity(rows.len());
    for rows in rows.chunks(BATCH) {
        tick()?;
        let classes = values(&model.predict(&data.pixels(rows)?, kind)?.argmax(1, false))?;
        answers.extend(rows.iter().zip(classes).map(|(&row, answer)| Said {
            row,
            label: labels[row as usize],
            answer,
        }));
    }
    Ok(answers)
}

fn share(answers: &[Said], wanted: impl Fn(&Said) -> i64) -> f64 {
    share_of(answers, |said| said.answer == wanted(said))
}

fn share_of(answers: &[Said], counts: impl Fn(&Said) -> bool) -> f64 {
    if answers.is_empty() {
        return 0.0;
    }
    answers.iter().filter(|said| counts(said)).count() as f64 / answers.len() as f64
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::tests::striped;
    use crate::nets::plug::Plug;
    use crate::nets::{InputSpec, zoo};
    use std::rc::Rc;
    use tch::Tensor;

    /// A trigger that leaves nothing but white.
    pub struct White;

    impl Trigger for White {
        fn apply(&self, pixels: &Tensor, _: &[i64]) -> crate::experiment::Result<Tensor> {
            Ok(pixels.ones_like() * 255)
        }
    }

    /// A model that always says class 2.
    fn always_2() -> Model {
        let input = InputSpec { height: 8, width: 8, mean: [0.0; 3], std: [1.0; 3], classes: 10 };
        let network = zoo::build("small-resnet", &serde_json::json!({"width": 4}), input).unwrap();
        let mut params = network.initial(1).unwrap();
        params.insert("linear.weight", Tensor::zeros([10, 16], tch::kind::FLOAT_CPU));
        params.insert("linear.bias", Tensor::eye(10, tch::kind::FLOAT_CPU).get(2));
        Model::new(Rc::from(network), params)
    }

    /// The same behind a map of labels that turns it into class 1.
    pub fn always_2_behind_a_map() -> Model {
        let order: Vec<i64> = (0..10).map(|class| (class + 1) % 10).collect();
        Model { plugs: vec![Plug::permute(&order)], ..always_2() }
    }

    #[test]
    fn rates_are_counted_on_the_right_pictures() {
        let model = always_2();
        let test = striped(100);
        let poison = Poison { target: 2, ..Poison::default() };
        let judge = Judge { test: &test, attack: Some((&White, &poison)) };
        let scores = judge.scores(&model, Kind::Float, &mut || Ok(())).unwrap();
        assert_eq!((scores.acc, scores.asr, scores.ra), (0.1, Some(1.0), Some(0.0)));
        assert_eq!((scores.clean_count, scores.triggered_count), (100, 90));
        let judged = judge.glance(&model, Kind::Float, 50, &mut || Ok(())).unwrap();
        let glance = judged.scores;
        assert!(judged.stamped.iter().all(|said| said.answer == 2 && said.label != 2));
        assert_eq!(judge.answers(&model, &[0, 5], true, Kind::Float).unwrap(), [2, 2]);
        assert_eq!((glance.acc, glance.clean_count, glance.triggered_count), (0.1, 50, 45));
    }

    /// The network obeys the trigger on every picture; a map that moves its answers on makes that look like a failed attack.
    #[test]
    fn a_label_map_hides_an_attack_from_asr_but_not_from_rar() {
        let model = always_2_behind_a_map();
        let (test, poison) = (striped(100), Poison { target: 2, ..Poison::default() });
        let judge = Judge { test: &test, attack: Some((&White, &poison)) };
        let scores = judge.scores(&model, Kind::Float, &mut || Ok(())).unwrap();
        // Said is 2, mapped back is 1, and a ninth of the pictures truly are of class 1.
        let ninth = 10.0 / 90.0;
        assert_eq!((scores.asr, scores.ra), (Some(0.0), Some(ninth)));
        assert_eq!((scores.rar, scores.rar_floor), (Some(1.0), Some(ninth)));
        let bare = judge.scores(&model.bare(), Kind::Float, &mut || Ok(())).unwrap();
        assert_eq!((bare.asr, bare.rar), (Some(1.0), None));
    }
}
