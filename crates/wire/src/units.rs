//! Units and identifiers: time, bitrate, SSRC, payload type, MID, RID and sequence number. Also the
//! seeded random generator and the ordered map that all deterministic crates use.
//!
//! Nothing here reads from the machine: `Time` has no `now()`, and the caller provides the seed of
//! a generator.

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

/// Map of the deterministic crates: ordered, so that iteration is the same in every run.
pub type Map<K, V> = std::collections::BTreeMap<K, V>;

/// Random generator of the deterministic crates: ChaCha with 12 rounds. It is suitable for secrets
/// (ICE passwords) when its seed is, and equal seeds give equal numbers.
pub type Rng = ChaCha12Rng;

/// Longest MID that a one-byte header extension can carry, in bytes (RFC 8285 §4.2).
pub const MID_LEN_MAX: usize = 16;

/// Longest RID that a one-byte header extension can carry, in bytes (RFC 8285 §4.2, RFC 8852 §3.1).
pub const RID_LEN_MAX: usize = 16;

/// Point in time, in microseconds since an origin that the caller chooses: the start of the shard,
/// or zero in the simulator.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// Origin of time.
    pub const ZERO: Self = Self(0);
    /// Later than every possible time; used for "no deadline".
    pub const FAR_FUTURE: Self = Self(u64::MAX);

    /// Returns the time `micros` microseconds after the origin.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Returns the time `millis` milliseconds after the origin.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Returns the microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Returns the milliseconds since the origin, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Returns the time since the origin.
    pub const fn since_origin(self) -> Duration {
        Duration::from_micros(self.0)
    }

    /// Returns the time elapsed since `earlier`; zero when that is not earlier.
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

/// Bitrate, in bits per second.
#[derive(
    Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Bitrate(u64);

impl Bitrate {
    /// Zero bits per second.
    pub const ZERO: Self = Self(0);

    /// Returns a bitrate of `bps` bits per second.
    pub const fn from_bps(bps: u64) -> Self {
        Self(bps)
    }

    /// Returns a bitrate of `kbps` thousand bits per second.
    pub const fn from_kbps(kbps: u64) -> Self {
        Self(kbps.saturating_mul(1_000))
    }

    /// Returns the bits per second.
    pub const fn as_bps(self) -> u64 {
        self.0
    }

    /// Returns how long `bytes` take at this bitrate; `None` at a bitrate of zero.
    pub fn time_to_send(self, bytes: usize) -> Option<Duration> {
        let bits = (bytes as u64).saturating_mul(8).saturating_mul(1_000_000);
        bits.checked_div(self.0).map(Duration::from_micros)
    }
}

/// Synchronisation source: identifies an RTP stream within a transport (RFC 3550 §3).
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

/// Restriction identifier: name of a simulcast encoding (RFC 8851), as carried in RTP.
pub type Rid = ArrayString<RID_LEN_MAX>;

/// Extended sequence number, which never wraps: the 16 bits of the packet below a count of wraps.
/// The count starts at one, so that packets older than the first have a number as well.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeqNo(pub u64);

impl SeqNo {
    /// Returns the number of the first packet of a stream, which carries `raw`.
    pub const fn first(raw: u16) -> Self {
        Self(0x1_0000 + raw as u64)
    }

    /// Returns the number nearest to this one whose low 16 bits are `raw` (the rule of
    /// RFC 3711 §3.3.1 for the rollover counter).
    pub const fn nearest(self, raw: u16) -> Self {
        let forward = raw.wrapping_sub(self.raw());
        if forward < 0x8000 {
            Self(self.0.wrapping_add(forward as u64))
        } else {
            Self(self.0.wrapping_sub(0x1_0000 - forward as u64))
        }
    }

    /// Returns the 16 bits that packets carry.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "truncation keeps the low 16 bits"
    )]
    pub const fn raw(self) -> u16 {
        self.0 as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_number_extends_across_a_wrap_in_both_directions() {
        let before = SeqNo::first(65_535);
        let after = before.nearest(0);
        assert_eq!(after.0, before.0 + 1);
        assert_eq!(after.nearest(65_535), before);
        assert_eq!(after.nearest(0x7fff).0, after.0 + 0x7fff);
        assert_eq!(after.nearest(0x8000).0, after.0 - 0x8000);
    }

    #[test]
    fn time_saturates_at_its_origin() {
        assert_eq!(Time::from_millis(1) - Duration::from_secs(1), Time::ZERO);
        assert_eq!(Time::ZERO.since(Time::from_millis(5)), Duration::ZERO);
    }

    #[test]
    fn zero_bitrate_has_no_send_time() {
        assert_eq!(Bitrate::ZERO.time_to_send(1), None);
        assert_eq!(
            Bitrate::from_kbps(8).time_to_send(1),
            Some(Duration::from_millis(1))
        );
    }
}
