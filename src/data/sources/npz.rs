//! NumPy archives (`.npz`): a zip of arrays with pictures and labels, under the names that are in common use.

use super::npy::{self, Element, Header};
use super::part::{self, Part, Source};
use super::sniff;
use crate::experiment::{Problem, Result};
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

const TRAIN: [(&str, &str); 3] = [("x_train", "y_train"), ("X_train", "y_train"), ("train_images", "train_labels")];
const TEST: [(&str, &str); 3] = [("x_test", "y_test"), ("X_test", "y_test"), ("test_images", "test_labels")];
const SINGLE: [(&str, &str); 5] =
    [("images", "labels"), ("X", "y"), ("x", "y"), ("data", "labels"), ("arr_0", "arr_1")];

/// Deflate cannot pack more than this many bytes into one.
const MOST_DEFLATE: u64 = 1032;

struct Archive<R> {
    zip: zip::ZipArchive<R>,
    /// Array names, with the index of their entry.
    arrays: Vec<(String, usize)>,
}

fn damaged(error: impl std::fmt::Display) -> Problem {
    Problem::bad_file("This zip archive (npz) is cut off or damaged.")
        .because(error)
        .remedy("Save or download the file again.")
}

impl<R: Read + Seek> Archive<R> {
    fn new(reader: R) -> Result<Self> {
        let mut zip = zip::ZipArchive::new(reader).map_err(damaged)?;
        let mut arrays = Vec::new();
        for index in 0..zip.len() {
            let entry = zip.by_index(index).map_err(damaged)?;
            let name = entry.name().map_err(damaged)?.into_owned();
            if name.contains("..") || entry.enclosed_name().is_none() {
                return Err(Problem::bad_file("This archive has an entry that points outside of it.")
                    .because(format!("The entry is called `{name}`."))
                    .remedy("Do not trust this file; get it from its author."));
            }
            if let Some(array) = name.strip_suffix(".npy") {
                arrays.push((array.to_owned(), index));
            }
        }
        Ok(Self { zip, arrays })
    }

    fn has(&self, name: &str) -> bool {
        self.arrays.iter().any(|(array, _)| array == name)
    }

    /// The header of an array and a reader that stands at its first value.
    fn array(&mut self, name: &str) -> Result<(Header, impl Read + '_)> {
        let index = self.arrays.iter().find(|(array, _)| array == name).map(|&(_, index)| index);
        let index = index.ok_or_else(|| Problem::bad_input(format!("There is no array `{name}`.")))?;
        let mut entry = self.zip.by_index(index).map_err(damaged)?;
        let (size, packed) = (entry.size(), entry.compressed_size());
        let header = npy::read_header(&mut entry).map_err(|problem| problem.at(format!("array `{name}`")))?;
        if header.bytes() as u64 > size || size > packed.saturating_mul(MOST_DEFLATE) {
            return Err(damaged(format!(
                "Array `{name}` promises {} bytes; the archive holds {packed} packed bytes.",
                header.bytes()
            )));
        }
        Ok((header, entry))
    }
}

/// How the axes of an array of pictures are used.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Layout {
    rows: usize,
    height: usize,
    width: usize,
    channels: usize,
    channels_last: bool,
}

impl Layout {
    fn of(shape: &[usize]) -> Result<Self> {
        let planes = |rows, channels, height, width| Self { rows, height, width, channels, channels_last: false };
        let layout = match *shape {
            [rows, height, width] => planes(rows, 1, height, width),
            [rows, height, width, channels @ (1 | 3)] => Self { rows, height, width, channels, channels_last: true },
            [rows, channels @ (1 | 3), height, width] => planes(rows, channels, height, width),
            [rows, values] => match (side_of(values), values % 3 == 0, side_of(values / 3)) {
                (Some(side), _, _) => planes(rows, 1, side, side),
                (None, true, Some(side)) => planes(rows, 3, side, side),
                _ => return Err(bad_shape(shape)),
            },
            _ => return Err(bad_shape(shape)),
        };
        if [layout.rows, layout.height, layout.width].contains(&0) {
            return Err(
                Problem::bad_file("There are no pictures in this array.").because(format!("Its shape is {shape:?}."))
            );
        }
        Ok(layout)
    }
}

fn side_of(area: usize) -> Option<usize> {
    let side = area.isqrt();
    (side * side == area).then_some(side)
}

fn bad_shape(shape: &[usize]) -> Problem {
    Problem::bad_input("The pictures of this npz archive have an unknown shape.")
        .because(format!("The shape is {shape:?}."))
        .remedy("Known are N x H x W, N x H x W x C and N x C x H x W with 1 or 3 channels.")
}

/// 8-bit pixels, planes first, and a note when numbers were converted.
fn read_pictures<R: Read + Seek>(archive: &mut Archive<R>, name: &str) -> Result<(Layout, Vec<u8>, Option<String>)> {
    let at = |problem: Problem| problem.at(format!("array `{name}`"));
    let (header, values) = archive.array(name)?;
    let layout = Layout::of(&header.shape).map_err(at)?;
    part::check_memory(layout.rows as u64, layout.height as u64, layout.width as u64)?;
    // The range is known only after all values were seen, so the array is read twice instead of kept twice.
    let (mut low, mut high, mut number) = (f64::INFINITY, f64::NEG_INFINITY, true);
    npy::for_each_value(&header, values, |value| {
        number &= value.is_finite();
        low = low.min(value);
        high = high.max(value);
    })
    .map_err(at)?;
    if !number || low < 0.0 || high > 255.0 {
        return Err(at(Problem::bad_input("The pixels of this npz archive have an unknown range.")
            .because(format!(
                "They go from {low} to {high}{}.",
                if number { "" } else { ", with some that are no numbers" }
            ))
            .remedy("Known are 0..255 and 0..1; save the pictures as they were before normalisation.")));
    }
    let unit = header.element == Element::Float && high <= 1.0;
    let scale = if unit { 255.0 } else { 1.0 };
    let mut pixels = vec![0; header.count];
    let (area, per_row) = (layout.height * layout.width, layout.height * layout.width * layout.channels);
    let mut index = 0;
    let (header, values) = archive.array(name)?;
    npy::for_each_value(&header, values, |value| {
        let to = if layout.channels_last {
            let (row, rest) = (index / per_row, index % per_row);
            row * per_row + rest % layout.channels * area + rest / layout.channels
        } else {
            index
        };
        pixels[to] = (value * scale).round() as u8;
        index += 1;
    })
    .map_err(at)?;
    let note = (header.element == Element::Float).then(|| {
        format!("Array `{name}` holds floating-point pixels from {low} to {high}; they were rounded to 8 bits.")
    });
    Ok((layout, pixels, note))
}

/// Class indices, or one-hot rows.
fn read_labels<R: Read + Seek>(archive: &mut Archive<R>, name: &str) -> Result<Vec<i64>> {
    let at = |problem: Problem| problem.at(format!("array `{name}`"));
    let (header, values) = archive.array(name)?;
    let columns = match header.shape[..] {
        [_] | [_, 1] => 1,
        [_, columns] if columns > 1 => columns,
        _ => {
            return Err(at(Problem::bad_input("The labels of this npz archive have an unknown shape.")
                .because(format!("The shape is {:?}.", header.shape))
                .remedy("Known are N class indices and N x K one-hot rows.")));
        }
    };
    let mut labels = Vec::new();
    let (mut index, mut bad) = (0, None);
    npy::for_each_value(&header, values, |value| {
        if columns == 1 {
            if value < 0.0 || value.fract() != 0.0 || !value.is_finite() {
                bad.get_or_insert((index, value));
            }
            labels.push(value as i64);
        } else if value == 1.0 {
            labels.push((index % columns) as i64);
        } else if value != 0.0 {
            bad.get_or_insert((index / columns, value));
        }
        index += 1;
    })
    .map_err(at)?;
    match bad {
        Some((row, value)) => Err(at(Problem::bad_file(format!("Row {row} has the label {value}."))
            .remedy("Labels must be class indices (0, 1, 2, ...) or one-hot rows."))),
        None => Ok(labels),
    }
}

fn read_part<R: Read + Seek>(
    archive: &mut Archive<R>,
    names: &[(&str, &str)],
    notes: &mut Vec<String>,
) -> Result<Option<Part>> {
    let Some((pictures, labels)) = names.iter().find(|(p, l)| archive.has(p) && archive.has(l)) else {
        return Ok(None);
    };
    let (layout, pixels, note) = read_pictures(archive, pictures)?;
    let labels = read_labels(archive, labels)?;
    notes.extend(note);
    if labels.len() != layout.rows {
        return Err(Problem::bad_file(format!(
            "Array `{pictures}` has {} rows, but there are {} labels.",
            layout.rows,
            labels.len()
        )));
    }
    let Layout { height, width, channels, .. } = layout;
    Ok(Some(Part { height, width, channels, pixels, labels }))
}

fn read_archive(reader: impl Read + Seek, name: String) -> Result<Source> {
    let mut archive = Archive::new(reader)?;
    let mut notes = Vec::new();
    let mut train = read_part(&mut archive, &TRAIN, &mut notes)?;
    let test = read_part(&mut archive, &TEST, &mut notes)?;
    if train.is_none() && test.is_none() {
        train = read_part(&mut archive, &SINGLE, &mut notes)?;
    }
    if train.is_none() && test.is_none() {
        let names: Vec<&str> = archive.arrays.iter().map(|(name, _)| name.as_str()).collect();
        return Err(Problem::bad_input("This npz archive has no pictures with labels under a known name.")
            .because(format!("Its arrays: {}.", names.join(", ")))
            .remedy("Name them x_train, y_train, x_test and y_test; or images and labels."));
    }
    let classes = part::numbered_classes(&[train.as_ref(), test.as_ref()])?;
    Ok(Source { name, format: "npz", classes, train, test, notes })
}

fn open(path: &Path) -> Result<BufReader<File>> {
    Ok(BufReader::new(File::open(path).map_err(|e| sniff::cannot_read(path, &e))?))
}

/// Whether a zip archive holds NumPy arrays; other zip archives are none of ours.
pub(super) fn holds_arrays(path: &Path) -> Result<bool> {
    let archive = Archive::new(open(path)?).map_err(|problem| problem.at(path.display()))?;
    Ok(!archive.arrays.is_empty())
}

pub(super) fn read(path: &Path) -> Result<Source> {
    let source = read_archive(open(path)?, sniff::file_name(path));
    source.map_err(|mut problem| {
        problem.place = Some(match problem.place {
            Some(array) => format!("{}, {array}", path.display()),
            None => path.display().to_string(),
        });
        problem
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::sources::npy::tests::npy;
    use crate::data::sources::testing;
    use proptest::prelude::*;
    use std::io::{Cursor, Write};
    use zip::CompressionMethod;
    use zip::write::SimpleFileOptions;

    fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in arrays {
            let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
            zip.start_file(*name, options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn read_bytes(bytes: &[u8]) -> Result<Source> {
        read_archive(Cursor::new(bytes), "toy.npz".to_owned())
    }

    fn floats(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    #[test]
    fn keras_style_channels_last() {
        let source = read_bytes(&npz(&[
            ("x_train.npy", npy("|u1", "(2, 1, 2, 3)", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])),
            ("y_train.npy", npy("<i8", "(2, 1)", &[[0u8; 8], [1, 0, 0, 0, 0, 0, 0, 0]].concat())),
            ("x_test.npy", npy("|u1", "(1, 1, 2, 3)", &[0; 6])),
            ("y_test.npy", npy("|u1", "(1,)", &[1])),
        ]))
        .unwrap();
        let train = source.train.unwrap();
        assert_eq!(train.pixels, [1, 4, 2, 5, 3, 6, 7, 10, 8, 11, 9, 12]);
        assert_eq!(train.labels, [0, 1]);
        assert_eq!(source.test.unwrap().labels, [1]);
        assert_eq!(source.classes, ["0", "1"]);
    }

    #[test]
    fn floats_from_zero_to_one_are_scaled_and_noted() {
        let source = read_bytes(&npz(&[
            ("images.npy", npy("<f4", "(2, 1, 1, 2)", &floats(&[0.0, 1.0, 0.5, 0.2]))),
            ("labels.npy", npy("<f4", "(2, 2)", &floats(&[0.0, 1.0, 1.0, 0.0]))),
        ]))
        .unwrap();
        let part = source.train.unwrap();
        assert_eq!(part.pixels, [0, 255, 128, 51]);
        assert_eq!(part.labels, [1, 0]);
        assert!(source.notes[0].contains("rounded"));
    }

    #[test]
    fn flat_rows_are_square_pictures() {
        assert_eq!(Layout::of(&[5, 784]).unwrap().height, 28);
        let colour = Layout::of(&[5, 3072]).unwrap();
        assert_eq!((colour.channels, colour.width), (3, 32));
        assert!(Layout::of(&[5, 7]).is_err());
        assert!(Layout::of(&[0, 28, 28]).is_err());
    }

    #[test]
    fn unsuitable_archives_are_told_in_words() {
        let labels = ("y.npy", npy("|u1", "(1,)", &[0]));
        let with = |x: Vec<u8>| read_bytes(&npz(&[("x.npy", x), labels.clone()])).unwrap_err().to_string();
        assert!(with(npy("<f4", "(1, 1, 1)", &floats(&[-2.0]))).contains("range"));
        assert!(with(npy("<f4", "(1, 1, 1)", &floats(&[f32::NAN]))).contains("no numbers"));
        assert!(with(npy("|O", "(1, 1, 1)", &[])).contains("Python objects"));
        assert!(with(npy("|u1", "(2, 1, 1)", &[1, 2])).contains("2 rows, but there are 1 labels"));
        assert!(with(npy("|u1", "(1, 9, 9)", &[1])).contains("promises 81 bytes"));
        let names = read_bytes(&npz(&[("mask.npy", npy("|u1", "(1,)", &[0]))])).unwrap_err();
        assert_eq!(names.detail, ["Its arrays: mask."]);
    }

    #[test]
    fn entries_that_point_outside_are_refused() {
        let problem = read_bytes(&npz(&[("../../x_train.npy", npy("|u1", "(1,)", &[0]))])).unwrap_err();
        assert!(problem.headline.contains("points outside"), "{problem}");
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_unpacked() {
        let huge = npy("|u1", "(1000000, 10000, 10000)", &[0; 1000]);
        let problem = read_bytes(&npz(&[("x.npy", huge), ("y.npy", npy("|u1", "(1,)", &[0]))])).unwrap_err();
        assert!(problem.detail[0].contains("promises"), "{problem}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn damaged_archives_never_panic(damage in testing::damage()) {
            let good = npz(&[
                ("images.npy", npy("<f4", "(2, 1, 1, 2)", &floats(&[0.0, 1.0, 0.5, 0.2]))),
                ("labels.npy", npy("|u1", "(2,)", &[0, 1])),
            ]);
            let _ = read_bytes(&damage.apply(&good));
        }

        #[test]
        fn damaged_arrays_never_panic(damage in testing::damage()) {
            let array = damage.apply(&npy("<f4", "(2, 1, 1, 2)", &floats(&[0.0, 1.0, 0.5, 0.2])));
            let _ = read_bytes(&npz(&[("images.npy", array), ("labels.npy", npy("|u1", "(2,)", &[0, 1]))]));
        }
    }
}
