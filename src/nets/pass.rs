//! How a network is run this time: mode, precision, and the one hook that sees every site.

use crate::experiment::Result;
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

pub struct Pass<'a> {
    pub mode: Mode,
    /// Kind of the heavy arithmetic: `Float`, `BFloat16` or `Half`; weights and statistics stay f32.
    pub kind: Kind,
    pub hook: Option<&'a mut dyn Hook>,
}

impl<'a> Pass<'a> {
    pub fn new(mode: Mode, kind: Kind) -> Self {
        Self { mode, kind, hook: None }
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
