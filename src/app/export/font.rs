//! The window's own letters, for drawings: how wide a text is, and its outlines.

use crate::app::theme::FONT_FILES;
use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::{FontRef, GlyphId, MetadataProvider};
use vello_cpu::kurbo::BezPath;

/// One of the two cuts.
pub struct Letters {
    font: Option<FontRef<'static>>,
}

impl Letters {
    pub fn new(strong: bool) -> Self {
        let file = FONT_FILES[usize::from(strong)];
        let font =
            FontRef::new(file).inspect_err(|error| tracing::error!("the built-in font is damaged: {error}")).ok();
        Self { font }
    }

    /// Width of a text in points.
    pub fn width(&self, text: &str, size: f32) -> f32 {
        self.glyphs(text, size).into_iter().map(|(_, advance)| advance).sum()
    }

    /// The outlines of a text that starts at the origin; y grows downwards.
    pub fn outline(&self, text: &str, size: f32) -> BezPath {
        let mut pen = Pen { path: BezPath::new(), x: 0.0 };
        let Some(font) = &self.font else {
            return pen.path;
        };
        let outlines = font.outline_glyphs();
        for (glyph, advance) in self.glyphs(text, size) {
            if let Some(outline) = outlines.get(glyph)
                && let Err(error) =
                    outline.draw(DrawSettings::unhinted(Size::new(size), LocationRef::default()), &mut pen)
            {
                tracing::debug!("a letter cannot be drawn: {error}");
            }
            pen.x += f64::from(advance);
        }
        pen.path
    }

    /// Glyphs with their advances. A letter that the font lacks shows as the font's empty box.
    fn glyphs(&self, text: &str, size: f32) -> Vec<(GlyphId, f32)> {
        let Some(font) = &self.font else {
            return Vec::new();
        };
        let letters = font.charmap();
        let metrics = font.glyph_metrics(Size::new(size), LocationRef::default());
        let glyph = |letter: char| {
            let glyph = letters.map(letter).unwrap_or(GlyphId::NOTDEF);
            (glyph, metrics.advance_width(glyph).unwrap_or(size * 0.5))
        };
        text.chars().map(glyph).collect()
    }
}

struct Pen {
    path: BezPath,
    /// Where the current letter starts.
    x: f64,
}

impl Pen {
    fn at(&self, x: f32, y: f32) -> (f64, f64) {
        (self.x + f64::from(x), -f64::from(y))
    }
}

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.at(x, y));
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.at(x, y));
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        self.path.quad_to(self.at(cx, cy), self.at(x, y));
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        self.path.curve_to(self.at(cx0, cy0), self.at(cx1, cy1), self.at(x, y));
    }

    fn close(&mut self) {
        self.path.close_path();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vello_cpu::kurbo::Shape;

    #[test]
    fn letters_have_widths_and_outlines() {
        let letters = Letters::new(false);
        let width = letters.width("ASR", 20.0);
        assert!((20.0..60.0).contains(&width), "{width}");
        assert!((letters.width("ASR", 40.0) - 2.0 * width).abs() < 0.01);
        let bounds = letters.outline("ASR", 20.0).bounding_box();
        assert!(bounds.y0 < -10.0 && bounds.y1 < 2.0, "letters stand on the line: {bounds:?}");
        assert!(bounds.x1 <= f64::from(width) + 1.0);
        assert!(letters.width("\u{4e16}", 20.0) > 0.0, "a missing letter takes its place");
        assert!(Letters::new(true).width("ASR", 20.0) > width, "the strong cut is wider");
    }
}
