//! What students handed in, as a table.

use crate::app::command::{Change, Requests};
use crate::app::lessons::{HandIn, HandInColumn, LessonChange};
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::widgets::{self, export_button};
use crate::app::words;
use egui::{Label, RichText, Ui, vec2};
use egui_extras::{Column, TableBuilder};

/// Title of the table among the things that can be saved.
pub const TITLE: &str = "Hand-ins";

pub fn show(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let hand_ins = &state.classroom.hand_ins;
    if hand_ins.rows().is_empty() {
        let sentence = "Drop a folder of your students' files on this window, or several of them: each becomes a row.";
        return widgets::empty_state(ui, "Nothing has been handed in yet", sentence, |_| {});
    }
    ui.horizontal_wrapped(|ui| {
        let count = hand_ins.rows().len();
        ui.label(if count == 1 { "1 hand-in".to_owned() } else { format!("{count} hand-ins") });
        let others = hand_ins.rows().iter().filter(|row| hand_ins.other_seed(row)).count();
        if others > 0 {
            let words =
                format!("{others} with another seed than the class: their numbers may differ for that reason alone");
            ui.label(RichText::new(words).color(t.warn));
        }
        export_button(ui, requests, TITLE);
        if ui.button("Clear the table").on_hover_text("The files stay where they are").clicked() {
            requests.change(Change::Lesson(LessonChange::ClearHandIns));
        }
    });
    theme::card(t).show(ui, |ui| table(ui, t, state, requests));
}

fn table(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let hand_ins = &state.classroom.hand_ins;
    // Where it gets tight the repair goes, then the lesson: they are often the same for all.
    let ems = ui.available_width() / t.body;
    let hidden = |column: HandInColumn| match column {
        HandInColumn::Repair => ems < 74.0,
        HandInColumn::Lesson => ems < 64.0,
        HandInColumn::Steps => ems < 48.0,
        _ => false,
    };
    let columns: Vec<_> = HandInColumn::ALL.into_iter().filter(|column| !hidden(*column)).collect();
    let mut table = TableBuilder::new(ui).striped(true).cell_layout(egui::Layout::left_to_right(egui::Align::Center));
    for column in &columns {
        table = table.column(match column {
            HandInColumn::Name => Column::exact(t.body * 9.0).clip(true),
            HandInColumn::Lesson => Column::exact(t.body * 11.0).clip(true),
            HandInColumn::Repair => Column::exact(t.body * 7.0).clip(true),
            HandInColumn::Note => Column::remainder().at_least(t.body * 6.0).clip(true),
            HandInColumn::Seed => Column::exact(t.body * 7.6),
            HandInColumn::Guesses => Column::exact(t.body * 6.0),
            HandInColumn::Steps | HandInColumn::Acc | HandInColumn::Asr => Column::exact(t.body * 5.0),
        });
    }
    table
        .header(t.control * 1.1, |mut header| {
            for column in &columns {
                header.col(|ui| heading(ui, t, state, *column, requests));
            }
        })
        .body(|body| {
            body.rows(t.control * 1.2, hand_ins.rows().len(), |mut row| {
                let Some(work) = hand_ins.rows().get(row.index()) else {
                    return;
                };
                for column in &columns {
                    row.col(|ui| cell(ui, t, state, work, *column));
                }
            });
        });
}

fn heading(ui: &mut Ui, t: &Tokens, state: &State, column: HandInColumn, requests: &Requests) {
    let hand_ins = &state.classroom.hand_ins;
    let sorted = hand_ins.sort == column;
    let text = RichText::new(column.title()).size(t.small).color(if sorted { t.text } else { t.text_weak });
    let response = ui.add(egui::Button::new(text).frame(false));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, format!("Sort by {}", column.title())));
    if sorted {
        let at = response.rect.right_center() + vec2(t.small * 0.55, 0.0);
        let down = if hand_ins.descending { 1.0 } else { -1.0 };
        let size = t.small * 0.3;
        let corners = [(-size, -size * down), (size, -size * down), (0.0, size * down)];
        let corners = corners.map(|(x, y)| at + vec2(x, y * 0.8)).to_vec();
        ui.painter().add(egui::Shape::convex_polygon(corners, t.text, egui::Stroke::NONE));
    }
    if response.on_hover_text(column.explanation()).clicked() {
        requests.change(Change::Lesson(LessonChange::Sort(column)));
    }
}

fn cell(ui: &mut Ui, t: &Tokens, state: &State, work: &HandIn, column: HandInColumn) {
    let line = |ui: &mut Ui, text: &str| {
        ui.add(Label::new(text).truncate());
    };
    let rate = |rate: Option<f64>| rate.map_or_else(|| "\u{2013}".to_owned(), words::percent);
    match column {
        HandInColumn::Name => line(ui, work.shown_name()),
        HandInColumn::Lesson => line(ui, &work.lesson),
        HandInColumn::Guesses => {
            let said = work.guesses.iter().map(|guess| {
                let verdict = if guess.right { "right" } else { "wrong" };
                format!("Step {}: {} “{}” ({verdict})", guess.step, guess.question, guess.guess)
            });
            let said = said.collect::<Vec<_>>().join("\n");
            let label = ui.label(format!("{} of {} right", work.right(), work.guesses.len()));
            if !said.is_empty() {
                label.on_hover_text(said);
            }
        }
        HandInColumn::Steps => line(ui, &format!("{} of {}", work.reached, work.steps)),
        HandInColumn::Repair => line(ui, work.repair()),
        HandInColumn::Acc => line(ui, &rate(work.acc())),
        HandInColumn::Asr => line(ui, &rate(work.asr())),
        HandInColumn::Seed if state.classroom.hand_ins.other_seed(work) => {
            let text = RichText::new(format!("{} other seed", work.seed)).color(t.warn);
            ui.label(text).on_hover_text("The class began with another seed");
        }
        HandInColumn::Seed => line(ui, &work.seed.to_string()),
        HandInColumn::Note => {
            let note = work.note();
            let label = ui.add(Label::new(&note).truncate());
            if !note.is_empty() {
                label.on_hover_text(note);
            }
        }
    }
}
