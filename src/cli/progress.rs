//! Live progress on stderr: one line that is rewritten on a terminal, plain lines elsewhere.

use crate::experiment::metric;
use crate::run::event::{JobEvent, Progress};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Where nobody watches, one line in this time is enough.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

pub struct Display {
    on_terminal: bool,
    shown: String,
    last_plain: Instant,
    phase: String,
    /// Metric values of the epoch that is being collected.
    epoch: Option<(String, f64)>,
    values: Vec<(String, f64)>,
}

impl Display {
    pub fn new() -> Self {
        Self {
            on_terminal: std::io::stderr().is_terminal(),
            shown: String::new(),
            last_plain: Instant::now(),
            phase: String::new(),
            epoch: None,
            values: Vec::new(),
        }
    }

    /// A line that stays.
    pub fn line(&mut self, text: &str) {
        self.clear();
        eprintln!("{text}");
    }

    pub fn event(&mut self, event: &JobEvent) {
        match event {
            JobEvent::Started { folder, device, threads } => {
                self.line(&format!("run folder {} · {device} · {threads} threads", folder.display()));
            }
            // For eyes only; the run folder keeps it.
            JobEvent::Glimpse(_) => {}
            JobEvent::Phase { index, of, name } => {
                self.flush_epoch();
                self.phase.clone_from(name);
                self.line(&format!("[{}/{of}] {name}", index + 1));
            }
            JobEvent::Metrics(points) => {
                for point in points {
                    let key = (point.phase.clone(), point.epoch);
                    if self.epoch.as_ref() != Some(&key) {
                        self.flush_epoch();
                        self.epoch = Some(key);
                    }
                    self.values.push((point.metric.clone(), point.value));
                }
            }
            JobEvent::Note(text) => self.line(&format!("      {text}")),
            JobEvent::Warning(problem) => self.line(&format!("warning: {problem}")),
            JobEvent::Artifact { path, caption } => self.line(&format!("      saved {} ({caption})", path.display())),
            JobEvent::Checked(found) => {
                self.line(&format!("      {}: {}. {}", found.title, found.verdict.words(), found.headline));
            }
            JobEvent::Paused => self.line("paused"),
            JobEvent::Resumed => self.line("resumed"),
            JobEvent::Queued | JobEvent::Checkpoint { .. } | JobEvent::Finished(_) => {}
        }
    }

    pub fn progress(&mut self, progress: &Progress) {
        if progress.total == 0 {
            return;
        }
        let text = progress_line(progress);
        if self.on_terminal {
            if text != self.shown {
                eprint!("\r\x1b[2K{text}");
                let _ = std::io::stderr().flush();
                self.shown = text;
            }
        } else if self.last_plain.elapsed() >= PLAIN_INTERVAL {
            self.last_plain = Instant::now();
            eprintln!("{text}");
        }
    }

    pub fn finish(&mut self) {
        self.flush_epoch();
        self.clear();
    }

    fn clear(&mut self) {
        if self.on_terminal && !self.shown.is_empty() {
            eprint!("\r\x1b[2K");
            self.shown.clear();
        }
    }

    /// One line for one epoch: loss as it is, rates in percent.
    fn flush_epoch(&mut self) {
        let Some((phase, epoch)) = self.epoch.take() else { return };
        let mut parts = Vec::new();
        for (metric, value) in self.values.drain(..) {
            match metric.as_str() {
                "loss" => parts.push(format!("loss {value:.4}")),
                "fooled" => parts.push(format!("surrogate fooled {:.1} %", 100.0 * value)),
                // Learning rates and the like are for curves.
                other => {
                    let rate = |metric: &metric::Metric| format!("{} {:.2} %", metric.short, 100.0 * value);
                    parts.extend(metric::find(other).map(rate));
                }
            }
        }
        if parts.is_empty() {
            return;
        }
        self.line(&format!("      {phase} epoch {epoch:<4} {}", parts.join("   ")));
    }
}

fn progress_line(progress: &Progress) -> String {
    let mut text = format!("      {} {} of {} {}", progress.phase, progress.done, progress.total, progress.unit);
    if let Some(rate) = progress.pictures_per_s {
        text += &format!(" · {rate:.0} pictures/s");
    }
    if let Some(eta) = progress.eta_s {
        text += &format!(" · {} left", in_words(eta));
    }
    text
}

/// A duration as people say it.
pub fn in_words(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => "a few seconds".into(),
        s if s < 90.0 => format!("about {} s", (s / 10.0).round() as u64 * 10),
        s if s < 5400.0 => format!("about {} min", (s / 60.0).round() as u64),
        s => format!("about {:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded_as_people_say_them() {
        assert_eq!(in_words(3.0), "a few seconds");
        assert_eq!(in_words(44.0), "about 40 s");
        assert_eq!(in_words(200.0), "about 3 min");
        assert_eq!(in_words(7200.0), "about 2.0 h");
    }

    #[test]
    fn a_line_says_only_what_is_known() {
        let mut progress =
            Progress { phase: "attack".into(), done: 3, total: 9, unit: "batches", ..Progress::default() };
        assert_eq!(progress_line(&progress).trim(), "attack 3 of 9 batches");
        progress.eta_s = Some(65.0);
        progress.pictures_per_s = Some(812.3);
        assert_eq!(progress_line(&progress).trim(), "attack 3 of 9 batches · 812 pictures/s · about 70 s left");
    }
}
