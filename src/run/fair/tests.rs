use super::*;

/// Two groups of two rows, one direction: plain predictions 1, 3 | 5, 7, steps +2, +2 | -2, -2.
fn rows() -> Rows {
    Rows {
        row: Vec::from([0, 1, 2, 3]),
        group: Vec::from([0, 0, 1, 1]),
        target: Vec::from([1.0, 4.0, 5.0, 9.0]),
        plain: Vec::from([1.0, 3.0, 5.0, 7.0]),
        steps: vec![Vec::from([2.0, 2.0, -2.0, -2.0])],
        values: Vec::from([0.5, 1.5, 2.5, 3.5]),
    }
}

fn digest(rows: &Rows) -> Digest {
    let predictions: Vec<f64> =
        rows.plain.iter().zip(&rows.steps[0]).flat_map(|(plain, step)| [*plain, *step]).collect();
    Digest::of(2, &rows.group, &rows.target, &predictions, &[Some(vec![0.0, 0.0, 1.0, 1.0])])
}

fn fit() -> FairFit {
    let rows = rows();
    let group = |name: &str, value| Group { name: name.into(), values: vec![value] };
    FairFit {
        title: "Four people".into(),
        target: "y".into(),
        kernel: "linear".into(),
        notion: "mean parity".into(),
        route: "exact".into(),
        groups: vec![group("a", 0), group("b", 1)],
        attributes: vec![Attribute { name: "s".into(), values: vec!["a".into(), "b".into()] }],
        trade: TradeOff { support: vec![0.5], train: digest(&rows), test: digest(&rows) },
        folds: vec![],
        rivals: vec![],
        train: rows.clone(),
        test: rows,
        features: vec![],
        subtracted: vec![-1.0, 1.0],
        achieved: 0.0,
        notes: vec![],
        seconds: [0.0; 4],
    }
}

/// Figures computed from the predictions themselves.
fn direct(rows: &Rows, predictions: &[f64]) -> Figures {
    let groups = (0..2)
        .map(|group| {
            let of: Vec<usize> = (0..rows.len()).filter(|&row| rows.group[row] == group).collect();
            let mean = |value: &dyn Fn(usize) -> f64| of.iter().map(|&row| value(row)).sum::<f64>() / of.len() as f64;
            let prediction = mean(&|row| predictions[row]);
            GroupFigures {
                rows: of.len(),
                target: mean(&|row| rows.target[row]),
                prediction,
                mse: mean(&|row| (predictions[row] - rows.target[row]).powi(2)),
                variance: mean(&|row| (predictions[row] - prediction).powi(2)),
            }
        })
        .collect();
    Figures::of_groups(groups, vec![])
}

#[test]
fn sums_say_the_same_as_rows() {
    let (fit, rows) = (fit(), rows());
    for share in [0.0, 0.3, 1.0] {
        let from_rows = direct(&rows, &rows.predict(&[share]));
        let from_sums = fit.point(Dial::Share(share)).train;
        for (a, b) in [(from_rows.mse, from_sums.mse), (from_rows.gap, from_sums.gap), (from_rows.smd, from_sums.smd)] {
            assert!((a - b).abs() < 1e-12, "{share}: {a} {b}");
        }
        assert!((from_rows.gap_noise - from_sums.gap_noise).abs() < 1e-12);
    }
}

#[test]
fn figures_by_hand() {
    let point = fit().point(Dial::Share(0.0)).train;
    // Errors 0, -1, 0, -2; group means 2 and 6, overall 4; each group varies by 1 with two rows.
    assert_eq!((point.mse, point.gap, point.smd), (1.25, 4.0, 4.0));
    assert_eq!(point.gap_noise, 1.0);
    assert_eq!(point.covariance, [Some(1.0)]);
    let fair = fit().point(Dial::Share(1.0)).train;
    assert_eq!((fair.gap, fair.groups[0].prediction, fair.groups[1].prediction), (0.0, 4.0, 4.0));
    assert_eq!(fair.covariance, [Some(0.0)]);
}

#[test]
fn both_dials_reach_the_same_points_with_one_direction() {
    let fit = fit();
    let eta = 3.0;
    let share = eta * 0.5 / (1.0 + eta * 0.5);
    assert_eq!(fit.point(Dial::Penalty(eta)), fit.point(Dial::Share(share)));
    assert_eq!(fit.point(Dial::Penalty(f64::INFINITY)), fit.point(Dial::Share(1.0)));
}

#[test]
fn slider_positions_come_back() {
    let support = [0.9, 0.2];
    for position in [0.0, 0.25, 0.9, 1.0] {
        for kind in [Dial::Share(0.0), Dial::Penalty(0.0)] {
            assert!((kind.at(position, &support).position(&support) - position).abs() < 1e-12);
        }
    }
}

#[test]
fn a_wanted_gap_is_found() {
    let fit = fit();
    let dial = fit.dial_for_gap(Dial::Share(0.0), 1.0);
    assert!((fit.point(dial).train.gap - 1.0).abs() < 1e-9);
    assert_eq!(fit.curve(Dial::Share(0.0), 3).iter().map(|(_, p)| p.train.gap).collect::<Vec<_>>(), [4.0, 2.0, 0.0]);
}

#[test]
fn distributions_are_compared_at_ties_too() {
    let rows = rows();
    assert_eq!(rows.ks(&[1.0, 2.0, 3.0, 4.0]), 1.0);
    assert_eq!(rows.ks(&[1.0, 2.0, 1.0, 2.0]), 0.0);
    assert_eq!(rows.ks(&[1.0, 3.0, 2.0, 4.0]), 0.5);
}

#[test]
fn groups_join_into_one_of_the_mean_of_all() {
    let figures = fit().point(Dial::Share(0.0)).train;
    let one = figures.merged(&[vec![0, 1]]);
    assert_eq!((one.groups[0].prediction, one.gap, one.mse), (4.0, 0.0, 1.25));
    assert_eq!(one.groups[0].variance, 5.0);
    assert_eq!(fit().groups_of(0), [vec![0], vec![1]]);
}

#[test]
fn a_point_is_told_in_words() {
    let fit = fit();
    assert!(fit.sentence(Dial::Share(0.5)).starts_with("Removes 50 % of the gap between groups on new data and costs"));
    assert!(fit.sentence(Dial::Share(0.0)).starts_with("Leaves the gap"));
    assert!(fit.noise_sentence(&fit.point(Dial::Share(1.0))).unwrap().contains("chance gives"));
    assert_eq!(
        [number(0.07312), number(12.44), number(1530.2), number(0.0), number(-0.5)],
        ["0.0731", "12.4", "1530", "0", "-0.500"]
    );
}

#[test]
fn a_feature_is_read_at_any_point() {
    let feature = Feature {
        name: "income".into(),
        levels: vec![],
        grid: vec![0.0, 1.0, 2.0],
        plain: vec![1.0, 2.0, 4.0],
        steps: vec![vec![0.0, -1.0, -3.0]],
        proxy: 0.5,
        sensitive: false,
    };
    assert_eq!(feature.at(&[0.5]), [1.0, 1.5, 2.5]);
    assert_eq!((feature.effect(&[0.0]), feature.trend(&[1.0])), (3.0, 0.0));
    assert_eq!(rows().values_of(2), [2.5]);
    assert_eq!(rows().changes(&[0.5]), [1.0, 1.0, -1.0, -1.0]);
}
