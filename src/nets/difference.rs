//! Two models held against each other, weight by weight.

use super::plug::Plug;
use super::{Model, Params};
use crate::run::model_difference::{ModelDifference, Part};
use tch::{Kind, Tensor};

/// What the second model has in the place of the first. Whether they show weights at all is the caller's business.
pub fn between(before: &Model, after: &Model) -> ModelDifference {
    let networks = [before, after].map(network_words);
    let mut difference = ModelDifference { networks, ..ModelDifference::default() };
    layers(&before.params, &after.params, &mut difference);
    let plugs = |model: &Model| -> Vec<(String, Params)> {
        model.plugs.iter().map(|plug| (plug_words(plug), plug.params.clone())).collect()
    };
    let (mut removed, inserted) = (plugs(before), plugs(after));
    for (name, params) in inserted {
        match removed.iter().position(|(known, _)| *known == name) {
            // Both have it: a layer like any other.
            Some(at) => {
                let (_, known) = removed.remove(at);
                let part = Part { differing: differing(&known, &params), numbers: numbers(&params), name };
                difference.layers.push(part);
            }
            None => difference.inserted.push(whole(name, &params)),
        }
    }
    difference.removed.extend(removed.into_iter().map(|(name, params)| whole(name, &params)));
    difference
}

/// Architecture with its options: `small-resnet, width 16`.
pub fn network_words(model: &Model) -> String {
    let architecture = model.network.architecture();
    let options = match &architecture.options {
        serde_json::Value::Object(options) if !options.is_empty() => {
            let each = options.iter().map(|(name, value)| format!("{name} {value}"));
            format!(", {}", each.collect::<Vec<_>>().join(", "))
        }
        _ => String::new(),
    };
    format!("{}{options}", architecture.id)
}

/// `neural polarizer at layer3.1.conv1.in`.
pub fn plug_words(plug: &Plug) -> String {
    format!("{} at {}", plug.kind.name(), plug.site)
}

/// Compares what belongs to the networks themselves; a layer is what has a name in common but for its last part.
fn layers(before: &Params, after: &Params, difference: &mut ModelDifference) {
    let names = |params: &Params| {
        let mut names: Vec<String> = Vec::new();
        for name in params.names() {
            let layer = layer_of(name);
            if names.last().is_none_or(|last| last != layer) && !names.iter().any(|known| known == layer) {
                names.push(layer.to_owned());
            }
        }
        names
    };
    let of_layer = |params: &Params, layer: &str| -> Params {
        let own = params.iter().filter(|(name, _)| layer_of(name) == layer);
        own.map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone())).collect()
    };
    let known = names(before);
    for layer in names(after) {
        let now = of_layer(after, &layer);
        if known.contains(&layer) {
            let differing = differing(&of_layer(before, &layer), &now);
            difference.layers.push(Part { differing, numbers: numbers(&now), name: layer });
        } else {
            difference.inserted.push(whole(layer, &now));
        }
    }
    let now = names(after);
    let gone = known.into_iter().filter(|layer| !now.contains(layer));
    difference.removed.extend(gone.map(|layer| {
        let params = of_layer(before, &layer);
        whole(layer, &params)
    }));
}

/// `layer4.1.conv1.weight` belongs to `layer4.1.conv1`.
fn layer_of(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(layer, _)| layer)
}

/// What a network computes with: weights and statistics, but not the counter of batches, which nothing reads.
fn counted(params: &Params) -> impl Iterator<Item = (&str, &Tensor)> {
    params.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked"))
}

fn numbers(params: &Params) -> u64 {
    counted(params).map(|(_, tensor)| tensor.numel() as u64).sum()
}

/// All of it is new, or gone.
fn whole(name: String, params: &Params) -> Part {
    let numbers = numbers(params);
    Part { name, differing: numbers, numbers }
}

/// Numbers of `now` that `before` does not have at their place.
fn differing(before: &Params, now: &Params) -> u64 {
    let of_one = |(name, tensor): (&str, &Tensor)| match before.find(name) {
        Some(known) if known.size() == tensor.size() => {
            let unequal = known.to_kind(Kind::Double).ne_tensor(&tensor.to_kind(Kind::Double));
            unequal.sum(Kind::Int64).int64_value(&[]) as u64
        }
        _ => tensor.numel() as u64,
    };
    counted(now).map(of_one).sum()
}
