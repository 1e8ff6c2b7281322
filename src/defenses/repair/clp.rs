//! CLP: prunes channels that react too strongly, from the weights alone.
//!
//! A trigger is small and must still turn the answer around, so a channel that serves it amplifies more than its
//! neighbours. A convolution followed by a batch normalisation amplifies channel c by at most
//!
//! ```text
//! lambda_c = sigma_max(W_c as [inputs, k k]) |gamma_c| / sqrt(variance_c + epsilon)
//! ```
//!
//! and channels more than u standard deviations above the mean of their layer are switched off. No picture is needed; it
//! takes a second. Look at the strips of lambda, layer by layer.
//!
//! Zheng, Tang, Li, Liu: Data-free Backdoor Removal Based on Channel Lipschitzness. ECCV 2022. Deviations: epsilon is not
//! left out, and where a normalisation sees the sum of several convolutions their bounds are added (or it is left alone),
//! while the reference takes the convolution that happens to stand before it in the file.

use crate::data::pictures;
use crate::defenses::{DefenderData, Defense, Entry, Repair, parse};
use crate::experiment::method::{Kind as MethodKind, Method, Property, defaults_of, schema_of};
use crate::experiment::{Outcome, Problem, Result};
use crate::nets::layers::BATCH_NORM_EPSILON;
use crate::nets::training::fit::AfterEpoch;
use crate::nets::{Model, Network, Norm, Params};
use crate::run::job::Job;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Standard deviations above the mean of its layer from which on a channel is switched off.
    #[schemars(range(min = 0.0, max = 10.0), extend("x-paper" = 3.0))]
    pub u: f64,
    pub pairing: Pairing,
}

/// Which normalisations are looked at in networks with shortcuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pairing {
    /// Only those that follow one convolution.
    Exact,
    /// Also those of sums: the bounds of all convolutions in the sum are added.
    ResidualSum,
}

impl Pairing {
    /// The normalisations of a network that are looked at.
    pub fn norms(self, network: &dyn Network) -> Vec<Norm> {
        let wanted = |norm: &Norm| self == Pairing::ResidualSum || norm.producers.len() == 1;
        network.norms().into_iter().filter(wanted).collect()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { u: 3.0, pairing: Pairing::Exact }
    }
}

pub static ENTRY: Entry = Entry {
    method: Method {
        id: "clp",
        kind: MethodKind::Repair,
        name: "CLP",
        one_line: "Switches off channels that amplify far more than their neighbours; needs no data.",
        page: "A backdoor must turn the answer around with a small trigger, so the channels that serve it are unusually \
               sensitive. How much a channel can amplify follows from its weights alone. Channels that stand out in \
               their layer are switched off; that takes a second and no picture.\n\nIt works where a backdoor sits in \
               few channels, and fails where it is spread over many (Blended, WaNet) or the attacker kept the weights \
               small. Clean models have sensitive channels too, so some accuracy is always lost at small u.",
        paper: "Zheng, Tang, Li, Liu: Data-free Backdoor Removal Based on Channel Lipschitzness. ECCV, 2022",
        properties: &[Property::NeedsBatchNorm],
        schema: schema_of::<Options>,
        defaults: defaults_of::<Options>,
    },
    make: |options| Ok(Defense::Repair(Box::new(Clp { options: parse(options)? }))),
};

struct Clp {
    options: Options,
}

impl Repair for Clp {
    fn epochs(&self) -> usize {
        0
    }

    fn check(&self, network: &dyn Network) -> Result<()> {
        if network.norms().is_empty() {
            return Err(Problem::bad_input("CLP needs convolutions with batch normalisation, and knows none here.")
                .at("defense.id")
                .remedy("Use a network of the zoo."));
        }
        Ok(())
    }

    fn repair(
        &self,
        job: &mut Job,
        phase: &str,
        mut model: Model,
        _: &DefenderData,
        _: &mut AfterEpoch,
    ) -> Outcome<Model> {
        let norms = self.options.pairing.norms(&*model.network);
        job.work(0, norms.len() as u64, "layers");
        let (mut pruned, mut channels) = (0, 0);
        let mut strips = Vec::new();
        for norm in &norms {
            job.tick()?;
            let bounds = bounds(&model.params, norm)?;
            let outliers = outliers(&bounds, self.options.u);
            for part in ["weight", "bias"] {
                let old = model.params.get(&format!("{}.{part}", norm.name))?;
                let new = old.masked_fill(&outliers.to_device(old.device()), 0.0);
                model.params.insert(format!("{}.{part}", norm.name), new);
            }
            pruned += outliers.sum(Kind::Int64).int64_value(&[]);
            channels += bounds.size()[0];
            strips.push(bounds);
            job.advance(0);
        }
        job.note(format!("{phase}: {pruned} of {channels} channels in {} layers switched off", norms.len()));
        job.metrics(phase, 0.0, &[("pruned-channels", pruned as f64)])?;
        pictures::keep(job, phase, SHEET, pictures::heat_map(&sheet(&strips))?)?;
        Ok(model)
    }
}

/// The most that each channel of a normalisation can amplify: f64 `[channels]`.
pub fn bounds(params: &Params, norm: &Norm) -> Result<Tensor> {
    let mut total: Option<Tensor> = None;
    for producer in &norm.producers {
        let weight =
            params.get(&format!("{producer}.weight"))?.detach().to_device(tch::Device::Cpu).to_kind(Kind::Double);
        let matrices = weight.contiguous().flatten(2, 3);
        // The largest singular value is the root of the smaller Gram matrix's largest eigenvalue.
        let gram = if matrices.size()[1] < matrices.size()[2] {
            matrices.matmul(&matrices.transpose(1, 2))
        } else {
            matrices.transpose(1, 2).matmul(&matrices)
        };
        let largest = gram.linalg_eigvalsh("L").amax([-1i64].as_slice(), false).clamp_min(0.0).sqrt();
        total = Some(match total {
            Some(total) => total + largest,
            None => largest,
        });
    }
    let total = total.ok_or_else(|| Problem::internal("A normalisation without a convolution."))?;
    let part = |name: &str| -> Result<Tensor> {
        Ok(params.get(&format!("{}.{name}", norm.name))?.detach().to_device(tch::Device::Cpu).to_kind(Kind::Double))
    };
    Ok(total * part("weight")?.abs() / (part("running_var")? + BATCH_NORM_EPSILON).sqrt())
}

/// Which channels stand more than `u` standard deviations above the mean: bool `[channels]`.
pub fn outliers(bounds: &Tensor, u: f64) -> Tensor {
    let limit = bounds.mean(Kind::Double) + bounds.std(true) * u;
    bounds.gt_tensor(&limit)
}

/// What is seen on the sheet.
pub const SHEET: &str =
    "How strongly each channel amplifies, in standard deviations from the mean of its layer (a row)";

/// One row a layer, in standard deviations, padded with zeros: f32 `[layers, channels]`.
pub fn sheet(strips: &[Tensor]) -> Tensor {
    let widest = strips.iter().map(|strip| strip.size()[0]).max().unwrap_or(1);
    let rows: Vec<Tensor> = strips
        .iter()
        .map(|strip| {
            let row = (strip - strip.mean(Kind::Double)) / (strip.std(true) + 1e-12);
            row.to_kind(Kind::Float).constant_pad_nd([0, widest - strip.size()[0]])
        })
        .collect();
    Tensor::stack(&rows, 0)
}

#[cfg(test)]
mod tests {
    use super::super::passes::tests::{changed, repaired, small_model};
    use super::*;

    #[test]
    fn the_bound_is_the_largest_singular_value_times_the_scale() {
        let model = small_model();
        for norm in model.network.norms() {
            let found = bounds(&model.params, &norm).unwrap();
            let mut wanted = Tensor::zeros([found.size()[0]], (Kind::Double, tch::Device::Cpu));
            for producer in &norm.producers {
                let weight = model.params.get(&format!("{producer}.weight")).unwrap().to_kind(Kind::Double);
                let (_, singular, _) = weight.contiguous().flatten(2, 3).svd(true, true);
                wanted += singular.select(1, 0);
            }
            // Fresh statistics: scale 1, variance 1.
            wanted /= (1.0f64 + BATCH_NORM_EPSILON).sqrt();
            assert!((found - wanted).abs().max().double_value(&[]) < 1e-9, "{}", norm.name);
        }
    }

    #[test]
    fn a_channel_that_shouts_is_switched_off_and_sets_nest() {
        let mut values = vec![1.0f64; 40];
        values[7] = 9.0;
        values[8] = 3.0;
        let bounds = Tensor::from_slice(&values);
        let off = |u: f64| Vec::<bool>::try_from(outliers(&bounds, u)).unwrap();
        assert_eq!(off(3.0).iter().filter(|&&off| off).count(), 1);
        assert!(off(3.0)[7] && off(1.0)[7] && off(1.0)[8]);
        assert!(!off(100.0).contains(&true));
        assert!(
            !Vec::<bool>::try_from(outliers(&Tensor::ones([9], (Kind::Double, tch::Device::Cpu)), 3.0))
                .unwrap()
                .contains(&true)
        );
    }

    #[test]
    fn only_scales_and_shifts_of_chosen_layers_change() {
        let before = small_model();
        let mut loud = before.deep_clone();
        let weight = loud.params.get("layer2.0.conv1.weight").unwrap().copy();
        let _ = weight.get(3).g_mul_scalar_(50.0);
        loud.params.insert("layer2.0.conv1.weight", weight);
        let after = repaired(&Clp { options: Options { u: 2.4, ..Options::default() } }, &loud);
        let names = changed(&loud, &after);
        assert!(names.contains(&"layer2.0.bn2.weight".to_owned()), "{names:?}");
        assert!(names.iter().all(|name| name.contains(".bn2.")), "only exact pairs: {names:?}");
        assert_eq!(after.params.get("layer2.0.bn2.weight").unwrap().double_value(&[3]), 0.0);
        let untouched = repaired(&Clp { options: Options { u: 10.0, ..Options::default() } }, &before);
        assert_eq!(untouched.params.hash().unwrap(), before.params.hash().unwrap());
    }
}
