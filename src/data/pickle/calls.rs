//! Names and calls: which become plain values, which are only written down, which are refused.

use super::freeze::{Id, Node, Object};
use super::machine::Machine;
use super::{Global, Value};
use crate::experiment::{Problem, Result};
use std::sync::Arc;

/// Functions that no data file has a reason to name.
const HARMFUL_BUILTINS: [&str; 9] =
    ["__import__", "apply", "compile", "eval", "exec", "execfile", "input", "open", "breakpoint"];

/// Modules of Python's standard library through which a program is run; and those that would load another pickle.
const HARMFUL_MODULES: [&str; 36] = [
    "_io",
    "_pickle",
    "_posixsubprocess",
    "asyncio",
    "bdb",
    "cProfile",
    "code",
    "codeop",
    "commands",
    "ctypes",
    "dill",
    "cloudpickle",
    "distutils",
    "ftplib",
    "http",
    "httplib",
    "importlib",
    "io",
    "marshal",
    "multiprocessing",
    "nt",
    "os",
    "pdb",
    "pickle",
    "pip",
    "platform",
    "posix",
    "profile",
    "pty",
    "requests",
    "runpy",
    "shutil",
    "socket",
    "subprocess",
    "sys",
    "webbrowser",
];

/// Calls whose result is a plain value: the allow-list.
#[derive(Clone, Copy)]
enum Known {
    Dict,
    DefaultDict,
    List,
    Tuple,
    Set,
    Bytes,
}

impl Known {
    fn of(global: &Global) -> Option<Self> {
        match (global.module.as_str(), global.name.as_str()) {
            ("collections", "OrderedDict") => Some(Known::Dict),
            ("collections", "defaultdict") => Some(Known::DefaultDict),
            ("torch", "Size") => Some(Known::Tuple),
            ("_codecs", "encode") => Some(Known::Bytes),
            ("builtins" | "__builtin__", name) => match name {
                "dict" => Some(Known::Dict),
                "list" => Some(Known::List),
                "tuple" => Some(Known::Tuple),
                "set" | "frozenset" => Some(Known::Set),
                "bytes" | "bytearray" => Some(Known::Bytes),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Machine<'_> {
    pub(super) fn global(&mut self, module: String, name: String) -> Result<()> {
        let root = module.split('.').next().unwrap_or_default();
        let builtin = matches!(root, "builtins" | "__builtin__") && HARMFUL_BUILTINS.contains(&name.as_str());
        let loads_pickles = module == "torch.serialization" || (module == "torch" && name == "load");
        if builtin || loads_pickles || HARMFUL_MODULES.contains(&root) {
            return Err(Problem::bad_file("This file would run a program when Python opens it. It is refused.")
                .because(format!("It names `{module}.{name}`. Nothing was executed."))
                .remedy("Do not open this file in Python. Ask its source for weights as safetensors."));
        }
        self.leaf(Value::Global(Arc::new(Global { module, name })))
    }

    /// A call: harmless containers become values, everything else is written down.
    pub(super) fn call(&mut self, callable: Id, args: Id) -> Result<()> {
        let args = match &self.nodes[args] {
            Node::Tuple(args) => args.clone(),
            // `copyreg` may pass None; other kinds do not come from Python's own pickler.
            Node::Leaf(Value::None) => Vec::new(),
            _ => return Err(self.damaged("the arguments of a call are not a tuple")),
        };
        self.charge(args.len() * size_of::<Id>())?;
        let known = match &self.nodes[callable] {
            Node::Leaf(Value::Global(global)) => Known::of(global),
            _ => None,
        };
        let plain = match known {
            Some(known) => self.plain(known, &args)?,
            None => None,
        };
        self.push(plain.unwrap_or_else(|| {
            Node::Object(Box::new(Object { callable, args, state: None, items: Vec::new(), pairs: Vec::new() }))
        }))
    }

    /// The value of a call to a harmless function; `None` when the arguments are not the expected ones.
    fn plain(&mut self, known: Known, args: &[Id]) -> Result<Option<Node>> {
        let content = match (known, args) {
            (Known::DefaultDict, [] | [_]) => &[],
            (Known::DefaultDict, [_, content]) => std::slice::from_ref(content),
            _ => args,
        };
        let members = match content {
            [] => Some(Vec::new()),
            [one] => match &self.nodes[*one] {
                Node::List(items) | Node::Tuple(items) | Node::Set(items) => Some(items.clone()),
                _ => None,
            },
            _ => None,
        };
        if let Some(members) = &members {
            self.charge(members.len() * size_of::<Id>())?;
        }
        Ok(match known {
            Known::List => members.map(Node::List),
            Known::Tuple => members.map(Node::Tuple),
            Known::Set => members.map(Node::Set),
            Known::Dict | Known::DefaultDict => members.and_then(|members| self.dict_of(&members)),
            Known::Bytes => match content {
                [] => Some(Node::Leaf(Value::Bytes(Arc::from([])))),
                [one, ..] => self.bytes_of(*one)?,
            },
        })
    }

    /// A dictionary from a list of pairs.
    fn dict_of(&self, members: &[Id]) -> Option<Node> {
        let pair = |&id: &Id| match &self.nodes[id] {
            Node::List(items) | Node::Tuple(items) if items.len() == 2 => Some((items[0], items[1])),
            _ => None,
        };
        members.iter().map(pair).collect::<Option<_>>().map(Node::Dict)
    }

    /// Protocol 2 has no byte strings: Python writes them as text in which every character stands for a byte.
    fn bytes_of(&mut self, id: Id) -> Result<Option<Node>> {
        let value = match &self.nodes[id] {
            Node::Leaf(value @ (Value::Bytes(_) | Value::Str(_))) => value.clone(),
            _ => return Ok(None),
        };
        let Value::Str(text) = &value else {
            return Ok(Some(Node::Leaf(value)));
        };
        self.charge(text.len())?;
        let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c as u32).ok()).collect();
        match bytes {
            Some(bytes) => Ok(Some(Node::Leaf(Value::Bytes(bytes.into())))),
            None => Err(self.damaged("a byte string has a character beyond 255")),
        }
    }
}
