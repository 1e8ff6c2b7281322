//! Cards: a metric, a problem, a report, a titled section.

use super::command_button;
use crate::app::command::{Change, Requests, UserCommand};
use crate::app::state::State;
use crate::app::theme::{self, Role};
use crate::experiment::{Code, Problem};
use crate::run::event::Report;
use egui::{CornerRadius, Frame, Margin, Response, RichText, Stroke, Ui, WidgetInfo};

/// A number with its name and what it means.
pub fn metric_card(ui: &mut Ui, role: Role, name: &str, value: &str, meaning: &str) -> Response {
    let t = theme::of(ui);
    let response = theme::card(&t)
        .inner_margin(Margin::symmetric(12, 8))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 1.0;
            ui.vertical(|ui| {
                ui.horizontal(|ui| {
                    let (rect, _) = ui.allocate_exact_size(egui::vec2(t.body * 0.8, t.small), egui::Sense::hover());
                    ui.painter().rect_filled(rect, CornerRadius::same(2), t.role(role));
                    ui.label(RichText::new(name).size(t.small).color(t.text_weak));
                });
                // A number and its sign stay on one line, in a narrow card too.
                let size = (t.heading * 1.25).min(ui.available_width() / value.chars().count().max(1) as f32 * 1.7);
                ui.add(egui::Label::new(theme::strong(value).size(size)).extend());
            });
        })
        .response;
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Group, true, format!("{name}: {value}. {meaning}")));
    response.on_hover_text(meaning)
}

/// A problem: what did not happen, why, what to do. `count` says how often; `dismiss` adds a button that removes it.
pub fn problem_card(
    ui: &mut Ui,
    requests: &Requests,
    problem: &Problem,
    count: usize,
    mild: bool,
    dismiss: Option<Change>,
) {
    let t = theme::of(ui);
    let (ground, edge) = if mild { (t.warn_ground, t.warn) } else { (t.bad_ground, t.bad) };
    let frame = Frame::new()
        .fill(ground)
        .stroke(Stroke::new(1.0, edge))
        .corner_radius(CornerRadius::same(t.radius))
        .inner_margin(Margin::same(12));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 4.0;
        ui.horizontal_top(|ui| {
            let buttons = t.body * 11.0;
            ui.vertical(|ui| {
                ui.set_width((ui.available_width() - buttons).max(120.0));
                let times = if count > 1 { format!("  ({count} times)") } else { String::new() };
                let headline = ui.add(egui::Label::new(theme::strong(format!("{}{times}", problem.headline))).wrap());
                headline.widget_info(|| WidgetInfo::labeled(egui::Role::Alert, true, &problem.headline));
                if let Some(place) = &problem.place {
                    ui.add(egui::Label::new(RichText::new(place).monospace().size(t.small)).wrap());
                }
                // One sentence of why is shown at once; the rest is for those who open it.
                let (why, rest) = match problem.detail.split_first() {
                    Some((first, rest)) if !first.contains('\n') => (Some(first), rest),
                    _ => (None, &problem.detail[..]),
                };
                if let Some(why) = why {
                    ui.add(egui::Label::new(why).wrap());
                }
                for line in &problem.remedy {
                    ui.add(egui::Label::new(line).wrap());
                }
                if !rest.is_empty() {
                    egui::CollapsingHeader::new(RichText::new("Details").size(t.small))
                        .id_salt(&problem.headline)
                        .show(ui, |ui| {
                            for line in rest {
                                ui.add(
                                    egui::Label::new(RichText::new(line).monospace().size(t.small))
                                        .wrap()
                                        .selectable(true),
                                );
                            }
                        });
                }
            });
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Min), |ui| {
                if let Some(change) = dismiss
                    && ui.button("Dismiss").clicked()
                {
                    requests.change(change);
                }
                if ui.button("Copy").on_hover_text("Copy the whole message").clicked() {
                    requests.change(Change::Copy(problem.to_string()));
                }
            });
        });
    });
}

/// Why the draft's trigger cannot be seen: calmly, with the way to it, when it only has to be made first.
pub fn unseen_trigger(ui: &mut Ui, state: &State, requests: &Requests, problem: &Problem) {
    if problem.code != Code::NotMadeYet {
        return problem_card(ui, requests, problem, 1, true, None);
    }
    let t = theme::of(ui);
    ui.spacing_mut().item_spacing.y = t.gap * 0.7;
    ui.add(egui::Label::new(theme::strong("The trigger comes with the run")).wrap());
    for line in std::iter::once(&problem.headline).chain(&problem.remedy) {
        ui.add(egui::Label::new(line).wrap());
    }
    command_button(ui, state, requests, UserCommand::Start);
}

/// What the engine found in a file or folder.
pub fn report_card(ui: &mut Ui, report: &Report, buttons: impl FnOnce(&mut Ui)) {
    let t = theme::of(ui);
    theme::card(&t).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.label(theme::strong(&report.title).size(t.heading));
        ui.spacing_mut().interact_size.y = t.body * 1.3;
        egui::Grid::new(("report", &report.title)).num_columns(2).spacing([t.pad, 4.0]).show(ui, |ui| {
            for (name, value) in &report.facts {
                ui.label(RichText::new(name).color(t.text_weak));
                ui.add(egui::Label::new(value).wrap().selectable(true));
                ui.end_row();
            }
        });
        for warning in &report.warnings {
            ui.add(egui::Label::new(RichText::new(warning).color(t.warn)).wrap());
        }
        ui.spacing_mut().interact_size.y = t.control;
        ui.horizontal(buttons);
    });
}

/// A card with a title and, at its right, a quiet remark.
pub fn section<R>(ui: &mut Ui, title: &str, remark: &str, content: impl FnOnce(&mut Ui) -> R) -> R {
    let t = theme::of(ui);
    theme::card(&t)
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.horizontal(|ui| {
                ui.label(theme::strong(title).size(t.heading));
                if !remark.is_empty() {
                    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                        ui.label(RichText::new(remark).size(t.small).color(t.text_weak));
                    });
                }
            });
            content(ui)
        })
        .inner
}
