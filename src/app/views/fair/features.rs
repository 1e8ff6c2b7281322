//! What the model goes by: the influence of each feature before and now, and the chosen one's curve.

use super::{Shown, before_style, signed_bar, still_plot};
use crate::app::theme::{self, Role, Tokens};
use crate::run::fair::{Feature, number};
use egui::{RichText, ScrollArea, Sense, Ui, WidgetInfo, vec2};
use egui_plot::{Line, Points};

/// Which feature's curve is drawn.
#[derive(Debug, Default)]
pub struct FeatureMemory {
    chosen: Option<usize>,
}

/// A list of features at the left, the chosen one's dependence at the right.
pub fn features(ui: &mut Ui, shown: &Shown<'_>, memory: &mut FeatureMemory, height: f32) {
    let t = theme::of(ui);
    let fit = &shown.course.fit;
    let Some(&first) = shown.course.order.first() else {
        ui.label(RichText::new("Nothing is known about single features of this fit.").color(t.text_weak));
        return;
    };
    let chosen = memory.chosen.filter(|&at| at < fit.features.len()).unwrap_or(first);
    let wide = ui.available_width() > t.body * 30.0;
    let column = egui::Layout::top_down(egui::Align::LEFT);
    let width = if wide { (ui.available_width() - t.pad) * 0.5 } else { ui.available_width() };
    let list_height = if wide { height } else { height * 0.5 };
    let mut lay = |ui: &mut Ui| {
        ui.allocate_ui_with_layout(vec2(width, list_height), column, |ui| {
            if let Some(clicked) = list(ui, &t, shown, chosen, list_height) {
                memory.chosen = Some(clicked);
            }
        });
        ui.allocate_ui_with_layout(vec2(width, height - if wide { 0.0 } else { list_height }), column, |ui| {
            let left = if wide { height } else { height - list_height };
            dependence(ui, &t, shown, &fit.features[chosen], left);
        });
    };
    if wide {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = t.pad;
            lay(ui);
        });
    } else {
        lay(ui);
    }
}

/// Influence of each feature: hollow before, filled now. Returns the one that was clicked.
fn list(ui: &mut Ui, t: &Tokens, shown: &Shown<'_>, chosen: usize, height: f32) -> Option<usize> {
    let fit = &shown.course.fit;
    let before: Vec<f64> = fit.features.iter().map(|feature| feature.trend(&[])).collect();
    let most = before.iter().chain(&shown.now.trends).map(|value| value.abs()).fold(0.0, f64::max).max(1e-12);
    let mut clicked = None;
    let row = t.body * 1.9;
    let head = "Influence: hollow before, filled now";
    let help = "Mean prediction at the highest value of a feature minus that at its lowest; * marks sensitive columns";
    ui.add(egui::Label::new(RichText::new(head).size(t.small).color(t.text_weak)).truncate()).on_hover_text(help);
    ui.spacing_mut().item_spacing.y = 0.0;
    let area = ScrollArea::vertical().id_salt("features").max_height((height - t.small * 2.0).max(row * 3.0));
    area.auto_shrink(false).show_rows(ui, row, shown.course.order.len(), |ui, rows| {
        for place in rows {
            let at = shown.course.order[place];
            let (feature, was, now) = (&fit.features[at], before[at], shown.now.trends[at]);
            let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), row), Sense::click());
            let text = format!(
                "{}: influence {}, before {}; correlation with the group {:.2}{}",
                feature.name,
                number(now),
                number(was),
                feature.proxy,
                if feature.sensitive { "; a sensitive column" } else { "" }
            );
            response.widget_info(|| WidgetInfo::selected(egui::Role::RadioButton, true, at == chosen, &text));
            if at == chosen {
                ui.painter().rect_filled(rect, t.radius, t.accent_soft);
            } else if response.hovered() {
                ui.painter().rect_filled(rect, t.radius, t.button);
            }
            if response.has_focus() {
                ui.painter().rect_stroke(rect, t.radius, egui::Stroke::new(2.0, t.link), egui::StrokeKind::Inside);
            }
            let inside = rect.shrink2(vec2(6.0, 2.0));
            let names = (inside.width() * 0.45).min(t.body * 13.0);
            let name = egui::Rect::from_min_size(inside.min, vec2(names, inside.height()));
            let word = if feature.sensitive { format!("{} *", feature.name) } else { feature.name.clone() };
            let font = egui::FontId::proportional(t.body);
            let mut job = egui::text::LayoutJob::simple_singleline(word, font, t.text);
            job.wrap = egui::text::TextWrapping::truncate_at_width(names - 6.0);
            let galley = ui.painter().layout_job(job);
            ui.painter().galley(egui::pos2(name.left(), name.center().y - galley.size().y / 2.0), galley, t.text);
            let bars = egui::Rect::from_min_max(egui::pos2(name.right(), inside.top()), inside.max);
            let (upper, lower) = (
                egui::Rect::from_min_max(bars.min + vec2(0.0, 2.0), egui::pos2(bars.right(), bars.center().y - 1.0)),
                egui::Rect::from_min_max(egui::pos2(bars.left(), bars.center().y + 1.0), bars.max - vec2(0.0, 2.0)),
            );
            signed_bar(ui, t, upper, was / most, t.text_weak, true);
            signed_bar(ui, t, lower, now / most, t.role(Role::Clean), false);
            if response.clicked() {
                clicked = Some(at);
            }
            response.on_hover_text(text);
        }
    });
    clicked
}

/// The mean prediction when everybody had this value.
fn dependence(ui: &mut Ui, t: &Tokens, shown: &Shown<'_>, feature: &Feature, height: f32) {
    let (before, now) = (feature.at(&[]), feature.at(&shown.now.weights));
    let pinned = shown.pinned.map(|pinned| feature.at(&pinned.weights));
    let title = format!("Mean prediction by {}", feature.name);
    let end = |values: &[f64]| values.last().copied().unwrap_or_default();
    let first = |values: &[f64]| values.first().copied().unwrap_or_default();
    let said = format!(
        "{title}: now from {} to {}, before from {} to {}",
        number(first(&now)),
        number(end(&now)),
        number(first(&before)),
        number(end(&before))
    );
    let top = ui.cursor().top();
    super::figure_heading(ui, &title, &said);
    let thin = if pinned.is_some() { ", thin: pinned" } else { "" };
    let note = format!("Solid: now, dotted: before{thin}. Correlation with the group {:.2}.", feature.proxy);
    ui.add(egui::Label::new(RichText::new(note.replace('-', "\u{2212}")).size(t.small).color(t.text_weak)).wrap());
    let levels = feature.levels.clone();
    let mut plot = still_plot(t, ("dependence", &feature.name), (height - (ui.cursor().top() - top)).max(t.body * 3.5))
        .y_axis_min_width(t.body * 2.6)
        .set_margin_fraction(vec2(0.05, 0.1));
    if !levels.is_empty() {
        let marks = feature.grid.clone();
        plot = plot
            .x_grid_spacer(move |_| marks.iter().map(|&value| egui_plot::GridMark { value, step_size: 1.0 }).collect())
            .x_axis_formatter(move |mark: egui_plot::GridMark, _: &_| {
                levels.get(mark.value.round().max(0.0) as usize).cloned().unwrap_or_default()
            });
    }
    // The scale holds both ends of the trade-off, so that it stands still while the point moves.
    let full = feature.at(&vec![1.0; shown.course.fit.directions()]);
    for value in before.iter().chain(&full).filter(|value| value.is_finite()) {
        plot = plot.include_y(*value);
    }
    let on_grid = |values: &[f64]| feature.grid.iter().zip(values).map(|(x, y)| [*x, *y]).collect::<Vec<_>>();
    plot.show(ui, |plot| {
        let colour = t.role(Role::Clean);
        plot.line(
            Line::new("", on_grid(&before))
                .color(t.text_weak)
                .width(t.stroke * 0.6)
                .style(before_style())
                .allow_hover(false),
        );
        if let Some(pinned) = pinned {
            plot.line(Line::new("", on_grid(&pinned)).color(t.text).width(1.0).allow_hover(false));
        }
        plot.line(Line::new("", on_grid(&now)).color(colour).width(t.stroke).allow_hover(false));
        if !feature.levels.is_empty() {
            plot.points(Points::new("", on_grid(&now)).color(colour).radius(t.stroke * 2.0).allow_hover(false));
        }
    });
}
