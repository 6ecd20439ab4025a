//! What a transport owes its peer and denies everybody else, shown with real STUN, DTLS and SRTP
//! and without a socket: packets are handed over in memory, in virtual time.
//!
//! Attackers here know the server's address and everything that crosses the wire in clear; they
//! lack the ICE password, the peer's certificate and the keys.

mod bounds;
mod closing;
mod fingerprints;
mod forged_checks;
mod full_agent;
mod handshakes;
mod hello_race;
mod injected_media;
mod mobility;
mod order;
mod peer;
