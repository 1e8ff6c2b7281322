//! PDB, the proactive defensive backdoor: the defender, who trains, plants a stronger backdoor of his own, whose trigger
//! nobody else can make and whose change of labels he can undo.
//!
//! The training set D is taken as it is, poison and all. Pictures of the small clean set get the defensive stamp
//! T(x) = x (1 - m) + v m and the labels h(y) = (y + s) mod K; several copies of them are shuffled among D:
//!
//! ```text
//! min over f of   sum over D of CE(f(A(x)), y)   +   copies * sum over the clean set of CE(f(A'(T(x))), h(y))
//! ```
//!
//! In use every picture is stamped and the answer mapped back by the inverse of h: both are plugs of the saved model (see
//! [`crate::nets::door`]). With v = 2 the stamp is brighter than any picture file can be. What to look at: RA and the
//! residual attack rate, never ASR alone. An attack that still wins makes the network say its target, which comes out as the
//! inverse of h of the target, and so ASR is low whatever happens.
//!
//! Wei, Zha, Wu: Mitigating Backdoor Attack by Injecting Proactive Defensive Backdoor. NeurIPS 2024. Where paper and
//! reference code differ this follows the code: weights of the losses are numbers of copies, and noise is off. Deviations: the
//! clean set is balanced over true classes; mirroring and cropping are those of the recipe; and epochs, batch and learning
//! rate too unless they are set, so that the training can be compared with the one that has no defense.

use crate::data::augment::{turn, unit};
use crate::data::{Augment, Card, Dataset};
use crate::defenses::{Defense, Entry, TrainingData, TrainingDefense, parse};
use crate::experiment::method::{Kind as MethodKind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Result, Train};
use crate::nets::door::stamped;
use crate::nets::layers::channels_last;
use crate::nets::plug::Plug;
use crate::nets::training::fit::{AfterEpoch, Batch, Fit, Forward, Round, Step, fit_with};
use crate::nets::{Mode, Model};
use crate::run::job::Job;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    pub trigger: Mask,
    /// Side of the square in the top left corner.
    #[schemars(range(min = 1, max = 64), extend("x-unit" = "px", "x-paper" = 7))]
    pub side: i64,
    /// Width of the frame and of the dashes; the paper has 5 at 64 x 64 pixels.
    #[schemars(range(min = 1, max = 32), extend("x-unit" = "px", "x-paper" = 1))]
    pub width: i64,
    /// Brightness of the stamp. Pictures reach from 0 to 1: whatever lies above, no attacker can send.
    #[schemars(range(min = 0.0, max = 3.0), extend("x-paper" = 2.0))]
    pub value: f64,
    /// How far labels move on under the stamp: class c becomes c + shift. 0 leaves them alone.
    #[schemars(range(min = 0, max = 999), extend("x-unit" = "classes", "x-paper" = 1))]
    pub shift: i64,
    /// How often each stamped picture is put among the training pictures; 0 trains plainly.
    #[schemars(range(min = 0, max = 20), extend("x-paper" = 5))]
    pub copies: usize,
    /// Strength of the noise on every second stamped picture. More of it presses the attack down, then costs accuracy.
    #[schemars(range(min = 0.0, max = 0.2), extend("x-paper" = 0.0))]
    pub noise: f64,
    /// Passes over the training set; 0 means as many as the training without a defense has.
    #[schemars(range(min = 0, max = 1000), extend("x-unit" = "epochs", "x-paper" = 100, "x-advanced" = true))]
    pub epochs: usize,
    /// Pictures per step; 0 means as many as the training without a defense has.
    #[schemars(range(min = 0, max = 4096), extend("x-paper" = 256, "x-advanced" = true))]
    pub batch: usize,
}

/// Which pixels the defensive stamp covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mask {
    /// In the top left corner.
    Square,
    /// Around the whole picture.
    Frame,
    /// Every second pixel of the frame.
    Dashes,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            trigger: Mask::Square,
            side: 7,
            width: 1,
            value: 2.0,
            shift: 1,
            copies: 5,
            noise: 0.0,
            epochs: 0,
            batch: 0,
        }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "pdb",
        kind: MethodKind::Training,
        name: "PDB",
        one_line: "Proactive defensive backdoor: the defender plants a trigger of his own and undoes what it does to labels.",
        page: "Nobody looks for the poison. Whoever trains the network stamps the pictures of a small clean set with a \
               secret trigger, moves their labels on by one class, and mixes five copies of them into the training set. In \
               use every picture gets this stamp and the answer is moved back by one class. The stamp is twice as bright \
               as white, which no picture file can be, and it rules over the attacker's trigger.\n\nThe model is the \
               network together with its stamp and its label map; the bare network is as backdoored as without a defense. \
               The published clean set is 10 % of the training set (defender.clean_ratio = 0.1).\n\nDo not believe a low \
               ASR here. If the attacker's trigger still wins, the network says the target class, the map moves that \
               answer on, and the attack counts as failed. Robust accuracy (RA) and the residual attack rate (RAR) tell \
               whether pictures are recognised again; after a short training of a small network they often are not. An attack \
               that lies under the stamp is simply painted over.",
        paper: "Wei, Zha, Wu: Mitigating Backdoor Attack by Injecting Proactive Defensive Backdoor. NeurIPS 2024 (arXiv \
                2405.16112)",
        properties: &[Property::NeedsTrainingSet, Property::NeedsClean, Property::NeedsGradients],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Defense::Training(Box::new(DefensiveBackdoor { options: parse(options)? }))),
};

/// Share of the stamped pictures that are darkened, by a factor of 0.5 to 1.
const DIMMED: f64 = 0.2;
/// Share that gets noise, and share that is turned.
const DISTURBED: f64 = 0.5;
/// Largest turn to either side, in degrees.
const TURN: f64 = 10.0;

struct DefensiveBackdoor {
    options: Options,
}

impl TrainingDefense for DefensiveBackdoor {
    fn train(
        &self,
        job: &mut Job,
        phase: &str,
        mut model: Model,
        data: &TrainingData,
        after_epoch: &mut AfterEpoch,
    ) -> Outcome<Model> {
        let o = &self.options;
        let input = model.network.input().clone();
        let mask = o.mask(input.height, input.width);
        let order = o.label_map(input.classes);
        let mixture = Mixture::new(data.received, data.clean, o.copies, &order);
        job.note(format!(
            "{phase}: {} stamped pictures among {}; the stamp covers {} of {} pixels",
            mixture.len() - data.received.len(),
            mixture.len(),
            mask.sum(Kind::Int64).int64_value(&[]),
            mask.numel()
        ));
        let device = model.params.device();
        let door = [Plug::stamp(&mask, o.value, &input), Plug::permute(&order)]
            .map(|plug| Plug { params: plug.params.to_device(device), ..plug });
        let or_recipe = |own: usize, recipe: usize| if own == 0 { recipe } else { own };
        let train = Train {
            epochs: or_recipe(o.epochs, data.recipe.epochs),
            batch: or_recipe(o.batch, data.recipe.batch),
            ..data.recipe.clone()
        };
        let fit = Fit {
            phase,
            train: &train,
            kind: data.kind,
            mode: Mode::Train,
            trains: &|_| true,
            drop_last: true,
            round: Round::ONLY,
        };
        let mut step = Stamping { options: o, mask, received: data.received.len() as i64 };
        // The network learns without its door; whoever judges it sees both.
        let wrapped = |model: &Model| Model { plugs: door.to_vec(), ..model.clone() };
        fit_with(job, &mut model, &mixture, &fit, &mut step, &mut |job, epoch, model| {
            after_epoch(job, epoch, &wrapped(model))
        })?;
        Ok(wrapped(&model))
    }
}

impl Options {
    /// f32 `[H, W]`: 1 where the stamp is.
    fn mask(&self, height: i64, width: i64) -> Tensor {
        let at = |row: i64, column: i64| -> bool {
            let to_edge = |place: i64, side: i64| place.min(side - 1 - place);
            let (level, upright) = (to_edge(row, height) < self.width, to_edge(column, width) < self.width);
            match self.trigger {
                Mask::Square => row < self.side && column < self.side,
                Mask::Frame => level || upright,
                Mask::Dashes => (level && column % 2 == 0) || (upright && row % 2 == 0),
            }
        };
        let values: Vec<f32> = (0..height * width).map(|i| f32::from(at(i / width, i % width))).collect();
        Tensor::from_slice(&values).view([height, width])
    }

    /// h: what becomes of each class under the stamp.
    fn label_map(&self, classes: i64) -> Vec<i64> {
        (0..classes).map(|class| (class + self.shift).rem_euclid(classes)).collect()
    }

    /// Darkens, disturbs and turns some of the stamped pictures, then crops and mirrors all of them; f32, not clamped.
    fn vary(&self, x: &Tensor, augment: Augment, rng: &mut impl Rng) -> Tensor {
        let shape = x.size();
        let n = shape[0] as usize;
        let draw = |share: f64, rng: &mut _, value: fn(f64) -> f64, else_: f64| -> Vec<f64> {
            let one = |_| if RngExt::random_bool(rng, share) { value(RngExt::random(rng)) } else { else_ };
            (0..n).map(one).collect()
        };
        let column = |values: &[f64]| Tensor::from_slice(values).to_kind(Kind::Float).view([-1, 1, 1, 1]);
        let mut x = x * column(&draw(DIMMED, rng, |u| 0.5 + 0.5 * u, 1.0));
        if self.noise > 0.0 {
            let strength = column(&draw(DISTURBED, rng, |_| 1.0, 0.0)) * self.noise;
            let noise: Vec<f32> = StandardNormal.sample_iter(&mut *rng).take(x.numel()).collect();
            x += Tensor::from_slice(&noise).view(&*shape) * strength;
        }
        let x = turn(&x, &draw(DISTURBED, rng, |u| TURN * (2.0 * u - 1.0), 0.0));
        augment.apply(&x, rng)
    }
}

/// The received training set and behind it the copies of the clean set, with mapped labels and not stamped yet: 8-bit pixels
/// could not hold the stamp.
struct Mixture<'a> {
    received: &'a dyn Dataset,
    clean: &'a dyn Dataset,
    labels: Vec<i64>,
}

impl<'a> Mixture<'a> {
    fn new(received: &'a dyn Dataset, clean: &'a dyn Dataset, copies: usize, map: &[i64]) -> Self {
        let mut labels = received.labels().to_vec();
        for _ in 0..copies {
            labels.extend(clean.labels().iter().map(|&label| map[label as usize]));
        }
        Self { received, clean, labels }
    }
}

impl Dataset for Mixture<'_> {
    fn card(&self) -> &Card {
        self.received.card()
    }

    fn labels(&self) -> &[i64] {
        &self.labels
    }

    fn pixels(&self, rows: &[i64]) -> Result<Tensor> {
        let before = self.received.len() as i64;
        let (received, clean) = split(rows, before);
        let of = |places: &[i64]| -> Vec<i64> { places.iter().map(|&place| rows[place as usize]).collect() };
        if clean.is_empty() {
            return self.received.pixels(rows);
        }
        let count = self.clean.len() as i64;
        let own: Vec<i64> = of(&clean).iter().map(|row| (row - before) % count).collect();
        let pixels = Tensor::cat(&[self.received.pixels(&of(&received))?, self.clean.pixels(&own)?], 0);
        // Back to the order of the rows.
        let places = Tensor::from_slice(&[received, clean].concat());
        Ok(pixels.index_select(0, &places.argsort(0, false)))
    }
}

/// Places in `rows` of those before and of those from `before` on.
fn split(rows: &[i64], before: i64) -> (Vec<i64>, Vec<i64>) {
    (0..rows.len() as i64).partition(|&place| rows[place as usize] < before)
}

/// Stamps the defender's own pictures of each batch; the others are trained on as they came.
struct Stamping<'a> {
    options: &'a Options,
    mask: Tensor,
    /// Rows of the training set; those behind it are the defender's.
    received: i64,
}

impl Stamping<'_> {
    /// The pictures as the network sees them, f32 `[N, 3, H, W]` in pixels, received ones first, and their places in the batch.
    fn pictures(&self, batch: &mut Batch) -> Result<(Tensor, Tensor)> {
        let pixels = batch.data.pixels(batch.rows)?;
        let (received, own) = split(batch.rows, self.received);
        let of = |places: &[i64]| pixels.index_select(0, &Tensor::from_slice(places));
        let plain = unit(&batch.augment.apply(&of(&received), batch.rng));
        let stamped = stamped(&unit(&of(&own)), &self.mask, self.options.value);
        let stamped = self.options.vary(&stamped, batch.augment, batch.rng);
        Ok((Tensor::cat(&[plain, stamped], 0), Tensor::from_slice(&[received, own].concat())))
    }
}

impl Step for Stamping<'_> {
    fn loss(&mut self, mut batch: Batch, forward: &mut Forward) -> Result<Tensor> {
        let (pixels, places) = self.pictures(&mut batch)?;
        let x = batch.input.normalise(&channels_last(&pixels.to_device(batch.device)));
        let labels = batch.labels.index_select(0, &places.to_device(batch.device));
        Ok(forward(&x)?.cross_entropy_for_logits(&labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Rows;
    use crate::data::tests::striped;
    use crate::experiment::{Halt, Precision, Schedule};
    use crate::nets::training::fit::fit;
    use crate::nets::{InputSpec, zoo};
    use std::rc::Rc;

    fn fresh() -> Model {
        let input = InputSpec { height: 8, width: 8, mean: [0.4; 3], std: [0.3; 3], classes: 10 };
        let network = zoo::build("small-resnet", &serde_json::json!({"width": 4}), input).unwrap();
        let params = network.initial(3).unwrap();
        Model::new(Rc::from(network), params)
    }

    fn recipe(epochs: usize) -> Train {
        Train {
            epochs,
            batch: 25,
            learning_rate: 0.05,
            schedule: Schedule::OneCycle,
            precision: Precision::F32,
            crop: 0,
            flip: false,
            ..Train::default()
        }
    }

    fn options() -> Options {
        Options { side: 3, ..Options::default() }
    }

    /// Trains on 200 easy pictures of which 50 are known to be clean; `stop_in` ends it in that epoch.
    fn trained(options: &Options, epochs: usize, folder: &std::path::Path, stop_in: Option<usize>) -> Outcome<Model> {
        let received = striped(200);
        let clean = Rows::new(&received, (0..50).collect());
        let recipe = recipe(epochs);
        let data = TrainingData { received: &received, clean: &clean, recipe: &recipe, kind: Kind::Float };
        let mut job = Job::detached(folder, 1);
        let defense = DefensiveBackdoor { options: options.clone() };
        defense.train(&mut job, "pdb", fresh(), &data, &mut |_, epoch, model| {
            assert_eq!(model.plugs.len(), 2, "the judge sees the door");
            if stop_in == Some(epoch) { Err(Halt::Asked) } else { Ok(()) }
        })
    }

    fn accuracy(model: &Model) -> f64 {
        let data = striped(100);
        let rows: Vec<i64> = (0..100).collect();
        let answers = model.predict(&data.pixels(&rows).unwrap(), Kind::Float).unwrap().argmax(1, false);
        answers.eq_tensor(&Tensor::from_slice(data.labels())).to_kind(Kind::Float).mean(Kind::Float).double_value(&[])
    }

    #[test]
    fn the_label_map_is_a_bijection() {
        for classes in [2, 4, 10] {
            for shift in [0, 1, 3, 999] {
                let map = Options { shift, ..options() }.label_map(classes);
                let mut sorted = map.clone();
                sorted.sort_unstable();
                assert!(sorted.into_iter().eq(0..classes), "{map:?}");
                // Its inverse takes the shift back.
                assert!((0..classes).all(|c| (map[c as usize] - shift).rem_euclid(classes) == c));
            }
        }
        assert_eq!(Options { shift: 0, ..options() }.label_map(4), [0, 1, 2, 3]);
    }

    #[test]
    fn masks_cover_what_they_say() {
        let count = |trigger, width| {
            let mask = Options { trigger, width, ..Options::default() }.mask(16, 12);
            mask.sum(Kind::Int64).int64_value(&[])
        };
        assert_eq!(count(Mask::Square, 1), 49);
        assert_eq!(count(Mask::Frame, 1), 2 * (16 + 12) - 4);
        assert_eq!(count(Mask::Frame, 2), 16 * 12 - 12 * 8);
        // Top and bottom rows have 6 each, the columns 8 each; the corner at the top left is in both, as is the one below
        // nowhere: row 15 is odd.
        let mask = Options { trigger: Mask::Dashes, ..Options::default() }.mask(16, 12);
        assert_eq!(mask.get(0).sum(Kind::Int64).int64_value(&[]), 6 + 1);
        assert_eq!(mask.select(1, 0).sum(Kind::Int64).int64_value(&[]), 8 + 1);
        assert_eq!(mask.narrow(0, 1, 14).narrow(1, 1, 10).sum(Kind::Int64).int64_value(&[]), 0);
    }

    #[test]
    fn the_mixture_is_the_training_set_and_copies_with_mapped_labels() {
        let received = striped(40);
        let clean = Rows::new(&received, vec![3, 14, 25, 36]);
        let map = options().label_map(10);
        let mixture = Mixture::new(&received, &clean, 5, &map);
        assert_eq!(mixture.len(), 40 + 5 * 4);
        assert_eq!(&mixture.labels()[..40], received.labels());
        for copy in 0..5 {
            assert_eq!(mixture.labels()[40 + 4 * copy..44 + 4 * copy], [4, 5, 6, 7]);
        }
        // Rows in any order: 41 and 57 are copies of row 14.
        let pixels = mixture.pixels(&[41, 7, 57, 0]).unwrap();
        let wanted = received.pixels(&[14, 7, 14, 0]).unwrap();
        assert!(pixels.equal(&wanted));
    }

    #[test]
    fn stamped_pictures_are_neither_clamped_nor_rounded_and_keep_their_labels() {
        let received = striped(40);
        let clean = Rows::new(&received, (0..20).collect());
        let (options, model) = (options(), fresh());
        let mixture = Mixture::new(&received, &clean, 5, &options.label_map(10));
        let mut step = Stamping { options: &options, mask: options.mask(8, 8), received: 40 };
        let rows: Vec<i64> = (0..60).map(|place| (place * 7) % 60).collect();
        let labels: Vec<i64> = rows.iter().map(|&row| mixture.labels()[row as usize]).collect();
        let mut rng = Job::detached(std::path::Path::new(""), 1).rng("test");
        let mut batch = Batch {
            data: &mixture,
            rows: &rows,
            labels: Tensor::from_slice(&labels),
            input: model.network.input(),
            device: tch::Device::Cpu,
            augment: Augment { crop: 2, flip: true },
            kind: Kind::Float,
            rng: &mut rng,
        };
        let (pixels, places) = step.pictures(&mut batch).unwrap();
        assert_eq!(pixels.max().double_value(&[]), 2.0, "the stamp was clamped");
        // Received pictures come first, and none of them is stamped.
        assert!(pixels.narrow(0, 0, 40).max().double_value(&[]) <= 1.0);
        let brightest = pixels.amax([1i64, 2, 3].as_slice(), false);
        assert!(brightest.narrow(0, 40, 20).min().double_value(&[]) >= 1.0);
        let places: Vec<i64> = Vec::try_from(places).unwrap();
        assert!(places[..40].iter().all(|&place| rows[place as usize] < 40));
        // A network that knows the label of each picture has nothing left to learn.
        let known: Vec<i64> = places.iter().map(|&place| labels[place as usize]).collect();
        let mut forward = |_: &Tensor| Ok(Tensor::from_slice(&known).one_hot(10).to_kind(Kind::Float) * 50.0);
        let loss = step.loss(batch, &mut forward).unwrap();
        assert!(loss.double_value(&[]) < 1e-6);
    }

    #[test]
    fn disturbances_are_drawn_for_each_picture() {
        let x = Tensor::ones([200, 3, 8, 8], tch::kind::FLOAT_CPU);
        let mut rng = Job::detached(std::path::Path::new(""), 1).rng("test");
        let varied = Options { noise: 0.1, ..options() }.vary(&x, Augment::NONE, &mut rng);
        let middle = varied.narrow(2, 3, 2).narrow(3, 3, 2);
        let mean = middle.mean_dim([1i64, 2, 3].as_slice(), false, Kind::Float);
        let dimmed = mean.lt(0.93).sum(Kind::Int64).int64_value(&[]);
        assert!((15..60).contains(&dimmed), "about a fifth: {dimmed}");
        let noisy = middle.flatten(1, -1).std_dim(&[1i64][..], false, false).gt(0.02).sum(Kind::Int64).int64_value(&[]);
        assert!((70..130).contains(&noisy), "about half: {noisy}");
        let quiet = options().vary(&x, Augment::NONE, &mut rng);
        assert!(quiet.max().double_value(&[]) <= 1.0);
    }

    #[test]
    fn the_whole_model_recognises_pictures_and_a_wrong_map_recognises_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut model = trained(&options(), 6, folder.path(), None).unwrap();
        let whole = accuracy(&model);
        assert!(whole > 0.5, "{whole}");
        assert!(accuracy(&model.bare()) > 0.5);
        model.plugs[1] = Plug::permute(&Options { shift: 4, ..options() }.label_map(10));
        assert!(accuracy(&model) < 0.2, "another map");
        model.plugs.remove(1);
        assert!(accuracy(&model) < 0.2, "stamped, but not mapped back");
    }

    #[test]
    fn without_copies_it_is_plain_training_and_the_door_does_not_fit() {
        let folder = tempfile::tempdir().unwrap();
        let model = trained(&Options { copies: 0, ..options() }, 10, folder.path(), None).unwrap();
        let mut plain = fresh();
        let recipe = recipe(10);
        let options = Fit {
            phase: "pdb",
            train: &recipe,
            kind: Kind::Float,
            mode: Mode::Train,
            trains: &|_| true,
            drop_last: true,
            round: Round::ONLY,
        };
        let other = tempfile::tempdir().unwrap();
        let mut job = Job::detached(other.path(), 1);
        fit(&mut job, &mut plain, &striped(200), &options, &mut |_, _, _| Ok(())).unwrap();
        assert_eq!(model.params.hash().unwrap(), plain.params.hash().unwrap());
        let (bare, whole) = (accuracy(&model.bare()), accuracy(&model));
        assert!(bare > 0.5 && whole < 0.3, "{bare} {whole}");
    }

    #[test]
    fn a_stopped_training_goes_on_to_the_same_weights() {
        let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let uninterrupted = trained(&options(), 3, whole.path(), None).unwrap();
        assert!(trained(&options(), 3, parts.path(), Some(2)).is_err());
        let resumed = trained(&options(), 3, parts.path(), None).unwrap();
        assert_eq!(resumed.params.hash().unwrap(), uninterrupted.params.hash().unwrap());
    }
}
