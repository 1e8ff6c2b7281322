//! After training: defenses that change a finished model.

pub mod anp;
pub mod clp;
pub mod fp;
pub mod ft;
pub mod ft_sam;
pub mod i_bau;
pub mod nad;
pub mod nc;
pub mod npd;
mod passes;
pub mod sau;
pub mod tsbd;

use super::Entry;

/// The mission's methods first, then those that they are measured against.
pub static ALL: &[&Entry] = &[
    &npd::ENTRY,
    &sau::ENTRY,
    &ft_sam::ENTRY,
    &tsbd::ENTRY,
    &ft::ENTRY,
    &fp::ENTRY,
    &nad::ENTRY,
    &nc::ENTRY,
    &anp::ENTRY,
    &i_bau::ENTRY,
    &clp::ENTRY,
];

#[cfg(test)]
mod tests {
    use super::passes::tests::small_model;
    use crate::data::tests::striped;
    use crate::defenses::{DefenderData, Defense, make};
    use crate::experiment::measure;
    use crate::run::event::{JobId, MetricPoint};
    use crate::run::job::{Job, Signal, Sink};
    use serde_json::json;
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use tch::Kind;

    #[test]
    fn repairs_leave_pictures_and_measures_of_what_they_did() {
        let short = |epochs: &str| json!({ epochs: 2, "batch": 30 });
        let of: [(&str, serde_json::Value, &[&str]); 8] = [
            ("npd", json!({ "epochs": 2, "warm_up": 0, "batch": 30 }), &["npd-pushed.png"]),
            ("sau", short("rounds"), &["sau.png", "sau-alike-first.png", "sau-alike.png"]),
            ("ft-sam", short("epochs"), &["ft-sam.png"]),
            ("tsbd", json!({ "epochs": 1, "batch": 30, "unlearning_epochs": 1 }), &["tsbd.png"]),
            ("fp", short("epochs"), &["fp.png"]),
            ("nad", json!({ "epochs": 1, "teacher_epochs": 1, "batch": 30 }), &["nad.png"]),
            ("anp", short("epochs"), &["anp.png"]),
            ("i-bau", short("rounds"), &["i-bau.png", "i-bau-answers.png"]),
        ];
        let clean = striped(60);
        for (id, options, wanted) in of {
            let folder = tempfile::tempdir().unwrap();
            let sink = Sink { events: crossbeam_channel::bounded(1).0, waker: Arc::new(|| {}) };
            let mut job = Job::new(JobId(0), folder.path(), 1, sink, Signal::default(), Arc::default()).unwrap();
            let Defense::Repair(repair) = make(id, &options).unwrap() else { panic!("{id} is no repair") };
            let data = DefenderData::new(&clean, Kind::Float);
            repair.repair(&mut job, id, small_model(), &data, &mut |_, _, _| Ok(())).unwrap();
            let files = std::fs::read_dir(folder.path().join("images")).unwrap();
            let mut files: BTreeSet<String> =
                files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            files.remove("index.json");
            assert_eq!(files, wanted.iter().map(|file| (*file).to_owned()).collect(), "{id}");
            // Whatever it measures has a name that people can read.
            for line in std::fs::read_to_string(folder.path().join("metrics.jsonl")).unwrap().lines() {
                let metric = serde_json::from_str::<MetricPoint>(line).unwrap().metric;
                let common = ["loss", "learning-rate"].contains(&metric.as_str());
                assert!(common || measure::find(&metric).is_some(), "{id} measures {metric}");
            }
        }
    }
}
