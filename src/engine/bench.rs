//! What the trigger bench asks for: the trigger as data, one picture, and the whole test set small.

use super::library::{Library, attacker_of};
use crate::attacks::Moment;
use crate::catalogue;
use crate::data::poison::map_label;
use crate::data::{Dataset, rgba_from_pixels, values};
use crate::experiment::{Experiment, Result, check};
use crate::run::event::{Bench, Thumbnails};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use tch::{IndexOp, Kind, Tensor};

/// Larger pictures are thinned out to at most this side.
const THUMBNAIL_SIDE: i64 = 48;
/// More thumbnails than fit into so many bytes are left out; 16,000 of 32 x 32 fit.
const MOST_BYTES: i64 = 64 << 20;

fn read(spec: &str) -> Result<Experiment> {
    let methods = catalogue::all();
    Ok(check::resolve(&check::parse(spec, methods)?, methods))
}

/// The experiment's trigger, on its training data or (`strike`) as used on the finished model, with one test picture.
pub fn bench(spec: &str, row: usize, strike: bool, library: &Rc<RefCell<Library>>) -> Result<Bench> {
    let experiment = read(spec)?;
    let data = library.borrow_mut().data(&experiment.data, experiment.seed)?;
    let card = data.test.card();
    let row = row.min(data.test.len().saturating_sub(1));
    let clean = data.test.pixels(&[row as i64])?;
    let (form, poisoned) = match attacker_of(&experiment, &data)? {
        Some(attacker) => {
            let trigger = attacker.trigger(if strike { Moment::Test } else { Moment::Training })?;
            (trigger.form(), trigger.apply(&clean, &[row as i64])?)
        }
        None => (None, clean.shallow_clone()),
    };
    let label = data.test.labels()[row];
    let poison = &experiment.poison;
    let poisoned_label = match experiment.attack {
        Some(_) => map_label(poison.labels(), label, poison.target, card.classes.len() as i64),
        None => label,
    };
    Ok(Bench {
        form,
        row,
        label: label as usize,
        poisoned_label: usize::try_from(poisoned_label).unwrap_or_default(),
        classes: card.classes.clone(),
        rows: data.test.len(),
        clean: Arc::new(rgba_from_pixels(&clean.get(0))?),
        poisoned: Arc::new(rgba_from_pixels(&poisoned.get(0))?),
    })
}

/// The experiment's whole test set in small.
pub fn thumbnails(spec: &str, library: &Rc<RefCell<Library>>) -> Result<Thumbnails> {
    let experiment = read(spec)?;
    let data = library.borrow_mut().data(&experiment.data, experiment.seed)?;
    let card = data.test.card();
    thin_out(&data.test.pixels, &data.test.labels, [card.height as i64, card.width as i64])
}

/// `pixels` is u8 `[N, 3, H, W]`.
fn thin_out(pixels: &Tensor, labels: &[i64], [height, width]: [i64; 2]) -> Result<Thumbnails> {
    let stride = (height.max(width) + THUMBNAIL_SIDE - 1) / THUMBNAIL_SIDE;
    let first = stride / 2;
    let sparse = pixels.slice(2, first, height, stride).slice(3, first, width, stride);
    let (tall, wide) = (sparse.size()[2], sparse.size()[3]);
    let count = (labels.len() as i64).min(MOST_BYTES / (tall * wide * 4));
    // Interleaved in one go: [count, tall, wide, 4] with alpha already in place.
    let interleaved = Tensor::full([count, tall, wide, 4], 255, (Kind::Uint8, tch::Device::Cpu));
    interleaved.i((.., .., .., ..3)).copy_(&sparse.narrow(0, 0, count).permute([0, 2, 3, 1]));
    let rgba: Vec<u8> = values(&interleaved)?;
    Ok(Thumbnails {
        width: wide as usize,
        height: tall as usize,
        stride: stride as usize,
        rows: labels.len(),
        labels: labels.iter().take(count as usize).map(|&label| label as u16).collect(),
        rgba: rgba.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "data.source = \"fashion-mini\"\ndata.test_rows = 200\nnetwork.id = \"small-resnet\"\n";

    fn library() -> Rc<RefCell<Library>> {
        Rc::default()
    }

    #[test]
    fn the_bench_shows_what_the_engine_stamps_in_training_and_at_the_strike() {
        let spec = format!("{SPEC}attack.id = \"blended\"\nattack.options.alpha_test = 0.5\n");
        let library = library();
        let mut masks = Vec::new();
        for strike in [false, true] {
            let bench = bench(&spec, 3, strike, &library).unwrap();
            let form = bench.form.as_ref().expect("blended has a closed form");
            let gaps = |(a, b): (&u8, &u8)| a.abs_diff(*b);
            let most = form.stamp(&bench.clean, 1.0).bytes.iter().zip(&bench.poisoned.bytes).map(gaps).max();
            assert!(most <= Some(1));
            assert_eq!((bench.row, bench.rows, bench.poisoned_label), (3, 200, 0));
            let crate::run::TriggerForm::Mix { mask, .. } = form else { panic!("{form:?}") };
            masks.push(mask[0]);
        }
        assert_eq!(masks, [0.2, 0.5]);
    }

    #[test]
    fn without_an_attack_nothing_is_stamped_and_rows_stop_at_the_last() {
        let bench = bench(SPEC, 99_999, false, &library()).unwrap();
        assert_eq!((bench.row, &bench.form), (199, &None));
        assert_eq!(bench.poisoned, bench.clean);
        assert_eq!(bench.poisoned_label, bench.label);
    }

    #[test]
    fn thumbnails_are_the_test_set() {
        let library = library();
        let thumbnails = thumbnails(SPEC, &library).unwrap();
        assert_eq!((thumbnails.width, thumbnails.height, thumbnails.stride, thumbnails.len()), (28, 28, 1, 200));
        let bench = bench(SPEC, 7, false, &library).unwrap();
        assert_eq!(thumbnails.rgba[7 * 28 * 28 * 4..8 * 28 * 28 * 4], bench.clean.bytes);
        assert_eq!(usize::from(thumbnails.labels[7]), bench.label);
    }

    #[test]
    fn large_pictures_are_thinned_out_evenly() {
        let ramp = Tensor::arange(3 * 100 * 60, tch::kind::INT64_CPU).remainder(256).to_kind(Kind::Uint8);
        let pixels = ramp.view([1, 3, 100, 60]);
        let thumbnails = thin_out(&pixels, &[4], [100, 60]).unwrap();
        assert_eq!((thumbnails.stride, thumbnails.width, thumbnails.height), (3, 20, 33));
        let at = (2 * 20 + 5) * 4;
        let wanted = |channel: i64| pixels.int64_value(&[0, channel, 2 * 3 + 1, 5 * 3 + 1]) as u8;
        assert_eq!(thumbnails.rgba[at..at + 4], [wanted(0), wanted(1), wanted(2), 255]);
    }
}
