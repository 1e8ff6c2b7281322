//! Opens the window on the real engine.

use super::archive::RunsOnDisk;
use super::background::Background;
use super::config::Config;
use super::gpu;
use super::state::{Machine, Preset};
use super::window::{App, Parts};
use crate::engine::Worker;
use crate::experiment::{Code, Experiment, Problem, Result};
use crate::run::handle::Engine;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The engine may speak often; the window listens at most this often.
const REPAINT: Duration = Duration::from_millis(33);
/// Where the processor draws as well as trains, every picture costs training time.
const REPAINT_IN_SOFTWARE: Duration = Duration::from_millis(250);

/// Everything can be reached in a window of this size, in points.
const LEAST_SIZE: [f32; 2] = [880.0, 600.0];

/// Experiments that are known to work; the first one is the quick tour behind the main button.
const PRESETS: &[&str] = &[
    include_str!("../../assets/presets/quick-badnets-npd.toml"),
    include_str!("../../assets/presets/quick-badnets-pdb.toml"),
    include_str!("../../assets/presets/quick-clean.toml"),
    include_str!("../../assets/presets/quick-selection-lps.toml"),
    include_str!("../../assets/presets/cifar10-wrn-badnets.toml"),
];

/// Opens the window, on a file or folder if one is given, trains it at once if it is an experiment and `train` is set,
/// and returns the exit code when it was closed.
///
/// Fails when no window can be made: no display, or nothing that can draw.
pub fn run(open: Option<PathBuf>, train: bool) -> Result<i32> {
    let started = Instant::now();
    let config = Config::of_this_user();
    let left = config.window();
    let mut viewport = egui::ViewportBuilder::default()
        .with_title("Polariscope")
        .with_app_id("polariscope")
        .with_icon(icon())
        .with_inner_size(left.usable_size(LEAST_SIZE).unwrap_or([1280.0, 800.0]))
        .with_maximized(left.maximized)
        .with_min_inner_size(LEAST_SIZE);
    viewport.position = left.position.map(egui::Pos2::from);
    let options = eframe::NativeOptions {
        viewport,
        renderer: eframe::Renderer::Wgpu,
        centered: left.position.is_none(),
        ..eframe::NativeOptions::default()
    };
    let make = |cc: &eframe::CreationContext<'_>| -> std::result::Result<Box<dyn eframe::App>, _> {
        Ok(Box::new(make(cc, config, open, train, started)?))
    };
    let outcome = eframe::run_native("Polariscope", options, Box::new(make));
    outcome.map(|()| 0).map_err(|error| {
        Problem::new(Code::DeviceMissing, "The window cannot be opened.")
            .because(error)
            .remedy("Is there a display? Without one, run experiments with `polariscope run SPEC`.")
            .remedy("See what this machine offers with `polariscope doctor`.")
    })
}

fn make(
    cc: &eframe::CreationContext<'_>,
    config: Config,
    open: Option<PathBuf>,
    train: bool,
    started: Instant,
) -> Result<App> {
    let machine = machine(cc);
    let pause = if machine.software { REPAINT_IN_SOFTWARE } else { REPAINT };
    let waker = |pause| {
        let ctx = cc.egui_ctx.clone();
        Box::new(move || ctx.request_repaint_after(pause))
    };
    let engine: Box<dyn Engine> = Box::new(Worker::start(waker(pause))?);
    close_on_signal(cc.egui_ctx.clone());
    gpu::install(cc);
    let parts = Parts {
        engine,
        methods: crate::catalogue::all(),
        presets: presets(),
        archive: Arc::new(RunsOnDisk),
        background: Background::new(waker(REPAINT)),
        config,
        machine,
        open,
        train,
        started: Some(started),
    };
    Ok(App::new(&cc.egui_ctx, parts))
}

/// Ctrl+C in the terminal and SIGTERM close the window as its own button does: a training stops and is kept.
fn close_on_signal(ctx: egui::Context) {
    let handler = move || {
        ctx.send_viewport_cmd(egui::ViewportCommand::Close);
        ctx.request_repaint();
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tracing::warn!("signals close the window at once: {error}");
    }
}

fn machine(cc: &eframe::CreationContext<'_>) -> Machine {
    let info = cc.wgpu_render_state.as_ref().map(|state| state.adapter.get_info());
    Machine {
        software: info.as_ref().is_some_and(|info| info.device_type == eframe::wgpu::DeviceType::Cpu),
        adapter: info.map(|info| info.name).unwrap_or_default(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

fn presets() -> Vec<Preset> {
    let preset = |text: &str| {
        let title = toml::from_str::<Experiment>(text).map(|experiment| experiment.name).unwrap_or_default();
        Preset { title, text: text.to_owned() }
    };
    PRESETS.iter().map(|text| preset(text)).collect()
}

/// The program's mark, two crossed polarizers, as pixels.
fn icon() -> egui::IconData {
    const SIDE: usize = 64;
    let tokens = super::theme::Tokens::of(super::theme::Look::Light);
    let mut rgba = Vec::with_capacity(SIDE * SIDE * 4);
    for index in 0..SIDE * SIDE {
        let (x, y) = ((index % SIDE) as f32 + 0.5, (index / SIDE) as f32 + 0.5);
        let ring = |center: f32| {
            let distance = ((x - center).powi(2) + (y - 32.0).powi(2)).sqrt();
            (2.5 - (distance - 19.0).abs()).clamp(0.0, 1.0)
        };
        let (left, right) = (ring(22.0), ring(42.0));
        let colour = if left >= right { tokens.clean } else { tokens.attacked };
        let alpha = (left.max(right) * 255.0) as u8;
        rgba.extend([colour.r(), colour.g(), colour.b(), alpha]);
    }
    egui::IconData { rgba, width: SIDE as u32, height: SIDE as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_right_and_have_titles() {
        for preset in presets() {
            assert!(!preset.title.is_empty());
            crate::experiment::check::parse(&preset.text, crate::catalogue::all()).expect(&preset.title);
        }
    }
}
