//! Predictions held against what came true, group by group: on the diagonal people get what they are told.

use super::{Shown, group_role, legend, still_plot};
use crate::app::theme::{self, Role};
use crate::run::fair::number;
use egui::{RichText, Ui, WidgetInfo};
use egui_plot::{HoverPosition, Line, PlotBounds, Points};

/// Calibration of one attribute's groups in `height` points.
pub fn calibration(ui: &mut Ui, shown: &Shown<'_>, attribute: usize, height: f32) {
    let t = theme::of(ui);
    let Some((known, split)) = shown.course.attributes.get(attribute).zip(shown.now.splits.get(attribute)) else {
        return;
    };
    let top = ui.cursor().top();
    let names: Vec<(String, Role)> = known
        .drawn
        .iter()
        .enumerate()
        .map(|(place, &value)| {
            let group = split.value(value);
            let off = number(group.prediction - group.target).replace('-', "\u{2212}");
            let sign = if group.prediction > group.target { "+" } else { "" };
            (format!("{} {sign}{off}", known.values[value]), group_role(place))
        })
        .collect();
    super::row_of_words(ui, &t, |ui| {
        legend(ui, &t, &names);
    });
    let left = height - (ui.cursor().top() - top) - t.small * 1.6 - 2.0 * t.gap;
    let plot = still_plot(&t, ("calibration", attribute), left.max(t.body * 8.0))
        .y_axis_min_width(t.body * 2.6)
        .label_formatter(|position: &HoverPosition<'_>| match position {
            HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                Some(format!("{plot_name}\nsaid {}\ncame true {}", number(position.x), number(position.y)))
            }
            _ => None,
        });
    let all = || split.calibration.iter().flatten();
    let [low, high] = shown.course.range;
    let (low, high) = all().fold((low, high), |(low, high), at| (low.min(at.target), high.max(at.target)));
    let drawn = plot.show(ui, |plot| {
        plot.set_plot_bounds(PlotBounds::from_min_max([low, low], [high, high]));
        let diagonal = Line::new("", vec![[low, low], [high, high]]).color(t.line_strong).width(1.0);
        plot.line(diagonal.allow_hover(false));
        for (place, (&value, means)) in known.drawn.iter().zip(&split.calibration).enumerate() {
            let role = group_role(place);
            let points: Vec<_> = means.iter().map(|at| [at.predicted, at.target]).collect();
            let line = Line::new("", points.clone()).color(t.role(role)).width(t.stroke).style(theme::line_style(role));
            plot.line(line.allow_hover(false));
            let name = known.values[value].clone();
            plot.points(Points::new(name, points).color(t.role(role)).shape(theme::mark(role)).radius(t.stroke * 2.0));
        }
    });
    let said: Vec<_> = names.iter().map(|(name, _)| name.as_str()).collect();
    drawn.response.widget_info(|| {
        let said = format!("Calibration by {}. Predicted minus true on average: {}", known.name, said.join(", "));
        WidgetInfo::labeled(egui::Role::Image, true, said)
    });
    ui.vertical_centered(|ui| {
        let text = "prediction across, what came true up; numbers above: said too much (+) or too little";
        ui.add(egui::Label::new(RichText::new(text).size(t.small).color(t.text_weak)).truncate()).on_hover_text(text);
    });
}
