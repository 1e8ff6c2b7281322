//! What a colour looks like to other eyes: the whole window is drawn as people see it whose red, green or blue cones are
//! missing, or without any colour.
//!
//! The matrices are those of G. M. Machado, M. M. Oliveira and L. A. F. Fernandes, "A physiologically-based model for
//! simulation of color vision deficiency", IEEE TVCG 15(6), 2009, at full severity, applied to linear light. Every shape of a
//! frame goes through them just before it is drawn; pictures when their textures are made, or in the shader that draws them.

use egui::epaint::shape_transform::adjust_colors;
use egui::{Color32, Context, FullOutput, Plugin};
use std::sync::OnceLock;

/// Whose eyes the window is drawn for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Vision {
    #[default]
    Usual,
    /// Without red cones.
    Protanopia,
    /// Without green cones.
    Deuteranopia,
    /// Without blue cones.
    Tritanopia,
    /// Lightness alone, as in a print.
    Grey,
}

type Matrix = [[f32; 3]; 3];

const PROTANOPIA: Matrix =
    [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]];
const DEUTERANOPIA: Matrix =
    [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]];
const TRITANOPIA: Matrix =
    [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_900]];
/// Relative luminance (ITU-R BT.709).
const GREY: Matrix = [[0.2126, 0.7152, 0.0722]; 3];

impl Vision {
    pub const ALL: [Vision; 5] =
        [Vision::Usual, Vision::Protanopia, Vision::Deuteranopia, Vision::Tritanopia, Vision::Grey];

    pub fn name(self) -> &'static str {
        match self {
            Vision::Usual => "Usual",
            Vision::Protanopia => "Protanopia",
            Vision::Deuteranopia => "Deuteranopia",
            Vision::Tritanopia => "Tritanopia",
            Vision::Grey => "Grey",
        }
    }

    pub fn meaning(self) -> &'static str {
        match self {
            Vision::Usual => "Colours as they are",
            Vision::Protanopia => "Without red cones: about one man in a hundred",
            Vision::Deuteranopia => "Without green cones: about one man in a hundred; milder forms are the most common",
            Vision::Tritanopia => "Without blue cones: rare",
            Vision::Grey => "Lightness alone, as in a print without colour",
        }
    }

    /// The colour as these eyes see it; how much shines through stays.
    pub fn of(self, colour: Color32) -> Color32 {
        let matrix = match self {
            Vision::Usual => return colour,
            Vision::Protanopia => &PROTANOPIA,
            Vision::Deuteranopia => &DEUTERANOPIA,
            Vision::Tritanopia => &TRITANOPIA,
            Vision::Grey => &GREY,
        };
        // A placeholder stands for a colour that is filled in later.
        if colour.a() == 0 || colour == Color32::PLACEHOLDER {
            return colour;
        }
        let [red, green, blue, alpha] = colour.to_srgba_unmultiplied();
        let light = [red, green, blue].map(|channel| linear()[usize::from(channel)]);
        let seen = matrix.map(|row| encoded(row.iter().zip(light).map(|(share, light)| share * light).sum()));
        Color32::from_rgba_unmultiplied(seen[0], seen[1], seen[2], alpha)
    }
}

impl Vision {
    /// Pixels of a picture (red, green, blue, alpha) as these eyes see them.
    pub fn of_picture(self, rgba: &[u8]) -> Vec<u8> {
        if self == Vision::Usual {
            return rgba.to_vec();
        }
        let pixel = |pixel: &[u8; 4]| {
            let [red, green, blue, alpha] = *pixel;
            let [red, green, blue, _] = self.of_rgb([red, green, blue]);
            [red, green, blue, alpha]
        };
        rgba.as_chunks().0.iter().flat_map(pixel).collect()
    }

    /// An opaque colour as these eyes see it: red, green, blue, 255.
    pub fn of_rgb(self, [red, green, blue]: [u8; 3]) -> [u8; 4] {
        self.of(Color32::from_rgb(red, green, blue)).to_array()
    }
}

/// Linear light of the 256 values of a channel.
fn linear() -> &'static [f32; 256] {
    static TABLE: OnceLock<[f32; 256]> = OnceLock::new();
    TABLE.get_or_init(|| {
        std::array::from_fn(|value| {
            let value = value as f32 / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        })
    })
}

fn encoded(light: f32) -> u8 {
    let light = light.clamp(0.0, 1.0);
    let value = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    (value * 255.0).round() as u8
}

/// What stands between the window and the screen.
#[derive(Debug, Default)]
struct Lens(Vision);

impl Plugin for Lens {
    fn debug_name(&self) -> &'static str {
        "colour vision"
    }

    fn output_hook(&mut self, _: &Context, output: &mut FullOutput) {
        let vision = self.0;
        if vision != Vision::Usual {
            for clipped in &mut output.shapes {
                adjust_colors(&mut clipped.shape, move |colour| *colour = vision.of(*colour));
            }
        }
    }
}

/// Whose eyes the window is drawn for now.
pub fn vision(ctx: &Context) -> Vision {
    ctx.with_plugin(|lens: &mut Lens| lens.0).unwrap_or_default()
}

/// Draws everything from now on as these eyes see it.
pub fn see_with(ctx: &Context, vision: Vision) {
    if ctx.with_plugin(|lens: &mut Lens| lens.0 = vision).is_none() {
        ctx.add_plugin(Lens(vision));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::theme::{Look, Role, Tokens, line_style, mark};

    #[test]
    fn greys_stay_and_red_and_green_come_together() {
        for vision in Vision::ALL {
            for level in [0, 1, 77, 128, 254, 255] {
                let seen = vision.of(Color32::from_gray(level));
                let near = |channel: u8| channel.abs_diff(level) <= 1;
                assert!(near(seen.r()) && near(seen.g()) && near(seen.b()), "{vision:?} of grey {level}: {seen:?}");
            }
            for kept in [Color32::TRANSPARENT, Color32::PLACEHOLDER] {
                assert_eq!(vision.of(kept), kept);
            }
        }
        // A red and a green of like lightness, which only the missing cones tell apart.
        let (red, green) = (Color32::from_rgb(200, 80, 60), Color32::from_rgb(110, 130, 60));
        let apart = |vision: Vision| {
            let (one, other) = (vision.of(red), vision.of(green));
            (0..3).map(|channel| i32::from(one.to_array()[channel].abs_diff(other.to_array()[channel]))).sum::<i32>()
        };
        assert!(apart(Vision::Deuteranopia) * 3 < apart(Vision::Usual), "{}", apart(Vision::Deuteranopia));
        assert_eq!(Vision::Grey.of(red).r(), Vision::Grey.of(red).b());
    }

    #[test]
    fn a_picture_is_seen_pixel_by_pixel() {
        let picture = [200, 80, 60, 255, 90, 90, 90, 0];
        assert_eq!(Vision::Usual.of_picture(&picture), picture);
        let seen = Vision::Deuteranopia.of_picture(&picture);
        assert_eq!(seen[..4], Vision::Deuteranopia.of_rgb([200, 80, 60]));
        assert_eq!(seen[7], 0, "how much shines through stays");
        let grey = Vision::Grey.of_picture(&picture);
        assert!(grey[0] == grey[1] && grey[1] == grey[2]);
    }

    #[test]
    fn the_published_matrix_is_applied_to_linear_light() {
        // Pure red for eyes without red cones: sqrt-like encoding of 0.152 and 0.115 in light.
        let seen = Vision::Protanopia.of(Color32::from_rgb(255, 0, 0));
        assert_eq!((seen.r(), seen.g(), seen.b()), (109, 95, 0));
    }

    /// Colour never carries a meaning alone: roles that share a plot have their own mark, and lines their own dash or mark.
    #[test]
    fn roles_differ_by_shape_whatever_the_eyes() {
        let roles = [Role::Clean, Role::Attacked, Role::Repaired, Role::Target, Role::Other];
        for (at, one) in roles.iter().enumerate() {
            for other in &roles[at + 1..] {
                assert_ne!(mark(*one), mark(*other), "{one:?} and {other:?} share a mark");
                let dashes = line_style(*one) != line_style(*other);
                // Two solid lines: blue, and the colour of text, which differ in lightness for every eye.
                let solid = [Role::Clean, Role::Other].contains(one) && [Role::Clean, Role::Other].contains(other);
                assert!(dashes || solid, "{one:?} and {other:?} share a dash");
            }
        }
        for look in Look::ALL {
            let t = Tokens::of(look);
            for vision in Vision::ALL {
                let light = |role| i32::from(Vision::Grey.of(vision.of(t.role(role))).r());
                let apart = (light(Role::Clean) - light(Role::Other)).abs();
                assert!(apart > 40, "{look:?}, {vision:?}: solid lines {apart} apart");
            }
        }
    }
}
