//! What a job may do: ask whether to go on, tell what it does, write into its run folder.

use super::atomic::write_atomic;
use super::event::{Event, JobEvent, JobId, MetricPoint, Picture, Progress, Rgba, Stride};
use super::folder::SavedImage;
use super::journal::Journal;
use crate::experiment::{Halt, Outcome, Problem, Result};
use crossbeam_channel::{Sender, TrySendError};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A lock whose holder panicked still holds plain data that is good to read.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Wish {
    Run = 0,
    Pause = 1,
    /// Pause again after one batch.
    Batch = 2,
    /// Pause again after the epoch.
    Epoch = 3,
    /// Finish early and keep what is there.
    Stop = 4,
    /// Finish early and throw away.
    Discard = 5,
}

impl From<Stride> for Wish {
    fn from(stride: Stride) -> Self {
        match stride {
            Stride::Batch => Wish::Batch,
            Stride::Epoch => Wish::Epoch,
        }
    }
}

/// What the front wishes of a running job. Shared between threads; read once per batch.
#[derive(Debug, Clone, Default)]
pub struct Signal(Arc<(AtomicU8, Mutex<()>, Condvar)>);

impl Signal {
    pub fn set(&self, wish: Wish) {
        let (value, gate, bell) = &*self.0;
        let guard = lock(gate);
        // A stop is final: a late resume must not undo it.
        if value.load(Ordering::SeqCst) < Wish::Stop as u8 || wish == Wish::Discard {
            value.store(wish as u8, Ordering::SeqCst);
        }
        drop(guard);
        bell.notify_all();
    }

    pub fn get(&self) -> Wish {
        match self.0.0.load(Ordering::SeqCst) {
            0 => Wish::Run,
            1 => Wish::Pause,
            2 => Wish::Batch,
            3 => Wish::Epoch,
            4 => Wish::Stop,
            _ => Wish::Discard,
        }
    }

    /// The step that was wished for is done: pause, unless something else is wished for by now.
    fn stepped(&self, stride: Stride) {
        let (value, done) = (&self.0.0, Wish::from(stride) as u8);
        let _ = value.compare_exchange(done, Wish::Pause as u8, Ordering::SeqCst, Ordering::SeqCst);
    }

    fn wait_while_paused(&self, patience: Duration) {
        let (_, gate, bell) = &*self.0;
        let guard = lock(gate);
        if self.get() == Wish::Pause {
            drop(bell.wait_timeout(guard, patience));
        }
    }
}

/// Latest values of one job, read by the front whenever it likes.
#[derive(Debug, Default)]
pub struct Cells {
    pub progress: Mutex<Progress>,
    pub pictures: Mutex<Vec<Picture>>,
}

/// The way from a job to the front.
#[derive(Clone)]
pub struct Sink {
    pub events: Sender<Event>,
    /// Wakes the front; called at most 30 times a second for progress, always for events.
    pub waker: Arc<dyn Fn() + Send + Sync>,
}

/// Answers questions of the front between two batches.
pub type Interlude = Box<dyn FnMut()>;

/// A running job's handle to the world.
pub struct Job {
    pub id: JobId,
    folder: PathBuf,
    seed: u64,
    sink: Sink,
    signal: Signal,
    cells: Arc<Cells>,
    journal: Option<Journal>,
    interlude: Option<Interlude>,
    waiting: VecDeque<JobEvent>,
    meter: Meter,
    images: Vec<SavedImage>,
}

/// Progress of the phase that runs now.
struct Meter {
    progress: Progress,
    started: Instant,
    phase_started: Instant,
    /// Progress at `phase_started`: a resumed phase does not start at zero.
    base: u64,
    pictures: u64,
    paused: Duration,
    paused_in_phase: Duration,
    last_wake: Instant,
}

impl Meter {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            progress: Progress::default(),
            started: now,
            phase_started: now,
            base: 0,
            pictures: 0,
            paused: Duration::ZERO,
            paused_in_phase: Duration::ZERO,
            last_wake: now,
        }
    }

    fn update(&mut self) {
        self.progress.elapsed_s = (self.started.elapsed().saturating_sub(self.paused)).as_secs_f64();
        let in_phase = self.phase_started.elapsed().saturating_sub(self.paused_in_phase).as_secs_f64();
        let done = self.progress.done.saturating_sub(self.base);
        // No estimate before there is something to estimate from.
        let known = in_phase > 2.0 && done > 0;
        let left = self.progress.total.saturating_sub(self.progress.done);
        self.progress.eta_s = known.then(|| in_phase / done as f64 * left as f64);
        self.progress.pictures_per_s = (known && self.pictures > 0).then(|| self.pictures as f64 / in_phase);
    }
}

impl Job {
    pub fn new(id: JobId, folder: &Path, seed: u64, sink: Sink, signal: Signal, cells: Arc<Cells>) -> Result<Self> {
        let journal = Journal::open(&folder.join("metrics.jsonl"))?;
        Ok(Self::with_journal(id, folder, seed, sink, signal, cells, Some(journal)))
    }

    fn with_journal(
        id: JobId,
        folder: &Path,
        seed: u64,
        sink: Sink,
        signal: Signal,
        cells: Arc<Cells>,
        journal: Option<Journal>,
    ) -> Self {
        let index = folder.join("images").join("index.json");
        let images =
            std::fs::read(&index).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self {
            id,
            folder: folder.to_owned(),
            seed,
            sink,
            signal,
            cells,
            journal,
            interlude: None,
            waiting: VecDeque::new(),
            meter: Meter::new(),
            images,
        }
    }

    /// A job that has a front but keeps no records: what it makes is told by what it makes.
    pub fn unrecorded(id: JobId, seed: u64, sink: Sink, signal: Signal, cells: Arc<Cells>) -> Self {
        Self::with_journal(id, Path::new(""), seed, sink, signal, cells, None)
    }

    /// A job without a front, for tests and for work outside a run.
    pub fn detached(folder: &Path, seed: u64) -> Self {
        let (events, _) = crossbeam_channel::bounded(1);
        let sink = Sink { events, waker: Arc::new(|| {}) };
        Self::with_journal(JobId(0), folder, seed, sink, Signal::default(), Arc::default(), None)
    }

    pub fn on_tick(&mut self, interlude: Interlude) {
        self.interlude = Some(interlude);
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    pub fn signal(&self) -> &Signal {
        &self.signal
    }

    /// A stream of random numbers that depends on the run's seed and this name only, so that adding a phase does not
    /// change the others and a resumed epoch draws what it would have drawn.
    pub fn rng(&self, name: &str) -> ChaCha8Rng {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(name.as_bytes());
        ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
    }

    /// Call once per batch and in every long loop: here stop and pause are obeyed and questions answered.
    pub fn tick(&mut self) -> Outcome<()> {
        self.flush();
        if let Some(interlude) = &mut self.interlude {
            interlude();
        }
        if self.signal.get() == Wish::Pause {
            self.pause();
        }
        match self.signal.get() {
            Wish::Run | Wish::Pause | Wish::Batch | Wish::Epoch => Ok(()),
            Wish::Stop | Wish::Discard => Err(Halt::Asked),
        }
    }

    fn pause(&mut self) {
        let begin = Instant::now();
        self.publish_progress(true);
        self.send(JobEvent::Paused);
        while self.signal.get() == Wish::Pause {
            self.flush();
            self.signal.wait_while_paused(Duration::from_millis(50));
            if let Some(interlude) = &mut self.interlude {
                interlude();
            }
        }
        self.meter.paused += begin.elapsed();
        self.meter.paused_in_phase += begin.elapsed();
        if matches!(self.signal.get(), Wish::Run | Wish::Batch | Wish::Epoch) {
            self.send(JobEvent::Resumed);
        }
    }

    /// A new phase begins; `total` counts `unit`s, of which `done` are already there after a resume.
    pub fn phase(&mut self, name: &str, index: usize, of: usize) {
        let meter = &mut self.meter;
        meter.progress = Progress {
            phase: name.to_owned(),
            phase_index: index,
            phases: of,
            elapsed_s: meter.progress.elapsed_s,
            ..Progress::default()
        };
        self.send(JobEvent::Phase { index, of, name: name.to_owned() });
        self.work(0, 0, "");
    }

    /// How much there is to do in this phase: `total` steps called `unit`, of which `done` are behind us.
    pub fn work(&mut self, done: u64, total: u64, unit: &'static str) {
        let meter = &mut self.meter;
        meter.phase_started = Instant::now();
        meter.paused_in_phase = Duration::ZERO;
        meter.base = done;
        meter.pictures = 0;
        meter.progress.done = done;
        meter.progress.total = total;
        meter.progress.unit = unit;
        self.publish_progress(true);
    }

    /// One step of the phase is done; it handled `pictures` pictures.
    pub fn advance(&mut self, pictures: usize) {
        self.meter.progress.done += 1;
        self.meter.pictures += pictures as u64;
        self.publish_progress(false);
        self.signal.stepped(Stride::Batch);
    }

    fn publish_progress(&mut self, now: bool) {
        if now || self.meter.last_wake.elapsed() > Duration::from_millis(33) {
            self.meter.last_wake = Instant::now();
            self.meter.progress.memory = resident_memory();
            self.meter.update();
            *lock(&self.cells.progress) = self.meter.progress.clone();
            (self.sink.waker)();
        }
    }

    pub fn elapsed_s(&mut self) -> f64 {
        self.meter.update();
        self.meter.progress.elapsed_s
    }

    /// Writes metric points to the journal and sends them to the front.
    pub fn metrics(&mut self, phase: &str, epoch: f64, values: &[(&str, f64)]) -> Result<()> {
        let points: Vec<MetricPoint> = values
            .iter()
            .map(|&(metric, value)| MetricPoint { phase: phase.to_owned(), metric: metric.to_owned(), epoch, value })
            .collect();
        if let Some(journal) = &mut self.journal {
            journal.append(&points)?;
        }
        self.send(JobEvent::Metrics(points));
        Ok(())
    }

    /// Shows a picture live under `key`.
    pub fn show(&mut self, key: &str, caption: &str, rgba: Rgba) {
        let picture = Picture { key: key.to_owned(), caption: caption.to_owned(), rgba: Arc::new(rgba) };
        let mut pictures = lock(&self.cells.pictures);
        match pictures.iter_mut().find(|p| p.key == key) {
            Some(old) => *old = picture,
            None => pictures.push(picture),
        }
        drop(pictures);
        (self.sink.waker)();
    }

    /// Saves an encoded PNG in `images/` of the run folder and lists it in `images/index.json`.
    pub fn save_image(&mut self, file: &str, caption: &str, png: &[u8]) -> Result<()> {
        let folder = self.folder.join("images");
        write_atomic(&folder.join(file), png)?;
        let known = self.images.iter().any(|image| image.file == file);
        self.images.retain(|image| image.file != file);
        self.images.push(SavedImage { file: file.to_owned(), caption: caption.to_owned() });
        let index = serde_json::to_vec_pretty(&self.images)
            .map_err(|e| Problem::internal("Cannot write the list of pictures.").because(e))?;
        write_atomic(&folder.join("index.json"), &index)?;
        // What is drawn anew every epoch is news once.
        if !known {
            self.artifact(Path::new("images").join(file), caption);
        }
        Ok(())
    }

    pub fn artifact(&mut self, path: impl Into<PathBuf>, caption: &str) {
        self.send(JobEvent::Artifact { path: path.into(), caption: caption.to_owned() });
    }

    pub fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        tracing::info!("{text}");
        self.send(JobEvent::Note(text));
    }

    pub fn warn(&mut self, problem: Problem) {
        tracing::warn!("{problem}");
        self.send(JobEvent::Warning(problem));
    }

    /// Puts an event in order behind those that still wait; never blocks the work.
    pub fn send(&mut self, event: JobEvent) {
        // Every training loop saves a point to continue from when an epoch is over, measured and all.
        if matches!(event, JobEvent::Checkpoint { .. }) {
            self.signal.stepped(Stride::Epoch);
        }
        if let (Some(JobEvent::Metrics(waiting)), JobEvent::Metrics(points)) = (self.waiting.back_mut(), &event) {
            waiting.extend_from_slice(points);
        } else {
            self.waiting.push_back(event);
        }
        self.flush();
    }

    fn flush(&mut self) {
        let mut sent = false;
        while let Some(event) = self.waiting.pop_front() {
            match self.sink.events.try_send(Event::Job(self.id, event)) {
                Ok(()) => sent = true,
                Err(TrySendError::Full(Event::Job(_, event))) => {
                    self.waiting.push_front(event);
                    break;
                }
                // Nobody listens any more: the run folder has it all.
                Err(_) => {}
            }
        }
        if sent {
            (self.sink.waker)();
        }
    }

    /// Sends the rest, waiting for the front if it must; used when the job ends.
    pub fn finish(mut self, last: JobEvent) {
        self.waiting.push_back(last);
        self.publish_progress(true);
        for event in self.waiting.drain(..) {
            let patience = Duration::from_secs(5);
            if self.sink.events.send_timeout(Event::Job(self.id, event), patience).is_err() {
                break;
            }
        }
        (self.sink.waker)();
    }
}

/// Resident memory of this process in bytes; 0 where it cannot be told.
pub fn resident_memory() -> u64 {
    // `/proc` is far cheaper than refreshing a process table 30 times a second.
    if let Ok(statm) = std::fs::read_to_string("/proc/self/statm") {
        let pages: u64 = statm.split_whitespace().nth(1).and_then(|v| v.parse().ok()).unwrap_or(0);
        return pages * 4096;
    }
    0
}
