//! ACC, ASR and RA over the strength of the polarizer: measured points, and a line where the dial stands.

use crate::app::command::{Change, Requests};
use crate::app::polarizer::{Polarizer, STEPS, percent};
use crate::app::theme::{self, Tokens};
use crate::app::views::{metric_role, metric_title};
use crate::app::words;
use crate::experiment::Scores;
use egui::{RichText, Ui, WidgetInfo, vec2};
use egui_plot::{AxisHints, GridMark, HoverPosition, Line, Plot, Points, VLine};

const RATES: [&str; 3] = ["acc", "asr", "ra"];

fn rate(scores: &Scores, metric: &str) -> Option<f64> {
    match metric {
        "acc" => Some(scores.acc),
        "asr" => scores.asr,
        _ => scores.ra,
    }
}

/// The three rates where the dial stands, then the curves in `height` points. A click on the curves turns the dial.
pub fn strength_curves(ui: &mut Ui, polarizer: &Polarizer, height: f32, requests: &Requests) {
    let t = theme::of(ui);
    legend(ui, &t, polarizer);
    let plot = Plot::new("rates over strength")
        .height(height)
        .include_x(0.0)
        .include_x(100.0)
        .include_y(0.0)
        .include_y(1.0)
        .set_margin_fraction(vec2(0.06, 0.05))
        .allow_scroll(false)
        .allow_zoom(false)
        .allow_drag(false)
        .allow_boxed_zoom(false)
        .grid_color(t.line)
        .grid_spacing(t.body * 0.6..=t.body)
        .x_grid_spacer(|_| quarters(100.0))
        .y_grid_spacer(|_| quarters(1.0))
        .custom_x_axes(vec![axis(AxisHints::new_x(), 1.0)])
        .custom_y_axes(vec![axis(AxisHints::new_y(), 100.0)])
        .label_formatter(|position: &HoverPosition<'_>| match position {
            HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                Some(format!("{plot_name} {}\nat strength {:.0} %", words::percent(position.y), position.x))
            }
            _ => None,
        });
    let shown = plot.show(ui, |plot| {
        plot.vline(VLine::new("", percent(polarizer.step) as f64).color(t.accent).width(t.stroke).allow_hover(false));
        for metric in RATES {
            curve(plot, &t, polarizer, metric);
        }
        plot.response().interact_pointer_pos().map(|pointer| plot.plot_from_screen(pointer).x)
    });
    let response = shown.response;
    let description = description(polarizer);
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Figure, true, &description));
    if let Some(x) = shown.inner.filter(|_| response.clicked() || response.dragged()) {
        let step = (x.clamp(0.0, 100.0) / 100.0 * STEPS as f64).round() as usize;
        if step != polarizer.step {
            requests.change(Change::Dial(step));
        }
    }
}

/// Per cent at every quarter, however narrow the plot is.
fn axis<'a>(hints: AxisHints<'a>, factor: f64) -> AxisHints<'a> {
    let percent = move |mark: GridMark, _: &_| format!("{:.0} %", mark.value * factor);
    hints.label_spacing(egui::Rangef::new(12.0, 24.0)).formatter(percent)
}

fn quarters(whole: f64) -> Vec<GridMark> {
    (0..=4).map(|step| GridMark { value: f64::from(step) * whole / 4.0, step_size: whole / 4.0 }).collect()
}

/// What the rates above the curves take, with the gap below them.
pub fn legend_height(t: &Tokens) -> f32 {
    t.small * 1.5 + t.heading * 1.5 + t.gap
}

/// Mark, name and value of each rate where the dial stands.
fn legend(ui: &mut Ui, t: &Tokens, polarizer: &Polarizer) {
    let scores = polarizer.shown().map(|(_, point)| point.scores);
    ui.columns(3, |columns| {
        for (ui, metric) in columns.iter_mut().zip(RATES) {
            let (name, meaning) = metric_title(metric);
            let value = scores.and_then(|scores| rate(&scores, metric));
            let value = value.map_or_else(|| "\u{2013}".to_owned(), words::percent);
            ui.spacing_mut().item_spacing.y = 0.0;
            ui.spacing_mut().interact_size.y = t.small * 1.5;
            ui.vertical(|ui| {
                ui.horizontal(|ui| {
                    ui.spacing_mut().item_spacing.x = t.gap * 0.6;
                    mark(ui, t, metric);
                    ui.label(RichText::new(name).size(t.small).color(t.text_weak));
                });
                ui.label(theme::strong(value).size(t.heading)).on_hover_text(meaning);
            });
        }
    });
}

/// A piece of the curve with its mark.
fn mark(ui: &mut Ui, t: &Tokens, metric: &str) {
    let (rect, _) = ui.allocate_exact_size(vec2(t.small * 1.8, t.small), egui::Sense::hover());
    let (colour, center) = (t.role(metric_role(metric)), rect.center());
    ui.painter().line_segment([rect.left_center(), rect.right_center()], egui::Stroke::new(t.stroke, colour));
    let r = t.small * 0.28;
    let at = |points: &[(f32, f32)]| points.iter().map(|&(x, y)| center + vec2(x, y) * r).collect::<Vec<_>>();
    match metric {
        "acc" => drop(ui.painter().circle_filled(center, r, colour)),
        "asr" => {
            let triangle = at(&[(0.0, -1.2), (1.1, 0.9), (-1.1, 0.9)]);
            ui.painter().add(egui::Shape::convex_polygon(triangle, colour, egui::Stroke::NONE));
        }
        _ => {
            let square = at(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]);
            ui.painter().add(egui::Shape::convex_polygon(square, colour, egui::Stroke::NONE));
        }
    }
}

/// Points where it was measured; a thin line joins neighbours and claims nothing between others.
fn curve<'a>(plot: &mut egui_plot::PlotUi<'a>, t: &Tokens, polarizer: &Polarizer, metric: &'a str) {
    let name = metric_title(metric).0;
    let role = metric_role(metric);
    let value = |step: usize| rate(&polarizer.point(step)?.scores, metric);
    let mut joined: Vec<Vec<[f64; 2]>> = vec![Vec::new()];
    for step in 0..=STEPS {
        match (value(step), joined.last_mut()) {
            (Some(value), Some(piece)) => piece.push([percent(step) as f64, value]),
            _ => joined.push(Vec::new()),
        }
    }
    for piece in joined.into_iter().filter(|piece| !piece.is_empty()) {
        let line = Line::new("", piece.clone()).color(t.role(role).gamma_multiply(0.6)).width(t.stroke * 0.7);
        plot.line(line.allow_hover(false));
        plot.points(Points::new(name, piece).color(t.role(role)).shape(theme::mark(role)).radius(t.stroke * 1.5));
    }
    if let Some(now) = value(polarizer.step) {
        let at = vec![[percent(polarizer.step) as f64, now]];
        let big = Points::new(name, at).color(t.role(role)).shape(theme::mark(role)).radius(t.stroke * 3.0);
        plot.points(big.allow_hover(false));
    }
}

fn description(polarizer: &Polarizer) -> String {
    let said = [0, STEPS].into_iter().filter_map(|step| {
        let scores = polarizer.point(step)?.scores;
        let rates = RATES.iter().filter_map(|metric| {
            Some(format!("{} {}", metric_title(metric).0, words::percent(rate(&scores, metric)?)))
        });
        Some(format!("at {} % {}", percent(step), rates.collect::<Vec<_>>().join(", ")))
    });
    let said: Vec<_> = said.collect();
    if said.is_empty() { "No strength is measured yet.".to_owned() } else { format!("Rates {}.", said.join("; ")) }
}
