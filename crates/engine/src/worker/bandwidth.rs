//! Bandwidth of a transport's path to its peer: the estimate, what holds packets back, and what was
//! distributed among its consumers. Transports that send no video with transport-wide numbers have
//! none.

use std::time::Duration;

use watersmeet_wire::units::{Bitrate, Time};

use crate::congestion::BandwidthEstimator;
use crate::probation::Probation;
use crate::timers::Deadline;

/// Interval at which bitrates are distributed anew while feedback arrives, unless the estimate falls.
const ALLOCATION_INTERVAL: Duration = Duration::from_millis(200);

/// Shortest wait of packets that are held back: the resolution of the worker's loop.
const GRANULARITY: Duration = Duration::from_millis(1);

/// Interval at which they are distributed without feedback.
const IDLE_INTERVAL: Duration = Duration::from_secs(1);

/// Bandwidth of one transport.
#[derive(Debug)]
pub struct TransportBandwidth {
    /// Estimates what the path carries.
    pub estimator: BandwidthEstimator,
    /// Padding for probes.
    pub probation: Probation,
    /// Deadline of the estimator, and of the next distribution.
    pub deadline: Deadline,
    /// Time of the latest distribution, and the bitrate it used.
    allocated: (Time, Bitrate),
    /// Bytes that the path could have carried so far, by the estimate.
    carried: u64,
    carried_until: Time,
}

impl TransportBandwidth {
    /// Creates the state of a path of which nothing is known but that it may carry `start`.
    pub fn new(start: Bitrate, probation: Probation) -> Self {
        Self {
            estimator: BandwidthEstimator::new(start),
            probation,
            deadline: Deadline::default(),
            allocated: (Time::ZERO, Bitrate::ZERO),
            carried: 0,
            carried_until: Time::ZERO,
        }
    }

    /// Records that bitrates were distributed.
    pub fn record_allocation(&mut self, now: Time, used: Bitrate) {
        self.allocated = (now, used);
    }

    /// Returns whether bitrates should be distributed anew after feedback.
    pub fn is_allocation_due(&self, now: Time) -> bool {
        let (at, used) = self.allocated;
        let estimate = self.estimator.estimate(now);
        now.since(at) >= ALLOCATION_INTERVAL || estimate.is_some_and(|estimate| estimate < used)
    }

    /// Returns when the timer has to expire.
    pub fn poll_timeout(&self, now: Time) -> Time {
        let (at, _) = self.allocated;
        let due = self.estimator.poll_timeout().min(at + IDLE_INTERVAL);
        due.max(now + GRANULARITY)
    }

    /// Returns when sending may go on.
    pub fn ready_at(&mut self, now: Time) -> Time {
        self.estimator.ready_at(now).max(now + GRANULARITY)
    }

    /// Returns how many bytes the path could have carried so far.
    pub fn carried(&mut self, now: Time, estimate: Bitrate) -> u64 {
        let micros = u64::try_from(now.since(self.carried_until).as_micros()).unwrap_or(0);
        let second = 1_000_000;
        self.carried += estimate.as_bps() / 8 * micros.min(second) / second;
        self.carried_until = now;
        self.carried
    }
}
