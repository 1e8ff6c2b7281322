//! The Audit screen.

use super::{Studio, Wish};
use polariscope::app::audit::AuditChange;
use polariscope::app::command::{Change, Screen, UserCommand};
use polariscope::app::export::ExportChange;

/// A delivered model: nothing chosen, the choices, the checks at work, what they found, the report's dialog, a repaired one.
pub fn audit(wish: &Wish) {
    let mut studio = Studio::new(wish, true);
    studio.command(UserCommand::Go(Screen::Audit));
    studio.harness.run_steps(8);
    studio.shoot("audit-empty");
    studio.change(Change::Audit(AuditChange::Model("/home/ada/models/signs.safetensors".to_owned())));
    studio.change(Change::Audit(AuditChange::Pictures("/home/ada/pictures".to_owned())));
    studio.harness.run_steps(8);
    studio.shoot("audit-chosen");
    studio.change(Change::Audit(AuditChange::Model("/home/ada/people.txt".to_owned())));
    studio.harness.run_steps(8);
    studio.shoot("audit-refused");
    studio.change(Change::Audit(AuditChange::Model("/home/ada/models/signs.safetensors".to_owned())));
    studio.command(UserCommand::Start);
    studio.script.start_audit();
    studio.script.search();
    studio.harness.run_steps(8);
    studio.shoot("audit-running");
    studio.script.finish_audit(true);
    studio.harness.run_steps(8);
    studio.shoot("audit-suspicious");
    studio.press("Accuracy per class: clear");
    studio.shoot("audit-accuracy");
    studio.press("Report…");
    studio.shoot("audit-report");
    studio.change(Change::Export(ExportChange::Close));
    studio.change(Change::OpenRun("/runs/audit-of-repaired".into()));
    studio.harness.run_steps(8);
    studio.shoot("audit-clear");
}
