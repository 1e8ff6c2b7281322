//! Checks plain values against a JSON schema: the one place where names, types, choices and limits are enforced.
//!
//! It covers what `schemars` derives for option structs and enums. What a schema cannot say (text patterns, rules over
//! two fields) is left to the types and to the methods.

use super::located::Part;
use super::nearest;
use serde_json::{Map, Value};

/// One thing that is wrong with a value.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionProblem {
    /// Path below the checked value: `poison_ratio`, `region.width`, `layers.0`.
    pub path: String,
    /// Is the name wrong or what stands behind it?
    pub part: Part,
    /// One sentence.
    pub message: String,
    /// What to do: the nearest name, the known names, what a missing value means; may be empty.
    pub hints: Vec<String>,
}

/// Everything that is wrong with `value`; `owner` is the subject of sentences about unknown names ("BadNets").
pub fn check(schema: &Value, value: &Value, owner: &str) -> Vec<OptionProblem> {
    let mut walk = Walk { root: schema, owner, path: Vec::new(), found: Vec::new() };
    walk.visit(schema, value, 0);
    walk.found
}

/// The schema that a `$ref` stands for; other schemas stand for themselves.
pub fn follow<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|name| root.pointer(name.strip_prefix('#')?));
    target.unwrap_or(schema)
}

/// Schemas may refer to themselves; values are never this deep.
const DEEPEST: usize = 64;

struct Walk<'a> {
    root: &'a Value,
    owner: &'a str,
    path: Vec<String>,
    found: Vec<OptionProblem>,
}

impl<'a> Walk<'a> {
    fn visit(&mut self, schema: &'a Value, value: &Value, depth: usize) {
        if depth > DEEPEST {
            return self.report(Part::Value, format!("{} is nested too deeply.", self.subject()), vec![]);
        }
        if schema.get("$ref").is_some() {
            let target = follow(self.root, schema);
            if !std::ptr::eq(target, schema) {
                self.visit(target, value, depth + 1);
            }
        }
        for part in parts(schema, "allOf") {
            self.visit(part, value, depth + 1);
        }
        for keyword in ["oneOf", "anyOf"] {
            if schema.get(keyword).is_some() {
                self.visit_branches(parts(schema, keyword), value, depth);
            }
        }
        if let Some(choices) = constants(schema) {
            return self.check_choice(&choices, value);
        }
        if !self.check_type(schema, value) {
            return;
        }
        match value {
            Value::Number(_) => self.check_bounds(schema, value),
            Value::Object(fields) => self.check_fields(schema, fields, depth),
            Value::Array(items) => self.check_items(schema, items, depth),
            Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }

    /// A value must fit one branch; if none fits, the branch that comes nearest is the one to talk about.
    fn visit_branches(&mut self, branches: &'a [Value], value: &Value, depth: usize) {
        let choices: Option<Vec<&Value>> =
            branches.iter().map(constants).collect::<Option<Vec<_>>>().map(|choices| choices.concat());
        if let Some(choices) = choices {
            return self.check_choice(&choices, value);
        }
        let mut best: Option<Vec<OptionProblem>> = None;
        for branch in branches.iter().filter(|branch| kind(branch) != Some("null") || value.is_null()) {
            let mut trial = Walk { root: self.root, owner: self.owner, path: self.path.clone(), found: Vec::new() };
            trial.visit(branch, value, depth + 1);
            if trial.found.is_empty() {
                return;
            }
            // Deeper complaints come from a branch that fits further.
            let rank =
                |found: &[OptionProblem]| (found.iter().all(|p| p.path.len() <= self.dotted().len()), found.len());
            if best.as_ref().is_none_or(|known| rank(&trial.found) < rank(known)) {
                best = Some(trial.found);
            }
        }
        self.found.extend(best.unwrap_or_default());
    }

    fn check_choice(&mut self, choices: &[&Value], value: &Value) {
        if choices.contains(&value) {
            return;
        }
        let names: Vec<&str> = choices.iter().filter_map(|choice| choice.as_str()).collect();
        let known = if names.is_empty() {
            choices.iter().map(|choice| choice.to_string()).collect::<Vec<_>>().join(", ")
        } else {
            nearest::list(names.iter().copied())
        };
        let mut hints = Vec::new();
        if let Some(name) = value.as_str().and_then(|word| nearest::nearest(word, names)) {
            hints.push(format!("Did you mean `{name}`?"));
        }
        hints.push(format!("Known: {known}."));
        self.report(Part::Value, format!("{} cannot be {}.", self.subject(), in_words(value)), hints);
    }

    fn check_type(&mut self, schema: &Value, value: &Value) -> bool {
        let allowed: Vec<&str> = match schema.get("type") {
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => return true,
        };
        if allowed.iter().any(|name| is_a(name, value)) {
            return true;
        }
        let expected: Vec<&str> =
            allowed.iter().filter(|name| **name != "null").map(|name| type_in_words(name)).collect();
        let message = format!("{} must be {}, but it is {}.", self.subject(), expected.join(" or "), in_words(value));
        self.report(Part::Value, message, vec![]);
        false
    }

    fn check_bounds(&mut self, schema: &Value, value: &Value) {
        let Some(number) = value.as_f64() else { return };
        let bound = |keyword: &str| schema.get(keyword).filter(|bound| bound.is_number());
        // Sizes that the type sets without a written limit.
        let widest = match schema.get("format").and_then(Value::as_str) {
            Some("uint32") => Some(f64::from(u32::MAX)),
            Some("int32") => Some(f64::from(i32::MAX)),
            _ => None,
        };
        let lower = bound("minimum").map(|b| (b, false)).or(bound("exclusiveMinimum").map(|b| (b, true)));
        let upper = bound("maximum").map(|b| (b, false)).or(bound("exclusiveMaximum").map(|b| (b, true)));
        let outside = |bound: Option<(&Value, bool)>, side: f64| {
            bound.and_then(|(limit, excluded)| Some((limit.as_f64()?, excluded))).is_some_and(|(limit, excluded)| {
                let beyond = (number - limit) * side;
                beyond > 0.0 || (excluded && beyond == 0.0)
            })
        };
        if outside(lower, -1.0) || outside(upper, 1.0) {
            let low = lower.map(|(limit, excluded)| format!("{} {limit}", if excluded { "above" } else { "at least" }));
            let high = upper.map(|(limit, excluded)| format!("{} {limit}", if excluded { "below" } else { "at most" }));
            let limits: Vec<String> = low.into_iter().chain(high).collect();
            let message = format!("{} must be {}, but it is {value}.", self.subject(), limits.join(" and "));
            self.report(Part::Value, message, vec![]);
        } else if widest.is_some_and(|widest| number.abs() > widest) {
            self.report(Part::Value, format!("{} is too large.", self.subject()), vec![]);
        }
    }

    fn check_fields(&mut self, schema: &'a Value, fields: &Map<String, Value>, depth: usize) {
        let known = schema.get("properties").and_then(Value::as_object);
        let other = schema.get("additionalProperties");
        for (name, value) in fields {
            self.path.push(name.clone());
            match (known.and_then(|known| known.get(name)), other) {
                (Some(schema), _) => self.visit(schema, value, depth + 1),
                (None, Some(Value::Bool(true))) => {}
                (None, Some(schema @ Value::Object(_))) => self.visit(schema, value, depth + 1),
                // A struct that forgot to refuse unknown names still does not want them.
                (None, _) if known.is_some() || other.is_some() => self.unknown_name(name, known),
                (None, _) => {}
            }
            self.path.pop();
        }
        for name in parts(schema, "required").iter().filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                let help = known.and_then(|known| known.get(name)).map(|schema| describe(self.root, schema));
                self.path.push(name.to_owned());
                self.report(
                    Part::Value,
                    format!("{} is missing.", self.subject()),
                    help.into_iter().flatten().collect(),
                );
                self.path.pop();
            }
        }
    }

    fn unknown_name(&mut self, name: &str, known: Option<&Map<String, Value>>) {
        let names = || known.into_iter().flat_map(|known| known.keys().map(String::as_str));
        let mut hints = Vec::new();
        if let Some(near) = nearest::nearest(name, names()) {
            hints.push(format!("Did you mean `{near}`?"));
        }
        let all = nearest::list(names());
        if !all.is_empty() {
            hints.push(format!("Known here: {all}."));
        }
        let owner = match self.path.split_last() {
            Some((_, [])) | None => self.owner.to_owned(),
            Some((_, parents)) => format!("`{}`", parents.join(".")),
        };
        self.report(Part::Key, format!("{owner} has no setting `{name}`."), hints);
    }

    fn check_items(&mut self, schema: &'a Value, items: &[Value], depth: usize) {
        let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_u64).map(|limit| limit as usize);
        let (fewest, most) = (limit("minItems"), limit("maxItems"));
        if fewest.is_some_and(|fewest| items.len() < fewest) || most.is_some_and(|most| items.len() > most) {
            let wanted = match (fewest, most) {
                (Some(fewest), Some(most)) if fewest == most => format!("{most}"),
                (Some(fewest), Some(most)) => format!("{fewest} to {most}"),
                (Some(fewest), None) => format!("at least {fewest}"),
                (None, most) => format!("at most {}", most.unwrap_or_default()),
            };
            let message = format!("{} needs {wanted} values, but has {}.", self.subject(), items.len());
            self.report(Part::Value, message, vec![]);
        }
        let first = parts(schema, "prefixItems");
        for (index, item) in items.iter().enumerate() {
            if let Some(schema) = first.get(index).or_else(|| schema.get("items")) {
                self.path.push(index.to_string());
                self.visit(schema, item, depth + 1);
                self.path.pop();
            }
        }
    }

    fn dotted(&self) -> String {
        self.path.join(".")
    }

    fn subject(&self) -> String {
        if self.path.is_empty() { self.owner.to_owned() } else { format!("`{}`", self.dotted()) }
    }

    fn report(&mut self, part: Part, message: String, hints: Vec<String>) {
        self.found.push(OptionProblem { path: self.dotted(), part, message, hints });
    }
}

/// The list under a keyword; empty if there is none.
fn parts<'s>(schema: &'s Value, keyword: &str) -> &'s [Value] {
    schema.get(keyword).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn kind(schema: &Value) -> Option<&str> {
    schema.get("type").and_then(Value::as_str)
}

/// The values of an enum schema, if it is one.
fn constants(schema: &Value) -> Option<Vec<&Value>> {
    match (schema.get("const"), schema.get("enum")) {
        (Some(constant), _) => Some(vec![constant]),
        (None, Some(Value::Array(choices))) => Some(choices.iter().collect()),
        _ => None,
    }
}

fn describe(root: &Value, schema: &Value) -> Option<String> {
    let own = schema.get("description").or_else(|| follow(root, schema).get("description"));
    own.and_then(Value::as_str).map(str::to_owned)
}

fn is_a(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn type_in_words(name: &str) -> &str {
    match name {
        "boolean" => "true or false",
        "string" => "text in quotes",
        "integer" => "a whole number",
        "number" => "a number",
        "array" => "a list",
        "object" => "a table of settings",
        other => other,
    }
}

fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => format!("the text \"{text}\""),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a table of settings".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::method::schema_of;
    use schemars::JsonSchema;
    use serde::Serialize;
    use serde_json::json;

    #[derive(JsonSchema, Serialize)]
    #[allow(dead_code)]
    enum Shape {
        /// A square.
        Patch,
        /// A wave.
        Sine,
    }

    #[derive(JsonSchema, Serialize)]
    #[serde(tag = "id", rename_all = "kebab-case")]
    #[allow(dead_code)]
    enum Label {
        AllToOne {
            #[schemars(range(min = 0))]
            target: i64,
        },
        AllToAll {
            shift: i64,
        },
    }

    #[derive(JsonSchema, Serialize)]
    #[allow(dead_code)]
    struct Options {
        #[schemars(range(min = 0.0, max = 0.5))]
        ratio: f64,
        #[schemars(extend("exclusiveMinimum" = 0.0))]
        rate: f64,
        layers: Option<u32>,
        shape: Shape,
        label: Label,
        /// Two numbers.
        size: [u8; 2],
        inner: Inner,
    }

    #[derive(JsonSchema, Serialize)]
    #[allow(dead_code)]
    struct Inner {
        deep: Option<Shape>,
    }

    fn good() -> Value {
        json!({ "ratio": 0.1, "rate": 1, "layers": 3, "shape": "Patch", "label": { "id": "all-to-one", "target": 0 },
                "size": [3, 4], "inner": { "deep": "Sine" } })
    }

    fn complaints(change: impl FnOnce(&mut Value)) -> Vec<(String, String)> {
        let mut value = good();
        change(&mut value);
        check(&schema_of::<Options>(), &value, "BadNets").into_iter().map(|p| (p.path, p.message)).collect()
    }

    #[test]
    fn good_values_pass() {
        assert_eq!(complaints(|_| {}), []);
        assert_eq!(complaints(|v| v["layers"] = Value::Null), []);
        assert_eq!(complaints(|v| v["inner"]["deep"] = Value::Null), []);
        assert_eq!(complaints(|v| v["label"] = json!({ "id": "all-to-all", "shift": 1 })), []);
    }

    #[test]
    fn limits_types_and_choices_are_kept() {
        let one = |change: fn(&mut Value)| {
            let found = complaints(change);
            assert_eq!(found.len(), 1, "{found:?}");
            found.into_iter().next().unwrap()
        };
        let said = |path: &str, message: &str| (path.to_owned(), message.to_owned());
        let ratio = "`ratio` must be at least 0.0 and at most 0.5, but it is";
        assert_eq!(one(|v| v["ratio"] = json!(0.6)), said("ratio", &format!("{ratio} 0.6.")));
        assert_eq!(one(|v| v["ratio"] = json!(-1)), said("ratio", &format!("{ratio} -1.")));
        assert_eq!(one(|v| v["rate"] = json!(0)), said("rate", "`rate` must be above 0.0, but it is 0."));
        assert_eq!(
            one(|v| v["layers"] = json!(1.5)),
            said("layers", "`layers` must be a whole number, but it is 1.5.")
        );
        assert_eq!(one(|v| v["layers"] = json!(5_000_000_000_u64)), said("layers", "`layers` is too large."));
        assert_eq!(one(|v| v["shape"] = json!("Sin")), said("shape", "`shape` cannot be the text \"Sin\"."));
        assert_eq!(one(|v| v["inner"]["deep"] = json!("x")).0, "inner.deep");
        assert_eq!(one(|v| v["size"] = json!([1])), said("size", "`size` needs 2 values, but has 1."));
        assert_eq!(one(|v| v["size"][1] = json!(300)).0, "size.1");
        assert_eq!(one(|v| v["inner"] = json!(1)).1, "`inner` must be a table of settings, but it is 1.");
        assert_eq!(one(|v| v["inner"]["x"] = json!(1)).1, "`inner` has no setting `x`.");
        assert_eq!(one(|v| v["label"]["target"] = json!(-2)).0, "label.target");
        assert_eq!(one(|v| v["new"] = json!(1)).1, "BadNets has no setting `new`.");
    }

    #[test]
    fn hints_name_the_nearest() {
        let mut value = good();
        value["shape"] = json!("patch");
        value["ratios"] = json!(0.1);
        value.as_object_mut().unwrap().shift_remove("size");
        let found = check(&schema_of::<Options>(), &value, "BadNets");
        let hints: Vec<&str> = found.iter().flat_map(|p| p.hints.iter().map(String::as_str)).collect();
        assert!(hints.contains(&"Did you mean `Patch`?"), "{hints:?}");
        assert!(hints.contains(&"Did you mean `ratio`?"), "{hints:?}");
        assert!(hints.contains(&"Two numbers."), "{hints:?}");
    }
}
