//! What a pickle holds, as plain data.

use super::numpy;
use std::fmt;
use std::sync::Arc;

/// A value from a pickle. Cloning is cheap: containers and texts are shared.
///
/// Values never contain themselves and are never nested deeper than a few hundred levels, but one value may be
/// reachable on many paths: bound the work when walking through all of them.
#[derive(Debug, Clone)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// More than 64 bits: two's complement, least significant byte first.
    BigInt(Arc<[u8]>),
    Float(f64),
    Str(Arc<str>),
    /// `bytes`, `bytearray`, and the 8-bit strings of Python 2.
    Bytes(Arc<[u8]>),
    List(Arc<[Value]>),
    Tuple(Arc<[Value]>),
    Set(Arc<[Value]>),
    /// In the order of the file; a key may occur twice, then the later one counts.
    Dict(Arc<[(Value, Value)]>),
    /// A class or function that is only named.
    Global(Arc<Global>),
    /// A reference to something outside of the pickle.
    PersistentId(Arc<Value>),
    /// A call that was not made.
    Opaque(Arc<Opaque>),
}

/// The name of a Python class or function.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Global {
    pub module: String,
    pub name: String,
}

impl Global {
    pub fn is(&self, module: &str, name: &str) -> bool {
        self.module == module && self.name == name
    }
}

impl fmt::Display for Global {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.module, self.name)
    }
}

/// What Python would have made by a call: the function or class, its arguments, and what is done to the result.
#[derive(Debug)]
pub struct Opaque {
    pub callable: Value,
    pub args: Vec<Value>,
    /// What `__setstate__` would receive; usually the attributes as a dictionary.
    pub state: Option<Value>,
    /// What would be appended.
    pub items: Vec<Value>,
    /// What would be set by key.
    pub pairs: Vec<(Value, Value)>,
}

impl Opaque {
    /// The full name of the called class or function.
    pub fn class_name(&self) -> String {
        match &self.callable {
            Value::Global(global) => global.to_string(),
            // Old PyTorch refers to classes of modules by ("module", class, file, source).
            Value::PersistentId(id) => match id.items() {
                Some([_, Value::Global(global), ..]) => global.to_string(),
                _ => "an object outside of the file".to_owned(),
            },
            Value::Str(text) => text.to_string(),
            _ => "an unnamed object".to_owned(),
        }
    }

    /// Whether the call is to this function of this module.
    pub fn is_call(&self, module: &str, name: &str) -> bool {
        matches!(&self.callable, Value::Global(global) if global.is(module, name))
    }
}

impl Value {
    /// The entry of a dictionary under a text key (8-bit strings count as text).
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.pairs()?.iter().rev().find(|(k, _)| k.is_text(key)).map(|(_, value)| value)
    }

    /// The text, also of an 8-bit string that is UTF-8.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            Value::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// Compares without decoding: keys may be long, and many.
    fn is_text(&self, text: &str) -> bool {
        match self {
            Value::Str(own) => **own == *text,
            Value::Bytes(own) => **own == *text.as_bytes(),
            _ => false,
        }
    }

    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A whole number: Python's or numpy's.
    pub fn int(&self) -> Option<i64> {
        match self {
            Value::Int(int) => Some(*int),
            Value::Bool(bool) => Some(i64::from(*bool)),
            _ => numpy::scalar(self)?.int(),
        }
    }

    /// A number: Python's or numpy's.
    pub fn float(&self) -> Option<f64> {
        match self {
            Value::Float(float) => Some(*float),
            Value::Int(int) => Some(*int as f64),
            _ => numpy::scalar(self).map(numpy::Number::float),
        }
    }

    /// The members of a list, tuple or set.
    pub fn items(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a dictionary, or of an object of a class derived from it.
    pub fn pairs(&self) -> Option<&[(Value, Value)]> {
        match self {
            Value::Dict(pairs) => Some(pairs),
            Value::Opaque(object) if !object.pairs.is_empty() => Some(&object.pairs),
            _ => None,
        }
    }

    pub fn opaque(&self) -> Option<&Opaque> {
        match self {
            Value::Opaque(object) => Some(object),
            _ => None,
        }
    }

    /// What it is, in a few words: for messages.
    pub fn describe(&self) -> String {
        match self {
            Value::None => "nothing".to_owned(),
            Value::Bool(_) => "a truth value".to_owned(),
            Value::Int(_) | Value::BigInt(_) | Value::Float(_) => "a number".to_owned(),
            Value::Str(_) => "a text".to_owned(),
            Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Tuple(items) => format!("a tuple of {}", items.len()),
            Value::Set(items) => format!("a set of {}", items.len()),
            Value::Dict(pairs) => format!("a dictionary of {}", pairs.len()),
            Value::Global(global) => format!("the name {}", shortened(&global.to_string())),
            Value::PersistentId(_) => "a reference to data outside of the pickle".to_owned(),
            Value::Opaque(object) => format!("an object of {}", shortened(&object.class_name())),
        }
    }
}

/// Names come from the file; a message needs no more than their beginning.
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
