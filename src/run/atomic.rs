use crate::experiment::{Problem, Result};
use std::path::Path;
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(p) = path.parent() {
        std::fs::create_dir_all(p).map_err(|e| Problem::io("write", p, &e))?;
    }
    std::fs::write(path, bytes).map_err(|e| Problem::io("write", path, &e))
}
