//! What each screen has to save; its main view comes first.

use super::figure::{Bars, Curve, Figure, Marks, Unit};
use super::table::{Table, number};
use super::{Content, Offer};
use crate::app::archive;
use crate::app::command::Screen;
use crate::app::comparison::Column;
use crate::app::curves::Curves;
use crate::app::job::JobView;
use crate::app::state::State;
use crate::app::theme::Role;
use crate::app::views::{metric_role, metric_title};
use crate::app::words;
use crate::experiment::{Experiment, check};
use crate::run::event::{Prediction, Rgba};
use crate::run::{ResultRow, Results};
use std::sync::Arc;

mod bench;
mod polarizer;

/// Rates that both a training and a comparison draw.
const RATES: [&str; 3] = ["acc", "asr", "ra"];
const SHARE: &str = "share of test pictures";

/// Everything on the screen that can be saved.
pub fn offers(state: &State) -> Vec<Offer> {
    match state.screen {
        Screen::Home => state.prediction().map(of_prediction).unwrap_or_default(),
        Screen::Lab => of_lab(state),
        Screen::Triggers => bench::offers(state),
        Screen::Polarizer => polarizer::offers(state),
        Screen::Watch => state.job.as_ref().map(|job| of_job(state, job)).unwrap_or_default(),
        Screen::Compare => of_comparison(state),
        Screen::Runs => of_runs(state),
        Screen::Settings => of_machine(state),
    }
}

fn figure(title: &str, caption: &str, figure: Figure) -> Offer {
    Offer { title: title.to_owned(), caption: caption.to_owned(), content: Content::Figure(Box::new(figure)) }
}

fn table(title: &str, caption: &str, table: Table) -> Offer {
    Offer { title: title.to_owned(), caption: caption.to_owned(), content: Content::Table(table) }
}

fn picture(title: &str, caption: &str, rgba: &Arc<Rgba>) -> Offer {
    let title = if title.is_empty() { "Picture" } else { title };
    Offer { title: title.to_owned(), caption: caption.to_owned(), content: Content::Picture(rgba.clone()) }
}

/// Data, network, attack, defenses, seed and the code of the experiment, by which its run is found again.
fn caption_of(state: &State, experiment: &Experiment, results: &[ResultRow]) -> String {
    let name = |id: &str| state.method(id).map_or(id, |method| method.name).to_owned();
    let mut parts =
        vec![format!("Data: {}", experiment.data.source), format!("network: {}", name(&experiment.network.id))];
    parts.push(experiment.attack.as_ref().map_or_else(
        || "no attack".to_owned(),
        |attack| format!("attack: {} ({} % poisoned)", name(&attack.id), experiment.poison.ratio * 100.0),
    ));
    if !experiment.defense.is_empty() {
        let defenses: Vec<_> = experiment.defense.iter().map(|pick| name(&pick.id)).collect();
        parts.push(format!("defenses: {}", defenses.join(", ")));
    }
    if let Some(scores) = results.first().map(|row| &row.scores) {
        parts.push(format!("{} test pictures", words::count(scores.clean_count as u64)));
    }
    parts.push(format!("seed {}", experiment.seed));
    format!("{}. Experiment {}.", parts.join("; "), check::hash8(experiment))
}

fn caption_of_job(state: &State, job: &JobView) -> String {
    let text = job.experiment.as_ref().map(|experiment| caption_of(state, experiment, &job.results));
    text.unwrap_or_default()
}

fn of_job(state: &State, job: &JobView) -> Vec<Offer> {
    let caption = caption_of_job(state, job);
    let mut offers = Vec::new();
    if RATES.iter().any(|metric| job.curves.last(metric).is_some()) {
        offers.push(figure("Rates over time", &caption, curves_of(&job.title, &job.curves, &RATES, Unit::Percent)));
    }
    if job.curves.last("loss").is_some() {
        offers.push(figure("Loss over time", &caption, curves_of(&job.title, &job.curves, &["loss"], Unit::Plain)));
    }
    if !job.results.is_empty() {
        offers.push(table("Results", &caption, Table::of_csv(Results { rows: job.results.clone() }.to_csv())));
        offers.push(figure("Results as bars", &caption, result_bars(&job.title, job)));
    }
    offers.extend(job.pictures.iter().map(|shown| picture(&shown.caption, &caption, &shown.rgba)));
    if !job.log.is_empty() {
        let lines = job.log.iter().map(|line| vec![number(line.at), line.text.clone()]);
        offers.push(table("Log", &caption, Table::new(&["seconds", "text"], lines)));
    }
    offers
}

/// Several metrics of one run.
fn curves_of(title: &str, curves: &Curves, metrics: &[&str], unit: Unit) -> Figure {
    let curve = |metric: &&str| Curve {
        name: metric_title(metric).0.to_owned(),
        role: metric_role(metric),
        stretches: curves.stretches(metric),
    };
    Figure {
        title: title.to_owned(),
        x_label: "epochs".to_owned(),
        y_label: if unit == Unit::Percent { SHARE } else { "loss" }.to_owned(),
        unit,
        marks: Marks::Curves(metrics.iter().filter(|metric| curves.last(metric).is_some()).map(curve).collect()),
        starts: curves.phases().iter().map(|span| (span.start, span.id.clone())).collect(),
    }
}

/// One group per model of a run, one bar per rate.
fn result_bars(title: &str, job: &JobView) -> Figure {
    let bars = RATES.map(|metric| Bars {
        name: metric_title(metric).0.to_owned(),
        role: metric_role(metric),
        values: job.results.iter().map(|row| metric_of(row, metric)).collect(),
    });
    Figure {
        title: title.to_owned(),
        x_label: "models".to_owned(),
        y_label: SHARE.to_owned(),
        unit: Unit::Percent,
        marks: Marks::Bars { groups: job.results.iter().map(|row| row.title.clone()).collect(), bars: bars.to_vec() },
        starts: Vec::new(),
    }
}

/// A rate of a model by the metric's id.
pub fn metric_of(row: &ResultRow, metric: &str) -> Option<f64> {
    match metric {
        "acc" => Some(row.scores.acc),
        "asr" => row.scores.asr,
        "ra" => row.scores.ra,
        "der" => row.der,
        _ => None,
    }
}

fn of_comparison<'s>(state: &'s State) -> Vec<Offer> {
    let comparison = &state.comparison;
    let columns: Vec<_> =
        comparison.columns().iter().filter_map(|column| Some((column, comparison.view(column)?))).collect();
    if columns.is_empty() || columns.len() < comparison.columns().len() {
        return Vec::new();
    }
    let with_model = |(name, (column, view)): (String, (&'s Column, &'s JobView))| {
        let model = comparison.result(column).map(|row| format!(" · {}", row.title)).unwrap_or_default();
        (format!("{name}{model}"), column, view)
    };
    let named: Vec<_> = state.compared_names().into_iter().zip(columns).map(with_model).collect();
    let captions = named.iter().map(|(name, _, view)| format!("{name}: {}", caption_of_job(state, view)));
    let caption = captions.collect::<Vec<_>>().join(" ");
    let metrics = ["acc", "asr", "ra", "der"];
    let value = |column: &Column, metric: &str| comparison.result(column).and_then(|row| metric_of(row, metric));
    let bars = named.iter().map(|(name, column, _)| Bars {
        name: name.clone(),
        role: column.role(),
        values: metrics.iter().map(|metric| value(column, metric)).collect(),
    });
    let groups = metrics.iter().map(|metric| metric_title(metric).0.to_owned()).collect();
    let mut offers = vec![figure(
        "Results side by side",
        &caption,
        Figure {
            title: "Results side by side".to_owned(),
            x_label: "measures".to_owned(),
            y_label: "share".to_owned(),
            unit: Unit::Percent,
            marks: Marks::Bars { groups, bars: bars.collect() },
            starts: Vec::new(),
        },
    )];
    let rows = named.iter().map(|(name, column, _)| {
        let values = metrics.iter().map(|metric| number(value(column, metric)));
        [name.clone(), column.run.display().to_string()].into_iter().chain(values).collect()
    });
    offers.push(table("Table of results", &caption, Table::new(&["run", "folder", "acc", "asr", "ra", "der"], rows)));
    offers.extend(table_of_differences(state, &named, &caption));
    offers.extend(overlaid(state, &named, &caption));
    if let Some(shown) = comparison.shown().get(comparison.picture()).copied() {
        for (index, (name, _, _)) in named.iter().enumerate() {
            if let Some(said) = comparison.prediction(index, shown) {
                offers.push(picture(&format!("Picture with the trigger, {name}"), &caption, &said.prediction.poisoned));
                if index == 0 {
                    offers.push(picture("Picture without the trigger", &caption, &said.prediction.clean));
                }
            }
        }
    }
    offers
}

fn table_of_differences(state: &State, named: &[(String, &Column, &JobView)], caption: &str) -> Option<Offer> {
    let found = state.comparison.differences(&state.forms, state.methods)?;
    let head: Vec<&str> = ["setting"].into_iter().chain(named.iter().map(|(name, _, _)| name.as_str())).collect();
    let rows = found.into_iter().map(|difference| {
        let values = difference.values.into_iter().map(Option::unwrap_or_default);
        [difference.name].into_iter().chain(values).collect()
    });
    Some(table("What differs", caption, Table::new(&head, rows)))
}

/// One figure per metric, the curves of all runs in it.
fn overlaid(state: &State, named: &[(String, &Column, &JobView)], caption: &str) -> Vec<Offer> {
    let metrics = [("acc", Unit::Percent), ("asr", Unit::Percent), ("ra", Unit::Percent), ("loss", Unit::Plain)];
    let names = state.compared_names();
    let offer = |(metric, unit): (&str, Unit)| {
        // Two models of one run share its curves.
        let once = |at: &usize| named[..*at].iter().all(|(_, other, _)| other.run != named[*at].1.run);
        let with_values = (0..named.len()).filter(once).map(|at| (&names[at], named[at].1, named[at].2));
        let with_values = with_values.filter(|(_, _, view)| view.curves.last(metric).is_some());
        let curves: Vec<_> = with_values
            .map(|(name, column, view)| Curve {
                name: name.clone(),
                role: column.role(),
                stretches: view.curves.stretches(metric),
            })
            .collect();
        let title = format!("{} over time", metric_title(metric).0);
        let marks = Marks::Curves(curves.clone());
        let y_label = if unit == Unit::Percent { SHARE } else { "loss" }.to_owned();
        let drawn =
            Figure { title: title.clone(), x_label: "epochs".to_owned(), y_label, unit, marks, starts: Vec::new() };
        (!curves.is_empty()).then(|| figure(&title, caption, drawn))
    };
    metrics.into_iter().filter_map(offer).collect()
}

fn of_runs(state: &State) -> Vec<Offer> {
    if state.runs.shown().len() == 0 {
        return Vec::new();
    }
    let head = [
        "run",
        "state",
        "data",
        "network",
        "attack",
        "defenses",
        "seed",
        "started",
        "acc_before",
        "asr_before",
        "acc_after",
        "asr_after",
        "tags",
        "note",
        "trouble",
        "folder",
    ];
    let rows = state.runs.shown().map(|run| {
        let (before, after) = (archive::before(run), archive::after(run));
        vec![
            run.name.clone(),
            archive::state_word(run).to_owned(),
            run.data.clone(),
            run.network.clone(),
            run.attack.clone().unwrap_or_default(),
            run.defenses.join(" "),
            run.seed.to_string(),
            run.started.map(|started| started.to_string()).unwrap_or_default(),
            number(before.map(|scores| scores.acc)),
            number(before.and_then(|scores| scores.asr)),
            number(after.map(|scores| scores.acc)),
            number(after.and_then(|scores| scores.asr)),
            run.tags.join(" "),
            run.note.clone(),
            run.trouble.clone().unwrap_or_default(),
            run.path.display().to_string(),
        ]
    });
    vec![table("List of runs", "", Table::new(&head, rows))]
}

fn of_prediction(prediction: &Prediction) -> Vec<Offer> {
    let class = |class: usize| prediction.classes.get(class).cloned().unwrap_or_else(|| format!("class {class}"));
    let rows = prediction.models.iter().flat_map(|(title, clean, stamped)| {
        clean.iter().zip(stamped).enumerate().map(move |(at, (clean, stamped))| {
            vec![title.clone(), class(at), number(Some((*clean).into())), number(Some((*stamped).into()))]
        })
    });
    let truth = class(prediction.label);
    let caption = format!("Picture {} of the test set, {truth}.", prediction.row);
    vec![
        picture(&format!("{truth} with the trigger"), &caption, &prediction.poisoned),
        picture(&format!("{truth} without the trigger"), &caption, &prediction.clean),
        table("Predictions", &caption, Table::new(&["model", "class", "clean", "triggered"], rows)),
    ]
}

fn of_lab(state: &State) -> Vec<Offer> {
    let Some(preview) = &state.preview.preview else {
        return Vec::new();
    };
    let caption = caption_of(state, &check::resolve(state.draft.experiment(), state.methods), &[]);
    let item = preview.items.iter().find(|item| item.row == state.preview.row).or(preview.items.first());
    let mut offers = Vec::new();
    if let Some(item) = item {
        offers.push(picture("Poisoned picture", &caption, &item.poisoned));
        offers.push(picture("Clean picture", &caption, &item.clean));
        offers.push(picture("Residual", &caption, &item.residual));
    }
    if preview.poisoned_per_class.iter().any(|count| *count > 0) {
        let values = preview.poisoned_per_class.iter().map(|&count| Some(count as f64)).collect();
        let bars = vec![Bars { name: "poisoned pictures".to_owned(), role: Role::Attacked, values }];
        offers.push(figure(
            "Poisoned pictures per class",
            &caption,
            Figure {
                title: "Poisoned training pictures per class".to_owned(),
                x_label: "classes".to_owned(),
                y_label: "pictures".to_owned(),
                unit: Unit::Plain,
                marks: Marks::Bars { groups: preview.classes.clone(), bars },
                starts: Vec::new(),
            },
        ));
    }
    offers
}

fn of_machine(state: &State) -> Vec<Offer> {
    let Some(findings) = state.findings.as_ref().filter(|findings| !findings.is_empty()) else {
        return Vec::new();
    };
    let rows = findings.iter().map(|finding| {
        vec![finding.name.clone(), if finding.good { "yes" } else { "no" }.to_owned(), finding.text.clone()]
    });
    vec![table("What was found on this machine", "", Table::new(&["name", "good", "text"], rows))]
}
