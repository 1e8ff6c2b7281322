//! Exporting a poisoned set: the engine writes it, the dialog follows.

use super::{Content, ExportFetched, Format, Offer};
use crate::app::state::State;
use crate::app::words;
use crate::experiment::{Kind, Problem, Property};
use crate::run::event::{Command, Ending, JobEvent, JobId, Progress};
use crate::run::handle::Engine;
use crate::run::index::RunRow;
use crate::run::poisoned_set::{Extent, PoisonExport, PoisonSource};
use std::path::{Path, PathBuf};

/// The offer's title; buttons open the dialog on it.
pub const POISONED_SET: &str = "Poisoned set";

/// What can be written of whose poisoned set.
#[derive(Debug, Clone)]
pub struct PoisonOffer {
    pub from: PoisonSource,
    /// The attack stamps every batch anew: there are only test pictures.
    pub test_only: bool,
}

/// An export that the engine works on.
#[derive(Debug)]
pub struct PoisonJob {
    id: JobId,
    out: PathBuf,
    pub progress: Option<Progress>,
    pub stopping: bool,
    /// What the engine said about it, such as how many pictures there are.
    told: String,
}

impl PoisonJob {
    /// Where it is, in words.
    pub fn words(&self) -> String {
        match &self.progress {
            _ if self.stopping => "Stopping…".to_owned(),
            Some(progress) if progress.total > 0 => {
                format!("{} of {} pictures", words::count(progress.done), words::count(progress.total))
            }
            _ => "Waits until the engine is free…".to_owned(),
        }
    }

    /// Done share.
    pub fn share(&self) -> f32 {
        let progress = self.progress.as_ref().filter(|progress| progress.total > 0);
        progress.map_or(0.0, |progress| progress.done as f32 / progress.total as f32)
    }
}

/// The poisoned set of a run in the list; nothing for runs without an attack.
pub fn of_row(state: &State, row: &RunRow) -> Option<Offer> {
    row.state?;
    let attack = state.method(row.attack.as_deref()?)?;
    let caption = format!("{}: {} on {}, seed {}.", row.name, attack.name, row.data, row.seed);
    Some(offer(PoisonSource::Run(row.path.clone()), caption, attack.has(Property::OwnsLoop)))
}

/// That of a run's folder.
pub fn of_folder(state: &State, folder: &Path, attack: &str, caption: &str) -> Option<Offer> {
    let attack = state.method(attack)?;
    Some(offer(PoisonSource::Run(folder.to_owned()), caption.to_owned(), attack.has(Property::OwnsLoop)))
}

/// The set that the draft will have; nothing where only the training makes it.
pub fn of_draft(state: &State, caption: &str) -> Option<Offer> {
    let attack = state.draft.experiment().attack.as_ref()?;
    let attack = state.method(&attack.id).filter(|attack| attack.kind == Kind::Attack)?;
    if attack.has(Property::OwnsLoop) || state.draft.problem().is_some() {
        return None;
    }
    Some(offer(PoisonSource::Spec(state.draft.text().to_owned()), caption.to_owned(), false))
}

fn offer(from: PoisonSource, caption: String, test_only: bool) -> Offer {
    let content = Content::Poison(PoisonOffer { from, test_only });
    Offer { title: POISONED_SET.to_owned(), caption, content }
}

fn extent_of(format: Format) -> Extent {
    match format {
        Format::AllPictures => Extent::Everything,
        Format::TestPictures => Extent::TestOnly,
        _ => Extent::Poison,
    }
}

impl State {
    /// Gives the order to the engine; what it refuses is told in the dialog.
    pub(in crate::app) fn export_poison(
        &mut self,
        from: PoisonSource,
        format: Format,
        out: PathBuf,
        engine: &dyn Engine,
    ) {
        let id = JobId(self.next_job);
        let request = PoisonExport { from, out: out.clone(), extent: extent_of(format) };
        let sent = match &self.poison_export {
            Some(_) => Err(Problem::bad_input("Another poisoned set is being written.")
                .remedy("Wait until it is there, or stop it.")),
            None => engine.send(Command::ExportPoison { job: id, request: Box::new(request) }),
        };
        match sent {
            Ok(()) => {
                self.next_job += 1;
                self.poison_export = Some(PoisonJob { id, out, progress: None, stopping: false, told: String::new() });
            }
            Err(problem) => self.on_export(ExportFetched::Saved(Err(problem))),
        }
    }

    pub(in crate::app) fn stop_poison_export(&mut self, engine: &dyn Engine) {
        if let Some(export) = &mut self.poison_export {
            match engine.send(Command::Stop { job: export.id, keep: false }) {
                Ok(()) => export.stopping = true,
                Err(problem) => self.notices.problem(problem),
            }
        }
    }

    pub(in crate::app) fn is_poison_export(&self, job: JobId) -> bool {
        self.poison_export.as_ref().is_some_and(|export| export.id == job)
    }

    pub(in crate::app) fn tend_poison_export(&mut self, engine: &dyn Engine) {
        if let Some(export) = &mut self.poison_export {
            export.progress = engine.progress(export.id).or(export.progress.take());
        }
    }

    pub(in crate::app) fn on_poison_event(&mut self, event: JobEvent) {
        let ending = match (event, &mut self.poison_export) {
            (JobEvent::Finished(ending), _) => ending,
            (JobEvent::Note(text), Some(export)) => return export.told = text,
            _ => return,
        };
        let Some(PoisonJob { out, told, .. }) = self.poison_export.take() else { return };
        match ending {
            Ending::Done => {
                let words = format!("Saved as {}: {told}.", out.display());
                self.on_export(ExportFetched::Saved(Ok(out.clone())));
                self.notices.info_about(words, Some(out), self.now);
            }
            Ending::Failed(problem) => self.on_export(ExportFetched::Saved(Err(problem))),
            Ending::Stopped { .. } => {
                if let Some(dialog) = &mut self.export {
                    dialog.saving = false;
                }
                self.notices.info("Stopped; nothing was written.", self.now);
            }
        }
    }
}
