//! A run that waits for room on the disk: what happened, and both ways on.

use crate::app::command::{Change, Requests};
use crate::app::job::JobView;
use crate::app::run_list::RunChange;
use crate::app::theme;
use crate::app::widgets;
use crate::experiment::{Code, Problem};
use egui::{Button, TextEdit, Ui};
use std::path::PathBuf;

/// The card of a run that found no room; `typed` is the folder that is being typed.
pub fn room_card(ui: &mut Ui, job: &JobView, problem: &Problem, typed: &mut String, requests: &Requests) {
    let t = theme::of(ui);
    let mut told = Problem::new(Code::DiskFull, "There is no room left on the disk, so the training waits.")
        .remedy("Make room and try again, or go on in another folder. What was saved is kept; the epoch that did not fit is done again.");
    (told.place, told.detail) = (problem.place.clone(), problem.detail.clone());
    widgets::problem_card(ui, requests, &told, 1, true, None);
    let Some(run) = &job.folder else { return };
    let ask = |change| requests.change(Change::Runs(change));
    ui.horizontal_wrapped(|ui| {
        let again = Button::new(theme::strong("Try again").color(t.on_accent)).fill(t.accent);
        if ui.add(again).on_hover_text("Goes on where the run lies, from its last saved point").clicked() {
            ask(RunChange::TryAgain(run.clone()));
        }
        let help = "Choose a folder with room; the run moves there and goes on";
        if ui.button("Another folder…").on_hover_text(help).clicked() {
            ask(RunChange::GoOnIn(run.clone(), None));
        }
        let edit = TextEdit::singleline(typed).hint_text("or type its path").desired_width(t.body * 20.0);
        let edit = ui.add(edit).accessible_name("Another folder");
        let entered = edit.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
        let path = typed.trim();
        let go = ui.add_enabled(!path.is_empty(), Button::new("Go on there"));
        if (go.clicked() || entered) && !path.is_empty() {
            ask(RunChange::GoOnIn(run.clone(), Some(PathBuf::from(path))));
        }
    });
    ui.add_space(t.gap * 0.5);
}
