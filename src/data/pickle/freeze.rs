//! Values under construction, and how they become immutable.

use super::machine::Machine;
use super::{MAX_DEPTH, Opaque, Value};
use crate::experiment::Result;
use std::sync::Arc;

pub(super) type Id = usize;

/// A value under construction.
pub(super) enum Node {
    Leaf(Value),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Set(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Persistent(Id),
    Object(Box<Object>),
}

pub(super) struct Object {
    pub(super) callable: Id,
    pub(super) args: Vec<Id>,
    pub(super) state: Option<Id>,
    pub(super) items: Vec<Id>,
    pub(super) pairs: Vec<(Id, Id)>,
}

/// How far a node is.
#[derive(Clone)]
pub(super) enum Frozen {
    Not,
    Open,
    Done(Value, usize),
}

impl Machine<'_> {
    /// The value and its height. `depth` bounds the recursion here, the height that of whoever walks the value.
    pub(super) fn freeze(&self, id: Id, depth: usize, done: &mut [Frozen]) -> Result<(Value, usize)> {
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
