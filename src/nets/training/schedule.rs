//! Learning rates over time (the recipes of BackdoorBench, and one-cycle for short trainings).

use crate::experiment::Schedule;

/// Share of a one-cycle training in which the learning rate rises.
const WARM_UP: f64 = 0.25;

/// Gives the learning rate of each step.
#[derive(Debug, Clone)]
pub struct LearningRate {
    schedule: Schedule,
    base: f64,
    epochs: usize,
    plateau: Plateau,
}

/// Reduce-on-plateau: divides by ten when the loss has not fallen by 0.01 % for more than ten epochs.
#[derive(Debug, Clone)]
struct Plateau {
    best: f64,
    bad_epochs: usize,
    factor: f64,
}

impl LearningRate {
    pub fn new(schedule: Schedule, base: f64, epochs: usize) -> Self {
        let plateau = Plateau { best: f64::INFINITY, bad_epochs: 0, factor: 1.0 };
        Self { schedule, base, epochs: epochs.max(1), plateau }
    }

    /// `progress` is the number of epochs done at this step, fractions included.
    pub fn at(&self, progress: f64) -> f64 {
        let epoch = progress.floor();
        let share = (progress / self.epochs as f64).clamp(0.0, 1.0);
        self.base
            * match self.schedule {
                Schedule::Constant => 1.0,
                Schedule::Cosine => half_cosine(epoch / self.epochs as f64),
                Schedule::OneCycle if share < WARM_UP => {
                    // From a 25th of the peak, as in the common implementation of Smith's policy.
                    0.04 + 0.96 * (1.0 - half_cosine(share / WARM_UP))
                }
                Schedule::OneCycle => half_cosine((share - WARM_UP) / (1.0 - WARM_UP)),
                Schedule::Plateau => self.plateau.factor,
                Schedule::TwoSteps => {
                    let done = epoch / self.epochs as f64;
                    0.1f64.powi([0.5, 11.0 / 14.0].iter().filter(|&&share| done >= share).count() as i32)
                }
                Schedule::MultiStep => {
                    0.1f64.powi([100.0, 200.0, 300.0, 400.0].iter().filter(|&&e| epoch >= e).count() as i32)
                }
            }
    }

    /// Tells the schedule the mean training loss of the epoch that ended.
    pub fn epoch_ended(&mut self, loss: f64) {
        let plateau = &mut self.plateau;
        if loss < plateau.best * (1.0 - 1e-4) {
            plateau.best = loss;
            plateau.bad_epochs = 0;
        } else {
            plateau.bad_epochs += 1;
            if plateau.bad_epochs > 10 {
                plateau.factor *= 0.1;
                plateau.bad_epochs = 0;
            }
        }
    }
}

/// 1 at 0, 0 at 1.
fn half_cosine(x: f64) -> f64 {
    0.5 * (1.0 + (std::f64::consts::PI * x.clamp(0.0, 1.0)).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_steps_once_per_epoch_from_the_base_towards_zero() {
        let rate = LearningRate::new(Schedule::Cosine, 0.01, 100);
        assert_eq!(rate.at(0.0), 0.01);
        assert_eq!(rate.at(49.99), rate.at(49.0));
        assert!((rate.at(50.0) - 0.005).abs() < 1e-12);
        assert!((rate.at(99.0) - 0.005 * (1.0 + (std::f64::consts::PI * 0.99).cos())).abs() < 1e-12);
    }

    #[test]
    fn one_cycle_rises_then_falls_to_zero() {
        let rate = LearningRate::new(Schedule::OneCycle, 0.4, 8);
        assert!((rate.at(0.0) - 0.016).abs() < 1e-12);
        assert!((rate.at(2.0) - 0.4).abs() < 1e-12);
        assert!(rate.at(1.0) < rate.at(1.5) && rate.at(4.0) > rate.at(5.0));
        assert!(rate.at(8.0) < 1e-12);
    }

    #[test]
    fn two_steps_lie_where_the_paper_has_them() {
        let rate = LearningRate::new(Schedule::TwoSteps, 1.0, 70);
        let falls: Vec<usize> = (1..70).filter(|&e| rate.at(e as f64) < rate.at(e as f64 - 1.0)).collect();
        assert_eq!(falls, [35, 55]);
        assert!((rate.at(69.0) - 0.01).abs() < 1e-12);
    }

    #[test]
    fn plateau_waits_ten_epochs() {
        let mut rate = LearningRate::new(Schedule::Plateau, 1.0, 200);
        rate.epoch_ended(1.0);
        for _ in 0..10 {
            rate.epoch_ended(1.0);
        }
        assert_eq!(rate.at(11.0), 1.0);
        rate.epoch_ended(1.0);
        assert!((rate.at(12.0) - 0.1).abs() < 1e-12);
    }
}
