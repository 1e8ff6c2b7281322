//! Sums over rows from which errors and gaps follow at every point of the trade-off.

use serde::{Deserialize, Serialize};

/// One part of the data: sums per group, and the covariance with each attribute.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// In the order of the fit's groups; a group without rows here has `rows == 0`.
    pub groups: Vec<GroupDigest>,
    /// Covariance of plain and of each step (1 + r) with each attribute; empty for an attribute with more than two names.
    pub covariance: Vec<Vec<f64>>,
}

/// Means over the rows of one group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupDigest {
    pub rows: usize,
    /// Mean of the target.
    pub target: f64,
    /// Mean prediction: plain, then each step (1 + r).
    pub mean: Vec<f64>,
    /// Of the prediction: what its mean square is made of.
    pub square: Moments,
    /// Of prediction minus target.
    pub error: Moments,
}

/// Mean square of `v + c_1 s_1 + ... + c_r s_r` for every c.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// Mean of v squared.
    pub constant: f64,
    /// Mean of v s_j (r).
    pub linear: Vec<f64>,
    /// Mean of s_i s_j (r x r, row by row).
    pub quadratic: Vec<f64>,
}

/// Errors and gaps of one set of predictions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    pub rows: usize,
    /// Mean squared error.
    pub mse: f64,
    /// Sum over groups of |mean of the group - overall mean|; for two groups the distance of their means.
    pub smd: f64,
    /// Largest group mean minus the smallest.
    pub gap: f64,
    /// Standard deviation of `gap` that chance alone gives with groups of these sizes: a test gap below twice this is no
    /// evidence of unfairness.
    pub gap_noise: f64,
    /// |Cov(prediction, attribute)|; nothing for an attribute with more than two names.
    pub covariance: Vec<Option<f64>>,
    /// In the order of the fit's groups, groups without rows included.
    pub groups: Vec<GroupFigures>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupFigures {
    pub rows: usize,
    /// Mean target.
    pub target: f64,
    /// Mean prediction.
    pub prediction: f64,
    pub mse: f64,
    /// Variance of the predictions inside the group.
    pub variance: f64,
}

impl Figures {
    pub fn rmse(&self) -> f64 {
        self.mse.sqrt()
    }

    /// Figures from those of the groups.
    pub fn of_groups(groups: Vec<GroupFigures>, covariance: Vec<Option<f64>>) -> Self {
        let rows: usize = groups.iter().map(|group| group.rows).sum();
        let n = rows.max(1) as f64;
        let mean = |value: fn(&GroupFigures) -> f64| groups.iter().map(|g| g.rows as f64 * value(g)).sum::<f64>() / n;
        let (mse, overall) = (mean(|group| group.mse), mean(|group| group.prediction));
        let there = || groups.iter().filter(|group| group.rows > 0);
        let smd = there().map(|group| (group.prediction - overall).abs()).sum();
        let highest = there().max_by(|a, b| a.prediction.total_cmp(&b.prediction));
        let lowest = there().min_by(|a, b| a.prediction.total_cmp(&b.prediction));
        let (mut gap, mut noise) = (0.0, 0.0);
        if let (Some(high), Some(low)) = (highest, lowest) {
            gap = high.prediction - low.prediction;
            noise = (high.variance / high.rows as f64 + low.variance / low.rows as f64).sqrt();
        }
        Self { rows, mse, smd, gap, gap_noise: noise, covariance, groups }
    }

    /// The figures when some groups are seen as one: `parts` lists the groups behind each new one.
    pub fn merged(&self, parts: &[Vec<usize>]) -> Self {
        let merge = |part: &Vec<usize>| {
            let of: Vec<&GroupFigures> = part.iter().filter_map(|&index| self.groups.get(index)).collect();
            let rows: usize = of.iter().map(|group| group.rows).sum();
            let mean = |value: &dyn Fn(&GroupFigures) -> f64| {
                of.iter().map(|group| group.rows as f64 * value(group)).sum::<f64>() / rows.max(1) as f64
            };
            let prediction = mean(&|group| group.prediction);
            let variance = mean(&|group| group.variance + (group.prediction - prediction).powi(2));
            GroupFigures { rows, target: mean(&|g| g.target), prediction, mse: mean(&|g| g.mse), variance }
        };
        Self::of_groups(parts.iter().map(merge).collect(), Vec::new())
    }
}

impl Moments {
    /// `values` are v, then the r steps, for one row; sums until [`Moments::divide`].
    fn add(&mut self, v: f64, steps: &[f64]) {
        let r = steps.len();
        self.linear.resize(r, 0.0);
        self.quadratic.resize(r * r, 0.0);
        self.constant += v * v;
        for (i, a) in steps.iter().enumerate() {
            self.linear[i] += v * a;
            for (j, b) in steps.iter().enumerate() {
                self.quadratic[i * r + j] += a * b;
            }
        }
    }

    fn divide(&mut self, n: f64) {
        self.constant /= n;
        self.linear.iter_mut().chain(&mut self.quadratic).for_each(|sum| *sum /= n);
    }

    /// The mean square at these weights.
    pub fn at(&self, weights: &[f64]) -> f64 {
        let r = self.linear.len().max(1);
        let linear: f64 = self.linear.iter().zip(weights).map(|(mean, c)| mean * c).sum();
        let quadratic: f64 = self
            .quadratic
            .chunks_exact(r)
            .zip(weights)
            .map(|(row, c)| c * row.iter().zip(weights).map(|(mean, c)| mean * c).sum::<f64>())
            .sum();
        self.constant + 2.0 * linear + quadratic
    }
}

impl Digest {
    /// Sums up rows. `predictions` are plain and the r steps of each row, row by row (n x (1 + r)); `codes` the number of
    /// each attribute for each row, where it has one.
    pub fn of(k: usize, group: &[u32], target: &[f64], predictions: &[f64], codes: &[Option<Vec<f64>>]) -> Self {
        let width = predictions.len() / group.len().max(1);
        let mut groups = vec![GroupDigest::default(); k];
        for ((&group, &target), values) in group.iter().zip(target).zip(predictions.chunks_exact(width.max(1))) {
            let (Some(sums), Some((&plain, steps))) = (groups.get_mut(group as usize), values.split_first()) else {
                continue;
            };
            sums.rows += 1;
            sums.target += target;
            sums.mean.resize(width, 0.0);
            sums.mean.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            sums.square.add(plain, steps);
            sums.error.add(plain - target, steps);
        }
        for sums in groups.iter_mut().filter(|sums| sums.rows > 0) {
            let n = sums.rows as f64;
            sums.target /= n;
            sums.mean.iter_mut().for_each(|sum| *sum /= n);
            sums.square.divide(n);
            sums.error.divide(n);
        }
        let covariance = codes
            .iter()
            .map(|codes| codes.as_ref().map_or_else(Vec::new, |codes| covariance(codes, predictions, width)))
            .collect();
        Self { groups, covariance }
    }

    pub fn rows(&self) -> usize {
        self.groups.iter().map(|group| group.rows).sum()
    }

    /// Errors and gaps at these weights.
    pub fn at(&self, weights: &[f64]) -> Figures {
        let groups = self.groups.iter().map(|group| group.at(weights)).collect();
        let covariance =
            self.covariance.iter().map(|terms| (!terms.is_empty()).then(|| linear(terms, weights).abs())).collect();
        Figures::of_groups(groups, covariance)
    }
}

impl GroupDigest {
    pub fn at(&self, weights: &[f64]) -> GroupFigures {
        if self.rows == 0 {
            return GroupFigures::default();
        }
        let prediction = linear(&self.mean, weights);
        GroupFigures {
            rows: self.rows,
            target: self.target,
            prediction,
            mse: self.error.at(weights).max(0.0),
            variance: (self.square.at(weights) - prediction * prediction).max(0.0),
        }
    }
}

/// `terms[0] + c_1 terms[1] + ...`
fn linear(terms: &[f64], weights: &[f64]) -> f64 {
    terms.first().map_or(0.0, |plain| plain + terms[1..].iter().zip(weights).map(|(step, c)| step * c).sum::<f64>())
}

fn covariance(codes: &[f64], predictions: &[f64], width: usize) -> Vec<f64> {
    let n = codes.len().max(1) as f64;
    let mean = codes.iter().sum::<f64>() / n;
    let mut sums = vec![0.0; width];
    for (code, values) in codes.iter().zip(predictions.chunks_exact(width.max(1))) {
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += (code - mean) * value / n);
    }
    sums
}

/// Largest distance of the empirical distribution functions of two groups' values, over all pairs of groups.
pub fn ks(group: &[u32], values: &[f64]) -> f64 {
    let k = group.iter().max().map_or(0, |&last| last as usize + 1);
    let mut counts = vec![0usize; k];
    group.iter().for_each(|&group| counts[group as usize] += 1);
    let mut order: Vec<usize> = (0..group.len().min(values.len())).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut below = vec![0usize; k];
    let mut worst: f64 = 0.0;
    let mut rest = order.iter().peekable();
    while let Some(&index) = rest.next() {
        below[group[index] as usize] += 1;
        // Equal values are passed together.
        if rest.peek().is_some_and(|&&next| values[next] == values[index]) {
            continue;
        }
        let shares = below.iter().zip(&counts).filter(|(_, n)| **n > 0).map(|(b, n)| *b as f64 / *n as f64);
        let (low, high) = shares.fold((f64::MAX, f64::MIN), |(low, high), share| (low.min(share), high.max(share)));
        worst = worst.max(high - low);
    }
    worst
}
