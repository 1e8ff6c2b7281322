//! A network with its weights and plugs, and its file.

use super::door::{INPUT, LOGITS};
use super::formats::{self, recognise, safetensors};
use super::plug::{Plug, PlugHook, PlugKind};
use super::zoo::torchscript::TorchScript;
use super::{Architecture, InputSpec, Mode, Network, Params, Pass, Start, zoo};
use crate::data::augment::unit;
use crate::experiment::{Problem, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use tch::{Device, Kind, Tensor};

/// What can be asked for a prediction.
#[derive(Clone)]
pub struct Model {
    pub network: Rc<dyn Network>,
    pub params: Params,
    pub plugs: Vec<Plug>,
}

const ARCHITECTURE: &str = "polariscope.architecture";
const PLUGS: &str = "polariscope.plugs";

#[derive(Serialize, Deserialize)]
struct PlugCard {
    site: String,
    kind: PlugKind,
}

impl Model {
    pub fn new(network: Rc<dyn Network>, params: Params) -> Self {
        Self { network, params, plugs: Vec::new() }
    }

    /// Logits for normalised pictures `[N, 3, H, W]`.
    pub fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        forward(&*self.network, &self.params, &self.plugs, x, pass)
    }

    /// [`Model::forward`] from a site of the trunk on; `x` is what reaches it.
    pub fn forward_from(&self, site: &str, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        pass.start = Some(Start { site: site.to_owned(), x: x.shallow_clone() });
        self.forward(x, pass)
    }

    /// f32 logits for u8 pixels in evaluation mode, without gradients.
    pub fn predict(&self, pixels: &Tensor, kind: Kind) -> Result<Tensor> {
        tch::no_grad(|| {
            let x = self.network.input().prepare(pixels, self.params.device())?;
            self.forward(&x, &mut Pass::new(Mode::Eval, kind))
        })
    }

    #[must_use]
    pub fn to_device(&self, device: Device) -> Self {
        let plugs = self.plugs.iter().map(|plug| Plug { params: plug.params.to_device(device), ..plug.clone() });
        Self { network: Rc::clone(&self.network), params: self.params.to_device(device), plugs: plugs.collect() }
    }

    /// A copy whose weights have their own memory.
    #[must_use]
    pub fn deep_clone(&self) -> Self {
        let plugs = self.plugs.iter().map(|plug| Plug { params: plug.params.deep_clone(), ..plug.clone() });
        Self { network: Rc::clone(&self.network), params: self.params.deep_clone(), plugs: plugs.collect() }
    }

    /// Writes weights, plugs and architecture into one safetensors file.
    pub fn save(&self, path: &Path, facts: &[(&str, String)]) -> Result<()> {
        let mut params = self.params.clone();
        for (index, plug) in self.plugs.iter().enumerate() {
            for (name, tensor) in plug.params.iter() {
                params.insert(format!("plug.{index}.{name}"), tensor.shallow_clone());
            }
        }
        let cards: Vec<PlugCard> =
            self.plugs.iter().map(|plug| PlugCard { site: plug.site.clone(), kind: plug.kind }).collect();
        let mut metadata: BTreeMap<String, String> =
            facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        metadata.insert(ARCHITECTURE.into(), json(self.network.architecture())?);
        metadata.insert(PLUGS.into(), json(&cards)?);
        metadata.insert("polariscope.version".into(), env!("CARGO_PKG_VERSION").into());
        safetensors::write(path, &params, &metadata)
    }

    /// Opens a model of any known format. Architecture and input range come from the file where it says them, else
    /// from names, shapes and the first layer's statistics (see [`guess_input`]).
    pub fn open(path: &Path, side: i64) -> Result<Self> {
        let bytes = formats::whole_file(path)?;
        if matches!(formats::sniff(&bytes), Ok(formats::Container::TorchScript)) {
            return Ok(Self::new(Rc::new(TorchScript::open(path, side)?), Params::new()));
        }
        formats::read_bytes(&bytes)
            .and_then(|checkpoint| Self::from_checkpoint(checkpoint, side))
            .map_err(|problem| problem.at(path.display()))
    }

    /// `side` is the height and width of the pictures when the file does not say it.
    pub fn from_checkpoint(checkpoint: formats::Checkpoint, side: i64) -> Result<Self> {
        let mut params = checkpoint.params;
        let architecture = match checkpoint.metadata.get(ARCHITECTURE) {
            Some(text) => serde_json::from_str::<Architecture>(text)
                .map_err(|e| Problem::bad_file("The description of the network in this file is damaged.").because(e))?,
            None => recognised_architecture(&params, side)?,
        };
        let mut plugs = Vec::new();
        if let Some(text) = checkpoint.metadata.get(PLUGS) {
            let cards: Vec<PlugCard> = serde_json::from_str(text)
                .map_err(|e| Problem::bad_file("The description of the plugs in this file is damaged.").because(e))?;
            for (index, card) in cards.into_iter().enumerate() {
                let prefix = format!("plug.{index}.");
                let names: Vec<String> =
                    params.names().filter(|name| name.starts_with(&prefix)).map(str::to_owned).collect();
                let own = names
                    .iter()
                    .filter_map(|name| Some((name[prefix.len()..].to_owned(), params.remove(name)?)))
                    .collect();
                plugs.push(Plug { site: card.site, kind: card.kind, params: own, strength: 1.0 });
            }
        }
        for plug in &plugs {
            plug.check(&architecture.input)?;
        }
        let network = zoo::build(&architecture.id, &architecture.options, architecture.input.clone())?;
        let params = fit_names(&*network, params)?;
        Ok(Self { network: Rc::from(network), params, plugs })
    }
}

/// What the plugs of a saved model do, in their order, as its file says.
pub fn plug_kinds(metadata: &BTreeMap<String, String>) -> Vec<PlugKind> {
    let cards: Option<Vec<PlugCard>> = metadata.get(PLUGS).and_then(|text| serde_json::from_str(text).ok());
    cards.unwrap_or_default().into_iter().map(|card| card.kind).collect()
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Problem::internal("Cannot describe this model.").because(e))
}

/// [`Model::forward`] with other weights or plugs for one call.
pub fn forward(network: &dyn Network, params: &Params, plugs: &[Plug], x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
    if plugs.is_empty() {
        return between_doors(network, params, x, pass);
    }
    let mode = pass.mode;
    let mut hook = PlugHook { plugs, mode, next: pass.hook.as_deref_mut().map(|hook| hook as &mut dyn super::Hook) };
    let mut inner = Pass::new(mode, pass.kind).hooked(&mut hook);
    inner.start = pass.start.take();
    between_doors(network, params, x, &mut inner)
}

/// The network between the two sites that every model has: `input` and `logits`.
fn between_doors(network: &dyn Network, params: &Params, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
    // What begins further inside has passed the input already.
    let x = if pass.start.is_none() { pass.site(INPUT, x.shallow_clone())? } else { x.shallow_clone() };
    let logits = network.forward(params, &x, pass)?;
    pass.site(LOGITS, logits)
}

/// Orders a state dict as the network wants it and tells what is missing, left over or of another shape.
pub fn fit_names(network: &dyn Network, mut params: Params) -> Result<Params> {
    let wanted = network.initial(0)?;
    let mut missing = Vec::new();
    let mut other_shape = Vec::new();
    let mut fitted = Params::new();
    for (name, tensor) in wanted.iter() {
        match params.remove(name) {
            Some(found) if found.size() == tensor.size() => {
                let found = if found.is_floating_point() { found.to_kind(Kind::Float) } else { found };
                fitted.insert(name, super::layers::channels_last(&found));
            }
            Some(found) => other_shape.push(format!("{name}: {:?} instead of {:?}", found.size(), tensor.size())),
            // Checkpoints older than PyTorch 0.4.1 have no such counter, and nothing reads it.
            None if name.ends_with("num_batches_tracked") => fitted.insert(name, tensor.shallow_clone()),
            None => missing.push(name.to_owned()),
        }
    }
    let left_over: Vec<String> = params.names().map(str::to_owned).collect();
    if missing.is_empty() && other_shape.is_empty() && left_over.is_empty() {
        return Ok(fitted);
    }
    let mut problem = Problem::bad_file("These weights do not fit this network.");
    for (what, names) in [("missing", missing), ("left over", left_over), ("of another shape", other_shape)] {
        if !names.is_empty() {
            let shown = names.iter().take(6).cloned().collect::<Vec<_>>().join(", ");
            let more = if names.len() > 6 { format!(" and {} more", names.len() - 6) } else { String::new() };
            problem = problem.because(format!("{what}: {shown}{more}"));
        }
    }
    Err(problem)
}

fn recognised_architecture(params: &Params, side: i64) -> Result<Architecture> {
    let found = recognise::recognise(params).ok_or_else(|| {
        Problem::bad_file("The network of these weights is not known.")
            .because(format!("{} tensors, first {}", params.len(), params.names().next().unwrap_or("none")))
            .remedy("Known are PreAct-ResNet18, WideResNet and Polariscope's small ResNet.")
    })?;
    if !found.in_zoo {
        return Err(Problem::bad_file(format!("These are weights of {}, which cannot be run here.", found.name))
            .remedy("`polariscope inspect` shows what is in the file."));
    }
    let (_, mean, std) = guess_input(params);
    let input = InputSpec { height: side, width: side, mean, std, classes: found.classes };
    Ok(Architecture { id: found.id, options: found.options, input })
}

/// What range of inputs a network was trained on, read from its own statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputRange {
    /// Pixels in 0..=1, not normalised.
    Unit,
    /// Pixels in 0..=255.
    Bytes,
    /// Mean subtracted, divided by the standard deviation.
    Normalised,
    Unknown,
}

impl InputRange {
    pub fn describe(self) -> &'static str {
        match self {
            InputRange::Unit => "RGB in 0..1, not normalised",
            InputRange::Bytes => "RGB in 0..255, not normalised",
            InputRange::Normalised => "RGB normalised to mean 0 (CIFAR-10 statistics assumed)",
            InputRange::Unknown => "unknown; 0..1 assumed",
        }
    }
}

/// CIFAR-10's statistics, the benchmark's default.
pub const CIFAR10_MEAN: [f64; 3] = [0.4914, 0.4822, 0.4465];
pub const CIFAR10_STD: [f64; 3] = [0.247, 0.243, 0.261];

/// Range, mean and standard deviation of the inputs a network was trained on.
///
/// The batch normalisation behind the first convolution knows the mean of each of its output channels, and that mean is
/// the convolution's weights summed over the window times the mean input: least squares gives the three input means back.
pub fn guess_input(params: &Params) -> (InputRange, [f64; 3], [f64; 3]) {
    let range = mean_input(params).map_or(InputRange::Unknown, |means| {
        let middle = means.iter().sum::<f64>() / 3.0;
        match middle {
            m if m.abs() < 0.2 => InputRange::Normalised,
            m if (0.2..1.0).contains(&m) => InputRange::Unit,
            m if (20.0..255.0).contains(&m) => InputRange::Bytes,
            _ => InputRange::Unknown,
        }
    });
    match range {
        InputRange::Normalised => (range, CIFAR10_MEAN, CIFAR10_STD),
        InputRange::Bytes => (range, [0.0; 3], [1.0 / 255.0; 3]),
        InputRange::Unit | InputRange::Unknown => (range, [0.0; 3], [1.0; 3]),
    }
}

/// Estimated mean of each input channel, where the network begins with a convolution and a batch normalisation.
fn mean_input(params: &Params) -> Option<Vec<f64>> {
    let weight = params.find("conv1.weight")?;
    if weight.dim() != 4 || weight.size()[1] != 3 {
        return None;
    }
    let outputs = weight.size()[0];
    let first_mean =
        params.iter().find(|(name, tensor)| name.ends_with("running_mean") && tensor.size() == [outputs])?.1;
    let a = weight.to_kind(Kind::Double).sum_dim_intlist([2i64, 3].as_slice(), false, Kind::Double);
    let b = first_mean.to_kind(Kind::Double).unsqueeze(1);
    let normal = a.transpose(0, 1).matmul(&a) + Tensor::eye(3, (Kind::Double, Device::Cpu)) * 1e-6;
    let solution = Tensor::f_linalg_solve(&normal, &a.transpose(0, 1).matmul(&b), true).ok()?;
    let means = Vec::<f64>::try_from(solution.view([-1])).ok()?;
    means.iter().all(|mean| mean.is_finite()).then_some(means)
}

impl InputSpec {
    /// u8 `[N, 3, H, W]` to normalised f32 on `device`, channels last.
    pub fn prepare(&self, pixels: &Tensor, device: Device) -> Result<Tensor> {
        let size = pixels.size();
        if size.len() != 4 || size[2] != self.height || size[3] != self.width {
            return Err(Problem::bad_input(format!(
                "This model wants pictures of {} x {} pixels, these have {:?}.",
                self.height,
                self.width,
                &size[2.min(size.len())..]
            ))
            .remedy("Set data.side to the model's side."));
        }
        Ok(self.normalise(&super::layers::channels_last(&unit(&pixels.to_device(device)))))
    }

    /// Pixels in 0..=1 to the network's range.
    pub fn normalise(&self, unit: &Tensor) -> Tensor {
        (unit - self.channel(&self.mean, unit)) / self.channel(&self.std, unit)
    }

    /// The network's range back to 0..=1.
    pub fn denormalise(&self, x: &Tensor) -> Tensor {
        x * self.channel(&self.std, x) + self.channel(&self.mean, x)
    }

    fn channel(&self, values: &[f64; 3], like: &Tensor) -> Tensor {
        Tensor::from_slice(values).to_kind(Kind::Float).to_device(like.device()).view([1, 3, 1, 1])
    }
}
