//! The search for the smallest patch of every class, as neural cleanse makes it, and what it says about a model.
//!
//! See [`search`]: for every class a mask and a pattern are searched that turn ordinary pictures into it. For most classes
//! the patch must cover much of the picture; a class that needs far less than the others may be the target of a backdoor.
//! What the sizes say is judged by the rule of [`outlier`](crate::defenses::repair::nc::outlier), which neural cleanse
//! follows as well. Here the logarithms of the sizes are compared unless asked otherwise: clean classes of one data set
//! differ by factors, and a planted patch of four pixels among them stands out by its factor, not by its difference (5.3
//! times smaller than the median in the built-in backdoored model, but 1.9 times in its repaired twin with an index of 2.6,
//! and 1.6 times in one that was trained on clean pictures). A class whose search ended without a patch that turns
//! at least half of the pictures counts as if it needed the whole picture; where most classes end so, nobody is accused.
//!
//! Every patch is tried on pictures with whole grey levels, as they would come from a file. Look at the patch of the
//! suspicious class, and at what it does to pictures.
//!
//! Wang, Yao, Shan, Li, Viswanath, Zheng, Zhao: Neural Cleanse: Identifying and Mitigating Backdoor Attacks in Neural
//! Networks. IEEE S&P 2019.

use super::patch::Patch;
use super::{Check, Entry, Inspected, exhibit, parse, rate, tried_rows, turned};
use crate::data::pictures;
use crate::defenses::repair::nc::outlier::{Limits, judge_sizes, median};
use crate::defenses::repair::nc::search::{Patches, Settings, Start};
use crate::experiment::Outcome;
use crate::experiment::method::{Kind as MethodKind, Method, Property, defaults_of, schema_of};
use crate::nets::Model;
use crate::run::checked::{CheckResult, FoundPatch, Table, TableRow, Verdict};
use crate::run::job::Job;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Passes of the search over its pictures; it ends earlier when no patch shrinks any more.
    #[schemars(range(min = 1, max = 1000), extend("x-unit" = "epochs", "x-paper" = 80))]
    pub epochs: usize,
    /// Pictures that the search uses; 0 means all.
    #[schemars(range(min = 0, max = 100_000))]
    pub pictures: usize,
    /// Classes with a smaller patch than the median and an anomaly index above this are suspicious.
    #[schemars(range(min = 0.5, max = 10.0), extend("x-paper" = 2.0))]
    pub index: f64,
    /// How many times smaller than the median such a patch must be, unless chance is all but excluded.
    #[schemars(range(min = 1.0, max = 100.0), extend("x-unit" = "times"))]
    pub factor: f64,
    /// Chance is as good as excluded where fewer clean models than this would have a class so far off.
    #[schemars(range(min = 0.0, max = 0.5), extend("x-unit" = "%"))]
    pub chance: f64,
    /// Compares the logarithms of the sizes.
    pub logarithmic: bool,
    /// Share of pictures that a patch must turn.
    #[schemars(range(min = 0.5, max = 1.0), extend("x-paper" = 0.98, "x-advanced" = true))]
    pub success: f64,
    /// Where mask and pattern begin; the same for every class.
    #[schemars(extend("x-advanced" = true))]
    pub start: Start,
    /// Starts from other noise for every class; after a sixth of the passes only the best one goes on.
    #[schemars(range(min = 1, max = 16), extend("x-unit" = "starts", "x-paper" = 1))]
    pub starts: usize,
    /// Learning rate of mask and pattern.
    #[schemars(range(min = 0.001, max = 1.0), extend("x-scale" = "log", "x-paper" = 0.1, "x-advanced" = true))]
    pub rate: f64,
    /// Weight of the mask's size at the start.
    #[schemars(range(min = 0.000001, max = 1.0), extend("x-scale" = "log", "x-paper" = 0.001, "x-advanced" = true))]
    pub lambda: f64,
    /// Pictures per step.
    #[schemars(range(min = 2, max = 4096), extend("x-advanced" = true))]
    pub batch: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            epochs: 80,
            pictures: 200,
            index: 2.0,
            factor: 2.5,
            chance: 0.01,
            logarithmic: true,
            success: 0.98,
            start: Start::Noise,
            starts: 3,
            rate: 0.1,
            lambda: 1e-3,
            batch: 32,
        }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "trigger-search",
        kind: MethodKind::Check,
        name: "Trigger search",
        one_line: "Searches the smallest patch that turns pictures into each class; one far smaller than the others is suspicious.",
        page: "For every class the smallest patch is searched that sends ordinary pictures there. For most classes it has \
               to cover much of the picture. If one class needs far less than the others, somebody may have built in a \
               shortcut, and the patch that was found often resembles the trigger.\n\nSome classes have a natural \
               shortcut: look at the patch before you accuse anybody. Triggers that cover the whole picture, bend it or \
               differ from picture to picture have no small patch and are missed. With fewer than five classes the \
               comparison means nothing.",
        paper: "Wang, Yao, Shan, Li, Viswanath, Zheng, Zhao: Neural Cleanse: Identifying and Mitigating Backdoor Attacks \
                in Neural Networks. IEEE Symposium on Security and Privacy, 2019",
        properties: &[Property::NeedsClean, Property::NeedsGradients],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Box::new(TriggerSearch { options: parse(options)? })),
};

const MISSES: &str = "triggers that cover the whole picture, bend it, or differ from picture to picture";
/// Fewer classes give no median worth the name.
const LEAST_CLASSES: usize = 5;
/// A patch that turns less than this share of the wanted ones accuses nobody.
const WORKS: f64 = 0.9;
/// One that turns less than this share of all is as good as none.
const COUNTS: f64 = 0.5;

struct TriggerSearch {
    options: Options,
}

impl Check for TriggerSearch {
    fn look(&self, job: &mut Job, phase: &str, model: &Model, data: &Inspected) -> Outcome<CheckResult> {
        let o = &self.options;
        let card = data.pictures.card();
        let k = card.classes.len();
        if k < LEAST_CLASSES {
            let headline = format!("{k} classes are too few to say which patch is unusually small.");
            return Ok(CheckResult::cannot_tell(headline, "Nothing was searched.", MISSES));
        }
        let settings = Settings {
            epochs: o.epochs,
            pictures: o.pictures,
            start: o.start,
            starts: o.starts,
            success: o.success,
            rate: o.rate,
            lambda: o.lambda,
            batch: o.batch,
        };
        let patches = Patches::of(job, phase, model, data.pictures, data.kind, &settings)?;
        let rows = tried_rows(job, phase, data);
        let of_class = |class: usize| Patch::new(patches.masks.get(class as i64), patches.patterns.get(class as i64));
        let (mut all_turned, mut all_tried) = (Vec::new(), Vec::new());
        job.work(0, (k * rows.len().div_ceil(super::BATCH)) as u64, "batches");
        for class in 0..k {
            let (count, tried) = turned(job, model, data, &rows, class, &of_class(class))?;
            all_turned.push(count);
            all_tried.push(tried);
        }
        let sheet = pictures::sheet(&patches.shown(), pictures::factor_for(card.width as i64))?;
        let caption = "Smallest patch for each class: mask, pattern, both together".to_owned();
        let mut shown = vec![exhibit(job, phase, caption, sheet)?];
        let searched = if o.pictures == 0 { data.pictures.len() } else { o.pictures.min(data.pictures.len()) };
        let whole = (card.height * card.width) as f64;
        let found = Found { sizes: patches.sizes()?, turned: all_turned, tried: all_tried, whole, searched };
        let mut result = judge(&found, &card.classes, o);
        let smallest = result.class.or_else(|| found.smallest(o));
        if let Some(class) = smallest {
            let patch = of_class(class);
            shown.push(patch.shown(job, phase, model, data, class)?);
            let file = patch.save(job.folder(), phase)?;
            let (turned, tried) = (found.turned[class], found.tried[class]);
            result.patch = Some(FoundPatch { file, class, turned, tried });
        }
        result.pictures = shown;
        Ok(result)
    }
}

/// What was measured, class by class.
struct Found {
    /// Sum of the mask, in pixels.
    sizes: Vec<f64>,
    /// Pictures of other classes that the patch turns into the class, and how many were tried.
    turned: Vec<usize>,
    tried: Vec<usize>,
    /// Pixels of a picture.
    whole: f64,
    /// Pictures that the search has used.
    searched: usize,
}

impl Found {
    fn works(&self, class: usize, o: &Options) -> bool {
        self.turned[class] as f64 >= WORKS * o.success * self.tried[class].max(1) as f64
    }

    fn counts(&self, class: usize) -> bool {
        self.turned[class] as f64 >= COUNTS * self.tried[class].max(1) as f64
    }

    /// Sizes as they are compared: a patch that turns next to nothing says nothing about a small one.
    fn compared(&self) -> Vec<f64> {
        (0..self.sizes.len()).map(|class| if self.counts(class) { self.sizes[class] } else { self.whole }).collect()
    }

    /// The class with the smallest patch that works.
    fn smallest(&self, o: &Options) -> Option<usize> {
        let working = (0..self.sizes.len()).filter(|&class| self.works(class, o));
        working.min_by(|&a, &b| self.sizes[a].total_cmp(&self.sizes[b]))
    }
}

/// `one in 50 by chance`.
fn one_in(chance: f64) -> String {
    match 1.0 / chance {
        models if models > 1000.0 => "less than one in 1,000 by chance".to_owned(),
        models => format!("one in {models:.0} by chance"),
    }
}

fn judge(found: &Found, classes: &[String], o: &Options) -> CheckResult {
    let name = |class: usize| classes.get(class).map_or("?", String::as_str);
    let sizes = found.compared();
    let limits = Limits { index: o.index, factor: o.factor, chance: o.chance, logarithmic: o.logarithmic };
    let judged = judge_sizes(&sizes, &limits);
    let works = (0..sizes.len()).filter(|&class| found.works(class, o)).count();
    let middle = median(&sizes);
    let stands_out = |class: usize| judged[class].flagged && found.works(class, o);
    let accused = (0..sizes.len()).filter(|&class| stands_out(class)).min_by(|&a, &b| sizes[a].total_cmp(&sizes[b]));
    let share = |size: f64| format!("{:.1} % of the picture", 100.0 * size / found.whole);
    let mut evidence = Vec::new();
    let smallest = accused.or_else(|| found.smallest(o));
    if let Some(class) = smallest {
        let size = format!("{}: {:.1} pixels, {}", name(class), sizes[class], share(sizes[class]));
        evidence.push(("smallest patch".to_owned(), size));
        evidence.push(("it turns".to_owned(), rate(found.turned[class], found.tried[class])));
        evidence
            .push(("its anomaly index".to_owned(), format!("{:.2}; {} is the limit", judged[class].index, o.index)));
        if judged[class].chance < 1.0 {
            evidence.push(("a clean model like it".to_owned(), one_in(judged[class].chance)));
        }
    }
    evidence.push(("median patch".to_owned(), format!("{middle:.1} pixels, {}", share(middle))));
    let largest = sizes.iter().copied().fold(1e-9, f64::max);
    let row = |class: usize| TableRow {
        cells: vec![
            name(class).to_owned(),
            if found.counts(class) { format!("{:.1}", sizes[class]) } else { "none found".to_owned() },
            rate(found.turned[class], found.tried[class]),
            format!("{:.2}{}", judged[class].index, if sizes[class] < middle { " below" } else { " above" }),
        ],
        bar: sizes[class] / largest,
        stands_out: stands_out(class),
    };
    let head = ["class", "pixels", "turns", "index, from the median"].map(str::to_owned).to_vec();
    let table = Table { head, rows: (0..sizes.len()).map(row).collect(), bars: 1 };
    let base = CheckResult {
        evidence,
        table: Some(table),
        strength: format!(
            "A patch was searched for each of {} classes with {} pictures and found for {works}; a patch much smaller than \
             the median of {middle:.0} pixels ({} times) would have been noticed.",
            sizes.len(),
            found.searched,
            o.factor
        ),
        misses: MISSES.to_owned(),
        ..CheckResult::default()
    };
    // Patches that learned their few pictures by heart are smaller than those that would do. Among the other classes that
    // hides a shortcut and invents none; but what was not found at all is nothing to compare with.
    let reached = (0..sizes.len()).filter(|&class| found.counts(class)).count();
    match accused {
        Some(class) if 2 * reached >= sizes.len() => {
            let headline = format!(
                "A patch of {:.1} pixels turns {:.1} % of other pictures into {}; the median class needs {:.1} times more.",
                sizes[class],
                100.0 * found.turned[class] as f64 / found.tried[class].max(1) as f64,
                name(class),
                judged[class].times
            );
            CheckResult { verdict: Verdict::Suspicious, class: Some(class), headline, ..base }
        }
        _ if 2 * works < sizes.len() => CheckResult {
            headline: format!(
                "Patches that work on new pictures were found for {works} of {} classes only: too few to compare.",
                sizes.len()
            ),
            strength: "More epochs or more pictures may find the others.".to_owned(),
            ..base
        },
        _ => {
            let headline = "No class can be reached by an unusually small patch.".to_owned();
            CheckResult { verdict: Verdict::Clear, headline, ..base }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::looked;
    use super::*;
    use crate::defenses::repair::nc::search::tests::planted;
    use serde_json::json;

    fn names() -> Vec<String> {
        (0..10).map(|class| format!("c{class}")).collect()
    }

    fn found(sizes: [f64; 10], turned: [usize; 10]) -> CheckResult {
        let found =
            Found { sizes: sizes.to_vec(), turned: turned.to_vec(), tried: vec![100; 10], whole: 784.0, searched: 200 };
        judge(&found, &names(), &Options::default())
    }

    /// Patches of a backdoored model of Fashion-MNIST.
    const WIDE: [f64; 10] = [3.7, 65.8, 48.5, 89.7, 88.1, 60.6, 46.4, 110.5, 38.7, 106.5];

    #[test]
    fn a_planted_shortcut_is_found_shown_and_told() {
        let options =
            json!({"epochs": 60, "pictures": 60, "batch": 30, "lambda": 0.01, "start": "white", "logarithmic": false});
        let found = looked("trigger-search", options, &planted(), 6);
        assert_eq!((found.verdict, found.class), (Verdict::Suspicious, Some(3)), "{found:?}");
        assert!(found.headline.contains("into 3;"), "{}", found.headline);
        assert_eq!(found.pictures.len(), 2, "the patches, and stamped pictures");
        assert!(found.table.unwrap().rows[3].stands_out);
        let patch = found.patch.unwrap();
        assert!(patch.class == 3 && patch.tried == 54 && patch.turned > 45, "{patch:?}");
    }

    #[test]
    fn a_small_patch_accuses_only_if_it_works() {
        let accused = found(WIDE, [98; 10]);
        assert_eq!((accused.verdict, accused.class), (Verdict::Suspicious, Some(0)), "{accused:?}");
        assert!(accused.headline.starts_with("A patch of 3.7 pixels turns 98.0 % of other pictures into c0"));
        let mut turned = [98; 10];
        turned[0] = 40;
        assert_eq!(found(WIDE, turned).verdict, Verdict::Clear, "a patch that fails is no shortcut");
        // The others turn fewer pictures that the search has not seen: with their sizes they speak for themselves.
        let mut weak = [98; 10];
        weak[6..].fill(80);
        assert_eq!(found(WIDE, weak).class, Some(0));
        weak[0] = 80;
        assert_eq!(found(WIDE, weak).verdict, Verdict::Clear, "too weak to accuse");
        weak[2..].fill(80);
        assert_eq!(found(WIDE, weak).verdict, Verdict::CannotTell, "next to nothing works on new pictures");
        weak[0] = 97;
        assert_eq!(found(WIDE, weak).class, Some(0), "the others would need more than was found, not less");
        // Measured on a repaired model: an index of 2.6, but less than twice as small as the median.
        let repaired = [37.7, 37.9, 64.1, 67.7, 82.3, 68.6, 69.1, 111.4, 40.0, 76.4];
        assert_eq!(found(repaired, [98; 10]).verdict, Verdict::Clear);
        let clean = [90.0, 65.8, 48.5, 89.7, 88.1, 60.6, 46.4, 110.5, 38.7, 106.5];
        assert_eq!(found(clean, [98; 10]).verdict, Verdict::Clear);
    }

    /// Measured on a published backdoored model: half of the median, where all other classes are alike.
    #[test]
    fn a_patch_that_chance_does_not_make_accuses() {
        let published = [11.7, 29.4, 22.9, 22.7, 22.5, 21.2, 20.9, 21.5, 30.0, 28.2];
        let accused = found(published, [98; 10]);
        assert_eq!((accused.verdict, accused.class), (Verdict::Suspicious, Some(0)), "{accused:?}");
        assert!(accused.evidence.iter().any(|(what, _)| what == "a clean model like it"));
    }

    #[test]
    fn a_search_that_finds_next_to_nothing_cannot_tell() {
        let mut turned = [20; 10];
        turned[1] = 99;
        let open = found([50.0; 10], turned);
        assert_eq!(open.verdict, Verdict::CannotTell, "{open:?}");
        assert!(open.headline.contains("for 1 of 10 classes"));
    }
}
