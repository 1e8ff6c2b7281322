//! The outlines of the program's own letters, for drawings.

use crate::run::report::letters::Letters;
use skrifa::MetadataProvider;
use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};
use vello_cpu::kurbo::BezPath;

/// The outlines of a text that starts at the origin; y grows downwards.
pub fn outline(letters: &Letters, text: &str, size: f32) -> BezPath {
    let mut pen = Pen { path: BezPath::new(), x: 0.0 };
    let Some(font) = letters.font() else {
        return pen.path;
    };
    let outlines = font.outline_glyphs();
    for (_, glyph, advance) in letters.glyphs(text) {
        if let Some(outline) = outlines.get(glyph)
            && let Err(error) = outline.draw(DrawSettings::unhinted(Size::new(size), LocationRef::default()), &mut pen)
        {
            tracing::debug!("a letter cannot be drawn: {error}");
        }
        pen.x += f64::from(advance * size);
    }
    pen.path
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
        let bounds = outline(&letters, "ASR", 20.0).bounding_box();
        assert!(bounds.y0 < -10.0 && bounds.y1 < 2.0, "letters stand on the line: {bounds:?}");
        assert!(bounds.x1 <= f64::from(width) + 1.0);
        assert!(letters.width("\u{4e16}", 20.0) > 0.0, "a missing letter takes its place");
        assert!(Letters::new(true).width("ASR", 20.0) > width, "the strong cut is wider");
    }
}
