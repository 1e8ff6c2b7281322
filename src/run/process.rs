//! Which process, on which machine: how a run's owner is recognised and found to be gone.

use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};
use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

/// A process that owns something since a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub host: String,
    pub pid: u32,
    /// Seconds since 1970.
    pub since: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Alive,
    Gone,
    /// It runs, or ran, on another machine.
    Elsewhere,
}

impl Owner {
    /// This process, from now on.
    pub fn me() -> Self {
        Self { host: host_name(), pid: std::process::id(), since: now() }
    }

    pub fn presence(&self) -> Presence {
        if self.host != host_name() {
            return Presence::Elsewhere;
        }
        match started_at(self.pid) {
            // A process that began after the ownership has merely got the same number. Clocks are read with a second's grain.
            Some(began) if began <= self.since.saturating_add(2) => Presence::Alive,
            _ => Presence::Gone,
        }
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

pub fn host_name() -> String {
    System::host_name().unwrap_or_else(|_| "unknown".to_owned())
}

/// When a process of this machine began, if it runs.
fn started_at(pid: u32) -> Option<u64> {
    let pid = Pid::from_u32(pid);
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, ProcessRefreshKind::nothing());
    // A process that has ended but was not yet buried by its parent does no work any more.
    system.process(pid).filter(|process| process.status() != ProcessStatus::Zombie).map(sysinfo::Process::start_time)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An owner on this machine that certainly does not run any more.
    pub fn gone() -> Owner {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .arg("--list")
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let owner = Owner { pid: child.id(), ..Owner::me() };
        child.wait().unwrap();
        owner
    }

    #[test]
    fn the_living_and_the_gone_are_told_apart() {
        let me = Owner::me();
        assert_eq!(me.presence(), Presence::Alive);
        assert_eq!(gone().presence(), Presence::Gone);
        assert_eq!(Owner { host: "another-machine".into(), ..me.clone() }.presence(), Presence::Elsewhere);
    }

    #[test]
    fn a_reused_number_is_not_the_same_process() {
        let long_ago = Owner { since: 1_000_000, ..Owner::me() };
        assert_eq!(long_ago.presence(), Presence::Gone);
    }
}
