//! Opening the export dialog, following its choices, writing the file.

use crate::app::export::{self, Content, ExportChange, ExportDialog, ExportFetched, Offer, PoisonOffer, Reading};
use crate::app::replay::Replay;
use crate::app::state::{Fetched, State};
use crate::experiment::Problem;
use crate::run::handle::Engine;
use std::path::PathBuf;
use std::sync::Arc;

impl State {
    pub(super) fn change_export(&mut self, change: ExportChange, engine: &dyn Engine) {
        match change {
            ExportChange::Open(title) => {
                let offers = export::offers(self);
                let wanted = title.and_then(|title| offers.iter().position(|offer| offer.title == title));
                self.open_export(offers, wanted.unwrap_or(0));
            }
            ExportChange::Picture(title, rgba) => {
                // What was pointed at comes first; the screen's other views stay at hand.
                let mut offers = vec![Offer { title, caption: String::new(), content: Content::Picture(rgba) }];
                offers.extend(export::offers(self));
                self.open_export(offers, 0);
            }
            ExportChange::Close => self.export = None,
            ExportChange::Browse => self.browse_export(),
            ExportChange::Save => self.save_export(engine),
            ExportChange::Stop => self.stop_poison_export(engine),
            ExportChange::Path(path) => {
                if let Some(dialog) = &mut self.export {
                    dialog.set_path(path);
                }
            }
            ExportChange::Choose(_) | ExportChange::Format(_) | ExportChange::Scale(_) | ExportChange::Caption(_) => {
                self.adjust_export(&change);
            }
        }
    }

    /// Shows a plot of the screen as a table, its first one when no title is given.
    pub(super) fn read_plot(&mut self, title: Option<&str>) {
        match Reading::of(&export::offers(self), title, self.now) {
            Some(reading) => self.reading = Some(reading),
            None => self.notices.info("There is no plot on this screen yet.", self.now),
        }
    }

    /// A table of something that goes on is made anew every second.
    pub(in crate::app) fn tend_reading(&mut self) {
        let moves = self.live_job().is_some() || self.replay().is_some_and(Replay::is_playing);
        let Some(reading) = self.reading.as_ref().filter(|reading| moves && self.now - reading.made >= 1.0) else {
            return;
        };
        let title = reading.title.clone();
        if let Some(newer) = Reading::of(&export::offers(self), Some(&title), self.now) {
            self.reading = Some(newer);
        }
    }

    pub(super) fn open_export(&mut self, offers: Vec<Offer>, chosen: usize) {
        if offers.is_empty() {
            return self.notices.info("There is nothing to save on this screen yet.", self.now);
        }
        let folder = self.export_folder.clone().unwrap_or_else(usual_folder);
        self.export = Some(ExportDialog::new(offers, chosen, &folder));
        self.draw_preview();
    }

    fn adjust_export(&mut self, change: &ExportChange) {
        let Some(dialog) = &mut self.export else {
            return;
        };
        match change {
            ExportChange::Choose(chosen) => {
                dialog.choose(*chosen);
                dialog.propose(&dialog.folder());
            }
            ExportChange::Format(format) => {
                // Only an ending that belonged to the other format goes.
                let typed = PathBuf::from(dialog.path.trim());
                let had = typed.extension().is_some_and(|ending| ending.eq_ignore_ascii_case(dialog.format.ending()));
                dialog.format = *format;
                if had {
                    dialog.set_path(typed.with_extension(format.ending()).display().to_string());
                }
            }
            ExportChange::Scale(scale) => dialog.scale = *scale,
            ExportChange::Caption(with) => dialog.with_caption = *with,
            _ => {}
        }
        self.draw_preview();
    }

    /// Draws the figure on a helper thread; the newest wins.
    fn draw_preview(&mut self) {
        let Some(dialog) = &mut self.export else {
            return;
        };
        dialog.revision += 1;
        let revision = dialog.revision;
        let Some(offer) = dialog.offer().filter(|offer| matches!(offer.content, Content::Figure(_))).cloned() else {
            return;
        };
        let caption = dialog.caption().to_owned();
        self.background.start("draw figure", move || {
            let empty = crate::run::event::Rgba { width: 0, height: 0, bytes: Vec::new() };
            let rgba = export::preview(&offer, &caption).unwrap_or(empty);
            Fetched::Export(ExportFetched::Preview(revision, rgba))
        });
    }

    fn browse_export(&self) {
        let Some(dialog) = &self.export else {
            return;
        };
        let (place, format) = (dialog.place(), dialog.format);
        self.background.start("file dialog", move || {
            let name = place.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let folder = place.parent().map(ToOwned::to_owned).unwrap_or_default();
            let dialog = rfd::FileDialog::new().set_title("Export from Polariscope").set_directory(folder);
            Fetched::Export(ExportFetched::Place(if format.is_folder() {
                dialog.pick_folder().map(|folder| folder.join(name))
            } else {
                dialog.set_file_name(name).add_filter(format.name(), &[format.ending()]).save_file()
            }))
        });
    }

    fn save_export(&mut self, engine: &dyn Engine) {
        let Some(dialog) = self.export.as_mut().filter(|dialog| !dialog.saving) else {
            return;
        };
        let Some(offer) = dialog.offer().cloned() else {
            return;
        };
        dialog.saving = true;
        dialog.problem = None;
        if matches!(offer.content, Content::Model) {
            let place = dialog.place();
            return self.save_model(place);
        }
        if let Content::Poison(PoisonOffer { from, .. }) = offer.content {
            let (format, place) = (dialog.format, dialog.place());
            return self.export_poison(from, format, place, engine);
        }
        let (format, scale, place) = (dialog.format, dialog.scale, dialog.place());
        let caption = dialog.caption().to_owned();
        self.background.start("export", move || {
            let written = export::write(&offer, format, scale, &caption, &place);
            Fetched::Export(ExportFetched::Saved(written.map(|()| place)))
        });
    }

    pub(in crate::app) fn on_export(&mut self, fetched: ExportFetched) {
        match fetched {
            ExportFetched::Preview(revision, rgba) => {
                if let Some(dialog) = self.export.as_mut().filter(|dialog| dialog.revision == revision) {
                    dialog.preview = Some(Arc::new(rgba));
                }
            }
            ExportFetched::Place(Some(path)) => {
                if let Some(dialog) = &mut self.export {
                    dialog.set_path(path.display().to_string());
                }
            }
            ExportFetched::Place(None) => {
                self.notices.info("No place was chosen. You can also type it.", self.now);
            }
            ExportFetched::Saved(Ok(path)) => {
                // Another dialog may have been opened meanwhile.
                self.export = self.export.take().filter(|dialog| !dialog.saving);
                self.export_folder = path.parent().map(ToOwned::to_owned);
                let folder = if path.is_dir() { Some(path.clone()) } else { self.export_folder.clone() };
                self.notices.info_about(format!("Saved as {}.", path.display()), folder, self.now);
            }
            ExportFetched::Saved(Err(problem)) => self.tell_export(problem),
        }
    }

    /// In the dialog, where it can be mended; among the messages if it was closed meanwhile.
    fn tell_export(&mut self, problem: Problem) {
        match self.export.as_mut().filter(|dialog| dialog.saving) {
            Some(dialog) => {
                dialog.saving = false;
                dialog.problem = Some(problem);
            }
            None => self.notices.problem(problem),
        }
    }
}

/// Where people keep their documents, else where the program was started.
fn usual_folder() -> PathBuf {
    let of_user = directories::UserDirs::new();
    let documents = of_user.map(|user| user.document_dir().unwrap_or(user.home_dir()).to_owned());
    documents.or_else(|| std::env::current_dir().ok()).unwrap_or_default()
}
