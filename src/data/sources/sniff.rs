//! What a file is, told by its first bytes; its name is never trusted.

use super::cifar;
use crate::experiment::problem::Code;
use crate::experiment::{Problem, Result};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// What the first bytes of a file tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Empty,
    /// IDX pictures or labels, plain or gzip.
    IdxPictures,
    IdxLabels,
    CifarBinary(cifar::Variant),
    Parquet,
    Zip,
    Pickle,
    Picture,
    LfsPointer,
    Html,
    /// Comma, semicolon or tab separated text.
    Table,
    Text,
    /// Compressed or packed, but not one of the above.
    Archive,
    Unknown,
}

impl Content {
    /// Ends the sentence "It is ...".
    pub fn describe(self) -> &'static str {
        match self {
            Content::Empty => "empty",
            Content::IdxPictures => "an IDX file of pictures",
            Content::IdxLabels => "an IDX file of labels",
            Content::CifarBinary(_) => "a CIFAR batch",
            Content::Parquet => "a Parquet file",
            Content::Zip => "a zip archive",
            Content::Pickle => "a Python pickle",
            Content::Picture => "one picture",
            Content::LfsPointer => "a Git LFS pointer: the name of a file instead of the file",
            Content::Html => "a web page",
            Content::Table => "a table of text (CSV)",
            Content::Text => "text",
            Content::Archive => "a compressed archive",
            Content::Unknown => "damaged or of an unknown format",
        }
    }

    pub fn remedy(self) -> &'static str {
        match self {
            Content::Empty | Content::Unknown => {
                "Download or copy the file again and compare its size with the original."
            }
            Content::LfsPointer => "Fetch the real file with `git lfs pull`.",
            Content::Html => "Download the file itself: this is a page about it, or an error page.",
            Content::Table | Content::Text => "Choose a data set of pictures.",
            Content::Archive | Content::Zip => "Unpack it and choose the folder.",
            Content::Picture => "Choose a folder with one sub-folder of pictures for each class.",
            _ => "Choose the folder that holds all files of the data set.",
        }
    }

    /// A file that cannot be anything useful, whatever was expected.
    pub fn is_useless(self) -> bool {
        matches!(self, Content::Empty | Content::LfsPointer | Content::Html)
    }

    /// The problem of a file that is not what it should be; `expected` ends the sentence "This is not ...".
    pub fn instead_of(self, expected: &str, path: &Path) -> Problem {
        Problem::bad_file(format!("This is not {expected}."))
            .at(path.display())
            .because(format!("It is {}.", self.describe()))
            .remedy(self.remedy())
    }
}

/// A file or folder that cannot be read, told by its cause.
pub(super) fn cannot_read(path: &Path, error: &std::io::Error) -> Problem {
    if error.kind() == ErrorKind::PermissionDenied {
        return Problem::new(Code::BadInput, "You may not read this file or folder.")
            .at(path.display())
            .because(error)
            .remedy("Change its permissions or copy it to a folder of yours.");
    }
    Problem::io("read the data set", path, error)
}

/// What `path` holds. Reads a few hundred bytes, and for headerless CIFAR batches a sample of the labels.
pub(super) fn sniff(path: &Path) -> Result<Content> {
    let failed = |e: std::io::Error| cannot_read(path, &e);
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let mut head = Vec::new();
    Read::by_ref(&mut file).take(512).read_to_end(&mut head).map_err(failed)?;
    Ok(match by_first_bytes(&head) {
        Content::Unknown => cifar::sniff(&mut file, length).map_or(Content::Unknown, Content::CifarBinary),
        content => content,
    })
}

pub(super) fn by_first_bytes(head: &[u8]) -> Content {
    match head {
        [] => Content::Empty,
        // IDX: two zeros, the element type, the number of dimensions. Elements that are not bytes are refused with words later.
        [0, 0, 8 | 9 | 0x0b..=0x0e, 1, ..] => Content::IdxLabels,
        [0, 0, 8 | 9 | 0x0b..=0x0e, 2..=4, ..] => Content::IdxPictures,
        [0x1f, 0x8b, ..] => {
            let mut inner = Vec::new();
            // The end of `head` cuts the stream off, so an error after the first bytes is expected.
            let _ = flate2::read::GzDecoder::new(head).take(4).read_to_end(&mut inner);
            match by_first_bytes(&inner) {
                idx @ (Content::IdxPictures | Content::IdxLabels) => idx,
                _ => Content::Archive,
            }
        }
        [b'P', b'A', b'R', b'1', ..] => Content::Parquet,
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Content::Zip,
        [0x80, 2..=5, ..] => Content::Pickle,
        _ if head.get(257..262) == Some(b"ustar") => Content::Archive,
        _ if is_picture(head) => Content::Picture,
        _ => by_words(head),
    }
}

/// Whether the first bytes are those of a picture format that can be decoded.
pub(super) fn is_picture(head: &[u8]) -> bool {
    image::guess_format(head).is_ok_and(|format| format.reading_enabled())
}

fn by_words(head: &[u8]) -> Content {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The sample may end inside a character.
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&head[..e.valid_up_to()]).unwrap_or_default(),
        Err(_) => return Content::Unknown,
    };
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\x0c')) {
        return Content::Unknown;
    }
    let start = text.trim_start().to_ascii_lowercase();
    if start.starts_with("version https://git-lfs") {
        Content::LfsPointer
    } else if start.starts_with("<!doctype html") || start.starts_with("<html") {
        Content::Html
    } else if text.lines().next().is_some_and(|line| line.matches([',', ';', '\t']).count() > 0) {
        Content::Table
    } else {
        Content::Text
    }
}

/// The files and folders in a folder, without hidden ones, in byte order of their names.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e: std::io::Error| cannot_read(folder, &e);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
    Ok(paths)
}

/// A path's last part as text.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_told_by_the_first_bytes() {
        assert_eq!(by_first_bytes(b""), Content::Empty);
        assert_eq!(by_first_bytes(&[0, 0, 8, 3, 0, 0, 0, 1]), Content::IdxPictures);
        assert_eq!(by_first_bytes(&[0, 0, 8, 1, 0, 0, 0, 1]), Content::IdxLabels);
        assert_eq!(by_first_bytes(b"PAR1\x15\x00"), Content::Parquet);
        assert_eq!(by_first_bytes(b"PK\x03\x04abc"), Content::Zip);
        assert_eq!(by_first_bytes(&[0x80, 2, b'}']), Content::Pickle);
        assert_eq!(by_first_bytes(b"\x89PNG\r\n\x1a\nrest"), Content::Picture);
        assert_eq!(by_first_bytes(b"version https://git-lfs.github.com/spec/v1\noid"), Content::LfsPointer);
        assert_eq!(by_first_bytes(b"\n<!DOCTYPE html><html>"), Content::Html);
        assert_eq!(by_first_bytes(b"age,income\n3,4\n"), Content::Table);
        assert_eq!(by_first_bytes(b"hello\n"), Content::Text);
        assert_eq!(by_first_bytes(&[7, 200, 13]), Content::Unknown);
    }

    #[test]
    fn gzip_is_looked_into() {
        let gzip = |bytes: &[u8]| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            std::io::Write::write_all(&mut encoder, bytes).unwrap();
            encoder.finish().unwrap()
        };
        assert_eq!(by_first_bytes(&gzip(&[0, 0, 8, 3, 0, 0, 0, 0])), Content::IdxPictures);
        assert_eq!(by_first_bytes(&gzip(b"something else")), Content::Archive);
        assert_eq!(by_first_bytes(&[0x1f, 0x8b, 8]), Content::Archive);
    }

    #[test]
    fn a_cut_character_is_still_text() {
        assert_eq!(by_first_bytes(&"grün".as_bytes()[..3]), Content::Text);
    }
}
