// A matrix as coloured cells.

struct Heat {
    size: vec2<f32>,
    // The part that fills the viewport, in cells.
    origin: vec2<f32>,
    span: vec2<f32>,
    // The values at the two ends of the scale.
    low: f32,
    high: f32,
    // Row of the colour map.
    map: i32,
    linear_target: u32,
    unused: vec2<u32>,
}

@group(0) @binding(0) var<uniform> heat: Heat;
@group(0) @binding(2) var values: texture_2d<f32>;
@group(0) @binding(3) var maps: texture_2d<f32>;

struct Varying {
    @builtin(position) position: vec4<f32>,
    @location(0) uv: vec2<f32>,
}

@vertex
fn vs_main(@builtin(vertex_index) index: u32) -> Varying {
    let uv = vec2(f32(index & 1u), f32(index >> 1u));
    return Varying(vec4(uv.x * 2.0 - 1.0, 1.0 - uv.y * 2.0, 0.0, 1.0), uv);
}

@fragment
fn fs_main(in: Varying) -> @location(0) vec4<f32> {
    let at = vec2<i32>(clamp(floor(heat.origin + in.uv * heat.span), vec2(0.0), heat.size - 1.0));
    let value = textureLoad(values, at, 0).r;
    var share = 0.5;
    if heat.high > heat.low {
        share = clamp((value - heat.low) / (heat.high - heat.low), 0.0, 1.0);
    }
    let colour = textureLoad(maps, vec2(i32(round(share * 255.0)), heat.map), 0).rgb * 255.0;
    return shown(round(colour), heat.linear_target);
}
