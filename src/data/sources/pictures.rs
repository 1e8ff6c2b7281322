//! Encoded pictures to pixels: in parallel, at one size, with one resampler.

use crate::experiment::{Problem, Result};
use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, ImageReader, Limits, Luma, RgbImage};
use jpeg_decoder::PixelFormat;
use std::borrow::Cow;
use std::io::Cursor;

/// Larger pictures are taken for decompression bombs.
const LONGEST_SIDE: u32 = 16_384;
const MOST_BYTES: u64 = 256 << 20;
/// Files that hold one picture are not read beyond this.
pub(super) const LARGEST_FILE: u64 = 256 << 20;
/// A thread is worth its start from this many rows on.
const ROWS_PER_THREAD: usize = 32;

/// Triangle filter over the whole footprint: what PIL calls bilinear (with antialiasing).
const RESAMPLER: FilterType = FilterType::Triangle;

/// Pictures that could be decoded, and why the others could not.
#[derive(Debug)]
pub(super) struct Decoded {
    /// `[N, 3, height, width]` of the pictures that could be decoded.
    pub pixels: Vec<u8>,
    /// Index and reason, in order.
    pub failures: Vec<(usize, String)>,
    /// Whether any picture has colours.
    pub colour: bool,
}

fn reader(bytes: &[u8]) -> std::result::Result<ImageReader<Cursor<&[u8]>>, String> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    if reader.format().is_none() {
        return Err("not a picture of a known format".to_owned());
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    Ok(reader)
}

/// Height and width, from the picture's header alone.
pub(super) fn size(bytes: &[u8]) -> std::result::Result<(usize, usize), String> {
    let (width, height) = reader(bytes)?.into_dimensions().map_err(|e| e.to_string())?;
    if width == 0 || height == 0 {
        return Err("a picture without pixels".to_owned());
    }
    Ok((height as usize, width as usize))
}

/// JPEG as libjpeg (PIL, torchvision) decodes it, but for one value in ten that differs by a level or two.
///
/// The decoder inside `image` rounds chroma up twice: pictures come out a third of a grey level too blue, which changes
/// one prediction in 500. Nothing for rare pixel formats, which are left to `image`.
fn decode_jpeg(bytes: &[u8]) -> std::result::Result<Option<DynamicImage>, String> {
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    decoder.set_max_decoding_buffer_size(MOST_BYTES as usize);
    let pixels = decoder.decode().map_err(|e| e.to_string())?;
    let Some(info) = decoder.info() else { return Ok(None) };
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    Ok(match info.pixel_format {
        PixelFormat::L8 => GrayImage::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8),
        PixelFormat::RGB24 => RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8),
        PixelFormat::L16 | PixelFormat::CMYK32 => None,
    })
}

pub(super) fn decode(bytes: &[u8]) -> std::result::Result<DynamicImage, String> {
    let reader = reader(bytes)?;
    if reader.format() == Some(ImageFormat::Jpeg)
        && let Some(picture) = decode_jpeg(bytes)?
    {
        return Ok(picture);
    }
    reader.decode().map_err(|e| e.to_string())
}

/// Decodes into three planes of `height x width`; tells whether the picture has colours.
fn decode_into(bytes: &[u8], (height, width): (usize, usize), out: &mut [u8]) -> std::result::Result<bool, String> {
    let picture = decode(bytes)?;
    let colour = picture.color().has_color();
    if picture.width() == 0 || picture.height() == 0 {
        return Err("a picture without pixels".to_owned());
    }
    fill_planes(picture, (height, width), out);
    Ok(colour)
}

/// Red, green and blue as three planes of `height x width`.
fn fill_planes(picture: DynamicImage, (height, width): (usize, usize), out: &mut [u8]) {
    let mut rgb = picture.into_rgb8();
    if (rgb.height() as usize, rgb.width() as usize) != (height, width) {
        rgb = imageops::resize(&rgb, width as u32, height as u32, RESAMPLER);
    }
    let area = height * width;
    for (index, pixel) in rgb.as_raw().chunks_exact(3).enumerate() {
        for (channel, &value) in pixel.iter().enumerate() {
            out[channel * area + index] = value;
        }
    }
}

/// One picture as three planes of `height x width`.
pub(super) fn planes(picture: DynamicImage, height: usize, width: usize) -> Vec<u8> {
    let mut planes = vec![0; 3 * height * width];
    fill_planes(picture, (height, width), &mut planes);
    planes
}

/// Decodes all `items`, whose bytes `load` brings, to pictures of `size` (height, width).
pub(super) fn decode_all<'a, T: Sync>(
    items: &'a [T],
    size: (usize, usize),
    load: impl Fn(&'a T) -> std::result::Result<Cow<'a, [u8]>, String> + Sync,
) -> Result<Decoded> {
    let each = 3 * size.0 * size.1;
    let mut pixels = vec![0; items.len() * each];
    let outcomes = for_rows(&mut pixels, each, |index, out| decode_into(&load(&items[index])?, size, out))?;
    let mut decoded = Decoded { pixels, failures: Vec::new(), colour: false };
    let mut kept = 0;
    for (index, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(colour) => {
                decoded.colour |= colour;
                decoded.pixels.copy_within(index * each..(index + 1) * each, kept * each);
                kept += 1;
            }
            Err(reason) => decoded.failures.push((index, reason)),
        }
    }
    decoded.pixels.truncate(kept * each);
    Ok(decoded)
}

/// One plane of three, for pictures without colours: `[N, 3, area]` becomes `[N, 1, area]`.
pub(super) fn first_planes(pixels: &[u8], area: usize) -> Vec<u8> {
    pixels.chunks_exact(area).step_by(3).flatten().copied().collect()
}

/// Resamples one plane; sizes are (height, width), and the slices have those sizes.
pub(super) fn resize_plane(from: &[u8], from_size: (usize, usize), to: &mut [u8], to_size: (usize, usize)) {
    if let Some(plane) = ImageBuffer::<Luma<u8>, _>::from_raw(from_size.1 as u32, from_size.0 as u32, from) {
        to.copy_from_slice(&imageops::resize(&plane, to_size.1 as u32, to_size.0 as u32, RESAMPLER));
    }
}

/// Calls `work(row, bytes)` for every `each` bytes of `out`, on all cores; the results come in row order.
pub(super) fn for_rows<R: Send>(
    out: &mut [u8],
    each: usize,
    work: impl Fn(usize, &mut [u8]) -> R + Sync,
) -> Result<Vec<R>> {
    let rows = out.len() / each.max(1);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(rows / ROWS_PER_THREAD).max(1);
    let block = rows.div_ceil(threads).max(1);
    let work = &work;
    std::thread::scope(|scope| {
        let mut handles = Vec::new();
        for (index, bytes) in out.chunks_mut(block * each.max(1)).enumerate() {
            let run = move || {
                let rows = bytes.chunks_exact_mut(each.max(1)).enumerate();
                rows.map(|(row, bytes)| work(index * block + row, bytes)).collect::<Vec<R>>()
            };
            let thread = std::thread::Builder::new().name(format!("pictures-{index}"));
            handles.push(
                thread.spawn_scoped(scope, run).map_err(|e| Problem::internal("Cannot start a thread.").because(e))?,
            );
        }
        let mut results = Vec::with_capacity(rows);
        for handle in handles {
            results.extend(handle.join().ok().ok_or_else(|| Problem::internal("A picture could not be processed."))?);
        }
        Ok(results)
    })
}

/// Words for pictures that were left out: the first few by name, the others by number.
pub(super) fn failure_notes(failures: &[(String, String)]) -> Vec<String> {
    const SHOWN: usize = 20;
    let mut notes: Vec<String> =
        failures.iter().take(SHOWN).map(|(place, reason)| format!("Left out: {place}: {reason}")).collect();
    if failures.len() > SHOWN {
        notes.push(format!("Left out: {} more pictures that cannot be read", failures.len() - SHOWN));
    }
    notes
}

/// A few damaged pictures are left out with a note; when most are damaged, something else is wrong.
pub(super) fn check_failures(failures: &[(String, String)], pictures: usize) -> Result<()> {
    if failures.len() * 2 <= pictures && pictures > 0 {
        return Ok(());
    }
    let mut problem = Problem::bad_file(format!("{} of {pictures} pictures cannot be read.", failures.len()));
    for (place, reason) in failures.iter().take(3) {
        problem = problem.because(format!("{place}: {reason}"));
    }
    Err(problem.remedy("Download or copy the data set again."))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::sources::testing;
    use image::Rgb;
    use proptest::prelude::*;

    /// A picture of one colour.
    fn encoded(format: ImageFormat, colour: [u8; 3], height: u32, width: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        RgbImage::from_pixel(width, height, Rgb(colour)).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    pub fn png(colour: [u8; 3], height: u32, width: u32) -> Vec<u8> {
        encoded(ImageFormat::Png, colour, height, width)
    }

    pub fn grey_png(value: u8, height: u32, width: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        GrayImage::from_pixel(width, height, Luma([value])).write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    fn decode_items(items: &[Vec<u8>], size: (usize, usize)) -> Decoded {
        decode_all(items, size, |bytes| Ok(Cow::Borrowed(bytes))).unwrap()
    }

    #[test]
    fn pictures_become_planes_and_bad_ones_are_left_out() {
        let items = [png([1, 2, 3], 2, 1), b"not a picture".to_vec(), png([7, 8, 9], 4, 2)];
        let decoded = decode_items(&items, (2, 1));
        assert_eq!(decoded.pixels, [1, 1, 2, 2, 3, 3, 7, 7, 8, 8, 9, 9]);
        assert_eq!(decoded.failures, [(1, "not a picture of a known format".to_owned())]);
        assert!(decoded.colour);
        assert!(!decode_items(&[grey_png(5, 3, 3)], (3, 3)).colour);
    }

    #[test]
    fn many_pictures_keep_their_order_over_threads() {
        let items: Vec<Vec<u8>> = (0..200).map(|value| grey_png(value, 1, 1)).collect();
        let expected: Vec<u8> = (0..200).collect();
        assert_eq!(first_planes(&decode_items(&items, (1, 1)).pixels, 1), expected);
    }

    #[test]
    fn the_header_tells_the_size_and_bombs_are_refused() {
        assert_eq!(size(&png([0; 3], 3, 5)).unwrap(), (3, 5));
        let bomb = b"P6 4000000000 4000000000 255\n";
        assert_eq!(decode_items(&[bomb.to_vec()], (1, 1)).failures.len(), 1);
        let wide = b"P6 20000 20000 255\n";
        assert_eq!(decode_items(&[wide.to_vec()], (1, 1)).failures.len(), 1);
    }

    #[test]
    fn a_plane_is_resampled_with_antialiasing() {
        let mut small = [0];
        resize_plane(&[0, 0, 100, 100], (2, 2), &mut small, (1, 1));
        assert_eq!(small, [50]);
    }

    #[test]
    fn most_pictures_must_be_readable() {
        let failures = vec![("a.png".to_owned(), "cut off".to_owned())];
        assert!(check_failures(&failures, 2).is_ok());
        let problem = check_failures(&failures, 1).unwrap_err();
        assert_eq!(problem.detail, ["a.png: cut off"]);
        let many: Vec<_> = (0..25).map(|i| (i.to_string(), String::new())).collect();
        assert_eq!(failure_notes(&many).len(), 21);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn damaged_pictures_never_panic(format in 0usize..6, damage in testing::damage()) {
            let format = [
                ImageFormat::Png,
                ImageFormat::Jpeg,
                ImageFormat::Bmp,
                ImageFormat::Pnm,
                ImageFormat::Tiff,
                ImageFormat::WebP,
            ][format];
            let decoded = decode_items(&[damage.apply(&encoded(format, [9, 8, 7], 3, 3))], (2, 2));
            prop_assert_eq!(decoded.pixels.len(), (1 - decoded.failures.len()) * 12);
        }
    }
}
