//! The open lesson: a column beside the program that stays while the screens change.

use crate::app::command::{Change, Requests, UserCommand};
use crate::app::lessons::{Course, Deed, Guess, LessonChange, Step};
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::widgets::{command_button, verdict_mark};
use egui::{Button, CornerRadius, Frame, Label, Margin, RichText, ScrollArea, Sense, TextEdit, Ui, WidgetInfo, vec2};

/// How wide the column is in a window of this width.
pub fn lesson_width(t: &Tokens, window: f32) -> f32 {
    (t.body * 24.0).min(window * 0.36)
}

pub fn lesson_column(ui: &mut Ui, state: &State, course: &Course, requests: &Requests) {
    let t = theme::of(ui);
    header(ui, &t, state, course, requests);
    let steps = t.control * 1.6;
    ScrollArea::vertical()
        .id_salt(("lesson", course.step))
        .auto_shrink(false)
        .max_height((ui.available_height() - steps).max(t.control))
        .show(ui, |ui| {
            if let Some(step) = course.now() {
                content(ui, &t, state, course, step, requests);
            }
            if !course.has_next() && course.may_look() {
                ending(ui, &t, state, requests);
            }
        });
    ui.separator();
    ui.horizontal(|ui| {
        command_button(ui, state, requests, UserCommand::PreviousStep);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if course.has_next() && course.is_reached(course.step) {
                let label = theme::strong(UserCommand::NextStep.label()).color(t.on_accent);
                let next = ui.add(Button::new(label).fill(t.accent));
                if next.on_hover_text("Page Down").clicked() {
                    requests.command(UserCommand::NextStep);
                }
            } else {
                command_button(ui, state, requests, UserCommand::NextStep);
            }
        });
    });
}

fn header(ui: &mut Ui, t: &Tokens, state: &State, course: &Course, requests: &Requests) {
    ui.horizontal(|ui| {
        let button = t.body * 4.6;
        ui.vertical(|ui| {
            ui.set_width((ui.available_width() - button).max(t.body * 6.0));
            ui.add(Label::new(theme::strong(&course.lesson.title).size(t.heading)).wrap());
        });
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let close = ui.add_enabled(state.enabled(UserCommand::CloseLesson), Button::new("Close"));
            let close = close.accessible_name(UserCommand::CloseLesson.label());
            if close.on_hover_text(UserCommand::CloseLesson.tooltip()).clicked() {
                requests.command(UserCommand::CloseLesson);
            }
        });
    });
    ui.horizontal(|ui| {
        let count = course.lesson.steps.len();
        ui.label(RichText::new(format!("Step {} of {count}", course.step + 1)).size(t.small).color(t.text_weak));
        // The marks alone: what they tell is said by the words and by the ticks of the steps.
        let side = t.small * 0.9;
        let (rect, _) = ui.allocate_exact_size(vec2(side * 1.5 * count as f32, side), Sense::hover());
        for step in 0..count {
            let at = rect.left_center() + vec2(side * (1.5 * step as f32 + 0.75), 0.0);
            if course.is_reached(step) {
                verdict_mark(ui.painter(), at, side * 0.36, true, t.good);
            } else {
                let fill = if step == course.step { t.accent } else { t.line_strong };
                ui.painter().circle_filled(at, side * 0.22, fill);
            }
        }
    });
    ui.add_space(t.gap * 0.5);
}

fn content(ui: &mut Ui, t: &Tokens, state: &State, course: &Course, step: &Step, requests: &Requests) {
    paragraphs(ui, &step.text);
    if let Some(guess) = &step.guess {
        choices(ui, t, course, guess, requests);
    }
    if !course.may_look() {
        return;
    }
    for deed in &step.deeds {
        deed_button(ui, t, state, course, deed, requests);
    }
    if course.is_reached(course.step) {
        result(ui, t, course, step);
    } else if step.reached.is_some() {
        ui.label(
            RichText::new("Press the button or do it yourself; then this step is ticked.")
                .size(t.small)
                .color(t.text_weak),
        );
    }
}

fn paragraphs(ui: &mut Ui, text: &str) {
    for paragraph in text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        ui.add(Label::new(line).wrap());
    }
}

/// The question before the result.
fn choices(ui: &mut Ui, t: &Tokens, course: &Course, guess: &Guess, requests: &Requests) {
    let chosen = course.guessed(course.step);
    let settled = course.is_reached(course.step);
    ui.add_space(t.gap * 0.5);
    ui.add(Label::new(theme::strong(&guess.question)).wrap());
    // Right of the choices there is room for the tick.
    let margin = t.body * 1.6;
    for (index, choice) in guess.choices.iter().enumerate() {
        let is_chosen = chosen == Some(index);
        let comes_true = settled && index == guess.right;
        let text = RichText::new(choice).color(if is_chosen { t.on_accent } else { t.text });
        let width = ui.available_width() - margin;
        let mut button = Button::new(text).wrap().min_size(vec2(width, t.control));
        if is_chosen {
            button = button.fill(t.accent);
        } else if comes_true {
            button = button.stroke(egui::Stroke::new(2.0, t.good));
        }
        let response = ui
            .scope(|ui| {
                ui.set_max_width(width);
                ui.add_enabled(!settled || is_chosen || comes_true, button)
            })
            .inner;
        if comes_true {
            let at = response.rect.right_center() + vec2(margin * 0.6, 0.0);
            verdict_mark(ui.painter(), at, t.body * 0.36, true, t.good);
        }
        response.widget_info(|| {
            WidgetInfo::selected(egui::Role::RadioButton, !settled, is_chosen, format!("Your guess: {choice}"))
        });
        if response.clicked() && !settled {
            requests.change(Change::Lesson(LessonChange::Guess(index)));
        }
    }
    if chosen.is_none() {
        ui.label(RichText::new("Guess first. Nobody counts.").size(t.small).color(t.text_weak));
    }
}

fn deed_button(ui: &mut Ui, t: &Tokens, state: &State, course: &Course, deed: &Deed, requests: &Requests) {
    let command = deed.command.as_deref().and_then(UserCommand::of_id);
    let can = command.is_none_or(|command| state.enabled(command))
        && (deed.set.run.is_none() || state.enabled(UserCommand::Start) || !deed.set.draft.is_empty());
    let button = Button::new(&deed.label).wrap().stroke(egui::Stroke::new(1.5, t.accent));
    if ui.add_enabled(can, button).clicked() {
        deed.set.bring_about(state, &course.lesson.experiment, requests);
        if let Some(command) = command {
            requests.command(command);
        }
    }
}

/// What came of it, beside what was guessed.
fn result(ui: &mut Ui, t: &Tokens, course: &Course, step: &Step) {
    let guess = step.guess.as_ref().zip(course.guessed(course.step));
    if guess.is_none() && step.after.is_empty() {
        return;
    }
    ui.add_space(t.gap * 0.5);
    let frame =
        Frame::new().fill(t.accent_soft).corner_radius(CornerRadius::same(t.radius)).inner_margin(Margin::same(10));
    let shown = frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        if let Some((guess, choice)) = guess {
            let words = if choice == guess.right {
                "You guessed it.".to_owned()
            } else {
                let said = guess.choices.get(choice).map(String::as_str).unwrap_or_default();
                format!("You guessed “{said}”. Many do; that is what makes it worth trying.")
            };
            ui.add(Label::new(theme::strong(words)).wrap());
        }
        paragraphs(ui, &step.after);
    });
    // Large type may have pushed it out of sight; it comes into view once.
    let slot = egui::Id::unique(("lesson result", &course.lesson.id, course.step));
    if !ui.data(|data| data.get_temp::<bool>(slot).unwrap_or_default()) {
        shown.response.scroll_to_me(None);
        ui.data_mut(|data| data.insert_temp(slot, true));
    }
}

/// After the last step: the teacher's question, and the work that is handed in.
fn ending(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let room = &state.classroom;
    let ask = |change| requests.change(Change::Lesson(change));
    ui.add_space(t.gap);
    ui.separator();
    let text_field = |ui: &mut Ui, name: &str, hint: &str, text: &str, lines: usize| {
        let mut text = text.to_owned();
        let edit = TextEdit::multiline(&mut text).desired_rows(lines).desired_width(f32::INFINITY).hint_text(hint);
        let edit = if lines == 1 {
            TextEdit::singleline(&mut text).desired_width(f32::INFINITY).hint_text(hint)
        } else {
            edit
        };
        ui.add(edit).accessible_name(name).changed().then_some(text)
    };
    if !room.question().is_empty() {
        ui.add(Label::new(theme::strong(room.question())).wrap());
        if let Some(answer) = text_field(ui, "Your answer", "Your answer", &room.answer, 2) {
            ask(LessonChange::Answer(answer));
        }
    }
    if let Some(name) = text_field(ui, "Your name", "Your name, if you like", &room.name, 1) {
        ask(LessonChange::Name(name));
    }
    if let Some(notes) = text_field(ui, "Notes", "Notes", &room.notes, 2) {
        ask(LessonChange::Notes(notes));
    }
    ui.horizontal_wrapped(|ui| {
        command_button(ui, state, requests, UserCommand::SaveWork);
        if room.pack.is_none() {
            command_button(ui, state, requests, UserCommand::PrepareClass);
        }
    });
}
