//! The hand that uses the window: opens it, presses what has a name, and looks for words.

use super::{Script, Shelf, parts};
use egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use polariscope::app::App;
use polariscope::app::command::Screen;
use polariscope::app::config::Config;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub type Window = Harness<'static, App>;

pub fn open_with(script: &Script, shelf: Shelf, config: Config) -> Window {
    open_shared(script, Arc::new(shelf), config)
}

/// A window whose shelf is looked after from outside.
pub fn open_shared(script: &Script, shelf: Arc<Shelf>, config: Config) -> Window {
    let mut parts = parts(script, shelf);
    parts.config = config;
    let builder = Harness::builder().with_size((1280.0, 800.0)).with_max_steps(20);
    let mut window = builder.build_eframe(|cc| App::new(&cc.egui_ctx, parts));
    window.run();
    window
}

pub fn open(script: &Script) -> Window {
    open_with(script, Shelf::default(), Config::nowhere())
}

/// Lets the debounced preview and the like come due: a step is a quarter of a second.
pub fn settle(window: &mut Window) {
    window.run_steps(3);
    window.run();
}

pub fn click(window: &mut Window, name: &str) {
    window.get_by_role_and_label(Role::Button, name).click();
    window.run();
}

pub fn go(window: &mut Window, screen: Screen) {
    window.get_by_role_and_label(Role::Tab, screen.name()).click();
    settle(window);
}

pub fn shows(window: &Window, words: &str) -> bool {
    let has = |text: Option<String>| text.is_some_and(|text| text.contains(words));
    window.root().children_recursive().any(|node| {
        let node = node.accesskit_node();
        has(node.label()) || has(node.value())
    })
}

#[track_caller]
pub fn assert_shows(window: &Window, words: &str) {
    assert!(shows(window, words), "nowhere on the screen: {words:?}");
}

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("the window never reads a dropped file itself".to_owned())
    }
}

/// A file or folder that falls on the window with its next frame.
pub fn let_fall(window: &mut Window, path: impl Into<PathBuf>) {
    window.input_mut().dropped_files.push(Arc::new(Dropped(path.into())));
}

/// A file or folder that is dropped on the window.
pub fn drop_file(window: &mut Window, path: impl Into<PathBuf>) {
    let_fall(window, path);
    settle(window);
}
