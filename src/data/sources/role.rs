//! Which part of a data set a file or folder holds, told by its name: the one thing that contents do not tell.

use super::sniff;
use std::path::Path;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Train,
    Test,
    Validation,
}

impl Role {
    /// The role of a whole name: `train`, `Test`, `val`.
    pub fn of(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "train" | "training" => Some(Role::Train),
            "test" | "testing" | "t10k" => Some(Role::Test),
            "val" | "valid" | "validation" | "dev" => Some(Role::Validation),
            _ => None,
        }
    }

    /// The role of a file: the first word of its name that is one (`emnist-letters-train-images`), else its folder's name.
    pub fn of_file(path: &Path) -> Option<Self> {
        let name = sniff::file_name(path);
        let folder = path.parent().map(sniff::file_name).unwrap_or_default();
        name.split(|c: char| !c.is_ascii_alphanumeric()).find_map(Self::of).or_else(|| Self::of(&folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_count_first_in_the_name_then_in_the_folder() {
        let role = |path: &str| Role::of_file(Path::new(path));
        assert_eq!(role("data/train-00000-of-00002.parquet"), Some(Role::Train));
        assert_eq!(role("t10k-images-idx3-ubyte.gz"), Some(Role::Test));
        assert_eq!(role("test_batch.bin"), Some(Role::Test));
        assert_eq!(role("validation-0.parquet"), Some(Role::Validation));
        assert_eq!(role("default/Test/0000.parquet"), Some(Role::Test));
        assert_eq!(role("train/test-0.parquet"), Some(Role::Test));
        assert_eq!(role("latest/constraint.parquet"), None);
    }
}
