//! Plain data as a pickle of protocol 2, which every Python since 2.3 reads.

use super::{Global, Opaque, Value};
use std::sync::Arc;

/// The pickle of a value. A call that was not made ([`Value::Opaque`]) is written as the call.
pub fn write(value: &Value) -> Vec<u8> {
    let mut bytes = vec![0x80, 2];
    put(&mut bytes, value);
    bytes.push(b'.');
    bytes
}

/// A call of `module.name` with these arguments.
pub fn call(module: &str, name: &str, args: Vec<Value>) -> Opaque {
    Opaque { callable: global(module, name), args, state: None, items: Vec::new(), pairs: Vec::new() }
}

pub fn global(module: &str, name: &str) -> Value {
    Value::Global(Arc::new(Global { module: module.to_owned(), name: name.to_owned() }))
}

pub fn text(text: impl AsRef<str>) -> Value {
    Value::Str(text.as_ref().into())
}

pub fn tuple(items: impl IntoIterator<Item = Value>) -> Value {
    Value::Tuple(items.into_iter().collect())
}

/// A dictionary with text keys, in this order.
pub fn dict<'a>(pairs: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Dict(pairs.into_iter().map(|(key, value)| (text(key), value)).collect())
}

fn put(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::None => out.push(b'N'),
        Value::Bool(true) => out.push(0x88),
        Value::Bool(false) => out.push(0x89),
        Value::Int(int) => put_int(out, *int),
        Value::BigInt(digits) => put_long(out, digits),
        Value::Float(float) => {
            out.push(b'G');
            out.extend(float.to_be_bytes());
        }
        Value::Str(text) => put_text(out, text),
        Value::Bytes(bytes) => {
            // Protocol 2 has no bytes: Python writes them as text, one character for each.
            let latin1: String = bytes.iter().map(|&byte| char::from(byte)).collect();
            put_global(out, "_codecs", "encode");
            put_text(out, &latin1);
            put_text(out, "latin1");
            out.extend([0x86, b'R']);
        }
        Value::List(items) => {
            out.push(b']');
            put_members(out, items, b'e');
        }
        Value::Tuple(items) => {
            out.push(b'(');
            items.iter().for_each(|item| put(out, item));
            out.push(b't');
        }
        Value::Set(items) => {
            put_global(out, "__builtin__", "set");
            out.push(b'(');
            put(out, &Value::List(items.clone()));
            out.extend(b"tR");
        }
        Value::Dict(pairs) => {
            out.push(b'}');
            put_pairs(out, pairs);
        }
        Value::Global(global) => put_global(out, &global.module, &global.name),
        Value::PersistentId(id) => {
            put(out, id);
            out.push(b'Q');
        }
        Value::Opaque(object) => {
            put(out, &object.callable);
            put(out, &tuple(object.args.iter().cloned()));
            out.push(b'R');
            put_members(out, &object.items, b'e');
            put_pairs(out, &object.pairs);
            if let Some(state) = &object.state {
                put(out, state);
                out.push(b'b');
            }
        }
    }
}

fn put_members(out: &mut Vec<u8>, items: &[Value], end: u8) {
    if !items.is_empty() {
        out.push(b'(');
        items.iter().for_each(|item| put(out, item));
        out.push(end);
    }
}

fn put_pairs(out: &mut Vec<u8>, pairs: &[(Value, Value)]) {
    if !pairs.is_empty() {
        out.push(b'(');
        for (key, value) in pairs {
            put(out, key);
            put(out, value);
        }
        out.push(b'u');
    }
}

fn put_int(out: &mut Vec<u8>, int: i64) {
    match i32::try_from(int) {
        Ok(small) => {
            out.push(b'J');
            out.extend(small.to_le_bytes());
        }
        Err(_) => put_long(out, &int.to_le_bytes()),
    }
}

/// A number of any length: two's complement, least significant byte first.
fn put_long(out: &mut Vec<u8>, digits: &[u8]) {
    match u8::try_from(digits.len()) {
        Ok(len) => out.extend([0x8a, len]),
        Err(_) => {
            out.push(0x8b);
            out.extend((digits.len() as u32).to_le_bytes());
        }
    }
    out.extend(digits);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

fn put_global(out: &mut Vec<u8>, module: &str, name: &str) {
    out.push(b'c');
    out.extend(format!("{module}\n{name}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::{numpy, parse};
    use super::*;

    fn there_and_back(value: &Value) -> Value {
        let bytes = write(value);
        let (read, consumed) = parse(&bytes).unwrap();
        assert_eq!(consumed, bytes.len());
        read
    }

    #[test]
    fn what_is_written_is_read_again() {
        let value = dict([
            ("none", Value::None),
            ("yes", Value::Bool(true)),
            ("small", Value::Int(-7)),
            ("large", Value::Int(i64::MIN)),
            ("half", Value::Float(0.5)),
            ("word", text("Blåbær ☀")),
            ("bytes", Value::Bytes((0..=255u8).collect())),
            ("list", Value::List([Value::Int(1), Value::List([].into())].into())),
            ("nothing", tuple([])),
            ("set", Value::Set([Value::Int(3)].into())),
            ("id", Value::PersistentId(Arc::new(tuple([text("storage"), Value::Int(0)])))),
        ]);
        assert_eq!(format!("{:?}", there_and_back(&value)), format!("{value:?}"));
    }

    #[test]
    fn calls_are_written_as_calls() {
        let mut ordered = call("collections", "OrderedDict", Vec::new());
        ordered.pairs = vec![(text("a"), Value::Int(1)), (text("b"), Value::Int(2))];
        let read = there_and_back(&Value::Opaque(Arc::new(ordered)));
        assert_eq!(read.get("b").unwrap().int(), Some(2));
        assert_eq!(read.pairs().unwrap().len(), 2);
        // The bytes that Python 3.11 and PyTorch write for an empty one begin like this.
        assert!(
            write(&Value::Opaque(Arc::new(call("collections", "OrderedDict", Vec::new()))))
                .ends_with(b"ccollections\nOrderedDict\n(tR.")
        );
    }

    #[test]
    fn arrays_come_back_with_shape_and_type() {
        let read = there_and_back(&numpy::of_i64(&[5, -1, 1 << 40]));
        let array = numpy::array(&read).unwrap().unwrap();
        assert_eq!((array.shape.as_slice(), array.dtype), (&[3][..], numpy::Dtype::I64));
        assert_eq!(array.floats(), [5.0, -1.0, (1i64 << 40) as f64]);
        let read = there_and_back(&numpy::of_f64(&[0.0, 1.0]));
        assert_eq!(numpy::array(&read).unwrap().unwrap().floats(), [0.0, 1.0]);
    }
}
