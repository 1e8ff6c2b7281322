//! What a model with a door has to show: its stamp, the answers in front of the door and behind it, and how mapping back
//! puts the classes right.

use super::evaluate::{Judge, Judged, Said};
use crate::data::augment::{to_u8, unit};
use crate::data::{Dataset, balanced_rows, pictures, values};
use crate::experiment::{LabelMap, Outcome, Problem, Result};
use crate::nets::door::INPUT;
use crate::nets::plug::PlugKind;
use crate::nets::{Mode, Model};
use crate::run::job::Job;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

/// Pictures side by side, each of another class as far as there are classes.
const SHOWN: usize = 10;
/// Pictures behind the mean picture of a class.
const BEHIND_A_MEAN: usize = 40;
/// Test pictures on which the two triggers are weighed against each other.
const WEIGHED: usize = 500;

/// Saves and shows the pictures of a model that maps its answers back; nothing for others.
pub fn show(job: &mut Job, phase: &str, model: &Model, judged: &Judged, judge: &Judge, kind: Kind) -> Outcome<()> {
    let Some(map) = model.label_map() else { return Ok(()) };
    let test = judge.test;
    let classes = test.card().classes.len();
    let mut rows = balanced_rows(test.labels(), classes, 1, &mut ChaCha8Rng::seed_from_u64(0));
    rows.truncate(SHOWN);

    let covered = covered_share(model, judge, &rows)?;
    if covered > 0.5 {
        job.warn(
            Problem::bad_input("The attacker's trigger lies under the defensive stamp.")
                .because(format!("{:.0} % of what it changes is painted over", covered * 100.0))
                .remedy("Move one of the two to learn something about the defense."),
        );
    }
    if let Some(balance) = balance(model, &map, judge, kind)? {
        let wins = if balance.push > balance.lead { "the trigger wins" } else { "the stamp holds" };
        job.note(format!(
            "{phase}: under the stamp the right answer leads by {:.1} (logits); the trigger pushes the attacker's by {:.1}, \
             and by {:.1} without the stamp: {wins}",
            balance.lead, balance.push, balance.push_without
        ));
    }
    let stamped = stamped_pictures(model, &test.pixels(&rows)?)?;
    let sheet = pictures::sheet(&[test.pixels(&rows)?, stamped], factor(test))?;
    let caption = "As they come, and as the network sees them; the stamp is brighter than white can be drawn";
    job.save_image(&format!("{phase}-stamp.png"), caption, &pictures::png(&sheet)?)?;

    let sheet = two_doors(model, judge, &rows, kind)?;
    let caption = "A picture, what the bare network takes it for, and what the whole model takes it for (mean pictures of \
                   the classes); below, the same with the trigger. Orange: wrong";
    pictures::keep(job, &format!("{phase}-doors"), caption, sheet)?;

    if classes as i64 <= pictures::MOST_CLASSES {
        let matrix = pictures::heat_map(&before_and_after(judged, &map)?)?;
        let caption = "True classes down, answers across: what the network says, and beside it mapped back; below, with the \
                       attacker's trigger";
        job.save_image(&format!("{phase}-labels.png"), caption, &pictures::png(&matrix)?)?;
    }
    Ok(())
}

/// Which share of the pixels that the attacker's trigger changes lies under the stamp; 0 without an attack.
fn covered_share(model: &Model, judge: &Judge, rows: &[i64]) -> Result<f64> {
    let (Some((trigger, _)), Some(stamp)) =
        (judge.attack, model.plugs.iter().find(|plug| plug.kind == PlugKind::Stamp))
    else {
        return Ok(0.0);
    };
    let pixels = judge.test.pixels(rows)?;
    let changed = trigger.apply(&pixels, rows)?.ne_tensor(&pixels).amax([1i64].as_slice(), true).to_kind(Kind::Float);
    let mask = stamp.params.get("mask")?.to_device(Device::Cpu);
    let count = |x: &Tensor| x.sum(Kind::Float).double_value(&[]);
    Ok(count(&(&changed * mask)) / count(&changed).max(1.0))
}

/// What decides between two triggers in one picture, in logits: means over test pictures.
struct Balance {
    /// How far the right answer stands above the attacker's in clean pictures that are stamped.
    lead: f64,
    /// How far the attacker's trigger moves its answer towards and past the right one, under the stamp.
    push: f64,
    /// The same in the bare network.
    push_without: f64,
}

/// Nothing without an attack that has one target.
fn balance(model: &Model, map: &[i64], judge: &Judge, kind: Kind) -> Outcome<Option<Balance>> {
    let Some((trigger, poison)) = judge.attack.filter(|(_, poison)| poison.labels() != LabelMap::AllToAll) else {
        return Ok(None);
    };
    // Behind the door the attacker's target comes out as the class that is mapped to it.
    let Some(outcome) = map.iter().position(|&class| class == poison.target) else { return Ok(None) };
    let labels = judge.test.labels();
    let others = |row: &i64| labels[*row as usize] != poison.target && labels[*row as usize] != outcome as i64;
    let rows: Vec<i64> = (0..labels.len() as i64).filter(others).take(WEIGHED).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let clean = judge.test.pixels(&rows)?;
    let triggered = trigger.apply(&clean, &rows)?;
    let right = Tensor::from_slice(&rows.iter().map(|&row| labels[row as usize]).collect::<Vec<_>>()).unsqueeze(1);
    let lead = |model: &Model, pixels: &Tensor, attacker: i64| -> Result<f64> {
        let logits = model.predict(pixels, kind)?.to_device(Device::Cpu).to_kind(Kind::Float);
        let lead = logits.gather(1, &right, false).squeeze_dim(1) - logits.select(1, attacker);
        Ok(lead.mean(Kind::Float).double_value(&[]))
    };
    let (outcome, bare) = (outcome as i64, model.bare());
    let stamped = lead(model, &clean, outcome)?;
    Ok(Some(Balance {
        lead: stamped,
        push: stamped - lead(model, &triggered, outcome)?,
        push_without: lead(&bare, &clean, poison.target)? - lead(&bare, &triggered, poison.target)?,
    }))
}

fn factor(test: &dyn Dataset) -> i64 {
    pictures::factor_for(test.card().width as i64)
}

/// u8 pictures as the network sees them; what is brighter than white is drawn white.
fn stamped_pictures(model: &Model, pixels: &Tensor) -> Result<Tensor> {
    let input = model.network.input();
    let mut x = input.normalise(&unit(pixels));
    for plug in model.to_device(Device::Cpu).plugs.iter().filter(|plug| plug.site == INPUT) {
        x = plug.apply(&x, Mode::Eval)?;
    }
    Ok(to_u8(&(input.denormalise(&x) * 255.0)))
}

/// Pictures and, below each, what the bare network and the whole model take it for; then the same with the trigger.
fn two_doors(model: &Model, judge: &Judge, rows: &[i64], kind: Kind) -> Outcome<crate::run::event::Rgba> {
    let means = class_means(judge.test)?;
    let bare = model.bare();
    let mut sheet = Vec::new();
    for triggered in [false, true].into_iter().take(1 + usize::from(judge.attack.is_some())) {
        let pixels = judge.test.pixels(rows)?;
        let pixels = match judge.attack {
            Some((trigger, _)) if triggered => trigger.apply(&pixels, rows)?,
            _ => pixels,
        };
        sheet.push(pictures::framed(&pixels, &vec![false; rows.len()]));
        for model in [&bare, model] {
            let answers: Vec<i64> = values(&model.predict(&pixels, kind)?.argmax(1, false))?;
            let label = |row: i64| judge.test.labels()[row as usize];
            let wrong: Vec<bool> = answers.iter().zip(rows).map(|(&answer, &row)| answer != label(row)).collect();
            sheet.push(pictures::framed(&means.index_select(0, &Tensor::from_slice(&answers)), &wrong));
        }
    }
    Ok(pictures::sheet(&sheet, factor(judge.test))?)
}

/// The mean picture of each class, u8 `[K, 3, H, W]`.
fn class_means(test: &dyn Dataset) -> Result<Tensor> {
    let classes = test.card().classes.len();
    let rows = balanced_rows(test.labels(), classes, BEHIND_A_MEAN, &mut ChaCha8Rng::seed_from_u64(0));
    let labels: Vec<i64> = rows.iter().map(|&row| test.labels()[row as usize]).collect();
    let labels = Tensor::from_slice(&labels);
    let pixels = test.pixels(&rows)?.to_kind(Kind::Float);
    let size = pixels.size();
    let mean = |class: i64| {
        let own = labels.eq(class).nonzero().view([-1]);
        // A class without test pictures has no face.
        let shape = [3, size[2], size[3]];
        if own.size()[0] == 0 {
            return Tensor::full(shape, 127.0, (Kind::Float, Device::Cpu));
        }
        pixels.index_select(0, &own).mean_dim([0i64].as_slice(), false, Kind::Float)
    };
    Ok(to_u8(&Tensor::stack(&(0..classes as i64).map(mean).collect::<Vec<_>>(), 0)))
}

/// Two confusion matrices side by side, before and after mapping back, as shares of each true class; with an attack two more
/// below, of triggered pictures. A wall of -0.5 stands between them.
fn before_and_after(judged: &Judged, map: &[i64]) -> Result<Tensor> {
    let k = map.len() as i64;
    let confusion = |answers: &[Said], class_of: &dyn Fn(i64) -> i64| -> Result<Tensor> {
        let mut shares = vec![0.0_f32; (k * k) as usize];
        for said in answers {
            let cell = said.label * k + class_of(said.answer);
            *shares.get_mut(cell as usize).ok_or_else(|| Problem::internal("An answer is no class."))? += 1.0;
        }
        let shares = Tensor::from_slice(&shares).view([k, k]);
        let rows = shares.sum_dim_intlist([1i64].as_slice(), true, Kind::Float).clamp_min(1.0);
        Ok(shares / rows)
    };
    let wall = |height: i64, width: i64| Tensor::full([height, width], -0.5, (Kind::Float, Device::Cpu));
    let pair = |answers: &[Said]| -> Result<Tensor> {
        let before = confusion(answers, &|answer| map[answer as usize])?;
        Ok(Tensor::cat(&[before, wall(k, 1), confusion(answers, &|answer| answer)?], 1))
    };
    let clean = pair(&judged.clean)?;
    if judged.stamped.is_empty() {
        return Ok(clean);
    }
    Ok(Tensor::cat(&[clean, wall(1, 2 * k + 1), pair(&judged.stamped)?], 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Trigger;
    use crate::nets::plug::Plug;
    use crate::nets::{InputSpec, zoo};

    #[test]
    fn mapping_back_puts_a_shifted_diagonal_right() {
        let said = |row| Said { row, label: row % 3, answer: row % 3 };
        let clean: Vec<Said> = (0..9).map(said).collect();
        let judged = Judged { clean: clean.clone(), ..Judged::default() };
        let matrix = before_and_after(&judged, &[1, 2, 0]).unwrap();
        assert_eq!(matrix.size(), [3, 7]);
        for class in 0..3 {
            assert_eq!(matrix.double_value(&[class, (class + 1) % 3]), 1.0, "before: the next class");
            assert_eq!(matrix.double_value(&[class, 4 + class]), 1.0, "after: its own");
        }
        let attacked = Judged { stamped: clean[..3].to_vec(), ..judged };
        assert_eq!(before_and_after(&attacked, &[1, 2, 0]).unwrap().size(), [7, 7]);
    }

    struct Corner(i64);

    impl Trigger for Corner {
        fn apply(&self, pixels: &Tensor, _: &[i64]) -> Result<Tensor> {
            let stamped = pixels.copy();
            let _ = stamped.narrow(2, self.0, 2).narrow(3, self.0, 2).fill_(255);
            Ok(stamped)
        }
    }

    #[test]
    fn a_trigger_under_the_stamp_is_noticed() {
        let input = InputSpec { height: 8, width: 8, mean: [0.0; 3], std: [1.0; 3], classes: 10 };
        let mask = Tensor::zeros([8, 8], tch::kind::FLOAT_CPU);
        let _ = mask.narrow(0, 0, 3).narrow(1, 0, 3).fill_(1.0);
        let stamp = Plug::stamp(&mask, 2.0, &input);
        let network = zoo::build("small-resnet", &serde_json::json!({"width": 4}), input).unwrap();
        let params = network.initial(1).unwrap();
        let model = Model { plugs: vec![stamp], ..Model::new(std::rc::Rc::from(network), params) };
        let (test, poison) = (crate::data::tests::striped(20), crate::experiment::Poison::default());
        for (at, share) in [(0, 1.0), (2, 0.25), (6, 0.0)] {
            let judge = Judge { test: &test, attack: Some((&Corner(at), &poison)) };
            assert_eq!(covered_share(&model, &judge, &[0, 7]).unwrap(), share);
        }
    }

    /// A stamp that covers the trigger leaves it nothing to push.
    #[test]
    fn a_trigger_under_the_stamp_does_not_push() {
        let input = InputSpec { height: 8, width: 8, mean: [0.0; 3], std: [1.0; 3], classes: 10 };
        let mask = Tensor::zeros([8, 8], tch::kind::FLOAT_CPU);
        let _ = mask.narrow(0, 0, 3).narrow(1, 0, 3).fill_(1.0);
        let map: Vec<i64> = (0..10).map(|class| (class + 1) % 10).collect();
        let network = zoo::build("small-resnet", &serde_json::json!({"width": 4}), input.clone()).unwrap();
        let params = network.initial(1).unwrap();
        let plugs = vec![Plug::stamp(&mask, 2.0, &input), Plug::permute(&map)];
        let model = Model { plugs, ..Model::new(std::rc::Rc::from(network), params) };
        let (test, poison) = (crate::data::tests::striped(40), crate::experiment::Poison::default());
        let weigh = |at: i64| {
            let judge = Judge { test: &test, attack: Some((&Corner(at), &poison)) };
            balance(&model, &map, &judge, Kind::Float).unwrap().unwrap()
        };
        let (under, beside) = (weigh(0), weigh(6));
        assert_eq!(under.push, 0.0);
        assert!(beside.push != 0.0 && under.push_without != 0.0);
        assert!((under.lead - beside.lead).abs() < 1e-6, "clean pictures are the same");
        assert!(balance(&model, &map, &Judge { test: &test, attack: None }, Kind::Float).unwrap().is_none());
    }

    #[test]
    fn every_class_has_a_face() {
        let means = class_means(&crate::data::tests::striped(40)).unwrap();
        assert_eq!(means.size(), [10, 3, 8, 8]);
        let brightness = means.to_kind(Kind::Float).mean_dim([1i64, 2, 3].as_slice(), false, Kind::Float);
        assert!((1..10).all(|class| brightness.double_value(&[class]) > brightness.double_value(&[class - 1])));
    }
}
