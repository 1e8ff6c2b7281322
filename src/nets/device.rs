//! Which device computes, and in which number format.

use crate::experiment::{Code, DeviceChoice, Precision, Problem, Result};
use std::path::PathBuf;
use tch::{Cuda, Device, Kind};

/// Finds the device that was asked for; `auto` takes CUDA when it works.
pub fn choose(choice: DeviceChoice) -> Result<Device> {
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Auto => Ok(if cuda().is_ok() { Device::Cuda(0) } else { Device::Cpu }),
        DeviceChoice::Cuda(index) => {
            cuda()?;
            if index >= Cuda::device_count() as usize {
                return Err(Problem::new(Code::DeviceMissing, format!("There is no CUDA device {index}."))
                    .because(format!("{} found", Cuda::device_count()))
                    .remedy("Choose a smaller number, or device cpu."));
            }
            Ok(Device::Cuda(index))
        }
    }
}

/// Loads libtorch's CUDA part, which is not linked, and says why it cannot be used.
fn cuda() -> Result<()> {
    static LOADED: std::sync::OnceLock<Result<()>> = std::sync::OnceLock::new();
    LOADED.get_or_init(load_cuda).clone()
}

fn load_cuda() -> Result<()> {
    let missing = |detail: String| {
        Err(Problem::new(Code::DeviceMissing, "CUDA cannot be used on this machine.")
            .because(detail)
            .remedy("Use device cpu, or set CUDA up with `cargo xtask setup --cuda` and an NVIDIA driver."))
    };
    if let Err(reason) = load("libcuda.so.1".into()) {
        return missing(format!("no NVIDIA driver: {reason}"));
    }
    let mut reasons = Vec::new();
    for path in cuda_libraries() {
        match load(path.clone()) {
            Ok(()) if Cuda::is_available() => return Ok(()),
            Ok(()) => reasons.push("the driver shows no usable device".to_owned()),
            Err(reason) => reasons.push(format!("{}: {reason}", path.display())),
        }
    }
    missing(reasons.join("; "))
}

/// Places of `libtorch_cuda`: on the library path, beside the libtorch that runs now, and where `setup --cuda` puts it.
fn cuda_libraries() -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from("libtorch_cuda.so")];
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let cpu =
        maps.lines().filter_map(|line| line.split_whitespace().nth(5)).find(|path| path.contains("libtorch_cpu.so"));
    if let Some(folder) = cpu.map(PathBuf::from).as_deref().and_then(std::path::Path::parent) {
        paths.push(folder.join("libtorch_cuda.so"));
        paths.push(folder.join("../cuda/libtorch_cuda.so"));
        paths.push(folder.join("../cuda/lib/libtorch_cuda.so"));
    }
    paths
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "loading a library runs its initialisers")]
fn load(path: PathBuf) -> std::result::Result<(), String> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: libtorch and the driver are made to be loaded this way; they are never unloaded again.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }.map_err(|e| e.to_string())?;
    let _stays_loaded = std::mem::ManuallyDrop::new(library);
    Ok(())
}

#[cfg(not(unix))]
fn load(_: PathBuf) -> std::result::Result<(), String> {
    Err("CUDA is loaded at run time on Linux only".into())
}

/// The kind of the heavy arithmetic. `auto` is bf16 where the device computes it in hardware.
pub fn kind(precision: Precision, device: Device) -> Kind {
    match precision {
        Precision::F32 => Kind::Float,
        Precision::Bf16 => Kind::BFloat16,
        Precision::Auto if device.is_cuda() || processor_has_bf16() => Kind::BFloat16,
        Precision::Auto => Kind::Float,
    }
}

/// AMX-BF16 or AVX512-BF16, told by the processor itself.
#[cfg(target_arch = "x86_64")]
pub fn processor_has_bf16() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    if __cpuid(0).eax < 7 {
        return false;
    }
    let amx = __cpuid_count(7, 0).edx & (1 << 22) != 0;
    let avx512 = __cpuid_count(7, 1).eax & (1 << 5) != 0;
    amx || avx512
}

#[cfg(not(target_arch = "x86_64"))]
pub fn processor_has_bf16() -> bool {
    false
}

/// `cpu`, `cuda:0`.
pub fn name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".into(),
    }
}

pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::BFloat16 => "bf16",
        Kind::Half => "f16",
        Kind::Double => "f64",
        _ => "f32",
    }
}
