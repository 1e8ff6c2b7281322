//! People whose predictions the constraint changes most: three who rise, three who fall, followed along the whole curve.

use super::{Shown, group_role};
use crate::app::fair::Person;
use crate::app::theme::{self, Tokens};
use crate::run::fair::number;
use egui::text::{LayoutJob, TextFormat};
use egui::{Align, FontId, Rect, RichText, Sense, Stroke, Ui, WidgetInfo, pos2, vec2};

/// One line per person: who, a track with before and now, the numbers.
pub fn people(ui: &mut Ui, shown: &Shown<'_>) {
    let t = theme::of(ui);
    let before = &shown.course.rows().plain;
    for (person, &now) in shown.course.people.iter().zip(&shown.now.people) {
        let plain = before.get(person.index).copied().unwrap_or_default();
        let text = format!(
            "Row {}, {}: {} instead of {}; true {}",
            person.row,
            person.group,
            number(now),
            number(plain),
            number(person.target)
        );
        let place = shown
            .course
            .attributes
            .first()
            .and_then(|attribute| attribute.drawn.iter().position(|&value| value == person.value));
        let colour = t.role(place.map_or(crate::app::theme::Role::Other, group_role));
        ui.spacing_mut().item_spacing.y = 2.0;
        ui.horizontal(|ui| {
            ui.label(theme::strong(format!("Row {}", person.row)));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                ui.label(RichText::new(format!("was {}", number(plain))).size(t.small).color(t.text_weak));
                ui.label(theme::strong(number(now)));
                ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                    ui.add(egui::Label::new(who(&t, person)).truncate()).on_hover_text(&text);
                });
            });
        });
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), t.body * 0.9), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Figure, true, &text));
        track(ui, &t, rect, shown.course.range, [plain, now, person.target], colour);
        response.on_hover_text(text);
        ui.add_space(t.gap * 0.6);
    }
    let text = "Open circle: without constraint. Filled: at this point. Tick: what came true.";
    ui.add(egui::Label::new(RichText::new(text).size(t.small).color(t.text_weak)).wrap());
}

/// The group, and what else is known: one line that is cut at its end.
fn who(t: &Tokens, person: &Person) -> LayoutJob {
    let mut line = LayoutJob::default();
    let mut add = |words: &str, size: f32, colour| {
        line.append(
            words,
            0.0,
            TextFormat { valign: Align::Center, ..TextFormat::simple(FontId::proportional(size), colour) },
        );
    };
    add(&person.group, t.body, t.text);
    if !person.told.is_empty() {
        add(&format!("  {}", person.told), t.small, t.text_weak);
    }
    line
}

fn track(
    ui: &Ui,
    t: &Tokens,
    rect: Rect,
    [low, high]: [f64; 2],
    [before, now, target]: [f64; 3],
    colour: egui::Color32,
) {
    let r = t.body * 0.34;
    let rail = rect.shrink2(vec2(r, 0.0));
    let x = |value: f64| {
        let share = ((value - low) / (high - low)).clamp(0.0, 1.0) as f32;
        egui::lerp(rail.left()..=rail.right(), share)
    };
    let y = rect.center().y;
    let painter = ui.painter();
    painter.hline(rail.x_range(), y, Stroke::new(1.0, t.line));
    painter.vline(x(target), rect.y_range(), Stroke::new(t.stroke, t.text));
    painter.line_segment([pos2(x(before), y), pos2(x(now), y)], Stroke::new(t.stroke * 1.6, colour));
    painter.circle(pos2(x(before), y), r * 0.8, t.card, Stroke::new(t.stroke * 0.8, colour));
    painter.circle_filled(pos2(x(now), y), r, colour);
}
