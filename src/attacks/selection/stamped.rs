//! All candidates with their trigger, made once: a surrogate looks at them again and again.

use super::super::Scene;
use crate::data::poison::{Plan, Poisoned, map_label};
use crate::data::{Dataset, Trigger, values};
use crate::experiment::{Outcome, Result};
use crate::nets::Model;
use crate::nets::training::fit::Batch;
use crate::run::job::Job;
use rand::Rng;
use std::rc::Rc;
use tch::{Device, Kind, Tensor};

/// Pictures that are stamped or judged at once.
const AT_ONCE: usize = 1000;

/// Candidates are known by their place in `rows`.
pub struct Stamped<'a> {
    pub scene: &'a Scene<'a>,
    /// True class of each candidate.
    pub classes: Vec<i64>,
    /// What a stamped candidate is labelled.
    pub wanted: Vec<i64>,
    /// u8 `[N, 3, H, W]` on the processor.
    pixels: Tensor,
    /// Place of each row of the training set, -1 for rows that are no candidates.
    places: Vec<i64>,
}

impl<'a> Stamped<'a> {
    pub fn make(job: &mut Job, scene: &'a Scene, trigger: &dyn Trigger) -> Outcome<Self> {
        let labels = scene.train.labels();
        let classes: Vec<i64> = scene.rows.iter().map(|&row| labels[row as usize]).collect();
        let (poison, count) = (scene.poison, scene.train.card().classes.len() as i64);
        let wanted = classes.iter().map(|&label| map_label(poison.labels(), label, poison.target, count)).collect();
        let mut places = vec![-1; scene.train.len()];
        let mut parts = Vec::new();
        for (chunk, rows) in scene.rows.chunks(AT_ONCE).enumerate() {
            job.tick()?;
            parts.push(trigger.apply(&scene.train.pixels(rows)?, rows)?);
            for (place, &row) in (chunk * AT_ONCE..).zip(rows) {
                places[row as usize] = place as i64;
            }
        }
        Ok(Self { scene, classes, wanted, pixels: Tensor::cat(&parts, 0), places })
    }

    pub fn len(&self) -> usize {
        self.classes.len()
    }

    pub fn rows(&self, places: &[usize]) -> Vec<i64> {
        places.iter().map(|&place| self.scene.rows[place]).collect()
    }

    /// Place of a row that is a candidate.
    pub fn place(&self, row: i64) -> Option<usize> {
        usize::try_from(*self.places.get(row as usize)?).ok()
    }

    /// The training set with these candidates poisoned, in place of the clean ones.
    pub fn overlay(&self, places: &[usize]) -> Poisoned<'_> {
        let plan = Plan::of(self.rows(places), self.scene.poison, self.scene.train.card().classes.len() as i64);
        Poisoned::new(self.scene.train, &plan, self)
    }

    /// Cross-entropy of every candidate in evaluation mode, without augmentation: with the trigger and the attacker's
    /// label, or (`clean`) as it is with its own.
    pub fn losses(&self, job: &mut Job, model: &Model, clean: bool) -> Outcome<Vec<f32>> {
        let mut losses = Vec::with_capacity(self.len());
        for (chunk, rows) in self.scene.rows.chunks(AT_ONCE).enumerate() {
            job.tick()?;
            let here = chunk * AT_ONCE..chunk * AT_ONCE + rows.len();
            let (pixels, labels) = if clean {
                (self.scene.train.pixels(rows)?, &self.classes[here])
            } else {
                (self.pixels.narrow(0, here.start as i64, rows.len() as i64), &self.wanted[here])
            };
            let logits = model.predict(&pixels, self.scene.kind)?.to_device(Device::Cpu);
            let labels = Tensor::from_slice(labels).unsqueeze(1);
            let chosen = logits.log_softmax(1, Kind::Float).gather(1, &labels, false).squeeze_dim(1);
            losses.extend(values::<f32>(&-chosen)?);
        }
        Ok(losses)
    }

    /// A fresh surrogate of the victim's shape.
    pub fn surrogate(&self, rng: &mut impl Rng) -> Result<Model> {
        let params = self.scene.network.initial(rng.next_u64())?.to_device(self.scene.device);
        Ok(Model::new(Rc::clone(&self.scene.network), params))
    }
}

/// Stamped pictures are looked up instead of being made again.
impl Trigger for Stamped<'_> {
    fn apply(&self, _: &Tensor, rows: &[i64]) -> Result<Tensor> {
        let places: Vec<i64> = rows.iter().map(|&row| self.places[row as usize]).collect();
        Ok(self.pixels.index_select(0, &Tensor::from_slice(&places)))
    }
}

/// The same batch out of another data set over the same rows, with its labels.
pub fn batch_of<'b>(data: &'b dyn Dataset, batch: Batch<'b>) -> Batch<'b> {
    let labels: Vec<i64> = batch.rows.iter().map(|&row| data.labels()[row as usize]).collect();
    Batch { data, labels: Tensor::from_slice(&labels).to_device(batch.device), ..batch }
}
