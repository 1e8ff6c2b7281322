//! What the trigger bench has to save.

use super::{caption_of, figure, picture, table};
use crate::app::export::figure::{Cells, Figure, Marks, Unit};
use crate::app::export::table::{Table, number};
use crate::app::export::{Offer, poison};
use crate::app::state::State;
use crate::app::theme::ColourMap;
use crate::experiment::check;

/// The picture with and without the trigger, and what is said about them.
pub fn offers(state: &State) -> Vec<Offer> {
    let (Some(shown), Some(study)) = (&state.bench.shown, state.bench.figures()) else {
        return Vec::new();
    };
    let strength = format!(" Trigger at {:.0} %; picture {} of the test set.", state.bench.strength * 100.0, shown.row);
    let caption = caption_of(state, &check::resolve(state.draft.experiment(), state.methods), &[]) + &strength;
    let quality = &study.quality;
    let figures = [
        ("largest change, levels", f64::from(quality.l_inf)),
        ("L2", quality.l2),
        ("PSNR, dB", quality.psnr),
        ("SSIM", quality.ssim),
        ("changed pixels", quality.changed as f64),
        ("pixels", quality.pixels as f64),
    ];
    let rows = figures.into_iter().map(|(name, value)| vec![name.to_owned(), number(Some(value))]);
    let mut offers = vec![
        picture("Picture with the trigger", &caption, &study.poisoned),
        picture("Picture without the trigger", &caption, &shown.clean),
        table("How visible the trigger is", &caption, Table::new(&["figure", "value"], rows)),
    ];
    for (title, spectrum) in [("Spectrum of the change", &study.change), ("Spectrum with the trigger", &study.stamped)]
    {
        offers.push(figure(
            title,
            &caption,
            Figure {
                title: title.to_owned(),
                x_label: "frequency across, zero in the middle".to_owned(),
                y_label: "frequency down".to_owned(),
                unit: Unit::Plain,
                marks: Marks::Cells(Cells {
                    width: spectrum.width,
                    height: spectrum.height,
                    values: spectrum.values.clone(),
                    map: ColourMap::amounts(&spectrum.values),
                    names: Default::default(),
                }),
                starts: Vec::new(),
                points: Vec::new(),
                names: Vec::new(),
            },
        ));
    }
    offers.extend(poison::of_draft(state, &caption));
    offers
}
