//! Progress: phases as segments, and one bar for the phase that runs. No bar pretends to know a total that nobody knows.

use crate::app::theme;
use egui::{CornerRadius, Rect, Response, Sense, Ui, WidgetInfo, pos2, vec2};

/// One segment per phase; finished ones are full, the current one fills, later ones are empty.
pub fn phase_bar(ui: &mut Ui, name: &str, phase: usize, phases: usize, share: f32, width: f32) -> Response {
    let t = theme::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(width, t.body * 0.7), Sense::hover());
    let phases = phases.max(1);
    describe(&response, name, (phase as f32 + share) / phases as f32);
    let gap = 4.0;
    let each = (rect.width() - gap * (phases as f32 - 1.0)) / phases as f32;
    for index in 0..phases {
        let left = rect.left() + index as f32 * (each + gap);
        let segment = Rect::from_min_max(pos2(left, rect.top()), pos2(left + each, rect.bottom()));
        let filled = match index.cmp(&phase) {
            std::cmp::Ordering::Less => 1.0,
            std::cmp::Ordering::Equal => share,
            std::cmp::Ordering::Greater => 0.0,
        };
        paint(ui, segment, filled);
    }
    response
}

fn describe(response: &Response, name: &str, share: f32) {
    response.widget_info(|| WidgetInfo {
        value: Some(f64::from((share * 100.0).round())),
        ..WidgetInfo::labeled(egui::Role::ProgressIndicator, true, name)
    });
}

fn paint(ui: &Ui, rect: Rect, share: f32) {
    let t = theme::of(ui);
    let radius = CornerRadius::same((rect.height() / 2.0) as u8);
    ui.painter().rect_filled(rect, radius, t.line.gamma_multiply(0.7));
    if share > 0.0 {
        let mut filled = rect;
        filled.set_width((rect.width() * share.min(1.0)).max(rect.height()));
        ui.painter().rect_filled(filled, radius, t.accent);
    }
}
