//! Two models held against each other, wherever they lie.

use super::audit;
use super::library::Library;
use crate::experiment::{Problem, Result};
use crate::nets::Model;
use crate::nets::difference::between;
use crate::run::{ModelDifference, RunFolder};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

/// Height and width of the pictures where a file does not say them; weights do not depend on it.
const ANY_SIDE: i64 = 32;

/// What the model at `after` has in the place of the one at `before`. A place is the folder of a run, whose model before any
/// defense is meant, or a model's file, or the name of one that is built in.
///
/// # Errors
/// One of the models cannot be opened, or is a module that shows no weights.
pub fn difference(before: &Path, after: &Path, library: &Rc<RefCell<Library>>) -> Result<ModelDifference> {
    let (before, after) = (opened(before, library)?, opened(after, library)?);
    Ok(between(&before, &after))
}

fn opened(place: &Path, library: &Rc<RefCell<Library>>) -> Result<Model> {
    let model = if place.join("spec.toml").is_file() {
        let folder = RunFolder::open(place)?;
        let experiment = folder.experiment()?;
        let data = library.borrow_mut().data(&experiment.data, experiment.seed)?;
        audit::model(&folder, &experiment, &data)?.1
    } else {
        Model::open(place, ANY_SIDE)?
    };
    if model.network.has_weights() {
        return Ok(model);
    }
    Err(Problem::bad_input("This model shows no weights, so they cannot be compared.").at(place.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::formats::embedded::{DEMO_BACKDOORED, DEMO_HEALTHY, DEMO_REPAIRED};

    fn found(before: &str, after: &str) -> ModelDifference {
        difference(Path::new(before), Path::new(after), &Rc::default()).unwrap()
    }

    #[test]
    fn a_repair_by_a_polarizer_is_one_inserted_layer_and_nothing_else() {
        let repaired = found(DEMO_BACKDOORED, DEMO_REPAIRED);
        assert!(repaired.same_architecture() && repaired.layers.iter().all(|part| part.differing == 0), "{repaired:?}");
        assert_eq!((repaired.inserted.len(), repaired.removed.len()), (1, 0), "{repaired:?}");
        let (differing, all) = repaired.count();
        assert!(differing * 20 < all && differing > 0, "{differing} of {all}");
        assert!(repaired.sentence().contains("all in one inserted layer ("), "{}", repaired.sentence());
        let back = found(DEMO_REPAIRED, DEMO_BACKDOORED);
        assert!(back.sentence().ends_with("is gone."), "{}", back.sentence());
    }

    #[test]
    fn another_training_changes_every_layer_and_a_copy_none() {
        let other = found(DEMO_HEALTHY, DEMO_BACKDOORED);
        let weights = other.layers.iter().filter(|part| part.numbers > 1);
        assert!(weights.clone().count() > 5 && weights.clone().all(|part| part.differing > 0), "{other:?}");
        assert!(other.sentence().starts_with("Same architecture, "), "{}", other.sentence());
        let same = found(DEMO_HEALTHY, DEMO_HEALTHY);
        assert_eq!(same.sentence(), "Same architecture, and every weight is the same.");
    }
}
