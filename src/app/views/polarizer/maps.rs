//! Feature maps of the chosen picture before the polarizer and behind it. Clean ones must stay, stamped ones must change.

use crate::app::polarizer::{Polarizer, percent};
use crate::app::theme;
use crate::app::widgets::paint_picture;
use crate::run::event::Rgba;
use crate::run::polarizer::{Maps, PolarizerView, Specimen};
use egui::{Align2, CornerRadius, FontId, Rect, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};
use std::sync::Arc;

/// This many standard deviations from the usual are black or white.
const REACH: f32 = 3.0;

/// The maps as pictures, made anew only when picture or strength change.
#[derive(Debug, Default)]
pub struct MapTiles {
    of: Option<(Arc<PolarizerView>, usize, usize)>,
    /// One entry per shown channel: clean before and behind, stamped before and behind.
    tiles: Vec<[Arc<Rgba>; 4]>,
}

impl MapTiles {
    fn tend(&mut self, view: &Arc<PolarizerView>, specimen: &Specimen, polarizer: &Polarizer) {
        let (index, step) = (polarizer.index, polarizer.step);
        let known = |(of, at, turned): &(Arc<PolarizerView>, usize, usize)| {
            Arc::ptr_eq(of, view) && (*at, *turned) == (index, step)
        };
        if self.of.as_ref().is_some_and(known) {
            return;
        }
        let now = polarizer.strength() as f32;
        let tile = |maps: &Maps, place: usize, strength: f32| {
            let (mean, deviation) = view.channels[view.shown[place]].usual(strength);
            Arc::new(tile(maps, view.map_size, place, strength, (mean, deviation)))
        };
        let channel = |place: usize| {
            let (clean, stamped) = (&specimen.clean_maps, &specimen.stamped_maps);
            [tile(clean, place, 0.0), tile(clean, place, now), tile(stamped, place, 0.0), tile(stamped, place, now)]
        };
        let known_channels = (0..view.shown.len()).filter(|&place| view.shown[place] < view.channels.len());
        self.tiles = known_channels.map(channel).collect();
        self.of = Some((view.clone(), index, step));
    }
}

/// One map in grey: the middle is what is usual in this channel on clean pictures at this strength.
fn tile(maps: &Maps, [height, width]: [usize; 2], place: usize, strength: f32, usual: (f32, f32)) -> Rgba {
    let first = place * height * width;
    let bytes = (first..first + height * width).flat_map(|index| {
        let deviations = (maps.at(index, strength) - usual.0) / usual.1.max(f32::MIN_POSITIVE);
        let share = (0.5 + 0.5 * deviations / REACH).clamp(0.0, 1.0);
        let grey = (share * 255.0).round() as u8;
        [grey, grey, grey, u8::MAX]
    });
    Rgba { width, height, bytes: bytes.collect() }
}

/// The maps of a picture as one, a pixel of white between them: a column for each shown channel; from above clean before
/// the layer and behind it at this strength, then stamped in the same way.
pub fn map_sheet(view: &PolarizerView, specimen: &Specimen, strength: f32) -> Rgba {
    let [height, width] = view.map_size;
    let places: Vec<usize> = (0..view.shown.len()).filter(|&place| view.shown[place] < view.channels.len()).collect();
    let (clean, stamped) = (&specimen.clean_maps, &specimen.stamped_maps);
    let lines = [(clean, 0.0), (clean, strength), (stamped, 0.0), (stamped, strength)];
    let whole = [places.len() * (width + 1) + 1, lines.len() * (height + 1) + 1];
    let mut sheet = Rgba { width: whole[0], height: whole[1], bytes: vec![u8::MAX; whole[0] * whole[1] * 4] };
    for (line, (maps, strength)) in lines.into_iter().enumerate() {
        for (column, &place) in places.iter().enumerate() {
            let usual = view.channels[view.shown[place]].usual(strength);
            let tile = tile(maps, view.map_size, place, strength, usual);
            for (row, pixels) in tile.bytes.chunks_exact(width * 4).enumerate() {
                let at = (line * (height + 1) + 1 + row) * whole[0] + column * (width + 1) + 1;
                sheet.bytes[at * 4..at * 4 + pixels.len()].copy_from_slice(pixels);
            }
        }
    }
    sheet
}

/// Four rows of maps, one column per channel, in at most `height` points; the hovered channel is marked here as in the
/// matrix.
pub fn feature_maps(
    ui: &mut Ui,
    polarizer: &Polarizer,
    memory: &mut MapTiles,
    height: f32,
    marked: Option<usize>,
    hovered: &mut Option<usize>,
) {
    let (Some(view), Some(specimen)) = (&polarizer.view, polarizer.specimen()) else {
        return;
    };
    memory.tend(view, specimen, polarizer);
    let t = theme::of(ui);
    let now = format!("at {} %", percent(polarizer.step));
    let names = ["clean, before", &now, "stamped, before", &now];
    let font = FontId::proportional(t.small);
    let word = |ui: &Ui, text: &str| ui.painter().layout_no_wrap(text.to_owned(), font.clone(), t.text_weak).size().x;
    let heads = names.iter().map(|name| word(ui, name)).fold(0.0, f32::max) + t.gap;
    let width = ui.available_width();
    // As many channels as find room at a size at which cells can be told apart.
    let smallest = (t.body * 2.8).max(view.map_size[1] as f32);
    let fits = (((width - heads) / (smallest + 4.0)) as usize).max(1);
    let columns = memory.tiles.len().min(fits).max(1);
    let (top, split) = (t.small * 1.4, t.gap * 0.7);
    let high = ((height - top - split) / 4.0 - 4.0).max(t.body * 1.6);
    let side = ((width - heads) / columns as f32 - 4.0).min(t.body * 4.4).min(high);
    let row = side + 4.0;
    let (rect, response) = ui.allocate_exact_size(vec2(width, top + 4.0 * row + split), Sense::hover());
    let description = format!(
        "Feature maps of channels {}: clean and stamped, before the polarizer and {now}",
        view.shown.iter().take(columns).map(usize::to_string).collect::<Vec<_>>().join(", ")
    );
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Figure, true, &description));
    let left = |column: usize| rect.left() + heads + column as f32 * (side + 4.0);
    let above = |line: usize| rect.top() + top + line as f32 * row + if line > 1 { split } else { 0.0 };
    for (line, name) in names.iter().enumerate() {
        let at = pos2(rect.left(), above(line) + side / 2.0);
        ui.painter().text(at, Align2::LEFT_CENTER, name, font.clone(), t.text_weak);
    }
    let pointed = response.hover_pos().and_then(|at| {
        let column = ((at.x - rect.left() - heads) / (side + 4.0)).floor();
        (column >= 0.0 && (column as usize) < columns).then_some(column as usize)
    });
    *hovered = hovered.or(pointed.and_then(|column| view.shown.get(column).copied()));
    for (column, (tiles, &channel)) in memory.tiles.iter().zip(&view.shown).take(columns).enumerate() {
        let center = left(column) + side / 2.0;
        let is_marked = marked == Some(channel);
        let colour = if is_marked { t.text } else { t.text_weak };
        ui.painter().text(pos2(center, rect.top()), Align2::CENTER_TOP, channel.to_string(), font.clone(), colour);
        for (line, tile) in tiles.iter().enumerate() {
            let place = Rect::from_min_size(pos2(left(column), above(line)), vec2(side, side));
            paint_picture(ui, place, tile);
            let edge = if is_marked { Stroke::new(2.0, t.accent) } else { Stroke::new(1.0, t.line) };
            ui.painter().rect_stroke(place, CornerRadius::same(1), edge, StrokeKind::Outside);
        }
    }
    if let Some(&channel) = pointed.and_then(|column| view.shown.get(column)) {
        let light = &view.channels[channel];
        let deviations = |strength: f32| light.trigger_share(strength).sqrt();
        response.on_hover_text_at_pointer(format!(
            "Channel {channel}. Grey is usual in clean pictures, black and white are {REACH} standard deviations away. \
             Over all pictures the trigger moves it by {:.2} of them before the polarizer, by {:.2} {now}.",
            deviations(0.0),
            deviations(polarizer.strength() as f32)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_is_grey_and_the_ends_are_black_and_white() {
        let maps = Maps { before: [2.0, 5.0, -1.0, 99.0].into(), after: [0.0; 4].into() };
        let tile = tile(&maps, [2, 2], 0, 0.0, (2.0, 1.0));
        let greys: Vec<u8> = tile.bytes.chunks(4).map(|pixel| pixel[0]).collect();
        assert_eq!(greys, [128, 255, 0, 255]);
    }
}
