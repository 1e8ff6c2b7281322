//! BackdoorBench's `attack_result.pt`: which pictures were poisoned, and how they are labelled.

use super::state_dict::name_of;
use super::tensors::Reader;
use crate::data::pickle::numpy::Number;
use crate::data::pickle::{Value, numpy};
use std::sync::Arc;

/// The result of an attack, beside the weights.
#[derive(Debug, Clone, PartialEq)]
pub struct BackdoorBenchResult {
    pub model_name: String,
    pub num_classes: i64,
    /// Height, width, channels.
    pub img_size: Option<(i64, i64, i64)>,
    /// Name of the clean data set.
    pub clean_data: String,
    /// Where the clean data were when the attack ran.
    pub data_path: String,
    /// `None`: this attack makes its poison while it trains.
    pub train: Option<PoisonedSet>,
    pub test: Option<PoisonedSet>,
}

/// A poisoned data set: row `j` is clean item `i = original_index[j]`, or its entry where `poison_indicator[i]`.
#[derive(Debug, Clone, PartialEq)]
pub struct PoisonedSet {
    /// The clean items that this set keeps, in its order.
    pub original_index: Vec<usize>,
    /// For every item of the full clean set.
    pub poison_indicator: Vec<bool>,
    pub entries: Vec<PoisonedEntry>,
    /// Where the pictures were saved when the attack ran.
    pub save_folder: Option<String>,
    /// Reading gives the original label where it would give the used one.
    pub labels_swapped: bool,
}

/// One poisoned picture.
#[derive(Debug, Clone, PartialEq)]
pub struct PoisonedEntry {
    /// Its item in the full clean set.
    pub index: usize,
    pub picture: PoisonedPicture,
    /// The label that training sees.
    pub used_label: i64,
    pub true_label: i64,
}

#[derive(Debug, Clone, PartialEq)]
pub enum PoisonedPicture {
    /// A path as it was when the attack ran; moved results keep its last three parts.
    File(String),
    /// `height * width * channels` bytes, row by row.
    Pixels { width: usize, height: usize, channels: usize, bytes: Arc<[u8]> },
}

/// Whether `root` is the dictionary of an attack result.
pub fn is_attack_result(root: &Value) -> bool {
    let has = |key: &str| root.get(key).is_some();
    has("model_name") && has("model") && has("clean_data") && (has("bd_train") || has("bd_test"))
}

/// Reads the bookkeeping; what cannot be read is told in `skipped`.
pub fn read(root: &Value, reader: &mut Reader, skipped: &mut Vec<String>) -> BackdoorBenchResult {
    let text = |key: &str| root.get(key).and_then(Value::text).unwrap_or_default().to_owned();
    let size = root.get("img_size").and_then(Value::items).and_then(|size| match size {
        [h, w, c] => Some((h.int()?, w.int()?, c.int()?)),
        _ => None,
    });
    let mut set = |key: &str| match root.get(key) {
        None | Some(Value::None) => None,
        Some(state) => match poisoned_set(state, reader) {
            Ok((set, unread)) => {
                if unread > 0 {
                    skipped.push(format!(
                        "{key}: {unread} entries of {} have an unknown form",
                        set.entries.len() + unread
                    ));
                }
                Some(set)
            }
            Err(why) => {
                skipped.push(format!("{key}: {why}"));
                None
            }
        },
    };
    let (train, test) = (set("bd_train"), set("bd_test"));
    BackdoorBenchResult {
        model_name: text("model_name"),
        num_classes: root.get("num_classes").and_then(|n| reader.number(n)?.int()).unwrap_or_default(),
        img_size: size,
        clean_data: text("clean_data"),
        data_path: text("data_path"),
        train,
        test,
    }
}

/// The set, and how many of its entries could not be read.
fn poisoned_set(state: &Value, reader: &mut Reader) -> Result<(PoisonedSet, usize), String> {
    if let Some(object) = state.opaque() {
        return Err(format!(
            "an object of {}; results of BackdoorBench from 2022 are not supported",
            object.class_name()
        ));
    }
    let numbers = |key: &str| -> Result<Vec<f64>, String> {
        let value = state.get(key).ok_or_else(|| format!("{key} is missing"))?;
        match numpy::array(value) {
            Ok(Some(array)) => Ok(array.floats()),
            Ok(None) => value
                .items()
                .and_then(|items| items.iter().map(Value::float).collect())
                .ok_or_else(|| format!("{key} is {}, not a list of numbers", value.describe())),
            Err(problem) => Err(format!("{key}: {}", problem.headline)),
        }
    };
    let poison_indicator: Vec<bool> = numbers("poison_indicator")?.into_iter().map(|mark| mark != 0.0).collect();
    let original_index = numbers("original_index_array")?
        .into_iter()
        .map(|index| Number::Float(index).int().and_then(|index| usize::try_from(index).ok()))
        .map(|index| index.filter(|&index| index < poison_indicator.len()))
        .collect::<Option<Vec<usize>>>()
        .ok_or("original_index_array points outside of the clean set")?;

    let container = state.get("bd_data_container").and_then(|container| container.get("data_dict"));
    let pairs = match container {
        Some(dict) => dict.pairs().ok_or_else(|| format!("data_dict is {}", dict.describe()))?,
        None => return Err("bd_data_container is missing".to_owned()),
    };
    let entries: Vec<PoisonedEntry> =
        pairs.iter().filter_map(|(key, value)| entry(key, value, poison_indicator.len(), reader)).collect();
    let unread = pairs.len() - entries.len();
    let save_folder = state.get("save_folder_path").and_then(Value::text).map(str::to_owned);
    let labels_swapped = matches!(state.get("getitem_all_switch"), Some(Value::Bool(true)));
    Ok((PoisonedSet { original_index, poison_indicator, entries, save_folder, labels_swapped }, unread))
}

/// `key`: the item, as Python's or numpy's number. `value`: `{"path": .., "other_info": [used, true]}` or
/// `(picture, used, true)`.
fn entry(key: &Value, value: &Value, items: usize, reader: &mut Reader) -> Option<PoisonedEntry> {
    let index = name_of(key).parse::<usize>().ok().filter(|&index| index < items)?;
    let (picture, used, original) = match (value.pairs(), value.items()) {
        (Some(pairs), _) if pairs.len() <= 8 => {
            let [used, original, ..] = value.get("other_info")?.items()? else { return None };
            let path = value.get("path")?.text()?;
            reader.charge(path.len()).ok()?;
            (PoisonedPicture::File(path.to_owned()), used, original)
        }
        (_, Some([picture, used, original, ..])) => {
            let picture = pixels(picture)?;
            if let PoisonedPicture::Pixels { bytes, .. } = &picture {
                reader.charge(bytes.len()).ok()?;
            }
            (picture, used, original)
        }
        _ => return None,
    };
    let mut label = |value: &Value| reader.number(value)?.int();
    Some(PoisonedEntry { index, picture, used_label: label(used)?, true_label: label(original)? })
}

/// A pickled `PIL.Image`, whose state is `[info, mode, (width, height), palette, data]`, or a numpy array.
fn pixels(value: &Value) -> Option<PoisonedPicture> {
    if let Ok(Some(array)) = numpy::array(value) {
        let (height, width, channels) = match array.shape.as_slice() {
            [height, width] => (*height, *width, 1),
            [height, width, channels @ (1 | 3)] => (*height, *width, *channels),
            _ => return None,
        };
        return (array.dtype == numpy::Dtype::U8).then(|| PoisonedPicture::Pixels {
            width,
            height,
            channels,
            bytes: array.bytes.clone(),
        });
    }
    let object = value.opaque()?;
    if !object.class_name().starts_with("PIL.") {
        return None;
    }
    let [_info, mode, size, _palette, data, ..] = object.state.as_ref()?.items()? else { return None };
    let channels = match mode.text()? {
        "RGB" => 3,
        "L" => 1,
        _ => return None,
    };
    let [width, height] = size.items()? else { return None };
    let (width, height) = (usize::try_from(width.int()?).ok()?, usize::try_from(height.int()?).ok()?);
    let Value::Bytes(bytes) = data else { return None };
    let fits = width.checked_mul(height).and_then(|n| n.checked_mul(channels)) == Some(bytes.len());
    fits.then(|| PoisonedPicture::Pixels { width, height, channels, bytes: bytes.clone() })
}
