//! What a transport owes its peer and denies everybody else, shown with real STUN, DTLS and SRTP
//! and without a socket: packets are handed over in memory, in virtual time.
//!
//! Attackers here know the server's address and everything that crosses the wire in clear; they
//! lack the ICE password, the peer's certificate and the keys.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]
#![expect(
    clippy::indexing_slicing,
    reason = "tests cut packets to pieces on purpose"
)]
#![expect(
    clippy::panic,
    reason = "the peer of a test stops where a browser would give up"
)]

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
