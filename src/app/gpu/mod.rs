//! Pictures drawn by the graphics card: one picture at any zoom, thousands of thumbnails in one draw call, a matrix as
//! coloured cells. A trigger is applied while they are drawn, so that moving a slider uploads a few numbers and no picture.
//!
//! Where wgpu cannot run (or was not [`install`]ed) the same functions draw with plain egui textures made by the processor.

mod callback;
mod fallback;
mod pieces;
mod store;

pub use pieces::{Grid, Mode, Plane, heat_map, plane, thumbnails};

use eframe::egui_wgpu::wgpu;
use egui::Id;
use store::Store;

/// The shaders, complete as they reach the driver.
pub const SHADERS: [(&str, &str); 3] = [
    (
        "plane",
        concat!(
            include_str!("shaders/bytes.wgsl"),
            include_str!("shaders/trigger.wgsl"),
            include_str!("shaders/plane.wgsl")
        ),
    ),
    (
        "thumbs",
        concat!(
            include_str!("shaders/bytes.wgsl"),
            include_str!("shaders/trigger.wgsl"),
            include_str!("shaders/thumbs.wgsl")
        ),
    ),
    ("heat", concat!(include_str!("shaders/bytes.wgsl"), include_str!("shaders/heat.wgsl"))),
];

/// What drawing code must know of the graphics card; in egui's memory once `install` has worked.
#[derive(Debug, Clone, Copy)]
struct Ready {
    /// The target encodes linear light by itself.
    linear_target: bool,
}

fn slot() -> Id {
    Id::unique("polariscope gpu")
}

fn ready(ctx: &egui::Context) -> Option<Ready> {
    ctx.data(|data| data.get_temp(slot()))
}

/// Readies the shaders for a window. Without wgpu, or where a shader is refused, nothing happens and the processor draws.
pub fn install(cc: &eframe::CreationContext<'_>) {
    let Some(state) = &cc.wgpu_render_state else {
        return;
    };
    let scope = state.device.push_error_scope(wgpu::ErrorFilter::Validation);
    let store = Store::new(&state.device, &state.queue, state.target_format);
    if let Some(error) = at_once(scope.pop()).flatten() {
        tracing::warn!("the processor draws the pictures, because the graphics driver refuses a shader: {error}");
        return;
    }
    state.renderer.write().callback_resources.insert(store);
    let ready = Ready { linear_target: state.target_format.is_srgb() };
    cc.egui_ctx.data_mut(|data| data.insert_temp(slot(), ready));
}

/// The value of a future that has nothing to wait for.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgpu::naga::front::wgsl;
    use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};

    #[test]
    fn every_shader_is_valid() {
        for (name, source) in SHADERS {
            let module =
                wgsl::parse_str(source).unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(source)));
            let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
            validator.validate(&module).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let entries: Vec<_> = module.entry_points.iter().map(|entry| entry.name.as_str()).collect();
            assert_eq!(entries, ["vs_main", "fs_main"], "{name}");
        }
    }

    #[test]
    fn no_shader_is_left_out() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/app/gpu/shaders");
        let files = std::fs::read_dir(folder).expect("folder").flatten();
        let mut names: Vec<_> =
            files.filter_map(|file| file.path().file_stem().map(|name| name.to_string_lossy().into_owned())).collect();
        names.retain(|name| !["bytes", "trigger"].contains(&name.as_str()));
        names.sort();
        let mut known: Vec<_> = SHADERS.iter().map(|(name, _)| (*name).to_owned()).collect();
        known.sort();
        assert_eq!(names, known);
    }
}
