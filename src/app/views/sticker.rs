//! A large picture: the sticker on it can be moved by hand and by keys, heat can lie over it.

use crate::app::command::Requests;
use crate::app::stand::{Shown, Stand, StandChange};
use crate::app::theme::{self, Tokens};
use crate::app::widgets::{paint_picture, picture_tile};
use crate::app::words;
use crate::run::event::{Heat, Rgba};
use crate::run::trigger_form::Patch;
use egui::{EventFilter, Id, Key, Rect, Response, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, vec2};
use std::sync::Arc;

/// The heat map is drawn this many times finer than its pixels, so that it flows.
const FINER: usize = 4;

/// The place of the sticker on the picture, for those who reach it by keys.
pub fn sticker_id() -> Id {
    Id::unique("sticker")
}

/// The picture in a square of `side` points.
pub fn stand_picture(ui: &mut Ui, stand: &Stand, shown: &Shown<'_>, side: f32, requests: &Requests) {
    let t = theme::of(ui);
    let picture = if stand.sticker { shown.stamped } else { shown.clean };
    let name = shown.name();
    let (thing, with) = (stand.thing(), if stand.sticker { "with" } else { "without" });
    let alt = format!("{name}, {with} the {thing}");
    let tile = picture_tile(ui, picture, side, "", &alt);
    let scale = tile.rect.width() / picture.width.max(1) as f32;
    if let Some(heat) = stand.heat() {
        let painted = heat_picture(ui, heat);
        paint_picture(ui, tile.rect, &painted);
    }
    if let Some(patch) = stand.patch().filter(|_| stand.sticker) {
        sticker(ui, &t, stand, patch, tile.rect, scale, requests);
    }
}

/// The frame around the sticker: the handle by which it is moved.
fn sticker(ui: &Ui, t: &Tokens, stand: &Stand, patch: Patch, picture: Rect, scale: f32, requests: &Requests) {
    let corner = picture.min + vec2(patch.left as f32, patch.top as f32) * scale;
    let rect = Rect::from_min_size(corner, vec2(patch.width as f32, patch.height as f32) * scale);
    let grip = Rect::from_center_size(rect.center(), rect.size().max(Vec2::splat(t.control)));
    let response = ui.interact(grip, sticker_id(), Sense::click_and_drag());
    let thing = stand.thing();
    let place = format!("{}, column {}, row {}", words::capital(thing), patch.left, patch.top);
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Button, true, &place));
    if let Some(to) = wanted(ui, &response, stand, patch, picture, scale) {
        requests.change(stand.asks(StandChange::Place(Some(to))));
    }
    let active = response.hovered() || response.dragged() || response.has_focus();
    let edge = Stroke::new(if active { 3.0 } else { 1.5 }, t.target);
    ui.painter().rect_stroke(rect.expand(2.0), 2.0, edge, StrokeKind::Outside);
    let help = format!("Drag the {thing}, or move it with the arrow keys");
    response.on_hover_cursor(egui::CursorIcon::Grab).on_hover_text(help);
}

/// Where hand or keys want the sticker.
fn wanted(ui: &Ui, response: &Response, stand: &Stand, patch: Patch, picture: Rect, scale: f32) -> Option<[usize; 2]> {
    let [most_left, most_top] = stand.last_place()?;
    let mut to = None;
    if (response.dragged() || response.drag_stopped())
        && let Some(pointer) = response.interact_pointer_pos()
    {
        let half = vec2(patch.width as f32, patch.height as f32) / 2.0;
        let at = (pointer - picture.min) / scale - half;
        to = Some([at.x, at.y].map(|value| value.round().max(0.0) as usize));
    }
    if response.has_focus() {
        let arrows = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
        let (right, down) = ui.input(|input| {
            // With Shift in larger steps.
            let step = if input.modifiers.shift { 5 } else { 1 };
            let count = |key: Key| input.num_presses(key) as isize * step;
            (count(Key::ArrowRight) - count(Key::ArrowLeft), count(Key::ArrowDown) - count(Key::ArrowUp))
        });
        if (right, down) != (0, 0) {
            to = Some([patch.left.saturating_add_signed(right), patch.top.saturating_add_signed(down)]);
        }
    }
    let to = to.map(|[left, top]| [left.min(most_left), top.min(most_top)])?;
    (to != [patch.left, patch.top]).then_some(to)
}

/// A heat map as a picture to lay over another one; drawn once for each.
fn heat_picture(ui: &Ui, heat: &Heat) -> Arc<Rgba> {
    let slot = Id::unique("heat picture");
    let known = ui.data(|data| data.get_temp::<(Arc<[f32]>, Arc<Rgba>)>(slot));
    if let Some((_, picture)) = known.filter(|(values, _)| Arc::ptr_eq(values, &heat.values)) {
        return picture;
    }
    let picture = Arc::new(painted(heat));
    ui.data_mut(|data| data.insert_temp(slot, (heat.values.clone(), picture.clone())));
    picture
}

/// The heat between its pixels, in colours that let the picture through where it is cold.
fn painted(heat: &Heat) -> Rgba {
    let most = heat.most().max(1e-6);
    let at = |column: usize, row: usize| {
        let index = row.min(heat.height - 1) * heat.width + column.min(heat.width - 1);
        heat.values.get(index).copied().unwrap_or_default()
    };
    let place = |pixel: usize| {
        let place = ((pixel as f32 + 0.5) / FINER as f32 - 0.5).max(0.0);
        (place as usize, place.fract())
    };
    let (width, height) = (heat.width * FINER, heat.height * FINER);
    let mut bytes = Vec::with_capacity(width * height * 4);
    for y in 0..height {
        let (row, down) = place(y);
        for x in 0..width {
            let (column, right) = place(x);
            let line = |row: usize| at(column, row) * (1.0 - right) + at(column + 1, row) * right;
            let value = line(row) * (1.0 - down) + line(row + 1) * down;
            bytes.extend(theme::heat_over(value / most));
        }
    }
    Rgba { width, height, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heat_lets_the_cold_through_and_flows_to_the_hot() {
        let values = [0.0, 0.0, 0.0, 0.8].into();
        let heat = Heat { width: 2, height: 2, values, class: 0, probability: 0.9, window: 1 };
        let picture = painted(&heat);
        assert_eq!((picture.width, picture.height), (8, 8));
        let alpha = |x: usize, y: usize| picture.bytes[(y * 8 + x) * 4 + 3];
        assert_eq!((alpha(0, 0), alpha(7, 7)), (0, 190));
        assert!(alpha(4, 4) > alpha(3, 3) && alpha(3, 3) > 0);
        let cold = painted(&Heat { values: [0.0; 4].into(), ..heat });
        assert!(cold.bytes.chunks(4).all(|pixel| pixel[3] == 0));
    }
}
