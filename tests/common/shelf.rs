//! A shelf of runs that are only in memory.

use polariscope::app::archive::{Archive, RunsOnDisk};
use polariscope::app::job::{JobState, JobView};
use polariscope::experiment::fair::FAIR_REGRESSION;
use polariscope::experiment::{Code, Problem, Result, Scores, check};
use polariscope::run::bin::Binned;
use polariscope::run::event::{Ending, MetricPoint, Rgba};
use polariscope::run::index::RunRow;
use polariscope::run::{FairRow, Found, ResultRow, Results, Review, State};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Runs that are only in memory.
#[derive(Default)]
pub struct Shelf {
    pub rows: Mutex<Vec<RunRow>>,
    pub bin: Mutex<Vec<RunRow>>,
    /// Nothing can be written.
    pub read_only: bool,
    pub results: Mutex<Vec<ResultRow>>,
    /// Names of run folders that are finished.
    pub finished: Mutex<Vec<String>>,
    /// What people have decided about audits.
    pub reviews: Mutex<HashMap<PathBuf, Review>>,
    /// Names of run folders that were begun.
    pub begun: Mutex<Vec<String>>,
}

impl Archive for Shelf {
    fn default_folder(&self) -> Result<PathBuf> {
        Ok("/home/ada/polariscope/runs".into())
    }

    fn list(&self, _: &Path) -> Result<Vec<RunRow>> {
        Ok(self.rows.lock().expect("shelf").clone())
    }

    fn row(&self, folder: &Path) -> Result<RunRow> {
        RunsOnDisk.row(folder)
    }

    fn load(&self, folder: &Path) -> Result<JobView> {
        if folder.join("metrics.jsonl").is_file() {
            return RunsOnDisk.load(folder);
        }
        let row = self.rows.lock().expect("shelf").iter().find(|row| row.path == folder).cloned();
        let Some(row) = row.filter(|row| !row.results.is_empty()) else {
            let mut job = JobView::new(None, "Corner patch, repaired by a polarizer");
            job.folder = Some(folder.to_owned());
            job.state = JobState::Ended(Ending::Done);
            job.adopt(self.results(folder)?);
            if job.subject.is_some() {
                let experiment = super::audit::experiment_of(folder);
                job.title.clone_from(&experiment.name);
                job.results = super::audit::scores(folder);
                job.experiment = Some(Box::new(experiment));
                job.answers = super::audit::answers(folder);
                job.review = self.reviews.lock().expect("shelf").get(folder).cloned().unwrap_or_default();
            }
            return Ok(job);
        };
        let mut job = JobView::new(None, row.name.clone());
        job.folder = Some(folder.to_owned());
        job.state = JobState::Ended(Ending::Done);
        let methods = polariscope::catalogue::all();
        job.experiment = Some(Box::new(check::resolve(&check::parse(&spec_of(&row), methods)?, methods)));
        points_of(&row).iter().for_each(|point| job.curves.push(point));
        job.results = row.results;
        Ok(job)
    }

    fn results(&self, folder: &Path) -> Result<Results> {
        let rows = self.results.lock().expect("shelf").clone();
        let (checks, subject) = super::audit::found_in(folder);
        Ok(Results { rows, checks, subject, ..Results::default() })
    }

    fn points(&self, _: &Path) -> Result<Vec<MetricPoint>> {
        Ok((1..=4).map(|epoch| super::point("attack", "acc", f64::from(epoch), 0.5)).collect())
    }

    fn look(&self, folder: &Path, _: &str) -> Result<Found> {
        let finished = self.finished.lock().expect("shelf");
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let begun = self.begun.lock().expect("shelf");
        Ok(match (finished.contains(&name), begun.contains(&name)) {
            (true, _) => Found::Finished,
            (_, true) => Found::Begun,
            _ => Found::Fresh,
        })
    }

    fn is_run(&self, folder: &Path) -> bool {
        folder.join("spec.toml").is_file()
    }

    fn set_tags(&self, folder: &Path, tags: &[String]) -> Result<()> {
        self.edit(folder, |row| row.tags = tags.to_vec())
    }

    fn set_note(&self, folder: &Path, note: &str) -> Result<()> {
        self.edit(folder, |row| row.note = note.to_owned())
    }

    fn set_review(&self, folder: &Path, review: &Review) -> Result<()> {
        self.reviews.lock().expect("shelf").insert(folder.to_owned(), review.clone());
        Ok(())
    }

    fn thumbnail(&self, picture: &Path) -> Result<Rgba> {
        let pictures = super::Pictures::read();
        let row = usize::from(picture.to_string_lossy().contains("blended"));
        Ok((*pictures.stamped(row)).clone())
    }

    fn in_bin(&self, _: &Path) -> usize {
        self.bin.lock().expect("shelf").len()
    }

    fn throw_away(&self, folder: &Path) -> Result<Binned> {
        let mut rows = self.rows.lock().expect("shelf");
        let at = rows.iter().position(|row| row.path == folder);
        let row = at.map(|at| rows.remove(at)).ok_or_else(|| Problem::bad_input("There is no such run."))?;
        self.bin.lock().expect("shelf").push(row);
        Ok(Binned { from: folder.to_owned(), to: Path::new("/bin").join(folder.file_name().unwrap_or_default()) })
    }

    fn bring_back(&self, binned: &Binned) -> Result<()> {
        let mut bin = self.bin.lock().expect("shelf");
        let at = bin.iter().position(|row| row.path == binned.from);
        let row = at.map(|at| bin.remove(at)).ok_or_else(|| Problem::bad_input("The bin is empty."))?;
        self.rows.lock().expect("shelf").push(row);
        Ok(())
    }

    fn empty_bin(&self, _: &Path) -> Result<usize> {
        Ok(self.bin.lock().expect("shelf").drain(..).count())
    }
}

impl Shelf {
    fn edit(&self, folder: &Path, change: impl FnOnce(&mut RunRow)) -> Result<()> {
        if self.read_only {
            return Err(Problem::new(Code::ReadOnly, "Cannot write a file.").at(folder.display()));
        }
        self.rows.lock().expect("shelf").iter_mut().find(|row| row.path == folder).map(change);
        Ok(())
    }
}

/// The experiment of a row: what its name says is what it is.
fn spec_of(row: &RunRow) -> String {
    let attack = row.attack.as_deref().unwrap_or("badnets");
    let mut spec = super::SPEC.replace("Corner patch, repaired by a polarizer", &row.name);
    spec = spec.replace("seed = 7", &format!("seed = {}", row.seed));
    if attack != "badnets" {
        let (before, rest) = spec.split_once("[attack]").expect("an attack");
        let after = rest.split_once("[[defense]]").expect("a defense").1;
        spec = format!("{before}[attack]\nid = \"{attack}\"\n\n[[defense]]{after}");
    }
    if row.name.contains("1 %") {
        spec += "\n[poison]\nratio = 0.01\n";
    }
    spec
}

/// Curves that lead to a row's results: the backdoor is learned, then repaired.
fn points_of(row: &RunRow) -> Vec<MetricPoint> {
    let (Some(before), after) = (row.results.first(), row.results.get(1)) else {
        return Vec::new();
    };
    let slow = 2.0 + (row.seed % 5) as f64;
    let mut points = Vec::new();
    for epoch in 1..=8 {
        let at = f64::from(epoch);
        let learned = 1.0 - (-at / slow).exp();
        let asr = before.scores.asr.unwrap_or_default() / (1.0 + (2.0 * slow - 2.0 * at).exp());
        let acc = before.scores.acc * learned.sqrt();
        let values = [("acc", acc), ("asr", asr), ("ra", (1.0 - asr) * acc), ("loss", 0.2 + 2.0 * (1.0 - learned))];
        points.extend(values.map(|(metric, value)| super::point("attack", metric, at, value)));
    }
    if let Some(after) = after {
        for epoch in 1..=4 {
            let at = f64::from(epoch);
            let asr = after.scores.asr.unwrap_or_default() + 0.6 * (-1.5 * at).exp();
            let values = [("acc", after.scores.acc), ("asr", asr), ("ra", (1.0 - asr) * after.scores.acc)];
            points.extend(values.map(|(metric, value)| super::point("npd", metric, at, value)));
        }
    }
    points
}

pub fn results() -> Vec<ResultRow> {
    let row = |title: &str, method: &str, acc, asr, ra, der, control| ResultRow {
        title: title.into(),
        method: method.into(),
        scores: Scores {
            acc,
            asr: Some(asr),
            ra: Some(ra),
            clean_count: 2000,
            triggered_count: 1800,
            ..Scores::default()
        },
        der,
        control,
        weights: Some(format!("weights/{}.safetensors", if method.is_empty() { "attack" } else { method }).into()),
        seconds: 40.0,
        ..ResultRow::default()
    };
    vec![
        row("no defense", "", 0.8625, 0.9972, 0.0022, None, false),
        row("NPD", "npd", 0.8520, 0.0350, 0.8161, Some(0.9759), false),
        row("FT", "ft", 0.8570, 0.6411, 0.3100, Some(0.6753), true),
    ]
}

/// A run whose defense maps its answers back.
pub fn mapped_back() -> Vec<ResultRow> {
    let mut rows = results();
    rows.truncate(1);
    let scores = Scores {
        acc: 0.8470,
        asr: Some(0.0122),
        ra: Some(0.7911),
        rar: Some(0.1372),
        rar_floor: Some(0.1111),
        ..rows[0].scores
    };
    rows.push(ResultRow {
        title: "PDB".into(),
        method: "pdb".into(),
        scores,
        der: Some(0.9847),
        seconds: 61.0,
        weights: Some("weights/pdb.safetensors".into()),
        ..ResultRow::default()
    });
    rows
}

/// Rows as the index lists them; `now` is in seconds since 1970.
pub fn runs(now: u64) -> Vec<RunRow> {
    let row = |name: &str, state, minutes: u64, scores: &[(f64, f64)]| {
        let path = format!("/home/ada/polariscope/runs/{}-1f0c22ab", name.to_lowercase().replace([' ', ','], "-"));
        let mut results = Results::default();
        for ((title, method), &(acc, asr)) in [("no defense", ""), ("NPD", "npd")].into_iter().zip(scores) {
            let ra = Some((1.0 - asr) * acc);
            let scores =
                Scores { acc, asr: Some(asr), ra, clean_count: 2000, triggered_count: 1800, ..Scores::default() };
            let (title, weights) = (title.into(), Some("weights/model.safetensors".into()));
            let method = method.into();
            results.push(ResultRow { title, method, scores, weights, seconds: 40.0, ..ResultRow::default() });
        }
        RunRow {
            name: name.into(),
            hash: "1f0c22ab".into(),
            state: Some(state),
            data: "fashion-mini".into(),
            network: "small-resnet".into(),
            attack: Some(if name.starts_with("Blended") { "blended" } else { "badnets" }.into()),
            defenses: vec!["npd".into()],
            seed: 7 + minutes % 5,
            started: Some(now.saturating_sub(minutes * 60)),
            ended: None,
            trouble: None,
            tags: Vec::new(),
            note: String::new(),
            picture: (!scores.is_empty()).then(|| Path::new(&path).join("images/trigger.png")),
            path: path.into(),
            results: results.rows,
            fair: Vec::new(),
            model: None,
        }
    };
    let mut rows = vec![
        row("Corner patch, repaired by a polarizer", State::Done, 12, &[(0.8625, 0.9972), (0.852, 0.035)]),
        row("Blended noise 10 %", State::Done, 95, &[(0.8590, 0.9644), (0.8475, 0.0811)]),
        row("Corner patch 1 %", State::Stopped, 300, &[(0.8641, 0.9128)]),
        row("CIFAR-10, WRN-16-1", State::Interrupted, 1500, &[]),
        row("All-to-all with a very long name that has to be cut somewhere", State::Failed, 4000, &[]),
    ];
    rows[0].tags = vec!["lecture".into(), "monday".into()];
    rows[0].note = "The one to show first.".into();
    rows[4].trouble = Some("Not enough memory for this batch size.".into());
    rows
}

/// A fair regression among the runs.
pub fn fair_run() -> RunRow {
    let point = |(title, error, gap): (&str, f64, f64)| FairRow {
        title: title.into(),
        method: "mean-parity".into(),
        test_rmse: Some(error),
        test_gap: Some(gap),
        ..FairRow::default()
    };
    let mut row = runs(0).remove(3);
    row.name = "Communities: crime predicted fairly".into();
    row.path = "/home/ada/polariscope/runs/communities-crime-predicted-fairly-5b1d7c30".into();
    (row.hash, row.data, row.network) = ("5b1d7c30".into(), "communities".into(), FAIR_REGRESSION.into());
    (row.state, row.attack) = (Some(State::Done), None);
    row.defenses.clear();
    row.fair = [("no constraint", 0.1349, 0.290), ("fully fair", 0.1752, 0.0109)].map(point).to_vec();
    row
}

/// A folder among the runs that is none.
pub fn damaged_run() -> RunRow {
    let path: PathBuf = "/home/ada/polariscope/runs/half-copied".into();
    let mut row = runs(0).remove(3);
    row.name = "half-copied".into();
    (row.path, row.state, row.started, row.attack) = (path, None, None, None);
    (row.hash, row.data, row.network) = Default::default();
    row.defenses.clear();
    row.trouble = Some("This folder does not hold a run.".into());
    row
}
