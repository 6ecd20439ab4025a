//! Counters of the TURN server, which `http::metrics` publishes.

use std::sync::atomic::{AtomicU64, Ordering};

use stun_types::attribute::ErrorCode;

use super::relay_addresses::RelayAddresses;

/// Error codes of responses (RFC 8656 §19).
const CODES: [u16; 12] = [
    ErrorCode::BAD_REQUEST,
    ErrorCode::UNAUTHORIZED,
    ErrorCode::FORBIDDEN,
    ErrorCode::UNKNOWN_ATTRIBUTE,
    ErrorCode::ALLOCATION_MISMATCH,
    ErrorCode::STALE_NONCE,
    ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED,
    ErrorCode::WRONG_CREDENTIALS,
    ErrorCode::UNSUPPORTED_TRANSPORT_PROTOCOL,
    ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH,
    ErrorCode::ALLOCATION_QUOTA_REACHED,
    ErrorCode::INSUFFICIENT_CAPACITY,
];

/// Reason why a datagram was not relayed, or a request not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// It is neither a STUN message nor data of a channel.
    Malformed,
    /// It is data of a client without an allocation, or for a peer without permission or channel.
    NoPermission,
    /// Its peer is no media socket of this server.
    ForbiddenPeer,
    /// Its receiver does not keep up.
    QueueFull,
    /// Its answer would be too large for an unknown client.
    Amplification,
}

impl DropReason {
    /// All reasons.
    const ALL: [Self; 5] = [
        Self::Malformed,
        Self::NoPermission,
        Self::ForbiddenPeer,
        Self::QueueFull,
        Self::Amplification,
    ];

    /// Returns the name of the reason in metrics.
    const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NoPermission => "no-permission",
            Self::ForbiddenPeer => "forbidden-peer",
            Self::QueueFull => "queue-full",
            Self::Amplification => "amplification",
        }
    }
}

/// Counters since the start.
#[derive(Debug, Default)]
pub struct TurnMetrics {
    /// Allocations that exist.
    allocations: AtomicU64,
    /// Allocations made.
    allocations_made: AtomicU64,
    /// Addresses of relay sockets, by which media sockets see clients.
    pub relays: RelayAddresses,
    /// Payload bytes from clients to media sockets.
    bytes_from_clients: AtomicU64,
    /// Payload bytes from media sockets to clients.
    bytes_to_clients: AtomicU64,
    /// Error responses, in the order of `CODES`.
    refused: [AtomicU64; CODES.len()],
    /// Dropped datagrams, in the order of `DropReason::ALL`.
    dropped: [AtomicU64; DropReason::ALL.len()],
}

impl TurnMetrics {
    /// Records the number of allocations that exist.
    pub fn set_allocations(&self, count: u32) {
        self.allocations.store(count.into(), Ordering::Relaxed);
    }

    /// Records a new allocation.
    pub fn record_allocation(&self) {
        self.allocations_made.fetch_add(1, Ordering::Relaxed);
    }

    /// Records payload sent to a media socket.
    pub fn record_from_client(&self, len: usize) {
        let len = len as u64;
        self.bytes_from_clients.fetch_add(len, Ordering::Relaxed);
    }

    /// Records payload sent to a client.
    pub fn record_to_client(&self, len: usize) {
        let len = len as u64;
        self.bytes_to_clients.fetch_add(len, Ordering::Relaxed);
    }

    /// Records an error response.
    pub fn record_refusal(&self, code: u16) {
        let counters = CODES.iter().zip(&self.refused);
        for (_, counter) in counters.filter(|(known, _)| **known == code) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Records a datagram that was dropped.
    pub fn record_drop(&self, reason: DropReason) {
        let counters = DropReason::ALL.iter().zip(&self.dropped);
        for (_, counter) in counters.filter(|(known, _)| **known == reason) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the number of allocations that exist.
    pub fn allocations(&self) -> u64 {
        self.allocations.load(Ordering::Relaxed)
    }

    /// Returns the number of allocations made.
    pub fn allocations_made(&self) -> u64 {
        self.allocations_made.load(Ordering::Relaxed)
    }

    /// Returns the payload bytes by direction, as seen from the server.
    pub fn bytes(&self) -> [(&'static str, u64); 2] {
        [
            ("in", self.bytes_from_clients.load(Ordering::Relaxed)),
            ("out", self.bytes_to_clients.load(Ordering::Relaxed)),
        ]
    }

    /// Returns the error responses by code.
    pub fn refused(&self) -> impl Iterator<Item = (u16, u64)> {
        let counts = self.refused.iter();
        let counts = counts.map(|count| count.load(Ordering::Relaxed));
        CODES.into_iter().zip(counts)
    }

    /// Returns the dropped datagrams by reason.
    pub fn dropped(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.dropped.iter();
        let counts = counts.map(|count| count.load(Ordering::Relaxed));
        DropReason::ALL
            .map(DropReason::name)
            .into_iter()
            .zip(counts)
    }
}
