//! The classroom: what a teacher prepares, what a student does in ten minutes, what is handed in, and every lesson's ticks.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod common;

use common::hand::{Window, assert_shows, click, drop_file, go, open, open_with, settle, shows};
use common::{SPEC, Script, Shelf, parts};
use egui::accesskit::{Role, Toggled};
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use polariscope::app::App;
use polariscope::app::command::{Change, Screen, UserCommand};
use polariscope::app::config::{Config, LookChoice};
use polariscope::app::export::ExportChange;
use polariscope::app::lessons::{ClassFile, Classroom, GuessMade, HandIn, LessonChange, Outcome, Pack, RunScene, Tab};
use std::path::Path;
use std::sync::Arc;

fn room(window: &Window) -> &Classroom {
    &window.state().state().classroom
}

fn lesson_change(window: &mut Window, change: LessonChange) {
    window.state().requests().change(Change::Lesson(change));
    settle(window);
}

fn reached(window: &Window) -> bool {
    let course = room(window).course.as_ref().unwrap();
    course.is_reached(course.step)
}

/// A pack for lesson 1 in the making, with nothing in it that the lesson does not use.
fn preparing_lesson_1() -> Window {
    let mut window = open(&Script::answering());
    window.state().requests().command(UserCommand::PrepareClass);
    settle(&mut window);
    let mut prepare = room(&window).prepare.clone();
    prepare.lesson = Some(0);
    lesson_change(&mut window, LessonChange::Prepare(Box::new(prepare)));
    click(&mut window, "Only what the lesson uses");
    window
}

/// T1, step 4: all but the sticker, the model and the poisoning ratio is unticked.
#[test]
fn single_settings_are_left_out_of_a_pack() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = preparing_lesson_1();
    for name in ["Lab", "Start", "Poison: Ratio"] {
        tick(&mut window, name);
    }
    assert!(!room(&window).prepare.hidden_fields.contains("poison.ratio"));
    assert!(room(&window).prepare.hidden_fields.contains("train.epochs"));
    // A whole step at once, and back.
    let press = |window: &mut Window, name: &str| {
        window.get_by_role_and_label(Role::Button, name).click_accesskit();
        settle(window);
    };
    press(&mut window, "Tick all of Training");
    assert!(!room(&window).prepare.hidden_fields.contains("train.epochs"));
    press(&mut window, "Untick all of Training");
    click(&mut window, "Save pack…");
    let path = folder.path().join("ratio.polariscope.toml");
    save_as(&mut window, &path);
    assert!(std::fs::read_to_string(&path).unwrap().contains("\"poison.target\""));

    let mut window = open_on(&path);
    assert_eq!(rail(&window), ["Home", "Lab"]);
    go(&mut window, Screen::Lab);
    let there = |window: &Window, name: &str| window.query_all_by_label(name).next().is_some();
    assert!(there(&window, "Ratio") && there(&window, "Vary Ratio"));
    for gone in ["Target", "Size", "Choose the attack", "Attack the training", "Seed", "Experiment as text", "Presets"]
    {
        assert!(!there(&window, gone), "{gone} is there");
    }
    assert!(!there(&window, "Add defense"));
    window.get_by_label("Training: 8 epochs").click();
    settle(&mut window);
    assert_shows(&window, "These settings are left out by your teacher.");
    assert_shows(&window, "Simplified by your teacher.");
    click(&mut window, "Show everything");
    assert!(there(&window, "Epochs") && there(&window, "Experiment as text"));
}

/// Saves what the export dialog proposes as this file.
fn save_as(window: &mut Window, path: &Path) {
    window.state().requests().change(Change::Export(ExportChange::Path(path.display().to_string())));
    settle(window);
    click(window, "Save");
    settle(window);
}

fn rail(window: &Window) -> Vec<String> {
    window.query_all_by_role(Role::Tab).filter_map(|tab| tab.accesskit_node().label()).collect()
}

fn tick(window: &mut Window, name: &str) {
    window.get_by_role_and_label(Role::CheckBox, name).click_accesskit();
    settle(window);
}

/// A window that was opened on a file, as by a double click.
fn open_on(path: &Path) -> Window {
    let mut parts = parts(&Script::answering(), Arc::new(Shelf::default()));
    parts.open = Some(path.to_owned());
    let builder = Harness::builder().with_size((1280.0, 800.0)).with_max_steps(20);
    let mut window = builder.build_eframe(|cc| App::new(&cc.egui_ctx, parts));
    window.run();
    settle(&mut window);
    window
}

/// A pack for lesson 1 that leaves out all that it does not need, made in the window.
fn make_pack(path: &Path) -> Window {
    let mut window = preparing_lesson_1();
    window.get_by_label("Your own question").set_text_value_accesskit("Will normal pictures suffer?");
    settle(&mut window);
    click(&mut window, "Save pack…");
    save_as(&mut window, path);
    window
}

#[test]
fn a_teacher_prepares_tomorrow_s_lecture() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(&Script::answering());
    assert_shows(&window, "The backdoored model says: Ankle boot 97.0 %");
    window.get_by_role_and_label(Role::Switch, "Sticker").click();
    window.run();
    assert_shows(&window, "The backdoored model says: T-shirt 99.5 %");
    assert_shows(&window, "Want to know why?");
    window.get_by_role_and_label(Role::Link, "Lesson 1").click();
    settle(&mut window);
    assert_shows(&window, "Step 1 of 6");

    // The lesson stays while the screens change.
    go(&mut window, Screen::Lessons);
    assert_shows(&window, "Step 1 of 6");
    assert_shows(&window, "Again lesson 1: What a backdoor is");
    window.get_by_role_and_label(Role::RadioButton, "Show: Prepare for class").click();
    settle(&mut window);
    click(&mut window, "Only what the lesson uses");
    tick(&mut window, "Triggers");
    let start = window.get_by_role_and_label(Role::CheckBox, "Sticker on or off").accesskit_node();
    assert!(start.is_disabled() && start.toggled() == Some(Toggled::True), "the lesson needs it");
    window.get_by_label("Title of the pack").set_text_value_accesskit("Backdoor 1");
    settle(&mut window);
    window.get_by_label("Your own question").set_text_value_accesskit("Will normal pictures suffer?");
    settle(&mut window);

    // As the students will see it, and back.
    let all = rail(&window).len();
    let mut prepare = room(&window).prepare.clone();
    prepare.lesson = Some(0);
    lesson_change(&mut window, LessonChange::Prepare(Box::new(prepare)));
    click(&mut window, "Try it as a student");
    settle(&mut window);
    assert_eq!(rail(&window), ["Home", "Triggers"]);
    assert_shows(&window, "Simplified by your teacher.");
    click(&mut window, "Show everything");
    assert_eq!(rail(&window).len(), all);

    go(&mut window, Screen::Lessons);
    click(&mut window, "Save pack…");
    let path = folder.path().join("backdoor-1.polariscope.toml");
    save_as(&mut window, &path);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.len() < 16_000, "small enough for a mail: {} bytes", text.len());
    let Some(Ok(ClassFile::Pack(pack))) = ClassFile::read(&text) else { panic!("{text}") };
    assert_eq!((pack.title.as_str(), pack.question.as_str()), ("Backdoor 1", "Will normal pictures suffer?"));
    assert_eq!((pack.experiment.as_str(), pack.start.screen), (SPEC, Some(Screen::Home)));
    assert!(!pack.hidden.contains(&"go-triggers".to_owned()) && pack.hidden.contains(&"go-lab".to_owned()));
    window.key_press(Key::F5);
    window.run();
    assert_eq!(window.state().state().settings.look, LookChoice::Projector);
    assert_shows(&window, "Step 1 of 6");
}

#[test]
fn a_student_s_first_ten_minutes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("monday.polariscope.toml");
    make_pack(&path);
    let mut window = open_on(&path);
    assert_eq!((window.state().state().screen, rail(&window)), (Screen::Home, vec!["Home".to_owned()]));
    assert_shows(&window, "Simplified by your teacher.");
    // What is left out has no key and no line in the palette either.
    window.key_press_modifiers(Modifiers::COMMAND, Key::Num2);
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    settle(&mut window);
    assert_eq!(window.state().state().screen, Screen::Home);
    assert!(!shows(&window, "Preset: opens in the Lab") && !shows(&window, "Move to bin"));
    window.key_press(Key::Escape);
    settle(&mut window);

    click(&mut window, "Backdoored model, no sticker");
    settle(&mut window);
    assert!(reached(&window));
    click(&mut window, "Next step");
    assert_shows(&window, "What will the model say with the sticker on?");
    assert!(!shows(&window, "Put the sticker on"), "guess first");
    window.get_by_role_and_label(Role::RadioButton, "Your guess: The same as before").click();
    settle(&mut window);
    window.get_by_role_and_label(Role::Switch, "Sticker").click();
    settle(&mut window);
    assert!(reached(&window));
    assert_shows(&window, "You guessed “The same as before”. Many do");
    assert_shows(&window, "The backdoored model says: T-shirt 99.5 %");

    drop_file(&mut window, "/photos/my-own-shoe.jpg");
    assert_shows(&window, "brought to 28 × 28 pixels");
    assert_shows(&window, "Step 2 of 6");
    window.key_press(Key::L);
    settle(&mut window);
    assert_eq!(window.state().state().demo.heat().unwrap().peak(), [26, 26]);
    click(&mut window, "Move the sticker");
    window.key_press_modifiers(Modifiers::SHIFT, Key::ArrowLeft);
    settle(&mut window);
    assert_shows(&window, "away from there it has hardly any power");

    for _ in 0..6 {
        let choices: Vec<_> = window.query_all_by_role(Role::RadioButton).collect();
        let guess =
            choices.iter().find(|node| node.accesskit_node().label().is_some_and(|l| l.starts_with("Your guess")));
        if let Some(guess) = guess {
            guess.click();
        }
        settle(&mut window);
        window.state().requests().command(UserCommand::NextStep);
        settle(&mut window);
    }
    assert_shows(&window, "Will normal pictures suffer?");
    window.get_by_label("Your answer").set_text_value_accesskit("Hardly.");
    settle(&mut window);
    window.get_by_label("Your name").set_text_value_accesskit("Ada");
    settle(&mut window);
    click(&mut window, "Save my work…");
    let path = folder.path().join("ada.polariscope.toml");
    save_as(&mut window, &path);
    let Some(Ok(ClassFile::HandIn(work))) = ClassFile::read(&std::fs::read_to_string(&path).unwrap()) else {
        panic!("no hand-in")
    };
    assert_eq!((work.name.as_str(), work.answer.as_str()), ("Ada", "Hardly."));
    assert_eq!((work.seed, work.class_seed, work.steps), (7, Some(7), 6));
    assert_eq!((work.guesses[0].guess.as_str(), work.guesses[0].right), ("The same as before", false));
    assert!(work.experiment.contains("fashion-mini") && work.result.is_none());
}

fn hand_in(name: &str, seed: u64, asr: f64, right: bool) -> HandIn {
    let guess = GuessMade { step: 2, question: "With the sticker?".into(), guess: "The same".into(), right };
    let result = Outcome {
        run: "Corner patch".into(),
        acc: 0.86,
        asr: Some(0.99),
        repair: "NPD".into(),
        repaired_acc: Some(0.85),
        repaired_asr: Some(asr),
    };
    HandIn {
        name: name.into(),
        lesson: "What a backdoor is".into(),
        steps: 6,
        reached: 5,
        seed,
        guesses: vec![guess],
        result: Some(result),
        notes: format!("{name} was here."),
        ..HandIn::default()
    }
}

#[test]
fn hand_ins_become_a_table() {
    let folder = tempfile::tempdir().unwrap();
    for (name, seed, asr, right) in
        [("Ada", 7, 0.04, true), ("Grace", 7, 0.31, false), ("Alan", 9, 0.02, true), ("", 7, 0.12, false)]
    {
        let path = folder.path().join(format!("work-{name}.polariscope.toml"));
        std::fs::write(path, hand_in(name, seed, asr, right).to_toml().unwrap()).unwrap();
    }
    let late = hand_in("Edsger", 7, 0.5, true);
    let late_path = tempfile::tempdir().unwrap();
    let late_file = late_path.path().join("late.toml");
    std::fs::write(&late_file, late.to_toml().unwrap()).unwrap();

    let mut window = open(&Script::answering());
    drop_file(&mut window, folder.path());
    assert_eq!((window.state().state().screen, room(&window).tab), (Screen::Lessons, Tab::HandIns));
    drop_file(&mut window, &late_file);
    drop_file(&mut window, &late_file);
    assert_shows(&window, "5 hand-ins");
    assert_shows(&window, "1 with another seed than the class");
    assert_shows(&window, "9 other seed");
    assert_shows(&window, "no name");
    assert_shows(&window, "Grace was here.");
    click(&mut window, "Sort by ASR");
    let names = |window: &Window| room(window).hand_ins.rows().iter().map(|row| row.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&window), ["Alan", "Ada", "", "Grace", "Edsger"]);
    click(&mut window, "Sort by ASR");
    assert_eq!(names(&window)[0], "Edsger");
    click(&mut window, "Export Hand-ins");
    let csv = folder.path().join("class.csv");
    save_as(&mut window, &csv);
    let csv = std::fs::read_to_string(csv).unwrap();
    assert_eq!(csv.lines().count(), 6);
    assert!(csv.contains("Alan,What a backdoor is,1,1,5,6,NPD,0.850000,0.020000,9,yes,,Alan was here."), "{csv}");
}

#[test]
fn broken_and_newer_files_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open(&Script::answering());
    let path = folder.path().join("future.polariscope.toml");
    std::fs::write(&path, "polariscope = 'lesson-pack'\nschema = 9\n").unwrap();
    drop_file(&mut window, &path);
    assert_shows(&window, "This file was made by a newer Polariscope.");
    std::fs::write(&path, "polariscope = 'lesson-pack'\nschema = 1\ntitle = 3\n").unwrap();
    drop_file(&mut window, &path);
    assert_shows(&window, "This file of the classroom is damaged.");
    assert!(room(&window).pack.is_none());
}

/// Presses Tab until what has this name has the focus.
fn tab_to(window: &mut Window, name: &str) {
    let focused = |window: &Window| {
        window.root().children_recursive().any(|node| {
            let node = node.accesskit_node();
            node.is_focused() && node.label().is_some_and(|label| label.starts_with(name))
        })
    };
    for _ in 0..120 {
        if focused(window) {
            return;
        }
        window.key_press(Key::Tab);
        window.run();
    }
    panic!("Tab never reaches {name:?}");
}

#[test]
fn lesson_1_is_taken_with_the_keyboard_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open_with(&Script::answering(), Shelf::default(), Config::at(folder.path()));
    tab_to(&mut window, "Lesson 1: what just happened?");
    window.key_press(Key::Enter);
    settle(&mut window);
    let steps = room(&window).course.as_ref().unwrap().lesson.steps.clone();
    for (at, step) in steps.iter().enumerate() {
        assert_shows(&window, &format!("Step {} of {}", at + 1, steps.len()));
        if let Some(guess) = &step.guess {
            tab_to(&mut window, &format!("Your guess: {}", guess.choices[guess.right]));
            window.key_press(Key::Space);
            settle(&mut window);
        }
        tab_to(&mut window, &step.deeds[0].label);
        window.key_press(Key::Enter);
        settle(&mut window);
        assert!(reached(&window), "step {}: {}", at + 1, step.text);
        if step.guess.is_some() {
            assert_shows(&window, "You guessed it.");
        }
        window.key_press(Key::PageDown);
        settle(&mut window);
    }
    assert!(room(&window).course.as_ref().unwrap().is_done());
    assert!(room(&window).done.contains("what-a-backdoor-is"));
    window.key_press(Key::PageUp);
    settle(&mut window);
    assert_shows(&window, "Step 5 of 6");
    // It is where it was left after another start.
    window.run_steps(4);
    drop(window);
    let mut window = open_with(&Script::answering(), Shelf::default(), Config::at(folder.path()));
    assert_shows(&window, "Step 5 of 6");
    assert_shows(&window, "You guessed it.");
    tab_to(&mut window, "Close the lesson");
    window.key_press(Key::Enter);
    settle(&mut window);
    assert!(room(&window).course.is_none());
}

/// Every button of every lesson works, and every tick can be reached with them.
#[test]
fn every_lesson_can_be_taken_to_its_end() {
    let count = room(&open(&Script::answering())).lessons.len();
    for lesson in 0..count {
        let script = Script::answering();
        let shelf = Shelf::default();
        *shelf.results.lock().unwrap() = common::results();
        let mut window = open_with(&script, shelf, Config::nowhere());
        go(&mut window, Screen::Lessons);
        let lesson = room(&window).lessons[lesson].clone();
        let number = room(&window).lessons.iter().position(|other| other.id == lesson.id).unwrap() + 1;
        click(&mut window, &format!("Open lesson {number}: {}", lesson.title));
        settle(&mut window);
        let mut job = 0;
        for (at, step) in lesson.steps.iter().enumerate() {
            let here = format!("{}, step {}", lesson.id, at + 1);
            if let Some(guess) = &step.guess {
                let name = format!("Your guess: {}", guess.choices[guess.right]);
                window.get_by_role_and_label(Role::RadioButton, &name).click_accesskit();
                settle(&mut window);
            }
            for deed in &step.deeds {
                window.get_by_role_and_label(Role::Button, &deed.label).click_accesskit();
                settle(&mut window);
                window.run_steps(8);
                if deed.set.run.is_some() {
                    job += 1;
                    script.finish_job(job);
                    settle(&mut window);
                }
                if deed.set.run == Some(RunScene::Started) {
                    let place = if deed.set.audit.is_some() { Screen::Audit } else { Screen::Watch };
                    assert_eq!(window.state().state().screen, place, "{here}");
                }
            }
            assert!(reached(&window), "{here} is not ticked: {:?}", step.reached);
            if at + 1 < lesson.steps.len() {
                click(&mut window, "Next step");
            }
        }
        assert!(room(&window).done.contains(&lesson.id), "{}", lesson.id);
        assert!(window.state().state().notices.problems().is_empty(), "{}", lesson.id);
    }
}

#[test]
fn a_pack_without_a_lesson_still_asks_and_simplifies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("question.polariscope.toml");
    let pack = Pack {
        polariscope: Pack::KIND.into(),
        schema: 1,
        title: "Only a look".into(),
        question: "What do you see?".into(),
        hidden_fields: Vec::new(),
        hidden: vec!["go-lab".into(), "a-command-of-the-future".into()],
        experiment: String::new(),
        start: Default::default(),
        lesson: None,
    };
    std::fs::write(&path, pack.to_toml().unwrap()).unwrap();
    let mut window = open_on(&path);
    assert!(!rail(&window).contains(&"Lab".to_owned()));
    go(&mut window, Screen::Lessons);
    assert_shows(&window, "Only a look");
    click(&mut window, "Leave the pack");
    settle(&mut window);
    assert!(rail(&window).contains(&"Lab".to_owned()) && !shows(&window, "Simplified by your teacher."));
}
