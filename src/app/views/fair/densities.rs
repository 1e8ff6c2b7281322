//! How predictions are distributed in each group, one small picture per sensitive attribute; means that meet when the point
//! becomes fair.

use super::{Shown, before_style, group_role, legend, still_plot};
use crate::app::fair::{BINS, words};
use crate::app::theme::{self, Role, Tokens};
use crate::run::fair::number;
use egui::{Ui, WidgetInfo, vec2};
use egui_plot::{FilledArea, Line, PlotBounds, VLine};

/// Draws all attributes into `height` points.
pub fn densities(ui: &mut Ui, shown: &Shown<'_>, height: f32) {
    let t = theme::of(ui);
    let count = shown.course.attributes.len().max(1);
    // Side by side as long as each has room for its axis.
    let least = t.body * if count > 2 { 17.0 } else { 22.0 };
    let most = count.min((ui.available_width() / least).floor().max(1.0) as usize);
    let down = count.div_ceil(most);
    // Rows of the same length: four are two and two, not three and one.
    let across = count.div_ceil(down);
    let each = (height - t.gap * (down as f32 - 1.0)) / down as f32;
    let width = (ui.available_width() - t.pad * (across as f32 - 1.0)) / across as f32;
    for first in (0..count).step_by(across) {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = t.pad;
            for attribute in first..(first + across).min(count) {
                let column = egui::Layout::top_down(egui::Align::LEFT);
                ui.allocate_ui_with_layout(vec2(width, each), column, |ui| {
                    ui.set_width(width);
                    one(ui, &t, shown, attribute, each.max(t.body * 8.0));
                });
            }
        });
    }
}

fn one(ui: &mut Ui, t: &Tokens, shown: &Shown<'_>, at: usize, height: f32) {
    let Some((attribute, split)) = shown.course.attributes.get(at).zip(shown.now.splits.get(at)) else {
        return;
    };
    let description = words::of_means(shown.course, at, shown.now);
    let top = ui.cursor().top();
    let names: Vec<(String, Role)> = attribute
        .drawn
        .iter()
        .enumerate()
        .map(|(place, &value)| {
            let mean = number(split.value(value).prediction);
            (format!("{} {mean}", attribute.values[value]), group_role(place))
        })
        .collect();
    super::row_of_words(ui, t, |ui| {
        super::figure_heading(ui, &format!("Predictions by {}", attribute.name), &format!("{description}."));
        legend(ui, t, &names);
    });
    let rest = attribute.values.len() - attribute.drawn.len();
    let left = height - (ui.cursor().top() - top);
    let plot = still_plot(t, ("densities", at), (left - t.gap).max(t.body * 4.0))
        .show_axes([true, false])
        .show_grid([true, false]);
    let shown_plot = plot.show(ui, |plot| {
        let [low, high] = shown.course.range;
        let top = attribute.densest * 1.08;
        plot.set_plot_bounds(PlotBounds::from_min_max([low, 0.0], [high, if top > 0.0 { top } else { 1.0 }]));
        for (place, (&value, density)) in attribute.drawn.iter().zip(&split.densities).enumerate() {
            let role = group_role(place);
            let colour = t.role(role);
            let xs: Vec<f64> = (0..BINS).map(|bin| shown.course.bin(bin)).collect();
            let fill = FilledArea::new("", &xs, &vec![0.0; BINS], density).fill_color(colour.gamma_multiply(0.14));
            plot.add(fill.allow_hover(false));
            if let Some(pinned) = shown.pinned.and_then(|pinned| pinned.splits.get(at)?.densities.get(place)) {
                let points: Vec<_> = xs.iter().zip(pinned).map(|(x, y)| [*x, *y]).collect();
                plot.line(Line::new("", points).color(colour).width(1.0).style(before_style()).allow_hover(false));
            }
            let points: Vec<_> = xs.iter().zip(density).map(|(x, y)| [*x, *y]).collect();
            let line = Line::new("", points).color(colour).width(t.stroke).style(theme::line_style(role));
            plot.line(line.allow_hover(false));
            let mean = VLine::new("", split.value(value).prediction).color(colour).width(t.stroke);
            plot.vline(mean.style(theme::line_style(role)).allow_hover(false));
        }
    });
    shown_plot.response.widget_info(|| {
        WidgetInfo::labeled(egui::Role::Image, true, format!("Densities of predictions by {}", attribute.name))
    });
    if rest > 0 {
        let text = format!("{rest} smaller groups are not drawn; they are in the table.");
        ui.label(egui::RichText::new(text).size(t.small).color(t.text_weak));
    }
}
