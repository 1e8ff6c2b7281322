//! Curves in words, for whoever cannot see them: what rises, what falls, from where to where, and when it is over.

/// How the values of a curve are written.
pub type Unit = fn(f64) -> String;

/// What is no larger than this share of the curve's whole reach is no change.
const STILL: f64 = 0.06;

/// "ASR rises from 10.0 % at epoch 1 to 99.0 % at epoch 4, then stays": the course of one curve, `[epoch, value]` by
/// `[epoch, value]`. `still` is the difference of two values below which nobody would speak of a change.
pub fn course(name: &str, points: &[[f64; 2]], unit: Unit, still: f64) -> String {
    let points: Vec<[f64; 2]> = points.iter().copied().filter(|[x, y]| x.is_finite() && y.is_finite()).collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return format!("{name} has no values yet");
    };
    if points.len() == 1 {
        return format!("{name} is {} at {}", unit(first[1]), epoch(first[0]));
    }
    let by_value = |a: &&[f64; 2], b: &&[f64; 2]| a[1].total_cmp(&b[1]);
    let (Some(low), Some(high)) = (points.iter().min_by(by_value), points.iter().max_by(by_value)) else {
        return format!("{name} has no values yet");
    };
    let still = still.max((high[1] - low[1]) * STILL);
    if high[1] - low[1] <= still {
        let (from, to) = (epoch(first[0]), epoch(last[0]));
        return format!("{name} stays at about {} from {from} to {to}", unit(last[1]));
    }
    // From here on it does not leave its last value any more.
    let settled = points.iter().rposition(|point| (point[1] - last[1]).abs() > still).map_or(0, |at| at + 1);
    let end = points[settled];
    let rest = if settled + 1 < points.len() { ", then stays" } else { "" };
    let told = |verb: &str, from: [f64; 2], to: [f64; 2]| {
        format!("{verb} from {} at {} to {} at {}", unit(from[1]), epoch(from[0]), unit(to[1]), epoch(to[0]))
    };
    let ends = if end[0] > first[0] { end } else { *last };
    // A summit or a valley in between is worth its words when it stands out beyond both ends.
    let out = |point: &[f64; 2]| {
        let side = |from: f64| (point[1] - from).abs();
        let beyond = (point[1] - first[1]) * (point[1] - ends[1]) > 0.0;
        if beyond { side(first[1]).min(side(ends[1])) } else { 0.0 }
    };
    let turn = if out(low) > out(high) { low } else { high };
    if out(turn) > still {
        let (verb, back) = if turn[1] > first[1] { ("rises", "falls") } else { ("falls", "rises") };
        let back = format!("{back} to {} at {}", unit(ends[1]), epoch(ends[0]));
        return format!("{name} {}, then {back}{rest}", told(verb, *first, *turn));
    }
    let verb = match ends[1] - first[1] {
        change if change > still => "rises",
        change if change < -still => "falls",
        _ => {
            let reach = format!("between {} and {}", unit(low[1]), unit(high[1]));
            return format!("{name} wavers {reach} and is {} at {}", unit(last[1]), epoch(last[0]));
        }
    };
    format!("{name} {}{rest}", told(verb, *first, ends))
}

/// A difference of rates that nobody would call a change.
pub const STILL_RATE: f64 = 0.02;

/// The course of one metric over all phases: `stretches` are its points phase by phase, `starts` where phases begin and
/// what they are called.
pub fn courses(name: &str, stretches: &[Vec<[f64; 2]>], starts: &[(f64, String)], unit: Unit, still: f64) -> String {
    let phase = |points: &[[f64; 2]]| {
        let first = points.first()?[0];
        // A point on the border belongs to the phase that it ends.
        let begun = starts.iter().rfind(|(start, _)| *start < first).or(starts.first())?;
        Some(begun.1.as_str())
    };
    let mut said: Vec<String> = Vec::new();
    for points in stretches.iter().filter(|points| !points.is_empty()) {
        let subject = match phase(points).filter(|_| !said.is_empty()) {
            Some(phase) => format!("in {phase} it"),
            None if said.is_empty() => name.to_owned(),
            None => "then it".to_owned(),
        };
        said.push(course(&subject, points, unit, still));
    }
    if said.is_empty() { course(name, &[], unit, still) } else { said.join("; ") }
}

/// Epochs are whole almost always.
fn epoch(at: f64) -> String {
    if (at - at.round()).abs() < 0.05 { format!("epoch {:.0}", at) } else { format!("epoch {at:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::words::percent;

    fn said(values: &[f64]) -> String {
        let points: Vec<_> = values.iter().enumerate().map(|(at, value)| [at as f64 + 1.0, *value]).collect();
        course("ASR", &points, percent, 0.02)
    }

    #[test]
    fn rising_falling_and_staying_are_told() {
        assert_eq!(
            said(&[0.1, 0.4, 0.8, 0.99, 0.995, 0.992]),
            "ASR rises from 10.0 % at epoch 1 to 99.0 % at epoch 4, then stays"
        );
        assert_eq!(said(&[0.99, 0.5, 0.05]), "ASR falls from 99.0 % at epoch 1 to 5.0 % at epoch 3");
        assert_eq!(said(&[0.5, 0.505, 0.495]), "ASR stays at about 49.5 % from epoch 1 to epoch 3");
        assert_eq!(
            said(&[0.1, 0.9, 0.3]),
            "ASR rises from 10.0 % at epoch 1 to 90.0 % at epoch 2, then falls to 30.0 % at epoch 3"
        );
        assert_eq!(
            said(&[0.9, 0.1, 0.8, 0.8]),
            "ASR falls from 90.0 % at epoch 1 to 10.0 % at epoch 2, then rises to 80.0 % at epoch 3, then stays"
        );
    }

    #[test]
    fn what_returns_to_its_beginning_has_been_away() {
        let words = said(&[0.5, 0.9, 0.5]);
        assert_eq!(words, "ASR rises from 50.0 % at epoch 1 to 90.0 % at epoch 2, then falls to 50.0 % at epoch 3");
    }

    #[test]
    fn short_and_broken_series_are_told_too() {
        assert_eq!(said(&[]), "ASR has no values yet");
        assert_eq!(said(&[f64::NAN]), "ASR has no values yet");
        assert_eq!(said(&[0.25]), "ASR is 25.0 % at epoch 1");
        assert_eq!(
            said(&[0.25, f64::NAN, f64::INFINITY, 0.75]),
            "ASR rises from 25.0 % at epoch 1 to 75.0 % at epoch 4"
        );
        let plain = course("Loss", &[[0.5, 2.0], [1.25, 1.0]], |value| format!("{value:.1}"), 0.0);
        assert_eq!(plain, "Loss falls from 2.0 at epoch 0.5 to 1.0 at epoch 1.2");
    }

    #[test]
    fn every_phase_is_told_by_its_name() {
        let starts = [(0.0, "attack".to_owned()), (2.0, "npd".to_owned())];
        let stretches = [vec![[1.0, 0.1], [2.0, 0.9]], vec![[3.0, 0.05]]];
        let words = courses("ASR", &stretches, &starts, percent, STILL_RATE);
        assert_eq!(words, "ASR rises from 10.0 % at epoch 1 to 90.0 % at epoch 2; in npd it is 5.0 % at epoch 3");
        assert_eq!(courses("ASR", &[], &starts, percent, STILL_RATE), "ASR has no values yet");
    }

    #[test]
    fn a_tremble_on_the_way_is_no_turn() {
        assert_eq!(
            said(&[0.1, 0.42, 0.41, 0.9, 0.89, 0.91]),
            "ASR rises from 10.0 % at epoch 1 to 90.0 % at epoch 4, then stays"
        );
    }
}
