//! One run of the list: what it is, what people say about it, what can be done with it.

use crate::app::archive;
use crate::app::command::{Change, Requests};
use crate::app::comparison::CompareChange;
use crate::app::export::{ExportChange, POISONED_SET};
use crate::app::run_list::RunChange;
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::views;
use crate::run::index::RunRow;
use egui::{Key, Label, RichText, ScrollArea, TextEdit, Ui};
use std::path::PathBuf;

/// What is being typed about which run.
#[derive(Debug, Default)]
pub struct RunDetails {
    run: PathBuf,
    tag: String,
    note: Option<String>,
}

pub fn show(ui: &mut Ui, state: &State, run: &RunRow, details: &mut RunDetails, requests: &Requests) {
    let t = theme::of(ui);
    if details.run != run.path {
        *details = RunDetails { run: run.path.clone(), ..RunDetails::default() };
    }
    theme::card(&t).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.set_min_height(ui.available_height());
        ScrollArea::vertical().id_salt("run details").auto_shrink(false).show(ui, |ui| {
            ui.horizontal_top(|ui| {
                let width = ui.available_width() - t.control * 2.6;
                ui.vertical(|ui| {
                    ui.set_width(width.max(60.0));
                    ui.add(Label::new(theme::strong(&run.name).size(t.heading)).wrap());
                });
                if ui.button("Close").on_hover_text("Close the details").accessible_name("Close the details").clicked()
                {
                    requests.change(Change::Runs(RunChange::Select(None)));
                }
            });
            ui.add(Label::new(RichText::new(facts(state, run)).color(t.text_weak)).wrap());
            if let Some(trouble) = &run.trouble {
                ui.add(Label::new(RichText::new(trouble).color(t.bad)).wrap());
            }
            ui.horizontal_wrapped(|ui| {
                show_button(ui, run, requests);
                actions(ui, state, run, requests);
            });
            if run.state.is_some() {
                tags(ui, &t, run, details, requests);
                note(ui, &t, run, details, requests);
            }
            if !run.fair.is_empty() {
                ui.add_space(t.gap * 0.5);
                ScrollArea::horizontal().id_salt("fair results").show(ui, |ui| views::fair_table(ui, &run.fair));
            }
            if !run.results.is_empty() {
                ui.add_space(t.gap * 0.5);
                ScrollArea::horizontal().id_salt("run results").show(ui, |ui| views::results_table(ui, &run.results));
                views::results_note(ui, &run.results);
            }
        });
    });
}

/// What was run, in a line.
fn facts(state: &State, run: &RunRow) -> String {
    let name = |id: &str| state.method(id).map_or(id, |method| method.name).to_owned();
    let mut facts = vec![archive::state_word(run).to_owned()];
    if run.state.is_some() {
        facts.extend([run.data.clone(), name(&run.network)]);
        if !run.is_fair() {
            facts.push(run.attack.as_deref().map_or_else(|| "no attack".to_owned(), name));
        }
        facts.extend(run.defenses.iter().map(|id| name(id)));
        facts.push(format!("seed {}", run.seed));
        facts.push(run.hash.clone());
    }
    facts.join(" · ")
}

/// Words on the run, each with a cross, and a field for the next one.
fn tags(ui: &mut Ui, t: &Tokens, run: &RunRow, details: &mut RunDetails, requests: &Requests) {
    let set = |tags| requests.change(Change::Runs(RunChange::Tags(run.path.clone(), tags)));
    ui.add_space(t.gap * 0.5);
    ui.horizontal_wrapped(|ui| {
        for tag in &run.tags {
            let chip = ui.button(RichText::new(format!("#{tag}  ×")).size(t.small));
            let help = format!("Remove the tag {tag}");
            if chip.on_hover_text(&help).accessible_name(help).clicked() {
                set(run.tags.iter().filter(|other| *other != tag).cloned().collect());
            }
        }
        let edit = TextEdit::singleline(&mut details.tag).hint_text("add a tag").desired_width(t.body * 7.0);
        let edit = ui.add(edit).accessible_name("New tag");
        let entered = edit.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let new = details.tag.trim().trim_start_matches('#').to_owned();
        if entered && !new.is_empty() {
            details.tag.clear();
            if !run.tags.contains(&new) {
                set(run.tags.iter().cloned().chain([new]).collect());
            }
            // The next one can be typed at once.
            edit.request_focus();
        }
    });
}

/// Written when the field is left.
fn note(ui: &mut Ui, t: &Tokens, run: &RunRow, details: &mut RunDetails, requests: &Requests) {
    let mut note = details.note.clone().unwrap_or_else(|| run.note.clone());
    let edit = TextEdit::multiline(&mut note).hint_text("Note").desired_rows(3).desired_width(f32::INFINITY);
    let edit = ui.add(edit).accessible_name("Note").on_hover_text("Kept in the run's folder, in note.md");
    if edit.changed() {
        details.note = Some(note);
    }
    if edit.lost_focus()
        && let Some(note) = details.note.take().filter(|note| *note != run.note)
    {
        requests.change(Change::Runs(RunChange::Note(run.path.clone(), note)));
    }
    ui.add_space(t.gap * 0.25);
}

pub fn show_button(ui: &mut Ui, run: &RunRow, requests: &Requests) {
    let show = ui.add_enabled(run.state.is_some(), egui::Button::new("Show"));
    let help = if run.is_fair() {
        "Its trade-off on Fairness"
    } else {
        "Curves, pictures and table on Watch; findings on Audit"
    };
    let show = show.on_hover_text(help).accessible_name(format!("Show {}", run.name));
    if show.clicked() {
        requests.change(Change::OpenRun(run.path.clone()));
    }
}

/// Everything that can be done with a run besides showing it; in the details and in the row's menu.
pub fn actions(ui: &mut Ui, state: &State, run: &RunRow, requests: &Requests) {
    let action = |ui: &mut Ui, enabled: bool, word: &str, help: &str, change: Change| {
        let button = ui.add_enabled(enabled, egui::Button::new(word));
        let button = button.on_hover_text(help).on_disabled_hover_text(help);
        if button.accessible_name(format!("{word}: {}", run.name)).clicked() {
            requests.change(change);
            ui.close();
        }
    };
    let (path, idle) = (|| run.path.clone(), state.live_job().is_none());
    if run.state.is_some() {
        let help = match run.is_fair() {
            true => "Compare puts networks side by side; points of a trade-off are compared by a pin on Fairness",
            false => "Put this run beside others on Compare",
        };
        action(ui, !run.is_fair(), "Add to comparison", help, Change::Compare(CompareChange::Add(path())));
        let room = if run.is_fair() { "on Fairness" } else { "in the Lab" };
        let help = &format!("Open its experiment {room}, to change it and run it again");
        action(ui, true, "Use as new experiment", help, Change::Runs(RunChange::UseAsExperiment(path())));
        if archive::can_continue(run) {
            action(ui, idle, "Resume", "Go on from the last saved point", Change::ContinueRun(path()));
        }
    }
    if run.state.is_some() && run.attack.is_some() {
        let button = ui.button("Export the poisoned set");
        let button =
            button.on_hover_text("Its stamped pictures as a folder with a table, to keep or to train on again");
        if button.accessible_name(format!("Export the poisoned set: {}", run.name)).clicked() {
            requests.change(Change::Runs(RunChange::Select(Some(path()))));
            requests.change(Change::Export(ExportChange::Open(Some(POISONED_SET.to_owned()))));
            ui.close();
        }
    }
    action(ui, true, "Open folder", "Show the run's files", Change::RevealFolder(path()));
    let active = run.state.is_some_and(crate::run::State::is_active);
    let help = "Out of the list; undo brings it back until the bin is emptied";
    action(ui, !active, "Move to bin", help, Change::Runs(RunChange::MoveToBin(path())));
}
