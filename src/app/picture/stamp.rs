//! What turns a clean picture into its stamped twin, without the engine.

use crate::run::TriggerForm;
use crate::run::event::{Bench, Rgba};
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq)]
pub enum Stamp {
    /// There is no attack.
    Nothing,
    /// Works on every picture.
    Form(TriggerForm),
    /// Only this one picture was stamped, by the engine; strength scales the change.
    Picture(Arc<Rgba>),
}

impl Stamp {
    pub fn of(bench: &Bench) -> Self {
        match &bench.form {
            Some(form) => Stamp::Form(form.clone()),
            None if bench.clean == bench.poisoned => Stamp::Nothing,
            None => Stamp::Picture(bench.poisoned.clone()),
        }
    }

    /// The clean pixel `x` at this place with the trigger on it.
    pub fn pixel(&self, x: [u8; 3], column: usize, row: usize, strength: f32) -> [u8; 3] {
        match self {
            Stamp::Nothing => x,
            Stamp::Form(form) => form.stamp_pixel(x, column, row, strength),
            Stamp::Picture(stamped) => {
                let Some(wanted) = stamped.bytes.get((row * stamped.width + column) * 4..).filter(|p| p.len() >= 4)
                else {
                    return x;
                };
                let mut mixed = x;
                for (value, wanted) in mixed.iter_mut().zip(wanted) {
                    let from = f32::from(*value);
                    *value = crate::run::trigger_form::to_u8(from + (f32::from(*wanted) - from) * strength);
                }
                mixed
            }
        }
    }

    pub fn picture(&self, clean: &Rgba, strength: f32) -> Rgba {
        match self {
            Stamp::Form(form) => form.stamp(clean, strength),
            _ => {
                let mut stamped = clean.clone();
                for (index, p) in stamped.bytes.chunks_exact_mut(4).enumerate() {
                    let new = self.pixel([p[0], p[1], p[2]], index % clean.width, index / clean.width, strength);
                    p[..3].copy_from_slice(&new);
                }
                stamped
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_picture_is_reached_at_full_strength() {
        let clean = Rgba { width: 2, height: 1, bytes: vec![0, 100, 200, 255, 9, 9, 9, 255] };
        let wanted = Rgba { width: 2, height: 1, bytes: vec![255, 50, 200, 255, 9, 9, 9, 255] };
        let stamp = Stamp::Picture(Arc::new(wanted.clone()));
        assert_eq!(stamp.picture(&clean, 1.0), wanted);
        assert_eq!(stamp.picture(&clean, 0.0), clean);
        assert_eq!(stamp.picture(&clean, 0.5).bytes[..3], [128, 75, 200]);
        assert_eq!(stamp.pixel([1, 2, 3], 7, 7, 1.0), [1, 2, 3], "outside nothing is stamped");
    }
}
