//! Named parameters and buffers, in the order and with the names that PyTorch gives them.

use crate::experiment::{Problem, Result};
use indexmap::IndexMap;
use tch::{Device, Kind, Tensor};

/// Ordered names and tensors. Cloning is cheap: tensors are shared, not copied (see [`Params::deep_clone`]).
#[derive(Debug, Default)]
pub struct Params {
    entries: IndexMap<String, Tensor>,
}

impl Clone for Params {
    fn clone(&self) -> Self {
        self.iter().map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone())).collect()
    }
}

impl FromIterator<(String, Tensor)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, Tensor)>>(iter: I) -> Self {
        Self { entries: iter.into_iter().collect() }
    }
}

/// BatchNorm statistics and counters are state, not parameters: they are never trained by gradients.
fn is_buffer(name: &str) -> bool {
    name.ends_with("running_mean") || name.ends_with("running_var") || name.ends_with("num_batches_tracked")
}

impl Params {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        self.entries.insert(name.into(), tensor);
    }

    pub fn remove(&mut self, name: &str) -> Option<Tensor> {
        self.entries.shift_remove(name)
    }

    pub fn get(&self, name: &str) -> Result<&Tensor> {
        self.entries.get(name).ok_or_else(|| {
            Problem::bad_input(format!("These weights have no tensor `{name}`."))
                .remedy("Choose the network that the weights were made for.")
        })
    }

    pub fn find(&self, name: &str) -> Option<&Tensor> {
        self.entries.get(name)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.entries.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// What gradients train: everything but BatchNorm statistics.
    pub fn trainable(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.iter().filter(|(name, tensor)| !is_buffer(name) && tensor.is_floating_point())
    }

    /// Number of trainable values.
    pub fn count(&self) -> usize {
        self.trainable().map(|(_, tensor)| tensor.numel()).sum()
    }

    /// The same parameters with some replaced, for one call.
    #[must_use]
    pub fn with(&self, replacements: impl IntoIterator<Item = (String, Tensor)>) -> Self {
        let mut changed = self.clone();
        changed.entries.extend(replacements);
        changed
    }

    fn map(&self, f: impl Fn(&Tensor) -> Tensor) -> Self {
        self.iter().map(|(name, tensor)| (name.to_owned(), f(tensor))).collect()
    }

    /// A copy with its own memory.
    #[must_use]
    pub fn deep_clone(&self) -> Self {
        self.map(|tensor| tensor.detach().copy())
    }

    #[must_use]
    pub fn to_device(&self, device: Device) -> Self {
        self.map(|tensor| tensor.to_device(device))
    }

    /// These and those; of equal names the others win. Tensors are shared.
    #[must_use]
    pub fn and(&self, others: &Params) -> Self {
        self.with(others.clone().entries)
    }

    /// The same tensors under longer names.
    #[must_use]
    pub fn under(&self, prefix: &str) -> Self {
        self.iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor.shallow_clone())).collect()
    }

    /// Those whose names begin with `prefix`, without it. Tensors are shared.
    #[must_use]
    pub fn part(&self, prefix: &str) -> Self {
        let rest =
            |(name, tensor): (&str, &Tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor.shallow_clone()));
        self.iter().filter_map(rest).collect()
    }

    /// The parameters named by `trains` as leaves that record gradients. Shares memory with `self`.
    #[must_use]
    pub fn requires_grad(&self, trains: &dyn Fn(&str) -> bool) -> Self {
        self.iter()
            .map(|(name, tensor)| {
                let trainable = !is_buffer(name) && tensor.is_floating_point();
                (name.to_owned(), tensor.detach().set_requires_grad(trainable && trains(name)))
            })
            .collect()
    }

    pub fn device(&self) -> Device {
        self.iter().next().map_or(Device::Cpu, |(_, tensor)| tensor.device())
    }

    /// BLAKE3 over names, shapes and values: equal hashes mean bit-identical weights.
    pub fn hash(&self) -> Result<String> {
        let mut hasher = blake3::Hasher::new();
        for (name, tensor) in self.iter() {
            hasher.update(name.as_bytes());
            hasher.update(format!("{:?}{:?}", tensor.kind(), tensor.size()).as_bytes());
            hasher.update(&bytes_of(tensor)?);
        }
        Ok(hasher.finalize().to_hex().to_string())
    }
}

/// The values of a tensor as little-endian bytes, row by row.
pub fn bytes_of(tensor: &Tensor) -> Result<Vec<u8>> {
    let tensor = tensor.detach().to_device(Device::Cpu).contiguous();
    let width = match tensor.kind() {
        Kind::Uint8 | Kind::Int8 | Kind::Bool => 1,
        Kind::Half | Kind::BFloat16 | Kind::Int16 => 2,
        Kind::Float | Kind::Int => 4,
        Kind::Double | Kind::Int64 => 8,
        other => return Err(Problem::internal(format!("Tensors of kind {other:?} cannot be written."))),
    };
    let numel = tensor.numel();
    let mut bytes = vec![0u8; numel * width];
    tensor.f_copy_data_u8(&mut bytes, numel).map_err(|e| Problem::internal("Cannot read a tensor back.").because(e))?;
    Ok(bytes)
}
