//! The verdict of a check as a sign and a colour.

use crate::app::theme::Tokens;
use crate::run::Verdict;
use egui::{Color32, CornerRadius, Rect, Sense, Stroke, Ui, pos2, vec2};

/// Text on a card must be readable: the darker half of a role where the ground is light.
pub fn verdict_colour(t: &Tokens, verdict: Verdict) -> Color32 {
    match verdict {
        Verdict::Clear => t.good,
        Verdict::Suspicious => t.bad,
        Verdict::CannotTell => t.text_weak,
    }
}

/// A triangle, a circle or a square: the verdict without colour.
pub fn verdict_sign(ui: &mut Ui, t: &Tokens, verdict: Verdict, side: f32) {
    let (rect, _) = ui.allocate_exact_size(vec2(side, side * 1.15), Sense::hover());
    let square = Rect::from_center_size(rect.center(), vec2(side, side) * 0.86);
    let fill = verdict_colour(t, verdict);
    match verdict {
        Verdict::Suspicious => {
            let corners = vec![pos2(square.center().x, square.top()), square.right_bottom(), square.left_bottom()];
            ui.painter().add(egui::Shape::convex_polygon(corners, fill, Stroke::NONE));
        }
        Verdict::Clear => {
            ui.painter().circle_filled(square.center(), square.width() * 0.5, fill);
        }
        Verdict::CannotTell => {
            ui.painter().rect_filled(square.shrink(1.0), CornerRadius::same(2), fill);
        }
    }
}
