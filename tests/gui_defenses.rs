//! The Lab's defense step: defenses by life-cycle stage, what each needs, and why one cannot be chosen; the engine is a
//! script.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod common;

use common::hand::{Window, assert_shows, click, go, open, open_with, settle, shows};
use common::{SPEC, Script, Shelf, mapped_back};
use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT, Queryable};
use polariscope::app::command::Screen;
use polariscope::app::config::Config;
use polariscope::experiment::Problem;
use polariscope::run::event::{Answer, Question, Refusal};

const PDB: &str = "PDB";

fn draft(window: &Window) -> &str {
    window.state().state().draft.text()
}

/// The Lab with its defense step and the list of defenses open.
fn choosing(script: &Script, text: &str) -> Window {
    let mut window = open(script);
    go(&mut window, Screen::Lab);
    window.get_by_label("Experiment as text").set_text_value_accesskit(text);
    settle(&mut window);
    window.get_by_role_and_label(Role::Tab, "Defense: Neural polarizer (NPD)").click();
    settle(&mut window);
    window.get_by_role_and_label(Role::ComboBox, "Choose the defense").click();
    window.run();
    window
}

fn is_offered(window: &Window, name: &str) -> bool {
    !window.get_by_role_and_label(Role::Button, name).accesskit_node().is_disabled()
}

#[test]
fn defenses_are_sorted_by_stage_and_say_what_they_need() {
    let mut window = choosing(&Script::answering(), SPEC);
    assert_shows(&window, "During training: trains on poisoned data");
    assert_shows(&window, "After training: repairs the model");
    assert_shows(&window, "Needs the training set, clean pictures (5 %), gradients.");
    let top = |name: &str| window.get_by_role_and_label(Role::Button, name).rect().top();
    assert!(top(PDB) < top("Fine-tuning (FT)"), "along the life of a model");

    window.get_by_role_and_label(Role::Button, PDB).click();
    settle(&mut window);
    assert!(draft(&window).contains("id = \"pdb\""), "{}", draft(&window));
    assert_shows(&window, "Proactive defensive backdoor: the defender plants a trigger of his own");
}

#[test]
fn what_the_attack_rules_out_is_grey_and_says_why() {
    let wanet = SPEC.replace("id = \"badnets\"\noptions = { size = 3, shape = \"checkerboard\" }", "id = \"wanet\"");
    let window = choosing(&Script::answering(), &wanet);
    assert!(!is_offered(&window, PDB) && is_offered(&window, "Fine-tuning (FT)"));
    assert_shows(&window, "PDB trains the network itself, and so does WaNet.");
}

#[test]
fn what_the_network_rules_out_is_grey_and_a_new_defense_is_one_that_works() {
    let script = Script::answering();
    let why = "Neural polarizer (NPD) trains weights, and this network (torchscript) shows none.";
    script.0.borrow_mut().answering = Some(Box::new(move |question| match question {
        Question::Defenses { .. } => {
            Ok(Answer::Defenses(vec![Refusal { method: "npd".into(), problem: Problem::bad_input(why) }]))
        }
        question => common::answer(question),
    }));
    let mut window = choosing(&script, SPEC);
    assert!(!is_offered(&window, "Neural polarizer (NPD)") && is_offered(&window, PDB));
    assert_shows(&window, why);
    assert!(!shows(&window, "this network (torchscript) shows none. Needs"));
    // Esc closes the list.
    window.key_press(egui::Key::Escape);
    settle(&mut window);
    window.get_by_role_and_label(Role::Button, "Add defense").click();
    settle(&mut window);
    assert!(draft(&window).contains("id = \"sau\""), "{}", draft(&window));
    assert_eq!(script.sent().iter().filter(|sent| *sent == "defenses").count(), 1, "one question for one network");
}

#[test]
fn a_defense_that_maps_labels_back_is_not_praised_for_its_asr() {
    let (script, shelf) = (Script::answering(), Shelf::default());
    *shelf.results.lock().unwrap() = mapped_back();
    let mut window = open_with(&script, shelf, Config::nowhere());
    click(&mut window, "Remove a backdoor yourself");
    script.start();
    script.train(0.0, 0.66);
    settle(&mut window);
    assert!(!shows(&window, "RAR"), "plain training has no label map");
    script.train_with_stamp();
    settle(&mut window);
    assert_shows(&window, "epochs; thin lines: the bare network");
    // Instead of ASR, which is next to nothing.
    assert_shows(&window, "RAR: 12.2 %");
    script.finish();
    settle(&mut window);
    assert_shows(&window, "after PDB it wins 3.8 %");
    assert_shows(&window, "PDB: RAR 13.7 %, of a perfect model 11.1 %. Where labels are mapped back, a low ASR");
}
