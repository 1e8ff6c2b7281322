//! Folders of pictures: `root/[train|val|test/]<class>/**/<picture>`.
//!
//! The class index is the rank of the folder's name in byte order; pictures come in path order, as in torchvision.
//! What is a picture is told by its first bytes.

use super::part::{self, Part, Source};
use super::pictures::{self, Decoded};
use super::role::Role;
use super::sniff;
use crate::experiment::{Problem, Result};
use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Folders nested deeper than this are not looked into.
const DEEPEST: usize = 16;

/// A class and the files in its folder, pictures or not.
struct Class {
    name: String,
    files: Vec<PathBuf>,
}

/// What will be read from where.
struct Layout {
    train: Vec<Class>,
    test: Option<Vec<Class>>,
    notes: Vec<String>,
}

pub(super) fn sub_folders(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(sniff::entries(folder)?.into_iter().filter(|path| path.is_dir()).collect())
}

/// All files below a folder, in path order. Links to folders are not followed, so this ends.
fn files_below(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    for path in sniff::entries(folder)? {
        if path.is_file() {
            files.push(path);
        } else if depth < DEEPEST && path.is_dir() && !path.is_symlink() {
            files_below(&path, depth + 1, files)?;
        }
    }
    Ok(())
}

/// Named like a picture: used for words about damaged files and empty classes only.
fn named_like_a_picture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    matches!(
        extension.as_str(),
        "jpg" | "jpeg" | "png" | "ppm" | "pgm" | "pbm" | "pnm" | "bmp" | "tif" | "tiff" | "webp"
    )
}

fn head(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    // An unreadable file is told about when its pixels are wanted.
    let _ = File::open(path).and_then(|file| file.take(512).read_to_end(&mut head));
    head
}

/// The sub-folders that hold at least one picture, or a file that should be one.
fn classes(folder: &Path) -> Result<Vec<Class>> {
    let mut classes = Vec::new();
    for path in sub_folders(folder)? {
        let mut files = Vec::new();
        files_below(&path, 0, &mut files)?;
        if files.iter().any(|file| named_like_a_picture(file) || sniff::is_picture(&head(file))) {
            classes.push(Class { name: sniff::file_name(&path), files });
        }
    }
    Ok(classes)
}

/// Nothing when this is not a tree of class folders.
fn layout(root: &Path) -> Result<Option<Layout>> {
    let folders = sub_folders(root)?;
    let mut roles: Vec<(Role, &PathBuf)> =
        folders.iter().filter_map(|path| Some((Role::of(&sniff::file_name(path))?, path))).collect();
    roles.sort();
    let train = match roles.first() {
        Some((Role::Train, folder)) => classes(folder)?,
        _ => Vec::new(),
    };
    if train.len() < 2 {
        // No training folder, or a class that is called `train`.
        let train = classes(root)?;
        let plain = train.len() > 1 && train.iter().any(|class| Role::of(&class.name).is_none());
        return Ok(plain.then_some(Layout { train, test: None, notes: Vec::new() }));
    }
    let mut notes = Vec::new();
    for (_, folder) in &roles[1..] {
        let test = classes(folder)?;
        if !test.is_empty() && test.iter().all(|class| train.iter().any(|known| known.name == class.name)) {
            return Ok(Some(Layout { train, test: Some(test), notes }));
        }
        notes
            .push(format!("`{}` was not used: its folders are not the classes of the training set.", folder.display()));
    }
    Ok(Some(Layout { train, test: None, notes }))
}

fn load(path: &Path) -> std::result::Result<Cow<'static, [u8]>, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    file.take(pictures::LARGEST_FILE).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if sniff::is_picture(&bytes) {
        Ok(Cow::Owned(bytes))
    } else {
        Err(format!("it is {}", sniff::by_first_bytes(&bytes[..bytes.len().min(512)]).describe()))
    }
}

/// Height and width of the first picture.
fn first_size(classes: &[Class]) -> Result<(usize, usize)> {
    let files = classes.iter().flat_map(|class| &class.files);
    let found = files.filter_map(|file| pictures::size(&load(file).ok()?).ok()).next();
    found.ok_or_else(|| Problem::bad_file("None of these pictures can be read.").remedy("Download or copy them again."))
}

fn read_part(classes: &[Class], names: &[String], size: (usize, usize), notes: &mut Vec<String>) -> Result<Part> {
    let index = |class: &Class| names.iter().position(|name| *name == class.name).unwrap_or_default() as i64;
    let items: Vec<(&PathBuf, i64)> =
        classes.iter().flat_map(|class| class.files.iter().map(move |file| (file, index(class)))).collect();
    part::check_memory(items.len() as u64, size.0 as u64, size.1 as u64)?;
    let decoded = pictures::decode_all(&items, size, |(path, _)| load(path))?;
    let (unreadable, skipped): (Vec<_>, Vec<_>) =
        decoded.failures.iter().partition(|(row, _)| is_damaged_picture(items[*row].0));
    let failures: Vec<(String, String)> =
        unreadable.iter().map(|(row, reason)| (items[*row].0.display().to_string(), reason.clone())).collect();
    pictures::check_failures(&failures, items.len() - skipped.len())?;
    notes.extend(pictures::failure_notes(&failures));
    if !skipped.is_empty() {
        notes.push(format!("{} files are not pictures and were skipped.", skipped.len()));
    }
    let labels = decoded.kept(items.iter().map(|(_, label)| *label));
    for class in classes {
        if !labels.contains(&index(class)) {
            notes.push(format!("The class `{}` has no picture that can be read.", class.name));
        }
    }
    Ok(decoded.into_part(size, labels))
}

fn is_damaged_picture(path: &Path) -> bool {
    named_like_a_picture(path) || sniff::is_picture(&head(path))
}

/// Nothing when this is not a tree of class folders. `side` 0 keeps the size of the first picture.
pub(super) fn read(root: &Path, side: usize) -> Result<Option<Source>> {
    let mut root = root.to_owned();
    let mut found = layout(&root)?;
    // An unpacked archive often is a folder in a folder.
    for _ in 0..2 {
        match (&found, &sub_folders(&root)?[..]) {
            (None, [only]) => {
                root = only.clone();
                found = layout(&root)?;
            }
            _ => break,
        }
    }
    let Some(Layout { train, test, mut notes }) = found else { return Ok(None) };
    let read_all = |notes: &mut Vec<String>| {
        let size = if side > 0 { (side, side) } else { first_size(&train)? };
        let names: Vec<String> = train.iter().map(|class| class.name.clone()).collect();
        let train = read_part(&train, &names, size, notes)?;
        let test = test.map(|test| read_part(&test, &names, size, notes)).transpose()?;
        Ok((names, train, test))
    };
    let (classes, train, test) = read_all(&mut notes).map_err(|problem: Problem| problem.at(root.display()))?;
    let name = sniff::file_name(&root);
    Ok(Some(Source { name, format: "folder", classes, train: Some(train), test, notes }))
}

impl Decoded {
    /// What belongs to the pictures that could be decoded.
    pub fn kept<T>(&self, all: impl Iterator<Item = T>) -> Vec<T> {
        let mut failed = self.failures.iter().map(|(row, _)| *row).peekable();
        all.enumerate().filter(|(row, _)| failed.next_if_eq(row).is_none()).map(|(_, item)| item).collect()
    }

    /// Grey pictures are kept with one channel.
    pub fn into_part(self, (height, width): (usize, usize), labels: Vec<i64>) -> Part {
        let (channels, pixels) =
            if self.colour { (3, self.pixels) } else { (1, pictures::first_planes(&self.pixels, height * width)) };
        Part { height, width, channels, pixels, labels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::sources::pictures::tests::{grey_png, png};
    use crate::data::sources::{SourceChoice, open_with_notes, testing};
    use proptest::prelude::*;

    fn tree(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn opened(folder: &Path) -> (crate::data::Split, Vec<String>) {
        open_with_notes(&folder.to_string_lossy(), &SourceChoice::default()).unwrap()
    }

    #[test]
    fn classes_are_ranked_in_byte_order_and_extensions_do_not_count() {
        let folder = tree(&[
            ("train/b/2.txt", png([2, 0, 0], 2, 2)),
            ("train/b/deep/er/1", png([3, 0, 0], 2, 2)),
            ("train/B/x.png", png([1, 0, 0], 4, 4)),
            ("train/b/readme.md", b"about b".to_vec()),
            ("val/b/y.png", png([9, 0, 0], 2, 2)),
            ("train/.hidden/z.png", png([7, 0, 0], 2, 2)),
        ]);
        let (split, notes) = opened(folder.path());
        assert_eq!(split.train.card.classes, ["B", "b"]);
        assert_eq!(split.train.labels, [0, 1, 1]);
        assert_eq!(split.test.labels, [1]);
        assert_eq!((split.train.card.height, split.train.card.channels), (4, 3));
        let reds = split.train.pixels.select(1, 0).select(1, 0).select(1, 0);
        assert_eq!(Vec::<u8>::try_from(&reds).unwrap(), [1, 2, 3]);
        assert_eq!(notes, ["1 files are not pictures and were skipped."]);
    }

    #[test]
    fn damaged_pictures_are_listed_not_fatal() {
        let folder = tree(&[
            ("cat/1.png", grey_png(1, 2, 2)),
            ("cat/2.png", grey_png(2, 2, 2)),
            ("cat/3.png", b"version https://git-lfs.github.com/spec/v1\n".to_vec()),
            ("dog/1.png", grey_png(1, 2, 2)),
            ("dog/2.png", grey_png(2, 2, 2)[..30].to_vec()),
            ("dog/3.png", grey_png(3, 2, 2)),
        ]);
        let (split, notes) = opened(folder.path());
        assert_eq!(split.train.labels.len() + split.test.labels.len(), 4);
        assert_eq!(split.train.card.channels, 1);
        let left_out: Vec<&String> = notes.iter().filter(|note| note.starts_with("Left out")).collect();
        assert!(left_out[0].contains("cat/3.png") && left_out[0].contains("Git LFS"), "{notes:?}");
        assert!(left_out[1].contains("dog/2.png"), "{notes:?}");
    }

    #[test]
    fn a_tree_of_pointers_is_refused() {
        let pointer = || b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n".to_vec();
        let folder = tree(&[("cat/1.jpg", pointer()), ("dog/1.jpg", pointer())]);
        let problem = testing::problem(folder.path());
        assert!(problem.headline.contains("None of these pictures"), "{problem}");
    }

    #[test]
    fn a_test_folder_without_classes_is_left_out() {
        let folder = tree(&[
            ("toy/train/cat/1.png", grey_png(1, 2, 2)),
            ("toy/train/cat/2.png", grey_png(1, 2, 2)),
            ("toy/train/dog/1.png", grey_png(1, 2, 2)),
            ("toy/test/images/1.png", grey_png(1, 2, 2)),
        ]);
        let (split, notes) = opened(folder.path());
        assert_eq!((split.train.labels.len(), split.test.labels.len()), (2, 1));
        assert!(notes[0].contains("was not used"), "{notes:?}");
        assert_eq!(split.train.card.name, "toy (split 5:1)");
    }

    #[test]
    fn one_folder_of_pictures_is_not_a_data_set() {
        let folder = tree(&[("images/1.png", grey_png(1, 2, 2)), ("notes.txt", b"hello".to_vec())]);
        assert!(read(folder.path(), 0).unwrap().is_none());
    }

    #[test]
    fn a_class_may_be_called_train() {
        let folder = tree(&[("boat/1.png", grey_png(1, 2, 2)), ("train/1.png", grey_png(1, 2, 2))]);
        assert_eq!(read(folder.path(), 0).unwrap().unwrap().classes, ["boat", "train"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn damaged_pictures_never_panic(damage in testing::damage()) {
            let good = png([9, 8, 7], 3, 3);
            let folder = tree(&[("a/1.png", good.clone()), ("a/2.png", damage.apply(&good)), ("b/1.png", good)]);
            let _ = read(folder.path(), 2);
        }
    }
}
