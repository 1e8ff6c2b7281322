//! A student looks for the smallest poisoning ratio that works: one value becomes a list, the runs are made one after
//! another, survive a closed lid, and stand side by side at the end. The engine is a script.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod common;

use common::hand::{Window, assert_shows, click, go, open_shared, settle, shows};
use common::{Script, Shelf, point, results};
use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT, Queryable};
use polariscope::app::command::{Change, Screen};
use polariscope::app::config::Config;
use polariscope::app::export::{ExportChange, Format};
use polariscope::experiment::sweep::Sweep;
use polariscope::run::event::{Command, Ending, Event, JobEvent, JobId, RunRequest};
use polariscope::run::folder::name_of;
use std::path::Path;
use std::sync::Arc;

/// All requests to start something, with their jobs.
fn starts(script: &Script) -> Vec<(JobId, RunRequest)> {
    let stage = script.0.borrow();
    let start = |command: &Command| match command {
        Command::Start { job, request } => Some((*job, (**request).clone())),
        _ => None,
    };
    stage.sent.iter().filter_map(start).collect()
}

fn play(script: &Script, job: JobId, event: JobEvent) {
    script.0.borrow_mut().events.push_back(Event::Job(job, event));
}

/// The run that was asked for last begins and reaches this rate.
fn begin(window: &mut Window, script: &Script, asr: f64) -> JobId {
    let (job, request) = starts(script).pop().unwrap();
    play(script, job, JobEvent::Started { folder: request.folder.unwrap(), device: "cpu".into(), threads: 1 });
    play(script, job, JobEvent::Phase { index: 0, of: 1, name: "attack".into() });
    let points = [(1.0, 0.1), (2.0, asr)].map(|(epoch, asr)| point("attack", "asr", epoch, asr)).to_vec();
    play(script, job, JobEvent::Metrics(points));
    settle(window);
    job
}

/// What the window works with, and what outlives it.
struct Desk {
    script: Script,
    shelf: Arc<Shelf>,
}

impl Desk {
    fn finish(&self, window: &mut Window, asr: f64) {
        let job = begin(window, &self.script, asr);
        let mut row = results().remove(0);
        row.scores.asr = Some(asr);
        row.scores.triggered_count = 200;
        *self.shelf.results.lock().unwrap() = vec![row];
        play(&self.script, job, JobEvent::Finished(Ending::Done));
        settle(window);
    }
}

/// Saves what the export dialog proposes as this file.
fn save_as(window: &mut Window, path: &Path) {
    let format = match path.extension().and_then(|ending| ending.to_str()) {
        Some("svg") => Format::Svg,
        Some("png") => Format::Png,
        _ => Format::Csv,
    };
    window.state().requests().change(Change::Export(ExportChange::Format(format)));
    window.state().requests().change(Change::Export(ExportChange::Path(path.display().to_string())));
    settle(window);
    click(window, "Save");
    settle(window);
}

fn open(desk: &Desk, config: &Path) -> Window {
    open_shared(&desk.script, desk.shelf.clone(), Config::at(config))
}

#[test]
fn the_smallest_ratio_that_works_is_found_although_the_lid_was_closed() {
    let config = tempfile::tempdir().unwrap();
    let desk = Desk { script: Script::answering(), shelf: Arc::default() };
    *desk.shelf.rows.lock().unwrap() = common::runs(1_000_000);
    let mut window = open(&desk, config.path());
    go(&mut window, Screen::Lab);
    window.get_by_role_and_label(Role::Button, "Vary Ratio").click_accesskit();
    settle(&mut window);
    assert_shows(&window, "Vary: Ratio");
    let values = |window: &mut Window, text: &str| {
        window.get_by_label("Values").set_text_value_accesskit(text);
        settle(window);
    };
    values(&mut window, "0.2, zwei");
    assert_shows(&window, "“zwei” is no value for ratio.");
    assert!(window.get_by_role_and_label(Role::Button, "Start all").accesskit_node().is_disabled());
    values(&mut window, "0.2, 0.5, 1, 2, 500");
    assert_shows(&window, "must be at least 0.0001 and at most 1");
    values(&mut window, "0.2, 0.5, 1, 2, 5 %");
    // Such a run took 80 s here.
    assert_shows(&window, "5 runs, about 7 min in total");
    assert_shows(&window, "Ratio 0.2 %");
    assert_shows(&window, "Ratio 5 %");

    click(&mut window, "Start all");
    assert_eq!(window.state().state().screen, Screen::Watch);
    assert!(starts(&desk.script)[0].1.spec.contains("ratio = 0.002"), "{}", starts(&desk.script)[0].1.spec);
    for asr in [0.05, 0.12] {
        desk.finish(&mut window, asr);
    }
    assert_shows(&window, "2 of 5 finished.");
    assert_shows(&window, "Ratio 0.5 %: finished, ASR 12.0 %");
    begin(&mut window, &desk.script, 0.4);
    assert_shows(&window, "Ratio 1 %: running, ASR 40.0 %");
    assert_eq!(starts(&desk.script).len(), 3, "one after another");

    // The lid is closed in the middle.
    let names = |window: &Window| -> Vec<String> {
        let sweep = window.state().state().sweep.as_ref().unwrap();
        sweep.runs.iter().map(|run| name_of(&run.planned.folder)).collect()
    };
    let names = names(&window);
    drop(window);
    desk.shelf.finished.lock().unwrap().extend(names[..2].iter().cloned());
    desk.shelf.begun.lock().unwrap().push(names[2].clone());
    let desk = Desk { script: Script::answering(), ..desk };
    let mut window = open(&desk, config.path());
    go(&mut window, Screen::Watch);
    assert_shows(&window, "2 of 5 finished, 1 interrupted. Resume?");
    click(&mut window, "Resume");
    let (_, request) = starts(&desk.script).pop().unwrap();
    assert!(request.resume && request.spec.contains("ratio = 0.01"), "what was interrupted goes on first");
    for asr in [0.97, 0.99, 0.995] {
        desk.finish(&mut window, asr);
    }
    assert_shows(&window, "5 of 5 finished.");
    assert_shows(&window, "The sweep is over.");
    assert_eq!(starts(&desk.script).len(), 3, "what was finished is not made again");

    click(&mut window, "Compare");
    settle(&mut window);
    assert_eq!(window.state().state().screen, Screen::Compare);
    assert_shows(&window, "At ratio 1 % the trigger wins in 97.0 % of 200 tries");
    click(&mut window, "Copy sentence");
    assert_shows(&window, "Copied.");
    click(&mut window, "Show Sweep as table");
    assert_shows(&window, "value Ratio 2 %: ACC 86.2 %, ASR 99.0 %");
    window.key_press(egui::Key::Escape);
    settle(&mut window);

    click(&mut window, "Show ASR of each value as table");
    assert_shows(&window, "Ratio 1 % rises from 10.0 % at epoch 1 to 97.0 % at epoch 2");
    window.key_press(egui::Key::Escape);
    settle(&mut window);

    // On Watch the same is saved: the curve as a picture and as numbers, and the runs one by one.
    go(&mut window, Screen::Watch);
    window.get_all_by_role_and_label(Role::Button, "More").next().unwrap().click();
    settle(&mut window);
    click(&mut window, "Export…");
    settle(&mut window);
    for (name, words) in [("curve.csv", "ASR,Ratio 1 %,0.970000"), ("curve.svg", "Ratio 0.2 %"), ("curve.png", "PNG")] {
        let file = config.path().join(name);
        save_as(&mut window, &file);
        let bytes = std::fs::read(&file).unwrap();
        assert!(String::from_utf8_lossy(&bytes).contains(words), "{name}");
        window.state().requests().change(Change::Export(ExportChange::Open(Some("Sweep".to_owned()))));
        settle(&mut window);
    }
    window.state().requests().change(Change::Export(ExportChange::Open(Some("Runs of the sweep".to_owned()))));
    settle(&mut window);
    let file = config.path().join("runs.csv");
    save_as(&mut window, &file);
    let csv = std::fs::read_to_string(&file).unwrap();
    assert!(csv.contains("Ratio 1 %,finished,0.862500,0.970000,"), "{csv}");
    go(&mut window, Screen::Compare);

    // Three more seeds of each value; what is there is not made again.
    desk.shelf.finished.lock().unwrap().extend(names[2..].iter().cloned());
    click(&mut window, "Is that luck?");
    settle(&mut window);
    assert_shows(&window, "5 of 20 finished.");
    assert!(starts(&desk.script).pop().unwrap().1.spec.contains("seed = 8"));
}

#[test]
fn a_sweep_stops_when_asked_and_can_be_put_away() {
    let config = tempfile::tempdir().unwrap();
    let desk = Desk { script: Script::answering(), shelf: Arc::default() };
    let mut window = open(&desk, config.path());
    go(&mut window, Screen::Lab);
    window.get_by_label("Training: 8 epochs").click();
    settle(&mut window);
    window.get_by_role_and_label(Role::Button, "Vary Schedule").click_accesskit();
    settle(&mut window);
    window.get_by_role_and_label(Role::CheckBox, "Cosine").click_accesskit();
    settle(&mut window);
    assert_shows(&window, "2 runs");
    // The same sweep, for the command line.
    let sweep = window.state().state().vary.as_ref().unwrap().plan.as_ref().unwrap().sweep.to_toml().unwrap();
    assert_eq!(Sweep::parse(&sweep).unwrap().variants().unwrap().len(), 2);
    click(&mut window, "Start all");
    let job = begin(&mut window, &desk.script, 0.3);
    click(&mut window, "Stop the sweep");
    play(&desk.script, job, JobEvent::Finished(Ending::Stopped { kept: true }));
    settle(&mut window);
    assert_shows(&window, "0 of 2 finished, 1 interrupted. Resume?");
    assert_eq!(starts(&desk.script).len(), 1, "the next one is not begun");
    window.get_all_by_role_and_label(Role::Button, "More").next().unwrap().click();
    settle(&mut window);
    click(&mut window, "Put away");
    assert!(!shows(&window, "of 2 finished"));
    drop(window);
    let window = open(&desk, config.path());
    assert!(window.state().state().sweep.is_none(), "it does not come back");
}

#[test]
fn a_sweep_s_file_opens_with_the_experiment_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("base.toml"), common::SPEC).unwrap();
    let file = folder.path().join("ratios.toml");
    std::fs::write(&file, "base = 'base.toml'\n[vary]\n'poison.ratio' = [0.01, 0.05]\n").unwrap();
    let desk = Desk { script: Script::answering(), shelf: Arc::default() };
    let mut window = open(&desk, folder.path());
    window.state().requests().change(Change::Open(file));
    settle(&mut window);
    assert_eq!(window.state().state().screen, Screen::Watch);
    assert_shows(&window, "0 of 2 finished. Resume?");
    assert_shows(&window, "Ratio 5 %: waiting");
    assert!(starts(&desk.script).is_empty(), "nothing starts by itself");
}
