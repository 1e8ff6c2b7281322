//! Runs on disk as the window shows them.

use super::job::{JobState, JobView, best_repair};
use crate::experiment::{Problem, Result, Scores};
use crate::run::bin::{self, Binned};
use crate::run::event::{Ending, Glimpse, MetricPoint, Picture, Rgba};
use crate::run::index::{Filter, RunRow};
use crate::run::{Found, Index, Results, Review, RunFolder, State, folder, moments};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whether a run can go on from its last saved point.
pub fn can_continue(row: &RunRow) -> bool {
    matches!(row.state, Some(State::Interrupted | State::Stopped | State::Failed))
}

/// The state in a word.
pub fn state_word(row: &RunRow) -> &'static str {
    row.state.map_or("unreadable", State::id)
}

/// What the model reached before any repair.
pub fn before(row: &RunRow) -> Option<&Scores> {
    row.results.first().map(|first| &first.scores)
}

/// What it reached after the repair that worked best.
pub fn after(row: &RunRow) -> Option<&Scores> {
    best_repair(&row.results).map(|(row, _)| &row.scores)
}

/// Reads runs; called on a helper thread, because folders may be many and disks slow.
pub trait Archive: Send + Sync {
    /// The folder in which run folders are made when the settings name none.
    fn default_folder(&self) -> Result<PathBuf>;

    /// All runs below a folder.
    fn list(&self, runs: &Path) -> Result<Vec<RunRow>>;

    /// One run, wherever it lies.
    fn row(&self, folder: &Path) -> Result<RunRow>;

    /// A run as Watch shows it.
    fn load(&self, folder: &Path) -> Result<JobView>;

    /// The table of a finished run and its findings; empty when it has none yet.
    fn results(&self, folder: &Path) -> Result<Results>;

    /// The numbers that a run has reported so far.
    fn points(&self, folder: &Path) -> Result<Vec<MetricPoint>>;

    /// What a resolved experiment would find in this folder.
    fn look(&self, folder: &Path, spec: &str) -> Result<Found>;

    /// Is this the folder of a run?
    fn is_run(&self, folder: &Path) -> bool;

    /// Words that people put on a run.
    fn set_tags(&self, folder: &Path, tags: &[String]) -> Result<()>;

    /// What people write about a run.
    fn set_note(&self, folder: &Path, note: &str) -> Result<()>;

    /// What people decide about an audit.
    fn set_review(&self, folder: &Path, review: &Review) -> Result<()>;

    /// A picture of a run, small enough for a list.
    fn thumbnail(&self, picture: &Path) -> Result<Rgba>;

    /// How many runs lie in the bin of this folder of runs.
    fn in_bin(&self, runs: &Path) -> usize;

    fn throw_away(&self, folder: &Path) -> Result<Binned>;

    fn bring_back(&self, binned: &Binned) -> Result<()>;

    /// Deletes what is in the bin for ever, and says how many runs that were.
    fn empty_bin(&self, runs: &Path) -> Result<usize>;
}

/// The runs of this user, on disk.
#[derive(Debug, Default)]
pub struct RunsOnDisk;

impl Archive for RunsOnDisk {
    fn default_folder(&self) -> Result<PathBuf> {
        folder::runs_folder()
    }

    fn list(&self, runs: &Path) -> Result<Vec<RunRow>> {
        let mut index = Index::open()?;
        index.rescan(runs)?;
        index.list(&Filter { root: Some(runs.to_owned()), ..Filter::default() })
    }

    fn row(&self, path: &Path) -> Result<RunRow> {
        let mut index = Index::in_memory()?;
        index.record(path)?;
        let row = index.list(&Filter::default())?.pop();
        row.ok_or_else(|| Problem::bad_input("This folder does not hold a run.").at(path.display()))
    }

    fn load(&self, path: &Path) -> Result<JobView> {
        let run = RunFolder::open(path)?;
        let experiment = run.experiment()?;
        let mut job = JobView::new(None, super::carry_out::title_of(&experiment));
        job.experiment = Some(Box::new(experiment));
        job.folder = Some(path.to_owned());
        let problem = run.status()?.problem;
        job.state = JobState::Ended(match (run.state()?, problem) {
            (State::Done, _) => Ending::Done,
            (State::Failed, Some(problem)) => Ending::Failed(problem),
            _ => Ending::Stopped { kept: true },
        });
        run.points()?.iter().for_each(|point| job.curves.push(point));
        job.adopt(self.results(path)?);
        (job.answers, job.review, job.started) = (run.answers()?, run.review()?, Some(run.status()?.started));
        let mut glimpses = moments::load(path);
        if glimpses.is_empty() {
            // Recorded before every moment was.
            let last = |confusion| Glimpse { confusion, pictures: Vec::new(), seconds: None };
            glimpses = run.confusions()?.into_iter().map(last).collect();
        }
        glimpses.into_iter().for_each(|glimpse| job.look(Arc::new(glimpse)));
        for saved in run.images()? {
            // A picture that cannot be read must not hide the run.
            match read_picture(&run.file("images").join(&saved.file)) {
                Ok(rgba) => {
                    job.pictures.push(Picture { key: saved.file, caption: saved.caption, rgba: Arc::new(rgba) })
                }
                Err(problem) => job.warnings.push(problem),
            }
        }
        Ok(job)
    }

    fn results(&self, path: &Path) -> Result<Results> {
        Ok(RunFolder::open(path)?.results()?.unwrap_or_default())
    }

    fn points(&self, path: &Path) -> Result<Vec<MetricPoint>> {
        RunFolder::open(path)?.points()
    }

    fn look(&self, path: &Path, spec: &str) -> Result<Found> {
        folder::look(path, spec)
    }

    fn is_run(&self, path: &Path) -> bool {
        RunFolder::open(path).is_ok()
    }

    fn set_tags(&self, path: &Path, tags: &[String]) -> Result<()> {
        RunFolder::open(path)?.set_tags(tags)
    }

    fn set_note(&self, path: &Path, note: &str) -> Result<()> {
        RunFolder::open(path)?.set_note(note)
    }

    fn set_review(&self, path: &Path, review: &Review) -> Result<()> {
        RunFolder::open(path)?.set_review(review)
    }

    fn thumbnail(&self, picture: &Path) -> Result<Rgba> {
        read_picture(picture).map(|rgba| corner_of(&rgba, THUMBNAIL))
    }

    fn in_bin(&self, runs: &Path) -> usize {
        bin::count(runs)
    }

    fn throw_away(&self, path: &Path) -> Result<Binned> {
        bin::throw_away(path)
    }

    fn bring_back(&self, binned: &Binned) -> Result<()> {
        bin::bring_back(binned)
    }

    fn empty_bin(&self, runs: &Path) -> Result<usize> {
        bin::empty(runs)
    }
}

/// Side of the pictures in lists, in pixels.
const THUMBNAIL: usize = 96;

/// The square at the left of a sheet, at most `most` pixels wide: enough to recognise it by.
fn corner_of(rgba: &Rgba, most: usize) -> Rgba {
    let square = rgba.width.min(rgba.height);
    let side = square.min(most);
    let mut bytes = Vec::with_capacity(side * side * 4);
    for y in 0..side {
        for x in 0..side {
            let at = (y * square / side * rgba.width + x * square / side) * 4;
            bytes.extend_from_slice(&rgba.bytes[at..at + 4]);
        }
    }
    Rgba { width: side, height: side, bytes }
}

fn read_picture(path: &Path) -> Result<Rgba> {
    let picture = image::ImageReader::open(path)
        .and_then(|reader| reader.with_guessed_format())
        .map_err(|error| Problem::io("read this picture", path, &error))?
        .decode()
        .map_err(|error| Problem::bad_file("This picture cannot be read.").at(path.display()).because(error))?
        .into_rgba8();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    Ok(Rgba { width, height, bytes: picture.into_raw() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbnails_are_the_corner_of_a_sheet() {
        // Two pixels high, four wide; each pixel carries its number.
        let bytes = (0..8_u8).flat_map(|number| [number, 0, 0, 255]).collect();
        let sheet = Rgba { width: 4, height: 2, bytes };
        let red = |rgba: &Rgba| rgba.bytes.chunks(4).map(|pixel| pixel[0]).collect::<Vec<_>>();
        let corner = corner_of(&sheet, 96);
        assert_eq!((corner.width, corner.height, red(&corner)), (2, 2, vec![0, 1, 4, 5]));
        assert_eq!(red(&corner_of(&sheet, 1)), [0]);
    }
}
