//! One thing varied: the list of values before it starts, and the sweep as the window knows it. The runs are ordinary runs
//! in folders of their own, so that a sweep goes on where it was left, here or with `polariscope sweep`.

use super::curves::Curves;
use super::differences::Difference;
use super::form::{self, Field, Forms, Shape};
use super::job::{JobView, best_repair};
use super::words;
use crate::experiment::sweep::{Sweep, Variant};
use crate::experiment::{Experiment, Problem, Result, Scores};
use crate::run::event::JobId;
use crate::run::sweep::Planned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A trigger that wins at least this often is a backdoor that works.
const WORKS: f64 = 0.5;
/// More values than this are a slip of the keyboard.
pub const MOST_VALUES: usize = 50;
/// "Is that luck?" adds this many seeds.
pub const LUCK: i64 = 3;

/// What can be done to what is varied, and to the sweep.
#[derive(Debug, Clone)]
pub enum VaryChange {
    /// A setting of the draft, by its path in the experiment.
    Open(String),
    /// The list as typed.
    Values(String),
    Seeds(String),
    Close,
    /// Runs them one after another.
    Start,
    /// Goes on with what is not finished.
    Resume,
    /// The run that is being made is kept where it stands.
    Stop,
    /// The same values with other seeds.
    MoreSeeds,
    /// Side by side, labelled by what differs.
    Compare,
    /// Takes the sweep off the window; its runs stay.
    PutAway,
}

/// The list that is being made.
#[derive(Debug, Clone)]
pub struct VaryDraft {
    /// Such as `poison.ratio`.
    pub path: String,
    pub field: Field,
    pub values: String,
    pub seeds: String,
    /// The runs there would be, or what is wrong with the list.
    pub plan: Result<SweepView>,
    /// Seconds that all of them may take, as far as such runs were made before.
    pub seconds: Option<f64>,
}

/// How one run of a sweep stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Waiting,
    /// Begun and not finished.
    Interrupted,
    Running,
    Done,
    Failed(String),
}

impl Standing {
    pub fn word(&self) -> &str {
        match self {
            Standing::Waiting => "waiting",
            Standing::Interrupted => "interrupted",
            Standing::Running => "running",
            Standing::Done => "finished",
            Standing::Failed(_) => "failed",
        }
    }
}

#[derive(Debug, Clone)]
pub struct SweepRun {
    /// What makes it different: "Ratio 1 %, seed 2".
    pub label: String,
    /// The same without the seed.
    pub value: String,
    pub planned: Planned,
    pub standing: Standing,
    /// Its curves and results, once they are known.
    pub view: Option<Box<JobView>>,
}

/// A sweep, planned or under way.
#[derive(Debug, Clone)]
pub struct SweepView {
    pub sweep: Sweep,
    pub title: String,
    pub runs: Vec<SweepRun>,
    /// The next one starts when one has ended.
    pub active: bool,
    /// The job that makes a run, and which.
    pub current: Option<(JobId, usize)>,
}

/// A rate of a model, where it has one.
pub type Rate = fn(&Scores) -> Option<f64>;

/// All seeds of one value.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    pub value: &'a str,
    pub scores: Vec<&'a Scores>,
}

impl Group<'_> {
    /// Mean, smallest and largest of a rate.
    pub fn rate(&self, of: impl Fn(&Scores) -> Option<f64>) -> Option<[f64; 3]> {
        let values: Vec<f64> = self.scores.iter().filter_map(|scores| of(scores)).collect();
        let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
        (!values.is_empty()).then(|| [values.iter().sum::<f64>() / values.len() as f64, low, high])
    }
}

impl SweepView {
    pub fn new(sweep: Sweep, experiment: &Experiment, planned: Vec<Planned>, forms: &Forms) -> Self {
        let sets: Vec<Vec<String>> = planned.iter().map(|planned| planned.variant.set.clone()).collect();
        // What is the same for all tells nobody apart.
        let differs = |patch: &&String| sets.iter().any(|set| !set.contains(patch));
        let run = |planned: Planned| {
            let set = &planned.variant.set;
            let telling: Vec<String> = set.iter().filter(differs).cloned().collect();
            let (value, seed) = label_of(&telling, experiment, forms);
            let parts = [Some(value.clone()).filter(|value| !value.is_empty()), seed].into_iter().flatten();
            let label = parts.collect::<Vec<_>>().join(", ");
            let whole = || label_of(set, experiment, forms).0;
            let value = if value.is_empty() { whole() } else { value };
            let value = if value.is_empty() { "These settings".to_owned() } else { value };
            let label = if label.is_empty() { value.clone() } else { label };
            SweepRun { label, value, planned, standing: Standing::Waiting, view: None }
        };
        let mut runs: Vec<SweepRun> = planned.into_iter().map(run).collect();
        // The same value typed twice is one run.
        let mut known: Vec<_> = Vec::new();
        runs.retain(|run| {
            let new = !known.contains(&run.planned.folder);
            known.push(run.planned.folder.clone());
            new
        });
        Self { sweep, title: super::carry_out::title_of(experiment), runs, active: false, current: None }
    }

    /// Recorded runs, each labelled by what differs, in the order of that.
    pub fn recorded(runs: Vec<(PathBuf, Box<Experiment>, JobView)>, told: &[Difference]) -> Self {
        let title = runs.first().map(|(_, _, view)| view.title.clone()).unwrap_or_default();
        // What a machine was told is no setting that anybody varies.
        let varied = |difference: &&Difference| !["Seed", "Device", "Threads"].contains(&difference.name.as_str());
        let words = |difference: &Difference, at: usize| {
            let name = difference.name.rsplit(" · ").next().unwrap_or_default();
            Some(format!("{name} {}", difference.values.get(at)?.as_deref()?))
        };
        let seeded = told.iter().any(|difference| difference.name == "Seed");
        let run = |(at, (folder, experiment, view)): (usize, (PathBuf, Box<Experiment>, JobView))| {
            let value: Vec<_> = told.iter().filter(varied).filter_map(|difference| words(difference, at)).collect();
            let value = if value.is_empty() { view.title.clone() } else { value.join(", ") };
            let seed = if seeded { format!(", seed {}", experiment.seed) } else { String::new() };
            let standing = if view.results.is_empty() { Standing::Interrupted } else { Standing::Done };
            let set = vec![format!("seed={}", experiment.seed)];
            let variant = Variant { name: value.clone(), case: value.clone(), set };
            let planned = Planned { variant, spec: String::new(), folder };
            SweepRun { label: format!("{value}{seed}"), value, planned, standing, view: Some(Box::new(view)) }
        };
        let mut runs: Vec<SweepRun> = runs.into_iter().enumerate().map(run).collect();
        let number = |run: &SweepRun| run.value.split_whitespace().find_map(|word| word.parse::<f64>().ok());
        let order = |a: &SweepRun, b: &SweepRun| match (number(a), number(b)) {
            (Some(one), Some(other)) => one.total_cmp(&other).then_with(|| a.label.cmp(&b.label)),
            _ => a.label.cmp(&b.label),
        };
        runs.sort_by(order);
        let sweep = Sweep { base: None, vary: BTreeMap::new(), cases: Vec::new(), experiment: None };
        Self { sweep, title, runs, active: false, current: None }
    }

    /// It was only read: nothing of it can be made again from here.
    pub fn is_recorded(&self) -> bool {
        self.sweep.experiment.is_none()
    }

    pub fn count(&self, standing: &Standing) -> usize {
        let same = |other: &Standing| std::mem::discriminant(other) == std::mem::discriminant(standing);
        self.runs.iter().filter(|run| same(&run.standing)).count()
    }

    pub fn is_over(&self) -> bool {
        self.runs.iter().all(|run| matches!(run.standing, Standing::Done | Standing::Failed(_)))
    }

    /// "2 of 5 finished, 1 interrupted."
    pub fn summary(&self) -> String {
        let mut said = format!("{} of {} finished", self.count(&Standing::Done), self.runs.len());
        for standing in [Standing::Interrupted, Standing::Failed(String::new())] {
            let count = self.count(&standing);
            if count > 0 {
                said += &format!(", {count} {}", standing.word());
            }
        }
        said + "."
    }

    /// The next run to be made: what was interrupted first.
    pub fn next(&self) -> Option<usize> {
        let at = |standing: Standing| self.runs.iter().position(|run| run.standing == standing);
        at(Standing::Interrupted).or_else(|| at(Standing::Waiting))
    }

    /// Finished runs by their value, in the order of the values.
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for run in &self.runs {
            let scores = run.view.as_ref().and_then(|view| self.scores_of(view));
            let Some(scores) = scores.filter(|_| run.standing == Standing::Done) else { continue };
            match groups.iter_mut().find(|group| group.value == run.value) {
                Some(group) => group.scores.push(scores),
                None => groups.push(Group { value: &run.value, scores: vec![scores] }),
            }
        }
        groups
    }

    /// The course of one run of each value, in the order of the values.
    pub fn courses(&self) -> Vec<(&str, &Curves)> {
        let mut courses: Vec<(&str, &Curves)> = Vec::new();
        for run in &self.runs {
            let curves = run.view.as_ref().map(|view| &view.curves).filter(|curves| curves.last("asr").is_some());
            if let Some(curves) = curves.filter(|_| courses.iter().all(|(value, _)| *value != run.value)) {
                courses.push((&run.value, curves));
            }
        }
        courses
    }

    /// What is varied decides whose rates count: of the best repair when it is about the defense, else before any repair.
    pub fn scores_of<'a>(&self, view: &'a JobView) -> Option<&'a Scores> {
        let repaired = self.sweep.vary.keys().any(|path| path.starts_with("defense") || path.starts_with("defender"));
        let best = best_repair(&view.results).filter(|_| repaired).map(|(row, _)| row);
        best.or(view.results.first()).map(|row| &row.scores)
    }

    /// What it has shown, in a sentence to copy.
    pub fn sentence(&self) -> Option<String> {
        let groups = self.groups();
        let wins = |group: &Group<'_>| group.rate(Scores::trigger_wins);
        let tries = |group: &Group<'_>| {
            let seeds = if group.scores.len() > 1 {
                format!(" with each of {} seeds", group.scores.len())
            } else {
                String::new()
            };
            let count = group.scores.first().map_or(0, |scores| scores.triggered_count);
            format!("{} tries{seeds}", words::count(count as u64))
        };
        let spread = |[mean, low, high]: [f64; 3]| {
            let mean = words::percent(mean);
            if high - low < 5e-4 {
                mean
            } else {
                format!("{mean} ({} to {})", words::percent(low), words::percent(high))
            }
        };
        let measured: Vec<_> = groups.iter().filter_map(|group| Some((group, wins(group)?))).collect();
        let Some(at) = measured.iter().position(|(_, wins)| wins[0] >= WORKS) else {
            let highest = measured.iter().max_by(|(_, a), (_, b)| a[0].total_cmp(&b[0]));
            if let Some((group, wins)) = highest {
                let (most, value) = (spread(*wins), group.value);
                return Some(format!(
                    "The trigger wins nowhere in half of the tries; most at {value}: {most} of {}.",
                    tries(group)
                ));
            }
            // Without an attack there is the accuracy to tell.
            let acc: Vec<_> =
                groups.iter().filter_map(|group| Some((group, group.rate(|scores| Some(scores.acc))?))).collect();
            let (best, rate) = acc.iter().max_by(|(_, a), (_, b)| a[0].total_cmp(&b[0]))?;
            return Some(format!("Accuracy is highest at {}: {}.", best.value, spread(*rate)));
        };
        let (group, won) = &measured[at];
        let mut said = format!("At {} the trigger wins in {} of {}", lower(group.value), spread(*won), tries(group));
        if let Some((before, won)) = at.checked_sub(1).map(|before| &measured[before]) {
            said += &format!("; at {} in {}", lower(before.value), spread(*won));
        }
        Some(said + ".")
    }

    /// ASR and ACC of a run as it stands, in words.
    pub fn run_words(&self, run: &SweepRun, live: Option<&Curves>) -> String {
        let last = |metric: &str| match (&run.standing, live) {
            (Standing::Running, Some(curves)) => curves.last(metric),
            _ => run.view.as_ref().and_then(|view| view.curves.last(metric)),
        };
        let rates = match (&run.standing, run.view.as_ref().and_then(|view| self.scores_of(view))) {
            (Standing::Done, Some(scores)) => (scores.trigger_wins(), Some(scores.acc)),
            _ => (last("asr"), last("acc")),
        };
        let said = [("ASR", rates.0), ("ACC", rates.1)].into_iter();
        let said = said.filter_map(|(name, rate)| Some(format!("{name} {}", words::percent(rate?))));
        let said: Vec<_> = [run.standing.word().to_owned()].into_iter().chain(said).collect();
        format!("{}: {}", run.label, said.join(", "))
    }
}

/// Names of settings are no beginnings of sentences.
fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// The field behind a path such as `attack.options.size` in this experiment.
pub fn field_at<'f>(path: &str, experiment: &Experiment, forms: &'f Forms) -> Option<&'f Field> {
    let (part, rest) = path.split_once('.')?;
    let options = |method: Option<&str>, key: &str| forms.of(method?).iter().find(|field| field.key == key);
    let find = |fields: &'f [Field]| fields.iter().find(|field| field.key == rest);
    let id = |pick: &Option<crate::experiment::Pick>| pick.as_ref().map(|pick| pick.id.clone());
    match part {
        "data" => find(&forms.data),
        "train" => find(&forms.train),
        "poison" => find(&forms.poison),
        "defender" => find(&forms.defender),
        "network" => options(Some(&experiment.network.id), rest.strip_prefix("options.")?),
        "attack" => options(id(&experiment.attack).as_deref(), rest.strip_prefix("options.")?),
        "selection" => options(id(&experiment.selection).as_deref(), rest.strip_prefix("options.")?),
        "defense" => {
            let (index, key) = rest.split_once(".options.")?;
            let pick = experiment.defense.get(index.parse::<usize>().ok()?)?;
            options(Some(&pick.id), key)
        }
        _ => None,
    }
}

/// The value of a setting as the experiment has it.
pub fn value_at(path: &str, experiment: &Experiment, field: &Field) -> Value {
    let written = serde_json::to_value(experiment).ok();
    let pointer = format!("/{}", path.replace('.', "/"));
    written.and_then(|value| value.pointer(&pointer).cloned()).unwrap_or_else(|| field.default.clone())
}

/// Whether a list of values makes sense for a field.
pub fn can_vary(field: &Field) -> bool {
    let shape = match &field.shape {
        Shape::Optional(inner) => inner,
        shape => shape,
    };
    !matches!(shape, Shape::Group(_) | Shape::Raw | Shape::Text | Shape::Optional(_))
}

/// What the patches of a variant say in the words of the forms, and its seed.
fn label_of(set: &[String], experiment: &Experiment, forms: &Forms) -> (String, Option<String>) {
    let mut seed = None;
    let mut said = Vec::new();
    for patch in set {
        let (path, text) = patch.split_once('=').unwrap_or((patch, ""));
        let value = toml::from_str::<toml::Table>(&format!("v = {text}")).ok();
        let value = value.and_then(|mut table| serde_json::to_value(table.remove("v")?).ok());
        let value = value.unwrap_or_else(|| Value::String(text.to_owned()));
        match field_at(path, experiment, forms) {
            _ if path == "seed" => seed = Some(format!("seed {}", form::plain_words(&value))),
            Some(field) => said.push(format!("{} {}", field.title, form::words_of(field, &value))),
            None => said.push(format!("{path} {}", form::plain_words(&value))),
        }
    }
    (said.join(", "), seed)
}

/// The values of a list as people type it: "0.2, 0.5, 1, 2, 5 %" for a share, "sgd, adam" for choices.
pub fn values_of(field: &Field, text: &str) -> Result<Vec<toml::Value>> {
    let problem = |part: &str, wanted: &str| {
        Problem::bad_input(format!("“{part}” is no value for {}.", lower(&field.title))).remedy(wanted.to_owned())
    };
    let unit = field.unit.as_deref().unwrap_or_default();
    let shape = match &field.shape {
        Shape::Optional(inner) => inner,
        shape => shape,
    };
    let parts = text.split([',', ';', '\n']).map(str::trim).filter(|part| !part.is_empty());
    let one = |part: &str| -> Result<toml::Value> {
        let number = part.trim_end_matches(unit).trim_end_matches('%').trim();
        let value = match shape {
            Shape::Integer { .. } | Shape::Class { .. } => {
                let whole = number.replace('\u{2212}', "-").parse::<i64>();
                toml::Value::Integer(
                    whole.map_err(|_not_whole| problem(part, "Type whole numbers with commas between them."))?,
                )
            }
            Shape::Number { .. } => {
                let value = number.replace('\u{2212}', "-").parse::<f64>().ok().filter(|value| value.is_finite());
                let value = value.ok_or_else(|| problem(part, "Type numbers with commas between them: 0.5, 1, 2."))?;
                toml::Value::Float(form::rounded(value / form::scale_of(field)))
            }
            Shape::Switch => match part.to_lowercase().as_str() {
                "on" | "true" | "yes" => toml::Value::Boolean(true),
                "off" | "false" | "no" => toml::Value::Boolean(false),
                _ => return Err(problem(part, "Type on, off.")),
            },
            Shape::Choice(choices) => {
                let same = |choice: &&form::Choice| {
                    choice.title.eq_ignore_ascii_case(part) || choice.value.as_str().is_some_and(|value| value == part)
                };
                let titles: Vec<_> = choices.iter().map(|choice| choice.title.as_str()).collect();
                let found = choices.iter().find(same);
                let found = found.ok_or_else(|| problem(part, &format!("Known are: {}.", titles.join(", "))))?;
                toml::Value::try_from(&found.value)
                    .map_err(|error| Problem::internal("This choice cannot be written.").because(error))?
            }
            _ => toml::Value::String(part.to_owned()),
        };
        Ok(value)
    };
    let mut values: Vec<toml::Value> = Vec::new();
    for part in parts {
        let value = one(part)?;
        if !values.contains(&value) {
            values.push(value);
        }
    }
    if values.len() > MOST_VALUES {
        let headline = format!("A list of {} values is longer than anybody looks through.", values.len());
        return Err(Problem::bad_input(headline).remedy(format!("Type at most {MOST_VALUES}.")));
    }
    if values.is_empty() {
        return Err(Problem::bad_input("The list is empty.").remedy("Type values with commas between them."));
    }
    Ok(values)
}

/// Seeds as typed: "1, 2, 3" or "1-5".
pub fn seeds_of(text: &str) -> Result<Vec<i64>> {
    let wrong = || Problem::bad_input("These are no seeds.").remedy("Type whole numbers: 1, 2, 3 or 1-3.");
    let mut seeds = Vec::new();
    for part in text.split([',', ';', ' ']).map(str::trim).filter(|part| !part.is_empty()) {
        let number = |text: &str| text.trim().parse::<i64>().ok().filter(|seed| *seed >= 0).ok_or_else(wrong);
        match part.split_once('-') {
            Some((from, to)) => {
                let (from, to) = (number(from)?, number(to)?);
                if to < from || to - from >= MOST_VALUES as i64 {
                    return Err(wrong());
                }
                seeds.extend(from..=to);
            }
            None => seeds.push(number(part)?),
        }
    }
    seeds.sort_unstable();
    seeds.dedup();
    if seeds.is_empty() { Err(wrong()) } else { Ok(seeds) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::state::plain_experiment;
    use crate::experiment::Pick;
    use crate::run::ResultRow;

    fn forms() -> Forms {
        Forms::new(crate::catalogue::all())
    }

    fn attacked() -> Experiment {
        let attack = Pick { id: "badnets".into(), options: serde_json::Map::new() };
        Experiment { attack: Some(attack), ..plain_experiment() }
    }

    #[test]
    fn lists_are_read_as_people_type_them() {
        let (forms, experiment) = (forms(), attacked());
        let ratio = field_at("poison.ratio", &experiment, &forms).expect("a field");
        let floats = |text: &str| -> Vec<f64> {
            values_of(ratio, text).expect("values").iter().filter_map(toml::Value::as_float).collect()
        };
        assert_eq!(floats("0.2, 0.5, 1,2, 5 %"), [0.002, 0.005, 0.01, 0.02, 0.05]);
        assert_eq!(floats("1 %; 1"), [0.01], "the same value is one run");
        assert!(values_of(ratio, "one").expect_err("a word").headline.contains("“one” is no value"));
        assert!(values_of(ratio, " , ").expect_err("nothing").headline.contains("empty"));
        let size = field_at("attack.options.size", &experiment, &forms).expect("a field");
        assert_eq!(values_of(size, "2, 3 px").expect("values"), [2, 3].map(toml::Value::Integer));
        assert!(values_of(size, "2.5").is_err());
        let shape = field_at("attack.options.shape", &experiment, &forms).expect("a field");
        assert!(can_vary(shape));
        assert!(values_of(shape, "round the corner").expect_err("no choice").remedy[0].starts_with("Known are: "));
        assert_eq!(field_at("attack.options.unheard", &experiment, &forms), None);
        assert_eq!(seeds_of("3, 1-2").expect("seeds"), [1, 2, 3]);
        assert!(seeds_of("1-900").is_err() && seeds_of("-3").is_err() && seeds_of("").is_err());
    }

    fn view(rates: &[(&str, i64, Option<f64>)]) -> SweepView {
        let sweep: Sweep = toml::from_str("base = 'x.toml'\n[vary]\n'poison.ratio' = [0.01]").expect("a sweep");
        let (forms, experiment) = (forms(), attacked());
        let planned = rates.iter().map(|(ratio, seed, _)| {
            let set = vec![format!("poison.ratio={ratio}"), format!("seed={seed}")];
            let variant = Variant { name: String::new(), case: String::new(), set };
            Planned { variant, spec: String::new(), folder: format!("/runs/{ratio}-{seed}").into() }
        });
        let mut view = SweepView::new(sweep, &experiment, planned.collect(), &forms);
        for (run, (_, _, asr)) in view.runs.iter_mut().zip(rates) {
            let Some(asr) = asr else { continue };
            let scores = Scores { acc: 0.9, asr: Some(*asr), triggered_count: 200, ..Scores::default() };
            let row = ResultRow { scores, ..ResultRow::default() };
            run.standing = Standing::Done;
            run.view = Some(Box::new(JobView { results: vec![row], ..JobView::new(None, "run") }));
        }
        view
    }

    #[test]
    fn the_sentence_names_the_smallest_value_that_works() {
        let view = view(&[("0.005", 1, Some(0.12)), ("0.01", 1, Some(0.97)), ("0.02", 1, Some(0.99))]);
        assert_eq!(view.runs[1].label, "Ratio 1 %", "the seed is the same for all");
        let sentence = view.sentence().expect("a sentence");
        assert_eq!(sentence, "At ratio 1 % the trigger wins in 97.0 % of 200 tries; at ratio 0.5 % in 12.0 %.");
        assert!(view.is_over());
    }

    #[test]
    fn seeds_of_one_value_are_one_group_with_its_spread() {
        let view = view(&[("0.01", 1, Some(0.9)), ("0.01", 2, Some(0.7)), ("0.02", 1, None)]);
        let groups = view.groups();
        assert_eq!((groups.len(), groups[0].value), (1, "Ratio 1 %"));
        assert_eq!(view.runs[1].label, "Ratio 1 %, seed 2");
        let [mean, low, high] = groups[0].rate(|scores| scores.asr).expect("measured");
        assert!((mean - 0.8).abs() < 1e-9 && low == 0.7 && high == 0.9);
        assert!(
            view.sentence()
                .expect("a sentence")
                .contains("80.0 % (70.0 % to 90.0 %) of 200 tries with each of 2 seeds")
        );
        assert_eq!((view.summary().as_str(), view.next()), ("2 of 3 finished.", Some(2)));
    }

    #[test]
    fn what_is_the_same_for_all_is_no_name() {
        let seeds = view(&[("0.01", 1, None), ("0.01", 2, None)]);
        assert_eq!((seeds.runs[1].label.as_str(), seeds.runs[1].value.as_str()), ("seed 2", "Ratio 1 %"));
        let alone = view(&[("0.01", 1, None)]);
        assert_eq!(alone.runs[0].label, "Ratio 1 %");
    }

    #[test]
    fn recorded_runs_stand_in_the_order_of_what_differs() {
        let run = |ratio: f64, asr: f64| {
            let scores = Scores { asr: Some(asr), triggered_count: 200, ..Scores::default() };
            let results = vec![ResultRow { scores, ..ResultRow::default() }];
            let mut experiment = attacked();
            experiment.poison.ratio = ratio;
            let view = JobView { results, ..JobView::new(None, "recorded") };
            (PathBuf::from(format!("/stick/{ratio}")), Box::new(experiment), view)
        };
        let runs = vec![run(0.1, 0.99), run(0.01, 0.2), run(0.02, 0.9)];
        let experiments: Vec<&Experiment> = runs.iter().map(|(_, experiment, _)| &**experiment).collect();
        let told = crate::app::differences::differences(&experiments, &forms(), crate::catalogue::all());
        let view = SweepView::recorded(runs, &told);
        let labels: Vec<_> = view.runs.iter().map(|run| run.label.as_str()).collect();
        assert_eq!(labels, ["Ratio 1 %", "Ratio 2 %", "Ratio 10 %"]);
        assert!(view.is_recorded() && view.is_over());
        assert!(view.sentence().expect("a sentence").starts_with("At ratio 2 % the trigger wins in 90.0 %"));
    }

    #[test]
    fn what_was_interrupted_comes_first_and_nothing_that_works_is_said_so() {
        let mut view = view(&[("0.01", 1, None), ("0.02", 1, Some(0.2)), ("0.05", 1, None)]);
        view.runs[2].standing = Standing::Interrupted;
        assert_eq!((view.summary().as_str(), view.next()), ("1 of 3 finished, 1 interrupted.", Some(2)));
        assert!(view.sentence().expect("a sentence").starts_with("The trigger wins nowhere in half of the tries"));
        assert_eq!(view.run_words(&view.runs[1], None), "Ratio 2 %: finished, ASR 20.0 %, ACC 90.0 %");
    }
}
