//! The experiment of fair regression: a table, a kernel, a constraint, and what to compare with.

use super::spec::Pick;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `task = "fair-regression"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FairExperiment {
    /// Version of the spec format.
    #[serde(default = "super::spec::current_schema")]
    #[schemars(range(min = 1, max = 1))]
    pub schema: u32,
    /// What kind of experiment this is; without it, a network is trained.
    pub task: FairTask,
    /// A title in your words.
    #[serde(default)]
    pub name: String,
    /// The same seed gives the same result.
    #[serde(default)]
    pub seed: u64,
    /// Processor threads; 0 means all cores.
    #[serde(default)]
    #[schemars(range(min = 0, max = 256))]
    pub threads: usize,
    pub table: TableChoice,
    #[serde(default)]
    pub model: FairModel,
    /// Other methods on the same rows; absent: all that are known, `rival = []`: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rival: Option<Vec<Pick>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FairTask {
    FairRegression,
}

/// The name of the task in specs.
pub const FAIR_REGRESSION: &str = "fair-regression";

/// Which table, and what its columns mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableChoice {
    /// `communities` or `law-school` (both embedded), or a path to a CSV or Parquet file.
    pub source: String,
    /// Column of numbers that is predicted.
    pub target: String,
    /// Columns between whose values predictions shall be fair.
    pub sensitive: Vec<String>,
    /// Columns to predict from; absent: all but the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// Columns to leave out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// Corrections of what was guessed about single columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub column: Vec<ColumnChoice>,
    /// Sensitive columns are features, too.
    #[serde(default = "yes")]
    pub use_sensitive: bool,
    /// What happens to rows with empty cells.
    #[serde(default)]
    pub missing: Missing,
    /// Give every feature mean 0 and standard deviation 1 on the training rows.
    #[serde(default = "yes")]
    pub standardise: bool,
    /// Use only so many rows, drawn by the seed; 0 means all.
    #[serde(default)]
    pub rows: usize,
    /// Rows that are kept for testing, drawn by the seed.
    #[serde(default = "a_fifth")]
    #[schemars(range(min = 0.0, max = 0.9), extend("x-unit" = "%"))]
    pub test_share: f64,
    /// Groups with fewer training rows are joined; 0 joins none.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100_000), extend("x-unit" = "rows"))]
    pub join_below: usize,
}

/// What is different about one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnChoice {
    pub name: String,
    /// Number or category; absent: as guessed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ColumnKind>,
    /// Of a category: this value against all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against_rest: Option<String>,
    /// Of a sensitive number: where it is cut into groups; absent: at the median.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnKind {
    Number,
    Category,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// Empty cells get the mean of the training rows; empty cells of a category are a value of their own.
    #[default]
    Mean,
    /// Empty cells count as 0.
    Zero,
    /// Rows with an empty cell are left out.
    DropRows,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KernelKind {
    /// x·z + 1: weighted sums of the features.
    Linear,
    /// exp(-gamma |x - z|²): smooth functions.
    Rbf,
    /// exp(-gamma |x - z|₁), the sum of distances: rougher functions.
    Laplace,
    /// (gamma x·z + 1)^degree: products of up to `degree` features.
    Polynomial,
}

/// Which functions of the sensitive columns the predictions must be uncorrelated with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Constraint {
    /// Equal mean predictions for all combinations of sensitive values.
    MeanParity,
    /// Equal mean predictions for the values of each attribute, but not for their combinations.
    Marginal,
    /// No covariance with any attribute; numbers are taken as they are.
    Covariance,
    /// No correlation with smooth functions of each attribute: mean parity for numbers without cutting them.
    Smooth,
}

/// How the equations are solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Solver {
    /// Exact up to 10,000 training rows, landmarks beyond.
    Auto,
    /// All training rows: time grows with the cube of their number, memory with its square.
    Exact,
    /// Nyström: functions around some of the training rows.
    Landmarks,
    /// Random Fourier features, for RBF and Laplace kernels.
    Fourier,
}

/// The regression and its constraint; numbers published with the method are marked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FairModel {
    pub constraint: Constraint,
    pub kernel: KernelKind,
    /// How quickly the kernel falls with distance; absent: chosen by cross-validation around the median distance.
    #[schemars(range(min = 0.000001, max = 10000.0), extend("x-scale" = "log", "x-paper" = 0.1))]
    pub gamma: Option<f64>,
    /// Ridge constant, added to the kernel matrix as it is; absent: chosen by cross-validation.
    #[schemars(range(min = 0.0, max = 1_000_000.0), extend("x-scale" = "log", "x-paper" = 1))]
    pub lambda: Option<f64>,
    /// Of the polynomial kernel.
    #[schemars(range(min = 1, max = 8))]
    pub degree: u32,
    pub solver: Solver,
    /// Landmarks or Fourier features.
    #[schemars(range(min = 16, max = 5000))]
    pub size: usize,
    /// Parts of the training rows for cross-validation and for the bands of the curve; below 2 there are none.
    #[schemars(range(min = 0, max = 20))]
    pub folds: usize,
    /// Points of the curve in files and pictures.
    #[schemars(range(min = 2, max = 1000))]
    pub points: usize,
}

impl Default for FairModel {
    fn default() -> Self {
        Self {
            constraint: Constraint::MeanParity,
            kernel: KernelKind::Rbf,
            gamma: None,
            lambda: None,
            degree: 2,
            solver: Solver::Auto,
            size: 1000,
            folds: 5,
            points: 50,
        }
    }
}

impl TableChoice {
    /// The defaults of everything for a table, a target and sensitive columns.
    pub fn of(source: &str, target: &str, sensitive: &[String]) -> Self {
        Self {
            source: source.to_owned(),
            target: target.to_owned(),
            sensitive: sensitive.to_vec(),
            features: Vec::new(),
            ignore: Vec::new(),
            column: Vec::new(),
            use_sensitive: true,
            missing: Missing::default(),
            standardise: true,
            rows: 0,
            test_share: a_fifth(),
            join_below: 0,
        }
    }

    /// What the spec says about a column, if anything.
    pub fn column(&self, name: &str) -> Option<&ColumnChoice> {
        self.column.iter().find(|column| column.name == name)
    }
}

fn yes() -> bool {
    true
}

fn a_fifth() -> f64 {
    0.2
}

impl FairExperiment {
    /// The defaults of everything for a table, a target and sensitive columns.
    pub fn of(source: &str, target: &str, sensitive: &[String]) -> Self {
        Self {
            schema: super::spec::SCHEMA,
            task: FairTask::FairRegression,
            name: String::new(),
            seed: 0,
            threads: 0,
            table: TableChoice::of(source, target, sensitive),
            model: FairModel::default(),
            rival: None,
        }
    }
}
