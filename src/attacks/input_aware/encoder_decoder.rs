//! The shape of Input-aware's two networks: down to a fourth or an eighth of the side and up again, one value for every
//! pixel and channel.

use crate::experiment::{Problem, Result};
use crate::nets::layers::{batch_norm_with, conv};
use crate::nets::{Mode, Params, Pass};
use rand::{Rng, RngExt};
use tch::{Device, Kind, Tensor};

/// Share of the new batch in the running statistics.
const MOMENTUM: f64 = 0.05;

/// Convolutions of 3 x 3 with batch normalisation; two for each level on the way down and up, and one in the middle.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderDecoder {
    layers: Vec<Layer>,
}

#[derive(Debug, Clone, PartialEq)]
enum Layer {
    /// Convolution, batch normalisation and, but for the last, ReLU.
    Block { name: String, inputs: i64, outputs: i64, relu: bool },
    /// Halves the side.
    Pool,
    /// Doubles it.
    Up,
}

impl EncoderDecoder {
    /// For pictures of `height` x `width`: three levels as published for colour pictures, with `width_of_first` channels
    /// in the first and twice as many in the next; or two thinner ones, as published for 28 x 28.
    pub fn new(height: i64, width: i64, first: i64, outputs: i64) -> Result<Self> {
        let divides = |by: i64| height % by == 0 && width % by == 0;
        let widths = match (divides(8), divides(4)) {
            (true, _) => vec![first, 2 * first, 4 * first],
            (_, true) => vec![(first / 2).max(1), first],
            _ => {
                return Err(Problem::bad_input(
                    "Input-aware needs pictures whose sides can be halved two or three times.",
                )
                .at("data.side")
                .because(format!("these have {height} x {width} pixels; multiples of 4 will do"))
                .remedy(format!("Set data.side = {}.", (height.max(width) + 7) / 8 * 8)));
            }
        };
        let mut layers = Vec::new();
        let mut from = 3;
        let mut block = |name: String, to: i64, relu: bool| {
            let layer = Layer::Block { name, inputs: from, outputs: to, relu };
            from = to;
            layer
        };
        for (level, &to) in widths.iter().enumerate() {
            layers.push(block(format!("down.{level}.0"), to, true));
            layers.push(block(format!("down.{level}.1"), to, true));
            layers.push(Layer::Pool);
        }
        let deepest = widths[widths.len() - 1];
        layers.push(block("middle".into(), deepest, true));
        for level in (0..widths.len()).rev() {
            let next = if level == 0 { outputs } else { widths[level - 1] };
            layers.push(Layer::Up);
            layers.push(block(format!("up.{level}.0"), widths[level], true));
            layers.push(block(format!("up.{level}.1"), next, level > 0));
        }
        Ok(Self { layers })
    }

    /// Fresh weights, uniform in ± 1/sqrt(inputs of a value), as PyTorch draws them.
    pub fn initial(&self, rng: &mut impl Rng) -> Params {
        let mut params = Params::new();
        for layer in &self.layers {
            let Layer::Block { name, inputs, outputs, .. } = layer else { continue };
            let bound = 1.0 / ((inputs * 9) as f32).sqrt();
            let mut uniform = |shape: &[i64]| {
                let values: Vec<f32> =
                    (0..shape.iter().product::<i64>()).map(|_| rng.random_range(-bound..bound)).collect();
                Tensor::from_slice(&values).view(shape)
            };
            params.insert(format!("{name}.conv.weight"), uniform(&[*outputs, *inputs, 3, 3]));
            params.insert(format!("{name}.conv.bias"), uniform(&[*outputs]));
            let options = (Kind::Float, Device::Cpu);
            params.insert(format!("{name}.bn.weight"), Tensor::ones([*outputs], options));
            params.insert(format!("{name}.bn.bias"), Tensor::zeros([*outputs], options));
            params.insert(format!("{name}.bn.running_mean"), Tensor::zeros([*outputs], options));
            params.insert(format!("{name}.bn.running_var"), Tensor::ones([*outputs], options));
        }
        params
    }

    /// Values in 0..=1 for normalised pictures `[N, 3, H, W]`: f32 `[N, outputs, H, W]`.
    pub fn forward(&self, params: &Params, x: &Tensor, mode: Mode, kind: Kind) -> Result<Tensor> {
        let mut pass = Pass::new(mode, kind);
        let mut x = x.shallow_clone();
        for layer in &self.layers {
            x = match layer {
                Layer::Block { name, relu, .. } => {
                    let y = conv(params, &format!("{name}.conv"), x, 1, 1, &mut pass)?;
                    let mut y = batch_norm_with(params, &format!("{name}.bn"), &y, mode, MOMENTUM)?;
                    if *relu { y.relu_() } else { y }
                }
                Layer::Pool => x.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false),
                Layer::Up => {
                    let size = x.size();
                    x.upsample_bilinear2d([2 * size[2], 2 * size[3]], false, None, None)
                }
            };
        }
        Ok(into_unit(&x.to_kind(Kind::Float)))
    }
}

/// Squeezes any value into 0..=1, one half staying one half.
pub fn into_unit(x: &Tensor) -> Tensor {
    x.tanh() / (2.0 + 1e-7) + 0.5
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn the_networks_have_the_published_size() {
        for (outputs, count) in [(3, 723_273), (1, 722_691)] {
            let network = EncoderDecoder::new(32, 32, 32, outputs).unwrap();
            let params = network.initial(&mut ChaCha8Rng::seed_from_u64(1));
            assert_eq!(params.count(), count);
        }
    }

    #[test]
    fn every_pixel_gets_a_value_between_zero_and_one() {
        for side in [28, 32] {
            let network = EncoderDecoder::new(side, side, 8, 3).unwrap();
            let params = network.initial(&mut ChaCha8Rng::seed_from_u64(1));
            let x = Tensor::randn([2, 3, side, side], (Kind::Float, Device::Cpu)) * 3.0;
            let y = network.forward(&params, &x, Mode::Train, Kind::Float).unwrap();
            assert_eq!(y.size(), [2, 3, side, side]);
            assert!(y.min().double_value(&[]) > 0.0 && y.max().double_value(&[]) < 1.0);
        }
    }

    #[test]
    fn sides_that_cannot_be_halved_are_refused_with_a_way_out() {
        let problem = EncoderDecoder::new(30, 30, 32, 3).unwrap_err();
        assert!(problem.headline.contains("halved") && problem.remedy[0].contains("data.side = 32"), "{problem}");
        assert!(EncoderDecoder::new(32, 42, 32, 3).is_err());
    }
}
