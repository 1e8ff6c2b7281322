//! Every method that the program knows can be written into an experiment, checked, resolved and read back.

use polariscope::catalogue;
use polariscope::experiment::sweep::{Base, Sweep};
use polariscope::experiment::{Kind, Spec, audit, check};

#[test]
fn the_defaults_of_every_method_pass_its_own_checks() {
    let methods = catalogue::all();
    let any_network = methods.iter().find(|method| method.kind == Kind::Network).unwrap().id;
    for method in methods {
        let options = check::resolve_options(method, &serde_json::Map::new());
        assert_eq!(check::check_options(method, &options), [], "{}", method.id);

        let network = if method.kind == Kind::Network { method.id } else { any_network };
        let choice = match method.kind {
            Kind::Network => String::new(),
            Kind::Attack => format!("[attack]\nid = '{}'", method.id),
            Kind::Selection => format!("[attack]\nid = 'badnets'\n[selection]\nid = '{}'", method.id),
            Kind::FairRegression => String::new(),
            Kind::FairRival => format!("[[rival]]\nid = '{}'", method.id),
            Kind::Check => format!("[[check]]\nid = '{}'", method.id),
            _ => format!("[[defense]]\nid = '{}'", method.id),
        };
        let text = match method.kind {
            Kind::FairRegression | Kind::FairRival => {
                let table = "source = 'communities'\ntarget = 'ViolentCrimesPerPop'\nsensitive = ['race']";
                format!("task = 'fair-regression'\n[table]\n{table}\n{choice}")
            }
            _ => format!("[data]\nsource = 'fashion-mini'\n[network]\nid = '{network}'\n{choice}"),
        };
        let resolved = Spec::parse(&text, methods).unwrap().resolve(methods);
        let written = resolved.to_toml().unwrap();
        let again = Spec::parse(&written, methods).unwrap_or_else(|problem| panic!("{problem}\n\n{written}"));
        assert_eq!(again, resolved);
        assert_eq!(again.resolve(methods).hash8(), resolved.hash8());
    }
}

#[test]
fn an_unknown_option_of_any_method_is_refused() {
    for method in catalogue::all() {
        let options = serde_json::Map::from_iter([("no_such_option".to_owned(), 1.into())]);
        let found = check::check_options(method, &options);
        assert_eq!(found.len(), 1, "{}", method.id);
        assert!(found[0].message.contains("no_such_option"), "{}", method.id);
    }
}

#[test]
fn every_preset_and_the_demo_are_experiments_that_can_run() {
    let assets = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let mut specs: Vec<_> =
        std::fs::read_dir(assets.join("presets")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(specs.len() >= 3);
    specs.extend(["demo/spec.toml", "demo/healthy.toml"].map(|demo| assets.join(demo)));
    for path in specs {
        let text = std::fs::read_to_string(&path).unwrap();
        let spec = Spec::parse(&text, catalogue::all()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(!spec.name().is_empty(), "{} has no name", path.display());
    }
}

#[test]
fn every_sweep_is_made_of_experiments_that_can_run() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/sweeps");
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let sweep = Sweep::read(&path).unwrap();
        let base = match sweep.base_of(&path).unwrap() {
            Base::File(base) => std::fs::read_to_string(base).unwrap(),
            Base::Text(text) => text,
        };
        for variant in sweep.variants().unwrap() {
            check::parse_patched(&base, &variant.set, catalogue::all())
                .unwrap_or_else(|problem| panic!("{}, {}: {problem}", path.display(), variant.name));
        }
    }
}

#[test]
fn attacks_that_own_the_loop_refuse_what_they_cannot_use() {
    let refused = |network: &str, attack: &str, rest: &str| {
        let text =
            format!("[data]\nsource = 'fashion-mini'\n[network]\nid = '{network}'\n[attack]\nid = '{attack}'\n{rest}");
        check::parse(&text, catalogue::all()).err().map(|problem| problem.headline).unwrap_or_default()
    };
    for attack in ["bpp", "wanet", "input-aware"] {
        assert_eq!(refused("small-resnet", attack, ""), "");
        assert!(refused("small-resnet", attack, "[selection]\nid = 'lps'").contains("none can be selected"));
        let labels = refused("small-resnet", attack, "[poison]\nlabel_map = 'clean-label'");
        assert!(labels.contains("no clean-label form"), "{labels}");
    }
    // A warp can be tried on a finished model; a generator that never learned cannot.
    assert_eq!(refused("checkpoint", "wanet", ""), "");
    assert!(refused("checkpoint", "input-aware", "").contains("comes trained"));
}

#[test]
fn defenses_that_train_refuse_what_is_trained_by_others() {
    let refused = |network: &str, attack: &str| {
        let text = format!(
            "[data]\nsource = 'fashion-mini'\n[network]\nid = '{network}'\n[attack]\nid = '{attack}'\n\
             [[defense]]\nid = 'npd'\n[[defense]]\nid = 'pdb'\n"
        );
        check::parse(&text, catalogue::all()).err()
    };
    assert_eq!(refused("small-resnet", "badnets"), None);
    for attack in ["bpp", "wanet", "input-aware"] {
        let problem = refused("small-resnet", attack).unwrap();
        assert!(problem.headline.contains("trains the network itself, and so does"), "{problem}");
        assert_eq!(problem.place.as_deref(), Some("line 10, column 6"));
    }
    let problem = refused("checkpoint", "badnets").unwrap();
    assert!(problem.headline.ends_with("and the finished model comes trained."), "{problem}");
    assert!(problem.remedy[0].contains("repairs a finished model"));
}

#[test]
fn an_audit_is_an_experiment_like_any_other() {
    let methods = catalogue::all();
    let audit = audit::audit("models/signs.safetensors", "pictures/signs", methods);
    assert_eq!(audit.name, "Audit of signs.safetensors");
    assert_eq!(audit::model_of(&audit), Some("models/signs.safetensors"));
    assert!(audit.check.iter().any(|pick| pick.id == "trigger-search") && audit.check.len() >= 3);
    let resolved = check::resolve(&audit, methods);
    let text = check::to_toml(&resolved).unwrap();
    assert_eq!(check::parse(&text, methods).unwrap(), resolved, "{text}");
    assert!(resolved.check.iter().all(|pick| !pick.options.is_empty()));
    let wrong = text.replace("id = \"odd-channels\"", "id = \"npd\"");
    let problem = check::parse(&wrong, methods).unwrap_err();
    assert!(problem.headline.contains("`npd` is a defense, not a check"), "{problem}");
    // Two audits that differ in the model only are two experiments.
    let mut other = resolved.clone();
    audit::set_model(&mut other, "models/repaired.safetensors");
    assert_ne!(check::hash8(&other), check::hash8(&resolved));
}
