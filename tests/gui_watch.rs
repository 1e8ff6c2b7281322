//! The journeys through Watch, by the names of things: a lecture, a recorded run from a stick, a student who cannot see
//! the curves, and one who varies one thing. The engine is a script and the clock is the window's own, so nothing waits.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod common;

use common::hand::{Window, assert_shows, click, go, let_fall, open, open_with, settle, shows};
use common::{Script, Shelf, point, record};
use egui::accesskit::{Role, Toggled};
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use polariscope::app::command::{Change, Screen};
use polariscope::app::config::{Config, LookChoice};
use polariscope::app::export::ExportChange;
use polariscope::app::theme::{Look, Tokens};
use polariscope::run::event::JobEvent;
use polariscope::run::results::STOPPED_EARLY;
use polariscope::run::{Journal, RunFolder};
use std::path::Path;
use std::time::Duration;

fn drop_on(window: &mut Window, path: &Path) {
    let_fall(window, path);
    window.step();
}

/// The replay's place in seconds of the recording.
fn place(window: &Window) -> f64 {
    window.state().state().replay().unwrap().clock().0
}

#[test]
fn a_run_from_a_stick_is_listed_and_plays_without_an_engine() {
    let stick = tempfile::tempdir().unwrap();
    let folder = stick.path().join("resnet-recorded");
    record(&folder, "ResNet, recorded");
    let script = Script::default();
    let config = tempfile::tempdir().unwrap();
    let mut window = open_with(&script, Shelf::default(), Config::at(config.path()));
    drop_on(&mut window, &folder);
    window.run_steps(3);
    assert_eq!(window.state().state().screen, Screen::Watch);
    assert_shows(&window, "Replay");
    assert!(!shows(&window, "Backdoor works"), "the end is not told before it is reached");

    // It pauses by the same key as a training, and then nothing is drawn.
    let was = place(&window);
    window.run_steps(4);
    assert!(place(&window) > was, "a step is a quarter of a second");
    window.key_press(Key::Space);
    settle(&mut window);
    let held = place(&window);
    settle(&mut window);
    assert_eq!(place(&window), held);
    let delay = window.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
    assert!(delay > Duration::from_secs(3600), "repaints after {delay:?}");

    // Epoch by epoch to where the backdoor is learned.
    window.key_press(Key::ArrowRight);
    settle(&mut window);
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(window.state().state().replay().unwrap().moment());
        window.key_press(Key::ArrowRight);
        settle(&mut window);
    }
    assert_eq!(seen, ["attack, epoch 1", "attack, epoch 2", "attack, epoch 3"]);
    assert_shows(&window, "Backdoor works: ASR 100 %, ACC 86 %");
    window.key_press(Key::ArrowLeft);
    settle(&mut window);
    assert_shows(&window, "with the trigger, 12 of these 12 pictures get the attacker's answer.");
    window.key_press(Key::ArrowLeft);
    settle(&mut window);
    assert_shows(&window, "with the trigger, 2 of these 12 pictures get the attacker's answer.");
    assert!(!shows(&window, "Backdoor works"));

    // Fifty times faster it is over in a second.
    window.get_by_label("Speed").click();
    settle(&mut window);
    window.get_by_role_and_label(Role::Button, "×50").click_accesskit();
    settle(&mut window);
    assert_eq!(window.state().state().replay().unwrap().speed(), 50.0);
    click(&mut window, "Play");
    window.run_steps(6);
    assert_eq!(place(&window), 40.0);
    assert_shows(&window, "Backdoor works");
    click(&mut window, "End replay");
    assert!(window.state().state().replay().is_none());
    assert!(!window.get_by_role_and_label(Role::Button, "Replay").accesskit_node().is_disabled());

    go(&mut window, Screen::Runs);
    assert_shows(&window, "ResNet, recorded");
    assert!(
        script.sent().iter().all(|sent| sent == "predict"),
        "nothing but Home's demo is asked: {:?}",
        script.sent()
    );
    // It is still listed after a restart.
    window.run_steps(4);
    drop(window);
    let mut window = open_with(&script, Shelf::default(), Config::at(config.path()));
    go(&mut window, Screen::Runs);
    assert_shows(&window, "ResNet, recorded");
}

#[test]
fn a_model_whose_training_was_stopped_is_marked() {
    let stick = tempfile::tempdir().unwrap();
    let config = tempfile::tempdir().unwrap();
    let mut window = open_with(&Script::default(), Shelf::default(), Config::at(config.path()));
    for (name, note) in [("whole", ""), ("halved", STOPPED_EARLY)] {
        let folder = stick.path().join(name);
        record(&folder, name);
        let run = RunFolder::open(&folder).unwrap();
        let mut results = run.results().unwrap().unwrap();
        results.rows[0].note = note.into();
        run.set_results(&results).unwrap();
        drop_on(&mut window, &folder);
        window.run_steps(3);
        click(&mut window, "End replay");
        assert_shows(&window, "no defense");
        assert_eq!(shows(&window, STOPPED_EARLY), !note.is_empty(), "{name}");
    }
}

#[test]
fn the_place_of_a_replay_is_a_slider() {
    let stick = tempfile::tempdir().unwrap();
    record(stick.path(), "Recorded");
    let mut window = open(&Script::default());
    window.state().requests().change(Change::OpenRun(stick.path().to_owned()));
    settle(&mut window);
    assert_shows(&window, "Backdoor works");
    click(&mut window, "Replay");
    let slider = |window: &Window| {
        let found = window.get_by(|node| {
            node.role() == Role::Slider && node.label().is_some_and(|label| label.starts_with("Replay, "))
        });
        found.set_value_accesskit(25.0);
    };
    slider(&window);
    window.run_steps(2);
    assert!((25.0..27.0).contains(&place(&window)), "{}", place(&window));
    assert_shows(&window, "Replay, attack, epoch 2");
}

#[test]
fn who_does_not_see_the_curves_reads_them() {
    let stick = tempfile::tempdir().unwrap();
    record(stick.path(), "Recorded");
    let mut window = open(&Script::default());
    window.state().requests().change(Change::OpenRun(stick.path().to_owned()));
    settle(&mut window);
    assert_shows(&window, "ASR rises from 10.0 % at epoch 1 to 97.0 % at epoch 3, then stays.");
    assert_shows(&window, "Loss falls from 2.87 at epoch 0.2 to");
    click(&mut window, "Show Rates over time as table");
    let row = |epoch: usize, words: &str| format!("epochs {epoch}: {words}");
    assert_shows(&window, &row(1, "ACC 40.0 %, ASR 10.0 %, RA 36.0 %"));
    // Row by row without a mouse; a screen reader hears the row that is chosen.
    let chosen = |window: &Window| {
        let row = window.get_by(|node| node.role() == Role::ListBoxOption && node.toggled() == Some(Toggled::True));
        row.accesskit_node().label().unwrap_or_default()
    };
    assert!(chosen(&window).starts_with("epochs 1:"));
    window.key_press(Key::ArrowDown);
    window.key_press(Key::ArrowDown);
    settle(&mut window);
    assert_eq!(chosen(&window), row(3, "ACC 80.0 %, ASR 97.0 %, RA 2.4 %"));
    window.key_press(Key::End);
    settle(&mut window);
    assert!(chosen(&window).starts_with("epochs 4:"));
    // The same points as a file.
    let file = stick.path().join("rates.csv");
    click(&mut window, "Save as CSV…");
    window.state().requests().change(Change::Export(ExportChange::Path(file.display().to_string())));
    window.state().requests().change(Change::Export(ExportChange::Save));
    settle(&mut window);
    let csv = std::fs::read_to_string(&file).unwrap();
    assert!(csv.contains("ASR,3.000000,0.970000"), "{csv}");
    window.key_press(Key::Escape);
    settle(&mut window);

    window.get_by_label("Show: Confusion").click_accesskit();
    settle(&mut window);
    click(&mut window, "Show Confusion of classes as table");
    assert_shows(&window, "true class Bag: ");
    window.key_press(Key::Escape);
    settle(&mut window);
    assert!(!shows(&window, "true class Bag: "));
    // And by its keys alone, with the loss chosen from the list of plots.
    window.key_press_modifiers(Modifiers::COMMAND, Key::T);
    settle(&mut window);
    assert_shows(&window, &row(4, "ACC 86.0 %"));
}

#[test]
fn what_a_method_watches_stands_beside_the_curves() {
    let stick = tempfile::tempdir().unwrap();
    record(stick.path(), "Recorded");
    let mut journal = Journal::open(&stick.path().join("metrics.jsonl")).unwrap();
    for (epoch, hits) in [(1.0, 0.9), (2.0, 0.5), (3.0, 0.2)] {
        let terms = [("loss-keep", 2.0 / epoch), ("perturbation-hits", hits)];
        journal.append(&terms.map(|(metric, value)| point("npd", metric, epoch, value))).unwrap();
    }
    for cut in 0..6 {
        journal.append(&[point("fp/cut", "clean-accuracy", f64::from(cut), 0.9)]).unwrap();
    }
    let mut window = open(&Script::default());
    window.state().requests().change(Change::OpenRun(stick.path().to_owned()));
    settle(&mut window);
    window.get_by_label("Show: Method").click_accesskit();
    settle(&mut window);
    assert_shows(&window, "Shares of pictures Clean set stays at about 90.0 %");
    assert_shows(&window, "features cut off");
    window.get_by_label("Phase").click_accesskit();
    settle(&mut window);
    window.get_by_label("npd").click_accesskit();
    settle(&mut window);
    assert_shows(&window, "Terms of the loss Keep falls from 2 at epoch 1 to 0.667 at epoch 3.");
    assert_shows(&window, "Hits 20.0 %");
    click(&mut window, "Show Shares of pictures, npd as table");
    assert_shows(&window, "epochs 2: Hits 50.0 %");
}

#[test]
fn the_polarizer_is_read_too() {
    let mut window = open(&Script::answering());
    click(&mut window, "Look through the polarizer");
    window.run_steps(30);
    click(&mut window, "Show The layer minus the identity as table");
    assert_shows(&window, "8 rows and 8 columns; the largest value is");
}

#[test]
fn a_lecture_in_front_of_eighty() {
    let script = Script::answering();
    let shelf = Shelf::default();
    *shelf.results.lock().unwrap() = common::results();
    let mut window = open_with(&script, shelf, Config::nowhere());
    window.key_press(Key::F5);
    window.run();
    assert_eq!(window.state().state().settings.look, LookChoice::Projector);
    // The sticker off and on again: the room sees both answers.
    let sticker = |window: &Window| {
        window.get_by_role_and_label(Role::Switch, "Sticker").accesskit_node().toggled() == Some(Toggled::True)
    };
    let first = sticker(&window);
    window.key_press(Key::T);
    settle(&mut window);
    assert_ne!(sticker(&window), first);
    window.key_press(Key::T);
    settle(&mut window);
    assert_eq!(sticker(&window), first);

    window.key_press_modifiers(Modifiers::COMMAND, Key::Num2);
    settle(&mut window);
    click(&mut window, "Start");
    assert_eq!(window.state().state().screen, Screen::Watch, "Watch opens by itself");
    script.start();
    script.train(0.0, 0.25);
    settle(&mut window);
    assert_shows(&window, "about a minute");
    let orders = |script: &Script| {
        let sent = script.sent();
        sent.into_iter().filter(|sent| ["pause", "step epoch", "resume"].contains(&sent.as_str())).collect::<Vec<_>>()
    };
    window.key_press(Key::Space);
    settle(&mut window);
    script.play(JobEvent::Paused);
    settle(&mut window);
    assert_shows(&window, "Paused");
    // Guesses are asked for; then one epoch, and it waits again.
    window.key_press(Key::S);
    settle(&mut window);
    script.play(JobEvent::Resumed);
    script.train(0.25, 0.34);
    script.play(JobEvent::Paused);
    settle(&mut window);
    assert_shows(&window, "Paused");
    assert_shows(&window, "ASR rises from 1.5 % at epoch 0.4");
    window.key_press(Key::Space);
    settle(&mut window);
    assert_eq!(orders(&script), ["pause", "step epoch", "resume"]);
    script.play(JobEvent::Resumed);
    script.train(0.34, 1.0);
    script.finish();
    settle(&mut window);
    assert_shows(&window, "NPD removes the backdoor: ASR 100 % to 4 %, ACC 85 %");

    click(&mut window, "Look through the polarizer");
    window.run_steps(30);
    assert_shows(&window, "At 100 % the trigger still wins in 9 of 450");
    window.key_press(Key::P);
    window.run();
    assert_shows(&window, "Without the polarizer the trigger wins in 441 of 450");
    window.key_press_modifiers(Modifiers::COMMAND, Key::E);
    settle(&mut window);
    assert_shows(&window, "Rates along the dial");
}

#[test]
fn other_eyes_are_a_preview_with_a_way_back() {
    let mut window = open(&Script::answering());
    go(&mut window, Screen::Settings);
    let marks = |window: &Window| {
        let shapes = window.output().shapes.iter().map(|clipped| format!("{:?}", clipped.shape));
        let clean = format!("{:?}", Tokens::of(Look::Light).clean);
        shapes.filter(|shape| shape.contains(&clean)).count()
    };
    let usual = marks(&window);
    assert!(usual > 0, "the program's mark is blue");
    window.get_by_label("Colour vision: Deuteranopia").click();
    settle(&mut window);
    assert_shows(&window, "Seen with deuteranopia");
    assert_eq!(marks(&window), 0, "nothing is drawn in the usual blue");
    go(&mut window, Screen::Home);
    click(&mut window, "End preview");
    assert!(!shows(&window, "Seen with"));
    go(&mut window, Screen::Settings);
    assert_eq!(marks(&window), usual);
}

#[test]
fn a_recorded_sweep_stands_side_by_side() {
    let stick = tempfile::tempdir().unwrap();
    for percent in [1, 2, 5, 10, 20] {
        let folder = stick.path().join(format!("poison-{percent}"));
        record(&folder, "Recorded sweep");
        let spec = folder.join("spec.toml");
        let text = std::fs::read_to_string(&spec).unwrap();
        std::fs::write(&spec, format!("{text}\n[poison]\nratio = {}\n", f64::from(percent) / 100.0)).unwrap();
    }
    let mut window = open(&Script::default());
    drop_on(&mut window, stick.path());
    settle(&mut window);
    settle(&mut window);
    assert_eq!(window.state().state().screen, Screen::Compare);
    assert_shows(&window, "At ratio 1 % the trigger wins in 99.7 % of 1,800 tries.");
    assert_shows(&window, "Ratio 20 %");
    assert!(window.query_by_role_and_label(Role::Button, "Is that luck?").is_none(), "nothing can be made again here");
    go(&mut window, Screen::Watch);
    for percent in [1, 2, 5, 10, 20] {
        assert_shows(&window, &format!("Ratio {percent} %: finished, ASR 99.7 %, ACC 86.2 %"));
    }
}
