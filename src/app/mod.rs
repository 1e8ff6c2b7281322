//! The window. It talks to the engine through messages only and never sees a tensor.
//!
//! | part | what |
//! |---|---|
//! | `start` | opens the window on the real engine |
//! | `window` | takes events, lets screens draw, carries out requests |
//! | `command`, `carry_out` | all that a person can ask for, in one list; the one place where it is done |
//! | `state` | everything the window knows; screens only read it |
//! | `screens`, `views`, `widgets`, `form` | what is drawn, from large to small |
//! | `describe` | curves in words |
//! | `replay` | a recorded run, played again |
//! | `lessons` | lessons, packs for a class, work that is handed in |
//! | `gpu`, `picture` | pictures drawn by the graphics card; what can be said about a picture and its stamped twin |
//! | `sweep` | one thing varied |
//! | `theme` | tokens: every colour and size |

pub mod archive;
pub mod audit;
pub mod background;
mod bench;
mod carry_out;
pub mod command;
pub mod comparison;
pub mod config;
mod curves;
pub mod demo;
mod describe;
mod desk;
mod differences;
mod displays;
mod draft;
pub mod export;
pub mod fair;
mod form;
pub mod frame_clock;
mod fuzzy;
pub mod gpu;
pub mod job;
mod labels;
pub mod lessons;
mod model_differences;
mod notices;
mod palette;
pub mod picture;
mod polarizer;
pub mod replay;
pub mod run_list;
mod screens;
mod shell;
mod spec_text;
pub mod stand;
mod start;
pub mod state;
mod suitability;
pub mod sweep;
pub mod theme;
mod views;
mod widgets;
mod window;
mod words;

pub use start::run;
pub use window::{App, Parts};
