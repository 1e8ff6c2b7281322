//! Pre-activation ResNet-18 (He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016), the benchmark's network.
//!
//! Names and order of operations are those of the reference state dict: no normalisation after the last stage.

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
    /// Channels of the first stage; the others have 2, 4 and 8 times as many.
    #[schemars(range(min = 4, max = 256), extend("x-paper" = 64))]
    pub width: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self { width: 64 }
    }
}

pub static ZOO: Zoo = Zoo {
    method: Method {
        id: "preact-resnet18",
        kind: Kind::Network,
        name: "PreAct-ResNet18",
        one_line: "The benchmark's network: 18 layers, normalisation before each convolution.",
        page: "Four stages of two residual blocks. At width 64 it has 11.2 million weights; a narrow one (width 16) \
               trains about ten times faster and shows the same effects.",
        paper: "He, Zhang, Ren, Sun: Identity Mappings in Deep Residual Networks. ECCV 2016",
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    build: |options, input| Ok(Box::new(PreActResNet18::new(super::parse(options)?, input))),
};

#[derive(Debug)]
pub struct PreActResNet18 {
    architecture: Architecture,
    blocks: Vec<Block>,
    width: i64,
    sites: Vec<Site>,
}

#[derive(Debug)]
struct Block {
    name: String,
    inputs: i64,
    outputs: i64,
    stride: i64,
}

impl Block {
    fn has_shortcut(&self) -> bool {
        self.stride != 1 || self.inputs != self.outputs
    }
}

impl PreActResNet18 {
    pub fn new(options: Options, input: InputSpec) -> Self {
        let width = options.width;
        let mut blocks = Vec::new();
        let mut inputs = width;
        for (stage, outputs) in [width, 2 * width, 4 * width, 8 * width].into_iter().enumerate() {
            for index in 0..2 {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                blocks.push(Block { name: format!("layer{}.{index}", stage + 1), inputs, outputs, stride });
                inputs = outputs;
            }
        }
        let mut sites = super::conv_sites("conv1", 3, width);
        for block in &blocks {
            sites.extend(super::conv_sites(&format!("{}.conv1", block.name), block.inputs, block.outputs));
            sites.extend(super::conv_sites(&format!("{}.conv2", block.name), block.outputs, block.outputs));
            if block.has_shortcut() {
                sites.extend(super::conv_sites(&format!("{}.shortcut.0", block.name), block.inputs, block.outputs));
            }
            sites.push(Site { name: format!("{}.out", block.name), channels: block.outputs });
        }
        sites.push(Site { name: "linear.in".into(), channels: inputs });
        let architecture = super::architecture(&ZOO, &options, input);
        Self { architecture, blocks, width, sites }
    }
}

impl Network for PreActResNet18 {
    fn forward(&self, p: &Params, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let mut x = conv(p, "conv1", x.shallow_clone(), 1, 1, pass)?;
        for block in &self.blocks {
            let Block { name, stride, .. } = block;
            let o = bn_relu(p, &format!("{name}.bn1"), &x, pass)?;
            let skip = if block.has_shortcut() {
                conv(p, &format!("{name}.shortcut.0"), o.shallow_clone(), *stride, 0, pass)?
            } else {
                x
            };
            let o = conv(p, &format!("{name}.conv1"), o, *stride, 1, pass)?;
            let o = bn_relu(p, &format!("{name}.bn2"), &o, pass)?;
            let o = conv(p, &format!("{name}.conv2"), o, 1, 1, pass)?;
            x = pass.site(&format!("{name}.out"), o + skip)?;
        }
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
        for block in &self.blocks {
            let name = &block.name;
            init.batch_norm(&format!("{name}.bn1"), block.inputs);
            init.conv(&format!("{name}.conv1"), block.inputs, block.outputs, 3);
            init.batch_norm(&format!("{name}.bn2"), block.outputs);
            init.conv(&format!("{name}.conv2"), block.outputs, block.outputs, 3);
            if block.has_shortcut() {
                init.conv(&format!("{name}.shortcut.0"), block.inputs, block.outputs, 1);
            }
        }
        init.linear("linear", 8 * self.width, self.architecture.input.classes);
        Ok(init.finish())
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
