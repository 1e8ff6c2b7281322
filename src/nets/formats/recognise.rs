//! Which network some weights were made for, told from names and shapes alone.

use crate::nets::Params;
use serde_json::{Value, json};

/// A network that fits the weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Recognised {
    /// Id of the zoo, or the well-known name of a network that the zoo does not have.
    pub id: String,
    /// Options with which the zoo builds it.
    pub options: Value,
    pub classes: i64,
    /// The name in print.
    pub name: String,
    /// Whether the zoo can build it.
    pub in_zoo: bool,
}

/// The network that `params` belong to; `None` when they are of no known kind.
pub fn recognise(params: &Params) -> Option<Recognised> {
    let shapes = Shapes(params);
    preact_resnet18(&shapes)
        .or_else(|| wide_resnet(&shapes))
        .or_else(|| small_resnet(&shapes))
        .or_else(|| elsewhere(&shapes))
}

/// Questions about names and shapes.
struct Shapes<'a>(&'a Params);

impl Shapes<'_> {
    fn of(&self, name: &str) -> Option<Vec<i64>> {
        self.0.find(name).map(tch::Tensor::size)
    }

    fn is(&self, name: &str, shape: &[i64]) -> bool {
        self.of(name).is_some_and(|own| own == shape)
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Output width of a layer.
    fn out(&self, name: &str) -> Option<i64> {
        self.of(name)?.first().copied()
    }

    /// Number of classes, when the last layer has as many inputs as expected.
    fn classes(&self, name: &str, inputs: i64) -> Option<i64> {
        match self.of(name)?.as_slice() {
            [classes, own] if *own == inputs => Some(*classes),
            _ => None,
        }
    }

    /// A pre-activation block: two normalisations, two 3 x 3 convolutions, and a 1 x 1 shortcut (or none: `None`).
    fn preact_block(&self, block: &str, shortcut: Option<&str>, input: i64, output: i64) -> bool {
        self.is(&format!("{block}.bn1.weight"), &[input])
            && self.is(&format!("{block}.conv1.weight"), &[output, input, 3, 3])
            && self.is(&format!("{block}.bn2.weight"), &[output])
            && self.is(&format!("{block}.conv2.weight"), &[output, output, 3, 3])
            && match shortcut {
                Some(name) => self.is(&format!("{block}.{name}.weight"), &[output, input, 1, 1]),
                None => {
                    let has = |name: &str| self.has(&format!("{block}.{name}.weight"));
                    input == output && !has("shortcut.0") && !has("convShortcut")
                }
            }
    }
}

fn preact_resnet18(shapes: &Shapes) -> Option<Recognised> {
    let width = shapes.out("conv1.weight")?;
    if !shapes.is("conv1.weight", &[width, 3, 3, 3]) || shapes.has("bn1.weight") || shapes.has("bn.weight") {
        return None;
    }
    let mut input = width;
    for layer in 1..=4 {
        let output = width.checked_mul(1 << (layer - 1))?;
        let shortcut = (input != output).then_some("shortcut.0");
        let first = shapes.preact_block(&format!("layer{layer}.0"), shortcut, input, output);
        let second = shapes.preact_block(&format!("layer{layer}.1"), None, output, output);
        if !first || !second || shapes.has(&format!("layer{layer}.2.conv1.weight")) {
            return None;
        }
        input = output;
    }
    let classes = shapes.classes("linear.weight", input)?;
    let name = if width == 64 { "PreAct-ResNet18".to_owned() } else { format!("PreAct-ResNet18, width {width}") };
    Some(Recognised { id: "preact-resnet18".into(), options: json!({ "width": width }), classes, name, in_zoo: true })
}

fn wide_resnet(shapes: &Shapes) -> Option<Recognised> {
    let stem = 16;
    if !shapes.is("conv1.weight", &[stem, 3, 3, 3]) {
        return None;
    }
    let widen = shapes.out("block1.layer.0.conv1.weight")? / stem;
    let blocks = (0..).take_while(|n| shapes.has(&format!("block1.layer.{n}.conv1.weight"))).count() as i64;
    let mut input = stem;
    for group in 1..=3 {
        let output = (stem * widen) << (group - 1);
        for n in 0..blocks {
            let shortcut = (input != output).then_some("convShortcut");
            if !shapes.preact_block(&format!("block{group}.layer.{n}"), shortcut, input, output) {
                return None;
            }
            input = output;
        }
        if shapes.has(&format!("block{group}.layer.{blocks}.conv1.weight")) {
            return None;
        }
    }
    if !shapes.is("bn1.weight", &[input]) {
        return None;
    }
    let classes = shapes.classes("fc.weight", input)?;
    let depth = 6 * blocks + 4;
    let options = json!({ "depth": depth, "widen": widen });
    Some(Recognised { id: "wide-resnet".into(), options, classes, name: format!("WRN-{depth}-{widen}"), in_zoo: true })
}

fn small_resnet(shapes: &Shapes) -> Option<Recognised> {
    let width = shapes.out("conv1.weight")?;
    if !shapes.is("conv1.weight", &[width, 3, 3, 3]) || shapes.has("layer4.0.conv1.weight") {
        return None;
    }
    let mut input = width;
    for layer in 1..=3 {
        let output = width.checked_mul(1 << (layer - 1))?;
        // Every stage halves the picture, so its first block has a shortcut even where widths agree.
        if !shapes.preact_block(&format!("layer{layer}.0"), Some("shortcut.0"), input, output) {
            return None;
        }
        input = output;
    }
    if !shapes.preact_block("layer3.1", None, input, input) || shapes.has("layer3.2.conv1.weight") {
        return None;
    }
    if !shapes.is("bn.weight", &[input]) {
        return None;
    }
    let classes = shapes.classes("linear.weight", input)?;
    let name = format!("Small ResNet, width {width}");
    Some(Recognised { id: "small-resnet".into(), options: json!({ "width": width }), classes, name, in_zoo: true })
}

/// A well-known network: tensors that only it has in these shapes, one that a larger sibling would have, its last layer.
struct Known {
    id: &'static str,
    name: &'static str,
    marks: &'static [(&'static str, &'static [i64])],
    absent: &'static str,
    head: (&'static str, i64),
}

const KNOWN: [Known; 8] = [
    Known {
        id: "vgg19_bn",
        name: "VGG-19 with batch normalisation",
        marks: &[
            ("features.0.weight", &[64, 3, 3, 3]),
            ("features.49.weight", &[512, 512, 3, 3]),
            ("features.50.running_mean", &[512]),
        ],
        absent: "features.53.weight",
        head: ("classifier.6.weight", 4096),
    },
    Known {
        id: "resnet18",
        name: "ResNet-18",
        marks: &[
            ("conv1.weight", &[64, 3, 7, 7]),
            ("layer1.1.conv2.weight", &[64, 64, 3, 3]),
            ("layer4.1.conv2.weight", &[512, 512, 3, 3]),
        ],
        absent: "layer1.2.conv1.weight",
        head: ("fc.weight", 512),
    },
    Known {
        id: "densenet161",
        name: "DenseNet-161",
        marks: &[
            ("features.conv0.weight", &[96, 3, 7, 7]),
            ("features.denseblock3.denselayer36.conv2.weight", &[48, 192, 3, 3]),
        ],
        absent: "features.denseblock3.denselayer37.conv2.weight",
        head: ("classifier.weight", 2208),
    },
    Known {
        id: "mobilenet_v3_large",
        name: "MobileNetV3-Large",
        marks: &[("features.0.0.weight", &[16, 3, 3, 3]), ("features.16.0.weight", &[960, 160, 1, 1])],
        absent: "features.17.0.weight",
        head: ("classifier.3.weight", 1280),
    },
    Known {
        id: "efficientnet_b3",
        name: "EfficientNet-B3",
        marks: &[("features.0.0.weight", &[40, 3, 3, 3]), ("features.8.0.weight", &[1536, 384, 1, 1])],
        absent: "features.9.0.weight",
        head: ("classifier.1.weight", 1536),
    },
    Known {
        id: "convnext_tiny",
        name: "ConvNeXt-Tiny",
        marks: &[
            ("features.0.0.weight", &[96, 3, 4, 4]),
            ("features.5.8.layer_scale", &[384, 1, 1]),
            ("features.7.2.layer_scale", &[768, 1, 1]),
        ],
        absent: "features.5.9.layer_scale",
        head: ("classifier.2.weight", 768),
    },
    Known {
        id: "vit_b_16",
        name: "ViT-B/16",
        marks: &[
            ("class_token", &[1, 1, 768]),
            ("conv_proj.weight", &[768, 3, 16, 16]),
            ("encoder.layers.encoder_layer_11.ln_1.weight", &[768]),
        ],
        absent: "encoder.layers.encoder_layer_12.ln_1.weight",
        head: ("heads.head.weight", 768),
    },
    Known {
        id: "small-vgg",
        name: "small VGG of I-BAU",
        marks: &[("features.0.weight", &[64, 3, 3, 3])],
        absent: "features.27.weight",
        head: ("classifier.weight", 2048),
    },
];

fn elsewhere(shapes: &Shapes) -> Option<Recognised> {
    // BackdoorBench's ViT is the second part of a sequence that begins with resizing.
    ["", "1."].iter().find_map(|prefix| {
        KNOWN.iter().find_map(|known| {
            let named = |name: &str| format!("{prefix}{name}");
            let fits = known.marks.iter().all(|(name, shape)| shapes.is(&named(name), shape));
            if !fits || shapes.has(&named(known.absent)) {
                return None;
            }
            let classes = shapes.classes(&named(known.head.0), known.head.1)?;
            Some(Recognised {
                id: known.id.into(),
                options: json!({}),
                classes,
                name: known.name.into(),
                in_zoo: false,
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::{InputSpec, zoo};
    use tch::{Device, Kind, Tensor};

    fn zoo_params(id: &str, options: &Value) -> Params {
        let input = InputSpec { height: 32, width: 32, mean: [0.0; 3], std: [1.0; 3], classes: 43 };
        zoo::build(id, options, input).unwrap().initial(1).unwrap()
    }

    fn zeros(shape: &[i64]) -> Tensor {
        Tensor::zeros(shape, (Kind::Float, Device::Cpu))
    }

    #[test]
    fn everything_that_the_zoo_builds_is_recognised() {
        let mut met = Vec::new();
        for (id, options, name) in [
            ("preact-resnet18", json!({ "width": 8 }), "PreAct-ResNet18, width 8"),
            ("wide-resnet", json!({ "depth": 16, "widen": 1 }), "WRN-16-1"),
            ("wide-resnet", json!({ "depth": 22, "widen": 2 }), "WRN-22-2"),
            ("small-resnet", json!({ "width": 4 }), "Small ResNet, width 4"),
        ] {
            let found = recognise(&zoo_params(id, &options)).unwrap();
            assert_eq!((found.id.as_str(), found.classes, found.in_zoo), (id, 43, true));
            assert_eq!((found.options, found.name.as_str()), (options, name));
            met.push(id);
        }
        for entry in zoo::ALL {
            assert!(met.contains(&entry.method.id), "{} is not recognised", entry.method.id);
        }
    }

    #[test]
    fn nearly_is_not_enough() {
        for (name, shape) in [
            ("layer3.1.conv2.weight", vec![32, 32, 1, 1]),
            ("linear.weight", vec![10, 63]),
            ("layer2.0.shortcut.0.weight", vec![16, 8, 3, 3]),
            ("layer1.0.shortcut.0.weight", vec![8, 8, 1, 1]),
            ("layer1.2.conv1.weight", vec![8, 8, 3, 3]),
        ] {
            let mut changed = zoo_params("preact-resnet18", &json!({ "width": 8 }));
            changed.insert(name, zeros(&shape));
            assert_eq!(recognise(&changed), None, "{name}");
        }
        assert_eq!(recognise(&Params::new()), None);
    }

    #[test]
    fn known_networks_that_the_zoo_lacks_are_named() {
        for known in &KNOWN {
            for prefix in ["", "1."] {
                let mut params: Params =
                    known.marks.iter().map(|(name, shape)| (format!("{prefix}{name}"), zeros(shape))).collect();
                params.insert(format!("{prefix}{}", known.head.0), zeros(&[7, known.head.1]));
                let found = recognise(&params).unwrap();
                assert_eq!((found.id.as_str(), found.classes, found.in_zoo), (known.id, 7, false));
            }
        }
    }
}
