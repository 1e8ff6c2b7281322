//! The training loop that attacks, fine-tuning and trained-from-scratch references share.

use super::resume::{ResumePoint, restore_into};
use super::schedule::LearningRate;
use super::sgd::Sgd;
use crate::data::{Augment, Dataset};
use crate::experiment::{Code, Outcome, Problem, Train};
use crate::nets::model::forward;
use crate::nets::{Mode, Model, Pass};
use crate::run::job::Job;
use rand::seq::SliceRandom;
use tch::{Kind, Tensor};

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
}

/// Called after every epoch with what has been learned so far. It returns nothing, so that no method can learn from it.
pub type AfterEpoch<'a> = dyn FnMut(&mut Job, usize, &Model) -> Outcome<()> + 'a;

/// Trains `model` in place on `data`. Continues from the phase's resume point when the run folder has one.
pub fn fit(
    job: &mut Job,
    model: &mut Model,
    data: &dyn Dataset,
    options: &Fit,
    after_epoch: &mut AfterEpoch,
) -> Outcome<()> {
    let train = options.train;
    let device = model.params.device();
    let (mut sgd, live) = Sgd::new(&model.params, options.trains, train.momentum, train.weight_decay);
    let mut rate = LearningRate::new(train.schedule, train.learning_rate, train.epochs);
    let batches = batch_count(data.len(), train.batch, options.drop_last);

    let resume = ResumePoint::of(job, options.phase);
    let mut first = 0;
    let mut losses: Vec<f64> = Vec::new();
    if let Some((epoch, state, facts)) = resume.load(job) {
        restore_into(&live, &state)?;
        sgd.restore(&state)?;
        (first, losses) = (epoch, facts);
        losses.iter().for_each(|&loss| rate.epoch_ended(loss));
    }
    job.work((first * batches) as u64, (train.epochs * batches) as u64, "batches");
    let augment = Augment { crop: train.crop as i64, flip: train.flip };
    let labels = Tensor::from_slice(data.labels());

    for epoch in first..train.epochs {
        let mut rng = job.rng(&format!("{}/epoch/{epoch}", options.phase));
        let mut order: Vec<i64> = (0..data.len() as i64).collect();
        order.shuffle(&mut rng);
        let mut loss_sum = 0.0;
        for (index, rows) in order.chunks(train.batch).take(batches).enumerate() {
            job.tick()?;
            // A batch of one has no variance to normalise by.
            if rows.len() < 2 {
                continue;
            }
            let pixels = augment.apply(&data.pixels(rows)?, &mut rng);
            let x = model.network.input().prepare(&pixels, device)?;
            let y = labels.index_select(0, &Tensor::from_slice(rows)).to_device(device);
            let mut pass = Pass::new(options.mode, options.kind);
            let loss = forward(&*model.network, &live, &model.plugs, &x, &mut pass)?.cross_entropy_for_logits(&y);
            sgd.step(&loss, rate.at(epoch as f64 + index as f64 / batches as f64));
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
        let done = (epoch + 1) as f64;
        job.metrics(options.phase, done, &[("loss", loss), ("learning-rate", rate.at(epoch as f64))])?;
        after_epoch(job, epoch + 1, model)?;
        resume.save(job, epoch + 1, &live.and(&sgd.state()), &losses)?;
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
