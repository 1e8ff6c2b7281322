// Stamps pictures. Values are on the 0 to 255 scale, as in the engine.
//
// The shader that takes this in says where clean pixels come from: `source` is the pixel at a place of picture `which`, and
// `extent` is the size of a picture.

const FORM_NONE = 0u;
const FORM_MIX = 1u;
const FORM_WAVE = 2u;
const FORM_PICTURE = 3u;
const FORM_ADD = 4u;
const FORM_CHROMA = 5u;
const FORM_LEVELS = 6u;
const FORM_WARP = 7u;

const WAVE_SINE = 0u;
const WAVE_RAMP = 1u;

const PHASE_SLACK = 1e-4;
const TAU = 6.283185307179586;

struct Trigger {
    kind: u32,
    wave: u32,
    strength: f32,
    // Of a wave; or how many levels are left.
    amplitude: f32,
    // Periods per pixel along the columns and along the rows.
    cycles: vec2<f32>,
    // Pixel i stands for pixel i * stride + stride / 2 of the whole picture.
    stride: u32,
    unused: u32,
}

// Mix: picture in red, green, blue and the mask in alpha, 0 to 255 and 0 to 1. Add: the residual in red, green, blue.
// Chroma: the residual of Cr and Cb in red and green. Warp: where to look, in pixels, in red and green.
// Picture: the stamped picture itself, 0 to 1.
@group(0) @binding(1) var form: texture_2d<f32>;

fn wave(kind: u32, unwrapped: f32) -> f32 {
    let phase = unwrapped - floor(unwrapped + PHASE_SLACK);
    if kind == WAVE_SINE {
        return sin(TAU * phase);
    }
    if kind == WAVE_RAMP {
        return phase;
    }
    return 4.0 * abs(fract(phase + 0.75) - 0.5) - 1.0;
}

// 8-bit Y, Cr, Cb, full range BT.601. The weighted sum is whole; half a unit more keeps the quotient off whole numbers.
fn to_ycrcb(x: vec3<f32>) -> vec3<f32> {
    let y = floor((dot(x, vec3(299.0, 587.0, 114.0)) + 500.5) / 1000.0);
    return to_u8(vec3(y, 0.713 * (x.r - y) + 128.0, 0.564 * (x.b - y) + 128.0));
}

fn from_ycrcb(c: vec3<f32>) -> vec3<f32> {
    let chroma = c.yz - 128.0;
    return c.x + vec3(1.403 * chroma.x, -0.714 * chroma.x - 0.344 * chroma.y, 1.773 * chroma.y);
}

// The clean picture between its pixels; beyond the edge the edge goes on.
fn between(place: vec2<f32>, which: u32) -> vec3<f32> {
    let last = extent() - 1;
    let inside = clamp(place, vec2(0.0), vec2<f32>(last));
    let low = vec2<i32>(floor(inside));
    let high = min(low + 1, last);
    let share = inside - floor(inside);
    let top = mix(source(low, which), source(vec2(high.x, low.y), which), share.x);
    let bottom = mix(source(vec2(low.x, high.y), which), source(high, which), share.x);
    return mix(top, bottom, share.y);
}

// The pixel at this place of picture `which` with the trigger on it.
fn stamp(at: vec2<i32>, which: u32, t: Trigger) -> vec3<f32> {
    let x = source(at, which);
    if t.strength == 0.0 {
        return x;
    }
    // Where the pixel stands in the whole picture.
    let place = at * i32(t.stride) + i32(t.stride / 2u);
    switch t.kind {
        case FORM_MIX: {
            let texel = textureLoad(form, place, 0);
            let m = clamp(texel.a * t.strength, 0.0, 1.0);
            return to_u8(x * (1.0 - m) + texel.rgb * m);
        }
        case FORM_WAVE: {
            let phase = f32(place.x) * t.cycles.x + f32(place.y) * t.cycles.y;
            return to_u8(x + t.amplitude * t.strength * wave(t.wave, phase));
        }
        case FORM_PICTURE: {
            let stamped = textureLoad(form, place, 0).rgb * 255.0;
            return to_u8(x + (stamped - x) * t.strength);
        }
        case FORM_ADD: {
            return to_u8(x + textureLoad(form, place, 0).rgb * t.strength);
        }
        case FORM_CHROMA: {
            let change = vec3(0.0, textureLoad(form, place, 0).rg) * t.strength;
            return to_u8(from_ycrcb(to_u8(to_ycrcb(x) + change)));
        }
        case FORM_LEVELS: {
            let most = t.amplitude - 1.0;
            return to_u8(x + (round(x * most / 255.0) / most * 255.0 - x) * t.strength);
        }
        case FORM_WARP: {
            let shift = textureLoad(form, place, 0).rg * (t.strength / f32(t.stride));
            return to_u8(between(vec2<f32>(at) + shift, which));
        }
        default: {
            return x;
        }
    }
}

