//! The window itself: takes what has happened, lets the screens draw, carries out what was asked for.

use super::command::{Change, Requests, Screen, UserCommand};
use super::config::{Config, WindowMemory};
use super::displays::{self, Displays, Seen};
use super::fair::FairMemory;
use super::frame_clock::FrameClock;
use super::job::JobView;
use super::lessons::LessonMemory;
use super::stand::Stand;
use super::state::{Fetched, Machine, Preset, State};
use super::{archive, background, desk, draft, form, lessons, notices, screens, shell, theme};
use crate::experiment::Method;
use crate::run::event::{Event, JobEvent};
use crate::run::handle::{Engine, Shutdown};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Events taken per frame; more than a job sends in a frame, few enough to keep the frame short.
const EVENTS_PER_FRAME: usize = 256;
/// Closing waits this long, in seconds, for a job that was asked to stop; its last saved point is on disk in any case.
const LEAVE_PATIENCE: f64 = 2.0;
/// Together with the above well under five seconds, on a busy machine too.
const SHUTDOWN_PATIENCE: Duration = Duration::from_millis(1500);
/// Settings and draft are written this long, in seconds, after the last change.
const SAVE_DELAY: f64 = 0.5;

/// A replay is drawn anew this often.
const REPLAY_FRAME: Duration = Duration::from_millis(33);

const PROGRAM: &str = "Polariscope";

/// What a window is made of; tests and screenshots bring their own.
pub struct Parts {
    pub engine: Box<dyn Engine>,
    pub methods: &'static [&'static Method],
    /// The first one is behind "Remove a backdoor yourself".
    pub presets: Vec<Preset>,
    pub archive: Arc<dyn archive::Archive>,
    pub background: background::Background<Fetched>,
    pub config: Config,
    pub machine: Machine,
    /// Opened as soon as the window stands.
    pub open: Option<PathBuf>,
    /// What was opened is trained as soon as it is checked.
    pub train: bool,
    /// When the program started: the window's clock. Nothing lets egui's simulated time be the clock (tests).
    pub started: Option<Instant>,
}

pub struct App {
    engine: Box<dyn Engine>,
    state: State,
    requests: Requests,
    screens: screens::Screens,
    clock: FrameClock,
    /// Size and place of the window now, and the memory as it was last written.
    place: WindowMemory,
    displays: Displays,
    saved_window: WindowMemory,
    saved_fairness: FairMemory,
    saved_lessons: LessonMemory,
    save_at: Option<f64>,
    /// What stands above the window.
    title: String,
    close_now: bool,
    started: Option<Instant>,
}

impl App {
    pub fn new(ctx: &egui::Context, parts: Parts) -> Self {
        theme::install_fonts(ctx);
        let (settings, settings_problem) = parts.config.settings();
        let first = parts.presets.first().map(|preset| preset.text.clone()).unwrap_or_default();
        let text = parts.config.draft().unwrap_or(first);
        let window = parts.config.window();
        let draft = draft::Draft::new(text, super::state::plain_experiment(), parts.methods);
        let fairness = super::fair::Fairness::remembered(parts.config.fairness());
        let classroom = lessons::Classroom::remembered(&parts.config.lessons());
        let mut state = State {
            methods: parts.methods,
            presets: parts.presets,
            forms: form::Forms::new(parts.methods),
            config: parts.config,
            settings,
            vision: Default::default(),
            screen: window.screen,
            draft_saved: draft.revision(),
            draft,
            job: None,
            next_job: 1,
            desk: desk::Desk::default(),
            notices: notices::Notices::default(),
            demo: Stand::demo(),
            classroom,
            preview: Default::default(),
            planner: Default::default(),
            suitability: Default::default(),
            bench: Default::default(),
            polarizer: Default::default(),
            fairness,
            audit: super::audit::Audit::new(parts.methods),
            runs: Default::default(),
            vary: None,
            sweep: None,
            guests: window.guests.clone(),
            play_when_read: None,
            comparison: Default::default(),
            model_differences: Default::default(),
            export: None,
            reading: None,
            poison_export: None,
            export_folder: window.export_folder.clone(),
            reports: Vec::new(),
            machine: parts.machine,
            findings: None,
            archive: parts.archive,
            background: parts.background,
            show_shortcuts: false,
            show_palette: false,
            settings_before: None,
            leaving_since: None,
            now: 0.0,
            settings_dirty: false,
            system_is_dark: ctx.system_theme() == Some(egui::Theme::Dark),
        };
        if let Some(problem) = settings_problem {
            state.notices.warning(problem);
        }
        ctx.set_zoom_factor(state.settings.text_size.clamp(0.5, 3.0));
        theme::apply(ctx, state.look());
        state.read_runs();
        if let Some(sweep) = state.config.sweep() {
            state.bring_sweep_back(&sweep);
        }
        let requests = Requests::default();
        let saved_fairness = state.fairness.memory();
        let saved_lessons = state.classroom.memory();
        for run in window.compared.iter().filter(|run| run.is_dir()) {
            state.change_comparison(super::comparison::CompareChange::Add(run.clone()));
        }
        if let Some(run) =
            window.run.clone().filter(|run| matches!(window.screen, Screen::Watch | Screen::Audit) && run.is_dir())
        {
            requests.change(Change::OpenRun(run));
        }
        if let Some(path) = parts.open {
            requests.change(Change::Open(path));
            if parts.train {
                requests.command(UserCommand::Start);
            }
        }
        Self {
            engine: parts.engine,
            state,
            requests,
            screens: screens::Screens::default(),
            clock: FrameClock::default(),
            saved_window: window.clone(),
            saved_fairness,
            saved_lessons,
            displays: Displays::remembered(window.zooms.clone()),
            place: window,
            save_at: None,
            title: String::new(),
            close_now: false,
            started: parts.started,
        }
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// What stands above the window.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Work of this thread per frame.
    pub fn clock(&self) -> &FrameClock {
        &self.clock
    }

    /// Asks for something as a button would; scripts and tests use it.
    pub fn requests(&self) -> &Requests {
        &self.requests
    }

    fn take_events(&mut self, ctx: &egui::Context) {
        let events = self.engine.drain(EVENTS_PER_FRAME);
        if events.len() == EVENTS_PER_FRAME {
            ctx.request_repaint();
        }
        for event in events {
            match event {
                Event::Job(id, event) if self.state.is_poison_export(id) => self.state.on_poison_event(event),
                Event::Job(id, event) => {
                    if let Some(job) = self.state.job.as_mut().filter(|job| job.id == Some(id)) {
                        if let JobEvent::Started { folder, .. } = &event
                            && job.resumed
                        {
                            // The curves of a continued run join what was drawn before it was interrupted.
                            let points = self.state.archive.points(folder).unwrap_or_default();
                            points.iter().for_each(|point| job.curves.push(point));
                        }
                        let finished = matches!(event, JobEvent::Finished(_));
                        let phase = matches!(event, JobEvent::Phase { .. });
                        job.on_event(event);
                        if finished {
                            // The last cells are read once more: the final pictures must not be missed.
                            job.pictures = self.engine.pictures(id);
                            self.finish_job();
                        }
                        if phase {
                            self.state.look_for_trigger();
                        }
                    }
                }
                Event::Answer(id, answer) => {
                    if let Some(purpose) = self.state.desk.take(id) {
                        self.state.on_answer(purpose, answer);
                    }
                }
                Event::Broken(problem) => self.state.notices.problem(problem),
            }
        }
        self.state.tend_poison_export(self.engine.as_ref());
        if let Some(job) = self.state.job.as_mut().filter(|job| job.is_live())
            && let Some(id) = job.id
        {
            job.progress = self.engine.progress(id).or(job.progress.take());
            let pictures = self.engine.pictures(id);
            if !pictures.is_empty() {
                job.pictures = pictures;
            }
        }
    }

    /// Reads the finished run's table and refreshes the list.
    fn finish_job(&mut self) {
        let state = &mut self.state;
        let Some(job) = &mut state.job else {
            return;
        };
        if let Some(folder) = &job.folder {
            match state.archive.results(folder) {
                Ok(results) => job.adopt(results),
                Err(problem) => tracing::debug!("no table for this run: {problem}"),
            }
        }
        state.read_runs();
    }

    fn carry_out_requests(&mut self, ctx: &egui::Context) {
        let (changes, commands) = self.requests.take();
        if changes.is_empty() && commands.is_empty() {
            return;
        }
        for change in changes {
            match change {
                Change::Copy(text) => {
                    ctx.copy_text(text);
                    self.state.notices.info("Copied.", self.state.now);
                }
                Change::CloseNow => {
                    self.close_now = true;
                    ctx.send_viewport_cmd(egui::ViewportCommand::Close);
                }
                change => self.state.make_change(change, self.engine.as_ref()),
            }
        }
        for command in commands {
            self.state.carry_out(command, self.engine.as_ref());
            if command == UserCommand::FindRun {
                ctx.memory_mut(|memory| memory.request_focus(screens::run_filter_id()));
            }
        }
        theme::apply(ctx, self.state.look());
        theme::see_with(ctx, self.state.vision);
        ctx.set_zoom_factor(self.state.settings.text_size.clamp(0.5, 3.0));
        // What changed is drawn at once, not with the next mouse move.
        ctx.request_repaint();
    }

    /// Closing while a job runs: ask it to stop and keep, say so, leave when it has ended or does not answer in time.
    fn tend_closing(&mut self, ctx: &egui::Context) {
        let live = self.state.live_job().is_some();
        let asked = ctx.input(|input| input.viewport().close_requested());
        if let Some(since) = self.state.leaving_since {
            if !live || self.state.now - since > LEAVE_PATIENCE {
                if !self.close_now {
                    tracing::info!("closing: the job {}", if live { "does not answer" } else { "has ended" });
                }
                self.close_now = true;
                ctx.send_viewport_cmd(egui::ViewportCommand::Close);
            } else {
                ctx.request_repaint_after(Duration::from_millis(100));
            }
        }
        if asked && live && !self.close_now {
            ctx.send_viewport_cmd(egui::ViewportCommand::CancelClose);
            if self.state.leaving_since.is_none() {
                self.state.leaving_since = Some(self.state.now);
                tracing::info!("closing: asked the job to stop");
                self.state.stop(true, self.engine.as_ref());
                ctx.request_repaint_after(Duration::from_millis(100));
            }
        }
    }

    /// Above the window stands what the run on Watch has come to, or what is being trained.
    fn tend_title(&mut self, ctx: &egui::Context) {
        let told =
            self.state.job.as_ref().map(JobView::shown).map(|job| job.headline().unwrap_or_else(|| job.title.clone()));
        let title = told.map_or_else(|| PROGRAM.to_owned(), |told| format!("{told} · {PROGRAM}"));
        if title != self.title {
            ctx.send_viewport_cmd(egui::ViewportCommand::Title(title.clone()));
            self.title = title;
        }
    }

    fn tend_saving(&mut self, ctx: &egui::Context) {
        let dirty = self.state.settings_dirty
            || self.state.draft.revision() != self.state.draft_saved
            || self.state.fairness.memory() != self.saved_fairness
            || self.state.classroom.memory() != self.saved_lessons
            || self.window_memory() != self.saved_window;
        if !dirty {
            self.save_at = None;
            return;
        }
        let at = *self.save_at.get_or_insert(self.state.now + SAVE_DELAY);
        if self.state.now < at {
            ctx.request_repaint_after(Duration::from_secs_f64(at - self.state.now));
        } else {
            self.save();
        }
    }

    /// What would be remembered if the program ended now.
    fn window_memory(&self) -> WindowMemory {
        let state = &self.state;
        let finished = state.job.as_ref().filter(|job| !job.is_live());
        let mut compared: Vec<_> = state.comparison.columns().iter().map(|column| column.run.clone()).collect();
        compared.dedup();
        WindowMemory {
            screen: state.screen,
            run: finished.and_then(|job| job.folder.clone()),
            compared,
            guests: state.guests.clone(),
            export_folder: state.export_folder.clone(),
            zooms: self.displays.zooms().clone(),
            ..self.place.clone()
        }
    }

    /// Notes where the window stands; a maximised one keeps the size it will have afterwards.
    fn tend_place(&mut self, ctx: &egui::Context) {
        // Egui tells points of its own zoom; the window system knows none.
        let zoom = ctx.zoom_factor();
        ctx.input(|input| {
            let viewport = input.viewport();
            self.place.maximized = viewport.maximized.unwrap_or(false);
            if self.place.maximized || viewport.fullscreen == Some(true) || viewport.minimized == Some(true) {
                return;
            }
            if let Some(inner) = viewport.inner_rect {
                self.place.size = Some([inner.width() * zoom, inner.height() * zoom]);
            }
            if let Some(outer) = viewport.outer_rect {
                self.place.position = Some([outer.left() * zoom, outer.top() * zoom]);
            }
        });
    }

    /// Every display has its own zoom.
    fn tend_zoom(&mut self, ctx: &egui::Context) {
        let display = ctx.input(|input| displays::name_of(input.viewport(), input.pixels_per_point));
        match self.displays.look(display, ctx.zoom_factor()) {
            Seen::Known => {}
            Seen::Perhaps => ctx.request_repaint(),
            // The settings follow with the next frame, as after a change by keys.
            Seen::Zoom(zoom) => ctx.set_zoom_factor(zoom.clamp(0.5, 3.0)),
        }
    }

    fn save(&mut self) {
        let memory = self.window_memory();
        let state = &mut self.state;
        self.save_at = None;
        if memory != self.saved_window {
            if let Err(problem) = state.config.save_window(&memory) {
                state.notices.warning(problem);
            }
            self.saved_window = memory;
        }
        let fairness = state.fairness.memory();
        if fairness != self.saved_fairness {
            if let Err(problem) = state.config.save_fairness(&fairness) {
                state.notices.warning(problem);
            }
            self.saved_fairness = fairness;
        }
        let lessons = state.classroom.memory();
        if lessons != self.saved_lessons {
            if let Err(problem) = state.config.save_lessons(&lessons) {
                state.notices.warning(problem);
            }
            self.saved_lessons = lessons;
        }
        if std::mem::take(&mut state.settings_dirty)
            && let Err(problem) = state.config.save_settings(&state.settings)
        {
            state.notices.warning(problem);
        }
        if state.draft.revision() != state.draft_saved {
            state.draft_saved = state.draft.revision();
            if let Err(problem) = state.config.save_draft(state.draft.text()) {
                state.notices.warning(problem);
            }
        }
    }

    /// Files that were dropped on the window, and the keys of commands.
    fn take_input(&self, ctx: &egui::Context) {
        for file in ctx.input(|input| input.raw.dropped_files.clone()) {
            self.requests.change(Change::Open(file.path().to_owned()));
        }
        if self.state.leaving_since.is_some() {
            return;
        }
        let focused = ctx.memory(|memory| memory.focused().is_some());
        let writing = ctx.text_edit_focused();
        let dialog = self.state.show_palette
            || self.state.export.is_some()
            || self.state.reading.is_some()
            || self.state.vary.is_some();
        // Egui takes Ctrl+Shift+Z for Ctrl+Z as well: the keys with more fingers are asked for first.
        let mut commands = UserCommand::ALL;
        commands.sort_by_key(|command| !command.shortcut().is_some_and(|keys| keys.modifiers.shift));
        for command in commands {
            let belongs_here = match command {
                UserCommand::TogglePalette => true,
                _ if dialog || !self.state.offers(command) => false,
                UserCommand::NextStep | UserCommand::PreviousStep => self.state.classroom.course.is_some(),
                UserCommand::TogglePause => matches!(self.state.screen, Screen::Watch | Screen::Audit),
                UserCommand::StepEpoch => self.state.screen == Screen::Watch,
                UserCommand::TogglePolarizer | UserCommand::MorePolarizer | UserCommand::LessPolarizer => {
                    self.state.screen == Screen::Polarizer
                }
                UserCommand::MoveToBin => self.state.screen == Screen::Runs,
                UserCommand::ToggleSticker | UserCommand::NextModel | UserCommand::ToggleLook => {
                    self.state.screen == Screen::Home
                }
                _ => true,
            };
            let yields = if command.yields_to_writing() { writing } else { focused && command.yields_to_focus() };
            if let Some(shortcut) = command.shortcut()
                && belongs_here
                && !yields
                && ctx.input_mut(|input| input.consume_shortcut(&shortcut))
            {
                self.requests.command(command);
            }
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _: &mut eframe::Frame) {
        let start = Instant::now();
        // Egui's own time stands still while the window is covered or minimised; patience must not.
        self.state.now = match self.started {
            Some(started) => started.elapsed().as_secs_f64(),
            None => ctx.input(|input| input.time),
        };
        self.take_events(ctx);
        for fetched in self.state.background.take() {
            self.state.on_fetched(fetched, self.engine.as_ref());
        }
        self.carry_out_requests(ctx);
        if self.state.tend_lesson() {
            ctx.request_repaint();
        }
        self.state.draft.tend(self.state.now);
        self.state.tend_sweep(self.engine.as_ref());
        self.state.tend_reading();
        if self.state.tend_replay() {
            ctx.request_repaint_after(REPLAY_FRAME);
        }
        if let Some(wait) = self.state.ask_what_is_due(self.engine.as_ref()) {
            ctx.request_repaint_after(Duration::from_secs_f64(wait));
        }
        self.tend_place(ctx);
        self.tend_zoom(ctx);
        self.tend_saving(ctx);
        self.tend_title(ctx);
        self.tend_closing(ctx);
        self.clock.add(start);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
        let start = Instant::now();
        self.state.system_is_dark = ui.ctx().system_theme() == Some(egui::Theme::Dark);
        theme::apply(ui.ctx(), self.state.look());
        theme::see_with(ui.ctx(), self.state.vision);
        self.take_input(ui.ctx());
        let zoom = ui.ctx().zoom_factor();
        if (zoom - self.state.settings.text_size).abs() > 1e-3 {
            self.state.settings.text_size = zoom;
            self.state.settings_dirty = true;
        }
        shell::show(ui, &self.state, &self.clock, &mut self.screens, &self.requests);
        self.carry_out_requests(ui.ctx());
        self.clock.add(start);
        self.clock.end_frame();
        if let Some(started) = self.started.filter(|_| self.clock.frames() == 1) {
            tracing::info!("the first frame was drawn {} ms after the start", started.elapsed().as_millis());
        }
    }

    fn on_exit(&mut self) {
        self.save();
        let outcome = self.engine.shutdown(SHUTDOWN_PATIENCE);
        tracing::info!("closing: the engine's end was {outcome:?}; frames: {:?}", self.clock.figures());
        if outcome == Shutdown::Forced {
            crate::run::handle::leave(0);
        }
    }

    fn clear_color(&self, _: &egui::Visuals) -> [f32; 4] {
        theme::Tokens::of(self.state.look()).ground.to_normalized_gamma_f32()
    }
}
