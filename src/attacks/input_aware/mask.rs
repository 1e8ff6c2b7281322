//! The first stage of Input-aware: the mask network learns alone to mark few places, others in every picture.

use super::encoder_decoder::EncoderDecoder;
use super::{Options, sameness, threshold};
use crate::attacks::Scene;
use crate::data::Augment;
use crate::experiment::{Outcome, Result};
use crate::nets::training::adam::Betas;
use crate::nets::training::fit::not_a_number;
use crate::nets::training::resume::restore_into;
use crate::nets::training::{Adam, Optimiser, ResumePoint};
use crate::nets::{Mode, Params};
use crate::run::job::Job;
use rand::seq::SliceRandom;
use serde::Serialize;
use tch::{Kind, Tensor};

/// The phase in curves and resume points.
pub const MASK_PHASE: &str = "mask";
/// Of Adam, for both networks.
pub const BETAS: Betas = Betas { first: 0.5, second: 0.9, amsgrad: false };
/// After these shares of the epochs the learning rate falls to a tenth: 10 and 20 of the published 25.
const MILESTONES: [f64; 2] = [0.4, 0.8];

/// All that the finished mask network depends on.
#[derive(Serialize)]
struct Key<'a> {
    data: &'a str,
    rows: usize,
    options: [f64; 6],
    batch: usize,
    crop: usize,
    flip: bool,
    range: [[f64; 3]; 2],
    seed: u64,
    kind: String,
}

/// The trained mask network on the scene's device, perhaps from an earlier run.
pub fn craft(job: &mut Job, scene: &Scene, options: &Options, network: &EncoderDecoder) -> Outcome<Params> {
    let (card, input) = (scene.train.card(), scene.network.input());
    let Options { density, lambda_diversity, lambda_density, mask_epochs, width, learning_rate, .. } = *options;
    let key = Key {
        data: &card.hash,
        rows: scene.train.len(),
        options: [density, lambda_diversity, lambda_density, mask_epochs as f64, width as f64, learning_rate],
        batch: scene.recipe.batch,
        crop: scene.recipe.crop,
        flip: scene.recipe.flip,
        range: [input.mean, input.std],
        seed: job.seed(),
        kind: format!("{:?}", scene.kind),
    };
    scene.workshop.piece(job, "input-aware-mask", &key, |job| train(job, scene, options, network))
}

fn train(job: &mut Job, scene: &Scene, options: &Options, network: &EncoderDecoder) -> Outcome<Params> {
    let params = network.initial(&mut job.rng("attack/mask")).to_device(scene.device);
    let live = params.requires_grad(&|_| true);
    let mut adam = Adam::over(&live, BETAS);
    let resume = ResumePoint::of(job, MASK_PHASE);
    let mut first = 0;
    if let Some((epoch, state, ())) = resume.load(job) {
        restore_into(&live, &state)?;
        adam.restore(&state)?;
        first = epoch;
    }
    let rows = scene.train.len();
    let batches = rows.div_ceil(scene.recipe.batch);
    job.work((first * batches) as u64, (options.mask_epochs * batches) as u64, "batches");
    for epoch in first..options.mask_epochs {
        let share = epoch as f64 / options.mask_epochs as f64;
        let tenths = MILESTONES.iter().filter(|&&milestone| share >= milestone).count();
        let rate = options.learning_rate * 0.1f64.powi(tenths as i32);
        let mut rng = job.rng(&format!("{MASK_PHASE}/epoch/{epoch}"));
        let mut orders = [(); 2].map(|()| (0..rows as i64).collect::<Vec<_>>());
        orders.iter_mut().for_each(|order| order.shuffle(&mut rng));
        let augment = Augment { crop: scene.recipe.crop as i64, flip: scene.recipe.flip };
        let (mut loss_sum, mut covered) = (0.0, 0.0);
        for (ones, others) in orders[0].chunks(scene.recipe.batch).zip(orders[1].chunks(scene.recipe.batch)) {
            job.tick()?;
            let mut pictures = |rows: &[i64]| -> Result<Tensor> {
                let pixels = augment.apply(&scene.train.pixels(rows)?, &mut rng);
                scene.network.input().prepare(&pixels, scene.device)
            };
            let (x1, x2) = (pictures(ones)?, pictures(others)?);
            let masks = |x: &Tensor| {
                Ok::<_, crate::experiment::Problem>(threshold(&network.forward(&live, x, Mode::Train, scene.kind)?))
            };
            let (m1, m2) = (masks(&x1)?, masks(&x2)?);
            let excess = (&m1 - options.density).relu().mean(Kind::Float);
            let loss = excess * options.lambda_density + sameness(&x1, &x2, &m1, &m2) * options.lambda_diversity;
            adam.step(&loss, rate);
            let loss = loss.double_value(&[]);
            if !loss.is_finite() {
                return Err(not_a_number(MASK_PHASE, epoch, rate).into());
            }
            loss_sum += loss;
            covered += m1.mean(Kind::Float).double_value(&[]);
            job.advance(ones.len());
        }
        let mean = |sum: f64| sum / batches as f64;
        let done = (epoch + 1) as f64;
        job.metrics(
            MASK_PHASE,
            done,
            &[("loss", mean(loss_sum)), ("density", mean(covered)), ("learning-rate", rate)],
        )?;
        resume.save(job, epoch + 1, &live.and(&adam.state()), &())?;
    }
    resume.remove();
    Ok(params)
}
