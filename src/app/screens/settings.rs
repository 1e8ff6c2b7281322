//! Settings and About on one page; no OK button.

use crate::app::command::{Change, Requests, UserCommand};
use crate::app::config::LookChoice;
use crate::app::frame_clock::FrameClock;
use crate::app::state::State;
use crate::app::theme::{self, Tokens, Vision};
use crate::app::widgets::{self, command_button};
use crate::experiment::DeviceChoice;
use crate::run::event::Finding;
use egui::{DragValue, RichText, ScrollArea, TextEdit, Ui};

const TEXT_SIZES: [f32; 5] = [0.8, 1.0, 1.25, 1.5, 2.0];

#[derive(Debug, Default)]
pub struct SettingsPage {
    device: Option<String>,
    runs_folder: Option<String>,
}

pub fn show(ui: &mut Ui, state: &State, clock: &FrameClock, page: &mut SettingsPage, requests: &Requests) {
    let t = theme::of(ui);
    let mut settings = state.settings.clone();
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.set_max_width((t.body * 56.0).min(ui.available_width()));
        ui.horizontal(|ui| {
            ui.label(theme::title(&t, "Settings"));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                command_button(ui, state, requests, UserCommand::ResetSettings);
                if state.settings_before.is_some() {
                    command_button(ui, state, requests, UserCommand::Undo);
                    ui.label("The settings were reset.");
                }
            });
        });
        widgets::section(ui, "Look", "", |ui| {
            let looks = [
                (LookChoice::System, "As the system", "Light or dark, as the desktop is"),
                (LookChoice::Light, "Light", ""),
                (LookChoice::Dark, "Dark", ""),
                (LookChoice::Projector, "Projector", "Large type for the last row of a lecture room (F5)"),
                (LookChoice::HighContrast, "High contrast", "White on black, an edge around every control"),
            ];
            let words = looks.map(|(_, word, help)| (word.to_owned(), help.to_owned()));
            let selected = looks.iter().position(|(look, _, _)| *look == settings.look);
            if let Some(index) = widgets::segmented(ui, "Look", &words, selected) {
                settings.look = looks[index].0;
            }
            row(ui, "Colour vision", |ui| {
                let words = Vision::ALL.map(|vision| (vision.name().to_owned(), vision.meaning().to_owned()));
                let selected = Vision::ALL.iter().position(|vision| *vision == state.vision);
                if let Some(index) = widgets::segmented(ui, "Colour vision", &words, selected) {
                    requests.change(Change::See(Vision::ALL[index]));
                }
                ui.label(RichText::new("a preview").color(t.text_weak));
            });
            row(ui, "Text size", |ui| {
                let words = TEXT_SIZES.map(|size| (format!("{:.0} %", size * 100.0), String::new()));
                let selected = TEXT_SIZES.iter().position(|size| (size - settings.text_size).abs() < 0.01);
                if let Some(index) = widgets::segmented(ui, "Text size", &words, selected) {
                    settings.text_size = TEXT_SIZES[index];
                }
                ui.label(RichText::new("or Ctrl and plus or minus; kept for each display").color(t.text_weak));
            });
        });
        ui.add_space(t.gap * 0.5);
        widgets::section(ui, "Training", "", |ui| {
            row(ui, "Device", |ui| device(ui, page, &mut settings.device));
            row(ui, "Threads", |ui| {
                let most = 256;
                ui.add(DragValue::new(&mut settings.threads).range(0..=most)).accessible_name("Threads");
                ui.label(RichText::new("0 means all cores").color(t.text_weak));
            });
            row(ui, "Runs folder", |ui| {
                let mut text = page.runs_folder.clone().unwrap_or_else(|| shown_folder(state));
                let edit = ui.add(TextEdit::singleline(&mut text).desired_width(t.body * 28.0));
                let edit = edit.accessible_name("Runs folder");
                if edit.lost_focus() {
                    let text = page.runs_folder.take().unwrap_or(text).trim().to_owned();
                    let is_default = text.is_empty()
                        || state.archive.default_folder().is_ok_and(|folder| text == folder.display().to_string());
                    settings.runs_folder = (!is_default).then(|| text.into());
                } else if edit.has_focus() {
                    page.runs_folder = Some(text);
                }
                if let Some(folder) = state.runs_folder()
                    && ui.button("Open folder").clicked()
                {
                    requests.change(Change::RevealFolder(folder));
                }
            });
        });
        ui.add_space(t.gap * 0.5);
        findings(ui, &t, state, requests);
        ui.add_space(t.gap * 0.5);
        widgets::section(ui, "About", "", |ui| about(ui, &t, state, clock));
    });
    if settings != state.settings {
        requests.change(Change::Settings(Box::new(settings)));
    }
}

fn shown_folder(state: &State) -> String {
    state.runs_folder().map(|folder| folder.display().to_string()).unwrap_or_default()
}

fn row(ui: &mut Ui, name: &str, content: impl FnOnce(&mut Ui)) {
    let t = theme::of(ui);
    ui.horizontal(|ui| {
        ui.allocate_ui_with_layout(
            egui::vec2(t.body * 8.0, t.control),
            egui::Layout::left_to_right(egui::Align::Center),
            |ui| {
                ui.set_min_width(t.body * 8.0);
                ui.label(name);
            },
        );
        content(ui);
    });
}

fn device(ui: &mut Ui, page: &mut SettingsPage, device: &mut DeviceChoice) {
    let t = theme::of(ui);
    let mut text = page.device.clone().unwrap_or_else(|| device.to_string());
    let edit = ui.add(TextEdit::singleline(&mut text).desired_width(t.body * 8.0)).accessible_name("Device");
    match text.trim().parse() {
        Ok(choice) => {
            page.device = edit.has_focus().then_some(text);
            *device = choice;
            ui.label(RichText::new("auto, cpu, cuda or cuda:1").color(t.text_weak));
        }
        Err(why) => {
            ui.label(RichText::new(why).color(t.bad));
            page.device = Some(text);
        }
    }
}

/// What `polariscope doctor` tells, from the same source.
fn findings(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    widgets::section(ui, "What was found on this machine", "", |ui| {
        let Some(findings) = &state.findings else {
            let text = if state.live_job().is_some() { "Asked between two batches…" } else { "Looking around…" };
            ui.label(RichText::new(text).color(t.text_weak));
            return;
        };
        ui.spacing_mut().interact_size.y = t.body * 1.3;
        egui::Grid::new("findings").num_columns(2).spacing([t.pad, 4.0]).show(ui, |ui| {
            for finding in findings {
                ui.horizontal(|ui| {
                    let (rect, _) = ui.allocate_exact_size(egui::Vec2::splat(t.body), egui::Sense::hover());
                    let colour = match (finding.good, finding.needed) {
                        (true, _) => t.good,
                        (false, true) => t.bad,
                        (false, false) => t.text_weak,
                    };
                    widgets::verdict_mark(ui.painter(), rect.center(), t.body * 0.34, finding.good, colour);
                    ui.label(RichText::new(&finding.name).color(t.text_weak));
                });
                let missing = if finding.needed { "Needed: " } else { "" };
                let text = if finding.good { finding.text.clone() } else { format!("{missing}{}", finding.text) };
                ui.add(egui::Label::new(text).wrap().selectable(true));
                ui.end_row();
            }
        });
        ui.spacing_mut().interact_size.y = t.control;
        ui.horizontal(|ui| {
            if ui.button("Look again").on_hover_text("After a driver or a folder has changed").clicked() {
                requests.change(Change::LookAround);
            }
            if ui.button("Copy").on_hover_text("Copy these lines as text").clicked() {
                let line = |finding: &Finding| {
                    format!("{}  {:<12} {}\n", if finding.good { "ok" } else { "--" }, finding.name, finding.text)
                };
                requests.change(Change::Copy(findings.iter().map(line).collect()));
            }
        });
    });
}

fn about(ui: &mut Ui, t: &Tokens, state: &State, clock: &FrameClock) {
    let mut facts = vec![("Polariscope", env!("CARGO_PKG_VERSION").to_owned())];
    let machine = &state.machine;
    let kind = if machine.software { " (a program draws, no graphics card)" } else { "" };
    facts.push(("Drawn by", format!("{}{kind}", machine.adapter)));
    facts.push(("Processor cores", machine.cores.to_string()));
    if let Some(job) = state.job.as_ref().filter(|job| !job.device.is_empty()) {
        facts.push(("Last training", format!("{}, {} threads", job.device, job.threads)));
    }
    ui.spacing_mut().interact_size.y = t.body * 1.3;
    egui::Grid::new("about").num_columns(2).spacing([t.pad, 4.0]).show(ui, |ui| {
        for (name, value) in facts {
            ui.label(RichText::new(name).color(t.text_weak));
            ui.add(egui::Label::new(value).selectable(true));
            ui.end_row();
        }
    });
    // Not in the grid: it changes with every frame, and a grid whose columns change wants another frame.
    if let Some(figures) = clock.figures() {
        let (p50, p99, worst) = (figures.p50_ms, figures.p99_ms, figures.worst_ms);
        let text = format!("Work per frame: half below {p50:.1} ms, 99 % below {p99:.1} ms, worst {worst:.1} ms");
        ui.add(egui::Label::new(RichText::new(text).color(t.text_weak)).selectable(true));
    }
    ui.add_space(t.gap);
    let purpose = "Polariscope is for learning about, teaching and auditing backdoors in neural networks. Models that it \
                   attacks are marked as such.";
    ui.add(egui::Label::new(RichText::new(purpose).color(t.text_weak)).wrap());
}
