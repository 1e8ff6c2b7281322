//! What an audit has to save: its report, the tables behind the findings, their pictures.

use super::{caption_of_job, picture, table};
use crate::app::export::table::Table;
use crate::app::export::{Content, Offer, REPORT};
use crate::app::job::JobView;
use crate::app::state::State;
use crate::run::report::Audited;
use crate::run::results::quoted;

pub fn offers(state: &State, job: &JobView) -> Vec<Offer> {
    let caption = caption_of_job(state, job);
    let mut offers = Vec::new();
    if let Some(folder) = job.folder.clone().filter(|_| !job.is_live() && !job.checks.is_empty()) {
        let title = REPORT.to_owned();
        offers.push(Offer { title, caption: caption.clone(), content: Content::Report(Audited::of(folder)) });
    }
    for found in &job.checks {
        if let Some(rows) = &found.table {
            let lines = std::iter::once(&rows.head).chain(rows.rows.iter().map(|row| &row.cells));
            let line = |cells: &Vec<String>| cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",") + "\n";
            offers.push(table(&found.title, &caption, Table::of_csv(lines.map(line).collect())));
        }
    }
    offers.extend(job.pictures.iter().map(|shown| picture(&shown.caption, &caption, &shown.rgba)));
    offers
}
