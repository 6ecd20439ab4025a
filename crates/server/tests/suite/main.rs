//! The program from outside: started as people start it, on free ports of loopback, and spoken to
//! over real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test a failure is a panic"
)]

mod abuse;
mod api;
mod checks;
mod client;
mod configuration;
mod doctor;
mod engineio;
#[cfg(feature = "faults")]
mod faults;
mod metrics;
mod origins;
#[cfg(target_os = "linux")]
mod packets;
mod page;
mod program;
mod protoo;
mod rates;
mod signalling;
mod socketio;
