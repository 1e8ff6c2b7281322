//! Occlusion: where a model looks.
//!
//! A square slides over the picture. Wherever it covers what an answer rests on, the probability of that answer falls; a
//! pixel is as hot as the answer suffers on average from the squares that lie on it. It needs no gradients and treats every
//! model alike, plugs and all.
//!
//! Zeiler, Fergus: Visualizing and Understanding Convolutional Networks. ECCV 2014, section 4.2. Their square is grey; this
//! one has the colour of the picture's rim, because a grey square on a black ground is a thing of its own.

use crate::data::values;
use crate::experiment::Result;
use crate::nets::{Model, Pass};
use crate::run::event::Heat;
use tch::{Kind, Tensor};

/// The square is this part of the shorter side.
const PARTS: i64 = 6;
/// Pictures that go through the model together.
const BATCH: usize = 64;

/// Where `model` looks in one picture, u8 `[3, H, W]`: for the class that it finds most probable.
pub fn occlusion(model: &Model, pixels: &Tensor) -> Result<Heat> {
    tch::no_grad(|| {
        let x = model.network.input().prepare(&pixels.unsqueeze(0), model.params.device())?;
        let (height, width) = (x.size()[2], x.size()[3]);
        let rim = rim(&x);
        let window = (height.min(width) + PARTS - 1) / PARTS;
        let probabilities =
            |x: &Tensor| -> Result<Tensor> { Ok(model.forward(x, &mut Pass::eval())?.softmax(1, Kind::Float)) };
        let whole = probabilities(&x)?;
        let class = whole.argmax(1, false).int64_value(&[0]);
        let probability = whole.double_value(&[0, class]) as f32;

        let (rows, columns) = (places(height, window), places(width, window));
        let squares: Vec<[i64; 2]> =
            rows.iter().flat_map(|&row| columns.iter().map(move |&column| [row, column])).collect();
        let mut lost = vec![0.0_f32; (height * width) as usize];
        let mut covered = lost.clone();
        for squares in squares.chunks(BATCH) {
            let occluded = x.repeat([squares.len() as i64, 1, 1, 1]);
            for (at, [row, column]) in squares.iter().enumerate() {
                let mut square = occluded.get(at as i64).narrow(1, *row, window).narrow(2, *column, window);
                square.copy_(&rim.expand_as(&square));
            }
            let left: Vec<f32> = values(&probabilities(&occluded)?.select(1, class))?;
            for ([row, column], left) in squares.iter().zip(left) {
                for y in *row..row + window {
                    for x in *column..column + window {
                        let pixel = (y * width + x) as usize;
                        lost[pixel] += (probability - left).max(0.0);
                        covered[pixel] += 1.0;
                    }
                }
            }
        }
        let values = lost.iter().zip(&covered).map(|(lost, count)| lost / count.max(1.0)).collect();
        let [width, height, class] = [width, height, class].map(|size| size as usize);
        Ok(Heat { width, height, values, class, probability, window: window as usize })
    })
}

/// The usual colour of the outermost pixels of `[1, C, H, W]`: the median of each channel, `[C, 1, 1]`.
fn rim(x: &Tensor) -> Tensor {
    let (height, width) = (x.size()[2], x.size()[3]);
    let sides = [x.narrow(2, 0, 1), x.narrow(2, height - 1, 1), x.narrow(3, 0, 1), x.narrow(3, width - 1, 1)];
    let pixels = Tensor::cat(&sides.map(|side| side.flatten(2, 3)), 2);
    pixels.median_dim(2, false).0.view([-1, 1, 1])
}

/// Where the square begins along one side: half of it further each time, the last one at the end.
fn places(side: i64, window: i64) -> Vec<i64> {
    let last = side - window;
    let mut places: Vec<i64> = (0..last).step_by((window / 2).max(1) as usize).collect();
    places.push(last);
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::{Architecture, InputSpec, Network, Params, Site};
    use std::rc::Rc;
    use tch::Device;

    /// Says class 1 where the pixel at column 9, row 2 is bright.
    struct OnePixel(Architecture);

    impl Network for OnePixel {
        fn forward(&self, _: &Params, x: &Tensor, _: &mut Pass) -> Result<Tensor> {
            let bright = x.select(3, 9).select(2, 2).select(1, 0) * 8.0;
            Ok(Tensor::stack(&[bright.zeros_like() + 4.0, bright], 1))
        }
        fn sites(&self) -> &[Site] {
            &[]
        }
        fn architecture(&self) -> &Architecture {
            &self.0
        }
        fn initial(&self, _: u64) -> Result<Params> {
            Ok(Params::new())
        }
    }

    #[test]
    fn the_hottest_pixels_surround_the_one_that_counts() {
        let input = InputSpec { height: 12, width: 12, mean: [0.0; 3], std: [1.0; 3], classes: 2 };
        let network = OnePixel(Architecture { id: "test".into(), options: serde_json::Value::Null, input });
        let model = Model::new(Rc::new(network), Params::new());
        let picture = Tensor::zeros([3, 12, 12], (Kind::Uint8, Device::Cpu));
        let _ = picture.narrow(1, 2, 1).narrow(2, 9, 1).fill_(255);
        let heat = occlusion(&model, &picture).unwrap();
        assert_eq!((heat.width, heat.height, heat.class, heat.window), (12, 12, 1, 2));
        // Uncovered 1/(1 + e^-4), covered 1/(1 + e^4).
        assert!((heat.probability - 0.982).abs() < 1e-3 && (heat.most() - 0.964).abs() < 1e-3, "{heat:?}");
        let [column, row] = heat.peak();
        assert!(column.abs_diff(9) <= 1 && row.abs_diff(2) <= 1, "{:?}", heat.peak());
        assert_eq!(heat.values[5 * 12 + 5], 0.0);
    }

    #[test]
    fn the_square_reaches_both_ends() {
        assert_eq!(places(28, 5), [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 23]);
        assert_eq!(places(3, 3), [0]);
        assert_eq!(places(3, 1), [0, 1, 2]);
    }
}
