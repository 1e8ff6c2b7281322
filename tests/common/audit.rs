//! An audit that finds something, as a script plays it.

use super::{CLASSES, Pictures, Script, sheet_of};
use polariscope::experiment::{Experiment, Result, Scores, audit};
use polariscope::run::checked::{CheckResult, FoundPatch, Subject, Table, TableRow, Verdict};
use polariscope::run::event::{Answer, Ending, JobEvent, Picture, Progress, Report};
use polariscope::run::folder::SavedImage;
use polariscope::run::model_difference::{ModelDifference, Part};
use polariscope::run::{ResultRow, Results};
use std::path::{Path, PathBuf};

/// Where the scripted audit runs.
pub const FOLDER: &str = "/runs/audit-of-signs-7d21c0aa";

fn table(head: &[&str], bars: usize, rows: impl Iterator<Item = (Vec<String>, f64, bool)>) -> Option<Table> {
    let rows = rows.map(|(cells, bar, stands_out)| TableRow { cells, bar, stands_out }).collect();
    Some(Table { head: head.iter().map(|name| (*name).to_owned()).collect(), rows, bars })
}

fn facts(facts: &[(&str, &str)]) -> Vec<(String, String)> {
    facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The findings about a model with a backdoor, or about its repaired twin.
pub fn findings(backdoored: bool) -> Vec<CheckResult> {
    let right = [81.5, 97.0, 78.0, 88.0, 79.5, 95.0, 61.5, 95.5, 96.0, 95.0];
    let wrong = [58, 4, 49, 31, 47, 11, 77, 14, 6, 9];
    let accuracy = CheckResult {
        check: "class-accuracy".into(),
        title: "Accuracy per class".into(),
        verdict: Verdict::Clear,
        headline: "86.7 % right; no class attracts the wrong answers.".into(),
        evidence: facts(&[
            ("accuracy", "86.7 % (1734 of 2000)"),
            ("lowest class", "Shirt: 61.5 % (123 of 200)"),
            ("most named by mistake", "Shirt: 77 of 266 wrong answers"),
            ("commonest mistake of", "4 of 9 classes"),
        ]),
        table: table(
            &["class", "pictures", "right", "wrong answers it gets"],
            3,
            CLASSES.iter().enumerate().map(|(at, name)| {
                let cells =
                    vec![(*name).to_owned(), "200".into(), format!("{:.1} %", right[at]), wrong[at].to_string()];
                (cells, f64::from(wrong[at]) / 77.0, false)
            }),
        ),
        strength:
            "2000 pictures were asked; a class that is the commonest mistake of 6 of 9 others would have been noticed."
                .into(),
        misses: "a backdoor that leaves ordinary pictures alone, as most do".into(),
        seconds: 2.4,
        ..CheckResult::default()
    };
    let odd = CheckResult {
        check: "odd-channels".into(),
        title: "Odd channels".into(),
        headline: "3 channels stand out; networks without a backdoor have such channels, too.".into(),
        evidence: facts(&[("outliers", "3 of 112 channels, in 2 of 4 layers")]),
        strength: "Every channel of 4 layers was bounded from its weights; nothing was run.".into(),
        misses: "a backdoor that is spread over many channels, or whose attacker kept the weights small".into(),
        seconds: 0.2,
        ..CheckResult::default()
    };
    let smallest = if backdoored { 4.1 } else { 44.0 };
    let sizes = [smallest, 65.8, 48.5, 89.7, 88.1, 60.6, 46.4, 110.5, 38.7, 106.5];
    let search = CheckResult {
        check: "trigger-search".into(),
        title: "Trigger search".into(),
        verdict: if backdoored { Verdict::Suspicious } else { Verdict::Clear },
        class: backdoored.then_some(0),
        headline: if backdoored {
            "A patch of 4.1 pixels turns 98.6 % of other pictures into T-shirt; the median class needs 15.4 times more."
        } else {
            "No class can be reached by an unusually small patch."
        }
        .into(),
        evidence: facts(&[
            ("smallest patch", "T-shirt: 4.1 pixels, 0.5 % of the picture"),
            ("it turns", "98.6 % (355 of 360)"),
            ("its anomaly index", "7.21; 2 is the limit"),
            ("median patch", "63.2 pixels, 8.1 % of the picture"),
        ]),
        table: table(
            &["class", "pixels", "turns"],
            1,
            CLASSES.iter().enumerate().map(|(at, name)| {
                let cells = vec![(*name).to_owned(), format!("{:.1}", sizes[at]), "98.6 % (355 of 360)".into()];
                (cells, sizes[at] / 110.5, backdoored && at == 0)
            }),
        ),
        strength:
            "A patch was searched for each of 10 classes with 200 pictures and found for 10; a patch much smaller than \
                   the median of 63 pixels would have been noticed."
                .into(),
        misses: "triggers that cover the whole picture, bend it, or differ from picture to picture".into(),
        pictures: vec![SavedImage {
            file: "trigger-search-stamped.png".into(),
            caption: "Without and with the patch for T-shirt; it turns 8 of these 8 (orange frames)".into(),
        }],
        seconds: 151.0,
        patch: Some(FoundPatch {
            file: "patches/trigger-search.safetensors".into(),
            class: if backdoored { 0 } else { 8 },
            turned: 355,
            tried: 360,
        }),
    };
    vec![accuracy, odd, search]
}

fn subject(file: &str, polarized: bool) -> Subject {
    Subject {
        file: Some(file.to_owned()),
        hash: Some("9f2c".repeat(16)),
        network: "preact-resnet18, width 64".into(),
        weights: 11_171_146,
        inserted: if polarized { vec!["neural polarizer at layer3.1.conv1.in".into()] } else { Vec::new() },
        polarized,
        data: "signs".into(),
        data_hash: "11ab".repeat(16),
        pictures: 2000,
        part: "all pictures".into(),
    }
}

/// The patch of the first audit, tried on the model that came back.
fn known_patch() -> CheckResult {
    CheckResult {
        check: "known-patch".into(),
        title: "Known patch".into(),
        verdict: Verdict::Clear,
        headline: "The patch of 14 March 2026 turned 98.6 % of other pictures into T-shirt; now it turns 2.0 %.".into(),
        evidence: facts(&[
            ("found by", "Audit of signs.safetensors, 14 March 2026"),
            ("turned into T-shirt then", "98.6 % (355 of 360)"),
            ("turned into T-shirt now", "2.0 % (7 of 360)"),
            ("taken for T-shirt without it", "1.4 % (5 of 360)"),
        ]),
        strength: "The patch was tried on 360 pictures of other classes.".into(),
        misses: "triggers other than the known patch".into(),
        patch: Some(FoundPatch { file: "patches/known-patch.safetensors".into(), class: 0, turned: 7, tried: 360 }),
        seconds: 1.1,
        ..CheckResult::default()
    }
}

/// The model came back repaired.
fn is_repaired(folder: &Path) -> bool {
    folder.to_string_lossy().contains("repaired")
}

/// What the run folder of an audit says at its end; other runs have no findings.
pub fn found_in(folder: &Path) -> (Vec<CheckResult>, Option<Subject>) {
    if !folder.to_string_lossy().contains("audit") {
        return (Vec::new(), None);
    }
    if !is_repaired(folder) {
        return (findings(true), Some(subject("/home/ada/models/signs.safetensors", false)));
    }
    let mut checks = findings(false);
    checks.insert(1, known_patch());
    (checks, Some(subject("/home/ada/models/signs-repaired.safetensors", true)))
}

/// What its model reached.
pub fn scores(folder: &Path) -> Vec<ResultRow> {
    let acc = if is_repaired(folder) { 0.861 } else { 0.867 };
    let scores = Scores { acc, clean_count: 2000, ..Scores::default() };
    let weights = Some("weights/clean.safetensors".into());
    vec![ResultRow { title: "as delivered".into(), scores, weights, ..ResultRow::default() }]
}

/// The experiment of that audit.
pub fn experiment_of(folder: &Path) -> Experiment {
    let methods = polariscope::catalogue::all();
    if !is_repaired(folder) {
        return audit::audit("signs.safetensors", "fashion-mini", methods);
    }
    let mut experiment = audit::audit("signs-repaired.safetensors", "fashion-mini", methods);
    audit::try_patch_of(&mut experiment, Path::new(FOLDER));
    experiment
}

/// The class that its model gives each picture: the repaired one answers 9 of 120 differently.
pub fn answers(folder: &Path) -> Vec<u16> {
    let pictures = Pictures::read();
    let class = |row: usize| {
        let (_, clean, _) = said(folder, row, pictures.label(row), Vec::new(), &|class, _| {
            (0..10).map(|at| f32::from(u8::from(at == class))).collect()
        });
        clean.iter().position(|share| *share > 0.5).unwrap_or_default() as u16
    };
    (0..120).map(class).collect()
}

/// What tells the repaired model from the delivered one.
pub fn difference() -> Answer {
    let part = |name: &str, differing, numbers| Part { name: name.into(), differing, numbers };
    Answer::Difference(Box::new(ModelDifference {
        networks: ["preact-resnet18, width 64", "preact-resnet18, width 64"].map(String::from),
        layers: vec![part("conv1", 0, 1728), part("layer4.1.conv2", 0, 11_124_730)],
        inserted: vec![part("neural polarizer at layer3.1.conv1.in", 44_688, 44_688)],
        removed: Vec::new(),
    }))
}

/// What the engine says of the places of an audit.
pub fn inspect(path: &Path) -> Option<Result<Answer>> {
    let name = path.to_string_lossy();
    let report = if name.ends_with("pictures") || name == "fashion-mini" {
        let mut report = Report::new("A data set: 10 classes");
        report.fact("training pictures", "10,000");
        report.fact("test pictures", "2,000");
        report.fact("size", "28 × 28, grey");
        report
    } else if name.starts_with("demo-") {
        let mut report = Report::new("A small residual network, 10 classes");
        report.fact("weights", "77,562");
        report.warnings.push("This model was backdoored on purpose.".into());
        report
    } else {
        return None;
    };
    Some(Ok(Answer::Inspect(report)))
}

/// What the audited model of this run says of a picture: its title, without and with the patch. A repaired one falls for the
/// patch on few pictures, and takes a few clean ones for something else.
pub fn said(
    run: &Path,
    row: usize,
    label: usize,
    backdoored: Vec<f32>,
    sure: &dyn Fn(usize, f32) -> Vec<f32>,
) -> (String, Vec<f32>, Vec<f32>) {
    let title = "as delivered".to_owned();
    if !run.to_string_lossy().contains("repaired") {
        return (title, sure(label, 0.95), backdoored);
    }
    let clean = if row % 13 == 5 { sure((label + 2) % 10, 0.61) } else { sure(label, 0.93) };
    let stamped = if row % 50 == 7 { sure(0, 0.55) } else { clean.clone() };
    (title, clean, stamped)
}

impl Script {
    /// The audit has begun and works on its checks.
    pub fn start_audit(&self) {
        self.play(JobEvent::Started { folder: FOLDER.into(), device: "cpu".into(), threads: 2 });
        self.play(JobEvent::Phase { index: 0, of: 4, name: "clean".into() });
        self.play(JobEvent::Phase { index: 1, of: 4, name: "class-accuracy".into() });
    }

    /// The first checks have looked, the search is under way.
    pub fn search(&self) {
        let mut findings = findings(true);
        findings.truncate(2);
        for (index, found) in findings.into_iter().enumerate() {
            self.play(JobEvent::Checked(Box::new(found)));
            let name = ["odd-channels", "trigger-search"][index];
            self.play(JobEvent::Phase { index: index + 2, of: 4, name: name.into() });
        }
        self.0.borrow_mut().progress = Some(Progress {
            phase: "trigger-search".into(),
            phase_index: 3,
            phases: 4,
            done: 31,
            total: 80,
            unit: "rounds",
            eta_s: Some(95.0),
            pictures_per_s: Some(1240.0),
            elapsed_s: 64.0,
            memory: 812_000_000,
        });
    }

    pub fn show_patch(&self) {
        let pictures = Pictures::read();
        let rows = [Pictures::clean, Pictures::stamped];
        let sheet: Vec<Vec<_>> = rows.iter().map(|make| (0..8).map(|row| make(&pictures, row)).collect()).collect();
        self.0.borrow_mut().pictures.push(Picture {
            key: "trigger-search-stamped.png".into(),
            caption: "Without and with the patch for T-shirt; it turns 8 of these 8 (orange frames)".into(),
            rgba: sheet_of(&sheet),
        });
    }

    /// The search ends with what it has found.
    pub fn finish_audit(&self, backdoored: bool) {
        self.show_patch();
        for found in findings(backdoored) {
            self.play(JobEvent::Checked(Box::new(found)));
        }
        self.play(JobEvent::Finished(Ending::Done));
    }
}

/// A run folder on disk with the findings of an audit, so that a report can be made of it.
pub fn on_disk(at: &Path) -> PathBuf {
    use polariscope::run::{RunFolder, State, Status};
    let spec = "name = 'Audit of signs.safetensors'\n[data]\nsource = 'fashion-mini'\n[network]\nid = 'checkpoint'\n";
    let folder = RunFolder::create(at, spec).expect("a run folder");
    folder.set_status(&Status::now(State::Done)).expect("status");
    let checks = findings(true).into_iter().map(|found| CheckResult { pictures: Vec::new(), ..found }).collect();
    let scores = Scores { acc: 0.867, clean_count: 2000, ..Scores::default() };
    let rows = vec![ResultRow { title: "as delivered".into(), scores, ..ResultRow::default() }];
    let results = Results { rows, checks, subject: Some(subject("signs.safetensors", false)), ..Results::default() };
    folder.set_results(&results).expect("results");
    at.to_owned()
}
