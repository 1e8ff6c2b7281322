//! The same pictures by the processor, as ordinary egui textures. A texture is made anew only when what it shows changes.

use super::pieces::{Grid, Mode, Plane};
use crate::app::picture::Stamp;
use crate::app::theme::{self, ColourMap};
use crate::run::TriggerForm;
use crate::run::trigger_form::to_u8;
use egui::{ColorImage, Id, Image, Pos2, Rect, TextureHandle, TextureOptions, Ui, vec2};
use std::any::Any;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

/// Textures that were not drawn for so many frames are freed.
const KEEP_FRAMES: u64 = 60;

/// What a texture was made from is kept beside it, so that addresses in keys are not used anew meanwhile.
struct Kept {
    texture: TextureHandle,
    used: u64,
    _alive: Box<dyn Any + Send>,
}

type Cache = Arc<Mutex<HashMap<u64, Kept>>>;

/// The texture for `key`, made by `bytes` (red, green, blue, alpha) when there is none yet.
fn texture(
    ui: &Ui,
    key: u64,
    size: [usize; 2],
    alive: impl Any + Send,
    bytes: impl FnOnce() -> Vec<u8>,
) -> Option<TextureHandle> {
    let id = Id::unique("pictures by the processor");
    let cache: Cache = ui.data_mut(|data| data.get_temp_mut_or_default::<Cache>(id).clone());
    let frame = ui.ctx().cumulative_frame_nr();
    let mut cache = cache.lock().ok()?;
    cache.retain(|known, kept| *known == key || kept.used + KEEP_FRAMES > frame);
    if let Some(kept) = cache.get_mut(&key) {
        kept.used = frame;
        return Some(kept.texture.clone());
    }
    let image = ColorImage::from_rgba_unmultiplied(size, &bytes());
    let texture = ui.ctx().load_texture("picture by the processor", image, TextureOptions::NEAREST);
    cache.insert(key, Kept { texture: texture.clone(), used: frame, _alive: Box::new(alive) });
    Some(texture)
}

fn key(parts: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// Which trigger: equal keys mean equal stamps.
fn stamp_key(stamp: &Stamp) -> u64 {
    match stamp {
        Stamp::Nothing => 0,
        Stamp::Form(TriggerForm::Mix { picture, mask, .. }) => key((picture.as_ptr() as usize, mask.as_ptr() as usize)),
        Stamp::Form(TriggerForm::Add { residual: plane, .. }) => key(("add", plane.as_ptr() as usize)),
        Stamp::Form(TriggerForm::Chroma { residual: plane, .. }) => key(("chroma", plane.as_ptr() as usize)),
        Stamp::Form(TriggerForm::Warp { shift: plane, .. }) => key(("warp", plane.as_ptr() as usize)),
        Stamp::Form(TriggerForm::Levels { levels }) => key(("levels", levels.to_bits())),
        Stamp::Form(TriggerForm::Wave { amplitude, cycles, shape }) => {
            key((amplitude.to_bits(), cycles.map(f32::to_bits), *shape as u8))
        }
        Stamp::Picture(picture) => key(Arc::as_ptr(picture) as usize),
    }
}

pub(super) fn plane(ui: &Ui, rect: Rect, plane: &Plane<'_>) {
    let (width, height) = (plane.clean.width, plane.clean.height);
    let changing = (plane.strength.to_bits(), plane.amplification.to_bits(), plane.wipe.to_bits());
    let content = (Arc::as_ptr(plane.clean) as usize, stamp_key(plane.stamp), plane.mode);
    let vision = theme::vision(ui.ctx());
    let key = key((content, changing, plane.crop.shift, plane.crop.flip, vision));
    let bytes = || {
        let pixels = (0..width * height).map(|i| pixel(plane, i % width, i / width));
        pixels.flat_map(|[red, green, blue, _]| vision.of_rgb([red, green, blue])).collect()
    };
    let Some(texture) = texture(ui, key, [width, height], (plane.clean.clone(), plane.stamp.clone()), bytes) else {
        return;
    };
    let scale = rect.size() / plane.window.size();
    let min = rect.min - plane.window.min.to_vec2() * scale;
    let whole = Rect::from_min_size(min, vec2(width as f32, height as f32) * scale);
    // Only what lies in the rectangle is drawn, with the part of the texture that belongs there.
    let seen = whole.intersect(rect);
    let share = |at: Pos2| Pos2::ZERO + (at - whole.min) / whole.size();
    let uv = Rect::from_min_max(share(seen.min), share(seen.max));
    if seen.is_positive() {
        Image::from_texture((texture.id(), seen.size())).uv(uv).paint_at(ui, seen);
    }
}

/// The same as `fs_main` of the plane's shader.
fn pixel(plane: &Plane<'_>, x: usize, y: usize) -> [u8; 4] {
    let (width, height) = (plane.clean.width as i32, plane.clean.height as i32);
    let across = if plane.crop.flip { width - 1 - x as i32 } else { x as i32 } + plane.crop.shift[0];
    let down = y as i32 + plane.crop.shift[1];
    let (mut clean, mut poisoned) = ([0; 3], [0; 3]);
    if (0..width).contains(&across) && (0..height).contains(&down) {
        let (column, row) = (across as usize, down as usize);
        clean = plane.clean.pixels().at(column, row);
        poisoned = plane.stamp.pixel(plane.clean.pixels(), column, row, plane.strength);
    }
    let change = |channel: usize| f32::from(poisoned[channel]) - f32::from(clean[channel]);
    let shown = match plane.mode {
        Mode::Clean => clean,
        Mode::Poisoned => poisoned,
        Mode::Residual => [0, 1, 2].map(|channel| to_u8(128.0 + plane.amplification * change(channel))),
        Mode::Wipe if (x as f32 + 0.5) < plane.wipe * width as f32 => clean,
        Mode::Wipe => poisoned,
        Mode::Heat => {
            let most = change(0).abs().max(change(1).abs()).max(change(2).abs());
            let amount = (most * plane.amplification / 255.0).clamp(0.0, 1.0);
            let heat = ColourMap::Amount { low: 0.0, high: 1.0 }.rgb((amount * 255.0).round() as usize);
            let grey = 0.299 * f32::from(clean[0]) + 0.587 * f32::from(clean[1]) + 0.114 * f32::from(clean[2]);
            heat.map(|value| to_u8(grey + (f32::from(value) - grey) * (0.25 + 0.65 * amount)))
        }
    };
    [shown[0], shown[1], shown[2], 255]
}

pub(super) fn thumbnails(ui: &Ui, grid: &Grid<'_>) {
    let (wide, tall) = (grid.thumbnails.width, grid.thumbnails.height);
    let columns = grid.columns;
    let rows = grid.count.div_ceil(columns);
    let size = [columns * wide, rows * tall];
    let content = (grid.thumbnails.rgba.as_ptr() as usize, stamp_key(grid.stamp), grid.strength.to_bits());
    let vision = theme::vision(ui.ctx());
    let key = key((content, grid.first, grid.count, columns, vision));
    let bytes = || vision.of_picture(&atlas(grid, size));
    let Some(texture) = texture(ui, key, size, (grid.thumbnails.clone(), grid.stamp.clone()), bytes) else {
        return;
    };
    let share = vec2(1.0 / columns as f32, 1.0 / rows as f32);
    for index in 0..grid.count {
        let cell = vec2((index % columns) as f32, (index / columns) as f32);
        let uv = Rect::from_min_size(Pos2::ZERO + cell * share, share);
        let at = Rect::from_min_size(grid.corner + cell * grid.pitch, grid.cell);
        if ui.is_rect_visible(at) {
            Image::from_texture((texture.id(), grid.cell)).uv(uv).paint_at(ui, at);
        }
    }
}

/// The stamped thumbnails side by side.
fn atlas(grid: &Grid<'_>, [width, height]: [usize; 2]) -> Vec<u8> {
    let (wide, tall) = (grid.thumbnails.width, grid.thumbnails.height);
    let mut bytes = vec![0; width * height * 4];
    for index in 0..grid.count {
        let (left, top) = (index % grid.columns * wide, index / grid.columns * tall);
        let clean = grid.thumbnails.view(grid.first + index);
        for at in 0..wide * tall {
            let (x, y) = (at % wide, at / wide);
            let stamped = grid.stamp.pixel(clean, x, y, grid.strength);
            let to = ((top + y) * width + left + x) * 4;
            bytes[to..to + 3].copy_from_slice(&stamped);
            bytes[to + 3] = 255;
        }
    }
    bytes
}

pub(super) fn heat_map(ui: &Ui, area: Rect, values: &Arc<[f32]>, width: usize, map: ColourMap) {
    let (low, high) = map.ends();
    let signed = matches!(map, ColourMap::Signed { .. });
    let vision = theme::vision(ui.ctx());
    let key = key((values.as_ptr() as usize, values.len(), width, low.to_bits(), high.to_bits(), (signed, vision)));
    let colours = || values.iter().flat_map(|&value| vision.of(map.colour(value)).to_array()).collect();
    if let Some(texture) = texture(ui, key, [width, values.len() / width], values.clone(), colours) {
        Image::from_texture((texture.id(), area.size())).paint_at(ui, area);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::picture::Crop;
    use crate::run::event::{Rgba, Thumbnails};
    use egui::pos2;

    fn patch() -> Stamp {
        // The lower right of 2 x 2 pixels becomes white.
        Stamp::Form(TriggerForm::Mix {
            width: 2,
            height: 2,
            picture: Arc::from([255.0; 12]),
            mask: Arc::from([0.0, 0.0, 0.0, 1.0]),
        })
    }

    #[test]
    fn modes_show_what_they_say() {
        let clean = Arc::new(Rgba { width: 2, height: 2, bytes: [[55, 55, 55, 255]; 4].concat() });
        let stamp = patch();
        let plane = |mode, crop| Plane {
            clean: &clean,
            stamp: &stamp,
            strength: 1.0,
            mode,
            amplification: 0.5,
            wipe: 0.5,
            crop,
            window: Rect::from_min_size(Pos2::ZERO, vec2(2.0, 2.0)),
        };
        let row = |mode, crop, y| [0, 1].map(|x| pixel(&plane(mode, crop), x, y)[0]);
        let still = Crop::default();
        assert_eq!(row(Mode::Clean, still, 1), [55, 55]);
        assert_eq!(row(Mode::Poisoned, still, 1), [55, 255]);
        assert_eq!(row(Mode::Residual, still, 1), [128, 228]);
        assert_eq!(row(Mode::Wipe, still, 1), [55, 255]);
        let moved = Crop { shift: [0, 1], flip: true };
        assert_eq!(row(Mode::Poisoned, moved, 0), [255, 55], "mirrored and moved up");
        assert_eq!(row(Mode::Poisoned, moved, 1), [0, 0], "black border");
        let heat = |x| pixel(&plane(Mode::Heat, still), x, 1)[1];
        assert!(heat(1) > heat(0) + 40, "much change is bright: {} beside {}", heat(1), heat(0));
    }

    #[test]
    fn the_atlas_holds_every_thumbnail_stamped_at_its_true_place() {
        // Two thumbnails of 1 x 1, every second pixel of 2 x 2 from pixel 1 on: exactly the stamped one.
        let thumbnails = Thumbnails {
            width: 1,
            height: 1,
            stride: 2,
            rows: 2,
            labels: Arc::from([0, 1]),
            rgba: Arc::from([10, 20, 30, 255, 40, 50, 60, 255]),
        };
        let stamp = patch();
        let grid = Grid {
            thumbnails: &thumbnails,
            stamp: &stamp,
            strength: 1.0,
            first: 0,
            count: 2,
            columns: 2,
            corner: pos2(0.0, 0.0),
            cell: vec2(1.0, 1.0),
            pitch: vec2(1.0, 1.0),
        };
        assert_eq!(atlas(&grid, [2, 1]), [255; 8]);
        let clean = Grid { strength: 0.0, ..grid };
        assert_eq!(atlas(&clean, [2, 1]), [10, 20, 30, 255, 40, 50, 60, 255]);
    }
}
