//! Pacing: spreads packets over time instead of sending bursts that overflow short queues.

use std::time::Duration;

use watersmeet_wire::units::{Bitrate, Time};

/// Time's worth of packets that may be sent at once: much, so that frames are sent in few pieces.
const BURST: Duration = Duration::from_millis(10);

/// The same in a probe, which has to be even.
const PROBE_BURST: Duration = Duration::from_millis(4);

/// Pacer of one transport.
#[derive(Debug, Default)]
pub struct Pacer {
    /// Time at which the packets sent so far have passed at the pacing rate.
    free_at: Time,
}

/// Rate of sending, and whether it is that of a probe.
#[derive(Debug, Clone, Copy)]
pub struct PacingRate {
    /// Bitrate.
    pub bitrate: Bitrate,
    /// Whether a probe is sent.
    pub is_probe: bool,
}

impl PacingRate {
    const fn burst(self) -> Duration {
        if self.is_probe { PROBE_BURST } else { BURST }
    }
}

impl Pacer {
    /// Returns when the next packet may be sent.
    pub fn ready_at(&self, rate: PacingRate) -> Time {
        self.free_at - rate.burst()
    }

    /// Returns how many bytes may be sent now at `rate`.
    pub fn allowance(&self, now: Time, rate: PacingRate) -> u64 {
        let burst = rate.burst();
        let ready = (now + burst).since(self.free_at).min(burst);
        let micros = u64::try_from(ready.as_micros()).unwrap_or(0);
        rate.bitrate.as_bps().saturating_mul(micros) / 8_000_000
    }

    /// Records a packet, whether it waited or not.
    pub fn record(&mut self, now: Time, len: usize, rate: Bitrate) {
        let length = rate.time_to_send(len).unwrap_or(BURST);
        self.free_at = self.free_at.max(now) + length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_leave_at_the_pacing_rate_after_a_burst() {
        let mut pacer = Pacer::default();
        let rate = PacingRate {
            bitrate: Bitrate::from_kbps(960),
            is_probe: false,
        };
        let mut now = Time::from_millis(100);
        let mut sent = 0;
        while now < Time::from_millis(200) {
            while pacer.ready_at(rate) <= now {
                pacer.record(now, 120, rate.bitrate);
                sent += 1;
            }
            now = now + Duration::from_millis(1);
        }
        assert_eq!(sent, 110);
    }
}
