//! The poison planner: what an attack will do to its training set, told before anything is trained.

use super::attacker::{Attacker, refuse_grey, selection_of};
use super::library::{Library, attacker_of, victim_of};
use crate::attacks::loop_batch::whole_rows;
use crate::attacks::workshop::{Workshop, not_made_yet};
use crate::attacks::{Moment, Scene};
use crate::catalogue;
use crate::data::poison::map_label;
use crate::data::{Dataset, Plan, Split};
use crate::experiment::{Experiment, Kind, LabelMap, Method, Pick, Problem, Property, Result, check};
use crate::run::job::Job;
use crate::run::poison_plan::{PoisonPlan, label_map_words};
use std::path::Path;

/// Plans the poison of a spec. Only what keeps the planner itself from working is an error; what the run would be refused
/// for is part of the plan.
pub fn plan(spec: &str, library: &mut Library) -> Result<PoisonPlan> {
    let methods = catalogue::all();
    let experiment = check::resolve(&check::parse(spec, methods)?, methods);
    let data = library.data(&experiment.data, experiment.seed)?;
    let Some(pick) = &experiment.attack else {
        return Err(Problem::bad_input("Nothing is poisoned without an attack.").remedy("Choose an attack."));
    };
    let method = catalogue::find(&pick.id, |kind| kind == Kind::Attack)
        .ok_or_else(|| Problem::internal("An attack is missing in the catalogue."))?;
    Planner { experiment: &experiment, data: &data, method, pick }.plan()
}

struct Planner<'a> {
    experiment: &'a Experiment,
    data: &'a Split,
    method: &'static Method,
    pick: &'a Pick,
}

impl Planner<'_> {
    fn plan(&self) -> Result<PoisonPlan> {
        let (card, labels) = (self.data.train.card(), self.data.train.labels());
        let poison = &self.experiment.poison;
        let classes = card.classes.len();
        let mut plan = PoisonPlan {
            attack: self.method.name.to_owned(),
            classes: card.classes.clone(),
            total: count(labels.iter().copied(), classes),
            eligible: vec![0; classes],
            label_of: vec![None; classes],
            label_map: Some(poison.labels()),
            ..PoisonPlan::default()
        };
        let selection = selection_of(self.experiment)?;
        let pool = selection.pool(poison);
        let given = self.attacker().and_then(|attacker| attacker.given_plan(&self.data.train, poison));
        let eligible = match &given {
            Ok(Some(plan)) => Ok(plan.poisoned.clone()),
            Ok(None) => Plan::eligible(&pool, labels, classes as i64),
            Err(problem) => Err(problem.clone()),
        };
        match eligible {
            Ok(rows) => {
                plan.eligible = count(rows.iter().map(|&row| labels[row as usize]), classes);
                for (class, label) in plan.label_of.iter_mut().enumerate() {
                    let wanted = map_label(poison.labels(), class as i64, poison.target, classes as i64);
                    *label = (plan.eligible[class] > 0).then_some(wanted as usize);
                }
                if matches!(given, Ok(Some(_))) {
                    plan.budget = rows.len();
                    plan.ratio = rows.len() as f64 / labels.len() as f64;
                    plan.poisoned = Some(plan.eligible.clone());
                } else {
                    self.draw(&mut plan, &pool, &rows);
                }
            }
            Err(problem) => plan.problems.push(problem),
        }
        plan.problems.extend(refuse_grey(self.method, card).err());
        let trigger = self.trigger().err().filter(|problem| *problem != not_made_yet());
        plan.problems.extend(trigger.filter(|problem| !plan.problems.contains(problem)));
        self.tell_needs(&mut plan);
        Ok(plan)
    }

    /// How many are poisoned, and which classes they come from.
    fn draw(&self, plan: &mut PoisonPlan, pool: &crate::experiment::Poison, eligible: &[i64]) {
        let labels = self.data.train.labels();
        match Plan::budget(pool, labels, eligible) {
            Ok(_) if self.method.has(Property::OwnsLoop) => {
                plan.ratio = in_batches(pool.ratio, self.experiment.train.batch);
                plan.budget = (plan.ratio * labels.len() as f64).round() as usize;
            }
            Ok(budget) => {
                plan.budget = budget;
                plan.ratio = budget as f64 / labels.len() as f64;
                // What is learned is known only where it has been learned before.
                let rows = self.rows(eligible, budget).ok().flatten();
                plan.poisoned =
                    rows.map(|rows| count(rows.iter().map(|&row| labels[row as usize]), plan.classes.len()));
            }
            Err(problem) => plan.problems.push(problem),
        }
    }

    fn rows(&self, eligible: &[i64], budget: usize) -> Result<Option<Vec<i64>>> {
        let selection = selection_of(self.experiment)?;
        if selection.score().is_some() {
            return Ok(attacker_of(self.experiment, self.data)?.and_then(|attacker| attacker.plan).map(|p| p.poisoned));
        }
        let victim = victim_of(self.experiment, self.data)?;
        let scene = Scene {
            train: victim.train,
            rows: eligible,
            network: victim.network,
            recipe: &self.experiment.train,
            poison: &self.experiment.poison,
            device: victim.device,
            kind: victim.kind,
            workshop: &Workshop::default().only_look(),
        };
        let mut job = Job::detached(Path::new(""), self.experiment.seed);
        Ok(Some(selection.select(&mut job, &scene, budget, None).map_err(Problem::from)?.rows))
    }

    fn attacker(&self) -> Result<Attacker> {
        let card = self.data.train.card();
        Attacker::plain(self.pick, card.height as i64, card.width as i64)
    }

    fn trigger(&self) -> Result<()> {
        let attacker = self.attacker()?;
        attacker.trigger(Moment::Training)?;
        attacker.trigger(Moment::Test).map(drop)
    }

    fn tell_needs(&self, plan: &mut PoisonPlan) {
        let poison = &self.experiment.poison;
        match self.attacker().and_then(|attacker| attacker.composition(self.experiment)) {
            Ok(composition) => plan.needs.extend(composition),
            Err(problem) if plan.problems.contains(&problem) => {}
            Err(problem) => plan.problems.push(problem),
        }
        if self.method.has(Property::Surrogate) {
            plan.needs.push("A surrogate network is trained first, to make the trigger.".to_owned());
        } else if self.trigger().err() == Some(not_made_yet()) {
            plan.needs.push("The trigger is made when the run begins.".to_owned());
        }
        let selection = self
            .experiment
            .selection
            .as_ref()
            .and_then(|pick| catalogue::find(&pick.id, |kind| kind == Kind::Selection))
            .filter(|selection| selection.has(Property::Surrogate));
        if let Some(selection) = selection {
            plan.needs.push(if plan.poisoned.is_some() {
                format!("{} has chosen the pictures in an earlier run.", selection.name)
            } else {
                format!("{} trains a surrogate network first, to choose the pictures.", selection.name)
            });
        }
        match (poison.labels(), plan.relabelled()) {
            (LabelMap::CleanLabel, _) => plan.needs.push("All labels stay true.".to_owned()),
            (map, Some(changed)) if changed < plan.budget => plan.needs.push(format!(
                "{changed} labels change ({}); the other stamped pictures belong to the target class already.",
                label_map_words(map)
            )),
            _ => {}
        }
    }
}

/// The share of pictures that is poisoned by an attack which stamps the whole part of its share of every batch, or one
/// picture that often if that is less than one.
fn in_batches(ratio: f64, batch: usize) -> f64 {
    match whole_rows(ratio, batch) {
        0 => ratio,
        rows => rows as f64 / batch as f64,
    }
}

fn count(labels: impl Iterator<Item = i64>, classes: usize) -> Vec<usize> {
    let mut counts = vec![0; classes];
    labels.for_each(|label| counts[label as usize] += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(more: &str) -> PoisonPlan {
        let spec = format!(
            "[data]\nsource = 'fashion-mini'\ntrain_rows = 1000\ntest_rows = 100\n[network]\nid = 'small-resnet'\n{more}"
        );
        plan(&spec, &mut Library::default()).unwrap()
    }

    #[test]
    fn counts_labels_and_budget_are_told() {
        let plan = plan_of("[attack]\nid = 'badnets'\n[poison]\nratio = 0.05\ntarget = 2");
        assert_eq!((plan.total, plan.eligible.clone()), (vec![100; 10], vec![100; 10]));
        assert_eq!((plan.budget, plan.ratio), (50, 0.05));
        let poisoned = plan.poisoned.unwrap();
        assert_eq!(poisoned.iter().sum::<usize>(), 50);
        assert!(poisoned[2] > 0, "the published attack stamps the target class too");
        assert_eq!(plan.label_of, [Some(2); 10]);
        assert!(plan.needs[0].starts_with(&format!("{} labels change", 50 - poisoned[2])), "{:?}", plan.needs);
        assert!(plan.problems.is_empty());
    }

    #[test]
    fn clean_labels_come_from_one_class_and_stay() {
        let plan = plan_of("[attack]\nid = 'sig'\n[poison]\nratio = 0.08\ntarget = 3");
        assert_eq!(plan.label_map, Some(LabelMap::CleanLabel), "as it was published");
        assert_eq!(plan.matrix()[33], 80);
        assert_eq!(plan.matrix().iter().sum::<usize>(), 80);
        assert_eq!(plan.needs, ["All labels stay true."]);
    }

    #[test]
    fn what_is_learned_later_is_left_open() {
        let plan = plan_of(
            "[attack]\nid = 'blended'\n[poison]\nratio = 0.05\n[selection]\nid = 'lps'\noptions = {rounds = 99}",
        );
        assert_eq!((plan.budget, plan.poisoned.clone()), (50, None));
        assert_eq!(plan.eligible[0], 0, "a selection that looks leaves the target class alone");
        assert!(plan.needs.iter().any(|need| need.contains("surrogate")), "{:?}", plan.needs);
    }

    #[test]
    fn everything_that_would_be_refused_is_told_at_once() {
        let places = |more: &str| -> Vec<String> {
            plan_of(more).problems.into_iter().map(|problem| problem.place.unwrap_or_default()).collect()
        };
        assert_eq!(places("[attack]\nid = 'sig'\n[poison]\nratio = 0.2"), ["poison.ratio"]);
        assert_eq!(
            places("[attack]\nid = 'badnets'\noptions = {size = 32, right = 31}\n[poison]\nratio = 0.0001"),
            ["poison.ratio", "attack.options.size"]
        );
        assert_eq!(places("[attack]\nid = 'badnets'\n[poison]\ntarget = 11"), ["poison.target"]);
    }

    #[test]
    fn an_attack_that_owns_its_loop_is_told_by_the_batch() {
        let plan = plan_of("[attack]\nid = 'wanet'\n[poison]\nratio = 0.1");
        assert_eq!((plan.ratio, plan.budget), (12.0 / 128.0, 94));
        assert!(plan.poisoned.is_none(), "every epoch stamps others");
        assert!(plan.needs[0].starts_with("Effective ratio: 12 of the 128"), "{:?}", plan.needs);
        assert!(plan.problems.is_empty(), "{:?}", plan.problems);
    }

    #[test]
    fn batches_hold_whole_pictures() {
        assert_eq!(in_batches(0.1, 128), 12.0 / 128.0);
        assert_eq!(in_batches(0.01, 128), 1.0 / 128.0);
        assert_eq!(in_batches(0.005, 128), 0.005);
        assert_eq!(in_batches(0.29, 100), 0.29);
    }
}
