//! What turns a clean picture into its stamped twin, without the engine.

use crate::run::TriggerForm;
use crate::run::event::{Bench, Rgba};
use crate::run::trigger_form::{Pixels, to_u8};
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

    /// The pixel at this column and row of `clean` with the trigger on it.
    pub fn pixel(&self, clean: Pixels<'_>, column: usize, row: usize, strength: f32) -> [u8; 3] {
        match self {
            Stamp::Nothing => clean.at(column, row),
            Stamp::Form(form) => form.stamp_pixel(clean, column, row, strength),
            Stamp::Picture(stamped) => {
                let x = clean.at(column, row);
                let [column, row] = clean.place(column, row);
                if column >= stamped.width || row >= stamped.height {
                    return x;
                }
                let wanted = stamped.pixels().at(column, row);
                std::array::from_fn(|channel| {
                    let from = f32::from(x[channel]);
                    to_u8(from + (f32::from(wanted[channel]) - from) * strength)
                })
            }
        }
    }

    pub fn picture(&self, clean: &Rgba, strength: f32) -> Rgba {
        let mut stamped = clean.clone();
        for (index, pixel) in stamped.bytes.chunks_exact_mut(4).enumerate() {
            let new = self.pixel(clean.pixels(), index % clean.width, index / clean.width, strength);
            pixel[..3].copy_from_slice(&new);
        }
        stamped
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
        let wider = Rgba { width: 3, height: 1, bytes: vec![1; 12] };
        assert_eq!(stamp.pixel(wider.pixels(), 2, 0, 1.0), [1; 3], "outside nothing is stamped");
    }
}
