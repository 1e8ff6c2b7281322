//! The stack machine. Values under construction live in an arena of nodes, because pickles may refer to a list
//! before it is filled, and to itself; `freeze` turns them into immutable values.

use super::freeze::{Frozen, Id, Node};
use super::{Parsed, Value, damaged};
use crate::experiment::{Problem, Result};
use std::collections::HashMap;

/// Most instructions in one pickle: poison bookkeeping of a quarter million pictures stays below, and what they make
/// below a gigabyte.
const MAX_STEPS: usize = 5_000_000;

pub struct Machine<'a> {
    input: &'a [u8],
    at: usize,
    pub(super) nodes: Vec<Node>,
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

    pub(super) fn damaged(&self, why: impl std::fmt::Display) -> Problem {
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

    pub(super) fn push(&mut self, node: Node) -> Result<()> {
        self.nodes.push(node);
        self.stack.push(self.nodes.len() - 1);
        Ok(())
    }

    pub(super) fn leaf(&mut self, value: Value) -> Result<()> {
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
    pub(super) fn charge(&mut self, bytes: usize) -> Result<()> {
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
}

fn too_large() -> Problem {
    Problem::bad_file("This Python pickle grows out of proportion to its size. It is refused.")
}
