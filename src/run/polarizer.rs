//! A polarizer as plain data: where it sits, what it does to features, and what the network says at each strength.
//!
//! Strength s blends the layer with the identity: y = (1 - s) x + s g(x). Whatever is linear or quadratic in the features
//! is therefore known exactly at every strength from three numbers; only predictions have to be computed anew.

use super::event::Rgba;
use crate::experiment::Scores;
use std::sync::Arc;

#[derive(Debug, Clone)]
pub struct PolarizerView {
    /// Name of the experiment and of the repaired model.
    pub experiment: String,
    pub model: String,
    /// The model came finished, and the trigger is a pattern that an audit has found.
    pub found: bool,
    /// Name of the network: `Small ResNet`.
    pub network: String,
    /// The network's stages in the order of the data.
    pub stages: Vec<Stage>,
    pub place: Place,
    /// The site's name in the network: `layer2.0.out`.
    pub site: String,
    /// What the layer is made of and what was folded, as a sentence.
    pub layer: String,
    /// A batch normalisation is part of the matrix.
    pub folded: bool,
    pub matrix: Matrix,
    /// One entry per channel.
    pub channels: Vec<ChannelLight>,
    pub pictures: Vec<Specimen>,
    /// Channels whose maps the pictures carry, the one in which the trigger is dimmed most first.
    pub shown: Vec<usize>,
    /// Height and width of the maps.
    pub map_size: [usize; 2],
    pub classes: Vec<String>,
    /// Clean and stamped test pictures behind the numbers.
    pub measured: [usize; 2],
}

impl PolarizerView {
    /// What lies on stamped pictures, in one word.
    pub fn trigger(&self) -> &'static str {
        if self.found { "pattern" } else { "trigger" }
    }
}

/// A part of the network through which everything flows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    pub name: String,
    /// Size of what leaves it.
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

/// Where the polarizer lies; the number is an index of the stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Everything passes it on its way from this stage to the next.
    Behind(usize),
    /// It filters the branch inside this block; the block's shortcut goes around it.
    Inside(usize),
}

impl Place {
    pub fn stage(self) -> usize {
        match self {
            Place::Behind(stage) | Place::Inside(stage) => stage,
        }
    }
}

/// The layer at full strength: `y = values x + shift` at each position, batch normalisation folded in.
#[derive(Debug, Clone)]
pub struct Matrix {
    pub channels: usize,
    /// Row by row; the row is the output channel.
    pub values: Arc<[f32]>,
    pub shift: Arc<[f32]>,
}

impl Matrix {
    /// Entry of matrix minus identity.
    pub fn difference(&self, out: usize, input: usize) -> f32 {
        let value = self.values.get(out * self.channels + input).copied().unwrap_or_default();
        if out == input { value - 1.0 } else { value }
    }
}

/// Means of products of x, what arrives at the layer, and g, what the layer at full strength makes of it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Energy {
    /// Mean of x squared.
    pub before: f32,
    /// Mean of x g.
    pub cross: f32,
    /// Mean of g squared.
    pub after: f32,
}

impl Energy {
    /// Mean square of (1 - s) x + s g.
    pub fn at(self, strength: f32) -> f32 {
        let rest = 1.0 - strength;
        rest * rest * self.before + 2.0 * strength * rest * self.cross + strength * strength * self.after
    }
}

/// The light in one channel, as means over positions and pictures.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ChannelLight {
    pub clean: Energy,
    pub stamped: Energy,
    /// Of the difference between a stamped picture and its clean original: what the trigger adds.
    pub trigger: Energy,
    /// Means of the clean features, before and after.
    pub mean: [f32; 2],
}

impl ChannelLight {
    /// Mean and standard deviation of the clean features at this strength.
    pub fn usual(&self, strength: f32) -> (f32, f32) {
        let mean = (1.0 - strength) * self.mean[0] + strength * self.mean[1];
        (mean, (self.clean.at(strength) - mean * mean).max(0.0).sqrt())
    }

    /// Energy of what the trigger adds, in units of the variance of the clean features.
    pub fn trigger_share(&self, strength: f32) -> f32 {
        let (_, deviation) = self.usual(strength);
        self.trigger.at(strength) / (deviation * deviation).max(f32::MIN_POSITIVE)
    }
}

/// A test picture and its feature maps, `[shown, height, width]` row by row.
#[derive(Debug, Clone)]
pub struct Specimen {
    pub row: usize,
    pub label: usize,
    pub clean: Arc<Rgba>,
    pub stamped: Arc<Rgba>,
    pub clean_maps: Maps,
    pub stamped_maps: Maps,
}

/// Feature maps before the layer and behind it at full strength.
#[derive(Debug, Clone)]
pub struct Maps {
    pub before: Arc<[f32]>,
    pub after: Arc<[f32]>,
}

impl Maps {
    /// One value at this strength.
    pub fn at(&self, index: usize, strength: f32) -> f32 {
        let value = |values: &[f32]| values.get(index).copied().unwrap_or_default();
        (1.0 - strength) * value(&self.before) + strength * value(&self.after)
    }
}

/// What was measured at one strength.
#[derive(Debug, Clone, PartialEq)]
pub struct DialPoint {
    pub strength: f64,
    pub scores: Scores,
    /// Class probabilities of the clean and of the stamped picture, in the order of the rows.
    pub answers: Vec<[Vec<f32>; 2]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energy_at_a_strength_is_that_of_the_blend() {
        let (x, g) = ([1.0_f32, -2.0, 3.0], [0.5_f32, 1.0, 2.0]);
        let mean = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>() / 3.0;
        let energy = Energy { before: mean(&x, &x), cross: mean(&x, &g), after: mean(&g, &g) };
        for strength in [0.0_f32, 0.3, 1.0] {
            let blend: Vec<f32> = x.iter().zip(g).map(|(x, g)| (1.0 - strength) * x + strength * g).collect();
            assert!((energy.at(strength) - mean(&blend, &blend)).abs() < 1e-6);
        }
    }

    #[test]
    fn the_identity_differs_from_itself_nowhere() {
        let matrix = Matrix { channels: 2, values: vec![1.0, 0.25, 0.0, 1.0].into(), shift: vec![0.0; 2].into() };
        let cells = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(out, input)| matrix.difference(out, input));
        assert_eq!(cells, [0.0, 0.25, 0.0, 0.0]);
    }
}
