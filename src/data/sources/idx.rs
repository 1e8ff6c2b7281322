//! IDX: the format of MNIST and Fashion-MNIST, plain or gzip.
//!
//! Big-endian: two zeros, the element type (8 = byte), the number of dimensions, each dimension as u32, then the elements.

use super::part::{self, Part, Source};
use super::role::Role;
use super::sniff::{self, Content};
use crate::experiment::{Problem, Result};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Deflate cannot pack more than this many bytes into one.
const MOST_DEFLATE: u64 = 1032;

#[derive(Debug)]
struct Array {
    dims: Vec<usize>,
    bytes: Vec<u8>,
}

/// Reads an IDX array of bytes from `stored` bytes, which may be gzip.
fn read_array(mut reader: impl Read, stored: u64) -> Result<Array> {
    let mut start = [0; 2];
    reader.read_exact(&mut start).map_err(|e| damaged(&e))?;
    let reader = start.chain(reader);
    if start == [0x1f, 0x8b] {
        read_plain(flate2::read::GzDecoder::new(reader), stored.saturating_mul(MOST_DEFLATE))
    } else {
        read_plain(reader, stored)
    }
}

/// `longest`: more bytes than this cannot come.
fn read_plain(mut reader: impl Read, longest: u64) -> Result<Array> {
    let mut magic = [0; 4];
    reader.read_exact(&mut magic).map_err(|e| damaged(&e))?;
    let [0, 0, element, rank] = magic else {
        return Err(Problem::bad_file("This is not an IDX file.").because(format!("It starts with {magic:02x?}.")));
    };
    if element != 8 || !matches!(rank, 1 | 3) {
        return Err(Problem::bad_file("This IDX file holds something other than grey pictures or labels.")
            .because(format!("Its elements have type {element:#04x} and {rank} dimensions."))
            .remedy("Pictures must be bytes (type 0x08) with 3 dimensions, labels bytes with 1."));
    }
    let mut dims = Vec::new();
    for _ in 0..rank {
        let mut dim = [0; 4];
        reader.read_exact(&mut dim).map_err(|e| damaged(&e))?;
        dims.push(u32::from_be_bytes(dim));
    }
    let promised = dims.iter().try_fold(1u64, |product, &dim| product.checked_mul(u64::from(dim)));
    let shape = || dims.iter().map(u32::to_string).collect::<Vec<_>>().join(" x ");
    let Some(expected) = promised.filter(|&bytes| bytes <= longest) else {
        return Err(Problem::bad_file("This IDX file is cut off.")
            .because(format!("Its header promises {} bytes; there are at most {longest}.", shape()))
            .remedy("Download or copy the file again."));
    };
    if let [rows, height, width] = dims[..] {
        part::check_memory(u64::from(rows), u64::from(height), u64::from(width))?;
    }
    let mut bytes = Vec::new();
    reader.take(expected + 1).read_to_end(&mut bytes).map_err(|e| damaged(&e))?;
    if bytes.len() as u64 != expected {
        let found = if (bytes.len() as u64) < expected { bytes.len().to_string() } else { "more".to_owned() };
        return Err(Problem::bad_file("This IDX file does not have the length that its header promises.")
            .because(format!("{} = {expected} bytes are promised after the header, there are {found}.", shape()))
            .remedy("Download or copy the file again."));
    }
    Ok(Array { dims: dims.iter().map(|&dim| dim as usize).collect(), bytes })
}

fn damaged(error: &std::io::Error) -> Problem {
    Problem::bad_file("This IDX file is cut off or damaged.").because(error).remedy("Download or copy the file again.")
}

/// Pictures `[N, height, width]` and labels `[N]` make a part.
fn join(pictures: Array, labels: Array) -> Result<Part> {
    let ([rows, height, width], [label_rows]) = (&pictures.dims[..], &labels.dims[..]) else {
        return Err(Problem::bad_file("Pictures need 3 dimensions and labels 1.").because(format!(
            "Pictures have {}, labels {}.",
            pictures.dims.len(),
            labels.dims.len()
        )));
    };
    if rows != label_rows {
        return Err(Problem::bad_file(format!("There are {rows} pictures but {label_rows} labels."))
            .remedy("Choose files that belong together."));
    }
    if pictures.bytes.is_empty() {
        return Err(Problem::bad_file("There are no pictures in this file."));
    }
    let labels = labels.bytes.iter().map(|&label| i64::from(label)).collect();
    Ok(Part { height: *height, width: *width, channels: 1, pixels: pictures.bytes, labels })
}

/// A part from the bytes of its two files.
pub(super) fn part_from_bytes(pictures: &[u8], labels: &[u8]) -> Result<Part> {
    join(read_array(pictures, pictures.len() as u64)?, read_array(labels, labels.len() as u64)?)
}

fn part_from_files(pictures: &Path, labels: &Path) -> Result<Part> {
    let open = |path: &Path| {
        let file = File::open(path).map_err(|e| sniff::cannot_read(path, &e))?;
        let stored = file.metadata().map_err(|e| sniff::cannot_read(path, &e))?.len();
        read_array(BufReader::new(file), stored).map_err(|problem| problem.at(path.display()))
    };
    join(open(pictures)?, open(labels)?).map_err(|problem| problem.at(pictures.display()))
}

/// `train-images-idx3-ubyte.gz` -> `train-labels-idx1-ubyte`
fn labels_name(pictures: &str) -> String {
    stem(pictures).replace("images", "labels").replace("idx3", "idx1")
}

/// The name without `.gz`: torchvision keeps a plain and a compressed file side by side.
fn stem(name: &str) -> &str {
    name.strip_suffix(".gz").unwrap_or(name)
}

/// A file that is named like an IDX file.
pub(super) fn looks_like(name: &str) -> bool {
    let stem = stem(name);
    stem.ends_with("ubyte") && (stem.contains("idx3") || stem.contains("idx1"))
}

/// One picture file with its labels beside it (or the other way round).
pub(super) fn read_file(path: &Path) -> Result<Source> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = sniff::file_name(path);
    let mut siblings = Vec::new();
    for sibling in sniff::entries(folder)? {
        if sibling.is_file() {
            siblings.push((sniff::sniff(&sibling)?, sibling));
        }
    }
    let partner = |content: Content, fits: &dyn Fn(&str) -> bool| {
        let found = siblings.iter().find(|(c, p)| *c == content && fits(&sniff::file_name(p)));
        found.map(|(_, path)| path.clone()).ok_or_else(|| {
            Problem::bad_input(format!("`{name}` has no partner: pictures and labels come in two files."))
                .at(path.display())
                .remedy(format!("Put `{}` beside it.", labels_name(&name)))
        })
    };
    let wanted = labels_name(&name);
    let (pictures, labels) = if sniff::sniff(path)? == Content::IdxLabels {
        let fits = |other: &str| labels_name(other) == stem(&name);
        (partner(Content::IdxPictures, &fits)?, path.to_owned())
    } else {
        (path.to_owned(), partner(Content::IdxLabels, &|other| stem(other) == wanted)?)
    };
    let part = part_from_files(&pictures, &labels)?;
    let classes = part::numbered_classes(&[Some(&part)])?;
    Ok(Source {
        name: stem(&name).to_owned(),
        format: "idx",
        classes,
        train: Some(part),
        test: None,
        notes: Vec::new(),
    })
}

/// The IDX files of one folder: a training and a test pair, or one pair.
pub(super) fn read_files(folder: &Path, name: String, files: &[(PathBuf, Content)]) -> Result<Source> {
    let mut train = Vec::new();
    let mut test = Vec::new();
    let mut other = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    let of = |wanted: Content| files.iter().filter(move |(_, content)| *content == wanted).map(|(path, _)| path);
    for pictures in of(Content::IdxPictures) {
        let file = sniff::file_name(pictures);
        // Files come in byte order, so the plain file comes before its compressed copy.
        if !seen.insert(stem(&file).to_owned()) {
            continue;
        }
        let wanted = labels_name(&file);
        let labels = of(Content::IdxLabels).find(|path| stem(&sniff::file_name(path)) == wanted).ok_or_else(|| {
            Problem::bad_input(format!("The labels of `{file}` are missing."))
                .at(folder.display())
                .remedy(format!("Put `{wanted}` beside it."))
        })?;
        let pairs = match Role::of_file(pictures) {
            Some(Role::Train) => &mut train,
            Some(Role::Test) => &mut test,
            _ => &mut other,
        };
        pairs.push((pictures, labels));
    }
    if train.is_empty() && test.is_empty() {
        train = other;
    }
    if train.len() > 1 || test.len() > 1 {
        return Err(Problem::bad_input("There are several data sets in this folder.")
            .at(folder.display())
            .because(train.iter().chain(&test).map(|(p, _)| sniff::file_name(p)).collect::<Vec<_>>().join(", "))
            .remedy("Choose one of the picture files instead of the folder."));
    }
    let read = |pair: Option<&(&PathBuf, &PathBuf)>| pair.map(|(p, l)| part_from_files(p, l)).transpose();
    let (train, test) = (read(train.first())?, read(test.first())?);
    if train.is_none() && test.is_none() {
        return Err(Problem::bad_input("There are labels in this folder, but no pictures.").at(folder.display()));
    }
    let classes = part::numbered_classes(&[train.as_ref(), test.as_ref()])?;
    Ok(Source { name, format: "idx", classes, train, test, notes: Vec::new() })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::sources::{SourceChoice, open, testing};
    use proptest::prelude::*;
    use std::io::Write;

    pub fn pictures(rows: u32, height: u32, width: u32) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, 3];
        [rows, height, width].iter().for_each(|dim| bytes.extend(dim.to_be_bytes()));
        bytes.extend((0..rows * height * width).map(|i| i as u8));
        bytes
    }

    pub fn labels(rows: u32) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, 1];
        bytes.extend(rows.to_be_bytes());
        bytes.extend((0..rows).map(|i| (i % 2) as u8));
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn headline(pictures: &[u8], labels: &[u8]) -> String {
        part_from_bytes(pictures, labels).unwrap_err().headline
    }

    #[test]
    fn plain_and_gzip_read_the_same() {
        let plain = part_from_bytes(&pictures(4, 2, 3), &labels(4)).unwrap();
        assert_eq!((plain.height, plain.width, plain.channels), (2, 3, 1));
        assert_eq!(plain.labels, [0, 1, 0, 1]);
        assert_eq!(plain.pixels[..7], [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(part_from_bytes(&gzip(&pictures(4, 2, 3)), &gzip(&labels(4))).unwrap(), plain);
    }

    #[test]
    fn folders_with_the_usual_names_open_also_under_raw() {
        let folder = tempfile::tempdir().unwrap();
        let raw = folder.path().join("MNIST/raw");
        std::fs::create_dir_all(&raw).unwrap();
        for (name, bytes) in [
            ("train-images-idx3-ubyte", pictures(6, 2, 2)),
            ("train-images-idx3-ubyte.gz", gzip(&pictures(6, 2, 2))),
            ("train-labels-idx1-ubyte.gz", gzip(&labels(6))),
            ("t10k-images-idx3-ubyte", pictures(2, 2, 2)),
            ("t10k-labels-idx1-ubyte", labels(2)),
        ] {
            std::fs::write(raw.join(name), bytes).unwrap();
        }
        for path in [folder.path(), raw.as_path()] {
            let split = open(&path.to_string_lossy(), &SourceChoice::default()).unwrap();
            assert_eq!((split.train.labels.len(), split.test.labels.len()), (6, 2));
            assert_eq!(split.train.card.classes, ["0", "1"]);
            assert_eq!(split.train.card.format, "idx");
        }
        // One file of the pair is enough to find the other.
        for name in ["train-images-idx3-ubyte", "train-labels-idx1-ubyte.gz"] {
            let split = open(&raw.join(name).to_string_lossy(), &SourceChoice::default()).unwrap();
            assert_eq!(split.train.labels.len() + split.test.labels.len(), 6);
        }
    }

    #[test]
    fn missing_labels_are_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("train-images-idx3-ubyte"), pictures(2, 1, 1)).unwrap();
        let problem = testing::problem(folder.path());
        assert!(problem.remedy[0].contains("train-labels-idx1-ubyte"), "{problem}");
    }

    #[test]
    fn a_damaged_sibling_is_not_overlooked() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("train-images-idx3-ubyte"), pictures(6, 1, 1)).unwrap();
        std::fs::write(folder.path().join("train-labels-idx1-ubyte"), labels(6)).unwrap();
        std::fs::write(folder.path().join("t10k-images-idx3-ubyte"), b"").unwrap();
        let problem = testing::problem(folder.path());
        assert!(problem.detail[0].contains("empty"), "{problem}");
    }

    #[test]
    fn damage_is_told_in_words() {
        let (good, tags) = (pictures(4, 2, 3), labels(4));
        assert!(headline(&good[..20], &tags).contains("cut off"));
        assert!(headline(&good[..10], &tags).contains("cut off"));
        assert!(headline(&[&good[..], &[0]].concat(), &tags).contains("length"));
        assert!(headline(&gzip(&good)[..20], &tags).contains("cut off or damaged"));
        assert!(headline(&good, &labels(3)).contains("4 pictures but 3 labels"));
        assert!(headline(b"", &tags).contains("cut off"));
        assert!(headline(&[0, 0, 0x0d, 3, 0, 0], &tags).contains("something other"));
        assert!(headline(&pictures(0, 2, 2), &labels(0)).contains("no pictures"));
    }

    #[test]
    fn a_header_larger_than_the_file_takes_no_memory() {
        let mut bytes = vec![0, 0, 8, 3];
        (0..3).for_each(|_| bytes.extend(u32::MAX.to_be_bytes()));
        assert!(headline(&bytes, &labels(1)).contains("cut off"));
        assert!(headline(&gzip(&bytes), &labels(1)).contains("cut off"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn damaged_files_never_panic(packed: bool, damage in testing::damage()) {
            let good = if packed { gzip(&pictures(5, 3, 3)) } else { pictures(5, 3, 3) };
            let _ = part_from_bytes(&damage.apply(&good), &labels(5));
            let _ = part_from_bytes(&good, &damage.apply(&labels(5)));
        }
    }
}
