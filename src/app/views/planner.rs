//! The poison planner: what an attack will do to the training set, before anything is trained.

use crate::app::state::PlannerState;
use crate::app::theme;
use crate::app::widgets::{ClassMatrix, CountBars};
use crate::app::words::{class_name, count};
use crate::experiment::LabelMap;
use crate::run::PoisonPlan;
use crate::run::poison_plan::label_map_words;
use egui::{Label, RichText, Ui};

/// Classes with a bar of their own.
const MOST_BARS: usize = 20;

/// How much is poisoned, in a sentence.
pub fn plan_sentence(plan: &PoisonPlan) -> String {
    let all: usize = plan.total.iter().sum();
    let target = plan.label_of.iter().flatten().next().map(|&class| class_name(&plan.classes, class));
    let map = match (plan.label_map, target) {
        (Some(LabelMap::AllToOne), Some(target)) => format!(", all of them labelled “{target}”"),
        (Some(LabelMap::AllToAll), _) => ", each labelled as the class after its own".to_owned(),
        (Some(LabelMap::CleanLabel), Some(target)) => format!(", all of them “{target}” with its true label"),
        _ => String::new(),
    };
    let share = 100.0 * plan.ratio;
    format!("{} of {} training pictures ({share:.2} %){map}.", count(plan.budget as u64), count(all as u64))
}

/// The label map in words: which class is labelled as which, and how often.
fn matrix_words(plan: &PoisonPlan) -> String {
    let counts = plan.poisoned.as_ref().unwrap_or(&plan.eligible);
    let pairs = plan.label_of.iter().enumerate().filter_map(|(class, label)| {
        let (from, to) = (class_name(&plan.classes, class), class_name(&plan.classes, (*label)?));
        (counts[class] > 0).then(|| format!("{from} as {to} {}", count(counts[class] as u64)))
    });
    let map = plan.label_map.map_or("", label_map_words);
    format!("Label map, {map}: {}", pairs.collect::<Vec<_>>().join(", "))
}

pub fn planner(ui: &mut Ui, state: &PlannerState, height: f32) {
    let t = theme::of(ui);
    let Some(plan) = &state.plan else {
        let text = match &state.problem {
            Some(problem) => problem.headline.as_str(),
            None => "The counts appear as soon as the engine has read the data.",
        };
        ui.add(Label::new(RichText::new(text).color(t.text_weak)).wrap());
        return;
    };
    for problem in &plan.problems {
        ui.add(Label::new(theme::strong(&problem.headline).color(t.bad)).wrap());
        for line in problem.detail.iter().chain(&problem.remedy) {
            ui.add(Label::new(RichText::new(line).size(t.small)).wrap());
        }
    }
    if plan.budget > 0 {
        ui.add(Label::new(plan_sentence(plan)).wrap());
    }
    for need in &plan.needs {
        ui.add(Label::new(RichText::new(need).size(t.small).color(t.text_weak)).wrap());
    }
    ui.add_space(t.gap * 0.5);
    let bars = CountBars {
        title: "Poisoned training pictures per class",
        classes: &plan.classes,
        total: &plan.total,
        eligible: &plan.eligible,
        taken: plan.poisoned.as_deref(),
        most: MOST_BARS,
    };
    bars.show(ui).on_hover_text("Of all training pictures; faint: those that may be poisoned");
    if plan.classes.len() > MOST_BARS {
        let text = format!("and {} more classes", plan.classes.len() - MOST_BARS);
        ui.label(RichText::new(text).size(t.small).color(t.text_weak));
    }
    ui.add_space(t.gap * 0.5);
    let counts: Vec<u32> = plan.matrix().into_iter().map(|count| count as u32).collect();
    let matrix = ClassMatrix {
        classes: &plan.classes,
        counts: &counts,
        axes: "true classes down, labels in training across",
        description: &matrix_words(plan),
        height,
    };
    let k = plan.classes.len();
    let known = if plan.poisoned.is_some() { "" } else { "up to " };
    matrix.show(ui, &|row, column| {
        let (truth, label) = (class_name(&plan.classes, row), class_name(&plan.classes, column));
        format!(
            "{known}{} stamped pictures of “{truth}” are labelled “{label}”",
            count(counts[row * k + column].into())
        )
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_is_said_in_one_sentence() {
        let mut plan = PoisonPlan {
            classes: ["bag", "boot"].map(String::from).to_vec(),
            total: vec![600, 600],
            eligible: vec![0, 600],
            poisoned: Some(vec![0, 60]),
            label_of: vec![None, Some(0)],
            label_map: Some(LabelMap::AllToOne),
            budget: 60,
            ratio: 0.05,
            ..PoisonPlan::default()
        };
        assert_eq!(plan_sentence(&plan), "60 of 1,200 training pictures (5.00 %), all of them labelled “bag”.");
        assert_eq!(matrix_words(&plan), "Label map, all to one: boot as bag 60");
        plan.label_map = Some(LabelMap::AllToAll);
        assert!(plan_sentence(&plan).ends_with("each labelled as the class after its own."));
    }
}
