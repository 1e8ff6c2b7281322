//! The program's own letters: how wide a text is, and where its lines break.

use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, GlyphId, MetadataProvider};

/// The two cuts, regular and strong; under the SIL Open Font Licence, beside them in `assets/fonts`.
pub const FONT_FILES: [&[u8]; 2] = [
    include_bytes!("../../../assets/fonts/AtkinsonHyperlegibleNext-Regular.ttf"),
    include_bytes!("../../../assets/fonts/AtkinsonHyperlegibleNext-SemiBold.ttf"),
];

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

    /// The font itself, for its outlines; nothing where it is damaged.
    pub fn font(&self) -> Option<&FontRef<'static>> {
        self.font.as_ref()
    }

    /// Every letter with its glyph and advance in ems; a letter that the font lacks takes its place as an empty box.
    pub fn glyphs(&self, text: &str) -> Vec<(char, GlyphId, f32)> {
        let Some(font) = &self.font else { return Vec::new() };
        let letters = font.charmap();
        // In the font's own units: at a size of one point advances are rounded to 64ths of it.
        let metrics = font.glyph_metrics(Size::unscaled(), LocationRef::default());
        let em = f32::from(font.metrics(Size::unscaled(), LocationRef::default()).units_per_em.max(1));
        let glyph = |letter: char| {
            let glyph = letters.map(letter).unwrap_or(GlyphId::NOTDEF);
            (letter, glyph, metrics.advance_width(glyph).map_or(0.5, |advance| advance / em))
        };
        text.chars().map(glyph).collect()
    }

    /// How far letters reach above and below their line, and how high capitals are, in ems.
    pub fn heights(&self) -> (f32, f32, f32) {
        let Some(font) = &self.font else { return (1.0, -0.25, 0.7) };
        let metrics = font.metrics(Size::new(1.0), LocationRef::default());
        (metrics.ascent, metrics.descent, metrics.cap_height.unwrap_or(0.7))
    }

    /// Width of a text in points.
    pub fn width(&self, text: &str, size: f32) -> f32 {
        self.glyphs(text).iter().map(|(_, _, advance)| advance * size).sum()
    }

    /// Lines no wider than `width`; a word that is wider is broken where it must be.
    pub fn lines(&self, text: &str, size: f32, width: f32) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = String::new();
        for word in text.split_whitespace() {
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if self.width(&longer, size) <= width {
                line = longer;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for letter in word.chars() {
                line.push(letter);
                if self.width(&line, size) > width && line.chars().count() > 1 {
                    line.pop();
                    lines.push(std::mem::replace(&mut line, letter.to_string()));
                }
            }
        }
        if !line.is_empty() || lines.is_empty() {
            lines.push(line);
        }
        lines
    }

    /// As much of a text as fits, with an ellipsis where something is left out.
    pub fn cut(&self, text: &str, size: f32, width: f32) -> String {
        if self.width(text, size) <= width {
            return text.to_owned();
        }
        let mut cut: Vec<char> = text.chars().collect();
        while cut.pop().is_some() {
            let shorter: String = cut.iter().chain(['…'].iter()).collect();
            if self.width(&shorter, size) <= width {
                return shorter;
            }
        }
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_to_the_width_and_lose_no_letter() {
        let letters = Letters::new(false);
        let text = "Ordinary words, and one/very/long/path/without/any/space/in/it/at/all.safetensors at the end";
        let lines = letters.lines(text, 10.0, 120.0);
        assert!(lines.len() > 3 && lines.iter().all(|line| letters.width(line, 10.0) <= 120.0), "{lines:?}");
        let bare = |text: &str| text.replace(' ', "");
        assert_eq!(bare(&lines.concat()), bare(text));
        assert_eq!(letters.lines("", 10.0, 100.0), [""]);
        let cut = letters.cut(text, 10.0, 60.0);
        assert!(cut.ends_with('…') && letters.width(&cut, 10.0) <= 60.0);
    }
}
