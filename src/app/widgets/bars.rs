//! Bars for probabilities and counts: a word, a bar, a number. The number is always written, so no bar stands alone.

use crate::app::theme::{self, Role, Tokens};
use crate::app::words;
use egui::{Align2, Color32, CornerRadius, Rect, Response, Sense, Ui, WidgetInfo, pos2, vec2};

/// What a model says about one picture: its most probable classes.
pub struct PredictionBars<'a> {
    pub title: &'a str,
    pub probabilities: &'a [f32],
    pub classes: &'a [String],
    /// The true class, where it is known: without it nothing is right or wrong.
    pub label: Option<usize>,
    /// How many classes are listed.
    pub most: usize,
}

impl PredictionBars<'_> {
    /// Class indices, the most probable first.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.probabilities.len()).collect();
        order.sort_by(|&a, &b| self.probabilities[b].total_cmp(&self.probabilities[a]));
        order.truncate(self.most);
        order
    }

    fn class(&self, class: usize) -> String {
        words::class_name(self.classes, class)
    }

    fn verdict(&self, order: &[usize]) -> Option<bool> {
        self.label.map(|label| order.first() == Some(&label))
    }

    /// The bars as a sentence.
    fn description(&self, order: &[usize]) -> String {
        let said = order
            .iter()
            .map(|&class| format!("{} {}", self.class(class), words::percent(f64::from(self.probabilities[class]))));
        let said = format!("{}: {}", self.title, said.collect::<Vec<_>>().join(", "));
        match self.verdict(order) {
            Some(right) => format!("{said} ({})", if right { "right" } else { "wrong" }),
            None => said,
        }
    }

    pub fn show(self, ui: &mut Ui) -> Response {
        let t = theme::of(ui);
        let order = self.order();
        let row = t.body * 1.45;
        let size = vec2(ui.available_width(), row * (order.len() as f32 + 1.1));
        let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
        let description = self.description(&order);
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Figure, true, &description));
        let painter = ui.painter_at(rect);
        let strong = egui::FontId::new(t.body, egui::FontFamily::Name("strong".into()));
        let body = egui::FontId::proportional(t.body);
        let mut room = rect;
        if let Some(right) = self.verdict(&order) {
            let (verdict, colour) = if right { ("right", t.good) } else { ("wrong", t.bad) };
            let corner = painter.text(rect.right_top(), Align2::RIGHT_TOP, verdict, strong.clone(), colour);
            let mark = pos2(corner.left() - t.body * 0.7, corner.center().y);
            verdict_mark(&painter, mark, t.body * 0.34, right, colour);
            room.max.x = corner.left() - t.body * 1.6;
        }
        painter.with_clip_rect(room).text(rect.left_top(), Align2::LEFT_TOP, self.title, strong, t.text);
        for (line, &class) in order.iter().enumerate() {
            let top = rect.top() + row * (line as f32 + 1.1);
            let area = Rect::from_min_size(pos2(rect.left(), top), vec2(rect.width(), row));
            let role = match self.label {
                Some(label) if class != label => Role::Attacked,
                _ => Role::Clean,
            };
            let share = self.probabilities[class];
            bar_row(
                &painter,
                &t,
                area,
                &self.class(class),
                share,
                &words::percent(f64::from(share)),
                t.role(role),
                &body,
            );
        }
        response
    }
}

/// A tick or a cross, so that right and wrong differ without colour.
pub fn verdict_mark(painter: &egui::Painter, at: egui::Pos2, r: f32, right: bool, colour: Color32) {
    let stroke = egui::Stroke::new((r * 0.4).max(1.5), colour);
    if right {
        painter.line(vec![at + vec2(-r, 0.0), at + vec2(-r * 0.25, r * 0.8), at + vec2(r, -r * 0.8)], stroke);
    } else {
        painter.line_segment([at + vec2(-r, -r) * 0.8, at + vec2(r, r) * 0.8], stroke);
        painter.line_segment([at + vec2(-r, r) * 0.8, at + vec2(r, -r) * 0.8], stroke);
    }
}

#[expect(clippy::too_many_arguments, reason = "one line of a drawing")]
fn bar_row(
    painter: &egui::Painter,
    t: &Tokens,
    area: Rect,
    word: &str,
    share: f32,
    number: &str,
    colour: Color32,
    font: &egui::FontId,
) {
    let word_width = (area.width() * 0.38).max(t.body * 5.8).min(t.body * 9.0);
    let number_width = t.body * 4.4;
    let clip = Rect::from_min_size(area.min, vec2(word_width - 6.0, area.height()));
    painter.with_clip_rect(clip.intersect(painter.clip_rect())).text(
        area.left_center(),
        Align2::LEFT_CENTER,
        word,
        font.clone(),
        t.text,
    );
    let track = Rect::from_min_max(
        pos2(area.left() + word_width, area.center().y - t.body * 0.36),
        pos2(area.right() - number_width, area.center().y + t.body * 0.36),
    );
    let radius = CornerRadius::same(3);
    painter.rect_filled(track, radius, t.line.gamma_multiply(0.5));
    let mut filled = track;
    filled.set_width((track.width() * share.clamp(0.0, 1.0)).max(2.0));
    painter.rect_filled(filled, radius, colour);
    painter.text(area.right_center(), Align2::RIGHT_CENTER, number, font.clone(), t.text);
}

/// One bar for each class: how many of its pictures there are, how many may be taken, and how many are.
pub struct CountBars<'a> {
    pub title: &'a str,
    pub classes: &'a [String],
    pub total: &'a [usize],
    /// Drawn faintly.
    pub eligible: &'a [usize],
    /// Nothing where it is not known yet.
    pub taken: Option<&'a [usize]>,
    /// How many classes are listed.
    pub most: usize,
}

impl CountBars<'_> {
    fn words(&self, class: usize) -> String {
        let number = |counts: &[usize]| words::count(counts.get(class).copied().unwrap_or_default() as u64);
        match self.taken {
            Some(taken) => format!("{} of {}", number(taken), number(self.total)),
            None if self.eligible.get(class) == Some(&0) => "none".to_owned(),
            None => format!("up to {}", number(self.eligible)),
        }
    }

    pub fn show(self, ui: &mut Ui) -> Response {
        let t = theme::of(ui);
        let most = self.total.iter().copied().max().unwrap_or(0).max(1) as f32;
        let listed = self.total.len().min(self.most);
        let row = t.small * 1.5;
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), row * listed as f32), Sense::hover());
        let said = (0..listed).map(|class| format!("{} {}", words::class_name(self.classes, class), self.words(class)));
        let description = format!("{}: {}", self.title, said.collect::<Vec<_>>().join(", "));
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Figure, true, &description));
        let painter = ui.painter_at(rect);
        let font = egui::FontId::proportional(t.small);
        let (word_width, number_width) = ((rect.width() * 0.3).min(t.body * 8.0), t.small * 6.8);
        for class in 0..listed {
            let area = Rect::from_min_size(rect.min + vec2(0.0, row * class as f32), vec2(rect.width(), row));
            let name = words::class_name(self.classes, class);
            let clip = Rect::from_min_size(area.min, vec2(word_width - 6.0, row));
            painter.with_clip_rect(clip.intersect(painter.clip_rect())).text(
                area.left_center(),
                Align2::LEFT_CENTER,
                name,
                font.clone(),
                t.text,
            );
            let track = Rect::from_min_max(
                pos2(area.left() + word_width, area.center().y - t.small * 0.36),
                pos2(
                    (area.right() - number_width).max(area.left() + word_width + 8.0),
                    area.center().y + t.small * 0.36,
                ),
            );
            let radius = CornerRadius::same(3);
            let bar = |count: usize, least: f32, colour: Color32| {
                let mut filled = track;
                filled.set_width((track.width() * count as f32 / most).max(least));
                painter.rect_filled(filled, radius, colour);
            };
            bar(self.total[class], 2.0, t.line.gamma_multiply(0.5));
            bar(self.eligible[class], 0.0, t.attacked.gamma_multiply(0.28));
            if let Some(&taken) = self.taken.and_then(|taken| taken.get(class)) {
                bar(taken, if taken > 0 { 2.0 } else { 0.0 }, t.attacked);
            }
            painter.text(area.right_center(), Align2::RIGHT_CENTER, self.words(class), font.clone(), t.text);
        }
        response
    }
}
