//! Live curves: how good the model is, how often the trigger wins, and the loss; one time axis for all.

use crate::app::command::Requests;
use crate::app::curves::{Curves, PhaseSpan};
use crate::app::describe;
use crate::app::theme::{self, Role, Tokens};
use crate::app::widgets::{legend_entry, table_button};
use crate::app::words;
use crate::experiment::metric;
use egui::{RichText, Ui, vec2};
use egui_plot::{GridMark, HoverPosition, Line, Plot, PlotPoint, Points, Text, VLine};

/// Rates in the order in which they are drawn and named.
const RATES: [&str; 6] = ["acc", "asr", "ra", "cross", "rar", FOOLED];
/// How often the attacker's own network is mistaken, while a trigger is made.
const FOOLED: &str = "fooled";
/// Measured for few attacks and defenses only; else they have no place in the legend.
const RARE: [&str; 3] = ["cross", "rar", FOOLED];
/// The same rates of a network without the stamp and the label map that belong to it: thin lines in the same colours.
const BARE: [&str; 3] = ["bare-acc", "bare-asr", "bare-ra"];
pub const LEARNING_RATE: &str = "learning-rate";
const BARE_MEANING: &str = "Of the network alone, without its defensive stamp and without mapping its answers back.";

/// The colour of a metric is its role; the same everywhere.
pub fn metric_role(metric: &str) -> Role {
    match metric {
        "acc" | "train_acc" | "bare-acc" => Role::Clean,
        "asr" | "bare-asr" => Role::Attacked,
        "ra" | "bare-ra" => Role::Repaired,
        "rar" => Role::Target,
        _ => Role::Other,
    }
}

/// Short name and meaning of a metric.
pub fn metric_title(id: &str) -> (&'static str, String) {
    match metric::find(id) {
        Some(metric) => (metric.short, format!("{}. {} {}", metric.name, metric.is, metric.is_not)),
        None if id == FOOLED => {
            ("Fooled", "The share of pictures that fool the attacker's own network while a trigger is made.".to_owned())
        }
        None if id == "bare-acc" => ("bare ACC", BARE_MEANING.to_owned()),
        None if id == "bare-asr" => ("bare ASR", BARE_MEANING.to_owned()),
        None if id == "bare-ra" => ("bare RA", BARE_MEANING.to_owned()),
        None if id == LEARNING_RATE => ("Learning rate", "How far one step of training goes.".to_owned()),
        None => ("Loss", "What training makes small.".to_owned()),
    }
}

/// Draws all plots into `height` points.
pub fn curves(ui: &mut Ui, curves: &Curves, height: f32, requests: &Requests) {
    let t = theme::of(ui);
    // Two headings, the word below the axis, and the gaps between them.
    // The rate is left out where it would only cramp the others.
    let with_rate = curves.last(LEARNING_RATE).is_some() && height > t.body * 32.0;
    let plots = if with_rate { 3.0 } else { 2.0 };
    let words = plots * (t.control + 2.0 * t.gap) + t.small * 1.6;
    let rates_height = ((height - words) * if with_rate { 0.54 } else { 0.64 }).max(90.0);
    let others = (height - words - rates_height) / (plots - 1.0);
    let rates: Vec<&str> = RATES.into_iter().chain(BARE).collect();
    let rates = description(curves, &rates, words::percent, describe::STILL_RATE);
    // Every further entry in the legend leaves less room.
    let extra = RARE.iter().chain(&BARE[..1]).filter(|metric| curves.last(metric).is_some()).count();
    let question = match extra {
        0 if ui.available_width() > t.body * 56.0 => "How good is it? How often does the trigger win?",
        0 | 1 if ui.available_width() > t.body * 46.0 => "How good? How often fooled?",
        _ => "Rates",
    };
    heading(ui, question, &rates, "Rates over time", curves, &RATES, requests);
    rates_plot(ui, &t, curves, rates_height);
    let loss = description(curves, &["loss"], words::significant, 0.0);
    heading(ui, "Loss", &loss, "Loss over time", curves, &["loss"], requests);
    amount_plot(ui, &t, curves, "loss", others.max(70.0));
    if with_rate {
        let rate = description(curves, &[LEARNING_RATE], words::significant, 0.0);
        heading(ui, "Learning rate", &rate, "Learning rate over time", curves, &[LEARNING_RATE], requests);
        amount_plot(ui, &t, curves, LEARNING_RATE, others.max(60.0));
    }
    let bare = BARE.iter().any(|metric| curves.last(metric).is_some());
    let below = if bare { "epochs; thin lines: the bare network" } else { "epochs" };
    ui.vertical_centered(|ui| {
        let word = ui.label(RichText::new(below).size(t.small).color(t.text_weak));
        if bare {
            word.on_hover_text(BARE_MEANING);
        }
    });
}

/// A heading that carries the plot's description for those who cannot see it, and at its right the legend and the same
/// points as a table; `view` is the plot's title where it is read or saved.
fn heading(
    ui: &mut Ui,
    text: &str,
    description: &str,
    view: &str,
    curves: &Curves,
    metrics: &[&str],
    requests: &Requests,
) {
    let t = theme::of(ui);
    let title = |ui: &mut Ui| {
        let response = ui.label(theme::strong(text));
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Figure, true, format!("{text} {description}")));
        response.on_hover_text(description);
    };
    let told = || metrics.iter().filter(|metric| !RARE.contains(metric) || curves.last(metric).is_some());
    if ui.available_width() < t.body * 26.0 {
        ui.horizontal_wrapped(|ui| {
            title(ui);
            told().for_each(|metric| newest(ui, &t, metric, curves.last(metric)));
            table_button(ui, requests, view);
        });
        return;
    }
    let legend = |ui: &mut Ui| {
        table_button(ui, requests, view);
        told().rev().for_each(|metric| newest(ui, &t, metric, curves.last(metric)));
    };
    egui::Sides::new().height(t.control).shrink_left().truncate().show(ui, title, legend);
}

/// Line, mark, name and newest value of one curve.
fn newest(ui: &mut Ui, t: &Tokens, metric: &str, last: Option<f64>) {
    let (name, meaning) = metric_title(metric);
    let text = match last {
        Some(value) if !RATES.contains(&metric) => words::significant(value),
        Some(value) => format!("{name} {}", words::percent(value)),
        None if RATES.contains(&metric) => name.to_owned(),
        None => String::new(),
    };
    legend_entry(ui, t, metric_role(metric), text).on_hover_text(meaning);
}

/// What each of these metrics does, phase by phase.
fn description(curves: &Curves, metrics: &[&str], unit: describe::Unit, still: f64) -> String {
    let starts: Vec<_> = curves.phases().iter().map(|span| (span.start, span.id.clone())).collect();
    let measured = metrics.iter().filter(|metric| curves.last(metric).is_some());
    let told =
        |metric: &&str| describe::courses(metric_title(metric).0, &curves.stretches(metric), &starts, unit, still);
    let said: Vec<_> = measured.map(told).collect();
    if said.is_empty() { "No values yet.".to_owned() } else { format!("{}.", said.join(". ")) }
}

fn base_plot<'a>(ui: &Ui, t: &Tokens, name: &str, curves: &Curves, height: f32) -> Plot<'a> {
    // The sketch of a time axis before there is a number; afterwards the numbers decide.
    let end = if curves.is_empty() { 1.0 } else { curves.end() };
    time_plot(t, name, ui.scope_id().with("time axis"), end, height)
}

/// An empty plot over epochs 0 to `end`; all plots of one `group` share time axis and cursor.
pub(super) fn time_plot<'a>(t: &Tokens, id: impl egui::AsIdSalt, group: egui::Id, end: f64, height: f32) -> Plot<'a> {
    Plot::new(id)
        .height(height)
        .link_axis(group, [true, false])
        .link_cursor(group, [true, false])
        .include_x(0.0)
        .include_x(end)
        .y_axis_min_width(t.body * 3.4)
        .allow_scroll(false)
        .allow_zoom([true, false])
        .allow_drag([true, false])
        .set_margin_fraction(vec2(0.02, 0.06))
        .grid_color(t.line)
        .grid_spacing(t.body * 0.6..=t.body)
        .x_grid_spacer(whole_epochs)
}

/// Marks at whole epochs, few enough to be labelled.
fn whole_epochs(input: egui_plot::GridInput) -> Vec<GridMark> {
    round_marks(input.bounds, &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0], 7.0)
}

/// Marks of amounts that may be far below one.
pub(super) fn amount_marks(input: egui_plot::GridInput) -> Vec<GridMark> {
    round_marks(
        input.bounds,
        &[1e-6, 1e-5, 1e-4, 5e-4, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0],
        4.0,
    )
}

/// Multiples of the first step that gives at most `most` intervals.
fn round_marks((from, to): (f64, f64), steps: &[f64], most: f64) -> Vec<GridMark> {
    let step = steps.iter().copied().find(|step| (to - from) / step <= most).unwrap_or((to - from) / most);
    let (first, last) = ((from.max(0.0) / step).ceil() as u64, (to.max(0.0) / step).floor() as u64);
    (first..=last).map(|mark| GridMark { value: mark as f64 * step, step_size: step }).collect()
}

fn rates_plot(ui: &mut Ui, t: &Tokens, curves: &Curves, height: f32) {
    let plot = base_plot(ui, t, "rates", curves, height)
        .include_y(0.0)
        // Room above for the names of the phases.
        .include_y(1.16)
        .y_grid_spacer(|_| (0..=4).map(|step| GridMark { value: f64::from(step) * 0.25, step_size: 0.25 }).collect())
        .y_axis_formatter(|mark: GridMark, _: &_| format!("{:.0} %", mark.value * 100.0))
        .x_axis_formatter(|_: GridMark, _: &_| String::new())
        .label_formatter(|position: &HoverPosition<'_>| match position {
            HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                let name = plot_name
                    .rsplit_once(' ')
                    .map_or("", |(name, _)| name.trim_end_matches(|c: char| c.is_ascii_digit() || ". ".contains(c)));
                Some(format!("{name} {}\nepoch {:.1}", words::percent(position.y), position.x))
            }
            _ => None,
        });
    plot.show(ui, |plot| {
        phase_lines(plot, t, curves.phases(), Some(1.0));
        for metric in BARE.into_iter().chain(RATES) {
            if let Some(last) = curves.last(metric) {
                let name = format!("{} {}", metric_title(metric).0, words::percent(last));
                draw_series(plot, t, curves, metric, &name);
            }
        }
    });
}

/// Loss or learning rate: an amount from zero upwards.
fn amount_plot(ui: &mut Ui, t: &Tokens, curves: &Curves, metric: &'static str, height: f32) {
    let plot = base_plot(ui, t, metric, curves, height)
        .include_y(0.0)
        .y_grid_spacer(amount_marks)
        .y_axis_formatter(|mark: GridMark, _: &_| words::significant(mark.value))
        .x_axis_formatter(|mark: GridMark, _: &_| format!("{:.0}", mark.value))
        .label_formatter(move |position: &HoverPosition<'_>| match position {
            HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                Some(format!("{plot_name} {}\nepoch {:.1}", words::significant(position.y), position.x))
            }
            _ => None,
        });
    plot.show(ui, |plot| {
        phase_lines(plot, t, curves.phases(), None);
        let name = if metric == LEARNING_RATE { "learning rate" } else { "loss" };
        draw_series(plot, t, curves, metric, name);
    });
}

/// One line per phase under one name, and a mark at the newest point.
fn draw_series<'a>(plot: &mut egui_plot::PlotUi<'a>, t: &Tokens, curves: &Curves, metric: &str, name: &str) {
    let role = metric_role(metric);
    // Thin and without a mark: it is beside the point, and six lines would fight.
    let bare = BARE.contains(&metric);
    let (colour, width) =
        if bare { (t.role(role).gamma_multiply(0.6), t.stroke * 0.5) } else { (t.role(role), t.stroke) };
    let stretches = curves.stretches(metric);
    let newest = stretches.last().and_then(|points| points.last().copied());
    for points in stretches {
        if points.len() == 1 {
            // A phase that was measured once has no line, only its mark.
            plot.points(Points::new(name, points).color(colour).shape(theme::mark(role)).radius(t.stroke * 2.2));
        } else {
            plot.line(Line::new(name, points).color(colour).width(width).style(theme::line_style(role)));
        }
    }
    if let Some(point) = newest.filter(|_| !bare) {
        let mark = Points::new(name, vec![point]).color(t.role(role)).shape(theme::mark(role)).radius(t.stroke * 2.2);
        plot.points(mark.allow_hover(false));
    }
}

/// A line where a phase begins, with as much of its name as fits before the next when `label_at` gives a height.
pub(super) fn phase_lines(plot: &mut egui_plot::PlotUi<'_>, t: &Tokens, phases: &[PhaseSpan], label_at: Option<f64>) {
    let ends = phases.iter().skip(1).map(|span| span.start).chain([f64::INFINITY]);
    let letters_per_epoch =
        f64::from(plot.response().rect.width()) / plot.plot_bounds().width().max(1e-9) / f64::from(t.small * 0.55);
    for (span, end) in phases.iter().zip(ends) {
        if span.start > 0.0 {
            plot.vline(VLine::new("", span.start).color(t.line_strong).width(1.0).allow_hover(false));
        }
        if let Some(y) = label_at {
            let text = RichText::new(shortened(&span.id, (end - span.start) * letters_per_epoch - 1.0));
            let text = text.size(t.small).color(t.text_weak);
            let at = PlotPoint::new(span.start, y * 1.1);
            plot.text(Text::new("", at, text).anchor(egui::Align2::LEFT_CENTER).allow_hover(false));
        }
    }
}

/// The name in so many letters at most, with a gap before it; nothing where not even its beginning fits.
fn shortened(name: &str, letters: f64) -> String {
    let letters = letters.clamp(0.0, 1000.0) as usize;
    match name.chars().count() {
        count if count <= letters => format!(" {name}"),
        _ if letters >= 3 => format!(" {}…", name.chars().take(letters - 1).collect::<String>()),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shortened_to_the_room_of_their_phase() {
        assert_eq!(shortened("tsbd/unlearning", f64::INFINITY), " tsbd/unlearning");
        assert_eq!(shortened("tsbd/unlearning", 6.9), " tsbd/…");
        assert_eq!(
            (shortened("npd", 3.0), shortened("npd", 2.9), shortened("npd", -4.0)),
            (" npd".into(), String::new(), String::new())
        );
    }

    #[test]
    fn marks_are_round_and_few() {
        let values =
            |bounds| round_marks(bounds, &[1.0, 2.0, 5.0, 10.0], 7.0).iter().map(|mark| mark.value).collect::<Vec<_>>();
        assert_eq!(values((-0.1, 6.5)), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(values((-1.0, 28.0)), [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]);
        assert!(values((0.0, 1e6)).len() <= 9);
    }
}
