//! Where features of stamped pictures are strong, before and after a repair: the spot of the trigger fades, or does not.

use super::evaluate::Judge;
use crate::data::{balanced_rows, pictures};
use crate::defenses::repair::nad::attention_pictures;
use crate::experiment::Outcome;
use crate::nets::Model;
use crate::run::job::Job;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

/// Pictures, each clean and stamped.
const SHOWN: usize = 4;

/// Saves the attention maps of both models, the attacked and the repaired one; nothing without an attack, or where a network
/// has no stages.
pub fn show(job: &mut Job, phase: &str, models: [&Model; 2], judge: &Judge, kind: Kind) -> Outcome<()> {
    let Some((trigger, poison)) = judge.attack else { return Ok(()) };
    let labels = judge.test.labels();
    let classes = judge.test.card().classes.len();
    let mut rows = balanced_rows(labels, classes, 1, &mut ChaCha8Rng::seed_from_u64(0));
    rows.retain(|&row| labels[row as usize] != poison.target);
    rows.truncate(SHOWN);
    if rows.is_empty() {
        return Ok(());
    }
    let clean = judge.test.pixels(&rows)?;
    let stamped = trigger.apply(&clean, &rows)?;
    // Each picture beside its stamped self.
    let size = clean.size();
    let pairs = Tensor::stack(&[clean, stamped], 1).view([-1, size[1], size[2], size[3]]);
    let [before, after] = [attention_pictures(models[0], &pairs, kind)?, attention_pictures(models[1], &pairs, kind)?];
    if before.is_empty() {
        return Ok(());
    }
    let stages = before.into_iter().zip(after).flat_map(|(before, after)| [before, after]);
    let sheet: Vec<Tensor> = std::iter::once(pairs).chain(stages).collect();
    let sheet = pictures::sheet(&sheet, (64 / size[3]).max(1))?;
    let caption = format!(
        "Pictures as they are and stamped; below, where features are strong behind each of the last stages, before and after \
         {phase}"
    );
    job.save_image(&format!("{phase}-attention.png"), &caption, &pictures::png(&sheet)?)?;
    Ok(())
}
