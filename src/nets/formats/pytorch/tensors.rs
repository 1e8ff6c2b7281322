//! Tensors described in a pickle: which storage, which elements of it, in which shape.

use super::Storages;
use super::legacy::Legacy;
use crate::data::pickle::numpy::{self, Dtype, Number};
use crate::data::pickle::{Global, Value, layout};
use crate::experiment::{Problem, Result};
use crate::nets::formats::{Budget, safetensors};
use tch::{Kind, Tensor};

/// Wrappers around wrappers end here; PyTorch uses two.
const MAX_WRAPPERS: usize = 8;

/// Keys are counters or addresses; a long one is no key.
const MAX_KEY: usize = 100;

/// A reference to a storage.
pub struct StorageRef {
    pub key: String,
    /// Bytes of one element; 1 for untyped storages.
    pub width: usize,
    kind: Option<Kind>,
    /// Where a view into another storage begins and how long it is, in elements: only in old files.
    view: Option<(usize, usize)>,
}

/// The storage that a persistent id refers to:
/// `("storage", type, key, location, count[, None or (view key, offset, size)])`.
pub fn storage_of(id: &Value) -> Option<StorageRef> {
    let Value::PersistentId(id) = id else { return None };
    let [tag, Value::Global(class), key, _location, _count, rest @ ..] = id.items()? else { return None };
    if tag.text() != Some("storage") {
        return None;
    }
    let kind = kind_of_storage(class);
    let width = match kind {
        Some(kind) => kind.elt_size_in_bytes(),
        // Quantised and complex storages: known only to be skipped over.
        None => match class.name.as_str() {
            "UntypedStorage" | "QInt8Storage" | "QUInt8Storage" | "QUInt4x2Storage" | "QUInt2x4Storage" => 1,
            "QInt32Storage" => 4,
            "ComplexFloatStorage" => 8,
            "ComplexDoubleStorage" => 16,
            _ => return None,
        },
    };
    let view = rest.first().and_then(Value::items).and_then(|view| match view {
        [_, offset, size] => Some((size_of(offset)?, size_of(size)?)),
        _ => None,
    });
    let key = key.text().filter(|key| key.len() <= MAX_KEY)?.to_owned();
    Some(StorageRef { key, width, kind, view })
}

fn kind_of_storage(class: &Global) -> Option<Kind> {
    Some(match class.name.strip_suffix("Storage")? {
        "Double" => Kind::Double,
        "Float" => Kind::Float,
        "Half" => Kind::Half,
        "BFloat16" => Kind::BFloat16,
        "Long" => Kind::Int64,
        "Int" => Kind::Int,
        "Short" => Kind::Int16,
        "Char" => Kind::Int8,
        "Byte" => Kind::Uint8,
        "Bool" => Kind::Bool,
        _ => return None,
    })
}

fn kind_of_dtype(dtype: &Value) -> Option<Kind> {
    let Value::Global(dtype) = dtype else { return None };
    Some(match dtype.name.as_str() {
        "float64" | "double" => Kind::Double,
        "float32" | "float" => Kind::Float,
        "float16" | "half" => Kind::Half,
        "bfloat16" => Kind::BFloat16,
        "int64" | "long" => Kind::Int64,
        "int32" | "int" => Kind::Int,
        "int16" | "short" => Kind::Int16,
        "int8" => Kind::Int8,
        "uint8" => Kind::Uint8,
        "bool" => Kind::Bool,
        _ => return None,
    })
}

/// Whether `value` describes a tensor (readable or not).
pub fn is_tensor(value: &Value) -> bool {
    let Some(Value::Global(global)) = value.opaque().map(|object| &object.callable) else { return false };
    match global.module.as_str() {
        "torch._utils" | "torch._tensor" => global.name.starts_with("_rebuild"),
        "torch.nn.parameter" => matches!(global.name.as_str(), "Parameter" | "Buffer"),
        _ => false,
    }
}

/// A tensor's content: elements little-endian, row by row.
pub struct Raw {
    pub kind: Kind,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

impl Raw {
    pub fn tensor(&self) -> Result<Tensor> {
        safetensors::tensor(&self.bytes, &self.shape, self.kind)
    }
}

/// What became of a tensor's description.
pub enum Found {
    Tensor(Raw),
    /// Sound, but of a kind that cannot be read; the reason.
    Unsupported(String),
}

/// Reads described tensors from a container's storages.
pub struct Reader<'a> {
    storages: Box<dyn Storages + 'a>,
    budget: Budget,
}

impl<'a> Reader<'a> {
    pub fn new(storages: Box<dyn Storages + 'a>, file_len: usize) -> Self {
        Self { storages, budget: Budget::for_file(file_len) }
    }

    /// The tensor that `value` describes (see [`is_tensor`]); numpy arrays count too.
    pub fn read(&mut self, value: &Value) -> Result<Found> {
        if let Some(array) = numpy::array(value)? {
            let Some(kind) = kind_of_array(array.dtype) else {
                return Ok(Found::Unsupported(format!("a numpy array of {:?}", array.dtype)));
            };
            self.budget.charge(array.bytes.len())?;
            return Ok(Found::Tensor(Raw { kind, shape: array.shape.clone(), bytes: array.bytes.to_vec() }));
        }
        let Some(object) = value.opaque() else { return Err(malformed("it is not an object")) };
        let Value::Global(function) = &object.callable else { return Err(malformed("its type has no name")) };
        self.rebuild(function, &object.args, 0)
    }

    /// Pays for a copy of something in the file (see [`Budget`]).
    pub fn charge(&mut self, bytes: usize) -> Result<()> {
        self.budget.charge(bytes)
    }

    /// A number: Python's, numpy's, or a tensor with one element.
    pub fn number(&mut self, value: &Value) -> Option<Number> {
        match value {
            Value::Bool(bool) => return Some(Number::Bool(*bool)),
            Value::Int(int) => return Some(Number::Int(*int)),
            Value::Float(float) => return Some(Number::Float(*float)),
            _ => {}
        }
        if let Some(number) = numpy::scalar(value) {
            return Some(number);
        }
        if !is_tensor(value) {
            return None;
        }
        let Ok(Found::Tensor(raw)) = self.read(value) else { return None };
        if raw.shape.iter().product::<usize>() != 1 {
            return None;
        }
        let dtype = match raw.kind {
            Kind::Double => Dtype::F64,
            Kind::Float => Dtype::F32,
            Kind::Half => Dtype::F16,
            Kind::Int64 => Dtype::I64,
            Kind::Int => Dtype::I32,
            Kind::Int16 => Dtype::I16,
            Kind::Int8 => Dtype::I8,
            Kind::Uint8 => Dtype::U8,
            Kind::Bool => Dtype::Bool,
            _ => return None,
        };
        numpy::Array { dtype, shape: Vec::new(), bytes: raw.bytes.into() }.numbers().next()
    }

    fn rebuild(&mut self, function: &Global, args: &[Value], wrappers: usize) -> Result<Found> {
        if wrappers > MAX_WRAPPERS {
            return Err(malformed("it is wrapped too often"));
        }
        match (function.module.as_str(), function.name.as_str(), args) {
            // (data, requires_grad, hooks[, state])
            (_, "_rebuild_parameter" | "_rebuild_parameter_with_state" | "Parameter" | "Buffer", [data, ..]) => {
                let Some(inner) = data.opaque() else { return Err(malformed("a parameter holds no tensor")) };
                let Value::Global(inner_function) = &inner.callable else {
                    return Err(malformed("a parameter holds no tensor"));
                };
                self.rebuild(inner_function, &inner.args, wrappers + 1)
            }
            // (function, type, arguments, state)
            ("torch._tensor", "_rebuild_from_type_v2", [Value::Global(inner), _, inner_args, ..]) => {
                let inner_args = inner_args.items().ok_or_else(|| malformed("its arguments are missing"))?;
                self.rebuild(inner, inner_args, wrappers + 1)
            }
            // (storage, offset, size, stride, requires_grad, hooks[, dtype][, metadata])
            ("torch._utils", name @ ("_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3"), args) => {
                let [storage, offset, shape, strides, rest @ ..] = args else {
                    return Err(malformed("its description is too short"));
                };
                let sizes = |value: &Value| {
                    let sizes = value.items().filter(|sizes| sizes.len() <= layout::MAX_DIMENSIONS)?;
                    sizes.iter().map(size_of).collect::<Option<Vec<usize>>>()
                };
                let (Some(offset), Some(shape), Some(strides)) = (size_of(offset), sizes(shape), sizes(strides)) else {
                    return Err(malformed("its offset, shape or strides are not sizes"));
                };
                let dtype = if name == "_rebuild_tensor_v3" { rest.get(2) } else { None };
                self.gather(storage, offset, shape, &strides, dtype)
            }
            _ => Ok(Found::Unsupported(format!("a tensor made by {function} (quantised, sparse or similar)"))),
        }
    }

    fn gather(
        &mut self,
        storage: &Value,
        offset: usize,
        shape: Vec<usize>,
        strides: &[usize],
        dtype: Option<&Value>,
    ) -> Result<Found> {
        // `pickle.dump` stores each storage as a small legacy file of its own.
        let embedded = match storage.opaque() {
            Some(object) if object.is_call("torch.storage", "_load_from_bytes") => {
                let bytes = object.args.first().and_then(Value::bytes);
                let bytes = bytes.ok_or_else(|| malformed("its data are not bytes"))?;
                self.budget.charge(bytes.len())?;
                Some(Legacy::open(bytes)?)
            }
            _ => None,
        };
        let id = embedded.as_ref().map_or(storage, |legacy| &legacy.root);
        let Some(reference) = storage_of(id) else {
            return Err(malformed("it does not say where its data are"));
        };
        let kind = match dtype {
            Some(dtype) => kind_of_dtype(dtype),
            None => reference.kind,
        };
        let Some(kind) = kind else {
            let name = dtype.map_or_else(|| "special".to_owned(), |dtype| dtype.describe());
            return Ok(Found::Unsupported(format!("a tensor of a type that is not supported ({name})")));
        };
        let width = kind.elt_size_in_bytes();
        let len = layout::byte_len(&shape, width).ok_or_else(|| malformed("its shape is absurd"))?;
        self.budget.charge(len)?;
        let mut embedded = embedded;
        let mut data = match &mut embedded {
            Some(legacy) => legacy.storage(&reference.key)?,
            None => self.storages.storage(&reference.key)?,
        };
        if let Some((start, size)) = reference.view {
            let range = start.checked_mul(width).zip(start.checked_add(size).and_then(|end| end.checked_mul(width)));
            data = range
                .and_then(|(start, end)| data.get(start..end))
                .ok_or_else(|| malformed("it is a view of data that are not there"))?;
        }
        let mut bytes = layout::gather(data, width, offset, &shape, strides)?;
        if kind == Kind::Bool {
            // Anything but 0 and 1 would be undefined for libtorch.
            bytes.iter_mut().for_each(|byte| *byte = u8::from(*byte != 0));
        }
        Ok(Found::Tensor(Raw { kind, shape, bytes }))
    }
}

fn kind_of_array(dtype: Dtype) -> Option<Kind> {
    Some(match dtype {
        Dtype::Bool => Kind::Bool,
        Dtype::U8 => Kind::Uint8,
        Dtype::I8 => Kind::Int8,
        Dtype::I16 => Kind::Int16,
        Dtype::I32 => Kind::Int,
        Dtype::I64 => Kind::Int64,
        Dtype::F16 => Kind::Half,
        Dtype::F32 => Kind::Float,
        Dtype::F64 => Kind::Double,
        Dtype::U16 | Dtype::U32 | Dtype::U64 => return None,
    })
}

fn size_of(value: &Value) -> Option<usize> {
    match value {
        Value::Int(size) => usize::try_from(*size).ok(),
        _ => None,
    }
}

fn malformed(why: &str) -> Problem {
    Problem::bad_file("A tensor in this file is damaged.").because(format!("A tensor cannot be read: {why}."))
}
