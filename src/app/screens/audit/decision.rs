//! The decision about an audited model, typed by hand.

use super::{ask, weak};
use crate::app::audit::AuditChange;
use crate::app::command::Requests;
use crate::app::job::JobView;
use crate::app::theme::Tokens;
use crate::app::widgets;
use egui::{TextEdit, Ui};
use std::path::PathBuf;

/// What is being typed, about which run.
pub type Typed = Option<(Option<PathBuf>, String)>;

/// Written when the field is left.
pub fn show(ui: &mut Ui, t: &Tokens, job: &JobView, typed: &mut Typed, requests: &Requests) {
    if job.is_live() || job.checks.is_empty() {
        return;
    }
    if typed.as_ref().is_some_and(|(folder, _)| *folder != job.folder) {
        *typed = None;
    }
    widgets::section(ui, "Decision", "", |ui| {
        weak(ui, t, "Yours, in your words: it is kept in the run's folder and printed on the report.");
        let mut text = typed.as_ref().map_or_else(|| job.review.decision.clone(), |(_, text)| text.clone());
        let hint = "For example: accepted for the test bench only";
        let edit = TextEdit::multiline(&mut text).hint_text(hint).desired_rows(3).desired_width(f32::INFINITY);
        let edit = ui.add(edit).accessible_name("Decision");
        if edit.changed() {
            *typed = Some((job.folder.clone(), text));
        }
        if edit.lost_focus()
            && let Some((_, text)) = typed.take().filter(|(_, text)| *text != job.review.decision)
        {
            ask(requests, AuditChange::Decide(text));
        }
    });
    ui.add_space(t.gap * 0.5);
}
