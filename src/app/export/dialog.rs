//! The dialog behind Ctrl+E: what, in which format, and where to.

use super::{Content, ExportChange, ExportDialog, Format};
use crate::app::command::{Change, Requests};
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::widgets;
use egui::{ComboBox, Id, Key, Label, Modal, RichText, TextEdit, Ui};

/// What the dialog remembers about its drawing.
#[derive(Debug, Default)]
pub struct ExportView {
    open: bool,
}

/// Lines of a table that the preview shows.
const PREVIEW_LINES: usize = 9;

pub fn show(ui: &Ui, state: &State, view: &mut ExportView, requests: &Requests) {
    let Some(dialog) = &state.export else {
        view.open = false;
        return;
    };
    let t = theme::of(ui);
    let screen = ui.ctx().content_rect();
    let modal = Modal::new(Id::unique("export")).frame(theme::dialog(&t)).show(ui.ctx(), |ui| {
        ui.set_width((t.body * 42.0).min(screen.width() - 80.0));
        ui.label(theme::title(&t, "Export"));
        let most = screen.height() - 11.0 * t.body;
        // Without the least height the dialog would keep the height that it had before its preview was drawn.
        egui::ScrollArea::vertical().max_height(most).min_scrolled_height(most).show(ui, |ui| {
            choices(ui, &t, dialog, requests);
            // Whatever the size of letters, the buttons below stay in sight.
            let room = (screen.height() - 26.0 * t.body).max(8.0 * t.body);
            preview(ui, &t, dialog, room.min(screen.height() * 0.4));
            place(ui, &t, state, dialog, view, requests);
        });
    });
    if modal.should_close() {
        requests.change(Change::Export(ExportChange::Close));
    }
}

fn choices(ui: &mut Ui, t: &Tokens, dialog: &ExportDialog, requests: &Requests) {
    let Some(offer) = dialog.offer() else {
        return;
    };
    let ask = |change| requests.change(Change::Export(change));
    ui.horizontal_wrapped(|ui| {
        let combo = ComboBox::from_id_salt("what").width(t.body * 20.0).selected_text(&offer.title);
        let combo = combo.truncate().show_ui(ui, |ui| {
            for (index, offer) in dialog.offers.iter().enumerate() {
                if ui.selectable_label(index == dialog.chosen, &offer.title).clicked() {
                    ask(ExportChange::Choose(index));
                }
            }
        });
        combo.response.accessible_name("What to save");
        let formats = offer.content.formats();
        let words: Vec<_> = formats.iter().map(|format| (format.name().to_owned(), help(*format).to_owned())).collect();
        let selected = formats.iter().position(|format| *format == dialog.format);
        if let Some(index) = widgets::segmented(ui, "Format", &words, selected) {
            ask(ExportChange::Format(formats[index]));
        }
    });
    if !matches!(dialog.format, Format::Png | Format::Svg) {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        if dialog.format == Format::Png {
            ui.label("Size");
            let scales = offer.content.scales();
            let words: Vec<_> = scales.iter().map(|scale| (format!("{scale}×"), String::new())).collect();
            let selected = scales.iter().position(|scale| *scale == dialog.scale);
            if let Some(index) = widgets::segmented(ui, "Size", &words, selected) {
                ask(ExportChange::Scale(scales[index]));
            }
            if let Some(picture) = &dialog.preview {
                let (width, height) = (picture.width * dialog.scale, picture.height * dialog.scale);
                ui.label(RichText::new(format!("{width} × {height} pixels")).color(t.text_weak));
            }
        }
        if matches!(offer.content, Content::Figure(_)) && !offer.caption.is_empty() {
            let mut with_caption = dialog.with_caption;
            if widgets::switch(ui, &mut with_caption, "Caption").changed() {
                ask(ExportChange::Caption(with_caption));
            }
            ui.label("Caption").on_hover_text("Data, attack, seed and the code by which the run is found again");
        }
    });
}

fn help(format: Format) -> &'static str {
    match format {
        Format::Png => "Pixels, for slides and documents",
        Format::Svg => "Lines and letters that stay sharp at every size",
        Format::Csv => "The numbers, for a spreadsheet",
        Format::Safetensors => "Weights, rows and scales of the model, with the point that is shown",
        Format::ClassFile => "A small text file that Polariscope opens",
        Format::Pdf => "A document to print, mail or file",
        Format::ReportFolder => "The document, the findings as JSON, the experiment and all pictures",
        Format::StampedPictures => {
            "The stamped pictures of the training and the test set, and the clean twins of those in the training set. Drop \
             the folder on this window to train on it; the data set must then be where it is now."
        }
        Format::AllPictures => {
            "All pictures, stamped and clean: a data set that stands alone, anywhere. Drop the folder on this window to \
             train on it."
        }
        Format::TestPictures => {
            "The stamped test pictures. This attack stamps its training pictures anew in every batch, so there is no \
             poisoned training set to keep."
        }
    }
}

fn preview(ui: &mut Ui, t: &Tokens, dialog: &ExportDialog, most: f32) {
    ui.add_space(t.gap * 0.5);
    match (dialog.offer().map(|offer| &offer.content), dialog.format, &dialog.preview) {
        (Some(Content::Table(table)), _, _) => lines(ui, t, table.csv()),
        (Some(Content::Text(text)), ..) => {
            ui.add(Label::new(dialog.caption()).wrap());
            lines(ui, t, text);
        }
        (Some(Content::Model), ..) => {
            let caption = dialog.offer().map(|offer| offer.caption.as_str()).unwrap_or_default();
            ui.add(Label::new(caption).wrap());
        }
        (Some(Content::Report(_)), ..) => {
            let words = "What was checked and what was found, with evidence, pictures, strength and limits.";
            ui.add(Label::new(words).wrap());
        }
        (Some(Content::Poison(_)), format, _) => {
            ui.add(Label::new(dialog.caption()).wrap());
            ui.add(Label::new(help(format)).wrap());
            let layout = "A folder as BackdoorBench lays it out, lossless, with manifest.csv: row, kind, labels, file and \
                          clean twin of each picture.";
            ui.add(Label::new(RichText::new(layout).color(t.text_weak)).wrap());
        }
        (Some(Content::Figure(figure)), Format::Csv, _) => lines(ui, t, figure.table().csv()),
        (Some(_), _, Some(picture)) => {
            let aspect = picture.width as f32 / picture.height.max(1) as f32;
            let width = ui.available_width().min(most * aspect);
            ui.vertical_centered(|ui| {
                ui.set_max_width(width);
                widgets::picture_sheet(ui, picture, width, "");
            });
        }
        _ => {
            ui.label(RichText::new("Drawing…").color(t.text_weak));
        }
    }
    ui.add_space(t.gap * 0.5);
}

fn lines(ui: &mut Ui, t: &Tokens, csv: &str) {
    let all = csv.lines().count();
    ui.spacing_mut().item_spacing.y = 2.0;
    for line in csv.lines().take(PREVIEW_LINES) {
        ui.add(Label::new(RichText::new(line).monospace().size(t.small)).truncate());
    }
    if all > PREVIEW_LINES {
        let more = format!("and {} more lines", all - PREVIEW_LINES);
        ui.label(RichText::new(more).size(t.small).color(t.text_weak));
    }
}

fn place(ui: &mut Ui, t: &Tokens, state: &State, dialog: &ExportDialog, view: &mut ExportView, requests: &Requests) {
    let ask = |change| requests.change(Change::Export(change));
    let mut path = dialog.path.clone();
    let mut entered = false;
    ui.horizontal(|ui| {
        let button = t.body * 8.0;
        let edit = TextEdit::singleline(&mut path).desired_width(ui.available_width() - button);
        let edit =
            ui.add(edit).accessible_name(if dialog.format.is_folder() { "Folder to write" } else { "File to write" });
        if !view.open {
            // Enter is enough to take what is proposed.
            edit.request_focus();
            view.open = true;
        }
        entered = edit.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        if ui.button("Choose…").on_hover_text("Opens the system's file dialog, where there is one").clicked() {
            ask(ExportChange::Browse);
        }
    });
    if path != dialog.path {
        ask(ExportChange::Path(path));
    }
    if dialog.replaces {
        ui.label(RichText::new("There is such a file already; saving replaces it.").color(t.warn));
    }
    if let Some(problem) = &dialog.problem {
        widgets::problem_card(ui, requests, problem, 1, false, None);
    }
    let writing = state.poison_export.as_ref().filter(|_| dialog.saving);
    if let Some(export) = writing {
        widgets::phase_bar(ui, "Poisoned set", 0, 1, export.share(), ui.available_width());
        ui.label(RichText::new(export.words()).color(t.text_weak));
    }
    ui.horizontal(|ui| {
        let can_save = !dialog.saving && !dialog.path.trim().is_empty();
        let word = if dialog.saving { "Saving…" } else { "Save" };
        let save = egui::Button::new(theme::strong(word).color(t.on_accent)).fill(t.accent);
        let clicked = ui.add_enabled(can_save, save).clicked();
        if can_save && (clicked || entered) {
            ask(ExportChange::Save);
        }
        if let Some(export) = writing {
            let stop = ui.add_enabled(!export.stopping, egui::Button::new("Stop"));
            if stop.on_hover_text("Ends the export and removes what was written").clicked() {
                ask(ExportChange::Stop);
            }
        }
        let (word, help) = match writing {
            Some(_) => ("Close", "The export goes on"),
            None => ("Cancel", "Nothing is written"),
        };
        if ui.button(word).on_hover_text(help).clicked() {
            ask(ExportChange::Close);
        }
    });
}
