//! The command line from outside: exit codes, JSON, readable problems, stop, kill and resume to the same numbers.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Small and quick, but a whole experiment: attack, control and polarizer on real pictures.
const SPEC: &str = r#"
name = "small"
seed = 5
threads = 1
[data]
source = "fashion-mini"
train_rows = 600
test_rows = 200
[network]
id = "small-resnet"
options = { width = 4 }
[train]
epochs = 4
batch = 50
learning_rate = 0.1
schedule = "one-cycle"
precision = "f32"
crop = 2
[attack]
id = "badnets"
[defender]
clean_ratio = 0.1
[[defense]]
id = "npd"
options = { epochs = 3, warm_up = 1, batch = 20 }
"#;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(place.path("spec.toml"), SPEC).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_polariscope"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("POLARISCOPE_RUNS", self.path("runs"))
            .env("POLARISCOPE_CACHE", self.path("cache"))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Exit code, last line of stdout as JSON, stderr.
    fn json(&self, arguments: &[&str]) -> (i32, Value, String) {
        let output = self.run(arguments);
        let stdout = String::from_utf8(output.stdout).unwrap();
        let last = stdout.lines().last().unwrap_or_default();
        let value = serde_json::from_str(last).unwrap_or_else(|e| panic!("{e}: {stdout}"));
        (output.status.code().unwrap(), value, String::from_utf8(output.stderr).unwrap())
    }
}

/// All points but learning rates and times, which are not results.
fn numbers(run: &Path) -> Vec<String> {
    let mut lines: Vec<String> =
        fs::read_to_string(run.join("metrics.jsonl")).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn scores(run: &Path) -> Vec<Value> {
    let results: Value = serde_json::from_slice(&fs::read(run.join("results.json")).unwrap()).unwrap();
    results["rows"].as_array().unwrap().iter().map(|row| row["scores"].clone()).collect()
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(120), "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn plan_tells_counts_and_refusals_before_anything_runs() {
    let place = Place::new();
    let output = place.run(&["plan", "spec.toml"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text.starts_with("BadNets: 60 of 600 training pictures (10.000 %), all to one"), "{text}");
    assert!(text.contains("Ankle boot"), "{text}");

    let ratio = ["--set", "poison.ratio=0.2", "--set", "poison.label_map=\"clean-label\""];
    let refused = place.run(&[&["run", "spec.toml"], &ratio[..]].concat());
    let (code, plan, stderr) = place.json(&[&["plan", "spec.toml", "--json"], &ratio[..]].concat());
    assert_eq!((code, refused.status.code()), (2, Some(2)));
    assert_eq!(plan["problems"][0]["place"], "poison.ratio");
    let headline = plan["problems"][0]["headline"].as_str().unwrap();
    assert!(stderr.contains(headline) && String::from_utf8_lossy(&refused.stderr).contains(headline), "{stderr}");
}

#[test]
fn a_poisoned_set_is_exported_measured_with_and_trained_on_again() {
    let place = Place::new();
    let short = ["--set", "train.epochs=1", "--set", "defense=[]"];
    let run = |spec: &str, out: &str| {
        let (code, value, stderr) = place.json(&[&["run", spec, "--out", out, "--json"], &short[..]].concat());
        assert_eq!(code, 0, "{stderr}");
        value["results"].clone()
    };
    run("spec.toml", "first");
    let (code, value, stderr) = place.json(&["export-poison", "first", "--json"]);
    assert_eq!(
        (code, value["train"]["stamped"].as_u64(), value["test"]["stamped"].as_u64()),
        (0, Some(60), Some(180)),
        "{stderr}"
    );
    let set = place.path("first/poisoned-set");
    assert!(set.join("manifest.csv").is_file() && set.join("bd_train_dataset").is_dir());

    run("first/poisoned-set", "second");
    assert_eq!(
        (scores(&place.path("first")), numbers(&place.path("first"))),
        (scores(&place.path("second")), numbers(&place.path("second")))
    );

    // The stored test pictures measure a model as the run's own trigger does.
    let model = "first/weights/attacked.safetensors";
    let eval = |trigger: &str| {
        let (code, value, stderr) =
            place.json(&["eval", "--model", model, "--data", "fashion-mini", "--trigger", trigger, "--json"]);
        (code, value, stderr)
    };
    assert_eq!(eval("first").0, 0);
    let (code, value, _) = eval("first/poisoned-set");
    assert_eq!(code, 2, "fashion-mini as a whole has other test pictures than the run: {value}");

    // Refusals: it is there already; both extents at once; a run that is none.
    let (code, value, stderr) = place.json(&["export-poison", "first", "--json"]);
    assert_eq!((code, value["state"].as_str()), (2, Some("failed")));
    assert!(stderr.contains("something in this place already"), "{stderr}");
    assert_eq!(place.run(&["export-poison", "first", "--all", "--test-only"]).status.code(), Some(2));
    assert_eq!(place.run(&["export-poison", "nowhere"]).status.code(), Some(2));

    // An experiment need not have run, and with all its pictures the folder is a data set.
    let output = place.run(&["export-poison", "spec.toml", "--all", "--out", "whole"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("60 stamped training pictures of 600 and 180 stamped test pictures of 200"), "{text}");
    let (code, value, _) = place.json(&["eval", "--model", model, "--data", "whole", "--trigger", "whole", "--json"]);
    assert_eq!(code, 0, "{value}");
    assert_eq!(value["triggered_count"].as_u64(), Some(180), "{value}");
    let report = String::from_utf8(place.run(&["inspect", "whole"]).stdout).unwrap();
    assert!(report.contains("Poisoned set: badnets") && report.contains("all of them"), "{report}");
}

#[test]
fn a_killed_run_resumes_to_the_same_numbers() {
    let place = Place::new();
    let (code, value, _) = place.json(&["run", "spec.toml", "--out", "whole", "--json"]);
    assert_eq!((code, value["state"].as_str()), (0, Some("done")));
    assert_eq!(value["results"].as_array().unwrap().len(), 3);
    for file in ["spec.toml", "status.json", "machine.json", "data.json", "images/trigger.png", "images/npd.png"] {
        assert!(place.path("whole").join(file).is_file(), "{file}");
    }

    // Killed once in the training and once in the repair, each time after a resume point.
    for phase in ["attack", "npd"] {
        let mut child = place
            .command(&["run", "spec.toml", "--out", "cut", "--resume"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let point = place.path("cut").join(format!("resume/{phase}.safetensors"));
        wait_for("a resume point", || point.exists() || child.try_wait().unwrap().is_some());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (code, _, log) = place.json(&["run", "spec.toml", "--out", "cut", "--resume", "--json"]);
    assert_eq!(code, 0);
    assert!(log.contains("already done") || log.contains("continues after"), "{log}");
    assert_eq!(scores(&place.path("whole")), scores(&place.path("cut")));
    assert_eq!(numbers(&place.path("whole")), numbers(&place.path("cut")));
    let weights = |run: &str| fs::read(place.path(run).join("weights/npd.safetensors")).unwrap();
    assert!(weights("whole") == weights("cut"), "weights differ");

    // A finished run is not overwritten, and resuming it tells its results.
    let again = place.run(&["run", "spec.toml", "--out", "whole"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("already finished"));
    let (code, value, _) = place.json(&["run", "spec.toml", "--out", "whole", "--resume", "--json"]);
    assert_eq!((code, value["results"].as_array().unwrap().len()), (0, 3));

    // What was made can be shown, listed, inspected and measured.
    let (code, value, _) = place.json(&["show", "whole", "--json"]);
    assert_eq!((code, value["state"].as_str()), (0, Some("done")));
    let (_, value, _) = place.json(&["list", ".", "--json"]);
    // Other folders are listed as unreadable, with the reason.
    let readable = value["runs"].as_array().unwrap().iter().filter(|run| run["state"] == "done");
    assert_eq!(readable.count(), 2);
    let (_, value, _) = place.json(&["inspect", "whole/weights/attacked.safetensors", "--json"]);
    assert!(value["warnings"][0].as_str().unwrap().contains("backdoored on purpose"));
    let model = ["eval", "--model", "whole/weights/attacked.safetensors", "--data", "fashion-mini"];
    let (code, value, _) = place.json(&[&model[..], &["--trigger", "whole", "--json"]].concat());
    assert_eq!(code, 0);
    assert_eq!((value["clean_count"].as_i64(), value["triggered_count"].as_i64()), (Some(2000), Some(1800)));
}

/// The generator of Input-aware learns beside the network, and its mask network before: both must go on.
#[test]
fn a_killed_attack_that_owns_the_loop_resumes_to_the_same_numbers() {
    let place = Place::new();
    let (head, _) = SPEC.split_once("[attack]").unwrap();
    let attack = "[attack]\nid = \"input-aware\"\noptions = { width = 4, mask_epochs = 3 }\n";
    fs::write(place.path("own.toml"), head.replace("epochs = 4", "epochs = 3") + attack).unwrap();
    let run = |arguments: &[&str], cache: &str| {
        // A mask network in the cache would not be trained again.
        let mut command = place.command(&[&["run", "own.toml"], arguments].concat());
        command.env("POLARISCOPE_CACHE", place.path(cache));
        command
    };
    assert!(run(&["--out", "whole"], "cache").output().unwrap().status.success());
    for phase in ["mask", "attack"] {
        let mut command = run(&["--out", "cut", "--resume"], "other-cache");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let point = place.path("cut").join(format!("resume/{phase}.safetensors"));
        wait_for("a resume point", || point.exists() || child.try_wait().unwrap().is_some());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let output = run(&["--out", "cut", "--resume"], "other-cache").output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{log}");
    assert!(log.contains("Effective ratio: 5 of the 50"), "{log}");
    assert_eq!(scores(&place.path("whole")), scores(&place.path("cut")));
    assert_eq!(numbers(&place.path("whole")), numbers(&place.path("cut")));
    for file in ["weights/attacked.safetensors", "trigger.safetensors"] {
        let bytes = |run: &str| fs::read(place.path(run).join(file)).unwrap();
        assert!(bytes("whole") == bytes("cut"), "{file} differs");
    }
    for file in ["trigger.png", "patterns.png", "foreign-triggers.png"] {
        assert!(place.path("cut/images").join(file).is_file(), "{file}");
    }
    // The judge outside the run uses the generator that was trained in it.
    let model = ["eval", "--model", "cut/weights/attacked.safetensors", "--data", "fashion-mini"];
    let (code, value, _) = place.json(&[&model[..], &["--trigger", "cut", "--json"]].concat());
    assert_eq!((code, value["triggered_count"].as_i64()), (0, Some(1800)));
    assert!(value["cross"].is_number(), "{value}");
    let (code, value, _) = place.json(&[&model[..], &["--trigger", "own.toml", "--json"]].concat());
    let headline = value["problem"]["headline"].as_str().unwrap();
    assert!(code == 2 && headline.contains("made when the experiment runs"), "{value}");
}

#[cfg(unix)]
#[test]
fn a_stopped_run_keeps_what_it_reached_and_goes_on() {
    let place = Place::new();
    let child = place
        .command(&["run", "spec.toml", "--out", "run", "--set", "train.epochs=400", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("a resume point", || place.path("run/resume/attack.safetensors").exists());
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let value: Value = serde_json::from_str(String::from_utf8(output.stdout).unwrap().lines().last().unwrap()).unwrap();
    assert_eq!(value["state"], "stopped");
    assert_eq!(value["results"][0]["note"], "stopped early");
    assert!(place.path("run/weights/attacked-stopped.safetensors").is_file());
    let (_, value, _) = place.json(&["show", "run", "--json"]);
    assert_eq!(value["state"], "stopped");
}

#[test]
fn bad_input_ends_with_code_2_and_a_sentence_that_helps() {
    let place = Place::new();
    fs::write(place.path("typo.toml"), SPEC.replace("learning_rate", "lerning_rate")).unwrap();
    fs::write(place.path("range.toml"), SPEC.replace("epochs = 4", "epochs = 0")).unwrap();
    fs::write(place.path("method.toml"), SPEC.replace("\"badnets\"", "\"badnet\"")).unwrap();
    fs::write(place.path("empty.pt"), b"").unwrap();
    fs::write(place.path("words.csv"), "a,b\n1,2\n").unwrap();
    fs::write(place.path("words.bin"), "neither a model nor pictures").unwrap();
    fs::write(place.path("lfs.pt"), "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n").unwrap();
    fs::create_dir(place.path("taken")).unwrap();
    fs::write(place.path("taken/diary.txt"), "dear").unwrap();
    let cases: &[(&[&str], &[&str])] = &[
        (&["run", "nothing.toml"], &["nothing.toml"]),
        (&["run", "typo.toml"], &["lerning_rate", "learning_rate", "line"]),
        (&["run", "range.toml"], &["epochs", "line"]),
        (&["run", "method.toml"], &["badnet", "badnets"]),
        (&["run", "spec.toml", "--set", "poison.ratio=7"], &["ratio"]),
        (&["run", "spec.toml", "--set", "data.source=\"no/such/folder\""], &["no/such/folder"]),
        (&["run", "spec.toml", "--set", "poison.target=10"], &["Target class 10", "0 to 9"]),
        (
            &["run", "spec.toml", "--set", "poison.ratio=0.2", "--set", "poison.label_map=\"clean-label\""],
            &["not enough"],
        ),
        (
            &["run", "spec.toml", "--set", "attack.options.size=30", "--set", "attack.options.right=9"],
            &["does not fit"],
        ),
        (
            &["run", "spec.toml", "--set", "attack={id=\"wanet\"}", "--set", "poison.label_map=\"clean-label\""],
            &["WaNet has no clean-label form", "all-to-one"],
        ),
        (
            &["run", "spec.toml", "--set", "attack={id=\"bpp\"}", "--set", "selection={id=\"random\"}"],
            &["BppAttack stamps pictures anew in every batch"],
        ),
        (
            &["run", "spec.toml", "--set", "attack={id=\"wanet\"}", "--set", "poison.ratio=0.5"],
            &["more poisoned and disturbed pictures than a batch has", "25 poisoned, 50 disturbed"],
        ),
        (
            &["run", "spec.toml", "--set", "attack={id=\"input-aware\"}", "--set", "data.side=30"],
            &["30 x 30", "data.side = 32"],
        ),
        (&["run", "spec.toml", "--set", "defense.0.options.site=\"layer9\""], &["layer9", "layer3.1.conv1.in"]),
        (&["run", "spec.toml", "--out", "taken"], &["not a run"]),
        (&["inspect", "nothing.pt"], &["nothing.pt"]),
        (&["inspect", "empty.pt"], &["empty"]),
        (&["inspect", "lfs.pt"], &["LFS"]),
        (&["inspect", "words.bin"], &["words.bin"]),
        (&["eval", "--model", "words.csv", "--data", "fashion-mini"], &["words.csv"]),
        (&["methods", "ndp"], &["npd"]),
        (&["show", "nowhere"], &["nowhere"]),
        (&["dance"], &["dance"]),
    ];
    for (arguments, words) in cases {
        let output = place.run(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}\n{stderr}");
        for word in *words {
            assert!(stderr.contains(word), "{arguments:?} does not say `{word}`:\n{stderr}");
        }
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
    // The same as one JSON object for machines.
    let (code, value, _) = place.json(&["run", "typo.toml", "--json"]);
    assert_eq!(code, 2);
    assert!(value["problem"]["headline"].as_str().unwrap().contains("lerning_rate"));
    // What was refused leaves no runs behind.
    assert_eq!(fs::read_dir(place.path("runs")).map_or(0, Iterator::count), 0);
}

#[test]
fn methods_explain_themselves_and_the_doctor_answers() {
    let place = Place::new();
    let (code, value, _) = place.json(&["methods", "--json"]);
    assert_eq!(code, 0);
    assert!(value["methods"].as_array().unwrap().iter().any(|method| method["id"] == "npd"));
    let (_, value, _) = place.json(&["methods", "npd", "--json"]);
    assert_eq!(value["defaults"]["epochs"], 50);
    let text = String::from_utf8(place.run(&["methods", "badnets"]).stdout).unwrap();
    assert!(text.contains("size = 3 [1 .. 32], paper 3"), "{text}");
    let (code, value, _) = place.json(&["doctor", "--json"]);
    assert_eq!((code, value["healthy"].as_bool()), (0, Some(true)));
}

#[test]
fn a_device_that_is_not_there_is_exit_code_5() {
    let place = Place::new();
    // A machine with a GPU simply has it.
    if place.run(&["doctor"]).stdout.windows(8).any(|part| part == b"ok  cuda") {
        return;
    }
    let output = place.run(&["run", "spec.toml", "--device", "cuda"]);
    assert_eq!(output.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&output.stderr).contains("CUDA cannot be used"));
}

#[cfg(unix)]
#[test]
fn a_full_disk_and_a_read_only_folder_end_with_code_4_and_lose_nothing() {
    let place = Place::new();
    // Root may write anywhere, so the read-only case is a path below a file system that refuses everybody.
    let output = place.run(&["run", "spec.toml", "--out", "/proc/polariscope-run"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(matches!(output.status.code(), Some(2 | 4)), "{stderr}");
    assert!(stderr.contains("/proc/polariscope-run"), "{stderr}");

    // A limit on file sizes stands in for a full disk: the first large write fails.
    let program = env!("CARGO_BIN_EXE_polariscope");
    let script = format!("trap '' XFSZ; ulimit -f 8; exec {program} run spec.toml --out small");
    let output = Command::new("bash").args(["-c", &script]).current_dir(place.folder.path()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("error:") && !stderr.contains("panicked"), "{stderr}");
    assert!(stderr.contains("choose another folder"), "{stderr}");
    assert!(!place.path("small/weights/attacked.safetensors").exists());
    let (code, _, _) = place.json(&["run", "spec.toml", "--out", "small", "--resume", "--json"]);
    assert_eq!(code, 0);
}

#[test]
fn a_sweep_runs_every_variant_once_and_finds_them_again() {
    let place = Place::new();
    let text = "base = 'spec.toml'\n[vary]\n'poison.ratio' = [0.05, 0.1]\n[[case]]\nname = 'patch'\nset = ['train.epochs=1']\n";
    fs::write(place.path("sweep.toml"), text).unwrap();
    let (code, planned, _) = place.json(&["sweep", "sweep.toml", "--dry-run", "--json"]);
    assert_eq!((code, planned["runs"].as_array().unwrap().len()), (0, 2));
    assert_eq!(planned["runs"][0]["name"], "patch, ratio 0.05");
    assert!(!place.path("runs").exists(), "nothing has run");

    let sweep = || place.json(&["sweep", "sweep.toml", "--out", "out", "--json"]);
    let (code, first, _) = sweep();
    assert_eq!(code, 0);
    let (code, again, told) = sweep();
    assert_eq!((code, &again), (0, &first));
    assert!(told.contains("already finished"), "{told}");
    let csv = fs::read_to_string(place.path("out/sweep.csv")).unwrap();
    assert!(csv.lines().count() >= 3 && csv.starts_with("run,folder,model"), "{csv}");

    fs::write(place.path("sweep.toml"), text.replace("0.1]", "2.0]")).unwrap();
    let refused = place.run(&["sweep", "sweep.toml", "--out", "other"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(!place.path("other").exists(), "a mistake in one run is told before the first one starts");
}

#[test]
fn bad_tables_end_in_problems_and_predictions_in_a_file() {
    let place = Place::new();
    let rows: String =
        (0..40).map(|row| format!("{},{},{}\n", ["a", "b"][row % 2], row * 7 % 13, row * 7 % 13 + row % 2)).collect();
    fs::write(place.path("good.csv"), format!("group,x,y\n{rows}")).unwrap();
    let spec = "task = 'fair-regression'\nrival = []\n[table]\nsource = 'TABLE'\ntarget = 'y'\nsensitive = ['group']\n\
                [model]\nkernel = 'linear'\nlambda = 0.1\nfolds = 0\n";
    let run = |table: &str, text: &[u8]| {
        fs::write(place.path(table), text).unwrap();
        fs::write(place.path("fair.toml"), spec.replace("TABLE", table)).unwrap();
        place.json(&["run", "fair.toml", "--out", &format!("run-{table}"), "--json"])
    };
    for (name, text, words) in [
        ("empty.csv", &b""[..], "no bytes"),
        ("one.csv", b"y\n1\n", "only one column"),
        ("missing.csv", b"group,x,y\na,1,\nb,2,?\na,3,NaN\nb,4,n/a\na,5,\n", "all of its cells are empty"),
        ("infinite.csv", b"group,x,y\na,1,1\nb,2,2\na,inf,3\nb,4,4\na,5,5\n", "infinite"),
        ("latin.csv", b"group,x,y\n\xe4,1,1\n", "encoding"),
    ] {
        let (code, value, errors) = run(name, text);
        assert!(code == 2 || code == 4, "{name} ends with {code}");
        assert!(value["problem"]["headline"].as_str().unwrap().contains(words), "{name}: {value}");
        assert!(errors.contains(words) && errors.contains(name), "{errors}");
    }
    let ids: String = (0..6_000).map(|row| format!("person-{row},{row},{}\n", row % 3)).collect();
    let (_, value, _) = run("many.csv", format!("group,x,y\n{ids}").as_bytes());
    let headline = value["problem"]["headline"].as_str().unwrap();
    assert!(headline.contains("`group` cannot tell groups apart"), "{headline}");

    let good = fs::read(place.path("good.csv")).unwrap();
    let (code, _, errors) = run("good.csv", &good);
    assert_eq!(code, 0, "{errors}");
    let predict = ["predict", "--model", "run-good.csv", "--out", "out.csv", "--json", "--table"];
    let (code, value, errors) = place.json(&[&predict[..], &["good.csv", "--removed", "0.5"]].concat());
    assert_eq!((code, value["rows"].as_u64()), (0, Some(40)), "{errors}");
    let written = fs::read_to_string(place.path("out.csv")).unwrap();
    assert!(written.starts_with("row,prediction\n1,") && written.lines().count() == 41, "{written}");
    fs::write(place.path("less.csv"), "group,z\na,1\n").unwrap();
    let (code, value, _) = place.json(&[&predict[..], &["less.csv"]].concat());
    assert_eq!(code, 2);
    assert!(value["problem"]["headline"].as_str().unwrap().contains("no column `x`"), "{value}");
    let (code, value, _) = place.json(&[&predict[..], &["good.csv", "--removed", "1.5"]].concat());
    assert!(code == 2 && value["problem"]["place"] == "--removed", "{value}");
}

#[test]
fn an_audit_tells_its_findings_and_becomes_a_report() {
    let place = Place::new();
    let audit = ["audit", "demo-backdoored", "fashion-mini", "--set", "data.test_rows=400", "--set", "threads=1"];
    let quick = ["--check", "class-accuracy", "--check", "odd-channels", "--out", "audit"];
    let (code, value, errors) = place.json(&[&audit[..], &quick[..], &["--json"]].concat());
    assert_eq!(code, 0, "{errors}");
    let found: Vec<_> = value["checks"].as_array().unwrap().iter().map(|found| found["check"].clone()).collect();
    assert_eq!(found, ["class-accuracy", "odd-channels"]);
    assert_eq!(value["checks"][1]["verdict"], "cannot-tell");
    assert_eq!(value["subject"]["hash"].as_str().unwrap().len(), 64);
    assert_eq!(value["subject"]["pictures"], 400);
    let right = value["checks"][0]["evidence"][0][1].as_str().unwrap();
    assert!(right.ends_with(" of 400)"), "{right}");
    let text = String::from_utf8(place.run(&["show", "audit"]).stdout).unwrap();
    assert!(text.contains("as delivered") && text.contains("It would miss"), "{text}");

    // What was found is not looked for again, and the folder tells it once more.
    let again = place.run(&[&audit[..], &quick[..], &["--resume"]].concat());
    assert_eq!(again.status.code(), Some(0));
    assert!(String::from_utf8(again.stderr).unwrap().contains("already finished"));

    let (code, value, errors) = place.json(&["report", "audit", "--out", "audit.pdf", "--json"]);
    assert_eq!((code, value["report"].as_str()), (0, Some("audit.pdf")), "{errors}");
    assert!(fs::read(place.path("audit.pdf")).unwrap().starts_with(b"%PDF-"));
    assert_eq!(place.run(&["report", "audit", "--out", "folder"]).status.code(), Some(0));
    assert!(place.path("folder/findings.json").is_file() && place.path("folder/class-accuracy.png").is_file());

    // Repaired models can be audited, too; only another repair is refused.
    let repaired = ["audit", "demo-repaired", "fashion-mini", "--set", "data.test_rows=100", "--set", "threads=1"];
    let quick = ["--check", "odd-channels", "--out", "repaired", "--json"];
    let (code, value, errors) = place.json(&[&repaired[..], &quick[..]].concat());
    assert_eq!((code, &value["subject"]["inserted"][0]), (0, &"neural polarizer at layer2.0.out".into()), "{errors}");
    for (arguments, words) in [
        (&["audit", "missing.safetensors", "fashion-mini"][..], "nothing at this path"),
        (&["audit", "demo-backdoored", "fashion-mini", "--check", "npd"], "not a check"),
        (&["report", "nowhere", "--out", "x.pdf"], "no run"),
    ] {
        let refused = place.run(arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8(refused.stderr).unwrap().contains(words), "{arguments:?}");
    }
}

#[test]
fn checks_look_before_the_defenses_and_are_not_repeated() {
    let place = Place::new();
    let spec = SPEC.replace("epochs = 4", "epochs = 1").replace("epochs = 3", "epochs = 2");
    fs::write(place.path("spec.toml"), format!("{spec}\n[[check]]\nid = \"odd-channels\"\n")).unwrap();
    let (code, value, errors) = place.json(&["run", "spec.toml", "--out", "out", "--json"]);
    assert_eq!(code, 0, "{errors}");
    assert_eq!(value["checks"].as_array().unwrap().len(), 1);
    assert_eq!(value["results"].as_array().unwrap().len(), 3, "attacked, control, polarizer");
    let at = |words: &str| errors.find(words).unwrap_or_else(|| panic!("no {words}: {errors}"));
    assert!(at("] odd-channels") < at("] npd") && at("] attack") < at("] odd-channels"), "{errors}");
}
