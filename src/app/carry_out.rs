//! Carries out what was asked for: the only place where commands change the window's state or go to the engine.

use super::command::{Change, Screen, UserCommand};
use super::comparison::CompareChange;
use super::config::LookChoice;
use super::demo::is_picture;
use super::desk::Purpose;
use super::export::ExportChange;
use super::job::{JobState, JobView, Level};
use super::polarizer::STEPS;
use super::replay::ReplayChange;
use super::state::{Fetched, State};
use crate::experiment::{DeviceChoice, Experiment, Problem, Result, Spec, check};
use crate::run::event::{Command, JobId, Question, RunRequest, Scene, Stride};
use crate::run::folder::folder_name;
use crate::run::handle::Engine;
use crate::run::{Found, PoisonedSet, RunFolder};
use replay::can_replay;
use std::path::{Path, PathBuf};

mod classroom;
mod export;
mod replay;
mod room;
mod runs;
mod sweep;

/// The preset behind "Remove a backdoor yourself": the first one, made for small machines.
const QUICK_PRESET: usize = 0;
/// "Again with a new seed" looks this far for one that has not run.
const MOST_SEEDS: usize = 1000;

impl State {
    /// Whether a command can do something now; menus and buttons are dimmed when not.
    pub fn enabled(&self, command: UserCommand) -> bool {
        if !self.offers(command) {
            return false;
        }
        let live = self.live_job().map(|job| &job.state);
        let course = self.classroom.course.as_ref();
        match command {
            UserCommand::NextStep => course.is_some_and(|course| course.has_next() && course.may_look()),
            UserCommand::PreviousStep => course.is_some_and(|course| course.step > 0),
            UserCommand::CloseLesson => course.is_some(),
            UserCommand::Start if self.screen == Screen::Audit => live.is_none() && self.audit.lacks().is_none(),
            UserCommand::Start => live.is_none() && self.draft.problem().is_none(),
            UserCommand::RemoveBackdoor => live.is_none() && !self.presets.is_empty(),
            UserCommand::TogglePause => {
                matches!(live, Some(JobState::Running | JobState::Paused)) || self.replay().is_some()
            }
            UserCommand::Replay => {
                self.screen == Screen::Watch && self.replay().is_none() && self.job.as_ref().is_some_and(can_replay)
            }
            UserCommand::StepEpoch | UserCommand::StepBatch => live == Some(&JobState::Paused),
            UserCommand::StopAndKeep | UserCommand::Discard => {
                matches!(live, Some(JobState::Running | JobState::Paused | JobState::Queued))
            }
            UserCommand::NextPicture => match self.screen {
                Screen::Home | Screen::Audit => self.stand().is_some_and(|stand| stand.can_turn(1)),
                Screen::Lab => self.preview.preview.as_ref().is_some_and(|preview| self.preview.row + 1 < preview.rows),
                Screen::Triggers => self.bench.shown.as_ref().is_some_and(|shown| self.bench.row + 1 < shown.rows),
                Screen::Polarizer => self.polarizer.picture_at(1).is_some(),
                Screen::Compare => self.comparison.can_turn(1),
                Screen::Watch => self.replay().is_some(),
                _ => false,
            },
            UserCommand::PreviousPicture => match self.screen {
                Screen::Home | Screen::Audit => self.stand().is_some_and(|stand| stand.can_turn(-1)),
                Screen::Lab => self.preview.row > 0,
                Screen::Triggers => self.bench.row > 0,
                Screen::Polarizer => self.polarizer.picture_at(-1).is_some(),
                Screen::Compare => self.comparison.can_turn(-1),
                Screen::Watch => self.replay().is_some(),
                _ => false,
            },
            UserCommand::ToggleSticker | UserCommand::NextModel | UserCommand::ToggleLook => {
                !self.demo.predictions.is_empty()
            }
            UserCommand::TogglePolarizer => self.screen == Screen::Polarizer && self.polarizer.view.is_some(),
            UserCommand::MorePolarizer => self.enabled(UserCommand::TogglePolarizer) && self.polarizer.step < STEPS,
            UserCommand::LessPolarizer => self.enabled(UserCommand::TogglePolarizer) && self.polarizer.step > 0,
            UserCommand::AddToComparison | UserCommand::UseAsExperiment => self.run_at_hand().is_some(),
            UserCommand::MoveToBin => self.screen == Screen::Runs && self.runs.selected().is_some(),
            UserCommand::EmptyBin => self.runs.in_bin > 0,
            UserCommand::Undo => match self.screen {
                Screen::Runs => !self.runs.binned.is_empty(),
                Screen::Settings => self.settings_before.is_some(),
                Screen::Fairness | Screen::Audit => false,
                _ => self.draft.can_undo(),
            },
            UserCommand::Redo => match self.screen {
                Screen::Runs | Screen::Settings | Screen::Fairness | Screen::Audit => false,
                _ => self.draft.can_redo(),
            },
            UserCommand::Go(_)
            | UserCommand::LookThrough
            | UserCommand::FirstLesson
            | UserCommand::PrepareClass
            | UserCommand::SaveWork
            | UserCommand::OpenFile
            | UserCommand::OpenFolder
            | UserCommand::RefreshRuns
            | UserCommand::FindRun
            | UserCommand::Export
            | UserCommand::ShowTable
            | UserCommand::ToggleText
            | UserCommand::ToggleProjector
            | UserCommand::ResetSettings
            | UserCommand::TogglePalette
            | UserCommand::ToggleShortcuts => true,
        }
    }

    pub(super) fn carry_out(&mut self, command: UserCommand, engine: &dyn Engine) {
        if !self.enabled(command) {
            return;
        }
        match command {
            UserCommand::Go(screen) => {
                self.screen = screen;
                match screen {
                    Screen::Runs => self.read_runs(),
                    Screen::Compare => self.read_compared(),
                    _ => {}
                }
            }
            UserCommand::OpenFile => self.choose(false),
            UserCommand::OpenFolder => self.choose(true),
            UserCommand::RemoveBackdoor => {
                self.load_preset(QUICK_PRESET);
                self.start(engine);
            }
            UserCommand::LookThrough => self.look_through(Scene::Demo),
            UserCommand::FirstLesson => {
                self.take_lesson(0);
                self.screen = Screen::Home;
            }
            UserCommand::NextStep => self.go_to_step(|step| step + 1),
            UserCommand::PreviousStep => self.go_to_step(|step| step.saturating_sub(1)),
            UserCommand::CloseLesson => self.classroom.course = None,
            UserCommand::PrepareClass => self.prepare_class(),
            UserCommand::SaveWork => self.save_work(),
            UserCommand::ToggleSticker | UserCommand::NextModel | UserCommand::ToggleLook => {
                let stand = self.stand_or_home();
                match command {
                    UserCommand::ToggleSticker => stand.flip_sticker(),
                    UserCommand::NextModel => stand.next_model(),
                    _ => stand.look = !stand.look,
                }
            }
            UserCommand::Start if self.screen == Screen::Audit => self.start_audit(engine),
            UserCommand::Start => self.start(engine),
            UserCommand::TogglePolarizer => {
                self.polarizer.turn_to(if self.polarizer.step == STEPS { 0 } else { STEPS })
            }
            UserCommand::MorePolarizer => self.polarizer.turn_to(self.polarizer.step + 1),
            UserCommand::LessPolarizer => self.polarizer.turn_to(self.polarizer.step.saturating_sub(1)),
            UserCommand::TogglePause if self.replay().is_some() => self.change_replay(ReplayChange::Toggle),
            UserCommand::TogglePause => self.toggle_pause(engine),
            UserCommand::Replay => self.change_replay(ReplayChange::Begin),
            UserCommand::StepEpoch => self.step(Stride::Epoch, engine),
            UserCommand::StepBatch => self.step(Stride::Batch, engine),
            UserCommand::StopAndKeep => self.stop(true, engine),
            UserCommand::Discard => self.stop(false, engine),
            UserCommand::NextPicture if self.screen == Screen::Watch => self.turn_replay(1.0),
            UserCommand::PreviousPicture if self.screen == Screen::Watch => self.turn_replay(-1.0),
            UserCommand::NextPicture if self.screen == Screen::Compare => self.comparison.turn(1),
            UserCommand::PreviousPicture if self.screen == Screen::Compare => self.comparison.turn(-1),
            UserCommand::NextPicture if self.stand().is_some() => self.stand_or_home().turn(1),
            UserCommand::PreviousPicture if self.stand().is_some() => self.stand_or_home().turn(-1),
            UserCommand::NextPicture => *self.picture_index() += 1,
            UserCommand::PreviousPicture => *self.picture_index() -= 1,
            UserCommand::RefreshRuns => self.read_runs(),
            UserCommand::FindRun => self.screen = Screen::Runs,
            UserCommand::AddToComparison => {
                if let Some(run) = self.run_at_hand() {
                    self.change_comparison(CompareChange::Add(run));
                }
            }
            UserCommand::UseAsExperiment => {
                if let Some(run) = self.run_at_hand() {
                    self.use_as_experiment(&run);
                }
            }
            UserCommand::MoveToBin => {
                if let Some(run) = self.runs.selected.clone() {
                    self.move_to_bin(run);
                }
            }
            UserCommand::EmptyBin => {
                self.screen = Screen::Runs;
                self.runs.confirm_empty = true;
            }
            UserCommand::Export => self.change_export(ExportChange::Open(None), engine),
            UserCommand::ShowTable => self.read_plot(None),
            UserCommand::Undo if self.screen == Screen::Runs => self.bring_back(),
            UserCommand::Undo if self.screen == Screen::Settings => self.undo_reset(),
            UserCommand::Undo => self.draft.undo(),
            UserCommand::Redo => self.draft.redo(),
            UserCommand::ToggleText => {
                self.settings.show_text = !self.settings.show_text;
                self.settings_dirty = true;
            }
            UserCommand::ToggleProjector => {
                self.settings.look = match self.settings.look {
                    LookChoice::Projector => LookChoice::System,
                    _ => LookChoice::Projector,
                };
                self.settings_dirty = true;
            }
            UserCommand::ResetSettings => self.reset_settings(),
            UserCommand::TogglePalette => self.show_palette = !self.show_palette,
            UserCommand::ToggleShortcuts => self.show_shortcuts = !self.show_shortcuts,
        }
    }

    /// Which picture the screen shows.
    fn picture_index(&mut self) -> &mut usize {
        match self.screen {
            Screen::Triggers => &mut self.bench.row,
            Screen::Polarizer => self.polarizer.choose(),
            _ => &mut self.preview.row,
        }
    }

    pub(super) fn make_change(&mut self, change: Change, engine: &dyn Engine) {
        match change {
            Change::Experiment(experiment) => {
                self.draft.set_experiment(&experiment);
                self.draft_moved();
            }
            Change::Text(text) => {
                self.draft.set_text(text);
                self.draft_moved();
            }
            Change::RevertText => self.draft.revert(),
            Change::Preset(index) => self.load_preset(index),
            Change::Open(path) => self.open(&path, engine),
            Change::OpenRun(folder) => self.open_run(folder),
            Change::LookThrough(scene) => self.look_through(scene),
            Change::Dial(step) => self.polarizer.turn_to(step),
            Change::ContinueRun(folder) => self.continue_run(&folder, engine),
            Change::RunAgain(folder) => self.run_again(&folder, engine),
            Change::RevealFolder(folder) => self.reveal(&folder),
            Change::UseAsData(path) => self.use_as_data(&path),
            Change::DismissProblem(index) => self.notices.dismiss(index),
            Change::DismissReport(index) => {
                if index < self.reports.len() {
                    self.reports.remove(index);
                }
            }
            Change::PreviewRow(row) => self.preview.row = row,
            Change::BenchRow(row) => self.bench.row = row,
            Change::BenchStrength(strength) => self.bench.strength = strength,
            Change::BenchStrike(strike) => self.bench.strike = strike,
            Change::SortRuns(column) => {
                if let Some(column) = super::run_list::RunColumn::ALL.get(column) {
                    self.runs.sort_by(*column);
                }
            }
            Change::Demo(change) => self.demo.change(change),
            Change::Replay(change) => self.change_replay(change),
            Change::Vary(change) => self.change_sweep(change, engine),
            Change::Lesson(change) => self.change_lessons(change, engine),
            Change::Runs(change) => self.change_runs(change, engine),
            Change::Compare(change) => self.change_comparison(change),
            Change::Fair(change) => self.change_fairness(change),
            Change::Audit(change) => self.change_audit(change),
            Change::Export(change) => self.change_export(change, engine),
            Change::Read(Some(title)) => self.read_plot(Some(&title)),
            Change::Read(None) => self.reading = None,
            Change::LookAround => self.findings = None,
            Change::See(vision) => self.vision = vision,
            Change::Settings(settings) => {
                // Whoever goes on changing settings has accepted the reset.
                self.settings_before = None;
                self.set_settings(*settings);
            }
            Change::Copy(_) | Change::CloseNow => {}
        }
    }

    fn load_preset(&mut self, index: usize) {
        if let Some(preset) = self.presets.get(index) {
            self.draft.set_text(preset.text.clone());
            self.draft_moved();
        }
    }

    fn start(&mut self, engine: &dyn Engine) {
        if self.draft.problem().is_some() {
            self.screen = Screen::Lab;
            return;
        }
        let experiment = self.to_run(self.draft.experiment());
        // What a person has written is kept as it was written.
        let text = (experiment == *self.draft.experiment()).then(|| self.draft.text().to_owned());
        self.begin(&experiment, text, engine);
    }

    /// Runs the audit that is chosen, or shows what it found before.
    fn start_audit(&mut self, engine: &dyn Engine) {
        let experiment = self.to_run(&self.audit.experiment);
        self.begin(&experiment, None, engine);
    }

    /// Runs an experiment, goes on with it, or opens what it came to before; `text` is how it is written, if not plainly.
    fn begin(&mut self, experiment: &Experiment, text: Option<String>, engine: &dyn Engine) {
        let begun = self
            .place_of(experiment)
            .and_then(|(folder, found)| Ok((text.map_or_else(|| check::to_toml(experiment), Ok)?, folder, found)));
        let title = title_of(experiment);
        match begun {
            Ok((_, Some(folder), Found::Finished)) => {
                self.open_run(folder);
                self.notices.info("This experiment has run before; these are its results.", self.now);
            }
            Ok((spec, folder, found)) => {
                let resume = found == Found::Begun;
                if resume {
                    self.notices.info("Goes on where this experiment was stopped.", self.now);
                }
                self.send_start(RunRequest { spec, folder, resume }, title, engine);
            }
            Err(problem) => self.notices.problem(problem),
        }
    }

    /// An experiment with the settings' device and threads where it leaves them open.
    fn to_run(&self, experiment: &Experiment) -> Experiment {
        let mut experiment = experiment.clone();
        if experiment.device == DeviceChoice::Auto {
            experiment.device = self.settings.device;
        }
        if experiment.threads == 0 {
            experiment.threads = self.settings.threads;
        }
        experiment
    }

    /// Its run folder and what is there already: the same experiment finds its own folder again.
    fn place_of(&self, experiment: &Experiment) -> Result<(Option<PathBuf>, Found)> {
        let Some(runs) = self.runs_folder() else {
            return Ok((None, Found::Fresh));
        };
        let resolved = check::resolve(experiment, self.methods);
        let folder = runs.join(folder_name(&resolved));
        let found = self.archive.look(&folder, &check::to_toml(&resolved)?)?;
        Ok((Some(folder), found))
    }

    /// The experiment of a run once more, with the next seed that has not run yet.
    fn run_again(&mut self, folder: &Path, engine: &dyn Engine) {
        let file = folder.join("spec.toml");
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) => return self.notices.problem(Problem::io("read the experiment of this run", &file, &error)),
        };
        self.draft.set_text(text);
        self.draft_moved();
        let mut experiment = self.draft.experiment().clone();
        for _ in 0..MOST_SEEDS {
            experiment.seed = experiment.seed.wrapping_add(1);
            match self.place_of(&experiment) {
                Ok((_, Found::Finished)) => {}
                Ok(_) => break,
                Err(problem) => return self.notices.problem(problem),
            }
        }
        self.draft.set_experiment(&experiment);
        self.start(engine);
    }

    fn send_start(&mut self, request: RunRequest, title: String, engine: &dyn Engine) {
        match self.launch(request, title, engine) {
            Ok(_) => {
                let is_audit = self.job.as_ref().is_some_and(JobView::is_audit);
                self.screen = if is_audit { Screen::Audit } else { Screen::Watch };
                self.audit.choosing &= !is_audit;
            }
            Err(problem) => self.notices.problem(problem),
        }
    }

    /// Sends a run to the engine; it is the window's job from then on.
    fn launch(&mut self, request: RunRequest, title: String, engine: &dyn Engine) -> Result<JobId> {
        let id = JobId(self.next_job);
        let resumed = request.resume;
        let experiment = check::parse(&request.spec, self.methods).ok();
        let experiment = experiment.map(|experiment| Box::new(check::resolve(&experiment, self.methods)));
        engine.send(Command::Start { job: id, request: Box::new(request) })?;
        self.next_job += 1;
        self.job = Some(JobView { resumed, experiment, ..JobView::new(Some(id), title) });
        Ok(id)
    }

    fn toggle_pause(&mut self, engine: &dyn Engine) {
        let Some((id, state)) = self.job.as_ref().and_then(|job| Some((job.id?, job.state.clone()))) else {
            return;
        };
        let command = if state == JobState::Paused { Command::Resume(id) } else { Command::Pause(id) };
        if let Err(problem) = engine.send(command) {
            self.notices.problem(problem);
        }
    }

    fn step(&mut self, stride: Stride, engine: &dyn Engine) {
        if let Some(id) = self.live_job().and_then(|job| job.id)
            && let Err(problem) = engine.send(Command::Step(id, stride))
        {
            self.notices.problem(problem);
        }
    }

    pub(super) fn stop(&mut self, keep: bool, engine: &dyn Engine) {
        let Some(job) = self.job.as_mut().filter(|job| job.is_live()) else {
            return;
        };
        let Some(id) = job.id else {
            return;
        };
        match engine.send(Command::Stop { job: id, keep }) {
            Ok(()) => {
                job.state = JobState::Stopping { keep };
                job.note(Level::Step, if keep { "Asked to stop and keep." } else { "Asked to discard." });
            }
            Err(problem) => self.notices.problem(problem),
        }
    }

    fn choose(&self, folder: bool) {
        self.background.start("file dialog", move || {
            let dialog = rfd::FileDialog::new().set_title("Open in Polariscope");
            Fetched::Chosen(if folder { dialog.pick_folder() } else { dialog.pick_file() })
        });
    }

    /// An experiment goes to the Lab, a run to Watch, a table to Fairness, a picture to Home's models, a lesson beside the
    /// program; anything else is looked into by the engine.
    fn open(&mut self, path: &Path, engine: &dyn Engine) {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if path.is_dir() && self.archive.is_run(path) {
            self.open_recorded(path);
        } else if let Some(runs) = self.runs_within(path) {
            self.open_recorded_sweep(runs);
        } else if self.open_class_file(path, engine) {
            tracing::debug!("a file of the classroom: {}", path.display());
        } else if PoisonedSet::lies_at(path) {
            self.open_poisoned_set(path);
        } else if is_picture(extension) && self.stand().is_some() {
            self.show_photo(path);
        } else if self.screen == Screen::Audit && !extension.eq_ignore_ascii_case("toml") {
            self.drop_on_audit(path.display().to_string());
        } else if extension.eq_ignore_ascii_case("toml") {
            match std::fs::read_to_string(path) {
                Ok(text) => match Spec::read(&text) {
                    Ok(Spec::Fair(experiment)) => self.open_fair(*experiment),
                    _ if self.open_sweep(&text, path) => {}
                    _ => {
                        self.draft.set_text(text);
                        self.draft_moved();
                        self.screen = Screen::Lab;
                    }
                },
                Err(error) => self.notices.problem(Problem::io("read this experiment", path, &error)),
            }
        } else if is_table(extension) || (self.screen == Screen::Fairness && extension.eq_ignore_ascii_case("parquet"))
        {
            self.open_table(path);
        } else if is_picture(extension) {
            self.show_photo(path);
        } else {
            let purpose = Purpose::Inspect(path.to_owned());
            if self.desk.ask(engine, purpose, Question::Inspect { path: path.to_owned() }) {
                self.screen = Screen::Home;
            } else {
                let problem = Problem::internal("The engine cannot look into this file now.").at(path.display());
                self.notices.problem(problem.remedy("Try again in a moment."));
            }
        }
    }

    /// The experiment that trains on an exported poisoned set.
    fn open_poisoned_set(&mut self, folder: &Path) {
        let again = PoisonedSet::read(folder).and_then(|set| check::to_toml(&set.retrain(folder)?));
        match again {
            Ok(text) => {
                self.draft.set_text(text);
                self.draft_moved();
                self.screen = Screen::Lab;
                self.notices.info("A poisoned set. Start trains on it as its own run did.", self.now);
            }
            Err(problem) => self.notices.problem(problem),
        }
    }

    fn open_run(&mut self, folder: PathBuf) {
        if let Ok(Spec::Fair(experiment)) = RunFolder::open(&folder).and_then(|run| run.read_spec()) {
            return self.open_fair(*experiment);
        }
        if self.live_job().is_some_and(|job| job.folder.as_deref() != Some(&folder)) {
            self.notices.info("A training runs; look at other runs when it has ended.", self.now);
            return;
        }
        self.screen = Screen::Watch;
        if self.live_job().is_none() {
            let archive = self.archive.clone();
            self.background.start("read run", move || Fetched::Run(Box::new(archive.load(&folder))));
        }
    }

    fn continue_run(&mut self, folder: &Path, engine: &dyn Engine) {
        if self.live_job().is_some() {
            self.notices.info("A training runs; continue this one when it has ended.", self.now);
            return;
        }
        let file = folder.join("spec.toml");
        match std::fs::read_to_string(&file) {
            Ok(spec) => {
                let title = toml::from_str(&spec).map(|experiment| title_of(&experiment)).unwrap_or_default();
                self.send_start(RunRequest { spec, folder: Some(folder.to_owned()), resume: true }, title, engine);
            }
            Err(error) => self.notices.problem(Problem::io("read the experiment of this run", &file, &error)),
        }
    }

    fn use_as_data(&mut self, path: &Path) {
        let mut experiment = self.draft.experiment().clone();
        experiment.data.source = path.display().to_string();
        self.draft.set_experiment(&experiment);
        self.draft_moved();
        self.screen = Screen::Lab;
    }

    fn reveal(&mut self, folder: &Path) {
        let opener = if cfg!(target_os = "macos") {
            "open"
        } else if cfg!(windows) {
            "explorer"
        } else {
            "xdg-open"
        };
        let started = std::process::Command::new(opener)
            .arg(folder)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn();
        match started {
            // The file manager outlives this call; a helper thread collects its exit.
            Ok(mut child) => {
                let wait = std::thread::Builder::new().name("file manager".to_owned()).spawn(move || child.wait());
                if let Err(error) = wait {
                    tracing::debug!("cannot wait for the file manager: {error}");
                }
            }
            Err(error) => self.notices.problem(
                Problem::new(crate::experiment::Code::Internal, "No file manager could be opened.")
                    .at(folder.display())
                    .because(error)
                    .remedy("Copy the path above and open the folder by hand."),
            ),
        }
    }

    pub(super) fn on_fetched(&mut self, fetched: Fetched, engine: &dyn Engine) {
        match fetched {
            Fetched::Chosen(Some(path)) => self.open(&path, engine),
            // Nothing chosen, or no dialog service on this desktop: typed paths and dropping files always work.
            Fetched::Chosen(None) => {
                self.notices
                    .info("Nothing was chosen. You can also drop a file here or type its path on Home.", self.now);
            }
            Fetched::Study(study) => self.bench.study(*study),
            Fetched::Runs(listing, found) => self.on_listing(listing, found),
            Fetched::RunEdited(done) => self.on_run_edited(done),
            Fetched::Binned(done) => self.on_binned(done),
            Fetched::BroughtBack(binned, done) => self.on_brought_back(binned, done),
            Fetched::BinEmptied(done) => self.on_bin_emptied(done),
            Fetched::Elsewhere(run, Some(into)) => self.go_on_in(run, into, engine),
            Fetched::Elsewhere(_, None) => {
                self.notices.info("Nothing was chosen. You can also type the folder's path.", self.now);
            }
            Fetched::Relocated(from, to) => self.on_relocated(&from, to, engine),
            Fetched::Thumbnail(file, picture) => self.on_thumbnail(file, picture),
            Fetched::Compared(folder, run) => self.comparison.on_read(&folder, *run),
            Fetched::Export(fetched) => self.on_export(fetched),
            Fetched::SweepRun(folder, run) => self.on_sweep_run(&folder, *run),
            Fetched::Recorded(runs) => self.on_recorded(runs),
            Fetched::HandIns(works) => self.on_hand_ins(works),
            Fetched::Run(run) => match *run {
                Ok(_) if self.live_job().is_some() => {}
                Ok(job) => self.take_run(job),
                Err(problem) => self.notices.problem(problem),
            },
        }
    }
}

/// Tables in text; Parquet holds pictures as often as tables.
pub(super) fn is_table(extension: &str) -> bool {
    ["csv", "tsv"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// A name for an experiment that may have none.
pub fn title_of(experiment: &Experiment) -> String {
    if experiment.name.is_empty() { "Untitled experiment".to_owned() } else { experiment.name.clone() }
}
