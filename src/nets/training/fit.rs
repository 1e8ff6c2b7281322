//! The training loop that attacks, fine-tuning and trained-from-scratch references share.

use super::Optimiser;
use super::resume::{ResumePoint, restore_into};
use super::schedule::LearningRate;
use super::sgd::Sgd;
use crate::data::{Augment, Dataset};
use crate::experiment::{Code, Outcome, Problem, Result, Train};
use crate::nets::model::forward;
use crate::nets::{InputSpec, Mode, Model, Params, Pass};
use crate::run::job::Job;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

/// What to train and how.
pub struct Fit<'a> {
    /// Names the phase in metrics, random streams and resume points.
    pub phase: &'a str,
    pub train: &'a Train,
    /// Kind of the heavy arithmetic.
    pub kind: Kind,
    /// Mode of batch normalisation; `Train` unless a variant says otherwise.
    pub mode: Mode,
    /// Which parameters move; the others stay as they are.
    pub trains: &'a dyn Fn(&str) -> bool,
    /// The last partial batch is left out, as the reference trainer does; never when it is the only one.
    pub drop_last: bool,
    pub round: Round,
}

/// Which of several trainings of equal length this is. They are one phase: their epochs count on, and the resume point
/// is that of the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// From 0.
    pub index: usize,
    pub of: usize,
}

impl Round {
    pub const ONLY: Round = Round { index: 0, of: 1 };
}

/// Called after every epoch with what has been learned so far. It returns nothing, so that no method can learn from it.
pub type AfterEpoch<'a> = dyn FnMut(&mut Job, usize, &Model) -> Outcome<()> + 'a;

/// One batch on its way to its loss.
pub struct Batch<'a> {
    pub data: &'a dyn Dataset,
    /// Rows of `data`, in the order in which they were shuffled.
    pub rows: &'a [i64],
    /// The labels of the rows, i64 `[N]`, on the network's device.
    pub labels: Tensor,
    pub input: &'a InputSpec,
    pub device: Device,
    pub augment: Augment,
    /// Kind of the heavy arithmetic.
    pub kind: Kind,
    pub rng: &'a mut ChaCha8Rng,
}

impl Batch<'_> {
    /// The pictures of the rows, augmented and normalised: f32 `[N, 3, H, W]`.
    pub fn pictures(&mut self) -> Result<Tensor> {
        let pixels = self.augment.apply(&self.data.pixels(self.rows)?, self.rng);
        self.input.prepare(&pixels, self.device)
    }
}

/// The network that is being trained: logits `[N, classes]` of normalised pictures.
pub type Forward<'a> = dyn FnMut(&Tensor) -> Result<Tensor> + 'a;

/// How a batch becomes a loss. Methods that own the training loop bring their own.
pub trait Step {
    /// The loss of a batch, a scalar.
    fn loss(&mut self, batch: Batch, forward: &mut Forward) -> Result<Tensor>;

    /// Leaves of its own that took part in the last loss; asked for after every [`Step::loss`].
    fn leaves(&self) -> Vec<Tensor> {
        Vec::new()
    }

    /// Learns from the gradients of its own leaves; `epoch` counts from 0.
    fn learn(&mut self, _gradients: Vec<Tensor>, _epoch: usize) {}

    /// What it would need to go on after an interruption, beside the network.
    fn state(&self) -> Params {
        Params::new()
    }

    fn restore(&mut self, _state: &Params) -> Result<()> {
        Ok(())
    }
}

/// Cross-entropy on the pictures as they are: honest training.
pub struct Plain;

impl Step for Plain {
    fn loss(&mut self, mut batch: Batch, forward: &mut Forward) -> Result<Tensor> {
        let x = batch.pictures()?;
        Ok(forward(&x)?.cross_entropy_for_logits(&batch.labels))
    }
}

/// Trains `model` in place on `data`. Continues from the phase's resume point when the run folder has one.
pub fn fit(
    job: &mut Job,
    model: &mut Model,
    data: &dyn Dataset,
    options: &Fit,
    after_epoch: &mut AfterEpoch,
) -> Outcome<()> {
    fit_with(job, model, data, options, &mut Plain, after_epoch)
}

/// [`fit`] with another way from batch to loss.
pub fn fit_with(
    job: &mut Job,
    model: &mut Model,
    data: &dyn Dataset,
    options: &Fit,
    step: &mut dyn Step,
    after_epoch: &mut AfterEpoch,
) -> Outcome<()> {
    let train = options.train;
    let device = model.params.device();
    let (mut sgd, live) = Sgd::new(&model.params, options.trains, train.momentum, train.weight_decay);
    let mut rate = LearningRate::new(train.schedule, train.learning_rate, train.epochs);
    let batches = batch_count(data.len(), train.batch, options.drop_last);

    let before = options.round.index * train.epochs;
    let resume = ResumePoint::of(job, options.phase);
    let mut first = 0;
    let mut losses: Vec<f64> = Vec::new();
    if let Some((epoch, state, facts)) = resume.load_after(job, before) {
        restore_into(&live, &state)?;
        sgd.restore(&state)?;
        step.restore(&state)?;
        (first, losses) = (epoch - before, facts);
        losses.iter().for_each(|&loss| rate.epoch_ended(loss));
    }
    job.work(((before + first) * batches) as u64, (options.round.of * train.epochs * batches) as u64, "batches");
    let augment = Augment { crop: train.crop as i64, flip: train.flip };
    let labels = Tensor::from_slice(data.labels());

    for epoch in first..train.epochs {
        let mut rng = job.rng(&format!("{}/epoch/{}", options.phase, before + epoch));
        let mut order: Vec<i64> = (0..data.len() as i64).collect();
        order.shuffle(&mut rng);
        let mut loss_sum = 0.0;
        for (index, rows) in order.chunks(train.batch).take(batches).enumerate() {
            job.tick()?;
            // A batch of one has no variance to normalise by.
            if rows.len() < 2 {
                continue;
            }
            let input = model.network.input();
            let labels = labels.index_select(0, &Tensor::from_slice(rows)).to_device(device);
            let batch = Batch { data, rows, labels, input, device, augment, kind: options.kind, rng: &mut rng };
            let mut logits = |x: &Tensor| {
                forward(&*model.network, &live, &model.plugs, x, &mut Pass::new(options.mode, options.kind))
            };
            let loss = step.loss(batch, &mut logits)?;
            let mut leaves: Vec<Tensor> = sgd.leaves().collect();
            let own = leaves.len();
            leaves.extend(step.leaves());
            let mut gradients = Tensor::run_backward(&[&loss], &leaves, false, false);
            step.learn(gradients.split_off(own), epoch);
            sgd.apply(gradients, rate.at(epoch as f64 + index as f64 / batches as f64));
            let loss = loss.double_value(&[]);
            if !loss.is_finite() {
                return Err(not_a_number(options.phase, epoch, train.learning_rate).into());
            }
            loss_sum += loss;
            job.advance(rows.len());
        }
        let loss = loss_sum / batches as f64;
        rate.epoch_ended(loss);
        losses.push(loss);
        let done = before + epoch + 1;
        job.metrics(options.phase, done as f64, &[("loss", loss), ("learning-rate", rate.at(epoch as f64))])?;
        after_epoch(job, done, model)?;
        resume.save(job, done, &live.and(&sgd.state()).and(&step.state()), &losses)?;
    }
    Ok(())
}

fn batch_count(rows: usize, batch: usize, drop_last: bool) -> usize {
    let full = rows / batch;
    if drop_last && full > 0 { full } else { rows.div_ceil(batch) }
}

pub fn not_a_number(phase: &str, epoch: usize, learning_rate: f64) -> Problem {
    Problem::new(Code::NotANumber, "The training has diverged: the loss is not a number any more.")
        .at(format!("{phase}, epoch {}", epoch + 1))
        .remedy(format!("Lower the learning rate (now {learning_rate}) or use precision f32."))
}
