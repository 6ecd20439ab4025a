//! Bitrates.

use std::time::Duration;

use serde::{Deserialize, Serialize};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_bitrate_has_no_send_time() {
        assert_eq!(Bitrate::ZERO.time_to_send(1), None);
        assert_eq!(
            Bitrate::from_kbps(8).time_to_send(1),
            Some(Duration::from_millis(1))
        );
    }
}
