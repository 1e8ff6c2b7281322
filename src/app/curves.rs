//! The numbers that a job has reported so far, kept for drawing: bounded, however long it trains.

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

/// All curves of one job on one axis: epochs, phase after phase.
#[derive(Debug, Default, Clone)]
pub struct Curves {
    phases: Vec<PhaseSpan>,
    end: f64,
    series: BTreeMap<(String, usize), Series>,
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
        let cut = |(key, series): (&(String, usize), &Series)| {
            let count = series.points.partition_point(|point| point[0] <= epoch);
            let points = series.points[..count].to_vec();
            let newest = series.newest.filter(|newest| newest[0] <= epoch).or(points.last().copied());
            newest.is_some().then(|| (key.clone(), Series { points, newest, stride: series.stride, skipped: 0 }))
        };
        Curves {
            phases: self.phases.iter().filter(|span| span.start <= epoch).cloned().collect(),
            end: epoch.max(0.0),
            series: self.series.iter().filter_map(cut).collect(),
        }
    }

    /// The stretches of one metric, one per phase in which it was measured; the newest point is always in.
    pub fn stretches(&self, metric: &str) -> Vec<Vec<[f64; 2]>> {
        let of_metric = self.series.iter().filter(|((name, _), _)| name == metric);
        of_metric
            .map(|(_, series)| {
                let mut points = series.points.clone();
                if let Some(newest) = series.newest.filter(|newest| points.last() != Some(newest)) {
                    points.push(newest);
                }
                points
            })
            .collect()
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
