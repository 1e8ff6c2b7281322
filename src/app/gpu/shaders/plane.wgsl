// One picture: clean, stamped or what changed, at any zoom, every pixel a square.

const MODE_CLEAN = 0u;
const MODE_POISONED = 1u;
const MODE_RESIDUAL = 2u;
const MODE_WIPE = 3u;
const MODE_HEAT = 4u;

struct Plane {
    trigger: Trigger,
    // The part of the picture that fills the viewport, in pixels of the picture.
    origin: vec2<f32>,
    span: vec2<f32>,
    size: vec2<f32>,
    // A crop with black border: pixel (x, y) shows (x, y) + shift of the picture, mirrored first if flip is set.
    shift: vec2<f32>,
    flip: u32,
    mode: u32,
    amplification: f32,
    // Left of this share of the width the picture is clean, right of it stamped.
    wipe: f32,
    linear_target: u32,
    // Whose eyes look, see `seen`.
    vision: u32,
    unused_b: u32,
    unused_c: u32,
}

@group(0) @binding(0) var<uniform> plane: Plane;
@group(0) @binding(2) var picture: texture_2d<f32>;
// Row 0 is the map for amounts.
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

// There is one picture.
fn source(at: vec2<i32>, which: u32) -> vec3<f32> {
    return round(textureLoad(picture, at, 0).rgb * 255.0);
}

fn extent() -> vec2<i32> {
    return vec2<i32>(plane.size);
}

@fragment
fn fs_main(in: Varying) -> @location(0) vec4<f32> {
    let place = plane.origin + in.uv * plane.span;
    if any(place < vec2(0.0)) || any(place >= plane.size) {
        return vec4(0.0);
    }
    var at = vec2<i32>(floor(place));
    if plane.flip != 0u {
        at.x = i32(plane.size.x) - 1 - at.x;
    }
    at += vec2<i32>(plane.shift);
    let inside = all(at >= vec2(0)) && all(at < vec2<i32>(plane.size));
    var clean = vec3(0.0);
    var poisoned = vec3(0.0);
    if inside {
        clean = source(at, 0u);
        poisoned = stamp(at, 0u, plane.trigger);
    }
    var bytes = clean;
    switch plane.mode {
        case MODE_POISONED: {
            bytes = poisoned;
        }
        case MODE_RESIDUAL: {
            bytes = to_u8(128.0 + plane.amplification * (poisoned - clean));
        }
        case MODE_WIPE: {
            bytes = select(poisoned, clean, place.x < plane.wipe * plane.size.x);
        }
        case MODE_HEAT: {
            let change = abs(poisoned - clean);
            let amount = clamp(max(change.r, max(change.g, change.b)) * plane.amplification / 255.0, 0.0, 1.0);
            let heat = textureLoad(maps, vec2(i32(round(amount * 255.0)), 0), 0).rgb * 255.0;
            let grey = vec3(dot(clean, vec3(0.299, 0.587, 0.114)));
            bytes = to_u8(mix(grey, heat, 0.25 + 0.65 * amount));
        }
        default: {}
    }
    return shown(seen(bytes, plane.vision), plane.linear_target);
}
