//! One picture from outside, made like the pictures of a data set: the middle square, at their size, in their colours.

use super::pictures::{self, LARGEST_FILE};
use crate::experiment::{Problem, Result};
use image::DynamicImage;
use std::path::Path;

/// A picture, and what had to be done to it.
pub struct Photo {
    /// `[3, height, width]`.
    pub pixels: Vec<u8>,
    pub cut: bool,
    pub greyed: bool,
    pub negative: bool,
}

/// Reads a picture file. `grey` is for data sets whose pictures are grey and bright on dark, as scans of digits and
/// clothes are: a picture with a bright rim is then turned into its negative.
pub fn read(path: &Path, height: usize, width: usize, grey: bool) -> Result<Photo> {
    let failed = |error: &std::io::Error| Problem::io("read the picture", path, error);
    let size = std::fs::metadata(path).map_err(|error| failed(&error))?.len();
    if size > LARGEST_FILE {
        return Err(Problem::bad_file("This picture is too large.").at(path.display()).remedy("Make it smaller."));
    }
    let bytes = std::fs::read(path).map_err(|error| failed(&error))?;
    let picture = pictures::decode(&bytes).map_err(|reason| {
        Problem::bad_file("This is not a picture that can be read.")
            .at(path.display())
            .because(reason)
            .remedy("Give a PNG, JPEG, BMP, PPM, TIFF or WebP file.")
    })?;
    let (wide, high) = (picture.width(), picture.height());
    let side = wide.min(high);
    let picture = picture.crop_imm((wide - side) / 2, (high - side) / 2, side, side);
    let coloured = picture.color().has_color();
    let picture = if grey { DynamicImage::ImageLuma8(picture.to_luma8()) } else { picture };
    let mut pixels = pictures::planes(picture, height, width);
    let negative = grey && bright_rim(&pixels[..height * width], width);
    if negative {
        pixels.iter_mut().for_each(|value| *value = 255 - *value);
    }
    Ok(Photo { pixels, cut: wide != high, greyed: grey && coloured, negative })
}

/// Whether the outermost pixels of one plane are bright on average.
fn bright_rim(plane: &[u8], width: usize) -> bool {
    let height = plane.len() / width.max(1);
    let on_rim = |at: usize| [0, height - 1].contains(&(at / width)) || [0, width - 1].contains(&(at % width));
    let rim: Vec<u64> = plane.iter().enumerate().filter(|(at, _)| on_rim(*at)).map(|(_, v)| u64::from(*v)).collect();
    rim.iter().sum::<u64>() > 127 * rim.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_is_cut_greyed_and_turned_bright_on_dark() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("photo.png");
        // Yellow sides, a white square in the middle, a black dot in it.
        let photo = image::RgbImage::from_fn(60, 30, |x, y| match (x, y) {
            (24..36, 9..21) => image::Rgb([0; 3]),
            (15..45, _) => image::Rgb([255; 3]),
            _ => image::Rgb([200, 180, 0]),
        });
        photo.save(&path).unwrap();
        let seen = read(&path, 10, 10, true).unwrap();
        assert!(seen.cut && seen.greyed && seen.negative);
        assert_eq!((seen.pixels.len(), seen.pixels[0], seen.pixels[55]), (300, 0, 255));
        let seen = read(&path, 10, 10, false).unwrap();
        assert!(seen.cut && !seen.greyed && !seen.negative);
        assert_eq!((seen.pixels[0], seen.pixels[55]), (255, 0));
    }

    #[test]
    fn what_is_no_picture_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letter.png");
        std::fs::write(&path, "Dear Ada").unwrap();
        let problem = read(&path, 8, 8, true).err().unwrap();
        assert_eq!(problem.headline, "This is not a picture that can be read.");
        assert!(read(&folder.path().join("none.png"), 8, 8, true).is_err());
    }
}
