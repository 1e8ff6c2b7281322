//! `polariscope run SPEC`.

use super::progress::Display;
use super::{Output, exit};
use crate::catalogue;
use crate::engine::Worker;
use crate::experiment::{Code, Problem, Result, Spec, check};
use crate::run::event::{Command, Ending, Event, JobEvent, JobId, RunRequest};
use crate::run::folder::RunFolder;
use crate::run::handle::{Engine, Shutdown, leave};
use crate::run::{PoisonedSet, checked};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[derive(clap::Args)]
pub struct Arguments {
    /// The experiment as TOML, or the folder of an exported poisoned set to train on it again.
    spec: PathBuf,
    /// Change a value: `--set poison.ratio=0.01`, `--set defense.0.options.epochs=5`.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// The run folder; by default a folder of its own among the user's runs.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Continue an interrupted run.
    #[arg(long)]
    resume: bool,
    /// Where to compute: auto, cpu, cuda or cuda:N; the same as `--set device=...`.
    #[arg(long)]
    device: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// How long the worker may take to drop its tensors.
const PATIENCE: Duration = Duration::from_secs(3);

pub fn run(arguments: &Arguments) -> Result<i32> {
    let mut patches = arguments.set.clone();
    patches.extend(arguments.device.as_ref().map(|device| format!("device=\"{device}\"")));
    let spec = read_spec(&arguments.spec, &patches)?.to_toml()?;
    let mut terminal = Terminal::start()?;
    let request = RunRequest { spec, folder: arguments.out.clone(), resume: arguments.resume };
    let (folder, ending) = terminal.run(request)?;
    terminal.close(|| report(arguments.output, folder, &ending))
}

/// A worker whose jobs are shown on the terminal and stopped by its signals.
pub struct Terminal {
    worker: Worker,
    interrupts: Arc<AtomicUsize>,
    jobs: u64,
}

impl Terminal {
    pub fn start() -> Result<Self> {
        let interrupts = count_interrupts()?;
        Ok(Self { worker: Worker::start(Box::new(|| {}))?, interrupts, jobs: 0 })
    }

    /// Runs one job to its end; tells the run folder, where it got one, and how it ended.
    pub fn run(&mut self, request: RunRequest) -> Result<(Option<PathBuf>, Ending)> {
        let mut folder = None;
        let stopping = "Stopping after this batch; what was reached is kept. Once more leaves at once.";
        let start = |job| Command::Start { job, request: Box::new(request) };
        let ending = self.follow(stopping, start, |event| {
            if let JobEvent::Started { folder: path, .. } = event {
                folder = Some(path.clone());
            }
        })?;
        Ok((folder, ending))
    }

    /// Shows one job to its end, which it tells; `stopping` is said when it is interrupted.
    pub fn follow(
        &mut self,
        stopping: &str,
        command: impl FnOnce(JobId) -> Command,
        mut look: impl FnMut(&JobEvent),
    ) -> Result<Ending> {
        self.jobs += 1;
        let job = JobId(self.jobs);
        self.worker.send(command(job))?;
        let mut display = Display::new();
        let mut stopped = false;
        let ending = loop {
            match self.worker.wait(Duration::from_millis(200)) {
                Some(Event::Job(_, JobEvent::Finished(ending))) => break ending,
                Some(Event::Job(_, event)) => {
                    look(&event);
                    display.event(&event);
                }
                Some(Event::Broken(problem)) => break Ending::Failed(problem),
                Some(Event::Answer(..)) | None => {}
            }
            if let Some(progress) = self.worker.progress(job) {
                display.progress(&progress);
            }
            match self.interrupts.load(Ordering::SeqCst) {
                0 => {}
                1 if !stopped => {
                    stopped = true;
                    display.line(stopping);
                    self.worker.send(Command::Stop { job, keep: true })?;
                }
                1 => {}
                _ => leave(exit::STOPPED),
            }
        };
        display.finish();
        Ok(ending)
    }

    /// Ends the worker and returns the exit code that `report` gives.
    pub fn close(mut self, report: impl FnOnce() -> Result<i32>) -> Result<i32> {
        if self.worker.shutdown(PATIENCE) == Shutdown::Forced {
            // Results are on disk; a worker that hangs in a library must not hold the terminal.
            leave(report()?);
        }
        report()
    }
}

/// A spec with patches; that of an exported poisoned set trains on it again. One that is wrong is told with the name of its file and the right line, before anything starts.
pub fn read_spec(path: &Path, patches: &[String]) -> Result<Spec> {
    let text = if PoisonedSet::lies_at(path) {
        check::to_toml(&PoisonedSet::read(path)?.retrain(path)?)?
    } else {
        std::fs::read_to_string(path).map_err(|e| Problem::io("read the spec", path, &e))?
    };
    check::parse_patched(&text, patches, catalogue::all()).map_err(|problem| Problem {
        place: Some(match &problem.place {
            Some(place) => format!("{}, {place}", path.display()),
            None => path.display().to_string(),
        }),
        ..problem
    })
}

/// Prints what a run came to, and returns its exit code.
pub fn report(output: Output, folder: Option<PathBuf>, ending: &Ending) -> Result<i32> {
    let results = folder
        .as_ref()
        .map(|path| RunFolder::open(path).and_then(|folder| folder.results()))
        .transpose()
        // A discarded or failed run may have no folder; that is no second problem.
        .unwrap_or(None)
        .flatten()
        .unwrap_or_default();
    let (state, code) = match ending {
        Ending::Done => ("done", exit::DONE),
        Ending::Stopped { .. } => ("stopped", exit::STOPPED),
        Ending::Failed(problem) => ("failed", problem.code.exit_code()),
    };
    let problem = match ending {
        Ending::Failed(problem) => Some(problem),
        _ => None,
    };
    if let Some(problem) = problem {
        eprintln!("error: {problem}");
    }
    let mut value = json!({ "state": state, "folder": folder, "results": results.to_json(), "problem": problem });
    if !results.checks.is_empty() {
        value["checks"] = json!(results.checks);
        value["subject"] = json!(results.subject);
        value["conclusion"] = checked::conclusion(&results.checks).into();
    }
    if problem.is_none() || output.json {
        output.print(&value, || {
            let place = folder.as_ref().map_or(String::new(), |path| {
                let pictures = path.join("images");
                let pictures =
                    if pictures.is_dir() { format!("\npictures    {}", pictures.display()) } else { String::new() };
                format!("\nrun folder  {}{pictures}", path.display())
            });
            format!("{}{place}", results.to_text())
        })?;
    }
    Ok(code)
}

/// Counts Ctrl+C and termination signals.
fn count_interrupts() -> Result<Arc<AtomicUsize>> {
    let count = Arc::new(AtomicUsize::new(0));
    let of_handler = Arc::clone(&count);
    ctrlc::set_handler(move || {
        of_handler.fetch_add(1, Ordering::SeqCst);
    })
    .map_err(|e| Problem::new(Code::Internal, "Cannot listen for Ctrl+C.").because(e))?;
    Ok(count)
}
