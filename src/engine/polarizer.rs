//! Looking through the polarizer: what it does to features, and what the network says at every strength.
//!
//! Whatever lies in front of the layer does not depend on its strength and is computed once; turning the dial runs only the
//! rest of the network.

use super::library::Library;
use super::stage;
use crate::data::{Dataset, Plan, Poisoned, Rows, balanced_rows, rgba_from_pixels, values};
use crate::experiment::{Problem, Result, Scores};
use crate::nets::plug::{Layer, Plug, PlugKind};
use crate::nets::{Mode, Model, Network, Pass, zoo};
use crate::run::event::Scene;
use crate::run::polarizer::{ChannelLight, DialPoint, Energy, Maps, Matrix, Place, PolarizerView, Specimen, Stage};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

/// Test pictures behind each point of the dial: enough for two digits, few enough to follow the hand.
const MEASURED: usize = 500;
/// The same for a network with more weights than `LARGE`.
const MEASURED_LARGE: usize = 200;
const LARGE: usize = 1_000_000;
/// Pictures per forward pass.
const BATCH: i64 = 250;
/// Channels whose maps are sent along.
const SHOWN: usize = 8;

/// A polarized model with everything computed that the dial does not change.
pub struct Bench {
    key: Key,
    model: Model,
    /// Which of the model's plugs is the polarizer.
    plug: usize,
    /// The trunk's site from which the rest of the network is run; nothing where it has no trunk.
    start: Option<String>,
    measured: Beams,
    goals: Goals,
    chosen: Beams,
    view: PolarizerView,
}

/// What a bench was built for.
#[derive(PartialEq)]
struct Key {
    version: stage::Version,
    rows: Vec<usize>,
}

/// Pictures on their way to the polarizer: what reaches `start`, `[N, C, H, W]`.
struct Beams {
    clean: Tensor,
    stamped: Tensor,
}

/// True classes of the measured pictures, and what the attacker wants of the stamped ones.
struct Goals {
    clean: Vec<i64>,
    stamped: Vec<i64>,
    wanted: Vec<i64>,
}

/// Pictures where they enter the polarizer: clean, stamped, and the clean originals of the stamped ones.
struct Entering {
    clean: Tensor,
    stamped: Tensor,
    originals: Tensor,
}

/// The polarizer of the first of a scene's models that has one.
pub fn view(scene: &Scene, rows: &[usize], library: &Rc<RefCell<Library>>) -> Result<PolarizerView> {
    Ok(bench(scene, rows, library)?.view.clone())
}

/// What the network says at this strength.
pub fn dial(scene: &Scene, rows: &[usize], strength: f64, library: &Rc<RefCell<Library>>) -> Result<DialPoint> {
    bench(scene, rows, library)?.measure(strength.clamp(0.0, 1.0))
}

/// The bench for these pictures; the one that was used last is kept.
fn bench(scene: &Scene, rows: &[usize], library: &Rc<RefCell<Library>>) -> Result<Rc<Bench>> {
    let key = Key { version: stage::Version::of(scene), rows: rows.to_vec() };
    if let Some(bench) = library.borrow().bench.as_ref().filter(|bench| bench.key == key) {
        return Ok(Rc::clone(bench));
    }
    // Two benches at once could be too much.
    library.borrow_mut().bench = None;
    let bench = Rc::new(tch::no_grad(|| Bench::build(key, library))?);
    library.borrow_mut().bench = Some(Rc::clone(&bench));
    Ok(bench)
}

impl Bench {
    fn build(key: Key, library: &Rc<RefCell<Library>>) -> Result<Self> {
        let stage = stage::Stage::open(&key.version.scene, library)?;
        let polarized = stage.models.iter().find(|(_, model)| polarizer_of(model).is_some());
        let (title, model) = polarized.cloned().ok_or_else(|| none(&key.version.scene))?;
        let (Some(trigger), Some(goal)) = (stage.trigger.as_deref(), &stage.goal) else {
            return Err(Problem::bad_input("This audit has found no pattern, so there is nothing to hold back.")
                .remedy("Repeat an earlier audit that has found one on this model: its pattern is tried again."));
        };
        let pictures = &*stage.pictures;
        let plug = polarizer_of(&model).ok_or_else(|| none(&key.version.scene))?;
        let site = model.plugs[plug].site.clone();
        let (place, start) = place(&*model.network, &site);

        let card = pictures.card();
        let most = if model.params.count() > LARGE { MEASURED_LARGE } else { MEASURED };
        let every = balanced_rows(
            pictures.labels(),
            card.classes.len(),
            (most / card.classes.len()).max(1),
            &mut ChaCha8Rng::seed_from_u64(0),
        );
        let subset = Rows::new(pictures, every);
        let classes = card.classes.len() as i64;
        let plan = Plan::judge(goal, subset.labels(), classes);
        let poisoned = Poisoned::new(&subset, &plan, trigger);

        let probe = Probe { model: &model, plug, site: &site, start: start.as_deref() };
        let all: Vec<i64> = (0..subset.len() as i64).collect();
        let (clean, entering_clean) = probe.beams(&subset, &all)?;
        let (stamped, entering_stamped) = probe.beams(&poisoned, &plan.poisoned)?;
        let of = |labels: &[i64]| plan.poisoned.iter().map(|&row| labels[row as usize]).collect::<Vec<_>>();
        let goals =
            Goals { clean: subset.labels().to_vec(), stamped: of(subset.labels()), wanted: of(poisoned.labels()) };
        let originals = entering_clean.index_select(0, &Tensor::from_slice(&plan.poisoned));
        let layer = &model.plugs[plug];
        let entering = Entering { clean: entering_clean, stamped: entering_stamped, originals };
        let channels = light(layer, &entering)?;
        let shown = most_dimmed(&channels);

        let rows: Vec<i64> = key.rows.iter().filter(|&&row| row < pictures.len()).map(|&row| row as i64).collect();
        let (chosen, specimens) = chosen(&probe, pictures, &rows, trigger, &shown)?;
        let map = entering.clean.size();
        let view = PolarizerView {
            experiment: stage.name.clone(),
            model: title,
            found: matches!(key.version.scene, Scene::Audit { .. }),
            network: network_name(&*model.network),
            stages: stages(&model, pictures)?,
            place,
            site: site.clone(),
            layer: layer_words(layer.kind).to_owned(),
            folded: layer.kind == PlugKind::Polarizer(Layer::ConvBn),
            matrix: matrix(layer)?,
            channels,
            pictures: specimens,
            shown,
            map_size: [map[2] as usize, map[3] as usize],
            classes: card.classes.clone(),
            measured: [goals.clean.len(), goals.wanted.len()],
        };
        Ok(Self { key, plug, start, measured: Beams { clean, stamped }, goals, chosen, view, model })
    }

    /// Rates on the measured pictures and probabilities of the chosen ones.
    fn measure(&self, strength: f64) -> Result<DialPoint> {
        let mut model = self.model.clone();
        model.plugs[self.plug].strength = strength;
        let logits = |beam: &Tensor| rest(&model, self.start.as_deref(), beam);
        tch::no_grad(|| {
            let clean = values::<i64>(&logits(&self.measured.clean)?.argmax(1, false))?;
            let mut scores =
                Scores { acc: share(&clean, &self.goals.clean), clean_count: clean.len(), ..Scores::default() };
            if !self.goals.wanted.is_empty() {
                let stamped = values::<i64>(&logits(&self.measured.stamped)?.argmax(1, false))?;
                scores.asr = Some(share(&stamped, &self.goals.wanted));
                scores.ra = Some(share(&stamped, &self.goals.stamped));
                scores.triggered_count = stamped.len();
            }
            let probabilities = |beam: &Tensor| rows_of(&logits(beam)?.softmax(1, Kind::Float));
            let (clean, stamped) = (probabilities(&self.chosen.clean)?, probabilities(&self.chosen.stamped)?);
            let answers = clean.into_iter().zip(stamped).map(|(clean, stamped)| [clean, stamped]).collect();
            Ok(DialPoint { strength, scores, answers })
        })
    }
}

/// Share of the answers that are the wanted ones.
fn share(answers: &[i64], wanted: &[i64]) -> f64 {
    let hits = answers.iter().zip(wanted).filter(|(answer, wanted)| answer == wanted).count();
    hits as f64 / answers.len().max(1) as f64
}

/// Which of a model's plugs is its newest polarizer.
fn polarizer_of(model: &Model) -> Option<usize> {
    model.plugs.iter().rposition(|plug| plug.kind.is_polarizer())
}

fn none(scene: &Scene) -> Problem {
    let problem = match scene {
        Scene::Audit { .. } => Problem::bad_input("There is no neural polarizer in the model of this audit."),
        _ => Problem::bad_input("There is no neural polarizer in this run.")
            .remedy("Add the neural polarizer (NPD) to the defenses in the Lab and run it again."),
    };
    match scene.run() {
        Some(run) => problem.at(run.display()),
        None => problem,
    }
}

/// Where a site lies, and the nearest site of the trunk at or before it.
fn place(network: &dyn Network, site: &str) -> (Place, Option<String>) {
    let trunk = network.trunk();
    let position = |name: &str| network.sites().iter().position(|site| site.name == name);
    let at = position(site);
    // The first stage whose end is not in front of the site.
    let stage = trunk.iter().position(|end| position(end) >= at).unwrap_or(trunk.len().saturating_sub(1));
    if trunk.get(stage).is_some_and(|end| end == site) {
        return (Place::Behind(stage), Some(site.to_owned()));
    }
    let start = stage.checked_sub(1).and_then(|before| trunk.get(before)).cloned();
    (Place::Inside(stage), start)
}

/// Runs pictures through the model without its polarizer and catches what reaches `start` and the polarizer's site.
struct Probe<'a> {
    model: &'a Model,
    plug: usize,
    site: &'a str,
    start: Option<&'a str>,
}

impl Probe<'_> {
    /// What reaches `start` and what reaches the polarizer, `[N, C, H, W]` each.
    fn beams(&self, data: &dyn Dataset, rows: &[i64]) -> Result<(Tensor, Tensor)> {
        let (mut starts, mut entries) = (Vec::new(), Vec::new());
        for rows in rows.chunks(BATCH as usize) {
            let (start, entry) = self.batch(&data.pixels(rows)?)?;
            starts.push(start);
            entries.push(entry);
        }
        if starts.is_empty() {
            return Err(Problem::bad_input("There is no picture to look at.").remedy("Use a larger test set."));
        }
        Ok((Tensor::cat(&starts, 0), Tensor::cat(&entries, 0)))
    }

    fn batch(&self, pixels: &Tensor) -> Result<(Tensor, Tensor)> {
        let mut model = self.model.clone();
        // At strength 0 the layer passes on what it gets, so a hook behind it sees what enters it.
        model.plugs[self.plug].strength = 0.0;
        let x = model.network.input().prepare(pixels, Device::Cpu)?;
        let (mut start, mut entry) = (None, None);
        let mut catch = |name: &str, x: &Tensor| {
            if Some(name) == self.start {
                start = Some(x.shallow_clone());
            }
            if name == self.site {
                entry = Some(x.shallow_clone());
            }
            Ok(None)
        };
        let _logits = model.forward(&x, &mut Pass::eval().hooked(&mut catch))?;
        let entry = entry.filter(|entry| entry.dim() == 4).ok_or_else(|| {
            Problem::bad_file(format!("Nothing passes the polarizer's site `{}` in this network.", self.site))
        })?;
        Ok((start.unwrap_or(x), entry))
    }
}

/// Logits for what reaches `start`.
fn rest(model: &Model, start: Option<&str>, beam: &Tensor) -> Result<Tensor> {
    let batches: Vec<Tensor> = beam
        .split(BATCH, 0)
        .iter()
        .map(|x| match start {
            Some(site) => model.forward_from(site, x, &mut Pass::eval()),
            None => model.forward(x, &mut Pass::eval()),
        })
        .collect::<Result<_>>()?;
    Ok(Tensor::cat(&batches, 0))
}

/// The energies of every channel.
fn light(layer: &Plug, entering: &Entering) -> Result<Vec<ChannelLight>> {
    let leave = |x: &Tensor| layer.apply(x, Mode::Eval);
    let mean = |x: &Tensor| values(&x.mean_dim([0i64, 2, 3].as_slice(), false, Kind::Float));
    let energy = |x: &Tensor, g: &Tensor| -> Result<Vec<Energy>> {
        let (before, cross, after) = (mean(&(x * x))?, mean(&(x * g))?, mean(&(g * g))?);
        let parts = before.into_iter().zip(cross).zip(after);
        Ok(parts.map(|((before, cross), after)| Energy { before, cross, after }).collect())
    };
    let (clean, stamped, originals) = (&entering.clean, &entering.stamped, &entering.originals);
    let (clean_after, stamped_after, originals_after) = (leave(clean)?, leave(stamped)?, leave(originals)?);
    let trigger = energy(&(stamped - originals), &(&stamped_after - &originals_after))?;
    let (of_clean, of_stamped) = (energy(clean, &clean_after)?, energy(stamped, &stamped_after)?);
    let means = mean(clean)?.into_iter().zip(mean(&clean_after)?);
    let channels = of_clean.into_iter().zip(of_stamped).zip(trigger).zip(means);
    Ok(channels
        .map(|(((clean, stamped), trigger), (before, after))| ChannelLight {
            clean,
            stamped,
            trigger,
            mean: [before, after],
        })
        .collect())
}

/// The channels in which the trigger stands out less behind the polarizer than before it, the most dimmed first.
fn most_dimmed(channels: &[ChannelLight]) -> Vec<usize> {
    let dimming = |&channel: &usize| {
        let light = &channels[channel];
        light.trigger_share(0.0).sqrt() - light.trigger_share(1.0).sqrt()
    };
    let mut order: Vec<usize> = (0..channels.len()).collect();
    order.sort_by(|a, b| dimming(b).total_cmp(&dimming(a)));
    order.truncate(SHOWN);
    order
}

/// The chosen pictures: where they enter, and their maps in the shown channels.
fn chosen(
    probe: &Probe,
    test: &dyn Dataset,
    rows: &[i64],
    trigger: &dyn crate::data::Trigger,
    shown: &[usize],
) -> Result<(Beams, Vec<Specimen>)> {
    let pixels = test.pixels(rows)?;
    let stamped = trigger.apply(&pixels, rows)?;
    let layer = &probe.model.plugs[probe.plug];
    let index = Tensor::from_slice(&shown.iter().map(|&channel| channel as i64).collect::<Vec<_>>());
    let (clean_start, clean_entry) = probe.batch(&pixels)?;
    let (stamped_start, stamped_entry) = probe.batch(&stamped)?;
    let maps = |entry: &Tensor| -> Result<Vec<Maps>> {
        let pick = |x: &Tensor| x.index_select(1, &index);
        let (before, after) = (pick(entry), pick(&layer.apply(entry, Mode::Eval)?));
        (0..entry.size()[0])
            .map(|n| Ok(Maps { before: values(&before.get(n))?.into(), after: values(&after.get(n))?.into() }))
            .collect()
    };
    let (clean_maps, stamped_maps) = (maps(&clean_entry)?, maps(&stamped_entry)?);
    let mut pictures = Vec::with_capacity(rows.len());
    for (at, (clean_maps, stamped_maps)) in clean_maps.into_iter().zip(stamped_maps).enumerate() {
        pictures.push(Specimen {
            row: rows[at] as usize,
            label: test.labels()[rows[at] as usize] as usize,
            clean: Arc::new(rgba_from_pixels(&pixels.get(at as i64))?),
            stamped: Arc::new(rgba_from_pixels(&stamped.get(at as i64))?),
            clean_maps,
            stamped_maps,
        });
    }
    Ok((Beams { clean: clean_start, stamped: stamped_start }, pictures))
}

/// Names and sizes of the trunk's parts, seen by sending one picture through.
fn stages(model: &Model, pictures: &dyn Dataset) -> Result<Vec<Stage>> {
    let trunk = model.network.trunk();
    let mut stages = Vec::new();
    let mut look = |site: &str, x: &Tensor| {
        if let (true, &[_, channels, height, width]) = (trunk.iter().any(|name| name == site), &*x.size()) {
            let name = site.strip_suffix(".out").unwrap_or(site).to_owned();
            let [channels, height, width] = [channels, height, width].map(|size| size as usize);
            stages.push(Stage { name, channels, height, width });
        }
        Ok(None)
    };
    let x = model.network.input().prepare(&pictures.pixels(&[0])?, Device::Cpu)?;
    let _logits = model.forward(&x, &mut Pass::eval().hooked(&mut look))?;
    Ok(stages)
}

fn network_name(network: &dyn Network) -> String {
    let id = &network.architecture().id;
    zoo::ALL.iter().find(|zoo| zoo.method.id == *id).map_or_else(|| id.clone(), |zoo| zoo.method.name.to_owned())
}

fn layer_words(kind: PlugKind) -> &'static str {
    match kind {
        PlugKind::Polarizer(Layer::ConvBn) => {
            "1×1 convolution; the batch normalisation behind it is folded into what is shown."
        }
        PlugKind::Polarizer(Layer::OnlyConv) => "1×1 convolution; nothing had to be folded.",
        PlugKind::Polarizer(Layer::ScaleShift) => {
            "One scale and one shift for each channel, shown as the diagonal of a matrix."
        }
        PlugKind::Stamp | PlugKind::Permute => "No layer of features.",
    }
}

fn matrix(layer: &Plug) -> Result<Matrix> {
    let (matrix, shift) = layer.affine()?;
    let channels = matrix.size()[0] as usize;
    Ok(Matrix { channels, values: values(&matrix)?.into(), shift: values(&shift)?.into() })
}

fn rows_of(matrix: &Tensor) -> Result<Vec<Vec<f32>>> {
    (0..matrix.size()[0]).map(|row| values(&matrix.get(row))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::InputSpec;
    use crate::run::event::Rgba;

    fn library() -> Rc<RefCell<Library>> {
        Rc::default()
    }

    fn logits_of(model: &Model, pictures: &[Arc<Rgba>]) -> Vec<Vec<f32>> {
        let pixels: Vec<Tensor> = pictures
            .iter()
            .map(|picture| {
                let size = [picture.height as i64, picture.width as i64, 4];
                Tensor::from_data_size(&picture.bytes, &size, Kind::Uint8).narrow(2, 0, 3).permute([2, 0, 1])
            })
            .collect();
        rows_of(&model.predict(&Tensor::stack(&pixels, 0), Kind::Float).unwrap().softmax(1, Kind::Float)).unwrap()
    }

    #[test]
    fn the_ends_of_the_dial_are_the_attacked_and_the_saved_model() {
        let rows: Vec<usize> = (0..12).collect();
        let library = library();
        let view = view(&Scene::Demo, &rows, &library).unwrap();
        let (_, models) = super::super::demo::load().unwrap();
        for (strength, (_, model)) in [0.0, 1.0].into_iter().zip(&models[1..]) {
            let point = dial(&Scene::Demo, &rows, strength, &library).unwrap();
            for (side, pick) in [|s: &Specimen| s.clean.clone(), |s: &Specimen| s.stamped.clone()].iter().enumerate() {
                let pictures: Vec<_> = view.pictures.iter().map(pick).collect();
                for (said, of_model) in point.answers.iter().zip(logits_of(model, &pictures)) {
                    let gap = said[side].iter().zip(of_model).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(gap < 1e-5, "strength {strength}, side {side}: {gap}");
                }
            }
        }
    }

    #[test]
    fn the_demo_s_polarizer_holds_the_trigger_back_and_lets_the_rest_through() {
        let rows = [0, 1, 2];
        let library = library();
        let view = view(&Scene::Demo, &rows, &library).unwrap();
        assert_eq!((view.place, view.site.as_str()), (Place::Behind(2), "layer2.0.out"));
        let stage = |index: usize| (view.stages[index].channels, view.stages[index].height);
        assert_eq!((view.stages.len(), stage(0), stage(2), stage(4)), (5, (16, 28), (32, 7), (64, 4)));
        assert_eq!((view.matrix.channels, view.channels.len(), view.shown.len()), (32, 32, SHOWN));
        assert_eq!((view.measured, view.map_size), ([500, 450], [7, 7]));
        // Relative to what is usual in clean pictures the trigger has become weaker where it was strongest.
        let first = &view.channels[view.shown[0]];
        assert!(first.trigger_share(1.0) < first.trigger_share(0.0) / 2.0);
        let scores = |strength| dial(&Scene::Demo, &rows, strength, &library).unwrap().scores;
        let (off, on) = (scores(0.0), scores(1.0));
        assert!(off.asr.unwrap() > 0.95 && on.asr.unwrap() < 0.2, "{off:?} {on:?}");
        assert!(on.acc > off.acc - 0.05 && on.ra.unwrap() > 0.6, "{off:?} {on:?}");
        assert_eq!((on.clean_count, on.triggered_count), (500, 450));
    }

    #[test]
    fn maps_and_energies_are_those_of_the_layer() {
        let library = library();
        let bench = bench(&Scene::Demo, &[7], &library).unwrap();
        let layer = &bench.model.plugs[bench.plug];
        let maps = &bench.view.pictures[0].stamped_maps;
        let shown = Tensor::from_slice(&bench.view.shown.iter().map(|&c| c as i64).collect::<Vec<_>>());
        let after = layer.apply(&bench.chosen.stamped, Mode::Eval).unwrap().index_select(1, &shown);
        let gap = (after.flatten(0, -1) - Tensor::from_slice(&maps.after)).abs().max().double_value(&[]);
        assert!(gap < 1e-6, "{gap}");
        let blended = bench.measured.stamped.shallow_clone() * 0.5
            + layer.apply(&bench.measured.stamped, Mode::Eval).unwrap() * 0.5;
        let wanted: Vec<f32> =
            values(&(&blended * &blended).mean_dim([0i64, 2, 3].as_slice(), false, Kind::Float)).unwrap();
        for (light, wanted) in bench.view.channels.iter().zip(wanted) {
            assert!((light.stamped.at(0.5) - wanted).abs() < 1e-3 * wanted.max(1.0));
        }
    }

    #[test]
    fn sites_are_found_between_and_inside_blocks() {
        let input = InputSpec { height: 32, width: 32, mean: [0.5; 3], std: [0.25; 3], classes: 10 };
        let network = zoo::build("preact-resnet18", &serde_json::json!({"width": 4}), input).unwrap();
        let at = |site: &str| place(&*network, site);
        assert_eq!(at("layer4.1.conv1.in"), (Place::Inside(8), Some("layer4.0.out".into())));
        assert_eq!(at("layer1.0.out"), (Place::Behind(1), Some("layer1.0.out".into())));
        assert_eq!(at("layer1.0.conv2.in"), (Place::Inside(1), Some("conv1.out".into())));
        assert_eq!(at("conv1.in"), (Place::Inside(0), None));
    }

    /// A repaired model came back as a file: the dial holds back the pattern that an audit has found.
    #[test]
    fn an_audited_model_is_looked_through_with_the_found_pattern() {
        use crate::run::checked::{CheckResult, FoundPatch};
        use crate::run::{Results, RunFolder};
        let place = tempfile::tempdir().unwrap();
        let scene_of = |model: &str| {
            let run = super::super::stage::tests::audited(place.path(), model);
            let file = super::super::stage::tests::demo_patch(&run);
            let patch = Some(FoundPatch { file: file.clone(), class: 0, turned: 1, tried: 90 });
            let folder = RunFolder::open(&run).unwrap();
            let results = folder.results().unwrap().unwrap();
            let checks = vec![CheckResult { patch, ..CheckResult::default() }];
            folder.set_results(&Results { checks, ..results }).unwrap();
            Scene::Audit { patch: Some(run.join(file)), run }
        };
        let (scene, rows, library) = (scene_of("demo-repaired"), [0, 1, 2], library());
        let view = view(&scene, &rows, &library).unwrap();
        assert_eq!((view.found, view.trigger(), view.site.as_str()), (true, "pattern", "layer2.0.out"));
        assert_eq!(view.measured, [100, 90]);
        let asr = |strength| dial(&scene, &rows, strength, &library).unwrap().scores.asr.unwrap();
        assert!(asr(0.0) > 0.9 && asr(1.0) < 0.2, "{} {}", asr(0.0), asr(1.0));

        let refused = |scene: &Scene| super::view(scene, &rows, &library).unwrap_err().headline;
        assert!(refused(&scene_of("demo-backdoored")).contains("no neural polarizer in the model of this audit"));
        let Scene::Audit { run, .. } = scene.clone() else { unreachable!() };
        assert!(refused(&Scene::Audit { run, patch: None }).contains("has found no pattern"));
    }

    #[test]
    fn a_run_without_a_polarizer_says_so() {
        let problem = view(&Scene::Run("no/such/run".into()), &[0], &library()).unwrap_err();
        assert!(!problem.headline.is_empty());
    }
}
