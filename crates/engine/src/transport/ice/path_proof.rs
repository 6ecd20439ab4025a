//! Proof that a peer receives at the address that its packets state (return routability). A peer that
//! forges its source address could otherwise direct media to a third party.
//!
//! Until then a path gets at most [`AMPLIFICATION_MAX`] times the bytes that came from it (as in RFC
//! 9000 §8.1). The proof is the answer to a Binding request of ours with a random transaction id. We
//! do not know the peer's password, which mediasoup's signalling does not carry, so that browsers
//! answer with an error (RFC 8489 §9.1.3); its transaction id proves as much as a success would.

use std::time::Duration;

use aws_lc_rs::hmac;
use rand_chacha::rand_core::Rng as _;
use watersmeet_wire::stun::TransactionId;
use watersmeet_wire::units::{Rng, Time};

/// Bytes sent to an unproven path for each byte received from it.
pub const AMPLIFICATION_MAX: u64 = 3;

/// Upper bound of our checks on a path without a new check of the peer.
pub const CHECKS_MAX: u8 = 8;

/// Time until our second check. It doubles with each further one: the last leaves after 6.4 s.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// State of a path that is not proven.
#[derive(Debug, Clone, Copy)]
pub(super) struct PathProof {
    /// Bytes received from the path.
    received: u64,
    /// Bytes sent to it.
    sent: u64,
    /// Transaction id of our checks.
    transaction_id: TransactionId,
    /// Checks sent since the last one of the peer that found none outstanding.
    checks_sent: u8,
    /// Time at which the next check is due.
    check_at: Time,
}

impl PathProof {
    /// Returns the state of a path from which nothing was received.
    pub(super) const fn new(now: Time, transaction_id: TransactionId) -> Self {
        Self {
            received: 0,
            sent: 0,
            transaction_id,
            checks_sent: 0,
            check_at: now,
        }
    }

    /// Counts received bytes.
    pub(super) const fn record_received(&mut self, len: u64) {
        self.received = self.received.saturating_add(len);
    }

    /// Counts sent bytes.
    pub(super) const fn record_sent(&mut self, len: u64) {
        self.sent = self.sent.saturating_add(len);
    }

    /// Returns whether this many more bytes may be sent.
    pub(super) const fn allows(&self, len: u64) -> bool {
        let sent = self.sent.saturating_add(len);
        sent <= self.received.saturating_mul(AMPLIFICATION_MAX)
    }

    /// Starts another series of checks if the last one has ended without an answer.
    pub(super) const fn record_check(&mut self, now: Time) {
        if self.checks_sent >= CHECKS_MAX {
            self.checks_sent = 0;
            self.check_at = now;
        }
    }

    /// Returns the transaction id of our checks.
    pub(super) const fn transaction_id(&self) -> &TransactionId {
        &self.transaction_id
    }

    /// Returns when the next check is due.
    pub(super) const fn check_at(&self) -> Time {
        if self.checks_sent < CHECKS_MAX {
            self.check_at
        } else {
            Time::FAR_FUTURE
        }
    }

    /// Records that a check of ours was due at `now`.
    pub(super) fn record_own_check(&mut self, now: Time) {
        self.check_at = now + CHECK_INTERVAL.saturating_mul(1 << self.checks_sent);
        self.checks_sent += 1;
    }
}

/// Generator of unpredictable transaction ids. Smaller than a random generator, of which every
/// transport would need one.
#[derive(Debug)]
pub(super) struct TransactionIds {
    key: [u8; 32],
    /// Number of ids generated.
    count: u64,
}

impl TransactionIds {
    /// Returns a generator with a random key.
    pub(super) fn new(rng: &mut Rng) -> Self {
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        Self { key, count: 0 }
    }

    /// Returns the next id.
    pub(super) fn generate(&mut self) -> TransactionId {
        self.count += 1;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.key);
        let tag = hmac::sign(&key, &self.count.to_be_bytes());
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }
}
