//! The experiment: what to do, as data. The same text goes to the window, the command line, a sweep and the run folder.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The newest version of the spec format that this program writes.
pub const SCHEMA: u32 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Version of the spec format.
    #[serde(default = "current_schema")]
    #[schemars(range(min = 1, max = 1))]
    pub schema: u32,
    /// A title in your words.
    #[serde(default)]
    pub name: String,
    /// The same seed gives the same result.
    #[serde(default)]
    pub seed: u64,
    /// Where tensors live: `auto`, `cpu`, `cuda` or `cuda:1`.
    #[serde(default)]
    pub device: DeviceChoice,
    /// Processor threads; 0 means all cores.
    #[serde(default)]
    #[schemars(range(min = 0, max = 256))]
    pub threads: usize,
    pub data: DataChoice,
    pub network: Pick,
    #[serde(default)]
    pub train: Train,
    /// Absent: the network is trained on clean data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attack: Option<Pick>,
    /// What the attack does to the training data.
    #[serde(default)]
    pub poison: Poison,
    /// How the poisoned pictures are chosen; absent: at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<Pick>,
    /// Each defense starts from the attacked model, so that their rows can be compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub defense: Vec<Pick>,
    /// What is looked for in the model before any defense; a check changes nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub check: Vec<Pick>,
    #[serde(default)]
    pub defender: Defender,
}

pub(super) fn current_schema() -> u32 {
    SCHEMA
}

/// A method by its id, with its options; what is not written keeps its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pick {
    pub id: String,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub options: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataChoice {
    /// `fashion-mini` (embedded) or a path to a file or folder of a known format.
    pub source: String,
    /// Use only the first rows of the training set after shuffling by the seed, the same share of each class; 0 means all.
    #[serde(default)]
    pub train_rows: usize,
    /// The same for the test set.
    #[serde(default)]
    pub test_rows: usize,
    /// Side in pixels to which pictures of other sizes are resized; 0 keeps the size of the first picture.
    #[serde(default)]
    #[schemars(range(min = 0, max = 512))]
    pub side: usize,
}

/// Where tensors live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The first CUDA device that works, else the processor.
    #[default]
    Auto,
    Cpu,
    Cuda(usize),
}

impl std::fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DeviceChoice::Auto => write!(f, "auto"),
            DeviceChoice::Cpu => write!(f, "cpu"),
            DeviceChoice::Cuda(0) => write!(f, "cuda"),
            DeviceChoice::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

impl std::str::FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(DeviceChoice::Auto),
            "cpu" => Ok(DeviceChoice::Cpu),
            "cuda" => Ok(DeviceChoice::Cuda(0)),
            other => other
                .strip_prefix("cuda:")
                .and_then(|index| index.parse().ok())
                .map(DeviceChoice::Cuda)
                .ok_or_else(|| format!("`{other}` is not a device; known are auto, cpu, cuda and cuda:N")),
        }
    }
}

impl Serialize for DeviceChoice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeviceChoice {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for DeviceChoice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DeviceChoice".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^(auto|cpu|cuda(:[0-9]+)?)$" })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// bf16 where the processor or the GPU computes it in hardware, else f32.
    Auto,
    F32,
    Bf16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    Constant,
    /// From the learning rate to zero along half a cosine, stepped once per epoch.
    Cosine,
    /// Rises to the learning rate and falls to zero, stepped once per batch: for short trainings.
    OneCycle,
    /// Divided by ten whenever the mean training loss has not fallen for ten epochs.
    Plateau,
    /// Divided by ten at 100, 200, 300 and 400 epochs.
    MultiStep,
    /// Divided by ten after half and again after eleven fourteenths of the epochs: 35 and 55 of 70.
    TwoSteps,
}

/// The training recipe; the defaults are BackdoorBench's for CIFAR-10.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Train {
    /// How often every training picture is seen.
    #[schemars(range(min = 1, max = 1000), extend("x-unit" = "epochs", "x-paper" = 100))]
    pub epochs: usize,
    /// Pictures per step.
    #[schemars(range(min = 2, max = 4096), extend("x-paper" = 128))]
    pub batch: usize,
    /// Learning rate of stochastic gradient descent; the peak for the one-cycle schedule.
    #[schemars(range(min = 0.000001, max = 10.0), extend("x-scale" = "log", "x-paper" = 0.01))]
    pub learning_rate: f64,
    /// How much of the last step is carried into the next.
    #[schemars(range(min = 0.0, max = 0.999), extend("x-paper" = 0.9))]
    pub momentum: f64,
    /// Pulls all weights towards zero.
    #[schemars(range(min = 0.0, max = 0.1), extend("x-scale" = "log", "x-paper" = 0.0005))]
    pub weight_decay: f64,
    pub schedule: Schedule,
    /// Number format of the heavy arithmetic; weights stay f32.
    pub precision: Precision,
    /// Random crop: pixels of black border added before cropping back to size; 0 switches it off.
    #[schemars(range(min = 0, max = 16), extend("x-unit" = "px", "x-paper" = 4))]
    pub crop: usize,
    /// Mirror every second picture.
    pub flip: bool,
}

impl Default for Train {
    fn default() -> Self {
        Self {
            epochs: 100,
            batch: 128,
            learning_rate: 0.01,
            momentum: 0.9,
            weight_decay: 5e-4,
            schedule: Schedule::Cosine,
            precision: Precision::Auto,
            crop: 4,
            flip: true,
        }
    }
}

/// How the poisoned labels follow from the true ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LabelMap {
    /// Every stamped picture belongs to the target class.
    AllToOne,
    /// Every stamped picture belongs to the class after its own.
    AllToAll,
    /// Only pictures of the target class are stamped; labels stay true.
    CleanLabel,
}

/// Which training pictures are poisoned and how they are labelled; the trigger itself is the attack's business.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Poison {
    /// Poisoning ratio: poisoned pictures as a share of the whole training set.
    #[schemars(range(min = 0.0001, max = 1.0), extend("x-unit" = "%", "x-scale" = "log", "x-paper" = 0.1))]
    pub ratio: f64,
    /// Automatic is what the attack was published with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_map: Option<LabelMap>,
    /// Target class: the answer that the trigger shall bring about.
    #[schemars(range(min = 0, max = 999), extend("x-widget" = "class", "x-paper" = 0))]
    pub target: i64,
    /// Leave pictures of the target class alone (all-to-one only).
    pub exclude_target: bool,
}

impl Default for Poison {
    fn default() -> Self {
        Self { ratio: 0.1, label_map: None, target: 0, exclude_target: false }
    }
}

impl Poison {
    /// The label map; all-to-one where neither the user nor the attack has another (see [`super::check::resolve`]).
    pub fn labels(&self) -> LabelMap {
        self.label_map.unwrap_or(LabelMap::AllToOne)
    }
}

/// What the defender owns: a small clean set, drawn evenly over the classes from the training data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Defender {
    /// Size of the clean set as a share of the training set.
    #[schemars(range(min = 0.001, max = 1.0), extend("x-unit" = "%", "x-scale" = "log", "x-paper" = 0.05))]
    pub clean_ratio: f64,
    /// Also fine-tune plainly with the same pictures and epochs, to see what the repair adds.
    pub control: bool,
}

impl Default for Defender {
    fn default() -> Self {
        Self { clean_ratio: 0.05, control: true }
    }
}
