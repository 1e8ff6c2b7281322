//! Single pictures on show: what the models of the demo, of a run or of an audit say of them, with a sticker that lies where
//! somebody put it; pictures that people bring; and where a model looks.

use super::audit::{self, Chosen};
use super::library::{Library, trigger_of};
use super::phases::finished;
use crate::analysis::occlusion::occlusion;
use crate::checks::patch::Patch;
use crate::data::augment::to_u8;
use crate::data::sources::photo;
use crate::data::{Dataset, Trigger, rgba_from_pixels};
use crate::experiment::{Experiment, Poison, Problem, Result};
use crate::nets::Model;
use crate::run::TriggerForm;
use crate::run::event::{Heat, HeatWish, Photo, Prediction, Scene, Subject};
use crate::run::folder::RunFolder;
use crate::run::job::Job;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;
use tch::{Kind, Tensor};

/// Pictures that go through a model together when a question is answered.
const PICTURES_AT_ONCE: usize = 64;

/// A trigger that is a patch, with its left upper corner at this column and row.
fn placed(trigger: &dyn Trigger, place: [usize; 2]) -> Result<Sticker> {
    let moved = trigger.form().and_then(|form| form.moved_to(place));
    let Some(form @ TriggerForm::Mix { .. }) = moved else {
        return Err(Problem::bad_input("This trigger is no patch, so it cannot be moved."));
    };
    Ok(Sticker(form))
}

/// A patch as plain data.
struct Sticker(TriggerForm);

impl Trigger for Sticker {
    fn apply(&self, pixels: &Tensor, _: &[i64]) -> Result<Tensor> {
        let TriggerForm::Mix { width, height, picture, mask } = &self.0 else { return Ok(pixels.shallow_clone()) };
        let (height, width) = (*height as i64, *width as i64);
        let picture = Tensor::from_slice(picture).view([3, height, width]);
        let mask = Tensor::from_slice(mask).view([1, height, width]);
        Ok(to_u8(&(pixels.to_kind(Kind::Float) * (1.0 - &mask) + picture * mask)))
    }

    fn form(&self) -> Option<TriggerForm> {
        Some(self.0.clone())
    }
}

/// A scene as it is now: a run that goes on gets more models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub scene: Scene,
    /// When its results were written.
    written: Option<SystemTime>,
}

impl Version {
    pub fn of(scene: &Scene) -> Self {
        let results = scene.run().map(|run| run.join("results.json"));
        let written = results.and_then(|file| std::fs::metadata(file).and_then(|file| file.modified()).ok());
        Self { scene: scene.clone(), written }
    }
}

/// Pictures, what is put on them, and the models that are asked.
pub struct Stage {
    /// Name of the experiment.
    pub name: String,
    pub pictures: Box<dyn Dataset>,
    /// Nothing where an audit has found no patch; stamped pictures are the clean ones then.
    pub trigger: Option<Box<dyn Trigger>>,
    /// Which class stamped pictures are to be taken for, where that is known.
    pub goal: Option<Poison>,
    /// In the order of the result table, with their titles.
    pub models: Vec<(String, Model)>,
}

impl Stage {
    /// Sets the stage for a question. The latest one is kept: its models may be large, and a patch that is dragged asks
    /// many times in a row.
    pub fn open(scene: &Scene, library: &Rc<RefCell<Library>>) -> Result<Rc<Self>> {
        let version = Version::of(scene);
        if let Some((known, stage)) = &library.borrow().stage
            && *known == version
        {
            return Ok(Rc::clone(stage));
        }
        // The models of two scenes at once could be too much.
        library.borrow_mut().stage = None;
        let stage = Rc::new(match scene {
            Scene::Demo => {
                let (experiment, models) = super::demo::load()?;
                Self::attacked(Path::new(""), &experiment, models, library)?
            }
            Scene::Run(folder) => {
                let (experiment, models) = models_of(folder)?;
                Self::attacked(folder, &experiment, models, library)?
            }
            Scene::Audit { run, patch } => Self::audited(run, patch.as_deref(), library)?,
        });
        library.borrow_mut().stage = Some((version, Rc::clone(&stage)));
        Ok(stage)
    }

    fn attacked(
        folder: &Path,
        experiment: &Experiment,
        models: Vec<(String, Model)>,
        library: &Rc<RefCell<Library>>,
    ) -> Result<Self> {
        let data = library.borrow_mut().data(&experiment.data, experiment.seed)?;
        let pick = experiment
            .attack
            .as_ref()
            .ok_or_else(|| Problem::bad_input("This run has no attack, so there is nothing to stamp on pictures."))?;
        let card = data.test.card();
        let trigger = trigger_of(folder, pick, card.height as i64, card.width as i64)?;
        Ok(Self {
            name: experiment.name.clone(),
            pictures: Box::new(Chosen::test_part(&data)),
            trigger: Some(trigger),
            goal: Some(experiment.poison.clone()),
            models,
        })
    }

    fn audited(run: &Path, patch: Option<&Path>, library: &Rc<RefCell<Library>>) -> Result<Self> {
        let folder = RunFolder::open(run)?;
        let experiment = folder.experiment()?;
        let data = library.borrow_mut().data(&experiment.data, experiment.seed)?;
        let finished = finished(&experiment);
        let job = Job::detached(run, experiment.seed);
        let (pictures, _) = audit::pictures(&data, finished, experiment.data.test_rows, &job);
        let trigger = match patch {
            Some(path) => Some(Box::new(Patch::open(path)?) as Box<dyn Trigger>),
            None => None,
        };
        let checks = folder.results()?.unwrap_or_default().checks;
        let mut found = checks.iter().filter_map(|found| found.patch.as_ref());
        let goal = found
            .find(|found| patch.is_some_and(|patch| patch == folder.file(&found.file)))
            .map(|found| Poison { target: found.class as i64, ..Poison::default() });
        let model = audit::model(&folder, &experiment, &data)?;
        Ok(Self { name: experiment.name, pictures: Box::new(pictures), trigger, goal, models: vec![model] })
    }

    /// The trigger at this place; its own without one.
    fn at(&self, place: Option<[usize; 2]>) -> Result<Placed<'_>> {
        match (&self.trigger, place) {
            (Some(trigger), Some(place)) => placed(&**trigger, place).map(Placed::Moved),
            (Some(trigger), None) => Ok(Placed::AsItIs(&**trigger)),
            (None, _) => Ok(Placed::None),
        }
    }

    /// The picture, u8 `[1, 3, H, W]`, and what was done to it.
    fn picture(&self, subject: &Subject) -> Result<(Tensor, String)> {
        match subject {
            Subject::Test(row) if *row < self.pictures.len() => {
                Ok((self.pictures.pixels(&[*row as i64])?, String::new()))
            }
            Subject::Test(_) => Err(Problem::bad_input("There is no such picture.")),
            Subject::Photo(path) => {
                let card = self.pictures.card();
                let photo = photo::read(path, card.height, card.width, card.channels == 1)?;
                let remark = remark(&photo, card.width, card.height);
                let shape = [1, 3, card.height as i64, card.width as i64];
                Ok((Tensor::from_slice(&photo.pixels).view(shape), remark))
            }
        }
    }
}

/// A trigger where it is wanted.
enum Placed<'a> {
    None,
    AsItIs(&'a dyn Trigger),
    Moved(Sticker),
}

impl Placed<'_> {
    fn apply(&self, pixels: &Tensor, rows: &[i64]) -> Result<Tensor> {
        match self {
            Placed::None => Ok(pixels.shallow_clone()),
            Placed::AsItIs(trigger) => trigger.apply(pixels, rows),
            Placed::Moved(sticker) => sticker.apply(pixels, rows),
        }
    }

    fn patch(&self) -> Option<crate::run::Patch> {
        let form = match self {
            Placed::None => None,
            Placed::AsItIs(trigger) => trigger.form(),
            Placed::Moved(sticker) => sticker.form(),
        };
        form.and_then(|form| form.patch())
    }
}

/// What the models of a scene say of these of its pictures.
pub fn predict(
    scene: &Scene,
    rows: &[usize],
    place: Option<[usize; 2]>,
    library: &Rc<RefCell<Library>>,
) -> Result<Vec<Prediction>> {
    let stage = Stage::open(scene, library)?;
    let trigger = stage.at(place)?;
    let patch = trigger.patch();
    let card = stage.pictures.card();
    let labels = stage.pictures.labels();
    let rows: Vec<i64> = rows.iter().filter(|&&row| row < labels.len()).map(|&row| row as i64).collect();
    let mut predictions = Vec::with_capacity(rows.len());
    for rows in rows.chunks(PICTURES_AT_ONCE) {
        let clean = stage.pictures.pixels(rows)?;
        let poisoned = trigger.apply(&clean, rows)?;
        let mut answers = Vec::with_capacity(stage.models.len());
        for (title, model) in &stage.models {
            let said = probabilities(model, &clean)?;
            let stamped = if let Placed::None = trigger { said.clone() } else { probabilities(model, &poisoned)? };
            answers.push((title, said, stamped));
        }
        for (at, &row) in rows.iter().enumerate() {
            let of_row = |(title, clean, poisoned): &(&String, Vec<Vec<f32>>, Vec<Vec<f32>>)| {
                ((*title).clone(), clean[at].clone(), poisoned[at].clone())
            };
            predictions.push(Prediction {
                row: row as usize,
                label: labels[row as usize] as usize,
                classes: card.classes.clone(),
                clean: Arc::new(rgba_from_pixels(&clean.get(at as i64))?),
                poisoned: Arc::new(rgba_from_pixels(&poisoned.get(at as i64))?),
                patch,
                models: answers.iter().map(of_row).collect(),
            });
        }
    }
    Ok(predictions)
}

/// Class probabilities of each picture.
fn probabilities(model: &Model, pixels: &Tensor) -> Result<Vec<Vec<f32>>> {
    let p = model.predict(pixels, Kind::Float)?.softmax(1, Kind::Float);
    Vec::<Vec<f32>>::try_from(p).map_err(|e| Problem::internal("Cannot read predictions back.").because(e))
}

/// The models in the result table of a run, with their titles.
fn models_of(path: &Path) -> Result<(Experiment, Vec<(String, Model)>)> {
    let folder = RunFolder::open(path)?;
    let mut models = Vec::new();
    for row in folder.results()?.unwrap_or_default().rows {
        let name = row.name();
        if let Some(weights) = row.weights {
            let model = Model::open(&folder.file(weights), 0)?;
            // Two doors: with its stamp and label map, and without.
            if model.label_map().is_some() {
                models.push((format!("{name}, bare network"), model.bare()));
            }
            models.push((name, model));
        }
    }
    Ok((folder.experiment()?, models))
}

/// "Cut to its middle, made grey, turned into its negative (bright on dark) and 28 × 28 pixels small, as ..."
fn remark(photo: &photo::Photo, width: usize, height: usize) -> String {
    let mut done = Vec::new();
    for (was_done, words) in [
        (photo.cut, "cut to its middle"),
        (photo.greyed, "made grey"),
        (photo.negative, "turned into its negative, bright on dark"),
    ] {
        done.extend(was_done.then(|| words.to_owned()));
    }
    done.push(format!("brought to {width} × {height} pixels"));
    format!("Your picture, {}: as the pictures that these models know.", done.join(", "))
}

/// What the models of a scene say of a picture file.
pub fn photo(scene: &Scene, path: &Path, place: Option<[usize; 2]>, library: &Rc<RefCell<Library>>) -> Result<Photo> {
    let stage = Stage::open(scene, library)?;
    let (clean, remark) = stage.picture(&Subject::Photo(path.to_owned()))?;
    let stamped = stage.at(place)?.apply(&clean, &[0])?;
    let said = |(title, model): &(String, Model)| {
        let one = |pixels| Ok::<_, Problem>(probabilities(model, pixels)?.pop().unwrap_or_default());
        Ok((title.clone(), one(&clean)?, one(&stamped)?))
    };
    let models = stage.models.iter().map(said).collect::<Result<_>>()?;
    let picture = |pixels: &Tensor| Ok::<_, Problem>(Arc::new(rgba_from_pixels(&pixels.get(0))?));
    Ok(Photo { remark, clean: picture(&clean)?, stamped: picture(&stamped)?, models })
}

/// Where one of the models of a scene looks.
pub fn heat(wish: &HeatWish, library: &Rc<RefCell<Library>>) -> Result<Heat> {
    let stage = Stage::open(&wish.scene, library)?;
    let (_, model) = stage.models.get(wish.model).ok_or_else(|| Problem::bad_input("There is no such model."))?;
    let (mut pixels, _) = stage.picture(&wish.subject)?;
    if let Some(place) = wish.sticker {
        pixels = stage.at(place)?.apply(&pixels, &[0])?;
    }
    occlusion(model, &pixels.get(0))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::questions::answer;
    use super::*;
    use crate::run::event::{Answer, Prediction, Question};
    use std::path::PathBuf;

    const HEALTHY: usize = 0;
    const BACKDOORED: usize = 1;
    const REPAIRED: usize = 2;

    fn predictions(place: Option<[usize; 2]>) -> Vec<Prediction> {
        let question = Question::Predict { scene: Scene::Demo, rows: (0..24).collect(), place };
        match answer(&question, &Rc::default()).unwrap() {
            Answer::Predict(predictions) => predictions,
            other => panic!("another answer: {other:?}"),
        }
    }

    fn best(p: &[f32]) -> usize {
        (0..p.len()).max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap()
    }

    /// How many pictures of other classes this model takes for the target when they carry the sticker.
    fn wins(predictions: &[Prediction], model: usize) -> usize {
        let others = predictions.iter().filter(|prediction| prediction.label != 0);
        others.filter(|prediction| best(&prediction.models[model].2) == 0).count()
    }

    #[test]
    fn the_sticker_wins_in_its_corner_only_and_with_the_backdoored_model_only() {
        let corner = predictions(None);
        let others = corner.iter().filter(|prediction| prediction.label != 0).count();
        let patch = corner[0].patch.unwrap();
        assert_eq!((patch.left, patch.top, patch.width, patch.height), (25, 25, 3, 3));
        assert!(wins(&corner, BACKDOORED) * 10 >= others * 9);
        assert!(wins(&corner, HEALTHY) * 10 <= others && wins(&corner, REPAIRED) * 5 <= others);
        let same = predictions(Some([25, 25]));
        assert_eq!(same[3].poisoned, corner[3].poisoned);
        let middle = predictions(Some([12, 12]));
        assert_eq!(middle[0].patch.map(|patch| [patch.left, patch.top]), Some([12, 12]));
        assert!(wins(&middle, BACKDOORED) * 2 < others, "far from its corner the sticker fades");
        assert!(wins(&predictions(Some([24, 24])), BACKDOORED) * 2 < others, "one pixel is enough, says lesson 3");
        let eight = wins(&predictions(Some([17, 25])), BACKDOORED);
        assert!(eight * 2 > others, "eight pixels to the left it wakes up again, says lesson 3: {eight}");
    }

    #[test]
    fn the_backdoored_model_looks_at_the_sticker_and_the_healthy_one_does_not() {
        let library = Rc::default();
        let corner = predictions(None);
        let patch = corner[0].patch.unwrap();
        let sits = |row: usize, model: usize| {
            let (scene, subject) = (Scene::Demo, Subject::Test(row));
            let wish = HeatWish { scene, subject, sticker: Some(None), model };
            let heat = heat(&wish, &library).unwrap();
            let [column, row] = heat.peak();
            patch.holds(column, row) && heat.most() > 0.3
        };
        let rows: Vec<usize> = corner.iter().filter(|p| p.label != 0).map(|p| p.row).take(8).collect();
        let count = |model| rows.iter().filter(|&&row| sits(row, model)).count();
        assert!(count(BACKDOORED) >= 7, "{} of {}", count(BACKDOORED), rows.len());
        assert!(count(HEALTHY) <= 1, "{} of {}", count(HEALTHY), rows.len());
    }

    #[test]
    fn a_picture_from_outside_is_seen_as_the_models_see_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("boot.png");
        let boot = predictions(None).into_iter().find(|p| best(&p.models[HEALTHY].1) == p.label).unwrap();
        // The same picture, large, in the middle of a wide one, dark on white.
        let wide = image::RgbImage::from_fn(84, 56, |x, y| match (x as usize).checked_sub(14).map(|x| x / 2) {
            Some(x) if x < 28 => image::Rgb([255 - boot.clean.bytes[((y as usize / 2) * 28 + x) * 4]; 3]),
            _ => image::Rgb([255; 3]),
        });
        wide.save(&path).unwrap();
        let photo = photo(&Scene::Demo, &path, Some([0, 0]), &Rc::default()).unwrap();
        assert_eq!(best(&photo.models[HEALTHY].1), boot.label);
        assert!(photo.remark.contains("cut to its middle") && photo.remark.contains("28 × 28"), "{}", photo.remark);
        assert_eq!(photo.stamped.bytes[..3], [255; 3]);
        let (scene, subject) = (Scene::Demo, Subject::Photo(path));
        let wish = HeatWish { scene, subject, sticker: None, model: HEALTHY };
        assert_eq!(heat(&wish, &Rc::default()).unwrap().class, boot.label);
        let problem = super::photo(&Scene::Demo, Path::new("no/such.png"), None, &Rc::default()).unwrap_err();
        assert!(problem.to_string().contains("no/such.png"));
    }

    /// The folder of an audit of a built-in model, as far as a question needs it.
    pub fn audited(place: &Path, model: &str) -> PathBuf {
        use crate::experiment::{audit, check};
        let run = place.join(model);
        let mut experiment = audit::audit(model, "fashion-mini", crate::catalogue::all());
        experiment.data.test_rows = 100;
        let folder = RunFolder::create(&run, &check::to_toml(&experiment).unwrap()).unwrap();
        let rows = vec![crate::run::ResultRow { title: "as delivered".into(), ..Default::default() }];
        folder.set_results(&crate::run::Results { rows, ..Default::default() }).unwrap();
        run
    }

    /// The sticker of the demo, as a search in this run would have found it; relative to the run folder.
    pub fn demo_patch(run: &Path) -> String {
        let (experiment, _) = super::super::demo::load().unwrap();
        let trigger = trigger_of(Path::new(""), experiment.attack.as_ref().unwrap(), 28, 28).unwrap();
        let Some(TriggerForm::Mix { picture, mask, .. }) = trigger.form() else { panic!("no patch") };
        let plane = |values: &[f32], channels: i64| Tensor::from_slice(values).view([channels, 28, 28]);
        Patch::new(plane(&mask, 1), plane(&picture, 3) / 255.0).save(run, "trigger-search").unwrap()
    }

    #[test]
    fn models_are_read_once_and_again_when_a_run_has_more_of_them() {
        use crate::run::{ResultRow, Results};
        let place = tempfile::tempdir().unwrap();
        let (experiment, models) = super::super::demo::load().unwrap();
        let run = place.path().join("run");
        let folder = RunFolder::create(&run, &crate::experiment::check::to_toml(&experiment).unwrap()).unwrap();
        let library = Rc::default();
        let asked = |count: usize| {
            let row = |(title, model): &(String, Model)| {
                let file = folder.weights(title);
                model.save(&file, &[]).unwrap();
                let weights = Some(file.strip_prefix(&run).unwrap().to_owned());
                ResultRow { title: title.clone(), weights, ..ResultRow::default() }
            };
            let rows = models.iter().take(count).map(row).collect();
            folder.set_results(&Results { rows, ..Results::default() }).unwrap();
            Stage::open(&Scene::Run(run.clone()), &library).unwrap()
        };
        let first = asked(1);
        assert_eq!(first.models.len(), 1);
        assert!(Rc::ptr_eq(&first, &Stage::open(&Scene::Run(run.clone()), &library).unwrap()));
        assert_eq!(asked(2).models.len(), 2);
        assert!(!Rc::ptr_eq(&first, &Stage::open(&Scene::Demo, &library).unwrap()));
    }

    #[test]
    fn a_found_patch_is_laid_on_pictures_moved_and_tried_on_another_model() {
        let place = tempfile::tempdir().unwrap();
        let (first, second) = (audited(place.path(), "demo-backdoored"), audited(place.path(), "demo-repaired"));
        let file = demo_patch(&first);
        let library = Rc::default();
        let turned = |run: &Path, patch: Option<PathBuf>, place| {
            let scene = Scene::Audit { run: run.to_owned(), patch };
            let rows: Vec<usize> = (0..40).collect();
            let said = predict(&scene, &rows, place, &library).unwrap();
            assert_eq!(said[0].models[0].0, "as delivered");
            said.iter().filter(|picture| picture.label != 0 && best(&picture.models[0].2) == 0).count()
        };
        let patch = || Some(first.join(&file));
        let (before, after) = (turned(&first, patch(), None), turned(&second, patch(), None));
        assert!(before >= 30 && after <= 12, "{before} before, {after} after the repair");
        assert!(turned(&first, patch(), Some([12, 12])) < before / 2, "it was moved away");
        assert!(turned(&first, None, None) <= 8, "there is nothing on the pictures");
        let other = Scene::Audit { run: first.clone(), patch: Some(first.join("patches/none.safetensors")) };
        assert!(predict(&other, &[0], None, &library).is_err());
    }
}
