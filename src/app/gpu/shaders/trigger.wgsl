// What all shaders that stamp pictures share. Values are on the 0 to 255 scale, as in the engine.

const FORM_NONE = 0u;
const FORM_MIX = 1u;
const FORM_WAVE = 2u;
const FORM_PICTURE = 3u;

const WAVE_SINE = 0u;
const WAVE_RAMP = 1u;

const PHASE_SLACK = 1e-4;
const TAU = 6.283185307179586;

struct Trigger {
    kind: u32,
    wave: u32,
    strength: f32,
    amplitude: f32,
    // Periods per pixel along the columns and along the rows.
    cycles: vec2<f32>,
    unused: vec2<f32>,
}

// Mix: picture in red, green, blue and the mask in alpha, 0 to 255 and 0 to 1. Picture: the stamped picture itself, 0 to 1.
@group(0) @binding(1) var form: texture_2d<f32>;

// Round to nearest (ties to even), then saturate.
fn to_u8(x: vec3<f32>) -> vec3<f32> {
    return clamp(round(x), vec3(0.0), vec3(255.0));
}

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

// The pixel x at this place of its picture with the trigger on it.
fn stamp(x: vec3<f32>, at: vec2<i32>, t: Trigger) -> vec3<f32> {
    if t.kind == FORM_MIX {
        let texel = textureLoad(form, at, 0);
        let m = clamp(texel.a * t.strength, 0.0, 1.0);
        return to_u8(x * (1.0 - m) + texel.rgb * m);
    }
    if t.kind == FORM_WAVE {
        let phase = f32(at.x) * t.cycles.x + f32(at.y) * t.cycles.y;
        return to_u8(x + t.amplitude * t.strength * wave(t.wave, phase));
    }
    if t.kind == FORM_PICTURE {
        let stamped = textureLoad(form, at, 0).rgb * 255.0;
        return to_u8(x + (stamped - x) * t.strength);
    }
    return x;
}

// Egui draws in gamma space; a target that encodes by itself wants linear light.
fn shown(bytes: vec3<f32>, linear_target: u32) -> vec4<f32> {
    let c = bytes / 255.0;
    if linear_target == 0u {
        return vec4(c, 1.0);
    }
    let low = c / 12.92;
    let high = pow((c + 0.055) / 1.055, vec3(2.4));
    return vec4(select(high, low, c <= vec3(0.04045)), 1.0);
}
