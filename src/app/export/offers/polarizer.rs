//! What the Polarizer screen has to save.

use super::{RATES, SHARE, figure, picture, table};
use crate::app::export::Offer;
use crate::app::export::figure::{Cells, Curve, Figure, Marks, Unit};
use crate::app::export::table::{Table, number};
use crate::app::polarizer::{STEPS, percent};
use crate::app::state::State;
use crate::app::theme::ColourMap;
use crate::app::views::polarizer::map_sheet;
use crate::app::views::{metric_role, metric_title};
use crate::run::polarizer::{DialPoint, PolarizerView};
use std::sync::Arc;

/// The rates along the dial, the layer as a map, the light in its channels, and the chosen picture.
pub fn offers(state: &State) -> Vec<Offer> {
    let polarizer = &state.polarizer;
    let Some(view) = &polarizer.view else {
        return Vec::new();
    };
    let [clean, stamped] = view.measured;
    let caption = format!(
        "{}; network: {}; {}; layer behind {}; {clean} clean and {stamped} stamped test pictures.",
        view.experiment, view.network, view.model, view.site
    );
    let mut offers = vec![
        figure("Rates along the dial", &caption, along_the_dial(state)),
        figure("The layer minus the identity", &caption, layer(view)),
        table("Light per channel", &caption, light(view, polarizer.strength() as f32)),
    ];
    if let Some(specimen) = polarizer.specimen() {
        let maps = Arc::new(map_sheet(view, specimen, polarizer.strength() as f32));
        let channels: Vec<_> = view.shown.iter().map(usize::to_string).collect();
        let rows = format!(
            "{caption} Feature maps of channels {}; from above clean before the layer and at {} %, stamped before and at \
             {} %. Grey is usual in clean pictures.",
            channels.join(", "),
            percent(polarizer.step),
            percent(polarizer.step)
        );
        offers.push(picture("Feature maps", &rows, &maps));
        offers.push(picture("Picture with the trigger", &caption, &specimen.stamped));
        offers.push(picture("Picture without the trigger", &caption, &specimen.clean));
    }
    offers
}

fn rate(point: &DialPoint, metric: &str) -> Option<f64> {
    match metric {
        "acc" => Some(point.scores.acc),
        "asr" => point.scores.asr,
        _ => point.scores.ra,
    }
}

/// Only what was measured is drawn.
fn along_the_dial(state: &State) -> Figure {
    let curve = |metric: &str| {
        let measured = (0..=STEPS).filter_map(|step| {
            let value = rate(state.polarizer.point(step)?, metric)?;
            Some([percent(step) as f64, value])
        });
        let stretches = vec![measured.collect()];
        Curve { name: metric_title(metric).0.to_owned(), role: metric_role(metric), stretches, band: Vec::new() }
    };
    Figure {
        title: "Turning the polarizer up".to_owned(),
        x_label: "strength of the polarizer, %".to_owned(),
        y_label: SHARE.to_owned(),
        unit: Unit::Percent,
        marks: Marks::Curves(RATES.into_iter().map(curve).collect()),
        starts: Vec::new(),
        points: Vec::new(),
        names: Vec::new(),
    }
}

fn layer(view: &PolarizerView) -> Figure {
    let matrix = &view.matrix;
    let cells =
        (0..matrix.channels).flat_map(|out| (0..matrix.channels).map(move |input| matrix.difference(out, input)));
    let values: Vec<f32> = cells.collect();
    Figure {
        title: "What the layer changes: its matrix minus the identity".to_owned(),
        x_label: "channel that arrives".to_owned(),
        y_label: "channel that leaves".to_owned(),
        unit: Unit::Plain,
        marks: Marks::Cells(Cells {
            width: matrix.channels,
            height: matrix.channels,
            map: ColourMap::signed(&values),
            values: values.into(),
            names: Default::default(),
        }),
        starts: Vec::new(),
        points: Vec::new(),
        names: Vec::new(),
    }
}

fn light(view: &PolarizerView, strength: f32) -> Table {
    let head = [
        "channel",
        "clean_before",
        "clean_after",
        "stamped_before",
        "stamped_after",
        "trigger_before",
        "trigger_after",
    ];
    let rows = view.channels.iter().enumerate().map(|(channel, light)| {
        let energies = [light.clean, light.stamped, light.trigger];
        let values = energies.into_iter().flat_map(|energy| [energy.before, energy.at(strength)]);
        [channel.to_string()].into_iter().chain(values.map(|value| number(Some(value.into())))).collect()
    });
    Table::new(&head, rows)
}
