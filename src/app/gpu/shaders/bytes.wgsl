// What all shaders share: values are on the 0 to 255 scale, as in the engine.

// Round to nearest (ties to even), then saturate.
fn to_u8(x: vec3<f32>) -> vec3<f32> {
    return clamp(round(x), vec3(0.0), vec3(255.0));
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
