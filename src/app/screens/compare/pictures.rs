//! The same test pictures through every model: side by side, or flipped in place, which is where the eye sees best.

use super::{Columns, Compare, heading};
use crate::app::command::{Change, Requests, UserCommand};
use crate::app::comparison::{CompareChange, MOST_CHANGED, Said, SharedPicture};
use crate::app::desk::Purpose;
use crate::app::state::{State, top};
use crate::app::theme::{self, Tokens};
use crate::app::widgets::{self, PredictionBars, command_button, picture_tile};
use crate::app::words;
use crate::run::review::PictureNote;
use egui::{Key, Label, RichText, ScrollArea, TextEdit, Ui};

pub fn show(ui: &mut Ui, t: &Tokens, state: &State, columns: Columns, compare: &mut Compare, requests: &Requests) {
    let comparison = &state.comparison;
    theme::card(t).show(ui, |ui| {
        ui.set_width(ui.available_width());
        let all = comparison.pictures();
        if all.is_empty() {
            heading(ui, t, "The same pictures", "", |_| {});
            return waiting(ui, t, state, columns);
        }
        let differing = all.iter().filter(|picture| picture.differs).count();
        let audits = comparison.is_of_audits();
        let sentence = sentence(state, all.len(), differing);
        heading(ui, t, "The same pictures", &sentence, |_| {});
        let shown = comparison.shown();
        let flipped = controls(ui, state, compare, differing, requests);
        strip(ui, t, state, compare, &shown, requests);
        let Some(picture) = shown.get(comparison.picture()) else {
            let text = "Every model says the same about every picture.";
            ui.label(RichText::new(text).color(t.text_weak));
            return;
        };
        // Flipped, every place shows what its neighbour shows otherwise.
        let names = state.compared_names();
        let at = |index: usize| if flipped { (index + 1) % columns.count } else { index };
        if flipped {
            columns.row(
                ui,
                |_| {},
                |ui, index| {
                    let column = &comparison.columns()[at(index)];
                    ui.horizontal(|ui| {
                        super::run_mark(ui, column.role());
                        ui.add(Label::new(theme::strong(&names[at(index)])).truncate());
                    });
                },
            );
        }
        // Audited models come without a trigger; the patch that was found stands for it.
        let patch = comparison.found_patch().is_some();
        for stamped in [false, true].into_iter().take(if audits && !patch { 1 } else { 2 }) {
            let left = |ui: &mut Ui| {
                let word = match (stamped, audits) {
                    (false, _) => "As it is",
                    (true, false) => "With the trigger",
                    (true, true) => "With the found pattern",
                };
                ui.add(Label::new(theme::strong(word)).wrap());
                if let Some(said) = comparison.prediction(0, picture).filter(|_| !stamped) {
                    let truth = class_name(&said, said.prediction.label);
                    let text = format!("Picture {}: {truth}", said.prediction.row);
                    ui.add(Label::new(RichText::new(text).size(t.small).color(t.text_weak)).wrap());
                }
            };
            columns.row(ui, left, |ui, index| match comparison.prediction(at(index), picture) {
                Some(said) => answer(ui, t, &said, stamped, &names[at(index)]),
                None => told(ui, t, state, at(index)),
            });
            ui.add_space(t.gap * 0.5);
        }
        if audits && picture.differs {
            note(ui, t, state, compare, picture, requests);
        }
    });
}

/// What the strip shows, in a sentence.
fn sentence(state: &State, all: usize, differing: usize) -> String {
    let comparison = &state.comparison;
    if let Some((changed, of)) = comparison.changed() {
        let of = words::count(of as u64);
        return match changed.len() {
            0 => format!("All models give the same answer to each of the {of} pictures."),
            1 => format!("1 of {of} pictures gets another answer."),
            many if many > differing => {
                let first = comparison.page().map_or(0, |(page, _)| page * MOST_CHANGED) + 1;
                let last = (first + MOST_CHANGED - 1).min(many);
                let many = words::count(many as u64);
                format!("{many} of {of} pictures get another answer; here are numbers {first} to {last} of them.")
            }
            many => format!("{} of {of} pictures get another answer.", words::count(many as u64)),
        };
    }
    let how = if comparison.is_of_audits() { "" } else { ", with or without the trigger" };
    match differing {
        0 => format!("All models say the same about {all} test pictures."),
        some => format!("The models differ on {some} of {all} test pictures{how}."),
    }
}

/// What somebody says of a picture that the models see differently; kept with the newest audit, printed on its report.
fn note(ui: &mut Ui, t: &Tokens, state: &State, compare: &mut Compare, picture: &SharedPicture, requests: &Requests) {
    let comparison = &state.comparison;
    let last = comparison.columns().len().saturating_sub(1);
    let Some(view) = comparison.columns().get(last).filter(|_| last > 0).and_then(|column| comparison.view(column))
    else {
        return;
    };
    let (Some(before), Some(now)) = (comparison.prediction(0, picture), comparison.prediction(last, picture)) else {
        return;
    };
    let row = now.prediction.row;
    if compare.note.as_ref().is_some_and(|(known, _)| *known != row) {
        compare.note = None;
    }
    let known = view.review.note(row).map(|note| note.text.as_str()).unwrap_or_default();
    let mut text = compare.note.as_ref().map_or_else(|| known.to_owned(), |(_, text)| text.clone());
    ui.horizontal(|ui| {
        ui.label(theme::strong(format!("Note on picture {row}")));
        let edit = TextEdit::singleline(&mut text).hint_text("why this may be so; it is printed on the report");
        let edit =
            ui.add(edit.desired_width(ui.available_width() - t.gap)).accessible_name(format!("Note on picture {row}"));
        if edit.changed() {
            compare.note = Some((row, text));
        }
        if edit.lost_focus()
            && let Some((_, text)) = compare.note.take().filter(|(_, text)| text != known)
        {
            let said = |said: &Said<'_>| top(said.clean).map(|class| class_name(said, class)).unwrap_or_default();
            let truth = class_name(&now, now.prediction.label);
            let picture = format!("{truth}, {} before, {} now", said(&before), said(&now));
            requests.change(Change::Compare(CompareChange::Note(last, PictureNote { row, picture, text })));
        }
    });
}

/// True while the other runs are shown in place.
fn controls(ui: &mut Ui, state: &State, compare: &mut Compare, differing: usize, requests: &Requests) -> bool {
    let comparison = &state.comparison;
    ui.horizontal_wrapped(|ui| {
        let only = comparison.only_disagreements();
        let choices = [
            (
                format!("All ({})", comparison.pictures().len()),
                "Every picture that all models were asked about".to_owned(),
            ),
            (format!("Disagreements ({differing})"), "Only pictures on which the models differ".to_owned()),
        ];
        if let Some(index) = widgets::segmented(ui, "Pictures", &choices, Some(usize::from(only))) {
            requests.change(Change::Compare(CompareChange::OnlyDisagreements(index == 1)));
        }
        command_button(ui, state, requests, UserCommand::PreviousPicture);
        command_button(ui, state, requests, UserCommand::NextPicture);
        if let Some((page, pages)) = comparison.page() {
            let mut turn = |word: &str, to: Option<usize>| {
                let button = ui.add_enabled(to.is_some(), egui::Button::new(word));
                let button =
                    button.on_hover_text(format!("{MOST_CHANGED} pictures on which the models differ at a time"));
                if let Some(page) = to.filter(|_| button.clicked()) {
                    requests.change(Change::Compare(CompareChange::Page(page)));
                }
            };
            turn("Earlier disagreements", page.checked_sub(1));
            turn("Later disagreements", Some(page + 1).filter(|next| *next < pages));
        }
        if comparison.columns().len() < 2 {
            return false;
        }
        let flip = ui.button("Flip (hold Space)");
        compare.flip_held = flip.is_pointer_button_down_on();
        flip.on_hover_text("While it is held, each place shows its neighbour's run: differences jump to the eye");
        let free = ui.memory(|memory| memory.focused().is_none());
        compare.flip_held || (free && ui.input(|input| input.key_down(Key::Space)))
    })
    .inner
}

/// All pictures in small; a mark below those on which the models differ.
fn strip(ui: &mut Ui, t: &Tokens, state: &State, compare: &mut Compare, shown: &[&SharedPicture], requests: &Requests) {
    let comparison = &state.comparison;
    // The chosen picture comes into view once, when it was turned to; afterwards people scroll as they like.
    let turned = compare.picture.replace(comparison.picture()).is_some_and(|before| before != comparison.picture());
    let side = t.control * 1.3;
    ScrollArea::horizontal().id_salt("picture strip").auto_shrink([false, true]).show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            for (index, picture) in shown.iter().enumerate() {
                let Some(said) = comparison.prediction(0, picture) else {
                    continue;
                };
                let chosen = index == comparison.picture();
                let word = if picture.differs { ", the models differ" } else { "" };
                let alt =
                    format!("Picture {}: {}{word}", said.prediction.row, class_name(&said, said.prediction.label));
                let tile = picture_tile(ui, &said.prediction.clean, side, "", &alt).interact(egui::Sense::click());
                tile.widget_info(|| egui::WidgetInfo::selected(egui::Role::RadioButton, true, chosen, &alt));
                if picture.differs {
                    let mark = tile.rect.center_bottom() - egui::vec2(0.0, 4.0);
                    ui.painter().circle(mark, 4.0, t.target, egui::Stroke::new(1.0, t.card));
                }
                if chosen || tile.has_focus() {
                    let edge = egui::Stroke::new(2.5, t.accent);
                    ui.painter().rect_stroke(tile.rect, 2.0, edge, egui::StrokeKind::Inside);
                }
                if chosen && turned {
                    tile.scroll_to_me(None);
                }
                if tile.on_hover_text(alt).clicked() {
                    requests.change(Change::Compare(CompareChange::Picture(index)));
                }
            }
        });
    });
}

fn answer(ui: &mut Ui, t: &Tokens, said: &Said<'_>, stamped: bool, run: &str) {
    let (picture, probabilities) =
        if stamped { (&said.prediction.poisoned, said.stamped) } else { (&said.prediction.clean, said.clean) };
    let class = top(probabilities).map(|class| class_name(said, class)).unwrap_or_default();
    let name = if stamped { "with the trigger" } else { "as it is" };
    let bars = PredictionBars {
        title: &class,
        probabilities,
        classes: &said.prediction.classes,
        label: Some(said.prediction.label),
        most: 3,
    };
    let alt = format!("{run}, {name}: {class}");
    let width = ui.available_width() - 6.0;
    if width > t.body * 26.0 {
        ui.horizontal_top(|ui| {
            let side = t.body * 9.0;
            picture_tile(ui, picture, side, "", &alt);
            super::column(ui, width - side - t.gap, |ui| {
                ui.add_space(t.body);
                bars.show(ui);
            });
        });
    } else {
        picture_tile(ui, picture, (width * 0.5).clamp(t.body * 4.5, t.body * 9.0), "", &alt);
        super::column(ui, width, |ui| {
            bars.show(ui);
        });
    }
}

fn class_name(said: &Said<'_>, class: usize) -> String {
    words::class_name(&said.prediction.classes, class)
}

/// No pictures yet, or none at all: why, for each run.
fn waiting(ui: &mut Ui, t: &Tokens, state: &State, columns: Columns) {
    let comparison = &state.comparison;
    let answered = |index: usize| {
        let run = comparison.run(&comparison.columns()[index]);
        run.is_some_and(|run| matches!(run.predictions, Some(Ok(_))))
    };
    if (0..columns.count).all(answered) {
        let text = "These runs share no test picture: their data differ. Compare runs on the same data and test rows.";
        ui.add(Label::new(RichText::new(text).color(t.text_weak)).wrap());
        return;
    }
    columns.row(
        ui,
        |_| {},
        |ui, index| {
            if answered(index) {
                ui.label(RichText::new("has answered").color(t.text_weak));
            } else {
                told(ui, t, state, index);
            }
        },
    );
}

/// Why a column says nothing.
fn told(ui: &mut Ui, t: &Tokens, state: &State, index: usize) {
    let column = &state.comparison.columns()[index];
    let text = match state.comparison.picture_problem(column) {
        Some(problem) => problem.headline,
        None if state.desk.is_waiting(&Purpose::Compared(column.run.clone())) => {
            "The models are being asked…".to_owned()
        }
        None => "No answer yet.".to_owned(),
    };
    ui.add(Label::new(RichText::new(text).color(t.text_weak)).wrap());
}
