//! Where a run stands: `status.json`.

use super::process::{Owner, Presence};
use crate::experiment::Problem;
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    Queued,
    Running,
    Paused,
    Done,
    /// Ended early on request, with what was reached.
    Stopped,
    Failed,
    /// It says that it runs, but its process is gone.
    Interrupted,
}

impl State {
    pub const ALL: [State; 7] =
        [State::Queued, State::Running, State::Paused, State::Done, State::Stopped, State::Failed, State::Interrupted];

    pub fn id(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::Running => "running",
            State::Paused => "paused",
            State::Done => "done",
            State::Stopped => "stopped",
            State::Failed => "failed",
            State::Interrupted => "interrupted",
        }
    }

    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.id() == id)
    }

    /// A process works, or should work, on it.
    pub fn is_active(self) -> bool {
        matches!(self, State::Queued | State::Running | State::Paused)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

/// Contents of `status.json`, written by the process that runs the experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub state: State,
    /// Id of the phase: `attack`, `npd`; empty before the first.
    #[serde(default)]
    pub phase: String,
    pub pid: u32,
    pub host: String,
    /// When this process took the run up, in seconds since 1970.
    pub started: u64,
    /// When it ended, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    pub program_version: String,
}

impl Status {
    /// This process takes the run up now.
    pub fn now(state: State) -> Self {
        let Owner { host, pid, since } = Owner::me();
        Self {
            state,
            phase: String::new(),
            pid,
            host,
            started: since,
            ended: None,
            problem: None,
            program_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// The same run after its end.
    #[must_use]
    pub fn ended(mut self, state: State, problem: Option<Problem>) -> Self {
        self.state = state;
        self.ended = Some(super::process::now());
        self.problem = problem;
        self
    }

    pub fn owner(&self) -> Owner {
        Owner { host: self.host.clone(), pid: self.pid, since: self.started }
    }

    /// The state as it is and not as it was written: a killed process cannot write that it was killed.
    pub fn true_state(&self) -> State {
        if self.state.is_active() && self.owner().presence() == Presence::Gone {
            State::Interrupted
        } else {
            self.state
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::process::tests::gone;

    #[test]
    fn states_have_stable_names() {
        for state in State::ALL {
            assert_eq!(State::from_id(state.id()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.id());
        }
        assert_eq!(State::from_id("unheard"), None);
        assert_eq!(format!("{:<8}|", State::Done), "done    |");
    }

    #[test]
    fn a_run_whose_process_is_gone_is_interrupted() {
        let mut status = Status::now(State::Running);
        assert_eq!(status.true_state(), State::Running);
        status.pid = gone().pid;
        assert_eq!(status.true_state(), State::Interrupted);
        assert_eq!(status.clone().ended(State::Done, None).true_state(), State::Done);
        status.host = "another-machine".into();
        assert_eq!(status.true_state(), State::Running, "what cannot be known is reported as written");
    }

    #[test]
    fn status_survives_a_round_trip() {
        let status = Status::now(State::Running).ended(State::Failed, Some(Problem::bad_input("No.").at("here")));
        let text = serde_json::to_string(&status).unwrap();
        assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status);
    }
}
