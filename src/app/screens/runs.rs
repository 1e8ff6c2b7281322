//! Runs: everything that was run, in a table that sorts.

use crate::app::archive::{self, RunColumn};
use crate::app::command::{Change, Requests, UserCommand};
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::widgets::{self, command_button, main_button};
use crate::app::words;
use crate::run::index::RunRow;
use egui::{RichText, Ui};
use egui_extras::{Column, TableBuilder};
use std::time::{SystemTime, UNIX_EPOCH};

pub fn show(ui: &mut Ui, state: &State, requests: &Requests) {
    let t = theme::of(ui);
    let folder = state.runs_folder().unwrap_or_default();
    ui.horizontal(|ui| {
        ui.label(theme::title(&t, "Runs"));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            command_button(ui, state, requests, UserCommand::RefreshRuns);
            if ui.button("Open folder").on_hover_text(folder.display().to_string()).clicked() {
                requests.change(Change::RevealFolder(folder.clone()));
            }
            ui.add(egui::Label::new(RichText::new(folder.display().to_string()).color(t.text_weak)).truncate());
        });
    });
    if state.runs.rows.is_empty() {
        if state.runs.known {
            let sentence = format!("Your runs will be listed here and stored in {}.", folder.display());
            widgets::empty_state(ui, "No runs yet", &sentence, |ui| {
                main_button(ui, state, requests, UserCommand::RemoveBackdoor);
            });
        } else {
            ui.label(RichText::new("Reading the runs…").color(t.text_weak));
        }
        return;
    }
    theme::card(&t).show(ui, |ui| table(ui, &t, state, requests));
}

fn table(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map(|time| time.as_secs()).unwrap_or_default();
    // Where it gets tight the age goes, and the buttons fold into a menu.
    let narrow = ui.available_width() < t.body * 68.0;
    let columns: Vec<_> =
        RunColumn::ALL.into_iter().enumerate().filter(|(_, column)| !narrow || *column != RunColumn::Started).collect();
    let mut table = TableBuilder::new(ui)
        .striped(true)
        .cell_layout(egui::Layout::left_to_right(egui::Align::Center))
        .column(Column::remainder().at_least(t.body * 9.0).clip(true))
        .column(Column::exact(t.body * 6.4));
    if !narrow {
        table = table.column(Column::exact(t.body * 8.2));
    }
    table
        .columns(Column::exact(t.body * 6.4), 4)
        .column(Column::exact(if narrow { t.body * 4.6 } else { t.body * 14.5 }))
        .header(t.control * 1.1, |mut header| {
            for (index, column) in columns {
                header.col(|ui| heading(ui, t, state, column, index, requests));
            }
            header.col(|_| {});
        })
        .body(|body| {
            body.rows(t.control * 1.25, state.runs.rows.len(), |mut row| {
                let run = &state.runs.rows[row.index()];
                row.col(|ui| {
                    let link = ui.add(egui::Link::new(&run.name)).on_hover_text(run.path.display().to_string());
                    if link.clicked() {
                        requests.change(Change::OpenRun(run.path.clone()));
                    }
                });
                row.col(|ui| {
                    let response = ui.label(archive::state_word(run));
                    if let Some(trouble) = &run.trouble {
                        response.on_hover_text(trouble);
                    }
                });
                if !narrow {
                    row.col(|ui| {
                        let started = run.started.map(|started| words::ago(now.saturating_sub(started)));
                        ui.label(RichText::new(started.unwrap_or_default()).color(t.text_weak));
                    });
                }
                let (before, after) = (archive::before(run), archive::after(run));
                let acc = |scores: &crate::experiment::Scores| scores.acc;
                let values = [before.map(acc), before.and_then(|b| b.asr), after.map(acc), after.and_then(|a| a.asr)];
                for value in values {
                    row.col(|ui| {
                        ui.label(value.map_or_else(|| "\u{2013}".to_owned(), words::percent));
                    });
                }
                row.col(|ui| {
                    if narrow {
                        let menu = ui.menu_button("More", |ui| buttons(ui, state, run, requests));
                        menu.response.accessible_name(format!("More for {}", run.name));
                    } else {
                        buttons(ui, state, run, requests);
                    }
                });
            });
        });
}

fn heading(ui: &mut Ui, t: &Tokens, state: &State, column: RunColumn, index: usize, requests: &Requests) {
    let sorted = state.runs.sort == column;
    let text = RichText::new(column.title()).size(t.small);
    let text = if sorted { text.color(t.text) } else { text.color(t.text_weak) };
    let response = ui.add(egui::Button::new(text).frame(false));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, format!("Sort by {}", column.title())));
    if sorted {
        // A small triangle tells the direction.
        let at = response.rect.right_center() + egui::vec2(t.small * 0.55, 0.0);
        let down = if state.runs.descending { 1.0 } else { -1.0 };
        let size = t.small * 0.3;
        let corners = [(-size, -size * down), (size, -size * down), (0.0, size * down)];
        let corners = corners.map(|(x, y)| at + egui::vec2(x, y * 0.8)).to_vec();
        ui.painter().add(egui::Shape::convex_polygon(corners, t.text, egui::Stroke::NONE));
    }
    if response.on_hover_text(column.explanation()).clicked() {
        requests.change(Change::SortRuns(index));
    }
}

fn buttons(ui: &mut Ui, state: &State, run: &RunRow, requests: &Requests) {
    let named = |verb: &str| format!("{verb} {}", run.name);
    if ui.button("Show").on_hover_text(named("Show")).accessible_name(named("Show")).clicked() {
        requests.change(Change::OpenRun(run.path.clone()));
    }
    if ui.button("Folder").on_hover_text("Open the run's folder").accessible_name(named("Open folder of")).clicked() {
        requests.change(Change::RevealFolder(run.path.clone()));
    }
    if archive::can_continue(run) {
        let button = ui.add_enabled(state.live_job().is_none(), egui::Button::new("Continue"));
        let button = button.on_hover_text("Go on from the last saved point").accessible_name(named("Continue"));
        if button.clicked() {
            requests.change(Change::ContinueRun(run.path.clone()));
        }
    }
}
