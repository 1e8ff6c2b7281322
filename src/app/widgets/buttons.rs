//! Buttons made from commands, and the choices of forms.

use crate::app::command::{Change, Requests, UserCommand};
use crate::app::export::ExportChange;
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use egui::{Button, Color32, CornerRadius, Response, RichText, Sense, Ui, WidgetInfo, vec2};

/// A command's button: its words, its explanation, its keys; dimmed when it can do nothing.
pub fn command_button(ui: &mut Ui, state: &State, requests: &Requests, command: UserCommand) -> Response {
    add_command(ui, state, requests, command, command.label(), |text, _| Button::new(text))
}

/// Opens the export dialog on the view of this title (see `export::offers`).
pub fn export_button(ui: &mut Ui, requests: &Requests, title: &str) -> Response {
    let help = format!("Save “{title}” as a file (Ctrl+E for the main view)");
    let response = ui.button("Export").on_hover_text(help).accessible_name(format!("Export {title}"));
    if response.clicked() {
        requests.change(Change::Export(ExportChange::Open(Some(title.to_owned()))));
    }
    response
}

/// Shows the plot of this title (see `export::offers`) as a table.
pub fn table_button(ui: &mut Ui, requests: &Requests, title: &str) -> Response {
    let help = format!("Show “{title}” as a table: the same points, to read and to save");
    let response = ui.button("Table").on_hover_text(help).accessible_name(format!("Show {title} as table"));
    if response.clicked() {
        requests.change(Change::Read(Some(title.to_owned())));
    }
    response
}

/// The one main button of a screen.
pub fn main_button(ui: &mut Ui, state: &State, requests: &Requests, command: UserCommand) -> Response {
    add_command(ui, state, requests, command, command.label(), |text, t| {
        Button::new(text.color(t.on_accent)).fill(t.accent).min_size(vec2(t.control * 4.0, t.control * 1.25))
    })
}

fn add_command<'a>(
    ui: &mut Ui,
    state: &State,
    requests: &Requests,
    command: UserCommand,
    label: &str,
    make: impl FnOnce(RichText, &Tokens) -> Button<'a>,
) -> Response {
    if !state.offers(command) {
        return ui.allocate_response(egui::Vec2::ZERO, Sense::hover());
    }
    let t = theme::of(ui);
    let button = make(theme::strong(label), &t);
    let response = ui.add_enabled(state.enabled(command), button);
    if response.clicked() {
        requests.command(command);
    }
    let keys = command.shortcut().map(|shortcut| format!(" ({})", ui.ctx().format_shortcut(&shortcut)));
    let help = format!("{}{}", command.tooltip(), keys.unwrap_or_default());
    response.on_hover_text(&help).on_disabled_hover_text(help)
}

/// On or off, with its words beside it.
pub fn switch(ui: &mut Ui, on: &mut bool, label: &str) -> Response {
    let t = theme::of(ui);
    let size = vec2(t.control * 1.35, t.control * 0.72);
    let (rect, mut response) = ui.allocate_exact_size(size, Sense::click());
    if response.clicked() {
        *on = !*on;
        response.mark_changed();
    }
    response.widget_info(|| WidgetInfo::selected(egui::Role::Switch, ui.is_enabled(), *on, label));
    if ui.is_rect_visible(rect) {
        let how_on = ui.ctx().animate_bool(response.id, *on);
        let radius = rect.height() / 2.0;
        let visuals = ui.style().interact_selectable(&response, *on);
        let fill = if *on { t.accent } else { t.button };
        let edge = if response.has_focus() { visuals.bg_stroke } else { egui::Stroke::new(1.0, t.line_strong) };
        ui.painter().rect(rect, CornerRadius::same(radius as u8), fill, edge, egui::StrokeKind::Inside);
        let x = egui::lerp(rect.left() + radius..=rect.right() - radius, how_on);
        let knob: Color32 = if *on { t.on_accent } else { t.text_weak };
        ui.painter().circle_filled(egui::pos2(x, rect.center().y), radius * 0.66, knob);
    }
    response
}

/// A few choices side by side; returns the index that was clicked. `name` says what is chosen.
pub fn segmented(ui: &mut Ui, name: &str, choices: &[(String, String)], selected: Option<usize>) -> Option<usize> {
    let t = theme::of(ui);
    let mut clicked = None;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
        for (index, (label, help)) in choices.iter().enumerate() {
            let chosen = selected == Some(index);
            let text = RichText::new(label).color(if chosen { t.on_accent } else { t.text });
            let mut button = Button::new(text).selected(chosen);
            if chosen {
                button = button.fill(t.accent);
            }
            let response = ui.add(button);
            response.widget_info(|| {
                WidgetInfo::selected(egui::Role::RadioButton, true, chosen, format!("{name}: {label}"))
            });
            if response.clicked() {
                clicked = Some(index);
            }
            if !help.is_empty() {
                response.on_hover_text(help);
            }
        }
    });
    clicked
}
