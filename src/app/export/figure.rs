//! Plots as data: what is drawn, in which words, apart from how.

use super::table::{Table, number};
use crate::app::theme::{ColourMap, Role};
use std::sync::Arc;

/// How the numbers of an axis are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Shares from 0 to 1, shown as 0 to 100 %.
    Percent,
    Plain,
}

/// One curve: stretches that are not joined, all under one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    pub name: String,
    pub role: Role,
    pub stretches: Vec<Vec<[f64; 2]>>,
    /// How far its values may lie apart: place, lowest, highest; drawn as a band, empty where that is not known.
    pub band: Vec<[f64; 3]>,
}

/// The bars of one colour, one per group.
#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    pub name: String,
    pub role: Role,
    pub values: Vec<Option<f64>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Marks {
    Curves(Vec<Curve>),
    Bars { groups: Vec<String>, bars: Vec<Bars> },
    Cells(Cells),
}

/// A map of coloured cells, row by row from the top.
#[derive(Debug, Clone, PartialEq)]
pub struct Cells {
    pub width: usize,
    pub height: usize,
    pub values: Arc<[f32]>,
    pub map: ColourMap,
    /// Names of the columns and of the rows; empty where numbers will do.
    pub names: [Vec<String>; 2],
}

impl Cells {
    /// The name of a column (side 0) or a row (side 1), or its number.
    pub fn name(&self, side: usize, at: usize) -> String {
        self.names[side].get(at).cloned().unwrap_or_else(|| at.to_string())
    }

    fn rows(&self) -> impl Iterator<Item = Vec<String>> {
        let name = |side: usize, at: usize| self.name(side, at);
        self.values.iter().enumerate().take(self.width * self.height).map(move |(index, value)| {
            let (row, column) = (index / self.width, index % self.width);
            vec![name(1, row), name(0, column), number(Some((*value).into()))]
        })
    }
}

/// A plot that can be saved.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    pub unit: Unit,
    pub marks: Marks,
    /// Where a stretch of the time line begins, and its name.
    pub starts: Vec<(f64, String)>,
    /// Single points among the curves, each with its name beside it.
    pub points: Vec<(String, [f64; 2])>,
    /// Names of the places 0, 1, 2, ... of the x axis; empty where numbers stand there.
    pub names: Vec<String>,
}

impl Figure {
    /// Names and roles in the order of the legend.
    pub fn legend(&self) -> Vec<(&str, Role)> {
        match &self.marks {
            Marks::Curves(curves) => curves.iter().map(|curve| (curve.name.as_str(), curve.role)).collect(),
            Marks::Bars { bars, .. } => bars.iter().map(|bars| (bars.name.as_str(), bars.role)).collect(),
            Marks::Cells(_) => Vec::new(),
        }
    }

    /// The numbers behind the plot; shares stay shares.
    pub fn table(&self) -> Table {
        match &self.marks {
            Marks::Curves(curves) => {
                let banded = curves.iter().any(|curve| !curve.band.is_empty());
                let line = |name: &str, [x, y]: [f64; 2], band: &[[f64; 3]]| {
                    let place = self.name_of(x).map_or_else(|| number(Some(x)), str::to_owned);
                    let ends = band.iter().find(|[at, ..]| (at - x).abs() < 1e-9);
                    let ends = [ends.map(|[_, low, _]| *low), ends.map(|[.., high]| *high)].map(number);
                    let cells = [name.to_owned(), place, number(Some(y))];
                    cells.into_iter().chain(banded.then_some(ends).into_iter().flatten()).collect::<Vec<_>>()
                };
                let rows = curves.iter().flat_map(|curve| {
                    curve.stretches.iter().flatten().map(move |at| line(&curve.name, *at, &curve.band))
                });
                let points = self.points.iter().map(|(name, at)| line(name, *at, &[]));
                let head = ["curve", &self.x_label, &self.y_label, "lowest", "highest"];
                Table::new(&head[..if banded { 5 } else { 3 }], rows.chain(points))
            }
            Marks::Bars { groups, bars } => {
                let rows = groups.iter().enumerate().flat_map(|(at, group)| {
                    bars.iter().map(move |bars| {
                        vec![group.clone(), bars.name.clone(), number(bars.values.get(at).copied().flatten())]
                    })
                });
                Table::new(&["group", "bar", &self.y_label], rows)
            }
            Marks::Cells(cells) => Table::new(&[&self.y_label, &self.x_label, "value"], cells.rows()),
        }
    }

    /// The name of a place of the x axis, where places have names.
    pub fn name_of(&self, x: f64) -> Option<&str> {
        let at = (x.fract() == 0.0 && x >= 0.0).then_some(x as usize)?;
        self.names.get(at).map(String::as_str)
    }

    /// Both ends of the y axis, from the numbers alone.
    pub fn reach_up(&self) -> [f64; 2] {
        if self.unit == Unit::Percent {
            return [0.0, 1.0];
        }
        let (low, high) = match &self.marks {
            Marks::Curves(_) => ends(self.places().map(|[_, y]| y)),
            Marks::Bars { bars, .. } => ends(bars.iter().flat_map(|bars| bars.values.iter().flatten()).copied()),
            Marks::Cells(_) => (0.0, 1.0),
        };
        let from = axis_from(low.min(high), high);
        if high > from { [from, high + 0.05 * (high - from)] } else { [from, from + 1.0] }
    }

    /// Both ends of the x axis.
    pub fn reach_across(&self) -> [f64; 2] {
        let Marks::Curves(_) = &self.marks else {
            return [0.0, 1.0];
        };
        if !self.names.is_empty() {
            return [-0.4, self.names.len() as f64 - 0.6];
        }
        let (low, high) = ends(self.places().map(|[x, _]| x));
        let from = axis_from(low, high);
        if high > from { [from, high] } else { [from, from + 1.0] }
    }

    /// All points that are drawn.
    fn places(&self) -> impl Iterator<Item = [f64; 2]> + '_ {
        let curves = match &self.marks {
            Marks::Curves(curves) => curves.as_slice(),
            _ => &[],
        };
        let on_curves = curves.iter().flat_map(|curve| curve.stretches.iter().flatten()).copied();
        let in_bands = curves.iter().flat_map(|curve| &curve.band).flat_map(|[x, low, high]| [[*x, *low], [*x, *high]]);
        on_curves.chain(in_bands).chain(self.points.iter().map(|(_, at)| *at))
    }
}

fn ends(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let finite = values.filter(|value| value.is_finite());
    let (low, high) = finite.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    if low > high { (0.0, 0.0) } else { (low, high) }
}

/// An axis begins at zero unless all its values lie far from there.
fn axis_from(low: f64, high: f64) -> f64 {
    if low >= 0.0 && low < 0.5 * high {
        0.0
    } else if low == high {
        low.min(0.0)
    } else {
        low - 0.05 * (high - low)
    }
}

/// Round marks between two ends, at most eight of them.
pub fn ticks([from, to]: [f64; 2]) -> Vec<f64> {
    const MOST: f64 = 7.0;
    let span = to - from;
    let magnitude = 10_f64.powf((span / MOST).log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * magnitude);
    let step = steps.into_iter().find(|step| span / step <= MOST).unwrap_or(span);
    let (first, last) = ((from / step - 1e-9).ceil() as i64, (to / step + 1e-9).floor() as i64);
    (first..=last).map(|at| at as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_what_is_drawn() {
        let curve = Curve {
            name: "ASR".into(),
            role: Role::Attacked,
            stretches: vec![vec![[1.0, 0.1], [2.0, 0.9]], vec![[3.0, 0.05]]],
            band: Vec::new(),
        };
        let mut figure = Figure {
            title: "Rates".into(),
            x_label: "epochs".into(),
            y_label: "share".into(),
            unit: Unit::Percent,
            marks: Marks::Curves(vec![curve]),
            starts: Vec::new(),
            points: Vec::new(),
            names: Vec::new(),
        };
        let csv = "curve,epochs,share\nASR,1.000000,0.100000\nASR,2.000000,0.900000\nASR,3.000000,0.050000\n";
        assert_eq!(figure.table().csv(), csv);
        assert_eq!((figure.reach_across(), figure.reach_up()), ([0.0, 3.0], [0.0, 1.0]));

        let bars = Bars { name: "one".into(), role: Role::Clean, values: vec![Some(3.0), None] };
        figure.marks = Marks::Bars { groups: vec!["a".into(), "b".into()], bars: vec![bars] };
        figure.unit = Unit::Plain;
        assert_eq!(figure.table().csv(), "group,bar,share\na,one,3.000000\nb,one,\n");
        assert!(figure.reach_up()[1] > 3.0);
    }

    #[test]
    fn bands_and_named_places_are_in_the_table() {
        let curve = Curve {
            name: "ASR".into(),
            role: Role::Attacked,
            stretches: vec![vec![[0.0, 0.5], [1.0, 0.9]]],
            band: vec![[1.0, 0.8, 1.25]],
        };
        let figure = Figure {
            title: "Sweep".into(),
            x_label: "value".into(),
            y_label: "share".into(),
            unit: Unit::Plain,
            marks: Marks::Curves(vec![curve]),
            starts: Vec::new(),
            points: Vec::new(),
            names: vec!["1 %".into(), "2 %".into()],
        };
        let csv = "curve,value,share,lowest,highest\nASR,1 %,0.500000,,\nASR,2 %,0.900000,0.800000,1.250000\n";
        assert_eq!(figure.table().csv(), csv);
        assert_eq!(figure.reach_across(), [-0.4, 1.4]);
        assert!(figure.reach_up()[1] > 1.25, "the band is on the page");
    }

    #[test]
    fn cells_are_told_by_row_and_column() {
        let cells = Cells {
            width: 2,
            height: 1,
            values: [0.5, -1.0].into(),
            map: ColourMap::Signed { most: 1.0 },
            names: [vec!["a".into()], Vec::new()],
        };
        let figure = Figure {
            title: "Map".into(),
            x_label: "in".into(),
            y_label: "out".into(),
            unit: Unit::Plain,
            marks: Marks::Cells(cells),
            starts: Vec::new(),
            points: Vec::new(),
            names: Vec::new(),
        };
        assert_eq!(figure.table().csv(), "out,in,value\n0,a,0.500000\n0,1,-1.000000\n");
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks([0.0, 1.0]), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(ticks([0.0, 13.0]), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]);
        for end in [0.003, 0.7, 8.0, 99.0, 1e6] {
            let ticks = ticks([0.0, end]);
            assert!((4..=8).contains(&ticks.len()), "{end}: {ticks:?}");
            assert!(ticks.iter().all(|tick| *tick <= end * 1.000_001));
        }
    }
}
