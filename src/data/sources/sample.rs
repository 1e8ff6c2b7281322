//! Smaller sets with the same number of rows of each class, and what the pixels are like on average.

use crate::data::Memory;
use crate::experiment::{Problem, Result};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// A class-balanced subset of at most `rows` rows, in the order of the source; 0 keeps all.
///
/// Each class gives its first rows after a shuffle by `seed`: the largest equal number for which the sum does not exceed
/// `rows`. Classes that have fewer give all of theirs.
///
/// # Errors
/// When `rows` is less than one a class.
pub fn subset(data: Memory, rows: usize, seed: u64) -> Result<Memory> {
    if rows == 0 || rows >= data.labels.len() {
        return Ok(data);
    }
    let mut by_class = BTreeMap::<i64, Vec<i64>>::new();
    for (row, &label) in data.labels.iter().enumerate() {
        by_class.entry(label).or_default().push(row as i64);
    }
    if rows < by_class.len() {
        return Err(Problem::bad_input(format!("{rows} rows are too few for {} classes.", by_class.len()))
            .at("data.train_rows, data.test_rows")
            .remedy(format!("Use at least {} rows, or 0 for all.", by_class.len())));
    }
    let taken = |each: usize| by_class.values().map(|rows| rows.len().min(each)).sum::<usize>();
    let each = (1..=rows).take_while(|&each| taken(each) <= rows).last().unwrap_or(1);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut chosen = Vec::new();
    for rows in by_class.values_mut() {
        rows.shuffle(&mut random);
        chosen.extend(rows.iter().take(each));
    }
    chosen.sort_unstable();
    select(&data, &chosen)
}

/// The rows in the given order, with a hash of their own.
fn select(data: &Memory, rows: &[i64]) -> Result<Memory> {
    let labels = rows.iter().map(|&row| data.labels[row as usize]).collect();
    let pixels = data.pixels.index_select(0, &tch::Tensor::from_slice(rows));
    // Grey pictures are repeated again by `Memory::new`.
    let pixels = bytes(&pixels.narrow(1, 0, data.card.channels as i64))?;
    Memory::new(data.card.clone(), &pixels, labels)
}

fn bytes(pixels: &tch::Tensor) -> Result<Vec<u8>> {
    Vec::try_from(&pixels.contiguous().view([-1])).map_err(|e| Problem::internal("Cannot read pixels back.").because(e))
}

/// Mean and standard deviation of each channel, for pixels in 0..=1. Exact: counted, not summed in floats. Counted once
/// for each data set: every question about a draft wants to know them.
pub fn statistics(data: &Memory) -> ([f64; 3], [f64; 3]) {
    *data.moments.get_or_init(|| count_moments(data))
}

fn count_moments(data: &Memory) -> ([f64; 3], [f64; 3]) {
    const ROWS: i64 = 1024;
    let mut counts = [[0u64; 256]; 3];
    let total = data.labels.len() as i64;
    for start in (0..total).step_by(ROWS as usize) {
        let block = data.pixels.narrow(0, start, ROWS.min(total - start));
        for (channel, counts) in counts.iter_mut().enumerate() {
            // Pixels always are u8 on the processor, so this cannot fail.
            for value in bytes(&block.select(1, channel as i64)).unwrap_or_default() {
                counts[usize::from(value)] += 1;
            }
        }
    }
    let moments = counts.map(|counts| {
        let number = counts.iter().sum::<u64>().max(1) as f64;
        let sum = |power: i32| {
            let terms =
                counts.iter().enumerate().map(|(value, &count)| count as f64 * (value as f64 / 255.0).powi(power));
            terms.sum::<f64>()
        };
        let mean = sum(1) / number;
        (mean, (sum(2) / number - mean * mean).max(0.0).sqrt())
    });
    (moments.map(|(mean, _)| mean), moments.map(|(_, std)| std))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::sources::testing;

    fn toy(labels: &[i64]) -> Memory {
        let pixels: Vec<u8> = (0..labels.len() as u8).collect();
        testing::memory(1, 1, 1, &pixels, labels)
    }

    #[test]
    fn every_class_gives_the_same_number() {
        let labels: Vec<i64> = (0..60).map(|row| row % 3).collect();
        let small = subset(toy(&labels), 20, 7).unwrap();
        for class in 0..3 {
            assert_eq!(small.labels.iter().filter(|&&label| label == class).count(), 6);
        }
        // Pixels still belong to their labels: row r had pixel r and label r % 3.
        let pixels = Vec::<u8>::try_from(&small.pixels.select(1, 0).view([-1])).unwrap();
        assert!(pixels.iter().zip(&small.labels).all(|(&pixel, &label)| i64::from(pixel) % 3 == label));
        assert!(pixels.is_sorted());
    }

    #[test]
    fn small_classes_give_all_and_others_fill_up() {
        let mut labels = vec![0; 20];
        labels.extend([1; 2]);
        labels.extend([2; 20]);
        let small = subset(toy(&labels), 12, 7).unwrap();
        assert_eq!(small.labels.iter().filter(|&&label| label == 1).count(), 2);
        assert_eq!(small.labels.len(), 12);
    }

    #[test]
    fn the_seed_decides() {
        let labels = [0; 50];
        let hash = |seed| subset(toy(&labels), 10, seed).unwrap().card.hash;
        assert_eq!(hash(1), hash(1));
        assert_ne!(hash(1), hash(2));
    }

    #[test]
    fn all_or_too_few() {
        assert_eq!(subset(toy(&[0, 1]), 0, 1).unwrap().labels, [0, 1]);
        assert_eq!(subset(toy(&[0, 1]), 9, 1).unwrap().labels, [0, 1]);
        assert!(subset(toy(&[0, 1, 2]), 2, 1).is_err());
    }

    #[test]
    fn mean_and_deviation_are_exact() {
        let data = testing::memory(3, 1, 2, &[0, 255, 51, 51, 255, 255], &[0]);
        let (mean, std) = statistics(&data);
        for (found, wanted) in mean.iter().chain(&std).zip([0.5, 0.2, 1.0, 0.5, 0.0, 0.0]) {
            assert!((found - wanted).abs() < 1e-7, "{found} {wanted}");
        }
    }
}
