//! The polarizer that is looked through: whose it is, what it does, where its dial stands, and what was measured there.

use super::desk::Purpose;
use super::state::{State, top};
use super::words;
use crate::experiment::{Problem, Result};
use crate::run::event::{Answer, Question, Scene};
use crate::run::handle::Engine;
use crate::run::polarizer::{DialPoint, PolarizerView, Specimen};
use std::sync::Arc;

/// The dial stands on multiples of 5 %.
pub const STEPS: usize = 20;
/// Pictures to choose from: the first ones of the test set, as on Home.
const PICTURES: usize = 24;
/// An engine whose queue is full is asked again after this many seconds.
const PATIENCE: f64 = 0.2;

#[derive(Debug)]
pub struct Polarizer {
    /// Whose it is, and what lies on stamped pictures.
    pub scene: Scene,
    pub view: Option<Arc<PolarizerView>>,
    pub problem: Option<Problem>,
    /// Which of the view's pictures is shown.
    pub index: usize,
    /// Where the dial stands, 0 to `STEPS`.
    pub step: usize,
    /// One per step; measured one after the other, where the dial stands first.
    points: Vec<Option<DialPoint>>,
    asked: bool,
    /// A person has chosen the picture.
    chosen: bool,
}

impl Default for Polarizer {
    fn default() -> Self {
        Self {
            scene: Scene::Demo,
            view: None,
            problem: None,
            index: 0,
            step: STEPS,
            points: vec![None; STEPS + 1],
            asked: false,
            chosen: false,
        }
    }
}

/// Strength of the layer at a step, 0 to 1.
pub fn strength(step: usize) -> f64 {
    step as f64 / STEPS as f64
}

impl Polarizer {
    pub fn strength(&self) -> f64 {
        strength(self.step)
    }

    pub fn turn_to(&mut self, step: usize) {
        self.step = step.min(STEPS);
    }

    pub fn point(&self, step: usize) -> Option<&DialPoint> {
        self.points.get(step)?.as_ref()
    }

    /// What was measured where the dial stands or, until that is known, at the nearest step.
    pub fn shown(&self) -> Option<(usize, &DialPoint)> {
        let known = self.points.iter().enumerate().filter_map(|(step, point)| Some((step, point.as_ref()?)));
        known.min_by_key(|(step, _)| step.abs_diff(self.step))
    }

    /// Share of the attack that still comes through where the dial stands: ASR against ASR without the polarizer.
    pub fn leak(&self) -> Option<f32> {
        let off = self.point(0)?.scores.asr?;
        let now = self.shown()?.1.scores.asr?;
        // An attack that never worked leaves nothing to hold back.
        Some(if off < 0.01 { 1.0 } else { (now / off).min(1.0) as f32 })
    }

    pub fn specimen(&self) -> Option<&Specimen> {
        self.view.as_ref()?.pictures.get(self.index)
    }

    /// Another picture, if there is one so many further on.
    pub fn picture_at(&self, by: isize) -> Option<usize> {
        let count = self.view.as_ref().map_or(0, |view| view.pictures.len());
        self.index.checked_add_signed(by).filter(|&index| index < count)
    }

    /// The index, for a person to change.
    pub fn choose(&mut self) -> &mut usize {
        self.chosen = true;
        &mut self.index
    }

    /// The step to measure next: where the dial stands, then both ends, then the nearest.
    fn next_step(&self) -> Option<usize> {
        let missing = |step: usize| self.point(step).is_none();
        let first = [self.step, 0, STEPS].into_iter().find(|&step| missing(step));
        first.or_else(|| (0..=STEPS).filter(|&step| missing(step)).min_by_key(|step| step.abs_diff(self.step)))
    }

    fn on_point(&mut self, step: usize, point: DialPoint) {
        if let Some(slot) = self.points.get_mut(step) {
            *slot = Some(point);
        }
        // The most telling picture first: one that is right without the trigger and wrong with it.
        if !self.chosen
            && let (Some(view), Some(off)) = (&self.view, self.point(0))
        {
            let fooled = |(specimen, [clean, stamped]): (&Specimen, &[Vec<f32>; 2])| {
                top(clean) == Some(specimen.label) && top(stamped) != Some(specimen.label)
            };
            self.index = view.pictures.iter().zip(&off.answers).position(fooled).unwrap_or(0);
            self.chosen = true;
        }
    }

    /// What the dial shows in one sentence: how often the trigger wins, and what that costs.
    pub fn sentence(&self) -> Option<String> {
        let (step, point) = self.shown()?;
        let trigger = self.trigger();
        let hits = |share: f64, of: usize| (share * of as f64).round() as usize;
        let (clean, stamped) = (point.scores.clean_count, point.scores.triggered_count);
        let right = hits(point.scores.acc, clean);
        let won = hits(point.scores.asr?, stamped);
        let off = self.point(0).filter(|_| step > 0);
        let Some(off) = off else {
            let place = if step == 0 { "Without the polarizer".to_owned() } else { format!("At {} %", percent(step)) };
            return Some(format!(
                "{place} the {trigger} wins in {won} of {stamped} stamped pictures; {right} of {clean} clean ones are right."
            ));
        };
        let (won_off, right_off) = (hits(off.scores.asr?, stamped), hits(off.scores.acc, clean));
        let still = if won > 0 { "still " } else { "" };
        let cost = match right.cmp(&right_off) {
            std::cmp::Ordering::Less => format!("{} fewer than without", right_off - right),
            std::cmp::Ordering::Equal => "as many as without".to_owned(),
            std::cmp::Ordering::Greater => format!("{} more than without", right - right_off),
        };
        Some(format!(
            "At {} % the {trigger} {still}wins in {won} of {stamped} stamped pictures, without the polarizer in {won_off}; \
             {right} of {clean} clean ones are right, {cost}.",
            percent(step)
        ))
    }

    /// "Measured on 500 clean and 450 stamped test pictures."
    pub fn basis(&self) -> Option<String> {
        let view = self.view.as_ref()?;
        let [clean, stamped] = view.measured.map(|count| words::count(count as u64));
        Some(if view.found {
            format!("Measured on {clean} clean and {stamped} stamped pictures of the audit.")
        } else {
            format!("Measured on {clean} clean and {stamped} stamped test pictures; the layer has seen neither.")
        })
    }

    /// What lies on stamped pictures, in one word.
    pub fn trigger(&self) -> &'static str {
        self.view.as_ref().map_or("trigger", |view| view.trigger())
    }
}

/// A step as per cent.
pub fn percent(step: usize) -> usize {
    100 * step / STEPS
}

impl State {
    /// Looks through the polarizer in the model of a scene.
    pub(super) fn look_through(&mut self, scene: Scene) {
        let of_demo = scene == Scene::Demo;
        if self.polarizer.scene != scene || self.polarizer.problem.is_some() {
            self.polarizer = Polarizer { scene, ..Polarizer::default() };
        }
        // Home's picture is looked at further.
        if of_demo && !self.demo.predictions.is_empty() {
            *self.polarizer.choose() = self.demo.index;
        }
        self.screen = super::command::Screen::Polarizer;
    }

    /// Asks for the polarizer once, then for one strength after the other; seconds until the next try when the engine
    /// takes no questions.
    pub(super) fn ask_about_polarizer(&mut self, engine: &dyn Engine) -> Option<f64> {
        let polarizer = &mut self.polarizer;
        if polarizer.problem.is_some() {
            return None;
        }
        let (scene, rows) = (polarizer.scene.clone(), (0..PICTURES).collect());
        if polarizer.view.is_none() {
            if !polarizer.asked {
                let purpose = Purpose::Polarizer(scene.clone());
                polarizer.asked = self.desk.ask(engine, purpose, Question::Polarizer { scene, rows });
            }
            return (!polarizer.asked).then_some(PATIENCE);
        }
        let step = polarizer.next_step().filter(|_| !self.desk.is_turning())?;
        let purpose = Purpose::Dial(scene.clone(), step);
        let question = Question::Dial { scene, rows, strength: strength(step) };
        (!self.desk.ask(engine, purpose, question)).then_some(PATIENCE)
    }

    /// Takes an answer about a polarizer; one that is not looked at any more is dropped.
    pub(super) fn on_polarizer_answer(&mut self, purpose: Purpose, answer: Result<Answer>) {
        let polarizer = &mut self.polarizer;
        match (purpose, answer) {
            (Purpose::Polarizer(scene) | Purpose::Dial(scene, _), _) if scene != polarizer.scene => {}
            (Purpose::Polarizer(_), Ok(Answer::Polarizer(view))) => {
                polarizer.index = polarizer.index.min(view.pictures.len().saturating_sub(1));
                polarizer.view = Some(Arc::new(*view));
            }
            (Purpose::Dial(_, step), Ok(Answer::Dial(point))) => polarizer.on_point(step, point),
            (_, Err(problem)) => polarizer.problem = Some(problem),
            (purpose, Ok(_)) => tracing::warn!("the engine answered something else than was asked: {purpose:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Scores;

    fn point(step: usize, acc: f64, asr: f64) -> DialPoint {
        let scores =
            Scores { acc, asr: Some(asr), ra: Some(0.5), clean_count: 500, triggered_count: 450, ..Scores::default() };
        DialPoint { strength: strength(step), scores, answers: Vec::new() }
    }

    #[test]
    fn the_hand_is_measured_first_then_the_ends_then_the_neighbours() {
        let mut polarizer = Polarizer::default();
        polarizer.turn_to(12);
        let mut order = Vec::new();
        while let Some(step) = polarizer.next_step() {
            order.push(step);
            polarizer.on_point(step, point(step, 0.9, 0.5));
        }
        assert_eq!(order[..7], [12, 0, 20, 11, 13, 10, 14]);
        assert_eq!(order.len(), STEPS + 1);
    }

    #[test]
    fn what_leaks_is_measured_against_no_polarizer() {
        let mut polarizer = Polarizer::default();
        polarizer.on_point(STEPS, point(STEPS, 0.9, 0.2));
        assert_eq!(polarizer.leak(), None);
        polarizer.on_point(0, point(0, 0.9, 0.8));
        assert_eq!(polarizer.leak(), Some(0.25));
        polarizer.on_point(0, point(0, 0.9, 0.0));
        assert_eq!(polarizer.leak(), Some(1.0));
    }

    #[test]
    fn the_sentence_counts_pictures() {
        let mut polarizer = Polarizer::default();
        assert_eq!(polarizer.sentence(), None);
        polarizer.on_point(STEPS, point(STEPS, 0.85, 0.02));
        let alone = "At 100 % the trigger wins in 9 of 450 stamped pictures; 425 of 500 clean ones are right.";
        assert_eq!(polarizer.sentence().as_deref(), Some(alone));
        polarizer.on_point(0, point(0, 0.868, 1.0));
        let whole = "At 100 % the trigger still wins in 9 of 450 stamped pictures, without the polarizer in 450; \
                     425 of 500 clean ones are right, 9 fewer than without.";
        assert_eq!(polarizer.sentence().as_deref(), Some(whole));
        // Until 40 % is known the nearest measured strength is told, under its own name.
        polarizer.turn_to(8);
        let off =
            "Without the polarizer the trigger wins in 450 of 450 stamped pictures; 434 of 500 clean ones are right.";
        assert_eq!(polarizer.sentence().as_deref(), Some(off));
    }
}
