//! A fitted model as a file: safetensors with the basis, the weights of every point of the trade-off, and how rows become
//! numbers.

use super::frame::{Frame, FrameFeature};
use super::kernel::Kernel;
use super::linalg::to_vec;
use super::solve::{Basis, Solution};
use crate::data::tables::{Cells, NO_LEVEL, Table};
use crate::experiment::fair::{ColumnKind, FairExperiment, KernelKind, TableChoice};
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

/// Everything that is needed to predict.
pub struct FairWeights {
    description: Description,
    solution: Solution,
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
        Self { description, solution }
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
            metadata.insert("polariscope.dial".to_owned(), as_json(&dial)?);
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
        Ok(Self { description, solution: Solution { basis, weights, support, coefficients: Vec::new() } })
    }

    /// Predictions for all rows of a table with the same columns, in units of the target.
    ///
    /// # Errors
    /// Columns that are missing or of another kind.
    pub fn predict(&self, table: &Table, dial: Dial) -> Result<Vec<f64>> {
        let width: usize = self.description.features.iter().map(|feature| feature.width).sum();
        let mut x = vec![0.0; table.rows * width];
        for feature in &self.description.features {
            let values = self.values(table, feature)?;
            for (cells, value) in x.chunks_exact_mut(width).zip(values) {
                cells[feature.at..feature.at + feature.width].copy_from_slice(&feature.encode(value));
            }
        }
        let x = Tensor::from_slice(&x).view([table.rows as i64, width as i64]);
        let weights: Vec<f64> = std::iter::once(1.0).chain(dial.weights(&self.description.support)).collect();
        let predictions = self.solution.predict(&x).matmul(&Tensor::from_slice(&weights).view([-1, 1]));
        Ok(to_vec(&(predictions + self.description.mean)))
    }

    /// A feature's cells as numbers or indices of its levels; what is empty or unknown is what stands for empty cells.
    fn values(&self, table: &Table, feature: &FrameFeature) -> Result<Vec<f64>> {
        let column = table.column(&feature.name).ok_or_else(|| {
            Problem::bad_input(format!("The table has no column `{}`, which the model needs.", feature.name))
        })?;
        let kind = if feature.levels.is_empty() { ColumnKind::Number } else { ColumnKind::Category };
        let mut column = column.to_kind(kind)?;
        if let Some(value) = self.description.table.column(&feature.name).and_then(|said| said.against_rest.as_deref())
        {
            column = column.against_rest(value)?;
        }
        let known = |value: f64| if value.is_nan() { feature.empty() } else { value };
        Ok(match &column.cells {
            Cells::Numbers(numbers) => numbers.iter().map(|&number| known(number)).collect(),
            Cells::Levels { codes, names } => {
                let place = |name: &String| feature.levels.iter().position(|level| level == name);
                let places: Vec<Option<usize>> = names.iter().map(place).collect();
                let value = |code: u32| match places.get(code as usize) {
                    Some(Some(place)) if code != NO_LEVEL => *place as f64,
                    _ => f64::NAN,
                };
                codes.iter().map(|&code| known(value(code))).collect()
            }
            Cells::Texts(_) => Vec::new(),
        })
    }
}

fn as_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Problem::internal("The model cannot be described.").because(error))
}
