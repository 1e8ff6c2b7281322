//! Data sets: 8-bit pictures with labels, kept in memory once. Poison is an overlay, batches are tensors.

pub mod sources;

use crate::experiment::Result;
use crate::run::event::Rgba;
use serde::{Deserialize, Serialize};
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
}

/// A data set in memory.
#[derive(Debug)]
pub struct Memory {
    pub card: Card,
    /// u8, `[N, 3, H, W]`, on the processor.
    pub pixels: Tensor,
    pub labels: Vec<i64>,
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
        use crate::experiment::Problem;
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
        Ok(Self { card, pixels, labels })
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
    let interleaved = Tensor::cat(&[pixels, &alpha], 0).permute([1, 2, 0]).contiguous().view([-1]);
    let bytes = Vec::<u8>::try_from(&interleaved)
        .map_err(|e| crate::experiment::Problem::internal("Cannot read pixels back.").because(e))?;
    Ok(Rgba { width, height, bytes })
}
