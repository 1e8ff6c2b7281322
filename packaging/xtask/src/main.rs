//! `cargo xtask`: set up, run and test Polariscope on a machine that has only Rust, a C++ compiler and Python with pip.
//!
//! Standard library only, so that the first command a newcomer types starts within seconds.

mod libtorch;
mod pip;
mod process;
mod system;

use process::{Result, cargo, heading, run, say};
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

const HELP: &str = "\
Usage: cargo xtask COMMAND

  setup [--cuda]     put libtorch into .libtorch and check what the system must have;
                     --cuda adds the libraries for NVIDIA graphics cards (2 GB to fetch, 3 on disk)
  run [ARGS]         set up, build and start Polariscope with ARGS: the window,
                     or the demonstration where there is no display
  test               set up and run what CI runs: rustfmt, clippy, all tests
  bench [FILTER]     run the benchmarks
  screenshots [ARGS] draw the window off-screen into pictures
";

/// What `run` does where there is no display.
const DEMO: [&str; 5] = ["run", "assets/presets/quick-badnets-npd.toml", "--resume", "--out", "runs/demo"];

fn main() -> ExitCode {
    let mut args: Vec<String> = env::args().skip(1).collect();
    let command = if args.is_empty() { String::new() } else { args.remove(0) };
    if args.first().is_some_and(|first| first == "--") {
        args.remove(0);
    }
    let root = root();
    let outcome = match command.as_str() {
        "setup" => setup(&root, &args),
        "run" => start(&root, args),
        "test" => test(&root),
        "bench" => bench(&root, &args),
        "screenshots" => screenshots(&root, &args),
        "" | "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => {
            eprint!("There is no command `{other}`.\n\n{HELP}");
            Ok(ExitCode::from(2))
        }
    };
    outcome.unwrap_or_else(|problem| {
        eprintln!("error: {problem}");
        ExitCode::FAILURE
    })
}

/// The repository's root folder.
fn root() -> PathBuf {
    let package = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    package.ancestors().nth(2).map_or(package.clone(), Path::to_path_buf)
}

fn setup(root: &Path, args: &[String]) -> Result<ExitCode> {
    let cuda = match args {
        [] => false,
        [only] if only == "--cuda" => true,
        _ => return Err(format!("`setup` knows only the option --cuda, not `{}`.", args.join(" "))),
    };
    prepare(root, cuda)?;
    say("ready: cargo build, cargo test and cargo xtask run work now");
    Ok(ExitCode::SUCCESS)
}

fn prepare(root: &Path, cuda: bool) -> Result<()> {
    system::ensure(&system::build_needs())?;
    libtorch::ensure(root, cuda)?;
    system::ensure(&system::window_needs())
}

/// Builds the program and becomes it, so that its exit code, its output and Ctrl-C are its own.
fn start(root: &Path, mut args: Vec<String>) -> Result<ExitCode> {
    prepare(root, false)?;
    run(cargo(root).args(["build", "--release"]))?;
    // Not `current_dir`: paths in the arguments are relative to where the user stands.
    let mut program = cargo(Path::new("."));
    program.args(["run", "--release", "--quiet", "--bin", "polariscope", "--manifest-path"]);
    program.arg(root.join("Cargo.toml")).arg("--");
    if args.is_empty() && !system::has_display() {
        say(
            "there is no display for the window, so the demonstration runs here: BadNets is planted and NPD removes it",
        );
        say("tables, curves and pictures of the trigger: runs/demo");
        program.current_dir(root);
        args = DEMO.map(String::from).to_vec();
    }
    process::become_program(program.args(args))
}

fn test(root: &Path) -> Result<ExitCode> {
    let started = Instant::now();
    prepare(root, false)?;
    system::ensure(&system::test_needs())?;
    let mut tests = cargo(root);
    tests.args(["test", "--workspace"]);
    system::draw_in_software(&mut tests);
    let mut lints = cargo(root);
    lints.args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    step("rustfmt", cargo(root).args(["fmt", "--all", "--check"]))?;
    step("clippy", &mut lints)?;
    step("tests", &mut tests)?;
    heading(&format!("all passed in {}", process::clock(started.elapsed())));
    Ok(ExitCode::SUCCESS)
}

fn step(name: &str, command: &mut Command) -> Result<()> {
    heading(name);
    let started = Instant::now();
    run(command)?;
    say(&format!("{name}: passed in {}", process::clock(started.elapsed())));
    Ok(())
}

fn bench(root: &Path, args: &[String]) -> Result<ExitCode> {
    prepare(root, false)?;
    run(cargo(root).args(["bench", "--bench", "*", "--"]).args(args))?;
    Ok(ExitCode::SUCCESS)
}

fn screenshots(root: &Path, args: &[String]) -> Result<ExitCode> {
    prepare(root, false)?;
    let mut program = cargo(root);
    program.args(["run", "--quiet", "--example", "screenshots", "--"]).args(args);
    system::draw_in_software(&mut program);
    run(&mut program)?;
    Ok(ExitCode::SUCCESS)
}
