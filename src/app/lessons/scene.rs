//! Positions of the window in words: what a lesson's button brings about and what its tick looks for are the same thing.

use crate::app::audit::{AuditChange, DEMO_MODEL};
use crate::app::command::{Change, Requests, Screen, UserCommand};
use crate::app::demo::DemoModel;
use crate::app::fair::FairChange;
use crate::app::job::{JobState, JobView};
use crate::app::polarizer::STEPS;
use crate::app::stand::StandChange;
use crate::app::state::State;
use crate::experiment::{Experiment, check, patch};
use crate::run::event::Ending;
use serde::{Deserialize, Serialize};

/// Whatever is named must be so; whatever is not named may be anything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scene {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub screen: Option<Screen>,
    /// Home's switches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticker: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<DemoModel>,
    /// The heat map on Home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub look: Option<bool>,
    /// Where Home's sticker lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Spot>,
    /// The Lab holds the lesson's experiment with these settings changed, as `--set` writes them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub draft: Vec<String>,
    /// A training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunScene>,
    /// The polarizer's dial in per cent, a multiple of 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dial: Option<usize>,
    /// How strong the trigger bench shows the trigger; 1 is its own strength.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength: Option<f32>,
    /// Where the point of the Fairness screen stands, 0 (no constraint) to 1 (fully fair).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fair: Option<f64>,
    /// The model that the Audit screen is about; the run of such a scene is its audit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spot {
    /// Where the sticker was trained.
    Corner,
    /// At least a quarter of the picture away from there.
    Away,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunScene {
    Started,
    Finished,
}

/// How near a point on the Fairness screen must come.
const NEAR: f64 = 0.02;

impl Scene {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the window stands like this; `base` is the lesson's experiment.
    pub fn holds(&self, state: &State, base: &str) -> bool {
        fn fits<T: PartialEq>(wanted: Option<T>, is: impl FnOnce() -> T) -> bool {
            wanted.is_none_or(|wanted| wanted == is())
        }
        let demo = &state.demo;
        let job = state.job.as_ref();
        let of_this_kind = |job: &JobView| job.is_audit() == self.audit.is_some();
        fits(self.screen, || state.screen)
            && fits(self.sticker, || demo.sticker)
            && fits(self.model, || DemoModel::of(demo.model))
            && fits(self.look, || demo.look && demo.heat().is_some())
            && self.place.is_none_or(|spot| match spot {
                Spot::Corner => demo.place.is_none(),
                Spot::Away => demo.is_far(),
            })
            && self.run.is_none_or(|run| match run {
                RunScene::Started => job.is_some_and(of_this_kind),
                RunScene::Finished => {
                    job.is_some_and(|job| of_this_kind(job) && matches!(job.state, JobState::Ended(Ending::Done)))
                }
            })
            && self.audit.as_ref().is_none_or(|model| state.audit.model() == model)
            && self.dial.is_none_or(|dial| state.polarizer.view.is_some() && state.polarizer.step * 100 == dial * STEPS)
            && self.strength.is_none_or(|strength| (state.bench.strength - strength).abs() < 0.01)
            && self
                .fair
                .is_none_or(|place| state.fairness.course.is_some() && (state.fairness.position - place).abs() < NEAR)
            && (self.draft.is_empty() || self.experiment(state, base).as_ref() == Some(state.draft.experiment()))
    }

    /// The lesson's experiment with the settings of this scene.
    fn experiment(&self, state: &State, base: &str) -> Option<Experiment> {
        check::parse(&self.text(base)?, state.methods).ok()
    }

    fn text(&self, base: &str) -> Option<String> {
        patch::apply(base, &self.draft).ok()
    }

    /// Asks for whatever brings the window there.
    pub fn bring_about(&self, state: &State, base: &str, requests: &Requests) {
        let demo = |change| requests.change(Change::Demo(change));
        if let Some(model) = self.model {
            demo(StandChange::Model(model as usize));
        }
        if let Some(spot) = self.place {
            demo(StandChange::Place(if spot == Spot::Away { state.demo.middle() } else { None }));
        }
        if let Some(sticker) = self.sticker {
            demo(StandChange::Sticker(sticker));
        }
        if let Some(look) = self.look {
            demo(StandChange::Look(look));
        }
        if !self.draft.is_empty()
            && let Some(text) = self.text(base)
        {
            requests.change(Change::Text(text));
        }
        if let Some(dial) = self.dial {
            requests.change(Change::Dial(dial * STEPS / 100));
        }
        if let Some(strength) = self.strength {
            requests.change(Change::BenchStrength(strength));
        }
        if let Some(place) = self.fair {
            requests.change(Change::Fair(FairChange::Position(place)));
        }
        match self.audit.as_deref() {
            // The pictures that belong to it lie beside it.
            Some(DEMO_MODEL) => requests.change(Change::Audit(AuditChange::Demo)),
            Some(model) => requests.change(Change::Audit(AuditChange::Model(model.to_owned()))),
            None => {}
        }
        if let Some(screen) = self.screen {
            requests.command(UserCommand::Go(screen));
        }
        if self.run.is_some() {
            requests.command(UserCommand::Start);
        }
    }

    /// The screens without which this cannot be.
    pub fn screens(&self) -> Vec<Screen> {
        let home = self.sticker.is_some() || self.model.is_some() || self.look.is_some() || self.place.is_some();
        let needed = [
            (home, Screen::Home),
            (!self.draft.is_empty(), Screen::Lab),
            (self.strength.is_some(), Screen::Triggers),
            (self.run.is_some() && self.audit.is_none(), Screen::Watch),
            (self.audit.is_some(), Screen::Audit),
            (self.dial.is_some(), Screen::Polarizer),
            (self.fair.is_some(), Screen::Fairness),
        ];
        let needed = needed.into_iter().filter_map(|(is, screen)| is.then_some(screen));
        needed.chain(self.screen).collect()
    }

    /// The commands without which this cannot be.
    pub fn commands(&self) -> Vec<UserCommand> {
        let needed = [
            (self.sticker.is_some(), UserCommand::ToggleSticker),
            (self.model.is_some(), UserCommand::NextModel),
            (self.look.is_some(), UserCommand::ToggleLook),
            (self.run.is_some(), UserCommand::Start),
            (self.dial.is_some(), UserCommand::TogglePolarizer),
        ];
        needed.into_iter().filter_map(|(is, command)| is.then_some(command)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_is_a_short_table() {
        let scene: Scene = toml::from_str("screen = 'home'\nsticker = true\nplace = 'away'").unwrap();
        assert_eq!((scene.screen, scene.sticker, scene.place), (Some(Screen::Home), Some(true), Some(Spot::Away)));
        assert_eq!(scene.commands(), [UserCommand::ToggleSticker]);
        assert!(!scene.is_empty() && Scene::default().is_empty());
        assert_eq!(toml::to_string(&Scene { dial: Some(40), ..Scene::default() }).unwrap(), "dial = 40\n");
        assert!(toml::from_str::<Scene>("stickers = true").is_err());
    }
}
