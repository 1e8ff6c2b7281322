//! `--set path=value`: changes one setting of an experiment text.

use super::located::Located;
use super::nearest;
use super::problem::{Problem, Result};
use super::schema;
use super::task::schema_for;
use serde_json::{Map, Value};

/// Applies patches such as `train.epochs=5`, `attack.options.target=2`, `defense.0.options.epochs=5`, `name="x y"`.
///
/// A value is read as TOML and, if it is none, taken as text; no value at all (`attack=`) takes the setting out. Tables that an experiment may have (`attack`,
/// `defense.0.options`) are created when needed. Another method loses the options of the one before; methods are changed
/// first, so that the order of patches does not matter for that. The text that comes back has no comments; without patches
/// it is unchanged.
pub fn apply(text: &str, patches: &[String]) -> Result<String> {
    if patches.is_empty() {
        return Ok(text.to_owned());
    }
    let mut value = Located::parse(text)?.value()?;
    let schema = schema_for(&value);
    let names_method = |patch: &&String| patch.split('=').next().is_some_and(|path| path.trim().ends_with(".id"));
    let (methods, others): (Vec<_>, Vec<_>) = patches.iter().partition(names_method);
    for patch in methods.into_iter().chain(others) {
        set(&mut value, &schema, patch).map_err(|problem| problem.at(format!("--set {patch}")))?;
    }
    toml::to_string(&value)
        .map_err(|error| Problem::internal("The changed experiment cannot be written.").because(error))
}

fn set(value: &mut Value, schema: &Value, patch: &str) -> Result<()> {
    let usage = || {
        Problem::bad_input("A setting is changed by its path, `=` and a value.")
            .remedy("For example: --set train.epochs=5")
    };
    let (path, text) = patch.split_once('=').ok_or_else(usage)?;
    let steps: Vec<&str> = path.trim().split('.').collect();
    if steps.iter().any(|step| step.is_empty()) {
        return Err(usage());
    }
    let mut here = value;
    let mut known = Place { root: schema, schema: Some(schema) };
    for (depth, step) in steps.iter().enumerate() {
        let last = depth + 1 == steps.len();
        if last
            && known.is_method()
            && *step == "id"
            && here["id"] != text.trim().trim_matches(['"', '\''])
            && let Value::Object(method) = &mut *here
        {
            method.remove("options");
        }
        known = known.enter(step, &steps[..depth])?;
        if last
            && text.trim().is_empty()
            && let Value::Object(fields) = here
        {
            fields.remove(*step);
            return Ok(());
        }
        here = enter(here, step, &steps[..depth])?;
        if !last && here.is_null() {
            // What is below decides what is created here.
            *here = if known.is_list() { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
        }
    }
    *here = read(text.trim(), known.is_text());
    Ok(())
}

/// One step down in the values; a missing setting appears as null, a list grows by one at most.
fn enter<'v>(value: &'v mut Value, step: &str, above: &[&str]) -> Result<&'v mut Value> {
    match value {
        Value::Object(fields) => Ok(fields.entry(step).or_insert(Value::Null)),
        Value::Array(items) => {
            let length = items.len();
            let index = step.parse::<usize>().ok().filter(|&index| index <= length).ok_or_else(|| {
                let wanted = match length {
                    0 => "it is empty: start with 0".to_owned(),
                    _ => format!("0 to {} change one, {length} adds one", length - 1),
                };
                Problem::bad_input(format!("`{}` is a list; `{step}` is not a place in it.", above.join(".")))
                    .because(format!("Places are counted from 0; {wanted}."))
            })?;
            if index == length {
                items.push(Value::Null);
            }
            Ok(&mut items[index])
        }
        _ => Err(Problem::bad_input(format!("`{}` is a single value and has no setting `{step}`.", above.join(".")))),
    }
}

/// Walks the experiment's schema beside the values; below the options of a method anything may come.
#[derive(Clone, Copy)]
struct Place<'s> {
    root: &'s Value,
    schema: Option<&'s Value>,
}

impl<'s> Place<'s> {
    fn enter(self, step: &str, above: &[&str]) -> Result<Self> {
        let Some(schema) = self.schema else { return Ok(self) };
        let below = |schema: Option<&'s Value>| Place { schema: schema.map(|schema| self.plain(schema)), ..self };
        if let Some(items) = schema.get("items") {
            return Ok(below(Some(items)));
        }
        let Some(fields) = schema.get("properties").and_then(Value::as_object) else { return Ok(below(None)) };
        if let Some(field) = fields.get(step) {
            return Ok(below(Some(field)));
        }
        let names = || fields.keys().map(String::as_str);
        let owner = if above.is_empty() { "An experiment".to_owned() } else { format!("`{}`", above.join(".")) };
        let mut problem = Problem::bad_input(format!("{owner} has no setting `{step}`."));
        if let Some(near) = nearest::nearest(step, names()) {
            problem = problem.remedy(format!("Did you mean `{near}`?"));
        } else if fields.contains_key("options") {
            problem = problem.remedy(format!("Options of a method are below `{}.options`.", above.join(".")));
        }
        Err(problem.remedy(format!("Known here: {}.", nearest::list(names()))))
    }

    /// The schema itself behind references and "or nothing".
    fn plain(self, schema: &'s Value) -> &'s Value {
        let schema = schema::follow(self.root, schema);
        let branches = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
        match branches.filter(|branch| branch.get("type").is_none_or(|kind| kind != "null")).collect::<Vec<_>>()[..] {
            [only] => schema::follow(self.root, only),
            _ => schema,
        }
    }

    fn is_list(self) -> bool {
        self.schema.is_some_and(|schema| schema.get("items").is_some())
    }

    /// A method by its id, with its options.
    fn is_method(self) -> bool {
        let field =
            |name: &str| self.schema.is_some_and(|schema| schema.pointer(&format!("/properties/{name}")).is_some());
        field("id") && field("options")
    }

    fn is_text(self) -> bool {
        self.schema.and_then(|schema| schema.get("type")).is_some_and(|kind| kind == "string")
    }
}

/// A value as TOML, else as text; where text is wanted, `2024` is text too.
fn read(text: &str, wants_text: bool) -> Value {
    let line = format!("value = {text}");
    let parsed = Located::parse(&line).and_then(|located| located.value());
    match parsed.as_ref().map(|table| (table.as_object().map(Map::len), &table["value"])) {
        // A line break in the text must not smuggle in a second setting.
        Ok((Some(1), value)) if value.is_string() || !wants_text => value.clone(),
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
seed = 1
[data]
source = \"fashion-mini\"
[network]
id = \"small\"
[[defense]]
id = \"ft\"
";

    fn patched(patches: &[&str]) -> Result<Value> {
        let patches: Vec<String> = patches.iter().map(|&patch| patch.to_owned()).collect();
        Located::parse(&apply(TEXT, &patches)?)?.value()
    }

    #[test]
    fn settings_change() {
        let value =
            patched(&["seed=9", "name=\"x y\"", "network.id=wide-resnet", "train.learning_rate = 1e-3"]).unwrap();
        assert_eq!(value["seed"], 9);
        assert_eq!(value["name"], "x y");
        assert_eq!(value["network"]["id"], "wide-resnet");
        assert_eq!(value["train"]["learning_rate"], 0.001);
        assert_eq!(value["data"]["source"], "fashion-mini");
    }

    #[test]
    fn missing_tables_are_created_where_they_belong() {
        let value =
            patched(&["attack.id=badnets", "attack.options.poison_ratio=0.05", "attack.options.label.id=x"]).unwrap();
        assert_eq!(value["attack"]["options"]["poison_ratio"], 0.05);
        assert_eq!(value["attack"]["options"]["label"]["id"], "x");
        let value = patched(&["defense.0.options.epochs=5", "defense.1.id=npd"]).unwrap();
        assert_eq!(value["defense"][0]["options"]["epochs"], 5);
        assert_eq!(value["defense"][1]["id"], "npd");
        let text = apply("[data]\nsource='x'", &["defense.0.id=npd".to_owned()]).unwrap();
        assert!(text.contains("[[defense]]\nid = \"npd\""), "{text}");
    }

    #[test]
    fn another_method_loses_the_options_of_the_one_before() {
        let text = format!(
            "{TEXT}options = {{ epochs = 5 }}\n[attack]\nid = \"blended\"\noptions = {{ alpha_train = 0.1 }}\n"
        );
        let patched = |patches: &[&str]| {
            let patches: Vec<String> = patches.iter().map(|&patch| patch.to_owned()).collect();
            Located::parse(&apply(&text, &patches).unwrap()).unwrap().value().unwrap()
        };
        let value = patched(&["attack.options.size=5", "attack.id=badnets", "defense.0.id=npd"]);
        assert_eq!(value["attack"], serde_json::json!({ "id": "badnets", "options": { "size": 5 } }));
        assert_eq!(value["defense"][0], serde_json::json!({ "id": "npd" }));
        let same = patched(&["attack.id=\"blended\"", "attack.options.alpha_test=0.2"]);
        assert_eq!(same["attack"]["options"], serde_json::json!({ "alpha_train": 0.1, "alpha_test": 0.2 }));
    }

    #[test]
    fn no_value_takes_a_setting_out() {
        let value = patched(&["defense=", "name="]).unwrap();
        assert_eq!(value.get("defense").or(value.get("name")), None);
        assert_eq!(value["seed"], 1);
        assert_eq!(patched(&["attack="]).unwrap().get("attack"), None, "what is not there stays away");
        assert_eq!(patched(&["atack="]).unwrap_err().headline, "An experiment has no setting `atack`.");
    }

    #[test]
    fn text_stays_text() {
        let value = patched(&["name=2024", "data.source=C:\\pictures", "attack.id=true"]).unwrap();
        assert_eq!(value["name"], "2024");
        assert_eq!(value["data"]["source"], "C:\\pictures");
        assert_eq!(value["attack"]["id"], "true");
        let value = patched(&["name=a=b\nseed = 5"]).unwrap();
        assert_eq!(value["name"], "a=b\nseed = 5");
        assert_eq!(value["seed"], 1);
        assert_eq!(patched(&["attack.options.x=1\ny=2"]).unwrap()["attack"]["options"]["x"], "1\ny=2");
    }

    #[test]
    fn mistakes_are_told() {
        let said = |patch: &str| patched(&[patch]).unwrap_err();
        let problem = said("atack.id=badnets");
        assert_eq!(problem.headline, "An experiment has no setting `atack`.");
        assert_eq!(problem.remedy[0], "Did you mean `attack`?");
        assert_eq!(problem.place.as_deref(), Some("--set atack.id=badnets"));
        assert_eq!(said("attack.poison_ratio=1").remedy[0], "Options of a method are below `attack.options`.");
        assert_eq!(said("defense.3.id=npd").headline, "`defense` is a list; `3` is not a place in it.");
        assert_eq!(said("seed.x=1").headline, "`seed` is a single value and has no setting `x`.");
        for patch in ["seed", "=1", "a..b=1", ""] {
            assert!(said(patch).headline.contains("by its path"), "{patch}");
        }
    }

    #[test]
    fn without_patches_the_text_is_untouched() {
        assert_eq!(apply("# kept\nseed = 1", &[]).unwrap(), "# kept\nseed = 1");
    }
}
