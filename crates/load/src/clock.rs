//! The two clocks of a run: one for what is due, which never goes back, and the wall's, which the
//! kernel stamps datagrams with.

use std::time::{Duration, Instant, SystemTime};

use watersmeet_wire::units::Time;

/// Time since the run began. Copies agree.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// The moment of `Time::ZERO`.
    epoch: Instant,
}

impl Clock {
    /// A clock that begins now.
    pub fn new() -> Self {
        Self {
            epoch: Instant::now(),
        }
    }

    /// The moment of `Time::ZERO`.
    pub const fn epoch(&self) -> Instant {
        self.epoch
    }

    /// Now.
    pub fn now(&self) -> Time {
        Time::ZERO + self.epoch.elapsed()
    }

    /// Now, on the wall's clock, in nanoseconds.
    pub fn wall_ns() -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        u64::try_from(since.unwrap_or(Duration::ZERO).as_nanos()).unwrap_or(u64::MAX)
    }
}
