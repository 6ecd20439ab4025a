//! The quantities everything is measured in: time, rates, RTP identifiers, and the two
//! deterministic tools of the pure crates, a seeded generator and an ordered map.
//!
//! Nothing here may ask the machine for anything: `Time` has no `now()`, and a generator is
//! made from a seed that somebody else drew.

mod histogram;
mod token_bucket;

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use arrayvec::ArrayString;
use rand_chacha::ChaCha12Rng;
use serde::{Deserialize, Serialize};

pub use histogram::Histogram;
pub use token_bucket::TokenBucket;

/// The map of the pure crates: ordered, so that walking it is the same in every run.
pub type Map<K, V> = std::collections::BTreeMap<K, V>;

/// The random generator of the pure crates. ChaCha with 12 rounds is fit for secrets (ICE
/// passwords) when its seed is, and repeats exactly when its seed does.
pub type Rng = ChaCha12Rng;

/// Longest MID that a one-byte header extension carries (RFC 8285 §4.2).
pub const MID_LEN_MAX: usize = 16;

/// Longest RID that a one-byte header extension carries (RFC 8285 §4.2, RFC 8852 §3.1).
pub const RID_LEN_MAX: usize = 16;

/// A moment, in microseconds since the world began. The caller chooses that origin: the shard's
/// start on a machine, zero in the simulator.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The origin.
    pub const ZERO: Self = Self(0);
    /// Later than every moment that can happen.
    pub const FAR_FUTURE: Self = Self(u64::MAX);

    /// The moment `micros` microseconds after the origin.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The moment `millis` milliseconds after the origin.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Milliseconds since the origin, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Time since the origin.
    pub const fn since_origin(self) -> Duration {
        Duration::from_micros(self.0)
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(micros))
    }
}

/// A rate in bits per second.
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bitrate(u64);

impl Bitrate {
    /// No bits at all.
    pub const ZERO: Self = Self(0);

    /// A rate of `bps` bits per second.
    pub const fn from_bps(bps: u64) -> Self {
        Self(bps)
    }

    /// A rate of `kbps` thousand bits per second.
    pub const fn from_kbps(kbps: u64) -> Self {
        Self(kbps.saturating_mul(1_000))
    }

    /// Bits per second.
    pub const fn as_bps(self) -> u64 {
        self.0
    }

    /// How long `bytes` take at this rate; none at a rate of zero.
    pub fn time_to_send(self, bytes: usize) -> Option<Duration> {
        let bits = (bytes as u64).saturating_mul(8).saturating_mul(1_000_000);
        bits.checked_div(self.0).map(Duration::from_micros)
    }
}

/// Synchronisation source: the name of one RTP stream inside one transport (RFC 3550 §3).
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Ssrc(pub u32);

impl fmt::Display for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// RTP payload type, 0 to 127 (RFC 3550 §5.1).
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Pt(pub u8);

/// Media identification of an m= section (RFC 9143 §5), as carried in RTP.
pub type Mid = ArrayString<MID_LEN_MAX>;

/// Restriction identifier: the name of one simulcast encoding (RFC 8851), as carried in RTP.
pub type Rid = ArrayString<RID_LEN_MAX>;

/// A sequence number that never wraps: the 16 bits of the packet below a count of wraps. It starts
/// one wrap above zero, so that a packet older than the first still has a number.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeqNo(pub u64);

impl SeqNo {
    /// The first number of a stream whose first packet carries `raw`.
    pub const fn first(raw: u16) -> Self {
        Self(0x1_0000 + raw as u64)
    }

    /// The number nearest to this one whose low 16 bits are `raw` (RFC 3711 §3.3.1 uses the same
    /// rule for its rollover counter).
    pub const fn nearest(self, raw: u16) -> Self {
        let forward = raw.wrapping_sub(self.raw());
        if forward < 0x8000 {
            Self(self.0.wrapping_add(forward as u64))
        } else {
            Self(self.0.wrapping_sub(0x1_0000 - forward as u64))
        }
    }

    /// The 16 bits that stand in a packet.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low 16 bits are what is asked for"
    )]
    pub const fn raw(self) -> u16 {
        self.0 as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_number_extends_over_a_wrap_both_ways() {
        let before = SeqNo::first(65_535);
        let after = before.nearest(0);
        assert_eq!(after.0, before.0 + 1);
        assert_eq!(after.nearest(65_535), before);
        assert_eq!(after.nearest(0x7fff).0, after.0 + 0x7fff);
        assert_eq!(after.nearest(0x8000).0, after.0 - 0x8000);
    }

    #[test]
    fn time_never_goes_below_its_origin() {
        assert_eq!(Time::from_millis(1) - Duration::from_secs(1), Time::ZERO);
        assert_eq!(Time::ZERO.since(Time::from_millis(5)), Duration::ZERO);
    }

    #[test]
    fn a_rate_of_zero_never_sends() {
        assert_eq!(Bitrate::ZERO.time_to_send(1), None);
        assert_eq!(
            Bitrate::from_kbps(8).time_to_send(1),
            Some(Duration::from_millis(1))
        );
    }
}
