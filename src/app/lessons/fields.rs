//! The single settings of the Lab that a pack can leave out, by their paths in the experiment: `poison.ratio`.

use crate::app::form::{Field, Forms};
use crate::experiment::{Experiment, Method, Pick};

/// Adding and removing defenses, which is no single field.
pub const DEFENSES: &str = "defense";

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChoice {
    /// Where it lies in the experiment; `attack.id` is which attack it is.
    pub path: String,
    pub title: String,
    pub help: String,
}

/// The settings of one step of the Lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldGroup {
    pub title: String,
    pub fields: Vec<FieldChoice>,
}

/// All settings that the Lab shows for this experiment, step by step.
pub fn field_groups(experiment: &Experiment, forms: &Forms, methods: &[&'static Method]) -> Vec<FieldGroup> {
    let name = |pick: &Pick| methods.iter().find(|method| method.id == pick.id).map_or("", |method| method.name);
    let choice = |path: &str, title: &str, help: &str| FieldChoice {
        path: path.to_owned(),
        title: title.to_owned(),
        // Some options speak for themselves.
        help: if help.is_empty() { title } else { help }.to_owned(),
    };
    let within = |place: &str, fields: &[Field]| -> Vec<FieldChoice> {
        fields.iter().map(|field| choice(&format!("{place}.{}", field.key), &field.title, &field.help)).collect()
    };
    let of_pick = |title: &str, place: &str, pick: &Pick| {
        let which = choice(&format!("{place}.id"), "Which one it is", "The list of methods");
        let options = within(&format!("{place}.options"), forms.of(&pick.id));
        FieldGroup { title: format!("{title}: {}", name(pick)), fields: [vec![which], options].concat() }
    };
    let group = |title: &str, place: &str, fields: &[Field]| FieldGroup {
        title: title.to_owned(),
        fields: within(place, fields),
    };
    let seed = choice("seed", "Seed", "The same seed gives the same result");
    let mut groups = vec![FieldGroup { title: "Experiment".to_owned(), fields: vec![seed] }];
    groups.push(group("Data", "data", &forms.data));
    groups.push(of_pick("Network", "network", &experiment.network));
    if let Some(attack) = &experiment.attack {
        groups.push(of_pick("Attack", "attack", attack));
        groups.push(group("Poison", "poison", &forms.poison));
        groups.push(match &experiment.selection {
            Some(selection) => of_pick("Selection", "selection", selection),
            None => FieldGroup {
                title: "Selection".to_owned(),
                fields: vec![choice("selection.id", "Which one it is", "How the poisoned pictures are chosen")],
            },
        });
    }
    groups.push(group("Training", "train", &forms.train));
    for (index, pick) in experiment.defense.iter().enumerate() {
        groups.push(of_pick(&format!("Defense {}", index + 1), &format!("defense.{index}"), pick));
    }
    let mut defender = group("Defender", "defender", &forms.defender);
    defender.fields.insert(0, choice(DEFENSES, "Adding and removing defenses", "The buttons for it"));
    groups.push(defender);
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::check;
    use std::collections::HashSet;

    #[test]
    fn every_field_of_the_lab_has_a_path_of_its_own() {
        let methods = crate::catalogue::all();
        let spec = "[data]\nsource = 'fashion-mini'\n[network]\nid = 'small-resnet'\n[attack]\nid = 'badnets'\n\
                    [[defense]]\nid = 'npd'\n[[defense]]\nid = 'ft'\n";
        let experiment = check::parse(spec, methods).unwrap();
        let groups = field_groups(&experiment, &Forms::new(methods), methods);
        let titles: Vec<_> = groups.iter().map(|group| group.title.as_str()).collect();
        assert!(titles.contains(&"Attack: BadNets") && titles.contains(&"Defense 2: Fine-tuning (FT)"), "{titles:?}");
        let mut paths = HashSet::new();
        for field in groups.iter().flat_map(|group| &group.fields) {
            assert!(paths.insert(&field.path), "{} twice", field.path);
            assert!(!field.title.is_empty() && !field.help.is_empty(), "{field:?}");
        }
        for path in
            ["seed", "poison.ratio", "attack.id", "attack.options.size", "train.epochs", "defense.1.options.epochs"]
        {
            assert!(paths.iter().any(|known| *known == path), "{path} is missing");
        }
    }
}
