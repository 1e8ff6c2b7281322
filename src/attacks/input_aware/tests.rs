use super::super::tests::in_scene;
use super::*;
use crate::attacks::make;
use crate::attacks::workshop::Workshop;
use crate::data::augment::Augment;
use serde_json::json;

const SIDE: i64 = 16;

fn attack() -> InputAware {
    InputAware { options: Options { width: 4, mask_epochs: 1, ..Options::default() } }
}

fn made() -> Params {
    in_scene(SIDE, |job, scene| attack().craft(job, scene)).unwrap()
}

/// Both networks as a short training does not leave them: half-open masks, patterns full of contrast.
fn vivid() -> Params {
    let made = made();
    for (name, value) in
        [("mask.up.0.1.bn.weight", 0.0), ("mask.up.0.1.bn.bias", 0.0), ("generator.up.0.1.bn.weight", 50.0)]
    {
        let _ = made.get(name).unwrap().shallow_clone().fill_(value);
    }
    // Untrained statistics would let everything fade away.
    let drawer = attack().drawer(&made, SIDE, SIDE).unwrap();
    let x = Tensor::randn([16, 3, SIDE, SIDE], tch::kind::FLOAT_CPU);
    for _ in 0..60 {
        let _ = tch::no_grad(|| drawer.patterns(&x, Mode::Train, TensorKind::Float)).unwrap();
    }
    made
}

fn picture_noise(n: i64) -> Tensor {
    Tensor::randint(256, [n, 3, SIDE, SIDE], (TensorKind::Uint8, Device::Cpu))
}

/// A classifier that can be trained: logits are a linear map of the pixels.
fn linear(x: &Tensor) -> Result<Tensor> {
    Ok(x.flatten(1, -1).narrow(1, 0, 10))
}

/// Some steps of the joint training over the tiny data; the last loss.
fn train_jointly(step: &mut dyn Step, epochs: std::ops::Range<usize>, device: Device) -> f64 {
    in_scene(SIDE, |job, scene| {
        let mut last = 0.0;
        for epoch in epochs.clone() {
            let mut rng = job.rng(&format!("attack/epoch/{epoch}"));
            for rows in (0..24).collect::<Vec<i64>>().chunks(8) {
                let batch = Batch {
                    data: scene.train,
                    rows,
                    labels: Tensor::zeros([8], (TensorKind::Int64, device)),
                    input: scene.network.input(),
                    device,
                    augment: Augment { crop: 2, flip: true },
                    kind: TensorKind::Float,
                    rng: &mut rng,
                };
                let loss = step.loss(batch, &mut linear)?;
                let gradients = Tensor::run_backward(&[&loss], &step.leaves(), false, false);
                step.learn(gradients, epoch);
                last = loss.double_value(&[]);
            }
        }
        Ok(last)
    })
    .unwrap()
}

fn step(made: &Params, options: serde_json::Value) -> Box<dyn Step> {
    let poison = Poison { ratio: 0.25, ..Poison::default() };
    let Ok(Attack::Loop(attack)) = make("input-aware", &options) else { panic!("owns the loop") };
    attack.step(made, &poison, &Train::default()).unwrap()
}

fn small() -> serde_json::Value {
    json!({"width": 4, "mask_epochs": 1})
}

#[test]
fn the_threshold_is_steep_around_one_half() {
    let values = Tensor::linspace(0.0, 1.0, 101, (TensorKind::Double, Device::Cpu));
    let steep = threshold(&values);
    let at = |index: i64| steep.double_value(&[index]);
    assert!((at(50) - 0.5).abs() < 1e-9 && at(0) < 1e-7 && at(100) > 1.0 - 1e-7);
    assert!(at(60) > 0.95 && at(40) < 0.05);
    assert!((1..=100).all(|index| at(index) >= at(index - 1)), "never falls");
}

#[test]
fn stamped_pictures_lie_between_picture_and_pattern() {
    let drawer = attack().drawer(&vivid(), SIDE, SIDE).unwrap();
    let pixels = picture_noise(4);
    let (x, parts) = (pixels.to_kind(TensorKind::Float), drawer.look(&pixels).unwrap());
    let stamped = drawer.stamp(&pixels, &pixels).unwrap().to_kind(TensorKind::Float);
    let patterns = parts.patterns.to_kind(TensorKind::Float);
    // Rounding moves each of the three by half a level at most.
    let low = x.minimum(&patterns) - 1.0;
    let high = x.maximum(&patterns) + 1.0;
    assert_eq!(stamped.lt_tensor(&low).sum(TensorKind::Int64).int64_value(&[]), 0);
    assert_eq!(stamped.gt_tensor(&high).sum(TensorKind::Int64).int64_value(&[]), 0);
    let (a, b) = (Tensor::rand([1, 3, 4, 4], tch::kind::FLOAT_CPU), Tensor::rand([1, 3, 4, 4], tch::kind::FLOAT_CPU));
    assert!(lay_over(&a, &b, &Tensor::zeros([1, 1, 4, 4], tch::kind::FLOAT_CPU)).equal(&a), "no mask, no change");
}

#[test]
fn the_mask_stage_lowers_its_loss_and_keeps_masks_apart() {
    let options = Options { mask_epochs: 1, ..attack().options };
    let [_, network] = attack().networks(SIDE, SIDE).unwrap();
    let density = |epochs| {
        let options = Options { mask_epochs: epochs, ..options.clone() };
        let masks = in_scene(SIDE, |job, scene| {
            let params = mask::craft(job, scene, &options, &network)?;
            let pixels = scene.train.pixels(scene.rows)?;
            let x = scene.network.input().prepare(&pixels, Device::Cpu)?;
            Ok(threshold(&network.forward(&params, &x, Mode::Train, TensorKind::Float)?))
        })
        .unwrap();
        let apart = masks.std_dim([0i64].as_slice(), false, false).mean(TensorKind::Float).double_value(&[]);
        assert!(apart > 0.0, "every picture has its own mask");
        masks.mean(TensorKind::Float).double_value(&[])
    };
    let (early, late) = (density(1), density(25));
    assert!(late < early && late < 0.2, "{early} to {late}");
}

#[test]
fn the_generator_learns_and_the_mask_network_does_not() {
    let made = made();
    let hash = |prefix: &str| made.part(prefix).hash().unwrap();
    let before = [hash(MASK), hash(GENERATOR)];
    train_jointly(&mut *step(&made, small()), 0..2, Device::Cpu);
    assert_eq!(hash(MASK), before[0], "weights and statistics of the mask network are frozen");
    assert_ne!(hash(GENERATOR), before[1], "the crafted tensors follow the training");
}

#[test]
fn joint_training_goes_on_where_it_stopped() {
    for compat in [false, true] {
        let options = json!({"width": 4, "mask_epochs": 1, "reference_compat": compat});
        let whole = made();
        train_jointly(&mut *step(&whole, options.clone()), 0..2, Device::Cpu);
        let cut = made();
        let mut first = step(&cut, options.clone());
        train_jointly(&mut *first, 0..1, Device::Cpu);
        let state = first.state().deep_clone();
        // Another process: fresh tensors, then the resume point.
        let again = made();
        let mut second = step(&again, options);
        second.restore(&state).unwrap();
        train_jointly(&mut *second, 1..2, Device::Cpu);
        assert_eq!(again.hash().unwrap(), whole.hash().unwrap(), "compat {compat}");
    }
}

#[test]
fn gradients_pile_up_only_as_in_the_reference() {
    let trained = |compat: bool| {
        let made = made();
        let options = json!({"width": 4, "mask_epochs": 1, "reference_compat": compat});
        train_jointly(&mut *step(&made, options), 0..2, Device::Cpu);
        made.part(GENERATOR).hash().unwrap()
    };
    assert_ne!(trained(true), trained(false));
}

#[test]
fn a_foreign_trigger_differs_from_the_own_one() {
    let trigger = attack().trigger(&vivid(), SIDE, SIDE, Moment::Test).unwrap();
    let pixels = picture_noise(2);
    let cross = trigger.cross().unwrap();
    let foreign = cross.apply(&pixels, &[3, 4]).unwrap();
    assert!(!foreign.equal(&trigger.apply(&pixels, &[3, 4]).unwrap()));
    assert!(foreign.equal(&cross.apply(&pixels, &[3, 4]).unwrap()), "the stranger belongs to the row");
    assert!(!foreign.equal(&cross.apply(&pixels, &[5, 6]).unwrap()));
}

#[test]
fn looking_before_the_run_says_that_it_is_not_made_yet() {
    let problem = in_scene(SIDE, |job, scene| {
        let workshop = Workshop::default().only_look();
        let scene = Scene { workshop: &workshop, network: scene.network.clone(), ..*scene };
        attack().craft(job, &scene)
    });
    assert!(problem.unwrap_err().headline.contains("made when the experiment runs"));
    let problem = in_scene(18, |job, scene| attack().craft(job, scene)).unwrap_err();
    assert!(problem.headline.contains("halved"), "{problem}");
}

#[test]
fn the_matrix_counts_who_wins() {
    let made = made();
    let exhibits = in_scene(SIDE, |_, scene| {
        // A network that always says the target.
        let mut ask = |pixels: &Tensor| Ok(vec![0; pixels.size()[0] as usize]);
        Ok(attack().demonstrate(&made, scene.train, &Poison::default(), &mut ask)?)
    })
    .unwrap();
    assert!(
        exhibits[0].caption.contains("5 of 5") && exhibits[0].caption.contains("20 of 20"),
        "{}",
        exhibits[0].caption
    );
}
