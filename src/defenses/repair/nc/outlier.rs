//! What the sizes of the smallest patches say: which class needs a patch so small that somebody may have built in a shortcut.
//!
//! The anomaly index is the distance of a size from the median in units of the median absolute deviation. The paper's rule
//! flags every class below the median with an index above 2. Alone it accuses too many: of ten classes whose sizes are
//! spread by chance, the smallest passes it in every third model. So a patch must also be several times smaller than the
//! median, or lie so far off that chance hardly does it. Measured: planted patches are 2.6 to 17 times smaller; a clean
//! model's smallest is 1.6 to 1.9 times smaller, with an index of up to 3.2.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// When a small patch is suspicious; the names are those of the options of neural cleanse and of the audit's search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Anomaly index.
    pub index: f64,
    /// How many times smaller than the median.
    pub factor: f64,
    /// Share of clean models with a class so far off below which the factor need not be reached.
    pub chance: f64,
    /// Compares the logarithms of the sizes.
    pub logarithmic: bool,
}

impl Limits {
    /// The published rule: the index alone.
    pub const PAPER: Self = Self { index: 2.0, factor: 1.0, chance: 0.0, logarithmic: false };
}

/// A patch that is not even so many times smaller than the median accuses nobody, however alike the others are.
const LEAST_FACTOR: f64 = 1.5;
/// Sizes that are drawn to see what chance does.
const DRAWS: usize = 400_000;

/// What the size of a class's patch says.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchSize {
    pub class: i64,
    /// Sum of the mask, in pixels.
    pub size: f64,
    /// Anomaly index.
    pub index: f64,
    /// How many times smaller than the median.
    pub times: f64,
    /// Share of clean models of which a class lies so far below the median; 1 where the index is not above its limit.
    pub chance: f64,
    pub flagged: bool,
}

/// Mean of the two middle values where there is an even number.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]),
    }
}

/// The rule, class by class. `sizes` in pixels.
pub fn judge_sizes(sizes: &[f64], limits: &Limits) -> Vec<PatchSize> {
    let compared: Vec<f64> =
        sizes.iter().map(|size| if limits.logarithmic { size.max(1e-3).ln() } else { *size }).collect();
    let middle = median(sizes);
    let judged = |(class, below): (usize, f64)| {
        let size = sizes[class];
        let times = middle / size.max(1e-9);
        let odd = below > limits.index;
        let chance = if odd { chance_of(below, sizes.len()) } else { 1.0 };
        let far = times >= limits.factor || (chance <= limits.chance && times >= LEAST_FACTOR);
        PatchSize { class: class as i64, size, index: below.abs(), times, chance, flagged: odd && far }
    };
    below_median(&compared).into_iter().enumerate().map(judged).collect()
}

/// How far every value lies below the median, in median absolute deviations; negative above it.
fn below_median(values: &[f64]) -> Vec<f64> {
    let middle = median(values);
    let deviations: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    // 1.4826 makes it the standard deviation of a normal distribution.
    let spread = (1.4826 * median(&deviations)).max(1e-6);
    values.iter().map(|value| (middle - value) / spread).collect()
}

/// Share of models with `classes` classes, all alike but for chance, whose smallest patch has at least this anomaly index:
/// drawn from a normal distribution, which the logarithms of sizes resemble.
fn chance_of(index: f64, classes: usize) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let models = (DRAWS / classes.max(1)).max(1);
    let reached = |_: &usize| {
        let sizes: Vec<f64> = StandardNormal.sample_iter(&mut rng).take(classes).collect();
        below_median(&sizes).into_iter().any(|below| below > index)
    };
    (0..models).filter(reached).count() as f64 / models as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flagged(sizes: &[f64], limits: &Limits) -> Vec<i64> {
        judge_sizes(sizes, limits).iter().filter(|found| found.flagged).map(|found| found.class).collect()
    }

    const FAR: Limits = Limits { index: 2.0, factor: 2.5, chance: 0.01, logarithmic: true };

    #[test]
    fn the_index_is_the_rule_of_the_paper_and_knows_no_scale() {
        let sizes = [100.0, 110.0, 90.0, 9.0, 105.0, 95.0, 101.0, 99.0, 300.0, 104.0];
        assert_eq!(flagged(&sizes, &Limits::PAPER), [3], "large patches are not suspicious");
        assert_eq!(flagged(&sizes.map(|size| size * 7.0), &Limits::PAPER), [3]);
        assert!(flagged(&[5.0; 10], &Limits::PAPER).is_empty());
        // Clean classes of Fashion-MNIST differ so much that a planted patch of 3.7 pixels hides among them.
        let wide = [3.7, 65.8, 48.5, 89.7, 88.1, 60.6, 46.4, 110.5, 38.7, 106.5];
        assert!(flagged(&wide, &Limits::PAPER).is_empty());
        assert_eq!(flagged(&wide, &Limits { logarithmic: true, ..Limits::PAPER }), [0]);
        let found = judge_sizes(&[1.0, 2.0, 3.0, 4.0], &Limits::PAPER);
        // Median 2.5, deviations 1.5 0.5 0.5 1.5 with median 1.
        assert!((found[0].index - 1.5 / 1.4826).abs() < 1e-9 && (found[0].times - 2.5).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn an_index_that_chance_makes_accuses_nobody() {
        // Measured on a published backdoored model: half of the median, where all other classes are alike.
        let published = [11.7, 29.4, 22.9, 22.7, 22.5, 21.2, 20.9, 21.5, 30.0, 28.2];
        assert_eq!(flagged(&published, &FAR), [0]);
        // Measured on a repaired model: an index of 2.6, but less than twice as small as the median.
        let repaired = [37.7, 37.9, 64.1, 67.7, 82.3, 68.6, 69.1, 111.4, 40.0, 76.4];
        assert!(flagged(&repaired, &FAR).is_empty());
        let alike = [19.0, 22.8, 22.9, 22.7, 22.5, 22.6, 22.4, 22.3, 22.7, 22.5];
        assert!(flagged(&alike, &FAR).is_empty(), "all alike, and the smallest hardly smaller");
        assert_eq!(flagged(&alike, &Limits { logarithmic: true, ..Limits::PAPER }), [0]);
        let chance = [2.0, 5.0].map(|index| chance_of(index, 10));
        assert!((0.30..0.36).contains(&chance[0]) && (0.01..0.03).contains(&chance[1]), "{chance:?}");
        assert!(chance_of(5.0, 100) < chance[1], "more classes tell better how wide they are spread");
    }
}
