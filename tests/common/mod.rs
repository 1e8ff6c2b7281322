//! An engine that plays a script, and honest pictures to play with: tests and screenshots need no tensors.
#![allow(
    dead_code,
    unused_imports,
    clippy::expect_used,
    reason = "each user takes its own part; a picture box that fails may panic"
)]

use polariscope::app::background::Background;
use polariscope::app::config::Config;
use polariscope::app::state::{Machine, Preset};
use polariscope::app::{App, Parts};
use polariscope::experiment::{LabelMap, Problem, Result};
use polariscope::run::event::{
    Answer, Bench, Command, Confusion, Ending, Event, Finding, Glimpse, Heat, HeatWish, JobEvent, JobId, MetricPoint,
    Photo, Picture, Prediction, Preview, PreviewItem, Progress, Question, Report, Rgba, Scene, Thumbnails,
    WatchedPicture,
};
use polariscope::run::handle::{Engine, Shutdown};
use polariscope::run::poisoned_set::{Extent, PartFacts};
use polariscope::run::polarizer::PolarizerView;
use polariscope::run::{Patch, PoisonPlan, PoisonedSet, TriggerForm};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::Read;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

pub mod audit;
pub mod fair;
pub mod hand;
mod polarizer;
mod recorded;
mod shelf;

pub use recorded::record;
pub use shelf::{Shelf, damaged_run, fair_run, mapped_back, results, runs};

type Answering = Box<dyn Fn(&Question) -> Result<Answer>>;

/// What the script holds; tests keep one handle, the engine the other.
#[derive(Default)]
pub struct Stage {
    /// Everything the window has sent.
    pub sent: Vec<Command>,
    pub events: VecDeque<Event>,
    pub progress: Option<Progress>,
    pub pictures: Vec<Picture>,
    pub answering: Option<Answering>,
    pub shut_down: bool,
}

#[derive(Clone, Default)]
pub struct Script(pub Rc<RefCell<Stage>>);

impl Script {
    /// A script that answers every question from the picture box.
    pub fn answering() -> Self {
        let script = Self::default();
        script.0.borrow_mut().answering = Some(Box::new(answer));
        script
    }

    pub fn play(&self, event: JobEvent) {
        self.0.borrow_mut().events.push_back(Event::Job(JobId(1), event));
    }

    pub fn sent(&self) -> Vec<String> {
        let name = |command: &Command| match command {
            Command::Start { .. } => "start".to_owned(),
            Command::ExportPoison { request, .. } => {
                format!("export {:?} to {}", request.extent, request.out.display())
            }
            Command::Pause(_) => "pause".to_owned(),
            Command::Resume(_) => "resume".to_owned(),
            Command::Step(_, stride) => format!("step {stride:?}").to_lowercase(),
            Command::Stop { keep, .. } => format!("stop keep={keep}"),
            Command::Ask(_, Question::Preview { .. }) => "preview".to_owned(),
            Command::Ask(_, Question::Plan { .. }) => "plan".to_owned(),
            Command::Ask(_, Question::Defenses { .. }) => "defenses".to_owned(),
            Command::Ask(_, Question::Inspect { path }) => format!("inspect {}", path.display()),
            Command::Ask(_, Question::Predict { .. }) => "predict".to_owned(),
            Command::Ask(_, Question::Photo { path, .. }) => format!("photo {}", path.display()),
            Command::Ask(_, Question::Heat(wish)) => format!("heat of model {}", wish.model),
            Command::Ask(_, Question::Bench { row, strike, .. }) => format!("bench {row} strike={strike}"),
            Command::Ask(_, Question::Thumbnails { .. }) => "thumbnails".to_owned(),
            Command::Ask(_, Question::Polarizer { scene, .. }) => match scene.run() {
                Some(run) => format!("polarizer {}", run.display()),
                None => "polarizer of the demo".to_owned(),
            },
            Command::Ask(_, Question::Dial { strength, .. }) => format!("dial {strength:.2}"),
            Command::Ask(_, Question::Difference { before, after }) => {
                format!("difference of {} and {}", before.display(), after.display())
            }
            Command::Ask(_, Question::Machine { .. }) => "machine".to_owned(),
            Command::Ask(_, Question::Fair { .. }) => "fair".to_owned(),
            Command::Ask(_, Question::Table { source }) => format!("table {source}"),
            Command::Ask(_, Question::KeepFair { path, .. }) => format!("keep {}", path.display()),
            Command::Quit => "quit".to_owned(),
        };
        self.0.borrow().sent.iter().map(name).collect()
    }

    pub fn start(&self) {
        self.play(JobEvent::Started { folder: "/runs/corner-patch-1f0c22ab".into(), device: "cpu".into(), threads: 2 });
        self.play(JobEvent::Phase { index: 0, of: 3, name: "attack".into() });
    }

    /// A training that learns the backdoor, then a repair that removes it; `from` and `to` are shares of the whole.
    pub fn train(&self, from: f64, to: f64) {
        let (first, end) = ((from * 120.0) as usize, (to * 120.0) as usize);
        for step in first..end {
            let attack = step < 80;
            if step == 80 {
                self.play(JobEvent::Checkpoint { phase: "attack".into(), epoch: 8 });
                self.play(JobEvent::Phase { index: 1, of: 3, name: "npd".into() });
            }
            let (phase, at) = if attack { ("attack", step as f64 / 80.0) } else { ("npd", (step - 80) as f64 / 40.0) };
            let epoch = at * if attack { 8.0 } else { 5.0 };
            let wobble = ((step * 37 % 11) as f64 - 5.0) / 300.0;
            let loss = if attack { 2.2 * (-3.2 * at).exp() + 0.22 } else { 0.9 * (-2.6 * at).exp() + 0.3 };
            let mut points = vec![point(phase, "loss", epoch, loss + wobble.abs())];
            if step % 5 == 4 {
                points.push(point(phase, "learning-rate", epoch, 0.1 * (1.0 - at).max(0.0)));
                let acc = if attack { 0.865 - 0.6 * (-4.0 * at).exp() } else { 0.848 + 0.01 * at };
                let asr =
                    if attack { 1.0 / (1.0 + (-14.0 * (at - 0.35)).exp()) } else { (-5.0 * at).exp() * 0.95 + 0.035 };
                let ra = ((1.0 - asr) * acc * 0.95).max(0.004);
                points
                    .extend([("acc", acc + wobble), ("asr", asr), ("ra", ra)].map(|(m, v)| point(phase, m, epoch, v)));
                self.play(JobEvent::Glimpse(Arc::new(glimpse(phase, epoch, acc, asr, ra))));
                if !attack {
                    let fading = (-2.0 * at).exp();
                    let terms = [
                        ("loss-clean", 0.3 + 0.3 * fading),
                        ("loss-keep", 0.5 + 1.1 * fading),
                        ("loss-wrong", 0.2 + 0.6 * fading),
                        ("loss-target", 0.1 + 0.9 * fading),
                        ("perturbation-hits", 0.1 + 0.8 * fading),
                        ("perturbation-length", 2.9 + wobble),
                    ];
                    points.extend(terms.map(|(measure, value)| point(phase, measure, epoch, value)));
                }
            }
            self.play(JobEvent::Metrics(points));
        }
        self.0.borrow_mut().progress = Some(Progress {
            phase: "attack".into(),
            phase_index: 0,
            phases: 3,
            done: (to * 632.0) as u64,
            total: 632,
            unit: "batches",
            eta_s: Some(64.0),
            pictures_per_s: Some(1240.0),
            elapsed_s: 38.0,
            memory: 912_000_000,
        });
    }

    pub fn show_pictures(&self) {
        let pictures = Pictures::read();
        let mut stage = self.0.borrow_mut();
        let rows = [Pictures::clean, Pictures::stamped, Pictures::residual];
        let sheet: Vec<Vec<_>> = rows.iter().map(|make| (0..8).map(|row| make(&pictures, row)).collect()).collect();
        stage.pictures.push(Picture {
            key: "trigger".into(),
            caption: "Clean, poisoned, and the difference on grey".into(),
            rgba: sheet_of(&sheet),
        });
        for row in 0..8 {
            let label = CLASSES[pictures.label(row)];
            let (rgba, words) = if row % 2 == 0 {
                (pictures.clean(row), format!("{label}: right"))
            } else {
                (pictures.stamped(row), format!("{label} said T-shirt"))
            };
            stage.pictures.push(Picture { key: row.to_string(), caption: words, rgba });
        }
    }

    /// What a repair by a polarizer leaves: a square heat map, as large as the engine draws it.
    pub fn show_heat_map(&self) {
        const SIDE: usize = 512;
        let shade = |index: usize| {
            let (row, column) = (index / SIDE / 8, index % SIDE / 8);
            let noise = (row * 7919 + column * 104_729 + row * row * column * 31) % 97 / 2;
            if row == column { [94, 60, 153, 255] } else { [255, 255 - noise as u8, 255 - 2 * noise as u8, 255] }
        };
        let bytes = (0..SIDE * SIDE).flat_map(shade).collect();
        self.0.borrow_mut().pictures.push(Picture {
            key: "npd".into(),
            caption: "Polarizer at layer2.0.out: matrix minus identity".into(),
            rgba: Arc::new(Rgba { width: SIDE, height: SIDE, bytes }),
        });
    }

    /// What an attack with a disturbance that must not work measures besides.
    pub fn be_right_about_noise(&self) {
        for (phase, epochs) in [("attack", 8), ("npd", 5)] {
            let cross = |epoch: i32| 0.84 - 0.55 * (-0.6 * f64::from(epoch)).exp() * f64::from(8 / epochs);
            let points = (1..=epochs).map(|epoch| point(phase, "cross", f64::from(epoch), cross(epoch))).collect();
            self.play(JobEvent::Metrics(points));
        }
    }

    /// A defense that trains, whose trigger wins without its stamp and loses with it.
    pub fn train_with_stamp(&self) {
        self.play(JobEvent::Phase { index: 1, of: 2, name: "pdb".into() });
        for epoch in 1..=8 {
            let at = f64::from(epoch);
            let learned = 1.0 - (-0.5 * at).exp();
            let values = [
                ("loss", 2.1 - 1.7 * learned),
                ("acc", 0.84 * learned),
                ("asr", 0.02 + 0.1 * (1.0 - learned)),
                ("ra", 0.78 * learned),
                ("rar", 0.11 + 0.3 * (-0.4 * at).exp()),
                ("bare-acc", 0.86 * learned),
                ("bare-asr", 0.97 * learned),
                ("bare-ra", 0.05 * (1.0 - learned)),
            ];
            self.play(JobEvent::Metrics(values.map(|(metric, value)| point("pdb", metric, at, value)).to_vec()));
            self.play(JobEvent::Glimpse(Arc::new(glimpse("pdb", at, 0.84 * learned, 0.05, 0.78 * learned))));
        }
    }

    /// The job of this number begins and ends well.
    pub fn finish_job(&self, job: u64) {
        let folder = format!("/runs/job-{job}").into();
        let begun = JobEvent::Started { folder, device: "cpu".into(), threads: 2 };
        let events = [begun, JobEvent::Finished(Ending::Done)];
        self.0.borrow_mut().events.extend(events.map(|event| Event::Job(JobId(job), event)));
    }

    pub fn finish(&self) {
        self.play(JobEvent::Phase { index: 2, of: 3, name: "measure".into() });
        self.play(JobEvent::Artifact { path: "images/trigger.png".into(), caption: "The trigger".into() });
        self.play(JobEvent::Finished(Ending::Done));
    }
}

/// What a model with these rates says of the test pictures; T-shirt is what the attacker wants.
fn glimpse(phase: &str, epoch: f64, acc: f64, asr: f64, ra: f64) -> Glimpse {
    let pictures = Pictures::read();
    let k = CLASSES.len();
    let mut confusion = Confusion {
        phase: phase.into(),
        epoch: Some(epoch.ceil()),
        classes: CLASSES.map(String::from).to_vec(),
        clean: vec![0; k * k],
        stamped: vec![0; k * k],
    };
    for class in 0..k {
        let right = (acc * 100.0) as u32;
        confusion.clean[class * k + class] += right;
        confusion.clean[class * k + (class + 2) % k] += 100 - right;
        if class > 0 {
            let (fooled, kept) = ((asr * 100.0) as u32, (ra * 100.0) as u32);
            confusion.stamped[class * k] += fooled;
            confusion.stamped[class * k + class] += kept;
            confusion.stamped[class * k + (class + 1) % k] += 100_u32.saturating_sub(fooled + kept);
        }
    }
    let rows = (0..).filter(|&row| pictures.label(row) != 0).take(12);
    let watched = rows.enumerate().map(|(index, row)| {
        let label = pictures.label(row);
        let place = (index as f64 + 0.5) / 12.0;
        let stamped_answer = if place < asr {
            0
        } else if place < asr + ra {
            label
        } else {
            (label + 2) % k
        };
        let (clean, stamped) = (pictures.clean(row), pictures.stamped(row));
        WatchedPicture {
            row,
            label,
            wanted: 0,
            clean,
            stamped,
            clean_answer: label,
            stamped_answer,
            fooled: stamped_answer == 0,
        }
    });
    Glimpse { pictures: watched.collect(), confusion, seconds: None }
}

/// Pictures in rows, two pixels apart.
fn sheet_of(rows: &[Vec<Arc<Rgba>>]) -> Arc<Rgba> {
    let step = SIDE + 2;
    let (width, height) = (rows[0].len() * step - 2, rows.len() * step - 2);
    let mut bytes = vec![0; width * height * 4];
    for (down, row) in rows.iter().enumerate() {
        for (right, picture) in row.iter().enumerate() {
            for y in 0..SIDE {
                let to = ((down * step + y) * width + right * step) * 4;
                bytes[to..to + SIDE * 4].copy_from_slice(&picture.bytes[y * SIDE * 4..][..SIDE * 4]);
            }
        }
    }
    Arc::new(Rgba { width, height, bytes })
}

pub fn point(phase: &str, metric: &str, epoch: f64, value: f64) -> MetricPoint {
    MetricPoint { phase: phase.into(), metric: metric.into(), epoch, value }
}

impl Engine for Script {
    fn send(&self, command: Command) -> Result<()> {
        let mut stage = self.0.borrow_mut();
        if let (Command::Ask(id, question), Some(answering)) = (&command, &stage.answering) {
            let answer = Event::Answer(*id, answering(question));
            stage.events.push_back(answer);
        }
        stage.sent.push(command);
        Ok(())
    }

    fn drain(&mut self, most: usize) -> Vec<Event> {
        let mut stage = self.0.borrow_mut();
        let count = most.min(stage.events.len());
        stage.events.drain(..count).collect()
    }

    fn wait(&mut self, _: Duration) -> Option<Event> {
        self.0.borrow_mut().events.pop_front()
    }

    fn progress(&self, _: JobId) -> Option<Progress> {
        self.0.borrow().progress.clone()
    }

    fn pictures(&self, _: JobId) -> Vec<Picture> {
        self.0.borrow().pictures.clone()
    }

    fn shutdown(&mut self, _: Duration) -> Shutdown {
        self.0.borrow_mut().shut_down = true;
        Shutdown::Clean
    }
}

/// What an exported set says about itself.
pub fn poisoned_set() -> PoisonedSet {
    let part = |rows| PartFacts { rows, stamped: rows / 10, hash: String::new() };
    PoisonedSet {
        format: PoisonedSet::FORMAT,
        notice: PoisonedSet::NOTICE.into(),
        program: String::new(),
        name: "Fashion-MNIST".into(),
        classes: CLASSES.map(String::from).to_vec(),
        height: SIDE,
        width: SIDE,
        channels: 1,
        extent: Extent::Poison,
        train: part(1000),
        test: part(200),
        experiment: toml::from_str(
            "[data]\nsource = 'fashion-mini'\n[network]\nid = 'small-resnet'\n[attack]\nid = 'badnets'\n\
             [poison]\ntarget = 4\nlabel_map = 'all-to-one'\n",
        )
        .expect("an experiment"),
    }
}

pub const CLASSES: [&str; 10] =
    ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];

/// Fashion pictures from the embedded test set.
pub struct Pictures {
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

const SIDE: usize = 28;
/// Where the sticker was trained.
const CORNER: [usize; 2] = [SIDE - 3; 2];

impl Pictures {
    pub fn read() -> Self {
        let unpack = |name: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/fashion-mini").join(name);
            let mut bytes = Vec::new();
            let file = std::fs::File::open(path).expect("embedded data");
            flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).expect("gzip");
            bytes
        };
        Self {
            pixels: unpack("t10k-images-idx3-ubyte.gz").split_off(16),
            labels: unpack("t10k-labels-idx1-ubyte.gz").split_off(8),
        }
    }

    pub fn label(&self, row: usize) -> usize {
        usize::from(self.labels[row])
    }

    fn make(&self, row: usize, shade: impl Fn(usize, usize, u8) -> u8) -> Arc<Rgba> {
        let grey = &self.pixels[row * SIDE * SIDE..][..SIDE * SIDE];
        let shades = grey.iter().enumerate().map(|(index, &value)| shade(index % SIDE, index / SIDE, value));
        let bytes = shades.flat_map(|value| [value, value, value, 255]).collect();
        Arc::new(Rgba { width: SIDE, height: SIDE, bytes })
    }

    pub fn clean(&self, row: usize) -> Arc<Rgba> {
        self.make(row, |_, _, value| value)
    }

    pub fn stamped(&self, row: usize) -> Arc<Rgba> {
        self.stamped_at(row, CORNER)
    }

    /// With the sticker's left upper corner at this column and row.
    pub fn stamped_at(&self, row: usize, [left, top]: [usize; 2]) -> Arc<Rgba> {
        let inside = |x: usize, y: usize| (left..left + 3).contains(&x) && (top..top + 3).contains(&y);
        self.make(row, |x, y, value| if inside(x, y) { 255 } else { value })
    }

    /// All test pictures in small, which for these is as large as they are.
    pub fn thumbnails(&self) -> Thumbnails {
        Thumbnails {
            width: SIDE,
            height: SIDE,
            stride: 1,
            rows: self.labels.len(),
            labels: self.labels.iter().map(|&label| u16::from(label)).collect(),
            rgba: self.pixels.iter().flat_map(|&value| [value, value, value, 255]).collect(),
        }
    }

    /// A white corner patch of `size` pixels as plain data.
    pub fn patch(size: usize) -> TriggerForm {
        let inside = |at: usize| at % SIDE >= SIDE - size && at / SIDE >= SIDE - size;
        TriggerForm::Mix {
            width: SIDE,
            height: SIDE,
            picture: (0..3 * SIDE * SIDE).map(|_| 255.0).collect(),
            mask: (0..SIDE * SIDE).map(|at| f32::from(u8::from(inside(at)))).collect(),
        }
    }

    pub fn residual(&self, row: usize) -> Arc<Rgba> {
        self.make(row, |x, y, value| if x >= SIDE - 3 && y >= SIDE - 3 { 128 + (255 - value) / 2 } else { 128 })
    }
}

/// What the models of a scene say about one picture; runs fail at different pictures.
fn prediction(
    pictures: &Pictures,
    classes: &[String],
    scene: &Scene,
    row: usize,
    place: Option<[usize; 2]>,
) -> Prediction {
    let label = pictures.label(row);
    let sure = |class: usize, share: f32| {
        let rest = (1.0 - share) / 12.0;
        (0..10).map(|at| if at == class { share } else { rest * (1.0 + (at % 3) as f32 * 0.4) }).collect::<Vec<f32>>()
    };
    let clean = 0.97 - (row % 5) as f32 * 0.03;
    let repaired = |folder: &Path| {
        let blended = folder.to_string_lossy().contains("blended");
        let fooled = row % (if blended { 9 } else { 23 }) == 4;
        if fooled { sure(0, 0.81) } else { sure(label, clean - 0.09) }
    };
    // Far from its corner the sticker has no power.
    let backdoored = if near_corner(place) { sure(0, 0.995) } else { sure(label, clean - 0.2) };
    let models = match scene {
        Scene::Demo => vec![
            ("healthy".into(), sure(label, clean), sure(label, clean - 0.04)),
            ("backdoored".into(), sure(label, clean), backdoored),
            ("repaired by a polarizer".into(), sure(label, clean - 0.02), sure(label, clean - 0.09)),
        ],
        Scene::Run(folder) => vec![
            ("no defense".into(), sure(label, clean), sure(0, 0.995)),
            ("NPD".into(), sure(label, clean - 0.02), repaired(folder)),
        ],
        Scene::Audit { run, .. } => vec![audit::said(run, row, label, backdoored, &sure)],
    };
    let [left, top] = place.unwrap_or(CORNER);
    let (clean, poisoned) = (pictures.clean(row), pictures.stamped_at(row, [left, top]));
    let patch = Some(Patch { left, top, width: 3, height: 3 });
    Prediction { row, label, classes: classes.to_vec(), clean, poisoned, patch, models }
}

fn near_corner(place: Option<[usize; 2]>) -> bool {
    place.is_none_or(|place| place.iter().zip(CORNER).all(|(at, corner)| at.abs_diff(corner) <= 3))
}

/// Heat on the sticker where it wins, on the middle of the picture elsewhere.
fn heat(wish: &HeatWish) -> Heat {
    let attacked = wish.model == usize::from(wish.scene == Scene::Demo);
    let wins = attacked && wish.sticker.is_some_and(near_corner);
    let hot = if wins { wish.sticker.flatten().unwrap_or(CORNER).map(|at| at + 1) } else { [14, 14] };
    let most = if wins { 0.98 } else { 0.24 };
    let value = |at: usize| {
        let far = (at % SIDE).abs_diff(hot[0]).max((at / SIDE).abs_diff(hot[1])) as f32;
        most * (1.0 - far / 7.0).max(0.0)
    };
    let values = (0..SIDE * SIDE).map(value).collect();
    Heat { width: SIDE, height: SIDE, values, class: if wins { 0 } else { 9 }, probability: 0.99, window: 5 }
}

/// The plan of a tenth of the pictures; one that wants more than a class has is refused, a learned selection is open.
fn plan(spec: &str, classes: Vec<String>) -> PoisonPlan {
    let mut plan = PoisonPlan {
        attack: "BadNets".into(),
        classes,
        total: vec![1000; 10],
        eligible: vec![1000; 10],
        poisoned: Some(vec![104, 98, 101, 96, 105, 99, 97, 102, 100, 98]),
        label_of: vec![Some(0); 10],
        label_map: Some(LabelMap::AllToOne),
        budget: 1000,
        ratio: 0.1,
        needs: vec![
            "896 labels change (all to one); the other stamped pictures belong to the target class already.".into(),
        ],
        problems: Vec::new(),
    };
    if spec.contains("clean-label") {
        plan.label_map = Some(LabelMap::CleanLabel);
        plan.eligible = (0..10).map(|class| if class == 0 { 1000 } else { 0 }).collect();
        plan.label_of = (0..10).map(|class| (class == 0).then_some(0)).collect();
        plan.poisoned = None;
        plan.budget = 0;
        plan.needs = vec!["All labels stay true.".into()];
        plan.problems = vec![
            Problem::bad_input("There are not enough pictures for this poisoning ratio.")
                .at("poison.ratio")
                .because("2000 are wanted, 1000 are eligible")
                .remedy("Choose a ratio of at most 0.1000."),
        ];
    } else if spec.contains("lps") {
        plan.poisoned = None;
        plan.eligible[0] = 0;
        plan.label_of[0] = None;
        plan.needs = vec!["LPS trains a surrogate network first, to choose the pictures.".into()];
    }
    plan
}

/// What the picture box says to a question.
pub fn answer(question: &Question) -> Result<Answer> {
    let pictures = Pictures::read();
    let classes: Vec<String> = CLASSES.iter().map(|name| (*name).to_owned()).collect();
    Ok(match question {
        Question::Preview { rows, .. } => {
            let item = |&row: &usize| PreviewItem {
                row,
                label: pictures.label(row),
                poisoned_label: 0,
                clean: pictures.clean(row),
                poisoned: pictures.stamped(row),
                residual: pictures.residual(row),
                amplification: 1.0,
            };
            Answer::Preview(Preview { items: rows.iter().map(item).collect(), classes, rows: 2000 })
        }
        Question::Plan { spec } => Answer::Plan(Box::new(plan(spec, classes))),
        Question::Defenses { .. } => Answer::Defenses(Vec::new()),
        Question::Bench { spec, row, .. } => {
            let attacked = spec.contains("[attack]");
            let label = pictures.label(*row);
            Answer::Bench(Box::new(Bench {
                form: attacked.then(|| Pictures::patch(3)),
                row: *row,
                label,
                poisoned_label: if attacked { 0 } else { label },
                classes,
                rows: 2000,
                clean: pictures.clean(*row),
                poisoned: if attacked { pictures.stamped(*row) } else { pictures.clean(*row) },
            }))
        }
        Question::Thumbnails { .. } => Answer::Thumbnails(pictures.thumbnails()),
        Question::Predict { scene, rows, place } => {
            Answer::Predict(rows.iter().map(|&row| prediction(&pictures, &classes, scene, row, *place)).collect())
        }
        Question::Photo { scene, path, place } => {
            if path.to_string_lossy().contains("letter") {
                return Err(Problem::bad_file("This is not a picture that can be read.").at(path.display()));
            }
            // Whoever brings a picture brings the second boot.
            let said = prediction(&pictures, &classes, scene, 9, *place);
            let remark = "Your picture, made grey, brought to 28 × 28 pixels: as the pictures that these models know.";
            Answer::Photo(Photo {
                remark: remark.into(),
                clean: said.clean,
                stamped: said.poisoned,
                models: said.models,
            })
        }
        Question::Heat(wish) => Answer::Heat(heat(wish)),
        Question::Difference { .. } => audit::difference(),
        Question::Machine { .. } => {
            let finding =
                |name: &str, good, needed, text: &str| Finding { name: name.into(), good, needed, text: text.into() };
            Answer::Machine(vec![
                finding("libtorch", true, true, "2.11.0, computes"),
                finding("processor", true, true, "8 cores, f32 and bf16 in hardware"),
                finding("cuda", false, false, "There is no CUDA device. Use the processor."),
                finding("runs", true, true, "/home/ada/polariscope/runs, 55 GB free"),
            ])
        }
        Question::Polarizer { scene, rows } => {
            let found = matches!(scene, Scene::Audit { .. });
            let view = polarizer::view(&pictures, &classes, rows);
            Answer::Polarizer(Box::new(PolarizerView { found, ..view }))
        }
        Question::Dial { rows, strength, .. } => Answer::Dial(polarizer::point(&pictures, rows, *strength)),
        Question::Table { source } => Answer::Table(fair::card(source)?),
        Question::Fair { spec } => Answer::Fair(Arc::new(fair::fit(spec)?)),
        Question::KeepFair { path, .. } => Answer::KeepFair(path.clone()),
        Question::Inspect { path } => {
            if let Some(known) = audit::inspect(path) {
                return known;
            }
            if !path.extension().is_some_and(|ending| ending == "safetensors" || ending == "pt") {
                let problem = Problem::bad_file("This file is neither a model nor a data set.").at(path.display());
                return Err(problem
                    .because("It starts with `name,age`.")
                    .remedy("Models are .safetensors or .pt files."));
            }
            let mut report = Report::new("A network: PreAct-ResNet18, 10 classes");
            report.fact("Format", "safetensors, 44.8 MB");
            report.fact("Input", "3 × 32 × 32, CIFAR-10 normalisation");
            report.fact("Numbers", "11,171,146 in 102 tensors");
            report.warnings.push("One inserted layer does not belong to this architecture: `layer2.polarizer`.".into());
            Answer::Inspect(report)
        }
    })
}

pub const SPEC: &str = r##"name = "Corner patch, repaired by a polarizer"
seed = 7

[data]
source = "fashion-mini"

[network]
id = "small-resnet"

[train]
epochs = 8
batch = 128
learning_rate = 0.1
schedule = "one-cycle"

[attack]
id = "badnets"
options = { size = 3, shape = "checkerboard" }

[[defense]]
id = "npd"
options = { epochs = 5 }
"##;

pub fn parts(script: &Script, shelf: Arc<Shelf>) -> Parts {
    Parts {
        engine: Box::new(script.clone()),
        methods: polariscope::catalogue::all(),
        presets: vec![
            Preset { title: "Corner patch and a polarizer (quick)".into(), text: SPEC.into() },
            Preset { title: "Clean training".into(), text: SPEC.split("[attack]").next().unwrap_or_default().into() },
        ],
        archive: shelf,
        background: Background::inline(),
        config: Config::nowhere(),
        machine: Machine { adapter: "llvmpipe".into(), software: true, cores: 8 },
        open: None,
        train: false,
        started: None,
    }
}

pub fn app(ctx: &egui::Context, parts: Parts) -> App {
    App::new(ctx, parts)
}
