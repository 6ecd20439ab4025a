//! Deterministic simulator: workers, the conference, scripted browsers and the links between them,
//! in one thread and in virtual time. A seed determines the whole run: equal seeds send equal
//! bytes.
//!
//! Tests describe calls with [`scenario`]; the oracles of [`oracle`] check every run.

pub mod cross_traffic;
pub mod network;
pub mod oracle;
pub mod participant;
pub mod profiles;
pub mod scenario;
pub mod score;
pub mod seeds;
pub mod world;
