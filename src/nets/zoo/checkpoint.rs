//! A finished model from a file in the place of a network: it is judged and repaired instead of trained.

use crate::experiment::method::{Kind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Problem, Result};
use crate::nets::plug::Plug;
use crate::nets::{Architecture, InputSpec, Model, Network, Norm, Params, Pass, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;
use std::rc::Rc;
use tch::Tensor;

pub const ID: &str = "checkpoint";

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The model's file: safetensors, a PyTorch checkpoint, or an attack_result.pt. `demo-healthy`,
    /// `demo-backdoored` and `demo-repaired` are inside the program.
    #[schemars(extend("x-widget" = "file"))]
    pub file: PathBuf,
}

pub static METHOD: Method = Method {
    id: ID,
    kind: Kind::Network,
    name: "Finished model",
    one_line: "Takes a trained model from a file; nothing is trained before the defenses.",
    page: "Somebody else's model, or one of your own: it is judged and checked as it is and then handed to the defenses. Give the \
           attack as well if you know its trigger, so that attack success can be measured. The architecture is \
           recognised from the names and shapes in the file; pictures must have the size that it was trained on.",
    paper: "see the model's own source",
    properties: &[Property::Finished],
    schema: schema_of::<Options>,
    defaults: defaults_of::<Options>,
};

/// The network of the file, whose initial weights are those of the file.
struct Checkpoint {
    model: Model,
}

/// Opens the file that the options name; `input` is what the data offer.
pub fn build(options: &Value, input: &InputSpec) -> Result<Box<dyn Network>> {
    let options: Options = serde_json::from_value(options.clone())
        .map_err(|e| Problem::bad_input("The options of this network do not fit.").because(e))?;
    if options.file.as_os_str().is_empty() {
        return Err(Problem::bad_input("No model file is named.")
            .at("network.options.file")
            .remedy("Name a safetensors file or a PyTorch checkpoint."));
    }
    let model = Model::open(&options.file, input.height)?;
    let own = model.network.input();
    if (own.height, own.width, own.classes) != (input.height, input.width, input.classes) {
        return Err(Problem::bad_input("The model and the data do not fit each other.")
            .at(options.file.display())
            .because(format!("the model takes {} x {} pixels and knows {} classes", own.width, own.height, own.classes))
            .because(format!("the data have {} x {} pixels and {} classes", input.width, input.height, input.classes))
            .remedy("Choose the data set that the model was trained for, or set data.side."));
    }
    Ok(Box::new(Checkpoint { model }))
}

impl Checkpoint {
    fn network(&self) -> &dyn Network {
        let network: &Rc<dyn Network> = &self.model.network;
        &**network
    }
}

impl Network for Checkpoint {
    fn forward(&self, params: &Params, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        self.network().forward(params, x, pass)
    }

    fn sites(&self) -> &[Site] {
        self.network().sites()
    }

    fn trunk(&self) -> Vec<String> {
        self.network().trunk()
    }

    fn norms(&self) -> Vec<Norm> {
        self.network().norms()
    }

    fn architecture(&self) -> &Architecture {
        self.network().architecture()
    }

    fn plugs(&self) -> &[Plug] {
        &self.model.plugs
    }

    fn has_weights(&self) -> bool {
        self.network().has_weights()
    }

    fn initial(&self, _: u64) -> Result<Params> {
        Ok(self.model.params.deep_clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn input(side: i64) -> InputSpec {
        InputSpec { height: side, width: side, mean: [0.5; 3], std: [0.25; 3], classes: 10 }
    }

    #[test]
    fn a_saved_model_comes_back_as_a_network_and_must_fit_the_data() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.safetensors");
        let network = super::super::build("small-resnet", &json!({"width": 4}), input(16)).unwrap();
        let params = network.initial(5).unwrap();
        let model = Model::new(Rc::from(network), params);
        model.save(&file, &[]).unwrap();
        let again = super::super::build(ID, &json!({"file": file}), input(16)).unwrap();
        assert_eq!(again.initial(1).unwrap().hash().unwrap(), model.params.hash().unwrap());
        assert_eq!(again.architecture().id, "small-resnet");
        let problem = super::super::build(ID, &json!({"file": file}), input(32)).err().unwrap();
        assert!(problem.headline.contains("do not fit each other"), "{problem}");
        let problem = super::super::build(ID, &json!({}), input(32)).err().unwrap();
        assert!(problem.place.as_deref() == Some("network.options.file"), "{problem}");
    }
}
