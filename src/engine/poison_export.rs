//! Writes the poisoned set of a run or an experiment as a folder of pictures (see `run::poisoned_set`).
//!
//! The pictures come from the overlay and the trigger with which the run trained and was judged, so they are exactly what
//! the network saw; PNG loses nothing. The folder appears under its name when it is whole.

use super::attacker::{Attacker, known_plan};
use super::backdoorbench::{self, AttackResult};
use super::failure;
use super::library::{Library, attacker_of};
use super::runner::Lines;
use crate::attacks::Moment;
use crate::catalogue;
use crate::data::manifest::{Manifest, Part, file_of, prints};
use crate::data::{Card, Dataset, Memory, Plan, Poisoned, RowKind, Split, Trigger, pictures};
use crate::experiment::{Experiment, Halt, Kind, Outcome, Problem, Property, Result, check};
use crate::nets::formats::safetensors;
use crate::run::atomic::{self, UNFINISHED};
use crate::run::event::{Ending, JobEvent};
use crate::run::folder::RunFolder;
use crate::run::job::Job;
use crate::run::poisoned_set::{Extent, PartFacts, PoisonExport, PoisonSource, PoisonedSet};
use std::cell::RefCell;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tch::Tensor;

/// Pictures that are made at once.
const AT_ONCE: usize = 256;
/// A file takes whole blocks of the disk.
const BLOCK: u64 = 4096;

/// Exports and tells the front; the last event says how it ended.
pub fn run(request: &PoisonExport, lines: Lines, library: &Rc<RefCell<Library>>) {
    let Lines { job, sink, signal, cells, interlude } = lines;
    let mut job = Job::unrecorded(job, 0, sink, signal, cells);
    job.on_tick(interlude);
    let outcome = catch_unwind(AssertUnwindSafe(|| export(&mut job, request, library)))
        .unwrap_or_else(|payload| Err(Halt::Problem(failure::from_panic(&*payload))));
    job.finish(JobEvent::Finished(match outcome {
        Ok(()) => Ending::Done,
        Err(Halt::Asked) => Ending::Stopped { kept: false },
        Err(Halt::Problem(problem)) => Ending::Failed(problem),
    }));
}

/// Writes a poisoned set; nothing is left behind if it fails or is stopped.
pub fn export(job: &mut Job, request: &PoisonExport, library: &Rc<RefCell<Library>>) -> Outcome<()> {
    let out = std::path::absolute(&request.out).map_err(|e| Problem::io("find this folder", &request.out, &e))?;
    refuse_taken(&out)?;
    let (folder, experiment) = match &request.from {
        PoisonSource::Run(path) => {
            let folder = RunFolder::open(path)?;
            let experiment = folder.experiment()?;
            (Some(folder), experiment)
        }
        PoisonSource::Spec(text) => (None, check::parse(text, catalogue::all())?),
    };
    let experiment = check::resolve(&experiment, catalogue::all());
    let data = library.borrow_mut().data(&experiment.data, experiment.seed)?;
    let attacker = attacker(folder.as_ref(), &experiment, &data, request.extent)?;
    let poison = &experiment.poison;
    let training = match attacker.plan.as_ref().filter(|_| request.extent != Extent::TestOnly) {
        Some(plan) => Some((plan, attacker.trigger(Moment::Training)?)),
        None => None,
    };
    let judged = Plan::judge(poison, data.test.labels(), data.test.card.classes.len() as i64);
    let strike = attacker.trigger(Moment::Test)?;

    let everything = request.extent == Extent::Everything;
    let train = training.as_ref().map(|(plan, trigger)| Stamping {
        split: "train",
        data: &data.train,
        plan,
        trigger: &**trigger,
        clean: if everything { all_rows(&data.train) } else { plan.poisoned.clone() },
    });
    let clean = if everything { all_rows(&data.test) } else { Vec::new() };
    let test = Stamping { split: "test", data: &data.test, plan: &judged, trigger: &*strike, clean };
    let parts: Vec<&Stamping> = train.iter().chain([&test]).collect();

    let files: u64 = parts.iter().map(|part| part.files()).sum();
    let card = &data.train.card;
    let each = (3 * card.height * card.width) as u64;
    atomic::ensure_space(&out, files * (each / BLOCK + 1) * BLOCK).map_err(|problem| Problem {
        remedy: vec!["Free some space or choose another folder.".to_owned()],
        ..problem
    })?;

    let parent = out.parent().unwrap_or(Path::new("."));
    let unfinished = unfinished_folder(parent).map_err(|e| Problem::io("make the folder of the export", &out, &e))?;
    job.phase("export", 0, 1);
    job.work(0, files, "pictures");
    let mut manifest = Manifest::default();
    for part in parts {
        let written = part.write(job, unfinished.path())?;
        if part.split == "train" { manifest.train = written } else { manifest.test = written }
    }
    let set = PoisonedSet {
        format: PoisonedSet::FORMAT,
        notice: PoisonedSet::NOTICE.to_owned(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        name: card.name.clone(),
        classes: card.classes.clone(),
        height: card.height,
        width: card.width,
        channels: card.channels,
        extent: request.extent,
        train: facts(&manifest.train, &data.train),
        test: facts(&manifest.test, &data.test),
        experiment: with_absolute_source(experiment.clone()),
    };
    atomic::write_atomic(&unfinished.path().join(PoisonedSet::MANIFEST), manifest.to_text(&card.classes).as_bytes())?;
    if let Some(result) = attack_result(folder.as_ref(), &experiment, card, &manifest)? {
        result.write(&unfinished.path().join(backdoorbench::FILE), &out)?;
    }
    let text = serde_json::to_vec_pretty(&set)
        .map_err(|e| Problem::internal("Cannot describe the exported set.").because(e))?;
    atomic::write_atomic(&unfinished.path().join(PoisonedSet::FILE), &text)?;
    // An empty folder may stand in the way; anything else was refused.
    let _ = fs::remove_dir(&out);
    fs::rename(unfinished.path(), &out).map_err(|e| Problem::io("finish the export", &out, &e))?;
    // What it watched over has another name now.
    let _ = unfinished.keep();
    job.note(set.counts());
    Ok(())
}

/// What BackdoorBench's scripts ask for, where there is an attacked model. They count rows in the whole data set, so
/// that a subset would mean other pictures to them.
fn attack_result<'a>(
    folder: Option<&RunFolder>,
    experiment: &'a Experiment,
    card: &'a Card,
    manifest: &'a Manifest,
) -> Result<Option<AttackResult<'a>>> {
    let whole = experiment.data.train_rows == 0 && experiment.data.test_rows == 0;
    let weights = folder.map(|folder| folder.weights("attacked")).filter(|weights| whole && weights.is_file());
    let Some(weights) = weights else { return Ok(None) };
    let (weights, _) = safetensors::read(&weights)?;
    let train = Some(&manifest.train).filter(|part| !part.stamped.is_empty());
    Ok(Some(AttackResult { network: &experiment.network.id, weights, card, train, test: &manifest.test }))
}

/// Whatever lies in a folder stays as it is.
fn refuse_taken(out: &Path) -> Result<()> {
    let taken = match fs::read_dir(out) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => out.exists(),
    };
    if taken {
        return Err(Problem::bad_input("There is something in this place already.")
            .at(out.display())
            .remedy("Choose another folder, or move that one away."));
    }
    Ok(())
}

/// The attack with the plan of the run; of an experiment that has not run, with the plan that it will have.
fn attacker(folder: Option<&RunFolder>, experiment: &Experiment, data: &Split, extent: Extent) -> Result<Attacker> {
    let Some(pick) = &experiment.attack else {
        return Err(Problem::bad_input("There is no attack in this experiment, so nothing in it is poisoned.")
            .remedy("Choose a run with an attack."));
    };
    let method = catalogue::find(&pick.id, |kind| kind == Kind::Attack)
        .ok_or_else(|| Problem::internal("An attack is missing in the catalogue."))?;
    let owns_loop = method.has(Property::OwnsLoop);
    if owns_loop && extent != Extent::TestOnly {
        return Err(Problem::bad_input(format!(
            "{} stamps its training pictures anew in every batch: there is no poisoned training set to export.",
            method.name
        ))
        .remedy("Export the stamped test set alone, with --test-only."));
    }
    let planned =
        || attacker_of(experiment, data)?.ok_or_else(|| Problem::internal("An experiment has lost its attack."));
    let attacker = match folder {
        Some(folder) if owns_loop && !folder.weights("attacked").is_file() => {
            return Err(learns_still(method.name).at(folder.path.display()));
        }
        None if owns_loop => return Err(learns_still(method.name)),
        Some(folder) => {
            let card = &data.train.card;
            let mut attacker = Attacker::of_run(folder, pick, card.height as i64, card.width as i64)?;
            attacker.plan = known_plan(folder);
            if attacker.plan.is_none() && !owns_loop { planned()? } else { attacker }
        }
        None => planned()?,
    };
    if attacker.plan.is_none() && extent != Extent::TestOnly {
        return Err(Problem::bad_input("This experiment has not chosen its poisoned pictures yet.")
            .remedy("Start it: what is poisoned is chosen first, then it can be exported."));
    }
    Ok(attacker)
}

fn learns_still(attack: &str) -> Problem {
    Problem::bad_input(format!("{attack} makes its trigger while the network is trained, and that is not done yet."))
        .remedy("Run the experiment to its end, then export that run.")
}

fn all_rows(data: &Memory) -> Vec<i64> {
    (0..data.labels.len() as i64).collect()
}

/// A folder that is removed again unless it is kept.
fn unfinished_folder(parent: &Path) -> std::io::Result<tempfile::TempDir> {
    fs::create_dir_all(parent)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)]
    {
        // Temporary folders are private by default; this one will be as readable as any other of the user.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o777));
    }
    builder.tempdir_in(parent)
}

/// A set may be used from anywhere.
fn with_absolute_source(mut experiment: Experiment) -> Experiment {
    let source = Path::new(&experiment.data.source);
    if source.exists()
        && let Ok(path) = std::path::absolute(source)
    {
        experiment.data.source = path.display().to_string();
    }
    experiment
}

fn facts(part: &Part, data: &Memory) -> PartFacts {
    PartFacts { rows: part.labels.len(), stamped: part.stamped.len(), hash: data.card.hash.clone() }
}

/// The training or the test part, and how it is stamped.
struct Stamping<'a> {
    split: &'static str,
    data: &'a Memory,
    plan: &'a Plan,
    trigger: &'a dyn Trigger,
    /// Rows that are written without the trigger too.
    clean: Vec<i64>,
}

impl Stamping<'_> {
    fn files(&self) -> u64 {
        let cross = self.trigger.cross().map_or(0, |_| self.data.len());
        (self.clean.len() + self.plan.poisoned.len() + cross) as u64
    }

    fn write(&self, job: &mut Job, folder: &Path) -> Outcome<Part> {
        let labels = &self.data.labels;
        let mut part = Part { labels: labels.clone(), clean: vec![None; labels.len()], ..Part::default() };
        for rows in all_rows(self.data).chunks(AT_ONCE) {
            job.tick()?;
            part.prints.extend(prints(&self.data.pixels(rows)?)?);
        }
        self.pictures(job, folder, RowKind::Clean, &self.clean, self.data, |row, _, file| {
            part.clean[row as usize] = Some(file);
        })?;
        let stamped = Poisoned::new(self.data, self.plan, self.trigger);
        self.pictures(job, folder, RowKind::Poisoned, &self.plan.poisoned, &stamped, |row, label, file| {
            part.stamped.insert(row, (file, label));
        })?;
        if let Some(disturbance) = self.trigger.cross() {
            let disturbed = Poisoned::cross(self.data, disturbance);
            self.pictures(job, folder, RowKind::Cross, &all_rows(self.data), &disturbed, |row, _, file| {
                part.cross.insert(row, file);
            })?;
        }
        Ok(part)
    }

    /// Writes pictures of these rows, and tells row, label and file of each.
    fn pictures(
        &self,
        job: &mut Job,
        folder: &Path,
        kind: RowKind,
        rows: &[i64],
        data: &dyn Dataset,
        mut written: impl FnMut(i64, i64, PathBuf),
    ) -> Outcome<()> {
        for rows in rows.chunks(AT_ONCE) {
            let pixels = data.pixels(rows)?;
            for (place, &row) in (0i64..).zip(rows) {
                job.tick()?;
                let file = file_of(kind, self.split, self.data.labels[row as usize], row);
                write(&folder.join(&file), &png(&pixels.get(place), self.data.card.channels)?)?;
                written(row, data.labels()[row as usize], file);
                job.advance(1);
            }
        }
        Ok(())
    }
}

/// A PNG of u8 `[3, H, W]`. Pictures of a grey data set stay grey, unless the trigger has put colours into them.
fn png(pixels: &Tensor, channels: usize) -> Result<Vec<u8>> {
    let grey = pixels.narrow(0, 0, 1);
    if channels == 1 && grey.expand_as(pixels).equal(pixels) {
        pictures::plain_png(&grey)
    } else {
        pictures::plain_png(pixels)
    }
}

/// The folder as a whole is unfinished until it is renamed, so its files need no such care each.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, bytes));
    written.map_err(|e| Problem::io("write a picture of the poisoned set", path, &e))
}
