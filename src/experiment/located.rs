//! TOML text that remembers where everything stands, so that a complaint can point at it.

use super::problem::{Problem, Result};
use serde_json::{Map, Number, Value};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// Which part of `key = value` a complaint is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Key,
    Value,
}

/// Parsed TOML beside its text.
pub struct Located<'t> {
    text: &'t str,
    root: Spanned<DeTable<'t>>,
}

impl<'t> Located<'t> {
    /// Fails with line, column and the offending text when this is not TOML.
    pub fn parse(text: &'t str) -> Result<Self> {
        let root = DeTable::parse(text).map_err(|error| from_toml(text, &error))?;
        Ok(Self { text, root })
    }

    /// The whole text as plain values. Dates and numbers that are not finite have no place in an experiment.
    pub fn value(&self) -> Result<Value> {
        self.plain_table(self.root.get_ref()).map(Value::Object)
    }

    /// Where `path` (`defense.0.options.epochs`) stands; for what is not there, the innermost table that is.
    pub fn span(&self, path: &str, part: Part) -> Range<usize> {
        let mut here = 0..0;
        let mut table = Some(self.root.get_ref());
        let mut array: Option<&DeArray<'t>> = None;
        for step in path.split('.').filter(|step| !step.is_empty()) {
            let (key, value) = if let Some(found) = table.and_then(|table| table.get_key_value(step)) {
                (found.0.span(), found.1)
            } else if let Some(found) = array.zip(step.parse().ok()).and_then(|(array, i): (_, usize)| array.get(i)) {
                (found.span(), found)
            } else {
                break;
            };
            here = match (part, value.get_ref()) {
                // A table's value is its header and all below: its name alone is what people recognise.
                (Part::Key, _) | (Part::Value, DeValue::Table(_)) => key,
                (Part::Value, _) => value.span(),
            };
            table = value.get_ref().as_table();
            array = value.get_ref().as_array();
        }
        here
    }

    /// "line 3, column 7" and the line with a marker under the place.
    pub fn show(&self, span: &Range<usize>) -> (String, String) {
        show(self.text, span)
    }

    fn plain_table(&self, table: &DeTable<'t>) -> Result<Map<String, Value>> {
        table.iter().map(|(key, value)| Ok((key.get_ref().to_string(), self.plain(value)?))).collect()
    }

    fn plain(&self, value: &Spanned<DeValue<'t>>) -> Result<Value> {
        let refuse = |why: &str| {
            let (place, excerpt) = self.show(&value.span());
            Err(Problem::bad_input(why).at(place).because(excerpt))
        };
        match value.get_ref() {
            DeValue::String(text) => Ok(Value::String(text.to_string())),
            DeValue::Boolean(flag) => Ok(Value::Bool(*flag)),
            DeValue::Integer(number) => {
                let signed = i64::from_str_radix(number.as_str(), number.radix()).map(Number::from);
                let unsigned = u64::from_str_radix(number.as_str(), number.radix()).map(Number::from);
                match signed.or(unsigned) {
                    Ok(number) => Ok(Value::Number(number)),
                    Err(_) => refuse("This whole number is too large."),
                }
            }
            DeValue::Float(number) => match number.as_str().parse().ok().and_then(Number::from_f64) {
                Some(number) => Ok(Value::Number(number)),
                None => refuse("Only finite numbers are allowed here."),
            },
            DeValue::Datetime(_) => refuse("A date is not expected here."),
            DeValue::Array(items) => items.iter().map(|item| self.plain(item)).collect(),
            DeValue::Table(table) => self.plain_table(table).map(Value::Object),
        }
    }
}

/// A complaint of the TOML library in our words: place and text instead of a drawing in the message.
pub fn from_toml(text: &str, error: &toml::de::Error) -> Problem {
    let problem = Problem::bad_input("The experiment cannot be read.").because(error.message());
    match error.span() {
        Some(span) => {
            let (place, excerpt) = show(text, &span);
            problem.at(place).because(excerpt)
        }
        None => problem,
    }
}

/// Long lines are cut to this many characters around the place.
const SHOWN: usize = 100;

fn show(text: &str, span: &Range<usize>) -> (String, String) {
    let start = floor_char(text, span.start);
    let before = &text[..start];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let number = before.matches('\n').count() + 1;
    let column = text[line_start..start].chars().count() + 1;
    let line = text[line_start..].lines().next().unwrap_or_default();
    let end = floor_char(text, span.end.min(line_start + line.len())).max(start);
    let marked = text[start..end].chars().count().max(1);

    let skipped = if column > SHOWN { column - SHOWN / 2 } else { 0 };
    let shown: String = line.chars().skip(skipped).take(SHOWN).collect();
    let marked = marked.min(SHOWN.saturating_sub(column - 1 - skipped)).max(1);
    let margin = " ".repeat(number.to_string().len());
    let indent = " ".repeat(column - 1 - skipped);
    let excerpt = format!("{number} | {shown}\n{margin} | {indent}{}", "^".repeat(marked));
    (format!("line {number}, column {column}"), excerpt)
}

/// The nearest character border at or below `index`.
fn floor_char(text: &str, index: usize) -> usize {
    let mut index = index.min(text.len());
    while !text.is_char_boundary(index) {
        index -= 1;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT: &str = "\
seed = 7
[attack]
id = \"badnets\"
options = { poison_ratio = 0.1, \"größe\" = 3 }
[[defense]]
id = \"npd\"
[[defense]]
id = \"ft\"
[defense.options]
epochs = 5
";

    fn text_at(path: &str, part: Part) -> &'static str {
        &TEXT[Located::parse(TEXT).unwrap().span(path, part)]
    }

    #[test]
    fn keys_and_values_are_found() {
        assert_eq!(text_at("seed", Part::Key), "seed");
        assert_eq!(text_at("seed", Part::Value), "7");
        assert_eq!(text_at("attack.options.poison_ratio", Part::Value), "0.1");
        assert_eq!(text_at("attack.options.größe", Part::Key), "\"größe\"");
        assert_eq!(text_at("attack", Part::Key), "attack");
        assert_eq!(text_at("defense.1.options.epochs", Part::Value), "5");
    }

    #[test]
    fn missing_things_point_at_their_table() {
        assert_eq!(text_at("attack.options.target", Part::Value), "options");
        assert!(TEXT[Located::parse(TEXT).unwrap().span("defense.1.name", Part::Key)].contains("defense"));
        assert_eq!(text_at("nothing.here", Part::Key), "");
    }

    #[test]
    fn places_count_lines_and_characters() {
        let located = Located::parse(TEXT).unwrap();
        let (place, excerpt) = located.show(&located.span("attack.options.größe", Part::Value));
        assert_eq!(place, "line 4, column 43");
        assert!(excerpt.starts_with("4 | options"), "{excerpt}");
        assert_eq!(excerpt.lines().nth(1).unwrap().find('^'), Some("4 | ".len() + 42));
    }

    #[test]
    fn values_become_plain() {
        let value = Located::parse(TEXT).unwrap().value().unwrap();
        assert_eq!(value["attack"]["options"]["poison_ratio"], 0.1);
        assert_eq!(value["defense"][1]["options"]["epochs"], 5);
        for (text, place) in [("a = 1\nb = nan", "line 2, column 5"), ("a = 2020-01-01", "line 1, column 5")] {
            assert_eq!(Located::parse(text).unwrap().value().unwrap_err().place.as_deref(), Some(place));
        }
        let large = Located::parse("a = 0xffff_ffff_ffff_ffff").unwrap().value().unwrap();
        assert_eq!(large["a"], u64::MAX);
    }

    #[test]
    fn broken_toml_is_pointed_at() {
        let problem = Located::parse("seed = 1\nname = \"open").err().unwrap();
        assert!(problem.place.unwrap().starts_with("line 2"));
        assert!(problem.detail.iter().any(|line| line.contains("name = \"open")));
    }

    proptest! {
        #[test]
        fn any_span_of_any_text_can_be_shown(text in "[a-zß\n =]{0,400}", start in 0usize..500, length in 0usize..500) {
            let (place, excerpt) = show(&text, &(start..start + length));
            prop_assert!(place.starts_with("line "));
            prop_assert!(excerpt.contains('^'));
        }
    }
}
