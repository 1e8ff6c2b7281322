//! The experiment that an audit is: a finished model, pictures, and every check there is.

use super::method::{Kind, Method, Property};
use super::spec::{self, DataChoice, Defender, DeviceChoice, Experiment, Pick, Poison, Train};
use serde_json::{Map, Value};
use std::path::Path;

/// Id of the network that is a file.
pub const FINISHED_MODEL: &str = "checkpoint";
const FILE: &str = "file";

/// Id of the check that tries the patch of an earlier audit, and its option for that audit's folder.
pub const KNOWN_PATCH: &str = "known-patch";
const EARLIER: &str = "audit";

/// An audit of the model in `file` with the pictures of `data`: nothing is trained and nothing attacked. Every check is
/// asked for that needs nothing else.
pub fn audit(file: &str, data: &str, methods: &[&'static Method]) -> Experiment {
    let pick = |id: &str| Pick { id: id.to_owned(), options: Map::new() };
    let checks = methods.iter().filter(|method| method.kind == Kind::Check && !method.has(Property::NeedsEarlier));
    let mut experiment = Experiment {
        schema: spec::SCHEMA,
        name: String::new(),
        seed: 1,
        device: DeviceChoice::Auto,
        threads: 0,
        data: DataChoice { source: data.to_owned(), train_rows: 0, test_rows: 0, side: 0 },
        network: pick(FINISHED_MODEL),
        train: Train::default(),
        attack: None,
        poison: Poison::default(),
        selection: None,
        defense: Vec::new(),
        check: checks.map(|method| pick(method.id)).collect(),
        defender: Defender::default(),
    };
    set_model(&mut experiment, file);
    experiment
}

/// The file of the model that is audited.
pub fn model_of(experiment: &Experiment) -> Option<&str> {
    let file = experiment.network.options.get(FILE).and_then(Value::as_str);
    file.filter(|_| experiment.network.id == FINISHED_MODEL)
}

/// The same audit of another model; the name follows.
pub fn set_model(experiment: &mut Experiment, file: &str) {
    experiment.network.options.insert(FILE.to_owned(), Value::from(file));
    experiment.name = format!("Audit of {}", file_name(file));
}

/// The folder of the earlier audit whose patch is tried again.
pub fn earlier_of(experiment: &Experiment) -> Option<&Path> {
    let pick = experiment.check.iter().find(|pick| pick.id == KNOWN_PATCH)?;
    let folder = pick.options.get(EARLIER).and_then(Value::as_str)?;
    (!folder.is_empty()).then(|| Path::new(folder))
}

/// Lets the patch of this earlier audit be tried, too: right after the accuracy, because it is quick.
pub fn try_patch_of(experiment: &mut Experiment, earlier: &Path) {
    experiment.check.retain(|pick| pick.id != KNOWN_PATCH);
    let options = [(EARLIER.to_owned(), Value::from(earlier.to_string_lossy()))].into_iter().collect();
    let at = experiment.check.len().min(1);
    experiment.check.insert(at, Pick { id: KNOWN_PATCH.to_owned(), options });
}

/// The last part of a path, or the whole of what is none.
pub fn file_name(file: &str) -> String {
    Path::new(file).file_name().map_or_else(|| file.to_owned(), |name| name.to_string_lossy().into_owned())
}
