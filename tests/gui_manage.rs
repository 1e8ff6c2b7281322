//! Runs, their comparison, the palette, exports and settings, used by the names of things; the engine is a script.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod common;

use common::hand::{Window, assert_shows, click, go, open, open_with, settle, shows};
use common::{SPEC, Script, Shelf};
use egui::accesskit::Role;
use egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT, Queryable};
use polariscope::app::command::{Change, Screen, UserCommand};
use polariscope::app::comparison::CompareChange;
use polariscope::app::config::{Config, LookChoice, Settings};
use polariscope::app::export::ExportChange;
use polariscope::app::state::State;
use polariscope::experiment::Problem;
use polariscope::run::event::{Command, Ending, Event, JobEvent, Progress};
use std::path::PathBuf;

const POLARIZED: &str = "Corner patch, repaired by a polarizer";
const BLENDED: &str = "Blended noise 10 %";

fn with_runs(script: &Script) -> Window {
    let shelf = Shelf::default();
    *shelf.rows.lock().unwrap() = common::runs(1_000_000);
    open_with(script, shelf, Config::nowhere())
}

fn state(window: &Window) -> &State {
    window.state().state()
}

fn ask(window: &mut Window, change: Change) {
    window.state().requests().change(change);
    settle(window);
}

fn command(window: &mut Window, command: UserCommand) {
    window.state().requests().command(command);
    settle(window);
}

fn keys(window: &mut Window, key: Key) {
    window.key_press_modifiers(Modifiers::COMMAND, key);
    settle(window);
}

fn type_into(window: &mut Window, field: &str, text: &str) {
    window.get_by_label(field).focus();
    window.run();
    window.get_by_label(field).type_text(text);
    settle(window);
}

fn open_details(window: &mut Window, run: &str) {
    window.get_by_role_and_label(Role::Link, run).click();
    settle(window);
}

fn shown_runs(window: &Window) -> Vec<String> {
    state(window).runs.shown().map(|row| row.name.clone()).collect()
}

fn run_path(name: &str) -> PathBuf {
    common::runs(0).into_iter().find(|row| row.name == name).unwrap().path
}

/// The window on Compare with these runs.
fn comparing(script: &Script, runs: &[&str]) -> Window {
    let mut window = with_runs(script);
    for run in runs {
        ask(&mut window, Change::Compare(CompareChange::Add(run_path(run))));
    }
    go(&mut window, Screen::Compare);
    window
}

#[test]
fn runs_are_found_by_any_word() {
    let mut window = with_runs(&Script::answering());
    keys(&mut window, Key::F);
    assert_eq!(state(&window).screen, Screen::Runs);
    type_into(&mut window, "Filter the runs", "badnets lecture");
    assert_eq!(shown_runs(&window), [POLARIZED]);
    type_into(&mut window, "Filter the runs", " wanet");
    assert_shows(&window, "No run matches “badnets lecture wanet”.");
    click(&mut window, "Clear the filter");
    assert_eq!(shown_runs(&window).len(), 5);
}

#[test]
fn tags_and_notes_are_written_and_come_back() {
    let mut window = with_runs(&Script::answering());
    go(&mut window, Screen::Runs);
    open_details(&mut window, BLENDED);
    type_into(&mut window, "New tag", "#shy");
    window.key_press(Key::Enter);
    settle(&mut window);
    type_into(&mut window, "Note", "Nobody sees this one.");
    // Leaving the field is enough.
    window.get_by_label("Filter the runs").focus();
    settle(&mut window);
    let row = state(&window).runs.get(&run_path(BLENDED)).unwrap().clone();
    assert_eq!((row.tags.as_slice(), row.note.as_str()), (&["shy".to_owned()][..], "Nobody sees this one."));
    click(&mut window, "Remove the tag shy");
    command(&mut window, UserCommand::RefreshRuns);
    let row = state(&window).runs.get(&run_path(BLENDED)).unwrap();
    assert!(row.tags.is_empty() && !row.note.is_empty(), "the list was read anew: {row:?}");
}

#[test]
fn a_tag_that_cannot_be_written_is_told() {
    let shelf = Shelf { read_only: true, ..Shelf::default() };
    *shelf.rows.lock().unwrap() = common::runs(1_000_000);
    let mut window = open_with(&Script::answering(), shelf, Config::nowhere());
    go(&mut window, Screen::Runs);
    open_details(&mut window, POLARIZED);
    click(&mut window, "Remove the tag lecture");
    assert_shows(&window, "Cannot write a file.");
    assert_eq!(state(&window).runs.selected().unwrap().tags, ["lecture", "monday"], "as it is on the disk");
}

#[test]
fn a_run_in_the_bin_comes_back_until_the_bin_is_emptied() {
    let mut window = with_runs(&Script::answering());
    go(&mut window, Screen::Runs);
    for run in [BLENDED, POLARIZED] {
        open_details(&mut window, run);
        window.key_press(Key::Delete);
        settle(&mut window);
    }
    assert_eq!(shown_runs(&window).len(), 3);
    assert_shows(&window, "In the bin: corner-patch--repaired-by-a-polarizer-1f0c22ab");
    click(&mut window, "Undo");
    assert!(shown_runs(&window).contains(&POLARIZED.to_owned()), "the last one comes back first");
    keys(&mut window, Key::Z);
    assert_eq!(shown_runs(&window).len(), 5);

    ask(&mut window, Change::Runs(polariscope::app::run_list::RunChange::MoveToBin(run_path(BLENDED))));
    command(&mut window, UserCommand::EmptyBin);
    assert_shows(&window, "Delete 1 run for ever?");
    click(&mut window, "Keep them");
    assert_eq!(state(&window).runs.in_bin, 1);
    command(&mut window, UserCommand::EmptyBin);
    click(&mut window, "Delete 1 run");
    assert_eq!((state(&window).runs.in_bin, state(&window).runs.binned.len()), (0, 0));
    keys(&mut window, Key::Z);
    assert_eq!(shown_runs(&window).len(), 4, "now it is gone");
}

#[test]
fn a_damaged_run_is_shown_and_hides_nobody() {
    let shelf = Shelf::default();
    let mut rows = common::runs(1_000_000);
    rows.push(common::damaged_run());
    *shelf.rows.lock().unwrap() = rows;
    let mut window = open_with(&Script::answering(), shelf, Config::nowhere());
    go(&mut window, Screen::Runs);
    assert_eq!(shown_runs(&window).len(), 6);
    assert_shows(&window, "unreadable");
    assert!(window.get_by_role_and_label(Role::Button, "Show half-copied").accesskit_node().is_disabled());
    open_details(&mut window, "half-copied");
    assert_shows(&window, "This folder does not hold a run.");
    assert!(window.query_by_role_and_label(Role::Button, "Add to comparison: half-copied").is_none());
    click(&mut window, "Move to bin: half-copied");
    assert_eq!(shown_runs(&window).len(), 5);
}

#[test]
fn a_run_becomes_a_new_experiment() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("spec.toml"), SPEC.replace("seed = 7", "seed = 1234")).unwrap();
    let mut window = open(&Script::answering());
    ask(&mut window, Change::OpenRun(folder.path().to_owned()));
    command(&mut window, UserCommand::UseAsExperiment);
    assert_eq!(state(&window).screen, Screen::Lab);
    assert!(state(&window).draft.text().contains("seed = 1234"));
}

#[test]
fn an_empty_comparison_has_one_button() {
    let mut window = with_runs(&Script::answering());
    go(&mut window, Screen::Compare);
    assert_shows(&window, "You have 3 finished runs.");
    click(&mut window, "Compare the two newest");
    settle(&mut window);
    let compared: Vec<_> = state(&window).comparison.columns().iter().map(|column| column.run.clone()).collect();
    assert_eq!(compared, [run_path(BLENDED), run_path(POLARIZED)], "the older one is the reference");
    let mut window = open(&Script::answering());
    go(&mut window, Screen::Compare);
    assert_shows(&window, "You have no finished run yet.");
}

/// The fourth journey of a teacher: thirty hand-ins, three of them side by side.
#[test]
fn hand_ins_side_by_side_tell_what_differs_and_which_is_better() {
    let mut window = with_runs(&Script::answering());
    go(&mut window, Screen::Runs);
    click(&mut window, "Sort by ASR after");
    for run in [POLARIZED, BLENDED] {
        open_details(&mut window, run);
        click(&mut window, &format!("Add to comparison: {run}"));
    }
    assert_shows(&window, "2 of 4 runs are in the comparison");
    go(&mut window, Screen::Compare);
    assert_shows(&window, "2 settings differ, so no single one explains the result.");
    assert_shows(&window, "Blended");
    assert_shows(&window, "The trigger wins least in Corner patch, repaired by a polarizer · NPD: 3.5 %");
    assert_shows(&window, "ASR 8.1 %");
    assert_shows(&window, "up 4.6 points, worse");
    assert_shows(&window, "ASR. Corner patch, repaired by a polarizer rises from 0.0 % at epoch 1");

    // The same picture changes when another model of the run is chosen.
    ask(&mut window, Change::Compare(CompareChange::Model(0, 0)));
    assert_shows(&window, "ASR 99.7 %");
    assert_shows(&window, "down 91.6 points, better");
}

/// A student looks for the smallest poison rate that works: the same experiment with one value changed.
#[test]
fn one_value_changed_is_the_one_difference_that_is_told() {
    let (script, shelf) = (Script::answering(), Shelf::default());
    let mut rows = common::runs(1_000_000);
    rows[2].seed = rows[0].seed;
    // Where the script says that the new run is.
    rows[2].path = "/runs/corner-patch-1f0c22ab".into();
    *shelf.rows.lock().unwrap() = rows;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("spec.toml"), SPEC).unwrap();
    let mut window = open_with(&script, shelf, Config::nowhere());
    ask(&mut window, Change::Compare(CompareChange::Add(run_path(POLARIZED))));
    ask(&mut window, Change::OpenRun(folder.path().to_owned()));
    command(&mut window, UserCommand::UseAsExperiment);
    window.get_by_role_and_label(Role::SpinButton, "Ratio").set_value_accesskit(1.0);
    settle(&mut window);
    assert!(state(&window).draft.text().contains("ratio = 0.01"), "{}", state(&window).draft.text());
    click(&mut window, "Start");
    script.start();
    script.finish();
    settle(&mut window);
    click(&mut window, "Add to comparison");
    go(&mut window, Screen::Compare);
    assert_shows(&window, "Only one thing differs: Poison · Ratio.");
    ask(&mut window, Change::Compare(CompareChange::Model(0, 0)));
    assert_shows(&window, "down 8.4 points, better");
}

/// The comparison of a supplier's repaired model with the first one: which pictures changed, each looked at.
#[test]
fn disagreements_are_listed_and_flipped_in_place() {
    let script = Script::answering();
    let mut window = comparing(&script, &[POLARIZED, BLENDED]);
    assert_eq!(script.sent().iter().filter(|sent| *sent == "predict").count(), 3, "the demo and each run once");
    assert_shows(&window, "The models differ on 14 of 120 test pictures");
    window.get_by_role_and_label(Role::RadioButton, "Pictures: Disagreements (14)").click_accesskit();
    settle(&mut window);
    assert_eq!(state(&window).comparison.shown().len(), 14);
    let first = |window: &Window| {
        let comparison = &state(window).comparison;
        comparison.prediction(0, comparison.shown()[comparison.picture()]).unwrap().prediction.row
    };
    let before = first(&window);
    window.key_press(Key::ArrowRight);
    settle(&mut window);
    assert_ne!(first(&window), before);
    assert_shows(&window, "(wrong)");

    let place = |window: &Window| {
        let named = |run: &str| {
            let starts = format!("{run}, with the trigger");
            let node = window.get_by(|node| node.label().is_some_and(|label| label.starts_with(&starts)));
            node.rect().left()
        };
        named(POLARIZED) < named(BLENDED)
    };
    assert!(place(&window), "the reference is at the left");
    window.key_down(Key::Space);
    window.run();
    assert!(!place(&window), "while Space is held each shows its neighbour");
    window.key_up(Key::Space);
    window.run();
    assert!(place(&window));
}

#[test]
fn columns_come_and_go() {
    let mut window = comparing(&Script::answering(), &[POLARIZED, BLENDED]);
    ask(&mut window, Change::Compare(CompareChange::AddModel(0, 0)));
    ask(&mut window, Change::Compare(CompareChange::Add(run_path("Corner patch 1 %"))));
    assert_shows(&window, "Poison · Ratio");
    ask(&mut window, Change::Compare(CompareChange::Add(run_path("CIFAR-10, WRN-16-1"))));
    assert_shows(&window, "4 runs are the most.");
    // The bin takes a run out of the comparison too.
    ask(&mut window, Change::Runs(polariscope::app::run_list::RunChange::MoveToBin(run_path(POLARIZED))));
    assert_eq!(state(&window).comparison.columns().len(), 2);
    ask(&mut window, Change::Compare(CompareChange::Clear));
    assert_shows(&window, "Put two runs side by side");
}

#[test]
fn the_palette_works_by_keys_alone() {
    let script = Script::answering();
    let mut window = with_runs(&script);
    keys(&mut window, Key::K);
    window.get_by_role_and_label(Role::TextInput, "Search or command").type_text("proj mode");
    settle(&mut window);
    window.key_press(Key::Enter);
    settle(&mut window);
    assert_eq!(state(&window).settings.look, LookChoice::Projector);
    assert!(!state(&window).show_palette);

    keys(&mut window, Key::K);
    window.get_by_role_and_label(Role::TextInput, "Search or command").type_text("blended");
    settle(&mut window);
    window.key_press(Key::Enter);
    settle(&mut window);
    assert_eq!(state(&window).screen, Screen::Watch);
    assert_eq!(state(&window).job.as_ref().unwrap().title, BLENDED);

    keys(&mut window, Key::K);
    for _ in 0..2 {
        window.key_press(Key::ArrowDown);
        settle(&mut window);
    }
    window.key_press(Key::ArrowUp);
    settle(&mut window);
    window.key_press(Key::Enter);
    settle(&mut window);
    assert_eq!(state(&window).screen, Screen::ALL[1], "the second line of the list of commands");

    keys(&mut window, Key::K);
    window.get_by_role_and_label(Role::TextInput, "Search or command").type_text("zzz");
    settle(&mut window);
    assert_shows(&window, "Nothing is called like that.");
    // Letters typed here are no shortcuts of the window behind.
    keys(&mut window, Key::Enter);
    window.key_press(Key::Escape);
    settle(&mut window);
    assert!(!state(&window).show_palette && !script.sent().contains(&"start".to_owned()));
}

#[test]
fn the_palette_knows_every_command_and_preset() {
    let mut window = with_runs(&Script::answering());
    keys(&mut window, Key::K);
    for command in UserCommand::ALL.iter().filter(|command| **command != UserCommand::TogglePalette) {
        assert_shows(&window, &format!("{}: {}", command.label(), command.tooltip()));
    }
    window.get_by_role_and_label(Role::TextInput, "Search or command").type_text("clean training");
    settle(&mut window);
    window.key_press(Key::Enter);
    settle(&mut window);
    assert_eq!(state(&window).screen, Screen::Lab);
    assert!(!state(&window).draft.text().contains("[attack]"));
}

#[test]
fn what_is_on_the_screen_is_exported_with_the_same_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = comparing(&Script::answering(), &[POLARIZED, BLENDED]);
    let save = |window: &mut Window, title: &str, format: &str, file: &str| {
        ask(window, Change::Export(ExportChange::Open(Some(title.to_owned()))));
        if let Some(choice) = window.query_by_role_and_label(Role::RadioButton, &format!("Format: {format}")) {
            choice.click();
            settle(window);
        }
        let path = folder.path().join(file);
        window.get_by_label("File to write").set_text_value_accesskit(&path.display().to_string());
        settle(window);
        click(window, "Save");
        settle(window);
        assert_shows(window, &format!("Saved as {}", path.display()));
        std::fs::read(&path).unwrap()
    };
    let csv = String::from_utf8(save(&mut window, "Table of results", "CSV", "table.csv")).unwrap();
    assert!(csv.contains("polarizer · NPD\"") && csv.contains(",0.847500,0.081100,"), "{csv}");
    let svg = String::from_utf8(save(&mut window, "Results side by side", "SVG", "bars.svg")).unwrap();
    assert!(svg.contains(">8.1 %<") && svg.contains("Experiment") && svg.contains("seed 9"), "{svg}");
    let png = save(&mut window, "ASR over time", "PNG", "curves.png");
    let picture = image::load_from_memory(&png).unwrap();
    assert_eq!((picture.width(), picture.height()), (1920, 1080));
    let csv = String::from_utf8(save(&mut window, "ASR over time", "CSV", "curves.csv")).unwrap();
    assert_eq!(csv.lines().next(), Some("curve,epochs,share of test pictures"));
    assert_eq!(csv.lines().count(), 1 + 2 * 12, "eight epochs of attack and four of repair, twice");
    let png = save(&mut window, "Picture without the trigger", "PNG", "picture.png");
    assert_eq!(image::load_from_memory(&png).unwrap().width(), 28 * 4);
    // Eight channels of 7 x 7 in four rows, a pixel between them; the trigger's channel is lit where it is stamped.
    go(&mut window, Screen::Polarizer);
    let png = save(&mut window, "Feature maps", "PNG", "maps.png");
    let maps = image::load_from_memory(&png).unwrap().into_luma8();
    assert_eq!((maps.width(), maps.height()), ((8 * 8 + 1) * 4, (4 * 8 + 1) * 4));
    let lit = |row: u32| maps.get_pixel((5 * 8 + 7) * 4, (row * 8 + 7) * 4)[0];
    assert!(lit(2) == 255 && lit(0) < 255, "{} {}", lit(0), lit(2));
}

#[test]
fn the_second_mouse_button_saves_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(&Script::answering());
    let picture = window.get_by(|node| {
        node.role() == Role::Image && node.label().is_some_and(|label| label.ends_with("without the sticker"))
    });
    picture.click_secondary();
    settle(&mut window);
    let path = folder.path().join("boot.png");
    window.get_by_label("File to write").set_text_value_accesskit(&path.display().to_string());
    settle(&mut window);
    window.get_by_role_and_label(Role::RadioButton, "Size: 1×").click();
    settle(&mut window);
    click(&mut window, "Save");
    let saved = image::open(&path).unwrap().into_rgba8();
    let shown = &state(&window).demo.prediction().unwrap().clean;
    assert_eq!(saved.into_raw(), shown.bytes, "pixel for pixel");
}

/// A run's poisoned set goes into a folder that was typed; its progress is seen, it can be stopped, its end is told.
#[test]
fn the_poisoned_set_of_a_run_is_exported() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("mine");
    let script = Script::answering();
    let mut window = with_runs(&script);
    go(&mut window, Screen::Runs);
    open_details(&mut window, BLENDED);
    let orders =
        |script: &Script| script.sent().into_iter().filter(|sent| sent.starts_with("export")).collect::<Vec<_>>();
    let give_order = |window: &mut Window| {
        click(window, &format!("Export the poisoned set: {BLENDED}"));
        settle(window);
        assert_shows(window, "Blended noise 10 %: Blended on fashion-mini");
        ask(window, Change::Export(ExportChange::Path(out.display().to_string())));
        assert!(shows(window, "Folder to write"));
        click(window, "Save");
        settle(window);
    };
    let tell = |window: &mut Window, event: JobEvent| {
        let id = match script.0.borrow().sent.last() {
            Some(Command::ExportPoison { job, .. }) => *job,
            Some(Command::Stop { job, .. }) => *job,
            other => panic!("{other:?}"),
        };
        script.0.borrow_mut().events.push_back(Event::Job(id, event));
        settle(window);
    };
    give_order(&mut window);
    assert_eq!(orders(&script), [format!("export Poison to {}", out.display())]);
    assert_shows(&window, "Waits until the engine is free");
    script.0.borrow_mut().progress = Some(Progress { done: 120, total: 4000, ..Progress::default() });
    settle(&mut window);
    assert_shows(&window, "120 of 4,000 pictures");

    // What the engine refuses is told where it can be mended.
    let refusal = Problem::bad_input("There is something in this place already.").at(out.display());
    tell(&mut window, JobEvent::Finished(Ending::Failed(refusal)));
    assert_shows(&window, "There is something in this place already.");
    assert!(state(&window).export.is_some() && state(&window).poison_export.is_none());
    click(&mut window, "Cancel");

    // All pictures; the dialog may be closed meanwhile.
    click(&mut window, &format!("Export the poisoned set: {BLENDED}"));
    settle(&mut window);
    window.get_by_role_and_label(Role::RadioButton, "Format: All pictures").click_accesskit();
    settle(&mut window);
    ask(&mut window, Change::Export(ExportChange::Path(out.display().to_string())));
    click(&mut window, "Save");
    click(&mut window, "Close");
    settle(&mut window);
    assert_eq!(orders(&script).last().unwrap(), &format!("export Everything to {}", out.display()));
    assert_shows(&window, "Poisoned set: 120 of 4,000 pictures");
    std::fs::create_dir(&out).unwrap();
    tell(&mut window, JobEvent::Note("100 stamped test pictures of 200".to_owned()));
    tell(&mut window, JobEvent::Finished(Ending::Done));
    assert_shows(&window, &format!("Saved as {}: 100 stamped test pictures of 200.", out.display()));
    assert_shows(&window, "Open folder");
    assert!(state(&window).poison_export.is_none());

    give_order(&mut window);
    click(&mut window, "Stop");
    settle(&mut window);
    assert_shows(&window, "Stopping…");
    tell(&mut window, JobEvent::Finished(Ending::Stopped { kept: false }));
    assert_shows(&window, "Stopped; nothing was written.");
    assert!(state(&window).export.as_ref().is_some_and(|dialog| !dialog.saving), "it can be ordered again");
}

/// A folder that was exported opens as the experiment that trains on it.
#[test]
fn an_exported_set_that_is_dropped_on_the_window_is_an_experiment() {
    let folder = tempfile::tempdir().unwrap();
    let mut set = common::poisoned_set();
    std::fs::write(folder.path().join("poisoned-set.json"), serde_json::to_string(&set).unwrap()).unwrap();
    let mut window = with_runs(&Script::answering());
    ask(&mut window, Change::Open(folder.path().to_owned()));
    assert_eq!(state(&window).screen, Screen::Lab);
    assert_shows(&window, "Stored poison");
    let text = state(&window).draft.text().to_owned();
    assert!(text.contains(&folder.path().display().to_string()) && text.contains("target = 4"), "{text}");

    set.extent = polariscope::run::poisoned_set::Extent::TestOnly;
    std::fs::write(folder.path().join("poisoned-set.json"), serde_json::to_string(&set).unwrap()).unwrap();
    ask(&mut window, Change::Open(folder.path().to_owned()));
    assert_shows(&window, "There are only stamped test pictures in this folder, nothing to train on.");
}

#[test]
fn every_screen_exports_or_says_that_there_is_nothing() {
    let mut window = with_runs(&Script::answering());
    ask(&mut window, Change::OpenRun(run_path(POLARIZED)));
    for screen in Screen::ALL {
        go(&mut window, screen);
        keys(&mut window, Key::E);
        let something = state(&window).export.as_ref().is_some_and(|dialog| !dialog.path.is_empty());
        assert!(something || shows(&window, "There is nothing to save on this screen yet."), "{screen:?}");
        if something {
            click(&mut window, "Cancel");
        }
        assert!(state(&window).export.is_none());
    }
}

#[test]
fn a_file_that_cannot_be_written_is_told_where_it_can_be_mended() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("taken"), "").unwrap();
    let mut window = with_runs(&Script::answering());
    go(&mut window, Screen::Runs);
    click(&mut window, "Export List of runs");
    let below_a_file = folder.path().join("taken/runs.csv");
    window.get_by_label("File to write").set_text_value_accesskit(&below_a_file.display().to_string());
    settle(&mut window);
    click(&mut window, "Save");
    assert_shows(&window, "Cannot write a file.");
    assert!(state(&window).export.is_some());
    let good = folder.path().join("runs");
    window.get_by_label("File to write").set_text_value_accesskit(&good.display().to_string());
    settle(&mut window);
    click(&mut window, "Save");
    let csv = std::fs::read_to_string(folder.path().join("runs.csv")).unwrap();
    assert_eq!(csv.lines().count(), 6);
    // The next export goes to the same place, under a name that is free.
    keys(&mut window, Key::E);
    assert!(state(&window).export.as_ref().unwrap().path.starts_with(&folder.path().display().to_string()));
}

#[test]
fn settings_tell_what_was_found_and_are_reset_with_undo() {
    let script = Script::answering();
    let mut window = open(&script);
    go(&mut window, Screen::Settings);
    assert_shows(&window, "There is no CUDA device.");
    window.get_by_role_and_label(Role::RadioButton, "Look: High contrast").click();
    window.get_by_role_and_label(Role::SpinButton, "Threads").set_value_accesskit(3.0);
    settle(&mut window);
    assert_eq!(state(&window).settings.look, LookChoice::HighContrast);
    click(&mut window, "Reset the settings");
    assert_eq!(state(&window).settings, Settings::default());
    click(&mut window, "Undo");
    assert_eq!((state(&window).settings.look, state(&window).settings.threads), (LookChoice::HighContrast, 3));
    click(&mut window, "Look again");
    assert_eq!(script.sent().iter().filter(|sent| *sent == "machine").count(), 2);
}

#[test]
fn the_window_comes_back_as_it_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let run = tempfile::tempdir().unwrap();
    let mut window = open_with(&Script::answering(), Shelf::default(), Config::at(folder.path()));
    ask(&mut window, Change::Compare(CompareChange::Add(run.path().to_owned())));
    go(&mut window, Screen::Compare);
    // Half a second later it is on disk, without any goodbye.
    window.run_steps(4);
    drop(window);
    let window = open_with(&Script::answering(), Shelf::default(), Config::at(folder.path()));
    assert_eq!(state(&window).screen, Screen::Compare);
    assert_eq!(state(&window).comparison.columns()[0].run, run.path());
}

/// Ctrl+Shift+Z is not Ctrl+Z with a thumb on the side.
#[test]
fn keys_with_shift_mean_themselves() {
    let mut window = open(&Script::answering());
    go(&mut window, Screen::Lab);
    settle(&mut window);
    window.get_by_role_and_label(Role::SpinButton, "Seed").set_value_accesskit(42.0);
    settle(&mut window);
    keys(&mut window, Key::Z);
    assert_eq!(state(&window).draft.text(), SPEC);
    window.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    settle(&mut window);
    assert!(state(&window).draft.text().contains("seed = 42"));
}
