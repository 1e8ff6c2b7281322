//! Puts libtorch into `.libtorch`, where every build looks for it.
//!
//! ```text
//! .libtorch/build-version      written last: a folder that has it is complete
//!           include/           headers
//!           lib/               the processor's build, which is what gets linked
//!           cuda/              only after `setup --cuda`; loaded at run time, so lib/ must not contain it
//! ```

use crate::pip::{Store, cannot, create, remove, script};
use crate::process::{Result, say};
use crate::system;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The tensor library of `Cargo.toml` accepts exactly this one.
const VERSION: &str = "2.11.0";

const CUDA_LIBRARY: &str = "libtorch_cuda.so";

const MAIN_LIBRARY: &str = if cfg!(target_os = "macos") { "libtorch_cpu.dylib" } else { "libtorch_cpu.so" };

/// What PyTorch's libraries want even on a Linux machine without a GPU.
const RUNTIME: [(&str, &str); 2] = [("nvidia-cuda-runtime", "13.0.96"), ("nvidia-cuda-cupti", "13.0.85")];

/// Bytes on the disk for packed and unpacked files together.
const SPACE: u64 = 1_300_000_000;
const SPACE_WITH_CUDA: u64 = 8_000_000_000;

pub fn ensure(root: &Path, cuda: bool) -> Result<()> {
    let home = root.join(".libtorch");
    if cfg!(windows) {
        let given = std::env::var_os("LIBTORCH").filter(|folder| is_complete_windows(folder.as_ref()));
        let advice = || format!("Unpack libtorch {VERSION} for the processor, set LIBTORCH to its folder and repeat.");
        return given.map(drop).ok_or_else(advice);
    }
    if let Some(given) = given_by_user(&home) {
        if version(&given).as_deref() != Some(VERSION) || !has_parts(&given) {
            let advice = "unset it, because a plain `cargo build` obeys it";
            say(&format!("LIBTORCH={} is no libtorch {VERSION} and is not used here; {advice}", given.display()));
        } else if !is_complete(&home) || !same_folder(&given.join("include"), &home.join("include")) {
            say(&format!("linking .libtorch to {}", given.display()));
            link(&given, &home)?;
        }
    }
    if is_complete(&home) && (!cuda || has_cuda(&home)) { Ok(()) } else { download(root, &home, cuda) }
}

/// `$LIBTORCH`, unless it is what Cargo's configuration of this repository sets.
fn given_by_user(home: &Path) -> Option<PathBuf> {
    std::env::var_os("LIBTORCH").map(PathBuf::from).filter(|given| given != home && !given.as_os_str().is_empty())
}

fn same_folder(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// The release without its build: `2.11.0` of `2.11.0+cpu`.
fn version(folder: &Path) -> Option<String> {
    let stamp = fs::read_to_string(folder.join("build-version"));
    // A Python installation of PyTorch keeps it elsewhere: __version__ = '2.11.0+cu130'
    let text = stamp.or_else(|_| fs::read_to_string(folder.join("version.py"))).ok()?;
    let digits = text.find(|letter: char| letter.is_ascii_digit())?;
    let end = text[digits..].find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    Some(text[digits..end.map_or(text.len(), |end| digits + end)].to_owned())
}

fn has_parts(folder: &Path) -> bool {
    let header = folder.join("include/torch/csrc/api/include/torch/torch.h");
    header.is_file() && folder.join("lib").join(MAIN_LIBRARY).is_file()
}

fn is_complete(home: &Path) -> bool {
    home.join("build-version").is_file() && version(home).as_deref() == Some(VERSION) && has_parts(home)
}

fn has_cuda(home: &Path) -> bool {
    home.join("cuda").join(CUDA_LIBRARY).is_file()
}

fn is_complete_windows(folder: &Path) -> bool {
    version(folder).as_deref() == Some(VERSION) && folder.join("lib/torch_cpu.dll").is_file()
}

fn is_shared(name: &str) -> bool {
    name.ends_with(".dylib") || name.ends_with(".so") || name.contains(".so.")
}

/// A home made of links, so that the GPU's libraries of the given one stay out of `lib/`.
fn link(given: &Path, home: &Path) -> Result<()> {
    let given = given.canonicalize().map_err(|error| cannot("read", given, &error))?;
    let new = home.with_extension("new");
    remove(&new)?;
    create(&new.join("lib"))?;
    symlink(&given.join("include"), &new.join("include"))?;
    let mut folders = vec![given.join("lib")];
    // A Python installation keeps the CUDA runtime beside PyTorch.
    folders.extend(given.parent().map(|packages| packages.join("nvidia/cu13/lib")));
    for (index, folder) in folders.iter().enumerate() {
        for entry in folder.read_dir().into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_gpu = ["cuda", "nvrtc", "nvshmem", "python"].iter().any(|part| name.contains(part));
            let is_runtime = name.starts_with("libcudart") || name.starts_with("libcupti");
            let wanted = if index == 0 { !is_gpu || is_runtime } else { is_runtime };
            if wanted && is_shared(&name) && name != "libtorch.so" {
                symlink(&entry.path(), &new.join("lib").join(name))?;
            }
        }
    }
    if given.join("lib").join(CUDA_LIBRARY).exists() {
        symlink(&given.join("lib"), &new.join("cuda"))?;
    }
    finish(&new, home)
}

fn download(root: &Path, home: &Path, cuda: bool) -> Result<()> {
    let cache = root.join(".libtorch-download");
    create(&cache)?;
    let lock = cache.join("lock");
    let file = File::create(&lock).map_err(|error| cannot("write", &lock, &error))?;
    if file.try_lock().is_err() {
        say("another set-up works in this folder; waiting for it");
        file.lock().map_err(|error| cannot("lock", &lock, &error))?;
    }
    let (lacks_home, lacks_cuda) = (!is_complete(home), cuda && !has_cuda(home));
    if lacks_home || lacks_cuda {
        system::ensure(&system::download_needs())?;
        let bytes = if cuda { SPACE_WITH_CUDA } else { SPACE };
        script(&["space".as_ref(), cache.as_ref(), bytes.to_string().as_ref()])?;
        let store = Store::open(&cache)?;
        let torch = store.wheel("torch", VERSION)?;
        if lacks_home {
            download_home(&store, &torch, &cache.join("unpacked"), home)?;
        }
        if lacks_cuda {
            download_cuda(&store, &torch, &cache.join("unpacked-cuda"), &home.join("cuda"))?;
        }
    }
    // What is unpacked is no longer needed packed.
    remove(&cache)
}

fn download_home(store: &Store, torch: &Path, new: &Path, home: &Path) -> Result<()> {
    let mut wheels = vec![torch.to_owned()];
    if cfg!(target_os = "linux") {
        for (package, version) in RUNTIME {
            wheels.push(store.wheel(package, version)?);
        }
    }
    unpack(&wheels, new, "cpu")?;
    finish(new, home)?;
    say(&format!("libtorch {VERSION} is in {}", home.display()));
    Ok(())
}

fn download_cuda(store: &Store, torch: &Path, new: &Path, place: &Path) -> Result<()> {
    if !cfg!(target_os = "linux") {
        return Err("CUDA libraries are to be had for Linux only.".into());
    }
    say("fetching the libraries for NVIDIA graphics cards");
    let mut wheels = vec![torch.to_owned()];
    let needs = script(&["needs".as_ref(), torch.as_ref(), "".as_ref()])?;
    let mut needs: Vec<String> = needs.lines().map(String::from).collect();
    while let Some(need) = needs.pop() {
        let mut parts = need.split(' ');
        let (package, version) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let wheel = store.wheel(package, version)?;
        if let Some(extras) = parts.next().filter(|extras| !extras.is_empty()) {
            // A package that only names others.
            let more = script(&["needs".as_ref(), wheel.as_ref(), extras.as_ref()])?;
            needs.extend(more.lines().map(String::from));
        }
        wheels.push(wheel);
    }
    unpack(&wheels, new, "cuda")?;
    if !new.join(CUDA_LIBRARY).is_file() {
        return Err(format!("This machine's build of PyTorch has no {CUDA_LIBRARY}."));
    }
    replace(new, place)?;
    say(&format!("CUDA libraries are in {}", place.display()));
    Ok(())
}

fn unpack(wheels: &[PathBuf], new: &Path, part: &str) -> Result<()> {
    remove(new)?;
    create(new)?;
    for wheel in wheels {
        say(&format!("unpacking {}", wheel.file_name().unwrap_or_default().to_string_lossy()));
        if let Err(problem) = script(&["unpack".as_ref(), wheel.as_ref(), new.as_ref(), part.as_ref()]) {
            remove(new)?;
            return Err(format!("Cannot unpack {}: {problem}.", wheel.display()));
        }
    }
    Ok(())
}

/// The last steps of a new home: it becomes visible under its name only when it is whole.
fn finish(new: &Path, home: &Path) -> Result<()> {
    if cfg!(target_os = "linux") {
        symlink(Path::new(MAIN_LIBRARY), &new.join("lib/libtorch.so"))?;
    }
    let stamp = new.join("build-version");
    fs::write(&stamp, VERSION).map_err(|error| cannot("write", &stamp, &error))?;
    if !is_complete(new) {
        return Err(format!("{} lacks headers or {MAIN_LIBRARY}.", new.display()));
    }
    replace(new, home)
}

fn replace(new: &Path, place: &Path) -> Result<()> {
    remove(place)?;
    fs::rename(new, place).map_err(|error| cannot("move to", place, &error))
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> Result<()> {
    std::os::unix::fs::symlink(target, link).map_err(|error| cannot("create", link, &error))
}

#[cfg(not(unix))]
fn symlink(_: &Path, link: &Path) -> Result<()> {
    Err(format!("Cannot create the link {} on this system.", link.display()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// A folder of its own for each test, gone afterwards.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
            create(&path).unwrap();
            Self(path)
        }

        fn file(&self, name: &str, text: &str) {
            create(self.0.join(name).parent().unwrap()).unwrap();
            fs::write(self.0.join(name), text).unwrap();
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            remove(&self.0).unwrap();
        }
    }

    #[test]
    fn versions_are_read_from_both_kinds_of_installation() {
        let scratch = Scratch::new("version");
        assert_eq!(version(&scratch.0), None);
        scratch.file("version.py", "from typing import Optional\n__version__ = '2.11.0+cu130'\ncuda = '13.0'\n");
        assert_eq!(version(&scratch.0).as_deref(), Some("2.11.0"));
        scratch.file("build-version", "2.13.1+cpu\n");
        assert_eq!(version(&scratch.0).as_deref(), Some("2.13.1"));
    }

    #[test]
    fn a_home_of_links_is_complete_and_keeps_the_gpu_out_of_lib() {
        let scratch = Scratch::new("link");
        scratch.file("torch/version.py", "__version__ = '2.11.0'");
        scratch.file("torch/include/torch/csrc/api/include/torch/torch.h", "");
        for name in [MAIN_LIBRARY, CUDA_LIBRARY, "libc10.so", "libc10_cuda.so", "libtorch.so", "libtorch_python.so"] {
            scratch.file(&format!("torch/lib/{name}"), name);
        }
        scratch.file("nvidia/cu13/lib/libcudart.so.13", "");
        scratch.file("nvidia/cu13/lib/libcublas.so.13", "");
        let home = scratch.0.join("home");
        link(&scratch.0.join("torch"), &home).unwrap();
        assert!(is_complete(&home) && has_cuda(&home));
        let lib = |name: &str| home.join("lib").join(name).exists();
        assert!(lib("libc10.so") && lib("libcudart.so.13"));
        assert!(!lib(CUDA_LIBRARY) && !lib("libc10_cuda.so") && !lib("libtorch_python.so") && !lib("libcublas.so.13"));
        fs::remove_file(home.join("build-version")).unwrap();
        assert!(!is_complete(&home), "the stamp is what counts");
    }
}
