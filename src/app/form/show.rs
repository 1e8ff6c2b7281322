//! Draws fields: name, value box and unit in one line, a slider below where there is a range, one sentence of help.

use super::{Choice, Field, Shape, set, value_of};
use crate::app::theme::{self, Tokens};
use crate::app::widgets;
use egui::{DragValue, Response, RichText, Slider, TextEdit, Ui, vec2};
use serde_json::{Map, Value};

/// Up to this many choices stand side by side; more become a list.
const MOST_SEGMENTS: usize = 4;
/// Where a logarithmic slider begins whose range begins at zero.
const LOG_FLOOR: f64 = 1e-6;

/// Shows a form over `values`, in which only what differs from the defaults is written; true when something changed.
/// `classes` are the names of the data's classes, as far as they are known.
pub fn show(ui: &mut Ui, id: &str, fields: &[Field], values: &mut Map<String, Value>, classes: &[String]) -> bool {
    show_with(ui, id, fields, values, classes, &mut Plain)
}

/// Something more around the fields of a form.
pub trait Around {
    /// Beside the name of a field.
    fn beside(&mut self, _: &mut Ui, _: &Field) {}

    /// Below a field, which is named by its key.
    fn below(&mut self, _: &mut Ui, _: &str) {}

    /// A field that is left out.
    fn hides(&self, _: &Field) -> bool {
        false
    }

    /// The method is given; only its options can be chosen.
    fn is_fixed(&self) -> bool {
        false
    }
}

/// Nothing more.
pub struct Plain;

impl Around for Plain {}

/// [`show`] with something more around the fields.
pub fn show_with(
    ui: &mut Ui,
    id: &str,
    fields: &[Field],
    values: &mut Map<String, Value>,
    classes: &[String],
    around: &mut dyn Around,
) -> bool {
    let mut changed = false;
    ui.push_id(id, |ui| {
        let shown: Vec<&Field> = fields.iter().filter(|field| !around.hides(field)).collect();
        if shown.is_empty() && !fields.is_empty() {
            let t = theme::of(ui);
            ui.label(RichText::new("These settings are left out by your teacher.").color(t.text_weak));
        }
        for field in shown.iter().filter(|field| !field.advanced) {
            changed |= show_field(ui, field, values, classes, around);
        }
        let advanced: Vec<_> = shown.into_iter().filter(|field| field.advanced).collect();
        if !advanced.is_empty() {
            egui::CollapsingHeader::new(format!("More ({})", advanced.len())).id_salt("more").show(ui, |ui| {
                for field in advanced {
                    changed |= show_field(ui, field, values, classes, around);
                }
            });
        }
    });
    changed
}

fn show_field(
    ui: &mut Ui,
    field: &Field,
    values: &mut Map<String, Value>,
    classes: &[String],
    around: &mut dyn Around,
) -> bool {
    let t = theme::of(ui);
    let mut value = value_of(field, values).clone();
    let before = value.clone();
    ui.push_id(&field.key, |ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        match &field.shape {
            Shape::Group(fields) => group(ui, field, fields, &mut value, classes),
            Shape::Optional(inner) => optional(ui, field, inner, &mut value, classes, around),
            shape => one(ui, field, shape, &mut value, classes, around),
        }
        if !field.help.is_empty() {
            ui.add(egui::Label::new(RichText::new(&field.help).size(t.small).color(t.text_weak)).wrap());
        }
        around.below(ui, &field.key);
        ui.add_space(t.gap * 0.6);
    });
    if value == before {
        return false;
    }
    set(field, values, value);
    true
}

/// The field's name, and a dot that resets it when it differs from its default.
fn name(ui: &mut Ui, field: &Field, value: &mut Value, around: &mut dyn Around) {
    let t = theme::of(ui);
    ui.label(theme::strong(&field.title));
    around.beside(ui, field);
    let has_default = !field.default.is_null() || matches!(field.shape, Shape::Optional(_));
    if !has_default || super::same(value, &field.default) {
        return;
    }
    let (rect, response) = ui.allocate_exact_size(vec2(t.body, t.body * 1.2), egui::Sense::click());
    let reset = format!("Reset {} to {}", field.title.to_lowercase(), words_of(field, &field.default));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &reset));
    let radius = t.body * if response.hovered() { 0.38 } else { 0.28 };
    ui.painter().circle_filled(rect.center(), radius, t.accent);
    if response.has_focus() {
        ui.painter().circle_stroke(rect.center(), t.body * 0.5, egui::Stroke::new(2.0, t.link));
    }
    if response.on_hover_text(&reset).clicked() {
        *value = field.default.clone();
    }
}

/// A value whose field nobody knows.
pub fn plain_words(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value as the form shows it.
pub fn words_of(field: &Field, value: &Value) -> String {
    let unit = field.unit.as_deref().filter(|_| value.is_number()).map(|unit| format!(" {unit}")).unwrap_or_default();
    match value {
        Value::String(text) if text.is_empty() => "nothing".to_owned(),
        Value::String(text) => match &field.shape {
            Shape::Choice(choices) => {
                let known = choices.iter().find(|choice| choice.value == *value);
                known.map_or_else(|| text.clone(), |choice| choice.title.clone())
            }
            _ => text.clone(),
        },
        Value::Bool(on) => if *on { "on" } else { "off" }.to_owned(),
        Value::Null => "automatic".to_owned(),
        Value::Number(number) => {
            let shown =
                number.as_f64().map_or_else(|| number.to_string(), |value| shown_number(value * scale_of(field)));
            format!("{shown}{unit}")
        }
        other => other.to_string(),
    }
}

/// Shares (0 to 1) with the unit per cent are shown times a hundred.
pub fn scale_of(field: &Field) -> f64 {
    let share = matches!(field.shape, Shape::Number { max: Some(max), .. } if max <= 1.0);
    if share && field.unit.as_deref() == Some("%") { 100.0 } else { 1.0 }
}

/// Up to four significant digits, without trailing zeros.
fn shown_number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if magnitude < -4 {
        let text = format!("{value:.2e}");
        return text.replace(".00e", "e").replace("0e", "e");
    }
    let decimals = (3 - magnitude).clamp(0, 8) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn one(ui: &mut Ui, field: &Field, shape: &Shape, value: &mut Value, classes: &[String], around: &mut dyn Around) {
    match shape {
        Shape::Integer { min, max } => {
            let range = min.zip(*max).map(|(min, max)| (min as f64, max as f64));
            number(ui, field, value, range, min.map(|min| min as f64), true, around);
        }
        Shape::Number { min, max } => number(ui, field, value, min.zip(*max), *min, false, around),
        Shape::Switch => {
            let mut on = value.as_bool().unwrap_or(false);
            ui.horizontal(|ui| {
                widgets::switch(ui, &mut on, &field.title);
                *value = on.into();
                name(ui, field, value, around);
            });
        }
        Shape::Text => {
            line(ui, field, value, around, |_, _| {});
            let mut text = value.as_str().unwrap_or_default().to_owned();
            let edit = TextEdit::singleline(&mut text).desired_width(f32::INFINITY);
            if ui.add(edit).accessible_name(&field.title).changed() {
                *value = text.into();
            }
        }
        Shape::Choice(choices) => {
            line(ui, field, value, around, |_, _| {});
            choose(ui, field, choices, value);
        }
        Shape::Class { .. } if !classes.is_empty() => {
            line(ui, field, value, around, |_, _| {});
            class(ui, field, value, classes);
        }
        Shape::Class { most } => number(ui, field, value, Some((0.0, *most as f64)), Some(0.0), true, around),
        Shape::Color => line(ui, field, value, around, |ui, value| color(ui, field, value)),
        Shape::Raw | Shape::Group(_) | Shape::Optional(_) => {
            line(ui, field, value, around, |_, _| {});
            raw(ui, field, value);
        }
    }
}

/// Name at the left, something at the right.
fn line(
    ui: &mut Ui,
    field: &Field,
    value: &mut Value,
    around: &mut dyn Around,
    right: impl FnOnce(&mut Ui, &mut Value),
) {
    ui.horizontal(|ui| {
        name(ui, field, value, around);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| right(ui, value));
    });
}

fn number(
    ui: &mut Ui,
    field: &Field,
    value: &mut Value,
    range: Option<(f64, f64)>,
    min: Option<f64>,
    integer: bool,
    around: &mut dyn Around,
) {
    let t = theme::of(ui);
    let scale = scale_of(field);
    let mut shown = value.as_f64().unwrap_or(0.0) * scale;
    let before = shown;
    line(ui, field, value, around, |ui, value| {
        shown = value.as_f64().unwrap_or(0.0) * scale;
        if let Some(unit) = &field.unit {
            ui.label(RichText::new(unit).color(t.text_weak));
        }
        let speed = if integer { 0.2 } else { (shown.abs() * 0.01).max(1e-6) };
        // What stands in the text is shown as it is, even out of range: only an edit may change it.
        let mut boxed = DragValue::new(&mut shown).speed(speed).update_while_editing(false);
        boxed = boxed.clamp_existing_to_range(false);
        boxed =
            boxed.custom_formatter(
                move |number, _| {
                    if integer { format!("{}", number.round() as i64) } else { shown_number(number) }
                },
            );
        boxed = match (range, min) {
            (Some((min, max)), _) => boxed.range(min * scale..=max * scale),
            (None, Some(min)) => boxed.range(min * scale..=f64::MAX),
            (None, None) => boxed,
        };
        ui.add(boxed).accessible_name(&field.title);
    });
    // A reset by the dot has changed the value itself.
    if value.as_f64().map(|value| value * scale) != Some(before) && shown == before {
        shown = value.as_f64().unwrap_or(0.0) * scale;
    }
    if let Some((min, max)) = range {
        let (min, max) = (min * scale, max * scale);
        let log = field.log;
        let width = ui.available_width();
        let response = ui
            .scope(|ui| {
                ui.spacing_mut().slider_width = width;
                // The handle is as large as its row is high.
                ui.spacing_mut().interact_size.y = t.body * 1.5;
                let mut slider = Slider::new(&mut shown, min..=max).show_value(false).logarithmic(log);
                slider = slider.clamping(egui::SliderClamping::Edits);
                slider = slider.smallest_positive(LOG_FLOOR * scale);
                if integer {
                    slider = slider.integer().smallest_positive(1.0);
                }
                ui.add(slider)
            })
            .inner
            .accessible_name(format!("{} slider", field.title));
        if let Some(paper) = field.paper.as_ref().and_then(Value::as_f64) {
            paper_mark(
                ui,
                &t,
                &response,
                share_on_slider(paper * scale, min, max, log, integer, scale),
                &words_of(field, &paper.into()),
            );
        }
    }
    if shown != before {
        *value = if integer { (shown.round() as i64).into() } else { rounded(shown / scale).into() };
    }
}

/// Six significant digits: what a slider gives has no more meaning, and experiments stay readable.
pub fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// Where a value stands on a slider, 0 to 1, by the slider's own rule.
fn share_on_slider(value: f64, min: f64, max: f64, log: bool, integer: bool, scale: f64) -> f32 {
    let share = if log {
        let floor = if min > 0.0 {
            min
        } else if integer {
            1.0
        } else {
            LOG_FLOOR * scale
        };
        (value.max(floor).log10() - floor.log10()) / (max.log10() - floor.log10())
    } else {
        (value - min) / (max - min)
    };
    share.clamp(0.0, 1.0) as f32
}

/// A small triangle under the slider at the value that the paper used.
fn paper_mark(ui: &Ui, t: &Tokens, slider: &Response, share: f32, value: &str) {
    // The handle's centre runs from one radius inside the left end to one radius inside the right end.
    let rail = slider.rect.x_range().shrink(slider.rect.height() / 2.5);
    let at = egui::pos2(egui::lerp(rail.min..=rail.max, share), slider.rect.bottom() - t.body * 0.42);
    let size = t.body * 0.34;
    let corners = vec![at, at + vec2(-size, size * 1.3), at + vec2(size, size * 1.3)];
    ui.painter().add(egui::Shape::convex_polygon(corners, t.line_strong, egui::Stroke::NONE));
    let area = egui::Rect::from_center_size(at + vec2(0.0, size * 0.6), egui::Vec2::splat(size * 3.0));
    let hover = ui.interact(area, slider.id.with("paper"), egui::Sense::hover());
    hover.on_hover_text(format!("The paper used {value}"));
}

fn choose(ui: &mut Ui, field: &Field, choices: &[Choice], value: &mut Value) {
    let selected = choices.iter().position(|choice| choice.value == *value);
    let is_paper = |choice: &Choice| field.paper.as_ref() == Some(&choice.value);
    let words: Vec<_> = choices
        .iter()
        .map(|choice| {
            let paper = if is_paper(choice) { " The paper used this." } else { "" };
            (choice.title.clone(), format!("{}{paper}", choice.help).trim().to_owned())
        })
        .collect();
    if choices.len() <= MOST_SEGMENTS {
        if let Some(index) = widgets::segmented(ui, &field.title, &words, selected) {
            *value = choices[index].value.clone();
        }
        return;
    }
    let shown = selected.map_or_else(|| value.to_string(), |index| choices[index].title.clone());
    egui::ComboBox::from_id_salt("choice")
        .width(ui.available_width())
        .selected_text(shown)
        .show_ui(ui, |ui| {
            for (choice, (title, help)) in choices.iter().zip(&words) {
                let response = ui.selectable_label(choice.value == *value, title);
                if response.clicked() {
                    *value = choice.value.clone();
                }
                if !help.is_empty() {
                    response.on_hover_text(help);
                }
            }
        })
        .response
        .accessible_name(&field.title);
}

/// A class by its name.
fn class(ui: &mut Ui, field: &Field, value: &mut Value, classes: &[String]) {
    let choice = |(number, name): (usize, &String)| Choice {
        value: number.into(),
        title: format!("{number}: {name}"),
        help: String::new(),
    };
    let choices: Vec<_> = classes.iter().enumerate().map(choice).collect();
    choose(ui, field, &choices, value);
}

/// A colour as text and as a button that opens a picker.
fn color(ui: &mut Ui, field: &Field, value: &mut Value) {
    let mut text = value.as_str().unwrap_or_default().to_owned();
    let channel = |at: usize| text.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    if let (Some(red), Some(green), Some(blue)) = (channel(1), channel(3), channel(5)) {
        let mut rgb = [red, green, blue];
        let picker = ui.color_edit_button_srgb(&mut rgb).accessible_name(format!("{} picker", field.title));
        if picker.changed() {
            let [red, green, blue] = rgb;
            text = format!("#{red:02x}{green:02x}{blue:02x}");
            *value = text.clone().into();
        }
    }
    let width = theme::of(ui).body * 7.0;
    let edit = ui.add(TextEdit::singleline(&mut text).desired_width(width)).accessible_name(&field.title);
    if edit.changed() {
        *value = text.into();
    }
}

fn group(ui: &mut Ui, field: &Field, fields: &[Field], value: &mut Value, classes: &[String]) {
    ui.label(theme::strong(&field.title));
    let mut written = value.as_object().cloned().unwrap_or_default();
    ui.indent("group", |ui| {
        // A group is written whole: its parts have no default of their own outside it.
        for inner in fields {
            let mut one = Map::new();
            one.insert(inner.key.clone(), value_of(inner, &written).clone());
            if show_field(ui, inner, &mut one, classes, &mut Plain) {
                let new = value_of(inner, &one).clone();
                written.insert(inner.key.clone(), new);
            }
        }
    });
    if Some(&written) != value.as_object() && !(written.is_empty() && value.is_null()) {
        *value = Value::Object(written);
    }
}

fn optional(ui: &mut Ui, field: &Field, inner: &Shape, value: &mut Value, classes: &[String], around: &mut dyn Around) {
    let mut given = !value.is_null();
    ui.horizontal(|ui| {
        let label = format!("Choose {} myself", field.title.to_lowercase());
        if widgets::switch(ui, &mut given, &label).changed() {
            // Where a person begins to choose: at what the paper used, where that is known.
            let first = || field.paper.clone().unwrap_or_else(|| first_value(inner));
            *value = if given { first() } else { Value::Null };
        }
        if !given {
            ui.label(theme::strong(&field.title));
            around.beside(ui, field);
            ui.label(RichText::new("automatic").color(theme::of(ui).text_weak));
        }
    });
    if given && !value.is_null() {
        match inner {
            Shape::Group(fields) => group(ui, field, fields, value, classes),
            shape => one(ui, field, shape, value, classes, around),
        }
    }
}

/// Where a value starts that had none.
fn first_value(shape: &Shape) -> Value {
    match shape {
        Shape::Integer { min, .. } => min.unwrap_or(0).into(),
        Shape::Number { min, .. } => min.unwrap_or(0.0).into(),
        Shape::Switch => true.into(),
        Shape::Choice(choices) => choices.first().map_or(Value::Null, |choice| choice.value.clone()),
        Shape::Group(_) => Value::Object(Map::new()),
        Shape::Class { .. } => 0.into(),
        Shape::Color => "#ffffff".into(),
        Shape::Text | Shape::Optional(_) | Shape::Raw => "".into(),
    }
}

/// Lists and the like as JSON text; taken over as soon as it can be read.
fn raw(ui: &mut Ui, field: &Field, value: &mut Value) {
    let id = ui.make_persistent_id("raw");
    let mut text = ui.data(|data| data.get_temp::<String>(id)).unwrap_or_else(|| value.to_string());
    let response = ui.add(TextEdit::singleline(&mut text).code_editor().desired_width(f32::INFINITY));
    let response = response.accessible_name(&field.title);
    if response.changed()
        && let Ok(new) = serde_json::from_str(&text)
    {
        *value = new;
    }
    if response.has_focus() {
        ui.data_mut(|data| data.insert_temp(id, text));
    } else {
        ui.data_mut(|data| data.remove::<String>(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown: Vec<_> =
            [0.0, 0.1, 10.0, 0.0005, 1e-6, 2.5e-5, 128.0, 0.123456].into_iter().map(shown_number).collect();
        assert_eq!(shown, ["0", "0.1", "10", "0.0005", "1e-6", "2.5e-5", "128", "0.1235"]);
        assert_eq!(rounded(0.123_456_789), 0.123_457);
    }

    #[test]
    fn marks_follow_the_scale() {
        assert_eq!(share_on_slider(50.0, 0.0, 100.0, false, false, 1.0), 0.5);
        assert!((share_on_slider(0.01, 0.0001, 1.0, true, false, 1.0) - 0.5).abs() < 1e-6);
        assert!((share_on_slider(0.001, 0.0, 1.0, true, false, 1.0) - 0.5).abs() < 1e-6);
    }
}
