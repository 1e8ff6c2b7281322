//! One job as the window knows it: what its events and cells have told so far, or what its run folder tells afterwards.

use super::curves::Curves;
use super::replay::Replay;
use super::words;
use crate::experiment::{Code, Experiment, Problem, audit};
use crate::run::event::{Ending, Glimpse, JobEvent, JobId, Picture, Progress};
use crate::run::{CheckResult, FoundPatch, ResultRow, Results, Review, Subject, Verdict};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Moments that are kept to look back at; beyond that every second one goes.
const MOMENTS: usize = 256;

/// Lines of the log that are kept.
const LOG_LINES: usize = 2000;

/// A trigger that wins less often than this is no backdoor that works.
const WORKS: f64 = 0.5;

#[derive(Debug, Clone, PartialEq)]
pub enum JobState {
    Queued,
    Running,
    Paused,
    /// Asked to stop; the batch that runs is finished first.
    Stopping {
        keep: bool,
    },
    Ended(Ending),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Note,
    Warning,
    Step,
}

#[derive(Debug, Clone)]
pub struct LogLine {
    /// Seconds since the job started, when known.
    pub at: Option<f64>,
    pub level: Level,
    pub text: String,
}

#[derive(Debug, Clone)]
pub struct JobView {
    /// Nothing for a job that is read back from its folder.
    pub id: Option<JobId>,
    pub title: String,
    /// What is run, when it can be read.
    pub experiment: Option<Box<Experiment>>,
    /// It goes on with what its folder holds already.
    pub resumed: bool,
    pub state: JobState,
    pub folder: Option<PathBuf>,
    pub device: String,
    pub threads: usize,
    /// Names of the phases seen so far; `phases` tells how many there will be.
    pub phase_names: Vec<String>,
    pub phase: usize,
    pub phases: usize,
    pub progress: Option<Progress>,
    pub curves: Curves,
    pub pictures: Vec<Picture>,
    /// What the model said, moment after moment.
    pub glimpses: Vec<Arc<Glimpse>>,
    pub results: Vec<ResultRow>,
    /// The finished run is played again.
    pub replay: Option<Replay>,
    /// What the checks have found so far.
    pub checks: Vec<CheckResult>,
    /// Which model they looked at, once the run has ended.
    pub subject: Option<Subject>,
    /// The class that the model gave each picture of the checks, where all were asked.
    pub answers: Vec<u16>,
    /// What people have decided about it.
    pub review: Review,
    /// When the run was started, in seconds since 1970; of runs that are read from their folders.
    pub started: Option<u64>,
    pub log: VecDeque<LogLine>,
    pub warnings: Vec<Problem>,
}

impl JobView {
    pub fn new(id: Option<JobId>, title: impl Into<String>) -> Self {
        Self {
            id,
            title: title.into(),
            experiment: None,
            resumed: false,
            state: JobState::Queued,
            folder: None,
            device: String::new(),
            threads: 0,
            phase_names: Vec::new(),
            phase: 0,
            phases: 0,
            progress: None,
            curves: Curves::default(),
            pictures: Vec::new(),
            glimpses: Vec::new(),
            results: Vec::new(),
            replay: None,
            checks: Vec::new(),
            subject: None,
            answers: Vec::new(),
            review: Review::default(),
            started: None,
            log: VecDeque::new(),
            warnings: Vec::new(),
        }
    }

    /// It checks a model, and its findings are shown on Audit.
    pub fn is_audit(&self) -> bool {
        self.experiment.as_ref().is_some_and(|experiment| !experiment.check.is_empty())
    }

    /// The patch by which a check has accused a class; it can be tried on another model.
    pub fn found_patch(&self) -> Option<&FoundPatch> {
        let suspicious = self.checks.iter().filter(|found| found.verdict == Verdict::Suspicious);
        suspicious.filter_map(|found| found.patch.as_ref()).next_back()
    }

    /// The earlier audit that this one was held against, or whose patch it has tried.
    pub fn earlier(&self) -> Option<PathBuf> {
        let of_spec = || self.experiment.as_deref().and_then(audit::earlier_of).map(Path::to_owned);
        self.review.earlier.clone().or_else(of_spec)
    }

    /// Takes over what the run folder says.
    pub fn adopt(&mut self, results: Results) {
        (self.results, self.subject) = (results.rows, results.subject);
        if !results.checks.is_empty() {
            self.checks = results.checks;
        }
    }

    pub fn is_live(&self) -> bool {
        self.id.is_some() && !matches!(self.state, JobState::Ended(_))
    }

    /// Why it waits for room: what it last wanted to write did not fit. Its last saved point is there to go on from.
    pub fn lacks_room(&self) -> Option<&Problem> {
        match &self.state {
            JobState::Ended(Ending::Failed(problem)) if problem.code == Code::DiskFull => Some(problem),
            _ => None,
        }
    }

    /// The run as Watch shows it: as it is, or as it was at the moment of its replay.
    pub fn shown(&self) -> &JobView {
        self.replay.as_ref().map_or(self, Replay::view)
    }

    pub fn note(&mut self, level: Level, text: impl Into<String>) {
        let at = self.progress.as_ref().map(|progress| progress.elapsed_s);
        if self.log.len() == LOG_LINES {
            self.log.pop_front();
        }
        self.log.push_back(LogLine { at, level, text: text.into() });
    }

    pub fn on_event(&mut self, event: JobEvent) {
        match event {
            JobEvent::Queued => self.state = JobState::Queued,
            JobEvent::Started { folder, device, threads } => {
                self.note(Level::Step, format!("Started on {device}, {threads} threads."));
                self.note(Level::Note, format!("Run folder: {}", folder.display()));
                (self.folder, self.device, self.threads) = (Some(folder), device, threads);
                if self.state == JobState::Queued {
                    self.state = JobState::Running;
                }
            }
            JobEvent::Phase { index, of, name } => {
                self.note(Level::Step, format!("Phase {} of {of}: {name}", index + 1));
                self.phases = of.max(index + 1);
                self.phase_names.resize(self.phase_names.len().max(index + 1), String::new());
                self.phase_names[index] = name;
                self.phase = index;
            }
            JobEvent::Metrics(points) => points.iter().for_each(|point| self.curves.push(point)),
            JobEvent::Glimpse(glimpse) => self.look(glimpse),
            JobEvent::Artifact { path, caption } => self.note(Level::Note, format!("{caption} ({})", path.display())),
            JobEvent::Note(text) => self.note(Level::Note, text),
            JobEvent::Warning(problem) => {
                self.note(Level::Warning, problem.headline.clone());
                self.warnings.push(problem);
            }
            JobEvent::Checked(found) => {
                self.note(Level::Step, format!("{}: {}. {}", found.title, found.verdict.words(), found.headline));
                self.checks.retain(|known| known.check != found.check);
                self.checks.push(*found);
            }
            JobEvent::Paused => {
                if self.state == JobState::Running {
                    self.state = JobState::Paused;
                }
                self.note(Level::Step, "Paused.");
            }
            JobEvent::Resumed => {
                if self.state == JobState::Paused {
                    self.state = JobState::Running;
                }
                self.note(Level::Step, "Goes on.");
            }
            JobEvent::Checkpoint { phase, epoch } => {
                self.note(Level::Note, format!("Saved a point to continue from: {phase}, epoch {epoch}."));
            }
            JobEvent::Finished(ending) => {
                self.note(Level::Step, ending_words(&ending));
                self.state = JobState::Ended(ending);
            }
        }
    }

    /// Keeps what the model says at one more moment.
    pub fn look(&mut self, glimpse: Arc<Glimpse>) {
        self.glimpses.push(glimpse);
        if self.glimpses.len() > MOMENTS {
            let mut index = 0;
            self.glimpses.retain(|_| {
                index += 1;
                index % 2 == 1
            });
        }
    }

    /// One short sentence on where the job is.
    pub fn status(&self) -> String {
        match &self.state {
            JobState::Queued => "Waiting to start".to_owned(),
            JobState::Paused => "Paused".to_owned(),
            JobState::Stopping { keep: true } => "Stopping after this batch…".to_owned(),
            JobState::Stopping { keep: false } => "Discarding after this batch…".to_owned(),
            JobState::Ended(ending) => ending_words(ending),
            JobState::Running => match self.phase_names.get(self.phase) {
                Some(name) if self.phases > 1 => format!("{name} ({} of {})", self.phase + 1, self.phases),
                Some(name) => name.clone(),
                None => "Getting ready".to_owned(),
            },
        }
    }

    /// How long the current phase still takes, said only when it can be told honestly.
    pub fn eta(&self) -> Option<String> {
        let progress = self.progress.as_ref().filter(|_| self.state == JobState::Running)?;
        progress.eta_s.filter(|_| progress.elapsed_s >= 3.0).map(words::eta)
    }

    /// Done share of the current phase.
    pub fn share(&self) -> Option<f32> {
        let progress = self.progress.as_ref().filter(|progress| progress.total > 0)?;
        Some((progress.done as f64 / progress.total as f64).clamp(0.0, 1.0) as f32)
    }

    /// The title of the finished run: what it has come to, in a few words.
    pub fn headline(&self) -> Option<String> {
        let finished = self.state == JobState::Ended(Ending::Done);
        let first = self.results.first().filter(|_| finished)?;
        let whole = |share: f64| format!("{:.0} %", share * 100.0);
        let (acc, Some(asr)) = (whole(first.scores.acc), first.scores.asr) else {
            let delivered = self.experiment.as_deref().is_some_and(|experiment| audit::model_of(experiment).is_some());
            let word = if delivered { "As delivered" } else { "Trained" };
            return Some(format!("{word}: ACC {}", whole(first.scores.acc)));
        };
        if asr < WORKS {
            return Some(format!("Backdoor does not work: ASR {}, ACC {acc}", whole(asr)));
        }
        Some(match best_repair(&self.results).filter(|(_, left)| *left <= asr / 2.0) {
            Some((row, left)) => {
                let (name, acc) = (row.name(), whole(row.scores.acc));
                format!("{name} removes the backdoor: ASR {} to {}, ACC {acc}", whole(asr), whole(left))
            }
            None if self.results.len() > 1 => format!("Backdoor stays: ASR {}, ACC {acc}", whole(asr)),
            None => format!("Backdoor works: ASR {}, ACC {acc}", whole(asr)),
        })
    }

    /// The finished run in one sentence, from its table.
    pub fn conclusion(&self) -> Option<String> {
        let attacked = self.results.first()?;
        let asr = attacked.scores.asr.map(words::percent)?;
        Some(match best_repair(&self.results) {
            Some((row, repaired)) => {
                let (after, cost) = (words::percent(repaired), words::points(row.scores.acc - attacked.scores.acc));
                let (name, before) = (row.name(), attacked.scores.asr.unwrap_or_default());
                // A repair that leaves more than half of the backdoor has not repaired it.
                let still = if repaired > before / 2.0 { "still " } else { "" };
                format!(
                    "The trigger won {asr} of the time; after {name} it {still}wins {after}; normal accuracy: {cost}."
                )
            }
            None => format!("The trigger wins {asr} of the time."),
        })
    }
}

/// The repair that takes most from the trigger and least from accuracy, with how often the trigger still wins; as DER weighs
/// them, but it sees through changes of labels. The control is there to compare with, not to win.
pub fn best_repair(rows: &[ResultRow]) -> Option<(&ResultRow, f64)> {
    let before = rows.first()?.scores.acc;
    let repairs =
        rows.iter().skip(1).filter(|row| !row.control).filter_map(|row| Some((row, row.scores.trigger_wins()?)));
    let cost = |(row, wins): &(&ResultRow, f64)| wins + (before - row.scores.acc).max(0.0);
    repairs.min_by(|a, b| cost(a).total_cmp(&cost(b)))
}

pub fn ending_words(ending: &Ending) -> String {
    match ending {
        Ending::Done => "Finished".to_owned(),
        Ending::Stopped { kept: true } => "Stopped; what was reached is kept".to_owned(),
        Ending::Stopped { kept: false } => "Discarded".to_owned(),
        Ending::Failed(problem) if problem.code == Code::DiskFull => "Paused: no room on the disk".to_owned(),
        Ending::Failed(problem) => format!("Failed: {}", problem.headline),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Scores;

    #[test]
    fn a_late_pause_does_not_undo_a_stop() {
        let mut job = JobView::new(Some(JobId(1)), "test");
        job.on_event(JobEvent::Started { folder: "run".into(), device: "cpu".into(), threads: 2 });
        assert_eq!(job.state, JobState::Running);
        job.state = JobState::Stopping { keep: true };
        job.on_event(JobEvent::Paused);
        assert_eq!(job.state, JobState::Stopping { keep: true });
        job.on_event(JobEvent::Finished(Ending::Stopped { kept: true }));
        assert!(!job.is_live());
    }

    #[test]
    fn no_estimate_in_the_first_seconds() {
        let mut job = JobView::new(Some(JobId(1)), "test");
        job.state = JobState::Running;
        let mut progress = Progress { eta_s: Some(42.0), elapsed_s: 1.0, done: 1, total: 4, ..Progress::default() };
        job.progress = Some(progress.clone());
        assert_eq!(job.eta(), None);
        progress.elapsed_s = 9.0;
        job.progress = Some(progress);
        assert_eq!(job.eta().as_deref(), Some("about 40 s"));
        assert_eq!(job.share(), Some(0.25));
    }

    #[test]
    fn the_log_is_bounded() {
        let mut job = JobView::new(None, "test");
        for line in 0..LOG_LINES + 10 {
            job.note(Level::Note, line.to_string());
        }
        assert_eq!(job.log.len(), LOG_LINES);
        assert_eq!(job.log[0].text, "10");
    }

    #[test]
    fn the_title_of_a_finished_run_is_its_result() {
        let row = |title: &str, acc, asr| ResultRow {
            title: title.into(),
            scores: Scores { acc, asr, ..Scores::default() },
            ..ResultRow::default()
        };
        let said = |state: Ending, results: Vec<ResultRow>| {
            let job = JobView { results, state: JobState::Ended(state), ..JobView::new(None, "test") };
            job.headline()
        };
        let attacked = || row("no defense", 0.8749, Some(0.994));
        let done = |results| said(Ending::Done, results).unwrap_or_default();
        assert_eq!(done(vec![attacked()]), "Backdoor works: ASR 99 %, ACC 87 %");
        assert_eq!(done(vec![row("", 0.9, Some(0.12))]), "Backdoor does not work: ASR 12 %, ACC 90 %");
        let (npd, ft) = (row("NPD", 0.852, Some(0.035)), row("FT", 0.86, Some(0.64)));
        assert_eq!(done(vec![attacked(), npd]), "NPD removes the backdoor: ASR 99 % to 4 %, ACC 85 %");
        assert_eq!(done(vec![attacked(), ft]), "Backdoor stays: ASR 99 %, ACC 87 %");
        assert_eq!(done(vec![row("clean training", 0.88, None)]), "Trained: ACC 88 %");
        assert_eq!(said(Ending::Stopped { kept: true }, vec![attacked()]), None, "not before the end");
        assert_eq!(done(Vec::new()), "");
    }

    #[test]
    fn the_conclusion_names_the_best_repair() {
        let row = |title: &str, acc, asr| ResultRow {
            title: title.into(),
            scores: Scores { acc, asr: Some(asr), ..Scores::default() },
            ..ResultRow::default()
        };
        let mut job = JobView::new(None, "test");
        assert_eq!(job.conclusion(), None);
        let control = ResultRow { control: true, ..row("FT", 0.86, 0.01) };
        let (attacked, dear) = (row("attacked", 0.86, 0.99), row("TSBD", 0.58, 0.0));
        job.results = vec![attacked, row("I-BAU", 0.85, 0.6), row("NPD", 0.84, 0.05), dear, control];
        assert_eq!(
            job.conclusion().as_deref(),
            Some("The trigger won 99.0 % of the time; after NPD it wins 5.0 %; normal accuracy: \u{2212}2.0 points.")
        );
    }
}
