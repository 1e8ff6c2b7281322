//! Forms made from a method's own description: schema in, value out. Nobody writes a form by hand.

mod schema;
mod show;

pub use schema::{Choice, Field, Shape, fields};
pub use show::{Around, plain_words, rounded, scale_of, show, show_with, words_of};

use crate::experiment::fair::FairModel;
use crate::experiment::spec::Experiment;
use crate::experiment::{Method, method};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// The forms of all methods and of the parts of an experiment, read once.
#[derive(Debug)]
pub struct Forms {
    methods: HashMap<&'static str, Vec<Field>>,
    pub data: Vec<Field>,
    pub train: Vec<Field>,
    pub poison: Vec<Field>,
    pub defender: Vec<Field>,
    /// Of a fair regression.
    pub fair_model: Vec<Field>,
}

impl Forms {
    pub fn new(methods: &[&'static Method]) -> Self {
        let of_method = |method: &&'static Method| (method.id, fields(&(method.schema)(), &(method.defaults)()));
        let root = method::schema_of::<Experiment>();
        let part = |name: &str, defaults: Value| {
            let schema = schema::follow(&root, &root["properties"][name]).clone();
            schema::fields_within(&root, &schema, &defaults)
        };
        let json = |value: std::result::Result<Value, serde_json::Error>| value.unwrap_or(Value::Null);
        Self {
            methods: methods.iter().map(of_method).collect(),
            data: part("data", Value::Null),
            train: part("train", json(serde_json::to_value(crate::experiment::Train::default()))),
            poison: part("poison", json(serde_json::to_value(crate::experiment::Poison::default()))),
            fair_model: fields(&method::schema_of::<FairModel>(), &json(serde_json::to_value(FairModel::default()))),
            defender: part("defender", json(serde_json::to_value(crate::experiment::spec::Defender::default()))),
        }
    }

    /// The fields of a method; none for a method nobody knows.
    pub fn of(&self, method: &str) -> &[Field] {
        self.methods.get(method).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The value of a field: written, or its default.
pub fn value_of<'v>(field: &'v Field, values: &'v Map<String, Value>) -> &'v Value {
    values.get(&field.key).unwrap_or(&field.default)
}

/// Writes a value; a value equal to the default is left out, so that experiments stay short.
pub fn set(field: &Field, values: &mut Map<String, Value>, value: Value) {
    if same(&value, &field.default) {
        values.remove(&field.key);
    } else {
        values.insert(field.key.clone(), value);
    }
}

/// Equal as numbers, whether written as 1 or as 1.0.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}
