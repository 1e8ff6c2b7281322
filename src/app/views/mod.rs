//! What shows one thing and is used by screens: curves, pictures, tables.

mod curves;
mod glimpse;
mod picture_rows;
mod results;

pub use curves::{curves, metric_role, metric_title};
pub use glimpse::{confusion_matrix, confusion_sentence, moment_words, watched_pictures};
pub use picture_rows::{demo_matrix, demo_sentence, job_pictures, preview};
pub use results::results_table;
