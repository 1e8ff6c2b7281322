//! What can be said about a picture and its stamped twin: how far apart they are, which frequencies were added, and how
//! much of the trigger random crops leave.

mod quality;
mod spectrum;
mod stamp;
mod survival;

pub use quality::Quality;
pub use spectrum::{Spectrum, spectrum};
pub use stamp::Stamp;
pub use survival::{Crop, Survival};

use crate::run::event::Rgba;
use std::sync::Arc;

/// Below this share of the pixels a trigger is a spot, above it lies over the whole picture.
pub const SPOT: f64 = 0.1;

/// Everything the bench computes about one picture; made on a helper thread.
#[derive(Debug, Clone)]
pub struct Study {
    pub poisoned: Arc<Rgba>,
    pub quality: Quality,
    /// Of the change alone.
    pub change: Spectrum,
    /// Of the stamped picture.
    pub stamped: Spectrum,
    pub survival: Survival,
}

impl Study {
    /// `border` is the black border of the random crop, in pixels.
    pub fn of(clean: &Rgba, stamp: &Stamp, strength: f32, border: usize) -> Self {
        let poisoned = stamp.picture(clean, strength);
        let (before, after) = (luma(clean), luma(&poisoned));
        let change: Vec<f32> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
        Self {
            quality: Quality::of(clean, &poisoned),
            change: spectrum(&change, clean.width, clean.height),
            stamped: spectrum(&after, clean.width, clean.height),
            survival: Survival::of(clean, &poisoned, border),
            poisoned: Arc::new(poisoned),
        }
    }
}

/// Brightness, 0 to 255.
fn luma(picture: &Rgba) -> Vec<f32> {
    let weigh = |p: &[u8]| 0.299 * f32::from(p[0]) + 0.587 * f32::from(p[1]) + 0.114 * f32::from(p[2]);
    picture.bytes.chunks_exact(4).map(weigh).collect()
}
