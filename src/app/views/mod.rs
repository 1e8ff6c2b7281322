//! What shows one thing and is used by screens: curves, pictures, tables.

mod camera;
mod curves;
pub mod fair;
mod glimpse;
mod lesson;
mod overlay;
mod picture_rows;
mod planner;
pub mod polarizer;
mod results;
mod room;
mod sticker;
mod sweep;
mod thumb_grid;
pub mod watched;

pub use camera::{Camera, STEP as ZOOM_STEP};
pub use curves::{LEARNING_RATE, curves, metric_role, metric_title};
pub use glimpse::{confusion_matrix, confusion_sentence, moment_words, watched_pictures};
pub use lesson::{lesson_column, lesson_width};
pub use overlay::{Overlaid, overlay};
pub use picture_rows::{demo_matrix, job_pictures, preview};
pub use planner::planner;
pub use results::{fair_table, results_note, results_table};
pub use room::room_card;
pub use sticker::{stand_picture, sticker_id};
pub use sweep::{sweep_courses, sweep_plot, sweep_strip, sweep_table};
pub use thumb_grid::ThumbGrid;
pub use watched::watched_curves;
