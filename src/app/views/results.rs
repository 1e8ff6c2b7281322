//! The table that compares the models of a run: before, and after each repair.

use super::metric_title;
use crate::app::theme;
use crate::app::words;
use crate::experiment::metric::MAPPED_BACK;
use crate::run::fair::number;
use crate::run::results::STOPPED_EARLY;
use crate::run::{FairRow, ResultRow};
use egui::{RichText, Ui};

/// The ends and the middle of a trade-off, and the other methods: errors and gaps on new rows.
pub fn fair_table(ui: &mut Ui, rows: &[FairRow]) {
    let t = theme::of(ui);
    let spacing = [t.pad * 1.6, t.gap * 0.6];
    egui::Grid::new("fair results").num_columns(3).striped(true).spacing(spacing).show(ui, |ui| {
        for (name, meaning) in [
            ("Model", "Points of the trade-off, then other methods"),
            ("Error", "Typical error (RMSE) on rows that were not learnt from"),
            ("Gap", "Largest mean prediction of a group minus the smallest, on the same rows"),
        ] {
            ui.label(RichText::new(name).size(t.small).color(t.text_weak)).on_hover_text(meaning);
        }
        ui.end_row();
        for row in rows {
            ui.label(theme::strong(&row.title));
            for value in [row.test_rmse, row.test_gap] {
                ui.label(value.map_or_else(|| "\u{2013}".to_owned(), number));
            }
            ui.end_row();
        }
    });
}

/// One row per model; differences are against the first row.
pub fn results_table(ui: &mut Ui, rows: &[ResultRow]) {
    let t = theme::of(ui);
    let Some(first) = rows.first() else {
        return;
    };
    // Few attacks have a disturbance to be right about.
    let with_cross = rows.iter().any(|row| row.scores.cross.is_some());
    // Only models that map their answers back have a residual attack rate.
    let with_rar = rows.iter().any(|row| row.scores.rar.is_some());
    let rare = with_cross.then_some("cross").into_iter().chain(with_rar.then_some("rar"));
    let head = ["acc", "asr", "ra"].into_iter().chain(rare).chain(["der"]);
    egui::Grid::new("results")
        .num_columns(5 + usize::from(with_cross) + usize::from(with_rar))
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
                ui.vertical(|ui| {
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
                        if row.note == STOPPED_EARLY {
                            tag(
                                ui,
                                STOPPED_EARLY,
                                "What was reached when it was stopped, judged on a part of the test pictures",
                            );
                        }
                    });
                    if !row.variant.is_empty() {
                        ui.set_max_width(t.body * 14.0);
                        ui.add(egui::Label::new(RichText::new(&row.variant).size(t.small).color(t.text_weak)).wrap());
                    }
                });
                let (now, before) = (&row.scores, &first.scores);
                for (value, before) in [(Some(now.acc), Some(before.acc)), (now.asr, before.asr), (now.ra, before.ra)] {
                    cell(ui, value, before.filter(|_| index > 0));
                }
                if with_cross {
                    cell(ui, now.cross, before.cross.filter(|_| index > 0));
                }
                if with_rar {
                    let floor = now.rar_floor.map(|floor| format!("of a perfect model: {}", words::percent(floor)));
                    cell(ui, now.rar, None).on_hover_text(floor.unwrap_or_else(|| "Not measured".to_owned()));
                }
                cell(ui, row.der, None);
                ui.end_row();
            }
        });
}

/// What to know about models that map their answers back; below the table, as wide as there is room.
pub fn results_note(ui: &mut Ui, rows: &[ResultRow]) {
    let t = theme::of(ui);
    for row in rows.iter().filter(|row| row.scores.rar.is_some()) {
        let [rar, floor] =
            [row.scores.rar, row.scores.rar_floor].map(|share| share.map_or_else(String::new, words::percent));
        let text = format!("{}: RAR {rar}, of a perfect model {floor}. {MAPPED_BACK}", row.name());
        ui.add(egui::Label::new(RichText::new(text).size(t.small).color(t.text_weak)).wrap());
    }
}

fn cell(ui: &mut Ui, value: Option<f64>, before: Option<f64>) -> egui::Response {
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
    })
    .response
}
