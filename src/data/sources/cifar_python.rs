//! CIFAR-10 and CIFAR-100, Python version: pickled dictionaries, read as data and never executed.
//!
//! A batch holds `data` (uint8, N x 3072: red, green and blue planes of 32 x 32) and `labels` or `fine_labels`; the file
//! `batches.meta` or `meta` holds the class names. Keys are 8-bit strings in the originals, text in re-saved files.

use super::part::{self, Part, Source};
use super::role::Role;
use super::sniff;
use crate::data::pickle::numpy::{self, Dtype};
use crate::data::pickle::{self, Value};
use crate::experiment::{Problem, Result};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

const SIDE: usize = 32;
const PICTURE: usize = 3 * SIDE * SIDE;
/// Pickles are read into memory as a whole; the largest CIFAR file has 155 MB.
const LARGEST_FILE: u64 = 1 << 30;
/// How a PyTorch checkpoint starts: the number 0x1950A86A20F9469CFC6C.
const PYTORCH: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e";

enum Content {
    Batch(Part),
    ClassNames(Vec<String>),
    /// A pickle of something else.
    Other,
}

fn bad_batch(reason: impl std::fmt::Display) -> Problem {
    Problem::bad_file("This CIFAR batch is not as it should be.")
        .because(reason)
        .remedy("Download or unpack the file again.")
}

fn read_content(bytes: &[u8]) -> Result<Content> {
    let (value, _) = pickle::parse(bytes)?;
    let names = value.get("fine_label_names").or_else(|| value.get("label_names"));
    if let Some(names) = names.and_then(Value::items) {
        return Ok(Content::ClassNames(names.iter().map(|name| name.text().unwrap_or("?").to_owned()).collect()));
    }
    let labels = value.get("fine_labels").or_else(|| value.get("labels"));
    let (Some(data), Some(labels)) = (value.get("data"), labels) else { return Ok(Content::Other) };
    if !numpy::is_array(data) {
        return Ok(Content::Other);
    }
    let data = numpy::array(data)?.ok_or_else(|| bad_batch("`data` is not an array."))?;
    let labels = match numpy::array(labels)? {
        Some(array) => array.ints()?,
        None => {
            let all = labels.items().and_then(|labels| labels.iter().map(Value::int).collect::<Option<Vec<i64>>>());
            all.ok_or_else(|| bad_batch("`labels` is not a list of whole numbers."))?
        }
    };
    if data.dtype != Dtype::U8 || data.shape != [labels.len(), PICTURE] || labels.is_empty() {
        return Err(bad_batch(format!(
            "`data` has type {:?} and shape {:?}; with {} labels it should be U8 and [{}, {PICTURE}].",
            data.dtype,
            data.shape,
            labels.len(),
            labels.len()
        )));
    }
    let pixels = data.bytes.to_vec();
    Ok(Content::Batch(Part { height: SIDE, width: SIDE, channels: 3, pixels, labels }))
}

fn read_file(path: &Path) -> Result<Content> {
    let failed = |e: std::io::Error| sniff::cannot_read(path, &e);
    let mut file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    if length > LARGEST_FILE {
        return Ok(Content::Other);
    }
    let mut bytes = vec![0; PYTORCH.len().min(length as usize)];
    file.read_exact(&mut bytes).map_err(failed)?;
    if bytes == PYTORCH {
        return Ok(Content::Other);
    }
    part::check_memory(length / PICTURE as u64, SIDE as u64, SIDE as u64)?;
    file.take(LARGEST_FILE).read_to_end(&mut bytes).map_err(failed)?;
    read_content(&bytes).map_err(|problem| problem.at(path.display()))
}

/// A file that is named like a CIFAR batch in Python format.
pub(super) fn looks_like(name: &str) -> bool {
    (name.starts_with("data_batch") || name.starts_with("test_batch")) && !name.contains('.')
}

/// The batches among some pickles of one folder; nothing when they hold something else.
pub(super) fn read_files(name: String, pickles: &[PathBuf]) -> Result<Option<Source>> {
    let (mut train, mut test, mut names, mut damage) = (None, None, None, None);
    for path in pickles {
        match read_file(path) {
            Ok(Content::Batch(batch)) => {
                let part: &mut Option<Part> =
                    if Role::of_file(path) == Some(Role::Test) { &mut test } else { &mut train };
                match part {
                    Some(part) => {
                        part.pixels.extend_from_slice(&batch.pixels);
                        part.labels.extend_from_slice(&batch.labels);
                        part::check_memory(part.rows() as u64, SIDE as u64, SIDE as u64)?;
                    }
                    None => *part = Some(batch),
                }
            }
            Ok(Content::ClassNames(found)) => names = Some(found),
            Ok(Content::Other) => {}
            Err(problem) => {
                damage.get_or_insert(problem);
            }
        }
    }
    // A damaged pickle among good batches, or alone, is told; among other pickles it is none of ours.
    let found = train.is_some() || test.is_some();
    match damage {
        Some(problem) if found || pickles.len() == 1 => return Err(problem),
        _ if !found => return Ok(None),
        _ => {}
    }
    let classes = match names {
        Some(names) => names,
        None => part::numbered_classes(&[train.as_ref(), test.as_ref()])?,
    };
    Ok(Some(Source { name, format: "cifar-python", classes, train, test, notes: Vec::new() }))
}

/// One batch, with the class names beside it.
pub(super) fn read_one(path: &Path) -> Result<Option<Source>> {
    let Some(mut source) = read_files(sniff::file_name(path), &[path.to_owned()])? else { return Ok(None) };
    for name in ["batches.meta", "meta"] {
        let beside = path.with_file_name(name);
        if beside.is_file()
            && let Ok(Content::ClassNames(names)) = read_file(&beside)
        {
            source.classes = names;
        }
    }
    Ok(Some(source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::sources::{SourceChoice, inspect, open, testing};
    use proptest::prelude::*;

    fn text(text: &str) -> Vec<u8> {
        [&b"U"[..], &[text.len() as u8], text.as_bytes()].concat()
    }

    fn list(items: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
        [b"](".to_vec(), items.into_iter().flatten().collect(), b"e".to_vec()].concat()
    }

    fn dictionary(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let pairs = pairs.iter().flat_map(|(key, value)| [text(key), value.clone()].concat());
        [b"\x80\x02}(".to_vec(), pairs.collect(), b"u.".to_vec()].concat()
    }

    /// A uint8 array of two dimensions as Python 2 wrote it.
    fn array(rows: u8, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R".to_vec();
        bytes.extend(b"(K\x01K");
        bytes.push(rows);
        bytes.extend(b"M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R");
        bytes.extend(b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T");
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        bytes.extend(b"tb");
        bytes
    }

    fn batch(key: &str, labels: &[u8]) -> Vec<u8> {
        let data: Vec<u8> = labels.iter().flat_map(|_| (0..PICTURE).map(|i| (i / 1024) as u8)).collect();
        dictionary(&[
            ("batch_label", text("testing batch 1 of 1")),
            (key, list(labels.iter().map(|&label| vec![b'K', label]))),
            ("data", array(labels.len() as u8, &data)),
        ])
    }

    fn write(folder: &Path, name: &str, bytes: &[u8]) {
        std::fs::write(folder.join(name), bytes).unwrap();
    }

    #[test]
    fn cifar_10_batches_join_and_have_names() {
        let folder = tempfile::tempdir().unwrap();
        let sub = folder.path().join("cifar-10-batches-py");
        std::fs::create_dir(&sub).unwrap();
        write(&sub, "data_batch_1", &batch("labels", &[1, 0]));
        write(&sub, "data_batch_2", &batch("labels", &[1]));
        write(&sub, "test_batch", &batch("labels", &[0]));
        write(&sub, "batches.meta", &dictionary(&[("label_names", list(["cat", "dog"].map(text)))]));
        write(&sub, "readme.html", b"<html></html>");
        let split = open(&folder.path().to_string_lossy(), &SourceChoice::default()).unwrap();
        assert_eq!(split.train.labels, [1, 0, 1]);
        assert_eq!(split.test.labels, [0]);
        assert_eq!(split.train.card.classes, ["cat", "dog"]);
        assert_eq!(split.train.card.format, "cifar-python");
        let corner = split.train.pixels.select(0, 2).select(1, 5).select(1, 5);
        assert_eq!(Vec::<u8>::try_from(&corner).unwrap(), [0, 1, 2]);
        let one = open(&sub.join("data_batch_1").to_string_lossy(), &SourceChoice::default()).err().unwrap();
        assert!(one.headline.contains("too few pictures"), "{one}");
    }

    #[test]
    fn cifar_100_uses_the_fine_label() {
        let Content::Batch(part) = read_content(&batch("fine_labels", &[99, 3])).unwrap() else { panic!("a batch") };
        assert_eq!(part.labels, [99, 3]);
    }

    #[test]
    fn other_pickles_are_none_of_ours() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "info", &dictionary(&[("epoch", b"K\x05".to_vec())]));
        write(folder.path(), "weights", &[PYTORCH, &[1, 2, 3]].concat());
        assert!(inspect(folder.path()).unwrap().is_none());
        assert!(inspect(&folder.path().join("weights")).unwrap().is_none());
    }

    #[test]
    fn damage_is_told_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let good = batch("labels", &[1, 0]);
        write(folder.path(), "data_batch_1", &good);
        write(folder.path(), "data_batch_2", &good[..good.len() / 2]);
        assert!(testing::problem(folder.path()).place.unwrap().ends_with("data_batch_2"));
        write(folder.path(), "data_batch_2", b"");
        assert!(testing::problem(folder.path()).detail[0].contains("empty"));
    }

    #[test]
    fn programs_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "data_batch_1", b"\x80\x02cos\nsystem\nU\x02ls\x85R.");
        let problem = testing::problem(&folder.path().join("data_batch_1"));
        assert!(problem.headline.contains("run a program"), "{problem}");
    }

    #[test]
    fn shapes_must_fit() {
        let wrong = dictionary(&[("labels", list([vec![b'K', 1]])), ("data", array(2, &[0; 2 * PICTURE]))]);
        let problem = read_content(&wrong).err().unwrap();
        assert!(problem.detail[0].contains("[2, 3072]"), "{problem}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn damaged_batches_never_panic(damage in testing::damage(), close in 0usize..200) {
            let good = batch("labels", &[1, 0]);
            let _ = read_content(&damage.apply(&good));
            // Most of the file is pixels; the structure around them is hit on purpose.
            let mut head = good[..200].to_vec();
            head[close] ^= 0x55;
            let _ = read_content(&[&head, &good[200..]].concat());
        }
    }
}
