//! `polariscope doctor`: what was found on this machine, one line each, with advice.

use super::{Output, exit};
use crate::engine::machine;
use crate::experiment::{Code, Result};
use crate::run::event::Finding;
use serde_json::json;

pub fn doctor(output: Output) -> Result<i32> {
    let findings = machine::findings(None);
    let healthy = findings.iter().all(|finding| finding.good || !finding.needed);
    output.print(&json!({ "healthy": healthy, "findings": findings }), || {
        let mark = |finding: &Finding| match (finding.good, finding.needed) {
            (true, _) => "ok",
            (false, true) => "!!",
            (false, false) => "--",
        };
        findings.iter().map(|f| format!("{}  {:<12} {}\n", mark(f), f.name, f.text)).collect()
    })?;
    Ok(if healthy { exit::DONE } else { Code::DeviceMissing.exit_code() })
}
