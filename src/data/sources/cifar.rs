//! CIFAR-10 and CIFAR-100, binary version.
//!
//! A file is nothing but records: the label (CIFAR-100: the coarse, then the fine label), then 1,024 red, green and blue
//! bytes of a 32 x 32 picture, row by row. There is no magic number: the length and the labels tell.

use super::part::{self, Part, Source};
use super::role::Role;
use super::sniff::{self, Content};
use crate::experiment::{Problem, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const SIDE: usize = 32;
const PICTURE: usize = 3 * SIDE * SIDE;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    Ten,
    Hundred,
}

impl Variant {
    fn label_bytes(self) -> usize {
        match self {
            Variant::Ten => 1,
            Variant::Hundred => 2,
        }
    }

    fn record(self) -> usize {
        self.label_bytes() + PICTURE
    }

    /// The fine label, when the label bytes are possible ones.
    fn label(self, record: &[u8]) -> Option<i64> {
        match (self, record) {
            (Variant::Ten, [label @ 0..=9, ..]) => Some(i64::from(*label)),
            (Variant::Hundred, [0..=19, fine @ 0..=99, ..]) => Some(i64::from(*fine)),
            _ => None,
        }
    }

    fn classes(self) -> usize {
        match self {
            Variant::Ten => 10,
            Variant::Hundred => 100,
        }
    }

    fn names_file(self) -> &'static str {
        match self {
            Variant::Ten => "batches.meta.txt",
            Variant::Hundred => "fine_label_names.txt",
        }
    }
}

/// Whether the length is a number of records and the labels of a sample of them are possible.
pub(super) fn sniff(file: &mut (impl Read + Seek), length: u64) -> Option<Variant> {
    const SAMPLES: u64 = 64;
    [Variant::Ten, Variant::Hundred].into_iter().find(|variant| {
        let record = variant.record() as u64;
        let rows = length / record;
        let sampled = rows.min(SAMPLES);
        rows > 0
            && length.is_multiple_of(record)
            && (0..sampled).all(|sample| {
                let row = sample * (rows - 1) / (sampled - 1).max(1);
                let mut labels = [0; 2];
                file.seek(SeekFrom::Start(row * record)).is_ok()
                    && file.read_exact(&mut labels).is_ok()
                    && variant.label(&labels).is_some()
            })
    })
}

/// Appends all records of one file.
fn read_records(variant: Variant, bytes: &[u8], part: &mut Part) -> Result<()> {
    let record = variant.record();
    if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
        return Err(Problem::bad_file("This CIFAR batch is cut off or damaged.")
            .because(format!("{} bytes are not a whole number of records of {record} bytes.", bytes.len()))
            .remedy("Download or unpack the file again."));
    }
    for (row, record_bytes) in bytes.chunks_exact(record).enumerate() {
        let label = variant.label(record_bytes).ok_or_else(|| {
            Problem::bad_file("This CIFAR batch has a label that does not exist.")
                .because(format!("Record {row} (byte {}) has {}.", row * record, record_bytes[0]))
                .remedy("Download or unpack the file again.")
        })?;
        part.labels.push(label);
        part.pixels.extend_from_slice(&record_bytes[variant.label_bytes()..]);
    }
    Ok(())
}

fn read_part(variant: Variant, files: &[&Path]) -> Result<Option<Part>> {
    let mut part = Part { height: SIDE, width: SIDE, channels: 3, pixels: Vec::new(), labels: Vec::new() };
    for path in files {
        let failed = |e: std::io::Error| sniff::cannot_read(path, &e);
        let mut file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        part::check_memory(part.rows() as u64 + length / variant.record() as u64, SIDE as u64, SIDE as u64)?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(length).read_to_end(&mut bytes).map_err(failed)?;
        read_records(variant, &bytes, &mut part).map_err(|problem| problem.at(path.display()))?;
    }
    Ok((part.rows() > 0).then_some(part))
}

/// Names from the text file beside the batches, one a line; the indices as text where there is none.
fn class_names(variant: Variant, folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(variant.names_file())).unwrap_or_default();
    let names: Vec<String> = text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
    if names.len() == variant.classes() { names } else { (0..variant.classes()).map(|i| i.to_string()).collect() }
}

/// A file that is named like a CIFAR batch.
pub(super) fn looks_like(name: &str) -> bool {
    name.ends_with(".bin")
}

/// The batches among the files of one folder; names with `test` are the test part.
pub(super) fn read_files(folder: &Path, name: String, files: &[(PathBuf, Content)]) -> Result<Source> {
    let batches: Vec<(&Path, Variant)> = files
        .iter()
        .filter_map(|(path, content)| match content {
            Content::CifarBinary(variant) => Some((path.as_path(), *variant)),
            _ => None,
        })
        .collect();
    let Some(&(_, variant)) = batches.first() else {
        return Err(Problem::bad_file("There are no CIFAR batches in this folder.").at(folder.display()));
    };
    if let Some((path, _)) = batches.iter().find(|(_, other)| *other != variant) {
        return Err(Problem::bad_input("CIFAR-10 and CIFAR-100 lie in one folder.")
            .at(path.display())
            .remedy("Keep one data set in a folder."));
    }
    let (test, train): (Vec<&Path>, Vec<&Path>) =
        batches.iter().map(|(path, _)| *path).partition(|path| Role::of_file(path) == Some(Role::Test));
    Ok(Source {
        name,
        format: "cifar-binary",
        classes: class_names(variant, folder),
        train: read_part(variant, &train)?,
        test: read_part(variant, &test)?,
        notes: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::sources::{SourceChoice, open, testing};
    use proptest::prelude::*;

    fn batch(variant: Variant, labels: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for &label in labels {
            bytes.extend(vec![label; variant.label_bytes()]);
            bytes.extend((0..PICTURE).map(|i| (i / 1024) as u8));
        }
        bytes
    }

    fn write(folder: &Path, name: &str, bytes: &[u8]) {
        std::fs::write(folder.join(name), bytes).unwrap();
    }

    #[test]
    fn cifar_10_opens_with_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let sub = folder.path().join("cifar-10-batches-bin");
        std::fs::create_dir(&sub).unwrap();
        write(&sub, "data_batch_1.bin", &batch(Variant::Ten, &[3, 9]));
        write(&sub, "data_batch_2.bin", &batch(Variant::Ten, &[1]));
        write(&sub, "test_batch.bin", &batch(Variant::Ten, &[0]));
        write(&sub, "batches.meta.txt", b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n");
        let split = open(&folder.path().to_string_lossy(), &SourceChoice::default()).unwrap();
        assert_eq!(split.train.labels, [3, 9, 1]);
        assert_eq!(split.test.labels, [0]);
        assert_eq!(split.train.card.classes[9], "truck");
        assert_eq!(split.train.pixels.size(), [3, 3, 32, 32]);
        let corner = split.train.pixels.select(0, 0).select(1, 5).select(1, 5);
        assert_eq!(Vec::<u8>::try_from(&corner).unwrap(), [0, 1, 2]);
    }

    #[test]
    fn cifar_100_uses_the_fine_label() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "train.bin", &batch(Variant::Hundred, &[3, 19]));
        write(folder.path(), "test.bin", &batch(Variant::Hundred, &[7]));
        let split = open(&folder.path().to_string_lossy(), &SourceChoice::default()).unwrap();
        assert_eq!(split.train.labels, [3, 19]);
        assert_eq!(split.train.card.classes.len(), 100);
    }

    #[test]
    fn a_cut_batch_is_not_overlooked() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "data_batch_1.bin", &batch(Variant::Ten, &[3, 9]));
        write(folder.path(), "data_batch_2.bin", &batch(Variant::Ten, &[3, 9])[..4000]);
        let problem = testing::problem(folder.path());
        assert!(problem.place.unwrap().contains("data_batch_2.bin"));
    }

    #[test]
    fn impossible_labels_are_told_with_their_place() {
        let mut part = Part { height: 32, width: 32, channels: 3, pixels: Vec::new(), labels: Vec::new() };
        let problem = read_records(Variant::Ten, &batch(Variant::Ten, &[3, 10]), &mut part).unwrap_err();
        assert!(problem.detail[0].contains("Record 1 (byte 3073) has 10"), "{problem}");
        assert!(read_records(Variant::Ten, &[], &mut part).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn damaged_batches_never_panic(damage in testing::damage(), hundred: bool) {
            let variant = if hundred { Variant::Hundred } else { Variant::Ten };
            let bytes = damage.apply(&batch(variant, &[3, 9, 1]));
            let mut part = Part { height: 32, width: 32, channels: 3, pixels: Vec::new(), labels: Vec::new() };
            let _ = sniff(&mut std::io::Cursor::new(&bytes), bytes.len() as u64);
            let _ = read_records(variant, &bytes, &mut part);
            prop_assert_eq!(part.pixels.len(), part.labels.len() * PICTURE);
        }
    }
}
