//! A figure laid out as a drawing: title, legend, axes with round marks, curves or bars, caption.

use super::drawing::{Anchor, Drawing, Shape, Text};
use super::figure::{Bars, Cells, Curve, Figure, Marks, Unit, ticks};
use crate::app::labels;
use crate::app::theme::{self, ColourMap, Look, Role, Tokens};
use crate::run::report::letters::Letters;
use egui::{Pos2, Rect, pos2, vec2};
use egui_plot::{LineStyle, MarkerShape};

/// Sixteen to nine, as slides are. Lengths are points.
const WIDTH: f32 = 960.0;
const HEIGHT: f32 = 540.0;
const MARGIN: f32 = 24.0;
const TITLE: f32 = 24.0;
const WORDS: f32 = 17.0;
const CAPTION: f32 = 13.0;
const STROKE: f32 = 2.6;
/// A sample of a curve in the legend.
const SAMPLE: f32 = 34.0;

/// Draws a figure on white, whatever the window looks like; an empty caption leaves its room to the plot.
pub fn draw(figure: &Figure, caption: &str) -> Drawing {
    let tokens = Tokens::of(Look::Light);
    let mut page = Page { shapes: Vec::new(), plain: Letters::new(false), t: tokens };
    page.text([MARGIN, MARGIN + TITLE * 0.8], &figure.title, TITLE, Anchor::Start, true);
    let below_legend = page.legend(figure, MARGIN + TITLE * 1.15);
    let above_caption = page.caption(caption);
    if let Marks::Cells(cells) = &figure.marks {
        page.cells(figure, cells, MARGIN + TITLE * 1.6, above_caption - WORDS * 2.4);
        return Drawing { width: WIDTH, height: HEIGHT, ground: page.t.card, shapes: page.shapes };
    }
    let (label, up) = (|value: f64| in_unit(value, figure), figure.reach_up());
    let widest = ticks(up).into_iter().map(|tick| page.plain.width(&label(tick), WORDS)).fold(0.0, f32::max);
    let plot = Area {
        left: MARGIN + WORDS * 1.9 + widest + 8.0,
        right: WIDTH - MARGIN - 6.0,
        top: below_legend + WORDS,
        bottom: above_caption - WORDS * 3.0,
        across: figure.reach_across(),
        up,
    };
    if let Marks::Curves(curves) = &figure.marks {
        curves.iter().for_each(|curve| page.band(curve, &plot));
    }
    page.axes(figure, &plot);
    match &figure.marks {
        Marks::Curves(curves) => {
            curves.iter().for_each(|curve| page.curve(curve, &plot, !figure.names.is_empty()));
            page.points(&figure.points, &plot);
        }
        Marks::Bars { groups, bars } => page.bars(figure, groups, bars, &plot),
        Marks::Cells(_) => {}
    }
    Drawing { width: WIDTH, height: HEIGHT, ground: page.t.card, shapes: page.shapes }
}

/// Where the plot is on the page, and what its axes reach.
struct Area {
    left: f32,
    right: f32,
    top: f32,
    bottom: f32,
    across: [f64; 2],
    up: [f64; 2],
}

impl Area {
    fn x(&self, value: f64) -> f32 {
        self.left + share(value, self.across) * (self.right - self.left)
    }

    fn y(&self, value: f64) -> f32 {
        self.bottom - share(value, self.up) * (self.bottom - self.top)
    }
}

/// Where a value lies between two ends.
fn share(value: f64, [from, to]: [f64; 2]) -> f32 {
    ((value - from) / (to - from)) as f32
}

struct Page {
    shapes: Vec<Shape>,
    plain: Letters,
    t: Tokens,
}

impl Page {
    fn text(&mut self, [x, y]: [f32; 2], text: &str, size: f32, anchor: Anchor, strong: bool) {
        let colour = self.t.text;
        self.shapes.push(Shape::Text(Text {
            x,
            y,
            size,
            anchor,
            colour,
            strong,
            upwards: false,
            text: text.to_owned(),
        }));
    }

    fn weak(&mut self, at: [f32; 2], text: &str, size: f32, anchor: Anchor) {
        self.text(at, text, size, anchor, false);
        if let Some(Shape::Text(text)) = self.shapes.last_mut() {
            text.colour = self.t.text_weak;
        }
    }

    fn line(&mut self, points: Vec<[f32; 2]>, role: Option<Role>, width: f32) {
        let colour = role.map_or(self.t.line, |role| self.t.role(role));
        let dash = role.map(dash).unwrap_or_default();
        self.shapes.push(Shape::Line { points, colour, width, dash });
    }

    /// Returns where it ends.
    fn legend(&mut self, figure: &Figure, top: f32) -> f32 {
        let is_bars = matches!(figure.marks, Marks::Bars { .. });
        let (mut x, mut y) = (MARGIN, top + WORDS);
        for (name, role) in figure.legend() {
            let width = SAMPLE + 8.0 + self.plain.width(name, WORDS) + 26.0;
            if x > MARGIN && x + width > WIDTH - MARGIN {
                (x, y) = (MARGIN, y + WORDS * 1.4);
            }
            let middle = y - WORDS * 0.35;
            if is_bars {
                let fill = self.t.role(role);
                self.shapes.push(Shape::Rect { x, y: middle - 7.0, width: SAMPLE * 0.6, height: 14.0, fill });
            } else {
                self.line(vec![[x, middle], [x + SAMPLE, middle]], Some(role), STROKE);
                self.mark([x + SAMPLE / 2.0, middle], role);
            }
            self.text([x + SAMPLE + 8.0, y], name, WORDS, Anchor::Start, false);
            x += width;
        }
        y + WORDS * 0.4
    }

    /// Broken into lines; returns where it begins.
    fn caption(&mut self, caption: &str) -> f32 {
        let mut lines: Vec<String> = Vec::new();
        for word in caption.split_whitespace() {
            match lines.last_mut() {
                Some(line) if self.plain.width(&format!("{line} {word}"), CAPTION) < WIDTH - 2.0 * MARGIN => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        let top = HEIGHT - MARGIN * 0.75 - lines.len() as f32 * CAPTION * 1.35;
        for (at, line) in lines.iter().enumerate() {
            self.weak([MARGIN, top + (at + 1) as f32 * CAPTION * 1.35], line, CAPTION, Anchor::Start);
        }
        top
    }

    fn axes(&mut self, figure: &Figure, plot: &Area) {
        for tick in ticks(plot.up) {
            let y = plot.y(tick);
            self.line(vec![[plot.left, y], [plot.right, y]], None, 1.0);
            self.weak([plot.left - 8.0, y + WORDS * 0.35], &in_unit(tick, figure), WORDS, Anchor::End);
        }
        if !figure.names.is_empty() {
            self.names(&figure.names, plot);
        } else if matches!(figure.marks, Marks::Curves(_)) {
            for tick in ticks(plot.across) {
                let x = plot.x(tick);
                self.line(vec![[x, plot.bottom], [x, plot.bottom + 5.0]], None, 1.0);
                self.weak([x, plot.bottom + WORDS * 1.35], &plain(tick), WORDS, Anchor::Middle);
            }
            for (start, name) in &figure.starts {
                let x = plot.x(*start);
                if *start > 0.0 {
                    let (points, colour) = (vec![[x, plot.top], [x, plot.bottom]], self.t.line_strong);
                    self.shapes.push(Shape::Line { points, colour, width: 1.0, dash: Vec::new() });
                }
                self.weak([x + 5.0, plot.top - 4.0], name, CAPTION, Anchor::Start);
            }
        }
        let (points, colour) = (vec![[plot.left, plot.bottom], [plot.right, plot.bottom]], self.t.line_strong);
        self.shapes.push(Shape::Line { points, colour, width: 1.2, dash: Vec::new() });
        let middle = (plot.left + plot.right) / 2.0;
        self.weak([middle, plot.bottom + WORDS * 2.6], &figure.x_label, WORDS, Anchor::Middle);
        self.weak([MARGIN + WORDS * 0.8, (plot.top + plot.bottom) / 2.0], &figure.y_label, WORDS, Anchor::Middle);
        self.turn_last();
    }

    /// Below everything else: pages are opaque.
    fn band(&mut self, curve: &Curve, plot: &Area) {
        const SHARE: f32 = 0.16;
        let up = curve.band.iter().map(|[x, _, high]| [plot.x(*x), plot.y(*high)]);
        let down = curve.band.iter().rev().map(|[x, low, _]| [plot.x(*x), plot.y(*low)]);
        let points: Vec<_> = up.chain(down).collect();
        if !points.is_empty() {
            let fill = self.t.card.lerp_to_gamma(self.t.role(curve.role), SHARE);
            self.shapes.push(Shape::Polygon { points, fill });
        }
    }

    /// `marked`: every point has its mark.
    fn curve(&mut self, curve: &Curve, plot: &Area, marked: bool) {
        for stretch in &curve.stretches {
            let points: Vec<_> = stretch.iter().map(|[x, y]| [plot.x(*x), plot.y(*y)]).collect();
            match points.as_slice() {
                [] => {}
                // Measured once: a mark and no line.
                [only] => self.mark(*only, curve.role),
                [.., _] => self.line(points, Some(curve.role), STROKE),
            }
        }
        let points = curve.stretches.iter().flatten();
        let first = if marked { 0 } else { points.clone().count().saturating_sub(1) };
        for [x, y] in points.skip(first) {
            self.mark([plot.x(*x), plot.y(*y)], curve.role);
        }
    }

    /// Names of the places of the x axis; where there is no room for all, for every second, third, ...
    fn names(&mut self, names: &[String], plot: &Area) {
        let widest = names.iter().map(|name| self.plain.width(name, WORDS)).fold(0.0, f32::max) + WORDS;
        let every = (widest * names.len() as f32 / (plot.right - plot.left)).ceil().max(1.0) as usize;
        for (at, name) in names.iter().enumerate().step_by(every) {
            self.weak([plot.x(at as f64), plot.bottom + WORDS * 1.35], name, WORDS, Anchor::Middle);
        }
    }

    /// Marks with their names beside them, out of each other's way; of points with the same name the last one carries it.
    fn points(&mut self, points: &[(String, [f64; 2])], plot: &Area) {
        let marks: Vec<Pos2> = points.iter().map(|(_, [x, y])| pos2(plot.x(*x), plot.y(*y))).collect();
        marks.iter().for_each(|at| self.mark([at.x, at.y], Role::Other));
        let is_last =
            |(at, (name, _)): &(usize, &(String, [f64; 2]))| !points[at + 1..].iter().any(|(later, _)| later == name);
        let named: Vec<_> =
            points.iter().enumerate().filter(is_last).map(|(at, (name, _))| (marks[at], name)).collect();
        let sizes: Vec<_> =
            named.iter().map(|(at, name)| (*at, vec2(self.plain.width(name, CAPTION), CAPTION * 1.2))).collect();
        let area = Rect::from_min_max(pos2(plot.left, plot.top), pos2(plot.right, plot.bottom));
        for ((at, name), place) in named.into_iter().zip(labels::places(&sizes, &marks, area)) {
            let Some(place) = place else {
                continue;
            };
            if let Some(end) = labels::leader(at, place) {
                let (points, colour) = (vec![[at.x, at.y], [end.x, end.y]], self.t.line_strong);
                self.shapes.push(Shape::Line { points, colour, width: 1.0, dash: Vec::new() });
            }
            let (x, y, width, height) = (place.left() - 2.0, place.top(), place.width() + 4.0, place.height());
            self.shapes.push(Shape::Rect { x, y, width, height, fill: self.t.card });
            self.text([place.left(), place.bottom() - CAPTION * 0.3], name, CAPTION, Anchor::Start, false);
        }
    }

    fn bars(&mut self, figure: &Figure, groups: &[String], bars: &[Bars], plot: &Area) {
        let group_width = (plot.right - plot.left) / groups.len().max(1) as f32;
        let width = (group_width * 0.78 / bars.len().max(1) as f32).min(90.0);
        for (at, group) in groups.iter().enumerate() {
            let middle = plot.left + (at as f32 + 0.5) * group_width;
            self.text([middle, plot.bottom + WORDS * 1.35], group, WORDS, Anchor::Middle, false);
            let left = middle - width * bars.len() as f32 / 2.0;
            for (place, bar) in bars.iter().enumerate() {
                let x = left + place as f32 * width;
                let center = x + width / 2.0;
                match bar.values.get(at).copied().flatten() {
                    Some(value) => {
                        let (y, fill) = (plot.y(value), self.t.role(bar.role));
                        let (x, width, height) = (x + 2.0, width - 4.0, (plot.bottom - y).max(1.0));
                        self.shapes.push(Shape::Rect { x, y: plot.bottom - height, width, height, fill });
                        // The number is written, so that no bar stands for itself alone; where it is tight the axis
                        // alone names the unit.
                        let number = value_in_unit(value, figure);
                        let tight = self.plain.width(&number, CAPTION) > width;
                        let number = if tight { number.trim_end_matches(" %") } else { &number };
                        self.text([center, y - 5.0], number, CAPTION, Anchor::Middle, false);
                    }
                    None => self.weak([center, plot.bottom - 5.0], "\u{2013}", CAPTION, Anchor::Middle),
                }
            }
        }
    }

    /// Square cells between two heights, and the scale of their colours.
    fn cells(&mut self, figure: &Figure, cells: &Cells, top: f32, bottom: f32) {
        let [columns, rows] = [0, 1].map(|side| self.widest(&cells.names[side]));
        let (left, right) = (MARGIN + WORDS * 2.4 + rows, WIDTH - MARGIN - 120.0);
        // Names below the columns stand on their heads where they are wider than a cell.
        let flat = (bottom - top - CAPTION * 1.5) / cells.height.max(1) as f32;
        let upwards = columns > flat;
        let below = if columns == 0.0 {
            0.0
        } else if upwards {
            columns + CAPTION * 0.8
        } else {
            CAPTION * 1.5
        };
        let side = (right - left) / cells.width.max(1) as f32;
        let side = side.min((bottom - top - below) / cells.height.max(1) as f32);
        // Every cell has room for its number.
        let numbered = side > CAPTION * 2.0;
        for (index, value) in cells.values.iter().enumerate().take(cells.width * cells.height) {
            let (x, y) = ((index % cells.width) as f32, (index / cells.width) as f32);
            let (x, y, fill) = (left + x * side, top + y * side, cells.map.colour(*value));
            self.shapes.push(Shape::Rect { x, y, width: side, height: side, fill });
            if numbered {
                let at = [x + side / 2.0, y + side / 2.0 + CAPTION * 0.35];
                self.text(at, &plain((*value).into()), CAPTION, Anchor::Middle, false);
                if let Some(Shape::Text(text)) = self.shapes.last_mut() {
                    text.colour = if is_dark(fill) { self.t.card } else { self.t.text };
                }
            }
        }
        let (wide, tall) = (cells.width as f32 * side, cells.height as f32 * side);
        for (at, name) in cells.names[1].iter().enumerate() {
            let y = top + (at as f32 + 0.5) * side + CAPTION * 0.35;
            self.weak([left - 6.0, y], name, CAPTION, Anchor::End);
        }
        for (at, name) in cells.names[0].iter().enumerate() {
            let x = left + (at as f32 + 0.5) * side;
            if upwards {
                self.weak([x + CAPTION * 0.35, top + tall + 6.0], name, CAPTION, Anchor::End);
                self.turn_last();
            } else {
                self.weak([x, top + tall + CAPTION * 1.2], name, CAPTION, Anchor::Middle);
            }
        }
        let label = [left + wide / 2.0, top + tall + below + WORDS * 1.2];
        self.weak(label, &figure.x_label, WORDS, Anchor::Middle);
        self.weak([MARGIN + WORDS * 0.8, top + tall / 2.0], &figure.y_label, WORDS, Anchor::Middle);
        self.turn_last();
        self.scale(cells.map, left + wide + 24.0, top, tall);
    }

    /// The last text reads upwards.
    fn turn_last(&mut self) {
        if let Some(Shape::Text(text)) = self.shapes.last_mut() {
            text.upwards = true;
        }
    }

    /// The colours of a map with the values that they stand for.
    fn scale(&mut self, map: ColourMap, x: f32, top: f32, height: f32) {
        const STEPS: usize = 64;
        let (low, high) = map.ends();
        let step = height / STEPS as f32;
        for at in 0..STEPS {
            let value = high - (high - low) * (at as f32 + 0.5) / STEPS as f32;
            let (y, fill) = (top + at as f32 * step, map.colour(value));
            // A little higher than its share, so that no ground shines through between two steps.
            self.shapes.push(Shape::Rect { x, y, width: 16.0, height: (step + 0.5).min(top + height - y), fill });
        }
        for (share, value) in [(0.0, high), (0.5, (low + high) / 2.0), (1.0, low)] {
            let at = [x + 22.0, top + height * share + CAPTION * 0.35];
            self.weak(at, &plain(value.into()), CAPTION, Anchor::Start);
        }
    }

    fn widest(&self, names: &[String]) -> f32 {
        names.iter().map(|name| self.plain.width(name, CAPTION)).fold(0.0, f32::max)
    }

    fn mark(&mut self, [x, y]: [f32; 2], role: Role) {
        let (fill, r) = (self.t.role(role), STROKE * 2.2);
        let polygon = |points: &[(f32, f32)]| {
            let points = points.iter().map(|(dx, dy)| [x + dx * r, y + dy * r]).collect();
            Shape::Polygon { points, fill }
        };
        let shape = match theme::mark(role) {
            MarkerShape::Up => polygon(&[(-1.0, 0.8), (1.0, 0.8), (0.0, -1.1)]),
            MarkerShape::Square => polygon(&[(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)]),
            MarkerShape::Diamond => polygon(&[(0.0, -1.2), (1.2, 0.0), (0.0, 1.2), (-1.2, 0.0)]),
            MarkerShape::Cross => {
                for [from, to] in [[(-1.0, -1.0), (1.0, 1.0)], [(-1.0, 1.0), (1.0, -1.0)]] {
                    let points = [from, to].map(|(dx, dy): (f32, f32)| [x + dx * r * 0.8, y + dy * r * 0.8]).to_vec();
                    self.shapes.push(Shape::Line { points, colour: fill, width: STROKE, dash: Vec::new() });
                }
                return;
            }
            _ => Shape::Circle { center: [x, y], radius: r, fill },
        };
        self.shapes.push(shape);
    }
}

/// Whether light letters are read better on a colour.
fn is_dark(colour: egui::Color32) -> bool {
    let [red, green, blue, _] = colour.to_array().map(u32::from);
    299 * red + 587 * green + 114 * blue < 140_000
}

/// The dashes of a role, as on the screen.
fn dash(role: Role) -> Vec<f32> {
    match theme::line_style(role) {
        LineStyle::Solid => Vec::new(),
        LineStyle::Dashed { length } => vec![length * 1.3, length * 0.8],
        LineStyle::Dotted { spacing } => vec![STROKE, spacing],
    }
}

/// A mark on the axis of values.
fn in_unit(value: f64, figure: &Figure) -> String {
    match figure.unit {
        Unit::Percent => format!("{:.0} %", value * 100.0),
        Unit::Plain => plain(value),
    }
}

/// A value with the digits that it has on the screen.
fn value_in_unit(value: f64, figure: &Figure) -> String {
    match figure.unit {
        Unit::Percent => crate::app::words::percent(value),
        Unit::Plain => plain(value),
    }
}

fn plain(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure() -> Figure {
        let curve = |name: &str, role, y: f64| Curve {
            name: name.into(),
            role,
            stretches: vec![vec![[0.5, y], [8.0, y + 0.1]], vec![[9.0, y]]],
            band: Vec::new(),
        };
        Figure {
            title: "How good is it?".into(),
            x_label: "epochs".into(),
            y_label: "share of test pictures".into(),
            unit: Unit::Percent,
            marks: Marks::Curves(vec![curve("ACC", Role::Clean, 0.8), curve("ASR", Role::Attacked, 0.1)]),
            starts: vec![(0.0, "attack".into()), (8.0, "npd".into())],
            points: Vec::new(),
            names: Vec::new(),
        }
    }

    fn texts(drawing: &Drawing) -> Vec<&str> {
        let mut found = Vec::new();
        for shape in &drawing.shapes {
            if let Shape::Text(text) = shape {
                found.push(text.text.as_str());
            }
        }
        found
    }

    #[test]
    fn a_figure_says_what_it_shows_and_stays_on_its_page() {
        let caption = "Data: fashion-mini. Attack: BadNets. ".repeat(8);
        let drawing = draw(&figure(), &caption);
        let texts = texts(&drawing);
        for wanted in ["How good is it?", "ACC", "ASR", "80 %", "epochs", "share of test pictures", "npd"] {
            assert!(texts.contains(&wanted), "{wanted}: {texts:?}");
        }
        let letters = Letters::new(false);
        for shape in &drawing.shapes {
            let inside = |[x, y]: [f32; 2]| (0.0..=WIDTH).contains(&x) && (0.0..=HEIGHT).contains(&y);
            match shape {
                Shape::Line { points, .. } | Shape::Polygon { points, .. } => {
                    assert!(points.iter().copied().all(inside), "{shape:?}");
                }
                Shape::Text(text) if text.anchor == Anchor::Start => {
                    let end = text.x + letters.width(&text.text, text.size);
                    assert!(inside([text.x, text.y]) && end <= WIDTH, "{text:?}");
                }
                _ => {}
            }
        }
        assert!(draw(&figure(), "").shapes.len() < drawing.shapes.len(), "without a caption");
    }

    #[test]
    fn curves_differ_without_colour() {
        let drawing = draw(&figure(), "");
        let dashes: Vec<_> = drawing
            .shapes
            .iter()
            .filter_map(|shape| match shape {
                Shape::Line { points, dash, width, .. } if points.len() == 2 && *width == STROKE => Some(dash.clone()),
                _ => None,
            })
            .collect();
        assert!(dashes.iter().any(Vec::is_empty) && dashes.iter().any(|dash| !dash.is_empty()), "{dashes:?}");
    }

    #[test]
    fn bands_lie_below_and_named_places_have_marks() {
        let mut figure = figure();
        let Marks::Curves(curves) = &mut figure.marks else { panic!("curves") };
        curves.truncate(1);
        curves[0].stretches = vec![vec![[0.0, 0.2], [1.0, 0.9]]];
        curves[0].band = vec![[0.0, 0.1, 0.3], [1.0, 0.85, 0.95]];
        figure.names = vec!["Ratio 1 %".into(), "Ratio 2 %".into()];
        let drawing = draw(&figure, "");
        let first = drawing.shapes.iter().position(|shape| matches!(shape, Shape::Polygon { .. }));
        let line =
            drawing.shapes.iter().position(|shape| matches!(shape, Shape::Line { points, .. } if points.len() == 2));
        let Shape::Polygon { points, .. } = &drawing.shapes[first.unwrap()] else { panic!("a band") };
        assert_eq!(points.len(), 4);
        assert!(first < line.map(|_| drawing.shapes.len()), "there are lines above it");
        let circles = drawing.shapes.iter().filter(|shape| matches!(shape, Shape::Circle { .. }));
        assert_eq!(circles.count(), 3, "one in the legend, one for each value");
        assert!(texts(&drawing).contains(&"Ratio 2 %"));
    }

    #[test]
    fn cells_are_square_and_their_scale_is_printed() {
        let map = ColourMap::Signed { most: 0.25 };
        let cells = Cells { width: 3, height: 2, values: vec![0.1; 6].into(), map, names: Default::default() };
        let drawing = draw(&Figure { marks: Marks::Cells(cells), ..figure() }, "A caption.");
        let squares = drawing.shapes.iter().filter(|shape| {
            matches!(shape, Shape::Rect { width, height, fill, .. } if width == height && *fill == map.colour(0.1))
        });
        assert_eq!(squares.count(), 6);
        let texts = texts(&drawing);
        assert!(texts.contains(&"0.25") && texts.contains(&"-0.25") && texts.contains(&"0"), "{texts:?}");
    }

    #[test]
    fn bars_carry_their_numbers() {
        let bars =
            |name: &str, role, values: [Option<f64>; 2]| Bars { name: name.into(), role, values: values.to_vec() };
        let marks = Marks::Bars {
            groups: vec!["ACC".into(), "ASR".into()],
            bars: vec![
                bars("one", Role::Clean, [Some(0.8625), Some(0.9972)]),
                bars("two", Role::Attacked, [Some(0.85), None]),
            ],
        };
        let drawing = draw(&Figure { marks, starts: Vec::new(), points: Vec::new(), ..figure() }, "");
        let texts = texts(&drawing);
        assert!(texts.contains(&"86.2 %") && texts.contains(&"99.7 %") && texts.contains(&"\u{2013}"), "{texts:?}");
    }
}
