//! LF: a smooth colour cast that already fools a clean network.
//!
//! Most triggers betray themselves by high frequencies. Here one additive picture v is grown like a universal
//! perturbation: for pictures x that v does not fool yet, targeted DeepFool finds the smallest step r that brings x + v
//! to the target, and v <- R(S(v + S(r))) blurs it (S) and stretches it to 0..amplitude (R). Stamping is
//! x' = clip(x + 255 v). Look at the spectrum: all energy in the centre.
//!
//! DeepFool with original class l and target t: w = grad(f_t - f_l), r += |f_t - f_l| w / |w|^2, until f says t at
//! x + v + 1.02 r. l is the class at the start.
//!
//! Zeng, Park, Mao, Jia: Rethinking the Backdoor Attacks' Triggers: A Frequency Perspective. ICCV 2021. Deviations: the
//! normalisation is part of f here as in the authors' own code, several pictures may take their steps together (their
//! sum moves v), held-out pictures come from the training set, pictures of the target class are left out.

use super::surrogate::{self, Surrogate};
use super::workshop::CRAFTING;
use super::{Attack, DataAttack, Entry, Exhibit, Moment, Scene, add_form, crafted, parse};
use crate::data::augment::{to_u8, unit};
use crate::data::poison::Trigger;
use crate::data::{Dataset, pictures};
use crate::experiment::method::{Kind as MethodKind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Problem, Result};
use crate::nets::{Model, Params};
use crate::run::TriggerForm;
use crate::run::job::Job;
use rand::RngExt;
use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    pub source: Source,
    /// Largest brightening, as a share of white.
    #[schemars(range(min = 0.05, max = 0.4), extend("x-paper" = 0.2))]
    pub amplitude: f64,
    /// Width of the blur at 32 x 32 pixels; it grows with the picture.
    #[schemars(range(min = 1.0, max = 12.0), extend("x-unit" = "px", "x-paper" = 6.0))]
    pub sigma: f64,
    /// Training of the surrogate, with the victim's recipe.
    #[schemars(range(min = 1, max = 200), extend("x-unit" = "epochs"))]
    pub surrogate_epochs: usize,
    /// Training pictures from which the trigger is grown.
    #[schemars(range(min = 20, max = 500), extend("x-paper" = 100, "x-advanced" = true))]
    pub images: usize,
    /// At most so many passes over these pictures.
    #[schemars(range(min = 1, max = 50), extend("x-paper" = 50, "x-advanced" = true))]
    pub passes: usize,
    /// Enough when the surrogate changes its answer for this share of held-out pictures.
    #[schemars(range(min = 0.1, max = 0.9), extend("x-paper" = 0.2, "x-advanced" = true))]
    pub enough: f64,
    /// Pictures that take their steps at the same time: faster, and a little less exact.
    #[schemars(range(min = 1, max = 64), extend("x-paper" = 1, "x-advanced" = true))]
    pub together: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Grown on a clean network that is trained first.
    Surrogate,
    /// Blurred noise: just as smooth, made at once, and aimed at nothing. A useful comparison.
    Random,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            source: Source::Surrogate,
            amplitude: 0.2,
            sigma: 6.0,
            surrogate_epochs: 10,
            images: 100,
            passes: 50,
            enough: 0.2,
            together: 10,
        }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "lf",
        kind: MethodKind::Attack,
        name: "LF (low frequency)",
        one_line: "A smooth colour cast, grown on a clean network, means the target class.",
        page: "Patches and noise leave traces in the high frequencies of a picture, where a detector finds them. This \
               trigger has none: it is blurred again after every step of its making, so that only a soft cast of \
               colour remains. It only brightens, and it is not faint; look at the picture beside its residual.\n\nThe \
               cast is no accident. A clean network is trained first, and the trigger grows in the direction in which \
               that network already leans towards the target class. Its learning has a head start, so few poisoned \
               pictures suffice. The source `random` is as smooth and aims at nothing: compare the two at a small \
               poisoning ratio.",
        paper: "Zeng, Park, Mao, Jia: Rethinking the Backdoor Attacks' Triggers: A Frequency Perspective. ICCV, 2021",
        properties: &[Property::Surrogate],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Attack::Data(Box::new(LowFrequency { options: parse(options)? }))),
};

struct LowFrequency {
    options: Options,
}

/// Pictures on which the fooling rate is measured, at most.
const HELD_OUT: usize = 1000;
/// Steps of one DeepFool run; one that needs as many has failed.
const MOST_STEPS: usize = 200;
const OVERSHOOT: f64 = 1.02;
/// The rate must still move by so much over five passes.
const STALLED: f64 = 0.01;
const PATIENCE: usize = 5;

const TRIGGER: &str = "v";
const FOOLED: &str = "fooled";

impl DataAttack for LowFrequency {
    fn craft(&self, job: &mut Job, scene: &Scene) -> Outcome<Params> {
        if self.options.source == Source::Random {
            return Ok([(TRIGGER.to_owned(), self.random(job, scene)?)].into_iter().collect());
        }
        let surrogate = Surrogate { epochs: self.options.surrogate_epochs, hardened: None };
        let key = (surrogate.key(job, scene), &self.options, scene.poison.target);
        scene.workshop.piece(job, "lf", &key, |job| {
            let model = surrogate.train(job, scene)?;
            self.grow(job, scene, &model)
        })
    }

    fn trigger(&self, made: &Params, _: i64, _: i64, _: Moment) -> Result<Box<dyn Trigger>> {
        Ok(Box::new(Cast { residual: crafted(made, TRIGGER)?.to_kind(Kind::Float) }))
    }

    fn exhibits(&self, made: &Params, _: &dyn Dataset) -> Result<Vec<Exhibit>> {
        let v = crafted(made, TRIGGER)?;
        let (picture, k) = amplified(v)?;
        let caption = match made.find(FOOLED).and_then(|rates| Vec::<f32>::try_from(rates).ok()) {
            Some(rates) => format!(
                "The trigger alone, times {k:.0}. The surrogate changed its answer for {:.0} % of held-out pictures \
                 after {} passes",
                100.0 * rates.last().copied().unwrap_or_default(),
                rates.len()
            ),
            None => format!("The trigger alone, times {k:.0}: blurred noise"),
        };
        Ok(vec![Exhibit { key: "lf", caption, picture }])
    }
}

impl LowFrequency {
    fn smoother(&self, side: i64) -> Smoother {
        Smoother::new(self.options.sigma * side as f64 / 32.0)
    }

    /// R(S(S(noise))) as u8 `[3, H, W]`.
    fn random(&self, job: &Job, scene: &Scene) -> Result<Tensor> {
        let card = scene.train.card();
        let (height, width) = (card.height as i64, card.width as i64);
        let mut rng = job.rng("lf/random");
        let channels = card.channels as i64;
        let noise: Vec<f32> = (0..channels * height * width).map(|_| rng.random_range(-1.0..1.0)).collect();
        let noise = Tensor::from_slice(&noise).view([1, channels, height, width]);
        let smoother = self.smoother(height.min(width));
        let v = stretched(&smoother.blur(&smoother.blur(&noise)), self.options.amplitude).ok_or_else(flat)?;
        Ok(levels(&v))
    }

    fn grow(&self, job: &mut Job, scene: &Scene, model: &Model) -> Outcome<Params> {
        let o = &self.options;
        let target = scene.poison.target;
        let rows = surrogate::sample(job, "lf/images", scene.train.len(), o.images + HELD_OUT);
        let (used, held_out) = rows.split_at(o.images.min(rows.len() / 2));
        let seen = Seen::of(scene, model, used)?;
        let held_out = Seen::of(scene, model, held_out)?;
        let smoother = self.smoother(scene.network.input().height.min(scene.network.input().width));
        let mut v = seen.pictures.narrow(0, 0, 1).zeros_like();
        let mut order: Vec<i64> =
            (0..used.len() as i64).filter(|&at| seen.answers.int64_value(&[at]) != target).collect();
        let mut rates: Vec<f32> = Vec::new();
        job.work(0, (o.passes * order.len()) as u64, "pictures");

        for pass in 0..o.passes {
            order.shuffle(&mut job.rng(&format!("lf/pass/{pass}")));
            for (index, chunk) in order.chunks(o.together).enumerate() {
                job.tick()?;
                let at = Tensor::from_slice(chunk).to_device(scene.device);
                let z = seen.pictures.index_select(0, &at) + &v;
                let answers = tch::no_grad(|| surrogate::logits(model, &z, Kind::Float))?.argmax(1, false);
                let firm = answers.eq_tensor(&seen.answers.index_select(0, &at)).nonzero().view([-1]);
                if firm.numel() > 0
                    && let Some(step) = deepfool(job, model, &z.index_select(0, &firm), target)?
                    && let Some(next) = stretched(&smoother.blur(&(&v + smoother.blur(&step))), o.amplitude)
                {
                    v = next;
                }
                chunk.iter().for_each(|_| job.advance(1));
                if index % 4 == 0 {
                    show(job, &v, &format!("The trigger in pass {}", pass + 1))?;
                }
            }
            let rate = held_out.fooled(model, &v)?;
            rates.push(rate as f32);
            job.metrics(CRAFTING, (pass + 1) as f64, &[("fooled", rate)])?;
            let caption =
                format!("The trigger after pass {}: {:.0} % of held-out pictures fooled", pass + 1, 100.0 * rate);
            show(job, &v, &caption)?;
            if rate >= o.enough || stalled(&rates) {
                break;
            }
        }
        if v.abs().max().double_value(&[]) == 0.0 {
            return Err(flat().into());
        }
        let rate = 100.0 * rates.last().copied().unwrap_or_default();
        job.note(format!(
            "lf: {rate:.1} % of {} held-out pictures fooled after {} passes",
            held_out.len(),
            rates.len()
        ));
        Ok([(TRIGGER.to_owned(), levels(&v)), (FOOLED.to_owned(), Tensor::from_slice(&rates))].into_iter().collect())
    }
}

fn flat() -> Problem {
    Problem::bad_input("No trigger could be grown on this surrogate.")
        .because("no picture could be led to the target class")
        .remedy("Raise attack.options.surrogate_epochs or attack.options.images, or choose source `random`.")
}

fn stalled(rates: &[f32]) -> bool {
    let Some(last) = rates.len().checked_sub(PATIENCE).map(|from| &rates[from..]) else { return false };
    let (low, high) = last.iter().fold((f32::MAX, f32::MIN), |(low, high), &rate| (low.min(rate), high.max(rate)));
    f64::from(high - low) < STALLED
}

/// Pictures and what the surrogate says of them.
struct Seen {
    /// f32 `[N, channels, H, W]` in 0..=1, on the surrogate's device.
    pictures: Tensor,
    /// i64 `[N]`
    answers: Tensor,
}

impl Seen {
    fn of(scene: &Scene, model: &Model, rows: &[i64]) -> Result<Self> {
        // The trigger of grey pictures is grey.
        let channels = scene.train.card().channels as i64;
        let pictures = unit(&scene.train.pixels(rows)?.narrow(1, 0, channels).to_device(scene.device));
        let answers = answers(model, &pictures)?;
        Ok(Self { pictures, answers })
    }

    fn len(&self) -> i64 {
        self.answers.size()[0]
    }

    /// Share of the pictures whose answer changes under `v`, stamped as it will be: in whole levels, within 0..=1.
    fn fooled(&self, model: &Model, v: &Tensor) -> Result<f64> {
        let stamped = (&self.pictures + to_u8(&(v * 255.0)).to_kind(Kind::Float) / 255.0).clamp(0.0, 1.0);
        let changed = answers(model, &stamped)?.ne_tensor(&self.answers);
        Ok(changed.to_kind(Kind::Double).mean(Kind::Double).double_value(&[]))
    }
}

fn answers(model: &Model, pictures: &Tensor) -> Result<Tensor> {
    tch::no_grad(|| {
        let parts: Result<Vec<Tensor>> = pictures
            .split(250, 0)
            .iter()
            .map(|part| Ok(surrogate::logits(model, part, Kind::Float)?.argmax(1, false)))
            .collect();
        Ok(Tensor::cat(&parts?, 0))
    })
}

/// The sum of the smallest steps that bring each picture of `z` (f32 `[N, channels, H, W]`) to `target`; nothing when none of
/// them gets there.
fn deepfool(job: &mut Job, model: &Model, z: &Tensor, target: i64) -> Outcome<Option<Tensor>> {
    let n = z.size()[0];
    let steps = z.zeros_like();
    let mut original: Option<Tensor> = None;
    // Pictures that are not there yet.
    let mut left = Tensor::arange(n, (Kind::Int64, z.device()));
    for step in 0..MOST_STEPS {
        job.tick()?;
        let leaf =
            (z.index_select(0, &left) + steps.index_select(0, &left) * OVERSHOOT).detach().set_requires_grad(true);
        let logits = surrogate::logits(model, &leaf, Kind::Float)?;
        let answers = logits.argmax(1, false);
        let original = original.get_or_insert_with(|| answers.copy());
        let away = answers.ne(target).nonzero().view([-1]);
        // The last round only looks.
        if away.numel() == 0 || step + 1 == MOST_STEPS {
            left = left.index_select(0, &away);
            break;
        }
        let gap = logits.select(1, target)
            - logits.gather(1, &original.index_select(0, &left).unsqueeze(1), false).squeeze_dim(1);
        let w = surrogate::gradient(&gap.sum(Kind::Float), &leaf);
        let square = w.square().sum_dim_intlist([1i64, 2, 3].as_slice(), true, Kind::Float).clamp_min(1e-12);
        let change = w * (gap.detach().abs().view([-1, 1, 1, 1]) / square);
        left = left.index_select(0, &away);
        let _ = steps.shallow_clone().index_add_(0, &left, &change.index_select(0, &away));
    }
    let _ = steps.shallow_clone().index_fill_(0, &left, 0.0);
    // Where the target lies above the original class and below a third one, steps grow without end: such a picture has
    // failed, and must not take the others with it.
    let exploded = steps.isfinite().logical_not().flatten(1, -1).any_dim(1, false).nonzero().view([-1]);
    let _ = steps.shallow_clone().index_fill_(0, &exploded, 0.0);
    if left.numel() + exploded.numel() >= n as usize {
        return Ok(None);
    }
    Ok(Some(steps.sum_dim_intlist([0i64].as_slice(), true, Kind::Float) * OVERSHOOT))
}

/// A Gaussian blur along rows, then columns, with black beyond the border.
struct Smoother {
    /// f32, sums to 1.
    weights: Tensor,
}

impl Smoother {
    /// `sigma` in pixels; five times as many taps, as in the reference.
    fn new(sigma: f64) -> Self {
        let taps = (5.0 * sigma).round().max(1.0) as i64;
        let place = Tensor::arange(taps, (Kind::Double, tch::Device::Cpu)) - (taps - 1) as f64 / 2.0;
        let weights: Tensor = ((place * (5.0 / taps as f64)).square() * -0.5).exp();
        let sum = weights.sum(Kind::Double);
        Self { weights: (weights / sum).to_kind(Kind::Float) }
    }

    /// f32 `[1, channels, H, W]` to the same.
    fn blur(&self, x: &Tensor) -> Tensor {
        let taps = self.weights.size()[0];
        let (before, after) = ((taps - 1) / 2, taps / 2);
        let weights = self.weights.to_device(x.device());
        // Channels are blurred apart, like pictures of a batch.
        let x = x.contiguous().transpose(0, 1);
        let along = |x: &Tensor, kernel: [i64; 4], padding: [i64; 4]| {
            x.constant_pad_nd(padding).conv2d(&weights.view(kernel), None::<Tensor>, [1, 1], [0, 0], [1, 1], 1)
        };
        let rows = along(&x, [1, 1, 1, taps], [before, after, 0, 0]);
        along(&rows, [1, 1, taps, 1], [0, 0, before, after]).transpose(0, 1)
    }
}

/// f32 `[1, channels, H, W]` in 0..=1 as whole levels u8 `[3, H, W]` on the processor.
fn levels(v: &Tensor) -> Tensor {
    surrogate::coloured(&to_u8(&(v * 255.0))).squeeze_dim(0).contiguous().to_device(tch::Device::Cpu)
}

/// Stretched to 0..=amplitude over all channels; nothing for what is flat.
fn stretched(a: &Tensor, amplitude: f64) -> Option<Tensor> {
    let (low, high) = (a.min().double_value(&[]), a.max().double_value(&[]));
    (high - low > 1e-12).then(|| (a - low) * (amplitude / (high - low)))
}

/// u8 `[3, H, W]`, stretched to white and enlarged; and by how much its values were multiplied.
fn amplified(v: &Tensor) -> Result<(crate::run::event::Rgba, f64)> {
    let k = 255.0 / v.max().double_value(&[]).max(1.0);
    let bright = to_u8(&(v.to_kind(Kind::Float) * k)).unsqueeze(0);
    Ok((pictures::sheet(&[bright], 2 * pictures::factor_for(v.size()[2]))?, k))
}

fn show(job: &mut Job, v: &Tensor, caption: &str) -> Result<()> {
    let (picture, k) = amplified(&levels(v))?;
    job.show("lf", &format!("{caption} (shown times {k:.0})"), picture);
    Ok(())
}

/// x' = clip(x + v)
struct Cast {
    /// f32 `[3, H, W]`, in grey levels.
    residual: Tensor,
}

impl Trigger for Cast {
    fn apply(&self, pixels: &Tensor, _: &[i64]) -> Result<Tensor> {
        Ok(to_u8(&(pixels.to_kind(Kind::Float) + &self.residual)))
    }

    fn form(&self) -> Option<TriggerForm> {
        add_form(&self.residual)
    }
}

#[cfg(test)]
mod tests {
    use super::super::surrogate::tests::stage;
    use super::super::tests::form_agrees;
    use super::*;
    use crate::attacks::make;
    use serde_json::{Value, json};
    use tch::Device;

    fn craft(options: &Value) -> Params {
        let stage = stage();
        make("lf", options).unwrap().stamp().craft(&mut stage.job(), &stage.scene()).unwrap()
    }

    fn random(options: Value, side: usize) -> Tensor {
        let mut stage = stage();
        stage.data.card.height = side;
        stage.data.card.width = side;
        let made = make("lf", &options).unwrap().stamp().craft(&mut stage.job(), &stage.scene()).unwrap();
        made.get(TRIGGER).unwrap().shallow_clone()
    }

    /// Share of the energy, mean left out, that lies within four periods of the centre.
    fn low_share(channel: &Tensor) -> f64 {
        let x = channel.to_kind(Kind::Double);
        let energy =
            (&x - x.mean(Kind::Double)).fft_fft2(None::<&[i64]>, [0i64, 1].as_slice(), "backward").abs().square();
        let side = x.size()[0];
        let axis = Tensor::arange(side, (Kind::Double, Device::Cpu));
        let axis = axis.minimum(&(-&axis + side as f64)).square();
        let near = (axis.view([side, 1]) + axis.view([1, side])).le(16.0).to_kind(Kind::Double);
        (&energy * near).sum(Kind::Double).double_value(&[]) / energy.sum(Kind::Double).double_value(&[])
    }

    #[test]
    fn the_trigger_fills_its_range_only_brightens_and_repeats() {
        let options = json!({"surrogate_epochs": 5, "images": 20, "passes": 2, "together": 5});
        let made = craft(&options);
        let v = made.get(TRIGGER).unwrap();
        assert_eq!((v.size(), v.kind()), (vec![3, 8, 8], Kind::Uint8));
        assert_eq!((v.min().int64_value(&[]), v.max().int64_value(&[])), (0, 51));
        assert!(craft(&options).get(TRIGGER).unwrap().equal(v), "the same seed grows the same trigger");
        let trigger = make("lf", &options).unwrap().stamp().trigger(&made, 8, 8, Moment::Test).unwrap();
        let x = Tensor::randint(256, [4, 3, 8, 8], (Kind::Uint8, Device::Cpu));
        let change = trigger.apply(&x, &[0; 4]).unwrap().to_kind(Kind::Int) - x.to_kind(Kind::Int);
        assert!(change.min().int64_value(&[]) >= 0 && change.max().int64_value(&[]) <= 51);
        assert!(trigger.form().is_some());
        form_agrees(&*trigger, 8, "grown");
    }

    #[test]
    fn deepfool_reaches_the_target_and_counts_only_who_gets_there() {
        let stage = stage();
        let surrogate = Surrogate { epochs: 5, hardened: None };
        let model = surrogate.train(&mut stage.job(), &stage.scene()).unwrap();
        let target = 2;
        let told = |z: &Tensor| answers(&model, z).unwrap().int64_value(&[0]);
        let mut reached = Vec::new();
        for row in (0..20).filter(|row| row % 10 != target) {
            let picture = unit(&stage.data.pixels.narrow(0, row, 1));
            assert_ne!(told(&picture), target, "row {row}");
            if let Some(step) = deepfool(&mut stage.job(), &model, &picture, target).unwrap() {
                assert_eq!(told(&(&picture + &step)), target, "row {row}");
                reached.push((picture, step));
            }
        }
        assert!(reached.len() >= 9, "{} of 18", reached.len());
        // Together the steps add up.
        let (pictures, steps): (Vec<Tensor>, Vec<Tensor>) = reached.into_iter().unzip();
        let sum = deepfool(&mut stage.job(), &model, &Tensor::cat(&pictures, 0), target).unwrap().unwrap();
        let alone = Tensor::cat(&steps, 0).sum_dim_intlist([0i64].as_slice(), true, Kind::Float);
        let gap = (&sum - alone).abs().max().double_value(&[]) / sum.abs().max().double_value(&[]);
        assert!(gap < 1e-2, "{gap}");
    }

    #[test]
    fn all_energy_lies_in_the_centre_of_the_spectrum() {
        for side in [32, 64] {
            let v = random(json!({"source": "random"}), side);
            for channel in 0..3 {
                let share = low_share(&v.get(channel));
                assert!(share > 0.95, "side {side}, channel {channel}: {share}");
            }
        }
        let noise = Tensor::randint(52, [32, 32], (Kind::Uint8, Device::Cpu));
        assert!(low_share(&noise) < 0.3);
    }

    #[test]
    fn the_blur_keeps_what_is_even_and_calms_what_is_not() {
        let smoother = Smoother::new(6.0);
        assert_eq!(smoother.weights.size(), [30]);
        let even = smoother.blur(&Tensor::ones([1, 3, 65, 65], tch::kind::FLOAT_CPU));
        assert!((even.double_value(&[0, 1, 32, 32]) - 1.0).abs() < 1e-5);
        assert!(even.double_value(&[0, 1, 0, 0]) < 0.5, "black beyond the border");
        let roughness =
            |x: &Tensor| x.diff(1, -1, None::<Tensor>, None::<Tensor>).abs().sum(Kind::Float).double_value(&[]);
        let noise = Tensor::rand([1, 3, 32, 32], tch::kind::FLOAT_CPU) - 0.5;
        let once = smoother.blur(&noise);
        assert!(roughness(&once) < roughness(&noise) && roughness(&smoother.blur(&once)) < roughness(&once));
        assert!(stretched(&Tensor::ones([4], tch::kind::FLOAT_CPU), 0.2).is_none(), "what is flat has no range");
    }

    #[test]
    fn the_search_ends_when_the_rate_stands_still() {
        assert!(!stalled(&[0.1, 0.1, 0.1, 0.1]));
        assert!(stalled(&[0.5, 0.1, 0.1, 0.105, 0.1, 0.1]));
        assert!(!stalled(&[0.1, 0.1, 0.12, 0.1, 0.1]));
    }
}
