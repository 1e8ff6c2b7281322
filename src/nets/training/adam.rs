//! Adam over named parameters (Kingma and Ba, ICLR 2015), with the AMSGrad bound of Reddi et al. (ICLR 2018) on demand.

use super::Optimiser;
use crate::experiment::Result;
use crate::nets::Params;
use tch::Tensor;

const EPSILON: f64 = 1e-8;

/// What Adam is told once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Betas {
    /// Memory of the gradient's mean and of its square.
    pub first: f64,
    pub second: f64,
    /// Steps are bounded by the largest mean square so far, not by the latest.
    pub amsgrad: bool,
}

impl Default for Betas {
    fn default() -> Self {
        Self { first: 0.9, second: 0.999, amsgrad: false }
    }
}

/// One optimiser; its means are part of a resume point.
pub struct Adam {
    names: Vec<String>,
    /// Leaves that record gradients; they share memory with the model's parameters.
    leaves: Vec<Tensor>,
    mean: Vec<Tensor>,
    square: Vec<Tensor>,
    largest: Vec<Tensor>,
    steps: i64,
    betas: Betas,
}

impl Adam {
    /// An optimiser over all trainable parameters of `live`, which are leaves already.
    pub fn over(live: &Params, betas: Betas) -> Self {
        let (names, leaves): (Vec<String>, Vec<Tensor>) =
            live.trainable().map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone())).unzip();
        let zeros = |wanted: bool| -> Vec<Tensor> {
            leaves.iter().filter(|_| wanted).map(|leaf| leaf.detach().zeros_like()).collect()
        };
        Self { mean: zeros(true), square: zeros(true), largest: zeros(betas.amsgrad), names, leaves, steps: 0, betas }
    }

    /// What records gradients, in the order in which [`Adam::apply`] wants them.
    pub fn leaves(&self) -> Vec<Tensor> {
        self.leaves.iter().map(Tensor::shallow_clone).collect()
    }

    /// One step down the gradient of `loss` (a scalar).
    pub fn step(&mut self, loss: &Tensor, learning_rate: f64) {
        self.apply(Tensor::run_backward(&[loss], &self.leaves, false, false), learning_rate);
    }

    /// One step down these gradients, one for each leaf.
    pub fn apply(&mut self, gradients: Vec<Tensor>, learning_rate: f64) {
        self.steps += 1;
        let Betas { first, second, amsgrad } = self.betas;
        let (warm_mean, warm_square) = (1.0 - first.powi(self.steps as i32), 1.0 - second.powi(self.steps as i32));
        tch::no_grad(|| {
            for (index, gradient) in gradients.into_iter().enumerate() {
                let (mean, square) = (&mut self.mean[index], &mut self.square[index]);
                let _ = mean.g_mul_scalar_(first).g_add_(&(&gradient * (1.0 - first)));
                let _ = square.g_mul_scalar_(second).g_add_(&(gradient.square() * (1.0 - second)));
                let bound = if amsgrad {
                    let largest = &mut self.largest[index];
                    *largest = largest.maximum(square);
                    &*largest
                } else {
                    &*square
                };
                let step = &*mean / ((bound / warm_square).sqrt() + EPSILON) * (learning_rate / warm_mean);
                let _ = self.leaves[index].g_sub_(&step);
            }
        });
    }
}

impl Optimiser for Adam {
    /// Means under `adam.<what>.<name>`, for a resume point.
    fn state(&self) -> Params {
        let named = |what: &'static str, tensors: &[Tensor]| -> Vec<(String, Tensor)> {
            let names = self.names.iter().map(|name| format!("adam.{what}.{name}"));
            names.zip(tensors.iter().map(Tensor::shallow_clone)).collect()
        };
        let steps = ("adam.steps".to_owned(), Tensor::from_slice(&[self.steps]));
        [named("mean", &self.mean), named("square", &self.square), named("largest", &self.largest), vec![steps]]
            .into_iter()
            .flatten()
            .collect()
    }

    fn restore(&mut self, state: &Params) -> Result<()> {
        for (what, tensors) in [("mean", &mut self.mean), ("square", &mut self.square), ("largest", &mut self.largest)]
        {
            for (name, tensor) in self.names.iter().zip(tensors) {
                tensor.copy_(state.get(&format!("adam.{what}.{name}"))?);
            }
        }
        self.steps = state.get("adam.steps")?.int64_value(&[0]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(betas: Betas, count: usize) -> (Params, Adam) {
        let live: Params = [("w".to_owned(), Tensor::from_slice(&[2.0f64, -1.0]))].into_iter().collect();
        let live = live.requires_grad(&|_| true);
        let mut adam = Adam::over(&live, betas);
        for _ in 0..count {
            adam.step(&live.get("w").unwrap().square().sum(tch::Kind::Double), 0.1);
        }
        (live, adam)
    }

    #[test]
    fn steps_are_those_of_the_textbook() {
        for amsgrad in [false, true] {
            let (live, _) = steps(Betas { amsgrad, ..Betas::default() }, 25);
            let (mut w, mut m, mut v, mut largest) = (2.0f64, 0.0, 0.0, 0.0f64);
            for t in 1..=25 {
                let g = 2.0 * w;
                m = 0.9 * m + 0.1 * g;
                v = 0.999 * v + 0.001 * g * g;
                largest = largest.max(v);
                let bound: f64 = if amsgrad { largest } else { v };
                let (m, bound) = (m / (1.0 - 0.9f64.powi(t)), bound / (1.0 - 0.999f64.powi(t)));
                w -= 0.1 * m / (bound.sqrt() + 1e-8);
            }
            assert!((live.get("w").unwrap().double_value(&[0]) - w).abs() < 1e-9, "amsgrad {amsgrad}");
        }
    }

    #[test]
    fn it_goes_on_where_it_stopped() {
        let betas = Betas { amsgrad: true, ..Betas::default() };
        let (whole, _) = steps(betas, 7);
        let (live, first) = steps(betas, 4);
        let mut second = Adam::over(&live, betas);
        second.restore(&first.state()).unwrap();
        for _ in 0..3 {
            second.step(&live.get("w").unwrap().square().sum(tch::Kind::Double), 0.1);
        }
        assert!(live.get("w").unwrap().equal(whole.get("w").unwrap()));
    }
}
