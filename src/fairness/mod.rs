//! Fair regression: mean parity in a reproducing kernel Hilbert space, the whole trade-off for about one factorisation.
//!
//! | file | what |
//! |---|---|
//! | [`frame`], [`groups`] | from a table to numbers, groups, training and test rows |
//! | [`kernel`] | kernels, their usual bandwidths, random Fourier features |
//! | [`features`] | explicit features, summed up over rows without being held |
//! | [`constraint`] | what predictions must not be correlated with |
//! | [`solve`] | the closed form: exact, linear, with landmarks, with Fourier features |
//! | [`select`] | choosing bandwidth and ridge constant |
//! | [`dependence`] | how predictions depend on each feature |
//! | [`rivals`] | other methods on the same rows, one file each |
//! | [`model`] | the fitted model as a file |

pub mod constraint;
pub mod dependence;
pub mod features;
pub mod frame;
pub mod groups;
pub mod kernel;
pub mod linalg;
pub mod model;
pub mod rivals;
pub mod select;
pub mod solve;

use crate::data::tables::Table;
use crate::experiment::fair::{Constraint, FairExperiment, FairModel, KernelKind, Solver};
use crate::experiment::method::{Kind, Method, defaults_of, schema_of};
use crate::experiment::{Outcome, Result};
use crate::run::fair::{Digest, FairFit, Figures, GroupFigures, MOST_ROWS, Rival, RivalPoint, Rows, TradeOff, number};
use crate::run::job::Job;
use frame::{Frame, Split};
use kernel::Kernel;
use linalg::{column, to_vec};
use model::FairWeights;
use rand::seq::index;
use select::Folds;
use serde_json::Value;
use solve::{Route, Solution};
use std::time::Instant;
use tch::Tensor;

/// The method itself, for lists and pages; its options are the `[model]` of a spec.
pub static METHOD: Method = Method {
    id: "mean-parity",
    kind: Kind::FairRegression,
    name: "Mean parity regression",
    one_line: "Kernel regression whose mean prediction is the same in every group, and everything between.",
    page: "A function is fair here when its mean is the same in every group. On the training rows the unfair part of a \
           function lies in a few directions, one less than there are groups. Without them what remains is a space of fair \
           functions, and the best one in it has a closed form: it is plain kernel ridge regression on labels from which one \
           number per group was subtracted.\n\n\
           Between no constraint and full fairness lies a straight line of functions. Half of the gap costs a quarter of the \
           price: look for the place where the curve begins to rise.\n\n\
           Means are equal then, distributions need not be. On new people the gap is not exactly zero; it varies like the \
           difference of two means of samples.",
    paper: "Wei, Liu, Li, Zha: Mean Parity Fair Regression in RKHS. AISTATS 2023",
    properties: &[],
    schema: schema_of::<FairModel>,
    defaults: defaults_of::<FairModel>,
};

/// Up to so many training rows the exact solution is taken.
const EXACT_ROWS: usize = 10_000;
/// Beyond so many, the fits for the bands use landmarks.
const EXACT_FOLD_ROWS: usize = 4_000;

/// A finished fit: plain data for screens and files, and the weights.
pub struct Fitted {
    pub fit: FairFit,
    pub weights: FairWeights,
}

/// What rivals get: the same rows, kernel and ridge constant.
pub struct Setting<'a> {
    pub frame: &'a Frame,
    pub experiment: &'a FairExperiment,
    pub kernel: Kernel,
    pub lambda: f64,
    /// Mean of the training targets.
    pub mean: f64,
    /// Training rows of the features (n x d) and targets less their mean (n x 1).
    pub x: Tensor,
    pub y: Tensor,
    /// Predictions of the unconstrained regression, in units of the target.
    pub plain_train: Vec<f64>,
    pub plain_test: Vec<f64>,
}

impl Setting<'_> {
    /// The way of solving that the spec asks for.
    pub fn route(&self, job: &Job) -> Result<Route> {
        route(job, &self.experiment.model, self.kernel, &self.frame.groups_of(&self.frame.train), self.x.size()[1])
    }

    /// The unconstrained regression on other features `x` (all rows of the frame x d): training and test predictions.
    pub fn regress(&self, job: &mut Job, x: &Tensor) -> Outcome<(Vec<f64>, Vec<f64>)> {
        let groups = self.frame.groups_of(&self.frame.train);
        let route = route(job, &self.experiment.model, self.kernel, &groups, x.size()[1])?;
        self.regress_with(job, self.kernel, self.lambda, route, x)
    }

    pub fn regress_with(
        &self,
        job: &mut Job,
        kernel: Kernel,
        lambda: f64,
        route: Route,
        x: &Tensor,
    ) -> Outcome<(Vec<f64>, Vec<f64>)> {
        let take = |rows: &[usize]| {
            x.index_select(0, &Tensor::from_slice(&rows.iter().map(|&row| row as i64).collect::<Vec<_>>()))
        };
        let (train, test) = (take(&self.frame.train), take(&self.frame.test));
        // No constraint: one column of zeros.
        let solution = solve::fit(job, kernel, lambda, route, &train, &self.y, &self.y.zeros_like())?;
        let predict = |x: &Tensor| to_vec(&(solution.predict(x).select(1, 0) + self.mean));
        Ok((predict(&train), predict(&test)))
    }
}

/// Fits a table as a resolved spec says; draws come from the job's seed.
pub fn fit(job: &mut Job, experiment: &FairExperiment, table: &Table) -> Outcome<Fitted> {
    let mut rng = job.rng("split");
    let mut draw = job.rng("rows");
    let frame = Frame::build(table, &experiment.table, &mut draw, Split::Share(experiment.table.test_share, &mut rng))?;
    fit_frame(job, experiment, frame)
}

/// The same for a frame whose rows are already split.
pub fn fit_frame(job: &mut Job, experiment: &FairExperiment, mut frame: Frame) -> Outcome<Fitted> {
    let model = &experiment.model;
    let folds = if model.folds >= 2 { model.folds } else { 0 };
    let rivals = experiment.rival.clone().unwrap_or_default();
    job.work(0, (3 + folds + rivals.len()) as u64, "steps");
    let begin = Instant::now();
    let x = frame.rows_of(&frame.train);
    let targets = frame.targets_of(&frame.train);
    let mean = targets.iter().sum::<f64>() / targets.len() as f64;
    let y = column(&targets) - mean;
    let choice = select::choose(job, model, &x, &y, &mut job.rng("select"))?;
    frame.notes.extend(choice.note);
    job.advance(0);
    let chosen = begin.elapsed().as_secs_f64();

    let (kernel, lambda) = (choice.kernel, choice.lambda);
    let d = constraint::matrix(&frame, &frame.train, model.constraint)?;
    let route = route(job, model, kernel, &frame.groups_of(&frame.train), x.size()[1])?;
    let solved_by = describe(&route, x.size()[0]);
    let solution = solve::fit(job, kernel, lambda, route, &x, &y, &d)?;
    job.advance(0);
    let solved = begin.elapsed().as_secs_f64() - chosen;

    let (train, train_predictions) = part(&frame, &frame.train, &solution, &x, mean);
    let (test, test_predictions) = part(&frame, &frame.test, &solution, &frame.rows_of(&frame.test), mean);
    let trade = TradeOff { support: solution.support.clone(), train, test };
    let width = 1 + solution.directions();
    let changes: Vec<f64> = train_predictions.chunks_exact(width).map(|row| row[1..].iter().sum()).collect();
    let features = dependence::all(job, &frame, &solution, mean, &changes, &mut job.rng("dependence"))?;
    job.advance(0);

    let plain = |predictions: &[f64]| predictions.iter().step_by(width).copied().collect();
    let (plain_train, plain_test) = (plain(&train_predictions), plain(&test_predictions));
    let setting = Setting { frame: &frame, experiment, kernel, lambda, mean, x, y, plain_train, plain_test };
    let fold_curves = fold_curves(job, &setting, folds)?;
    let mut points = Vec::new();
    for pick in &rivals {
        points.extend(rival(job, &setting, &pick.id, &Value::Object(pick.options.clone()))?);
        job.advance(0);
    }

    let fair = trade.train.at(&vec![1.0; solution.directions()]);
    let overall = fair.groups.iter().map(|g| g.rows as f64 * g.prediction).sum::<f64>() / fair.rows.max(1) as f64;
    let there = fair.groups.iter().filter(|group| group.rows > 0);
    let achieved = there.map(|group| (group.prediction - overall).abs()).fold(0.0, f64::max);
    let spread = (targets.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / targets.len() as f64).sqrt();
    if achieved > 1e-8 * spread && model.constraint == Constraint::MeanParity {
        frame.notes.push(format!(
            "Full fairness is not reached: a training group's mean stays {} away from the overall mean. The equations are \
             nearly singular; a larger lambda helps.",
            number(achieved)
        ));
    }
    let subtracted = subtracted(&frame, &d, &solution.coefficients);
    let weights = FairWeights::new(experiment, &frame, solution, mean);
    let rows = |rows: &[usize], predictions: &[f64], name: &str| shown(job, &frame, rows, predictions, width, name);
    let fit = FairFit {
        title: if experiment.name.is_empty() { frame.title.clone() } else { experiment.name.clone() },
        target: frame.target.clone(),
        kernel: format!("{}, lambda {}", kernel.describe(), number(lambda)),
        notion: constraint::describe(model.constraint).to_owned(),
        route: solved_by,
        train: rows(&frame.train, &train_predictions, "shown train"),
        test: rows(&frame.test, &test_predictions, "shown test"),
        groups: frame.groups,
        attributes: frame.attributes,
        trade,
        folds: fold_curves,
        rivals: points,
        features,
        subtracted,
        achieved,
        notes: frame.notes,
        seconds: [0.0, chosen, solved, begin.elapsed().as_secs_f64() - chosen - solved],
    };
    Ok(Fitted { fit, weights })
}

/// The way of solving for training rows with these groups and `d` columns.
fn route(job: &Job, model: &FairModel, kernel: Kernel, groups: &[u32], d: i64) -> Result<Route> {
    let n = groups.len();
    let landmarks = || Route::Landmarks(solve::landmarks(groups, model.size.min(n), &mut job.rng("landmarks")));
    Ok(match (model.solver, kernel.kind) {
        (Solver::Auto | Solver::Exact, KernelKind::Linear) => Route::Linear,
        (Solver::Auto, _) if n > EXACT_ROWS => landmarks(),
        (Solver::Auto | Solver::Exact, _) => {
            solve::check_size(n)?;
            Route::Exact
        }
        (Solver::Landmarks, _) => landmarks(),
        (Solver::Fourier, _) => match kernel.frequencies(d as usize, model.size, &mut job.rng("fourier")) {
            Some((frequencies, phases)) => Route::Fourier(frequencies, phases),
            None => landmarks(),
        },
    })
}

fn describe(route: &Route, n: i64) -> String {
    match route {
        Route::Exact => format!("exact, {n} training rows"),
        Route::Linear => format!("in the space of the columns, {n} training rows"),
        Route::Landmarks(rows) => format!("{} landmarks among {n} training rows", rows.len()),
        Route::Fourier(_, phases) => format!("{} Fourier features, {n} training rows", phases.size()[0]),
    }
}

/// Sums over rows, and their predictions row by row (plain with the mean added, then the steps).
fn part(frame: &Frame, rows: &[usize], solution: &Solution, x: &Tensor, mean: f64) -> (Digest, Vec<f64>) {
    let width = 1 + solution.directions();
    let mut predictions = to_vec(&solution.predict(x));
    predictions.iter_mut().step_by(width).for_each(|plain| *plain += mean);
    let codes: Vec<Option<Vec<f64>>> = frame
        .codes
        .iter()
        .map(|codes| codes.numbers.as_ref().map(|numbers| rows.iter().map(|&row| numbers[row]).collect()))
        .collect();
    let (groups, targets) = (frame.groups_of(rows), frame.targets_of(rows));
    (Digest::of(frame.groups.len(), &groups, &targets, &predictions, &codes), predictions)
}

/// Curves from parts of the training rows, each judged on the rows that it did not see.
fn fold_curves(job: &mut Job, setting: &Setting, count: usize) -> Outcome<Vec<TradeOff>> {
    let frame = setting.frame;
    let mut model = setting.experiment.model.clone();
    if model.solver == Solver::Auto && frame.train.len() > EXACT_FOLD_ROWS {
        model.solver = Solver::Landmarks;
    }
    if setting.kernel.kind == KernelKind::Linear {
        model.solver = Solver::Auto;
    }
    let folds = Folds::draw(frame.train.len(), count, &mut job.rng("folds"));
    let mut curves = Vec::with_capacity(count);
    for index in 0..count.min(folds.parts.len()) {
        let (inside, outside) = folds.split(index);
        let pick = |of: &[usize]| of.iter().map(|&at| frame.train[at]).collect::<Vec<usize>>();
        let (inside, outside) = (pick(&inside), pick(&outside));
        let x = frame.rows_of(&inside);
        let targets = frame.targets_of(&inside);
        let mean = targets.iter().sum::<f64>() / targets.len().max(1) as f64;
        let d = constraint::matrix(frame, &inside, model.constraint)?;
        let route = route(job, &model, setting.kernel, &frame.groups_of(&inside), x.size()[1])?;
        let solution = solve::fit(job, setting.kernel, setting.lambda, route, &x, &(column(&targets) - mean), &d)?;
        let (train, _) = part(frame, &inside, &solution, &x, mean);
        let (test, _) = part(frame, &outside, &solution, &frame.rows_of(&outside), mean);
        curves.push(TradeOff { support: solution.support, train, test });
        job.advance(0);
    }
    Ok(curves)
}

/// One rival's points; nothing where it does not apply.
fn rival(job: &mut Job, setting: &Setting, id: &str, options: &Value) -> Outcome<Option<Rival>> {
    let entry = rivals::find(id)?;
    let frame = setting.frame;
    let candidates = (entry.fit)(job, setting, options)?;
    if candidates.is_empty() {
        job.note(format!("{} does not apply here.", entry.method.name));
        return Ok(None);
    }
    let groups = frame.groups_of(&frame.test);
    let points = candidates
        .into_iter()
        .map(|candidate| RivalPoint {
            label: candidate.label,
            train: figures(frame, &frame.train, &candidate.train),
            test_ks: crate::run::fair::ks(&groups, &candidate.test),
            test: figures(frame, &frame.test, &candidate.test),
        })
        .collect();
    let (id, name) = (entry.method.id.to_owned(), entry.method.name.to_owned());
    Ok(Some(Rival { id, name, needs_group: entry.needs_group, points }))
}

/// Errors and gaps of predictions for these rows.
fn figures(frame: &Frame, rows: &[usize], predictions: &[f64]) -> Figures {
    let codes: Vec<Option<Vec<f64>>> = frame
        .codes
        .iter()
        .map(|codes| codes.numbers.as_ref().map(|numbers| rows.iter().map(|&row| numbers[row]).collect()))
        .collect();
    Digest::of(frame.groups.len(), &frame.groups_of(rows), &frame.targets_of(rows), predictions, &codes).at(&[])
}

/// What full fairness subtracts from the labels of each group, on average.
fn subtracted(frame: &Frame, d: &Tensor, coefficients: &[f64]) -> Vec<f64> {
    let mut groups = vec![GroupFigures::default(); frame.groups.len()];
    let amounts =
        if coefficients.is_empty() { vec![0.0; frame.train.len()] } else { to_vec(&d.matmul(&column(coefficients))) };
    for (&row, amount) in frame.train.iter().zip(&amounts) {
        let group = &mut groups[frame.group[row] as usize];
        group.rows += 1;
        group.prediction += amount;
    }
    groups.iter().map(|group| group.prediction / group.rows.max(1) as f64).collect()
}

/// Rows to draw, a sample where there are too many.
fn shown(job: &Job, frame: &Frame, rows: &[usize], predictions: &[f64], width: usize, name: &str) -> Rows {
    let mut chosen: Vec<usize> = if rows.len() > MOST_ROWS {
        index::sample(&mut job.rng(name), rows.len(), MOST_ROWS).into_vec()
    } else {
        (0..rows.len()).collect()
    };
    chosen.sort_unstable();
    let column = |term: usize| chosen.iter().map(|&at| predictions[at * width + term]).collect::<Vec<f64>>();
    Rows {
        row: chosen.iter().map(|&at| frame.row[rows[at]]).collect(),
        group: chosen.iter().map(|&at| frame.group[rows[at]]).collect(),
        target: chosen.iter().map(|&at| frame.y[rows[at]]).collect(),
        plain: column(0),
        steps: (1..width).map(column).collect(),
        values: chosen.iter().flat_map(|&at| frame.features.iter().map(move |f| f.raw[rows[at]])).collect(),
    }
}

#[cfg(test)]
mod tests;
