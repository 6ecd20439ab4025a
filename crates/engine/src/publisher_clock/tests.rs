//! Publishers' clocks that are absent, wrong or set.

use super::*;

/// Our clock at `Time::ZERO`, in microseconds since 1970.
const WALL: u64 = 1_800_000_000_000_000;

const VIDEO: u32 = 90_000;

/// A stream that sends a report every second, as a publisher's clock shows it.
struct Reports {
    clock: PublisherClock,
    earlier: Option<(ReportClock, Time)>,
}

impl Reports {
    fn new() -> Self {
        Self {
            clock: PublisherClock::default(),
            earlier: None,
        }
    }

    /// Handles the report of this second with this clock, delayed in the network. Returns the error of
    /// the mapping in microseconds.
    fn report(&mut self, second: u64, ntp_micros: u64, delay_millis: u64) -> i64 {
        let fraction = ((ntp_micros % 1_000_000) << 32) / 1_000_000;
        let ntp = (ntp_micros / 1_000_000) << 32 | fraction;
        let report = ReportClock {
            ntp,
            timestamp: u32::try_from(second * u64::from(VIDEO)).unwrap(),
        };
        let now = Time::from_millis(second * 1_000 + delay_millis);
        let wall = WALL + now.as_micros();
        let reference = self.clock.reference(now, wall, VIDEO, report, self.earlier);
        self.earlier = Some((report, now));
        let captured = WALL + second * 1_000_000;
        reference.wall_micros.cast_signed() - captured.cast_signed()
    }
}

fn seconds(count: u64) -> u64 {
    count * 1_000_000
}

#[test]
fn delayed_reports_do_not_change_the_mapping() {
    let mut reports = Reports::new();
    for second in 1..100 {
        let delay = if second % 10 == 9 { 2_000 } else { 20 };
        let error = reports.report(second, WALL + seconds(second), delay);
        assert!((0..60_000).contains(&error), "{error} µs at {second} s");
    }
}

#[test]
fn publisher_without_a_clock_is_mapped_by_arrival() {
    let mut reports = Reports::new();
    for second in 1..100 {
        assert_eq!(reports.report(second, 0, 20), 20_000);
    }
}

#[test]
fn clock_that_counts_from_the_start_of_the_device_is_followed() {
    let mut reports = Reports::new();
    for second in 1..100 {
        let error = reports.report(second, seconds(second + 5), 20);
        assert!((19_000..22_000).contains(&error), "{error} µs");
    }
}

#[test]
fn clock_that_is_set_is_followed_at_once() {
    for step in [-3_600_000_000_i64, 3_600_000_000, 2_000_000, -900_000] {
        let mut reports = Reports::new();
        for second in 1..100 {
            let step = if second < 50 { 0 } else { step };
            let ntp = (WALL + seconds(second)).wrapping_add_signed(step);
            let error = reports.report(second, ntp, 20);
            assert!((19_000..22_000).contains(&error), "{error} µs, step {step}");
        }
    }
}

#[test]
fn clock_that_stands_still_is_not_followed() {
    let mut reports = Reports::new();
    for second in 1..100 {
        let error = reports.report(second, WALL, 20);
        assert!((0..30_000).contains(&error), "{error} µs at {second} s");
    }
}

#[test]
fn other_streams_keep_their_offset_when_one_has_followed_a_step() {
    let mut reports = Reports::new();
    let mut audio = None;
    for second in 1..20 {
        let step = if second < 10 { 0 } else { 3_600_000_000 };
        let ntp = WALL + seconds(second) + step;
        let video_error = reports.report(second, ntp, 20);
        // The other stream's report takes 150 ms longer.
        let earlier = std::mem::replace(&mut reports.earlier, audio);
        let audio_error = reports.report(second, ntp, 170);
        audio = std::mem::replace(&mut reports.earlier, earlier);
        assert!((video_error - audio_error).abs() < 5_000, "at {second} s");
    }
}

#[test]
fn drift_is_followed_slowly() {
    let mut reports = Reports::new();
    for second in 1..10_000 {
        // 100 parts per million too slow.
        let ntp = WALL + seconds(second) - second * 100;
        let error = reports.report(second, ntp, 20);
        assert!(
            (15_000..25_000).contains(&error),
            "{error} µs at {second} s"
        );
    }
}

#[test]
fn any_timestamp_is_accepted() {
    for ntp in [1, u64::MAX, u64::MAX - 1, 1 << 63] {
        let report = ReportClock { ntp, timestamp: 7 };
        let mut clock = PublisherClock::default();
        let earlier = Some((
            ReportClock {
                ntp: !ntp,
                timestamp: !7,
            },
            Time::ZERO,
        ));
        for earlier in [None, earlier] {
            clock.reference(Time::FAR_FUTURE, WALL, 0, report, earlier);
        }
    }
}
