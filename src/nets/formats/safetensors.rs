use crate::experiment::{Problem, Result};
use crate::nets::Params;
use crate::nets::params::bytes_of;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
pub fn write(path: &Path, params: &Params, metadata: &BTreeMap<String, String>) -> Result<()> {
    let data: Vec<_> = params
        .iter()
        .map(|(n, t)| {
            Ok((
                n.to_owned(),
                if t.kind() == tch::Kind::Int64 { Dtype::I64 } else { Dtype::F32 },
                t.size().iter().map(|&s| s as usize).collect::<Vec<_>>(),
                bytes_of(t)?,
            ))
        })
        .collect::<Result<_>>()?;
    let views: Vec<_> =
        data.iter().map(|(n, d, s, b)| (n.clone(), TensorView::new(*d, s.clone(), b).unwrap())).collect();
    let bytes = safetensors::serialize(views, Some(metadata.clone().into_iter().collect::<HashMap<_, _>>())).unwrap();
    crate::run::atomic::write_atomic(path, &bytes)
}
pub fn read(path: &Path) -> Result<(Params, BTreeMap<String, String>)> {
    let bytes = std::fs::read(path).map_err(|e| Problem::io("read", path, &e))?;
    let st = SafeTensors::deserialize(&bytes).map_err(|e| Problem::bad_file("x").because(e))?;
    let (_, m) = SafeTensors::read_metadata(&bytes).map_err(|e| Problem::bad_file("x").because(e))?;
    let p = st
        .tensors()
        .into_iter()
        .map(|(n, v)| {
            (
                n,
                tch::Tensor::from_data_size(
                    v.data(),
                    &v.shape().iter().map(|&s| s as i64).collect::<Vec<_>>(),
                    if v.dtype() == Dtype::I64 { tch::Kind::Int64 } else { tch::Kind::Float },
                ),
            )
        })
        .collect();
    Ok((p, m.metadata().clone().unwrap_or_default().into_iter().collect()))
}
