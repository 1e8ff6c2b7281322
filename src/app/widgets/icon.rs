//! The few signs of the rail, drawn by hand so that they are sharp at every size and take the colour of their text.

use crate::app::command::Screen;
use egui::{Color32, Painter, Pos2, Stroke, pos2};

/// Draws a screen's sign into a square of `size` around `center`.
pub fn screen_icon(painter: &Painter, screen: Screen, center: Pos2, size: f32, colour: Color32) {
    let stroke = Stroke::new((size * 0.09).max(1.4), colour);
    // Points are given on a 0..=1 square.
    let at = |x: f32, y: f32| pos2(center.x + (x - 0.5) * size, center.y + (y - 0.5) * size);
    let path = |points: &[(f32, f32)]| {
        painter.line(points.iter().map(|&(x, y)| at(x, y)).collect(), stroke);
    };
    match screen {
        Screen::Home => {
            path(&[(0.05, 0.5), (0.5, 0.1), (0.95, 0.5)]);
            path(&[(0.18, 0.42), (0.18, 0.92), (0.82, 0.92), (0.82, 0.42)]);
        }
        Screen::Lab => {
            path(&[(0.38, 0.08), (0.38, 0.4), (0.1, 0.92), (0.9, 0.92), (0.62, 0.4), (0.62, 0.08)]);
            path(&[(0.3, 0.08), (0.7, 0.08)]);
            path(&[(0.26, 0.64), (0.74, 0.64)]);
        }
        Screen::Triggers => {
            path(&[(0.08, 0.08), (0.92, 0.08), (0.92, 0.92), (0.08, 0.92), (0.08, 0.08)]);
            // The patch in its corner.
            let patch = egui::Rect::from_min_max(at(0.56, 0.56), at(0.8, 0.8));
            painter.rect_filled(patch, 0.0, colour);
        }
        Screen::Watch => {
            path(&[(0.08, 0.08), (0.08, 0.92), (0.95, 0.92)]);
            path(&[(0.2, 0.75), (0.4, 0.5), (0.58, 0.6), (0.92, 0.15)]);
        }
        // Light with a polarizer in its way.
        Screen::Polarizer => {
            path(&[(0.02, 0.5), (0.26, 0.5)]);
            path(&[(0.74, 0.5), (0.98, 0.5)]);
            let half = egui::vec2(size * 0.21, size * 0.45);
            super::dial::ellipse(painter, center, half, Color32::TRANSPARENT, stroke);
            for x in [0.4, 0.5, 0.6] {
                let reach = 0.4 * (1.0 - ((x - 0.5_f32) / 0.24).powi(2)).sqrt();
                painter.line_segment([at(x, 0.5 - reach), at(x, 0.5 + reach)], Stroke::new(size * 0.05, colour));
            }
        }
        Screen::Compare => {
            path(&[(0.08, 0.1), (0.42, 0.1), (0.42, 0.9), (0.08, 0.9), (0.08, 0.1)]);
            path(&[(0.58, 0.1), (0.92, 0.1), (0.92, 0.9), (0.58, 0.9), (0.58, 0.1)]);
            path(&[(0.16, 0.62), (0.34, 0.62)]);
            path(&[(0.66, 0.38), (0.84, 0.38)]);
        }
        // A balance.
        Screen::Fairness => {
            path(&[(0.5, 0.08), (0.5, 0.9)]);
            path(&[(0.28, 0.9), (0.72, 0.9)]);
            path(&[(0.16, 0.2), (0.84, 0.2)]);
            for x in [0.16, 0.84] {
                path(&[(x, 0.2), (x - 0.15, 0.56), (x + 0.15, 0.56), (x, 0.2)]);
            }
        }
        // A lens.
        Screen::Audit => {
            painter.circle_stroke(at(0.42, 0.42), size * 0.32, stroke);
            path(&[(0.66, 0.66), (0.94, 0.94)]);
            painter.circle_filled(at(0.42, 0.42), size * 0.09, colour);
        }
        // An open book.
        Screen::Lessons => {
            path(&[(0.5, 0.24), (0.5, 0.9)]);
            path(&[(0.5, 0.24), (0.28, 0.14), (0.06, 0.18), (0.06, 0.82), (0.28, 0.78), (0.5, 0.9)]);
            path(&[(0.5, 0.24), (0.72, 0.14), (0.94, 0.18), (0.94, 0.82), (0.72, 0.78), (0.5, 0.9)]);
        }
        Screen::Runs => {
            for y in [0.2, 0.5, 0.8] {
                path(&[(0.32, y), (0.95, y)]);
                painter.circle_filled(at(0.12, y), size * 0.07, colour);
            }
        }
        Screen::Settings => {
            for (y, x) in [(0.2, 0.68), (0.5, 0.3), (0.8, 0.58)] {
                path(&[(0.05, y), (0.95, y)]);
                painter.circle_filled(at(x, y), size * 0.13, colour);
            }
        }
    }
}

/// Two polarizers, crossed: the mark of the program.
pub fn program_mark(painter: &Painter, center: Pos2, size: f32, one: Color32, other: Color32) {
    let r = size * 0.36;
    let stroke = |colour| Stroke::new((size * 0.07).max(1.2), colour);
    for (side, colour) in [(-1.0, one), (1.0, other)] {
        let middle = pos2(center.x + side * size * 0.17, center.y);
        painter.circle_stroke(middle, r, stroke(colour));
        // The left one lets through what swings upright, the right one what swings flat.
        for step in [-0.5_f32, 0.0, 0.5] {
            let reach = r * (1.0 - step * step).sqrt() * 0.8;
            let (from, to) = if side < 0.0 {
                (pos2(middle.x + step * r, middle.y - reach), pos2(middle.x + step * r, middle.y + reach))
            } else {
                (pos2(middle.x - reach, middle.y + step * r), pos2(middle.x + reach, middle.y + step * r))
            };
            painter.line_segment([from, to], Stroke::new((size * 0.035).max(1.0), colour));
        }
    }
}
