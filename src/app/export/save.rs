//! From an offer to a file.

use super::{Content, Format, Offer, layout, raster, svg};
use crate::experiment::{Problem, Result};
use crate::run::atomic::write_atomic;
use crate::run::event::Rgba;
use crate::run::report;
use std::io::Cursor;
use std::path::Path;

/// Writes an offer as a whole or not at all; missing folders are made.
///
/// `scale` enlarges PNGs. Fails where the file cannot be written or the format does not suit the content.
pub fn write(offer: &Offer, format: Format, scale: usize, caption: &str, path: &Path) -> Result<()> {
    if let (Content::Report(audited), Format::Pdf | Format::ReportFolder) = (&offer.content, format) {
        return report::write(audited, path).map(drop);
    }
    let bytes = match (&offer.content, format) {
        (Content::Table(table), Format::Csv) => table.csv().as_bytes().to_vec(),
        (Content::Text(text), Format::ClassFile) => text.as_bytes().to_vec(),
        (Content::Figure(figure), Format::Csv) => figure.table().csv().as_bytes().to_vec(),
        (Content::Figure(figure), Format::Svg) => svg::svg(&layout::draw(figure, caption), &figure.title).into_bytes(),
        (Content::Figure(figure), Format::Png) => png(&raster::raster(&layout::draw(figure, caption), scale as f32))?,
        (Content::Picture(rgba), Format::Png) => png(&enlarged(rgba, scale))?,
        _ => {
            return Err(Problem::internal(format!("“{}” cannot be saved as {}.", offer.title, format.name())));
        }
    };
    write_atomic(path, &bytes)
}

/// How a figure will look, at its natural size; nothing for what needs no drawing.
pub fn preview(offer: &Offer, caption: &str) -> Option<Rgba> {
    match &offer.content {
        Content::Figure(figure) => Some(raster::raster(&layout::draw(figure, caption), 1.0)),
        _ => None,
    }
}

fn png(rgba: &Rgba) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    let (width, height) = (rgba.width as u32, rgba.height as u32);
    image::write_buffer_with_format(
        &mut bytes,
        &rgba.bytes,
        width,
        height,
        image::ExtendedColorType::Rgba8,
        image::ImageFormat::Png,
    )
    .map_err(|error| Problem::internal("This picture cannot be written as PNG.").because(error))?;
    Ok(bytes.into_inner())
}

/// Every pixel becomes a square of pixels.
fn enlarged(rgba: &Rgba, scale: usize) -> Rgba {
    let scale = scale.max(1);
    let (width, height) = (rgba.width * scale, rgba.height * scale);
    let mut bytes = Vec::with_capacity(width * height * 4);
    for y in 0..height {
        for x in 0..width {
            let at = (y / scale * rgba.width + x / scale) * 4;
            bytes.extend_from_slice(&rgba.bytes[at..at + 4]);
        }
    }
    Rgba { width, height, bytes }
}
