//! What a sweep has to save: its rates over what is varied, how each value is learned, and its runs one by one.

use super::{SHARE, figure, table};
use crate::app::curves::Curves;
use crate::app::export::Offer;
use crate::app::export::figure::{Curve, Figure, Marks, Unit};
use crate::app::export::table::{Table, number};
use crate::app::sweep::{Rate, SweepView};
use crate::app::theme::Role;
use crate::experiment::Scores;

/// The offer that the sweep's own button opens.
pub const SWEEP: &str = "Sweep";

/// Nothing before the first run is finished.
pub fn offers(sweep: &SweepView) -> Vec<Offer> {
    let groups = sweep.groups();
    if groups.is_empty() {
        return Vec::new();
    }
    let rates: [(&str, Role, Rate); 2] =
        [("ACC", Role::Clean, |scores| Some(scores.acc)), ("ASR", Role::Attacked, Scores::trigger_wins)];
    let over_values = rates.map(|(name, role, of)| {
        let rates: Vec<(f64, [f64; 3])> =
            groups.iter().enumerate().filter_map(|(at, group)| Some((at as f64, group.rate(of)?))).collect();
        // The band is the spread of the seeds; one seed has none.
        let spread = rates.iter().any(|(_, [_, low, high])| low < high);
        let band = rates.iter().filter(|_| spread).map(|(x, [_, low, high])| [*x, *low, *high]).collect();
        let means = rates.iter().map(|(x, [mean, ..])| [*x, *mean]).collect();
        Curve { name: name.to_owned(), role, stretches: vec![means], band }
    });
    let over_values: Vec<Curve> =
        over_values.into_iter().filter(|curve| curve.stretches.iter().any(|points| !points.is_empty())).collect();
    let drawn = Figure {
        title: sweep.title.clone(),
        x_label: "value".to_owned(),
        y_label: SHARE.to_owned(),
        unit: Unit::Percent,
        marks: Marks::Curves(over_values),
        starts: Vec::new(),
        points: Vec::new(),
        names: groups.iter().map(|group| group.value.to_owned()).collect(),
    };
    let curve = |(value, curves): (&str, &Curves)| Curve {
        name: value.to_owned(),
        role: Role::Other,
        stretches: curves.stretches("asr"),
        band: Vec::new(),
    };
    let courses: Vec<Curve> = sweep.courses().into_iter().map(curve).collect();
    let caption = sweep.sentence().unwrap_or_default();
    let mut offers = vec![figure(SWEEP, &caption, drawn.clone())];
    if !courses.is_empty() {
        let marks = Marks::Curves(courses);
        let learned = Figure { x_label: "epochs".to_owned(), names: Vec::new(), marks, ..drawn };
        offers.push(figure("ASR of each value", &caption, learned));
    }
    offers.push(table("Runs of the sweep", &caption, runs(sweep)));
    offers
}

fn runs(sweep: &SweepView) -> Table {
    let rows = sweep.runs.iter().map(|run| {
        let scores = run.view.as_ref().and_then(|view| sweep.scores_of(view));
        let rates = [scores.map(|s| s.acc), scores.and_then(Scores::trigger_wins), scores.and_then(|s| s.ra)];
        let words = [run.label.clone(), run.standing.word().to_owned()];
        let folder = run.planned.folder.display().to_string();
        words.into_iter().chain(rates.map(number)).chain([folder]).collect()
    });
    Table::new(&["run", "state", "acc", "asr", "ra", "folder"], rows)
}
