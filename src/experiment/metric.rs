//! What is measured, in which direction it is good, and what it does not say.

use serde::{Deserialize, Serialize};

/// The definition of one metric. All values are shares in `range`; people see them in `unit`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Metric {
    /// The name in files: `acc`.
    pub id: &'static str,
    /// The name in tables: `ACC`.
    pub short: &'static str,
    pub name: &'static str,
    pub unit: &'static str,
    pub range: (f64, f64),
    /// Better for the owner of the model, that is for the defender.
    pub higher_is_better: bool,
    /// One sentence: what it is.
    pub is: &'static str,
    /// One sentence: what it is not.
    pub is_not: &'static str,
}

pub static ACC: Metric = Metric {
    id: "acc",
    short: "ACC",
    name: "Clean accuracy",
    unit: "%",
    range: (0.0, 1.0),
    higher_is_better: true,
    is: "The share of clean test pictures that the model gives their true class.",
    is_not: "It says nothing about a backdoor: a model can be accurate and fully backdoored.",
};

pub static ASR: Metric = Metric {
    id: "asr",
    short: "ASR",
    name: "Attack success rate",
    unit: "%",
    range: (0.0, 1.0),
    higher_is_better: false,
    is: "The share of triggered test pictures that the model gives the class which the attacker wants; \
         pictures that belong to the target class anyway are left out.",
    is_not: "A low value does not mean that the pictures are recognised again; that is robust accuracy.",
};

pub static RA: Metric = Metric {
    id: "ra",
    short: "RA",
    name: "Robust accuracy",
    unit: "%",
    range: (0.0, 1.0),
    higher_is_better: true,
    is: "The share of the same triggered test pictures that the model gives their true class.",
    is_not: "It is not robustness against any other disturbance, and ASR + RA stays below 100 % when pictures go to a third class.",
};

pub static CROSS: Metric = Metric {
    id: "cross",
    short: "Cross",
    name: "Cross accuracy",
    unit: "%",
    range: (0.0, 1.0),
    higher_is_better: true,
    is: "The share of disturbed test pictures that the model gives their true class; the disturbance resembles the trigger \
         and must not work: a warp with noise, the pattern or the error of another picture.",
    is_not: "It is measured only where the attack teaches the difference, and a low value means a blunt trigger, not a weak one.",
};

pub static RAR: Metric = Metric {
    id: "rar",
    short: "RAR",
    name: "Residual attack rate",
    unit: "%",
    range: (0.0, 1.0),
    higher_is_better: false,
    is: "The share of triggered test pictures for which the network itself still says the attacker's class, before its answer \
         is mapped back.",
    is_not: "It is not zero for a perfect model: pictures that truly belong to the class which the map turns into the \
             attacker's count as well.",
};

pub static DER: Metric = Metric {
    id: "der",
    short: "DER",
    name: "Defense effectiveness rate",
    unit: "%",
    range: (0.0, 1.0),
    higher_is_better: true,
    is: "Half of (fall of ASR - loss of ACC + 1): 50 % means that nothing happened, 100 % that a perfect attack is gone at no cost.",
    is_not: "It is not an accuracy, gives no credit for a gain of ACC, and cannot exceed 50 % where the attack never worked.",
};

pub static RIR: Metric = Metric {
    id: "rir",
    short: "RIR",
    name: "Robust improvement rate",
    unit: "%",
    range: (0.0, 1.0),
    higher_is_better: true,
    is: "Half of (rise of RA - loss of ACC + 1): 50 % means that nothing happened.",
    is_not: "It is not an accuracy, and gives no credit for a gain of ACC.",
};

/// All metrics in the order of tables.
pub static ALL: [&Metric; 7] = [&ACC, &ASR, &RA, &CROSS, &RAR, &DER, &RIR];

/// What to say below a table with a model that maps its answers back.
pub const MAPPED_BACK: &str = "Where labels are mapped back, a low ASR and its DER say nothing: an attack that wins comes out as another class. \
     Look at RA, and whether RAR is near its share of a perfect model.";

pub fn find(id: &str) -> Option<&'static Metric> {
    ALL.into_iter().find(|metric| metric.id == id)
}

/// Defense effectiveness rate; all values are shares in 0..=1.
///
/// `[max(0, ASR_before - ASR_after) - max(0, ACC_before - ACC_after) + 1] / 2`
pub fn der(before_acc: f64, before_asr: f64, after_acc: f64, after_asr: f64) -> f64 {
    // The loss of accuracy is subtracted; some published code adds it by mistake.
    ((before_asr - after_asr).max(0.0) - (before_acc - after_acc).max(0.0) + 1.0) / 2.0
}

/// Robust improvement rate; all values are shares in 0..=1.
///
/// `[max(0, RA_after - RA_before) - max(0, ACC_before - ACC_after) + 1] / 2`
pub fn rir(before_acc: f64, before_ra: f64, after_acc: f64, after_ra: f64) -> f64 {
    ((after_ra - before_ra).max(0.0) - (before_acc - after_acc).max(0.0) + 1.0) / 2.0
}

/// What one model reached on the test set; rates are shares in 0..=1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    pub acc: f64,
    /// Absent where there is no trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asr: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ra: Option<f64>,
    /// Accuracy on disturbed pictures, where the attack has a disturbance that must not work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cross: Option<f64>,
    /// Residual attack rate, where the model maps its answers back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rar: Option<f64>,
    /// The RAR of a perfect model: the true share of the class that is mapped to the attacker's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rar_floor: Option<f64>,
    /// Clean test pictures behind `acc`.
    pub clean_count: usize,
    /// Triggered test pictures behind `asr` and `ra`.
    pub triggered_count: usize,
}

impl Scores {
    /// How often the trigger wins: ASR, and where labels are mapped back, besides, what RAR has beyond that of a perfect
    /// model. Both are the attacker's doing: the network says his class, or his class moved on as stamped pictures are.
    pub fn trigger_wins(&self) -> Option<f64> {
        match (self.rar, self.rar_floor) {
            (Some(rar), Some(floor)) => Some(self.asr? + (rar - floor).max(0.0)),
            _ => self.asr,
        }
    }

    /// DER of `self` as the repaired model, if both have an ASR.
    pub fn der_from(&self, before: &Scores) -> Option<f64> {
        Some(der(before.acc, before.asr?, self.acc, self.asr?))
    }

    /// RIR of `self` as the repaired model, if both have an RA.
    pub fn rir_from(&self, before: &Scores) -> Option<f64> {
        Some(rir(before.acc, before.ra?, self.acc, self.ra?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn percent(value: f64) -> f64 {
        (value * 1e4).round() / 100.0
    }

    /// Public leaderboard, CIFAR-10, PreAct-ResNet18, BadNets 10 %: ACC, ASR, RA before and after.
    #[test]
    fn published_rows_give_their_der() {
        let before = (0.9132, 0.9503, 0.0467);
        for (acc, asr, ra, expected_der, expected_rir) in [
            (0.8996, 0.0148, 0.8939, 96.10, 91.68), // fine-tuning
            (0.8417, 0.0073, 0.8404, 93.58, 86.11), // ANP: the loss of accuracy is subtracted
            (0.9131, 0.5713, 0.4162, 68.95, 68.47), // fine-pruning
        ] {
            assert!((percent(der(before.0, before.1, acc, asr)) - expected_der).abs() < 0.011, "{acc}");
            assert!((percent(rir(before.0, before.2, acc, ra)) - expected_rir).abs() < 0.011, "{acc}");
        }
    }

    #[test]
    fn fixed_points() {
        assert_eq!(der(0.9, 0.95, 0.9, 0.95), 0.5);
        assert_eq!(der(0.9, 1.0, 0.9, 0.0), 1.0);
        assert_eq!(der(0.9, 1.0, 0.95, 0.0), 1.0, "a gain of accuracy earns nothing");
        assert_eq!(der(1.0, 0.0, 0.0, 1.0), 0.0);
        assert_eq!(rir(0.9, 0.1, 0.9, 0.1), 0.5);
    }

    #[test]
    fn scores_without_a_trigger_have_no_der() {
        let clean = Scores { acc: 0.9, clean_count: 10, ..Scores::default() };
        let attacked = Scores { asr: Some(1.0), ra: Some(0.0), triggered_count: 9, ..clean };
        assert_eq!(clean.der_from(&attacked), None);
        assert_eq!(attacked.der_from(&attacked), Some(0.5));
        let text = serde_json::to_string(&clean).unwrap();
        assert!(!text.contains("asr"), "{text}");
        assert_eq!(serde_json::from_str::<Scores>(&text).unwrap(), clean);
    }

    #[test]
    fn mapping_labels_back_does_not_make_a_trigger_lose() {
        let scores = Scores { asr: Some(0.05), ..Scores::default() };
        assert_eq!(scores.trigger_wins(), Some(0.05));
        let mapped = Scores { rar: Some(0.75), rar_floor: Some(0.25), ..scores };
        assert_eq!(mapped.trigger_wins(), Some(0.55));
        assert_eq!(Scores { rar: Some(0.2), ..mapped }.trigger_wins(), Some(0.05));
    }

    #[test]
    fn every_metric_is_found_by_its_id() {
        for metric in ALL {
            assert_eq!(find(metric.id), Some(metric));
            assert!(metric.is.ends_with('.') && metric.is_not.ends_with('.'));
        }
        assert_eq!(find("accuracy"), None);
    }

    proptest! {
        #[test]
        fn der_and_rir_stay_in_range(a in 0.0..=1.0, b in 0.0..=1.0, c in 0.0..=1.0, d in 0.0..=1.0) {
            prop_assert!((0.0..=1.0).contains(&der(a, b, c, d)));
            prop_assert!((0.0..=1.0).contains(&rir(a, b, c, d)));
        }
    }
}
