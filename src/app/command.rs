//! What a person can ask the window to do. Menus, buttons, the shortcut sheet and the keyboard are made from one list, and
//! nothing changes while drawing: screens put requests here and the window carries them out between two frames.

use crate::experiment::Experiment;
use crate::run::event::Scene;
use egui::{Key, KeyboardShortcut, Modifiers};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::path::PathBuf;

/// The places of the window, in the order of the rail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Screen {
    #[default]
    Home,
    Lab,
    Triggers,
    Watch,
    Polarizer,
    Compare,
    Fairness,
    Audit,
    Lessons,
    Runs,
    Settings,
}

impl Screen {
    pub const ALL: [Screen; 11] = [
        Screen::Home,
        Screen::Lab,
        Screen::Triggers,
        Screen::Watch,
        Screen::Polarizer,
        Screen::Compare,
        Screen::Fairness,
        Screen::Audit,
        Screen::Lessons,
        Screen::Runs,
        Screen::Settings,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Screen::Home => "Home",
            Screen::Lab => "Lab",
            Screen::Triggers => "Triggers",
            Screen::Watch => "Watch",
            Screen::Polarizer => "Polarizer",
            Screen::Compare => "Compare",
            Screen::Fairness => "Fairness",
            Screen::Audit => "Audit",
            Screen::Lessons => "Lessons",
            Screen::Runs => "Runs",
            Screen::Settings => "Settings",
        }
    }

    pub fn purpose(self) -> &'static str {
        match self {
            Screen::Home => "See a backdoor at work in a real model",
            Screen::Lab => "Build an experiment",
            Screen::Triggers => "See what a trigger does to pictures, before any training",
            Screen::Watch => "Follow a training live, or look at a finished one",
            Screen::Polarizer => "See how one inserted layer holds the trigger back, and turn it up and down",
            Screen::Compare => "Put two to four runs side by side",
            Screen::Fairness => "See what equal predictions between groups cost, and choose a point of the trade-off",
            Screen::Audit => "Look for a backdoor in a model that somebody delivered",
            Screen::Lessons => "Short lessons beside the program; for teachers: packs and hand-ins",
            Screen::Runs => "Everything that was run",
            Screen::Settings => "Look, device, folders, and what this program found on this machine",
        }
    }

    /// Screens are numbered in the order of the rail as far as digits go; Runs has L, the list, and Settings the comma, as
    /// everywhere.
    fn key(self) -> Option<Key> {
        const NUMBERS: [Key; 9] =
            [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8, Key::Num9];
        match self {
            Screen::Runs => return Some(Key::L),
            Screen::Settings => return Some(Key::Comma),
            _ => {}
        }
        let place = Screen::ALL.iter().position(|screen| *screen == self)?;
        NUMBERS.get(place).copied()
    }
}

/// A command without data: what menus list and keys trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserCommand {
    Go(Screen),
    OpenFile,
    OpenFolder,
    RemoveBackdoor,
    LookThrough,
    ToggleSticker,
    NextModel,
    ToggleLook,
    FirstLesson,
    NextStep,
    PreviousStep,
    CloseLesson,
    PrepareClass,
    SaveWork,
    Start,
    TogglePause,
    StepEpoch,
    StepBatch,
    Replay,
    StopAndKeep,
    Discard,
    TogglePolarizer,
    MorePolarizer,
    LessPolarizer,
    NextPicture,
    PreviousPicture,
    RefreshRuns,
    FindRun,
    AddToComparison,
    UseAsExperiment,
    MoveToBin,
    EmptyBin,
    Export,
    ShowTable,
    Undo,
    Redo,
    ToggleText,
    ToggleProjector,
    ResetSettings,
    TogglePalette,
    ToggleShortcuts,
}

impl UserCommand {
    pub const ALL: [UserCommand; 51] = [
        UserCommand::Go(Screen::Home),
        UserCommand::Go(Screen::Lab),
        UserCommand::Go(Screen::Triggers),
        UserCommand::Go(Screen::Watch),
        UserCommand::Go(Screen::Polarizer),
        UserCommand::Go(Screen::Compare),
        UserCommand::Go(Screen::Fairness),
        UserCommand::Go(Screen::Audit),
        UserCommand::Go(Screen::Lessons),
        UserCommand::Go(Screen::Runs),
        UserCommand::Go(Screen::Settings),
        UserCommand::OpenFile,
        UserCommand::OpenFolder,
        UserCommand::RemoveBackdoor,
        UserCommand::LookThrough,
        UserCommand::ToggleSticker,
        UserCommand::NextModel,
        UserCommand::ToggleLook,
        UserCommand::FirstLesson,
        UserCommand::NextStep,
        UserCommand::PreviousStep,
        UserCommand::CloseLesson,
        UserCommand::PrepareClass,
        UserCommand::SaveWork,
        UserCommand::Start,
        UserCommand::TogglePause,
        UserCommand::StepEpoch,
        UserCommand::StepBatch,
        UserCommand::Replay,
        UserCommand::StopAndKeep,
        UserCommand::Discard,
        UserCommand::TogglePolarizer,
        UserCommand::MorePolarizer,
        UserCommand::LessPolarizer,
        UserCommand::PreviousPicture,
        UserCommand::NextPicture,
        UserCommand::RefreshRuns,
        UserCommand::FindRun,
        UserCommand::AddToComparison,
        UserCommand::UseAsExperiment,
        UserCommand::MoveToBin,
        UserCommand::EmptyBin,
        UserCommand::Export,
        UserCommand::ShowTable,
        UserCommand::Undo,
        UserCommand::Redo,
        UserCommand::ToggleText,
        UserCommand::ToggleProjector,
        UserCommand::ResetSettings,
        UserCommand::TogglePalette,
        UserCommand::ToggleShortcuts,
    ];

    /// An ellipsis says that more input will be asked for.
    pub fn label(self) -> &'static str {
        match self {
            UserCommand::Go(screen) => screen.name(),
            UserCommand::OpenFile => "Open file…",
            UserCommand::OpenFolder => "Open folder…",
            UserCommand::RemoveBackdoor => "Remove a backdoor yourself",
            UserCommand::LookThrough => "Look through the polarizer",
            UserCommand::ToggleSticker => "Sticker on or off",
            UserCommand::NextModel => "Another model",
            UserCommand::ToggleLook => "Where does it look?",
            UserCommand::FirstLesson => "Lesson 1: what just happened?",
            UserCommand::NextStep => "Next step",
            UserCommand::PreviousStep => "Previous step",
            UserCommand::CloseLesson => "Close the lesson",
            UserCommand::PrepareClass => "Prepare for class…",
            UserCommand::SaveWork => "Save my work…",
            UserCommand::Start => "Start",
            UserCommand::TogglePause => "Pause or resume",
            UserCommand::StepEpoch => "Step",
            UserCommand::StepBatch => "Step one batch",
            UserCommand::Replay => "Replay",
            UserCommand::StopAndKeep => "Stop and keep",
            UserCommand::Discard => "Discard",
            UserCommand::TogglePolarizer => "Polarizer off or full",
            UserCommand::MorePolarizer => "More polarizer",
            UserCommand::LessPolarizer => "Less polarizer",
            UserCommand::NextPicture => "Next picture",
            UserCommand::PreviousPicture => "Previous picture",
            UserCommand::RefreshRuns => "Read the runs again",
            UserCommand::FindRun => "Find a run",
            UserCommand::AddToComparison => "Add to comparison",
            UserCommand::UseAsExperiment => "Use as new experiment",
            UserCommand::MoveToBin => "Move to bin",
            UserCommand::EmptyBin => "Empty the bin…",
            UserCommand::Export => "Export…",
            UserCommand::ShowTable => "Show as table",
            UserCommand::Undo => "Undo",
            UserCommand::Redo => "Redo",
            UserCommand::ToggleText => "Show the experiment as text",
            UserCommand::ToggleProjector => "Projector mode",
            UserCommand::ResetSettings => "Reset the settings",
            UserCommand::TogglePalette => "Search or command",
            UserCommand::ToggleShortcuts => "Keys and help",
        }
    }

    pub fn tooltip(self) -> &'static str {
        match self {
            UserCommand::Go(screen) => screen.purpose(),
            UserCommand::OpenFile => "A model, a data set, a picture, or an experiment (.toml)",
            UserCommand::OpenFolder => "A folder of pictures, or the folder of a run",
            UserCommand::RemoveBackdoor => {
                "Trains a small network with a backdoor in it, then takes the backdoor out, before your eyes"
            }
            UserCommand::LookThrough => {
                "The layer that repairs the model of this page: what it holds back, and a dial that turns it up and down"
            }
            UserCommand::ToggleSticker => "Put the trigger on the picture of Home, or take it off",
            UserCommand::NextModel => "Ask the healthy, the backdoored and the repaired model in turn",
            UserCommand::ToggleLook => {
                "Covers the picture piece by piece: hot is where the answer suffers most (occlusion, Zeiler and Fergus 2014)"
            }
            UserCommand::FirstLesson => "Five minutes on what a backdoor is, beside the program",
            UserCommand::NextStep => "Go on with the lesson",
            UserCommand::PreviousStep => "Back in the lesson",
            UserCommand::CloseLesson => "Put the lesson away; Lessons opens it again",
            UserCommand::PrepareClass => {
                "One file for all students: lesson, experiment, question, and what they may touch"
            }
            UserCommand::SaveWork => "Guesses, results, notes and experiment in one small file for your teacher",
            UserCommand::Start => "Run the experiment of the Lab, or the audit",
            UserCommand::TogglePause => "Hold the training after this batch, or the replay, or go on",
            UserCommand::StepEpoch => "Go on to the end of this epoch, then pause again",
            UserCommand::StepBatch => "Go on for one batch, then pause again",
            UserCommand::Replay => "Play this run again from its records, faster or slower; nothing is trained",
            UserCommand::StopAndKeep => "End after this batch; measure and keep what was reached",
            UserCommand::Discard => "End after this batch and throw away what was made",
            UserCommand::TogglePolarizer => "The model without its polarizer, and with all of it",
            UserCommand::MorePolarizer => "Turn the polarizer up by 5 %",
            UserCommand::LessPolarizer => "Turn the polarizer down by 5 %",
            UserCommand::NextPicture | UserCommand::PreviousPicture => {
                "Look at another picture of the test set, or another epoch of a replay"
            }
            UserCommand::RefreshRuns => "Look into the runs folder for what is new",
            UserCommand::FindRun => "Search the runs by name, attack, defense, state, tag or note",
            UserCommand::AddToComparison => "Put this run beside others on Compare",
            UserCommand::UseAsExperiment => "Open this run's experiment in the Lab, to change it and run it again",
            UserCommand::MoveToBin => "Take this run out of the list; undo brings it back until the bin is emptied",
            UserCommand::EmptyBin => "Delete the runs in the bin for ever; asks once",
            UserCommand::Export => "Save what this screen shows: tables as CSV, plots as PNG or SVG, pictures as PNG",
            UserCommand::ShowTable => {
                "The numbers behind the plots of this screen, row by row, with each plot in words"
            }
            UserCommand::Undo => {
                "Take back the last change of the experiment, the last run moved to the bin, or a reset"
            }
            UserCommand::Redo => "Make the change of the experiment again",
            UserCommand::ToggleText => "The same experiment as TOML, beside the forms",
            UserCommand::ToggleProjector => "Large type and strong contrast for a lecture room",
            UserCommand::ResetSettings => {
                "Look, text size, device, threads and folder as on the first day; undo brings them back"
            }
            UserCommand::TogglePalette => "Type a few letters to find a command, a screen, a preset or a run",
            UserCommand::ToggleShortcuts => "All commands with their keys",
        }
    }

    pub fn shortcut(self) -> Option<KeyboardShortcut> {
        let plain = |key| Some(KeyboardShortcut::new(Modifiers::NONE, key));
        let ctrl = |key| Some(KeyboardShortcut::new(Modifiers::COMMAND, key));
        let ctrl_shift = |key| Some(KeyboardShortcut::new(Modifiers::COMMAND | Modifiers::SHIFT, key));
        match self {
            UserCommand::Go(screen) => screen.key().and_then(ctrl),
            UserCommand::OpenFile => ctrl(Key::O),
            UserCommand::OpenFolder => ctrl_shift(Key::O),
            UserCommand::RemoveBackdoor
            | UserCommand::LookThrough
            | UserCommand::FirstLesson
            | UserCommand::CloseLesson
            | UserCommand::PrepareClass
            | UserCommand::SaveWork
            | UserCommand::Discard
            | UserCommand::StepBatch
            | UserCommand::Replay
            | UserCommand::AddToComparison
            | UserCommand::UseAsExperiment
            | UserCommand::EmptyBin
            | UserCommand::ResetSettings
            | UserCommand::ToggleText => None,
            UserCommand::FindRun => ctrl(Key::F),
            UserCommand::MoveToBin => plain(Key::Delete),
            UserCommand::Export => ctrl(Key::E),
            UserCommand::ShowTable => ctrl(Key::T),
            UserCommand::TogglePalette => ctrl(Key::K),
            UserCommand::Start => ctrl(Key::Enter),
            UserCommand::TogglePause => plain(Key::Space),
            UserCommand::StepEpoch => plain(Key::S),
            UserCommand::StopAndKeep => ctrl(Key::Period),
            UserCommand::NextStep => plain(Key::PageDown),
            UserCommand::PreviousStep => plain(Key::PageUp),
            UserCommand::ToggleSticker => plain(Key::T),
            UserCommand::NextModel => plain(Key::M),
            UserCommand::ToggleLook => plain(Key::L),
            UserCommand::TogglePolarizer => plain(Key::P),
            UserCommand::MorePolarizer => plain(Key::ArrowUp),
            UserCommand::LessPolarizer => plain(Key::ArrowDown),
            UserCommand::NextPicture => plain(Key::ArrowRight),
            UserCommand::PreviousPicture => plain(Key::ArrowLeft),
            UserCommand::RefreshRuns => ctrl(Key::R),
            UserCommand::Undo => ctrl(Key::Z),
            UserCommand::Redo => ctrl_shift(Key::Z),
            UserCommand::ToggleProjector => plain(Key::F5),
            UserCommand::ToggleShortcuts => plain(Key::F1),
        }
    }

    /// By this it is known in files: `go-home`, `toggle-sticker`.
    pub fn id(self) -> String {
        let mut id = String::new();
        for letter in format!("{self:?}").chars().filter(|letter| *letter != ')') {
            if (letter.is_uppercase() || letter == '(') && !id.is_empty() && !id.ends_with('-') {
                id.push('-');
            }
            id.extend(letter.to_lowercase().filter(|letter| *letter != '('));
        }
        id
    }

    /// The command of this id, if there is one.
    pub fn of_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.id() == id)
    }

    /// Its key is of no use to buttons: it acts unless somebody is writing.
    pub fn yields_to_writing(self) -> bool {
        use UserCommand::{NextModel, NextStep, PreviousStep, ToggleLook, TogglePolarizer, ToggleSticker};
        matches!(self, ToggleSticker | NextModel | ToggleLook | TogglePolarizer | NextStep | PreviousStep)
    }

    /// Keys that a focused widget needs for itself act only while nothing has the focus.
    pub fn yields_to_focus(self) -> bool {
        self.shortcut().is_some_and(|shortcut| {
            let function_key = matches!(shortcut.logical_key, Key::F1 | Key::F5);
            (shortcut.modifiers.is_none() && !function_key) || matches!(self, UserCommand::Undo | UserCommand::Redo)
        })
    }
}

/// A change that carries data.
#[derive(Debug, Clone)]
pub enum Change {
    /// The experiment as edited by a form.
    Experiment(Box<Experiment>),
    /// The experiment as edited as text.
    Text(String),
    /// Back to the last text without a mistake.
    RevertText,
    Preset(usize),
    /// A model, data set, experiment or run folder that was dropped, chosen or typed.
    Open(PathBuf),
    OpenRun(PathBuf),
    /// Looks through the polarizer in the model of this scene.
    LookThrough(Scene),
    /// Strength of the polarizer, as a step of its dial.
    Dial(usize),
    /// Goes on with an interrupted run.
    ContinueRun(PathBuf),
    /// The experiment of a run once more, with a new seed.
    RunAgain(PathBuf),
    /// Shows a folder in the system's file manager.
    RevealFolder(PathBuf),
    UseAsData(PathBuf),
    DismissProblem(usize),
    DismissReport(usize),
    PreviewRow(usize),
    /// The picture of the test set on the trigger bench.
    BenchRow(usize),
    /// How strong the trigger is shown there; 1 is the attack's own strength.
    BenchStrength(f32),
    /// Whether it is shown as the attacker uses it on the finished model.
    BenchStrike(bool),
    SortRuns(usize),
    Demo(super::stand::StandChange),
    Lesson(super::lessons::LessonChange),
    Runs(super::run_list::RunChange),
    Replay(super::replay::ReplayChange),
    Vary(super::sweep::VaryChange),
    Compare(super::comparison::CompareChange),
    Fair(super::fair::FairChange),
    Audit(super::audit::AuditChange),
    Export(super::export::ExportChange),
    /// Reads the plot of this title as a table; nothing puts the table away.
    Read(Option<String>),
    /// Asks the engine anew what is on this machine.
    LookAround,
    Settings(Box<super::config::Settings>),
    /// Draws the window as other eyes see it; forgotten when it closes.
    See(super::theme::Vision),
    Copy(String),
    CloseNow,
}

/// Everything that was asked for since the last frame.
#[derive(Debug, Default)]
pub struct Requests {
    commands: RefCell<Vec<UserCommand>>,
    changes: RefCell<Vec<Change>>,
}

impl Requests {
    pub fn command(&self, command: UserCommand) {
        self.commands.borrow_mut().push(command);
    }

    pub fn change(&self, change: Change) {
        self.changes.borrow_mut().push(change);
    }

    /// Changes come first: a button that edits and then starts must start what was edited.
    pub fn take(&self) -> (Vec<Change>, Vec<UserCommand>) {
        (self.changes.take(), self.commands.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn commands_have_ids_for_files() {
        let ids = [UserCommand::Go(Screen::Home), UserCommand::ToggleSticker, UserCommand::Start].map(UserCommand::id);
        assert_eq!(ids, ["go-home", "toggle-sticker", "start"]);
        assert_eq!(UserCommand::of_id("no-such-command"), None);
    }

    #[test]
    fn commands_have_words_and_no_two_share_keys() {
        let mut keys = HashSet::new();
        let mut labels = HashSet::new();
        for command in UserCommand::ALL {
            assert!(labels.insert(command.label()), "label twice: {}", command.label());
            assert!(command.tooltip().len() > 10, "{command:?} needs an explanation");
            assert_eq!(UserCommand::of_id(&command.id()), Some(command));
            if let Some(shortcut) = command.shortcut() {
                assert!(keys.insert(shortcut), "{command:?} shares its keys with another command");
            }
        }
    }
}
