//! The trade-off curve: typical error across, gap between groups up, and a point that is dragged along it.

use super::{Shown, point_of, still_plot};
use crate::app::command::{Change, Requests};
use crate::app::fair::{FairChange, STEPS, words};
use crate::app::labels;
use crate::app::theme::{self, Role, Tokens};
use crate::run::fair::{Rival, number};
use egui::accesskit::{Action, ActionData};
use egui::{Align2, EventFilter, Key, Pos2, Response, RichText, Sense, Stroke, Ui, WidgetInfo, vec2};
use egui_plot::{FilledArea, HoverPosition, Line, LineStyle, MarkerShape, PlotBounds, PlotTransform, PlotUi, Points};

/// What the handle is called.
const HANDLE: &str = "Point on the trade-off curve";
/// A rival further away than so many lengths of the curve would squeeze the curve; it is named below the picture.
const FAR: f64 = 1.2;

/// Draws the curve, `height` points without the words around it, and moves the point: by pointer, arrow keys, or a screen reader.
pub fn trade_off(ui: &mut Ui, shown: &Shown<'_>, height: f32, requests: &Requests) {
    let t = theme::of(ui);
    let description = words::of_curve(shown.course);
    super::row_of_words(ui, &t, |ui| {
        super::figure_heading(ui, "What fairness costs", &description);
        legend(ui, &t, shown);
    });
    let bounds = bounds(shown);
    let (near, far): (Vec<_>, Vec<_>) = shown.course.fit.rivals.iter().partition(|rival| is_near(rival, &bounds));
    let plot = still_plot(&t, "trade-off", height)
        .sense(Sense::click_and_drag())
        .show_crosshair(false)
        .y_axis_min_width(t.body * 2.6)
        .label_formatter(|position: &HoverPosition<'_>| match position {
            HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                Some(format!("{plot_name}\nerror {}\ngap {}", number(position.x), number(position.y)))
            }
            _ => None,
        });
    let drawn = plot.show(ui, |plot| {
        let [low, high] = bounds;
        plot.set_plot_bounds(PlotBounds::from_min_max(low, high));
        band(plot, &t, shown);
        curves(plot, &t, shown);
        near.iter().for_each(|rival| draw_rival(plot, &t, rival, bounds));
    });
    names(ui, &t, shown, &near, &drawn.transform, drawn.response.rect);
    handle(ui, &t, shown, &drawn.response, &drawn.transform);
    if let Some(position) = wanted(ui, shown, &drawn.response, &drawn.transform) {
        requests.change(Change::Fair(FairChange::Position(position)));
    }
    describe(ui, shown, &drawn.response);
    ui.vertical_centered(|ui| {
        ui.label(
            RichText::new("typical error (RMSE) across, largest gap between groups up")
                .size(t.small)
                .color(t.text_weak),
        );
    });
    if !far.is_empty() {
        let said = far.iter().filter_map(|rival| {
            let test = &rival.points.first()?.test;
            // A gap of rounding errors is none.
            let gap = if test.gap < 1e-9 * test.rmse() { 0.0 } else { test.gap };
            Some(format!("{} (error {}, gap {})", rival.name, number(test.rmse()), number(gap)))
        });
        let text = format!("Outside: {}", said.collect::<Vec<_>>().join(", "));
        ui.add(egui::Label::new(RichText::new(&text).size(t.small).color(t.text_weak)).truncate()).on_hover_text(text);
    }
}

fn legend(ui: &mut Ui, t: &Tokens, shown: &Shown<'_>) {
    let test = if shown.course.spread.is_empty() { "new data" } else { "new data, ±1 sd of folds" };
    super::legend_item(ui, t, test, Role::Clean)
        .on_hover_text("Rows that were not learnt from; the band is how far the gap differs between folds");
    super::legend_item(ui, t, "training", Role::Attacked)
        .on_hover_text("Rows that were learnt from: there the gap can be closed exactly");
    if !shown.course.fit.rivals.is_empty() {
        ui.label(RichText::new("\u{2022} other methods").color(t.text_weak));
    }
}

/// Lower left and upper right corner: the curves with what is near them.
fn bounds(shown: &Shown<'_>) -> [[f64; 2]; 2] {
    let course = shown.course;
    let reach = |axis: usize, values: &mut dyn Iterator<Item = [f64; 2]>| {
        values.fold((f64::MAX, f64::MIN), |(low, high), at| (low.min(at[axis]), high.max(at[axis])))
    };
    let curve = || course.test.iter().chain(&course.train).copied();
    let (left, right) = reach(0, &mut curve());
    let (_, top) = reach(1, &mut curve());
    let (span, tall) = ((right - left).max(right.abs() * 1e-3).max(1e-12), top.max(1e-12));
    let near =
        course.fit.rivals.iter().flat_map(places).filter(|[error, gap]| {
            (left - FAR * span..=right + FAR * span).contains(error) && *gap <= (1.0 + FAR) * tall
        });
    let near: Vec<_> = near.collect();
    let (left, right) = reach(0, &mut curve().chain(near.iter().copied()));
    let (_, top) = reach(1, &mut curve().chain(near.iter().copied()));
    let span = (right - left).max(1e-12);
    [[left - 0.06 * span, -0.06 * top.max(1e-12)], [right + 0.06 * span, 1.1 * top.max(1e-12)]]
}

/// Error and gap of a rival's points on new data.
fn places(rival: &Rival) -> impl Iterator<Item = [f64; 2]> + '_ {
    rival.points.iter().map(|point| [point.test.rmse(), point.test.gap])
}

fn is_near(rival: &Rival, [low, high]: &[[f64; 2]; 2]) -> bool {
    places(rival).any(|at| (0..2).all(|axis| (low[axis]..=high[axis]).contains(&at[axis])))
}

/// How far the folds lie apart, around the curve of new data.
fn band(plot: &mut PlotUi<'_>, t: &Tokens, shown: &Shown<'_>) {
    let course = shown.course;
    if course.spread.is_empty() {
        return;
    }
    let xs: Vec<f64> = course.test.iter().map(|at| at[0]).collect();
    let edge = |sign: f64| -> Vec<f64> {
        course.test.iter().zip(&course.spread).map(|(at, spread)| (at[1] + sign * spread[1]).max(0.0)).collect()
    };
    let fill = t.role(Role::Clean).gamma_multiply(0.16);
    plot.add(FilledArea::new("", &xs, &edge(-1.0), &edge(1.0)).fill_color(fill).allow_hover(false));
}

fn curves<'a>(plot: &mut PlotUi<'a>, t: &Tokens, shown: &Shown<'_>) {
    let (test, train) = (shown.course.test.clone(), shown.course.train.clone());
    let line = |name: &str, points: Vec<[f64; 2]>, role: Role| {
        let width = if role == Role::Clean { t.stroke * 1.4 } else { t.stroke };
        Line::new(name, points).color(t.role(role)).width(width).style(theme::line_style(role))
    };
    let ends = |points: &[[f64; 2]]| {
        [points.first().copied(), points.last().copied()].into_iter().flatten().collect::<Vec<_>>()
    };
    for (name, points, role) in [("Training rows", train, Role::Attacked), ("New data", test, Role::Clean)] {
        let ends = Points::new(name, ends(&points)).color(t.role(role)).shape(theme::mark(role)).radius(t.stroke * 1.8);
        plot.line(line(name, points, role));
        plot.points(ends.allow_hover(false));
    }
}

fn draw_rival(plot: &mut PlotUi<'_>, t: &Tokens, rival: &Rival, [low, high]: [[f64; 2]; 2]) {
    let inside = |at: &[f64; 2]| (0..2).all(|axis| (low[axis]..=high[axis]).contains(&at[axis]));
    let points: Vec<_> = places(rival).filter(inside).collect();
    let name = if rival.needs_group { format!("{} (must know the group)", rival.name) } else { rival.name.clone() };
    if points.len() > 1 {
        let line =
            Line::new("", points.clone()).color(t.line_strong).width(1.0).style(LineStyle::Dotted { spacing: 4.0 });
        plot.line(line.allow_hover(false));
    }
    let shape = if rival.needs_group { MarkerShape::Square } else { MarkerShape::Diamond };
    plot.points(Points::new(name, points).color(t.text).shape(shape).radius(t.stroke * 2.0).filled(!rival.needs_group));
}

/// Names of both ends and of the other methods, out of each other's way.
fn names(ui: &Ui, t: &Tokens, shown: &Shown<'_>, rivals: &[&Rival], transform: &PlotTransform, area: egui::Rect) {
    let painter = ui.painter_at(area);
    let font = egui::FontId::proportional(t.small);
    let on_screen = |at: [f64; 2]| transform.position_from_point(&point_of(at));
    let visible = |rival: &&Rival| places(rival).map(on_screen).filter(|at| area.contains(*at)).collect::<Vec<_>>();
    let mut marks: Vec<Pos2> = rivals.iter().flat_map(visible).collect();
    let ends = [("no constraint", shown.course.test.first()), ("fully fair", shown.course.test.last())];
    let ends = ends.into_iter().filter_map(|(name, at)| Some((on_screen(*at?), name.to_owned(), t.text_weak)));
    // Of several settings the last one, the furthest from the start, carries the name.
    let of_rival = |rival: &&Rival| Some((*visible(rival).last()?, rival.name.clone(), t.text));
    let named: Vec<_> = ends.chain(rivals.iter().filter_map(of_rival)).collect();
    marks.extend(named.iter().map(|(at, ..)| *at));
    let galleys: Vec<_> =
        named.iter().map(|(_, name, colour)| painter.layout_no_wrap(name.clone(), font.clone(), *colour)).collect();
    let sizes: Vec<_> = named.iter().zip(&galleys).map(|((at, ..), galley)| (*at, galley.size())).collect();
    for (((at, _, colour), galley), place) in named.iter().zip(galleys).zip(labels::places(&sizes, &marks, area)) {
        let Some(place) = place else {
            continue;
        };
        if let Some(end) = labels::leader(*at, place) {
            painter.line_segment([*at, end], Stroke::new(1.0, t.line_strong));
        }
        painter.rect_filled(place.expand2(vec2(2.0, 0.0)), 2.0, t.card.gamma_multiply(0.8));
        painter.galley(place.min, galley, *colour);
    }
}

/// The point itself, the pinned and the kept one.
fn handle(ui: &Ui, t: &Tokens, shown: &Shown<'_>, response: &Response, transform: &PlotTransform) {
    let painter = ui.painter_at(response.rect.expand(t.stroke * 3.0));
    let course = shown.course;
    let place =
        |curve: &[[f64; 2]], position: f64| transform.position_from_point(&point_of(course.place(curve, position)));
    let r = t.body * 0.62;
    if let Some(kept) = shown.kept {
        let at = place(&course.test, kept);
        painter.circle_stroke(at, r * 1.5, Stroke::new(t.stroke, t.good));
        let font = egui::FontId::proportional(t.small);
        let galley = painter.layout_no_wrap("kept".to_owned(), font, t.good);
        let area = Align2::CENTER_BOTTOM.anchor_size(at + vec2(0.0, -r * 1.7), galley.size());
        painter.rect_filled(area.expand2(vec2(2.0, 0.0)), 2.0, t.card.gamma_multiply(0.8));
        painter.galley(area.min, galley, t.good);
    }
    if let Some(pinned) = shown.pinned {
        let at = place(&course.test, pinned.position);
        painter.circle(at, r * 0.8, t.card, Stroke::new(t.stroke, t.text));
        painter.line_segment([at + vec2(0.0, r * 0.8), at + vec2(0.0, r * 2.2)], Stroke::new(t.stroke, t.text));
    }
    let train = place(&course.train, shown.now.position);
    painter.circle(train, r * 0.55, t.card, Stroke::new(t.stroke, t.role(Role::Attacked)));
    let at = place(&course.test, shown.now.position);
    if !course.spread.is_empty() {
        let [error, gap] = course.place(&course.test, shown.now.position);
        let [errors, gaps] = course.place(&course.spread, shown.now.position);
        let to = |x: f64, y: f64| transform.position_from_point(&point_of([x, y]));
        let stroke = Stroke::new(t.stroke * 0.7, t.role(Role::Clean));
        let inside = ui.painter_at(response.rect);
        inside.line_segment([to(error - errors, gap), to(error + errors, gap)], stroke);
        inside.line_segment([to(error, gap - gaps), to(error, gap + gaps)], stroke);
    }
    let edge = if response.has_focus() { t.link } else { t.text };
    painter.circle(at, r, t.role(Role::Clean), Stroke::new(t.stroke.max(2.0), edge));
    if response.has_focus() {
        painter.circle_stroke(at, r * 1.45, Stroke::new(2.0, t.link));
    }
    if response.hovered() {
        ui.ctx().set_cursor_icon(if response.dragged() { egui::CursorIcon::Grabbing } else { egui::CursorIcon::Grab });
    }
}

/// A slider in the eyes of a screen reader.
fn describe(ui: &Ui, shown: &Shown<'_>, response: &Response) {
    let percent = (100.0 * shown.now.position).round();
    response.widget_info(|| WidgetInfo::slider(ui.is_enabled(), percent, HANDLE));
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_min_numeric_value(0.0);
        node.set_max_numeric_value(100.0);
        node.set_numeric_value_step(100.0 / STEPS as f64);
        [Action::SetValue, Action::Increment, Action::Decrement].into_iter().for_each(|action| node.add_action(action));
    });
}

/// The position that pointer, keys or a screen reader ask for.
fn wanted(ui: &Ui, shown: &Shown<'_>, response: &Response, transform: &PlotTransform) -> Option<f64> {
    let now = shown.now.position;
    let step = 1.0 / STEPS as f64;
    let mut wanted = None;
    if (response.clicked() || response.dragged())
        && let Some(pointer) = response.interact_pointer_pos()
    {
        wanted = nearest(&shown.course.test, transform, pointer);
        response.request_focus();
    }
    if response.has_focus() {
        let arrows = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
        let (more, less, home, end) = ui.input(|input| {
            let count = |keys: [Key; 2]| keys.iter().map(|&key| input.num_presses(key)).sum::<usize>();
            // Fairer is to the right and down.
            let (more, less) = (count([Key::ArrowRight, Key::ArrowDown]), count([Key::ArrowLeft, Key::ArrowUp]));
            (more, less, input.key_pressed(Key::Home), input.key_pressed(Key::End))
        });
        if more != less {
            wanted = Some(now + step * (more as f64 - less as f64));
        }
        wanted = if home {
            Some(0.0)
        } else if end {
            Some(1.0)
        } else {
            wanted
        };
    }
    ui.input(|input| {
        let asked = |action| input.num_accesskit_action_requests(response.id, action) as f64;
        let by = asked(Action::Increment) - asked(Action::Decrement);
        if by != 0.0 {
            wanted = Some(now + step * by);
        }
        for request in input.accesskit_action_requests(response.id, Action::SetValue) {
            if let Some(ActionData::NumericValue(value)) = request.data {
                wanted = Some(value / 100.0);
            }
        }
    });
    wanted.map(|wanted| wanted.clamp(0.0, 1.0)).filter(|wanted| (wanted - now).abs() > 1e-9)
}

/// The position on the curve that is nearest to the pointer, on the screen.
fn nearest(curve: &[[f64; 2]], transform: &PlotTransform, pointer: Pos2) -> Option<f64> {
    let places: Vec<Pos2> = curve.iter().map(|at| transform.position_from_point(&point_of(*at))).collect();
    let pieces = places.windows(2).enumerate().map(|(piece, ends)| {
        let along = ends[1] - ends[0];
        let share = ((pointer - ends[0]).dot(along) / along.length_sq().max(1e-6)).clamp(0.0, 1.0);
        ((pointer - (ends[0] + along * share)).length_sq(), (piece as f64 + f64::from(share)) / STEPS as f64)
    });
    pieces.min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, position)| position)
}
