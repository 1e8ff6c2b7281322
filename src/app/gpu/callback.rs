//! One thing to draw, as egui's paint callback.

use super::store::{Source, Store, UNIFORMS};
use eframe::egui_wgpu::{self, CallbackResources, CallbackTrait, ScreenDescriptor, wgpu};
use egui::PaintCallbackInfo;

/// Which shader draws, in the order of `SHADERS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Piece {
    Plane = 0,
    Thumbnails = 1,
    Heat = 2,
}

#[derive(Debug)]
pub(super) struct Draw {
    /// The place that is drawn; the same in every frame.
    pub slot: u64,
    pub piece: Piece,
    pub uniforms: Numbers,
    pub form: Source,
    pub picture: Source,
    pub instances: u32,
}

impl Draw {
    /// The shape that draws this into `rect`.
    pub fn into_shape(self, rect: egui::Rect) -> egui::Shape {
        egui_wgpu::Callback::new_paint_callback(rect, self).into()
    }
}

impl CallbackTrait for Draw {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        _: &ScreenDescriptor,
        _: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if let Some(store) = resources.get_mut::<Store>() {
            store.prepare(device, queue, self);
        }
        Vec::new()
    }

    fn paint(&self, _: PaintCallbackInfo, pass: &mut wgpu::RenderPass<'static>, resources: &CallbackResources) {
        if let Some(store) = resources.get::<Store>() {
            store.paint(pass, self.slot, self.piece, self.instances);
        }
    }
}

/// A block of uniforms, filled from front to back in the order of the shader's struct.
#[derive(Debug, Clone)]
pub(super) struct Numbers {
    bytes: [u8; UNIFORMS],
    filled: usize,
}

impl Numbers {
    pub fn new() -> Self {
        Self { bytes: [0; UNIFORMS], filled: 0 }
    }

    fn word(mut self, word: [u8; 4]) -> Self {
        if let Some(place) = self.bytes.get_mut(self.filled..self.filled + 4) {
            place.copy_from_slice(&word);
        }
        self.filled += 4;
        debug_assert!(self.filled <= UNIFORMS, "the shaders have no larger block");
        self
    }

    pub fn whole(self, number: u32) -> Self {
        self.word(number.to_ne_bytes())
    }

    pub fn float(self, number: f32) -> Self {
        self.word(number.to_ne_bytes())
    }

    pub fn pair(self, pair: egui::Vec2) -> Self {
        self.float(pair.x).float(pair.y)
    }
}

impl std::ops::Deref for Numbers {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}
