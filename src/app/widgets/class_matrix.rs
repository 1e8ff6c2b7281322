//! Counts by two classes as a square of cells: how often one is taken for, or labelled as, the other.

use crate::app::theme::{self, Tokens};
use crate::app::words::class_name;
use egui::{Align2, CornerRadius, FontId, Rect, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

/// Up to here every cell has room for its number and every row for its name.
const MOST_NAMED: usize = 20;

/// K x K counts; the diagonal has the colour of what is right.
pub struct ClassMatrix<'a> {
    /// Names of the K classes.
    pub classes: &'a [String],
    /// Row after row.
    pub counts: &'a [u32],
    /// What stands down and what across.
    pub axes: &'a str,
    /// The whole matrix in words.
    pub description: &'a str,
    /// Room for it, in points.
    pub height: f32,
}

impl ClassMatrix<'_> {
    /// `words` says what a cell means, by row and column, to whoever points at it.
    pub fn show(&self, ui: &mut Ui, words: &dyn Fn(usize, usize) -> String) {
        let t = theme::of(ui);
        let (k, counts) = (self.classes.len(), self.counts);
        let named = k <= MOST_NAMED;
        let font = FontId::proportional(t.small);
        let names = if named { longest_name(ui, &t, self.classes, &font) + t.gap } else { 0.0 };
        let space = vec2(ui.available_width() - names, (self.height - t.small * 1.6).max(60.0));
        let cell = (space.x.min(space.y) / k as f32).max(2.0);
        let size = vec2((names + cell * k as f32).max(t.small * 18.0), t.small * 1.6 + cell * k as f32);
        let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Figure, true, self.description));
        let painter = ui.painter_at(rect.expand(2.0));
        let origin = rect.left_top() + vec2(names, t.small * 1.6);
        painter.text(rect.left_top(), Align2::LEFT_TOP, self.axes, font.clone(), t.text_weak);
        let edge = if named { Stroke::new(0.5, t.line) } else { Stroke::NONE };
        for row in 0..k {
            let of_row: u32 = counts[row * k..(row + 1) * k].iter().sum();
            let y = origin.y + (row as f32 + 0.5) * cell;
            if named {
                let name = class_name(self.classes, row);
                painter.text(pos2(origin.x - t.gap * 0.5, y), Align2::RIGHT_CENTER, name, font.clone(), t.text);
            }
            for column in 0..k {
                let count = counts[row * k + column];
                let share = if of_row == 0 { 0.0 } else { count as f32 / of_row as f32 };
                let min = origin + vec2(column as f32, row as f32) * cell;
                let area = Rect::from_min_size(min, vec2(cell, cell)).shrink(if named { 0.75 } else { 0.0 });
                let full = if row == column { t.clean } else { t.attacked };
                // The root keeps rare mistakes visible.
                let fill = t.field.lerp_to_gamma(full, share.sqrt());
                painter.rect(area, CornerRadius::same(2), fill, edge, egui::StrokeKind::Inside);
                if named && count > 0 && cell > t.small * 1.7 {
                    let ink = if share.sqrt() > 0.55 { t.on_accent } else { t.text };
                    let font = FontId::proportional(t.small.min(cell * 0.42));
                    painter.text(area.center(), Align2::CENTER_CENTER, count.to_string(), font, ink);
                }
            }
        }
        if let Some(pointer) = response.hover_pos() {
            let place = (pointer - origin) / cell;
            if place.x >= 0.0 && place.y >= 0.0 && place.x < k as f32 && place.y < k as f32 {
                response.on_hover_text_at_pointer(words(place.y as usize, place.x as usize));
            }
        }
    }
}

fn longest_name(ui: &Ui, t: &Tokens, classes: &[String], font: &FontId) -> f32 {
    let width = |name: &String| ui.fonts_mut(|fonts| fonts.layout_no_wrap(name.clone(), font.clone(), t.text)).size().x;
    classes.iter().map(width).fold(0.0, f32::max)
}
