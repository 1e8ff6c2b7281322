//! Pictures with a sticker that can be moved over them, and what models say: Home's demonstration, and the patch that an
//! audit has found. Somebody may bring a picture, and see where a model looks.

use super::audit::AuditChange;
use super::command::Change;
use super::demo::DemoModel;
use super::desk::{Desk, Purpose};
use super::words::class_name;
use crate::experiment::{Problem, Result};
use crate::run::event::{Answer, Heat, HeatWish, Photo, Prediction, Question, Rgba, Scene, Subject};
use crate::run::handle::Engine;
use crate::run::trigger_form::Patch;
use std::path::PathBuf;
use std::sync::Arc;

/// Pictures that are asked about at once.
const PICTURES: usize = 24;

/// What can be done there.
#[derive(Debug, Clone)]
pub enum StandChange {
    Sticker(bool),
    /// Which of the models is asked, in the order of the engine's answers.
    Model(usize),
    /// Column and row of the sticker's left upper corner; nothing is the place where it belongs.
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
    pub fn said(&self, model: usize, sticker: bool) -> &[f32] {
        let said = self.models.get(model).map(|(_, clean, stamped)| if sticker { stamped } else { clean });
        said.map(Vec::as_slice).unwrap_or_default()
    }

    pub fn name(&self) -> String {
        self.label.map_or_else(|| "your picture".to_owned(), |label| class_name(self.classes, label))
    }
}

#[derive(Debug, Default)]
pub struct Stand {
    pub scene: Scene,
    pub predictions: Vec<Prediction>,
    pub index: usize,
    pub problem: Option<Problem>,
    pub sticker: bool,
    pub model: usize,
    /// Where the sticker was put; nothing is its own corner.
    pub place: Option<[usize; 2]>,
    pub look: bool,
    pub side_by_side: bool,
    pub photo: Option<OwnPicture>,
    /// A switch has been flipped: whoever did that may want to know why.
    pub flipped: bool,
    /// What a screen reader says of the answer on show.
    spoken: String,
    heat: Option<(HeatWish, Heat)>,
    heat_asked: Option<HeatWish>,
    /// The place that the newest question was about, if that was about all pictures.
    asked: Option<Option<[usize; 2]>>,
    /// The picture on show with the sticker in a new place: asked before all others, so that it follows the hand also
    /// where the model is large. With the row and the place that the newest such question was about.
    glimpse: Option<Prediction>,
    glimpsed: Option<(usize, Option<[usize; 2]>)>,
    /// Where the sticker lies when nobody has moved it.
    home: Option<Patch>,
}

impl Stand {
    /// Home's: the backdoored model, without its sticker yet.
    pub fn demo() -> Self {
        Self { model: DemoModel::Backdoored as usize, ..Self::default() }
    }

    /// That of an audit: the patch that was found lies on the pictures.
    pub fn audit(scene: Scene) -> Self {
        Self { scene, sticker: true, ..Self::default() }
    }

    pub fn prediction(&self) -> Option<&Prediction> {
        let known = self.predictions.get(self.index)?;
        Some(self.glimpse.as_ref().filter(|glimpse| glimpse.row == known.row).unwrap_or(known))
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
        Some(HeatWish { scene: self.scene.clone(), subject, sticker, model: self.model })
    }

    /// Where the model looks in what is shown, once that is known.
    pub fn heat(&self) -> Option<&Heat> {
        let wish = self.wish().filter(|_| self.look)?;
        self.heat.as_ref().filter(|(known, _)| *known == wish).map(|(_, heat)| heat)
    }

    pub fn change(&mut self, change: StandChange) {
        let other_picture =
            matches!(change, StandChange::Picture(_) | StandChange::Photo(_) | StandChange::PutPhotoAway);
        let before = self.answer().filter(|_| !other_picture);
        self.make(change);
        self.speak(before);
    }

    fn make(&mut self, change: StandChange) {
        match change {
            StandChange::Sticker(on) => {
                self.flipped |= self.sticker != on;
                self.sticker = on;
            }
            StandChange::Model(model) => {
                self.flipped |= self.model != model;
                self.model = model;
            }
            StandChange::Place(place) => {
                let own = self.home.map(|home| [home.left, home.top]);
                self.place = place.filter(|place| Some(*place) != own);
                // Nobody moves what they do not want to see.
                self.sticker |= self.place.is_some();
            }
            StandChange::Look(look) => self.look = look,
            StandChange::SideBySide(both) => self.side_by_side = both,
            StandChange::Picture(index) => {
                self.index = index.min(self.predictions.len().saturating_sub(1));
                self.photo = None;
            }
            StandChange::Photo(path) => {
                self.photo = Some(OwnPicture { path, answer: None, asked: None });
                self.side_by_side = false;
            }
            StandChange::PutPhotoAway => self.photo = None,
        }
    }

    pub fn flip_sticker(&mut self) {
        self.change(StandChange::Sticker(!self.sticker));
    }

    pub fn next_model(&mut self) {
        let count = self.prediction().map_or(1, |prediction| prediction.models.len().max(1));
        self.change(StandChange::Model((self.model + 1) % count));
    }

    /// Another picture; from somebody's own one it goes back to them.
    pub fn turn(&mut self, by: isize) {
        self.change(StandChange::Picture(self.index.saturating_add_signed(by)));
    }

    pub fn can_turn(&self, by: isize) -> bool {
        self.index.checked_add_signed(by).is_some_and(|next| next < self.predictions.len())
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
        let mut votes = vec![0_usize; first.classes.len()];
        for class in self.predictions.iter().filter_map(|prediction| self.said(prediction, self.sticker)) {
            if let Some(vote) = votes.get_mut(class) {
                *vote += 1;
            }
        }
        let all = self.predictions.len();
        let is_right = |prediction: &&Prediction| self.said(prediction, self.sticker) == Some(prediction.label);
        let right = self.predictions.iter().filter(is_right).count();
        let (class, most) = votes.iter().copied().enumerate().max_by_key(|(_, count)| *count)?;
        let (when, model) = (self.when(), self.model_words());
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

    /// The answer of the chosen model.
    fn said(&self, prediction: &Prediction, stamped: bool) -> Option<usize> {
        let (_, clean, with_sticker) = prediction.models.get(self.model)?;
        super::state::top(if stamped { with_sticker } else { clean })
    }

    /// What lies on the picture, in a word.
    pub fn thing(&self) -> &'static str {
        match self.scene {
            Scene::Audit { .. } => "pattern",
            Scene::Demo | Scene::Run(_) => "sticker",
        }
    }

    /// "the healthy model"
    pub fn model_words(&self) -> String {
        match self.scene {
            Scene::Demo => DemoModel::of(self.model).words(),
            Scene::Run(_) | Scene::Audit { .. } => "the model".to_owned(),
        }
    }

    fn when(&self) -> String {
        let thing = self.thing();
        match (self.sticker, self.place) {
            (false, _) => format!("Without the {thing}"),
            (true, None) => format!("With the {thing} on"),
            (true, Some(_)) => format!("With the {thing} in this place"),
        }
    }

    /// The class that the model says, and how sure it is.
    fn answer(&self) -> Option<(String, f32)> {
        let shown = self.shown()?;
        let said = shown.said(self.model, self.sticker);
        let top = super::state::top(said)?;
        Some((class_name(shown.classes, top), said[top]))
    }

    /// Puts the answer into words for those who do not see the bars; `before` is what was said of the same picture.
    fn speak(&mut self, before: Option<(String, f32)>) {
        let Some((class, sure)) = self.answer() else { return };
        let now = format!("{class}, {:.0} per cent", sure * 100.0);
        self.spoken = match before {
            Some((old, _)) if old != class => format!("Prediction changed: {now}; was {old}"),
            Some((_, old)) if old == sure => return,
            Some(_) => format!("Prediction stays: {now}"),
            None => format!("Prediction: {now}"),
        };
    }

    /// What a screen reader says since the last change: "Prediction changed: Shirt, 99 per cent; was Ankle boot".
    pub fn spoken(&self) -> &str {
        &self.spoken
    }

    /// What a screen reader tells when a switch was flipped.
    pub fn change_words(&self) -> Option<String> {
        let shown = self.shown()?;
        let top = super::state::top(shown.said(self.model, self.sticker))?;
        let share = f64::from(shown.said(self.model, self.sticker).get(top).copied().unwrap_or_default());
        let said = class_name(shown.classes, top);
        Some(format!("{}, {} says {said}, {}.", self.when(), self.model_words(), super::words::percent(share)))
    }

    /// The most telling picture: one that the trigger turns into something else.
    fn first_fooled(&self) -> usize {
        let fooled = |prediction: &Prediction| {
            self.said(prediction, false) == Some(prediction.label)
                && self.said(prediction, true) != Some(prediction.label)
        };
        self.predictions.iter().position(fooled).unwrap_or(0)
    }

    /// The request by which the window makes this change.
    pub fn asks(&self, change: StandChange) -> Change {
        match self.scene {
            Scene::Audit { .. } => Change::Audit(AuditChange::Stand(change)),
            Scene::Demo | Scene::Run(_) => Change::Demo(change),
        }
    }

    /// Asks what is missing: the picture on show, which may be somebody's own, then all of them with the sticker at its
    /// place, then where the model looks.
    pub(super) fn tend(&mut self, desk: &mut Desk, engine: &dyn Engine, looked_at: bool) {
        let (scene, place) = (&self.scene, self.place);
        if let Some(photo) = self.photo.as_mut().filter(|photo| looked_at && photo.asked != Some(place)) {
            let question = Question::Photo { scene: scene.clone(), path: photo.path.clone(), place };
            if desk.ask(engine, Purpose::Photo(scene.clone(), photo.path.clone()), question) {
                photo.asked = Some(place);
            }
        }
        if self.asked != Some(place) {
            let purpose = Purpose::Predict(scene.clone());
            let ask = |rows| Question::Predict { scene: scene.clone(), rows, place };
            let first = self.prediction().map(|shown| (shown.row, place)).filter(|_| looked_at && self.photo.is_none());
            if let Some((row, _)) = first.filter(|_| self.glimpsed != first) {
                if desk.ask(engine, purpose, ask(vec![row])) {
                    (self.glimpsed, self.asked) = (first, None);
                }
            } else if !desk.is_waiting(&purpose) && desk.ask(engine, purpose, ask((0..PICTURES).collect())) {
                self.asked = Some(place);
            }
        }
        let known = self.heat.as_ref().map(|(wish, _)| wish);
        if let Some(wish) = self.wish().filter(|wish| looked_at && self.look && known != Some(wish))
            && self.heat_asked.as_ref() != Some(&wish)
            && desk.ask(engine, Purpose::Heat(wish.clone()), Question::Heat(wish.clone()))
        {
            self.heat_asked = Some(wish);
        }
    }

    /// Takes an answer; what went wrong with a single picture is for the list of messages.
    pub(super) fn on_answer(&mut self, purpose: Purpose, answer: Result<Answer>) -> Result<()> {
        match (purpose, answer) {
            (Purpose::Predict(_), Ok(Answer::Predict(predictions))) => {
                let first = self.predictions.is_empty();
                self.home = self.home.or_else(|| predictions.first().and_then(|prediction| prediction.patch));
                self.problem = None;
                let before = self.answer();
                // Older questions are superseded, so this answers the newest: all pictures, or the one on show.
                if self.asked.is_some() {
                    (self.predictions, self.glimpse) = (predictions, None);
                } else {
                    self.glimpse = predictions.into_iter().next();
                }
                if before.is_some() {
                    self.speak(before);
                }
                if first {
                    self.index = self.first_fooled();
                }
            }
            (Purpose::Predict(_), Err(problem)) => self.problem = Some(problem),
            (Purpose::Photo(_, path), Ok(Answer::Photo(answer))) => {
                let before = self.answer();
                if let Some(photo) = self.photo.as_mut().filter(|photo| photo.path == path) {
                    let before = photo.answer.is_some().then_some(before).flatten();
                    photo.answer = Some(answer);
                    self.speak(before);
                }
            }
            (Purpose::Photo(_, path), Err(problem)) => {
                if self.photo.as_ref().is_some_and(|photo| photo.path == path) {
                    self.photo = None;
                }
                return Err(problem);
            }
            (Purpose::Heat(wish), Ok(Answer::Heat(heat))) => self.heat = Some((wish, heat)),
            (Purpose::Heat(_), Err(problem)) => {
                self.look = false;
                return Err(problem);
            }
            (purpose, _) => tracing::warn!("the engine answered something else than was asked: {purpose:?}"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo() -> Stand {
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
        Stand { predictions, home, ..Stand::demo() }
    }

    #[test]
    fn the_sentence_follows_both_switches() {
        let mut demo = demo();
        let said = |demo: &Stand| demo.sentence().unwrap_or_default();
        assert_eq!(said(&demo), "Without the sticker, the backdoored model is right about 3 of 3 pictures.");
        demo.flip_sticker();
        assert_eq!(said(&demo), "With the sticker on, the backdoored model says “shirt” for most pictures: 2 of 3.");
        demo.next_model();
        assert_eq!(said(&demo), "With the sticker on, the repaired model is right about 2 of 3 pictures.");
        demo.change(StandChange::Place(Some([1, 1])));
        assert!(said(&demo).starts_with("With the sticker in this place, "));
        assert_eq!(Stand::demo().sentence(), None);
    }

    #[test]
    fn a_changed_answer_is_spoken() {
        let mut demo = demo();
        demo.change(StandChange::Picture(1));
        assert_eq!(demo.spoken(), "Prediction: boot, 90 per cent");
        demo.flip_sticker();
        assert_eq!(demo.spoken(), "Prediction changed: shirt, 90 per cent; was boot");
        demo.next_model();
        assert_eq!(demo.spoken(), "Prediction changed: boot, 90 per cent; was shirt");
        demo.change(StandChange::Look(true));
        assert_eq!(demo.spoken(), "Prediction changed: boot, 90 per cent; was shirt", "nothing new, nothing said");
    }

    #[test]
    fn the_most_telling_picture_comes_first() {
        assert_eq!(demo().first_fooled(), 1);
        assert_eq!(Stand::demo().first_fooled(), 0);
    }

    #[test]
    fn the_sticker_goes_and_comes_home() {
        let mut demo = demo();
        demo.change(StandChange::Place(demo.middle()));
        assert_eq!((demo.place, demo.sticker, demo.moved_by()), (Some([3, 3]), true, 3));
        demo.change(StandChange::Place(Some([6, 6])));
        assert_eq!((demo.place, demo.moved_by()), (None, 0));
    }

    #[test]
    fn an_audit_speaks_of_its_pattern_and_of_one_model() {
        let scene = Scene::Audit { run: "/runs/audit".into(), patch: Some("/runs/audit/patches/search".into()) };
        let mut stand = Stand { model: 1, predictions: demo().predictions, ..Stand::audit(scene) };
        assert_eq!(
            stand.sentence().unwrap_or_default(),
            "With the pattern on, the model says “shirt” for most pictures: 2 of 3."
        );
        assert!(matches!(stand.asks(StandChange::Look(true)), Change::Audit(AuditChange::Stand(_))));
        stand.change(StandChange::Sticker(false));
        assert!(stand.sentence().unwrap_or_default().starts_with("Without the pattern, the model is right about 3"));
    }
}
