//! Numpy's arrays and numbers inside of pickles.

use super::write::{call, global, text, tuple};
use super::{Value, layout};
use crate::experiment::{Problem, Result};
use std::sync::Arc;

/// Element types of numpy arrays that hold plain numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    F32,
    F64,
}

impl Dtype {
    /// Bytes of one element.
    pub fn width(self) -> usize {
        match self {
            Dtype::Bool | Dtype::U8 | Dtype::I8 => 1,
            Dtype::U16 | Dtype::I16 | Dtype::F16 => 2,
            Dtype::U32 | Dtype::I32 | Dtype::F32 => 4,
            Dtype::U64 | Dtype::I64 | Dtype::F64 => 8,
        }
    }

    fn of(code: &str) -> Option<Self> {
        Some(match code {
            "b1" | "?" => Dtype::Bool,
            "u1" | "B" => Dtype::U8,
            "i1" | "b" => Dtype::I8,
            "u2" => Dtype::U16,
            "i2" => Dtype::I16,
            "u4" => Dtype::U32,
            "i4" => Dtype::I32,
            "u8" => Dtype::U64,
            "i8" => Dtype::I64,
            "f2" => Dtype::F16,
            "f4" => Dtype::F32,
            "f8" => Dtype::F64,
            _ => return None,
        })
    }
}

/// A one-dimensional array of whole numbers, as numpy pickles it.
pub fn of_i64(numbers: &[i64]) -> Value {
    one_dimensional("i8", numbers.len(), numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
}

/// A one-dimensional array of numbers, as numpy pickles it.
pub fn of_f64(numbers: &[f64]) -> Value {
    one_dimensional("f8", numbers.len(), numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
}

/// The module has another name since numpy 2, which still knows this one.
fn one_dimensional(code: &str, len: usize, bytes: Arc<[u8]>) -> Value {
    let mut dtype = call("numpy", "dtype", vec![text(code), Value::Bool(false), Value::Bool(true)]);
    let unset = || Value::Int(-1);
    dtype.state =
        Some(tuple([Value::Int(3), text("<"), Value::None, Value::None, Value::None, unset(), unset(), Value::Int(0)]));
    let empty = vec![global("numpy", "ndarray"), tuple([Value::Int(0)]), Value::Bytes(b"b".as_slice().into())];
    let mut array = call("numpy.core.multiarray", "_reconstruct", empty);
    array.state = Some(tuple([
        Value::Int(1),
        tuple([Value::Int(len as i64)]),
        Value::Opaque(Arc::new(dtype)),
        Value::Bool(false),
        Value::Bytes(bytes),
    ]));
    Value::Opaque(Arc::new(array))
}

/// One number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    Bool(bool),
    Int(i64),
    Float(f64),
}

impl Number {
    /// The whole number; `None` for a fraction.
    pub fn int(self) -> Option<i64> {
        match self {
            Number::Bool(bool) => Some(i64::from(bool)),
            Number::Int(int) => Some(int),
            // Exact up to 2^53, which is where floats stop counting.
            Number::Float(float) => (float.fract() == 0.0 && float.abs() <= 9e15).then_some(float as i64),
        }
    }

    pub fn float(self) -> f64 {
        match self {
            Number::Bool(bool) => f64::from(u8::from(bool)),
            Number::Int(int) => int as f64,
            Number::Float(float) => float,
        }
    }
}

/// An array: little-endian elements, row by row.
#[derive(Debug, Clone)]
pub struct Array {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// As many elements as the shape says.
    pub bytes: Arc<[u8]>,
}

impl Array {
    pub fn numbers(&self) -> impl Iterator<Item = Number> + '_ {
        self.bytes.chunks_exact(self.dtype.width()).filter_map(|element| number(self.dtype, element))
    }

    /// All elements as whole numbers, row by row.
    ///
    /// # Errors
    /// When one of them is a fraction.
    pub fn ints(&self) -> Result<Vec<i64>> {
        self.numbers()
            .map(Number::int)
            .collect::<Option<_>>()
            .ok_or_else(|| Problem::bad_file("An array of fractions stands where whole numbers are expected."))
    }

    pub fn floats(&self) -> Vec<f64> {
        self.numbers().map(Number::float).collect()
    }
}

/// Whether `value` describes an array, sound or not.
pub fn is_array(value: &Value) -> bool {
    is_numpy(value, "_reconstruct") || is_numpy(value, "_frombuffer")
}

/// The array that `value` describes; `None` when it describes something else.
///
/// # Errors
/// Arrays of Python objects or records, and arrays whose data does not fit their shape.
pub fn array(value: &Value) -> Result<Option<Array>> {
    let Some(object) = value.opaque() else { return Ok(None) };
    if is_numpy(value, "_reconstruct") {
        // State: (version, shape, dtype, Fortran order, data)
        let Some([_, shape, dtype, fortran, data]) = object.state.as_ref().and_then(Value::items) else {
            return Err(damaged("it has no content"));
        };
        let fortran = matches!(fortran, Value::Bool(true) | Value::Int(1));
        return build(shape, dtype, fortran, data).map(Some);
    }
    if is_numpy(value, "_frombuffer") {
        // How protocol 5 writes an array: (data, dtype, shape, order)
        let [data, dtype, shape, order] = object.args.as_slice() else {
            return Err(damaged("it has no content"));
        };
        return build(shape, dtype, order.text() == Some("F"), data).map(Some);
    }
    Ok(None)
}

/// The number that a numpy scalar or an array without dimensions describes.
pub fn scalar(value: &Value) -> Option<Number> {
    let object = value.opaque()?;
    if is_numpy(value, "scalar") {
        let [dtype, data] = object.args.as_slice() else { return None };
        let (dtype, swapped) = dtype_of(dtype)?;
        let mut element = data.bytes().filter(|data| data.len() == dtype.width())?.to_vec();
        if swapped {
            element.reverse();
        }
        return number(dtype, &element);
    }
    match array(value) {
        Ok(Some(array)) if array.shape.is_empty() => array.numbers().next(),
        _ => None,
    }
}

/// Whether `value` is a call to this function of numpy's core, whatever numpy's version calls that module.
fn is_numpy(value: &Value, function: &str) -> bool {
    let Some(Value::Global(global)) = value.opaque().map(|object| &object.callable) else { return false };
    global.name == function
        && matches!(
            global.module.as_str(),
            "numpy.core.multiarray" | "numpy._core.multiarray" | "numpy.core.numeric" | "numpy._core.numeric"
        )
}

fn build(shape: &Value, dtype: &Value, fortran: bool, data: &Value) -> Result<Array> {
    let shape: Option<Vec<usize>> = shape
        .items()
        .filter(|sizes| sizes.len() <= layout::MAX_DIMENSIONS)
        .and_then(|sizes| sizes.iter().map(|size| size.int().and_then(|size| usize::try_from(size).ok())).collect());
    let Some(shape) = shape else { return Err(damaged("its shape is not a list of sizes")) };
    let Some((dtype, swapped)) = dtype_of(dtype) else {
        return Err(Problem::bad_file("An array holds Python objects or records, not numbers.")
            .because("Only arrays of whole numbers, fractions and truth values can be read.")
            .remedy("Save it as an array of numbers."));
    };
    let Value::Bytes(data) = data else { return Err(damaged("its data are not bytes")) };
    let width = dtype.width();
    let announced = layout::byte_len(&shape, width);
    if announced != Some(data.len()) {
        return Err(damaged(format!("shape {shape:?} does not fit {} bytes of data", data.len())));
    }
    let fortran = fortran && shape.len() > 1;
    if !fortran && !swapped {
        return Ok(Array { dtype, shape, bytes: data.clone() });
    }
    let mut bytes = if fortran {
        let mut strides = vec![1usize; shape.len()];
        for axis in 1..shape.len() {
            strides[axis] = strides[axis - 1].saturating_mul(shape[axis - 1]);
        }
        layout::gather(data, width, 0, &shape, &strides)?
    } else {
        data.to_vec()
    };
    if swapped {
        bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
    }
    Ok(Array { dtype, shape, bytes: bytes.into() })
}

/// The type, and whether its bytes are swapped (big-endian).
fn dtype_of(value: &Value) -> Option<(Dtype, bool)> {
    let object = value.opaque()?;
    if !object.is_call("numpy", "dtype") {
        return None;
    }
    let dtype = Dtype::of(object.args.first()?.text()?)?;
    // State: (version, endianness, ...)
    let big = object.state.as_ref().and_then(Value::items).and_then(|state| state.get(1)?.text()) == Some(">");
    Some((dtype, big && dtype.width() > 1))
}

fn number(dtype: Dtype, element: &[u8]) -> Option<Number> {
    macro_rules! read {
        ($kind:ty) => {
            <$kind>::from_le_bytes(element.try_into().ok()?)
        };
    }
    Some(match dtype {
        Dtype::Bool => Number::Bool(element.first() != Some(&0)),
        Dtype::U8 => Number::Int(i64::from(read!(u8))),
        Dtype::I8 => Number::Int(i64::from(read!(i8))),
        Dtype::U16 => Number::Int(i64::from(read!(u16))),
        Dtype::I16 => Number::Int(i64::from(read!(i16))),
        Dtype::U32 => Number::Int(i64::from(read!(u32))),
        Dtype::I32 => Number::Int(i64::from(read!(i32))),
        Dtype::U64 => {
            let wide = read!(u64);
            i64::try_from(wide).map_or(Number::Float(wide as f64), Number::Int)
        }
        Dtype::I64 => Number::Int(read!(i64)),
        Dtype::F16 => Number::Float(layout::half(read!(u16))),
        Dtype::F32 => Number::Float(f64::from(read!(f32))),
        Dtype::F64 => Number::Float(read!(f64)),
    })
}

fn damaged(why: impl std::fmt::Display) -> Problem {
    Problem::bad_file("A numpy array in this file is damaged.").because(format!("An array cannot be read: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::pickle::parse;

    /// `numpy.dtype(code)` with its state, as numpy writes it.
    fn dtype(code: &str, endian: char) -> Vec<u8> {
        let mut bytes = format!("cnumpy\ndtype\nU{}{code}", code.len() as u8 as char).into_bytes();
        bytes.extend(b"K\x00K\x01\x87R(K\x03U\x01");
        bytes.push(endian as u8);
        bytes.extend(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb");
        bytes
    }

    fn pickled_array(module: &str, shape: &[u8], dtype: &[u8], fortran: bool, data: &[u8]) -> Value {
        let mut bytes = b"\x80\x02c".to_vec();
        bytes.extend(module.as_bytes());
        bytes.extend(b"\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01(");
        shape.iter().for_each(|&size| bytes.extend([b'K', size]));
        bytes.push(b't');
        bytes.extend(dtype);
        bytes.push(if fortran { 0x88 } else { 0x89 });
        bytes.extend([b'U', data.len() as u8]);
        bytes.extend(data);
        bytes.extend(b"tb.");
        parse(&bytes).unwrap().0
    }

    #[test]
    fn both_spellings_of_the_module() {
        for module in ["numpy.core.multiarray", "numpy._core.multiarray"] {
            let value = pickled_array(module, &[2], &dtype("u1", '|'), false, &[7, 9]);
            assert_eq!(array(&value).unwrap().unwrap().ints().unwrap(), [7, 9]);
        }
    }

    #[test]
    fn fortran_order_and_big_endian_become_plain() {
        let data = [0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6];
        let value = pickled_array("numpy.core.multiarray", &[2, 3], &dtype("i2", '>'), true, &data);
        let array = array(&value).unwrap().unwrap();
        assert_eq!((array.dtype, array.shape.as_slice()), (Dtype::I16, &[2, 3][..]));
        assert_eq!(array.ints().unwrap(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(&array.bytes[..4], [1, 0, 2, 0]);
    }

    #[test]
    fn objects_and_wrong_lengths_are_refused() {
        let objects = pickled_array("numpy.core.multiarray", &[1], &dtype("O8", '|'), false, &[0; 8]);
        assert!(array(&objects).unwrap_err().headline.contains("objects"));
        let short = pickled_array("numpy.core.multiarray", &[3], &dtype("f4", '<'), false, &[0; 8]);
        assert!(array(&short).unwrap_err().detail[0].contains("does not fit"));
    }

    #[test]
    fn scalars_count_as_numbers() {
        let mut bytes = b"\x80\x02cnumpy._core.multiarray\nscalar\n".to_vec();
        bytes.extend(dtype("i8", '<'));
        bytes.extend(b"U\x08\xfe\xff\xff\xff\xff\xff\xff\xff\x86R.");
        let value = parse(&bytes).unwrap().0;
        assert_eq!((value.int(), value.float()), (Some(-2), Some(-2.0)));
    }

    #[test]
    fn fractions_are_not_whole_numbers() {
        let value = pickled_array("numpy.core.multiarray", &[1], &dtype("f4", '<'), false, &1.5f32.to_le_bytes());
        let array = array(&value).unwrap().unwrap();
        assert!(array.ints().is_err());
        assert_eq!(array.floats(), [1.5]);
    }
}
