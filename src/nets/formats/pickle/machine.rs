//! The stack machine. Values under construction live in an arena of nodes, because pickles may refer to a list
//! before it is filled, and to itself; [`Machine::freeze`] turns them into immutable values.

use super::{Global, MAX_DEPTH, Opaque, Parsed, Value, damaged};
use crate::experiment::{Problem, Result};
use std::collections::HashMap;
use std::sync::Arc;

/// Most instructions in one pickle: poison bookkeeping of half a million pictures stays below.
const MAX_STEPS: usize = 10_000_000;

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

type Id = usize;

/// A value under construction.
enum Node {
    Leaf(Value),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Set(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Persistent(Id),
    Object(Box<Object>),
}

struct Object {
    callable: Id,
    args: Vec<Id>,
    state: Option<Id>,
    items: Vec<Id>,
    pairs: Vec<(Id, Id)>,
}

pub struct Machine<'a> {
    input: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    persistent: Vec<Id>,
    /// How many bytes texts, byte strings and copied containers may still take.
    allowance: usize,
}

impl<'a> Machine<'a> {
    pub fn new(input: &'a [u8]) -> Self {
        Self {
            input,
            at: 0,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            persistent: Vec::new(),
            // Latin-1 in UTF-8 and its decoded twin take at most three times the input.
            allowance: input.len().saturating_mul(4).saturating_add(1 << 16),
        }
    }

    pub fn run(mut self) -> Result<Parsed> {
        for _ in 0..MAX_STEPS {
            let opcode = self.byte()?;
            if opcode == b'.' {
                return self.finish();
            }
            self.step(opcode)?;
        }
        Err(too_large().because(format!("It has more than {MAX_STEPS} instructions.")))
    }

    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            // Protocol and framing.
            0x80 => match self.byte()? {
                0..=5 => Ok(()),
                other => Err(self.damaged(format!("unknown pickle protocol {other}"))),
            },
            0x95 => self.take(8).map(|_| ()),
            // Plain values.
            b'N' => self.leaf(Value::None),
            0x88 => self.leaf(Value::Bool(true)),
            0x89 => self.leaf(Value::Bool(false)),
            b'J' => {
                let int = i32::from_le_bytes(self.array()?);
                self.leaf(Value::Int(i64::from(int)))
            }
            b'K' => {
                let int = self.byte()?;
                self.leaf(Value::Int(i64::from(int)))
            }
            b'M' => {
                let int = u16::from_le_bytes(self.array()?);
                self.leaf(Value::Int(i64::from(int)))
            }
            0x8a => {
                let len = self.byte()? as usize;
                self.long(len)
            }
            0x8b => {
                let len = self.u32()?;
                self.long(len)
            }
            b'G' => {
                let float = f64::from_be_bytes(self.array()?);
                self.leaf(Value::Float(float))
            }
            // Texts and byte strings.
            0x8c => {
                let len = self.byte()? as usize;
                self.string(len)
            }
            b'X' => {
                let len = self.u32()?;
                self.string(len)
            }
            0x8d => {
                let len = self.u64()?;
                self.string(len)
            }
            b'U' | b'C' => {
                let len = self.byte()? as usize;
                self.byte_string(len)
            }
            b'T' | b'B' => {
                let len = self.u32()?;
                self.byte_string(len)
            }
            0x8e | 0x96 => {
                let len = self.u64()?;
                self.byte_string(len)
            }
            // Containers.
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b']' => self.push(Node::List(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            b')' => self.push(Node::Tuple(Vec::new())),
            0x8f => self.push(Node::Set(Vec::new())),
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push(Node::List(items))
            }
            b'd' => {
                let pairs = self.pop_pairs()?;
                self.push(Node::Dict(pairs))
            }
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Tuple(items))
            }
            0x91 => {
                let items = self.pop_to_mark()?;
                self.push(Node::Set(items))
            }
            0x85..=0x87 => {
                let len = usize::from(opcode - 0x84);
                let mut items = vec![0; len];
                for slot in items.iter_mut().rev() {
                    *slot = self.pop()?;
                }
                self.push(Node::Tuple(items))
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.append(items)
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(vec![(key, value)])
            }
            b'u' => {
                let pairs = self.pop_pairs()?;
                self.set_items(pairs)
            }
            // Stack and memo.
            b'0' => {
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                    Ok(())
                } else {
                    self.pop().map(|_| ())
                }
            }
            b'1' => self.pop_to_mark().map(|_| ()),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
                Ok(())
            }
            b'q' => {
                let key = u64::from(self.byte()?);
                self.remember(key)
            }
            b'r' => {
                let key = self.u32()? as u64;
                self.remember(key)
            }
            0x94 => self.remember(self.memo.len() as u64),
            b'h' => {
                let key = u64::from(self.byte()?);
                self.recall(key)
            }
            b'j' => {
                let key = self.u32()? as u64;
                self.recall(key)
            }
            // Names, calls and objects.
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                self.global(module, name)
            }
            0x93 => {
                let name = self.pop_text()?;
                let module = self.pop_text()?;
                self.global(module, name)
            }
            b'R' | 0x81 => {
                let args = self.pop()?;
                let callable = self.pop()?;
                self.call(callable, args)
            }
            0x92 => {
                self.pop()?; // keyword arguments
                let args = self.pop()?;
                let callable = self.pop()?;
                self.call(callable, args)
            }
            b'b' => {
                let state = self.pop()?;
                let target = self.top()?;
                // Attributes of plain containers (`_metadata` of a state dict) do not matter here.
                if let Node::Object(object) = &mut self.nodes[target] {
                    object.state = Some(state);
                }
                Ok(())
            }
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id))?;
                self.persistent.push(self.nodes.len() - 1);
                Ok(())
            }
            other => Err(self.damaged(format!("unknown instruction 0x{other:02x}"))),
        }
    }

    // ---- input ----

    fn damaged(&self, why: impl std::fmt::Display) -> Problem {
        damaged(self.at.saturating_sub(1), why)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let rest = &self.input[self.at..];
        let Some(taken) = rest.get(..len) else {
            return Err(damaged(self.at, format!("{len} bytes are announced, {} are left", rest.len())));
        };
        self.at += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<usize> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn u64(&mut self) -> Result<usize> {
        let len = u64::from_le_bytes(self.array()?);
        // A length that does not even fit the address space fails later, as "more than is left".
        Ok(usize::try_from(len).unwrap_or(usize::MAX))
    }

    fn line(&mut self) -> Result<String> {
        let rest = &self.input[self.at..];
        let Some(len) = rest.iter().take(1024).position(|&byte| byte == b'\n') else {
            return Err(self.damaged("a name has no end"));
        };
        let line = self.take(len + 1)?;
        Ok(String::from_utf8_lossy(&line[..len]).into_owned())
    }

    // ---- stack ----

    fn push(&mut self, node: Node) -> Result<()> {
        self.nodes.push(node);
        self.stack.push(self.nodes.len() - 1);
        Ok(())
    }

    fn leaf(&mut self, value: Value) -> Result<()> {
        self.push(Node::Leaf(value))
    }

    fn top(&self) -> Result<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(&top) if self.stack.len() > floor => Ok(top),
            _ => Err(self.damaged("the stack is empty")),
        }
    }

    fn pop(&mut self) -> Result<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>> {
        let Some(mark) = self.marks.pop() else {
            return Err(self.damaged("a container ends that never began"));
        };
        Ok(self.stack.split_off(mark))
    }

    fn pop_pairs(&mut self) -> Result<Vec<(Id, Id)>> {
        let flat = self.pop_to_mark()?;
        if flat.len() % 2 != 0 {
            return Err(self.damaged("a dictionary has a key without a value"));
        }
        Ok(flat.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
    }

    fn pop_text(&mut self) -> Result<String> {
        let id = self.pop()?;
        match &self.nodes[id] {
            Node::Leaf(Value::Str(text)) => {
                let text = text.to_string();
                self.charge(text.len())?;
                Ok(text)
            }
            _ => Err(self.damaged("a name is not a text")),
        }
    }

    fn remember(&mut self, key: u64) -> Result<()> {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Result<()> {
        let Some(&id) = self.memo.get(&key) else {
            return Err(self.damaged(format!("nothing was remembered under {key}")));
        };
        self.stack.push(id);
        Ok(())
    }

    /// Pays for memory that is not paid for by the instruction's own length.
    fn charge(&mut self, bytes: usize) -> Result<()> {
        match self.allowance.checked_sub(bytes) {
            Some(rest) => {
                self.allowance = rest;
                Ok(())
            }
            None => Err(too_large().because(format!("Noticed at byte {}.", self.at))),
        }
    }

    // ---- values ----

    fn long(&mut self, len: usize) -> Result<()> {
        let bytes = self.take(len)?;
        let negative = bytes.last().is_some_and(|&byte| byte & 0x80 != 0);
        let fill = if negative { 0xff } else { 0 };
        let mut low = [fill; 8];
        for (slot, &byte) in low.iter_mut().zip(bytes) {
            *slot = byte;
        }
        let small = i64::from_le_bytes(low);
        let rest_is_sign = bytes.iter().skip(8).all(|&byte| byte == fill);
        if rest_is_sign && (small < 0) == negative {
            return self.leaf(Value::Int(small));
        }
        self.charge(len)?;
        self.leaf(Value::BigInt(bytes.into()))
    }

    fn string(&mut self, len: usize) -> Result<()> {
        let bytes = self.take(len)?;
        self.charge(len)?;
        self.leaf(Value::Str(String::from_utf8_lossy(bytes).into()))
    }

    fn byte_string(&mut self, len: usize) -> Result<()> {
        let bytes = self.take(len)?;
        self.charge(len)?;
        self.leaf(Value::Bytes(bytes.into()))
    }

    fn append(&mut self, more: Vec<Id>) -> Result<()> {
        let target = self.top()?;
        match &mut self.nodes[target] {
            Node::List(items) | Node::Set(items) => items.extend(more),
            Node::Object(object) => object.items.extend(more),
            _ => return Err(self.damaged("something is appended to what is not a list")),
        }
        Ok(())
    }

    fn set_items(&mut self, more: Vec<(Id, Id)>) -> Result<()> {
        let target = self.top()?;
        match &mut self.nodes[target] {
            Node::Dict(pairs) => pairs.extend(more),
            Node::Object(object) => object.pairs.extend(more),
            _ => return Err(self.damaged("a key is set in what is not a dictionary")),
        }
        Ok(())
    }

    fn global(&mut self, module: String, name: String) -> Result<()> {
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
    fn call(&mut self, callable: Id, args: Id) -> Result<()> {
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

    // ---- the end ----

    fn finish(mut self) -> Result<Parsed> {
        let root = self.pop()?;
        let mut done = vec![Frozen::Not; self.nodes.len()];
        let (value, _) = self.freeze(root, 0, &mut done)?;
        let persistent = self
            .persistent
            .iter()
            .map(|&id| self.freeze(id, 0, &mut done).map(|(value, _)| value))
            .collect::<Result<Vec<_>>>()?;
        Ok(Parsed { value, consumed: self.at, persistent })
    }

    /// The value and its height. `depth` bounds the recursion here, the height that of whoever walks the value.
    fn freeze(&self, id: Id, depth: usize, done: &mut [Frozen]) -> Result<(Value, usize)> {
        match &done[id] {
            Frozen::Done(value, height) => return Ok((value.clone(), *height)),
            Frozen::Open => return Ok((reference_to_itself(), 1)),
            Frozen::Not => {}
        }
        done[id] = Frozen::Open;
        let mut height = 0;
        let mut one = |id: Id| {
            if depth >= MAX_DEPTH {
                return Err(self.damaged(format!("values are nested more than {MAX_DEPTH} levels deep")));
            }
            let (value, below) = self.freeze(id, depth + 1, done)?;
            height = height.max(below);
            Ok(value)
        };
        let value = match &self.nodes[id] {
            Node::Leaf(value) => value.clone(),
            Node::List(items) => Value::List(all(items, &mut one)?.into()),
            Node::Tuple(items) => Value::Tuple(all(items, &mut one)?.into()),
            Node::Set(items) => Value::Set(all(items, &mut one)?.into()),
            Node::Dict(pairs) => Value::Dict(all_pairs(pairs, &mut one)?.into()),
            Node::Persistent(id) => Value::PersistentId(Arc::new(one(*id)?)),
            Node::Object(object) => Value::Opaque(Arc::new(Opaque {
                callable: one(object.callable)?,
                args: all(&object.args, &mut one)?,
                state: object.state.map(&mut one).transpose()?,
                items: all(&object.items, &mut one)?,
                pairs: all_pairs(&object.pairs, &mut one)?,
            })),
        };
        height += 1;
        if height > MAX_DEPTH {
            return Err(self.damaged(format!("values are nested more than {MAX_DEPTH} levels deep")));
        }
        done[id] = Frozen::Done(value.clone(), height);
        Ok((value, height))
    }
}

#[derive(Clone)]
enum Frozen {
    Not,
    Open,
    Done(Value, usize),
}

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

fn all(ids: &[Id], one: &mut impl FnMut(Id) -> Result<Value>) -> Result<Vec<Value>> {
    ids.iter().map(|&id| one(id)).collect()
}

fn all_pairs(ids: &[(Id, Id)], one: &mut impl FnMut(Id) -> Result<Value>) -> Result<Vec<(Value, Value)>> {
    ids.iter().map(|&(key, value)| Ok((one(key)?, one(value)?))).collect()
}

fn reference_to_itself() -> Value {
    Value::Opaque(Arc::new(Opaque {
        callable: Value::Str("a reference to itself".into()),
        args: Vec::new(),
        state: None,
        items: Vec::new(),
        pairs: Vec::new(),
    }))
}

fn too_large() -> Problem {
    Problem::bad_file("This Python pickle grows out of proportion to its size. It is refused.")
}
