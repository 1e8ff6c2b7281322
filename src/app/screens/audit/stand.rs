//! The patch of a finding on a picture of choice: dragged about, with what the model says of it and where it looks.

use super::weak;
use crate::app::command::{Change, Requests, UserCommand};
use crate::app::stand::{Shown, Stand, StandChange};
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::widgets::{self, PredictionBars, command_button};
use crate::app::{views, words};
use egui::{Label, Ui, WidgetInfo};

pub fn show(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    ui.add_space(t.gap * 0.5);
    ui.label(theme::strong("Try the pattern"));
    let Some(stand) = state.stand() else { return };
    if let Some(problem) = &stand.problem {
        for line in std::iter::once(&problem.headline).chain(&problem.detail).chain(&problem.remedy).take(3) {
            weak(ui, t, line);
        }
        return;
    }
    let Some(shown) = stand.shown() else {
        return weak(ui, t, "The model is being asked…");
    };
    let room = ui.available_width();
    // As large as fits beside the answer and into sight.
    let side = (room * 0.45).min(ui.clip_rect().height() * 0.75).clamp(t.body * 10.0, t.body * 20.0);
    if room > t.body * 26.0 {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = t.gap;
            views::stand_picture(ui, stand, &shown, side, requests);
            ui.vertical(|ui| answer(ui, t, state, stand, &shown, requests));
        });
    } else {
        views::stand_picture(ui, stand, &shown, side, requests);
        answer(ui, t, state, stand, &shown, requests);
    }
}

/// What the model says, and what can be done.
fn answer(ui: &mut Ui, t: &Tokens, state: &State, stand: &Stand, shown: &Shown<'_>, requests: &Requests) {
    let probabilities = shown.said(stand.model, stand.sticker);
    let (classes, label) = (shown.classes, shown.label);
    PredictionBars { title: "The model says", probabilities, classes, label, most: 4 }.show(ui);
    ui.add_space(t.gap * 0.5);
    ui.horizontal_wrapped(|ui| {
        let mut on = stand.sticker;
        let switch = widgets::switch(ui, &mut on, "Pattern");
        if switch.changed() {
            requests.change(stand.asks(StandChange::Sticker(on)));
        }
        switch.on_hover_text("Put the pattern on the picture, or take it off (T)");
        ui.label(if on { "Pattern on" } else { "Pattern off" });
    });
    ui.horizontal_wrapped(|ui| {
        let label = UserCommand::ToggleLook.label();
        if state.offers(UserCommand::ToggleLook) {
            let button = ui.add(egui::Button::new(label).selected(stand.look));
            button.widget_info(|| WidgetInfo::selected(egui::Role::Switch, true, stand.look, label));
            if button.clicked() {
                requests.command(UserCommand::ToggleLook);
            }
            button.on_hover_text(format!("{} (L)", UserCommand::ToggleLook.tooltip()));
        }
        if stand.last_place().is_some() {
            let help =
                "Drag it on the picture, or press here and use the arrow keys (with Shift five pixels at a time)";
            if ui.button("Move the pattern").on_hover_text(help).clicked() {
                requests.change(stand.asks(StandChange::Sticker(true)));
                ui.memory_mut(|memory| memory.request_focus(views::sticker_id()));
            }
        }
        if let Some(scene) = state.polarized_audit() {
            let help = "The layer that was inserted into this model: what it holds back of the pattern, and a dial that \
                        turns it up and down";
            if ui.button(UserCommand::LookThrough.label()).on_hover_text(help).clicked() {
                requests.change(Change::LookThrough(scene));
            }
        }
        if stand.place.is_some() && ui.button("Back to where it was found").clicked() {
            requests.change(stand.asks(StandChange::Place(None)));
        }
        if stand.photo.is_some() && ui.button("Put my picture away").clicked() {
            requests.change(stand.asks(StandChange::PutPhotoAway));
        }
    });
    ui.horizontal_wrapped(|ui| {
        command_button(ui, state, requests, UserCommand::PreviousPicture);
        command_button(ui, state, requests, UserCommand::NextPicture);
        let which = match stand.photo {
            Some(_) => "yours".to_owned(),
            None => format!("{} of {}", stand.index + 1, stand.predictions.len()),
        };
        ui.label(which);
    });
    ui.add_space(t.gap * 0.25);
    if let Some(sentence) = stand.sentence() {
        let label = ui.add(Label::new(theme::strong(sentence)).wrap());
        let told = stand.change_words().unwrap_or_default();
        ui.ctx().accesskit_node_builder(label.id, |node| {
            node.set_live(egui::accesskit::Live::Polite);
            node.set_description(told);
        });
    }
    weak(ui, t, remark(stand, shown));
}

/// What else there is to know about what is shown.
fn remark(stand: &Stand, shown: &Shown<'_>) -> String {
    if let Some(heat) = stand.heat() {
        return words::heat(heat, shown.classes);
    }
    if stand.look {
        return "Covering the picture piece by piece…".to_owned();
    }
    if let Some(photo) = &stand.photo {
        return photo
            .answer
            .as_ref()
            .map_or_else(|| "Looking at your picture…".to_owned(), |photo| photo.remark.clone());
    }
    if stand.last_place().is_none() {
        return "This pattern is spread over the whole picture, so it cannot be moved. Drop a picture of your own here to \
                try it on that."
            .to_owned();
    }
    "Drag the pattern over the picture and see what the model says. Drop a picture of your own here to try it on that."
        .to_owned()
}
