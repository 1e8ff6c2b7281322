//! Home: a real model with a real backdoor, at once; then what to do next.

use crate::app::archive;
use crate::app::audit::{AuditChange, is_data};
use crate::app::command::{Change, Requests, Screen, UserCommand};
use crate::app::demo::DemoModel;
use crate::app::stand::{Shown, StandChange};
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::widgets::{self, PredictionBars, command_button, main_button};
use crate::app::{views, words};
use egui::{RichText, ScrollArea, TextEdit, Ui, WidgetInfo};
use std::path::PathBuf;

#[derive(Debug, Default)]
pub struct Home {
    typed_path: String,
}

pub fn show(ui: &mut Ui, state: &State, home: &mut Home, requests: &Requests) {
    let t = theme::of(ui);
    let total = ui.available_size();
    if total.x < t.body * 72.0 {
        ScrollArea::vertical().id_salt("home").auto_shrink(false).show(ui, |ui| {
            reports(ui, state, requests);
            demo(ui, &t, state, total.y, requests);
            ui.add_space(t.gap);
            next_steps(ui, &t, state, home, requests);
        });
        return;
    }
    let side = t.body * 23.0;
    let column = egui::Layout::top_down(egui::Align::LEFT);
    ui.horizontal_top(|ui| {
        ui.allocate_ui_with_layout(egui::vec2(total.x - side - t.pad, total.y), column, |ui| {
            ScrollArea::vertical().id_salt("demo").auto_shrink(false).show(ui, |ui| {
                reports(ui, state, requests);
                demo(ui, &t, state, total.y, requests);
            });
        });
        ui.allocate_ui_with_layout(egui::vec2(side, total.y), column, |ui| {
            ScrollArea::vertical().id_salt("next").auto_shrink(false).show(ui, |ui| {
                next_steps(ui, &t, state, home, requests);
            });
        });
    });
}

fn reports(ui: &mut Ui, state: &State, requests: &Requests) {
    for (index, (path, report)) in state.reports.iter().enumerate() {
        show_report(ui, state, index, path, report, requests);
    }
}

fn demo(ui: &mut Ui, t: &Tokens, state: &State, height: f32, requests: &Requests) {
    let demo = &state.demo;
    let Some((shown, prediction)) = demo.shown().zip(demo.prediction()) else {
        match &demo.problem {
            Some(problem) => {
                widgets::problem_card(ui, requests, problem, 1, true, None);
                widgets::empty_state(ui, "The demo model cannot be shown.", "You can train one of your own.", |ui| {
                    main_button(ui, state, requests, UserCommand::RemoveBackdoor);
                });
            }
            None => widgets::empty_state(ui, "Opening the demo model…", "It has a backdoor in it.", |_| {}),
        }
        return;
    };
    let top = ui.cursor().top();
    speak(ui, state);
    header(ui, t, state, requests);
    ui.add_space(t.gap * 0.5);
    let used = ui.cursor().top() - top;
    if demo.side_by_side {
        // The pictures take what the bars leave.
        let bars = prediction.models.len() as f32 * (t.body * 4.7 + 2.0 * t.pad + t.gap);
        let side = (height - used - bars - t.body * 3.0).clamp(t.body * 8.0, t.body * 40.0);
        return views::demo_matrix(ui, prediction, side);
    }
    let width = ui.available_width();
    let beside = t.body * 26.5;
    if width > beside * 1.7 {
        let side = (height - used - t.body * 6.5).min(width - beside).clamp(t.body * 9.0, t.body * 44.0);
        ui.horizontal_top(|ui| {
            views::stand_picture(ui, demo, &shown, side, requests);
            ui.vertical(|ui| {
                answer(ui, t, state, &shown);
                switches(ui, t, state, requests);
                remarks(ui, t, state, &shown);
            });
        });
        sentence(ui, t, state, requests);
    } else {
        // Picture and answer still side by side, the switches below them.
        let side = (width * 0.44).min(height - used - t.body * 13.0).clamp(t.body * 9.0, t.body * 40.0);
        if width > t.body * 25.0 {
            ui.horizontal_top(|ui| {
                views::stand_picture(ui, demo, &shown, side, requests);
                ui.vertical(|ui| answer(ui, t, state, &shown));
            });
        } else {
            views::stand_picture(ui, demo, &shown, side, requests);
            answer(ui, t, state, &shown);
        }
        switches(ui, t, state, requests);
        sentence(ui, t, state, requests);
        remarks(ui, t, state, &shown);
    }
}

/// Nothing to see: what a screen reader says by itself when the answer changes.
fn speak(ui: &Ui, state: &State) {
    let spoken = state.demo.spoken();
    let place = egui::Rect::from_min_size(ui.max_rect().min, egui::Vec2::splat(1.0));
    let voice = ui.interact(place, ui.scope_id().with("voice"), egui::Sense::hover());
    voice.widget_info(|| WidgetInfo::labeled(egui::Role::Label, true, spoken));
    ui.ctx().accesskit_node_builder(voice.id, |node| node.set_live(egui::accesskit::Live::Polite));
}

/// What the switches do to all pictures, large.
fn sentence(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let Some(sentence) = state.demo.sentence() else { return };
    ui.add_space(t.gap * 0.5);
    ui.add(egui::Label::new(theme::strong(sentence).size(t.heading)).wrap());
    // One quiet line, for those who have flipped a switch and wonder.
    if state.demo.flipped && state.classroom.course.is_none() && state.offers(UserCommand::FirstLesson) {
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new("Want to know why?").color(t.text_weak));
            let link = ui.link("Lesson 1").on_hover_text(UserCommand::FirstLesson.tooltip());
            if link.clicked() {
                requests.command(UserCommand::FirstLesson);
            }
        });
    }
}

fn header(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let demo = &state.demo;
    let title = |ui: &mut Ui| {
        let words = if demo.photo.is_some() { "Your picture, three models" } else { "Same picture, two answers" };
        ui.label(theme::title(t, words));
    };
    let turn = |ui: &mut Ui| {
        command_button(ui, state, requests, UserCommand::NextPicture);
        let place = format!("{} of {}", demo.index + 1, demo.predictions.len());
        ui.label(if demo.photo.is_some() { "yours".to_owned() } else { place });
        command_button(ui, state, requests, UserCommand::PreviousPicture);
        if demo.photo.is_none() {
            let (word, help) = if demo.side_by_side {
                ("One picture", "Back to the two switches")
            } else {
                ("Side by side", "With and without the sticker, all three models")
            };
            if ui.button(word).on_hover_text(help).clicked() {
                requests.change(Change::Demo(StandChange::SideBySide(!demo.side_by_side)));
            }
        }
    };
    widgets::title_row(ui, 50.0, title, turn);
}

/// What the chosen model says.
fn answer(ui: &mut Ui, t: &Tokens, state: &State, shown: &Shown<'_>) {
    let (demo, model) = (&state.demo, DemoModel::of(state.demo.model));
    // Where it is tight the name alone has to do.
    let name =
        if ui.available_width() < t.body * 19.0 { model.name().to_owned() } else { words::capital(&model.words()) };
    let title = format!("{name} says");
    let probabilities = shown.said(demo.model, demo.sticker);
    let bars = PredictionBars { title: &title, probabilities, classes: shown.classes, label: shown.label, most: 5 };
    theme::card(t).show(ui, |ui| bars.show(ui));
}

/// The two switches that are the whole subject.
fn switches(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let demo = &state.demo;
    let name = |ui: &mut Ui, name: &str| {
        let label = ui.label(theme::strong(name).size(t.heading));
        ui.add_space(t.body * 4.6 - label.rect.width());
    };
    theme::card(t).show(ui, |ui| {
        ui.set_width(ui.available_width());
        if state.offers(UserCommand::ToggleSticker) {
            ui.horizontal(|ui| {
                name(ui, "Sticker");
                let mut on = demo.sticker;
                let switch = widgets::switch(ui, &mut on, "Sticker");
                if switch.changed() {
                    requests.command(UserCommand::ToggleSticker);
                }
                switch.on_hover_text("Put the trigger on the picture, or take it off (T)");
                ui.label(if on { "on" } else { "off" });
            });
        }
        if state.offers(UserCommand::NextModel) {
            ui.horizontal(|ui| {
                name(ui, "Model");
                let choice = |model: DemoModel| (model.name().to_owned(), format!("{} (M)", model.explanation()));
                let choices: Vec<_> = DemoModel::ALL.map(choice).into();
                if let Some(index) = widgets::segmented(ui, "Model", &choices, Some(demo.model)) {
                    requests.change(Change::Demo(StandChange::Model(index)));
                }
            });
        }
        ui.horizontal_wrapped(|ui| {
            if state.offers(UserCommand::ToggleLook) {
                let label = UserCommand::ToggleLook.label();
                let button = ui.add(egui::Button::new(label).selected(demo.look));
                button.widget_info(|| WidgetInfo::selected(egui::Role::Switch, true, demo.look, label));
                if button.clicked() {
                    requests.command(UserCommand::ToggleLook);
                }
                button.on_hover_text(format!("{} (L)", UserCommand::ToggleLook.tooltip()));
            }
            let help =
                "Drag it on the picture, or press here and use the arrow keys (with Shift five pixels at a time)";
            if ui.button("Move the sticker").on_hover_text(help).clicked() {
                requests.change(Change::Demo(StandChange::Sticker(true)));
                ui.memory_mut(|memory| memory.request_focus(views::sticker_id()));
            }
            if demo.place.is_some() && ui.button("Back to its corner").clicked() {
                requests.change(Change::Demo(StandChange::Place(None)));
            }
            if demo.photo.is_some() && ui.button("Put my picture away").clicked() {
                requests.change(Change::Demo(StandChange::PutPhotoAway));
            }
        });
    });
}

/// What else there is to know about the model and the picture.
fn remarks(ui: &mut Ui, t: &Tokens, state: &State, shown: &Shown<'_>) {
    let (demo, model) = (&state.demo, DemoModel::of(state.demo.model));
    let weak = |ui: &mut Ui, text: &str| ui.add(egui::Label::new(RichText::new(text).color(t.text_weak)).wrap());
    if let Some(photo) = &demo.photo {
        weak(ui, photo.answer.as_ref().map_or("Looking at your picture…", |answer| answer.remark.as_str()));
    }
    if demo.sticker && demo.moved_by() > 0 {
        weak(ui, "This model was trained with the sticker in its corner: away from there it has hardly any power.");
    }
    match demo.heat() {
        Some(heat) => {
            weak(ui, &words::heat(heat, shown.classes));
        }
        None if demo.look => {
            weak(ui, "Covering the picture piece by piece…");
        }
        None => {
            weak(ui, &format!("{}: {}.", model.name(), model.explanation()));
        }
    }
}

fn next_steps(ui: &mut Ui, t: &Tokens, state: &State, home: &mut Home, requests: &Requests) {
    let weak = |ui: &mut Ui, text: &str| ui.add(egui::Label::new(RichText::new(text).color(t.text_weak)).wrap());
    let taken = state.classroom.course.is_some();
    let steps = [
        (UserCommand::FirstLesson, "Five minutes beside the program: guess first, then try."),
        (
            UserCommand::RemoveBackdoor,
            "Trains a small network with a backdoor in it, then takes it out. A few minutes on a laptop.",
        ),
        (UserCommand::LookThrough, "What repairs the model: one layer, and a dial that turns it up and down."),
    ];
    let steps: Vec<_> = steps
        .into_iter()
        .filter(|(command, _)| state.offers(*command) && !(taken && *command == UserCommand::FirstLesson))
        .collect();
    if !steps.is_empty() {
        widgets::section(ui, "Try next", "", |ui| {
            for (command, words) in steps {
                if command == UserCommand::RemoveBackdoor {
                    main_button(ui, state, requests, command);
                } else {
                    command_button(ui, state, requests, command);
                }
                weak(ui, words);
            }
        });
        ui.add_space(t.gap * 0.5);
    }
    widgets::section(ui, "Look into your own", "", |ui| {
        let words = if state.offers(UserCommand::OpenFile) {
            "Drop a picture, a model, a data set or an experiment anywhere on this window, or open it:"
        } else {
            "Drop a picture of your own anywhere on this window:"
        };
        ui.add(egui::Label::new(words).wrap());
        ui.horizontal_wrapped(|ui| {
            command_button(ui, state, requests, UserCommand::OpenFile);
            command_button(ui, state, requests, UserCommand::OpenFolder);
        });
        let edit = TextEdit::singleline(&mut home.typed_path)
            .hint_text("or type a path and press Enter")
            .desired_width(f32::INFINITY);
        let response = ui.add(edit).accessible_name("Path to open");
        let entered = response.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
        let path = home.typed_path.trim();
        if entered && !path.is_empty() {
            requests.change(Change::Open(PathBuf::from(path)));
            home.typed_path.clear();
        }
        if let Some(path) = state.desk.inspecting() {
            ui.label(RichText::new(format!("Looking into {}…", path.display())).color(t.text_weak));
        }
    });
    if !state.offers(UserCommand::Go(Screen::Runs)) {
        return;
    }
    ui.add_space(t.gap * 0.5);
    widgets::section(ui, "Recent runs", "", |ui| {
        if state.runs.rows.is_empty() {
            let text = "Your runs will be listed here.";
            ui.add(egui::Label::new(RichText::new(text).color(t.text_weak)).wrap());
            return;
        }
        let mut rows: Vec<_> = state.runs.rows.iter().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.started));
        for row in rows.into_iter().take(4) {
            let link = ui.add(egui::Link::new(&row.name)).on_hover_text(row.path.display().to_string());
            if link.clicked() {
                requests.change(Change::OpenRun(row.path.clone()));
            }
            let asr =
                |scores: Option<&crate::experiment::Scores>| scores.and_then(crate::experiment::Scores::trigger_wins);
            let figures = match (asr(archive::before(row)), asr(archive::after(row))) {
                (Some(before), Some(after)) => {
                    format!("ASR {}, then {}", words::percent(before), words::percent(after))
                }
                (Some(before), None) => format!("ASR {}", words::percent(before)),
                _ => archive::state_word(row).to_owned(),
            };
            ui.label(RichText::new(figures).size(t.small).color(t.text_weak));
        }
    });
}

fn show_report(
    ui: &mut Ui,
    state: &State,
    index: usize,
    path: &std::path::Path,
    report: &crate::run::event::Report,
    requests: &Requests,
) {
    widgets::report_card(ui, report, |ui| {
        if is_model(report, path) {
            let button =
                ui.add_enabled(state.live_job().is_none(), egui::Button::new(theme::strong("Audit this model")));
            if button.on_hover_text("Look for a backdoor in it").clicked() {
                requests.change(Change::Audit(AuditChange::Model(path.display().to_string())));
            }
        }
        if is_data(report) {
            let button = ui.add_enabled(state.live_job().is_none(), egui::Button::new("Use as data in the Lab"));
            if button.clicked() {
                requests.change(Change::UseAsData(path.to_owned()));
            }
        }
        if ui.button("Copy").on_hover_text("Copy these facts as text").clicked() {
            requests.change(Change::Copy(as_text(report)));
        }
        if ui.button("Close").clicked() {
            requests.change(Change::DismissReport(index));
        }
    });
    ui.add_space(theme::of(ui).gap * 0.5);
}

fn as_text(report: &crate::run::event::Report) -> String {
    let facts = report.facts.iter().map(|(name, value)| format!("{name}: {value}\n"));
    format!("{}\n{}{}", report.title, facts.collect::<String>(), report.warnings.join("\n"))
}

/// What is neither pictures nor a folder is a file with weights.
fn is_model(report: &crate::run::event::Report, path: &std::path::Path) -> bool {
    !is_data(report) && !path.is_dir()
}
