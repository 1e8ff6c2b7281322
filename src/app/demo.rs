//! Home's demonstration: three models, one sticker, and pictures that people bring.

use super::command::Screen;
use super::desk::Purpose;
use super::stand::{Stand, StandChange};
use super::state::State;
use crate::experiment::Result;
use crate::run::event::{Answer, Scene};
use crate::run::handle::Engine;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Which of the demo's models is asked; the order is that of the engine's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DemoModel {
    Healthy,
    #[default]
    Backdoored,
    Repaired,
}

impl DemoModel {
    pub const ALL: [DemoModel; 3] = [DemoModel::Healthy, DemoModel::Backdoored, DemoModel::Repaired];

    pub fn name(self) -> &'static str {
        match self {
            DemoModel::Healthy => "Healthy",
            DemoModel::Backdoored => "Backdoored",
            DemoModel::Repaired => "Repaired",
        }
    }

    pub fn explanation(self) -> &'static str {
        match self {
            DemoModel::Healthy => "Trained on clean pictures only",
            DemoModel::Backdoored => {
                "The same training, but a tenth of the pictures carried the sticker and the label of another class"
            }
            DemoModel::Repaired => {
                "The backdoored model with a neural polarizer, one small layer that holds the trigger back"
            }
        }
    }

    /// "the healthy model"
    pub fn words(self) -> String {
        format!("the {} model", self.name().to_lowercase())
    }

    /// The model at this place of the engine's answers.
    pub fn of(index: usize) -> Self {
        Self::ALL.get(index).copied().unwrap_or_default()
    }
}

impl State {
    /// Asks what Home lacks.
    pub(super) fn ask_about_demo(&mut self, engine: &dyn Engine, on_home: bool) {
        self.demo.tend(&mut self.desk, engine, on_home);
    }

    /// The stand that an answer is for; nothing when the audit has turned to another finding meanwhile.
    fn stand_of(&mut self, scene: &Scene) -> Option<&mut Stand> {
        match scene {
            Scene::Demo => Some(&mut self.demo),
            Scene::Run(_) | Scene::Audit { .. } => self.audit.stand.as_mut().filter(|stand| stand.scene == *scene),
        }
    }

    pub(super) fn on_stand_answer(&mut self, purpose: Purpose, answer: Result<Answer>) {
        let scene = match &purpose {
            Purpose::Predict(scene) | Purpose::Photo(scene, _) => scene.clone(),
            Purpose::Heat(wish) => wish.scene.clone(),
            _ => return,
        };
        let taken = self.stand_of(&scene).map_or(Ok(()), |stand| stand.on_answer(purpose, answer));
        if let Err(problem) = taken {
            self.notices.problem(problem);
        }
    }

    /// The stand on the screen.
    pub fn stand(&self) -> Option<&Stand> {
        match self.screen {
            Screen::Home => Some(&self.demo),
            Screen::Audit => self.audit.stand.as_ref().filter(|_| !self.audit.choosing),
            _ => None,
        }
    }

    /// The stand on the screen; from anywhere else Home's, which then comes to the front.
    pub(super) fn stand_or_home(&mut self) -> &mut Stand {
        if self.stand().is_none() {
            self.screen = Screen::Home;
        }
        match self.audit.stand.as_mut().filter(|_| self.screen == Screen::Audit) {
            Some(stand) => stand,
            None => &mut self.demo,
        }
    }

    /// A picture that was dropped, chosen or typed is shown to the models.
    pub(super) fn show_photo(&mut self, path: &Path) {
        self.stand_or_home().change(StandChange::Photo(path.to_owned()));
    }
}

/// Pictures that are looked at one by one.
pub(super) fn is_picture(extension: &str) -> bool {
    const ENDINGS: [&str; 8] = ["png", "jpg", "jpeg", "bmp", "webp", "tif", "tiff", "ppm"];
    ENDINGS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}
