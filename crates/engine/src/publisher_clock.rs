//! Relation of a publisher's wall clock to ours, by its sender reports (RFC 3550 §6.4.1).
//!
//! All streams of a transport share one offset, so that they stay in sync. The publisher's clock is
//! not trusted: it may be absent (zero), count from the start of the device, stand still or be set.
//! Media time tells a clock that was set from a report that was delayed, because both fields of a
//! delayed report are equally old.

use std::time::Duration;

use watersmeet_wire::units::Time;

use crate::packet::ClockReference;

/// Difference between the clock's and the media's progress that rounding and drift explain.
const PROGRESS_DEVIATION_MAX_MICROS: i64 = 100_000;

/// Deviation from the shared offset above which a clock that has been set gives a new one. Below it,
/// another stream's report has given it already.
const OFFSET_DEVIATION_MAX_MICROS: i64 = 500_000;

/// Deviation from the shared offset above which it is replaced in any case: no report of live media
/// is delayed for so long.
const DELAY_MAX_MICROS: i64 = 10_000_000;

/// Largest change of the offset by one report, in microseconds. It follows a drift of 1,000 parts per
/// million, and is not noticed.
const SLEW_MAX_MICROS: i64 = 1_000;

/// Clock fields of a publisher's sender report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportClock {
    /// NTP timestamp; zero from a publisher without a clock.
    pub ntp: u64,
    /// RTP timestamp at that time.
    pub timestamp: u32,
}

/// Offset of a publisher's wall clock to ours.
#[derive(Debug, Default, Clone, Copy)]
pub struct PublisherClock {
    /// Our clock minus the publisher's, in microseconds; absent before the first report.
    offset: Option<i64>,
}

impl PublisherClock {
    /// Returns the relation of media time to our clock that a report gives. `wall_micros` is our clock
    /// when it arrived, `earlier` the previous report on the stream with its arrival.
    pub fn reference(
        &mut self,
        now: Time,
        wall_micros: u64,
        clock_rate: u32,
        report: ReportClock,
        earlier: Option<(ReportClock, Time)>,
    ) -> ClockReference {
        let wall = wall_micros.cast_signed();
        let theirs = micros_of_ntp(report.ntp);
        let wall_micros = if report.ntp == 0 {
            wall
        } else {
            let measured = wall.wrapping_sub(theirs);
            let was_set = earlier.is_some_and(|(before, at)| {
                clock_was_set(report, before, now.since(at), clock_rate)
            });
            theirs.wrapping_add(self.follow(measured, was_set))
        };
        ClockReference {
            wall_micros: u64::try_from(wall_micros).unwrap_or(0),
            timestamp: report.timestamp,
        }
    }

    /// Updates the offset by the one that a report shows, and returns it.
    fn follow(&mut self, measured: i64, was_set: bool) -> i64 {
        let offset = match self.offset {
            Some(offset) => {
                let deviation = measured.wrapping_sub(offset);
                let tolerated = if was_set {
                    OFFSET_DEVIATION_MAX_MICROS
                } else {
                    DELAY_MAX_MICROS
                };
                if deviation.unsigned_abs() > tolerated.unsigned_abs() {
                    measured
                } else {
                    offset.wrapping_add(deviation.clamp(-SLEW_MAX_MICROS, SLEW_MAX_MICROS))
                }
            }
            None => measured,
        };
        self.offset = Some(offset);
        offset
    }
}

/// Returns whether the publisher's clock has progressed differently from its media since the report
/// `before`, which arrived `passed` earlier, and the clock is what deviates from the time passed.
fn clock_was_set(
    report: ReportClock,
    before: ReportClock,
    passed: Duration,
    clock_rate: u32,
) -> bool {
    let clock = micros_of_ntp(report.ntp).wrapping_sub(micros_of_ntp(before.ntp));
    let ticks = i64::from(
        report
            .timestamp
            .wrapping_sub(before.timestamp)
            .cast_signed(),
    );
    let media = (ticks * 1_000_000)
        .checked_div(i64::from(clock_rate))
        .unwrap_or(0);
    let passed = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
    let deviation = |progress: i64| progress.wrapping_sub(passed).unsigned_abs();
    let tolerated = PROGRESS_DEVIATION_MAX_MICROS.saturating_add(passed / 100);
    clock.wrapping_sub(media).unsigned_abs() > tolerated.unsigned_abs()
        && deviation(clock) > deviation(media)
}

/// Converts an NTP timestamp to microseconds since its epoch, whatever that is.
fn micros_of_ntp(ntp: u64) -> i64 {
    let micros = (ntp >> 32) * 1_000_000 + (((ntp & 0xffff_ffff) * 1_000_000) >> 32);
    micros.cast_signed()
}

#[cfg(test)]
mod tests;
