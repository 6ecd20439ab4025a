//! The engine from outside: workers and transports driven in memory and in virtual time. One
//! binary, because each of them links every cryptographic library.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, cuts packets into pieces, and picks the origin of time"
)]

#[cfg(feature = "sim")]
mod allocations;
#[cfg(feature = "sim")]
mod bandwidth;
mod cache_start;
mod demand;
#[cfg(feature = "sim")]
mod egress_window;
#[cfg(feature = "sim")]
mod forwarding;
mod handshake_scheduling;
#[cfg(feature = "sim")]
mod held_consumers;
#[cfg(feature = "sim")]
mod keyframe_requests;
#[cfg(feature = "sim")]
mod late_keyframes;
#[cfg(feature = "sim")]
mod moved_peers;
#[cfg(feature = "sim")]
mod packet_sizes;
#[cfg(feature = "sim")]
mod piped_producers;
#[cfg(feature = "sim")]
mod producer_codecs;
#[cfg(feature = "sim")]
mod publisher_jumps;
#[cfg(feature = "sim")]
mod quality_reports;
#[cfg(feature = "sim")]
mod redundant_audio;
#[cfg(feature = "sim")]
mod retransmissions;
#[cfg(feature = "sim")]
mod scripts;
#[cfg(feature = "sim")]
mod sender_reports;
#[cfg(feature = "sim")]
mod spatial_layers;
#[cfg(feature = "sim")]
mod speakers;
mod srtp_interop;
#[cfg(feature = "sim")]
mod ssrcs;
mod support;
#[cfg(feature = "sim")]
mod temporal_layers;
mod transport_security;
#[cfg(feature = "sim")]
mod voices;
