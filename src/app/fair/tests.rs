use super::*;
use crate::run::fair::{Attribute as Column, Digest, Feature, Group, Rows, TradeOff};

/// 60 people in two groups: predictions 0 to 2.9 and 4 to 6.9; full fairness moves each group by 2 towards the other.
fn fit() -> FairFit {
    let n = 60;
    let group: Vec<u32> = (0..n).map(|row| row % 2).collect();
    let plain: Vec<f64> = (0..n).map(|row| f64::from(row / 2) * 0.1 + if row % 2 == 1 { 4.0 } else { 0.0 }).collect();
    let step: Vec<f64> = (0..n).map(|row| if row % 2 == 1 { -2.0 } else { 2.0 }).collect();
    let target: Vec<f64> = plain.iter().map(|value| value + 0.25).collect();
    let pairs: Vec<f64> = plain.iter().zip(&step).flat_map(|(plain, step)| [*plain, *step]).collect();
    let digest = Digest::of(2, &group, &target, &pairs, &[None]);
    let rows = Rows { row: (0..n).collect(), group, target, plain, steps: vec![step], values: vec![1.0; n as usize] };
    let feature = |name: &str, step: f64| Feature {
        name: name.into(),
        levels: vec![],
        grid: vec![0.0, 1.0],
        plain: vec![1.0, 3.0],
        steps: vec![vec![0.0, step]],
        proxy: 0.5,
        sensitive: false,
    };
    let of_group = |name: &str, value| Group { name: name.into(), values: vec![value] };
    FairFit {
        title: "Sixty".into(),
        target: "y".into(),
        kernel: "linear".into(),
        notion: "mean parity".into(),
        route: "exact".into(),
        groups: vec![of_group("a", 0), of_group("b", 1)],
        attributes: vec![Column { name: "s".into(), values: vec!["a".into(), "b".into()] }],
        trade: TradeOff { support: vec![0.5], train: digest.clone(), test: digest.clone() },
        folds: vec![TradeOff { support: vec![0.5], train: digest.clone(), test: digest }; 2],
        rivals: vec![],
        train: rows.clone(),
        test: rows,
        features: vec![feature("mild", -0.1), feature("strong", -1.5)],
        subtracted: vec![-2.0, 2.0],
        achieved: 0.0,
        notes: vec![],
        seconds: [0.0; 4],
    }
}

fn course() -> Course {
    Course::new(Arc::new(fit()), Part::Test, Dial::Share(0.0))
}

#[test]
fn a_snapshot_says_what_the_closed_form_says() {
    let course = course();
    for position in [0.0, 0.3, 1.0] {
        let now = Snapshot::new(&course, position);
        let split = &now.splits[0];
        assert!((split.value(1).prediction - split.value(0).prediction - 4.0 * (1.0 - position)).abs() < 1e-12);
        assert!((now.point.test.gap - 4.0 * (1.0 - position)).abs() < 1e-12);
        assert!((now.trends[1] - (2.0 - 1.5 * position)).abs() < 1e-12);
        for (person, prediction) in course.people.iter().zip(&now.people) {
            let direct = course.rows().plain[person.index] + position * course.rows().steps[0][person.index];
            assert!((prediction - direct).abs() < 1e-12);
        }
    }
}

#[test]
fn densities_have_area_one_and_their_group_s_mean() {
    let course = course();
    let now = Snapshot::new(&course, 0.4);
    let width = course.bin(1) - course.bin(0);
    for (&value, density) in course.attributes[0].drawn.iter().zip(&now.splits[0].densities) {
        let area: f64 = density.iter().sum::<f64>() * width;
        let mean: f64 = density.iter().enumerate().map(|(bin, height)| course.bin(bin) * height).sum::<f64>() * width;
        assert!((area - 1.0).abs() < 0.01, "{area}");
        assert!((mean / area - now.splits[0].value(value).prediction).abs() < 0.05, "{mean}");
        assert!(density.iter().all(|height| *height <= course.attributes[0].densest * 1.5));
    }
}

#[test]
fn calibration_holds_predictions_against_what_came_true() {
    let now = Snapshot::new(&course(), 0.0);
    let all: Vec<_> = now.splits[0].calibration.iter().flatten().collect();
    assert!(all.len() >= 4);
    assert!(all.iter().all(|at| (at.target - at.predicted - 0.25).abs() < 1e-12 && at.rows >= 5));
}

#[test]
fn the_curve_is_read_between_its_places() {
    let course = course();
    assert_eq!(course.test.len(), STEPS + 1);
    let [error, gap] = course.place(&course.test, 0.005);
    let middle = |axis: usize| 0.5 * (course.test[0][axis] + course.test[1][axis]);
    assert!((error - middle(0)).abs() < 1e-12 && (gap - middle(1)).abs() < 1e-12);
    assert_eq!(course.place(&course.test, 9.0), course.test[STEPS]);
    assert_eq!(course.spread[0], [0.0, 0.0], "two equal folds do not differ");
}

#[test]
fn those_who_change_most_and_what_changes_most_come_first() {
    let course = course();
    assert_eq!(course.order, [1, 0]);
    let changes: Vec<f64> = course.people.iter().map(|person| course.rows().steps[0][person.index]).collect();
    assert_eq!(changes, [2.0, 2.0, 2.0, -2.0, -2.0, -2.0]);
    assert_eq!(course.people[0].group, "a");
    assert!(course.people[0].told.starts_with("mild 1"), "{}", course.people[0].told);
}

#[test]
fn numbers_out_of_reach_do_no_harm() {
    let mut fair = Fairness::default();
    fair.show(Arc::new(fit()));
    for position in [f64::NAN, -3.0, 7.0] {
        fair.move_to(position);
        assert!((0.0..=1.0).contains(&fair.position));
    }
    let empty = FairFit { test: Rows::default(), ..fit() };
    fair.show(Arc::new(empty));
    assert!(fair.now.as_ref().is_some_and(|now| now.ks == 0.0));
}
