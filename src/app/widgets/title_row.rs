//! The head of a screen: its title, and what can be done.

use crate::app::theme;
use egui::{Align, Layout, Ui};

/// A title on the left and buttons on the right, the last one first; two rows where the screen is not `letters` wide.
pub fn title_row(ui: &mut Ui, letters: f32, title: impl FnOnce(&mut Ui), buttons: impl FnOnce(&mut Ui)) {
    let t = theme::of(ui);
    let to_the_right = Layout::right_to_left(Align::Center);
    if ui.available_width() > t.body * letters {
        ui.horizontal(|ui| {
            ui.set_min_height(t.control);
            title(ui);
            ui.with_layout(to_the_right, buttons);
        });
    } else {
        ui.horizontal(title);
        ui.horizontal(|ui| ui.with_layout(to_the_right, buttons));
    }
}
