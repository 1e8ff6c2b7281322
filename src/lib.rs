//! Polariscope: plant, see, detect and remove backdoors in neural networks.
//!
//! The map of the house; a room may use the rooms above it.
//!
//! | room | what |
//! |---|---|
//! | [`experiment`] | what to do, as data: the spec, its checks, method descriptions, metrics, problems |
//! | [`run`] | what was done: events, job handle, run folder, journal, index |
//! | [`data`] | data sets, poisoning overlay, augmentation; one file per format in `data::sources` |
//! | [`nets`] | networks as pure functions of named parameters, plugs, training loop; `nets::zoo`, `nets::formats` |
//! | [`attacks`] | one file per attack |
//! | [`defenses`] | by life cycle; one file per defense |
//! | [`analysis`] | one file per way to look into a model |
//! | [`checks`] | what can be found in a delivered model; one file per check |
//! | [`fairness`] | fair regression on tables, and its rivals |
//! | [`catalogue`] | the one list of all methods |
//! | [`engine`] | the worker thread: runs experiments, answers questions |
//! | [`cli`], [`app`] | the two doors: command line and window |

pub mod analysis;
pub mod app;
pub mod attacks;
pub mod catalogue;
pub mod checks;
pub mod cli;
pub mod data;
pub mod defenses;
pub mod engine;
pub mod experiment;
pub mod fairness;
pub mod nets;
pub mod run;
