//! Bitrate at which packets arrive while a queue stands before the bottleneck: what the path carries,
//! however little or unevenly is sent.

use std::collections::VecDeque;

use watersmeet_wire::units::Bitrate;

/// Time for which arrivals are kept, in microseconds, and how many at most.
const WINDOW_MICROS: i64 = 600_000;
const ARRIVALS_MAX: usize = 256;

/// Packets and microseconds that are needed for a rate.
const PACKETS_MIN: usize = 4;
const MICROS_MIN: i64 = 50_000;

/// Longest time between two packets that counts, in microseconds.
const GAP_MAX: i64 = 400_000;

/// Delay above that of the empty path from which on a packet has waited in a queue, in microseconds.
const QUEUE_MICROS: i64 = 8_000;

/// A packet that arrived.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    at: i64,
    delay: i64,
    /// Time since the packet before it.
    gap: i64,
    bytes: u64,
}

/// Packets that arrived lately.
#[derive(Debug, Default)]
pub struct BusyRate {
    arrivals: VecDeque<Arrival>,
}

impl BusyRate {
    /// Records a packet: its arrival by the peer's clock, and how long it was under way besides the time that the
    /// bottleneck takes for it, both in microseconds. `bytes` is its length and that of packets before it whose
    /// arrival was not reported.
    pub fn record(&mut self, at: i64, delay: i64, bytes: u64) {
        let former = self.arrivals.back().map_or(at, |last| last.at);
        self.arrivals.push_back(Arrival {
            at: at.max(former),
            delay,
            gap: at.saturating_sub(former).max(0),
            bytes,
        });
        let oldest = at.saturating_sub(WINDOW_MICROS);
        while let Some(first) = self.arrivals.front()
            && (first.at < oldest || self.arrivals.len() > ARRIVALS_MAX)
        {
            self.arrivals.pop_front();
        }
    }

    /// Returns the rate while packets waited for longer than on an empty path, whose delay is `base`.
    /// `None` when that was not for long enough.
    pub fn get(&self, base: i64) -> Option<Bitrate> {
        let (mut bytes, mut micros, mut packets) = (0_u64, 0_i64, 0);
        // A packet that waited arrives as soon as the path has carried it after the one before.
        let waited =
            |it: &&Arrival| it.delay.saturating_sub(base) > QUEUE_MICROS && it.gap < GAP_MAX;
        for arrival in self.arrivals.iter().filter(waited) {
            bytes += arrival.bytes;
            micros += arrival.gap;
            packets += 1;
        }
        let is_enough = packets >= PACKETS_MIN && micros >= MICROS_MIN;
        let rate = (bytes * 8_000_000).checked_div(u64::try_from(micros).ok()?)?;
        is_enough.then(|| Bitrate::from_bps(rate))
    }

    /// Starts measuring anew.
    pub fn restart(&mut self) {
        self.arrivals.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records packets of 125 bytes, one a millisecond, whose delay `delay` gives in microseconds.
    fn arrivals(millis: i64, delay: impl Fn(i64) -> i64) -> BusyRate {
        let mut rate = BusyRate::default();
        for at in 0..millis {
            rate.record(at * 1_000, delay(at), 125);
        }
        rate
    }

    #[test]
    fn rate_is_that_of_the_time_with_a_queue() {
        let rate = arrivals(500, |at| if at < 400 { 0 } else { 60_000 });
        assert_eq!(rate.get(0), Some(Bitrate::from_kbps(1_000)));
    }

    #[test]
    fn large_packets_at_a_low_rate_are_measured_exactly() {
        let mut rate = BusyRate::default();
        for index in 0..6 {
            rate.record(index * 40_000, 60_000, 1_200);
        }
        let kbps = rate.get(0).unwrap().as_bps() / 1_000;
        assert!((240..=288).contains(&kbps), "{kbps}");
    }

    #[test]
    fn short_or_missing_queue_gives_no_rate() {
        assert_eq!(arrivals(500, |_| 5_000).get(0), None);
        assert_eq!(
            arrivals(500, |at| if at < 460 { 0 } else { 60_000 }).get(0),
            None
        );
    }

    #[test]
    fn memory_is_bounded_though_the_clock_jumps() {
        let mut rate = BusyRate::default();
        for at in [0, i64::MAX, i64::MIN, 5] {
            for step in 0..1_000 {
                rate.record(at, step, 1_200);
            }
        }
        assert!(rate.arrivals.len() <= ARRIVALS_MAX);
        assert_eq!(rate.get(i64::MIN), None);
    }
}
