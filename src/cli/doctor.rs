//! `polariscope doctor`: what was found on this machine, one line each, with advice.

use super::{Output, exit};
use crate::engine::machine;
use crate::experiment::{Code, Problem, Result};
use crate::run::folder::runs_folder;
use serde_json::json;
use std::path::Path;

struct Finding {
    name: &'static str,
    good: bool,
    text: String,
    /// Nothing works without it.
    needed: bool,
}

pub fn doctor(output: Output) -> Result<i32> {
    let mut findings =
        vec![Finding { name: "polariscope", good: true, text: env!("CARGO_PKG_VERSION").into(), needed: true }];
    for (name, result, needed) in machine::facts() {
        let (good, text) = match result {
            Ok(text) => (true, text),
            Err(problem) => (false, one_line(&problem)),
        };
        findings.push(Finding { name, good, text, needed });
    }
    findings.push(display());
    findings.push(vulkan());
    findings.push(runs());
    let healthy = findings.iter().all(|finding| finding.good || !finding.needed);
    let value = json!({
        "healthy": healthy,
        "findings": findings.iter().map(|f| json!({ "name": f.name, "good": f.good, "text": f.text })).collect::<Vec<_>>(),
    });
    output.print(&value, || {
        let mark = |finding: &Finding| match (finding.good, finding.needed) {
            (true, _) => "ok",
            (false, true) => "!!",
            (false, false) => "--",
        };
        findings.iter().map(|f| format!("{}  {:<12} {}\n", mark(f), f.name, f.text)).collect()
    })?;
    Ok(if healthy { exit::DONE } else { Code::DeviceMissing.exit_code() })
}

fn one_line(problem: &Problem) -> String {
    let mut parts = vec![problem.headline.clone()];
    parts.extend(problem.detail.iter().map(|detail| format!("({detail})")));
    parts.extend(problem.remedy.first().cloned());
    parts.join(" ")
}

fn display() -> Finding {
    let found = ["WAYLAND_DISPLAY", "DISPLAY"].iter().find_map(|name| {
        std::env::var(name).ok().filter(|value| !value.is_empty()).map(|value| format!("{name}={value}"))
    });
    let good = found.is_some() || !cfg!(target_os = "linux");
    let text = found.unwrap_or_else(|| {
        if good { "provided by the system".into() } else { "none: the window cannot open, commands work".into() }
    });
    Finding { name: "display", good, text, needed: false }
}

fn vulkan() -> Finding {
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
    Finding { name: "graphics", good, text, needed: false }
}

fn runs() -> Finding {
    let checked = runs_folder().and_then(|folder| {
        std::fs::create_dir_all(&folder).map_err(|e| Problem::io("make the runs folder", &folder, &e))?;
        let writable =
            tempfile::tempfile_in(&folder).map_err(|e| Problem::io("write into the runs folder", &folder, &e));
        writable.map(|_| folder)
    });
    let (good, text) = match checked {
        Ok(folder) => (true, format!("{}{}", folder.display(), free_space(&folder))),
        Err(problem) => (false, one_line(&problem)),
    };
    Finding { name: "runs", good, text, needed: true }
}

fn free_space(folder: &Path) -> String {
    fs4::available_space(folder).map_or(String::new(), |bytes| format!(", {} GB free", bytes / 1_000_000_000))
}
