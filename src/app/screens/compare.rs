//! Compare: two to four runs side by side. Columns are runs, the first one is what the others are compared to.

use crate::app::command::{Change, Requests, Screen, UserCommand};
use crate::app::comparison::{CompareChange, MOST_COLUMNS};
use crate::app::differences::conclusion;
use crate::app::state::State;
use crate::app::sweep::{SweepRun, VaryChange};
use crate::app::theme::{self, Role, Tokens};
use crate::app::views::{sweep_courses, sweep_plot, sweep_table};
use crate::app::widgets::{self, main_button};
use crate::run::index::RunRow;
use egui::{Align, ComboBox, Label, Layout, RichText, ScrollArea, Sense, Ui, vec2};

mod curves;
mod findings;
mod pictures;
mod scores;

/// What the screen remembers about its drawing.
#[derive(Debug, Default)]
pub struct Compare {
    /// The mouse holds the flip button.
    flip_held: bool,
    /// The picture that was large in the last frame.
    picture: Option<usize>,
    /// What is being typed about which picture.
    note: Option<(usize, String)>,
}

/// Widths that all parts of the screen share, so that a run is one column from top to bottom.
#[derive(Debug, Clone, Copy)]
struct Columns {
    label: f32,
    each: f32,
    count: usize,
}

impl Columns {
    fn of(ui: &Ui, t: &Tokens, count: usize) -> Self {
        // The cards around the columns have their padding and edge.
        let width = ui.available_width() - 2.0 * t.pad - 4.0;
        let label = (width * 0.18).clamp(t.body * 6.0, t.body * 11.0);
        let each = ((width - label) / count.max(1) as f32 - t.gap).max(t.body * 8.5);
        Self { label, each, count }
    }

    /// A row of cells: the words at the left, then one cell per run.
    fn row(self, ui: &mut Ui, left: impl FnOnce(&mut Ui), mut cell: impl FnMut(&mut Ui, usize)) {
        let t = theme::of(ui);
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = t.gap;
            column(ui, self.label, left);
            for index in 0..self.count {
                column(ui, self.each, |ui| cell(ui, index));
            }
        });
    }

    fn width(self, t: &Tokens) -> f32 {
        self.label + (self.each + t.gap) * self.count as f32 + 2.0 * t.pad + 4.0
    }
}

fn column(ui: &mut Ui, width: f32, content: impl FnOnce(&mut Ui)) {
    ui.allocate_ui_with_layout(vec2(width, 0.0), Layout::top_down(Align::LEFT), |ui| {
        ui.set_width(width);
        ui.spacing_mut().item_spacing.y = 4.0;
        content(ui);
    });
}

pub fn show(ui: &mut Ui, state: &State, compare: &mut Compare, requests: &Requests) {
    let t = theme::of(ui);
    let count = state.comparison.columns().len();
    if count == 0 {
        return empty(ui, state, requests);
    }
    let columns = Columns::of(ui, &t, count);
    let wide = columns.width(&t) > ui.available_width() + 1.0;
    let width = columns.width(&t).max(ui.available_width());
    let mut body = |ui: &mut Ui| {
        ui.set_width(width);
        theme::card(&t).show(ui, |ui| {
            ui.set_width(ui.available_width());
            header(ui, &t, state, columns, requests);
        });
        ScrollArea::vertical().id_salt("comparison").auto_shrink(false).show(ui, |ui| {
            sweep(ui, &t, state, requests);
            what_differs(ui, &t, state, columns, requests);
            ui.add_space(t.gap * 0.25);
            scores::show(ui, &t, state, columns, requests);
            ui.add_space(t.gap * 0.25);
            findings::show(ui, &t, state, columns, requests);
            curves::show(ui, &t, state, requests);
            ui.add_space(t.gap * 0.25);
            pictures::show(ui, &t, state, columns, compare, requests);
        });
    };
    if wide {
        ScrollArea::horizontal().id_salt("runs side by side").auto_shrink(false).show(ui, body);
    } else {
        body(ui);
    }
}

/// Nothing is compared yet: the shortest way to something.
fn empty(ui: &mut Ui, state: &State, requests: &Requests) {
    let mut finished: Vec<&RunRow> = state.runs.rows.iter().filter(|row| !row.results.is_empty()).collect();
    finished.sort_by_key(|row| std::cmp::Reverse(row.started));
    match finished.as_slice() {
        [one, other, ..] => {
            let sentence =
                format!("You have {} finished runs. Choose them on Runs, or begin with the newest.", finished.len());
            widgets::empty_state(ui, "Put two runs side by side", &sentence, |ui| {
                if accent_button(ui, "Compare the two newest").clicked() {
                    for row in [other, one] {
                        requests.change(Change::Compare(CompareChange::Add(row.path.clone())));
                    }
                }
            });
        }
        [_] => {
            widgets::empty_state(ui, "Put two runs side by side", "You have one finished run. Run another one.", |ui| {
                if accent_button(ui, "Build another one").clicked() {
                    requests.command(UserCommand::Go(Screen::Lab));
                }
            })
        }
        [] => widgets::empty_state(ui, "Put two runs side by side", "You have no finished run yet.", |ui| {
            main_button(ui, state, requests, UserCommand::RemoveBackdoor);
        }),
    }
}

fn accent_button(ui: &mut Ui, word: &str) -> egui::Response {
    let t = theme::of(ui);
    let size = vec2(t.control * 4.0, t.control * 1.25);
    ui.add(egui::Button::new(theme::strong(word).color(t.on_accent)).fill(t.accent).min_size(size))
}

/// The runs: colour and mark, name, and which of their models is meant.
fn header(ui: &mut Ui, t: &Tokens, state: &State, columns: Columns, requests: &Requests) {
    let comparison = &state.comparison;
    let left = |ui: &mut Ui| {
        ui.label(theme::strong("Compare").size(t.heading));
        if comparison.columns().len() < MOST_COLUMNS {
            let add = ui.button("Add a run").on_hover_text("Choose it on Runs: “Add to comparison”");
            if add.clicked() {
                requests.command(UserCommand::Go(Screen::Runs));
            }
        }
    };
    let titles = comparison.titles(&state.forms, state.methods);
    columns.row(ui, left, |ui, index| {
        let column = &comparison.columns()[index];
        let (title, told) = &titles[index];
        ui.horizontal(|ui| {
            run_mark(ui, column.role());
            let room = ui.available_width() - t.control * 1.9;
            ui.allocate_ui_with_layout(vec2(room, t.control), Layout::left_to_right(Align::Center), |ui| {
                ui.set_width(room);
                ui.add(Label::new(theme::strong(title)).truncate()).on_hover_text(column.run.display().to_string());
            });
            let menu = ui.menu_button("…", |ui| column_menu(ui, state, index, requests));
            let name = format!("More about {title} {told}").trim().to_owned();
            menu.response.on_hover_text("More about this column").accessible_name(name);
        });
        if !told.is_empty() {
            ui.add(Label::new(told.as_str()).truncate());
        }
        model_chooser(ui, state, index, requests);
    });
}

fn model_chooser(ui: &mut Ui, state: &State, index: usize, requests: &Requests) {
    let t = theme::of(ui);
    let comparison = &state.comparison;
    let column = &comparison.columns()[index];
    let remark = |ui: &mut Ui, text: &str, colour| {
        ui.add(Label::new(RichText::new(text).size(t.small).color(colour)).wrap());
    };
    match comparison.run(column).and_then(|run| run.view.as_ref()) {
        None => remark(ui, "Reading…", t.text_weak),
        Some(Err(problem)) => remark(ui, &problem.headline, t.bad),
        Some(Ok(view)) if view.results.is_empty() => remark(ui, "not measured yet", t.text_weak),
        Some(Ok(view)) => {
            let shown = comparison.result(column).map(|row| row.name()).unwrap_or_default();
            let combo = ComboBox::from_id_salt(("model", index)).width(ui.available_width() - 4.0).selected_text(shown);
            let combo = combo.truncate().show_ui(ui, |ui| {
                for (at, row) in view.results.iter().enumerate() {
                    if ui.selectable_label(column.model == Some(at), row.name()).clicked() {
                        requests.change(Change::Compare(CompareChange::Model(index, at)));
                    }
                }
            });
            combo.response.accessible_name(format!("Model of {}", view.title));
        }
    }
    if index == 0 && comparison.columns().len() > 1 {
        remark(ui, "the others are compared to this", t.text_weak);
    }
}

fn column_menu(ui: &mut Ui, state: &State, index: usize, requests: &Requests) {
    let comparison = &state.comparison;
    let ask = |change| requests.change(Change::Compare(change));
    let column = &comparison.columns()[index];
    if index > 0 && ui.button("Compare the others to this one").clicked() {
        ask(CompareChange::MakeReference(index));
        ui.close();
    }
    if let Some(view) = comparison.view(column).filter(|_| comparison.columns().len() < MOST_COLUMNS) {
        for (at, row) in view.results.iter().enumerate().filter(|(at, _)| column.model != Some(*at)) {
            if ui.button(format!("Put its model “{}” beside it", row.name())).clicked() {
                ask(CompareChange::AddModel(index, at));
                ui.close();
            }
        }
    }
    if ui.button("Show on Watch").clicked() {
        requests.change(Change::OpenRun(column.run.clone()));
        ui.close();
    }
    if ui.button("Remove from comparison").clicked() {
        ask(CompareChange::Remove(index));
        ui.close();
    }
    if ui.button("Clear the comparison").clicked() {
        ask(CompareChange::Clear);
        ui.close();
    }
}

/// A sample of the run's line with its mark: the same in every plot.
fn run_mark(ui: &mut Ui, role: Role) {
    let t = theme::of(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(t.body * 1.7, t.body), Sense::hover());
    widgets::line_sample(ui.painter(), &t, rect, role);
}

/// What the varied setting does, while runs of the sweep are compared.
fn sweep(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let compared = |run: &SweepRun| state.comparison.columns().iter().any(|column| column.run == run.planned.folder);
    let Some(sweep) = state.sweep.as_ref().filter(|sweep| sweep.runs.iter().any(compared)) else {
        return;
    };
    theme::card(t).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let sentence = sweep.sentence().unwrap_or_else(|| sweep.summary());
        heading(ui, t, "Sweep", "", |ui| {
            widgets::export_button(ui, requests, "Sweep");
            widgets::table_button(ui, requests, "Sweep");
            if ui.button("Copy sentence").on_hover_text(&sentence).clicked() {
                requests.change(Change::Copy(sentence.clone()));
            }
            if sweep.is_over() && !sweep.is_recorded() && state.live_job().is_none() {
                let help = "The same values with three more seeds; where they agree it is no luck";
                if ui.button("Is that luck?").on_hover_text(help).clicked() {
                    requests.change(Change::Vary(VaryChange::MoreSeeds));
                }
            }
        });
        ui.add(Label::new(&sentence).wrap());
        let height = t.body * 14.0;
        if ui.available_width() > t.body * 72.0 {
            ui.columns(2, |columns| {
                sweep_plot(&mut columns[0], sweep, height);
                sweep_table(&mut columns[1], sweep);
            });
        } else {
            sweep_plot(ui, sweep, height);
            sweep_table(ui, sweep);
        }
        if sweep.courses().len() > 1 {
            ui.horizontal(|ui| {
                ui.label(theme::strong("ASR while it is learned"));
                widgets::table_button(ui, requests, "ASR of each value");
            });
            sweep_courses(ui, sweep, t.body * 12.0);
        }
    });
    ui.add_space(t.gap * 0.25);
}

/// Only the settings that are not equal.
fn what_differs(ui: &mut Ui, t: &Tokens, state: &State, columns: Columns, requests: &Requests) {
    let comparison = &state.comparison;
    let found = comparison.differences(&state.forms, state.methods);
    let Some(found) = found.filter(|_| comparison.columns().len() > 1) else {
        return;
    };
    let weights = weights(state);
    let same_run = comparison.columns().windows(2).all(|pair| pair[0].run == pair[1].run);
    let said = if same_run { "Models of one run: all settings are the same.".to_owned() } else { conclusion(&found) };
    theme::card(t).show(ui, |ui| {
        ui.set_width(ui.available_width());
        heading(ui, t, "What differs", &said, |ui| {
            if !found.is_empty() {
                widgets::export_button(ui, requests, "What differs");
            }
        });
        if weights.iter().any(Option::is_some) {
            let name = |ui: &mut Ui| {
                ui.add(Label::new(RichText::new("Weights").color(t.text_weak)).wrap());
            };
            columns.row(ui, name, |ui, index| {
                let value = weights[index].as_deref().unwrap_or("\u{2013}");
                ui.add(Label::new(if index > 0 { theme::strong(value) } else { RichText::new(value) }).wrap());
            });
        }
        for difference in &found {
            let name = |ui: &mut Ui| {
                ui.add(Label::new(RichText::new(&difference.name).color(t.text_weak)).wrap());
            };
            columns.row(ui, name, |ui, index| {
                let value = difference.values[index].as_deref().unwrap_or("\u{2013}");
                // What is unlike the first column is what matters.
                let text = if difference.values[index] == difference.values[0] {
                    RichText::new(value)
                } else {
                    theme::strong(value)
                };
                ui.add(Label::new(text).wrap());
            });
        }
    });
}

/// What tells the weights of each audited model from those of the first.
fn weights(state: &State) -> Vec<Option<String>> {
    let columns = state.comparison.columns();
    let Some(first) = columns.first().filter(|_| state.comparison.is_of_audits()) else {
        return vec![None; columns.len()];
    };
    columns.iter().map(|column| state.model_differences.sentence(&first.run, &column.run)).collect()
}

/// The title of a section, a sentence, and at the right what can be done with it.
fn heading(ui: &mut Ui, t: &Tokens, title: &str, sentence: &str, buttons: impl FnOnce(&mut Ui)) {
    let left = |ui: &mut Ui| {
        ui.label(theme::strong(title).size(t.heading));
        ui.add(Label::new(RichText::new(sentence).color(t.text_weak)).truncate()).on_hover_text(sentence);
    };
    egui::Sides::new().height(t.control).shrink_left().truncate().show(ui, left, buttons);
}
