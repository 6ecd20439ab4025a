//! When a consumer may rise to a better layer again after it had to leave one: later each time that it
//! turns out soon that the path does not carry it, so that the picture does not alternate.

use std::time::Duration;

use watersmeet_wire::units::Time;

use super::layer_limit::LayerLimit;

/// Bounds of the time until a consumer may rise again.
const HOLD_MIN: Duration = Duration::from_millis(1_200);
const HOLD_MAX: Duration = Duration::from_secs(30);

/// Longest time until a paused consumer may be sent anything again.
const HOLD_PAUSED_MAX: Duration = Duration::from_millis(1_500);

/// Time for which a layer has to be kept to count as carried.
const CARRIED_AFTER: Duration = Duration::from_secs(15);

/// Time until a consumer may rise.
#[derive(Debug)]
pub struct RiseHold {
    allowed: Time,
    hold: Duration,
    risen: Option<Time>,
}

impl Default for RiseHold {
    fn default() -> Self {
        Self {
            allowed: Time::ZERO,
            hold: HOLD_MIN,
            risen: None,
        }
    }
}

impl RiseHold {
    /// Returns whether the consumer may rise.
    pub fn is_allowed(&self, now: Time) -> bool {
        now >= self.allowed
    }

    /// Records that the bound of its layers changes.
    pub fn record_change(&mut self, now: Time, former: LayerLimit, limit: LayerLimit) {
        if limit.step() > former.step() {
            self.risen = Some(now);
            return;
        }
        if former == LayerLimit::UNLIMITED {
            return;
        }
        let risen = self.risen.take();
        let was_carried = risen.is_none_or(|risen| now.since(risen) > CARRIED_AFTER);
        self.hold = if was_carried {
            HOLD_MIN
        } else {
            (self.hold * 2).min(HOLD_MAX)
        };
        // Without any picture it tries again soon.
        let hold = match limit {
            LayerLimit::Paused => self.hold.min(HOLD_PAUSED_MAX),
            LayerLimit::UpTo(_) => self.hold,
        };
        self.allowed = now + hold;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocation::LayerStep;

    const LOW: LayerLimit = LayerLimit::UpTo(LayerStep::full(0));
    const HIGH: LayerLimit = LayerLimit::UpTo(LayerStep::full(2));

    #[test]
    fn layer_that_is_not_carried_is_tried_less_and_less_often() {
        let mut rise = RiseHold::default();
        let mut now = Time::from_millis(1_000);
        let mut tries = 0;
        let end = now + Duration::from_secs(120);
        while now < end {
            if rise.is_allowed(now) {
                rise.record_change(now, LOW, HIGH);
                now = now + Duration::from_secs(1);
                rise.record_change(now, HIGH, LOW);
                tries += 1;
            }
            now = now + Duration::from_millis(100);
        }
        assert!((5..=9).contains(&tries), "{tries}");
    }

    #[test]
    fn layer_that_was_carried_is_tried_again_soon() {
        let mut rise = RiseHold::default();
        rise.record_change(Time::from_millis(0), LOW, HIGH);
        rise.record_change(Time::from_millis(20_000), HIGH, LOW);
        assert!(!rise.is_allowed(Time::from_millis(20_500)));
        assert!(rise.is_allowed(Time::from_millis(21_200)));
    }
}
