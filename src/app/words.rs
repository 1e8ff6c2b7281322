//! Numbers as people say them: the same number has the same digits in every card, table and tooltip.

use crate::run::event::Heat;

/// "about 3 min", rounded so that it does not flicker.
pub fn eta(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "time unknown".to_owned();
    }
    let round = |value: f64, to: f64| ((value / to).round() * to).max(to) as u64;
    match seconds {
        s if s < 10.0 => "a few seconds".to_owned(),
        s if s < 55.0 => format!("about {} s", round(s, 5.0)),
        s if s < 90.0 => "about a minute".to_owned(),
        s if s < 3300.0 => format!("about {} min", round(s, 60.0) / 60),
        s if s < 5400.0 => "about an hour".to_owned(),
        s if s < 172_800.0 => format!("about {} hours", round(s, 3600.0) / 3600),
        s => format!("about {} days", round(s, 86_400.0) / 86_400),
    }
}

/// What a heat map shows, in a sentence.
pub fn heat(heat: &Heat, classes: &[String]) -> String {
    let class = class_name(classes, heat.class);
    let [most, whole] = [heat.most(), heat.probability].map(|share| percent(f64::from(share)));
    let window = heat.window;
    format!(
        "Heat: how much of “{class}” is lost where a square of {window}×{window} pixels covers the picture; at the hottest \
         pixel {most} of {whole} (occlusion)."
    )
}

/// The words with a capital at their beginning.
pub fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The name of a class, or its number where the data has no name for it.
pub fn class_name(classes: &[String], class: usize) -> String {
    classes.get(class).cloned().unwrap_or_else(|| format!("class {class}"))
}

/// Time that has passed: `47 s`, `3 min 20 s`, `2 h 05 min`.
pub fn elapsed(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A share as per cent with one decimal.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Three digits that count, without trailing noughts.
pub fn significant(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = (2 - value.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A difference of two shares in points, with its sign.
pub fn points(difference: f64) -> String {
    let points = difference * 100.0;
    if points.abs() < 0.05 { "no change".to_owned() } else { format!("{points:+.1} points").replace('-', "\u{2212}") }
}

/// Bytes as MB or GB.
pub fn bytes(count: u64) -> String {
    let mb = count as f64 / 1e6;
    if mb < 1000.0 { format!("{mb:.0} MB") } else { format!("{:.1} GB", mb / 1000.0) }
}

/// `1234567` as `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The same with a sign in front where it is negative.
pub fn signed_count(number: i64) -> String {
    let sign = if number < 0 { "\u{2212}" } else { "" };
    format!("{sign}{}", count(number.unsigned_abs()))
}

/// "1 run", "3 runs".
pub fn runs(count: usize) -> String {
    if count == 1 { "1 run".to_owned() } else { format!("{count} runs") }
}

/// An option's key as words: `poison_rate` becomes `Poison rate`.
pub fn title_of_key(key: &str) -> String {
    let words = key.replace(['_', '-'], " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// "2 minutes ago" for a moment so many seconds back.
pub fn ago(seconds: u64) -> String {
    let plural = |n: u64, unit: &str| format!("{n} {unit}{} ago", if n == 1 { "" } else { "s" });
    match seconds {
        0..60 => "just now".to_owned(),
        60..3600 => plural(seconds / 60, "minute"),
        3600..86_400 => plural(seconds / 3600, "hour"),
        _ => plural(seconds / 86_400, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_words() {
        let said: Vec<_> = [3.0, 12.0, 41.0, 70.0, 130.0, 3500.0, 9000.0, f64::NAN].into_iter().map(eta).collect();
        let wanted = [
            "a few seconds",
            "about 10 s",
            "about 40 s",
            "about a minute",
            "about 2 min",
            "about an hour",
            "about 3 hours",
            "time unknown",
        ];
        assert_eq!(said, wanted);
        assert_eq!(elapsed(3725.0), "1 h 02 min");
        assert_eq!(elapsed(80.9), "1 min 20 s");
        assert_eq!(ago(60), "1 minute ago");
    }

    #[test]
    fn amounts_have_three_digits_that_count() {
        let written = [0.0, 0.1, 0.012345, 2.0, 0.3901, 1234.5, 0.00001].map(significant);
        assert_eq!(written, ["0", "0.1", "0.0123", "2", "0.39", "1234", "0.00001"]);
    }

    #[test]
    fn numbers_have_one_form() {
        assert_eq!(percent(0.9876), "98.8 %");
        assert_eq!(points(-0.031), "\u{2212}3.1 points");
        assert_eq!(points(0.0001), "no change");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(100), "100");
        assert_eq!(bytes(1_240_000_000), "1.2 GB");
        assert_eq!(title_of_key("poison_rate"), "Poison rate");
    }
}
