//! Bitrates of a producer's layers, smoothed so that a keyframe does not look like a higher bitrate. Those of
//! a shared screen, which sends a page at once and then little, are means of a longer time; its peaks are known too.

use std::time::Duration;

use watersmeet_wire::units::{Bitrate, Time};

use crate::rate::RateWindow;

/// Interval at which the smoothed bitrate is updated.
const INTERVAL: Duration = Duration::from_millis(250);

/// Part by which the smoothed bitrate approaches the measured one.
const PART: u64 = 6;

/// Time for which a new layer has to be measured.
const SPAN_MIN: Duration = Duration::from_millis(300);

/// Seconds over which the bitrate of a shared screen is averaged: at most, and while it is new.
const SCREEN_SECONDS: usize = 10;
const SCREEN_SECONDS_MIN: u64 = 3;

/// Time after which the peak of a shared screen counts half.
const PEAK_HALVED_AFTER: Duration = Duration::from_secs(60);

/// Bitrate of one layer.
#[derive(Debug, Default, Clone)]
pub struct LayerRate {
    window: RateWindow,
    since: Option<Time>,
    updated: Time,
    smoothed: Bitrate,
    /// Bytes in each of the last seconds, of a shared screen.
    seconds: Option<Box<Seconds>>,
}

/// Bytes in each of the last seconds.
#[derive(Debug, Default, Clone)]
struct Seconds {
    /// Latest first.
    bytes: [u64; SCREEN_SECONDS],
    /// Number of the latest second.
    latest: u64,
    /// Most bytes in one second, and when that was.
    peak: (u64, Time),
}

impl LayerRate {
    /// Creates the bitrate of a layer of a shared screen.
    pub fn of_screen() -> Self {
        Self {
            seconds: Some(Box::default()),
            ..Self::default()
        }
    }

    /// Counts a packet.
    #[inline]
    pub fn record(&mut self, now: Time, len: usize) {
        self.window.add(now, len as u64);
        let since = *self.since.get_or_insert(now);
        if let Some(seconds) = &mut self.seconds {
            seconds.add(now, len as u64);
            return;
        }
        if now.since(self.updated) >= INTERVAL {
            self.update(now, since);
        }
    }

    /// Returns the smoothed bitrate; `None` of a layer that has not brought packets for long enough.
    pub fn get(&self, now: Time) -> Option<Bitrate> {
        let since = self.since?;
        if let Some(seconds) = &self.seconds {
            return Some(seconds.mean(now, since));
        }
        (now.since(since) >= SPAN_MIN && self.smoothed > Bitrate::ZERO).then_some(self.smoothed)
    }

    /// Returns the peak bitrate of a shared screen, that of the second with its largest page, by half less for each
    /// minute that has passed since; `None` of a camera.
    pub fn peak(&self, now: Time) -> Option<Bitrate> {
        self.seconds.as_ref().map(|seconds| seconds.peak(now))
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

impl Seconds {
    fn add(&mut self, now: Time, len: u64) {
        let second = now.as_millis() / 1_000;
        let passed = usize::try_from(second.saturating_sub(self.latest)).unwrap_or(usize::MAX);
        let passed = passed.min(SCREEN_SECONDS);
        self.latest = self.latest.max(second);
        self.bytes.rotate_right(passed);
        self.bytes.iter_mut().take(passed).for_each(|it| *it = 0);
        let peak = self.peak(now);
        if let Some(latest) = self.bytes.first_mut() {
            *latest += len;
            if *latest * 8 > peak.as_bps() {
                self.peak = (*latest, now);
            }
        }
    }

    fn peak(&self, now: Time) -> Bitrate {
        let (bytes, at) = self.peak;
        let halvings = now.since(at).as_secs() / PEAK_HALVED_AFTER.as_secs();
        let halvings = u32::try_from(halvings).unwrap_or(u32::MAX);
        Bitrate::from_bps((bytes * 8).checked_shr(halvings).unwrap_or(0))
    }

    fn mean(&self, now: Time, since: Time) -> Bitrate {
        let mut seconds = self.clone();
        seconds.add(now, 0);
        let age = now.since(since).as_secs() + 1;
        let span = age.clamp(SCREEN_SECONDS_MIN, SCREEN_SECONDS as u64);
        Bitrate::from_bps(seconds.bytes.iter().sum::<u64>() * 8 / span)
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

    #[test]
    fn bitrate_of_a_screen_is_the_mean_of_ten_seconds() {
        let mut rate = LayerRate::of_screen();
        let kbps = |rate: &LayerRate, millis| {
            rate.get(Time::from_millis(millis)).unwrap().as_bps() / 1_000
        };
        rate.record(Time::from_millis(500), 60_000);
        assert_eq!(kbps(&rate, 600), 160);
        assert_eq!(kbps(&rate, 9_900), 48);
        run(&mut rate, 10_000..20_000, |_| 1_250);
        assert_eq!(kbps(&rate, 19_999), 1_000);
        assert_eq!(kbps(&rate, 60_000), 0);
    }

    #[test]
    fn peak_of_a_screen_is_the_second_with_its_largest_page() {
        let mut rate = LayerRate::of_screen();
        let kbps = |rate: &LayerRate, secs: u64| {
            rate.peak(Time::from_millis(secs * 1_000)).unwrap().as_bps() / 1_000
        };
        rate.record(Time::from_millis(500), 30_000);
        rate.record(Time::from_millis(900), 30_000);
        rate.record(Time::from_millis(5_000), 10_000);
        assert_eq!(kbps(&rate, 30), 480);
        assert_eq!(kbps(&rate, 90), 240);
        assert_eq!(kbps(&rate, 100_000), 0);
        rate.record(Time::from_millis(90_000), 40_000);
        assert_eq!(kbps(&rate, 90), 320);
        assert_eq!(LayerRate::default().peak(Time::ZERO), None);
    }
}
