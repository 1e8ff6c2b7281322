//! Hugging Face image data sets in Parquet: a column of encoded pictures and a column of labels.
//!
//! Pictures: `struct<bytes: binary, path: string>` (or plain binary); labels: integers. Class names and column types come
//! from the JSON under the key `huggingface` of the file's metadata; without it, the columns are told by shape and name.

use super::part::{self, Part, Source};
use super::pictures::{self, Decoded};
use super::role::Role;
use super::sniff;
use crate::data::pages::{self, Cells, damaged};
use crate::experiment::{Problem, Result};
use parquet::basic::Type as Physical;
use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::file::reader::{ChunkReader, FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::schema::types::SchemaDescriptor;
use serde_json::Value;
use std::borrow::Cow;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Rows that are read, then decoded in parallel, at a time.
const BATCH: usize = 2048;

/// Which leaf columns are read, and what they mean.
#[derive(Debug)]
struct Columns {
    picture: usize,
    label: usize,
    label_name: String,
    /// Class names, when the file has them.
    classes: Option<Vec<String>>,
}

/// The features of the `huggingface` metadata: column name -> description.
fn features(metadata: &parquet::file::metadata::FileMetaData) -> serde_json::Map<String, Value> {
    let entries = metadata.key_value_metadata().map_or(&[][..], Vec::as_slice);
    let text = entries.iter().find(|entry| entry.key == "huggingface").and_then(|entry| entry.value.as_deref());
    let json: Value = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    json.pointer("/info/features").and_then(Value::as_object).cloned().unwrap_or_default()
}

impl Columns {
    fn find(schema: &SchemaDescriptor, features: &serde_json::Map<String, Value>) -> Result<Self> {
        let of_type = |wanted: &str| {
            let described = features.iter().filter(move |(_, feature)| feature["_type"] == wanted);
            described.map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        let leaf = |name: &str, fits: &dyn Fn(Physical) -> bool| {
            schema.columns().iter().position(|column| {
                let parts = column.path().parts();
                let named = matches!(parts, [only] if only == name)
                    || matches!(parts, [outer, inner] if outer == name && inner == "bytes");
                named && column.max_rep_level() == 0 && fits(column.physical_type())
            })
        };
        let is_bytes = |physical| physical == Physical::BYTE_ARRAY;
        let is_integer = |physical| matches!(physical, Physical::INT32 | Physical::INT64);
        let usual = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let structs = schema.columns().iter().filter_map(|column| match column.path().parts() {
            [outer, inner] if inner == "bytes" => Some(outer.clone()),
            _ => None,
        });
        let pictures = [of_type("Image"), structs.collect(), usual(&["image", "img", "picture", "bytes"])].concat();
        let labels =
            [usual(&["label", "labels", "fine_label"]), of_type("ClassLabel"), usual(&["coarse_label", "target", "y"])]
                .concat();
        let missing = |what: &str| {
            let names: Vec<String> = schema.columns().iter().map(|column| column.path().string()).collect();
            Problem::bad_input(format!("This Parquet file has no column of {what}."))
                .because(format!("Its columns: {}.", names.join(", ")))
                .remedy("Known are pictures in `image` or `img` (struct<bytes, path>) and integers in `label` or `fine_label`.")
        };
        let picture = pictures.iter().find_map(|name| leaf(name, &is_bytes)).ok_or_else(|| missing("pictures"))?;
        let (label, label_name) = labels
            .iter()
            .find_map(|name| Some((leaf(name, &is_integer)?, name.clone())))
            .ok_or_else(|| missing("labels"))?;
        let names = features.get(&label_name).and_then(|feature| feature["names"].as_array());
        let classes = names.map(|names| names.iter().map(|name| name.as_str().unwrap_or("?").to_owned()).collect());
        Ok(Self { picture, label, label_name, classes })
    }
}

enum Labels {
    Short(Cells<parquet::data_type::Int32Type>),
    Long(Cells<parquet::data_type::Int64Type>),
}

impl Labels {
    fn next(&mut self, most: usize) -> Result<Vec<Option<i64>>> {
        match self {
            Labels::Short(cells) => Ok(cells.next(most)?.into_iter().map(|label| label.map(i64::from)).collect()),
            Labels::Long(cells) => cells.next(most),
        }
    }
}

/// The picture and label cells of one row group.
fn open_row_group(
    group: &dyn RowGroupReader,
    schema: &SchemaDescriptor,
    columns: &Columns,
) -> Result<(Cells<parquet::data_type::ByteArrayType>, Labels)> {
    let pictures = match pages::open(group, schema, columns.picture)? {
        (ColumnReader::ByteArrayColumnReader(reader), full) => Cells { reader, full },
        _ => return Err(damaged("The pictures are not bytes.")),
    };
    let labels = match pages::open(group, schema, columns.label)? {
        (ColumnReader::Int32ColumnReader(reader), full) => Labels::Short(Cells { reader, full }),
        (ColumnReader::Int64ColumnReader(reader), full) => Labels::Long(Cells { reader, full }),
        _ => return Err(damaged("The labels are not integers.")),
    };
    Ok((pictures, labels))
}

/// Collects the rows of all shards of one part.
struct Collector {
    /// 0: the size of the first picture.
    side: usize,
    size: Option<(usize, usize)>,
    pixels: Vec<u8>,
    labels: Vec<i64>,
    colour: bool,
    rows: usize,
    failures: Vec<(String, String)>,
    columns: Option<Columns>,
}

impl Collector {
    fn new(side: usize, size: Option<(usize, usize)>) -> Self {
        let size = if side > 0 { Some((side, side)) } else { size };
        let (pixels, labels, failures) = (Vec::new(), Vec::new(), Vec::new());
        Self { side, size, pixels, labels, colour: false, rows: 0, failures, columns: None }
    }

    /// Reads one shard; `name` is used in words about its rows.
    fn read<R: ChunkReader + 'static>(&mut self, shard: R, name: &str) -> Result<()> {
        let file = SerializedFileReader::new(shard).map_err(damaged)?;
        let metadata = file.metadata().file_metadata();
        let schema = metadata.schema_descr();
        let columns = Columns::find(schema, &features(metadata))?;
        let promised = u64::try_from(metadata.num_rows()).map_err(damaged)?;
        let mut row_in_shard = 0;
        for index in 0..file.num_row_groups() {
            let group = file.get_row_group(index).map_err(damaged)?;
            let (mut pictures, mut labels) = open_row_group(&*group, schema, &columns)?;
            loop {
                let batch = pictures.next(BATCH)?;
                let tags = labels.next(BATCH)?;
                if batch.len() != tags.len() {
                    return Err(damaged(format!(
                        "Row group {index} has {} pictures but {} labels.",
                        batch.len(),
                        tags.len()
                    )));
                }
                if batch.is_empty() {
                    break;
                }
                self.add(&batch, &tags, promised, &|row| format!("{name}, row {}", row_in_shard + row))?;
                row_in_shard += batch.len();
            }
        }
        if row_in_shard as u64 != promised {
            return Err(damaged(format!("{promised} rows are promised, {row_in_shard} are there.")));
        }
        self.columns.get_or_insert(columns);
        Ok(())
    }

    fn add(
        &mut self,
        batch: &[Option<ByteArray>],
        tags: &[Option<i64>],
        promised: u64,
        place: &dyn Fn(usize) -> String,
    ) -> Result<()> {
        let cells: Vec<(&Option<ByteArray>, Option<i64>)> = batch.iter().zip(tags.iter().copied()).collect();
        if self.size.is_none() {
            self.size = batch.iter().flatten().find_map(|bytes| pictures::size(bytes.data()).ok());
        }
        // Before the first good picture any size will do: all of these fail.
        let size = self.size.unwrap_or((1, 1));
        if self.labels.is_empty() {
            part::check_memory(promised, size.0 as u64, size.1 as u64)?;
        }
        let decoded = pictures::decode_all(&cells, size, |(bytes, label)| match (bytes, label) {
            (Some(bytes), Some(_)) => Ok(Cow::Borrowed(bytes.data())),
            (None, _) => Err("has no picture".to_owned()),
            (_, None) => Err("has no label".to_owned()),
        })?;
        self.rows += batch.len();
        self.failures.extend(decoded.failures.iter().map(|(row, reason)| (place(*row), reason.clone())));
        self.labels.extend(decoded.kept(tags.iter().copied()).into_iter().flatten());
        self.colour |= decoded.colour;
        self.pixels.extend_from_slice(&decoded.pixels);
        Ok(())
    }

    /// Nothing when no row has a label: the test part of some data sets is published like that.
    fn finish(self, notes: &mut Vec<String>) -> Result<Option<Part>> {
        pictures::check_failures(&self.failures, self.rows)?;
        notes.extend(pictures::failure_notes(&self.failures));
        if self.labels.iter().all(|&label| label < 0) {
            notes.push("A part without labels was left out.".to_owned());
            return Ok(None);
        }
        let size = self.size.unwrap_or((self.side, self.side));
        let decoded = Decoded { pixels: self.pixels, failures: Vec::new(), colour: self.colour };
        Ok(Some(decoded.into_part(size, self.labels)))
    }
}

/// A part and what its first shard says about columns.
fn read_shards(
    shards: &[&Path],
    side: usize,
    size: Option<(usize, usize)>,
    notes: &mut Vec<String>,
) -> Result<Option<(Part, Columns)>> {
    let mut collector = Collector::new(side, size);
    for path in shards {
        let file = File::open(path).map_err(|e| sniff::cannot_read(path, &e))?;
        // The decoders check most, but not all of what a damaged page may say by assertions.
        let read = || collector.read(file, &sniff::file_name(path));
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(read))
            .unwrap_or_else(|_| Err(damaged("A page cannot be decoded.")))
            .map_err(|problem| problem.at(path.display()))?;
    }
    let Some(columns) = collector.columns.take() else { return Ok(None) };
    let part = collector.finish(notes).map_err(|problem| match shards.first() {
        Some(path) => problem.at(path.display()),
        None => problem,
    })?;
    Ok(part.map(|part| (part, columns)))
}

/// A file that is named like a shard.
pub(super) fn looks_like(name: &str) -> bool {
    name.ends_with(".parquet")
}

/// One file, or all shards of a folder; `train`, `test` and `validation` in the names tell the part.
pub(super) fn read_files(name: String, files: &[PathBuf], side: usize) -> Result<Source> {
    let of = |role: Role| files.iter().map(PathBuf::as_path).filter(move |path| Role::of_file(path) == Some(role));
    let [mut train, test, validation]: [Vec<&Path>; 3] =
        [Role::Train, Role::Test, Role::Validation].map(|role| of(role).collect());
    if [&train, &test, &validation].into_iter().all(Vec::is_empty) {
        train = files.iter().map(PathBuf::as_path).collect();
    }
    let mut notes = Vec::new();
    let train = read_shards(&train, side, None, &mut notes)?;
    let size = train.as_ref().map(|(part, _)| (part.height, part.width));
    let mut other = read_shards(&test, side, size, &mut notes)?;
    if other.is_none() {
        other = read_shards(&validation, side, size, &mut notes)?;
    }
    let (train, train_columns) = train.unzip();
    let (test, test_columns) = other.unzip();
    let Some(columns) = train_columns.or(test_columns) else {
        return Err(Problem::bad_file("There are no labelled pictures in this Parquet data set.").at(name));
    };
    let classes = match columns.classes {
        Some(names) => names,
        None => part::numbered_classes(&[train.as_ref(), test.as_ref()])?,
    };
    if columns.label_name != "label" {
        notes.push(format!("Labels come from the column `{}`.", columns.label_name));
    }
    Ok(Source { name, format: "parquet", classes, train, test, notes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::sources::pictures::tests::{grey_png, png};
    use crate::data::sources::{SourceChoice, open, testing};
    use parquet::data_type::{ByteArrayType, Int64Type};
    use parquet::file::metadata::KeyValue;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use proptest::prelude::*;
    use std::sync::Arc;

    /// A file in the Hugging Face layout with one row group; `None` is a null picture.
    fn shard(rows: &[(Option<Vec<u8>>, i64)], names: Option<&[&str]>) -> Vec<u8> {
        let schema = "message schema { optional group img { optional binary bytes; optional binary path (UTF8); }
            optional int64 label; }";
        let metadata = names.map(|names| {
            let json = serde_json::json!({ "info": { "features": {
                "img": { "_type": "Image" }, "label": { "names": names, "_type": "ClassLabel" } } } });
            vec![KeyValue::new("huggingface".to_owned(), json.to_string())]
        });
        let properties = WriterProperties::builder()
            .set_compression(parquet::basic::Compression::SNAPPY)
            .set_key_value_metadata(metadata)
            .build();
        let mut bytes = Vec::new();
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let levels: Vec<i16> = rows.iter().map(|(bytes, _)| if bytes.is_some() { 2 } else { 1 }).collect();
        let pictures: Vec<ByteArray> = rows.iter().flat_map(|(bytes, _)| bytes.clone()).map(ByteArray::from).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&pictures, Some(&levels), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&[], Some(&vec![1; rows.len()]), None).unwrap();
        column.close().unwrap();
        let labels: Vec<i64> = rows.iter().map(|(_, label)| *label).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&labels, Some(&vec![1; rows.len()]), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
        bytes
    }

    fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        folder
    }

    #[test]
    fn shards_join_in_name_order_and_classes_have_names() {
        let names: &[&str] = &["cat", "dog"];
        let folder = folder(&[
            ("data/train-00001-of-00002.parquet", shard(&[(Some(png([3, 0, 0], 2, 2)), 0)], Some(names))),
            (
                "data/train-00000-of-00002.parquet",
                shard(&[(Some(png([1, 0, 0], 2, 2)), 1), (Some(png([2, 0, 0], 2, 2)), 0)], Some(names)),
            ),
            ("data/test-00000-of-00001.parquet", shard(&[(Some(png([9, 0, 0], 4, 4)), 1)], Some(names))),
            ("README.md", b"A data set".to_vec()),
        ]);
        let split = open(&folder.path().to_string_lossy(), &SourceChoice::default()).unwrap();
        assert_eq!(split.train.labels, [1, 0, 0]);
        assert_eq!(split.train.card.classes, names);
        let reds = split.train.pixels.select(1, 0).select(1, 0).select(1, 0);
        assert_eq!(Vec::<u8>::try_from(&reds).unwrap(), [1, 2, 3]);
        assert_eq!(split.test.pixels.size(), [1, 3, 2, 2]);
    }

    #[test]
    fn without_metadata_columns_are_told_by_shape() {
        let rows: Vec<_> = (0..4).map(|row| (Some(grey_png(row, 2, 2)), i64::from(row) % 2)).collect();
        let folder = folder(&[("some.parquet", shard(&rows, None))]);
        let source = read_files("some".to_owned(), &[folder.path().join("some.parquet")], 3).unwrap();
        assert_eq!(source.classes, ["0", "1"]);
        let part = source.train.unwrap();
        assert_eq!((part.channels, part.height, part.width), (1, 3, 3));
    }

    #[test]
    fn missing_and_damaged_pictures_are_listed_with_their_row() {
        let rows = [(Some(grey_png(1, 2, 2)), 0), (None, 1), (Some(b"no".to_vec()), 1), (Some(grey_png(4, 2, 2)), 1)];
        let folder = folder(&[("all.parquet", shard(&rows, None))]);
        let source = read_files("all".to_owned(), &[folder.path().join("all.parquet")], 0).unwrap();
        assert_eq!(source.train.unwrap().labels, [0, 1]);
        assert_eq!(source.notes[0], "Left out: all.parquet, row 1: has no picture");
        assert!(source.notes[1].starts_with("Left out: all.parquet, row 2"));
    }

    #[test]
    fn a_test_part_without_labels_gives_way_to_validation() {
        let row = |label| shard(&[(Some(grey_png(1, 2, 2)), label)], Some(&["a"]));
        let folder =
            folder(&[("train-0.parquet", row(0)), ("test-0.parquet", row(-1)), ("validation-0.parquet", row(0))]);
        let split = open(&folder.path().to_string_lossy(), &SourceChoice::default()).unwrap();
        assert_eq!(split.test.labels, [0]);
    }

    #[test]
    fn folders_may_tell_the_part() {
        let row = |rows: usize| shard(&vec![(Some(grey_png(1, 2, 2)), 0); rows], None);
        let folder = folder(&[("default/train/0000.parquet", row(3)), ("default/test/0000.parquet", row(2))]);
        let split = open(&folder.path().to_string_lossy(), &SourceChoice::default()).unwrap();
        assert_eq!((split.train.labels.len(), split.test.labels.len()), (3, 2));
    }

    #[test]
    fn pointers_and_cut_files_are_told_in_words() {
        let good = shard(&[(Some(grey_png(1, 2, 2)), 0)], None);
        let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n".to_vec();
        let lfs = folder(&[("train-0.parquet", pointer.clone())]);
        assert!(testing::problem(lfs.path()).to_string().contains("git lfs pull"));
        let half = folder(&[("train-0.parquet", good.clone()), ("test-0.parquet", pointer)]);
        assert!(testing::problem(half.path()).place.unwrap().contains("test-0"));
        let cut = folder(&[("train-0.parquet", good[..good.len() / 2].to_vec())]);
        assert!(testing::problem(cut.path()).headline.contains("cut off or damaged"));
    }

    #[test]
    fn other_tables_are_told_by_their_columns() {
        let schema = Arc::new(parse_message_type("message schema { required double x; }").unwrap());
        let mut bytes = Vec::new();
        SerializedFileWriter::new(&mut bytes, schema, Default::default()).unwrap().close().unwrap();
        let folder = folder(&[("train-0.parquet", bytes)]);
        let problem = testing::problem(folder.path());
        assert_eq!(problem.detail, ["Its columns: x."]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn damaged_files_never_panic(damage in testing::damage()) {
            let rows: Vec<_> = (0..4).map(|row| (Some(grey_png(row, 2, 2)), i64::from(row) % 2)).collect();
            let folder = folder(&[("x.parquet", damage.apply(&shard(&rows, Some(&["a", "b"]))))]);
            let _ = read_files("x".to_owned(), &[folder.path().join("x.parquet")], 0);
        }
    }
}
