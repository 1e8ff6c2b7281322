//! What tells two models apart, counted weight by weight: the sentence with which a repaired model is received.

use std::fmt::Write;

/// Numbers in a part of a model, and how many of them differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// `layer4.1.conv1`; of an inserted layer what it is and where.
    pub name: String,
    pub differing: u64,
    pub numbers: u64,
}

/// The second of two models, seen from the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelDifference {
    /// Architectures with their options.
    pub networks: [String; 2],
    /// Every layer that both have, in the order of the second model.
    pub layers: Vec<Part>,
    /// Layers that only the second has, or only the first.
    pub inserted: Vec<Part>,
    pub removed: Vec<Part>,
}

impl ModelDifference {
    pub fn same_architecture(&self) -> bool {
        self.networks[0] == self.networks[1]
    }

    /// Layers of both in which something differs.
    fn changed(&self) -> impl Iterator<Item = &Part> {
        self.layers.iter().filter(|part| part.differing > 0)
    }

    /// Numbers of the second model that the first does not have at their place, and all of its numbers.
    pub fn count(&self) -> (u64, u64) {
        let parts = || self.layers.iter().chain(&self.inserted);
        (parts().map(|part| part.differing).sum(), parts().map(|part| part.numbers).sum())
    }

    /// "Same architecture, 0.4 % of the weights differ, all in one inserted layer (neural polarizer at layer3.1.conv1.in)."
    pub fn sentence(&self) -> String {
        if !self.same_architecture() {
            let [before, now] = &self.networks;
            return format!("Another architecture: {now} in the place of {before}.");
        }
        let (differing, all) = self.count();
        if differing == 0 && self.removed.is_empty() {
            return "Same architecture, and every weight is the same.".to_owned();
        }
        let mut text = if differing == 0 {
            "Same architecture and weights".to_owned()
        } else {
            let verb = if differing == 1 { "differs" } else { "differ" };
            format!("Same architecture, {} of the weights {verb}", share(differing, all))
        };
        let changed: Vec<&Part> = self.changed().collect();
        let inserted: Vec<&Part> = self.inserted.iter().collect();
        // Writing into a String cannot fail.
        let _ = match (changed.as_slice(), inserted.as_slice()) {
            ([], []) => Ok(()),
            ([], [one]) => write!(text, ", all in one inserted layer ({})", one.name),
            ([], many) => write!(text, ", all in {} inserted layers ({})", many.len(), names(many)),
            ([one], []) => write!(text, ", all in one layer ({})", one.name),
            (some, []) => write!(text, ", in {} of {} layers", some.len(), self.layers.len()),
            (some, new) => {
                let what = if new.len() == 1 {
                    "one inserted layer".to_owned()
                } else {
                    format!("{} inserted layers", new.len())
                };
                write!(text, ", in {what} ({}) and in {} of {} others", names(new), some.len(), self.layers.len())
            }
        };
        if !self.removed.is_empty() {
            let _ = write!(text, "; {} is gone", names(&self.removed.iter().collect::<Vec<_>>()));
        }
        text + "."
    }
}

/// The first few by name.
fn names(parts: &[&Part]) -> String {
    const NAMED: usize = 3;
    let named: Vec<&str> = parts.iter().take(NAMED).map(|part| part.name.as_str()).collect();
    let more = parts.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}

/// `0.4 %`; a difference that there is never reads as none, and what is not all never as all.
fn share(count: u64, of: u64) -> String {
    let share = 100.0 * count as f64 / of.max(1) as f64;
    match share {
        _ if count == of => "all".to_owned(),
        s if s < 0.05 => "less than 0.1 %".to_owned(),
        s if s > 99.95 => "more than 99.9 %".to_owned(),
        s => format!("{s:.1} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, differing: u64, numbers: u64) -> Part {
        Part { name: name.into(), differing, numbers }
    }

    fn said(layers: &[(u64, u64)], inserted: &[&str]) -> String {
        let layers =
            layers.iter().enumerate().map(|(at, &(differing, numbers))| part(&format!("l{at}"), differing, numbers));
        let inserted = inserted.iter().map(|name| part(name, 40, 40)).collect();
        let networks = ["resnet, width 4", "resnet, width 4"].map(str::to_owned);
        ModelDifference { networks, layers: layers.collect(), inserted, removed: Vec::new() }.sentence()
    }

    #[test]
    fn one_sentence_tells_how_many_weights_differ_and_where() {
        let same = [(0, 5000), (0, 4960)];
        assert_eq!(said(&same, &[]), "Same architecture, and every weight is the same.");
        assert_eq!(
            said(&same, &["polarizer at l1"]),
            "Same architecture, 0.4 % of the weights differ, all in one inserted layer (polarizer at l1)."
        );
        assert!(said(&same, &["a", "b", "c", "d"]).ends_with("all in 4 inserted layers (a, b, c and 1 more)."));
        assert_eq!(
            said(&[(0, 9000), (500, 1000)], &[]),
            "Same architecture, 5.0 % of the weights differ, all in one layer (l1)."
        );
        assert_eq!(
            said(&[(1, 90_000), (1, 1000)], &[]),
            "Same architecture, less than 0.1 % of the weights differ, in 2 of 2 layers."
        );
        assert_eq!(said(&[(7, 7), (9, 9)], &[]), "Same architecture, all of the weights differ, in 2 of 2 layers.");
        assert!(
            said(&[(1, 9), (0, 9)], &["polarizer"]).contains("in one inserted layer (polarizer) and in 1 of 2 others")
        );
    }

    #[test]
    fn what_is_gone_and_what_is_another_network_is_told() {
        let mut difference = ModelDifference {
            networks: ["a".into(), "a".into()],
            layers: vec![part("l", 0, 9)],
            removed: vec![part("polarizer at l", 3, 3)],
            ..Default::default()
        };
        assert_eq!(difference.sentence(), "Same architecture and weights; polarizer at l is gone.");
        difference.networks[1] = "b".into();
        assert_eq!(difference.sentence(), "Another architecture: b in the place of a.");
    }
}
