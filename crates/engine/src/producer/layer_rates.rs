//! Bitrates of a producer's layers, smoothed so that a keyframe does not look like a higher bitrate.

use std::time::Duration;

use watersmeet_wire::units::{Bitrate, Time};

use crate::rate::RateWindow;

/// Interval at which the smoothed bitrate is updated.
const INTERVAL: Duration = Duration::from_millis(250);

/// Part by which the smoothed bitrate approaches the measured one.
const PART: u64 = 6;

/// Time for which a new layer has to be measured.
const SPAN_MIN: Duration = Duration::from_millis(300);

/// Bitrate of one layer.
#[derive(Debug, Default, Clone)]
pub struct LayerRate {
    window: RateWindow,
    since: Option<Time>,
    updated: Time,
    smoothed: Bitrate,
}

impl LayerRate {
    /// Counts a packet.
    #[inline]
    pub fn record(&mut self, now: Time, len: usize) {
        self.window.add(now, len as u64);
        let since = *self.since.get_or_insert(now);
        if now.since(self.updated) >= INTERVAL {
            self.update(now, since);
        }
    }

    /// Returns the smoothed bitrate; `None` of a layer that has not brought packets for long enough.
    pub fn get(&self, now: Time) -> Option<Bitrate> {
        let since = self.since?;
        (now.since(since) >= SPAN_MIN && self.smoothed > Bitrate::ZERO).then_some(self.smoothed)
    }

    fn update(&mut self, now: Time, since: Time) {
        let age = now.since(since);
        if age < SPAN_MIN {
            return;
        }
        self.updated = now;
        let second = Duration::from_secs(1);
        let measured = self.window.bitrate(now).as_bps();
        let former = self.smoothed.as_bps();
        let millis = u64::try_from(age.as_millis()).unwrap_or(1_000).max(1);
        // The window holds nine and a half of its ten parts on average.
        let measured = measured * 20 / 19;
        let smoothed = if age < second {
            measured * 1_000 / millis
        } else if former > measured {
            former - (former - measured).div_ceil(PART)
        } else {
            former + (measured - former) / PART
        };
        self.smoothed = Bitrate::from_bps(smoothed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(rate: &mut LayerRate, millis: std::ops::Range<u64>, len: impl Fn(u64) -> usize) {
        for at in millis.step_by(10) {
            rate.record(Time::from_millis(at), len(at));
        }
    }

    #[test]
    fn steady_layer_is_known_soon_and_exactly() {
        let mut rate = LayerRate::default();
        run(&mut rate, 0..250, |_| 1_250);
        assert_eq!(rate.get(Time::from_millis(250)), None);
        run(&mut rate, 250..5_000, |_| 1_250);
        let kbps = rate.get(Time::from_millis(5_000)).unwrap().as_bps() / 1_000;
        assert!((950..1_050).contains(&kbps), "{kbps}");
    }

    #[test]
    fn keyframe_raises_the_bitrate_little() {
        let mut rate = LayerRate::default();
        run(&mut rate, 0..5_000, |at| {
            if at == 4_500 { 30_000 } else { 1_250 }
        });
        let kbps = rate.get(Time::from_millis(5_000)).unwrap().as_bps() / 1_000;
        assert!((950..1_150).contains(&kbps), "{kbps}");
    }
}
