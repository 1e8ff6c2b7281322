//! The measures of all columns as one table of bars, each with its distance from the first column.

use super::{Columns, heading};
use crate::app::command::Requests;
use crate::app::export::metric_of;
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::views::metric_title;
use crate::app::{widgets, words};
use crate::experiment::metric;
use egui::{CornerRadius, RichText, Sense, Ui, WidgetInfo, vec2};

const METRICS: [&str; 6] = ["acc", "asr", "ra", "cross", RAR, "der"];
/// Only models that map their answers back have it.
const RAR: &str = "rar";
/// Measured for few attacks, or for few defenses only.
const RARE: [&str; 2] = ["cross", RAR];
/// What is known of a model whose trigger nobody has told.
const OF_AUDITS: [&str; 1] = ["acc"];

pub fn show(ui: &mut Ui, t: &Tokens, state: &State, columns: Columns, requests: &Requests) {
    theme::card(t).show(ui, |ui| {
        ui.set_width(ui.available_width());
        heading(ui, t, "Results", &sentence(state), |ui| {
            widgets::export_button(ui, requests, "Results side by side");
            widgets::table_button(ui, requests, "Results side by side");
        });
        let results = || state.comparison.columns().iter().filter_map(|column| state.comparison.result(column));
        let measured = |metric: &str| results().any(|row| metric_of(row, metric).is_some());
        let audits = state.comparison.is_of_audits();
        let shown = |metric: &&str| match (audits, RARE.contains(metric)) {
            (true, _) => OF_AUDITS.contains(metric),
            (false, rare) => !rare || measured(metric),
        };
        for metric in METRICS.into_iter().filter(shown) {
            row(ui, t, state, columns, metric);
        }
        counts(ui, t, state, columns);
        if measured(RAR) {
            ui.add(egui::Label::new(RichText::new(metric::MAPPED_BACK).size(t.small).color(t.text_weak)).wrap());
        }
    });
}

fn row(ui: &mut Ui, t: &Tokens, state: &State, columns: Columns, metric: &str) {
    let (short, meaning) = metric_title(metric);
    let name = |ui: &mut Ui| {
        ui.label(theme::strong(short)).on_hover_text(&meaning);
        let long = metric::find(metric).map(|metric| metric.name).unwrap_or_default();
        ui.add(egui::Label::new(RichText::new(long).size(t.small).color(t.text_weak)).truncate())
            .on_hover_text(&meaning);
    };
    let comparison = &state.comparison;
    let values: Vec<_> = comparison
        .columns()
        .iter()
        .map(|column| comparison.result(column).and_then(|row| metric_of(row, metric)))
        .collect();
    columns.row(ui, name, |ui, index| {
        bar(ui, t, short, values[index], t.role(comparison.columns()[index].role()));
        if index > 0
            && let (Some(value), Some(first)) = (values[index], values[0])
        {
            difference(ui, t, metric, value - first);
        }
    });
    ui.add_space(t.gap * 0.25);
}

/// A bar with its number; a gap is drawn as a gap.
fn bar(ui: &mut Ui, t: &Tokens, name: &str, value: Option<f64>, colour: egui::Color32) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width() - 4.0, t.body * 1.3), Sense::hover());
    let text = value.map_or_else(|| "\u{2013}".to_owned(), words::percent);
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Figure, true, format!("{name} {text}")));
    let number = t.body * 4.2;
    let mut track = rect.shrink2(vec2(0.0, rect.height() * 0.22));
    track.set_width((rect.width() - number).max(20.0));
    ui.painter().rect_filled(track, CornerRadius::same(3), t.line.gamma_multiply(0.5));
    if let Some(value) = value {
        let mut filled = track;
        filled.set_width((track.width() * value.clamp(0.0, 1.0) as f32).max(2.0));
        ui.painter().rect_filled(filled, CornerRadius::same(3), colour);
    }
    let font = egui::FontId::proportional(t.body);
    ui.painter().text(rect.right_center(), egui::Align2::RIGHT_CENTER, text, font, t.text);
    if value.is_none() {
        response.on_hover_text("Not measured");
    }
}

/// An arrow and "3.1 points, worse": arrow and words carry the meaning, the colour repeats it.
fn difference(ui: &mut Ui, t: &Tokens, metric: &str, difference: f64) {
    let Some(better) = verdict(metric, difference) else {
        ui.label(RichText::new("the same").size(t.small).color(t.text_weak));
        return;
    };
    let (word, colour) = if better { ("better", t.good) } else { ("worse", t.bad) };
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = t.gap * 0.5;
        ui.spacing_mut().interact_size.y = t.small * 1.3;
        let (rect, _) = ui.allocate_exact_size(vec2(t.small * 0.7, t.small * 1.3), Sense::hover());
        arrow(ui.painter(), rect, difference > 0.0, colour);
        let direction = if difference > 0.0 { "up" } else { "down" };
        let points = format!("{:.1} points", difference.abs() * 100.0);
        let label =
            ui.add(egui::Label::new(RichText::new(format!("{points}, {word}")).size(t.small).color(colour)).wrap());
        label.widget_info(|| WidgetInfo::labeled(egui::Role::Label, true, format!("{direction} {points}, {word}")));
    });
}

fn arrow(painter: &egui::Painter, rect: egui::Rect, up: bool, colour: egui::Color32) {
    let (center, r) = (rect.center(), rect.width() * 0.5);
    let tip = if up { -1.0 } else { 1.0 };
    let corners = [(-r, -r * tip * 0.8), (r, -r * tip * 0.8), (0.0, r * tip)];
    let corners = corners.map(|(x, y)| center + vec2(x, y)).to_vec();
    painter.add(egui::Shape::convex_polygon(corners, colour, egui::Stroke::NONE));
}

/// Whether a difference is good for the owner of the model; nothing when it is too small to be shown.
fn verdict(metric: &str, difference: f64) -> Option<bool> {
    let higher_is_better = metric::find(metric).is_none_or(|metric| metric.higher_is_better);
    (difference.abs() >= 0.0005).then_some((difference > 0.0) == higher_is_better)
}

/// How many pictures stand behind the rates.
fn counts(ui: &mut Ui, t: &Tokens, state: &State, columns: Columns) {
    let weak = |text: String| RichText::new(text).size(t.small).color(t.text_weak);
    let name = |ui: &mut Ui| {
        ui.label(weak("Test pictures".to_owned()));
    };
    columns.row(ui, name, |ui, index| {
        if let Some(row) = state.comparison.result(&state.comparison.columns()[index]) {
            let (clean, stamped) = (row.scores.clean_count as u64, row.scores.triggered_count as u64);
            let text = match stamped {
                0 => format!("{} clean", words::count(clean)),
                _ => format!("{} clean, {} triggered", words::count(clean), words::count(stamped)),
            };
            ui.add(egui::Label::new(weak(text)).wrap());
            if row.oracle {
                let help = "Something was chosen by looking at the test set, which no defender can";
                ui.label(RichText::new("oracle").size(t.small).color(t.warn)).on_hover_text(help);
            }
        }
    });
}

/// What the numbers say, in one sentence.
fn sentence(state: &State) -> String {
    let comparison = &state.comparison;
    if comparison.is_of_audits() {
        let acc = |index: usize| Some(comparison.result(comparison.columns().get(index)?)?.scores.acc);
        let difference = acc(0).zip(acc(1)).map(|(first, second)| words::points(second - first));
        return difference.map(|points| format!("Normal accuracy of the second: {points}.")).unwrap_or_default();
    }
    let names = state.compared_names();
    let named = comparison.columns().iter().zip(names).filter_map(|(column, name)| {
        let row = comparison.result(column)?;
        Some((format!("{name} · {}", row.name()), row.scores.trigger_wins()?, row.scores.acc))
    });
    let named: Vec<_> = named.collect();
    let least = named.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let most = named.iter().max_by(|a, b| a.2.total_cmp(&b.2));
    match (least, most) {
        (Some(least), Some(most)) if named.len() > 1 => {
            let trigger = format!("The trigger wins least in {}: {}", least.0, words::percent(least.1));
            if least.0 == most.0 {
                format!("{trigger}; it is also the most accurate: {}.", words::percent(most.2))
            } else {
                format!("{trigger}; the most accurate is {}: {}.", most.0, words::percent(most.2))
            }
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_judged_by_what_is_measured() {
        assert_eq!(verdict("acc", -0.03), Some(false), "less accurate is worse");
        assert_eq!(verdict("asr", -0.9), Some(true), "a trigger that wins less is better");
        assert_eq!(verdict("der", 0.2), Some(true));
        assert_eq!(verdict("acc", 0.0004), None, "the same to one digit");
    }
}
