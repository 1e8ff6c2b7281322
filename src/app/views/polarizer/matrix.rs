//! The layer itself: matrix minus identity as a heat map, with the light that arrives in each channel above its column and
//! the light that leaves beside its row. All three share one order of channels, so one glance along a row and a column
//! tells where the light of a channel goes.

use crate::app::theme::{self, ColourMap, Role, Tokens};
use crate::app::{gpu, widgets};
use crate::run::polarizer::{ChannelLight, PolarizerView};
use egui::{
    Align2, Color32, CornerRadius, FontId, Painter, Pos2, Rect, Sense, Stroke, StrokeKind, Ui, UiBuilder, WidgetInfo,
    pos2, vec2,
};
use std::cmp::Reverse;
use std::sync::Arc;

/// A matrix with more channels is cut to the most dimmed ones until all are asked for.
pub const MANY: usize = 96;
const FEW: usize = 64;

/// What the bars show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Light {
    /// How far the trigger moves a channel, in standard deviations of clean pictures.
    #[default]
    Trigger,
    /// Energy of clean and of stamped pictures.
    All,
}

impl Light {
    pub const ALL: [Light; 2] = [Light::Trigger, Light::All];

    pub fn name(self) -> &'static str {
        match self {
            Light::All => "All light",
            Light::Trigger => "Trigger's light",
        }
    }

    pub fn meaning(self) -> &'static str {
        match self {
            Light::All => "Energy of each channel, the mean square of its features, for clean and for stamped pictures",
            Light::Trigger => {
                "How far the trigger moves each channel, in standard deviations of that channel on clean pictures"
            }
        }
    }

    /// Lengths of a channel's bars at a strength.
    fn bars(self, light: &ChannelLight, strength: f32) -> Vec<(Role, f32)> {
        match self {
            Light::All => {
                vec![(Role::Clean, light.clean.at(strength)), (Role::Attacked, light.stamped.at(strength))]
            }
            Light::Trigger => vec![(Role::Attacked, light.trigger_share(strength).sqrt())],
        }
    }

    /// How much the polarizer takes away from the stamped pictures' light in a channel.
    fn dimming(self, light: &ChannelLight) -> f32 {
        let stamped = |strength| self.bars(light, strength).last().map_or(0.0, |(_, length)| *length);
        stamped(0.0) - stamped(1.0)
    }
}

/// The matrix in the order of its channels, made anew only when something about them changes.
#[derive(Debug, Default)]
pub struct MatrixMemory {
    of: Option<(Arc<PolarizerView>, Light, bool)>,
    order: Vec<usize>,
    /// Matrix minus identity in this order.
    values: Arc<[f32]>,
    /// The value at which the colours end.
    scale: f32,
    /// Smallest and largest entry on the diagonal of the difference.
    diagonal: (f32, f32),
}

impl MatrixMemory {
    fn tend(&mut self, view: &Arc<PolarizerView>, light: Light, all: bool) {
        let known = |(of, lit, whole): &(Arc<PolarizerView>, Light, bool)| {
            Arc::ptr_eq(of, view) && (*lit, *whole) == (light, all)
        };
        if self.of.as_ref().is_some_and(known) {
            return;
        }
        let channels = view.matrix.channels.min(view.channels.len());
        let mut order: Vec<usize> = (0..channels).collect();
        order.sort_by_cached_key(|&channel| Reverse(ordered(light.dimming(&view.channels[channel]))));
        if channels > MANY && !all {
            order.truncate(FEW);
        }
        let difference = |out, input| view.matrix.difference(out, input);
        let off = (0..channels).flat_map(|out| (0..channels).map(move |input| (out, input)));
        let off = off.filter(|(out, input)| out != input).map(|(out, input)| difference(out, input).abs());
        let on = (0..channels).map(|channel| difference(channel, channel));
        self.diagonal = on.fold((f32::MAX, f32::MIN), |(low, high), value| (low.min(value), high.max(value)));
        let largest = off.fold(0.0, f32::max);
        // A layer without mixing has only its diagonal to show.
        self.scale = if largest > 0.0 { largest } else { self.diagonal.0.abs().max(self.diagonal.1.abs()).max(1e-6) };
        let cells = order.iter().flat_map(|&out| order.iter().map(move |&input| (out, input)));
        self.values = cells.map(|(out, input)| difference(out, input)).collect();
        self.order = order;
        self.of = Some((view.clone(), light, all));
    }
}

/// A key that sorts like the number.
fn ordered(value: f32) -> i64 {
    (f64::from(value) * 1e9) as i64
}

/// Where the parts lie.
struct Places {
    square: Rect,
    above: Rect,
    beside: Rect,
    cell: f32,
}

impl Places {
    fn new(t: &Tokens, area: Rect, channels: usize, pixels_per_point: f32) -> Self {
        let caption = t.small * 1.5;
        let scale = t.small * 3.4;
        let bars = (area.width() * 0.17).min(area.height() * 0.15).max(t.body * 3.0);
        let room = (area.width() - bars - 4.0).min(area.height() - caption - bars - 4.0 - scale).max(t.body * 6.0);
        // Cells are whole pixels where that leaves any.
        let cell = room / channels.max(1) as f32;
        let snapped = (cell * pixels_per_point).floor() / pixels_per_point;
        let cell = if snapped > 0.0 { snapped } else { cell };
        let side = cell * channels.max(1) as f32;
        let corner = area.min + vec2(0.0, caption + bars + 4.0);
        let square = Rect::from_min_size(corner, vec2(side, side));
        let above = Rect::from_min_max(pos2(corner.x, area.top() + caption), pos2(corner.x + side, corner.y - 4.0));
        let beside = Rect::from_min_size(pos2(square.right() + 4.0, corner.y), vec2(bars, side));
        Self { square, above, beside, cell }
    }

    /// Row and column under the pointer; bars stand for their channel's row and column.
    fn at(&self, pointer: Pos2, channels: usize) -> Option<(usize, usize)> {
        let index = |offset: f32| ((offset / self.cell).max(0.0) as usize).min(channels.saturating_sub(1));
        let (column, row) = (index(pointer.x - self.square.left()), index(pointer.y - self.square.top()));
        if self.square.contains(pointer) {
            Some((row, column))
        } else if self.above.contains(pointer) {
            Some((column, column))
        } else if self.beside.contains(pointer) {
            Some((row, row))
        } else {
            None
        }
    }
}

/// How the layer is shown.
pub struct Showing {
    pub light: Light,
    /// Every channel, however many.
    pub all: bool,
    pub strength: f32,
    /// A channel that is pointed at elsewhere.
    pub marked: Option<usize>,
}

/// Draws the layer into `height` points; `hovered` becomes the channel under the pointer.
pub fn matrix(
    ui: &mut Ui,
    view: &Arc<PolarizerView>,
    memory: &mut MatrixMemory,
    showing: &Showing,
    height: f32,
    hovered: &mut Option<usize>,
) {
    let t = theme::of(ui);
    memory.tend(view, showing.light, showing.all);
    let channels = memory.order.len();
    let (area, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let places = Places::new(&t, area, channels, ui.ctx().pixels_per_point());
    let description = description(view, memory);
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Figure, true, &description));
    let painter = ui.painter_at(area);
    let pointed = response.hover_pos().and_then(|pointer| places.at(pointer, channels));
    let place_of = |channel: usize| memory.order.iter().position(|&other| other == channel);
    let marked = pointed.or_else(|| showing.marked.and_then(place_of).map(|place| (place, place)));

    let map = ColourMap::Signed { most: memory.scale };
    gpu::heat_map(ui, places.square, &memory.values, channels, channels, map);
    painter.rect_stroke(places.square, CornerRadius::ZERO, Stroke::new(1.0, t.line_strong), StrokeKind::Outside);
    bars(&painter, &t, view, memory, showing, &places, marked);
    captions(&painter, &t, view, memory, showing, area, &places);
    scale(ui, &t, view, memory, &places);
    if let Some((row, column)) = marked {
        let strip = |row: bool, index: usize| {
            let from = index as f32 * places.cell;
            let (min, size) = if row {
                (places.square.min + vec2(0.0, from), vec2(places.square.width(), places.cell))
            } else {
                (places.square.min + vec2(from, 0.0), vec2(places.cell, places.square.height()))
            };
            Rect::from_min_size(min, size)
        };
        let edge = Stroke::new(2.0, t.accent);
        painter.rect_stroke(strip(true, row), CornerRadius::ZERO, edge, StrokeKind::Outside);
        painter.rect_stroke(strip(false, column), CornerRadius::ZERO, edge, StrokeKind::Outside);
    }
    if let Some((row, column)) = pointed {
        let in_square = response.hover_pos().is_some_and(|pointer| places.square.contains(pointer));
        let (out, input) = (memory.order[row], memory.order[column]);
        *hovered = Some(out);
        let words = if in_square { cell_words(view, out, input) } else { channel_words(view, out, showing) };
        response.on_hover_text_at_pointer(words);
    }
}

fn signed(value: f32) -> String {
    format!("{value:+.3}").replace('-', "\u{2212}")
}

fn cell_words(view: &PolarizerView, out: usize, input: usize) -> String {
    let (value, difference) = (view.matrix.difference(out, input), view.matrix.difference(out, input));
    if out == input {
        format!("Channel {out} keeps {} of itself: {} against the identity", signed(value + 1.0), signed(difference))
    } else {
        format!("Out channel {out} gets {} of in channel {input}", signed(value))
    }
}

fn channel_words(view: &PolarizerView, channel: usize, showing: &Showing) -> String {
    let light = &view.channels[channel];
    let now = format!("behind it, at {:.0} %", showing.strength * 100.0);
    match showing.light {
        Light::All => format!(
            "Channel {channel}. Before the polarizer: clean {:.2}, stamped {:.2}; {now}: clean {:.2}, stamped {:.2}",
            light.clean.at(0.0),
            light.stamped.at(0.0),
            light.clean.at(showing.strength),
            light.stamped.at(showing.strength)
        ),
        Light::Trigger => format!(
            "Channel {channel}. The trigger moves it by {:.2} standard deviations before the polarizer; {now}: {:.2}",
            light.trigger_share(0.0).sqrt(),
            light.trigger_share(showing.strength).sqrt()
        ),
    }
}

fn description(view: &PolarizerView, memory: &MatrixMemory) -> String {
    let largest = memory.order.first().copied().unwrap_or_default();
    format!(
        "The layer's {} × {} matrix minus the identity: off the diagonal up to {:.2} in size, on it from {} to {}. \
         The channel that it dims most is {largest}.",
        view.matrix.channels,
        view.matrix.channels,
        memory.scale,
        signed(memory.diagonal.0),
        signed(memory.diagonal.1)
    )
}

/// Bars above and beside the square, on one scale that does not move with the dial.
fn bars(
    painter: &Painter,
    t: &Tokens,
    view: &PolarizerView,
    memory: &MatrixMemory,
    showing: &Showing,
    places: &Places,
    marked: Option<(usize, usize)>,
) {
    let light = |channel: usize, strength: f32| showing.light.bars(&view.channels[channel], strength);
    // What arrives fills the height; the few channels that leave brighter than any arrived are cut and marked.
    let longest = longest(view, memory, showing.light);
    let gap = if places.cell > 5.0 { 1.0 } else { 0.0 };
    for (place, &channel) in memory.order.iter().enumerate() {
        let from = place as f32 * places.cell;
        let (before, behind) = (light(channel, 0.0), light(channel, showing.strength));
        let wide = (places.cell - gap) / before.len() as f32;
        if marked.is_some_and(|(_, column)| column == place) {
            let strip =
                Rect::from_min_size(places.above.min + vec2(from, 0.0), vec2(places.cell, places.above.height()));
            painter.rect_filled(strip, CornerRadius::ZERO, t.accent_soft);
        }
        if marked.is_some_and(|(row, _)| row == place) {
            let strip =
                Rect::from_min_size(places.beside.min + vec2(0.0, from), vec2(places.beside.width(), places.cell));
            painter.rect_filled(strip, CornerRadius::ZERO, t.accent_soft);
        }
        for (index, ((role, up), (_, out))) in before.into_iter().zip(behind).enumerate() {
            let offset = from + index as f32 * wide;
            let (up, out) = (up / longest * places.above.height(), out / longest * places.beside.width());
            let bar = Rect::from_min_max(
                pos2(places.above.left() + offset, places.above.bottom() - up),
                pos2(places.above.left() + offset + wide, places.above.bottom()),
            );
            painter.rect_filled(bar, CornerRadius::ZERO, t.role(role));
            let width = out.min(places.beside.width());
            let bar = Rect::from_min_size(places.beside.min + vec2(0.0, offset), vec2(width, wide));
            painter.rect_filled(bar, CornerRadius::ZERO, t.role(role));
            if out > width {
                let cut = Rect::from_min_size(bar.right_top() - vec2(6.0, 0.0), vec2(2.0, wide));
                painter.rect_filled(cut, CornerRadius::ZERO, t.card);
            }
        }
    }
    let axis = Stroke::new(1.0, t.line_strong);
    painter.line_segment([places.above.left_bottom(), places.above.right_bottom()], axis);
    painter.line_segment([places.beside.left_top(), places.beside.left_bottom()], axis);
}

/// The longest bar above the square.
fn longest(view: &PolarizerView, memory: &MatrixMemory, light: Light) -> f32 {
    let arriving = memory.order.iter().flat_map(|&channel| light.bars(&view.channels[channel], 0.0));
    arriving.fold(f32::MIN_POSITIVE, |most, (_, length)| most.max(length))
}

fn captions(
    painter: &Painter,
    t: &Tokens,
    view: &PolarizerView,
    memory: &MatrixMemory,
    showing: &Showing,
    area: Rect,
    places: &Places,
) {
    let font = FontId::proportional(t.small);
    let most = longest(view, memory, showing.light);
    let what = match showing.light {
        Light::All => format!("energy that arrives, up to {most:.2}"),
        Light::Trigger => format!("trigger against clean light, up to {most:.2}"),
    };
    painter.text(area.left_top(), Align2::LEFT_TOP, what, font.clone(), t.text_weak);
    let corner = pos2(places.beside.left(), places.above.bottom());
    painter.text(corner, Align2::LEFT_BOTTOM, "what leaves", font.clone(), t.text_weak);
    let legend: &[(Color32, &str)] = match showing.light {
        Light::All => &[(t.clean, "clean"), (t.attacked, "stamped")],
        Light::Trigger => &[(t.attacked, "trigger")],
    };
    for (line, (colour, word)) in legend.iter().enumerate() {
        let y = area.top() + t.small * (0.7 + 1.35 * line as f32);
        let x = places.beside.left();
        let key = Rect::from_center_size(pos2(x + t.small * 0.4, y), vec2(t.small * 0.8, t.small * 0.8));
        painter.rect_filled(key, CornerRadius::same(2), *colour);
        painter.text(pos2(x + t.small * 1.1, y), Align2::LEFT_CENTER, word, font.clone(), t.text_weak);
    }
}

/// The colours with their values, and what lies beyond them.
fn scale(ui: &mut Ui, t: &Tokens, view: &PolarizerView, memory: &MatrixMemory, places: &Places) {
    let top = places.square.bottom() + t.small * 0.6;
    let size = vec2(places.square.width(), t.body * 0.6 + t.small * 1.5);
    let room = Rect::from_min_size(pos2(places.square.left(), top), size);
    let map = ColourMap::Signed { most: memory.scale };
    ui.scope_builder(UiBuilder::new().max_rect(room), |ui| widgets::colour_scale(ui, map, "matrix minus identity"));
    let mut remarks = Vec::new();
    if memory.diagonal.0.abs().max(memory.diagonal.1.abs()) > memory.scale * 1.01 {
        remarks.push(format!("diagonal {} to {}", signed(memory.diagonal.0), signed(memory.diagonal.1)));
    }
    if view.folded {
        remarks.push("batch normalisation folded in".to_owned());
    }
    let font = FontId::proportional(t.small);
    let at = room.left_bottom() + vec2(0.0, t.small * 0.2);
    ui.painter().text(at, Align2::LEFT_TOP, remarks.join("; "), font, t.text_weak);
}
