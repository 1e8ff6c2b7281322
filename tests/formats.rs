//! Checkpoint files: what PyTorch wrote is what is read, and no file does harm.
//!
//! The files in `tests/fixtures` are made by `make_fixtures.py` there; `expected.json` is what PyTorch saw in them.

#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use polariscope::experiment::Code;
use polariscope::nets::Params;
use polariscope::nets::formats::{self, Checkpoint, Container, PoisonedPicture, TorchFile, recognise};
use polariscope::nets::params::bytes_of;
use proptest::prelude::*;
use pytorch_reader::{DType, PytorchReader};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tch::{Device, Kind, Tensor};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn read(name: &str) -> Checkpoint {
    formats::read(&fixture(name)).unwrap_or_else(|problem| panic!("{name}: {problem}"))
}

/// Every checkpoint in the folder, by name.
fn all_fixtures() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(fixture(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".py") && !name.ends_with(".json"))
        .collect();
    names.sort();
    assert!(names.len() > 20);
    names
}

fn expected() -> serde_json::Map<String, Value> {
    let text = std::fs::read_to_string(fixture("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn torch_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Double => "float64",
        Kind::Float => "float32",
        Kind::Half => "float16",
        Kind::BFloat16 => "bfloat16",
        Kind::Int64 => "int64",
        Kind::Int => "int32",
        Kind::Int16 => "int16",
        Kind::Int8 => "int8",
        Kind::Uint8 => "uint8",
        Kind::Bool => "bool",
        other => panic!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn what_we_write_is_what_both_readers_read() {
    let mut params = Params::new();
    params.insert("conv.weight", Tensor::linspace(-1.0, 1.0, 24, (Kind::Float, Device::Cpu)).view([2, 3, 4]));
    // Does not lie in memory row by row.
    params.insert(
        "linear.weight",
        Tensor::linspace(0.0, 5.0, 6, (Kind::Double, Device::Cpu)).view([2, 3]).transpose(0, 1),
    );
    params.insert("bn.num_batches_tracked", Tensor::from(7i64));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pt");
    let mut file = TorchFile::default();
    let weights = file.state_dict(&params).unwrap();
    file.write(&path, &weights).unwrap();

    let own = formats::read(&path).unwrap();
    assert_eq!((own.container, own.params.len(), own.skipped.len()), (Container::TorchZip, 3, 0));
    for (name, tensor) in params.iter() {
        let mine = own.params.get(name).unwrap();
        assert!(mine.kind() == tensor.kind() && mine.equal(&tensor.contiguous()), "{name}");
    }
    let other = PytorchReader::new(&path).unwrap();
    assert_eq!(other.len(), 3);
    for (name, tensor) in other.tensors() {
        assert_eq!(tensor.read().unwrap(), bytes_of(params.get(name).unwrap()).unwrap(), "{name}");
    }
    // PyTorch maps the data into memory.
    let bytes = std::fs::read(&path).unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&bytes)).unwrap();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).unwrap();
        assert_eq!(entry.data_start().unwrap() % 64, 0, "{:?}", entry.name());
    }
}

#[test]
fn what_pytorch_wrote_is_what_is_read() {
    for (file, expected) in expected() {
        let checkpoint = read(&file);
        let tensors = expected["tensors"].as_array().unwrap();
        let names: Vec<&str> = tensors.iter().map(|tensor| tensor[0].as_str().unwrap()).collect();
        let mut own: Vec<&str> = checkpoint.params.names().collect();
        if file == "pruned.pt" {
            own.sort_unstable(); // the product stands where the unpruned weight stood
        }
        assert_eq!(own, names, "{file}");
        for tensor in tensors {
            let [name, kind, shape, bytes] = tensor.as_array().unwrap().as_slice() else { panic!("{tensor}") };
            let own = checkpoint.params.get(name.as_str().unwrap()).unwrap();
            assert_eq!(torch_name(own.kind()), kind.as_str().unwrap(), "{file} {name}");
            assert_eq!(serde_json::json!(own.size()), *shape, "{file} {name}");
            assert_eq!(hex(&bytes_of(own).unwrap()), bytes.as_str().unwrap(), "{file} {name}");
        }
        for (name, text) in expected["facts"].as_object().unwrap() {
            let fact = checkpoint.facts.iter().find(|(own, _)| own == name);
            assert_eq!(fact.map(|(_, own)| own.as_str()), text.as_str(), "{file} {name}");
        }
    }
}

#[test]
fn an_independent_reader_agrees() {
    let mut compared = Vec::new();
    for file in all_fixtures() {
        let Ok(own) = formats::read(&fixture(&file)) else { continue };
        let other = match &own.chosen_key {
            Some(key) => PytorchReader::with_top_level_key(fixture(&file), key),
            None => PytorchReader::new(fixture(&file)),
        };
        // It refuses whole files for one numpy number, one quantised tensor, ...
        let Ok(other) = other else { continue };
        let mut found = 0;
        for (name, tensor) in other.tensors() {
            let short = name.strip_prefix("module.").unwrap_or(name);
            let Some(mine) = own.params.find(short) else { continue };
            let shape: Vec<i64> = tensor.shape().iter().map(|&size| size as i64).collect();
            assert_eq!(mine.size(), shape, "{file} {name}");
            assert_eq!(torch_name(mine.kind()), name_of(tensor.dtype()), "{file} {name}");
            assert_eq!(bytes_of(mine).unwrap(), tensor.read().unwrap(), "{file} {name}");
            found += 1;
        }
        // A pruned weight has no counterpart; whole modules do not come as one flat dictionary.
        if file != "pruned.pt" {
            assert_eq!(found, own.params.len(), "{file}: {:?}", other.keys());
        }
        compared.push(file);
    }
    for file in
        ["zip_module_prefix.pt", "legacy.tar", "layouts.pt", "layouts_legacy.pt", "kinds.pt", "nested_optimizer.pth"]
    {
        assert!(compared.iter().any(|own| own == file), "{file} was not compared: {compared:?}");
    }
}

fn name_of(dtype: DType) -> &'static str {
    match dtype {
        DType::F64 => "float64",
        DType::F32 => "float32",
        DType::F16 => "float16",
        DType::BF16 => "bfloat16",
        DType::I64 => "int64",
        DType::I32 => "int32",
        DType::I16 => "int16",
        DType::I8 => "int8",
        DType::U8 => "uint8",
        DType::Bool => "bool",
        other => panic!("{other:?}"),
    }
}

#[test]
fn containers_and_keys_are_told() {
    for (file, container, key) in [
        ("zip_module_prefix.pt", Container::TorchZip, None),
        ("legacy.tar", Container::TorchLegacy, None),
        ("plain_pickle.pkl", Container::PlainPickle, Some("net")),
        ("nested_optimizer.pth", Container::TorchZip, Some("state_dict")),
        ("whole_module.pt", Container::TorchZip, None),
        ("attack_result.pt", Container::TorchZip, Some("model")),
    ] {
        let checkpoint = read(file);
        assert_eq!((checkpoint.container, checkpoint.chosen_key.as_deref()), (container, key), "{file}");
    }
    assert_eq!(formats::sniff(&std::fs::read(fixture("torchscript.pt")).unwrap()).unwrap(), Container::TorchScript);
    assert!(formats::read(&fixture("torchscript.pt")).unwrap_err().headline.contains("TorchScript"));
}

#[test]
fn what_is_not_read_is_told() {
    assert_eq!(read("nested_optimizer.pth").skipped, ["optimizer: a dictionary of 2"]);
    let unusual = read("unusual.pt");
    assert_eq!(unusual.skipped.len(), 2, "{:?}", unusual.skipped);
    assert!(unusual.skipped[0].starts_with("quantised: ") && unusual.skipped[0].contains("_rebuild_qtensor"));
    assert!(unusual.skipped[1].starts_with("wide: ") && unusual.skipped[1].contains("uint16"));
}

#[test]
fn poison_bookkeeping_on_disk_with_numpy_keys() {
    let result = read("attack_result.pt").backdoorbench.unwrap();
    assert_eq!((result.model_name.as_str(), result.num_classes), ("preactresnet18", 3));
    assert_eq!((result.clean_data.as_str(), result.data_path.as_str()), ("cifar10", "./data/cifar10"));
    assert_eq!(result.img_size, Some((4, 4, 3)));
    let test = result.test.unwrap();
    assert_eq!(test.original_index, [1, 2, 4, 5]);
    assert_eq!(test.poison_indicator, [false, true, false, false, true, false]);
    let train = result.train.unwrap();
    assert_eq!(train.save_folder.as_deref(), Some("record/badnet/bd_train_dataset"));
    assert!(!train.labels_swapped);
    let [first, second] = train.entries.as_slice() else { panic!("two poisoned pictures") };
    assert_eq!((first.index, first.used_label, first.true_label), (1, 0, 1));
    assert_eq!(second.picture, PoisonedPicture::File("record/badnet/bd_train_dataset/1/4.png".to_owned()));
}

#[test]
fn poison_bookkeeping_in_memory_with_plain_keys() {
    let checkpoint = read("attack_result_in_memory.pt");
    assert!(checkpoint.skipped.is_empty(), "{:?}", checkpoint.skipped);
    let train = checkpoint.backdoorbench.unwrap().train.unwrap();
    // Labels are a numpy number and a tensor here.
    let labels: Vec<_> = train.entries.iter().map(|entry| (entry.index, entry.used_label, entry.true_label)).collect();
    assert_eq!(labels, [(1, 0, 1), (4, 0, 1)]);
    let PoisonedPicture::Pixels { width: 4, height: 4, channels: 3, bytes } = &train.entries[1].picture else {
        panic!("{:?}", train.entries[1].picture)
    };
    assert!(bytes.iter().copied().eq(4..52));
}

#[test]
fn hostile_files_are_refused() {
    for file in ["hostile_plain.pkl", "hostile.pt", "hostile_legacy.pt"] {
        let problem = formats::read(&fixture(file)).unwrap_err();
        assert_eq!(problem.code, Code::BadFile);
        assert!(problem.headline.contains("run a program"), "{problem}");
        assert!(problem.detail[0].contains("system"), "{problem}");
        assert!(problem.place.unwrap().ends_with(file));
    }
    let problem = formats::read(&fixture("laughs.pt")).unwrap_err();
    assert!(problem.headline.contains("without end"), "{problem}");
}

/// A torch archive with this pickle and one storage.
fn archive(pickle: &[u8], storage: &[u8], method: zip::CompressionMethod) -> Vec<u8> {
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in [("net/data.pkl", pickle), ("net/data/0", storage)] {
        zip.start_file(name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A state dict whose tensors all lie in storage 0, with these shapes and strides.
fn state_dict(tensors: &[(&[i32], &[i32])]) -> Vec<u8> {
    let int = |value: i32| [&b"J"[..], &value.to_le_bytes()].concat();
    let tuple = |values: &[i32]| [b"(".to_vec(), values.iter().flat_map(|&v| int(v)).collect(), b"t".to_vec()].concat();
    let mut pickle = b"\x80\x02}(".to_vec();
    for (i, (shape, strides)) in tensors.iter().enumerate() {
        pickle.extend(format!("X\x04\0\0\0{i:04}ctorch._utils\n_rebuild_tensor_v2\n((").as_bytes());
        pickle.extend(b"X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01tQK\0");
        pickle.extend([tuple(shape), tuple(strides)].concat());
        pickle.extend(b"\x89}tR");
    }
    pickle.extend(b"u.");
    pickle
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    use zip::CompressionMethod::{Deflated, Stored};
    let one = 1f32.to_le_bytes();
    let good = formats::read_bytes(&archive(&state_dict(&[(&[2, 3], &[0, 0])]), &one, Stored)).unwrap();
    assert_eq!(good.params.get("0000").unwrap().size(), [2, 3]);

    // One number, repeated into terabytes by strides of zero; at once and in many portions.
    let huge = state_dict(&[(&[1 << 30, 1 << 10], &[0, 0])]);
    let many: Vec<(&[i32], &[i32])> = vec![(&[1 << 20], &[0]); 1000];
    // A hundred megabytes of zeros in a hundred kilobytes of archive.
    let zeros = vec![0; 100 << 20];
    for (name, bytes) in [
        ("huge", archive(&huge, &one, Stored)),
        ("many", archive(&state_dict(&many), &one, Stored)),
        ("compressed storage", archive(&state_dict(&[(&[1], &[1])]), &zeros, Deflated)),
        ("compressed pickle", archive(&zeros, &one, Deflated)),
    ] {
        let problem = formats::read_bytes(&bytes).unwrap_err();
        assert!(problem.headline.contains("far more than its size"), "{name}: {problem}");
    }
    let outside = state_dict(&[(&[2], &[1])]);
    assert!(
        formats::read_bytes(&archive(&outside, &one, Stored)).unwrap_err().headline.contains("outside of its data")
    );
}

#[test]
fn a_compressed_archive_can_be_read() {
    let storage: Vec<u8> = [1f32, 2.].iter().flat_map(|value| value.to_le_bytes()).collect();
    let bytes = archive(&state_dict(&[(&[2], &[1])]), &storage, zip::CompressionMethod::Deflated);
    let checkpoint = formats::read_bytes(&bytes).unwrap();
    assert_eq!(checkpoint.params.get("0000").unwrap(), &tch::Tensor::from_slice(&[1f32, 2.]));
}

#[test]
fn a_flipped_weight_is_noticed() {
    let mut bytes = std::fs::read(fixture("zip_module_prefix.pt")).unwrap();
    let weight = read("zip_module_prefix.pt").params.get("conv1.weight").unwrap().shallow_clone();
    let content = bytes_of(&weight).unwrap();
    let at = bytes.windows(content.len()).position(|window| window == content).unwrap();
    bytes[at + 5] ^= 1;
    let problem = formats::read_bytes(&bytes).unwrap_err();
    assert!(problem.detail[0].contains("checksum"), "{problem}");
}

#[test]
fn files_without_weights_say_what_they_hold() {
    let problem = formats::read_bytes(b"\x80\x02}(U\x04dataK\x01U\x06labels]u.").unwrap_err();
    assert!(problem.headline.contains("no weights"), "{problem}");
    assert!(problem.detail.iter().any(|line| line.contains("labels")), "{problem}");
    let missing = formats::read(Path::new("/no/such/file.pt")).unwrap_err();
    assert_eq!(missing.code, Code::MissingFile);
    assert_eq!(formats::read(&fixture("make_fixtures.py")).unwrap_err().code, Code::BadFile);
    assert!(formats::read(&fixture("")).is_err());
}

#[test]
fn a_third_partys_checkpoint() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/checkpoints/abl-wrn16-1-grid.tar");
    if !path.exists() {
        println!("skipped: {} is not on this machine", path.display());
        return;
    }
    let checkpoint = formats::read(&path).unwrap();
    assert_eq!(checkpoint.container, Container::TorchLegacy);
    assert_eq!(checkpoint.chosen_key.as_deref(), Some("state_dict"));
    assert_eq!((checkpoint.params.len(), checkpoint.params.count()), (82, 175_066));
    let found = recognise(&checkpoint.params).unwrap();
    assert_eq!((found.id.as_str(), found.classes, found.in_zoo), ("wide-resnet", 10, true));
    assert_eq!(found.options, serde_json::json!({ "depth": 16, "widen": 1 }));
    println!("facts: {:?}, not read: {:?}", checkpoint.facts, checkpoint.skipped);

    let other = PytorchReader::with_top_level_key(&path, "state_dict").unwrap();
    assert_eq!(other.len(), 82);
    for (name, tensor) in other.tensors() {
        assert_eq!(bytes_of(checkpoint.params.get(name).unwrap()).unwrap(), tensor.read().unwrap(), "{name}");
    }
}

/// A file of our own, so that cuts and flips reach that reader too.
fn own_file() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.safetensors");
    formats::safetensors::write(&path, &read("kinds.pt").params, &[("a".to_owned(), "b".to_owned())].into()).unwrap();
    std::fs::read(path).unwrap()
}

static VICTIMS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let files = all_fixtures().into_iter().map(|name| std::fs::read(fixture(&name)).unwrap());
    files.chain([own_file()]).collect()
});

/// Reading ends, one way or the other; what is read can be used.
fn survives(bytes: &[u8]) {
    match formats::read_bytes(bytes) {
        Ok(checkpoint) => {
            usable(&checkpoint.params);
            recognise(&checkpoint.params);
        }
        Err(problem) => assert!(!problem.headline.is_empty()),
    }
}

fn usable(params: &Params) {
    params.hash().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cut_files_do_no_harm(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>()) {
        let bytes = which.get(&VICTIMS);
        survives(&bytes[..at.index(bytes.len())]);
    }

    #[test]
    fn flipped_files_do_no_harm(
        which in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = which.get(&VICTIMS).clone();
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        survives(&bytes);
    }

    #[test]
    fn random_pickles_do_no_harm(body in prop::collection::vec(any::<u8>(), 0..200)) {
        survives(&[b"\x80\x04", &body[..]].concat());
    }

    /// Pickles made of instructions only, so that most of them get somewhere.
    #[test]
    fn random_instructions_do_no_harm(
        body in prop::collection::vec(
            prop::sample::select(b"N]})(tldaesu012RbQ\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94h\0q\0K\x01".to_vec()),
            0..300,
        ),
    ) {
        survives(&[b"\x80\x04NNNNNN]]}}", &body[..], b"."].concat());
    }
}
