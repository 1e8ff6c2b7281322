//! A door around a network: every picture is stamped when it comes in, and what the network answers is mapped back when it
//! goes out. Both halves are plugs, at the two sites that every model has, so a saved model carries its door with it.
//!
//! The stamp T(x) = x (1 - m) + v m has values that no 8-bit picture has; who sends pictures cannot make it. Pictures come
//! in as 8-bit pixels, that is within 0..=1, and are stamped as floats: nothing rounds or clamps them afterwards.

use super::plug::{Plug, PlugKind};
use super::{InputSpec, Model, Params};
use crate::experiment::{Problem, Result};
use tch::{Kind, Tensor};

/// Where pictures come in, normalised: `[N, 3, H, W]`.
pub const INPUT: &str = "input";
/// Where answers go out: `[N, classes]`.
pub const LOGITS: &str = "logits";

impl Plug {
    /// Writes `value` (in pixels of 0..=1) where `mask`, f32 `[H, W]`, is 1.
    pub fn stamp(mask: &Tensor, value: f64, input: &InputSpec) -> Self {
        let channels: Vec<f32> =
            input.mean.iter().zip(input.std).map(|(mean, std)| ((value - mean) / std) as f32).collect();
        let mut params = Params::new();
        params.insert("mask", mask.unsqueeze(0).unsqueeze(0));
        params.insert("value", Tensor::from_slice(&channels).view([1, 3, 1, 1]));
        Self { site: INPUT.into(), kind: PlugKind::Stamp, params, strength: 1.0 }
    }

    /// Answers class i with the logit of class `order[i]`.
    pub fn permute(order: &[i64]) -> Self {
        let mut params = Params::new();
        params.insert("order", Tensor::from_slice(order));
        Self { site: LOGITS.into(), kind: PlugKind::Permute, params, strength: 1.0 }
    }

    /// Refuses half a door that does not fit the network; a file may hold anything.
    pub fn check(&self, input: &InputSpec) -> Result<()> {
        let fits = match self.kind {
            PlugKind::Polarizer(_) => true,
            PlugKind::Stamp => {
                self.site == INPUT
                    && self.params.get("mask")?.size() == [1, 1, input.height, input.width]
                    && self.params.get("value")?.size() == [1, 3, 1, 1]
            }
            PlugKind::Permute => {
                let order = self.params.get("order")?;
                let mut seen = Vec::<i64>::try_from(order).unwrap_or_default();
                seen.sort_unstable();
                self.site == LOGITS && order.kind() == Kind::Int64 && seen.into_iter().eq(0..input.classes)
            }
        };
        if fits {
            Ok(())
        } else {
            Err(Problem::bad_file("The defensive trigger in this file does not fit its network."))
        }
    }
}

impl Model {
    /// The class that the network itself says where the model answers i, if the model maps labels back.
    pub fn label_map(&self) -> Option<Vec<i64>> {
        let plug = self.plugs.iter().find(|plug| plug.kind == PlugKind::Permute && plug.strength > 0.0)?;
        Vec::<i64>::try_from(plug.params.find("order")?).ok()
    }

    /// The network without its door: no stamp, and its own labels.
    #[must_use]
    pub fn bare(&self) -> Self {
        let mut bare = self.clone();
        for plug in bare.plugs.iter_mut().filter(|plug| !plug.kind.is_polarizer()) {
            plug.strength = 0.0;
        }
        bare
    }
}

/// Pictures after the stamp: f32 `[N, 3, H, W]`, pixels in 0..=1 and `value` under the mask.
pub fn stamped(unit: &Tensor, mask: &Tensor, value: f64) -> Tensor {
    debug_assert_eq!(unit.kind(), Kind::Float, "8-bit pixels cannot hold the stamp");
    let mask = mask.to_device(unit.device());
    unit * (1.0 - &mask) + mask * value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::unit;
    use crate::nets::{Mode, Pass, zoo};
    use std::rc::Rc;

    fn input() -> InputSpec {
        InputSpec { height: 12, width: 12, mean: [0.49, 0.48, 0.45], std: [0.247, 0.243, 0.261], classes: 5 }
    }

    /// The 7 x 7 square in the corner.
    fn square() -> Tensor {
        let mask = Tensor::zeros([12, 12], tch::kind::FLOAT_CPU);
        let _ = mask.narrow(0, 0, 7).narrow(1, 0, 7).fill_(1.0);
        mask
    }

    fn with_door() -> Model {
        let network = zoo::build("small-resnet", &serde_json::json!({"width": 4}), input()).unwrap();
        let params = network.initial(3).unwrap();
        let plugs = vec![Plug::stamp(&square(), 2.0, &input()), Plug::permute(&[1, 2, 3, 4, 0])];
        Model { plugs, ..Model::new(Rc::from(network), params) }
    }

    fn pixels() -> Tensor {
        Tensor::arange(4 * 3 * 12 * 12, tch::kind::INT64_CPU).remainder(251).to_kind(Kind::Uint8).view([4, 3, 12, 12])
    }

    #[test]
    fn the_stamp_changes_its_pixels_only_and_twice_is_once() {
        let x = unit(&pixels());
        let once = stamped(&x, &square(), 2.0);
        // Whoever clamps or rounds the stamped picture fails here.
        assert_eq!(once.max().double_value(&[]), 2.0);
        let changed = once.get(0).ne_tensor(&x.get(0)).sum(Kind::Int64).int64_value(&[]);
        assert_eq!(changed, 7 * 7 * 3);
        assert_eq!(once.eq(2.0).sum(Kind::Int64).int64_value(&[]), 4 * 147);
        assert!(stamped(&once, &square(), 2.0).equal(&once));
    }

    #[test]
    fn stamping_normalised_pictures_is_stamping_pixels() {
        let (spec, x) = (input(), unit(&pixels()));
        let plug = Plug::stamp(&square(), 2.0, &spec);
        let by_plug = plug.apply(&spec.normalise(&x), Mode::Eval).unwrap();
        let by_pixels = spec.normalise(&stamped(&x, &square(), 2.0));
        assert!(by_plug.allclose(&by_pixels, 1e-5, 1e-5, false));
    }

    #[test]
    fn permuted_logits_keep_their_values_and_move_the_winner_back() {
        let order = [2i64, 0, 3, 1];
        let plug = Plug::permute(&order);
        let z = Tensor::randn([50, 4], tch::kind::FLOAT_CPU);
        let out = plug.apply(&z, Mode::Eval).unwrap();
        assert!(out.sort(1, false).0.equal(&z.sort(1, false).0), "the same values");
        let (raw, mapped) = (z.argmax(1, false), out.argmax(1, false));
        for row in 0..50 {
            assert_eq!(order[mapped.int64_value(&[row]) as usize], raw.int64_value(&[row]));
        }
        // As a matrix P with P[h(i), i] = 1: orthogonal, and the same answer.
        let matrix = Tensor::zeros([4, 4], tch::kind::FLOAT_CPU);
        for (i, &h) in order.iter().enumerate() {
            let _ = matrix.get(h).get(i as i64).fill_(1.0);
        }
        assert!(matrix.matmul(&matrix.transpose(0, 1)).equal(&Tensor::eye(4, tch::kind::FLOAT_CPU)));
        assert!(z.matmul(&matrix).equal(&out));
    }

    #[test]
    fn a_saved_model_carries_its_door_and_the_bare_one_has_none() {
        let model = with_door();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("door.safetensors");
        model.save(&path, &[]).unwrap();
        let again = Model::open(&path, 0).unwrap();
        let answers = model.predict(&pixels(), Kind::Float).unwrap();
        assert!(again.predict(&pixels(), Kind::Float).unwrap().equal(&answers));
        assert_eq!(again.label_map(), Some(vec![1, 2, 3, 4, 0]));

        let bare = again.bare();
        assert_eq!(bare.label_map(), None);
        let plain = Model::new(Rc::clone(&model.network), model.params.clone());
        assert!(bare.predict(&pixels(), Kind::Float).unwrap().equal(&plain.predict(&pixels(), Kind::Float).unwrap()));
        // By hand: stamp, network, map back.
        let x = input().normalise(&stamped(&unit(&pixels()), &square(), 2.0));
        let raw = plain.forward(&x, &mut Pass::eval()).unwrap();
        let mapped = raw.index_select(1, &Tensor::from_slice(&[1i64, 2, 3, 4, 0]));
        assert!(mapped.allclose(&answers, 1e-4, 1e-4, false));
    }

    #[test]
    fn a_door_of_another_size_is_refused() {
        let other = InputSpec { classes: 4, width: 11, ..input() };
        for plug in with_door().plugs {
            plug.check(&input()).unwrap();
            assert!(plug.check(&other).unwrap_err().headline.contains("does not fit"));
        }
        assert!(Plug::permute(&[0, 1, 1, 2, 3]).check(&input()).is_err());
    }

    #[test]
    fn what_begins_inside_the_network_is_not_stamped_again() {
        let model = with_door();
        let x = input().normalise(&unit(&pixels()));
        let mut inside = None;
        let mut catch = |site: &str, x: &Tensor| {
            if site == "layer1.0.out" {
                inside = Some(x.shallow_clone());
            }
            Ok(None)
        };
        let whole = model.forward(&x, &mut Pass::eval().hooked(&mut catch)).unwrap();
        let rest = model.forward_from("layer1.0.out", &inside.unwrap(), &mut Pass::eval()).unwrap();
        assert!(rest.equal(&whole));
    }
}
