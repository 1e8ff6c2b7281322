//! The real program in a real window, closed in mid-training as a window manager does it: twenty times in a row.
//!
//! The window stands on a virtual display of its own. Where there is no `Xvfb` this is left out; the engine's twenty
//! shut-downs (`engine.rs`) and the window's manners (`gui.rs`) need no display.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail loudly")]

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{AtomEnum, ClientMessageEvent, ConnectionExt, EventMask, Window};
use x11rb::rust_connection::RustConnection;

const CLOSINGS: usize = 20;
/// What is promised; a machine that is busy with other things may now and then take longer.
const TIME_TO_CLOSE: Duration = Duration::from_secs(5);
/// A window that is still there after this long hangs.
const HANGS: Duration = Duration::from_secs(20);

/// A window, or a training, that is not there after this long does not come.
const COMES: Duration = Duration::from_secs(120);

/// A training that takes minutes unless somebody stops it.
fn spec(seed: usize) -> String {
    format!(
        "seed = {seed}\n[data]\nsource = \"fashion-mini\"\ntrain_rows = 2000\ntest_rows = 500\n[network]\nid = \"small-resnet\"\n\
         [train]\nepochs = 1000\nbatch = 128\nlearning_rate = 0.05\n[attack]\nid = \"badnets\"\n\
         [[defense]]\nid = \"npd\"\n"
    )
}

/// A process that does not outlive the test.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A virtual display and its name, if there is an X server for it.
fn virtual_display() -> Option<(Owned, String)> {
    let arguments = ["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"];
    let spawned = Command::new("Xvfb").args(arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut server = match spawned {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        spawned => Owned(spawned.unwrap()),
    };
    let mut number = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut number).unwrap();
    Some((server, format!(":{}", number.trim())))
}

/// Waits for something; the program's `log` is told where it does not come.
fn wait_for<T>(what: &str, log: &Path, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        let said = || fs::read_to_string(log).unwrap();
        assert!(begin.elapsed() < COMES, "waited {COMES:?} for {what}\n{}", said());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The top-level windows that carry a title, as ours does.
fn titled(display: &RustConnection, root: Window) -> Vec<Window> {
    let atom = |name: &[u8]| display.intern_atom(false, name).unwrap().reply().unwrap().atom;
    let name = atom(b"WM_NAME");
    let has_title = |window: &Window| {
        let reply = display.get_property(false, *window, name, AtomEnum::ANY, 0, 64).unwrap().reply();
        reply.is_ok_and(|title| title.value == b"Polariscope")
    };
    display.query_tree(root).unwrap().reply().unwrap().children.into_iter().filter(has_title).collect()
}

/// What a window manager sends when somebody clicks on the cross.
fn ask_to_close(display: &RustConnection, window: Window) {
    let atom = |name: &[u8]| display.intern_atom(false, name).unwrap().reply().unwrap().atom;
    let message = ClientMessageEvent::new(32, window, atom(b"WM_PROTOCOLS"), [atom(b"WM_DELETE_WINDOW"), 0, 0, 0, 0]);
    display.send_event(false, window, EventMask::NO_EVENT, message).unwrap();
    display.flush().unwrap();
}

/// Steps of the training that the run has written down so far.
fn has_begun(runs: &Path) -> Option<()> {
    let folder = fs::read_dir(runs).ok()?.filter_map(Result::ok).find(|entry| entry.path().is_dir())?;
    let journal = fs::read_to_string(folder.path().join("metrics.jsonl")).ok()?;
    (!journal.is_empty()).then_some(())
}

fn close_in_mid_training(display: &RustConnection, root: Window, display_name: &str, round: usize) -> Duration {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("spec.toml");
    fs::write(&file, spec(round)).unwrap();
    let runs = place.path().join("runs");
    let log = place.path().join("log.txt");
    let program = Command::new(env!("CARGO_BIN_EXE_polariscope"))
        .arg(&file)
        .arg("--train")
        .env("DISPLAY", display_name)
        .env_remove("WAYLAND_DISPLAY")
        .env("POLARISCOPE_CONFIG", place.path().join("config"))
        .env("POLARISCOPE_CACHE", place.path().join("cache"))
        .env("POLARISCOPE_RUNS", &runs)
        .env("POLARISCOPE_LOG", "polariscope=info")
        .stderr(fs::File::create(&log).unwrap())
        .spawn();
    let mut program = Owned(program.unwrap());
    let window = wait_for("the window", &log, || titled(display, root).pop());
    wait_for("the training", &log, || has_begun(&runs));
    // Not always at the same moment of an epoch.
    std::thread::sleep(Duration::from_millis(37 * round as u64));
    ask_to_close(display, window);
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = program.0.try_wait().unwrap() {
            break status;
        }
        let said = || fs::read_to_string(&log).unwrap();
        assert!(begin.elapsed() < HANGS, "closing {round}: still there after {HANGS:?}\n{}", said());
        std::thread::sleep(Duration::from_millis(20));
    };
    let took = begin.elapsed();
    println!("closing {round}: {status} after {took:?}");
    assert_eq!(status.code(), Some(0), "closing {round}\n{}", fs::read_to_string(&log).unwrap());
    took
}

#[test]
fn twenty_closings_in_mid_training_end_with_code_zero() {
    let Some((_server, name)) = virtual_display() else {
        return eprintln!("left out: there is no Xvfb on this machine");
    };
    let (display, screen) = x11rb::connect(Some(&name)).unwrap();
    let root = display.setup().roots[screen].root;
    let mut took: Vec<Duration> =
        (1..=CLOSINGS).map(|round| close_in_mid_training(&display, root, &name, round)).collect();
    took.sort();
    assert!(took[CLOSINGS / 2] <= TIME_TO_CLOSE, "half of the closings took longer than promised: {took:?}");
}
