//! How long the window's own thread works on a frame; waiting for the screen does not count.

use std::time::{Duration, Instant};

const KEPT: usize = 1000;

/// The last 1000 frame times.
#[derive(Debug, Default)]
pub struct FrameClock {
    ring: Vec<f32>,
    next: usize,
    running: Duration,
    frames: u64,
}

/// What the clock has seen; times are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrameFigures {
    pub frames: u64,
    pub p50_ms: f32,
    pub p99_ms: f32,
    pub worst_ms: f32,
}

impl FrameClock {
    /// Adds work done since `start` to the frame that is being made.
    pub fn add(&mut self, start: Instant) {
        self.running += start.elapsed();
    }

    /// Closes the frame.
    pub fn end_frame(&mut self) {
        let ms = std::mem::take(&mut self.running).as_secs_f32() * 1000.0;
        self.record(ms);
    }

    fn record(&mut self, ms: f32) {
        self.frames += 1;
        if self.ring.len() < KEPT {
            self.ring.push(ms);
        } else if let Some(slot) = self.ring.get_mut(self.next) {
            *slot = ms;
            self.next = (self.next + 1) % KEPT;
        }
    }

    /// Frames so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Nothing before the first frame.
    pub fn figures(&self) -> Option<FrameFigures> {
        let mut sorted = self.ring.clone();
        sorted.sort_by(f32::total_cmp);
        let worst_ms = *sorted.last()?;
        let at = |share: f32| sorted[((sorted.len() - 1) as f32 * share).round() as usize];
        Some(FrameFigures { frames: self.frames, p50_ms: at(0.5), p99_ms: at(0.99), worst_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_follow_the_last_thousand_frames() {
        let mut clock = FrameClock::default();
        assert_eq!(clock.figures(), None);
        for _ in 0..500 {
            clock.record(100.0);
        }
        for ms in 0..1000 {
            clock.record(ms as f32);
        }
        let figures = clock.figures().expect("frames were recorded");
        assert_eq!(figures.frames, 1500);
        assert_eq!(figures.worst_ms, 999.0);
        assert!((figures.p50_ms - 500.0).abs() <= 1.0, "{figures:?}");
        assert!((figures.p99_ms - 989.0).abs() <= 1.0, "{figures:?}");
    }
}
