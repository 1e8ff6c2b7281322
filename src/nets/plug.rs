//! Small layers put into a network from outside; the neural polarizer is one, a defensive stamp with its change of labels
//! (see [`super::door`]) are others. A plug is saved with its model.

use super::layers::{BATCH_NORM_EPSILON, batch_norm};
use super::{Hook, Mode, Params};
use crate::experiment::{Problem, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// What a plug does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlugKind {
    /// Replaces pixels under a mask by one value for each channel.
    Stamp,
    /// Reorders the columns of the logits.
    Permute,
    /// A linear layer that filters features.
    #[serde(untagged)]
    Polarizer(Layer),
}

impl PlugKind {
    /// The layer in words.
    pub fn name(self) -> &'static str {
        match self {
            PlugKind::Polarizer(_) => "neural polarizer",
            PlugKind::Stamp => "defensive trigger",
            PlugKind::Permute => "map of labels",
        }
    }

    pub fn is_polarizer(self) -> bool {
        matches!(self, PlugKind::Polarizer(_))
    }
}

/// How a polarizer is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// 1x1 convolution and batch normalisation: the published polarizer.
    ConvBn,
    /// 1x1 convolution alone: exactly the identity at the start.
    OnlyConv,
    /// One scale and one shift for each channel.
    ScaleShift,
}

/// A layer at one site that keeps the shape of what passes.
#[derive(Debug, Clone)]
pub struct Plug {
    pub site: String,
    pub kind: PlugKind,
    pub params: Params,
    /// 0: the layer is not there, 1: fully there; in between its output is blended with its input.
    pub strength: f64,
}

impl Plug {
    /// A polarizer that does nothing yet (exactly, or up to the batch normalisation's epsilon) to `channels` channels.
    pub fn identity(site: &str, layer: Layer, channels: i64) -> Self {
        let options = (Kind::Float, Device::Cpu);
        let mut params = Params::new();
        if matches!(layer, Layer::ConvBn | Layer::OnlyConv) {
            params.insert("conv.weight", Tensor::eye(channels, options).view([channels, channels, 1, 1]));
        }
        match layer {
            Layer::ConvBn => {
                for (name, value) in [("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)] {
                    params.insert(format!("bn.{name}"), Tensor::full([channels], value, options));
                }
            }
            Layer::ScaleShift => {
                params.insert("scale", Tensor::ones([1, channels, 1, 1], options));
                params.insert("shift", Tensor::zeros([1, channels, 1, 1], options));
            }
            Layer::OnlyConv => {}
        }
        Self { site: site.into(), kind: PlugKind::Polarizer(layer), params, strength: 1.0 }
    }

    /// `x` is `[N, C, H, W]` (logits: `[N, C]`) of any float kind; the result has the kind of `x`.
    pub fn apply(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        if self.strength == 0.0 {
            return Ok(x.shallow_clone());
        }
        let p = &self.params;
        let conv = || -> Result<Tensor> {
            let weight = p.get("conv.weight")?.to_kind(x.kind());
            Ok(x.conv2d(&weight, None::<Tensor>, [1, 1], [0, 0], [1, 1], 1))
        };
        let like = |name: &str| -> Result<Tensor> { Ok(p.get(name)?.to_kind(x.kind())) };
        let y = match self.kind {
            PlugKind::Polarizer(Layer::ConvBn) => batch_norm(p, "bn", &conv()?, mode)?,
            PlugKind::Polarizer(Layer::OnlyConv) => conv()?,
            PlugKind::Polarizer(Layer::ScaleShift) => x * like("scale")? + like("shift")?,
            PlugKind::Stamp => {
                let mask = like("mask")?;
                x * (1.0 - &mask) + mask * like("value")?
            }
            PlugKind::Permute => x.index_select(1, p.get("order")?),
        };
        Ok(if self.strength == 1.0 { y } else { x * (1.0 - self.strength) + y * self.strength })
    }
}

impl Plug {
    /// What a polarizer does at full strength in evaluation mode: `y = matrix x + shift` for each position, with the batch
    /// normalisation folded in. f32 `[C, C]` (row: output channel) and `[C]`.
    pub fn affine(&self) -> Result<(Tensor, Tensor)> {
        let p = &self.params;
        let PlugKind::Polarizer(layer) = self.kind else {
            return Err(Problem::internal("Only a polarizer is a matrix of channels."));
        };
        let matrix = || -> Result<Tensor> { Ok(p.get("conv.weight")?.detach().flatten(1, -1).to_kind(Kind::Float)) };
        Ok(match layer {
            Layer::ConvBn => {
                let get =
                    |part: &str| -> Result<Tensor> { Ok(p.get(&format!("bn.{part}"))?.detach().to_kind(Kind::Float)) };
                let gain = get("weight")? / (get("running_var")? + BATCH_NORM_EPSILON).sqrt();
                let shift = get("bias")? - &gain * get("running_mean")?;
                (matrix()? * gain.unsqueeze(1), shift)
            }
            Layer::OnlyConv => {
                let matrix = matrix()?;
                let shift = Tensor::zeros([matrix.size()[0]], (Kind::Float, matrix.device()));
                (matrix, shift)
            }
            Layer::ScaleShift => {
                let flat =
                    |name: &str| -> Result<Tensor> { Ok(p.get(name)?.detach().flatten(0, -1).to_kind(Kind::Float)) };
                (flat("scale")?.diag(0), flat("shift")?)
            }
        })
    }
}

/// Puts plugs at their sites and passes everything on to the next hook, which sees what the network will see.
pub struct PlugHook<'a> {
    pub plugs: &'a [Plug],
    pub mode: Mode,
    pub next: Option<&'a mut dyn Hook>,
}

impl Hook for PlugHook<'_> {
    fn visit(&mut self, site: &str, x: &Tensor) -> Result<Option<Tensor>> {
        let mut changed = None;
        for plug in self.plugs.iter().filter(|plug| plug.site == site) {
            changed = Some(plug.apply(changed.as_ref().unwrap_or(x), self.mode)?);
        }
        if let Some(next) = &mut self.next
            && let Some(replaced) = next.visit(site, changed.as_ref().unwrap_or(x))?
        {
            changed = Some(replaced);
        }
        Ok(changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_leave_features_alone() {
        let x = Tensor::randn([4, 6, 3, 3], tch::kind::FLOAT_CPU);
        for kind in [Layer::OnlyConv, Layer::ScaleShift] {
            let y = Plug::identity("s", kind, 6).apply(&x, Mode::Eval).unwrap();
            assert!(y.equal(&x), "{kind:?}");
        }
        let y = Plug::identity("s", Layer::ConvBn, 6).apply(&x, Mode::Eval).unwrap();
        let gap = ((&y - &x).abs() / x.abs()).max().double_value(&[]);
        assert!(gap <= 1e-5, "{gap}");
    }

    #[test]
    fn strength_blends_with_the_identity() {
        let x = Tensor::randn([2, 3, 4, 4], tch::kind::FLOAT_CPU);
        let mut plug = Plug::identity("s", Layer::ScaleShift, 3);
        plug.params.insert("scale", Tensor::full([1, 3, 1, 1], 3.0, tch::kind::FLOAT_CPU));
        plug.strength = 0.5;
        assert!(plug.apply(&x, Mode::Eval).unwrap().allclose(&(&x * 2.0), 1e-6, 1e-6, false));
        plug.strength = 0.0;
        assert!(plug.apply(&x, Mode::Eval).unwrap().equal(&x));
    }

    #[test]
    fn the_folded_map_does_what_the_layer_does() {
        let options = tch::kind::FLOAT_CPU;
        let x = Tensor::randn([3, 5, 4, 4], options);
        for kind in [Layer::ConvBn, Layer::OnlyConv, Layer::ScaleShift] {
            let mut plug = Plug::identity("s", kind, 5);
            // Anything but the identity; a variance is positive.
            let wild = |(name, tensor): (&str, &Tensor)| {
                let noise = Tensor::rand(tensor.size(), options) + 0.2;
                (name.to_owned(), tensor + noise)
            };
            plug.params = plug.params.iter().map(wild).collect();
            let (matrix, shift) = plug.affine().unwrap();
            let folded = matrix.matmul(&x.flatten(2, -1)) + shift.view([1, 5, 1]);
            let applied = plug.apply(&x, Mode::Eval).unwrap().flatten(2, -1);
            assert!(folded.allclose(&applied, 1e-5, 1e-5, false), "{kind:?}");
        }
    }

    #[test]
    fn plugs_act_at_their_site_only_and_the_next_hook_sees_the_result() {
        let mut plug = Plug::identity("here", Layer::ScaleShift, 1);
        plug.params.insert("scale", Tensor::full([1, 1, 1, 1], 2.0, tch::kind::FLOAT_CPU));
        let plugs = [plug];
        let x = Tensor::ones([1, 1, 1, 1], tch::kind::FLOAT_CPU);
        let mut seen = 0.0;
        let mut look = |_: &str, x: &Tensor| {
            seen = x.double_value(&[0, 0, 0, 0]);
            Ok(None)
        };
        let mut hook = PlugHook { plugs: &plugs, mode: Mode::Eval, next: Some(&mut look) };
        assert!(hook.visit("there", &x).unwrap().is_none());
        assert_eq!(hook.visit("here", &x).unwrap().unwrap().double_value(&[0, 0, 0, 0]), 2.0);
        assert_eq!(seen, 2.0);
    }
}
