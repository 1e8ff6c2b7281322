//! Which table, what its columns mean, and how the regression is made.

use crate::app::command::{Change, Requests, UserCommand};
use crate::app::fair::{EMBEDDED, FairChange};
use crate::app::form;
use crate::app::state::State;
use crate::app::theme::{self, Tokens};
use crate::app::widgets::{self, command_button};
use crate::app::words;
use crate::experiment::check;
use crate::experiment::fair::{ColumnChoice, ColumnKind, FairExperiment, Missing};
use crate::run::fair::{ColumnCard, TableCard};
use egui::{ComboBox, Key, Label, RichText, ScrollArea, TextEdit, Ui};
use serde_json::{Map, Value};

#[derive(Debug, Default)]
pub struct SetupMemory {
    /// The path that is being typed.
    path: String,
    filter: String,
}

/// The embedded tables, and the one that was opened.
pub fn choose_table(ui: &mut Ui, t: &Tokens, state: &State, requests: &Requests) {
    let source = &state.fairness.experiment.table.source;
    let embedded = EMBEDDED.iter().find(|(id, ..)| id == source).map(|(_, name, _)| (*name).to_owned());
    let file = || std::path::Path::new(source).file_name().map(|name| name.to_string_lossy().into_owned());
    let name = embedded.or_else(file).unwrap_or_else(|| source.clone());
    let width = (ui.available_width() - t.body).min(t.body * 15.0).max(t.body * 8.0);
    let combo = ComboBox::from_id_salt("table").width(width).truncate().selected_text(name);
    let response = combo.show_ui(ui, |ui| {
        for (id, name, _) in EMBEDDED {
            if ui.selectable_label(id == source, name).clicked() && id != source {
                requests.change(Change::Fair(FairChange::Source(id.to_owned())));
            }
        }
        ui.separator();
        command_button(ui, state, requests, UserCommand::OpenFile);
    });
    response
        .response
        .accessible_name("Table")
        .on_hover_text("Two tables are inside the program; drop your own CSV here");
}

/// All choices, in a card that scrolls.
pub fn show(ui: &mut Ui, t: &Tokens, state: &State, memory: &mut SetupMemory, requests: &Requests) {
    let fair = &state.fairness;
    let mut experiment = fair.experiment.clone();
    theme::card(t).show(ui, |ui| {
        let full = fair.table.is_some();
        ui.set_min_width(ui.available_width());
        if full {
            ui.set_min_height(ui.available_height());
        }
        ScrollArea::vertical().id_salt("fair setup").auto_shrink([false, !full]).show(ui, |ui| {
            ui.set_max_width(ui.available_width() - t.gap);
            path(ui, t, memory, requests);
            let Some(card) = &fair.table else {
                return without_table(ui, state, requests);
            };
            columns(ui, t, card, &mut experiment, memory);
            ui.separator();
            rows(ui, t, &mut experiment);
            ui.separator();
            model(ui, state, &mut experiment);
            copy_button(ui, &experiment, requests);
        });
    });
    if experiment != fair.experiment {
        requests.change(Change::Fair(FairChange::Experiment(Box::new(experiment))));
    }
}

/// While a table is read, or when it cannot be read: nothing can be chosen from it, but there are others.
fn without_table(ui: &mut Ui, state: &State, requests: &Requests) {
    if state.fairness.problem.is_none() {
        ui.label("Reading the table…");
        return;
    }
    ui.label("Or one that is inside the program:");
    ui.horizontal_wrapped(|ui| {
        for (id, name, _) in EMBEDDED {
            if ui.button(name).clicked() {
                requests.change(Change::Fair(FairChange::Source(id.to_owned())));
            }
        }
    });
}

fn path(ui: &mut Ui, t: &Tokens, memory: &mut SetupMemory, requests: &Requests) {
    ui.label(theme::strong("Your own table"));
    ui.horizontal(|ui| {
        let button = t.body * 5.0;
        let edit = TextEdit::singleline(&mut memory.path).hint_text("Path of a CSV or Parquet file, or drop it here");
        let edit = ui.add(edit.desired_width(ui.available_width() - button)).accessible_name("Path of a table");
        let entered = edit.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let clicked = ui.button("Read").on_hover_text("Reads the table and proposes what its columns mean").clicked();
        if (entered || clicked) && !memory.path.trim().is_empty() {
            requests.change(Change::Fair(FairChange::Source(memory.path.trim().to_owned())));
        }
    });
}

/// What a column is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Target,
    Sensitive,
    Feature,
    LeftOut,
}

impl Use {
    const ALL: [Use; 4] = [Use::Target, Use::Sensitive, Use::Feature, Use::LeftOut];

    fn name(self) -> &'static str {
        match self {
            Use::Target => "target",
            Use::Sensitive => "sensitive",
            Use::Feature => "feature",
            Use::LeftOut => "left out",
        }
    }

    fn of(experiment: &FairExperiment, column: &str) -> Self {
        let table = &experiment.table;
        let among = |names: &[String]| names.iter().any(|name| name == column);
        if table.target == column {
            Use::Target
        } else if among(&table.sensitive) {
            Use::Sensitive
        } else if among(&table.ignore) || !(table.features.is_empty() || among(&table.features)) {
            Use::LeftOut
        } else {
            Use::Feature
        }
    }

    /// Gives a column this use; it loses the one it had.
    fn give(self, experiment: &mut FairExperiment, column: &str) {
        let table = &mut experiment.table;
        for names in [&mut table.sensitive, &mut table.ignore] {
            names.retain(|name| name != column);
        }
        if table.target == column {
            table.target.clear();
        }
        let listed = !table.features.is_empty();
        match self {
            Use::Target => table.target = column.to_owned(),
            Use::Sensitive => table.sensitive.push(column.to_owned()),
            Use::LeftOut => table.ignore.push(column.to_owned()),
            Use::Feature if listed && !table.features.iter().any(|name| name == column) => {
                table.features.push(column.to_owned());
            }
            Use::Feature => {}
        }
    }
}

/// Every column with its use and its kind.
fn columns(ui: &mut Ui, t: &Tokens, card: &TableCard, experiment: &mut FairExperiment, memory: &mut SetupMemory) {
    ui.separator();
    let (count, rows) = (words::count(card.columns.len() as u64), words::count(card.rows as u64));
    ui.label(theme::strong(format!("{}: {rows} rows, {count} columns", card.name)));
    for note in &card.notes {
        ui.add(Label::new(RichText::new(note).size(t.small).color(t.warn)).wrap());
    }
    let numbers: Vec<&str> = card
        .columns
        .iter()
        .filter(|column| kind_of(experiment, column) == Some(ColumnKind::Number))
        .map(|column| column.name.as_str())
        .collect();
    let target = experiment.table.target.clone();
    ui.label("Predict");
    let combo = ComboBox::from_id_salt("target").width(ui.available_width()).truncate();
    let shown = if target.is_empty() { "Choose a column of numbers" } else { target.as_str() };
    let response = combo.selected_text(shown).show_ui(ui, |ui| {
        for name in numbers {
            if ui.selectable_label(name == target, name).clicked() {
                Use::Target.give(experiment, name);
            }
        }
    });
    response.response.accessible_name("Target");
    ui.label("Fair between the values of");
    ui.horizontal_wrapped(|ui| {
        for name in experiment.table.sensitive.clone() {
            let button = ui.button(format!("{name}  ×")).on_hover_text("Not sensitive: a feature like the others");
            if button.accessible_name(format!("Remove {name} from the sensitive columns")).clicked() {
                Use::Feature.give(experiment, &name);
            }
        }
        if experiment.table.sensitive.is_empty() {
            ui.label(RichText::new("none yet; choose below").color(t.text_weak));
        }
    });
    egui::CollapsingHeader::new(format!("All columns ({count})"))
        .id_salt("columns")
        .default_open(card.columns.len() <= 30)
        .show(ui, |ui| {
            if card.columns.len() > 12 {
                let edit = TextEdit::singleline(&mut memory.filter).hint_text("Find a column");
                ui.add(edit.desired_width(f32::INFINITY)).accessible_name("Find a column");
            }
            let wanted = memory.filter.to_lowercase();
            for column in card.columns.iter().filter(|column| column.name.to_lowercase().contains(&wanted)) {
                ui.push_id(&column.name, |ui| one_column(ui, t, column, experiment));
            }
        });
}

/// As corrected, else as guessed.
fn kind_of(experiment: &FairExperiment, column: &ColumnCard) -> Option<ColumnKind> {
    experiment.table.column(&column.name).and_then(|choice| choice.kind).or(column.kind)
}

fn one_column(ui: &mut Ui, t: &Tokens, column: &ColumnCard, experiment: &mut FairExperiment) {
    let used = Use::of(experiment, &column.name);
    ui.horizontal(|ui| {
        let choices = t.body * 14.5;
        let width = (ui.available_width() - choices).max(t.body * 5.0);
        ui.allocate_ui_with_layout(
            egui::vec2(width, t.control),
            egui::Layout::left_to_right(egui::Align::Center),
            |ui| {
                ui.set_width(width);
                let name = if used == Use::LeftOut {
                    RichText::new(&column.name).color(t.text_weak)
                } else {
                    theme::strong(&column.name)
                };
                ui.add(Label::new(name).truncate()).on_hover_text(&column.description);
            },
        );
        let combo = ComboBox::from_id_salt("use").width(t.body * 6.6).selected_text(used.name());
        let response = combo.show_ui(ui, |ui| {
            for choice in Use::ALL {
                let possible = choice != Use::Target || kind_of(experiment, column) == Some(ColumnKind::Number);
                let label = egui::Button::selectable(choice == used, choice.name());
                if ui.add_enabled(possible, label).clicked() {
                    choice.give(experiment, &column.name);
                }
            }
        });
        response.response.accessible_name(format!("Use of {}", column.name));
        kind(ui, t, column, experiment);
    });
}

/// Number or category: as guessed, or corrected.
fn kind(ui: &mut Ui, t: &Tokens, column: &ColumnCard, experiment: &mut FairExperiment) {
    let word = |kind: Option<ColumnKind>| match kind {
        Some(ColumnKind::Number) => "number",
        Some(ColumnKind::Category) => "category",
        None => "text",
    };
    let now = kind_of(experiment, column);
    let combo = ComboBox::from_id_salt("kind").width(t.body * 5.8).selected_text(word(now));
    let response = combo.show_ui(ui, |ui| {
        for kind in [ColumnKind::Number, ColumnKind::Category] {
            if ui.selectable_label(now == Some(kind), word(Some(kind))).clicked() {
                correct(experiment, column, kind);
            }
        }
    });
    let guess = format!("{}; guessed: {}", column.description, word(column.kind));
    response.response.accessible_name(format!("Kind of {}", column.name)).on_hover_text(guess);
}

fn correct(experiment: &mut FairExperiment, column: &ColumnCard, kind: ColumnKind) {
    let choices = &mut experiment.table.column;
    let guessed = column.kind == Some(kind);
    let kind = Some(kind).filter(|_| !guessed);
    match choices.iter_mut().find(|choice| choice.name == column.name) {
        Some(choice) => choice.kind = kind,
        None => {
            choices.push(ColumnChoice { name: column.name.clone(), kind, against_rest: None, cuts: Vec::new() });
        }
    }
    choices.retain(|choice| choice.kind.is_some() || choice.against_rest.is_some() || !choice.cuts.is_empty());
}

/// What happens to rows and features on their way into the model.
fn rows(ui: &mut Ui, t: &Tokens, experiment: &mut FairExperiment) {
    let table = &mut experiment.table;
    ui.label(theme::strong("Rows"));
    let missing = [
        (Missing::Mean, "Mean", "Empty cells get the mean of the training rows"),
        (Missing::Zero, "Zero", "Empty cells count as 0"),
        (Missing::DropRows, "Leave out", "Rows with an empty cell are left out"),
    ];
    ui.label("Empty cells");
    let words: Vec<_> = missing.iter().map(|(_, name, help)| ((*name).to_owned(), (*help).to_owned())).collect();
    let chosen = missing.iter().position(|(kind, ..)| *kind == table.missing);
    if let Some(at) = widgets::segmented(ui, "Empty cells", &words, chosen) {
        table.missing = missing[at].0;
    }
    for (on, name, help) in [
        (&mut table.standardise, "Standardise features", "Mean 0 and standard deviation 1 on the training rows"),
        (
            &mut table.use_sensitive,
            "Predict from sensitive columns, too",
            "They stay features; the means are tied all the same",
        ),
    ] {
        ui.horizontal(|ui| {
            widgets::switch(ui, on, name);
            ui.label(name).on_hover_text(help);
        });
    }
    ui.horizontal(|ui| {
        ui.label("Test rows");
        let mut percent = table.test_share * 100.0;
        let boxed = egui::DragValue::new(&mut percent).range(0.0..=90.0).suffix(" %").max_decimals(0);
        if ui.add(boxed).accessible_name("Test rows").changed() {
            table.test_share = percent / 100.0;
        }
        ui.label("Rows at most").on_hover_text("Drawn by the seed; 0 means all");
        ui.add(egui::DragValue::new(&mut table.rows).speed(10.0)).accessible_name("Rows at most");
    });
    ui.horizontal(|ui| {
        ui.label("Join groups below").on_hover_text("Groups with fewer training rows become one; 0 joins none");
        let boxed = egui::DragValue::new(&mut table.join_below).range(0..=100_000).speed(0.2).suffix(" rows");
        ui.add(boxed).accessible_name("Join groups below");
    });
    ui.horizontal(|ui| {
        ui.label("Seed");
        ui.add(egui::DragValue::new(&mut experiment.seed).speed(0.1)).accessible_name("Seed");
        ui.label(RichText::new("The same seed gives the same split").size(t.small).color(t.text_weak));
    });
}

/// The whole choice as text, for the command line.
fn copy_button(ui: &mut Ui, experiment: &FairExperiment, requests: &Requests) {
    let help = "The experiment as TOML; save it as a file and run it with `polariscope run FILE`";
    if ui.button("Copy as text").on_hover_text(help).clicked()
        && let Ok(text) = check::to_toml(experiment)
    {
        requests.change(Change::Copy(text));
    }
}

/// The form of the model, made from its own description.
fn model(ui: &mut Ui, state: &State, experiment: &mut FairExperiment) {
    ui.label(theme::strong("Model"));
    let mut values = match serde_json::to_value(&experiment.model) {
        Ok(Value::Object(values)) => values,
        _ => Map::new(),
    };
    if form::show(ui, "fair model", &state.forms.fair_model, &mut values, &[])
        && let Ok(model) = serde_json::from_value(Value::Object(values))
    {
        experiment.model = model;
    }
}
