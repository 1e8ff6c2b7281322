//! A small stage on which attacks make their triggers: noise for data, a narrow network, nothing kept.

use polariscope::attacks::workshop::Workshop;
use polariscope::attacks::{Moment, Scene, make};
use polariscope::data::{Card, Memory, Trigger};
use polariscope::experiment::{Poison, Train};
use polariscope::nets::{InputSpec, zoo};
use polariscope::run::job::Job;
use serde_json::{Value, json};
use std::rc::Rc;
use tch::{Device, Kind};

/// Training pictures on the stage.
const PICTURES: i64 = 64;

/// The trigger of the attack `id`, made for pictures of `side` x `side` pixels.
pub fn trigger(id: &str, options: &Value, side: i64, moment: Moment) -> Box<dyn Trigger> {
    let pixels: Vec<u8> = (0..PICTURES * 3 * side * side).map(|i| (i * i % 251 + i % 5) as u8).collect();
    let card = Card {
        name: "noise".into(),
        format: "test".into(),
        classes: (0..10).map(|class| class.to_string()).collect(),
        height: side as usize,
        width: side as usize,
        channels: 3,
        hash: String::new(),
    };
    let input = InputSpec { height: side, width: side, mean: [0.5; 3], std: [0.25; 3], classes: 10 };
    let scene = Scene {
        train: &Memory::new(card, &pixels, (0..PICTURES).map(|row| row % 10).collect()).unwrap(),
        rows: &(0..PICTURES).collect::<Vec<_>>(),
        network: Rc::from(zoo::build("small-resnet", &json!({"width": 4}), input).unwrap()),
        recipe: &Train { batch: 16, ..Train::default() },
        poison: &Poison { ratio: 0.25, ..Poison::default() },
        device: Device::Cpu,
        kind: Kind::Float,
        workshop: &Workshop::default(),
    };
    let attack = make(id, options).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let made = attack.stamp().craft(&mut Job::detached(folder.path(), 1), &scene);
    let made = made.unwrap_or_else(|halt| panic!("{id} cannot be made: {halt:?}"));
    attack.stamp().trigger(&made, side, side, moment).unwrap()
}
