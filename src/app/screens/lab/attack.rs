//! The attack step: which attack, what it does to the data, and how the poisoned pictures are chosen. What the run would
//! be refused for stands at the field that it belongs to.

use super::{as_map, first_of, from_map, method_form_with, varying};
use crate::app::command::Requests;
use crate::app::form;
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::widgets;
use crate::experiment::spec::Experiment;
use crate::experiment::{Kind, Method, Pick, Problem, Property, check};
use crate::run::poison_plan::label_map_words;
use egui::{Label, RichText, Ui, WidgetInfo};
use serde_json::Map;

/// What is chosen when nothing is: the baseline of all selections.
const AT_RANDOM: &str = "random";

pub fn show(ui: &mut Ui, t: &Tokens, state: &State, experiment: &mut Experiment, requests: &Requests) {
    widgets::section(ui, "Attack", "", |ui| {
        let mut attacked = experiment.attack.is_some();
        let fixed = state.classroom.hides_field("attack.id");
        if !fixed {
            ui.horizontal(|ui| {
                widgets::switch(ui, &mut attacked, "Attack the training");
                ui.label("Attack the training");
            });
        }
        match (&mut experiment.attack, attacked) {
            (attack @ None, true) => *attack = first_of(state, &[Kind::Attack]),
            (attack @ Some(_), false) => *attack = None,
            (Some(attack), true) => {
                problems_at(ui, t, state, "attack.id");
                let mut below = |ui: &mut Ui, key: &str| problems_at(ui, t, state, &format!("attack.options.{key}"));
                let mut around = varying("attack.options", state, requests, &mut below);
                method_form_with(ui, t, state, &[Kind::Attack], attack, &mut around);
            }
            (None, false) => weak(ui, t, "Without an attack the network is trained on clean data."),
        }
    });
    let Some(attack) = experiment.attack.as_ref().and_then(|pick| state.method(&pick.id)) else { return };
    ui.add_space(t.gap * 0.5);
    widgets::section(ui, "Poison", "", |ui| poison(ui, t, state, attack, experiment, requests));
    ui.add_space(t.gap * 0.5);
    let chosen = &mut experiment.selection;
    widgets::section(ui, "Selection", "", |ui| selection(ui, t, state, attack, chosen, requests));
}

fn poison(ui: &mut Ui, t: &Tokens, state: &State, attack: &Method, experiment: &mut Experiment, requests: &Requests) {
    let mut values = as_map(&experiment.poison);
    let automatic = experiment.poison.label_map.is_none();
    let mut below = |ui: &mut Ui, key: &str| {
        if key == "label_map" && automatic {
            let map = label_map_words(check::published_labels(attack));
            weak(ui, t, &format!("Here that is {map}, as {} was published.", attack.name));
        }
        if key == "ratio" && attack.has(Property::ComesPoisoned) {
            weak(ui, t, "The stored set has its own ratio; this one is not used.");
        }
        problems_at(ui, t, state, &format!("poison.{key}"));
    };
    let mut around = varying("poison", state, requests, &mut below);
    if form::show_with(ui, "poison", &state.forms.poison, &mut values, state.classes(), &mut around)
        && let Some(poison) = from_map(values, &[])
    {
        experiment.poison = poison;
    }
}

/// How the poisoned pictures are chosen; the plain random selection is not written down.
fn selection(ui: &mut Ui, t: &Tokens, state: &State, attack: &Method, chosen: &mut Option<Pick>, requests: &Requests) {
    if let Some(why) = check::cannot_select(attack) {
        weak(ui, t, &why);
        if chosen.is_some() && ui.button("Leave out the selection").clicked() {
            *chosen = None;
        }
        ui.disable();
    }
    let mut pick = chosen.clone().unwrap_or_else(|| Pick { id: AT_RANDOM.to_owned(), options: Map::new() });
    let mut below = |ui: &mut Ui, key: &str| problems_at(ui, t, state, &format!("selection.options.{key}"));
    let mut around = varying("selection.options", state, requests, &mut below);
    method_form_with(ui, t, state, &[Kind::Selection], &mut pick, &mut around);
    let plain = pick.id == AT_RANDOM && pick.options.is_empty();
    if ui.is_enabled() && (chosen.is_some() || !plain) {
        *chosen = (!plain).then_some(pick);
    }
}

/// What the planner found wrong with this field.
fn problems_at(ui: &mut Ui, t: &Tokens, state: &State, place: &str) {
    for problem in state.planner.problems_at(place) {
        mistake(ui, t, problem);
    }
}

fn mistake(ui: &mut Ui, t: &Tokens, problem: &Problem) {
    let frame = egui::Frame::new().fill(t.bad_ground).inner_margin(8).corner_radius(t.radius);
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 3.0;
        let headline = ui.add(Label::new(theme::strong(&problem.headline).color(t.bad)).wrap());
        headline.widget_info(|| WidgetInfo::labeled(egui::Role::Alert, true, &problem.headline));
        for line in &problem.detail {
            ui.add(Label::new(RichText::new(line).size(t.small)).wrap());
        }
        for line in &problem.remedy {
            ui.add(Label::new(line).wrap());
        }
    });
}

fn weak(ui: &mut Ui, t: &Tokens, text: &str) {
    ui.add(Label::new(RichText::new(text).size(t.small).color(t.text_weak)).wrap());
}
