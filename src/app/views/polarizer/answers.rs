//! The chosen picture, clean and stamped, and what the network says about both where the dial stands.

use crate::app::polarizer::{Polarizer, percent};
use crate::app::theme;
use crate::app::widgets::{PredictionBars, picture_tile};
use crate::run::polarizer::Specimen;
use egui::{RichText, Ui};

/// Two columns: picture and bars without and with the trigger; pictures are `side` points wide.
pub fn answers(ui: &mut Ui, polarizer: &Polarizer, specimen: &Specimen, classes: &[String], side: f32, most: usize) {
    let t = theme::of(ui);
    let truth = classes.get(specimen.label).map_or("unknown", String::as_str);
    let shown = polarizer.shown();
    ui.spacing_mut().item_spacing.x = t.pad * 1.5;
    ui.columns(2, |columns| {
        for (stamped, ui) in columns.iter_mut().enumerate() {
            let with = format!("With the {}", polarizer.trigger());
            let (picture, title) =
                if stamped == 1 { (&specimen.stamped, with.as_str()) } else { (&specimen.clean, "Clean") };
            let name = format!("Picture {} of the class “{truth}”: {}", specimen.row, title.to_lowercase());
            ui.vertical_centered(|ui| picture_tile(ui, picture, side, "", &name).on_hover_text(&name));
            ui.add_space(t.gap * 0.3);
            if let Some(probabilities) = shown.and_then(|(_, point)| point.answers.get(polarizer.index)) {
                let bars = PredictionBars {
                    title,
                    probabilities: &probabilities[stamped],
                    classes,
                    label: Some(specimen.label),
                    most,
                };
                bars.show(ui);
            }
        }
    });
    let remark = match shown {
        Some((step, _)) if step == polarizer.step => String::new(),
        Some((step, _)) => format!("At {} %; {} % is being measured…", percent(step), percent(polarizer.step)),
        None => "The network's answers are being measured…".to_owned(),
    };
    if !remark.is_empty() {
        ui.label(RichText::new(remark).size(t.small).color(t.text_weak));
    }
}
