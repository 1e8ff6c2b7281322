//! From text to a checked experiment and back.
//!
//! Names, types, choices and limits come from the schemas of [`Experiment`] and of the methods' options; there is no
//! second list of limits. Every complaint names line and column, shows the text and, where possible, the nearest name.

use super::fair::{FAIR_REGRESSION, FairExperiment, KernelKind, Solver};
use super::located::{Located, Part, from_toml};
use super::method::{Kind, Method, Property, schema_of};
use super::nearest;
use super::patch;
use super::problem::{Problem, Result};
use super::schema::{self, OptionProblem};
use super::spec::{Experiment, LabelMap, Pick, SCHEMA};
use super::task::Spec;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Reads and checks an experiment. If several things are wrong, the first one in the text is the headline.
pub fn parse(text: &str, methods: &[&'static Method]) -> Result<Experiment> {
    let located = Located::parse(text)?;
    if located.value()?.get("task").and_then(Value::as_str) == Some(FAIR_REGRESSION) {
        let (place, excerpt) = located.show(&located.span("task", Part::Value));
        return Err(Problem::bad_input("This is a fair regression; it trains no network.")
            .at(place)
            .because(excerpt)
            .remedy("Open it on the Fairness screen, or run it with `polariscope run`."));
    }
    parse_as(text, "An experiment", methods, check_together)
}

/// Reads and checks a fair regression.
pub fn parse_fair(text: &str, methods: &[&'static Method]) -> Result<FairExperiment> {
    parse_as(text, "A fair regression", methods, check_fair_together)
}

fn parse_as<T: DeserializeOwned + JsonSchema>(
    text: &str,
    owner: &str,
    methods: &[&'static Method],
    together: fn(&T, &[&'static Method]) -> Vec<OptionProblem>,
) -> Result<T> {
    let located = Located::parse(text)?;
    let value = located.value()?;
    refuse_newer(&located, &value)?;

    let mut found = schema::check(&schema_of::<T>(), &value, owner);
    for (path, kinds, pick) in picks(&value) {
        found.extend(check_pick(&path, kinds, pick, methods));
    }
    if !found.is_empty() {
        return Err(tell(&located, found));
    }
    // What a schema cannot say is left to the types, such as the spelling of a device.
    let experiment = toml::from_str(text).map_err(|error| from_toml(text, &error))?;
    let found = together(&experiment, methods);
    if found.is_empty() { Ok(experiment) } else { Err(tell(&located, found)) }
}

/// What a schema cannot say of one setting alone.
fn check_fair_together(experiment: &FairExperiment, _: &[&'static Method]) -> Vec<OptionProblem> {
    let mut found = Vec::new();
    let mut complain = |path: &str, message: String, hint: &str| {
        found.push(OptionProblem { path: path.into(), part: Part::Value, message, hints: vec![hint.into()] });
    };
    let table = &experiment.table;
    if table.sensitive.is_empty() {
        let message = "No sensitive column is named.".to_owned();
        complain("table.sensitive", message, "Name at least one, for example sensitive = [\"race\"].");
    }
    if table.sensitive.contains(&table.target) {
        let message = format!("`{}` is the target and cannot be sensitive as well.", table.target);
        complain("table.sensitive", message, "Choose another column.");
    }
    let model = &experiment.model;
    if model.solver == Solver::Fourier && !matches!(model.kernel, KernelKind::Rbf | KernelKind::Laplace) {
        let message = "Fourier features exist for kernels that depend on distance only.".to_owned();
        complain("model.solver", message, "Choose rbf or laplace as the kernel, or landmarks as the solver.");
    }
    found
}

/// Parts that are right each for itself, but not together.
fn check_together(experiment: &Experiment, methods: &[&'static Method]) -> Vec<OptionProblem> {
    let mut found = Vec::new();
    let mut complain = |path: &str, message: String, hint: &str| {
        found.push(OptionProblem { path: path.into(), part: Part::Value, message, hints: vec![hint.into()] });
    };
    let attack = experiment.attack.as_ref().and_then(|pick| ATTACK.find(methods, &pick.id));
    let network = NETWORK.find(methods, &experiment.network.id);
    if let Some(why) = attack.filter(|_| experiment.selection.is_some()).and_then(cannot_select) {
        complain("selection.id", why, "Leave out [selection], or choose an attack that only poisons data.");
    }
    if let Some(attack) = attack.filter(|attack| attack.has(Property::OwnsLoop)) {
        if experiment.poison.label_map == Some(LabelMap::CleanLabel) {
            let message = format!("{} has no clean-label form.", attack.name);
            complain("poison.label_map", message, "Choose all-to-one or all-to-all.");
        }
        if attack.has(Property::Surrogate) && network.is_some_and(|network| network.has(Property::Finished)) {
            let message = format!("{} learns its trigger beside a network, and this one comes trained.", attack.name);
            complain("attack.id", message, "Choose a network that is trained here, or another attack.");
        }
    }
    for (index, pick) in experiment.defense.iter().enumerate() {
        let refusal = DEFENSE.find(methods, &pick.id).and_then(|defense| cannot_defend(defense, attack, network));
        if let Some((message, hint)) = refusal {
            complain(&format!("defense.{index}.id"), message, hint);
        }
    }
    found
}

/// Why a defense has no place beside this attack or on this network, and what to do instead.
pub fn cannot_defend(
    defense: &Method,
    attack: Option<&Method>,
    network: Option<&Method>,
) -> Option<(String, &'static str)> {
    if defense.kind != Kind::Training {
        return None;
    }
    if let Some(attack) = attack.filter(|attack| attack.has(Property::OwnsLoop)) {
        let message = format!("{} trains the network itself, and so does {}.", defense.name, attack.name);
        return Some((message, "Choose an attack that only poisons data, or a defense that repairs a finished model."));
    }
    let network = network.filter(|network| network.has(Property::Finished))?;
    let message = format!("{} trains the network itself, and the {} comes trained.", defense.name, lower(network.name));
    Some((message, "Choose a network that is trained here, or a defense that repairs a finished model."))
}

/// A name inside of a sentence.
fn lower(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Why there is no selection for this attack, if there is none.
pub fn cannot_select(attack: &Method) -> Option<String> {
    if attack.has(Property::OwnsLoop) {
        return Some(format!("{} stamps pictures anew in every batch; none can be selected for it.", attack.name));
    }
    let stored = attack.has(Property::ComesPoisoned);
    stored.then(|| format!("{} brings its stamped pictures; none can be selected for it.", attack.name))
}

/// The label map that an attack was published with.
pub fn published_labels(attack: &Method) -> LabelMap {
    if attack.has(Property::CleanLabel) { LabelMap::CleanLabel } else { LabelMap::AllToOne }
}

/// Applies `--set` patches, then reads and checks.
///
/// Lines in complaints are those of the text as it was given, unless a patch caused the trouble.
pub fn parse_patched(text: &str, patches: &[String], methods: &[&'static Method]) -> Result<Spec> {
    if patches.is_empty() {
        return Spec::parse(text, methods);
    }
    let patched = patch::apply(text, patches)?;
    Spec::parse(&patched, methods).map_err(|problem| match Spec::parse(text, methods) {
        Err(original) if original.headline == problem.headline => original,
        _ => {
            let settings: Vec<String> = patches.iter().map(|patch| format!("--set {patch}")).collect();
            Problem { place: Some(settings.join(" ")), ..problem }
        }
    })
}

/// Checks the options of one method; paths are relative to the options.
pub fn check_options(method: &Method, options: &Map<String, Value>) -> Vec<OptionProblem> {
    schema::check(&(method.schema)(), &Value::Object(options.clone()), method.name)
}

/// The same experiment with every option of every method written out.
pub fn resolve(experiment: &Experiment, methods: &[&'static Method]) -> Experiment {
    let mut resolved = experiment.clone();
    let picks = std::iter::once((NETWORK, &mut resolved.network))
        .chain(resolved.attack.iter_mut().map(|pick| (ATTACK, pick)))
        .chain(resolved.selection.iter_mut().map(|pick| (SELECTION, pick)))
        .chain(resolved.defense.iter_mut().map(|pick| (DEFENSE, pick)))
        .chain(resolved.check.iter_mut().map(|pick| (CHECK, pick)));
    for (slot, pick) in picks {
        if let Some(method) = slot.find(methods, &pick.id) {
            pick.options = resolve_options(method, &pick.options);
        }
    }
    let attack = resolved.attack.as_ref().and_then(|pick| ATTACK.find(methods, &pick.id));
    resolved.poison.label_map.get_or_insert(attack.map_or(LabelMap::AllToOne, published_labels));
    resolved
}

/// The same for a fair regression; without a list of rivals it gets all of them.
pub fn resolve_fair(experiment: &FairExperiment, methods: &[&'static Method]) -> FairExperiment {
    let mut resolved = experiment.clone();
    let all = || RIVAL.fitting(methods).map(|method| Pick { id: method.id.to_owned(), options: Map::new() }).collect();
    for pick in resolved.rival.get_or_insert_with(all) {
        if let Some(method) = RIVAL.find(methods, &pick.id) {
            pick.options = resolve_options(method, &pick.options);
        }
    }
    resolved
}

/// The defaults of a method with `given` laid over them; whole numbers become fractions where the schema says `number`.
pub fn resolve_options(method: &Method, given: &Map<String, Value>) -> Map<String, Value> {
    let schema = (method.schema)();
    match lay_over(&schema, &schema, (method.defaults)(), &Value::Object(given.clone())) {
        Value::Object(options) => options,
        _ => given.clone(),
    }
}

/// The experiment as TOML, with everything that it holds.
pub fn to_toml(experiment: &impl Serialize) -> Result<String> {
    toml::to_string(experiment)
        .map_err(|error| Problem::internal("The experiment cannot be written as TOML.").because(error))
}

/// Eight hexadecimal digits that stand for a resolved experiment, whatever its name: the same experiment finds its own
/// run folder again.
pub fn hash8(resolved: &Experiment) -> String {
    let nameless = Experiment { name: String::new(), ..resolved.clone() };
    hash8_of(&to_toml(&nameless).unwrap_or_else(|_| format!("{nameless:?}")))
}

pub(super) fn hash8_of(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().chars().take(8).collect()
}

/// A name as part of a folder name: lower case, letters and digits joined by single dashes.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.chars().flat_map(char::to_lowercase) {
        if letter.is_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.chars().count() >= 40 {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "experiment".to_owned() } else { slug.to_owned() }
}

/// A place of an experiment where a method is chosen: what it is called there and which kinds fit.
#[derive(Clone, Copy)]
struct Slot {
    noun: &'static str,
    fits: fn(Kind) -> bool,
}

const NETWORK: Slot = Slot { noun: "network", fits: |kind| kind == Kind::Network };
const ATTACK: Slot = Slot { noun: "attack", fits: |kind| kind == Kind::Attack };
const SELECTION: Slot = Slot { noun: "selection", fits: |kind| kind == Kind::Selection };
const RIVAL: Slot = Slot { noun: "rival", fits: |kind| kind == Kind::FairRival };
const CHECK: Slot = Slot { noun: "check", fits: |kind| kind == Kind::Check };
const DEFENSE: Slot = Slot { noun: "defense", fits: Kind::is_defense };

impl Slot {
    fn fitting(self, methods: &[&'static Method]) -> impl Iterator<Item = &'static Method> {
        methods.iter().copied().filter(move |method| (self.fits)(method.kind))
    }

    fn find(self, methods: &[&'static Method], id: &str) -> Option<&'static Method> {
        self.fitting(methods).find(|method| method.id == id)
    }
}

/// Every method choice in a spec that may still be wrong in other ways, with its path.
fn picks(value: &Value) -> Vec<(String, Slot, &Value)> {
    let mut picks = Vec::new();
    for (key, slot) in [("network", NETWORK), ("attack", ATTACK), ("selection", SELECTION)] {
        picks.extend(value.get(key).map(|pick| (key.to_owned(), slot, pick)));
    }
    for (key, slot) in [("defense", DEFENSE), ("check", CHECK), ("rival", RIVAL)] {
        let listed = value.get(key).and_then(Value::as_array).into_iter().flatten();
        picks.extend(listed.enumerate().map(|(index, pick)| (format!("{key}.{index}"), slot, pick)));
    }
    picks
}

fn check_pick(path: &str, slot: Slot, pick: &Value, methods: &[&'static Method]) -> Vec<OptionProblem> {
    // A missing or misshapen id or table of options was told by the experiment's own schema.
    let Some(id) = pick.get("id").and_then(Value::as_str) else { return Vec::new() };
    let Some(method) = slot.find(methods, id) else {
        let (message, hints) = unknown_method(id, slot, methods);
        return vec![OptionProblem { path: format!("{path}.id"), part: Part::Value, message, hints }];
    };
    let Some(options) = pick.get("options").and_then(Value::as_object) else { return Vec::new() };
    let mut found = check_options(method, options);
    for problem in &mut found {
        problem.path = format!("{path}.options.{}", problem.path);
    }
    found
}

fn unknown_method(id: &str, slot: Slot, methods: &[&'static Method]) -> (String, Vec<String>) {
    let noun = slot.noun;
    if let Some(other) = methods.iter().find(|method| method.id == id) {
        let place = match other.kind {
            Kind::Network => "[network]",
            Kind::Attack => "[attack]",
            Kind::Selection => "[selection]",
            Kind::Check => "[[check]]",
            Kind::FairRegression => "[model]",
            Kind::FairRival => "[[rival]] in a spec with task = \"fair-regression\"",
            _ => "[[defense]]",
        };
        let right = other.kind.noun();
        let message = format!("`{id}` is {} {right}, not {} {noun}.", article(right), article(noun));
        return (message, vec![format!("Write it under {place}.")]);
    }
    let fitting = || slot.fitting(methods).map(|method| method.id);
    let mut hints = Vec::new();
    if let Some(near) = nearest::nearest(id, fitting()) {
        hints.push(format!("Did you mean `{near}`?"));
    }
    hints.push(format!("Known: {}.", nearest::list(fitting())));
    (format!("Unknown {noun} `{id}`."), hints)
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

fn refuse_newer(located: &Located<'_>, value: &Value) -> Result<()> {
    let Some(version) = value.get("schema").and_then(Value::as_u64).filter(|&version| version > u64::from(SCHEMA))
    else {
        return Ok(());
    };
    let (place, excerpt) = located.show(&located.span("schema", Part::Value));
    Err(Problem::bad_input(format!(
        "This experiment is written in format {version}; this version of Polariscope reads formats up to {SCHEMA}."
    ))
    .at(place)
    .because(excerpt)
    .remedy("Update Polariscope."))
}

/// One problem out of many: the first in the text is told in full, the others in a line each.
fn tell(located: &Located<'_>, found: Vec<OptionProblem>) -> Problem {
    let mut placed: Vec<_> =
        found.into_iter().map(|problem| (located.span(&problem.path, problem.part), problem)).collect();
    // What is missing has no place of its own and comes after what is wrong.
    placed.sort_by_key(|(span, _)| (span.is_empty(), span.start));
    let mut placed = placed.into_iter();
    let Some((span, first)) = placed.next() else { return Problem::internal("There was nothing to tell.") };

    let mut problem = Problem::bad_input(first.message);
    problem.remedy = first.hints;
    if span.is_empty() {
        problem = problem.at(first.path);
    } else {
        let (place, excerpt) = located.show(&span);
        problem = problem.at(place).because(excerpt);
    }
    for (span, other) in placed {
        let place = if span.is_empty() { String::new() } else { format!(" ({})", located.show(&span).0) };
        let hint = other.hints.first().map(|hint| format!(" {hint}")).unwrap_or_default();
        problem = problem.because(format!("Also: {}{hint}{place}", other.message));
    }
    problem
}

/// Lays `given` over `base`. Plain structs are joined field by field; anything else is replaced as a whole, because the
/// fields of one variant of an enum mean nothing in another. Empty optional values are left out: TOML has no null.
fn lay_over(root: &Value, schema: &Value, base: Value, given: &Value) -> Value {
    let schema = schema::follow(root, schema);
    match (base, given) {
        (Value::Object(base), Value::Object(given))
            if schema.get("properties").is_some() && schema.get("oneOf").is_none() =>
        {
            let field = |name: &str| schema["properties"].get(name).unwrap_or(&Value::Null);
            let mut joined = Map::new();
            for (name, default) in base {
                let value = given.get(&name).cloned().unwrap_or_else(|| default.clone());
                if !value.is_null() {
                    joined.insert(name.clone(), lay_over(root, field(&name), default, &value));
                }
            }
            for (name, value) in given {
                if !value.is_null() && !joined.contains_key(name) {
                    joined.insert(name.clone(), lay_over(root, field(name), Value::Null, value));
                }
            }
            Value::Object(joined)
        }
        // `rate = 1` and `rate = 1.0` are the same experiment.
        (_, Value::Number(number)) if says_number(schema) => {
            number.as_f64().map(Value::from).unwrap_or_else(|| given.clone())
        }
        _ => given.clone(),
    }
}

fn says_number(schema: &Value) -> bool {
    match schema.get("type") {
        Some(Value::String(name)) => name == "number",
        Some(Value::Array(names)) => names.iter().any(|name| name == "number"),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
