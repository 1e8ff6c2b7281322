//! Watch: a training as it goes, or a finished run: phases, curves, pictures, the table, the log.

use crate::app::command::{Change, Requests, UserCommand};
use crate::app::job::{JobState, JobView, Level};
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::views::{self, metric_role, metric_title};
use crate::app::widgets::{self, command_button, main_button};
use crate::app::words;
use crate::run::event::Ending;
use egui::{RichText, ScrollArea, Ui};

pub fn show(ui: &mut Ui, state: &State, requests: &Requests) {
    let t = theme::of(ui);
    let Some(job) = &state.job else {
        let last = state.runs.rows.iter().max_by_key(|row| row.started);
        let sentence = match last {
            Some(row) => format!("The last run was “{}”.", row.name),
            None => "Curves, pictures and results appear here while a network trains.".to_owned(),
        };
        widgets::empty_state(ui, "Nothing is training", &sentence, |ui| {
            main_button(ui, state, requests, UserCommand::RemoveBackdoor);
            if let Some(row) = last
                && ui.button("Show the last run").clicked()
            {
                requests.change(Change::OpenRun(row.path.clone()));
            }
        });
        return;
    };
    header(ui, &t, state, job, requests);
    if let JobState::Ended(Ending::Failed(problem)) = &job.state {
        widgets::problem_card(ui, requests, problem, 1, false, None);
    }
    let total = ui.available_size();
    let wide = total.x > t.body * 58.0;
    let side = if wide { (total.x * 0.34).min(t.body * 34.0) } else { total.x };
    if wide {
        ui.horizontal_top(|ui| {
            ui.allocate_ui_with_layout(
                egui::vec2(total.x - side - t.pad, total.y),
                egui::Layout::top_down(egui::Align::LEFT),
                |ui| left(ui, &t, job, total.y),
            );
            ui.allocate_ui_with_layout(egui::vec2(side, total.y), egui::Layout::top_down(egui::Align::LEFT), |ui| {
                right(ui, &t, job, total.y)
            });
        });
    } else {
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            left(ui, &t, job, total.y.max(t.body * 26.0));
            right(ui, &t, job, t.body * 24.0);
        });
    }
}

fn header(ui: &mut Ui, t: &Tokens, state: &State, job: &JobView, requests: &Requests) {
    ui.horizontal(|ui| {
        ui.vertical(|ui| {
            ui.set_max_width((ui.available_width() - t.body * 24.0).max(t.body * 12.0));
            ui.spacing_mut().item_spacing.y = 3.0;
            ui.add(egui::Label::new(theme::title(t, &job.title)).truncate());
            let mut line = job.status();
            if let Some(progress) = job.progress.as_ref().filter(|_| job.is_live()) {
                if progress.total > 0 {
                    let (done, total) = (words::count(progress.done), words::count(progress.total));
                    line += &format!(" · {done} of {total} {}", progress.unit);
                }
                if let Some(speed) = progress.pictures_per_s {
                    line += &format!(" · {} pictures/s", words::count(speed.round() as u64));
                }
                line += &format!(" · {} so far", words::elapsed(progress.elapsed_s));
            }
            ui.add(egui::Label::new(RichText::new(line).color(t.text_weak)).truncate());
        });
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if job.is_live() {
                // Not beside "Stop and keep", and not under the pointer that has just pressed Start.
                ui.menu_button("More", |ui| {
                    if command_button(ui, state, requests, UserCommand::Discard).clicked() {
                        ui.close();
                    }
                });
                command_button(ui, state, requests, UserCommand::StopAndKeep);
                pause_button(ui, state, job, requests);
            } else if let Some(folder) = &job.folder {
                if ui.button("Open folder").on_hover_text(folder.display().to_string()).clicked() {
                    requests.change(Change::RevealFolder(folder.clone()));
                }
                let again = "The same experiment once more; another seed tells luck from skill";
                if ui.button("Again with a new seed").on_hover_text(again).clicked() {
                    requests.change(Change::RunAgain(folder.clone()));
                }
                let stopped = matches!(&job.state, JobState::Ended(Ending::Stopped { kept: true } | Ending::Failed(_)));
                if stopped && ui.button("Continue").on_hover_text("Go on from the last saved point").clicked() {
                    requests.change(Change::ContinueRun(folder.clone()));
                }
            }
        });
    });
    if job.is_live() {
        ui.horizontal(|ui| {
            let words = job.eta().map(|eta| format!("this phase: {eta}")).unwrap_or_default();
            let width = ui.available_width() - t.body * 13.0;
            let share = job.share().unwrap_or(0.0);
            widgets::phase_bar(ui, "Progress", job.phase, job.phases, share, width.max(60.0));
            ui.label(words);
        });
    }
}

/// The same command under the word that fits.
fn pause_button(ui: &mut Ui, state: &State, job: &JobView, requests: &Requests) {
    let command = UserCommand::TogglePause;
    let word = if job.state == JobState::Paused { "Resume" } else { "Pause" };
    let button = ui.add_enabled(state.enabled(command), egui::Button::new(theme::strong(word)));
    if button.on_hover_text(command.tooltip()).clicked() {
        requests.command(command);
    }
}

fn left(ui: &mut Ui, t: &Tokens, job: &JobView, height: f32) {
    ScrollArea::vertical().id_salt("curves").auto_shrink(false).show(ui, |ui| {
        let top = ui.cursor().top();
        if !job.results.is_empty() {
            widgets::section(ui, "Result", "", |ui| {
                if let Some(conclusion) = job.conclusion() {
                    ui.add(egui::Label::new(theme::strong(conclusion)).wrap());
                }
                ScrollArea::horizontal().show(ui, |ui| views::results_table(ui, &job.results));
            });
        }
        let used = ui.cursor().top() - top;
        theme::card(t).show(ui, |ui| {
            ui.set_width(ui.available_width());
            let inner = height - used - 2.0 * t.pad - 4.0;
            if job.curves.is_empty() && !job.is_live() {
                widgets::empty_state(ui, "No curves", "This run ended before its first measurement.", |_| {});
            } else {
                views::curves(ui, &job.curves, inner.max(t.body * 22.0));
            }
        });
    });
}

fn right(ui: &mut Ui, t: &Tokens, job: &JobView, height: f32) {
    ui.vertical(|ui| {
        let top = ui.cursor().top();
        // The newest values; once there is a table it says more.
        if job.results.is_empty() {
            ui.columns(3, |columns| {
                for (ui, metric) in columns.iter_mut().zip(["acc", "asr", "ra"]) {
                    let (name, meaning) = metric_title(metric);
                    let value = job.curves.last(metric).map_or_else(|| "\u{2013}".to_owned(), words::percent);
                    widgets::metric_card(ui, metric_role(metric), name, &value, &meaning);
                }
            });
        }
        for problem in job.warnings.iter().rev().take(1) {
            ui.add(egui::Label::new(RichText::new(&problem.headline).color(t.warn)).wrap())
                .on_hover_text(problem.to_string());
        }
        let left = height - (ui.cursor().top() - top);
        let log = (left * 0.36).max(t.body * 7.0);
        let pictures = left - log - 2.0 * (2.0 * t.pad + t.heading * 1.8) - t.gap * 2.0;
        widgets::section(ui, "Pictures", "", |ui| {
            of_height(ui, pictures.max(t.body * 8.0), |ui| views::job_pictures(ui, job));
        });
        widgets::section(ui, "Log", "", |ui| {
            of_height(ui, log, |ui| log_lines(ui, t, job));
        });
    });
}

/// Content in a box of this height, however much there is.
fn of_height(ui: &mut Ui, height: f32, content: impl FnOnce(&mut Ui)) {
    let size = egui::vec2(ui.available_width(), height);
    ui.allocate_ui_with_layout(size, egui::Layout::top_down(egui::Align::LEFT), |ui| {
        ui.set_min_size(size);
        content(ui);
    });
}

fn log_lines(ui: &mut Ui, t: &Tokens, job: &JobView) {
    let row = t.small * 1.5;
    ui.spacing_mut().item_spacing.y = 2.0;
    ui.spacing_mut().interact_size.y = row;
    let area = ScrollArea::vertical().id_salt("log").stick_to_bottom(true).auto_shrink(false);
    area.show_rows(ui, row, job.log.len(), |ui, rows| {
        for line in job.log.range(rows) {
            ui.horizontal(|ui| {
                let at =
                    RichText::new(line.at.map(words::elapsed).unwrap_or_default()).size(t.small).color(t.text_weak);
                let column = egui::vec2(t.small * 5.5, row);
                let left = egui::Layout::left_to_right(egui::Align::Center);
                ui.allocate_ui_with_layout(column, left, |ui| {
                    ui.set_min_width(column.x);
                    ui.label(at);
                });
                let text = RichText::new(&line.text).size(t.small);
                let text = match line.level {
                    Level::Warning => text.color(t.warn),
                    Level::Step => text.color(t.text),
                    Level::Note => text.color(t.text_weak),
                };
                ui.add(egui::Label::new(text).truncate().selectable(true)).on_hover_text(&line.text);
            });
        }
    });
}
