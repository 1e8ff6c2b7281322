//! A sample of a curve for legends: its colour, its line and its mark.

use crate::app::theme::{self, Role, Tokens};
use egui::{Painter, Pos2, Rect, Response, Shape, Stroke, Ui, vec2};
use egui_plot::{LineStyle, MarkerShape};

/// A sample and what it stands for: one piece, so that they stay together where rows are wrapped.
pub fn legend_entry(ui: &mut Ui, t: &Tokens, role: Role, text: String) -> Response {
    let galley = ui.painter().layout_no_wrap(text.clone(), egui::TextStyle::Body.resolve(ui.style()), t.text);
    let sample = vec2(t.body * 2.2, t.body);
    let gap = t.gap * 0.6;
    let size = vec2(sample.x + gap + galley.size().x, galley.size().y.max(sample.y));
    let (rect, response) = ui.allocate_exact_size(size, egui::Sense::hover());
    let place = egui::Align2::LEFT_CENTER.align_size_within_rect(sample, rect);
    line_sample(ui.painter(), t, place, role);
    let words = Pos2::new(place.right() + gap, rect.center().y - galley.size().y * 0.5);
    ui.painter().galley(words, galley, t.text);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &text));
    response
}

/// Draws the line of a role across `rect`, with its mark in the middle.
pub fn line_sample(painter: &Painter, t: &Tokens, rect: Rect, role: Role) {
    let stroke = Stroke::new(t.stroke, t.role(role));
    let ends = [rect.left_center(), rect.right_center()];
    match theme::line_style(role) {
        LineStyle::Solid => {
            painter.line_segment(ends, stroke);
        }
        LineStyle::Dashed { length } => {
            painter.extend(Shape::dashed_line(&ends, stroke, length, length * 0.6));
        }
        LineStyle::Dotted { spacing } => {
            painter.extend(Shape::dotted_line(&ends, stroke.color, spacing, t.stroke));
        }
    }
    mark(painter, rect.center(), t.stroke * 2.2, role, stroke);
}

fn mark(painter: &Painter, at: Pos2, r: f32, role: Role, stroke: Stroke) {
    let polygon = |corners: &[(f32, f32)]| {
        let corners = corners.iter().map(|&(x, y)| at + vec2(x, y) * r).collect();
        painter.add(Shape::convex_polygon(corners, stroke.color, Stroke::NONE));
    };
    match theme::mark(role) {
        MarkerShape::Up => polygon(&[(-1.0, 0.8), (0.0, -1.1), (1.0, 0.8)]),
        MarkerShape::Square => polygon(&[(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)]),
        MarkerShape::Diamond => polygon(&[(0.0, -1.2), (1.2, 0.0), (0.0, 1.2), (-1.2, 0.0)]),
        MarkerShape::Cross => {
            painter.line_segment([at + vec2(-r, -r) * 0.8, at + vec2(r, r) * 0.8], stroke);
            painter.line_segment([at + vec2(-r, r) * 0.8, at + vec2(r, -r) * 0.8], stroke);
        }
        _ => {
            painter.circle_filled(at, r, stroke.color);
        }
    }
}
