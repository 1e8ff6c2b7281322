//! What lives on the graphics card: pipelines, textures by what they show, and a buffer of numbers per place of drawing.

use super::SHADERS;
use super::callback::{Draw, Piece};
use crate::app::theme::{ColourMap, STEPS, Vision};
use crate::run::event::{Rgba, Thumbnails};
use eframe::egui_wgpu::wgpu;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Bytes of the largest block of uniforms.
pub(super) const UNIFORMS: usize = 96;
/// Thumbnail pixels in one line of their texture.
pub(super) const LINE: u32 = 4096;
/// Lines that are uploaded together: one megabyte.
const PAGE: u32 = 64;
/// Textures and slots that were not used for so many draws are dropped, oldest first.
const KEPT: usize = 64;

/// What a texture shows. Equal sources share a texture; the source is kept, so that its address stays its own.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Blank,
    Picture(Arc<Rgba>),
    /// What a trigger's form knows of every pixel: up to four planes of `height x width`, some of them in one piece.
    Form {
        width: usize,
        height: usize,
        planes: Arc<[f32]>,
        more: Option<Arc<[f32]>>,
    },
    Values {
        width: usize,
        height: usize,
        values: Arc<[f32]>,
    },
    /// Only the pages with these thumbnails are needed now.
    Thumbnails(Thumbnails, Range<usize>),
}

type Key = (u8, usize, usize);

impl Source {
    fn key(&self) -> Key {
        match self {
            Source::Blank => (0, 0, 0),
            Source::Picture(picture) => (1, Arc::as_ptr(picture) as usize, 0),
            Source::Form { planes, more, .. } => {
                (2, planes.as_ptr() as usize, more.as_ref().map_or(0, |more| more.as_ptr() as usize))
            }
            Source::Values { width, values, .. } => (3, values.as_ptr() as usize, *width),
            Source::Thumbnails(thumbnails, _) => (4, thumbnails.rgba.as_ptr() as usize, 0),
        }
    }

    fn size(&self) -> [u32; 2] {
        match self {
            Source::Blank => [1, 1],
            Source::Picture(picture) => [picture.width as u32, picture.height as u32],
            Source::Form { width, height, .. } | Source::Values { width, height, .. } => {
                [*width as u32, *height as u32]
            }
            Source::Thumbnails(thumbnails, _) => [LINE, (thumbnails.rgba.len() as u32 / 4).div_ceil(LINE)],
        }
    }

    fn format(&self) -> wgpu::TextureFormat {
        match self {
            Source::Form { .. } => wgpu::TextureFormat::Rgba32Float,
            Source::Values { .. } => wgpu::TextureFormat::R32Float,
            _ => wgpu::TextureFormat::Rgba8Unorm,
        }
    }

    /// The texture's bytes; thumbnails are uploaded page by page instead.
    fn bytes(&self) -> Vec<u8> {
        match self {
            Source::Blank => vec![0; 4],
            Source::Picture(picture) => picture.bytes.clone(),
            Source::Form { width, height, planes, more } => {
                let plane = width * height;
                let all: Vec<f32> = planes.iter().chain(more.iter().flat_map(|more| more.iter())).copied().collect();
                let texel = |at: usize| [0, 1, 2, 3].map(|k| all.get(k * plane + at).copied().unwrap_or(0.0));
                (0..plane).flat_map(texel).flat_map(f32::to_ne_bytes).collect()
            }
            // What is no number has no place on a scale; it takes the lowest.
            Source::Values { values, .. } => values
                .iter()
                .flat_map(|&value| {
                    if value.is_nan() { f32::MIN } else { value.clamp(f32::MIN, f32::MAX) }.to_ne_bytes()
                })
                .collect(),
            Source::Thumbnails(..) => Vec::new(),
        }
    }
}

struct Kept {
    _alive: Source,
    /// Never used twice, unlike addresses.
    serial: u64,
    texture: wgpu::Texture,
    view: wgpu::TextureView,
    /// Which pages of thumbnails are on the card.
    pages: Vec<bool>,
    used: u64,
}

/// Numbers and textures of one place that is drawn.
struct Slot {
    buffer: wgpu::Buffer,
    /// The textures in it are known by their serials.
    bound: Option<(wgpu::BindGroup, [u64; 2])>,
    used: u64,
}

pub(super) struct Store {
    layout: wgpu::BindGroupLayout,
    pipelines: Vec<wgpu::RenderPipeline>,
    maps: wgpu::TextureView,
    textures: HashMap<Key, Kept>,
    slots: HashMap<u64, Slot>,
    draws: u64,
    /// Textures made so far.
    made: u64,
}

impl Store {
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue, target: wgpu::TextureFormat) -> Self {
        let texture = |binding| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::FRAGMENT,
            ty: wgpu::BindingType::Texture {
                multisampled: false,
                sample_type: wgpu::TextureSampleType::Float { filterable: false },
                view_dimension: wgpu::TextureViewDimension::D2,
            },
            count: None,
        };
        let uniforms = wgpu::BindGroupLayoutEntry {
            binding: 0,
            visibility: wgpu::ShaderStages::VERTEX_FRAGMENT,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Uniform,
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("pictures"),
            entries: &[uniforms, texture(1), texture(2), texture(3)],
        });
        let pipelines = SHADERS.iter().map(|(name, source)| pipeline(device, &layout, target, name, source)).collect();
        let maps = texture_of(
            device,
            queue,
            [STEPS as u32, 2 * Vision::ALL.len() as u32],
            wgpu::TextureFormat::Rgba8Unorm,
            &map_bytes(),
        );
        Self {
            layout,
            pipelines,
            maps: maps.create_view(&wgpu::TextureViewDescriptor::default()),
            textures: HashMap::new(),
            slots: HashMap::new(),
            draws: 0,
            made: 0,
        }
    }

    /// Brings everything that `draw` needs onto the card: nothing but its numbers where it was drawn before.
    pub fn prepare(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, draw: &Draw) {
        self.draws += 1;
        let keys = [&draw.form, &draw.picture].map(|source| self.upload(device, queue, source));
        let now = self.draws;
        let slot = self.slots.entry(draw.slot).or_insert_with(|| Slot {
            buffer: device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("numbers of a picture"),
                size: UNIFORMS as u64,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            }),
            bound: None,
            used: now,
        });
        slot.used = now;
        queue.write_buffer(&slot.buffer, 0, &draw.uniforms);
        let [Some(form), Some(picture)] = keys.map(|key| self.textures.get(&key)) else {
            return;
        };
        let serials = [form.serial, picture.serial];
        if slot.bound.as_ref().is_none_or(|(_, bound)| *bound != serials) {
            let view =
                |binding, view| wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::TextureView(view) };
            let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("a picture"),
                layout: &self.layout,
                entries: &[
                    wgpu::BindGroupEntry { binding: 0, resource: slot.buffer.as_entire_binding() },
                    view(1, &form.view),
                    view(2, &picture.view),
                    view(3, &self.maps),
                ],
            });
            slot.bound = Some((group, serials));
        }
        self.forget();
    }

    pub fn paint(&self, pass: &mut wgpu::RenderPass<'static>, slot: u64, piece: Piece, instances: u32) {
        let bound = self.slots.get(&slot).and_then(|slot| slot.bound.as_ref());
        if let (Some((group, _)), Some(pipeline)) = (bound, self.pipelines.get(piece as usize)) {
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, group, &[]);
            pass.draw(0..4, 0..instances);
        }
    }

    fn upload(&mut self, device: &wgpu::Device, queue: &wgpu::Queue, source: &Source) -> Key {
        let key = source.key();
        let draws = self.draws;
        let kept = self.textures.entry(key).or_insert_with(|| {
            self.made += 1;
            let texture = texture_of(device, queue, source.size(), source.format(), &source.bytes());
            let pages = match source {
                Source::Thumbnails(..) => vec![false; source.size()[1].div_ceil(PAGE) as usize],
                _ => Vec::new(),
            };
            let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
            Kept { _alive: source.clone(), serial: self.made, texture, view, pages, used: draws }
        });
        kept.used = draws;
        if let Source::Thumbnails(thumbnails, needed) = source {
            upload_pages(queue, kept, thumbnails, needed);
        }
        key
    }

    /// Drops what was not used for long. Of the large thumbnail textures only the newest stays.
    fn forget(&mut self) {
        let newest = self.textures.iter().filter(|(key, _)| key.0 == 4).map(|(_, kept)| kept.used).max();
        self.textures.retain(|key, kept| key.0 != 4 || Some(kept.used) == newest);
        // Whole frames stay together: a frame draws far fewer pieces than are kept.
        let oldest = self.draws.saturating_sub(4 * KEPT as u64);
        if self.textures.len() > KEPT {
            self.textures.retain(|_, kept| kept.used > oldest);
        }
        if self.slots.len() > KEPT {
            self.slots.retain(|_, slot| slot.used > oldest);
        }
    }
}

/// Uploads the pages that hold these thumbnails and are not there yet.
fn upload_pages(queue: &wgpu::Queue, kept: &mut Kept, thumbnails: &Thumbnails, needed: &Range<usize>) {
    let pixels = thumbnails.width * thumbnails.height;
    let in_page = (LINE * PAGE) as usize;
    let pages = needed.start * pixels / in_page..(needed.end * pixels).div_ceil(in_page);
    let Kept { texture, pages: uploaded, .. } = kept;
    for (page, done) in uploaded.iter_mut().enumerate().take(pages.end).skip(pages.start) {
        if std::mem::replace(done, true) {
            continue;
        }
        let start = page * in_page * 4;
        let bytes = &thumbnails.rgba[start..thumbnails.rgba.len().min(start + in_page * 4)];
        let line = LINE as usize * 4;
        // Whole lines at once; the last thumbnail may end within a line.
        let (whole, rest) = bytes.split_at(bytes.len() / line * line);
        let mut y = page as u32 * PAGE;
        for (part, width, lines) in [(whole, LINE, (whole.len() / line) as u32), (rest, rest.len() as u32 / 4, 1)] {
            if !part.is_empty() {
                write(queue, texture, part, [0, y], [width, lines], 4);
                y += lines;
            }
        }
    }
}

fn write(queue: &wgpu::Queue, texture: &wgpu::Texture, bytes: &[u8], at: [u32; 2], size: [u32; 2], texel: u32) {
    queue.write_texture(
        wgpu::TexelCopyTextureInfo {
            texture,
            mip_level: 0,
            origin: wgpu::Origin3d { x: at[0], y: at[1], z: 0 },
            aspect: wgpu::TextureAspect::All,
        },
        bytes,
        wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(size[0] * texel), rows_per_image: None },
        wgpu::Extent3d { width: size[0], height: size[1], depth_or_array_layers: 1 },
    );
}

/// A texture with these bytes, or an empty one where there are none yet.
fn texture_of(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    size: [u32; 2],
    format: wgpu::TextureFormat,
    bytes: &[u8],
) -> wgpu::Texture {
    let texture = device.create_texture(&wgpu::TextureDescriptor {
        label: Some("picture"),
        size: wgpu::Extent3d { width: size[0].max(1), height: size[1].max(1), depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    let texel = format.block_copy_size(None).unwrap_or(4);
    if bytes.len() == (size[0] * size[1] * texel) as usize {
        write(queue, &texture, bytes, [0, 0], size, texel);
    }
    texture
}

/// The colour maps as pairs of lines, amounts and signed values, one pair for each way of seeing colours.
fn map_bytes() -> Vec<u8> {
    let maps = [ColourMap::Amount { low: 0.0, high: 1.0 }, ColourMap::Signed { most: 1.0 }];
    let lines = Vision::ALL.iter().flat_map(|vision| maps.iter().map(move |map| (vision, map)));
    lines.flat_map(|(vision, map)| (0..STEPS).flat_map(|step| vision.of_rgb(map.rgb(step)))).collect()
}

fn pipeline(
    device: &wgpu::Device,
    layout: &wgpu::BindGroupLayout,
    target: wgpu::TextureFormat,
    name: &str,
    source: &'static str,
) -> wgpu::RenderPipeline {
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(name),
        source: wgpu::ShaderSource::Wgsl(source.into()),
    });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(name),
        bind_group_layouts: &[Some(layout)],
        immediate_size: 0,
    });
    device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some(name),
        layout: Some(&layout),
        vertex: wgpu::VertexState {
            module: &module,
            entry_point: Some("vs_main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            buffers: &[],
        },
        primitive: wgpu::PrimitiveState {
            topology: wgpu::PrimitiveTopology::TriangleStrip,
            ..wgpu::PrimitiveState::default()
        },
        depth_stencil: None,
        multisample: wgpu::MultisampleState::default(),
        fragment: Some(wgpu::FragmentState {
            module: &module,
            entry_point: Some("fs_main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            targets: &[Some(wgpu::ColorTargetState {
                format: target,
                blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
                write_mask: wgpu::ColorWrites::ALL,
            })],
        }),
        multiview_mask: None,
        cache: None,
    })
}
