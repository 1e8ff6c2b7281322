//! The few layers that the zoo is built from, as functions of named parameters.

use super::{Mode, Params, Pass};
use crate::experiment::Result;
use rand::{SeedableRng, distr::StandardUniform};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use tch::{Device, Kind, Tensor};

pub const BATCH_NORM_EPSILON: f64 = 1e-5;
/// Share of the new batch in the running statistics.
pub const BATCH_NORM_MOMENTUM: f64 = 0.1;

/// Convolution `name` with sites `name.in` and `name.out`.
pub fn conv(p: &Params, name: &str, x: Tensor, stride: i64, padding: i64, pass: &mut Pass) -> Result<Tensor> {
    let x = pass.site(&format!("{name}.in"), x)?;
    let weight = p.get(&format!("{name}.weight"))?.to_kind(pass.kind);
    let bias = p.find(&format!("{name}.bias")).map(|bias| bias.to_kind(pass.kind));
    let y = x.to_kind(pass.kind).conv2d(&weight, bias, [stride, stride], [padding, padding], [1, 1], 1);
    pass.site(&format!("{name}.out"), y)
}

/// Batch normalisation `name`; statistics and affine part stay f32 whatever the kind of `x` is.
pub fn batch_norm(p: &Params, name: &str, x: &Tensor, mode: Mode) -> Result<Tensor> {
    batch_norm_with(p, name, x, mode, BATCH_NORM_MOMENTUM)
}

/// [`batch_norm`] with another share of the new batch in the running statistics.
pub fn batch_norm_with(p: &Params, name: &str, x: &Tensor, mode: Mode, momentum: f64) -> Result<Tensor> {
    let get = |part: &str| p.get(&format!("{name}.{part}"));
    let (weight, bias) = (get("weight")?, get("bias")?);
    let (mean, var) = match mode {
        Mode::BatchStatistics => (None, None),
        Mode::Train | Mode::Eval => (Some(get("running_mean")?), Some(get("running_var")?)),
    };
    if mode == Mode::Train
        && let Some(count) = p.find(&format!("{name}.num_batches_tracked"))
    {
        let _ = tch::no_grad(|| count.shallow_clone().g_add_scalar_(1));
    }
    Ok(x.batch_norm(Some(weight), Some(bias), mean, var, mode != Mode::Eval, momentum, BATCH_NORM_EPSILON, false))
}

/// Batch normalisation and ReLU.
pub fn bn_relu(p: &Params, name: &str, x: &Tensor, pass: &Pass) -> Result<Tensor> {
    Ok(batch_norm(p, name, x, pass.mode)?.relu_())
}

/// Mean over height and width, then the linear layer `name`, with sites `name.in` (the features) and f32 logits.
pub fn pool_linear(p: &Params, name: &str, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
    let features = x.mean_dim([2i64, 3].as_slice(), false, Kind::Float);
    let features = pass.site(&format!("{name}.in"), features)?;
    Ok(features.linear(p.get(&format!("{name}.weight"))?, Some(p.get(&format!("{name}.bias"))?)))
}

/// Collects fresh weights under their names.
///
/// The numbers come from a generator of its own: libtorch's is shared by all threads of the process.
pub struct Initialiser {
    rng: ChaCha8Rng,
    params: Params,
}

impl Initialiser {
    /// The same seed gives the same weights on every machine.
    pub fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), params: Params::default() }
    }

    pub fn finish(self) -> Params {
        self.params
    }

    /// `[out, in, k, k]` from a normal distribution that keeps the variance of ReLU activations (He et al. 2015).
    pub fn conv(&mut self, name: &str, inputs: i64, outputs: i64, kernel: i64) {
        let scale = (2.0 / (outputs * kernel * kernel) as f64).sqrt();
        let weight = self.draw(StandardNormal, &[outputs, inputs, kernel, kernel]) * scale;
        self.params.insert(format!("{name}.weight"), channels_last(&weight));
    }

    pub fn batch_norm(&mut self, name: &str, channels: i64) {
        let options = (Kind::Float, Device::Cpu);
        self.params.insert(format!("{name}.weight"), Tensor::ones([channels], options));
        self.params.insert(format!("{name}.bias"), Tensor::zeros([channels], options));
        self.params.insert(format!("{name}.running_mean"), Tensor::zeros([channels], options));
        self.params.insert(format!("{name}.running_var"), Tensor::ones([channels], options));
        self.params.insert(format!("{name}.num_batches_tracked"), Tensor::zeros([0i64; 0], (Kind::Int64, Device::Cpu)));
    }

    /// Uniform in ± 1/sqrt(inputs), as PyTorch does.
    pub fn linear(&mut self, name: &str, inputs: i64, outputs: i64) {
        let bound = 1.0 / (inputs as f64).sqrt();
        let weight = self.draw(StandardUniform, &[outputs, inputs]);
        let bias = self.draw(StandardUniform, &[outputs]);
        for (part, values) in [("weight", weight), ("bias", bias)] {
            self.params.insert(format!("{name}.{part}"), values * (2.0 * bound) - bound);
        }
    }

    fn draw(&mut self, numbers: impl Distribution<f32>, shape: &[i64]) -> Tensor {
        let count = shape.iter().product::<i64>() as usize;
        let values: Vec<f32> = numbers.sample_iter(&mut self.rng).take(count).collect();
        Tensor::from_slice(&values).view(shape)
    }
}

/// The same values laid out with the channel fastest, which the processor's and the GPU's kernels prefer.
pub fn channels_last(x: &Tensor) -> Tensor {
    if x.dim() != 4 {
        return x.contiguous();
    }
    x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}
