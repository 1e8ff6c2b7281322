//! Wide residual network WRN-depth-widen (Zagoruyko and Komodakis, BMVC 2016); WRN-16-1 is what small public checkpoints use.
//!
//! Names and the pre-activation shortcut are those of the ABL and NAD checkpoints.

use super::preact_block::{self, Block};
use super::{Definition, Zoo};
use crate::experiment::method::{Kind, Method, defaults_of, schema_of};
use crate::experiment::{Problem, Result};
use crate::nets::layers::{Initialiser, bn_relu, pool_linear};
use crate::nets::{Architecture, InputSpec, Network, Norm, Params, Pass, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::Tensor;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Layers with weights: 10, 16, 22, 28, ... (6 n + 4).
    #[schemars(range(min = 10, max = 100))]
    pub depth: i64,
    /// Multiplies the channels 16, 32, 64 of the three groups.
    #[schemars(range(min = 1, max = 16))]
    pub widen: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self { depth: 16, widen: 1 }
    }
}

impl Definition for Options {
    fn check(&self) -> Result<()> {
        if self.depth < 10 || (self.depth - 4) % 6 != 0 {
            return Err(Problem::bad_input(format!("A wide residual network cannot have depth {}.", self.depth))
                .because("depth = 6 n + 4 with n residual blocks in each of the three groups")
                .remedy("Choose 10, 16, 22, 28 or 40."));
        }
        Ok(())
    }
}

pub static ZOO: Zoo = Zoo {
    method: Method {
        id: "wide-resnet",
        kind: Kind::Network,
        name: "WideResNet",
        one_line: "WRN-16-1 learns CIFAR-10 with 175,000 weights; wider and deeper ones on demand.",
        page: "Three groups of residual blocks with 16, 32 and 64 channels times the widening factor. WRN-16-1 is the \
               size in which small backdoored checkpoints are published.",
        paper: "Zagoruyko, Komodakis: Wide Residual Networks. BMVC 2016",
        properties: &[],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    build: |options, input| Ok(Box::new(WideResNet::new(super::parse(options)?, input))),
};

#[derive(Debug)]
pub struct WideResNet {
    architecture: Architecture,
    blocks: Vec<Block>,
    sites: Vec<Site>,
    features: i64,
}

impl WideResNet {
    pub fn new(options: Options, input: InputSpec) -> Self {
        let per_group = (options.depth - 4) / 6;
        let mut blocks = Vec::new();
        let mut inputs = 16;
        for group in 0..3 {
            let outputs = (16 << group) * options.widen;
            for index in 0..per_group {
                let stride = if group > 0 && index == 0 { 2 } else { 1 };
                let name = format!("block{}.layer.{index}", group + 1);
                blocks.push(Block { name, inputs, outputs, stride, shortcut: "convShortcut" });
                inputs = outputs;
            }
        }
        let mut sites = super::conv_sites("conv1", 3, 16);
        sites.extend(blocks.iter().flat_map(Block::sites));
        sites.push(Site { name: "fc.in".into(), channels: inputs });
        Self { architecture: super::architecture(&ZOO, &options, input), blocks, sites, features: inputs }
    }
}

impl Network for WideResNet {
    fn forward(&self, p: &Params, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let x = preact_block::through(self, &self.blocks, p, x, pass)?;
        let x = bn_relu(p, "bn1", &x, pass)?;
        pool_linear(p, "fc", &x, pass)
    }

    fn sites(&self) -> &[Site] {
        &self.sites
    }

    fn trunk(&self) -> Vec<String> {
        preact_block::trunk(&self.blocks)
    }

    fn norms(&self) -> Vec<Norm> {
        preact_block::norms(&self.blocks, Some("bn1"))
    }

    fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    fn initial(&self, seed: u64) -> Result<Params> {
        let mut init = Initialiser::new(seed);
        init.conv("conv1", 3, 16, 3);
        for block in &self.blocks {
            block.initialise(&mut init);
        }
        init.batch_norm("bn1", self.features);
        init.linear("fc", self.features, self.architecture.input.classes);
        Ok(init.finish())
    }
}
