//! The loop that repairs share: passes over the clean set with curves, resume points and an ear for stop and pause.

use crate::data::augment::{to_u8, unit};
use crate::data::{Augment, pictures, values};
use crate::defenses::DefenderData;
use crate::experiment::{Outcome, Result};
use crate::nets::training::fit::{AfterEpoch, not_a_number};
use crate::nets::training::resume::restore_into;
use crate::nets::training::{Optimiser, ResumePoint};
use crate::nets::{InputSpec, Model, Params};
use crate::run::event::Rgba;
use crate::run::job::Job;
use rand::seq::SliceRandom;
use tch::{Device, Tensor};

/// How the clean set is gone through.
pub struct Passes<'a> {
    /// Names metrics, random streams and the resume point.
    pub phase: &'a str,
    pub epochs: usize,
    /// Pictures per step.
    pub batch: usize,
    pub augment: Augment,
    /// Named when the loss is not a number any more.
    pub learning_rate: f64,
}

/// Clean pictures with their labels.
pub struct CleanBatch {
    /// Augmented pictures: f32 `[N, 3, H, W]` in 0..=1, on the model's device.
    pub pixels: Tensor,
    /// i64 `[N]`, on the model's device.
    pub labels: Tensor,
    /// Epochs that are over.
    pub epoch: usize,
    /// Steps that are over, of all epochs.
    pub step: usize,
    /// Steps of all epochs together.
    pub steps: usize,
}

impl CleanBatch {
    /// The pictures as the network wants them.
    pub fn x(&self, input: &InputSpec) -> Tensor {
        crate::nets::layers::channels_last(&input.normalise(&self.pixels))
    }

    pub fn len(&self) -> usize {
        self.labels.size()[0] as usize
    }
}

/// What learns in these passes.
pub trait Learner {
    /// One step. What it puts into `means` becomes the curves of the epoch; `loss` must be among them.
    fn learn(&mut self, job: &mut Job, batch: &CleanBatch, means: &mut Means) -> Outcome<()>;

    /// Called after the last step of every epoch, before the judge looks.
    fn epoch_ended(&mut self, _job: &mut Job, _epoch: usize) -> Outcome<()> {
        Ok(())
    }

    /// The model as it is now.
    fn model(&self) -> Model;

    /// All that changes while it learns: parameters, and what moves them.
    fn moving(&mut self) -> (&Params, &mut dyn Optimiser);
}

impl Passes<'_> {
    /// Goes on from the phase's resume point when the run folder has one.
    pub fn run(
        &self,
        job: &mut Job,
        data: &DefenderData,
        device: Device,
        learner: &mut dyn Learner,
        after_epoch: &mut AfterEpoch,
    ) -> Outcome<()> {
        let resume = ResumePoint::of(job, self.phase);
        let mut first = 0;
        if let Some((epoch, state, ())) = resume.load(job) {
            let (params, optimiser) = learner.moving();
            restore_into(params, &state)?;
            optimiser.restore(&state)?;
            first = epoch;
        }
        let batches = data.clean.len().div_ceil(self.batch);
        job.work((first * batches) as u64, (self.epochs * batches) as u64, "batches");
        let labels = Tensor::from_slice(data.clean.labels());
        for epoch in first..self.epochs {
            let mut rng = job.rng(&format!("{}/epoch/{epoch}", self.phase));
            let mut order: Vec<i64> = (0..data.clean.len() as i64).collect();
            order.shuffle(&mut rng);
            let mut means = Means::default();
            for (index, rows) in order.chunks(self.batch).enumerate() {
                job.tick()?;
                // A batch of one has no variance to normalise by.
                if rows.len() < 2 {
                    continue;
                }
                let pixels = self.augment.apply(&data.clean.pixels(rows)?, &mut rng);
                let batch = CleanBatch {
                    pixels: unit(&pixels.to_device(device)),
                    labels: labels.index_select(0, &Tensor::from_slice(rows)).to_device(device),
                    epoch,
                    step: epoch * batches + index,
                    steps: self.epochs * batches,
                };
                learner.learn(job, &batch, &mut means)?;
                if !means.latest_loss().is_finite() {
                    return Err(not_a_number(self.phase, epoch, self.learning_rate).into());
                }
                job.advance(rows.len());
            }
            job.metrics(self.phase, (epoch + 1) as f64, &means.finish())?;
            learner.epoch_ended(job, epoch)?;
            after_epoch(job, epoch + 1, &learner.model())?;
            let (params, optimiser) = learner.moving();
            resume.save(job, epoch + 1, &params.and(&optimiser.state()), &())?;
        }
        Ok(())
    }
}

/// The first pictures of a batch, what a repair made of them, and which of them reached what they were made for.
pub struct Perturbed {
    /// f32 `[N, 3, H, W]`, pixels in 0..=1.
    pixels: Tensor,
    perturbed: Tensor,
    /// bool `[N]`.
    reached: Tensor,
}

impl Perturbed {
    /// `pixels` and `perturbed` as in [`CleanBatch`], `reached` bool `[N]`. Nothing is copied before it is drawn.
    pub fn first(pixels: &Tensor, perturbed: &Tensor, reached: &Tensor) -> Self {
        const SHOWN: i64 = 8;
        let first = |x: &Tensor| x.detach().narrow(0, 0, x.size()[0].min(SHOWN));
        Self { pixels: first(pixels), perturbed: first(perturbed), reached: first(reached) }
    }

    /// The pictures, what is added on grey, and both together; an orange frame around those that reached their end.
    pub fn sheet(&self) -> Result<Rgba> {
        let here = |x: &Tensor| x.to_device(Device::Cpu);
        let reached: Vec<bool> = values(&self.reached)?;
        let (pixels, perturbed) = (here(&self.pixels) * 255.0, here(&self.perturbed) * 255.0);
        let (change, _) = pictures::residual(&pixels, &perturbed);
        let rows = [to_u8(&pixels), change, to_u8(&perturbed)].map(|row| pictures::framed(&row, &reached));
        pictures::sheet(&rows, pictures::factor_for(self.pixels.size()[3]))
    }
}

/// The weights of convolutions by name, without those of shortcuts.
pub fn convolutions(params: &Params) -> impl Iterator<Item = (&str, &Tensor)> {
    let shortcut = |name: &str| ["shortcut", "downsample", "convShortcut"].iter().any(|part| name.contains(part));
    params.trainable().filter(move |(name, tensor)| tensor.dim() == 4 && !shortcut(name))
}

/// Means over an epoch, weighted by the size of the batches.
#[derive(Default)]
pub struct Means {
    sums: Vec<(&'static str, f64, usize)>,
    latest_loss: f64,
}

impl Means {
    pub fn add(&mut self, values: &[(&'static str, f64)], weight: usize) {
        for &(name, value) in values {
            if name == "loss" {
                self.latest_loss = value;
            }
            match self.sums.iter_mut().find(|(known, ..)| *known == name) {
                Some((_, sum, count)) => {
                    *sum += value * weight as f64;
                    *count += weight;
                }
                None => self.sums.push((name, value * weight as f64, weight)),
            }
        }
    }

    fn latest_loss(&self) -> f64 {
        self.latest_loss
    }

    pub fn finish(&self) -> Vec<(&'static str, f64)> {
        self.sums.iter().map(|&(name, sum, count)| (name, sum / count as f64)).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::data::tests::striped;
    use crate::defenses::Repair;
    use crate::nets::zoo;
    use std::rc::Rc;
    use tch::Kind;

    /// A small untrained network for pictures of 8 x 8.
    pub fn small_model() -> Model {
        let input = InputSpec { height: 8, width: 8, mean: [0.4; 3], std: [0.3; 3], classes: 10 };
        let network = zoo::build("small-resnet", &serde_json::json!({"width": 4}), input).unwrap();
        let params = network.initial(3).unwrap();
        Model::new(Rc::from(network), params)
    }

    /// `before` repaired with 60 easy pictures.
    pub fn repaired(repair: &dyn Repair, before: &Model) -> Model {
        let folder = tempfile::tempdir().unwrap();
        let mut job = Job::detached(folder.path(), 1);
        let clean = striped(60);
        let data = DefenderData::new(&clean, Kind::Float);
        repair.repair(&mut job, "test", before.deep_clone(), &data, &mut |_, _, _| Ok(())).unwrap()
    }

    /// Names of the tensors that differ.
    pub fn changed(before: &Model, after: &Model) -> Vec<String> {
        let same = |name: &str| before.params.get(name).unwrap().equal(after.params.get(name).unwrap());
        before.params.names().filter(|name| !same(name)).map(str::to_owned).collect()
    }

    /// Stopped after the first epoch and gone on with, a repair must end where an uninterrupted one ends.
    pub fn goes_on_where_it_stopped(repair: &dyn Repair) {
        let before = small_model();
        let whole = repaired(repair, &before);
        let folder = tempfile::tempdir().unwrap();
        let clean = striped(60);
        let data = DefenderData::new(&clean, Kind::Float);
        let mut job = Job::detached(folder.path(), 1);
        let mut epochs = 0;
        let stopped = repair.repair(&mut job, "test", before.deep_clone(), &data, &mut |_, _, _| {
            epochs += 1;
            if epochs == 2 { Err(crate::experiment::Halt::Asked) } else { Ok(()) }
        });
        assert!(stopped.is_err(), "more than one epoch is needed to stop in between");
        let mut job = Job::detached(folder.path(), 1);
        let rest = repair.repair(&mut job, "test", before.deep_clone(), &data, &mut |_, _, _| Ok(())).unwrap();
        assert_eq!(rest.params.hash().unwrap(), whole.params.hash().unwrap());
    }

    #[test]
    fn means_are_weighted_by_the_batches() {
        let mut means = Means::default();
        means.add(&[("loss", 1.0), ("fooled", 0.5)], 30);
        means.add(&[("loss", 4.0)], 10);
        assert_eq!(means.finish(), [("loss", 1.75), ("fooled", 0.5)]);
        assert_eq!(means.latest_loss(), 4.0);
    }
}
