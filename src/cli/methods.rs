//! `polariscope methods [ID]`.

use super::{Output, object};
use crate::catalogue;
use crate::experiment::nearest::nearest;
use crate::experiment::{Method, Problem, Result};
use serde_json::{Value, json};

pub fn methods(id: Option<&str>, output: Output) -> Result<()> {
    let Some(id) = id else {
        let all: Vec<Value> = catalogue::all().iter().map(|method| brief(method)).collect();
        return output.print(&json!({ "methods": all }), list);
    };
    let method = catalogue::find(id, |_| true).ok_or_else(|| {
        let problem = Problem::bad_input(format!("There is no method `{id}`."));
        match nearest(id, catalogue::all().iter().map(|method| method.id)) {
            Some(close) => problem.remedy(format!("Did you mean `{close}`?")),
            None => problem.remedy("See all with `polariscope methods`."),
        }
    })?;
    let mut value = brief(method);
    value["page"] = method.page.into();
    value["paper"] = method.paper.into();
    value["options"] = (method.schema)();
    value["defaults"] = (method.defaults)();
    output.print(&value, || page(method))
}

fn brief(method: &Method) -> Value {
    object([
        ("id".into(), method.id.into()),
        ("kind".into(), json!(method.kind)),
        ("name".into(), method.name.into()),
        ("one_line".into(), method.one_line.into()),
    ])
}

fn list() -> String {
    let mut text = String::new();
    let mut last = None;
    for method in catalogue::all() {
        if last != Some(method.kind) {
            last = Some(method.kind);
            let kind = json!(method.kind);
            text += &format!("\n{}\n", kind.as_str().unwrap_or_default());
        }
        text += &format!("  {:<16} {}\n", method.id, method.one_line);
    }
    text.trim_start().to_owned()
}

fn page(method: &Method) -> String {
    let needs = method.needs();
    let needs = if needs.is_empty() { String::new() } else { format!("\nneeds: {needs}\n") };
    let mut text = format!(
        "{} ({})\n{}\n{needs}\n{}\n\n{}\n\nOptions\n",
        method.name, method.id, method.one_line, method.page, method.paper
    );
    let schema = (method.schema)();
    let defaults = (method.defaults)();
    let empty = serde_json::Map::new();
    for (name, option) in schema["properties"].as_object().unwrap_or(&empty) {
        let range = match (&option["minimum"], &option["maximum"]) {
            (Value::Null, Value::Null) => String::new(),
            (low, high) => format!(" [{low} .. {high}]"),
        };
        let paper = match &option["x-paper"] {
            Value::Null => String::new(),
            value => format!(", paper {value}"),
        };
        text += &format!("  {name} = {}{range}{paper}\n", defaults[name]);
        if let Some(description) = option["description"].as_str() {
            text += &format!("      {}\n", description.replace('\n', " "));
        }
    }
    text
}
