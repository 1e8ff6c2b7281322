//! What differs between experiments: only the settings that are not equal, in the words of the forms.

use super::form::{Field, Forms, Shape, value_of};
use super::words;
use crate::experiment::{Experiment, Method, Pick};
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Value};

/// A setting in which at least two experiments differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub name: String,
    /// One per experiment; `None` where the experiment has no such setting.
    pub values: Vec<Option<String>>,
}

/// The settings that differ, in the order in which an experiment is built. Names of experiments are no settings.
pub fn differences(experiments: &[&Experiment], forms: &Forms, methods: &[&'static Method]) -> Vec<Difference> {
    let settings: Vec<_> = experiments.iter().map(|experiment| settings_of(experiment, forms, methods)).collect();
    let mut names: Vec<&String> = Vec::new();
    for name in settings.iter().flat_map(IndexMap::keys) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let values = |name: &String| settings.iter().map(|settings| settings.get(name).cloned()).collect::<Vec<_>>();
    let difference = |name: &String| {
        let values = values(name);
        // An option of a method that only one of them uses says no more than the method's name.
        let mut given = values.iter().flatten();
        let first = given.next()?;
        given.any(|value| value != first).then(|| Difference { name: name.clone(), values })
    };
    names.into_iter().filter_map(difference).collect()
}

/// A sentence on what the differences are good for.
pub fn conclusion(differences: &[Difference]) -> String {
    match differences {
        [] => "Nothing differs but the name: the same experiment, the same numbers.".to_owned(),
        [only] if only.name == "Seed" => "Only the seed differs: what you see below is luck.".to_owned(),
        [only] => format!("Only one thing differs: {}.", only.name),
        many => format!("{} settings differ, so no single one explains the result.", many.len()),
    }
}

/// What tells experiments of one title apart: "Seed 2". Empty where the title is enough, or where nothing differs.
pub fn distinctions(titles: &[&str], found: &[Difference]) -> Vec<String> {
    /// More would not fit beside a title.
    const MOST: usize = 2;
    let of = |index: usize| {
        let twins = (0..titles.len()).filter(|other| *other != index && titles[*other] == titles[index]);
        let twins: Vec<usize> = twins.collect();
        let telling = found
            .iter()
            .filter(|difference| twins.iter().any(|twin| difference.values.get(*twin) != difference.values.get(index)));
        let said = telling.filter_map(|difference| {
            let value = difference.values.get(index)?.as_deref()?;
            let name = difference.name.rsplit(" · ").next().unwrap_or_default();
            Some(format!("{name} {value}"))
        });
        said.take(MOST).collect::<Vec<_>>().join(", ")
    };
    (0..titles.len()).map(of).collect()
}

/// All settings of an experiment by their names.
fn settings_of(experiment: &Experiment, forms: &Forms, methods: &[&'static Method]) -> IndexMap<String, String> {
    let mut settings = Settings { forms, methods, found: IndexMap::new() };
    settings.add("Seed", experiment.seed.to_string());
    settings.add("Device", experiment.device.to_string());
    let threads = if experiment.threads == 0 { "all cores".to_owned() } else { experiment.threads.to_string() };
    settings.add("Threads", threads);
    settings.fields("Data", &forms.data, &map_of(&experiment.data));
    settings.method("Network", Some(&experiment.network));
    settings.fields("Training", &forms.train, &map_of(&experiment.train));
    settings.method("Attack", experiment.attack.as_ref());
    if experiment.attack.is_some() {
        settings.fields("Poison", &forms.poison, &map_of(&experiment.poison));
    }
    let defenses: Vec<_> = experiment.defense.iter().map(|pick| settings.name_of(pick)).collect();
    settings.add("Defenses", if defenses.is_empty() { "none".to_owned() } else { defenses.join(", ") });
    for pick in &experiment.defense {
        settings.options(pick);
    }
    if !experiment.defense.is_empty() {
        settings.fields("Defender", &forms.defender, &map_of(&experiment.defender));
    }
    settings.found
}

struct Settings<'a> {
    forms: &'a Forms,
    methods: &'a [&'static Method],
    found: IndexMap<String, String>,
}

impl Settings<'_> {
    /// A method that is used twice gets a number.
    fn add(&mut self, name: &str, value: String) {
        let mut unused = name.to_owned();
        for number in 2.. {
            if !self.found.contains_key(&unused) {
                break;
            }
            unused = format!("{name} ({number})");
        }
        self.found.insert(unused, value);
    }

    fn fields(&mut self, group: &str, fields: &[Field], values: &Map<String, Value>) {
        for field in fields {
            let name = format!("{group} · {}", field.title);
            match (&field.shape, value_of(field, values)) {
                (Shape::Group(inner), Value::Object(values)) => self.fields(&name, inner, values),
                (_, value) => self.add(&name, in_words(field, value)),
            }
        }
    }

    fn method(&mut self, what: &str, pick: Option<&Pick>) {
        let name = pick.map_or_else(|| "none".to_owned(), |pick| self.name_of(pick));
        self.add(what, name);
        if let Some(pick) = pick {
            self.options(pick);
        }
    }

    fn options(&mut self, pick: &Pick) {
        let (forms, name) = (self.forms, self.name_of(pick));
        self.fields(&name, forms.of(&pick.id), &pick.options);
    }

    fn name_of(&self, pick: &Pick) -> String {
        let method = self.methods.iter().find(|method| method.id == pick.id);
        method.map_or(pick.id.as_str(), |method| method.name).to_owned()
    }
}

fn map_of(part: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(part) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// A value as its form shows it.
fn in_words(field: &Field, value: &Value) -> String {
    let text = match (&field.shape, value) {
        (_, Value::Null) => return "automatic".to_owned(),
        (Shape::Choice(choices), value) => {
            let choice = choices.iter().find(|choice| choice.value == *value);
            return choice.map_or_else(|| plain(value), |choice| choice.title.clone());
        }
        (_, Value::Bool(on)) => return if *on { "on" } else { "off" }.to_owned(),
        (_, Value::Number(number)) => match (number.as_f64(), field.unit.as_deref()) {
            (Some(share), Some("%")) => return format!("{} %", short(share * 100.0)),
            (Some(number), _) => short(number),
            (None, _) => number.to_string(),
        },
        (_, value) => plain(value),
    };
    match &field.unit {
        Some(unit) => format!("{text} {unit}"),
        None => text,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Six digits at most, and no tail of zeros or of rounding.
fn short(number: f64) -> String {
    let rounded: f64 = format!("{number:.5e}").parse().unwrap_or(number);
    if rounded != 0.0 && rounded.abs() < 1e-4 {
        format!("{rounded:e}")
    } else if rounded.fract() == 0.0 && rounded.abs() < 1e15 {
        words::signed_count(rounded as i64)
    } else {
        rounded.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::check;

    const SPEC: &str = "name = 'a'\nseed = 1\n[data]\nsource = 'fashion-mini'\n[network]\nid = 'small-resnet'\n\
                        [train]\nepochs = 8\nlearning_rate = 0.1\n[attack]\nid = 'badnets'\n[poison]\nratio = 0.05\n\
                        [[defense]]\nid = 'npd'\n";

    fn found(changes: &[(&str, &str)]) -> Vec<Difference> {
        let methods = crate::catalogue::all();
        let forms = Forms::new(methods);
        let read = |text: &str| check::resolve(&check::parse(text, methods).expect("spec"), methods);
        let first = read(SPEC);
        let other = read(&changes.iter().fold(SPEC.to_owned(), |text, (from, to)| text.replace(from, to)));
        differences(&[&first, &other], &forms, methods)
    }

    fn told(changes: &[(&str, &str)]) -> Vec<String> {
        let tell = |difference: Difference| {
            let values: Vec<_> = difference.values.into_iter().map(Option::unwrap_or_default).collect();
            format!("{}: {}", difference.name, values.join(" | "))
        };
        found(changes).into_iter().map(tell).collect()
    }

    #[test]
    fn only_what_differs_is_told_in_plain_words() {
        assert_eq!(told(&[("'a'", "'another name'")]), [""; 0]);
        assert_eq!(told(&[("ratio = 0.05", "ratio = 0.001")]), ["Poison · Ratio: 5 % | 0.1 %"]);
        assert_eq!(
            told(&[("epochs = 8", "epochs = 12"), ("learning_rate = 0.1", "learning_rate = 0.00005")]),
            ["Training · Epochs: 8 epochs | 12 epochs", "Training · Learning rate: 0.1 | 5e-5"]
        );
    }

    #[test]
    fn options_of_a_method_that_one_does_not_use_are_left_out() {
        assert_eq!(told(&[("id = 'npd'", "id = 'ft'")])[0], "Defenses: Neural polarizer (NPD) | Fine-tuning (FT)");
        assert_eq!(found(&[("id = 'npd'", "id = 'ft'")]).len(), 1);
        let without = told(&[("[attack]\nid = 'badnets'\n[poison]\nratio = 0.05\n[[defense]]\nid = 'npd'\n", "")]);
        assert_eq!(without, ["Attack: BadNets | none", "Defenses: Neural polarizer (NPD) | none"]);
    }

    #[test]
    fn the_conclusion_warns_of_luck() {
        assert!(conclusion(&found(&[("seed = 1", "seed = 2")])).contains("luck"));
        assert!(conclusion(&found(&[])).starts_with("Nothing differs"));
        assert_eq!(conclusion(&found(&[("epochs = 8", "epochs = 9")])), "Only one thing differs: Training · Epochs.");
    }

    #[test]
    fn runs_of_one_title_are_told_apart_by_what_differs() {
        let found = found(&[("seed = 1", "seed = 2"), ("ratio = 0.05", "ratio = 0.1")]);
        assert_eq!(distinctions(&["same", "same"], &found), ["Seed 1, Ratio 5 %", "Seed 2, Ratio 10 %"]);
        assert_eq!(distinctions(&["one", "other"], &found), ["", ""]);
        assert_eq!(distinctions(&["same", "same"], &[]), ["", ""]);
    }

    #[test]
    fn numbers_are_short() {
        let said: Vec<_> = [0.1, 10.000000000000002, 1e-5, 0.0, 50_000.0, 1.0 / 3.0].into_iter().map(short).collect();
        assert_eq!(said, ["0.1", "10", "1e-5", "0", "50,000", "0.333333"]);
    }
}
