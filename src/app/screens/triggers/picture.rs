//! One picture in large, and all around its place: which view, figures, what training's crops leave of the trigger.

use super::{planes, speech};
use crate::app::command::{Change, Requests, UserCommand};
use crate::app::picture::{Crop, Quality, Stamp, Study};
use crate::app::state::State;
use crate::app::theme::{self, ColourMap, Tokens};
use crate::app::views::{Camera, ZOOM_STEP};
use crate::app::widgets;
use crate::app::words;
use crate::experiment::Code;
use crate::run::event::Bench;
use egui::{Align, Layout, Pos2, Rect, RichText, Sense, Slider, Ui, Vec2, WidgetInfo, vec2};
use std::time::Duration;

/// Seconds that each random crop stays.
const CROP: f64 = 0.7;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum View {
    Clean,
    #[default]
    Poisoned,
    Residual,
    Spectrum,
    Heat,
    Wipe,
    Blink,
    SideBySide,
}

impl View {
    const ALL: [View; 8] = [
        View::Clean,
        View::Poisoned,
        View::Residual,
        View::Spectrum,
        View::Heat,
        View::Wipe,
        View::Blink,
        View::SideBySide,
    ];

    pub(super) fn words(self) -> (&'static str, &'static str) {
        match self {
            View::Clean => ("Clean", "The picture as it is in the data"),
            View::Poisoned => ("Poisoned", "The picture with the trigger on it"),
            View::Residual => ("Residual", "What the trigger changes, amplified; grey is no change"),
            View::Spectrum => ("Spectrum", "Which stripes the change and the picture are made of"),
            View::Heat => ("Heat", "How much each pixel changes, over the grey picture"),
            View::Wipe => ("Wipe", "Clean at the left of a line that you can drag, poisoned at the right"),
            View::Blink => ("Blink", "Clean and poisoned in turn, in the same place"),
            View::SideBySide => ("Side by side", "Clean and poisoned, zoomed and moved together"),
        }
    }
}

/// Random crops that follow each other.
#[derive(Debug)]
pub(super) struct Player {
    pub crop: Crop,
    until: f64,
    random: u64,
}

impl Player {
    /// The next crop; the sequence is always the same.
    fn next(&mut self, border: usize, flip: bool) {
        let mut draw = |below: u64| {
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.random >> 33) % below
        };
        let reach = border as i32;
        let mut shift = || draw(2 * border as u64 + 1) as i32 - reach;
        let shift = [shift(), shift()];
        self.crop = Crop { shift, flip: flip && draw(2) == 1 };
    }
}

/// What this part of the screen remembers.
#[derive(Debug)]
pub(super) struct PictureView {
    pub view: View,
    pub camera: Camera,
    /// The k of the residual; nothing means 100 levels for the largest change.
    pub amplification: Option<f32>,
    pub wipe: f32,
    /// The line is being dragged.
    pub wiping: bool,
    pub player: Option<Player>,
    /// Height of everything but the picture, as it was in the last frame.
    rest: f32,
}

impl Default for PictureView {
    fn default() -> Self {
        Self {
            view: View::default(),
            camera: Camera::default(),
            amplification: None,
            wipe: 0.5,
            wiping: false,
            player: None,
            rest: 260.0,
        }
    }
}

impl PictureView {
    fn choose(&mut self, view: View) {
        self.view = view;
        // Crops are seen in the picture, not in its spectrum.
        if view == View::Spectrum {
            self.player = None;
        }
    }
}

pub(super) fn show(ui: &mut Ui, t: &Tokens, state: &State, view: &mut PictureView, requests: &Requests) {
    let room = ui.available_height() - 2.0 * t.pad;
    super::scrolling_card(ui, t, "picture", |ui| {
        let Some(shown) = &state.bench.shown else {
            if state.bench.problem.as_ref().is_some_and(|problem| problem.code == Code::NotMadeYet) {
                let text = "The trigger is made when the experiment runs; afterwards it is shown here.";
                widgets::empty_state(ui, "There is no trigger yet.", text, |_| {});
            } else if state.bench.problem.is_some() {
                let text = "Mend the options at the left, or choose other data in the Lab.";
                widgets::empty_state(ui, "There is no picture to show.", text, |ui| {
                    widgets::command_button(ui, state, requests, UserCommand::Go(crate::app::command::Screen::Lab));
                });
            } else {
                widgets::empty_state(ui, "Making the picture…", "It appears as soon as the data is read.", |_| {});
            }
            return;
        };
        ui.spacing_mut().item_spacing.y = t.gap * 0.7;
        let top = ui.cursor().top();
        header(ui, t, state, shown, requests);
        let study = state.bench.figures();
        let attacked = state.draft.experiment().attack.is_some();
        let wide = ui.available_width() > t.body * 42.0;
        if !attacked {
            (view.view, view.player) = (View::Clean, None);
        } else if wide {
            choose_view(ui, view);
        }
        controls(ui, t, view, study, attacked && !wide);
        let height = (room - view.rest).max((t.body * 12.0).min(room * 0.6));
        if view.view == View::Spectrum {
            planes::spectra(ui, t, study, height);
        } else {
            let pointed = planes::show(ui, t, state, shown, view, height);
            read_out(ui, t, state, shown, pointed);
        }
        if let Some(study) = study.filter(|_| attacked) {
            if view.view == View::Heat {
                let map = ColourMap::Amount { low: 0.0, high: f32::from(study.quality.l_inf) };
                widgets::colour_scale(ui, map, "levels changed");
            }
            figures(ui, t, &study.quality);
            augmentation(ui, t, state, view, study);
            ui.add(egui::Label::new(speech::verdict(&study.quality)).wrap());
        }
        // The picture takes what the words leave; how much that is shows only when they have been laid out.
        let rest = ui.cursor().top() - top - height;
        // While crops play their words come and go; the picture must not jump with them.
        let settled = view.player.is_none() || rest > view.rest;
        if settled && (rest - view.rest).abs() > 1.0 {
            view.rest = rest;
            ui.ctx().request_repaint();
        }
    });
}

fn header(ui: &mut Ui, t: &Tokens, state: &State, shown: &Bench, requests: &Requests) {
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            for (command, sign) in [(UserCommand::NextPicture, "\u{203A}"), (UserCommand::PreviousPicture, "\u{2039}")]
            {
                let button = ui.add_enabled(state.enabled(command), egui::Button::new(sign));
                let button = button.on_hover_text(command.tooltip()).accessible_name(command.label());
                if button.clicked() {
                    requests.command(command);
                }
            }
            let mut row = state.bench.row;
            let number = egui::DragValue::new(&mut row).range(0..=shown.rows.saturating_sub(1)).speed(0.2);
            let number = ui.add(number).on_hover_text("The picture's place in the test set");
            if number.accessible_name("Picture number").changed() {
                requests.change(Change::BenchRow(row));
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                let (is, wanted) = (words::class_name(&shown.classes, shown.label), shown.poisoned_label);
                let title = if state.draft.experiment().attack.is_none() {
                    format!("“{is}”")
                } else if wanted == shown.label {
                    format!("“{is}”, to stay “{is}”")
                } else {
                    format!("“{is}”, to be taken for “{}”", words::class_name(&shown.classes, wanted))
                };
                ui.add(egui::Label::new(theme::strong(title).size(t.heading)).truncate());
            });
        });
    });
}

fn choose_view(ui: &mut Ui, view: &mut PictureView) {
    let words = View::ALL.map(|view| {
        let (name, help) = view.words();
        (name.to_owned(), help.to_owned())
    });
    let chosen = View::ALL.iter().position(|known| *known == view.view);
    if let Some(index) = widgets::segmented(ui, "View", &words, chosen) {
        view.choose(View::ALL[index]);
    }
}

/// The k that makes the largest change 100 levels.
pub(super) fn automatic(study: Option<&Study>) -> f32 {
    100.0 / study.map_or(100.0, |study| f32::from(study.quality.l_inf.max(1)))
}

/// The views as a list, where they do not fit beside each other.
fn list_views(ui: &mut Ui, t: &Tokens, view: &mut PictureView) {
    let combo = egui::ComboBox::from_id_salt("view").width(t.body * 7.5).selected_text(view.view.words().0);
    // All of them at once: there is nothing to scroll.
    let combo = combo.height((t.control + t.gap) * View::ALL.len() as f32);
    let combo = combo.show_ui(ui, |ui| {
        for known in View::ALL {
            let (name, help) = known.words();
            if ui.selectable_label(known == view.view, name).on_hover_text(help).clicked() {
                view.choose(known);
            }
        }
    });
    combo.response.on_hover_text(view.view.words().1).accessible_name("View");
}

/// What belongs to the chosen view, and the zoom; `list` puts the choice of the view here as well.
fn controls(ui: &mut Ui, t: &Tokens, view: &mut PictureView, study: Option<&Study>, list: bool) {
    if list {
        ui.horizontal(|ui| {
            list_views(ui, t, view);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| zoom_buttons(ui, t, view));
        });
        if matches!(view.view, View::Residual | View::Wipe) {
            ui.horizontal(|ui| view_control(ui, t, view, study));
        }
        return;
    }
    ui.horizontal(|ui| {
        ui.set_min_height(t.control);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            zoom_buttons(ui, t, view);
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| view_control(ui, t, view, study));
        });
    });
}

fn zoom_buttons(ui: &mut Ui, t: &Tokens, view: &mut PictureView) {
    if view.view == View::Spectrum {
        return;
    }
    let zoomed = view.camera.zoom() > 1.0;
    if ui.add_enabled(zoomed, egui::Button::new("Fit")).on_hover_text("Show the whole picture").clicked() {
        view.camera = Camera::default();
    }
    for (sign, factor, name) in [("+", ZOOM_STEP, "Zoom in"), ("\u{2212}", 1.0 / ZOOM_STEP, "Zoom out")] {
        let button = ui.add(egui::Button::new(sign).min_size(Vec2::splat(t.control)));
        if button.on_hover_text(name).accessible_name(name).clicked() {
            // Any rectangle does: the middle stays the middle.
            let square = Rect::from_min_size(Pos2::ZERO, Vec2::splat(1.0));
            view.camera.zoom_by(factor, square, Vec2::splat(1.0), square.center());
        }
    }
}

fn view_control(ui: &mut Ui, t: &Tokens, view: &mut PictureView, study: Option<&Study>) {
    match view.view {
        View::Residual => {
            let mut k = view.amplification.unwrap_or_else(|| automatic(study));
            ui.label("Amplified");
            ui.spacing_mut().slider_width = (ui.available_width() - t.body * 10.0).clamp(60.0, 260.0);
            let slider = Slider::new(&mut k, 0.2..=100.0).logarithmic(true);
            let slider = slider.custom_formatter(|k, _| format!("× {}", planes::short(k as f32)));
            let slider = ui.add(slider).on_hover_text("Shown is 128 + k (poisoned − clean)");
            if slider.accessible_name("Amplification").changed() {
                view.amplification = Some(k);
            }
            let help = "The largest change becomes 100 levels";
            if view.amplification.is_some() && ui.small_button("Auto").on_hover_text(help).clicked() {
                view.amplification = None;
            }
        }
        View::Wipe => {
            ui.label("Line at");
            ui.spacing_mut().slider_width = (ui.available_width() - t.body * 6.0).clamp(60.0, 260.0);
            let slider = Slider::new(&mut view.wipe, 0.0..=1.0).show_value(false);
            ui.add(slider).on_hover_text("You can also drag the line").accessible_name("Wipe line");
        }
        _ => {
            let (_, help) = view.view.words();
            ui.add(egui::Label::new(RichText::new(help).color(t.text_weak)).truncate());
        }
    }
}

/// The pixel under the pointer, clean and poisoned.
fn read_out(ui: &mut Ui, t: &Tokens, state: &State, shown: &Bench, pointed: Option<[usize; 2]>) {
    let text = match pointed {
        Some([x, y]) => {
            let clean = shown.clean.pixels();
            let rgb = |[red, green, blue]: [u8; 3]| format!("{red} {green} {blue}");
            let poisoned = match &state.bench.stamp {
                Stamp::Nothing => String::new(),
                stamp => format!("   poisoned {}", rgb(stamp.pixel(clean, x, y, state.bench.strength))),
            };
            format!("x {x}, y {y}   clean {}{poisoned}", rgb(clean.at(x, y)))
        }
        None => "Point at a pixel to read it. The wheel zooms, dragging moves.".to_owned(),
    };
    ui.add(egui::Label::new(RichText::new(text).size(t.small).color(t.text_weak)).truncate());
}

fn figures(ui: &mut Ui, t: &Tokens, quality: &Quality) {
    let psnr = if quality.psnr.is_finite() { format!("{:.1} dB", quality.psnr) } else { "\u{221E}".to_owned() };
    let pixels = format!("{} of {} pixels changed in any channel", quality.changed, quality.pixels);
    let all: [(&str, String, &str); 5] = [
        ("L\u{221E}", quality.l_inf.to_string(), "Largest change of any value, in grey levels of 255"),
        ("L2", format!("{:.2}", quality.l2), "Root of the summed squared changes, values taken as 0 to 1"),
        ("PSNR", psnr, "Peak signal to noise: above 32 dB a change over the whole picture is hardly visible"),
        ("SSIM", format!("{:.3}", quality.ssim), "Structural similarity: 1 means alike"),
        ("changed", crate::app::words::percent(quality.share()), &pixels),
    ];
    let width = (ui.available_width() - 4.0 * t.gap) / all.len() as f32;
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing = vec2(t.gap, 0.0);
        for (name, value, meaning) in all {
            let column = Layout::top_down(Align::LEFT);
            let response = ui.allocate_ui_with_layout(vec2(width, t.small + t.body * 1.6), column, |ui| {
                ui.set_min_width(width);
                ui.add(egui::Label::new(RichText::new(name).size(t.small).color(t.text_weak)).truncate());
                ui.add(egui::Label::new(theme::strong(&value)).truncate());
            });
            let response = response.response.interact(Sense::hover());
            response
                .widget_info(|| WidgetInfo::labeled(egui::Role::Group, true, format!("{name}: {value}. {meaning}")));
            response.on_hover_text(meaning);
        }
    });
}

/// Shows how training sees the picture, crop after crop.
fn augmentation(ui: &mut Ui, t: &Tokens, state: &State, view: &mut PictureView, study: &Study) {
    let train = &state.draft.experiment().train;
    let (border, flip) = (study.survival.border(), train.flip);
    let now = ui.input(|input| input.time);
    if border == 0 && !flip {
        view.player = None;
    }
    if let Some(player) = &mut view.player {
        if now >= player.until {
            player.next(border, flip);
            player.until = now + CROP;
        }
        ui.ctx().request_repaint_after(Duration::from_secs_f64((player.until - now).max(0.01)));
    }
    ui.horizontal(|ui| {
        let playing = view.player.is_some();
        let word = if playing { "Stop playing" } else { "Play augmentation" };
        let help = "Shows the picture as training sees it, one random crop after the other";
        let button = ui.add_enabled(border > 0 || flip, egui::Button::new(word));
        let button = button.on_hover_text(help).on_disabled_hover_text("This training neither crops nor mirrors");
        if button.clicked() {
            let fresh = || Player { crop: Crop::default(), until: now, random: 7 };
            view.player = if playing { None } else { Some(fresh()) };
            if view.view == View::Spectrum {
                view.view = View::Poisoned;
            }
        }
        let text = match &view.player {
            Some(player) => speech::one_crop(&study.survival, player.crop),
            None => speech::survival(&study.survival, flip),
        };
        ui.add(egui::Label::new(RichText::new(text).color(t.text_weak)).wrap());
    });
}
