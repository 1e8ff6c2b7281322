//! What the machine itself must have: a compiler, pip, and for the window a Vulkan driver and a few libraries.

use crate::process::{Result, answer, find_program, run_talk, say};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Something that the system must offer, and the Debian packages that bring it.
pub struct Need {
    what: &'static str,
    packages: &'static [&'static str],
    /// Without it nothing works; else set-up says so and goes on.
    required: bool,
    present: fn() -> bool,
}

pub fn build_needs() -> Vec<Need> {
    vec![Need { what: "a C++ compiler", packages: &["g++"], required: true, present: has_compiler }]
}

/// Needed only while libtorch is fetched.
pub fn download_needs() -> Vec<Need> {
    let packages = &["python3", "python3-pip"];
    vec![Need { what: "python3 with pip", packages, required: true, present: || crate::pip::find().is_some() }]
}

/// Drawing, on Linux; other systems bring it along.
pub fn window_needs() -> Vec<Need> {
    if !cfg!(target_os = "linux") {
        return Vec::new();
    }
    let vulkan = &["libvulkan1", "mesa-vulkan-drivers"];
    let window = &["libxkbcommon0", "libxkbcommon-x11-0", "libwayland-client0", "libx11-xcb1", "libxcursor1", "libxi6"];
    let mut needs = vec![Need {
        what: "a Vulkan driver (for pictures of the window and its tests)",
        packages: vulkan,
        required: false,
        present: || has_library("libvulkan.so.1") && !vulkan_drivers().is_empty(),
    }];
    // Without a display they are only worth having where they can simply be installed.
    if has_display() || may_install() {
        let present = || WINDOW_LIBRARIES.iter().all(|name| has_library(name));
        needs.push(Need { what: "the libraries that open a window", packages: window, required: false, present });
    }
    needs
}

/// A display for the tests that open the real window.
pub fn test_needs() -> Vec<Need> {
    if !cfg!(target_os = "linux") {
        return Vec::new();
    }
    let present = || find_program("Xvfb").is_some();
    let what = "a virtual display (without it one test is left out)";
    vec![Need { what, packages: &["xvfb"], required: false, present }]
}

const WINDOW_LIBRARIES: [&str; 6] = [
    "libxkbcommon.so.0",
    "libxkbcommon-x11.so.0",
    "libwayland-client.so.0",
    "libX11-xcb.so.1",
    "libXcursor.so.1",
    "libXi.so.6",
];

/// Installs what is missing where that is possible, else says in one line what is missing and how to get it.
pub fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !(need.present)()).collect();
    if !missing.is_empty() && may_install() {
        let packages: Vec<&str> = missing.iter().flat_map(|need| need.packages).copied().collect();
        say(&format!("installing {}", packages.join(" ")));
        if let Err(problem) = install(&packages) {
            say(&problem);
        }
    }
    let mut blocking = Vec::new();
    for need in missing.into_iter().filter(|need| !(need.present)()) {
        let packages = need.packages.join(" ");
        let advice = match find_program("apt-get") {
            Some(_) => format!("sudo apt-get install {packages}"),
            None => format!("install what Debian calls {packages}"),
        };
        let line = format!("{} is missing; to get it: {advice}", need.what);
        if need.required { blocking.push(line) } else { say(&line) }
    }
    if blocking.is_empty() { Ok(()) } else { Err(blocking.join("\n       ")) }
}

fn may_install() -> bool {
    let is_root = || answer(Command::new("id").arg("-u")).is_ok_and(|id| id == "0");
    cfg!(target_os = "linux") && find_program("apt-get").is_some() && is_root()
}

fn install(packages: &[&str]) -> Result<()> {
    let apt = |args: &[&str]| {
        run_talk(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").arg("-qq").args(args))
    };
    apt(&["update"])?;
    apt(&[&["install", "-y", "--no-install-recommends"], packages].concat())
}

fn has_compiler() -> bool {
    let chosen = env::var("CXX").ok().and_then(|line| line.split_whitespace().next().map(String::from));
    match chosen {
        Some(program) => find_program(program).is_some(),
        None => cfg!(windows) || find_program("c++").or_else(|| find_program("g++")).is_some(),
    }
}

pub fn has_display() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux") || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

/// Can the dynamic loader find this library?
fn has_library(name: &str) -> bool {
    let listed = ["ldconfig", "/sbin/ldconfig"]
        .iter()
        .find_map(|program| answer(Command::new(program).arg("-p")).ok())
        .is_some_and(|list| list.lines().any(|line| line.split_whitespace().next() == Some(name)));
    let folders = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    listed || env::split_paths(&folders).any(|folder| folder.join(name).exists())
}

/// The files in which Vulkan drivers announce themselves.
fn vulkan_drivers() -> Vec<PathBuf> {
    for name in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
        if let Some(files) = env::var_os(name) {
            return env::split_paths(&files).filter(|file| file.exists()).collect();
        }
    }
    let folders = ["/usr/share", "/usr/local/share", "/etc", "/run/opengl-driver/share"];
    let files = folders.iter().filter_map(|folder| Path::new(folder).join("vulkan/icd.d").read_dir().ok());
    files.flatten().flatten().map(|file| file.path()).filter(|path| path.extension() == Some("json".as_ref())).collect()
}

/// Makes a command draw with the software Vulkan driver where that is installed: the same pictures on every machine.
pub fn draw_in_software(command: &mut Command) {
    let chosen = env::var_os("VK_DRIVER_FILES").is_some() || env::var_os("VK_ICD_FILENAMES").is_some();
    let is_software = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lvp"));
    if let Some(driver) = vulkan_drivers().into_iter().find(is_software).filter(|_| !chosen) {
        // The second name is what older loaders know.
        command.env("VK_DRIVER_FILES", &driver).env("VK_ICD_FILENAMES", &driver);
    }
}
