//! Architectures, one file each; `ALL` is the list of them.

pub mod checkpoint;
mod preact_block;
pub mod preact_resnet18;
pub mod small_resnet;
pub mod torchscript;
pub mod wide_resnet;

use super::{Architecture, InputSpec, Network, Site};
use crate::experiment::method::Method;
use crate::experiment::{Problem, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An architecture's description and its constructor.
#[derive(Debug)]
pub struct Zoo {
    pub method: Method,
    pub build: fn(&Value, InputSpec) -> Result<Box<dyn Network>>,
}

/// Architectures that can be trained; [`checkpoint`] brings its own.
pub static ALL: &[&Zoo] = &[&small_resnet::ZOO, &wide_resnet::ZOO, &preact_resnet18::ZOO];

/// Checks of options that a range cannot express.
trait Definition {
    fn check(&self) -> Result<()>;
}

fn parse<T: DeserializeOwned + Definition>(options: &Value) -> Result<T> {
    let options: T = serde_json::from_value(options.clone())
        .map_err(|e| Problem::bad_input("The options of this network do not fit.").because(e))?;
    options.check()?;
    Ok(options)
}

/// The network `id` of the zoo.
pub fn build(id: &str, options: &Value, input: InputSpec) -> Result<Box<dyn Network>> {
    if id == checkpoint::ID {
        return checkpoint::build(options, &input);
    }
    let zoo = ALL.iter().find(|zoo| zoo.method.id == id).ok_or_else(|| {
        let known: Vec<_> = ALL.iter().map(|zoo| zoo.method.id).collect();
        Problem::bad_input(format!("There is no network `{id}`.")).remedy(format!("Known are {}.", known.join(", ")))
    })?;
    (zoo.build)(options, input)
}

fn architecture(zoo: &Zoo, options: &impl Serialize, input: InputSpec) -> Architecture {
    Architecture { id: zoo.method.id.into(), options: serde_json::to_value(options).unwrap_or_default(), input }
}

fn conv_sites(name: &str, inputs: i64, outputs: i64) -> Vec<Site> {
    vec![Site { name: format!("{name}.in"), channels: inputs }, Site { name: format!("{name}.out"), channels: outputs }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::{Mode, Model, Params, Pass};
    use tch::{Kind, Tensor};

    pub fn input(side: i64) -> InputSpec {
        InputSpec { height: side, width: side, mean: [0.5; 3], std: [0.25; 3], classes: 10 }
    }

    fn network(id: &str, options: Value) -> (Box<dyn Network>, Params) {
        let network = build(id, &options, input(32)).unwrap();
        let params = network.initial(1).unwrap();
        (network, params)
    }

    #[test]
    fn counts_are_those_of_the_published_networks() {
        let (_, params) = network("preact-resnet18", serde_json::json!({}));
        assert_eq!((params.len(), params.count()), (102, 11_171_146));
        let (_, params) = network("wide-resnet", serde_json::json!({"depth": 16, "widen": 1}));
        assert_eq!((params.len(), params.count()), (82, 175_066));
        // Zagoruyko and Komodakis give 36.5 million for WRN-28-10.
        let (_, params) = network("wide-resnet", serde_json::json!({"depth": 28, "widen": 10}));
        assert_eq!(params.count(), 36_479_194);
    }

    #[test]
    fn every_network_offers_each_listed_site_once_with_the_listed_channels() {
        for zoo in ALL {
            let network = build(zoo.method.id, &(zoo.method.defaults)(), input(28)).unwrap();
            let params = network.initial(1).unwrap();
            let mut seen = Vec::new();
            let mut look = |name: &str, x: &Tensor| {
                seen.push(Site { name: name.into(), channels: x.size()[1] });
                Ok(None)
            };
            let x = Tensor::randn([2, 3, 28, 28], tch::kind::FLOAT_CPU);
            let logits = network.forward(&params, &x, &mut Pass::eval().hooked(&mut look)).unwrap();
            assert_eq!(logits.size(), [2, 10]);
            seen.sort_by(|a, b| a.name.cmp(&b.name));
            let mut listed = network.sites().to_vec();
            listed.sort_by(|a, b| a.name.cmp(&b.name));
            assert_eq!(seen, listed, "{}", zoo.method.id);
        }
    }

    #[test]
    fn a_pass_can_begin_at_every_site_of_the_trunk_and_ends_the_same() {
        for zoo in ALL {
            let network = build(zoo.method.id, &(zoo.method.defaults)(), input(28)).unwrap();
            let model = Model::new(std::rc::Rc::from(network), Params::new());
            let model = Model { params: model.network.initial(1).unwrap(), ..model };
            let x = Tensor::randn([2, 3, 28, 28], tch::kind::FLOAT_CPU);
            let mut features = Vec::new();
            let mut keep = |name: &str, x: &Tensor| {
                features.push((name.to_owned(), x.shallow_clone()));
                Ok(None)
            };
            let whole = model.forward(&x, &mut Pass::eval().hooked(&mut keep)).unwrap();
            let trunk = model.network.trunk();
            assert!(trunk.len() > 3, "{}", zoo.method.id);
            for site in trunk {
                let (_, at) = features.iter().find(|(name, _)| *name == site).unwrap();
                let rest = model.forward_from(&site, at, &mut Pass::eval()).unwrap();
                assert!(rest.equal(&whole), "{} from {site}", zoo.method.id);
            }
            let problem = model.forward_from("layer9.out", &x, &mut Pass::eval()).unwrap_err();
            assert!(problem.remedy[0].contains("conv1.out"));
        }
    }

    #[test]
    fn a_hook_replaces_what_passes_its_site() {
        let (network, params) = network("small-resnet", serde_json::json!({}));
        let x = Tensor::randn([4, 3, 28, 28], tch::kind::FLOAT_CPU);
        let mut blind = |name: &str, x: &Tensor| Ok((name == "linear.in").then(|| x.zeros_like()));
        let logits = network.forward(&params, &x, &mut Pass::eval().hooked(&mut blind)).unwrap();
        let bias = params.get("linear.bias").unwrap().unsqueeze(0).expand([4, 10], false);
        assert!(logits.allclose(&bias, 1e-6, 1e-6, false));
    }

    #[test]
    fn only_training_mode_moves_running_statistics() {
        let (network, params) = network("small-resnet", serde_json::json!({}));
        let x = Tensor::randn([8, 3, 28, 28], tch::kind::FLOAT_CPU);
        let before = params.hash().unwrap();
        for mode in [Mode::Eval, Mode::BatchStatistics] {
            let _ = network.forward(&params, &x, &mut Pass::new(mode, Kind::Float)).unwrap();
            assert_eq!(params.hash().unwrap(), before, "{mode:?}");
        }
        let _ = network.forward(&params, &x, &mut Pass::new(Mode::Train, Kind::Float)).unwrap();
        assert_ne!(params.hash().unwrap(), before);
    }

    #[test]
    fn low_precision_stays_near_full_precision() {
        let (network, params) = network("small-resnet", serde_json::json!({}));
        let x = Tensor::randn([8, 3, 28, 28], tch::kind::FLOAT_CPU);
        let full = network.forward(&params, &x, &mut Pass::eval()).unwrap();
        let low = network.forward(&params, &x, &mut Pass::new(Mode::Eval, Kind::BFloat16)).unwrap();
        let gap = (&full - &low).abs().max().double_value(&[]);
        assert!(gap < 0.1 * full.abs().max().double_value(&[]), "{gap}");
    }

    #[test]
    fn impossible_options_are_refused() {
        let problem = build("wide-resnet", &serde_json::json!({"depth": 17}), input(32)).err().unwrap();
        assert!(problem.headline.contains("17"));
        assert!(build("resnet-9000", &Value::Null, input(32)).is_err());
    }
}
