//! The engine: one worker thread that owns every tensor, runs experiments and answers questions.

mod attacker;
mod attention;
mod audit;
mod backdoorbench;
mod bench;
mod demo;
pub mod difference;
mod doors;
mod evaluate;
pub mod evaluation;
mod failure;
pub mod fair;
mod glimpse;
mod library;
pub mod machine;
mod phases;
pub mod planner;
mod poison_export;
mod polarizer;
mod questions;
mod runner;
mod stage;
mod takeover;
mod work;
mod worker;

pub use attacker::Attacker;
pub use evaluate::{Judge, score};
pub use library::Library;
pub use questions::{answer, inspect};
pub use worker::Worker;
