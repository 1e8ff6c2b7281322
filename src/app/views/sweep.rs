//! A sweep at a glance: one small card per run while they are made, and what the varied setting does once some are done.

use super::curves::time_plot;
use crate::app::command::{Change, Requests};
use crate::app::curves::Curves;
use crate::app::export::{ExportChange, SWEEP};
use crate::app::state::State;
use crate::app::sweep::{Rate, Standing, SweepRun, SweepView, VaryChange};
use crate::app::theme::{self, ColourMap, Role, Tokens};
use crate::app::{widgets, words};
use crate::experiment::Scores;
use egui::{
    Align2, CornerRadius, FontId, Label, Rect, RichText, ScrollArea, Sense, Stroke, Ui, WidgetInfo, pos2, vec2,
};
use egui_plot::{FilledArea, GridMark, Line, Plot, Points};

/// Where the sweep stands and a small card for each of its runs.
pub fn sweep_strip(ui: &mut Ui, state: &State, sweep: &SweepView, requests: &Requests) {
    let t = theme::of(ui);
    theme::card(&t).show(ui, |ui| {
        ui.set_width(ui.available_width());
        head(ui, &t, state, sweep, requests);
        ScrollArea::horizontal().id_salt("sweep").show(ui, |ui| {
            ui.horizontal_top(|ui| {
                for run in &sweep.runs {
                    card(ui, &t, state, sweep, run, requests);
                }
            });
        });
    });
}

fn head(ui: &mut Ui, t: &Tokens, state: &State, sweep: &SweepView, requests: &Requests) {
    let ask = |change| requests.change(Change::Vary(change));
    let idle = state.live_job().is_none();
    let title = |ui: &mut Ui| {
        ui.label(theme::strong("Sweep"));
        let open = !sweep.is_over() && !sweep.active && !sweep.is_recorded();
        let resume = if open { " Resume?" } else { "" };
        ui.add(Label::new(format!("{}{resume}", sweep.summary())).truncate()).on_hover_text(&sweep.title);
    };
    let buttons = |ui: &mut Ui| {
        ui.menu_button("More", |ui| {
            let button = |ui: &mut Ui, word: &str, help: &str| {
                let clicked = ui.button(word).on_hover_text(help).clicked();
                if clicked {
                    ui.close();
                }
                clicked
            };
            if let Some(sentence) = sweep.sentence()
                && button(ui, "Copy sentence", &sentence)
            {
                requests.change(Change::Copy(sentence));
            }
            let help = "The rates over what is varied, the course of each value, and all runs: PNG, SVG or CSV";
            if !sweep.groups().is_empty() && button(ui, "Export…", help) {
                requests.change(Change::Export(ExportChange::Open(Some(SWEEP.to_owned()))));
            }
            if let Ok(text) = sweep.sweep.to_toml()
                && !sweep.is_recorded()
                && button(ui, "Copy as TOML", "For `polariscope sweep FILE`, which goes on with the same runs")
            {
                requests.change(Change::Copy(text));
            }
            if idle && button(ui, "Put away", "Takes the sweep off this window; its runs stay in the list") {
                ask(VaryChange::PutAway);
            }
        });
        if sweep.groups().len() > 1 && ui.button("Compare").on_hover_text("What the varied setting does").clicked() {
            ask(VaryChange::Compare);
        }
        if sweep.is_over() && idle && !sweep.is_recorded() {
            let help = "The same values with three more seeds; where they agree it is no luck";
            if ui.button("Is that luck?").on_hover_text(help).clicked() {
                ask(VaryChange::MoreSeeds);
            }
        }
        if sweep.active {
            if ui.button("Stop the sweep").on_hover_text("Keeps what the run that is made has reached").clicked() {
                ask(VaryChange::Stop);
            }
        } else if !sweep.is_over() && !sweep.is_recorded() {
            let button = egui::Button::new(theme::strong("Resume").color(t.on_accent)).fill(t.accent);
            if ui.add_enabled(idle, button).on_hover_text("Makes the runs that are not finished").clicked() {
                ask(VaryChange::Resume);
            }
        }
    };
    egui::Sides::new().height(t.control).shrink_left().truncate().show(ui, title, buttons);
}

fn card(ui: &mut Ui, t: &Tokens, state: &State, sweep: &SweepView, run: &SweepRun, requests: &Requests) {
    // Where the window is low the curves below need the room.
    let low = ui.ctx().content_rect().height() < t.body * 52.0;
    let live = state.live_job().map(|job| &job.curves).filter(|_| run.standing == Standing::Running);
    let curves = live.or(run.view.as_ref().map(|view| &view.curves));
    let said = sweep.run_words(run, live);
    let size = vec2(t.body * 10.0, t.body * if low { 3.2 } else { 5.6 });
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Button, true, &said));
    if run.standing == Standing::Running {
        let slot = egui::Id::unique("running run of the sweep");
        // Once for each run that begins: afterwards the strip stays where a hand puts it.
        if ui.data(|data| data.get_temp::<String>(slot)).is_none_or(|shown| shown != run.label) {
            response.scroll_to_me(Some(egui::Align::Center));
            ui.data_mut(|data| data.insert_temp(slot, run.label.clone()));
        }
    }
    let painter = ui.painter_at(rect);
    let edge = match (&run.standing, response.hovered() || response.has_focus()) {
        (Standing::Running, _) => Stroke::new(2.0, t.accent),
        (_, true) => Stroke::new(2.0, t.link),
        _ => Stroke::new(1.0, t.line),
    };
    painter.rect(rect, CornerRadius::same(t.radius / 2), t.field, edge, egui::StrokeKind::Inside);
    let inner = rect.shrink(t.gap * 0.6);
    let (small, body) = (FontId::proportional(t.small), FontId::proportional(t.small));
    let label = ui.fonts_mut(|fonts| fonts.layout_no_wrap(run.label.clone(), body.clone(), t.text));
    if label.size().x <= inner.width() {
        painter.galley(inner.left_top(), label, t.text);
    } else {
        let clipped = painter.with_clip_rect(inner);
        clipped.text(inner.left_top(), Align2::LEFT_TOP, &run.label, body, t.text);
    }
    let plot = Rect::from_min_max(
        inner.left_top() + vec2(0.0, t.small * 1.4),
        inner.right_bottom() - vec2(0.0, t.small * 1.4),
    );
    if let Some(curves) = curves.filter(|_| !low) {
        small_curves(&painter, t, plot, curves);
    }
    let colour = match &run.standing {
        Standing::Failed(_) => t.bad,
        Standing::Interrupted => t.warn,
        _ => t.text_weak,
    };
    // The whole of it is told to whoever points at the card or hears it.
    let rate = said.split(", ").find(|part| part.starts_with("ASR "));
    let rate = rate.or_else(|| said.split(", ").find(|part| part.starts_with("ACC ")));
    let word = match (&run.standing, rate) {
        (Standing::Done, Some(rate)) => rate.to_owned(),
        (Standing::Running, Some(rate)) => format!("running, {rate}"),
        (standing, _) => standing.word().to_owned(),
    };
    painter.text(inner.left_bottom(), Align2::LEFT_BOTTOM, word, small, colour);
    if response.clicked() && run.view.is_some() {
        requests.change(Change::OpenRun(run.planned.folder.clone()));
    }
    let why = match &run.standing {
        Standing::Failed(why) => format!("{said}\n{why}"),
        _ => said,
    };
    response.on_hover_text(why);
}

/// ACC solid, ASR dashed, without any words: the card says them.
fn small_curves(painter: &egui::Painter, t: &Tokens, area: Rect, curves: &Curves) {
    let end = curves.end().max(1.0) as f32;
    let place = |[x, y]: [f64; 2]| {
        pos2(area.left() + x as f32 / end * area.width(), area.bottom() - (y as f32).clamp(0.0, 1.0) * area.height())
    };
    painter.hline(area.x_range(), area.bottom(), Stroke::new(1.0, t.line));
    for (metric, role) in [("acc", Role::Clean), ("asr", Role::Attacked)] {
        for stretch in curves.stretches(metric) {
            let points: Vec<_> = stretch.into_iter().map(place).collect();
            let stroke = Stroke::new(t.stroke, t.role(role));
            if points.len() == 1 {
                painter.circle_filled(points[0], t.stroke * 1.4, t.role(role));
            } else if role == Role::Attacked {
                painter.extend(egui::Shape::dashed_line(&points, stroke, 5.0, 3.0));
            } else {
                painter.line(points, stroke);
            }
        }
    }
}

/// What the varied setting does: a rate over its values, one mark per run, the mean as a line, and the spread of the seeds as
/// a band.
pub fn sweep_plot(ui: &mut Ui, sweep: &SweepView, height: f32) {
    let t = theme::of(ui);
    let groups = sweep.groups();
    let sentence = sweep.sentence().unwrap_or_else(|| "Nothing is finished yet.".to_owned());
    let names: Vec<String> = groups.iter().map(|group| group.value.to_owned()).collect();
    ui.horizontal_wrapped(|ui| {
        for (metric, role) in [("ACC", Role::Clean), ("ASR", Role::Attacked)] {
            let (rect, _) = ui.allocate_exact_size(vec2(t.body * 2.2, t.body), Sense::hover());
            widgets::line_sample(ui.painter(), &t, rect, role);
            ui.label(RichText::new(metric).size(t.small));
        }
        if groups.iter().any(|group| group.scores.len() > 1) {
            ui.label(RichText::new("line: mean, band: all seeds").size(t.small).color(t.text_weak));
        }
    });
    let last = names.len().saturating_sub(1) as f64;
    let shown = names.clone();
    let plot = Plot::new("sweep")
        .height(height)
        .include_x(-0.4)
        .include_x(last + 0.4)
        .include_y(0.0)
        .include_y(1.05)
        .allow_scroll(false)
        .allow_zoom(false)
        .allow_drag(false)
        .grid_color(t.line)
        .y_axis_min_width(t.body * 3.4)
        .y_grid_spacer(|_| (0..=4).map(|step| GridMark { value: f64::from(step) * 0.25, step_size: 0.25 }).collect())
        .y_axis_formatter(|mark: GridMark, _: &_| format!("{:.0} %", mark.value * 100.0))
        .x_grid_spacer(move |_| (0..names.len()).map(|at| GridMark { value: at as f64, step_size: 1.0 }).collect())
        .x_axis_formatter(move |mark: GridMark, _: &_| {
            shown.get(mark.value.round() as usize).cloned().unwrap_or_default()
        })
        .label_formatter(|_: &egui_plot::HoverPosition<'_>| None);
    let response = plot.show(ui, |plot| {
        let asr: Rate = Scores::trigger_wins;
        let acc: Rate = |scores| Some(scores.acc);
        for (name, role, of) in [("ACC", Role::Clean, acc), ("ASR", Role::Attacked, asr)] {
            let rates: Vec<(f64, [f64; 3])> =
                groups.iter().enumerate().filter_map(|(at, group)| Some((at as f64, group.rate(of)?))).collect();
            let (xs, low, high): (Vec<f64>, Vec<f64>, Vec<f64>) = rates.iter().fold(
                Default::default(),
                |(mut xs, mut low, mut high): (Vec<f64>, Vec<f64>, Vec<f64>), (x, [_, from, to])| {
                    xs.push(*x);
                    low.push(*from);
                    high.push(*to);
                    (xs, low, high)
                },
            );
            let colour = t.role(role);
            if xs.len() > 1 && low != high {
                plot.add(
                    FilledArea::new("", &xs, &low, &high).fill_color(colour.gamma_multiply(0.18)).allow_hover(false),
                );
            }
            let means: Vec<[f64; 2]> = rates.iter().map(|(x, [mean, ..])| [*x, *mean]).collect();
            plot.line(Line::new(name, means).color(colour).width(t.stroke).style(theme::line_style(role)));
            let all = groups.iter().enumerate();
            let all = all
                .flat_map(|(at, group)| group.scores.iter().filter_map(move |scores| Some([at as f64, of(scores)?])));
            plot.points(
                Points::new(name, all.collect::<Vec<_>>())
                    .color(colour)
                    .shape(theme::mark(role))
                    .radius(t.stroke * 2.2),
            );
        }
    });
    response
        .response
        .widget_info(|| WidgetInfo::labeled(egui::Role::Figure, true, format!("What the sweep shows. {sentence}")));
    response.response.on_hover_text(sentence);
}

/// How often the trigger wins while it is learned: one line per value, from dark to light, named at its end.
pub fn sweep_courses(ui: &mut Ui, sweep: &SweepView, height: f32) {
    let t = theme::of(ui);
    let courses = sweep.courses();
    let end = courses.iter().map(|(_, curves)| curves.end()).fold(1.0, f64::max);
    let plot = time_plot(&t, "courses of the sweep", ui.scope_id().with("courses"), end * 1.2, height)
        .include_y(0.0)
        .include_y(1.05)
        .y_grid_spacer(|_| (0..=4).map(|step| GridMark { value: f64::from(step) * 0.25, step_size: 0.25 }).collect())
        .y_axis_formatter(|mark: GridMark, _: &_| format!("{:.0} %", mark.value * 100.0))
        .x_axis_formatter(|mark: GridMark, _: &_| format!("{:.0}", mark.value))
        .label_formatter(|_: &egui_plot::HoverPosition<'_>| None);
    // The lightest end of the map is lost on a light ground, the darkest on a dark one.
    let (from, to) = if t.dark { (0.35, 1.0) } else { (0.0, 0.8) };
    let shade = |at: usize| {
        let share = at as f32 / courses.len().saturating_sub(1).max(1) as f32;
        ColourMap::Amount { low: 0.0, high: 1.0 }.colour(from + (to - from) * share)
    };
    plot.show(ui, |plot| {
        let mut ends: Vec<(f64, &str)> = Vec::new();
        for (at, (value, curves)) in courses.iter().enumerate() {
            for stretch in curves.stretches("asr") {
                plot.line(Line::new(*value, stretch).color(shade(at)).width(t.stroke));
            }
            ends.push((curves.last("asr").unwrap_or_default(), value));
        }
        // Names that would lie on each other move apart.
        ends.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let apart = f64::from(t.small * 1.3 / height) * 1.1;
        let most = 1.0 - apart * (ends.len() as f64 - 1.0);
        let mut least = f64::MIN;
        for (at, (value, name)) in ends.into_iter().enumerate() {
            let y = value.min(most + apart * at as f64).max(least);
            least = y + apart;
            let text = RichText::new(format!(" {name}")).size(t.small).color(t.text);
            let place = egui_plot::PlotPoint::new(end, y);
            plot.text(egui_plot::Text::new("", place, text).anchor(Align2::LEFT_CENTER).allow_hover(false));
        }
    });
    let word = ui.vertical_centered(|ui| ui.label(RichText::new("epochs").size(t.small).color(t.text_weak)));
    let said =
        courses.iter().filter_map(|(value, curves)| Some(format!("{value}: {}", words::percent(curves.last("asr")?))));
    let said = format!("ASR over time, at the end: {}.", said.collect::<Vec<_>>().join("; "));
    word.inner.widget_info(|| WidgetInfo::labeled(egui::Role::Figure, true, &said));
}

/// The same in numbers, one row per value.
pub fn sweep_table(ui: &mut Ui, sweep: &SweepView) {
    let t = theme::of(ui);
    let weak = |text: &str| RichText::new(text).size(t.small).color(t.text_weak);
    egui::Grid::new("sweep table").num_columns(4).striped(true).spacing([t.pad * 1.4, t.gap * 0.5]).show(ui, |ui| {
        for head in ["", "ACC", "ASR", "runs"] {
            ui.label(weak(head));
        }
        ui.end_row();
        for group in sweep.groups() {
            ui.label(theme::strong(group.value));
            let shown = |rate: Option<[f64; 3]>| match rate {
                Some([mean, low, high]) if high - low >= 5e-4 => {
                    format!("{} ({} to {})", words::percent(mean), words::percent(low), words::percent(high))
                }
                Some([mean, ..]) => words::percent(mean),
                None => "\u{2013}".to_owned(),
            };
            ui.label(shown(group.rate(|scores| Some(scores.acc))));
            ui.label(shown(group.rate(Scores::trigger_wins)));
            ui.label(group.scores.len().to_string());
            ui.end_row();
        }
    });
}
