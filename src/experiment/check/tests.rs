use super::*;
use crate::experiment::method::defaults_of;
use proptest::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct PatchOptions {
    /// Share of poisoned pictures.
    #[schemars(range(min = 0.0, max = 0.5))]
    poison_ratio: f64,
    /// Side of the patch.
    #[schemars(range(min = 1, max = 8))]
    patch: usize,
    corner: Corner,
    seed: Option<u64>,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Corner {
    TopLeft,
    BottomRight,
}

impl Default for PatchOptions {
    fn default() -> Self {
        Self { poison_ratio: 0.1, patch: 3, corner: Corner::BottomRight, seed: None }
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct RepairOptions {
    #[schemars(extend("exclusiveMinimum" = 0.0, "maximum" = 1.0))]
    rate: f64,
}

impl Default for RepairOptions {
    fn default() -> Self {
        Self { rate: 0.01 }
    }
}

macro_rules! method {
    ($id:literal, $name:literal, $kind:ident, $options:ty $(, $property:ident)*) => {
        Method {
            id: $id,
            kind: Kind::$kind,
            name: $name,
            one_line: "",
            page: "",
            paper: "",
            properties: &[$(Property::$property),*],
            schema: schema_of::<$options>,
            defaults: defaults_of::<$options>,
        }
    };
}

static PATCH: Method = method!("badnets", "BadNets", Attack, PatchOptions);
static POLARIZER: Method = method!("npd", "NPD", Repair, RepairOptions);
static NETWORK: Method = method!("small-resnet", "Small residual network", Network, RepairOptions);
static STRIPES: Method = method!("sig", "SIG", Attack, RepairOptions, CleanLabel);
static WARP: Method = method!("wanet", "WaNet", Attack, RepairOptions, OwnsLoop);
static SELECTION: Method = method!("lps", "LPS", Selection, RepairOptions);
static METHODS: [&Method; 6] = [&NETWORK, &PATCH, &STRIPES, &WARP, &SELECTION, &POLARIZER];

const GOOD: &str = "\
schema = 1
name = 'Corner patch'
seed = 7

[data]
source = 'fashion-mini'

[network]
id = 'small-resnet'

[train]
epochs = 8

[attack]
id = 'badnets'
options = { poison_ratio = 0.2 }

[[defense]]
id = 'npd'
";

fn refused(from: &str, to: &str) -> Problem {
    assert!(GOOD.contains(from));
    parse(&GOOD.replacen(from, to, 1), &METHODS).expect_err("must be refused")
}

#[test]
fn a_good_experiment_is_read() {
    let experiment = parse(GOOD, &METHODS).unwrap();
    assert_eq!(experiment.train.epochs, 8);
    assert_eq!(experiment.attack.unwrap().options["poison_ratio"], 0.2);
    assert_eq!(experiment.defense[0].id, "npd");
}

#[test]
fn resolving_writes_every_default_and_survives_a_round_trip() {
    let resolved = resolve(&parse(GOOD, &METHODS).unwrap(), &METHODS);
    let attack = resolved.attack.as_ref().unwrap();
    assert_eq!(
        Value::Object(attack.options.clone()),
        json!({ "poison_ratio": 0.2, "patch": 3, "corner": "bottom-right" })
    );
    assert_eq!(resolved.defense[0].options["rate"], 0.01);

    let text = to_toml(&resolved).unwrap();
    assert!(text.contains("momentum = 0.9"), "{text}");
    let again = parse(&text, &METHODS).unwrap();
    assert_eq!(again, resolved);
    assert_eq!(to_toml(&resolve(&again, &METHODS)).unwrap(), text);
}

#[test]
fn the_label_map_is_the_published_one_unless_said_otherwise() {
    let resolved = |attack: &str, poison: &str| {
        let text = format!(
            "[data]\nsource = 'x'\n[network]\nid = 'small-resnet'\n[attack]\nid = '{attack}'\n[poison]\n{poison}\n"
        );
        resolve(&parse(&text, &METHODS).unwrap(), &METHODS).poison.label_map
    };
    assert_eq!(resolved("badnets", ""), Some(LabelMap::AllToOne));
    assert_eq!(resolved("sig", ""), Some(LabelMap::CleanLabel));
    assert_eq!(resolved("sig", "label_map = 'all-to-one'"), Some(LabelMap::AllToOne));
}

#[test]
fn parts_must_fit_each_other() {
    let text =
        "[data]\nsource = 'x'\n[network]\nid = 'small-resnet'\n[attack]\nid = 'wanet'\n[selection]\nid = 'lps'\n";
    let problem = parse(text, &METHODS).unwrap_err();
    assert!(problem.headline.contains("none can be selected"), "{problem:?}");
    assert!(problem.place.as_deref().unwrap().contains("line 8"), "{problem:?}");
    parse(&text.replace("wanet", "badnets"), &METHODS).unwrap();
    let text = "[data]\nsource = 'x'\n[network]\nid = 'small-resnet'\n[attack]\nid = 'wanet'\n\
                [poison]\nlabel_map = 'clean-label'\n";
    assert!(parse(text, &METHODS).unwrap_err().headline.contains("no clean-label form"));
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    let problem = refused("poison_ratio", "poison_rate");
    assert_eq!(problem.headline, "BadNets has no setting `poison_rate`.");
    assert_eq!(problem.place.as_deref(), Some("line 16, column 13"));
    assert!(problem.detail[0].contains("poison_rate = 0.2") && problem.detail[0].contains("^^^^^^^^^^^"));
    assert_eq!(problem.remedy[0], "Did you mean `poison_ratio`?");

    let problem = refused("epochs", "epoch");
    assert_eq!(problem.headline, "`train` has no setting `epoch`.");
    assert_eq!(problem.place.as_deref(), Some("line 12, column 1"));
    assert_eq!(problem.remedy[0], "Did you mean `epochs`?");

    assert_eq!(refused("[train]", "[trian]").headline, "An experiment has no setting `trian`.");
}

#[test]
fn unknown_methods_are_answered_with_the_nearest() {
    let problem = refused("'badnets'", "'badnet'");
    assert_eq!(problem.headline, "Unknown attack `badnet`.");
    assert_eq!(problem.place.as_deref(), Some("line 15, column 6"));
    assert_eq!(problem.remedy, ["Did you mean `badnets`?", "Known: `badnets`, `sig` and `wanet`."]);
    assert_eq!(refused("'small-resnet'", "'tiny'").headline, "Unknown network `tiny`.");

    let problem = refused("'badnets'", "'npd'");
    assert_eq!(problem.headline, "`npd` is a defense, not an attack.");
    assert_eq!(problem.remedy, ["Write it under [[defense]]."]);
    assert_eq!(refused("'npd'", "'badnets'").headline, "`badnets` is an attack, not a defense.");
}

#[test]
fn limits_come_from_the_schemas() {
    for (from, to, headline, place) in [
        ("0.2", "0.9", "`poison_ratio` must be at least 0.0 and at most 0.5, but it is 0.9.", "line 16, column 28"),
        ("0.2", "'much'", "`poison_ratio` must be a number, but it is the text \"much\".", "line 16, column 28"),
        (
            "epochs = 8",
            "epochs = 0",
            "`train.epochs` must be at least 1 and at most 1000, but it is 0.",
            "line 12, column 10",
        ),
        ("epochs = 8", "epochs = 8.5", "`train.epochs` must be a whole number, but it is 8.5.", "line 12, column 10"),
        (
            "id = 'npd'",
            "id = 'npd'\noptions.rate = 0",
            "`rate` must be above 0.0 and at most 1.0, but it is 0.",
            "line 20, column 16",
        ),
        ("seed = 7", "seed = -7", "`seed` must be at least 0, but it is -7.", "line 3, column 8"),
    ] {
        let problem = refused(from, to);
        assert_eq!(problem.headline, headline);
        assert_eq!(problem.place.as_deref(), Some(place), "{headline}");
    }
    let problem = refused("epochs = 8", "schedule = 'cosin'");
    assert_eq!(problem.headline, "`train.schedule` cannot be the text \"cosin\".");
    assert_eq!(problem.remedy[0], "Did you mean `cosine`?");
}

#[test]
fn what_the_schema_cannot_say_still_has_a_place() {
    let problem = refused("seed = 7", "device = 'gpu'");
    assert_eq!(problem.place.as_deref(), Some("line 3, column 10"));
    assert!(problem.detail[0].contains("`gpu` is not a device"), "{problem}");
}

#[test]
fn missing_parts_are_named() {
    let problem = refused("source = 'fashion-mini'", "");
    assert_eq!(problem.headline, "`data.source` is missing.");
    assert_eq!(problem.place.as_deref(), Some("line 5, column 2"));
    assert!(problem.remedy[0].contains("path to a file or folder"), "{problem}");
    assert_eq!(refused("id = 'badnets'", "").headline, "`attack.id` is missing.");
    let empty = parse("", &METHODS).unwrap_err();
    assert_eq!(empty.headline, "`data` is missing.");
    assert!(empty.detail[0].starts_with("Also: `network` is missing."), "{empty}");
}

#[test]
fn several_mistakes_are_told_at_once_first_one_first() {
    let text = GOOD.replace("epochs = 8", "epochs = 0").replace("poison_ratio", "poison");
    let problem = parse(&text, &METHODS).unwrap_err();
    assert!(problem.headline.starts_with("`train.epochs`"));
    assert!(problem.detail[1].starts_with("Also: BadNets has no setting `poison`."), "{problem}");
    assert!(problem.detail[1].ends_with("(line 16, column 13)"), "{problem}");
}

#[test]
fn newer_formats_are_refused_in_a_sentence() {
    let problem = refused("schema = 1", "schema = 2\nwonder = true");
    assert_eq!(
        problem.headline,
        "This experiment is written in format 2; this version of Polariscope reads formats up to 1."
    );
    assert_eq!(problem.place.as_deref(), Some("line 1, column 10"));
}

#[test]
fn patches_are_checked_like_the_text() {
    let set = |patch: &str| parse_patched(GOOD, &[patch.to_owned()], &METHODS);
    let Spec::Backdoor(patched) = set("defense.0.options.rate=0.5").unwrap() else { panic!("another task") };
    assert_eq!(patched.defense[0].options["rate"], 0.5);
    let problem = set("attack.options.poison_ratio=5").unwrap_err();
    assert!(problem.headline.starts_with("`poison_ratio` must be"), "{problem}");
    assert_eq!(problem.place.as_deref(), Some("--set attack.options.poison_ratio=5"));
    // A mistake in the text keeps the text's own line.
    let broken = GOOD.replace("epochs", "epoch");
    let problem = parse_patched(&broken, &["seed=8".to_owned()], &METHODS).unwrap_err();
    assert_eq!(problem.place.as_deref(), Some("line 12, column 1"));
}

#[test]
fn the_hash_follows_the_experiment_and_not_its_name() {
    let hash = |text: &str| hash8(&resolve(&parse(text, &METHODS).unwrap(), &METHODS));
    let first = hash(GOOD);
    assert_eq!(first.len(), 8);
    assert_eq!(hash(&GOOD.replace("Corner patch", "Other")), first);
    assert_eq!(
        hash(&GOOD.replace("poison_ratio = 0.2", "poison_ratio = 0.2, patch = 3")),
        first,
        "defaults spelled out"
    );
    assert_ne!(hash(&GOOD.replace("0.2", "0.3")), first);
    let whole = |rate: &str| hash(&GOOD.replace("id = 'npd'", &format!("id = 'npd'\noptions.rate = {rate}")));
    assert_eq!(whole("1"), whole("1.0"));
}

#[test]
fn slugs_are_fit_for_folders() {
    assert_eq!(slug("Corner patch, 10 %!"), "corner-patch-10");
    assert_eq!(slug("../../etc"), "etc");
    assert_eq!(slug("  "), "experiment");
    assert_eq!(slug("Größe 中文"), "größe-中文");
    assert!(slug(&"long name ".repeat(20)).chars().count() <= 40);
}

proptest! {
    #[test]
    fn damaged_texts_are_read_or_refused_with_a_place(
        cuts in proptest::collection::vec((0usize..GOOD.len(), "[a-z0-9.\\[\\]{}=\"' \n#ß-]{0,3}"), 1..4)
    ) {
        let mut text = GOOD.to_owned();
        for (at, insert) in cuts {
            let at = (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
            let end = (at + 1..=text.len()).find(|&end| text.is_char_boundary(end)).unwrap_or(at);
            text.replace_range(at..end, &insert);
        }
        match parse(&text, &METHODS) {
            Ok(experiment) => prop_assert!(to_toml(&resolve(&experiment, &METHODS)).is_ok()),
            Err(problem) => prop_assert!(problem.place.is_some(), "{}", problem),
        }
    }

    #[test]
    fn any_patch_is_applied_or_refused(path in "[a-z0-9.]{0,20}", value in ".{0,20}") {
        drop(parse_patched(GOOD, &[format!("{path}={value}")], &METHODS));
    }
}
