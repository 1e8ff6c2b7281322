//! Draws every screen off-screen, without a display and without training: scripted numbers, real pictures.
//!
//! `cargo run --example screenshots -- [--out DIR] [--theme light|dark|projector|high-contrast] [--size 1280x800]`

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a tool for the terminal")]

#[path = "screenshots/classroom.rs"]
mod classroom;
#[path = "../tests/common/mod.rs"]
mod common;
#[path = "screenshots/manners.rs"]
mod manners;
#[path = "screenshots/audit.rs"]
mod scene_of_audit;

use common::{Script, Shelf};
use egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use polariscope::app::command::{Change, Screen, UserCommand};
use polariscope::app::comparison::CompareChange;
use polariscope::app::config::{LookChoice, Settings};
use polariscope::app::export::{ExportChange, POISONED_SET};
use polariscope::app::fair::FairChange;
use polariscope::app::replay::ReplayChange;
use polariscope::app::run_list::RunChange;
use polariscope::app::sweep::VaryChange;
use polariscope::app::theme::Vision;
use polariscope::app::{App, gpu};
use polariscope::engine::{self, Library};
use polariscope::experiment::{Code, Problem};
use polariscope::run::event::{Command, Ending, Event, JobEvent, Progress, Question};
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

struct Wish {
    out: PathBuf,
    look: LookChoice,
    size: (f32, f32),
    /// Only the scenes of this screen.
    only: Option<String>,
}

fn wish() -> Result<Wish, String> {
    let mut wish =
        Wish { out: "target/screenshots".into(), look: LookChoice::Light, size: (1280.0, 800.0), only: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(format!("{word} needs a value"))?;
        match word.as_str() {
            "--out" => wish.out = value.into(),
            "--theme" => {
                wish.look = match value.as_str() {
                    "light" => LookChoice::Light,
                    "dark" => LookChoice::Dark,
                    "projector" => LookChoice::Projector,
                    "high-contrast" => LookChoice::HighContrast,
                    other => {
                        return Err(format!("unknown theme {other}; known are light, dark, projector, high-contrast"));
                    }
                }
            }
            "--size" => {
                let (width, height) = value.split_once('x').ok_or("sizes look like 1280x800")?;
                let number = |text: &str| text.parse::<f32>().map_err(|error| format!("{text}: {error}"));
                wish.size = (number(width)?, number(height)?);
            }
            "--only" => wish.only = Some(value),
            other => return Err(format!("unknown option {other}")),
        }
    }
    Ok(wish)
}

/// One window with its script, shot as often as needed.
struct Studio<'a> {
    wish: &'a Wish,
    script: Script,
    harness: Harness<'a, App>,
}

impl<'a> Studio<'a> {
    fn new(wish: &'a Wish, full_shelf: bool) -> Self {
        let shelf = Shelf::default();
        if full_shelf {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let mut rows = common::runs(now.map(|time| time.as_secs()).unwrap_or_default());
            rows.push(common::fair_run());
            *shelf.rows.lock().expect("shelf") = rows;
            *shelf.results.lock().expect("shelf") = common::results();
        }
        Self::with(wish, shelf)
    }

    fn with(wish: &'a Wish, shelf: Shelf) -> Self {
        Self::on(wish, Arc::new(shelf))
    }

    /// A window whose shelf is looked after from outside.
    fn on(wish: &'a Wish, shelf: Arc<Shelf>) -> Self {
        let script = Script::answering();
        let parts = common::parts(&script, shelf);
        let harness =
            Harness::builder().with_size(wish.size).with_max_steps(30).with_render_cursor(false).wgpu().build_eframe(
                |cc| {
                    gpu::install(cc);
                    App::new(&cc.egui_ctx, parts)
                },
            );
        let mut studio = Self { wish, script, harness };
        let settings = Settings { look: wish.look, ..Settings::default() };
        studio.change(Change::Settings(Box::new(settings)));
        studio
    }

    /// Lets the real engine answer these questions: numbers worth looking at cannot be made up.
    fn answer_for_real(&self, which: impl Fn(&Question) -> bool + 'static) {
        let library = Rc::new(RefCell::new(Library::default()));
        let answering = move |question: &Question| match question {
            question if which(question) => engine::answer(question, &library),
            question => common::answer(question),
        };
        self.script.0.borrow_mut().answering = Some(Box::new(answering));
    }

    /// The demo's polarizer.
    fn real_polarizer(&self) {
        self.answer_for_real(|question| matches!(question, Question::Polarizer { .. } | Question::Dial { .. }));
    }

    /// The embedded tables and their fits.
    fn real_fairness(&self) {
        self.answer_for_real(|question| matches!(question, Question::Fair { .. } | Question::Table { .. }));
    }

    fn change(&mut self, change: Change) {
        self.harness.state().requests().change(change);
        self.harness.run_steps(4);
    }

    fn command(&mut self, command: UserCommand) {
        self.harness.state().requests().command(command);
        self.harness.run_steps(4);
    }

    /// Clicks on what has this name.
    fn press(&mut self, name: &str) {
        self.harness.get_by_label(name).click_accesskit();
        self.harness.run_steps(4);
    }

    /// Saves a view as people do, beside the pictures of the screens.
    fn export(&mut self, title: &str, name: &str) {
        let path = self.wish.out.join(format!("export-{name}.png")).display().to_string();
        self.change(Change::Export(ExportChange::Open(Some(title.to_owned()))));
        self.change(Change::Export(ExportChange::Path(path.clone())));
        self.change(Change::Export(ExportChange::Save));
        println!("{path}");
    }

    /// Scrolls what lies in the middle of the window, in points.
    fn scroll(&mut self, by: f32) {
        let middle = egui::pos2(self.wish.size.0 * 0.5, self.wish.size.1 * 0.6);
        self.harness.event(egui::Event::PointerMoved(middle));
        self.harness.event(egui::Event::MouseWheel {
            unit: egui::MouseWheelUnit::Point,
            delta: egui::vec2(0.0, -by),
            phase: egui::TouchPhase::Move,
            source: egui::MouseWheelSource::Wheel,
            modifiers: egui::Modifiers::NONE,
        });
        self.harness.run_steps(12);
    }

    fn shoot(&mut self, name: &str) {
        self.harness.run();
        let picture = self.harness.render().expect("rendered");
        let path = self.wish.out.join(format!("{name}.png"));
        picture.save(&path).expect("written");
        println!("{}", path.display());
    }
}

/// Chooses a tab of the trigger bench, where it has tabs.
fn tab(studio: &mut Studio<'_>, name: &str) -> bool {
    let found = studio.harness.query_by_label(&format!("Show: {name}")).map(|tab| tab.click()).is_some();
    studio.harness.run_steps(4);
    found
}

/// An attack whose trigger is made by a run, as it stands in the text.
const UNMADE: &str = "\"lf\"";

/// The trigger bench with the engine's own triggers on the embedded pictures.
fn triggers(studio: &mut Studio<'_>) {
    let library = Rc::new(RefCell::new(Library::default()));
    studio.script.0.borrow_mut().answering = Some(Box::new(move |question| match question {
        Question::Bench { .. } | Question::Thumbnails { .. } => engine::answer(question, &library),
        Question::Preview { spec, .. } if spec.contains(UNMADE) => engine::answer(question, &library),
        other => common::answer(other),
    }));
    let scenes = [
        ("badnets", "{ size = 5, color = \"#ff8000\" }", "Poisoned"),
        ("badnets", "{ size = 5, color = \"#ff8000\" }", "Side by side"),
        ("blended", "{ alpha_train = 0.3 }", "Residual"),
        ("blended", "{ alpha_train = 0.3 }", "Heat"),
        ("sig", "{}", "Spectrum"),
        ("sig", "{}", "Wipe"),
        ("bpp", "{}", "Residual"),
        ("wanet", "{ strength = 2.0 }", "Side by side"),
    ];
    for (attack, options, view) in scenes {
        let text = common::SPEC.replace("\"badnets\"", &format!("{attack:?}"));
        let text = text.replace("{ size = 3, shape = \"checkerboard\" }", options);
        studio.change(Change::Text(text));
        studio.change(Change::BenchRow(13));
        studio.command(UserCommand::Go(Screen::Triggers));
        tab(studio, "One picture");
        match studio.harness.query_by_label(&format!("View: {view}")) {
            Some(button) => button.click(),
            None => {
                studio.harness.get_by_label("View").click();
                studio.harness.run_steps(4);
                studio.harness.get_by_role_and_label(Role::Button, view).click();
            }
        }
        studio.harness.run_steps(6);
        let view = view.to_lowercase().replace(' ', "-");
        studio.shoot(&format!("triggers-{attack}-{view}"));
    }
    for (name, shot) in [("Trigger", "triggers-form"), ("Pictures", "triggers-pictures")] {
        if tab(studio, name) {
            studio.shoot(shot);
        }
    }
    tab(studio, "One picture");
    studio.harness.get_by_label("Play augmentation").click();
    studio.harness.run_steps(4);
    studio.shoot("triggers-augmentation");
    // On a small window it may have been scrolled away by its own words.
    if let Some(stop) = studio.harness.query_by_label("Stop playing") {
        stop.click();
    }
    studio.change(Change::Text(common::SPEC.split("[attack]").next().unwrap_or_default().to_owned()));
    studio.shoot("triggers-none");
    // These pictures are grey, and it says so.
    studio.change(Change::Text(
        common::SPEC.replace("badnets", "ctrl").replace("{ size = 3, shape = \"checkerboard\" }", "{}"),
    ));
    studio.shoot("triggers-refused");
    let unmade = common::SPEC.replace("\"badnets\"", UNMADE).replace("{ size = 3, shape = \"checkerboard\" }", "{}");
    studio.change(Change::Text(unmade));
    studio.shoot("triggers-unmade");
    studio.command(UserCommand::Go(Screen::Lab));
    studio.harness.run_steps(30);
    studio.shoot("lab-unmade");
    studio.change(Change::Text(common::SPEC.to_owned()));
    studio.command(UserCommand::Go(Screen::Lab));
}

/// A training that is held, a recorded run that is played, and what is read instead of seen.
fn watch(wish: &Wish) {
    let mut studio = Studio::new(wish, true);
    studio.command(UserCommand::Start);
    studio.script.start();
    studio.script.train(0.0, 0.4);
    studio.script.play(JobEvent::Paused);
    studio.harness.run_steps(4);
    studio.shoot("watch-paused");
    studio.script.train(0.4, 1.0);
    studio.harness.run_steps(4);
    studio.press("Show: Method");
    studio.shoot("watch-method");

    let mut studio = Studio::new(wish, true);
    let stick = tempfile::tempdir().expect("folder");
    let folder = stick.path().join("recorded-resnet-5c1d03aa");
    common::record(&folder, "ResNet, recorded in the lab");
    studio.change(Change::Open(folder));
    studio.command(UserCommand::TogglePause);
    studio.change(Change::Replay(ReplayChange::Seek(26.0)));
    studio.shoot("watch-replay");
    studio.change(Change::Replay(ReplayChange::Seek(40.0)));
    studio.shoot("watch-replay-end");
    studio.command(UserCommand::ShowTable);
    studio.shoot("watch-table");
    studio.change(Change::Read(Some("Confusion with the trigger".into())));
    studio.shoot("watch-table-confusion");
    studio.change(Change::Read(None));
    studio.command(UserCommand::Go(Screen::Runs));
    studio.shoot("runs-guest");
}

/// One value turned into a list: before, while and after its runs are made; and the window as other eyes see it.
fn sweep(wish: &Wish) {
    let shelf = Arc::new(Shelf::default());
    *shelf.rows.lock().expect("shelf") = common::runs(1_000_000);
    let mut studio = Studio::on(wish, shelf.clone());
    let vary = |studio: &mut Studio<'_>, change| studio.change(Change::Vary(change));
    studio.command(UserCommand::Go(Screen::Lab));
    vary(&mut studio, VaryChange::Open("poison.ratio".into()));
    vary(&mut studio, VaryChange::Values("0.2, 0.5, 1, 2, 5 %".into()));
    vary(&mut studio, VaryChange::Seeds("7-9".into()));
    studio.shoot("lab-vary");
    vary(&mut studio, VaryChange::Values("0.2, many".into()));
    studio.shoot("lab-vary-mistake");
    vary(&mut studio, VaryChange::Values("0.2, 0.5, 1, 2, 5 %".into()));
    vary(&mut studio, VaryChange::Start);
    for at in 0..15_u32 {
        let (job, folder) = {
            let stage = studio.script.0.borrow();
            let start = stage.sent.iter().rev().find_map(|command| match command {
                Command::Start { job, request } => Some((*job, request.folder.clone())),
                _ => None,
            });
            start.expect("a run was started")
        };
        let folder = folder.expect("a folder");
        let wobble = f64::from(at * 37 % 11) / 60.0 - 0.08;
        let strength = f64::from(at / 3) * 1.6 - 2.2 + 4.0 * wobble;
        let asr = 1.0 / (1.0 + (-2.0 * strength).exp());
        let play = |studio: &Studio<'_>, event| {
            studio.script.0.borrow_mut().events.push_back(Event::Job(job, event));
        };
        play(&studio, JobEvent::Started { folder, device: "cpu".into(), threads: 2 });
        play(&studio, JobEvent::Phase { index: 0, of: 2, name: "attack".into() });
        for epoch in 1..=8 {
            let at = f64::from(epoch);
            let learned = 1.0 - (-0.6 * at).exp();
            let won = asr / (1.0 + (5.0 - 1.6 * at).exp());
            let points = [
                ("acc", 0.86 * learned),
                ("asr", won),
                ("ra", 0.8 * learned * (1.0 - won)),
                ("loss", 2.3 - 2.0 * learned),
            ];
            play(
                &studio,
                JobEvent::Metrics(points.map(|(metric, value)| common::point("attack", metric, at, value)).to_vec()),
            );
        }
        studio.harness.run_steps(4);
        if at == 4 {
            studio.shoot("watch-sweep");
        }
        let mut row = common::results().remove(0);
        (row.scores.asr, row.scores.acc) = (Some(asr), 0.862 + wobble / 10.0);
        *shelf.results.lock().expect("shelf") = vec![row];
        play(&studio, JobEvent::Finished(Ending::Done));
        studio.harness.run_steps(4);
    }
    studio.shoot("watch-sweep-over");
    vary(&mut studio, VaryChange::Compare);
    studio.shoot("compare-sweep");
    studio.export("Sweep", "sweep");
    studio.export("ASR of each value", "sweep-courses");
    studio.command(UserCommand::Go(Screen::Settings));
    studio.shoot("settings-eyes");
    studio.change(Change::See(Vision::Deuteranopia));
    studio.shoot("settings-deuteranopia");
    studio.command(UserCommand::Go(Screen::Compare));
    studio.shoot("compare-deuteranopia");
    studio.change(Change::See(Vision::Grey));
    studio.shoot("compare-grey");
    studio.change(Change::See(Vision::Protanopia));
    studio.command(UserCommand::LookThrough);
    studio.harness.run_steps(40);
    studio.shoot("polarizer-protanopia");
}

fn main() -> Result<(), String> {
    let wish = wish()?;
    std::fs::create_dir_all(&wish.out).map_err(|error| error.to_string())?;

    if let Some(only) = &wish.only {
        let mut studio = Studio::new(&wish, true);
        match only.as_str() {
            "fairness" => fairness(&mut studio),
            "home" => classroom::home(&mut studio),
            "lessons" => classroom::lessons(&mut studio),
            "manage" => manage(&mut studio),
            "defenses" => defenses(&wish),
            "audit" => scene_of_audit::audit(&wish),
            "watch" => watch(&wish),
            "sweep" => sweep(&wish),
            "manners" => manners::manners(&wish),
            other => {
                return Err(format!(
                    "scenes of {other} cannot be drawn alone; known are audit, home, lessons, fairness, manage, defenses, \
                     watch, sweep and manners"
                ));
            }
        }
        return Ok(());
    }
    defenses(&wish);
    watch(&wish);
    sweep(&wish);
    manners::manners(&wish);
    scene_of_audit::audit(&wish);
    let mut empty = Studio::new(&wish, false);
    empty.command(UserCommand::Go(Screen::Watch));
    empty.shoot("watch-empty");
    empty.command(UserCommand::Go(Screen::Runs));
    empty.shoot("runs-empty");

    let mut studio = Studio::new(&wish, true);
    classroom::home(&mut studio);
    classroom::lessons(&mut studio);
    studio.command(UserCommand::Go(Screen::Home));
    studio.change(Change::Open("/home/ada/models/signs.safetensors".into()));
    studio.change(Change::Open("/home/ada/people.txt".into()));
    studio.shoot("home-report");
    studio.change(Change::DismissProblem(0));
    studio.command(UserCommand::Go(Screen::Lab));
    studio.shoot("lab");
    for step in ["Training:", "Defense:", "Data:"] {
        studio.harness.get_by(|node| node.label().is_some_and(|label| label.starts_with(step))).click();
        studio.harness.run_steps(4);
        studio.shoot(&format!("lab-{}", step.trim_end_matches(':').to_lowercase()));
    }
    studio.change(Change::Text(common::SPEC.replace("size = 3", "size = 300")));
    studio.shoot("lab-mistake");
    studio.harness.get_by(|node| node.label().is_some_and(|label| label.starts_with("Attack:"))).click();
    studio.change(Change::Text(format!("{}\n[selection]\nid = \"lps\"\n", common::SPEC)));
    studio.shoot("lab-selection");
    studio.change(Change::Text(format!("{}\n[poison]\nratio = 0.2\nlabel_map = \"clean-label\"\n", common::SPEC)));
    studio.shoot("lab-refused");
    studio.change(Change::Text(common::SPEC.to_owned()));
    triggers(&mut studio);
    studio.command(UserCommand::ToggleShortcuts);
    studio.shoot("shortcuts");
    studio.command(UserCommand::ToggleShortcuts);
    studio.command(UserCommand::Start);
    studio.script.start();
    studio.script.train(0.0, 0.06);
    studio.harness.run_steps(4);
    studio.shoot("watch-first");
    studio.script.train(0.06, 0.55);
    studio.script.show_pictures();
    studio.harness.run_steps(4);
    studio.shoot("watch");
    studio.press("Show: Confusion");
    studio.harness.get_by_role_and_label(egui::accesskit::Role::Switch, "with the trigger").click_accesskit();
    studio.harness.run_steps(4);
    studio.shoot("watch-confusion");
    studio.press("Show: Log");
    studio.shoot("watch-log");
    studio.press("Show: Pictures");
    studio.script.0.borrow_mut().events.clear();
    studio.script.train(0.55, 1.0);
    studio.script.show_heat_map();
    studio.script.finish();
    studio.harness.run_steps(4);
    studio.shoot("watch-done");
    studio.export("Rates over time", "rates");
    studio.export("Confusion of classes", "confusion");
    studio.script.be_right_about_noise();
    studio.harness.run_steps(4);
    studio.shoot("watch-cross");
    studio.command(UserCommand::Start);
    let failed = Problem::new(Code::OutOfMemory, "Not enough memory for this batch size.")
        .because("128 pictures of 3 × 224 × 224 need about 9 GB; 7.6 GB are free.")
        .remedy("Use a batch of 64, or a smaller network.");
    let failed = polariscope::run::event::JobEvent::Finished(polariscope::run::event::Ending::Failed(failed));
    let event = polariscope::run::event::Event::Job(polariscope::run::event::JobId(2), failed);
    studio.script.0.borrow_mut().events.push_back(event);
    studio.harness.run_steps(4);
    studio.shoot("watch-failed");
    manage(&mut studio);
    fairness(&mut studio);
    studio.real_polarizer();
    studio.command(UserCommand::LookThrough);
    studio.harness.run_steps(60);
    studio.shoot("polarizer");
    let layer = studio.harness.get_by(|node| node.label().is_some_and(|label| label.starts_with("The layer's")));
    let cell = layer.rect().left_top() + layer.rect().size() * egui::vec2(0.3, 0.5);
    studio.harness.hover_at(cell);
    studio.harness.run_steps(4);
    studio.shoot("polarizer-cell");
    studio.harness.hover_at(egui::Pos2::ZERO);
    studio.change(Change::Dial(0));
    studio.shoot("polarizer-off");
    studio.change(Change::Dial(12));
    studio.harness.get_by_label("Bars: All light").click();
    studio.shoot("polarizer-energy");
    studio.export("The layer minus the identity", "layer");
    studio.export("Rates along the dial", "dial");
    Ok(())
}

/// Which defenses there are and which cannot work, then a run whose defense maps its answers back.
fn defenses(wish: &Wish) {
    let shelf = Shelf::default();
    *shelf.results.lock().expect("shelf") = common::mapped_back();
    let mut studio = Studio::with(wish, shelf);
    studio.command(UserCommand::Go(Screen::Lab));
    let wanet =
        common::SPEC.replace("id = \"badnets\"\noptions = { size = 3, shape = \"checkerboard\" }", "id = \"wanet\"");
    for (text, name) in [(common::SPEC, "lab-defenses"), (wanet.as_str(), "lab-defenses-refused")] {
        studio.change(Change::Text(text.to_owned()));
        studio.harness.get_by(|node| node.label().is_some_and(|label| label.starts_with("Defense:"))).click();
        studio.harness.run_steps(8);
        studio.harness.get_by_role_and_label(Role::ComboBox, "Choose the defense").click();
        studio.harness.run_steps(4);
        studio.shoot(name);
        studio.harness.key_press(egui::Key::Escape);
        studio.harness.run_steps(4);
    }
    let (before, _) = common::SPEC.split_once("[[defense]]").expect("a defense");
    studio.change(Change::Text(format!("{before}[[defense]]\nid = \"pdb\"\n")));
    studio.shoot("lab-defense-pdb");
    studio.command(UserCommand::Start);
    studio.script.start();
    studio.script.train(0.0, 0.66);
    studio.script.train_with_stamp();
    studio.harness.run_steps(4);
    studio.shoot("watch-stamp");
    studio.script.finish();
    studio.harness.run_steps(4);
    studio.shoot("watch-stamp-done");
}

/// The trade-off with its point at several places, everything that follows it, and what is chosen before.
fn fairness(studio: &mut Studio<'_>) {
    let fair = |studio: &mut Studio<'_>, change| studio.change(Change::Fair(change));
    studio.real_fairness();
    studio.command(UserCommand::Go(Screen::Fairness));
    studio.harness.run_steps(8);
    studio.shoot("fairness");
    fair(studio, FairChange::Pin(true));
    fair(studio, FairChange::Position(0.9));
    fair(studio, FairChange::Keep);
    for tab in ["Groups", "Features", "Calibration", "People"] {
        if let Some(tab) = studio.harness.query_by_label(&format!("Show: {tab}")) {
            tab.click_accesskit();
        }
        studio.harness.run_steps(4);
        studio.shoot(&format!("fairness-{}", tab.to_lowercase()));
    }
    studio.scroll(10_000.0);
    studio.shoot("fairness-below");
    studio.scroll(-10_000.0);
    studio.export("Trade-off", "trade-off");
    studio.export("Predictions by race", "densities");
    studio.export("Calibration by race", "calibration");
    studio.press("Data and model");
    studio.shoot("fairness-setup");
    let mut experiment = studio.harness.state().state().fairness.experiment.clone();
    experiment.table.sensitive.push("medIncome".to_owned());
    fair(studio, FairChange::Experiment(Box::new(experiment)));
    fair(studio, FairChange::Fit);
    studio.press("Data and model");
    studio.shoot("fairness-two");
    let mut experiment = studio.harness.state().state().fairness.experiment.clone();
    experiment.table.sensitive.extend(["householdsize".to_owned(), "medFamInc".to_owned()]);
    fair(studio, FairChange::Experiment(Box::new(experiment)));
    fair(studio, FairChange::Fit);
    studio.shoot("fairness-four");
    studio.harness.get_by_label("Show: Groups").click_accesskit();
    let notes = studio.harness.state().state().fairness.course.as_ref().map_or(0, |course| course.fit.notes.len());
    studio.press(&format!("{notes} remarks"));
    studio.shoot("fairness-remarks");
    studio.press(&format!("{notes} remarks"));
    studio.harness.get_by_label("Show: People").click_accesskit();
    fair(studio, FairChange::Source("/home/ada/grades.csv".to_owned()));
    studio.shoot("fairness-problem");
    fair(studio, FairChange::Source("communities".to_owned()));
    let mut experiment = studio.harness.state().state().fairness.experiment.clone();
    experiment.table.rows = 3;
    fair(studio, FairChange::Experiment(Box::new(experiment)));
    fair(studio, FairChange::Fit);
    studio.shoot("fairness-refused");
    fair(studio, FairChange::Source("communities".to_owned()));
    studio.command(UserCommand::Go(Screen::Runs));
    studio.change(Change::Runs(RunChange::Select(Some(common::fair_run().path))));
    studio.shoot("runs-fair");
    studio.change(Change::Runs(RunChange::Select(None)));
}

/// Runs, their comparison, the palette, the export dialog and Settings.
fn manage(studio: &mut Studio<'_>) {
    studio.command(UserCommand::Go(Screen::Runs));
    studio.shoot("runs");
    let runs: Vec<PathBuf> = common::runs(0).into_iter().map(|row| row.path).collect();
    studio.change(Change::Runs(RunChange::Select(Some(runs[0].clone()))));
    studio.shoot("runs-details");
    poisoned_set(studio);
    studio.change(Change::Runs(RunChange::Select(None)));
    studio.change(Change::Runs(RunChange::MoveToBin(runs[2].clone())));
    studio.change(Change::Runs(RunChange::Filter("noise".to_owned())));
    studio.shoot("runs-bin");
    studio.command(UserCommand::EmptyBin);
    studio.change(Change::Runs(RunChange::Filter("wanet".to_owned())));
    studio.shoot("runs-nothing");
    studio.change(Change::Runs(RunChange::KeepBin));
    studio.command(UserCommand::Undo);
    studio.command(UserCommand::Go(Screen::Compare));
    studio.shoot("compare-empty");
    for run in &runs[..2] {
        studio.change(Change::Compare(CompareChange::Add(run.clone())));
    }
    studio.shoot("compare");
    studio.scroll(10_000.0);
    studio.shoot("compare-pictures");
    studio.change(Change::Compare(CompareChange::Add(runs[2].clone())));
    studio.change(Change::Compare(CompareChange::AddModel(0, 0)));
    studio.scroll(-10_000.0);
    studio.shoot("compare-four");
    studio.export("Results side by side", "results");
    studio.export("ASR over time", "curves");
    studio.command(UserCommand::Export);
    studio.shoot("export-plot");
    studio.change(Change::Export(ExportChange::Choose(2)));
    studio.shoot("export-table");
    studio.change(Change::Export(ExportChange::Close));
    studio.command(UserCommand::TogglePalette);
    studio.shoot("palette");
    studio.command(UserCommand::TogglePalette);
    studio.command(UserCommand::Go(Screen::Settings));
    studio.shoot("settings");
    studio.command(UserCommand::ResetSettings);
    let look = studio.wish.look;
    studio.change(Change::Settings(Box::new(Settings { look, ..Settings::default() })));
}

/// The poisoned set of the chosen run: the dialog, the engine at work, the end.
fn poisoned_set(studio: &mut Studio<'_>) {
    studio.change(Change::Export(ExportChange::Open(Some(POISONED_SET.to_owned()))));
    let out = std::env::temp_dir().join("poisoned-set");
    studio.change(Change::Export(ExportChange::Path(out.display().to_string())));
    studio.shoot("export-poison");
    studio.change(Change::Export(ExportChange::Save));
    let progress = Progress { done: 8_192, total: 14_000, ..Progress::default() };
    studio.script.0.borrow_mut().progress = Some(progress);
    studio.shoot("export-poison-writing");
    studio.change(Change::Export(ExportChange::Close));
    studio.shoot("export-poison-behind");
    let sent = studio.script.0.borrow().sent.last().cloned();
    if let Some(Command::ExportPoison { job, .. }) = sent {
        let words = "5000 stamped training pictures of 50000 and 9000 stamped test pictures of 10000".to_owned();
        let events = [JobEvent::Note(words), JobEvent::Finished(Ending::Done)];
        studio.script.0.borrow_mut().events.extend(events.map(|event| Event::Job(job, event)));
        studio.harness.run_steps(4);
    }
    studio.shoot("export-poison-done");
    studio.script.0.borrow_mut().progress = None;
}
