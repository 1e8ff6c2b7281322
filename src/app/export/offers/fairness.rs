//! What the Fairness screen has to save.

use super::{figure, table};
use crate::app::export::figure::{Curve, Figure, Marks, Unit};
use crate::app::export::table::{Table, number};
use crate::app::export::{Content, Offer};
use crate::app::fair::{Course, STEPS, Snapshot, words};
use crate::app::state::State;
use crate::app::theme::Role;

const ROLES: [Role; 5] = [Role::Clean, Role::Attacked, Role::Repaired, Role::Target, Role::Other];

/// The curve, its numbers, and what follows from the point that is shown.
pub fn offers(state: &State) -> Vec<Offer> {
    let fair = &state.fairness;
    let Some((course, now)) = fair.course.as_ref().zip(fair.now.as_ref()) else {
        return Vec::new();
    };
    let fit = &course.fit;
    let general = format!(
        "{}: `{}` predicted, fair between {}. {}; seed {}.",
        fit.title,
        fit.target,
        fit.attributes.iter().map(|of| of.name.as_str()).collect::<Vec<_>>().join(", "),
        words::of_fit(course),
        fair.experiment.seed,
    );
    let here = format!("{general} At {}: {}", words::place(now), fit.sentence(now.dial));
    let mut offers = vec![
        figure("Trade-off", &here, trade_off(course, now)),
        table("Trade-off in numbers", &general, curve_table(course)),
        table("Other methods", &general, rivals(course)),
    ];
    for at in 0..course.attributes.len() {
        let name = &course.attributes[at].name;
        offers.push(figure(&format!("Predictions by {name}"), &here, densities(course, now, at)));
        offers.push(figure(&format!("Calibration by {name}"), &here, calibration(course, now, at)));
    }
    offers.push(table("Groups", &here, groups(course, now)));
    offers.push(table("People", &here, people(course, now)));
    offers.push(table("Features", &here, features(course, now)));
    offers.push(Offer { title: "Fitted model".to_owned(), caption: here.clone(), content: Content::Model });
    offers.push(table("All predictions", &here, predictions(course, now)));
    offers
}

fn curve(name: &str, role: Role, points: Vec<[f64; 2]>) -> Curve {
    Curve { name: name.to_owned(), role, stretches: vec![points], band: Vec::new() }
}

/// Curves over the range of predictions or errors.
fn plot(title: String, x_label: &str, y_label: &str, curves: Vec<Curve>, points: Vec<(String, [f64; 2])>) -> Figure {
    Figure {
        title,
        x_label: x_label.to_owned(),
        y_label: y_label.to_owned(),
        unit: Unit::Plain,
        marks: Marks::Curves(curves),
        starts: Vec::new(),
        points,
        names: Vec::new(),
    }
}

fn trade_off(course: &Course, now: &Snapshot) -> Figure {
    // How far the folds lie apart, as on the screen.
    let band = course.test.iter().zip(&course.spread);
    let band = band.map(|([error, gap], [_, spread])| [*error, (gap - spread).max(0.0), gap + spread]).collect();
    let name = if course.spread.is_empty() { "new data" } else { "new data, ±1 sd of folds" };
    let curves = vec![
        Curve { band, ..curve(name, Role::Clean, course.test.clone()) },
        curve("training rows", Role::Attacked, course.train.clone()),
    ];
    let here = (words::place(now), [now.point.test.rmse(), now.point.test.gap]);
    let rivals =
        course.fit.rivals.iter().flat_map(|rival| {
            rival.points.iter().map(|point| (rival.name.clone(), [point.test.rmse(), point.test.gap]))
        });
    let points = std::iter::once(here).chain(rivals).collect();
    let title = format!("What fairness costs: {}", course.fit.title);
    plot(title, "typical error (RMSE)", "largest gap between groups", curves, points)
}

fn curve_table(course: &Course) -> Table {
    let head = ["position", "test_rmse", "test_gap", "train_rmse", "train_gap", "fold_sd_rmse", "fold_sd_gap"];
    let rows = (0..=STEPS).map(|step| {
        let pair = |curve: &[[f64; 2]], axis: usize| number(curve.get(step).map(|at| at[axis]));
        let position = number(Some(step as f64 / STEPS as f64));
        let curves = [&course.test, &course.train, &course.spread];
        std::iter::once(position).chain(curves.into_iter().flat_map(|curve| [pair(curve, 0), pair(curve, 1)])).collect()
    });
    Table::new(&head, rows)
}

fn rivals(course: &Course) -> Table {
    let head = ["method", "setting", "needs_group", "test_rmse", "test_gap", "test_ks", "train_rmse", "train_gap"];
    let rows = course.fit.rivals.iter().flat_map(|rival| {
        rival.points.iter().map(|point| {
            let numbers =
                [point.test.rmse(), point.test.gap, point.test_ks, point.train.rmse(), point.train.gap].map(Some);
            let words = [rival.name.clone(), point.label.clone(), rival.needs_group.to_string()];
            words.into_iter().chain(numbers.map(number)).collect()
        })
    });
    Table::new(&head, rows)
}

fn densities(course: &Course, now: &Snapshot, at: usize) -> Figure {
    let attribute = &course.attributes[at];
    let curves = attribute.drawn.iter().zip(&now.splits[at].densities).zip(ROLES).map(|((&value, density), role)| {
        let points = density.iter().enumerate().map(|(bin, height)| [course.bin(bin), *height]).collect();
        curve(&attribute.values[value], role, points)
    });
    let title = format!("Predictions by {}", attribute.name);
    plot(title, &format!("predicted {}", course.fit.target), "density", curves.collect(), Vec::new())
}

fn calibration(course: &Course, now: &Snapshot, at: usize) -> Figure {
    let attribute = &course.attributes[at];
    let curves = attribute.drawn.iter().zip(&now.splits[at].calibration).zip(ROLES).map(|((&value, means), role)| {
        curve(&attribute.values[value], role, means.iter().map(|mean| [mean.predicted, mean.target]).collect())
    });
    // Whoever stands on this line gets what was said.
    let diagonal = curve("said and true", Role::Other, vec![[course.range[0]; 2], [course.range[1]; 2]]);
    let curves: Vec<_> = curves.chain([diagonal]).collect();
    plot(format!("Calibration by {}", attribute.name), "mean prediction", "mean of what came true", curves, Vec::new())
}

fn groups(course: &Course, now: &Snapshot) -> Table {
    let head = ["group", "rows", "target", "prediction", "prediction_before", "rmse", "rmse_before", "label_shift"];
    let start = course.fit.point(course.dial(0.0));
    let (now, before) = (course.figures(&now.point), course.figures(&start));
    let rows = course.fit.groups.iter().enumerate().filter_map(|(at, group)| {
        let (now, before) = (now.groups.get(at)?, before.groups.get(at)?);
        let numbers = [
            now.target,
            now.prediction,
            before.prediction,
            now.mse.sqrt(),
            before.mse.sqrt(),
            -course.fit.subtracted.get(at).copied().unwrap_or_default(),
        ];
        let words = [group.name.clone(), now.rows.to_string()];
        Some(words.into_iter().chain(numbers.map(|value| number(Some(value)))).collect())
    });
    Table::new(&head, rows)
}

fn people(course: &Course, now: &Snapshot) -> Table {
    let rows = course.people.iter().zip(&now.people).map(|(person, prediction)| {
        let plain = course.rows().plain.get(person.index).copied();
        vec![
            person.row.to_string(),
            person.group.clone(),
            number(Some(person.target)),
            number(plain),
            number(Some(*prediction)),
            person.told.clone(),
        ]
    });
    Table::new(&["row", "group", "target", "prediction_before", "prediction", "features"], rows)
}

fn features(course: &Course, now: &Snapshot) -> Table {
    let rows = course.order.iter().filter_map(|&at| {
        let feature = course.fit.features.get(at)?;
        let numbers = [feature.trend(&[]), now.trends.get(at).copied()?, feature.proxy];
        let words = [feature.name.clone(), feature.sensitive.to_string()];
        Some(words.into_iter().chain(numbers.map(|value| number(Some(value)))).collect())
    });
    Table::new(&["feature", "sensitive", "influence_before", "influence", "correlation_with_group"], rows)
}

/// Every row that is looked at.
fn predictions(course: &Course, now: &Snapshot) -> Table {
    let rows = course.rows();
    let predicted = rows.predict(&now.weights);
    let lines = (0..rows.len()).map(|at| {
        let group = course.fit.groups.get(rows.group[at] as usize).map(|group| group.name.clone());
        vec![
            (rows.row[at] + 1).to_string(),
            group.unwrap_or_default(),
            number(rows.target.get(at).copied()),
            number(rows.plain.get(at).copied()),
            number(predicted.get(at).copied()),
        ]
    });
    Table::new(&["row", "group", "target", "prediction_before", "prediction"], lines)
}
