//! What this machine offers: the one source behind `doctor` and the window's Settings.

use crate::experiment::{DeviceChoice, Problem, Result};
use crate::nets::device;
use crate::run::event::Finding;
use crate::run::folder::runs_folder;
use std::path::Path;

/// Everything that is worth knowing before something does not work. `runs` is where runs shall go, or nothing for the usual
/// folder.
pub fn findings(runs: Option<&Path>) -> Vec<Finding> {
    vec![
        found("polariscope", true, Ok(env!("CARGO_PKG_VERSION").to_owned())),
        found("libtorch", true, libtorch()),
        found("processor", true, Ok(processor())),
        found("cuda", false, cuda()),
        display(),
        graphics(),
        found("runs", true, runs_place(runs)),
    ]
}

fn found(name: &str, needed: bool, result: Result<String>) -> Finding {
    let (good, text) = match result {
        Ok(text) => (true, text),
        Err(problem) => (false, one_line(&problem)),
    };
    Finding { name: name.to_owned(), good, text, needed }
}

fn one_line(problem: &Problem) -> String {
    let mut parts = vec![problem.headline.clone()];
    parts.extend(problem.detail.iter().map(|detail| format!("({detail})")));
    parts.extend(problem.remedy.first().cloned());
    parts.join(" ")
}

fn libtorch() -> Result<String> {
    let sum = tch::Tensor::from_slice(&[1.0f32, 2.0]).sum(tch::Kind::Float).double_value(&[]);
    if sum == 3.0 { Ok("2.11.0, computes".to_owned()) } else { Err(Problem::internal("libtorch does not compute.")) }
}

fn processor() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let formats = if device::processor_has_bf16() { "f32 and bf16 in hardware" } else { "f32; bf16 only emulated" };
    format!("{cores} cores, {formats}")
}

fn cuda() -> Result<String> {
    device::choose(DeviceChoice::Cuda(0)).map(|_| format!("{} device(s)", tch::Cuda::device_count()))
}

fn display() -> Finding {
    let found = ["WAYLAND_DISPLAY", "DISPLAY"].iter().find_map(|name| {
        std::env::var(name).ok().filter(|value| !value.is_empty()).map(|value| format!("{name}={value}"))
    });
    let good = found.is_some() || !cfg!(target_os = "linux");
    let text = found.unwrap_or_else(|| {
        if good { "provided by the system".into() } else { "none: the window cannot open, commands work".into() }
    });
    Finding { name: "display".into(), good, text, needed: false }
}

fn graphics() -> Finding {
    let drivers: Vec<String> = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"]
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().trim_end_matches(".json").to_owned())
        .collect();
    let good = !drivers.is_empty() || !cfg!(target_os = "linux");
    let text = if !drivers.is_empty() {
        drivers.join(", ")
    } else if good {
        "provided by the system".into()
    } else {
        "no driver: install mesa-vulkan-drivers to open the window".into()
    };
    Finding { name: "graphics".into(), good, text, needed: false }
}

/// The folder of runs can be written, and how much room there is.
fn runs_place(runs: Option<&Path>) -> Result<String> {
    let folder = match runs {
        Some(folder) => folder.to_owned(),
        None => runs_folder()?,
    };
    std::fs::create_dir_all(&folder).map_err(|e| Problem::io("make the runs folder", &folder, &e))?;
    tempfile::tempfile_in(&folder).map_err(|e| Problem::io("write into the runs folder", &folder, &e))?;
    let free = fs4::available_space(&folder);
    let free = free.map_or_else(|_unknown| String::new(), |bytes| format!(", {} GB free", bytes / 1_000_000_000));
    Ok(format!("{}{free}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_here_and_a_bad_runs_folder_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let all = findings(Some(folder.path()));
        assert!(all.iter().all(|finding| finding.good || !finding.needed), "{all:?}");
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let runs = findings(Some(&file)).pop().unwrap();
        assert_eq!((runs.name.as_str(), runs.good, runs.needed), ("runs", false, true));
        assert!(runs.text.starts_with("Cannot make the runs folder."), "{}", runs.text);
    }
}
