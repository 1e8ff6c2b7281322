//! Groups: the combinations of sensitive values that occur.

use super::frame::AttributeCodes;
use crate::data::tables::{Cells, Column};
use crate::experiment::fair::TableChoice;
use crate::experiment::{Problem, Result};
use crate::run::fair::{Attribute, Group, number};
use std::collections::BTreeMap;

/// More groups than these cannot be looked at, and hardly be made equal.
const MOST_GROUPS: usize = 256;
/// A sensitive column of numbers with at most so many different ones is a column of codes.
const MOST_CODES: usize = 8;

#[derive(Debug)]
pub struct Grouping {
    pub groups: Vec<Group>,
    pub group: Vec<u32>,
    pub attributes: Vec<Attribute>,
    pub codes: Vec<AttributeCodes>,
}

/// Groups of these rows of the table.
pub fn of(sensitive: &[Column], choice: &TableChoice, rows: &[usize], notes: &mut Vec<String>) -> Result<Grouping> {
    let mut attributes = Vec::new();
    let mut codes = Vec::new();
    for column in sensitive {
        let (attribute, of_rows) = attribute(column, choice, rows, notes)?;
        attributes.push(attribute);
        codes.push(of_rows);
    }
    let key = |row: usize| codes.iter().map(|codes| codes.values[row] as usize).collect::<Vec<_>>();
    let mut found: BTreeMap<Vec<usize>, u32> = (0..rows.len()).map(|row| (key(row), 0)).collect();
    if found.len() > MOST_GROUPS {
        return Err(Problem::bad_input(format!("There are {} groups.", found.len()))
            .because(format!(
                "Every combination of sensitive values is a group; at most {MOST_GROUPS} can be compared."
            ))
            .at("table.sensitive")
            .remedy("Name fewer columns, or cut numbers in fewer places."));
    }
    found.values_mut().enumerate().for_each(|(index, group)| *group = index as u32);
    let group = (0..rows.len()).map(|row| found[&key(row)]).collect();
    let groups = found
        .into_keys()
        .map(|values| {
            let words: Vec<String> = values.iter().zip(&attributes).map(|(&value, a)| word(a, value)).collect();
            Group { name: words.join(", "), values }
        })
        .collect::<Vec<_>>();
    if groups.len() == 1 {
        notes.push("There is only one group: nothing can be unfair between groups.".to_owned());
    }
    Ok(Grouping { groups, group, attributes, codes })
}

/// `white`, but `gender: male` where the value alone would say little.
fn word(attribute: &Attribute, value: usize) -> String {
    let text = &attribute.values[value];
    let says_little = text.chars().count() < 3 || text.parse::<f64>().is_ok() || text == "yes" || text == "no";
    if says_little || text.starts_with("below ") || text.starts_with("from ") {
        format!("{} {text}", attribute.name)
    } else {
        text.clone()
    }
}

/// Refuses a sensitive column that cannot tell groups apart.
pub fn check(column: &Column) -> Result<()> {
    match &column.cells {
        Cells::Texts(_) => Err(Problem::bad_input(format!("The column `{}` cannot tell groups apart.", column.name))
            .because("It has too many different texts.")
            .at("table.sensitive")
            .remedy("Name a column whose values many people share.")),
        _ => Ok(()),
    }
}

fn attribute(
    column: &Column,
    choice: &TableChoice,
    rows: &[usize],
    notes: &mut Vec<String>,
) -> Result<(Attribute, AttributeCodes)> {
    check(column)?;
    match &column.cells {
        Cells::Texts(_) => Err(Problem::internal("A column of texts was taken for groups.")),
        Cells::Levels { codes, names } => {
            let values: Vec<u32> = rows.iter().map(|&row| codes[row]).collect();
            let two_valued = names.len() == 2;
            let numbers = two_valued.then(|| values.iter().map(|&value| f64::from(value)).collect());
            let codes = AttributeCodes { values, count: names.len(), numbers, two_valued };
            Ok((Attribute { name: column.name.clone(), values: names.clone() }, codes))
        }
        Cells::Numbers(all) => {
            let numbers: Vec<f64> = rows.iter().map(|&row| all[row]).collect();
            let mut sorted = numbers.clone();
            sorted.sort_by(f64::total_cmp);
            let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
            sorted.dedup();
            let cuts = choice.column(&column.name).map(|column| column.cuts.clone()).unwrap_or_default();
            let (names, values): (Vec<String>, Vec<u32>) = if cuts.is_empty() && sorted.len() <= MOST_CODES {
                let place = |value: &f64| sorted.partition_point(|known| known < value) as u32;
                (sorted.iter().map(|value| format!("{value}")).collect(), numbers.iter().map(place).collect())
            } else {
                let mut cuts = if cuts.is_empty() {
                    notes.push(format!(
                        "`{}` is a number; its groups are below {} and from there on (the median).",
                        column.name,
                        number(median)
                    ));
                    vec![median]
                } else {
                    cuts
                };
                cuts.sort_by(f64::total_cmp);
                let place = |value: &f64| cuts.partition_point(|cut| cut <= value) as u32;
                (ranges(&cuts), numbers.iter().map(place).collect())
            };
            let codes =
                AttributeCodes { values, count: names.len(), two_valued: sorted.len() == 2, numbers: Some(numbers) };
            Ok((Attribute { name: column.name.clone(), values: names }, codes))
        }
    }
}

fn ranges(cuts: &[f64]) -> Vec<String> {
    let mut names = vec![format!("below {}", number(cuts[0]))];
    names.extend(cuts.windows(2).map(|pair| format!("from {} to {}", number(pair[0]), number(pair[1]))));
    names.extend(cuts.last().map(|last| format!("from {}", number(*last))));
    names
}

impl Grouping {
    /// Joins groups with fewer than `least` training rows into one.
    pub fn join_below(&mut self, least: usize, train: &[usize], notes: &mut Vec<String>) {
        let mut counts = vec![0usize; self.groups.len()];
        train.iter().for_each(|&row| counts[self.group[row] as usize] += 1);
        let small = counts.iter().filter(|count| **count < least).count();
        if small < 2 {
            return;
        }
        notes.push(format!("{small} groups with fewer than {least} training rows were joined into one."));
        let joined = (self.groups.len() - small) as u32;
        let mut place = Vec::with_capacity(counts.len());
        let mut kept = Vec::new();
        for (group, count) in std::mem::take(&mut self.groups).into_iter().zip(&counts) {
            if *count < least {
                place.push(joined);
            } else {
                place.push(kept.len() as u32);
                kept.push(group);
            }
        }
        // The joined group has no value of its own in any attribute.
        kept.push(Group { name: "small groups".to_owned(), values: vec![usize::MAX; self.attributes.len()] });
        self.groups = kept;
        self.group.iter_mut().for_each(|group| *group = place[*group as usize]);
    }
}
