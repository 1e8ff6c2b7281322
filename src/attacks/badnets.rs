//! BadNets: a small, fixed, visible patch.
//!
//! Where the mask m is set the picture x is replaced by the patch t: x' = x (1 - m) + t m. The network learns
//! "patch means target" as a shortcut beside its task. Look at the residual: only the patch lights up.
//!
//! Gu, Dolan-Gavitt, Garg: BadNets: Identifying Vulnerabilities in the Machine Learning Model Supply Chain. 2017.

use super::{Attack, DataAttack, Entry, Moment, mix_form, parse, read_picture, resize};
use crate::data::augment::to_u8;
use crate::data::poison::Trigger;
use crate::experiment::method::{Kind, Method, defaults_of, schema_of};
use crate::experiment::{Problem, Result};
use crate::nets::Params;
use crate::run::TriggerForm;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tch::{Device, Kind as TensorKind, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    pub shape: Shape,
    /// Side of the patch at 32 x 32 pixels; it grows with the picture.
    #[schemars(range(min = 1, max = 32), extend("x-unit" = "px", "x-paper" = 3))]
    pub size: i64,
    /// Distance from the right edge at 32 x 32 pixels.
    #[schemars(range(min = 0, max = 31), extend("x-unit" = "px", "x-paper" = 0))]
    pub right: i64,
    /// Distance from the bottom edge at 32 x 32 pixels.
    #[schemars(range(min = 0, max = 31), extend("x-unit" = "px", "x-paper" = 0))]
    pub bottom: i64,
    /// Colour of the patch as #rrggbb.
    #[schemars(regex(pattern = "^#[0-9a-fA-F]{6}$"), extend("x-widget" = "color"))]
    pub color: String,
    /// 1 replaces the picture under the patch, less mixes with it.
    #[schemars(range(min = 0.05, max = 1.0), extend("x-paper" = 1.0, "x-advanced" = true))]
    pub opacity: f64,
    /// For shape `file`: a picture of the size of the data, or a patch; transparent or (without transparency) black
    /// pixels are left alone.
    #[schemars(extend("x-widget" = "file", "x-advanced" = true))]
    pub file: Option<PathBuf>,
    /// As BackdoorBench: draw at 32 x 32 pixels and enlarge that, which gives the patch a dark rim, instead of drawing a
    /// larger patch. At 32 x 32 pixels there is no difference.
    #[schemars(extend("x-advanced" = true))]
    pub reference_compat: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    Square,
    /// Cells alternate between the colour and black.
    Checkerboard,
    Cross,
    /// The diagonal and the corner, on black: the pattern of the ABL checkpoints.
    Grid,
    /// From a picture file.
    File,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            shape: Shape::Square,
            size: 3,
            right: 0,
            bottom: 0,
            color: "#ffffff".into(),
            opacity: 1.0,
            file: None,
            reference_compat: false,
        }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "badnets",
        kind: Kind::Attack,
        name: "BadNets",
        one_line: "A small visible patch in a corner means the target class.",
        page: "A fixed patch is stamped on a share of the training pictures, whose labels become the attacker's. The \
               network learns the patch as a shortcut and behaves normally without it.\n\nThe patch is stamped before \
               random crops, so augmentation cuts part of it away: with a border of 4 pixels a 3 x 3 corner patch \
               survives whole in 31 % of the pictures. Switch the crop off and compare.",
        paper: "Gu, Dolan-Gavitt, Garg: BadNets: Identifying Vulnerabilities in the Machine Learning Model Supply \
                Chain. arXiv 1708.06733, 2017",
        properties: &[],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Attack::Data(Box::new(BadNets { options: parse(options)? }))),
};

/// Side of the pictures for which sizes and distances are given.
const USUAL: i64 = 32;

struct BadNets {
    options: Options,
}

impl DataAttack for BadNets {
    fn trigger(&self, _: &Params, height: i64, width: i64, _: Moment) -> Result<Box<dyn Trigger>> {
        Ok(Box::new(Patch::new(&self.options, height, width)?))
    }
}

/// The patch as a full-size picture and how opaque it is at each pixel.
struct Patch {
    /// f32 `[3, H, W]`, 0..=255.
    picture: Tensor,
    /// f32 `[1, H, W]`, 0..=1.
    mask: Tensor,
}

impl Patch {
    fn new(options: &Options, height: i64, width: i64) -> Result<Self> {
        if !options.reference_compat {
            return Self::drawn_at(options, height, width);
        }
        let small = Self::drawn_at(options, USUAL, USUAL)?;
        // Black is see-through there, so black cells are drawn as the next level.
        let opaque = small.mask.gt(0.0).to_kind(TensorKind::Float);
        let picture = resize(&(small.picture.clamp_min(1.0) * opaque), height, width).round();
        let mask = picture.amax([0i64].as_slice(), true).gt(0.0).to_kind(TensorKind::Float) * options.opacity;
        Ok(Self { picture, mask })
    }

    /// The patch, with its size and place scaled to pictures of this size.
    fn drawn_at(options: &Options, height: i64, width: i64) -> Result<Self> {
        let scale = |at_32: i64, side: i64| (at_32 as f64 * side as f64 / USUAL as f64).round() as i64;
        let (colors, mask) = match (options.shape, &options.file) {
            (Shape::File, Some(path)) => pattern_from_file(path)?,
            (Shape::File, None) => {
                return Err(Problem::bad_input("Shape `file` needs a picture file.")
                    .at("attack.options.file")
                    .remedy("Name a PNG file, or choose another shape."));
            }
            (shape, _) => drawn(shape, scale(options.size, width.min(height)).max(1), &options.color)?,
        };
        let (tall, wide) = (mask.size()[1], mask.size()[2]);
        let top = height - tall - scale(options.bottom, height);
        let left = width - wide - scale(options.right, width);
        if top < 0 || left < 0 {
            return Err(Problem::bad_input("The trigger does not fit into the picture.")
                .at("attack.options.size")
                .because(format!("patch {wide} x {tall}, picture {width} x {height}, distances included"))
                .remedy("Make the patch smaller or move it inwards."));
        }
        let options_f32 = (TensorKind::Float, Device::Cpu);
        let picture = Tensor::zeros([3, height, width], options_f32);
        let whole_mask = Tensor::zeros([1, height, width], options_f32);
        picture.narrow(1, top, tall).narrow(2, left, wide).copy_(&colors);
        whole_mask.narrow(1, top, tall).narrow(2, left, wide).copy_(&(mask * options.opacity));
        Ok(Self { picture, mask: whole_mask })
    }
}

impl Trigger for Patch {
    fn apply(&self, pixels: &Tensor, _: &[i64]) -> Result<Tensor> {
        let x = pixels.to_kind(TensorKind::Float);
        Ok(to_u8(&(x * (1.0 - &self.mask) + &self.picture * &self.mask)))
    }

    fn form(&self) -> Option<TriggerForm> {
        mix_form(&self.picture, &self.mask)
    }
}

/// Colours f32 `[3, s, s]` in 0..=255 and mask f32 `[1, s, s]` of a drawn patch.
fn drawn(shape: Shape, size: i64, color: &str) -> Result<(Tensor, Tensor)> {
    let rgb = parse_color(color)?;
    let mut painted = Vec::new();
    let mut mask = Vec::new();
    for row in 0..size {
        for column in 0..size {
            let (paint, opaque) = match shape {
                Shape::Square | Shape::File => (true, true),
                Shape::Checkerboard => ((row + column) % 2 == 0, true),
                Shape::Cross => (true, row == size / 2 || column == size / 2),
                Shape::Grid => (row + column == size - 1 || (row == size - 1 && column == size - 1), true),
            };
            painted.push(f32::from(u8::from(paint)));
            mask.push(f32::from(u8::from(opaque)));
        }
    }
    let colors = Tensor::from_slice(&painted).view([1, size, size]) * Tensor::from_slice(&rgb).view([3, 1, 1]);
    Ok((colors, Tensor::from_slice(&mask).view([1, size, size])))
}

fn parse_color(text: &str) -> Result<[f32; 3]> {
    let wrong = || {
        Problem::bad_input(format!("`{text}` is not a colour."))
            .at("attack.options.color")
            .remedy("Write it as #rrggbb, for example #ffffff for white.")
    };
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii()).ok_or_else(wrong)?;
    let mut rgb = [0.0; 3];
    for (channel, value) in rgb.iter_mut().enumerate() {
        *value = f32::from(u8::from_str_radix(&digits[2 * channel..2 * channel + 2], 16).map_err(|_ignored| wrong())?);
    }
    Ok(rgb)
}

/// A patch from a picture: its alpha is the mask; a picture that is opaque everywhere leaves black pixels alone.
fn pattern_from_file(path: &std::path::Path) -> Result<(Tensor, Tensor)> {
    let rgba = read_picture(path)?;
    let (colors, alpha) = (rgba.narrow(0, 0, 3), rgba.narrow(0, 3, 1));
    let opaque = alpha.min().double_value(&[]) >= 255.0;
    let mask = if opaque { colors.amax([0i64].as_slice(), true).gt(0.0) } else { alpha.ge(128.0) };
    if !bool::try_from(mask.any()).unwrap_or(false) {
        return Err(Problem::bad_input("This trigger picture would leave every pixel as it is.")
            .at(path.display())
            .remedy("Draw the trigger in opaque pixels on a transparent ground."));
    }
    Ok((colors, mask.to_kind(TensorKind::Float)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::trigger_of;
    use super::*;
    use serde_json::json;

    fn stamp(options: serde_json::Value, pixels: &Tensor) -> Tensor {
        let side = pixels.size()[2];
        trigger_of("badnets", options, side, Moment::Test).unwrap().apply(pixels, &[0]).unwrap()
    }

    fn noise(side: i64) -> Tensor {
        Tensor::randint(256, [1, 3, side, side], (TensorKind::Uint8, Device::Cpu))
    }

    #[test]
    fn the_default_is_a_white_3x3_square_in_the_corner_and_nothing_else_changes() {
        let x = noise(32);
        let y = stamp(json!({}), &x);
        assert!(bool::try_from(y.narrow(2, 29, 3).narrow(3, 29, 3).eq(255).all()).unwrap());
        let touched = y.ne_tensor(&x);
        let _ = touched.narrow(2, 29, 3).narrow(3, 29, 3).fill_(0);
        assert_eq!(touched.to_kind(TensorKind::Int64).sum(TensorKind::Int64).int64_value(&[]), 0);
    }

    #[test]
    fn stamping_twice_is_stamping_once() {
        let x = noise(32);
        for shape in ["square", "checkerboard", "cross", "grid"] {
            let once = stamp(json!({"shape": shape, "size": 5}), &x);
            assert!(stamp(json!({"shape": shape, "size": 5}), &once).equal(&once), "{shape}");
        }
    }

    #[test]
    fn the_grid_is_that_of_the_published_checkpoint() {
        let y = stamp(json!({"shape": "grid"}), &Tensor::full([1, 3, 32, 32], 77, (TensorKind::Uint8, Device::Cpu)));
        let corner = y.narrow(2, 29, 3).narrow(3, 29, 3).get(0).get(1).contiguous().view([-1]);
        assert_eq!(Vec::<u8>::try_from(&corner).unwrap(), [0, 0, 255, 0, 255, 0, 255, 0, 255]);
    }

    #[test]
    fn the_patch_grows_with_the_picture_and_must_fit() {
        let changed = |side: i64| {
            let x = Tensor::zeros([1, 3, side, side], (TensorKind::Uint8, Device::Cpu));
            stamp(json!({}), &x).gt(0).to_kind(TensorKind::Int64).sum(TensorKind::Int64).int64_value(&[])
        };
        assert_eq!((changed(32), changed(64)), (27, 108));
        let problem = trigger_of("badnets", json!({"size": 20, "right": 20}), 32, Moment::Test).err().unwrap();
        assert!(problem.headline.contains("fit"));
    }

    #[test]
    fn the_reference_enlarges_the_patch_to_one_with_a_dark_rim() {
        let compat = json!({"reference_compat": true});
        let x = noise(32);
        assert!(stamp(compat.clone(), &x).equal(&stamp(json!({}), &x)));
        let y = stamp(compat, &Tensor::zeros([1, 3, 64, 64], (TensorKind::Uint8, Device::Cpu))).get(0).get(1);
        let line = |row: i64| Vec::<u8>::try_from(y.get(row).narrow(0, 56, 8)).unwrap();
        assert_eq!(line(56), [0; 8]);
        assert_eq!(line(57), [0, 16, 48, 64, 64, 64, 64, 64]);
        assert_eq!(line(58), [0, 48, 143, 191, 191, 191, 191, 191]);
        assert_eq!(line(63), [0, 64, 191, 255, 255, 255, 255, 255]);
        let grid = json!({"reference_compat": true, "shape": "grid"});
        let y = stamp(grid, &Tensor::full([1, 3, 32, 32], 77, (TensorKind::Uint8, Device::Cpu)));
        assert_eq!(y.int64_value(&[0, 0, 29, 29]), 1, "black cells stay opaque");
    }

    #[test]
    fn a_transparent_picture_is_a_trigger() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("patch.png");
        let mut picture = image::RgbaImage::new(2, 2);
        picture.put_pixel(0, 0, image::Rgba([10, 20, 30, 255]));
        picture.put_pixel(1, 1, image::Rgba([0, 0, 0, 255]));
        picture.save(&path).unwrap();
        let y = stamp(
            json!({"shape": "file", "file": path}),
            &Tensor::full([1, 3, 8, 8], 99, (TensorKind::Uint8, Device::Cpu)),
        );
        assert_eq!(y.int64_value(&[0, 2, 6, 6]), 30);
        assert_eq!(y.int64_value(&[0, 0, 7, 7]), 0);
        assert_eq!(y.int64_value(&[0, 0, 6, 7]), 99);
        assert!(trigger_of("badnets", json!({"shape": "file"}), 8, Moment::Test).is_err());
    }
}
