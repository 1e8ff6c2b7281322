//! Which zoom belongs to which display: who moves the window to the projector and back finds both as they were left.

use egui::ViewportInfo;
use std::collections::BTreeMap;

/// Zooms by display, and the display that the window is on.
#[derive(Debug, Default)]
pub struct Displays {
    zooms: BTreeMap<String, f32>,
    current: Option<String>,
    /// Seen for the first time in the last frame. For one frame after a change of the zoom the window system's measures
    /// and egui's do not fit together, so a display counts when it is seen twice.
    candidate: Option<String>,
}

/// What the window does about its display.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Seen {
    Known,
    /// Look again in the next frame.
    Perhaps,
    /// The window has come to a display that has a zoom of its own.
    Zoom(f32),
}

impl Displays {
    pub fn remembered(zooms: BTreeMap<String, f32>) -> Self {
        Self { zooms, ..Self::default() }
    }

    /// For the window's memory.
    pub fn zooms(&self) -> &BTreeMap<String, f32> {
        &self.zooms
    }

    /// Takes note of the display in this frame and of the zoom in force.
    pub fn look(&mut self, display: Option<String>, zoom: f32) -> Seen {
        let Some(display) = display else {
            return Seen::Known;
        };
        if self.current.as_ref() == Some(&display) {
            self.candidate = None;
            self.zooms.insert(display, zoom);
            return Seen::Known;
        }
        if self.candidate.as_ref() != Some(&display) {
            self.candidate = Some(display);
            return Seen::Perhaps;
        }
        self.candidate = None;
        self.current = Some(display.clone());
        match *self.zooms.entry(display).or_insert(zoom) {
            known if (known - zoom).abs() > 1e-3 => Seen::Zoom(known),
            _ => Seen::Known,
        }
    }
}

/// The display by its size and scale, "1920x1080 at 1.25": its name is not known to egui. `scale` are pixels of the screen
/// for each point of the window. Nothing where the window system does not tell.
pub fn name_of(viewport: &ViewportInfo, scale: f32) -> Option<String> {
    let pixels = viewport.monitor_size.filter(|size| size.x > 0.0 && size.y > 0.0)? * scale;
    let native = viewport.native_pixels_per_point.unwrap_or(1.0);
    Some(format!("{:.0}x{:.0} at {native:.2}", pixels.x, pixels.y))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_display_keeps_its_zoom() {
        let mut displays = Displays::default();
        let mut look = |name: &str, zoom: f32| displays.look(Some(name.to_owned()), zoom);
        assert_eq!(look("laptop", 1.0), Seen::Perhaps);
        assert_eq!(look("laptop", 1.0), Seen::Known);
        assert_eq!(look("laptop", 1.25), Seen::Known, "turned up");
        // On the projector for the first time it stays as it is, then it is turned up.
        assert_eq!([look("projector", 1.25), look("projector", 1.25)], [Seen::Perhaps, Seen::Known]);
        assert_eq!(look("projector", 2.0), Seen::Known);
        // A measure that lasts one frame is none.
        assert_eq!([look("strange", 2.0), look("projector", 2.0)], [Seen::Perhaps, Seen::Known]);
        assert_eq!([look("laptop", 2.0), look("laptop", 2.0)], [Seen::Perhaps, Seen::Zoom(1.25)]);
        assert_eq!(look("laptop", 1.25), Seen::Known);
        assert_eq!([look("projector", 1.25), look("projector", 1.25)], [Seen::Perhaps, Seen::Zoom(2.0)]);
        assert_eq!(displays.look(None, 2.0), Seen::Known);
        let zooms = displays.zooms().clone();
        assert_eq!(zooms.values().copied().collect::<Vec<_>>(), [1.25, 2.0]);
        let mut again = Displays::remembered(zooms);
        assert_eq!(again.look(Some("laptop".into()), 1.0), Seen::Perhaps);
        assert_eq!(again.look(Some("laptop".into()), 1.0), Seen::Zoom(1.25));
    }

    #[test]
    fn a_display_is_known_by_its_pixels() {
        let mut viewport = ViewportInfo::default();
        assert_eq!(name_of(&viewport, 1.0), None);
        viewport.monitor_size = Some(egui::vec2(960.0, 540.0));
        viewport.native_pixels_per_point = Some(1.25);
        assert_eq!(name_of(&viewport, 2.0).as_deref(), Some("1920x1080 at 1.25"), "whatever the zoom");
    }
}
