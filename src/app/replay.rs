//! A recorded run played again: the same screen, faster or slower, with scrubbing. No engine is needed for it.
//!
//! A run records how long each of its phases took and when each epoch was over: that is the clock of a replay. Where the
//! epochs were not timed, the seconds of their phase are spread evenly; a phase without any record takes as long per epoch
//! as the others.

use super::job::{JobState, JobView};
use super::views::moment_words;
use crate::run::ResultRow;
use crate::run::event::{Confusion, Ending};

/// How many times faster than the recording it may play.
pub const SPEEDS: [f64; 6] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0];
/// A recording that is longer than this begins faster.
const PATIENCE_S: f64 = 60.0;
/// Seconds per epoch where nothing is known.
const USUAL_EPOCH_S: f64 = 1.0;

/// What can be done to a replay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ReplayChange {
    /// Plays the finished run on Watch from its beginning.
    Begin,
    /// Shows the finished run again.
    Leave,
    Toggle,
    /// One of `SPEEDS`.
    Speed(f64),
    /// To this second of the recording.
    Seek(f64),
}

/// A stretch of the common axis: a phase, or one timed epoch of it.
#[derive(Debug, Clone, PartialEq)]
struct Leg {
    from: f64,
    to: f64,
    seconds: f64,
}

/// A run as it was at a moment of its recording.
#[derive(Debug, Clone)]
pub struct Replay {
    legs: Vec<Leg>,
    /// Seconds of the recording.
    at: f64,
    speed: f64,
    playing: bool,
    /// The window's clock at the last step.
    since: Option<f64>,
    view: Box<JobView>,
}

impl Replay {
    /// Nothing to play while the run goes on, or where it recorded no course.
    pub fn of(whole: &JobView) -> Option<Self> {
        if whole.is_live() || whole.curves.end() <= 0.0 {
            return None;
        }
        let legs = legs(whole);
        let seconds: f64 = legs.iter().map(|leg| leg.seconds).sum();
        let speed = SPEEDS.into_iter().find(|speed| seconds / speed <= PATIENCE_S).unwrap_or(50.0);
        let mut replay =
            Self { legs, at: 0.0, speed, playing: true, since: None, view: Box::new(JobView::new(None, "")) };
        replay.look(whole);
        Some(replay)
    }

    /// The run as it was at this moment.
    pub fn view(&self) -> &JobView {
        &self.view
    }

    pub fn is_playing(&self) -> bool {
        self.playing
    }

    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// Seconds of the recording: now, and in all.
    pub fn clock(&self) -> (f64, f64) {
        (self.at, self.legs.iter().map(|leg| leg.seconds).sum())
    }

    /// Where it stands, in words.
    pub fn moment(&self) -> String {
        match self.view.glimpses.last() {
            Some(glimpse) => moment_words(&glimpse.confusion),
            None => format!("epoch {:.1}", self.epoch()),
        }
    }

    pub(super) fn change(&mut self, change: ReplayChange, whole: &JobView) {
        match change {
            ReplayChange::Toggle => {
                if self.at >= self.clock().1 {
                    self.seek(0.0, whole);
                }
                (self.playing, self.since) = (!self.playing, None);
            }
            ReplayChange::Speed(speed) => self.speed = speed.clamp(SPEEDS[0], SPEEDS[SPEEDS.len() - 1]),
            ReplayChange::Seek(seconds) => self.seek(seconds, whole),
            ReplayChange::Begin | ReplayChange::Leave => {}
        }
    }

    /// To the next or the previous whole epoch.
    pub(super) fn turn(&mut self, by: f64, whole: &JobView) {
        self.playing = false;
        let epoch = if by > 0.0 { (self.epoch() + 1e-6).floor() + by } else { (self.epoch() - 1e-6).ceil() + by };
        self.seek(self.seconds_at(epoch), whole);
    }

    /// Lets time pass; true while it plays and must be drawn again.
    pub(super) fn tick(&mut self, now: f64, whole: &JobView) -> bool {
        if !self.playing {
            return false;
        }
        let passed = now - self.since.unwrap_or(now);
        self.since = Some(now);
        if passed > 0.0 {
            self.seek(self.at + passed * self.speed, whole);
            self.playing = self.at < self.clock().1;
        }
        self.playing
    }

    fn seek(&mut self, seconds: f64, whole: &JobView) {
        self.at = seconds.clamp(0.0, self.clock().1);
        self.look(whole);
    }

    /// Epochs on the common axis.
    fn epoch(&self) -> f64 {
        let mut left = self.at;
        for leg in &self.legs {
            if left < leg.seconds {
                return leg.from + (leg.to - leg.from) * left / leg.seconds;
            }
            left -= leg.seconds;
        }
        self.legs.last().map_or(0.0, |leg| leg.to)
    }

    fn seconds_at(&self, epoch: f64) -> f64 {
        let of = |leg: &Leg| {
            let share = if leg.to > leg.from { (epoch - leg.from) / (leg.to - leg.from) } else { 1.0 };
            leg.seconds * share.clamp(0.0, 1.0)
        };
        self.legs.iter().map(of).sum()
    }

    /// Makes the view of this moment.
    fn look(&mut self, whole: &JobView) {
        let over = self.at >= self.clock().1;
        let epoch = if over { f64::INFINITY } else { self.epoch() };
        let phases = whole.curves.phases();
        let phase = phases.iter().rposition(|span| span.start <= epoch).unwrap_or(0);
        let ended = |name: &str| {
            let next = phases.iter().skip_while(|span| span.id != name).nth(1);
            next.map_or(over, |next| next.start <= epoch)
        };
        let seen =
            |confusion: &Confusion| match (confusion.epoch, phases.iter().find(|span| span.id == confusion.phase)) {
                (Some(at), Some(span)) => span.start + at <= epoch + 1e-9,
                (None, Some(_)) => ended(&confusion.phase),
                // A phase without epochs belongs to the end.
                (_, None) => over,
            };
        *self.view = JobView {
            experiment: whole.experiment.clone(),
            folder: whole.folder.clone(),
            device: whole.device.clone(),
            threads: whole.threads,
            state: if over { whole.state.clone() } else { JobState::Running },
            phase_names: phases.iter().map(|span| span.id.clone()).collect(),
            phase,
            phases: phases.len(),
            curves: whole.curves.until(epoch),
            glimpses: whole.glimpses.iter().filter(|glimpse| seen(&glimpse.confusion)).cloned().collect(),
            results: whole
                .results
                .iter()
                .take_while(|row| over || phase_of(row).is_some_and(&ended))
                .cloned()
                .collect(),
            pictures: whole.pictures.clone(),
            ..JobView::new(None, whole.title.clone())
        };
        if matches!(self.view.state, JobState::Ended(Ending::Failed(_))) {
            self.view.warnings.clone_from(&whole.warnings);
        }
    }
}

/// The phase whose model a row measures.
fn phase_of(row: &ResultRow) -> Option<&str> {
    let name = row.weights.as_ref()?.file_stem()?.to_str()?.trim_end_matches("-stopped");
    Some(if name == "attacked" { "attack" } else { name })
}

fn legs(whole: &JobView) -> Vec<Leg> {
    let (curves, results) = (&whole.curves, &whole.results);
    let phases = curves.phases();
    let ends = phases.iter().skip(1).map(|span| span.start).chain([curves.end()]);
    let spans: Vec<_> = phases.iter().zip(ends).map(|(span, end)| (span.id.as_str(), span.start, end)).collect();
    let known = |name: &str| {
        let row = results.iter().find(|row| phase_of(row) == Some(name))?;
        (row.seconds > 0.0).then_some(row.seconds)
    };
    let (seconds, epochs) = spans
        .iter()
        .filter_map(|&(name, from, to)| Some((known(name)?, to - from)))
        .fold((0.0, 0.0), |(all, epochs), (seconds, of)| (all + seconds, epochs + of));
    let usual = if epochs > 0.0 { seconds / epochs } else { USUAL_EPOCH_S };
    let of_phase = |&(name, from, to): &(&str, f64, f64)| {
        let timed = timed(whole, name, [from, to], known(name));
        let even = || vec![Leg { from, to, seconds: known(name).unwrap_or((to - from) * usual).max(1e-3) }];
        if timed.is_empty() { even() } else { timed }
    };
    spans.iter().flat_map(of_phase).collect()
}

/// The epochs of a phase with the seconds that each of them took; nothing where fewer than two of them were timed.
fn timed(whole: &JobView, phase: &str, [from, to]: [f64; 2], all: Option<f64>) -> Vec<Leg> {
    let of_phase = whole.glimpses.iter().filter(|glimpse| glimpse.confusion.phase == phase);
    let mut clock: Vec<[f64; 2]> =
        of_phase.filter_map(|glimpse| Some([from + glimpse.confusion.epoch?, glimpse.seconds?])).collect();
    clock.retain(|[at, _]| *at > from && *at <= to + 1e-9);
    clock.sort_by(|a, b| a[0].total_cmp(&b[0]));
    // A run that was taken up again began to count anew: such an epoch took as long as the others.
    let lasted = |pair: &[[f64; 2]]| Some(pair[1][1] - pair[0][1]).filter(|seconds| *seconds > 0.0);
    let paces: Vec<f64> =
        clock.windows(2).filter_map(|pair| Some(lasted(pair)? / (pair[1][0] - pair[0][0]).max(1e-9))).collect();
    if paces.is_empty() {
        return Vec::new();
    }
    let pace = paces.iter().sum::<f64>() / paces.len() as f64;
    let rest: f64 = clock.windows(2).filter_map(lasted).sum();
    let usual = (clock[0][0] - from) * pace;
    // What the table says of the whole phase and the others have not taken belongs to the first epoch.
    let first = all.map(|all| all - rest).filter(|first| *first > 0.0 && *first < 4.0 * usual).unwrap_or(usual);
    let mut legs = vec![Leg { from, to: clock[0][0], seconds: first.max(1e-3) }];
    for pair in clock.windows(2) {
        let (from, to) = (pair[0][0], pair[1][0]);
        legs.push(Leg { from, to, seconds: lasted(pair).unwrap_or((to - from) * pace).max(1e-3) });
    }
    let last = clock[clock.len() - 1][0];
    if last < to - 1e-9 {
        legs.push(Leg { from: last, to, seconds: ((to - last) * pace).max(1e-3) });
    }
    legs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Scores;
    use crate::run::event::{Glimpse, MetricPoint};
    use std::sync::Arc;

    /// Four epochs of attack in 40 s, two of repair in 10 s.
    fn recorded() -> JobView {
        let mut job = JobView { state: JobState::Ended(Ending::Done), ..JobView::new(None, "recorded") };
        for (phase, epochs, asr) in [("attack", 4, 0.9), ("npd", 2, 0.1)] {
            for epoch in 1..=epochs {
                let epoch = f64::from(epoch);
                job.curves.push(&MetricPoint { phase: phase.into(), metric: "asr".into(), epoch, value: asr });
                let confusion = Confusion { phase: phase.into(), epoch: Some(epoch), ..Confusion::default() };
                job.glimpses.push(Arc::new(Glimpse { confusion, pictures: Vec::new(), seconds: None }));
            }
            let confusion = Confusion { phase: phase.into(), ..Confusion::default() };
            job.glimpses.push(Arc::new(Glimpse { confusion, pictures: Vec::new(), seconds: None }));
        }
        let row = |title: &str, file: &str, asr, seconds| ResultRow {
            title: title.into(),
            weights: Some(format!("weights/{file}.safetensors").into()),
            scores: Scores { acc: 0.9, asr: Some(asr), ..Scores::default() },
            seconds,
            ..ResultRow::default()
        };
        job.results = vec![row("no defense", "attacked", 0.9, 40.0), row("NPD", "npd", 0.1, 10.0)];
        job
    }

    #[test]
    fn time_runs_as_it_was_recorded_and_the_run_grows() {
        let whole = recorded();
        let mut replay = Replay::of(&whole).expect("a course");
        assert_eq!((replay.clock(), replay.speed()), ((0.0, 50.0), 1.0));
        assert!(replay.view().curves.is_empty() && replay.view().results.is_empty());
        assert!(replay.tick(100.0, &whole), "the first frame only takes the time");
        assert!(replay.tick(120.0, &whole));
        assert_eq!((replay.clock().0, replay.epoch()), (20.0, 2.0));
        let view = replay.view();
        assert_eq!((view.curves.stretches("asr")[0].len(), view.glimpses.len(), view.results.len()), (2, 2, 0));
        assert_eq!((view.status(), replay.moment()), ("attack (1 of 2)".to_owned(), "attack, epoch 2".to_owned()));

        replay.change(ReplayChange::Speed(5.0), &whole);
        assert!(replay.tick(125.0, &whole));
        assert_eq!((replay.clock().0, replay.epoch()), (45.0, 5.0));
        let view = replay.view();
        // The attack is over: its last measurement and its row are there.
        assert_eq!((view.glimpses.len(), view.results.len(), view.phase), (6, 1, 1));
        assert!(!replay.tick(200.0, &whole), "it ends by itself");
        assert_eq!(replay.view().state, JobState::Ended(Ending::Done));
        assert_eq!(replay.view().results, whole.results);
        assert_eq!(replay.view().curves.last("asr"), Some(0.1));
    }

    /// The same course with a slow second epoch, taken up again before the fourth.
    fn with_clock() -> JobView {
        let mut whole = recorded();
        let clock = [("attack", 1.0, 5.0), ("attack", 2.0, 25.0), ("attack", 3.0, 30.0), ("attack", 4.0, 4.0)];
        whole.glimpses = whole
            .glimpses
            .iter()
            .map(|glimpse| {
                let (phase, epoch) = (&glimpse.confusion.phase, glimpse.confusion.epoch);
                let timed = clock.iter().find(|(name, at, _)| name == phase && Some(*at) == epoch);
                Arc::new(Glimpse { seconds: timed.map(|(.., seconds)| *seconds), ..(**glimpse).clone() })
            })
            .collect();
        whole
    }

    #[test]
    fn epochs_take_as_long_as_they_took() {
        let whole = with_clock();
        let mut replay = Replay::of(&whole).expect("a course");
        // 40 s in all: 20 and 5 for two epochs, 12.5 for the one after the interruption, the rest for the first.
        let seconds: Vec<f64> = replay.legs.iter().map(|leg| leg.seconds).collect();
        assert_eq!(seconds, [15.0, 20.0, 5.0, 12.5, 10.0]);
        replay.change(ReplayChange::Seek(35.0), &whole);
        assert_eq!((replay.epoch(), replay.moment().as_str()), (2.0, "attack, epoch 2"));
        replay.turn(1.0, &whole);
        assert_eq!((replay.clock().0, replay.epoch()), (40.0, 3.0));
        assert!(replay.view().results.is_empty(), "the attack is not over");
        replay.change(ReplayChange::Seek(52.5), &whole);
        assert_eq!(replay.view().results.len(), 1);
    }

    #[test]
    fn what_is_paused_stays_and_what_ended_begins_again() {
        let whole = recorded();
        let mut replay = Replay::of(&whole).expect("a course");
        replay.tick(0.0, &whole);
        replay.change(ReplayChange::Toggle, &whole);
        assert!(!replay.tick(30.0, &whole));
        assert_eq!(replay.clock().0, 0.0);
        replay.change(ReplayChange::Seek(1e9), &whole);
        assert_eq!(replay.clock(), (50.0, 50.0));
        replay.turn(-1.0, &whole);
        assert_eq!((replay.epoch(), replay.view().results.len()), (5.0, 1));
        replay.turn(1.0, &whole);
        replay.change(ReplayChange::Toggle, &whole);
        assert_eq!((replay.clock().0, replay.is_playing()), (0.0, true));
    }

    #[test]
    fn without_recorded_seconds_every_epoch_is_alike() {
        let mut whole = recorded();
        whole.results.truncate(1);
        assert_eq!(Replay::of(&whole).expect("a course").clock().1, 60.0, "as long as the epochs of the attack");
        whole.results.clear();
        assert_eq!(Replay::of(&whole).expect("a course").clock().1, 6.0);
        assert!(Replay::of(&JobView::new(None, "nothing")).is_none());
        whole.results = recorded().results;
        whole.results.iter_mut().for_each(|row| row.seconds *= 100.0);
        assert_eq!(Replay::of(&whole).expect("a course").speed(), 50.0, "a long one begins fast");
    }
}
