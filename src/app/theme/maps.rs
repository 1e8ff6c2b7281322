//! Colours for values: viridis for amounts, ColorBrewer's PuOr for signed differences, with zero in the middle.

use egui::Color32;

/// How values become colours. Values beyond the ends take the colour of the end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ColourMap {
    /// Viridis from `low` to `high`.
    Amount { low: f32, high: f32 },
    /// Purple for negative, near white for zero, orange for positive values up to `most`.
    Signed { most: f32 },
}

/// Eleven even stops of viridis.
const VIRIDIS: [[u8; 3]; 11] = [
    [0x44, 0x01, 0x54],
    [0x48, 0x24, 0x75],
    [0x41, 0x44, 0x87],
    [0x35, 0x5F, 0x8D],
    [0x2A, 0x78, 0x8E],
    [0x21, 0x91, 0x8C],
    [0x22, 0xA8, 0x84],
    [0x44, 0xBF, 0x70],
    [0x7A, 0xD1, 0x51],
    [0xBD, 0xDF, 0x26],
    [0xFD, 0xE7, 0x25],
];

/// ColorBrewer PuOr with eleven classes, purple first.
const PUOR: [[u8; 3]; 11] = [
    [0x2D, 0x00, 0x4B],
    [0x54, 0x27, 0x88],
    [0x80, 0x73, 0xAC],
    [0xB2, 0xAB, 0xD2],
    [0xD8, 0xDA, 0xEB],
    [0xF7, 0xF7, 0xF7],
    [0xFE, 0xE0, 0xB6],
    [0xFD, 0xB8, 0x63],
    [0xE0, 0x82, 0x14],
    [0xB3, 0x58, 0x06],
    [0x7F, 0x3B, 0x08],
];

/// Five even stops of inferno, for heat over pictures.
const INFERNO: [[u8; 3]; 5] =
    [[0x00, 0x00, 0x04], [0x57, 0x10, 0x6E], [0xBC, 0x37, 0x54], [0xF9, 0x8E, 0x09], [0xFC, 0xFF, 0xA4]];

/// Heat that lies over a picture, from 0 (the picture alone) to 1: red, green, blue, alpha.
pub fn heat_over(share: f32) -> [u8; 4] {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let place = share * (INFERNO.len() - 1) as f32;
    let below = (place as usize).min(INFERNO.len() - 2);
    let mix = |channel: usize| {
        let (from, to) = (f32::from(INFERNO[below][channel]), f32::from(INFERNO[below + 1][channel]));
        (from + (to - from) * (place - below as f32)).round() as u8
    };
    [mix(0), mix(1), mix(2), (share.powf(0.7) * 190.0).round() as u8]
}

/// Colours in a map's table.
pub const STEPS: usize = 256;

impl ColourMap {
    /// Amounts from zero to the largest finite value.
    pub fn amounts(values: &[f32]) -> Self {
        let high = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f32::max);
        ColourMap::Amount { low: 0.0, high }
    }

    /// Signed values, the same reach to both sides.
    pub fn signed(values: &[f32]) -> Self {
        let most = values.iter().map(|value| value.abs()).filter(|value| value.is_finite()).fold(0.0, f32::max);
        ColourMap::Signed { most }
    }

    /// The values at the two ends of the scale.
    pub fn ends(self) -> (f32, f32) {
        match self {
            ColourMap::Amount { low, high } => (low, high),
            ColourMap::Signed { most } => (-most, most),
        }
    }

    /// Where a value stands on the scale, 0 to 1.
    pub fn share(self, value: f32) -> f32 {
        let (low, high) = self.ends();
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }

    pub fn colour(self, value: f32) -> Color32 {
        let [red, green, blue] = self.rgb((self.share(value) * (STEPS - 1) as f32).round() as usize);
        Color32::from_rgb(red, green, blue)
    }

    /// The colour of a step of the table, `0..STEPS`.
    pub fn rgb(self, step: usize) -> [u8; 3] {
        let stops = match self {
            ColourMap::Amount { .. } => &VIRIDIS,
            ColourMap::Signed { .. } => &PUOR,
        };
        let place = step.min(STEPS - 1) as f32 / (STEPS - 1) as f32 * (stops.len() - 1) as f32;
        let below = (place as usize).min(stops.len() - 2);
        let share = place - below as f32;
        let mix = |channel: usize| {
            let (from, to) = (f32::from(stops[below][channel]), f32::from(stops[below + 1][channel]));
            (from + (to - from) * share).round() as u8
        };
        [mix(0), mix(1), mix(2)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_grow_lighter_and_zero_is_the_middle_of_differences() {
        let lightness = |colour: Color32| {
            0.2126 * f32::from(colour.r()) + 0.7152 * f32::from(colour.g()) + 0.0722 * f32::from(colour.b())
        };
        let amount = ColourMap::amounts(&[0.0, 2.0, 8.0, f32::NAN]);
        let row: Vec<_> = (0..=8).map(|value| lightness(amount.colour(value as f32))).collect();
        assert!(row.is_sorted(), "{row:?}");
        let signed = ColourMap::signed(&[-3.0, 1.0]);
        assert_eq!(signed.ends(), (-3.0, 3.0));
        assert!(lightness(signed.colour(0.0)) > 240.0);
        let (down, up) = (signed.colour(-3.0), signed.colour(3.0));
        assert!(down.b() > down.r() && up.r() > up.b(), "purple below, orange above");
        assert_eq!(signed.colour(-99.0), down);
    }

    #[test]
    fn a_flat_field_and_no_number_have_a_colour_too() {
        assert_eq!(ColourMap::amounts(&[]).share(0.0), 0.5);
        assert_eq!(ColourMap::Amount { low: 0.0, high: 1.0 }.share(f32::NAN), 0.0);
    }
}
