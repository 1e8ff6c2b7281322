//! Poison as an overlay: a plan says which rows carry the trigger, and stamped rows are made when they are asked for.

use super::{Card, Dataset};
use crate::experiment::{LabelMap, Poison, Problem, Result};
use crate::run::TriggerForm;
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// Puts the attacker's mark on pictures; the same row and seed give the same bytes.
pub trait Trigger {
    /// `pixels` is u8 `[N, 3, H, W]` on the processor, `rows` are the N row numbers.
    fn apply(&self, pixels: &Tensor, rows: &[i64]) -> Result<Tensor>;

    /// The same as plain data, for triggers that treat every picture alike and have a closed form.
    fn form(&self) -> Option<TriggerForm> {
        None
    }

    /// Whether it can stamp all of `data`; most triggers stamp anything.
    fn fits(&self, _data: &dyn Dataset) -> Result<()> {
        Ok(())
    }

    /// A disturbance that resembles the trigger and must not work, where the attack teaches that: noise instead of the
    /// warp, another picture's pattern. Pictures keep their labels under it.
    fn cross(&self) -> Option<&dyn Trigger> {
        None
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowKind {
    Clean,
    /// Carries the trigger and, unless the attack is clean-label, the attacker's label.
    Poisoned,
    /// Carries a disturbance but keeps its label (noise mode of training-controlled attacks).
    Cross,
}

/// Which rows are poisoned; written to the run folder as the record of the attack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Poisoned rows in ascending order.
    pub poisoned: Vec<i64>,
    pub label_map: LabelMap,
    pub target: i64,
    pub classes: i64,
}

/// The attacker's label for a picture of class `label`.
pub fn map_label(map: LabelMap, label: i64, target: i64, classes: i64) -> i64 {
    match map {
        LabelMap::AllToOne | LabelMap::CleanLabel => target,
        LabelMap::AllToAll => (label + 1).rem_euclid(classes),
    }
}

impl Plan {
    /// The plan that poisons these rows.
    pub fn of(mut poisoned: Vec<i64>, options: &Poison, classes: i64) -> Self {
        poisoned.sort_unstable();
        Self { poisoned, label_map: options.labels(), target: options.target, classes }
    }

    /// Rows that the label map allows to poison, ascending.
    pub fn eligible(options: &Poison, labels: &[i64], classes: i64) -> Result<Vec<i64>> {
        if options.target < 0 || options.target >= classes {
            return Err(Problem::bad_input(format!("Target class {} does not exist.", options.target))
                .at("poison.target")
                .remedy(format!("Choose 0 to {}.", classes - 1)));
        }
        let fits = |label: i64| match options.labels() {
            LabelMap::AllToOne => !(options.exclude_target && label == options.target),
            LabelMap::AllToAll => true,
            LabelMap::CleanLabel => label == options.target,
        };
        Ok((0i64..).zip(labels).filter(|&(_, &label)| fits(label)).map(|(row, _)| row).collect())
    }

    /// How many of the `eligible` rows are poisoned: a share of the whole training set.
    pub fn budget(options: &Poison, labels: &[i64], eligible: &[i64]) -> Result<usize> {
        let wanted = (options.ratio * labels.len() as f64).round() as usize;
        if wanted == 0 {
            return Err(Problem::bad_input("This poisoning ratio poisons no picture at all.")
                .at("poison.ratio")
                .because(format!("{} of {} pictures", options.ratio, labels.len()))
                .remedy("Raise poison.ratio, or leave out [attack] to train a clean model."));
        }
        if wanted > eligible.len() {
            let share = eligible.len() as f64 / labels.len() as f64;
            return Err(Problem::bad_input("There are not enough pictures for this poisoning ratio.")
                .at("poison.ratio")
                .because(format!("{wanted} are wanted, {} are eligible", eligible.len()))
                .remedy(format!("Choose a ratio of at most {share:.4}.")));
        }
        Ok(wanted)
    }

    /// All rows on which the attack is judged: every test row, without those that already belong to the target.
    pub fn judge(options: &Poison, labels: &[i64], classes: i64) -> Self {
        let poisoned = (0..labels.len() as i64)
            .filter(|&row| options.labels() == LabelMap::AllToAll || labels[row as usize] != options.target)
            .collect();
        Self { poisoned, label_map: options.labels(), target: options.target, classes }
    }

    pub fn label_for(&self, label: i64) -> i64 {
        map_label(self.label_map, label, self.target, self.classes)
    }

    /// How many rows of each class are poisoned.
    pub fn per_class(&self, labels: &[i64]) -> Vec<usize> {
        let mut counts = vec![0; self.classes as usize];
        for &row in &self.poisoned {
            counts[labels[row as usize] as usize] += 1;
        }
        counts
    }
}

/// A data set some rows of which carry a trigger. Nothing is copied.
pub struct Poisoned<'a> {
    base: &'a dyn Dataset,
    trigger: &'a dyn Trigger,
    kinds: Vec<RowKind>,
    labels: Vec<i64>,
}

impl<'a> Poisoned<'a> {
    pub fn new(base: &'a dyn Dataset, plan: &Plan, trigger: &'a dyn Trigger) -> Self {
        let mut kinds = vec![RowKind::Clean; base.len()];
        let mut labels = base.labels().to_vec();
        for &row in &plan.poisoned {
            kinds[row as usize] = RowKind::Poisoned;
            labels[row as usize] = plan.label_for(labels[row as usize]);
        }
        Self { base, trigger, kinds, labels }
    }

    /// All rows disturbed, none relabelled.
    pub fn cross(base: &'a dyn Dataset, disturbance: &'a dyn Trigger) -> Self {
        let (kinds, labels) = (vec![RowKind::Cross; base.len()], base.labels().to_vec());
        Self { base, trigger: disturbance, kinds, labels }
    }

    pub fn kinds(&self) -> &[RowKind] {
        &self.kinds
    }

    pub fn original_labels(&self) -> &[i64] {
        self.base.labels()
    }
}

impl Dataset for Poisoned<'_> {
    fn card(&self) -> &Card {
        self.base.card()
    }

    fn labels(&self) -> &[i64] {
        &self.labels
    }

    fn pixels(&self, rows: &[i64]) -> Result<Tensor> {
        let pixels = self.base.pixels(rows)?;
        let (places, stamped): (Vec<i64>, Vec<i64>) = (0i64..)
            .zip(rows)
            .filter(|&(_, &row)| self.kinds[row as usize] != RowKind::Clean)
            .map(|(place, &row)| (place, row))
            .unzip();
        if places.is_empty() {
            return Ok(pixels);
        }
        let places = Tensor::from_slice(&places);
        let marked = self.trigger.apply(&pixels.index_select(0, &places), &stamped)?;
        Ok(pixels.index_copy(0, &places, &marked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Memory;
    use crate::data::tests::striped;

    struct Invert;

    impl Trigger for Invert {
        fn apply(&self, pixels: &Tensor, _: &[i64]) -> Result<Tensor> {
            Ok(255 - pixels)
        }
    }

    /// The last eligible rows.
    fn plan(options: &Poison, data: &Memory) -> Result<Plan> {
        let mut eligible = Plan::eligible(options, data.labels(), 10)?;
        let wanted = Plan::budget(options, data.labels(), &eligible)?;
        Ok(Plan::of(eligible.split_off(eligible.len() - wanted), options, 10))
    }

    #[test]
    fn counts_follow_the_ratio_and_the_label_map() {
        let data = striped(200);
        let all = plan(&Poison { ratio: 0.1, ..Poison::default() }, &data).unwrap();
        assert_eq!(all.poisoned.len(), 20);
        let excluded = plan(&Poison { ratio: 0.9, exclude_target: true, ..Poison::default() }, &data).unwrap();
        assert_eq!(excluded.per_class(data.labels())[0], 0);
        assert_eq!(excluded.poisoned.len(), 180);
        let options = Poison { ratio: 0.1, label_map: Some(LabelMap::CleanLabel), target: 3, exclude_target: false };
        let clean_label = plan(&options, &data).unwrap();
        assert_eq!(clean_label.per_class(data.labels())[3], 20);
        assert!(plan(&Poison { ratio: 0.11, ..options }, &data).unwrap_err().headline.contains("not enough"));
        assert!(plan(&Poison { ratio: 0.001, ..Poison::default() }, &data).is_err());
        assert!(plan(&Poison { target: 10, ..Poison::default() }, &data).is_err());
    }

    #[test]
    fn only_planned_rows_change_and_the_base_stays_as_it_is() {
        let data = striped(100);
        let options = Poison { label_map: Some(LabelMap::AllToAll), ..Poison::default() };
        let plan = plan(&options, &data).unwrap();
        let overlay = Poisoned::new(&data, &plan, &Invert);
        let rows: Vec<i64> = (0..100).rev().collect();
        let (clean, poisoned) = (data.pixels(&rows).unwrap(), overlay.pixels(&rows).unwrap());
        for (place, &row) in rows.iter().enumerate() {
            let (clean, poisoned) = (clean.get(place as i64), poisoned.get(place as i64));
            let label = data.labels()[row as usize];
            if plan.poisoned.contains(&row) {
                assert!(poisoned.equal(&(255 - clean)));
                assert_eq!(overlay.labels()[row as usize], (label + 1) % 10);
            } else {
                assert!(poisoned.equal(&clean));
                assert_eq!(overlay.labels()[row as usize], label);
            }
        }
        assert_eq!(overlay.kinds().iter().filter(|&&kind| kind == RowKind::Poisoned).count(), 10);
    }

    #[test]
    fn the_judge_leaves_out_the_target_class() {
        let data = striped(100);
        let judged = Plan::judge(&Poison::default(), data.labels(), 10);
        assert_eq!(judged.poisoned.len(), 90);
        let all = Poison { label_map: Some(LabelMap::AllToAll), ..Poison::default() };
        assert_eq!(Plan::judge(&all, data.labels(), 10).poisoned.len(), 100);
    }
}
