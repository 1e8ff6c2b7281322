//! Any plot as a table to read: the same points, row by row, by mouse, keyboard and screen reader. What is read here is
//! what would be saved.

use super::figure::{Cells, Curve, Figure, Marks, Unit};
use super::{Content, ExportChange, Offer};
use crate::app::command::{Change, Requests};
use crate::app::describe;
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::words;
use egui::{Align2, ComboBox, Id, Key, Label, Modal, RichText, ScrollArea, Sense, Ui, WidgetInfo, vec2};

/// A table that is being read.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    pub title: String,
    /// Titles of all plots of the screen.
    pub others: Vec<String>,
    /// The plot in words.
    pub description: String,
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// The window's clock when it was made.
    pub made: f64,
}

impl Reading {
    /// The plot of this title among what a screen offers; its first plot when it has none of that title.
    pub fn of(offers: &[Offer], title: Option<&str>, now: f64) -> Option<Self> {
        let plots = || {
            offers.iter().filter_map(|offer| match &offer.content {
                Content::Figure(figure) => Some((offer.title.as_str(), figure)),
                _ => None,
            })
        };
        let (title, figure) = plots().find(|(own, _)| Some(*own) == title).or_else(|| plots().next())?;
        let (head, rows) = figure.readable();
        Some(Self {
            title: title.to_owned(),
            others: plots().map(|(title, _)| title.to_owned()).collect(),
            description: figure.description(),
            head,
            rows,
            made: now,
        })
    }

    /// One row in words: "epochs 3: ACC 80.0 %, ASR 97.0 %".
    fn row_words(&self, row: &[String]) -> String {
        let cells = self.head.iter().zip(row).skip(1).filter(|(_, cell)| !cell.is_empty());
        let cells: Vec<_> = cells.map(|(name, cell)| format!("{name} {cell}")).collect();
        let subject = row.first().map(String::as_str).unwrap_or_default();
        let name = self.head.first().map(String::as_str).unwrap_or_default();
        format!("{name} {subject}: {}", cells.join(", "))
    }
}

impl Figure {
    fn words_of(&self, value: f64) -> String {
        if self.unit == Unit::Percent { words::percent(value) } else { words::significant(value) }
    }

    /// The plot in words.
    pub fn description(&self) -> String {
        match &self.marks {
            Marks::Curves(curves) => {
                let rate = self.unit == Unit::Percent;
                let (unit, still) = if rate {
                    (words::percent as describe::Unit, describe::STILL_RATE)
                } else {
                    (words::significant as describe::Unit, 0.0)
                };
                let told = |curve: &Curve| {
                    if !self.names.is_empty() {
                        let at = curve.stretches.iter().flatten();
                        let at = at.filter_map(|[x, y]| Some(format!("{} {}", self.name_of(*x)?, unit(*y))));
                        format!("{}: {}", curve.name, at.collect::<Vec<_>>().join(", "))
                    } else if self.x_label == "epochs" {
                        describe::courses(&curve.name, &curve.stretches, &self.starts, unit, still)
                    } else {
                        let ends = curve.stretches.iter().flatten();
                        let ends = (ends.clone().next(), ends.last());
                        match ends {
                            (Some(a), Some(b)) => format!("{} from {} to {}", curve.name, unit(a[1]), unit(b[1])),
                            _ => format!("{} has no values yet", curve.name),
                        }
                    }
                };
                sentence(curves.iter().map(told))
            }
            Marks::Bars { groups, bars } => {
                let told = |bars: &super::figure::Bars| {
                    let of = groups.iter().zip(&bars.values);
                    let of = of.filter_map(|(group, value)| Some(format!("{group} {}", self.words_of((*value)?))));
                    format!("{}: {}", bars.name, of.collect::<Vec<_>>().join(", "))
                };
                sentence(bars.iter().map(told))
            }
            Marks::Cells(cells) => {
                let values = || cells.values.iter().copied().enumerate();
                let by_value = |a: &(usize, f32), b: &(usize, f32)| a.1.total_cmp(&b.1);
                let place = |index: usize| {
                    let (row, column) = (index / cells.width.max(1), index % cells.width.max(1));
                    format!("{} {}, {} {}", self.y_label, cells.name(1, row), self.x_label, cells.name(0, column))
                };
                match (values().min_by(by_value), values().max_by(by_value)) {
                    (Some(low), Some(high)) => format!(
                        "{} rows and {} columns; the largest value is {} ({}), the smallest {} ({}).",
                        cells.height,
                        cells.width,
                        self.words_of(high.1.into()),
                        place(high.0),
                        self.words_of(low.1.into()),
                        place(low.0)
                    ),
                    _ => "No values.".to_owned(),
                }
            }
        }
    }

    /// Names of the columns, and the rows: what lies at one place of the x axis is one row.
    pub fn readable(&self) -> (Vec<String>, Vec<Vec<String>>) {
        match &self.marks {
            Marks::Curves(curves) => self.curves_by_place(curves),
            Marks::Bars { groups, bars } => {
                let head = [self.x_label.clone()].into_iter().chain(bars.iter().map(|bars| bars.name.clone()));
                let row = |(at, group): (usize, &String)| {
                    let cell = |bars: &super::figure::Bars| {
                        let value = bars.values.get(at).copied().flatten();
                        value.map(|value| self.words_of(value)).unwrap_or_default()
                    };
                    [group.clone()].into_iter().chain(bars.iter().map(cell)).collect()
                };
                (head.collect(), groups.iter().enumerate().map(row).collect())
            }
            Marks::Cells(cells) => self.cells_by_row(cells),
        }
    }

    fn curves_by_place(&self, curves: &[Curve]) -> (Vec<String>, Vec<Vec<String>>) {
        let points = |curve: &Curve| curve.stretches.iter().flatten().copied().collect::<Vec<_>>();
        let all: Vec<Vec<[f64; 2]>> = curves.iter().map(points).collect();
        let mut places: Vec<f64> = all.iter().flatten().map(|[x, _]| *x).collect();
        places.sort_by(f64::total_cmp);
        places.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
        let with_phase = self.starts.len() > 1;
        let head = [self.x_label.clone()].into_iter().chain(with_phase.then(|| "phase".to_owned()));
        let head = head.chain(curves.iter().map(|curve| curve.name.clone())).collect();
        let row = |x: &f64| {
            let phase = self.starts.iter().rfind(|(start, _)| start < x).or(self.starts.first());
            let phase = with_phase.then(|| phase.map(|(_, name)| name.clone()).unwrap_or_default());
            let value = |points: &Vec<[f64; 2]>| {
                let found = points.iter().find(|[at, _]| (at - x).abs() < 1e-9);
                found.map(|[_, value]| self.words_of(*value)).unwrap_or_default()
            };
            let place = self.name_of(*x).map_or_else(|| words::significant(*x), str::to_owned);
            [place].into_iter().chain(phase).chain(all.iter().map(value)).collect()
        };
        (head, places.iter().map(row).collect())
    }

    fn cells_by_row(&self, cells: &Cells) -> (Vec<String>, Vec<Vec<String>>) {
        let head = [self.y_label.clone()].into_iter().chain((0..cells.width).map(|column| cells.name(0, column)));
        let row = |(row, values): (usize, &[f32])| {
            let values = values.iter().map(|value| self.words_of((*value).into()));
            [cells.name(1, row)].into_iter().chain(values).collect()
        };
        (head.collect(), cells.values.chunks(cells.width.max(1)).enumerate().map(row).collect())
    }
}

fn sentence(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<_> = parts.collect();
    if parts.is_empty() { "No values yet.".to_owned() } else { format!("{}.", parts.join(". ")) }
}

/// What the table remembers about its drawing.
#[derive(Debug, Default)]
pub struct ReadingView {
    /// The row that the keyboard stands on.
    row: usize,
    /// The table that it belongs to.
    title: String,
}

/// The table above the screen, while one is read.
pub fn show(ui: &Ui, state: &State, view: &mut ReadingView, requests: &Requests) {
    let Some(reading) = state.reading.as_ref().filter(|_| state.export.is_none()) else {
        return;
    };
    let t = theme::of(ui);
    if view.title != reading.title {
        *view = ReadingView { row: 0, title: reading.title.clone() };
    }
    let screen = ui.ctx().content_rect();
    let modal = Modal::new(Id::unique("reading")).frame(theme::dialog(&t)).show(ui.ctx(), |ui| {
        ui.set_width((t.body * 54.0).min(screen.width() - 80.0));
        ui.label(theme::title(&t, &reading.title));
        ui.add(Label::new(reading.description.as_str()).wrap());
        choices(ui, &t, reading, requests);
        move_by_keys(ui, reading, view);
        let room = (screen.height() - ui.cursor().top() - 6.0 * t.body).max(8.0 * t.body);
        rows(ui, &t, reading, view, room);
        ui.button("Close").clicked()
    });
    if modal.inner || modal.should_close() {
        requests.change(Change::Read(None));
    }
}

fn choices(ui: &mut Ui, t: &Tokens, reading: &Reading, requests: &Requests) {
    ui.horizontal(|ui| {
        let combo = ComboBox::from_id_salt("plot").width(t.body * 18.0).selected_text(&reading.title).truncate();
        let combo = combo.show_ui(ui, |ui| {
            for title in &reading.others {
                if ui.selectable_label(*title == reading.title, title).clicked() {
                    requests.change(Change::Read(Some(title.clone())));
                }
            }
        });
        combo.response.accessible_name("Plot to read");
        if ui.button("Save as CSV…").on_hover_text("The same numbers with all their digits").clicked() {
            requests.change(Change::Export(ExportChange::Open(Some(reading.title.clone()))));
            requests.change(Change::Export(ExportChange::Format(super::Format::Csv)));
        }
        let help = "Up, Down, Home and End move from row to row";
        ui.add(Label::new(RichText::new(help).size(t.small).color(t.text_weak)).truncate());
    });
}

fn move_by_keys(ui: &Ui, reading: &Reading, view: &mut ReadingView) {
    let last = reading.rows.len().saturating_sub(1);
    ui.input_mut(|input| {
        let mut take = |key| input.count_and_consume_key(egui::Modifiers::NONE, key);
        let (down, up, home, end) = (take(Key::ArrowDown), take(Key::ArrowUp), take(Key::Home), take(Key::End));
        view.row = (view.row + down).saturating_sub(up);
        if home > 0 {
            view.row = 0;
        }
        if end > 0 {
            view.row = last;
        }
    });
    view.row = view.row.min(last);
}

fn rows(ui: &mut Ui, t: &Tokens, reading: &Reading, view: &mut ReadingView, room: f32) {
    let height = t.body * 1.7;
    let widths = widths(ui, t, reading);
    let whole: f32 = widths.iter().sum();
    ScrollArea::horizontal().id_salt("wide").show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        let width = whole.max(ui.available_width());
        line(ui, t, &reading.head, &widths, vec2(width, height), Line::Head);
        let most = (room - height).max(height * 4.0);
        // The whole table in words, one row at a time: what the arrow keys move through.
        let area = ScrollArea::vertical().id_salt("rows").max_height(most).auto_shrink([false, true]);
        let first = view.row as f32 * height;
        let area = if ui.input(|input| input.pointer.is_still()) {
            let offset = (first - most * 0.5).clamp(0.0, (reading.rows.len() as f32 * height - most).max(0.0));
            area.vertical_scroll_offset(offset)
        } else {
            area
        };
        area.show_rows(ui, height, reading.rows.len(), |ui, range| {
            for index in range {
                let kind = if index == view.row { Line::Chosen } else { Line::Plain };
                let response = line(ui, t, &reading.rows[index], &widths, vec2(width, height), kind);
                let said = reading.row_words(&reading.rows[index]);
                let chosen = index == view.row;
                response.widget_info(|| WidgetInfo::selected(egui::Role::ListBoxOption, true, chosen, &said));
                if response.clicked() {
                    view.row = index;
                }
            }
        });
    });
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Head,
    Plain,
    Chosen,
}

fn line(ui: &mut Ui, t: &Tokens, cells: &[String], widths: &[f32], size: egui::Vec2, kind: Line) -> egui::Response {
    let sense = if kind == Line::Head { Sense::hover() } else { Sense::click() };
    let (rect, response) = ui.allocate_exact_size(size, sense);
    let painter = ui.painter_at(rect);
    if kind == Line::Chosen {
        painter.rect_filled(rect, 0.0, t.accent_soft);
    }
    let colour = if kind == Line::Head { t.text_weak } else { t.text };
    let mut x = rect.left();
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let font = egui::FontId::proportional(if kind == Line::Head { t.small } else { t.body });
        // Names to the left, numbers to the right.
        let number =
            column > 0 && kind == Line::Head || cell.chars().next().is_some_and(|c| c.is_ascii_digit() || c == '-');
        if number {
            let at = egui::pos2(x + width - t.gap, rect.center().y);
            painter.text(at, Align2::RIGHT_CENTER, cell, font, colour);
        } else {
            painter.text(egui::pos2(x + t.gap, rect.center().y), Align2::LEFT_CENTER, cell, font, colour);
        }
        x += width;
    }
    painter.hline(rect.x_range(), rect.bottom() - 1.0, egui::Stroke::new(1.0, t.line));
    response
}

/// Every column is as wide as its widest cell, and no wider than a name needs to be known.
fn widths(ui: &Ui, t: &Tokens, reading: &Reading) -> Vec<f32> {
    let of = |column: usize| {
        let cells = reading.rows.iter().filter_map(|row| row.get(column)).chain(reading.head.get(column));
        let widest = cells.max_by_key(|cell| cell.chars().count()).cloned().unwrap_or_default();
        let font = egui::FontId::proportional(t.body);
        let width = ui.fonts_mut(|fonts| fonts.layout_no_wrap(widest, font, t.text)).size().x;
        (width * 1.05 + 2.0 * t.gap).clamp(t.body * 4.0, t.body * 22.0)
    };
    (0..reading.head.len()).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::theme::{ColourMap, Role};

    fn figure(marks: Marks, unit: Unit) -> Figure {
        Figure {
            title: "run".into(),
            x_label: "epochs".into(),
            y_label: "true class".into(),
            unit,
            marks,
            starts: vec![(0.0, "attack".into()), (2.0, "npd".into())],
            points: Vec::new(),
            names: Vec::new(),
        }
    }

    fn curve(name: &str, stretches: &[&[[f64; 2]]]) -> Curve {
        Curve {
            name: name.into(),
            role: Role::Clean,
            stretches: stretches.iter().map(|points| points.to_vec()).collect(),
            band: Vec::new(),
        }
    }

    #[test]
    fn what_was_measured_together_is_one_row() {
        let curves = vec![
            curve("ACC", &[&[[1.0, 0.5], [2.0, 0.75]], &[[3.0, 0.8]]]),
            curve("ASR", &[&[[2.0, 0.99]], &[[3.0, 0.02]]]),
        ];
        let figure = figure(Marks::Curves(curves), Unit::Percent);
        let offers =
            [Offer { title: "Rates".into(), caption: String::new(), content: Content::Figure(Box::new(figure)) }];
        let reading = Reading::of(&offers, Some("Rates"), 0.0).expect("a plot");
        assert_eq!(reading.head, ["epochs", "phase", "ACC", "ASR"]);
        assert_eq!(
            reading.rows,
            [["1", "attack", "50.0 %", ""], ["2", "attack", "75.0 %", "99.0 %"], ["3", "npd", "80.0 %", "2.0 %"]]
        );
        assert_eq!(reading.row_words(&reading.rows[1]), "epochs 2: phase attack, ACC 75.0 %, ASR 99.0 %");
        assert!(reading.description.starts_with("ACC rises from 50.0 % at epoch 1 to 75.0 % at epoch 2; in npd it is"));
        assert_eq!(Reading::of(&offers, None, 0.0).expect("its first").title, "Rates");
        assert_eq!(Reading::of(&[], None, 0.0), None);
    }

    #[test]
    fn maps_are_read_row_by_row() {
        let values: Vec<f32> = vec![9.0, 1.0, 0.0, 10.0];
        let names = [["bag", "boot"].map(String::from).to_vec(), ["bag", "boot"].map(String::from).to_vec()];
        let map = ColourMap::amounts(&values);
        let cells = Cells { width: 2, height: 2, values: values.into(), map, names };
        let figure = figure(Marks::Cells(cells), Unit::Plain);
        let (head, rows) = figure.readable();
        assert_eq!(
            (head, rows),
            (
                vec!["true class".into(), "bag".into(), "boot".into()],
                vec![vec!["bag".into(), "9".into(), "1".into()], vec!["boot".into(), "0".to_owned(), "10".into()]]
            )
        );
        assert!(figure.description().contains("largest value is 10 (true class boot"), "{}", figure.description());
    }
}
