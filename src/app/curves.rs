//! The numbers that a job has reported so far, kept for drawing: bounded, however long it trains.

use crate::experiment::measure;
use crate::run::event::MetricPoint;
use std::collections::BTreeMap;

/// Points kept per metric and phase; beyond that every second one goes.
const MOST: usize = 4096;

/// A stretch of the time line.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseSpan {
    pub id: String,
    /// Where it starts on the common axis, in epochs.
    pub start: f64,
}

/// All curves of one job on one axis: epochs, phase after phase; and beside them what methods watch in themselves.
#[derive(Debug, Default, Clone)]
pub struct Curves {
    phases: Vec<PhaseSpan>,
    end: f64,
    series: BTreeMap<(String, usize), Series>,
    watched: Vec<Watched>,
}

/// What a method watches in one of its phases, on an axis of its own.
#[derive(Debug, Clone)]
pub struct Watched {
    pub phase: String,
    /// Where the common axis stood when it began.
    start: f64,
    series: BTreeMap<&'static str, Series>,
}

impl Watched {
    /// Names of what is measured here.
    pub fn measures(&self) -> impl Iterator<Item = &'static str> {
        self.series.keys().copied()
    }

    /// The course of one of them; the newest point is always in.
    pub fn points(&self, measure: &str) -> Vec<[f64; 2]> {
        self.series.get(measure).map(Series::all).unwrap_or_default()
    }
}

#[derive(Debug, Default, Clone)]
struct Series {
    points: Vec<[f64; 2]>,
    /// Only every `stride`-th arriving point is kept.
    stride: usize,
    skipped: usize,
    newest: Option<[f64; 2]>,
}

impl Series {
    fn all(&self) -> Vec<[f64; 2]> {
        let mut points = self.points.clone();
        points.extend(self.newest.filter(|newest| self.points.last() != Some(newest)));
        points
    }

    fn until(&self, x: f64) -> Option<Series> {
        let count = self.points.partition_point(|point| point[0] <= x);
        let points = self.points[..count].to_vec();
        let newest = self.newest.filter(|newest| newest[0] <= x).or(points.last().copied());
        newest.is_some().then_some(Series { points, newest, stride: self.stride, skipped: 0 })
    }

    fn push(&mut self, point: [f64; 2]) {
        // A continued run is read from its folder while its newest points may also arrive as events.
        if self.newest.is_some_and(|newest| point[0] <= newest[0]) {
            return;
        }
        self.newest = Some(point);
        self.skipped += 1;
        if self.skipped < self.stride.max(1) {
            return;
        }
        self.skipped = 0;
        self.points.push(point);
        if self.points.len() > MOST {
            let mut index = 0;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.stride = self.stride.max(1) * 2;
        }
    }
}

impl Curves {
    pub fn push(&mut self, point: &MetricPoint) {
        if let Some(measure) = measure::find(&point.metric) {
            return self.watch(measure.id, point);
        }
        let phase = match self.phases.iter().position(|span| span.id == point.phase) {
            Some(phase) => phase,
            None => {
                self.phases.push(PhaseSpan { id: point.phase.clone(), start: self.end });
                self.phases.len() - 1
            }
        };
        let x = self.phases[phase].start + point.epoch;
        // A value that is no number has no place on the axis; the problem card tells it.
        if !x.is_finite() || !point.value.is_finite() {
            return;
        }
        self.end = self.end.max(x);
        self.series.entry((point.metric.clone(), phase)).or_default().push([x, point.value]);
    }

    fn watch(&mut self, measure: &'static str, point: &MetricPoint) {
        if !point.epoch.is_finite() || !point.value.is_finite() {
            return;
        }
        let known = self.watched.iter().position(|watched| watched.phase == point.phase);
        let index = known.unwrap_or_else(|| {
            let started = self.phases.iter().find(|span| span.id == point.phase);
            let start = started.map_or(self.end, |span| span.start);
            self.watched.push(Watched { phase: point.phase.clone(), start, series: BTreeMap::new() });
            self.watched.len() - 1
        });
        self.watched[index].series.entry(measure).or_default().push([point.epoch, point.value]);
    }

    /// What methods watch in themselves, phase by phase.
    pub fn watched(&self) -> &[Watched] {
        &self.watched
    }

    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    pub fn phases(&self) -> &[PhaseSpan] {
        &self.phases
    }

    /// Epochs so far.
    pub fn end(&self) -> f64 {
        self.end
    }

    /// The same curves as they were at this epoch of the common axis.
    pub fn until(&self, epoch: f64) -> Curves {
        if epoch >= self.end {
            return self.clone();
        }
        let cut = |(key, series): (&(String, usize), &Series)| Some((key.clone(), series.until(epoch)?));
        // A phase without a place on the common axis was over before the next one began.
        let watched = |watched: &Watched| {
            let has_place = self.phases.iter().any(|span| span.id == watched.phase);
            let until = if has_place { epoch - watched.start } else { f64::INFINITY };
            let series =
                watched.series.iter().filter_map(|(name, series)| Some((*name, series.until(until)?))).collect();
            Watched { series, ..watched.clone() }
        };
        Curves {
            phases: self.phases.iter().filter(|span| span.start <= epoch).cloned().collect(),
            end: epoch.max(0.0),
            series: self.series.iter().filter_map(cut).collect(),
            watched: self
                .watched
                .iter()
                .filter(|watched| watched.start <= epoch)
                .map(watched)
                .filter(|watched| !watched.series.is_empty())
                .collect(),
        }
    }

    /// The stretches of one metric, one per phase in which it was measured; the newest point is always in.
    pub fn stretches(&self, metric: &str) -> Vec<Vec<[f64; 2]>> {
        let of_metric = self.series.iter().filter(|((name, _), _)| name == metric);
        of_metric.map(|(_, series)| series.all()).collect()
    }

    /// The last value of a metric.
    pub fn last(&self, metric: &str) -> Option<f64> {
        let mut of_metric = self.series.iter().filter(|((name, _), _)| name == metric);
        of_metric.next_back().and_then(|(_, series)| series.newest).map(|[_, value]| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(phase: &str, metric: &str, epoch: f64, value: f64) -> MetricPoint {
        MetricPoint { phase: phase.into(), metric: metric.into(), epoch, value }
    }

    #[test]
    fn phases_follow_each_other_on_one_axis() {
        let mut curves = Curves::default();
        for epoch in 1..=8 {
            curves.push(&point("attack", "asr", f64::from(epoch), 0.9));
        }
        curves.push(&point("npd", "asr", 1.0, 0.2));
        assert_eq!(
            curves.phases(),
            [("attack", 0.0), ("npd", 8.0)].map(|(id, start)| PhaseSpan { id: id.into(), start })
        );
        assert_eq!(curves.stretches("asr")[1], [[9.0, 0.2]]);
        assert_eq!(curves.last("asr"), Some(0.2));
        assert_eq!(curves.last("loss"), None);
    }

    #[test]
    fn long_trainings_stay_small_and_keep_the_newest() {
        let mut curves = Curves::default();
        for step in 0..100_000 {
            curves.push(&point("attack", "loss", f64::from(step), f64::from(step)));
        }
        let loss = &curves.stretches("loss")[0];
        assert!(loss.len() <= MOST + 1, "{} points", loss.len());
        assert_eq!(loss[0], [0.0, 0.0]);
        assert_eq!(loss.last(), Some(&[99_999.0, 99_999.0]));
        assert!(loss.is_sorted_by(|a, b| a[0] < b[0]));
    }

    #[test]
    fn looking_back_shows_what_was_known_then() {
        let mut curves = Curves::default();
        for (phase, epochs) in [("attack", 3), ("npd", 2)] {
            for epoch in 1..=epochs {
                curves.push(&point(phase, "acc", f64::from(epoch), f64::from(epoch)));
            }
        }
        let then = curves.until(2.5);
        assert_eq!((then.end(), then.last("acc"), then.phases().len()), (2.5, Some(2.0), 1));
        assert_eq!(then.stretches("acc"), [[[1.0, 1.0], [2.0, 2.0]]]);
        assert_eq!(curves.until(4.0).stretches("acc")[1], [[4.0, 1.0]]);
        assert_eq!(curves.until(f64::INFINITY).stretches("acc"), curves.stretches("acc"));
        assert!(curves.until(0.5).is_empty());
    }

    #[test]
    fn what_a_method_watches_takes_no_room_on_the_common_axis() {
        let mut curves = Curves::default();
        curves.push(&point("attack", "acc", 8.0, 0.9));
        for cut in 0..40 {
            curves.push(&point("fp/cut", "clean-accuracy", f64::from(cut), 0.9));
        }
        for epoch in [1.0, 2.0] {
            curves.push(&point("fp", "acc", epoch, 0.8));
            curves.push(&point("fp", "gradient-length", epoch, 3.0));
        }
        assert_eq!((curves.end(), curves.phases().len(), curves.watched().len()), (10.0, 2, 2));
        assert_eq!(curves.watched()[0].points("clean-accuracy").len(), 40);
        assert_eq!(curves.watched()[1].points("gradient-length"), [[1.0, 3.0], [2.0, 3.0]]);
        let then = curves.until(9.0);
        let lengths = |curves: &Curves| -> Vec<usize> {
            curves.watched().iter().map(|w| w.measures().map(|name| w.points(name).len()).sum()).collect()
        };
        assert_eq!((lengths(&then), lengths(&curves.until(7.0))), (vec![40, 1], vec![]));
    }

    #[test]
    fn a_point_that_comes_twice_is_drawn_once() {
        let mut curves = Curves::default();
        for epoch in [1.0, 2.0, 2.0, 1.0, 3.0] {
            curves.push(&point("attack", "acc", epoch, epoch));
        }
        assert_eq!(curves.stretches("acc")[0], [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]);
    }

    #[test]
    fn values_that_are_no_numbers_are_left_out() {
        let mut curves = Curves::default();
        curves.push(&point("attack", "loss", 1.0, f64::NAN));
        curves.push(&point("attack", "loss", f64::INFINITY, 1.0));
        assert!(curves.is_empty());
    }
}
