//! What the Fairness screen is made of: the trade-off with its point, and what follows when the point moves.

mod calibration;
mod densities;
mod features;
mod groups;
mod people;
mod trade_off;

pub use calibration::calibration;
pub use densities::densities;
pub use features::{FeatureMemory, features};
pub use groups::group_table;
pub use people::people;
pub use trade_off::trade_off;

use crate::app::fair::{Course, Snapshot};
use crate::app::theme::{self, Role, Tokens};
use crate::app::widgets::line_sample;
use crate::run::fair::number;
use egui::{Color32, Rect, Response, RichText, Sense, TextStyle, TextWrapMode, Ui, WidgetInfo, WidgetText, vec2};
use egui_plot::{GridMark, LineStyle, Plot, PlotPoint};

/// The fit, the point that is shown and, for comparison, the pinned one.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    pub course: &'a Course,
    pub now: &'a Snapshot,
    pub pinned: Option<&'a Snapshot>,
    /// Where on the slider the kept point stands.
    pub kept: Option<f64>,
}

/// The colour, line and mark of a group, by its place among the drawn ones.
fn group_role(place: usize) -> Role {
    const ROLES: [Role; 5] = [Role::Clean, Role::Attacked, Role::Repaired, Role::Target, Role::Other];
    ROLES[place % ROLES.len()]
}

/// Words and samples in rows that wrap, close below each other: nothing in them is pressed.
fn row_of_words(ui: &mut Ui, t: &Tokens, content: impl FnOnce(&mut Ui)) {
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing = vec2(t.gap, 2.0);
        ui.spacing_mut().interact_size.y = t.body * 1.3;
        ui.horizontal_wrapped(content);
    });
}

/// Names of groups with their line and mark, in a row that wraps.
fn legend(ui: &mut Ui, t: &Tokens, names: &[(String, Role)]) {
    for (name, role) in names {
        legend_item(ui, t, name, *role);
    }
}

/// A sample of a line and its name: one piece, so that a row breaks before it and not inside.
fn legend_item(ui: &mut Ui, t: &Tokens, name: &str, role: Role) -> Response {
    let sample = vec2(t.body * 2.2, t.body);
    let indent = (sample.x + t.gap * 0.6).round();
    let most = (ui.max_rect().width() - indent).max(t.body * 4.0);
    let galley = WidgetText::from(name).into_galley(ui, Some(TextWrapMode::Truncate), most, TextStyle::Body);
    let size = vec2(indent + galley.size().x + t.gap * 0.5, galley.size().y.max(t.body * 1.3)).ceil();
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let middle = rect.left_center();
    line_sample(ui.painter(), t, Rect::from_min_size(middle - vec2(0.0, sample.y / 2.0), sample), role);
    ui.painter().galley(middle + vec2(indent, -galley.size().y / 2.0), galley, t.text);
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Label, true, name));
    response
}

/// A heading that carries the description of what is below it for those who cannot see it.
fn figure_heading(ui: &mut Ui, text: &str, description: &str) {
    let response = ui.label(theme::strong(text));
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Figure, true, description));
    response.on_hover_text(description);
}

/// A plot that stands still: no zoom, no scrolling, round marks with three digits.
fn still_plot<'a>(t: &Tokens, id: impl egui::AsIdSalt, height: f32) -> Plot<'a> {
    Plot::new(id)
        .height(height)
        .allow_scroll(false)
        .allow_zoom(false)
        .allow_drag(false)
        .allow_boxed_zoom(false)
        .allow_double_click_reset(false)
        .set_margin_fraction(vec2(0.0, 0.0))
        .grid_color(t.line)
        .grid_spacing(t.body * 0.6..=t.body)
        .x_grid_spacer(round_marks)
        .y_grid_spacer(round_marks)
        .x_axis_formatter(|mark: GridMark, _: &_| short(mark))
        .y_axis_formatter(|mark: GridMark, _: &_| short(mark))
}

/// At most six marks at multiples of 1, 2 or 5.
fn round_marks(input: egui_plot::GridInput) -> Vec<GridMark> {
    const MOST: f64 = 5.0;
    let (from, to) = input.bounds;
    let span = to - from;
    if !span.is_finite() || span <= 0.0 {
        return Vec::new();
    }
    let magnitude = 10_f64.powf((span / MOST).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * magnitude);
    let step = steps.into_iter().find(|step| span / step <= MOST).unwrap_or(span);
    let (first, last) = ((from / step).ceil() as i64, (to / step).floor() as i64);
    (first..=last).map(|at| GridMark { value: at as f64 * step, step_size: step }).collect()
}

/// As many digits as tell two marks apart.
fn short(mark: GridMark) -> String {
    let digits = (-mark.step_size.log10().floor()).clamp(0.0, 9.0) as usize;
    // No minus before a nought.
    let value = if mark.value.abs() < mark.step_size / 2.0 { 0.0 } else { mark.value };
    format!("{value:.digits$}").replace('-', "\u{2212}")
}

fn point_of([x, y]: [f64; 2]) -> PlotPoint {
    PlotPoint::new(x, y)
}

/// The line of a role, thin and pale: how it was before.
fn before_style() -> LineStyle {
    LineStyle::Dotted { spacing: 5.0 }
}

/// A number with what it was before, small, behind it.
fn with_before(ui: &mut Ui, t: &Tokens, now: f64, before: f64) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = t.gap * 0.7;
        ui.label(number(now));
        ui.label(RichText::new(format!("was {}", number(before))).size(t.small).color(t.text_weak));
    });
}

/// A bar from zero in the middle of `rect`; `share` is -1 to 1.
fn signed_bar(ui: &Ui, t: &Tokens, rect: Rect, share: f64, colour: Color32, hollow: bool) {
    let middle = rect.center().x;
    let end = middle + rect.width() / 2.0 * share.clamp(-1.0, 1.0) as f32;
    let bar = Rect::from_x_y_ranges(middle.min(end)..=middle.max(end).max(middle.min(end) + 1.0), rect.y_range());
    if hollow {
        ui.painter().rect_stroke(bar, 1.0, egui::Stroke::new(1.5, colour), egui::StrokeKind::Inside);
    } else {
        ui.painter().rect_filled(bar, 1.0, colour);
    }
    ui.painter().vline(middle, rect.y_range().expand(2.0), egui::Stroke::new(1.0, t.line_strong));
}
