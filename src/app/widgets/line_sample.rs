//! A sample of a curve for legends: its colour, its line and its mark.

use crate::app::theme::{self, Role, Tokens};
use egui::{Painter, Pos2, Rect, Shape, Stroke, vec2};
use egui_plot::{LineStyle, MarkerShape};

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
