//! Pictures that show a choice: the chosen training pictures, and how all candidates were judged.

use super::Chosen;
use crate::attacks::Exhibit;
use crate::data::{Dataset, Trigger, pictures};
use crate::experiment::Result;
use crate::run::event::Rgba;

/// Pictures in a line of the gallery, and how many there are at most.
const ACROSS: usize = 12;
const GALLERY: usize = 48;

/// Bars of the histogram and their size in pixels.
const BARS: usize = 60;
const BAR: usize = 8;
const HEIGHT: usize = 200;

const GROUND: [u8; 3] = [255, 255, 255];
const CANDIDATE: [u8; 3] = [186, 190, 198];
/// The colour of the attacker in the window's light look.
const CHOSEN: [u8; 3] = [213, 94, 0];

impl Chosen {
    /// The gallery of what was chosen and the histogram of the scores; `score` is what they count.
    pub fn exhibits(&self, train: &dyn Dataset, trigger: &dyn Trigger, score: &str) -> Result<Vec<Exhibit>> {
        let shown = self.rows.len().min(GALLERY);
        // A last line that is not full would not fit under the others.
        let full = (shown / ACROSS).max(1);
        let mut lines = Vec::new();
        for rows in self.rows[..shown].chunks(ACROSS).take(full) {
            lines.push(trigger.apply(&train.pixels(rows)?, rows)?);
        }
        let shown: i64 = lines.iter().map(|line| line.size()[0]).sum();
        let picture = pictures::sheet(&lines, pictures::factor_for(train.card().width as i64).min(2))?;
        let caption = format!("{shown} of {} selected pictures, the most wanted first", self.rows.len());
        let mut exhibits = vec![Exhibit { key: "selection", caption, picture }];

        let known: Vec<f32> = self.scores.iter().copied().filter(|score| score.is_finite()).collect();
        if let Some((picture, low, high)) = histogram(&self.all, &known) {
            let caption = format!(
                "How the candidates were judged: {score}, {low:.2} (left) to {high:.2} (right); in colour what was \
                 selected. Heights are logarithms of counts"
            );
            exhibits.push(Exhibit { key: "selection-scores", caption, picture });
        }
        Ok(exhibits)
    }
}

/// All scores as grey bars and the chosen ones in colour before them, with the range from left to right; nothing where
/// there is no score. Heights are logarithms of counts, because few are chosen out of many.
fn histogram(all: &[f32], chosen: &[f32]) -> Option<(Rgba, f32, f32)> {
    let low = all.iter().copied().filter(|score| score.is_finite()).fold(f32::INFINITY, f32::min);
    let high = all.iter().copied().filter(|score| score.is_finite()).fold(f32::NEG_INFINITY, f32::max);
    if low > high {
        return None;
    }
    let count = |scores: &[f32]| {
        let mut counts = [0usize; BARS];
        for score in scores.iter().filter(|score| score.is_finite()) {
            let share = (score - low) / (high - low).max(f32::MIN_POSITIVE);
            counts[((share * BARS as f32) as usize).min(BARS - 1)] += 1;
        }
        counts
    };
    let (all, chosen) = (count(all), count(chosen));
    let most = all.iter().copied().max().unwrap_or(1).max(1);
    let height = |count: usize| ((1.0 + count as f64).ln() / (1.0 + most as f64).ln() * (HEIGHT - 8) as f64) as usize;
    let width = BARS * BAR;
    let mut bytes = Vec::with_capacity(width * HEIGHT * 4);
    for y in (0..HEIGHT).rev() {
        for x in 0..width {
            let bar = x / BAR;
            let colour = if x % BAR == BAR - 1 {
                GROUND
            } else if y < height(chosen[bar]) {
                CHOSEN
            } else if y < height(all[bar]) {
                CANDIDATE
            } else {
                GROUND
            };
            bytes.extend(colour);
            bytes.push(255);
        }
    }
    Some((Rgba { width, height: HEIGHT, bytes }, low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_scores_stand_in_colour_before_all_others() {
        let all: Vec<f32> = (0..600).map(|at| at as f32 / 100.0).collect();
        let (picture, low, high) = histogram(&all, &all[540..]).unwrap();
        assert_eq!((low, high), (0.0, 5.99));
        assert!(picture.is_whole());
        let bottom = |bar: usize| {
            let at = 4 * ((HEIGHT - 1) * picture.width + bar * BAR);
            [picture.bytes[at], picture.bytes[at + 1], picture.bytes[at + 2]]
        };
        assert_eq!((bottom(0), bottom(BARS - 1)), (CANDIDATE, CHOSEN));
        assert!(histogram(&[], &[]).is_none());
        assert!(histogram(&[2.0, 2.0], &[2.0]).is_some(), "a single value is a histogram too");
    }
}
