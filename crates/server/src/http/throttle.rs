//! How fast one client may speak, whatever it speaks over: a burst at once, a pace for long. It
//! slows down and never refuses, until a client has pressed for too long.

use std::time::Duration;

use tokio::time::Instant;

/// Frames a client may send at once, and a second for long; beyond, it is read no faster than
/// this. Both lie below what the conference refuses, so that an honest page in a hurry (joining a
/// room of 200 takes 800 frames) is slowed down here and never refused there.
pub const BURST_MAX: u32 = 150;
/// See `BURST_MAX`.
const RATE_PER_SECOND: u32 = 40;

/// How long a client may press against its pace before it is shown out.
const PRESSING_MAX: Duration = Duration::from_secs(20);

/// Whether a frame may be handed on.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// At once.
    Now,
    /// After this long.
    After(Duration),
    /// Not at all: the client has pressed for too long.
    Never,
}

/// A token bucket: `BURST_MAX` at once, `RATE_PER_SECOND` a second for long.
#[derive(Debug)]
pub struct Throttle {
    /// When the bucket will be full again, if nothing more comes.
    full_at: Instant,
    /// Since when every frame has had to wait.
    pressing_since: Option<Instant>,
}

impl Throttle {
    /// A full bucket.
    pub fn new(now: Instant) -> Self {
        Self {
            full_at: now,
            pressing_since: None,
        }
    }

    /// Counts one frame.
    pub fn admit(&mut self, now: Instant) -> Admission {
        let per_frame = Duration::from_secs(1) / RATE_PER_SECOND;
        self.full_at = self.full_at.max(now) + per_frame;
        let ready_at = self.full_at - per_frame * BURST_MAX;
        if ready_at <= now {
            self.pressing_since = None;
            return Admission::Now;
        }
        let since = *self.pressing_since.get_or_insert(now);
        if now.duration_since(since) > PRESSING_MAX {
            return Admission::Never;
        }
        Admission::After(ready_at - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_burst_passes_and_a_flood_is_slowed_and_then_shown_out() {
        let start = Instant::now() + Duration::from_secs(60);
        let mut pace = Throttle::new(start);
        assert!((0..BURST_MAX).all(|_| pace.admit(start) == Admission::Now));
        let mut now = start;
        let mut slowed = 0;
        while let Admission::After(delay) = pace.admit(now) {
            slowed += 1;
            now += delay;
        }
        let expected = RATE_PER_SECOND * u32::try_from(PRESSING_MAX.as_secs()).unwrap();
        assert!(
            (expected..expected + 3).contains(&slowed),
            "{slowed} frames in {PRESSING_MAX:?}"
        );
    }

    #[tokio::test]
    async fn a_client_within_its_pace_is_never_slowed() {
        let mut now = Instant::now() + Duration::from_secs(60);
        let mut pace = Throttle::new(now);
        for _ in 0..10_000 {
            assert_eq!(pace.admit(now), Admission::Now);
            now += Duration::from_secs(1) / RATE_PER_SECOND;
        }
    }
}
