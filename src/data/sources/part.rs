//! What every reader yields, and how it becomes a training and a test set.

use super::pictures;
use crate::data::{Card, Memory, Split};
use crate::experiment::problem::Code;
use crate::experiment::{Problem, Result};

/// Pictures of one size with their labels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub height: usize,
    pub width: usize,
    /// 1 or 3.
    pub channels: usize,
    /// `[N, channels, height, width]`, row by row.
    pub pixels: Vec<u8>,
    pub labels: Vec<i64>,
}

/// What a reader found. At least one of the two parts is there.
#[derive(Debug)]
pub(super) struct Source {
    pub name: String,
    pub format: &'static str,
    /// In label order.
    pub classes: Vec<String>,
    pub train: Option<Part>,
    pub test: Option<Part>,
    /// What the user should know: pictures that were left out, values that were converted.
    pub notes: Vec<String>,
}

/// More classes than any picture data set has; protects from labels that are not labels.
const MOST_CLASSES: i64 = 65_536;

/// Names for sources that have none: the indices as text.
pub(super) fn numbered_classes(parts: &[Option<&Part>]) -> Result<Vec<String>> {
    let highest = parts.iter().flatten().flat_map(|part| &part.labels).copied().max().unwrap_or(0);
    if highest >= MOST_CLASSES {
        return Err(Problem::bad_file(format!("A label is {highest}, which cannot be a class."))
            .remedy("Labels must be class indices: 0, 1, 2, ..."));
    }
    Ok((0..=highest.max(0)).map(|index| index.to_string()).collect())
}

impl Part {
    pub fn rows(&self) -> usize {
        self.labels.len()
    }

    fn picture_bytes(&self) -> usize {
        self.channels * self.height * self.width
    }

    fn resized(self, height: usize, width: usize) -> Result<Self> {
        if (self.height, self.width) == (height, width) {
            return Ok(self);
        }
        check_memory(self.rows() as u64, height as u64, width as u64)?;
        let mut pixels = vec![0; self.rows() * self.channels * height * width];
        let planes: Vec<&[u8]> = self.pixels.chunks_exact(self.height * self.width).collect();
        pictures::for_rows(&mut pixels, height * width, |index, out| {
            pictures::resize_plane(planes[index], (self.height, self.width), out, (height, width));
        })?;
        Ok(Self { height, width, pixels, ..self })
    }

    fn with_channels(self, channels: usize) -> Self {
        if self.channels == channels {
            return self;
        }
        let pixels = self.pixels.chunks_exact(self.height * self.width).flat_map(|plane| plane.repeat(channels));
        Self { pixels: pixels.collect(), channels, ..self }
    }

    fn rows_where(&self, keep: impl Fn(usize) -> bool) -> Self {
        let rows: Vec<usize> = (0..self.rows()).filter(|&row| keep(row)).collect();
        let each = self.picture_bytes();
        let mut pixels = Vec::with_capacity(rows.len() * each);
        for &row in &rows {
            pixels.extend_from_slice(&self.pixels[row * each..(row + 1) * each]);
        }
        Self { pixels, labels: rows.iter().map(|&row| self.labels[row]).collect(), ..*self }
    }

    /// The last sixth of each class, in the order of the source, becomes the test part: pictures that lie side by side
    /// (frames of one scene) then hardly ever end up in both parts, as they would in a random split.
    fn split(self) -> Result<(Self, Self)> {
        let mut per_class = std::collections::BTreeMap::<i64, usize>::new();
        for &label in &self.labels {
            *per_class.entry(label).or_default() += 1;
        }
        let mut seen = std::collections::BTreeMap::<i64, usize>::new();
        let in_test: Vec<bool> = self
            .labels
            .iter()
            .map(|label| {
                let count = per_class[label];
                let for_test = if count > 1 { (count / 6).max(1) } else { 0 };
                let place = seen.entry(*label).or_default();
                *place += 1;
                *place > count - for_test
            })
            .collect();
        if !in_test.contains(&true) {
            return Err(Problem::bad_input("There are too few pictures for a training and a test set.")
                .because(format!("{} pictures, at most one for each class", self.rows()))
                .remedy("Add pictures, or a test set of its own."));
        }
        Ok((self.rows_where(|row| !in_test[row]), self.rows_where(|row| in_test[row])))
    }
}

impl Source {
    /// Brings both parts to one size and number of channels, makes a test part where there is none, and moves all into memory.
    ///
    /// `side` is the wanted side in pixels; 0 keeps the size of the training pictures.
    pub fn finish(mut self, side: usize) -> Result<(Split, Vec<String>)> {
        let first = self.train.as_ref().or(self.test.as_ref());
        let (height, width) = match first {
            _ if side > 0 => (side, side),
            Some(part) => (part.height, part.width),
            None => return Err(Problem::bad_file("There are no pictures in this data set.")),
        };
        let channels = [&self.train, &self.test].into_iter().flatten().map(|part| part.channels).max().unwrap_or(1);
        let fit = |part: Part| Ok::<_, Problem>(part.resized(height, width)?.with_channels(channels));
        let from_one = self.train.is_none() || self.test.is_none();
        let (train, test) = match (self.train.take(), self.test.take()) {
            (Some(train), Some(test)) => (fit(train)?, fit(test)?),
            (None, None) => return Err(Problem::bad_file("There are no pictures in this data set.")),
            (Some(only), None) | (None, Some(only)) => {
                self.notes.push(
                    "The source has one part only: the last sixth of each class became the test set, the rest the training set."
                        .to_owned(),
                );
                self.name.push_str(" (split 5:1)");
                fit(only)?.split()?
            }
        };
        let train = self.memory(train)?;
        let test = self.memory(test)?;
        Ok((Split { train, test, from_one }, self.notes))
    }

    fn memory(&self, part: Part) -> Result<Memory> {
        let card = Card {
            name: self.name.clone(),
            format: self.format.to_owned(),
            classes: self.classes.clone(),
            height: part.height,
            width: part.width,
            channels: part.channels,
            hash: String::new(),
        };
        Memory::new(card, &part.pixels, part.labels).map_err(|problem| problem.at(&self.name))
    }
}

/// Memory that this process may still take, in bytes; a container's own limit counts.
/// Bytes that may still be taken, in this machine and this container.
pub(crate) fn available_memory() -> u64 {
    let Ok(mut system) = sysinfo::System::new() else { return u64::MAX };
    system.refresh_memory();
    let container = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
    system.available_memory().min(container)
}

/// Refuses a data set that would take more than half of the available memory, before any of it is read.
///
/// Counted are three bytes a pixel, twice: once as read, once as a tensor.
pub(super) fn check_memory(rows: u64, height: u64, width: u64) -> Result<()> {
    check_memory_against(available_memory(), rows, height, width)
}

fn check_memory_against(available: u64, rows: u64, height: u64, width: u64) -> Result<()> {
    let needed =
        [u128::from(rows), u128::from(height), u128::from(width)].into_iter().product::<u128>().saturating_mul(6);
    if needed <= u128::from(available / 2) {
        return Ok(());
    }
    let gigabytes = |bytes: f64| format!("{:.1} GB", bytes / 1e9);
    Err(Problem::new(Code::OutOfMemory, "This data set does not fit into memory.")
        .because(format!(
            "{rows} pictures of {height} x {width} pixels need {}; {} are available, and half of that may be used for data",
            gigabytes(needed as f64),
            gigabytes(available as f64)
        ))
        .remedy("Choose a smaller `data.side`, or a data set with fewer pictures."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(labels: &[i64]) -> Part {
        let pixels = (0..labels.len()).flat_map(|row| [row as u8; 4]).collect();
        Part { height: 2, width: 2, channels: 1, pixels, labels: labels.to_vec() }
    }

    fn source(train: Option<Part>, test: Option<Part>) -> Source {
        let classes = vec!["a".to_owned(), "b".to_owned()];
        Source { name: "toy".to_owned(), format: "idx", classes, train, test, notes: Vec::new() }
    }

    #[test]
    fn a_single_part_is_split_by_class_and_says_so() {
        let labels: Vec<i64> = (0..24).map(|row| i64::from(row >= 12)).collect();
        let (split, notes) = source(Some(part(&labels)), None).finish(0).unwrap();
        assert_eq!(split.train.labels.len(), 20);
        assert_eq!(split.test.labels, [0, 0, 1, 1]);
        assert_eq!(split.train.card.name, "toy (split 5:1)");
        assert_eq!(notes.len(), 1);
        let firsts = split.test.pixels.select(1, 0).select(1, 0).select(1, 0);
        assert_eq!(Vec::<u8>::try_from(&firsts).unwrap(), [10, 11, 22, 23]);
    }

    #[test]
    fn one_picture_a_class_cannot_be_split() {
        let problem = source(Some(part(&[0, 1])), None).finish(0).err().unwrap();
        assert!(problem.headline.contains("too few pictures"), "{problem}");
    }

    #[test]
    fn parts_of_different_size_and_colour_are_brought_together() {
        let test = Part { height: 1, width: 1, channels: 3, pixels: vec![10, 20, 30], labels: vec![1] };
        let (split, _) = source(Some(part(&[0, 1])), Some(test)).finish(0).unwrap();
        assert_eq!(split.train.card.channels, 3);
        assert_eq!(split.test.pixels.size(), [1, 3, 2, 2]);
        let first = Vec::<u8>::try_from(&split.test.pixels.select(2, 0).select(2, 0).view([-1])).unwrap();
        assert_eq!(first, [10, 20, 30]);
    }

    #[test]
    fn a_wanted_side_is_reached() {
        let (split, _) = source(Some(part(&[0, 1])), Some(part(&[0, 1]))).finish(5).unwrap();
        assert_eq!(split.train.pixels.size(), [2, 3, 5, 5]);
        assert_eq!((split.test.card.height, split.test.card.width), (5, 5));
    }

    #[test]
    fn too_much_is_refused_with_numbers() {
        let problem = check_memory_against(4_000_000_000, 1_000_000, 32, 32).unwrap_err();
        assert_eq!(problem.code, Code::OutOfMemory);
        assert!(problem.detail[0].contains("need 6.1 GB; 4.0 GB are available"), "{problem}");
        assert!(check_memory_against(4_000_000_000, 60_000, 32, 32).is_ok());
        assert!(check_memory_against(u64::MAX, u64::MAX, u64::MAX, 1).is_err());
    }

    #[test]
    fn labels_that_are_not_classes_are_refused() {
        assert!(numbered_classes(&[Some(&part(&[0, 1 << 40]))]).is_err());
        assert_eq!(numbered_classes(&[Some(&part(&[0, 2])), None]).unwrap(), ["0", "1", "2"]);
    }
}
