//! Watch: a training as it goes, or a finished run: phases, curves, pictures, the table, the log.

use crate::app::command::{Change, Requests, UserCommand};
use crate::app::job::{JobState, JobView, Level};
use crate::app::replay::{Replay, ReplayChange, SPEEDS};
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::views::{self, metric_role, metric_title};
use crate::app::widgets::{self, command_button, main_button};
use crate::app::words;
use crate::run::event::{Ending, Scene};
use egui::{RichText, ScrollArea, Ui};
use std::path::Path;

/// What lies beside the curves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Side {
    /// The curves themselves, where there is no room for anything beside them; else the pictures.
    #[default]
    Curves,
    /// The same pictures, every epoch.
    Pictures,
    Confusion,
    /// What the method watches in itself.
    Method,
    /// Pictures that the run keeps in its folder.
    Saved,
    Log,
}

/// What Watch remembers between frames.
#[derive(Debug, Default)]
pub struct Watch {
    side: Side,
    /// The matrix shows stamped pictures.
    stamped: bool,
    /// An earlier moment is looked at; nothing follows the training.
    moment: Option<usize>,
    /// A replay decides which moment is shown.
    replayed: bool,
    /// Whose measures are drawn; else the newest phase's.
    watched_phase: Option<String>,
    /// The folder that is being typed for a run that waits for room.
    elsewhere: String,
}

pub fn show(ui: &mut Ui, state: &State, watch: &mut Watch, requests: &Requests) {
    let t = theme::of(ui);
    if let Some(sweep) = &state.sweep {
        views::sweep_strip(ui, state, sweep, requests);
        ui.add_space(t.gap * 0.5);
    }
    let Some(job) = &state.job else {
        let last = state.runs.rows.iter().max_by_key(|row| row.started);
        let sentence = match last {
            Some(row) => format!("The last run was “{}”.", row.name),
            None => "Curves, pictures and results appear here while a network trains.".to_owned(),
        };
        widgets::empty_state(ui, "Nothing is training", &sentence, |ui| {
            main_button(ui, state, requests, UserCommand::RemoveBackdoor);
            if let Some(row) = last
                && ui.button("Show the last run").clicked()
            {
                requests.change(Change::OpenRun(row.path.clone()));
            }
        });
        return;
    };
    let job = job.shown();
    watch.replayed = state.replay().is_some();
    header(ui, &t, state, job, requests);
    if let Some(replay) = state.replay() {
        transport(ui, &t, replay, requests);
    }
    match (&job.state, job.lacks_room()) {
        (_, Some(problem)) => views::room_card(ui, job, problem, &mut watch.elsewhere, requests),
        (JobState::Ended(Ending::Failed(problem)), None) => {
            widgets::problem_card(ui, requests, problem, 1, false, None);
        }
        _ => {}
    }
    let total = ui.available_size();
    let wide = total.x > t.body * 58.0;
    if wide {
        let side = (total.x * 0.34).min(t.body * 34.0);
        ui.horizontal_top(|ui| {
            ui.allocate_ui_with_layout(
                egui::vec2(total.x - side - t.pad, total.y),
                egui::Layout::top_down(egui::Align::LEFT),
                |ui| left(ui, &t, job, total.y, requests),
            );
            ui.allocate_ui_with_layout(egui::vec2(side, total.y), egui::Layout::top_down(egui::Align::LEFT), |ui| {
                right(ui, &t, job, watch, total.y, requests)
            });
        });
    } else {
        // No room for both: one at a time, the curves first.
        choose_side(ui, watch, true);
        ui.add_space(t.gap * 0.5);
        let height = ui.available_height();
        if watch.side == Side::Curves {
            left(ui, &t, job, height, requests);
        } else {
            let height = height - 2.0 * t.pad - 4.0;
            theme::card(&t).show(ui, |ui| of_height(ui, height, |ui| beside(ui, &t, job, watch, requests)));
        }
    }
}

fn header(ui: &mut Ui, t: &Tokens, state: &State, job: &JobView, requests: &Requests) {
    // Where letters are large, the result is worth more room than one more button.
    let narrow = ui.available_width() < t.body * 60.0;
    let buttons = if job.is_live() || !narrow { 31.0 } else { 21.0 };
    let title = |ui: &mut Ui| {
        ui.spacing_mut().item_spacing.y = 3.0;
        let headline = job.headline();
        ui.add(egui::Label::new(theme::title(t, headline.as_ref().unwrap_or(&job.title))).truncate());
        let mut line = job.status();
        if headline.is_some() {
            line += &format!(" · {}", job.title);
        }
        if let Some(progress) = job.progress.as_ref().filter(|_| job.is_live()) {
            if progress.total > 0 {
                let (done, total) = (words::count(progress.done), words::count(progress.total));
                line += &format!(" · {done} of {total} {}", progress.unit);
            }
            if let Some(speed) = progress.pictures_per_s {
                line += &format!(" · {} pictures/s", words::count(speed.round() as u64));
            }
            line += &format!(" · {} so far", words::elapsed(progress.elapsed_s));
        }
        ui.add(egui::Label::new(RichText::new(line).color(t.text_weak)).truncate());
    };
    let can_do = |ui: &mut Ui| {
        if job.is_live() {
            // Not beside "Stop and keep", and not under the pointer that has just pressed Start.
            ui.menu_button("More", |ui| {
                for command in [UserCommand::StepBatch, UserCommand::Discard] {
                    if command_button(ui, state, requests, command).clicked() {
                        ui.close();
                    }
                }
            });
            command_button(ui, state, requests, UserCommand::StopAndKeep);
            command_button(ui, state, requests, UserCommand::StepEpoch);
            pause_button(ui, state, job, requests);
        } else if state.replay().is_some() {
            // What can be done to the run waits until its replay is left.
        } else if let Some(folder) = &job.folder {
            ui.menu_button("More", |ui| {
                if command_button(ui, state, requests, UserCommand::UseAsExperiment).clicked() {
                    ui.close();
                }
                if narrow && again(ui, folder, requests) {
                    ui.close();
                }
                if ui.button("Open folder").on_hover_text(folder.display().to_string()).clicked() {
                    requests.change(Change::RevealFolder(folder.clone()));
                    ui.close();
                }
            });
            command_button(ui, state, requests, UserCommand::Replay);
            command_button(ui, state, requests, UserCommand::AddToComparison);
            if !narrow {
                again(ui, folder, requests);
            }
            let stopped = matches!(&job.state, JobState::Ended(Ending::Stopped { kept: true } | Ending::Failed(_)));
            // Where room is lacking its card says how to go on.
            if stopped
                && job.lacks_room().is_none()
                && ui.button("Continue").on_hover_text("Go on from the last saved point").clicked()
            {
                requests.change(Change::ContinueRun(folder.clone()));
            }
        }
    };
    let to_the_right = egui::Layout::right_to_left(egui::Align::Center);
    if ui.available_width() < t.body * (buttons + 12.0) {
        ui.vertical(title);
        ui.horizontal(|ui| ui.with_layout(to_the_right, can_do));
    } else {
        ui.horizontal(|ui| {
            let room = ui.available_width() - t.body * buttons;
            ui.vertical(|ui| {
                ui.set_max_width(room);
                title(ui);
            });
            ui.with_layout(to_the_right, can_do);
        });
    }
    if job.is_live() {
        ui.horizontal(|ui| {
            let words = job.eta().map(|eta| format!("this phase: {eta}")).unwrap_or_default();
            let width = ui.available_width() - t.body * 13.0;
            let share = job.share().unwrap_or(0.0);
            widgets::phase_bar(ui, "Progress", job.phase, job.phases, share, width.max(60.0));
            ui.label(words);
        });
    }
}

/// Runs the same experiment with another seed; true when it was asked for.
fn again(ui: &mut Ui, folder: &Path, requests: &Requests) -> bool {
    let help = "The same experiment once more; another seed tells luck from skill";
    let clicked = ui.button("Again with a new seed").on_hover_text(help).clicked();
    if clicked {
        requests.change(Change::RunAgain(folder.to_owned()));
    }
    clicked
}

/// That this is a replay, where it stands, and how fast it goes.
fn transport(ui: &mut Ui, t: &Tokens, replay: &Replay, requests: &Requests) {
    let ask = |change| requests.change(Change::Replay(change));
    let start = |ui: &mut Ui| {
        let badge =
            egui::Frame::new().fill(t.warn_ground).stroke((1.0, t.warn)).inner_margin(egui::Margin::symmetric(10, 4));
        badge.show(ui, |ui| ui.label(theme::strong("Replay").color(t.warn)));
        let word = if replay.is_playing() { "Pause" } else { "Play" };
        let button = egui::Button::new(theme::strong(word)).min_size(egui::vec2(t.control * 2.2, t.control));
        if ui.add(button).on_hover_text("Hold the replay, or go on (Space)").clicked() {
            ask(ReplayChange::Toggle);
        }
    };
    let end = |ui: &mut Ui| {
        if ui.button("End replay").on_hover_text("Show the finished run").clicked() {
            ask(ReplayChange::Leave);
        }
        let words = |speed: f64| format!("×{speed}");
        let combo = egui::ComboBox::from_id_salt("speed").width(t.control * 2.4);
        let combo = combo.selected_text(words(replay.speed()));
        let combo = combo.show_ui(ui, |ui| {
            for speed in SPEEDS {
                if ui.selectable_label(speed == replay.speed(), words(speed)).clicked() {
                    ask(ReplayChange::Speed(speed));
                }
            }
        });
        combo.response.on_hover_text("How many times faster than it was recorded").accessible_name("Speed");
    };
    let course = |ui: &mut Ui| {
        let (mut at, whole) = replay.clock();
        let clock = format!("{} of {}", words::elapsed(at), words::elapsed(whole));
        ui.label(RichText::new(clock).color(t.text_weak));
        ui.label(replay.moment());
        ui.spacing_mut().slider_width = (ui.available_width() - t.gap).max(t.body * 6.0);
        let slider = ui.add(egui::Slider::new(&mut at, 0.0..=whole).show_value(false));
        slider.widget_info(|| egui::WidgetInfo::slider(true, at, format!("Replay, {}", replay.moment())));
        if slider.on_hover_text("To another moment; the arrow keys go from epoch to epoch").changed() {
            ask(ReplayChange::Seek(at));
        }
    };
    let to_the_right = egui::Layout::right_to_left(egui::Align::Center);
    let wide = ui.available_width() > t.body * 46.0;
    ui.horizontal(|ui| {
        start(ui);
        ui.with_layout(to_the_right, |ui| {
            end(ui);
            if wide {
                course(ui);
            }
        });
    });
    if !wide {
        ui.horizontal(|ui| ui.with_layout(to_the_right, course));
    }
}

/// The same command under the word that fits.
fn pause_button(ui: &mut Ui, state: &State, job: &JobView, requests: &Requests) {
    let command = UserCommand::TogglePause;
    let word = if job.state == JobState::Paused { "Resume" } else { "Pause" };
    let button = ui.add_enabled(state.enabled(command), egui::Button::new(theme::strong(word)));
    if button.on_hover_text(command.tooltip()).clicked() {
        requests.command(command);
    }
}

/// A repair of this run is a neural polarizer whose weights are there to be looked at.
fn has_polarizer(job: &JobView) -> bool {
    !job.is_live() && job.results.iter().any(|row| row.method == "npd" && row.weights.is_some())
}

fn left(ui: &mut Ui, t: &Tokens, job: &JobView, height: f32, requests: &Requests) {
    ScrollArea::vertical().id_salt("curves").auto_shrink(false).show(ui, |ui| {
        let top = ui.cursor().top();
        if !job.results.is_empty() {
            widgets::section(ui, "Result", "", |ui| {
                if let Some(conclusion) = job.conclusion() {
                    ui.add(egui::Label::new(theme::strong(conclusion)).wrap());
                }
                ScrollArea::horizontal().show(ui, |ui| views::results_table(ui, &job.results));
                views::results_note(ui, &job.results);
                if let Some(folder) = job.folder.as_ref().filter(|_| has_polarizer(job)) {
                    let command = UserCommand::LookThrough;
                    let help = "The layer that repairs this model: what it holds back, and a dial that turns it";
                    if ui.button(theme::strong(command.label())).on_hover_text(help).clicked() {
                        requests.change(Change::LookThrough(Scene::Run(folder.clone())));
                    }
                }
            });
        }
        let used = ui.cursor().top() - top;
        theme::card(t).show(ui, |ui| {
            ui.set_width(ui.available_width());
            let inner = height - used - 2.0 * t.pad - 4.0;
            if job.curves.is_empty() && !job.is_live() {
                widgets::empty_state(ui, "No curves", "This run ended before its first measurement.", |_| {});
            } else {
                views::curves(ui, &job.curves, inner.max(t.body * 22.0), requests);
            }
        });
    });
}

fn right(ui: &mut Ui, t: &Tokens, job: &JobView, watch: &mut Watch, height: f32, requests: &Requests) {
    ui.vertical(|ui| {
        let top = ui.cursor().top();
        // The newest values; once there is a table it says more.
        if job.results.is_empty() {
            ui.columns(3, |columns| {
                // Where labels are mapped back, ASR would look harmless whatever happens.
                let newest =
                    |metric: &str| job.curves.stretches(metric).last().and_then(|points| Some(points.last()?[0]));
                let wins = if newest("rar").is_some_and(|at| Some(at) == newest("asr")) { "rar" } else { "asr" };
                for (ui, metric) in columns.iter_mut().zip(["acc", wins, "ra"]) {
                    let (name, meaning) = metric_title(metric);
                    let value = job.curves.last(metric).map_or_else(|| "\u{2013}".to_owned(), words::percent);
                    widgets::metric_card(ui, metric_role(metric), name, &value, &meaning);
                }
            });
        }
        for problem in job.warnings.iter().rev().take(1) {
            ui.add(egui::Label::new(RichText::new(&problem.headline).color(t.warn)).wrap())
                .on_hover_text(problem.to_string());
        }
        let left = height - (ui.cursor().top() - top) - 2.0 * t.pad - 4.0;
        theme::card(t).show(ui, |ui| {
            of_height(ui, left.max(t.body * 18.0), |ui| {
                choose_side(ui, watch, false);
                beside(ui, t, job, watch, requests);
            });
        });
    });
}

fn choose_side(ui: &mut Ui, watch: &mut Watch, with_curves: bool) {
    let choices = [
        (Side::Curves, "Curves", "How good the model is, and how often the trigger wins"),
        (Side::Pictures, "Pictures", "A few test pictures with the trigger, after every epoch"),
        (Side::Confusion, "Confusion", "How often each class is taken for each"),
        (Side::Method, "Method", "What attacks and repairs watch in themselves: terms of the loss, shares, lengths"),
        (Side::Saved, "Saved", "Pictures in the run folder"),
        (Side::Log, "Log", "What happened, step by step"),
    ];
    let choices = &choices[usize::from(!with_curves)..];
    let chosen = choices.iter().position(|(side, _, _)| *side == watch.side).or(Some(0));
    let labels: Vec<_> = choices.iter().map(|(_, label, help)| ((*label).to_owned(), (*help).to_owned())).collect();
    if let Some(index) = widgets::segmented(ui, "Show", &labels, chosen) {
        watch.side = choices[index].0;
    }
}

/// What the model says, or what the run has saved.
fn beside(ui: &mut Ui, t: &Tokens, job: &JobView, watch: &mut Watch, requests: &Requests) {
    match watch.side {
        Side::Saved => return views::job_pictures(ui, job),
        Side::Log => return log_lines(ui, t, job),
        Side::Method => return views::watched_curves(ui, &job.curves, &mut watch.watched_phase, requests),
        Side::Curves | Side::Pictures | Side::Confusion => {}
    }
    let Some(latest) = job.glimpses.len().checked_sub(1) else {
        let text = "What the model says of single pictures appears after the first epoch.";
        ui.add(egui::Label::new(RichText::new(text).color(t.text_weak)).wrap());
        return;
    };
    let moment = watch.moment.filter(|_| !watch.replayed).unwrap_or(latest).min(latest);
    let scrubs = latest > 0 && !watch.replayed;
    let glimpse = &job.glimpses[moment];
    let top = ui.cursor().top();
    let scrubber = if scrubs { t.control + t.gap * 2.0 } else { 0.0 };
    let height = ui.available_height() - scrubber;
    of_height(ui, height, |ui| match watch.side {
        Side::Curves | Side::Pictures => {
            ScrollArea::vertical()
                .id_salt("watched")
                .auto_shrink(false)
                .show(ui, |ui| views::watched_pictures(ui, glimpse));
        }
        _ => {
            let stamped = watch.stamped && !glimpse.confusion.stamped.is_empty();
            ui.horizontal(|ui| {
                if !glimpse.confusion.stamped.is_empty() {
                    widgets::switch(ui, &mut watch.stamped, "with the trigger");
                    ui.label("with the trigger");
                }
                let view = if stamped { "Confusion with the trigger" } else { "Confusion of classes" };
                widgets::table_button(ui, requests, view);
            });
            let sentence = views::confusion_sentence(&glimpse.confusion, stamped);
            ui.add(egui::Label::new(sentence).wrap());
            let left = height - (ui.cursor().top() - top);
            views::confusion_matrix(ui, &glimpse.confusion, stamped, left);
        }
    });
    if scrubs {
        scrub(ui, t, watch, moment, latest, &views::moment_words(&glimpse.confusion));
    }
}

/// Looks back: any earlier moment, or the newest as it comes.
fn scrub(ui: &mut Ui, t: &Tokens, watch: &mut Watch, moment: usize, latest: usize, words: &str) {
    ui.horizontal(|ui| {
        let mut at = moment;
        ui.spacing_mut().slider_width = (ui.available_width() - t.body * 6.0).max(t.body * 6.0);
        let slider = ui.add(egui::Slider::new(&mut at, 0..=latest).show_value(false));
        slider.widget_info(|| egui::WidgetInfo::slider(true, at as f64, "Moment"));
        if slider.on_hover_text(words).changed() {
            watch.moment = (at < latest).then_some(at);
        }
        let newest = egui::Button::new("Newest").selected(watch.moment.is_none());
        if ui.add(newest).on_hover_text("Follow the training").clicked() {
            watch.moment = None;
        }
    });
}

/// Content in a box of this height, however much there is.
fn of_height(ui: &mut Ui, height: f32, content: impl FnOnce(&mut Ui)) {
    let size = egui::vec2(ui.available_width(), height);
    ui.allocate_ui_with_layout(size, egui::Layout::top_down(egui::Align::LEFT), |ui| {
        ui.set_min_size(size);
        content(ui);
    });
}

fn log_lines(ui: &mut Ui, t: &Tokens, job: &JobView) {
    let row = t.small * 1.5;
    ui.spacing_mut().item_spacing.y = 2.0;
    ui.spacing_mut().interact_size.y = row;
    let area = ScrollArea::vertical().id_salt("log").stick_to_bottom(true).auto_shrink(false);
    area.show_rows(ui, row, job.log.len(), |ui, rows| {
        for line in job.log.range(rows) {
            ui.horizontal(|ui| {
                let at =
                    RichText::new(line.at.map(words::elapsed).unwrap_or_default()).size(t.small).color(t.text_weak);
                let column = egui::vec2(t.small * 5.5, row);
                let left = egui::Layout::left_to_right(egui::Align::Center);
                ui.allocate_ui_with_layout(column, left, |ui| {
                    ui.set_min_width(column.x);
                    ui.label(at);
                });
                let text = RichText::new(&line.text).size(t.small);
                let text = match line.level {
                    Level::Warning => text.color(t.warn),
                    Level::Step => text.color(t.text),
                    Level::Note => text.color(t.text_weak),
                };
                ui.add(egui::Label::new(text).truncate().selectable(true)).on_hover_text(&line.text);
            });
        }
    });
}
