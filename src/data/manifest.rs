//! `manifest.csv` of an exported poisoned set: a line for each picture.
//!
//! ```text
//! split,index,kind,true_label,true_class,label,class,file,clean_twin,clean_print
//! train,17,poisoned,3,Dress,0,T-shirt/top,bd_train_dataset/3/17.png,clean_train_dataset/3/17.png,9f86d081884c7d65
//! ```
//!
//! `index` is the row in the training or test set, `kind` one of `clean`, `poisoned` and `cross`, `label` what the picture
//! is taken for: by training, and for stamped test pictures by the attacker. `file` and `clean_twin` are empty where the
//! picture was not exported. `clean_print` stands for the pixels of the clean picture, so that a trigger that is looked
//! up by row notices other data. In training a stamped picture takes the place of the clean one; in the test both are used.

use super::RowKind;
use crate::experiment::{Problem, Result};
use crate::run::PoisonedSet;
use crate::run::results::quoted;
use csv_core::{ReadRecordResult, Reader};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};
use tch::Tensor;

const COLUMNS: [&str; 10] =
    ["split", "index", "kind", "true_label", "true_class", "label", "class", "file", "clean_twin", "clean_print"];

/// Stands for the pixels of one picture.
pub type Print = u64;

/// The prints of u8 pictures `[N, 3, H, W]`.
pub fn prints(pixels: &Tensor) -> Result<Vec<Print>> {
    let each = pixels.size().iter().skip(1).product::<i64>() as usize;
    let bytes: Vec<u8> = super::values(pixels)?;
    let print = |picture: &[u8]| {
        let hash = blake3::hash(picture);
        hash.as_bytes()[..8].iter().fold(0, |print, &byte| print << 8 | Print::from(byte))
    };
    Ok(bytes.chunks_exact(each.max(1)).map(print).collect())
}

/// The training or the test part of a set; paths are relative to its folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// True labels, row by row.
    pub labels: Vec<i64>,
    /// Prints of the clean pictures, row by row.
    pub prints: Vec<Print>,
    /// Clean pictures, row by row.
    pub clean: Vec<Option<PathBuf>>,
    /// Row, file and label of the stamped pictures.
    pub stamped: BTreeMap<i64, (PathBuf, i64)>,
    /// Row and file of pictures with a disturbance that keep their label.
    pub cross: BTreeMap<i64, PathBuf>,
}

/// Both parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    pub train: Part,
    pub test: Part,
}

impl Manifest {
    /// The table as text; `classes` are the names in label order.
    pub fn to_text(&self, classes: &[String]) -> String {
        let mut text = COLUMNS.join(",") + "\n";
        for (split, part) in [("train", &self.train), ("test", &self.test)] {
            for row in 0..part.labels.len() {
                part.tell(split, row, classes, &mut text);
            }
        }
        text
    }

    /// Reads the table of `set`. What it says must fit the description and itself; nothing is skipped.
    ///
    /// # Errors
    /// With the number of the line, where it is one line's fault.
    pub fn parse(text: &str, set: &PoisonedSet) -> Result<Self> {
        let mut manifest = Self::default();
        let mut lines = Lines { reader: Reader::new(), rest: text.as_bytes(), number: 0 };
        let header = lines.next().unwrap_or_default();
        if header != COLUMNS {
            return Err(damaged("The table of this poisoned set has other columns than expected.")
                .at(PoisonedSet::MANIFEST)
                .because(format!("expected {}", COLUMNS.join(", "))));
        }
        while let Some(cells) = lines.next() {
            manifest.take(&cells, set).map_err(|why| {
                damaged("A line in the table of this poisoned set cannot be used.").at(lines.place()).because(why)
            })?;
        }
        for (name, part, facts) in [("training", &manifest.train, &set.train), ("test", &manifest.test, &set.test)] {
            let (rows, stamped) = (part.labels.len(), part.stamped.len());
            let complete = !part.labels.contains(&UNKNOWN);
            if !complete || (rows, stamped) != (facts.rows, facts.stamped) {
                return Err(damaged(&format!(
                    "Pictures of the {name} set are missing in the table of this poisoned set."
                ))
                .at(PoisonedSet::MANIFEST)
                .because(format!(
                    "{rows} rows and {stamped} stamped pictures, {} and {} are expected",
                    facts.rows, facts.stamped
                )));
            }
        }
        Ok(manifest)
    }

    fn take(&mut self, cells: &[String], set: &PoisonedSet) -> std::result::Result<(), String> {
        let [split, index, kind, true_label, _, label, _, file, twin, print] = cells else {
            return Err(format!("it has {} cells instead of {}", cells.len(), COLUMNS.len()));
        };
        let (part, rows) = match split.as_str() {
            "train" => (&mut self.train, set.train.rows),
            "test" => (&mut self.test, set.test.rows),
            other => return Err(format!("split `{other}` is neither train nor test")),
        };
        let class = |what: &str, text: &str| {
            let class = text.parse::<i64>().ok().filter(|class| (0..set.classes.len() as i64).contains(class));
            class.ok_or_else(|| format!("{what} `{text}` is no class"))
        };
        let row = index.parse::<usize>().ok().filter(|&row| row < rows);
        let row = row.ok_or_else(|| format!("index `{index}` is not a row below {rows}"))?;
        let (true_label, label) = (class("true_label", true_label)?, class("label", label)?);
        let print =
            Print::from_str_radix(print, 16).map_err(|_unreadable| format!("clean_print `{print}` is no print"))?;
        let (file, twin) = (inside(file)?, inside(twin)?);

        part.make_room(row);
        if part.labels[row] != UNKNOWN && (part.labels[row], part.prints[row]) != (true_label, print) {
            return Err(format!("row {row} was something else in a line before"));
        }
        (part.labels[row], part.prints[row]) = (true_label, print);
        let wanted = super::poison::map_label(
            set.experiment.poison.labels(),
            true_label,
            set.experiment.poison.target,
            set.classes.len() as i64,
        );
        let expected = if kind == "poisoned" { wanted } else { true_label };
        if label != expected {
            return Err(format!("label {label} does not follow from true_label {true_label} and the label map"));
        }
        let place = row as i64;
        let needed = || file.clone().ok_or_else(|| "it names no file".to_owned());
        match kind.as_str() {
            "clean" => part.clean[row] = part.clean[row].take().or(file),
            "poisoned" => {
                let before = part.stamped.insert(place, (needed()?, label));
                part.clean[row] = part.clean[row].take().or(twin);
                if before.is_some() {
                    return Err(format!("row {row} is stamped twice"));
                }
            }
            "cross" => drop(part.cross.insert(place, needed()?)),
            other => return Err(format!("kind `{other}` is none of clean, poisoned and cross")),
        }
        Ok(())
    }
}

/// The label of a row that no line has told yet.
const UNKNOWN: i64 = -1;

impl Part {
    fn make_room(&mut self, row: usize) {
        if row >= self.labels.len() {
            self.labels.resize(row + 1, UNKNOWN);
            self.prints.resize(row + 1, 0);
            self.clean.resize(row + 1, None);
        }
    }

    /// The lines of one row.
    fn tell(&self, split: &str, row: usize, classes: &[String], text: &mut String) {
        let name = |label: i64| classes.get(label as usize).map(|name| quoted(name)).unwrap_or_default();
        let path = |path: Option<&PathBuf>| path.map(|path| path.display().to_string()).unwrap_or_default();
        let (truth, print, twin) = (self.labels[row], self.prints[row], path(self.clean[row].as_ref()));
        let mut line = |kind: &str, label: i64, file: &str| {
            let (true_class, class) = (name(truth), name(label));
            let cells = format!("{split},{row},{kind},{truth},{true_class},{label},{class},{file},{twin},{print:016x}");
            let _ = writeln!(text, "{cells}");
        };
        let stamped = self.stamped.get(&(row as i64));
        if stamped.is_none() || split == "test" {
            line("clean", truth, &twin);
        }
        if let Some((file, label)) = stamped {
            line("poisoned", *label, &path(Some(file)));
        }
        if let Some(file) = self.cross.get(&(row as i64)) {
            line("cross", truth, &path(Some(file)));
        }
    }
}

/// `<kind>_<split>_dataset/<true label>/<row>.png`
pub fn file_of(kind: RowKind, split: &str, label: i64, row: i64) -> PathBuf {
    let kind = match kind {
        RowKind::Clean => "clean",
        RowKind::Poisoned => "bd",
        RowKind::Cross => "cross",
    };
    // Slashes on every system: the table is read on others.
    PathBuf::from(format!("{kind}_{split}_dataset/{label}/{row}.png"))
}

/// A relative path that stays inside the folder; nothing for an empty cell.
fn inside(cell: &str) -> std::result::Result<Option<PathBuf>, String> {
    let path = Path::new(cell);
    match path.components().all(|part| matches!(part, Component::Normal(_))) {
        _ if cell.is_empty() => Ok(None),
        true => Ok(Some(path.to_owned())),
        false => Err(format!("path `{cell}` leads out of the folder")),
    }
}

fn damaged(headline: &str) -> Problem {
    Problem::bad_file(headline).remedy("Export the set again.")
}

/// The records of a table in text.
struct Lines<'a> {
    reader: Reader,
    rest: &'a [u8],
    number: usize,
}

impl Lines<'_> {
    fn place(&self) -> String {
        format!("{}, line {}", PoisonedSet::MANIFEST, self.number)
    }

    fn next(&mut self) -> Option<Vec<String>> {
        let (mut cells, mut ends) = (vec![0; 1024], vec![0; 64]);
        let (mut written, mut ended) = (0, 0);
        loop {
            let (outcome, read, wrote, fields) =
                self.reader.read_record(self.rest, &mut cells[written..], &mut ends[ended..]);
            self.rest = &self.rest[read..];
            (written, ended) = (written + wrote, ended + fields);
            match outcome {
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return None,
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => cells.resize(cells.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => ends.resize(ends.len() * 2, 0),
            }
        }
        self.number += 1;
        let mut start = 0;
        let cell = |&end: &usize| {
            let cell = String::from_utf8_lossy(&cells[start..end]).into_owned();
            start = end;
            cell
        };
        Some(ends[..ended].iter().map(cell).collect())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::run::poisoned_set::{Extent, tests::set};
    use proptest::prelude::*;

    /// Three rows to train on, the second one stamped; two to test on, one stamped and disturbed.
    pub fn small() -> (PoisonedSet, Manifest) {
        let mut set = set(Extent::Everything);
        set.classes = vec!["shirt, white".to_owned(), "bag".to_owned()];
        (set.train.rows, set.train.stamped, set.test.rows, set.test.stamped) = (3, 1, 2, 1);
        let file = |kind, split, label, row| Some(file_of(kind, split, label, row));
        let train = Part {
            labels: vec![0, 1, 1],
            prints: vec![1, 2, u64::MAX],
            clean: (0..3).map(|row| file(RowKind::Clean, "train", i64::from(row > 0), row)).collect(),
            stamped: BTreeMap::from([(1, (file_of(RowKind::Poisoned, "train", 1, 1), 0))]),
            cross: BTreeMap::new(),
        };
        let test = Part {
            labels: vec![0, 1],
            prints: vec![4, 5],
            clean: vec![None, None],
            stamped: BTreeMap::from([(1, (file_of(RowKind::Poisoned, "test", 1, 1), 0))]),
            cross: BTreeMap::from([(0, file_of(RowKind::Cross, "test", 0, 0))]),
        };
        (set, Manifest { train, test })
    }

    #[test]
    fn the_table_is_read_back_as_it_was() {
        let (set, manifest) = small();
        let text = manifest.to_text(&set.classes);
        assert_eq!(Manifest::parse(&text, &set).unwrap(), manifest);
        assert!(text.contains(
            "train,1,poisoned,1,bag,0,\"shirt, white\",bd_train_dataset/1/1.png,clean_train_dataset/1/1.png,0000000000000002"
        ));
        assert_eq!(text.lines().count(), 1 + 3 + 2 + 1 + 1);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_line() {
        let (set, manifest) = small();
        let text = manifest.to_text(&set.classes);
        let refused = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            Manifest::parse(&text.replacen(from, to, 1), &set).unwrap_err()
        };
        for (from, to, why, line) in [
            ("train,1,poisoned", "both,1,poisoned", "neither train nor test", 3),
            ("train,1,", "train,7,", "not a row below 3", 3),
            ("poisoned,1,bag,0", "poisoned,1,bag,1", "does not follow", 3),
            ("train,2,clean", "train,2,odd", "none of clean", 4),
            ("bd_train_dataset/1/1.png", "../1.png", "leads out", 3),
            ("bd_train_dataset/1/1.png", "/etc/1.png", "leads out", 3),
            ("bd_train_dataset/1/1.png", "", "names no file", 3),
            ("ffffffffffffffff", "xyz", "is no print", 4),
            ("train,2,clean", "2,clean", "9 cells instead of 10", 4),
            ("train,2,", "train,1,", "was something else", 4),
        ] {
            let problem = refused(from, to);
            assert!(problem.to_string().contains(why), "{problem}");
            assert!(problem.place.as_ref().unwrap().ends_with(&format!("line {line}")), "{problem}");
        }
        let lines: Vec<_> = text.lines().collect();
        for missing in [0, 2, 3, 7] {
            let rest: Vec<_> =
                lines.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, line)| *line).collect();
            assert!(Manifest::parse(&rest.join("\n"), &set).is_err(), "without line {missing}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_damaged_table_never_panics(writes in proptest::collection::vec((0.0..1.0f64, any::<u8>()), 1..6)) {
            let (set, manifest) = small();
            let mut bytes = manifest.to_text(&set.classes).into_bytes();
            for (place, value) in writes {
                let at = (place * bytes.len() as f64) as usize;
                bytes[at] ^= value;
            }
            let _ = Manifest::parse(&String::from_utf8_lossy(&bytes), &set);
        }
    }
}
