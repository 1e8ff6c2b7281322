//! `moments.jsonl`: what a model said after every epoch, only ever added to, so that a run can be played again without an
//! engine. The pictures themselves lie beside it in `moments/`, each set of them once.

use super::event::{Confusion, Glimpse, Rgba, WatchedPicture};
use super::folder::RunFolder;
use crate::experiment::{Problem, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;

/// Pictures of one moment, clean and stamped.
type Pair = (Arc<Rgba>, Arc<Rgba>);

#[derive(Serialize, Deserialize)]
struct Moment {
    confusion: Confusion,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pictures: Vec<Said>,
    /// The pictures in the order of `pictures`, in the folder of the moments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sheet: Option<String>,
    /// When it was; older runs did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

/// What the model said of one watched picture.
#[derive(Serialize, Deserialize)]
struct Said {
    row: usize,
    label: usize,
    wanted: usize,
    clean: usize,
    stamped: usize,
    fooled: bool,
}

/// Adds what the model says now.
pub fn append(run: &Path, glimpse: &Glimpse) -> Result<()> {
    let sheet = keep_sheet(&run.join(RunFolder::MOMENT_SHEETS), &glimpse.pictures)?;
    let said = |picture: &WatchedPicture| Said {
        row: picture.row,
        label: picture.label,
        wanted: picture.wanted,
        clean: picture.clean_answer,
        stamped: picture.stamped_answer,
        fooled: picture.fooled,
    };
    let pictures = glimpse.pictures.iter().map(said).collect();
    let moment = Moment { confusion: glimpse.confusion.clone(), pictures, sheet, seconds: glimpse.seconds };
    let path = run.join(RunFolder::MOMENTS);
    let mut line = serde_json::to_vec(&moment)
        .map_err(|error| Problem::internal("A moment of the run cannot be written.").because(error))?;
    line.push(b'\n');
    // A line that was cut off by a crash must not swallow this one.
    if fs::read(&path).is_ok_and(|bytes| bytes.last().is_some_and(|last| *last != b'\n')) {
        line.insert(0, b'\n');
    }
    let write = || OpenOptions::new().create(true).append(true).open(&path)?.write_all(&line);
    write().map_err(|error| Problem::io("write the moments of the run", &path, &error))
}

/// All moments in their order; what an interrupted run has done again is there once. Damaged lines are left out, and a
/// run that recorded none has none.
pub fn load(run: &Path) -> Vec<Glimpse> {
    let bytes = fs::read(run.join(RunFolder::MOMENTS)).unwrap_or_default();
    let mut sheets: HashMap<String, Vec<Pair>> = HashMap::new();
    let mut moments: Vec<Glimpse> = Vec::new();
    for line in bytes.split(|&byte| byte == b'\n') {
        let Ok(moment) = serde_json::from_slice::<Moment>(line) else { continue };
        let pairs = moment.sheet.map(|name| {
            let count = moment.pictures.len();
            sheets.entry(name.clone()).or_insert_with(|| read_sheet(run, &name, count).unwrap_or_default()).clone()
        });
        let picture = |(said, (clean, stamped)): (Said, Pair)| WatchedPicture {
            row: said.row,
            label: said.label,
            wanted: said.wanted,
            clean,
            stamped,
            clean_answer: said.clean,
            stamped_answer: said.stamped,
            fooled: said.fooled,
        };
        let pictures = moment.pictures.into_iter().zip(pairs.unwrap_or_default()).map(picture).collect();
        let key = |confusion: &Confusion| (confusion.phase.clone(), confusion.epoch.map(f64::to_bits));
        moments.retain(|other| key(&other.confusion) != key(&moment.confusion));
        moments.push(Glimpse { confusion: moment.confusion, pictures, seconds: moment.seconds });
    }
    moments
}

/// Clean pictures above their stamped twins as PNG, named by what is in it.
fn keep_sheet(folder: &Path, pictures: &[WatchedPicture]) -> Result<Option<String>> {
    let Some(first) = pictures.first().map(|picture| &picture.clean) else { return Ok(None) };
    let (width, height) = (first.width, first.height);
    let fits = |rgba: &Rgba| (rgba.width, rgba.height) == (width, height) && rgba.is_whole();
    if !pictures.iter().all(|picture| fits(&picture.clean) && fits(&picture.stamped)) {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(2 * pictures.len() * width * height * 4);
    for row in [|picture: &WatchedPicture| picture.clean.clone(), |picture: &WatchedPicture| picture.stamped.clone()] {
        let row: Vec<Arc<Rgba>> = pictures.iter().map(row).collect();
        for y in 0..height {
            row.iter().for_each(|rgba| bytes.extend_from_slice(&rgba.bytes[y * width * 4..(y + 1) * width * 4]));
        }
    }
    let name = format!("{}.png", &blake3::hash(&bytes).to_hex()[..16]);
    let path = folder.join(&name);
    if !path.exists() {
        let mut png = Cursor::new(Vec::new());
        let size = (u32::try_from(width * pictures.len()), u32::try_from(2 * height));
        let drawn = match size {
            (Ok(width), Ok(height)) => image::RgbaImage::from_raw(width, height, bytes),
            _ => None,
        };
        let drawn = drawn.ok_or_else(|| Problem::internal("The watched pictures do not fit their sheet."))?;
        drawn
            .write_to(&mut png, image::ImageFormat::Png)
            .map_err(|error| Problem::internal("The watched pictures cannot be written.").because(error))?;
        super::atomic::write_atomic(&path, png.get_ref())?;
    }
    Ok(Some(name))
}

/// The pairs of a sheet; nothing where it is missing or is not what it should be.
fn read_sheet(run: &Path, name: &str, count: usize) -> Option<Vec<Pair>> {
    // Names come from a file that anybody may have written.
    if name.contains(['/', '\\']) || count == 0 {
        return None;
    }
    let bytes = fs::read(run.join(RunFolder::MOMENT_SHEETS).join(name)).ok()?;
    let sheet = image::load_from_memory_with_format(&bytes, image::ImageFormat::Png).ok()?.into_rgba8();
    let (width, height) = (sheet.width() as usize / count, sheet.height() as usize / 2);
    let cut = |column: usize, row: usize| {
        let part = image::imageops::crop_imm(
            &sheet,
            (column * width) as u32,
            (row * height) as u32,
            width as u32,
            height as u32,
        );
        Arc::new(Rgba { width, height, bytes: part.to_image().into_raw() })
    };
    (width > 0 && height > 0).then(|| (0..count).map(|column| (cut(column, 0), cut(column, 1))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(row: usize, shade: u8, fooled: bool) -> WatchedPicture {
        let of = |shade: u8| {
            let bytes = (0..6).flat_map(|pixel| [shade, pixel, 7, 255]).collect();
            Arc::new(Rgba { width: 2, height: 3, bytes })
        };
        let answers = (1, if fooled { 0 } else { 1 });
        WatchedPicture {
            row,
            label: 1,
            wanted: 0,
            clean: of(shade),
            stamped: of(shade + 1),
            clean_answer: answers.0,
            stamped_answer: answers.1,
            fooled,
        }
    }

    fn glimpse(epoch: Option<f64>, fooled: bool) -> Glimpse {
        let classes = ["a", "b"].map(String::from).to_vec();
        let confusion =
            Confusion { phase: "attack".into(), epoch, classes, clean: vec![1, 0, 0, 1], stamped: Vec::new() };
        Glimpse { confusion, pictures: vec![picture(4, 10, fooled), picture(9, 20, fooled)], seconds: epoch }
    }

    #[test]
    fn moments_come_back_with_their_pictures_and_once() {
        let folder = tempfile::tempdir().unwrap();
        assert!(load(folder.path()).is_empty());
        for moment in
            [glimpse(Some(1.0), false), glimpse(Some(2.0), false), glimpse(Some(2.0), true), glimpse(None, true)]
        {
            append(folder.path(), &moment).unwrap();
        }
        let all = load(folder.path());
        let epochs: Vec<_> = all.iter().map(|moment| moment.confusion.epoch).collect();
        assert_eq!(epochs, [Some(1.0), Some(2.0), None]);
        let (written, read) = (glimpse(Some(2.0), true), &all[1]);
        assert_eq!((&read.confusion, read.seconds), (&written.confusion, Some(2.0)));
        for (read, written) in read.pictures.iter().zip(&written.pictures) {
            assert_eq!((read.row, read.fooled, read.stamped_answer), (written.row, true, 0));
            assert_eq!((&read.clean, &read.stamped), (&written.clean, &written.stamped));
        }
        let sheets = fs::read_dir(folder.path().join(RunFolder::MOMENT_SHEETS)).unwrap().count();
        assert_eq!(sheets, 1, "the same pictures are kept once");
    }

    #[test]
    fn what_is_cut_off_or_missing_costs_itself_only() {
        let folder = tempfile::tempdir().unwrap();
        append(folder.path(), &glimpse(Some(1.0), false)).unwrap();
        let path = folder.path().join(RunFolder::MOMENTS);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend_from_slice(b"{\"confusion\": {\"pha");
        fs::write(&path, &bytes).unwrap();
        append(folder.path(), &glimpse(Some(2.0), false)).unwrap();
        assert_eq!(load(folder.path()).len(), 2);
        fs::remove_dir_all(folder.path().join(RunFolder::MOMENT_SHEETS)).unwrap();
        let all = load(folder.path());
        assert!(all.len() == 2 && all.iter().all(|moment| moment.pictures.is_empty()));
    }
}
