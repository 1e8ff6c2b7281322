//! Before an audit: the model, the pictures, the checks.

use super::{ask, steps, weak};
use crate::app::audit::{Audit, AuditChange, BUILT_IN_PICTURES, DEMO_MODEL};
use crate::app::command::{Change, Requests, UserCommand};
use crate::app::form;
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::widgets::{self, command_button, main_button};
use crate::experiment::{Experiment, Kind, Method};
use crate::run::event::Report;
use crate::run::index::RunRow;
use crate::run::report::date;
use egui::{Align, CollapsingHeader, Key, Label, Layout, RichText, ScrollArea, TextEdit, Ui, vec2};

/// What is being typed.
#[derive(Debug, Default)]
pub struct Memory {
    model: String,
    pictures: String,
}

/// Facts of a report that a card has room for.
const FACTS: usize = 6;
/// Earlier audits that are offered.
const EARLIER: usize = 3;

pub fn show(ui: &mut Ui, t: &Tokens, state: &State, memory: &mut Memory, requests: &Requests) {
    let mut experiment = state.audit.experiment.clone();
    header(ui, t, state, requests);
    let total = ui.available_size();
    if total.x > t.body * 58.0 {
        let half = ((total.x - t.gap) * 0.5).floor();
        let column = Layout::top_down(Align::LEFT);
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = t.gap;
            ui.allocate_ui_with_layout(vec2(half, total.y), column, |ui| {
                ScrollArea::vertical().id_salt("audit what").auto_shrink(false).show(ui, |ui| {
                    model(ui, t, state, memory, requests);
                    ui.add_space(t.gap * 0.5);
                    pictures(ui, t, state, memory, &mut experiment, requests);
                });
            });
            ui.allocate_ui_with_layout(vec2(half, total.y), column, |ui| {
                ScrollArea::vertical().id_salt("audit checks").auto_shrink(false).show(ui, |ui| {
                    checks(ui, t, state, &mut experiment);
                });
            });
        });
    } else {
        ScrollArea::vertical().id_salt("audit setup").auto_shrink(false).show(ui, |ui| {
            model(ui, t, state, memory, requests);
            ui.add_space(t.gap * 0.5);
            pictures(ui, t, state, memory, &mut experiment, requests);
            ui.add_space(t.gap * 0.5);
            checks(ui, t, state, &mut experiment);
        });
    }
    if experiment != state.audit.experiment {
        ask(requests, AuditChange::Experiment(Box::new(experiment)));
    }
}

fn header(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    ui.horizontal_wrapped(|ui| {
        ui.set_min_height(t.control * 1.3);
        ui.label(theme::title(t, "Audit"));
        main_button(ui, state, requests, UserCommand::Start);
        let missing = state.audit.lacks();
        match (missing, state.live_job()) {
            (_, Some(_)) => {
                ui.label(RichText::new("Something runs; start this when it has ended.").color(t.text_weak));
            }
            (Some(missing), None) => {
                ui.label(RichText::new(missing).color(t.text_weak));
            }
            (None, None) => {}
        }
        if state.job.as_ref().is_some_and(|job| job.is_audit()) {
            let help = "The findings that were shown before";
            if ui.button("Back to the findings").on_hover_text(help).clicked() {
                ask(requests, AuditChange::Back);
            }
        }
    });
    let at = match (state.audit.model().is_empty(), state.audit.experiment.data.source.is_empty()) {
        (true, _) => 0,
        (false, true) => 1,
        _ => 2,
    };
    steps(ui, t, at);
    ui.add_space(t.gap * 0.5);
}

fn model(ui: &mut Ui, t: &Tokens, state: &State, memory: &mut Memory, requests: &Requests) {
    let chosen = state.audit.model();
    widgets::section(ui, "1  Model", "", |ui| {
        if chosen.is_empty() {
            let what = "Drop a model here: safetensors, a PyTorch checkpoint or TorchScript. Checkpoints are read without \
                        ever executing what is in them.";
            ui.add(Label::new(what).wrap());
        } else {
            place(ui, t, state, chosen);
            if let Some((before, sentence)) = state.kinship() {
                ui.add_space(t.gap * 0.25);
                weak(ui, t, format!("Beside the model of {before}:"));
                ui.add(Label::new(theme::strong(sentence)).wrap().selectable(true));
            }
        }
        ui.horizontal_wrapped(|ui| {
            command_button(ui, state, requests, UserCommand::OpenFile);
            if chosen != DEMO_MODEL {
                let help = "A small network with a backdoor in it, and the pictures that it was trained for";
                if ui.button("Audit the demo model").on_hover_text(help).clicked() {
                    ask(requests, AuditChange::Demo);
                }
            }
        });
        if let Some(typed) = path(ui, &mut memory.model, "Path of a model") {
            ask(requests, AuditChange::Model(typed));
        }
        if chosen.is_empty() {
            earlier(ui, t, state, requests);
        }
    });
}

/// Audits that were made before, the newest first: what comes back from a supplier is held against one of them.
fn earlier(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let mut audits: Vec<&RunRow> = state.runs.rows.iter().filter(|row| row.model.is_some()).collect();
    if audits.is_empty() {
        return;
    }
    audits.sort_by_key(|row| std::cmp::Reverse(row.started));
    weak(ui, t, "Has a model come back? Open its audit and repeat it:");
    for row in audits.into_iter().take(EARLIER) {
        let when = row.started.map(|started| format!(", {}", date(started))).unwrap_or_default();
        if ui.link(format!("{}{when}", row.name)).on_hover_text(row.path.display().to_string()).clicked() {
            requests.change(Change::OpenRun(row.path.clone()));
        }
    }
}

fn pictures(
    ui: &mut Ui,
    t: &Tokens,
    state: &State,
    memory: &mut Memory,
    experiment: &mut Experiment,
    requests: &Requests,
) {
    let chosen = state.audit.experiment.data.source.as_str();
    widgets::section(ui, "2  Pictures", "", |ui| {
        if chosen.is_empty() {
            ui.add(
                Label::new("Drop a folder with one folder of pictures for each class, in the model's order.").wrap(),
            );
        } else {
            place(ui, t, state, chosen);
        }
        weak(ui, t, "Pictures that you trust, with their true classes; the model must not have learned from them.");
        ui.horizontal_wrapped(|ui| {
            command_button(ui, state, requests, UserCommand::OpenFolder);
            if chosen != BUILT_IN_PICTURES && ui.button("Built-in pictures").clicked() {
                ask(requests, AuditChange::Pictures(BUILT_IN_PICTURES.to_owned()));
            }
        });
        if let Some(typed) = path(ui, &mut memory.pictures, "Path of pictures") {
            ask(requests, AuditChange::Pictures(typed));
        }
        ui.horizontal_wrapped(|ui| {
            ui.label("At most").on_hover_text("Pictures that are used, the same share of each class; 0 means all");
            let boxed = egui::DragValue::new(&mut experiment.data.test_rows).speed(10.0).range(0..=1_000_000);
            ui.add(boxed).accessible_name("Pictures at most");
            ui.label(if experiment.data.test_rows == 0 { "pictures (0: all)" } else { "pictures" });
            ui.add_space(t.gap);
            ui.label("Seed").on_hover_text("The same seed gives the same findings");
            ui.add(egui::DragValue::new(&mut experiment.seed).speed(0.1)).accessible_name("Seed");
        });
    });
}

/// What was chosen, and what the engine says of it.
fn place(ui: &mut Ui, t: &Tokens, state: &State, chosen: &str) {
    ui.add(Label::new(theme::strong(chosen)).wrap());
    match state.audit.known(chosen) {
        None => weak(ui, t, "Looking into it…"),
        Some(Ok(report)) => facts(ui, t, report),
        Some(Err(problem)) => {
            for line in std::iter::once(&problem.headline).chain(&problem.detail).chain(&problem.remedy).take(3) {
                ui.add(Label::new(RichText::new(line).color(t.bad)).wrap());
            }
        }
    }
}

fn facts(ui: &mut Ui, t: &Tokens, report: &Report) {
    ui.add(Label::new(&report.title).wrap());
    ui.scope(|ui| {
        ui.spacing_mut().interact_size.y = t.body * 1.2;
        egui::Grid::new(("audit facts", &report.title)).num_columns(2).spacing([t.gap, 2.0]).show(ui, |ui| {
            for (name, value) in report.facts.iter().take(FACTS) {
                ui.label(RichText::new(name).size(t.small).color(t.text_weak));
                ui.add(Label::new(RichText::new(value).size(t.small)).truncate());
                ui.end_row();
            }
        });
    });
    for warning in report.warnings.iter().take(2) {
        ui.add(Label::new(RichText::new(warning).size(t.small).color(t.warn)).wrap());
    }
}

/// A field for a path that is taken with Enter.
fn path(ui: &mut Ui, typed: &mut String, name: &str) -> Option<String> {
    let edit = TextEdit::singleline(typed).hint_text("or type a path and press Enter").desired_width(f32::INFINITY);
    let edit = ui.add(edit).accessible_name(name);
    let entered = edit.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    (entered && !typed.trim().is_empty()).then(|| std::mem::take(typed).trim().to_owned())
}

/// Every check with its switch; options are folded away.
fn checks(ui: &mut Ui, t: &Tokens, state: &State, experiment: &mut Experiment) {
    widgets::section(ui, "3  Checks", "", |ui| {
        let all: Vec<&'static Method> =
            state.methods.iter().copied().filter(|method| method.kind == Kind::Check).collect();
        for (index, method) in all.into_iter().enumerate() {
            if index > 0 {
                ui.separator();
            }
            let mut on = experiment.check.iter().any(|pick| pick.id == method.id);
            ui.horizontal(|ui| {
                if widgets::switch(ui, &mut on, method.name).changed() {
                    Audit::switch(experiment, state.methods, method.id, on);
                }
                ui.label(theme::strong(method.name)).on_hover_text(method.page);
            });
            weak(ui, t, method.one_line);
            if let Some(pick) = experiment.check.iter_mut().find(|pick| pick.id == method.id) {
                CollapsingHeader::new(RichText::new(format!("Options of {}", lower(method.name))).size(t.small))
                    .id_salt(method.id)
                    .show(ui, |ui| {
                        form::show(ui, method.id, state.forms.of(method.id), &mut pick.options, &[]);
                    });
            }
        }
        ui.separator();
        weak(
            ui,
            t,
            "The search takes longest: some minutes for a small network, an hour for a large one on a processor. It can be \
             stopped and continued.",
        );
    });
}

/// A name inside of a sentence.
fn lower(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
