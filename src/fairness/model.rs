//! A fitted model as a file: safetensors with the basis, the weights of every point of the trade-off, and how rows become
//! numbers.

use super::frame::{Frame, FrameFeature, refuse_infinite};
use super::kernel::Kernel;
use super::linalg::to_vec;
use super::solve::{Basis, Solution};
use crate::data::tables::{Cells, NO_LEVEL, Table};
use crate::experiment::fair::{ColumnKind, FairExperiment, KernelKind, TableChoice};
use crate::experiment::nearest::{list, nearest};
use crate::experiment::{Problem, Result};
use crate::nets::Params;
use crate::nets::formats::safetensors;
use crate::run::fair::Dial;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use tch::Tensor;

/// The key under which the description stands in the file's metadata.
const KEY: &str = "polariscope.fair-regression";
/// The same of the point that was kept.
const KEPT: &str = "polariscope.dial";
/// Rows that are encoded at a time.
const ROWS_AT_ONCE: usize = 8192;

/// Everything that is needed to predict.
pub struct FairWeights {
    description: Description,
    solution: Solution,
    /// The point of the trade-off that was kept with the model, if one was.
    pub kept: Option<Dial>,
}

/// Predictions for the rows of a table, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// Name of the target, in whose units the values are.
    pub target: String,
    pub values: Vec<f64>,
    /// Typical error (RMSE), where the table holds the target.
    pub rmse: Option<f64>,
    /// What was done about empty cells, as sentences.
    pub notes: Vec<String>,
}

/// What is not a tensor.
#[derive(Debug, Serialize, Deserialize)]
struct Description {
    target: String,
    /// Mean of the training targets, added to every prediction.
    mean: f64,
    /// q of each direction: `c_j = eta q_j / (1 + eta q_j)`.
    support: Vec<f64>,
    kernel: KernelKind,
    gamma: f64,
    degree: u32,
    basis: String,
    features: Vec<FrameFeature>,
    /// What was said about columns.
    table: TableChoice,
}

impl FairWeights {
    pub fn new(experiment: &FairExperiment, frame: &Frame, solution: Solution, mean: f64) -> Self {
        let (basis, kernel) = match &solution.basis {
            Basis::Linear => ("linear", None),
            Basis::Centres(kernel, _) => ("centres", Some(*kernel)),
            Basis::Fourier(..) => ("fourier", None),
        };
        let description = Description {
            target: frame.target.clone(),
            mean,
            support: solution.support.clone(),
            kernel: kernel.map_or(experiment.model.kernel, |kernel| kernel.kind),
            gamma: kernel.map_or(0.0, |kernel| kernel.gamma),
            degree: kernel.map_or(1, |kernel| kernel.degree),
            basis: basis.to_owned(),
            features: frame.features.iter().map(|f| FrameFeature { raw: Vec::new(), ..f.clone() }).collect(),
            table: experiment.table.clone(),
        };
        Self { description, solution, kept: None }
    }

    /// Writes the model; `chosen` is the point that was kept, if one was.
    ///
    /// # Errors
    /// Folders that may not be written and a full disk.
    pub fn save(&self, path: &Path, chosen: Option<Dial>) -> Result<()> {
        let mut params = Params::new();
        params.insert("weights", self.solution.weights.contiguous());
        match &self.solution.basis {
            Basis::Linear => {}
            Basis::Centres(_, centres) => params.insert("centres", centres.contiguous()),
            Basis::Fourier(frequencies, phases) => {
                params.insert("frequencies", frequencies.contiguous());
                params.insert("phases", phases.contiguous());
            }
        }
        let mut metadata = BTreeMap::from([(KEY.to_owned(), as_json(&self.description)?)]);
        if let Some(dial) = chosen {
            metadata.insert(KEPT.to_owned(), as_json(&dial)?);
        }
        safetensors::write(path, &params, &metadata)
    }

    /// Reads a model that was written by [`FairWeights::save`].
    ///
    /// # Errors
    /// Other and damaged files.
    pub fn open(path: &Path) -> Result<Self> {
        let (params, metadata) = safetensors::read(path)?;
        let text = metadata
            .get(KEY)
            .ok_or_else(|| Problem::bad_file("This file does not hold a fair regression.").at(path.display()))?;
        let damaged = |why: &dyn std::fmt::Display| {
            Problem::bad_file("This model is damaged or from another version.").at(path.display()).because(why)
        };
        let description: Description = serde_json::from_str(text).map_err(|error| damaged(&error))?;
        let tensor = |name: &str| params.get(name).map(Tensor::shallow_clone);
        let kernel = Kernel { kind: description.kernel, gamma: description.gamma, degree: description.degree };
        let basis = match description.basis.as_str() {
            "linear" => Basis::Linear,
            "centres" => Basis::Centres(kernel, tensor("centres")?),
            "fourier" => Basis::Fourier(tensor("frequencies")?, tensor("phases")?),
            other => return Err(damaged(&format!("unknown basis `{other}`"))),
        };
        let weights = tensor("weights")?;
        let width: i64 = description.features.iter().map(|feature| feature.width as i64).sum();
        let functions = match &basis {
            Basis::Linear => (width + 1, width),
            Basis::Centres(_, centres) => (centres.size()[0], *centres.size().get(1).unwrap_or(&-1)),
            Basis::Fourier(frequencies, phases) => (phases.numel() as i64, frequencies.size()[0]),
        };
        let wanted = [functions.0, 1 + description.support.len() as i64];
        if weights.size() != wanted || functions.1 != width {
            return Err(damaged(&format!("weights of shape {:?}, {wanted:?} expected", weights.size())));
        }
        let support = description.support.clone();
        let kept = metadata.get(KEPT).and_then(|text| serde_json::from_str(text).ok());
        Ok(Self { description, solution: Solution { basis, weights, support, coefficients: Vec::new() }, kept })
    }

    /// Predictions for all rows of a table with the same columns, in units of the target.
    ///
    /// # Errors
    /// Columns that are missing or of another kind, values of a category that the model has never seen, and infinities.
    pub fn predict(&self, table: &Table, dial: Dial) -> Result<Predictions> {
        let description = &self.description;
        let mut empty = Vec::new();
        let columns: Vec<Vec<f64>> = description
            .features
            .iter()
            .map(|feature| self.values(table, feature, &mut empty))
            .collect::<Result<_>>()?;
        let width: usize = description.features.iter().map(|feature| feature.width).sum();
        let weights: Vec<f64> = std::iter::once(1.0).chain(dial.weights(&description.support)).collect();
        let weights = Tensor::from_slice(&weights).view([-1, 1]);
        let mut values = Vec::with_capacity(table.rows);
        for start in (0..table.rows).step_by(ROWS_AT_ONCE) {
            let rows = start..(start + ROWS_AT_ONCE).min(table.rows);
            let mut x = vec![0.0; rows.len() * width];
            for (feature, column) in description.features.iter().zip(&columns) {
                for (cells, &value) in x.chunks_exact_mut(width).zip(&column[rows.clone()]) {
                    cells[feature.at..feature.at + feature.width].copy_from_slice(&feature.encode(value));
                }
            }
            let x = Tensor::from_slice(&x).view([rows.len() as i64, width as i64]);
            values.extend(to_vec(&(self.solution.predict(&x).matmul(&weights) + description.mean)));
        }
        let rmse = error(table, &description.target, &values);
        Ok(Predictions { target: description.target.clone(), values, rmse, notes: of_empty(&empty) })
    }

    /// A feature's cells as numbers or indices of its levels, and what stands for empty ones; these are counted.
    fn values(&self, table: &Table, feature: &FrameFeature, empty: &mut Vec<String>) -> Result<Vec<f64>> {
        let name = &feature.name;
        let column = table.column(name).ok_or_else(|| {
            let problem = Problem::bad_input(format!("The table has no column `{name}`, which the model needs."));
            match nearest(name, table.columns.iter().map(|column| column.name.as_str())) {
                Some(near) => problem.remedy(format!("Is it called `{near}` here? Then rename it.")),
                None => problem.remedy("Take a table with the same columns as the one that was learnt from."),
            }
        })?;
        let kind = if feature.levels.is_empty() { ColumnKind::Number } else { ColumnKind::Category };
        let column = column.to_kind(kind)?;
        refuse_infinite(&column)?;
        let values = match &column.cells {
            Cells::Numbers(numbers) => numbers.clone(),
            Cells::Levels { codes, names } => {
                let said = self.description.table.column(name).and_then(|said| said.against_rest.as_deref());
                let known = |name: &String| match said {
                    Some(value) if name != value => feature.levels.iter().position(|level| level != value),
                    _ => feature.levels.iter().position(|level| level == name),
                };
                let places: Vec<Option<usize>> = names.iter().map(known).collect();
                let place = |&code: &u32| places.get(code as usize).copied().flatten();
                if let Some(row) = codes.iter().position(|code| *code != NO_LEVEL && place(code).is_none()) {
                    return Err(unknown(feature, &names[codes[row] as usize], row));
                }
                codes.iter().map(|code| place(code).map_or(f64::NAN, |place| place as f64)).collect()
            }
            Cells::Texts(_) => return Err(Problem::internal("A column that was made numbers holds texts.")),
        };
        let missing = values.iter().filter(|value| value.is_nan()).count();
        if missing > 0 {
            empty.push(format!("{missing} in `{name}`"));
        }
        Ok(values.into_iter().map(|value| if value.is_nan() { feature.empty() } else { value }).collect())
    }
}

/// What was done about empty cells, given how many each column has.
fn of_empty(columns: &[String]) -> Vec<String> {
    const TOLD: usize = 3;
    if columns.is_empty() {
        return Vec::new();
    }
    let more = columns.len().saturating_sub(TOLD);
    let others = if more > 0 { format!(", and some in {more} other columns") } else { String::new() };
    let told = columns[..columns.len().min(TOLD)].join(", ");
    vec![format!("Empty cells count as in the table that was learnt from: {told}{others}.")]
}

/// A value that no row had when the model was fitted.
fn unknown(feature: &FrameFeature, value: &str, row: usize) -> Problem {
    Problem::bad_input(format!("The column `{}` holds `{value}`, which the model has never seen.", feature.name))
        .because(format!("It stands in row {}.", row + 1))
        .remedy(format!("The model knows: {}.", list(feature.levels.iter().take(20).map(String::as_str))))
        .remedy("Correct the cell or leave it empty, or fit the model anew with such rows.")
}

/// Typical error (RMSE) of predictions for the rows in which a table holds the target.
fn error(table: &Table, target: &str, values: &[f64]) -> Option<f64> {
    let column = table.column(target)?.to_kind(ColumnKind::Number).ok()?;
    let Cells::Numbers(numbers) = &column.cells else { return None };
    let known = || numbers.iter().zip(values).filter(|(number, _)| number.is_finite());
    let count = known().count();
    let square: f64 = known().map(|(number, value)| (number - value).powi(2)).sum();
    (count > 0).then(|| (square / count as f64).sqrt())
}

fn as_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Problem::internal("The model cannot be described.").because(error))
}
