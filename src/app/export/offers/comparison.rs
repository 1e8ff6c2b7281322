//! What Compare has to save.

use super::{RARE, RATES, SHARE, caption_of_job, figure, metric_of, picture, table};
use crate::app::comparison::Column;
use crate::app::export::figure::{Bars, Curve, Figure, Marks, Unit};
use crate::app::export::table::{Table, number};
use crate::app::export::{Content, Offer, REPORT};
use crate::app::job::JobView;
use crate::app::state::State;
use crate::app::sweep::{SweepRun, SweepView};
use crate::app::views::metric_title;
use crate::run::report::Audited;

/// The last of some audits with the first one beside it.
fn report(state: &State, caption: &str) -> Option<Offer> {
    let comparison = &state.comparison;
    let (first, last) = (comparison.columns().first()?, comparison.columns().last()?);
    if !comparison.is_of_audits() || first.run == last.run {
        return None;
    }
    let difference = state.model_differences.sentence(&first.run, &last.run);
    let audited = Audited { earlier: Some(first.run.clone()), difference, ..Audited::of(&last.run) };
    Some(Offer { title: REPORT.to_owned(), caption: caption.to_owned(), content: Content::Report(audited) })
}

/// Results as bars and table, what differs, the curves over each other, and the chosen picture.
pub fn offers<'s>(state: &'s State) -> Vec<Offer> {
    let comparison = &state.comparison;
    let columns: Vec<_> =
        comparison.columns().iter().filter_map(|column| Some((column, comparison.view(column)?))).collect();
    if columns.is_empty() || columns.len() < comparison.columns().len() {
        return Vec::new();
    }
    let with_model = |(name, (column, view)): (String, (&'s Column, &'s JobView))| {
        let model = comparison.result(column).map(|row| format!(" · {}", row.name())).unwrap_or_default();
        (format!("{name}{model}"), column, view)
    };
    let named: Vec<_> = state.compared_names().into_iter().zip(columns).map(with_model).collect();
    let captions = named.iter().map(|(name, _, view)| format!("{name}: {}", caption_of_job(state, view)));
    let caption = captions.collect::<Vec<_>>().join(" ");
    let value = |column: &Column, metric: &str| comparison.result(column).and_then(|row| metric_of(row, metric));
    let measured =
        |metric: &&str| !RARE.contains(metric) || named.iter().any(|(_, column, _)| value(column, metric).is_some());
    let metrics: Vec<&str> = RATES.into_iter().chain(RARE).chain(["der"]).filter(measured).collect();
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
            points: Vec::new(),
            names: Vec::new(),
        },
    )];
    let rows = named.iter().map(|(name, column, _)| {
        let values = metrics.iter().map(|metric| number(value(column, metric)));
        [name.clone(), column.run.display().to_string()].into_iter().chain(values).collect()
    });
    let head: Vec<&str> = ["run", "folder"].into_iter().chain(metrics.iter().copied()).collect();
    offers.push(table("Table of results", &caption, Table::new(&head, rows)));
    offers.extend(table_of_differences(state, &named, &caption));
    offers.extend(report(state, &caption));
    offers.extend(overlaid(state, &named, &caption));
    offers.extend(state.sweep.iter().flat_map(|sweep| swept(state, sweep)));
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

/// What was varied, where the runs of the sweep are those that are compared.
fn swept(state: &State, sweep: &SweepView) -> Vec<Offer> {
    let compared = |run: &SweepRun| state.comparison.columns().iter().any(|column| column.run == run.planned.folder);
    if sweep.runs.iter().any(compared) { super::sweep::offers(sweep) } else { Vec::new() }
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
    let rates = RATES.into_iter().chain(RARE).map(|metric| (metric, Unit::Percent));
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
                band: Vec::new(),
            })
            .collect();
        let title = format!("{} over time", metric_title(metric).0);
        let marks = Marks::Curves(curves.clone());
        let y_label = if unit == Unit::Percent { SHARE } else { "loss" }.to_owned();
        let drawn = Figure {
            title: title.clone(),
            x_label: "epochs".to_owned(),
            y_label,
            unit,
            marks,
            starts: Vec::new(),
            points: Vec::new(),
            names: Vec::new(),
        };
        (!curves.is_empty()).then(|| figure(&title, caption, drawn))
    };
    rates.chain([("loss", Unit::Plain)]).filter_map(offer).collect()
}
