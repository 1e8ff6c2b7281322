//! Lab: an experiment as one flow from left to right, forms made from the methods' own descriptions, the same experiment as
//! text beside them, and what the attack does to pictures, before anything is trained.

use crate::app::command::{Change, Requests, UserCommand};
use crate::app::export::POISONED_SET;
use crate::app::form;
use crate::app::lessons::Classroom;
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::views;
use crate::app::widgets::{self, command_button, main_button};
use crate::app::words;
use crate::experiment::spec::Experiment;
use crate::experiment::{Code, Kind, Method, Pick, Problem};
use egui::{RichText, ScrollArea, TextEdit, Ui};
use serde_json::{Map, Value};
use vary::Varying;

mod attack;
mod defense;
mod flow;
mod text;
mod vary;

/// A step of the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Step {
    Data,
    Network,
    #[default]
    Attack,
    Training,
    Defense(usize),
}

#[derive(Debug, Default)]
pub struct Lab {
    step: Step,
}

pub fn show(ui: &mut Ui, state: &State, lab: &mut Lab, requests: &Requests) {
    let t = theme::of(ui);
    let mut experiment = state.draft.experiment().clone();
    let editable = state.draft.problem().is_none_or(|problem| problem.readable);
    header(ui, &t, state, &mut experiment, editable, requests);
    if let Step::Defense(index) = lab.step
        && index >= experiment.defense.len()
    {
        lab.step = Step::Training;
    }
    ui.add_enabled_ui(editable, |ui| flow::show(ui, &t, state, lab, &mut experiment));
    ui.add_space(t.gap * 0.5);
    let total = ui.available_size();
    let narrow = total.x < t.body * 66.0;
    // What is left out of the forms must not be in the text either.
    let with_text = state.settings.show_text && !state.classroom.hides_fields();
    let columns = if narrow { 2 } else { 2 + usize::from(with_text) };
    let width = (total.x - t.gap * (columns as f32 - 1.0)) / columns as f32;
    ui.horizontal_top(|ui| {
        let height = total.y;
        column(ui, "form", width, height, |ui| {
            ui.add_enabled_ui(editable, |ui| step_form(ui, &t, state, lab, &mut experiment, requests));
        });
        column(ui, "preview", width, height, |ui| {
            // A mistake in the text must be seen even where the text stands below the pictures.
            if narrow && with_text && state.draft.problem().is_some() {
                text::show(ui, &t, state, requests);
                preview(ui, state, requests);
            } else {
                preview(ui, state, requests);
                if narrow && with_text {
                    ui.add_space(t.gap * 0.5);
                    text::show(ui, &t, state, requests);
                }
            }
        });
        if !narrow && with_text {
            column(ui, "text", width, height, |ui| text::show(ui, &t, state, requests));
        }
    });
    vary::dialog(ui, state, requests);
    if experiment != *state.draft.experiment() {
        requests.change(Change::Experiment(Box::new(experiment)));
    }
}

fn column(ui: &mut Ui, id: &str, width: f32, height: f32, content: impl FnOnce(&mut Ui)) {
    ui.allocate_ui_with_layout(egui::vec2(width, height), egui::Layout::top_down(egui::Align::LEFT), |ui| {
        ScrollArea::vertical().id_salt(id).auto_shrink(false).show(ui, content);
    });
}

fn header(ui: &mut Ui, t: &Tokens, state: &State, experiment: &mut Experiment, editable: bool, requests: &Requests) {
    ui.horizontal(|ui| {
        ui.set_min_height(t.control * 1.25);
        ui.add_enabled_ui(editable, |ui| {
            let name = TextEdit::singleline(&mut experiment.name).hint_text("Title of the experiment");
            ui.add(name.desired_width(t.body * 20.0)).accessible_name("Title");
            if !state.classroom.hides_field("seed") {
                ui.label(RichText::new("seed").color(t.text_weak));
                let seed = ui.add(egui::DragValue::new(&mut experiment.seed).speed(0.1));
                seed.on_hover_text("The same seed gives the same result").accessible_name("Seed");
            }
        });
        if !state.classroom.hides_fields() {
            presets(ui, state, requests);
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            main_button(ui, state, requests, UserCommand::Start);
            let word = if state.settings.show_text { "Hide text" } else { "As text" };
            let help = UserCommand::ToggleText.tooltip();
            if !state.classroom.hides_fields() && ui.button(word).on_hover_text(help).clicked() {
                requests.command(UserCommand::ToggleText);
            }
            // In the menu and on the keyboard they are in any case.
            if ui.available_width() > t.body * 14.0 {
                command_button(ui, state, requests, UserCommand::Redo);
                command_button(ui, state, requests, UserCommand::Undo);
            }
        });
    });
}

fn presets(ui: &mut Ui, state: &State, requests: &Requests) {
    if state.presets.is_empty() {
        return;
    }
    let menu = ui.menu_button("Presets", |ui| {
        for (index, preset) in state.presets.iter().enumerate() {
            if ui.button(&preset.title).clicked() {
                requests.change(Change::Preset(index));
                ui.close();
            }
        }
    });
    menu.response.on_hover_text("Experiments that are known to work");
}

fn preview(ui: &mut Ui, state: &State, requests: &Requests) {
    let count = state.preview.preview.as_ref().map(|preview| preview.rows).unwrap_or_default();
    let unmade = state.preview.problem.as_ref().is_some_and(|problem| problem.code == Code::NotMadeYet);
    let remark = if count > 0 && !unmade {
        format!("picture {} of {}", state.preview.row + 1, words::count(count as u64))
    } else {
        String::new()
    };
    if state.draft.experiment().attack.is_none() {
        return widgets::section(ui, "What the attack does", "", |ui| {
            let text = "There is no attack: the network is trained on clean data. Choose one to see what it does.";
            ui.add(egui::Label::new(RichText::new(text).color(theme::of(ui).text_weak)).wrap());
        });
    }
    widgets::section(ui, "What the attack does", &remark, |ui| {
        // What the planner says at a field is not said twice.
        let told = |problem: &&Problem| state.planner.plan.as_ref().is_some_and(|plan| plan.problems.contains(problem));
        if let Some(problem) = state.preview.problem.as_ref().filter(|problem| !told(problem)) {
            widgets::unseen_trigger(ui, state, requests, problem);
            if unmade {
                return;
            }
        }
        views::preview(ui, &state.preview, requests);
        ui.horizontal(|ui| {
            command_button(ui, state, requests, UserCommand::PreviousPicture);
            command_button(ui, state, requests, UserCommand::NextPicture);
        });
    });
    ui.add_space(theme::of(ui).gap * 0.5);
    widgets::section(ui, "What will be poisoned", "", |ui| {
        views::planner(ui, &state.planner, theme::of(ui).body * 20.0);
        // Where the pictures are known before the training they can be had before it.
        if state.planner.plan.as_ref().is_some_and(|plan| plan.poisoned.is_some() && plan.problems.is_empty()) {
            widgets::export_button(ui, requests, POISONED_SET);
        }
    });
}

/// The form of the chosen step.
fn step_form(ui: &mut Ui, t: &Tokens, state: &State, lab: &mut Lab, experiment: &mut Experiment, requests: &Requests) {
    match lab.step {
        Step::Data => widgets::section(ui, "Data", "", |ui| {
            let mut values = as_map(&experiment.data);
            let mut nothing = |_: &mut Ui, _: &str| {};
            let mut around = varying("data", state, requests, &mut nothing);
            if form::show_with(ui, "data", &state.forms.data, &mut values, &[], &mut around)
                && let Some(data) = from_map(values, &state.forms.data)
            {
                experiment.data = data;
            }
            let hint = "Drop a data set on the window to use it here.";
            ui.add(egui::Label::new(RichText::new(hint).color(t.text_weak)).wrap());
        }),
        Step::Training => widgets::section(ui, "Training", "", |ui| {
            let mut values = as_map(&experiment.train);
            let mut nothing = |_: &mut Ui, _: &str| {};
            let mut around = varying("train", state, requests, &mut nothing);
            if form::show_with(ui, "train", &state.forms.train, &mut values, &[], &mut around)
                && let Some(train) = from_map(values, &[])
            {
                experiment.train = train;
            }
        }),
        Step::Network => widgets::section(ui, "Network", "", |ui| {
            let mut nothing = |_: &mut Ui, _: &str| {};
            let mut around = varying("network.options", state, requests, &mut nothing);
            method_form_with(ui, t, state, &[Kind::Network], &mut experiment.network, &mut around);
        }),
        Step::Attack => attack::show(ui, t, state, experiment, requests),
        Step::Defense(index) => defense::show(ui, t, state, lab, experiment, index, requests),
    }
}

/// The fields at this place of the experiment, each with a way to vary it.
fn varying<'a>(
    place: &str,
    state: &'a State,
    requests: &'a Requests,
    below: &'a mut dyn FnMut(&mut Ui, &str),
) -> Varying<'a> {
    Varying { place: place.to_owned(), requests, room: &state.classroom, below }
}

/// Which attack, what it is, and its options: for those who only look at its trigger.
pub(super) fn attack_form(ui: &mut Ui, t: &Tokens, state: &State, attack: &mut Pick) {
    let mut around = Kept(&state.classroom);
    method_form_with(ui, t, state, &[Kind::Attack], attack, &mut around);
}

/// The attack's options without those that a teacher has left out.
struct Kept<'a>(&'a Classroom);

impl form::Around for Kept<'_> {
    fn hides(&self, field: &form::Field) -> bool {
        self.0.hides_field(&format!("attack.options.{}", field.key))
    }

    fn is_fixed(&self) -> bool {
        self.0.hides_field("attack.id")
    }
}

/// Which method, what it is, and its options, with something more around them.
fn method_form_with(
    ui: &mut Ui,
    t: &Tokens,
    state: &State,
    kinds: &[Kind],
    pick: &mut Pick,
    around: &mut dyn form::Around,
) {
    let known: Vec<_> = state.methods.iter().filter(|method| kinds.contains(&method.kind)).collect();
    let current = state.method(&pick.id);
    let shown = current.map_or(pick.id.as_str(), |method| method.name).to_owned();
    let noun = kinds.first().map_or("method", |kind| kind.noun());
    let choose = |ui: &mut Ui, pick: &mut Pick| {
        let combo = egui::ComboBox::from_id_salt(("method", noun)).width(ui.available_width()).selected_text(shown);
        let combo = combo.show_ui(ui, |ui| {
            for method in known {
                let response = ui.selectable_label(method.id == pick.id, method.name);
                if response.clicked() && method.id != pick.id {
                    *pick = Pick { id: method.id.to_owned(), options: Map::new() };
                }
                response.on_hover_text(method.one_line);
            }
        });
        combo.response.accessible_name(format!("Choose the {noun}"));
    };
    if around.is_fixed() {
        ui.label(theme::strong(current.map_or("", |method| method.name)));
    } else {
        ui.horizontal(|ui| choose(ui, pick));
    }
    let Some(method) = state.method(&pick.id) else {
        ui.label(RichText::new(format!("No {noun} is called “{}”.", pick.id)).color(t.bad));
        return;
    };
    explain(ui, t, method);
    ui.add_space(t.gap);
    form::show_with(ui, method.id, state.forms.of(method.id), &mut pick.options, state.classes(), around);
}

fn explain(ui: &mut Ui, t: &Tokens, method: &Method) {
    ui.add(egui::Label::new(method.one_line).wrap());
    egui::CollapsingHeader::new("About this method").id_salt(method.id).show(ui, |ui| {
        for paragraph in method.page.split("\n\n") {
            ui.add(egui::Label::new(RichText::new(paragraph.replace('\n', " ").trim()).color(t.text)).wrap());
        }
        if !method.paper.is_empty() {
            ui.add(egui::Label::new(RichText::new(method.paper).size(t.small).color(t.text_weak)).wrap());
        }
    });
}

pub(super) fn first_of(state: &State, kinds: &[Kind]) -> Option<Pick> {
    let method = state.methods.iter().find(|method| kinds.contains(&method.kind))?;
    Some(Pick { id: method.id.to_owned(), options: Map::new() })
}

fn as_map(part: &impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(part) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// Back to the typed part; fields without a default of their own are filled from the form.
fn from_map<T: serde::de::DeserializeOwned>(mut values: Map<String, Value>, fields: &[form::Field]) -> Option<T> {
    for field in fields {
        if !field.default.is_null() {
            values.entry(&field.key).or_insert_with(|| field.default.clone());
        }
    }
    serde_json::from_value(Value::Object(values)).ok()
}
