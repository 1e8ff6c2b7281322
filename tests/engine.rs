//! The engine through its messages: results, stop, pause, discard, divergence, questions, and twenty shut-downs.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use polariscope::engine::Worker;
use polariscope::experiment::Code;
use polariscope::run::event::{
    Answer, Command, Ending, Event, JobEvent, JobId, Question, QuestionId, RunRequest, Scene, Stride,
};
use polariscope::run::folder::RunFolder;
use polariscope::run::handle::{Engine, Shutdown};
use polariscope::run::polarizer::Place;
use polariscope::run::status::State;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const JOB: JobId = JobId(1);

/// A training that takes long unless somebody stops it.
fn spec(epochs: usize, more: &str) -> String {
    format!(
        "threads = 1\n{more}\n[data]\nsource = \"fashion-mini\"\ntrain_rows = 400\ntest_rows = 100\n\
         [network]\nid = \"small-resnet\"\noptions = {{ width = 4 }}\n\
         [train]\nepochs = {epochs}\nbatch = 40\nlearning_rate = 0.05\nprecision = \"f32\"\n[attack]\nid = \"blended\"\n"
    )
}

fn start(worker: &Worker, spec: String, folder: &Path) {
    let request = RunRequest { spec, folder: Some(folder.to_owned()), resume: false };
    worker.send(Command::Start { job: JOB, request: Box::new(request) }).unwrap();
}

fn worker() -> Worker {
    Worker::start(Box::new(|| {})).unwrap()
}

/// Takes events until one answers `pick`; fails after two minutes.
fn until<T>(worker: &mut Worker, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(120) {
        if let Some(event) = worker.wait(Duration::from_millis(100))
            && let Some(found) = pick(&event)
        {
            return found;
        }
    }
    panic!("waited too long for {what}");
}

fn ending(worker: &mut Worker) -> Ending {
    until(worker, "the end", |event| match event {
        Event::Job(_, JobEvent::Finished(ending)) => Some(ending.clone()),
        _ => None,
    })
}

fn first_epoch(worker: &mut Worker) {
    until(worker, "an epoch", |event| matches!(event, Event::Job(_, JobEvent::Checkpoint { .. })).then_some(()));
}

fn in_folder(test: impl FnOnce(&mut Worker, PathBuf)) {
    let place = tempfile::tempdir().unwrap();
    let mut worker = worker();
    test(&mut worker, place.path().join("run"));
    assert_eq!(worker.shutdown(Duration::from_secs(10)), Shutdown::Clean);
}

#[test]
fn a_run_tells_its_story_in_order_and_leaves_a_table() {
    in_folder(|worker, folder| {
        start(worker, spec(2, ""), &folder);
        let mut story = Vec::new();
        let mut glimpses = Vec::new();
        until(worker, "the end", |event| {
            let Event::Job(_, event) = event else { return None };
            match event {
                JobEvent::Started { .. } => story.push("started"),
                JobEvent::Phase { .. } => story.push("phase"),
                JobEvent::Metrics(points) if points.iter().any(|point| point.metric == "asr") => story.push("judged"),
                JobEvent::Glimpse(glimpse) => glimpses.push(glimpse.clone()),
                JobEvent::Finished(ending) => {
                    assert_eq!(*ending, Ending::Done);
                    return Some(());
                }
                _ => {}
            }
            None
        });
        assert_eq!(story, ["started", "phase", "judged", "judged"]);
        assert!(!worker.pictures(JOB).is_empty());
        let progress = worker.progress(JOB).unwrap();
        assert_eq!((progress.done, progress.total), (20, 20));
        let run = RunFolder::open(&folder).unwrap();
        assert_eq!(run.state().unwrap(), State::Done);
        let row = &run.results().unwrap().unwrap().rows[0];
        assert_eq!((row.scores.clean_count, row.scores.triggered_count), (100, 90));

        // One glimpse an epoch and one of the whole test set, which agrees with the table.
        let epochs: Vec<_> = glimpses.iter().map(|glimpse| glimpse.confusion.epoch).collect();
        assert_eq!(epochs, [Some(1.0), Some(2.0), None]);
        let last = &glimpses[2];
        let right: u32 = (0..10).map(|class| last.confusion.clean[class * 11]).sum();
        // Numbers read back from JSON may differ in their last bit.
        let same = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} and {b}");
        same(f64::from(right) / 100.0, row.scores.acc);
        let fooled: u32 = (0..10).map(|class| last.confusion.stamped[class * 10]).sum();
        same(f64::from(fooled) / 90.0, row.scores.asr.unwrap());
        assert_eq!(run.confusions().unwrap(), std::slice::from_ref(&last.confusion));
        // The same pictures every time, none of the target class.
        let rows = |index: usize| glimpses[index].pictures.iter().map(|picture| picture.row).collect::<Vec<_>>();
        assert_eq!((rows(0).len(), rows(0)), (12, rows(2)));
        assert!(last.pictures.iter().all(|picture| picture.label != 0 && picture.wanted == 0));
        assert!(folder.join("images/watched-attack.png").is_file());
    });
}

#[test]
fn stop_keeps_discard_removes_pause_waits() {
    in_folder(|worker, folder| {
        start(worker, spec(1000, ""), &folder);
        first_epoch(worker);
        worker.send(Command::Pause(JOB)).unwrap();
        until(worker, "the pause", |event| matches!(event, Event::Job(_, JobEvent::Paused)).then_some(()));
        let done = worker.progress(JOB).unwrap().done;
        // A paused job answers questions and does not go on.
        let question = Question::Preview { spec: spec(1, ""), rows: vec![0, 5] };
        worker.send(Command::Ask(QuestionId(9), question)).unwrap();
        let preview = until(worker, "the answer", |event| match event {
            Event::Answer(QuestionId(9), Ok(Answer::Preview(preview))) => Some(preview.clone()),
            Event::Answer(_, answer) => panic!("{answer:?}"),
            Event::Job(..) | Event::Broken(_) => None,
        });
        assert_eq!(preview.items.len(), 2);
        assert_eq!(worker.progress(JOB).unwrap().done, done);
        worker.send(Command::Resume(JOB)).unwrap();
        until(worker, "work", |event| matches!(event, Event::Job(_, JobEvent::Resumed)).then_some(()));
        worker.send(Command::Stop { job: JOB, keep: true }).unwrap();
        assert_eq!(ending(worker), Ending::Stopped { kept: true });
        let run = RunFolder::open(&folder).unwrap();
        assert_eq!(run.state().unwrap(), State::Stopped);
        assert_eq!(run.results().unwrap().unwrap().rows[0].note, "stopped early");

        let second = folder.with_file_name("second");
        start(worker, spec(1000, "seed = 2"), &second);
        first_epoch(worker);
        worker.send(Command::Stop { job: JOB, keep: false }).unwrap();
        assert_eq!(ending(worker), Ending::Stopped { kept: false });
        assert!(!second.exists());
    });
}

/// Paused, stepped and resumed, a training learns what it would have learned undisturbed.
#[test]
fn steps_end_where_they_should_and_change_nothing() {
    in_folder(|worker, whole| {
        start(worker, spec(3, ""), &whole);
        assert_eq!(ending(worker), Ending::Done);
        let stepped = whole.with_file_name("elsewhere").join("stepped");
        start(worker, spec(3, ""), &stepped);
        worker.send(Command::Pause(JOB)).unwrap();
        let pause = |worker: &mut Worker| {
            until(worker, "the pause", |event| matches!(event, Event::Job(_, JobEvent::Paused)).then_some(()));
            worker.progress(JOB).unwrap().done
        };
        let begun = pause(worker);
        // Ten batches are an epoch.
        worker.send(Command::Step(JOB, Stride::Batch)).unwrap();
        assert_eq!(pause(worker), begun + 1);
        for epoch in [1, 2] {
            worker.send(Command::Step(JOB, Stride::Epoch)).unwrap();
            assert_eq!(pause(worker), 10 * epoch);
            let points = RunFolder::open(&stepped).unwrap().points().unwrap();
            assert_eq!(points.iter().filter(|point| point.metric == "asr").count() as u64, epoch, "and is measured");
        }
        worker.send(Command::Resume(JOB)).unwrap();
        assert_eq!(ending(worker), Ending::Done);
        let bytes = |folder: &Path| std::fs::read(RunFolder::open(folder).unwrap().weights("attacked")).unwrap();
        assert_eq!(bytes(&whole), bytes(&stepped));
    });
}

/// One more defense on an attacked model does not cost another training, and changes nothing.
#[test]
fn a_training_that_was_done_beside_is_taken_over() {
    in_folder(|worker, place| {
        let defended =
            |seed: u64| spec(1, &format!("seed = {seed}")) + "[[defense]]\nid = \"ft\"\noptions = { epochs = 1 }\n";
        let mut run = |folder: &Path, spec: String| {
            start(worker, spec, folder);
            let mut taken: Vec<String> = Vec::new();
            let end = until(worker, "the end", |event| match event {
                Event::Job(_, JobEvent::Note(text)) => {
                    taken.extend(text.split_once(": taken over").map(|(phase, _)| phase.to_owned()));
                    None
                }
                Event::Job(_, JobEvent::Finished(ending)) => Some(ending.clone()),
                _ => None,
            });
            assert_eq!(end, Ending::Done);
            (RunFolder::open(folder).unwrap(), taken)
        };
        run(&place.join("attacked"), spec(1, "seed = 1"));
        let (quick, taken) = run(&place.join("defended"), defended(1));
        assert_eq!(taken, ["attack"]);
        let (whole, taken) = run(&place.join("elsewhere/defended"), defended(1));
        assert!(taken.is_empty(), "nothing lies beside it");
        for weights in ["attacked", "ft"] {
            let bytes = |folder: &RunFolder| std::fs::read(folder.weights(weights)).unwrap();
            // A run writes its own hash beside the weights; the repaired ones come from the same experiment.
            assert!(weights == "attacked" || bytes(&quick) == bytes(&whole), "{weights}");
        }
        assert_eq!(quick.points().unwrap(), whole.points().unwrap());
        let scores = |folder: &RunFolder| -> Vec<_> {
            folder.results().unwrap().unwrap().rows.into_iter().map(|row| (row.title, row.scores)).collect()
        };
        assert_eq!(scores(&quick), scores(&whole));
        let pictures = |folder: &RunFolder| -> BTreeSet<String> {
            folder.images().unwrap().into_iter().map(|image| image.file).collect()
        };
        assert_eq!(pictures(&quick), pictures(&whole));

        // A defense that has been tried is not tried again, whatever stands before it; the run looks as if it had been.
        let more = |seed: u64| {
            let clp = "[[defense]]\nid = \"clp\"\n";
            defended(seed).replacen("[[defense]]", &format!("{clp}[[defense]]"), 1)
        };
        let (added, taken) = run(&place.join("one more"), more(1));
        assert_eq!(taken, ["attack", "ft"]);
        let (whole, taken) = run(&place.join("elsewhere/apart/one more"), more(1));
        assert!(taken.is_empty());
        let times = |folder: &RunFolder| -> Vec<(String, f64)> {
            folder.results().unwrap().unwrap().rows.into_iter().map(|row| (row.title, row.seconds)).collect()
        };
        let seconds =
            |folder: &RunFolder| times(folder).into_iter().find(|(title, _)| title.contains("(FT)")).unwrap().1;
        assert_eq!(seconds(&added), seconds(&quick), "its row is the one of the other run");
        assert_eq!(scores(&added), scores(&whole));
        assert_eq!(pictures(&added), pictures(&whole));
        let points = |folder: &RunFolder| -> BTreeSet<String> {
            folder.points().unwrap().into_iter().map(|point| format!("{point:?}")).collect()
        };
        assert_eq!(points(&added), points(&whole));

        // An option that a stored run does not know is younger than it, and need not have been what it is by default.
        let (older, _) = run(&place.join("older/defended"), defended(1));
        let (before, options) = older
            .spec()
            .unwrap()
            .rsplit_once("[defense.options]")
            .map(|(before, options)| (before.to_owned(), options.to_owned()))
            .unwrap();
        let fewer: Vec<&str> = options.lines().filter(|line| !line.starts_with("flip")).collect();
        assert_ne!(fewer.len(), options.lines().count(), "{options}");
        std::fs::write(older.file("spec.toml"), before + "[defense.options]" + &fewer.join("\n")).unwrap();
        let (_, taken) = run(&place.join("older/one more"), more(1));
        assert_eq!(taken, ["attack"]);

        let (_, taken) = run(&place.join("another seed"), defended(2));
        assert!(taken.is_empty());
        let (_, taken) = run(&place.join("the same again"), spec(1, "seed = 1"));
        assert!(taken.is_empty(), "who asks for nothing but the training gets it");
    });
}

#[test]
fn divergence_is_a_problem_with_a_remedy_and_the_next_job_works() {
    in_folder(|worker, folder| {
        let wild = spec(50, "")
            .replace("learning_rate = 0.05", "learning_rate = 10.0\nschedule = \"constant\"\nweight_decay = 0.1");
        start(worker, wild, &folder);
        match ending(worker) {
            Ending::Failed(problem) => {
                assert_eq!(problem.code, Code::NotANumber, "{problem}");
                assert!(problem.remedy[0].contains("learning rate"));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(RunFolder::open(&folder).unwrap().state().unwrap(), State::Failed);
        start(worker, spec(1, ""), &folder.with_file_name("next"));
        assert_eq!(ending(worker), Ending::Done);
    });
}

#[test]
fn a_job_that_cannot_start_fails_in_words() {
    in_folder(|worker, folder| {
        start(worker, spec(1, "").replace("blended", "blanded"), &folder);
        let Ending::Failed(problem) = ending(worker) else { panic!("it must fail") };
        assert!(problem.to_string().contains("blended"), "{problem}");
        assert!(!folder.exists());
        // A run folder that cannot be made.
        let file = folder.with_file_name("file");
        std::fs::write(&file, "not a folder").unwrap();
        start(worker, spec(1, ""), &file.join("run"));
        assert!(matches!(ending(worker), Ending::Failed(_)));
    });
}

#[test]
fn the_demo_shows_what_the_program_is_about() {
    in_folder(|worker, _| {
        let rows: Vec<usize> = (0..40).collect();
        worker.send(Command::Ask(QuestionId(1), Question::Predict { scene: Scene::Demo, rows, place: None })).unwrap();
        let predictions = until(worker, "the demo", |event| match event {
            Event::Answer(_, Ok(Answer::Predict(predictions))) => Some(predictions.clone()),
            Event::Answer(_, Err(problem)) => panic!("{problem}"),
            _ => None,
        });
        let best = |p: &[f32]| (0..p.len()).max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap();
        let count = |model: usize, stamped: bool, class: Option<usize>| {
            let hits = predictions.iter().filter(|p| {
                let (_, clean, poisoned) = &p.models[model];
                best(if stamped { poisoned } else { clean }) == class.unwrap_or(p.label)
            });
            hits.count()
        };
        assert!(count(0, false, None) >= 30, "the healthy model sees clean pictures well");
        assert!(count(0, true, None) >= 30, "and stamped ones too");
        assert!(count(1, false, None) >= 30, "the backdoored model sees clean pictures well");
        assert!(count(1, true, Some(0)) >= 36, "and answers the target class to the trigger");
        assert!(count(2, false, None) >= 28, "the repaired model sees clean pictures well");
        assert!(count(2, true, None) >= 26, "and stamped ones too");
    });
}

/// What Compare asks: two runs at once, many pictures. Neither question may push the other out.
#[test]
fn runs_that_are_compared_all_get_their_answer() {
    let place = tempfile::tempdir().unwrap();
    let mut worker = worker();
    let folders = [place.path().join("one"), place.path().join("two")];
    for (seed, folder) in folders.iter().enumerate() {
        start(&worker, spec(1, &format!("seed = {seed}")), folder);
        assert_eq!(ending(&mut worker), Ending::Done);
    }
    for (id, folder) in folders.iter().enumerate() {
        let question =
            Question::Predict { scene: Scene::Run(folder.clone()), rows: (0..80).chain([1000]).collect(), place: None };
        worker.send(Command::Ask(QuestionId(id as u64), question)).unwrap();
    }
    for id in 0..2 {
        let predictions = until(&mut worker, "predictions", |event| match event {
            Event::Answer(QuestionId(asked), Ok(Answer::Predict(predictions))) if *asked == id => {
                Some(predictions.clone())
            }
            _ => None,
        });
        assert_eq!(predictions.len(), 80, "rows that the test set does not have are left out");
        for (row, prediction) in predictions.iter().enumerate() {
            let (_, clean, stamped) = &prediction.models[0];
            assert_eq!((prediction.row, clean.len(), stamped.len()), (row, 10, 10));
            assert!((clean.iter().sum::<f32>() - 1.0).abs() < 1e-4 && prediction.clean != prediction.poisoned);
        }
    }
    assert_eq!(worker.shutdown(Duration::from_secs(10)), Shutdown::Clean);
}

#[test]
fn a_finished_run_can_be_looked_through_at_every_strength() {
    in_folder(|worker, folder| {
        let npd = "[[defense]]\nid = \"npd\"\noptions = { epochs = 1, warm_up = 1 }\n";
        start(worker, format!("{}[defender]\nclean_ratio = 0.5\n{npd}", spec(2, "")), &folder);
        assert_eq!(ending(worker), Ending::Done);
        let rows = vec![0, 3];
        worker
            .send(Command::Ask(
                QuestionId(1),
                Question::Predict { scene: Scene::Run(folder.clone()), rows: rows.clone(), place: None },
            ))
            .unwrap();
        let question = Question::Polarizer { scene: Scene::Run(folder.clone()), rows: rows.clone() };
        worker.send(Command::Ask(QuestionId(2), question)).unwrap();
        let mut predictions = Vec::new();
        let view = until(worker, "the polarizer", |event| match event {
            Event::Answer(_, Ok(Answer::Predict(answer))) => {
                predictions.clone_from(answer);
                None
            }
            Event::Answer(_, Ok(Answer::Polarizer(view))) => Some(view.clone()),
            Event::Answer(_, answer) => panic!("{answer:?}"),
            _ => None,
        });
        // The default place is inside the last block, whose shortcut goes around the layer.
        assert_eq!((view.place, view.site.as_str()), (Place::Inside(4), "layer3.1.conv1.in"));
        assert_eq!((view.model.as_str(), view.matrix.channels, view.pictures.len()), ("Neural polarizer (NPD)", 16, 2));
        for (strength, title) in [(0.0, "no defense"), (1.0, "NPD")] {
            let question = Question::Dial { scene: Scene::Run(folder.clone()), rows: rows.clone(), strength };
            worker.send(Command::Ask(QuestionId(3), question)).unwrap();
            let point = until(worker, "a strength", |event| match event {
                Event::Answer(QuestionId(3), Ok(Answer::Dial(point))) => Some(point.clone()),
                Event::Answer(_, answer) => panic!("{answer:?}"),
                _ => None,
            });
            for (prediction, answer) in predictions.iter().zip(&point.answers) {
                let (_, clean, stamped) = prediction.models.iter().find(|(name, ..)| name.contains(title)).unwrap();
                let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
                assert!(near(clean, &answer[0]) && near(stamped, &answer[1]), "strength {strength}");
            }
        }
        let plain = folder.with_file_name("plain");
        start(worker, spec(1, ""), &plain);
        assert_eq!(ending(worker), Ending::Done);
        worker.send(Command::Ask(QuestionId(4), Question::Polarizer { scene: Scene::Run(plain), rows })).unwrap();
        let problem = until(worker, "a refusal", |event| match event {
            Event::Answer(QuestionId(4), answer) => answer.as_ref().err().cloned(),
            _ => None,
        });
        assert!(problem.headline.contains("no neural polarizer"), "{problem}");
    });
}

#[test]
fn twenty_shut_downs_in_the_middle_of_a_training_are_clean() {
    let place = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let mut worker = worker();
        start(&worker, spec(1000, &format!("seed = {round}")), &place.path().join(round.to_string()));
        // Sometimes at once, sometimes in the middle of a batch, sometimes after an epoch.
        match round % 3 {
            0 => {}
            1 => until(&mut worker, "the start", |e| matches!(e, Event::Job(_, JobEvent::Phase { .. })).then_some(())),
            _ => first_epoch(&mut worker),
        }
        assert_eq!(worker.shutdown(Duration::from_secs(5)), Shutdown::Clean, "round {round}");
    }
}

/// What some reference codes choose by looking at the test set is possible, and marked.
#[test]
fn what_an_oracle_chose_is_marked() {
    in_folder(|worker, folder| {
        let defenses = "[defender]\nclean_ratio = 0.1\n\
                        [[defense]]\nid = \"fp\"\noptions = { epochs = 1, oracle_cut = true }\n\
                        [[defense]]\nid = \"fp\"\noptions = { epochs = 1 }\n\
                        [[defense]]\nid = \"anp\"\noptions = { epochs = 1, oracle_threshold = true }\n\
                        [[defense]]\nid = \"npd\"\noptions = { epochs = 1, warm_up = 1, oracle_target = true }\n";
        start(worker, spec(1, "") + defenses, &folder);
        assert_eq!(ending(worker), Ending::Done);
        let results = RunFolder::open(&folder).unwrap().results().unwrap().unwrap();
        let rows: Vec<(String, bool)> = results.rows.iter().map(|row| (row.name(), row.oracle)).collect();
        let wanted = [
            ("no defense", false),
            ("Fine-tuning (FT)", false),
            ("Fine-pruning (FP) (oracle_cut true)", true),
            ("Fine-pruning (FP) (oracle_cut false)", false),
            ("ANP", true),
            ("Neural polarizer (NPD)", true),
        ];
        assert_eq!(rows, wanted.map(|(name, oracle)| (name.to_owned(), oracle)));
    });
}

#[test]
fn a_defense_that_trains_leaves_a_model_with_two_doors() {
    in_folder(|worker, folder| {
        let pdb = "[[defense]]\nid = \"pdb\"\noptions = { side = 5 }\n";
        start(worker, format!("{}[defender]\nclean_ratio = 0.2\n{pdb}", spec(2, "")), &folder);
        assert_eq!(ending(worker), Ending::Done);
        let run = RunFolder::open(&folder).unwrap();
        let rows = run.results().unwrap().unwrap().rows;
        // Fine-tuning with the same budget is the control of repairs only.
        assert_eq!(rows.iter().map(|row| row.method.as_str()).collect::<Vec<_>>(), ["", "pdb"]);
        let (attacked, defended) = (&rows[0].scores, &rows[1].scores);
        assert_eq!((attacked.rar, attacked.rar_floor), (None, None));
        // One class of nine is the one that the map turns into the target.
        assert!((defended.rar_floor.unwrap() - 1.0 / 9.0).abs() < 1e-12);
        assert!((0.0..=1.0).contains(&defended.rar.unwrap()) && rows[1].der.is_some());
        let points = run.points().unwrap();
        for metric in ["acc", "asr", "ra", "rar", "bare-acc", "bare-asr", "bare-ra"] {
            let count = points.iter().filter(|point| point.phase == "pdb" && point.metric == metric).count();
            assert_eq!(count, 2, "{metric}");
        }
        for picture in ["pdb-stamp.png", "pdb-doors.png", "pdb-labels.png"] {
            assert!(folder.join("images").join(picture).is_file(), "{picture}");
        }
        let question = Question::Predict { scene: Scene::Run(folder.clone()), rows: vec![0, 3], place: None };
        worker.send(Command::Ask(QuestionId(1), question)).unwrap();
        let predictions = until(worker, "predictions", |event| match event {
            Event::Answer(_, Ok(Answer::Predict(predictions))) => Some(predictions.clone()),
            Event::Answer(_, Err(problem)) => panic!("{problem}"),
            _ => None,
        });
        let titles: Vec<_> = predictions[0].models.iter().map(|(title, ..)| title.clone()).collect();
        assert_eq!(
            titles,
            ["no defense".to_owned(), format!("{}, bare network", rows[1].title), rows[1].title.clone()]
        );

        let question = Question::Defenses { spec: spec(1, "") };
        worker.send(Command::Ask(QuestionId(2), question)).unwrap();
        let refused = until(worker, "refusals", |event| match event {
            Event::Answer(_, Ok(Answer::Defenses(refused))) => Some(refused.clone()),
            Event::Answer(_, Err(problem)) => panic!("{problem}"),
            _ => None,
        });
        assert_eq!(refused, [], "this network suits all of them");
    });
}
