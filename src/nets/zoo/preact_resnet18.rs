//! Pre-activation ResNet-18 (He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016), the benchmark's network.
//!
//! Names and order of operations are those of the reference state dict: no normalisation after the last stage.

use super::preact_block::{self, Block};
use super::{Definition, Zoo};
use crate::experiment::method::{Kind, Method, defaults_of, schema_of};
use crate::experiment::{Problem, Result};
use crate::nets::layers::{Initialiser, pool_linear};
use crate::nets::{Architecture, InputSpec, Network, Norm, Params, Pass, Site};
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
        properties: &[],
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

impl PreActResNet18 {
    pub fn new(options: Options, input: InputSpec) -> Self {
        let width = options.width;
        let mut blocks = Vec::new();
        let mut inputs = width;
        for (stage, outputs) in [width, 2 * width, 4 * width, 8 * width].into_iter().enumerate() {
            for index in 0..2 {
                let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                let name = format!("layer{}.{index}", stage + 1);
                blocks.push(Block { name, inputs, outputs, stride, shortcut: "shortcut.0" });
                inputs = outputs;
            }
        }
        let mut sites = super::conv_sites("conv1", 3, width);
        sites.extend(blocks.iter().flat_map(Block::sites));
        sites.push(Site { name: "linear.in".into(), channels: inputs });
        let architecture = super::architecture(&ZOO, &options, input);
        Self { architecture, blocks, width, sites }
    }
}

impl Network for PreActResNet18 {
    fn forward(&self, p: &Params, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let x = preact_block::through(self, &self.blocks, p, x, pass)?;
        pool_linear(p, "linear", &x, pass)
    }

    fn sites(&self) -> &[Site] {
        &self.sites
    }

    fn trunk(&self) -> Vec<String> {
        preact_block::trunk(&self.blocks)
    }

    fn norms(&self) -> Vec<Norm> {
        preact_block::norms(&self.blocks, None)
    }

    fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    fn initial(&self, seed: u64) -> Result<Params> {
        let mut init = Initialiser::new(seed);
        init.conv("conv1", 3, self.width, 3);
        for block in &self.blocks {
            block.initialise(&mut init);
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
