//! What is seen seldom: a full disk, a window that a teacher has simplified, pictures through other eyes, lessons deep inside.

use super::{Studio, Wish, common};
use egui_kittest::kittest::Queryable;
use polariscope::app::command::{Change, Screen, UserCommand};
use polariscope::app::demo::DemoModel;
use polariscope::app::lessons::LessonChange;
use polariscope::app::stand::StandChange;
use polariscope::app::theme::Vision;
use polariscope::experiment::{Code, Problem};
use polariscope::run::event::{Ending, JobEvent, Question};

pub fn manners(wish: &Wish) {
    full_disk(wish);
    simplified(wish);
    eyes(wish);
    let mut studio = Studio::new(wish, true);
    studio.real_fairness();
    studio.command(UserCommand::Go(Screen::Fairness));
    studio.harness.run_steps(8);
    studio.export("Trade-off", "trade-off");
}

fn full_disk(wish: &Wish) {
    let mut studio = Studio::new(wish, true);
    studio.command(UserCommand::Start);
    studio.script.start();
    studio.script.train(0.0, 0.4);
    let full = Problem::new(Code::DiskFull, "Cannot write a file.")
        .at("/home/ada/polariscope/runs/corner-patch-1f0c22ab/resume/attack.safetensors")
        .because("No space left on device (os error 28)");
    studio.script.play(JobEvent::Finished(Ending::Failed(full)));
    studio.harness.run_steps(4);
    studio.shoot("watch-full-disk");
}

fn simplified(wish: &Wish) {
    let mut studio = Studio::new(wish, true);
    let ask = |studio: &mut Studio<'_>, change| studio.change(Change::Lesson(change));
    studio.command(UserCommand::PrepareClass);
    let mut prepare = studio.harness.state().state().classroom.prepare.clone();
    prepare.lesson = Some(1);
    ask(&mut studio, LessonChange::Prepare(Box::new(prepare)));
    studio.press("Only what the lesson uses");
    studio.scroll(10_000.0);
    studio.shoot("lessons-fields");
    ask(&mut studio, LessonChange::TryPack);
    studio.command(UserCommand::Go(Screen::Lab));
    studio.shoot("lab-simplified");
    studio.harness.get_by(|node| node.label().is_some_and(|label| label.starts_with("Training:"))).click();
    studio.harness.run_steps(4);
    studio.shoot("lab-left-out");
    ask(&mut studio, LessonChange::LeavePack);
    for (lesson, screen) in [(9, Screen::Lab), (10, Screen::Polarizer), (11, Screen::Audit)] {
        ask(&mut studio, LessonChange::Take(lesson));
        studio.command(UserCommand::Go(screen));
        studio.harness.run_steps(30);
        studio.shoot(&format!("lesson-{}", lesson + 1));
    }
    studio.change(Change::Text(common::SPEC.to_owned()));
}

/// Pictures and heat as other eyes see them.
fn eyes(wish: &Wish) {
    let mut studio = Studio::new(wish, true);
    studio.answer_for_real(|question| matches!(question, Question::Predict { .. } | Question::Heat(_)));
    for change in [
        StandChange::Place(Some([24, 25])),
        StandChange::Place(None),
        StandChange::Sticker(true),
        StandChange::Model(DemoModel::Backdoored as usize),
        StandChange::Look(true),
    ] {
        studio.change(Change::Demo(change));
    }
    studio.change(Change::See(Vision::Deuteranopia));
    studio.shoot("home-deuteranopia");
    studio.change(Change::See(Vision::Grey));
    studio.shoot("home-grey");
}
