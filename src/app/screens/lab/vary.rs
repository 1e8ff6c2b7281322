//! Varying one thing: a value becomes a list, and the runs it makes are shown before any of them starts.

use crate::app::command::{Change, Requests};
use crate::app::form::{self, Field, Shape};
use crate::app::lessons::Classroom;
use crate::app::state::State;
use crate::app::sweep::{VaryChange, VaryDraft, can_vary};
use crate::app::theme::{self, Tokens};
use crate::app::words;
use egui::{Button, Grid, Id, Label, Modal, RichText, ScrollArea, TextEdit, Ui};

/// Beside the name of every field that a list makes sense for: the way to vary it. `below` draws what else belongs there.
pub struct Varying<'a> {
    /// Where the fields lie in the experiment: `poison`, `attack.options`.
    pub place: String,
    pub requests: &'a Requests,
    /// What a teacher has left out.
    pub room: &'a Classroom,
    pub below: &'a mut dyn FnMut(&mut Ui, &str),
}

impl form::Around for Varying<'_> {
    fn beside(&mut self, ui: &mut Ui, field: &Field) {
        if !can_vary(field) {
            return;
        }
        let t = theme::of(ui);
        let button = Button::new(RichText::new("Vary").size(t.small).color(t.text_weak)).small().frame(false);
        let help = "Turn this value into a list: one run for each";
        if ui.add(button).on_hover_text(help).accessible_name(format!("Vary {}", field.title)).clicked() {
            let path = format!("{}.{}", self.place, field.key);
            self.requests.change(Change::Vary(VaryChange::Open(path)));
        }
    }

    fn below(&mut self, ui: &mut Ui, key: &str) {
        (self.below)(ui, key);
    }

    fn hides(&self, field: &Field) -> bool {
        self.room.hides_field(&format!("{}.{}", self.place, field.key))
    }

    fn is_fixed(&self) -> bool {
        self.place.strip_suffix("options").is_some_and(|place| self.room.hides_field(&format!("{place}id")))
    }
}

/// The list and the table of its runs, above the Lab.
pub fn dialog(ui: &Ui, state: &State, requests: &Requests) {
    let Some(draft) = &state.vary else { return };
    let t = theme::of(ui);
    let screen = ui.ctx().content_rect();
    let ask = |change| requests.change(Change::Vary(change));
    let modal = Modal::new(Id::unique("vary")).frame(theme::dialog(&t)).show(ui.ctx(), |ui| {
        ui.set_width((t.body * 44.0).min(screen.width() - 80.0));
        ui.label(theme::title(&t, format!("Vary: {}", draft.field.title)));
        ui.add(Label::new(RichText::new(&draft.field.help).color(t.text_weak)).wrap());
        lists(ui, &t, draft, requests);
        let room = (screen.height() - ui.cursor().top() - 9.0 * t.body).max(6.0 * t.body);
        plan(ui, &t, draft, room);
        let mut close = false;
        ui.horizontal(|ui| {
            let ready = draft.plan.is_ok() && state.live_job().is_none();
            let start = Button::new(theme::strong("Start all").color(t.on_accent)).fill(t.accent);
            let busy = "A training runs; the sweep can begin when it has ended.";
            if ui.add_enabled(ready, start).on_disabled_hover_text(busy).clicked() {
                ask(VaryChange::Start);
            }
            let text = draft.plan.as_ref().ok().and_then(|plan| plan.sweep.to_toml().ok());
            let help = "For `polariscope sweep FILE`: the same runs on the command line or on a cluster";
            let copy = ui.add_enabled(text.is_some(), Button::new("Copy as TOML")).on_hover_text(help);
            if let Some(text) = text.filter(|_| copy.clicked()) {
                requests.change(Change::Copy(text));
            }
            close = ui.button("Close").clicked();
        });
        close
    });
    if modal.inner || modal.should_close() {
        ask(VaryChange::Close);
    }
}

fn lists(ui: &mut Ui, t: &Tokens, draft: &VaryDraft, requests: &Requests) {
    let ask = |change| requests.change(Change::Vary(change));
    let shape = match &draft.field.shape {
        Shape::Optional(inner) => inner,
        shape => shape,
    };
    let unit = draft.field.unit.as_deref().map(|unit| format!(" in {unit}")).unwrap_or_default();
    ui.label(theme::strong(format!("Values{unit}")));
    let mut values = draft.values.clone();
    let hint = "0.5, 1, 2, 5";
    let edit = TextEdit::singleline(&mut values).hint_text(hint).desired_width(f32::INFINITY);
    if ui.add(edit).accessible_name("Values").changed() {
        ask(VaryChange::Values(values));
    }
    let choices: Vec<String> = match shape {
        Shape::Choice(choices) => choices.iter().map(|choice| choice.title.clone()).collect(),
        Shape::Switch => ["on", "off"].map(str::to_owned).to_vec(),
        _ => Vec::new(),
    };
    let chosen: Vec<&str> = draft.values.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let toggles = |ui: &mut Ui| {
        for choice in &choices {
            let mut on = chosen.iter().any(|part| part.eq_ignore_ascii_case(choice));
            if ui.checkbox(&mut on, choice).changed() {
                let others = chosen.iter().filter(|part| !part.eq_ignore_ascii_case(choice)).copied();
                let all: Vec<&str> = others.chain(on.then_some(choice.as_str())).collect();
                ask(VaryChange::Values(all.join(", ")));
            }
        }
    };
    if !choices.is_empty() {
        ui.horizontal_wrapped(toggles);
    }
    ui.horizontal(|ui| {
        ui.label(theme::strong("Seeds"));
        let mut seeds = draft.seeds.clone();
        let edit = TextEdit::singleline(&mut seeds).desired_width(t.body * 12.0);
        if ui.add(edit).accessible_name("Seeds").changed() {
            ask(VaryChange::Seeds(seeds));
        }
        let help = "Every value is run with each of these; 1-3 means 1, 2, 3";
        ui.label(RichText::new(help).size(t.small).color(t.text_weak));
    });
}

fn plan(ui: &mut Ui, t: &Tokens, draft: &VaryDraft, room: f32) {
    let sweep = match &draft.plan {
        Ok(sweep) => sweep,
        Err(problem) => {
            let text = [&problem.headline].into_iter().chain(&problem.detail).chain(&problem.remedy);
            let text = text.cloned().collect::<Vec<_>>().join(" ");
            let response = ui.add(Label::new(RichText::new(&text).color(t.bad)).wrap());
            response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Alert, true, &text));
            return;
        }
    };
    let left = sweep.runs.iter().filter(|run| run.standing != crate::app::sweep::Standing::Done).count();
    let time = match draft.seconds.filter(|_| left > 0) {
        Some(seconds) => format!(", {} in total", words::eta(seconds)),
        None => String::new(),
    };
    let done = sweep.runs.len() - left;
    let finished = if done > 0 { format!("; {done} of them finished already") } else { String::new() };
    ui.label(theme::strong(format!("{}{time}{finished}", words::runs(sweep.runs.len()))));
    ScrollArea::vertical().max_height(room).auto_shrink([false, true]).show(ui, |ui| {
        Grid::new("plan").num_columns(3).striped(true).spacing([t.pad * 1.6, t.gap * 0.5]).show(ui, |ui| {
            for run in &sweep.runs {
                ui.label(&run.label);
                ui.label(RichText::new(run.standing.word()).color(t.text_weak));
                let folder = crate::run::folder::name_of(&run.planned.folder);
                ui.label(RichText::new(folder).size(t.small).color(t.text_weak));
                ui.end_row();
            }
        });
    });
}
