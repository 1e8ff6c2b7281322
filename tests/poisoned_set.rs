//! The poisoned set as a folder: what is exported is what was trained on, and training on it again gives the same figures.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use polariscope::attacks::{self, Moment};
use polariscope::data::manifest::Manifest;
use polariscope::data::sources::{self, SourceChoice, open_poisoned};
use polariscope::data::{Dataset, Plan, Poisoned, Trigger};
use polariscope::engine::{Attacker, Library, Worker, inspect};
use polariscope::experiment::{Code, Experiment, Problem, check};
use polariscope::nets::formats::{self, PoisonedPicture};
use polariscope::run::event::{Command, Ending, Event, JobEvent, JobId, RunRequest};
use polariscope::run::folder::RunFolder;
use polariscope::run::handle::Engine;
use polariscope::run::poisoned_set::{Extent, PoisonExport, PoisonSource, PoisonedSet};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const JOB: JobId = JobId(1);

/// A worker and a folder of its own.
struct Place {
    folder: tempfile::TempDir,
    worker: Worker,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), worker: Worker::start(Box::new(|| {})).unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sends a job and waits for its end.
    fn job(&mut self, command: Command) -> Ending {
        self.worker.send(command).unwrap();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(300) {
            if let Some(Event::Job(_, JobEvent::Finished(ending))) = self.worker.wait(Duration::from_millis(100)) {
                return ending;
            }
        }
        panic!("waited too long for the end");
    }

    fn run(&mut self, spec: &str, name: &str) -> PathBuf {
        let folder = self.path(name);
        let request = RunRequest { spec: spec.to_owned(), folder: Some(folder.clone()), resume: false };
        assert_eq!(self.job(Command::Start { job: JOB, request: Box::new(request) }), Ending::Done);
        folder
    }

    fn export(&mut self, from: PoisonSource, out: &Path, extent: Extent) -> Ending {
        let request = PoisonExport { from, out: out.to_owned(), extent };
        self.job(Command::ExportPoison { job: JOB, request: Box::new(request) })
    }

    /// Exports what must work.
    fn exported(&mut self, run: &Path, name: &str, extent: Extent) -> PathBuf {
        let out = self.path(name);
        assert_eq!(self.export(PoisonSource::Run(run.to_owned()), &out, extent), Ending::Done);
        out
    }

    fn refused(&mut self, from: PoisonSource, extent: Extent) -> Problem {
        let out = self.path("refused");
        let Ending::Failed(problem) = self.export(from, &out, extent) else { panic!("it must be refused") };
        assert!(!out.exists(), "nothing is left behind");
        problem
    }
}

/// A quick experiment on 300 + 100 pictures.
fn spec(epochs: usize, more: &str) -> String {
    format!(
        "seed = 3\nthreads = 1\ndevice = 'cpu'\n[data]\nsource = 'fashion-mini'\ntrain_rows = 300\ntest_rows = 100\n\
         [network]\nid = 'small-resnet'\noptions = {{ width = 4 }}\n\
         [train]\nepochs = {epochs}\nbatch = 30\nlearning_rate = 0.1\nprecision = 'f32'\n{more}"
    )
}

fn again(folder: &Path) -> String {
    check::to_toml(&PoisonedSet::read(folder).unwrap().retrain(folder).unwrap()).unwrap()
}

/// Scores of all rows, without seconds.
fn scores(run: &Path) -> Vec<Value> {
    let results: Value = serde_json::from_slice(&fs::read(run.join("results.json")).unwrap()).unwrap();
    results["rows"].as_array().unwrap().iter().map(|row| row["scores"].clone()).collect()
}

/// The curves but for what they cost.
fn curves(run: &Path) -> Vec<String> {
    let points = RunFolder::open(run).unwrap().points().unwrap();
    points.iter().map(|point| format!("{} {} {} {}", point.phase, point.metric, point.epoch, point.value)).collect()
}

fn experiment_of(run: &Path) -> Experiment {
    RunFolder::open(run).unwrap().experiment().unwrap()
}

/// The trigger of a run and its plan.
fn own(run: &Path, moment: Moment, side: i64) -> (Box<dyn Trigger>, Plan) {
    let folder = RunFolder::open(run).unwrap();
    let attacker = Attacker::of_run(&folder, &experiment_of(run).attack.unwrap(), side, side).unwrap();
    (attacker.trigger(moment).unwrap(), folder.read_json(RunFolder::PLAN).unwrap())
}

#[test]
fn trained_again_on_the_folder_the_figures_are_the_same() {
    let mut place = Place::new();
    let attack = "[attack]\nid = 'blended'\n[poison]\nratio = 0.1\ntarget = 2\n[defender]\nclean_ratio = 0.2\n\
                  [[defense]]\nid = 'ft'\noptions = { epochs = 1 }\n";
    let run = place.run(&spec(2, attack), "run");
    let before = (scores(&run), curves(&run));
    assert_eq!(before.0.len(), 2);
    for (name, extent) in [("poison", Extent::Poison), ("all", Extent::Everything)] {
        let set = place.exported(&run, name, extent);
        // It may lie anywhere.
        let moved = place.path(&format!("{name}-moved"));
        fs::rename(&set, &moved).unwrap();
        let second = place.run(&again(&moved), &format!("{name}-run"));
        assert_eq!((scores(&second), curves(&second)), before, "{name}");
    }
}

#[test]
fn pictures_labels_rows_and_kinds_come_back_bit_by_bit() {
    let mut place = Place::new();
    // Strikes harder than it trains, and relabels every class to the next.
    let attack = "[attack]\nid = 'blended'\noptions = { alpha_train = 0.1, alpha_test = 0.25 }\n\
                  [poison]\nratio = 0.2\nlabel_map = 'all-to-all'\n";
    let run = place.run(&spec(1, attack), "run");
    let folder = place.exported(&run, "set", Extent::Everything);
    let experiment = experiment_of(&run);
    let data = Library::default().data(&experiment.data, experiment.seed).unwrap();
    let (set, manifest) = open_poisoned(&folder).unwrap();
    let opened = sources::open(&folder.to_string_lossy(), &SourceChoice::default()).unwrap();
    let stored = attacks::make("stored", &Value::Object(PoisonedSet::attack(&folder).options)).unwrap();
    let (_, plan) = own(&run, Moment::Training, 28);
    let judged = Plan::judge(&experiment.poison, data.test.labels(), 10);
    for (clean, before, part, plan, moment) in [
        (&opened.train, &data.train, &manifest.train, &plan, Moment::Training),
        (&opened.test, &data.test, &manifest.test, &judged, Moment::Test),
    ] {
        assert!(clean.pixels.equal(&before.pixels) && clean.labels == before.labels);
        assert_eq!(clean.card.hash, before.card.hash);
        assert_eq!(part.stamped.keys().copied().collect::<Vec<_>>(), plan.poisoned);
        let trigger = own(&run, moment, 28).0;
        let (was, is) = (Poisoned::new(before, plan, &*trigger), stored.stamp());
        let look_up = is.trigger(&Default::default(), 28, 28, moment).unwrap();
        let is = Poisoned::new(clean, plan, &*look_up);
        assert_eq!((was.labels(), was.kinds()), (is.labels(), is.kinds()));
        let rows: Vec<i64> = (0..before.len() as i64).rev().collect();
        assert!(was.pixels(&rows).unwrap().equal(&is.pixels(&rows).unwrap()));
        assert!(part.stamped.iter().all(|(&row, (_, label))| *label == was.labels()[row as usize]));
    }
    // BackdoorBench's places.
    let row = plan.poisoned[0];
    let label = data.train.labels()[row as usize];
    assert!(folder.join(format!("bd_train_dataset/{label}/{row}.png")).is_file());
    assert!(folder.join(format!("clean_train_dataset/{label}/{row}.png")).is_file());
    assert_eq!((set.train.stamped, set.test.stamped, set.channels), (60, 100, 1));
    let report = inspect(&folder).unwrap();
    assert_eq!(report.title, format!("Poisoned set: blended on {}", data.train.card.name));
    assert!(report.warnings[0].contains("poisoned on purpose"));
}

#[test]
fn backdoorbench_finds_its_own_file_in_the_folder() {
    let mut place = Place::new();
    let small = "[attack]\nid = 'badnets'\n[poison]\nratio = 0.01\ntarget = 2\n";
    let whole = spec(1, small).replace("train_rows = 300\ntest_rows = 100\n", "").replace("batch = 30", "batch = 500");
    let run = place.run(&whole, "run");
    let folder = place.exported(&run, "set", Extent::Poison);
    let (about, manifest) = open_poisoned(&folder).unwrap();
    let file = formats::read(&folder.join("attack_result.pt")).unwrap();
    let (weights, _) = formats::safetensors::read(&RunFolder::open(&run).unwrap().weights("attacked")).unwrap();
    assert_eq!(file.params.len(), weights.len());
    for (name, tensor) in weights.iter() {
        assert!(file.params.get(name).unwrap().equal(tensor), "{name}");
    }
    assert_eq!(file.skipped, [] as [String; 0]);
    let result = file.backdoorbench.unwrap();
    assert_eq!((result.model_name.as_str(), result.clean_data.as_str()), ("smallresnet", "fashionmnist"));
    assert_eq!((result.num_classes, result.img_size), (10, Some((28, 28, 1))));
    for (set, part, all) in [
        (result.train.unwrap(), &manifest.train, about.train.rows),
        (result.test.unwrap(), &manifest.test, about.test.stamped),
    ] {
        assert_eq!((set.original_index.len(), set.poison_indicator.len()), (all, part.labels.len()));
        assert_eq!(set.entries.len(), part.stamped.len());
        for entry in &set.entries {
            let row = entry.index as i64;
            assert!(set.poison_indicator[entry.index]);
            assert_eq!((entry.used_label, entry.true_label), (2, part.labels[entry.index]));
            let PoisonedPicture::File(path) = &entry.picture else { panic!("pictures are files") };
            assert_eq!(Path::new(path), folder.join(&part.stamped[&row].0));
        }
    }
    // Rows of a subset would mean other pictures there.
    let part = place.run(&spec(1, small), "part");
    assert!(!place.exported(&part, "part-set", Extent::Poison).join("attack_result.pt").exists());
}

#[test]
fn what_cannot_be_exported_is_refused_in_a_sentence() {
    let mut place = Place::new();
    let clean = place.run(&spec(1, ""), "clean");
    let problem = place.refused(PoisonSource::Run(clean), Extent::Poison);
    assert!(problem.headline.contains("no attack"), "{problem}");

    let looping = "[attack]\nid = 'wanet'\n";
    let problem = place.refused(PoisonSource::Spec(spec(1, looping)), Extent::Poison);
    assert!(problem.headline.contains("anew in every batch") && problem.remedy[0].contains("--test-only"), "{problem}");
    let problem = place.refused(PoisonSource::Spec(spec(1, looping)), Extent::TestOnly);
    assert!(problem.headline.contains("not done yet"), "{problem}");

    let learned = "[attack]\nid = 'badnets'\n[selection]\nid = 'lps'\noptions = { rounds = 97 }\n";
    let problem = place.refused(PoisonSource::Spec(spec(1, learned)), Extent::Poison);
    assert!(problem.headline.contains("not chosen"), "{problem}");

    let nowhere = place.path("nowhere");
    let problem = place.refused(PoisonSource::Run(nowhere), Extent::Poison);
    assert!(problem.headline.contains("does not hold a run"), "{problem}");

    // What lies there stays.
    let taken = place.path("taken");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("mine.txt"), "mine").unwrap();
    let badnets = || PoisonSource::Spec(spec(1, "[attack]\nid = 'badnets'\n"));
    let Ending::Failed(problem) = place.export(badnets(), &taken, Extent::Poison) else { panic!("it is taken") };
    assert!(problem.headline.contains("something in this place"), "{problem}");
    assert_eq!(fs::read_dir(&taken).unwrap().count(), 1);

    // Nothing of all that was left behind, and an empty folder is no obstacle.
    let empty = place.path("empty");
    fs::create_dir(&empty).unwrap();
    assert_eq!(place.export(badnets(), &empty, Extent::Poison), Ending::Done);
    assert_eq!(PoisonedSet::read(&empty).unwrap().train.stamped, 30);
    let mut left: Vec<_> = fs::read_dir(place.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["clean", "empty", "taken"]);
}

#[test]
fn a_stopped_export_leaves_nothing() {
    let mut place = Place::new();
    let request = PoisonExport {
        from: PoisonSource::Spec(spec(1, "[attack]\nid = 'badnets'\n").replace("train_rows = 300\n", "")),
        out: place.path("set"),
        extent: Extent::Everything,
    };
    place.worker.send(Command::ExportPoison { job: JOB, request: Box::new(request) }).unwrap();
    place.worker.send(Command::Stop { job: JOB, keep: true }).unwrap();
    let ending = loop {
        if let Some(Event::Job(_, JobEvent::Finished(ending))) = place.worker.wait(Duration::from_secs(60)) {
            break ending;
        }
    };
    assert_eq!(ending, Ending::Stopped { kept: false });
    assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), 0);
}

#[test]
fn what_does_not_fit_is_refused_before_any_training() {
    let mut place = Place::new();
    let planned = PoisonSource::Spec(spec(1, "[attack]\nid = 'badnets'\n[poison]\ntarget = 4\n"));
    let set = place.path("set");
    assert_eq!(place.export(planned, &set, Extent::Poison), Ending::Done);
    let good = again(&set);
    let mut refused = |spec: &str| {
        let request = RunRequest { spec: spec.to_owned(), folder: Some(place.path("run")), resume: false };
        let Ending::Failed(problem) = place.job(Command::Start { job: JOB, request: Box::new(request) }) else {
            panic!("it must be refused")
        };
        assert!(!place.path("run").exists(), "no run is left");
        problem
    };
    let change = |from: &str, to: &str| {
        assert!(good.contains(from), "{from} is not in {good}");
        good.replacen(from, to, 1)
    };
    let problem = refused(&change("target = 4", "target = 5"));
    assert_eq!(problem.place.as_deref(), Some("poison.target"), "{problem}");
    let problem = refused(&change("all-to-one", "all-to-all"));
    assert_eq!(problem.place.as_deref(), Some("poison.label_map"), "{problem}");
    let problem = refused(&change("seed = 3", "seed = 4"));
    assert_eq!(problem.place.as_deref(), Some("data.source"), "{problem}");
    assert!(problem.remedy[0].contains("data.train_rows = 300"), "{problem}");
    let problem = refused(&change("test_rows = 100", "test_rows = 90"));
    assert!(problem.headline.contains("other pictures"), "{problem}");
    let problem = refused(&format!("{good}\n[selection]\nid = 'random'\n"));
    assert!(problem.headline.contains("none can be selected"), "{problem}");
    let problem = refused(&change(&format!("{}", set.display()), "/no/such/folder"));
    assert_eq!(problem.code, Code::MissingFile, "{problem}");

    // As a data set of its own it is not whole.
    let problem = sources::open(&set.to_string_lossy(), &SourceChoice::default()).err().unwrap();
    assert!(
        problem.headline.contains("not the whole data set") && problem.remedy[1].contains("fashion-mini"),
        "{problem}"
    );

    // A picture that is missing or of another size is told before the training as well.
    let (_, manifest) = open_poisoned(&set).unwrap();
    let (file, _) = manifest.test.stamped.values().last().unwrap();
    let (other, _) = manifest.train.stamped.values().next().unwrap();
    fs::copy(set.join(other), set.join(file)).unwrap();
    fs::remove_file(set.join(file)).unwrap();
    let problem = refused(&good);
    assert_eq!((problem.code, problem.place.unwrap()), (Code::BadFile, set.join(file).display().to_string()));
    image_of(&set.join(file), 27);
    assert!(refused(&good).detail[0].contains("27 x 27"));
}

fn image_of(path: &Path, side: u32) {
    image::GrayImage::new(side, side).save(path).unwrap();
}

#[test]
fn of_an_attack_that_owns_the_loop_the_test_pictures_are_there() {
    let mut place = Place::new();
    let run = place.run(&spec(1, "[attack]\nid = 'wanet'\n"), "run");
    let problem = place.refused(PoisonSource::Run(run.clone()), Extent::Everything);
    assert!(problem.remedy[0].contains("--test-only"), "{problem}");
    let set = place.exported(&run, "set", Extent::TestOnly);
    let (about, manifest): (PoisonedSet, Manifest) = open_poisoned(&set).unwrap();
    assert_eq!((about.train.rows, about.test.stamped, manifest.test.cross.len()), (0, 90, 100));
    assert!(set.join("cross_test_dataset").is_dir() && !set.join("bd_train_dataset").exists());
    assert!(about.retrain(&set).unwrap_err().headline.contains("only stamped test pictures"));
    // Stamped and disturbed pictures are what the run's own trigger makes.
    let experiment = experiment_of(&run);
    let data = Library::default().data(&experiment.data, experiment.seed).unwrap();
    let folder = RunFolder::open(&run).unwrap();
    let attacker = Attacker::of_run(&folder, &experiment.attack.unwrap(), 28, 28).unwrap();
    let own = attacker.trigger(Moment::Test).unwrap();
    let stored = attacks::make("stored", &Value::Object(PoisonedSet::attack(&set).options)).unwrap();
    let stored = stored.stamp().trigger(&Default::default(), 28, 28, Moment::Test).unwrap();
    let rows: Vec<i64> = manifest.test.stamped.keys().copied().collect();
    let clean = data.test.pixels(&rows).unwrap();
    assert!(own.apply(&clean, &rows).unwrap().equal(&stored.apply(&clean, &rows).unwrap()));
    let (own, stored) = (own.cross().unwrap(), stored.cross().unwrap());
    assert!(own.apply(&clean, &rows).unwrap().equal(&stored.apply(&clean, &rows).unwrap()));
}
