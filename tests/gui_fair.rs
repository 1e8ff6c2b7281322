//! The Fairness screen, used by the names of things. The engine is a script that answers with a real regression on the
//! embedded table, so every number that is looked at follows from data.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod common;

use common::hand::{Window, assert_shows, click, go, open, open_with, settle, shows};
use common::{Script, Shelf};
use egui::accesskit::Role;
use egui::{Key, ViewportId};
use egui_kittest::kittest::{NodeT, Queryable};
use polariscope::app::command::{Change, Screen};
use polariscope::app::comparison::CompareChange;
use polariscope::app::config::{Config, LookChoice, Settings};
use polariscope::app::export::ExportChange;
use polariscope::app::fair::{FairChange, Fairness};
use polariscope::app::run_list::RunChange;
use polariscope::experiment::Problem;
use polariscope::run::event::{Command, Question};
use polariscope::run::fair::Dial;
use std::sync::Mutex;
use std::time::Duration;

const HANDLE: &str = "Point on the trade-off curve";
const SLIDER: &str = "Share of the gap that is removed";

fn fairness(window: &Window) -> &Fairness {
    &window.state().state().fairness
}

fn ask(window: &mut Window, change: FairChange) {
    window.state().requests().change(Change::Fair(change));
    settle(window);
}

fn open_fairness(script: &Script) -> Window {
    let mut window = open(script);
    go(&mut window, Screen::Fairness);
    window
}

/// Where the handle stands, in per cent.
fn handle(window: &Window) -> Option<f64> {
    window.get_by_role_and_label(Role::Slider, HANDLE).accesskit_node().numeric_value()
}

fn sentence(window: &Window) -> String {
    let fair = fairness(window);
    let (course, now) = (fair.course.as_ref().unwrap(), fair.now.as_ref().unwrap());
    course.fit.sentence(now.dial)
}

/// The distance between the largest and smallest group mean of the test rows, as the table of groups shows it.
fn gap(window: &Window) -> f64 {
    fairness(window).now.as_ref().unwrap().point.test.gap
}

#[test]
fn the_first_look_is_alive() {
    let script = Script::answering();
    let window = open_fairness(&script);
    assert_eq!(script.sent()[1..], ["table communities", "fair"]);
    assert_shows(&window, "Trade-off curve. New data: gap ");
    assert_shows(&window, "Constant");
    assert_shows(&window, "Mean predictions by race: other 0.");
    assert_shows(&window, "It ties the groups' mean predictions only");
    assert_shows(&window, &sentence(&window));
    assert_eq!(handle(&window), Some(50.0));
    // All is there: nothing more is asked and nothing is drawn.
    let delay = window.output().viewport_output[&ViewportId::ROOT].repaint_delay;
    assert!(delay > Duration::from_secs(3600), "repaints after {delay:?}");
}

#[test]
fn the_point_moves_by_hand_keys_and_screen_reader_and_everything_follows() {
    let script = Script::answering();
    let mut window = open_fairness(&script);
    let (before, wide) = (sentence(&window), gap(&window));
    window.get_by_role_and_label(Role::Slider, HANDLE).focus();
    window.run();
    window.key_press(Key::ArrowRight);
    window.run();
    assert_eq!(handle(&window), Some(51.0));
    assert!(gap(&window) < wide && sentence(&window) != before);
    assert_shows(&window, &sentence(&window));
    window.key_press(Key::Home);
    window.run();
    assert_eq!(handle(&window), Some(0.0));
    assert_shows(&window, "Leaves the gap between groups as it is");
    window.key_press(Key::End);
    window.run();
    assert_eq!(handle(&window), Some(100.0));
    // On the training rows the means meet.
    assert!(fairness(&window).now.as_ref().unwrap().point.train.gap < 1e-9);

    window.get_by_role_and_label(Role::Slider, SLIDER).set_value_accesskit(25.0);
    window.run();
    assert_eq!(handle(&window), Some(25.0));
    window.get_by_role_and_label(Role::Slider, HANDLE).set_value_accesskit(75.0);
    window.run();
    assert_eq!(handle(&window), Some(75.0));

    // A hand: the least fair end is at the left, the fair one below.
    let rect = window.get_by_role_and_label(Role::Slider, HANDLE).rect();
    for (place, low, high) in [(rect.left_top(), 0.0, 20.0), (rect.right_bottom(), 80.0, 100.0)] {
        let inside = place + (rect.center() - place) * 0.1;
        window.drag_at(inside);
        window.run();
        window.drop_at(inside);
        window.run();
        let at = handle(&window).unwrap();
        assert!((low..=high).contains(&at), "{at} at {place:?}");
    }
    assert_eq!(script.sent().iter().filter(|sent| *sent == "fair").count(), 1, "one fit for the whole curve");
}

#[test]
fn group_means_and_people_follow_the_point() {
    let mut window = open_fairness(&Script::answering());
    let means = |window: &Window| {
        let split = &fairness(window).now.as_ref().unwrap().splits[0];
        split.figures.groups.iter().map(|group| group.prediction).collect::<Vec<_>>()
    };
    ask(&mut window, FairChange::Part(polariscope::app::fair::Part::Train));
    ask(&mut window, FairChange::Position(0.0));
    let apart = means(&window);
    assert!((apart[0] - apart[1]).abs() > 0.1, "{apart:?}");
    let people = fairness(&window).now.as_ref().unwrap().people.clone();
    ask(&mut window, FairChange::Position(1.0));
    let together = means(&window);
    assert!((together[0] - together[1]).abs() < 1e-9, "{together:?}");
    let moved = &fairness(&window).now.as_ref().unwrap().people;
    assert!(moved[0] > people[0] && moved[moved.len() - 1] < people[people.len() - 1], "{people:?} {moved:?}");
    // The same numbers in words and in the table.
    let mean = polariscope::run::fair::number(together[0]);
    assert_shows(&window, &format!("Mean predictions by race: other {mean}"));
    window.get_by_role_and_label(Role::RadioButton, "Show: Groups").click();
    settle(&mut window);
    assert_shows(&window, &mean);
    assert_shows(&window, "1,25");
}

#[test]
fn a_wanted_gap_is_found_a_point_is_pinned_and_another_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open_with(&Script::answering(), Shelf::default(), Config::at(folder.path()));
    go(&mut window, Screen::Fairness);
    window.get_by_role_and_label(Role::SpinButton, "Gap at most").set_value_accesskit(0.1);
    settle(&mut window);
    assert!((fairness(&window).now.as_ref().unwrap().point.train.gap - 0.1).abs() < 1e-6);
    window.get_by_role_and_label(Role::Button, "Pin").click();
    settle(&mut window);
    ask(&mut window, FairChange::Position(1.0));
    assert_shows(&window, "Against the pinned point: gap ");
    click(&mut window, "Keep this point");
    assert_shows(&window, "Kept: 100 % removed;");
    assert!(window.get_by_role_and_label(Role::Button, "Kept").accesskit_node().is_disabled());
    ask(&mut window, FairChange::Position(0.3));
    // Half a second later it is on disk, and there again with the next start.
    window.run_steps(4);
    drop(window);
    let mut window = open_with(&Script::answering(), Shelf::default(), Config::at(folder.path()));
    go(&mut window, Screen::Fairness);
    assert_eq!(handle(&window), Some(100.0));
    assert!(fairness(&window).is_kept());
}

#[test]
fn features_and_calibration_are_a_click_away() {
    let mut window = open_fairness(&Script::answering());
    window.get_by_role_and_label(Role::RadioButton, "Show: Features").click();
    settle(&mut window);
    assert_shows(&window, "race: influence");
    let first = window.state().state().fairness.course.as_ref().unwrap().order[1];
    let name = window.state().state().fairness.course.as_ref().unwrap().fit.features[first].name.clone();
    let starts = format!("{name}: influence");
    window.get_by(|node| node.label().is_some_and(|label| label.starts_with(&starts))).click();
    settle(&mut window);
    assert_shows(&window, &format!("Mean prediction by {name}: now from "));
    window.get_by_role_and_label(Role::RadioButton, "Show: Calibration").click();
    settle(&mut window);
    assert_shows(&window, "Calibration by race. Predicted minus true on average: other ");
}

#[test]
fn columns_are_chosen_and_two_attributes_get_two_pictures() {
    let script = Script::answering();
    let mut window = open_fairness(&script);
    click(&mut window, "Data and model");
    assert_shows(&window, "Communities and Crime (embedded): 1,994 rows, 120 columns");
    let mut experiment = fairness(&window).experiment.clone();
    experiment.table.sensitive.push("medIncome".to_owned());
    ask(&mut window, FairChange::Experiment(Box::new(experiment)));
    assert_shows(&window, "Changed; what is shown is the last fit.");
    click(&mut window, "Fit again");
    settle(&mut window);
    assert_shows(&window, "Predictions by race");
    assert_shows(&window, "Mean predictions by medIncome");
    assert_eq!(fairness(&window).course.as_ref().unwrap().fit.groups.len(), 4);
    // Several directions can be taken out in two ways.
    window.get_by_role_and_label(Role::RadioButton, "Way: Penalty").click();
    settle(&mut window);
    assert_shows(&window, "penalty ");
    click(&mut window, "Remove medIncome from the sensitive columns");
    assert_eq!(fairness(&window).experiment.table.sensitive, ["race"]);
    // The form of the model comes from its description.
    assert!(window.query_by_role_and_label(Role::SpinButton, "Folds").is_some());
}

#[test]
fn an_own_table_is_read_and_its_columns_are_proposed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("grades.csv");
    let rows = (0..60).map(|row| {
        let school = if row % 3 == 0 { "north" } else { "south" };
        format!("{school},{},{},{}\n", row % 7, row * 5 % 11, row % 7 + row * 5 % 11 / 2 + usize::from(row % 3 == 0))
    });
    std::fs::write(&file, format!("school,G1,G2,G3\n{}", rows.collect::<String>())).unwrap();
    let mut window = open_fairness(&Script::answering());
    window.state().requests().change(Change::Open(file));
    settle(&mut window);
    assert_shows(&window, "grades.csv: 60 rows, 4 columns");
    let table = &fairness(&window).experiment.table;
    assert_eq!((table.target.as_str(), &table.sensitive), ("G3", &vec!["school".to_owned()]));
    assert!(fairness(&window).course.is_none(), "nothing is fitted before somebody has looked at the columns");
    click(&mut window, "Fit");
    settle(&mut window);
    assert_shows(&window, "Mean predictions by school: north ");
}

#[test]
fn what_was_done_with_the_rows_is_told() {
    let mut window = open_fairness(&Script::answering());
    let notes = fairness(&window).course.as_ref().unwrap().fit.notes.clone();
    assert!(!notes.is_empty() && !shows(&window, &notes[0]));
    click(&mut window, "1 remark");
    assert_shows(&window, &notes[0]);
}

#[test]
fn a_bad_table_is_a_card_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.csv");
    std::fs::write(&file, "name\nada\n").unwrap();
    let mut window = open_fairness(&Script::answering());
    window.state().requests().change(Change::Open(file));
    settle(&mut window);
    assert_eq!(window.state().state().screen, Screen::Fairness);
    assert_shows(&window, "This table has only one column.");
    assert_shows(&window, "Cells may be separated by commas, semicolons, tabs or bars.");
    // Nothing can be chosen from it, but there is a way on.
    assert!(window.query_by_role_and_label(Role::SpinButton, "Folds").is_none());
    click(&mut window, "Communities and Crime");
    assert!(!shows(&window, "This table has only one column."));
    assert_shows(&window, "Trade-off curve. New data");
}

#[test]
fn a_fit_that_fails_leaves_the_last_one_in_sight() {
    let script = Script::answering();
    let mut window = open_fairness(&script);
    script.0.borrow_mut().answering = Some(Box::new(|question| match question {
        Question::Fair { .. } => Err(Problem::bad_input("`medIncome` has one value only.").remedy("Leave it out.")),
        question => common::answer(question),
    }));
    let mut experiment = fairness(&window).experiment.clone();
    experiment.seed = 7;
    ask(&mut window, FairChange::Experiment(Box::new(experiment)));
    click(&mut window, "Fit again");
    settle(&mut window);
    assert_shows(&window, "`medIncome` has one value only.");
    assert_shows(&window, "Leave it out.");
    assert_shows(&window, "Trade-off curve. New data");
}

#[test]
fn what_is_seen_is_exported() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open_fairness(&Script::answering());
    let mut save = |title: &str, format: &str| {
        window.state().requests().change(Change::Export(ExportChange::Open(Some(title.to_owned()))));
        settle(&mut window);
        if let Some(choice) = window.query_by_role_and_label(Role::RadioButton, &format!("Format: {format}")) {
            choice.click();
            settle(&mut window);
        }
        let path = folder.path().join(format!("saved.{}", format.to_lowercase()));
        window.get_by_label("File to write").set_text_value_accesskit(&path.display().to_string());
        settle(&mut window);
        click(&mut window, "Save");
        settle(&mut window);
        std::fs::read(&path).unwrap()
    };
    let csv = String::from_utf8(save("Trade-off in numbers", "CSV")).unwrap();
    assert_eq!(csv.lines().count(), 102);
    assert!(csv.starts_with("position,test_rmse,test_gap,train_rmse,train_gap,fold_sd_rmse,fold_sd_gap\n0.000000,"));
    let svg = String::from_utf8(save("Trade-off", "SVG")).unwrap();
    assert!(svg.contains("Attribute removed") && svg.contains("50 % removed"), "{svg}");
    let people = String::from_utf8(save("All predictions", "CSV")).unwrap();
    assert_eq!(people.lines().count(), 1 + 398);
    assert!(!save("Predictions by race", "PNG").is_empty());
}

#[test]
fn the_engine_writes_the_model_at_the_point_that_is_shown() {
    let script = Script::answering();
    let mut window = open_fairness(&script);
    ask(&mut window, FairChange::Position(0.8));
    window.state().requests().change(Change::Export(ExportChange::Open(Some("Fitted model".to_owned()))));
    settle(&mut window);
    assert_shows(&window, "At 80 % removed: Removes ");
    window.get_by_label("File to write").set_text_value_accesskit("/models/fair.safetensors");
    settle(&mut window);
    click(&mut window, "Save");
    settle(&mut window);
    assert_eq!(script.sent().last().map(String::as_str), Some("keep /models/fair.safetensors"));
    let stage = script.0.borrow();
    let dial = stage.sent.iter().find_map(|command| match command {
        Command::Ask(_, Question::KeepFair { dial, .. }) => Some(*dial),
        _ => None,
    });
    assert_eq!(dial, Some(Dial::Share(0.8)));
    drop(stage);
    assert_shows(&window, "Saved as /models/fair.safetensors");
}

#[test]
fn a_run_of_this_kind_is_listed_with_its_errors_and_gaps() {
    let run = common::fair_run();
    let shelf = Shelf { rows: Mutex::new(vec![run.clone()]), ..Shelf::default() };
    let mut window = open_with(&Script::answering(), shelf, Config::nowhere());
    go(&mut window, Screen::Runs);
    window.state().requests().change(Change::Runs(RunChange::Select(Some(run.path.clone()))));
    settle(&mut window);
    for words in ["no constraint", "fully fair", "0.290", "0.0109"] {
        assert_shows(&window, words);
    }
    assert!(!shows(&window, "no attack"));
    // Beside networks it has no place.
    window.state().requests().change(Change::Compare(CompareChange::Add(run.path)));
    settle(&mut window);
    assert_shows(&window, "A fair regression has no network to put beside others.");
    assert!(window.state().state().comparison.columns().is_empty());
}

#[test]
fn an_experiment_of_this_kind_opens_here() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    let preset = include_str!("../assets/presets/fair-communities.toml");
    std::fs::write(&file, preset.replace("seed = 1", "seed = 41")).unwrap();
    let script = Script::answering();
    let mut window = open(&script);
    window.state().requests().change(Change::Open(file));
    settle(&mut window);
    assert_eq!(window.state().state().screen, Screen::Fairness);
    assert_eq!(fairness(&window).experiment.seed, 41);
    assert_shows(&window, "Trade-off curve. New data");
}

/// Walks the screen in every look and at the smallest size: `run` fails on unnamed inputs and undrawable letters.
#[test]
fn it_works_in_every_look_and_in_a_small_window() {
    let mut window = open_fairness(&Script::answering());
    for look in [LookChoice::Light, LookChoice::Dark, LookChoice::Projector, LookChoice::HighContrast] {
        let settings = Settings { look, ..Settings::default() };
        window.state().requests().change(Change::Settings(Box::new(settings)));
        for size in [(1280.0, 800.0), (880.0, 600.0)] {
            window.set_size(size.into());
            settle(&mut window);
            click(&mut window, "Data and model");
            settle(&mut window);
            assert_shows(&window, "Communities and Crime (embedded): 1,994 rows, 120 columns");
            click(&mut window, "Data and model");
            settle(&mut window);
            for tab in ["Groups", "Features", "Calibration", "People"] {
                window.get_by_role_and_label(Role::RadioButton, &format!("Show: {tab}")).click_accesskit();
                settle(&mut window);
            }
            assert_shows(&window, "Trade-off curve. New data");
        }
    }
    window.get_by_role_and_label(Role::Slider, HANDLE).set_value_accesskit(10.0);
    settle(&mut window);
    assert_eq!(handle(&window), Some(10.0));
}
