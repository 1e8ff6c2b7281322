// Many small pictures in one draw call: one instance each, stamped while they are drawn.

struct Grid {
    trigger: Trigger,
    // In pixels of the screen: the viewport, the corner of the first cell within it, and one picture.
    viewport: vec2<f32>,
    corner: vec2<f32>,
    cell: vec2<f32>,
    // From one cell to the next.
    pitch: vec2<f32>,
    // Pixels of one thumbnail.
    thumb: vec2<u32>,
    first: u32,
    columns: u32,
    texture_width: u32,
    linear_target: u32,
    // Whose eyes look, see `seen`.
    vision: u32,
    unused_b: u32,
}

@group(0) @binding(0) var<uniform> grid: Grid;
// All pixels of all thumbnails one after the other, cut into lines of texture_width.
@group(0) @binding(2) var pixels: texture_2d<f32>;

struct Varying {
    @builtin(position) position: vec4<f32>,
    @location(0) uv: vec2<f32>,
    @location(1) @interpolate(flat) thumb: u32,
}

@vertex
fn vs_main(@builtin(vertex_index) index: u32, @builtin(instance_index) instance: u32) -> Varying {
    let uv = vec2(f32(index & 1u), f32(index >> 1u));
    let cell = vec2(f32(instance % grid.columns), f32(instance / grid.columns));
    let at = (grid.corner + cell * grid.pitch + uv * grid.cell) / grid.viewport;
    return Varying(vec4(at.x * 2.0 - 1.0, 1.0 - at.y * 2.0, 0.0, 1.0), uv, grid.first + instance);
}

fn source(at: vec2<i32>, which: u32) -> vec3<f32> {
    let place = vec2<u32>(at);
    let index = (which * grid.thumb.y + place.y) * grid.thumb.x + place.x;
    let texel = textureLoad(pixels, vec2(index % grid.texture_width, index / grid.texture_width), 0);
    return round(texel.rgb * 255.0);
}

fn extent() -> vec2<i32> {
    return vec2<i32>(grid.thumb);
}

@fragment
fn fs_main(in: Varying) -> @location(0) vec4<f32> {
    let size = vec2<f32>(grid.thumb);
    let at = vec2<i32>(clamp(floor(in.uv * size), vec2(0.0), size - 1.0));
    let bytes = stamp(at, in.thumb, grid.trigger);
    return shown(seen(bytes, grid.vision), grid.linear_target);
}
