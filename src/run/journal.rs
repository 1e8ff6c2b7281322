//! `metrics.jsonl`: one metric point a line, only ever added to, readable however it was cut off.

use super::atomic::write_atomic;
use super::event::MetricPoint;
use crate::experiment::{Problem, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens or creates a journal. A last line that was cut off is removed, so that the next one starts cleanly.
    pub fn open(path: &Path) -> Result<Self> {
        let open = || -> io::Result<File> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
            end_cleanly(&mut file)?;
            Ok(file)
        };
        let file = open().map_err(|error| Problem::io("open the journal", path, &error))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Adds points and hands them to the operating system at once. Values that are not numbers leave a gap.
    pub fn append(&mut self, points: &[MetricPoint]) -> Result<()> {
        let mut lines = Vec::new();
        for point in points.iter().filter(|point| point.value.is_finite() && point.epoch.is_finite()) {
            serde_json::to_writer(&mut lines, point)
                .map_err(|error| Problem::internal("A metric cannot be written.").at(&point.metric).because(error))?;
            lines.push(b'\n');
        }
        // One write for all lines: what a killed process leaves behind is cut in one place at most.
        self.file.write_all(&lines).map_err(|error| Problem::io("write the journal", &self.path, &error))
    }
}

fn end_cleanly(file: &mut File) -> io::Result<()> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    if whole == bytes.len() {
        return Ok(());
    }
    if parse(&bytes[whole..]).is_some() {
        file.write_all(b"\n")
    } else {
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0)).map(drop)
    }
}

/// All points of a journal, in order. Lines that are damaged are left out; a journal that is not there is empty.
pub fn load(path: &Path) -> Result<Vec<MetricPoint>> {
    let bytes = read(path)?;
    let mut points = Vec::new();
    let mut damaged = 0;
    for line in lines(&bytes) {
        match parse(line) {
            Some(point) => points.push(point),
            None => damaged += 1,
        }
    }
    if damaged > 0 {
        tracing::warn!("{damaged} damaged lines were left out of {}", path.display());
    }
    Ok(points)
}

/// Forgets the points of a phase beyond `epoch`, which is being resumed from there. Not for an open journal.
pub fn truncate_after(path: &Path, phase: &str, epoch: f64) -> Result<()> {
    let bytes = read(path)?;
    let kept: Vec<u8> = lines(&bytes)
        .filter(|line| parse(line).is_some_and(|point| point.phase != phase || point.epoch <= epoch))
        .flat_map(|line| line.iter().copied().chain([b'\n']))
        .collect();
    if kept == bytes { Ok(()) } else { write_atomic(path, &kept) }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        result => result.map_err(|error| Problem::io("read the journal", path, &error)),
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty())
}

fn parse(line: &[u8]) -> Option<MetricPoint> {
    serde_json::from_slice(line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn point(phase: &str, metric: &str, epoch: f64, value: f64) -> MetricPoint {
        MetricPoint { phase: phase.into(), metric: metric.into(), epoch, value }
    }

    fn sample() -> Vec<MetricPoint> {
        vec![
            point("attack", "loss", 0.5, 2.25),
            point("attack", "acc", 1.0, 0.5),
            point("attack", "acc", 2.0, 0.75),
            point("npd", "asr", 1.0, 0.125),
            point("npd \"quoted\"\n", "größe", 3.0, -1e-6),
        ]
    }

    #[test]
    fn points_come_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/metrics.jsonl");
        assert_eq!(load(&path).unwrap(), []);
        let mut journal = Journal::open(&path).unwrap();
        journal.append(&sample()[..2]).unwrap();
        assert_eq!(load(&path).unwrap().len(), 2, "written while the journal is still open");
        journal.append(&sample()[2..]).unwrap();
        journal.append(&[point("attack", "loss", 1.0, f64::NAN)]).unwrap();
        assert_eq!(load(&path).unwrap(), sample());
    }

    #[test]
    fn resuming_forgets_only_what_will_be_done_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        Journal::open(&path).unwrap().append(&sample()).unwrap();
        let before = fs::read_to_string(&path).unwrap();
        truncate_after(&path, "attack", 1.0).unwrap();
        let kept = load(&path).unwrap();
        assert_eq!(kept, [&sample()[..2], &sample()[3..]].concat());
        assert!(
            fs::read_to_string(&path).unwrap().lines().all(|line| before.contains(line)),
            "lines stay as they were"
        );
        truncate_after(&path, "never begun", 0.0).unwrap();
        assert_eq!(load(&path).unwrap(), kept);
        truncate_after(&folder.path().join("missing.jsonl"), "attack", 0.0).unwrap();
    }

    #[test]
    fn a_damaged_line_costs_itself_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        Journal::open(&path).unwrap().append(&sample()).unwrap();
        let text = fs::read_to_string(&path).unwrap().replacen("0.75", "0.7\u{1}", 1);
        fs::write(&path, text).unwrap();
        assert_eq!(load(&path).unwrap().len(), sample().len() - 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_journal_cut_at_any_byte_goes_on(cut in 0usize..500) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("metrics.jsonl");
            Journal::open(&path).unwrap().append(&sample()).unwrap();
            let bytes = fs::read(&path).unwrap();
            let cut = cut.min(bytes.len());
            fs::write(&path, &bytes[..cut]).unwrap();

            let kept = load(&path).unwrap();
            prop_assert_eq!(&kept[..], &sample()[..kept.len()]);
            let whole_lines = bytes[..cut].iter().filter(|&&byte| byte == b'\n').count();
            prop_assert!(kept.len() == whole_lines || kept.len() == whole_lines + 1);

            let next = point("npd", "acc", 9.0, 0.5);
            Journal::open(&path).unwrap().append(std::slice::from_ref(&next)).unwrap();
            let mut expected = kept;
            expected.push(next);
            prop_assert_eq!(load(&path).unwrap(), expected);
        }

        #[test]
        fn any_bytes_can_be_loaded_and_continued(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("metrics.jsonl");
            fs::write(&path, &bytes).unwrap();
            let points = load(&path).unwrap().len();
            Journal::open(&path).unwrap().append(&sample()).unwrap();
            prop_assert_eq!(load(&path).unwrap().len(), points + sample().len());
        }
    }
}
