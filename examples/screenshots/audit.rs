//! The Audit screen.

use super::{Studio, Wish};
use polariscope::app::audit::AuditChange;
use polariscope::app::command::{Change, Screen, UserCommand};
use polariscope::app::comparison::CompareChange;
use polariscope::app::export::ExportChange;

/// A delivered model: nothing chosen, the choices, the checks at work, what they found, the report's dialog; a repaired one
/// beside it.
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
    studio.press("Trigger search: suspicious");
    studio.command(UserCommand::ToggleLook);
    studio.harness.run_steps(8);
    studio.shoot("audit-look");
    studio.scroll(500.0);
    studio.shoot("audit-look-below");
    studio.command(UserCommand::ToggleLook);
    studio.press("Repeat on another model");
    studio.change(Change::Audit(AuditChange::Model("/home/ada/models/signs-repaired.safetensors".to_owned())));
    studio.harness.run_steps(8);
    studio.shoot("audit-returned");
    studio.change(Change::OpenRun("/runs/audit-of-repaired".into()));
    studio.change(Change::Audit(AuditChange::Decide("Accepted for the test bench. Not for the road.".to_owned())));
    studio.harness.run_steps(8);
    studio.shoot("audit-clear");
    studio.press("Known patch: clear");
    studio.shoot("audit-known-patch");
    studio.press("Look through the polarizer");
    studio.harness.run_steps(60);
    studio.shoot("audit-polarizer");
    studio.command(UserCommand::Go(Screen::Audit));
    studio.press("Compare with the earlier audit");
    studio.harness.run_steps(8);
    studio.shoot("audit-compared");
    studio.change(Change::Compare(CompareChange::OnlyDisagreements(true)));
    studio.harness.run_steps(8);
    studio.scroll(2000.0);
    studio.shoot("audit-disagreements");
}
