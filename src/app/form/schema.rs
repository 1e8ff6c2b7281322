//! Reads a JSON schema as a list of fields that can be drawn.

use serde_json::Value;

/// One option.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub key: String,
    /// The key in words.
    pub title: String,
    /// One sentence.
    pub help: String,
    pub shape: Shape,
    pub unit: Option<String>,
    /// Draw on a logarithmic scale.
    pub log: bool,
    /// What the paper used.
    pub paper: Option<Value>,
    /// Shown under "More".
    pub advanced: bool,
    pub default: Value,
}

/// What kind of value a field takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    Integer {
        min: Option<i64>,
        max: Option<i64>,
    },
    Number {
        min: Option<f64>,
        max: Option<f64>,
    },
    Switch,
    Text,
    Choice(Vec<Choice>),
    /// Absent means "automatic".
    Optional(Box<Shape>),
    Group(Vec<Field>),
    /// A class of the data, by its number.
    Class {
        most: i64,
    },
    /// `#rrggbb`.
    Color,
    /// Anything else is edited as text.
    Raw,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub value: Value,
    pub title: String,
    pub help: String,
}

/// The fields of an options struct; `defaults` holds a value for each.
pub fn fields(schema: &Value, defaults: &Value) -> Vec<Field> {
    fields_within(schema, follow(schema, schema), defaults)
}

/// The same for a part of a larger schema.
pub fn fields_within(root: &Value, schema: &Value, defaults: &Value) -> Vec<Field> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return Vec::new();
    };
    properties.iter().map(|(key, property)| field(root, key, property, defaults.get(key))).collect()
}

fn field(root: &Value, key: &str, property: &Value, default: Option<&Value>) -> Field {
    let target = follow(root, property);
    // The field's own words win over those of its type.
    let hint = |name: &str| property.get(name).or_else(|| target.get(name));
    let text = |name: &str| hint(name).and_then(Value::as_str).map(str::to_owned);
    let default = default.or_else(|| hint("default")).cloned().unwrap_or(Value::Null);
    Field {
        key: key.to_owned(),
        title: text("title")
            .filter(|title| title.contains(' '))
            .unwrap_or_else(|| crate::app::words::title_of_key(key)),
        help: text("description").unwrap_or_default().replace('\n', " "),
        shape: match hint("x-widget").and_then(Value::as_str) {
            Some("class") => Shape::Class { most: hint("maximum").and_then(Value::as_i64).unwrap_or(999) },
            Some("color") => Shape::Color,
            _ => shape(root, target, &default),
        },
        unit: text("x-unit"),
        log: hint("x-scale").and_then(Value::as_str) == Some("log") || is_wide(target),
        paper: hint("x-paper").cloned(),
        advanced: hint("x-advanced").and_then(Value::as_bool).unwrap_or(false),
        default,
    }
}

/// Counts over several orders of magnitude, such as 1 to 1000 epochs, are log too.
fn is_wide(schema: &Value) -> bool {
    let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
    matches!((bound("minimum"), bound("maximum")), (Some(min), Some(max)) if min >= 1 && max >= 200 * min)
}

/// The schema that a reference stands for; `allOf` with one member is how a described reference is written.
pub fn follow<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let named = schema.get("$ref").and_then(Value::as_str).and_then(|name| root.pointer(name.strip_prefix('#')?));
    let wrapped =
        || schema.get("allOf").and_then(Value::as_array).filter(|all| all.len() == 1).and_then(|all| all.first());
    match named.or_else(wrapped) {
        Some(target) if !std::ptr::eq(target, schema) => follow(root, target),
        _ => schema,
    }
}

fn shape(root: &Value, schema: &Value, default: &Value) -> Shape {
    if let Some(choices) = choices(root, schema) {
        return Shape::Choice(choices);
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(branches) = schema.get(keyword).and_then(Value::as_array) {
            let is_null = |branch: &&Value| branch.get("type").and_then(Value::as_str) == Some("null");
            let others: Vec<_> = branches.iter().filter(|branch| !is_null(branch)).collect();
            return match others.as_slice() {
                [one] if branches.len() == 2 => Shape::Optional(Box::new(shape(root, follow(root, one), default))),
                _ => Shape::Raw,
            };
        }
    }
    let kind = schema.get("type");
    if let Some(kinds) = kind.and_then(Value::as_array) {
        let others: Vec<_> = kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect();
        return match others.as_slice() {
            [one] => Shape::Optional(Box::new(plain(root, schema, one, default))),
            _ => Shape::Raw,
        };
    }
    kind.and_then(Value::as_str).map_or(Shape::Raw, |kind| plain(root, schema, kind, default))
}

fn plain(root: &Value, schema: &Value, kind: &str, default: &Value) -> Shape {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    match kind {
        "integer" => {
            Shape::Integer { min: bound("minimum").map(|min| min as i64), max: bound("maximum").map(|max| max as i64) }
        }
        "number" => Shape::Number { min: bound("minimum"), max: bound("maximum") },
        "boolean" => Shape::Switch,
        "string" => Shape::Text,
        "object" if schema.get("properties").is_some() => Shape::Group(fields_within(root, schema, default)),
        _ => Shape::Raw,
    }
}

/// Constants to choose from: an `enum`, or a `oneOf` whose branches are constants, each with its own description.
fn choices(root: &Value, schema: &Value) -> Option<Vec<Choice>> {
    let choice = |value: &Value, help: &str| Choice {
        title: value.as_str().map_or_else(|| value.to_string(), crate::app::words::title_of_key),
        value: value.clone(),
        help: help.replace('\n', " "),
    };
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return Some(values.iter().map(|value| choice(value, "")).collect());
    }
    let mut found = Vec::new();
    for branch in schema.get("oneOf")?.as_array()? {
        let branch = follow(root, branch);
        let help = branch.get("description").and_then(Value::as_str).unwrap_or_default();
        if let Some(value) = branch.get("const") {
            found.push(choice(value, help));
        } else {
            // Variants without a description are gathered in one `enum`.
            let values = branch.get("enum")?.as_array()?;
            found.extend(values.iter().map(|value| choice(value, help)));
        }
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::JsonSchema;
    use serde::Serialize;

    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    #[expect(dead_code, reason = "only its schema is used")]
    enum Corner {
        /// Where it is seen least.
        BottomRight,
        TopLeft,
    }

    #[derive(Serialize, JsonSchema)]
    #[serde(default)]
    struct Options {
        /// Share of poisoned pictures.
        #[schemars(range(min = 0.0001, max = 1.0), extend("x-scale" = "log", "x-paper" = 0.1, "x-unit" = "%"))]
        poison_ratio: f64,
        /// Side of the patch.
        #[schemars(range(min = 1, max = 32), extend("x-unit" = "px"))]
        patch: usize,
        corner: Corner,
        /// Also flip.
        flip: bool,
        #[schemars(extend("x-widget" = "color"))]
        color: String,
        #[schemars(range(min = 0, max = 99), extend("x-widget" = "class"))]
        target: i64,
        #[schemars(extend("x-advanced" = true))]
        seed: Option<u64>,
        name: String,
        layers: Vec<usize>,
    }

    impl Default for Options {
        fn default() -> Self {
            let (name, layers) = (String::new(), vec![1]);
            Self {
                poison_ratio: 0.1,
                patch: 3,
                corner: Corner::BottomRight,
                flip: true,
                color: "#ffffff".into(),
                target: 0,
                seed: None,
                name,
                layers,
            }
        }
    }

    #[test]
    fn every_kind_of_option_gets_its_shape() {
        let read = fields(
            &crate::experiment::method::schema_of::<Options>(),
            &crate::experiment::method::defaults_of::<Options>(),
        );
        let by_key = |key: &str| read.iter().find(|field| field.key == key).expect(key);
        let rate = by_key("poison_ratio");
        assert_eq!(rate.shape, Shape::Number { min: Some(0.0001), max: Some(1.0) });
        assert!(rate.log && rate.paper == Some(0.1.into()) && rate.unit.as_deref() == Some("%"));
        assert_eq!((rate.title.as_str(), rate.help.as_str()), ("Poison ratio", "Share of poisoned pictures."));
        assert_eq!(by_key("color").shape, Shape::Color);
        assert_eq!(by_key("target").shape, Shape::Class { most: 99 });
        assert_eq!(by_key("patch").shape, Shape::Integer { min: Some(1), max: Some(32) });
        let Shape::Choice(corners) = &by_key("corner").shape else { panic!("{:?}", by_key("corner")) };
        assert_eq!(corners.len(), 2);
        let described = corners.iter().find(|choice| choice.value == "bottom-right").expect("variant");
        assert_eq!((described.title.as_str(), described.help.as_str()), ("Bottom right", "Where it is seen least."));
        assert_eq!(by_key("flip").shape, Shape::Switch);
        assert!(matches!(&by_key("seed").shape, Shape::Optional(inner) if matches!(**inner, Shape::Integer { .. })));
        assert!(by_key("seed").advanced && !by_key("flip").advanced);
        assert_eq!(by_key("name").shape, Shape::Text);
        assert_eq!(by_key("layers").shape, Shape::Raw);
        let order: Vec<_> = read.iter().map(|field| field.key.as_str()).collect();
        assert_eq!(
            order,
            ["poison_ratio", "patch", "corner", "flip", "color", "target", "seed", "name", "layers"],
            "as declared"
        );
    }

    #[test]
    fn the_training_recipe_has_a_form() {
        let forms = crate::app::form::Forms::new(&[]);
        let schedule = forms.train.iter().find(|field| field.key == "schedule").expect("schedule");
        assert!(matches!(&schedule.shape, Shape::Choice(choices) if choices.len() == 6), "{schedule:?}");
        assert!(forms.data.iter().any(|field| field.key == "source" && field.shape == Shape::Text));
        assert!(forms.defender.iter().any(|field| field.key == "clean_ratio" && field.log));
    }
}
