//! Home: a real model with a real backdoor, at once; then what to do next.

use crate::app::archive;
use crate::app::command::{Change, Requests, UserCommand};
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::widgets::{self, command_button, main_button};
use crate::app::{views, words};
use egui::{RichText, ScrollArea, TextEdit, Ui};
use std::path::PathBuf;

#[derive(Debug, Default)]
pub struct Home {
    typed_path: String,
}

pub fn show(ui: &mut Ui, state: &State, home: &mut Home, requests: &Requests) {
    let t = theme::of(ui);
    let total = ui.available_size();
    if total.x < t.body * 62.0 {
        ScrollArea::vertical().id_salt("home").auto_shrink(false).show(ui, |ui| {
            reports(ui, state, requests);
            demo(ui, &t, state, total.y, requests);
            ui.add_space(t.gap);
            next_steps(ui, &t, state, home, requests);
        });
        return;
    }
    let side = t.body * 23.0;
    let column = egui::Layout::top_down(egui::Align::LEFT);
    ui.horizontal_top(|ui| {
        ui.allocate_ui_with_layout(egui::vec2(total.x - side - t.pad, total.y), column, |ui| {
            ScrollArea::vertical().id_salt("demo").auto_shrink(false).show(ui, |ui| {
                reports(ui, state, requests);
                demo(ui, &t, state, total.y, requests);
            });
        });
        ui.allocate_ui_with_layout(egui::vec2(side, total.y), column, |ui| {
            ScrollArea::vertical().id_salt("next").auto_shrink(false).show(ui, |ui| {
                next_steps(ui, &t, state, home, requests);
            });
        });
    });
}

fn reports(ui: &mut Ui, state: &State, requests: &Requests) {
    for (index, (path, report)) in state.reports.iter().enumerate() {
        show_report(ui, state, index, path, report, requests);
    }
}

fn demo(ui: &mut Ui, t: &Tokens, state: &State, height: f32, requests: &Requests) {
    let Some(prediction) = state.prediction() else {
        match &state.demo.problem {
            Some(problem) => {
                widgets::problem_card(ui, requests, problem, 1, true, None);
                widgets::empty_state(ui, "The demo model cannot be shown.", "You can train one of your own.", |ui| {
                    main_button(ui, state, requests, UserCommand::RemoveBackdoor);
                });
            }
            None => widgets::empty_state(ui, "Opening the demo model…", "It has a backdoor in it.", |_| {}),
        }
        return;
    };
    let top = ui.cursor().top();
    let title = |ui: &mut Ui| ui.label(theme::title(t, "Same picture, two answers"));
    let turn = |ui: &mut Ui| {
        command_button(ui, state, requests, UserCommand::NextPicture);
        ui.label(format!("{} of {}", state.demo.index + 1, state.demo.predictions.len()));
        command_button(ui, state, requests, UserCommand::PreviousPicture);
    };
    if ui.available_width() > t.body * 44.0 {
        egui::Sides::new().height(t.control).show(ui, title, turn);
    } else {
        title(ui);
        ui.horizontal(|ui| ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), turn));
    }
    if let Some(sentence) = views::demo_sentence(&state.demo.predictions) {
        ui.add(egui::Label::new(sentence).wrap());
    }
    ui.add_space(t.gap * 0.5);
    // The pictures take what the bars leave.
    let bars = prediction.models.len() as f32 * (t.body * 6.2 + 2.0 * t.pad + t.gap);
    let used = ui.cursor().top() - top;
    let side = (height - used - bars - t.body * 4.0).clamp(t.body * 8.0, t.body * 40.0);
    views::demo_matrix(ui, prediction, side);
}

fn next_steps(ui: &mut Ui, t: &Tokens, state: &State, home: &mut Home, requests: &Requests) {
    widgets::section(ui, "Try next", "", |ui| {
        main_button(ui, state, requests, UserCommand::RemoveBackdoor);
        let what = "Trains a small network with a backdoor in it, then takes it out. A few minutes on a laptop.";
        ui.add(egui::Label::new(RichText::new(what).color(t.text_weak)).wrap());
        command_button(ui, state, requests, UserCommand::LookThrough);
        let look = "What repairs the model on the left: one layer, and a dial that turns it up and down.";
        ui.add(egui::Label::new(RichText::new(look).color(t.text_weak)).wrap());
    });
    ui.add_space(t.gap * 0.5);
    widgets::section(ui, "Look into your own", "", |ui| {
        ui.add(
            egui::Label::new("Drop a model, a data set or an experiment anywhere on this window, or open it:").wrap(),
        );
        ui.horizontal_wrapped(|ui| {
            command_button(ui, state, requests, UserCommand::OpenFile);
            command_button(ui, state, requests, UserCommand::OpenFolder);
        });
        let edit = TextEdit::singleline(&mut home.typed_path)
            .hint_text("or type a path and press Enter")
            .desired_width(f32::INFINITY);
        let response = ui.add(edit).accessible_name("Path to open");
        let entered = response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
        let path = home.typed_path.trim();
        if entered && !path.is_empty() {
            requests.change(Change::Open(PathBuf::from(path)));
            home.typed_path.clear();
        }
        if let Some(path) = state.desk.inspecting() {
            ui.label(RichText::new(format!("Looking into {}…", path.display())).color(t.text_weak));
        }
    });
    ui.add_space(t.gap * 0.5);
    widgets::section(ui, "Recent runs", "", |ui| {
        if state.runs.rows.is_empty() {
            let text = "Your runs will be listed here.";
            ui.add(egui::Label::new(RichText::new(text).color(t.text_weak)).wrap());
            return;
        }
        let mut rows: Vec<_> = state.runs.rows.iter().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.started));
        for row in rows.into_iter().take(4) {
            let link = ui.add(egui::Link::new(&row.name)).on_hover_text(row.path.display().to_string());
            if link.clicked() {
                requests.change(Change::OpenRun(row.path.clone()));
            }
            let asr =
                |scores: Option<&crate::experiment::Scores>| scores.and_then(crate::experiment::Scores::trigger_wins);
            let figures = match (asr(archive::before(row)), asr(archive::after(row))) {
                (Some(before), Some(after)) => {
                    format!("ASR {}, then {}", words::percent(before), words::percent(after))
                }
                (Some(before), None) => format!("ASR {}", words::percent(before)),
                _ => archive::state_word(row).to_owned(),
            };
            ui.label(RichText::new(figures).size(t.small).color(t.text_weak));
        }
    });
}

fn show_report(
    ui: &mut Ui,
    state: &State,
    index: usize,
    path: &std::path::Path,
    report: &crate::run::event::Report,
    requests: &Requests,
) {
    widgets::report_card(ui, report, |ui| {
        if is_data(report) {
            let button = ui.add_enabled(state.live_job().is_none(), egui::Button::new("Use as data in the Lab"));
            if button.clicked() {
                requests.change(Change::UseAsData(path.to_owned()));
            }
        }
        if ui.button("Copy").on_hover_text("Copy these facts as text").clicked() {
            requests.change(Change::Copy(as_text(report)));
        }
        if ui.button("Close").clicked() {
            requests.change(Change::DismissReport(index));
        }
    });
    ui.add_space(theme::of(ui).gap * 0.5);
}

fn as_text(report: &crate::run::event::Report) -> String {
    let facts = report.facts.iter().map(|(name, value)| format!("{name}: {value}\n"));
    format!("{}\n{}{}", report.title, facts.collect::<String>(), report.warnings.join("\n"))
}

/// Data sets tell how many pictures they hold; models do not.
fn is_data(report: &crate::run::event::Report) -> bool {
    let says = |word: &str| report.facts.iter().any(|(name, _)| name.to_lowercase().contains(word));
    says("pictures") || says("images") || says("rows")
}
