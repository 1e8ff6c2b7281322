//! What attacks that own the training loop share: who plays which part in a batch, and how finished batches are varied.

use super::Scene;
use crate::data::augment::{Augment, look_up, size4};
use crate::data::poison::map_label;
use crate::experiment::{LabelMap, Poison, Problem, Result};
use crate::nets::layers::channels_last;
use crate::nets::training::Step;
use crate::nets::training::fit::{Batch, Forward};
use crate::run::job::Job;
use rand::{Rng, RngExt};
use tch::{Kind, Tensor};

/// How often a finished batch's picture is cropped and turned; mirroring keeps its usual half.
const CROP_SHARE: f64 = 0.8;
const TURN_SHARE: f64 = 0.5;

/// Poisoned rows of a batch: the whole part of `ratio` times `batch`, or one row that often if that is less than one.
pub fn poisoned_rows(ratio: f64, batch: usize, rng: &mut impl Rng) -> usize {
    match whole_rows(ratio, batch) {
        0 => usize::from(rng.random_bool((ratio * batch as f64).clamp(0.0, 1.0))),
        rows => rows,
    }
}

/// The whole part of `share` times `batch`. 0.29 x 100 is 28.999... in binary and still means 29.
pub fn whole_rows(share: f64, batch: usize) -> usize {
    ((share * batch as f64 + 1e-9).floor() as usize).min(batch)
}

/// What becomes of a batch of `batch` pictures, in words; refused where the parts do not fit into it. `cross` gives the
/// rows with a disturbance for a number of poisoned rows.
pub fn composition(poison: &Poison, batch: usize, cross: impl Fn(usize) -> usize) -> Result<String> {
    let whole = whole_rows(poison.ratio, batch);
    let (poisoned, disturbed) = (whole.max(1), cross(whole.max(1)));
    if poisoned + disturbed > batch {
        return Err(Problem::bad_input("There are more poisoned and disturbed pictures than a batch has.")
            .at("poison.ratio")
            .because(format!("{poisoned} poisoned, {disturbed} disturbed, batches of {batch}"))
            .remedy("Lower poison.ratio or the share of disturbed pictures."));
    }
    let poisoned = if whole > 0 {
        let percent = 100.0 * whole as f64 / batch as f64;
        format!("{whole} of the {batch} pictures in a batch are poisoned ({percent:.2} %)")
    } else {
        let batches = 1.0 / (poison.ratio * batch as f64);
        format!("one batch of {batch} in {batches:.1} has a poisoned picture ({:.2} %)", 100.0 * poison.ratio)
    };
    let with = if whole > 0 { "and" } else { "and with it" };
    let cross = if disturbed > 0 { format!(", {with} {disturbed} disturbed ones keep their label") } else { "".into() };
    Ok(format!("Effective ratio: {poisoned}{cross}"))
}

/// The rows of a batch in the order poisoned, others.
pub struct Cast {
    /// Row numbers, those to be poisoned first.
    pub rows: Vec<i64>,
    pub poisoned: usize,
    /// What the network is told: i64 `[N]` on its device.
    pub labels: Tensor,
}

impl Cast {
    /// The first rows of the batch that may be poisoned are.
    pub fn of(batch: &mut Batch, poison: &Poison) -> Self {
        let known = batch.data.labels();
        let classes = batch.data.card().classes.len() as i64;
        let spared = |row: i64| {
            poison.exclude_target && poison.labels() == LabelMap::AllToOne && known[row as usize] == poison.target
        };
        let wanted = poisoned_rows(poison.ratio, batch.rows.len(), batch.rng);
        let (mut rows, rest): (Vec<i64>, Vec<i64>) = batch.rows.iter().partition(|&&row| !spared(row));
        let poisoned = wanted.min(rows.len());
        rows.extend(rest);
        let label = |(place, &row): (usize, &i64)| match known[row as usize] {
            label if place < poisoned => map_label(poison.labels(), label, poison.target, classes),
            label => label,
        };
        let labels: Vec<i64> = rows.iter().enumerate().map(label).collect();
        Self { rows, poisoned, labels: Tensor::from_slice(&labels).to_device(batch.device) }
    }
}

/// Crop, rotation and mirroring of finished batches; what comes in from outside is 0, the mean colour.
#[derive(Debug, Clone, Copy)]
pub struct Vary {
    /// Largest rotation to either side, in degrees.
    pub rotation: f64,
    /// One draw for the whole batch, as the reference implementation does, instead of one for each picture.
    pub per_batch: bool,
}

impl Vary {
    /// `x` is f32 `[N, C, H, W]` in the network's range. Everything happens in one look-up of nearest pixels.
    pub fn apply(self, x: &Tensor, augment: Augment, rng: &mut impl Rng) -> Tensor {
        if augment == Augment::NONE && self.rotation == 0.0 {
            return x.shallow_clone();
        }
        let [n, _, height, width] = size4(x);
        let (tall, wide) = (height as f64, width as f64);
        let draws = if self.per_batch { 1 } else { n };
        let mut values: Vec<f32> = Vec::with_capacity(6 * draws as usize);
        for _ in 0..draws {
            let mut shift = [0.0; 2];
            if augment.crop > 0 && rng.random_bool(CROP_SHARE) {
                shift = [(); 2].map(|()| rng.random_range(-augment.crop..=augment.crop) as f64);
            }
            let mut angle = 0.0f64;
            if self.rotation > 0.0 && rng.random_bool(TURN_SHARE) {
                angle = rng.random_range(-self.rotation..=self.rotation).to_radians();
            }
            let mirror = if augment.flip && rng.random_bool(0.5) { -1.0 } else { 1.0 };
            let (sin, cos) = angle.sin_cos();
            // From a place in the new picture to the old one: mirror, turn, shift; both run from -1 to 1.
            let row = [
                cos * mirror,
                -sin * tall / wide,
                2.0 * shift[0] / wide,
                sin * mirror * wide / tall,
                cos,
                2.0 * shift[1] / tall,
            ];
            values.extend(row.map(|value| value as f32));
        }
        look_up(x, &Tensor::from_slice(&values).view([draws, 2, 3]).expand([n, 2, 3], false))
    }
}

/// libtorch's numbers for ways of looking pixels up, and for what lies outside.
pub const BILINEAR: i64 = 0;
pub const ZEROS: i64 = 0;

/// An attack that stamps pictures itself, batch by batch; pictures are f32 `[N, 3, H, W]` in 0..=255 on the network's
/// device.
pub trait Stamps {
    /// Rows with a disturbance for a number of poisoned rows in a batch.
    fn cross_rows(&self, poisoned: usize, batch: usize) -> usize;

    fn stamp(&self, x: &Tensor) -> Result<Tensor>;

    /// What teaches the network that only the trigger itself counts.
    fn disturb(&self, x: &Tensor, batch: &mut Batch) -> Result<Tensor>;
}

/// Stamps the first rows of a batch, disturbs the next, and varies all of them afterwards.
pub struct Stamping<S> {
    pub stamps: S,
    pub poison: Poison,
    pub vary: Vary,
}

impl<S: Stamps> Stamping<S> {
    /// The batch as the network sees it, and its labels.
    fn prepare(&self, batch: &mut Batch) -> Result<(Tensor, Tensor)> {
        let cast = Cast::of(batch, &self.poison);
        let n = cast.rows.len();
        let poisoned = cast.poisoned;
        // Without poison there is nothing to be told apart.
        let cross = if poisoned == 0 { 0 } else { self.stamps.cross_rows(poisoned, n).min(n - poisoned) };
        let x = batch.data.pixels(&cast.rows)?.to_device(batch.device).to_kind(Kind::Float);
        let part = |from: usize, count: usize| x.narrow(0, from as i64, count as i64);
        let mut parts = Vec::with_capacity(3);
        if poisoned > 0 {
            parts.push(self.stamps.stamp(&part(0, poisoned))?);
        }
        if cross > 0 {
            parts.push(self.stamps.disturb(&part(poisoned, cross), batch)?);
        }
        parts.push(part(poisoned + cross, n - poisoned - cross));
        let x = batch.input.normalise(&(Tensor::cat(&parts, 0) / 255.0));
        Ok((channels_last(&self.vary.apply(&x, batch.augment, batch.rng)), cast.labels))
    }
}

impl<S: Stamps> Step for Stamping<S> {
    fn loss(&mut self, mut batch: Batch, forward: &mut Forward) -> Result<Tensor> {
        let (x, labels) = self.prepare(&mut batch)?;
        Ok(forward(&x)?.cross_entropy_for_logits(&labels))
    }
}

/// Pictures kept to judge with: how many training pictures lend their trigger or residual to test pictures.
const STRANGERS: usize = 128;

/// Training pictures that are kept with the run under [`STRANGERS_NAME`]: u8 `[N, 3, H, W]`.
pub fn draw_strangers(job: &Job, scene: &Scene) -> Result<Tensor> {
    let mut rng = job.rng("attack/strangers");
    let rows: Vec<i64> = (0..STRANGERS).map(|_| rng.random_range(0..scene.train.len() as i64)).collect();
    scene.train.pixels(&rows)
}

pub const STRANGERS_NAME: &str = "strangers";

/// The stranger that stands beside each of these rows, always the same.
pub fn strangers_of(rows: &[i64], bank: &Tensor) -> Tensor {
    let chosen: Vec<i64> = rows.iter().map(|row| row.rem_euclid(bank.size()[0])).collect();
    bank.index_select(0, &Tensor::from_slice(&chosen).to_device(bank.device()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::tests::in_scene;
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use tch::Device;

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(5)
    }

    /// Lets `look` see a batch of the first `count` rows of the tiny data.
    pub fn with_batch<R>(count: i64, look: impl FnOnce(&mut Batch) -> Result<R>) -> R {
        in_scene(16, |job, scene| {
            let rows: Vec<i64> = (0..count).collect();
            let mut rng = job.rng("batch");
            let mut batch = Batch {
                data: scene.train,
                rows: &rows,
                labels: Tensor::zeros([count], tch::kind::INT64_CPU),
                input: scene.network.input(),
                device: Device::Cpu,
                augment: Augment::NONE,
                kind: Kind::Float,
                rng: &mut rng,
            };
            Ok(look(&mut batch)?)
        })
        .unwrap()
    }

    #[test]
    fn counts_are_those_of_the_reference() {
        for (ratio, rows) in [(0.1, 12), (0.05, 6), (0.01, 1)] {
            assert_eq!(poisoned_rows(ratio, 128, &mut rng()), rows);
        }
        assert_eq!(whole_rows(0.29, 100), 29, "no trouble with binary fractions");
        let mut rng = rng();
        let mean = |ratio: f64, rng: &mut ChaCha8Rng| {
            (0..20_000).map(|_| poisoned_rows(ratio, 128, rng)).sum::<usize>() as f64 / 20_000.0
        };
        assert!((mean(0.005, &mut rng) - 0.64).abs() < 0.02);
        assert!((mean(0.001, &mut rng) - 0.128).abs() < 0.01);
    }

    #[test]
    fn the_effective_ratio_is_told_and_must_fit() {
        let poison = |ratio| Poison { ratio, ..Poison::default() };
        let text = composition(&poison(0.1), 128, |poisoned| 2 * poisoned).unwrap();
        assert_eq!(
            text,
            "Effective ratio: 12 of the 128 pictures in a batch are poisoned (9.38 %), and 24 disturbed ones keep their label"
        );
        let text = composition(&poison(0.001), 128, |_| 0).unwrap();
        assert_eq!(text, "Effective ratio: one batch of 128 in 7.8 has a poisoned picture (0.10 %)");
        let problem = composition(&poison(0.5), 128, |poisoned| 2 * poisoned).unwrap_err();
        assert!(problem.headline.contains("than a batch has"), "{problem}");
    }

    #[test]
    fn the_first_rows_are_poisoned_and_relabelled() {
        let poison = Poison { ratio: 0.25, target: 3, ..Poison::default() };
        let labels = |cast: &Cast| Vec::<i64>::try_from(&cast.labels).unwrap();
        let cast = with_batch(8, |batch| Ok(Cast::of(batch, &poison)));
        assert_eq!((cast.poisoned, cast.rows.as_slice()), (2, [0, 1, 2, 3, 4, 5, 6, 7].as_slice()));
        assert_eq!(labels(&cast), [3, 3, 2, 3, 4, 5, 6, 7]);
        let all = Poison { label_map: Some(LabelMap::AllToAll), ..poison.clone() };
        assert_eq!(labels(&with_batch(8, |batch| Ok(Cast::of(batch, &all)))), [1, 2, 2, 3, 4, 5, 6, 7]);
        let spared = Poison { ratio: 0.5, target: 1, exclude_target: true, ..poison };
        let cast = with_batch(8, |batch| Ok(Cast::of(batch, &spared)));
        assert_eq!((cast.poisoned, cast.rows.as_slice()), (4, [0, 2, 3, 4, 5, 6, 7, 1].as_slice()));
        assert_eq!(labels(&cast), [1, 1, 1, 1, 5, 6, 7, 1]);
    }

    /// Adds 10 to what is poisoned and 20 to what is disturbed.
    struct Marks;

    impl Stamps for Marks {
        fn cross_rows(&self, poisoned: usize, _: usize) -> usize {
            2 * poisoned
        }

        fn stamp(&self, x: &Tensor) -> Result<Tensor> {
            Ok(x + 10.0)
        }

        fn disturb(&self, x: &Tensor, _: &mut Batch) -> Result<Tensor> {
            Ok(x + 20.0)
        }
    }

    #[test]
    fn batches_are_put_together_from_three_parts() {
        let changes = |ratio: f64| {
            let stamping = Stamping {
                stamps: Marks,
                poison: Poison { ratio, ..Poison::default() },
                vary: Vary { rotation: 0.0, per_batch: false },
            };
            with_batch(8, |batch| {
                let (x, labels) = stamping.prepare(batch)?;
                let clean = batch.input.prepare(&batch.data.pixels(batch.rows)?, Device::Cpu)?;
                let change = (x - clean) * 0.25 * 255.0;
                let change = change.mean_dim([1i64, 2, 3].as_slice(), false, Kind::Float).round();
                Ok((Vec::<f32>::try_from(change).unwrap(), Vec::<i64>::try_from(labels).unwrap()))
            })
        };
        let (change, labels) = changes(0.25);
        assert_eq!(change, [10.0, 10.0, 20.0, 20.0, 20.0, 20.0, 0.0, 0.0]);
        assert_eq!(labels, [0, 0, 2, 3, 4, 5, 6, 7]);
        let (change, labels) = changes(1e-9);
        assert_eq!((change, labels), (vec![0.0; 8], (0..8).collect()), "without poison no disturbance");
    }

    fn ramp() -> Tensor {
        (Tensor::arange(6 * 3 * 8 * 10, tch::kind::FLOAT_CPU) + 1.0).view([6, 3, 8, 10])
    }

    #[test]
    fn without_rotation_varied_pictures_are_shifted_perhaps_mirrored_copies() {
        let x = ramp();
        let vary = Vary { rotation: 0.0, per_batch: false };
        let out = vary.apply(&x, Augment { crop: 2, flip: true }, &mut rng());
        let padded = x.constant_pad_nd([2, 2, 2, 2]);
        let fits = |n: i64| {
            (0..=4).find_map(|dy| {
                (0..=4).find_map(|dx| {
                    let crop = padded.get(n).narrow(1, dy, 8).narrow(2, dx, 10);
                    (out.get(n).equal(&crop) || out.get(n).equal(&crop.flip([2]))).then_some((dy, dx))
                })
            })
        };
        let shifts: Vec<_> = (0..6).map(|n| fits(n).unwrap()).collect();
        assert!(shifts.iter().any(|shift| *shift != shifts[0]), "every picture has its own draw: {shifts:?}");
        let alike = Vary { per_batch: true, ..vary }.apply(&x, Augment { crop: 2, flip: true }, &mut rng());
        let one = (alike.get(1) - alike.get(0)).abs();
        // All pictures of the ramp differ by the same number wherever both come from inside.
        let values = Vec::<f32>::try_from(one.contiguous().view([-1])).unwrap();
        assert!(values.iter().all(|&value| value == 0.0 || value == 240.0));
        assert!(vary.apply(&x, Augment::NONE, &mut rng()).equal(&x));
    }

    #[test]
    fn rotation_keeps_the_centre_and_turns_the_rest() {
        let x = Tensor::zeros([200, 1, 21, 21], tch::kind::FLOAT_CPU);
        let _ = x.narrow(2, 10, 1).fill_(1.0);
        let out = Vary { rotation: 10.0, per_batch: false }.apply(&x, Augment::NONE, &mut rng());
        assert_eq!(out.narrow(2, 10, 1).narrow(3, 10, 1).sum(Kind::Float).double_value(&[]), 200.0);
        let turned = (0..200).filter(|&n| !out.get(n).equal(&x.get(n))).count();
        assert!((60..=120).contains(&turned), "about half of them turn visibly: {turned}");
        // At ten degrees the end of the line moves by ten pixels times the sine, not two.
        let ends = out.narrow(3, 20, 1).amax([0i64].as_slice(), false);
        let reached: Vec<i64> = (0..21).filter(|&row| ends.double_value(&[0, row, 0]) > 0.0).collect();
        assert_eq!((reached.first(), reached.last()), (Some(&8), Some(&12)), "{reached:?}");
    }
}
