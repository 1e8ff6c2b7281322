//! Triggers: what the draft's attack does to pictures, live, before anything is trained. Its options at the left, the test
//! set with the trigger on every picture in the middle, one picture in large at the right.

use super::lab::{attack_form, first_of};
use crate::app::command::{Change, Requests, UserCommand};
use crate::app::picture::Stamp;
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::views::ThumbGrid;
use crate::app::widgets::{self, command_button};
use crate::app::words;
use crate::experiment::Kind;
use egui::{Align, Layout, RichText, ScrollArea, Slider, Ui, vec2};

mod picture;
mod planes;
mod speech;

/// The strongest trigger that can be looked at, as a multiple of the attack's own.
const MOST_STRENGTH: f32 = 3.0;

/// What is shown where there is no room for everything side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Tab {
    #[default]
    Trigger,
    Pictures,
    OnePicture,
}

impl Tab {
    const ALL: [Tab; 3] = [Tab::Trigger, Tab::Pictures, Tab::OnePicture];

    fn words(self) -> (String, String) {
        let (name, help) = match self {
            Tab::Trigger => ("Trigger", "The attack's options"),
            Tab::Pictures => ("Pictures", "The test set with the trigger on it"),
            Tab::OnePicture => ("One picture", "One picture in large"),
        };
        (name.to_owned(), help.to_owned())
    }
}

#[derive(Debug, Default)]
pub struct Triggers {
    tab: Tab,
    picture: picture::PictureView,
}

pub fn show(ui: &mut Ui, state: &State, triggers: &mut Triggers, requests: &Requests) {
    let t = theme::of(ui);
    let total = ui.available_size();
    let Triggers { tab, picture } = triggers;
    let column = |ui: &mut Ui, width: f32, content: &mut dyn FnMut(&mut Ui)| {
        let size = vec2(width, total.y);
        ui.allocate_ui_with_layout(size, Layout::top_down(Align::LEFT), |ui| {
            ui.set_min_size(size);
            content(ui);
        });
    };
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = t.gap;
        if total.x > t.body * 72.0 {
            let form = (total.x * 0.21).clamp(t.body * 17.0, t.body * 22.0);
            let grid = (total.x * 0.24).max(t.body * 18.0);
            column(ui, form, &mut |ui| trigger(ui, &t, state, requests));
            column(ui, grid, &mut |ui| pictures(ui, &t, state, requests));
            let rest = total.x - form - grid - 2.0 * t.gap;
            column(ui, rest, &mut |ui| picture::show(ui, &t, state, picture, requests));
        } else if total.x > t.body * 44.0 {
            let left = (total.x * 0.36).max(t.body * 17.0);
            if *tab == Tab::OnePicture {
                *tab = Tab::Trigger;
            }
            column(ui, left, &mut |ui| {
                choose_tab(ui, tab, &Tab::ALL[..2]);
                show_tab(ui, &t, state, *tab, picture, requests);
            });
            column(ui, total.x - left - t.gap, &mut |ui| picture::show(ui, &t, state, picture, requests));
        } else {
            column(ui, total.x, &mut |ui| {
                choose_tab(ui, tab, &Tab::ALL);
                show_tab(ui, &t, state, *tab, picture, requests);
            });
        }
    });
}

fn choose_tab(ui: &mut Ui, tab: &mut Tab, all: &[Tab]) {
    let words: Vec<_> = all.iter().map(|tab| tab.words()).collect();
    let chosen = all.iter().position(|known| known == tab);
    if let Some(index) = widgets::segmented(ui, "Show", &words, chosen) {
        *tab = all[index];
    }
}

fn show_tab(ui: &mut Ui, t: &Tokens, state: &State, tab: Tab, picture: &mut picture::PictureView, requests: &Requests) {
    match tab {
        Tab::Trigger => trigger(ui, t, state, requests),
        Tab::Pictures => pictures(ui, t, state, requests),
        Tab::OnePicture => picture::show(ui, t, state, picture, requests),
    }
}

/// A card over the rest of the column.
fn tall_card(ui: &mut Ui, t: &Tokens, content: impl FnOnce(&mut Ui)) {
    theme::card(t).show(ui, |ui| {
        ui.set_min_size(ui.available_size());
        content(ui);
    });
}

/// The same with content that may be too tall; the scroll bar stands in the margin, not on the content.
fn scrolling_card(ui: &mut Ui, t: &Tokens, name: &str, content: impl FnOnce(&mut Ui)) {
    let mut margin = egui::Margin::same(t.pad as i8);
    margin.right -= t.gap as i8;
    theme::card(t).inner_margin(margin).show(ui, |ui| {
        ui.set_min_size(ui.available_size());
        ScrollArea::vertical().id_salt(name).auto_shrink(false).show(ui, |ui| {
            ui.set_max_width(ui.available_width() - t.gap);
            content(ui);
        });
    });
}

/// The attack and how it is looked at.
fn trigger(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    scrolling_card(ui, t, "trigger", |ui| {
        ui.horizontal(|ui| ui.label(theme::strong("Trigger").size(t.heading)));
        if state.draft.problem().is_some() {
            let text = "The experiment's text has a mistake, so the last good one is shown.";
            ui.add(egui::Label::new(RichText::new(text).color(t.warn)).wrap());
            command_button(ui, state, requests, UserCommand::Go(crate::app::command::Screen::Lab));
            return;
        }
        if let Some(problem) = &state.bench.problem {
            widgets::unseen_trigger(ui, state, requests, problem);
            ui.separator();
        }
        let mut experiment = state.draft.experiment().clone();
        match &mut experiment.attack {
            Some(attack) => {
                looks(ui, t, state, requests);
                ui.separator();
                attack_form(ui, t, state, attack);
            }
            None => {
                let text = "This experiment has no attack, so there is no trigger to look at.";
                ui.add(egui::Label::new(text).wrap());
                let help = "Adds an attack to the experiment; nothing is trained yet";
                if ui.button("Choose an attack").on_hover_text(help).clicked() {
                    experiment.attack = first_of(state, &[Kind::Attack]);
                }
            }
        }
        if experiment != *state.draft.experiment() {
            requests.change(Change::Experiment(Box::new(experiment)));
        }
    });
}

/// How the trigger is looked at: nothing here changes the experiment.
fn looks(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let bench = &state.bench;
    let mut strength = bench.strength;
    ui.horizontal(|ui| {
        ui.label(theme::strong("Strength"));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.label(RichText::new("%").color(t.text_weak));
            let mut percent = strength * 100.0;
            let boxed = egui::DragValue::new(&mut percent).range(0.0..=MOST_STRENGTH * 100.0).max_decimals(0);
            if ui.add(boxed).accessible_name("Strength").changed() {
                strength = percent / 100.0;
            }
            if bench.strength != 1.0 && ui.small_button("100 %").on_hover_text("The attack's own strength").clicked() {
                strength = 1.0;
            }
        });
    });
    ui.scope(|ui| {
        ui.spacing_mut().slider_width = ui.available_width();
        ui.spacing_mut().interact_size.y = t.body * 1.5;
        let slider = Slider::new(&mut strength, 0.0..=MOST_STRENGTH).show_value(false);
        let help = "Only for looking: shows the trigger weaker or stronger than the attack would use it";
        ui.add(slider).on_hover_text(help).accessible_name("Strength slider");
    });
    if strength != bench.strength {
        requests.change(Change::BenchStrength(strength));
    }
    let moments = [
        ("In training".to_owned(), "As it is put on training pictures".to_owned()),
        (
            "At the strike".to_owned(),
            "As the attacker uses it on the finished model; some attacks press harder".to_owned(),
        ),
    ];
    if let Some(index) = widgets::segmented(ui, "Moment", &moments, Some(usize::from(bench.strike))) {
        requests.change(Change::BenchStrike(index == 1));
    }
}

/// The test set, every picture stamped.
fn pictures(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let bench = &state.bench;
    tall_card(ui, t, |ui| {
        ui.horizontal(|ui| {
            ui.label(theme::strong("Test pictures").size(t.heading));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if let Some(thumbnails) = &bench.thumbnails {
                    let (shown, all) = (thumbnails.len(), thumbnails.rows);
                    let words = match shown == all {
                        true => words::count(all as u64),
                        false => format!("first {} of {}", words::count(shown as u64), words::count(all as u64)),
                    };
                    ui.label(RichText::new(words).size(t.small).color(t.text_weak));
                }
            });
        });
        let Some(thumbnails) = &bench.thumbnails else {
            if bench.problem.is_none() {
                widgets::empty_state(ui, "Reading the pictures…", "They appear as soon as the data is read.", |_| {});
            }
            return;
        };
        // A trigger that was stamped on one picture only says nothing about the others.
        let stamp = match &bench.stamp {
            Stamp::Picture(_) => {
                let text = "This trigger differs from picture to picture, so these are clean.";
                ui.add(egui::Label::new(RichText::new(text).size(t.small).color(t.text_weak)).wrap());
                &Stamp::Nothing
            }
            stamp => stamp,
        };
        let say = |index: usize| {
            let label = thumbnails.labels.get(index).map(|&label| usize::from(label)).unwrap_or_default();
            format!("Picture {}: {}", words::count(index as u64), words::class_name(state.classes(), label))
        };
        let grid = ThumbGrid { thumbnails, stamp, strength: bench.strength, chosen: bench.row, say: &say };
        if let Some(row) = grid.show(ui) {
            requests.change(Change::BenchRow(row));
        }
    });
}
