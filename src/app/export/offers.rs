//! What each screen has to save; its main view comes first.

use super::figure::{Bars, Cells, Curve, Figure, Marks, Unit};
use super::table::{Table, number};
use super::{Content, Offer, poison};
use crate::app::archive;
use crate::app::command::Screen;
use crate::app::curves::{Curves, Watched};
use crate::app::demo::DemoModel;
use crate::app::job::JobView;
use crate::app::lessons::HandIns;
use crate::app::stand::Stand;
use crate::app::state::State;
use crate::app::theme::{ColourMap, Role};
use crate::app::views::{LEARNING_RATE, metric_role, metric_title, moment_words, watched};
use crate::app::words;
use crate::experiment::measure::Measure;
use crate::experiment::{Experiment, check};
use crate::run::event::{Glimpse, Rgba};
use crate::run::{ResultRow, Results};
use std::sync::Arc;

mod audit;
mod bench;
mod comparison;
mod fairness;
mod polarizer;
mod sweep;

pub use sweep::SWEEP;

/// Rates that both a training and a comparison draw.
const RATES: [&str; 3] = ["acc", "asr", "ra"];
/// Measured for few attacks, or for few defenses only.
const RARE: [&str; 2] = ["cross", "rar"];
const SHARE: &str = "share of test pictures";

/// Everything on the screen that can be saved.
pub fn offers(state: &State) -> Vec<Offer> {
    match state.screen {
        Screen::Home => of_demo(&state.demo),
        Screen::Lab => of_lab(state),
        Screen::Triggers => bench::offers(state),
        Screen::Polarizer => polarizer::offers(state),
        Screen::Watch => {
            let of_job = state.job.iter().flat_map(|job| of_job(state, job.shown()));
            of_job.chain(state.sweep.iter().flat_map(sweep::offers)).collect()
        }
        Screen::Compare => comparison::offers(state),
        Screen::Fairness => fairness::offers(state),
        Screen::Audit => state.shown_audit().map(|job| audit::offers(state, job)).unwrap_or_default(),
        Screen::Lessons => of_hand_ins(&state.classroom.hand_ins),
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
    let rates: Vec<_> = RATES.into_iter().chain(RARE).filter(|metric| job.curves.last(metric).is_some()).collect();
    if !rates.is_empty() {
        offers.push(figure("Rates over time", &caption, curves_of(&job.title, &job.curves, &rates, Unit::Percent)));
    }
    if job.curves.last("loss").is_some() {
        offers.push(figure("Loss over time", &caption, curves_of(&job.title, &job.curves, &["loss"], Unit::Plain)));
    }
    if !job.results.is_empty() {
        offers.push(table(
            "Results",
            &caption,
            Table::of_csv(Results { rows: job.results.clone(), ..Results::default() }.to_csv()),
        ));
        offers.push(figure("Results as bars", &caption, result_bars(&job.title, job)));
    }
    if job.curves.last(LEARNING_RATE).is_some() {
        let drawn = Figure {
            y_label: "learning rate".to_owned(),
            ..curves_of(&job.title, &job.curves, &[LEARNING_RATE], Unit::Plain)
        };
        offers.push(figure("Learning rate over time", &caption, drawn));
    }
    for watched in job.curves.watched() {
        let groups = watched::groups(watched);
        offers.extend(groups.iter().map(|group| {
            figure(&watched::view_title(group, watched), &caption, watched_of(&job.title, watched, group))
        }));
    }
    offers.extend(job.glimpses.last().map(|glimpse| of_glimpse(glimpse, &caption)).unwrap_or_default());
    offers.extend(job.pictures.iter().map(|shown| picture(&shown.caption, &caption, &shown.rgba)));
    if let (Some(folder), Some(attack)) =
        (job.folder.as_ref().filter(|_| !job.is_live()), job.experiment.as_ref().and_then(|e| e.attack.as_ref()))
    {
        offers.extend(poison::of_folder(state, folder, &attack.id, &caption));
    }
    if !job.log.is_empty() {
        let lines = job.log.iter().map(|line| vec![number(line.at), line.text.clone()]);
        offers.push(table("Log", &caption, Table::new(&["seconds", "text"], lines)));
    }
    offers
}

/// The newest confusion of classes, and the pictures that are watched all along.
fn of_glimpse(glimpse: &Glimpse, caption: &str) -> Vec<Offer> {
    let confusion = &glimpse.confusion;
    let when = format!(" {}.", moment_words(confusion));
    let caption = format!("{caption}{when}");
    let counts = [("Confusion of classes", &confusion.clean), ("Confusion with the trigger", &confusion.stamped)];
    let mut offers = Vec::new();
    for (title, counts) in counts.into_iter().filter(|(_, counts)| !counts.is_empty()) {
        let values: Vec<f32> = counts.iter().map(|count| *count as f32).collect();
        let drawn = Figure {
            title: title.to_owned(),
            x_label: "what the model says".to_owned(),
            y_label: "true class".to_owned(),
            unit: Unit::Plain,
            marks: Marks::Cells(Cells {
                width: confusion.classes.len(),
                height: confusion.classes.len(),
                map: ColourMap::amounts(&values),
                values: values.into(),
                names: [confusion.classes.clone(), confusion.classes.clone()],
            }),
            starts: Vec::new(),
            points: Vec::new(),
            names: Vec::new(),
        };
        offers.push(figure(title, &caption, drawn));
    }
    let watched = glimpse.pictures.iter();
    offers.extend(watched.map(|shown| picture(&format!("Watched picture {}", shown.row), &caption, &shown.stamped)));
    offers
}

/// Several metrics of one run.
fn curves_of(title: &str, curves: &Curves, metrics: &[&str], unit: Unit) -> Figure {
    let curve = |metric: &&str| Curve {
        name: metric_title(metric).0.to_owned(),
        role: metric_role(metric),
        stretches: curves.stretches(metric),
        band: Vec::new(),
    };
    Figure {
        title: title.to_owned(),
        x_label: "epochs".to_owned(),
        y_label: if unit == Unit::Percent { SHARE } else { "loss" }.to_owned(),
        unit,
        marks: Marks::Curves(metrics.iter().filter(|metric| curves.last(metric).is_some()).map(curve).collect()),
        points: Vec::new(),
        names: Vec::new(),
        starts: curves.phases().iter().map(|span| (span.start, span.id.clone())).collect(),
    }
}

/// What a method watches in itself.
fn watched_of(title: &str, watched: &Watched, group: &watched::Group) -> Figure {
    let curve = |(measure, role): (&Measure, Role)| Curve {
        name: measure.name.to_owned(),
        role,
        stretches: vec![watched.points(measure.id)],
        band: Vec::new(),
    };
    Figure {
        title: format!("{title}: {}", watched.phase),
        x_label: watched::axis(&watched.phase).to_owned(),
        y_label: group.title.to_lowercase(),
        unit: if group.is_share() { Unit::Percent } else { Unit::Plain },
        marks: Marks::Curves(group.lines().map(curve).collect()),
        points: Vec::new(),
        names: Vec::new(),
        starts: Vec::new(),
    }
}

/// One group per model of a run, one bar per rate.
fn result_bars(title: &str, job: &JobView) -> Figure {
    let measured = |metric: &&str| job.results.iter().any(|row| metric_of(row, metric).is_some());
    let rare = RARE.into_iter().filter(measured);
    let bars: Vec<Bars> = RATES
        .into_iter()
        .chain(rare)
        .map(|metric| Bars {
            name: metric_title(metric).0.to_owned(),
            role: metric_role(metric),
            values: job.results.iter().map(|row| metric_of(row, metric)).collect(),
        })
        .collect();
    Figure {
        title: title.to_owned(),
        x_label: "models".to_owned(),
        y_label: SHARE.to_owned(),
        unit: Unit::Percent,
        marks: Marks::Bars { groups: job.results.iter().map(|row| row.name()).collect(), bars },
        starts: Vec::new(),
        points: Vec::new(),
        names: Vec::new(),
    }
}

/// A rate of a model by the metric's id.
pub fn metric_of(row: &ResultRow, metric: &str) -> Option<f64> {
    match metric {
        "acc" => Some(row.scores.acc),
        "asr" => row.scores.asr,
        "ra" => row.scores.ra,
        "cross" => row.scores.cross,
        "rar" => row.scores.rar,
        "der" => row.der,
        _ => None,
    }
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
    let mut offers = vec![table("List of runs", "", Table::new(&head, rows))];
    offers.extend(state.runs.selected().and_then(|run| poison::of_row(state, run)));
    offers
}

/// What Home shows: the picture with and without the sticker, and what all models say of both.
fn of_demo(demo: &Stand) -> Vec<Offer> {
    let Some(shown) = demo.shown() else { return Vec::new() };
    let name = shown.name();
    let rows = DemoModel::ALL.into_iter().flat_map(|model| {
        let pairs = shown.said(model as usize, false).iter().zip(shown.said(model as usize, true)).enumerate();
        pairs.map(move |(class, (clean, stamped))| (model, class, *clean, *stamped))
    });
    let rows = rows.map(|(model, class, clean, stamped)| {
        let class = words::class_name(shown.classes, class);
        vec![model.name().to_owned(), class, number(Some(clean.into())), number(Some(stamped.into()))]
    });
    let caption = demo.sentence().unwrap_or_default();
    let table = table("Predictions", &caption, Table::new(&["model", "class", "clean", "with sticker"], rows));
    let with = picture(&format!("{name} with the sticker"), &caption, shown.stamped);
    let without = picture(&format!("{name} without the sticker"), &caption, shown.clean);
    // What is seen comes first.
    if demo.sticker { vec![with, without, table] } else { vec![without, with, table] }
}

/// What students handed in.
fn of_hand_ins(hand_ins: &HandIns) -> Vec<Offer> {
    if hand_ins.rows().is_empty() { Vec::new() } else { vec![table("Hand-ins", "", hand_ins.table())] }
}

fn of_lab(state: &State) -> Vec<Offer> {
    let Some(preview) = &state.preview.preview else {
        return Vec::new();
    };
    let caption = caption_of(state, &check::resolve(state.draft.experiment(), state.methods), &[]);
    let poisoned_set = poison::of_draft(state, &caption);
    let item = preview.items.iter().find(|item| item.row == state.preview.row).or(preview.items.first());
    let mut offers = Vec::new();
    if let Some(item) = item {
        offers.push(picture("Poisoned picture", &caption, &item.poisoned));
        offers.push(picture("Clean picture", &caption, &item.clean));
        offers.push(picture("Residual", &caption, &item.residual));
    }
    if let Some(plan) = &state.planner.plan
        && let Some(poisoned) = &plan.poisoned
    {
        let values = poisoned.iter().map(|&count| Some(count as f64)).collect();
        let bars = vec![Bars { name: "poisoned pictures".to_owned(), role: Role::Attacked, values }];
        offers.push(figure(
            "Poisoned pictures per class",
            &caption,
            Figure {
                title: "Poisoned training pictures per class".to_owned(),
                x_label: "classes".to_owned(),
                y_label: "pictures".to_owned(),
                unit: Unit::Plain,
                marks: Marks::Bars { groups: plan.classes.clone(), bars },
                starts: Vec::new(),
                points: Vec::new(),
                names: Vec::new(),
            },
        ));
    }
    offers.extend(poisoned_set);
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
