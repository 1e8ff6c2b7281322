//! What Home asks beyond the test set: the trigger as a sticker that lies elsewhere, pictures that people bring, and where a
//! model looks.

use super::library::{Library, trigger_of};
use super::questions::probabilities;
use crate::analysis::occlusion::occlusion;
use crate::data::augment::to_u8;
use crate::data::sources::photo;
use crate::data::{Dataset, Trigger, rgba_from_pixels};
use crate::experiment::{Problem, Result};
use crate::nets::Model;
use crate::run::TriggerForm;
use crate::run::event::{Heat, HeatWish, Photo, Subject};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use tch::{Kind, Tensor};

/// A trigger that is a patch, with its left upper corner at this column and row; without a place as it is.
pub fn placed(trigger: Box<dyn Trigger>, place: Option<[usize; 2]>) -> Result<Box<dyn Trigger>> {
    let Some(place) = place else { return Ok(trigger) };
    let moved = trigger.form().and_then(|form| form.moved_to(place));
    let Some(form @ TriggerForm::Mix { .. }) = moved else {
        return Err(Problem::bad_input("This trigger is no patch, so it cannot be moved."));
    };
    Ok(Box::new(Sticker(form)))
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

/// The demo as Home uses it: test pictures, trigger and models.
struct Demo {
    data: Rc<crate::data::Split>,
    trigger: Box<dyn Trigger>,
    models: Vec<(String, Model)>,
}

fn demo(place: Option<[usize; 2]>, library: &Rc<RefCell<Library>>) -> Result<Demo> {
    let (experiment, models) = super::demo::load()?;
    let data = library.borrow_mut().data(&experiment.data, experiment.seed)?;
    let pick = experiment.attack.as_ref().ok_or_else(|| Problem::internal("The demo has no attack."))?;
    let card = data.test.card();
    let trigger = trigger_of(Path::new(""), pick, card.height as i64, card.width as i64)?;
    Ok(Demo { trigger: placed(trigger, place)?, data, models })
}

impl Demo {
    /// The picture, u8 `[1, 3, H, W]`, and what was done to it.
    fn picture(&self, subject: &Subject) -> Result<(Tensor, String)> {
        let test = &self.data.test;
        match subject {
            Subject::Test(row) if *row < test.len() => Ok((test.pixels(&[*row as i64])?, String::new())),
            Subject::Test(_) => Err(Problem::bad_input("The demo has no such picture.")),
            Subject::Photo(path) => {
                let card = test.card();
                let photo = photo::read(path, card.height, card.width, card.channels == 1)?;
                let remark = remark(&photo, card.width, card.height);
                let shape = [1, 3, card.height as i64, card.width as i64];
                Ok((Tensor::from_slice(&photo.pixels).view(shape), remark))
            }
        }
    }
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

/// What the demo's models say of a picture file.
pub fn photo(path: &Path, place: Option<[usize; 2]>, library: &Rc<RefCell<Library>>) -> Result<Photo> {
    let demo = demo(place, library)?;
    let (clean, remark) = demo.picture(&Subject::Photo(path.to_owned()))?;
    let stamped = demo.trigger.apply(&clean, &[0])?;
    let said = |(title, model): &(String, Model)| {
        let one = |pixels| Ok::<_, Problem>(probabilities(model, pixels)?.pop().unwrap_or_default());
        Ok((title.clone(), one(&clean)?, one(&stamped)?))
    };
    let models = demo.models.iter().map(said).collect::<Result<_>>()?;
    let picture = |pixels: &Tensor| Ok::<_, Problem>(Arc::new(rgba_from_pixels(&pixels.get(0))?));
    Ok(Photo { remark, clean: picture(&clean)?, stamped: picture(&stamped)?, models })
}

/// Where one of the demo's models looks.
pub fn heat(wish: &HeatWish, library: &Rc<RefCell<Library>>) -> Result<Heat> {
    let demo = demo(wish.sticker.flatten(), library)?;
    let (_, model) = demo.models.get(wish.model).ok_or_else(|| Problem::bad_input("The demo has no such model."))?;
    let (mut pixels, _) = demo.picture(&wish.subject)?;
    if wish.sticker.is_some() {
        pixels = demo.trigger.apply(&pixels, &[0])?;
    }
    occlusion(model, &pixels.get(0))
}

#[cfg(test)]
mod tests {
    use super::super::questions::answer;
    use super::*;
    use crate::run::event::{Answer, Prediction, Question};
    use std::path::PathBuf;

    const HEALTHY: usize = 0;
    const BACKDOORED: usize = 1;
    const REPAIRED: usize = 2;

    fn predictions(place: Option<[usize; 2]>) -> Vec<Prediction> {
        let question = Question::Predict { folder: PathBuf::new(), rows: (0..24).collect(), place };
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
            let wish = HeatWish { subject: Subject::Test(row), sticker: Some(None), model };
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
        let photo = photo(&path, Some([0, 0]), &Rc::default()).unwrap();
        assert_eq!(best(&photo.models[HEALTHY].1), boot.label);
        assert!(photo.remark.contains("cut to its middle") && photo.remark.contains("28 × 28"), "{}", photo.remark);
        assert_eq!(photo.stamped.bytes[..3], [255; 3]);
        let wish = HeatWish { subject: Subject::Photo(path), sticker: None, model: HEALTHY };
        assert_eq!(heat(&wish, &Rc::default()).unwrap().class, boot.label);
        let problem = super::photo(Path::new("no/such.png"), None, &Rc::default()).unwrap_err();
        assert!(problem.to_string().contains("no/such.png"));
    }
}
