//! What this machine offers to the engine.

use crate::experiment::{DeviceChoice, Result};
use crate::nets::device;

/// A name, what was found or why not, and whether nothing works without it.
pub type Fact = (&'static str, Result<String>, bool);

/// libtorch, processor and CUDA, as `doctor` and the window's About page tell them.
pub fn facts() -> Vec<Fact> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let formats = if device::processor_has_bf16() { "f32 and bf16 in hardware" } else { "f32; bf16 only emulated" };
    let sum = tch::Tensor::from_slice(&[1.0f32, 2.0]).sum(tch::Kind::Float).double_value(&[]);
    let libtorch = if sum == 3.0 {
        Ok("2.11.0, computes".to_owned())
    } else {
        Err(crate::experiment::Problem::internal("libtorch does not compute."))
    };
    let cuda = device::choose(DeviceChoice::Cuda(0)).map(|_| format!("{} device(s)", tch::Cuda::device_count()));
    vec![
        ("libtorch", libtorch, true),
        ("processor", Ok(format!("{cores} cores, {formats}")), true),
        ("cuda", cuda, false),
    ]
}
