//! What the program promises in every corner: empty places with one way on, a full disk, other eyes, rest, broken files.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod common;

use common::hand::{Window, assert_shows, click, drop_file, go, open, open_with, settle, shows};
use common::{Pictures, SPEC, Script, Shelf, point};
use egui::accesskit::{Live, Role};
use egui::{Key, ViewportId};
use egui_kittest::kittest::{NodeT, Queryable};
use polariscope::app::command::{Change, Screen, UserCommand};
use polariscope::app::comparison::CompareChange;
use polariscope::app::config::{Config, LookChoice, Settings};
use polariscope::app::theme::Vision;
use polariscope::experiment::{Code, Problem};
use polariscope::run::event::{Answer, Command, Ending, Glimpse, JobEvent, Picture, Question, Rgba, WatchedPicture};
use polariscope::run::job::resident_memory;
use polariscope::run::{RunFolder, State, Status};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const LOOKS: [LookChoice; 4] = [LookChoice::Light, LookChoice::Dark, LookChoice::Projector, LookChoice::HighContrast];

fn look(window: &mut Window, look: LookChoice) {
    window.state().requests().change(Change::Settings(Box::new(Settings { look, ..Settings::default() })));
    settle(window);
}

/// Where nothing is yet: what will be there, and the one button that leads on.
const EMPTY: [(Screen, &str, &str); 8] = [
    (Screen::Home, "The demo model cannot be shown.", "Remove a backdoor yourself"),
    (Screen::Triggers, "There is no picture to show.", "Lab"),
    (Screen::Watch, "Nothing is training", "Remove a backdoor yourself"),
    (Screen::Polarizer, "There is no polarizer to look through", "Look through the polarizer"),
    (Screen::Compare, "Put two runs side by side", "Remove a backdoor yourself"),
    (Screen::Fairness, "Or one that is inside the program:", "Communities and Crime"),
    (Screen::Audit, "Audit the demo model", "Audit the demo model"),
    (Screen::Runs, "No runs yet", "Remove a backdoor yourself"),
];

/// Acceptance check 2. The lower sizes are what is left of 1280 x 800 and 1024 x 768 at 200 %.
#[test]
fn every_empty_place_has_its_button_in_every_look_and_size() {
    let script = Script::default();
    script.0.borrow_mut().answering = Some(Box::new(|question| match question {
        Question::Table { source } => Err(Problem::bad_file("Cannot open the table.").at(source)),
        _ => Err(Problem::bad_input("There is nothing here.")),
    }));
    let mut window = open(&script);
    let mut lost = Vec::new();
    for chosen in LOOKS {
        look(&mut window, chosen);
        for size in [(1024.0, 768.0), (640.0, 400.0), (512.0, 384.0)] {
            window.set_size(size.into());
            for (screen, words, button) in EMPTY {
                window.state().requests().command(UserCommand::Go(screen));
                settle(&mut window);
                window.query_all_by_label("Show: One picture").for_each(|tab| tab.click_accesskit());
                settle(&mut window);
                // Where there is little room it may have to be scrolled to.
                let first = |window: &Window, ask: &dyn Fn(egui_kittest::Node<'_>) -> bool| {
                    window.query_all_by_role_and_label(Role::Button, button).next().is_some_and(ask)
                };
                first(&window, &|found| {
                    found.scroll_to_me();
                    true
                });
                settle(&mut window);
                let frame = egui::Rect::from_min_size(egui::Pos2::ZERO, size.into());
                let inside = first(&window, &|found| frame.contains_rect(found.rect()));
                if !inside || !shows(&window, words) {
                    lost.push(format!(
                        "{screen:?} in {chosen:?} at {size:?}: {words} ({}), {button} ({inside})",
                        shows(&window, words)
                    ));
                }
            }
        }
    }
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}

/// Acceptance check 6: the disk fills up in the middle of a training.
#[test]
fn a_run_without_room_waits_and_goes_on_in_another_folder() {
    let place = tempfile::tempdir().unwrap();
    let (run, stick) = (place.path().join("runs/corner-patch-1f0c22ab"), place.path().join("stick"));
    let folder = RunFolder::create(&run, SPEC).unwrap();
    let full = Problem::new(Code::DiskFull, "Cannot write a file.")
        .at(run.join("resume/attack.safetensors").display())
        .because("No space left on device (os error 28)");
    folder.set_status(&Status::now(State::Running).ended(State::Failed, Some(full.clone()))).unwrap();
    std::fs::create_dir(run.join("resume")).unwrap();
    std::fs::write(run.join("resume/attack.safetensors"), "epoch 3").unwrap();
    drop(folder);

    let script = Script::answering();
    let mut window = open(&script);
    click(&mut window, "Remove a backdoor yourself");
    script.play(JobEvent::Started { folder: run.clone(), device: "cpu".into(), threads: 2 });
    script.play(JobEvent::Phase { index: 0, of: 3, name: "attack".into() });
    script.train(0.0, 0.3);
    script.play(JobEvent::Finished(Ending::Failed(full)));
    settle(&mut window);
    assert_shows(&window, "Paused: no room on the disk");
    assert_shows(&window, "There is no room left on the disk, so the training waits.");
    assert_shows(&window, "No space left on device");
    assert!(!shows(&window, "--out"), "the words of the command line are not for the window");

    let field = window.get_by_role_and_label(Role::TextInput, "Another folder");
    field.set_text_value_accesskit(&stick.display().to_string());
    settle(&mut window);
    click(&mut window, "Go on there");
    settle(&mut window);
    let moved = stick.join("corner-patch-1f0c22ab");
    assert_eq!(std::fs::read_to_string(moved.join("resume/attack.safetensors")).unwrap(), "epoch 3");
    assert!(!run.exists(), "it lies in one place only");
    let started = script.0.borrow().sent.iter().rev().find_map(|command| match command {
        Command::Start { request, .. } => Some((**request).clone()),
        _ => None,
    });
    let request = started.unwrap();
    assert!(request.resume);
    assert_eq!(request.folder.as_deref(), Some(moved.as_path()));
    assert!(window.state().state().guests.contains(&moved), "it is listed with the others");
    assert!(!shows(&window, "There is no room left on the disk"));
}

/// The same where nothing could begin, and where there was no other folder after all.
#[test]
fn a_run_that_found_no_room_to_begin_is_tried_again() {
    let script = Script::answering();
    let mut window = open(&script);
    click(&mut window, "Remove a backdoor yourself");
    script.start();
    let full = Problem::new(Code::DiskFull, "There is not enough free space on the disk.").because("2 GB are needed");
    script.play(JobEvent::Finished(Ending::Failed(full)));
    settle(&mut window);
    assert_shows(&window, "2 GB are needed");
    click(&mut window, "Try again");
    let starts: Vec<_> = script.sent().into_iter().filter(|sent| sent == "start").collect();
    assert_eq!(starts.len(), 2);
    assert!(window.state().state().live_job().is_some());
}

/// Pictures that are kept for drawing.
fn pictures_made(window: &Window) -> usize {
    let textures = window.ctx.tex_manager();
    let textures = textures.read();
    textures.allocated().filter(|(_, meta)| meta.name == "picture").count()
}

/// Acceptance check 8: in any colour vision words and shapes tell the roles apart, and pictures follow the preview too.
#[test]
fn other_eyes_see_every_role_by_its_word_and_pictures_too() {
    let script = Script::answering();
    let mut window = open(&script);
    click(&mut window, "Remove a backdoor yourself");
    script.start();
    script.train(0.0, 0.9);
    settle(&mut window);
    assert!(pictures_made(&window) > 0);
    for vision in [Vision::Protanopia, Vision::Deuteranopia, Vision::Tritanopia, Vision::Grey] {
        let before = pictures_made(&window);
        window.state().requests().change(Change::See(vision));
        settle(&mut window);
        assert_shows(&window, &format!("Seen with {}", vision.name().to_lowercase()));
        for word in ["ACC", "ASR", "RA"] {
            assert_shows(&window, word);
        }
        assert!(pictures_made(&window) > before, "the pictures are made anew for {vision:?}");
    }
}

/// S3: what a switch does is told to those who do not see the bars.
#[test]
fn a_changed_prediction_is_announced() {
    let mut window = open(&Script::answering());
    let said = |window: &Window| {
        let live = |node: &egui_kittest::Node<'_>| node.accesskit_node().live() != Live::Off;
        let node = window.root().children_recursive().find(live).unwrap();
        let node = node.accesskit_node();
        node.value().or(node.label()).unwrap_or_default()
    };
    window.key_press(Key::T);
    settle(&mut window);
    assert_eq!(said(&window), "Prediction changed: T-shirt, 100 per cent; was Ankle boot");
    window.key_press(Key::T);
    settle(&mut window);
    assert_eq!(said(&window), "Prediction changed: Ankle boot, 97 per cent; was T-shirt");
    window.key_press(Key::ArrowRight);
    settle(&mut window);
    assert!(said(&window).starts_with("Prediction: "), "{}", said(&window));
}

/// Acceptance check 10, first half: on no screen is anything drawn while nothing happens.
#[test]
fn every_screen_rests_when_nothing_happens() {
    let shelf = Shelf::default();
    *shelf.rows.lock().unwrap() = common::runs(1_000_000);
    let mut window = open_with(&Script::answering(), shelf, Config::nowhere());
    for screen in Screen::ALL {
        go(&mut window, screen);
        window.run_steps(40);
        let delay = window.output().viewport_output[&ViewportId::ROOT].repaint_delay;
        assert!(delay > Duration::from_secs(3600), "{screen:?} is drawn again after {delay:?}");
    }
}

/// T3: the projector is plugged in; its zoom is remembered, and so is that of the laptop.
#[test]
fn every_display_keeps_its_zoom() {
    let config = tempfile::tempdir().unwrap();
    // The window stands on a display of so many pixels.
    fn stands_on(window: &mut Window, pixels: egui::Vec2) {
        for _ in 0..6 {
            let scale = window.ctx.pixels_per_point();
            window.input_mut().viewports.entry(ViewportId::ROOT).or_default().monitor_size = Some(pixels / scale);
            window.step();
        }
    }
    let (laptop, projector) = (egui::vec2(1366.0, 768.0), egui::vec2(1024.0, 768.0));
    let zoom = |window: &Window| (window.state().state().settings.text_size, window.ctx.zoom_factor());
    let mut window = open_with(&Script::answering(), Shelf::default(), Config::at(config.path()));
    stands_on(&mut window, laptop);
    stands_on(&mut window, projector);
    let settings = Settings { text_size: 1.5, ..Settings::default() };
    window.state().requests().change(Change::Settings(Box::new(settings)));
    stands_on(&mut window, projector);
    assert_eq!(zoom(&window), (1.5, 1.5));
    stands_on(&mut window, laptop);
    assert_eq!(zoom(&window), (1.0, 1.0), "as it was left");
    stands_on(&mut window, projector);
    assert_eq!(zoom(&window), (1.5, 1.5));
    drop(window);
    let mut window = open_with(&Script::answering(), Shelf::default(), Config::at(config.path()));
    stands_on(&mut window, laptop);
    assert_eq!(zoom(&window), (1.0, 1.0), "after another start too");
}

fn noise(seed: usize) -> Arc<Rgba> {
    let bytes = (0..32 * 32 * 4).map(|at| (at * 31 + seed * 7) as u8).collect();
    Arc::new(Rgba { width: 32, height: 32, bytes })
}

/// Acceptance check 10, second half: as many pictures and points as an hour brings stay within bounds.
#[test]
fn an_hour_of_training_does_not_fill_the_memory() {
    let script = Script::answering();
    let mut window = open(&script);
    click(&mut window, "Remove a backdoor yourself");
    script.start();
    script.train(0.0, 0.1);
    settle(&mut window);
    let template = window.state().state().job.as_ref().unwrap().glimpses.last().unwrap().clone();
    let before = resident_memory();
    // An epoch a second, a loss ten times a second, and a new live picture with each.
    for second in 0..3600_usize {
        let epoch = 1.0 + second as f64;
        let watched = |(index, old): (usize, &WatchedPicture)| WatchedPicture {
            clean: noise(second + index),
            stamped: noise(second + index + 1),
            ..old.clone()
        };
        let mut confusion = template.confusion.clone();
        confusion.epoch = Some(epoch);
        let pictures = template.pictures.iter().enumerate().map(watched).collect();
        script.play(JobEvent::Glimpse(Arc::new(Glimpse { confusion, pictures, seconds: Some(epoch) })));
        let losses = (0..10).map(|part| point("attack", "loss", epoch + f64::from(part) / 10.0, 0.5)).collect();
        script.play(JobEvent::Metrics(losses));
        script.0.borrow_mut().pictures =
            vec![Picture { key: "live".into(), caption: "Now".into(), rgba: noise(second) }];
        if second % 20 == 0 {
            window.run_steps(1);
        }
    }
    settle(&mut window);
    let job = window.state().state().job.as_ref().unwrap();
    assert!(job.glimpses.len() <= 256, "{} moments are kept", job.glimpses.len());
    let grown = resident_memory().saturating_sub(before);
    assert!(grown < 200_000_000, "an hour took {} MB", grown / 1_000_000);
}

/// A corpus of files that cannot be opened, with the sentence that each must get.
fn corpus() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let fixture = |name: &str| std::fs::read(Path::new("tests/fixtures").join(name)).unwrap();
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    vec![
        ("empty.pt", Vec::new(), "It is empty."),
        ("hostile.pt", fixture("hostile.pt"), "run a program"),
        ("hostile_legacy.pt", fixture("hostile_legacy.pt"), "run a program"),
        ("hostile_plain.pkl", fixture("hostile_plain.pkl"), "run a program"),
        ("laughs.pt", fixture("laughs.pt"), "without end"),
        ("half.pt", cut(fixture("kinds.pt")), "cut off or damaged"),
        ("half_legacy.pt", cut(fixture("kinds_legacy.pt")), "cut off"),
        ("pointer.pt", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n".to_vec(), "LFS"),
        ("huge.safetensors", [&u64::MAX.to_le_bytes()[..], b"{}"].concat(), "safetensors"),
        ("keras.h5", b"\x89HDF\r\n\x1a\n rest".to_vec(), "an HDF5 file, as Keras writes them, not weights."),
        ("llama.gguf", b"GGUF rest".to_vec(), "a GGUF language model, not weights."),
        ("weights.7z", b"7z\xbc\xaf\x27\x1c rest".to_vec(), "a 7z archive, not weights."),
        ("thesis.pdf", b"%PDF-1.7 rest".to_vec(), "a PDF document, not weights."),
        ("page.html", b"<!DOCTYPE html><html></html>".to_vec(), "It is a web page."),
        ("notes.bin", b"neither a model nor pictures".to_vec(), "not weights."),
        (
            "future.polariscope.toml",
            b"polariscope = 'lesson-pack'\nschema = 9\n".to_vec(),
            "made by a newer Polariscope.",
        ),
        (
            "other.polariscope.toml",
            b"polariscope = 'recipe'\nschema = 1\n".to_vec(),
            "is no kind of file that this program knows.",
        ),
        ("torn.polariscope.toml", b"polariscope = 'lesson-pack'\nschema = 1\n".to_vec(), "is damaged"),
        ("torn.toml", b"name = 'Torn\nseed = ".to_vec(), "line 1"),
        ("future.toml", SPEC.replacen("seed = 7", "schema = 99\nseed = 7", 1).into_bytes(), "reads formats up to"),
        ("broken.png", b"\x89PNG\r\n\x1a\n rest".to_vec(), "picture"),
        ("binary.csv", vec![0xff, 0xfe, 0x00, 0x01, 0x9c], "table"),
    ]
}

/// Acceptance check 12, by the engine's own reading, through the window: the cause, a way on, and the window lives.
#[test]
fn broken_files_get_a_sentence_and_a_way_on() {
    let folder = tempfile::tempdir().unwrap();
    let library = std::rc::Rc::new(std::cell::RefCell::new(polariscope::engine::Library::default()));
    let script = Script::default();
    script.0.borrow_mut().answering = Some(Box::new(move |question| match question {
        Question::Inspect { path } => polariscope::engine::inspect(path).map(Answer::Inspect),
        Question::Photo { .. } | Question::Table { .. } => polariscope::engine::answer(question, &library),
        question => common::answer(question),
    }));
    let mut wrong = Vec::new();
    for (name, bytes, sentence) in corpus() {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let mut window = open(&script);
        drop_file(&mut window, &path);
        settle(&mut window);
        let state = window.state().state();
        let told: Vec<Problem> = state
            .notices
            .problems()
            .iter()
            .map(|notice| notice.problem.clone())
            .chain(state.draft.problem().map(|found| found.problem.clone()))
            .chain(state.fairness.problem.clone())
            .collect();
        // A torn experiment is mended in its text, or left for the last good one.
        let way_on = |problem: &Problem| !problem.remedy.is_empty() || shows(&window, "Back to the last good text");
        let fits = |problem: &Problem| problem.to_string().contains(sentence) && way_on(problem);
        if !told.iter().any(fits) {
            wrong.push(format!("{name} should say {sentence:?} with a remedy, and says {told:?}"));
        }
        go(&mut window, Screen::Home);
        assert_shows(&window, "Same picture, two answers");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(Pictures::read().label(0), 9, "the pictures of the demo are there");
}

/// Acceptance check 3: F1 and the menu list every command with its explanation.
#[test]
fn the_sheet_and_the_menu_know_every_command() {
    let mut window = open(&Script::answering());
    window.key_press(Key::F1);
    settle(&mut window);
    for command in UserCommand::ALL {
        assert_shows(&window, command.label());
        assert_shows(&window, command.tooltip());
    }
    window.key_press(Key::Escape);
    settle(&mut window);
    click(&mut window, "Menu");
    settle(&mut window);
    for command in UserCommand::ALL {
        let listed = window
            .query_all_by_role(Role::Button)
            .any(|item| item.accesskit_node().label().is_some_and(|label| label.starts_with(command.label())));
        assert!(listed, "{command:?} is not in the menu");
    }
}

/// Acceptance check 5: what was interrupted offers to go on.
#[test]
fn an_interrupted_run_offers_to_continue() {
    let place = tempfile::tempdir().unwrap();
    let shelf = Shelf::default();
    let mut rows = common::runs(1_000_000);
    rows.retain(|row| row.state == Some(State::Interrupted));
    rows[0].path = place.path().to_owned();
    let name = rows[0].name.clone();
    *shelf.rows.lock().unwrap() = rows;
    std::fs::write(place.path().join("spec.toml"), SPEC).unwrap();
    let script = Script::answering();
    let mut window = open_with(&script, shelf, Config::nowhere());
    go(&mut window, Screen::Runs);
    window.get_by_role_and_label(Role::Link, &name).click();
    settle(&mut window);
    click(&mut window, &format!("Resume: {name}"));
    settle(&mut window);
    let stage = script.0.borrow();
    assert!(matches!(stage.sent.last(), Some(Command::Start { request, .. }) if request.resume));
}

/// Acceptance check 7: whoever does not see pictures and plots is told what is in them.
#[test]
fn every_picture_and_plot_has_a_description() {
    let script = Script::answering();
    let shelf = Shelf::default();
    *shelf.rows.lock().unwrap() = common::runs(1_000_000);
    *shelf.results.lock().unwrap() = common::results();
    let mut window = open_with(&script, shelf, Config::nowhere());
    for run in common::runs(1_000_000).into_iter().take(2) {
        window.state().requests().change(Change::Compare(CompareChange::Add(run.path)));
    }
    click(&mut window, "Remove a backdoor yourself");
    script.start();
    script.train(0.0, 1.0);
    script.show_pictures();
    let mut described = 0;
    for screen in Screen::ALL {
        go(&mut window, screen);
        window.run_steps(30);
        for node in window.root().children_recursive() {
            let node = node.accesskit_node();
            if matches!(node.role(), Role::Image | Role::Figure | Role::GraphicsDocument) {
                let told = node.label().or(node.value()).unwrap_or_default();
                assert!(told.len() > 3, "{screen:?}: a {:?} without a description", node.role());
                described += 1;
            }
        }
    }
    assert!(described > 20, "{described} pictures and plots");
}
