//! A small pre-activation residual network for first runs: four blocks, trains on 10,000 grey pictures in seconds an epoch.

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
        properties: &[],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    build: |options, input| Ok(Box::new(SmallResNet::new(super::parse(options)?, input))),
};

#[derive(Debug)]
pub struct SmallResNet {
    architecture: Architecture,
    blocks: Vec<Block>,
    sites: Vec<Site>,
    width: i64,
}

impl SmallResNet {
    pub fn new(options: Options, input: InputSpec) -> Self {
        let w = options.width;
        let block = |name: &str, inputs, outputs, stride| Block {
            name: name.to_owned(),
            inputs,
            outputs,
            stride,
            shortcut: "shortcut.0",
        };
        let blocks = vec![
            block("layer1.0", w, w, 2),
            block("layer2.0", w, 2 * w, 2),
            block("layer3.0", 2 * w, 4 * w, 2),
            block("layer3.1", 4 * w, 4 * w, 1),
        ];
        let mut sites = super::conv_sites("conv1", 3, w);
        sites.extend(blocks.iter().flat_map(Block::sites));
        sites.push(Site { name: "linear.in".into(), channels: 4 * w });
        Self { architecture: super::architecture(&ZOO, &options, input), blocks, sites, width: w }
    }
}

impl Network for SmallResNet {
    fn forward(&self, p: &Params, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let x = preact_block::through(self, &self.blocks, p, x, pass)?;
        let x = bn_relu(p, "bn", &x, pass)?;
        pool_linear(p, "linear", &x, pass)
    }

    fn sites(&self) -> &[Site] {
        &self.sites
    }

    fn trunk(&self) -> Vec<String> {
        preact_block::trunk(&self.blocks)
    }

    fn norms(&self) -> Vec<Norm> {
        preact_block::norms(&self.blocks, Some("bn"))
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
        init.batch_norm("bn", 4 * self.width);
        init.linear("linear", 4 * self.width, self.architecture.input.classes);
        Ok(init.finish())
    }
}
