//! What the window remembers between two starts: settings, the draft, and where it was left, as readable TOML files of their
//! own.

use super::command::Screen;
use super::fair::FairMemory;
use super::lessons::LessonMemory;
use crate::experiment::{DeviceChoice, Problem, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Which look to use; `System` follows the desktop's light or dark mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookChoice {
    #[default]
    System,
    Light,
    Dark,
    Projector,
    HighContrast,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub look: LookChoice,
    /// Zoom of everything, 0.5 to 3.
    pub text_size: f32,
    /// Used where an experiment says `auto`.
    pub device: DeviceChoice,
    /// Used where an experiment says 0.
    pub threads: usize,
    /// Where run folders are made; nothing means the program's own place.
    pub runs_folder: Option<PathBuf>,
    /// Whether the Lab shows the experiment's text beside the forms.
    pub show_text: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            look: LookChoice::System,
            text_size: 1.0,
            device: DeviceChoice::Auto,
            threads: 0,
            runs_folder: None,
            show_text: true,
        }
    }
}

/// How the window was left: where it stood and what it showed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WindowMemory {
    pub screen: Screen,
    /// Width and height in points, without frame.
    pub size: Option<[f32; 2]>,
    /// Left and top in points; some desktops do not tell and do not obey.
    pub position: Option<[f32; 2]>,
    pub maximized: bool,
    /// The finished run on Watch.
    pub run: Option<PathBuf>,
    /// The runs on Compare.
    pub compared: Vec<PathBuf>,
    /// Runs that lie outside the folder of runs and are listed with them.
    pub guests: Vec<PathBuf>,
    /// Where the last export went.
    pub export_folder: Option<PathBuf>,
    /// The zoom of each display; see [`super::displays`].
    pub zooms: BTreeMap<String, f32>,
}

impl WindowMemory {
    /// The size to open with: what was kept, as long as a window of it can be used.
    pub fn usable_size(&self, least: [f32; 2]) -> Option<[f32; 2]> {
        const MOST: f32 = 16_384.0;
        let usable = |size: &[f32; 2]| (0..2).all(|side| (least[side]..=MOST).contains(&size[side]));
        self.size.filter(usable)
    }
}

/// The files in which the window keeps its memory; `None` keeps nothing (tests, screenshots).
#[derive(Debug, Clone)]
pub struct Config {
    folder: Option<PathBuf>,
}

impl Config {
    /// `$POLARISCOPE_CONFIG`, else the place where this system keeps settings.
    pub fn of_this_user() -> Self {
        let folder = std::env::var_os("POLARISCOPE_CONFIG")
            .map(PathBuf::from)
            .or_else(|| directories::ProjectDirs::from("", "", "polariscope").map(|dirs| dirs.config_dir().to_owned()));
        Self { folder }
    }

    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()) }
    }

    pub fn nowhere() -> Self {
        Self { folder: None }
    }

    /// Settings as they were left; defaults where there are none or where they cannot be read.
    pub fn settings(&self) -> (Settings, Option<Problem>) {
        let Some(text) = self.read("settings.toml") else {
            return (Settings::default(), None);
        };
        match toml::from_str(&text) {
            Ok(settings) => (settings, None),
            Err(error) => {
                let problem = Problem::bad_file("The settings could not be read, so the window starts with its own.")
                    .because(error.message())
                    .remedy("Change a setting to write the file anew.");
                (Settings::default(), Some(problem))
            }
        }
    }

    /// How the window was left; as on the first day where that cannot be read.
    pub fn window(&self) -> WindowMemory {
        self.read("window.toml").and_then(|text| toml::from_str(&text).ok()).unwrap_or_default()
    }

    pub fn save_window(&self, window: &WindowMemory) -> Result<()> {
        let text = toml::to_string_pretty(window)
            .map_err(|error| Problem::internal("Cannot write the window's place as text.").because(error))?;
        self.write("window.toml", &text)
    }

    /// The fair regression that was looked at; nothing where it cannot be read.
    pub fn fairness(&self) -> Option<FairMemory> {
        toml::from_str(&self.read("fairness.toml")?).ok()
    }

    pub fn save_fairness(&self, memory: &FairMemory) -> Result<()> {
        let text = toml::to_string_pretty(memory)
            .map_err(|error| Problem::internal("Cannot write the fair regression as text.").because(error))?;
        self.write("fairness.toml", &text)
    }

    /// The sweep that was on Watch.
    pub fn sweep(&self) -> Option<String> {
        self.read("sweep.toml")
    }

    /// Nothing forgets it.
    pub fn save_sweep(&self, text: Option<&str>) -> Result<()> {
        match (text, &self.folder) {
            (Some(text), _) => self.write("sweep.toml", text),
            (None, Some(folder)) => {
                let path = folder.join("sweep.toml");
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        Err(Problem::io("forget the sweep", &path, &error))
                    }
                    _ => Ok(()),
                }
            }
            (None, None) => Ok(()),
        }
    }

    /// Where lessons were left; nowhere where that cannot be read.
    pub fn lessons(&self) -> LessonMemory {
        self.read("lessons.toml").and_then(|text| toml::from_str(&text).ok()).unwrap_or_default()
    }

    pub fn save_lessons(&self, memory: &LessonMemory) -> Result<()> {
        let text = toml::to_string_pretty(memory)
            .map_err(|error| Problem::internal("Cannot write the lessons' progress as text.").because(error))?;
        self.write("lessons.toml", &text)
    }

    pub fn draft(&self) -> Option<String> {
        self.read("draft.toml")
    }

    pub fn save_settings(&self, settings: &Settings) -> Result<()> {
        let text = toml::to_string_pretty(settings)
            .map_err(|error| Problem::internal("Cannot write the settings as text.").because(error))?;
        self.write("settings.toml", &text)
    }

    pub fn save_draft(&self, text: &str) -> Result<()> {
        self.write("draft.toml", text)
    }

    fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.as_ref()?.join(name)).ok()
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        match &self.folder {
            Some(folder) => write_whole(&folder.join(name), text),
            None => Ok(()),
        }
    }
}

/// Writes to a side file and renames it, so that a crash leaves the old file or the new one.
pub fn write_whole(path: &Path, text: &str) -> Result<()> {
    let problem = |error: &std::io::Error| Problem::io("write this file", path, error);
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|error| problem(&error))?;
    let mut side = tempfile::NamedTempFile::new_in(folder).map_err(|error| problem(&error))?;
    side.write_all(text.as_bytes()).map_err(|error| problem(&error))?;
    side.persist(path).map_err(|error| problem(&error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_draft_come_back() {
        let folder = tempfile::tempdir().expect("folder");
        let config = Config::at(folder.path().join("new/place"));
        assert_eq!(config.settings().0, Settings::default());
        let settings = Settings {
            look: LookChoice::Projector,
            text_size: 1.25,
            device: DeviceChoice::Cuda(1),
            runs_folder: Some("/data/runs".into()),
            ..Settings::default()
        };
        config.save_settings(&settings).expect("saved");
        config.save_draft("name = \"x\"").expect("saved");
        assert_eq!(config.settings(), (settings, None));
        assert_eq!(config.draft().as_deref(), Some("name = \"x\""));
    }

    #[test]
    fn the_window_comes_back_where_it_was() {
        let folder = tempfile::tempdir().expect("folder");
        let config = Config::at(folder.path());
        assert_eq!(config.window(), WindowMemory::default());
        let window = WindowMemory {
            screen: Screen::Compare,
            size: Some([1440.0, 900.0]),
            position: Some([-20.0, 35.5]),
            compared: vec!["/runs/a".into(), "/runs/b".into()],
            zooms: BTreeMap::from([("1920x1080 at 1.00".to_owned(), 1.5)]),
            ..WindowMemory::default()
        };
        config.save_window(&window).expect("saved");
        assert_eq!(config.window(), window);
        assert_eq!(window.usable_size([880.0, 600.0]), window.size);
        for size in [[879.0, 700.0], [1e9, 700.0], [f32::NAN, 700.0]] {
            assert_eq!(WindowMemory { size: Some(size), ..window.clone() }.usable_size([880.0, 600.0]), None);
        }
        std::fs::write(folder.path().join("window.toml"), "screen = \"cellar\"").expect("file");
        assert_eq!(config.window(), WindowMemory::default(), "what nobody knows any more is forgotten");
    }

    #[test]
    fn damaged_settings_are_told_and_do_not_stop_the_window() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("settings.toml"), "look = \"plaid\"").expect("file");
        let (settings, problem) = Config::at(folder.path()).settings();
        assert_eq!(settings, Settings::default());
        assert!(problem.expect("told").detail[0].contains("plaid"));
    }
}
