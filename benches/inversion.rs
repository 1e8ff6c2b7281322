//! Neural cleanse: steps of the search for all ten classes in one batch, and one class after the other.
//!
//! `cargo bench --bench inversion`. Both ways alternate in one run on WRN-16-1; their ratio is what counts.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and may fail loudly")]

use polariscope::defenses::repair::nc::search::{Seeker, Start, step};
use polariscope::experiment::Precision;
use polariscope::nets::{InputSpec, Model, device, zoo};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::rc::Rc;
use std::time::Instant;
use tch::{Device, Kind, Tensor};

const SIDE: i64 = 32;
const CLASSES: i64 = 10;
const BATCHES: [i64; 3] = [16, 32, 64];
const ROUNDS: usize = 9;

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    if !"inversion".contains(&filter) {
        return;
    }
    let input = InputSpec { height: SIDE, width: SIDE, mean: [0.5; 3], std: [0.25; 3], classes: CLASSES };
    let network = zoo::build("wide-resnet", &serde_json::json!({}), input).unwrap();
    let params = network.initial(1).unwrap().requires_grad(&|_| false);
    let model = Model::new(Rc::from(network), params);
    let kind = device::kind(Precision::Auto, Device::Cpu);
    let threads = tch::get_num_threads();
    println!("WRN-16-1, {CLASSES} classes, {}, {threads} threads, {ROUNDS} rounds\n", device::kind_name(kind));
    println!("| pictures a class | one after the other, ms | together, ms | ratio, median (smallest to largest) |");
    println!("|---|---|---|---|");
    for batch in BATCHES {
        measure(&model, batch, kind);
    }
}

fn measure(model: &Model, batch: i64, kind: Kind) {
    let start = Start::Noise.leaves(SIDE, SIDE, &mut ChaCha8Rng::seed_from_u64(1));
    let mut seekers: Vec<Seeker> = (0..CLASSES).map(|class| Seeker::new(class, &start, 1e-3)).collect();
    let pixels = Tensor::rand([batch, 3, SIDE, SIDE], tch::kind::FLOAT_CPU);
    let y = Tensor::randint(CLASSES, [batch], tch::kind::INT64_CPU);
    let mut timed = |together: bool| {
        let begin = Instant::now();
        let mut seekers: Vec<&mut Seeker> = seekers.iter_mut().collect();
        let group = if together { seekers.len() } else { 1 };
        seekers.chunks_mut(group).for_each(|group| step(model, &pixels, &y, group, kind, 0.1).unwrap());
        1e3 * begin.elapsed().as_secs_f64()
    };
    let _warm = (timed(true), timed(false));
    let rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (timed(false), timed(true))).collect();
    let sorted = |of: &dyn Fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let ratios = sorted(&|(apart, together)| apart / together);
    let (apart, together) = (sorted(&|round| round.0), sorted(&|round| round.1));
    println!(
        "| {batch} | {:.0} | {:.0} | {:.2} ({:.2} to {:.2}) |",
        apart[ROUNDS / 2],
        together[ROUNDS / 2],
        ratios[ROUNDS / 2],
        ratios[0],
        ratios[ROUNDS - 1]
    );
}
