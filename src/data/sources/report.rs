//! What `inspect` says about a data set.

use super::sample::statistics;
use crate::data::{Memory, Split};
use crate::run::event::Report;

pub(super) fn report(split: &Split, notes: Vec<String>) -> Report {
    let card = &split.train.card;
    let mut report = Report::new(format!("Data set: {}", card.name));
    report.fact("format", &card.format);
    report.fact("training pictures", split.train.labels.len().to_string());
    report.fact("test pictures", split.test.labels.len().to_string());
    report.fact("size", format!("{} x {} pixels (height x width)", card.height, card.width));
    report.fact("channels", if card.channels == 1 { "1 (grey)" } else { "3 (RGB)" });
    report.fact("classes", format!("{}: {}", card.classes.len(), shortened(&card.classes)));
    report.fact("training pictures per class", histogram(&split.train));
    report.fact("test pictures per class", histogram(&split.test));
    let (mean, std) = statistics(&split.train);
    let words = |values: [f64; 3]| {
        let shown = if card.channels == 1 { &values[..1] } else { &values[..] };
        shown.iter().map(|value| format!("{value:.4}")).collect::<Vec<_>>().join(", ")
    };
    report.fact("mean of the training pixels (0 to 1)", words(mean));
    report.fact("standard deviation (0 to 1)", words(std));
    report.fact("training hash", &card.hash);
    report.fact("test hash", &split.test.card.hash);
    report.warnings = notes;
    report
}

fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut text = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(", ...");
    }
    text
}

/// `1000 each`, or the numbers in label order, or their range.
fn histogram(data: &Memory) -> String {
    let mut counts = vec![0usize; data.card.classes.len()];
    for &label in &data.labels {
        counts[label as usize] += 1;
    }
    let (least, most) = (counts.iter().min().unwrap_or(&0), counts.iter().max().unwrap_or(&0));
    if least == most {
        format!("{least} each")
    } else if counts.len() <= 20 {
        counts.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
    } else {
        format!("{least} to {most}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::sources::testing;

    #[test]
    fn the_facts_are_there() {
        let split = Split {
            train: testing::memory(1, 1, 1, &[0, 255, 0], &[0, 1, 0]),
            test: testing::memory(1, 1, 1, &[0, 255], &[0, 1]),
            from_one: false,
        };
        let report = report(&split, vec!["a note".to_owned()]);
        let fact = |name: &str| report.facts.iter().find(|(n, _)| n == name).unwrap().1.clone();
        assert_eq!(fact("training pictures per class"), "2, 1");
        assert_eq!(fact("test pictures per class"), "1 each");
        assert_eq!(fact("mean of the training pixels (0 to 1)"), "0.3333");
        assert_eq!(fact("classes"), "2: 0, 1");
        assert_eq!(report.warnings, ["a note"]);
    }
}
