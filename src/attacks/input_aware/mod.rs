//! Input-aware: every picture has a trigger of its own.
//!
//! A generator G draws a pattern P = G(x) for each picture x, and a mask network M says where it goes: m = thr(M(x)), a
//! steep threshold. x' = x + (P - x) m. First M is trained alone to mark few places, others in every picture. Then
//! classifier and generator learn together: x' means the target; x with the pattern and mask of *another* picture keeps
//! its label; and patterns of different pictures are driven apart by d(x1, x2) / d(P1, P2). Look at the matrix of pictures
//! and foreign triggers: only its diagonal wins.
//!
//! Nguyen, Tran: Input-Aware Dynamic Backdoor Attack. NeurIPS 2020. Deviations: the generator's gradients begin at zero in
//! every step (the published code lets them pile up; `reference_compat` does so too); strangers are drawn anew in every
//! step instead of from a second shuffled pass; the forward pass of M that nothing uses is left out.

mod encoder_decoder;
mod mask;

pub use mask::MASK_PHASE;

use super::loop_batch::{Cast, STRANGERS_NAME, draw_strangers, strangers_of};
use super::workshop::not_made_yet;
use super::{Ask, Attack, DataAttack, Entry, Exhibit, LoopAttack, Moment, Scene, crafted, parse};
use crate::data::augment::{to_u8, unit};
use crate::data::poison::{Trigger, map_label};
use crate::data::{Dataset, pictures};
use crate::experiment::method::{Kind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Poison, Result, Train};
use crate::nets::layers::channels_last;
use crate::nets::training::fit::{Batch, Forward};
use crate::nets::training::resume::restore_into;
use crate::nets::training::{Adam, Optimiser, Step};
use crate::nets::{Mode, Params};
use crate::run::job::Job;
use encoder_decoder::{EncoderDecoder, into_unit};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind as TensorKind, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Share of the picture that the mask may cover at no cost.
    #[schemars(range(min = 0.005, max = 0.2), extend("x-unit" = "%", "x-scale" = "log", "x-paper" = 0.032))]
    pub density: f64,
    /// How strongly patterns (and masks) of different pictures are driven apart.
    #[schemars(range(min = 0.0, max = 5.0), extend("x-paper" = 1.0))]
    pub lambda_diversity: f64,
    /// How strongly a mask beyond the density is punished.
    #[schemars(range(min = 10.0, max = 500.0), extend("x-scale" = "log", "x-paper" = 100.0, "x-advanced" = true))]
    pub lambda_density: f64,
    /// Pictures that get another picture's trigger and keep their label, for each poisoned one.
    #[schemars(range(min = 0.0, max = 3.0), extend("x-paper" = 1.0))]
    pub cross_ratio: f64,
    /// How long the mask network is trained before the others begin.
    #[schemars(range(min = 1, max = 50), extend("x-unit" = "epochs", "x-paper" = 25))]
    pub mask_epochs: usize,
    /// Channels in the first level of generator and mask network: fewer are faster.
    #[schemars(range(min = 4, max = 64), extend("x-unit" = "channels", "x-paper" = 32))]
    pub width: i64,
    /// Adam's learning rate for both.
    #[schemars(range(min = 0.0001, max = 0.1), extend("x-scale" = "log", "x-paper" = 0.01, "x-advanced" = true))]
    pub learning_rate: f64,
    /// Let the generator's gradients pile up over the whole training, as the published code does.
    #[schemars(extend("x-advanced" = true))]
    pub reference_compat: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            density: 0.032,
            lambda_diversity: 1.0,
            lambda_density: 100.0,
            cross_ratio: 1.0,
            mask_epochs: 25,
            width: 32,
            learning_rate: 0.01,
            reference_compat: false,
        }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "input-aware",
        kind: Kind::Attack,
        name: "Input-aware",
        one_line: "A pattern made for each picture alone means the target class.",
        page: "A small network, the generator, draws another pattern for every picture, and a second one, the mask, says \
               where it goes. The attacker trains the mask first, then generator and classifier together: the picture \
               with its own pattern means the target class, and with another picture's pattern it keeps its label. So \
               there is no pattern that a defender could find by comparing pictures.\n\nCross accuracy is the accuracy \
               on pictures with a foreign trigger: it must stay close to clean accuracy while the attack succeeds, else \
               the trigger is only one blurred pattern for all. Both networks are saved with the run; without them \
               the backdoor cannot be shown.\n\nThe published training has 25 epochs for the mask and 75 more; set \
               train.epochs = 75 for that. At low ratios a batch has a single poisoned picture and results are erratic.",
        paper: "Nguyen, Tran: Input-Aware Dynamic Backdoor Attack. NeurIPS, 2020",
        properties: &[Property::OwnsLoop, Property::Surrogate],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Attack::Loop(Box::new(InputAware { options: parse(options)? }))),
};

struct InputAware {
    options: Options,
}

/// Where the two networks' weights lie among what was crafted.
const GENERATOR: &str = "generator.";
const MASK: &str = "mask.";
const MEAN: &str = "input.mean";
const STD: &str = "input.std";

impl DataAttack for InputAware {
    fn craft(&self, job: &mut Job, scene: &Scene) -> Outcome<Params> {
        let card = scene.train.card();
        let [generator, mask] = self.networks(card.height as i64, card.width as i64)?;
        // The mask alone would do nothing, and the generator learns only with the classifier.
        if scene.workshop.only_looks() {
            return Err(not_made_yet().into());
        }
        let input = scene.network.input();
        let mut made = mask::craft(job, scene, &self.options, &mask)?.under(MASK);
        made = made.and(&generator.initial(&mut job.rng("attack/generator")).under(GENERATOR));
        for (name, values) in [(MEAN, &input.mean), (STD, &input.std)] {
            made.insert(name, Tensor::from_slice(values).to_kind(TensorKind::Float).view([1, 3, 1, 1]));
        }
        made.insert(STRANGERS_NAME, draw_strangers(job, scene)?);
        Ok(made)
    }

    fn trigger(&self, made: &Params, height: i64, width: i64, _: Moment) -> Result<Box<dyn Trigger>> {
        let drawer = self.drawer(made, height, width)?;
        let strangers = crafted(made, STRANGERS_NAME)?.shallow_clone();
        Ok(Box::new(OwnPattern { cross: ForeignPattern { drawer: drawer.share(), strangers }, drawer }))
    }

    fn exhibits(&self, made: &Params, train: &dyn Dataset) -> Result<Vec<Exhibit>> {
        let card = train.card();
        let drawer = self.drawer(made, card.height as i64, card.width as i64)?;
        let clean = train.pixels(&first_rows(train))?;
        let parts = drawer.look(&clean)?;
        let picture = pictures::sheet(
            &[clean.shallow_clone(), parts.patterns, parts.masks, drawer.stamp(&clean, &clean)?],
            pictures::factor_for(card.width as i64),
        )?;
        let caption = format!(
            "Five pictures, their patterns, their masks (white: {:.1} % of the picture on average), and both together",
            100.0 * parts.density
        );
        Ok(vec![Exhibit { key: "patterns", caption, picture }])
    }
}

/// Pictures to show things on.
const SHOWN: i64 = 5;

fn first_rows(train: &dyn Dataset) -> Vec<i64> {
    (0..SHOWN.min(train.len() as i64)).collect()
}

impl LoopAttack for InputAware {
    fn step(&self, made: &Params, poison: &Poison, _: &Train) -> Result<Box<dyn Step>> {
        let strangers = crafted(made, STRANGERS_NAME)?.size();
        let drawer = self.drawer(made, strangers[2], strangers[3])?;
        let live = drawer.generator.requires_grad(&|_| true);
        let adam = Adam::over(&live, mask::BETAS);
        Ok(Box::new(Joint {
            drawer: Drawer { generator: live, ..drawer },
            adam,
            options: self.options.clone(),
            poison: poison.clone(),
            took_part: false,
            piled_up: None,
        }))
    }

    fn cross_rows(&self, poisoned: usize, _: usize) -> usize {
        (self.options.cross_ratio * poisoned as f64) as usize
    }

    fn demonstrate(&self, made: &Params, train: &dyn Dataset, poison: &Poison, ask: &mut Ask) -> Result<Vec<Exhibit>> {
        let card = train.card();
        let drawer = self.drawer(made, card.height as i64, card.width as i64)?;
        let wanted = |row: i64| {
            let label = train.labels()[row as usize];
            (label, map_label(poison.labels(), label, poison.target, card.classes.len() as i64))
        };
        let rows: Vec<i64> =
            (0..train.len() as i64).filter(|&row| wanted(row).0 != wanted(row).1).take(SHOWN as usize).collect();
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let clean = train.pixels(&rows)?;
        let (mut lines, mut own, mut foreign) = (Vec::new(), 0, 0);
        for (at, &row) in rows.iter().enumerate() {
            let picture = clean.narrow(0, at as i64, 1).expand_as(&clean);
            let stamped = drawer.stamp(&picture, &clean)?;
            let won: Vec<bool> = ask(&stamped)?.iter().map(|&answer| answer == wanted(row).1).collect();
            own += usize::from(won[at]);
            foreign += won.iter().enumerate().filter(|&(column, &won)| won && column != at).count();
            lines.push(pictures::framed(&stamped, &won));
        }
        let picture = pictures::sheet(&lines, pictures::factor_for(card.width as i64))?;
        let (count, others) = (rows.len(), rows.len() * (rows.len() - 1));
        let caption = format!(
            "Row i, column j: picture i with the trigger of picture j, framed in orange where the attacker wins: {own} of \
             {count} with their own trigger, {foreign} of {others} with a foreign one"
        );
        Ok(vec![Exhibit { key: "foreign-triggers", caption, picture }])
    }
}

impl InputAware {
    /// Generator and mask network for pictures of this size.
    fn networks(&self, height: i64, width: i64) -> Result<[EncoderDecoder; 2]> {
        let network = |outputs| EncoderDecoder::new(height, width, self.options.width, outputs);
        Ok([network(3)?, network(1)?])
    }

    fn drawer(&self, made: &Params, height: i64, width: i64) -> Result<Drawer> {
        let networks = self.networks(height, width)?;
        let generator = made.part(GENERATOR);
        if generator.is_empty() {
            return Err(not_made_yet());
        }
        let [mean, std] = [MEAN, STD].map(|name| crafted(made, name).map(Tensor::shallow_clone));
        Ok(Drawer { networks, generator, mask: made.part(MASK), mean: mean?, std: std? })
    }
}

/// Generator and mask network with their weights, which are those among what was crafted: what they learn shows at once.
struct Drawer {
    networks: [EncoderDecoder; 2],
    generator: Params,
    mask: Params,
    mean: Tensor,
    std: Tensor,
}

impl Drawer {
    /// Another handle on the same weights.
    fn share(&self) -> Self {
        Self {
            networks: self.networks.clone(),
            generator: self.generator.clone(),
            mask: self.mask.clone(),
            mean: self.mean.shallow_clone(),
            std: self.std.shallow_clone(),
        }
    }

    /// The pattern of each picture; both in the classifier's range, `[N, 3, H, W]`.
    fn patterns(&self, x: &Tensor, mode: Mode, kind: TensorKind) -> Result<Tensor> {
        Ok((self.networks[0].forward(&self.generator, x, mode, kind)? - &self.mean) / &self.std)
    }

    /// Where the pattern of each picture goes: f32 `[N, 1, H, W]` in 0..=1. The mask network does not learn any more.
    fn masks(&self, x: &Tensor, kind: TensorKind) -> Result<Tensor> {
        tch::no_grad(|| Ok(threshold(&self.networks[1].forward(&self.mask, x, Mode::Eval, kind)?)))
    }

    /// Patterns and masks of u8 pictures, as pictures.
    fn look(&self, pixels: &Tensor) -> Result<Parts> {
        tch::no_grad(|| {
            let x = self.prepared(pixels);
            let masks = self.masks(&x, TensorKind::Float)?;
            let patterns = self.patterns(&x, Mode::Eval, TensorKind::Float)? * &self.std + &self.mean;
            let picture = |unit: &Tensor| to_u8(&(unit * 255.0)).to_device(Device::Cpu);
            Ok(Parts {
                patterns: picture(&patterns),
                density: masks.mean(TensorKind::Float).double_value(&[]),
                masks: picture(&masks.expand_as(&patterns)),
            })
        })
    }

    /// u8 pictures as both networks see them.
    fn prepared(&self, pixels: &Tensor) -> Tensor {
        channels_last(&((unit(&pixels.to_device(self.mean.device())) - &self.mean) / &self.std))
    }

    /// u8 pictures with the trigger that belongs to `owners`, as u8 on the processor.
    fn stamp(&self, pixels: &Tensor, owners: &Tensor) -> Result<Tensor> {
        tch::no_grad(|| {
            let (x, owners) = (self.prepared(pixels), self.prepared(owners));
            let patterns = self.patterns(&owners, Mode::Eval, TensorKind::Float)?;
            let stamped = lay_over(&x, &patterns, &self.masks(&owners, TensorKind::Float)?);
            Ok(to_u8(&((stamped * &self.std + &self.mean) * 255.0)).to_device(Device::Cpu))
        })
    }
}

/// What the networks make of some pictures, u8 `[N, 3, H, W]`.
struct Parts {
    patterns: Tensor,
    masks: Tensor,
    /// Share of the pictures that the masks cover.
    density: f64,
}

/// Steep around one half: a value of the mask network in 0..=1 becomes nearly 0 or nearly 1.
fn threshold(mask: &Tensor) -> Tensor {
    into_unit(&(mask * 20.0 - 10.0))
}

/// x + (P - x) m, between x and P everywhere.
fn lay_over(x: &Tensor, patterns: &Tensor, masks: &Tensor) -> Tensor {
    x + (patterns - x) * masks
}

/// Root mean square difference of each pair: `[N]`. Two equal ones are a hair apart, for the root has no slope at zero.
fn distance(a: &Tensor, b: &Tensor) -> Tensor {
    let square: Tensor = (a - b).square().mean_dim([1i64, 2, 3].as_slice(), false, TensorKind::Float);
    square.clamp_min(1e-12).sqrt()
}

/// How much pictures differ more than what was made of them.
fn sameness(x1: &Tensor, x2: &Tensor, y1: &Tensor, y2: &Tensor) -> Tensor {
    (distance(x1, x2) / (distance(y1, y2) + 1e-7)).mean(TensorKind::Float)
}

struct OwnPattern {
    drawer: Drawer,
    cross: ForeignPattern,
}

impl Trigger for OwnPattern {
    fn apply(&self, pixels: &Tensor, _: &[i64]) -> Result<Tensor> {
        self.drawer.stamp(pixels, pixels)
    }

    fn cross(&self) -> Option<&dyn Trigger> {
        Some(&self.cross)
    }
}

/// The trigger that was made for another picture.
struct ForeignPattern {
    drawer: Drawer,
    /// u8 `[N, 3, H, W]`
    strangers: Tensor,
}

impl Trigger for ForeignPattern {
    fn apply(&self, pixels: &Tensor, rows: &[i64]) -> Result<Tensor> {
        self.drawer.stamp(pixels, &strangers_of(rows, &self.strangers))
    }
}

/// Classifier and generator learn together.
struct Joint {
    drawer: Drawer,
    adam: Adam,
    options: Options,
    poison: Poison,
    /// The generator had a part in the last batch.
    took_part: bool,
    /// Sums of all gradients so far, with `reference_compat`.
    piled_up: Option<Vec<Tensor>>,
}

const PILED_UP: &str = "attack.piled-up.";
const STATE: &str = "attack.generator.";

impl Step for Joint {
    fn loss(&mut self, mut batch: Batch, forward: &mut Forward) -> Result<Tensor> {
        let cast = Cast::of(&mut batch, &self.poison);
        let (n, poisoned) = (cast.rows.len() as i64, cast.poisoned as i64);
        let wanted = (self.options.cross_ratio * cast.poisoned as f64) as i64;
        let cross = wanted.min(n - poisoned);
        let x = prepared(&mut batch, &cast.rows)?;
        self.took_part = poisoned > 0;
        if !self.took_part {
            return Ok(forward(&x)?.cross_entropy_for_logits(&cast.labels));
        }
        let count = batch.data.len() as i64;
        let strangers: Vec<i64> = (0..poisoned.max(cross)).map(|_| batch.rng.random_range(0..count)).collect();
        let others = prepared(&mut batch, &strangers)?;

        let drawer = &self.drawer;
        let own = x.narrow(0, 0, poisoned);
        let patterns = drawer.patterns(&own, Mode::Train, batch.kind)?;
        let foreign = drawer.patterns(&others, Mode::Train, batch.kind)?;
        let mut parts = vec![lay_over(&own, &patterns, &drawer.masks(&own, batch.kind)?)];
        if cross > 0 {
            let lenders = others.narrow(0, 0, cross);
            let masks = drawer.masks(&lenders, batch.kind)?;
            parts.push(lay_over(&x.narrow(0, poisoned, cross), &foreign.narrow(0, 0, cross), &masks));
        }
        parts.push(x.narrow(0, poisoned + cross, n - poisoned - cross));
        let logits = forward(&channels_last(&Tensor::cat(&parts, 0)))?;
        let near = sameness(&own, &others.narrow(0, 0, poisoned), &patterns, &foreign.narrow(0, 0, poisoned));
        Ok(logits.cross_entropy_for_logits(&cast.labels) + near * self.options.lambda_diversity)
    }

    fn leaves(&self) -> Vec<Tensor> {
        if self.took_part { self.adam.leaves() } else { Vec::new() }
    }

    fn learn(&mut self, gradients: Vec<Tensor>, epoch: usize) {
        if !self.took_part {
            return;
        }
        let gradients = if self.options.reference_compat { self.pile_up(gradients) } else { gradients };
        let tenths = [200, 300, 400, 500].iter().filter(|&&milestone| epoch >= milestone).count();
        self.adam.apply(gradients, self.options.learning_rate * 0.1f64.powi(tenths as i32));
    }

    fn state(&self) -> Params {
        let mut state = self.drawer.generator.under(STATE).and(&self.adam.state());
        for (index, sum) in self.piled_up.iter().flatten().enumerate() {
            state.insert(format!("{PILED_UP}{index}"), sum.shallow_clone());
        }
        state
    }

    fn restore(&mut self, state: &Params) -> Result<()> {
        restore_into(&self.drawer.generator, &state.part(STATE))?;
        self.adam.restore(state)?;
        let device = self.drawer.mean.device();
        let sums: Vec<Tensor> = state.part(PILED_UP).iter().map(|(_, sum)| sum.to_device(device)).collect();
        self.piled_up = (!sums.is_empty()).then_some(sums);
        Ok(())
    }
}

impl Joint {
    fn pile_up(&mut self, gradients: Vec<Tensor>) -> Vec<Tensor> {
        let sums = match self.piled_up.take() {
            Some(sums) => sums.iter().zip(&gradients).map(|(sum, gradient)| sum + gradient).collect(),
            None => gradients,
        };
        self.piled_up = Some(sums.iter().map(Tensor::shallow_clone).collect());
        sums
    }
}

/// Rows of the batch's data as the classifier sees them, augmented.
fn prepared(batch: &mut Batch, rows: &[i64]) -> Result<Tensor> {
    let pixels = batch.augment.apply(&batch.data.pixels(rows)?, batch.rng);
    batch.input.prepare(&pixels, batch.device)
}

#[cfg(test)]
mod tests;
