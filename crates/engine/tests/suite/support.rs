//! Support for the engine's tests and benchmarks: workers, and the peers that talk to them in
//! memory and in virtual time. The paths are explicit because benchmarks include this file too.

#[cfg(feature = "sim")]
#[path = "support/broadcast.rs"]
pub mod broadcast;
#[path = "support/dtls_client.rs"]
pub mod dtls_client;
#[cfg(feature = "sim")]
#[path = "support/simulcast.rs"]
pub mod simulcast;
#[path = "support/worker_setup.rs"]
pub mod worker_setup;
