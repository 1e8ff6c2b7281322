//! From what was saved to named tensors: nested dictionaries, whole modules, wrapper prefixes, pruning masks.

use super::tensors::is_tensor;
use crate::data::pickle::{Value, numpy, shortened};
use crate::experiment::{Problem, Result};
use crate::nets::Params;

/// Where training scripts put the weights, most specific first.
const KEYS: [&str; 7] = ["model", "state_dict", "net", "model_state_dict", "netC", "module", "ema"];

/// What wrappers put in front of every name (data parallelism, `torch.compile`, a surrounding module).
const PREFIXES: [&str; 5] = ["module.", "_orig_mod.", "model.", "net.", "backbone."];

/// Names of the last layer that may stand beside a `backbone.`.
const HEADS: [&str; 4] = ["linear.", "fc.", "classifier.", "head."];

/// Bounds for walking through values that may be shared exponentially often.
const MAX_VISITS: usize = 1_000_000;
const MAX_NAMES: usize = 64 << 20;
/// Most things that are listed as "not read".
const MAX_OTHER: usize = 1000;

/// Tensors by name, not yet read, and what else was met.
#[derive(Default)]
pub struct Flat {
    pub tensors: Vec<(String, Value)>,
    /// Name and description.
    pub other: Vec<(String, String)>,
    visits: usize,
    /// Bytes of all names together.
    names: usize,
}

/// The weights among the values of a file, and the key under which they were.
pub fn choose(root: &Value) -> Result<(Option<&'static str>, Flat)> {
    for key in KEYS {
        // A tensor of that name belongs to a state dict; a container may be one.
        let Some(inner) = root.get(key).filter(|inner| !is_tensor(inner)) else { continue };
        let flat = flatten(inner)?;
        if !flat.tensors.is_empty() {
            return Ok((Some(key), flat));
        }
    }
    let mut flat = Flat::default();
    match root {
        Value::Dict(pairs) => {
            for (key, value) in pairs.iter() {
                let name = name_of(key);
                if is_training_state(&name) {
                    continue;
                }
                flat.visit(&name, value)?;
            }
        }
        other => flat.visit("", other)?,
    }
    if flat.tensors.iter().any(|(_, value)| is_tensor(value)) {
        // Numpy arrays beside real tensors are logs and indices.
        flat.tensors.retain(|(_, value)| is_tensor(value));
    }
    Ok((None, flat))
}

/// Momentum has tensors too, but is no weight.
pub fn is_training_state(name: &str) -> bool {
    ["optim", "sched", "scaler"].iter().any(|part| name.contains(part))
}

fn flatten(value: &Value) -> Result<Flat> {
    let mut flat = Flat::default();
    flat.visit("", value)?;
    Ok(flat)
}

impl Flat {
    fn visit(&mut self, name: &str, value: &Value) -> Result<()> {
        self.visits += 1;
        self.names += name.len();
        if let Some(attributes) = value.opaque().and_then(|object| object.state.as_ref()?.pairs()) {
            self.visits += attributes.len(); // looked through for parameters
        }
        if self.visits > MAX_VISITS || self.names > MAX_NAMES {
            return Err(Problem::bad_file("The dictionaries in this file unfold without end. It is refused.")
                .because(format!("{} entries were met, and there are more.", self.visits))
                .remedy("Ask whoever made it for the weights as safetensors."));
        }
        if is_tensor(value) || numpy::is_array(value) {
            self.tensors.push((name.to_owned(), value.clone()));
            return Ok(());
        }
        if let Some(module) = Module::of(value) {
            return self.visit_module(name, &module);
        }
        match value.pairs() {
            Some(pairs) => pairs.iter().try_for_each(|(key, inner)| self.visit(&join(name, &name_of(key)), inner)),
            None => {
                if !matches!(value, Value::None) && self.other.len() < MAX_OTHER {
                    self.other.push((name.to_owned(), value.describe()));
                }
                Ok(())
            }
        }
    }

    /// The entries that `state_dict()` would list, in its order: parameters, buffers, then the children.
    fn visit_module(&mut self, name: &str, module: &Module) -> Result<()> {
        for (key, value) in module.parameters {
            self.visit(&join(name, &name_of(key)), value)?;
        }
        for (key, value) in module.buffers {
            let key = name_of(key);
            if !module.hidden.iter().any(|hidden| hidden.text() == Some(key.as_str())) {
                self.visit(&join(name, &key), value)?;
            }
        }
        module.children.iter().try_for_each(|(key, child)| self.visit(&join(name, &name_of(key)), child))
    }
}

/// A `torch.nn.Module` that was saved as a whole.
struct Module<'a> {
    parameters: &'a [(Value, Value)],
    buffers: &'a [(Value, Value)],
    children: &'a [(Value, Value)],
    /// Names of buffers that are not saved.
    hidden: &'a [Value],
}

impl<'a> Module<'a> {
    fn of(value: &'a Value) -> Option<Self> {
        let state = value.opaque()?.state.as_ref()?;
        let pairs = |key: &str| state.get(key)?.pairs();
        Some(Self {
            parameters: pairs("_parameters")?,
            children: pairs("_modules")?,
            buffers: pairs("_buffers").unwrap_or_default(),
            hidden: state.get("_non_persistent_buffers_set").and_then(Value::items).unwrap_or_default(),
        })
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

pub fn name_of(key: &Value) -> String {
    match (key.text(), key.int()) {
        (Some(text), _) => shortened(text),
        (None, Some(int)) => int.to_string(),
        (None, None) => key.describe(),
    }
}

/// Takes off what wrappers put in front of all names.
pub fn strip_prefixes(names: &mut [String]) {
    while let Some(prefix) = PREFIXES.iter().find(|prefix| is_wrapper(names, prefix)) {
        for name in names.iter_mut() {
            if let Some(rest) = name.strip_prefix(prefix) {
                *name = rest.to_owned();
            }
        }
    }
}

fn is_wrapper(names: &[String], prefix: &str) -> bool {
    let wrapped = names.iter().filter(|name| name.starts_with(prefix) && name.len() > prefix.len()).count();
    if wrapped == 0 {
        return false;
    }
    let may_stand_beside = |name: &String| prefix == "backbone." && HEADS.iter().any(|head| name.starts_with(head));
    let doubled = || {
        let stripped = |name: &String| name.strip_prefix(prefix).unwrap_or(name).to_owned();
        names.iter().map(stripped).collect::<std::collections::HashSet<_>>().len() != names.len()
    };
    names.iter().all(|name| name.starts_with(prefix) || may_stand_beside(name)) && !doubled()
}

/// Pruning leaves `weight_orig` and `weight_mask`; the effective weight is their product.
///
/// # Errors
/// When a mask does not fit its weights.
pub fn apply_masks(params: Params) -> Result<Params> {
    let mut combined = Params::new();
    for (name, tensor) in params.iter() {
        let base = name.strip_suffix("_orig").or_else(|| name.strip_suffix("_mask"));
        let pair = base.and_then(|base| {
            let orig = params.find(&format!("{base}_orig"))?;
            Some((base, orig, params.find(&format!("{base}_mask"))?))
        });
        match pair {
            None => combined.insert(name, tensor.shallow_clone()),
            Some((base, orig, mask)) if !combined.contains(base) => {
                if orig.size() != mask.size() {
                    return Err(Problem::bad_file(format!("The pruning mask of `{base}` does not fit its weights.")));
                }
                let product = orig.f_mul(&mask.to_kind(orig.kind())).map_err(|error| {
                    Problem::bad_file(format!("Cannot apply the pruning mask of `{base}`.")).because(error)
                })?;
                combined.insert(base, product);
            }
            Some(_) => {}
        }
    }
    Ok(combined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Tensor;

    fn stripped(names: &[&str]) -> Vec<String> {
        let mut names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        strip_prefixes(&mut names);
        names
    }

    #[test]
    fn wrappers_of_wrappers_come_off() {
        assert_eq!(
            stripped(&["module._orig_mod.conv1.weight", "module._orig_mod.fc.bias"]),
            ["conv1.weight", "fc.bias"]
        );
        assert_eq!(stripped(&["backbone.conv1.weight", "linear.weight"]), ["conv1.weight", "linear.weight"]);
    }

    #[test]
    fn names_that_not_all_share_stay() {
        assert_eq!(stripped(&["model.a", "other.b"]), ["model.a", "other.b"]);
        assert_eq!(stripped(&["backbone.linear.weight", "linear.weight"]), ["backbone.linear.weight", "linear.weight"]);
        assert_eq!(stripped(&["module."]), ["module."]);
    }

    #[test]
    fn a_mask_multiplies_and_spectral_norm_is_left_alone() {
        let tensor = |values: &[f32]| Tensor::from_slice(values);
        let params: Params = [
            ("fc.weight_orig".to_owned(), tensor(&[1., 2., 3.])),
            ("fc.weight_mask".to_owned(), tensor(&[1., 0., 1.])),
            ("sn.weight_orig".to_owned(), tensor(&[5.])),
            ("sn.weight_u".to_owned(), tensor(&[6.])),
        ]
        .into_iter()
        .collect();
        let combined = apply_masks(params).unwrap();
        assert_eq!(combined.names().collect::<Vec<_>>(), ["fc.weight", "sn.weight_orig", "sn.weight_u"]);
        assert_eq!(combined.get("fc.weight").unwrap(), &tensor(&[1., 0., 3.]));
    }

    #[test]
    fn masks_must_fit() {
        let params: Params = [
            ("a_orig".to_owned(), Tensor::from_slice(&[1f32, 2.])),
            ("a_mask".to_owned(), Tensor::from_slice(&[1f32])),
        ]
        .into_iter()
        .collect();
        assert!(apply_masks(params).unwrap_err().headline.contains("mask"));
    }
}
