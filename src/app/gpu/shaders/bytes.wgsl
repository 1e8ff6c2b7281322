// What all shaders share: values are on the 0 to 255 scale, as in the engine.

// Round to nearest (ties to even), then saturate.
fn to_u8(x: vec3<f32>) -> vec3<f32> {
    return clamp(round(x), vec3(0.0), vec3(255.0));
}

// Light of colours from 0 to 1 as they are written (sRGB).
fn light_of(c: vec3<f32>) -> vec3<f32> {
    return select(pow((c + 0.055) / 1.055, vec3(2.4)), c / 12.92, c <= vec3(0.04045));
}

// A colour as eyes see it that lack something, in the order and with the matrices of `Vision` (theme/vision.rs); 0 are usual
// eyes. A test holds the two against each other.
fn seen(bytes: vec3<f32>, vision: u32) -> vec3<f32> {
    let light = light_of(bytes / 255.0);
    var red = vec3(0.2126, 0.7152, 0.0722);
    var green = red;
    var blue = red;
    switch vision {
        case 0u: {
            return bytes;
        }
        case 1u: {
            red = vec3(0.152286, 1.052583, -0.204868);
            green = vec3(0.114503, 0.786281, 0.099216);
            blue = vec3(-0.003882, -0.048116, 1.051998);
        }
        case 2u: {
            red = vec3(0.367322, 0.860646, -0.227968);
            green = vec3(0.280085, 0.672501, 0.047413);
            blue = vec3(-0.011820, 0.042940, 0.968881);
        }
        case 3u: {
            red = vec3(1.255528, -0.076749, -0.178779);
            green = vec3(-0.078411, 0.930809, 0.147602);
            blue = vec3(0.004733, 0.691367, 0.303900);
        }
        default: {}
    }
    let mixed = clamp(vec3(dot(red, light), dot(green, light), dot(blue, light)), vec3(0.0), vec3(1.0));
    let high = 1.055 * pow(mixed, vec3(1.0 / 2.4)) - 0.055;
    return to_u8(select(high, mixed * 12.92, mixed <= vec3(0.0031308)) * 255.0);
}

// Egui draws in gamma space; a target that encodes by itself wants linear light.
fn shown(bytes: vec3<f32>, linear_target: u32) -> vec4<f32> {
    let c = bytes / 255.0;
    if linear_target == 0u {
        return vec4(c, 1.0);
    }
    return vec4(light_of(c), 1.0);
}
