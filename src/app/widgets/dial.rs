//! A round dial that snaps to steps, drawn as two polarizers: the one behind stands still, the one in front turns with the
//! dial. Crossed, they let no light through.

use crate::app::theme::{self, Tokens};
use egui::accesskit::{Action, ActionData};
use egui::{
    Align2, Color32, EventFilter, FontId, Key, Painter, Pos2, Response, Sense, Shape, Stroke, Ui, Vec2, WidgetInfo,
    vec2,
};
use std::f32::consts::{FRAC_PI_2, PI, TAU};

/// The scale begins at the lower left and ends at the lower right.
const FIRST: f32 = 0.75 * PI;
const SWEEP: f32 = 1.5 * PI;

pub struct Dial<'a> {
    pub name: &'a str,
    pub step: usize,
    /// Number of the last step; the first is 0.
    pub steps: usize,
    /// What is behind a step that is marked as known.
    pub known: &'a dyn Fn(usize) -> bool,
    /// Share of the attacker's light that comes through, when it is known.
    pub glow: Option<f32>,
}

impl Dial<'_> {
    /// Draws the dial into a square; returns the step that was asked for.
    pub fn show(self, ui: &mut Ui, side: f32) -> Option<usize> {
        let t = theme::of(ui);
        let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::click_and_drag());
        self.describe(ui, &response);
        let wanted = self.wanted(ui, &response, rect.center());
        if ui.is_rect_visible(rect) {
            self.paint(ui.painter(), &t, rect.center(), side / 2.0, &response);
        }
        let keys = "Drag it, or use the arrow keys (up is more); P turns it off and on";
        response.on_hover_cursor(egui::CursorIcon::Grab).on_hover_text(keys);
        wanted.filter(|&step| step != self.step)
    }

    fn percent(&self, step: usize) -> f64 {
        100.0 * step as f64 / self.steps as f64
    }

    fn describe(&self, ui: &Ui, response: &Response) {
        response.widget_info(|| WidgetInfo::slider(ui.is_enabled(), self.percent(self.step), self.name));
        ui.ctx().accesskit_node_builder(response.id, |node| {
            node.set_min_numeric_value(0.0);
            node.set_max_numeric_value(100.0);
            node.set_numeric_value_step(100.0 / self.steps as f64);
            node.add_action(Action::SetValue);
            node.add_action(Action::Increment);
            node.add_action(Action::Decrement);
        });
    }

    /// The step that pointer, keys or a screen reader ask for.
    fn wanted(&self, ui: &Ui, response: &Response, center: Pos2) -> Option<usize> {
        let mut wanted = None;
        if let Some(pointer) = response.interact_pointer_pos() {
            let step = self.step_at(pointer - center);
            // The scale has a gap below: a hand that crosses it does not mean to jump from one end to the other.
            if response.clicked() || step.abs_diff(self.step) <= self.steps / 2 {
                wanted = Some(step);
            }
        }
        if response.has_focus() {
            let arrows = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
            let (more, less, ends) = ui.input(|input| {
                let count = |keys: [Key; 2]| keys.iter().map(|&key| input.num_presses(key)).sum::<usize>();
                let ends = (input.key_pressed(Key::Home), input.key_pressed(Key::End));
                (count([Key::ArrowUp, Key::ArrowRight]), count([Key::ArrowDown, Key::ArrowLeft]), ends)
            });
            if more + less > 0 {
                wanted = Some((self.step + more).saturating_sub(less).min(self.steps));
            }
            match ends {
                (true, _) => wanted = Some(0),
                (_, true) => wanted = Some(self.steps),
                _ => {}
            }
        }
        ui.input(|input| {
            let asked = |action| input.num_accesskit_action_requests(response.id, action);
            let (more, less) = (asked(Action::Increment), asked(Action::Decrement));
            if more + less > 0 {
                wanted = Some((self.step + more).saturating_sub(less).min(self.steps));
            }
            for request in input.accesskit_action_requests(response.id, Action::SetValue) {
                if let Some(ActionData::NumericValue(value)) = request.data {
                    wanted = Some((value.clamp(0.0, 100.0) / 100.0 * self.steps as f64).round() as usize);
                }
            }
        });
        wanted
    }

    fn step_at(&self, from_center: Vec2) -> usize {
        let turned = (from_center.angle() - FIRST).rem_euclid(TAU);
        let share = match turned {
            turned if turned <= SWEEP => turned / SWEEP,
            // The gap belongs to the nearer end.
            turned if turned - SWEEP < (TAU - SWEEP) / 2.0 => 1.0,
            _ => 0.0,
        };
        (share * self.steps as f32).round() as usize
    }

    fn paint(&self, painter: &Painter, t: &Tokens, center: Pos2, radius: f32, response: &Response) {
        let share = self.step as f32 / self.steps as f32;
        let at = |share: f32, r: f32| center + r * Vec2::angled(FIRST + share * SWEEP);
        let ring = radius * 0.84;
        let width = (radius * 0.075).max(4.0);
        arc(painter, center, ring, 0.0, 1.0, Stroke::new(width, t.line));
        if self.step > 0 {
            arc(painter, center, ring, 0.0, share, Stroke::new(width, t.accent));
        }
        for step in 0..=self.steps {
            let along = step as f32 / self.steps as f32;
            let colour = if (self.known)(step) { t.text_weak } else { t.line };
            let long = if step.is_multiple_of(self.steps / 4) { 1.0 } else { 0.955 };
            painter.line_segment([at(along, radius * 0.915), at(along, radius * long)], Stroke::new(1.5, colour));
        }
        self.paint_glass(painter, t, center, radius * 0.66, share);
        let knob = at(share, ring);
        let (fill, edge) = if response.is_pointer_button_down_on() || response.hovered() {
            (t.accent_hover, t.card)
        } else {
            (t.accent, t.card)
        };
        painter.circle(knob, width * 1.25, fill, Stroke::new(2.0, edge));
        if response.has_focus() {
            painter.circle_stroke(center, radius - 1.0, Stroke::new(2.0, t.link));
        }
        let small = FontId::proportional(t.small);
        let below = |share: f32| at(share, ring) + vec2(0.0, width * 1.3 + t.small * 0.75);
        painter.text(below(0.0), Align2::CENTER_CENTER, "off", small.clone(), t.text_weak);
        painter.text(below(1.0), Align2::CENTER_CENTER, "full", small, t.text_weak);
    }

    /// Two gratings over what is left of the attacker's light, and the number.
    fn paint_glass(&self, painter: &Painter, t: &Tokens, center: Pos2, radius: f32, share: f32) {
        painter.circle_filled(center, radius, t.field);
        if let Some(glow) = self.glow {
            // Rings of falling strength look like light.
            for ring in 0..6 {
                let part = 1.0 - ring as f32 / 6.0;
                painter.circle_filled(center, radius * part, t.attacked.gamma_multiply(glow.clamp(0.0, 1.0) * 0.14));
            }
        }
        let line = (radius * 0.022).max(1.0);
        grating(painter, center, radius, 0.0, Stroke::new(line, t.clean.gamma_multiply(0.55)));
        grating(painter, center, radius, share * FRAC_PI_2, Stroke::new(line, t.text_weak.gamma_multiply(0.75)));
        painter.circle_stroke(center, radius, Stroke::new(1.5, t.line_strong));
        let text = format!("{:.0} %", self.percent(self.step));
        let font = FontId::new(t.title.max(radius * 0.42), egui::FontFamily::Name("strong".into()));
        let galley = painter.layout_no_wrap(text, font, t.text);
        let plate = egui::Rect::from_center_size(center, galley.size() + vec2(t.gap * 2.0, t.gap * 0.5));
        painter.rect_filled(plate, plate.height() / 2.0, t.card.gamma_multiply(0.92));
        painter.galley(plate.center() - galley.size() / 2.0, galley, t.text);
    }
}

/// A part of the scale as a thick line.
fn arc(painter: &Painter, center: Pos2, radius: f32, from: f32, to: f32, stroke: Stroke) {
    let pieces = ((to - from) * 64.0).ceil().max(1.0) as usize;
    let point = |piece: usize| {
        let share = from + (to - from) * piece as f32 / pieces as f32;
        center + radius * Vec2::angled(FIRST + share * SWEEP)
    };
    painter.add(Shape::line((0..=pieces).map(point).collect(), stroke));
}

/// Parallel lines in a disc, turned by `angle` from upright.
pub fn grating(painter: &Painter, center: Pos2, radius: f32, angle: f32, stroke: Stroke) {
    ellipse_grating(painter, center, vec2(radius, radius), angle, stroke);
}

/// The same on a disc that is seen from the side: its half axes differ.
pub fn ellipse_grating(painter: &Painter, center: Pos2, half: Vec2, angle: f32, stroke: Stroke) {
    const LINES: i32 = 5;
    let (across, along) = (Vec2::angled(angle), Vec2::angled(angle + FRAC_PI_2));
    for line in -LINES..=LINES {
        let offset = line as f32 / (LINES as f32 + 0.7);
        let reach = (1.0 - offset * offset).max(0.0).sqrt() * 0.97;
        let at = |end: f32| center + (across * offset + along * (end * reach)) * half;
        painter.line_segment([at(-1.0), at(1.0)], stroke);
    }
}

/// An ellipse with its edge.
pub fn ellipse(painter: &Painter, center: Pos2, half: Vec2, fill: Color32, stroke: Stroke) {
    let shape = egui::epaint::EllipseShape { center, radius: half, fill, stroke, angle: 0.0 };
    painter.add(Shape::Ellipse(shape));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hand_finds_the_steps_around_the_scale() {
        let dial = Dial { name: "test", step: 0, steps: 20, known: &|_| false, glow: None };
        // Lower left, top, lower right, and both halves of the gap below.
        let places = [(-1.0, 1.0), (0.0, -1.0), (1.0, 1.0), (-0.1, 1.0), (0.1, 1.0)];
        assert_eq!(places.map(|(x, y)| dial.step_at(vec2(x, y))), [0, 10, 20, 0, 20]);
    }
}
