//! A small pre-activation residual network for first runs: four blocks, trains on 10,000 grey pictures in seconds an epoch.

use super::{Definition, Zoo};
use crate::experiment::method::{Kind, Method, defaults_of, schema_of};
use crate::experiment::{Problem, Result};
use crate::nets::layers::{Initialiser, bn_relu, conv, pool_linear};
use crate::nets::{Architecture, InputSpec, Network, Params, Pass, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::Tensor;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Channels of the stem; the stages have 1, 2 and 4 times as many.
    #[schemars(range(min = 4, max = 256))]
    pub width: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self { width: 16 }
    }
}

impl Definition for Options {
    fn check(&self) -> Result<()> {
        if self.width < 1 {
            return Err(Problem::bad_input("The width of a network must be at least 1."));
        }
        Ok(())
    }
}

pub static ZOO: Zoo = Zoo {
    method: Method {
        id: "small-resnet",
        kind: Kind::Network,
        name: "Small ResNet",
        one_line: "Four residual blocks for first runs on a processor.",
        page: "A stem convolution and four pre-activation residual blocks; each stage halves the picture and doubles \
               the channels. The last block has an identity shortcut, as in the large networks, so that a polarizer \
               sits in the same kind of place.",
        paper: "after He, Zhang, Ren, Sun: Identity Mappings in Deep Residual Networks. ECCV 2016",
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    build: |options, input| Ok(Box::new(SmallResNet::new(super::parse(options)?, input))),
};

#[derive(Debug)]
pub struct SmallResNet {
    architecture: Architecture,
    blocks: Vec<(&'static str, i64, i64, i64)>,
    sites: Vec<Site>,
    width: i64,
}

impl SmallResNet {
    pub fn new(options: Options, input: InputSpec) -> Self {
        let w = options.width;
        // Name, channels in and out, stride.
        let blocks = vec![
            ("layer1.0", w, w, 2),
            ("layer2.0", w, 2 * w, 2),
            ("layer3.0", 2 * w, 4 * w, 2),
            ("layer3.1", 4 * w, 4 * w, 1),
        ];
        let mut sites = super::conv_sites("conv1", 3, w);
        for &(name, inputs, outputs, stride) in &blocks {
            sites.extend(super::conv_sites(&format!("{name}.conv1"), inputs, outputs));
            sites.extend(super::conv_sites(&format!("{name}.conv2"), outputs, outputs));
            if stride != 1 {
                sites.extend(super::conv_sites(&format!("{name}.shortcut.0"), inputs, outputs));
            }
            sites.push(Site { name: format!("{name}.out"), channels: outputs });
        }
        sites.push(Site { name: "linear.in".into(), channels: 4 * w });
        Self { architecture: super::architecture(&ZOO, &options, input), blocks, sites, width: w }
    }
}

impl Network for SmallResNet {
    fn forward(&self, p: &Params, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let mut x = conv(p, "conv1", x.shallow_clone(), 1, 1, pass)?;
        for &(name, _, _, stride) in &self.blocks {
            let o = bn_relu(p, &format!("{name}.bn1"), &x, pass)?;
            let skip = if stride == 1 {
                x
            } else {
                conv(p, &format!("{name}.shortcut.0"), o.shallow_clone(), stride, 0, pass)?
            };
            let o = conv(p, &format!("{name}.conv1"), o, stride, 1, pass)?;
            let o = bn_relu(p, &format!("{name}.bn2"), &o, pass)?;
            let o = conv(p, &format!("{name}.conv2"), o, 1, 1, pass)?;
            x = pass.site(&format!("{name}.out"), o + skip)?;
        }
        let x = bn_relu(p, "bn", &x, pass)?;
        pool_linear(p, "linear", &x, pass)
    }

    fn sites(&self) -> &[Site] {
        &self.sites
    }

    fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    fn initial(&self, seed: u64) -> Result<Params> {
        let mut init = Initialiser::new(seed);
        init.conv("conv1", 3, self.width, 3);
        for &(name, inputs, outputs, stride) in &self.blocks {
            init.batch_norm(&format!("{name}.bn1"), inputs);
            init.conv(&format!("{name}.conv1"), inputs, outputs, 3);
            init.batch_norm(&format!("{name}.bn2"), outputs);
            init.conv(&format!("{name}.conv2"), outputs, outputs, 3);
            if stride != 1 {
                init.conv(&format!("{name}.shortcut.0"), inputs, outputs, 1);
            }
        }
        init.batch_norm("bn", 4 * self.width);
        init.linear("linear", 4 * self.width, self.architecture.input.classes);
        Ok(init.finish())
    }
}
