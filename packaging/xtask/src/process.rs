//! Running other programs, and what is said meanwhile. All talk goes to stderr: stdout belongs to the program that runs.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

/// The error is one sentence that says what is wrong and what to do.
pub type Result<T> = std::result::Result<T, String>;

pub fn say(line: &str) {
    eprintln!("xtask: {line}");
}

pub fn heading(name: &str) {
    eprintln!("\n=== {name} ===");
}

/// `75 s` as `1 min 15 s`.
pub fn clock(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// Cargo with the repository's own libtorch: as if typed by somebody who has no libtorch variables set, so that
/// builds by hand and builds from here share their results.
pub fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder);
    if !cfg!(windows) {
        for name in ["LIBTORCH", "LIBTORCH_CXX11_ABI", "LIBTORCH_INCLUDE", "LIBTORCH_LIB", "LIBTORCH_USE_PYTORCH"] {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command to its end with its output on the terminal.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|error| format!("Cannot start `{}`: {error}.", line(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status}).", line(command))) }
}

/// The same for a command whose output is only talk.
pub fn run_talk(command: &mut Command) -> Result<()> {
    run(command.stdin(Stdio::null()).stdout(io::stderr()))
}

/// What a command prints, or what it complains about.
pub fn answer(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{}: {error}", line(command)))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(if complaint.is_empty() { format!("{} ({})", line(command), output.status) } else { complaint })
}

/// Replaces this process where the system can do that; elsewhere runs the program and passes its exit code on.
#[cfg(unix)]
pub fn become_program(command: &mut Command) -> Result<ExitCode> {
    let error = std::os::unix::process::CommandExt::exec(command);
    Err(format!("Cannot start `{}`: {error}.", line(command)))
}

#[cfg(not(unix))]
pub fn become_program(command: &mut Command) -> Result<ExitCode> {
    let status = command.status().map_err(|error| format!("Cannot start `{}`: {error}.", line(command)))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The file that the shell would start for this name.
pub fn find_program(name: impl AsRef<OsStr>) -> Option<PathBuf> {
    let name = Path::new(name.as_ref());
    if name.components().count() > 1 {
        return name.is_file().then(|| name.to_owned());
    }
    let file = name.with_extension(env::consts::EXE_EXTENSION);
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(&file)).find(|path| path.is_file())
}

fn line(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem().unwrap_or_default();
    // The text of an embedded script would drown the message.
    let args = command.get_args().filter(|arg| !arg.to_string_lossy().contains('\n'));
    std::iter::once(program).chain(args).map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
