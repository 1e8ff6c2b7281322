//! A network of the attacker's own, trained on the clean data: what the victim will see like, before there is a victim.
//!
//! It has the victim's architecture and recipe with a number of epochs of its own and other first weights. It may be
//! trained on hardened pictures: each batch is first moved up its loss within a small cube ([`Ascent`]), so that what
//! fools the network later is more than noise (Madry et al.: Towards Deep Learning Models Resistant to Adversarial
//! Attacks. ICLR 2018).

use super::Scene;
use crate::data::augment::unit;
use crate::experiment::{Outcome, Problem, Result, Train};
use crate::nets::layers::channels_last;
use crate::nets::training::ResumePoint;
use crate::nets::training::fit::{Batch, Fit, Forward, Plain, Round, Step, fit_with};
use crate::nets::{Architecture, Mode, Model, Params, Pass, device};
use crate::run::job::Job;
use rand::{RngExt, seq};
use serde::Serialize;
use std::rc::Rc;
use tch::{Kind, Reduction, Tensor};

/// Its phase in metrics, random streams and resume points.
pub const PHASE: &str = "surrogate";

/// Training pictures on which the finished surrogate is tried.
const TRIED: usize = 1000;

/// How a surrogate is trained.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Surrogate {
    pub epochs: usize,
    /// How its training pictures are hardened; nothing leaves them as they are.
    pub hardened: Option<Ascent>,
}

/// All that a surrogate depends on.
#[derive(Serialize)]
pub struct Key<'a> {
    data: &'a str,
    architecture: &'a Architecture,
    recipe: Train,
    hardened: Option<Ascent>,
    seed: u64,
    arithmetic: &'static str,
}

impl Surrogate {
    pub fn key<'a>(&self, job: &Job, scene: &'a Scene) -> Key<'a> {
        Key {
            data: &scene.train.card().hash,
            architecture: scene.network.architecture(),
            recipe: Train { epochs: self.epochs, ..scene.recipe.clone() },
            hardened: self.hardened,
            seed: job.seed(),
            arithmetic: device::kind_name(scene.kind),
        }
    }

    /// The trained network on the scene's device, from the workshop if it has been trained before.
    pub fn train(&self, job: &mut Job, scene: &Scene) -> Outcome<Model> {
        let key = self.key(job, scene);
        let params = scene.workshop.piece(job, PHASE, &key, |job| {
            // Not the victim's first weights: the attacker does not know them.
            let seed: u32 = job.rng(PHASE).random();
            let params = scene.network.initial(u64::from(seed))?.to_device(scene.device);
            let mut model = Model::new(Rc::clone(&scene.network), params);
            let fit = Fit {
                phase: PHASE,
                train: &key.recipe,
                kind: scene.kind,
                mode: Mode::Train,
                trains: &|_| true,
                drop_last: true,
                round: Round::ONLY,
            };
            let mut step: Box<dyn Step> = match self.hardened {
                Some(ascent) => Box::new(Hardened { ascent }),
                None => Box::new(Plain),
            };
            fit_with(job, &mut model, scene.train, &fit, &mut *step, &mut |_, _, _| Ok(()))?;
            try_out(job, scene, &model)?;
            ResumePoint::of(job, PHASE).remove();
            Ok(model.params)
        })?;
        // The same layout whether it was just trained or read from a file, and so the same numbers.
        let params: Params = params
            .iter()
            .map(|(name, tensor)| (name.to_owned(), channels_last(&tensor.detach().to_device(scene.device))))
            .collect();
        Ok(Model::new(Rc::clone(&scene.network), params))
    }
}

/// Tells how much of its training data a surrogate knows.
fn try_out(job: &mut Job, scene: &Scene, model: &Model) -> Outcome<()> {
    let rows = sample(job, "surrogate/tried", scene.train.len(), TRIED);
    let mut right = 0;
    for rows in rows.chunks(250) {
        job.tick()?;
        let answers = model.predict(&scene.train.pixels(rows)?, scene.kind)?.argmax(1, false);
        let labels: Vec<i64> = rows.iter().map(|&row| scene.train.labels()[row as usize]).collect();
        let labels = Tensor::from_slice(&labels).to_device(answers.device());
        right += answers.eq_tensor(&labels).sum(Kind::Int64).int64_value(&[]);
    }
    let share = right as f64 / rows.len() as f64;
    job.note(format!("surrogate: right about {:.1} % of {} training pictures", 100.0 * share, rows.len()));
    if share < 2.0 / scene.network.input().classes as f64 {
        job.warn(
            Problem::bad_input("The surrogate has learned next to nothing, so the trigger will be weak.")
                .because(format!("it is right about {:.1} % of its training pictures", 100.0 * share))
                .remedy("Raise attack.options.surrogate_epochs, or change the training recipe."),
        );
    }
    Ok(())
}

/// At most `most` of the rows 0 to `rows`, drawn without replacement, in random order.
pub fn sample(job: &Job, stream: &str, rows: usize, most: usize) -> Vec<i64> {
    let drawn = seq::index::sample(&mut job.rng(stream), rows, most.min(rows));
    drawn.into_iter().map(|row| row as i64).collect()
}

/// Logits of pictures in 0..=1 in evaluation mode; gradients flow to the pictures, never to the weights. Grey pictures
/// may come with one channel, so that what is made of them stays grey.
pub fn logits(model: &Model, unit: &Tensor, kind: Kind) -> Result<Tensor> {
    model.forward(&model.network.input().normalise(&coloured(unit)), &mut Pass::new(Mode::Eval, kind))
}

/// `[N, 1, H, W]` or `[N, 3, H, W]` with three channels.
pub fn coloured(pictures: &Tensor) -> Tensor {
    pictures.expand([-1, 3, -1, -1], false)
}

/// The gradient of a scalar with respect to the leaf from which it was computed.
pub fn gradient(value: &Tensor, leaf: &Tensor) -> Tensor {
    // One leaf, one gradient.
    Tensor::run_backward(&[value], &[leaf], false, false).swap_remove(0)
}

/// Steps of fixed length in the direction of the gradient's sign, kept within a cube around each picture and within
/// 0..=1: projected gradient ascent. Lengths are in grey levels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ascent {
    /// How far a value may move from where it was.
    pub radius: f64,
    pub step: f64,
    pub steps: usize,
}

impl Ascent {
    /// Moves pictures (f32 `[N, 3, H, W]` in 0..=1) from `start` to where `loss`, a scalar, is larger.
    pub fn climb<E>(
        &self,
        pictures: &Tensor,
        start: Tensor,
        loss: &mut dyn FnMut(&Tensor) -> std::result::Result<Tensor, E>,
    ) -> std::result::Result<Tensor, E> {
        let low = (pictures - self.radius / 255.0).clamp_min(0.0);
        let high = (pictures + self.radius / 255.0).clamp_max(1.0);
        let mut place = start.maximum(&low).minimum(&high);
        for _ in 0..self.steps {
            let leaf = place.detach().set_requires_grad(true);
            let uphill = gradient(&loss(&leaf)?, &leaf).sign();
            place = (leaf.detach() + uphill * (self.step / 255.0)).maximum(&low).minimum(&high);
        }
        Ok(place)
    }
}

/// Cross-entropy on hardened pictures, from a random start in the cube.
struct Hardened {
    ascent: Ascent,
}

impl Step for Hardened {
    fn loss(&mut self, batch: Batch, forward: &mut Forward) -> Result<Tensor> {
        let pixels = batch.augment.apply(&batch.data.pixels(batch.rows)?, batch.rng);
        let pictures = unit(&channels_last(&pixels.to_device(batch.device)));
        let radius = (self.ascent.radius / 255.0) as f32;
        let offsets: Vec<f32> = (0..pictures.numel()).map(|_| batch.rng.random_range(-radius..=radius)).collect();
        let offsets = Tensor::from_slice(&offsets).view_as(&pictures.contiguous()).to_device(batch.device);
        let hard = self.ascent.climb(&pictures, &pictures + offsets, &mut |z| {
            let logits = forward(&batch.input.normalise(z))?;
            Ok::<_, Problem>(logits.cross_entropy_loss::<Tensor>(&batch.labels, None, Reduction::Sum, -100, 0.0))
        })?;
        Ok(forward(&batch.input.normalise(&hard))?.cross_entropy_for_logits(&batch.labels))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::attacks::workshop::Workshop;
    use crate::data::Memory;
    use crate::data::tests::striped;
    use crate::experiment::{Poison, Schedule};
    use crate::nets::{InputSpec, Network, zoo};
    use serde_json::json;
    use tch::Device;

    /// All that a scene refers to, small enough for a test.
    pub struct Stage {
        pub data: Memory,
        pub network: Rc<dyn Network>,
        pub recipe: Train,
        pub poison: Poison,
        pub rows: Vec<i64>,
        pub workshop: Workshop,
        pub folder: tempfile::TempDir,
    }

    /// Two hundred pictures whose class is the place of a bright square, on noise.
    fn squares() -> Memory {
        let card = striped(10).card;
        let labels: Vec<i64> = (0..200).map(|row| row % 10).collect();
        let pixel = |row: i64, y: i64, x: i64| {
            let noise = (row * 31 + y * 17 + x * 29) * 2654435761 % 97 % 60;
            let there = row % 10 == y / 2 * 4 + x / 2;
            (60 + noise + if there { 90 } else { 0 }) as u8
        };
        let pixels: Vec<u8> = (0..200).flat_map(|row| (0..64).map(move |at| pixel(row, at / 8, at % 8))).collect();
        Memory::new(card, &pixels, labels).unwrap()
    }

    /// A network that tells the squares apart after a few epochs.
    pub fn stage() -> Stage {
        let data = squares();
        let (mean, std) = crate::data::sources::statistics(&data);
        let input = InputSpec { height: 8, width: 8, mean, std, classes: 10 };
        let folder = tempfile::tempdir().unwrap();
        Stage {
            data,
            network: Rc::from(zoo::build("small-resnet", &json!({"width": 8}), input).unwrap()),
            recipe: Train {
                epochs: 50,
                batch: 20,
                learning_rate: 0.1,
                schedule: Schedule::OneCycle,
                crop: 0,
                flip: false,
                ..Train::default()
            },
            poison: Poison::default(),
            rows: (0..200).step_by(10).collect(),
            workshop: Workshop::new(Some(folder.path().join("cache"))),
            folder,
        }
    }

    impl Stage {
        pub fn scene(&self) -> Scene<'_> {
            Scene {
                train: &self.data,
                rows: &self.rows,
                network: Rc::clone(&self.network),
                recipe: &self.recipe,
                poison: &self.poison,
                device: Device::Cpu,
                kind: Kind::Float,
                workshop: &self.workshop,
            }
        }

        pub fn job(&self) -> Job {
            Job::detached(self.folder.path(), 1)
        }
    }

    fn losses(stage: &Stage, model: &Model, pixels: &Tensor) -> f64 {
        let labels = Tensor::from_slice(&stage.data.labels);
        model.predict(pixels, Kind::Float).unwrap().cross_entropy_for_logits(&labels).double_value(&[])
    }

    #[test]
    fn it_is_trained_once_and_found_again_bit_by_bit() {
        let stage = stage();
        let surrogate = Surrogate { epochs: 5, hardened: None };
        let model = surrogate.train(&mut stage.job(), &stage.scene()).unwrap();
        let answers = model.predict(&stage.data.pixels, Kind::Float).unwrap().argmax(1, false);
        let right = answers.eq_tensor(&Tensor::from_slice(&stage.data.labels)).sum(Kind::Int64).int64_value(&[]);
        assert!(right > 150, "{right} of 200");

        let mut looking = stage.scene();
        let only = stage.workshop.clone().only_look();
        looking.workshop = &only;
        let again = surrogate.train(&mut stage.job(), &looking).unwrap();
        assert!(
            again
                .predict(&stage.data.pixels, Kind::Float)
                .unwrap()
                .equal(&{ model.predict(&stage.data.pixels, Kind::Float).unwrap() })
        );
        let other = Surrogate { epochs: 6, ..surrogate };
        assert!(other.train(&mut stage.job(), &looking).is_err(), "six epochs are another surrogate");
    }

    #[test]
    fn the_ascent_stays_in_its_cube_and_raises_the_loss() {
        let stage = stage();
        let model = Surrogate { epochs: 5, hardened: None }.train(&mut stage.job(), &stage.scene()).unwrap();
        let x = unit(&stage.data.pixels);
        let labels = Tensor::from_slice(&stage.data.labels);
        let ascent = Ascent { radius: 8.0, step: 2.0, steps: 10 };
        let hard = ascent
            .climb(&x, x.shallow_clone(), &mut |z| {
                Ok::<_, Problem>(logits(&model, z, Kind::Float)?.cross_entropy_for_logits(&labels))
            })
            .unwrap();
        let moved = (&hard - &x).abs().max().double_value(&[]) * 255.0;
        assert!((7.9..=8.001).contains(&moved), "{moved}");
        assert!(hard.min().double_value(&[]) >= 0.0 && hard.max().double_value(&[]) <= 1.0);
        let pixels = crate::data::augment::to_u8(&(hard * 255.0));
        assert!(losses(&stage, &model, &pixels) > 2.0 * losses(&stage, &model, &stage.data.pixels));
    }

    #[test]
    fn hardened_training_resists_what_it_was_hardened_against() {
        let stage = stage();
        let ascent = Ascent { radius: 32.0, step: 16.0, steps: 3 };
        let hard_loss = |hardened| {
            let model = Surrogate { epochs: 6, hardened }.train(&mut stage.job(), &stage.scene()).unwrap();
            let x = unit(&stage.data.pixels);
            let labels = Tensor::from_slice(&stage.data.labels);
            let mut loss =
                |z: &Tensor| Ok::<_, Problem>(logits(&model, z, Kind::Float)?.cross_entropy_for_logits(&labels));
            let hard = ascent.climb(&x, x.shallow_clone(), &mut loss).unwrap();
            loss(&hard).unwrap().double_value(&[])
        };
        let (plain, hardened) = (hard_loss(None), hard_loss(Some(ascent)));
        assert!(hardened < plain, "{hardened} against {plain}");
    }
}
