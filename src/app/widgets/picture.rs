//! Pictures: pixels as they are, with a name below and a description for those who cannot see them.

use crate::app::theme::{self, Vision};
use crate::run::event::Rgba;
use egui::{
    ColorImage, CornerRadius, Image, Rect, Response, Stroke, StrokeKind, TextureHandle, TextureOptions, Ui, vec2,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// Textures not drawn for this many frames are freed.
const KEEP_FRAMES: u64 = 240;

/// Textures by the picture they show. The picture is kept beside its texture, so its address cannot be reused meanwhile.
#[derive(Default)]
struct Cache {
    textures: HashMap<(usize, Vision), (Arc<Rgba>, TextureHandle, u64)>,
}

fn texture(ui: &Ui, rgba: &Arc<Rgba>) -> Option<TextureHandle> {
    if rgba.width == 0 || rgba.height == 0 || rgba.bytes.len() != rgba.width * rgba.height * 4 {
        return None;
    }
    let cache: Arc<Mutex<Cache>> =
        ui.data_mut(|data| data.get_temp_mut_or_default::<Arc<Mutex<Cache>>>(egui::Id::unique("pictures")).clone());
    let frame = ui.ctx().cumulative_frame_nr();
    let mut cache = cache.lock().ok()?;
    let vision = theme::vision(ui.ctx());
    let key = (Arc::as_ptr(rgba) as usize, vision);
    if let Some((_, handle, used)) = cache.textures.get_mut(&key) {
        *used = frame;
        return Some(handle.clone());
    }
    cache.textures.retain(|_, (_, _, used)| *used + KEEP_FRAMES > frame);
    let image = ColorImage::from_rgba_unmultiplied([rgba.width, rgba.height], &vision.of_picture(&rgba.bytes));
    let handle = ui.ctx().load_texture("picture", image, TextureOptions::NEAREST);
    cache.textures.insert(key, (rgba.clone(), handle.clone(), frame));
    Some(handle)
}

/// A picture over the whole of `rect`, without a frame and without a name: for drawings that describe themselves.
pub fn paint_picture(ui: &Ui, rect: Rect, rgba: &Arc<Rgba>) {
    if let Some(texture) = texture(ui, rgba) {
        Image::from_texture(&texture).paint_at(ui, rect);
    }
}

/// A picture that was clicked with the second button, and what it is called.
pub type Wanted = (String, Arc<Rgba>);

fn wanted_slot() -> egui::Id {
    egui::Id::unique("picture to save")
}

/// The picture that somebody wants to save, once.
pub fn take_wanted(ctx: &egui::Context) -> Option<Wanted> {
    ctx.data_mut(|data| {
        let wanted = data.get_temp(wanted_slot());
        data.remove::<Wanted>(wanted_slot());
        wanted
    })
}

/// The second mouse button offers to save a picture; the keyboard reaches the same by the export command.
fn offer_to_save(ui: &Ui, response: &Response, rgba: &Arc<Rgba>, name: &str) {
    if response.contains_pointer() && ui.input(|input| input.pointer.secondary_clicked()) {
        ui.data_mut(|data| data.insert_temp::<Wanted>(wanted_slot(), (name.to_owned(), rgba.clone())));
    }
}

/// A picture in a square of `side` points, `name` below it; `alt` is what a screen reader says.
pub fn picture_tile(ui: &mut Ui, rgba: &Arc<Rgba>, side: f32, name: &str, alt: &str) -> Response {
    let t = theme::of(ui);
    let column = egui::Layout::top_down(egui::Align::LEFT);
    let height = side + if name.is_empty() { 0.0 } else { t.small * 1.5 + 4.0 };
    ui.allocate_ui_with_layout(vec2(side, height), column, |ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        let response = match texture(ui, rgba) {
            Some(texture) => {
                let longest = rgba.width.max(rgba.height) as f32;
                let size = vec2(rgba.width as f32, rgba.height as f32) * (side / longest);
                let image = Image::from_texture((texture.id(), size)).fit_to_exact_size(size).alt_text(alt);
                let (rect, _) = ui.allocate_exact_size(vec2(side, side), egui::Sense::hover());
                let rect = Rect::from_center_size(rect.center(), size);
                let response = ui.put(rect, image);
                offer_to_save(ui, &response, rgba, if name.is_empty() { alt } else { name });
                let edge = Stroke::new(1.0, t.line);
                ui.painter().rect_stroke(rect, CornerRadius::same(2), edge, StrokeKind::Outside);
                response
            }
            None => {
                let (rect, response) = ui.allocate_exact_size(vec2(side, side), egui::Sense::hover());
                ui.painter().rect_filled(rect, CornerRadius::same(2), t.field);
                response
            }
        };
        if !name.is_empty() {
            let text = egui::RichText::new(name).size(t.small).color(t.text_weak);
            ui.add(egui::Label::new(text).truncate()).on_hover_text(alt);
        }
        response
    })
    .inner
}

/// A wide picture over the whole `width`, its caption below in full.
pub fn picture_sheet(ui: &mut Ui, rgba: &Arc<Rgba>, width: f32, caption: &str) -> Response {
    let t = theme::of(ui);
    let response = match texture(ui, rgba) {
        Some(texture) => {
            let size = vec2(width, width * rgba.height as f32 / rgba.width as f32);
            let image = Image::from_texture((texture.id(), size)).fit_to_exact_size(size).alt_text(caption);
            let response = ui.add(image);
            // Sheets and charts are white; so are cards.
            let edge = egui::Stroke::new(1.0, t.line);
            ui.painter().rect_stroke(response.rect, 0.0, edge, egui::StrokeKind::Outside);
            if !caption.is_empty() {
                offer_to_save(ui, &response, rgba, caption);
            }
            response
        }
        None => ui.allocate_response(vec2(width, t.body), egui::Sense::hover()),
    };
    ui.add(egui::Label::new(egui::RichText::new(caption).size(t.small).color(t.text_weak)).wrap());
    response
}
