//! The clocks of a run: a monotonic one for timers, and the wall clock, which the kernel uses for
//! receive timestamps.

use std::time::{Duration, Instant, SystemTime};

use watersmeet_wire::units::Time;

/// Monotonic time since the start of the run. Copies share the origin.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Instant of `Time::ZERO`.
    epoch: Instant,
}

impl Clock {
    /// Creates a clock that starts now.
    pub fn new() -> Self {
        Self {
            epoch: Instant::now(),
        }
    }

    /// Returns the instant of `Time::ZERO`.
    pub const fn epoch(&self) -> Instant {
        self.epoch
    }

    /// Returns the current time.
    pub fn now(&self) -> Time {
        Time::ZERO + self.epoch.elapsed()
    }

    /// Returns the wall clock in nanoseconds since the Unix epoch.
    pub fn wall_ns() -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        u64::try_from(since.unwrap_or(Duration::ZERO).as_nanos()).unwrap_or(u64::MAX)
    }
}
