//! The one list of all methods, gathered from the folders.

use crate::experiment::{Kind, Method};
use std::sync::LazyLock;

static METHODS: LazyLock<Vec<&'static Method>> = LazyLock::new(|| {
    let networks = crate::nets::zoo::ALL.iter().map(|zoo| &zoo.method);
    let networks = networks.chain([&crate::nets::zoo::checkpoint::METHOD]);
    let attacks = crate::attacks::ALL.iter().map(|entry| &entry.method);
    let defenses = crate::defenses::all().map(|entry| &entry.method);
    let selections = crate::attacks::selection::ALL.iter().map(|entry| &entry.method);
    let checks = crate::checks::ALL.iter().map(|entry| &entry.method);
    let rivals = crate::fairness::rivals::ALL.iter().map(|entry| &entry.method);
    let fair = std::iter::once(&crate::fairness::METHOD).chain(rivals);
    networks.chain(attacks).chain(selections).chain(defenses).chain(checks).chain(fair).collect()
});

/// All methods: networks, attacks, selections, then defenses along the life cycle, then checks.
pub fn all() -> &'static [&'static Method] {
    &METHODS
}

/// The method of this kind of thing (attack, defense or network) with this id.
pub fn find(id: &str, fits: impl Fn(Kind) -> bool) -> Option<&'static Method> {
    all().iter().copied().find(|method| method.id == id && fits(method.kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_unique_and_descriptions_complete() {
        let mut seen = HashSet::new();
        for method in all() {
            assert!(seen.insert(method.id), "{} twice", method.id);
            for text in [method.name, method.one_line, method.page, method.paper] {
                assert!(!text.trim().is_empty(), "{}", method.id);
            }
        }
        assert!(find("npd", Kind::is_defense).is_some());
        assert!(find("npd", |kind| kind == Kind::Attack).is_none());
    }

    #[test]
    fn every_option_has_a_default_and_every_number_a_range() {
        for method in all() {
            let schema = (method.schema)();
            let defaults = (method.defaults)();
            for (name, option) in schema["properties"].as_object().into_iter().flatten() {
                assert!(defaults.get(name).is_some(), "{}.{name} has no default", method.id);
                if matches!(option["type"].as_str(), Some("number" | "integer")) {
                    let bounded = option.get("minimum").is_some() && option.get("maximum").is_some();
                    assert!(bounded, "{}.{name} has no range", method.id);
                }
            }
        }
    }
}
