//! Runs side by side: which ones, which of their models, and what these say about the same pictures.

use super::desk::{Desk, Purpose};
use super::differences::{Difference, differences, distinctions};
use super::form::Forms;
use super::job::{JobView, best_repair};
use super::state::{Fetched, State, top};
use super::theme::Role;
use crate::experiment::{Method, Problem, Result};
use crate::run::event::{Prediction, Question, Scene};
use crate::run::handle::Engine;
use crate::run::review::{PictureNote, changed_rows};
use crate::run::{ResultRow, Review};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// More columns than this cannot be read side by side.
pub const MOST_COLUMNS: usize = 4;
/// Test pictures that every model is asked about.
pub const PICTURES: usize = 120;
/// Of these, so many may be pictures that audited models are known to see differently; where there are more, they come in
/// pages.
pub const MOST_CHANGED: usize = 80;
/// Colour, line and mark of the columns, by their slot.
const SLOTS: [Role; MOST_COLUMNS] = [Role::Clean, Role::Attacked, Role::Repaired, Role::Other];

/// What can be done to the comparison.
#[derive(Debug, Clone)]
pub enum CompareChange {
    Add(PathBuf),
    /// Another model of the run in this column, beside it.
    AddModel(usize, usize),
    Remove(usize),
    /// This column becomes the first, to which the others are compared.
    MakeReference(usize),
    /// Which model of its run a column shows.
    Model(usize, usize),
    Picture(usize),
    OnlyDisagreements(bool),
    /// Which of the pages of pictures that audited models see differently.
    Page(usize),
    /// What somebody says of a picture of the audit in this column.
    Note(usize, PictureNote),
    /// The run is gone.
    Forget(PathBuf),
    Clear,
}

/// One of the things that are compared: a model of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub run: PathBuf,
    /// Row of the run's result table; nothing until the table is known.
    pub model: Option<usize>,
    slot: usize,
}

impl Column {
    /// Colour, line and mark: they stay when other columns come and go.
    pub fn role(&self) -> Role {
        SLOTS[self.slot % MOST_COLUMNS]
    }
}

/// A run that is compared, read once however many of its models are.
#[derive(Debug)]
pub struct ComparedRun {
    pub folder: PathBuf,
    /// Nothing while it is being read.
    pub view: Option<Result<JobView>>,
    /// Nothing until the engine has answered.
    pub predictions: Option<Result<Vec<Prediction>>>,
    /// What the newest question was about.
    asked: Option<(Scene, Vec<usize>)>,
}

/// A test picture that all columns have answered, by its position in the answers of each column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedPicture {
    pub at: Vec<usize>,
    /// The models do not all say the same, with or without the trigger; of audited models, without their patch.
    pub differs: bool,
}

#[derive(Debug, Default)]
pub struct Comparison {
    columns: Vec<Column>,
    runs: Vec<ComparedRun>,
    pictures: Vec<SharedPicture>,
    only_disagreements: bool,
    /// Which page of the pictures that are known to differ is wanted.
    page: usize,
    /// Position among the pictures that are shown.
    picture: usize,
}

impl State {
    /// Asks what Compare lacks: the answers of the models and, of audited ones, what tells their weights apart.
    pub(super) fn ask_about_comparison(&mut self, engine: &dyn Engine) {
        self.comparison.ask(&mut self.desk, engine);
        if self.comparison.is_of_audits()
            && let Some((first, others)) = self.comparison.columns.split_first()
        {
            for other in others.iter().filter(|other| other.run != first.run) {
                self.model_differences.ask(&mut self.desk, engine, &first.run, &other.run);
            }
        }
    }

    /// Writes what somebody says about an audit, here and in its folder.
    pub(super) fn review(&mut self, folder: PathBuf, edit: impl Fn(&mut Review)) {
        let mut review = None;
        let of_job = self.job.as_mut().filter(|job| job.folder.as_ref() == Some(&folder));
        for view in of_job.into_iter().chain(self.comparison.view_mut(&folder)) {
            edit(&mut view.review);
            review = Some(view.review.clone());
        }
        if let Some(review) = review {
            let archive = self.archive.clone();
            self.background.start("write review", move || Fetched::RunEdited(archive.set_review(&folder, &review)));
        }
    }

    /// A note on a picture of the audit in this column, which was held against the first one.
    pub(super) fn note_picture(&mut self, column: usize, note: PictureNote) {
        let run = |at: usize| self.comparison.columns.get(at).map(|column| column.run.clone());
        let (Some(first), Some(run)) = (run(0), run(column)) else { return };
        let difference = self.model_differences.sentence(&first, &run);
        self.review(run, |review| {
            review.set_note(note.clone());
            review.earlier = Some(first.clone());
            review.difference.clone_from(&difference);
        });
    }
}

impl Comparison {
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The run of a column.
    pub fn run(&self, column: &Column) -> Option<&ComparedRun> {
        self.runs.iter().find(|run| run.folder == column.run)
    }

    /// What is known about the run of a column.
    pub fn view(&self, column: &Column) -> Option<&JobView> {
        self.run(column)?.view.as_ref()?.as_ref().ok()
    }

    /// What differs between the runs; nothing until all of them are read.
    pub fn differences(&self, forms: &Forms, methods: &[&'static Method]) -> Option<Vec<Difference>> {
        let experiments: Option<Vec<_>> =
            self.columns.iter().map(|column| self.view(column)?.experiment.as_deref()).collect();
        Some(differences(&experiments?, forms, methods))
    }

    /// Title of each column's run, and what tells it from others of the same title.
    pub fn titles(&self, forms: &Forms, methods: &[&'static Method]) -> Vec<(String, String)> {
        let title = |column: &Column| match self.view(column) {
            Some(view) => view.title.clone(),
            None => column.run.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        };
        let titles: Vec<String> = self.columns.iter().map(title).collect();
        let borrowed: Vec<&str> = titles.iter().map(String::as_str).collect();
        let told = distinctions(&borrowed, &self.differences(forms, methods).unwrap_or_default());
        titles.into_iter().zip(told).collect()
    }

    /// The scores of the model that a column shows.
    pub fn result(&self, column: &Column) -> Option<&ResultRow> {
        self.view(column)?.results.get(column.model?)
    }

    /// What the model of a column says about one of the shared pictures.
    pub fn prediction(&self, index: usize, picture: &SharedPicture) -> Option<Said<'_>> {
        let column = self.columns.get(index)?;
        let predictions = self.run(column)?.predictions.as_ref()?.as_ref().ok()?;
        let prediction = predictions.get(*picture.at.get(index)?)?;
        Said::of(prediction, &self.result(column)?.name())
    }

    /// The runs that are read, to follow what is written about them.
    pub(super) fn view_mut(&mut self, folder: &Path) -> Option<&mut JobView> {
        self.runs.iter_mut().find(|run| run.folder == folder)?.view.as_mut()?.as_mut().ok()
    }

    pub fn only_disagreements(&self) -> bool {
        self.only_disagreements
    }

    /// All pictures that every column has answered.
    pub fn pictures(&self) -> &[SharedPicture] {
        &self.pictures
    }

    /// The pictures in the strip: all, or those on which the models differ.
    pub fn shown(&self) -> Vec<&SharedPicture> {
        self.pictures.iter().filter(|picture| !self.only_disagreements || picture.differs).collect()
    }

    /// Position in `shown` of the large picture.
    pub fn picture(&self) -> usize {
        self.picture
    }

    pub fn can_turn(&self, by: isize) -> bool {
        self.picture.checked_add_signed(by).is_some_and(|next| next < self.shown().len())
    }

    pub(super) fn turn(&mut self, by: isize) {
        if self.can_turn(by) {
            self.picture = self.picture.saturating_add_signed(by);
        }
    }

    /// True when a run came in that must be read.
    pub(super) fn change(&mut self, change: CompareChange) -> bool {
        match change {
            CompareChange::Add(folder) => return self.add(folder),
            CompareChange::AddModel(column, model) => {
                if let Some(run) = self.columns.get(column).map(|column| column.run.clone())
                    && let Some(slot) = self.free_slot()
                {
                    self.columns.insert(column + 1, Column { run, model: Some(model), slot });
                }
            }
            CompareChange::Remove(column) if column < self.columns.len() => {
                self.columns.remove(column);
            }
            CompareChange::MakeReference(column) if column < self.columns.len() => {
                self.columns[..=column].rotate_right(1);
            }
            CompareChange::Model(column, model) => {
                if let Some(column) = self.columns.get_mut(column) {
                    column.model = Some(model);
                }
            }
            CompareChange::Picture(picture) => self.picture = picture,
            CompareChange::Page(page) => (self.page, self.picture) = (page, 0),
            CompareChange::OnlyDisagreements(only) => (self.only_disagreements, self.picture) = (only, 0),
            CompareChange::Forget(folder) => self.columns.retain(|column| column.run != folder),
            CompareChange::Clear => self.columns.clear(),
            // Written into the run's folder by whoever asked.
            CompareChange::Remove(_) | CompareChange::MakeReference(_) | CompareChange::Note(..) => {}
        }
        self.runs.retain(|run| self.columns.iter().any(|column| column.run == run.folder));
        self.align();
        false
    }

    fn free_slot(&self) -> Option<usize> {
        (0..MOST_COLUMNS).find(|slot| self.columns.iter().all(|column| column.slot != *slot))
    }

    fn add(&mut self, folder: PathBuf) -> bool {
        let known = self.columns.iter().any(|column| column.run == folder);
        let Some(slot) = self.free_slot().filter(|_| !known) else {
            return false;
        };
        self.columns.push(Column { run: folder.clone(), model: None, slot });
        self.runs.push(ComparedRun { folder, view: None, predictions: None, asked: None });
        self.align();
        true
    }

    pub(super) fn on_read(&mut self, folder: &Path, view: Result<JobView>) {
        let Some(run) = self.runs.iter_mut().find(|run| run.folder == folder) else {
            return;
        };
        if let Ok(view) = &view {
            for column in self.columns.iter_mut().filter(|column| column.run == folder) {
                // The table may have grown, or may be another one after the run went on.
                let known = column.model.filter(|model| *model < view.results.len());
                column.model = known.or_else(|| telling(&view.results));
            }
        }
        run.view = Some(view);
        self.align();
    }

    /// Models that were delivered are compared: no trigger is known, but a patch may have been found.
    pub fn is_of_audits(&self) -> bool {
        let is_audit = |column: &Column| {
            let experiment = self.view(column).and_then(|view| view.experiment.as_deref());
            experiment.is_some_and(|experiment| experiment.attack.is_none() && !experiment.check.is_empty())
        };
        !self.columns.is_empty() && self.columns.iter().all(is_audit)
    }

    /// The file of the patch that the first of the audits with one has found, and whose it is.
    pub fn found_patch(&self) -> Option<(usize, PathBuf)> {
        let of_column = |(index, column): (usize, &Column)| {
            let patch = self.view(column)?.found_patch()?;
            Some((index, column.run.join(&patch.file)))
        };
        self.columns.iter().enumerate().find_map(of_column).filter(|_| self.is_of_audits())
    }

    /// Pictures that audited models are known to see differently, of how many; nothing unless all audits are of the same
    /// pictures and have written down their answers.
    pub fn changed(&self) -> Option<(Vec<usize>, usize)> {
        let views: Option<Vec<&JobView>> = self.columns.iter().map(|column| self.view(column)).collect();
        let views = views.filter(|views| views.len() > 1)?;
        let (first, others) = views.split_first()?;
        let pictures = |view: &JobView| {
            let subject = view.subject.as_ref()?;
            let seed = view.experiment.as_ref()?.seed;
            Some((subject.data_hash.clone(), subject.part.clone(), subject.pictures, seed))
        };
        let mut changed = BTreeSet::new();
        for other in others {
            if pictures(other)? != pictures(first)? {
                return None;
            }
            changed.extend(changed_rows(&first.answers, &other.answers)?);
        }
        Some((changed.into_iter().collect(), first.answers.len()))
    }

    /// Which page of the pictures that are known to differ is here, of how many; nothing where one page holds all.
    pub fn page(&self) -> Option<(usize, usize)> {
        let pages = self.changed()?.0.len().div_ceil(MOST_CHANGED);
        (pages > 1).then_some((self.page.min(pages - 1), pages))
    }

    /// The same pictures for all: those that are known to differ, a page of them, then the first ones.
    fn rows(&self) -> Vec<usize> {
        let page = self.page().map_or(0, |(page, _)| page);
        let changed = self.changed().map(|(changed, _)| changed).unwrap_or_default();
        let mut rows: Vec<usize> = changed.iter().copied().skip(page * MOST_CHANGED).take(MOST_CHANGED).collect();
        let others = (0..PICTURES).filter(|row| changed.binary_search(row).is_err());
        rows.extend(others.take(PICTURES - rows.len()));
        rows
    }

    /// Asks the engine about the pictures of each run whose models were kept.
    fn ask(&mut self, desk: &mut Desk, engine: &dyn Engine) {
        let (audits, patch, rows) = (self.is_of_audits(), self.found_patch().map(|(_, patch)| patch), self.rows());
        for run in &mut self.runs {
            let Some(Ok(view)) = &run.view else { continue };
            let (scene, rows) = if audits {
                (Scene::Audit { run: run.folder.clone(), patch: patch.clone() }, rows.clone())
            } else {
                (Scene::Run(run.folder.clone()), (0..PICTURES).collect())
            };
            let kept = view.results.iter().any(|row| row.weights.is_some() || audits);
            if !kept || run.asked.as_ref() == Some(&(scene.clone(), rows.clone())) {
                continue;
            }
            let question = Question::Predict { scene: scene.clone(), rows: rows.clone(), place: None };
            if desk.ask(engine, Purpose::Compared(run.folder.clone()), question) {
                run.asked = Some((scene, rows));
            }
        }
    }

    pub(super) fn on_predictions(&mut self, folder: &Path, predictions: Result<Vec<Prediction>>) {
        if let Some(run) = self.runs.iter_mut().find(|run| run.folder == folder) {
            run.predictions = Some(predictions);
            self.align();
        }
    }

    /// Why a column has no pictures, when that is known.
    pub fn picture_problem(&self, column: &Column) -> Option<Problem> {
        let run = self.run(column)?;
        match (&run.view, &run.predictions) {
            (Some(Ok(_)), Some(Err(problem))) => Some(problem.clone()),
            (Some(Ok(_)), _) if self.is_of_audits() => None,
            (Some(Ok(view)), _) if view.results.iter().all(|row| row.weights.is_none()) => {
                Some(Problem::bad_input("This run kept no models, so they cannot be asked."))
            }
            (Some(Ok(view)), _) if column.model.is_some_and(|at| view.results[at].weights.is_none()) => {
                Some(Problem::bad_input("This model was not kept, so it cannot be asked."))
            }
            _ => None,
        }
    }

    /// Finds the pictures that all columns have answered: the same pixels, whatever their row in the test set of each run.
    fn align(&mut self) {
        self.pictures.clear();
        let answers: Option<Vec<&Vec<Prediction>>> = self
            .columns
            .iter()
            .map(|column| self.runs.iter().find(|run| run.folder == column.run)?.predictions.as_ref()?.as_ref().ok())
            .collect();
        let Some(answers) = answers else {
            return;
        };
        let mut found = Vec::new();
        for prediction in answers.first().into_iter().flat_map(|first| first.iter()) {
            let at = |others: &&Vec<Prediction>| {
                let same = |other: &Prediction| other.clean == prediction.clean;
                // Almost always the same row, so that is where to look first.
                others
                    .get(found.len())
                    .filter(|other| same(other))
                    .map(|_| found.len())
                    .or_else(|| others.iter().position(same))
            };
            if let Some(at) = answers.iter().map(at).collect() {
                found.push(SharedPicture { at, differs: false });
            }
        }
        let audits = self.is_of_audits();
        for picture in &mut found {
            let said: Vec<_> = (0..self.columns.len())
                .filter_map(|index| self.prediction(index, picture))
                .map(|said| (top(said.clean), top(said.stamped).filter(|_| !audits)))
                .collect();
            picture.differs = said.windows(2).any(|pair| pair[0] != pair[1]);
        }
        self.pictures = found;
        self.picture = self.picture.min(self.shown().len().saturating_sub(1));
    }
}

/// What one model says about one picture.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    pub prediction: &'a Prediction,
    /// Class probabilities without and with the trigger.
    pub clean: &'a [f32],
    pub stamped: &'a [f32],
}

impl<'a> Said<'a> {
    fn of(prediction: &'a Prediction, title: &str) -> Option<Self> {
        let (_, clean, stamped) = prediction.models.iter().find(|(name, _, _)| name == title)?;
        Some(Self { prediction, clean, stamped })
    }
}

/// The model that tells most about a run: the best repair, else the one before any repair.
fn telling(results: &[ResultRow]) -> Option<usize> {
    let best = best_repair(results).map(|(best, _)| best);
    let at = best.and_then(|best| results.iter().position(|row| std::ptr::eq(row, best)));
    at.or(results.len().checked_sub(1).map(|_| 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Scores;
    use crate::run::event::Rgba;
    use std::sync::Arc;

    fn row(title: &str, asr: f64) -> ResultRow {
        let scores = Scores { acc: 0.9, asr: Some(asr), ..Scores::default() };
        ResultRow { title: title.into(), scores, weights: Some("w".into()), ..ResultRow::default() }
    }

    fn view(titles: &[&str]) -> Result<JobView> {
        let results = titles.iter().enumerate().map(|(at, title)| row(title, 0.9 - 0.1 * at as f64)).collect();
        Ok(JobView { results, ..JobView::new(None, "run") })
    }

    /// A picture known by its grey level; `NPD` says `said` about it when it is stamped.
    fn prediction(grey: u8, said: usize) -> Prediction {
        let picture = Arc::new(Rgba { width: 1, height: 1, bytes: vec![grey, grey, grey, 255] });
        let sure = |class: usize| (0..3).map(|at| if at == class { 0.9 } else { 0.05 }).collect::<Vec<f32>>();
        Prediction {
            row: usize::from(grey),
            label: 0,
            classes: Vec::new(),
            clean: picture.clone(),
            poisoned: picture,
            patch: None,
            models: vec![("no defense".into(), sure(0), sure(2)), ("NPD".into(), sure(0), sure(said))],
        }
    }

    fn two_runs() -> Comparison {
        let mut comparison = Comparison::default();
        for folder in ["/a", "/b"] {
            assert!(comparison.change(CompareChange::Add(folder.into())));
            comparison.on_read(Path::new(folder), view(&["no defense", "NPD"]));
        }
        comparison
    }

    #[test]
    fn colours_stay_while_columns_come_and_go() {
        let mut comparison = two_runs();
        assert!(!comparison.change(CompareChange::Add("/a".into())), "a run is there once");
        assert_eq!(comparison.columns()[0].model, Some(1), "the best repair");
        comparison.change(CompareChange::AddModel(0, 0));
        let roles = |comparison: &Comparison| comparison.columns().iter().map(Column::role).collect::<Vec<_>>();
        assert_eq!(roles(&comparison), [Role::Clean, Role::Repaired, Role::Attacked]);
        comparison.change(CompareChange::Remove(0));
        assert_eq!(roles(&comparison), [Role::Repaired, Role::Attacked]);
        comparison.change(CompareChange::MakeReference(1));
        assert_eq!(roles(&comparison), [Role::Attacked, Role::Repaired]);
        assert!(comparison.change(CompareChange::Add("/c".into())));
        assert!(comparison.change(CompareChange::Add("/d".into())));
        assert!(!comparison.change(CompareChange::Add("/e".into())), "four are the most");
        comparison.change(CompareChange::Forget("/a".into()));
        assert_eq!(comparison.columns().len(), 3);
        comparison.change(CompareChange::Clear);
        assert!(comparison.columns().is_empty() && comparison.runs.is_empty());
    }

    #[test]
    fn pictures_are_the_same_by_their_pixels_and_disagreements_are_found() {
        let mut comparison = two_runs();
        comparison.on_predictions(Path::new("/a"), Ok(vec![prediction(1, 0), prediction(2, 0), prediction(3, 0)]));
        assert!(comparison.pictures().is_empty(), "the other run has not answered yet");
        comparison.on_predictions(Path::new("/b"), Ok(vec![prediction(1, 0), prediction(3, 2), prediction(4, 0)]));
        assert_eq!(
            comparison.pictures(),
            [SharedPicture { at: vec![0, 0], differs: false }, SharedPicture { at: vec![2, 1], differs: true }]
        );
        let said = comparison.prediction(1, &comparison.pictures()[1]).expect("NPD of the second run");
        assert_eq!((said.prediction.row, top(said.stamped)), (3, Some(2)));

        assert!(comparison.can_turn(1) && !comparison.can_turn(-1));
        comparison.turn(1);
        assert_eq!(comparison.picture(), 1);
        comparison.change(CompareChange::OnlyDisagreements(true));
        assert_eq!((comparison.shown().len(), comparison.picture(), comparison.can_turn(1)), (1, 0, false));
        for column in 0..2 {
            comparison.change(CompareChange::Model(column, 0));
        }
        assert!(comparison.shown().is_empty(), "without a defense both say the same");
    }

    #[test]
    fn what_audited_models_see_differently_comes_in_pages() {
        use crate::experiment::audit::audit;
        let mut comparison = Comparison::default();
        for (folder, answer) in [("/a", 1), ("/b", 2)] {
            comparison.change(CompareChange::Add(folder.into()));
            // Every second picture gets another answer.
            let answers = (0..400).map(|row| if row % 2 == 0 { answer } else { 0 }).collect();
            let subject = Some(crate::run::Subject::default());
            let experiment = Some(Box::new(audit("m.pt", "pictures", crate::catalogue::all())));
            let view = JobView { answers, subject, experiment, ..JobView::new(None, "audit") };
            comparison.on_read(Path::new(folder), Ok(view));
        }
        assert_eq!((comparison.page(), comparison.rows()[79], comparison.rows()[80]), (Some((0, 3)), 158, 1));
        comparison.change(CompareChange::Page(2));
        assert_eq!((comparison.page(), comparison.rows()[0], comparison.rows()[39]), (Some((2, 3)), 320, 398));
        assert_eq!(comparison.rows()[40..43], [1, 3, 5], "then those on which they agree");
        comparison.change(CompareChange::Page(9));
        assert_eq!(comparison.page(), Some((2, 3)), "the last one");
    }

    #[test]
    fn a_run_that_cannot_be_read_or_asked_says_why() {
        let mut comparison = two_runs();
        comparison.on_predictions(Path::new("/b"), Err(Problem::bad_input("No attack.")));
        let why = |comparison: &Comparison, at: usize| comparison.picture_problem(&comparison.columns()[at]);
        assert_eq!(why(&comparison, 0), None);
        assert_eq!(why(&comparison, 1).expect("told").headline, "No attack.");
        let bare = ResultRow { weights: None, ..row("no defense", 0.9) };
        comparison.on_read(Path::new("/a"), Ok(JobView { results: vec![bare], ..JobView::new(None, "bare") }));
        assert!(why(&comparison, 0).expect("told").headline.contains("kept no models"));
        assert_eq!(comparison.columns()[0].model, Some(0), "the table has shrunk");
    }
}
