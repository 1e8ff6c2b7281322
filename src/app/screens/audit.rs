//! Audit: a suspicious model, pictures, checks; then what was found, how strong it is, and what it would miss.

use crate::app::audit::AuditChange;
use crate::app::command::{Change, Requests};
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use egui::{Label, RichText, Ui};

mod decision;
mod findings;
mod setup;
mod stand;

/// What the screen remembers about drawing.
#[derive(Debug, Default)]
pub struct Page {
    setup: setup::Memory,
    decision: decision::Typed,
}

pub fn show(ui: &mut Ui, state: &State, page: &mut Page, requests: &Requests) {
    let t = theme::of(ui);
    match state.shown_audit() {
        Some(job) => findings::show(ui, &t, state, job, &mut page.decision, requests),
        None => setup::show(ui, &t, state, &mut page.setup, requests),
    }
}

/// The way from the model to the report, with the step that is at hand.
fn steps(ui: &mut Ui, t: &Tokens, at: usize) {
    const STEPS: [&str; 5] = ["Model", "Pictures", "Checks", "Findings", "Report"];
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = t.pad;
        for (index, name) in STEPS.into_iter().enumerate() {
            let name = format!("{}  {name}", index + 1);
            let text = if index == at { theme::strong(name) } else { RichText::new(name).color(t.text_weak) };
            ui.label(text);
        }
    });
}

fn weak(ui: &mut Ui, t: &Tokens, text: impl Into<String>) {
    ui.add(Label::new(RichText::new(text).size(t.small).color(t.text_weak)).wrap());
}

fn ask(requests: &Requests, change: AuditChange) {
    requests.change(Change::Audit(change));
}
