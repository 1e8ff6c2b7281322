//! The Lab's attack step: the poison planner and the selection, used by the names of things; the engine is a script.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod common;

use common::hand::{Window, assert_shows, go, open, settle, shows};
use common::{SPEC, Script};
use egui::accesskit::Role;
use egui_kittest::kittest::{NodeT, Queryable};
use polariscope::app::command::{Screen, UserCommand};

fn draft(window: &Window) -> &str {
    window.state().state().draft.text()
}

fn in_lab() -> Window {
    let mut window = open(&Script::answering());
    go(&mut window, Screen::Lab);
    window
}

fn set_text(window: &mut Window, text: &str) {
    window.get_by_label("Experiment as text").set_text_value_accesskit(text);
    settle(window);
}

#[test]
fn the_planner_tells_counts_and_labels_before_training() {
    let window = in_lab();
    assert_shows(&window, "1,000 of 10,000 training pictures (10.00 %), all of them labelled “T-shirt”.");
    assert_shows(&window, "896 labels change");
    let bars = "Poisoned training pictures per class: T-shirt 104 of 1,000, Trouser 98 of 1,000";
    assert!(
        window
            .query_all_by_role(Role::Figure)
            .any(|node| { node.accesskit_node().label().is_some_and(|label| label.starts_with(bars)) })
    );
    assert_shows(&window, "Label map, all to one: T-shirt as T-shirt 104, Trouser as T-shirt 98");
    assert_shows(&window, "Here that is all to one, as BadNets was published.");
}

#[test]
fn what_would_be_refused_stands_at_its_field() {
    let mut window = in_lab();
    set_text(&mut window, &SPEC.replace("[attack]", "[poison]\nlabel_map = \"clean-label\"\nratio = 0.2\n\n[attack]"));
    let alert = window.get_by_role_and_label(Role::Alert, "There are not enough pictures for this poisoning ratio.");
    assert!(alert.rect().height() > 0.0);
    assert_shows(&window, "2000 are wanted, 1000 are eligible");
    assert_shows(&window, "Choose a ratio of at most 0.1000.");
    assert_shows(&window, "All labels stay true.");
    set_text(&mut window, SPEC);
    assert!(!shows(&window, "not enough pictures"), "a mended experiment has no complaint");
}

fn choose_selection(window: &mut Window, name: &str) {
    // It stands far down in the form.
    window.get_by_role_and_label(Role::ComboBox, "Choose the selection").scroll_to_me();
    settle(window);
    window.get_by_role_and_label(Role::ComboBox, "Choose the selection").click();
    window.run();
    window.get_by_role_and_label(Role::Button, name).click();
    settle(window);
}

#[test]
fn a_selection_is_chosen_written_and_taken_back() {
    let mut window = in_lab();
    choose_selection(&mut window, "LPS");
    assert!(draft(&window).contains("[selection]\nid = \"lps\""), "{}", draft(&window));
    assert_shows(&window, "LPS trains a surrogate network first");
    assert_shows(&window, "Trouser up to 1,000");
    let rounds = window.get_by_role_and_label(Role::SpinButton, "Rounds");
    rounds.set_value_accesskit(4.0);
    settle(&mut window);
    assert!(draft(&window).contains("rounds = 4"), "{}", draft(&window));

    choose_selection(&mut window, "Random");
    assert!(!draft(&window).contains("[selection]"), "what is usual is not written: {}", draft(&window));
    window.get_by_role_and_label(Role::Switch, "Per class").click_accesskit();
    settle(&mut window);
    assert!(draft(&window).contains("per_class = true"), "{}", draft(&window));
    window.state().requests().command(UserCommand::Undo);
    settle(&mut window);
    assert!(!draft(&window).contains("per_class"), "{}", draft(&window));
}

#[test]
fn an_attack_that_owns_its_loop_has_no_selection_and_says_why() {
    let mut window = in_lab();
    let why = "WaNet stamps pictures anew in every batch; none can be selected for it.";
    set_text(
        &mut window,
        &SPEC.replace("id = \"badnets\"\noptions = { size = 3, shape = \"checkerboard\" }", "id = \"wanet\""),
    );
    assert_shows(&window, why);
    let choice = window.get_by_role_and_label(Role::ComboBox, "Choose the selection");
    assert!(choice.accesskit_node().is_disabled());

    // Written by hand it is refused, and a button mends it.
    let text = format!("{}\n[selection]\nid = \"lps\"\n", draft(&window));
    set_text(&mut window, &text);
    assert!(window.state().state().draft.problem().is_some_and(|problem| problem.problem.headline == why));
    window.get_by_role_and_label(Role::Button, "Leave out the selection").click_accesskit();
    settle(&mut window);
    assert!(!draft(&window).contains("[selection]") && window.state().state().draft.problem().is_none());
}
