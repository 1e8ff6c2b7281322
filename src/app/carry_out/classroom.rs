//! Taking lessons, opening and saving packs, handing in.

use crate::app::command::{Requests, Screen};
use crate::app::export::{Content, Offer};
use crate::app::lessons::{ClassFile, HandIn, LessonChange, Pack, Tab, holds_hand_ins, read_hand_ins};
use crate::app::state::{Fetched, State};
use crate::experiment::Result;
use crate::run::handle::Engine;
use std::path::Path;
use std::sync::Arc;

impl State {
    pub(super) fn change_lessons(&mut self, change: LessonChange, engine: &dyn Engine) {
        let room = &mut self.classroom;
        match change {
            LessonChange::Take(index) => self.take_lesson(index),
            LessonChange::Step(step) => self.go_to_step(|_| step),
            LessonChange::Guess(choice) => {
                if let Some(course) = &mut room.course {
                    course.guess(choice);
                }
            }
            LessonChange::Tab(Tab::Prepare) => self.prepare_class(),
            LessonChange::Tab(tab) => room.tab = tab,
            LessonChange::Name(name) => room.name = name,
            LessonChange::Answer(answer) => room.answer = answer,
            LessonChange::Notes(notes) => room.notes = notes,
            LessonChange::Prepare(prepare) => room.prepare = *prepare,
            LessonChange::SavePack => self.save_pack(),
            LessonChange::TryPack => {
                let pack = room.prepared(self.draft.text());
                self.open_pack(pack, engine);
            }
            LessonChange::ShowEverything(everything) => room.show_everything = everything,
            LessonChange::LeavePack => room.leave(),
            LessonChange::Sort(column) => room.hand_ins.sort_by(column),
            LessonChange::ClearHandIns => room.hand_ins.clear(),
        }
    }

    pub(super) fn take_lesson(&mut self, index: usize) {
        if let Some(lesson) = self.classroom.lessons.get(index).cloned() {
            self.classroom.take(lesson);
        }
    }

    pub(super) fn go_to_step(&mut self, to: impl Fn(usize) -> usize) {
        if let Some(course) = &mut self.classroom.course {
            course.go_to(to(course.step));
        }
    }

    /// Opens the preparation on the lesson that is being taken.
    pub(super) fn prepare_class(&mut self) {
        let room = &mut self.classroom;
        room.tab = Tab::Prepare;
        if let Some(course) = &room.course {
            room.prepare.lesson = room.lessons.iter().position(|lesson| Arc::ptr_eq(lesson, &course.lesson));
        }
        self.screen = Screen::Lessons;
    }

    /// Ticks the open step when the window stands as it should; true when it did so just now.
    pub(in crate::app) fn tend_lesson(&mut self) -> bool {
        let room = &mut self.classroom;
        if let Some(course) = room.course.as_ref().filter(|course| course.is_done())
            && !room.done.contains(&course.lesson.id)
        {
            room.done.insert(course.lesson.id.clone());
        }
        let Some(course) = room.course.as_ref().filter(|course| course.waits()) else {
            return false;
        };
        let wanted = course.now().and_then(|step| step.reached.clone());
        let lesson = course.lesson.clone();
        let holds = wanted.is_some_and(|scene| scene.holds(self, &lesson.experiment));
        let Some(course) = self.classroom.course.as_mut().filter(|_| holds) else {
            return false;
        };
        course.tick();
        true
    }

    /// A file of the classroom, or a folder of hand-ins; false where it is neither.
    pub(super) fn open_class_file(&mut self, path: &Path, engine: &dyn Engine) -> bool {
        if holds_hand_ins(path) {
            let folder = path.to_owned();
            self.background.start("read hand-ins", move || Fetched::HandIns(read_hand_ins(&folder)));
            return true;
        }
        let is_text = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
        let text = is_text.then(|| std::fs::read_to_string(path).ok()).flatten();
        match text.as_deref().and_then(ClassFile::read) {
            None => return false,
            Some(Ok(ClassFile::Pack(pack))) => self.open_pack(*pack, engine),
            Some(Ok(ClassFile::HandIn(work))) => self.on_hand_ins(vec![Ok(*work)]),
            Some(Err(problem)) => self.notices.problem(problem.at(path.display())),
        }
        true
    }

    fn open_pack(&mut self, pack: Pack, engine: &dyn Engine) {
        if !pack.experiment.is_empty() && pack.experiment != self.draft.text() {
            self.draft.set_text(pack.experiment.clone());
            self.draft_moved();
        }
        let (start, title) = (pack.start.clone(), pack.title.clone());
        self.classroom.open(pack);
        let wishes = Requests::default();
        start.bring_about(self, "", &wishes);
        let (changes, commands) = wishes.take();
        changes.into_iter().for_each(|change| self.make_change(change, engine));
        commands.into_iter().for_each(|command| self.carry_out(command, engine));
        self.notices.info(format!("Lesson: {title}."), self.now);
    }

    pub(super) fn on_hand_ins(&mut self, works: Vec<Result<HandIn>>) {
        for work in works {
            match work {
                Ok(work) => self.classroom.hand_ins.add(work),
                Err(problem) => self.notices.problem(problem),
            }
        }
        self.classroom.tab = Tab::HandIns;
        self.screen = Screen::Lessons;
    }

    fn save_pack(&mut self) {
        let pack = self.classroom.prepared(self.draft.text());
        let caption = "Students open it with Polariscope, or drop it on its window.";
        self.offer_text(&pack.title.clone(), caption, pack.to_toml());
    }

    pub(super) fn save_work(&mut self) {
        let work = self.work();
        let title = format!("work {} {}", work.name, work.lesson);
        let caption = "Give it to your teacher, who drops all of them on this program.";
        self.offer_text(&title, caption, work.to_toml());
    }

    fn offer_text(&mut self, title: &str, caption: &str, text: Result<String>) {
        match text {
            Ok(text) => {
                let content = Content::Text(text);
                self.open_export(vec![Offer { title: title.to_owned(), caption: caption.to_owned(), content }], 0);
            }
            Err(problem) => self.notices.problem(problem),
        }
    }
}
