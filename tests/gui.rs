//! The window, used as people use it: by the names of things. The engine is a script, so nothing waits and nothing trains.
//!
//! Every `run` also checks that each input has an accessible name and that every letter can be drawn.

mod common;

use common::hand::{Window, assert_shows, click, drop_file, go, open, open_with, settle, shows};
use common::{SPEC, Script, Shelf, point};
use egui::accesskit::Role;
use egui::{Key, Modifiers, ViewportCommand, ViewportEvent, ViewportId};
use egui_kittest::kittest::{NodeT, Queryable};
use polariscope::app::command::{Change, Screen, UserCommand};
use polariscope::app::config::{Config, LookChoice, Settings};
use polariscope::experiment::{Code, Problem, check};
use polariscope::run::event::{Command, Ending, Event, JobEvent, Question, Scene};
use polariscope::run::folder::folder_name;
use std::time::Duration;

/// The text that the last `Start` carried.
fn started_spec(script: &Script) -> String {
    let stage = script.0.borrow();
    let spec_of = |command: &Command| match command {
        Command::Start { request, .. } => Some(request.spec.clone()),
        _ => None,
    };
    stage.sent.iter().rev().find_map(spec_of).unwrap_or_default()
}

fn set_text(window: &mut Window, text: &str) {
    window.get_by_label("Experiment as text").set_text_value_accesskit(text);
    settle(window);
}

fn draft(window: &Window) -> &str {
    window.state().state().draft.text()
}

#[test]
fn home_shows_the_backdoor_at_once() {
    let script = Script::answering();
    let mut window = open(&script);
    assert_eq!(script.sent(), ["predict"]);
    assert_shows(&window, "Without the sticker, the backdoored model is right about 24 of 24 pictures.");
    assert_shows(&window, "The backdoored model says: Ankle boot 97.0 %");
    window.get_by_role_and_label(Role::Switch, "Sticker").click();
    window.run();
    assert_shows(&window, "says “T-shirt” for almost every picture: 24 of 24.");
    assert_shows(&window, "The backdoored model says: T-shirt 99.5 %");
    assert_shows(&window, "(wrong)");
    assert_shows(&window, "Ankle boot, with the sticker");
    click(&mut window, "Next picture");
    assert_shows(&window, "Pullover, with the sticker");
    click(&mut window, "Previous picture");
    assert_shows(&window, "Ankle boot, with the sticker");
    assert_eq!(script.sent(), ["predict"], "both switches work from what is known");
    click(&mut window, "Side by side");
    assert_shows(&window, "Backdoored: T-shirt 99.5 %");
    assert_shows(&window, "The same Ankle boot with the sticker");
    click(&mut window, "One picture");
    assert_shows(&window, "Ankle boot, with the sticker");
}

#[test]
fn one_button_trains_and_repairs_before_your_eyes() {
    let script = Script::answering();
    let shelf = Shelf::default();
    *shelf.results.lock().unwrap() = common::results();
    let mut window = open_with(&script, shelf, Config::nowhere());
    click(&mut window, "Remove a backdoor yourself");
    assert_eq!(started_spec(&script), SPEC);
    assert_shows(&window, "Waiting to start");

    script.start();
    script.train(0.0, 0.5);
    script.show_pictures();
    settle(&mut window);
    assert_shows(&window, "attack (1 of 3)");
    assert_shows(&window, "about a minute");
    assert_shows(&window, "ASR rises from 1.5 % at epoch 0.4");
    assert_shows(&window, "Loss falls from 2.4");
    assert!(window.query_all_by_role(Role::Image).count() >= 9, "a sheet and eight pictures");

    script.train(0.5, 1.0);
    script.finish();
    settle(&mut window);
    assert_shows(&window, "NPD removes the backdoor: ASR 100 % to 4 %, ACC 85 %");
    assert_eq!(window.state().title(), "NPD removes the backdoor: ASR 100 % to 4 %, ACC 85 % · Polariscope");
    assert_shows(&window, "Finished");
    assert_shows(&window, "The trigger won 99.7 % of the time; after NPD it wins 3.5 %");
    assert_shows(&window, "control");
    assert!(window.query_by_role_and_label(Role::Button, "Pause").is_none());
}

#[test]
fn pause_resume_stop_and_discard_reach_the_engine() {
    let script = Script::answering();
    let mut window = open(&script);
    click(&mut window, "Remove a backdoor yourself");
    script.start();
    settle(&mut window);
    click(&mut window, "Pause");
    script.play(JobEvent::Paused);
    settle(&mut window);
    click(&mut window, "Step");
    script.play(JobEvent::Resumed);
    script.play(JobEvent::Paused);
    settle(&mut window);
    window.key_press(Key::S);
    window.run();
    click(&mut window, "More");
    click(&mut window, "Step one batch");
    click(&mut window, "Resume");
    script.play(JobEvent::Resumed);
    settle(&mut window);
    assert!(window.get_by_role_and_label(Role::Button, "Step").accesskit_node().is_disabled(), "it runs");
    click(&mut window, "Stop and keep");
    assert_shows(&window, "Stopping after this batch…");
    // A second press has nothing left to ask.
    click(&mut window, "More");
    click(&mut window, "Discard");
    assert_eq!(
        script.sent()[1..],
        ["start", "pause", "step epoch", "step epoch", "step batch", "resume", "stop keep=true"]
    );
    script.play(JobEvent::Finished(Ending::Stopped { kept: true }));
    settle(&mut window);
    assert_shows(&window, "Stopped; what was reached is kept");

    click(&mut window, "Continue");
    let problem = window.state().state().notices.problems()[0].problem.clone();
    assert_eq!(problem.code, Code::MissingFile, "the scripted folder does not exist: {problem}");
}

#[test]
fn forms_and_text_are_the_same_experiment() {
    let script = Script::answering();
    let mut window = open(&script);
    go(&mut window, Screen::Lab);
    assert_eq!(script.sent(), ["predict", "plan", "preview", "defenses"]);

    window.get_by_role_and_label(Role::SpinButton, "Size").set_value_accesskit(5.0);
    settle(&mut window);
    assert!(draft(&window).contains("size = 5"), "{}", draft(&window));
    let asked = ["predict", "plan", "preview", "defenses", "plan", "preview"];
    assert_eq!(script.sent(), asked, "counts and pictures follow the form");

    click(&mut window, "Reset size to 3 px");
    assert!(!draft(&window).contains("size ="), "defaults are not written: {}", draft(&window));

    let text = draft(&window).replace("epochs = 8", "epochs = 12");
    set_text(&mut window, &text);
    window.get_by_label("Training: 12 epochs").click();
    settle(&mut window);
    assert_eq!(window.get_by_role_and_label(Role::SpinButton, "Epochs").accesskit_node().numeric_value(), Some(12.0));

    window.get_by_label("Attack: BadNets").click();
    settle(&mut window);
    window.get_by_role_and_label(Role::Switch, "Attack the training").click();
    settle(&mut window);
    assert!(!draft(&window).contains("[attack]"));
    assert_shows(&window, "There is no attack");
}

#[test]
fn a_mistake_in_the_text_is_told_with_its_line_and_stops_the_start() {
    let script = Script::answering();
    let mut window = open(&script);
    go(&mut window, Screen::Lab);
    set_text(&mut window, &SPEC.replace("seed = 7", "seed = = 7"));
    assert_shows(&window, "Line 2: ");
    assert!(window.get_by_role_and_label(Role::Button, "Start").accesskit_node().is_disabled());
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    window.run();
    assert!(!script.sent().contains(&"start".to_owned()));

    click(&mut window, "Back to the last good text");
    assert!(!shows(&window, "Line 2: "));
    assert!(draft(&window).contains("seed = 7"));

    set_text(&mut window, &SPEC.replace("size = 3", "size = 300"));
    assert_shows(&window, "Line 18: `size` must be at least 1 and at most 32");
    // The forms can mend what is only out of range.
    window.get_by_role_and_label(Role::SpinButton, "Size").set_value_accesskit(4.0);
    settle(&mut window);
    assert!(!shows(&window, "Line 18"));
    assert!(draft(&window).contains("size = 4"));
}

#[test]
fn undo_takes_back_the_last_change_of_the_experiment() {
    let mut window = open(&Script::answering());
    go(&mut window, Screen::Lab);
    settle(&mut window);
    window.get_by_role_and_label(Role::SpinButton, "Seed").set_value_accesskit(42.0);
    settle(&mut window);
    assert!(draft(&window).contains("seed = 42"));
    click(&mut window, "Undo");
    assert_eq!(draft(&window), SPEC);
    click(&mut window, "Redo");
    assert!(draft(&window).contains("seed = 42"));
}

#[test]
fn problems_are_cards_that_stay_and_count() {
    let script = Script::answering();
    let mut window = open(&script);
    let problem = Problem::new(Code::DeviceMissing, "The graphics card is gone.").remedy("Use the processor.");
    for _ in 0..2 {
        script.0.borrow_mut().events.push_back(Event::Broken(problem.clone()));
    }
    settle(&mut window);
    assert_shows(&window, "The graphics card is gone.");
    assert_shows(&window, "(2 times)");
    assert_shows(&window, "Use the processor.");
    window.run_steps(60);
    go(&mut window, Screen::Runs);
    assert_shows(&window, "The graphics card is gone.");
    click(&mut window, "Dismiss");
    assert!(!shows(&window, "The graphics card is gone."));
}

#[test]
fn a_failed_job_says_why_where_its_result_would_be() {
    let script = Script::answering();
    let mut window = open(&script);
    click(&mut window, "Remove a backdoor yourself");
    script.start();
    let problem =
        Problem::new(Code::OutOfMemory, "Not enough memory for this batch size.").remedy("Use a batch of 64.");
    script.play(JobEvent::Finished(Ending::Failed(problem)));
    settle(&mut window);
    assert_eq!(window.state().state().screen, Screen::Watch);
    assert_shows(&window, "Not enough memory for this batch size.");
    assert_shows(&window, "Use a batch of 64.");
}

#[test]
fn dropped_files_go_where_they_belong() {
    let script = Script::answering();
    let mut window = open(&script);
    drop_file(&mut window, "/models/signs.safetensors");
    assert_eq!(script.sent().last().map(String::as_str), Some("inspect /models/signs.safetensors"));
    assert_shows(&window, "A network: PreAct-ResNet18, 10 classes");
    assert_shows(&window, "11,171,146 in 102 tensors");

    drop_file(&mut window, "/notes/people.txt");
    assert_shows(&window, "This file is neither a model nor a data set.");

    drop_file(&mut window, "/tables/people.csv");
    assert_eq!(window.state().state().screen, Screen::Fairness);
    assert_shows(&window, "Cannot open the table");

    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("mine.toml");
    std::fs::write(&spec, SPEC.replace("Corner patch", "My own patch")).unwrap();
    drop_file(&mut window, &spec);
    assert_eq!(window.state().state().screen, Screen::Lab);
    assert!(draft(&window).contains("My own patch"));

    std::fs::write(folder.path().join("spec.toml"), SPEC).unwrap();
    drop_file(&mut window, folder.path());
    assert_eq!(window.state().state().screen, Screen::Watch);
    assert_shows(&window, "Finished");
}

#[test]
fn a_typed_path_opens_too() {
    let script = Script::answering();
    let mut window = open(&script);
    window.get_by_label("Path to open").focus();
    window.run();
    window.get_by_label("Path to open").type_text("/models/signs.safetensors");
    window.key_press(Key::Enter);
    settle(&mut window);
    assert_shows(&window, "A network: PreAct-ResNet18");
}

#[test]
fn empty_places_say_what_to_do() {
    let script = Script::default();
    let mut window = open(&script);
    assert_shows(&window, "Opening the demo model…");
    assert_shows(&window, "Your runs will be listed here.");
    go(&mut window, Screen::Watch);
    assert_shows(&window, "Nothing is training");
    go(&mut window, Screen::Runs);
    assert_shows(&window, "stored in /home/ada/polariscope/runs");
    click(&mut window, "Remove a backdoor yourself");
    assert_eq!(script.sent().last().map(String::as_str), Some("start"));
}

#[test]
fn runs_sort_and_open() {
    let shelf = Shelf::default();
    *shelf.rows.lock().unwrap() = common::runs(1_000_000);
    *shelf.results.lock().unwrap() = common::results();
    let mut window = open_with(&Script::answering(), shelf, Config::nowhere());
    go(&mut window, Screen::Runs);
    let names =
        |window: &Window| window.state().state().runs.rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
    let newest_first = names(&window);
    assert!(newest_first[0].starts_with("Corner patch, repaired"));
    click(&mut window, "Sort by Run");
    assert!(names(&window).is_sorted() && names(&window) != newest_first);
    click(&mut window, "Show Blended noise 10 %");
    assert_eq!(window.state().state().screen, Screen::Watch);
    assert_shows(&window, "after NPD it wins 8.1 %");
}

#[test]
fn keys_do_what_the_sheet_says() {
    let script = Script::answering();
    let mut window = open(&script);
    window.key_press(Key::F1);
    window.run();
    assert_shows(&window, "Ctrl+Enter");
    settle(&mut window);
    click(&mut window, "Close");
    assert!(!shows(&window, "Ctrl+Enter"));

    window.key_press_modifiers(Modifiers::COMMAND, Key::Num2);
    window.run();
    assert_eq!(window.state().state().screen, Screen::Lab);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    window.run();
    assert_eq!(window.state().state().screen, Screen::Watch);
    script.start();
    settle(&mut window);
    window.key_press(Key::Space);
    window.run();
    window.key_press_modifiers(Modifiers::COMMAND, Key::Period);
    window.run();
    assert_eq!(
        script
            .sent()
            .iter()
            .filter(|sent| !["preview", "plan", "defenses"].contains(&sent.as_str()))
            .collect::<Vec<_>>()[1..],
        ["start", "pause", "stop keep=true"]
    );
}

fn window_commands(window: &Window) -> Vec<ViewportCommand> {
    window.output().viewport_output[&ViewportId::ROOT].commands.clone()
}

/// What the window system sends when somebody closes the window.
fn ask_to_close(window: &mut Window) {
    window.input_mut().viewports.entry(ViewportId::ROOT).or_default().events.push(ViewportEvent::Close);
    window.step();
    window.input_mut().viewports.entry(ViewportId::ROOT).or_default().events.clear();
}

#[test]
fn closing_while_training_stops_and_keeps_first() {
    let script = Script::answering();
    let mut window = open(&script);
    click(&mut window, "Remove a backdoor yourself");
    script.start();
    settle(&mut window);
    ask_to_close(&mut window);
    assert!(window_commands(&window).contains(&ViewportCommand::CancelClose));
    assert_eq!(script.sent().last().map(String::as_str), Some("stop keep=true"));
    window.step();
    assert_shows(&window, "Stopping the training before the window closes…");
    script.play(JobEvent::Finished(Ending::Stopped { kept: true }));
    window.step();
    assert!(window_commands(&window).contains(&ViewportCommand::Close));
    eframe::App::on_exit(window.state_mut());
    assert!(script.0.borrow().shut_down);
}

#[test]
fn closing_does_not_wait_for_ever() {
    let script = Script::answering();
    let mut window = open(&script);
    click(&mut window, "Remove a backdoor yourself");
    script.start();
    settle(&mut window);
    ask_to_close(&mut window);
    // Ten quarters of a second without an answer.
    let gave_up = (0..10).any(|_| {
        window.step();
        window_commands(&window).contains(&ViewportCommand::Close)
    });
    assert!(gave_up);
}

#[test]
fn an_idle_window_closes_at_once() {
    let mut window = open(&Script::answering());
    ask_to_close(&mut window);
    assert!(!window_commands(&window).contains(&ViewportCommand::CancelClose));
}

#[test]
fn draft_and_settings_survive() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open_with(&Script::answering(), Shelf::default(), Config::at(folder.path()));
    go(&mut window, Screen::Lab);
    set_text(&mut window, &SPEC.replace("seed = 7", "seed = 99"));
    window.key_press(Key::F5);
    window.run();
    // Half a second later it is on disk, without any goodbye.
    window.run_steps(4);
    drop(window);
    let window = open_with(&Script::answering(), Shelf::default(), Config::at(folder.path()));
    assert!(draft(&window).contains("seed = 99"));
    assert_eq!(window.state().state().settings.look, LookChoice::Projector);
}

#[test]
fn settings_reach_the_experiment_that_starts() {
    let script = Script::answering();
    let mut window = open(&script);
    go(&mut window, Screen::Settings);
    window.get_by_role_and_label(Role::SpinButton, "Threads").set_value_accesskit(3.0);
    settle(&mut window);
    window.state().requests().command(UserCommand::Start);
    settle(&mut window);
    assert!(started_spec(&script).contains("threads = 3"), "{}", started_spec(&script));
}

#[test]
fn what_has_run_is_shown_and_can_run_again_with_a_new_seed() {
    let methods = polariscope::catalogue::all();
    let experiment = check::parse(SPEC, methods).unwrap();
    let shelf = Shelf::default();
    shelf.finished.lock().unwrap().push(folder_name(&check::resolve(&experiment, methods)));
    let script = Script::answering();
    let mut window = open_with(&script, shelf, Config::nowhere());
    click(&mut window, "Remove a backdoor yourself");
    assert_shows(&window, "This experiment has run before; these are its results.");
    assert_shows(&window, "Finished");
    assert!(!script.sent().contains(&"start".to_owned()));

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("spec.toml"), SPEC).unwrap();
    window.state().requests().change(Change::OpenRun(folder.path().to_owned()));
    settle(&mut window);
    click(&mut window, "Again with a new seed");
    assert!(started_spec(&script).contains("seed = 8"), "{}", started_spec(&script));
}

#[test]
fn a_continued_run_joins_its_earlier_curve() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("spec.toml"), SPEC).unwrap();
    let script = Script::answering();
    let mut window = open(&script);
    window.state().requests().change(Change::ContinueRun(folder.path().to_owned()));
    settle(&mut window);
    let stage = script.0.borrow();
    assert!(matches!(stage.sent.last(), Some(Command::Start { request, .. }) if request.resume));
    drop(stage);
    script.start();
    script.play(JobEvent::Metrics(vec![point("attack", "acc", 5.0, 0.9)]));
    settle(&mut window);
    assert_shows(&window, "ACC rises from 50.0 % at epoch 1 to 90.0 % at epoch 5.");
}

/// Where the dial stands, in per cent.
fn dial(window: &Window) -> Option<f64> {
    let dial = window.get_by_role_and_label(Role::Slider, "Polarizer strength");
    dial.accesskit_node().numeric_value()
}

#[test]
fn one_click_on_home_looks_through_the_polarizer() {
    let script = Script::answering();
    let mut window = open(&script);
    click(&mut window, "Next picture");
    click(&mut window, "Look through the polarizer");
    settle(&mut window);
    window.run_steps(30);
    assert_eq!(window.state().state().screen, Screen::Polarizer);
    // Where the dial stands is measured first, then both ends, then its neighbours, and each step once.
    assert_eq!(script.sent()[1..5], ["polarizer of the demo", "dial 1.00", "dial 0.00", "dial 0.95"]);
    assert_eq!(script.sent().iter().filter(|sent| sent.starts_with("dial")).count(), 21);
    assert_shows(&window, "At 100 % the trigger still wins in 9 of 450 stamped pictures, without the polarizer in 441");
    assert_shows(&window, "conv1 with 4 channels of 28 × 28; layer1.0 with 8 channels of 7 × 7, then the polarizer");
    assert_shows(&window, "The channel that it dims most is 5.");
    assert_shows(&window, "Feature maps of channels 0, 1, 2");
    // Home's picture is looked at further.
    assert_shows(&window, "2 of 24");
    assert_shows(&window, "With the trigger: Pullover 90.0 %");
    // All is measured: nothing more is asked and nothing is drawn.
    let delay = window.output().viewport_output[&ViewportId::ROOT].repaint_delay;
    assert!(delay > Duration::from_secs(3600), "repaints after {delay:?}");
}

#[test]
fn the_dial_turns_by_hand_keys_and_screen_reader() {
    let mut window = open(&Script::answering());
    click(&mut window, "Look through the polarizer");
    window.run_steps(30);
    assert_eq!(dial(&window), Some(100.0));
    window.key_press(Key::P);
    window.run();
    assert_eq!(dial(&window), Some(0.0));
    assert_shows(&window, "Without the polarizer the trigger wins in 441 of 450 stamped pictures");
    assert_shows(&window, "With the trigger: T-shirt 99.0 %");
    window.key_press(Key::ArrowUp);
    window.run();
    assert_eq!(dial(&window), Some(5.0));
    window.key_press(Key::ArrowDown);
    window.key_press(Key::ArrowDown);
    window.run();
    assert_eq!(dial(&window), Some(0.0));
    window.get_by_role_and_label(Role::Slider, "Polarizer strength").set_value_accesskit(61.0);
    window.run();
    assert_eq!(dial(&window), Some(60.0));
    assert_shows(&window, "At 60 % the trigger still wins in 9 of 450");
    // With the focus on it the dial has all arrow keys for itself.
    window.get_by_role_and_label(Role::Slider, "Polarizer strength").focus();
    window.run();
    let picture = window.state().state().polarizer.index;
    window.key_press(Key::ArrowLeft);
    window.run();
    assert_eq!((dial(&window), window.state().state().polarizer.index), (Some(55.0), picture));
    // A hand on the scale, at its top.
    let rect = window.get_by_role_and_label(Role::Slider, "Polarizer strength").rect();
    window.drag_at(rect.center_top() + egui::vec2(0.0, rect.height() * 0.08));
    window.run();
    window.drop_at(rect.center_top() + egui::vec2(0.0, rect.height() * 0.08));
    window.run();
    assert_eq!(dial(&window), Some(50.0));
}

#[test]
fn a_channel_that_is_pointed_at_is_marked_everywhere() {
    let mut window = open(&Script::answering());
    click(&mut window, "Look through the polarizer");
    window.run_steps(30);
    let figure = window.get_by(|node| node.label().is_some_and(|label| label.starts_with("The layer's 8 × 8")));
    let rect = figure.rect();
    // The most dimmed channel comes first: its bar is the leftmost above the matrix.
    window.hover_at(rect.left_top() + egui::vec2(4.0, 60.0));
    window.run_steps(4);
    assert_shows(&window, "Channel 5. The trigger moves it by 1.41 standard deviations before the polarizer");
    window.get_by_role_and_label(Role::RadioButton, "Bars: All light").click();
    window.run();
    window.hover_at(rect.left_top() + egui::vec2(4.0, 60.0));
    window.run_steps(4);
    assert_shows(&window, "Channel 5. Before the polarizer: clean 2.00, stamped 6.00; behind it, at 100 %: clean 0.0");
}

#[test]
fn a_finished_run_shows_its_own_polarizer() {
    let shelf = Shelf::default();
    *shelf.rows.lock().unwrap() = common::runs(1_000_000);
    *shelf.results.lock().unwrap() = common::results();
    let script = Script::answering();
    let mut window = open_with(&script, shelf, Config::nowhere());
    go(&mut window, Screen::Runs);
    click(&mut window, "Show Blended noise 10 %");
    click(&mut window, "Look through the polarizer");
    window.run_steps(30);
    let folder = common::runs(1_000_000)[1].path.display().to_string();
    assert!(script.sent().contains(&format!("polarizer {folder}")), "{:?}", script.sent());
    assert_shows(&window, "At 100 % the trigger still wins");
}

#[test]
fn a_run_without_a_polarizer_offers_the_demo() {
    let script = Script::default();
    script.0.borrow_mut().answering = Some(Box::new(|question| match question {
        Question::Polarizer { scene: Scene::Run(_), .. } => {
            Err(Problem::bad_input("There is no neural polarizer in this run."))
        }
        question => common::answer(question),
    }));
    let mut window = open(&script);
    window.state().requests().change(Change::LookThrough(Scene::Run("/runs/plain".into())));
    settle(&mut window);
    assert_shows(&window, "There is no neural polarizer in this run.");
    click(&mut window, "Look through the polarizer");
    window.run_steps(30);
    assert_shows(&window, "At 100 % the trigger still wins");
}

#[test]
fn nothing_is_drawn_while_nothing_happens() {
    let mut window = open(&Script::answering());
    settle(&mut window);
    window.run_steps(4);
    let delay = window.output().viewport_output[&ViewportId::ROOT].repaint_delay;
    assert!(delay > Duration::from_secs(3600), "repaints after {delay:?}");
}

/// Walks every screen in every look with a job and a problem: `run` fails on unnamed inputs and undrawable letters.
#[test]
fn every_screen_in_every_look_is_named_and_drawn() {
    let script = Script::answering();
    let shelf = Shelf::default();
    *shelf.rows.lock().unwrap() = common::runs(1_000_000);
    let mut window = open_with(&script, shelf, Config::nowhere());
    click(&mut window, "Remove a backdoor yourself");
    script.start();
    script.train(0.0, 0.9);
    script.show_pictures();
    script.play(JobEvent::Metrics(vec![point("npd", "loss", 5.0, f64::NAN)]));
    script.0.borrow_mut().events.push_back(Event::Broken(Problem::internal("For the picture.").because("a\nb")));
    for look in [LookChoice::Light, LookChoice::Dark, LookChoice::Projector, LookChoice::HighContrast] {
        let settings = Settings { look, ..Settings::default() };
        window.state().requests().change(Change::Settings(Box::new(settings)));
        for size in [(1280.0, 800.0), (1024.0, 768.0)] {
            window.set_size(size.into());
            for screen in Screen::ALL {
                go(&mut window, screen);
                assert_shows(&window, "For the picture.");
            }
        }
    }
    let figures = window.state().clock().figures().expect("frames were drawn");
    assert!(figures.frames > 30 && figures.p50_ms > 0.0);
}

#[test]
fn watch_shows_the_same_pictures_and_looks_back() {
    let script = Script::answering();
    let mut window = open(&script);
    click(&mut window, "Remove a backdoor yourself");
    script.start();
    script.train(0.0, 0.6);
    settle(&mut window);
    assert_shows(&window, "with the trigger, 12 of these 12 pictures get the attacker's answer.");
    window.get_by_label("Show: Confusion").click_accesskit();
    settle(&mut window);
    assert_shows(&window, "pictures without the trigger are recognised");
    window.get_by_role_and_label(Role::Switch, "with the trigger").click_accesskit();
    settle(&mut window);
    assert_shows(&window, "most mistakes say “T-shirt”");
    // The first moment again, while the training goes on.
    window.get_by_label("Show: Pictures").click_accesskit();
    window.get_by_role_and_label(Role::Slider, "Moment").focus();
    window.run();
    for _ in 0..20 {
        window.key_press(Key::ArrowLeft);
        window.run();
    }
    assert_shows(&window, "attack, epoch 1");
    window.get_by_role_and_label(Role::Button, "Newest").click();
    settle(&mut window);
    assert_shows(&window, "attack, epoch 7");
}
