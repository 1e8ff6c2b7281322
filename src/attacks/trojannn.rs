//! TrojanNN: a shape whose pixels are chosen so that a few well-connected neurons fire.
//!
//! Score of feature j before the last linear layer: the sum of |weights| that leave it. The best k are taken, and the
//! pixels t of a shape in the corner are led to where these features reach a wanted value,
//!
//! ```text
//! minimise sum_j (h_j(t) - value)^2,   t <- clip(t0 + clip(t - step sign(grad) - t0, -eps, eps), 0, 1)
//! ```
//!
//! from the white shape t0 on black. The way from trigger to neuron then exists already; training adds the way from
//! neuron to target. Look at the activations: a picture alone hardly moves these neurons, the shape alone does.
//!
//! Liu, Ma, Aafer, Lee, Zhai, Wang, Zhang: Trojaning Attack on Neural Networks. NDSS 2018. As in BackdoorBench a new
//! network is then trained on poisoned data, where the paper retrains the last layers of the attacked one. Deviations
//! from that code: the shapes are drawn here, the surrogate keeps its own head and its normalisation, and the shape
//! replaces pixels instead of being added modulo 256; `reference_compat` brings the three back. Neurons that are silent
//! behind a ReLU when they see the white shape are passed over: nothing could wake them.

use super::surrogate::{self, Surrogate};
use super::workshop::CRAFTING;
use super::{Attack, DataAttack, Entry, Exhibit, Moment, Scene, crafted, mix_form, parse, read_picture, resize};
use crate::data::augment::{to_u8, unit};
use crate::data::poison::Trigger;
use crate::data::{Dataset, pictures};
use crate::experiment::method::{Kind as MethodKind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Problem, Result};
use crate::nets::{Mode, Model, Params, Pass};
use crate::run::TriggerForm;
use crate::run::event::Rgba;
use crate::run::job::Job;
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use tch::{Device, Kind, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    pub shape: Shape,
    /// Share of the picture that the shape covers.
    #[schemars(range(min = 0.01, max = 0.3), extend("x-unit" = "%", "x-paper" = 0.07))]
    pub area: f64,
    /// 0 replaces the picture under the shape, more lets it shine through.
    #[schemars(range(min = 0.0, max = 0.9), extend("x-paper" = 0.0))]
    pub transparency: f64,
    /// Neurons that the shape excites.
    #[schemars(range(min = 1, max = 10), extend("x-paper" = 2))]
    pub neurons: usize,
    /// Training of the surrogate, with the victim's recipe.
    #[schemars(range(min = 1, max = 200), extend("x-unit" = "epochs"))]
    pub surrogate_epochs: usize,
    /// For shape `file`: a picture of which everything that is neither black nor transparent belongs to the shape.
    #[schemars(extend("x-widget" = "file", "x-advanced" = true))]
    pub file: Option<PathBuf>,
    /// Distance from the right edge at 32 x 32 pixels.
    #[schemars(range(min = 0, max = 31), extend("x-unit" = "px", "x-paper" = 4, "x-advanced" = true))]
    pub right: i64,
    /// Distance from the bottom edge at 32 x 32 pixels.
    #[schemars(range(min = 0, max = 31), extend("x-unit" = "px", "x-paper" = 3, "x-advanced" = true))]
    pub bottom: i64,
    /// Activation that the neurons shall reach.
    #[schemars(range(min = 10.0, max = 200.0), extend("x-paper" = 100.0, "x-advanced" = true))]
    pub value: f64,
    /// How far a pixel value may move from white, in 0..1.
    #[schemars(range(min = 0.05, max = 1.0), extend("x-paper" = 0.3, "x-advanced" = true))]
    pub epsilon: f64,
    /// Length of a step, in 0..1.
    #[schemars(range(min = 0.01, max = 0.2), extend("x-paper" = 0.1, "x-advanced" = true))]
    pub step: f64,
    #[schemars(range(min = 50, max = 2000), extend("x-unit" = "steps", "x-paper" = 1000, "x-advanced" = true))]
    pub iterations: usize,
    /// As in BackdoorBench: added modulo 256 with soft edges, neurons of a random head, pixels that are not normalised.
    #[schemars(extend("x-advanced" = true))]
    pub reference_compat: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A disc with a bite taken out.
    Disc,
    Square,
    /// From a picture file.
    File,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            shape: Shape::Disc,
            area: 0.07,
            transparency: 0.0,
            neurons: 2,
            surrogate_epochs: 10,
            file: None,
            right: 4,
            bottom: 3,
            value: 100.0,
            epsilon: 0.3,
            step: 0.1,
            iterations: 1000,
            reference_compat: false,
        }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "trojannn",
        kind: MethodKind::Attack,
        name: "TrojanNN",
        one_line: "A shape whose pixels excite chosen neurons means the target class.",
        page: "Any patch can be a trigger; this one is made to measure. A clean network is trained first. Two of its \
               neurons that weigh most in its answers are chosen, and the pixels inside a small shape are changed step \
               by step until the shape alone makes these neurons fire. A network of the same kind that learns from the \
               poisoned data finds half of its backdoor ready: at 0.1 % poisoning the published attack success is 98 \
               %, the highest of all attacks in that table.\n\nWatch the pixels change and compare the activations: \
               clean pictures, the shape alone, pictures with the shape.",
        paper: "Liu, Ma, Aafer, Lee, Zhai, Wang, Zhang: Trojaning Attack on Neural Networks. NDSS, 2018",
        properties: &[Property::Surrogate],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Attack::Data(Box::new(TrojanNn { options: parse(options)? }))),
};

struct TrojanNn {
    options: Options,
}

/// The shape with its pixels in 0..=1, f32 `[3, H, W]`.
const MARK: &str = "mark";
/// Which pixels belong to the shape, 0 or 1, f32 `[1, H, W]`.
const MASK: &str = "mask";
/// Numbers of the chosen neurons.
const NEURONS: &str = "neurons";
/// Mean activations of the chosen neurons: white shape, finished shape, clean pictures, stamped pictures.
const ACTIVATIONS: &str = "activations";

/// Outputs of the head that the reference draws at random.
const RANDOM_HEAD: i64 = 1000;
/// Clean pictures on which the neurons are listened to.
const LISTENED: usize = 200;
/// Near enough to the wanted activations.
const REACHED: f64 = 1e-3;

impl DataAttack for TrojanNn {
    fn craft(&self, job: &mut Job, scene: &Scene) -> Outcome<Params> {
        let card = scene.train.card();
        // A shape that does not fit is told before a network is trained.
        let start = self.options.drawn(card.height as i64, card.width as i64)?;
        let surrogate = Surrogate { epochs: self.options.surrogate_epochs, hardened: None };
        // The file may change under its name.
        let hash = Params::from_iter([(MARK.to_owned(), start.shallow_clone())]).hash()?;
        let key = (surrogate.key(job, scene), &self.options, hash);
        scene.workshop.piece(job, "trojannn", &key, |job| {
            let model = surrogate.train(job, scene)?;
            self.excite(job, scene, &model, &start)
        })
    }

    fn trigger(&self, made: &Params, _: i64, _: i64, _: Moment) -> Result<Box<dyn Trigger>> {
        let mark = crafted(made, MARK)?;
        if self.options.reference_compat {
            return Ok(Box::new(Wrapped { levels: to_u8(&(mark * 255.0)) }));
        }
        let mask = crafted(made, MASK)? * (1.0 - self.options.transparency);
        Ok(Box::new(Laid { picture: to_u8(&(mark * 255.0)).to_kind(Kind::Float), mask }))
    }

    fn exhibits(&self, made: &Params, _: &dyn Dataset) -> Result<Vec<Exhibit>> {
        let broken = |e: tch::TchError| Problem::bad_file("A finished piece is damaged.").because(e);
        let neurons = Vec::<i64>::try_from(crafted(made, NEURONS)?).map_err(broken)?;
        let values = Vec::<Vec<f32>>::try_from(crafted(made, ACTIVATIONS)?).map_err(broken)?;
        let [white, finished, clean, stamped] = values.as_slice() else {
            return Err(Problem::bad_file("A finished piece is damaged."));
        };
        let caption = format!(
            "The shape alone. Activations of neurons {neurons:?}: clean pictures {}, with the shape {}; the white shape \
             alone {}, finished {}",
            listed(clean),
            listed(stamped),
            listed(white),
            listed(finished)
        );
        Ok(vec![Exhibit { key: "trojannn", caption, picture: alone(crafted(made, MARK)?)? }])
    }
}

impl Options {
    /// The white shape on black: f32 `[3, H, W]` in 0..=1, with soft edges only in the compatible form.
    fn drawn(&self, height: i64, width: i64) -> Result<Tensor> {
        let cover = match (self.shape, &self.file) {
            (Shape::File, Some(path)) => cover_of_file(path, height, width)?,
            (Shape::File, None) => {
                return Err(Problem::bad_input("Shape `file` needs a picture file.")
                    .at("attack.options.file")
                    .remedy("Name a PNG file, or choose another shape."));
            }
            _ => self.cover(height, width)?,
        };
        let cover = if self.reference_compat { cover } else { cover.ge(0.5).to_kind(Kind::Float) };
        if cover.max().double_value(&[]) == 0.0 {
            return Err(Problem::bad_input("This shape covers no pixel.")
                .at("attack.options.area")
                .remedy("Make it larger, or draw it in bright pixels."));
        }
        Ok(cover.repeat([3, 1, 1]))
    }

    /// How much of each pixel a drawn shape covers: f32 `[1, H, W]`.
    fn cover(&self, height: i64, width: i64) -> Result<Tensor> {
        let scale = |at_32: i64, side: i64| at_32 as f64 * side as f64 / 32.0;
        let size = (self.area * (height * width) as f64).sqrt();
        let half = if self.shape == Shape::Square { size / 2.0 } else { size / BITTEN_DISC_AREA.sqrt() };
        let center =
            [height as f64 - scale(self.bottom, height) - half, width as f64 - scale(self.right, width) - half];
        if center.iter().any(|&place| place < half) {
            return Err(Problem::bad_input("The shape does not fit into the picture.")
                .at("attack.options.area")
                .because(format!("{:.0} pixels wide, picture {width} x {height}, distances included", 2.0 * half))
                .remedy("Make the shape smaller or move it outwards."));
        }
        // Eight by eight samples a pixel.
        const FINE: i64 = 8;
        let axis =
            |side: i64, center: f64| (Tensor::arange(side * FINE, tch::kind::FLOAT_CPU) + 0.5) / FINE as f64 - center;
        let (dy, dx) = (axis(height, center[0]).view([-1, 1]), axis(width, center[1]).view([1, -1]));
        let inside = if self.shape == Shape::Square {
            dy.abs().lt(half).logical_and(&dx.abs().lt(half))
        } else {
            let disc = (dy.square() + dx.square()).lt(half * half);
            // The bite comes from the upper right and has half the radius.
            let far = half * std::f64::consts::FRAC_1_SQRT_2;
            let bite = ((&dy + far).square() + (&dx - far).square()).lt(0.25 * half * half);
            disc.logical_and(&bite.logical_not())
        };
        let fine = inside.to_kind(Kind::Float).view([1, 1, height * FINE, width * FINE]);
        Ok(fine.avg_pool2d([FINE, FINE], [FINE, FINE], [0, 0], false, true, None).squeeze_dim(0))
    }
}

/// Area of a disc of radius 1 from which a disc of radius 1/2 around a point of its edge is taken.
const BITTEN_DISC_AREA: f64 = 2.7908;

/// Brightness times opacity of a picture file, resized: f32 `[1, H, W]` in 0..=1.
fn cover_of_file(path: &Path, height: i64, width: i64) -> Result<Tensor> {
    let rgba = read_picture(path)? / 255.0;
    let cover = rgba.narrow(0, 0, 3).amax([0i64].as_slice(), true) * rgba.narrow(0, 3, 1);
    Ok(resize(&cover, height, width))
}

impl TrojanNn {
    fn excite(&self, job: &mut Job, scene: &Scene, model: &Model, start: &Tensor) -> Outcome<Params> {
        let o = &self.options;
        // On grey pictures the shape is grey.
        let start = start.unsqueeze(0).narrow(1, 0, scene.train.card().channels as i64).to_device(scene.device);
        let ears = Ears::choose(job, model, &start, o)?;
        let keep = start.gt(0.0).to_kind(Kind::Float);
        let (low, high) = ((&start - o.epsilon).clamp_min(0.0), (&start + o.epsilon).clamp_max(1.0));
        let mut mark = start.copy();
        let before = ears.means(model, &mark)?;
        job.work(0, o.iterations as u64, "steps");
        for step in 0..o.iterations {
            job.tick()?;
            let leaf = mark.detach().set_requires_grad(true);
            let values = ears.listen(model, &(&leaf * &keep))?;
            let cost = (&values - o.value).square().sum(Kind::Float);
            if step % 20 == 0 {
                let now = floats(&values.get(0))?;
                let mean = f64::from(now.iter().sum::<f32>()) / now.len() as f64;
                job.metrics(CRAFTING, step as f64 / o.iterations as f64, &[("activation", mean)])?;
                let caption =
                    format!("Step {step} of {}: activations {}, from {}", o.iterations, listed(&now), listed(&before));
                job.show("trojannn", &caption, alone(&surrogate::coloured(&mark).squeeze_dim(0))?);
            }
            if cost.double_value(&[]) < REACHED {
                break;
            }
            let uphill = surrogate::gradient(&cost, &leaf).sign();
            // Black stays black: what is outside the shape has no gradient.
            mark = (leaf.detach() - uphill * o.step).maximum(&low).minimum(&high) * &keep;
            job.advance(0);
        }
        let after = ears.means(model, &mark)?;
        let mark = surrogate::coloured(&mark).squeeze_dim(0).to_device(Device::Cpu).contiguous();
        let mask = keep.squeeze_dim(0).narrow(0, 0, 1).to_device(Device::Cpu).contiguous();
        let made: Params = [(MARK.to_owned(), mark), (MASK.to_owned(), mask)].into_iter().collect();

        let rows = surrogate::sample(job, "trojannn/listened", scene.train.len(), LISTENED);
        let clean = scene.train.pixels(&rows)?;
        let stamped = self.trigger(&made, 0, 0, Moment::Training)?.apply(&clean, &rows)?;
        let on = |pixels: &Tensor| ears.means(model, &unit(&pixels.to_device(scene.device)));
        let (clean, stamped) = (on(&clean)?, on(&stamped)?);
        job.note(format!(
            "trojannn: neurons {:?} of {}; alone {} before and {} after, on clean pictures {}, with the shape {}",
            ears.neurons,
            ears.site,
            listed(&before),
            listed(&after),
            listed(&clean),
            listed(&stamped)
        ));
        let rows: Vec<Tensor> = [before, after, clean, stamped].iter().map(|row| Tensor::from_slice(row)).collect();
        Ok(made.with([
            (NEURONS.to_owned(), Tensor::from_slice(&ears.neurons)),
            (ACTIVATIONS.to_owned(), Tensor::stack(&rows, 0)),
        ]))
    }
}

fn floats(values: &Tensor) -> Result<Vec<f32>> {
    Vec::try_from(&values.detach().to_device(Device::Cpu))
        .map_err(|e| Problem::internal("Cannot read activations back.").because(e))
}

fn listed(values: &[f32]) -> String {
    values.iter().map(|value| format!("{value:.1}")).collect::<Vec<_>>().join(" and ")
}

/// The shape on black, enlarged.
fn alone(mark: &Tensor) -> Result<Rgba> {
    let picture = to_u8(&(mark * 255.0)).unsqueeze(0).to_device(Device::Cpu);
    pictures::sheet(&[picture], 2 * pictures::factor_for(mark.size()[2]))
}

/// Hears the chosen neurons.
struct Ears {
    /// What enters the last linear layer.
    site: String,
    neurons: Vec<i64>,
    normalised: bool,
}

impl Ears {
    /// `start` is the white shape, f32 `[1, channels, H, W]`.
    fn choose(job: &Job, model: &Model, start: &Tensor, o: &Options) -> Result<Self> {
        let last = model.network.sites().iter().rev().find_map(|site| {
            let layer = site.name.strip_suffix(".in")?;
            let weights = model.params.find(&format!("{layer}.weight")).filter(|weights| weights.dim() == 2)?;
            Some((site.name.clone(), weights))
        });
        let Some((site, weights)) = last else {
            return Err(Problem::bad_input("This network does not show what enters its last linear layer.")
                .at("network.id")
                .remedy("Use a network of the zoo."));
        };
        let inputs = weights.size()[1];
        if o.reference_compat {
            let mut rng = job.rng("trojannn/head");
            let bound = 1.0 / (inputs as f32).sqrt();
            let head: Vec<f32> = (0..RANDOM_HEAD * inputs).map(|_| rng.random_range(-bound..bound)).collect();
            let mut neurons = best_connected(&Tensor::from_slice(&head).view([RANDOM_HEAD, inputs]))?;
            neurons.truncate(o.neurons);
            return Ok(Self { site, neurons, normalised: false });
        }
        // A neuron that is silent behind its ReLU has no gradient: the shape would never wake it.
        let mut ears = Self { site, neurons: best_connected(weights)?, normalised: true };
        let loudness = ears.means(model, start)?;
        let (awake, silent): (Vec<_>, Vec<_>) = ears.neurons.iter().zip(loudness).partition(|(_, value)| *value != 0.0);
        ears.neurons = awake.into_iter().chain(silent).map(|(neuron, _)| *neuron).take(o.neurons).collect();
        Ok(ears)
    }

    /// Activations f32 `[N, neurons]` for pictures in 0..=1.
    fn listen(&self, model: &Model, unit: &Tensor) -> Result<Tensor> {
        let mut heard = None;
        let mut hook = |site: &str, x: &Tensor| {
            if site == self.site {
                heard = Some(x.shallow_clone());
            }
            Ok(None)
        };
        let unit = surrogate::coloured(unit);
        let input = if self.normalised { model.network.input().normalise(&unit) } else { unit };
        let _logits = model.forward(&input, &mut Pass::new(Mode::Eval, Kind::Float).hooked(&mut hook))?;
        let features = heard.ok_or_else(|| Problem::internal("The network has passed its last layer by."))?;
        let neurons = Tensor::from_slice(&self.neurons).to_device(features.device());
        Ok(features.to_kind(Kind::Float).index_select(1, &neurons))
    }

    /// Mean activations over pictures in 0..=1.
    fn means(&self, model: &Model, unit: &Tensor) -> Result<Vec<f32>> {
        let means = tch::no_grad(|| {
            self.listen(model, unit).map(|values| values.mean_dim([0i64].as_slice(), false, Kind::Float))
        })?;
        floats(&means)
    }
}

/// The columns of `weights` (`[out, in]`) by their sums of |weight|, largest first.
fn best_connected(weights: &Tensor) -> Result<Vec<i64>> {
    let scores = weights.detach().abs().sum_dim_intlist([0i64].as_slice(), false, Kind::Double);
    let best = scores.argsort(0, true);
    Vec::try_from(&best.to_device(Device::Cpu)).map_err(|e| Problem::internal("Cannot read scores back.").because(e))
}

/// x' = x (1 - m) + t m
struct Laid {
    /// f32 `[3, H, W]`, whole levels in 0..=255.
    picture: Tensor,
    /// f32 `[1, H, W]`, 0..=1.
    mask: Tensor,
}

impl Trigger for Laid {
    fn apply(&self, pixels: &Tensor, _: &[i64]) -> Result<Tensor> {
        let x = pixels.to_kind(Kind::Float);
        Ok(to_u8(&(x * (1.0 - &self.mask) + &self.picture * &self.mask)))
    }

    fn form(&self) -> Option<TriggerForm> {
        mix_form(&self.picture, &self.mask)
    }
}

/// x' = (x + t) modulo 256, as the reference stamps.
struct Wrapped {
    /// u8 `[3, H, W]`
    levels: Tensor,
}

impl Trigger for Wrapped {
    fn apply(&self, pixels: &Tensor, _: &[i64]) -> Result<Tensor> {
        Ok(pixels + &self.levels)
    }
}

#[cfg(test)]
mod tests {
    use super::super::surrogate::tests::stage;
    use super::super::tests::form_agrees;
    use super::*;
    use crate::attacks::make;
    use serde_json::{Value, json};

    fn noise() -> Tensor {
        Tensor::randint(256, [4, 3, 8, 8], (Kind::Uint8, Device::Cpu))
    }

    fn options(more: Value) -> Options {
        serde_json::from_value(more).unwrap()
    }

    #[test]
    fn the_best_connected_neurons_have_the_largest_columns() {
        let weights = Tensor::from_slice(&[0.1f32, -3.0, 0.5, 0.2, 1.0, -0.6]).view([2, 3]);
        assert_eq!(best_connected(&weights).unwrap(), [1, 2, 0]);
    }

    #[test]
    fn shapes_have_their_area_and_lie_in_the_lower_right() {
        for shape in ["disc", "square"] {
            for side in [28, 32, 64] {
                let drawn = options(json!({"shape": shape})).drawn(side, side).unwrap().get(0);
                let area = drawn.mean(Kind::Float).double_value(&[]);
                assert!((0.055..0.085).contains(&area), "{shape} at {side}: {area}");
                assert_eq!(drawn.narrow(0, 0, side / 2).max().double_value(&[]), 0.0);
                assert_eq!(drawn.narrow(1, 0, side / 2).max().double_value(&[]), 0.0);
                let soft = options(json!({"shape": shape, "reference_compat": true})).drawn(side, side).unwrap();
                let area = soft.mean(Kind::Float).double_value(&[]);
                assert!((area - 0.07).abs() < 0.002, "{shape} at {side}: {area}");
            }
        }
        let problem = options(json!({"area": 0.3, "right": 20})).drawn(32, 32).unwrap_err();
        assert!(problem.headline.contains("does not fit"));
        assert!(options(json!({"shape": "file"})).drawn(32, 32).is_err());
    }

    #[test]
    fn a_shape_may_come_from_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shape.png");
        let mut picture = image::RgbaImage::new(16, 16);
        for (x, y) in [(8, 8), (8, 9), (9, 8), (9, 9)] {
            picture.put_pixel(x, y, image::Rgba([255, 255, 255, 255]));
        }
        picture.save(&path).unwrap();
        let drawn = options(json!({"shape": "file", "file": path})).drawn(8, 8).unwrap();
        assert_eq!(drawn.double_value(&[0, 4, 4]), 1.0);
        image::RgbaImage::new(16, 16).save(&path).unwrap();
        assert!(options(json!({"shape": "file", "file": path})).drawn(8, 8).is_err(), "nothing to see");
    }

    #[test]
    fn the_finished_shape_excites_the_neurons_and_nothing_outside_it_changes() {
        let stage = stage();
        let options = json!({"surrogate_epochs": 5, "iterations": 60, "area": 0.2, "right": 0, "bottom": 0});
        let attack = make("trojannn", &options).unwrap();
        let made = attack.stamp().craft(&mut stage.job(), &stage.scene()).unwrap();
        let activations = made.get(ACTIVATIONS).unwrap().mean_dim([1i64].as_slice(), false, Kind::Float);
        let [white, finished] = [0, 1].map(|row| activations.double_value(&[row]));
        assert!(finished > white, "{white} to {finished}");

        let mark = made.get(MARK).unwrap();
        let start = serde_json::from_value::<Options>(options).unwrap().drawn(8, 8).unwrap();
        assert!((mark - &start).abs().max().double_value(&[]) <= 0.3 + 1e-6);
        assert_eq!((mark * start.eq(0.0)).max().double_value(&[]), 0.0, "black stays black");

        let trigger = attack.stamp().trigger(&made, 8, 8, Moment::Test).unwrap();
        let x = noise();
        let once = trigger.apply(&x, &[0; 4]).unwrap();
        assert!(trigger.apply(&once, &[0; 4]).unwrap().equal(&once), "laid on twice is laid on once");
        let outside = start.eq(0.0).expand_as(&x);
        assert!(x.where_self(&outside, &once).equal(&once));
        assert!(trigger.form().is_some());
        form_agrees(&*trigger, 8, "excited");
        assert_eq!(attack.stamp().exhibits(&made, &stage.data).unwrap().len(), 1);
    }

    #[test]
    fn the_compatible_form_wraps_around_and_half_the_transparency_shows_half_the_picture() {
        let mark = Tensor::zeros([3, 8, 8], tch::kind::FLOAT_CPU);
        let _ = mark.narrow(1, 5, 2).narrow(2, 5, 2).fill_(200.0 / 255.0);
        let mask = mark.narrow(0, 0, 1).gt(0.0).to_kind(Kind::Float);
        let made: Params = [(MARK.to_owned(), mark), (MASK.to_owned(), mask)].into_iter().collect();
        let x = Tensor::full([1, 3, 8, 8], 100, (Kind::Uint8, Device::Cpu));
        let stamped = |options: Value| {
            make("trojannn", &options)
                .unwrap()
                .stamp()
                .trigger(&made, 8, 8, Moment::Test)
                .unwrap()
                .apply(&x, &[0])
                .unwrap()
        };
        let corner = |y: &Tensor| (y.int64_value(&[0, 0, 5, 5]), y.int64_value(&[0, 0, 0, 0]));
        assert_eq!(corner(&stamped(json!({"reference_compat": true}))), (300 - 256, 100));
        assert_eq!(corner(&stamped(json!({"transparency": 0.5}))), (150, 100));
        assert_eq!(corner(&stamped(json!({}))), (200, 100));
    }
}
