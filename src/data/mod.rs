//! Data sets: 8-bit pictures with labels, kept in memory once. Poison is an overlay, batches are tensors.

pub mod augment;
pub mod manifest;
mod pages;
pub mod pickle;
pub mod pictures;
pub mod poison;
pub mod sources;
pub mod tables;

pub use augment::Augment;
pub use poison::{Plan, Poisoned, RowKind, Trigger};
pub(crate) use sources::available_memory;

use crate::experiment::{Problem, Result};
use crate::run::event::Rgba;
use serde::{Deserialize, Serialize};
use std::cell::OnceCell;
use tch::Tensor;

/// What a data set is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// `Fashion-MNIST (embedded, 10,000 + 2,000)`, `CIFAR-10`, a folder's name.
    pub name: String,
    /// Format it was read from: `idx`, `cifar-binary`, `parquet`, ...
    pub format: String,
    /// Names in label order; indices as text where the source has none.
    pub classes: Vec<String>,
    pub height: usize,
    pub width: usize,
    /// Colour channels in the source: 1 or 3. In memory every picture has three.
    pub channels: usize,
    /// BLAKE3 of pixels and labels, in hexadecimal.
    pub hash: String,
}

/// Training and test part of one source.
pub struct Split {
    pub train: Memory,
    pub test: Memory,
    /// The source has one part only, and the two are made from it.
    pub from_one: bool,
}

/// A data set in memory.
#[derive(Debug)]
pub struct Memory {
    pub card: Card,
    /// u8, `[N, 3, H, W]`, on the processor.
    pub pixels: Tensor,
    pub labels: Vec<i64>,
    /// Mean and deviation of each channel, once somebody has asked (see `sources::statistics`).
    moments: OnceCell<([f64; 3], [f64; 3])>,
}

/// Pictures and labels; rows may be made on the fly.
pub trait Dataset {
    fn card(&self) -> &Card;
    /// The labels that training sees.
    fn labels(&self) -> &[i64];
    /// u8, `[rows, 3, H, W]`, on the processor.
    fn pixels(&self, rows: &[i64]) -> Result<Tensor>;

    fn len(&self) -> usize {
        self.labels().len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn picture(&self, row: usize) -> Result<Rgba> {
        rgba_from_pixels(&self.pixels(&[row as i64])?.squeeze_dim(0))
    }
}

impl Memory {
    /// Checks that pixels and labels fit each other and the classes, and computes the hash.
    ///
    /// `pixels` holds N pictures of `channels` planes each (`[N, channels, H, W]`, row by row); grey pictures are
    /// repeated into three channels.
    pub fn new(mut card: Card, pixels: &[u8], labels: Vec<i64>) -> Result<Self> {
        let per_picture = card.channels * card.height * card.width;
        if labels.is_empty() || per_picture == 0 {
            return Err(Problem::bad_file("There are no pictures in this data set."));
        }
        if pixels.len() != labels.len() * per_picture {
            return Err(Problem::bad_file("The number of pixels does not fit the number of labels.").because(format!(
                "{} bytes of pixels, {} labels, {} x {} x {} bytes a picture",
                pixels.len(),
                labels.len(),
                card.channels,
                card.height,
                card.width
            )));
        }
        if let Some(row) = labels.iter().position(|&label| label < 0 || label >= card.classes.len() as i64) {
            return Err(Problem::bad_file(format!(
                "Row {row} has label {}, but there are only {} classes.",
                labels[row],
                card.classes.len()
            )));
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(pixels);
        for label in &labels {
            hasher.update(&label.to_le_bytes());
        }
        card.hash = hasher.finalize().to_hex().to_string();
        let shape = [labels.len() as i64, card.channels as i64, card.height as i64, card.width as i64];
        let tensor = Tensor::from_data_size(pixels, &shape, tch::Kind::Uint8);
        let pixels = if card.channels == 1 { tensor.repeat([1, 3, 1, 1]) } else { tensor };
        Ok(Self { card, pixels, labels, moments: OnceCell::new() })
    }
}

impl Dataset for Memory {
    fn card(&self) -> &Card {
        &self.card
    }

    fn labels(&self) -> &[i64] {
        &self.labels
    }

    fn pixels(&self, rows: &[i64]) -> Result<Tensor> {
        Ok(self.pixels.index_select(0, &Tensor::from_slice(rows)))
    }
}

/// `[3, H, W]` u8 as a picture.
pub fn rgba_from_pixels(pixels: &Tensor) -> Result<Rgba> {
    let size = pixels.size();
    let (height, width) = (size[1] as usize, size[2] as usize);
    let alpha = Tensor::full([1, size[1], size[2]], 255, (tch::Kind::Uint8, tch::Device::Cpu));
    let interleaved = Tensor::cat(&[pixels, &alpha], 0).permute([1, 2, 0]);
    Ok(Rgba { width, height, bytes: values(&interleaved)? })
}

/// What is in a tensor, row by row, wherever it lies and whatever shape and kind it has.
pub fn values<T: tch::kind::Element + Copy>(tensor: &Tensor) -> Result<Vec<T>> {
    Vec::try_from(tensor.detach().to_device(tch::Device::Cpu).contiguous().view([-1]))
        .map_err(|e| Problem::internal("Cannot read numbers back.").because(e))
}

/// Rows of another data set, in their own order; shares its pixels.
pub struct Rows<'a> {
    base: &'a dyn Dataset,
    rows: Vec<i64>,
    labels: Vec<i64>,
}

impl<'a> Rows<'a> {
    pub fn new(base: &'a dyn Dataset, rows: Vec<i64>) -> Self {
        let labels = rows.iter().map(|&row| base.labels()[row as usize]).collect();
        Self { base, rows, labels }
    }

    /// Row numbers in the data set underneath.
    pub fn rows(&self) -> &[i64] {
        &self.rows
    }
}

impl Dataset for Rows<'_> {
    fn card(&self) -> &Card {
        self.base.card()
    }

    fn labels(&self) -> &[i64] {
        &self.labels
    }

    fn pixels(&self, rows: &[i64]) -> Result<Tensor> {
        let below: Vec<i64> = rows.iter().map(|&row| self.rows[row as usize]).collect();
        self.base.pixels(&below)
    }
}

/// `per_class` rows of every class without replacement, in ascending order; a class with fewer gives all it has.
pub fn balanced_rows(labels: &[i64], classes: usize, per_class: usize, rng: &mut impl rand::Rng) -> Vec<i64> {
    use rand::seq::SliceRandom;
    let mut by_class = vec![Vec::new(); classes];
    for (row, &label) in labels.iter().enumerate() {
        by_class[label as usize].push(row as i64);
    }
    let mut drawn: Vec<i64> = Vec::with_capacity(per_class * classes);
    for rows in &mut by_class {
        rows.shuffle(rng);
        drawn.extend(rows.iter().take(per_class));
    }
    drawn.sort_unstable();
    drawn
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// `n` pictures of 8 x 8 whose class (row modulo 10) shows as brightness; easy to learn.
    pub fn striped(n: usize) -> Memory {
        let card = Card {
            name: "striped".into(),
            format: "test".into(),
            classes: (0..10).map(|c| c.to_string()).collect(),
            height: 8,
            width: 8,
            channels: 1,
            hash: String::new(),
        };
        let labels: Vec<i64> = (0..n as i64).map(|row| row % 10).collect();
        let pixels: Vec<u8> = labels
            .iter()
            .enumerate()
            .flat_map(|(row, &label)| (0..64).map(move |i| (20 * label as u8) + ((row * 7 + i * 13) % 17) as u8))
            .collect();
        Memory::new(card, &pixels, labels).unwrap()
    }

    #[test]
    fn memory_refuses_what_does_not_fit() {
        let card = striped(10).card;
        assert!(Memory::new(card.clone(), &[0; 64], vec![0, 1]).is_err());
        assert!(Memory::new(card.clone(), &[0; 64], vec![10]).is_err());
        assert!(Memory::new(card, &[], vec![]).is_err());
    }

    #[test]
    fn pictures_come_back_as_bytes() {
        let data = striped(20);
        let picture = data.picture(13).unwrap();
        assert_eq!((picture.width, picture.height, picture.bytes.len()), (8, 8, 256));
        let first = data.pixels.get(13).get(0).get(0).int64_value(&[0]) as u8;
        assert_eq!(picture.bytes[..4], [first, first, first, 255]);
    }

    #[test]
    fn balanced_rows_take_the_same_number_of_each_class() {
        use rand::SeedableRng;
        let data = striped(105);
        let rows = balanced_rows(data.labels(), 10, 4, &mut rand_chacha::ChaCha8Rng::seed_from_u64(1));
        let subset = Rows::new(&data, rows);
        assert_eq!(subset.len(), 40);
        assert!((0..10).all(|class| subset.labels().iter().filter(|&&label| label == class).count() == 4));
        let picture = subset.pixels(&[7]).unwrap();
        assert!(picture.equal(&data.pixels(&[subset.rows()[7]]).unwrap()));
    }
}
