//! Everything the window knows. Screens read it; only `carry_out` and the engine's events change it.

use super::archive::Archive;
use super::audit::Audit;
use super::background::Background;
use super::bench::Bench;
use super::command::{Screen, UserCommand};
use super::comparison::Comparison;
use super::config::{Config, LookChoice, Settings};
use super::desk::{Desk, Purpose};
use super::draft::Draft;
use super::export::{ExportDialog, ExportFetched, PoisonJob, Reading};
use super::fair::Fairness;
use super::form::Forms;
use super::job::JobView;
use super::lessons::{Classroom, HandIn};
use super::model_differences::ModelDifferences;
use super::notices::Notices;
use super::picture::Study;
use super::polarizer::Polarizer;
use super::run_list::RunList;
use super::stand::Stand;
use super::suitability::Suitability;
use super::sweep::{SweepView, VaryDraft};
use super::theme::{Look, Vision};
use crate::experiment::{Code, Experiment, Method, Problem, Result, spec};
use crate::run::PoisonPlan;
use crate::run::bin::Binned;
use crate::run::event::{Answer, Finding, Preview, Question, Report, Rgba};
use crate::run::handle::Engine;
use crate::run::index::RunRow;
use std::path::PathBuf;
use std::sync::Arc;

/// Pictures in the Lab's preview strip.
pub const PREVIEW_PICTURES: usize = 6;
/// A slider that moves asks for a preview this long after it rests, in seconds.
pub(super) const PREVIEW_DELAY: f64 = 0.2;

/// An experiment that can be loaded with one click.
#[derive(Debug, Clone)]
pub struct Preset {
    pub title: String,
    pub text: String,
}

/// What a helper thread brings back.
pub enum Fetched {
    Chosen(Option<PathBuf>),
    /// Which listing it is, the runs, and how many lie in the bin.
    Runs(u64, Result<(Vec<RunRow>, usize)>),
    Run(Box<Result<JobView>>),
    Study(Box<Study>),
    RunEdited(Result<()>),
    Binned(Result<Binned>),
    BroughtBack(Binned, Result<()>),
    BinEmptied(Result<usize>),
    /// Which run shall go on elsewhere, and where; nothing was chosen.
    Elsewhere(PathBuf, Option<PathBuf>),
    /// Where the run lay, and where it lies now.
    Relocated(PathBuf, Result<PathBuf>),
    Thumbnail(PathBuf, Result<Rgba>),
    Compared(PathBuf, Box<Result<JobView>>),
    Export(ExportFetched),
    SweepRun(PathBuf, Box<Result<JobView>>),
    /// Runs that were recorded elsewhere.
    Recorded(Vec<(PathBuf, JobView)>),
    HandIns(Vec<Result<HandIn>>),
}

/// The Lab's pictures.
#[derive(Debug, Default)]
pub struct PreviewState {
    pub preview: Option<Preview>,
    pub problem: Option<Problem>,
    /// First picture shown.
    pub row: usize,
    /// When to ask again, in window seconds.
    due: Option<f64>,
    /// What the newest question was about: draft revision and first row.
    asked: Option<(u64, usize)>,
}

/// The poison planner.
#[derive(Debug, Default)]
pub struct PlannerState {
    pub plan: Option<PoisonPlan>,
    pub problem: Option<Problem>,
    /// The draft's revision that the newest question was about.
    asked: Option<u64>,
}

impl PlannerState {
    /// What the run would be refused for at this place of the experiment, such as `poison.ratio`.
    pub fn problems_at<'a>(&'a self, place: &'a str) -> impl Iterator<Item = &'a Problem> {
        let problems = self.plan.iter().flat_map(|plan| &plan.problems);
        problems.filter(move |problem| problem.place.as_deref() == Some(place))
    }
}

/// Facts about this machine for Settings.
#[derive(Debug, Default, Clone)]
pub struct Machine {
    /// What draws the window.
    pub adapter: String,
    /// The adapter is a program, not a graphics card.
    pub software: bool,
    pub cores: usize,
}

pub struct State {
    pub methods: &'static [&'static Method],
    pub presets: Vec<Preset>,
    pub forms: Forms,
    pub config: Config,
    pub settings: Settings,
    /// Whose eyes the window is drawn for.
    pub vision: Vision,
    pub screen: Screen,
    pub draft: Draft,
    pub job: Option<JobView>,
    pub next_job: u64,
    pub desk: Desk,
    pub notices: Notices,
    pub demo: Stand,
    pub classroom: Classroom,
    pub preview: PreviewState,
    pub planner: PlannerState,
    pub suitability: Suitability,
    pub bench: Bench,
    pub polarizer: Polarizer,
    pub fairness: Fairness,
    pub audit: Audit,
    pub runs: RunList,
    /// The list that one value is being turned into.
    pub vary: Option<VaryDraft>,
    /// The sweep on Watch.
    pub sweep: Option<SweepView>,
    /// Runs that lie elsewhere and were opened here; they are listed with the others.
    pub guests: Vec<PathBuf>,
    /// This run is played as soon as it is read.
    pub(super) play_when_read: Option<PathBuf>,
    pub comparison: Comparison,
    pub model_differences: ModelDifferences,
    /// What is about to be saved, while its dialog is open.
    pub export: Option<ExportDialog>,
    /// The plot that is read as a table.
    pub reading: Option<Reading>,
    /// The poisoned set that is being written.
    pub poison_export: Option<PoisonJob>,
    /// Where the last export went.
    pub export_folder: Option<PathBuf>,
    pub reports: Vec<(PathBuf, Report)>,
    pub machine: Machine,
    /// What the engine found on this machine; nothing until Settings asked for it.
    pub findings: Option<Vec<Finding>>,
    pub archive: Arc<dyn Archive>,
    pub background: Background<Fetched>,
    pub show_shortcuts: bool,
    pub show_palette: bool,
    /// Settings before they were reset, as long as that can be undone.
    pub settings_before: Option<Settings>,
    /// Seconds of the window's clock at which leaving was asked for.
    pub leaving_since: Option<f64>,
    pub now: f64,
    /// What must still be written: settings and the draft revision last saved.
    pub(super) settings_dirty: bool,
    pub(super) draft_saved: u64,
    pub(super) system_is_dark: bool,
}

impl State {
    /// The look in force.
    pub fn look(&self) -> Look {
        match self.settings.look {
            LookChoice::System if self.system_is_dark => Look::Dark,
            LookChoice::System | LookChoice::Light => Look::Light,
            LookChoice::Dark => Look::Dark,
            LookChoice::Projector => Look::Projector,
            LookChoice::HighContrast => Look::HighContrast,
        }
    }

    /// Whether a command is on offer at all; what is not has no button, no key and no line in any list.
    pub fn offers(&self, command: UserCommand) -> bool {
        !self.classroom.hides(command)
    }

    /// The job that is being worked on.
    pub fn live_job(&self) -> Option<&JobView> {
        self.job.as_ref().filter(|job| job.is_live())
    }

    /// Where run folders are made; nothing where this user has no place and none was set.
    pub fn runs_folder(&self) -> Option<PathBuf> {
        self.settings.runs_folder.clone().or_else(|| self.archive.default_folder().ok())
    }

    /// The compared runs in words that tell them apart.
    pub fn compared_names(&self) -> Vec<String> {
        let name = |(title, told): (String, String)| if told.is_empty() { title } else { format!("{title} · {told}") };
        self.comparison.titles(&self.forms, self.methods).into_iter().map(name).collect()
    }

    /// Names of the classes of the draft's data, once a preview has told them.
    pub fn classes(&self) -> &[String] {
        let of_preview = self.preview.preview.as_ref().map(|preview| &preview.classes);
        let of_bench = self.bench.shown.as_ref().map(|shown| &shown.classes);
        // The screen in use knows the newest data.
        let classes = match self.screen {
            Screen::Triggers => of_bench.or(of_preview),
            _ => of_preview.or(of_bench),
        };
        classes.map(Vec::as_slice).unwrap_or_default()
    }

    pub fn method(&self, id: &str) -> Option<&'static Method> {
        self.methods.iter().copied().find(|method| method.id == id)
    }

    pub(super) fn read_runs(&mut self) {
        let archive = self.archive.clone();
        let Some(folder) = self.runs_folder() else {
            return;
        };
        self.runs.listing += 1;
        let listing = self.runs.listing;
        let guests = self.guests.clone();
        self.background.start("read runs", move || {
            let all = archive.list(&folder).map(|mut rows| {
                // A stick that was pulled out takes its runs along.
                rows.extend(guests.iter().filter_map(|guest| archive.row(guest).ok()));
                (rows, archive.in_bin(&folder))
            });
            Fetched::Runs(listing, all)
        });
    }

    /// Asks what is due: what Home lacks, this machine when Settings are looked at, the answers of runs that are compared, the
    /// Lab's pictures a moment after the draft rests, the trigger bench at once.
    pub(super) fn ask_what_is_due(&mut self, engine: &dyn Engine) -> Option<f64> {
        self.ask_about_demo(engine, self.screen == Screen::Home);
        match self.screen {
            Screen::Settings if self.findings.is_none() && !self.desk.is_waiting(&Purpose::Machine) => {
                let question = Question::Machine { runs: self.settings.runs_folder.clone() };
                self.desk.ask(engine, Purpose::Machine, question);
            }
            Screen::Compare => self.ask_about_comparison(engine),
            _ => {}
        }
        match self.screen {
            Screen::Polarizer => return self.ask_about_polarizer(engine),
            Screen::Fairness => return self.ask_about_fairness(engine),
            Screen::Audit => return self.ask_about_audit(engine),
            _ => {}
        }
        if self.draft.problem().is_some() {
            return None;
        }
        match self.screen {
            Screen::Lab => {
                let waits = [self.ask_about_defenses(engine), self.ask_preview(engine)];
                waits.into_iter().flatten().min_by(f64::total_cmp)
            }
            Screen::Triggers => self.tend_bench(engine),
            _ => None,
        }
    }

    fn ask_preview(&mut self, engine: &dyn Engine) -> Option<f64> {
        self.draft.experiment().attack.as_ref()?;
        let wanted = (self.draft.revision(), self.preview.row);
        if self.preview.asked == Some(wanted) && self.planner.asked == Some(wanted.0) {
            return None;
        }
        let first = self.preview.asked.is_none();
        let due = *self.preview.due.get_or_insert(if first { self.now } else { self.now + PREVIEW_DELAY });
        if self.now < due {
            return Some(due - self.now);
        }
        let spec = self.draft.text().to_owned();
        if self.planner.asked != Some(wanted.0)
            && self.desk.ask(engine, Purpose::Plan, Question::Plan { spec: spec.clone() })
        {
            self.planner.asked = Some(wanted.0);
        }
        let rows = (wanted.1..wanted.1 + PREVIEW_PICTURES).collect();
        let asked = self.preview.asked == Some(wanted)
            || self.desk.ask(engine, Purpose::Preview, Question::Preview { spec, rows });
        if asked {
            self.preview.asked = Some(wanted);
        }
        if asked && self.planner.asked == Some(wanted.0) {
            self.preview.due = None;
            None
        } else {
            // The engine's queue is full: try again soon.
            self.preview.due = Some(self.now + PREVIEW_DELAY);
            Some(PREVIEW_DELAY)
        }
    }

    /// The draft moved: whatever pause was running starts again.
    pub(super) fn draft_moved(&mut self) {
        self.preview.due = None;
    }

    /// A phase of a job has begun: a trigger that was missing may have been made in the one before.
    pub(super) fn look_for_trigger(&mut self) {
        self.bench.look_again();
        if self.preview.problem.as_ref().is_some_and(|problem| problem.code == Code::NotMadeYet) {
            self.preview.asked = None;
        }
    }

    pub(super) fn on_answer(&mut self, purpose: Purpose, answer: Result<Answer>) {
        match (purpose, answer) {
            (Purpose::Preview, Ok(Answer::Preview(preview))) => {
                self.preview.problem = None;
                self.preview.preview = Some(preview);
            }
            (Purpose::Preview, Err(problem)) => self.preview.problem = Some(problem),
            (Purpose::Plan, Ok(Answer::Plan(plan))) => {
                self.planner.problem = None;
                self.planner.plan = Some(*plan);
            }
            (Purpose::Plan, Err(problem)) => {
                self.planner.plan = None;
                self.planner.problem = Some(problem);
            }
            (Purpose::Defenses, Ok(Answer::Defenses(refusals))) => self.suitability.refusals = refusals,
            // The same problem stands where the pictures would be.
            (Purpose::Defenses, Err(_)) => self.suitability.refusals.clear(),
            (Purpose::Bench, Ok(Answer::Bench(shown))) => self.bench.show(*shown),
            (Purpose::Thumbnails, Ok(Answer::Thumbnails(thumbnails))) => self.bench.thumbnails = Some(thumbnails),
            (Purpose::Bench | Purpose::Thumbnails, Err(problem)) => self.bench.fail(problem),
            (purpose @ (Purpose::Predict(_) | Purpose::Photo(..) | Purpose::Heat(_)), answer) => {
                self.on_stand_answer(purpose, answer);
            }
            (Purpose::Compared(run), Ok(Answer::Predict(predictions))) => {
                self.comparison.on_predictions(&run, Ok(predictions));
            }
            (Purpose::Compared(run), Err(problem)) => self.comparison.on_predictions(&run, Err(problem)),
            (Purpose::Machine, Ok(Answer::Machine(findings))) => self.findings = Some(findings),
            (Purpose::Machine, Err(problem)) => {
                self.findings = Some(Vec::new());
                self.notices.problem(problem);
            }
            (Purpose::Inspect(path), Ok(Answer::Inspect(report))) => {
                self.reports.retain(|(known, _)| *known != path);
                self.reports.insert(0, (path, report));
            }
            (purpose @ (Purpose::Polarizer(_) | Purpose::Dial(..)), answer) => {
                self.on_polarizer_answer(purpose, answer)
            }
            (purpose @ (Purpose::Table(_) | Purpose::Fair(_) | Purpose::Model(_)), answer) => {
                self.on_fairness_answer(purpose, answer)
            }
            (Purpose::Audit(place), answer) => self.on_audit_answer(place, answer),
            (Purpose::Difference(before, after), answer) => self.model_differences.on_answer(before, after, answer),
            (_, Err(problem)) => self.notices.problem(problem),
            (purpose, Ok(_)) => {
                tracing::warn!("the engine answered something else than was asked: {purpose:?}");
            }
        }
    }
}

/// The most probable class.
pub fn top(probabilities: &[f32]) -> Option<usize> {
    let best = probabilities.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
    best.map(|(class, _)| class)
}

/// An experiment that the forms can show before any text was read.
pub fn plain_experiment() -> Experiment {
    let pick = |id: &str| spec::Pick { id: id.to_owned(), options: serde_json::Map::new() };
    Experiment {
        schema: spec::SCHEMA,
        name: String::new(),
        seed: 0,
        device: spec::DeviceChoice::Auto,
        threads: 0,
        data: spec::DataChoice { source: "fashion-mini".to_owned(), train_rows: 0, test_rows: 0, side: 0 },
        network: pick("small-resnet"),
        train: spec::Train::default(),
        attack: None,
        poison: spec::Poison::default(),
        selection: None,
        defense: Vec::new(),
        check: Vec::new(),
        defender: spec::Defender::default(),
    }
}
