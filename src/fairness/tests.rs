use super::frame::Split;
use super::*;
use crate::data::tables;
use crate::experiment::Spec;
use crate::run::fair::Dial;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::path::Path;

/// Figures of the authors' code on splits without random numbers: row i is a training row when i mod 5 < 3.
const REFERENCE: &str = include_str!("reference.csv");

fn job() -> Job {
    Job::detached(Path::new(""), 1)
}

fn experiment(text: &str) -> FairExperiment {
    let rivals = rivals::ALL.iter().map(|entry| &entry.method);
    let methods: Vec<&'static Method> = std::iter::once(&METHOD).chain(rivals).collect();
    match Spec::parse(text, &methods).unwrap_or_else(|problem| panic!("{problem}")).resolve(&methods) {
        Spec::Fair(experiment) => *experiment,
        Spec::Backdoor(_) => panic!("not a fair regression"),
    }
}

fn every(index: usize) -> bool {
    index % 5 >= 3
}

fn frame(experiment: &FairExperiment, rows: usize) -> Frame {
    let mut table = tables::open(&experiment.table.source, &mut || Ok(())).unwrap();
    let mut choice = experiment.table.clone();
    if rows > 0 {
        // The first rows that remain, not drawn ones.
        let whole = |row: usize| table.columns.iter().all(|column| !column.is_missing(row));
        let kept: Vec<usize> = (0..table.rows).filter(|&row| whole(row)).take(rows).collect();
        table = table.pick(&kept);
        choice.rows = 0;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    Frame::build(&table, &choice, &mut rng, Split::Every(every)).unwrap()
}

const COMMUNITIES: &str = r#"
task = "fair-regression"
rival = []
[table]
source = "communities"
target = "ViolentCrimesPerPop"
sensitive = ["race"]
missing = "zero"
standardise = false
[model]
folds = 0
"#;

const LAW_SCHOOL: &str = r#"
task = "fair-regression"
rival = []
[table]
source = "law-school"
target = "ugpa"
sensitive = ["race"]
column = [{ name = "race", against_rest = "white" }]
missing = "drop-rows"
standardise = STANDARDISE
[model]
folds = 0
"#;

#[test]
fn the_authors_figures_are_reproduced() {
    let mut compared = 0;
    let mut fits: Vec<(String, FairFit)> = Vec::new();
    for line in REFERENCE.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let value = |index: usize| cells[index].parse::<f64>().unwrap_or(f64::NAN);
        let (linear, standardised) = (cells[5] == "linear", cells[8] == "1");
        let kernel = if linear { "kernel = 'linear'\nlambda = 0" } else { "kernel = 'rbf'\ngamma = 0.1\nlambda = 1" };
        let (text, rows, scale) = match cells[0] {
            "communities" => (COMMUNITIES.to_owned(), 0, 1.0),
            // The authors predict a quarter of the grade.
            _ => (LAW_SCHOOL.replace("STANDARDISE", &standardised.to_string()), 2000, 0.25),
        };
        let text = format!("{text}{kernel}\n");
        if fits.last().is_none_or(|(of, _)| *of != text) {
            let experiment = experiment(&text);
            fits.push((text, fit_frame(&mut job(), &experiment, frame(&experiment, rows)).unwrap().fit));
        }
        let fitted = &fits.last().unwrap().1;
        let dial = match cells[9] {
            "unconstrained" => Dial::Share(0.0),
            "mean-parity" => Dial::Share(1.0),
            _ => Dial::Penalty(value(10)),
        };
        let point = fitted.point(dial);
        assert_eq!((point.train.rows, point.test.rows), (value(2) as usize, value(3) as usize), "{line}");
        let weights = dial.weights(&fitted.trade.support);
        let predictions = fitted.test.predict(&weights);
        // Without a ridge the authors' normal equations lose digits; the tolerances say how many.
        let (relative, absolute) = if linear { (0.01, 2e-3) } else { (1e-5, 1e-6) };
        for (ours, theirs) in [(point.train.mse, value(11)), (point.test.mse, value(13))] {
            let ours = ours * scale * scale;
            assert!((ours / theirs - 1.0).abs() < relative, "mse {ours}: {line}");
        }
        for (ours, theirs) in [(point.train.smd, value(12)), (point.test.smd, value(14))] {
            assert!((ours * scale - theirs).abs() < absolute, "smd {}: {line}", ours * scale);
        }
        if !linear {
            assert!((fitted.test.ks(&predictions) - value(15)).abs() < 2e-3, "ks: {line}");
            for (index, prediction) in predictions.iter().take(3).enumerate() {
                assert!((prediction * scale - value(16 + index)).abs() < absolute, "prediction {index}: {line}");
            }
        }
        compared += 1;
    }
    assert_eq!(compared, 24);
}

#[test]
fn several_attributes_are_made_fair_together() {
    let text = COMMUNITIES.replace("[\"race\"]", "[\"race\", \"medIncome\", \"householdsize\"]").replace(
        "missing =",
        "column = [{ name = 'medIncome', cuts = [0.5] }, { name = 'householdsize', cuts = [0.5] }]\nmissing =",
    );
    let experiment = experiment(&format!("{text}gamma = 0.1\nlambda = 1\n"));
    let fitted = fit_frame(&mut job(), &experiment, frame(&experiment, 0)).unwrap().fit;
    assert_eq!((fitted.groups.len(), fitted.directions(), fitted.attributes.len()), (8, 7, 3));
    assert!(fitted.achieved < 1e-10, "{}", fitted.achieved);
    let point = fitted.point(Dial::Share(1.0));
    for attribute in 0..3 {
        let alone = point.train.merged(&fitted.groups_of(attribute));
        assert!(alone.gap < 1e-10, "what holds for combinations holds for each attribute");
    }
    assert!(fitted.point(Dial::Share(0.0)).train.gap > 0.3);
}

/// A small whole experiment on the embedded data.
fn small(extra: &str) -> FairExperiment {
    let text = COMMUNITIES.replace("rival = []", "seed = 3").replace("folds = 0", "folds = 3\ngamma = 0.1\nlambda = 1");
    experiment(&format!("{}{extra}", text.replace("[model]", "rows = 400\n[model]")))
}

fn communities() -> Table {
    tables::open("communities", &mut || Ok(())).unwrap()
}

#[test]
fn everything_that_a_screen_needs_is_there() {
    let fitted = fit(&mut job(), &small(""), &communities()).unwrap().fit;
    assert_eq!(fitted.folds.len(), 3);
    assert_eq!(fitted.rivals.len(), rivals::ALL.len());
    assert_eq!(fitted.train.len() + fitted.test.len(), 400);
    assert_eq!(fitted.features.len(), 119);
    assert_eq!(fitted.test.values_of(0).len(), 119);
    let point = fitted.point(Dial::Share(0.0));
    let rival = |id: &str| &fitted.rivals.iter().find(|rival| rival.id == id).unwrap().points;
    assert!(rival("constant")[0].train.gap < 1e-12);
    assert!(rival("group-shift")[0].train.gap < 1e-10);
    assert!(rival("group-shift")[0].train.mse > point.train.mse);
    let penalties: Vec<f64> = rival("kernel-penalty").iter().map(|point| point.train.gap).collect();
    assert!(penalties.is_sorted_by(|a, b| a > b) && penalties[0] < point.train.gap, "{penalties:?}");
    // Equal errors, not equal means: the worst group's error falls.
    let worst = |figures: &Figures| figures.groups.iter().map(|group| group.mse).fold(0.0, f64::max);
    assert!(worst(&rival("group-loss")[0].train) < worst(&rival("constant")[0].train));
    let race = fitted.features.iter().find(|feature| feature.name == "race").unwrap();
    assert!(race.sensitive && race.levels == ["other", "white"]);
    assert!(race.proxy.abs() > 0.3, "{}", race.proxy);
    let weights = [1.0];
    let moved: Vec<f64> = race.at(&weights).iter().zip(&race.plain).map(|(after, before)| after - before).collect();
    assert!((moved[1] - moved[0]).abs() > 1e-3, "{moved:?}");
    // Subtracted from one group what the other gets: the weighted sum is zero.
    let total: f64 =
        fitted.subtracted.iter().zip(&point.train.groups).map(|(amount, group)| amount * group.rows as f64).sum();
    assert!(fitted.subtracted[0].abs() > 1e-3 && total.abs() < 1e-8);
}

#[test]
fn the_same_seed_gives_the_same_fit() {
    let (one, two) = (fit(&mut job(), &small(""), &communities()), fit(&mut job(), &small(""), &communities()));
    assert_eq!(one.unwrap().fit.trade, two.unwrap().fit.trade);
}

#[test]
fn every_constraint_does_what_it_says() {
    let two = |constraint: &str| {
        let text = small(&format!("constraint = '{constraint}'\n"));
        let table = TableChoiceOf { sensitive: &["race", "medIncome"] }.put(text);
        fit(&mut job(), &table, &communities()).unwrap().fit
    };
    let fair = |fitted: &FairFit| fitted.point(Dial::Share(1.0)).train;
    let covariance = two("covariance");
    assert_eq!(covariance.directions(), 2);
    assert!(fair(&covariance).covariance.iter().all(|value| value.unwrap() < 1e-10));
    assert!(fair(&covariance).gap > 1e-3, "no covariance is less than parity");
    let marginal = two("marginal");
    for attribute in 0..2 {
        assert!(fair(&marginal).merged(&marginal.groups_of(attribute)).gap < 1e-10);
    }
    let smooth = two("smooth");
    assert!(smooth.directions() > 3);
    assert!(
        fair(&smooth).covariance[1].unwrap() < covariance.point(Dial::Share(0.0)).train.covariance[1].unwrap() / 20.0
    );
}

/// Another choice of sensitive columns.
struct TableChoiceOf<'a> {
    sensitive: &'a [&'a str],
}

impl TableChoiceOf<'_> {
    fn put(&self, mut experiment: FairExperiment) -> FairExperiment {
        experiment.table.sensitive = self.sensitive.iter().map(|name| (*name).to_owned()).collect();
        experiment.rival = Some(Vec::new());
        experiment.model.folds = 0;
        experiment
    }
}

#[test]
fn a_saved_model_predicts_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fair.safetensors");
    for kernel in ["rbf", "linear"] {
        let mut experiment = small(&format!("kernel = '{kernel}'\n"));
        experiment.rival = Some(Vec::new());
        experiment.table.standardise = true;
        let table = communities();
        let fitted = fit(&mut job(), &experiment, &table).unwrap();
        fitted.weights.save(&path, Some(Dial::Share(0.5))).unwrap();
        let again = FairWeights::open(&path).unwrap();
        assert_eq!(again.kept, Some(Dial::Share(0.5)));
        let all = again.predict(&table, Dial::Share(0.5)).unwrap().values;
        let shown = fitted.fit.test.predict(&[0.5]);
        for (row, prediction) in fitted.fit.test.row.iter().zip(shown) {
            assert!((all[*row as usize] - prediction).abs() < 1e-9, "{kernel}");
        }
    }
    std::fs::write(&path, b"no").unwrap();
    assert!(FairWeights::open(&path).is_err());
}

#[test]
fn a_model_says_what_it_cannot_predict_from() {
    let mut experiment = small("");
    experiment.rival = Some(Vec::new());
    experiment.table.features = vec!["medIncome".into(), "race".into()];
    let weights = fit(&mut job(), &experiment, &communities()).unwrap().weights;
    let predict = |change: &dyn Fn(&mut Table)| {
        let mut table = communities().pick(&[3, 4, 5]);
        change(&mut table);
        weights.predict(&table, Dial::Share(1.0))
    };
    let at = |table: &Table, name: &str| table.columns.iter().position(|column| column.name == name).unwrap();
    let whole = predict(&|_| {}).unwrap();
    assert_eq!((whole.values.len(), whole.notes.len(), whole.target.as_str()), (3, 0, "ViolentCrimesPerPop"));
    assert!(whole.rmse.unwrap() > 0.0);
    let cells = |name: &'static str, cells: tables::Cells| {
        predict(&|table| {
            let place = at(table, name);
            table.columns[place].cells = cells.clone();
        })
    };
    let levels = tables::Cells::Levels { codes: vec![0, 1, 1], names: vec!["green".into(), "white".into()] };
    let unknown = cells("race", levels).unwrap_err();
    assert!(unknown.headline.contains("`green`") && unknown.detail[0].contains("row 1"), "{unknown}");
    assert!(unknown.remedy[0].contains("other") && unknown.remedy[0].contains("white"), "{unknown}");
    let infinite = cells("medIncome", tables::Cells::Numbers(vec![0.5, f64::INFINITY, 0.1])).unwrap_err();
    assert!(infinite.headline.contains("infinite") && infinite.detail[0].contains("row 2"), "{infinite}");
    let empty = cells("medIncome", tables::Cells::Numbers(vec![0.5, f64::NAN, 0.1])).unwrap();
    assert!(empty.values.iter().all(|value| value.is_finite()) && empty.notes[0].contains("1 in `medIncome`"));
    let renamed = |table: &mut Table| {
        let place = at(table, "medIncome");
        table.columns[place].name = "medincome".into();
    };
    let missing = predict(&renamed).unwrap_err();
    assert!(
        missing.headline.contains("no column `medIncome`") && missing.remedy[0].contains("`medincome`"),
        "{missing}"
    );
    let without_target = predict(&|table| {
        let place = at(table, "ViolentCrimesPerPop");
        table.columns.remove(place);
    });
    assert_eq!(without_target.unwrap().rmse, None, "who predicts does not know the target");
}

#[test]
fn hyper_parameters_are_chosen_and_told() {
    let mut experiment = small("");
    (experiment.model.gamma, experiment.model.lambda) = (None, None);
    experiment.rival = Some(Vec::new());
    experiment.table.standardise = true;
    let fitted = fit(&mut job(), &experiment, &communities()).unwrap().fit;
    assert!(fitted.notes.iter().any(|note| note.starts_with("Chosen by 3-fold")), "{:?}", fitted.notes);
    let mut fixed = experiment.clone();
    (fixed.model.gamma, fixed.model.lambda) = (Some(10.0), Some(1e-4));
    let poor = fit(&mut job(), &fixed, &communities()).unwrap().fit;
    let error = |fit: &FairFit| fit.point(Dial::Share(0.0)).test.mse;
    assert!(error(&fitted) < error(&poor));
}

#[test]
fn rows_that_cannot_be_used_are_told() {
    let text =
        LAW_SCHOOL.replace("STANDARDISE", "true").replace("[model]", "rows = 300\n[model]\ngamma = 0.1\nlambda = 1");
    let fitted = fit(&mut job(), &experiment(&text), &tables::open("law-school", &mut || Ok(())).unwrap()).unwrap().fit;
    let told = |words: &str| fitted.notes.iter().any(|note| note.contains(words));
    assert!(told("without `race` they belong to no group") && told("one of their features is empty"));
    assert!(told("300 of 20800 rows were drawn"), "{:?}", fitted.notes);
    assert_eq!(fitted.groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["not white", "white"]);
}

#[test]
fn features_must_fit_into_memory() {
    assert!(frame::check_size_against(8_000_000_000, 1_000_000, 200).is_ok());
    let problem = frame::check_size_against(8_000_000_000, 1_000_000, 300).unwrap_err();
    assert!(problem.detail[0].contains("need 4.8 GB; 8.0 GB are available"), "{problem}");
}

#[test]
fn wrong_columns_are_problems_with_a_way_out() {
    let problem = |change: &dyn Fn(&mut FairExperiment)| {
        let mut experiment = small("");
        change(&mut experiment);
        match fit(&mut job(), &experiment, &communities()).err().unwrap() {
            crate::experiment::Halt::Problem(problem) => problem,
            crate::experiment::Halt::Asked => panic!("nobody asked"),
        }
    };
    let typo = problem(&|experiment| experiment.table.target = "ViolentCrimePerPop".into());
    assert!(typo.remedy[0].contains("ViolentCrimesPerPop"), "{typo}");
    let text = problem(&|experiment| experiment.table.target = "race".into());
    assert!(text.headline.contains("cannot be a number"), "{text}");
    let few = problem(&|experiment| experiment.table.rows = 3);
    assert!(few.headline.contains("too few rows"), "{few}");
    let many = problem(&|experiment| {
        let cuts = (1..100).map(|cut| f64::from(cut) / 100.0).collect();
        let column = |name: &str, cuts| crate::experiment::fair::ColumnChoice {
            name: name.into(),
            kind: None,
            against_rest: None,
            cuts,
        };
        experiment.table.rows = 0;
        experiment.table.sensitive = vec!["medIncome".into(), "householdsize".into()];
        let cuts: Vec<f64> = cuts;
        experiment.table.column = vec![column("medIncome", cuts.clone()), column("householdsize", cuts)];
    });
    assert!(many.headline.contains("groups"), "{many}");
}
