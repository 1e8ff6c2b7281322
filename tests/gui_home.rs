//! Home's two switches, the sticker that can be moved, somebody's own picture, and where the model looks.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod common;

use common::Script;
use common::hand::{Window, assert_shows, click, drop_file, open, settle, shows};
use egui::accesskit::{Role, Toggled};
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use polariscope::app::command::Screen;

fn place(window: &Window) -> Option<[usize; 2]> {
    window.state().state().demo.place
}

fn radio(window: &Window, model: &str) -> Option<Toggled> {
    let name = format!("Model: {model}");
    window.get_by_role_and_label(Role::RadioButton, &name).accesskit_node().toggled()
}

#[test]
fn letters_flip_the_switches_even_while_a_button_has_the_focus() {
    let mut window = open(&Script::answering());
    let switch = |window: &Window| window.get_by_role_and_label(Role::Switch, "Sticker").accesskit_node().toggled();
    assert_eq!((switch(&window), radio(&window, "Backdoored")), (Some(Toggled::False), Some(Toggled::True)));
    window.get_by_role_and_label(Role::Button, "Side by side").focus();
    window.run();
    window.key_press(Key::T);
    window.run();
    assert_eq!(switch(&window), Some(Toggled::True));
    assert_shows(&window, "The backdoored model says: T-shirt 99.5 %");
    window.key_press(Key::M);
    window.run();
    assert_eq!(radio(&window, "Repaired"), Some(Toggled::True));
    assert_shows(&window, "With the sticker on, the repaired model is right about 24 of 24 pictures.");
    window.get_by_role_and_label(Role::RadioButton, "Model: Healthy").click();
    window.run();
    assert_shows(&window, "With the sticker on, the healthy model is right about 24 of 24 pictures.");
    // Whoever writes means letters.
    window.get_by_label("Path to open").focus();
    window.run();
    window.key_press(Key::T);
    window.run();
    assert_eq!(switch(&window), Some(Toggled::True));
}

#[test]
fn the_sticker_moves_by_keys_and_by_hand_and_loses_its_power() {
    let script = Script::answering();
    let mut window = open(&script);
    click(&mut window, "Move the sticker");
    assert_shows(&window, "Sticker, column 25, row 25");
    window.key_press_modifiers(Modifiers::SHIFT, Key::ArrowLeft);
    settle(&mut window);
    window.key_press(Key::ArrowUp);
    settle(&mut window);
    assert_eq!(place(&window), Some([20, 24]));
    assert_shows(&window, "With the sticker in this place, the backdoored model is right about 24 of 24 pictures.");
    assert_shows(&window, "away from there it has hardly any power");
    // At the edge it stays inside.
    window.key_press_modifiers(Modifiers::SHIFT, Key::ArrowDown);
    settle(&mut window);
    assert_eq!(place(&window), Some([20, 25]));

    let grip = window.get_by_role_and_label(Role::Button, "Sticker, column 20, row 25").rect().center();
    window.drag_at(grip);
    window.run();
    let goal = grip + egui::vec2(-120.0, -200.0);
    window.hover_at(goal);
    window.run();
    window.drop_at(goal);
    settle(&mut window);
    let [left, top] = place(&window).unwrap();
    assert!(left < 15 && top < 15, "{left} {top}");
    assert_eq!(script.sent().last().map(String::as_str), Some("predict"));
    click(&mut window, "Back to its corner");
    settle(&mut window);
    assert_eq!(place(&window), None);
    assert_shows(&window, "says “T-shirt” for almost every picture: 24 of 24.");
}

#[test]
fn the_heat_map_follows_picture_sticker_and_model() {
    let script = Script::answering();
    let mut window = open(&script);
    window.key_press(Key::L);
    settle(&mut window);
    assert_shows(&window, "Heat: how much of “Ankle boot” is lost");
    window.key_press(Key::T);
    settle(&mut window);
    assert_shows(&window, "Heat: how much of “T-shirt” is lost");
    let heat = window.state().state().demo.heat().unwrap().clone();
    assert_eq!(heat.peak(), [26, 26], "it sits on the sticker");
    window.key_press(Key::M);
    settle(&mut window);
    assert_eq!(window.state().state().demo.heat().unwrap().peak(), [14, 14]);
    assert_eq!(script.sent(), ["predict", "heat of model 1", "heat of model 1", "heat of model 2"]);
    window.get_by_role_and_label(Role::Switch, "Where does it look?").click();
    settle(&mut window);
    assert!(!shows(&window, "Heat: how much"));
}

#[test]
fn a_dropped_picture_is_predicted_live_and_put_away() {
    let script = Script::answering();
    let mut window = open(&script);
    drop_file(&mut window, "/photos/boot.JPG");
    assert_eq!(window.state().state().screen, Screen::Home);
    assert_shows(&window, "brought to 28 × 28 pixels");
    assert_shows(&window, "your picture, without the sticker");
    assert!(!shows(&window, "(right)") && !shows(&window, "(wrong)"), "nobody knows what it is");
    window.key_press(Key::T);
    settle(&mut window);
    assert_shows(&window, "The backdoored model says: T-shirt 99.5 %");
    click(&mut window, "Put my picture away");
    assert_shows(&window, "Ankle boot, with the sticker");

    drop_file(&mut window, "/photos/letter.png");
    assert_shows(&window, "This is not a picture that can be read.");
    assert_shows(&window, "Ankle boot, with the sticker");
}
