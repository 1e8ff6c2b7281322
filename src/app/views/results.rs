//! The table that compares the models of a run: before, and after each repair.

use super::metric_title;
use crate::app::theme;
use crate::app::words;
use crate::run::ResultRow;
use egui::{RichText, Ui};

/// One row per model; differences are against the first row.
pub fn results_table(ui: &mut Ui, rows: &[ResultRow]) {
    let t = theme::of(ui);
    let Some(first) = rows.first() else {
        return;
    };
    // Few attacks have a disturbance to be right about.
    let with_cross = rows.iter().any(|row| row.scores.cross.is_some());
    let head = ["acc", "asr", "ra"].into_iter().chain(with_cross.then_some("cross")).chain(["der"]);
    egui::Grid::new("results")
        .num_columns(5 + usize::from(with_cross))
        .striped(true)
        .spacing([t.pad * 1.6, t.gap * 0.6])
        .show(ui, |ui| {
            ui.label(RichText::new("Model").size(t.small).color(t.text_weak));
            for metric in head {
                let (name, meaning) = metric_title(metric);
                ui.label(RichText::new(name).size(t.small).color(t.text_weak)).on_hover_text(meaning);
            }
            ui.end_row();
            for (index, row) in rows.iter().enumerate() {
                ui.horizontal(|ui| {
                    ui.label(theme::strong(&row.title));
                    let tag = |ui: &mut Ui, word: &str, meaning: &str| {
                        ui.label(RichText::new(word).size(t.small).color(t.warn)).on_hover_text(meaning);
                    };
                    if row.control {
                        tag(ui, "control", "Plain fine-tuning with the same budget, to compare with");
                    }
                    if row.oracle {
                        tag(ui, "oracle", "Something was chosen by looking at the test set, which no defender can");
                    }
                });
                let (now, before) = (&row.scores, &first.scores);
                for (value, before) in [(Some(now.acc), Some(before.acc)), (now.asr, before.asr), (now.ra, before.ra)] {
                    cell(ui, value, before.filter(|_| index > 0));
                }
                if with_cross {
                    cell(ui, now.cross, before.cross.filter(|_| index > 0));
                }
                cell(ui, row.der, None);
                ui.end_row();
            }
        });
}

fn cell(ui: &mut Ui, value: Option<f64>, before: Option<f64>) {
    let t = theme::of(ui);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = t.gap * 0.7;
        match value {
            Some(value) => {
                ui.label(words::percent(value));
                if let Some(before) = before {
                    ui.label(RichText::new(words::points(value - before)).size(t.small).color(t.text_weak));
                }
            }
            None => {
                ui.label(RichText::new("\u{2013}").color(t.text_weak)).on_hover_text("Not measured");
            }
        }
    });
}
