//! What a file is, by its content.

use crate::experiment::{Problem, Result};
use std::io::Cursor;

/// The containers in which weights come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    Safetensors,
    /// `torch.save` since PyTorch 1.6.
    TorchZip,
    /// `torch.save` from 0.1.10 to 1.5, and on request later.
    TorchLegacy,
    /// `torch.save` before 0.1.10.
    TorchTar,
    /// A network with its code.
    TorchScript,
    /// A bare pickle: `pickle.dump` of weights or data.
    PlainPickle,
}

impl Container {
    /// The name in print.
    pub fn name(self) -> &'static str {
        match self {
            Container::Safetensors => "safetensors",
            Container::TorchZip => "PyTorch checkpoint",
            Container::TorchLegacy => "PyTorch checkpoint (before 1.6)",
            Container::TorchTar => "PyTorch checkpoint (before 0.1.10)",
            Container::TorchScript => "TorchScript",
            Container::PlainPickle => "Python pickle",
        }
    }
}

/// How legacy files begin: the pickled number 0x1950a86a20f9469cfc6c.
pub(super) const LEGACY_MAGIC: [u8; 15] =
    [0x80, 2, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];

/// Formats that people confuse with checkpoints: how they begin, what they are, what to do.
const OTHERS: [(&[u8], &str, &str); 18] = [
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", OPEN_AS_DATA),
    (b"\xff\xd8\xff", "a JPEG picture", OPEN_AS_DATA),
    (b"GIF8", "a GIF picture", OPEN_AS_DATA),
    (b"II*\0", "a TIFF picture", OPEN_AS_DATA),
    (b"MM\0*", "a TIFF picture", OPEN_AS_DATA),
    (b"RIFF", "a RIFF file (WebP picture or sound)", OPEN_AS_DATA),
    (b"\x93NUMPY", "a numpy array", OPEN_AS_DATA),
    (b"PAR1", "a Parquet table", OPEN_AS_DATA),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes them", CONVERT),
    (b"GGUF", "a GGUF language model", CONVERT),
    (b"\x1f\x8b", "a gzip archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!", "a RAR archive", UNPACK),
    (b"\xfd7zXZ\0", "an xz archive", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", UNPACK),
    (b"%PDF", "a PDF document", CHOOSE),
    (b"\x7fELF", "a program", CHOOSE),
    (b"SQLite format 3\0", "an SQLite database", CHOOSE),
];

const OPEN_AS_DATA: &str = "Open it as data, or choose a file with weights (.safetensors, .pt, .pth).";
const CONVERT: &str = "Convert the weights to safetensors or to a PyTorch state dict with the tool that made it.";
const UNPACK: &str = "Unpack it and open the file inside.";
const CHOOSE: &str = "Choose a file with weights (.safetensors, .pt, .pth).";

/// Which container `bytes` (a whole file) is.
///
/// # Errors
/// For everything else; the problem says what it seems to be.
pub fn sniff(bytes: &[u8]) -> Result<Container> {
    if bytes.is_empty() {
        return Err(Problem::bad_file("This file is empty.").remedy("Copy or download it again."));
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return zip_content(bytes);
    }
    if bytes.starts_with(&LEGACY_MAGIC) {
        return Ok(Container::TorchLegacy);
    }
    // safetensors: a length of eight bytes, then the header's brace.
    let header = match bytes.split_first_chunk::<8>() {
        Some((length, [b'{', ..])) => Some(u64::from_le_bytes(*length)),
        _ => None,
    };
    if header.is_some_and(|len| len < 1 << 32) {
        return Ok(Container::Safetensors);
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return tar_content(bytes);
    }
    if matches!(bytes, [0x80, 2..=5, ..]) {
        return Ok(Container::PlainPickle);
    }
    if header.is_some() && !is_text(bytes) {
        // Its length is absurd: the reader says so.
        return Ok(Container::Safetensors);
    }
    let (what, remedy) = other(bytes);
    Err(not_weights(what, remedy))
}

fn not_weights(what: &str, remedy: &str) -> Problem {
    Problem::bad_file(format!("This file is {what}, not weights.")).remedy(remedy)
}

/// A zip archive may be many things; its list of files tells.
fn zip_content(bytes: &[u8]) -> Result<Container> {
    let archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| {
        Problem::bad_file("This zip archive (a PyTorch checkpoint?) is cut off or damaged.")
            .because(error)
            .remedy("Copy or download the file again.")
    })?;
    let names: Vec<String> = archive.file_names_raw().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let has = |what: &dyn Fn(&str) -> bool| names.iter().any(|name| what(name));
    if has(&|name| name.ends_with("/constants.pkl") || name.contains("/code/")) {
        Ok(Container::TorchScript)
    } else if has(&|name| name == "data.pkl" || name.ends_with("/data.pkl")) {
        Ok(Container::TorchZip)
    } else if has(&|name| name.ends_with(".npy")) {
        Err(not_weights("an npz file of numpy arrays", OPEN_AS_DATA))
    } else if has(&|name| name.ends_with(".weights.h5")) {
        Err(not_weights("a Keras model", CONVERT))
    } else {
        Err(not_weights("a zip archive", UNPACK).because(match names.as_slice() {
            [] => "It holds no files.".to_owned(),
            [first, ..] => format!("It holds {} files; the first is {first:?}.", names.len()),
        }))
    }
}

fn tar_content(bytes: &[u8]) -> Result<Container> {
    // The first member's name, zero-terminated.
    let name = bytes.iter().take(100).take_while(|&&byte| byte != 0).copied().collect::<Vec<_>>();
    let name = String::from_utf8_lossy(&name).into_owned();
    match name.trim_start_matches("./") {
        "sys_info" | "pickle" | "tensors" | "storages" => Ok(Container::TorchTar),
        other => Err(not_weights("a tar archive", UNPACK).because(format!("Its first file is {other:?}."))),
    }
}

fn other(bytes: &[u8]) -> (&'static str, &'static str) {
    if let Some((_, what, remedy)) = OTHERS.iter().find(|(magic, ..)| bytes.starts_with(magic)) {
        return (what, remedy);
    }
    if bytes.starts_with(b"version https://git-lfs.github.com/spec/") {
        return ("a Git LFS pointer", "Fetch the file itself: run `git lfs pull` in its repository.");
    }
    // A protobuf that begins with a small version number and names its producer.
    if matches!(bytes, [8, 1..=20, 0x12 | 0x3a, ..]) && !is_text(bytes) {
        return ("an ONNX model", CONVERT);
    }
    if bytes.get(4..8) == Some(b"TFL3") {
        return ("a TensorFlow Lite model", CONVERT);
    }
    if bytes.starts_with(b"BM") && !is_text(bytes) {
        return ("a BMP picture", OPEN_AS_DATA);
    }
    if is_text(bytes) { text(bytes) } else { ("of an unknown kind", CHOOSE) }
}

fn text(bytes: &[u8]) -> (&'static str, &'static str) {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]).to_lowercase();
    let head = head.trim_start_matches('\u{feff}').trim_start();
    let lines: Vec<&str> = head.lines().filter(|line| !line.is_empty()).take(5).collect();
    let separated = |mark: char| {
        let count = |line: &str| line.matches(mark).count();
        lines.len() > 1 && count(lines[0]) > 0 && lines.iter().take(2).all(|line| count(line) == count(lines[0]))
    };
    if head.starts_with("<!doctype html") || head.starts_with("<html") || head.starts_with("<?xml") {
        ("a web page", "The download went wrong (an error or login page was saved). Download the file again.")
    } else if head.starts_with('{') || head.starts_with('[') {
        ("a JSON text", CHOOSE)
    } else if separated(',') || separated(';') || separated('\t') {
        ("a table of text (CSV)", OPEN_AS_DATA)
    } else {
        ("a text", CHOOSE)
    }
}

/// Whether the beginning is UTF-8 without control characters.
fn is_text(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(4096)];
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A character may be cut at the end of what we look at.
        Err(error) if error.valid_up_to() + 4 > head.len() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !valid.is_empty() && !valid.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Code;
    use std::io::Write;

    fn zip_of(names: &[&str]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for name in names {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(b"content").unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn containers_by_content() {
        assert_eq!(sniff(&zip_of(&["net/data.pkl", "net/version"])).unwrap(), Container::TorchZip);
        let script = zip_of(&["net/data.pkl", "net/code/__torch__.py", "net/constants.pkl"]);
        assert_eq!(sniff(&script).unwrap(), Container::TorchScript);
        assert_eq!(sniff(b"\x02\0\0\0\0\0\0\0{}").unwrap(), Container::Safetensors);
        assert_eq!(sniff(b"\x80\x04N.").unwrap(), Container::PlainPickle);
        assert_eq!(sniff(&LEGACY_MAGIC).unwrap(), Container::TorchLegacy);
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        tar[..8].copy_from_slice(b"sys_info");
        assert_eq!(sniff(&tar).unwrap(), Container::TorchTar);
        tar[..8].copy_from_slice(b"my_files");
        assert!(sniff(&tar).unwrap_err().headline.contains("tar archive"));
    }

    #[test]
    fn other_files_are_named() {
        for (bytes, name) in [
            (&b""[..], "empty"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "Git LFS"),
            (b"\n<!DOCTYPE html>\n<html></html>", "web page"),
            (b"index,label\n0,3\n1,4\n", "CSV"),
            (b"Dear diary,\ntoday ...", "a text"),
            (b"{\"a\": 1}", "JSON"),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG"),
            (b"\x08\x07\x12\x07pytorch\x1a\x032.1\x00\xff", "ONNX"),
            (b"\x89HDF\r\n\x1a\n\0", "Keras"),
            (b"\x93NUMPY\x01\0", "numpy"),
            (b"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\xff\xfe", "unknown kind"),
        ] {
            let problem = sniff(bytes).unwrap_err();
            assert_eq!(problem.code, Code::BadFile);
            assert!(problem.headline.contains(name), "{name}: {problem}");
            assert!(!problem.remedy.is_empty(), "{name}");
        }
        assert!(sniff(&zip_of(&["x.npy"])).unwrap_err().headline.contains("npz"));
        assert!(sniff(&zip_of(&["word/document.xml"])).unwrap_err().headline.contains("zip"));
    }

    #[test]
    fn a_cut_zip_is_called_cut() {
        let zip = zip_of(&["net/data.pkl"]);
        assert!(sniff(&zip[..zip.len() - 5]).unwrap_err().headline.contains("cut off"));
    }
}
