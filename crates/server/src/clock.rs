//! The one clock of the program: every shard and the hub count time from the same start, so that
//! their moments can be compared.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use watersmeet_wire::units::Time;

/// Tells the time since the program started. Monotonic: a step of the wall clock is not seen.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// The moment that `Time::ZERO` stands for.
    epoch: Instant,
    /// The wall clock at that moment, since 1970.
    unix_epoch: Duration,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        let unix_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            epoch: Instant::now(),
            unix_epoch,
        }
    }

    /// The time now.
    pub fn now(&self) -> Time {
        Time::ZERO + self.epoch.elapsed()
    }

    /// The moment that `Time::ZERO` stands for.
    pub const fn epoch(&self) -> Instant {
        self.epoch
    }

    /// The wall clock at that moment, since 1970.
    pub const fn unix_epoch(&self) -> Duration {
        self.unix_epoch
    }

    /// The wall clock now, in milliseconds since 1970. It goes on as the time here does.
    pub fn unix_ms(&self) -> u64 {
        let since_1970 = self.unix_epoch + self.epoch.elapsed();
        u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
    }

    /// The moment `time` as the operating system counts; none when it is too far to be one.
    pub fn instant(&self, time: Time) -> Option<Instant> {
        self.epoch.checked_add(time.since_origin())
    }
}
