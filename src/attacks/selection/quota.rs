//! The same number from every class: the constraint that learned selections share with the fair random one.

use rand::Rng;
use rand::seq::SliceRandom;
use std::collections::BTreeMap;

/// Places of the `budget` candidates with the largest sum of scores among all choices in which the counts of the classes
/// differ by one at most; a class that is too small for that gives all that it has. Largest score first, ties at random.
///
/// `scores` and `classes` are those of the candidates, in order.
pub fn hardest_of_each_class(scores: &[f32], classes: &[i64], budget: usize, rng: &mut impl Rng) -> Vec<usize> {
    let ranked = ranked(scores, rng);
    let mut before: BTreeMap<i64, usize> = BTreeMap::new();
    let mut offers: Vec<(usize, usize)> = Vec::with_capacity(ranked.len());
    for (order, &place) in ranked.iter().enumerate() {
        let turn = before.entry(classes[place]).or_default();
        offers.push((*turn, order));
        *turn += 1;
    }
    // One of each class in turn; in the last round those with the highest score have theirs.
    offers.sort_unstable();
    let mut taken: Vec<usize> = offers.into_iter().take(budget).map(|(_, order)| order).collect();
    taken.sort_unstable();
    taken.into_iter().map(|order| ranked[order]).collect()
}

/// The `budget` candidates with the largest scores, largest first, ties at random.
pub fn hardest(scores: &[f32], budget: usize, rng: &mut impl Rng) -> Vec<usize> {
    let mut ranked = ranked(scores, rng);
    ranked.truncate(budget);
    ranked
}

/// All places, the largest score first, ties in random order.
fn ranked(scores: &[f32], rng: &mut impl Rng) -> Vec<usize> {
    let mut places: Vec<usize> = (0..scores.len()).collect();
    places.shuffle(rng);
    // The sort is stable, so equal scores stay shuffled.
    places.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn counts(taken: &[usize], classes: &[i64]) -> BTreeMap<i64, usize> {
        let mut counts: BTreeMap<i64, usize> = classes.iter().map(|&class| (class, 0)).collect();
        for &place in taken {
            *counts.entry(classes[place]).or_default() += 1;
        }
        counts
    }

    fn sum(taken: &[usize], scores: &[f32]) -> f64 {
        taken.iter().map(|&place| f64::from(scores[place])).sum()
    }

    proptest! {
        /// Twelve candidates, few enough to try every choice.
        #[test]
        fn no_allowed_choice_has_a_larger_sum(
            scores in proptest::collection::vec(-4i8..5, 12),
            classes in proptest::collection::vec(0i64..3, 12),
            budget in 1usize..12,
            seed in 0u64..8,
        ) {
            let scores: Vec<f32> = scores.into_iter().map(|score| f32::from(score) * 0.37).collect();
            let taken = hardest_of_each_class(&scores, &classes, budget, &mut ChaCha8Rng::seed_from_u64(seed));
            prop_assert_eq!(taken.len(), budget);
            let distinct: std::collections::BTreeSet<_> = taken.iter().collect();
            prop_assert_eq!(distinct.len(), budget);
            prop_assert!(taken.windows(2).all(|pair| scores[pair[0]] >= scores[pair[1]]));

            let sizes = counts(&(0..12).collect::<Vec<_>>(), &classes);
            let even = |counts: &BTreeMap<i64, usize>| {
                let most = counts.values().copied().max().unwrap_or(0);
                counts.iter().all(|(class, &count)| count + 1 >= most || count == sizes[class])
            };
            prop_assert!(even(&counts(&taken, &classes)));
            let best = (0u32..1 << 12)
                .filter(|mask| mask.count_ones() as usize == budget)
                .map(|mask| (0..12).filter(|place| mask >> place & 1 == 1).collect::<Vec<usize>>())
                .filter(|choice| even(&counts(choice, &classes)))
                .map(|choice| sum(&choice, &scores))
                .fold(f64::NEG_INFINITY, f64::max);
            prop_assert!((sum(&taken, &scores) - best).abs() < 1e-6);
        }
    }

    #[test]
    fn ties_are_broken_by_the_seed() {
        let draw = |seed| hardest(&[1.0; 50], 10, &mut ChaCha8Rng::seed_from_u64(seed));
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}
