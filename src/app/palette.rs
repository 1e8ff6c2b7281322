//! The command palette: a few letters find any command, screen, preset or run, and Enter does it.

use super::archive;
use super::command::{Change, Requests, Screen, UserCommand};
use super::shell::shown_keys;
use super::state::State;
use super::theme::{self, Tokens};
use super::{fuzzy, words};
use egui::{
    Align2, CornerRadius, Id, Key, Modal, Modifiers, RichText, ScrollArea, Sense, TextEdit, Ui, WidgetInfo, vec2,
};

/// Runs offered, the newest; all others are found on Runs.
const MOST_RUNS: usize = 50;

/// What is typed and which line is chosen, while the palette is open.
#[derive(Debug, Default)]
pub struct Palette {
    query: String,
    chosen: usize,
    open: bool,
}

/// One line of the palette.
struct Entry {
    title: String,
    /// What kind of thing it is, or what it would do.
    hint: String,
    keys: String,
    enabled: bool,
    act: Act,
}

enum Act {
    Command(UserCommand),
    Preset(usize),
    Run(std::path::PathBuf),
}

pub fn show(ui: &Ui, state: &State, palette: &mut Palette, requests: &Requests) {
    if !state.show_palette {
        palette.open = false;
        return;
    }
    if !palette.open {
        *palette = Palette { open: true, ..Palette::default() };
    }
    let t = theme::of(ui);
    let screen = ui.ctx().content_rect();
    let area = Modal::default_area(Id::unique("palette")).anchor(Align2::CENTER_TOP, vec2(0.0, screen.height() * 0.1));
    let modal = Modal::new(Id::unique("palette")).area(area).frame(theme::card(&t)).show(ui.ctx(), |ui| {
        ui.set_width((t.body * 44.0).min(screen.width() - 60.0));
        content(ui, &t, state, palette, requests)
    });
    if modal.inner || modal.should_close() {
        requests.command(UserCommand::TogglePalette);
    }
}

/// True when something was chosen, so that the palette can close.
fn content(ui: &mut Ui, t: &Tokens, state: &State, palette: &mut Palette, requests: &Requests) -> bool {
    // Taken before the field is drawn, which would move its own cursor with them.
    let step = ui.input_mut(|input| {
        let down = input.count_and_consume_key(Modifiers::NONE, Key::ArrowDown) as isize;
        down - input.count_and_consume_key(Modifiers::NONE, Key::ArrowUp) as isize
    });
    let enter = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter));
    let edit = TextEdit::singleline(&mut palette.query)
        .id(Id::unique("palette query"))
        .hint_text("Type a command, a screen, a preset or a run")
        .desired_width(f32::INFINITY);
    let edit = ui.add(edit).accessible_name("Search or command");
    edit.request_focus();
    if edit.changed() {
        palette.chosen = 0;
    }
    let found = matching(entries(ui, state), &palette.query);
    if found.is_empty() {
        ui.label(RichText::new("Nothing is called like that.").color(t.text_weak));
        return false;
    }
    palette.chosen = palette.chosen.min(found.len() - 1).saturating_add_signed(step).min(found.len() - 1);
    let mut act = None;
    let row = t.control * 1.1;
    ui.spacing_mut().item_spacing.y = 0.0;
    let height = (ui.ctx().content_rect().height() * 0.6).min(row * 12.0);
    ScrollArea::vertical().max_height(height).auto_shrink([false, true]).show(ui, |ui| {
        for (index, entry) in found.iter().enumerate() {
            let chosen = index == palette.chosen;
            let response = line(ui, t, entry, chosen, row);
            if chosen && step != 0 {
                response.scroll_to_me(None);
            }
            if entry.enabled && (response.clicked() || (chosen && enter)) {
                act = Some(entry);
            }
        }
    });
    if let Some(entry) = act {
        entry.act.request(requests);
    }
    act.is_some()
}

fn line(ui: &mut Ui, t: &Tokens, entry: &Entry, chosen: bool, height: f32) -> egui::Response {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::click());
    let said = if entry.hint.is_empty() { entry.title.clone() } else { format!("{}: {}", entry.title, entry.hint) };
    response.widget_info(|| WidgetInfo::selected(egui::Role::ListBoxOption, entry.enabled, chosen, &said));
    if !ui.is_rect_visible(rect) {
        return response;
    }
    if chosen || response.hovered() {
        let fill = if chosen { t.accent_soft } else { t.button };
        ui.painter().rect_filled(rect, CornerRadius::same(t.radius / 2), fill);
    }
    let inner = rect.shrink2(vec2(t.gap, 0.0));
    let colour = if entry.enabled { t.text } else { t.text_weak };
    let strong = egui::FontId::new(t.body, egui::FontFamily::Name("strong".into()));
    let (body, small) = (egui::FontId::proportional(t.body), egui::FontId::proportional(t.small));
    let keys = ui.painter().text(inner.right_center(), Align2::RIGHT_CENTER, &entry.keys, body, t.text_weak);
    let room = keys.left() - t.gap - inner.left();
    let title = one_line(ui, inner.left_center(), &entry.title, strong, colour, room);
    let room = room - title.width() - t.gap * 1.5;
    if room > t.body * 2.0 {
        one_line(ui, title.right_center() + vec2(t.gap * 1.5, 0.0), &entry.hint, small, t.text_weak, room);
    }
    response
}

/// Text from a point to the right, ending in an ellipsis where it has no room.
fn one_line(ui: &Ui, left: egui::Pos2, text: &str, font: egui::FontId, colour: egui::Color32, room: f32) -> egui::Rect {
    let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), font, colour);
    job.wrap = egui::text::TextWrapping::truncate_at_width(room.max(0.0));
    let galley = ui.painter().layout_job(job);
    let rect = Align2::LEFT_CENTER.anchor_size(left, galley.size());
    ui.painter().galley(rect.min, galley, colour);
    rect
}

impl Act {
    fn request(&self, requests: &Requests) {
        match self {
            Act::Command(command) => requests.command(*command),
            Act::Preset(index) => {
                requests.change(Change::Preset(*index));
                requests.command(UserCommand::Go(Screen::Lab));
            }
            Act::Run(folder) => requests.change(Change::OpenRun(folder.clone())),
        }
    }
}

/// All that can be asked for: the one list of commands, then presets, then runs.
fn entries(ui: &Ui, state: &State) -> Vec<Entry> {
    let commands =
        UserCommand::ALL.into_iter().filter(|command| *command != UserCommand::TogglePalette && state.offers(*command));
    let mut entries: Vec<_> = commands
        .map(|command| Entry {
            title: command.label().to_owned(),
            hint: command.tooltip().to_owned(),
            keys: command.shortcut().map(|keys| shown_keys(ui, &keys)).unwrap_or_default(),
            enabled: state.enabled(command),
            act: Act::Command(command),
        })
        .collect();
    let offered = state.offers(UserCommand::Go(Screen::Lab)) && !state.classroom.hides_fields();
    let presets = state.presets.iter().enumerate().filter(|_| offered);
    entries.extend(presets.map(|(index, preset)| Entry {
        title: preset.title.clone(),
        hint: "Preset: opens in the Lab".to_owned(),
        keys: String::new(),
        enabled: true,
        act: Act::Preset(index),
    }));
    let watch = UserCommand::Go(Screen::Watch);
    let mut runs: Vec<_> = state.runs.rows.iter().filter(|_| state.offers(watch)).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.started));
    entries.extend(runs.into_iter().take(MOST_RUNS).map(|run| {
        let asr = archive::after(run).or(archive::before(run)).and_then(crate::experiment::Scores::trigger_wins);
        let asr = asr.map(|asr| format!(", ASR {}", words::percent(asr))).unwrap_or_default();
        Entry {
            title: run.name.clone(),
            hint: format!("Run: {}{asr}", archive::state_word(run)),
            keys: String::new(),
            enabled: true,
            act: Act::Run(run.path.clone()),
        }
    }));
    entries
}

/// The entries that fit, the best first; what can be done now comes before what cannot.
fn matching(entries: Vec<Entry>, query: &str) -> Vec<Entry> {
    let rate = |entry: &Entry| {
        // A word of the explanation finds it too, but names come first.
        let by_name = fuzzy::score(query, &entry.title).map(|score| score * 2);
        by_name.or_else(|| {
            let all = format!("{} {}", entry.title, entry.hint).to_lowercase();
            query.split_whitespace().all(|word| all.contains(&word.to_lowercase())).then_some(1)
        })
    };
    let mut found: Vec<_> = entries.into_iter().filter_map(|entry| Some((rate(&entry)?, entry))).collect();
    found.sort_by_key(|(score, entry)| std::cmp::Reverse((entry.enabled, *score)));
    found.into_iter().map(|(_, entry)| entry).collect()
}
