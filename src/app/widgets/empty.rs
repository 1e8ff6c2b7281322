//! What a place says while there is nothing to show: what will be here, and what to do next.

use crate::app::theme;
use egui::{RichText, Ui};

/// A headline, a sentence, and whatever buttons help.
pub fn empty_state(ui: &mut Ui, headline: &str, sentence: &str, buttons: impl FnOnce(&mut Ui)) {
    let t = theme::of(ui);
    ui.vertical_centered(|ui| {
        ui.add_space((ui.available_height() * 0.25).clamp(t.pad, 160.0));
        ui.label(theme::strong(headline).size(t.heading));
        ui.label(RichText::new(sentence).color(t.text_weak));
        ui.add_space(t.gap);
        buttons(ui);
    });
}
