//! The place of the large picture: one or two panes that are zoomed and moved together, the line of the wipe, the spectra.

use super::picture::{PictureView, View, automatic};
use crate::app::gpu::{self, Mode, Plane};
use crate::app::picture::{Crop, Spectrum, Study};
use crate::app::state::State;
use crate::app::theme::{ColourMap, Tokens};
use crate::app::views::Camera;
use crate::app::views::ZOOM_STEP;
use crate::app::widgets;
use crate::run::event::Bench;
use egui::{
    Align, Align2, CursorIcon, EventFilter, FontId, Key, Layout, Pos2, Rect, Response, Sense, Stroke, Ui, Vec2,
    WidgetInfo, pos2, vec2,
};
use std::time::Duration;

/// Seconds that each of the two blinking pictures stays; slow enough not to flash.
const BLINK: f64 = 0.8;
/// Points around the line of the wipe that take hold of it.
const GRIP: f32 = 14.0;

/// One rectangle of the picture's place, what it shows, and its name.
type Pane = (Rect, Mode, String);

fn panes(ui: &Ui, t: &Tokens, view: &PictureView, rect: Rect, k: f32) -> Vec<Pane> {
    let clean = || "clean".to_owned();
    let poisoned = || "poisoned".to_owned();
    match view.view {
        View::Clean | View::Spectrum => vec![(rect, Mode::Clean, clean())],
        View::Poisoned => vec![(rect, Mode::Poisoned, poisoned())],
        View::Residual => vec![(rect, Mode::Residual, format!("residual × {}", short(k)))],
        View::Heat => vec![(rect, Mode::Heat, "amount of change".to_owned())],
        View::Wipe => vec![(rect, Mode::Wipe, String::new())],
        View::Blink => {
            let now = ui.input(|input| input.time);
            let beat = (now / BLINK).floor();
            ui.ctx().request_repaint_after(Duration::from_secs_f64(((beat + 1.0) * BLINK - now).max(0.01)));
            match beat as i64 % 2 == 0 {
                true => vec![(rect, Mode::Clean, clean())],
                false => vec![(rect, Mode::Poisoned, poisoned())],
            }
        }
        View::SideBySide => {
            let half = (rect.width() - t.gap) / 2.0;
            let left = Rect::from_min_size(rect.min, vec2(half, rect.height()));
            let right = left.translate(vec2(half + t.gap, 0.0));
            vec![(left, Mode::Clean, clean()), (right, Mode::Poisoned, poisoned())]
        }
    }
}

/// An amplification with two digits at most.
pub(super) fn short(k: f32) -> String {
    if k >= 10.0 { format!("{k:.0}") } else { format!("{k:.1}").trim_end_matches(".0").to_owned() }
}

/// Draws the picture and follows the pointer; returns the pixel under it.
pub(super) fn show(
    ui: &mut Ui,
    t: &Tokens,
    state: &State,
    shown: &Bench,
    view: &mut PictureView,
    height: f32,
) -> Option<[usize; 2]> {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::click_and_drag());
    let name = || format!("{} of picture {}", view.view.words().0, shown.row);
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Image, true, name()));
    let size = vec2(shown.clean.width as f32, shown.clean.height as f32);
    let k = match view.view {
        // The largest change takes the brightest colour.
        View::Heat => automatic(state.bench.figures()) * 2.55,
        _ => view.amplification.unwrap_or_else(|| automatic(state.bench.figures())),
    };
    let panes = panes(ui, t, view, rect, k);
    let under = |at: Pos2| panes.iter().map(|(pane, ..)| *pane).find(|pane| pane.contains(at));
    let pane = response.hover_pos().and_then(under).or(panes.first().map(|(pane, ..)| *pane)).unwrap_or(rect);
    if view.view == View::Wipe {
        drag_line(ui, view, &response, rect, size);
    }
    view.camera.follow(ui, &response, pane, size, !view.wiping);
    keys(ui, &mut view.camera, &response, pane, size);
    let crop = view.player.as_ref().map(|player| player.crop).unwrap_or_default();
    for (pane, mode, name) in &panes {
        ui.painter().rect_filled(*pane, 2.0, t.field);
        let plane = Plane {
            clean: &shown.clean,
            stamp: &state.bench.stamp,
            strength: state.bench.strength,
            mode: *mode,
            amplification: k,
            wipe: view.wipe,
            crop,
            window: view.camera.window(*pane, size),
        };
        gpu::plane(ui, *pane, &plane);
        ui.painter().rect_stroke(*pane, 2.0, Stroke::new(1.0, t.line), egui::StrokeKind::Inside);
        if !name.is_empty() {
            let picture = view.camera.picture_rect(*pane, size).intersect(*pane);
            badge(ui, t, picture.left_top() + vec2(6.0, 6.0), Align2::LEFT_TOP, name);
        }
    }
    if view.view == View::Wipe {
        wipe_line(ui, t, view, rect, size);
    }
    if response.has_focus() {
        ui.painter().rect_stroke(rect, 2.0, Stroke::new(2.0, t.link), egui::StrokeKind::Inside);
    }
    let at = response.hover_pos()?;
    source_of(view.camera.pixel(under(at)?, size, at)?, crop, [shown.clean.width, shown.clean.height])
}

/// The pixel of the picture that a crop shows at this place; nothing in the black border.
fn source_of([x, y]: [usize; 2], crop: Crop, [width, height]: [usize; 2]) -> Option<[usize; 2]> {
    let x = if crop.flip { width - 1 - x } else { x };
    let moved =
        |at: usize, shift: i32, n: usize| usize::try_from(at as i64 + i64::from(shift)).ok().filter(|&at| at < n);
    Some([moved(x, crop.shift[0], width)?, moved(y, crop.shift[1], height)?])
}

/// A name on the picture, on a ground of its own.
fn badge(ui: &Ui, t: &Tokens, at: Pos2, align: Align2, text: &str) {
    let galley = ui.painter().layout_no_wrap(text.to_owned(), FontId::proportional(t.small), t.text);
    let area = align.anchor_size(at, galley.size() + vec2(12.0, 4.0));
    ui.painter().rect_filled(area, 4.0, t.card.gamma_multiply(0.88));
    ui.painter().galley(area.min + vec2(6.0, 2.0), galley, t.text);
}

/// Where the line of the wipe stands on the screen.
fn line_at(view: &PictureView, rect: Rect, size: Vec2) -> f32 {
    let whole = view.camera.picture_rect(rect, size);
    egui::lerp(whole.left()..=whole.right(), view.wipe)
}

fn drag_line(ui: &Ui, view: &mut PictureView, response: &Response, rect: Rect, size: Vec2) {
    let line = line_at(view, rect, size);
    let near = |at: Pos2| (at.x - line).abs() < GRIP;
    if response.hover_pos().is_some_and(near) || view.wiping {
        ui.ctx().set_cursor_icon(CursorIcon::ResizeHorizontal);
    }
    if response.drag_started() {
        let origin = ui.input(|input| input.pointer.press_origin());
        view.wiping = origin.is_some_and(near);
    }
    if view.wiping
        && response.dragged()
        && let Some(at) = response.interact_pointer_pos()
    {
        let whole = view.camera.picture_rect(rect, size);
        view.wipe = ((at.x - whole.left()) / whole.width()).clamp(0.0, 1.0);
    }
    if response.drag_stopped() {
        view.wiping = false;
    }
}

fn wipe_line(ui: &Ui, t: &Tokens, view: &PictureView, rect: Rect, size: Vec2) {
    let whole = view.camera.picture_rect(rect, size).intersect(rect);
    let x = line_at(view, rect, size);
    if !whole.x_range().expand(1.0).contains(x) {
        return;
    }
    let painter = ui.painter_at(rect);
    painter.vline(x, whole.y_range(), Stroke::new(4.0, t.card));
    painter.vline(x, whole.y_range(), Stroke::new(2.0, t.accent));
    painter.circle(pos2(x, whole.center().y), 8.0, t.accent, Stroke::new(2.0, t.card));
    badge(ui, t, pos2(whole.left() + 6.0, whole.top() + 6.0), Align2::LEFT_TOP, "clean");
    badge(ui, t, pos2(whole.right() - 6.0, whole.top() + 6.0), Align2::RIGHT_TOP, "poisoned");
}

/// Plus and minus zoom, arrows move, while the picture has the focus.
fn keys(ui: &Ui, camera: &mut Camera, response: &Response, rect: Rect, size: Vec2) {
    let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    if !response.has_focus() {
        return;
    }
    let pressed = |key| ui.input(|input| input.key_pressed(key));
    if pressed(Key::Plus) || pressed(Key::Equals) {
        camera.zoom_by(ZOOM_STEP, rect, size, rect.center());
    }
    if pressed(Key::Minus) {
        camera.zoom_by(1.0 / ZOOM_STEP, rect, size, rect.center());
    }
    let step = rect.width().min(rect.height()) * 0.1;
    let moves = [(Key::ArrowLeft, step, 0.0), (Key::ArrowRight, -step, 0.0), (Key::ArrowUp, 0.0, step)];
    for (key, x, y) in moves.into_iter().chain([(Key::ArrowDown, 0.0, -step)]) {
        if pressed(key) {
            camera.move_by(vec2(x, y), rect, size);
        }
    }
}

pub(super) fn spectra(ui: &mut Ui, t: &Tokens, study: Option<&Study>, height: f32) {
    let Some(study) = study else {
        ui.allocate_space(vec2(ui.available_width(), height));
        return;
    };
    let width = (ui.available_width() - t.gap) / 2.0;
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = t.gap;
        let parts: [(&str, &Spectrum); 2] = [("change", &study.change), ("poisoned", &study.stamped)];
        for (name, spectrum) in parts {
            ui.allocate_ui_with_layout(vec2(width, height), Layout::top_down(Align::LEFT), |ui| {
                ui.set_min_size(vec2(width, height));
                let map = ColourMap::amounts(&spectrum.values);
                let scale = t.body * 0.6 + t.small * 1.5 + t.gap;
                let (rect, response) = ui.allocate_exact_size(vec2(width, height - scale), Sense::hover());
                let label = format!("Spectrum, {name}; slow changes in the middle, fast ones at the edge");
                response.widget_info(|| WidgetInfo::labeled(egui::Role::Image, true, &label));
                ui.painter().rect_filled(rect, 2.0, t.field);
                let area = gpu::heat_map(ui, rect, &spectrum.values, spectrum.width, spectrum.height, map);
                badge(ui, t, area.left_top() + vec2(6.0, 6.0), Align2::LEFT_TOP, name);
                if let Some(words) = response.hover_pos().and_then(|at| frequency(spectrum, area, at)) {
                    response.on_hover_text_at_pointer(words);
                }
                widgets::colour_scale(ui, map, "log(1 + |F|)");
            });
        }
    });
}

/// What lies under the pointer in a spectrum.
fn frequency(spectrum: &Spectrum, area: Rect, at: Pos2) -> Option<String> {
    let share = (at - area.min) / area.size();
    if share.min_elem() < 0.0 || share.max_elem() >= 1.0 {
        return None;
    }
    let (x, y) = ((share.x * spectrum.width as f32) as usize, (share.y * spectrum.height as f32) as usize);
    let value = spectrum.values.get(y * spectrum.width + x)?;
    let (across, down) = (x as i64 - spectrum.width as i64 / 2, y as i64 - spectrum.height as i64 / 2);
    Some(format!("{across} periods across, {down} down: {value:.2}"))
}
