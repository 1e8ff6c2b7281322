//! What a method says about itself. The description is plain data; the list of all methods is `catalogue`.

use serde::Serialize;
use serde_json::Value;

/// What a method is for; defenses are sorted by the moment in the model's life at which they act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Network,
    Attack,
    /// Chooses which pictures an attack poisons.
    Selection,
    /// Predicts numbers from a table, with equal means for all groups.
    FairRegression,
    /// Is compared with fair regression on the same rows.
    FairRival,
    /// Looks at a delivered model and changes nothing.
    Check,
    /// Before training: sifts the data.
    Cleaning,
    /// During training.
    Training,
    /// After training: changes the model.
    Repair,
    /// At use: judges inputs.
    Screening,
}

impl Kind {
    pub fn is_defense(self) -> bool {
        matches!(self, Kind::Cleaning | Kind::Training | Kind::Repair | Kind::Screening)
    }

    /// When in a model's life a defense acts, as a heading; nothing for other kinds.
    pub fn stage(self) -> Option<&'static str> {
        match self {
            Kind::Cleaning => Some("Before training: sifts the data"),
            Kind::Training => Some("During training: trains on poisoned data"),
            Kind::Repair => Some("After training: repairs the model"),
            Kind::Screening => Some("At use: judges every input"),
            _ => None,
        }
    }

    /// The word used in sentences: "Unknown attack ...".
    pub fn noun(self) -> &'static str {
        match self {
            Kind::Network => "network",
            Kind::Attack => "attack",
            Kind::Selection => "selection",
            Kind::FairRegression => "fair regression",
            Kind::FairRival => "rival",
            Kind::Check => "check",
            Kind::Cleaning | Kind::Training | Kind::Repair | Kind::Screening => "defense",
        }
    }
}

/// What the other parts of an experiment must know about a method before anything runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Property {
    /// An attack that owns the training loop: it stamps pictures anew in every batch.
    OwnsLoop,
    /// An attack that was published with true labels on stamped pictures.
    CleanLabel,
    /// Changes colours apart from brightness, of which grey pictures have none.
    NeedsColour,
    /// An attack that brings its stamped pictures: none are selected.
    ComesPoisoned,
    /// Trains a network of its own before the training begins.
    Surrogate,
    /// A network that comes trained.
    Finished,
    /// A defense that trains on the whole training set, poison and all.
    NeedsTrainingSet,
    /// A defense that needs pictures which are known to be clean.
    NeedsClean,
    /// A defense that looks at features inside of the network, or replaces them.
    NeedsSites,
    /// A defense that works on batch normalisations.
    NeedsBatchNorm,
    /// A defense that trains weights, or anything behind which weights lie.
    NeedsGradients,
    /// A check that tries again what an earlier audit has found.
    NeedsEarlier,
}

impl Property {
    /// What a defense needs, in the fewest words; nothing for other properties.
    pub fn need(self) -> Option<&'static str> {
        match self {
            Property::NeedsTrainingSet => Some("the training set"),
            Property::NeedsClean => Some("clean pictures"),
            Property::NeedsSites => Some("features"),
            Property::NeedsBatchNorm => Some("batch normalisation"),
            Property::NeedsGradients => Some("gradients"),
            Property::NeedsEarlier => Some("an earlier audit"),
            _ => None,
        }
    }
}

/// A method's description: enough to list it, explain it, check its options and draw its form.
#[derive(Debug)]
pub struct Method {
    /// The name in specs and on the command line: `badnets`.
    pub id: &'static str,
    pub kind: Kind,
    /// The name in print: `BadNets`.
    pub name: &'static str,
    pub one_line: &'static str,
    /// Idea, equation in words, what to look at: Markdown paragraphs.
    pub page: &'static str,
    /// Authors, title, venue, year.
    pub paper: &'static str,
    pub properties: &'static [Property],
    /// JSON schema of the options: descriptions, ranges (`minimum`, `maximum`), `x-unit`, `x-scale`, `x-paper`, `x-advanced`.
    pub schema: fn() -> Value,
    /// All options with their default values.
    pub defaults: fn() -> Value,
}

impl Method {
    /// What a defense needs: "clean pictures, gradients".
    pub fn needs(&self) -> String {
        self.properties.iter().filter_map(|property| property.need()).collect::<Vec<_>>().join(", ")
    }

    pub fn has(&self, property: Property) -> bool {
        self.properties.contains(&property)
    }
}

/// Schema of an options struct as plain JSON.
pub fn schema_of<T: schemars::JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

/// Default options as plain JSON.
pub fn defaults_of<T: Default + Serialize>() -> Value {
    serde_json::to_value(T::default()).unwrap_or(Value::Null)
}
