//! Accuracy per class, and whether one class attracts the wrong answers.
//!
//! A backdoor's target sometimes draws ordinary pictures as well: where the model is unsure, it says the target. Single
//! wrong answers prove nothing, because similar classes attract each other (shirts and T-shirts), and every picture of a
//! pair counts again. So classes vote, not pictures: each class with at least twenty pictures and a wrong answer names the
//! class that it is most often taken for (a tie is no vote). If wrong answers went anywhere, class t would get each vote of
//! another class with probability 1 / (K - 1), independently, and
//!
//! ```text
//! P(at least v votes) = sum over i >= v of C(n, i) p^i (1 - p)^(n - i),    p = 1 / (K - 1)
//! ```
//!
//! A class is suspicious where this is below `alpha / K`: with so many classes looked at (Bonferroni), a model whose wrong
//! answers fall at random is accused with probability below alpha. Similar classes come in pairs and small groups, which is
//! not enough votes; a class that is the favourite mistake of most others is. Look at the column of the table.

use super::{Check, Entry, Inspected, answers, exhibit, parse, rate};
use crate::data::pictures;
use crate::experiment::method::{Kind as MethodKind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Problem, Result};
use crate::nets::Model;
use crate::run::RunFolder;
use crate::run::atomic::write_atomic;
use crate::run::checked::{CheckResult, Table, TableRow, Verdict};
use crate::run::job::Job;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How often a model whose wrong answers fall at random may be accused.
    #[schemars(range(min = 0.000001, max = 0.2), extend("x-scale" = "log"))]
    pub alpha: f64,
    /// Classes with fewer pictures have no vote.
    #[schemars(range(min = 1, max = 10_000), extend("x-unit" = "pictures", "x-advanced" = true))]
    pub least: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { alpha: 0.01, least: 20 }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "class-accuracy",
        kind: MethodKind::Check,
        name: "Accuracy per class",
        one_line: "How good the model is on every class, and whether one class attracts the wrong answers.",
        page: "The model is asked about every picture. The table tells how often it is right, class by class, and how \
               many wrong answers each class gets. A class that most other classes are mistaken for is suspicious: the \
               target of a backdoor sometimes pulls ordinary pictures, too.\n\nClasses vote, not pictures: similar \
               classes attract each other in every model, and that is no sign. A good backdoor leaves ordinary pictures \
               alone, so that finding nothing here says little; low accuracy says that the model or the pictures are not \
               what was promised.",
        paper: "A binomial test with Bonferroni's correction; no paper",
        properties: &[Property::NeedsClean],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Box::new(ClassAccuracy { options: parse(options)? })),
};

const MISSES: &str = "a backdoor that leaves ordinary pictures alone, as most do";

struct ClassAccuracy {
    options: Options,
}

impl Check for ClassAccuracy {
    fn look(&self, job: &mut Job, phase: &str, model: &Model, data: &Inspected) -> Outcome<CheckResult> {
        let labels = data.pictures.labels();
        let classes = &data.pictures.card().classes;
        let rows: Vec<i64> = (0..labels.len() as i64).collect();
        job.work(0, rows.len().div_ceil(super::BATCH) as u64, "batches");
        let answers = answers(job, model, data, &rows, Ok)?;
        keep(job, &answers)?;
        let counts = Counts::new(classes.len(), labels, &answers);
        let mut found = judge(&counts, classes, &self.options);
        let k = classes.len() as i64;
        let wrong: Vec<f32> = counts.wrong_shares();
        let picture = pictures::heat_map(&Tensor::from_slice(&wrong).view([k, k]).to_kind(Kind::Float))?;
        let caption =
            "Wrong answers: true class down, what the model says across; a full column is a class that attracts";
        found.pictures = vec![exhibit(job, phase, caption.to_owned(), picture)?];
        Ok(found)
    }
}

/// Writes down what the model said, so that another audit of the same pictures can tell where the two models differ.
fn keep(job: &Job, answers: &[i64]) -> Result<()> {
    let answers: Vec<u16> = answers.iter().map(|&answer| u16::try_from(answer).unwrap_or(u16::MAX)).collect();
    let bytes = serde_json::to_vec(&answers).map_err(|e| Problem::internal("Cannot write the answers.").because(e))?;
    write_atomic(&job.folder().join(RunFolder::ANSWERS), &bytes)
}

/// How often each class (row) was taken for each (column).
struct Counts {
    k: usize,
    cells: Vec<usize>,
}

impl Counts {
    fn new(k: usize, labels: &[i64], answers: &[i64]) -> Self {
        let mut cells = vec![0; k * k];
        for (&label, &answer) in labels.iter().zip(answers) {
            if let Some(cell) = cells.get_mut(label as usize * k + answer as usize) {
                *cell += 1;
            }
        }
        Self { k, cells }
    }

    fn row(&self, class: usize) -> &[usize] {
        &self.cells[class * self.k..(class + 1) * self.k]
    }

    fn pictures(&self, class: usize) -> usize {
        self.row(class).iter().sum()
    }

    fn right(&self, class: usize) -> usize {
        self.row(class)[class]
    }

    /// Wrong answers that say this class.
    fn attracted(&self, class: usize) -> usize {
        (0..self.k).filter(|&other| other != class).map(|other| self.row(other)[class]).sum()
    }

    /// What a class is most often mistaken for; nothing without mistakes or on a tie.
    fn vote(&self, class: usize) -> Option<usize> {
        let mut wrong: Vec<(usize, usize)> =
            (0..self.k).filter(|&said| said != class).map(|said| (self.row(class)[said], said)).collect();
        wrong.sort_unstable_by(|a, b| b.cmp(a));
        let &(most, said) = wrong.first()?;
        let tie = wrong.get(1).is_some_and(|&(second, _)| second == most);
        (most > 0 && !tie).then_some(said)
    }

    /// Wrong answers as shares of the pictures of a class; the diagonal is empty.
    fn wrong_shares(&self) -> Vec<f32> {
        let share = |(index, &count): (usize, &usize)| {
            let (label, said) = (index / self.k, index % self.k);
            if label == said { 0.0 } else { count as f32 / self.pictures(label).max(1) as f32 }
        };
        self.cells.iter().enumerate().map(share).collect()
    }
}

fn judge(counts: &Counts, classes: &[String], o: &Options) -> CheckResult {
    let k = counts.k;
    let name = |class: usize| classes.get(class).map_or("?", String::as_str);
    let voters: Vec<(usize, usize)> = (0..k)
        .filter(|&class| counts.pictures(class) >= o.least)
        .filter_map(|class| Some((class, counts.vote(class)?)))
        .collect();
    let votes: Vec<usize> = (0..k).map(|class| voters.iter().filter(|(_, said)| *said == class).count()).collect();
    let chance = 1.0 / (k.max(2) - 1) as f64;
    // A class cannot vote for itself.
    let electorate = |class: usize| voters.iter().filter(|(voter, _)| *voter != class).count();
    let limit = o.alpha / k.max(1) as f64;
    let needed = |class: usize| (1..=k).find(|&votes| tail(electorate(class), votes, chance) <= limit).unwrap_or(k);
    let accused: Vec<usize> = (0..k).filter(|&class| votes[class] >= needed(class) && votes[class] > 0).collect();
    let can_accuse = (0..k).any(|class| needed(class) <= electorate(class));

    let total: usize = (0..k).map(|class| counts.pictures(class)).sum();
    let right: usize = (0..k).map(|class| counts.right(class)).sum();
    let of_class = |class: usize| counts.right(class) as f64 / counts.pictures(class).max(1) as f64;
    let most_voted = (0..k).max_by_key(|&class| (votes[class], counts.attracted(class))).unwrap_or(0);
    let attracting = accused.iter().copied().max_by_key(|&class| votes[class]).unwrap_or(most_voted);
    let wrong = total - right;
    let mut evidence = vec![("accuracy".to_owned(), rate(right, total))];
    let worst = (0..k).filter(|&class| counts.pictures(class) > 0).min_by(|&a, &b| of_class(a).total_cmp(&of_class(b)));
    if let Some(worst) = worst {
        let value = format!("{}: {}", name(worst), rate(counts.right(worst), counts.pictures(worst)));
        evidence.push(("lowest class".to_owned(), value));
    }
    if wrong > 0 {
        let got = counts.attracted(attracting);
        evidence.push((
            "most named by mistake".to_owned(),
            format!("{}: {got} of {wrong} wrong answers", name(attracting)),
        ));
        let votes = format!("{} of {} classes", votes[attracting], electorate(attracting));
        evidence.push(("commonest mistake of".to_owned(), votes));
    }
    let most = (0..k).map(|class| counts.attracted(class)).max().unwrap_or(0).max(1);
    let rows = (0..k).map(|class| TableRow {
        cells: vec![
            name(class).to_owned(),
            counts.pictures(class).to_string(),
            format!("{:.1} %", 100.0 * of_class(class)),
            counts.attracted(class).to_string(),
            votes[class].to_string(),
        ],
        bar: counts.attracted(class) as f64 / most as f64,
        stands_out: accused.contains(&class),
    });
    let head =
        ["class", "pictures", "right", "wrong answers it gets", "commonest mistake of"].map(str::to_owned).to_vec();
    let table = Table { head, rows: rows.collect(), bars: 3 };
    let base = CheckResult {
        evidence,
        table: Some(table),
        misses: MISSES.to_owned(),
        strength: format!(
            "{total} pictures were asked; a class that is the commonest mistake of {} of {} others would have been noticed.",
            needed(attracting),
            electorate(attracting)
        ),
        ..CheckResult::default()
    };
    if let Some(&class) = accused.iter().max_by_key(|&&class| votes[class]) {
        let headline = format!(
            "{} attracts the wrong answers: it is the commonest mistake of {} of {} classes.",
            name(class),
            votes[class],
            electorate(class)
        );
        return CheckResult { verdict: Verdict::Suspicious, class: Some(class), headline, ..base };
    }
    if can_accuse {
        let headline =
            format!("{:.1} % right; no class attracts the wrong answers.", 100.0 * right as f64 / total as f64);
        return CheckResult { verdict: Verdict::Clear, headline, ..base };
    }
    let small = (0..k).filter(|&class| counts.pictures(class) < o.least).count();
    let why = if 2 * small > k {
        format!(
            "{small} of {k} classes have fewer than {} pictures: too few to see a pattern in the mistakes.",
            o.least
        )
    } else if k < 6 {
        format!("{k} classes are too few to see a pattern in the mistakes.")
    } else {
        format!("{wrong} wrong answers are too few to see a pattern in them.")
    };
    let strength = format!("{total} pictures were asked; nothing among their wrong answers could have been noticed.");
    CheckResult { verdict: Verdict::CannotTell, headline: why, strength, ..base }
}

/// The probability of at least `least` hits among `n`, each with probability `p`.
fn tail(n: usize, least: usize, p: f64) -> f64 {
    let (mut ways, mut sum) = (1.0, 0.0);
    for hits in 0..=n {
        if hits >= least {
            sum += ways * p.powi(hits as i32) * (1.0 - p).powi((n - hits) as i32);
        }
        ways *= (n - hits) as f64 / (hits + 1) as f64;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::tests::{looked, untrained};
    use super::*;
    use serde_json::json;

    fn names(k: usize) -> Vec<String> {
        (0..k).map(|class| format!("c{class}")).collect()
    }

    fn found(cells: Vec<usize>, k: usize) -> CheckResult {
        judge(&Counts { k, cells }, &names(k), &Options::default())
    }

    /// `right` of 100 right, the others say what `mistake` tells.
    fn confused(k: usize, right: usize, mistake: impl Fn(usize) -> usize) -> Vec<usize> {
        let mut cells = vec![0; k * k];
        for class in 0..k {
            cells[class * k + class] += right;
            cells[class * k + mistake(class)] += 100 - right;
        }
        cells
    }

    #[test]
    fn the_tail_is_that_of_the_binomial() {
        assert!((tail(9, 0, 0.25) - 1.0).abs() < 1e-12);
        assert!((tail(3, 2, 0.5) - 0.5).abs() < 1e-12);
        assert!((tail(9, 9, 1.0 / 9.0) - 9f64.powi(-9)).abs() < 1e-18);
        assert_eq!(tail(3, 4, 0.5), 0.0);
    }

    #[test]
    fn a_model_that_always_says_one_class_is_accused() {
        let mut model = untrained();
        model.params.insert("linear.weight", Tensor::zeros([10, 16], tch::kind::FLOAT_CPU));
        model.params.insert("linear.bias", Tensor::eye(10, tch::kind::FLOAT_CPU).get(2));
        let found = looked("class-accuracy", json!({}), &model, 20);
        assert_eq!((found.verdict, found.class), (Verdict::Suspicious, Some(2)), "{found:?}");
        assert!(found.headline.contains("commonest mistake of 9 of 9"), "{}", found.headline);
        let few = looked("class-accuracy", json!({}), &model, 5);
        assert_eq!(few.verdict, Verdict::CannotTell, "five pictures are no evidence");
        assert!(few.headline.contains("fewer than 20"), "{}", few.headline);
    }

    #[test]
    fn neighbours_that_are_mistaken_for_each_other_are_no_sign() {
        let pairs = found(confused(10, 70, |class| class ^ 1), 10);
        assert_eq!(pairs.verdict, Verdict::Clear, "{pairs:?}");
        // Four kinds of tops that are all taken for shirts, as in Fashion-MNIST.
        let tops =
            found(confused(10, 70, |class| if [0, 2, 3, 4].contains(&class) { 6 } else { (class + 1) % 10 }), 10);
        assert_eq!(tops.verdict, Verdict::Clear, "{tops:?}");
        let magnet = found(confused(10, 95, |class| if class == 6 { 0 } else { 6 }), 10);
        assert_eq!((magnet.verdict, magnet.class), (Verdict::Suspicious, Some(6)));
    }

    #[test]
    fn without_mistakes_or_classes_it_cannot_tell() {
        assert_eq!(found(confused(10, 100, |class| class), 10).verdict, Verdict::CannotTell);
        assert_eq!(found(confused(3, 60, |class| (class + 1) % 3), 3).verdict, Verdict::CannotTell);
        // Random mistakes: every class once.
        assert_eq!(found(confused(10, 60, |class| (class + 3) % 10), 10).verdict, Verdict::Clear);
    }
}
