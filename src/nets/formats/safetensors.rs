//! Weights as safetensors: read with every check of its library, written so that a file is complete or not there.

use super::{Problem, Result, whole_file};
use crate::data::pickle::layout;
use crate::nets::Params;
use crate::nets::params::bytes_of;
use crate::run::atomic::write_atomic_with;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::Path;
use tch::{Kind, Tensor};

/// Headers of real networks are below 1 MB; the format itself allows 100 MB.
const MAX_HEADER: u64 = 16 << 20;

/// Reads weights and metadata; the weights come in the order in which they were written.
///
/// # Errors
/// Missing, damaged or incomplete files, and element types that libtorch does not have.
pub fn read(path: &Path) -> Result<(Params, BTreeMap<String, String>)> {
    read_bytes(&whole_file(path)?).map_err(|problem| problem.at(path.display()))
}

/// Like [`read`], from memory.
pub fn read_bytes(bytes: &[u8]) -> Result<(Params, BTreeMap<String, String>)> {
    let header_len = bytes.first_chunk::<8>().map(|length| u64::from_le_bytes(*length));
    if header_len.is_some_and(|len| len > MAX_HEADER) {
        return Err(damaged("its header claims to be larger than 16 MB"));
    }
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let (_, info) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
    // The library sorts by position; the header's own order is that of the network.
    let header_end = 8 + header_len.unwrap_or(0) as usize;
    let header: Map<String, Value> = serde_json::from_slice(&bytes[8..header_end]).map_err(damaged)?;
    let mut params = Params::new();
    for name in header.keys().filter(|name| *name != "__metadata__") {
        let view = file.tensor(name).map_err(damaged)?;
        let kind = kind_of(view.dtype()).ok_or_else(|| {
            Problem::bad_file(format!("The tensor `{name}` has elements of a type that is not supported."))
                .because(format!("The type is {:?}.", view.dtype()))
                .remedy("Save the weights as F32, F16 or BF16.")
        })?;
        params.insert(name.as_str(), tensor(view.data(), view.shape(), kind)?);
    }
    let metadata = info.metadata().iter().flatten().map(|(key, text)| (key.clone(), text.clone())).collect();
    Ok((params, metadata))
}

/// Writes weights and metadata. The file appears under its name only when it is complete and on the disk; an older
/// file of that name stays untouched until then.
///
/// # Errors
/// Folders that may not be written, a full disk, and element types that the format does not have.
pub fn write(path: &Path, params: &Params, metadata: &BTreeMap<String, String>) -> Result<()> {
    let mut tensors: Vec<(&str, &Tensor, Dtype)> = Vec::with_capacity(params.len());
    for (name, tensor) in params.iter() {
        let dtype = dtype_of(tensor.kind()).ok_or_else(|| {
            Problem::internal(format!("`{name}` is of kind {:?}, which safetensors cannot hold.", tensor.kind()))
        })?;
        tensors.push((name, tensor, dtype));
    }
    // Wide elements first, so that all data are aligned in memory.
    let mut by_position: Vec<usize> = (0..tensors.len()).collect();
    by_position.sort_by_key(|&i| std::cmp::Reverse(tensors[i].2.bitsize()));
    let mut offsets = vec![(0, 0); tensors.len()];
    let mut end = 0;
    for &i in &by_position {
        let start = end;
        end += tensors[i].1.numel() * tensors[i].2.bitsize() / 8;
        offsets[i] = (start, end);
    }

    let mut header = Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".to_owned(), json!(metadata));
    }
    for ((name, tensor, dtype), (start, end)) in tensors.iter().zip(&offsets) {
        let entry = json!({ "dtype": dtype.to_string(), "shape": tensor.size(), "data_offsets": [start, end] });
        header.insert((*name).to_owned(), entry);
    }
    let mut header =
        serde_json::to_vec(&header).map_err(|e| Problem::internal("Cannot write the header.").because(e))?;
    header.resize(header.len().next_multiple_of(8), b' ');

    write_atomic_with(path, |file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        for &i in &by_position {
            out.write_all(&bytes_of(tensors[i].1).map_err(std::io::Error::other)?)?;
        }
        out.flush()
    })
}

/// A tensor on the processor from little-endian bytes, row by row.
pub(super) fn tensor(bytes: &[u8], shape: &[usize], kind: Kind) -> Result<Tensor> {
    // libtorch copies as many bytes as the shape says: this check is what keeps it inside of `bytes`.
    if layout::byte_len(shape, kind.elt_size_in_bytes()) != Some(bytes.len()) {
        return Err(Problem::bad_file("A tensor's shape does not fit its data.")
            .because(format!("Shape {shape:?} of {kind:?}, {} bytes", bytes.len())));
    }
    let shape: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
    Tensor::f_from_data_size(bytes, &shape, kind)
        .map_err(|error| Problem::bad_file("libtorch cannot make a tensor of this file.").because(error))
}

fn damaged(why: impl std::fmt::Display) -> Problem {
    Problem::bad_file("This safetensors file is cut off or damaged.")
        .because(format!("Its content cannot be right: {why}."))
        .remedy("Copy or download the file again.")
}

fn kind_of(dtype: Dtype) -> Option<Kind> {
    KINDS.iter().find(|(d, _)| *d == dtype).map(|(_, kind)| *kind)
}

fn dtype_of(kind: Kind) -> Option<Dtype> {
    KINDS.iter().find(|(_, k)| *k == kind).map(|(dtype, _)| *dtype)
}

const KINDS: [(Dtype, Kind); 10] = [
    (Dtype::F64, Kind::Double),
    (Dtype::F32, Kind::Float),
    (Dtype::F16, Kind::Half),
    (Dtype::BF16, Kind::BFloat16),
    (Dtype::I64, Kind::Int64),
    (Dtype::I32, Kind::Int),
    (Dtype::I16, Kind::Int16),
    (Dtype::I8, Kind::Int8),
    (Dtype::U8, Kind::Uint8),
    (Dtype::BOOL, Kind::Bool),
];

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn params() -> Params {
        let kinds = KINDS.map(|(_, kind)| kind);
        let values = Tensor::from_slice(&[0i64, 1, 1, 0, 1, 0]).reshape([2, 3]);
        // Names against the alphabet, so that a sorted header would be noticed.
        (0..10)
            .map(|i| (format!("layer{}.weight", 9 - i), values.to_kind(kinds[i])))
            .chain([("scalar".to_owned(), Tensor::from(7i64)), ("empty".to_owned(), Tensor::zeros([0, 3], FLOAT))])
            .collect()
    }

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    fn metadata() -> BTreeMap<String, String> {
        BTreeMap::from([("model_name".to_owned(), "small \"net\"".to_owned())])
    }

    fn written() -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        write(&path, &params(), &metadata()).unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn what_is_written_comes_back_in_its_order() {
        let (back, told) = read_bytes(&written()).unwrap();
        assert_eq!(back.hash().unwrap(), params().hash().unwrap());
        assert_eq!(back.names().collect::<Vec<_>>(), params().names().collect::<Vec<_>>());
        assert_eq!(told, metadata());
    }

    #[test]
    fn the_library_reads_it_aligned() {
        let bytes = written();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let start = bytes.as_ptr() as usize;
        for (name, view) in file.tensors() {
            let offset = view.data().as_ptr() as usize - start;
            assert_eq!(offset % (view.dtype().bitsize() / 8), 0, "{name}");
        }
    }

    #[test]
    fn writing_leaves_one_file_and_replaces_an_older_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        std::fs::write(&path, b"older").unwrap();
        write(&path, &params(), &BTreeMap::new()).unwrap();
        assert_eq!(read(&path).unwrap().0.len(), params().len());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        // A folder stands where the file should go: renaming fails at the very end.
        let taken = folder.path().join("taken");
        std::fs::create_dir(&taken).unwrap();
        let problem = write(&taken, &params(), &metadata()).unwrap_err();
        assert!(problem.place.unwrap().contains("taken"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn every_cut_is_refused() {
        let bytes = written();
        for end in (0..bytes.len()).step_by(7) {
            assert!(read_bytes(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn huge_headers_are_refused_before_they_are_read() {
        let mut bytes = written();
        bytes[..8].copy_from_slice(&(90u64 << 20).to_le_bytes());
        assert!(read_bytes(&bytes).unwrap_err().detail[0].contains("16 MB"));
    }

    #[test]
    fn foreign_types_are_named() {
        let header = br#"{"a":{"dtype":"U16","shape":[1],"data_offsets":[0,2]}}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        bytes.extend([1, 0]);
        assert!(read_bytes(&bytes).unwrap_err().headline.contains("`a`"));
    }
}
