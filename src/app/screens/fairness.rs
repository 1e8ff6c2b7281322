//! Fairness: what it costs to predict the same, on average, for every group. A curve, a point on it that is dragged, and
//! everything that follows from where it stands.

use crate::app::command::{Change, Requests};
use crate::app::fair::{FairChange, Part, lacks, words};
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::views::fair::{FeatureMemory, Shown, calibration, densities, features, group_table, people, trade_off};
use crate::app::widgets::{self, export_button};
use crate::run::fair::Dial;
use egui::{Align, Label, Layout, RichText, ScrollArea, Slider, Ui, vec2};

mod setup;

/// What follows the point, beside the densities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Tab {
    #[default]
    People,
    Groups,
    Features,
    Calibration,
}

impl Tab {
    const ALL: [Tab; 4] = [Tab::People, Tab::Groups, Tab::Features, Tab::Calibration];

    fn words(self) -> (String, String) {
        let (name, help) = match self {
            Tab::People => ("People", "Whose predictions the constraint changes most"),
            Tab::Groups => ("Groups", "Every group in numbers"),
            Tab::Features => ("Features", "What the model goes by, before and now"),
            Tab::Calibration => ("Calibration", "Predictions held against what came true"),
        };
        (name.to_owned(), help.to_owned())
    }
}

/// What the screen remembers about drawing.
#[derive(Debug, Default)]
pub struct Page {
    tab: Tab,
    /// The choice of columns and model is open.
    setup: bool,
    /// The attribute whose calibration is shown.
    attribute: usize,
    features: FeatureMemory,
    /// What the words and controls around the curve took of its card.
    around_curve: f32,
    setup_memory: setup::SetupMemory,
}

pub fn show(ui: &mut Ui, state: &State, page: &mut Page, requests: &Requests) {
    let t = theme::of(ui);
    let fair = &state.fairness;
    let without_table = fair.table.is_none() && fair.course.is_none();
    if without_table && fair.problem.is_some() {
        // A card above everything: in a low window it would leave no room for the way on.
        ScrollArea::vertical().id_salt("no table").auto_shrink(false).show(ui, |ui| {
            header(ui, &t, state, page, requests);
            problem_card(ui, state, requests);
            setup::show(ui, &t, state, &mut page.setup_memory, requests);
        });
        return;
    }
    header(ui, &t, state, page, requests);
    problem_card(ui, state, requests);
    let shown = fair.course.as_ref().zip(fair.now.as_ref()).map(|(course, now)| Shown {
        course,
        now,
        pinned: fair.pinned.as_ref(),
        kept: fair.kept_position(),
    });
    let total = ui.available_size();
    let Some(shown) = shown else {
        return without_fit(ui, &t, state, page, requests);
    };
    if total.x > t.body * 62.0 {
        wide(ui, &t, state, page, &shown, requests);
    } else {
        narrow(ui, &t, state, page, &shown, requests);
    }
}

fn problem_card(ui: &mut Ui, state: &State, requests: &Requests) {
    if let Some(problem) = &state.fairness.problem {
        widgets::problem_card(ui, requests, problem, 1, false, None);
    }
}

/// Title, which table, and what to do with the point.
fn header(ui: &mut Ui, t: &Tokens, state: &State, page: &mut Page, requests: &Requests) {
    let fair = &state.fairness;
    ui.horizontal_wrapped(|ui| {
        ui.set_min_height(t.control * 1.2);
        ui.label(theme::title(t, "Fairness"));
        setup::choose_table(ui, t, state, requests);
        let open = page.setup || fair.course.is_none();
        let word = ui.add(egui::Button::new("Data and model").selected(open));
        if word.on_hover_text("Columns, kernel, and what is enforced").clicked() {
            page.setup = !page.setup;
        }
        fit_button(ui, t, state, requests);
        if let Some(course) = &fair.course {
            keep_button(ui, t, state, requests);
            remarks(ui, t, &course.fit.notes);
        }
    });
}

/// What was found in the table and done about it: small groups, empty cells, columns left out.
fn remarks(ui: &mut Ui, t: &Tokens, notes: &[String]) {
    if notes.is_empty() {
        return;
    }
    let count = if notes.len() == 1 { "1 remark".to_owned() } else { format!("{} remarks", notes.len()) };
    let button = ui.menu_button(count, |ui| {
        ui.set_max_width((t.body * 34.0).min(ui.ctx().content_rect().width() * 0.6));
        ui.with_layout(Layout::top_down(Align::LEFT), |ui| {
            ScrollArea::vertical().max_height(t.body * 24.0).show(ui, |ui| {
                for note in notes {
                    ui.add(Label::new(note).wrap());
                }
            });
        });
    });
    button.response.on_hover_text("What was found in the table, and what was done about it");
}

/// Fits anew when something was changed; says so while it works.
fn fit_button(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let fair = &state.fairness;
    if state.is_fitting() {
        ui.label(theme::strong("Fitting…"));
        return;
    }
    if fair.course.is_some() && !fair.is_stale() {
        return;
    }
    let missing = lacks(&fair.experiment);
    let word = if fair.course.is_some() { "Fit again" } else { "Fit" };
    let button = egui::Button::new(theme::strong(word).color(t.on_accent)).fill(t.accent);
    let response = ui.add_enabled(missing.is_none(), button);
    let response = response.on_hover_text("Fits the regression and its whole trade-off");
    if response.on_disabled_hover_text(missing.unwrap_or_default()).clicked() {
        requests.change(Change::Fair(FairChange::Fit));
    }
    if fair.course.is_some() {
        ui.label(RichText::new("Changed; what is shown is the last fit.").color(t.text_weak));
    }
}

fn keep_button(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let kept = state.fairness.is_kept();
    let word = if kept { "Kept" } else { "Keep this point" };
    let text = theme::strong(word);
    let stale = state.fairness.is_stale();
    let main = egui::Button::new(if stale || kept { text } else { text.color(t.on_accent) });
    let button = if stale || kept { main } else { main.fill(t.accent) };
    let help = "Marks this point as the chosen trade-off; it is there again when the program is started next";
    if ui.add_enabled(!kept, button).on_hover_text(help).clicked() {
        requests.change(Change::Fair(FairChange::Keep));
    }
}

/// Before the first fit: what is being done, or what must be chosen.
fn without_fit(ui: &mut Ui, t: &Tokens, state: &State, page: &mut Page, requests: &Requests) {
    let fair = &state.fairness;
    if state.is_fitting() && !page.setup {
        let what = "The whole curve comes from one fit; dragging needs no other.";
        return widgets::empty_state(ui, "Fitting the trade-off…", what, |_| {});
    }
    if let Some(missing) = lacks(&fair.experiment).filter(|_| fair.problem.is_none()) {
        ui.label(theme::strong(missing));
    }
    let height = ui.available_height();
    let width = ui.available_width().min(t.body * 52.0);
    ui.allocate_ui_with_layout(vec2(width, height), Layout::top_down(Align::LEFT), |ui| {
        setup::show(ui, t, state, &mut page.setup_memory, requests);
    });
}

/// The curve at the left, what follows from it at the right.
fn wide(ui: &mut Ui, t: &Tokens, state: &State, page: &mut Page, shown: &Shown<'_>, requests: &Requests) {
    let total = ui.available_size();
    let column = Layout::top_down(Align::LEFT);
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = t.gap;
        let mut left = total.x;
        if page.setup {
            let width = (total.x * 0.27).clamp(t.body * 20.0, t.body * 28.0);
            left -= width + t.gap;
            ui.allocate_ui_with_layout(vec2(width, total.y), column, |ui| {
                setup::show(ui, t, state, &mut page.setup_memory, requests);
            });
        }
        let half = ((left - t.gap) * 0.5).floor();
        ui.allocate_ui_with_layout(vec2(half, total.y), column, |ui| {
            curve_card(ui, t, state, page, shown, total.y, requests)
        });
        ui.allocate_ui_with_layout(vec2(left - half - t.gap, total.y), column, |ui| {
            // More attributes need more room for their pictures.
            let share = if shown.course.attributes.len() > 2 { 0.55 } else { 0.46 };
            let upper = (total.y * share).floor();
            card(ui, t, upper, |ui, height| densities(ui, shown, height));
            let lower = ui.available_height();
            card(ui, t, lower, |ui, height| tabs(ui, t, page, shown, height, requests));
        });
    });
}

/// One below the other; the choices take the whole place while they are open.
fn narrow(ui: &mut Ui, t: &Tokens, state: &State, page: &mut Page, shown: &Shown<'_>, requests: &Requests) {
    let height = ui.available_height();
    if page.setup {
        return setup::show(ui, t, state, &mut page.setup_memory, requests);
    }
    ScrollArea::vertical().id_salt("fairness").auto_shrink(false).show(ui, |ui| {
        curve_card(ui, t, state, page, shown, height.max(t.body * 29.0), requests);
        let each = (t.body * 17.0).min(height.max(t.body * 15.0));
        let rows = shown.course.attributes.len().div_ceil(2).max(1) as f32;
        card(ui, t, each * rows, |ui, height| densities(ui, shown, height));
        card(ui, t, height.clamp(t.body * 24.0, t.body * 34.0), |ui, height| {
            tabs(ui, t, page, shown, height, requests)
        });
    });
}

/// A card of this height; its content learns how much of it is left inside.
fn card(ui: &mut Ui, t: &Tokens, height: f32, content: impl FnOnce(&mut Ui, f32)) {
    theme::card(t).show(ui, |ui| {
        let inside = height - 2.0 * t.pad - 2.0;
        ui.set_width(ui.available_width());
        // As high as it was meant to be, whatever is in it.
        ui.set_min_height(inside);
        content(ui, inside);
    });
}

/// Sentence, curve, slider.
fn curve_card(
    ui: &mut Ui,
    t: &Tokens,
    state: &State,
    page: &mut Page,
    shown: &Shown<'_>,
    height: f32,
    requests: &Requests,
) {
    card(ui, t, height, |ui, inside| {
        let top = ui.cursor().top();
        sentences(ui, t, shown);
        // Words wrap as the window is narrow: what they took in the last frame is left to them in this one.
        let around = if page.around_curve > 0.0 { page.around_curve } else { t.body * 20.0 };
        let curve = (inside - around).max(t.body * 9.0);
        trade_off(ui, shown, curve, requests);
        slider(ui, t, shown, requests);
        points(ui, state, shown, requests);
        let around = ui.cursor().top() - ui.spacing().item_spacing.y - top - curve;
        if (around - page.around_curve).abs() > 0.5 {
            page.around_curve = around;
            ui.ctx().request_repaint();
        }
    });
}

/// What the point means and what it does not cover.
fn sentences(ui: &mut Ui, t: &Tokens, shown: &Shown<'_>) {
    let fit = &shown.course.fit;
    let meaning = ui.add(Label::new(theme::strong(fit.sentence(shown.now.dial))).wrap());
    let seconds: f64 = fit.seconds.iter().sum();
    meaning.on_hover_text(format!("{}. {}; {seconds:.1} s", fit.notion, words::of_fit(shown.course)));
    let noise = fit.noise_sentence(&shown.now.point).unwrap_or_default();
    let weak = |ui: &mut Ui, text: String| {
        ui.add(Label::new(RichText::new(text).size(t.small).color(t.text_weak)).wrap());
    };
    ui.spacing_mut().item_spacing.y = t.gap * 0.5;
    weak(ui, format!("{noise} {}", words::not_covered(shown.course, shown.now)).trim().to_owned());
    if let Some(pinned) = shown.pinned {
        ui.add(Label::new(words::against(pinned, shown.now)).wrap());
    }
}

/// The curve's point as a slider, from no constraint to fully fair.
fn slider(ui: &mut Ui, t: &Tokens, shown: &Shown<'_>, requests: &Requests) {
    let mut percent = 100.0 * shown.now.position;
    ui.horizontal(|ui| {
        let rest = t.body * if matches!(shown.now.dial, Dial::Share(_)) { 7.5 } else { 10.5 };
        ui.spacing_mut().slider_width = (ui.available_width() - rest - t.gap).max(t.body * 6.0);
        ui.spacing_mut().interact_size.y = t.body * 1.5;
        let slider = Slider::new(&mut percent, 0.0..=100.0).show_value(false);
        let help = "Left: no constraint. Right: equal mean predictions for all groups";
        ui.add(slider).on_hover_text(help).accessible_name("Share of the gap that is removed");
        ui.label(theme::strong(words::place(shown.now)));
    });
    if (percent - 100.0 * shown.now.position).abs() > 1e-9 {
        requests.change(Change::Fair(FairChange::Position(percent / 100.0)));
    }
}

/// A wanted gap, the pin, whose rows are looked at, and the way along the trade-off.
fn points(ui: &mut Ui, state: &State, shown: &Shown<'_>, requests: &Requests) {
    let ask = |change| requests.change(Change::Fair(change));
    ui.horizontal_wrapped(|ui| {
        ui.label("Gap at most").on_hover_text("On the training rows, where it can be set exactly");
        let mut gap = shown.now.point.train.gap;
        let most = shown.course.train.first().map_or(gap, |first| first[1]);
        let boxed = egui::DragValue::new(&mut gap).range(0.0..=most).speed(most * 0.005).max_decimals(4);
        if ui.add(boxed).accessible_name("Gap at most").changed() {
            ask(FairChange::Gap(gap));
        }
        let pinned = state.fairness.pinned.is_some();
        let help = "Keeps this point in sight (dotted) while another one is looked at";
        if ui.add(egui::Button::new("Pin").selected(pinned)).on_hover_text(help).clicked() {
            ask(FairChange::Pin(!pinned));
        }
        let parts = Part::ALL.map(|part| (part.name().to_owned(), String::new()));
        let chosen = Part::ALL.iter().position(|part| *part == shown.course.part);
        if let Some(part) = widgets::segmented(ui, "Rows", &parts, chosen).and_then(|at| Part::ALL.get(at)) {
            ask(FairChange::Part(*part));
        }
        export_button(ui, requests, "Trade-off");
        widgets::table_button(ui, requests, "Trade-off");
    });
    if shown.course.fit.directions() > 1 {
        let ways = [
            ("Share".to_owned(), "Every gap shrinks by the same share".to_owned()),
            ("Penalty".to_owned(), "Gaps that the data supports well shrink first".to_owned()),
        ];
        let chosen = usize::from(matches!(shown.course.kind, Dial::Penalty(_)));
        if let Some(way) = widgets::segmented(ui, "Way", &ways, Some(chosen)) {
            ask(FairChange::Kind(if way == 0 { Dial::Share(0.0) } else { Dial::Penalty(0.0) }));
        }
    }
}

fn tabs(ui: &mut Ui, t: &Tokens, page: &mut Page, shown: &Shown<'_>, height: f32, requests: &Requests) {
    let top = ui.cursor().top();
    let all = Tab::ALL.map(Tab::words);
    let chosen = Tab::ALL.iter().position(|tab| *tab == page.tab);
    ui.horizontal_wrapped(|ui| {
        if let Some(tab) = widgets::segmented(ui, "Show", &all, chosen).and_then(|at| Tab::ALL.get(at)) {
            page.tab = *tab;
        }
        let attribute = shown.course.attributes.get(page.attribute).map(|of| of.name.as_str());
        let title = match page.tab {
            Tab::Calibration => format!("Calibration by {}", attribute.unwrap_or_default()),
            tab => tab.words().0,
        };
        export_button(ui, requests, &title);
        if page.tab == Tab::Calibration {
            widgets::table_button(ui, requests, &title);
        }
    });
    if page.tab == Tab::Calibration && shown.course.attributes.len() > 1 {
        let names: Vec<_> = shown.course.attributes.iter().map(|of| (of.name.clone(), String::new())).collect();
        if let Some(at) = widgets::segmented(ui, "By", &names, Some(page.attribute)) {
            page.attribute = at;
        }
    }
    let left = height - (ui.cursor().top() - top);
    match page.tab {
        Tab::People => {
            let area = ScrollArea::vertical().id_salt("people").max_height(left).auto_shrink(false);
            area.show(ui, |ui| {
                ui.set_max_width(ui.available_width() - t.gap);
                people(ui, shown);
            });
        }
        Tab::Groups => group_table(ui, shown, left),
        Tab::Features => features(ui, shown, &mut page.features, left),
        Tab::Calibration => {
            page.attribute = page.attribute.min(shown.course.attributes.len().saturating_sub(1));
            calibration(ui, shown, page.attribute, left);
        }
    }
}
