//! The pre-activation residual block that all networks of the zoo are made of, and the trunk of such blocks.

use crate::experiment::Result;
use crate::nets::layers::{Initialiser, bn_relu, conv};
use crate::nets::{Network, Norm, Params, Pass, Site};
use tch::Tensor;

/// Normalise, ReLU, 3x3 convolution, twice, beside an identity or, where the shape changes, a 1x1 convolution.
#[derive(Debug)]
pub struct Block {
    pub name: String,
    pub inputs: i64,
    pub outputs: i64,
    pub stride: i64,
    /// What checkpoints call the 1x1 convolution, after the block's name.
    pub shortcut: &'static str,
}

impl Block {
    fn changes_shape(&self) -> bool {
        self.stride != 1 || self.inputs != self.outputs
    }

    fn part(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    /// `[n, inputs, h, w]` to `[n, outputs, h / stride, w / stride]`.
    pub fn forward(&self, p: &Params, x: Tensor, pass: &mut Pass) -> Result<Tensor> {
        let o = bn_relu(p, &self.part("bn1"), &x, pass)?;
        let skip = if self.changes_shape() {
            conv(p, &self.part(self.shortcut), o.shallow_clone(), self.stride, 0, pass)?
        } else {
            x
        };
        let o = conv(p, &self.part("conv1"), o, self.stride, 1, pass)?;
        let o = bn_relu(p, &self.part("bn2"), &o, pass)?;
        let o = conv(p, &self.part("conv2"), o, 1, 1, pass)?;
        pass.site(&self.part("out"), o + skip)
    }

    pub fn sites(&self) -> Vec<Site> {
        let mut sites = super::conv_sites(&self.part("conv1"), self.inputs, self.outputs);
        sites.extend(super::conv_sites(&self.part("conv2"), self.outputs, self.outputs));
        if self.changes_shape() {
            sites.extend(super::conv_sites(&self.part(self.shortcut), self.inputs, self.outputs));
        }
        sites.push(Site { name: self.part("out"), channels: self.outputs });
        sites
    }

    pub fn initialise(&self, init: &mut Initialiser) {
        init.batch_norm(&self.part("bn1"), self.inputs);
        init.conv(&self.part("conv1"), self.inputs, self.outputs, 3);
        init.batch_norm(&self.part("bn2"), self.outputs);
        init.conv(&self.part("conv2"), self.outputs, self.outputs, 3);
        if self.changes_shape() {
            init.conv(&self.part(self.shortcut), self.inputs, self.outputs, 1);
        }
    }
}

/// The convolution in front of the blocks.
const STEM: &str = "conv1";

/// Names of the sites behind the stem and behind each block.
pub fn trunk(blocks: &[Block]) -> Vec<String> {
    std::iter::once(format!("{STEM}.out")).chain(blocks.iter().map(|block| block.part("out"))).collect()
}

/// The normalisations of stem and blocks, and of `last` behind them where a network has one. A block's first one sees the
/// sum of all that was added to the trunk since it last changed its shape.
pub fn norms(blocks: &[Block], last: Option<&str>) -> Vec<Norm> {
    let mut sum = vec![STEM.to_owned()];
    let mut norms = Vec::new();
    for block in blocks {
        norms.push(Norm { name: block.part("bn1"), producers: sum.clone() });
        norms.push(Norm { name: block.part("bn2"), producers: vec![block.part("conv1")] });
        if block.changes_shape() {
            sum = vec![block.part(block.shortcut)];
        }
        sum.push(block.part("conv2"));
    }
    norms.extend(last.map(|name| Norm { name: name.to_owned(), producers: sum }));
    norms
}

/// Stem and blocks; begins behind `pass.start` when there is one, and then does not look at `x`.
pub fn through(network: &dyn Network, blocks: &[Block], p: &Params, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
    let (mut x, behind) = match pass.start.take() {
        None => (conv(p, STEM, x.shallow_clone(), 1, 1, pass)?, 0),
        Some(start) => {
            let behind = start.position(network)?;
            (pass.site(&start.site, start.x)?, behind)
        }
    };
    for block in &blocks[behind..] {
        x = block.forward(p, x, pass)?;
    }
    Ok(x)
}
