use super::super::constraint::indicators;
use super::super::linalg::column;
use super::*;
use crate::experiment::fair::KernelKind;
use rand::{RngExt, SeedableRng};
use std::path::Path;

const RBF: Kernel = Kernel { kind: KernelKind::Rbf, gamma: 0.1, degree: 1 };
const LINEAR: Kernel = Kernel { kind: KernelKind::Linear, gamma: 1.0, degree: 1 };

/// n rows of 3 features that go along with the group, and targets that go along with both.
struct People {
    x: Tensor,
    y: Tensor,
    groups: Vec<u32>,
    k: usize,
}

fn people(n: usize, k: usize, seed: u64) -> People {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let groups: Vec<u32> = (0..n).map(|row| (row % (k + 1)).min(k - 1) as u32).collect();
    let mut x = Vec::new();
    let mut y = Vec::new();
    for &group in &groups {
        let own: Vec<f64> = (0..3).map(|_| rng.random::<f64>() * 2.0 - 1.0).collect();
        let shift = f64::from(group) * 0.7;
        y.push((own[0] * 2.0).sin() + shift + 0.3 * own[1] + 0.1 * rng.random::<f64>());
        x.extend([own[0] + shift, own[1], own[2] - 0.5 * shift]);
    }
    let mean = y.iter().sum::<f64>() / n as f64;
    y.iter_mut().for_each(|value| *value -= mean);
    People { x: Tensor::from_slice(&x).view([n as i64, 3]), y: column(&y), groups, k }
}

impl People {
    fn d(&self) -> Tensor {
        indicators(&self.groups, self.k).unwrap()
    }

    fn fit(&self, kernel: Kernel, lambda: f64, route: Route) -> Solution {
        fit(&mut job(), kernel, lambda, route, &self.x, &self.y, &self.d()).unwrap()
    }

    /// |y - f|^2 + lambda |f|^2 of kernel weights.
    fn price(&self, kernel: Kernel, lambda: f64, w: &Tensor) -> f64 {
        let k = kernel.gram(&self.x, &self.x);
        let residual = &self.y - k.matmul(w);
        let norm = w.tr().matmul(&k).matmul(w).double_value(&[0, 0]);
        residual.square().sum(Kind::Double).double_value(&[]) + lambda * norm
    }
}

fn job() -> Job {
    Job::detached(Path::new(""), 1)
}

/// Predictions at these weights.
fn at(predictions: &Tensor, weights: &[f64]) -> Tensor {
    let weights: Vec<f64> = std::iter::once(1.0).chain(weights.iter().copied()).collect();
    predictions.matmul(&Tensor::from_slice(&weights).view([-1, 1]))
}

fn distance(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

/// Group means less the overall mean.
fn gaps(people: &People, predictions: &Tensor) -> Tensor {
    people.d().tr().matmul(predictions)
}

fn share(alpha: f64, solution: &Solution) -> Vec<f64> {
    vec![alpha; solution.directions()]
}

fn penalty(eta: f64, solution: &Solution) -> Vec<f64> {
    crate::run::fair::Dial::Penalty(eta).weights(&solution.support)
}

#[test]
fn a_case_by_hand() {
    // One feature, linear kernel with its constant, lambda 0: group a at x = 0, 1 with y = 0, 1, group b at 2, 3 with
    // y = 4, 5. Plain: y = 1.8 x - 0.2. Group means of x differ, so parity leaves only the constant: 2.5 for everybody.
    let x = column(&[0.0, 1.0, 2.0, 3.0]);
    let y = column(&[-2.5, -1.5, 1.5, 2.5]);
    let d = indicators(&[0, 0, 1, 1], 2).unwrap();
    let solution = fit(&mut job(), LINEAR, 0.0, Route::Linear, &x, &y, &d).unwrap();
    let predictions = solution.predict(&x) + Tensor::from_slice(&[2.5, 0.0]).view([1, 2]);
    let plain = column(&[-0.2, 1.6, 3.4, 5.2]);
    assert!(distance(&at(&predictions, &[0.0]), &plain) < 1e-12);
    assert!(distance(&at(&predictions, &[1.0]), &column(&[2.5; 4])) < 1e-12);
}

#[test]
fn full_fairness_makes_group_means_equal() {
    for k in [2, 3, 5] {
        let people = people(90, k, k as u64);
        for (kernel, route) in [(RBF, Route::Exact), (LINEAR, Route::Linear), (LINEAR, Route::Exact)] {
            let solution = people.fit(kernel, 0.5, route);
            let fair = at(&solution.predict(&people.x), &share(1.0, &solution));
            let gap = gaps(&people, &fair).abs().max().double_value(&[]);
            assert!(gap < 1e-10, "{k} groups, {kernel:?}: {gap}");
            // Three features and a constant cannot tell more than four groups apart.
            let most = if kernel.kind == KernelKind::Linear { (k - 1).min(3) } else { k - 1 };
            assert_eq!(solution.directions(), most);
        }
    }
}

#[test]
fn the_unconstrained_end_is_kernel_ridge() {
    let people = people(80, 3, 1);
    let solution = people.fit(RBF, 0.7, Route::Exact);
    let k = RBF.gram(&people.x, &people.x);
    let plain = k.matmul(&Tensor::linalg_solve(&(&k + Tensor::eye(80, REAL) * 0.7), &people.y, true));
    assert!(distance(&at(&solution.predict(&people.x), &[0.0, 0.0]), &plain) < 1e-10);
}

#[test]
fn gaps_fall_in_a_straight_line_and_the_price_rises_as_a_square() {
    let people = people(70, 4, 2);
    let solution = people.fit(RBF, 1.0, Route::Exact);
    let predictions = solution.predict(&people.x);
    let before = gaps(&people, &at(&predictions, &share(0.0, &solution)));
    let price = |alpha: f64| people.price(RBF, 1.0, &at(&solution.weights, &share(alpha, &solution)));
    let (none, full) = (price(0.0), price(1.0));
    for alpha in [0.25, 0.5, 0.9] {
        let after = gaps(&people, &at(&predictions, &share(alpha, &solution)));
        assert!(distance(&after, &(&before * (1.0 - alpha))) < 1e-10);
        let expected = alpha * alpha * (full - none);
        assert!(((price(alpha) - none) / expected - 1.0).abs() < 1e-8, "{alpha}");
    }
}

#[test]
fn the_penalty_is_the_minimum_of_its_objective() {
    let people = people(60, 3, 3);
    let (eta, lambda) = (20.0, 0.5);
    let solution = people.fit(RBF, lambda, Route::Exact);
    // The penalised problem solved directly: (K + lambda I + eta A A^T K) w = y.
    let (k, d) = (RBF.gram(&people.x, &people.x), people.d());
    let a = d.matmul(&reduction(&d.tr().matmul(&k).matmul(&d), 1.0).map);
    let matrix = &k + Tensor::eye(60, REAL) * lambda + a.matmul(&a.tr()).matmul(&k) * eta;
    let direct = Tensor::linalg_solve(&matrix, &people.y, true);
    assert!(distance(&at(&solution.weights, &penalty(eta, &solution)), &direct) < 1e-9);
    assert!(
        distance(&at(&solution.weights, &penalty(f64::INFINITY, &solution)), &at(&solution.weights, &[1.0, 1.0]))
            < 1e-12
    );
}

#[test]
fn penalties_on_plain_gaps_are_minima_too() {
    let people = people(60, 3, 4);
    let (eta, lambda) = (300.0, 0.5);
    let d = people.d();
    let (x, y) = (&people.x, &people.y);
    let solution = penalised(&mut job(), RBF, lambda, Route::Exact, x, y, &d, &[1.0, eta]).unwrap();
    let k = RBF.gram(x, x);
    let matrix = &k + Tensor::eye(60, REAL) * lambda + d.matmul(&d.tr()).matmul(&k) * eta;
    let direct = Tensor::linalg_solve(&matrix, y, true);
    assert!(distance(&at(&solution.weights, &[0.0, 1.0]), &direct) < 1e-9);
}

#[test]
fn it_is_kernel_ridge_with_the_projected_kernel() {
    let people = people(50, 3, 5);
    let lambda = 0.3;
    let solution = people.fit(RBF, lambda, Route::Exact);
    let (k, d) = (RBF.gram(&people.x, &people.x), people.d());
    let ka = k.matmul(&d).matmul(&reduction(&d.tr().matmul(&k).matmul(&d), 1.0).map);
    let fair_kernel = &k - ka.matmul(&ka.tr());
    let direct =
        fair_kernel.matmul(&Tensor::linalg_solve(&(&fair_kernel + Tensor::eye(50, REAL) * lambda), &people.y, true));
    assert!(distance(&at(&solution.predict(&people.x), &[1.0, 1.0]), &direct) < 1e-9);
    assert!(fair_kernel.matmul(&d).abs().max().double_value(&[]) < 1e-9);
    let (values, _) = symmetric(&fair_kernel);
    assert!(*values.last().unwrap() > -1e-10);
}

#[test]
fn one_direction_makes_both_paths_one() {
    let people = people(60, 2, 6);
    let solution = people.fit(RBF, 1.0, Route::Exact);
    let q = solution.support[0];
    assert!(q > 0.0);
    let weights = penalty(7.0, &solution);
    assert!((weights[0] - 7.0 * q / (1.0 + 7.0 * q)).abs() < 1e-14);
}

#[test]
fn disparity_falls_and_the_price_rises_along_both_paths() {
    let people = people(70, 4, 7);
    let solution = people.fit(RBF, 1.0, Route::Exact);
    let predictions = solution.predict(&people.x);
    for path in [share as fn(f64, &Solution) -> Vec<f64>, penalty] {
        let points: Vec<(f64, f64)> = [0.0, 0.1, 0.5, 0.9, 1.0]
            .iter()
            .map(|&t| {
                let t = if path(2.0, &solution)[0] == 2.0 { t } else { t / (1.0 - t) };
                let weights = path(t, &solution);
                let gap = gaps(&people, &at(&predictions, &weights)).square().sum(Kind::Double).double_value(&[]);
                (gap, people.price(RBF, 1.0, &at(&solution.weights, &weights)))
            })
            .collect();
        for pair in points.windows(2) {
            assert!(pair[1].0 < pair[0].0 && pair[1].1 >= pair[0].1, "{points:?}");
        }
    }
}

#[test]
fn names_and_order_of_groups_do_not_matter() {
    let mut people = people(60, 3, 8);
    let before = people.fit(RBF, 1.0, Route::Exact);
    let before = at(&before.predict(&people.x), &[1.0, 1.0]);
    people.groups.iter_mut().for_each(|group| *group = (*group + 1) % 3);
    let after = people.fit(RBF, 1.0, Route::Exact);
    assert!(distance(&at(&after.predict(&people.x), &[1.0, 1.0]), &before) < 1e-11);
}

#[test]
fn order_of_rows_does_not_matter() {
    let people = people(60, 3, 9);
    let turned: Vec<i64> = (0..60).rev().collect();
    let turn = |tensor: &Tensor| tensor.index_select(0, &Tensor::from_slice(&turned));
    let one = at(&people.fit(RBF, 1.0, Route::Exact).predict(&people.x), &[1.0, 1.0]);
    let d = turn(&people.d());
    let other = fit(&mut job(), RBF, 1.0, Route::Exact, &turn(&people.x), &turn(&people.y), &d).unwrap();
    assert!(distance(&at(&other.predict(&people.x), &[1.0, 1.0]), &one) < 1e-10);
}

#[test]
fn one_group_leaves_nothing_to_do() {
    let mut people = people(40, 2, 10);
    people.groups.fill(0);
    people.k = 1;
    let solution = people.fit(RBF, 1.0, Route::Exact);
    assert_eq!((solution.directions(), solution.weights.size()[1]), (0, 1));
}

#[test]
fn columns_and_kernel_give_the_same_linear_functions() {
    let people = people(70, 3, 11);
    let primal = people.fit(LINEAR, 0.4, Route::Linear).predict(&people.x);
    let dual = people.fit(LINEAR, 0.4, Route::Exact).predict(&people.x);
    for weights in [[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]] {
        assert!(distance(&at(&primal, &weights), &at(&dual, &weights)) < 1e-8);
    }
}

#[test]
fn a_heavy_ridge_leaves_the_mean() {
    let people = people(40, 2, 12);
    let solution = people.fit(RBF, 1e9, Route::Exact);
    assert!(solution.predict(&people.x).abs().max().double_value(&[]) < 1e-6);
}

#[test]
fn all_rows_as_landmarks_are_exact() {
    let people = people(80, 3, 13);
    let exact = people.fit(RBF, 0.5, Route::Exact).predict(&people.x);
    let landmarks = people.fit(RBF, 0.5, Route::Landmarks((0..80).collect())).predict(&people.x);
    for weights in [[0.0, 0.0], [1.0, 1.0]] {
        let apart = distance(&at(&exact, &weights), &at(&landmarks, &weights));
        assert!(apart < 1e-6, "{apart}");
    }
}

#[test]
fn approximations_are_fair_on_what_they_fit() {
    let people = people(300, 3, 14);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (frequencies, phases) = RBF.frequencies(3, 200, &mut rng).unwrap();
    let some = landmarks(&people.groups, 60, &mut rng);
    assert!(some.len() >= 60 && some.len() < 70);
    let exact = people.fit(RBF, 0.5, Route::Exact).predict(&people.x);
    for route in [Route::Landmarks(some), Route::Fourier(frequencies, phases)] {
        let predictions = people.fit(RBF, 0.5, route).predict(&people.x);
        let fair = at(&predictions, &[1.0, 1.0]);
        assert!(gaps(&people, &fair).abs().max().double_value(&[]) < 1e-9);
        let apart = (&fair - at(&exact, &[1.0, 1.0])).square().mean(Kind::Double).double_value(&[]).sqrt();
        assert!(apart < 0.05, "{apart}");
    }
}

#[test]
fn rows_in_small_pieces_give_what_all_at_once_give() {
    let people = people(700, 3, 18);
    let (x, y, d) = (&people.x, &people.y, people.d());
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    // More features than a block holds, so that halves of matrices are put together from several.
    let (frequencies, phases) = RBF.frequencies(3, 300, &mut rng).unwrap();
    let some = Tensor::from_slice(&landmarks(&people.groups, 300, &mut rng));
    for features in [Features::around(RBF, x.index_select(0, &some)), Features::Fourier { frequencies, phases }] {
        let p = features.count();
        let phi = Tensor::empty([700, p], REAL);
        features.write(x, &phi);
        let whole = Products { gram: phi.tr().matmul(&phi), others: phi.tr().matmul(&Tensor::cat(&[y, &d], 1)) };
        let pieces = Products::of(&mut job(), &features, x, &Tensor::cat(&[y, &d], 1), 64).unwrap();
        assert!(distance(&whole.gram, &pieces.gram) < 1e-9 && distance(&whole.others, &pieces.others) < 1e-9);
        let solve = |rows_at_once: i64| {
            let half = summed(&mut job(), 0.5, x, y, &d, &features, rows_at_once).unwrap();
            (phi.matmul(&half.plain), phi.matmul(&half.solved))
        };
        let (one, many) = (solve(700), solve(64));
        assert!(distance(&one.0, &many.0) < 1e-8 && distance(&one.1, &many.1) < 1e-8);
    }
}

#[test]
fn landmarks_made_orthonormal_stand_for_their_kernel() {
    let x = people(300, 2, 19).x;
    let centres = x.narrow(0, 0, 200);
    let features = Features::around(Kernel { gamma: 2.0, ..RBF }, centres.shallow_clone());
    let phi = Tensor::empty([200, features.count()], REAL);
    features.write(&centres, &phi);
    let kernel = Kernel { gamma: 2.0, ..RBF };
    assert!(distance(&phi.matmul(&phi.tr()), &kernel.gram(&centres, &centres)) < 1e-7);
    let Features::Centres { whiten, .. } = &features else { panic!("other features") };
    assert!(whiten.triu(1).abs().max().double_value(&[]) == 0.0);
}

#[test]
fn twice_the_rows_and_twice_lambda_are_the_same() {
    let people = people(40, 2, 15);
    let twice = |tensor: &Tensor| Tensor::cat(&[tensor, tensor], 0);
    let one = people.fit(RBF, 0.5, Route::Exact).predict(&people.x);
    let groups = [people.groups.clone(), people.groups.clone()].concat();
    let d = indicators(&groups, 2).unwrap();
    let two = fit(&mut job(), RBF, 1.0, Route::Exact, &twice(&people.x), &twice(&people.y), &d).unwrap();
    assert!(distance(&at(&two.predict(&people.x), &[1.0]), &at(&one, &[1.0])) < 1e-9);
}

#[test]
fn a_group_that_says_nothing_changes_nothing() {
    let mut people = people(80, 2, 16);
    // Everybody twice, once in each group.
    people.x = Tensor::cat(&[&people.x, &people.x], 0);
    people.y = Tensor::cat(&[&people.y, &people.y], 0);
    people.groups = (0..160).map(|row| row / 80).collect();
    for (kernel, route) in [(RBF, Route::Exact), (LINEAR, Route::Linear), (RBF, Route::Landmarks((0..60).collect()))] {
        assert_eq!(people.fit(kernel, 0.5, route).directions(), 0);
    }
}

#[test]
fn every_group_has_landmarks() {
    let mut groups = vec![0; 1000];
    groups.extend([1, 1, 2]);
    let rows = landmarks(&groups, 100, &mut ChaCha8Rng::seed_from_u64(3));
    for group in 0..3 {
        assert!(rows.iter().any(|&row| groups[row as usize] == group), "group {group}");
    }
    assert!(rows.is_sorted());
}

#[test]
fn kernels_are_what_they_say() {
    let x = Tensor::from_slice(&[1.0, 2.0, 3.0, 5.0]).view([2, 2]);
    let between = |kind: KernelKind| Kernel { kind, gamma: 0.5, degree: 2 }.gram(&x, &x).double_value(&[0, 1]);
    assert!((between(KernelKind::Linear) - 14.0).abs() < 1e-12);
    assert!((between(KernelKind::Rbf) - (-6.5f64).exp()).abs() < 1e-12);
    assert!((between(KernelKind::Laplace) - (-2.5f64).exp()).abs() < 1e-12);
    assert!((between(KernelKind::Polynomial) - 56.25).abs() < 1e-12);
}

#[test]
fn fourier_features_come_near_to_their_kernels() {
    let x = people(30, 2, 17).x;
    for kind in [KernelKind::Rbf, KernelKind::Laplace] {
        let kernel = Kernel { kind, gamma: 0.3, degree: 1 };
        let (frequencies, phases) = kernel.frequencies(3, 20_000, &mut ChaCha8Rng::seed_from_u64(4)).unwrap();
        let phi = Tensor::empty([30, 20_000], REAL);
        features::fourier(&x, &frequencies, &phases, &phi);
        let apart = distance(&phi.matmul(&phi.tr()), &kernel.gram(&x, &x));
        assert!(apart < 0.05, "{kind:?}: {apart}");
    }
}
