//! One type for everything that goes wrong, so that the window, the command line and the run folder tell it the same way.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What kind of trouble it is; decides the exit code and which remedies the window offers as buttons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The user asked for something that cannot be done: a wrong option, an unknown name, an unsuitable file.
    BadInput,
    /// A trigger that only a run can make; the window offers to start it.
    NotMadeYet,
    /// A file is damaged or is not what its name says.
    BadFile,
    MissingFile,
    /// A folder or file that we may not write.
    ReadOnly,
    DiskFull,
    OutOfMemory,
    /// The loss stopped being a number.
    NotANumber,
    /// The device or the library that drives it is not there.
    DeviceMissing,
    /// Our own mistake.
    Internal,
}

impl Code {
    /// Exit code of the command line: 2 bad input, 4 failed, 5 device missing.
    pub fn exit_code(self) -> i32 {
        match self {
            Code::BadInput | Code::NotMadeYet | Code::BadFile | Code::MissingFile => 2,
            Code::DeviceMissing => 5,
            Code::ReadOnly | Code::DiskFull | Code::OutOfMemory | Code::NotANumber | Code::Internal => 4,
        }
    }
}

/// What went wrong (headline), why (detail), where (place) and what to do about it (remedy).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub code: Code,
    /// One sentence in the user's words.
    pub headline: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detail: Vec<String>,
    /// File, line, option or site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remedy: Vec<String>,
}

impl Problem {
    pub fn new(code: Code, headline: impl Into<String>) -> Self {
        Self { code, headline: headline.into(), detail: Vec::new(), place: None, remedy: Vec::new() }
    }

    pub fn bad_input(headline: impl Into<String>) -> Self {
        Self::new(Code::BadInput, headline)
    }

    pub fn bad_file(headline: impl Into<String>) -> Self {
        Self::new(Code::BadFile, headline)
    }

    pub fn internal(headline: impl Into<String>) -> Self {
        Self::new(Code::Internal, headline)
    }

    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        // The innermost place is the most exact one: an outer caller only fills a gap.
        self.place.get_or_insert_with(|| place.to_string());
        self
    }

    #[must_use]
    pub fn because(mut self, detail: impl fmt::Display) -> Self {
        self.detail.push(detail.to_string());
        self
    }

    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy.push(remedy.into());
        self
    }

    /// A file operation that failed, told by its cause (missing, not permitted, disk full).
    pub fn io(action: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let (code, remedy) = match error.kind() {
            ErrorKind::NotFound => (Code::MissingFile, "Check the path."),
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                (Code::ReadOnly, "Choose a folder that you may write, for example with --out.")
            }
            // Where files may not grow any more, another folder helps as well as on a full disk.
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                (Code::DiskFull, "Free some space or choose another folder with --out, then repeat with --resume.")
            }
            ErrorKind::IsADirectory | ErrorKind::NotADirectory => (Code::BadInput, "Check the path."),
            ErrorKind::UnexpectedEof | ErrorKind::InvalidData => (Code::BadFile, "The file is cut off or damaged."),
            _ => (Code::Internal, "See the detail below."),
        };
        Self::new(code, format!("Cannot {action}.")).at(path.display()).because(error).remedy(remedy)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.headline)?;
        if let Some(place) = &self.place {
            write!(f, "\n  where: {place}")?;
        }
        for line in &self.detail {
            write!(f, "\n  {}", line.replace('\n', "\n  "))?;
        }
        for line in &self.remedy {
            write!(f, "\n  try: {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

pub type Result<T> = std::result::Result<T, Problem>;

/// Why a job ended before its end: somebody asked, or something is wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Halt {
    Asked,
    Problem(Problem),
}

impl From<Problem> for Halt {
    fn from(problem: Problem) -> Self {
        Halt::Problem(problem)
    }
}

/// For work that nobody can stop: only its problems matter.
impl From<Halt> for Problem {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::Problem(problem) => problem,
            Halt::Asked => Problem::internal("The work was interrupted."),
        }
    }
}

/// What a long-running step returns.
pub type Outcome<T> = std::result::Result<T, Halt>;
