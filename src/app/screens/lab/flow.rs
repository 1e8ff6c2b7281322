//! The flow: data, network, attack, training, defenses, as cards from left to right.

use super::{Lab, Step, defense};
use crate::app::lessons::DEFENSES;
use crate::app::state::State;
use crate::app::theme::{self, Role, Tokens};
use crate::app::words;
use crate::experiment::Pick;
use crate::experiment::spec::Experiment;
use egui::{CornerRadius, RichText, ScrollArea, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

/// More would not fit into a comparison that anybody reads.
const MOST_DEFENSES: usize = 12;

pub fn show(ui: &mut Ui, t: &Tokens, state: &State, lab: &mut Lab, experiment: &mut Experiment) {
    let cards = 5 + experiment.defense.len().saturating_sub(1);
    let arrow = t.body * 1.4;
    let add = t.control * 2.6;
    let room = ui.available_width() - add - arrow * (cards as f32 - 1.0) - t.gap * 2.0;
    let size = vec2((room / cards as f32).clamp(t.body * 8.0, t.body * 15.0), t.body * 5.2);
    ScrollArea::horizontal().id_salt("flow").show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            let rows = experiment.data.train_rows;
            let data_line =
                if rows == 0 { "all pictures".to_owned() } else { format!("{} pictures", words::count(rows as u64)) };
            let source = short_source(&experiment.data.source);
            card(ui, t, lab, Step::Data, "Data", &source, &data_line, Role::Clean, size);
            join(ui, t, arrow, size.y);
            let network = name_of(state, &experiment.network);
            card(ui, t, lab, Step::Network, "Network", &network, &changes(&experiment.network), Role::Other, size);
            join(ui, t, arrow, size.y);
            let (attack, line) = match &experiment.attack {
                Some(pick) => (name_of(state, pick), changes(pick)),
                None => ("None".to_owned(), "clean training".to_owned()),
            };
            card(ui, t, lab, Step::Attack, "Attack", &attack, &line, Role::Attacked, size);
            join(ui, t, arrow, size.y);
            let train = &experiment.train;
            let epochs = format!("{} epoch{}", train.epochs, if train.epochs == 1 { "" } else { "s" });
            let rate = format!("learning rate {}", train.learning_rate);
            card(ui, t, lab, Step::Training, "Training", &epochs, &rate, Role::Other, size);
            for (index, pick) in experiment.defense.iter().enumerate() {
                join(ui, t, arrow, size.y);
                let title =
                    if experiment.defense.len() > 1 { format!("Defense {}", index + 1) } else { "Defense".to_owned() };
                let name = name_of(state, pick);
                card(ui, t, lab, Step::Defense(index), &title, &name, &changes(pick), Role::Repaired, size);
            }
            if state.classroom.hides_field(DEFENSES) {
                return;
            }
            ui.add_space(t.gap);
            let button = egui::Button::new("Add defense").wrap().min_size(vec2(add, size.y));
            let full = experiment.defense.len() >= MOST_DEFENSES;
            let response = ui.add_enabled(!full, button);
            let help = "Repairs start from the same attacked model; a defense that trains gets the same poisoned data";
            if response.on_hover_text(help).clicked()
                && let Some(pick) = defense::first_suitable(state)
            {
                experiment.defense.push(pick);
                lab.step = Step::Defense(experiment.defense.len() - 1);
            }
        });
    });
}

#[expect(clippy::too_many_arguments, reason = "one card of a drawing")]
fn card(
    ui: &mut Ui,
    t: &Tokens,
    lab: &mut Lab,
    step: Step,
    title: &str,
    name: &str,
    line: &str,
    role: Role,
    size: egui::Vec2,
) {
    let chosen = lab.step == step;
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::selected(egui::Role::Tab, ui.is_enabled(), chosen, format!("{title}: {name}")));
    let fill = if chosen {
        t.accent_soft
    } else if response.hovered() {
        t.button
    } else {
        t.card
    };
    let edge = if response.has_focus() || chosen { Stroke::new(2.0, t.accent) } else { Stroke::new(1.0, t.line) };
    let radius = CornerRadius::same(t.radius);
    ui.painter().rect(rect, radius, fill, edge, StrokeKind::Inside);
    let mut band = rect.shrink(2.0);
    band.set_height(4.0);
    ui.painter().rect_filled(band, CornerRadius::same(2), t.role(role));
    let inner = rect.shrink2(vec2(t.body * 0.7, t.body * 0.45));
    let mut content =
        ui.new_child(egui::UiBuilder::new().max_rect(inner).layout(egui::Layout::top_down(egui::Align::LEFT)));
    content.spacing_mut().item_spacing.y = 1.0;
    content.add_space(2.0);
    let weak = |text: &str| RichText::new(text).size(t.small).color(t.text_weak);
    for text in [weak(title), theme::strong(name), weak(line)] {
        content.add(egui::Label::new(text).truncate());
    }
    if response.clicked() {
        lab.step = step;
    }
}

/// An arrow between two cards.
fn join(ui: &mut Ui, t: &Tokens, width: f32, height: f32) {
    let (rect, _) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
    let stroke = Stroke::new(1.6, t.line_strong);
    let (from, to) = (pos2(rect.left() + 3.0, rect.center().y), pos2(rect.right() - 3.0, rect.center().y));
    ui.painter().line_segment([from, to], stroke);
    let tip = t.body * 0.3;
    ui.painter().line(vec![to + vec2(-tip, -tip), to, to + vec2(-tip, tip)], stroke);
}

fn name_of(state: &State, pick: &Pick) -> String {
    state.method(&pick.id).map_or_else(|| pick.id.clone(), |method| method.name.to_owned())
}

/// What differs from the method's defaults, in one line.
fn changes(pick: &Pick) -> String {
    if pick.options.is_empty() {
        return "with its defaults".to_owned();
    }
    let said = pick.options.iter().map(|(key, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{} {value}", key.replace('_', " "))
    });
    said.collect::<Vec<_>>().join(", ")
}

/// The last part of a path; a name stays a name.
fn short_source(source: &str) -> String {
    std::path::Path::new(source)
        .file_name()
        .map_or_else(|| source.to_owned(), |name| name.to_string_lossy().into_owned())
}
