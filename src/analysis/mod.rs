//! Looking into models: one file per tool.

pub mod occlusion;
