//! The attacker's side of an experiment: how the trigger is made, which pictures get it, and who owns the loop.

use crate::attacks::selection::{self, Chosen, Selection};
use crate::attacks::workshop::Workshop;
use crate::attacks::{self, Ask, Attack, Exhibit, Moment, Scene, loop_batch};
use crate::data::{Card, Dataset, Plan, Trigger};
use crate::experiment::{
    Code, Experiment, Halt, Kind as MethodKind, LabelMap, Method, Outcome, Pick, Poison, Problem, Property, Result,
};
use crate::nets::formats::safetensors;
use crate::nets::training::{ResumePoint, Step};
use crate::nets::{Network, Params};
use crate::run::folder::RunFolder;
use crate::run::job::Job;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::rc::Rc;
use tch::{Device, Kind};

/// An attack with everything that its trigger needs.
pub struct Attacker {
    attack: Attack,
    crafted: Params,
    size: [i64; 2],
    /// What a selection that looks has chosen, and what its scores count.
    chosen: Option<(Chosen, &'static str)>,
    /// Which training pictures are poisoned; nothing for attacks that own the loop.
    pub plan: Option<Plan>,
}

/// What the attacker finds.
pub struct Victim<'a> {
    pub train: &'a dyn Dataset,
    pub network: Rc<dyn Network>,
    pub device: Device,
    pub kind: Kind,
}

impl Attacker {
    /// The attack of `experiment` without anything crafted: enough for triggers that need nothing.
    pub fn plain(pick: &Pick, height: i64, width: i64) -> Result<Self> {
        let attack = attacks::make(&pick.id, &Value::Object(pick.options.clone()))?;
        Ok(Self { attack, crafted: Params::new(), size: [height, width], chosen: None, plan: None })
    }

    /// The attack of a run, with what was crafted there.
    pub fn of_run(folder: &RunFolder, pick: &Pick, height: i64, width: i64) -> Result<Self> {
        let mut attacker = Self::plain(pick, height, width)?;
        if folder.trigger().is_file() {
            attacker.crafted = safetensors::read(&folder.trigger())?.0;
        }
        Ok(attacker)
    }

    /// Makes the trigger and chooses what to poison. With `folder` both are kept there and found again.
    pub fn prepare(
        job: &mut Job,
        experiment: &Experiment,
        victim: Victim,
        workshop: &Workshop,
        folder: Option<&RunFolder>,
    ) -> Outcome<Option<Self>> {
        let Some(pick) = &experiment.attack else { return Ok(None) };
        let card = victim.train.card();
        let method = crate::catalogue::find(&pick.id, |kind| kind == MethodKind::Attack);
        if let Some(method) = method {
            refuse_grey(method, card)?;
        }
        let (height, width) = (card.height as i64, card.width as i64);
        let mut attacker = match folder {
            Some(folder) => Self::of_run(folder, pick, height, width)?,
            None => Self::plain(pick, height, width)?,
        };
        let classes = card.classes.len() as i64;
        let labels = victim.train.labels();
        let poison = &experiment.poison;
        let owns_loop = matches!(attacker.attack, Attack::Loop(_));
        if let Some(composition) = attacker.composition(experiment)? {
            job.note(composition);
        }

        let selection = selection_of(experiment)?;
        let given = attacker.given_plan(victim.train, poison)?;
        let (eligible, budget) = match &given {
            Some(plan) => (plan.poisoned.clone(), plan.poisoned.len()),
            None => {
                let pool = selection.pool(poison);
                let eligible = Plan::eligible(&pool, labels, classes)?;
                let budget = Plan::budget(&pool, labels, &eligible)?;
                (eligible, budget)
            }
        };
        let mut scene = Scene {
            train: victim.train,
            rows: &eligible,
            network: victim.network,
            recipe: &experiment.train,
            poison,
            device: victim.device,
            kind: victim.kind,
            workshop,
        };
        let known = given.or_else(|| folder.and_then(known_plan));
        let mut plan = match known {
            Some(plan) if !owns_loop => Some(plan),
            _ if owns_loop || selection.score().is_some() => None,
            _ => Some(Plan::of(selection.select(job, &scene, budget, None)?.rows, poison, classes)),
        };
        if let Some(plan) = &plan {
            scene.rows = &plan.poisoned;
        }
        if attacker.crafted.is_empty() {
            attacker.crafted = match attacker.attack.stamp().craft(job, &scene) {
                // Somebody only looks: the plan can be told without it, and whoever needs the trigger hears why not.
                Err(Halt::Problem(problem)) if problem.code == Code::NotMadeYet => Params::new(),
                made => made?,
            };
            if let Some(folder) = folder
                && !attacker.crafted.is_empty()
            {
                safetensors::write(&folder.trigger(), &attacker.crafted, &BTreeMap::new())?;
            }
        }
        if owns_loop {
            // It learns beside the network that is attacked.
            attacker.crafted = attacker.crafted.to_device(victim.device);
        }
        if plan.is_none() && !owns_loop {
            let key = selection_key(experiment, &scene, &attacker.crafted)?;
            let select = |job: &mut Job| {
                let trigger = attacker.trigger(Moment::Training)?;
                Ok(selection.select(job, &scene, budget, Some(&*trigger))?.to_params())
            };
            let chosen = match workshop.piece(job, "selection", &key, select) {
                Ok(chosen) => Some(Chosen::from_params(&chosen)?),
                // Whoever only looks sees the trigger all the same.
                Err(_) if workshop.only_looks() => None,
                Err(halt) => return Err(halt),
            };
            plan = chosen.as_ref().map(|chosen| Plan::of(chosen.rows.clone(), poison, classes));
            attacker.chosen = chosen.zip(selection.score());
        }
        if let (Some(folder), Some(plan)) = (folder, &plan) {
            folder.write_json(RunFolder::PLAN, plan)?;
            ResumePoint::of(job, selection::PHASE).remove();
        }
        if let Some(plan) = &plan
            && plan.label_map == LabelMap::CleanLabel
            && labels.iter().filter(|&&label| label == plan.target).count() == plan.poisoned.len()
        {
            job.warn(
                Problem::bad_input("Every picture of the target class carries the trigger.")
                    .because("the network will hardly know the class without it, so clean accuracy falls")
                    .remedy("Lower poison.ratio to leave some of them clean."),
            );
        }
        attacker.plan = plan;
        Ok(Some(attacker))
    }

    /// What becomes of each batch, in words, if the attack owns the loop.
    pub fn composition(&self, experiment: &Experiment) -> Result<Option<String>> {
        let Attack::Loop(attack) = &self.attack else { return Ok(None) };
        let batch = experiment.train.batch;
        let cross = |poisoned| attack.cross_rows(poisoned, batch);
        loop_batch::composition(&experiment.poison, batch, cross).map(Some)
    }

    /// The plan that the attack comes with.
    pub fn given_plan(&self, train: &dyn Dataset, poison: &Poison) -> Result<Option<Plan>> {
        self.attack.stamp().plan(train, poison)
    }

    pub fn trigger(&self, moment: Moment) -> Result<Box<dyn Trigger>> {
        self.attack.stamp().trigger(&self.crafted, self.size[0], self.size[1], moment)
    }

    /// The attack's own way through the training loop, if it owns it.
    pub fn step(&self, experiment: &Experiment) -> Result<Option<Box<dyn Step>>> {
        match &self.attack {
            Attack::Data(_) => Ok(None),
            Attack::Loop(attack) => attack.step(&self.crafted, &experiment.poison, &experiment.train).map(Some),
        }
    }

    /// Pictures of what was crafted and of what was selected.
    pub fn exhibits(&self, train: &dyn Dataset) -> Result<Vec<Exhibit>> {
        let mut exhibits = self.attack.stamp().exhibits(&self.crafted, train)?;
        if let Some((chosen, score)) = &self.chosen {
            exhibits.extend(chosen.exhibits(train, &*self.trigger(Moment::Training)?, score)?);
        }
        Ok(exhibits)
    }

    /// Pictures that only the trained network can explain.
    pub fn demonstrate(&self, train: &dyn Dataset, poison: &Poison, ask: &mut Ask) -> Result<Vec<Exhibit>> {
        match &self.attack {
            Attack::Data(_) => Ok(Vec::new()),
            Attack::Loop(attack) => attack.demonstrate(&self.crafted, train, poison, ask),
        }
    }

    /// Writes again what was crafted, after a loop attack has trained it.
    pub fn save(&self, folder: &RunFolder) -> Result<()> {
        if self.crafted.is_empty() {
            return Ok(());
        }
        safetensors::write(&folder.trigger(), &self.crafted, &BTreeMap::new())
    }
}

/// The plan of a run, if it got that far.
pub fn known_plan(folder: &RunFolder) -> Option<Plan> {
    folder.read_json(RunFolder::PLAN).ok()
}

/// All that a learned selection depends on.
fn selection_key(experiment: &Experiment, scene: &Scene, crafted: &Params) -> Result<Value> {
    let recipe = scene.recipe;
    Ok(json!({
        "data": scene.train.card().hash,
        "attack": experiment.attack,
        "crafted": crafted.hash()?,
        "poison": scene.poison,
        "selection": experiment.selection,
        "surrogate": scene.network.architecture(),
        "recipe": [json!(recipe.crop), json!(recipe.flip), json!(recipe.momentum), json!(recipe.weight_decay)],
        "seed": experiment.seed,
        "arithmetic": format!("{:?} {:?}", scene.device, scene.kind),
    }))
}

/// A trigger of colours has nothing to change in grey pictures.
pub fn refuse_grey(method: &Method, card: &Card) -> Result<()> {
    if !method.has(Property::NeedsColour) || card.channels > 1 {
        return Ok(());
    }
    Err(Problem::bad_input(format!("{} needs colour pictures, and these are grey.", method.name))
        .at("attack.id")
        .because(format!("{} has one channel", card.name))
        .remedy("Choose an attack that changes brightness, or a data set in colour."))
}

pub fn selection_of(experiment: &Experiment) -> Result<Box<dyn Selection>> {
    match &experiment.selection {
        Some(pick) => selection::make(&pick.id, &Value::Object(pick.options.clone())),
        None => selection::make("random", &json!({})),
    }
}
