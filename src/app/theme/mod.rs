//! The look of the window: tokens turned into an egui style, and the fonts.

mod maps;
mod tokens;
mod vision;

pub use maps::{ColourMap, STEPS, heat_over};
pub use tokens::{Look, Role, Tokens};
pub use vision::{Vision, see_with, vision};

use egui::style::{Selection, WidgetVisuals, Widgets};
use egui::{
    CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, RichText, Stroke, TextStyle, Ui, vec2,
};
use egui_plot::LineStyle;
use std::sync::Arc;

pub use crate::run::report::letters::FONT_FILES;

/// The semi-bold cut for headings and names.
const STRONG: &str = "strong";

/// The tokens that are in force.
pub fn of(ui: &Ui) -> Arc<Tokens> {
    ui.data(|data| data.get_temp(token_slot())).unwrap_or_else(|| Arc::new(Tokens::of(Look::Light)))
}

fn token_slot() -> egui::Id {
    egui::Id::unique("polariscope tokens")
}

/// Makes the letters of Atkinson Hyperlegible the window's own; egui's fonts fill the gaps (arrows, signs).
pub fn install_fonts(ctx: &egui::Context) {
    let mut fonts = FontDefinitions::default();
    let [regular, strong] = FONT_FILES;
    fonts.font_data.insert("regular".to_owned(), Arc::new(FontData::from_static(regular)));
    fonts.font_data.insert(STRONG.to_owned(), Arc::new(FontData::from_static(strong)));
    let fallback = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    let with_fallback = |first: &str| std::iter::once(first.to_owned()).chain(fallback.iter().cloned()).collect();
    fonts.families.insert(FontFamily::Proportional, with_fallback("regular"));
    fonts.families.insert(FontFamily::Name(STRONG.into()), with_fallback(STRONG));
    ctx.set_fonts(fonts);
}

/// Puts a look in force; cheap when it already is.
pub fn apply(ctx: &egui::Context, look: Look) {
    let current: Option<Arc<Tokens>> = ctx.data(|data| data.get_temp(token_slot()));
    let tokens = Tokens::of(look).in_room(ctx.content_rect().size());
    if current.is_some_and(|current| current.look == look && current.body == tokens.body) {
        return;
    }
    ctx.set_theme(if tokens.dark { egui::Theme::Dark } else { egui::Theme::Light });
    // The look is ours alone: whichever of its two themes egui thinks is in force, it draws this style.
    for theme in [egui::Theme::Light, egui::Theme::Dark] {
        ctx.set_style_of(theme, style(&tokens, ctx.style_of(theme).animation_time));
    }
    ctx.data_mut(|data| data.insert_temp(token_slot(), Arc::new(tokens)));
}

fn style(t: &Tokens, animation_time: f32) -> egui::Style {
    let mut style = egui::Style { animation_time, ..Default::default() };
    style.text_styles = [
        (TextStyle::Body, FontId::new(t.body, FontFamily::Proportional)),
        (TextStyle::Button, FontId::new(t.body, FontFamily::Proportional)),
        (TextStyle::Small, FontId::new(t.small, FontFamily::Proportional)),
        (TextStyle::Heading, FontId::new(t.heading, FontFamily::Name(STRONG.into()))),
        (TextStyle::Monospace, FontId::new(t.mono, FontFamily::Monospace)),
    ]
    .into();
    style.drag_value_text_style = TextStyle::Body;
    style.spacing.item_spacing = vec2(t.gap, t.gap);
    style.spacing.button_padding = vec2(t.gap * 1.3, t.gap * 0.5);
    style.spacing.interact_size = vec2(t.control, t.control);
    style.spacing.icon_width = t.body * 1.3;
    style.spacing.icon_width_inner = t.body * 0.8;
    style.spacing.slider_rail_height = t.body * 0.4;
    style.spacing.combo_width = t.control * 4.0;
    style.spacing.window_margin = Margin::same(16);
    style.spacing.menu_margin = Margin::same(8);
    style.spacing.tooltip_width = t.body * 26.0;
    style.interaction.selectable_labels = false;
    style.interaction.tooltip_delay = 0.4;
    style.visuals = visuals(t);
    style
}

fn visuals(t: &Tokens) -> egui::Visuals {
    let mut visuals = if t.dark { egui::Visuals::dark() } else { egui::Visuals::light() };
    let radius = CornerRadius::same(t.radius.saturating_sub(2));
    let edge = |colour| Stroke::new(1.0, colour);
    let widget = |fill, stroke, text| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: stroke,
        corner_radius: radius,
        fg_stroke: Stroke::new(1.5, text),
        expansion: 0.0,
    };
    visuals.widgets = Widgets {
        noninteractive: widget(t.card, edge(t.line), t.text),
        inactive: widget(t.button, edge(t.line), t.text),
        hovered: widget(t.button_hover, edge(t.line_strong), t.text),
        // The same visuals serve pressed and focused widgets: a two point ring shows where the keyboard is.
        active: widget(t.button_hover, Stroke::new(2.0, t.link), t.text),
        open: widget(t.button_hover, edge(t.line_strong), t.text),
    };
    visuals.selection = Selection { bg_fill: t.accent_soft, stroke: Stroke::new(1.0, t.text) };
    visuals.hyperlink_color = t.link;
    visuals.weak_text_color = Some(t.text_weak);
    visuals.faint_bg_color = t.field;
    visuals.extreme_bg_color = t.field;
    visuals.text_edit_bg_color = Some(t.field);
    visuals.code_bg_color = t.field;
    visuals.warn_fg_color = t.warn;
    visuals.error_fg_color = t.bad;
    visuals.panel_fill = t.panel;
    visuals.window_fill = t.card;
    visuals.window_stroke = edge(t.line);
    visuals.window_corner_radius = CornerRadius::same(t.radius);
    visuals.menu_corner_radius = CornerRadius::same(t.radius);
    visuals.slider_trailing_fill = true;
    visuals.handle_shape = egui::style::HandleShape::Circle;
    visuals.disabled_alpha = 0.55;
    visuals
}

/// Text in the semi-bold cut.
pub fn strong(text: impl Into<String>) -> RichText {
    RichText::new(text).family(FontFamily::Name(STRONG.into()))
}

/// The title of a screen.
pub fn title(t: &Tokens, text: impl Into<String>) -> RichText {
    strong(text).size(t.title)
}

/// The line style that goes with a role, so that curves differ without colour.
pub fn line_style(role: Role) -> LineStyle {
    match role {
        Role::Clean | Role::Other => LineStyle::Solid,
        Role::Attacked => LineStyle::Dashed { length: 9.0 },
        Role::Repaired => LineStyle::Dashed { length: 3.5 },
        Role::Target => LineStyle::Dotted { spacing: 6.0 },
    }
}

/// The mark that goes with a role.
pub fn mark(role: Role) -> egui_plot::MarkerShape {
    use egui_plot::MarkerShape as Shape;
    match role {
        Role::Clean => Shape::Circle,
        Role::Attacked => Shape::Up,
        Role::Repaired => Shape::Square,
        Role::Target => Shape::Diamond,
        Role::Other => Shape::Cross,
    }
}

/// The frame of dialogs above everything.
pub fn dialog(t: &Tokens) -> egui::Frame {
    card(t).inner_margin(Margin::same(20))
}

/// A framed surface for things that belong together.
pub fn card(t: &Tokens) -> egui::Frame {
    egui::Frame::new()
        .fill(t.card)
        .stroke(Stroke::new(1.0, t.line))
        .corner_radius(CornerRadius::same(t.radius))
        .inner_margin(Margin::same(t.pad as i8))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Colours have names; a literal colour outside this folder is a colour that no look can change.
    #[test]
    fn no_literal_colours_outside_the_theme() {
        fn walk(folder: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).expect("folder").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    if path.file_name().is_some_and(|name| name != "theme") {
                        walk(&path, found);
                    }
                } else {
                    let text = std::fs::read_to_string(&path).expect("source");
                    for banned in
                        ["Color32::from_rgb", "Color32::from_gray", "Color32::WHITE", "Color32::BLACK", "Rgba::from"]
                    {
                        if text.contains(banned) {
                            found.push(format!("{}: {banned}", path.display()));
                        }
                    }
                }
            }
        }
        let mut found = Vec::new();
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/app"), &mut found);
        assert!(found.is_empty(), "{found:#?}");
    }
}
