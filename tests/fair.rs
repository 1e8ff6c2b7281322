//! Fair regression through the engine: questions of the window, and a run in its folder.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use polariscope::catalogue;
use polariscope::engine::Worker;
use polariscope::engine::{Library, answer, inspect};
use polariscope::experiment::{Result, Spec, check};
use polariscope::run::event::{Answer, Command, Ending, Event, JobEvent, JobId, Question, RunRequest};
use polariscope::run::fair::{Dial, FairFit};
use polariscope::run::handle::{Engine, Shutdown};
use polariscope::run::index::{Filter, Index};
use polariscope::run::{FairRow, RunFolder, State};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// 300 communities, 3 features, all rivals: a second's work.
const SPEC: &str = r#"
task = "fair-regression"
name = "Three features"
seed = 5
threads = 1
[table]
source = "communities"
target = "ViolentCrimesPerPop"
sensitive = ["race"]
features = ["medIncome", "PctUnemployed", "race"]
rows = 300
[model]
gamma = 0.3
lambda = 1.0
folds = 3
points = 11
"#;

fn ask(question: &Question, library: &Rc<RefCell<Library>>) -> Result<Answer> {
    answer(question, library)
}

#[test]
fn a_question_is_answered_with_the_whole_trade_off() {
    let library = Rc::new(RefCell::new(Library::default()));
    let Answer::Fair(fit) = ask(&Question::Fair { spec: SPEC.into() }, &library).unwrap() else {
        panic!("other answer")
    };
    assert_eq!((fit.groups.len(), fit.features.len(), fit.folds.len()), (2, 3, 3));
    let (before, after) = (fit.point(Dial::Share(0.0)), fit.point(Dial::Share(1.0)));
    assert!(before.test.gap > 0.1 && after.train.gap < 1e-10);
    assert!(fit.sentence(Dial::Share(1.0)).starts_with("Removes"));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let keep = Question::KeepFair { spec: SPEC.into(), dial: Dial::Share(0.5), path: path.clone() };
    assert!(matches!(ask(&keep, &library), Ok(Answer::KeepFair(written)) if written == path));
    assert!(path.is_file());
}

#[test]
fn a_kept_model_predicts_rows_that_it_has_not_seen() {
    let library = Rc::new(RefCell::new(Library::default()));
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // People of two schools; what is learnt is a sum that the school shifts.
    let line = |row: usize, with_grade: bool| {
        let (school, a, b) = (["north", "south"][row % 2], row % 7, row * 5 % 11);
        let grade = if with_grade { format!(",{}", a + b + 3 * (row % 2)) } else { String::new() };
        format!("{school},{a},{b}{grade}\n")
    };
    let rows = |from: usize, with_grade: bool| (from..from + 60).map(|row| line(row, with_grade)).collect::<String>();
    std::fs::write(path("old.csv"), format!("school,a,b,grade\n{}", rows(0, true))).unwrap();
    std::fs::write(path("new.csv"), format!("school,a,b\n{}", rows(60, false))).unwrap();
    std::fs::write(path("known.csv"), "grade,school,a,b\n9,north,3,4\n").unwrap();
    std::fs::write(path("odd.csv"), "school,a,b\neast,3,4\n").unwrap();
    std::fs::write(path("short.csv"), "school,a\nnorth,3\n").unwrap();
    let spec = format!(
        "task = 'fair-regression'\nrival = []\n[table]\nsource = '{}'\ntarget = 'grade'\nsensitive = ['school']\n\
         [model]\nkernel = 'linear'\nlambda = 0.001\nfolds = 0\n",
        path("old.csv").display()
    );
    let model = path("model.safetensors");
    let keep = Question::KeepFair { spec, dial: Dial::Share(0.0), path: model.clone() };
    assert!(matches!(ask(&keep, &library), Ok(Answer::KeepFair(_))));
    let predict = |table: &str, dial| polariscope::engine::fair::predict(&model, &path(table).to_string_lossy(), dial);
    let (made, dial) = predict("new.csv", None).unwrap();
    assert_eq!((made.values.len(), made.rmse, dial), (60, None, Dial::Share(0.0)), "the kept point counts");
    for (row, value) in (60..120).zip(&made.values) {
        let wanted = (row % 7 + row * 5 % 11 + 3 * (row % 2)) as f64;
        assert!((value - wanted).abs() < 0.05, "row {row}: {value}, not {wanted}");
    }
    // Fair, the schools' means meet on such rows; the target that a table knows is held against what was predicted.
    let (fair, _) = predict("new.csv", Some(Dial::Share(1.0))).unwrap();
    let mean = |school: usize| fair.values.iter().skip(school).step_by(2).sum::<f64>() / 30.0;
    assert!((mean(0) - mean(1)).abs() < 0.7, "{} {}", mean(0), mean(1));
    let (known, _) = predict("known.csv", None).unwrap();
    assert!((known.values[0] - 7.0).abs() < 0.05 && (known.rmse.unwrap() - 2.0).abs() < 0.05, "{known:?}");
    let odd = predict("odd.csv", None).unwrap_err();
    assert!(odd.headline.contains("`east`") && odd.remedy[0].contains("north"), "{odd}");
    let short = predict("short.csv", None).unwrap_err();
    assert!(short.headline.contains("no column `b`"), "{short}");
}

#[test]
fn a_table_is_described_before_anything_is_fitted() {
    let library = Rc::new(RefCell::new(Library::default()));
    let Answer::Table(card) = ask(&Question::Table { source: "communities".into() }, &library).unwrap() else {
        panic!("other answer")
    };
    assert_eq!((card.rows, card.columns.len()), (1994, 120));
    assert_eq!(card.target.as_deref(), Some("ViolentCrimesPerPop"));
    assert_eq!(card.sensitive, ["race"]);
    let report = inspect(Path::new("communities")).unwrap();
    assert!(report.title.contains("Communities") && report.facts.len() == 122);
    let problem = ask(&Question::Table { source: "/no/such.csv".into() }, &library).unwrap_err();
    assert!(problem.remedy.iter().any(|line| line.contains("communities")), "{problem}");
}

fn run(folder: &Path, resume: bool) -> Ending {
    let mut worker = Worker::start(Box::new(|| {})).unwrap();
    let request = RunRequest { spec: SPEC.into(), folder: Some(folder.to_owned()), resume };
    worker.send(Command::Start { job: JobId(1), request: Box::new(request) }).unwrap();
    let ending = loop {
        if let Some(Event::Job(_, JobEvent::Finished(ending))) = worker.wait(Duration::from_secs(1)) {
            break ending;
        }
    };
    assert_eq!(worker.shutdown(Duration::from_secs(10)), Shutdown::Clean);
    ending
}

#[test]
fn a_run_leaves_everything_in_its_folder() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    assert_eq!(run(&path, false), Ending::Done);
    let folder = RunFolder::open(&path).unwrap();
    assert_eq!(folder.state().unwrap(), State::Done);
    let spec = folder.read_spec().unwrap();
    assert!(matches!(&spec, Spec::Fair(fair) if fair.rival.as_ref().is_some_and(|rivals| rivals.len() == 7)));
    assert_eq!(spec.resolve(catalogue::all()), spec, "everything is written out");
    assert!(folder.experiment().is_err());

    let points = folder.points().unwrap();
    assert_eq!(points.iter().filter(|point| point.metric == "test_gap").count(), 11);
    let results = folder.results().unwrap().unwrap();
    assert_eq!(results.fair.len(), 3 + 6 + 4);
    assert!(results.rows.is_empty());
    assert!(results.to_text().contains("fully fair"), "{}", results.to_text());
    let fit: FairFit = folder.read_json("fair.json").unwrap();
    assert_eq!(fit.curve(Dial::Share(0.0), 11).len(), 11);
    let csv = std::fs::read_to_string(folder.file("curve.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 11 + 11 + 6 + 4);
    assert!(folder.weights("fair").is_file());
    let (made, dial) = polariscope::engine::fair::predict(&path, "communities", None).unwrap();
    assert_eq!((made.values.len(), dial), (1994, Dial::Share(1.0)), "a run folder is as good as its model");

    let mut index = Index::in_memory().unwrap();
    index.rescan(place.path()).unwrap();
    let row = &index.list(&Filter::default()).unwrap()[0];
    assert_eq!((row.network.as_str(), row.data.as_str(), row.seed), ("fair-regression", "communities", 5));
    assert_eq!(row.state, Some(State::Done));
    assert!(row.is_fair() && row.results.is_empty());
    let titles = |rows: &[FairRow]| rows.iter().map(|row| row.title.clone()).collect::<Vec<_>>();
    assert_eq!(titles(&row.fair), titles(&results.fair));
    let apart = row.fair[0].test_gap.unwrap() - results.fair[0].test_gap.unwrap();
    assert!(apart.abs() < 1e-12, "the list knows errors and gaps");
    let report = inspect(&path).unwrap();
    assert!(report.facts.iter().any(|(name, _)| name == "fully fair"), "{report:?}");
    // A second time there is nothing to do.
    assert_eq!(run(&path, true), Ending::Done);
    assert!(matches!(run(&path, false), Ending::Failed(problem) if problem.headline.contains("already finished")));
}

#[test]
fn specs_keep_their_hash_and_say_what_is_wrong() {
    let methods = catalogue::all();
    let plain = "[data]\nsource = 'fashion-mini'\n[network]\nid = 'small-resnet'\n";
    let resolved = check::resolve(&check::parse(plain, methods).unwrap(), methods);
    let spec = Spec::parse(plain, methods).unwrap().resolve(methods);
    assert_eq!(spec.hash8(), check::hash8(&resolved));
    assert!(!spec.to_toml().unwrap().contains("task"));
    let fair = Spec::parse(SPEC, methods).unwrap().resolve(methods);
    assert_eq!(Spec::parse(&fair.to_toml().unwrap(), methods).unwrap().resolve(methods), fair);
    let unknown = Spec::parse("task = 'magic'\n", methods).unwrap_err();
    assert!(unknown.place.unwrap().contains("line 1"));
    let wrong = Spec::parse(&format!("{SPEC}gama = 1\n"), methods).unwrap_err();
    assert!(wrong.remedy[0].contains("gamma") && wrong.place.unwrap().contains("line 17"), "{:?}", wrong.remedy);
    let nobody = Spec::parse(&SPEC.replace("[\"race\"]", "[]"), methods).unwrap_err();
    assert_eq!(nobody.headline, "No sensitive column is named.");
}
