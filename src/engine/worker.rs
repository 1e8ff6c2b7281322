//! The worker thread and its handle.

use super::failure::{ENGINE_THREAD, from_panic, quiet_engine_panics};
use super::library::Library;
use super::poison_export;
use super::questions;
use super::runner::{self, Lines};
use crate::experiment::{Code, Problem, Result};
use crate::run::event::{Command, Event, JobId, Picture, Progress, Question, QuestionId, RunRequest};
use crate::run::handle::{Engine, Shutdown};
use crate::run::job::{Cells, Signal, Sink, Wish, lock};
use crate::run::poisoned_set::PoisonExport;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Events that may wait for the front before the worker merges them.
const EVENTS: usize = 1024;
const COMMANDS: usize = 64;

/// What the front may reach of a job without asking the worker.
#[derive(Default)]
struct JobHandle {
    signal: Signal,
    cells: Arc<Cells>,
}

type Jobs = Arc<Mutex<HashMap<JobId, JobHandle>>>;

/// The engine: owns the worker thread. Dropping it asks the worker to end but does not wait.
pub struct Worker {
    work: Sender<Work>,
    questions: Sender<(QuestionId, Question)>,
    events: Receiver<Event>,
    jobs: Jobs,
    gone: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

/// What the worker waits for.
enum Work {
    Run(JobId, Box<RunRequest>),
    ExportPoison(JobId, Box<PoisonExport>),
    /// Look into the queue of questions.
    Questions,
    Quit,
}

impl Worker {
    /// Starts the worker thread. `waker` is called whenever the front has something new to see.
    pub fn start(waker: Box<dyn Fn() + Send + Sync>) -> Result<Self> {
        quiet_engine_panics();
        let (work, work_in) = bounded(COMMANDS);
        let (questions, questions_in) = bounded(COMMANDS);
        let (events_out, events) = bounded(EVENTS);
        let (gone_out, gone) = bounded::<()>(0);
        let jobs = Jobs::default();
        let sink = Sink { events: events_out, waker: Arc::from(waker) };
        let of_thread = Arc::clone(&jobs);
        let thread = std::thread::Builder::new()
            .name(ENGINE_THREAD.into())
            .stack_size(16 << 20)
            .spawn(move || {
                let loop_ended = catch_unwind(AssertUnwindSafe(|| serve(&work_in, &questions_in, &sink, &of_thread)));
                if let Err(payload) = loop_ended {
                    let _ = sink.events.try_send(Event::Broken(from_panic(&*payload)));
                    (sink.waker)();
                }
                // Closing this channel says that all tensors are gone.
                drop(gone_out);
            })
            .map_err(|e| Problem::internal("Cannot start the engine's thread.").because(e))?;
        Ok(Self { work, questions, events, jobs, gone, thread: Some(thread) })
    }

    fn wish(&self, job: JobId, wish: Wish) {
        if let Some(handle) = lock(&self.jobs).get(&job) {
            handle.signal.set(wish);
        }
    }

    fn take_job(&self, job: JobId, work: Work) -> Result<()> {
        lock(&self.jobs).insert(job, JobHandle::default());
        self.queue(work)
    }

    fn queue(&self, work: Work) -> Result<()> {
        self.work.try_send(work).map_err(|error| match error {
            TrySendError::Full(_) => Problem::bad_input("The engine has too much waiting work.")
                .remedy("Wait until a job has ended, or stop one."),
            TrySendError::Disconnected(_) => Problem::new(Code::Internal, "The engine has ended.")
                .remedy("Start the program again; finished work is in the runs folder."),
        })
    }
}

impl Engine for Worker {
    fn send(&self, command: Command) -> Result<()> {
        match command {
            Command::Start { job, request } => self.take_job(job, Work::Run(job, request)),
            Command::ExportPoison { job, request } => self.take_job(job, Work::ExportPoison(job, request)),
            Command::Pause(job) => {
                self.wish(job, Wish::Pause);
                Ok(())
            }
            Command::Resume(job) => {
                self.wish(job, Wish::Run);
                Ok(())
            }
            Command::Step(job, stride) => {
                self.wish(job, stride.into());
                Ok(())
            }
            Command::Stop { job, keep } => {
                self.wish(job, if keep { Wish::Stop } else { Wish::Discard });
                Ok(())
            }
            Command::Ask(id, question) => {
                self.questions.try_send((id, question)).map_err(|_full_or_gone| {
                    Problem::bad_input("The engine has too many questions to answer.").remedy("Wait a moment.")
                })?;
                // A full queue of work is no harm: whoever takes from it looks at the questions as well.
                let _ = self.work.try_send(Work::Questions);
                Ok(())
            }
            Command::Quit => self.queue(Work::Quit),
        }
    }

    fn drain(&mut self, most: usize) -> Vec<Event> {
        self.events.try_iter().take(most).collect()
    }

    fn wait(&mut self, patience: Duration) -> Option<Event> {
        self.events.recv_timeout(patience).ok()
    }

    fn progress(&self, job: JobId) -> Option<Progress> {
        lock(&self.jobs).get(&job).map(|handle| lock(&handle.cells.progress).clone())
    }

    fn pictures(&self, job: JobId) -> Vec<Picture> {
        lock(&self.jobs).get(&job).map(|handle| lock(&handle.cells.pictures).clone()).unwrap_or_default()
    }

    fn shutdown(&mut self, patience: Duration) -> Shutdown {
        let deadline = Instant::now() + patience;
        for handle in lock(&self.jobs).values() {
            handle.signal.set(Wish::Stop);
        }
        let _ = self.work.send_timeout(Work::Quit, patience);
        loop {
            // Somebody must take the last events, or the worker would wait for room.
            let _ = self.events.try_iter().count();
            match self.gone.recv_timeout(Duration::from_millis(20)) {
                Err(crossbeam_channel::RecvTimeoutError::Disconnected) => break,
                _ if Instant::now() >= deadline => return Shutdown::Forced,
                _ => {}
            }
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(())) | None => Shutdown::Clean,
            Some(Err(_)) => Shutdown::Forced,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        for handle in lock(&self.jobs).values() {
            handle.signal.set(Wish::Stop);
        }
        let _ = self.work.try_send(Work::Quit);
    }
}

/// The worker's loop; everything made here dies here.
fn serve(work: &Receiver<Work>, questions: &Receiver<(QuestionId, Question)>, sink: &Sink, jobs: &Jobs) {
    let library = Rc::new(RefCell::new(Library::default()));
    let lines = |job: JobId| {
        let (signal, cells) = lock(jobs).get(&job).map(|handle| (handle.signal.clone(), Arc::clone(&handle.cells)))?;
        let (asked, answered_to, shelf) = (questions.clone(), sink.clone(), Rc::clone(&library));
        let interlude = Box::new(move || answer_waiting(&asked, &answered_to, &shelf));
        Some(Lines { job, sink: sink.clone(), signal, cells, interlude })
    };
    while let Ok(item) = work.recv() {
        match item {
            Work::Questions => {}
            Work::Quit => return,
            Work::Run(job, request) => {
                if let Some(lines) = lines(job) {
                    runner::run(&request, lines, &library);
                }
            }
            Work::ExportPoison(job, request) => {
                if let Some(lines) = lines(job) {
                    poison_export::run(&request, lines, &library);
                }
            }
        }
        answer_waiting(questions, sink, &library);
    }
}

/// Answers what waits; of several questions about one thing only the newest, because the others are out of date.
fn answer_waiting(questions: &Receiver<(QuestionId, Question)>, sink: &Sink, library: &Rc<RefCell<Library>>) {
    let mut newest: Vec<(QuestionId, Question)> = Vec::new();
    for (id, question) in questions.try_iter() {
        newest.retain(|(_, older)| !question.supersedes(older));
        newest.push((id, question));
    }
    for (id, question) in newest {
        let answer = catch_unwind(AssertUnwindSafe(|| questions::answer(&question, library)))
            .unwrap_or_else(|payload| Err(from_panic(&*payload)));
        // A front that is behind with reading gets a moment; for one that does not listen, work goes on.
        let sent = sink.events.try_send(Event::Answer(id, answer));
        (sink.waker)();
        if let Err(TrySendError::Full(answer)) = sent {
            let _ = sink.events.send_timeout(answer, Duration::from_secs(5));
            (sink.waker)();
        }
    }
}
