//! The life of a run: its folder, its lock, its state on disk, and how it ends.

use super::library::Library;
use super::phases::phases;
use super::work::{Work, weights_name};
use super::{failure, fair};
use crate::attacks::input_aware::MASK_PHASE;
use crate::attacks::workshop::CRAFTING;
use crate::attacks::{selection, surrogate};
use crate::catalogue;
use crate::experiment::{Experiment, Halt, Result, Spec};
use crate::nets::device;
use crate::nets::formats::safetensors;
use crate::run::event::{Ending, JobEvent, JobId, RunRequest};
use crate::run::folder::{Found, RunFolder, folder_name_of, runs_folder};
use crate::run::job::{Cells, Interlude, Job, Signal, Sink, Wish};
use crate::run::journal;
use crate::run::results::{Results, STOPPED_EARLY};
use crate::run::status::{State, Status};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use tch::{Device, Kind};

/// The lines between a job and the world.
pub struct Lines {
    pub job: JobId,
    pub sink: Sink,
    pub signal: Signal,
    pub cells: Arc<Cells>,
    pub interlude: Interlude,
}

/// Where the numbers were made; a resumed run keeps its arithmetic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Machine {
    program: String,
    libtorch: String,
    system: String,
    device: String,
    /// Kind of the heavy arithmetic: `f32` or `bf16`.
    arithmetic: String,
    threads: usize,
}

/// Runs an experiment to its end, whatever that is, and tells the front.
pub fn run(request: &RunRequest, lines: Lines, library: &Rc<RefCell<Library>>) {
    let (sink, id) = (lines.sink.clone(), lines.job);
    if let Err(problem) = attempt(request, lines, library) {
        // There is no run folder and no job yet: only the front can be told.
        let event = crate::run::event::Event::Job(id, JobEvent::Finished(Ending::Failed(problem)));
        let _ = sink.events.send_timeout(event, std::time::Duration::from_secs(5));
        (sink.waker)();
    }
}

fn attempt(request: &RunRequest, lines: Lines, library: &Rc<RefCell<Library>>) -> Result<()> {
    let methods = catalogue::all();
    let spec = Spec::parse(&request.spec, methods)?.resolve(methods);
    let text = spec.to_toml()?;
    let path = match &request.folder {
        Some(path) => path.clone(),
        None => runs_folder()?.join(folder_name_of(&spec)),
    };
    let (device, kind) = match &spec {
        Spec::Backdoor(experiment) => {
            let device = device::choose(experiment.device)?;
            (device, device::kind(experiment.train.precision, device))
        }
        Spec::Fair(_) => (Device::Cpu, Kind::Double),
    };
    let folder = if request.resume {
        let (folder, found) = RunFolder::resume(&path, &text)?;
        if found == Found::Finished {
            return tell_finished(folder, lines);
        }
        folder
    } else {
        RunFolder::create(&path, &text)?
    };

    let machine = machine(&folder, spec.threads(), device, kind)?;
    tch::set_num_threads(machine.threads as i32);
    match &spec {
        Spec::Backdoor(experiment) => forget_unfinished(&folder, experiment)?,
        Spec::Fair(_) => fair::forget(&folder)?,
    }
    let mut status = Status::now(State::Running);
    folder.set_status(&status)?;

    let Lines { job, sink, signal, cells, interlude } = lines;
    let mut job = Job::new(job, &folder.path, spec.seed(), sink, signal, cells)?;
    job.on_tick(interlude);
    job.send(JobEvent::Started {
        folder: folder.path.clone(),
        device: format!("{} {}", machine.device, machine.arithmetic),
        threads: machine.threads,
    });

    let work = || match &spec {
        Spec::Backdoor(experiment) => {
            let kind = if machine.arithmetic == "bf16" { Kind::BFloat16 } else { Kind::Float };
            Work { experiment, folder: &folder, device, kind, results: Results::default(), watched: None }
                .all(&mut job, library)
        }
        Spec::Fair(experiment) => fair::run(&mut job, experiment, &folder),
    };
    let outcome = catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|payload| Err(Halt::Problem(failure::from_panic(&*payload))));
    let ending = match outcome {
        Ok(()) => Ending::Done,
        Err(Halt::Asked) => Ending::Stopped { kept: job.signal().get() != Wish::Discard },
        Err(Halt::Problem(problem)) => Ending::Failed(problem),
    };
    status = match &ending {
        Ending::Done => status.ended(State::Done, None),
        Ending::Stopped { .. } => status.ended(State::Stopped, None),
        Ending::Failed(problem) => status.ended(State::Failed, Some(problem.clone())),
    };
    let written = folder.set_status(&status);
    // A job that was refused before its first step leaves nothing worth a place in the list of runs.
    let empty = matches!(ending, Ending::Failed(_))
        && !folder.file("weights").exists()
        && std::fs::metadata(folder.journal()).map_or(0, |file| file.len()) == 0;
    if ending == (Ending::Stopped { kept: false }) || empty {
        let path = folder.path.clone();
        if let Err(problem) = folder.discard() {
            job.warn(problem.at(path.display()));
        }
    } else if let Err(problem) = written {
        job.warn(problem);
    }
    job.finish(JobEvent::Finished(ending));
    Ok(())
}

/// `--resume` on a finished run is no mistake: its results are told again.
fn tell_finished(folder: RunFolder, lines: Lines) -> Result<()> {
    let Lines { job, sink, signal, cells, .. } = lines;
    let mut job = Job::new(job, &folder.path, 0, sink, signal, cells)?;
    job.send(JobEvent::Started { folder: folder.path.clone(), device: "none".into(), threads: 0 });
    job.note("This experiment was already finished in this folder.");
    job.send(JobEvent::Metrics(folder.points()?));
    job.finish(JobEvent::Finished(Ending::Done));
    Ok(())
}

/// The arithmetic of this run: the recorded one when it goes on, else what fits the machine.
fn machine(folder: &RunFolder, threads: usize, device: Device, kind: Kind) -> Result<Machine> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if threads == 0 { cores } else { threads };
    let now = Machine {
        program: env!("CARGO_PKG_VERSION").into(),
        libtorch: "2.11.0".into(),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        device: device::name(device),
        arithmetic: device::kind_name(kind).into(),
        threads,
    };
    let machine = match folder.read_json::<Machine>("machine.json") {
        Ok(before) if before.device == now.device => {
            Machine { arithmetic: before.arithmetic, threads: before.threads, ..now }
        }
        _ => now,
    };
    folder.write_json("machine.json", &machine)?;
    Ok(machine)
}

/// Takes back from journal and results what an interrupted phase will do again.
fn forget_unfinished(folder: &RunFolder, experiment: &Experiment) -> Result<()> {
    let mut results = folder.results()?.unwrap_or_default();
    let before = results.rows.len();
    results.rows.retain(|row| row.note != STOPPED_EARLY);
    if results.rows.len() != before {
        folder.set_results(&results)?;
    }
    let phases = phases(experiment);
    let checked = |id: &str| results.checks.iter().any(|found| found.check == id);
    for phase in phases.ids().chain([selection::PHASE, MASK_PHASE, surrogate::PHASE, CRAFTING]) {
        let done = match phase {
            selection::PHASE => folder.file(RunFolder::PLAN).exists(),
            MASK_PHASE | surrogate::PHASE | CRAFTING => folder.trigger().exists(),
            id if phases.checks.iter().any(|(check, _)| check == id) => checked(id),
            _ => folder.weights(&weights_name(phase)).exists(),
        };
        if done {
            continue;
        }
        let epoch = match epoch_reached(folder, phase) {
            Some(epoch) => epoch,
            // A finished surrogate lies in the workshop and is not trained again.
            None if phase == surrogate::PHASE => continue,
            None => 0.0,
        };
        journal::truncate_after(&folder.journal(), phase, epoch)?;
        // What a phase did before its passes is done again: `tsbd/unlearning`.
        let inner: BTreeSet<String> = folder.points()?.into_iter().map(|point| point.phase).collect();
        for inner in inner.iter().filter(|inner| inner.strip_prefix(phase).is_some_and(|rest| rest.starts_with('/'))) {
            journal::truncate_after(&folder.journal(), inner, f64::NEG_INFINITY)?;
        }
    }
    Ok(())
}

/// The epoch at which a phase would go on.
fn epoch_reached(folder: &RunFolder, phase: &str) -> Option<f64> {
    let (_, facts) = safetensors::read(&folder.resume_folder().join(format!("{phase}.safetensors"))).ok()?;
    facts.get("epoch")?.parse().ok()
}
