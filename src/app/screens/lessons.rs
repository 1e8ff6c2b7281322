//! Lessons: the list, what a teacher prepares, and what students handed in.

use crate::app::command::{Change, Requests, Screen, UserCommand};
use crate::app::lessons::{FieldChoice, FieldGroup, Lesson, LessonChange, Prepare, Tab, field_groups};
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::widgets::{self, verdict_mark};
use egui::{Button, Checkbox, ComboBox, Label, RichText, ScrollArea, Sense, TextEdit, Ui, vec2};

mod hand_ins;

pub fn show(ui: &mut Ui, state: &State, requests: &Requests) {
    let t = theme::of(ui);
    ui.horizontal_wrapped(|ui| {
        ui.label(theme::title(&t, "Lessons"));
        let words: Vec<_> = Tab::ALL.map(|tab| (tab.name().to_owned(), tab.explanation().to_owned())).into();
        let offered = |tab: Tab| tab == Tab::Lessons || state.offers(UserCommand::PrepareClass);
        let tabs: Vec<_> = Tab::ALL.into_iter().zip(words).filter(|(tab, _)| offered(*tab)).collect();
        let selected = tabs.iter().position(|(tab, _)| *tab == state.classroom.tab);
        let words: Vec<_> = tabs.iter().map(|(_, words)| words.clone()).collect();
        if words.len() > 1
            && let Some(index) = widgets::segmented(ui, "Show", &words, selected)
        {
            requests.change(Change::Lesson(LessonChange::Tab(tabs[index].0)));
        }
    });
    ui.add_space(t.gap * 0.5);
    match state.classroom.tab {
        Tab::HandIns => hand_ins::show(ui, &t, state, requests),
        tab => {
            ScrollArea::vertical().id_salt(("lessons", tab as usize)).auto_shrink(false).show(ui, |ui| {
                if tab == Tab::Prepare {
                    ui.set_max_width((t.body * 66.0).min(ui.available_width()));
                    prepare(ui, &t, state, requests);
                } else {
                    list(ui, &t, state, requests);
                }
            });
        }
    }
}

fn list(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let room = &state.classroom;
    if let Some(pack) = &room.pack {
        let words = "This window was opened from a lesson pack. Its lesson stands beside the program.";
        widgets::section(ui, &pack.title, "", |ui| {
            ui.add(Label::new(words).wrap());
            if ui.button("Leave the pack").on_hover_text("Back to a window of your own").clicked() {
                requests.change(Change::Lesson(LessonChange::LeavePack));
            }
        });
        ui.add_space(t.gap * 0.5);
    }
    let columns = if ui.available_width() > t.body * 74.0 { 2 } else { 1 };
    for (row, lessons) in room.lessons.chunks(columns).enumerate() {
        ui.columns(columns, |ui| {
            for (column, lesson) in lessons.iter().enumerate() {
                card(&mut ui[column], t, state, row * columns + column, lesson, requests);
            }
        });
    }
}

fn card(ui: &mut Ui, t: &Tokens, state: &State, index: usize, lesson: &Lesson, requests: &Requests) {
    let room = &state.classroom;
    let open = room.course.as_ref().is_some_and(|course| course.lesson.id == lesson.id);
    let done = room.done.contains(&lesson.id);
    theme::card(t).show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.set_width(ui.available_width());
            let side = t.control * 1.3;
            let (rect, _) = ui.allocate_exact_size(vec2(side, side), Sense::hover());
            let (fill, ink) = if open { (t.accent, t.on_accent) } else { (t.accent_soft, t.text) };
            ui.painter().circle_filled(rect.center(), side * 0.5, fill);
            if done {
                verdict_mark(ui.painter(), rect.center(), side * 0.2, true, if open { ink } else { t.good });
            } else {
                let font = egui::FontId::new(t.heading, egui::FontFamily::Name("strong".into()));
                let number = (index + 1).to_string();
                ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, number, font, ink);
            }
            let button = t.body * 6.0;
            ui.vertical(|ui| {
                ui.set_width((ui.available_width() - button).max(t.body * 8.0));
                ui.spacing_mut().item_spacing.y = 2.0;
                ui.add(Label::new(theme::strong(&lesson.title)).wrap());
                ui.add(Label::new(RichText::new(&lesson.about).color(t.text_weak)).wrap());
                let facts = format!("{} min · {}{}", lesson.minutes, lesson.level, if done { " · done" } else { "" });
                ui.label(RichText::new(facts).size(t.small).color(t.text_weak));
            });
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let word = if open { "Again" } else { "Open" };
                let response =
                    ui.button(word).accessible_name(format!("{word} lesson {}: {}", index + 1, lesson.title));
                if response.clicked() {
                    requests.change(Change::Lesson(LessonChange::Take(index)));
                    if let Some(screen) = lesson.scenes().find_map(|scene| scene.screens().first().copied()) {
                        requests.command(UserCommand::Go(screen));
                    }
                }
            });
        });
    });
}

/// What a teacher hands out: which lesson, where it begins, what may be touched.
fn prepare(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let room = &state.classroom;
    let mut prepare = room.prepare.clone();
    let intro = "A lesson pack is one small text file: a lesson, the experiment of the Lab, a question of your own, and a window \
                 that shows only what you tick. Students open it with this program; they can always show everything again.";
    ui.add(Label::new(RichText::new(intro).color(t.text_weak)).wrap());
    widgets::section(ui, "The lesson", "", |ui| {
        about(ui, t, state, &mut prepare);
        ui.horizontal_wrapped(|ui| {
            let save = Button::new(theme::strong("Save pack…").color(t.on_accent)).fill(t.accent);
            if ui.add(save).on_hover_text("One file for all students").clicked() {
                requests.change(Change::Lesson(LessonChange::SavePack));
            }
            let help = "Opens the pack in this window, as students will see it; “Show everything” brings you back";
            if ui.button("Try it as a student").on_hover_text(help).clicked() {
                requests.change(Change::Lesson(LessonChange::TryPack));
            }
        });
    });
    ui.add_space(t.gap * 0.5);
    let needed = prepare.needed(&room.lessons);
    let groups = field_groups(state.draft.experiment(), &state.forms, state.methods);
    widgets::section(ui, "What students may touch", "", |ui| {
        ui.horizontal_wrapped(|ui| {
            if ui.button("Everything").clicked() {
                prepare.hidden.clear();
                prepare.hidden_fields.clear();
            }
            if ui.button("Only what the lesson uses").clicked() {
                let paths = groups.iter().flat_map(|group| &group.fields).map(|field| field.path.as_str());
                prepare.only_needed(&room.lessons, paths);
            }
            let left =
                Prepare::choices().filter(|command| needed.contains(command) || !prepare.hidden.contains(command));
            let words = format!("{} of {} are left", left.count(), Prepare::choices().count());
            ui.label(RichText::new(words).color(t.text_weak));
        });
        let columns = ((ui.available_width() / (t.body * 17.0)) as usize).clamp(1, 4);
        for (title, screens) in [("Screens", true), ("Commands", false)] {
            ui.add_space(t.gap * 0.5);
            ui.label(theme::strong(title));
            let choices: Vec<_> =
                Prepare::choices().filter(|command| matches!(command, UserCommand::Go(_)) == screens).collect();
            let lines = choices.len().div_ceil(columns);
            ui.columns(columns, |ui| {
                for (column, commands) in choices.chunks(lines).enumerate() {
                    for command in commands {
                        tick(&mut ui[column], *command, needed.contains(command), &mut prepare);
                    }
                }
            });
        }
    });
    ui.add_space(t.gap * 0.5);
    let about = "each setting that the Lab shows for its experiment";
    widgets::section(ui, "Settings that students see", about, |ui| fields(ui, t, state, &groups, &mut prepare));
    if prepare != room.prepare {
        requests.change(Change::Lesson(LessonChange::Prepare(Box::new(prepare))));
    }
}

fn about(ui: &mut Ui, t: &Tokens, state: &State, prepare: &mut Prepare) {
    let room = &state.classroom;
    let row = |ui: &mut Ui, name: &str, content: &mut dyn FnMut(&mut Ui)| {
        ui.horizontal(|ui| {
            let label = ui.label(name);
            ui.add_space((t.body * 8.0 - label.rect.width()).max(0.0));
            content(ui);
        });
    };
    row(ui, "Lesson", &mut |ui| {
        let none = "None: only the question";
        let chosen = prepare.lesson.and_then(|at| room.lessons.get(at)).map_or(none, |lesson| &lesson.title);
        let width = (ui.available_width() - t.gap).min(t.body * 26.0);
        let combo = ComboBox::from_id_salt("lesson of the pack").width(width).truncate().selected_text(chosen);
        let combo = combo.show_ui(ui, |ui| {
            ui.selectable_value(&mut prepare.lesson, None, none);
            for (index, lesson) in room.lessons.iter().enumerate() {
                ui.selectable_value(&mut prepare.lesson, Some(index), &lesson.title);
            }
        });
        combo.response.accessible_name("Lesson of the pack");
    });
    row(ui, "Title", &mut |ui| {
        let edit = TextEdit::singleline(&mut prepare.title).desired_width(f32::INFINITY);
        ui.add(edit.hint_text("Empty: the lesson's own")).accessible_name("Title of the pack");
    });
    row(ui, "Question", &mut |ui| {
        let edit = TextEdit::singleline(&mut prepare.question).desired_width(f32::INFINITY);
        ui.add(edit.hint_text("Asked after the last step")).accessible_name("Your own question");
    });
    row(ui, "Begins on", &mut |ui| {
        let combo =
            ComboBox::from_id_salt("start of the pack").width(t.body * 10.0).selected_text(prepare.start.name());
        let combo = combo.show_ui(ui, |ui| {
            for screen in Screen::ALL {
                ui.selectable_value(&mut prepare.start, screen, screen.name());
            }
        });
        combo.response.accessible_name("Screen on which it begins");
    });
    row(ui, "Experiment", &mut |ui| {
        let experiment = state.draft.experiment();
        let name = if experiment.name.is_empty() { "without a name" } else { &experiment.name };
        let words = format!("That of the Lab: {name}, seed {}", experiment.seed);
        ui.add(Label::new(RichText::new(words).color(t.text_weak)).wrap());
    });
}

/// The settings of the Lab, step by step; whoever leaves some out leaves out the text of the experiment too.
fn fields(ui: &mut Ui, t: &Tokens, state: &State, groups: &[FieldGroup], prepare: &mut Prepare) {
    let needed = prepare.needed_fields(&state.classroom.lessons);
    let columns = ((ui.available_width() / (t.body * 17.0)) as usize).clamp(1, 4);
    for group in groups {
        ui.horizontal(|ui| {
            ui.label(theme::strong(&group.title));
            let hidden = |field: &&FieldChoice| prepare.hidden_fields.contains(&field.path);
            let all_hidden = group.fields.iter().filter(hidden).count() == group.fields.len();
            let word = if all_hidden { "Tick all" } else { "Untick all" };
            let button = Button::new(RichText::new(word).size(t.small).color(t.text_weak)).small().frame(false);
            if ui.add(button).accessible_name(format!("{word} of {}", group.title)).clicked() {
                for field in &group.fields {
                    if all_hidden {
                        prepare.hidden_fields.remove(&field.path);
                    } else {
                        prepare.hidden_fields.insert(field.path.clone());
                    }
                }
            }
        });
        let lines = group.fields.len().div_ceil(columns).max(1);
        ui.columns(columns, |ui| {
            for (column, choices) in group.fields.chunks(lines).enumerate() {
                for field in choices {
                    let is_needed = needed.contains(&field.path);
                    let mut on = is_needed || !prepare.hidden_fields.contains(&field.path);
                    let response = ui[column].add_enabled(!is_needed, Checkbox::new(&mut on, &field.title));
                    let response = response.accessible_name(format!("{}: {}", group.title, field.title));
                    if response.changed() {
                        if on {
                            prepare.hidden_fields.remove(&field.path);
                        } else {
                            prepare.hidden_fields.insert(field.path.clone());
                        }
                    }
                    let help = if is_needed { "The lesson changes this" } else { &field.help };
                    response.on_hover_text(help).on_disabled_hover_text(help);
                }
            }
        });
        ui.add_space(t.gap * 0.4);
    }
}

fn tick(ui: &mut Ui, command: UserCommand, needed: bool, prepare: &mut Prepare) {
    let mut on = needed || !prepare.hidden.contains(&command);
    let response = ui.add_enabled(!needed, Checkbox::new(&mut on, command.label()));
    if response.changed() {
        if on {
            prepare.hidden.remove(&command);
        } else {
            prepare.hidden.insert(command);
        }
    }
    let help = if needed { "The lesson or its start needs this" } else { command.tooltip() };
    response.on_hover_text(help).on_disabled_hover_text(help);
}
