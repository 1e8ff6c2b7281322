//! What is the same on every screen: the rail with words, the top bar, the status bar, problems, and what lies above all.

use super::carry_out::is_table;
use super::command::{Change, Requests, Screen, UserCommand};
use super::demo::is_picture;
use super::frame_clock::FrameClock;
use super::job::JobState;
use super::lessons::LessonChange;
use super::screens::{self, Screens};
use super::state::State;
use super::theme::{self, Tokens};
use super::{export, palette, views, widgets, words};
use egui::{
    Align, Align2, CentralPanel, CornerRadius, Frame, Layout, Margin, Panel, RichText, ScrollArea, Sense, Stroke, Ui,
    vec2,
};
use egui::{Id, Modal, WidgetInfo};

/// Problem cards shown at once; the others wait behind the status bar.
const MOST_CARDS: usize = 2;

pub fn show(ui: &mut Ui, state: &State, clock: &FrameClock, screens: &mut Screens, requests: &Requests) {
    let t = theme::of(ui);
    let bar = |margin: Margin| Frame::new().fill(t.panel).inner_margin(margin);
    Panel::top("top bar").frame(bar(Margin::symmetric(12, 6))).show(ui, |ui| top_bar(ui, &t, state, requests));
    Panel::bottom("status bar").frame(bar(Margin::symmetric(12, 4))).show(ui, |ui| status_bar(ui, &t, state, requests));
    Panel::left("rail")
        .exact_size(t.rail)
        .resizable(false)
        .frame(bar(Margin::symmetric(6, 8)))
        .show(ui, |ui| rail(ui, &t, state, requests));
    if let Some(course) = &state.classroom.course {
        let width = views::lesson_width(&t, ui.ctx().content_rect().width());
        Panel::right("lesson")
            .exact_size(width)
            .resizable(false)
            .frame(bar(Margin::symmetric(14, 10)))
            .show(ui, |ui| views::lesson_column(ui, state, course, requests));
    }
    let ground = Frame::new().fill(t.ground).inner_margin(Margin::same(t.pad as i8));
    CentralPanel::no_frame().frame(ground).show(ui, |ui| {
        if state.vision != theme::Vision::Usual {
            eyes(ui, &t, state.vision, requests);
        }
        simplified(ui, &t, state, requests);
        let problems = state.notices.problems();
        for (index, notice) in problems.iter().enumerate().rev().take(MOST_CARDS) {
            let dismiss = Some(Change::DismissProblem(index));
            widgets::problem_card(ui, requests, &notice.problem, notice.count, notice.mild, dismiss);
        }
        if problems.len() > MOST_CARDS {
            let more = format!("{} earlier messages are below these.", problems.len() - MOST_CARDS);
            ui.label(RichText::new(more).color(t.text_weak));
        }
        screens::show(ui, state, clock, screens, requests);
    });
    if let Some((name, rgba)) = widgets::take_wanted(ui.ctx()) {
        requests.change(Change::Export(export::ExportChange::Picture(name, rgba)));
    }
    drop_veil(ui, &t, state);
    palette::show(ui, state, &mut screens.palette, requests);
    export::table(ui, state, &mut screens.reading, requests);
    export::dialog(ui, state, &mut screens.export, requests);
    if state.show_shortcuts {
        shortcut_sheet(ui, &t, state, requests);
    }
    if state.leaving_since.is_some() {
        leaving_notice(ui, state, requests);
    }
}

/// That the colours are not the usual ones, and the way back.
fn eyes(ui: &mut Ui, t: &Tokens, vision: theme::Vision, requests: &Requests) {
    let frame =
        Frame::new().fill(t.warn_ground).stroke(Stroke::new(1.0, t.warn)).inner_margin(Margin::symmetric(12, 6));
    frame.show(ui, |ui| {
        let words = |ui: &mut Ui| {
            ui.label(theme::strong(format!("Seen with {}", vision.name().to_lowercase())));
            ui.label(format!("{}.", vision.meaning()));
        };
        let end = |ui: &mut Ui| {
            if ui.button("End preview").on_hover_text("Back to the usual colours").clicked() {
                requests.change(Change::See(theme::Vision::Usual));
            }
        };
        egui::Sides::new().height(t.control).shrink_left().truncate().show(ui, words, end);
    });
    ui.add_space(t.gap * 0.5);
}

/// Where a teacher has left something out: nobody shall believe that it is missing.
fn simplified(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let room = &state.classroom;
    let Some(pack) = room.pack.as_ref().filter(|pack| pack.simplifies()) else {
        return;
    };
    ui.horizontal(|ui| {
        let (words, button) = if room.show_everything {
            ("Everything is shown.", "Simplify again")
        } else {
            ("Simplified by your teacher.", "Show everything")
        };
        ui.label(RichText::new(words).color(t.text_weak)).on_hover_text(&pack.title);
        if ui.button(button).clicked() {
            requests.change(Change::Lesson(LessonChange::ShowEverything(!room.show_everything)));
        }
    });
}

fn rail(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    // Where the window is very low the last entries have to be scrolled to.
    ScrollArea::vertical().id_salt("rail").auto_shrink(false).show(ui, |ui| entries(ui, t, state, requests));
}

fn entries(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let gap = 6.0;
    ui.spacing_mut().item_spacing.y = gap;
    let seen = ui.scope_id().with("seen");
    let turned = ui.data(|data| data.get_temp(seen)) != Some(state.screen);
    if turned {
        ui.data_mut(|data| data.insert_temp(seen, state.screen));
    }
    // On a low window with large type the entries move closer, so that the last one stays in sight.
    // The screen that is shown is always there, however it was reached.
    let shown = |screen: &Screen| *screen == state.screen || state.offers(UserCommand::Go(*screen));
    let screens: Vec<_> = Screen::ALL.into_iter().filter(shown).collect();
    let count = screens.len() as f32;
    let height = ((ui.available_height() + gap) / count - gap).clamp(t.body * 2.2, t.control * 1.9);
    for screen in screens {
        let chosen = state.screen == screen;
        let size = vec2(ui.available_width(), height);
        let (rect, response) = ui.allocate_exact_size(size, Sense::click());
        response.widget_info(|| WidgetInfo::selected(egui::Role::Tab, true, chosen, screen.name()));
        if chosen && turned {
            ui.scroll_to_rect(rect, None);
        }
        let (fill, colour) = match (chosen, response.hovered()) {
            (true, _) => (t.accent_soft, t.text),
            (false, true) => (t.button, t.text),
            (false, false) => (t.panel, t.text_weak),
        };
        ui.painter().rect_filled(rect, CornerRadius::same(t.radius), fill);
        if chosen {
            let mut edge = rect;
            edge.set_width(4.0);
            ui.painter().rect_filled(edge, CornerRadius::same(2), t.accent);
        }
        if response.has_focus() {
            let ring = Stroke::new(2.0, t.link);
            ui.painter().rect_stroke(rect, CornerRadius::same(t.radius), ring, egui::StrokeKind::Inside);
        }
        // Where there is no room for both the word stays: it is what the others call the screen.
        let with_icon = height >= t.body * 3.0;
        if with_icon {
            let icon = rect.center() - vec2(0.0, t.body * 0.7);
            widgets::screen_icon(ui.painter(), screen, icon, t.body * 1.35, colour);
        }
        let word = rect.center() + vec2(0.0, if with_icon { t.body * 0.85 } else { 0.0 });
        let font = egui::FontId::proportional(t.body);
        ui.painter().text(word, Align2::CENTER_CENTER, screen.name(), font, colour);
        let command = UserCommand::Go(screen);
        if response.clicked() {
            requests.command(command);
        }
        response.on_hover_text(help(ui, command));
    }
}

/// Keys as they are printed on the keyboard.
pub fn shown_keys(ui: &Ui, keys: &egui::KeyboardShortcut) -> String {
    ui.ctx().format_shortcut(keys).replace("Comma", ",").replace("Period", ".")
}

/// A command's explanation with its keys.
fn help(ui: &Ui, command: UserCommand) -> String {
    match command.shortcut() {
        Some(keys) => format!("{} ({})", command.tooltip(), shown_keys(ui, &keys)),
        None => command.tooltip().to_owned(),
    }
}

fn top_bar(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(vec2(t.heading * 1.9, t.control), Sense::hover());
        widgets::program_mark(ui.painter(), rect.center(), t.heading * 1.7, t.clean, t.attacked);
        ui.label(theme::strong("Polariscope").size(t.heading));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.menu_button("Menu", |ui| menu(ui, state, requests));
            let question = egui::Button::new("?").min_size(vec2(t.control, t.control));
            let response = ui.add(question).on_hover_text("Keys and help (F1)").accessible_name("Keys and help");
            if response.clicked() {
                requests.command(UserCommand::ToggleShortcuts);
            }
            if state.offers(UserCommand::Export) {
                let export = ui.button("Export").on_hover_text(help(ui, UserCommand::Export));
                if export.accessible_name("Export this screen").clicked() {
                    requests.command(UserCommand::Export);
                }
            }
            let command = UserCommand::TogglePalette;
            let keys = command.shortcut().map(|keys| shown_keys(ui, &keys)).unwrap_or_default();
            let tight = ui.ctx().content_rect().width() < t.body * 42.0;
            let words = if tight { "Search".to_owned() } else { format!("{}  {keys}", command.label()) };
            let search = ui.button(words);
            let search = search.on_hover_text(command.tooltip()).accessible_name(command.label());
            if search.clicked() {
                requests.command(command);
            }
            ui.add_space(t.gap);
            let name = &state.draft.experiment().name;
            let title = match state.screen {
                Screen::Watch => state.job.as_ref().map(|job| job.title.as_str()),
                Screen::Audit => state.shown_audit().map(|job| job.title.as_str()),
                Screen::Lab | Screen::Triggers => Some(name.as_str()).filter(|name| !name.is_empty()),
                Screen::Polarizer => state.polarizer.view.as_ref().map(|view| view.experiment.as_str()),
                Screen::Fairness => Some(state.fairness.experiment.name.as_str()).filter(|name| !name.is_empty()),
                Screen::Lessons => state.classroom.pack.as_ref().map(|pack| pack.title.as_str()),
                Screen::Home | Screen::Compare | Screen::Runs | Screen::Settings => None,
            };
            if let Some(title) = title {
                ui.add(egui::Label::new(RichText::new(title).color(t.text_weak)).truncate());
            }
        });
    });
}

/// Every command, with its keys.
fn menu(ui: &mut Ui, state: &State, requests: &Requests) {
    for command in UserCommand::ALL.into_iter().filter(|command| state.offers(*command)) {
        let mut button = egui::Button::new(command.label());
        if let Some(shortcut) = command.shortcut() {
            button = button.shortcut_text(shown_keys(ui, &shortcut));
        }
        let response = ui.add_enabled(state.enabled(command), button).on_hover_text(command.tooltip());
        if response.clicked() {
            requests.command(command);
            ui.close();
        }
    }
}

fn status_bar(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    ui.spacing_mut().interact_size.y = t.control * 0.8;
    // Where it is tight, what a screen shows as well is left out.
    let tight = ui.available_width() < t.body * 50.0;
    ui.horizontal(|ui| {
        ui.set_min_height(t.control * 0.9);
        let job = state.job.as_ref();
        match state.live_job() {
            Some(job) => {
                ui.label(theme::strong(job.status()));
                if let Some(share) = job.share().filter(|_| !tight) {
                    widgets::phase_bar(ui, "Progress of the job", job.phase, job.phases, share, t.body * 10.0);
                }
                if let Some(eta) = job.eta() {
                    ui.label(eta);
                }
                let can_stop = !matches!(job.state, JobState::Stopping { .. });
                let stop = ui.add_enabled(can_stop, egui::Button::new("Stop"));
                if stop.on_hover_text(help(ui, UserCommand::StopAndKeep)).clicked() {
                    requests.command(UserCommand::StopAndKeep);
                }
            }
            None => {
                let text =
                    if state.replay().is_some() { "A replay: nothing is training" } else { "Nothing is training" };
                ui.label(RichText::new(text).color(t.text_weak));
            }
        }
        if let Some(sweep) = state.sweep.as_ref().filter(|sweep| sweep.active) {
            ui.separator();
            ui.label(format!("Sweep: {}", sweep.summary().trim_end_matches('.')));
        }
        if let Some(export) = state.poison_export.as_ref().filter(|_| state.export.is_none()) {
            ui.separator();
            ui.label(format!("Poisoned set: {}", export.words()));
            if ui.add_enabled(!export.stopping, egui::Button::new("Stop the export")).clicked() {
                requests.change(Change::Export(export::ExportChange::Stop));
            }
        }
        if let Some((text, left)) = state.notices.current_info(state.now) {
            ui.separator();
            let folder = state.notices.current_folder();
            let beside = if tight { 8.0 } else { 18.0 } + if folder.is_some() { 8.0 } else { 0.0 };
            let room = ui.available_width() - t.body * beside;
            ui.scope(|ui| {
                ui.set_max_width(room.max(t.body * 8.0));
                ui.add(egui::Label::new(text).truncate());
            });
            if let Some(folder) = folder
                && ui.button("Open folder").on_hover_text(folder.display().to_string()).clicked()
            {
                requests.change(Change::RevealFolder(folder.to_owned()));
            }
            ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(left + 0.05));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let weak = |text: String| RichText::new(text).size(t.small).color(t.text_weak);
            let messages = state.notices.problems().len();
            let words = match messages {
                0 => "no messages".to_owned(),
                1 => "1 message".to_owned(),
                many => format!("{many} messages"),
            };
            ui.label(weak(words));
            if tight {
                return;
            }
            if let Some(memory) = job.and_then(|job| job.progress.as_ref()).map(|progress| progress.memory)
                && memory > 0
            {
                ui.separator();
                ui.label(weak(words::bytes(memory))).on_hover_text("Memory of this program");
            }
            let device = job.filter(|job| !job.device.is_empty()).map(|job| job.device.clone());
            let device = device.unwrap_or_else(|| state.settings.device.to_string());
            ui.separator();
            ui.label(weak(device)).on_hover_text("Where tensors live");
            ui.separator();
            let seed = state.draft.experiment().seed;
            ui.label(weak(format!("seed {seed}"))).on_hover_text("The same seed gives the same result");
        });
    });
}

/// While a file is held over the window: what will happen with it.
fn drop_veil(ui: &Ui, t: &Tokens, state: &State) {
    let hovered = ui.input(|input| input.raw.hovered_files.clone());
    let Some(file) = hovered.first() else {
        return;
    };
    let name = file.path.as_ref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    let is_spec = file.path.as_ref().is_some_and(|path| path.extension().is_some_and(|ending| ending == "toml"));
    let is_folder = file.path.as_ref().is_some_and(|path| path.is_dir());
    let is_table = file.path.as_ref().and_then(|path| path.extension()?.to_str()).is_some_and(is_table);
    let ending = file.path.as_ref().and_then(|path| path.extension()?.to_str());
    let is_class_file = file.path.as_ref().is_some_and(|path| path.to_string_lossy().ends_with(".polariscope.toml"));
    let fate = match (is_spec, is_folder) {
        _ if is_class_file => "Drop it to open the lesson, or to add the work to the table",
        _ if ending.is_some_and(is_picture) => "Drop it to show it to the three models of Home",
        _ if is_table => "Drop it to look for fair predictions in this table",
        (true, _) => "Drop it to open the experiment in the Lab",
        _ if state.screen == Screen::Audit && !is_spec => "Drop it to audit this model, or with these pictures",
        (_, true) => "Drop it to open the run or look into the folder",
        _ => "Drop it to see what is in it",
    };
    let painter = ui.ctx().layer_painter(egui::LayerId::new(egui::Order::Foreground, Id::unique("drop veil")));
    let screen = ui.ctx().content_rect();
    painter.rect_filled(screen, CornerRadius::ZERO, t.veil);
    let text = format!("{}\n{fate}", name.unwrap_or_default());
    let card = egui::Rect::from_center_size(screen.center(), vec2(t.body * 36.0, t.body * 9.0));
    painter.rect_filled(card, CornerRadius::same(t.radius), t.card);
    let font = egui::FontId::proportional(t.heading);
    painter.text(screen.center(), Align2::CENTER_CENTER, text, font, t.text);
}

/// All commands with their keys and explanations.
fn shortcut_sheet(ui: &Ui, t: &Tokens, state: &State, requests: &Requests) {
    let modal = Modal::new(Id::unique("shortcuts")).frame(theme::dialog(t)).show(ui.ctx(), |ui| {
        ui.set_width((t.body * 48.0).min(ui.ctx().content_rect().width() - 80.0));
        ui.label(theme::title(t, "Keys and help"));
        let height = ui.ctx().content_rect().height() * 0.65;
        egui::ScrollArea::vertical().max_height(height).show(ui, |ui| {
            egui::Grid::new("keys").num_columns(3).spacing([t.pad, t.gap * 0.6]).striped(true).show(ui, |ui| {
                for command in UserCommand::ALL.into_iter().filter(|command| state.offers(*command)) {
                    ui.label(theme::strong(command.label()));
                    let keys = command.shortcut().map(|keys| shown_keys(ui, &keys)).unwrap_or_default();
                    ui.label(RichText::new(keys).monospace());
                    ui.add(egui::Label::new(RichText::new(command.tooltip()).color(t.text_weak)).wrap());
                    ui.end_row();
                }
            });
        });
        ui.add_space(t.gap);
        let more = "Click a picture with the second mouse button to save it. Hold Space on Compare to flip the runs.";
        ui.add(egui::Label::new(more).wrap());
        ui.button("Close").clicked()
    });
    if modal.inner || modal.should_close() {
        requests.command(UserCommand::ToggleShortcuts);
    }
}

/// Closing while something trains: say what is being waited for, and offer to leave at once.
fn leaving_notice(ui: &Ui, state: &State, requests: &Requests) {
    let t = theme::of(ui);
    Modal::new(Id::unique("leaving")).frame(theme::dialog(&t)).show(ui.ctx(), |ui| {
        ui.set_width(t.body * 28.0);
        ui.label(theme::strong("Stopping the training before the window closes…"));
        let saved = "What was reached is being kept. If that takes too long, the last saved point is on disk and the run \
                     can be continued from Runs.";
        ui.add(egui::Label::new(saved).wrap());
        if let Some(job) = &state.job {
            ui.label(job.status());
        }
        if ui.button("Close now").clicked() {
            requests.change(Change::CloseNow);
        }
    });
}
