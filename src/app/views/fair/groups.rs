//! Every group in numbers: how many, what is true of it, what is predicted, how wrong, and what its labels lost.

use super::{Shown, with_before};
use crate::app::theme;
use crate::app::words;
use crate::run::fair::number;
use egui::{Label, RichText, ScrollArea, Ui};

/// The table of all combinations of sensitive values.
pub fn group_table(ui: &mut Ui, shown: &Shown<'_>, height: f32) {
    let t = theme::of(ui);
    let course = shown.course;
    let now = course.figures(&shown.now.point);
    let start = course.fit.point(course.dial(0.0));
    let before = course.figures(&start);
    let heads = [
        ("Group", "A combination of sensitive values"),
        ("Rows", "People in this group, among the rows that are looked at"),
        ("True mean", "Mean of what is to be predicted"),
        ("Mean prediction", "At this point of the curve, and without constraint"),
        ("Typical error", "Root of the mean squared error in this group"),
        ("Label shift", "What full fairness adds to the labels of this group before it learns from them"),
    ];
    // Names of many attributes wrap, so that the numbers stay in sight.
    let name = (ui.available_width() * 0.3).max(t.body * 9.0);
    ScrollArea::both().id_salt("groups").max_height(height).auto_shrink([false, true]).show(ui, |ui| {
        egui::Grid::new("groups").num_columns(6).striped(true).spacing([t.pad * 1.2, t.gap * 0.6]).show(ui, |ui| {
            for (name, meaning) in heads {
                ui.label(RichText::new(name).size(t.small).color(t.text_weak)).on_hover_text(meaning);
            }
            ui.end_row();
            for (at, group) in course.fit.groups.iter().enumerate() {
                let (Some(figures), Some(was)) = (now.groups.get(at), before.groups.get(at)) else {
                    continue;
                };
                ui.vertical(|ui| {
                    ui.set_max_width(name);
                    ui.add(Label::new(theme::strong(&group.name)).wrap());
                });
                ui.label(words::count(figures.rows as u64));
                if figures.rows == 0 {
                    (0..3).for_each(|_| drop(ui.label("\u{2013}")));
                } else {
                    ui.label(number(figures.target));
                    with_before(ui, &t, figures.prediction, was.prediction);
                    with_before(ui, &t, figures.mse.sqrt(), was.mse.sqrt());
                }
                let shift = course.fit.subtracted.get(at).map(|&shift| number(-shift).replace('-', "\u{2212}"));
                ui.label(shift.unwrap_or_default());
                ui.end_row();
            }
        });
    });
}
