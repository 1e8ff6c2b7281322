//! Stochastic gradient descent with momentum and weight decay, over named parameters.

use super::Optimiser;
use crate::experiment::Result;
use crate::nets::Params;
use tch::Tensor;

/// One optimiser; its velocity is part of a resume point.
pub struct Sgd {
    names: Vec<String>,
    /// Leaves that record gradients; they share memory with the model's parameters.
    leaves: Vec<Tensor>,
    velocity: Vec<Tensor>,
    momentum: f64,
    weight_decay: f64,
}

impl Sgd {
    /// Trains those parameters for which `trains` is true; use the returned ones in the forward pass, they are the leaves.
    pub fn new(params: &Params, trains: &dyn Fn(&str) -> bool, momentum: f64, weight_decay: f64) -> (Self, Params) {
        let live = params.requires_grad(trains);
        (Self::over(&live, trains, momentum, weight_decay), live)
    }

    /// An optimiser over parameters that already are leaves.
    pub fn over(live: &Params, trains: &dyn Fn(&str) -> bool, momentum: f64, weight_decay: f64) -> Self {
        let (names, leaves): (Vec<String>, Vec<Tensor>) = live
            .trainable()
            .filter(|(name, _)| trains(name))
            .map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone()))
            .unzip();
        let velocity =
            if momentum == 0.0 { Vec::new() } else { leaves.iter().map(|leaf| leaf.detach().zeros_like()).collect() };
        Self { names, leaves, velocity, momentum, weight_decay }
    }

    /// One step down the gradient of `loss` (a scalar).
    pub fn step(&mut self, loss: &Tensor, learning_rate: f64) {
        self.apply(Tensor::run_backward(&[loss], &self.leaves, false, false), learning_rate);
    }

    /// What records gradients, in the order in which [`Sgd::apply`] wants them.
    pub fn leaves(&self) -> impl Iterator<Item = Tensor> {
        self.leaves.iter().map(Tensor::shallow_clone)
    }

    /// One step down these gradients, one for each leaf.
    pub fn apply(&mut self, gradients: Vec<Tensor>, learning_rate: f64) {
        tch::no_grad(|| {
            for (index, gradient) in gradients.into_iter().enumerate() {
                let leaf = &mut self.leaves[index];
                let mut gradient = gradient;
                if self.weight_decay != 0.0 {
                    gradient += &*leaf * self.weight_decay;
                }
                if let Some(velocity) = self.velocity.get_mut(index) {
                    let _ = velocity.g_mul_scalar_(self.momentum);
                    let _ = velocity.g_add_(&gradient);
                    gradient = velocity.shallow_clone();
                }
                let _ = leaf.g_sub_(&(gradient * learning_rate));
            }
        });
    }
}

impl Optimiser for Sgd {
    /// Velocities under `velocity.<name>`.
    fn state(&self) -> Params {
        self.names
            .iter()
            .zip(&self.velocity)
            .map(|(name, velocity)| (format!("velocity.{name}"), velocity.shallow_clone()))
            .collect()
    }

    fn restore(&mut self, state: &Params) -> Result<()> {
        for (name, velocity) in self.names.iter().zip(&mut self.velocity) {
            velocity.copy_(state.get(&format!("velocity.{name}"))?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_those_of_the_textbook() {
        let params: Params = [("w".to_owned(), Tensor::from_slice(&[2.0f32]))].into_iter().collect();
        let (mut sgd, live) = Sgd::new(&params, &|_| true, 0.9, 0.1);
        let (mut w, mut v) = (2.0f64, 0.0f64);
        for _ in 0..3 {
            let loss = live.get("w").unwrap().square().sum(tch::Kind::Float);
            sgd.step(&loss, 0.05);
            v = 0.9 * v + 2.0 * w + 0.1 * w;
            w -= 0.05 * v;
        }
        // The model's own tensor moved: it is the same memory.
        assert!((params.get("w").unwrap().double_value(&[0]) - w).abs() < 1e-6);
    }
}
