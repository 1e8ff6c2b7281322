//! The design tokens: every colour and every size of the window has a name here and nowhere else.
//!
//! Role colours are Okabe and Ito's, so that they stay apart for every kind of colour vision; each role also has its own
//! line style and mark, because colour alone must never carry a meaning.

use egui::{Color32, Vec2, vec2};

/// The look of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Light,
    Dark,
    /// Large type and strong contrast for the last row of a lecture room.
    Projector,
    /// Black ground, text of at least 7:1 throughout, an edge around every control.
    HighContrast,
}

impl Look {
    pub const ALL: [Look; 4] = [Look::Light, Look::Dark, Look::Projector, Look::HighContrast];

    pub fn name(self) -> &'static str {
        match self {
            Look::Light => "light",
            Look::Dark => "dark",
            Look::Projector => "projector",
            Look::HighContrast => "high-contrast",
        }
    }
}

/// What a curve, bar or badge stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Clean pictures, healthy models.
    Clean,
    Attacked,
    Repaired,
    /// The class that the attacker wants, or whatever deserves attention.
    Target,
    Other,
}

/// Colours and sizes of one look. Lengths are points.
#[derive(Debug, Clone)]
pub struct Tokens {
    pub look: Look,
    pub dark: bool,

    /// Behind everything.
    pub ground: Color32,
    /// Rail, top bar, status bar.
    pub panel: Color32,
    pub card: Color32,
    /// Text fields, plot areas, bar tracks.
    pub field: Color32,
    pub button: Color32,
    pub button_hover: Color32,
    pub line: Color32,
    pub line_strong: Color32,
    pub text: Color32,
    pub text_weak: Color32,
    /// The one main button of a screen, the selected item, links.
    pub accent: Color32,
    pub accent_hover: Color32,
    pub on_accent: Color32,
    /// A tint of the accent that carries ordinary text.
    pub accent_soft: Color32,
    pub link: Color32,
    /// Ground and edge of cards that tell a problem or a warning.
    pub bad_ground: Color32,
    pub bad: Color32,
    pub warn_ground: Color32,
    pub warn: Color32,
    pub good: Color32,
    /// Dims the screen below a dialog or a drop target.
    pub veil: Color32,

    pub clean: Color32,
    pub attacked: Color32,
    pub repaired: Color32,
    pub target: Color32,
    pub other: Color32,

    pub body: f32,
    pub small: f32,
    pub heading: f32,
    pub title: f32,
    pub mono: f32,
    pub gap: f32,
    pub pad: f32,
    pub radius: u8,
    /// Height of buttons, fields and switches.
    pub control: f32,
    /// Width of the navigation rail.
    pub rail: f32,
    /// Width of curves.
    pub stroke: f32,
}

const BLUE: Color32 = Color32::from_rgb(0x00, 0x72, 0xB2);
const VERMILLION: Color32 = Color32::from_rgb(0xD5, 0x5E, 0x00);
const GREEN: Color32 = Color32::from_rgb(0x00, 0x9E, 0x73);
const PURPLE: Color32 = Color32::from_rgb(0xCC, 0x79, 0xA7);
const SKY: Color32 = Color32::from_rgb(0x56, 0xB4, 0xE9);
const ORANGE: Color32 = Color32::from_rgb(0xE6, 0x9F, 0x00);

impl Tokens {
    pub fn of(look: Look) -> Self {
        match look {
            Look::Light => Self::light(),
            Look::Dark => Self::dark(),
            Look::Projector => Self::projector(),
            Look::HighContrast => Self::high_contrast(),
        }
    }

    /// The same look for a window with this much room. The type of a lecture room is made for large screens: in a window
    /// that is small, or enlarged, it grows only as far as a screen still fits, from the office's size upwards.
    pub fn in_room(self, room: Vec2) -> Self {
        if self.look != Look::Projector {
            return self;
        }
        let office = Self::light();
        let fits = (room / vec2(880.0, 600.0)).min_elem();
        let smallest = office.body / self.body;
        // In eighths, so that a window that is drawn larger is not set anew at every pixel.
        let share = (((fits - smallest) / (1.0 - smallest)).clamp(0.0, 1.0) * 8.0).floor() / 8.0;
        let size = |office: f32, large: f32| office + share * (large - office);
        Self {
            body: size(office.body, self.body),
            small: size(office.small, self.small),
            heading: size(office.heading, self.heading),
            title: size(office.title, self.title),
            mono: size(office.mono, self.mono),
            gap: size(office.gap, self.gap),
            pad: size(office.pad, self.pad),
            control: size(office.control, self.control),
            rail: size(office.rail, self.rail),
            ..self
        }
    }

    fn light() -> Self {
        Self {
            look: Look::Light,
            dark: false,
            ground: Color32::from_rgb(0xF4, 0xF5, 0xF7),
            panel: Color32::from_rgb(0xFF, 0xFF, 0xFF),
            card: Color32::from_rgb(0xFF, 0xFF, 0xFF),
            field: Color32::from_rgb(0xF7, 0xF8, 0xFA),
            button: Color32::from_rgb(0xEA, 0xEC, 0xF0),
            button_hover: Color32::from_rgb(0xDF, 0xE3, 0xE9),
            line: Color32::from_rgb(0xDD, 0xE0, 0xE6),
            line_strong: Color32::from_rgb(0x8A, 0x91, 0x9D),
            text: Color32::from_rgb(0x1B, 0x1E, 0x24),
            text_weak: Color32::from_rgb(0x58, 0x5F, 0x6B),
            accent: BLUE,
            accent_hover: Color32::from_rgb(0x00, 0x5E, 0x94),
            on_accent: Color32::from_rgb(0xFF, 0xFF, 0xFF),
            accent_soft: Color32::from_rgb(0xDC, 0xEC, 0xF7),
            link: Color32::from_rgb(0x00, 0x64, 0x9E),
            bad_ground: Color32::from_rgb(0xFD, 0xEE, 0xE6),
            bad: Color32::from_rgb(0xB0, 0x42, 0x00),
            warn_ground: Color32::from_rgb(0xFE, 0xF6, 0xE2),
            warn: Color32::from_rgb(0x8A, 0x5C, 0x00),
            good: Color32::from_rgb(0x00, 0x75, 0x55),
            veil: Color32::from_rgba_premultiplied(0x0C, 0x0D, 0x10, 0x90),
            clean: BLUE,
            attacked: VERMILLION,
            repaired: GREEN,
            target: PURPLE,
            other: Color32::from_rgb(0x1B, 0x1E, 0x24),
            body: 14.0,
            small: 12.5,
            heading: 17.0,
            title: 24.0,
            mono: 13.0,
            gap: 8.0,
            pad: 14.0,
            radius: 8,
            control: 30.0,
            rail: 96.0,
            stroke: 1.8,
        }
    }

    fn dark() -> Self {
        Self {
            look: Look::Dark,
            dark: true,
            ground: Color32::from_rgb(0x16, 0x18, 0x1D),
            panel: Color32::from_rgb(0x1B, 0x1E, 0x24),
            card: Color32::from_rgb(0x1F, 0x22, 0x29),
            field: Color32::from_rgb(0x17, 0x19, 0x1F),
            button: Color32::from_rgb(0x2E, 0x33, 0x3D),
            button_hover: Color32::from_rgb(0x3A, 0x40, 0x4C),
            line: Color32::from_rgb(0x33, 0x38, 0x42),
            line_strong: Color32::from_rgb(0x7C, 0x84, 0x93),
            text: Color32::from_rgb(0xE8, 0xEA, 0xEE),
            text_weak: Color32::from_rgb(0xA6, 0xAD, 0xB9),
            accent: BLUE,
            accent_hover: Color32::from_rgb(0x0A, 0x82, 0xC6),
            on_accent: Color32::from_rgb(0xFF, 0xFF, 0xFF),
            accent_soft: Color32::from_rgb(0x17, 0x37, 0x4D),
            link: SKY,
            bad_ground: Color32::from_rgb(0x3A, 0x24, 0x18),
            bad: Color32::from_rgb(0xFF, 0x9A, 0x5C),
            warn_ground: Color32::from_rgb(0x36, 0x2D, 0x17),
            warn: Color32::from_rgb(0xF0, 0xC0, 0x60),
            good: Color32::from_rgb(0x4F, 0xD0, 0xA8),
            veil: Color32::from_rgba_premultiplied(0x04, 0x04, 0x05, 0xB0),
            other: Color32::from_rgb(0xE8, 0xEA, 0xEE),
            ..Self::light()
        }
    }

    fn projector() -> Self {
        Self {
            look: Look::Projector,
            ground: Color32::from_rgb(0xFF, 0xFF, 0xFF),
            field: Color32::from_rgb(0xFF, 0xFF, 0xFF),
            button: Color32::from_rgb(0xE4, 0xE7, 0xEC),
            button_hover: Color32::from_rgb(0xD2, 0xD7, 0xDF),
            line: Color32::from_rgb(0xA8, 0xAE, 0xB9),
            line_strong: Color32::from_rgb(0x4A, 0x50, 0x5B),
            text: Color32::from_rgb(0x00, 0x00, 0x00),
            text_weak: Color32::from_rgb(0x33, 0x38, 0x40),
            other: Color32::from_rgb(0x00, 0x00, 0x00),
            body: 22.0,
            small: 20.0,
            heading: 24.0,
            title: 28.0,
            mono: 20.0,
            gap: 10.0,
            pad: 16.0,
            control: 42.0,
            rail: 124.0,
            stroke: 3.0,
            ..Self::light()
        }
    }

    fn high_contrast() -> Self {
        let (black, white) = (Color32::from_rgb(0x00, 0x00, 0x00), Color32::from_rgb(0xFF, 0xFF, 0xFF));
        Self {
            look: Look::HighContrast,
            dark: true,
            ground: black,
            panel: black,
            card: black,
            field: black,
            button: Color32::from_rgb(0x14, 0x14, 0x14),
            button_hover: Color32::from_rgb(0x38, 0x38, 0x38),
            line: Color32::from_rgb(0xB4, 0xB4, 0xB4),
            line_strong: white,
            text: white,
            text_weak: Color32::from_rgb(0xE0, 0xE0, 0xE0),
            accent: SKY,
            accent_hover: Color32::from_rgb(0x8A, 0xCE, 0xF5),
            on_accent: black,
            accent_soft: Color32::from_rgb(0x0B, 0x30, 0x48),
            link: Color32::from_rgb(0x8A, 0xCE, 0xF5),
            bad_ground: black,
            bad: Color32::from_rgb(0xFF, 0xA0, 0x66),
            warn_ground: black,
            warn: Color32::from_rgb(0xFF, 0xD0, 0x70),
            good: Color32::from_rgb(0x5C, 0xE0, 0xB8),
            veil: Color32::from_rgba_premultiplied(0x00, 0x00, 0x00, 0xC8),
            // The lighter half of the palette: the darker one keeps less than 6:1 from black.
            clean: SKY,
            attacked: ORANGE,
            repaired: Color32::from_rgb(0x1F, 0xC2, 0x95),
            other: white,
            body: 16.0,
            small: 15.0,
            heading: 19.0,
            title: 26.0,
            mono: 15.0,
            control: 34.0,
            rail: 108.0,
            stroke: 2.5,
            ..Self::light()
        }
    }

    pub fn role(&self, role: Role) -> Color32 {
        match role {
            Role::Clean => self.clean,
            Role::Attacked => self.attacked,
            Role::Repaired => self.repaired,
            Role::Target => self.target,
            Role::Other => self.other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast by the WCAG formula, 1 to 21.
    fn contrast(a: Color32, b: Color32) -> f64 {
        let luminance = |colour: Color32| {
            let linear = |channel: u8| {
                let share = f64::from(channel) / 255.0;
                if share <= 0.03928 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * linear(colour.r()) + 0.7152 * linear(colour.g()) + 0.0722 * linear(colour.b())
        };
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    }

    #[test]
    fn a_projector_s_type_grows_as_far_as_a_screen_fits() {
        let body = |width: f32, height: f32| Tokens::of(Look::Projector).in_room(vec2(width, height)).body;
        assert_eq!((body(1920.0, 1080.0), body(880.0, 600.0), body(512.0, 384.0)), (22.0, 22.0, 14.0));
        let between = body(800.0, 560.0);
        assert!(between > 14.0 && between < 22.0, "{between}");
        let office = Tokens::of(Look::Light).in_room(vec2(300.0, 300.0));
        assert_eq!((office.body, office.rail), (14.0, 96.0));
    }

    #[test]
    fn text_and_marks_stand_out_in_every_look() {
        for look in Look::ALL {
            let t = Tokens::of(look);
            for ground in [t.ground, t.panel, t.card, t.field, t.button, t.accent_soft] {
                assert!(contrast(t.text, ground) >= 7.0, "{look:?}: text on {ground:?}");
            }
            for ground in [t.ground, t.panel, t.card, t.field] {
                assert!(contrast(t.text_weak, ground) >= 4.5, "{look:?}: weak text on {ground:?}");
                assert!(contrast(t.link, ground) >= 4.5, "{look:?}: link on {ground:?}");
            }
            assert!(contrast(t.on_accent, t.accent) >= 4.5, "{look:?}: main button");
            assert!(contrast(t.bad, t.bad_ground) >= 4.5 && contrast(t.text, t.bad_ground) >= 7.0, "{look:?}: problem");
            assert!(contrast(t.warn, t.warn_ground) >= 4.5, "{look:?}: warning");
            for role in [Role::Clean, Role::Attacked, Role::Repaired, Role::Target, Role::Other] {
                assert!(contrast(t.role(role), t.card) >= 3.0, "{look:?}: {role:?}");
            }
        }
    }

    #[test]
    fn high_contrast_keeps_its_promise() {
        let t = Tokens::of(Look::HighContrast);
        for ground in [t.ground, t.panel, t.card, t.field, t.button] {
            for text in [t.text, t.text_weak, t.link, t.bad, t.warn, t.good] {
                assert!(contrast(text, ground) >= 7.0, "{text:?} on {ground:?}");
            }
            assert!(contrast(t.line, ground) >= 4.5, "the edge of a control on {ground:?}");
        }
        assert!(contrast(t.on_accent, t.accent) >= 7.0);
        for role in [Role::Clean, Role::Attacked, Role::Repaired, Role::Target, Role::Other] {
            assert!(contrast(t.role(role), t.card) >= 6.0, "{role:?}");
        }
    }

    #[test]
    fn projector_type_is_large() {
        let t = Tokens::of(Look::Projector);
        assert!(t.body >= 22.0 && t.title >= 28.0 && t.small >= 20.0 && t.mono >= 20.0);
        assert!(t.control >= 40.0 && t.stroke >= 3.0);
    }
}
