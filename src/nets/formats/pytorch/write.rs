//! Files as `torch.save` writes them: a zip archive with a pickle and the data of its tensors.

use crate::data::pickle::Value;
use crate::data::pickle::write::{self, call, global, text, tuple};
use crate::experiment::{Problem, Result};
use crate::nets::Params;
use crate::nets::params::bytes_of;
use crate::run::atomic;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;
use tch::{Kind, Tensor};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// PyTorch maps storages into memory from this alignment.
const ALIGNMENT: u16 = 64;

/// A file in the making: tensors are handed in first, then the structure that refers to them is written.
#[derive(Default)]
pub struct TorchFile {
    storages: Vec<Vec<u8>>,
}

impl TorchFile {
    /// A tensor as a value of the structure.
    pub fn tensor(&mut self, tensor: &Tensor) -> Result<Value> {
        let class = match tensor.kind() {
            Kind::Float => "FloatStorage",
            Kind::Double => "DoubleStorage",
            Kind::Half => "HalfStorage",
            Kind::BFloat16 => "BFloat16Storage",
            Kind::Int64 => "LongStorage",
            Kind::Int => "IntStorage",
            Kind::Uint8 => "ByteStorage",
            Kind::Bool => "BoolStorage",
            other => return Err(Problem::internal(format!("Tensors of kind {other:?} cannot be written."))),
        };
        let numel = Value::Int(tensor.numel() as i64);
        let key = text(self.storages.len().to_string());
        let storage = tuple([text("storage"), global("torch", class), key, text("cpu"), numel]);
        self.storages.push(bytes_of(tensor)?);
        let sizes = tensor.size();
        let strides = sizes.iter().rev().scan(1, |stride, size| {
            let own = *stride;
            *stride *= size;
            Some(own)
        });
        let mut strides: Vec<i64> = strides.collect();
        strides.reverse();
        let whole = |numbers: &[i64]| tuple(numbers.iter().map(|&number| Value::Int(number)));
        let arguments = vec![
            Value::PersistentId(Arc::new(storage)),
            Value::Int(0),
            whole(&sizes),
            whole(&strides),
            Value::Bool(false),
            ordered([]),
        ];
        Ok(Value::Opaque(Arc::new(call("torch._utils", "_rebuild_tensor_v2", arguments))))
    }

    /// A state dict: tensors by name, in order.
    pub fn state_dict(&mut self, params: &Params) -> Result<Value> {
        let pairs: Result<Vec<_>> =
            params.iter().map(|(name, tensor)| Ok((text(name), self.tensor(tensor)?))).collect();
        Ok(ordered(pairs?))
    }

    /// Writes the file; it appears under its name when it is whole.
    pub fn write(self, path: &Path, root: &Value) -> Result<()> {
        let failed = |e: &dyn std::fmt::Display| {
            Problem::internal("Cannot put this PyTorch file together.").at(path.display()).because(e)
        };
        let stored = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .with_alignment(ALIGNMENT)
            .large_file(self.storages.iter().any(|bytes| bytes.len() >= u32::MAX as usize));
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        let mut entry = |name: &str, bytes: &[u8]| -> Result<()> {
            archive.start_file(format!("archive/{name}"), stored).map_err(|e| failed(&e))?;
            archive.write_all(bytes).map_err(|e| failed(&e))
        };
        entry("data.pkl", &write::write(root))?;
        entry("byteorder", b"little")?;
        for (key, bytes) in self.storages.iter().enumerate() {
            entry(&format!("data/{key}"), bytes)?;
        }
        entry("version", b"3\n")?;
        let bytes = archive.finish().map_err(|e| failed(&e))?.into_inner();
        atomic::write_atomic(path, &bytes)
    }
}

fn ordered(pairs: impl IntoIterator<Item = (Value, Value)>) -> Value {
    let mut dict = call("collections", "OrderedDict", Vec::new());
    dict.pairs = pairs.into_iter().collect();
    Value::Opaque(Arc::new(dict))
}
