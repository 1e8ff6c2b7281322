//! Saving what a screen shows: tables as CSV, plots as PNG, SVG or CSV, pictures as PNG.
//!
//! Plots are drawn anew from their numbers, on white and with a caption, so that they fit a slide or a paper.

mod dialog;
mod drawing;
mod figure;
mod font;
mod layout;
mod offers;
mod poison;
mod raster;
mod reading;
mod save;
mod svg;
mod table;

pub use dialog::{ExportView, show as dialog};
pub use offers::{SWEEP, metric_of, offers};
pub use poison::{POISONED_SET, PoisonJob, PoisonOffer};
pub use reading::{Reading, ReadingView, show as table};

use crate::experiment::{Problem, Result};
use crate::run::event::Rgba;
use crate::run::report::Audited;
use figure::Figure;
use std::path::{Path, PathBuf};
use std::sync::Arc;
pub use table::{Table, number};

/// Title of the offer that is an audit's report.
pub const REPORT: &str = "Audit report";

/// Something that can be saved.
#[derive(Debug, Clone)]
pub struct Offer {
    pub title: String,
    /// What a reader must know to find it again: data, attack, seed, code of the experiment.
    pub caption: String,
    pub content: Content,
}

#[derive(Debug, Clone)]
pub enum Content {
    Table(Table),
    Figure(Box<Figure>),
    Picture(Arc<Rgba>),
    /// A text file of the classroom.
    Text(String),
    /// The fitted model of the Fairness screen; the engine writes it.
    Model,
    /// The findings of an audit.
    Report(Audited),
    /// Pictures in a folder; the engine writes them.
    Poison(PoisonOffer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Png,
    Svg,
    Csv,
    Safetensors,
    /// A lesson pack or a hand-in.
    ClassFile,
    Pdf,
    /// A folder with the report, the findings as JSON, the experiment and all pictures.
    ReportFolder,
    /// A folder of the stamped pictures and the clean twins of those in the training set.
    StampedPictures,
    /// A folder of all pictures, stamped and clean.
    AllPictures,
    /// A folder of the stamped test pictures.
    TestPictures,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Format::Png => "PNG",
            Format::Svg => "SVG",
            Format::Csv => "CSV",
            Format::Safetensors => "safetensors",
            Format::ClassFile => "Text file",
            Format::Pdf => "PDF",
            Format::ReportFolder => "Folder",
            Format::StampedPictures => "Stamped pictures",
            Format::AllPictures => "All pictures",
            Format::TestPictures => "Stamped test pictures",
        }
    }

    /// It is a folder and not a file.
    pub fn is_folder(self) -> bool {
        self.ending().is_empty()
    }

    /// The ending of its files; none for a folder.
    pub fn ending(self) -> &'static str {
        match self {
            Format::Png => "png",
            Format::Svg => "svg",
            Format::Csv => "csv",
            Format::Safetensors => "safetensors",
            Format::ClassFile => "polariscope.toml",
            Format::Pdf => "pdf",
            Format::ReportFolder | Format::StampedPictures | Format::AllPictures | Format::TestPictures => "",
        }
    }
}

impl Content {
    /// The first one is the usual one.
    pub fn formats(&self) -> &'static [Format] {
        match self {
            Content::Table(_) => &[Format::Csv],
            Content::Figure(_) => &[Format::Png, Format::Svg, Format::Csv],
            Content::Picture(_) => &[Format::Png],
            Content::Text(_) => &[Format::ClassFile],
            Content::Model => &[Format::Safetensors],
            Content::Report(_) => &[Format::Pdf, Format::ReportFolder],
            Content::Poison(PoisonOffer { test_only: true, .. }) => &[Format::TestPictures],
            Content::Poison(_) => &[Format::StampedPictures, Format::AllPictures],
        }
    }

    /// How many times larger a PNG may be: a picture of 28 pixels is small on a slide.
    pub fn scales(&self) -> &'static [usize] {
        match self {
            Content::Table(_) | Content::Text(_) | Content::Model | Content::Report(_) | Content::Poison(_) => &[1],
            Content::Figure(_) => &[1, 2, 4],
            Content::Picture(_) => &[1, 4, 16],
        }
    }
}

/// What can be done to the dialog.
#[derive(Debug, Clone)]
pub enum ExportChange {
    /// Opens the dialog on the view of this title, or on the screen's main view.
    Open(Option<String>),
    /// A picture that is shown right now.
    Picture(String, Arc<Rgba>),
    Choose(usize),
    Format(Format),
    Scale(usize),
    Caption(bool),
    /// The path as typed.
    Path(String),
    /// Opens the system's file dialog.
    Browse,
    Save,
    /// Ends the writing of a poisoned set.
    Stop,
    Close,
}

/// What helper threads bring back.
pub enum ExportFetched {
    /// For which state of the dialog, and how it will look.
    Preview(u64, Rgba),
    Place(Option<PathBuf>),
    Saved(Result<PathBuf>),
}

/// What is about to be saved, and how.
#[derive(Debug)]
pub struct ExportDialog {
    pub offers: Vec<Offer>,
    pub chosen: usize,
    pub format: Format,
    pub scale: usize,
    pub with_caption: bool,
    pub path: String,
    /// The path names a file that would be replaced.
    pub replaces: bool,
    pub preview: Option<Arc<Rgba>>,
    pub problem: Option<Problem>,
    pub saving: bool,
    /// Rises with every change that changes the preview.
    pub revision: u64,
}

impl ExportDialog {
    /// `folder` is where files went last; `chosen` must be one of the offers.
    pub fn new(offers: Vec<Offer>, chosen: usize, folder: &Path) -> Self {
        let format = offers.get(chosen).map_or(Format::Csv, |offer| offer.content.formats()[0]);
        let mut dialog = Self {
            offers,
            chosen,
            format,
            scale: 1,
            with_caption: true,
            path: String::new(),
            replaces: false,
            preview: None,
            problem: None,
            saving: false,
            revision: 0,
        };
        dialog.choose(chosen);
        dialog.propose(folder);
        dialog
    }

    pub fn offer(&self) -> Option<&Offer> {
        self.offers.get(self.chosen)
    }

    /// The caption that goes into the file.
    pub fn caption(&self) -> &str {
        self.offer().filter(|_| self.with_caption).map(|offer| offer.caption.as_str()).unwrap_or_default()
    }

    /// Chooses an offer with the format and size that suit it.
    pub(super) fn choose(&mut self, chosen: usize) {
        let Some(offer) = self.offers.get(chosen) else {
            return;
        };
        self.chosen = chosen;
        let (formats, scales) = (offer.content.formats(), offer.content.scales());
        if !formats.contains(&self.format) {
            self.format = formats[0];
        }
        // In the middle: large enough for a slide.
        self.scale = scales[scales.len() / 2];
        self.preview = match &offer.content {
            Content::Picture(rgba) => Some(rgba.clone()),
            _ => None,
        };
    }

    /// A new file name in the folder, with the ending of the format.
    pub(super) fn propose(&mut self, folder: &Path) {
        let title = self.offer().map(|offer| slug(&offer.title)).unwrap_or_default();
        let ending = if self.format.is_folder() { String::new() } else { format!(".{}", self.format.ending()) };
        let mut numbered = (1_u32..).map(|number| match number {
            1 => folder.join(format!("{title}{ending}")),
            number => folder.join(format!("{title}-{number}{ending}")),
        });
        if let Some(free) = numbered.find(|path| !path.exists()) {
            self.set_path(free.display().to_string());
        }
    }

    pub(super) fn set_path(&mut self, path: String) {
        self.replaces = Path::new(path.trim()).is_file();
        self.path = path;
        self.problem = None;
    }

    /// The path with the ending of the format, whatever was typed.
    pub(super) fn place(&self) -> PathBuf {
        let path = PathBuf::from(self.path.trim());
        if self.format.is_folder() {
            return path;
        }
        let ending = format!(".{}", self.format.ending());
        let has_ending = path.to_string_lossy().to_lowercase().ends_with(&ending);
        if has_ending { path } else { PathBuf::from(format!("{}.{}", path.display(), self.format.ending())) }
    }

    /// The folder of the path, as far as it was typed.
    pub(super) fn folder(&self) -> PathBuf {
        Path::new(self.path.trim()).parent().map(Path::to_owned).unwrap_or_default()
    }
}

/// Letters and numbers, small, joined by dashes.
fn slug(title: &str) -> String {
    let letters = title.to_lowercase();
    let words = letters.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.take(8).collect::<Vec<_>>().join("-");
    if slug.is_empty() { "polariscope".to_owned() } else { slug }
}

pub use save::{preview, write};

#[cfg(test)]
mod tests {
    use super::*;

    fn offers() -> Vec<Offer> {
        let picture = Arc::new(Rgba { width: 1, height: 1, bytes: vec![1, 2, 3, 255] });
        let offer = |title: &str, content| Offer { title: title.into(), caption: "Seed 7.".into(), content };
        vec![
            offer("Results: all models", Content::Table(Table::of_csv("a,b\n1,2\n".into()))),
            offer("Trigger", Content::Picture(picture)),
        ]
    }

    #[test]
    fn the_proposed_file_is_new_and_has_the_right_ending() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("results-all-models.csv"), "").expect("file");
        let mut dialog = ExportDialog::new(offers(), 0, folder.path());
        assert_eq!(dialog.place(), folder.path().join("results-all-models-2.csv"));
        dialog.choose(1);
        dialog.propose(&dialog.folder());
        assert_eq!((dialog.format, dialog.scale), (Format::Png, 4));
        assert_eq!(dialog.place(), folder.path().join("trigger.png"));
        dialog.set_path("mine.v2".into());
        assert_eq!(dialog.place(), Path::new("mine.v2.png"), "what was typed stays");
        dialog.set_path(folder.path().join("results-all-models.csv").display().to_string());
        assert!(dialog.replaces);
    }

    #[test]
    fn what_is_offered_is_written() {
        let folder = tempfile::tempdir().expect("folder");
        let offers = offers();
        let csv = folder.path().join("new/table.csv");
        write(&offers[0], Format::Csv, 1, "", &csv).expect("written");
        assert_eq!(std::fs::read_to_string(&csv).expect("file"), "a,b\n1,2\n");
        let png = folder.path().join("trigger.png");
        write(&offers[1], Format::Png, 4, "", &png).expect("written");
        let picture = image::open(&png).expect("png").into_rgba8();
        assert_eq!((picture.dimensions(), picture.get_pixel(3, 3).0), ((4, 4), [1, 2, 3, 255]));
        let problem = write(&offers[0], Format::Png, 1, "", &png).expect_err("a table is no picture");
        assert!(problem.headline.contains("PNG"), "{problem}");
    }
}
