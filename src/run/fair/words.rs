//! What a point of the trade-off means, in a sentence.

use super::{Dial, FairFit, Figures, Point};
use crate::run::results::quoted;

impl FairFit {
    /// For example: "Removes 74 % of the gap between groups on new data and costs 1.9 % more error: the largest gap falls
    /// from 0.281 to 0.073, the typical error rises from 0.133 to 0.135."
    pub fn sentence(&self, dial: Dial) -> String {
        let (before, now) = (self.point(Dial::Share(0.0)).test, self.point(dial).test);
        if self.directions() == 0 {
            return "The groups' mean predictions do not differ: there is nothing to trade.".to_owned();
        }
        if before.rows == 0 {
            return "There are no test rows to judge this point on.".to_owned();
        }
        let removed = if before.gap > 0.0 { 1.0 - now.gap / before.gap } else { 0.0 };
        let cost = if before.mse > 0.0 { now.rmse() / before.rmse() - 1.0 } else { 0.0 };
        let removes = if removed >= 0.0005 {
            format!("Removes {} % of the gap between groups on new data", percent(removed))
        } else if removed > -0.0005 {
            "Leaves the gap between groups as it is".to_owned()
        } else {
            format!("Widens the gap between groups on new data by {} %", percent(-removed))
        };
        let costs = if cost >= 0.0005 {
            format!("costs {} % more error", percent(cost))
        } else if cost > -0.0005 {
            "costs no error".to_owned()
        } else {
            format!("lowers the error by {} %", percent(-cost))
        };
        format!(
            "{removes} and {costs}: the largest gap is {} (before: {}), the typical error {} (before: {}).",
            number(now.gap),
            number(before.gap),
            number(now.rmse()),
            number(before.rmse()),
        )
    }

    /// Both curves with `count` points each, and the rivals: one line each, numbers in units of the target.
    pub fn to_csv(&self, count: usize) -> String {
        let mut text = String::from(
            "method,setting,removed,train_rmse,test_rmse,train_gap,test_gap,test_gap_noise,train_smd,test_smd\n",
        );
        let mut line = |method: &str, setting: &str, removed: Option<f64>, train: &Figures, test: &Figures| {
            let removed = removed.map(|share| share.to_string()).unwrap_or_default();
            let values = [train.rmse(), test.rmse(), train.gap, test.gap, test.gap_noise, train.smd, test.smd];
            let values: Vec<String> = values.iter().map(|value| format!("{value:.9}")).collect();
            text += &format!("{},{},{removed},{}\n", quoted(method), quoted(setting), values.join(","));
        };
        for (name, kind) in [("mean-parity", Dial::Share(0.0)), ("mean-parity penalty", Dial::Penalty(0.0))] {
            for (dial, point) in self.curve(kind, count) {
                let (setting, removed) = match dial {
                    Dial::Share(share) => (String::new(), Some(share)),
                    Dial::Penalty(eta) => (format!("eta = {eta}"), None),
                };
                line(name, &setting, removed, &point.train, &point.test);
            }
        }
        for rival in &self.rivals {
            for point in &rival.points {
                line(&rival.id, &point.label, None, &point.train, &point.test);
            }
        }
        text
    }

    /// Whether the test gap at a point can be told from chance; nothing without test rows.
    pub fn noise_sentence(&self, point: &Point) -> Option<String> {
        let test = &point.test;
        (test.rows > 0 && test.gap_noise > 0.0).then(|| {
            if test.gap <= 2.0 * test.gap_noise {
                format!("A gap of up to {} is what chance gives in groups of this size.", number(2.0 * test.gap_noise))
            } else {
                format!(
                    "That is more than the {} that chance gives in groups of this size.",
                    number(2.0 * test.gap_noise)
                )
            }
        })
    }
}

/// A share as people read it: `74`, `1.9`.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent >= 10.0 { format!("{percent:.0}") } else { format!("{percent:.1}") }
}

/// A number with three digits that count: `0.0731`, `12.4`, `1,530` without the comma.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = 2 - value.abs().log10().floor() as i32;
    if digits > 9 { format!("{value:.1e}") } else { format!("{value:.*}", digits.max(0) as usize) }
}
