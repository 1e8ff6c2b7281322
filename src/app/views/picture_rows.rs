//! Rows of pictures: the demo's matrix, the Lab's clean | poisoned | residual, a job's own pictures.

use crate::app::command::{Change, Requests};
use crate::app::job::JobView;
use crate::app::state::{PREVIEW_PICTURES, PreviewState};
use crate::app::theme;
use crate::app::widgets::{PredictionBars, picture_sheet, picture_tile};
use crate::app::words::{self, class_name};
use crate::run::event::{Prediction, PreviewItem};
use egui::{RichText, Ui, vec2};

/// Two pictures side by side, and below each what every model says about it.
pub fn demo_matrix(ui: &mut Ui, prediction: &Prediction, side: f32) {
    let t = theme::of(ui);
    let truth = class_name(&prediction.classes, prediction.label);
    ui.columns(2, |columns| {
        for (stamped, ui) in columns.iter_mut().enumerate() {
            let stamped = stamped == 1;
            let (picture, name) = if stamped {
                (&prediction.poisoned, format!("The same {truth} with the sticker"))
            } else {
                (&prediction.clean, format!("A picture of the class “{truth}”"))
            };
            ui.spacing_mut().item_spacing.y = t.gap;
            ui.vertical_centered(|ui| {
                picture_tile(ui, picture, side, "", &format!("Picture {}: {name}", prediction.row));
                ui.label(theme::strong(name));
            });
            ui.add_space(t.gap * 0.5);
            for (title, clean, poisoned) in &prediction.models {
                let bars = PredictionBars {
                    title: &words::capital(title),
                    probabilities: if stamped { poisoned } else { clean },
                    classes: &prediction.classes,
                    label: Some(prediction.label),
                    most: 2,
                };
                theme::card(&t).show(ui, |ui| bars.show(ui));
            }
        }
    });
}

/// The Lab's pictures: one in large, the others to choose from.
pub fn preview(ui: &mut Ui, state: &PreviewState, requests: &Requests) {
    let t = theme::of(ui);
    let Some(preview) = &state.preview else {
        ui.label(RichText::new("The pictures appear as soon as the engine has made them.").color(t.text_weak));
        return;
    };
    let item = preview.items.iter().find(|item| item.row == state.row).or(preview.items.first());
    if let Some(item) = item {
        triple(ui, item, &preview.classes);
    }
    ui.horizontal(|ui| {
        let side =
            ((ui.available_width() - t.gap * PREVIEW_PICTURES as f32) / PREVIEW_PICTURES as f32).clamp(20.0, 56.0);
        for other in preview.items.iter().take(PREVIEW_PICTURES) {
            let label = class_name(&preview.classes, other.label);
            let alt = format!("Show picture {}: {label}", other.row);
            let tile = picture_tile(ui, &other.poisoned, side, "", &alt).interact(egui::Sense::click());
            tile.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &alt));
            if tile.has_focus() || item.is_some_and(|item| item.row == other.row) {
                let edge = egui::Stroke::new(2.0, t.accent);
                ui.painter().rect_stroke(tile.rect, 2.0, edge, egui::StrokeKind::Outside);
            }
            if tile.on_hover_text(alt).clicked() {
                requests.change(Change::PreviewRow(other.row));
            }
        }
    });
}

fn triple(ui: &mut Ui, item: &PreviewItem, classes: &[String]) {
    let t = theme::of(ui);
    let side = ((ui.available_width() - 2.0 * t.gap) / 3.0).clamp(40.0, 190.0);
    let label = class_name(classes, item.label);
    let wanted = class_name(classes, item.poisoned_label);
    ui.horizontal_top(|ui| {
        picture_tile(ui, &item.clean, side, "clean", &format!("Clean picture {}: {label}", item.row));
        let stamped = format!("Poisoned picture {}: {label}, to be taken for {wanted}", item.row);
        picture_tile(ui, &item.poisoned, side, "poisoned", &stamped);
        let name = format!("residual × {}", short(item.amplification));
        picture_tile(ui, &item.residual, side, &name, "What the trigger changes, amplified; grey is no change");
    });
    ui.add(egui::Label::new(RichText::new(format!("“{label}”, to be taken for “{wanted}”")).color(t.text_weak)).wrap());
}

/// An amplification with two digits at most.
fn short(number: f32) -> String {
    if number >= 10.0 { format!("{number:.0}") } else { format!("{number:.1}").trim_end_matches(".0").to_owned() }
}

/// Wider than this is a sheet of pictures and gets a row of its own, in pixels.
const SHEET: usize = 100;

/// The pictures that a job shows, in rows.
pub fn job_pictures(ui: &mut Ui, job: &JobView) {
    let t = theme::of(ui);
    if job.pictures.is_empty() {
        let text = if job.is_live() { "Pictures appear as the job makes them." } else { "This run has no pictures." };
        ui.label(RichText::new(text).color(t.text_weak));
        return;
    }
    let (width, height) = (ui.available_width(), ui.available_height());
    let columns = ((width / (t.body * 6.0)) as usize).clamp(2, 6);
    let side = (width - t.gap * (columns as f32 - 1.0)) / columns as f32 - 1.0;
    let (sheets, tiles): (Vec<_>, Vec<_>) = job.pictures.iter().partition(|picture| picture.rgba.width > SHEET);
    egui::ScrollArea::vertical().id_salt("job pictures").auto_shrink([false, true]).show(ui, |ui| {
        for sheet in sheets {
            // A square one must not be wider than the place is high, or only a strip of it would be seen.
            let shape = sheet.rgba.width as f32 / sheet.rgba.height.max(1) as f32;
            let fits = (height - t.small * 3.0).max(t.body * 6.0) * shape;
            picture_sheet(ui, &sheet.rgba, fits.min(width - 4.0), &sheet.caption);
        }
        for row in tiles.chunks(columns) {
            ui.horizontal_top(|ui| {
                ui.spacing_mut().item_spacing = vec2(t.gap, t.gap);
                for picture in row {
                    picture_tile(ui, &picture.rgba, side, &picture.caption, &picture.caption);
                }
            });
        }
    });
}
