//! What shows one thing and is used by screens: curves, pictures, tables.

mod curves;
mod picture_rows;
mod results;

pub use curves::{curves, metric_role, metric_title};
pub use picture_rows::{demo_matrix, demo_sentence, job_pictures, preview};
pub use results::results_table;
