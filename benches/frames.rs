//! How long the window's own thread works on a frame: the trigger bench with 10,000 thumbnails while the strength slider
//! moves, the point on a trade-off dragged with 5,000 people, and Watch with curves of 10,000 points each while new ones arrive. Prints; judges nothing.
//!
//! `cargo xtask bench frames`. Waiting for the graphics card does not count; drawing on it is printed apart.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and may fail loudly")]

#[path = "../tests/common/mod.rs"]
mod common;

use common::{CLASSES, Script, Shelf, parts, point};
use egui_kittest::Harness;
use polariscope::app::background::Background;
use polariscope::app::command::{Change, Screen, UserCommand};
use polariscope::app::fair::FairChange;
use polariscope::app::{App, gpu};
use polariscope::run::event::{Answer, Bench, JobEvent, Question, Rgba, Thumbnails};
use polariscope::run::{TriggerForm, WaveShape};
use std::sync::Arc;
use std::time::Instant;

const THUMBNAILS: usize = 10_000;
const POINTS: usize = 10_000;
const PEOPLE: usize = 5_000;
const FRAMES: usize = 400;
const SIDE: usize = 32;

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    if !"frames".contains(&filter) {
        return;
    }
    println!("size 1920 x 1080, {FRAMES} frames each; p50 and p99 in milliseconds");
    bench_thumbnails(true);
    bench_thumbnails(false);
    bench_curves();
    bench_trade_off();
}

fn window(script: &Script, with_card: bool) -> Harness<'static, App> {
    let mut parts = parts(script, Arc::new(Shelf::default()));
    // Helper threads as in the real window: figures are not worked out on the window's own thread.
    parts.background = Background::new(Box::new(|| {}));
    let builder = Harness::builder().with_size((1920.0, 1080.0)).with_max_steps(30).wgpu();
    builder.build_eframe(move |cc| {
        if with_card {
            gpu::install(cc);
        }
        App::new(&cc.egui_ctx, parts)
    })
}

/// The slider moves in every frame, every eighth frame the grid scrolls as well.
fn bench_thumbnails(with_card: bool) {
    let script = Script::answering();
    let bytes: Arc<[u8]> = (0..THUMBNAILS as u64 * (SIDE * SIDE * 4) as u64)
        .map(|at| if at % 4 == 3 { 255 } else { (at.wrapping_mul(2_654_435_761) >> 17) as u8 })
        .collect();
    let labels: Arc<[u16]> = (0..THUMBNAILS).map(|at| (at % 10) as u16).collect();
    script.0.borrow_mut().answering = Some(Box::new(move |question| Ok(answer(question, &bytes, &labels))));
    let mut window = window(&script, with_card);
    window.state().requests().command(UserCommand::Go(Screen::Triggers));
    window.run_steps(8);
    let mut draws = Vec::new();
    let clock_before = window.state().clock().frames();
    let mut whole = Vec::new();
    for frame in 0..FRAMES {
        let strength = 0.5 + 0.5 * (frame as f32 * 0.1).sin();
        window.state().requests().change(Change::BenchStrength(strength));
        if frame % 8 == 0 {
            let event = egui::Event::MouseWheel {
                unit: egui::MouseWheelUnit::Point,
                delta: egui::vec2(0.0, -600.0),
                phase: egui::TouchPhase::Move,
                source: egui::MouseWheelSource::Unknown,
                modifiers: egui::Modifiers::NONE,
            };
            window.hover_at(egui::pos2(700.0, 600.0));
            window.event(event);
        }
        let begin = Instant::now();
        window.step();
        whole.push(begin.elapsed().as_secs_f64() * 1000.0);
        if frame % 20 == 0 {
            let begin = Instant::now();
            drop(window.render().unwrap());
            draws.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
    }
    let how = if with_card { "shaders" } else { "plain fallback" };
    println!("\ntriggers, {THUMBNAILS} thumbnails, {how}");
    report(&window, clock_before, &mut whole, Some(&mut draws));
}

fn answer(question: &Question, bytes: &Arc<[u8]>, labels: &Arc<[u16]>) -> Answer {
    match question {
        Question::Thumbnails { .. } => Answer::Thumbnails(Thumbnails {
            width: SIDE,
            height: SIDE,
            stride: 1,
            rows: THUMBNAILS,
            labels: labels.clone(),
            rgba: bytes.clone(),
        }),
        Question::Bench { row, .. } => {
            let clean = Rgba { width: SIDE, height: SIDE, bytes: bytes[..SIDE * SIDE * 4].to_vec() };
            let form = TriggerForm::Wave { amplitude: 40.0, cycles: [6.0 / SIDE as f32, 0.0], shape: WaveShape::Sine };
            Answer::Bench(Box::new(Bench {
                poisoned: Arc::new(form.stamp(&clean, 1.0)),
                clean: Arc::new(clean),
                form: Some(form),
                row: *row,
                label: 1,
                poisoned_label: 0,
                classes: CLASSES.map(String::from).to_vec(),
                rows: THUMBNAILS,
            }))
        }
        other => common::answer(other).unwrap(),
    }
}

/// Loss, accuracy, attack success and robust accuracy with 10,000 points each; ten of each arrive before every frame.
fn bench_curves() {
    let script = Script::answering();
    let mut window = window(&script, true);
    window.state().requests().command(UserCommand::RemoveBackdoor);
    window.run_steps(4);
    script.start();
    let batch = |from: usize, to: usize| {
        let metrics = ["loss", "acc", "asr", "ra"];
        let each = |step: usize| {
            let value = 0.5 + 0.4 * ((step as f64) * 0.003).sin() + ((step * 37 % 11) as f64) * 0.004;
            metrics.map(|metric| point("attack", metric, step as f64 * 0.01, value))
        };
        JobEvent::Metrics((from..to).flat_map(each).collect())
    };
    script.play(batch(0, POINTS));
    window.run_steps(4);
    let clock_before = window.state().clock().frames();
    let mut whole = Vec::new();
    for frame in 0..FRAMES {
        script.play(batch(POINTS + frame * 10, POINTS + frame * 10 + 10));
        let begin = Instant::now();
        window.step();
        whole.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    println!("\nwatch, 4 live curves of {POINTS} points");
    report(&window, clock_before, &mut whole, None);
}

/// The point on the trade-off moves in every frame: 5,000 people, three groups, thirty features, the pictures that follow.
fn bench_trade_off() {
    let script = Script::answering();
    script.0.borrow_mut().answering = Some(Box::new(|question| match question {
        Question::Fair { .. } => Ok(Answer::Fair(Arc::new(common::fair::made_up(PEOPLE, 30)))),
        question => common::answer(question),
    }));
    let mut window = window(&script, true);
    window.state().requests().command(UserCommand::Go(Screen::Fairness));
    window.run_steps(8);
    let clock_before = window.state().clock().frames();
    let mut whole = Vec::new();
    for frame in 0..FRAMES {
        let position = 0.5 + 0.5 * (frame as f64 * 0.05).sin();
        window.state().requests().change(Change::Fair(FairChange::Position(position)));
        let begin = Instant::now();
        window.step();
        whole.push(begin.elapsed().as_secs_f64() * 1000.0);
    }
    println!("\nfairness, a drag step with {PEOPLE} people");
    report(&window, clock_before, &mut whole, None);
}

fn report(window: &Harness<'_, App>, clock_before: u64, whole: &mut [f64], draws: Option<&mut Vec<f64>>) {
    if let Some(figures) = window.state().clock().figures() {
        let frames = figures.frames - clock_before;
        println!(
            "  the program's own work       p50 {:.2}  p99 {:.2}  ({frames} frames)",
            figures.p50_ms, figures.p99_ms
        );
    }
    let (p50, p99) = quantiles(whole);
    println!("  with egui's layout           p50 {p50:.2}  p99 {p99:.2}");
    if let Some(draws) = draws {
        let (p50, p99) = quantiles(draws);
        println!("  tessellating and drawing     p50 {p50:.2}  p99 {p99:.2}  (software rasteriser, picture read back)");
    }
}

fn quantiles(values: &mut [f64]) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    (at(0.5), at(0.99))
}
