//! Which defenses can work on the draft's network, beside its attack: asked of the engine, told where one is chosen.

use super::desk::Purpose;
use super::state::{PREVIEW_DELAY, State};
use crate::experiment::spec::DataChoice;
use crate::experiment::{Kind, Method, Pick, check};
use crate::run::event::{Question, Refusal};
use crate::run::handle::Engine;

#[derive(Debug, Default)]
pub struct Suitability {
    /// What the engine was asked about last.
    asked: Option<(Pick, DataChoice)>,
    due: Option<f64>,
    /// Defenses that cannot work on that network.
    pub(super) refusals: Vec<Refusal>,
}

impl State {
    /// Asks again a moment after network or data have changed; gives the seconds until then.
    pub(super) fn ask_about_defenses(&mut self, engine: &dyn Engine) -> Option<f64> {
        let experiment = self.draft.experiment();
        let wanted = (experiment.network.clone(), experiment.data.clone());
        if self.suitability.asked.as_ref() == Some(&wanted) {
            return None;
        }
        let due = *self.suitability.due.get_or_insert(self.now + PREVIEW_DELAY);
        if self.now < due {
            return Some(due - self.now);
        }
        let question = Question::Defenses { spec: self.draft.text().to_owned() };
        self.suitability.due = None;
        if self.desk.ask(engine, Purpose::Defenses, question) {
            self.suitability.asked = Some(wanted);
            None
        } else {
            Some(PREVIEW_DELAY)
        }
    }

    /// Why a defense cannot be used in the draft, in the words with which a run would be refused.
    pub fn refusal(&self, defense: &Method) -> Option<String> {
        let experiment = self.draft.experiment();
        let find =
            |id: &str, kind: Kind| self.methods.iter().copied().find(|method| method.id == id && method.kind == kind);
        let attack = experiment.attack.as_ref().and_then(|pick| find(&pick.id, Kind::Attack));
        let network = find(&experiment.network.id, Kind::Network);
        if let Some((message, _)) = check::cannot_defend(defense, attack, network) {
            return Some(message);
        }
        let refused = self.suitability.refusals.iter().find(|refusal| refusal.method == defense.id);
        refused.map(|refusal| refusal.problem.headline.clone())
    }
}
