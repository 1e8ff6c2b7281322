//! Pages that fill from top to bottom: text that wraps, tables, pictures. Lengths are points; y grows downwards.

use super::letters::Letters;
use crate::run::event::Rgba;
use std::sync::Arc;

/// A4.
pub const WIDTH: f32 = 595.3;
pub const HEIGHT: f32 = 841.9;
const MARGIN: f32 = 60.0;
const BOTTOM: f32 = HEIGHT - 64.0;
/// Room between two columns or blocks.
pub const GAP: f32 = 10.0;
/// What text is written between.
pub const LEFT: f32 = MARGIN;
pub const COLUMN: f32 = WIDTH - 2.0 * MARGIN;
const LEADING: f32 = 1.38;

pub type Colour = [u8; 3];
pub const INK: Colour = [0x1c, 0x1e, 0x22];
pub const WEAK: Colour = [0x5b, 0x60, 0x69];
pub const RULE: Colour = [0xd9, 0xdc, 0xe1];

/// How letters look.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub size: f32,
    pub strong: bool,
    pub colour: Colour,
}

impl Style {
    pub const BODY: Self = Self { size: 10.0, strong: false, colour: INK };
    pub const STRONG: Self = Self { strong: true, ..Self::BODY };
    pub const SMALL: Self = Self { size: 8.5, strong: false, colour: WEAK };

    pub fn line(self) -> f32 {
        self.size * LEADING
    }
}

/// What is drawn.
#[derive(Debug, Clone)]
pub enum Mark {
    /// `y` is the line on which the letters stand.
    Text {
        x: f32,
        y: f32,
        text: String,
        style: Style,
    },
    Fill {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        colour: Colour,
    },
    Polygon {
        points: Vec<[f32; 2]>,
        colour: Colour,
    },
    Picture {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        picture: Arc<Rgba>,
    },
}

pub struct Sheet {
    pub pages: Vec<Vec<Mark>>,
    /// Where the next block begins.
    pub y: f32,
    letters: [Letters; 2],
}

impl Sheet {
    pub fn new() -> Self {
        Self { pages: vec![Vec::new()], y: MARGIN, letters: [Letters::new(false), Letters::new(true)] }
    }

    pub fn letters(&self, strong: bool) -> &Letters {
        &self.letters[usize::from(strong)]
    }

    pub fn mark(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.push(mark);
        }
    }

    /// Begins a new page unless so much is left on this one.
    pub fn need(&mut self, height: f32) {
        if self.y + height > BOTTOM && self.y > MARGIN {
            self.pages.push(Vec::new());
            self.y = MARGIN;
        }
    }

    pub fn space(&mut self, height: f32) {
        self.y += height;
    }

    /// One line at the left edge `x` whose top is `y`; nothing moves.
    pub fn put(&mut self, x: f32, y: f32, text: impl Into<String>, style: Style) {
        self.mark(Mark::Text { x, y: y + style.size * 1.05, text: text.into(), style });
    }

    /// A paragraph over the whole width.
    pub fn paragraph(&mut self, text: &str, style: Style) {
        self.paragraph_at(LEFT, COLUMN, text, style);
    }

    pub fn paragraph_at(&mut self, x: f32, width: f32, text: &str, style: Style) {
        for line in self.letters(style.strong).lines(text, style.size, width) {
            self.need(style.line());
            let y = self.y;
            self.put(x, y, line, style);
            self.y += style.line();
        }
    }

    pub fn heading(&mut self, text: &str) {
        self.space(16.0);
        self.need(80.0);
        self.paragraph(text, Style { size: 15.0, strong: true, colour: INK });
        self.space(4.0);
    }

    pub fn rule(&mut self) {
        let y = self.y;
        self.mark(Mark::Fill { x: LEFT, y, width: COLUMN, height: 0.7, colour: RULE });
    }

    /// Name and value in two columns; long values wrap.
    pub fn facts(&mut self, facts: &[(String, String)]) {
        const NAME: f32 = 116.0;
        for (name, value) in facts {
            let style = Style::BODY;
            let lines = self.letters(false).lines(value, style.size, COLUMN - NAME);
            self.need(style.line() * lines.len().min(3) as f32);
            let y = self.y;
            let name = self.letters(false).cut(name, style.size, NAME - GAP);
            self.put(LEFT, y, name, Style { colour: WEAK, ..style });
            self.paragraph_at(LEFT + NAME, COLUMN - NAME, value, style);
            self.y += 2.0;
        }
    }

    /// A picture with its caption below, as large as fits in `most` points of height.
    pub fn picture(&mut self, picture: &Arc<Rgba>, caption: &str, most: f32) {
        let (width, height) = (picture.width.max(1) as f32, picture.height.max(1) as f32);
        let scale = (COLUMN / width).min(most / height).min(1.5);
        let (width, height) = (width * scale, height * scale);
        let words = self.letters(false).lines(caption, Style::SMALL.size, COLUMN).len() as f32 * Style::SMALL.line();
        self.need(height + words + 14.0);
        self.space(6.0);
        let y = self.y;
        self.mark(Mark::Picture { x: LEFT, y, width, height, picture: picture.clone() });
        self.y += height + 4.0;
        self.paragraph(caption, Style::SMALL);
        self.space(4.0);
    }
}

impl Default for Sheet {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_goes_to_the_next_page_and_nothing_leaves_the_paper() {
        let mut sheet = Sheet::new();
        let picture = Arc::new(Rgba { width: 2000, height: 300, bytes: vec![0; 2000 * 300 * 4] });
        for _ in 0..12 {
            sheet.heading("Found");
            sheet.paragraph(&"A sentence that goes on. ".repeat(30), Style::BODY);
            sheet.facts(&[("name".into(), "a value ".repeat(40))]);
            sheet.picture(&picture, "A picture", 200.0);
        }
        assert!(sheet.pages.len() > 2);
        for mark in sheet.pages.iter().flatten() {
            let (right, bottom) = match mark {
                Mark::Text { x, y, text, style } => (x + sheet.letters(style.strong).width(text, style.size), *y),
                Mark::Fill { x, y, width, height, .. } | Mark::Picture { x, y, width, height, .. } => {
                    (x + width, y + height)
                }
                Mark::Polygon { points, .. } => (points[0][0], points[0][1]),
            };
            assert!(right <= WIDTH - MARGIN + 0.5 && bottom <= HEIGHT - 40.0, "{mark:?}");
        }
    }
}
