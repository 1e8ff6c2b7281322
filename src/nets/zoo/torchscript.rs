//! A TorchScript module as a network: it can be asked, but shows no insides.
//!
//! The module brings its own program. It runs in libtorch's interpreter, which can reach neither files nor the network,
//! but it is still somebody else's code: nothing else in this program runs code from a model file.

use crate::experiment::{Problem, Result};
use crate::nets::{Architecture, InputSpec, Mode, Network, Params, Pass, Site};
use std::cell::RefCell;
use std::path::Path;
use tch::{CModule, Device, IValue, Tensor};

/// Id of this kind of network; it is not in the zoo, because it cannot be built from options.
pub const ID: &str = "torchscript";

pub struct TorchScript {
    architecture: Architecture,
    /// Where the module lives now; it moves to where its input is.
    module: RefCell<(Device, CModule)>,
}

impl TorchScript {
    /// Loads a module and asks it for one picture, to learn the number of classes.
    pub fn open(path: &Path, side: i64) -> Result<Self> {
        let wrong = |e: tch::TchError| {
            Problem::bad_file("This TorchScript module cannot be used.")
                .at(path.display())
                .because(e.to_string().lines().next().unwrap_or_default())
                .remedy("Export it with torch.jit.trace or torch.jit.script from a current PyTorch.")
        };
        let mut module = CModule::load_on_device(path, Device::Cpu).map_err(wrong)?;
        module.f_set_eval().map_err(wrong)?;
        let probe = Tensor::zeros([1, 3, side, side], tch::kind::FLOAT_CPU);
        let logits = tch::no_grad(|| ask(&module, &probe))?;
        let &[1, classes] = logits.size().as_slice() else {
            return Err(Problem::bad_file("This TorchScript module is no classifier of pictures.")
                .at(path.display())
                .because(format!("for one picture it answers with shape {:?}", logits.size())));
        };
        let input = InputSpec { height: side, width: side, mean: [0.0; 3], std: [1.0; 3], classes };
        let architecture = Architecture { id: ID.into(), options: serde_json::json!({}), input };
        Ok(Self { architecture, module: RefCell::new((Device::Cpu, module)) })
    }

    /// The same module for inputs of another range.
    #[must_use]
    pub fn with_input(mut self, input: InputSpec) -> Self {
        self.architecture.input = input;
        self
    }
}

/// Logits of a module that returns a tensor, or a tuple that begins with one.
fn ask(module: &CModule, x: &Tensor) -> Result<Tensor> {
    let unusable = || Problem::bad_file("This TorchScript module does not answer with a tensor.");
    let answer = module.forward_is(&[IValue::Tensor(x.shallow_clone())]).map_err(|e| {
        Problem::bad_file("This TorchScript module fails on a picture.")
            .because(e.to_string().lines().next().unwrap_or_default())
    })?;
    match answer {
        IValue::Tensor(logits) => Ok(logits),
        IValue::Tuple(parts) => match parts.into_iter().next() {
            Some(IValue::Tensor(logits)) => Ok(logits),
            _ => Err(unusable()),
        },
        _ => Err(unusable()),
    }
}

impl Network for TorchScript {
    fn forward(&self, _: &Params, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        if pass.mode != Mode::Eval {
            return Err(Problem::bad_input("A TorchScript module can be judged, but not trained here.")
                .remedy("Open the weights as a PyTorch checkpoint of a network of the zoo."));
        }
        let mut slot = self.module.borrow_mut();
        if slot.0 != x.device() {
            slot.1.to(x.device(), tch::Kind::Float, false);
            slot.0 = x.device();
        }
        ask(&slot.1, x)
    }

    fn sites(&self) -> &[Site] {
        &[]
    }

    fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    fn has_weights(&self) -> bool {
        false
    }

    fn initial(&self, _: u64) -> Result<Params> {
        // Its weights are inside of the module.
        Ok(Params::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traced_network_answers_as_before_and_has_no_sites() {
        let input = InputSpec { height: 8, width: 8, mean: [0.0; 3], std: [1.0; 3], classes: 7 };
        let network = crate::nets::zoo::build("small-resnet", &serde_json::json!({"width": 4}), input).unwrap();
        let params = network.initial(1).unwrap();
        let x = Tensor::rand([2, 3, 8, 8], tch::kind::FLOAT_CPU);
        let mut forward = |inputs: &[Tensor]| vec![network.forward(&params, &inputs[0], &mut Pass::eval()).unwrap()];
        let module = CModule::create_by_tracing("net", "forward", &[x.shallow_clone()], &mut forward).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.pt");
        module.save(&path).unwrap();

        let model = crate::nets::Model::open(&path, 8).unwrap();
        assert_eq!((model.network.architecture().id.as_str(), model.network.input().classes), (ID, 7));
        assert!(model.network.sites().is_empty());
        let logits = model.forward(&x, &mut Pass::eval()).unwrap();
        assert!(logits.allclose(&forward(&[x.shallow_clone()])[0], 1e-5, 1e-5, false));
        let training = model.forward(&x, &mut Pass::new(Mode::Train, tch::Kind::Float));
        assert!(training.is_err());
    }

    #[test]
    fn what_is_no_classifier_of_pictures_is_refused() {
        let fixture = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        let problem = TorchScript::open(&fixture("torchscript.pt"), 8).err().unwrap();
        assert!(problem.headline.contains("TorchScript module"), "{problem}");
        assert!(TorchScript::open(&fixture("legacy.tar"), 8).err().unwrap().headline.contains("cannot be used"));
    }
}
