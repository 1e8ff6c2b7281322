use super::*;
use crate::run::checked::TableRow;
use crate::run::folder::SavedImage;
use crate::run::status::{State, Status};

pub fn audited(at: &Path) -> RunFolder {
    let spec = "name = 'Audit of signs.safetensors'\n[data]\nsource = 'fashion-mini'\n[network]\nid = 'checkpoint'\n";
    let folder = RunFolder::create(at, spec).unwrap();
    folder.set_status(&Status::now(State::Done)).unwrap();
    fs::create_dir_all(folder.file("images")).unwrap();
    image::RgbaImage::from_pixel(300, 40, image::Rgba([200, 80, 0, 255])).save(folder.file("images/x.png")).unwrap();
    let rows = (0..43).map(|class| TableRow {
        cells: vec![format!("a class with a rather long name {class}"), "12.0".into(), "94.0 % (47 of 50)".into()],
        bar: f64::from(class) / 43.0,
        stands_out: class == 7,
    });
    let check = |title: &str, verdict| CheckResult {
        check: title.into(),
        title: title.into(),
        verdict,
        headline: "A patch of 4.0 pixels turns 94 % of other pictures into “stop”.".into(),
        evidence: vec![("smallest patch".into(), "4.0 pixels".into())],
        table: Some(Table {
            head: vec!["class".into(), "pixels".into(), "turns".into()],
            rows: rows.clone().collect(),
            bars: 1,
        }),
        strength: "Something was looked at.".into(),
        misses: "what it does not see".into(),
        pictures: vec![SavedImage { file: "x.png".into(), caption: "The patch".into() }],
        ..CheckResult::default()
    };
    let checks = vec![
        check("Trigger search", Verdict::Suspicious),
        check("Accuracy per class", Verdict::Clear),
        check("Odd channels", Verdict::CannotTell),
    ];
    folder.set_results(&Results { checks, ..Results::default() }).unwrap();
    folder
}

/// All words of a document, page by page.
pub fn texts(sheet: &Sheet) -> Vec<&str> {
    let words = sheet.pages.iter().flatten();
    words.filter_map(|mark| if let Mark::Text { text, .. } = mark { Some(text.as_str()) } else { None }).collect()
}

#[test]
fn a_report_is_a_pdf_or_a_folder() {
    let place = tempfile::tempdir().unwrap();
    let run = audited(&place.path().join("run"));
    let file = place.path().join("report.pdf");
    assert_eq!(write(&Audited::of(&run.path), &file).unwrap(), file);
    let bytes = fs::read(&file).unwrap();
    assert!(bytes.starts_with(b"%PDF-") && bytes.len() > 10_000, "{} bytes", bytes.len());
    let folder = place.path().join("report");
    write(&Audited::of(&run.path), &folder).unwrap();
    for name in ["report.pdf", "findings.json", "spec.toml", "x.png"] {
        assert!(folder.join(name).is_file(), "{name}");
    }
    let told: Results = serde_json::from_slice(&fs::read(folder.join("findings.json")).unwrap()).unwrap();
    assert_eq!(told.checks.len(), 3);
}

#[test]
fn a_run_without_findings_has_no_report() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("run");
    RunFolder::create(&path, "[data]\nsource = 'fashion-mini'\n[network]\nid = 'small-resnet'\n").unwrap();
    let problem = write(&Audited::of(&path), &place.path().join("x.pdf")).unwrap_err();
    assert!(problem.headline.contains("no findings"), "{problem}");
}

#[test]
fn every_page_says_which_it_is_and_no_word_promises_too_much() {
    let place = tempfile::tempdir().unwrap();
    let run = audited(&place.path().join("run"));
    let results = run.results().unwrap().unwrap();
    let mut sheet = Sheet::new();
    let experiment = run.experiment().unwrap();
    cover(&mut sheet, &run, &experiment, &Subject::default(), &results.checks);
    results.checks.iter().enumerate().for_each(|(at, check)| finding(&mut sheet, &run, at + 1, check));
    limits(&mut sheet, &run, &results.checks);
    footers(&mut sheet, &experiment);
    assert!(sheet.pages.len() >= 4, "43 classes in three tables need room");
    for (at, page) in sheet.pages.iter().enumerate() {
        let texts: Vec<&str> = page
            .iter()
            .filter_map(|mark| if let Mark::Text { text, .. } = mark { Some(text.as_str()) } else { None })
            .collect();
        assert!(texts.contains(&format!("{} of {}", at + 1, sheet.pages.len()).as_str()));
        assert!(texts.iter().all(|text| !text.to_lowercase().contains("safe ") && !text.ends_with(" safe.")));
    }
}

#[test]
fn days_are_those_of_the_calendar() {
    assert_eq!(date(0), "1 January 1970");
    assert_eq!(date(951_782_400), "29 February 2000");
    assert_eq!(date(1_773_446_400), "14 March 2026");
    assert_eq!(grouped(11_171_146), "11,171,146");
    assert_eq!(grouped(999), "999");
}
