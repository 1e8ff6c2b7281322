//! Training throughput against a plain loop, and what data loading costs. Ratios of one run are what counts.
//!
//! `cargo xtask bench` (or `cargo bench`). CIFAR-10 is read from `$CIFAR10` or `../shared/data/cifar10`, else 50,000
//! random pictures stand in for it.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and may fail loudly")]

use polariscope::attacks::Moment;
use polariscope::data::sources::{self, SourceChoice};
use polariscope::data::{Augment, Card, Dataset, Memory, Plan, Poisoned, Trigger};
use polariscope::engine::Attacker;
use polariscope::experiment::{Pick, Poison, Precision};
use polariscope::nets::training::Sgd;
use polariscope::nets::{InputSpec, Mode, Network, Params, Pass, device, zoo};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::path::PathBuf;
use std::time::Instant;
use tch::{Device, Kind, Tensor};

const BATCH: usize = 128;

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    let options = serde_json::json!({});
    // A step of the larger network before there is any data: what libtorch needs for itself.
    let input = InputSpec { height: 32, width: 32, mean: [0.5; 3], std: [0.25; 3], classes: 10 };
    Plain::new(&*zoo::build("preact-resnet18", &options, input).unwrap()).step();
    let own = peak_memory();
    let data = cifar10();
    println!("data: {} pictures; threads: {}", data.len(), tch::get_num_threads());
    for (id, rounds) in [("preact-resnet18", 5), ("wide-resnet", 8)] {
        if id.contains(&filter) {
            compare(id, &options, rounds, &data);
            let (ours, set) = (peak_memory().saturating_sub(own) as f64 / 1e6, data.pixels.numel() as f64 / 1e6);
            println!("  peak memory above libtorch's own              {ours:.0} MB (the data set itself: {set:.0} MB)");
        }
    }
}

fn cifar10() -> Memory {
    let path = std::env::var_os("CIFAR10").map_or_else(|| PathBuf::from("../shared/data/cifar10"), PathBuf::from);
    if path.is_dir() {
        return sources::open(&path.to_string_lossy(), &SourceChoice::default()).unwrap().train;
    }
    let pixels: Vec<u8> = (0..50_000u64 * 3072).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let card = Card {
        name: "random".into(),
        format: "bench".into(),
        classes: (0..10).map(|class| class.to_string()).collect(),
        height: 32,
        width: 32,
        channels: 3,
        hash: String::new(),
    };
    Memory::new(card, &pixels, (0..50_000).map(|row| row % 10).collect()).unwrap()
}

/// Alternates steps of the plain loop and of our pipeline, so that both meet the same moods of the machine.
fn compare(id: &str, options: &serde_json::Value, rounds: usize, data: &Memory) {
    let (mean, std) = sources::statistics(data);
    let input = InputSpec { height: 32, width: 32, mean, std, classes: 10 };
    let network = zoo::build(id, options, input).unwrap();
    let mut plain = Plain::new(&*network);
    let pick = Pick { id: "badnets".into(), options: serde_json::Map::new() };
    let trigger = Attacker::plain(&pick, 32, 32).unwrap().trigger(Moment::Training).unwrap();
    // One tenth, spread over all batches.
    let plan = Plan::of((0..data.len() as i64).step_by(10).collect(), &Poison::default(), 10);
    let mut pipeline = Pipeline::new(&*network, data, &plan, &*trigger);

    // One step of each to warm up.
    plain.step();
    pipeline.step();
    let mut ratios = Vec::new();
    let (mut plain_rates, mut our_rates, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let slow = plain.step();
        let (fast, loading) = pipeline.step();
        ratios.push(slow / fast);
        plain_rates.push(BATCH as f64 / slow);
        our_rates.push(BATCH as f64 / fast);
        shares.push(100.0 * loading / fast);
    }
    println!("\n{id}, batch {BATCH}, 32 x 32, {rounds} rounds: median (min - max)");
    println!("  plain loop, f32 contiguous, no data loading   {} images/s", spread(&mut plain_rates, 0));
    println!("  pipeline, {}, channels last, with data      {} images/s", pipeline.format(), spread(&mut our_rates, 0));
    println!("  ratio                                         {}", spread(&mut ratios, 2));
    println!("  loading, poisoning, augmentation              {} % of a step", spread(&mut shares, 2));
}

/// What a short script does: random tensors, contiguous, f32.
struct Plain<'a> {
    network: &'a dyn Network,
    live: Params,
    sgd: Sgd,
    x: Tensor,
    y: Tensor,
}

impl<'a> Plain<'a> {
    fn new(network: &'a dyn Network) -> Self {
        let params: Params =
            network.initial(1).unwrap().iter().map(|(name, tensor)| (name.to_owned(), tensor.contiguous())).collect();
        let (sgd, live) = Sgd::new(&params, &|_| true, 0.9, 5e-4);
        let x = Tensor::randn([BATCH as i64, 3, 32, 32], tch::kind::FLOAT_CPU);
        let y = Tensor::randint(10, [BATCH as i64], tch::kind::INT64_CPU);
        Self { network, live, sgd, x, y }
    }

    /// Seconds of one step.
    fn step(&mut self) -> f64 {
        let begin = Instant::now();
        let mut pass = Pass::new(Mode::Train, Kind::Float);
        let loss = self.network.forward(&self.live, &self.x, &mut pass).unwrap().cross_entropy_for_logits(&self.y);
        self.sgd.step(&loss, 0.01);
        begin.elapsed().as_secs_f64()
    }
}

/// One step as `nets::training::fit` makes it.
struct Pipeline<'a> {
    network: &'a dyn Network,
    data: Poisoned<'a>,
    live: Params,
    sgd: Sgd,
    order: Vec<i64>,
    at: usize,
    rng: ChaCha8Rng,
    labels: Tensor,
    kind: Kind,
}

impl<'a> Pipeline<'a> {
    fn new(network: &'a dyn Network, base: &'a Memory, plan: &Plan, trigger: &'a dyn Trigger) -> Self {
        let (sgd, live) = Sgd::new(&network.initial(1).unwrap(), &|_| true, 0.9, 5e-4);
        let data = Poisoned::new(base, plan, trigger);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut order: Vec<i64> = (0..base.len() as i64).collect();
        order.shuffle(&mut rng);
        let labels = Tensor::from_slice(data.labels());
        let kind = device::kind(Precision::Auto, Device::Cpu);
        Self { network, data, live, sgd, order, at: 0, rng, labels, kind }
    }

    fn format(&self) -> &'static str {
        device::kind_name(self.kind)
    }

    /// Seconds of one step, and the part of it that went into data.
    fn step(&mut self) -> (f64, f64) {
        let begin = Instant::now();
        let rows = &self.order[self.at..self.at + BATCH];
        self.at = (self.at + BATCH) % (self.order.len() - BATCH);
        let pixels = Augment { crop: 4, flip: true }.apply(&self.data.pixels(rows).unwrap(), &mut self.rng);
        let x = self.network.input().prepare(&pixels, Device::Cpu).unwrap();
        let y = self.labels.index_select(0, &Tensor::from_slice(rows));
        let loading = begin.elapsed().as_secs_f64();
        let mut pass = Pass::new(Mode::Train, self.kind);
        let loss = self.network.forward(&self.live, &x, &mut pass).unwrap().cross_entropy_for_logits(&y);
        self.sgd.step(&loss, 0.01);
        (begin.elapsed().as_secs_f64(), loading)
    }
}

fn spread(values: &mut [f64], digits: usize) -> String {
    values.sort_by(f64::total_cmp);
    let (low, middle, high) = (values[0], values[values.len() / 2], values[values.len() - 1]);
    format!("{middle:.digits$} ({low:.digits$} - {high:.digits$})")
}

/// Largest resident memory so far, in bytes; 0 where the system does not tell.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) * 1024
}
