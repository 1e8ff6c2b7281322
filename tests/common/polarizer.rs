//! A made-up polarizer with eight channels: the trigger lives in channel 5, and the layer takes that channel away.

use super::Pictures;
use polariscope::experiment::Scores;
use polariscope::run::polarizer::{
    ChannelLight, DialPoint, Energy, Maps, Matrix, Place, PolarizerView, Specimen, Stage,
};

const CHANNELS: usize = 8;
/// The channel in which the trigger shines.
pub const BLOCKED: usize = 5;
const SIDE: usize = 7;

fn gain(channel: usize) -> f32 {
    if channel == BLOCKED { 0.05 } else { 0.9 }
}

pub fn view(pictures: &Pictures, classes: &[String], rows: &[usize]) -> PolarizerView {
    let entry = |index: usize| {
        let (out, input) = (index / CHANNELS, index % CHANNELS);
        if out == input { gain(out) } else { ((out * 7 + input * 3) % 5) as f32 * 0.02 - 0.04 }
    };
    let energy = |before: f32, gain: f32| Energy { before, cross: before * gain, after: before * gain * gain };
    let channel = |channel: usize| {
        let usual = 1.0 + 0.2 * channel as f32;
        let trigger = if channel == BLOCKED { 4.0 } else { 0.05 };
        ChannelLight {
            clean: energy(usual, gain(channel)),
            stamped: energy(usual + trigger, gain(channel)),
            trigger: energy(trigger, gain(channel)),
            mean: [0.0, 0.0],
        }
    };
    let stage = |name: &str, channels, side| Stage { name: name.into(), channels, height: side, width: side };
    let specimen = |&row: &usize| {
        let maps = |stamped: bool| {
            let value = |index: usize| {
                let (channel, place) = (index / (SIDE * SIDE), index % (SIDE * SIDE));
                let lit = stamped && channel == BLOCKED && place == SIDE * SIDE - 1;
                if lit { 6.0 } else { ((row + index * 5) % 9) as f32 / 4.0 - 1.0 }
            };
            let before: Vec<f32> = (0..CHANNELS * SIDE * SIDE).map(value).collect();
            let after = before.iter().enumerate().map(|(index, value)| value * gain(index / (SIDE * SIDE)));
            Maps { after: after.collect(), before: before.into() }
        };
        Specimen {
            row,
            label: pictures.label(row),
            clean: pictures.clean(row),
            stamped: pictures.stamped(row),
            clean_maps: maps(false),
            stamped_maps: maps(true),
        }
    };
    PolarizerView {
        experiment: "Corner patch, repaired by a polarizer".into(),
        model: "NPD".into(),
        found: false,
        network: "Small ResNet".into(),
        stages: vec![stage("conv1", 4, 28), stage("layer1.0", CHANNELS, SIDE), stage("layer2.0", 16, 4)],
        place: Place::Behind(1),
        site: "layer1.0.out".into(),
        layer: "1×1 convolution; nothing had to be folded.".into(),
        folded: false,
        matrix: Matrix {
            channels: CHANNELS,
            values: (0..CHANNELS * CHANNELS).map(entry).collect(),
            shift: vec![0.0; CHANNELS].into(),
        },
        channels: (0..CHANNELS).map(channel).collect(),
        pictures: rows.iter().map(specimen).collect(),
        shown: (0..CHANNELS).collect(),
        map_size: [SIDE, SIDE],
        classes: classes.to_vec(),
        measured: [500, 450],
    }
}

/// The trigger wins below half the strength.
pub fn point(pictures: &Pictures, rows: &[usize], strength: f64) -> DialPoint {
    let wins = strength < 0.5;
    let sure = |class: usize, share: f32| {
        (0..10).map(|at| if at == class { share } else { (1.0 - share) / 9.0 }).collect::<Vec<f32>>()
    };
    let answers = rows.iter().map(|&row| {
        let label = pictures.label(row);
        [sure(label, 0.95), if wins { sure(0, 0.99) } else { sure(label, 0.9) }]
    });
    let asr = if wins { 0.98 } else { 0.02 };
    let scores = Scores {
        acc: 0.87 - 0.02 * strength,
        asr: Some(asr),
        ra: Some(0.85 * (1.0 - asr)),
        clean_count: 500,
        triggered_count: 450,
        ..Scores::default()
    };
    DialPoint { strength, scores, answers: answers.collect() }
}
