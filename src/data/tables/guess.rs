//! Guesses from names and cells: which column may be the target, which ones may be sensitive. People correct them.

use crate::experiment::fair::ColumnKind;
use crate::run::fair::ColumnCard;

/// Words in the names of columns that are usually protected.
const SENSITIVE: [&str; 12] = [
    "race",
    "sex",
    "gender",
    "ethnicity",
    "ethnic",
    "religion",
    "nationality",
    "disability",
    "age",
    "marital",
    "origin",
    "protected",
];
/// Words in the names of columns that are usually predicted.
const TARGET: [&str; 12] = [
    "target",
    "label",
    "score",
    "income",
    "outcome",
    "grade",
    "price",
    "salary",
    "risk",
    "violentcrimesperpop",
    "ugpa",
    "y",
];

/// Parts of a name: `fam_income` has `fam` and `income`, `racePctWhite` has `race`, `pct` and `white`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        if !letter.is_alphanumeric() || letter.is_uppercase() && before.is_lowercase() {
            words.push(String::new());
        }
        if letter.is_alphanumeric() {
            words.iter_mut().last().into_iter().for_each(|word| word.extend(letter.to_lowercase()));
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

pub(super) fn sensitive(column: &ColumnCard) -> bool {
    // A number such as an age has to be cut somewhere: that is for people to decide.
    let tells_groups = column.kind == Some(ColumnKind::Category) && (2..=12).contains(&column.values.len());
    tells_groups && words(&column.name).iter().any(|word| SENSITIVE.contains(&word.as_str()))
}

/// A column of numbers with a telling name, else the last one.
pub(super) fn target(columns: &[ColumnCard], sensitive: &[String]) -> Option<String> {
    let fits = |column: &&ColumnCard| column.kind == Some(ColumnKind::Number) && !sensitive.contains(&column.name);
    let telling = |column: &&ColumnCard| {
        let whole = column.name.to_lowercase();
        TARGET.contains(&whole.as_str()) || words(&column.name).iter().any(|word| TARGET[..9].contains(&word.as_str()))
    };
    let by_name = columns.iter().filter(fits).find(|column| TARGET.contains(&column.name.to_lowercase().as_str()));
    let by_word = || columns.iter().filter(fits).find(telling);
    let last = || columns.iter().rfind(fits);
    by_name.or_else(by_word).or_else(last).map(|column| column.name.clone())
}
