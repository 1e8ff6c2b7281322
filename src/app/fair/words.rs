//! What a point means, what it does not cover, and what plots say to those who cannot see them.

use super::course::{Course, STEPS};
use super::snapshot::Snapshot;
use crate::app::words;
use crate::run::fair::{Dial, number};

/// What this point does not make fair; computed, so that it names the numbers that stay.
pub fn not_covered(course: &Course, now: &Snapshot) -> String {
    let errors = course.figures(&now.point).groups.iter().filter(|group| group.rows > 0).map(|group| group.mse.sqrt());
    let (low, high) = errors.fold((f64::MAX, f64::MIN), |(low, high), error| (low.min(error), high.max(error)));
    let errors = if low < high {
        format!(" typical errors still run from {} to {} between groups,", number(low), number(high))
    } else {
        String::new()
    };
    format!(
        "It ties the groups' mean predictions only:{errors} their distributions still lie up to {:.2} apart \
         (Kolmogorov-Smirnov), and single people may be treated worse than before.",
        now.ks
    )
}

/// One point against another that was pinned.
pub fn against(pinned: &Snapshot, now: &Snapshot) -> String {
    let (then, now) = (&pinned.point.test, &now.point.test);
    let change = |from: f64, to: f64| {
        let share = if from.abs() > f64::EPSILON { to / from - 1.0 } else { 0.0 };
        match share {
            share if share.abs() < 5e-4 => "unchanged".to_owned(),
            share => format!("{:+.1} %", 100.0 * share).replace('-', "\u{2212}"),
        }
    };
    format!(
        "Against the pinned point: gap {} to {} ({}), typical error {} to {} ({}).",
        number(then.gap),
        number(now.gap),
        change(then.gap, now.gap),
        number(then.rmse()),
        number(now.rmse()),
        change(then.rmse(), now.rmse()),
    )
}

/// Where the point stands, in the words of its dial: `74 % of the gap removed`, `penalty 31.6`.
pub fn place(now: &Snapshot) -> String {
    match now.dial {
        Dial::Share(share) => format!("{:.0} % removed", 100.0 * share),
        Dial::Penalty(eta) if eta.is_infinite() => "penalty without end".to_owned(),
        Dial::Penalty(eta) => format!("penalty {}", number(eta)),
    }
}

/// The curve for those who cannot see it.
pub fn of_curve(course: &Course) -> String {
    let ends = |curve: &[[f64; 2]]| {
        let (first, last) = curve.first().zip(curve.get(STEPS)).unzip();
        let (first, last) = (first.copied().unwrap_or_default(), last.copied().unwrap_or_default());
        format!(
            "gap {} at typical error {}, down to gap {} at {}",
            number(first[1]),
            number(first[0]),
            number(last[1]),
            number(last[0])
        )
    };
    let rivals = course.fit.rivals.iter().filter_map(|rival| {
        let test = &rival.points.first()?.test;
        Some(format!("{}: gap {} at {}", rival.name, number(test.gap), number(test.rmse())))
    });
    let mut said = vec![format!("New data: {}", ends(&course.test)), format!("training rows: {}", ends(&course.train))];
    said.extend(rivals);
    format!("Trade-off curve. {}.", said.join("; "))
}

/// Group means at this point: `Mean predictions by race: other 0.412, white 0.221.`
pub fn of_means(course: &Course, attribute: usize, now: &Snapshot) -> String {
    let Some((known, split)) = course.attributes.get(attribute).zip(now.splits.get(attribute)) else {
        return String::new();
    };
    let means = known
        .values
        .iter()
        .enumerate()
        .filter(|(value, _)| split.value(*value).rows > 0)
        .map(|(value, name)| format!("{name} {}", number(split.value(value).prediction)));
    format!("Mean predictions by {}: {}", known.name, means.collect::<Vec<_>>().join(", "))
}

/// What was fitted: `1,595 training and 399 test rows; RBF, gamma 0.1, lambda 1; exact`.
pub fn of_fit(course: &Course) -> String {
    let fit = &course.fit;
    let rows = fit.point(course.dial(0.0));
    format!(
        "{} training and {} test rows; {}; {}",
        words::count(rows.train.rows as u64),
        words::count(rows.test.rows as u64),
        fit.kernel,
        fit.route,
    )
}
