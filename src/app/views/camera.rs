//! Looking at a picture through a rectangle: wheel and pinch zoom around the pointer, dragging moves, a double click shows
//! the whole picture again.

use egui::{Pos2, Rect, Response, Ui, Vec2, vec2};

const MOST_ZOOM: f32 = 40.0;
/// How fast the wheel zooms.
const PER_POINT: f32 = 0.003;
/// One press of a zoom button.
pub const STEP: f32 = 1.5;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Camera {
    /// 1 shows the whole picture.
    zoom: f32,
    /// What is in the middle, as shares of the picture's width and height.
    centre: Vec2,
}

impl Default for Camera {
    fn default() -> Self {
        Self { zoom: 1.0, centre: Vec2::splat(0.5) }
    }
}

impl Camera {
    pub fn zoom(&self) -> f32 {
        self.zoom
    }

    /// Points per pixel of the picture.
    fn scale(&self, rect: Rect, size: Vec2) -> f32 {
        (rect.width() / size.x).min(rect.height() / size.y) * self.zoom
    }

    /// The part of a picture of `size` pixels that fills `rect`, in pixels; reaches beyond the picture where it is narrower.
    pub fn window(&self, rect: Rect, size: Vec2) -> Rect {
        Rect::from_center_size((self.centre * size).to_pos2(), rect.size() / self.scale(rect, size))
    }

    /// The whole picture on the screen, clipped or not.
    pub fn picture_rect(&self, rect: Rect, size: Vec2) -> Rect {
        let (scale, window) = (self.scale(rect, size), self.window(rect, size));
        Rect::from_min_size(rect.min - window.min.to_vec2() * scale, size * scale)
    }

    /// The pixel under a point of the screen.
    pub fn pixel(&self, rect: Rect, size: Vec2, at: Pos2) -> Option<[usize; 2]> {
        let whole = self.picture_rect(rect, size);
        let share = (at - whole.min) / whole.size();
        let inside = rect.contains(at) && share.min_elem() >= 0.0 && share.max_elem() < 1.0;
        inside.then_some([(share.x * size.x) as usize, (share.y * size.y) as usize])
    }

    /// Zooms by a factor and keeps what is under `at` where it is.
    pub fn zoom_by(&mut self, factor: f32, rect: Rect, size: Vec2, at: Pos2) {
        let before = self.picture_rect(rect, size);
        let share = (at - before.min) / before.size();
        self.zoom = (self.zoom * factor).clamp(1.0, MOST_ZOOM);
        let after = self.picture_rect(rect, size);
        let moved = (after.min + share * after.size()) - at;
        self.centre += moved / after.size();
        self.keep_in_sight(rect, size);
    }

    pub fn move_by(&mut self, points: Vec2, rect: Rect, size: Vec2) {
        self.centre -= points / self.picture_rect(rect, size).size();
        self.keep_in_sight(rect, size);
    }

    /// No empty border where the picture could fill it.
    fn keep_in_sight(&mut self, rect: Rect, size: Vec2) {
        let half = self.window(rect, size).size() / size * 0.5;
        let keep = |centre: f32, half: f32| if half >= 0.5 { 0.5 } else { centre.clamp(half, 1.0 - half) };
        self.centre = vec2(keep(self.centre.x, half.x), keep(self.centre.y, half.y));
    }

    /// Follows wheel, pinch and double click over `rect`; `drag` tells whether dragging moves the picture.
    pub fn follow(&mut self, ui: &Ui, response: &Response, rect: Rect, size: Vec2, drag: bool) {
        if response.double_clicked() {
            *self = Self::default();
        }
        if let Some(at) = response.hover_pos() {
            let (wheel, pinch) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
            let factor = (wheel * PER_POINT).exp() * pinch;
            if factor != 1.0 {
                self.zoom_by(factor, rect, size, at);
                // The wheel has done its work; a list around the picture must not scroll as well.
                ui.input_mut(|input| input.smooth_scroll_delta = Vec2::ZERO);
            }
        }
        if drag && response.dragged() {
            self.move_by(response.drag_delta(), rect, size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::pos2;

    const RECT: Rect = Rect { min: Pos2 { x: 100.0, y: 50.0 }, max: Pos2 { x: 500.0, y: 250.0 } };
    const SIZE: Vec2 = Vec2::splat(32.0);

    #[test]
    fn the_whole_picture_stands_in_the_middle() {
        let camera = Camera::default();
        assert_eq!(camera.picture_rect(RECT, SIZE), Rect::from_min_max(pos2(200.0, 50.0), pos2(400.0, 250.0)));
        assert_eq!(camera.window(RECT, SIZE), Rect::from_min_max(pos2(-16.0, 0.0), pos2(48.0, 32.0)));
        assert_eq!(camera.pixel(RECT, SIZE, pos2(399.0, 51.0)), Some([31, 0]));
        assert_eq!(camera.pixel(RECT, SIZE, pos2(401.0, 51.0)), None);
    }

    #[test]
    fn zooming_keeps_what_is_under_the_pointer() {
        let mut camera = Camera::default();
        let square = Rect::from_min_size(RECT.min, Vec2::splat(200.0));
        let at = pos2(231.0, 120.0);
        for _ in 0..5 {
            let before = camera.pixel(square, SIZE, at);
            camera.zoom_by(1.7, square, SIZE, at);
            assert_eq!(camera.pixel(square, SIZE, at), before);
        }
        camera.zoom_by(1e9, square, SIZE, at);
        assert_eq!(camera.zoom(), MOST_ZOOM);
        camera.zoom_by(1e-9, square, SIZE, at);
        assert_eq!(camera, Camera::default(), "zoomed out, the whole picture is back in the middle");
    }

    #[test]
    fn the_picture_cannot_be_lost() {
        let mut camera = Camera::default();
        camera.move_by(vec2(5000.0, -5000.0), RECT, SIZE);
        assert_eq!(camera, Camera::default());
        camera.zoom_by(8.0, RECT, SIZE, RECT.center());
        camera.move_by(vec2(5000.0, -5000.0), RECT, SIZE);
        assert_eq!(camera.window(RECT, SIZE).left(), 0.0);
        assert_eq!(camera.window(RECT, SIZE).bottom(), 32.0);
    }
}
