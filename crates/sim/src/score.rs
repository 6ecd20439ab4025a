//! Scoreboard of media quality: cases as data, one generic run, and a table of figures against bars.
//!
//! A [`case::Case`] names people, links over time, events, and rows; [`run::run_case`] runs it with a
//! seed and records a series of samples; [`evaluate::figures`] reads the figures of a [`measure::Measure`] from it; a
//! [`bar::Bar`] judges the figure over all seeds. `make score` writes `docs/scoreboard.md`.

pub mod bar;
pub mod case;
pub mod cases;
pub mod evaluate;
pub mod measure;
pub mod recording;
pub mod run;
pub mod series;
pub mod table;
