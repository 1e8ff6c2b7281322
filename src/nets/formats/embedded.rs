//! The models inside the program: a healthy small network, a backdoored one and its polarized twin, trained by this
//! program from `assets/demo`.

use std::path::Path;

/// What users write in the place of a file.
pub const DEMO_HEALTHY: &str = "demo-healthy";
pub const DEMO_BACKDOORED: &str = "demo-backdoored";
pub const DEMO_REPAIRED: &str = "demo-repaired";

/// Whether a model of this name is inside the program.
pub fn knows(name: &Path) -> bool {
    model(name).is_some()
}

/// The file of an embedded model; a file of that name goes first.
pub(super) fn model(name: &Path) -> Option<&'static [u8]> {
    let bytes: &[u8] = match name.to_str()? {
        DEMO_HEALTHY => include_bytes!("../../../assets/demo/healthy.safetensors"),
        DEMO_BACKDOORED => include_bytes!("../../../assets/demo/attacked.safetensors"),
        DEMO_REPAIRED => include_bytes!("../../../assets/demo/npd.safetensors"),
        _ => return None,
    };
    (!name.exists()).then_some(bytes)
}
