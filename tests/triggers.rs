//! The trigger bench: its screen by role and name on a scripted engine, and its shaders on the software rasteriser against
//! the engine's own tensors.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

mod common;
#[path = "common/scene.rs"]
mod scene;

use common::{Pictures, SPEC, Script, Shelf, parts};
use eframe::egui_wgpu::RendererOptions;
use egui::accesskit::Role;
use egui::{Key, Rect, pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use polariscope::app::App;
use polariscope::app::command::{Change, Screen, UserCommand};
use polariscope::app::gpu::{self, Grid, Mode, Plane};
use polariscope::app::picture::{Crop, Stamp};
use polariscope::app::theme::{Vision, see_with};
use polariscope::attacks::workshop::not_made_yet;
use polariscope::attacks::{Moment, add_form, warp_form};
use polariscope::data::augment::to_u8;
use polariscope::data::{Trigger, rgba_from_pixels};
use polariscope::experiment::Result;
use polariscope::run::TriggerForm;
use polariscope::run::event::{Question, Rgba, Thumbnails};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

type Window = Harness<'static, App>;

fn open(script: &Script) -> Window {
    let parts = parts(script, Arc::new(Shelf::default()));
    let builder = Harness::builder().with_size((1280.0, 800.0)).with_max_steps(20);
    let mut window = builder.build_eframe(|cc| App::new(&cc.egui_ctx, parts));
    window.run();
    window.get_by_role_and_label(Role::Tab, Screen::Triggers.name()).click();
    settle(&mut window);
    window
}

fn settle(window: &mut Window) {
    window.run_steps(4);
    window.run();
}

fn shows(window: &Window, words: &str) -> bool {
    let has = |text: Option<String>| text.is_some_and(|text| text.contains(words));
    window.root().children_recursive().any(|node| {
        let node = node.accesskit_node();
        has(node.label()) || has(node.value())
    })
}

#[track_caller]
fn assert_shows(window: &Window, words: &str) {
    assert!(shows(window, words), "nowhere on the screen: {words:?}");
}

fn bench_questions(script: &Script) -> Vec<String> {
    script.sent().into_iter().filter(|sent| sent.starts_with("bench") || sent == "thumbnails").collect()
}

#[test]
fn the_trigger_is_seen_and_measured_before_any_training() {
    let script = Script::answering();
    let window = open(&script);
    assert_eq!(bench_questions(&script), ["thumbnails", "bench 0 strike=false"]);
    assert_shows(&window, "“Ankle boot”, to be taken for “T-shirt”");
    assert_shows(&window, "L\u{221E}: 255");
    assert_shows(&window, "changed: 1.1 %");
    assert_shows(&window, "9 of 784 pixels by up to 255 levels of 255: plain to see");
    assert_shows(&window, "leave the whole trigger in 30.9 % of the pictures");
    assert!(!script.sent().contains(&"start".to_owned()));
}

#[test]
fn strength_changes_what_is_shown_and_asks_the_engine_nothing() {
    let script = Script::answering();
    let mut window = open(&script);
    let before = script.sent().len();
    window.get_by_role_and_label(Role::SpinButton, "Strength").set_value_accesskit(50.0);
    settle(&mut window);
    assert_shows(&window, "L\u{221E}: 128");
    window.get_by_role_and_label(Role::SpinButton, "Strength").set_value_accesskit(0.0);
    settle(&mut window);
    assert_shows(&window, "the trigger changes nothing");
    assert_shows(&window, "SSIM: 1.000");
    assert_eq!(script.sent().len(), before);
}

#[test]
fn pictures_are_chosen_by_key_by_number_and_in_the_grid() {
    let script = Script::answering();
    let mut window = open(&script);
    window.key_press(Key::ArrowRight);
    settle(&mut window);
    assert_eq!(window.state().state().bench.row, 1);
    assert_shows(&window, "“Pullover”");
    window.get_by_role_and_label(Role::SpinButton, "Picture number").set_value_accesskit(1999.0);
    settle(&mut window);
    assert_eq!(bench_questions(&script).last().unwrap(), "bench 1999 strike=false");
    window.state().requests().change(Change::BenchRow(0));
    settle(&mut window);
    let grid = window.get_by_role_and_label(Role::ListBox, "Test pictures: 0 is chosen, Picture 0: Ankle boot");
    grid.focus();
    window.run();
    window.key_press(Key::ArrowDown);
    settle(&mut window);
    let columns = window.state().state().bench.row;
    assert!(columns > 2, "one row down is {columns} pictures further");
    window.key_press(Key::ArrowLeft);
    settle(&mut window);
    assert_eq!(window.state().state().bench.row, columns - 1);
}

#[test]
fn the_draft_is_the_labs_and_follows_the_form() {
    let script = Script::answering();
    let mut window = open(&script);
    window.get_by_role_and_label(Role::SpinButton, "Size").set_value_accesskit(5.0);
    settle(&mut window);
    assert!(window.state().state().draft.text().contains("size = 5"));
    assert_eq!(bench_questions(&script).len(), 3, "one more question, and the pictures are not read again");
    window.get_by_role_and_label(Role::RadioButton, "Moment: At the strike").click();
    settle(&mut window);
    assert_eq!(bench_questions(&script).last().unwrap(), "bench 0 strike=true");

    window.state().requests().change(Change::Text(SPEC.split("[attack]").next().unwrap().to_owned()));
    settle(&mut window);
    assert_shows(&window, "This experiment has no attack");
    window.get_by_role_and_label(Role::Button, "Choose an attack").click();
    settle(&mut window);
    assert!(window.state().state().draft.text().contains("[attack]"));
    assert_shows(&window, "plain to see");
}

#[test]
fn every_view_has_its_controls_and_blinking_ends_with_the_view() {
    let mut window = open(&Script::answering());
    for (view, words) in [
        ("Clean", "Clean of picture 0"),
        ("Residual", "Amplification"),
        ("Spectrum", "Spectrum, change"),
        ("Heat", "Heat of picture 0"),
        ("Wipe", "Wipe line"),
        ("Blink", "Blink of picture 0"),
        ("Side by side", "Side by side of picture 0"),
    ] {
        window.get_by_role_and_label(Role::RadioButton, &format!("View: {view}")).click();
        settle(&mut window);
        assert_shows(&window, words);
        let by_hand = window.query_by_role_and_label(Role::Button, "Auto");
        assert!(by_hand.is_none(), "the amplification follows the picture until somebody moves it");
    }
    window.run_steps(4);
    let delay = window.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
    assert!(delay > std::time::Duration::from_secs(3600), "still repaints after {delay:?}");
}

#[test]
fn augmentation_plays_and_says_what_each_crop_leaves() {
    let mut window = open(&Script::answering());
    window.get_by_role_and_label(Role::Button, "Play augmentation").click();
    settle(&mut window);
    assert_shows(&window, "of 9 trigger pixels");
    let said = |window: &Window| {
        let words = window.root().children_recursive().filter_map(|node| {
            let node = node.accesskit_node();
            node.label().or(node.value())
        });
        words.into_iter().find(|words| words.starts_with("This one")).unwrap()
    };
    let first = said(&window);
    window.run_steps(8);
    assert_ne!(said(&window), first, "another crop after a moment");
    window.get_by_role_and_label(Role::Button, "Stop playing").click();
    settle(&mut window);
    assert_shows(&window, "leave the whole trigger");
}

#[test]
fn a_trigger_that_a_run_makes_offers_the_run_and_is_looked_for_again() {
    let script = Script::default();
    let made = Rc::new(Cell::new(false));
    let there = Rc::clone(&made);
    script.0.borrow_mut().answering = Some(Box::new(move |question| match question {
        Question::Bench { .. } if !there.get() => Err(not_made_yet()),
        question => common::answer(question),
    }));
    let mut window = open(&script);
    assert_shows(&window, "The trigger comes with the run");
    assert_shows(&window, "There is no trigger yet.");
    window.get_by_role_and_label(Role::Button, "Start").click();
    settle(&mut window);
    assert!(script.sent().contains(&"start".to_owned()));
    // The training begins when the trigger is there.
    made.set(true);
    script.start();
    settle(&mut window);
    window.get_by_role_and_label(Role::Tab, Screen::Triggers.name()).click();
    settle(&mut window);
    assert!(!shows(&window, "There is no trigger yet."));
    assert_shows(&window, "plain to see");
}

#[test]
fn a_trigger_that_cannot_be_made_says_why_and_offers_the_lab() {
    let script = Script::default();
    script.0.borrow_mut().answering = Some(Box::new(|_| {
        Err(polariscope::experiment::Problem::bad_input("The trigger does not fit into the picture."))
    }));
    let mut window = open(&script);
    assert_shows(&window, "The trigger does not fit into the picture.");
    assert_shows(&window, "There is no picture to show.");
    window.get_by_role_and_label(Role::Button, "Lab").click();
    settle(&mut window);
    assert_eq!(window.state().state().screen, Screen::Lab);
    window.state().requests().command(UserCommand::Go(Screen::Triggers));
    settle(&mut window);
}

#[test]
fn a_mistake_leaves_the_picture_but_a_refused_attack_never_looks_like_the_one_before() {
    let script = Script::default();
    script.0.borrow_mut().answering = Some(Box::new(|question| {
        use polariscope::experiment::Problem;
        match question {
            Question::Bench { spec, .. } if spec.contains("ctrl") => {
                Err(Problem::bad_input("CTRL needs colour pictures, and these are grey.").at("attack.id"))
            }
            Question::Bench { spec, .. } if spec.contains("size = 30") => {
                Err(Problem::bad_input("The trigger does not fit into the picture.").at("attack.options.size"))
            }
            question => common::answer(question),
        }
    }));
    let mut window = open(&script);
    window.state().requests().change(Change::Text(SPEC.replace("size = 3", "size = 30")));
    settle(&mut window);
    assert_shows(&window, "The trigger does not fit into the picture.");
    assert_shows(&window, "plain to see");
    let refused = SPEC.replace("badnets", "ctrl").replace("{ size = 3, shape = \"checkerboard\" }", "{}");
    window.state().requests().change(Change::Text(refused));
    settle(&mut window);
    assert_shows(&window, "CTRL needs colour pictures");
    assert_shows(&window, "There is no picture to show.");
}

const SIDE: usize = 32;

/// Draws with the shaders of the window on this machine's rasteriser, one pixel of the picture on one of the screen.
fn render(width: usize, height: usize, draw: impl Fn(&egui::Ui, Rect) + 'static) -> Rgba {
    struct Easel<F>(F);
    impl<F: Fn(&egui::Ui, Rect)> eframe::App for Easel<F> {
        fn ui(&mut self, ui: &mut egui::Ui, _: &mut eframe::Frame) {
            (self.0)(ui, ui.ctx().content_rect());
        }
    }
    let builder = Harness::builder().with_size((width as f32, height as f32)).with_pixels_per_point(1.0);
    let mut easel = builder.with_render_options(RendererOptions::PREDICTABLE).wgpu().build_eframe(|cc| {
        assert!(cc.wgpu_render_state.is_some());
        gpu::install(cc);
        Easel(draw)
    });
    easel.run();
    let picture = easel.render().unwrap();
    assert_eq!(picture.dimensions(), (width as u32, height as u32));
    Rgba { width, height, bytes: picture.into_raw() }
}

/// At most 1/255 apart on 99.9 % of the values, and nowhere far apart.
#[track_caller]
fn assert_close(got: &[u8], wanted: &[u8], what: &str) {
    assert_eq!(got.len(), wanted.len(), "{what}");
    let far = got.iter().zip(wanted).filter(|(a, b)| a.abs_diff(**b) > 1).count();
    assert!(far * 1000 <= got.len(), "{what}: {far} of {} values are more than one level apart", got.len());
}

/// A trigger for which there are only tensors and a form.
struct Plain<F> {
    form: TriggerForm,
    stamp: F,
}

impl<F: Fn(&Tensor) -> Tensor> Trigger for Plain<F> {
    fn apply(&self, pixels: &Tensor, _: &[i64]) -> Result<Tensor> {
        Ok(to_u8(&(self.stamp)(&pixels.to_kind(Kind::Float))))
    }

    fn form(&self) -> Option<TriggerForm> {
        Some(self.form.clone())
    }
}

fn plain(form: TriggerForm, stamp: impl Fn(&Tensor) -> Tensor + 'static) -> Box<dyn Trigger> {
    Box::new(Plain { form, stamp })
}

/// Values drawn evenly from -most to most, the same in every run: f32 `[planes, SIDE, SIDE]`.
fn drawn(planes: i64, most: f32) -> Tensor {
    let mut rng = ChaCha8Rng::seed_from_u64(planes as u64);
    let values: Vec<f32> = (0..planes * (SIDE * SIDE) as i64).map(|_| rng.random_range(-most..most)).collect();
    Tensor::from_slice(&values).view([planes, SIDE as i64, SIDE as i64])
}

fn levels(levels: f32) -> Box<dyn Trigger> {
    let most = f64::from(levels - 1.0);
    plain(TriggerForm::Levels { levels }, move |x| (x * most / 255.0).round() / most * 255.0)
}

/// Looks up elsewhere with libtorch's own sampler; `shift` is f32 `[2, H, W]` in pixels.
fn warp(shift: Tensor) -> Box<dyn Trigger> {
    plain(warp_form(&shift).unwrap(), move |x| {
        let n = SIDE as i64;
        let line = Tensor::arange(n, (Kind::Float, Device::Cpu));
        let place = |plane: i64, shape: &[i64]| {
            (line.view(shape) + shift.get(plane)).clamp(0.0, (n - 1) as f64) / ((n - 1) as f64 / 2.0) - 1.0
        };
        let grid = Tensor::stack(&[place(0, &[1, n]), place(1, &[n, 1])], -1).unsqueeze(0);
        let grid = grid.expand([x.size()[0], n, n, 2], false);
        x.grid_sampler(&grid, 0, 0, true)
    })
}

/// Triggers of all forms, in several variants.
fn variants() -> Vec<(String, Box<dyn Trigger>)> {
    let attacks = [
        ("badnets", json!({})),
        ("badnets", json!({"shape": "grid", "size": 7, "right": 5, "bottom": 9, "color": "#20c040", "opacity": 0.35})),
        ("blended", json!({})),
        ("blended", json!({"key": "noise", "alpha_test": 0.08})),
        ("sig", json!({})),
        ("sig", json!({"delta_train": 13.7, "frequency": 7.3, "angle": 33.0})),
        ("sig", json!({"shape": "ramp"})),
        ("sig", json!({"shape": "triangle", "frequency": 2.5})),
        ("ctrl", json!({})),
        ("ftrojan", json!({})),
        ("ftrojan", json!({"magnitude": 90, "channels": "cr", "window": 16})),
        ("bpp", json!({})),
        ("lc", json!({"radius": 0, "corners_test": 0.4})),
        ("lf", json!({"source": "random"})),
        ("wanet", json!({})),
        ("wanet", json!({"strength": 2.5, "grid": 9, "rescale": 0.94})),
    ];
    let residual = drawn(3, 60.0);
    let add = plain(add_form(&residual).unwrap(), move |x| x + &residual);
    let others = [
        ("a residual", add),
        ("3 levels", levels(3.0)),
        ("a gentle warp", warp(drawn(2, 0.6))),
        ("a wild warp", warp(drawn(2, 9.0))),
    ];
    let attacks = attacks
        .map(|(id, options)| (format!("{id} {options}"), scene::trigger(id, &options, SIDE as i64, Moment::Test)));
    attacks.into_iter().chain(others.map(|(name, trigger)| (name.to_owned(), trigger))).collect()
}

#[test]
fn the_graphics_card_stamps_what_the_engine_stamps() {
    for (name, trigger) in variants() {
        let pixels = Tensor::randint(256, [1, 3, SIDE as i64, SIDE as i64], (Kind::Uint8, Device::Cpu));
        let clean = Arc::new(rgba_from_pixels(&pixels.get(0)).unwrap());
        let wanted = rgba_from_pixels(&trigger.apply(&pixels, &[0]).unwrap().get(0)).unwrap();
        let form = trigger.form().unwrap();
        assert_close(&form.stamp(&clean, 1.0).bytes, &wanted.bytes, &format!("{name} by the processor"));
        let stamp = Stamp::Form(form);
        let got = render(SIDE, SIDE, move |ui, rect| {
            let window = Rect::from_min_size(pos2(0.0, 0.0), vec2(SIDE as f32, SIDE as f32));
            let (mode, crop) = (Mode::Poisoned, Crop::default());
            let plane = Plane {
                clean: &clean,
                stamp: &stamp,
                strength: 1.0,
                mode,
                amplification: 1.0,
                wipe: 0.5,
                crop,
                window,
            };
            gpu::plane(ui, rect, &plane);
        });
        assert_close(&got.bytes, &wanted.bytes, &name);
    }
}

#[test]
fn thumbnails_are_stamped_as_the_engine_stamps_them() {
    const COUNT: usize = 200;
    const COLUMNS: usize = 10;
    // The third row of pictures is the first in sight.
    const FIRST: usize = 20;
    let shown = 6 * COLUMNS;
    for (name, trigger) in variants() {
        let pixels = Tensor::randint(256, [COUNT as i64, 3, SIDE as i64, SIDE as i64], (Kind::Uint8, Device::Cpu));
        let rows: Vec<i64> = (0..COUNT as i64).collect();
        let stamped = trigger.apply(&pixels, &rows).unwrap();
        let bytes = |batch: &Tensor, at: usize| rgba_from_pixels(&batch.get(at as i64)).unwrap().bytes;
        let thumbnails = Thumbnails {
            width: SIDE,
            height: SIDE,
            stride: 1,
            rows: COUNT,
            labels: (0..COUNT).map(|_| 0).collect(),
            rgba: (0..COUNT).flat_map(|at| bytes(&pixels, at)).collect(),
        };
        let stamp = Stamp::Form(trigger.form().unwrap());
        let got = render(COLUMNS * SIDE, 6 * SIDE, move |ui, rect| {
            let cell = vec2(SIDE as f32, SIDE as f32);
            let grid = Grid {
                thumbnails: &thumbnails,
                stamp: &stamp,
                strength: 1.0,
                first: FIRST,
                count: shown,
                columns: COLUMNS,
                corner: rect.min,
                cell,
                pitch: cell,
            };
            gpu::thumbnails(ui, rect, &grid);
        });
        let mut wanted = vec![0; got.bytes.len()];
        for index in 0..shown {
            let picture = bytes(&stamped, FIRST + index);
            for y in 0..SIDE {
                let to = ((index / COLUMNS * SIDE + y) * COLUMNS * SIDE + index % COLUMNS * SIDE) * 4;
                wanted[to..to + SIDE * 4].copy_from_slice(&picture[y * SIDE * 4..][..SIDE * 4]);
            }
        }
        assert_close(&got.bytes, &wanted, &name);
    }
}

#[test]
fn thinned_out_thumbnails_are_stamped_at_their_true_places() {
    // Every second pixel of pictures of SIDE x SIDE.
    const THIN: usize = SIDE / 2;
    for (name, trigger) in variants() {
        let pixels = Tensor::randint(256, [4, 3, THIN as i64, THIN as i64], (Kind::Uint8, Device::Cpu));
        let thumbnails = Thumbnails {
            width: THIN,
            height: THIN,
            stride: 2,
            rows: 4,
            labels: Arc::from([0; 4]),
            rgba: (0..4).flat_map(|at| rgba_from_pixels(&pixels.get(at)).unwrap().bytes).collect(),
        };
        let stamp = Stamp::Form(trigger.form().unwrap());
        let mut wanted = Vec::new();
        for y in 0..THIN {
            for (index, x) in (0..4).flat_map(|index| (0..THIN).map(move |x| (index, x))) {
                let [red, green, blue] = stamp.pixel(thumbnails.view(index), x, y, 0.7);
                wanted.extend([red, green, blue, 255]);
            }
        }
        let got = render(4 * THIN, THIN, move |ui, rect| {
            let cell = vec2(THIN as f32, THIN as f32);
            let (corner, stamp, thumbnails) = (rect.min, &stamp, &thumbnails);
            let grid =
                Grid { thumbnails, stamp, strength: 0.7, first: 0, count: 4, columns: 4, corner, cell, pitch: cell };
            gpu::thumbnails(ui, rect, &grid);
        });
        assert_close(&got.bytes, &wanted, &name);
    }
}

/// The picture drawn by the processor where there is no graphics card is the same picture.
#[test]
fn all_modes_look_alike_with_and_without_a_graphics_card() {
    let pictures = Pictures::read();
    let clean = pictures.clean(0);
    let side = clean.width;
    let plain = Crop::default();
    for mode in [Mode::Clean, Mode::Poisoned, Mode::Residual, Mode::Wipe, Mode::Heat] {
        // Heat has all the colours in which eyes differ.
        let eyes = Vision::ALL.into_iter().filter(|eyes| mode == Mode::Heat || *eyes == Vision::Usual);
        let moved = (Crop { shift: [3, -2], flip: true }, Vision::Usual);
        for (crop, eyes) in eyes.map(|eyes| (plain, eyes)).chain([moved]) {
            let draw = {
                let clean = clean.clone();
                move |ui: &egui::Ui, rect: Rect| {
                    see_with(ui.ctx(), eyes);
                    let window = Rect::from_min_size(pos2(0.0, 0.0), vec2(side as f32, side as f32));
                    let stamp = Stamp::Form(Pictures::patch(5));
                    let plane = Plane {
                        clean: &clean,
                        stamp: &stamp,
                        strength: 0.8,
                        mode,
                        amplification: 0.5,
                        wipe: 0.4,
                        crop,
                        window,
                    };
                    gpu::plane(ui, rect, &plane);
                }
            };
            let by_card = render(side, side, draw.clone());
            let mut easel =
                Harness::builder().with_size((side as f32, side as f32)).with_pixels_per_point(1.0).wgpu().build_ui(
                    move |ui| {
                        let rect = ui.ctx().content_rect();
                        ui.set_clip_rect(rect);
                        draw(ui, rect);
                    },
                );
            easel.run();
            let by_processor = easel.render().unwrap().into_raw();
            assert_close(&by_card.bytes, &by_processor, &format!("{mode:?} {crop:?} {eyes:?}"));
        }
    }
}
