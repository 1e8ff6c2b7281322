//! What an audit has found: a card for every check, filled as the run goes, and the evidence of the one that is open.

use super::decision::Typed;
use super::{ask, steps, weak};
use crate::app::audit::{AuditChange, urgency};
use crate::app::command::{Change, Requests, Screen, UserCommand};
use crate::app::comparison::CompareChange;
use crate::app::export::{ExportChange, REPORT};
use crate::app::job::{JobState, JobView};
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::widgets::{self, command_button, verdict_colour, verdict_sign};
use crate::app::words;
use crate::experiment::Pick;
use crate::run::checked::{CheckResult, Subject, Table, Verdict, conclusion};
use crate::run::event::Ending;
use egui::{
    Align, CornerRadius, Frame, Label, Layout, Margin, Rect, RichText, ScrollArea, Sense, Stroke, Ui, WidgetInfo, vec2,
};

pub fn show(ui: &mut Ui, t: &Tokens, state: &State, job: &JobView, typed: &mut Typed, requests: &Requests) {
    header(ui, t, state, job, requests);
    if let JobState::Ended(Ending::Failed(problem)) = &job.state {
        widgets::problem_card(ui, requests, problem, 1, false, None);
    }
    sum(ui, t, job);
    let shown = state.shown_finding();
    let total = ui.available_size();
    if total.x > t.body * 60.0 {
        let side = (total.x * 0.38).clamp(t.body * 22.0, t.body * 36.0);
        let column = Layout::top_down(Align::LEFT);
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = t.gap;
            ui.allocate_ui_with_layout(vec2(side, total.y), column, |ui| {
                ScrollArea::vertical().id_salt("findings").auto_shrink(false).show(ui, |ui| {
                    cards(ui, t, state, job, false, requests);
                    super::decision::show(ui, t, job, typed, requests);
                    subject(ui, t, job);
                });
            });
            ui.allocate_ui_with_layout(vec2(total.x - side - t.gap, total.y), column, |ui| {
                if let Some(found) = shown {
                    theme::card(t).show(ui, |ui| {
                        ui.set_width(ui.available_width());
                        ui.set_min_height(ui.available_height());
                        ScrollArea::vertical().id_salt("evidence").auto_shrink(false).show(ui, |ui| {
                            evidence(ui, t, state, job, found, requests);
                        });
                    });
                }
            });
        });
    } else {
        ScrollArea::vertical().id_salt("findings").auto_shrink(false).show(ui, |ui| {
            cards(ui, t, state, job, true, requests);
            super::decision::show(ui, t, job, typed, requests);
            subject(ui, t, job);
        });
    }
}

fn header(ui: &mut Ui, t: &Tokens, state: &State, job: &JobView, requests: &Requests) {
    ui.horizontal_wrapped(|ui| {
        ui.set_min_height(t.control * 1.3);
        ui.label(theme::title(t, &job.title));
        if job.is_live() {
            command_button(ui, state, requests, UserCommand::TogglePause);
            command_button(ui, state, requests, UserCommand::StopAndKeep);
            return;
        }
        let folder = job.folder.clone().unwrap_or_default();
        if !job.checks.is_empty() {
            let button = egui::Button::new(theme::strong("Report…").color(t.on_accent)).fill(t.accent);
            let help = "The findings with their evidence, as a PDF or a folder";
            if ui.add(button).on_hover_text(help).clicked() {
                requests.change(Change::Export(ExportChange::Open(Some(REPORT.to_owned()))));
            }
        }
        if matches!(&job.state, JobState::Ended(Ending::Stopped { kept: true } | Ending::Failed(_)))
            && ui.button("Continue").on_hover_text("Go on with the checks that are missing").clicked()
        {
            requests.change(Change::ContinueRun(folder.clone()));
        }
        let help = "The same pictures, checks and seed for another model, such as a repaired one";
        if ui.button("Repeat on another model").on_hover_text(help).clicked() {
            ask(requests, AuditChange::Repeat);
        }
        if let Some(earlier) = job.earlier() {
            let help = "Both audits side by side: findings, weights, and the pictures that the models see differently";
            if ui.button("Compare with the earlier audit").on_hover_text(help).clicked() {
                for change in [CompareChange::Clear, CompareChange::Add(earlier), CompareChange::Add(folder.clone())] {
                    requests.change(Change::Compare(change));
                }
                requests.command(UserCommand::Go(Screen::Compare));
            }
        } else {
            command_button(ui, state, requests, UserCommand::AddToComparison);
        }
        ui.menu_button("More", |ui| {
            if ui.button("New audit").on_hover_text("Choose model, pictures and checks anew").clicked() {
                ask(requests, AuditChange::New);
                ui.close();
            }
            if ui.button("Log and curves").on_hover_text("The same run on Watch").clicked() {
                requests.command(UserCommand::Go(Screen::Watch));
                ui.close();
            }
            if ui.button("Open folder").on_hover_text(folder.display().to_string()).clicked() {
                requests.change(Change::RevealFolder(folder));
                ui.close();
            }
        });
    });
    steps(ui, t, if job.is_live() { 2 } else { 3 });
    ui.add_space(t.gap * 0.5);
}

/// The sentence that all comes to; while the run goes, where it is.
fn sum(ui: &mut Ui, t: &Tokens, job: &JobView) {
    if job.is_live() {
        ui.horizontal(|ui| {
            let words = job.eta().map(|eta| format!("this step: {eta}")).unwrap_or_default();
            let width = ui.available_width() - t.body * 22.0;
            widgets::phase_bar(ui, "Progress", job.phase, job.phases, job.share().unwrap_or(0.0), width.max(60.0));
            ui.label(theme::strong(job.status()));
            ui.label(RichText::new(words).color(t.text_weak));
        });
        return;
    }
    let Some(worst) = job.checks.iter().map(|found| found.verdict).max_by_key(|verdict| urgency(*verdict)) else {
        return weak(ui, t, format!("{}. No check has been finished.", job.status()));
    };
    let said = conclusion(&job.checks);
    let frame = Frame::new()
        .fill(t.card)
        .stroke(Stroke::new(1.0, verdict_colour(t, worst)))
        .corner_radius(CornerRadius::same(t.radius))
        .inner_margin(Margin::symmetric(14, 10));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal_top(|ui| {
            verdict_sign(ui, t, worst, t.heading);
            let label = ui.add(Label::new(theme::strong(&said)).wrap());
            label.widget_info(|| WidgetInfo::labeled(egui::Role::Alert, true, &said));
        });
    });
    ui.add_space(t.gap * 0.5);
}

/// Every check that was asked for, in its order; `inline` puts the evidence of the chosen one below it.
fn cards(ui: &mut Ui, t: &Tokens, state: &State, job: &JobView, inline: bool, requests: &Requests) {
    let shown = state.shown_finding();
    let picks: &[Pick] = job.experiment.as_ref().map(|experiment| experiment.check.as_slice()).unwrap_or_default();
    // Findings come in the order of the picks: the n-th belongs to the n-th.
    for (at, pick) in picks.iter().enumerate() {
        match job.checks.get(at) {
            Some(found) => {
                let chosen = shown.is_some_and(|shown| shown.check == found.check);
                if finding(ui, t, found, chosen) {
                    ask(requests, AuditChange::Evidence(found.check.clone()));
                }
                if inline && chosen {
                    ui.add_space(t.gap * 0.5);
                    theme::card(t).show(ui, |ui| {
                        ui.set_width(ui.available_width());
                        evidence(ui, t, state, job, found, requests);
                    });
                }
            }
            None => waiting(ui, t, state, job, at, pick),
        }
        ui.add_space(t.gap * 0.5);
    }
}

/// A finished check; true when it was chosen.
fn finding(ui: &mut Ui, t: &Tokens, found: &CheckResult, chosen: bool) -> bool {
    let edge = if chosen { Stroke::new(2.0, t.accent) } else { Stroke::new(1.0, t.line) };
    let frame = theme::card(t).stroke(edge).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 4.0;
        ui.horizontal(|ui| {
            verdict_sign(ui, t, found.verdict, t.body * 1.1);
            ui.label(theme::strong(found.verdict.words()).color(verdict_colour(t, found.verdict)));
            ui.label(theme::strong(&found.title));
        });
        ui.add(Label::new(&found.headline).wrap());
    });
    let name = format!("{}: {}", found.title, found.verdict.words());
    let response = ui.interact(frame.response.rect, ui.scope_id().with(&found.check), Sense::click());
    response.widget_info(|| WidgetInfo::selected(egui::Role::Button, true, chosen, &name));
    if response.has_focus() {
        let corner = CornerRadius::same(t.radius);
        ui.painter().rect_stroke(response.rect, corner, Stroke::new(2.0, t.link), egui::StrokeKind::Outside);
    }
    response.on_hover_text("Show the evidence").on_hover_cursor(egui::CursorIcon::PointingHand).clicked()
}

/// A check that runs or will run.
fn waiting(ui: &mut Ui, t: &Tokens, state: &State, job: &JobView, at: usize, pick: &Pick) {
    theme::card(t).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let name = state.method(&pick.id).map_or(pick.id.as_str(), |method| method.name);
        let runs = job.is_live() && at == job.checks.len() && job.phase > 0;
        ui.horizontal(|ui| {
            ui.label(theme::strong(name).color(t.text_weak));
            let word = match (runs, job.is_live()) {
                (true, _) => "is looking…",
                (false, true) => "waits",
                (false, false) => "was not run",
            };
            ui.label(RichText::new(word).color(t.text_weak));
        });
        if let Some(progress) = job.progress.as_ref().filter(|progress| runs && progress.total > 0) {
            let line = format!(
                "{} of {} {}{}",
                words::count(progress.done),
                words::count(progress.total),
                progress.unit,
                job.eta().map(|eta| format!(" · {eta}")).unwrap_or_default()
            );
            weak(ui, t, line);
        }
    });
}

/// Everything behind a finding.
fn evidence(ui: &mut Ui, t: &Tokens, state: &State, job: &JobView, found: &CheckResult, requests: &Requests) {
    ui.set_max_width(ui.available_width() - t.gap);
    ui.horizontal_wrapped(|ui| {
        verdict_sign(ui, t, found.verdict, t.heading);
        ui.label(theme::strong(&found.title).size(t.heading));
        ui.label(theme::strong(found.verdict.words()).size(t.heading).color(verdict_colour(t, found.verdict)));
    });
    ui.add(Label::new(&found.headline).wrap().selectable(true));
    ui.add_space(t.gap * 0.5);
    ui.scope(|ui| {
        ui.spacing_mut().interact_size.y = t.body * 1.3;
        egui::Grid::new(("evidence", &found.check)).num_columns(2).spacing([t.pad, 4.0]).show(ui, |ui| {
            for (name, value) in &found.evidence {
                ui.label(RichText::new(name).color(t.text_weak));
                ui.add(Label::new(value).wrap().selectable(true));
                ui.end_row();
            }
        });
    });
    if found.patch.is_some() && !job.is_live() {
        super::stand::show(ui, t, state, requests);
    }
    for saved in &found.pictures {
        let picture = job.pictures.iter().find(|picture| picture.key == saved.file);
        if let Some(picture) = picture {
            ui.add_space(t.gap * 0.5);
            // A square needs less room than a strip.
            let shape = picture.rgba.width as f32 / picture.rgba.height.max(1) as f32;
            let width = ui.available_width().min(t.body * 16.0 * shape).min(picture.rgba.width as f32 * 1.5);
            widgets::picture_sheet(ui, &picture.rgba, width, &saved.caption);
        }
    }
    if let Some(table) = &found.table {
        ui.add_space(t.gap * 0.5);
        ScrollArea::horizontal().id_salt("table").show(ui, |ui| rows(ui, t, &found.check, table));
    }
    ui.add_space(t.gap * 0.5);
    ui.label(theme::strong("How strong this is"));
    let seconds = words::elapsed(found.seconds);
    ui.add(Label::new(format!("{} It took {seconds}.", found.strength)).wrap());
    ui.label(theme::strong("What it would miss"));
    ui.add(Label::new(format!("It would miss {}.", found.misses)).wrap());
}

/// A line for each class or layer, with a bar for the column that matters.
fn rows(ui: &mut Ui, t: &Tokens, id: &str, table: &Table) {
    ui.spacing_mut().interact_size.y = t.body * 1.3;
    egui::Grid::new(("rows", id)).striped(true).spacing([t.pad, 3.0]).show(ui, |ui| {
        for name in &table.head {
            ui.label(RichText::new(name).size(t.small).color(t.text_weak));
        }
        ui.label("");
        ui.end_row();
        for row in &table.rows {
            for cell in &row.cells {
                ui.label(if row.stands_out { theme::strong(cell) } else { RichText::new(cell) });
            }
            let full = vec2(t.body * 8.0, t.body * 0.8);
            let (rect, response) = ui.allocate_exact_size(full, Sense::hover());
            let bar = Rect::from_min_size(rect.min, vec2((rect.width() * row.bar as f32).max(1.0), rect.height()));
            let fill = if row.stands_out { verdict_colour(t, Verdict::Suspicious) } else { t.clean };
            ui.painter().rect_filled(rect, CornerRadius::same(2), t.field);
            ui.painter().rect_filled(bar, CornerRadius::same(2), fill);
            let what = table.head.get(table.bars).map(String::as_str).unwrap_or_default();
            response.on_hover_text(what);
            ui.end_row();
        }
    });
}

/// What was audited: enough to know it again.
fn subject(ui: &mut Ui, t: &Tokens, job: &JobView) {
    let Some(subject) = &job.subject else { return };
    widgets::section(ui, "What was checked", "", |ui| {
        ui.spacing_mut().interact_size.y = t.body * 1.2;
        egui::Grid::new("subject").num_columns(2).spacing([t.gap, 3.0]).show(ui, |ui| {
            for (name, value) in facts_of(subject, job) {
                ui.label(RichText::new(name).size(t.small).color(t.text_weak));
                let label = Label::new(RichText::new(&value).size(t.small)).truncate().selectable(true);
                ui.add(label).on_hover_text(&value);
                ui.end_row();
            }
        });
    });
}

fn facts_of(subject: &Subject, job: &JobView) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    facts.extend(subject.file.clone().map(|file| ("model", file)));
    facts.extend(subject.hash.clone().map(|hash| ("BLAKE3", hash)));
    facts.push(("network", format!("{}, {} numbers", subject.network, words::count(subject.weights))));
    if !subject.inserted.is_empty() {
        facts.push(("inserted", subject.inserted.join(", ")));
    }
    let pictures = words::count(subject.pictures as u64);
    facts.push(("pictures", format!("{}, {pictures} ({})", subject.data, subject.part)));
    facts.extend(job.experiment.as_ref().map(|experiment| ("seed", experiment.seed.to_string())));
    facts
}
