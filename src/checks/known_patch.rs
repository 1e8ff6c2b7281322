//! The patch that an earlier audit has found, tried on this model: does the repaired model still fall for it?
//!
//! The patch is laid on the pictures on which the earlier audit tried it (the same seed and data give the same ones), and
//! its rate then and now stand side by side. Some pictures are taken for the class without any patch; how many is measured as
//! well, so that a small rate can be read: a model that says "shirt" for 2 % of trousers with the patch and for 2 % without
//! it does not see the patch.
//!
//! A repair may teach a model this one patch and leave the backdoor open for its neighbours. So this check belongs beside a
//! new search, not in its place.

use super::patch::Patch;
use super::{Check, Entry, Inspected, parse, rate, tried_rows, turned};
use crate::experiment::method::{Kind as MethodKind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Problem, Result};
use crate::nets::Model;
use crate::nets::difference::between;
use crate::run::RunFolder;
use crate::run::checked::{CheckResult, FoundPatch, Verdict};
use crate::run::folder::name_of;
use crate::run::job::Job;
use crate::run::report::date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use tch::Device;

/// The window and the command line name it.
pub const ID: &str = crate::experiment::audit::KNOWN_PATCH;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Folder of the audit that has found the patch.
    #[schemars(extend("x-widget" = "file"))]
    pub audit: PathBuf,
    /// Share of other pictures that the patch may still turn, beyond those that are taken for its class anyway.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub most: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { audit: PathBuf::new(), most: 0.1 }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: ID,
        kind: MethodKind::Check,
        name: "Known patch",
        one_line: "Tries the patch that an earlier audit has found, on the model that came back.",
        page: "An earlier audit has found a patch that sends pictures to one class. This check lays the same patch on the \
               same pictures and counts again. Both rates are shown, and how many pictures are taken for the class \
               without any patch.\n\nA repair can unlearn one patch and leave the backdoor open for others like it. Let \
               the search look again as well.",
        paper: "The patch is that of the trigger search; no paper",
        properties: &[Property::NeedsClean, Property::NeedsEarlier],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Box::new(KnownPatch { options: parse(options)? })),
};

const MISSES: &str = "triggers other than the known patch";

struct KnownPatch {
    options: Options,
}

impl Check for KnownPatch {
    fn look(&self, job: &mut Job, phase: &str, model: &Model, data: &Inspected) -> Outcome<CheckResult> {
        let o = &self.options;
        if o.audit.as_os_str().is_empty() {
            return Ok(CheckResult::cannot_tell("No earlier audit is named.", "Nothing was tried.", MISSES));
        }
        let earlier = Earlier::open(&o.audit)?;
        let class = earlier.found.class;
        let classes = &data.pictures.card().classes;
        let Some(name) = classes.get(class) else {
            let headline = format!("The patch leads to class {class}, which these pictures do not have.");
            return Ok(CheckResult::cannot_tell(headline, "Nothing was tried.", MISSES));
        };
        let rows = tried_rows(job, &earlier.check, data);
        let (now, tried) = turned(job, model, data, &rows, class, &earlier.patch)?;
        let (anyway, _) = turned(job, model, data, &rows, class, &Unchanged)?;
        let share = |count: usize, of: usize| count as f64 / of.max(1) as f64;
        let (before, after) = (share(earlier.found.turned, earlier.found.tried), share(now, tried));
        let still = after - share(anyway, tried) > o.most;
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let headline = format!(
            "The patch of {} turned {} of other pictures into {name}; {} it turns {}.",
            earlier.date,
            percent(before),
            if still { "it still works:" } else { "now" },
            percent(after)
        );
        let file = earlier.patch.save(job.folder(), phase)?;
        let shown = earlier.patch.shown(job, phase, model, data, class)?;
        let weights = earlier
            .model
            .as_ref()
            .map(|before| ("the model".to_owned(), between(before, &model.to_device(Device::Cpu)).sentence()));
        Ok(CheckResult {
            verdict: if still { Verdict::Suspicious } else { Verdict::Clear },
            class: still.then_some(class),
            headline,
            evidence: [
                ("found by".to_owned(), format!("{}, {}", earlier.name, earlier.date)),
                ("size of the patch".to_owned(), format!("{:.1} pixels", earlier.patch.size())),
                (format!("turned into {name} then"), rate(earlier.found.turned, earlier.found.tried)),
                (format!("turned into {name} now"), rate(now, tried)),
                (format!("taken for {name} without it"), rate(anyway, tried)),
            ]
            .into_iter()
            .chain(weights)
            .collect(),
            strength: format!(
                "The patch was tried on {tried} pictures of other classes; more than {} above those that are taken for {name} \
                 anyway would have been noticed.",
                percent(o.most)
            ),
            misses: MISSES.to_owned(),
            patch: Some(FoundPatch { file, class, turned: now, tried }),
            pictures: vec![shown],
            ..CheckResult::default()
        })
    }
}

/// The audit that has found a patch.
struct Earlier {
    name: String,
    date: String,
    /// The check that found it.
    check: String,
    found: FoundPatch,
    patch: Patch,
    /// Its model, where that can be read and shows weights.
    model: Option<Model>,
}

impl Earlier {
    /// # Errors
    /// The folder holds no run, its checks found no patch, or the patch cannot be read.
    fn open(path: &std::path::Path) -> Result<Self> {
        let folder = RunFolder::open(path)?;
        let results = folder.results()?.unwrap_or_default();
        let with_patch = |suspicious: bool| {
            let fits = |found: &&crate::run::CheckResult| {
                found.patch.is_some() && (!suspicious || found.verdict == Verdict::Suspicious)
            };
            results.checks.iter().find(fits)
        };
        let check = with_patch(true).or_else(|| with_patch(false));
        let (check, found) = check.and_then(|check| Some((check, check.patch.clone()?))).ok_or_else(|| {
            Problem::bad_input("The earlier audit has found no patch.")
                .at(path.display())
                .remedy("Name an audit with a trigger search that has ended.")
        })?;
        let patch = Patch::open(&folder.file(&found.file))?;
        let date = folder.status().map(|status| date(status.started)).unwrap_or_default();
        let name = folder.experiment().map(|experiment| experiment.name).unwrap_or_default();
        let name = if name.is_empty() { name_of(path) } else { name };
        let weights = results.rows.first().and_then(|row| row.weights.as_ref());
        let model = weights.and_then(|weights| Model::open(&folder.file(weights), 0).ok());
        let model = model.filter(|model| model.network.has_weights());
        Ok(Self { name, date, check: check.check.clone(), found, patch, model })
    }
}

/// No patch at all.
struct Unchanged;

impl crate::data::Trigger for Unchanged {
    fn apply(&self, pixels: &tch::Tensor, _: &[i64]) -> Result<tch::Tensor> {
        Ok(pixels.shallow_clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{looked, untrained};
    use super::*;
    use crate::defenses::repair::nc::search::tests::planted;
    use crate::run::Results;
    use serde_json::json;
    use tch::Tensor;

    /// The folder of an audit that has found the white corner of class 3.
    fn earlier(place: &std::path::Path) -> PathBuf {
        let run = place.join("earlier");
        let spec = "name = 'Audit of a planted model'\n[data]\nsource = 'fashion-mini'\n[network]\nid = 'checkpoint'\n";
        let folder = RunFolder::create(&run, spec).unwrap();
        let mask = Tensor::zeros([1, 8, 8], tch::kind::FLOAT_CPU);
        let _ = mask.narrow(1, 6, 2).narrow(2, 6, 2).fill_(1.0);
        let file = Patch::new(mask, Tensor::ones([3, 8, 8], tch::kind::FLOAT_CPU)).save(&run, "search").unwrap();
        let patch = Some(FoundPatch { file, class: 3, turned: 88, tried: 100 });
        let check = CheckResult { check: "search".into(), verdict: Verdict::Suspicious, patch, ..Default::default() };
        folder.set_results(&Results { checks: vec![check], ..Default::default() }).unwrap();
        run
    }

    #[test]
    fn the_patch_of_an_earlier_audit_still_works_or_does_no_more() {
        let place = tempfile::tempdir().unwrap();
        let options = json!({ "audit": earlier(place.path()) });
        let found = looked(ID, options.clone(), &planted(), 4);
        assert_eq!((found.verdict, found.class), (Verdict::Suspicious, Some(3)), "{found:?}");
        assert!(
            found.headline.contains("turned 88.0 % of other pictures into 3; it still works: it turns"),
            "{found:?}"
        );
        assert!(
            found.evidence.iter().any(|(name, value)| name == "turned into 3 then" && value == "88.0 % (88 of 100)")
        );
        let patch = found.patch.unwrap();
        assert!(patch.turned * 10 > patch.tried * 9 && patch.class == 3, "{patch:?}");

        let found = looked(ID, options, &untrained(), 4);
        assert_eq!((found.verdict, found.class), (Verdict::Clear, None), "{found:?}");
        assert!(found.headline.contains("; now it turns"), "{}", found.headline);
        assert_eq!(found.pictures.len(), 1);
    }

    #[test]
    fn an_audit_without_a_patch_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path().join("run");
        RunFolder::create(&run, "[data]\nsource = 'fashion-mini'\n[network]\nid = 'checkpoint'\n").unwrap();
        for (path, words) in [(run, "has found no patch"), (place.path().join("none"), "does not hold a run")] {
            let Err(problem) = Earlier::open(&path) else { panic!("it was taken") };
            assert!(problem.headline.contains(words), "{problem}");
        }
    }
}
