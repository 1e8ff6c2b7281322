//! Pictures for people: contact sheets, residuals, heat maps, PNG bytes.

use super::augment::to_u8;
use super::rgba_from_pixels;
use crate::experiment::{Problem, Result};
use crate::run::event::Rgba;
use crate::run::job::Job;
use tch::{Kind, Tensor};

/// 128 + k (poisoned - clean) and the k that makes the largest change 100 grey levels.
pub fn residual(clean: &Tensor, poisoned: &Tensor) -> (Tensor, f32) {
    let change = poisoned.to_kind(Kind::Float) - clean.to_kind(Kind::Float);
    let largest = change.abs().max().double_value(&[]);
    let k = if largest > 0.0 { 100.0 / largest } else { 1.0 };
    (to_u8(&(change * k + 128.0)), k as f32)
}

/// Rows of pictures under each other: every entry is u8 `[N, 3, H, W]`; enlarged by a whole factor, with a gap.
pub fn sheet(rows: &[Tensor], factor: i64) -> Result<Rgba> {
    const GAP: i64 = 4;
    let lines: Vec<Tensor> = rows
        .iter()
        .map(|row| {
            let big = row.repeat_interleave_self_int(factor, 2, None).repeat_interleave_self_int(factor, 3, None);
            let padded = pad_white(&big, GAP);
            let parts: Vec<Tensor> = (0..padded.size()[0]).map(|n| padded.get(n)).collect();
            Tensor::cat(&parts, 2)
        })
        .collect();
    rgba_from_pixels(&Tensor::cat(&lines, 1))
}

/// u8 `[N, 3, H, W]` with an orange frame of two pixels around those that are marked, and a grey one around the others.
pub fn framed(pictures: &Tensor, marked: &[bool]) -> Tensor {
    let size = pictures.size();
    let (height, width) = (size[2] + 4, size[3] + 4);
    let colors = marked.iter().flat_map(|&marked| if marked { [230u8, 97, 1] } else { [200; 3] }).collect::<Vec<_>>();
    let frame = Tensor::from_slice(&colors).view([size[0], 3, 1, 1]).repeat([1, 1, height, width]);
    frame.narrow(2, 2, size[2]).narrow(3, 2, size[3]).copy_(pictures);
    frame
}

fn pad_white(pictures: &Tensor, gap: i64) -> Tensor {
    (pictures.bitwise_not()).constant_pad_nd([gap, gap, gap, gap]).bitwise_not()
}

/// Beyond this many classes a matrix of them cannot be read.
pub const MOST_CLASSES: i64 = 128;

/// A signed matrix as a picture: white is zero, orange positive, purple negative (ColorBrewer PuOr).
pub fn heat_map(matrix: &Tensor) -> Result<Rgba> {
    let matrix = matrix.to_kind(Kind::Float);
    let largest = matrix.abs().max().double_value(&[]).max(1e-12);
    let share = matrix / largest;
    let channel = |positive: f64, negative: f64| {
        let up = share.clamp_min(0.0) * (255.0 - positive);
        let down = share.clamp_max(0.0) * (255.0 - negative);
        255.0 - up + down
    };
    let [rows, columns] = [share.size()[0], share.size()[1]];
    // Orange (230, 97, 1), purple (94, 60, 153).
    let picture = Tensor::stack(&[channel(230.0, 94.0), channel(97.0, 60.0), channel(1.0, 153.0)], 0);
    let factor = (512 / rows.max(columns)).max(1);
    let big = to_u8(&picture)
        .view([3, rows, columns])
        .repeat_interleave_self_int(factor, 1, None)
        .repeat_interleave_self_int(factor, 2, None);
    rgba_from_pixels(&big)
}

/// Most bars side by side; of more values every second, third and so on is drawn.
const MOST_BARS: usize = 1024;
/// Height of a chart of bars, and the width that its bars share, in pixels.
const BAR_HEIGHT: usize = 180;
const BARS_WIDTH: usize = 720;

/// A chart of bars on a common zero, purple, the marked ones orange.
pub fn bars(values: &[f32], marked: impl Fn(usize) -> bool) -> Rgba {
    let count = values.len().clamp(1, MOST_BARS);
    let place = (BARS_WIDTH / count).clamp(1, 48);
    let gap = usize::from(place > 2);
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let (high, low) = (finite().fold(0.0, f32::max), finite().fold(0.0, f32::min));
    let scale = (BAR_HEIGHT - 1) as f32 / (high - low).max(1e-12);
    let row = |value: f32| ((high - value) * scale).round() as usize;
    let (width, height) = (count * place, BAR_HEIGHT);
    let mut bytes = vec![255; width * height * 4];
    for column in 0..count {
        let index = column * values.len() / count;
        let Some(&value) = values.get(index).filter(|value| value.is_finite()) else { continue };
        let colour = if marked(index) { [230, 97, 1] } else { [94, 60, 153] };
        for y in row(value.max(0.0))..=row(value.min(0.0)) {
            for x in column * place..(column + 1) * place - gap {
                bytes[(y * width + x) * 4..][..3].copy_from_slice(&colour);
            }
        }
    }
    Rgba { width, height, bytes }
}

/// Saves a picture as `{key}.png` in the run folder and shows it while the job works.
pub fn keep(job: &mut Job, key: &str, caption: &str, picture: Rgba) -> Result<()> {
    job.save_image(&format!("{key}.png"), caption, &png(&picture)?)?;
    job.show(key, caption, picture);
    Ok(())
}

/// A whole factor that brings small pictures to a size that can be seen.
pub fn factor_for(side: i64) -> i64 {
    (112 / side.max(1)).max(1)
}

/// u8 `[C, H, W]` as a PNG file without transparency: grey for one channel, else red, green and blue.
pub fn plain_png(pixels: &Tensor) -> Result<Vec<u8>> {
    use image::ImageEncoder;
    let cannot = |e: &dyn std::fmt::Display| Problem::internal("Cannot encode a picture.").because(e);
    let size = pixels.size();
    let colour = if size[0] == 1 { image::ExtendedColorType::L8 } else { image::ExtendedColorType::Rgb8 };
    let bytes: Vec<u8> = super::values(&pixels.permute([1, 2, 0]))?;
    let mut file = Vec::new();
    image::codecs::png::PngEncoder::new(&mut file)
        .write_image(&bytes, size[2] as u32, size[1] as u32, colour)
        .map_err(|e| cannot(&e))?;
    Ok(file)
}

/// The picture as a PNG file.
pub fn png(picture: &Rgba) -> Result<Vec<u8>> {
    use image::ImageEncoder;
    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new(&mut bytes)
        .write_image(&picture.bytes, picture.width as u32, picture.height as u32, image::ExtendedColorType::Rgba8)
        .map_err(|e| Problem::internal("Cannot encode a picture.").because(e))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    #[test]
    fn sheets_have_the_size_of_their_parts_and_white_gaps() {
        let black = Tensor::zeros([2, 3, 5, 7], (Kind::Uint8, Device::Cpu));
        let sheet = sheet(&[black.shallow_clone(), black], 3).unwrap();
        assert_eq!((sheet.width, sheet.height), (2 * (7 * 3 + 8), 2 * (5 * 3 + 8)));
        assert_eq!(sheet.bytes[..4], [255; 4]);
        let middle = 4 * ((4 + 3) * sheet.width + 4 + 3);
        assert_eq!(sheet.bytes[middle..middle + 4], [0, 0, 0, 255]);
        assert!(png(&sheet).unwrap().starts_with(b"\x89PNG"));
    }

    #[test]
    fn residuals_are_grey_where_nothing_changed() {
        let clean = Tensor::full([1, 3, 2, 2], 100, (Kind::Uint8, Device::Cpu));
        let mut poisoned = clean.copy();
        let _ = poisoned.narrow(3, 1, 1).fill_(150);
        poisoned = poisoned.contiguous();
        let (residual, k) = residual(&clean, &poisoned);
        assert_eq!(k, 2.0);
        assert_eq!(residual.int64_value(&[0, 0, 0, 0]), 128);
        assert_eq!(residual.int64_value(&[0, 0, 0, 1]), 228);
    }

    #[test]
    fn bars_stand_on_zero_and_the_marked_ones_are_orange() {
        let chart = bars(&[1.0, -1.0, 0.5], |index| index == 2);
        let at = |column: usize, y: usize| {
            let x = column * chart.width / 3 + 4;
            [0, 1, 2].map(|part| chart.bytes[(y * chart.width + x) * 4 + part])
        };
        let (purple, orange, white) = ([94, 60, 153], [230, 97, 1], [255; 3]);
        assert_eq!([at(0, 0), at(1, 0), at(2, 0)], [purple, white, white]);
        assert_eq!([at(0, 80), at(1, 80), at(2, 80)], [purple, white, orange]);
        assert_eq!([at(0, 179), at(1, 179), at(2, 179)], [white, purple, white]);
        // More values than there is room for, none, and one that is no number.
        assert_eq!(bars(&[1.0; 5000], |_| false).width, MOST_BARS);
        assert_eq!(bars(&[], |_| false).height, BAR_HEIGHT);
        assert_eq!(bars(&[f32::NAN, 1.0], |_| false).bytes[..3], [255; 3]);
    }

    #[test]
    fn heat_maps_are_white_at_zero() {
        let map = heat_map(&Tensor::from_slice(&[0.0f32, 1.0, -1.0, 0.0]).view([2, 2])).unwrap();
        assert_eq!(map.bytes[..3], [255, 255, 255]);
        let right = 4 * (map.width - 1);
        assert_eq!(map.bytes[right..right + 3], [230, 97, 1]);
    }
}
