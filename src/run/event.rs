//! What crosses from the engine to its fronts: plain data only.

use super::checked::CheckResult;
use super::fair::{Dial, FairFit, TableCard};
use super::model_difference::ModelDifference;
use super::poison_plan::PoisonPlan;
use super::poisoned_set::PoisonExport;
use super::polarizer::{DialPoint, PolarizerView};
use super::trigger_form::{Patch, TriggerForm};
use crate::experiment::{Problem, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobId(pub u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct QuestionId(pub u64);

/// From the front to the engine.
#[derive(Debug, Clone)]
pub enum Command {
    Start {
        job: JobId,
        request: Box<RunRequest>,
    },
    /// Write the poisoned set of a run or an experiment; a job like any other, without a run folder.
    ExportPoison {
        job: JobId,
        request: Box<PoisonExport>,
    },
    Pause(JobId),
    Resume(JobId),
    /// Goes on for this long and pauses again.
    Step(JobId, Stride),
    /// `keep: false` throws away what the job has made so far.
    Stop {
        job: JobId,
        keep: bool,
    },
    Ask(QuestionId, Question),
    Quit,
}

/// How far one step of a paused training goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stride {
    Batch,
    /// To the end of the epoch, measured and saved.
    Epoch,
}

/// An experiment text and where its run folder goes.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// The experiment as TOML, `--set` patches already applied.
    pub spec: String,
    /// The run folder itself, or nothing for `<runs>/<name>-<hash>`.
    pub folder: Option<PathBuf>,
    /// Continue an interrupted run instead of refusing its folder.
    pub resume: bool,
}

/// Ordered, never lost.
#[derive(Debug, Clone)]
pub enum Event {
    Job(JobId, JobEvent),
    Answer(QuestionId, Result<Answer>),
    /// The engine cannot work any more; the front offers to restart it.
    Broken(Problem),
}

#[derive(Debug, Clone)]
pub enum JobEvent {
    Queued,
    Started {
        folder: PathBuf,
        device: String,
        threads: usize,
    },
    Phase {
        index: usize,
        of: usize,
        name: String,
    },
    Metrics(Vec<MetricPoint>),
    /// A file was added to the run folder; the path is relative to it.
    Artifact {
        path: PathBuf,
        caption: String,
    },
    Note(String),
    Warning(Problem),
    Paused,
    Resumed,
    /// What the model says about the test pictures now.
    Glimpse(Arc<Glimpse>),
    /// A check has looked at the model.
    Checked(Box<CheckResult>),
    /// A resume point was written.
    Checkpoint {
        phase: String,
        epoch: usize,
    },
    Finished(Ending),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    Done,
    Stopped { kept: bool },
    Failed(Problem),
}

/// One value of one metric at one moment of one phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricPoint {
    /// Phase id: `attack`, `npd`, ...
    pub phase: String,
    /// `loss`, `acc`, `asr`, `ra`, ... ; rates are shares in 0..=1.
    pub metric: String,
    /// Epochs done (may be fractional within an epoch).
    pub epoch: f64,
    pub value: f64,
}

/// What a model says at one moment: how often each class is taken for each, and a few pictures that are watched all along.
#[derive(Debug, Clone)]
pub struct Glimpse {
    pub confusion: Confusion,
    pub pictures: Vec<WatchedPicture>,
    /// Seconds of work since the run was started or taken up again, pauses left out; nothing where nobody looked at a clock.
    pub seconds: Option<f64>,
}

/// Counts of test pictures by true class (row) and predicted class (column), row after row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// Phase id.
    pub phase: String,
    /// Epochs done; nothing for the final measurement on all test pictures.
    pub epoch: Option<f64>,
    /// Names of the K classes.
    pub classes: Vec<String>,
    /// K x K counts of clean pictures.
    pub clean: Vec<u32>,
    /// K x K counts of stamped pictures; empty without an attack.
    pub stamped: Vec<u32>,
}

/// One test picture and what the model says of it, with and without the trigger.
#[derive(Debug, Clone)]
pub struct WatchedPicture {
    pub row: usize,
    pub label: usize,
    /// What the attacker wants the stamped picture to be taken for.
    pub wanted: usize,
    pub clean: Arc<Rgba>,
    pub stamped: Arc<Rgba>,
    pub clean_answer: usize,
    pub stamped_answer: usize,
    /// The trigger wins; where the model maps its answers back, also if that makes another wrong class of its success.
    pub fooled: bool,
}

/// Where a job is; newest wins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    pub phase: String,
    pub phase_index: usize,
    pub phases: usize,
    pub done: u64,
    pub total: u64,
    /// What `done` counts: `batches`, `pictures`.
    pub unit: &'static str,
    /// Seconds to the end of this phase, when it can be told honestly.
    pub eta_s: Option<f64>,
    pub pictures_per_s: Option<f64>,
    /// Seconds since the job started, pauses excluded.
    pub elapsed_s: f64,
    /// Resident memory of the process in bytes.
    pub memory: u64,
}

/// A picture as the window and PNG files want it: 8 bits, red green blue alpha, row by row.
#[derive(Clone, PartialEq, Eq)]
pub struct Rgba {
    pub width: usize,
    pub height: usize,
    pub bytes: Vec<u8>,
}

impl Rgba {
    /// Whether there is anything to draw and the bytes fit the size.
    pub fn is_whole(&self) -> bool {
        self.width > 0 && self.height > 0 && self.bytes.len() == self.width * self.height * 4
    }
}

impl std::fmt::Debug for Rgba {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rgba({} x {})", self.width, self.height)
    }
}

/// A named picture that a job shows while it works; newest per key wins.
#[derive(Debug, Clone)]
pub struct Picture {
    pub key: String,
    pub caption: String,
    pub rgba: Arc<Rgba>,
}

/// Asked between two batches or while the engine is idle; the newest question about a thing supersedes older ones.
#[derive(Debug, Clone)]
pub enum Question {
    /// Pictures `rows` of the experiment's test set: clean, poisoned and residual, without any training.
    Preview { spec: String, rows: Vec<usize> },
    /// What the experiment's attack will do to its training set.
    Plan { spec: String },
    /// Which defenses cannot work on the experiment's network?
    Defenses { spec: String },
    /// What is in this file or folder?
    Inspect { path: PathBuf },
    /// What the models of a scene say of these of its pictures, clean and stamped. A trigger that is a patch can be put
    /// elsewhere: its left upper corner at `place`, column and row.
    Predict { scene: Scene, rows: Vec<usize>, place: Option<[usize; 2]> },
    /// What its models say of a picture that somebody brings, clean and with the sticker at `place`.
    Photo { scene: Scene, path: PathBuf, place: Option<[usize; 2]> },
    /// Where one of its models looks.
    Heat(HeatWish),
    /// The experiment's trigger as data, with one picture of its test set; `strike` takes the trigger as the attacker
    /// uses it on the finished model instead of the one in the training data. Trains nothing.
    Bench { spec: String, row: usize, strike: bool },
    /// All pictures of the experiment's test set, small.
    Thumbnails { spec: String },
    /// The polarizer in a scene's model and what it does to these of its pictures.
    Polarizer { scene: Scene, rows: Vec<usize> },
    /// What the same network says when the polarizer has this strength, 0 to 1.
    Dial { scene: Scene, rows: Vec<usize>, strength: f64 },
    /// Fit the fair regression of this spec: the whole trade-off at once. With `rival = []` and `model.folds = 0` the curve
    /// comes several times sooner; ask again for the points and bands beside it.
    Fair { spec: String },
    /// What is in this table (an embedded name or a path), and what its columns may be?
    Table { source: String },
    /// Fit the fair regression of this spec, if it is not the last one, and write its model to this file.
    KeepFair { spec: String, dial: Dial, path: PathBuf },
    /// What tells two models apart: each place is the folder of a run, a model's file, or the name of one that is built in.
    Difference { before: PathBuf, after: PathBuf },
    /// What was found on this machine? `runs` is the folder of runs, or nothing for the usual one.
    Machine { runs: Option<PathBuf> },
}

impl Question {
    /// Whether an older question need not be answered any more: it is of the same kind and about the same thing.
    pub fn supersedes(&self, older: &Question) -> bool {
        match (self, older) {
            // The same scene may be on two screens, with other pictures.
            (Question::Predict { scene, rows, .. }, Question::Predict { scene: other, rows: of_other, .. }) => {
                scene == other && rows == of_other
            }
            (Question::Inspect { path }, Question::Inspect { path: other }) => path == other,
            (Question::Difference { before, after }, Question::Difference { before: first, after: second }) => {
                (before, after) == (first, second)
            }
            // Every file that was asked for is written.
            (Question::KeepFair { path, .. }, Question::KeepFair { path: other, .. }) => path == other,
            _ => std::mem::discriminant(self) == std::mem::discriminant(older),
        }
    }
}

#[derive(Debug, Clone)]
pub enum Answer {
    Preview(Preview),
    Plan(Box<PoisonPlan>),
    Defenses(Vec<Refusal>),
    /// A report as title and lines of label and value.
    Inspect(Report),
    Predict(Vec<Prediction>),
    Photo(Photo),
    Heat(Heat),
    Bench(Box<Bench>),
    Thumbnails(Thumbnails),
    Polarizer(Box<PolarizerView>),
    Dial(DialPoint),
    Fair(Arc<FairFit>),
    Table(TableCard),
    /// The file that was written.
    KeepFair(PathBuf),
    Difference(Box<ModelDifference>),
    Machine(Vec<Finding>),
}

/// A defense that cannot work on a network, and what a run would say of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Id of the defense.
    pub method: String,
    pub problem: Problem,
}

/// A trigger on the bench.
#[derive(Debug, Clone)]
pub struct Bench {
    /// Nothing for triggers without a closed form; then only `poisoned` shows what the trigger does.
    pub form: Option<TriggerForm>,
    /// The picture that was asked for, or the last one when there are fewer.
    pub row: usize,
    pub label: usize,
    /// What the attacker wants it to be taken for.
    pub poisoned_label: usize,
    /// Names of the classes, in label order.
    pub classes: Vec<String>,
    /// Rows of the test set.
    pub rows: usize,
    pub clean: Arc<Rgba>,
    /// Stamped by the engine's own trigger; the same as `clean` in an experiment without an attack.
    pub poisoned: Arc<Rgba>,
}

/// Pictures side by side in memory.
#[derive(Clone)]
pub struct Thumbnails {
    /// Size of one thumbnail in pixels.
    pub width: usize,
    pub height: usize,
    /// Every `stride`-th pixel of the picture in both directions is kept, from pixel `stride / 2` on.
    pub stride: usize,
    /// Rows of the test set; more than there are labels when not all fitted.
    pub rows: usize,
    /// One label per thumbnail.
    pub labels: Arc<[u16]>,
    /// `labels.len() x height x width x 4`: red, green, blue, 255.
    pub rgba: Arc<[u8]>,
}

impl Thumbnails {
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Red, green, blue, 255 of one thumbnail's pixels; nothing where there is none.
    pub fn pixels(&self, index: usize) -> &[u8] {
        let bytes = self.width * self.height * 4;
        self.rgba.get(index * bytes..(index + 1) * bytes).unwrap_or_default()
    }
}

impl std::fmt::Debug for Thumbnails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Thumbnails({} of {} x {})", self.labels.len(), self.width, self.height)
    }
}

/// One thing that was looked for on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub name: String,
    pub good: bool,
    pub text: String,
    /// Nothing works without it.
    #[serde(skip)]
    pub needed: bool,
}

#[derive(Debug, Clone)]
pub struct Preview {
    pub items: Vec<PreviewItem>,
    /// Names of the classes, in label order.
    pub classes: Vec<String>,
    /// Rows of the test set.
    pub rows: usize,
}

#[derive(Debug, Clone)]
pub struct PreviewItem {
    pub row: usize,
    pub label: usize,
    pub poisoned_label: usize,
    pub clean: Arc<Rgba>,
    pub poisoned: Arc<Rgba>,
    /// 128 + k (poisoned - clean).
    pub residual: Arc<Rgba>,
    /// The k of the residual.
    pub amplification: f32,
}

#[derive(Debug, Clone)]
pub struct Prediction {
    pub row: usize,
    pub label: usize,
    pub classes: Vec<String>,
    pub clean: Arc<Rgba>,
    pub poisoned: Arc<Rgba>,
    /// Where the trigger lies, if it is a patch.
    pub patch: Option<Patch>,
    /// One entry per model of the run: its title, class probabilities for the clean and for the stamped picture.
    pub models: Vec<(String, Vec<f32>, Vec<f32>)>,
}

/// A picture from outside as the demo's models see it, and what they say.
#[derive(Debug, Clone)]
pub struct Photo {
    /// What had to be done to it.
    pub remark: String,
    pub clean: Arc<Rgba>,
    pub stamped: Arc<Rgba>,
    /// As in [`Prediction::models`].
    pub models: Vec<(String, Vec<f32>, Vec<f32>)>,
}

/// Pictures, what is put on them, and the models that are asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scene {
    /// The built-in demo: its test pictures, its trigger, its three models.
    #[default]
    Demo,
    /// A run with an attack: its test pictures, its trigger, the models that it kept.
    Run(PathBuf),
    /// An audit: the pictures of its checks and the model as it was delivered, with a patch that a check of this or of
    /// another audit has found. Without a patch stamped pictures are the clean ones.
    Audit { run: PathBuf, patch: Option<PathBuf> },
}

impl Scene {
    /// The folder of its run; the demo has none.
    pub fn run(&self) -> Option<&Path> {
        match self {
            Scene::Demo => None,
            Scene::Run(run) | Scene::Audit { run, .. } => Some(run),
        }
    }
}

/// A picture that the models of a scene are asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Row of the scene's pictures.
    Test(usize),
    Photo(PathBuf),
}

/// Where does one of a scene's models look in this picture?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeatWish {
    pub scene: Scene,
    pub subject: Subject,
    /// With the sticker, at this place (nothing is its own); or without it.
    pub sticker: Option<Option<[usize; 2]>>,
    /// Index among the scene's models.
    pub model: usize,
}

/// What an answer rests on, pixel by pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    pub width: usize,
    pub height: usize,
    /// How much of the answer's probability is lost where a pixel is covered, 0 to 1, row by row.
    pub values: Arc<[f32]>,
    /// The answer whose probability it is.
    pub class: usize,
    /// That probability while nothing is covered.
    pub probability: f32,
    /// Side of the square that covers, in pixels.
    pub window: usize,
}

impl Heat {
    /// Column and row of the hottest pixel.
    pub fn peak(&self) -> [usize; 2] {
        let hottest = self.values.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
        let at = hottest.map_or(0, |(at, _)| at);
        [at % self.width.max(1), at / self.width.max(1)]
    }

    /// The most that is lost.
    pub fn most(&self) -> f32 {
        self.values.iter().copied().fold(0.0, f32::max)
    }
}

/// What `inspect` says: facts in order, made for people and machines alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub title: String,
    pub facts: Vec<(String, String)>,
    pub warnings: Vec<String>,
}

impl Report {
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    pub fn fact(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.facts.push((name.into(), value.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_questions_about_the_same_thing_supersede_each_other() {
        let ask = |folder: &str, rows| Question::Predict { scene: Scene::Run(folder.into()), rows, place: None };
        let predict = |folder| ask(folder, vec![0]);
        assert!(predict("a").supersedes(&predict("a")));
        assert!(!predict("a").supersedes(&predict("b")), "two runs that are compared both want their answer");
        assert!(!predict("a").supersedes(&ask("a", vec![0, 1])), "two screens may show the same run");
        let machine = Question::Machine { runs: None };
        assert!(machine.supersedes(&machine) && !machine.supersedes(&predict("a")));
    }
}
