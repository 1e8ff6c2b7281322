//! NC, neural cleanse: looks for the smallest patch that sends all pictures to a class, and unlearns patches that are
//! suspiciously small.
//!
//! For every class t a mask m and a pattern p are searched that turn every clean picture into t,
//!
//! ```text
//! min over m, p of CE(f((1 - m) x + m p), t) + lambda |m|_1,    m, p = tanh(w) / 2 + 1/2
//! ```
//!
//! with lambda rising while nearly all pictures are turned and falling otherwise. For a clean class the patch must be
//! large; for a backdoor's target a small one suffices. The anomaly index is the distance of |m|_1 from the median in
//! units of the median absolute deviation; classes below the median with an index above 2 are flagged, unless chance may
//! have made their patch so small (see [`outlier`]). For flagged classes the model is fine-tuned with stamped pictures that
//! carry their true labels. Look at the recovered patches side by side.
//!
//! Wang, Yao, Shan, Li, Viswanath, Zheng, Zhao: Neural Cleanse: Identifying and Mitigating Backdoor Attacks in Neural
//! Networks. IEEE S&P 2019. All classes are searched together, as one batch. Pictures of the class itself do not count for
//! its patch; the repaired model is the one that was trained, which the benchmark's saved file is not.

pub mod outlier;
pub mod search;

use outlier::{Limits, PatchSize, judge_sizes, median};
use search::{Patches, Settings, Start};

use crate::data::{Card, Dataset, pictures};
use crate::defenses::{DefenderData, Defense, Entry, Repair, parse};
use crate::experiment::method::{Kind as MethodKind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Precision, Result, Schedule, Train};
use crate::nets::training::fit::{AfterEpoch, Fit, Round, fit};
use crate::nets::{Mode, Model};
use crate::run::job::Job;
use rand::seq::SliceRandom;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::Tensor;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Passes of the search over its pictures.
    #[schemars(range(min = 1, max = 1000), extend("x-unit" = "epochs", "x-paper" = 80))]
    pub search_epochs: usize,
    /// Clean pictures that the search uses; 0 means all.
    #[schemars(range(min = 0, max = 100_000))]
    pub search_pictures: usize,
    /// Where mask and pattern begin; the same for every class, or their sizes could not be compared.
    pub start: Start,
    /// Starts from other noise for every class; after a sixth of the passes only the best one goes on. Small triggers are
    /// missed less often.
    #[schemars(range(min = 1, max = 16), extend("x-unit" = "starts", "x-paper" = 1))]
    pub starts: usize,
    /// Share of pictures that a patch must turn.
    #[schemars(range(min = 0.5, max = 1.0), extend("x-paper" = 0.98))]
    pub success: f64,
    /// Classes with a smaller patch than the median and an anomaly index above this are flagged.
    #[schemars(range(min = 0.5, max = 10.0), extend("x-paper" = 2.0))]
    pub index: f64,
    /// How many times smaller than the median such a patch must be, unless chance is all but excluded.
    #[schemars(range(min = 1.0, max = 100.0), extend("x-unit" = "times", "x-paper" = 1.0))]
    pub factor: f64,
    /// Chance is as good as excluded where fewer clean models than this would have a class so far off.
    #[schemars(range(min = 0.0, max = 0.5), extend("x-unit" = "%", "x-advanced" = true))]
    pub chance: f64,
    /// Compares the logarithms of the sizes: a patch ten times smaller than the others then stands out also where clean
    /// classes differ much.
    pub logarithmic: bool,
    /// Passes over the clean and the stamped pictures, if a class is flagged.
    #[schemars(range(min = 1, max = 500), extend("x-unit" = "epochs", "x-paper" = 100))]
    pub epochs: usize,
    /// Share of the clean set that is stamped for it.
    #[schemars(range(min = 0.01, max = 1.0), extend("x-paper" = 0.2, "x-advanced" = true))]
    pub stamped: f64,
    #[schemars(range(min = 0.00001, max = 1.0), extend("x-scale" = "log", "x-paper" = 0.01, "x-advanced" = true))]
    pub learning_rate: f64,
    /// Learning rate of mask and pattern.
    #[schemars(range(min = 0.001, max = 1.0), extend("x-scale" = "log", "x-paper" = 0.1, "x-advanced" = true))]
    pub search_rate: f64,
    /// Weight of the mask's size at the start.
    #[schemars(range(min = 0.000001, max = 1.0), extend("x-scale" = "log", "x-paper" = 0.001, "x-advanced" = true))]
    pub lambda: f64,
    /// Pictures per step.
    #[schemars(range(min = 2, max = 4096), extend("x-paper" = 256, "x-advanced" = true))]
    pub batch: usize,
    /// Random crop border.
    #[schemars(range(min = 0, max = 16), extend("x-unit" = "px", "x-paper" = 4, "x-advanced" = true))]
    pub crop: usize,
    /// Mirror every second picture.
    #[schemars(extend("x-advanced" = true))]
    pub flip: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            search_epochs: 80,
            search_pictures: 0,
            start: Start::Noise,
            starts: 1,
            success: 0.98,
            index: 2.0,
            factor: 2.5,
            chance: 0.01,
            logarithmic: false,
            epochs: 100,
            stamped: 0.2,
            learning_rate: 0.01,
            search_rate: 0.1,
            lambda: 1e-3,
            batch: 256,
            crop: 4,
            flip: true,
        }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "nc",
        kind: MethodKind::Repair,
        name: "Neural cleanse (NC)",
        one_line: "Finds the smallest patch for every class; a suspiciously small one is unlearned.",
        page: "For every class the smallest patch is searched that sends all clean pictures to that class. For most \
               classes it has to cover much of the picture. If one class needs far less than the others, somebody may \
               have built in a shortcut: the class is flagged, and the recovered patch often resembles the trigger. \
               Then the model is fine-tuned with stamped pictures that carry their true labels.\n\nTriggers that cover \
               the whole picture, bend it or differ from picture to picture have no small patch: no class is flagged \
               and the model is left alone. With fewer than five classes the index means little.",
        paper: "Wang, Yao, Shan, Li, Viswanath, Zheng, Zhao: Neural Cleanse: Identifying and Mitigating Backdoor Attacks \
                in Neural Networks. IEEE Symposium on Security and Privacy, 2019",
        properties: &[Property::NeedsClean, Property::NeedsGradients],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Defense::Repair(Box::new(NeuralCleanse { options: parse(options)? }))),
};

struct NeuralCleanse {
    options: Options,
}

impl Repair for NeuralCleanse {
    fn epochs(&self) -> usize {
        self.options.epochs
    }

    fn repair(
        &self,
        job: &mut Job,
        phase: &str,
        mut model: Model,
        data: &DefenderData,
        after_epoch: &mut AfterEpoch,
    ) -> Outcome<Model> {
        let o = &self.options;
        let patches = Patches::of(job, phase, &model, data.clean, data.kind, &self.search())?;
        let findings = judge_sizes(&patches.sizes()?, &self.limits());
        tell(job, phase, &findings, data.clean.card());
        show(job, phase, &patches, &findings, data.clean.card())?;
        let flagged: Vec<i64> = findings.iter().filter(|found| found.flagged).map(|found| found.class).collect();
        if flagged.is_empty() {
            return Ok(model);
        }
        let data_with =
            Stamped::new(data.clean, &patches, &flagged, o.stamped, &mut job.rng(&format!("{phase}/stamped")));
        let train = Train {
            epochs: o.epochs,
            batch: o.batch,
            learning_rate: o.learning_rate,
            momentum: 0.9,
            weight_decay: 5e-4,
            schedule: Schedule::Cosine,
            precision: Precision::Auto,
            crop: o.crop,
            flip: o.flip,
        };
        let trains = |_: &str| true;
        let options = Fit {
            phase,
            train: &train,
            kind: data.kind,
            mode: Mode::Train,
            trains: &trains,
            drop_last: false,
            round: Round::ONLY,
        };
        fit(job, &mut model, &data_with, &options, after_epoch)?;
        Ok(model)
    }
}

impl NeuralCleanse {
    fn limits(&self) -> Limits {
        let o = &self.options;
        Limits { index: o.index, factor: o.factor, chance: o.chance, logarithmic: o.logarithmic }
    }

    fn search(&self) -> Settings {
        let o = &self.options;
        Settings {
            epochs: o.search_epochs,
            pictures: o.search_pictures,
            start: o.start,
            starts: o.starts,
            success: o.success,
            rate: o.search_rate,
            lambda: o.lambda,
            batch: o.batch,
        }
    }
}

fn name_of(card: &Card, class: i64) -> &str {
    card.classes.get(class as usize).map_or("?", String::as_str)
}

fn tell(job: &mut Job, phase: &str, findings: &[PatchSize], card: &Card) {
    for found in findings {
        let verdict = if found.flagged { ", flagged" } else { "" };
        job.note(format!(
            "{phase}: class {} ({}): smallest patch {:.1} pixels, the median {:.1} times that, anomaly index {:.2}{verdict}",
            found.class,
            name_of(card, found.class),
            found.size,
            found.times,
            found.index
        ));
    }
    if findings.iter().all(|found| !found.flagged) {
        job.note(format!("{phase}: no class stands out; the model is left as it is"));
    }
}

/// How large the patches are, and how they look: one bar and one column a class.
fn show(job: &mut Job, phase: &str, patches: &Patches, findings: &[PatchSize], card: &Card) -> Outcome<()> {
    let marked: Vec<bool> = findings.iter().map(|found| found.flagged).collect();
    let flagged: Vec<&str> =
        findings.iter().filter(|found| found.flagged).map(|found| name_of(card, found.class)).collect();
    let verdict =
        if flagged.is_empty() { "none is flagged".to_owned() } else { format!("flagged: {}", flagged.join(", ")) };
    let sizes: Vec<f64> = findings.iter().map(|found| found.size).collect();
    let extreme = |pick: fn(f64, f64) -> f64| sizes.iter().copied().reduce(pick).unwrap_or_default();
    let caption = format!(
        "Pixels of the smallest patch for each class: {:.1} to {:.1}, median {:.1}; {verdict}",
        extreme(f64::min),
        extreme(f64::max),
        median(&sizes)
    );
    let bars: Vec<f32> = sizes.iter().map(|&size| size as f32).collect();
    pictures::keep(job, &format!("{phase}-sizes"), &caption, pictures::bars(&bars, |class| marked[class]))?;
    let rows = patches.shown().map(|row| pictures::framed(&row, &marked));
    let sheet = pictures::sheet(&rows, pictures::factor_for(card.width as i64))?;
    let caption = format!("Smallest patch for each class: mask, pattern, both together; {verdict}");
    Ok(pictures::keep(job, phase, &caption, sheet)?)
}

/// The clean set, and behind it stamped copies of some of its pictures with their true labels.
struct Stamped<'a> {
    clean: &'a dyn Dataset,
    /// Row of the clean set and class of the patch for every extra row.
    extra: Vec<(i64, i64)>,
    labels: Vec<i64>,
    patches: &'a Patches,
}

impl<'a> Stamped<'a> {
    fn new(
        clean: &'a dyn Dataset,
        patches: &'a Patches,
        flagged: &[i64],
        share: f64,
        rng: &mut impl rand::Rng,
    ) -> Self {
        let mut rows: Vec<i64> = (0..clean.len() as i64).collect();
        rows.shuffle(rng);
        rows.truncate((clean.len() as f64 * share) as usize);
        let extra: Vec<(i64, i64)> =
            flagged.iter().flat_map(|&class| rows.iter().map(move |&row| (row, class))).collect();
        let labels = clean.labels().iter().copied();
        let labels = labels.chain(extra.iter().map(|&(row, _)| clean.labels()[row as usize])).collect();
        Self { clean, extra, labels, patches }
    }
}

impl Dataset for Stamped<'_> {
    fn card(&self) -> &Card {
        self.clean.card()
    }

    fn labels(&self) -> &[i64] {
        &self.labels
    }

    fn pixels(&self, rows: &[i64]) -> Result<Tensor> {
        let own = self.clean.len() as i64;
        let (mut below, mut places, mut classes) = (Vec::new(), Vec::new(), Vec::new());
        for (place, &row) in (0i64..).zip(rows) {
            let Some(&(base, class)) = usize::try_from(row - own).ok().and_then(|index| self.extra.get(index)) else {
                below.push(row);
                continue;
            };
            below.push(base);
            places.push(place);
            classes.push(class);
        }
        let pixels = self.clean.pixels(&below)?;
        if places.is_empty() {
            return Ok(pixels);
        }
        let places = Tensor::from_slice(&places);
        let stamped = self.patches.stamp(&pixels.index_select(0, &places), &classes);
        Ok(pixels.index_copy(0, &places, &stamped))
    }
}

#[cfg(test)]
mod tests {
    use super::super::passes::tests::{repaired, small_model};
    use super::*;
    use crate::data::tests::striped;
    use tch::{Device, Kind};

    #[test]
    fn stamped_copies_stand_behind_the_clean_set_with_true_labels() {
        let clean = striped(20);
        let masks = Tensor::zeros([10, 1, 8, 8], (Kind::Float, Device::Cpu));
        let _ = masks.get(4).fill_(1.0);
        let patches = Patches { masks, patterns: Tensor::ones([10, 3, 8, 8], (Kind::Float, Device::Cpu)) };
        let mut rng = Job::detached(std::path::Path::new(""), 1).rng("x");
        let all = Stamped::new(&clean, &patches, &[4], 0.5, &mut rng);
        assert_eq!(all.len(), 30);
        let pixels = all.pixels(&[0, 20, 3]).unwrap();
        assert!(pixels.get(0).equal(&clean.pixels(&[0]).unwrap().get(0)));
        assert!(bool::try_from(pixels.get(1).eq(255).all()).unwrap());
        assert_eq!(all.labels()[20], clean.labels()[all.extra[0].0 as usize]);
    }

    #[test]
    fn without_a_flag_the_model_is_returned_as_it_is() {
        let before = small_model();
        let options = Options { search_epochs: 1, index: 10.0, batch: 30, ..Options::default() };
        let after = repaired(&NeuralCleanse { options }, &before);
        assert_eq!(after.params.hash().unwrap(), before.params.hash().unwrap());
    }
}
