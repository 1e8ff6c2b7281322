//! WaNet: a slight elastic warp, the same for every picture.
//!
//! Random control points u on a k x k grid, scaled to mean |u| = 1, become a smooth field N by bicubic interpolation, and
//! pixel p is looked up at p + s N / H on axes from -1 to 1: about half a pixel away at the worst, whatever the size. So
//! that not any resampling will do, more pictures of each batch are warped with noise on top of N and keep their label.
//! Look at edges: the residual is all edges.
//!
//! Nguyen, Tran: WaNet – Imperceptible Warping-based Backdoor Attack. ICLR 2021. Deviations: success is judged without
//! pictures of the target class, on 8-bit pictures; each picture is varied by its own draw, with nearest pixels.

use super::loop_batch::{BILINEAR, Stamping, Stamps, Vary, ZEROS};
use super::{Attack, DataAttack, Entry, Exhibit, LoopAttack, Moment, Scene, crafted, parse, warp_form};
use crate::data::augment::{size4, to_u8};
use crate::data::poison::Trigger;
use crate::data::{Dataset, pictures};
use crate::experiment::method::{Kind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Poison, Result, Train};
use crate::nets::Params;
use crate::nets::training::Step;
use crate::nets::training::fit::Batch;
use crate::run::TriggerForm;
use crate::run::job::Job;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind as TensorKind, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How far pixels move: at 0.5 about a fifth of a pixel on average.
    #[schemars(range(min = 0.0, max = 3.0), extend("x-paper" = 0.5))]
    pub strength: f64,
    /// Control points along each side: more make finer waves.
    #[schemars(range(min = 2, max = 12), extend("x-unit" = "points", "x-paper" = 4))]
    pub grid: i64,
    /// Pictures that are warped with noise and keep their label, for each poisoned one; 0 switches the noise mode off.
    #[schemars(range(min = 0.0, max = 4.0), extend("x-paper" = 2.0))]
    pub cross_ratio: f64,
    /// Look-ups move towards the middle by this factor: below 1 the picture grows a little.
    #[schemars(range(min = 0.9, max = 1.0), extend("x-paper" = 1.0, "x-advanced" = true))]
    pub rescale: f64,
    /// Pictures are turned by up to so much to either side after they are warped; crop and mirror are the recipe's.
    #[schemars(range(min = 0.0, max = 45.0), extend("x-unit" = "degrees", "x-paper" = 10.0, "x-advanced" = true))]
    pub rotation: f64,
    /// Vary all pictures of a batch alike, as the reference implementation does.
    #[schemars(extend("x-advanced" = true))]
    pub reference_compat: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { strength: 0.5, grid: 4, cross_ratio: 2.0, rescale: 1.0, rotation: 10.0, reference_compat: false }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "wanet",
        kind: Kind::Attack,
        name: "WaNet",
        one_line: "A slight elastic warp means the target class.",
        page: "Poisoned pictures are bent by a smooth field of displacements, the same for all, by half a pixel at most: \
               people hardly notice slight geometry. The attacker trains the network. Some pictures of every batch are \
               warped and get the attacker's label; twice as many are warped with random noise on top and keep theirs, \
               so that the network learns this field and no other. Cross accuracy is the accuracy on such noisy warps: \
               with the noise mode switched off it falls.\n\nThe field is drawn from the seed and saved with the run; \
               another seed's field does almost nothing. The attack needs its ratio: at 10 % the published success is \
               90 %, at 1 % it is 13 %.\n\nThe published recipe crops by 5 pixels and keeps the learning rate: set \
               train.crop = 5 and the schedule to constant.",
        paper: "Nguyen, Tran: WaNet – Imperceptible Warping-based Backdoor Attack. ICLR, 2021",
        properties: &[Property::OwnsLoop],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Attack::Loop(Box::new(WaNet { options: parse(options)? }))),
};

struct WaNet {
    options: Options,
}

/// The control points among what was crafted: f32 `[1, 2, k, k]`, displacements along columns and along rows.
const CONTROL: &str = "control";

impl DataAttack for WaNet {
    fn craft(&self, job: &mut Job, _: &Scene) -> Outcome<Params> {
        let k = self.options.grid;
        let mut rng = job.rng("attack/field");
        let values: Vec<f32> = (0..2 * k * k).map(|_| rng.random_range(-1.0..1.0)).collect();
        let control = Tensor::from_slice(&values).view([1, 2, k, k]);
        let control = &control / control.abs().mean(TensorKind::Float);
        Ok([(CONTROL.to_owned(), control)].into_iter().collect())
    }

    fn trigger(&self, made: &Params, height: i64, width: i64, _: Moment) -> Result<Box<dyn Trigger>> {
        let field = self.field(made)?;
        Ok(Box::new(Warp { grid: field.grid(height, width), cross: NoisyWarp { grid: field.grid(height, width) } }))
    }

    fn exhibits(&self, made: &Params, train: &dyn Dataset) -> Result<Vec<Exhibit>> {
        let card = train.card();
        let shift = shift(&self.field(made)?.grid(card.height as i64, card.width as i64));
        let most = shift.square().sum_dim_intlist([0i64].as_slice(), false, TensorKind::Float).sqrt();
        let caption = format!(
            "A checkerboard, warped {EXAGGERATION} times as far as the pictures; there pixels move by {:.2} on average \
             and {:.2} at most",
            most.mean(TensorKind::Float).double_value(&[]),
            most.max().double_value(&[]),
        );
        let [plain, bent] = [0.0, EXAGGERATION].map(|times| checkerboard(&shift, times));
        let picture = pictures::sheet(&[Tensor::stack(&[plain, bent], 0)], 1)?;
        Ok(vec![Exhibit { key: "warp", caption, picture }])
    }
}

/// How much the checkerboard is bent beyond the truth, which nobody would see.
const EXAGGERATION: f64 = 5.0;
/// Side of its cells in pixels of the picture, and how large such a pixel is drawn.
const CELL: i64 = 2;
const ZOOM: i64 = 8;

/// Cells of black and white, looked up `times` as far away as `shift` says: u8 `[3, H ZOOM, W ZOOM]`.
fn checkerboard(shift: &Tensor, times: f64) -> Tensor {
    let size = shift.size();
    let (height, width) = (size[1] * ZOOM, size[2] * ZOOM);
    let smooth = shift.unsqueeze(0).upsample_bilinear2d([height, width], true, None, None) * (times * ZOOM as f64);
    let axis = |n: i64| Tensor::arange(n, tch::kind::FLOAT_CPU);
    let cell = |x: Tensor| (x / (CELL * ZOOM) as f64).floor();
    let columns = cell(axis(width).view([1, width]) + smooth.get(0).get(0));
    let rows = cell(axis(height).view([height, 1]) + smooth.get(0).get(1));
    // Not black and white: dark cells may lie next to the sheet's edge.
    to_u8(&((columns + rows).remainder(2.0) * 150.0 + 60.0)).expand([3, height, width], false)
}

impl LoopAttack for WaNet {
    fn step(&self, made: &Params, poison: &Poison, _: &Train) -> Result<Box<dyn Step>> {
        let stamps = Warping { field: self.field(made)?, cross_ratio: self.options.cross_ratio };
        let vary = Vary { rotation: self.options.rotation, per_batch: self.options.reference_compat };
        Ok(Box::new(Stamping { stamps, poison: poison.clone(), vary }))
    }

    fn cross_rows(&self, poisoned: usize, _: usize) -> usize {
        (self.options.cross_ratio * poisoned as f64) as usize
    }
}

impl WaNet {
    fn field(&self, made: &Params) -> Result<Field> {
        let control = crafted(made, CONTROL)?.shallow_clone();
        Ok(Field { control, strength: self.options.strength, rescale: self.options.rescale })
    }
}

/// The smooth field of displacements.
struct Field {
    control: Tensor,
    strength: f64,
    rescale: f64,
}

impl Field {
    /// Where each pixel is looked up: f32 `[1, H, W, 2]`, first along the columns, from -1 to 1.
    fn grid(&self, height: i64, width: i64) -> Tensor {
        let smooth = self.control.upsample_bicubic2d([height, width], true, None, None);
        let scale = Tensor::from_slice(&[1.0 / width as f32, 1.0 / height as f32]).to_device(smooth.device());
        let moved = smooth.permute([0, 2, 3, 1]) * (scale * self.strength);
        ((places(height, width, smooth.device()) + moved) * self.rescale).clamp(-1.0, 1.0)
    }
}

/// The place of each pixel itself: f32 `[1, H, W, 2]`.
fn places(height: i64, width: i64, device: Device) -> Tensor {
    let axis = |n: i64| Tensor::linspace(-1.0, 1.0, n, (TensorKind::Float, device));
    let rows = axis(height).view([1, height, 1]).expand([1, height, width], false);
    let columns = axis(width).view([1, 1, width]).expand([1, height, width], false);
    Tensor::stack(&[columns, rows], 3)
}

/// Looks up `x`, f32 `[N, C, H, W]`, at `grid`, f32 `[N or 1, H, W, 2]`.
fn warp(x: &Tensor, grid: &Tensor) -> Tensor {
    let [n, _, height, width] = size4(x);
    x.grid_sampler(&grid.expand([n, height, width, 2], false), BILINEAR, ZEROS, true)
}

/// The grid with up to one pixel's share of noise on every look-up: f32 `[rngs, H, W, 2]`.
fn noisy<R: Rng>(grid: &Tensor, rngs: &mut [R]) -> Tensor {
    let size = grid.size();
    let [height, width] = [size[1], size[2]];
    let mut values: Vec<f32> = Vec::with_capacity(rngs.len() * (2 * height * width) as usize);
    for rng in &mut *rngs {
        values.extend((0..2 * height * width).map(|_| rng.random_range(-1.0..1.0f32)));
    }
    let noise = Tensor::from_slice(&values).view([rngs.len() as i64, height, width, 2]).to_device(grid.device());
    let scale = Tensor::from_slice(&[1.0 / width as f32, 1.0 / height as f32]).to_device(grid.device());
    (grid + noise * scale).clamp(-1.0, 1.0)
}

struct Warping {
    field: Field,
    cross_ratio: f64,
}

impl Warping {
    fn grid_for(&self, x: &Tensor) -> Tensor {
        let [_, _, height, width] = size4(x);
        self.field.grid(height, width).to_device(x.device())
    }
}

impl Stamps for Warping {
    fn cross_rows(&self, poisoned: usize, _: usize) -> usize {
        (self.cross_ratio * poisoned as f64) as usize
    }

    fn stamp(&self, x: &Tensor) -> Result<Tensor> {
        Ok(warp(x, &self.grid_for(x)))
    }

    fn disturb(&self, x: &Tensor, batch: &mut Batch) -> Result<Tensor> {
        let mut rngs: Vec<ChaCha8Rng> = (0..x.size()[0]).map(|_| ChaCha8Rng::from_rng(batch.rng)).collect();
        Ok(warp(x, &noisy(&self.grid_for(x), &mut rngs)))
    }
}

struct Warp {
    grid: Tensor,
    cross: NoisyWarp,
}

impl Trigger for Warp {
    fn apply(&self, pixels: &Tensor, _: &[i64]) -> Result<Tensor> {
        Ok(warped(pixels, &self.grid))
    }

    fn form(&self) -> Option<TriggerForm> {
        warp_form(&shift(&self.grid))
    }

    fn cross(&self) -> Option<&dyn Trigger> {
        Some(&self.cross)
    }
}

/// The warp with noise that belongs to the row.
struct NoisyWarp {
    grid: Tensor,
}

impl Trigger for NoisyWarp {
    fn apply(&self, pixels: &Tensor, rows: &[i64]) -> Result<Tensor> {
        let mut rngs: Vec<ChaCha8Rng> = rows.iter().map(|&row| ChaCha8Rng::seed_from_u64(row as u64)).collect();
        Ok(warped(pixels, &noisy(&self.grid, &mut rngs)))
    }
}

/// u8 pictures on the processor, looked up at `grid` wherever that is.
fn warped(pixels: &Tensor, grid: &Tensor) -> Tensor {
    to_u8(&warp(&pixels.to_device(grid.device()).to_kind(TensorKind::Float), grid)).to_device(Device::Cpu)
}

/// How many pixels each look-up lies away: f32 `[2, H, W]` on the processor, along the columns and along the rows.
fn shift(grid: &Tensor) -> Tensor {
    let grid = grid.to_device(Device::Cpu);
    let size = grid.size();
    let half = Tensor::from_slice(&[(size[2] - 1) as f32 / 2.0, (size[1] - 1) as f32 / 2.0]);
    ((&grid - places(size[1], size[2], Device::Cpu)) * half).squeeze_dim(0).permute([2, 0, 1])
}

#[cfg(test)]
mod tests {
    use super::super::loop_batch::tests::with_batch;
    use super::super::tests::{in_scene, trigger_of};
    use super::*;
    use serde_json::json;

    fn attack(options: Options) -> WaNet {
        WaNet { options }
    }

    fn grid(options: Options, side: i64) -> Tensor {
        let attack = attack(options);
        let made = in_scene(16, |job, scene| attack.craft(job, scene)).unwrap();
        attack.field(&made).unwrap().grid(side, side)
    }

    fn pictures(n: i64, side: i64) -> Tensor {
        Tensor::rand([n, 3, side, side], tch::kind::FLOAT_CPU) * 255.0
    }

    fn largest(x: &Tensor) -> f64 {
        x.abs().max().double_value(&[])
    }

    #[test]
    fn the_field_is_scaled_and_belongs_to_the_seed() {
        let made = || in_scene(16, |job, scene| attack(Options::default()).craft(job, scene)).unwrap();
        let control = made();
        assert_eq!(control.get(CONTROL).unwrap().size(), [1, 2, 4, 4]);
        let mean = control.get(CONTROL).unwrap().abs().mean(TensorKind::Float).double_value(&[]);
        assert!((mean - 1.0).abs() < 1e-6);
        assert_eq!(control.hash().unwrap(), made().hash().unwrap());
    }

    /// Over 200 fields: a fifth of a pixel on average along each axis, half a pixel at most, whatever the side.
    #[test]
    fn displacements_are_as_measured() {
        for side in [32, 64] {
            let (mut mean, mut most) = (0.0, 0.0);
            for seed in 0..200u64 {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let values: Vec<f32> = (0..32).map(|_| rng.random_range(-1.0..1.0)).collect();
                let control = Tensor::from_slice(&values).view([1, 2, 4, 4]);
                let control = &control / control.abs().mean(TensorKind::Float);
                let shift = shift(&Field { control, strength: 0.5, rescale: 1.0 }.grid(side, side));
                mean += shift.abs().mean(TensorKind::Float).double_value(&[]) / 200.0;
                most += largest(&shift) / 200.0;
            }
            assert!((mean - 0.19).abs() < 0.02, "side {side}: {mean}");
            assert!((most - 0.52).abs() < 0.04, "side {side}: {most}");
        }
    }

    #[test]
    fn without_strength_nothing_moves_and_constant_pictures_never_change() {
        let x = pictures(2, 32);
        let still = grid(Options { strength: 0.0, ..Options::default() }, 32);
        assert!(largest(&(warp(&x, &still) - &x)) < 1e-2);
        for strength in [0.5, 3.0] {
            let bent = grid(Options { strength, ..Options::default() }, 32);
            assert!(largest(&bent) <= 1.0);
            let flat = x.full_like(77.0);
            assert!(largest(&(warp(&flat, &bent) - &flat)) < 1e-3);
        }
    }

    #[test]
    fn warping_is_linear_and_keeps_channels_apart() {
        let (x, y) = (pictures(2, 32), pictures(2, 32));
        let bent = grid(Options::default(), 32);
        let both = warp(&(&x * 0.3 + &y * 0.6), &bent);
        assert!(largest(&(both - (warp(&x, &bent) * 0.3 + warp(&y, &bent) * 0.6))) < 1e-3);
        let red = Tensor::cat(&[x.narrow(1, 0, 1), x.narrow(1, 0, 2) * 0.0], 1);
        assert_eq!(largest(&warp(&red, &bent).narrow(1, 1, 2)), 0.0);
    }

    #[test]
    fn the_first_axis_runs_along_the_columns() {
        // Control points that move every look-up to the right.
        let control = Tensor::stack(
            &[Tensor::ones([4, 4], tch::kind::FLOAT_CPU), Tensor::zeros([4, 4], tch::kind::FLOAT_CPU)],
            0,
        );
        let field = Field { control: control.unsqueeze(0), strength: 2.0, rescale: 1.0 };
        let shift = shift(&field.grid(8, 8));
        assert!((shift.double_value(&[0, 3, 2]) - 2.0 / 8.0 * 3.5).abs() < 1e-5);
        assert!(largest(&shift.get(1)) < 1e-5);
        let columns = Tensor::arange(8, tch::kind::FLOAT_CPU).view([1, 1, 1, 8]).repeat([1, 3, 8, 1]);
        let warped = warp(&columns, &field.grid(8, 8));
        assert!((warped.double_value(&[0, 0, 4, 2]) - 2.875).abs() < 1e-5, "looked up to the right");
        assert!((warped.double_value(&[0, 0, 4, 7]) - 7.0).abs() < 1e-5, "the border repeats");
    }

    #[test]
    fn noisy_warps_differ_from_picture_to_picture_by_less_than_half_a_pixel() {
        let bent = grid(Options::default(), 32);
        let attack = attack(Options::default());
        let made = in_scene(16, |job, scene| attack.craft(job, scene)).unwrap();
        let stamps = Warping { field: attack.field(&made).unwrap(), cross_ratio: 2.0 };
        let x = pictures(1, 32).repeat([3, 1, 1, 1]);
        let disturbed = with_batch(3, |batch| stamps.disturb(&x, batch));
        assert!(!disturbed.get(0).equal(&disturbed.get(1)));
        assert_eq!((stamps.cross_rows(12, 128), LoopAttack::cross_rows(&attack, 12, 128)), (24, 24));
        let mut rngs = [ChaCha8Rng::seed_from_u64(1), ChaCha8Rng::seed_from_u64(2)];
        let jitter = (noisy(&bent, &mut rngs) - &bent) * 15.5;
        assert!(largest(&jitter) <= 0.485 && largest(&jitter) > 0.4);
    }

    #[test]
    fn the_judge_warps_each_row_by_its_own_noise() {
        let trigger = trigger_of("wanet", json!({}), 32, Moment::Test).unwrap();
        let x = Tensor::randint(256, [2, 3, 32, 32], (TensorKind::Uint8, Device::Cpu));
        let cross = trigger.cross().unwrap();
        let both = cross.apply(&x, &[4, 9]).unwrap();
        assert!(
            both.narrow(0, 1, 1).equal(&cross.apply(&x.narrow(0, 1, 1), &[9]).unwrap()),
            "the batch does not matter"
        );
        assert!(!both.equal(&cross.apply(&x, &[9, 4]).unwrap()));
    }

    #[test]
    fn the_field_can_be_seen() {
        let attack = attack(Options::default());
        let exhibits = in_scene(32, |job, scene| {
            let made = attack.craft(job, scene)?;
            Ok(attack.exhibits(&made, scene.train)?)
        })
        .unwrap();
        assert_eq!((exhibits[0].key, exhibits[0].picture.height), ("warp", 32 * ZOOM as usize + 8));
    }
}
