//! Stored: somebody else's poison, picture by picture.
//!
//! The stamped pictures lie in a folder that `polariscope export-poison` has written; which rows they replace and what
//! they are labelled is written there too. The trigger is a look-up: row r of the training or test set becomes the stored
//! picture of row r, after a look whether the clean picture is the one that was stamped. So nothing is copied, the plan
//! and the judge's pictures are those of the original run, and with its data, seed and recipe its figures come again.

use super::{Attack, DataAttack, Entry, Moment, Scene, parse};
use crate::data::Dataset;
use crate::data::manifest::{Manifest, Part, prints};
use crate::data::poison::{Plan, Trigger};
use crate::data::sources::{open_poisoned, stored_pictures};
use crate::experiment::method::{Kind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Poison, Problem, Result};
use crate::nets::Params;
use crate::run::PoisonedSet;
use crate::run::job::Job;
use crate::run::poison_plan::label_map_words;
use crate::run::poisoned_set::{Extent, PartFacts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tch::{Kind as TensorKind, Tensor};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The folder of the poisoned set.
    #[schemars(extend("x-widget" = "file"))]
    pub folder: Option<PathBuf>,
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: PoisonedSet::ATTACK,
        kind: Kind::Attack,
        name: "Stored poison",
        one_line: "Stamped pictures from a folder, as another run has exported them.",
        page: "Takes the stamped pictures, their rows and their labels from a poisoned set that was exported before: by \
               this program, by someone else, on another machine. Nothing is drawn and nothing is crafted, so the \
               poisoning ratio is that of the set.\n\nThe data set must be the one that was poisoned, with the same \
               rows: every picture is compared with the one that was stamped. A set that was exported with all pictures \
               can be the data set itself.",
        paper: "The pictures' own attack; the layout is BackdoorBench's: Wu et al.: BackdoorBench. NeurIPS Datasets and \
                Benchmarks, 2022",
        properties: &[Property::ComesPoisoned],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Attack::Data(Box::new(Stored { options: parse(options)? }))),
};

/// Pictures that are looked through at once.
const AT_ONCE: usize = 512;

struct Stored {
    options: Options,
}

/// An opened set.
struct Shelf {
    folder: PathBuf,
    set: PoisonedSet,
    manifest: Manifest,
}

impl Stored {
    fn open(&self) -> Result<Shelf> {
        let Some(folder) = &self.options.folder else {
            return Err(Problem::bad_input("The stored poison needs the folder that it lies in.")
                .at("attack.options.folder")
                .remedy("Name a folder that `polariscope export-poison` has written."));
        };
        let (set, manifest) = open_poisoned(folder)?;
        Ok(Shelf { folder: folder.clone(), set, manifest })
    }
}

impl DataAttack for Stored {
    /// Nothing is made, but everything is looked at: a picture that is missing is told before the training and not in it.
    fn craft(&self, job: &mut Job, scene: &Scene) -> Outcome<Params> {
        if !scene.workshop.only_looks() {
            let shelf = self.open()?;
            for part in [&shelf.manifest.train, &shelf.manifest.test] {
                let files: Vec<&PathBuf> =
                    part.stamped.values().map(|(file, _)| file).chain(part.cross.values()).collect();
                for files in files.chunks(AT_ONCE) {
                    job.tick()?;
                    stored_pictures(&shelf.folder, files, (shelf.set.height, shelf.set.width))?;
                }
            }
        }
        Ok(Params::new())
    }

    fn plan(&self, train: &dyn Dataset, poison: &Poison) -> Result<Option<Plan>> {
        let shelf = self.open()?;
        let (set, part) = (&shelf.set, &shelf.manifest.train);
        let own = &set.experiment.poison;
        if (poison.target, poison.labels()) != (own.target, own.labels()) {
            return Err(Problem::bad_input("This poisoned set was made for other labels.")
                .at(if poison.target == own.target { "poison.label_map" } else { "poison.target" })
                .because(format!("it is {} with target class {}", label_map_words(own.labels()), own.target))
                .remedy(format!("Set poison.target = {} and the label map to that.", own.target)));
        }
        if set.extent == Extent::TestOnly {
            return Err(Problem::bad_input("There are only stamped test pictures in this poisoned set.")
                .at(shelf.folder.display())
                .because("its attack stamps the training pictures anew in every batch")
                .remedy("Measure a model with it: `polariscope eval --trigger FOLDER`."));
        }
        same_data(set, train, &set.train)?;
        Ok(Some(Plan::of(part.stamped.keys().copied().collect(), own, set.classes.len() as i64)))
    }

    fn trigger(&self, _: &Params, height: i64, width: i64, moment: Moment) -> Result<Box<dyn Trigger>> {
        let shelf = self.open()?;
        let (tall, wide) = (shelf.set.height, shelf.set.width);
        if (height, width) != (tall as i64, wide as i64) {
            return Err(Problem::bad_input("The stored pictures have another size than the data set.")
                .at(shelf.folder.display())
                .because(format!("{wide} x {tall} and {width} x {height} pixels"))
                .remedy(format!("Use the data that the set was made from: {}.", shelf.set.original())));
        }
        Ok(Box::new(LookUp::new(&Rc::new(shelf), moment)))
    }
}

/// Refuses other pictures, other rows and another order.
fn same_data(set: &PoisonedSet, data: &dyn Dataset, facts: &PartFacts) -> Result<()> {
    if data.card().hash == facts.hash {
        return Ok(());
    }
    let (rows, name) = (data.len(), &data.card().name);
    let was = format!("it was made from {} pictures of {}", facts.rows, set.name);
    Err(other_data(set).because(format!("{was}; these are {rows} of {name}, or the same in another order")))
}

fn other_data(set: &PoisonedSet) -> Problem {
    Problem::bad_input("This poisoned set was made from other pictures than this data set has.")
        .at("data.source")
        .remedy(format!("Use what it was made from: {}.", set.original()))
}

/// Replaces pictures by the stored ones of the same row.
struct LookUp {
    shelf: Rc<Shelf>,
    /// The part that is asked for, then the other one: the trigger of the training data is shown on test pictures too.
    order: [Moment; 2],
    /// Whether the disturbance is looked up that must not work.
    cross: bool,
    disturbance: Option<Box<LookUp>>,
    /// Pictures that were read before, u8 `[3, H, W]`.
    known: RefCell<HashMap<PathBuf, Tensor>>,
}

impl LookUp {
    fn new(shelf: &Rc<Shelf>, moment: Moment) -> Self {
        let order = match moment {
            Moment::Training => [Moment::Training, Moment::Test],
            Moment::Test => [Moment::Test, Moment::Training],
        };
        let one =
            |cross, disturbance| Self { shelf: Rc::clone(shelf), order, cross, disturbance, known: RefCell::default() };
        let disturbs = !shelf.manifest.test.cross.is_empty();
        one(false, disturbs.then(|| Box::new(one(true, None))))
    }

    fn part(&self, moment: Moment) -> &Part {
        match moment {
            Moment::Training => &self.shelf.manifest.train,
            Moment::Test => &self.shelf.manifest.test,
        }
    }

    /// The file that replaces this picture; nothing for one that was not stamped.
    fn file(&self, row: i64, print: u64) -> Result<Option<&PathBuf>> {
        let is_it = |part: &&Part| usize::try_from(row).is_ok_and(|row| part.prints.get(row) == Some(&print));
        let Some(part) = self.order.map(|moment| self.part(moment)).into_iter().find(is_it) else {
            return Err(other_data(&self.shelf.set).because(format!("row {row} is another picture")));
        };
        Ok(if self.cross { part.cross.get(&row) } else { part.stamped.get(&row).map(|(file, _)| file) })
    }

    fn read(&self, file: &Path) -> Result<Tensor> {
        if let Some(picture) = self.known.borrow().get(file) {
            return Ok(picture.shallow_clone());
        }
        let (height, width) = (self.shelf.set.height, self.shelf.set.width);
        let pixels = stored_pictures(&self.shelf.folder, &[&file.to_owned()], (height, width))?;
        let picture = Tensor::from_data_size(&pixels, &[3, height as i64, width as i64], TensorKind::Uint8);
        self.known.borrow_mut().insert(file.to_owned(), picture.shallow_clone());
        Ok(picture)
    }
}

impl Trigger for LookUp {
    fn apply(&self, pixels: &Tensor, rows: &[i64]) -> Result<Tensor> {
        let replaced = prints(pixels)?.into_iter().zip(rows).enumerate().map(|(place, (print, &row))| {
            match self.file(row, print)? {
                Some(file) => self.read(file),
                None => Ok(pixels.get(place as i64)),
            }
        });
        Ok(Tensor::stack(&replaced.collect::<Result<Vec<_>>>()?, 0))
    }

    fn fits(&self, data: &dyn Dataset) -> Result<()> {
        let set = &self.shelf.set;
        same_data(set, data, if self.order[0] == Moment::Training { &set.train } else { &set.test })
    }

    fn cross(&self) -> Option<&dyn Trigger> {
        self.disturbance.as_deref().map(|disturbance| disturbance as &dyn Trigger)
    }
}
