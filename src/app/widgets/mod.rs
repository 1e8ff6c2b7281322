//! Small parts that several screens share.

mod bars;
mod buttons;
mod cards;
mod class_matrix;
pub mod dial;
mod empty;
mod icon;
mod line_sample;
mod picture;
mod progress;
mod scale;
mod title_row;
mod verdict;

pub use bars::{CountBars, PredictionBars, verdict_mark};
pub use buttons::{command_button, export_button, main_button, segmented, switch, table_button};
pub use cards::{metric_card, problem_card, report_card, section, unseen_trigger};
pub use class_matrix::ClassMatrix;
pub use dial::Dial;
pub use empty::empty_state;
pub use icon::{program_mark, screen_icon};
pub use line_sample::{legend_entry, line_sample};
pub use picture::{paint_picture, picture_sheet, picture_tile, take_wanted};
pub use progress::phase_bar;
pub use scale::colour_scale;
pub use title_row::title_row;
pub use verdict::{verdict_colour, verdict_sign};
