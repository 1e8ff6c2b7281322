//! Lets the program and its tests find libtorch without environment variables, and says how to get it where it is missing.

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=packaging/build.rs");
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    let root = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let libtorch = std::env::var_os("LIBTORCH").map_or_else(|| root.join(".libtorch"), PathBuf::from);
    let libraries = libtorch.join("lib");
    println!("cargo::rerun-if-changed={}", libraries.display());
    // Else the linker would complain, in words that help nobody.
    if !libraries.exists() {
        println!("cargo::error=libtorch is not in {}; `cargo xtask setup` puts it there", libtorch.display());
        return;
    }
    if cfg!(target_os = "windows") {
        return;
    }
    // First the place of a packaged program, then the place of a build from source.
    println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib/polariscope");
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", libraries.display());
}
