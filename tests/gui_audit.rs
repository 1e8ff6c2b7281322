//! The audit of a delivered model, by role and name; the engine is a script. Journeys A1 and A2.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod common;

use common::audit::{FOLDER, on_disk};
use common::hand::{Window, assert_shows, click, go, open, open_shared, open_with, settle, shows};
use common::{Script, Shelf};
use egui::accesskit::Role;
use egui_kittest::kittest::Queryable;
use polariscope::app::command::{Change, Screen, UserCommand};
use polariscope::app::config::Config;
use polariscope::app::export::ExportChange;
use polariscope::app::stand::Stand;
use polariscope::experiment::{Spec, audit, check};
use polariscope::run::event::{Command, Question, Scene};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MODEL: &str = "/home/ada/models/signs.safetensors";

fn drop_file(window: &mut Window, path: &str) {
    window.state().requests().change(Change::Open(path.into()));
    settle(window);
}

fn press(window: &mut Window, role: Role, name: &str) {
    window.get_by_role_and_label(role, name).click();
    settle(window);
}

/// Presses a button as a screen reader does, wherever it has been scrolled to.
fn reach(window: &mut Window, name: &str) {
    window.get_by_role_and_label(Role::Button, name).click_accesskit();
    settle(window);
}

/// The found pattern on its pictures.
fn stand(window: &Window) -> &Stand {
    window.state().state().stand().unwrap()
}

/// The experiment that was started last.
fn started(script: &Script) -> polariscope::experiment::Experiment {
    let stage = script.0.borrow();
    let spec = stage.sent.iter().rev().find_map(|sent| match sent {
        Command::Start { request, .. } => Some(request.spec.clone()),
        _ => None,
    });
    match Spec::parse(&spec.unwrap(), polariscope::catalogue::all()).unwrap() {
        Spec::Backdoor(experiment) => check::resolve(&experiment, polariscope::catalogue::all()),
        Spec::Fair(_) => panic!("not an audit"),
    }
}

/// Of how many pictures the last questions were.
fn asked_last(script: &Script, questions: usize) -> Vec<usize> {
    let stage = script.0.borrow();
    let asked = stage.sent.iter().filter_map(|sent| match sent {
        Command::Ask(_, Question::Predict { rows, .. }) => Some(rows.len()),
        _ => None,
    });
    let asked: Vec<usize> = asked.collect();
    asked[asked.len() - questions..].to_vec()
}

/// A1, from the dropped model to the end of the run.
fn audited(script: &Script) -> Window {
    let mut window = open(script);
    drop_file(&mut window, MODEL);
    assert_shows(&window, "A network: PreAct-ResNet18, 10 classes");
    click(&mut window, "Audit this model");
    settle(&mut window);
    assert_shows(&window, MODEL);
    drop_file(&mut window, "/home/ada/pictures");
    assert_shows(&window, "A data set: 10 classes");
    click(&mut window, "Start");
    settle(&mut window);
    script.start_audit();
    settle(&mut window);
    window
}

#[test]
fn an_auditor_gets_a_model_by_mail() {
    let script = Script::answering();
    let mut window = audited(&script);
    let sent = started(&script);
    assert_eq!(audit::model_of(&sent), Some(MODEL));
    assert_eq!(sent.data.source, "/home/ada/pictures");
    assert_eq!(sent.check.len(), 3, "all checks are chosen beforehand");

    script.search();
    settle(&mut window);
    assert_shows(&window, "Accuracy per class: clear");
    assert_shows(&window, "is looking…");
    assert_shows(&window, "31 of 80 rounds");
    assert!(!shows(&window, "Report…"), "there is nothing to sign yet");

    script.finish_audit(true);
    settle(&mut window);
    assert_shows(&window, "1 of 3 checks found something suspicious.");
    press(&mut window, Role::Button, "Accuracy per class: clear");
    assert_shows(&window, "lowest class");
    press(&mut window, Role::Button, "Trigger search: suspicious");
    for words in ["98.6 % (355 of 360)", "How strong this is", "It would miss triggers that cover the whole picture"] {
        assert_shows(&window, words);
    }
    assert_shows(&window, "Without and with the patch for T-shirt");
    assert!(!shows(&window, "is safe") && !shows(&window, " safe "));
}

#[test]
fn the_report_is_saved_through_the_export_dialog() {
    let place = tempfile::tempdir().unwrap();
    let run = on_disk(&place.path().join("audit"));
    let script = Script::answering();
    let mut window = audited(&script);
    let started = polariscope::run::event::JobEvent::Started { folder: run, device: "cpu".into(), threads: 1 };
    script.play(started);
    script.finish_audit(true);
    settle(&mut window);
    click(&mut window, "Report…");
    settle(&mut window);
    assert_shows(&window, "What was checked and what was found");
    let file = place.path().join("signs.pdf");
    window.state().requests().change(Change::Export(ExportChange::Path(file.display().to_string())));
    window.state().requests().change(Change::Export(ExportChange::Save));
    settle(&mut window);
    assert!(std::fs::read(&file).unwrap().starts_with(b"%PDF-"));
    assert_shows(&window, "Saved as");
}

#[test]
fn the_supplier_returns_a_repaired_model() {
    let script = Script::answering();
    let mut window = audited(&script);
    let first = started(&script);
    script.finish_audit(true);
    settle(&mut window);
    click(&mut window, "Repeat on another model");
    settle(&mut window);
    assert_shows(&window, "Choose a model first.");
    drop_file(&mut window, "/home/ada/models/signs-repaired.safetensors");
    click(&mut window, "Start");
    settle(&mut window);
    let second = started(&script);
    assert_eq!(audit::model_of(&second), Some("/home/ada/models/signs-repaired.safetensors"));
    assert_eq!((&second.data, second.seed), (&first.data, first.seed));
    // The same checks, and the patch that the first audit has found.
    assert_eq!(audit::earlier_of(&second), Some(Path::new(FOLDER)));
    let others: Vec<_> = second.check.into_iter().filter(|pick| pick.id != audit::KNOWN_PATCH).collect();
    assert_eq!(others, first.check);
}

#[test]
fn the_demo_model_is_one_click_away_and_checks_can_be_left_out() {
    let script = Script::answering();
    let mut window = open(&script);
    go(&mut window, Screen::Audit);
    assert!(!window.state().state().enabled(UserCommand::Start));
    click(&mut window, "Audit the demo model");
    settle(&mut window);
    assert_shows(&window, "This model was backdoored on purpose.");
    press(&mut window, Role::Switch, "Trigger search");
    window.state().requests().command(UserCommand::Start);
    settle(&mut window);
    let ids: Vec<String> = started(&script).check.into_iter().map(|pick| pick.id).collect();
    assert_eq!(ids, ["class-accuracy", "odd-channels"]);
}

#[test]
fn a_run_with_findings_opens_here() {
    let script = Script::answering();
    let shelf = Shelf::default();
    let mut window = open_with(&script, shelf, Config::nowhere());
    window.state().requests().change(Change::OpenRun(FOLDER.into()));
    settle(&mut window);
    assert_eq!(window.state().state().screen, Screen::Audit);
    assert_shows(&window, "1 of 3 checks found something suspicious.");
    assert_shows(&window, "What was checked");

    // A folder that is dropped on the window is played, but here nothing was trained.
    let place = tempfile::tempdir().unwrap();
    let folder = on_disk(&place.path().join("audit"));
    go(&mut window, Screen::Home);
    drop_file(&mut window, &folder.display().to_string());
    assert_eq!(window.state().state().screen, Screen::Audit);
}

#[test]
fn what_cannot_be_read_is_told_beside_its_step() {
    let script = Script::answering();
    let mut window = open(&script);
    go(&mut window, Screen::Audit);
    let field = window.get_by_role_and_label(Role::TextInput, "Path of a model");
    field.focus();
    field.type_text("/home/ada/people.txt");
    window.run();
    window.key_press(egui::Key::Enter);
    settle(&mut window);
    assert_shows(&window, "This file is neither a model nor a data set.");
}

/// A1, step 6: from the card to the flip, by mouse and by keys.
#[test]
fn the_found_pattern_is_dragged_over_a_picture_of_choice() {
    let script = Script::answering();
    let mut window = audited(&script);
    script.finish_audit(true);
    settle(&mut window);
    assert_shows(&window, "Try the pattern");
    assert_shows(&window, "With the pattern on, the model says “T-shirt” for almost every picture: 24 of 24.");
    window.get_by_role_and_label(Role::Image, "Ankle boot, with the pattern");
    reach(&mut window, "Next picture");
    window.get_by_role_and_label(Role::Image, "Pullover, with the pattern");

    let found = "Pattern, column 25, row 25";
    let center = window.get_by_role_and_label(Role::Button, found).rect().center();
    window.drag_at(center);
    window.run();
    window.hover_at(center - egui::vec2(90.0, 60.0));
    window.run();
    window.drop_at(center - egui::vec2(90.0, 60.0));
    settle(&mut window);
    assert!(stand(&window).place.is_some(), "the hand has moved it");
    assert_shows(&window, "With the pattern in this place, the model is right about 24 of 24 pictures.");
    // The picture under the hand comes first, then all that are counted.
    assert_eq!(asked_last(&script, 2), [1, 24]);

    reach(&mut window, "Back to where it was found");
    reach(&mut window, "Move the pattern");
    for _ in 0..2 {
        window.key_press_modifiers(egui::Modifiers::SHIFT, egui::Key::ArrowLeft);
        settle(&mut window);
    }
    window.get_by_role_and_label(Role::Button, "Pattern, column 15, row 25");
    assert_shows(&window, "the model is right about 24 of 24 pictures.");

    press(&mut window, Role::Switch, "Pattern");
    assert_shows(&window, "Without the pattern, the model is right about 24 of 24 pictures.");
    assert_eq!(window.state().state().screen, Screen::Audit);
}

/// A1, step 5: where the model looks, and a picture that somebody brings.
#[test]
fn the_card_shows_where_the_model_looks_also_in_a_picture_that_is_dropped() {
    let script = Script::answering();
    let mut window = audited(&script);
    script.finish_audit(true);
    settle(&mut window);
    press(&mut window, Role::Switch, "Where does it look?");
    assert_shows(&window, "Heat: how much of “T-shirt” is lost");
    assert_eq!(stand(&window).heat().unwrap().peak(), [26, 26], "it sits on the pattern");
    press(&mut window, Role::Switch, "Where does it look?");
    drop_file(&mut window, "/photos/boot.jpg");
    assert_shows(&window, "brought to 28 × 28 pixels");
    window.get_by_role_and_label(Role::Image, "your picture, with the pattern");
    reach(&mut window, "Put my picture away");
    assert!(!shows(&window, "brought to 28 × 28 pixels"));
    // Another finding has no pattern; a model that is dropped is still a model.
    press(&mut window, Role::Button, "Odd channels: cannot tell");
    assert!(!shows(&window, "Try the pattern"));
    drop_file(&mut window, MODEL);
    assert_shows(&window, "A network: PreAct-ResNet18, 10 classes");
}

/// A2, steps 1 and 2: what is different, before anything runs.
#[test]
fn a_returned_model_is_held_against_the_audited_one() {
    let script = Script::answering();
    let mut window = audited(&script);
    script.finish_audit(true);
    settle(&mut window);
    assert!(!shows(&window, "Same architecture"));
    drop_file(&mut window, "/home/ada/models/signs-repaired.safetensors");
    assert_shows(&window, "Beside the model of “Audit of signs.safetensors”:");
    let sentence = "Same architecture, 0.4 % of the weights differ, all in one inserted layer (neural polarizer at";
    assert_shows(&window, sentence);
    let asked = format!("difference of {FOLDER} and /home/ada/models/signs-repaired.safetensors");
    assert_eq!(script.sent().iter().filter(|sent| **sent == asked).count(), 1);
}

/// The audit of the model that came back.
const REPAIRED: &str = "/runs/audit-of-repaired";

/// A2, steps 3 and 5: both audits side by side, and a note on a picture that changed.
#[test]
fn two_audits_are_compared_and_a_changed_picture_gets_a_note() {
    let script = Script::answering();
    let shelf = Arc::new(Shelf::default());
    let mut window = open_shared(&script, Arc::clone(&shelf), Config::nowhere());
    window.state().requests().change(Change::OpenRun(REPAIRED.into()));
    settle(&mut window);
    assert_shows(&window, "Known patch: clear");
    assert_shows(
        &window,
        "The patch of 14 March 2026 turned 98.6 % of other pictures into T-shirt; now it turns 2.0 %.",
    );
    click(&mut window, "Compare with the earlier audit");
    settle(&mut window);
    assert_eq!(window.state().state().screen, Screen::Compare);
    for words in [
        "Same architecture, 0.4 % of the weights differ, all in one inserted layer",
        "Normal accuracy of the second: \u{2212}0.6 points.",
        "A patch of 4.1 pixels turns 98.6 % of other pictures into T-shirt",
        "No class can be reached by an unusually small patch.",
        "9 of 120 pictures get another answer.",
        "With the found pattern",
    ] {
        assert_shows(&window, words);
    }
    assert!(!shows(&window, "ASR"), "no trigger is known");
    let patch = Path::new(FOLDER).join("patches/trigger-search.safetensors");
    let compared: Vec<(Option<PathBuf>, Vec<usize>)> = {
        let stage = script.0.borrow();
        let asked = stage.sent.iter().filter_map(|sent| match sent {
            Command::Ask(_, Question::Predict { scene: Scene::Audit { patch, .. }, rows, .. }) => {
                Some((patch.clone(), rows.clone()))
            }
            _ => None,
        });
        asked.filter(|(_, rows)| rows.len() == 120).collect()
    };
    assert!(compared.len() == 2 && compared.iter().all(|(known, _)| known.as_ref() == Some(&patch)), "{compared:?}");
    assert_eq!(compared[0].1[..3], [5, 18, 31], "what changed comes first");

    reach(&mut window, "Report…");
    assert_shows(&window, "What was checked and what was found");
    window.state().requests().change(Change::Export(ExportChange::Close));
    settle(&mut window);
    window.get_by_role_and_label(Role::RadioButton, "Pictures: Disagreements (9)").click_accesskit();
    settle(&mut window);
    let field = window.get_by_role_and_label(Role::TextInput, "Note on picture 5");
    field.focus();
    field.type_text("a coat, by the buttons");
    window.run();
    window.key_press(egui::Key::Enter);
    settle(&mut window);
    let reviews = shelf.reviews.lock().unwrap();
    let review = &reviews[Path::new(REPAIRED)];
    assert_eq!((review.notes.len(), review.notes[0].row), (1, 5));
    assert_eq!(review.notes[0].text, "a coat, by the buttons");
    assert!(review.notes[0].picture.contains(" before, "), "{}", review.notes[0].picture);
    assert_eq!(review.earlier.as_deref(), Some(Path::new(FOLDER)));
    assert!(review.difference.as_ref().unwrap().starts_with("Same architecture, 0.4 %"));
}

/// A2, step 4: through the layer that the supplier inserted, at the pattern that was found before.
#[test]
fn the_polarizer_of_the_returned_model_holds_the_found_pattern_back() {
    let script = Script::answering();
    let mut window = open(&script);
    window.state().requests().change(Change::OpenRun(REPAIRED.into()));
    settle(&mut window);
    press(&mut window, Role::Button, "Known patch: clear");
    reach(&mut window, "Look through the polarizer");
    window.run_steps(60);
    assert_eq!(window.state().state().screen, Screen::Polarizer);
    assert_eq!(script.sent().iter().filter(|sent| **sent == format!("polarizer {REPAIRED}")).count(), 1);
    let patch = Path::new(REPAIRED).join("patches/known-patch.safetensors");
    assert_eq!(window.state().state().polarizer.scene, Scene::Audit { run: REPAIRED.into(), patch: Some(patch) });
    assert_shows(&window, "At 100 % the pattern still wins in 9 of 450 stamped pictures");
    assert_shows(&window, "With the pattern");
    window.state().requests().change(Change::Dial(0));
    settle(&mut window);
    assert_shows(&window, "Without the polarizer the pattern wins in 441 of 450 stamped pictures");

    // A model without such a layer offers none.
    window.state().requests().change(Change::OpenRun(FOLDER.into()));
    settle(&mut window);
    assert!(shows(&window, "Try the pattern") && !shows(&window, "Look through the polarizer"));
}

/// A2, step 6: the decision is typed by hand and kept with the audit.
#[test]
fn the_decision_is_typed_by_hand_and_kept_with_the_run() {
    let script = Script::answering();
    let shelf = Arc::new(Shelf::default());
    let mut window = open_shared(&script, Arc::clone(&shelf), Config::nowhere());
    window.state().requests().change(Change::OpenRun(REPAIRED.into()));
    settle(&mut window);
    let field = window.get_by_role_and_label(Role::MultilineTextInput, "Decision");
    field.focus();
    field.type_text("Accepted for the test bench.");
    window.run();
    window.get_by_role_and_label(Role::Button, "Odd channels: cannot tell").focus();
    settle(&mut window);
    assert_eq!(shelf.reviews.lock().unwrap()[Path::new(REPAIRED)].decision, "Accepted for the test bench.");
    assert_eq!(window.state().state().job.as_ref().unwrap().review.decision, "Accepted for the test bench.");
}
