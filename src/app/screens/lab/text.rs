//! The experiment as text, with mistakes shown on their line.

use crate::app::command::{Change, Requests};
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::widgets;
use egui::text::{LayoutJob, TextFormat};
use egui::{FontId, RichText, TextEdit, Ui};

pub fn show(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    widgets::section(ui, "As text", "TOML", |ui| {
        let problem = state.draft.problem();
        if let Some(problem) = problem {
            mistake(ui, t, problem, requests);
        }
        let bad_line = problem.and_then(|problem| problem.line);
        let mut text = state.draft.text().to_owned();
        let mut layouter = |ui: &Ui, buffer: &dyn egui::TextBuffer, width: f32| {
            let mut job = colour(t, buffer.as_str(), bad_line);
            job.wrap.max_width = width;
            ui.fonts_mut(|fonts| fonts.layout_job(job))
        };
        let edit = TextEdit::multiline(&mut text)
            .code_editor()
            .desired_width(f32::INFINITY)
            .desired_rows(18)
            .layouter(&mut layouter);
        if ui.add(edit).accessible_name("Experiment as text").changed() {
            requests.change(Change::Text(text));
        }
    });
}

fn mistake(ui: &mut Ui, t: &Tokens, problem: &crate::app::spec_text::TextProblem, requests: &Requests) {
    let frame = egui::Frame::new().fill(t.bad_ground).inner_margin(8).corner_radius(t.radius);
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 3.0;
        let place = problem.line.map(|line| format!("Line {line}: ")).unwrap_or_default();
        let headline = format!("{place}{}", problem.problem.headline);
        let response = ui.add(egui::Label::new(theme::strong(&headline).color(t.bad)).wrap());
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Alert, true, &headline));
        // The excerpt (it has several lines) is not repeated: the line itself is marked below.
        for line in problem.problem.detail.iter().filter(|line| !line.contains('\n')) {
            ui.add(egui::Label::new(RichText::new(line).size(t.small)).wrap());
        }
        for line in &problem.problem.remedy {
            ui.add(egui::Label::new(line).wrap());
        }
        let help = "Take the last text without a mistake";
        if !problem.readable && ui.button("Back to the last good text").on_hover_text(help).clicked() {
            requests.change(Change::RevertText);
        }
    });
}

/// Comments, section names, keys and values apart; the line with the mistake on a tinted ground.
fn colour(t: &Tokens, text: &str, bad_line: Option<usize>) -> LayoutJob {
    let font = FontId::monospace(t.mono);
    let mut job = LayoutJob::default();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let ground = if bad_line == Some(index + 1) { t.bad_ground } else { egui::Color32::TRANSPARENT };
        let mut append = |part: &str, colour| {
            let format = TextFormat { font_id: font.clone(), color: colour, background: ground, ..Default::default() };
            job.append(part, 0.0, format);
        };
        let trimmed = line.trim_start();
        if trimmed.starts_with('#') {
            append(line, t.text_weak);
        } else if trimmed.starts_with('[') {
            append(line, t.link);
        } else if let Some((key, value)) = line.split_once('=') {
            append(key, t.text);
            append("=", t.text_weak);
            append(value, if t.dark { t.warn } else { t.bad });
        } else {
            append(line, t.text);
        }
    }
    job
}
