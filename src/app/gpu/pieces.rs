//! What can be drawn, and the choice between the graphics card and the processor.

use super::callback::{Draw, Numbers, Piece};
use super::fallback;
use super::store::{LINE, Source};
use super::{Ready, ready};
use crate::app::picture::{Crop, Stamp};
use crate::app::theme::{self, ColourMap};
use crate::run::event::{Rgba, Thumbnails};
use crate::run::{TriggerForm, WaveShape};
use egui::{Pos2, Rect, Ui, Vec2, pos2, vec2};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// What of a picture is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    Clean,
    Poisoned,
    /// 128 + k (poisoned - clean).
    Residual,
    /// Clean left of a line, poisoned right of it.
    Wipe,
    /// The amount of change as viridis over the grey picture.
    Heat,
}

/// One picture in a rectangle.
#[derive(Debug, Clone)]
pub struct Plane<'a> {
    pub clean: &'a Arc<Rgba>,
    pub stamp: &'a Stamp,
    /// 0 is no trigger, 1 the attack's own.
    pub strength: f32,
    pub mode: Mode,
    /// The k of residual and heat.
    pub amplification: f32,
    /// Where the line of the wipe stands, 0 to 1 across the picture.
    pub wipe: f32,
    pub crop: Crop,
    /// The part of the picture that fills the rectangle, in pixels of the picture; may reach beyond it.
    pub window: Rect,
}

/// Thumbnails in rows and columns.
#[derive(Debug, Clone)]
pub struct Grid<'a> {
    pub thumbnails: &'a Thumbnails,
    pub stamp: &'a Stamp,
    pub strength: f32,
    /// The first thumbnail that is drawn and how many follow; the others are not looked at.
    pub first: usize,
    pub count: usize,
    pub columns: usize,
    /// Where the first one's corner is, how large one is, and how far apart they begin, in points.
    pub corner: Pos2,
    pub cell: Vec2,
    pub pitch: Vec2,
}

/// Draws one picture; only what lies in the clip rectangle is looked at.
pub fn plane(ui: &Ui, rect: Rect, plane: &Plane<'_>) {
    if !plane.clean.is_whole() {
        return;
    }
    let Some((seen, window)) = visible(ui, rect, plane.window) else {
        return;
    };
    let Some(ready) = ready(ui.ctx()) else {
        return fallback::plane(ui, rect, plane);
    };
    let size = vec2(plane.clean.width as f32, plane.clean.height as f32);
    let mode = match plane.mode {
        Mode::Clean => 0,
        Mode::Poisoned => 1,
        Mode::Residual => 2,
        Mode::Wipe => 3,
        Mode::Heat => 4,
    };
    let numbers = trigger_numbers(plane.stamp, plane.strength, 1)
        .pair(window.min.to_vec2())
        .pair(window.size())
        .pair(size)
        .pair(vec2(plane.crop.shift[0] as f32, plane.crop.shift[1] as f32))
        .whole(u32::from(plane.crop.flip))
        .whole(mode)
        .float(plane.amplification)
        .float(plane.wipe)
        .whole(u32::from(ready.linear_target))
        .whole(theme::vision(ui.ctx()) as u32);
    let draw = Draw {
        slot: slot(Piece::Plane, rect, Arc::as_ptr(plane.clean) as usize),
        piece: Piece::Plane,
        uniforms: numbers,
        form: form_source(plane.stamp),
        picture: Source::Picture(plane.clean.clone()),
        instances: 1,
    };
    ui.painter().add(draw.into_shape(seen));
}

/// Draws thumbnails into `rect`, all in one go.
pub fn thumbnails(ui: &Ui, rect: Rect, grid: &Grid<'_>) {
    let count = grid.count.min(grid.thumbnails.len().saturating_sub(grid.first));
    let seen = rect.intersect(ui.clip_rect()).intersect(ui.ctx().content_rect());
    if count == 0 || grid.columns == 0 || !seen.is_positive() {
        return;
    }
    let Some(Ready { linear_target }) = ready(ui.ctx()) else {
        return fallback::thumbnails(ui, &Grid { count, ..grid.clone() });
    };
    // The viewport is made of whole pixels; the cells are placed from its rounded corner.
    let scale = ui.ctx().pixels_per_point();
    let pixels = |at: Pos2| (at.to_vec2() * scale).round();
    let (min, max) = (pixels(seen.min), pixels(seen.max));
    let index = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let numbers = trigger_numbers(grid.stamp, grid.strength, index(grid.thumbnails.stride))
        .pair(max - min)
        .pair(grid.corner.to_vec2() * scale - min)
        .pair(grid.cell * scale)
        .pair(grid.pitch * scale)
        .whole(index(grid.thumbnails.width))
        .whole(index(grid.thumbnails.height))
        .whole(index(grid.first))
        .whole(index(grid.columns))
        .whole(LINE)
        .whole(u32::from(linear_target))
        .whole(theme::vision(ui.ctx()) as u32);
    let draw = Draw {
        slot: slot(Piece::Thumbnails, rect, grid.thumbnails.rgba.as_ptr() as usize),
        piece: Piece::Thumbnails,
        uniforms: numbers,
        form: form_source(grid.stamp),
        picture: Source::Thumbnails(grid.thumbnails.clone(), grid.first..grid.first + count),
        instances: index(count),
    };
    ui.painter().add(draw.into_shape(seen));
}

/// Draws a matrix (`width x height`, row by row) as square cells, as large as they fit into the middle of `rect`; returns
/// where they are. The scale belongs printed beside it: [`ColourMap::ends`].
pub fn heat_map(ui: &Ui, rect: Rect, values: &Arc<[f32]>, width: usize, height: usize, map: ColourMap) -> Rect {
    if width == 0 || height == 0 || values.len() != width * height {
        return Rect::from_center_size(rect.center(), Vec2::ZERO);
    }
    let size = vec2(width as f32, height as f32);
    let area = Rect::from_center_size(rect.center(), size * (rect.width() / size.x).min(rect.height() / size.y));
    let Some((seen, window)) = visible(ui, area, Rect::from_min_size(Pos2::ZERO, size)) else {
        return area;
    };
    let Some(ready) = ready(ui.ctx()) else {
        fallback::heat_map(ui, area, values, width, map);
        return area;
    };
    let (low, high) = map.ends();
    let line = match map {
        ColourMap::Amount { .. } => 0,
        ColourMap::Signed { .. } => 1,
    };
    let line = line + 2 * theme::vision(ui.ctx()) as u32;
    let numbers = Numbers::new()
        .pair(size)
        .pair(window.min.to_vec2())
        .pair(window.size())
        .float(low)
        .float(high)
        .whole(line)
        .whole(u32::from(ready.linear_target));
    let draw = Draw {
        slot: slot(Piece::Heat, area, values.as_ptr() as usize),
        piece: Piece::Heat,
        uniforms: numbers,
        form: Source::Blank,
        picture: Source::Values { width, height, values: values.clone() },
        instances: 1,
    };
    ui.painter().add(draw.into_shape(seen));
    area
}

/// The visible part of `rect`, and which part of `window` lies in it.
fn visible(ui: &Ui, rect: Rect, window: Rect) -> Option<(Rect, Rect)> {
    let seen = rect.intersect(ui.clip_rect()).intersect(ui.ctx().content_rect());
    if !seen.is_positive() {
        return None;
    }
    let within = |at: Pos2| {
        let share = (at - rect.min) / rect.size();
        pos2(window.min.x + share.x * window.width(), window.min.y + share.y * window.height())
    };
    Some((seen, Rect::from_min_max(within(seen.min), within(seen.max))))
}

/// The same place and content keep their slot on the card.
fn slot(piece: Piece, rect: Rect, content: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    let corners = [rect.min.x, rect.min.y, rect.max.x, rect.max.y].map(f32::to_bits);
    (piece, corners, content).hash(&mut hasher);
    hasher.finish()
}

fn form_source(stamp: &Stamp) -> Source {
    let form = match stamp {
        Stamp::Form(form) => form,
        Stamp::Picture(stamped) if stamped.is_whole() => return Source::Picture(stamped.clone()),
        Stamp::Picture(_) | Stamp::Nothing => return Source::Blank,
    };
    let (width, height, planes, more) = match form {
        TriggerForm::Mix { width, height, picture, mask } => (width, height, picture, Some(mask)),
        TriggerForm::Add { width, height, residual } | TriggerForm::Chroma { width, height, residual } => {
            (width, height, residual, None)
        }
        TriggerForm::Warp { width, height, shift } => (width, height, shift, None),
        TriggerForm::Wave { .. } | TriggerForm::Levels { .. } => return Source::Blank,
    };
    Source::Form { width: *width, height: *height, planes: planes.clone(), more: more.cloned() }
}

/// The shader's struct `Trigger`; pictures may be thinned out by `stride`.
fn trigger_numbers(stamp: &Stamp, strength: f32, stride: u32) -> Numbers {
    let still = [0.0; 2];
    let (kind, wave, amplitude, cycles) = match stamp {
        Stamp::Nothing => (0, 0, 0.0, still),
        Stamp::Form(TriggerForm::Mix { .. }) => (1, 0, 0.0, still),
        Stamp::Form(TriggerForm::Wave { amplitude, cycles, shape }) => {
            let wave = match shape {
                WaveShape::Sine => 0,
                WaveShape::Ramp => 1,
                WaveShape::Triangle => 2,
            };
            (2, wave, *amplitude, *cycles)
        }
        Stamp::Picture(_) => (3, 0, 0.0, still),
        Stamp::Form(TriggerForm::Add { .. }) => (4, 0, 0.0, still),
        Stamp::Form(TriggerForm::Chroma { .. }) => (5, 0, 0.0, still),
        Stamp::Form(TriggerForm::Levels { levels }) => (6, 0, *levels, still),
        Stamp::Form(TriggerForm::Warp { .. }) => (7, 0, 0.0, still),
    };
    let numbers = Numbers::new().whole(kind).whole(wave).float(strength).float(amplitude);
    numbers.pair(cycles.into()).whole(stride).whole(0)
}
