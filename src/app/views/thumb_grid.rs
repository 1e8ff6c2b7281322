//! Thousands of small pictures: only the rows in sight are looked at, and they are stamped while they are drawn.

use crate::app::gpu;
use crate::app::picture::Stamp;
use crate::app::theme;
use crate::run::event::Thumbnails;
use egui::{EventFilter, Key, Rect, ScrollArea, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, vec2};

/// Between two pictures, in points.
const GAP: f32 = 3.0;

/// Pictures of which one is chosen.
pub struct ThumbGrid<'a> {
    pub thumbnails: &'a Thumbnails,
    pub stamp: &'a Stamp,
    pub strength: f32,
    pub chosen: usize,
    /// What the tooltip of a picture says.
    pub say: &'a dyn Fn(usize) -> String,
}

impl ThumbGrid<'_> {
    /// Fills the rest of `ui`; returns the picture that was clicked or reached by the arrow keys.
    pub fn show(&self, ui: &mut Ui) -> Option<usize> {
        let t = theme::of(ui);
        let count = self.thumbnails.len();
        let width = ui.available_width() - ui.spacing().scroll.allocated_width();
        let cell = self.cell(ui, t.body * 3.6);
        let columns = (((width + GAP) / (cell.x + GAP)) as usize).max(1);
        // What is left over goes between the columns.
        let pitch = vec2((width + GAP) / columns as f32, cell.y + GAP);
        let height = count.div_ceil(columns) as f32 * pitch.y;
        let mut picked = None;
        ScrollArea::vertical().id_salt("thumbnails").auto_shrink(false).show_viewport(ui, |ui, viewport| {
            ui.set_height(height);
            let area = Rect::from_min_size(ui.max_rect().min, vec2(width, height));
            let id = ui.scope_id().with("thumbnails");
            let response = ui.interact(area.intersect(ui.clip_rect()), id, Sense::click());
            let name = || format!("Test pictures: {} is chosen, {}", self.chosen, (self.say)(self.chosen));
            response.widget_info(|| WidgetInfo::labeled(egui::Role::ListBox, true, name()));
            let first_row = (viewport.top() / pitch.y).max(0.0) as usize;
            let rows = (viewport.height() / pitch.y).ceil() as usize + 1;
            let first = (first_row * columns).min(count);
            let corner = area.min + vec2(0.0, first_row as f32 * pitch.y);
            let grid = gpu::Grid {
                thumbnails: self.thumbnails,
                stamp: self.stamp,
                strength: self.strength,
                first,
                count: (rows * columns).min(count - first),
                columns,
                corner,
                cell,
                pitch,
            };
            gpu::thumbnails(ui, ui.clip_rect(), &grid);
            let place = |index: usize| {
                let at = vec2((index % columns) as f32, (index / columns) as f32) * pitch;
                Rect::from_min_size(area.min + at, cell)
            };
            let ring = |index: usize, stroke| {
                ui.painter().rect_stroke(place(index), 1.0, stroke, StrokeKind::Outside);
            };
            if self.chosen < count {
                ring(self.chosen, Stroke::new(3.0, t.accent));
            }
            if response.has_focus() {
                ui.painter().rect_stroke(ui.clip_rect(), 2.0, Stroke::new(2.0, t.link), StrokeKind::Inside);
            }
            let under = response.hover_pos().and_then(|at| {
                let share = (at - area.min) / pitch;
                let index = share.y as usize * columns + (share.x as usize).min(columns - 1);
                (index < count && place(index).expand(GAP).contains(at)).then_some(index)
            });
            if let Some(index) = under {
                ring(index, Stroke::new(1.5, t.text));
                if response.clicked() {
                    picked = Some(index);
                    response.request_focus();
                }
            }
            if let Some(index) = arrows(ui, id, self.chosen, columns, count) {
                ui.scroll_to_rect(place(index).expand(GAP), None);
                picked = Some(index);
            }
            if let Some(index) = under {
                response.on_hover_text_at_pointer((self.say)(index));
            }
        });
        picked
    }

    /// The size of a picture near `wanted` points, a whole number of screen pixels per pixel so that all are alike.
    fn cell(&self, ui: &Ui, wanted: f32) -> Vec2 {
        let scale = ui.ctx().pixels_per_point();
        let size = vec2(self.thumbnails.width as f32, self.thumbnails.height as f32);
        let factor = (wanted * scale / size.max_elem().max(1.0)).round().max(1.0);
        size * factor / scale
    }
}

/// Where the arrow keys lead while the grid has the focus.
fn arrows(ui: &Ui, id: egui::Id, chosen: usize, columns: usize, count: usize) -> Option<usize> {
    let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
    if !ui.memory(|memory| memory.has_focus(id)) || count == 0 {
        return None;
    }
    let pressed = |key| ui.input(|input| input.key_pressed(key));
    let moves = [(Key::ArrowRight, 1), (Key::ArrowLeft, -1), (Key::ArrowDown, columns as i64)];
    let step: i64 = moves
        .iter()
        .chain(&[(Key::ArrowUp, -(columns as i64))])
        .filter(|(key, _)| pressed(*key))
        .map(|(_, step)| step)
        .sum();
    (step != 0).then(|| (chosen as i64 + step).clamp(0, count as i64 - 1) as usize)
}
