//! What the Polarizer screen is made of: the network with the layer in it, the layer itself, what it does to features, and
//! what the network says.

mod answers;
mod maps;
mod matrix;
mod network;
mod strength;

pub use answers::answers;
pub use maps::{MapTiles, feature_maps, map_sheet};
pub use matrix::{Light, MANY, MatrixMemory, Showing, matrix};
pub use network::{Beam, network};
pub use strength::{legend_height, strength_curves};
