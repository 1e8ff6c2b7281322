//! TSBD: forgets on clean pictures to see which weights move, clears those, and fine-tunes without waking the rest.
//!
//! Stage 1. A copy of the model unlearns the clean set (gradient ascent) until its accuracy collapses. The filters whose
//! weights changed most in sum are those of the backdoor; in the delivered model, not in the copy, the most changed part of
//! their weights is set to zero.
//! Stage 2. Fine-tuning with a penalty on the gradient's length, because a backdoored model is more "active" and plain
//! fine-tuning brings the backdoor back:
//!
//! ```text
//! g = (1 - alpha) grad L(w) + alpha grad L(w + r grad L(w) / |grad L(w)|)
//! ```
//!
//! Look at how many weights are cleared, and at ASR during stage 2 with alpha 0.7 and 0.
//!
//! Lin, Liu, Wei, Li, Xiong: Unveiling and Mitigating Backdoor Vulnerabilities based on Unlearning Weight Changes and
//! Backdoor Activeness. NeurIPS 2024. Follows the reference code (length of the gradient taken tensor by tensor, 21 passes).
//! The reference prints results for eleven shares of filters and picks none; the default here is 15 %.

use super::passes::{CleanBatch, Learner, Means, Passes, convolutions};
use crate::data::Augment;
use crate::data::augment::unit;
use crate::data::pictures;
use crate::defenses::{DefenderData, Defense, Entry, Repair, parse};
use crate::experiment::method::{Kind as MethodKind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Problem, Result};
use crate::nets::model::forward;
use crate::nets::training::fit::AfterEpoch;
use crate::nets::training::{Optimiser, Sgd};
use crate::nets::{Mode, Model, Network, Params, Pass};
use crate::run::job::Job;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use tch::{Kind, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Share of all filters that lose weights.
    #[schemars(range(min = 0.0, max = 0.9), extend("x-paper" = 0.15))]
    pub filters: f64,
    /// Share of the chosen filters' weights that is set to zero.
    #[schemars(range(min = 0.0, max = 1.0), extend("x-paper" = 0.7))]
    pub weights: f64,
    /// Passes over the clean set after the clearing.
    #[schemars(range(min = 1, max = 500), extend("x-unit" = "epochs", "x-paper" = 21))]
    pub epochs: usize,
    /// Weight of the gradient a little further up: 0 is plain fine-tuning, 1 is sharpness-aware.
    #[schemars(range(min = 0.0, max = 1.0), extend("x-paper" = 0.7))]
    pub alpha: f64,
    /// How far up.
    #[schemars(range(min = 0.0001, max = 1.0), extend("x-scale" = "log", "x-paper" = 0.05, "x-advanced" = true))]
    pub radius: f64,
    /// The length of the gradient is taken over all weights together, not tensor by tensor.
    #[schemars(extend("x-advanced" = true))]
    pub whole_gradient: bool,
    #[schemars(range(min = 0.00001, max = 1.0), extend("x-scale" = "log", "x-paper" = 0.01))]
    pub learning_rate: f64,
    #[schemars(range(min = 0.0000001, max = 1.0), extend("x-scale" = "log", "x-paper" = 0.0001))]
    pub unlearning_rate: f64,
    /// Unlearning ends when accuracy on the clean set is no higher.
    #[schemars(range(min = 0.0, max = 1.0), extend("x-paper" = 0.1, "x-advanced" = true))]
    pub unlearned_at: f64,
    /// Unlearning ends after so many passes at the latest.
    #[schemars(range(min = 1, max = 5000), extend("x-unit" = "epochs", "x-paper" = 1000, "x-advanced" = true))]
    pub unlearning_epochs: usize,
    /// Pictures per step.
    #[schemars(range(min = 2, max = 4096), extend("x-paper" = 256, "x-advanced" = true))]
    pub batch: usize,
    /// Random crop border.
    #[schemars(range(min = 0, max = 16), extend("x-unit" = "px", "x-paper" = 4, "x-advanced" = true))]
    pub crop: usize,
    /// Mirror every second picture.
    #[schemars(extend("x-advanced" = true))]
    pub flip: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            filters: 0.15,
            weights: 0.7,
            epochs: 21,
            alpha: 0.7,
            radius: 0.05,
            whole_gradient: false,
            learning_rate: 0.01,
            unlearning_rate: 1e-4,
            unlearned_at: 0.1,
            unlearning_epochs: 1000,
            batch: 256,
            crop: 4,
            flip: true,
        }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "tsbd",
        kind: MethodKind::Repair,
        name: "TSBD",
        one_line: "Clears the weights that unlearning moves most, then fine-tunes without waking the backdoor.",
        page: "First a copy of the model is made to forget the clean pictures. The filters whose weights move most on \
               the way are, surprisingly, those that carry the backdoor: forgetting clean pictures ends in answering \
               the target class. In the delivered model the most moved weights of these filters are set to zero. Then \
               the model is fine-tuned with a brake on the length of the gradient, because plain fine-tuning wakes the \
               backdoor again.\n\nThe share of filters decides: too little leaves the backdoor, too much costs \
               accuracy. Compare alpha 0.7 with alpha 0, which is plain fine-tuning.",
        paper: "Lin, Liu, Wei, Li, Xiong: Unveiling and Mitigating Backdoor Vulnerabilities based on Unlearning Weight \
                Changes and Backdoor Activeness. NeurIPS, 2024 (arXiv 2405.20291)",
        properties: &[Property::NeedsClean, Property::NeedsGradients],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Defense::Repair(Box::new(Tsbd { options: parse(options)? }))),
};

const MOMENTUM: f64 = 0.9;

struct Tsbd {
    options: Options,
}

impl Repair for Tsbd {
    fn epochs(&self) -> usize {
        self.options.epochs
    }

    fn check(&self, network: &dyn Network) -> Result<()> {
        if convolutions(&network.initial(0)?).next().is_none() {
            return Err(Problem::bad_input(
                "TSBD clears convolution filters, and this network has none that it knows.",
            )
            .at("defense.id")
            .remedy("Use a network of the zoo."));
        }
        Ok(())
    }

    fn repair(
        &self,
        job: &mut Job,
        phase: &str,
        model: Model,
        data: &DefenderData,
        after_epoch: &mut AfterEpoch,
    ) -> Outcome<Model> {
        let o = &self.options;
        let augment = Augment { crop: o.crop as i64, flip: o.flip };
        let changes = self.unlearn(job, phase, &model, data, augment)?;
        let cleared = clear(&model.params, &changes, o.filters, o.weights);
        job.note(format!("{phase}: {} weights in {} filters set to zero", cleared.weights, cleared.filters.len()));
        let caption = "How far each filter moved while the clean pictures were forgotten; a row is a layer, its most \
                       moved filter on the left. Purple: cleared";
        pictures::keep(job, phase, caption, pictures::heat_map(&map(&changes, &cleared.filters))?)?;
        let passes = Passes { phase, epochs: o.epochs, batch: o.batch, augment, learning_rate: o.learning_rate };
        let device = model.params.device();
        let model = Model { params: cleared.params, ..model };
        let mut tuner = Tuner::new(o, model, data.kind);
        passes.run(job, data, device, &mut tuner, after_epoch)?;
        Ok(tuner.model)
    }
}

impl Tsbd {
    /// How far each weight of each filter moves when a copy of the model forgets the clean set.
    fn unlearn(
        &self,
        job: &mut Job,
        phase: &str,
        model: &Model,
        data: &DefenderData,
        augment: Augment,
    ) -> Outcome<Vec<(String, Tensor)>> {
        let o = &self.options;
        let copy = model.deep_clone();
        let device = copy.params.device();
        let network = &*copy.network;
        let (mut sgd, live) = Sgd::new(&copy.params, &|_| true, MOMENTUM, 0.0);
        let labels = Tensor::from_slice(data.clean.labels());
        let rows: Vec<i64> = (0..data.clean.len() as i64).collect();
        let batches = rows.len().div_ceil(o.batch);
        job.work(0, (o.unlearning_epochs * batches) as u64, "batches");
        let unlearning = format!("{phase}/unlearning");
        for epoch in 0..o.unlearning_epochs {
            let mut rng = job.rng(&format!("{unlearning}/{epoch}"));
            let (mut loss_sum, mut right) = (0.0, 0);
            // The same order every time, as the reference has it.
            for rows in rows.chunks(o.batch) {
                job.tick()?;
                if rows.len() < 2 {
                    continue;
                }
                let pixels = unit(&augment.apply(&data.clean.pixels(rows)?, &mut rng).to_device(device));
                let batch = CleanBatch {
                    pixels,
                    labels: labels.index_select(0, &Tensor::from_slice(rows)).to_device(device),
                    epoch,
                    step: 0,
                    steps: 0,
                };
                let x = batch.x(network.input());
                let mut pass = Pass::new(Mode::Train, data.kind);
                let loss = forward(network, &live, &copy.plugs, &x, &mut pass)?.cross_entropy_for_logits(&batch.labels);
                sgd.step(&(-&loss), o.unlearning_rate);
                loss_sum += loss.double_value(&[]);
                job.advance(rows.len());
            }
            for rows in rows.chunks(o.batch) {
                job.tick()?;
                let pixels = augment.apply(&data.clean.pixels(rows)?, &mut rng);
                let answers = copy.predict(&pixels, data.kind)?.argmax(1, false).to_device(tch::Device::Cpu);
                let wanted = labels.index_select(0, &Tensor::from_slice(rows));
                right += answers.eq_tensor(&wanted).sum(Kind::Int64).int64_value(&[]);
            }
            let accuracy = right as f64 / rows.len() as f64;
            let values = [("loss", loss_sum / batches as f64), ("clean-accuracy", accuracy)];
            job.metrics(&unlearning, (epoch + 1) as f64, &values)?;
            if accuracy <= o.unlearned_at {
                job.note(format!("{phase}: the clean set is forgotten after {} passes", epoch + 1));
                return changes(&model.params, &live);
            }
        }
        job.warn(
            Problem::bad_input("TSBD's unlearning has not come to its end.")
                .because(format!("accuracy on the clean set is still above {}", o.unlearned_at))
                .remedy("Raise unlearning_rate or unlearning_epochs."),
        );
        changes(&model.params, &live)
    }
}

/// |after - before| of all filters, f32 `[filters, weights]` by name.
fn changes(before: &Params, after: &Params) -> Outcome<Vec<(String, Tensor)>> {
    let mut changes = Vec::new();
    for (name, weight) in convolutions(before) {
        let moved = (after.get(name)?.detach() - weight).abs().to_kind(Kind::Float);
        changes.push((name.to_owned(), moved.contiguous().flatten(1, -1).to_device(tch::Device::Cpu)));
    }
    Ok(changes)
}

/// A model with weights set to zero.
struct Cleared {
    params: Params,
    /// Layer by its place in the list of changes, and filter in it.
    filters: Vec<(usize, i64)>,
    weights: i64,
}

/// One row a layer: the changes of its filters, the largest first, below zero where a filter was cleared, padded with zeros:
/// f32 `[layers, filters]`.
fn map(changes: &[(String, Tensor)], cleared: &[(usize, i64)]) -> Tensor {
    let widest = changes.iter().map(|(_, moved)| moved.size()[0]).max().unwrap_or(1);
    let rows: Vec<Tensor> = changes
        .iter()
        .enumerate()
        .map(|(layer, (_, moved))| {
            let sums = moved.sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
            let own: Vec<i64> = cleared.iter().filter(|(of, _)| *of == layer).map(|(_, filter)| *filter).collect();
            let sign = sums.ones_like().index_fill(0, &Tensor::from_slice(&own), -1.0);
            let order = sums.argsort(0, true);
            (sums * sign).index_select(0, &order).constant_pad_nd([0, widest - order.size()[0]])
        })
        .collect();
    Tensor::stack(&rows, 0)
}

/// Sets the most changed `weights` share of the most changed `filters` share to zero. All layers compete together.
fn clear(params: &Params, changes: &[(String, Tensor)], filters: f64, weights: f64) -> Cleared {
    // Filter by filter: layer, index in it, sum of changes. Equal ones keep the order of the layers.
    let mut order: Vec<(usize, i64, f64)> = Vec::new();
    for (layer, (_, moved)) in changes.iter().enumerate() {
        let sums = moved.sum_dim_intlist([1i64].as_slice(), false, Kind::Double);
        order.extend((0..sums.size()[0]).map(|filter| (layer, filter, sums.double_value(&[filter]))));
    }
    order.sort_by(|a, b| b.2.partial_cmp(&a.2).unwrap_or(Ordering::Equal));
    order.truncate((order.len() as f64 * filters) as usize);
    let none = Cleared { params: params.deep_clone(), filters: Vec::new(), weights: 0 };
    if order.is_empty() {
        return none;
    }
    let chosen: Vec<Tensor> = order.iter().map(|&(layer, filter, _)| changes[layer].1.get(filter)).collect();
    let pool = Tensor::cat(&chosen, 0);
    let count = (pool.size()[0] as f64 * weights) as i64;
    if count == 0 {
        return none;
    }
    let threshold = pool.topk(count, 0, true, true).0.min();
    let mut cleared = none;
    cleared.filters = order.iter().map(|&(layer, filter, _)| (layer, filter)).collect();
    for (&(layer, filter, _), moved) in order.iter().zip(&chosen) {
        let (name, _) = &changes[layer];
        let Some(weight) = cleared.params.find(name) else { continue };
        let zero = moved.ge_tensor(&threshold);
        cleared.weights += zero.sum(Kind::Int64).int64_value(&[]);
        let mut one = weight.get(filter);
        let mask = zero.view(one.size().as_slice()).to_device(one.device());
        let _ = one.masked_fill_(&mask, 0.0);
    }
    cleared
}

/// Fine-tuning with the gradient-length penalty.
struct Tuner<'a> {
    options: &'a Options,
    /// Shares memory with `live`.
    model: Model,
    live: Params,
    sgd: Sgd,
    kind: Kind,
}

impl<'a> Tuner<'a> {
    fn new(options: &'a Options, model: Model, kind: Kind) -> Self {
        let (sgd, live) = Sgd::new(&model.params, &|_| true, MOMENTUM, 0.0);
        Self { options, model, live, sgd, kind }
    }

    fn logits(&self, params: &Params, batch: &CleanBatch, mode: Mode) -> Result<Tensor> {
        let network = &*self.model.network;
        let x = batch.x(network.input());
        forward(network, params, &self.model.plugs, &x, &mut Pass::new(mode, self.kind))
    }

    /// The weights a step of length `radius` up the gradient, as fresh leaves.
    fn uphill(&self, gradients: &[Tensor]) -> Params {
        tch::no_grad(|| {
            let length = |g: &Tensor| g.square().sum(Kind::Double).double_value(&[]);
            let whole = gradients.iter().map(length).sum::<f64>().sqrt();
            let moved = self.live.trainable().zip(gradients).map(|((name, w), g)| {
                let length = if self.options.whole_gradient { whole } else { length(g).sqrt() };
                let place: Tensor = w + g * (self.options.radius / (length + 1e-12));
                (name.to_owned(), place.detach().set_requires_grad(true))
            });
            self.live.with(moved.collect::<Vec<_>>())
        })
    }
}

impl Learner for Tuner<'_> {
    fn learn(&mut self, _: &mut Job, batch: &CleanBatch, means: &mut Means) -> Outcome<()> {
        let alpha = self.options.alpha;
        let gradients_at = |params: &Params| -> Result<(f64, Vec<Tensor>)> {
            let loss = self.logits(params, batch, Mode::BatchStatistics)?.cross_entropy_for_logits(&batch.labels);
            let leaves: Vec<Tensor> = params.trainable().map(|(_, leaf)| leaf.shallow_clone()).collect();
            Ok((loss.double_value(&[]), Tensor::run_backward(&[&loss], &leaves, false, false)))
        };
        let (loss, here) = gradients_at(&self.live)?;
        let length = here.iter().map(|g| g.square().sum(Kind::Double).double_value(&[])).sum::<f64>().sqrt();
        let gradients = if alpha > 0.0 {
            let (_, there) = gradients_at(&self.uphill(&here))?;
            here.iter().zip(&there).map(|(here, there)| here * (1.0 - alpha) + there * alpha).collect()
        } else {
            here
        };
        self.sgd.apply(gradients, self.options.learning_rate);
        // Statistics follow the weights after the step: only this pass moves them.
        let _ = tch::no_grad(|| self.logits(&self.live, batch, Mode::Train))?;
        means.add(&[("loss", loss), ("gradient-length", length)], batch.len());
        Ok(())
    }

    fn model(&self) -> Model {
        self.model.clone()
    }

    fn moving(&mut self) -> (&Params, &mut dyn Optimiser) {
        (&self.live, &mut self.sgd)
    }
}

#[cfg(test)]
mod tests {
    use super::super::passes::tests::{changed, repaired, small_model};
    use super::*;

    fn quick() -> Options {
        let unlearning = Options { unlearning_rate: 0.05, unlearning_epochs: 3, ..Options::default() };
        Options { epochs: 2, batch: 20, crop: 0, flip: false, ..unlearning }
    }

    /// Changes that grow from weight to weight.
    fn ramp(model: &Model) -> Vec<(String, Tensor)> {
        let mut next = 0;
        let mut changes = Vec::new();
        for (name, weight) in convolutions(&model.params) {
            let count = weight.numel() as i64;
            let values = Tensor::arange_start(next, next + count, tch::kind::FLOAT_CPU) + 1.0;
            changes.push((name.to_owned(), values.view([weight.size()[0], -1])));
            next += count;
        }
        changes
    }

    fn zeros(params: &Params) -> i64 {
        convolutions(params).map(|(_, weight)| weight.eq(0.0).sum(Kind::Int64).int64_value(&[])).sum()
    }

    #[test]
    fn shares_of_filters_and_weights_are_kept_and_nest() {
        let model = small_model();
        let moved = ramp(&model);
        let all: i64 = moved.iter().map(|(_, moved)| moved.size()[0]).sum();
        assert_eq!(zeros(&clear(&model.params, &moved, 0.0, 0.7).params), 0);
        assert_eq!(zeros(&clear(&model.params, &moved, 0.3, 0.0).params), 0);
        let mut before = Tensor::new();
        for weights in [0.3, 0.7, 1.0] {
            let cleared = clear(&model.params, &moved, 0.2, weights);
            assert_eq!(cleared.filters.len(), (all as f64 * 0.2) as usize);
            assert_eq!(zeros(&cleared.params), cleared.weights);
            let map = Tensor::cat(
                &convolutions(&cleared.params)
                    .map(|(_, weight)| weight.contiguous().view([-1]).eq(0.0))
                    .collect::<Vec<_>>(),
                0,
            );
            if before.defined() {
                assert!(map.logical_or(&before).equal(&map), "a larger share holds the smaller one");
            }
            before = map;
        }
        let whole = clear(&model.params, &moved, 0.2, 1.0);
        let last = moved.last().unwrap();
        let weight = whole.params.get(&last.0).unwrap();
        assert_eq!(weight.abs().sum(Kind::Float).double_value(&[]), 0.0, "the most changed layer is cleared whole");
        assert!(model.params.get(&last.0).unwrap().abs().sum(Kind::Float).double_value(&[]) > 0.0);
    }

    #[test]
    fn the_map_has_a_row_for_each_layer_and_cleared_filters_below_zero() {
        let of = |values: &[f32]| Tensor::from_slice(values).view([-1, 1]);
        let changes = [("a".to_owned(), of(&[1.0, 4.0, 2.0])), ("b".to_owned(), of(&[3.0, 5.0]))];
        let map = map(&changes, &[(1, 1), (0, 1)]);
        let wanted = Tensor::from_slice(&[-4.0f32, 2.0, 1.0, -5.0, 3.0, 0.0]).view([2, 3]);
        assert!(map.equal(&wanted), "{map}");
    }

    #[test]
    fn preact_resnet18_has_3904_filters() {
        let input = crate::nets::InputSpec { height: 32, width: 32, mean: [0.5; 3], std: [0.25; 3], classes: 10 };
        let network = crate::nets::zoo::build("preact-resnet18", &serde_json::json!({}), input).unwrap();
        let params = network.initial(1).unwrap();
        assert_eq!(convolutions(&params).map(|(_, weight)| weight.size()[0]).sum::<i64>(), 3904);
    }

    #[test]
    fn the_step_uphill_has_its_length() {
        for whole in [false, true] {
            let options = Options { whole_gradient: whole, ..quick() };
            let tuner = Tuner::new(&options, small_model(), Kind::Float);
            let gradients: Vec<Tensor> = tuner.live.trainable().map(|(_, w)| w.detach().ones_like()).collect();
            let there = tuner.uphill(&gradients);
            let lengths: Vec<f64> = tuner
                .live
                .trainable()
                .zip(there.trainable())
                .map(|((_, w), (_, there))| (there - w).square().sum(Kind::Double).double_value(&[]).sqrt())
                .collect();
            let total = lengths.iter().map(|length| length * length).sum::<f64>().sqrt();
            if whole {
                assert!((total - 0.05).abs() < 1e-4, "{total}");
            } else {
                assert!(lengths.iter().all(|length| (length - 0.05).abs() < 1e-4), "{lengths:?}");
            }
        }
    }

    #[test]
    fn the_delivered_model_stays_and_the_repaired_one_learns() {
        let before = small_model();
        let hash = before.params.hash().unwrap();
        let after = repaired(&Tsbd { options: quick() }, &before);
        assert_eq!(before.params.hash().unwrap(), hash);
        let names = changed(&before, &after);
        assert!(
            names.iter().any(|name| name.ends_with("running_mean")) && names.iter().any(|name| name == "linear.weight")
        );
    }

    #[test]
    fn it_goes_on_after_a_stop() {
        super::super::passes::tests::goes_on_where_it_stopped(&Tsbd { options: quick() });
    }
}
