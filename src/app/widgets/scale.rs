//! The scale beside a heat map: its colours from one end to the other, with the values of the ends.

use crate::app::theme::{self, ColourMap};
use egui::{Align2, FontId, Rect, Response, Sense, Ui, WidgetInfo, pos2, vec2};

/// Steps in which the scale is painted.
const STEPS: usize = 48;

/// A horizontal scale over the whole width; `what` says what the values are.
pub fn colour_scale(ui: &mut Ui, map: ColourMap, what: &str) -> Response {
    let t = theme::of(ui);
    let bar = t.body * 0.6;
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), bar + t.small * 1.5), Sense::hover());
    let (low, high) = map.ends();
    let ends = [low, high].map(short);
    response.widget_info(|| {
        WidgetInfo::labeled(egui::Role::Figure, true, format!("Scale of {what}: {} to {}", ends[0], ends[1]))
    });
    let width = rect.width() / STEPS as f32;
    for step in 0..STEPS {
        let value = low + (high - low) * (step as f32 + 0.5) / STEPS as f32;
        let left = rect.left() + step as f32 * width;
        // One pixel of overlap, so that no gap shines through.
        let part =
            Rect::from_min_max(pos2(left, rect.top()), pos2((left + width + 1.0).min(rect.right()), rect.top() + bar));
        ui.painter().rect_filled(part, 0.0, map.colour(value));
    }
    let font = FontId::proportional(t.small);
    let words = [
        (rect.left_bottom(), Align2::LEFT_BOTTOM, ends[0].as_str()),
        (rect.center_bottom(), Align2::CENTER_BOTTOM, what),
        (rect.right_bottom(), Align2::RIGHT_BOTTOM, ends[1].as_str()),
    ];
    for (at, align, word) in words {
        ui.painter().text(at, align, word, font.clone(), t.text_weak);
    }
    response
}

/// Three significant digits, short.
fn short(value: f32) -> String {
    let size = value.abs();
    let text = match size {
        _ if size == 0.0 => "0".to_owned(),
        _ if size.fract() == 0.0 && size < 10_000.0 => format!("{value:.0}"),
        _ if !(0.001..10_000.0).contains(&size) => format!("{value:.1e}"),
        _ if size >= 100.0 => format!("{value:.0}"),
        _ if size >= 1.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    };
    text.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_short() {
        let said = [0.0, 77.0, 8.234, -0.5, 1234.5, 0.000_012].map(short);
        assert_eq!(said, ["0", "77", "8.2", "\u{2212}0.500", "1234", "1.2e\u{2212}5"]);
    }
}
