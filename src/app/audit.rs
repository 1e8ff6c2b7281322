//! Audits in the window: which model, which pictures, which checks; the run itself is a job like any other.

use super::command::Screen;
use super::desk::Purpose;
use super::job::{JobState, JobView};
use super::stand::{Stand, StandChange};
use super::state::State;
use crate::experiment::audit::{audit, model_of, set_model, try_patch_of};
use crate::experiment::{Experiment, Kind, Method, Pick, Problem, Result};
use crate::run::checked::{CheckResult, Verdict};
use crate::run::event::{Answer, Ending, Question, Report, Scene};
use crate::run::folder::name_of;
use crate::run::handle::Engine;
use crate::run::report::date;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The pictures inside the program.
pub const BUILT_IN_PICTURES: &str = "fashion-mini";
/// The backdoored model inside the program, to try an audit on.
pub const DEMO_MODEL: &str = "demo-backdoored";
/// An engine whose queue is full is asked again after this many seconds.
const PATIENCE: f64 = 0.2;

/// What can be asked for on the Audit screen.
#[derive(Debug, Clone)]
pub enum AuditChange {
    /// The model's file, or the name of one that is built in.
    Model(String),
    /// A file or folder of pictures, or the name of those that are built in.
    Pictures(String),
    Experiment(Box<Experiment>),
    /// The built-in model with the built-in pictures.
    Demo,
    /// Nothing chosen yet.
    New,
    /// The same pictures, checks and seed for another model.
    Repeat,
    /// Back to the findings that were shown.
    Back,
    /// The evidence of this check of the run that is shown.
    Evidence(String),
    /// Something is done with the patch that was found.
    Stand(StandChange),
    /// What somebody has decided about the model of the audit that is shown.
    Decide(String),
}

#[derive(Debug)]
pub struct Audit {
    /// What Start runs.
    pub experiment: Experiment,
    /// The choices are shown in the place of findings.
    pub choosing: bool,
    /// The audit whose model is held against the one that is chosen.
    before: Option<PathBuf>,
    /// The check whose evidence somebody has opened.
    open: String,
    /// The patch of that check on pictures.
    pub stand: Option<Stand>,
    /// What the engine says of a place: what it is, or why it cannot be read.
    known: HashMap<String, Result<Report>>,
    /// Files and folders that were dropped here, until it is known what they are.
    dropped: Vec<String>,
}

impl Audit {
    pub fn new(methods: &[&'static Method]) -> Self {
        Self {
            experiment: audit("", BUILT_IN_PICTURES, methods),
            choosing: true,
            before: None,
            open: String::new(),
            stand: None,
            known: HashMap::new(),
            dropped: Vec::new(),
        }
    }

    /// The model that is chosen; empty before one is.
    pub fn model(&self) -> &str {
        model_of(&self.experiment).unwrap_or_default()
    }

    /// What is at a place, once it is known.
    pub fn known(&self, place: &str) -> Option<&Result<Report>> {
        self.known.get(place)
    }

    /// What is still missing, as a sentence.
    pub fn lacks(&self) -> Option<&'static str> {
        if self.model().is_empty() {
            return Some("Choose a model first.");
        }
        if self.known.get(self.model()).is_some_and(Result::is_err) {
            return Some("This model cannot be read; choose another.");
        }
        if self.experiment.data.source.is_empty() {
            return Some("Choose pictures first.");
        }
        if self.known.get(&self.experiment.data.source).is_some_and(Result::is_err) {
            return Some("These pictures cannot be read; choose others.");
        }
        self.experiment.check.is_empty().then_some("Choose at least one check.")
    }

    /// Switches a check on, in the order of the catalogue, or off.
    pub fn switch(experiment: &mut Experiment, methods: &[&'static Method], id: &str, on: bool) {
        experiment.check.retain(|pick| pick.id != id);
        if on {
            experiment.check.push(Pick { id: id.to_owned(), options: Default::default() });
        }
        let place = |pick: &Pick| methods.iter().position(|method| method.kind == Kind::Check && method.id == pick.id);
        experiment.check.sort_by_key(place);
    }
}

/// What is looked at first.
pub fn urgency(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Suspicious => 2,
        Verdict::Clear => 1,
        Verdict::CannotTell => 0,
    }
}

/// Data sets tell how many pictures they hold; models do not.
pub fn is_data(report: &Report) -> bool {
    let says = |word: &str| report.facts.iter().any(|(name, _)| name.to_lowercase().contains(word));
    says("pictures") || says("images") || says("rows")
}

impl State {
    /// The audit whose findings the screen shows: one that runs, or that was opened.
    pub fn shown_audit(&self) -> Option<&JobView> {
        self.job.as_ref().filter(|job| job.is_audit() && !self.audit.choosing)
    }

    /// The finding whose evidence is open: the one that somebody chose, else the most suspicious one.
    pub fn shown_finding(&self) -> Option<&CheckResult> {
        let checks = &self.shown_audit()?.checks;
        let chosen = checks.iter().find(|found| found.check == self.audit.open);
        chosen.or_else(|| checks.iter().max_by_key(|found| urgency(found.verdict)))
    }

    /// The pictures and the patch of the finding that is open, once its run has ended.
    fn scene_of_audit(&self) -> Option<Scene> {
        let job = self.shown_audit().filter(|job| matches!(job.state, JobState::Ended(_)))?;
        let patch = self.shown_finding()?.patch.as_ref()?;
        let run = job.folder.clone()?;
        Some(Scene::Audit { patch: Some(run.join(&patch.file)), run })
    }

    /// The audit on the screen with the pattern that is shown, where its model has a polarizer that can hold it back.
    pub fn polarized_audit(&self) -> Option<Scene> {
        let polarized = self.shown_audit()?.subject.as_ref()?.polarized;
        self.scene_of_audit().filter(|_| polarized)
    }

    /// What tells the model that is chosen from the one that was audited before, with the name of that audit.
    pub fn kinship(&self) -> Option<(String, String)> {
        let before = self.audit.before.as_ref()?;
        let sentence = self.model_differences.sentence(before, Path::new(self.audit.model()))?;
        let job = self.job.as_ref().filter(|job| job.folder.as_ref() == Some(before));
        let name = job.map_or_else(|| name_of(before), |job| job.title.clone());
        let when = job.and_then(|job| job.started).map(|started| format!(" of {}", date(started)));
        Some((format!("“{name}”{}", when.unwrap_or_default()), sentence))
    }

    /// The audit on the screen, once it has ended.
    fn audited_before(&self) -> Option<PathBuf> {
        let job =
            self.job.as_ref().filter(|job| job.is_audit() && matches!(job.state, JobState::Ended(Ending::Done)))?;
        job.folder.clone()
    }

    pub(super) fn change_audit(&mut self, change: AuditChange) {
        self.screen = Screen::Audit;
        let change = match change {
            AuditChange::Evidence(check) => {
                self.audit.open = check;
                return;
            }
            AuditChange::Stand(change) => {
                if let Some(stand) = &mut self.audit.stand {
                    stand.change(change);
                }
                return;
            }
            AuditChange::Decide(text) => {
                if let Some(folder) = self.job.as_ref().and_then(|job| job.folder.clone()) {
                    let earlier = self.job.as_ref().and_then(JobView::earlier);
                    let known = earlier.and_then(|earlier| self.model_differences.sentence(&earlier, &folder));
                    self.review(folder, |review| {
                        review.decision.clone_from(&text);
                        review.difference = known.clone().or(review.difference.take());
                    });
                }
                return;
            }
            choice => choice,
        };
        let before = self.audited_before();
        let audit = &mut self.audit;
        audit.choosing = !matches!(change, AuditChange::Back);
        match change {
            AuditChange::Model(place) => set_model(&mut audit.experiment, place.trim()),
            AuditChange::Pictures(place) => audit.experiment.data.source = place.trim().to_owned(),
            AuditChange::Experiment(experiment) => audit.experiment = *experiment,
            AuditChange::Demo => {
                set_model(&mut audit.experiment, DEMO_MODEL);
                audit.experiment.data.source = BUILT_IN_PICTURES.to_owned();
            }
            AuditChange::New => {
                audit.experiment = Audit::new(self.methods).experiment;
                audit.before = None;
            }
            AuditChange::Repeat => {
                audit.before = before;
                if let Some(before) = self.job.as_ref().and_then(|job| job.experiment.as_deref()) {
                    audit.experiment = before.clone();
                    set_model(&mut audit.experiment, "");
                }
                if let Some(folder) =
                    self.job.as_ref().filter(|job| job.found_patch().is_some()).and_then(|job| job.folder.as_ref())
                {
                    try_patch_of(&mut audit.experiment, folder);
                }
            }
            AuditChange::Back | AuditChange::Evidence(_) | AuditChange::Stand(_) | AuditChange::Decide(_) => {}
        }
    }

    /// What is dropped on this screen is the model or the pictures; the engine tells which.
    pub(super) fn drop_on_audit(&mut self, place: String) {
        if !self.audit.choosing {
            // What comes after an audit is held against its model.
            self.audit.before = self.audited_before();
        }
        self.audit.choosing = true;
        self.model_differences.forget(Path::new(&place));
        self.audit.known.remove(&place);
        self.audit.dropped.push(place);
    }

    /// Asks what lies at the places that are chosen; seconds until the next try when the engine takes no questions.
    pub(super) fn ask_about_audit(&mut self, engine: &dyn Engine) -> Option<f64> {
        if !self.audit.choosing {
            self.tend_audit_stand(engine);
            return None;
        }
        let chosen = [self.audit.model().to_owned(), self.audit.experiment.data.source.clone()];
        for place in chosen.into_iter().chain(self.audit.dropped.clone()) {
            let purpose = Purpose::Audit(place.clone());
            if place.is_empty() || self.audit.known.contains_key(&place) || self.desk.is_waiting(&purpose) {
                continue;
            }
            if !self.desk.ask(engine, purpose, Question::Inspect { path: PathBuf::from(&place) }) {
                return Some(PATIENCE);
            }
        }
        let model = self.audit.model();
        if let Some(before) = self.audit.before.as_ref().filter(|_| matches!(self.audit.known(model), Some(Ok(_))))
            && !self.model_differences.ask(&mut self.desk, engine, before, Path::new(model))
        {
            return Some(PATIENCE);
        }
        None
    }

    /// Keeps the stand at the patch of the finding that is open, and asks what it lacks.
    fn tend_audit_stand(&mut self, engine: &dyn Engine) {
        let scene = self.scene_of_audit();
        if self.audit.stand.as_ref().map(|stand| &stand.scene) != scene.as_ref() {
            self.audit.stand = scene.map(Stand::audit);
        }
        if let Some(stand) = &mut self.audit.stand {
            stand.tend(&mut self.desk, engine, true);
        }
    }

    pub(super) fn on_audit_answer(&mut self, place: String, answer: Result<Answer>) {
        let report = match answer {
            Ok(Answer::Inspect(report)) => Ok(report),
            Ok(_) => Err(Problem::internal("The engine answered something else than was asked.")),
            Err(problem) => Err(problem),
        };
        if let Some(at) = self.audit.dropped.iter().position(|dropped| *dropped == place) {
            self.audit.dropped.remove(at);
            match &report {
                Ok(report) if is_data(report) => self.audit.experiment.data.source = place.clone(),
                Ok(_) => set_model(&mut self.audit.experiment, &place),
                Err(problem) => self.notices.problem(problem.clone()),
            }
        }
        self.audit.known.insert(place, report);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn checks_are_switched_in_their_order() {
        let methods = catalogue::all();
        let mut experiment = Audit::new(methods).experiment;
        let ids = |experiment: &Experiment| experiment.check.iter().map(|pick| pick.id.clone()).collect::<Vec<_>>();
        let all = ids(&experiment);
        assert!(all.len() >= 3);
        Audit::switch(&mut experiment, methods, &all[0], false);
        assert_eq!(ids(&experiment), all[1..]);
        Audit::switch(&mut experiment, methods, &all[0], true);
        assert_eq!(ids(&experiment), all);
    }

    #[test]
    fn an_audit_says_what_it_lacks() {
        let mut audit = Audit::new(catalogue::all());
        assert_eq!(audit.lacks(), Some("Choose a model first."));
        set_model(&mut audit.experiment, DEMO_MODEL);
        assert_eq!(audit.lacks(), None);
        audit.experiment.check.clear();
        assert_eq!(audit.lacks(), Some("Choose at least one check."));
    }
}
