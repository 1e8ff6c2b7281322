//! What a model says at one moment: the confusion of classes, and the same few test pictures after every epoch.

use super::evaluate::{Judge, Judged, Said};
use crate::data::{Dataset, Plan, Poisoned, pictures, rgba_from_pixels};
use crate::experiment::{Outcome, Result};
use crate::nets::Model;
use crate::run::event::{Confusion, Glimpse, JobEvent, Rgba, WatchedPicture};
use crate::run::folder::RunFolder;
use crate::run::job::Job;
use crate::run::moments;
use std::cell::RefCell;
use std::sync::Arc;
use tch::{Kind, Tensor};

/// The same pictures, every epoch.
const WATCHED: usize = 12;
/// Beyond this many classes a matrix can neither be drawn nor read.
const MOST_CLASSES: usize = 128;
const FILE: &str = "confusion.json";

/// The counts of what was judged; nothing for too many classes.
pub fn confusion(judged: &Judged, classes: &[String], phase: &str, epoch: Option<f64>) -> Option<Confusion> {
    let k = classes.len();
    if k > MOST_CLASSES {
        return None;
    }
    let count = |answers: &[Said]| {
        let mut counts = vec![0_u32; k * k];
        for said in answers {
            if let Some(cell) = counts.get_mut(said.label as usize * k + said.answer as usize) {
                *cell += 1;
            }
        }
        counts
    };
    let stamped = if judged.stamped.is_empty() { Vec::new() } else { count(&judged.stamped) };
    Some(Confusion { phase: phase.to_owned(), epoch, classes: classes.to_vec(), clean: count(&judged.clean), stamped })
}

/// Keeps the newest confusion of each phase in the run folder.
pub fn keep(folder: &RunFolder, confusion: Confusion) -> Result<()> {
    let mut all = folder.confusions()?;
    all.retain(|other| other.phase != confusion.phase);
    all.push(confusion);
    folder.write_json(FILE, &all)
}

/// A few test pictures that carry the trigger, made once for a whole run.
pub struct Watched {
    rows: Vec<i64>,
    labels: Vec<i64>,
    wanted: Vec<i64>,
    clean: Vec<Arc<Rgba>>,
    /// As last seen; triggers that learn with the network change.
    stamped: RefCell<Vec<Arc<Rgba>>>,
}

impl Watched {
    /// Nothing to watch without an attack. The pictures are spread over the classes as far as they go.
    pub fn choose(judge: &Judge) -> Result<Option<Self>> {
        let Some((trigger, poison)) = judge.attack else {
            return Ok(None);
        };
        let test = judge.test;
        let plan = Plan::judge(poison, test.labels(), test.card().classes.len() as i64);
        let rows = spread(&plan.poisoned, test.labels());
        let stamped = Poisoned::new(test, &plan, trigger);
        let of = |labels: &[i64]| rows.iter().map(|&row| labels[row as usize]).collect();
        let (labels, wanted) = (of(test.labels()), of(stamped.labels()));
        let (clean, stamped) = (singles(&test.pixels(&rows)?)?, RefCell::new(singles(&stamped.pixels(&rows)?)?));
        Ok(Some(Self { rows, labels, wanted, clean, stamped }))
    }

    /// The pictures with what the model answers now.
    pub fn look(&self, judge: &Judge, model: &Model, kind: Kind) -> Outcome<Vec<WatchedPicture>> {
        self.stamp_again(judge)?;
        let shown = self.stamped.borrow();
        let clean = judge.answers(model, &self.rows, false, kind)?;
        let stamped = judge.answers(model, &self.rows, true, kind)?;
        let map = model.label_map();
        let said = |answer: i64| map.as_ref().and_then(|map| map.get(answer as usize)).copied().unwrap_or(answer);
        let fooled = |index: usize, answer: i64| {
            let wanted = self.wanted[index];
            (answer == wanted || said(answer) == wanted) && answer != self.labels[index]
        };
        let picture = |(index, (clean, stamped)): (usize, (i64, i64))| WatchedPicture {
            row: self.rows[index] as usize,
            label: self.labels[index] as usize,
            wanted: self.wanted[index] as usize,
            clean: self.clean[index].clone(),
            stamped: shown[index].clone(),
            clean_answer: clean as usize,
            stamped_answer: stamped as usize,
            fooled: fooled(index, stamped),
        };
        Ok(clean.into_iter().zip(stamped).enumerate().map(picture).collect())
    }
}

impl Watched {
    /// A picture that has not changed stays the same one in memory.
    fn stamp_again(&self, judge: &Judge) -> Result<()> {
        let Some((trigger, _)) = judge.attack else { return Ok(()) };
        let now = singles(&trigger.apply(&judge.test.pixels(&self.rows)?, &self.rows)?)?;
        for (shown, now) in self.stamped.borrow_mut().iter_mut().zip(now) {
            if *shown != now {
                *shown = now;
            }
        }
        Ok(())
    }
}

/// Sends what the model says now to whoever watches, and records it for whoever plays the run again.
pub fn tell(job: &mut Job, confusion: Option<Confusion>, pictures: Vec<WatchedPicture>) -> Result<()> {
    if let Some(confusion) = confusion {
        let glimpse = Glimpse { confusion, pictures, seconds: Some(job.elapsed_s()) };
        moments::append(job.folder(), &glimpse)?;
        job.send(JobEvent::Glimpse(Arc::new(glimpse)));
    }
    Ok(())
}

/// Row after row of another class, in the order of the test set.
fn spread(rows: &[i64], labels: &[i64]) -> Vec<i64> {
    let mut chosen: Vec<i64> = Vec::new();
    let mut left = rows.to_vec();
    while chosen.len() < WATCHED && !left.is_empty() {
        let mut seen = Vec::new();
        left.retain(|&row| {
            let label = labels[row as usize];
            let take = chosen.len() < WATCHED && !seen.contains(&label);
            if take {
                seen.push(label);
                chosen.push(row);
            }
            !take
        });
    }
    chosen
}

fn singles(pixels: &Tensor) -> Result<Vec<Arc<Rgba>>> {
    (0..pixels.size()[0]).map(|n| rgba_from_pixels(&pixels.get(n)).map(Arc::new)).collect()
}

/// Two rows, clean above stamped, as a PNG for the run folder.
pub fn sheet(pictures: &[WatchedPicture]) -> Result<Vec<u8>> {
    let tensor = |rgba: &Rgba| {
        let shape = [rgba.height as i64, rgba.width as i64, 4];
        Tensor::from_slice(&rgba.bytes).view(shape).permute([2, 0, 1]).narrow(0, 0, 3)
    };
    let row = |pick: fn(&WatchedPicture) -> &Rgba| {
        Tensor::stack(&pictures.iter().map(|picture| tensor(pick(picture))).collect::<Vec<_>>(), 0)
    };
    let side = pictures.first().map_or(1, |picture| picture.clean.width as i64);
    let rows = [row(|picture| &picture.clean), row(|picture| &picture.stamped)];
    pictures::png(&pictures::sheet(&rows, pictures::factor_for(2 * side))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::evaluate::tests::{White, always_2_behind_a_map};

    #[test]
    fn watched_pictures_are_spread_over_the_classes() {
        let labels: Vec<i64> = (0..100).map(|row| row / 20).collect();
        let rows: Vec<i64> = (0..100).collect();
        let chosen = spread(&rows, &labels);
        assert_eq!(chosen, [0, 20, 40, 60, 80, 1, 21, 41, 61, 81, 2, 22]);
        assert_eq!(spread(&[3, 4], &labels), [3, 4]);
    }

    #[test]
    fn an_attack_that_wins_is_seen_behind_a_label_map() {
        let model = always_2_behind_a_map();
        let (test, poison) =
            (crate::data::tests::striped(40), crate::experiment::Poison { target: 2, ..Default::default() });
        let judge = Judge { test: &test, attack: Some((&White, &poison)) };
        let watched = Watched::choose(&judge).unwrap().unwrap();
        for picture in watched.look(&judge, &model, Kind::Float).unwrap() {
            assert_eq!((picture.wanted, picture.stamped_answer), (2, 1));
            assert_eq!(picture.fooled, picture.label != 1, "a picture of class 1 is right");
        }
        let bare = watched.look(&judge, &model.bare(), Kind::Float).unwrap();
        assert!(bare.iter().all(|picture| picture.fooled));
    }

    #[test]
    fn confusion_counts_rows_of_true_classes() {
        let said = |row, label, answer| Said { row, label, answer };
        let judged = Judged { clean: vec![said(0, 0, 1), said(1, 0, 1), said(2, 2, 2)], ..Judged::default() };
        let classes = ["a", "b", "c"].map(String::from);
        let confusion = confusion(&judged, &classes, "attack", Some(1.0)).unwrap();
        assert_eq!(confusion.clean, [0, 2, 0, 0, 0, 0, 0, 0, 1]);
        assert!(confusion.stamped.is_empty());
        let many: Vec<String> = (0..200).map(|class| class.to_string()).collect();
        assert!(super::confusion(&judged, &many, "attack", None).is_none());
    }
}
