//! Pages as a PDF file, with the letters in it and text that can be searched and copied.

use super::letters::{FONT_FILES, Letters};
use super::sheet::{Colour, HEIGHT, Mark, WIDTH};
use crate::experiment::{Problem, Result};
use crate::run::event::Rgba;
use flate2::{Compression, write::ZlibEncoder};
use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

const FONTS: [Name<'_>; 2] = [Name(b"Regular"), Name(b"Strong")];
const FONT_NAMES: [Name<'_>; 2] =
    [Name(b"AtkinsonHyperlegibleNext-Regular"), Name(b"AtkinsonHyperlegibleNext-SemiBold")];
/// Letters are numbered as in the font file.
const GLYPH_NUMBERS: SystemInfo<'_> = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

/// A document of these pages.
///
/// # Errors
/// Only what would be a mistake of this program.
pub fn document(title: &str, pages: &[Vec<Mark>]) -> Result<Vec<u8>> {
    let mut pdf = Pdf::new();
    let mut next = 0;
    let mut fresh = || {
        next += 1;
        Ref::new(next)
    };
    let (catalog, tree, info) = (fresh(), fresh(), fresh());
    let letters = [Letters::new(false), Letters::new(true)];
    let fonts = [(); 2].map(|()| fresh());
    for (strong, letters) in letters.iter().enumerate() {
        let parts = [(); 4].map(|()| fresh());
        font(&mut pdf, letters, strong, fonts[strong], parts, &used(pages, letters, strong == 1))?;
    }
    let mut kids = Vec::new();
    for marks in pages {
        let (page, contents) = (fresh(), fresh());
        let mut drawing = Content::new();
        let mut images = Vec::new();
        for mark in marks {
            draw(&mut drawing, mark, &letters, &mut images);
        }
        let drawing = deflated(drawing.finish().as_slice())?;
        pdf.stream(contents, &drawing).filter(Filter::FlateDecode);
        let images: Vec<(String, Ref, Arc<Rgba>)> =
            images.into_iter().map(|(name, picture)| (name, fresh(), picture)).collect();
        for (_, id, picture) in &images {
            image(&mut pdf, *id, picture)?;
        }
        let mut sheet = pdf.page(page);
        sheet.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(tree).contents(contents);
        let mut resources = sheet.resources();
        resources.fonts().pairs(FONTS.into_iter().zip(fonts));
        resources.x_objects().pairs(images.iter().map(|(name, id, _)| (Name(name.as_bytes()), *id)));
        resources.finish();
        sheet.finish();
        kids.push(page);
    }
    pdf.pages(tree).count(kids.len() as i32).kids(kids);
    pdf.catalog(catalog).pages(tree).lang(TextStr("en"));
    let program = format!("Polariscope {}", env!("CARGO_PKG_VERSION"));
    pdf.document_info(info).title(TextStr(title)).creator(TextStr(&program)).producer(TextStr(&program));
    Ok(pdf.finish())
}

/// Glyphs that stand on the pages, with their letters and widths in ems.
fn used(pages: &[Vec<Mark>], letters: &Letters, strong: bool) -> BTreeMap<u16, (char, f32)> {
    let mut used = BTreeMap::new();
    for mark in pages.iter().flatten() {
        if let Mark::Text { text, style, .. } = mark
            && style.strong == strong
        {
            for (letter, glyph, advance) in letters.glyphs(text) {
                used.entry(glyph.to_u32() as u16).or_insert((letter, advance));
            }
        }
    }
    used
}

/// One cut of the font, whole, with the widths of the letters that are used and what they mean.
fn font(
    pdf: &mut Pdf,
    letters: &Letters,
    strong: usize,
    id: Ref,
    [inner, descriptor, file, meaning]: [Ref; 4],
    used: &BTreeMap<u16, (char, f32)>,
) -> Result<()> {
    let name = FONT_NAMES[strong];
    let mut outer = pdf.type0_font(id);
    outer.base_font(name).encoding_predefined(Name(b"Identity-H")).descendant_font(inner).to_unicode(meaning);
    outer.finish();
    let mut inside = pdf.cid_font(inner);
    inside.subtype(CidFontType::Type2).base_font(name).system_info(GLYPH_NUMBERS).font_descriptor(descriptor);
    inside.default_width(0.0).cid_to_gid_map_predefined(Name(b"Identity"));
    let mut widths = inside.widths();
    for (&glyph, &(_, advance)) in used {
        widths.same(glyph, glyph, 1000.0 * advance);
    }
    widths.finish();
    inside.finish();
    let (ascent, descent, capitals) = letters.heights();
    let mut about = pdf.font_descriptor(descriptor);
    about.name(name).flags(FontFlags::NON_SYMBOLIC).italic_angle(0.0).stem_v(if strong == 1 { 120.0 } else { 80.0 });
    about.bbox(Rect::new(-500.0, 1000.0 * descent, 2000.0, 1000.0 * ascent));
    about.ascent(1000.0 * ascent).descent(1000.0 * descent).cap_height(1000.0 * capitals).font_file2(file);
    about.finish();
    let bytes = FONT_FILES[strong];
    let packed = deflated(bytes)?;
    pdf.stream(file, &packed).filter(Filter::FlateDecode).pair(Name(b"Length1"), bytes.len() as i32);
    let mut meanings = UnicodeCmap::new(Name(b"Letters"), GLYPH_NUMBERS);
    for (&glyph, &(letter, _)) in used {
        meanings.pair(glyph, letter);
    }
    pdf.cmap(meaning, meanings.finish().as_slice());
    Ok(())
}

/// Red, green and blue on white paper: what was transparent is white.
fn image(pdf: &mut Pdf, id: Ref, picture: &Rgba) -> Result<()> {
    let on_white = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        ((value * alpha + 255 * (255 - alpha)) / 255) as u8
    };
    let rgb: Vec<u8> =
        picture.bytes.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]].map(|value| on_white(value, p[3]))).collect();
    let packed = deflated(&rgb)?;
    let mut image = pdf.image_xobject(id, &packed);
    image.filter(Filter::FlateDecode);
    image.width(picture.width as i32).height(picture.height as i32);
    image.color_space().device_rgb();
    image.bits_per_component(8);
    image.finish();
    Ok(())
}

/// On paper y grows upwards.
fn draw(drawing: &mut Content, mark: &Mark, letters: &[Letters; 2], images: &mut Vec<(String, Arc<Rgba>)>) {
    match mark {
        Mark::Text { x, y, text, style } => {
            let glyphs = letters[usize::from(style.strong)].glyphs(text);
            let numbers: Vec<u8> =
                glyphs.iter().flat_map(|(_, glyph, _)| (glyph.to_u32() as u16).to_be_bytes()).collect();
            colour(drawing, style.colour);
            drawing.begin_text().set_font(FONTS[usize::from(style.strong)], style.size);
            drawing.next_line(*x, HEIGHT - y).show(Str(&numbers)).end_text();
        }
        Mark::Fill { x, y, width, height, colour: fill } => {
            colour(drawing, *fill);
            drawing.rect(*x, HEIGHT - y - height, *width, *height).fill_nonzero();
        }
        Mark::Polygon { points, colour: fill } => {
            colour(drawing, *fill);
            for (at, [x, y]) in points.iter().enumerate() {
                if at == 0 {
                    drawing.move_to(*x, HEIGHT - y)
                } else {
                    drawing.line_to(*x, HEIGHT - y)
                };
            }
            drawing.close_path().fill_nonzero();
        }
        Mark::Picture { x, y, width, height, picture } => {
            if !picture.is_whole() {
                return;
            }
            let name = format!("Picture{}", images.len());
            drawing.save_state().transform([*width, 0.0, 0.0, *height, *x, HEIGHT - y - height]);
            drawing.x_object(Name(name.as_bytes())).restore_state();
            images.push((name, picture.clone()));
        }
    }
}

fn colour(drawing: &mut Content, colour: Colour) {
    let [r, g, b] = colour.map(|value| f32::from(value) / 255.0);
    drawing.set_fill_rgb(r, g, b);
}

fn deflated(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    packed.map_err(|error| Problem::internal("The report cannot be written as PDF.").because(error))
}
