//! Keeps the house in order: which room may look at which, which crate is known where, and how long a file may get.

use std::fs;
use std::path::{Path, PathBuf};

/// A room may use the rooms of the floors below its own, not its neighbours.
const FLOORS: [&[&str]; 9] = [
    &["experiment"],
    &["run"],
    &["data"],
    &["nets"],
    &["attacks", "defenses", "fairness", "analysis"],
    // A check looks with the eyes of the defenses.
    &["checks"],
    &["catalogue"],
    &["engine"],
    &["cli", "app"],
];

/// The window talks to the engine through messages: all that it takes from there is what starts it.
const APP_MAY_USE: [&str; 4] = ["experiment", "run", "catalogue", "engine::Worker"];

const WINDOW_CRATES: [&str; 6] = ["eframe", "egui", "egui_extras", "egui_plot", "rfd", "wgpu"];

/// Longer files want to be two.
const MAX_LINES: usize = 700;

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn may_use_path(room: &str, path: &str) -> bool {
    let wanted = path.split("::").next().unwrap_or_default();
    if room == "app" && floor(wanted).is_some() && wanted != "app" {
        return APP_MAY_USE.iter().any(|allowed| path == *allowed || path.starts_with(&format!("{allowed}::")));
    }
    wanted == room || floor(wanted).is_none_or(|below| Some(below) < floor(room))
}

fn may_use_crate(room: &str, name: &str) -> bool {
    match name {
        "tch" => !["experiment", "run", "cli", "app"].contains(&room),
        "clap" => room == "cli",
        "rusqlite" => room == "run",
        _ => room == "app",
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Collects the paths of `a::{b, c::{d, e}}`: `a::b`, `a::c::d`, `a::c::e`. Returns where the text goes on.
fn paths(prefix: &str, text: &str, found: &mut Vec<String>) -> usize {
    let end = text.find(|letter| !is_word(letter) && letter != ':').unwrap_or(text.len());
    let path = format!("{prefix}{}", &text[..end]);
    if !text[end..].starts_with('{') || !(path.is_empty() || path.ends_with("::")) {
        found.push(path.trim_end_matches(':').to_owned());
        return end;
    }
    let mut at = end + 1;
    while let Some(letter) = text[at..].chars().next().filter(|letter| *letter != '}') {
        at += if is_word(letter) { paths(&path, &text[at..], found) } else { letter.len_utf8() };
    }
    at + 1
}

/// What this text, in this room, may not use: line and reason, in the order of the lines.
fn offences(room: &str, text: &str) -> Vec<(usize, String)> {
    let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    // `super::super::nets` is another way to say `crate::nets`.
    for root in ["crate::", "super::"] {
        for (at, _) in code.match_indices(root) {
            let mut used = Vec::new();
            paths("", &code[at + root.len()..], &mut used);
            found.extend(used.into_iter().filter(|path| !may_use_path(room, path)).map(|path| (at, path)));
        }
    }
    for name in ["tch", "clap", "rusqlite"].iter().chain(&WINDOW_CRATES).filter(|name| !may_use_crate(room, name)) {
        for (at, _) in code.match_indices(name) {
            let (before, after) = (&code[..at], &code[at + name.len()..]);
            let begins_path = after.starts_with("::") && !before.ends_with(|letter| is_word(letter) || letter == ':');
            let is_used = before.ends_with("use ") && !after.starts_with(is_word);
            if begins_path || is_used {
                found.push((at, (*name).to_owned()));
            }
        }
    }
    found.sort();
    let line = |at: usize| code[..at].matches('\n').count() + 1;
    found.into_iter().map(|(at, what)| (line(at), format!("{room} may not use {what}"))).collect()
}

fn files_in(folder: &Path, files: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            files_in(&path, files);
        } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "wgsl" || kind == "py") {
            files.push(path);
        }
    }
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    files_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    files
}

#[test]
fn every_room_uses_only_what_it_may() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut bad = Vec::new();
    for file in files("src") {
        let inside = file.strip_prefix(&source).unwrap();
        let room = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        // The doors: they must know both sides.
        if room == "lib" || room == "main" {
            continue;
        }
        assert!(floor(room).is_some(), "{} is in no room; give it a floor", inside.display());
        let text = fs::read_to_string(&file).unwrap();
        bad.extend(offences(room, &text).iter().map(|(line, why)| format!("src/{}:{line}: {why}", inside.display())));
    }
    assert!(bad.is_empty(), "\n{}", bad.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let files: Vec<_> =
        ["src", "tests", "packaging", "benches", "examples", "shaders"].into_iter().flat_map(files).collect();
    assert!(files.len() > 20, "only {} files were found", files.len());
    let is_long = |file: &&PathBuf| fs::read_to_string(file).unwrap().lines().count() > MAX_LINES;
    let long: Vec<_> = files.iter().filter(is_long).collect();
    assert!(long.is_empty(), "longer than {MAX_LINES} lines: {long:#?}");
}

#[test]
fn offences_are_seen() {
    let seen = |room, text| offences(room, text).into_iter().map(|(line, _)| line).collect::<Vec<_>>();
    assert_eq!(seen("data", "use crate::experiment::Problem;\nuse crate::nets::Params;"), [2]);
    assert_eq!(seen("data", "use crate::{\n    run,\n    nets::{Params, Pass},\n};"), [1, 1]);
    assert_eq!(seen("data", "use super::super::nets;\nuse super::poison;\n// crate::nets\n/// [`crate::engine`]"), [1]);
    assert_eq!(seen("attacks", "fn f() {\n    crate::defenses::g();\n}"), [2]);
    assert_eq!(seen("app", "use crate::engine::{Job, Worker};\nuse crate::engine::Worker;\nuse crate::nets;"), [1, 3]);
    assert_eq!(seen("run", "use tch;\nlet x = tch::f();\nlet latch = 1; latch::x(); my::tch::x();"), [1, 2]);
    assert_eq!(seen("cli", "let x: egui::Ui;\nuse clap::Parser;\nuse rusqlite as sql;"), [1, 3]);
}
