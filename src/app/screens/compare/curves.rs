//! The curves of all runs over each other, one plot per metric, one time axis for all.

use super::heading;
use crate::app::command::Requests;
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::views::{Overlaid, overlay};
use crate::app::widgets;
use egui::{RichText, Ui};

/// Drawn where a run has them.
const METRICS: [&str; 6] = ["acc", "asr", "ra", "cross", "rar", "loss"];

pub fn show(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let comparison = &state.comparison;
    let names = state.compared_names();
    let mut runs: Vec<Overlaid<'_>> = Vec::new();
    for (index, column) in comparison.columns().iter().enumerate() {
        // Two models of one run share its curves.
        let again = comparison.columns()[..index].iter().any(|other| other.run == column.run);
        if let Some(view) = comparison.view(column).filter(|view| !again && !view.curves.is_empty()) {
            runs.push(Overlaid { name: &names[index], role: column.role(), curves: &view.curves });
        }
    }
    let metrics = METRICS.into_iter().filter(|metric| runs.iter().any(|run| run.curves.last(metric).is_some()));
    let metrics: Vec<_> = metrics.collect();
    if metrics.is_empty() {
        return;
    }
    theme::card(t).show(ui, |ui| {
        ui.set_width(ui.available_width());
        heading(ui, t, "Curves", "", |ui| {
            widgets::export_button(ui, requests, "ASR over time");
            widgets::table_button(ui, requests, "ASR over time");
        });
        ui.horizontal_wrapped(|ui| {
            for run in &runs {
                let (rect, _) = ui.allocate_exact_size(egui::vec2(t.body * 2.2, t.body), egui::Sense::hover());
                widgets::line_sample(ui.painter(), t, rect, run.role);
                ui.label(RichText::new(run.name).size(t.small));
                ui.add_space(t.gap);
            }
        });
        let group = ui.scope_id().with("compared curves");
        let height = t.body * 11.0;
        let beside = if ui.available_width() > t.body * 40.0 { 2 } else { 1 };
        for pair in metrics.chunks(beside) {
            ui.columns(beside, |columns| {
                for (ui, metric) in columns.iter_mut().zip(pair) {
                    overlay(ui, metric, &runs, height, group);
                }
            });
        }
    });
}
