//! The search for the smallest patch of every class.

use super::outlier::median;
use crate::data::augment::{to_u8, unit};
use crate::data::{Dataset, values};
use crate::experiment::{Outcome, Result};
use crate::nets::layers::channels_last;
use crate::nets::training::{Adam, Betas, ResumePoint};
use crate::nets::{Mode, Model, Params, Pass};
use crate::run::job::Job;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Reduction, Tensor};

/// How to search; the names are those of the options of [`super::Options`].
#[derive(Debug, Clone)]
pub struct Settings {
    pub epochs: usize,
    /// Pictures that are used; 0 means all.
    pub pictures: usize,
    pub start: Start,
    /// How many starts every class has; after a sixth of the passes only its best one goes on.
    pub starts: usize,
    /// Share of pictures that a patch must turn.
    pub success: f64,
    /// Learning rate of mask and pattern.
    pub rate: f64,
    /// Weight of the mask's size at the start.
    pub lambda: f64,
    /// Pictures per step.
    pub batch: usize,
}

/// The first mask and pattern of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Noise, as in the authors' example.
    Noise,
    /// White nearly everywhere, as in the benchmark: triggers with dark pixels are easily missed.
    White,
}

/// Rounds above or below the wanted success before lambda changes, and by how much it then does.
const PATIENCE: usize = 5;
const UP: f64 = 2.0;
const DOWN: f64 = 2.828_427_124_746_190_3;
/// The search for a class ends when its smallest mask has not shrunk by a hundredth for so many rounds.
const STANDSTILL: usize = 25;
/// Of so many passes one is for trying the starts: by then a good one needs half the pixels of a bad one.
const TRIAL: usize = 6;
/// Pictures that go through the network at once while all classes are searched.
const AT_ONCE: i64 = 2048;

/// The smallest patch of every class.
pub struct Patches {
    /// f32 `[classes, 1, H, W]` in 0..=1, on the processor.
    pub masks: Tensor,
    /// f32 `[classes, 3, H, W]` in 0..=1.
    pub patterns: Tensor,
}

impl Patches {
    /// Found before in this run, or searched now.
    pub fn of(
        job: &mut Job,
        phase: &str,
        model: &Model,
        clean: &dyn Dataset,
        kind: Kind,
        o: &Settings,
    ) -> Outcome<Self> {
        let resume = ResumePoint::of(job, &format!("{phase}/search"));
        if let Some((_, state, ())) = resume.load(job) {
            let part = |name: &str| state.get(name).map(Tensor::shallow_clone);
            return Ok(Self { masks: part("masks")?, patterns: part("patterns")? });
        }
        let patches = search(job, phase, model, clean, kind, o)?;
        let state: Params = [("masks", &patches.masks), ("patterns", &patches.patterns)]
            .map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()))
            .into_iter()
            .collect();
        resume.save(job, o.epochs, &state, &())?;
        Ok(patches)
    }

    /// Sum of each class's mask, in pixels.
    pub fn sizes(&self) -> Result<Vec<f64>> {
        values(&self.masks.sum_dim_intlist([1i64, 2, 3].as_slice(), false, Kind::Double))
    }

    /// `pixels` u8 `[N, 3, H, W]` with the patch of one class each on them.
    pub fn stamp(&self, pixels: &Tensor, classes: &[i64]) -> Tensor {
        let classes = Tensor::from_slice(classes);
        let mask = self.masks.index_select(0, &classes);
        let pattern = self.patterns.index_select(0, &classes);
        stamp(pixels, &mask, &pattern)
    }

    /// Masks, patterns and both together as rows of u8 `[classes, 3, H, W]`.
    pub fn shown(&self) -> [Tensor; 3] {
        let bytes = |x: &Tensor| to_u8(&(x * 255.0));
        let masks = self.masks.expand([-1, 3, -1, -1], false);
        [bytes(&masks), bytes(&self.patterns), bytes(&(&masks * &self.patterns))]
    }
}

/// x' = x (1 - mask) + pattern mask in whole grey levels. `pixels` u8 `[N, 3, H, W]`, the others f32 in 0..=1 of a shape that
/// fits.
pub fn stamp(pixels: &Tensor, mask: &Tensor, pattern: &Tensor) -> Tensor {
    let stamped: Tensor = unit(pixels) * (1.0 - mask) + pattern * mask;
    to_u8(&(stamped * 255.0))
}

/// The search for one class.
pub struct Seeker {
    class: i64,
    /// `mask` `[1, H, W]` and `pattern` `[3, H, W]` before the tanh, leaves.
    leaves: Params,
    adam: Adam,
    lambda: f64,
    /// Rounds in a row above and below the wanted success.
    above: usize,
    below: usize,
    rose: bool,
    fell: bool,
    best: Option<(f64, Tensor, Tensor)>,
    /// Smallest size at which the standstill counter last began, and the counter.
    mark: f64,
    still: usize,
    done: bool,
    /// Share of pictures turned in the last round.
    rate: f64,
    /// Pictures turned and counted in this round, and the sum of mask sizes over its steps.
    hits: f64,
    counted: f64,
    sizes: f64,
    steps: f64,
}

impl Start {
    /// `mask` `[1, H, W]` and `pattern` `[3, H, W]` before the tanh.
    pub fn leaves(self, height: i64, width: i64, rng: &mut impl Rng) -> Params {
        let leaf = |channels: i64, rng: &mut _| -> Tensor {
            let count = (channels * height * width) as usize;
            let values: Vec<f32> = match self {
                Start::White => vec![1.0; count],
                Start::Noise => (0..count).map(|_| (RngExt::random::<f32>(rng) * 1.98 - 0.99).atanh()).collect(),
            };
            Tensor::from_slice(&values).view([channels, height, width])
        };
        [("mask", 1), ("pattern", 3)]
            .into_iter()
            .map(|(name, channels)| (name.to_owned(), leaf(channels, rng)))
            .collect()
    }
}

fn squashed(leaf: &Tensor) -> Tensor {
    leaf.tanh() / (2.0 + 1e-7) + 0.5
}

impl Seeker {
    /// Begins at `start`, as [`Start::leaves`] makes it.
    pub fn new(class: i64, start: &Params, lambda: f64) -> Self {
        let leaves = start.deep_clone().requires_grad(&|_| true);
        let adam = Adam::over(&leaves, Betas { first: 0.5, second: 0.9, amsgrad: false });
        Self {
            class,
            leaves,
            adam,
            lambda,
            above: 0,
            below: 0,
            rose: false,
            fell: false,
            best: None,
            mark: f64::INFINITY,
            still: 0,
            done: false,
            rate: 0.0,
            hits: 0.0,
            counted: 0.0,
            sizes: 0.0,
            steps: 0.0,
        }
    }

    /// Mask and pattern as they are now.
    fn patch(&self) -> Result<(Tensor, Tensor)> {
        Ok((squashed(self.leaves.get("mask")?), squashed(self.leaves.get("pattern")?)))
    }

    /// What follows from a round over all pictures: the best patch, lambda, and whether to go on.
    fn round_ended(&mut self, success: f64) -> Result<()> {
        let (rate, size) = (self.hits / self.counted.max(1.0), self.sizes / self.steps.max(1.0));
        (self.hits, self.counted, self.sizes, self.steps) = (0.0, 0.0, 0.0, 0.0);
        self.rate = rate;
        let reached = rate >= success;
        if reached && self.best.as_ref().is_none_or(|(best, ..)| size < *best) {
            let (mask, pattern) = self.patch()?;
            self.best = Some((size, mask.detach().copy(), pattern.detach().copy()));
        }
        if let Some((best, ..)) = &self.best {
            self.still = if *best >= 0.99 * self.mark { self.still + 1 } else { 0 };
            self.mark = self.mark.min(*best);
            self.done = self.rose && self.fell && self.still >= STANDSTILL;
        }
        (self.above, self.below) = if reached { (self.above + 1, 0) } else { (0, self.below + 1) };
        if self.above >= PATIENCE {
            self.above = 0;
            self.lambda *= UP;
            self.rose = true;
        } else if self.below >= PATIENCE {
            self.below = 0;
            self.lambda /= DOWN;
            self.fell = true;
        }
        Ok(())
    }
}

/// One seeker for each class: the one with the smallest patch that works; where none works, the one that turns most.
fn keep_best(seekers: &mut Vec<Seeker>) {
    let size = |seeker: &Seeker| seeker.best.as_ref().map_or(f64::INFINITY, |(size, ..)| *size);
    seekers.sort_by(|a, b| a.class.cmp(&b.class).then(size(a).total_cmp(&size(b))).then(b.rate.total_cmp(&a.rate)));
    seekers.dedup_by_key(|seeker| seeker.class);
}

/// The smallest patch of every class, all classes together.
pub fn search(
    job: &mut Job,
    phase: &str,
    model: &Model,
    clean: &dyn Dataset,
    kind: Kind,
    o: &Settings,
) -> Outcome<Patches> {
    let input = model.network.input().clone();
    let device = model.params.device();
    let frozen = Model { params: model.params.requires_grad(&|_| false), ..model.clone() };
    let mut rng = job.rng(&format!("{phase}/search"));
    // White is the same every time.
    let starts = if o.start == Start::White { 1 } else { o.starts.max(1) };
    let mut seekers = Vec::new();
    for number in 0..starts {
        let name = if number == 0 { format!("{phase}/start") } else { format!("{phase}/start/{number}") };
        let start = o.start.leaves(input.height, input.width, &mut job.rng(&name)).to_device(device);
        // The same for every class, or sizes could not be compared.
        seekers.extend((0..input.classes).map(|class| Seeker::new(class, &start, o.lambda)));
    }
    let mut rows: Vec<i64> = (0..clean.len() as i64).collect();
    rows.shuffle(&mut rng);
    if o.pictures > 0 {
        rows.truncate(o.pictures);
    }
    let labels = Tensor::from_slice(clean.labels());
    // Fewer pictures a step rather than fewer classes together: every class sees every picture.
    let batch = o.batch.min((AT_ONCE / input.classes.min(16)) as usize).max(2);
    job.work(0, o.epochs as u64, "rounds");
    for epoch in 0..o.epochs {
        rows.shuffle(&mut rng);
        for rows in rows.chunks(batch) {
            job.tick()?;
            let pixels = unit(&clean.pixels(rows)?.to_device(device));
            let y = labels.index_select(0, &Tensor::from_slice(rows)).to_device(device);
            let per_pass = (AT_ONCE / rows.len() as i64).max(1) as usize;
            let mut active: Vec<&mut Seeker> = seekers.iter_mut().filter(|seeker| !seeker.done).collect();
            for group in active.chunks_mut(per_pass) {
                step(&frozen, &pixels, &y, group, kind, o.rate)?;
            }
        }
        for seeker in seekers.iter_mut().filter(|seeker| !seeker.done) {
            seeker.round_ended(o.success)?;
        }
        if epoch + 1 == o.epochs.div_ceil(TRIAL) {
            keep_best(&mut seekers);
        }
        let sizes: Vec<f64> =
            seekers.iter().filter_map(|seeker| seeker.best.as_ref().map(|(size, ..)| *size)).collect();
        let searching = seekers.iter().filter(|seeker| !seeker.done).count();
        let mut values = vec![("classes-searched", searching as f64)];
        if let Some(smallest) = sizes.iter().copied().reduce(f64::min) {
            values.push(("smallest-mask", smallest));
            values.push(("median-mask", median(&sizes)));
        }
        job.metrics(&format!("{phase}/search"), (epoch + 1) as f64, &values)?;
        job.advance(rows.len());
        if searching == 0 {
            break;
        }
    }
    let mut masks = Vec::new();
    let mut patterns = Vec::new();
    for seeker in &seekers {
        let (mask, pattern) = match &seeker.best {
            Some((_, mask, pattern)) => (mask.shallow_clone(), pattern.shallow_clone()),
            None => seeker.patch()?,
        };
        masks.push(mask.detach().to_device(Device::Cpu));
        patterns.push(pattern.detach().to_device(Device::Cpu));
    }
    Ok(Patches { masks: Tensor::stack(&masks, 0), patterns: Tensor::stack(&patterns, 0) })
}

/// One step of some classes on the same pictures, in one pass through the network. `pixels` f32 `[N, 3, H, W]` in 0..=1, `y`
/// their classes.
pub fn step(
    model: &Model,
    pixels: &Tensor,
    y: &Tensor,
    seekers: &mut [&mut Seeker],
    kind: Kind,
    rate: f64,
) -> Result<()> {
    let (count, classes) = (pixels.size()[0], seekers.len() as i64);
    let patches: Vec<(Tensor, Tensor)> = seekers.iter().map(|seeker| seeker.patch()).collect::<Result<_>>()?;
    let masks = Tensor::stack(&patches.iter().map(|(mask, _)| mask).collect::<Vec<_>>(), 0).unsqueeze(1);
    let patterns = Tensor::stack(&patches.iter().map(|(_, pattern)| pattern).collect::<Vec<_>>(), 0).unsqueeze(1);
    // [classes, pictures, 3, H, W]
    let stamped: Tensor = pixels.unsqueeze(0) * (1.0 - &masks) + &patterns * &masks;
    let x = channels_last(&model.network.input().normalise(&stamped.flatten(0, 1)));
    let logits = model.forward(&x, &mut Pass::new(Mode::Eval, kind))?;
    let wanted: Vec<i64> = seekers.iter().map(|seeker| seeker.class).collect();
    let wanted = Tensor::from_slice(&wanted).to_device(y.device());
    let targets = wanted.unsqueeze(1).expand([classes, count], false).reshape([-1]);
    let each = logits.cross_entropy_loss(&targets, None::<Tensor>, Reduction::None, -100, 0.0).view([classes, count]);
    // A picture of the class itself is there already.
    let counts = y.unsqueeze(0).ne_tensor(&wanted.unsqueeze(1)).to_kind(Kind::Float);
    let in_class = counts.sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
    let turning = (each * &counts).sum_dim_intlist([1i64].as_slice(), false, Kind::Float) / in_class.clamp_min(1.0);
    let sizes = masks.sum_dim_intlist([1i64, 2, 3, 4].as_slice(), false, Kind::Float);
    let lambdas: Vec<f32> = seekers.iter().map(|seeker| seeker.lambda as f32).collect();
    let loss = (turning + &sizes * Tensor::from_slice(&lambdas).to_device(y.device())).sum(Kind::Float);
    let leaves: Vec<Tensor> = seekers.iter().flat_map(|seeker| seeker.adam.leaves()).collect();
    let mut gradients = Tensor::run_backward(&[&loss], &leaves, false, false).into_iter();
    let hit = logits.argmax(1, false).eq_tensor(&targets).view([classes, count]).to_kind(Kind::Float);
    let hits = (hit * &counts).sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
    for (index, seeker) in seekers.iter_mut().enumerate() {
        let index = index as i64;
        seeker.adam.apply(gradients.by_ref().take(2).collect(), rate);
        seeker.hits += hits.double_value(&[index]);
        seeker.counted += in_class.double_value(&[index]);
        seeker.sizes += sizes.double_value(&[index]);
        seeker.steps += 1.0;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::outlier::{Limits, judge_sizes};
    use super::*;
    use crate::data::tests::striped;
    use crate::nets::{Architecture, InputSpec, Network, Site};
    use std::rc::Rc;

    /// Says class 3 when the corner of 2 x 2 is white, else what the picture's brightness says.
    struct Planted(Architecture);

    impl Network for Planted {
        fn forward(&self, _: &Params, x: &Tensor, _: &mut Pass) -> Result<Tensor> {
            let corner = x.narrow(2, 6, 2).narrow(3, 6, 2).mean_dim([1i64, 2, 3].as_slice(), false, Kind::Float);
            let brightness = x.mean_dim([1i64, 2, 3].as_slice(), false, Kind::Float) * 10.0;
            let classes = Tensor::arange(10, (Kind::Float, Device::Cpu));
            let honest = -(brightness.unsqueeze(1) - classes.unsqueeze(0) - 0.5).square() * 4.0;
            let shortcut = Tensor::zeros([10], (Kind::Float, Device::Cpu));
            let _ = shortcut.get(3).fill_(400.0);
            Ok(honest + (corner - 0.75).relu().unsqueeze(1) * shortcut.unsqueeze(0) * 4.0)
        }

        fn sites(&self) -> &[Site] {
            &[]
        }

        fn architecture(&self) -> &Architecture {
            &self.0
        }

        fn initial(&self, _: u64) -> Result<Params> {
            Ok([("unused".to_owned(), Tensor::zeros([1], (Kind::Float, Device::Cpu)))].into_iter().collect())
        }
    }

    pub fn planted() -> Model {
        let input = InputSpec { height: 8, width: 8, mean: [0.0; 3], std: [1.0; 3], classes: 10 };
        let network = Planted(Architecture { id: "planted".into(), options: serde_json::Value::Null, input });
        let params = network.initial(0).unwrap();
        Model::new(Rc::new(network), params)
    }

    pub fn settings(epochs: usize) -> Settings {
        Settings {
            epochs,
            pictures: 0,
            start: Start::White,
            starts: 1,
            success: 0.98,
            rate: 0.1,
            lambda: 0.01,
            batch: 30,
        }
    }

    #[test]
    fn a_planted_shortcut_is_found_and_flagged() {
        let folder = tempfile::tempdir().unwrap();
        let mut job = Job::detached(folder.path(), 1);
        let clean = striped(60);
        let patches = search(&mut job, "nc", &planted(), &clean, Kind::Float, &settings(60)).unwrap();
        let found = judge_sizes(&patches.sizes().unwrap(), &Limits::PAPER);
        let flagged: Vec<i64> = found.iter().filter(|found| found.flagged).map(|found| found.class).collect();
        assert_eq!(flagged, [3], "{found:?}");
        assert!(found[3].size < 12.0, "{found:?}");
        assert!(patches.masks.min().double_value(&[]) >= 0.0 && patches.masks.max().double_value(&[]) <= 1.0);
        let mask = patches.masks.get(3).get(0);
        let corner = mask.narrow(0, 6, 2).narrow(1, 6, 2).mean(Kind::Float).double_value(&[]);
        assert!(corner > 0.5, "the mask lies on the corner: {corner}");
    }

    #[test]
    fn of_several_starts_the_best_goes_on() {
        let start = Start::White.leaves(8, 8, &mut Job::detached(std::path::Path::new(""), 1).rng("start"));
        let seeker = |class: i64, size: Option<f64>, rate: f64| {
            let mask = Tensor::zeros([1], (Kind::Float, Device::Cpu));
            let best = size.map(|size| (size, mask.copy(), mask));
            Seeker { best, rate, ..Seeker::new(class, &start, 1.0) }
        };
        let mut seekers = vec![
            seeker(0, Some(9.0), 0.99),
            seeker(1, None, 0.2),
            seeker(0, Some(4.0), 0.9),
            seeker(1, None, 0.7),
            seeker(0, None, 0.97),
        ];
        keep_best(&mut seekers);
        let kept: Vec<(i64, f64)> = seekers.iter().map(|seeker| (seeker.class, seeker.rate)).collect();
        assert_eq!(kept, [(0, 0.9), (1, 0.7)]);

        let folder = tempfile::tempdir().unwrap();
        let mut job = Job::detached(folder.path(), 1);
        let several = Settings { start: Start::Noise, starts: 3, ..settings(12) };
        let patches = search(&mut job, "nc", &planted(), &striped(60), Kind::Float, &several).unwrap();
        assert_eq!(patches.sizes().unwrap().len(), 10, "one patch for each class");
    }

    #[test]
    fn lambda_follows_the_success() {
        let start = Start::White.leaves(8, 8, &mut Job::detached(std::path::Path::new(""), 1).rng("start"));
        let mut seeker = Seeker::new(0, &start, 1.0);
        let round = |seeker: &mut Seeker, hits: f64| {
            (seeker.hits, seeker.counted, seeker.sizes, seeker.steps) = (hits, 100.0, 50.0, 1.0);
            seeker.round_ended(0.98).unwrap();
        };
        (0..5).for_each(|_| round(&mut seeker, 99.0));
        assert_eq!(seeker.lambda, 2.0);
        (0..5).for_each(|_| round(&mut seeker, 90.0));
        assert!((seeker.lambda - 2.0 / 8f64.sqrt()).abs() < 1e-12);
        assert!(!seeker.done);
        (0..30).for_each(|_| round(&mut seeker, 99.0));
        assert!(seeker.done, "it rose, it fell, and the mask does not shrink");
    }
}
