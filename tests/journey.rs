//! One journey on the real engine: from Home through the demo's polarizer, until the trigger has lost its power.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod common;

use common::{Script, Shelf, parts};
use egui::accesskit::Role;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use polariscope::app::App;
use polariscope::app::command::Screen;
use polariscope::engine::Worker;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

struct Journey {
    window: Harness<'static, App>,
    news: Receiver<()>,
}

impl Journey {
    fn begin() -> Self {
        let (wake, news) = channel();
        let wake = std::sync::Mutex::new(wake);
        let worker = Worker::start(Box::new(move || {
            // The test may have ended already.
            let _ = wake.lock().unwrap().send(());
        }));
        let mut parts = parts(&Script::default(), Arc::new(Shelf::default()));
        parts.engine = Box::new(worker.unwrap());
        let builder = Harness::builder().with_size((1280.0, 800.0)).with_max_steps(20);
        let mut window = builder.build_eframe(|cc| App::new(&cc.egui_ctx, parts));
        window.run();
        Self { window, news }
    }

    /// The first label that begins like this.
    fn label(&self, beginning: &str) -> Option<String> {
        // Plain text is a value, the name of a control or a figure a label.
        let words = |node: egui_kittest::Node<'_>| {
            let node = node.accesskit_node();
            [node.label(), node.value()]
        };
        let mut said = self.window.root().children_recursive().flat_map(words).flatten();
        said.find(|words| words.starts_with(beginning))
    }

    /// Lets the engine work until a label that begins like this satisfies `enough`; fails when it falls silent.
    fn until(&mut self, beginning: &str, enough: impl Fn(&str) -> bool) -> String {
        loop {
            self.window.run_steps(2);
            if let Some(label) = self.label(beginning).filter(|label| enough(label)) {
                return label;
            }
            let heard = self.news.recv_timeout(Duration::from_secs(60));
            assert!(heard.is_ok(), "waited in vain for {beginning:?}; it says {:?}", self.label(beginning));
        }
    }

    fn turn_to(&mut self, percent: f64) {
        self.window.get_by_role_and_label(Role::Slider, "Polarizer strength").set_value_accesskit(percent);
        self.window.run_steps(2);
    }
}

#[test]
fn through_the_demo_s_polarizer_the_stamped_picture_is_seen_for_what_it_is() {
    let mut journey = Journey::begin();
    journey.until("Without the sticker, the backdoored model is right about", |_| true);
    journey.window.key_press(egui::Key::T);
    journey.until("With the sticker on, the backdoored model says", |_| true);
    journey.window.get_by_role_and_label(Role::Button, "Look through the polarizer").click();
    journey.window.run();
    assert_eq!(journey.window.state().state().screen, Screen::Polarizer);
    // All 21 strengths get measured: both ends are told.
    journey.until("Rates at 0 % ACC", |label| label.contains("at 100 %"));

    journey.turn_to(0.0);
    journey.until("Without the polarizer the trigger wins in 4", |_| true);
    let fooled = journey.until("With the trigger: ", |_| true);
    assert!(fooled.starts_with("With the trigger: T-shirt/top") && fooled.ends_with("(wrong)"), "{fooled}");

    journey.turn_to(100.0);
    journey.until("At 100 % the trigger still wins in", |_| true);
    let repaired = journey.until("With the trigger: ", |label| label.ends_with("(right)"));
    assert!(!repaired.starts_with("With the trigger: T-shirt/top"), "{repaired}");
    // The worker ends before the process does.
    eframe::App::on_exit(journey.window.state_mut());
}
