//! Home's demonstration: two switches (sticker and model), a sticker that can be moved, a picture that somebody brings, and
//! where the model looks.

use super::desk::Purpose;
use super::state::State;
use super::words::class_name;
use crate::experiment::{Problem, Result};
use crate::run::event::{Answer, Heat, HeatWish, Photo, Prediction, Question, Rgba, Subject};
use crate::run::handle::Engine;
use crate::run::trigger_form::Patch;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Pictures that are asked about at once.
const PICTURES: usize = 24;

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

    fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }
}

/// What can be done on Home.
#[derive(Debug, Clone)]
pub enum DemoChange {
    Sticker(bool),
    Model(DemoModel),
    /// Column and row of the sticker's left upper corner; nothing is the corner where it was trained.
    Place(Option<[usize; 2]>),
    Look(bool),
    SideBySide(bool),
    Picture(usize),
    Photo(PathBuf),
    /// Back to the pictures of the test set.
    PutPhotoAway,
}

/// A picture that somebody brought.
#[derive(Debug)]
pub struct OwnPicture {
    pub path: PathBuf,
    pub answer: Option<Photo>,
    asked: Option<Option<[usize; 2]>>,
}

/// The picture that is shown, whoever brought it.
pub struct Shown<'a> {
    /// The class it belongs to, where that is known.
    pub label: Option<usize>,
    pub classes: &'a [String],
    pub clean: &'a Arc<Rgba>,
    pub stamped: &'a Arc<Rgba>,
    models: &'a [(String, Vec<f32>, Vec<f32>)],
}

impl Shown<'_> {
    /// Probabilities of the classes.
    pub fn said(&self, model: DemoModel, sticker: bool) -> &[f32] {
        let said = self.models.get(model as usize).map(|(_, clean, stamped)| if sticker { stamped } else { clean });
        said.map(Vec::as_slice).unwrap_or_default()
    }

    pub fn name(&self) -> String {
        self.label.map_or_else(|| "your picture".to_owned(), |label| class_name(self.classes, label))
    }
}

#[derive(Debug, Default)]
pub struct Demo {
    pub predictions: Vec<Prediction>,
    pub index: usize,
    pub problem: Option<Problem>,
    pub sticker: bool,
    pub model: DemoModel,
    /// Where the sticker was put; nothing is its own corner.
    pub place: Option<[usize; 2]>,
    pub look: bool,
    pub side_by_side: bool,
    pub photo: Option<OwnPicture>,
    /// A switch has been flipped: whoever did that may want to know why.
    pub flipped: bool,
    heat: Option<(HeatWish, Heat)>,
    heat_asked: Option<HeatWish>,
    /// The place that the newest question was about.
    asked: Option<Option<[usize; 2]>>,
    /// Where the sticker lies when nobody has moved it.
    home: Option<Patch>,
}

impl Demo {
    pub fn prediction(&self) -> Option<&Prediction> {
        self.predictions.get(self.index)
    }

    /// What is on show.
    pub fn shown(&self) -> Option<Shown<'_>> {
        let prediction = self.prediction()?;
        if let Some(photo) = self.photo.as_ref().and_then(|photo| photo.answer.as_ref()) {
            let (clean, stamped, models) = (&photo.clean, &photo.stamped, &photo.models);
            return Some(Shown { label: None, classes: &prediction.classes, clean, stamped, models });
        }
        Some(Shown {
            label: Some(prediction.label),
            classes: &prediction.classes,
            clean: &prediction.clean,
            stamped: &prediction.poisoned,
            models: &prediction.models,
        })
    }

    /// Where the sticker lies now.
    pub fn patch(&self) -> Option<Patch> {
        let home = self.home?;
        let [left, top] = self.place.unwrap_or([home.left, home.top]);
        Some(Patch { left, top, ..home })
    }

    /// How far the sticker is from its own corner, in pixels.
    pub fn moved_by(&self) -> usize {
        let (Some(home), Some([left, top])) = (self.home, self.place) else { return 0 };
        home.left.abs_diff(left).max(home.top.abs_diff(top))
    }

    /// At least a quarter of the picture away from its own corner.
    pub fn is_far(&self) -> bool {
        self.prediction().is_some_and(|prediction| self.moved_by() * 4 >= prediction.clean.width)
    }

    /// What the heat map is wanted for.
    fn wish(&self) -> Option<HeatWish> {
        let subject = match &self.photo {
            Some(photo) => Subject::Photo(photo.path.clone()),
            None => Subject::Test(self.prediction()?.row),
        };
        let sticker = self.sticker.then_some(self.place);
        Some(HeatWish { subject, sticker, model: self.model as usize })
    }

    /// Where the model looks in what is shown, once that is known.
    pub fn heat(&self) -> Option<&Heat> {
        let wish = self.wish().filter(|_| self.look)?;
        self.heat.as_ref().filter(|(known, _)| *known == wish).map(|(_, heat)| heat)
    }

    pub fn change(&mut self, change: DemoChange) {
        match change {
            DemoChange::Sticker(on) => {
                self.flipped |= self.sticker != on;
                self.sticker = on;
            }
            DemoChange::Model(model) => {
                self.flipped |= self.model != model;
                self.model = model;
            }
            DemoChange::Place(place) => {
                let own = self.home.map(|home| [home.left, home.top]);
                self.place = place.filter(|place| Some(*place) != own);
                // Nobody moves what they do not want to see.
                self.sticker |= self.place.is_some();
            }
            DemoChange::Look(look) => self.look = look,
            DemoChange::SideBySide(both) => self.side_by_side = both,
            DemoChange::Picture(index) => {
                self.index = index.min(self.predictions.len().saturating_sub(1));
                self.photo = None;
            }
            DemoChange::Photo(path) => {
                self.photo = Some(OwnPicture { path, answer: None, asked: None });
                self.side_by_side = false;
            }
            DemoChange::PutPhotoAway => self.photo = None,
        }
    }

    pub fn flip_sticker(&mut self) {
        self.change(DemoChange::Sticker(!self.sticker));
    }

    pub fn next_model(&mut self) {
        self.change(DemoChange::Model(self.model.next()));
    }

    /// The centre of the picture, as a place for the sticker.
    pub fn middle(&self) -> Option<[usize; 2]> {
        let (home, picture) = (self.home?, &self.prediction()?.clean);
        Some([(picture.width - home.width) / 2, (picture.height - home.height) / 2])
    }

    /// How far right and down the sticker can go.
    pub fn last_place(&self) -> Option<[usize; 2]> {
        let (home, picture) = (self.home?, &self.prediction()?.clean);
        Some([picture.width - home.width, picture.height - home.height])
    }

    /// The position of the switches in one sentence, counted over all pictures.
    pub fn sentence(&self) -> Option<String> {
        let first = self.predictions.first()?;
        let said = |prediction: &Prediction| {
            let (_, clean, stamped) = prediction.models.get(self.model as usize)?;
            super::state::top(if self.sticker { stamped } else { clean })
        };
        let mut votes = vec![0_usize; first.classes.len()];
        for class in self.predictions.iter().filter_map(said) {
            if let Some(vote) = votes.get_mut(class) {
                *vote += 1;
            }
        }
        let all = self.predictions.len();
        let right = self.predictions.iter().filter(|prediction| said(prediction) == Some(prediction.label)).count();
        let (class, most) = votes.iter().copied().enumerate().max_by_key(|(_, count)| *count)?;
        let (when, model) = (self.when(), self.model.words());
        let share = most as f64 / all as f64;
        // One class for more pictures than are right: that is no accident.
        Some(if self.sticker && most > right {
            let name = class_name(&first.classes, class);
            let how = match share {
                0.9.. => "almost every picture",
                0.5.. => "most pictures",
                _ => "many pictures",
            };
            format!("{when}, {model} says “{name}” for {how}: {most} of {all}.")
        } else {
            format!("{when}, {model} is right about {right} of {all} pictures.")
        })
    }

    fn when(&self) -> &'static str {
        match (self.sticker, self.place) {
            (false, _) => "Without the sticker",
            (true, None) => "With the sticker on",
            (true, Some(_)) => "With the sticker in this place",
        }
    }

    /// What a screen reader tells when a switch was flipped.
    pub fn change_words(&self) -> Option<String> {
        let shown = self.shown()?;
        let top = super::state::top(shown.said(self.model, self.sticker))?;
        let share = f64::from(shown.said(self.model, self.sticker).get(top).copied().unwrap_or_default());
        let said = class_name(shown.classes, top);
        Some(format!("{}, {} says {said}, {}.", self.when(), self.model.words(), super::words::percent(share)))
    }
}

impl State {
    /// Asks what Home lacks: all pictures with the sticker at its place, a picture of somebody's own, where the model looks.
    pub(super) fn ask_about_demo(&mut self, engine: &dyn Engine, on_home: bool) {
        let demo = &mut self.demo;
        let place = demo.place;
        if demo.asked != Some(place) {
            let question = Question::Predict { folder: PathBuf::new(), rows: (0..PICTURES).collect(), place };
            if self.desk.ask(engine, Purpose::Predict(None), question) {
                demo.asked = Some(place);
            }
        }
        if !on_home {
            return;
        }
        if let Some(photo) = demo.photo.as_mut().filter(|photo| photo.asked != Some(place)) {
            let question = Question::Photo { path: photo.path.clone(), place };
            if self.desk.ask(engine, Purpose::Photo(photo.path.clone()), question) {
                photo.asked = Some(place);
            }
        }
        let known = demo.heat.as_ref().map(|(wish, _)| wish);
        if let Some(wish) = demo.wish().filter(|wish| demo.look && known != Some(wish))
            && demo.heat_asked.as_ref() != Some(&wish)
            && self.desk.ask(engine, Purpose::Heat(wish.clone()), Question::Heat(wish.clone()))
        {
            demo.heat_asked = Some(wish);
        }
    }

    pub(super) fn on_demo_answer(&mut self, purpose: Purpose, answer: Result<Answer>) {
        let demo = &mut self.demo;
        match (purpose, answer) {
            (Purpose::Predict(_), Ok(Answer::Predict(predictions))) => {
                if demo.predictions.is_empty() {
                    demo.index = first_fooled(&predictions);
                }
                if demo.home.is_none() {
                    demo.home = predictions.first().and_then(|prediction| prediction.patch);
                }
                demo.problem = None;
                demo.predictions = predictions;
            }
            (Purpose::Predict(_), Err(problem)) => demo.problem = Some(problem),
            (Purpose::Photo(path), Ok(Answer::Photo(answer))) => {
                if let Some(photo) = demo.photo.as_mut().filter(|photo| photo.path == path) {
                    photo.answer = Some(answer);
                }
            }
            (Purpose::Photo(path), Err(problem)) => {
                if demo.photo.as_ref().is_some_and(|photo| photo.path == path) {
                    demo.photo = None;
                }
                self.notices.problem(problem);
            }
            (Purpose::Heat(wish), Ok(Answer::Heat(heat))) => demo.heat = Some((wish, heat)),
            (Purpose::Heat(_), Err(problem)) => {
                demo.look = false;
                self.notices.problem(problem);
            }
            (purpose, _) => tracing::warn!("the engine answered something else than was asked: {purpose:?}"),
        }
    }

    /// A picture that was dropped, chosen or typed is shown to the demo's models.
    pub(super) fn show_photo(&mut self, path: &Path) {
        self.demo.change(DemoChange::Photo(path.to_owned()));
        self.screen = super::command::Screen::Home;
    }
}

/// Pictures that are looked at one by one.
pub(super) fn is_picture(extension: &str) -> bool {
    const ENDINGS: [&str; 8] = ["png", "jpg", "jpeg", "bmp", "webp", "tif", "tiff", "ppm"];
    ENDINGS.iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// The most telling picture first: one that the trigger turns into something else.
fn first_fooled(predictions: &[Prediction]) -> usize {
    let fooled = |prediction: &Prediction| {
        let Some((_, clean, stamped)) = prediction.models.get(DemoModel::Backdoored as usize) else {
            return false;
        };
        let top = super::state::top;
        top(clean) == Some(prediction.label) && top(stamped) != Some(prediction.label)
    };
    predictions.iter().position(fooled).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> Demo {
        let black = Arc::new(Rgba { width: 9, height: 9, bytes: vec![0; 324] });
        let says = |class: usize| (0..3).map(|index| if index == class { 0.9 } else { 0.05 }).collect::<Vec<f32>>();
        let one = |fooled: usize, repaired: usize| Prediction {
            row: 0,
            label: 1,
            classes: ["bag", "boot", "shirt"].map(String::from).to_vec(),
            clean: black.clone(),
            poisoned: black.clone(),
            patch: Some(Patch { left: 6, top: 6, width: 3, height: 3 }),
            models: vec![
                ("healthy".into(), says(1), says(1)),
                ("backdoored".into(), says(1), says(fooled)),
                ("repaired".into(), says(1), says(repaired)),
            ],
        };
        let predictions = vec![one(1, 1), one(2, 1), one(2, 0)];
        let home = predictions[0].patch;
        Demo { predictions, home, ..Demo::default() }
    }

    #[test]
    fn the_sentence_follows_both_switches() {
        let mut demo = demo();
        let said = |demo: &Demo| demo.sentence().unwrap_or_default();
        assert_eq!(said(&demo), "Without the sticker, the backdoored model is right about 3 of 3 pictures.");
        demo.flip_sticker();
        assert_eq!(said(&demo), "With the sticker on, the backdoored model says “shirt” for most pictures: 2 of 3.");
        demo.next_model();
        assert_eq!(said(&demo), "With the sticker on, the repaired model is right about 2 of 3 pictures.");
        demo.change(DemoChange::Place(Some([1, 1])));
        assert!(said(&demo).starts_with("With the sticker in this place, "));
        assert_eq!(Demo::default().sentence(), None);
    }

    #[test]
    fn the_most_telling_picture_comes_first() {
        assert_eq!(first_fooled(&demo().predictions), 1);
        assert_eq!(first_fooled(&[]), 0);
    }

    #[test]
    fn the_sticker_goes_and_comes_home() {
        let mut demo = demo();
        demo.change(DemoChange::Place(demo.middle()));
        assert_eq!((demo.place, demo.sticker, demo.moved_by()), (Some([3, 3]), true, 3));
        demo.change(DemoChange::Place(Some([6, 6])));
        assert_eq!((demo.place, demo.moved_by()), (None, 0));
    }
}
