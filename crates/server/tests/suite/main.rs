//! Integration tests: start the program as a process on free loopback ports and use it over real
//! sockets.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod abuse;
mod acme;
mod acme_authority;
mod api;
mod call_history;
mod configuration;
mod doctor;
mod engineio_client;
#[cfg(feature = "faults")]
mod faults;
mod flooding;
mod health_command;
mod ice_checks;
#[cfg(target_os = "linux")]
mod local_addresses;
mod metrics;
#[cfg(target_os = "linux")]
#[path = "../../../net/tests/support/namespace.rs"]
mod namespace;
mod native_client;
mod one_port;
mod operators;
mod origins;
#[cfg(target_os = "linux")]
mod packet_egress;
mod page_and_lifecycle;
mod presented_certificate;
mod program;
mod protoo;
mod rate_limits;
mod shutdown;
mod signalling;
mod socketio;
mod tls;
mod turn_client;
mod turn_server;
mod webhooks;
mod whip;
