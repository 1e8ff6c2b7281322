//! What stays the same while a point is dragged along the trade-off: the curve, the scales, who is followed.

use super::snapshot::BINS;
use crate::run::fair::{Dial, FairFit, Figures, Rows, TradeOff, number};
use std::sync::Arc;

/// The curve is drawn in so many pieces; the arrow keys go one piece.
pub const STEPS: usize = 100;
/// People whose predictions are followed: half of them rise most, half of them fall most.
const FOLLOWED: usize = 6;
/// Features that are told of each person.
const TOLD: usize = 3;
/// Groups that are drawn; the smallest of more are left out of pictures, never of numbers.
pub const MOST_DRAWN: usize = 5;

/// The rows that are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Part {
    /// New data: rows that were not learnt from.
    #[default]
    Test,
    Train,
}

impl Part {
    pub const ALL: [Part; 2] = [Part::Test, Part::Train];

    pub fn name(self) -> &'static str {
        match self {
            Part::Test => "New data",
            Part::Train => "Training",
        }
    }

    pub fn rows(self, fit: &FairFit) -> &Rows {
        match self {
            Part::Test => &fit.test,
            Part::Train => &fit.train,
        }
    }
}

/// One sensitive attribute: whose rows are whose.
#[derive(Debug, Clone)]
pub struct Attribute {
    pub name: String,
    /// Names of its values that occur.
    pub values: Vec<String>,
    /// For each value the fit's groups that belong to it.
    pub groups: Vec<Vec<usize>>,
    /// For each of the fit's groups the place of its value among `values`.
    pub value_of: Vec<usize>,
    /// The drawn values, the largest groups, in the order of `values`.
    pub drawn: Vec<usize>,
    /// Highest density along the whole curve, so that the scale stands still.
    pub densest: f64,
}

/// A person who is followed.
#[derive(Debug, Clone)]
pub struct Person {
    /// Index into the rows of the part.
    pub index: usize,
    /// Row of the table, counted from 1.
    pub row: u32,
    pub group: String,
    /// Index of the value of the first attribute: the colour.
    pub value: usize,
    pub target: f64,
    /// `lsat 37, gender female`
    pub told: String,
}

/// A fit with everything that does not depend on where the point stands.
#[derive(Debug, Clone)]
pub struct Course {
    pub fit: Arc<FairFit>,
    pub part: Part,
    /// The kind of dial; its number means nothing.
    pub kind: Dial,
    /// Typical error and gap at `STEPS + 1` even positions.
    pub test: Vec<[f64; 2]>,
    pub train: Vec<[f64; 2]>,
    /// Standard deviation of both between the folds, at the same positions; empty without folds.
    pub spread: Vec<[f64; 2]>,
    pub attributes: Vec<Attribute>,
    pub people: Vec<Person>,
    /// Features, those first whose influence the constraint changes most.
    pub order: Vec<usize>,
    /// Predictions and targets lie between these at every point of the curve.
    pub range: [f64; 2],
}

impl Course {
    pub fn new(fit: Arc<FairFit>, part: Part, kind: Dial) -> Self {
        let full = vec![1.0; fit.directions()];
        let rows = part.rows(&fit);
        let mut course = Self {
            part,
            kind,
            test: places(&fit.trade, kind, |point| &point.test),
            train: places(&fit.trade, kind, |point| &point.train),
            spread: spread(&fit, kind),
            attributes: (0..fit.attributes.len()).filter_map(|at| attribute(&fit, part, at)).collect(),
            people: Vec::new(),
            order: order(&fit, &full),
            range: range(rows, &full),
            fit: fit.clone(),
        };
        course.people = people(&course, rows, &full);
        for at in 0..course.attributes.len() {
            let densest = [0.0, 0.5, 1.0].into_iter().map(|position| course.densest_at(at, position));
            course.attributes[at].densest = densest.fold(0.0, f64::max);
        }
        course
    }

    pub fn rows(&self) -> &Rows {
        self.part.rows(&self.fit)
    }

    pub fn dial(&self, position: f64) -> Dial {
        self.kind.at(position, &self.fit.trade.support)
    }

    pub fn weights(&self, position: f64) -> Vec<f64> {
        self.dial(position).weights(&self.fit.trade.support)
    }

    /// Figures of the part that is looked at.
    pub fn figures<'p>(&self, point: &'p crate::run::fair::Point) -> &'p Figures {
        match self.part {
            Part::Test => &point.test,
            Part::Train => &point.train,
        }
    }

    /// Error and gap at a position, between two places of the curve.
    pub fn place(&self, curve: &[[f64; 2]], position: f64) -> [f64; 2] {
        let along = position.clamp(0.0, 1.0) * STEPS as f64;
        let at = (along as usize).min(curve.len().saturating_sub(2));
        match curve.get(at).zip(curve.get(at + 1)) {
            Some((from, to)) => [0, 1].map(|axis| from[axis] + (to[axis] - from[axis]) * (along - at as f64)),
            None => [0.0; 2],
        }
    }

    fn densest_at(&self, attribute: usize, position: f64) -> f64 {
        let predictions = self.rows().predict(&self.weights(position));
        let densities = super::snapshot::densities(self, attribute, &predictions);
        densities.iter().flat_map(|density| density.iter().copied()).fold(0.0, f64::max)
    }

    /// Middle of a bin of the densities.
    pub fn bin(&self, at: usize) -> f64 {
        self.range[0] + (self.range[1] - self.range[0]) * (at as f64 + 0.5) / BINS as f64
    }
}

/// Typical error and gap of one part along the whole curve.
fn places(
    trade: &TradeOff,
    kind: Dial,
    part: impl for<'p> Fn(&'p crate::run::fair::Point) -> &'p Figures,
) -> Vec<[f64; 2]> {
    let at = |step: usize| {
        let point = trade.point(kind.at(step as f64 / STEPS as f64, &trade.support));
        let figures = part(&point);
        [figures.rmse(), figures.gap]
    };
    (0..=STEPS).map(at).collect()
}

/// How far the folds lie apart at each position.
fn spread(fit: &FairFit, kind: Dial) -> Vec<[f64; 2]> {
    if fit.folds.len() < 2 {
        return Vec::new();
    }
    let curves: Vec<_> = fit.folds.iter().map(|fold| places(fold, kind, |point| &point.test)).collect();
    let deviation = |step: usize, axis: usize| {
        let n = curves.len() as f64;
        let mean = curves.iter().map(|curve| curve[step][axis]).sum::<f64>() / n;
        let square = curves.iter().map(|curve| (curve[step][axis] - mean).powi(2)).sum::<f64>();
        (square / (n - 1.0)).sqrt()
    };
    (0..=STEPS).map(|step| [deviation(step, 0), deviation(step, 1)]).collect()
}

fn attribute(fit: &FairFit, part: Part, at: usize) -> Option<Attribute> {
    let known = fit.attributes.get(at)?;
    let all = fit.groups_of(at);
    let occurs = |(_, groups): &(usize, &Vec<usize>)| !groups.is_empty();
    let occurring: Vec<_> = all.iter().enumerate().filter(occurs).collect();
    let values: Vec<String> =
        occurring.iter().map(|(value, _)| known.values.get(*value).cloned().unwrap_or_default()).collect();
    let groups: Vec<Vec<usize>> = occurring.into_iter().map(|(_, groups)| groups.clone()).collect();
    let place = |group: usize| groups.iter().position(|of| of.contains(&group)).unwrap_or(0);
    let value_of: Vec<usize> = (0..fit.groups.len()).map(place).collect();
    let mut sizes = vec![0_usize; values.len()];
    for &group in &part.rows(fit).group {
        if let Some(size) = value_of.get(group as usize).and_then(|&value| sizes.get_mut(value)) {
            *size += 1;
        }
    }
    let mut drawn: Vec<usize> = (0..values.len()).filter(|&value| sizes[value] > 1).collect();
    drawn.sort_by_key(|&value| std::cmp::Reverse(sizes[value]));
    drawn.truncate(MOST_DRAWN);
    drawn.sort_unstable();
    Some(Attribute { name: known.name.clone(), values, groups, value_of, drawn, densest: 0.0 })
}

/// The features whose influence changes most between no constraint and full fairness come first.
fn order(fit: &FairFit, full: &[f64]) -> Vec<usize> {
    let changes: Vec<f64> =
        fit.features.iter().map(|feature| (feature.trend(full) - feature.trend(&[])).abs()).collect();
    let mut order: Vec<usize> = (0..changes.len()).collect();
    order.sort_by(|&a, &b| changes[b].total_cmp(&changes[a]));
    order
}

fn range(rows: &Rows, full: &[f64]) -> [f64; 2] {
    let ends = [rows.plain.clone(), rows.predict(full)];
    let finite = || ends.iter().flatten().copied().filter(|value| value.is_finite());
    let (low, high) = finite().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    if low >= high {
        let middle = if low.is_finite() && low < f64::MAX { low } else { 0.0 };
        return [middle - 0.5, middle + 0.5];
    }
    // Room for the tails of the smoothed densities.
    let margin = 0.12 * (high - low);
    [low - margin, high + margin]
}

/// Who rises and who falls most at full fairness; the same people are followed along the whole curve.
fn people(course: &Course, rows: &Rows, full: &[f64]) -> Vec<Person> {
    let changes = rows.changes(full);
    let mut order: Vec<usize> = (0..changes.len()).collect();
    order.sort_by(|&a, &b| changes[b].total_cmp(&changes[a]));
    let half = FOLLOWED / 2;
    let chosen: Vec<usize> = if order.len() <= FOLLOWED {
        order
    } else {
        order[..half].iter().chain(&order[order.len() - half..]).copied().collect()
    };
    let fit = &course.fit;
    let mut telling: Vec<usize> = (0..fit.features.len()).collect();
    telling.sort_by(|&a, &b| fit.features[b].proxy.abs().total_cmp(&fit.features[a].proxy.abs()));
    telling.truncate(TOLD);
    let person = |index: usize| {
        let group = rows.group.get(index).copied().unwrap_or_default() as usize;
        let values = rows.values_of(index);
        let said = telling.iter().filter_map(|&at| Some(told(&fit.features[at], *values.get(at)?)));
        Person {
            index,
            row: rows.row.get(index).copied().unwrap_or_default() + 1,
            group: fit.groups.get(group).map(|group| group.name.clone()).unwrap_or_default(),
            value: course.attributes.first().and_then(|of| of.value_of.get(group).copied()).unwrap_or_default(),
            target: rows.target.get(index).copied().unwrap_or_default(),
            told: said.collect::<Vec<_>>().join(", "),
        }
    };
    chosen.into_iter().map(person).collect()
}

/// A feature of a person: `lsat 37`.
fn told(feature: &crate::run::fair::Feature, value: f32) -> String {
    let value = match feature.levels.get(value as usize) {
        _ if value.is_nan() => "unknown".to_owned(),
        Some(level) => level.clone(),
        None => number(f64::from(value)),
    };
    format!("{} {value}", feature.name)
}
