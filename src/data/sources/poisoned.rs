//! An exported poisoned set: its clean pictures are a data set, its stamped ones are looked up by the attack `stored`.

use super::part::{self, Part, Source};
use super::pictures;
use crate::data::manifest::{self, Manifest};
use crate::experiment::{Problem, Result};
use crate::run::PoisonedSet;
use crate::run::event::Report;
use crate::run::poison_plan::label_map_words;
use crate::run::poisoned_set::Extent;
use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Description and table of the set in a folder.
pub fn open_poisoned(folder: &Path) -> Result<(PoisonedSet, Manifest)> {
    let set = PoisonedSet::read(folder)?;
    let path = folder.join(PoisonedSet::MANIFEST);
    let text =
        std::fs::read_to_string(&path).map_err(|e| Problem::io("read the table of this poisoned set", &path, &e))?;
    let manifest = Manifest::parse(&text, &set).map_err(|problem| Problem {
        place: problem.place.map(|place| folder.join(place).display().to_string()),
        ..problem
    })?;
    Ok((set, manifest))
}

/// Pictures of a set, `[N, 3, height, width]`. None may be missing or of another size: rows would move.
pub fn stored_pictures(folder: &Path, files: &[&PathBuf], (height, width): (usize, usize)) -> Result<Vec<u8>> {
    part::check_memory(files.len() as u64, height as u64, width as u64)?;
    let decoded = pictures::decode_all(files, (height, width), |file| load(&folder.join(file), (height, width)))?;
    match decoded.failures.first() {
        None => Ok(decoded.pixels),
        Some((row, why)) => Err(Problem::bad_file("A picture of this poisoned set cannot be used.")
            .at(folder.join(files[*row]).display())
            .because(why)
            .remedy("Export the set again.")),
    }
}

fn load(path: &Path, wanted: (usize, usize)) -> std::result::Result<Cow<'static, [u8]>, String> {
    let mut bytes = Vec::new();
    let opened = File::open(path).map_err(|e| e.to_string())?;
    opened.take(pictures::LARGEST_FILE).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    let (height, width) = pictures::size(&bytes)?;
    if (height, width) != wanted {
        return Err(format!("it is {width} x {height} pixels instead of {} x {}", wanted.1, wanted.0));
    }
    Ok(Cow::Owned(bytes))
}

/// The clean pictures, where all of them are there.
pub(super) fn read(folder: &Path) -> Result<Source> {
    let (set, manifest) = open_poisoned(folder)?;
    if set.extent != Extent::Everything {
        return Err(Problem::bad_input("This poisoned set holds the stamped pictures, not the whole data set.")
            .at(folder.display())
            .remedy("Train on it with `polariscope run FOLDER`, which takes the other pictures from where they were.")
            .remedy(format!("Or set {}, with attack.id = \"stored\" and this folder.", set.original()))
            .remedy("Or export it again with --all."));
    }
    Ok(Source {
        name: set.name.clone(),
        format: "poisoned-set",
        classes: set.classes.clone(),
        train: Some(clean(folder, &set, &manifest.train)?),
        test: Some(clean(folder, &set, &manifest.test)?),
        notes: vec![format!("{} Use the attack `stored` for its stamped pictures.", PoisonedSet::NOTICE)],
    })
}

fn clean(folder: &Path, set: &PoisonedSet, part: &manifest::Part) -> Result<Part> {
    let files: Vec<&PathBuf> = part.clean.iter().flatten().collect();
    if files.len() != part.labels.len() {
        return Err(Problem::bad_file("Clean pictures are missing in the table of this poisoned set.")
            .at(folder.join(PoisonedSet::MANIFEST).display())
            .because(format!("{} of {} have a file", files.len(), part.labels.len()))
            .remedy("Export the set again."));
    }
    let (height, width) = (set.height, set.width);
    let mut pixels = stored_pictures(folder, &files, (height, width))?;
    if set.channels == 1 {
        pixels = pictures::first_planes(&pixels, height * width);
    }
    Ok(Part { height, width, channels: set.channels, pixels, labels: part.labels.clone() })
}

/// What `inspect` says about a set; its pictures are not read.
pub(super) fn report(folder: &Path) -> Result<Report> {
    let (set, _) = open_poisoned(folder)?;
    let experiment = &set.experiment;
    let attack = experiment.attack.as_ref().map_or("none", |pick| pick.id.as_str());
    let mut report = Report::new(format!("Poisoned set: {attack} on {}", set.name));
    report.fact("stamped", set.counts());
    report.fact("label map", experiment.poison.label_map.map_or("", label_map_words));
    let target = set.classes.get(experiment.poison.target as usize).map_or("", String::as_str);
    report.fact("target class", format!("{}: {target}", experiment.poison.target));
    report.fact("size", format!("{} x {} pixels (height x width)", set.height, set.width));
    report.fact("classes", set.classes.len().to_string());
    let whole = match set.extent {
        Extent::Everything => "all of them".to_owned(),
        _ => format!("from {}", set.original()),
    };
    report.fact("clean pictures", whole);
    if set.extent != Extent::TestOnly {
        report.fact("to train on it", format!("polariscope run {}", folder.display()));
    }
    report.warnings.push(PoisonedSet::NOTICE.to_owned());
    Ok(report)
}
