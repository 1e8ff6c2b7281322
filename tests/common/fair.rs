//! Honest answers about fair regression without the engine: a linear ridge on a handful of columns of an embedded table,
//! solved in its primal form, and everything else computed by the functions of `run::fair`.
#![allow(clippy::needless_range_loop, reason = "matrices read best by their indices")]

use polariscope::experiment::fair::{ColumnKind, FairExperiment};
use polariscope::experiment::{Problem, Result};
use polariscope::run::fair::{
    Attribute, ColumnCard, Dial, Digest, FairFit, Feature, Group, Point, Rival, RivalPoint, Rows, TableCard, TradeOff,
};
use std::io::Read;
use std::path::Path;

/// Columns that the regression learns from, besides the sensitive ones.
const FEATURES: usize = 8;
const LAMBDA: f64 = 1.0;

/// A table as texts, column by column.
struct Texts {
    names: Vec<String>,
    columns: Vec<Vec<String>>,
}

fn read(source: &str) -> Result<Texts> {
    let embedded = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("assets/fair/{source}.csv.gz"));
    let mut text = String::new();
    let broken = |error: std::io::Error| Problem::io("open the table", Path::new(source), &error);
    if embedded.is_file() {
        let file = std::fs::File::open(embedded).map_err(broken)?;
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).map_err(broken)?;
    } else {
        text = std::fs::read_to_string(source).map_err(broken)?;
    }
    let mut lines = text.lines();
    let names: Vec<String> = lines.next().unwrap_or_default().split(',').map(str::to_owned).collect();
    let mut columns = vec![Vec::new(); names.len()];
    for line in lines {
        line.split(',').zip(&mut columns).for_each(|(cell, column)| column.push(cell.to_owned()));
    }
    if columns.len() < 2 {
        return Err(Problem::bad_file("This table has only one column.")
            .at(source)
            .remedy("Cells may be separated by commas, semicolons, tabs or bars."));
    }
    Ok(Texts { names, columns })
}

fn levels(column: &[String]) -> Vec<String> {
    let mut levels: Vec<String> = column.iter().filter(|cell| !cell.is_empty()).cloned().collect();
    levels.sort();
    levels.dedup();
    levels
}

fn is_number(column: &[String]) -> bool {
    column.iter().all(|cell| cell.is_empty() || cell.parse::<f64>().is_ok())
}

pub fn card(source: &str) -> Result<TableCard> {
    let table = read(source)?;
    let column = |(name, cells): (&String, &Vec<String>)| {
        let missing = cells.iter().filter(|cell| cell.is_empty()).count();
        let known = levels(cells);
        let (kind, description, values) = if is_number(cells) {
            (Some(ColumnKind::Number), "number".to_owned(), Vec::new())
        } else {
            (Some(ColumnKind::Category), format!("category, {} values: {}", known.len(), known.join(", ")), known)
        };
        ColumnCard { name: name.clone(), kind, description, missing, values }
    };
    let columns: Vec<_> = table.names.iter().zip(&table.columns).map(column).collect();
    let of_kind = |kind| columns.iter().filter(move |column: &&ColumnCard| column.kind == Some(kind));
    Ok(TableCard {
        target: of_kind(ColumnKind::Number).next_back().map(|column| column.name.clone()),
        sensitive: of_kind(ColumnKind::Category).map(|column| column.name.clone()).take(1).collect(),
        name: if source == "communities" { "Communities and Crime (embedded)".into() } else { source.to_owned() },
        rows: table.columns[0].len(),
        columns,
        notes: Vec::new(),
    })
}

/// Rows as numbers: features with a constant, target, group.
struct Data {
    x: Vec<Vec<f64>>,
    y: Vec<f64>,
    group: Vec<u32>,
    row: Vec<u32>,
}

impl Data {
    fn part(&self, keep: impl Fn(usize) -> bool) -> Self {
        let of = |at: &usize| keep(*at);
        let rows: Vec<usize> = (0..self.y.len()).filter(of).collect();
        Self {
            x: rows.iter().map(|&at| self.x[at].clone()).collect(),
            y: rows.iter().map(|&at| self.y[at]).collect(),
            group: rows.iter().map(|&at| self.group[at]).collect(),
            row: rows.iter().map(|&at| self.row[at]).collect(),
        }
    }

    fn without(&self, feature: usize) -> Self {
        let mut all = self.part(|_| true);
        all.x.iter_mut().for_each(|row| row[feature] = 0.0);
        all
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Solves a symmetric positive system for several right sides by elimination.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let n = a.len();
    for at in 0..n {
        let pivot = a[at][at];
        for row in at + 1..n {
            let factor = a[row][at] / pivot;
            for column in at..n {
                a[row][column] -= factor * a[at][column];
            }
            b.iter_mut().for_each(|right| right[row] -= factor * right[at]);
        }
    }
    for right in &mut b {
        for at in (0..n).rev() {
            right[at] = (right[at] - dot(&a[at][at + 1..], &right[at + 1..])) / a[at][at];
        }
    }
    b
}

/// Eigenvalues and eigenvectors of a small symmetric matrix, by Jacobi's rotations.
fn eigen(mut a: Vec<Vec<f64>>) -> Vec<(f64, Vec<f64>)> {
    let n = a.len();
    let mut v: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    for _ in 0..50 {
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q].abs() < 1e-300 {
                    continue;
                }
                let theta = 0.5 * (2.0 * a[p][q]).atan2(a[p][p] - a[q][q]);
                let (s, c) = theta.sin_cos();
                for row in &mut a {
                    (row[p], row[q]) = (c * row[p] + s * row[q], c * row[q] - s * row[p]);
                }
                for j in 0..n {
                    let (x, y) = (a[p][j], a[q][j]);
                    (a[p][j], a[q][j]) = (c * x + s * y, c * y - s * x);
                }
                for row in &mut v {
                    (row[p], row[q]) = (c * row[p] + s * row[q], c * row[q] - s * row[p]);
                }
            }
        }
    }
    let mut pairs: Vec<_> = (0..n).map(|j| (a[j][j], v.iter().map(|row| row[j]).collect())).collect();
    pairs.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    pairs
}

/// Plain coefficients and one step per unfair direction.
struct Solution {
    mean: f64,
    plain: Vec<f64>,
    steps: Vec<Vec<f64>>,
    support: Vec<f64>,
}

fn regress(data: &Data, k: usize) -> Solution {
    let (n, d) = (data.y.len() as f64, data.x[0].len());
    let mean = data.y.iter().sum::<f64>() / n;
    let mut g: Vec<Vec<f64>> = (0..d).map(|i| (0..d).map(|j| if i == j { LAMBDA } else { 0.0 }).collect()).collect();
    let (mut right, mut b, mut whole) = (vec![0.0; d], vec![vec![0.0; d]; k], vec![0.0; d]);
    let mut counts = vec![0.0_f64; k];
    for ((x, y), &group) in data.x.iter().zip(&data.y).zip(&data.group) {
        counts[group as usize] += 1.0;
        for i in 0..d {
            right[i] += x[i] * (y - mean);
            b[group as usize][i] += x[i];
            whole[i] += x[i] / n;
            for j in 0..d {
                g[i][j] += x[i] * x[j];
            }
        }
    }
    for (sum, count) in b.iter_mut().zip(&counts) {
        sum.iter_mut()
            .zip(&whole)
            .for_each(|(sum, whole)| *sum = if *count > 0.0 { *sum / count - whole } else { 0.0 });
    }
    let plain = solve(g.clone(), vec![right]).remove(0);
    let inverse = solve(g, b.clone());
    let s: Vec<Vec<f64>> = b.iter().map(|row| inverse.iter().map(|column| dot(row, column)).collect()).collect();
    let gaps: Vec<f64> = b.iter().map(|row| dot(row, &plain)).collect();
    let pairs = eigen(s);
    let most = pairs.first().map_or(0.0, |(value, _)| *value);
    let kept: Vec<_> = pairs.into_iter().filter(|(value, _)| *value > 1e-10 * most).collect();
    let step = |(value, u): &(f64, Vec<f64>)| {
        let factor = -dot(u, &gaps) / value;
        (0..d).map(|i| factor * inverse.iter().zip(u).map(|(column, u)| column[i] * u).sum::<f64>()).collect()
    };
    let steps = kept.iter().map(step).collect();
    let support = kept.iter().map(|(value, _)| 0.9 * value / most).collect();
    Solution { mean, plain, steps, support }
}

impl Solution {
    fn rows(&self, data: &Data, width: usize) -> Rows {
        Rows {
            row: data.row.clone(),
            group: data.group.clone(),
            target: data.y.clone(),
            plain: data.x.iter().map(|x| self.mean + dot(x, &self.plain)).collect(),
            steps: self.steps.iter().map(|step| data.x.iter().map(|x| dot(x, step)).collect()).collect(),
            values: data.x.iter().flat_map(|x| x[..width].iter().map(|value| *value as f32)).collect(),
        }
    }

    fn digest(&self, data: &Data, k: usize) -> Digest {
        let values = |x: &Vec<f64>| {
            let steps: Vec<f64> = self.steps.iter().map(|step| dot(x, step)).collect();
            std::iter::once(self.mean + dot(x, &self.plain)).chain(steps).collect::<Vec<_>>()
        };
        let predictions: Vec<f64> = data.x.iter().flat_map(values).collect();
        Digest::of(k, &data.group, &data.y, &predictions, &[])
    }

    fn trade(&self, train: &Data, test: &Data, k: usize) -> TradeOff {
        TradeOff { support: self.support.clone(), train: self.digest(train, k), test: self.digest(test, k) }
    }
}

pub fn fit(spec: &str) -> Result<FairFit> {
    let spec: FairExperiment = toml::from_str(spec).map_err(|error| Problem::internal(error.to_string()))?;
    let table = read(&spec.table.source)?;
    let find = |name: &str| {
        let at = table.names.iter().position(|known| known == name);
        at.ok_or_else(|| {
            Problem::bad_input(format!("The table has no column `{name}`.")).remedy("Choose another column.")
        })
    };
    let target = find(&spec.table.target)?;
    let sensitive: Vec<usize> = spec.table.sensitive.iter().map(|name| find(name)).collect::<Result<_>>()?;
    let number = |cell: &String| cell.parse::<f64>().unwrap_or(0.0);
    let mut attributes = Vec::new();
    let mut values_of: Vec<Vec<usize>> = Vec::new();
    for &at in &sensitive {
        let column = &table.columns[at];
        let (values, of) = if is_number(column) {
            let mut sorted: Vec<f64> = column.iter().map(number).collect();
            sorted.sort_by(f64::total_cmp);
            let cut = sorted[sorted.len() / 2];
            let names = vec![format!("up to {cut}"), format!("above {cut}")];
            (names, column.iter().map(|cell| usize::from(number(cell) > cut)).collect())
        } else {
            let known = levels(column);
            let of = column.iter().map(|cell| known.iter().position(|name| name == cell).unwrap_or(0)).collect();
            (known, of)
        };
        attributes.push(Attribute { name: table.names[at].clone(), values });
        values_of.push(of);
    }
    let rows = table.columns[0].len();
    let mut combinations: Vec<Vec<usize>> = Vec::new();
    let group: Vec<u32> = (0..rows)
        .map(|row| {
            let values: Vec<usize> = values_of.iter().map(|of| of[row]).collect();
            let known = combinations.iter().position(|known| *known == values);
            known.unwrap_or_else(|| {
                combinations.push(values);
                combinations.len() - 1
            }) as u32
        })
        .collect();
    let k = combinations.len();
    let name = |values: &Vec<usize>| {
        let named = values.iter().zip(&attributes).map(|(&value, attribute)| {
            let value = &attribute.values[value];
            if value.contains(' ') { format!("{} {value}", attribute.name) } else { value.clone() }
        });
        named.collect::<Vec<_>>().join(", ")
    };
    let groups = combinations.iter().map(|values| Group { name: name(values), values: values.clone() }).collect();

    let full = |at: &usize| {
        let column = &table.columns[*at];
        *at != target && !sensitive.contains(at) && is_number(column) && column.iter().all(|cell| !cell.is_empty())
    };
    let stride = ((0..table.names.len()).filter(full).count() / FEATURES).max(1);
    let mut chosen: Vec<usize> = (0..table.names.len()).filter(full).step_by(stride).take(FEATURES).collect();
    chosen.extend(&sensitive);
    let width = chosen.len();
    let cell = |row: usize, at: usize| match sensitive.iter().position(|&other| other == at) {
        Some(attribute) => values_of[attribute][row] as f64,
        None => number(&table.columns[at][row]),
    };
    let x = |row: usize| chosen.iter().map(|&at| cell(row, at)).chain([1.0]).collect();
    let all = Data {
        x: (0..rows).map(x).collect(),
        y: table.columns[target].iter().map(number).collect(),
        group,
        row: (0..rows as u32).collect(),
    };
    let (train, test) = (all.part(|row| row % 5 < 4), all.part(|row| row % 5 == 4));
    let solution = regress(&train, k);
    let trade = solution.trade(&train, &test, k);
    let folds = (0..5)
        .map(|fold| {
            let (inner, outer) = (train.part(|row| row % 5 != fold), train.part(|row| row % 5 == fold));
            regress(&inner, k).trade(&inner, &outer, k)
        })
        .collect();
    let feature = |(at, &column): (usize, &usize)| {
        let values: Vec<f64> = train.x.iter().map(|x| x[at]).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), &v| (low.min(v), high.max(v)));
        let is_group = sensitive.contains(&column);
        let count = if is_group { 2 } else { 12 };
        let grid: Vec<f64> =
            (0..count).map(|step| low + (high - low) * f64::from(step) / f64::from(count - 1)).collect();
        let overall = trade.train.groups.iter().map(|group| group.rows as f64 * group.mean[0]).sum::<f64>();
        let overall = overall / train.y.len() as f64;
        let along =
            |slope: f64, middle: f64| grid.iter().map(|value| middle + slope * (value - mean)).collect::<Vec<_>>();
        let unfair: Vec<f64> =
            train.x.iter().map(|x| solution.steps.first().map_or(0.0, |step| dot(x, step))).collect();
        Feature {
            name: table.names[column].clone(),
            levels: if is_group { vec!["0".into(), "1".into()] } else { Vec::new() },
            plain: along(solution.plain[at], overall),
            steps: solution.steps.iter().map(|step| along(step[at], 0.0)).collect(),
            proxy: correlation(&values, &unfair),
            sensitive: is_group,
            grid,
        }
    };
    Ok(FairFit {
        title: spec.name.clone(),
        target: spec.table.target.clone(),
        kernel: "linear, lambda 1".into(),
        notion: "Equal mean predictions for all combinations of sensitive values".into(),
        route: "exact".into(),
        groups,
        attributes,
        rivals: rivals(&train, &test, &solution, k, width - 1),
        train: solution.rows(&train, width),
        test: solution.rows(&test, width),
        features: chosen.iter().enumerate().map(feature).collect(),
        subtracted: trade.train.groups.iter().map(|group| -group.mean.iter().skip(1).sum::<f64>()).collect(),
        achieved: 0.0,
        notes: vec![format!("{} columns are learnt from; the others were left out.", chosen.len())],
        seconds: [0.1, 0.0, 0.2, 0.1],
        trade,
        folds,
    })
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let (ma, mb) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(a, b)| f(a - ma, b - mb)).sum::<f64>();
    let (va, vb) = (sum(&|a, _| a * a), sum(&|_, b| b * b));
    if va * vb > 0.0 { sum(&|a, b| a * b) / (va * vb).sqrt() } else { 0.0 }
}

/// The constant, the regression without the sensitive column, and means shifted together afterwards.
fn rivals(train: &Data, test: &Data, solution: &Solution, k: usize, sensitive: usize) -> Vec<Rival> {
    let point = |solution: &Solution, train: &Data, test: &Data| {
        let Point { train, test } = solution.trade(train, test, k).point(Dial::Share(0.0));
        RivalPoint { label: String::new(), train, test, test_ks: 0.3 }
    };
    let rival = |id: &str, name: &str, needs_group, point| Rival {
        id: id.into(),
        name: name.into(),
        needs_group,
        points: vec![point],
    };
    let constant =
        Solution { mean: solution.mean, plain: vec![0.0; solution.plain.len()], steps: vec![], support: vec![] };
    let (blind_train, blind_test) = (train.without(sensitive), test.without(sensitive));
    let blind = regress(&blind_train, k);
    // Every row carries the shift of its group as one more feature.
    let shift: Vec<f64> = solution.digest(train, k).groups.iter().map(|group| solution.mean - group.mean[0]).collect();
    let shifted = |data: &Data| {
        let mut all = data.part(|_| true);
        all.x.iter_mut().zip(&data.group).for_each(|(x, &group)| x.push(shift[group as usize]));
        all
    };
    let plain = solution.plain.iter().copied().chain([1.0]).collect();
    let post = Solution { mean: solution.mean, plain, steps: vec![], support: vec![] };
    vec![
        rival("constant", "Constant", false, point(&constant, train, test)),
        rival("attribute-removed", "Attribute removed", false, point(&blind, &blind_train, &blind_test)),
        rival("mean-shift", "Means shifted", true, point(&post, &shifted(train), &shifted(test))),
    ]
}

/// A fit on people who do not exist: `n` training rows, `n` test rows, three groups.
pub fn made_up(n: usize, features: usize) -> FairFit {
    const GROUPS: usize = 3;
    // Numbers without a pattern that a picture would show.
    let noise = |at: usize| ((at.wrapping_mul(2_654_435_761) >> 7) % 10_007) as f64 / 10_007.0 - 0.5;
    let group = |row: usize| row * 7 % GROUPS;
    let x = |row: usize| {
        let value = |feature: usize| noise(row * 101 + feature) + 0.2 * (group(row) * (feature % 3)) as f64;
        (0..features).map(value).chain([1.0]).collect::<Vec<f64>>()
    };
    let data = |from: usize| Data {
        x: (from..from + n).map(x).collect(),
        y: (from..from + n).map(|row| x(row).iter().take(5).sum::<f64>() + noise(row)).collect(),
        group: (from..from + n).map(|row| group(row) as u32).collect(),
        row: (from as u32..(from + n) as u32).collect(),
    };
    let (train, test) = (data(0), data(n));
    let solution = regress(&train, GROUPS);
    let trade = solution.trade(&train, &test, GROUPS);
    let names = ["north", "south", "west"];
    let feature = |at: usize| {
        let grid: Vec<f64> = (0..20).map(|step| f64::from(step) / 20.0).collect();
        let along = |slope: f64| grid.iter().map(|value| slope * value).collect::<Vec<_>>();
        Feature {
            name: format!("feature {at}"),
            levels: Vec::new(),
            plain: along(solution.plain[at]),
            steps: solution.steps.iter().map(|step| along(step[at])).collect(),
            proxy: noise(at),
            sensitive: false,
            grid,
        }
    };
    FairFit {
        title: "Made up".into(),
        target: "score".into(),
        kernel: "linear, lambda 1".into(),
        notion: "Equal mean predictions".into(),
        route: "exact".into(),
        groups: names.iter().enumerate().map(|(at, name)| Group { name: (*name).into(), values: vec![at] }).collect(),
        attributes: vec![Attribute { name: "region".into(), values: names.map(String::from).to_vec() }],
        folds: vec![trade.clone(), trade.clone()],
        rivals: Vec::new(),
        train: solution.rows(&train, features),
        test: solution.rows(&test, features),
        features: (0..features).map(feature).collect(),
        subtracted: vec![0.0; GROUPS],
        achieved: 0.0,
        notes: Vec::new(),
        seconds: [0.0; 4],
        trade,
    }
}
