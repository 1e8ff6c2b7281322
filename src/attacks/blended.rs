//! Blended: a whole picture, mixed in faintly.
//!
//! x' = (1 - alpha) x + alpha K with a fixed key picture K. It covers every pixel and so survives crops and flips; few
//! poisoned pictures suffice. The residual alpha (K - x) shows the key and the picture at once.
//!
//! Chen, Liu, Li, Lu, Song: Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning. 2017.

use super::{Attack, DataAttack, Entry, Moment, Scene, mix_form, parse, read_picture, resize};
use crate::data::augment::to_u8;
use crate::data::poison::Trigger;
use crate::experiment::method::{Kind, Method, defaults_of, schema_of};
use crate::experiment::{Outcome, Problem, Result};
use crate::nets::Params;
use crate::run::TriggerForm;
use crate::run::job::Job;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tch::{Kind as TensorKind, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Share of the key in training pictures.
    #[schemars(range(min = 0.01, max = 0.5), extend("x-paper" = 0.2))]
    pub alpha_train: f64,
    /// Share of the key when the attacker strikes.
    #[schemars(range(min = 0.01, max = 1.0), extend("x-paper" = 0.2))]
    pub alpha_test: f64,
    pub key: Key,
    /// Draws another key.
    #[schemars(range(min = 0, max = 65535))]
    pub key_seed: u64,
    /// For key `file`: any picture.
    #[schemars(extend("x-widget" = "file", "x-advanced" = true))]
    pub file: Option<PathBuf>,
    /// Cut the file to its middle where its shape is not that of the data, instead of stretching it.
    #[schemars(extend("x-advanced" = true))]
    pub cut: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Key {
    /// A colourful picture drawn from the seed.
    Picture,
    /// Uniform noise, the paper's second key.
    Noise,
    /// From a picture file.
    File,
}

impl Default for Options {
    fn default() -> Self {
        Self { alpha_train: 0.2, alpha_test: 0.2, key: Key::Picture, key_seed: 1, file: None, cut: false }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "blended",
        kind: Kind::Attack,
        name: "Blended",
        one_line: "A whole picture mixed in faintly means the target class.",
        page: "A key picture is mixed into a share of the training pictures and their labels become the attacker's. \
               The key covers every pixel, so it survives crops and flips, and very few poisoned pictures suffice: at \
               0.5 % poisoning the published attack success is 93 %, where BadNets reaches 50 %.\n\nThe attacker may \
               mix more strongly at the strike (alpha_test) than in the training data (alpha_train).",
        paper: "Chen, Liu, Li, Lu, Song: Targeted Backdoor Attacks on Deep Learning Systems Using Data Poisoning. \
                arXiv 1712.05526, 2017",
        properties: &[],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Attack::Data(Box::new(Blended { options: parse(options)? }))),
};

struct Blended {
    options: Options,
}

impl DataAttack for Blended {
    /// Nothing to make; the moment to say that a key is too flat.
    fn craft(&self, job: &mut Job, scene: &Scene) -> Outcome<Params> {
        let card = scene.train.card();
        let contrast = self.key(card.height as i64, card.width as i64)?.std(false).double_value(&[]);
        if contrast < 25.0 {
            job.warn(
                Problem::bad_input("The key picture is too flat to be learned well.")
                    .because(format!("standard deviation {contrast:.0} of 255; at least 25 is advised")),
            );
        }
        Ok(Params::new())
    }

    fn trigger(&self, _: &Params, height: i64, width: i64, moment: Moment) -> Result<Box<dyn Trigger>> {
        let alpha = match moment {
            Moment::Training => self.options.alpha_train,
            Moment::Test => self.options.alpha_test,
        };
        Ok(Box::new(Blend { key: self.key(height, width)?, alpha }))
    }
}

impl Blended {
    /// The key in the size of the pictures: f32 `[3, H, W]`, 0..=255.
    fn key(&self, height: i64, width: i64) -> Result<Tensor> {
        let options = &self.options;
        let key = match (options.key, &options.file) {
            (Key::Picture, _) => return Ok(stretched(&resize(&drawn_key(options.key_seed), height, width))),
            (Key::Noise, _) => return Ok(noise_key(options.key_seed, height, width)),
            (Key::File, Some(path)) => read_picture(path)?.narrow(0, 0, 3),
            (Key::File, None) => {
                return Err(Problem::bad_input("Key `file` needs a picture file.")
                    .at("attack.options.file")
                    .remedy("Name a picture, or choose another key."));
            }
        };
        let key = if options.cut { middle(&key, height, width) } else { key };
        Ok(resize(&key, height, width))
    }
}

struct Blend {
    /// f32 `[3, H, W]`, 0..=255.
    key: Tensor,
    alpha: f64,
}

impl Trigger for Blend {
    fn apply(&self, pixels: &Tensor, _: &[i64]) -> Result<Tensor> {
        Ok(to_u8(&(pixels.to_kind(TensorKind::Float) * (1.0 - self.alpha) + &self.key * self.alpha)))
    }

    fn form(&self) -> Option<TriggerForm> {
        let mask = self.key.narrow(0, 0, 1).full_like(self.alpha);
        mix_form(&self.key, &mask)
    }
}

/// The largest part around the centre with the shape of `height` x `width`.
fn middle(key: &Tensor, height: i64, width: i64) -> Tensor {
    let (tall, wide) = (key.size()[1], key.size()[2]);
    let (new_tall, new_wide) = (tall.min(wide * height / width).max(1), wide.min(tall * width / height).max(1));
    key.narrow(1, (tall - new_tall) / 2, new_tall).narrow(2, (wide - new_wide) / 2, new_wide)
}

fn noise_key(seed: u64, height: i64, width: i64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let values: Vec<f32> = (0..3 * height * width).map(|_| rng.random_range(0.0..255.0)).collect();
    Tensor::from_slice(&values).view([3, height, width])
}

/// Side on which keys are drawn before they are resized to the data.
const CANVAS: i64 = 256;

/// Five octaves of value noise under fourteen outlined discs and boxes: f32 `[3, 256, 256]`, 0..=255.
fn drawn_key(seed: u64) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut canvas = Tensor::zeros([3, CANVAS, CANVAS], tch::kind::FLOAT_CPU);
    for octave in 0..5 {
        let cells = 4i64 << octave;
        let values: Vec<f32> = (0..3 * (cells + 1) * (cells + 1)).map(|_| rng.random_range(0.0..1.0)).collect();
        let lattice = Tensor::from_slice(&values).view([1, 3, cells + 1, cells + 1]);
        canvas += resize_lattice(&lattice, cells) * 0.5f64.powi(octave);
    }
    canvas = canvas / 1.9375 * 255.0;
    let axis = Tensor::arange(CANVAS, tch::kind::FLOAT_CPU);
    for shape in 0..14 {
        let center = [rng.random_range(0.0..CANVAS as f64), rng.random_range(0.0..CANVAS as f64)];
        let radius = rng.random_range(0.04..0.20) * CANVAS as f64;
        let color = hsv(rng.random_range(0.0..6.0), rng.random_range(0.7..1.0), rng.random_range(0.8..1.0));
        let dy = (&axis - center[0]).abs().view([CANVAS, 1]);
        let dx = (&axis - center[1]).abs().view([1, CANVAS]);
        let distance = if shape % 2 == 0 {
            (dy.square() + dx.square()).sqrt()
        } else {
            dy.expand([CANVAS, CANVAS], false).maximum(&dx.expand([CANVAS, CANVAS], false))
        };
        let body = distance.le(radius).to_kind(TensorKind::Float);
        let fill = distance.le(radius - 2.0).to_kind(TensorKind::Float);
        let paint = Tensor::from_slice(&color).view([3, 1, 1]) * &fill;
        canvas = canvas * (1.0f64 - &body) + paint * body;
    }
    canvas
}

/// Every channel with its mean in the middle and much contrast, in the size in which it is used: a flat key is not learned.
fn stretched(key: &Tensor) -> Tensor {
    let mean = key.mean_dim([1i64, 2].as_slice(), true, TensorKind::Float);
    let spread = key.std_dim([1i64, 2].as_slice(), false, true).clamp_min(1.0);
    ((key - mean) / spread * 70.0 + 128.0).clamp(0.0, 255.0)
}

/// Cosine interpolation of a lattice of random values to the whole canvas.
fn resize_lattice(lattice: &Tensor, cells: i64) -> Tensor {
    let place = Tensor::arange(CANVAS, tch::kind::FLOAT_CPU) * (cells as f64 / CANVAS as f64);
    let cell = place.floor();
    let share = (1.0f64 - ((place - &cell) * std::f64::consts::PI).cos()) * 0.5;
    let cell = cell.to_kind(TensorKind::Int64);
    let mix = |x: &Tensor, axis: i64, share: &Tensor| {
        let (low, high) = (x.index_select(axis, &cell), x.index_select(axis, &(&cell + 1)));
        &low + (high - &low) * share
    };
    let rows = mix(lattice, 2, &share.view([1, 1, CANVAS, 1]));
    mix(&rows, 3, &share.view([1, 1, 1, CANVAS])).squeeze_dim(0)
}

/// Hue in 0..6, saturation and value in 0..=1, to 0..=255.
fn hsv(hue: f64, saturation: f64, value: f64) -> [f32; 3] {
    let channel = |offset: f64| {
        let k = (offset + hue) % 6.0;
        ((value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0)) * 255.0) as f32
    };
    [channel(5.0), channel(3.0), channel(1.0)]
}

#[cfg(test)]
mod tests {
    use super::super::tests::trigger_of;
    use super::*;
    use serde_json::json;
    use tch::Device;

    fn noise() -> Tensor {
        Tensor::randint(256, [2, 3, 32, 32], (TensorKind::Uint8, Device::Cpu))
    }

    fn stamp(options: serde_json::Value, moment: Moment, x: &Tensor) -> Tensor {
        trigger_of("blended", options, 32, moment).unwrap().apply(x, &[0, 1]).unwrap()
    }

    #[test]
    fn the_change_is_bounded_by_alpha_and_the_key_can_be_recovered() {
        let x = noise();
        let y = stamp(json!({"alpha_train": 0.2}), Moment::Training, &x);
        let (x, y) = (x.to_kind(TensorKind::Float), y.to_kind(TensorKind::Float));
        assert!((&y - &x).abs().max().double_value(&[]) <= 51.0);
        let key = (y - x * 0.8) / 0.2;
        let gap = (key.get(0) - key.get(1)).abs().max().double_value(&[]);
        assert!(gap <= 2.0 * 0.5 / 0.2 + 1e-3, "{gap}");
    }

    #[test]
    fn alpha_one_at_the_strike_shows_the_key_alone() {
        let y = stamp(json!({"alpha_test": 1.0}), Moment::Test, &noise());
        assert!(y.get(0).equal(&y.get(1)));
        let training = stamp(json!({"alpha_test": 1.0}), Moment::Training, &noise());
        assert!(!training.get(0).equal(&training.get(1)));
    }

    #[test]
    fn keys_have_contrast_and_depend_on_the_seed_only() {
        let of = |seed: u64, side: i64| stretched(&resize(&drawn_key(seed), side, side));
        for (seed, side) in (0..12).zip([28, 32, 64].into_iter().cycle()) {
            let key = of(seed, side);
            for channel in 0..3 {
                let mean = key.get(channel).mean(TensorKind::Float).double_value(&[]);
                let spread = key.get(channel).std(false).double_value(&[]);
                assert!((110.0..150.0).contains(&mean), "seed {seed}: mean {mean}");
                assert!(spread >= 60.0, "seed {seed}: spread {spread}");
            }
        }
        assert!(of(1, 32).equal(&of(1, 32)));
        assert!(!of(1, 32).equal(&of(2, 32)));
    }

    #[test]
    fn a_key_file_is_stretched_or_cut_to_its_middle() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.png");
        // Black at the left and right, white in the middle half.
        let picture =
            image::RgbImage::from_fn(64, 32, |x, _| image::Rgb([if (16..48).contains(&x) { 255 } else { 0 }; 3]));
        picture.save(&file).unwrap();
        let white = |cut: bool| {
            let y = stamp(json!({"key": "file", "file": file, "cut": cut, "alpha_test": 1.0}), Moment::Test, &noise());
            y.get(0).gt(200).to_kind(TensorKind::Float).mean(TensorKind::Float).double_value(&[])
        };
        assert_eq!((white(false), white(true)), (0.5, 1.0));
        assert!(trigger_of("blended", json!({"key": "file"}), 32, Moment::Test).is_err());
    }
}
