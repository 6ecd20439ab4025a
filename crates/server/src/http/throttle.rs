//! Throttles the frames of one client, in every dialect: a burst at once, then a steady rate. Frames
//! are delayed for a while; those of a client that keeps exceeding the rate are passed on, so that the
//! conference refuses them and closes the connection (1008) as documented.

use std::time::Duration;

use tokio::time::Instant;
use watersmeet_wire::units::{Time, TokenBucket};

/// Frames that a client may send at once. With `RATE_PER_SECOND` it lies below what the conference
/// refuses, so that an honest page in a hurry (joining a room of 200 takes 800 frames) is delayed
/// here and never refused there.
pub const BURST_MAX: u32 = 150;

/// Frames that a client may send a second on average.
const RATE_PER_SECOND: u32 = 40;

/// Time for which the frames of a client that exceeds the rate are delayed. A page that joins a large
/// room is credited its messages by the conference, so that passing them on refuses none.
const EXCESS_MAX: Duration = Duration::from_secs(6);

/// Decision about a frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// The frame may be handled at once.
    Now,
    /// The frame may be handled after a delay.
    After(Duration),
}

/// Throttle of one client.
#[derive(Debug)]
pub struct Throttle {
    /// Frames that may be handled now.
    bucket: TokenBucket,
    /// Instant of `Time::ZERO`.
    epoch: Instant,
    /// Start of the time since which every frame was delayed.
    exceeded_since: Option<Instant>,
}

impl Throttle {
    /// Creates a throttle that allows a full burst.
    pub fn new(now: Instant) -> Self {
        Self {
            bucket: TokenBucket::new(RATE_PER_SECOND, BURST_MAX),
            epoch: now,
            exceeded_since: None,
        }
    }

    /// Counts one frame and decides about it.
    pub fn admit(&mut self, now: Instant) -> Admission {
        let time = Time::ZERO + now.duration_since(self.epoch);
        let delay = self.bucket.take(time, 1).unwrap_or(EXCESS_MAX);
        if delay.is_zero() {
            self.exceeded_since = None;
            return Admission::Now;
        }
        let since = *self.exceeded_since.get_or_insert(now);
        if now.duration_since(since) > EXCESS_MAX {
            return Admission::Now;
        }
        Admission::After(delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn flood_is_delayed_after_the_burst_and_then_passed_on() {
        let start = Instant::now() + Duration::from_secs(60);
        let mut throttle = Throttle::new(start);
        assert!((0..BURST_MAX).all(|_| throttle.admit(start) == Admission::Now));
        let mut now = start;
        let mut delayed = 0;
        while let Admission::After(delay) = throttle.admit(now) {
            delayed += 1;
            now += delay;
        }
        let expected = RATE_PER_SECOND * u32::try_from(EXCESS_MAX.as_secs()).unwrap();
        assert!(
            (expected..expected + 3).contains(&delayed),
            "{delayed} frames in {EXCESS_MAX:?}"
        );
        assert!((0..1_000).all(|_| throttle.admit(now) == Admission::Now));
    }

    #[tokio::test]
    async fn client_within_its_rate_is_never_delayed() {
        let mut now = Instant::now() + Duration::from_secs(60);
        let mut throttle = Throttle::new(now);
        for _ in 0..10_000 {
            assert_eq!(throttle.admit(now), Admission::Now);
            now += Duration::from_secs(1) / RATE_PER_SECOND;
        }
    }
}
