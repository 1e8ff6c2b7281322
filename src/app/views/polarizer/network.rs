//! The network as light sees it: a stamped picture enters at the left, the polarizer stands between two stages, and what is
//! left of the trigger leaves at the right.

use crate::app::theme::{self, Tokens};
use crate::app::widgets::{dial, paint_picture};
use crate::run::event::Rgba;
use crate::run::polarizer::{Place, PolarizerView, Stage};
use egui::{
    Align2, CornerRadius, FontFamily, FontId, Painter, Pos2, Rect, Response, Sense, Shape, Stroke, StrokeKind, Ui,
    WidgetInfo, pos2, vec2,
};
use std::f32::consts::{FRAC_PI_2, TAU};
use std::sync::Arc;

/// What stands in the way of the light, from left to right.
enum Part<'a> {
    Picture,
    Stage(&'a Stage),
    /// The polarizer between two stages.
    Pane,
    /// A stage with the polarizer in its branch.
    StageWithPane(&'a Stage),
    Answer,
}

/// What goes through the network.
pub struct Beam<'a> {
    /// What lies on the stamped picture, in one word.
    pub trigger: &'static str,
    /// The stamped picture.
    pub picture: Option<&'a Arc<Rgba>>,
    /// Turns the polarizer.
    pub strength: f32,
    /// Share of the attack that comes through, when it is known.
    pub leak: Option<f32>,
    /// In how many of the stamped pictures the trigger wins, when it was measured.
    pub asr: Option<f64>,
    /// What the network says about the stamped picture.
    pub answer: &'a str,
}

pub fn network(ui: &mut Ui, view: &PolarizerView, beam: &Beam<'_>, height: f32) -> Response {
    let t = theme::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Figure, true, description(view)));
    let mut parts = vec![Part::Picture];
    for (index, stage) in view.stages.iter().enumerate() {
        match view.place {
            Place::Inside(at) if at == index => parts.push(Part::StageWithPane(stage)),
            Place::Behind(at) if at == index => parts.extend([Part::Stage(stage), Part::Pane]),
            _ => parts.push(Part::Stage(stage)),
        }
    }
    parts.push(Part::Answer);

    let labels = t.small * 2.9;
    let middle = rect.top() + (height - labels) / 2.0;
    let drawing = Drawing {
        t: &t,
        beam: middle,
        tall: (height - labels) * 0.94,
        largest: view.stages.iter().map(|stage| stage.height).max().unwrap_or(1) as f32,
        labels: rect.bottom() - labels,
        strength: beam.strength,
    };
    let widths: Vec<f32> = parts.iter().map(|part| drawing.width(part)).collect();
    let gap = ((rect.width() - widths.iter().sum::<f32>()) / (parts.len() - 1) as f32).max(6.0);
    let painter = ui.painter_at(rect);
    let mut left = rect.left();
    let mut behind = false;
    for (index, (part, width)) in parts.iter().zip(&widths).enumerate() {
        let area = Rect::from_min_max(
            pos2(left, middle - drawing.tall / 2.0),
            pos2(left + width, middle + drawing.tall / 2.0),
        );
        let room = gap + width - 4.0;
        if index > 0 {
            let ends = (pos2(left - gap + 3.0, middle), pos2(left - 3.0, middle));
            drawing.light(&painter, ends, if behind { beam.leak.unwrap_or(1.0) } else { 1.0 });
        }
        match part {
            Part::Picture => drawing.picture(ui, &painter, beam.picture, area),
            Part::Stage(stage) => drawing.stage(ui, &painter, stage, area, room),
            Part::Pane => drawing.pane(ui, &painter, view, area),
            Part::StageWithPane(stage) => drawing.stage_with_pane(ui, &painter, view, stage, area, room),
            Part::Answer => drawing.answer(&painter, area, beam),
        }
        behind |= matches!(part, Part::Pane | Part::StageWithPane(_));
        left += width + gap;
    }
    response
}

fn description(view: &PolarizerView) -> String {
    let words = |(index, stage): (usize, &Stage)| {
        let here = match view.place {
            Place::Behind(at) if at == index => ", then the polarizer",
            Place::Inside(at) if at == index => ", with the polarizer in its branch",
            _ => "",
        };
        format!("{} with {} channels of {} × {}{here}", stage.name, stage.channels, stage.height, stage.width)
    };
    let stages: Vec<_> = view.stages.iter().enumerate().map(words).collect();
    format!("{}, from picture to answer: {}", view.network, stages.join("; "))
}

struct Drawing<'a> {
    t: &'a Tokens,
    /// Height of the light on the screen.
    beam: f32,
    tall: f32,
    /// Side of the largest feature map.
    largest: f32,
    /// Top of the words below.
    labels: f32,
    strength: f32,
}

impl Drawing<'_> {
    fn width(&self, part: &Part<'_>) -> f32 {
        let body = self.t.body;
        match part {
            Part::Picture => self.tall * 0.8,
            Part::Stage(stage) => self.thickness(stage),
            Part::Pane => self.tall * 0.42,
            Part::StageWithPane(_) => self.tall * 0.95,
            // As wide as the words below it.
            Part::Answer => (body * 6.4).max(self.t.small * 10.6),
        }
    }

    /// More channels, a thicker block.
    fn thickness(&self, stage: &Stage) -> f32 {
        self.t.body * (0.35 * (stage.channels as f32).log2()).clamp(0.7, 3.2)
    }

    /// Smaller maps, a lower block.
    fn height(&self, stage: &Stage) -> f32 {
        let share = (1.0 + stage.height as f32).log2() / (1.0 + self.largest).log2();
        self.tall * (0.25 + 0.75 * share)
    }

    /// Clean light as a solid wave, the trigger's as a dashed one that is as high as what is left of it.
    fn light(&self, painter: &Painter, (from, to): (Pos2, Pos2), trigger: f32) {
        let wave = |amplitude: f32, shift: f32| -> Vec<Pos2> {
            let length = self.t.body * 1.5;
            let steps = (((to.x - from.x) / 1.5) as usize).max(2);
            let point = |step: usize| {
                let x = from.x + (to.x - from.x) * step as f32 / steps as f32;
                pos2(x, self.beam - amplitude * (TAU * x / length + shift).sin())
            };
            (0..=steps).map(point).collect()
        };
        let amplitude = self.t.body * 0.5;
        painter.add(Shape::line(wave(amplitude, 0.0), Stroke::new(self.t.stroke, self.t.clean)));
        // A picture in a hundred is still worth a line; nothing is none.
        if trigger > 0.004 {
            let stroke = Stroke::new(self.t.stroke, self.t.attacked);
            let height = amplitude * (0.1 + 0.9 * trigger);
            painter.extend(Shape::dashed_line(&wave(height, FRAC_PI_2), stroke, 4.0, 2.5));
        }
    }

    fn words(&self, painter: &Painter, center: f32, room: f32, name: &str, strong: bool, detail: &str) {
        let family = if strong { FontFamily::Name("strong".into()) } else { FontFamily::Proportional };
        let lines = [
            (name, FontId::new(self.t.small, family), self.t.text),
            (detail, FontId::proportional(self.t.small), self.t.text_weak),
        ];
        for (line, (text, font, colour)) in lines.into_iter().enumerate() {
            let galley = painter.layout_no_wrap(text.to_owned(), font, colour);
            // What does not fit is told on hovering.
            if galley.size().x <= room {
                let top = self.labels + self.t.small * (0.25 + 1.3 * line as f32);
                painter.galley(pos2(center - galley.size().x / 2.0, top), galley, colour);
            }
        }
    }

    fn picture(&self, ui: &Ui, painter: &Painter, picture: Option<&Arc<Rgba>>, area: Rect) {
        let side = area.width();
        let rect = Rect::from_center_size(area.center(), vec2(side, side));
        if let Some(picture) = picture {
            paint_picture(ui, rect, picture);
        }
        painter.rect_stroke(rect, CornerRadius::same(2), Stroke::new(1.0, self.t.line), StrokeKind::Outside);
        let font = FontId::proportional(self.t.small);
        let at = pos2(area.left(), self.labels + self.t.small * 0.25);
        painter.text(at, Align2::LEFT_TOP, "stamped", font, self.t.text);
    }

    fn block(&self, painter: &Painter, rect: Rect) {
        let edge = Stroke::new(1.0, self.t.line_strong);
        painter.rect(rect, CornerRadius::same(4), self.t.button, edge, StrokeKind::Inside);
    }

    fn stage(&self, ui: &Ui, painter: &Painter, stage: &Stage, area: Rect, room: f32) {
        let rect = Rect::from_center_size(area.center(), vec2(area.width(), self.height(stage)));
        self.block(painter, rect);
        self.stage_words(ui, painter, stage, rect, room);
    }

    fn stage_words(&self, ui: &Ui, painter: &Painter, stage: &Stage, rect: Rect, room: f32) {
        let size = format!("{} × {} × {}", stage.channels, stage.height, stage.width);
        self.words(painter, rect.center().x, room, &stage.name, false, &size);
        let hover = ui.interact(rect, ui.scope_id().with(("stage", &stage.name)), Sense::hover());
        hover.on_hover_text(format!(
            "{}: {} channels of {} × {} leave it",
            stage.name, stage.channels, stage.height, stage.width
        ));
    }

    fn pane(&self, ui: &Ui, painter: &Painter, view: &PolarizerView, area: Rect) {
        self.glass(painter, area.center(), self.tall * 0.5);
        self.words(painter, area.center().x, f32::INFINITY, "polarizer", true, "");
        let hover = ui.interact(area, ui.scope_id().with("pane"), Sense::hover());
        hover.on_hover_text(format!("{} Everything on its way at {} passes it.", view.layer, view.site));
    }

    /// The disc in the light, seen from the side; its grating turns with the dial.
    fn glass(&self, painter: &Painter, center: Pos2, half_height: f32) {
        let half = vec2(half_height * 0.36, half_height);
        for halo in 1..=3 {
            let wider = half + vec2(1.0, 1.0) * (halo as f32 * self.t.body * 0.16);
            let glow = self.t.clean.gamma_multiply(0.10 * self.strength / halo as f32);
            dial::ellipse(painter, center, wider, glow, Stroke::NONE);
        }
        dial::ellipse(painter, center, half, self.t.card, Stroke::NONE);
        let tint = self.t.clean.gamma_multiply(0.10 + 0.14 * self.strength);
        dial::ellipse(painter, center, half, tint, Stroke::new(self.t.stroke, self.t.clean));
        let line = Stroke::new(1.2, self.t.clean.gamma_multiply(0.8));
        dial::ellipse_grating(painter, center, half, self.strength * FRAC_PI_2, line);
    }

    fn stage_with_pane(&self, ui: &Ui, painter: &Painter, view: &PolarizerView, stage: &Stage, area: Rect, room: f32) {
        let rect = Rect::from_center_size(area.center(), vec2(area.width(), self.tall));
        painter.rect(
            rect,
            CornerRadius::same(4),
            self.t.button.gamma_multiply(0.6),
            Stroke::new(1.0, self.t.line_strong),
            StrokeKind::Inside,
        );
        // The shortcut goes over the glass.
        let (left, right, top) = (rect.left() + 6.0, rect.right() - 6.0, rect.top() + self.tall * 0.1);
        let beam = self.beam + self.tall * 0.07;
        let way = vec![pos2(left, beam), pos2(left, top), pos2(right, top), pos2(right, beam)];
        painter.add(Shape::line(way, Stroke::new(1.5, self.t.text_weak)));
        painter.line_segment([pos2(left, beam), pos2(right, beam)], Stroke::new(1.5, self.t.text_weak));
        self.glass(painter, pos2(rect.center().x, beam), self.tall * 0.36);
        self.stage_words(ui, painter, stage, rect, room);
        let hover = ui.interact(rect, ui.scope_id().with("pane"), Sense::hover());
        hover.on_hover_text(format!(
            "{} It filters the branch at {}; the shortcut of this block goes around it.",
            view.layer, view.site
        ));
    }

    fn answer(&self, painter: &Painter, area: Rect, beam: &Beam<'_>) {
        let strong = FontId::new(self.t.body, FontFamily::Name("strong".into()));
        let rect = Rect::from_center_size(area.center(), vec2(area.width(), self.t.body * 2.9));
        painter.rect(
            rect,
            CornerRadius::same(6),
            self.t.card,
            Stroke::new(1.5, self.t.line_strong),
            StrokeKind::Inside,
        );
        let clipped = painter.with_clip_rect(rect.shrink(4.0).intersect(painter.clip_rect()));
        let galley = clipped.layout(beam.answer.to_owned(), strong, self.t.text, rect.width() - 8.0);
        clipped.galley(rect.center() - galley.size() / 2.0, galley, self.t.text);
        let wins = beam.asr.map(|asr| format!("{} wins {:.0} %", beam.trigger, asr * 100.0)).unwrap_or_default();
        let font = FontId::proportional(self.t.small);
        let at = pos2(area.right(), self.labels + self.t.small * 0.25);
        painter.text(at, Align2::RIGHT_TOP, wins, font.clone(), self.t.text_weak);
        // Which light is which.
        let mut right = area.right();
        let y = self.labels + self.t.small * 2.1;
        for (word, colour, dashed) in [(beam.trigger, self.t.attacked, true), ("picture", self.t.clean, false)] {
            let said = painter.text(pos2(right, y), Align2::RIGHT_CENTER, word, font.clone(), self.t.text_weak);
            let end = said.left() - self.t.small * 0.4;
            let line = [pos2(end - self.t.small * 1.4, y), pos2(end, y)];
            let stroke = Stroke::new(self.t.stroke, colour);
            if dashed {
                painter.extend(Shape::dashed_line(&line, stroke, 4.0, 2.5));
            } else {
                painter.line_segment(line, stroke);
            }
            right = line[0].x - self.t.small * 0.8;
        }
    }
}
