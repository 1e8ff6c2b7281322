//! What it costs to stamp pictures while training: every attack's trigger on the poisoned pictures of a batch, against a
//! training step of WRN-16-1. Ratios of one run are what counts.
//!
//! `cargo bench --bench triggers` (a name, `-- sig`, picks one attack). Wanted: less than 10 % for closed forms.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and may fail loudly")]

#[path = "../tests/common/scene.rs"]
mod scene;

use polariscope::attacks::{ALL, Moment};
use polariscope::data::Trigger;
use polariscope::experiment::Precision;
use polariscope::nets::training::Sgd;
use polariscope::nets::{InputSpec, Mode, Network, Params, Pass, device, zoo};
use serde_json::{Value, json};
use std::time::Instant;
use tch::{Device, Kind, Tensor};

const BATCH: i64 = 128;
/// Of a batch, at the ratio of the published tables: one tenth.
const POISONED: i64 = 13;
const SIDE: i64 = 32;
const ROUNDS: usize = 15;

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    let input = InputSpec { height: SIDE, width: SIDE, mean: [0.5; 3], std: [0.25; 3], classes: 10 };
    let network = zoo::build("wide-resnet", &serde_json::json!({}), input).unwrap();
    let mut victim = Victim::new(&*network);
    victim.step();
    println!("WRN-16-1, batch {BATCH}, {}, {} threads, {ROUNDS} rounds", victim.format(), tch::get_num_threads());
    println!("\n| attack | {POISONED} pictures, ms | one step, ms | share of a step, median (most) | closed form |");
    println!("|---|---|---|---|---|");
    for entry in ALL.iter().filter(|entry| entry.method.id.contains(&filter)) {
        let options = quick((entry.method.defaults)());
        let trigger = scene::trigger(entry.method.id, &options, SIDE, Moment::Training);
        measure(entry.method.id, &*trigger, &mut victim);
    }
}

/// The defaults, but as little training as possible for what the attacker makes: it costs nothing in the loop.
fn quick(mut options: Value) -> Value {
    for (name, least) in
        [("surrogate_epochs", 1), ("mask_epochs", 1), ("iterations", 50), ("images", 20), ("passes", 1), ("steps", 1)]
    {
        if let Some(option) = options.get_mut(name) {
            *option = json!(least);
        }
    }
    options
}

/// Alternates stamps and steps, so that both meet the same moods of the machine.
fn measure(id: &str, trigger: &dyn Trigger, victim: &mut Victim) {
    let pixels = Tensor::randint(256, [POISONED, 3, SIDE, SIDE], (Kind::Uint8, Device::Cpu));
    let rows: Vec<i64> = (0..POISONED).collect();
    let _warm = trigger.apply(&pixels, &rows).unwrap();
    let (mut stamps, mut steps, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let _stamped = trigger.apply(&pixels, &rows).unwrap();
        let stamp = begin.elapsed().as_secs_f64();
        let step = victim.step();
        shares.push(100.0 * stamp / step);
        stamps.push(1000.0 * stamp);
        steps.push(1000.0 * step);
    }
    let form = if trigger.form().is_some() { "yes" } else { "no" };
    let (stamp, step, share) = (sorted(stamps), sorted(steps), sorted(shares));
    let middle = ROUNDS / 2;
    println!(
        "| {id} | {:.2} | {:.1} | {:.2} % ({:.2} %) | {form} |",
        stamp[middle],
        step[middle],
        share[middle],
        share[ROUNDS - 1]
    );
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

/// A network in training on pictures that are already there.
struct Victim<'a> {
    network: &'a dyn Network,
    live: Params,
    sgd: Sgd,
    x: Tensor,
    y: Tensor,
    kind: Kind,
}

impl<'a> Victim<'a> {
    fn new(network: &'a dyn Network) -> Self {
        let (sgd, live) = Sgd::new(&network.initial(1).unwrap(), &|_| true, 0.9, 5e-4);
        let pixels = Tensor::randint(256, [BATCH, 3, SIDE, SIDE], (Kind::Uint8, Device::Cpu));
        let x = network.input().prepare(&pixels, Device::Cpu).unwrap();
        let y = Tensor::randint(10, [BATCH], tch::kind::INT64_CPU);
        Self { network, live, sgd, x, y, kind: device::kind(Precision::Auto, Device::Cpu) }
    }

    fn format(&self) -> &'static str {
        device::kind_name(self.kind)
    }

    /// Seconds of one step.
    fn step(&mut self) -> f64 {
        let begin = Instant::now();
        let mut pass = Pass::new(Mode::Train, self.kind);
        let loss = self.network.forward(&self.live, &self.x, &mut pass).unwrap().cross_entropy_for_logits(&self.y);
        self.sgd.step(&loss, 0.01);
        begin.elapsed().as_secs_f64()
    }
}
