//! Home's switches and the classroom.

use super::{Studio, common};
use polariscope::app::command::{Change, Screen, UserCommand};
use polariscope::app::demo::DemoModel;
use polariscope::app::export::ExportChange;
use polariscope::app::lessons::{GuessMade, HandIn, LessonChange, Outcome, Tab};
use polariscope::app::stand::StandChange;
use polariscope::run::event::Question;

/// Home's switches in their positions, with the engine's own models.
pub fn home(studio: &mut Studio<'_>) {
    studio.answer_for_real(|question| {
        matches!(question, Question::Predict { .. } | Question::Heat(_) | Question::Photo { .. })
    });
    let change = |studio: &mut Studio<'_>, change| studio.change(Change::Demo(change));
    // Asked anew, because the first answer came from the script.
    change(studio, StandChange::Place(Some([24, 25])));
    change(studio, StandChange::Place(None));
    change(studio, StandChange::Sticker(false));
    studio.shoot("home");
    for (model, name) in DemoModel::ALL.into_iter().zip(["healthy", "backdoored", "repaired"]) {
        change(studio, StandChange::Sticker(true));
        change(studio, StandChange::Model(model as usize));
        studio.shoot(&format!("home-{name}"));
    }
    change(studio, StandChange::Look(true));
    change(studio, StandChange::Model(DemoModel::Backdoored as usize));
    studio.shoot("home-look");
    change(studio, StandChange::Place(Some([13, 9])));
    studio.shoot("home-moved");
    change(studio, StandChange::Look(false));
    change(studio, StandChange::Place(None));
    let photo = studio.wish.out.join("own-picture.png");
    let drawn = image::RgbImage::from_fn(640, 480, |x, y| {
        let (x, y) = (x as f32 / 640.0, y as f32 / 480.0);
        let bag = (0.3..0.7).contains(&x) && (0.45..0.85).contains(&y);
        let handle = (((x - 0.5) / 0.14).powi(2) + ((y - 0.45) / 0.25).powi(2) - 1.0).abs() < 0.22 && y < 0.45;
        if bag || handle { image::Rgb([90, 50, 30]) } else { image::Rgb([235, 232, 225]) }
    });
    drawn.save(&photo).expect("written");
    studio.change(Change::Open(photo));
    change(studio, StandChange::Sticker(false));
    studio.shoot("home-photo");
    change(studio, StandChange::PutPhotoAway);
    change(studio, StandChange::Sticker(true));
    change(studio, StandChange::SideBySide(true));
    studio.shoot("home-side-by-side");
    change(studio, StandChange::SideBySide(false));
    change(studio, StandChange::Sticker(false));
}

/// The list of lessons, lessons beside other screens, a pack and what is handed in.
pub fn lessons(studio: &mut Studio<'_>) {
    studio.answer_for_real(|question| matches!(question, Question::Predict { .. } | Question::Heat(_)));
    let ask = |studio: &mut Studio<'_>, change| studio.change(Change::Lesson(change));
    let demo = |studio: &mut Studio<'_>, change| studio.change(Change::Demo(change));
    demo(studio, StandChange::Place(Some([24, 25])));
    demo(studio, StandChange::Place(None));
    demo(studio, StandChange::Sticker(false));
    studio.command(UserCommand::Go(Screen::Lessons));
    studio.shoot("lessons");
    studio.command(UserCommand::FirstLesson);
    studio.shoot("lesson-first");
    studio.command(UserCommand::NextStep);
    studio.shoot("lesson-guess");
    ask(studio, LessonChange::Guess(0));
    demo(studio, StandChange::Sticker(true));
    studio.shoot("lesson-result");
    for _ in 0..4 {
        ask(studio, LessonChange::Guess(1));
        studio.command(UserCommand::NextStep);
    }
    ask(studio, LessonChange::Guess(1));
    demo(studio, StandChange::Model(DemoModel::Repaired as usize));
    studio.shoot("lesson-end");
    ask(studio, LessonChange::Take(1));
    studio.command(UserCommand::Go(Screen::Lab));
    studio.shoot("lesson-lab");
    ask(studio, LessonChange::Take(3));
    studio.command(UserCommand::Go(Screen::Triggers));
    studio.shoot("lesson-triggers");
    studio.command(UserCommand::FirstLesson);
    studio.command(UserCommand::PrepareClass);
    studio.shoot("lessons-prepare-beside");
    studio.command(UserCommand::CloseLesson);
    studio.press("Only what the lesson uses");
    studio.shoot("lessons-prepare");
    ask(studio, LessonChange::SavePack);
    studio.shoot("lessons-save");
    studio.change(Change::Export(ExportChange::Close));
    ask(studio, LessonChange::TryPack);
    demo(studio, StandChange::Model(DemoModel::Backdoored as usize));
    studio.shoot("lesson-pack");
    ask(studio, LessonChange::LeavePack);
    studio.command(UserCommand::CloseLesson);
    let folder = studio.wish.out.join("hand-ins");
    std::fs::create_dir_all(&folder).expect("folder");
    let names = ["Ada", "Grace", "Alan", "", "Edsger", "Barbara", "Katherine", "Donald"];
    for (at, name) in names.into_iter().enumerate() {
        let guess = |step: usize| GuessMade {
            step,
            question: "What will the model say?".into(),
            guess: "The same as before".into(),
            right: (at + step).is_multiple_of(2),
        };
        let result = Outcome {
            run: "Corner patch".into(),
            acc: 0.86,
            asr: Some(0.99),
            repair: if at % 3 == 0 { "NPD" } else { "FT" }.into(),
            repaired_acc: Some(0.85 - 0.004 * at as f64),
            repaired_asr: Some(0.02 + 0.07 * at as f64),
        };
        let work = HandIn {
            name: name.into(),
            lesson: "What a backdoor is".into(),
            steps: 6,
            reached: 6 - at % 3,
            seed: if at == 2 { 11 } else { 7 },
            guesses: (2..=5).map(guess).collect(),
            result: (at != 3).then_some(result),
            notes: ["The sticker is only a habit.", "", "I took another seed to see whether it was luck."][at % 3]
                .into(),
            ..HandIn::default()
        };
        std::fs::write(folder.join(format!("{at}.toml")), work.to_toml().expect("text")).expect("written");
    }
    studio.change(Change::Open(folder));
    studio.shoot("lessons-hand-ins");
    ask(studio, LessonChange::ClearHandIns);
    studio.shoot("lessons-hand-ins-empty");
    ask(studio, LessonChange::Tab(Tab::Lessons));
    demo(studio, StandChange::Sticker(false));
    demo(studio, StandChange::Look(false));
    studio.change(Change::Text(common::SPEC.to_owned()));
}
