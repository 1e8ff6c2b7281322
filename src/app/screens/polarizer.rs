//! Polarizer: the picture that the program is named after. One inserted layer, what it does to the light of clean and of
//! stamped pictures, and a dial that turns it up and down while everything follows.

use crate::app::command::{Change, Requests, UserCommand};
use crate::app::polarizer::{Polarizer, STEPS, percent};
use crate::app::state::{State, top};
use crate::app::theme::{self, Tokens};
use crate::app::views::polarizer::{
    Beam, Light, MANY, MapTiles, MatrixMemory, Showing, answers, feature_maps, legend_height, matrix, network,
    strength_curves,
};
use crate::app::widgets::{self, Dial, command_button, main_button};
use crate::run::event::Scene;
use crate::run::folder::name_of;
use crate::run::polarizer::PolarizerView;
use egui::{ComboBox, RichText, ScrollArea, Ui, vec2};
use std::sync::Arc;

/// What the screen remembers about drawing.
#[derive(Debug, Default)]
pub struct Page {
    light: Light,
    /// All channels of a large matrix.
    all: bool,
    /// The channel under the pointer: marked wherever it appears.
    marked: Option<usize>,
    matrix: MatrixMemory,
    maps: MapTiles,
}

pub fn show(ui: &mut Ui, state: &State, page: &mut Page, requests: &Requests) {
    let t = theme::of(ui);
    let polarizer = &state.polarizer;
    header(ui, &t, state, requests);
    let Some(view) = &polarizer.view else {
        let area = egui::ScrollArea::vertical().id_salt("no polarizer").auto_shrink(false);
        return area.show(ui, |ui| empty(ui, state, requests)).inner;
    };
    if let Some(problem) = &polarizer.problem {
        widgets::problem_card(ui, requests, problem, 1, false, None);
    }
    let mut hovered = None;
    let total = ui.available_size();
    if total.x > t.body * 70.0 {
        wide(ui, &t, polarizer, view, page, &mut hovered, requests);
    } else {
        narrow(ui, &t, polarizer, view, page, &mut hovered, requests);
    }
    if page.marked != hovered {
        page.marked = hovered;
        // The other views learn of it in the next frame.
        ui.ctx().request_repaint();
    }
}

/// Title, whose polarizer it is, and the pictures.
fn header(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let polarizer = &state.polarizer;
    let title = |ui: &mut Ui| {
        ui.label(theme::title(t, "Polarizer"));
        choose_run(ui, t, state, requests);
        if let Some(view) = polarizer.view.as_ref().filter(|_| ui.available_width() > t.body * 40.0) {
            let place = format!("{}, {}", view.network, view.site);
            ui.label(RichText::new(place).color(t.text_weak)).on_hover_text(&view.layer);
        }
    };
    let turn = |ui: &mut Ui| {
        command_button(ui, state, requests, UserCommand::NextPicture);
        let count = polarizer.view.as_ref().map_or(0, |view| view.pictures.len());
        if count > 0 {
            ui.label(format!("{} of {count}", polarizer.index + 1));
        }
        command_button(ui, state, requests, UserCommand::PreviousPicture);
    };
    widgets::title_row(ui, 48.0, title, turn);
}

/// The demo, the audit on the screen, and every finished run with a polarizer.
fn choose_run(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    const DEMO: &str = "Built-in demo";
    let chosen = &state.polarizer.scene;
    let has_one = |row: &&crate::run::index::RunRow| row.results.iter().any(|result| result.method == "npd");
    let runs: Vec<_> = state.runs.rows.iter().filter(has_one).collect();
    let name = match chosen.run() {
        None => DEMO.to_owned(),
        Some(folder) => {
            let listed = state.runs.rows.iter().find(|row| row.path == *folder).map(|row| row.name.clone());
            let told = || Some(state.polarizer.view.as_ref()?.experiment.clone()).filter(|name| !name.is_empty());
            listed.or_else(told).unwrap_or_else(|| name_of(folder))
        }
    };
    let choose = |ui: &mut Ui, scene: Scene, name: &str| {
        if ui.selectable_label(scene == *chosen, name).clicked() {
            requests.change(Change::LookThrough(scene));
        }
    };
    let width = (ui.available_width() - t.body).min(t.body * 20.0).max(t.body * 8.0);
    let combo = ComboBox::from_id_salt("whose polarizer").width(width).truncate().selected_text(name);
    let response = combo.show_ui(ui, |ui| {
        choose(ui, Scene::Demo, DEMO);
        if let (Some(scene), Some(audit)) = (state.polarized_audit(), &state.job) {
            choose(ui, scene, &audit.title);
        }
        for row in runs {
            choose(ui, Scene::Run(row.path.clone()), &row.name);
        }
    });
    response
        .response
        .accessible_name("Whose polarizer")
        .on_hover_text("The demo's polarizer, that of the audit on the screen, or that of one of your runs");
}

fn empty(ui: &mut Ui, state: &State, requests: &Requests) {
    match &state.polarizer.problem {
        Some(problem) => {
            widgets::problem_card(ui, requests, problem, 1, true, None);
            let demo = "The built-in demo has one.";
            widgets::empty_state(ui, "There is no polarizer to look through", demo, |ui| {
                main_button(ui, state, requests, UserCommand::LookThrough);
            });
        }
        None => {
            let what = "It is one small layer in a finished network.";
            widgets::empty_state(ui, "Opening the polarizer…", what, |_| {});
        }
    }
}

/// Three columns below the network: how much of it, the layer, the picture.
fn wide(
    ui: &mut Ui,
    t: &Tokens,
    polarizer: &Polarizer,
    view: &Arc<PolarizerView>,
    page: &mut Page,
    hovered: &mut Option<usize>,
    requests: &Requests,
) {
    let total = ui.available_size();
    ScrollArea::vertical().id_salt("polarizer").auto_shrink(false).show(ui, |ui| {
        let top = ui.cursor().top();
        network_card(ui, t, polarizer, view, (total.y * 0.17).clamp(t.body * 7.6, t.body * 13.0));
        let height = (total.y - (ui.cursor().top() - top) - 2.0).max(t.body * 30.0);
        let width = ui.available_width() - 2.0 * t.pad;
        let shares = [0.27, 0.37, 0.36];
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = t.pad;
            for (index, share) in shares.into_iter().enumerate() {
                let size = vec2(width * share, height);
                ui.allocate_ui_with_layout(size, egui::Layout::top_down(egui::Align::LEFT), |ui| {
                    card_of_height(ui, t, height, |ui| match index {
                        0 => strength_column(ui, t, polarizer, requests),
                        1 => layer_column(ui, t, polarizer, view, page, hovered, requests),
                        _ => picture_column(ui, t, polarizer, view, page, hovered),
                    });
                });
            }
        });
    });
}

/// One below the other; what matters most in a lecture comes first.
fn narrow(
    ui: &mut Ui,
    t: &Tokens,
    polarizer: &Polarizer,
    view: &Arc<PolarizerView>,
    page: &mut Page,
    hovered: &mut Option<usize>,
    requests: &Requests,
) {
    ScrollArea::vertical().id_salt("polarizer").auto_shrink(false).show(ui, |ui| {
        network_card(ui, t, polarizer, view, t.body * 6.8);
        ui.add_space(t.gap * 0.5);
        theme::card(t).show(ui, |ui| {
            ui.set_width(ui.available_width());
            sentence(ui, polarizer);
            let side = (ui.available_width() * 0.32).min(t.body * 13.0);
            let column = egui::Layout::top_down(egui::Align::LEFT);
            ui.horizontal_top(|ui| {
                ui.allocate_ui_with_layout(vec2(side, side), column, |ui| dial(ui, t, polarizer, side, requests));
                ui.allocate_ui_with_layout(vec2(ui.available_width(), side), column, |ui| {
                    if let Some(specimen) = polarizer.specimen() {
                        let picture = (side - t.body * 1.45 * 4.1 - t.gap).max(t.body * 4.0);
                        answers(ui, polarizer, specimen, &view.classes, picture, 3);
                    }
                });
            });
        });
        ui.add_space(t.gap * 0.5);
        theme::card(t).show(ui, |ui| {
            ui.set_width(ui.available_width());
            strength_curves(ui, polarizer, t.body * 14.0, requests);
        });
        ui.add_space(t.gap * 0.5);
        widgets::section(ui, "Its features", "", |ui| {
            feature_maps(ui, polarizer, &mut page.maps, f32::INFINITY, page.marked, hovered);
        });
        ui.add_space(t.gap * 0.5);
        theme::card(t).show(ui, |ui| {
            ui.set_width(ui.available_width());
            layer_head(ui, t, view, page, requests);
            let height = (ui.available_width() * 1.02).min(t.body * 50.0);
            layer(ui, polarizer, view, page, hovered, height);
        });
    });
}

fn card_of_height(ui: &mut Ui, t: &Tokens, height: f32, content: impl FnOnce(&mut Ui)) {
    theme::card(t).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.set_height(height - 2.0 * t.pad - 2.0);
        content(ui);
    });
}

fn network_card(ui: &mut Ui, t: &Tokens, polarizer: &Polarizer, view: &PolarizerView, height: f32) {
    theme::card(t).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let point = polarizer.point(polarizer.step);
        let said = point.and_then(|point| top(&point.answers.get(polarizer.index)?[1]));
        let answer = said.and_then(|class| view.classes.get(class)).map_or("…", String::as_str);
        let beam = Beam {
            trigger: view.trigger(),
            picture: polarizer.specimen().map(|specimen| &specimen.stamped),
            strength: polarizer.strength() as f32,
            leak: polarizer.leak(),
            asr: point.and_then(|point| point.scores.asr),
            answer,
        };
        network(ui, view, &beam, height);
    });
}

fn dial(ui: &mut Ui, t: &Tokens, polarizer: &Polarizer, side: f32, requests: &Requests) {
    let known = |step: usize| polarizer.point(step).is_some();
    let glow = polarizer.leak();
    let dial = Dial { name: "Polarizer strength", step: polarizer.step, steps: STEPS, known: &known, glow };
    if let Some(step) = dial.show(ui, side.max(t.body * 7.0)) {
        requests.change(Change::Dial(step));
    }
}

/// What the dial shows, in words.
fn sentence(ui: &mut Ui, polarizer: &Polarizer) {
    let text = polarizer.sentence().unwrap_or_else(|| format!("Measuring at {} %…", percent(polarizer.step)));
    let response = ui.add(egui::Label::new(theme::strong(text)).wrap());
    if let Some(basis) = polarizer.basis() {
        response.on_hover_text(&basis);
    }
}

fn strength_column(ui: &mut Ui, t: &Tokens, polarizer: &Polarizer, requests: &Requests) {
    let bottom = ui.max_rect().bottom();
    let side = (ui.available_height() * 0.36).clamp(t.body * 9.0, ui.available_width());
    ui.vertical_centered(|ui| dial(ui, t, polarizer, side, requests));
    sentence(ui, polarizer);
    let left = bottom - ui.cursor().top() - legend_height(t);
    strength_curves(ui, polarizer, left.max(t.body * 7.0), requests);
}

fn layer_column(
    ui: &mut Ui,
    t: &Tokens,
    polarizer: &Polarizer,
    view: &Arc<PolarizerView>,
    page: &mut Page,
    hovered: &mut Option<usize>,
    requests: &Requests,
) {
    let bottom = ui.max_rect().bottom();
    layer_head(ui, t, view, page, requests);
    let left = bottom - ui.cursor().top();
    layer(ui, polarizer, view, page, hovered, left.max(t.body * 20.0));
}

/// Title, what is folded, and the choice of light.
fn layer_head(ui: &mut Ui, t: &Tokens, view: &PolarizerView, page: &mut Page, requests: &Requests) {
    ui.horizontal_wrapped(|ui| {
        ui.label(theme::strong("The layer").size(t.heading)).on_hover_text(&view.layer);
        let choices = Light::ALL.map(|light| (light.name().to_owned(), light.meaning().to_owned()));
        let chosen = Light::ALL.iter().position(|light| *light == page.light);
        if let Some(light) = widgets::segmented(ui, "Bars", &choices, chosen).and_then(|index| Light::ALL.get(index)) {
            page.light = *light;
        }
        if view.matrix.channels > MANY {
            let whole = format!("All {} channels", view.matrix.channels);
            ui.checkbox(&mut page.all, whole).on_hover_text("Otherwise the 64 channels that it dims most");
        }
        widgets::table_button(ui, requests, "The layer minus the identity");
    });
}

fn layer(
    ui: &mut Ui,
    polarizer: &Polarizer,
    view: &Arc<PolarizerView>,
    page: &mut Page,
    hovered: &mut Option<usize>,
    height: f32,
) {
    let strength = polarizer.strength() as f32;
    let showing = Showing { light: page.light, all: page.all, strength, marked: page.marked };
    matrix(ui, view, &mut page.matrix, &showing, height, hovered);
}

fn picture_column(
    ui: &mut Ui,
    t: &Tokens,
    polarizer: &Polarizer,
    view: &PolarizerView,
    page: &mut Page,
    hovered: &mut Option<usize>,
) {
    let Some(specimen) = polarizer.specimen() else {
        return;
    };
    let bottom = ui.max_rect().bottom();
    let bars = t.body * 1.45 * 4.1;
    let side = (ui.available_height() * 0.46 - bars).clamp(t.body * 5.0, ui.available_width() * 0.42);
    answers(ui, polarizer, specimen, &view.classes, side, 3);
    ui.add_space(t.gap * 0.5);
    ui.label(theme::strong("Its features, before and behind the polarizer"));
    let left = bottom - ui.cursor().top();
    feature_maps(ui, polarizer, &mut page.maps, left, page.marked, hovered);
}
