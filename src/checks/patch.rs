//! A patch that a search has found, kept exactly: it can be laid on any picture, moved about, and tried on other models.

use super::{Inspected, answers, exhibit};
use crate::data::{Trigger, balanced_rows, pictures};
use crate::defenses::repair::nc::search::stamp;
use crate::experiment::{Outcome, Problem, Result};
use crate::nets::formats::safetensors;
use crate::nets::{Model, Params};
use crate::run::TriggerForm;
use crate::run::folder::SavedImage;
use crate::run::job::Job;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tch::{Kind, Tensor};

/// Folder of the patches inside a run folder.
const FOLDER: &str = "patches";
/// The two planes in the file.
const MASK: &str = "mask";
const PATTERN: &str = "pattern";
/// Pictures shown with the patch on them.
const SHOWN: usize = 8;

/// x' = x (1 - mask) + pattern mask.
pub struct Patch {
    /// f32 `[1, H, W]` in 0..=1, on the processor.
    mask: Tensor,
    /// f32 `[3, H, W]` in 0..=1.
    pattern: Tensor,
}

impl Patch {
    pub fn new(mask: Tensor, pattern: Tensor) -> Self {
        Self { mask, pattern }
    }

    /// Sum of the mask, in pixels.
    pub fn size(&self) -> f64 {
        self.mask.sum(Kind::Double).double_value(&[])
    }

    /// Writes the patch into a run folder and says where: a path inside of it.
    pub fn save(&self, run: &Path, name: &str) -> Result<String> {
        let file = format!("{FOLDER}/{name}.safetensors");
        let planes = [(MASK, &self.mask), (PATTERN, &self.pattern)];
        let planes: Params = planes.map(|(name, plane)| (name.to_owned(), plane.contiguous())).into_iter().collect();
        safetensors::write(&run.join(&file), &planes, &BTreeMap::new())?;
        Ok(file)
    }

    /// A few pictures of other classes, each above its stamped twin; an orange frame says that the patch turned it.
    pub fn shown(
        &self,
        job: &mut Job,
        phase: &str,
        model: &Model,
        data: &Inspected,
        class: usize,
    ) -> Outcome<SavedImage> {
        let (card, labels) = (data.pictures.card(), data.pictures.labels());
        let mut rows = balanced_rows(labels, card.classes.len(), 1, &mut job.rng(&format!("{phase}/shown")));
        rows.retain(|&row| labels[row as usize] != class as i64);
        rows.truncate(SHOWN);
        let clean = data.pictures.pixels(&rows)?;
        let stamped = self.apply(&clean, &rows)?;
        let said = answers(job, model, data, &rows, |pixels| self.apply(&pixels, &rows))?;
        let turned: Vec<bool> = said.iter().map(|&said| said == class as i64).collect();
        let frames = [pictures::framed(&clean, &vec![false; rows.len()]), pictures::framed(&stamped, &turned)];
        let sheet = pictures::sheet(&frames, pictures::factor_for(card.width as i64))?;
        let name = card.classes.get(class).map_or("?", String::as_str);
        let count = turned.iter().filter(|&&turned| turned).count();
        let caption =
            format!("Without and with the patch for {name}; it turns {count} of these {} (orange frames)", rows.len());
        exhibit(job, &format!("{phase}-stamped"), caption, sheet)
    }

    /// # Errors
    /// The file cannot be read, or what is in it is no patch.
    pub fn open(path: &Path) -> Result<Self> {
        let (planes, _) = safetensors::read(path)?;
        let none = || Problem::bad_file("There is no patch in this file.").at(path.display());
        let plane = |name: &str, channels: i64| {
            let plane = planes.find(name).ok_or_else(none)?.to_kind(Kind::Float);
            let size = plane.size();
            let values = size.len() == 3 && size[0] == channels && size[1] * size[2] > 0;
            let fits = values && {
                let [least, most] = [plane.min(), plane.max()].map(|bound| bound.double_value(&[]));
                // Not a number is outside, too.
                least >= 0.0 && most <= 1.0
            };
            if fits { Ok(plane) } else { Err(none()) }
        };
        let (mask, pattern) = (plane(MASK, 1)?, plane(PATTERN, 3)?);
        if mask.size()[1..] == pattern.size()[1..] { Ok(Self { mask, pattern }) } else { Err(none()) }
    }
}

impl Trigger for Patch {
    fn apply(&self, pixels: &Tensor, _: &[i64]) -> Result<Tensor> {
        let (of_pictures, own) = (pixels.size(), self.mask.size());
        if of_pictures[2..] != own[1..] {
            let text = format!("This patch was found on pictures of {} x {} pixels.", own[2], own[1]);
            return Err(Problem::bad_input(text)
                .because(format!("These pictures have {} x {}.", of_pictures[3], of_pictures[2])));
        }
        Ok(stamp(pixels, &self.mask, &self.pattern))
    }

    fn form(&self) -> Option<TriggerForm> {
        let size = self.mask.size();
        let values = |plane: &Tensor| Vec::<f32>::try_from(plane.contiguous().view([-1])).map(Arc::from).ok();
        let (picture, mask) = (values(&(&self.pattern * 255.0))?, values(&self.mask)?);
        Some(TriggerForm::Mix { width: size[2] as usize, height: size[1] as usize, picture, mask })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;
    use crate::data::tests::striped;

    /// Strong in the corner of 2 x 2, a trace everywhere else.
    fn corner() -> Patch {
        let mask = Tensor::full([1, 8, 8], 0.01, tch::kind::FLOAT_CPU);
        let _ = mask.narrow(1, 6, 2).narrow(2, 6, 2).fill_(0.9);
        Patch::new(mask, Tensor::full([3, 8, 8], 1.0, tch::kind::FLOAT_CPU))
    }

    #[test]
    fn a_patch_survives_its_file_bit_by_bit() {
        let run = tempfile::tempdir().unwrap();
        let patch = corner();
        let file = patch.save(run.path(), "trigger-search").unwrap();
        assert_eq!(file, "patches/trigger-search.safetensors");
        let again = Patch::open(&run.path().join(file)).unwrap();
        assert!(again.mask.equal(&patch.mask) && again.pattern.equal(&patch.pattern));
        let pixels = striped(4).pixels(&[0, 3]).unwrap();
        assert!(again.apply(&pixels, &[0, 3]).unwrap().equal(&patch.apply(&pixels, &[0, 3]).unwrap()));
    }

    #[test]
    fn its_form_stamps_as_it_does_and_knows_where_it_lies() {
        let patch = corner();
        let form = patch.form().unwrap();
        let place = form.patch().unwrap();
        assert_eq!((place.left, place.top, place.width, place.height), (6, 6, 2, 2));
        let pixels = striped(4).pixels(&[2]).unwrap();
        let clean = crate::data::rgba_from_pixels(&pixels.get(0)).unwrap();
        let stamped = crate::data::rgba_from_pixels(&patch.apply(&pixels, &[2]).unwrap().get(0)).unwrap();
        let by_form = form.stamp(&clean, 1.0);
        assert!(by_form.bytes.iter().zip(&stamped.bytes).all(|(a, b)| a.abs_diff(*b) <= 1));
        assert_ne!(stamped.bytes, clean.bytes);
    }

    #[test]
    fn what_is_no_patch_is_refused() {
        let run = tempfile::tempdir().unwrap();
        let wrong = |mask: Tensor, pattern: Tensor| {
            let file = Patch::new(mask, pattern).save(run.path(), "wrong").unwrap();
            let Err(problem) = Patch::open(&run.path().join(file)) else { panic!("it was taken") };
            assert!(problem.headline.contains("no patch"), "{problem}");
        };
        let full = |shape: &[i64], value: f64| Tensor::full(shape, value, tch::kind::FLOAT_CPU);
        wrong(full(&[8, 8], 0.5), full(&[3, 8, 8], 0.5));
        wrong(full(&[1, 8, 8], 1.5), full(&[3, 8, 8], 0.5));
        wrong(full(&[1, 8, 8], f64::NAN), full(&[3, 8, 8], 0.5));
        wrong(full(&[1, 8, 8], 0.5), full(&[3, 8, 7], 0.5));
        let small = corner().apply(&Tensor::zeros([1, 3, 4, 4], (Kind::Uint8, tch::Device::Cpu)), &[0]);
        assert!(small.unwrap_err().headline.contains("8 x 8"));
    }
}
