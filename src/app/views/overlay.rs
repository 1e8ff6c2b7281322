//! The curves of several runs in one plot: colour, line and mark tell the run, the plot tells the metric.

use super::curves::{amount_marks, metric_title, phase_lines, time_plot};
use crate::app::curves::{Curves, PhaseSpan};
use crate::app::describe;
use crate::app::theme::{self, Role, Tokens};
use crate::app::words;
use egui::{RichText, Ui};
use egui_plot::{GridMark, HoverPosition, Line, Points};

/// One run in the plot.
pub struct Overlaid<'a> {
    pub name: &'a str,
    pub role: Role,
    pub curves: &'a Curves,
}

/// One metric of all runs; every plot of the same `group` shares time axis and cursor.
pub fn overlay(ui: &mut Ui, metric: &str, runs: &[Overlaid<'_>], height: f32, group: egui::Id) {
    let t = theme::of(ui);
    let (short, meaning) = metric_title(metric);
    let is_rate = metric != "loss";
    let description = description(metric, runs);
    let title = ui.label(theme::strong(short));
    title.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Figure, true, format!("{short}. {description}")));
    title.on_hover_text(format!("{meaning}\n{description}"));
    let end = runs.iter().map(|run| run.curves.end()).fold(1.0, f64::max);
    let mut plot = time_plot(&t, ("overlay", metric), group, end, height)
        .include_y(0.0)
        .x_axis_formatter(|mark: GridMark, _: &_| format!("{:.0}", mark.value))
        .label_formatter(move |position: &HoverPosition<'_>| match position {
            HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                let value = if is_rate { words::percent(position.y) } else { format!("{:.4}", position.y) };
                Some(format!("{plot_name}\n{short} {value}\nepoch {:.1}", position.x))
            }
            _ => None,
        });
    plot = if is_rate {
        // Room above for the names of the phases.
        plot.include_y(1.16)
            .y_grid_spacer(|_| {
                (0..=4).map(|step| GridMark { value: f64::from(step) * 0.25, step_size: 0.25 }).collect()
            })
            .y_axis_formatter(|mark: GridMark, _: &_| format!("{:.0} %", mark.value * 100.0))
    } else {
        plot.y_grid_spacer(amount_marks)
    };
    let common = common_phases(runs);
    plot.show(ui, |plot| {
        phase_lines(plot, &t, common, is_rate.then_some(1.0));
        runs.iter().for_each(|run| draw(plot, &t, metric, run));
    });
    ui.vertical_centered(|ui| ui.label(RichText::new("epochs").size(t.small).color(t.text_weak)));
}

/// The phases, as long as those of all runs begin at the same time.
fn common_phases<'c>(runs: &[Overlaid<'c>]) -> &'c [PhaseSpan] {
    match runs.split_first() {
        Some((first, others)) if others.iter().all(|run| run.curves.phases() == first.curves.phases()) => {
            first.curves.phases()
        }
        _ => &[],
    }
}

fn draw<'a>(plot: &mut egui_plot::PlotUi<'a>, t: &Tokens, metric: &str, run: &Overlaid<'_>) {
    let points = |points| {
        Points::new(run.name, points).color(t.role(run.role)).shape(theme::mark(run.role)).radius(t.stroke * 2.2)
    };
    let stretches = run.curves.stretches(metric);
    let newest = stretches.last().and_then(|points| points.last().copied());
    for stretch in stretches {
        if stretch.len() == 1 {
            plot.points(points(stretch));
        } else {
            let line = Line::new(run.name, stretch).color(t.role(run.role)).width(t.stroke);
            plot.line(line.style(theme::line_style(run.role)));
        }
    }
    if let Some(newest) = newest {
        plot.points(points(vec![newest]).allow_hover(false));
    }
}

fn description(metric: &str, runs: &[Overlaid<'_>]) -> String {
    let said: Vec<_> = runs
        .iter()
        .filter_map(|run| {
            run.curves.last(metric)?;
            let starts: Vec<_> = run.curves.phases().iter().map(|span| (span.start, span.id.clone())).collect();
            let (unit, still): (describe::Unit, _) =
                if metric == "loss" { (words::significant, 0.0) } else { (words::percent, describe::STILL_RATE) };
            Some(describe::courses(run.name, &run.curves.stretches(metric), &starts, unit, still))
        })
        .collect();
    if said.is_empty() { "No values.".to_owned() } else { format!("{}.", said.join("; ")) }
}
