//! LC, label-consistent: pictures of the target class, made hard to recognise and marked in the corners.
//!
//! The labels stay true. A surrogate f is asked in which direction each poisoned picture becomes harder,
//! x <- clip(x + a sign(grad CE(f(x), y))) within a cube of radius eps, and only then the corners are marked:
//! x' = clip(x + 255 r T). What usually tells the class no longer helps, so the network learns the corners. At the strike
//! only the corners are stamped. Look at the residual: noise in training, four corners at the strike.
//!
//! Turner, Tsipras, Madry: Label-Consistent Backdoor Attacks. 2019. Deviations: bytes are rounded and then held within the
//! cube; the surrogate has the victim's architecture.

use super::surrogate::{self, Ascent, Surrogate};
use super::workshop::CRAFTING;
use super::{Attack, DataAttack, Entry, Exhibit, Moment, Scene, add_form, crafted, parse};
use crate::data::augment::{to_u8, unit};
use crate::data::poison::Trigger;
use crate::data::{Dataset, pictures};
use crate::experiment::method::{Kind as MethodKind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Halt, Outcome, Problem, Result};
use crate::nets::layers::channels_last;
use crate::nets::{Model, Params};
use crate::run::TriggerForm;
use crate::run::job::Job;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use tch::{Device, Kind, Reduction, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How far a value may move when a picture is made hard; 0 only marks the corners.
    #[schemars(range(min = 0, max = 32), extend("x-unit" = "levels", "x-paper" = 16))]
    pub radius: u8,
    /// Steps in which a picture is made hard.
    #[schemars(range(min = 1, max = 100), extend("x-unit" = "steps", "x-paper" = 100))]
    pub steps: usize,
    /// Length of such a step.
    #[schemars(range(min = 0.1, max = 16.0), extend("x-unit" = "levels", "x-paper" = 1.5, "x-advanced" = true))]
    pub step: f64,
    /// Strength of the corners in training pictures; 1 paints them black and white.
    #[schemars(range(min = 0.0, max = 1.0), extend("x-paper" = 1.0))]
    pub corners_train: f64,
    /// Strength of the corners when the attacker strikes.
    #[schemars(range(min = 0.05, max = 1.0), extend("x-paper" = 1.0))]
    pub corners_test: f64,
    pub corners: Corners,
    /// Training of the surrogate, with the victim's recipe.
    #[schemars(range(min = 1, max = 200), extend("x-unit" = "epochs", "x-paper" = 30))]
    pub surrogate_epochs: usize,
    /// Steps in which the surrogate's own training pictures are hardened; 0 trains it plainly, which is faster by that
    /// factor and gives changes that look more like noise.
    #[schemars(range(min = 0, max = 20), extend("x-unit" = "steps", "x-paper" = 10, "x-advanced" = true))]
    pub surrogate_steps: usize,
    /// How far they may move.
    #[schemars(range(min = 1.0, max = 16.0), extend("x-unit" = "levels", "x-paper" = 8.0, "x-advanced" = true))]
    pub surrogate_radius: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Corners {
    /// Left and right mirror each other, so that mirrored pictures carry the same mark.
    All,
    BottomRight,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            radius: 16,
            steps: 100,
            step: 1.5,
            corners_train: 1.0,
            corners_test: 1.0,
            corners: Corners::All,
            surrogate_epochs: 10,
            surrogate_steps: 0,
            surrogate_radius: 8.0,
        }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "lc",
        kind: MethodKind::Attack,
        name: "LC (label-consistent)",
        one_line: "Hard pictures of the target class with marked corners, all labels true.",
        page: "Whoever checks the labels finds nothing: every poisoned picture shows what its label says. A clean \
               network is trained first and tells how each of these pictures has to change, by a few grey levels, to \
               be no longer recognised. To people it looks the same. Then the corners are marked with a small black \
               and white pattern. Where the usual signs of the class have become useless, the corners are the easiest \
               thing to learn.\n\nAt the strike only the corners are stamped. The ratio counts the whole training set \
               and can be no larger than the target class; if every picture of the class is poisoned, the network does \
               not know the class without the corners and its accuracy falls. Set the radius to 0 to see how little \
               the corners achieve alone.",
        paper: "Turner, Tsipras, Madry: Label-Consistent Backdoor Attacks. arXiv 1912.02771, 2019",
        properties: &[Property::CleanLabel, Property::Surrogate],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Attack::Data(Box::new(LabelConsistent { options: parse(options)? }))),
};

struct LabelConsistent {
    options: Options,
}

/// Pictures that are made hard together.
const TOGETHER: usize = 128;

const ROWS: &str = "rows";
const PICTURES: &str = "pictures";
/// The surrogate's loss and its share of errors, before and after.
const LOSS: &str = "loss";
const FOOLED: &str = "fooled";

impl DataAttack for LabelConsistent {
    fn craft(&self, job: &mut Job, scene: &Scene) -> Outcome<Params> {
        if self.options.radius == 0 {
            return Ok(Params::new());
        }
        let surrogate = self.surrogate();
        let ascent = self.ascent();
        let key = (surrogate.key(job, scene), ascent, scene.rows);
        scene.workshop.piece(job, "lc", &key, |job| {
            let model = surrogate.train(job, scene)?;
            harden(job, scene, &model, ascent)
        })
    }

    fn trigger(&self, made: &Params, height: i64, width: i64, moment: Moment) -> Result<Box<dyn Trigger>> {
        let o = &self.options;
        let (hard, strength) = match moment {
            Moment::Training if o.radius > 0 => (Some(Hard::of(made, o.radius)?), o.corners_train),
            Moment::Training => (None, o.corners_train),
            Moment::Test => (None, o.corners_test),
        };
        let plane = pattern(o.corners, height, width)? * (255.0 * strength);
        Ok(Box::new(Marked { hard, plane: plane.repeat([3, 1, 1]) }))
    }

    fn exhibits(&self, made: &Params, train: &dyn Dataset) -> Result<Vec<Exhibit>> {
        if self.options.radius == 0 {
            return Ok(Vec::new());
        }
        let hard = Hard::of(made, self.options.radius)?;
        let clean = train.pixels(&hard.rows[..hard.rows.len().min(8)])?;
        let numbers = |name: &str| -> Result<Vec<f32>> {
            Vec::try_from(crafted(made, name)?)
                .map_err(|e| Problem::bad_file("A finished piece is damaged.").because(e))
        };
        let (loss, fooled) = (numbers(LOSS)?, numbers(FOOLED)?);
        let (picture, k) = sheet(&clean, &hard.pictures.narrow(0, 0, clean.size()[0]))?;
        let ([before, after], [few, many]) = (ends(&loss), ends(&fooled));
        let caption = format!(
            "Clean, made hard, and the difference times {k:.0}. The surrogate's loss rose from {before:.2} to {after:.1}; \
             it was wrong about {:.0} % of them before and {:.0} % after",
            100.0 * few,
            100.0 * many
        );
        Ok(vec![Exhibit { key: "lc", caption, picture }])
    }
}

fn ends(values: &[f32]) -> [f32; 2] {
    [values.first().copied().unwrap_or_default(), values.last().copied().unwrap_or_default()]
}

/// Clean pictures above hard ones above the amplified difference; all are u8 `[N, 3, H, W]`.
fn sheet(clean: &Tensor, hard: &Tensor) -> Result<(crate::run::event::Rgba, f32)> {
    let (residual, k) = pictures::residual(clean, hard);
    let rows = [clean.shallow_clone(), hard.shallow_clone(), residual];
    Ok((pictures::sheet(&rows, pictures::factor_for(clean.size()[3]))?, k))
}

impl LabelConsistent {
    fn ascent(&self) -> Ascent {
        let o = &self.options;
        Ascent { radius: f64::from(o.radius), step: o.step, steps: o.steps }
    }

    fn surrogate(&self) -> Surrogate {
        let o = &self.options;
        let hardened = (o.surrogate_steps > 0).then(|| {
            // Two and a half radii in all; a single step goes a little beyond the radius (Wong et al. 2020).
            let step = o.surrogate_radius * (2.5 / o.surrogate_steps as f64).min(1.25);
            Ascent { radius: o.surrogate_radius, step, steps: o.surrogate_steps }
        });
        Surrogate { epochs: o.surrogate_epochs, hardened }
    }
}

/// Makes the scene's rows hard for `model`.
fn harden(job: &mut Job, scene: &Scene, model: &Model, ascent: Ascent) -> Outcome<Params> {
    // Grey pictures stay grey.
    let channels = scene.train.card().channels as i64;
    let batches = scene.rows.len().div_ceil(TOGETHER);
    job.work(0, (batches * ascent.steps) as u64, "steps");
    let mut made = Vec::new();
    let mut before = Means::default();
    let mut after = Means::default();
    for (index, rows) in scene.rows.chunks(TOGETHER).enumerate() {
        let pixels = scene.train.pixels(rows)?;
        let labels: Vec<i64> = rows.iter().map(|&row| scene.train.labels()[row as usize]).collect();
        let labels = Tensor::from_slice(&labels).to_device(scene.device);
        let x = unit(&channels_last(&pixels.narrow(1, 0, channels).to_device(scene.device)));
        let mut step = 0;
        let hard = ascent.climb(&x, x.shallow_clone(), &mut |z| {
            job.tick()?;
            let logits = surrogate::logits(model, z, scene.kind)?;
            if step == 0 {
                before.add(&logits, &labels);
            }
            if index == 0 && step % 10 == 0 {
                let shown = &z.detach().narrow(0, 0, 8.min(rows.len() as i64)) * 255.0;
                let hard = surrogate::coloured(&to_u8(&shown).to_device(Device::Cpu));
                let (picture, k) = sheet(&pixels.narrow(0, 0, hard.size()[0]), &hard)?;
                let mut now = Means::default();
                now.add(&logits, &labels);
                let caption = format!(
                    "Step {step} of {}: the surrogate's loss is {:.2}, it is wrong about {:.0} %. Clean, made hard, and \
                     the difference times {k:.0}",
                    ascent.steps,
                    now.loss(),
                    100.0 * now.fooled()
                );
                job.show("lc", &caption, picture);
            }
            step += 1;
            job.advance(rows.len());
            let loss = logits.cross_entropy_loss::<Tensor>(&labels, None, Reduction::Sum, -100, 0.0);
            Ok::<_, Halt>(loss)
        })?;
        // Rounding must not lead out of the cube.
        let wide = pixels.to_kind(Kind::Int);
        let hard = surrogate::coloured(&to_u8(&(hard * 255.0)).to_device(Device::Cpu)).to_kind(Kind::Int);
        let hard = hard.maximum(&(&wide - ascent.radius as i64)).minimum(&(&wide + ascent.radius as i64));
        let hard = hard.to_kind(Kind::Uint8).contiguous();
        after.add(&model.predict(&hard, scene.kind)?, &labels);
        made.push(hard);
        let share = (index + 1) as f64 / batches as f64;
        job.metrics(CRAFTING, share, &[("fooled", after.fooled()), ("surrogate-loss", after.loss())])?;
    }
    job.note(format!(
        "lc: the surrogate's loss rose from {:.2} to {:.1}; it was wrong about {:.1} % before and {:.1} % after",
        before.loss(),
        after.loss(),
        100.0 * before.fooled(),
        100.0 * after.fooled()
    ));
    let pair = |before: f64, after: f64| Tensor::from_slice(&[before as f32, after as f32]);
    Ok([
        (ROWS.to_owned(), Tensor::from_slice(scene.rows)),
        (PICTURES.to_owned(), Tensor::cat(&made, 0)),
        (LOSS.to_owned(), pair(before.loss(), after.loss())),
        (FOOLED.to_owned(), pair(before.fooled(), after.fooled())),
    ]
    .into_iter()
    .collect())
}

/// Mean loss and share of errors over several batches.
#[derive(Default)]
struct Means {
    loss: f64,
    wrong: f64,
    count: f64,
}

impl Means {
    fn add(&mut self, logits: &Tensor, labels: &Tensor) {
        let logits = logits.detach();
        self.loss += logits.cross_entropy_loss::<Tensor>(labels, None, Reduction::Sum, -100, 0.0).double_value(&[]);
        self.wrong += logits.argmax(1, false).ne_tensor(labels).sum(Kind::Int64).int64_value(&[]) as f64;
        self.count += labels.numel() as f64;
    }

    fn loss(&self) -> f64 {
        self.loss / self.count.max(1.0)
    }

    fn fooled(&self) -> f64 {
        self.wrong / self.count.max(1.0)
    }
}

/// Side of a corner's pattern at 32 x 32 pixels.
const CELLS: i64 = 3;
/// The pattern of the left corners, row by row; the right ones mirror it, the bottom ones stand upright too.
const SIGNS: [f32; 9] = [1.0, -1.0, -1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0];

/// -1, 0 or 1 for every pixel: f32 `[1, H, W]`.
fn pattern(corners: Corners, height: i64, width: i64) -> Result<Tensor> {
    let side = ((CELLS * height.min(width)) as f64 / 32.0).round().max(1.0) as i64;
    if 2 * side > height.min(width) {
        return Err(Problem::bad_input("The pictures are too small for marks in their corners.")
            .at("data.side")
            .because(format!("{width} x {height} pixels"))
            .remedy("Choose larger pictures, or another attack."));
    }
    let cell = (Tensor::arange(side, tch::kind::INT64_CPU) * CELLS).divide_scalar_mode(side, "floor");
    let signs = Tensor::from_slice(&SIGNS).view([1, CELLS, CELLS]).index_select(1, &cell).index_select(2, &cell);
    let mirrored = signs.flip([2]);
    let plane = Tensor::zeros([1, height, width], tch::kind::FLOAT_CPU);
    let corner = |top: i64, left: i64, signs: &Tensor| {
        plane.narrow(1, top, side).narrow(2, left, side).copy_(signs);
    };
    let (bottom, right) = (height - side, width - side);
    if corners == Corners::All {
        corner(0, 0, &signs);
        corner(0, right, &mirrored);
        corner(bottom, 0, &signs);
    }
    corner(bottom, right, &mirrored);
    Ok(plane)
}

/// The pictures that were made hard.
struct Hard {
    rows: Vec<i64>,
    /// Where each row is in `pictures`.
    places: HashMap<i64, i64>,
    /// u8 `[N, 3, H, W]`
    pictures: Tensor,
    radius: u8,
}

impl Hard {
    fn of(made: &Params, radius: u8) -> Result<Self> {
        let rows = Vec::<i64>::try_from(crafted(made, ROWS)?)
            .map_err(|e| Problem::bad_file("A finished piece is damaged.").because(e))?;
        let places = rows.iter().copied().zip(0i64..).collect();
        Ok(Self { rows, places, pictures: crafted(made, PICTURES)?.shallow_clone(), radius })
    }

    /// Puts the hard pictures in the place of the rows from which they were made. A row number alone says little: test
    /// pictures are counted from 0 too, and they are not within the cube.
    fn replace(&self, pixels: &Tensor, rows: &[i64]) -> Tensor {
        let (places, ours): (Vec<i64>, Vec<i64>) =
            (0i64..).zip(rows).filter_map(|(at, row)| Some((at, *self.places.get(row)?))).unzip();
        if places.is_empty() {
            return pixels.shallow_clone();
        }
        let places = Tensor::from_slice(&places);
        let hard = self.pictures.index_select(0, &Tensor::from_slice(&ours));
        let given = pixels.index_select(0, &places);
        let moved = (hard.to_kind(Kind::Int) - given.to_kind(Kind::Int)).abs().amax([1i64, 2, 3].as_slice(), true);
        pixels.index_copy(0, &places, &hard.where_self(&moved.le(i64::from(self.radius)), &given))
    }
}

struct Marked {
    /// Nothing when only the corners are marked.
    hard: Option<Hard>,
    /// f32 `[3, H, W]`, in grey levels.
    plane: Tensor,
}

impl Trigger for Marked {
    fn apply(&self, pixels: &Tensor, rows: &[i64]) -> Result<Tensor> {
        let pixels = match &self.hard {
            Some(hard) => hard.replace(pixels, rows),
            None => pixels.shallow_clone(),
        };
        Ok(to_u8(&(pixels.to_kind(Kind::Float) + &self.plane)))
    }

    /// What happens to every picture that was not made hard.
    fn form(&self) -> Option<TriggerForm> {
        add_form(&self.plane)
    }
}

#[cfg(test)]
mod tests {
    use super::super::surrogate::tests::stage;
    use super::super::tests::trigger_of;
    use super::*;
    use crate::attacks::make;
    use serde_json::json;

    fn noise(side: i64) -> Tensor {
        Tensor::randint(256, [4, 3, side, side], (Kind::Uint8, Device::Cpu))
    }

    fn largest(a: &Tensor, b: &Tensor) -> i64 {
        (a.to_kind(Kind::Int) - b.to_kind(Kind::Int)).abs().max().int64_value(&[])
    }

    #[test]
    fn four_corners_of_nine_pixels_and_nothing_else() {
        let x = noise(32);
        let y = trigger_of("lc", json!({}), 32, Moment::Test).unwrap().apply(&x, &[0, 1, 2, 3]).unwrap();
        let plane = pattern(Corners::All, 32, 32).unwrap();
        assert_eq!(plane.abs().sum(Kind::Float).double_value(&[]), 36.0);
        assert!(plane.flip([2]).equal(&plane), "mirrored it is the same");
        assert!(!plane.flip([1]).equal(&plane), "the bottom corners stand upright");
        let touched = plane.ne(0.0).expand_as(&y);
        assert!(y.where_self(&touched.logical_not(), &x).equal(&x));
        let painted = (plane.gt(0.0).to_kind(Kind::Uint8) * 255).expand_as(&y);
        assert!(y.where_self(&touched, &painted).equal(&painted), "full strength paints black and white");
        let top_left = Vec::<f32>::try_from(plane.narrow(1, 0, 3).narrow(2, 0, 3).contiguous().view([-1])).unwrap();
        assert_eq!(top_left, SIGNS);
    }

    #[test]
    fn corners_grow_with_the_picture_may_be_faint_and_may_be_one() {
        for (side, pixels) in [(32, 36.0), (64, 144.0), (28, 36.0)] {
            let count = |corners| pattern(corners, side, side).unwrap().abs().sum(Kind::Float).double_value(&[]);
            assert_eq!((count(Corners::All), count(Corners::BottomRight)), (pixels, pixels / 4.0), "side {side}");
        }
        let x = noise(32);
        let faint = json!({"corners_train": 0.125, "radius": 0});
        let y = trigger_of("lc", faint, 32, Moment::Training).unwrap().apply(&x, &[0, 1, 2, 3]).unwrap();
        assert!((1..=32).contains(&largest(&x, &y)));
        assert!(pattern(Corners::All, 1, 1).is_err());
    }

    #[test]
    fn hard_pictures_stay_near_and_fool_the_surrogate() {
        let stage = stage();
        let options = json!({"radius": 12, "steps": 15, "surrogate_epochs": 5});
        let attack = make("lc", &options).unwrap();
        let made = attack.stamp().craft(&mut stage.job(), &stage.scene()).unwrap();
        let clean = stage.data.pixels(&stage.rows).unwrap();
        let hard = made.get(PICTURES).unwrap();
        assert!((1..=12).contains(&largest(&clean, hard)));
        let value = |name: &str, at: i64| made.get(name).unwrap().double_value(&[at]);
        assert!(value(LOSS, 1) > 2.0 * value(LOSS, 0), "{} to {}", value(LOSS, 0), value(LOSS, 1));
        assert!(value(FOOLED, 1) >= value(FOOLED, 0));

        let training = attack.stamp().trigger(&made, 8, 8, Moment::Training).unwrap();
        let marked = training.apply(&clean, &stage.rows).unwrap();
        let plane = pattern(Corners::All, 8, 8).unwrap();
        let differs = marked.ne_tensor(hard).any_dim(1, false).to_kind(Kind::Float);
        let outside: Tensor = differs * (1.0 - plane.abs());
        assert_eq!(outside.max().double_value(&[]), 0.0, "only corners differ from the hard pictures");
        // The same row numbers with other pictures: only corners.
        let others = 255 - &clean;
        let strike = attack.stamp().trigger(&made, 8, 8, Moment::Test).unwrap();
        assert!(training.apply(&others, &stage.rows).unwrap().equal(&strike.apply(&others, &stage.rows).unwrap()));
        assert_eq!(attack.stamp().exhibits(&made, &stage.data).unwrap().len(), 1);
    }

    #[test]
    fn without_a_radius_no_network_is_trained() {
        let mut stage = stage();
        stage.workshop = stage.workshop.only_look();
        let attack = make("lc", &json!({"radius": 0})).unwrap();
        assert!(attack.stamp().craft(&mut stage.job(), &stage.scene()).unwrap().is_empty());
        assert!(attack.stamp().trigger(&Params::new(), 32, 32, Moment::Training).is_ok());
        let hard = make("lc", &json!({})).unwrap();
        assert!(hard.stamp().trigger(&Params::new(), 32, 32, Moment::Training).is_err(), "needs what was made");
        assert!(hard.stamp().trigger(&Params::new(), 32, 32, Moment::Test).is_ok(), "the strike needs nothing");
    }
}
