//! The screens. Each reads the state, draws, and asks for changes; what it remembers itself is only about drawing.

mod audit;
mod compare;
mod fairness;
mod home;
mod lab;
mod lessons;
mod polarizer;
mod runs;
mod settings;
mod triggers;
mod watch;

pub use runs::filter_id as run_filter_id;

use super::command::{Requests, Screen};
use super::export::{ExportView, ReadingView};
use super::frame_clock::FrameClock;
use super::palette::Palette;
use super::state::State;
use egui::Ui;

/// What screens remember between frames.
#[derive(Debug, Default)]
pub struct Screens {
    home: home::Home,
    lab: lab::Lab,
    watch: watch::Watch,
    polarizer: polarizer::Page,
    compare: compare::Compare,
    fairness: fairness::Page,
    audit: audit::Page,
    runs: runs::RunDetails,
    settings: settings::SettingsPage,
    triggers: triggers::Triggers,
    pub palette: Palette,
    pub export: ExportView,
    pub reading: ReadingView,
}

pub fn show(ui: &mut Ui, state: &State, clock: &FrameClock, screens: &mut Screens, requests: &Requests) {
    match state.screen {
        Screen::Home => home::show(ui, state, &mut screens.home, requests),
        Screen::Lab => lab::show(ui, state, &mut screens.lab, requests),
        Screen::Triggers => triggers::show(ui, state, &mut screens.triggers, requests),
        Screen::Watch => watch::show(ui, state, &mut screens.watch, requests),
        Screen::Polarizer => polarizer::show(ui, state, &mut screens.polarizer, requests),
        Screen::Compare => compare::show(ui, state, &mut screens.compare, requests),
        Screen::Fairness => fairness::show(ui, state, &mut screens.fairness, requests),
        Screen::Audit => audit::show(ui, state, &mut screens.audit, requests),
        Screen::Lessons => lessons::show(ui, state, requests),
        Screen::Runs => runs::show(ui, state, &mut screens.runs, requests),
        Screen::Settings => settings::show(ui, state, clock, &mut screens.settings, requests),
    }
}
