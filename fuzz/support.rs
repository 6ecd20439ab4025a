//! Workers and their peers in memory, as the engine's tests use them.

#[path = "../crates/engine/tests/suite/support/broadcast.rs"]
pub mod broadcast;
#[path = "../crates/engine/tests/suite/support/simulcast.rs"]
pub mod simulcast;
#[path = "../crates/engine/tests/suite/support/worker_setup.rs"]
pub mod worker_setup;
