//! The defense step: defenses by the moment in a model's life at which they act, what each needs, and why one cannot work
//! here.

use super::{Lab, Step, as_map, explain, from_map, varying};
use crate::app::command::Requests;
use crate::app::form;
use crate::app::lessons::DEFENSES;
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::widgets;
use crate::experiment::spec::Experiment;
use crate::experiment::{Kind, Method, Pick, Property};
use egui::{ComboBox, Label, RichText, Ui, WidgetInfo};
use serde_json::Map;

/// Along the life of a model.
const STAGES: [Kind; 4] = [Kind::Cleaning, Kind::Training, Kind::Repair, Kind::Screening];

pub fn show(
    ui: &mut Ui,
    t: &Tokens,
    state: &State,
    lab: &mut Lab,
    experiment: &mut Experiment,
    index: usize,
    requests: &Requests,
) {
    let clean_ratio = experiment.defender.clean_ratio;
    widgets::section(ui, "Defense", "", |ui| {
        if let Some(pick) = experiment.defense.get_mut(index) {
            let mut nothing = |_: &mut Ui, _: &str| {};
            let mut around = varying(&format!("defense.{index}.options"), state, requests, &mut nothing);
            one(ui, t, state, clean_ratio, pick, &mut around);
        }
        let mut values = as_map(&experiment.defender);
        let mut nothing = |_: &mut Ui, _: &str| {};
        let mut around = varying("defender", state, requests, &mut nothing);
        if form::show_with(ui, "defender", &state.forms.defender, &mut values, &[], &mut around)
            && let Some(defender) = from_map(values, &[])
        {
            experiment.defender = defender;
        }
        let fixed = state.classroom.hides_field(DEFENSES);
        if !fixed && ui.button("Remove this defense").clicked() {
            experiment.defense.remove(index);
            lab.step = Step::Training;
        }
    });
}

/// The first defense that can work here: what a new one begins as.
pub fn first_suitable(state: &State) -> Option<Pick> {
    let repairs = || state.methods.iter().filter(|method| method.kind == Kind::Repair);
    let method = repairs().find(|method| state.refusal(method).is_none()).or(repairs().next())?;
    Some(Pick { id: method.id.to_owned(), options: Map::new() })
}

/// Which defense, what it is, and its options.
fn one(ui: &mut Ui, t: &Tokens, state: &State, clean_ratio: f64, pick: &mut Pick, around: &mut dyn form::Around) {
    let current = state.method(&pick.id);
    let shown = current.map_or(pick.id.as_str(), |method| method.name).to_owned();
    if around.is_fixed() {
        ui.label(theme::strong(shown));
    } else {
        let combo = ComboBox::from_id_salt("defense").width(ui.available_width()).height(t.body * 32.0);
        let combo = combo.selected_text(shown).show_ui(ui, |ui| {
            for stage in STAGES {
                stage_of(ui, t, state, clean_ratio, stage, pick);
            }
        });
        combo.response.widget_info(|| WidgetInfo::labeled(egui::Role::ComboBox, true, "Choose the defense"));
    }
    let Some(method) = state.method(&pick.id) else {
        ui.label(RichText::new(format!("No defense is called “{}”.", pick.id)).color(t.bad));
        return;
    };
    if let Some(refusal) = state.refusal(method) {
        let response = ui.add(Label::new(RichText::new(&refusal).color(t.bad)).wrap());
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Alert, true, &refusal));
    }
    weak(ui, t, &needs(method, clean_ratio));
    explain(ui, t, method);
    ui.add_space(t.gap);
    form::show_with(ui, method.id, state.forms.of(method.id), &mut pick.options, state.classes(), around);
}

/// All defenses of one stage, those that cannot work here greyed out with the reason.
fn stage_of(ui: &mut Ui, t: &Tokens, state: &State, clean_ratio: f64, stage: Kind, pick: &mut Pick) {
    let of_stage: Vec<_> = state.methods.iter().filter(|method| method.kind == stage).collect();
    let Some(heading) = stage.stage().filter(|_| !of_stage.is_empty()) else { return };
    ui.spacing_mut().item_spacing.y = 0.0;
    ui.visuals_mut().indent_has_left_vline = false;
    ui.add_space(t.gap * 0.5);
    ui.label(theme::strong(heading).size(t.small).color(t.text_weak));
    ui.add_space(t.gap * 0.5);
    for method in of_stage {
        let refusal = state.refusal(method);
        let choice = egui::Button::selectable(method.id == pick.id, method.name);
        let response = ui.add_enabled(refusal.is_none(), choice);
        if response.clicked() && method.id != pick.id {
            *pick = Pick { id: method.id.to_owned(), options: Map::new() };
        }
        response.on_hover_text(method.one_line).on_disabled_hover_text(refusal.as_deref().unwrap_or_default());
        let words = refusal.unwrap_or_else(|| needs(method, clean_ratio));
        ui.indent((method.id, "needs"), |ui| {
            // The list is justified; sentences are not.
            ui.with_layout(egui::Layout::top_down(egui::Align::LEFT), |ui| weak(ui, t, &words));
        });
        ui.add_space(t.gap * 0.5);
    }
}

/// "Needs clean pictures (5 %), gradients."
fn needs(method: &Method, clean_ratio: f64) -> String {
    let need = |property: &Property| match property {
        Property::NeedsClean => {
            let percent = format!("{:.1}", clean_ratio * 100.0);
            Some(format!("clean pictures ({} %)", percent.trim_end_matches(".0")))
        }
        property => property.need().map(str::to_owned),
    };
    let needs: Vec<_> = method.properties.iter().filter_map(need).collect();
    format!("Needs {}.", needs.join(", "))
}

fn weak(ui: &mut Ui, t: &Tokens, text: &str) {
    ui.add(Label::new(RichText::new(text).size(t.small).color(t.text_weak)).wrap());
}
