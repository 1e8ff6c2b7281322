//! Runs: everything that was run, in a table that sorts and filters; beside it the details of one run.

use crate::app::archive;
use crate::app::command::{Change, Requests, UserCommand};
use crate::app::run_list::{RunChange, RunColumn};
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::widgets::{self, command_button, main_button};
use crate::app::words;
use crate::run::index::RunRow;
use egui::{Id, RichText, TextEdit, Ui, vec2};
use egui_extras::{Column, TableBuilder};
use std::time::{SystemTime, UNIX_EPOCH};

mod details;

pub use details::RunDetails;

/// The field that Ctrl+F goes to.
pub fn filter_id() -> Id {
    Id::unique("run filter")
}

pub fn show(ui: &mut Ui, state: &State, details: &mut RunDetails, requests: &Requests) {
    let t = theme::of(ui);
    header(ui, &t, state, requests);
    bin_strip(ui, &t, state, requests);
    if state.runs.rows.is_empty() {
        if state.runs.known {
            let folder = state.runs_folder().unwrap_or_default();
            let sentence = format!("Your runs will be listed here and stored in {}.", folder.display());
            widgets::empty_state(ui, "No runs yet", &sentence, |ui| {
                main_button(ui, state, requests, UserCommand::RemoveBackdoor);
            });
        } else {
            ui.label(RichText::new("Reading the runs…").color(t.text_weak));
        }
        return;
    }
    let Some(run) = state.runs.selected() else {
        return list(ui, &t, state, requests);
    };
    let total = ui.available_size();
    let column = egui::Layout::top_down(egui::Align::LEFT);
    if total.x > t.body * 66.0 {
        let side = (total.x * 0.3).clamp(t.body * 20.0, t.body * 30.0);
        ui.horizontal_top(|ui| {
            let left = vec2(total.x - side - t.gap, total.y);
            ui.allocate_ui_with_layout(left, column, |ui| list(ui, &t, state, requests));
            ui.allocate_ui_with_layout(vec2(side, total.y), column, |ui| {
                details::show(ui, state, run, details, requests)
            });
        });
    } else {
        let above = vec2(total.x, total.y * 0.5 - t.gap);
        ui.allocate_ui_with_layout(above, column, |ui| list(ui, &t, state, requests));
        details::show(ui, state, run, details, requests);
    }
}

fn header(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let folder = state.runs_folder().unwrap_or_default();
    let title = |ui: &mut Ui| {
        ui.label(theme::title(t, "Runs"));
        let mut filter = state.runs.filter().to_owned();
        let edit = TextEdit::singleline(&mut filter).id(filter_id()).hint_text("Filter: name, attack, state, tag…");
        let edit = ui.add(edit.desired_width(t.body * 17.0)).accessible_name("Filter the runs");
        let help = "Runs that contain every word, in name, attack, defense, data, state, tag or note (Ctrl+F)";
        if edit.on_hover_text(help).changed() {
            requests.change(Change::Runs(RunChange::Filter(filter)));
        }
        if !state.runs.filter().is_empty() {
            let count = format!("{} of {}", state.runs.shown().len(), state.runs.rows.len());
            ui.label(RichText::new(count).color(t.text_weak));
        }
    };
    let buttons = |ui: &mut Ui| {
        ui.menu_button("More", |ui| {
            for command in [UserCommand::RefreshRuns, UserCommand::EmptyBin] {
                if command_button(ui, state, requests, command).clicked() {
                    ui.close();
                }
            }
        });
        widgets::export_button(ui, requests, "List of runs");
        if ui.button("Open folder").on_hover_text(folder.display().to_string()).clicked() {
            requests.change(Change::RevealFolder(folder.clone()));
        }
        ui.add(egui::Label::new(RichText::new(folder.display().to_string()).color(t.text_weak)).truncate());
    };
    widgets::title_row(ui, 44.0, title, buttons);
}

/// What went to the bin can come back from here; emptying it asks once.
fn bin_strip(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let ask = |change| requests.change(Change::Runs(change));
    let last = state.runs.binned.last();
    if !state.runs.confirm_empty && last.is_none() {
        return;
    }
    theme::card(t).inner_margin(egui::Margin::symmetric(12, 6)).show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.set_min_width(ui.available_width());
            if state.runs.confirm_empty {
                let count = words::runs(state.runs.in_bin);
                ui.label(theme::strong(format!("Delete {count} for ever? This cannot be undone.")));
                if ui.button(RichText::new(format!("Delete {count}")).color(t.bad)).clicked() {
                    ask(RunChange::EmptyBin);
                }
                if ui.button("Keep them").clicked() {
                    ask(RunChange::KeepBin);
                }
            } else if let Some(binned) = last {
                let name = binned.from.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                ui.label(format!("In the bin: {name}"));
                command_button(ui, state, requests, UserCommand::Undo);
                if state.runs.binned.len() > 1 {
                    let others = words::runs(state.runs.binned.len() - 1);
                    ui.label(RichText::new(format!("and {others} before it")).color(t.text_weak));
                }
            }
        });
    });
}

fn list(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    if state.runs.shown().len() == 0 {
        let sentence = format!("No run matches “{}”.", state.runs.filter());
        return widgets::empty_state(ui, "Nothing found", &sentence, |ui| {
            if ui.button("Clear the filter").clicked() {
                requests.change(Change::Runs(RunChange::Filter(String::new())));
            }
        });
    }
    theme::card(t).show(ui, |ui| table(ui, t, state, requests));
}

fn table(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map(|time| time.as_secs()).unwrap_or_default();
    // Where it gets tight the age goes, then the numbers before the repair, then all but the name and the last word.
    let ems = ui.available_width() / t.body;
    let cramped = ems < 42.0;
    let hidden = |column: RunColumn| match column {
        RunColumn::Started => (58.0..68.0).contains(&ems) || ems < 52.0,
        RunColumn::AccBefore | RunColumn::AsrBefore => ems < 58.0,
        RunColumn::AccAfter => cramped,
        _ => false,
    };
    let columns: Vec<_> = RunColumn::ALL.into_iter().enumerate().filter(|(_, column)| !hidden(*column)).collect();
    let mut table = TableBuilder::new(ui)
        .striped(true)
        .sense(egui::Sense::click())
        .cell_layout(egui::Layout::left_to_right(egui::Align::Center))
        .column(Column::remainder().at_least(t.body * 11.0).clip(true));
    for (_, column) in columns.iter().skip(1) {
        table = table.column(Column::exact(if *column == RunColumn::Started { t.body * 8.2 } else { t.body * 6.4 }));
    }
    table
        .column(Column::exact(t.body * if cramped { 4.6 } else { 9.2 }))
        .header(t.control * 1.1, |mut header| {
            for (index, column) in &columns {
                header.col(|ui| heading(ui, t, state, *column, *index, requests));
            }
            header.col(|_| {});
        })
        .body(|body| {
            body.rows(t.control * 1.4, state.runs.shown().len(), |mut row| {
                let Some(run) = state.runs.shown_at(row.index()) else {
                    return;
                };
                row.set_selected(state.runs.selected.as_ref() == Some(&run.path));
                row.col(|ui| name(ui, t, state, run, requests));
                for (_, column) in columns.iter().skip(1) {
                    row.col(|ui| cell(ui, t, run, *column, now));
                }
                row.col(|ui| buttons(ui, state, run, cramped, requests));
                if row.response().clicked() {
                    requests.change(Change::Runs(RunChange::Select(Some(run.path.clone()))));
                }
            });
        });
}

fn name(ui: &mut Ui, t: &Tokens, state: &State, run: &RunRow, requests: &Requests) {
    let side = t.control * 1.15;
    match &run.picture {
        Some(file) => match state.runs.thumbnails.get(file) {
            Some(Some(rgba)) => {
                widgets::picture_tile(ui, rgba, side, "", &format!("Picture of {}", run.name));
            }
            known => {
                ui.add_space(side + t.gap);
                if known.is_none() {
                    requests.change(Change::Runs(RunChange::Thumbnail(file.clone())));
                }
            }
        },
        None => ui.add_space(side + t.gap),
    }
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        let room = ui.available_height() - t.body * 1.3 - if run.tags.is_empty() { 0.0 } else { t.small * 1.3 };
        ui.add_space((room * 0.5).max(0.0));
        let link = egui::Label::new(RichText::new(&run.name).color(t.link)).truncate().sense(egui::Sense::click());
        let link = ui.add(link).on_hover_text(run.path.display().to_string());
        link.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Link, true, &run.name));
        if link.clicked() {
            requests.change(Change::Runs(RunChange::Select(Some(run.path.clone()))));
        }
        if !run.tags.is_empty() {
            let tags = run.tags.iter().map(|tag| format!("#{tag}")).collect::<Vec<_>>().join("  ");
            ui.add(egui::Label::new(RichText::new(tags).size(t.small).color(t.text_weak)).truncate());
        }
    });
}

fn cell(ui: &mut Ui, t: &Tokens, run: &RunRow, column: RunColumn, now: u64) {
    match column {
        RunColumn::Name => {}
        RunColumn::State => {
            let word = RichText::new(archive::state_word(run));
            let word = if run.state.is_none() { word.color(t.bad) } else { word };
            let response = ui.label(word);
            if let Some(trouble) = &run.trouble {
                response.on_hover_text(trouble);
            }
        }
        RunColumn::Started => {
            let started = run.started.map(|started| words::ago(now.saturating_sub(started)));
            ui.label(RichText::new(started.unwrap_or_default()).color(t.text_weak));
        }
        _ => {
            ui.label(column.value(run).map_or_else(|| "\u{2013}".to_owned(), words::percent));
        }
    }
}

fn heading(ui: &mut Ui, t: &Tokens, state: &State, column: RunColumn, index: usize, requests: &Requests) {
    let sorted = state.runs.sort == column;
    let text = RichText::new(column.title()).size(t.small);
    let text = if sorted { text.color(t.text) } else { text.color(t.text_weak) };
    let response = ui.add(egui::Button::new(text).frame(false));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, format!("Sort by {}", column.title())));
    if sorted {
        // A small triangle tells the direction.
        let at = response.rect.right_center() + vec2(t.small * 0.55, 0.0);
        let down = if state.runs.descending { 1.0 } else { -1.0 };
        let size = t.small * 0.3;
        let corners = [(-size, -size * down), (size, -size * down), (0.0, size * down)];
        let corners = corners.map(|(x, y)| at + vec2(x, y * 0.8)).to_vec();
        ui.painter().add(egui::Shape::convex_polygon(corners, t.text, egui::Stroke::NONE));
    }
    if response.on_hover_text(column.explanation()).clicked() {
        requests.change(Change::SortRuns(index));
    }
}

fn buttons(ui: &mut Ui, state: &State, run: &RunRow, cramped: bool, requests: &Requests) {
    if !cramped {
        details::show_button(ui, run, requests);
    }
    let menu = ui.menu_button("More", |ui| {
        if cramped {
            details::show_button(ui, run, requests);
        }
        details::actions(ui, state, run, requests);
    });
    menu.response.accessible_name(format!("More for {}", run.name));
}
