//! What the checks of audits have found, side by side.

use super::{Columns, heading};
use crate::app::command::{Change, Requests};
use crate::app::export::{ExportChange, REPORT};
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::widgets;
use crate::run::CheckResult;
use egui::{Label, RichText, Ui};

pub fn show(ui: &mut Ui, t: &Tokens, state: &State, columns: Columns, requests: &Requests) {
    let comparison = &state.comparison;
    if !comparison.is_of_audits() {
        return;
    }
    let checks = |index: usize| -> &[CheckResult] {
        let view = comparison.columns().get(index).and_then(|column| comparison.view(column));
        view.map(|view| view.checks.as_slice()).unwrap_or_default()
    };
    // The longest audit knows the order.
    let mut by_length: Vec<usize> = (0..columns.count).collect();
    by_length.sort_by_key(|&index| std::cmp::Reverse(checks(index).len()));
    let mut names: Vec<(&str, &str)> = Vec::new();
    for found in by_length.into_iter().flat_map(checks) {
        if !names.iter().any(|(id, _)| *id == found.check) {
            names.push((&found.check, &found.title));
        }
    }
    if names.is_empty() {
        return;
    }
    theme::card(t).show(ui, |ui| {
        ui.set_width(ui.available_width());
        heading(ui, t, "Findings", "", |ui| {
            if columns.count > 1
                && ui.button("Report…").on_hover_text("The last audit as a PDF, with the first one beside it").clicked()
            {
                requests.change(Change::Export(ExportChange::Open(Some(REPORT.to_owned()))));
            }
        });
        for (id, title) in names {
            let name = |ui: &mut Ui| {
                ui.add(Label::new(theme::strong(title)).wrap());
            };
            columns.row(ui, name, |ui, index| match checks(index).iter().find(|found| found.check == id) {
                Some(found) => {
                    ui.spacing_mut().interact_size.y = t.body * 1.3;
                    ui.horizontal(|ui| {
                        widgets::verdict_sign(ui, t, found.verdict, t.body);
                        let word = found.verdict.words();
                        ui.label(theme::strong(word).color(widgets::verdict_colour(t, found.verdict)));
                    });
                    ui.add(Label::new(&found.headline).wrap());
                }
                None => {
                    ui.label(RichText::new("was not run").color(t.text_weak));
                }
            });
            ui.add_space(t.gap * 0.25);
        }
    });
    ui.add_space(t.gap * 0.25);
}
