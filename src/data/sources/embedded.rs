//! The data set inside the program: 12,000 pictures of Fashion-MNIST, for first runs without any download.
//!
//! Training: the first 1,000 rows of each class in file order; test: the first 200. Made by
//! `packaging/make_fashion_mini.py`; licence beside the files in `assets/fashion-mini`.

use super::idx;
use super::part::Source;
use crate::experiment::Result;

/// What users write as `data.source`.
pub const FASHION_MINI: &str = "fashion-mini";

const CLASSES: [&str; 10] =
    ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];

macro_rules! asset {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/fashion-mini/", $name))
    };
}

pub(super) fn fashion_mini() -> Result<Source> {
    let train = idx::part_from_bytes(asset!("train-images-idx3-ubyte.gz"), asset!("train-labels-idx1-ubyte.gz"))?;
    let test = idx::part_from_bytes(asset!("t10k-images-idx3-ubyte.gz"), asset!("t10k-labels-idx1-ubyte.gz"))?;
    Ok(Source {
        name: "Fashion-MNIST (embedded, 10,000 + 2,000)".to_owned(),
        format: "embedded",
        classes: CLASSES.map(str::to_owned).to_vec(),
        train: Some(train),
        test: Some(test),
        notes: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_balanced_and_square() {
        let source = fashion_mini().unwrap();
        for (part, per_class) in [(source.train.unwrap(), 1000), (source.test.unwrap(), 200)] {
            assert_eq!((part.height, part.width, part.channels), (28, 28, 1));
            for class in 0..10 {
                assert_eq!(part.labels.iter().filter(|&&label| label == class).count(), per_class);
            }
        }
    }

    #[test]
    fn it_stays_small() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/fashion-mini");
        let sizes = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
        assert!(sizes.sum::<u64>() <= 6_000_000);
    }
}
