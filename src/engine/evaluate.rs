//! Judging a model: ACC on clean test pictures, ASR and RA on stamped ones. No defense can reach what is here.

use crate::data::{Dataset, Plan, Poisoned, Rows, Trigger, balanced_rows};
use crate::experiment::{Outcome, Poison, Scores};
use crate::nets::Model;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

/// Pictures per forward pass; more does not make a processor faster.
const BATCH: usize = 256;

/// The judge's data: the test set and, if there was an attack, the trigger and the labels it aims at.
pub struct Judge<'a> {
    pub test: &'a dyn Dataset,
    pub attack: Option<(&'a dyn Trigger, &'a Poison)>,
}

impl Judge<'_> {
    /// Scores on all test pictures. `tick` is called once per batch.
    pub fn scores(&self, model: &Model, kind: Kind, tick: &mut dyn FnMut() -> Outcome<()>) -> Outcome<Scores> {
        score(model, self.test, self.attack, kind, tick)
    }

    /// Scores on at most `most` test pictures, evenly over the classes: quick enough for every epoch.
    pub fn glance(
        &self,
        model: &Model,
        kind: Kind,
        most: usize,
        tick: &mut dyn FnMut() -> Outcome<()>,
    ) -> Outcome<Scores> {
        if self.test.len() <= most {
            return self.scores(model, kind, tick);
        }
        let classes = self.test.card().classes.len();
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let rows = balanced_rows(self.test.labels(), classes, most / classes, &mut rng);
        score(model, &Rows::new(self.test, rows), self.attack, kind, tick)
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
    let every_row: Vec<i64> = (0..test.len() as i64).collect();
    let predicted = predictions(model, test, &every_row, kind, tick)?;
    let mut scores = Scores { acc: share(&predicted, test.labels()), clean_count: test.len(), ..Scores::default() };
    if let Some((trigger, poison)) = attack {
        let plan = Plan::judge(poison, test.labels(), test.card().classes.len() as i64);
        let stamped = Poisoned::new(test, &plan, trigger);
        let predicted = predictions(model, &stamped, &plan.poisoned, kind, tick)?;
        let of = |labels: &[i64]| plan.poisoned.iter().map(|&row| labels[row as usize]).collect::<Vec<_>>();
        scores.asr = Some(share(&predicted, &of(stamped.labels())));
        scores.ra = Some(share(&predicted, &of(test.labels())));
        scores.triggered_count = plan.poisoned.len();
    }
    Ok(scores)
}

/// The most probable class of each row.
fn predictions(
    model: &Model,
    data: &dyn Dataset,
    rows: &[i64],
    kind: Kind,
    tick: &mut dyn FnMut() -> Outcome<()>,
) -> Outcome<Vec<i64>> {
    let mut predicted = Vec::with_capacity(rows.len());
    for rows in rows.chunks(BATCH) {
        tick()?;
        let classes = model.predict(&data.pixels(rows)?, kind)?.argmax(1, false);
        predicted.extend(numbers(&classes)?);
    }
    Ok(predicted)
}

fn numbers(tensor: &Tensor) -> crate::experiment::Result<Vec<i64>> {
    Vec::<i64>::try_from(tensor.to_device(tch::Device::Cpu))
        .map_err(|e| crate::experiment::Problem::internal("Cannot read predictions back.").because(e))
}

fn share(predicted: &[i64], wanted: &[i64]) -> f64 {
    if predicted.is_empty() {
        return 0.0;
    }
    let hits = predicted.iter().zip(wanted).filter(|(a, b)| a == b).count();
    hits as f64 / predicted.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tests::striped;
    use crate::nets::{InputSpec, zoo};
    use std::rc::Rc;

    struct White;

    impl Trigger for White {
        fn apply(&self, pixels: &Tensor, _: &[i64]) -> crate::experiment::Result<Tensor> {
            Ok(pixels.ones_like() * 255)
        }
    }

    #[test]
    fn rates_are_counted_on_the_right_pictures() {
        let input = InputSpec { height: 8, width: 8, mean: [0.0; 3], std: [1.0; 3], classes: 10 };
        let network = zoo::build("small-resnet", &serde_json::json!({"width": 4}), input).unwrap();
        let mut params = network.initial(1).unwrap();
        // A model that always says class 2.
        params.insert("linear.weight", Tensor::zeros([10, 16], tch::kind::FLOAT_CPU));
        params.insert("linear.bias", Tensor::eye(10, tch::kind::FLOAT_CPU).get(2));
        let model = Model::new(Rc::from(network), params);
        let test = striped(100);
        let poison = Poison { target: 2, ..Poison::default() };
        let judge = Judge { test: &test, attack: Some((&White, &poison)) };
        let scores = judge.scores(&model, Kind::Float, &mut || Ok(())).unwrap();
        assert_eq!((scores.acc, scores.asr, scores.ra), (0.1, Some(1.0), Some(0.0)));
        assert_eq!((scores.clean_count, scores.triggered_count), (100, 90));
        let glance = judge.glance(&model, Kind::Float, 50, &mut || Ok(())).unwrap();
        assert_eq!((glance.acc, glance.clean_count, glance.triggered_count), (0.1, 50, 45));
    }
}
