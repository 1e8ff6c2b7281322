//! Networks as pure functions of named parameters.

pub mod device;
pub mod difference;
pub mod door;
pub mod formats;
pub mod layers;
pub mod model;
pub mod params;
pub mod pass;
pub mod plug;
pub mod training;
pub mod zoo;

pub use model::Model;
pub use params::Params;
pub use pass::{Hook, Mode, Pass, Start};

use crate::experiment::Result;
use plug::Plug;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// A place in a network where a hook may look or replace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// `layer4.1.conv1.in`: what enters the convolution `layer4.1.conv1`; `.out`: what leaves it.
    pub name: String,
    pub channels: i64,
}

/// What a network wants to see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputSpec {
    pub height: i64,
    pub width: i64,
    /// Subtracted from pixels in 0..=1, per channel.
    pub mean: [f64; 3],
    /// Then divided by, per channel.
    pub std: [f64; 3],
    pub classes: i64,
}

/// Which network: enough to build it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Architecture {
    /// Id of the zoo: `preact-resnet18`, `wide-resnet`, `small-resnet`.
    pub id: String,
    /// Options of that network, all written out.
    pub options: serde_json::Value,
    pub input: InputSpec,
}

/// A batch normalisation and what it normalises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Norm {
    pub name: String,
    /// Convolutions the sum of whose outputs comes in, channel by channel.
    pub producers: Vec<String>,
}

/// A network without its weights.
pub trait Network {
    /// Logits `[N, classes]` for normalised pictures `[N, 3, H, W]`.
    fn forward(&self, params: &Params, x: &Tensor, pass: &mut Pass) -> Result<Tensor>;
    fn sites(&self) -> &[Site];
    /// Sites through which everything flows, in order: behind each a forward pass can begin (see [`pass::Start`]).
    fn trunk(&self) -> Vec<String> {
        Vec::new()
    }
    /// Batch normalisations with the convolutions that feed them; empty where none are known.
    fn norms(&self) -> Vec<Norm> {
        Vec::new()
    }
    fn architecture(&self) -> &Architecture;
    /// What somebody inserted into a model that comes finished.
    fn plugs(&self) -> &[Plug] {
        &[]
    }
    /// Whether its weights are there to be changed; else it can only be asked.
    fn has_weights(&self) -> bool {
        true
    }
    /// Fresh weights on the processor; the same seed gives the same weights.
    fn initial(&self, seed: u64) -> Result<Params>;

    fn input(&self) -> &InputSpec {
        &self.architecture().input
    }
}
