//! Security of a WebRTC transport, tested with real STUN, DTLS and SRTP in memory and in virtual
//! time.
//!
//! Attackers in these tests know the server's address and everything that is sent in clear. They
//! lack the ICE password, the private key of the peer's certificate and the SRTP keys.

mod bounds;
mod closing;
mod fingerprints;
mod forged_checks;
mod full_agent;
mod handshakes;
mod hello_race;
mod injected_media;
mod mobility;
pub mod peer;
mod return_routability;
mod state_order;
