//! How a network is run this time: mode, precision, and the one hook that sees every site.

use super::Network;
use crate::experiment::{Problem, Result};
use tch::{Kind, Tensor};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Batch statistics, running statistics updated.
    Train,
    /// Running statistics.
    Eval,
    /// Batch statistics, running statistics left alone.
    BatchStatistics,
}

/// Is offered what passes every named site and may replace it.
pub trait Hook {
    /// `None` leaves `x` as it is.
    fn visit(&mut self, site: &str, x: &Tensor) -> Result<Option<Tensor>>;
}

impl<F: FnMut(&str, &Tensor) -> Result<Option<Tensor>>> Hook for F {
    fn visit(&mut self, site: &str, x: &Tensor) -> Result<Option<Tensor>> {
        self(site, x)
    }
}

/// A later place than the pictures at which a forward pass begins.
#[derive(Debug)]
pub struct Start {
    /// One of the network's [`Network::trunk`].
    pub site: String,
    /// What reaches the site, before any hook has seen it.
    pub x: Tensor,
}

impl Start {
    /// Index of the site in the trunk.
    pub fn position(&self, network: &dyn Network) -> Result<usize> {
        network.trunk().iter().position(|site| *site == self.site).ok_or_else(|| {
            Problem::bad_input(format!("A forward pass cannot begin at `{}`.", self.site))
                .remedy(format!("Choose one of {}.", network.trunk().join(", ")))
        })
    }
}

pub struct Pass<'a> {
    pub mode: Mode,
    /// Kind of the heavy arithmetic: `Float`, `BFloat16` or `Half`; weights and statistics stay f32.
    pub kind: Kind,
    pub hook: Option<&'a mut dyn Hook>,
    /// Where the pass begins; nothing is the pictures. Networks with a trunk take it out and obey it.
    pub start: Option<Start>,
}

impl<'a> Pass<'a> {
    pub fn new(mode: Mode, kind: Kind) -> Self {
        Self { mode, kind, hook: None, start: None }
    }

    pub fn eval() -> Self {
        Self::new(Mode::Eval, Kind::Float)
    }

    #[must_use]
    pub fn hooked(mut self, hook: &'a mut dyn Hook) -> Self {
        self.hook = Some(hook);
        self
    }

    /// Called by networks at every site.
    pub fn site(&mut self, name: &str, x: Tensor) -> Result<Tensor> {
        match &mut self.hook {
            None => Ok(x),
            Some(hook) => Ok(hook.visit(name, &x)?.unwrap_or(x)),
        }
    }
}
