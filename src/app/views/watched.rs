//! What a method watches in itself: terms of its loss, shares of pictures, lengths, on the axis of its phase.

use super::curves::{amount_marks, time_plot};
use crate::app::command::Requests;
use crate::app::curves::{Curves, Watched};
use crate::app::describe;
use crate::app::theme::{self, Role, Tokens};
use crate::app::widgets::{legend_entry, table_button};
use crate::app::words;
use crate::experiment::measure::{self, Amount, Measure};
use egui::{RichText, Ui};
use egui_plot::{GridMark, HoverPosition, Line, Points};

/// Lines of one plot in the order of their names; no plot has more.
const ROLES: [Role; 5] = [Role::Clean, Role::Attacked, Role::Repaired, Role::Target, Role::Other];

/// Measures that are drawn together, and what they are called together.
pub struct Group {
    pub title: &'static str,
    pub measures: Vec<&'static Measure>,
}

impl Group {
    pub fn is_share(&self) -> bool {
        self.measures.iter().all(|measure| measure.amount == Amount::Share)
    }

    fn unit(&self) -> describe::Unit {
        if self.is_share() { words::percent } else { words::significant }
    }

    /// The measures, each with its colour.
    pub fn lines(&self) -> impl Iterator<Item = (&'static Measure, Role)> {
        self.measures.iter().copied().zip(ROLES.into_iter().cycle())
    }
}

/// Shares together, terms of the loss together, everything else by itself.
pub fn groups(watched: &Watched) -> Vec<Group> {
    let measures: Vec<&'static Measure> = watched.measures().filter_map(measure::find).collect();
    let of = |amount: Amount| measures.iter().copied().filter(move |measure| measure.amount == amount);
    let together = |title, amount| Group { title, measures: of(amount).collect() };
    let mut groups = vec![together("Shares of pictures", Amount::Share), together("Terms of the loss", Amount::Term)];
    groups.extend(of(Amount::Plain).map(|measure| Group { title: measure.name, measures: vec![measure] }));
    groups.retain(|group| !group.measures.is_empty());
    groups
}

/// "Shares of pictures, sau": the name of a plot where it is read or saved.
pub fn view_title(group: &Group, watched: &Watched) -> String {
    format!("{}, {}", group.title, watched.phase)
}

/// What the axis of a phase counts.
pub fn axis(phase: &str) -> &'static str {
    match phase.rsplit_once('/').map(|(_, part)| part) {
        Some("cut") => "features cut off",
        Some("threshold") => "threshold",
        _ => "epochs",
    }
}

/// Draws what one phase watches; `chosen` is a phase by name, else the newest.
pub fn watched_curves(ui: &mut Ui, curves: &Curves, chosen: &mut Option<String>, requests: &Requests) {
    let t = theme::of(ui);
    let all = curves.watched();
    let named = chosen.as_ref().and_then(|name| all.iter().find(|watched| watched.phase == *name));
    let Some(watched) = named.or(all.last()) else {
        let text = "Attacks and repairs that watch something of their own draw it here: terms of their loss, shares of \
                    pictures, lengths of steps.";
        ui.add(egui::Label::new(RichText::new(text).color(t.text_weak)).wrap());
        return;
    };
    if all.len() > 1 {
        let combo = egui::ComboBox::from_id_salt("phase that is watched").selected_text(&watched.phase);
        let combo = combo.show_ui(ui, |ui| {
            for other in all {
                if ui.selectable_label(other.phase == watched.phase, &other.phase).clicked() {
                    *chosen = Some(other.phase.clone());
                }
            }
        });
        combo.response.accessible_name("Phase");
    }
    let groups = groups(watched);
    let drawn = groups.iter().filter(|group| is_drawn(watched, group)).count().max(1) as f32;
    let words = t.control * 2.2 + t.body * 3.0;
    let height = ((ui.available_height() - t.body * 2.0) / drawn - words).clamp(t.body * 7.0, t.body * 16.0);
    egui::ScrollArea::vertical().id_salt("watched curves").auto_shrink([false, true]).show(ui, |ui| {
        // Beside the scroll bar.
        ui.set_max_width(ui.available_width() - t.gap);
        for group in &groups {
            heading(ui, &t, watched, group, requests);
            if is_drawn(watched, group) {
                plot(ui, &t, watched, group, height);
            }
        }
        ui.vertical_centered(|ui| ui.label(RichText::new(axis(&watched.phase)).size(t.small).color(t.text_weak)));
    });
}

/// What was measured once is told in numbers.
fn is_drawn(watched: &Watched, group: &Group) -> bool {
    group.measures.iter().any(|measure| watched.points(measure.id).len() > 1)
}

fn heading(ui: &mut Ui, t: &Tokens, watched: &Watched, group: &Group, requests: &Requests) {
    let unit = group.unit();
    let courses: Vec<String> =
        group.measures.iter().map(|m| describe::course(m.name, &watched.points(m.id), unit, 0.0)).collect();
    let description = format!("{}.", courses.join(". "));
    let title = |ui: &mut Ui| {
        let response = ui.label(theme::strong(group.title));
        response.widget_info(|| {
            egui::WidgetInfo::labeled(egui::Role::Figure, true, format!("{} {description}", group.title))
        });
        response.on_hover_text(&description);
    };
    egui::Sides::new().height(t.control).shrink_left().truncate().show(ui, title, |ui| {
        table_button(ui, requests, &view_title(group, watched));
    });
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().interact_size.y = t.body;
        for (measure, role) in group.lines() {
            let last = watched.points(measure.id).last().map(|[_, value]| unit(*value)).unwrap_or_default();
            legend_entry(ui, t, role, format!("{} {last}", measure.name)).on_hover_text(measure.is);
        }
    });
}

fn plot(ui: &mut Ui, t: &Tokens, watched: &Watched, group: &Group, height: f32) {
    let unit = group.unit();
    let lines: Vec<_> = group.lines().map(|(measure, role)| (measure.name, role, watched.points(measure.id))).collect();
    let end = lines.iter().flat_map(|(.., points)| points.last()).map(|point| point[0]).fold(0.0, f64::max);
    let id = ("watched", &watched.phase, group.title);
    let plot = time_plot(t, id, ui.scope_id().with(&watched.phase), end, height)
        .include_y(0.0)
        .y_grid_spacer(amount_marks)
        .y_axis_formatter(move |mark: GridMark, _: &_| unit(mark.value).replace(".0 %", " %"))
        .x_axis_formatter(|mark: GridMark, _: &_| words::significant(mark.value))
        .label_formatter(move |position: &HoverPosition<'_>| match position {
            HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                Some(format!("{plot_name} {}\nat {}", unit(position.y), words::significant(position.x)))
            }
            _ => None,
        });
    let plot = if end < 2.0 { plot.x_grid_spacer(amount_marks) } else { plot };
    plot.show(ui, |plot| {
        for (name, role, points) in lines {
            if points.len() == 1 {
                let mark = Points::new(name, points).color(t.role(role));
                plot.points(mark.shape(theme::mark(role)).radius(t.stroke * 2.2));
                continue;
            }
            let newest = points.last().copied();
            let line = Line::new(name, points).color(t.role(role)).width(t.stroke);
            plot.line(line.style(theme::line_style(role)));
            if let Some(point) = newest {
                let mark = Points::new(name, vec![point]).color(t.role(role));
                plot.points(mark.shape(theme::mark(role)).radius(t.stroke * 2.2).allow_hover(false));
            }
        }
    });
}
