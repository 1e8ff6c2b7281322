//! One experiment from its data to its results: attack, training, checks, defenses, judgement, all into the run folder.

use super::attacker::{Attacker, Victim};
use super::evaluate::{Judge, Judged};
use super::glimpse::{self, Watched};
use super::library::Library;
use super::phases::{CONTROL, PREPARATION, Phases, phases};
use super::takeover::Training;
use super::{attention, audit, doors};
use crate::attacks::workshop::Workshop;
use crate::attacks::{Exhibit, Moment};
use crate::catalogue;
use crate::checks::{self, Inspected};
use crate::data::sources::statistics;
use crate::data::{Dataset, Poisoned, Rows, Split, Trigger, balanced_rows, pictures, values};
use crate::defenses::{self, DefenderData, Defense, Oracle, TrainingData};
use crate::experiment::{Experiment, Halt, Kind as MethodKind, LabelMap, Outcome, Problem, Result, Scores, check};
use crate::nets::training::ResumePoint;
use crate::nets::training::fit::{Fit, Plain, Round, fit_with};
use crate::nets::{InputSpec, Mode, Model, Network, zoo};
use crate::run::atomic;
use crate::run::event::JobEvent;
use crate::run::folder::{RunFolder, cache_folder};
use crate::run::job::{Job, Wish};
use crate::run::results::{ResultRow, Results, STOPPED_EARLY};
use serde::Serialize;
use serde_json::Value;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tch::{Device, Kind};

/// Test pictures that are judged after every epoch; the final row always takes all of them.
const GLANCE: usize = 2000;

/// What was trained on: enough to repeat and to judge.
#[derive(Debug, Serialize)]
struct DataRecord<'a> {
    card: &'a crate::data::Card,
    train_rows: usize,
    test_rows: usize,
    /// Rows of the training set that the defender owns.
    clean_rows: &'a [i64],
}

pub(super) fn weights_name(phase: &str) -> String {
    match phase {
        "attack" => "attacked".into(),
        other => other.into(),
    }
}

/// The work of one run.
pub(super) struct Work<'a> {
    pub experiment: &'a Experiment,
    pub folder: &'a RunFolder,
    pub device: Device,
    pub kind: Kind,
    pub results: Results,
    /// The same test pictures all along; nothing without an attack.
    pub watched: Option<Rc<Watched>>,
}

impl Work<'_> {
    pub fn all(&mut self, job: &mut Job, library: &Rc<RefCell<Library>>) -> Outcome<()> {
        let e = self.experiment;
        self.results = self.folder.results()?.unwrap_or_default();
        let data = library.borrow_mut().data(&e.data, e.seed)?;
        let card = data.train.card();
        let (train_rows, test_rows) = (data.train.len(), data.test.len());
        job.note(format!("{}: {train_rows} training and {test_rows} test pictures", card.name));
        let (height, width) = (card.height as i64, card.width as i64);
        let (mean, std) = statistics(&data.train);
        let input = InputSpec { height, width, mean, std, classes: card.classes.len() as i64 };
        let options = Value::Object(e.network.options.clone());
        let network: Rc<dyn Network> = Rc::from(zoo::build(&e.network.id, &options, input)?);

        for pick in &e.defense {
            defenses::check_pick(pick, &*network)?;
        }
        let phases = phases(e);
        let training = Training::new(e, phases.training, &card.hash);
        if self.results.rows.is_empty() && !self.folder.resume_folder().exists() {
            self.results = training.take_over(job, self.folder)?.unwrap_or_default();
        }
        if phases.preparation {
            job.phase(PREPARATION, 0, phases.count());
        }
        let victim = Victim { train: &data.train, network: Rc::clone(&network), device: self.device, kind: self.kind };
        let workshop = Workshop::new(cache_folder());
        let attacker = Attacker::prepare(job, e, victim, &workshop, Some(self.folder))?;
        let stamps = match &attacker {
            Some(attacker) => Some((attacker, attacker.trigger(Moment::Training)?, attacker.trigger(Moment::Test)?)),
            None => None,
        };
        if let Some((attacker, training, _)) = &stamps {
            self.show_trigger(job, &data, attacker, &**training)?;
        }
        if let Some((.., strike)) = &stamps {
            strike.fits(&data.test)?;
        }
        let per_class = (train_rows as f64 * e.defender.clean_ratio / card.classes.len() as f64) as usize;
        let clean_rows =
            balanced_rows(data.train.labels(), card.classes.len(), per_class.max(1), &mut job.rng("defender"));
        let record = DataRecord { card, train_rows, test_rows, clean_rows: &clean_rows };
        self.folder.write_json("data.json", &record)?;
        let judge = Judge { test: &data.test, attack: stamps.as_ref().map(|(.., test)| (&**test, &e.poison)) };

        self.watched = Watched::choose(&judge)?.map(Rc::new);

        let poisoned = stamps
            .as_ref()
            .and_then(|(attacker, training, _)| Some(Poisoned::new(&data.train, attacker.plan.as_ref()?, &**training)));
        let trained_on: &dyn Dataset = poisoned.as_ref().map_or(&data.train, |poisoned| poisoned);
        let model = self.train(job, &phases, network, trained_on, attacker.as_ref(), &judge)?;
        // An attack that owns the loop has learned meanwhile.
        if let Some((attacker, _, strike)) = stamps.as_ref().filter(|(attacker, ..)| attacker.plan.is_none()) {
            self.show_trigger(job, &data, attacker, &**strike)?;
            let mut ask = |pixels: &tch::Tensor| values(&model.predict(pixels, self.kind)?.argmax(1, false));
            show_exhibits(job, attacker.demonstrate(&data.train, &e.poison, &mut ask)?)?;
        }
        self.look(job, &phases, &model, &data)?;
        let clean = Rows::new(&data.train, clean_rows.clone());
        self.defend(job, &training, &model, trained_on, &clean, &judge)
    }

    fn train(
        &mut self,
        job: &mut Job,
        phases: &Phases,
        network: Rc<dyn Network>,
        data: &dyn Dataset,
        attacker: Option<&Attacker>,
        judge: &Judge,
    ) -> Outcome<Model> {
        let phase = phases.training;
        let path = self.folder.weights(&weights_name(phase));
        if path.exists() && self.results.rows.iter().any(|row| row.method.is_empty()) {
            job.note(format!("{phase}: already done"));
            // A module that came finished is not among the weights of the run.
            return if phases.finished {
                self.fresh(network)
            } else {
                Ok(Model::open(&path, 0)?.to_device(self.device))
            }
            .map_err(Halt::from);
        }
        job.phase(phase, usize::from(phases.preparation), phases.count());
        let mut model = self.fresh(network)?;
        job.note(format!("{} has {} weights", self.experiment.network.id, model.params.count()));
        let train = &self.experiment.train;
        let trains = |_: &str| true;
        let own_step = attacker.map_or(Ok(None), |attacker| attacker.step(self.experiment))?;
        // Attacks that own the loop were published with every batch.
        let drop_last = own_step.is_none();
        let mut step = own_step.unwrap_or_else(|| Box::new(Plain));
        let options =
            Fit { phase, train, kind: self.kind, mode: Mode::Train, trains: &trains, drop_last, round: Round::ONLY };
        let title = match (&self.experiment.attack, phases.finished) {
            (Some(_), _) => "no defense",
            (None, true) => "as delivered",
            (None, false) => "clean training",
        };
        let begin = job.elapsed_s();
        let mut watch = watcher(judge, self.watched.clone(), phase, self.kind, data.len());
        let outcome =
            if phases.finished { Ok(()) } else { fit_with(job, &mut model, data, &options, &mut *step, &mut watch) };
        // Before the weights: whoever finds these finds the trigger that they were trained with. Without a resume point
        // the training begins anew, and so must the trigger.
        if let Some(attacker) = attacker.filter(|_| ResumePoint::of(job, phase).exists()) {
            attacker.save(self.folder)?;
        }
        let heading = Heading { phase, title, variant: "", method: "", oracle: false, begin };
        self.conclude(job, &heading, outcome.map(|()| model.clone()), Some(model), judge)
    }

    /// The network as it is before any training, with room on disk for what it will learn.
    fn fresh(&self, network: Rc<dyn Network>) -> Result<Model> {
        let params = network.initial(self.experiment.seed)?.to_device(self.device);
        let values: usize = params.iter().map(|(_, tensor)| tensor.numel()).sum();
        // Weights, velocities and their successors while both are on disk.
        atomic::ensure_space(&self.folder.path, 16 * values as u64 + (1 << 20))?;
        let plugs = network.plugs().to_vec();
        Ok(Model { plugs, ..Model::new(network, params) }.to_device(self.device))
    }

    /// Lets every check look at the model before anything is done to it.
    fn look(&mut self, job: &mut Job, phases: &Phases, model: &Model, data: &Rc<Split>) -> Outcome<()> {
        if phases.checks.is_empty() {
            return Ok(());
        }
        let (pictures, part) = audit::pictures(data, phases.finished, self.experiment.data.test_rows, job);
        let data = Inspected { pictures: &pictures, kind: self.kind };
        self.results.subject = Some(audit::subject(self.experiment, model, data.pictures, part)?);
        for (index, (id, pick)) in phases.checks.iter().enumerate() {
            let found = match self.results.checks.iter().find(|found| found.check == *id) {
                Some(found) => found.clone(),
                None => {
                    job.phase(id, index + 1 + usize::from(phases.preparation), phases.count());
                    let found = checks::look(job, id, pick, model, &data)?;
                    self.results.checks.push(found.clone());
                    self.folder.set_results(&self.results)?;
                    found
                }
            };
            job.send(JobEvent::Checked(Box::new(found)));
        }
        Ok(())
    }

    /// Runs every defense: training defenses on what was `received`, repairs on the attacked model.
    fn defend(
        &mut self,
        job: &mut Job,
        training: &Training,
        attacked: &Model,
        received: &dyn Dataset,
        clean: &dyn Dataset,
        judge: &Judge,
    ) -> Outcome<()> {
        let phases = phases(self.experiment);
        for (index, (phase, pick)) in phases.applied(self.experiment)?.into_iter().enumerate() {
            let path = self.folder.weights(&phase);
            if path.exists()
                && self.results.rows.iter().any(|row| row.weights.as_ref() == self.relative(&path).as_ref())
            {
                job.note(format!("{phase}: already done"));
                continue;
            }
            let method = catalogue::find(&pick.id, MethodKind::is_defense)
                .ok_or_else(|| Problem::internal("A defense is missing in the catalogue."))?;
            let (title, variant) = (method.name, phases.apart(&pick));
            if let Some(row) = training.take_over_defense(job, self.folder, &phase, &pick)? {
                self.results.push(ResultRow { title: title.into(), variant, ..row });
                self.folder.set_results(&self.results)?;
                continue;
            }
            let defense = defenses::make(&pick.id, &Value::Object(pick.options))?;
            job.phase(&phase, index + phases.before_defenses(), phases.count());
            let begin = job.elapsed_s();
            let repairs = matches!(defense, Defense::Repair(_));
            let learns_from = if repairs { clean.len() } else { received.len() };
            let mut latest = None;
            let mut judge_epoch = watcher(judge, self.watched.clone(), &phase, self.kind, learns_from);
            let mut watch = |job: &mut Job, epoch: usize, model: &Model| {
                latest = Some(model.clone());
                judge_epoch(job, epoch, model)
            };
            let kind = self.kind;
            let oracle = matches!(&defense, Defense::Repair(repair) if repair.asks_oracle());
            let outcome = match defense {
                Defense::Repair(repair) => {
                    let answers = TestSet { judge, kind };
                    let data = DefenderData { clean, kind, oracle: oracle.then_some(&answers) };
                    repair.repair(job, &phase, attacked.deep_clone(), &data, &mut watch)
                }
                Defense::Training(training) => {
                    let fresh = self.fresh(Rc::clone(&attacked.network))?;
                    let data = TrainingData { received, clean, recipe: &self.experiment.train, kind };
                    training.train(job, &phase, fresh, &data, &mut watch)
                }
            };
            let heading = Heading { phase: &phase, title, variant: &variant, method: method.id, oracle, begin };
            let repaired = self.conclude(job, &heading, outcome, latest, judge)?;
            if repairs {
                attention::show(job, &phase, [attacked, &repaired], judge, kind)?;
            }
        }
        Ok(())
    }

    /// Judges and saves what a phase has made, also when it was stopped in between.
    fn conclude(
        &mut self,
        job: &mut Job,
        heading: &Heading,
        outcome: Outcome<Model>,
        latest: Option<Model>,
        judge: &Judge,
    ) -> Outcome<Model> {
        let phase = heading.phase;
        let kept = matches!(outcome, Err(Halt::Asked)) && job.signal().get() == Wish::Stop;
        let seconds = job.elapsed_s() - heading.begin;
        let model = match (outcome, latest) {
            (Ok(model), _) => model,
            // Stopped: what was reached is judged at a glance and kept; the resume point stays beside it.
            (Err(halt), Some(model)) if kept => {
                let scores = judge.glance(&model, self.kind, GLANCE, &mut || Ok(()))?.scores;
                let weights = self.folder.file(format!("weights/{}-stopped.safetensors", weights_name(phase)));
                self.save(job, &model, phase, &weights, &scores)?;
                self.add_row(heading, seconds, scores, &weights, STOPPED_EARLY)?;
                return Err(halt);
            }
            (Err(halt), _) => return Err(halt),
        };
        let judged = judge.judge(&model, self.kind, &mut || job.tick())?;
        self.keep_glimpse(job, phase, &model, &judged, judge)?;
        doors::show(job, phase, &model, &judged, judge, self.kind)?;
        let scores = judged.scores;
        let weights = self.folder.weights(&weights_name(phase));
        self.save(job, &model, phase, &weights, &scores)?;
        self.add_row(heading, seconds, scores, &weights, "")?;
        ResumePoint::of(job, phase).remove();
        for (index, plug) in model.plugs.iter().enumerate() {
            if let Some(matrix) = plug.params.find("conv.weight") {
                let matrix = matrix.detach().to_device(Device::Cpu).flatten(1, -1);
                let map = pictures::heat_map(&(&matrix - tch::Tensor::eye(matrix.size()[0], tch::kind::FLOAT_CPU)))?;
                let caption = format!("Polarizer at {}: matrix minus identity", plug.site);
                let key = if index == 0 { phase.to_owned() } else { format!("{phase}-{index}") };
                pictures::keep(job, &key, &caption, map)?;
            }
        }
        Ok(model)
    }

    /// The whole confusion and the watched pictures of a finished phase, for whoever opens the run later.
    fn keep_glimpse(&self, job: &mut Job, phase: &str, model: &Model, judged: &Judged, judge: &Judge) -> Outcome<()> {
        let classes = &judge.test.card().classes;
        let confusion = glimpse::confusion(judged, classes, phase, None);
        if let Some(confusion) = &confusion {
            glimpse::keep(self.folder, confusion.clone())?;
        }
        let mut pictures = Vec::new();
        if let Some(watched) = &self.watched {
            pictures = watched.look(judge, model, self.kind)?;
            let fooled = pictures.iter().filter(|picture| picture.fooled).count();
            let caption = format!("After {phase}: the trigger wins on {fooled} of {} watched pictures", pictures.len());
            job.save_image(&format!("watched-{phase}.png"), &caption, &glimpse::sheet(&pictures)?)?;
        }
        Ok(glimpse::tell(job, confusion, pictures)?)
    }

    fn save(&self, job: &mut Job, model: &Model, phase: &str, path: &Path, scores: &Scores) -> Result<()> {
        let facts = [
            ("polariscope.phase", phase.to_owned()),
            ("polariscope.experiment", check::hash8(self.experiment)),
            ("polariscope.backdoored", (phase == "attack").to_string()),
            ("polariscope.acc", format!("{:.4}", scores.acc)),
        ];
        model.save(path, &facts)?;
        if let Some(relative) = self.relative(path) {
            job.artifact(relative, &format!("weights after {phase}"));
        }
        Ok(())
    }

    fn add_row(&mut self, heading: &Heading, seconds: f64, scores: Scores, weights: &Path, note: &str) -> Result<()> {
        let weights = self.relative(weights);
        self.results.rows.retain(|row| row.weights != weights);
        self.results.push(ResultRow {
            title: heading.title.into(),
            variant: heading.variant.into(),
            method: heading.method.into(),
            scores,
            seconds,
            weights,
            oracle: heading.oracle,
            control: heading.phase == CONTROL,
            note: note.into(),
            ..ResultRow::default()
        });
        self.folder.set_results(&self.results)
    }

    fn relative(&self, path: &Path) -> Option<PathBuf> {
        path.strip_prefix(&self.folder.path).ok().map(PathBuf::from)
    }

    /// Clean, poisoned and residual pictures of the first poisoned rows, as the attacker made them, and what else the
    /// attacker has to show.
    fn show_trigger(&self, job: &mut Job, data: &Split, attacker: &Attacker, trigger: &dyn Trigger) -> Outcome<()> {
        let rows: Vec<i64> = match &attacker.plan {
            Some(plan) => plan.poisoned.iter().copied().take(8).collect(),
            None => (0..data.train.len().min(8) as i64).collect(),
        };
        let clean = data.train.pixels(&rows)?;
        let poisoned = trigger.apply(&clean, &rows)?;
        let (residual, k) = pictures::residual(&clean, &poisoned);
        let side = data.train.card().width as i64;
        let mut rows_of_sheet = vec![clean.shallow_clone(), poisoned, residual];
        let mut caption = format!("Clean, poisoned, and the difference times {k:.1} on grey");
        if let Some(disturbance) = trigger.cross() {
            rows_of_sheet.push(disturbance.apply(&clean, &rows)?);
            caption += "; last, a disturbance that must not work: these pictures keep their label";
        }
        let sheet = pictures::sheet(&rows_of_sheet, pictures::factor_for(side))?;
        pictures::keep(job, "trigger", &caption, sheet)?;
        show_exhibits(job, attacker.exhibits(&data.train)?)
    }
}

fn show_exhibits(job: &mut Job, exhibits: Vec<Exhibit>) -> Outcome<()> {
    for exhibit in exhibits {
        pictures::keep(job, exhibit.key, &exhibit.caption, exhibit.picture)?;
    }
    Ok(())
}

/// What the results say of a phase, and when it began.
struct Heading<'a> {
    phase: &'a str,
    title: &'a str,
    /// What tells it apart from others of its kind.
    variant: &'a str,
    /// Empty for the model before any defense.
    method: &'a str,
    /// Something was chosen by what no defender knows.
    oracle: bool,
    /// Working time of the run, in seconds.
    begin: f64,
}

/// What the judge knows, for a defense that asks for it.
struct TestSet<'a> {
    judge: &'a Judge<'a>,
    kind: Kind,
}

impl Oracle for TestSet<'_> {
    fn scores(&self, job: &mut Job, model: &Model) -> Outcome<(f64, Option<f64>)> {
        let scores = self.judge.glance(model, self.kind, GLANCE, &mut || job.tick())?.scores;
        Ok((scores.acc, scores.asr))
    }

    fn target(&self) -> Option<i64> {
        self.judge.attack.filter(|(_, poison)| poison.labels() != LabelMap::AllToAll).map(|(_, poison)| poison.target)
    }
}

/// Judges the model after each epoch and puts ACC, ASR and RA into the curves; of a model with a door also those without it.
fn watcher<'a>(
    judge: &'a Judge<'a>,
    watched: Option<Rc<Watched>>,
    phase: &'a str,
    kind: Kind,
    rows: usize,
) -> impl FnMut(&mut Job, usize, &Model) -> Outcome<()> + 'a {
    // Short epochs are judged on fewer pictures, so that judging never takes longer than learning.
    let most = (rows / 2).clamp(500, GLANCE);
    move |job, epoch, model| {
        let judged = judge.glance(model, kind, most, &mut || job.tick())?;
        let pictures = watched.as_ref().map_or(Ok(Vec::new()), |watched| watched.look(judge, model, kind))?;
        let confusion = glimpse::confusion(&judged, &judge.test.card().classes, phase, Some(epoch as f64));
        glimpse::tell(job, confusion, pictures)?;
        let scores = judged.scores;
        let mut values = vec![("acc", scores.acc)];
        values.extend(scores.asr.map(|asr| ("asr", asr)));
        values.extend(scores.ra.map(|ra| ("ra", ra)));
        values.extend(scores.cross.map(|cross| ("cross", cross)));
        values.extend(scores.rar.map(|rar| ("rar", rar)));
        if model.label_map().is_some() {
            let bare = judge.glance(&model.bare(), kind, most, &mut || job.tick())?.scores;
            values.push(("bare-acc", bare.acc));
            values.extend(bare.asr.map(|asr| ("bare-asr", asr)));
            values.extend(bare.ra.map(|ra| ("bare-ra", ra)));
        }
        job.metrics(phase, epoch as f64, &values)?;
        Ok(())
    }
}
