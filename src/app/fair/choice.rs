//! Which table and which columns to begin with.

use crate::experiment::FairExperiment;
use crate::experiment::fair::TableChoice;
use crate::run::fair::TableCard;

/// The embedded tables: how specs call them, how people call them, and what is asked of them first.
pub const EMBEDDED: [(&str, &str, &str); 2] = [
    ("communities", "Communities and Crime", include_str!("../../../assets/presets/fair-communities.toml")),
    ("law-school", "Law School", include_str!("../../../assets/presets/fair-law-school.toml")),
];

/// The experiment to begin with for a table; columns of tables that are not embedded are proposed once they are known.
pub fn begin(source: &str) -> FairExperiment {
    let preset = EMBEDDED.iter().find(|(id, ..)| *id == source);
    let known = preset.and_then(|(.., text)| toml::from_str(text).ok());
    known.unwrap_or_else(|| FairExperiment::of(source, "", &[]))
}

/// What must still be chosen before anything can be fitted.
pub fn lacks(experiment: &FairExperiment) -> Option<&'static str> {
    let table = &experiment.table;
    if table.source.is_empty() {
        Some("Choose a table.")
    } else if table.target.is_empty() {
        Some("Choose the column that is to be predicted.")
    } else if table.sensitive.is_empty() {
        Some("Choose at least one sensitive column.")
    } else if table.sensitive.contains(&table.target) {
        Some("The target cannot be sensitive as well.")
    } else {
        None
    }
}

/// Takes what a table's columns probably mean into an experiment that says nothing about them.
pub fn adopt(experiment: &mut FairExperiment, card: &TableCard) {
    if !experiment.table.target.is_empty() || !experiment.table.sensitive.is_empty() {
        return;
    }
    let source = experiment.table.source.clone();
    let texts = card.columns.iter().filter(|column| column.kind.is_none());
    experiment.table = TableChoice {
        // Names and remarks tell nothing that can be learnt.
        ignore: texts.map(|column| column.name.clone()).collect(),
        ..TableChoice::of(&source, card.target.as_deref().unwrap_or_default(), &card.sensitive)
    };
    let stem = std::path::Path::new(&card.name).file_stem();
    experiment.name = stem.map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_table_begins_with_a_whole_choice() {
        for (source, name, _) in EMBEDDED {
            let experiment = begin(source);
            assert_eq!((experiment.table.source.as_str(), lacks(&experiment)), (source, None), "{name}");
        }
        assert_eq!(lacks(&begin("grades.csv")), Some("Choose the column that is to be predicted."));
    }

    #[test]
    fn proposals_are_taken_once() {
        let column = |name: &str, kind| crate::run::fair::ColumnCard {
            name: name.into(),
            kind,
            description: String::new(),
            missing: 0,
            values: Vec::new(),
        };
        let card = TableCard {
            name: "grades.csv".into(),
            rows: 40,
            columns: vec![column("remark", None), column("G3", Some(crate::experiment::fair::ColumnKind::Number))],
            notes: Vec::new(),
            target: Some("G3".into()),
            sensitive: vec!["school".into()],
        };
        let mut experiment = begin("/home/ada/grades.csv");
        adopt(&mut experiment, &card);
        assert_eq!((experiment.name.as_str(), experiment.table.target.as_str()), ("grades", "G3"));
        assert_eq!(experiment.table.ignore, ["remark"]);
        experiment.table.target = "G2".into();
        adopt(&mut experiment, &card);
        assert_eq!(experiment.table.target, "G2", "what a person has chosen stays");
    }
}
