//! The clock of the program. Hub and shards measure time from the same start, so that their
//! timestamps can be compared.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use watersmeet_wire::units::Time;

/// Monotonic time since the program started. Adjustments of the wall clock do not affect it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Instant of `Time::ZERO`.
    epoch: Instant,
    /// Wall clock at `epoch`, since 1970.
    unix_epoch: Duration,
}

impl Clock {
    /// Starts a clock at zero.
    pub fn start() -> Self {
        let unix_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            epoch: Instant::now(),
            unix_epoch,
        }
    }

    /// Returns the time since the start.
    pub fn now(&self) -> Time {
        Time::ZERO + self.epoch.elapsed()
    }

    /// Returns the `Instant` of `Time::ZERO`.
    pub const fn epoch(&self) -> Instant {
        self.epoch
    }

    /// Returns the wall clock at `Time::ZERO`, since 1970.
    pub const fn unix_epoch(&self) -> Duration {
        self.unix_epoch
    }

    /// Returns the current time in milliseconds since 1970. Advances with the monotonic clock.
    pub fn unix_ms(&self) -> u64 {
        let since_1970 = self.unix_epoch + self.epoch.elapsed();
        u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
    }

    /// Converts `time` to an `Instant`; `None` when it is too far in the future for one.
    pub fn instant(&self, time: Time) -> Option<Instant> {
        self.epoch.checked_add(time.since_origin())
    }
}
