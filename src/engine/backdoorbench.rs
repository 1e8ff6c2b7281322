//! The poisoned set of a run as BackdoorBench's `attack_result.pt`: its scripts load the folder of an export as if they had
//! made it.

use crate::data::Card;
use crate::data::manifest::Part;
use crate::data::pickle::Value;
use crate::data::pickle::numpy;
use crate::data::pickle::write::{dict, text, tuple};
use crate::experiment::Result;
use crate::nets::Params;
use crate::nets::formats::TorchFile;
use std::path::Path;

/// The name of the file, which its scripts look for.
pub const FILE: &str = "attack_result.pt";

/// What the file tells.
pub struct AttackResult<'a> {
    /// Id of the network.
    pub network: &'a str,
    /// The attacked model.
    pub weights: Params,
    pub card: &'a Card,
    /// Absent for attacks that make their poison while they train.
    pub train: Option<&'a Part>,
    pub test: &'a Part,
}

impl AttackResult<'_> {
    /// Writes the file to `path`; it names pictures as they will lie in the folder `set`.
    pub fn write(&self, path: &Path, set: &Path) -> Result<()> {
        let mut file = TorchFile::default();
        let model = file.state_dict(&self.weights)?;
        let card = self.card;
        let size = [card.height, card.width, card.channels];
        // Its clean data are found by this name, below a folder `data`: `cifar10`.
        let name = card.name.split('(').next().unwrap_or_default();
        let name: String = name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        let root = dict([
            ("model_name", text(self.network.replace('-', ""))),
            ("num_classes", Value::Int(card.classes.len() as i64)),
            ("model", model),
            ("data_path", text(format!("./data/{name}"))),
            ("img_size", tuple(size.map(|length| Value::Int(length as i64)))),
            ("clean_data", text(name)),
            ("bd_train", self.train.map_or(Value::None, |part| poisoned_set(part, "bd_train_dataset", set, true))),
            ("bd_test", poisoned_set(self.test, "bd_test_dataset", set, false)),
        ]);
        file.write(path, &root)
    }
}

/// The training set keeps all pictures in order, the test set only those that carry the trigger.
fn poisoned_set(part: &Part, folder: &str, set: &Path, keeps_all: bool) -> Value {
    let rows: Vec<i64> =
        if keeps_all { (0..part.labels.len() as i64).collect() } else { part.stamped.keys().copied().collect() };
    let indicator: Vec<f64> =
        (0..part.labels.len() as i64).map(|row| f64::from(u8::from(part.stamped.contains_key(&row)))).collect();
    let entries = part.stamped.iter().map(|(&row, (file, used))| {
        let labels = [*used, part.labels[row as usize]].map(Value::Int);
        let path = text(set.join(file).to_string_lossy());
        (Value::Int(row), dict([("path", path), ("other_info", Value::List(labels.into()))]))
    });
    let folder = || text(set.join(folder).to_string_lossy());
    dict([
        (
            "bd_data_container",
            dict([
                ("save_folder_path", folder()),
                ("data_dict", Value::Dict(entries.collect())),
                ("save_file_format", text(".png")),
            ]),
        ),
        ("getitem_all", Value::Bool(true)),
        ("getitem_all_switch", Value::Bool(false)),
        ("original_index_array", numpy::of_i64(&rows)),
        ("poison_indicator", numpy::of_f64(&indicator)),
        ("save_folder_path", folder()),
    ])
}
